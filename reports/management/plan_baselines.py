"""The shapes of a report's plans as a text file: what git keeps, and what differs from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from django.db import connections

from reports.errors import ReportError, listed
from reports.plan_changes import changes
from reports.plan_shapes import ShapeLine, shape
from reports.testing.examples import ExampleCase

SUFFIX = ".txt"
_MARK = "# PostgreSQL "
_HEAD = (
    _MARK + "{version}: the plans of {report}, without costs, rows, values and parallel workers.\n# Written by: {made}"
)
MADE_BY = "manage.py report_plans --write"
_INDENT = "    "
# A partitioned table has no statistics of its own until somebody runs ANALYZE on it.
_UNKNOWN = """
SELECT relname FROM pg_class
WHERE relname = ANY(%s) AND relkind IN ('r', 'm') AND reltuples < 0 AND pg_table_is_visible(oid)
"""

Shape = tuple[ShapeLine, ...]


class NoBaseline(ReportError):
    """A file that is no baseline; says file and line."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The shapes of one report's plans, by what its examples give: "with month, region", "without parameters".

    ``version`` is PostgreSQL's, as in 18.
    """

    report: str
    version: int
    shapes: Mapping[str, Shape]

    @classmethod
    def of(cls, cases: Sequence[ExampleCase], using: str) -> Baseline:
        """Return the baseline of a report as its plans are, from all its cases. Nothing is run but EXPLAIN.

        Raises:
            ReportError: A case cannot be run; also what Django raises of a project's own queries.
        """
        shapes = {}
        for title, case in _titled(cases):
            if obstacle := case.obstacle():
                raise ReportError(obstacle)
            shapes[title] = shape(case.rows(using=using).plan())
        version: int = connections[using].pg_version  # type: ignore[attr-defined]  # PostgreSQL's alone
        return cls(cases[0].report.get_name(), version // 10_000, shapes)

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """Return the baseline of a file.

        Raises:
            NoBaseline: The file is none, or was changed by hand.
        """
        shapes: dict[str, list[ShapeLine]] = {}
        head, *lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        version = head.removeprefix(_MARK).partition(":")[0]
        if not head.startswith(_MARK) or not version.isdecimal():
            raise NoBaseline(f"{path}:1: {head!r} is not the first line of a file that report_plans wrote.")
        title = None
        for number, line in enumerate(lines, start=2):
            if line.startswith(_INDENT) and title is not None:
                try:
                    shapes[title].append(ShapeLine.read(line.removeprefix(_INDENT)))
                except ValueError as error:
                    raise NoBaseline(f"{path}:{number}: {error}") from error
            elif line.startswith(("with ", "without ")):
                title = line
                shapes[title] = []
            elif line and not line.startswith("# "):
                raise NoBaseline(f"{path}:{number}: {line!r} is no line that report_plans wrote.")
        return cls(path.name.removesuffix(SUFFIX), int(version), {key: tuple(found) for key, found in shapes.items()})

    def text(self) -> str:
        """Return the file's text."""
        parts = [_HEAD.format(version=self.version, report=self.report, made=MADE_BY)]
        for title, lines in self.shapes.items():
            parts.append("\n".join([title, *(f"{_INDENT}{line}" for line in lines)]))
        return "\n\n".join(parts) + "\n"


def is_baseline(path: Path) -> bool:
    """Return whether a file begins as one that report_plans wrote."""
    with path.open("rb") as file:
        return file.read(len(_MARK)) == _MARK.encode()


def without_statistics(tables: Collection[str], using: str) -> list[str]:
    """Return the tables that were never analyzed, of which the planner only guesses."""
    with connections[using].cursor() as cursor:
        cursor.execute(_UNKNOWN, [list(tables)])
        return [name for (name,) in cursor.fetchall()]


def _titled(cases: Sequence[ExampleCase]) -> Iterator[tuple[str, ExampleCase]]:
    """Yield each case under the names of its parameters: another example before it gives it no other title."""
    seen: Counter[str] = Counter()
    for case in cases:
        title = f"with {listed(case.params)}" if case.params else "without parameters"
        seen[title] += 1
        yield (f"{title} ({seen[title]})" if seen[title] > 1 else title), case


def compared(before: Baseline, after: Baseline) -> Iterator[str]:
    """Yield the lines that tell what differs: for each example in words, then the shape with ``-`` and ``+``.

    The version alone is no difference.
    """
    for title in dict.fromkeys([*before.shapes, *after.shapes]):
        old, new = before.shapes.get(title), after.shapes.get(title)
        if old is None:
            yield f"{title}: an example that has no plan in the file"
        elif new is None:
            yield f"{title}: a plan of an example that is gone"
        elif old != new:
            yield f"{title}:"
            yield from (f"  {change}" for change in changes(old, new))
            yield from (f"    {line}" for line in _diff(old, new))
    if before.version != after.version and before.shapes != after.shapes:
        yield f"written on PostgreSQL {before.version}, this is PostgreSQL {after.version}"


def _diff(before: Shape, after: Shape) -> list[str]:
    """Return all lines of both, each after ``- ``, ``+ `` or, where they agree, two blanks."""
    old, new = ([str(line) for line in lines] for lines in (before, after))
    _, _, _, *lines = unified_diff(old, new, lineterm="", n=len(old))
    return [f"{line[0]} {line[1:]}" for line in lines]
