"""``column:`` lines written into a template's file."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.errors import TemplateError
from reports.header import Column, parse_header
from reports.loader import find_template
from reports.management.header_lines import with_columns, write_columns

ID, NAME = Column("id", "bigint", pk=True), Column("name", "text", null=True, label='The "name"')
LINES = '-- column: id bigint pk\n-- column: name text null label="The \\"name\\""\n'
QUERY = "SELECT 1 AS id, 'x' AS name\n"


def written(text: str, *columns: Column) -> str:
    return with_columns(text, columns or (ID, NAME), file="figures.sql")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (QUERY, LINES + QUERY),
        ("", LINES),
        (f"-- doc: d\n{QUERY}", f"-- doc: d\n{LINES}{QUERY}"),
        (f"-- doc: d\n--   more\n-- ordering: id\n{QUERY}", f"-- doc: d\n--   more\n{LINES}-- ordering: id\n{QUERY}"),
        (
            f"-- doc: d\n-- name: n\n-- param: p text\n-- example: {{}}\n{QUERY}",
            f"-- doc: d\n-- name: n\n-- param: p text\n{LINES}-- example: {{}}\n{QUERY}",
        ),
        (f"-- ordering: id\n{QUERY}", f"{LINES}-- ordering: id\n{QUERY}"),
        # A comment of another kind keeps its distance.
        (f"-- Some words.\n{QUERY}", f"{LINES}\n-- Some words.\n{QUERY}"),
        (f"-- doc: d\n\n-- Some words.\n{QUERY}", f"-- doc: d\n{LINES}\n-- Some words.\n{QUERY}"),
        # In place.
        (f"-- ordering: id\n-- column: id text\n-- doc: d\n{QUERY}", f"-- ordering: id\n{LINES}-- doc: d\n{QUERY}"),
        (f"-- column: gone text\n--   null\n-- doc: d\n-- column: x text\n{QUERY}", f"{LINES}-- doc: d\n{QUERY}"),
        # A line that says the same stays as it is written.
        (
            f"-- column: name  text   null\n--    label='The \"name\"'\n{QUERY}",
            f"-- column: id bigint pk\n-- column: name  text   null\n--    label='The \"name\"'\n{QUERY}",
        ),
    ],
)
def test_place_of_the_lines(before: str, after: str):
    assert written(before) == after
    assert parse_header(after).columns == (ID, NAME)
    assert written(after) == after


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("before", [f"-- doc: d\n{QUERY}", QUERY, f"-- doc: d\n-- column: a text\n{QUERY}"])
def test_ends_of_lines_and_mark_stay(before: str, end: str, mark: str):
    doc = "-- doc: d\n" if before.startswith("-- doc") else ""

    found = written(mark + before.replace("\n", end))

    assert found == mark + f"{doc}{LINES}{QUERY}".replace("\n", end)


def test_file_without_an_end_of_line():
    assert written("SELECT 1 AS id") == f"{LINES}SELECT 1 AS id"


COLUMNS = st.lists(
    st.builds(
        Column,
        st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True),
        st.sampled_from(["bigint", "numeric(12,2)", "double precision", "character varying(5)[]", '"char"']),
        pk=st.booleans(),
        null=st.booleans(),
        fk=st.none() | st.just("tests.Store"),
        unit=st.none() | st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1),
        label=st.none() | st.text(st.sampled_from("ab '\"\\=é%"), min_size=1),
    ).filter(lambda column: not (column.pk and column.null)),
    max_size=5,
    unique_by=lambda column: column.name,
)
ENTRIES = ["-- doc: d", "-- doc: d\n--   more", "-- tags: a", "-- ordering: id", "-- example: {}"]
OTHERS = st.lists(st.sampled_from(ENTRIES), unique_by=lambda entry: entry[:7])


@given(COLUMNS, COLUMNS, OTHERS, OTHERS)
def test_every_header(before: list[Column], after: list[Column], first: list[str], last: list[str]):
    """Whatever stood there: the columns are read back, the rest is as it was, and a second time changes nothing."""
    last = [line for line in last if line[:7] not in {other[:7] for other in first}]
    text = "".join(f"{line}\n" for line in [*first, *last]) + QUERY
    start = with_columns(text, before, file="figures.sql")

    found = with_columns(start, after, file="figures.sql")

    assert parse_header(found).columns == tuple(after)
    assert with_columns(found, after, file="figures.sql") == found
    assert [line for line in found.split("\n") if not line.startswith("-- column:")] == text.split("\n")


def test_column_that_no_header_can_hold():
    with pytest.raises(TemplateError, match=r"^figures.sql"):
        written(QUERY, Column("to tal", "text"))


def test_write_columns(tmp_path: Path):
    path = tmp_path / "figures.sql"
    path.write_bytes(f"-- doc: d\r\n{QUERY}".encode())
    path.chmod(0o640)
    link = tmp_path / "link.sql"
    link.symlink_to(path)

    assert write_columns(link, (ID, NAME))
    before = path.stat()
    assert not write_columns(path, (ID, NAME))

    assert (
        path.read_bytes()
        == f"-- doc: d\r\n{LINES}".replace(LINES, LINES.replace("\n", "\r\n")).encode() + QUERY.encode()
    )
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert sorted(item.name for item in tmp_path.iterdir()) == ["figures.sql", "link.sql"]


def test_write_columns_that_fails_leaves_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "figures.sql"
    path.write_text(QUERY)

    def fail(*args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_columns(path, (ID,))

    assert path.read_text() == QUERY
    assert [item.name for item in tmp_path.iterdir()] == ["figures.sql"]


@pytest.mark.parametrize("name", ["tests/figures.sql", "tests/store_months.sql", "helpdesk/department_tickets.sql"])
def test_own_lines_are_left_alone(name: str):
    template = find_template(name)

    text = template.path.read_text(encoding="utf-8")

    assert with_columns(text, template.header.columns, file=name) == text
