"""The header's grammar: what is read, what is refused and with which words, and that it can be written back."""

from __future__ import annotations

import pickle
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.errors import TemplateError
from reports.header import Column, Example, Header, Param, parse_header

EVERYTHING = """\
-- doc: Monthly figures.
--   One row per store and month.
-- name: tests.monthly
-- param: least numeric default=0
-- param: labels text required list choices=a|b
-- column: store_id bigint pk fk=tests.Store
-- column: revenue double  precision null unit=EUR label="Its revenue"
-- ordering: -revenue, store_id ,
-- tags: money,monthly
-- example: {}
-- example: {"least": 10,
--   "labels": ["a"]}
-- timeout: 500ms
SELECT 1 -- name: not.read
"""


def test_header_everything():
    assert parse_header(EVERYTHING) == Header(
        doc="Monthly figures. One row per store and month.",
        name="tests.monthly",
        params=(
            Param("least", "numeric", default="0"),
            Param("labels", "text", required=True, list=True, choices="a|b"),
        ),
        columns=(
            Column("store_id", "bigint", pk=True, fk="tests.Store"),
            Column("revenue", "double precision", null=True, unit="EUR", label="Its revenue"),
        ),
        ordering=("-revenue", "store_id"),
        examples=(Example({}), Example({"least": 10, "labels": ["a"]})),
        timeout=0.5,
        tags=("money", "monthly"),
        lines=13,
    )


def test_header_survives_pickle():
    header = parse_header(EVERYTHING)

    assert pickle.loads(pickle.dumps(header)) == header


def test_header_declarations_know_their_line():
    header = parse_header(EVERYTHING)

    assert [param.line for param in header.params] == [4, 5]
    assert [column.line for column in header.columns] == [6, 7]


@pytest.mark.parametrize(
    "source",
    [
        "",
        "SELECT 1",
        "-- Copyright: somebody\n-- All rights reserved.\nSELECT 1",
        "-- select: a comment that looks like a key\nSELECT 1",
        "/* doc: a block */ SELECT 1",
        "-- DOC: in capitals\nSELECT 1",
    ],
)
def test_header_absent(source: str):
    assert parse_header(source) == Header()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_header_line_ends_and_byte_order_mark(start: str, end: str):
    source = start + end.join(["-- doc: Figures.", "-- timeout: 5s", "SELECT 1"])

    assert parse_header(source) == Header(doc="Figures.", timeout=5.0, lines=2)


@pytest.mark.parametrize("character", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_header_goes_on_behind_what_ends_no_line_in_sql(character: str):
    source = f"-- doc: one{character}line\n-- timeout: 5s\nSELECT 1"

    assert parse_header(source) == Header(doc=f"one{character}line", timeout=5.0, lines=2)


def test_header_continuation_of_an_empty_value():
    assert parse_header("-- doc:\n--   Figures.\n").doc == "Figures."


def test_header_ends_at_the_first_line_that_is_no_comment():
    assert parse_header("-- doc: Figures.\n--\n-- words\nSELECT 1") == Header(doc="Figures.", lines=1)


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("5s", 5.0), ("2min", 120.0), ("1.5 s", 1.5)])
def test_timeout_units(text: str, seconds: float):
    assert parse_header(f"-- timeout: {text}\n").timeout == seconds


@pytest.mark.parametrize("name", ["monthly", "tests.monthly", "_x", "größe.umsatz"])
def test_name_of_a_report(name: str):
    assert parse_header(f"-- name: {name}\n").name == name


def test_declaration_may_have_the_name_of_a_flag():
    header = parse_header("-- param: list text list\n-- column: null integer null\n")

    assert header.params == (Param("list", "text", list=True),)
    assert header.columns == (Column("null", "integer", null=True),)


NEITHER = "does not begin with a name and a type of PostgreSQL, as in 'opened_at date'."
COLUMN_WORDS = "(allowed: fk=, label=, null, pk, unit=)."
PARAM_WORDS = "(allowed: choices=, default=, list, required)."
NO_REPORT_NAME = "is not a report name; write name or app_label.name."
NO_TIMEOUT = "is not a timeout; write for example 500ms, 5s or 2min, at most 2147483s."
KEYS = "(allowed: column, doc, example, name, ordering, param, tags, timeout)."
NO_LINE = (
    ". Write '-- key: value', continue a value with '--   text', and put other comments below the header, after an"
    " empty line."
)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("-- colum: a text", f"unknown header key 'colum' {KEYS} Did you mean 'column'?"),
        ("-- x: a text", f"unknown header key 'x' {KEYS}"),
        ("-- doc: again", "the header key 'doc' stands here a second time."),
        ("-- a remark", f"not a header line: '-- a remark'{NO_LINE}"),
        ("-- Doc: in capitals", f"not a header line: '-- Doc: in capitals'{NO_LINE}"),
        ("-- name: two words", f"'two words' {NO_REPORT_NAME}"),
        ("-- name: a.b.c", f"'a.b.c' {NO_REPORT_NAME}"),
        ("-- name:", f"'' {NO_REPORT_NAME}"),
        ("-- timeout: 5", f"'5' {NO_TIMEOUT}"),
        ("-- timeout: 0s", f"'0s' {NO_TIMEOUT}"),
        ("-- timeout: -5s", f"'-5s' {NO_TIMEOUT}"),
        ("-- timeout: 2147484s", f"'2147484s' {NO_TIMEOUT}"),
        ("-- timeout: forever", f"'forever' {NO_TIMEOUT}"),
        ("-- example: [1]", "the example must be a JSON object of parameters, not '[1]'."),
        (
            "-- example: {least: 1}",
            "the example is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1).",
        ),
        ("-- column: a", f"'a' {NEITHER}"),
        ("-- column:", f"'' {NEITHER}"),
        ("-- column: pk", f"'pk' {NEITHER}"),
        ("-- column: a pk", f"'a pk' {NEITHER}"),
        ("-- column: a=b text", f"'a=b text' {NEITHER}"),
        ("-- column: 1a text", f"'1a text' {NEITHER}"),
        ("-- column: a-b text", f"'a-b text' {NEITHER}"),
        ("-- column: a text pk nul", f"unknown word 'nul' in 'a text pk nul' {COLUMN_WORDS} Did you mean 'null'?"),
        ("-- column: a text pk=1", f"unknown word 'pk=1' in 'a text pk=1' {COLUMN_WORDS} Did you mean 'pk'?"),
        ("-- column: a text pk fk", f"unknown word 'fk' in 'a text pk fk' {COLUMN_WORDS} Did you mean 'fk='?"),
        ("-- column: a text line=3", f"unknown word 'line=3' in 'a text line=3' {COLUMN_WORDS}"),
        ("-- column: a text null null", "'null' stands twice in 'a text null null'."),
        ("-- column: a text unit=s unit=s", "'unit' stands twice in 'a text unit=s unit=s'."),
        ('-- column: a text label="x', "'a text label=\"x': No closing quotation."),
        ("-- param: a text list pk", f"unknown word 'pk' in 'a text list pk' {PARAM_WORDS}"),
    ],
)
def test_header_refused(line: str, problem: str):
    with pytest.raises(TemplateError) as caught:
        parse_header(f"-- doc: Figures.\n{line}\nSELECT 1", "figures.sql")

    assert caught.value.args == (f"figures.sql:2: {problem}",)
    assert (caught.value.file, caught.value.line) == ("figures.sql", 2)


def test_header_refused_in_a_continued_entry_names_its_first_line():
    with pytest.raises(TemplateError, match=r"^<template>:2: the example is not JSON: "):
        parse_header("-- doc: Figures.\n-- example: {\n--   oops}\n-- timeout: 5s\n")


@pytest.mark.parametrize("key", ["param", "column"])
def test_declaration_twice(key: str):
    with pytest.raises(TemplateError) as caught:
        parse_header(f"-- {key}: a text\n-- {key}: b text\n-- {key}: a bigint\n", "figures.sql")

    assert caught.value.args == ("figures.sql:3: 'a' is declared a second time.",)


def test_continuation_without_a_line_above():
    with pytest.raises(TemplateError, match=r"^figures.sql:1: not a header line: '--   text'\."):
        parse_header("--   text\n-- doc: Figures.\n", "figures.sql")


# Written and read back.

identifiers = st.from_regex(r"[^\W\d]\w{0,12}", fullmatch=True)
types = st.sampled_from(["bigint", "numeric(12,2)", "double precision", "timestamp with time zone", "text[]"])
# One line of text: what ends a line ends the value, and a value is stripped.
texts = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), min_size=1)
columns = st.builds(
    Column,
    name=identifiers,
    type=types,
    pk=st.booleans(),
    null=st.booleans(),
    fk=st.none() | identifiers.map("tests.{}".format),
    unit=st.none() | texts,
    label=st.none() | texts,
).filter(lambda column: not (column.pk and column.null))
params = st.builds(
    Param,
    name=identifiers,
    type=types,
    required=st.booleans(),
    list=st.booleans(),
    choices=st.none() | st.lists(texts, min_size=1).map("|".join),
    default=st.none() | texts,
)


def written(item: Column | Param) -> str:
    words = [item.name, item.type]
    for key in (slot for slot in item.__slots__ if slot not in ("name", "type", "line")):
        value: Any = getattr(item, key)
        if value is True:
            words.append(key)
        elif value:
            words.append(shlex.quote(f"{key}={value}"))
    return f"-- {type(item).__name__.lower()}: {' '.join(words)}\n"


@given(st.lists(columns, unique_by=lambda column: column.name), st.lists(params, unique_by=lambda param: param.name))
def test_declarations_round_trip(wanted_columns: list[Column], wanted_params: list[Param]):
    source = "-- doc: d\n" + "".join([*map(written, wanted_columns), *map(written, wanted_params)]) + "SELECT 1\n"

    header = parse_header(source)

    assert header.columns == tuple(wanted_columns)
    assert header.params == tuple(wanted_params)
    assert header.lines == 1 + len(wanted_columns) + len(wanted_params)


@given(st.lists(st.text(st.sampled_from("-:= \"'\\dockeynamparlistx0|{}\t\u2028"), max_size=30)))
def test_any_text_is_a_header_or_a_template_error(lines: list[str]):
    source = "\n".join(["-- doc: d", *(f"-- {line}" for line in lines)])

    try:
        header = parse_header(source, "figures.sql")
    except TemplateError as error:
        assert error.file == "figures.sql"
        assert 1 < (error.line or 0) <= len(lines) + 1
    else:
        assert header.lines == len(lines) + 1


@pytest.mark.parametrize("gap", ["\n", "--\n", "\n-- words\n"])
def test_entry_below_the_header_is_an_error(gap: str):
    """An empty line would silence what stands below it."""
    with pytest.raises(TemplateError) as caught:
        parse_header(f"-- doc: x\n{gap}-- ordering: a\nSELECT 1", "t.sql")
    line = 2 + gap.count("\n")
    assert caught.value.args == (
        f"t.sql:{line}: the header ended before this 'ordering'; leave no line out, write '-- key: value'.",
    )


@pytest.mark.parametrize(
    "above",
    [
        "\n",
        "-- Copyright\n",
        "-- Copyright\n\n",
        "{# Copyright #}\n",
        "/* Copyright\n2026 */\n",
        "\ufeff\n",
        "  \n--\n",
        "--doc: words\n",
    ],
)
def test_header_below_the_first_line_is_an_error(above: str):
    """It would vanish without a word: the report, its columns and its limits."""
    with pytest.raises(TemplateError) as caught:
        parse_header(f"{above}-- name: figures\nSELECT 1", "t.sql")

    word = "doc" if "doc" in above else "name"
    problem = f"a header begins on the file's first line, and this {word!r} is below it."
    if above == "-- Copyright\n":
        problem = f"not a header line: '-- Copyright'{NO_LINE}"
    assert str(caught.value).partition(" ")[2] == problem


@pytest.mark.parametrize(
    "text", ["-- Copyright\n\nSELECT 1\n-- name: a", "/* -- name: a */ SELECT 1", "SELECT 1 -- name: a"]
)
def test_comment_of_a_template_without_a_header_is_no_entry(text: str):
    assert parse_header(text) == Header()


def test_key_that_may_be_null_is_an_error():
    with pytest.raises(TemplateError, match=r"^t\.sql:1: 'id bigint pk null' is a key and null; a key has no NULL\.$"):
        parse_header("-- column: id bigint pk null\nSELECT 1", "t.sql")


def test_comment_in_the_statement_is_no_entry():
    assert parse_header("-- doc: x\n\nSELECT 1\n-- name: not a name", "t.sql").doc == "x"
