"""Tables as text: alignment, cuts, and that nothing in them steers a terminal."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.management.text_table import cell, printable, table, text_width

CELLS = st.none() | st.text(max_size=30) | st.integers() | st.booleans() | st.decimals() | st.binary(max_size=9)


def test_table():
    rows = [(1, "one", None, Decimal("1.50")), (20, None, True, None), (-3, "a\tb", False, Decimal(-7))]

    assert list(table(["id", "text", "is_ok", "sum"], rows)) == [
        "id | text | is_ok |  sum",
        "---+------+-------+-----",
        " 1 | one  | NULL  | 1.50",
        "20 | NULL | true  | NULL",
        "-3 | a\\tb | false |   -7",
    ]


def test_table_of_no_rows():
    assert list(table(["id", "text"], [])) == ["id | text", "---+-----"]


def test_table_of_wide_characters():
    """Two places for one of them, none for a combining accent."""
    rows = [("日本", 1), ("e\u0301e", 2), ("abcd", 3)]

    assert list(table(["t", "n"], rows))[2:] == ["日本 | 1", "e\u0301e   | 2", "abcd | 3"]


def test_table_is_cut_at_the_widest():
    rows = [(1, "a" * 30, "short"), (2, "日" * 15, "")]

    assert list(table(["id", "text", "other"], rows, width=30)) == [
        "id | text              | other",
        "---+-------------------+------",
        " 1 | aaaaaaaaaaaaaaaa… | short",
        " 2 | 日日日日日日日日… |",
    ]


def test_table_too_narrow_is_blocks():
    names = ["id", "first_name", "last_name", "street"]
    rows = [(1, "a" * 50, None, "日" * 20), (2, "b", "c", "d")]

    assert list(table(names, rows, width=25)) == [
        "-[ 1 ]-----+-------------",
        "id         | 1",
        "first_name | aaaaaaaaaaa…",
        "last_name  | NULL",
        "street     | 日日日日日…",
        "-[ 2 ]-----+-------------",
        "id         | 2",
        "first_name | b",
        "last_name  | c",
        "street     | d",
    ]


def test_table_too_narrow_of_no_rows():
    assert list(table(["first_name", "id", "last"], [], width=9)) == ["first_na…", "id", "last"]


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (None, "NULL"),
        (True, "true"),
        (1.5, "1.5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("NaN"), "NaN"),
        (datetime(2026, 1, 31, tzinfo=UTC), "2026-01-31 00:00:00+00:00"),
        (timedelta(days=3, seconds=5), "3 00:00:05"),
        (memoryview(b"\0\xff"), "\\x00ff"),
        ({"a": [None, Decimal(1), "ü\x1b"]}, '{"a": [null, "1", "ü\\u001b"]}'),
        ("a\nb", "a\\nb"),
    ],
)
def test_cell(value: object, want: str):
    assert cell(value) == want


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31m", "\\x9b31m"),  # the same in one byte
        ("\x07\x00\x7f\r\n\t", "\\x07\\x00\\x7f\\r\\n\\t"),
        ("a\u202eb", "a\\u202eb"),  # turns the direction of what follows
        ("\u2028\ufeff\U000e0041", "\\u2028\\ufeff\\U000e0041"),
        ("日本 é 🎉 a b", "日本 é 🎉 a b"),
    ],
)
def test_printable(text: str, want: str):
    assert printable(text) == want


def test_printable_keeps():
    assert printable("a\n\tb\r", keep="\n\t") == "a\n\tb\\r"


@given(text=st.text())
def test_printable_is_printable(text: str):
    assert printable(text).isprintable()


def oracle_width(text: str) -> int:
    wide = [c for c in text if unicodedata.east_asian_width(c) in ("W", "F")]
    return len([c for c in text if unicodedata.category(c) not in ("Mn", "Me")]) + len(
        [c for c in wide if unicodedata.category(c) not in ("Mn", "Me")]
    )


@given(text=st.text())
def test_text_width(text: str):
    assert text_width(text) == oracle_width(text)


@given(data=st.data(), count=st.integers(1, 6), width=st.none() | st.integers(20, 90))
def test_table_of_anything(data: Any, count: int, width: int | None):
    """No line is wider than the terminal, none steers it, and every row is there."""
    names = data.draw(st.lists(st.text(min_size=1, max_size=12), min_size=count, max_size=count))
    rows = data.draw(st.lists(st.tuples(*[CELLS] * count), max_size=4))

    lines = list(table(names, rows, width=width))

    assert all(line.isprintable() for line in lines)
    if width is not None:
        assert max(map(text_width, lines)) <= width
    assert len(lines) in (2 + len(rows), (1 + count) * len(rows) or count)


@given(rows=st.lists(st.tuples(CELLS, CELLS, st.just("end")), min_size=1))
def test_table_is_aligned(rows: list[tuple[object, ...]]):
    """The last column begins at one place in every line."""
    lines = list(table(["a", "b", "last"], rows))

    places = {text_width(line.removesuffix("last").removesuffix("end")) for line in (lines[0], *lines[2:])}
    assert len(places) == 1
    assert lines[1].count("+") == 2
