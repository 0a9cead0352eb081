"""Statements with their values written in: PostgreSQL reads from them what it would have been bound."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb
from psycopg.types.range import Range

from reports.management.literal_sql import literal_sql
from tests.payloads import BUILT_IN

STORABLE = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


def read(sql: str, params: Any = None) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchone()[0]


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (1, "1"),
        (-1, "(-1)"),
        (None, "NULL"),
        (True, "true"),
        ("it's", "'it''s'"),
        ("a\\", "E'a\\\\'"),
        (Decimal("1.50"), "1.50"),
        (date(2026, 1, 31), "'2026-01-31'::date"),
        ([1, 2], "'{1,2}'::int2[]"),
    ],
)
def test_literal(value: object, want: str):
    assert literal_sql("SELECT %s", [value]) == f"SELECT {want}"


def test_literal_percent_sign():
    assert literal_sql("SELECT '100%%' || %s || '%%s'", ["%s"]) == "SELECT '100%' || '%s' || '%s'"


@pytest.mark.parametrize(
    ("statement", "value", "want"),
    [("x LIKE%s", "a\\", "x LIKE E'a\\\\'"), ("LIMIT%s", 5, "LIMIT 5"), ("LIKE%s", "a", "LIKE'a'"), ("%s", 1, "1")],
)
def test_literal_does_not_run_into_the_word_before(statement: str, value: object, want: str):
    assert literal_sql(statement, [value]) == want


def test_literal_negative_number_begins_no_comment():
    assert literal_sql("SELECT 1 -%s", [-1]) == "SELECT 1 -(-1)"


def test_literal_negative_number_is_cast_as_a_whole(db: None):
    """A cast comes before a minus sign."""
    assert read(literal_sql("SELECT %s::bigint", [-(2**63)])) == -(2**63)
    assert read(literal_sql("SELECT %s::text", [-1])) == "-1"


@pytest.mark.injection
def test_literal_of_hostile_texts(db: None):
    for text in BUILT_IN:
        assert read(literal_sql("SELECT %s", [text])) == text


@pytest.mark.once
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=STORABLE)
def test_literal_of_any_text(db: None, text: str):
    assert read(literal_sql("SELECT %s", [text])) == text


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", 2**31 - 1),
        ("bigint", -(2**62)),
        ("numeric", Decimal("-1E+30")),
        ("float8", float("-inf")),
        ("boolean", False),
        ("timestamptz", datetime(2026, 1, 31, 12, 0, 0, 123456, UTC)),
        ("time", time(23, 59, 59, 999999)),
        ("interval", timedelta(days=-3, microseconds=1)),
        ("uuid", UUID(int=1)),
        ("bytea", b"\0'\\"),
        ("jsonb", Jsonb({"a": ["'", "\\", None]})),
        ("text[]", ["it's", 'a"b', "c,d", "\\", ""]),
        ("integer[]", []),
        ("daterange", Range(date(2026, 1, 1), date(2026, 2, 1))),
        ("text", None),
    ],
)
def test_literal_is_what_would_be_bound(db: None, kind: str, value: object):
    bound = read(f"SELECT (%s::{kind})::text", [value])

    assert read(literal_sql(f"SELECT (%s::{kind})::text", [value])) == bound
