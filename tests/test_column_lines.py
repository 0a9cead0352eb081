"""A column as a header's line is read back as the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.column_lines import column_line
from reports.header import Column, parse_header

# A header's line ends where the file's does, and its ends are stripped.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\n")).filter(lambda text: text == text.strip())
COLUMNS = st.builds(
    Column,
    st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True),
    st.sampled_from(["bigint", "numeric(12,2)", "double precision", "character varying(5)[]", '"char"', '"char"[]']),
    pk=st.booleans(),
    null=st.booleans(),
    fk=st.none() | st.just("tests.Store"),
    unit=st.none() | TEXTS,
    label=st.none() | TEXTS,
).filter(lambda column: not (column.pk and column.null))


@pytest.mark.parametrize(
    ("column", "line"),
    [
        (Column("id", "bigint", pk=True), "-- column: id bigint pk"),
        (Column("code", '"char"[]', null=True), r'-- column: code "\"char\"[]" null'),
        (Column("store_id", "bigint", fk="tests.Store"), "-- column: store_id bigint fk=tests.Store"),
        (Column("time", "numeric", unit="hours", label="It's"), '-- column: time numeric unit=hours label="It\'s"'),
        (Column("size", "integer", label="a\tb"), '-- column: size integer label="a\tb"'),
        (Column("size", "integer", label=""), "-- column: size integer label="),
    ],
)
def test_column_line(column: Column, line: str):
    assert column_line(column) == line
    assert parse_header(line).columns == (column,)


@given(COLUMNS)
def test_every_column_is_read_back(column: Column):
    assert parse_header(column_line(column)).columns == (column,)
