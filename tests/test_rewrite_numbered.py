"""``%s`` and ``$1``: there and back."""

from __future__ import annotations

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from reports.rewrite.sql.numbered import Unreadable, numbered, parameters, sendable

PIECES = [
    "%s",
    "%%",
    " ",
    "a",
    '"b%%c"',
    "'d%%e$1'",
    "$$ %% $$",
    "E'\\'%%'",
    "/* %% */",
    " <%%> ",
    "x.y",
    "(",
    ")",
    "\n",
    ":: int",
]


def test_parameters_get_numbers_and_percents_become_one():
    assert numbered("SELECT %s WHERE a %% 2 = %s AND b LIKE '10%%'", 2) == "SELECT $1 WHERE a % 2 = $2 AND b LIKE '10%'"


def test_a_statement_without_values_is_taken_as_it_stands():
    assert numbered("SELECT 5 % 3", None) == "SELECT 5 % 3"
    assert sendable("SELECT 5 % 3", percent=False).sql == "SELECT 5 % 3"


def test_the_order_is_that_of_the_text():
    found = sendable("SELECT $3, $1 WHERE '$2' = $3 AND x % 2 = 0")

    assert found.sql == "SELECT %s, %s WHERE '$2' = %s AND x %% 2 = 0"
    assert found.order == (2, 0, 2)
    assert found.params(["a", "b", "c"]) == ("c", "a", "c")


@given(pieces=st.lists(st.sampled_from(PIECES), max_size=12))
def test_there_and_back(pieces: list[str]):
    sql = "SELECT " + " ".join(pieces)

    text = numbered(sql, " ".join(pieces).count("%s"))

    assert sendable(text).sql == sql
    assert sendable(text).order == tuple(range(" ".join(pieces).count("%s")))


@pytest.mark.parametrize(
    ("sql", "count", "problem"),
    [
        ("SELECT '%s'", 1, "it has 0 parameters and 1 values"),
        ("SELECT %s, %s", 1, "it has 2 parameters and 1 values"),
        ("SELECT %s, $1", 1, "it has 2 parameters and 1 values"),
        ("SELECT %(name)s", 1, "it has the placeholder %("),
        ("SELECT %b", 1, "it has the placeholder %b"),
        ("SELECT 100%", 0, "it has the placeholder %"),
        ("SELECT 'a", 0, "it is no SQL of PostgreSQL's"),
        ('SELECT "a', 0, "it is no SQL of PostgreSQL's"),
    ],
)
def test_what_cannot_be_read(sql: str, count: int, problem: str):
    with pytest.raises(Unreadable) as caught:
        numbered(sql, count)

    assert str(caught.value) == problem


def test_parameters_need_no_space_between_them():
    assert [number for number, _, _ in parameters("SELECT $1,$2,x[1:$3]$$ $4 $$, E'\\'',$5")] == [1, 2, 3, 5]


def test_a_number_after_a_letter_is_no_parameter():
    assert [number for number, _, _ in parameters("SELECT a$1, $2")] == [2]


@pytest.mark.django_db
def test_postgresql_takes_what_comes_back():
    text = numbered("SELECT %s::int %% 3, '%%', %s::text", 2)
    found = sendable(text.replace("$2", "$2 || $1::text"))

    with connection.cursor() as cursor:
        cursor.execute(found.sql, found.params((5, "x")))
        assert cursor.fetchall() == [(2, "%", "x5")]
