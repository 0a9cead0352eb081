"""Conditions as EXPLAIN prints them, read as comparisons of columns; no database is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.indexes.comparisons import (
    Comparison,
    Key,
    Kind,
    comparisons,
    conjuncts,
    mentioned,
    plain_column,
    sort_key,
    words,
)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("(t.priority = 3)", [("t", "priority", "=")]),
        ("((t.status)::text = 'a (b) AND c'::text)", [("t", "status", "=")]),
        ("((t.status)::text = ANY ('{open,x}'::text[]))", [("t", "status", "= ANY")]),
        ("(t.n >= 1)", [("t", "n", "range")]),
        ("(5 < t.n)", [("t", "n", "range")]),
        ("(t.at <= now())", [("t", "at", "range")]),
        ("(t.closed_at IS NULL)", [("t", "closed_at", "IS NULL")]),
        ("(t.closed_at IS NOT NULL)", [("t", "closed_at", "IS NOT NULL")]),
        ("t.is_open", [("t", "is_open", "is true")]),
        ("(NOT t.is_open)", [("t", "is_open", "is false")]),
        ("((t.a = 1) AND (t.b > 2) AND t.c)", [("t", "a", "="), ("t", "b", "range"), ("t", "c", "is true")]),
        ("(t.id = (InitPlan 1).col1)", [("t", "id", "=")]),
        ("(t.id = $0)", [("t", "id", "=")]),
        ("(\"T3\".\"order\" = 'o''clock'::text)", [("T3", "order", "=")]),
        ('("o\'clock"."a ""b""" = 1)', [("o'clock", 'a "b"', "=")]),
        # No plain comparisons.
        ("((t.a = 1) OR (t.b = 2))", []),
        ("(t.a <> 1)", []),
        ("(t.a = t.b)", []),
        ("((t.a + 1) = 2)", []),
        ("(date_trunc('day'::text, t.at) = '2026-01-01'::date)", []),
        ("((t.a)::numeric = 1.5)", []),
        ("(t.name ~~ 'a%'::text)", []),
        ("(t.a = ALL ('{1,2}'::integer[]))", []),
        ("(t.a < ANY ('{1,2}'::integer[]))", []),
        ("(NOT (ANY (t.id = (hashed SubPlan 1).col1)))", []),
        ("((t.a IS NULL) OR t.b)", []),
    ],
)
def test_comparisons(text: str, want: list[tuple[str, str, str]]) -> None:
    assert list(comparisons(text)) == [Comparison(alias, column, Kind(kind)) for alias, column, kind in want]


def test_comparison_of_two_tables_is_one_of_each() -> None:
    assert list(comparisons("(t.department_id = d.id)")) == [
        Comparison("t", "department_id", Kind.EQUAL, frozenset({"d"})),
        Comparison("d", "id", Kind.EQUAL, frozenset({"t"})),
    ]


def test_conjuncts_of_conjuncts() -> None:
    assert conjuncts("(((t.a = 1) AND (t.b = 2)) AND (t.c IS NULL))") == ["t.a = 1", "t.b = 2", "t.c IS NULL"]


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("t.at", ("t", Key("at"))),
        ("t.at DESC", ("t", Key("at", True))),
        ("((t.name)::text) DESC", None),
        ("(t.name)::text", ("t", Key("name"))),
        ("t.at DESC NULLS LAST", None),
        ("(count(*)) DESC", None),
    ],
)
def test_sort_key(text: str, want: tuple[str, Key] | None) -> None:
    assert sort_key(text) == want


def test_columns_that_a_text_mentions() -> None:
    text = "sum(t.amount) FILTER (WHERE (t.\"Kind\" = 't.not'::public.kind)) + u.other + public.f(t.n) + 1.5"

    assert mentioned(text, "t") == {"amount", "Kind", "n"}
    assert {"amount", "Kind"} <= words("sum(amount) + \"Kind\" + 'text'")
    assert "text" not in words("'text'")


@pytest.mark.parametrize(("text", "want"), [("a", "a"), ('t."A"', "A"), ("count(*)", None), ("(a + b)", None)])
def test_plain_column(text: str, want: str | None) -> None:
    assert plain_column(text) == want


names = st.text("ab \"'().", min_size=1, max_size=5)
texts = st.text("ab '()\"=AND ", max_size=8)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@given(st.lists(st.tuples(names, st.sampled_from(["=", "<", "<>"]), texts), min_size=1, max_size=4))
def test_comparisons_of_hostile_names_and_constants(asked: list[tuple[str, str, str]]) -> None:
    """Whatever a constant holds, the comparisons are those that were written, and none of it is kept."""
    literals = ["'" + text.replace("'", "''") + "'::text" for _, _, text in asked]
    parts = [
        f"(t.{quoted(name)} {operator} {literal})" for (name, operator, _), literal in zip(asked, literals, strict=True)
    ]
    text = parts[0] if len(parts) == 1 else f"({' AND '.join(parts)})"

    kinds = {"=": Kind.EQUAL, "<": Kind.RANGE}
    assert list(comparisons(text)) == [
        Comparison("t", name, kinds[operator]) for name, operator, _ in asked if operator in kinds
    ]
