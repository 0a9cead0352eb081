"""What is different between two shapes of a plan, in words: for a person who has to judge it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from reports.errors import listed
from reports.plan_shapes import ShapeLine

_SEQ = "Seq Scan"


def changes(before: Sequence[ShapeLine], after: Sequence[ShapeLine]) -> list[str]:
    """Return in words what is different between two shapes, a line each; an empty list for the same shape."""
    if list(before) == list(after):
        return []
    found = [*_of_ctes(before, after), *_of_tables(before, after), *_of_indexes(before, after)]
    found += [*_of_subplans(before, after), *_of_joins(before, after), *_of_others(before, after)]
    return found or ["the same nodes stand in another order, or under other names"]


def _of_ctes(before: Sequence[ShapeLine], after: Sequence[ShapeLine]) -> Iterator[str]:
    old, new = ({line.label for line in lines if line.label.startswith("CTE ")} for lines in (before, after))
    yield from (f"the {name} is materialized" for name in sorted(new - old))
    yield from (f"the {name} is no longer materialized" for name in sorted(old - new))


def _of_tables(before: Sequence[ShapeLine], after: Sequence[ShapeLine]) -> Iterator[str]:
    old, new = _by_table(before), _by_table(after)
    for table in sorted(old | new):
        was, now = old.get(table, Counter()), new.get(table, Counter())
        if now[_SEQ] > was[_SEQ]:
            yield f"a Seq Scan of {table} appeared"
        elif was != now and was and now:
            yield f"{table} is read by {_counted(now)}, no longer by {_counted(was)}"
        if was.total() != now.total():
            yield f"scans of {table}: {was.total()} → {now.total()}"


def _by_table(lines: Sequence[ShapeLine]) -> dict[str, Counter[str]]:
    tables: dict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        if line.relation:
            tables[line.relation][line.title] += 1
    return tables


def _of_indexes(before: Sequence[ShapeLine], after: Sequence[ShapeLine]) -> Iterator[str]:
    old, new = ({line.index for line in lines if line.index} for lines in (before, after))
    yield from (f"the index {name} is no longer used" for name in sorted(old - new))
    yield from (f"the index {name} is used" for name in sorted(new - old))


def _of_subplans(before: Sequence[ShapeLine], after: Sequence[ShapeLine]) -> Iterator[str]:
    old, new = (Counter(line.label for line in lines if not line.label.startswith("CTE ")) for lines in (before, after))
    for label in sorted((old | new).keys() - {""}):
        if old[label] != new[label]:
            yield f"{label}: {old[label]} → {new[label]}"


def _of_joins(before: Sequence[ShapeLine], after: Sequence[ShapeLine]) -> Iterator[str]:
    old, new = (Counter(line.title for line in lines if _is_join(line)) for lines in (before, after))
    if old != new:
        yield f"joins: {_counted(old)} → {_counted(new)}"
    was, now = ([line.alias or line.relation for line in lines] for lines in (before, after))
    if [name for name in was if name] != [name for name in now if name] and Counter(was) == Counter(now):
        yield "tables are read in another order"


def _is_join(line: ShapeLine) -> bool:
    return line.title.startswith("Nested Loop") or line.title.endswith(" Join")


def _of_others(before: Sequence[ShapeLine], after: Sequence[ShapeLine]) -> Iterator[str]:
    """Yield which nodes came and went, those left out that read tables or join."""
    old, new = (
        Counter(line.title for line in lines if not line.relation and not line.index and not _is_join(line))
        for lines in (before, after)
    )
    for word, titles in (("new", new - old), ("gone", old - new)):
        if titles:
            yield f"{word}: {_counted(titles)}"


def _counted(titles: Counter[str]) -> str:
    """Return ``Hash Join, 2 × Sort``, or ``none``."""
    return listed(title if count == 1 else f"{count} × {title}" for title, count in titles.items())
