"""Run the measurements and print the ratios: ``make bench``, or ``python -m benchmarks`` with ``DATABASE_URL`` set.

Names of measurements as arguments choose: ``python -m benchmarks rows overhead``.
"""

from __future__ import annotations

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
django.setup()

from django.db import connection  # noqa: E402 - Django first

from benchmarks import (  # noqa: E402
    binder,
    counts,
    crossover,
    downloads,
    endpoint,
    exports,
    overhead,
    prebuilt_customers,
    prebuilt_distribution,
    prebuilt_grouped_metrics,
    prebuilt_quality,
    prebuilt_ranking,
    prebuilt_structures,
    prebuilt_tables,
    prebuilt_time_series,
    rewrite_lookup,
    rewriting,
    rows,
)

MEASUREMENTS = {
    "binder": binder.measure,
    "overhead": overhead.measure,
    "rows": rows.measure,
    "exports": exports.measure,
    "downloads": downloads.measure,
    "endpoint": endpoint.measure,
    "counts": counts.measure,
    "crossover": crossover.measure,
    "grouped_metrics": prebuilt_grouped_metrics.measure,
    "time_series": prebuilt_time_series.measure,
    "ranking": prebuilt_ranking.measure,
    "distribution": prebuilt_distribution.measure,
    "tables": prebuilt_tables.measure,
    "customers": prebuilt_customers.measure,
    "structures": prebuilt_structures.measure,
    "quality": prebuilt_quality.measure,
    "rewriting": rewriting.measure,
    "rewrite_lookup": rewrite_lookup.measure,
}


def main(names: list[str]) -> None:
    """Measure in a database of its own, which is dropped at the end."""
    settings = connection.settings_dict
    name, found = settings["NAME"], None
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT version()")
            version = cursor.fetchone()[0].split(" on ")[0]
        print(f"{version}, Python {sys.version.split()[0]}, Django {django.__version__}")
        print(f"{'ours / other':<68}{'ours':>13}{'other':>13}{'ratio':>8}")
        for measurement in names or MEASUREMENTS:
            for found in MEASUREMENTS[measurement]():
                figures = f"{found.ours:>9.3f} {found.unit:<3}{found.other:>9.3f} {found.unit:<3}{found.ratio:>8.2f}"
                print(f"{found.name:<68}{figures}", flush=True)
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


if __name__ == "__main__":
    main(sys.argv[1:])
