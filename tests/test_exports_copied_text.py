"""Rows of COPY's text format, against what PostgreSQL writes."""

from __future__ import annotations

import psycopg
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports.exports.copied_text import text_rows

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b"", []),
        (b"1\ta\n", [["1", "a"]]),
        (b"1\t\n\t\n", [["1", ""], ["", ""]]),
        (b"\n", [[""]]),
        (b"\n\n", [[""], [""]]),
        (b"\\N\ta\n2\t\\N\n", [[None, "a"], ["2", None]]),
        (b"\\\\N\tN\n", [[r"\N", "N"]]),
        (rb"\b\f\n\r\t\v\\" + b"\n", [["\b\f\n\r\t\v\\"]]),
        (rb"\\n\\\n\\\\t" + b"\n", [["\\n\\\n\\\\t"]]),
        ("é💶\x85\u2028\x1c\n".encode(), [["é💶\x85\u2028\x1c"]]),
    ],
)
def test_rows(data: bytes, want: list[list[str | None]]):
    assert list(text_rows(data)) == want


@pytest.mark.django_db
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TEXTS | st.none(), TEXTS | st.none()), max_size=8))
def test_rows_are_what_was_copied(pairs: list[tuple[str | None, str | None]]):
    connection.ensure_connection()
    assert connection.connection is not None

    sql = "COPY (SELECT * FROM unnest(%s::text[], %s::text[]) AS t) TO STDOUT (ENCODING 'UTF8')"
    params = [a for a, _ in pairs], [b for _, b in pairs]
    with psycopg.ClientCursor(connection.connection) as cursor, cursor.copy(sql, params) as copy:
        data = b"".join(copy)

    assert list(text_rows(data)) == [list(pair) for pair in pairs]
