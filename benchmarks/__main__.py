"""Run every measurement and print the ratios: ``python -m benchmarks``, with ``DATABASE_URL`` set."""

from __future__ import annotations

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
django.setup()

from django.db import connection  # noqa: E402 - Django first

from benchmarks import binder, overhead, rows  # noqa: E402
from benchmarks.timing import Comparison  # noqa: E402

ROWS = 200_000


def main() -> None:
    """Make the data, measure, print a table, drop the data."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT version()")
        print(f"{cursor.fetchone()[0].split(' on ')[0]}, Python {sys.version.split()[0]}, Django {django.__version__}")
    rows.create_table(ROWS)
    try:
        for measure in (rows.measure, overhead.measure, binder.measure):
            for found in measure():
                _print(found)
    finally:
        rows.drop_table()


def _print(found: Comparison) -> None:
    print(f"{found.name:<72} {found.ours:>10.3f} ms {found.other:>10.3f} ms {found.ratio:>6.2f}")


if __name__ == "__main__":
    main()
