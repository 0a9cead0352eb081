"""No cell begins a formula, and nothing else is changed."""

from __future__ import annotations

import csv
import re
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports.exports.formulas import safe_text
from tests.exporting import cells, exported, rows_of
from tests.sessions import setting

pytestmark = pytest.mark.django_db

SIGNS = "=+-@＝＋－＠"
# What spreadsheets pass over: by the Unicode categories of spaces, controls and formats, not by the list under test.
BLANKS = " \u00a0\u1680\u2003\u200b\u200d\u200e\u202e\u2028\u2060\u3000\ufeff\x00\x0b\x0c\x1f\x7f\x85\xad".replace(
    "\0", ""
)


def read_safely(texts: list[str], kind: str = "text") -> list[str]:
    """Return the cells of texts, exported as a column of the type."""
    rows = rows_of(
        f"SELECT n AS id, a::{kind} AS a FROM unnest(%s::text[]) WITH ORDINALITY AS t (a, n) ORDER BY n",
        texts, id="bigint", a="text",
    )  # fmt: skip
    return [row[1] for row in cells(exported(rows, header=None))]


# Each with the cell that it becomes.
CELLS = {
    "": "",
    "plain": "plain",
    "5": "5",
    "-": "'-",
    "-5": "'-5",
    "=1+1": "'=1+1",
    "=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0",
    "@SUM(1)": "'@SUM(1)",
    "+1": "'+1",
    "＝1": "'＝1",
    "＋1": "'＋1",
    "－1": "'－1",
    "＠1": "'＠1",
    " =1": "' =1",
    "\u00a0=1": "'\u00a0=1",
    "\u200b\ufeff =1": "'\u200b\ufeff =1",
    "\t": "'\t",
    "\t=1": "'\t'=1",
    "\r=1": "'\r'=1",
    "\n=1": "'\n'=1",
    "\nplain": "'\nplain",
    "a\n=1": "a\n'=1",
    "a\r\n =1": "a\r\n' =1",
    "a\nb": "a\nb",
    "a\n\tb": "a\n\tb",
    "a\n\t=1": "a\n\t'=1",
    "a;=1;b": "a;'=1;b",
    "a;;=1": "a;;'=1",
    ";-1;-2": ";'-1;'-2",
    "a\t=1": "a\t'=1",
    'a;"=1;b': "a;'\"=1;b",
    'a;" "=1': 'a;\'" "=1',
    'a\n"=1': "a\n'\"=1",
    'a;"b"': 'a;"b"',
    "a=1": "a=1",
    "a, =1": "a, =1",
    "mail@example.org": "mail@example.org",
    "2026-01-01": "2026-01-01",
    '"=1"': '"=1"',
    "'=1": "'=1",
    "| a | b |": "| a | b |",
    "100%": "100%",
    "%x": "%x",
    "[=1]": "[=1]",
    "ééé": "ééé",
    "привет": "привет",
    "数据-1": "数据-1",
    "\\=1": "\\=1",
    r"\.": r"\.",
}


def test_cells():
    assert read_safely(list(CELLS)) == list(CELLS.values())


def test_headings_are_treated_as_cells():
    assert [safe_text(text) for text in CELLS] == list(CELLS.values())


def is_dangerous(cell: str) -> bool:
    """Ask slowly: what would be evaluated, whichever of its separators an importer uses?"""
    if cell.lstrip(BLANKS)[:1] in tuple("\t\r\n"):
        return True
    first, *pieces = re.split("[\t\r\n;]", cell)
    return any(text[:1] in tuple(SIGNS) for text in (first.lstrip(BLANKS), *(p.lstrip(BLANKS + '"') for p in pieces)))


def is_plain(cell: str) -> bool:
    """Ask whether each piece begins with a letter or a digit, so that the cell must stay as it is."""
    return all(piece[:1].isalnum() for piece in re.split("[\t\r\n;]", cell))


def without_marks(cell: str) -> str:
    return cell.replace("'", "")


ALPHABET = st.sampled_from([*SIGNS, *BLANKS, *"\t\r\n;;,|%'\"\\ab1é中"])
TEXTS = st.text(ALPHABET, max_size=12) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS, min_size=1, max_size=20), st.sampled_from(["text", "citext", "varchar", 'text COLLATE "C"']))
def test_no_cell_begins_a_formula(extensions: None, texts: list[str], kind: str):
    found = read_safely(texts, kind)

    assert [cell for cell in found if is_dangerous(cell)] == []
    assert [safe_text(text) for text in texts] == found
    assert [without_marks(text) for text in texts] == list(map(without_marks, found))
    assert [text for text in texts if is_plain(text)] == [
        cell for text, cell in zip(texts, found, strict=True) if is_plain(text)
    ]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXTS, min_size=1, max_size=8), st.sampled_from(";\t"))
def test_no_line_divided_elsewhere_has_a_formula(texts: list[str], delimiter: str):
    """A semicolon inside a quoted cell ends it for Excel in half of Europe, and its quotation marks move."""
    rows = rows_of("SELECT 'x' AS id, a FROM unnest(%s::text[]) AS a", texts, id="text", a="text")
    lines = exported(rows, header=None).decode().replace("\r", "\n").split("\n")

    found = [cell for row in csv.reader(lines, delimiter=delimiter) for cell in row]

    assert [cell for cell in found if cell.lstrip(BLANKS)[:1] in tuple(SIGNS)] == []


@pytest.mark.parametrize(
    ("name", "value"),
    [("standard_conforming_strings", "off"), ("bytea_output", "escape"), ("client_encoding", "LATIN1")],
)
def test_cells_under_other_settings(name: str, value: str):
    """The settings of a connection change neither the cells nor their encoding."""
    sql = "SELECT concat('a;=1', chr(92), '1') AS a, '=1'::bytea AS b, chr(228) || ';=' AS c"
    rows = rows_of(sql, a="text", b="bytea", c="text")
    before = setting(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, false)", [name, value])
    try:
        ((a, b, c),) = cells(exported(rows, header=None))
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config(%s, %s, false)", [name, before])

    assert (a, b, c) == ("a;'=1\\1", "'=1" if name == "bytea_output" else "\\x3d31", "ä;'=")


@pytest.fixture
def extensions() -> None:
    """Make types that an application may have."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS citext; CREATE EXTENSION IF NOT EXISTS hstore;")
        cursor.execute("CREATE TYPE mood AS ENUM ('=sad', 'glad'); CREATE DOMAIN word AS text;")
        cursor.execute("CREATE DOMAIN amount AS numeric; CREATE TYPE pair AS (a text, b text);")


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("'=1'::varchar(5)", "'=1"),
        ("'=1'::char(4)", "'=1  "),
        ("'x'::char(4)", "x   "),
        ("'='::\"char\"", "'="),
        ("'=1'::name", "'=1"),
        ("'=1'::citext", "'=1"),
        ("'=sad'::mood", "'=sad"),
        ("'=1'::word", "'=1"),
        ("'=1'", "'=1"),
        ("'\"=1\"'::json", '"=1"'),
        ("'-1'::json", "'-1"),
        ("'-1'::jsonb", "'-1"),
        ("'\"=a\"=>1'::hstore", '"=a"=>"1"'),
        ("ARRAY['=1']", "{=1}"),
        ("ARRAY[E'\\n=1']", '{"\n\'=1"}'),
        ("('=1', '')::pair", '(=1,"")'),
        ("(E'\\n=1', '')::pair", '("\n\'=1","")'),
        ("(NULL, NULL)::pair", "(,)"),
        ("NULL::pair", ""),
        ("ROW(E'a;=1')", "(a;'=1)"),
        ("'-$1'::tsvector", "'-$1'"),
        # Numbers and the like are as they are.
        ("-5", "-5"),
        ("-5::smallint", "-5"),
        ("-5::bigint", "-5"),
        ("-0.5", "-0.5"),
        ("-5::amount", "-5"),
        ("'-Infinity'::float8", "-Infinity"),
        ("-1.5::real", "-1.5"),
        ("'-1 day'::interval", "-1 days"),
        ("'0044-03-15 BC'::date", "0044-03-15 BC"),
        ("'2026-01-01'::date", "2026-01-01"),
        ("true", "t"),
        ("'[-1,5)'::int4range", "[-1,5)"),
        ("'::1'::inet", "::1"),
        ("'\\x3d31'::bytea", r"\x3d31"),
        ("'00000000-0000-0000-0000-000000000000'::uuid", "00000000-0000-0000-0000-000000000000"),
    ],
)
def test_type_is_what_postgresql_says(extensions: None, value: str, cell: str):
    """Also when the column's declaration says something else."""
    for declared in ("text", "integer", "numeric"):
        rows = rows_of(f"SELECT 1 AS id, {value.replace('%', '%%')} AS a", id="integer", a=declared)

        assert cells(exported(rows, header=None)) == [["1", cell]]


def test_null_stays_null():
    rows = rows_of("SELECT NULL::text AS id, NULL::json AS a, '' AS b", id="text", a="text", b="text")

    assert exported(rows, header=None) == b',,""\n'


def test_expressions_are_treated():
    rows = rows_of("SELECT '=' AS id", id="text").extra(select={"two": "id || '2'"})

    assert cells(exported(rows, header=None)) == [["'=", "'=2"]]


def test_expression_is_computed_once():
    with connection.cursor() as cursor:
        cursor.execute("CREATE SEQUENCE calls")
        cursor.execute(
            "CREATE FUNCTION called() RETURNS text LANGUAGE plpgsql STABLE AS"
            " $$ BEGIN RAISE NOTICE 'called'; RETURN '=x'; END $$"
        )
    notices: list[Any] = []
    driver: Any = connection.connection
    driver.add_notice_handler(notices.append)

    try:
        exported(rows_of("SELECT n AS id, called() AS a FROM generate_series(1, 10) AS n", id="integer", a="text"))
    finally:
        driver.remove_notice_handler(notices.append)

    assert len(notices) == 10


def test_names_may_be_doubled():
    rows = rows_of("SELECT 1 AS id, '=1' AS a", id="integer", a="text").extra(select={"a": "'-2'"})

    assert exported(rows).count(b"'") == 2


def test_order_of_rows_is_kept_in_a_parallel_plan():
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TABLE many AS SELECT n, md5(n::text) AS a FROM generate_series(1, 100000) AS n")
        cursor.execute("ANALYZE many")
        for name in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
            cursor.execute(f"SET LOCAL {name} = 0")
        rows = rows_of("SELECT n AS id, a FROM many WHERE n %% 2 = 0", id="integer", a="text").order_by("a")
        plan = rows.explain()

        found = [row[1] for row in cells(exported(rows, header=None))]

    assert "Gather" in plan
    assert len(found) == 50000
    assert found == sorted(found)
