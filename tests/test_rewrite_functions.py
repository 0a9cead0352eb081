"""The functions that may be folded, as PostgreSQL knows them."""

from __future__ import annotations

import pytest
from django.db import connection

from reports.rewrite.sql import functions

# Words of the grammar, and the functions of extensions.
WORDS = {"cast", "coalesce", "extract", "greatest", "least", "nullif", "trim"}
EXTENSIONS = {"similarity", "unaccent"}


@pytest.mark.django_db
def test_no_function_is_volatile():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace "
            "AND proname = ANY(%s) AND provolatile = 'v'",
            [sorted(functions.KNOWN)],
        )
        assert cursor.fetchall() == []


@pytest.mark.django_db
def test_every_function_exists():
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT proname FROM pg_proc WHERE proname = ANY(%s)", [sorted(functions.KNOWN)])
        found = {name for (name,) in cursor.fetchall()}

    assert functions.KNOWN - found - WORDS - EXTENSIONS == set()


@pytest.mark.django_db
def test_aggregates_are_those_of_postgresql():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT proname FROM pg_proc WHERE prokind = 'a' AND proname = ANY(%s)", [sorted(functions.KNOWN)]
        )
        found = {name for (name,) in cursor.fetchall()}

    assert found == functions.AGGREGATES


def test_no_function_is_of_two_kinds():
    kinds = functions.SAFE, functions.OVERFLOWING, functions.FAILING

    assert sum(map(len, kinds)) == len(functions.KNOWN)
    assert functions.AGGREGATES <= functions.KNOWN
    assert functions.ORDERED | functions.UNMULTIPLIED | functions.ZERO_OVER_NOTHING <= functions.AGGREGATES
