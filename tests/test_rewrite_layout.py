"""Statements in lines: what a person reads, and that not one token changes."""

from __future__ import annotations

import pytest
from django.db.models import Case, Count, F, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce
from hypothesis import given
from hypothesis import strategies as st

from example_project.helpdesk.models import Department, Ticket
from reports.rewrite.sql.layout import layout
from reports.rewrite.sql.numbered import Unreadable, numbered, read_tokens

FOLDED = (
    'WITH "folded_1" AS (SELECT U0."d_id" AS "k1", COUNT(*) FILTER (WHERE U0."s" = $1) AS "c1" FROM "tickets" U0'
    ' GROUP BY U0."d_id"), "short" AS MATERIALIZED (SELECT 1) SELECT "d"."id", COALESCE((NULLIF("folded_1"."c1", 0)),'
    ' $2) AS "open" FROM "d" LEFT JOIN "folded_1" ON ("folded_1"."k1" = "d"."id") WHERE ("d"."one_of_the_longer_names"'
    ' = $3 AND "d"."at" BETWEEN $4 AND $5 AND CASE WHEN $6 AND $7 THEN true ELSE false END) ORDER BY 2 DESC LIMIT 20'
)
FOLDED_LINES = """\
WITH "folded_1" AS (
    SELECT
        U0."d_id" AS "k1",
        COUNT(*) FILTER (WHERE U0."s" = $1) AS "c1"
    FROM "tickets" U0
    GROUP BY U0."d_id"
), "short" AS MATERIALIZED (SELECT 1)
SELECT
    "d"."id",
    COALESCE((NULLIF("folded_1"."c1", 0)), $2) AS "open"
FROM "d"
LEFT JOIN "folded_1" ON ("folded_1"."k1" = "d"."id")
WHERE (
    "d"."one_of_the_longer_names" = $3
    AND "d"."at" BETWEEN $4 AND $5
    AND CASE WHEN $6 AND $7 THEN true ELSE false END
)
ORDER BY 2 DESC
LIMIT 20"""


def said(text: str) -> list[str]:
    """Return the tokens as they are written, and the comments."""
    tokens = [text[token.start : token.end + 1] for token in read_tokens(text)]
    return [" ".join(token.split()) if token[0].isalpha() else token for token in tokens]


def test_folded_statement():
    assert layout(FOLDED) == FOLDED_LINES


def test_lines_are_laid_out_once():
    assert layout(FOLDED_LINES) == FOLDED_LINES


LINES = {
    "SELECT 1": "SELECT 1",
    "SELECT a[1], ARRAY[$1, $2] FROM t WHERE x IN ($1 /*, ... */)": (
        "SELECT\n    a[1],\n    ARRAY[$1, $2]\nFROM t\nWHERE x IN ($1 /*, ... */)"
    ),
    "SELECT LEFT(a, 3) FROM t WHERE a IS NOT DISTINCT FROM b": (
        "SELECT LEFT(a, 3)\nFROM t\nWHERE a IS NOT DISTINCT FROM b"
    ),
    "SELECT EXTRACT(YEAR FROM a) AS from_year, t.limit, b AS offset FROM t": (
        "SELECT\n    EXTRACT(YEAR FROM a) AS from_year,\n    t.limit,\n    b AS offset\nFROM t"
    ),
    "SELECT now()::timestamp with time zone": "SELECT now()::timestamp with time zone",
    "(SELECT 1) UNION ALL (SELECT 2) ORDER BY 1": "(SELECT 1)\nUNION ALL (SELECT 2)\nORDER BY 1",
    "SELECT DISTINCT ON (a, b) a, b FROM t CROSS JOIN u FOR UPDATE OF t": (
        "SELECT DISTINCT ON (a, b)\n    a,\n    b\nFROM t\nCROSS JOIN u\nFOR UPDATE OF t"
    ),
    "SELECT 'a'\n 'b', $$ ( -- $$, E'\\'(' FROM t -- end": (
        "SELECT\n    'a'\n'b',\n    $$ ( -- $$,\n    E'\\'('\nFROM t -- end"
    ),
    "/* head */ SELECT a, -- first\n b FROM t;": "/* head */\nSELECT\n    a,\n     -- first\nb\nFROM t;",
}


@pytest.mark.parametrize("text", LINES)
def test_lines(text: str):
    assert layout(text) == LINES[text]


@pytest.mark.parametrize("text", ["", "SELECT (1", "SELECT 1)", "SELECT 'a", "SELECT (1]", "-- nothing"])
def test_what_is_no_statement_stays_as_it_is(text: str):
    assert layout(text) == text


def test_join_that_does_not_fit():
    text = (
        'SELECT 1 FROM "helpdesk_department" INNER JOIN "helpdesk_ticket" ON ("helpdesk_department"."id" ='
        ' "helpdesk_ticket"."department_id")'
    )

    assert layout(text, width=80).split("\n")[2:] == [
        'INNER JOIN "helpdesk_ticket"',
        '  ON ("helpdesk_department"."id" = "helpdesk_ticket"."department_id")',
    ]


def test_conditions_of_a_long_where():
    text = f"SELECT 1 FROM t WHERE a = $1 AND b BETWEEN $2 AND $3 OR {'c' * 90} = $4"

    assert layout(text).split("\n")[2:] == ["WHERE a = $1", "  AND b BETWEEN $2 AND $3", f"  OR {'c' * 90} = $4"]


TICKETS = Ticket.objects.filter(department=OuterRef("pk")).order_by().values("department")


def counted(**conditions: object) -> Subquery:
    return Subquery(TICKETS.filter(**conditions).annotate(c=Count("*")).values("c"))


@pytest.mark.parametrize(
    "queryset",
    [
        Department.objects.annotate(
            open=counted(status="open"), closed=Coalesce(counted(status="closed"), 0)
        ).annotate(ratio=F("open") * 1.0 / F("closed")).filter(open__gt=3).order_by("-open"),
        Department.objects.annotate(
            Count("tickets"), people=Count("employees", filter=Q(employees__name__contains="%"))
        ),
        Department.objects.annotate(
            k=Case(When(region="north", then=Value("a' (")), default=Value("b"))
        ).values_list("k").union(Department.objects.values_list("name")),
    ],
)  # fmt: skip
def test_statements_of_the_orm_keep_every_token(queryset: object):
    sql, params = queryset.query.get_compiler("default").as_sql()  # type: ignore[attr-defined]
    text = numbered(sql, len(params))

    assert said(layout(text)) == said(text)
    assert max(map(len, layout(text, width=80).split("\n"))) < len(text) / 2


WORDS = ["SELECT", "FROM", "WHERE", "a", '"b c"', "t.x", "AND", "OR", "BETWEEN", "CASE", "END", "WHEN", "JOIN", "LEFT",
         "ON", "$1", "'s'", "E'\\''", "(", ")", "(SELECT", "(WITH", "[", "]", ",", "=", "::text", "->>", "!!", "- -1",
         "/* c */", "-- c\n", "ORDER BY", "GROUP BY", "AS", "LIMIT", "WITH", "UNION", "DISTINCT", ";"]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from([" ", "\n", "  "])), max_size=40))
def test_no_token_changes_whatever_the_text_is(words: list[tuple[str, str]]):
    text = "".join(word + gap for word, gap in words)

    laid_out = layout(text, width=30)

    assert "".join(laid_out.split()) == "".join(text.split())
    try:
        tokens = said(text)
    except Unreadable:
        assert laid_out == text
    else:
        assert said(laid_out) == tokens
