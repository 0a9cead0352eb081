"""jinjasql's templates run unchanged: its published cases through jinjasql2 and through ours; and its faults, mended.

A flaw's number is that of the list from which the tests were made; each was seen in jinjasql2 0.1.13 or jinjasql 0.1.8.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import jinja2
import jinjasql
import pytest
from django.db import connection
from markupsafe import Markup
from psycopg.types.json import Jsonb

from reports import Query, TemplateError
from reports.rendering import render_string
from tests.jinjasql_cases import CASES, Case

# The README states these.
TOTAL = 47
EQUAL = 39
DIFFERENT = 8

Outcome = tuple[str, tuple[object, ...]]


def even(sql: str) -> str:
    """Return SQL with the white space that says nothing evened out."""
    return re.sub(r" ?([(),]) ?", r"\1", " ".join(sql.split()))


def theirs(case: Case) -> Outcome:
    env = jinja2.Environment(loader=jinja2.DictLoader(dict(case.templates)))  # noqa: S701 - jinjasql sets autoescape
    sql, params = jinjasql.JinjaSql(env, param_style="format", **case.options).prepare_query(case.template, case.data)
    return even(sql), tuple(params)


def ours(case: Case) -> Outcome:
    query = render_string(case.template, case.data)
    return even(query.sql), tuple(value.obj if isinstance(value, Jsonb) else value for value in query.params)


@pytest.fixture
def templates(tmp_path: Path, settings: Any) -> Path:
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    return tmp_path


@pytest.mark.parametrize("name", CASES)
def test_published_case_is_what_jinjasql_makes_of_it(name: str):
    case = CASES[name]
    if case.sql is None:
        with pytest.raises(ValueError, match=r"inclause|identifier|empty sequence"):
            theirs(case)
    else:
        assert theirs(case)[0] == even(case.sql)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.reason])
def test_published_case_is_equal(name: str, templates: Path):
    case = CASES[name]
    for file, text in case.templates.items():
        (templates / file).write_text(text)

    if case.sql is None:
        with pytest.raises(TemplateError):
            ours(case)
    else:
        assert ours(case) == theirs(case)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.reason])
def test_published_case_that_must_differ(name: str):
    case = CASES[name]

    try:
        outcome = ours(case)[0]
    except TemplateError as error:
        outcome = str(error)

    assert outcome == even(case.ours) if "<template>" not in case.ours else outcome == case.ours
    assert outcome != even(case.sql or "")


def test_counts_that_the_readme_states():
    different = [name for name, case in CASES.items() if case.reason]

    assert (len(CASES), len(CASES) - len(different), len(different)) == (TOTAL, EQUAL, DIFFERENT)


# The flaws.


def rendered(text: str, /, **context: object) -> Outcome:
    query = render_string(text, context)
    return query.sql, query.params


def fault(text: str, /, **context: object) -> str:
    with pytest.raises(TemplateError) as raised:
        render_string(text, context)
    return str(raised.value)


@pytest.fixture
def t(db: None) -> None:
    """Make the table t of two tenants: row 1 is tenant 1's, rows 2 and 3 are tenant 2's."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE t (id int, tenant int, name text)")
        cursor.execute("INSERT INTO t VALUES (1, 1, 'mine'), (2, 2, 'theirs'), (3, 2, '50%%')", ())


def rows(text: str, /, **context: object) -> list[tuple[Any, ...]]:
    query: Query = render_string(text, context)
    with connection.cursor() as cursor:
        cursor.execute(query.sql, cast("Any", query.params))
        return list(cursor.fetchall())


SWAPPED = "{% set w %}tenant = {{ tenant }}{% endset %}SELECT id FROM t WHERE id <> {{ id }} AND {{ w }}"


def test_flaw_01_set_block_used_later_keeps_its_own_value(t: None):
    """Flaw 1: the values were swapped, and tenant 2's rows came."""
    assert rendered(SWAPPED, tenant=1, id=2) == ("SELECT id FROM t WHERE id <> %s AND tenant = %s", (2, 1))
    assert rows(SWAPPED, tenant=1, id=2) == [(1,)]


def test_flaw_02_captured_text_used_twice(t: None):
    """Flaw 2: two placeholders and one value."""
    for template in (
        "{% set w %}id = {{ p }}{% endset %}SELECT id FROM t WHERE ({{ w }}) OR ({{ w }})",
        "{% macro m(v) %}id = {{ v }}{% endmacro %}{% set w = m(p) %}SELECT id FROM t WHERE ({{ w }}) OR ({{ w }})",
    ):
        assert rendered(template, p=1) == ("SELECT id FROM t WHERE (id = %s) OR (id = %s)", (1, 1))
        assert rows(template, p=1) == [(1,)]


def test_flaw_03_captured_text_that_is_not_used(t: None):
    """Flaw 3: one placeholder and two values."""
    template = "{% set w %}id = {{ p }}{% endset %}SELECT id FROM t WHERE tenant = {{ q }}"

    assert rendered(template, p=3, q=1) == ("SELECT id FROM t WHERE tenant = %s", (1,))
    assert rows(template, p=3, q=1) == [(1,)]


@pytest.mark.parametrize(
    "name", ["e", "escape", "forceescape", "safe", "tojson", "urlize", "xmlattr", "striptags", "attr", "format"]
)
def test_flaw_04_filters_that_write_text_are_unknown(name: str):
    """Flaw 4: the value was written into the SQL, escaped for HTML."""
    assert fault(f"SELECT id FROM t\nWHERE id = {{{{ p|{name} }}}}", p="1 OR TRUE").startswith(
        f"<template>:2: No filter named {name!r} (allowed: abs, batch, bind,"
    )


@pytest.mark.parametrize(
    "expression",
    [
        "p or 'id'|sqlsafe",
        "p if f else q|sqlsafe",
        "p ~ ' ASC'|sqlsafe",
        "p or 1|bind",
        "(p or 'id')",
        "p or q|identifier",
    ],
)
def test_flaw_05_the_last_filter_does_not_decide_for_the_whole_expression(expression: str):
    """Flaw 5: everything before it was written raw."""
    sql, params = rendered(f"SELECT {{{{ {expression} }}}}", p="1; --", f=True, q="b")

    assert sql == "SELECT %s"
    assert params in (("1; --",), ("1; -- ASC",))


def test_flaw_06_print_statement_binds():
    """Flaw 6: raw interpolation."""
    assert rendered("SELECT {% print p %}", p="1; --") == ("SELECT %s", ("1; --",))


def test_flaw_07_markup_is_a_value_like_any_other():
    """Flaw 7: raw interpolation."""
    sql, params = rendered("SELECT {{ p }}", p=Markup("1; --"))

    assert (sql, params, type(params[0])) == ("SELECT %s", ("1; --",), str)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("('x = '|sqlsafe) ~ p", "x = b'&"),
        ("[p, p]|join(', '|sqlsafe)", "b'&, b'&"),
        ("('x = {}'|sqlsafe).format(p)", "x = b'&"),
        ("('x = %s'|sqlsafe) % p", "x = b'&"),
        ("p|replace('b', 'c'|sqlsafe)", "c'&"),
        ("('a, '|sqlsafe) + p", "a, b'&"),
    ],
)
def test_flaw_08_text_joined_with_a_value_is_a_value(expression: str, value: str):
    """Flaw 8: raw, and escaped for HTML."""
    assert rendered(f"SELECT {{{{ {expression} }}}}", p="b'&") == ("SELECT %s", (value,))


def test_flaw_09_value_in_a_string_is_refused():
    """Flaw 9: ``" OR TRUE --"`` ended the string and gave every tenant's rows."""
    assert fault("SELECT id FROM t\nWHERE name = '{{ p }}'", p=" OR TRUE --") == (
        "<template>:2: a bound value may not stand inside a string, quoted name, comment or dollar quote:"
        " \"'{{ … }}'\". Write it alone and join with ||."
    )


def test_flaw_10_value_in_a_comment_is_refused():
    """Flaw 10: a newline in the value ended the comment."""
    for comment in ("-- note: {{ p }}", "/* {{ p }} */"):
        assert "may not stand inside" in fault(f"SELECT id FROM t {comment}\nWHERE tenant = 1", p="\n OR true")


def test_flaw_11_value_in_a_dollar_quote_is_refused():
    """Flaw 11: silently wrong with one way of binding, an error with the other."""
    for text in ("$${{ p }}$$", "$a$ {{ p }} $a$"):
        assert "may not stand inside" in fault(f"SELECT {text}", p="x")


def test_flaw_11b_value_in_an_interval_is_refused_and_what_to_write(t: None):
    """Flaw 11b: three days with one way of binding, one day with the other."""
    assert "may not stand inside" in fault("SELECT interval '{{ n }} days'", n=3)

    for interval in ("{{ n }} * interval '1 day'", "make_interval(days => {{ n }})"):
        assert rows(f"SELECT date '2026-01-01' + {interval} = '2026-01-04'", n=3) == [(True,)]


@pytest.mark.parametrize(
    ("template", "want"),
    [
        ("SELECT id FROM t WHERE name LIKE '%eir%'", [(2,)]),
        ("SELECT id % 2 FROM t WHERE id = 3", [(1,)]),
        ("SELECT '%s%(a)s%%'", [("%s%(a)s%%",)]),
        ("SELECT to_char(5, 'FM99%')", [("5%",)]),
        ('SELECT id AS "100% x" FROM t WHERE id = 1 -- 100%', [(1,)]),
        ("SELECT id FROM t WHERE name LIKE '%\\%' AND id > {{ p }} /* 5% */", [(3,)]),
        ("SELECT id FROM t WHERE id % 2 = {{ p }} AND name LIKE {{ '%' ~ 'in' ~ '%' }}", [(1,)]),
    ],
)
def test_flaw_12_literal_percent(template: str, want: list[tuple[object, ...]], t: None):
    """Flaw 12: an error of the driver each time, also without any value."""
    assert rows(template, p=1) == want


def test_flaw_13_undefined_name_is_an_error_that_says_it():
    """Flaw 13: ``cannot adapt type 'Undefined'`` when the statement ran."""
    assert fault("SELECT id FROM t\nWHERE tenant = {{ tennant }}", tenant=1) == (
        "<template>:2: 'tennant' is undefined (the template has: tenant). Did you mean 'tenant'?"
    )


def test_flaw_14_undefined_name_in_a_condition_is_an_error():
    """Flaw 14: the filter was dropped in silence, and all tenants' rows came."""
    for condition in ("tennant", "not tennant", "tennant is given", "tennant == 1", "tenant and tennant"):
        assert "'tennant' is undefined" in fault(
            f"SELECT id FROM t {{% if {condition} %}}WHERE tenant = 1{{% endif %}}", tenant=1
        )


def test_flaw_15_clause_is_not_bound_again():
    """Flaw 15: the inner clause was bound as a string, or a filter changed the placeholder."""
    template = "SELECT id FROM t WHERE id IN {{ (ids|inclause) if ids else '(NULL)'|sqlsafe }}"
    assert rendered(template, ids=[1, 2]) == ("SELECT id FROM t WHERE id IN (%s, %s)", (1, 2))
    assert rendered(template, ids=[]) == ("SELECT id FROM t WHERE id IN (NULL)", ())
    assert rendered("SELECT 1 IN {{ ids|inclause() }}, {{ p|bind('n') }}", ids=[1], p=2) == (
        "SELECT 1 IN (%s), %s",
        (1, 2),
    )

    assert fault("SELECT 1 IN {{ ids|inclause|upper }}", ids=[1]) == (
        "<template>:1: the filter upper is for values, not for SQL text."
    )


def test_flaw_16_empty_list_finds_no_row(t: None):
    """Flaw 16: ``IN ()``, or a ValueError."""
    assert rows("SELECT id FROM t WHERE id IN {{ ids|inclause }}", ids=[]) == []


def test_flaw_17_inclause_of_what_is_no_list():
    """Flaw 17: the keys of a dict were bound; None and undefined failed without a name."""
    assert fault("SELECT 1 IN {{ p|inclause }}", p={"a": 1}) == (
        "<template>:1: inclause takes a list of values, not a dict. Guard it with: if … is given."
    )
    assert "not None" in fault("SELECT 1 IN {{ p|inclause }}", p=None)
    assert "'p' is undefined" in fault("SELECT 1 IN {{ p|inclause }}")


def test_flaw_18_identifier_of_nothing_and_of_percent(t: None):
    """Flaw 18: nothing or ``""`` was written; a ``%`` broke the driver."""
    nothing: tuple[object, ...] = ([], "", ("a", ""), None, 5)
    for value in nothing:
        assert "identifier takes a name or a list of names" in fault("SELECT {{ c|identifier }}", c=value)
    assert "'c' is undefined" in fault("SELECT {{ c|identifier }}")

    assert rows("SELECT x.* FROM (SELECT id AS {{ c|identifier }} FROM t WHERE id = {{ p }}) AS x", c="a%b", p=1) == [
        (1,)
    ]


def test_flaw_19_autoescape_is_refused():
    """Flaw 19: captured text was bound again."""
    assert fault("SELECT\n{% autoescape false %}1{% endautoescape %}") == (
        "<template>:2: {% autoescape %} is not available in SQL templates."
    )


def test_flaw_20_filter_tag_is_refused():
    """Flaw 20: it made ``%S`` of the placeholder."""
    assert fault("SELECT\n{% filter upper %}a = {{ p }}{% endfilter %}", p=1) == (
        "<template>:2: {% filter %} is not available in SQL templates."
    )
    assert fault("{% set w | upper %}a = {{ p }}{% endset %}SELECT {{ w }}", p=1) == (
        "<template>:1: the filter upper is for values, not for SQL text."
    )


def test_flaw_21_trans_is_refused_with_the_reason():
    """Flaw 21: a syntax error that did not say why."""
    assert fault("SELECT {% trans %}a{% endtrans %}") == "<template>:1: {% trans %} is not available in SQL templates."


def test_flaw_22_rendering_inside_a_rendering():
    """Flaw 22: the inner one took the outer one's values with it."""

    def inner(value: object) -> str:
        return render_string("SELECT {{ v }}", {"v": value}).sql

    assert rendered("SELECT {{ a }}, {{ inner(9) }}, {{ b }}", a=1, b=2, inner=inner) == (
        "SELECT %s, %s, %s",
        (1, "SELECT %s", 2),
    )


def test_flaw_23_awaitable_is_refused():
    """Flaw 23: the state of tasks would be mixed."""

    async def value() -> int:
        return 1

    coroutine = value()

    assert fault("SELECT\n{{ p }}", p=coroutine) == "<template>:2: a coroutine cannot be bound."

    coroutine.close()


def test_flaw_24_template_of_another_environment_is_refused():
    """Flaw 24: it was accepted, and bound nothing."""
    assert fault("SELECT 1 AS a\n{% include other %}", other=jinja2.Template("{{ p }}"), p="; DROP TABLE t") == (
        "<template>:2: a template object of another Jinja environment cannot be included; give its name."
    )


def test_flaw_25_no_environment_is_changed():
    """Flaw 25: the environment that was handed in got other filters and autoescape."""
    env = jinja2.Environment()  # noqa: S701 - what others' environments have
    filters = dict(env.filters)

    render_string("SELECT {{ p | inclause }}", {"p": [1]})

    assert env.filters == filters == jinja2.Environment().filters  # noqa: S701


def test_flaw_26_name_that_is_a_filter_s(t: None):
    """Flaw 26: ``{{ x.bind }}`` was interpolated raw."""
    values = {"bind": "1; --", "inclause": 2, "sqlsafe": 3}
    template = "SELECT {{ x.bind }}, {{ x.inclause }}, {{ x.sqlsafe }}, {{ bind }}, {{ sqlsafe }}"

    assert rendered(template, x=values, bind=4, sqlsafe="5; --") == (
        "SELECT %s, %s, %s, %s, %s",
        ("1; --", 2, 3, 4, "5; --"),
    )


def test_flaw_27_dotted_name_needs_no_name_of_its_own(t: None):
    """Flaw 27: ``%(r.a_1)s`` and ``bind#0`` are no names of parameters."""
    assert rows("SELECT {{ r.a }}::int, {{ r['b c'] }}::int, {{ 1 + r.a }}::int", r={"a": 1, "b c": 2}) == [(1, 2, 2)]


def test_flaw_28_generator_or_function_is_refused():
    """Flaw 28: the object itself was bound."""
    assert fault("SELECT\n{{ p }}", p=(i for i in [1])) == "<template>:2: a generator cannot be bound."
    assert fault("SELECT\n{{ p }}", p=len) == "<template>:2: a builtin_function_or_method cannot be bound."
