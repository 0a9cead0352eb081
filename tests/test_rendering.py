"""Templates and values to ``(sql, params)``: the exact text, the exact parameters, the exact error and its line."""

from __future__ import annotations

import datetime as dt
import enum
import os
import re
import uuid
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any, cast

import jinja2
import pytest
from django.db import ProgrammingError, connection
from django.db.models import Count, F, Q, TextChoices
from django.utils.translation import gettext_lazy
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from psycopg.types.json import Jsonb

from reports import Query, TemplateError, TemplateNotFound
from reports.binding import SQL
from reports.rendering import compile_template, render, render_compiled, render_string
from tests.models import Figure, Region, Store
from tests.reports import Figures


class Status(TextChoices):
    OPEN = "open"
    CLOSED = "closed"


class Level(enum.Enum):
    LOW = 1


UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")
DAY = dt.date(2026, 2, 28)
MOMENT = dt.datetime(2026, 2, 28, 23, 59, tzinfo=dt.UTC)


class Folder:
    """A folder of ``REPORTS["TEMPLATE_DIRS"]``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, text: str, *, newline: str = "\n") -> Path:
        file = self.path / "t" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, newline=newline)
        return file

    def render(self, text: str, /, **context: object) -> Query:
        self.write("main.sql", text)
        return render("t/main.sql", context)

    def fault(self, text: str, /, **context: object) -> str:
        """Return the message of the error, the folder's path left out."""
        with pytest.raises(TemplateError) as raised:
            self.render(text, **context)
        return str(raised.value).replace(f"{self.path}/t/", "")


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Folder:
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    return Folder(tmp_path)


def fault(text: str, /, **context: object) -> str:
    with pytest.raises(TemplateError) as raised:
        render_string(text, context)
    return str(raised.value)


def rendered(text: str, /, **context: object) -> tuple[str, tuple[object, ...]]:
    query = render_string(text, context)
    return query.sql, query.params


# One bound value.

VALUES: dict[str, tuple[object, object]] = {
    "none": (None, None),
    "true": (True, True),
    "false": (False, False),
    "zero": (0, 0),
    "negative": (-1, -1),
    "beyond_bigint": (2**70, 2**70),
    "float": (1.5, 1.5),
    "decimal": (Decimal("-0.10"), Decimal("-0.10")),
    "text": ("O'Neil", "O'Neil"),
    "empty_text": ("", ""),
    "text_with_placeholders": ("%s %(x)s $1 {{ x }} {} ?", "%s %(x)s $1 {{ x }} {} ?"),
    "emoji": ("\U0001f600", "\U0001f600"),
    "bytes": (b"\x00'", b"\x00'"),
    "date": (DAY, DAY),
    "moment": (MOMENT, MOMENT),
    "time": (dt.time(1, 2), dt.time(1, 2)),
    "duration": (dt.timedelta(hours=-1), dt.timedelta(hours=-1)),
    "uuid": (UUID, UUID),
    "list": ([1, None, "a"], [1, None, "a"]),
    "tuple": ((1, 2), [1, 2]),
    "set": ({1}, [1]),
    "nested_list": ([(1, 2), (3, 4)], [[1, 2], [3, 4]]),
    "list_of_choices": ([Status.OPEN, Level.LOW], ["open", 1]),
    "list_of_instances": ([Store(pk=3), Region(pk=4)], [3, 4]),
    "enum": (Level.LOW, 1),
    "choice": (Status.OPEN, "open"),
    "lazy_text": (gettext_lazy("abc"), "abc"),
    "markup": (Markup("<b>'"), "<b>'"),
    "instance": (Store(pk=7), 7),
}


@pytest.mark.parametrize("case", VALUES)
def test_value_is_bound(case: str):
    value, want = VALUES[case]

    sql, params = rendered("SELECT {{ p }}", p=value)

    assert (sql, params) == ("SELECT %s", (want,))
    assert type(params[0]) is type(want)


def test_mapping_is_bound_as_jsonb():
    sql, (value,) = rendered("SELECT {{ p }} -> 'a'", p={"a": DAY, "b": Decimal("1.0"), "c": [UUID]})

    assert sql == "SELECT %s -> 'a'"
    assert isinstance(value, Jsonb)
    assert value.dumps is not None
    assert value.dumps(value.obj) == f'{{"a": "2026-02-28", "b": "1.0", "c": ["{UUID}"]}}'


UNBINDABLE = {
    "function": (len, "a builtin_function_or_method cannot be bound."),
    "class": (dict, "a type cannot be bound."),
    "iterator": (iter([1]), None),
    "generator": ((i for i in [1]), None),
    "nul": (
        "a\0b",
        "text with a NUL character cannot be bound. PostgreSQL has no NUL in text; if the value is SQL of this"
        " template, it went through a string filter or operator.",
    ),
    "nul_in_list": (["a\0b"], None),
    "surrogate": ("a\ud800", r"text with '\ud800' cannot be bound: half a character."),
    "surrogate_in_list": (["a\udfff"], r"text with '\udfff' cannot be bound: half a character."),
    "unsaved_instance": (Store(), "an unsaved Store cannot be bound: it has no primary key."),
}


@pytest.mark.parametrize("case", UNBINDABLE)
def test_value_that_cannot_be_bound(case: str):
    value, want = UNBINDABLE[case]

    message = fault("SELECT\n{{ p }}", p=value)

    assert message.startswith("<template>:2: ")
    assert "cannot be bound" in message
    assert want is None or message == f"<template>:2: {want}"


async def _answer() -> None:
    return None


def test_awaitable_is_refused():
    coroutine = _answer()

    with pytest.raises(TemplateError, match="a coroutine cannot be bound"):
        render_string("SELECT {{ p }}", {"p": coroutine})

    coroutine.close()


# The language: template, context, SQL, parameters.

LANGUAGE: dict[str, tuple[str, dict[str, Any], str, tuple[object, ...]]] = {
    "literal": ("SELECT {{ 1 }}, {{ 'a' }}, {{ none }}, {{ [1] }}", {}, "SELECT %s, %s, %s, %s", (1, "a", None, [1])),
    "expression": ("SELECT {{ a + 1 }}, {{ a ~ 'x' }}", {"a": 1}, "SELECT %s, %s", (2, "1x")),
    "order": ("SELECT {{ b }}, {{ a }}, {{ b }}", {"a": 1, "b": 2}, "SELECT %s, %s, %s", (2, 1, 2)),
    "attribute": ("SELECT {{ r.a }}, {{ r['a'] }}", {"r": {"a": 1}}, "SELECT %s, %s", (1, 1)),
    "like": ("SELECT 'x' LIKE {{ '%' ~ p ~ '%' }}", {"p": "50%"}, "SELECT 'x' LIKE %s", ("%50%%",)),
    "print": ("SELECT {% print p %}", {"p": "1; --"}, "SELECT %s", ("1; --",)),
    "cast": ("SELECT {{ p }}::date", {"p": "2026-01-01"}, "SELECT (%s)::date", ("2026-01-01",)),
    "minus": ("SELECT 1 -{{ p }}", {"p": -1}, "SELECT 1 -%s", (-1,)),
    "parentheses": ("SELECT f({{ p }},{{ p }})", {"p": 1}, "SELECT f(%s,%s)", (1, 1)),
    "subscript": ("SELECT ({{ p }})[1]", {"p": [1]}, "SELECT (%s)[1]", ([1],)),
    "percent": (
        "SELECT 5 % {{ p }}, '100%', '%s' AS \"a%\" -- 1%",
        {"p": 2},
        "SELECT 5 %% %s, '100%%', '%%s' AS \"a%%\" -- 1%%",
        (2,),
    ),
    "percent_no_params": ("SELECT '%' LIKE '%%'", {}, "SELECT '%%' LIKE '%%%%'", ()),
    # bind
    "bind": ("SELECT {{ p | bind }}", {"p": 1}, "SELECT %s", (1,)),
    "bind_name": ("SELECT {{ p | bind('n') }}", {"p": 1}, "SELECT %s", (1,)),
    "bind_twice": ("SELECT {{ p | bind | bind }}", {"p": 1}, "SELECT %s", (1,)),
    # inclause
    "inclause_list": ("SELECT 1 IN {{ p | inclause }}", {"p": [1, 2]}, "SELECT 1 IN (%s, %s)", (1, 2)),
    "inclause_tuple": ("SELECT 1 IN {{ p|inclause }}", {"p": (1,)}, "SELECT 1 IN (%s)", (1,)),
    "inclause_set": ("SELECT 1 IN {{ p|inclause }}", {"p": {1}}, "SELECT 1 IN (%s)", (1,)),
    "inclause_generator": ("SELECT 1 IN {{ p|inclause }}", {"p": (i for i in (1, 2))}, "SELECT 1 IN (%s, %s)", (1, 2)),
    "inclause_keys": ("SELECT 1 IN {{ p.keys()|inclause }}", {"p": {"a": 1}}, "SELECT 1 IN (%s)", ("a",)),
    "inclause_empty": ("SELECT 1 IN {{ p|inclause }}", {"p": []}, "SELECT 1 IN (NULL)", ()),
    "inclause_none_item": ("SELECT 1 IN {{ p|inclause }}", {"p": [None, 1]}, "SELECT 1 IN (%s, %s)", (None, 1)),
    "inclause_choices": ("SELECT 'a' IN {{ p|inclause }}", {"p": [Status.OPEN]}, "SELECT 'a' IN (%s)", ("open",)),
    "inclause_instances": ("SELECT 1 IN {{ p|inclause }}", {"p": [Store(pk=3)]}, "SELECT 1 IN (%s)", (3,)),
    "inclause_literal": ("SELECT 1 IN {{ [1, 2]|inclause }}", {}, "SELECT 1 IN (%s, %s)", (1, 2)),
    "inclause_or": (
        "SELECT 1 IN {{ (p|inclause) if p else '(NULL)'|sqlsafe }}",
        {"p": [1]},
        "SELECT 1 IN (%s)",
        (1,),
    ),
    # sqlsafe
    "sqlsafe": ("SELECT {{ p|sqlsafe }}", {"p": "a, 'b%'"}, "SELECT a, 'b%%'", ()),
    "sqlsafe_int": ("SELECT 1 LIMIT {{ p|sqlsafe }}", {"p": 5}, "SELECT 1 LIMIT 5", ()),
    "sqlsafe_markup": ("SELECT {{ p|sqlsafe }}", {"p": Markup("a<b")}, "SELECT a<b", ()),
    "sqlsafe_twice": ("SELECT {{ p|sqlsafe|sqlsafe }}", {"p": "a"}, "SELECT a", ()),
    "sqlsafe_else_bound": ("SELECT {{ p or 'id'|sqlsafe }}", {"p": "1; --"}, "SELECT %s", ("1; --",)),
    "sqlsafe_else_text": ("SELECT {{ p or 'id'|sqlsafe }}", {"p": ""}, "SELECT id", ()),
    "sqlsafe_joined_is_bound": ("SELECT {{ ('x = '|sqlsafe) ~ p }}", {"p": "1"}, "SELECT %s", ("x = 1",)),
    # identifier
    "identifier": ("SELECT {{ p|identifier }}", {"p": "a"}, 'SELECT "a"', ()),
    "identifier_tuple": ("SELECT 1 FROM {{ p|identifier }}", {"p": ("s", "t")}, 'SELECT 1 FROM "s"."t"', ()),
    "identifier_list": ("SELECT 1 FROM {{ p|identifier }}", {"p": ["s", "t", "c"]}, 'SELECT 1 FROM "s"."t"."c"', ()),
    "identifier_dot": ("SELECT {{ p|identifier }}", {"p": "a.b"}, 'SELECT "a.b"', ()),
    "identifier_quote": ("SELECT {{ p|identifier }}", {"p": 'a"b'}, 'SELECT "a""b"', ()),
    "identifier_quoted": ("SELECT {{ p|identifier }}", {"p": '"a"'}, 'SELECT """a"""', ()),
    "identifier_breakout": (
        "SELECT {{ p|identifier }}",
        {"p": '"a" FROM t; DROP TABLE t; --"'},
        'SELECT """a"" FROM t; DROP TABLE t; --"""',
        (),
    ),
    "identifier_percent": ("SELECT 1 AS {{ p|identifier }}", {"p": "100%s"}, 'SELECT 1 AS "100%%s"', ()),
    "identifier_of_sql": ("{% set c %}a{% endset %}SELECT {{ c|identifier }}", {}, 'SELECT "a"', ()),
    "identifier_beside_value": (
        "SELECT {{ p }} AS {{ c|identifier }}",
        {"p": 1, "c": "?"},
        'SELECT %s AS "?"',
        (1,),
    ),
    # table, column
    "table": ('SELECT 1 FROM {{ table("tests.Store") }}', {}, 'SELECT 1 FROM "tests_store"', ()),
    "table_name_from_value": ("SELECT 1 FROM {{ table(m) }}", {"m": "tests.store"}, 'SELECT 1 FROM "tests_store"', ()),
    "column": ('SELECT {{ column("tests.Store.region") }}', {}, 'SELECT "region_id"', ()),
    "table_and_column": (
        'SELECT {{ table("tests.Tag") }}.{{ column("tests.Tag.name") }}',
        {},
        'SELECT "tests_tag"."name"',
        (),
    ),
    # macros, blocks
    "macro": (
        "{% macro eq(c, v) %}{{ c|sqlsafe }} = {{ v }}{% endmacro %}SELECT {{ eq('b', y) }}, {{ eq('a', x) }}",
        {"x": 1, "y": 2},
        "SELECT b = %s, a = %s",
        (2, 1),
    ),
    "macro_in_macro": (
        "{% macro a(v) %}({{ v }}){% endmacro %}{% macro b(v) %}{{ a(v) }} + {{ a(1) }}{% endmacro %}SELECT {{ b(p) }}",
        {"p": 2},
        "SELECT (%s) + (%s)",
        (2, 1),
    ),
    "macro_default": ("{% macro m(v=3) %}{{ v }}{% endmacro %}SELECT {{ m() }}", {}, "SELECT %s", (3,)),
    "macro_kept_in_variable": (
        "{% macro m(v) %}{{ v }}{% endmacro %}{% set x = m(2) %}SELECT {{ x }}, {{ x }}",
        {},
        "SELECT %s, %s",
        (2, 2),
    ),
    "set_unused": ("{% set w %}a = {{ p }}{% endset %}SELECT {{ q }}", {"p": 1, "q": 2}, "SELECT %s", (2,)),
    "set_once": ("{% set w %}a = {{ p }}{% endset %}SELECT {{ w }}", {"p": 1}, "SELECT a = %s", (1,)),
    "set_twice": ("{% set w %}{{ p }}{% endset %}SELECT {{ w }}, {{ w }}", {"p": 1}, "SELECT %s, %s", (1, 1)),
    "set_out_of_order": (
        "{% set w %}a = {{ p }}{% endset %}{% set v %}b = {{ q }}{% endset %}SELECT {{ r }}, {{ v }}, {{ w }}",
        {"p": 1, "q": 2, "r": 3},
        "SELECT %s, b = %s, a = %s",
        (3, 2, 1),
    ),
    "set_in_set": (
        "{% set a %}{{ p }}{% endset %}{% set b %}f({{ a }}, {{ q }}){% endset %}SELECT {{ b }}",
        {"p": 1, "q": 2},
        "SELECT f(%s, %s)",
        (1, 2),
    ),
    "set_sqlsafe": ("{% set c %}a, {{ p }}{% endset %}SELECT {{ c|sqlsafe }}", {"p": 1}, "SELECT a, %s", (1,)),
    "set_trimmed": ("{% set c %}\n  {{ p }} \n{% endset %}SELECT ({{ c|trim }})", {"p": 1}, "SELECT (%s)", (1,)),
    "set_trimmed_by_its_filter": ("{% set c | trim %}\n a \n{% endset %}SELECT ({{ c }})", {}, "SELECT (a)", ()),
    "set_empty_is_false": (
        "{% set w %}\n {% if p is given %}AND {{ p }}{% endif %}\n{% endset %}"
        "SELECT 1{% if w|trim %} WHERE true{{ w }}{% endif %}",
        {"p": None},
        "SELECT 1",
        (),
    ),
    "set_compared": (
        "{% set unit %}month{% endset %}"
        "SELECT {{ 30 if unit == 'month' else 365 }}{% if unit in ['day'] %}!{% endif %}",
        {},
        "SELECT %s",
        (30,),
    ),
    "set_measured": ("{% set w %}ab{% endset %}SELECT {{ w|length }}", {}, "SELECT %s", (2,)),
    "set_as_key": ("{% set k %}b{% endset %}SELECT {{ {'a': 1, 'b': 2}[k] }}", {}, "SELECT %s", (2,)),
    "namespace": (
        "{% set ns = namespace(w='') %}{% for i in [1, 2] %}{% set ns.w = i %}{% endfor %}SELECT {{ ns.w }}",
        {},
        "SELECT %s",
        (2,),
    ),
    "call": (
        "{% macro f(n) %}{{ n|identifier }}({{ caller() }}){% endmacro %}"
        "SELECT {% call f('max') %}{{ p }}{% endcall %}",
        {"p": 1},
        'SELECT "max"(%s)',
        (1,),
    ),
    "call_with_argument": (
        "{% macro each(xs) %}{% for x in xs %}"
        "{{ caller(x) }}{% if not loop.last %}, {% endif %}{% endfor %}{% endmacro %}"
        "SELECT {% call(x) each([1, 2]) %}({{ x }}){% endcall %}",
        {},
        "SELECT (%s), (%s)",
        (1, 2),
    ),
    "block": ("SELECT {% block b %}{{ p }}{% endblock %}, {{ self.b() }}", {"p": 1}, "SELECT %s, %s", (1, 1)),
    "with": ("{% with x = p %}SELECT {{ x }}{% endwith %}", {"p": 1}, "SELECT %s", (1,)),
    "loop": (
        "SELECT {% for x in xs %}{% if not loop.first %}, {% endif %}{{ x }}{% endfor %}",
        {"xs": [3, 1, 2]},
        "SELECT %s, %s, %s",
        (3, 1, 2),
    ),
    "loop_else": ("SELECT {% for x in [] %}{{ x }}{% else %}{{ p }}{% endfor %}", {"p": 1}, "SELECT %s", (1,)),
    "loop_over_mapping": (
        "SELECT {% for k, v in r|dictsort %}{{ v }} AS {{ k|identifier }}"
        "{{ ', '|sqlsafe if not loop.last else ''|sqlsafe }}"
        "{% endfor %}",
        {"r": {"b": 2, "a": 1}},
        'SELECT %s AS "a", %s AS "b"',
        (1, 2),
    ),
    "whitespace_control": (
        "SELECT 1,  {%- if true %}  {{- p -}}  ::int{%- endif %}",
        {"p": 1},
        "SELECT 1,(%s)::int",
        (1,),
    ),
    "raw": ("SELECT '{% raw %}{{ x }}{% endraw %}', {{ p }}", {"p": 1}, "SELECT '{{ x }}', %s", (1,)),
    "template_comment": ("SELECT {# {{ secret }} #}{{ p }}", {"p": 1}, "SELECT %s", (1,)),
    "sql_comment": ("SELECT {{ p }} -- it's 100%\n", {"p": 1}, "SELECT %s -- it's 100%%", (1,)),
    "semicolon_at_end": ("SELECT {{ p }} ; -- done\n/* quite */ ", {"p": 1}, "SELECT %s  -- done\n/* quite */", (1,)),
    "comment_first": ("-- a; b\n/* 'x */ SELECT 1", {}, "-- a; b\n/* 'x */ SELECT 1", ()),
    "parenthesised": ("(SELECT 1) UNION (SELECT 2)", {}, "(SELECT 1) UNION (SELECT 2)", ()),
    "values": ("VALUES ({{ p }}), ({{ q }})", {"p": 1, "q": 2}, "VALUES (%s), (%s)", (1, 2)),
    "variable_named_like_filter": (
        "SELECT {{ sqlsafe }}, {{ r.bind }}",
        {"sqlsafe": "x", "r": {"bind": 1}},
        "SELECT %s, %s",
        ("x", 1),
    ),
}


@pytest.mark.parametrize("case", LANGUAGE)
def test_language(case: str):
    template, context, sql, params = LANGUAGE[case]

    assert rendered(template, **context) == (sql, params)


def test_identifier_that_ends_its_quotes_names_a_column(db: None):
    """A name that begins and ends with a quote is a name like any other."""
    name = '"a" FROM pg_class; --"'
    query = render_string("SELECT 1 AS {{ c|identifier }}", {"c": name})

    with connection.cursor() as cursor:
        cursor.execute(query.sql)

        assert cursor.description[0].name == name


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (None, False),
        ("", False),
        ([], False),
        ((), False),
        (set(), False),
        ({}, False),
        (b"", False),
        (Markup(""), False),
        (gettext_lazy(""), False),
        (Store.objects.none(), False),
        (Store.objects.all()[3:3], False),
        (0, True),
        (0.0, True),
        (Decimal(0), True),
        (dt.timedelta(0), True),
        (False, True),
        (" ", True),
        ([None], True),
        ([""], True),
        (Store.objects.all(), True),
        (Status.OPEN, True),
        (gettext_lazy("x"), True),
        (Store(), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_is_given(value: object, want: bool):
    _, params = rendered("SELECT {{ p is given }}, {{ p is not given }}", p=value)

    assert params == (want, not want)


# QuerySets as values: no database is asked.


def _evaluated() -> Any:
    """Rows that were fetched already: still a sub-select."""
    queryset = Store.objects.all()
    queryset._result_cache = []
    return queryset


STORE = '"tests_store"."id", "tests_store"."name", "tests_store"."region_id"'
QUERYSETS: dict[str, tuple[Any, str, tuple[object, ...]]] = {
    "all": (Store.objects.all, f'(SELECT {STORE} FROM "tests_store")', ()),
    "manager": (Store.objects.get_queryset, f'(SELECT {STORE} FROM "tests_store")', ()),
    "filtered": (
        lambda: Store.objects.filter(name="50%", id__gt=1),
        f'(SELECT {STORE} FROM "tests_store" WHERE ("tests_store"."id" > %s AND "tests_store"."name" = %s))',
        (1, "50%"),
    ),
    "like": (
        lambda: Store.objects.filter(name__contains="5%_").only("id"),
        '(SELECT "tests_store"."id" FROM "tests_store" WHERE "tests_store"."name"::text LIKE %s)',
        (r"%5\%\_%",),
    ),
    "sliced": (
        lambda: Store.objects.order_by("-name")[2:5],
        f'(SELECT {STORE} FROM "tests_store" ORDER BY "tests_store"."name" DESC LIMIT 3 OFFSET 2)',
        (),
    ),
    "ordered": (lambda: Store.objects.order_by("name"), f'(SELECT {STORE} FROM "tests_store")', ()),
    "values": (
        lambda: Store.objects.values("name"),
        '(SELECT "tests_store"."name" AS "name" FROM "tests_store")',
        (),
    ),
    "values_list": (
        lambda: Store.objects.filter(id=1).values_list("region", flat=True),
        '(SELECT "tests_store"."region_id" AS "region" FROM "tests_store" WHERE "tests_store"."id" = %s)',
        (1,),
    ),
    "select_related": (
        lambda: Store.objects.select_related("region"),
        f'(SELECT {STORE} FROM "tests_store")',
        (),
    ),
    "literal_percent": (
        lambda: Store.objects.values("id").extra(where=["'5%%' = %s"], params=["%%"]),
        """(SELECT "tests_store"."id" AS "id" FROM "tests_store" WHERE ('5%%' = %s))""",
        ("%%",),
    ),
    "in_subquery": (
        lambda: Store.objects.filter(region__in=Region.objects.filter(name="x")).values("id"),
        '(SELECT "tests_store"."id" AS "id" FROM "tests_store" WHERE "tests_store"."region_id" IN '
        '(SELECT U0."id" FROM "tests_region" U0 WHERE U0."name" = %s))',
        ("x",),
    ),
    "evaluated": (_evaluated, f'(SELECT {STORE} FROM "tests_store")', ()),
}


def _normal(sql: str) -> str:
    """Return SQL without quotes around aliases, which Django writes from 6.1 on."""
    return re.sub(r'"(U\d)"', r"\1", sql)


@pytest.mark.parametrize("case", QUERYSETS)
def test_queryset_is_a_sub_select(case: str):
    make, want, want_params = QUERYSETS[case]

    sql, params = rendered("SELECT count(*), {{ a }} FROM {{ q }} AS q WHERE {{ b }}", a=1, q=make(), b=2)

    assert _normal(sql) == f"SELECT count(*), %s FROM {want} AS q WHERE %s"
    assert params == (1, *want_params, 2)


def fetched(query: Query) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query.sql, cast("Any", query.params))
        return list(cursor.fetchall())


@pytest.fixture
def stores(db: None) -> None:
    """Four stores in two regions, with figures; names that a careless hand would take for something else."""
    regions = [Region.objects.create(name=name) for name in ("north", "50%")]
    for i, name in enumerate(["a", "b%s", "%", "O'Neil"]):
        store = Store.objects.create(name=name, region=regions[i % 2])
        Figure.objects.bulk_create(
            Figure(store=store, month=dt.date(2026, month, 1), revenue=10 * i + month) for month in (1, 2)
        )


# What PostgreSQL makes of a QuerySet must be what Django makes of it.
DATABASE_QUERYSETS: dict[str, Any] = {
    "all": Store.objects.all,
    "none": Store.objects.none,
    "none_values": lambda: Store.objects.values("id").none(),
    "empty_list": lambda: Store.objects.filter(id__in=[]),
    "filtered": lambda: Store.objects.filter(name__in=["a", "%", "b%s"]),
    "like_percent": lambda: Store.objects.filter(name__contains="%"),
    "excluded": lambda: Store.objects.exclude(name="a").exclude(figures__revenue__gt=21),
    "joined": lambda: Store.objects.filter(region__name="50%").select_related("region"),
    "subquery": lambda: Store.objects.filter(region__in=Region.objects.filter(name="50%")),
    "sliced": lambda: Store.objects.order_by("-name")[1:3],
    "ordered": lambda: Store.objects.order_by("-name"),
    "distinct": lambda: Store.objects.filter(figures__revenue__gte=0).distinct(),
    "distinct_on": lambda: Store.objects.order_by("region_id", "-id").distinct("region_id"),
    "deferred": lambda: Store.objects.only("name"),
    "values": lambda: Store.objects.values("region_id", "name"),
    "values_list": lambda: Store.objects.values_list("name", flat=True),
    "annotated": lambda: Store.objects.annotate(n=Count("figures", filter=Q(figures__revenue__gt=11))).filter(n__gt=1),
    "grouped": lambda: Figure.objects.order_by().values("store").annotate(n=Count("id")).filter(n=2),
    "expression": lambda: Figure.objects.annotate(double=F("revenue") * 2).filter(double__gt=25),
    "union": lambda: Store.objects.filter(name="a").union(Store.objects.filter(name="%")),
    "union_all_sliced": lambda: Store.objects.all().union(Store.objects.all(), all=True).order_by("name")[:5],
    "union_with_none": lambda: Store.objects.order_by().filter(name="a").union(Store.objects.none()),
    "difference": lambda: Store.objects.all().difference(Store.objects.filter(name="a")),
}


@pytest.mark.parametrize("case", DATABASE_QUERYSETS)
def test_queryset_gives_its_rows(case: str, stores: None):
    """The sub-select has the rows of the QuerySet, twice in one template, between other values."""
    queryset = DATABASE_QUERYSETS[case]()
    template = "SELECT {{ a }}, (SELECT count(*) FROM {{ q }} AS q), (SELECT count(*) FROM {{ q }} AS q), {{ b }}"

    query = render_string(template, {"q": queryset, "a": "x", "b": "y"})

    assert fetched(query) == [("x", len(queryset), len(queryset), "y")]


@pytest.mark.parametrize(
    "case",
    [
        case
        for case in DATABASE_QUERYSETS
        if case not in ("values", "grouped", "expression") and "union" not in case and case != "difference"
    ],
)
def test_inclause_of_a_queryset_takes_its_keys(case: str, stores: None):
    queryset = DATABASE_QUERYSETS[case]()
    column = "name" if case == "values_list" else "id"
    keys = set(queryset if case == "values_list" else queryset.values_list("pk", flat=True))

    query = render_string(f"SELECT {column} FROM tests_store WHERE {column} IN {{{{ q|inclause }}}}", {"q": queryset})

    assert {row[0] for row in fetched(query)} == keys


def test_queryset_in_a_macro_a_set_block_and_twice_in_order(stores: None):
    template = """
    {% macro names(q) %}(SELECT string_agg(name, ',' ORDER BY name) FROM {{ q }} AS q){% endmacro %}
    {% set late %}{{ names(b) }}{% endset %}
    SELECT {{ names(a) }}, {{ late }}, {{ names(a) }}
    """
    a, b = Store.objects.filter(name="a"), Store.objects.filter(name="%")

    assert fetched(render_string(template, {"a": a, "b": b})) == [("a", "%", "a")]


def test_queryset_of_another_database_is_refused():
    message = fault("SELECT 1\nFROM {{ q }} AS q", q=Store.objects.using("other"))

    assert message == "<template>:2: a QuerySet of the database 'other' cannot stand in a query of 'default'."


def test_queryset_of_the_same_database():
    sql, _ = rendered("SELECT 1 FROM {{ q }} AS q", q=Store.objects.using("default").values("id"))

    assert sql == 'SELECT 1 FROM (SELECT "tests_store"."id" AS "id" FROM "tests_store") AS q'


def test_rows_of_another_report_are_a_sub_select(stores: None):
    rows = Figures().run({"least": 21}).filter(month=dt.date(2026, 1, 1))

    query = render_string(
        "SELECT {{ a }}, sum(revenue) FROM {{ rows }} AS r WHERE revenue < {{ b }}", {"a": 1, "b": 31, "rows": rows}
    )

    assert fetched(query) == [(1, Decimal(21))]
    assert query.params == (1, Decimal(21), dt.date(2026, 1, 1), 31)


# Templates in files.


def test_include_sees_the_context_and_keeps_the_order(folder: Folder):
    folder.write("where.sql", "WHERE a = {{ p }}")

    query = folder.render("SELECT {{ q }} {% include 't/where.sql' %} AND b = {{ q }}", p=1, q=2)

    assert query == Query("SELECT %s WHERE a = %s AND b = %s", (2, 1, 2))


def test_include_ignore_missing(folder: Folder):
    query = folder.render("SELECT {% include 't/none.sql' ignore missing %}{{ p }}", p=1)

    assert query == Query("SELECT %s", (1,))


def test_include_of_a_list_takes_the_first_there_is(folder: Folder):
    folder.write("b.sql", "{{ p }}")

    assert folder.render("SELECT {% include ['t/a.sql', 't/b.sql'] %}", p=1) == Query("SELECT %s", (1,))


def test_import_of_macros(folder: Folder):
    folder.write("m.sql", "{% macro eq(v) %}a = {{ v }}{% endmacro %}")
    text = "{% import 't/m.sql' as m %}{% from 't/m.sql' import eq %}SELECT {{ m.eq(p) }}, {{ eq(2) }}"

    for p in (1, 5):  # the module is kept, the values are not
        assert folder.render(text, p=p) == Query("SELECT a = %s, a = %s", (p, 2))


def test_import_with_context_binds_at_the_top_of_the_module(folder: Folder):
    folder.write("m.sql", "{% set w %}a = {{ p }}{% endset %}")
    text = "{% import 't/m.sql' as m with context %}SELECT {{ m.w }}, {{ m.w }}"

    for p in (1, 2):
        assert folder.render(text, p=p) == Query("SELECT a = %s, a = %s", (p, p))


def test_import_without_context_may_not_bind_at_the_top_of_the_module(folder: Folder):
    """Jinja keeps such a module: its values would be those of the first rendering."""
    folder.write("m.sql", "-- macros\n{% set w %}\na = {{ 5 }}{% endset %}")
    text = "SELECT 1\n{% import 't/m.sql' as m %}, {{ m.w }}"

    for _ in range(2):  # the first time as the second
        assert folder.fault(text) == (
            "m.sql:3: a value cannot be bound in a template imported without context; import it 'with context'."
        )


def test_import_without_context_keeps_text(folder: Folder):
    folder.write("m.sql", "{% set columns %}a, b{% endset %}")

    for _ in range(2):
        assert folder.render("{% import 't/m.sql' as m %}SELECT {{ m.columns }}") == Query("SELECT a, b", ())


def test_extends_block_and_super(folder: Folder):
    folder.write(
        "base.sql", "SELECT {{ a }}{% block columns %}, {{ b }}{% endblock %} FROM t{% block end %}{% endblock %}"
    )

    query = folder.render(
        "{% extends 't/base.sql' %}{% block end %} WHERE x = {{ c }}{% endblock %}"
        "{% block columns %}{{ super() }}, {{ d }}{{ super() }}{% endblock %}",
        a=1, b=2, c=3, d=4,
    )  # fmt: skip

    assert query == Query("SELECT %s, %s, %s, %s FROM t WHERE x = %s", (1, 2, 4, 2, 3))


def test_changed_file_is_read_anew(folder: Folder):

    assert folder.render("SELECT 1").sql == "SELECT 1"
    file = folder.write("main.sql", "SELECT 2")
    os.utime(file, ns=(1, 1))

    assert render("t/main.sql", {}).sql == "SELECT 2"


# Errors: the message is part of the contract, and so is the line.

UNDEFINED = "'perod' is undefined (the template has: p, period). Did you mean 'period'?"
INSIDE = (
    "a bound value may not stand inside a string, quoted name, comment or dollar quote: {}."
    " Write it alone and join with ||."
)
ALONE = "a bound value must stand alone, with a space around it: {}."
AFTER = "a bound value may not follow a string or a value. Join them with ||: {}."
SORT = "a bound value is no column to sort or group by. Write its name with the filter identifier: {}."

FAULTS: dict[str, tuple[str, int, str]] = {
    "undefined": ("SELECT 1,\n{{ pp }}", 2, "'pp' is undefined (the template has: p, period). Did you mean 'p'?"),
    "undefined_far": ("SELECT {{ zzz }}", 1, "'zzz' is undefined (the template has: p, period)."),
    "undefined_in_if": (
        "SELECT 1\n{% if perod %}\n!\n{% endif %}",
        2,
        UNDEFINED,
    ),
    "undefined_in_if_not": ("SELECT 1\n\n{% if not perod %}!{% endif %}", 3, UNDEFINED),
    "undefined_in_elif": ("SELECT\n{% if p > 1 %}\n1\n{% elif perod %}2{% endif %}", 4, UNDEFINED),
    "undefined_in_test": ("SELECT 1\n{% if perod is given %}!{% endif %}", 2, UNDEFINED),
    "undefined_in_for": ("SELECT 1\n{% for x in perod %}!{% endfor %}", 2, UNDEFINED),
    "undefined_in_comparison": ("SELECT 1\n{% if perod == 1 %}!{% endif %}", 2, UNDEFINED),
    "undefined_in_filter": ("SELECT\n{{ perod | upper }}", 2, UNDEFINED),
    "undefined_inclause": ("SELECT\n1 IN {{ perod | inclause }}", 2, UNDEFINED),
    "undefined_sqlsafe": ("SELECT\n{{ perod | sqlsafe }}", 2, UNDEFINED),
    "undefined_identifier": ("SELECT\n{{ perod | identifier }}", 2, UNDEFINED),
    "undefined_in_list": ("SELECT\n{{ [perod] }}", 2, UNDEFINED),
    "undefined_attribute": ("SELECT\n{{ period.start }}", 2, "an attribute or item that is not there was looked up."),
    "in_string": ("SELECT\n'{{ p }}'", 2, INSIDE.format("\"'{{ … }}'\"")),
    "in_string_of_many_lines": ("SELECT 'a\n\nb {{ p }}\n'", 3, INSIDE.format(r'''"'a\n\nb {{ … }}\n'"''')),
    "in_string_after_doubled_quote": ("SELECT\n'it''s {{ p }}'", 2, INSIDE.format('''"'it''s {{ … }}'"''')),
    "in_escape_string": (r"SELECT E'\' {{ p }}'", 1, INSIDE.format(r'''"E'\\' {{ … }}'"''')),
    "in_continued_escape_string": ("SELECT E'a'\n'\\' {{ p }}'", 2, INSIDE.format(r'''"E'a'\n'\\' {{ … }}'"''')),
    "in_unicode_string": (r"SELECT U&'\0041{{ p }}'", 1, INSIDE.format(r'''"'\\0041{{ … }}'"''')),
    "in_bit_string": ("SELECT B'{{ p }}'", 1, INSIDE.format("\"'{{ … }}'\"")),
    "in_name": ('SELECT\n1 AS "a{{ p }}"', 2, INSIDE.format("'\"a{{ … }}\"'")),
    "in_comment": ("SELECT 1\n-- {{ p }}\n", 2, INSIDE.format("'-- {{ … }}'")),
    "in_block_comment": ("SELECT 1 /* a\n{{ p }} */", 2, INSIDE.format(r"'/* a\n{{ … }} */'")),
    "in_nested_comment": ("SELECT 1 /* /* a */\n{{ p }} */", 2, INSIDE.format(r"'/* /* a */\n{{ … }} */'")),
    "in_dollars": ("SELECT $$\n{{ p }}\n$$", 2, INSIDE.format(r"'$$\n{{ … }}\n$$'")),
    "in_tagged_dollars": ("SELECT $a$ $$ {{ p }} $$ $a$", 1, INSIDE.format("'$a$ $$ {{ … }} $$ $a$'")),
    "in_dollars_of_other_letters": ("SELECT $€$ {{ p }} $€$", 1, INSIDE.format("'$€$ {{ … }} $€$'")),
    "in_interval": ("SELECT\n\ninterval '{{ p }} days'", 3, INSIDE.format("\"'{{ … }} days'\"")),
    "in_like": ("SELECT 'x' LIKE '%{{ p }}%'", 1, INSIDE.format("\"'%{{ … }}%'\"")),
    "second_statement": ("SELECT 1;\n\nSELECT {{ p }}", 3, "a template is one statement; here a second one begins."),
    "second_statement_after_comment": (
        "SELECT 1; -- x\n/* y\n*/ DELETE FROM t",
        3,
        "a template is one statement; here a second one begins.",
    ),
    "second_semicolon": ("SELECT 1;\n;", 2, "a template is one statement; here a second one begins."),
    "statement_after_carriage_return": (
        "SELECT 1 -- x{{ '\\r; SELECT 2' | sqlsafe }}",
        1,
        "a template is one statement; here a second one begins.",
    ),
    "open_string": ("SELECT 1,\n'a", 2, "' is not closed."),
    "open_string_after_doubled_quote": ("SELECT\n'a''b", 2, "' is not closed."),
    "open_escape_string": ("SELECT\nE'a\\'", 2, "E' is not closed."),
    "open_escape_string_after_doubled_quote": ("SELECT\nE'a''\\'", 2, "E' is not closed."),
    "open_continued_string": ("SELECT E'a'\n'b\\'", 1, "E'a'\n' is not closed."),
    "open_name": ('SELECT\n"a', 2, '" is not closed.'),
    "open_comment": ("SELECT 1\n/* /* */", 2, "/* is not closed."),
    "open_dollars": ("SELECT\n$x$ $$ ", 2, "$x$ is not closed."),
    "open_parenthesis": ("SELECT (1\n+ (2)\n", 2, "1 ( not closed."),
    "close_parenthesis": ("SELECT 1\n) AS x, (SELECT 2", 2, ") has no ( before it."),
    "not_a_query": (
        "/* x */\n  UPDATE t SET a = 1",
        2,
        "a template is a query (SELECT, WITH, VALUES or TABLE), not 'UPDATE'.",
    ),
    "not_a_query_selected": ("SELECTED 1", 1, "a template is a query (SELECT, WITH, VALUES or TABLE), not 'SELECTED'."),
    "not_a_query_value": ("{{ p }}", 1, "a template is a query (SELECT, WITH, VALUES or TABLE), not '{{ … }}'."),
    "glued_before": ("SELECT\n1{{ p }}", 2, ALONE.format(r"'SELECT\n1{{ … }}'")),
    "glued_after": ("SELECT\n{{ p }}x", 2, ALONE.format(r"'SELECT\n{{ … }}x'")),
    "glued_to_letter": ("SELECT é{{ p }}", 1, ALONE.format("'SELECT é{{ … }}'")),
    "glued_to_no_break_space": ("SELECT\u00a0{{ p }}", 1, ALONE.format(r"'SELECT\xa0{{ … }}'")),
    "glued_to_string": ("SELECT 'a'{{ p }}", 1, ALONE.format('''"SELECT 'a'{{ … }}"''')),
    "glued_to_prefix": ("SELECT E{{ p }}", 1, ALONE.format("'SELECT E{{ … }}'")),
    "glued_to_unicode_prefix": ("SELECT U&{{ p }}", 1, ALONE.format("'SELECT U&{{ … }}'")),
    "glued_to_point": ("SELECT 1.{{ p }}", 1, ALONE.format("'SELECT 1.{{ … }}'")),
    "glued_to_dollar": ("SELECT {{ p }}$$x$$", 1, ALONE.format("'SELECT {{ … }}$$x$$'")),
    "glued_together": ("SELECT {{ p }}{{ p }}", 1, ALONE.format("'SELECT {{ … }}{{ … }}'")),
    "values_in_a_row": ("SELECT {{ p }}\n{{ p }}", 2, AFTER.format(r"'SELECT {{ … }}\n{{ … }}'")),
    "value_after_string": ("SELECT 'a'\n-- x\n{{ p }}", 3, AFTER.format('''"ELECT 'a'\\n-- x\\n{{ … }}"''')),
    "value_before_string": (
        "SELECT\n{{ p }}\n'a'",
        2,
        "a string may not follow a bound value. Join them with ||: \"SELECT\\n{{ … }}\\n'a'\".",
    ),
    "type_before_value": (
        "SELECT\ninterval {{ p }}",
        2,
        r"a bound value may not follow the name of a type. Cast it: {{ … }}::date: 'ELECT\ninterval {{ … }}'.",
    ),
    "quoted_type_before_value": (
        'SELECT "date"\n{{ p }}',
        2,
        "a bound value may not follow the name of a type. Cast it: {{ … }}::date: 'SELECT \"date\"\\n{{ … }}'.",
    ),
    "subscript": (
        "SELECT {{ p }} /**/ [1]",
        1,
        "a bound value needs parentheses before [: ({{ … }})[…]: 'SELECT {{ … }} /**/ [1]'.",
    ),
    "order_by": ("SELECT 1\nORDER BY {{ p }}", 2, SORT.format(r"'ECT 1\nORDER BY {{ … }}'")),
    "order_by_direction": ("SELECT 1 order  by a, {{ p }} desc", 1, SORT.format("'1 order  by a, {{ … }} desc'")),
    "group_by": ("SELECT 1 GROUP BY {{ p }}, b", 1, SORT.format("'ECT 1 GROUP BY {{ … }}, b'")),
    "distinct_on": ("SELECT DISTINCT ON ({{ p }}) 1", 1, SORT.format("'T DISTINCT ON ({{ … }}) 1'")),
    "driver_placeholder": ("SELECT {{ p }},\n$1", 2, "$1 is a placeholder of the driver. Write {{ … }}."),
    "unknown_filter": (
        "SELECT\n{{ p | uper }}",
        2,
        "No filter named 'uper' (allowed: abs, batch, bind, count, d, default, dictsort, first, float, groupby,"
        " identifier, inclause, int, items, join, last, length, list, lower, map, max, min, reject, rejectattr,"
        " replace, reverse, round, select, selectattr, slice, sort, sqlsafe, string, sum, title, trim, truncate,"
        " unique, upper)."
        " Did you mean 'upper'?",
    ),
    "unknown_test": ("SELECT\n{{ p is givn }}", 2, "No test named 'givn'."),
    "syntax": (
        "SELECT 1\n{% if p %}",
        2,
        "Unexpected end of template. Jinja was looking for the following tags:"
        " 'elif' or 'else' or 'endif'."
        " The innermost block that needs to be closed is 'if'.",
    ),
    "syntax_in_expression": ("SELECT\n\n{{ p + }}", 3, "unexpected 'end of print statement'."),
    "unknown_tag": ("SELECT\n{% bogus %}", 2, "Encountered unknown tag 'bogus'."),
    "autoescape": (
        "SELECT\n{% autoescape true %}{% endautoescape %}",
        2,
        "{% autoescape %} is not available in SQL templates.",
    ),
    "filter_tag": (
        "SELECT 1\n\n{% filter upper %}{% endfilter %}",
        3,
        "{% filter %} is not available in SQL templates.",
    ),
    "filter_tag_trimmed": (
        "SELECT\n{%- filter upper %}{% endfilter %}",
        2,
        "{% filter %} is not available in SQL templates.",
    ),
    "trans": ("SELECT {% trans %}a{% endtrans %}", 1, "{% trans %} is not available in SQL templates."),
    "do": ("SELECT {% do p %}", 1, "Encountered unknown tag 'do'."),
    "sql_in_filter": ("SELECT\n{{ p | bind | upper }}", 2, "the filter upper is for values, not for SQL text."),
    "sql_as_number": (
        "{% set n %}5{% endset %}\nSELECT {{ n | int }}",
        2,
        "the filter int is for values, not for SQL text.",
    ),
    "sql_trimmed_of_letters": (
        "{% set n %}5{% endset %}\nSELECT {{ n | trim('5') }}",
        2,
        "only white space can be trimmed from SQL text.",
    ),
    "sql_joined": (
        "SELECT\n{{ (p | bind) ~ 'x' }}",
        2,
        "text with a NUL character cannot be bound. PostgreSQL has no NUL in text; if the value is SQL of this"
        " template, it went through a string filter or operator.",
    ),
    "sqlsafe_list": ("SELECT\n{{ [1] | sqlsafe }}", 2, "sqlsafe takes SQL text, not a list."),
    "sqlsafe_none": ("SELECT {{ none | sqlsafe }}", 1, "sqlsafe takes SQL text, not None."),
    "sqlsafe_bool": ("SELECT {{ true | sqlsafe }}", 1, "sqlsafe takes SQL text, not a bool."),
    "inclause_text": (
        "SELECT 1 IN\n{{ 'ab' | inclause }}",
        2,
        "inclause takes a list of values, not a str. Guard it with: if … is given.",
    ),
    "inclause_none": (
        "SELECT 1 IN {{ none | inclause }}",
        1,
        "inclause takes a list of values, not None. Guard it with: if … is given.",
    ),
    "inclause_number": (
        "SELECT 1 IN {{ 5 | inclause }}",
        1,
        "inclause takes a list of values, not a int. Guard it with: if … is given.",
    ),
    "inclause_mapping": (
        "SELECT 1 IN {{ {'a': 1} | inclause }}",
        1,
        "inclause takes a list of values, not a dict. Guard it with: if … is given.",
    ),
    "identifier_empty": ("SELECT {{ '' | identifier }}", 1, "identifier takes a name or a list of names, not a str."),
    "identifier_empty_list": (
        "SELECT {{ [] | identifier }}",
        1,
        "identifier takes a name or a list of names, not a list.",
    ),
    "identifier_empty_part": (
        "SELECT {{ ('a', '') | identifier }}",
        1,
        "identifier takes a name or a list of names, not a tuple.",
    ),
    "identifier_number": ("SELECT {{ 5 | identifier }}", 1, "identifier takes a name or a list of names, not a int."),
    "identifier_none": ("SELECT {{ none | identifier }}", 1, "identifier takes a name or a list of names, not None."),
    "table_unknown": (
        "SELECT 1 FROM\n{{ table('tests.Stor') }}",
        2,
        "there is no model 'tests.Stor'; write app_label.Model. Did you mean 'tests.Store'?",
    ),
    "table_without_app": (
        "SELECT {{ table('Store') }}",
        1,
        "there is no model 'Store'; write app_label.Model. Did you mean 'tests.Store'?",
    ),
    "column_unknown": (
        "SELECT\n{{ column('tests.Store.nam') }}",
        2,
        "tests.Store has no column for a field 'nam' (it has: id, name, region). Did you mean 'name'?",
    ),
    "column_many_to_many": (
        "SELECT {{ column('tests.Store.tags') }}",
        1,
        "tests.Store has no column for a field 'tags' (it has: id, name, region).",
    ),
    "python_error": ("SELECT\n{{ 1 / 0 }}", 2, "the template raised ZeroDivisionError."),
    "missing_include": (
        "SELECT 1\n{% include 'tests/figure.sql' %}",
        2,
        "there is no template 'tests/figure.sql'. Did you mean 'tests/figures.sql'?",
    ),
    "missing_import": ("SELECT 1\n{% import 'nowhere.sql' as m %}", 2, "there is no template 'nowhere.sql'."),
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("header", ["", "-- doc: A header\n--   of two lines.\n"], ids=["bare", "header"])
@pytest.mark.parametrize("case", FAULTS)
def test_fault_names_file_and_line(case: str, header: str, newline: str, folder: Folder):
    text, line, message = FAULTS[case]
    folder.write("main.sql", header + text, newline=newline)

    with pytest.raises(TemplateError) as raised:
        render("t/main.sql", {"p": 1, "period": "x"})

    place = f"{folder.path}/t/main.sql"
    want = line + header.count("\n")
    assert str(raised.value) == f"{place}:{want}: {message}"
    assert (raised.value.file, raised.value.line) == (place, want)


@pytest.mark.parametrize(
    "text", ["", "\n", "-- a\n/* b */", " ;", "{# SELECT 1 #}", "{% if false %}SELECT 1{% endif %}"]
)
def test_template_that_renders_to_nothing(text: str, folder: Folder):
    assert folder.fault(text) == "main.sql:1: the template renders to no statement."


ELSEWHERE: dict[str, tuple[dict[str, str], str]] = {
    "include": ({"main": "SELECT 1\n\n{% include 't/a.sql' %}", "a": "\n, '{{ p }}'"}, "a.sql:2"),
    "after_include": ({"main": "SELECT 1\n{% include 't/a.sql' %}\n, '{{ p }}'", "a": "\n\n\n, 1\n"}, "main.sql:3"),
    "include_in_include": (
        {"main": "SELECT 1{% include 't/a.sql' %}", "a": "\n{% include 't/b.sql' %}", "b": ", 1,\n\n'{{ p }}'"},
        "b.sql:3",
    ),
    "macro": (
        {"main": "{% import 't/a.sql' as a %}\nSELECT\n{{ a.m(1) }}", "a": "{% macro m(x) %}\n'{{ x }}'{% endmacro %}"},
        "a.sql:2",
    ),
    "after_macro": (
        {
            "main": "{% import 't/a.sql' as a %}\nSELECT\n{{ a.m(1) }}\n, '{{ p }}'",
            "a": "{% macro m(x) %}\n{{ x }}{% endmacro %}",
        },
        "main.sql:4",
    ),
    "set_block": ({"main": "{% set w %}\n'{{ p }}'{% endset %}\n\nSELECT\n{{ w }}"}, "main.sql:2"),
    "trimmed_set_block": (
        {"main": "{% set w %}\n\n  1,\n'{{ p }}'\n{% endset %}\n\nSELECT\n{{ w | trim }}"},
        "main.sql:4",
    ),
    "call_block": (
        {
            "main": "{% import 't/a.sql' as a %}SELECT\n{% call a.m() %}\n'{{ p }}'{% endcall %}",
            "a": "{% macro m() %}\n\n\n\n{{ caller() }}{% endmacro %}",
        },
        "main.sql:3",
    ),
    "block": (
        {
            "main": "{% extends 't/a.sql' %}\n\n{% block x %}'{{ p }}'{% endblock %}",
            "a": "SELECT\n{% block x %}{% endblock %}",
        },
        "main.sql:3",
    ),
    "super": (
        {
            "main": "{% extends 't/a.sql' %}\n\n{% block x %}{{ super() }}{% endblock %}",
            "a": "SELECT\n1,\n{% block x %}'{{ p }}'{% endblock %}",
        },
        "a.sql:3",
    ),
    "loop": ({"main": "SELECT 1\n{% for x in [1, 2] %}\n, '{{ x }}'\n{% endfor %}"}, "main.sql:3"),
    "stripped": ({"main": "SELECT 1\n\n{%- if true -%}\n\n  , 1\n  , '{{ p }}'{% endif %}"}, "main.sql:6"),
    "raw": ({"main": "SELECT 1{% raw %}\n\n{% endraw %}\n, '{{ p }}'"}, "main.sql:4"),
    "comment": ({"main": "SELECT {# a\n\nb #} 1\n, '{{ p }}'"}, "main.sql:4"),
    "expression_of_many_lines": ({"main": "SELECT {{\n p\n}}, '{{ p }}'"}, "main.sql:3"),
    "text_of_a_value": ({"main": 'SELECT 1,\n{{ "\'a" | sqlsafe }}'}, "main.sql:2"),
    "semicolon_in_include": ({"main": "SELECT 1\n{% include 't/a.sql' %}\n, 2", "a": "\n;"}, "main.sql:3"),
    "undefined_in_include": ({"main": "SELECT\n{% include 't/a.sql' %}", "a": "\n{{ q }}"}, "a.sql:2"),
    "undefined_in_macro": (
        {"main": "{% import 't/a.sql' as a %}SELECT\n{{ a.m() }}", "a": "\n{% macro m() %}\n{{ q }}{% endmacro %}"},
        "a.sql:3",
    ),
    "undefined_in_block": (
        {
            "main": "{% extends 't/a.sql' %}\n{% block x %}\n{{ q }}{% endblock %}",
            "a": "SELECT {% block x %}{% endblock %}",
        },
        "main.sql:3",
    ),
    "unbindable_in_include": ({"main": "SELECT\n{% include 't/a.sql' %}", "a": "1,\n{{ table }}"}, "a.sql:2"),
    "syntax_in_include": ({"main": "SELECT\n{% include 't/a.sql' %}", "a": "1\n{% if %}"}, "a.sql:2"),
    "tag_in_include": (
        {"main": "SELECT\n{% include 't/a.sql' %}", "a": "1\n{% filter upper %}{% endfilter %}"},
        "a.sql:2",
    ),
    "header_in_include": ({"main": "SELECT\n{% include 't/a.sql' %}", "a": "-- doc: x\n-- tag: y\n1"}, "a.sql:2"),
    "missing_in_include": ({"main": "SELECT\n{% include 't/a.sql' %}", "a": "1\n\n{% include 't/c.sql' %}"}, "a.sql:3"),
}


@pytest.mark.parametrize("header", ["", "-- doc: x\n--   y\n"], ids=["bare", "header"])
@pytest.mark.parametrize("case", ELSEWHERE)
def test_fault_names_the_file_at_fault(case: str, header: str, folder: Folder):
    files, place = ELSEWHERE[case]
    name, _, line = place.partition(":")
    for stem, text in files.items():
        # The second time every file begins with a header; a file that has one is left as it is.
        folder.write(f"{stem}.sql", (header if "doc:" not in text else "") + text)
    with_header = "doc:" not in files[name.removesuffix(".sql")]

    with pytest.raises(TemplateError) as raised:
        render("t/main.sql", {"p": 1})

    assert str(raised.value.file).endswith(f"/t/{name}"), str(raised.value)
    assert raised.value.line == int(line) + (header.count("\n") if with_header else 0), str(raised.value)


def test_lines_of_the_query_name_the_files(folder: Folder):
    """The lines are kept for the errors that PostgreSQL reports when the statement runs."""
    folder.write("a.sql", "-- doc: x\nWHERE\n  b = {{ p }} AND '%' = c")
    query = folder.render("-- doc: x\n\nSELECT a\n{% include 't/a.sql' %}\nLIMIT 1;\n", p=1)

    places = {word: query.lines.at(query.sql.index(word)) for word in ("SELECT", "WHERE", "b =", "AND", "= c", "LIMIT")}

    main, a = f"{folder.path}/t/main.sql", f"{folder.path}/t/a.sql"
    assert places == {
        "SELECT": (main, 3),
        "WHERE": (a, 2),
        "b =": (a, 3),
        "AND": (a, 3),
        "= c": (a, 3),
        "LIMIT": (main, 5),
    }


def test_missing_template_names_the_nearest():
    with pytest.raises(TemplateNotFound) as raised:
        render("tests/figure.sql", {})

    assert str(raised.value) == "there is no template 'tests/figure.sql'. Did you mean 'tests/figures.sql'?"


def test_missing_template_with_nothing_near():
    with pytest.raises(TemplateNotFound) as raised:
        render("zzzzzzzzzzzz.sql", {})

    assert str(raised.value) == "there is no template 'zzzzzzzzzzzz.sql'."


def test_nul_in_a_template_names_the_line(folder: Folder):
    assert folder.fault("SELECT 1,\n\0") == "main.sql:2: holds a NUL character."


def test_nul_in_a_template_given_as_text():
    """A mark of ours cannot be forged."""
    for text in ("SELECT \0?\0", "SELECT \0000.0\0", "SELECT \0L0:1\0"):
        assert fault(text) == "<template>:1: holds a NUL character."


def test_text_of_another_rendering_is_refused(folder: Folder):
    kept: list[object] = []
    folder.render("{% set w %}\n{{ p }}{% endset %}SELECT {{ keep(w) }}", p=1, keep=kept.append)

    message = folder.fault("SELECT 1,\n2\n, {{ w }}", w=kept[0])

    assert message == "main.sql:2: SQL text of another rendering was used."


def test_template_object_of_another_environment_is_refused():
    """Its values would be written as they are."""
    foreign = jinja2.Template("{{ p }}")

    for tag in ("include t", "include [t]", "import t as x", "extends t"):
        assert fault(f"SELECT\n{{% {tag} %}}", t=foreign, p="1; DROP TABLE t") == (
            "<template>:2: a template object of another Jinja environment cannot be included; give its name."
        )


def test_template_object_of_our_environment_can_be_included(folder: Folder):
    folder.write("a.sql", "{{ p }}")

    assert rendered("SELECT {% include t %}", t=compile_template("t/a.sql"), p=1) == ("SELECT %s", (1,))


def test_error_of_the_database_is_not_taken_for_a_fault_of_the_template(db: None):
    broken = Store.objects.extra(where=["nothing"])

    with pytest.raises(ProgrammingError):
        render_string("SELECT {% for row in q %}{{ row.pk }}{% endfor %}", {"q": broken})


def test_renderings_do_not_mix_when_nested():
    """A value of the context may render a template of its own."""

    class Inner:
        @property
        def text(self) -> str:
            return render_string("SELECT {{ a }}, {{ b }}", {"a": 8, "b": 9}).sql

    assert rendered("SELECT {{ a }}, {{ inner.text }}, {{ b }}", a=1, b=2, inner=Inner()) == (
        "SELECT %s, %s, %s",
        (1, "SELECT %s, %s", 2),
    )


def test_renderings_do_not_mix_between_threads():
    template = "{% set w %}{{ b }}{% endset %}SELECT {% for i in range(50) %}{{ a }}, {% endfor %}{{ w }}"
    wrong: list[object] = []

    def work(number: int) -> None:
        for i in range(30):
            params = rendered(template, a=str((number, i)), b=number)[1]
            wrong.extend(set(params) - {str((number, i)), number})

    threads = [Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_rendering_leaves_the_context_and_the_values_alone():
    value = [(1, 2)]
    context: Mapping[str, object] = {"p": value}

    render_string("{% set q = p %}SELECT {{ q }}", context)

    assert context == {"p": [(1, 2)]}
    assert context["p"] is value


def test_query_equality_leaves_the_lines_out():
    assert render_string("\n\nSELECT {{ p }}", {"p": 1}) == render_string("SELECT {{ p }}", {"p": 1})


def test_list_of_thousands_of_values():
    values = list(range(20_000))

    sql, params = rendered("SELECT 1 IN {{ xs | inclause }}", xs=values)

    assert sql == f"SELECT 1 IN ({', '.join(['%s'] * 20_000)})"
    assert params == tuple(values)


def test_render_compiled_takes_a_compiled_template(folder: Folder):
    folder.write("main.sql", "SELECT {{ p }}")

    assert render_compiled(compile_template("t/main.sql"), {"p": 1}, "default") == Query("SELECT %s", (1,))


def test_sql_text_is_not_bound_again():
    assert rendered("SELECT {{ p }}", p=SQL("now()")) == ("SELECT now()", ())


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.booleans()), min_size=1, max_size=12))
def test_params_are_in_the_order_of_the_text(calls: list[tuple[str, bool]]):
    """Whatever is captured first, and however often it is used."""
    context = {"a": 1, "b": 2, "c": 3}
    blocks = "".join(f"{{% set s_{name} %}}({{{{ {name} }}}}){{% endset %}}" for name in "cab")
    template = blocks + "SELECT " + ", ".join(f"{{{{ {'s_' * captured}{name} }}}}" for name, captured in calls)

    sql, params = rendered(template, **context)

    assert sql == "SELECT " + ", ".join("(%s)" if captured else "%s" for _, captured in calls)
    assert params == tuple(context[name] for name, _ in calls)
