"""What becomes of a value: its mark, SQL text, or an error; and how SQL text behaves in a template's conditions."""

from __future__ import annotations

import datetime as dt
import enum
import json
from typing import Any

import pytest
from django.db import connection, models
from django.test.utils import isolate_apps
from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from reports import TemplateError
from reports.binding import (
    NO_VALUES,
    SQL,
    JSONList,
    Render,
    bind,
    current,
    identifier,
    inclause,
    is_given,
    sqlsafe,
    write,
)
from reports.rendering import render_string
from reports.statement import mark_lines, unmark
from tests.models import Store

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@pytest.fixture
def rendering() -> Any:
    render = Render("default", number=7)
    token = current.set(render)
    yield render
    current.reset(token)


def test_write_keeps_the_value_and_returns_its_mark(rendering: Render):
    assert (write("a"), write(1)) == ("\x007.0\0", "\x007.1\0")
    assert rendering.values == ["a", 1]


def test_bind_leaves_sql_alone(rendering: Render):
    text = SQL("now()")

    assert bind(text) is text
    assert write(text) is text
    assert rendering.values == []


def test_marks_of_two_renderings_differ():
    assert Render("default").number != Render("default").number


def test_no_values_may_be_bound_without_a_context():
    with pytest.raises(TemplateError, match="imported without context"):
        NO_VALUES.mark(1)


class IntLevel(enum.IntEnum):
    LOW = 1


class TextLevel(enum.StrEnum):
    LOW = "low"


def test_enum_member_is_its_value(rendering: Render):
    write(IntLevel.LOW)
    write(TextLevel.LOW)
    write([IntLevel.LOW, TextLevel.LOW])

    assert rendering.values == [1, "low", [1, "low"]]
    assert [type(value) for value in rendering.values[:2]] == [int, str]


def test_list_is_copied(rendering: Render):
    values = [1]
    write(values)
    values.append(2)

    assert rendering.values == [[1]]


def test_mapping_is_copied_into_jsonb(rendering: Render):
    values = {"a": 1}
    write(values)
    values["b"] = 2

    (kept,) = rendering.values
    assert isinstance(kept, Jsonb)
    assert kept.obj == {"a": 1}


def test_list_of_a_json_parameter_is_bound_as_jsonb(rendering: Render):
    """Any other list is an array."""
    write(JSONList([1, {"a": 2}]))
    write([JSONList([1])])

    kept, array = rendering.values
    assert isinstance(kept, Jsonb)
    assert (kept.obj, type(kept.obj)) == ([1, {"a": 2}], list)
    assert isinstance(array, list)
    assert isinstance(array[0], Jsonb)


@isolate_apps("tests")
def test_instance_is_its_primary_key(rendering: Render):
    class Country(models.Model):
        code = models.CharField(max_length=2, primary_key=True)

    write(Country(code="ca"))

    assert rendering.values == ["ca"]


def test_other_objects_are_for_the_driver_to_judge(rendering: Render):
    value = object()
    write(value)

    assert rendering.values == [value]


@given(st.lists(TEXT, max_size=5))
def test_inclause_has_one_mark_for_each_value(values: list[str]):
    query = render_string("SELECT 1 IN {{ xs | inclause }}", {"xs": values})

    assert query.params == tuple(values)
    assert query.sql == f"SELECT 1 IN ({', '.join(['%s'] * len(values)) or 'NULL'})"


@given(TEXT.filter(bool))
def test_identifier_can_be_read_back(name: str):
    quoted = identifier(name)

    assert quoted[0] == quoted[-1] == '"'
    assert str(quoted)[1:-1].replace('""', "").count('"') == 0
    assert str(quoted)[1:-1].replace('""', '"') == name


@given(st.lists(TEXT.filter(bool), min_size=1, max_size=3))
def test_identifier_of_parts_joins_the_quoted_parts(parts: list[str]):
    assert identifier(parts) == identifier(tuple(parts)) == ".".join(identifier(part) for part in parts)


@pytest.mark.parametrize(
    "value", [{"a", "b"}, frozenset("a"), {"a": 1}, b"a", 5, None, [None], ["a", 5], "\0", "\ud800"]
)
def test_identifier_of_something_else(value: object):
    """A set has no order: the parts could change places."""
    with pytest.raises(TemplateError, match=r"^identifier takes a name or a list of names, not "):
        identifier(value)


@pytest.mark.parametrize("value", [None, "ab", b"ab", {"a": 1}, 5, 1.5, dt.date(2026, 1, 1), object()])
def test_inclause_of_something_else(value: object):
    with pytest.raises(TemplateError, match=r"^inclause takes a list of values, not "):
        inclause(value)


@pytest.mark.parametrize("value", [None, True, 1.5, ["a"], b"a", "\0", object()])
def test_sqlsafe_of_something_else(value: object):
    with pytest.raises(TemplateError, match=r"^sqlsafe takes SQL text, not "):
        sqlsafe(value)


def test_messages_do_not_run_a_queryset(rendering: Render):
    """These tests may not use the database, and the repr() of a QuerySet would."""
    for function in (sqlsafe, identifier):
        with pytest.raises(TemplateError, match="not a QuerySet"):
            function(Store.objects.all())


def test_is_given_asks_nothing_of_other_objects():
    class Loud:
        def __bool__(self) -> bool:
            raise AssertionError

        __len__ = __bool__

    assert is_given(Loud())


# SQL text in a template's conditions.


def marked(text: str) -> SQL:
    return SQL(mark_lines(text, "a file", 3))


@given(TEXT, TEXT)
def test_sql_is_compared_without_its_line_marks(a: str, b: str):
    assert marked(a) == a == marked(a) == SQL(a)
    assert (marked(a) == marked(b)) is (a == b)
    assert (marked(a) != b) is (a != b)
    assert hash(marked(a)) == hash(a)
    assert len(marked(a)) == len(a)
    assert bool(marked(a)) is bool(a)


@given(st.text(" \n\tab", max_size=12))
def test_sql_is_trimmed_like_text(text: str):
    trimmed = marked(text).strip()

    assert isinstance(trimmed, SQL)
    assert unmark(trimmed)[0] == text.strip()


@given(st.text(" \nab", min_size=1, max_size=12).filter(str.strip))
def test_trimmed_sql_keeps_its_lines(text: str):
    bare, lines = unmark(marked(text).strip())
    whole, whole_lines = unmark(marked(text))

    front = len(whole) - len(whole.lstrip())
    for offset in range(len(bare)):
        assert lines.at(offset) == whole_lines.at(front + offset)


def test_sql_is_not_equal_to_other_things():
    assert SQL("1") != 1
    assert SQL("") is not None
    assert SQL("a") in {"a"}


# Both ways of binding send the same value.

SAME = {
    "text": "a'b\\c%s",
    "integer": -5,
    "big_integer": 2**70,
    "smallest_bigint": -(2**63),
    "float": -1.5,
    "boolean": True,
    "bytes": b"\x00'\\",
    "date": dt.date(2026, 2, 28),
    "moment": dt.datetime(2026, 2, 28, 1, 2, 3, 456789, tzinfo=dt.UTC),
    "duration": dt.timedelta(days=-1, microseconds=5),
    "array": ["a'b", "c\\d", "{}", "", "null", None],
    "nested_array": [[1, 2], [3, 4]],
}
CASTS = {
    "text": "text",
    "integer": "int",
    "big_integer": "numeric",
    "smallest_bigint": "bigint",
    "float": "float8",
    "boolean": "bool",
    "bytes": "bytea",
    "date": "date",
    "moment": "timestamptz",
    "duration": "interval",
    "array": "text[]",
    "nested_array": "int[]",
}


@pytest.mark.parametrize("case", SAME)
def test_value_comes_back(case: str, db: None):
    """Alone, in parentheses, and as the item of a list."""
    query = render_string(
        f"SELECT ({{{{ p }}}})::{CASTS[case]}, (SELECT x FROM (VALUES ({{{{ p }}}}::{CASTS[case]})) AS v(x))"
        if case not in ("integer", "smallest_bigint", "float")
        else f"SELECT ({{{{ p }}}})::{CASTS[case]}, ({{{{ p }}}})::{CASTS[case]}",
        {"p": SAME[case]},
    )

    with connection.cursor() as cursor:
        cursor.execute(query.sql, query.params)  # type: ignore[arg-type]
        row = cursor.fetchone()

    assert row is not None
    got = [bytes(value) if isinstance(value, memoryview) else value for value in row]
    assert got == [SAME[case], SAME[case]]


def test_mapping_comes_back(db: None):
    value = {"a": ["b'c", "d\\e", None, {"%s": 1.5}], "": "{{ x }}"}
    query = render_string("SELECT {{ p }}, {{ p }} ->> 'a' IS NULL", {"p": value})

    with connection.cursor() as cursor:
        cursor.execute(query.sql, query.params)  # type: ignore[arg-type]
        row = cursor.fetchone()

    assert row is not None
    assert (json.loads(row[0]) if isinstance(row[0], str) else row[0]) == value  # Django reads jsonb as text
    assert row[1] is False
