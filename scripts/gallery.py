"""Write the gallery: each prebuilt report's question, class, SQL and first rows, all made by running it.

    python -m scripts.with_postgres -- python -m scripts.gallery

The data are the example project's, small: the same rows everywhere. A page is one module of the dashboards' reports.
"""

from __future__ import annotations

import csv
import inspect
import io
import os
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from textwrap import dedent
from types import ModuleType

import django

CHECKOUT = Path(__file__).resolve().parent.parent
FOLDER = CHECKOUT / "docs" / "gallery"
# In the order in which the README has the families.
FAMILIES = (
    "grouped_metrics", "time_series", "ranking", "distribution", "tables", "customers", "structures", "quality",
)  # fmt: skip
TICKETS, ORDERS = 3_000, 600
ROWS = 6
LONGEST = 110

_CLAUSE = re.compile(r'"[^"]*"|\'(?:[^\']|\'\')*\'|( (?=(?:FROM|WHERE|GROUP BY|LEFT OUTER JOIN|INNER JOIN|ORDER BY) ))')
_HEAD = """\
# The gallery of prebuilt reports

Each class with a question that it answers, the SQL that it runs and the first rows, over the example project's data
(3 000 tickets, 600 orders). These pages are made by running them: `make gallery`. `SeenByStaff` is the example's own:
it runs examples as a user of the staff.

| question | class |
|---|---|
"""


def load() -> None:
    """Fill the example's tables, small."""
    from example_project.dashboards import loading as dashboards
    from example_project.helpdesk import loading as helpdesk
    from example_project.shop import loading as shop

    stream = io.StringIO()
    helpdesk.load(TICKETS, stream)
    shop.load(ORDERS, stream)
    dashboards.load(stream)


def pages() -> dict[str, str]:
    """Return the text of each page by its name, the index among them."""
    modules = {name: import_module(f"example_project.dashboards.reports.{name}") for name in FAMILIES}
    found = {f"{name}.md": _page(module) for name, module in modules.items()}
    lines = [
        f"| [{_question(report)}]({name}.md#{prebuilt.lower()}-{report.__name__.lower()}) | `{prebuilt}` |"
        for name, module in modules.items()
        for report, prebuilt in _reports(module)
    ]
    return {"README.md": _HEAD + "\n".join(lines) + "\n", **found}


def module_names() -> list[str]:
    """Return the names of the modules that hold the reports."""
    from example_project.dashboards import reports

    return [module.name for module in iter_modules(reports.__path__)]


def _page(module: ModuleType) -> str:
    heading, _, rest = dedent(module.__doc__ or "").strip().partition("\n")
    parts = [f"# {heading.rstrip('.')}", rest.strip(), *(_entry(*item) for item in _reports(module))]
    return "\n\n".join(part for part in parts if part) + "\n"


def _reports(module: ModuleType) -> Iterator[tuple[type, str]]:
    """Yield the reports of a module, each with the name of the class of this package that it is of."""
    from reports.prebuilt.vocabulary.declared import Prebuilt

    for value in vars(module).values():
        if isinstance(value, type) and issubclass(value, Prebuilt) and value.__module__ == module.__name__:
            yield value, next(cls.__name__ for cls in value.__mro__ if cls.__module__.startswith("reports."))


def _question(report: type) -> str:
    return inspect.cleandoc(report.__doc__ or "").splitlines()[0]


def _entry(report: type, prebuilt: str) -> str:
    from django.core.management import call_command

    name = report.get_name()  # type: ignore[attr-defined]
    sql, rows = io.StringIO(), io.StringIO()
    call_command("report", name, "--format", "sql", "--user", "staff", stdout=sql)
    call_command("report", name, "--format", "csv", "--limit", str(ROWS), "--user", "staff", stdout=rows)
    return "\n\n".join(
        [
            f"## {prebuilt}: {report.__name__}\n\n**{_question(report)}**",
            f"```python\n{_source(report)}\n```",
            _table(rows.getvalue()),
            f"<details><summary>SQL</summary>\n\n```sql\n{_broken(sql.getvalue())}\n```\n\n</details>",
        ]
    )


def _source(report: type) -> str:
    """Return a report's code, with the classes of its module that it is made of."""
    parts = [cls for cls in reversed(report.__mro__) if cls.__module__ == report.__module__]
    return "\n\n\n".join(dedent(inspect.getsource(cls)).strip() for cls in parts)


def _table(text: str) -> str:
    head, *body = csv.reader(io.StringIO(text))
    rows = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows)


def _broken(sql: str) -> str:
    """Return SQL in which long lines are broken before their clauses."""
    return "\n".join(_broken_line(line) for line in sql.strip().splitlines())


def _broken_line(line: str) -> str:
    if len(line) <= LONGEST:
        return line
    margin = " " * (len(line) - len(line.lstrip()) + 4)
    return _CLAUSE.sub(lambda found: f"\n{margin}" if found[1] else found[0], line)


def main() -> None:
    """Write the pages, from a database of their own."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    django.setup()
    from django.db import connection

    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        load()
        FOLDER.mkdir(parents=True, exist_ok=True)
        for page, text in pages().items():
            (FOLDER / page).write_text(text, encoding="utf-8")
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


if __name__ == "__main__":
    main()
