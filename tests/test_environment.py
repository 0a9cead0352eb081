"""Nothing that the template language offers writes a value into the SQL; what Jinja adds must be looked at first."""

from __future__ import annotations

import re
from typing import Any

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.parser import _statement_keywords
from jinja2.tests import TESTS as JINJA_TESTS
from markupsafe import Markup

from reports import TemplateError
from reports.environment import ALLOWED_FILTERS, SQL_FILTERS, VALUE_FILTERS, column, environment, table
from reports.rendering import render_string
from tests.models import Store

CANARY = "Zq7'Canary"
# Their purpose is to write text: identifier in quotes, sqlsafe as it is.
WRITES_TEXT = {"identifier", "sqlsafe"}
# Filters of Jinja that templates do not have, each for a reason.
LEFT_OUT = {
    "returns Markup": {"e", "escape", "forceescape", "safe", "tojson", "urlize", "xmlattr", "striptags"},
    "formats text": {
        "capitalize",
        "center",
        "filesizeformat",
        "format",
        "indent",
        "pprint",
        "urlencode",
        "wordcount",
        "wordwrap",
    },
    "reads attributes by a value": {"attr"},
    "gives another result each time": {"random"},
}


def context() -> dict[str, Any]:
    return {
        "p": CANARY,
        "n": 5,
        "xs": [CANARY, CANARY],
        "pairs": [{"a": CANARY, "b": 1}, {"a": CANARY, "b": 2}],
        "d": {"a": CANARY},
        "markup": Markup(CANARY),  # noqa: S704 - a value that claims to be safe
        "items": iter(()),
    }


def leaks(template: str) -> bool:
    """Return whether a rendering has more than placeholders in it. An error is no leak."""
    try:
        sql = render_string(template, context()).sql
    except TemplateError:
        return False
    return not re.fullmatch(r"SELECT ?(?:[%s(), ]|NULL)*", sql)


def test_every_filter_of_jinja_is_decided_on():
    left_out = set().union(*LEFT_OUT.values())

    assert set(JINJA_FILTERS) == set(VALUE_FILTERS) | left_out
    assert not set(VALUE_FILTERS) & left_out
    assert set(environment().filters) == {*VALUE_FILTERS, *SQL_FILTERS} == set(ALLOWED_FILTERS)


def test_every_test_of_jinja_is_there_and_given():
    assert set(environment().tests) == {*JINJA_TESTS, "given"}


def test_every_global_of_jinja_is_decided_on():
    assert set(DEFAULT_NAMESPACE) == {"range", "dict", "lipsum", "cycler", "joiner", "namespace"}
    assert set(environment().globals) == {"range", "dict", "namespace", "table", "column"}


ARGUMENTS = [
    "",
    "()",
    "(p)",
    "(p, p)",
    "(1)",
    "(2, p)",
    "('a')",
    "('a', p)",
    "(attribute='a')",
    "(default=p)",
    "(p, true)",
]


@pytest.mark.parametrize("value", ["p", "n", "xs", "pairs", "d", "markup", "'literal'", "(p, p)", "items"])
@pytest.mark.parametrize("name", sorted(set(environment().filters) - WRITES_TEXT))
def test_filter_writes_no_value(name: str, value: str):
    for arguments in ARGUMENTS:
        expression = f"{value}|{name}{arguments}"
        for template in (
            f"SELECT {{{{ {expression} }}}}",
            f"SELECT {{{{ ({expression})|list }}}}",
            f"SELECT {{% for x in {expression} %}}{{{{ x }}}}{{% if not loop.last %}}, {{% endif %}}{{% endfor %}}",
            f"SELECT {{{{ [{value}]|map('{name}')|list }}}}",
        ):
            assert not leaks(template), template


def test_most_filters_do_something():
    """The test above would pass if every template were refused."""
    values = ("p", "n", "xs", "pairs", "d")
    bound = [
        name
        for name in environment().filters
        if any(
            _renders(f"SELECT {{{{ {value}|{name}{end} }}}}")
            for value in values
            for end in ("", "('a')", "('b')", "(attribute='a')|list", "|list", "('a')|list", "('a','b')", "(2)|list")
        )
    ]

    assert set(environment().filters) - set(bound) <= WRITES_TEXT


def _renders(template: str) -> bool:
    try:
        return bool(render_string(template, context()).params)
    except TemplateError:
        return False


@pytest.mark.parametrize("name", sorted(environment().tests))
def test_test_writes_no_value(name: str):
    for test in (name, f"{name}(p)", f"{name}(p, p)", f"not {name}"):
        for value in ("p", "n", "xs", "d", "markup", "absent"):
            assert not leaks(f"SELECT {{{{ {value} is {test} }}}}")
            assert not leaks(f"SELECT {{{{ p if {value} is {test} else p }}}}")
            assert not leaks(f"SELECT {{% if {value} is {test} %}}{{{{ p }}}}{{% else %}}{{{{ p }}}}{{% endif %}}")
            assert not leaks(
                f"SELECT {{{{ xs|select('{name}')|list }}}}, {{{{ pairs|rejectattr('a', '{name}')|list }}}}"
            )


@pytest.mark.parametrize("name", sorted(environment().globals))
def test_global_writes_no_value(name: str):
    for call in (
        name,
        f"{name}()",
        f"{name}(p)",
        f"{name}(a=p)",
        f"{name}(n)",
        f"{name}(a=p).a",
        f"{name}(d)",
        f"{name}.__name__",
    ):
        assert not leaks(f"SELECT {{{{ {call} }}}}")
        assert not leaks(f"SELECT {{% set x = {call} %}}{{{{ x }}}}")


TAGS = {
    "autoescape": "{% autoescape true %}{{ p }}{% endautoescape %}",
    "block": "{% block b %}{{ p }}{% endblock %}, {{ self.b() }}",
    "call": "{% macro m() %}({{ caller() }}){% endmacro %}{% call m() %}{{ p }}{% endcall %}",
    "extends": "{% extends p %}",
    "filter": "{% filter upper %}{{ p }}{% endfilter %}",
    "for": "{% for x in xs %}{{ x }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "from": "{% from p import x %}{{ x }}",
    "if": "{% if p %}{{ p }}{% endif %}",
    "import": "{% import p as x %}{{ x }}",
    "include": "{% include p ignore missing %}{{ p }}",
    "macro": "{% macro m(x, y=p) %}({{ x }}, {{ y }}){% endmacro %}{{ m(p) }}, {{ m(m(p)) }}",
    "print": "{% print p, p %}",
    "set": "{% set x = p %}{% set y %}({{ p }}){% endset %}{{ x }}, {{ y }}, {{ y ~ p }}",
    "with": "{% with x = p %}{{ x }}{% endwith %}",
}


def test_every_tag_of_jinja_is_tested():
    """And our extension adds none."""
    assert set(TAGS) == {*_statement_keywords, "call", "filter"}
    assert not any(extension.tags for extension in environment().extensions.values())


@pytest.mark.parametrize("tag", TAGS)
def test_tag_writes_no_value(tag: str):
    assert not leaks(f"SELECT {TAGS[tag]}")


@pytest.mark.parametrize("option", ["sandboxed", "is_async", "autoescape"])
def test_environment_option_is_off(option: str):
    assert not getattr(environment(), option)


def test_environment_is_one():
    assert environment() is environment()
    assert environment().undefined is jinja2.StrictUndefined


# Any nesting of expressions, in any surroundings.

ATOMS = st.sampled_from(
    ["p", "n", "xs", "d", "d.a", "xs[0]", "markup", "'lit'", "1", "none", "true", "('tt'|sqlsafe)", "(p|bind)", "w"]
)
FILTERS = sorted(set(environment().filters) - WRITES_TEXT - {"batch", "slice"})


def _deeper(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} ~ {})".format, inner, inner),
        st.builds("({} or {})".format, inner, inner),
        st.builds("({} and {})".format, inner, inner),
        st.builds("({} + {})".format, inner, inner),
        st.builds("({} % {})".format, inner, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("[{}, {}]".format, inner, inner),
        st.builds("{{'k': {}}}".format, inner),
        st.builds("m({}, {})".format, inner, inner),
        st.builds("{}[0]".format, inner),
        st.builds("({}|{})".format, inner, st.sampled_from(FILTERS)),
        st.builds("({}|{}({}))".format, inner, st.sampled_from(FILTERS), inner),
        st.builds("{}.{}()".format, inner, st.sampled_from(["upper", "strip", "split", "encode", "items", "title"])),
        st.builds(
            "{}.{}({})".format, inner, st.sampled_from(["format", "join", "replace", "__add__", "get", "strip"]), inner
        ),
    )


SURROUNDINGS = [
    "{{{{ {0} }}}}",
    "{{% print {0} %}}",
    "{{% set x = {0} %}}{{{{ x }}}}",
    "{{% set x %}}{{{{ {0} }}}}{{% endset %}}{{{{ x }}}}",
    "{{% set x | trim %}}{{{{ {0} }}}}{{% endset %}}{{{{ x }}}}",
    "{{{{ m({0}, p) }}}}",
    "{{% call c() %}}{{{{ {0} }}}}{{% endcall %}}",
    "{{% for x in [{0}] %}}{{{{ x }}}}{{% endfor %}}",
    "{{% with x = {0} %}}{{{{ x }}}}{{% endwith %}}",
    "{{% if {0} %}}{{{{ p }}}}{{% else %}}{{{{ n }}}}{{% endif %}}",
]
MACROS = (
    "{% macro m(a, b) %}({{ a }}, {{ b }}){% endmacro %}{% macro c() %}({{ caller() }}){% endmacro %}"
    "{% set w %}({{ p }}){% endset %}"
)


@pytest.mark.once
@settings(max_examples=400)
@given(st.recursive(ATOMS, _deeper, max_leaves=6), st.sampled_from(SURROUNDINGS))
def test_no_nesting_writes_a_value(expression: str, surroundings: str):
    template = f"{MACROS}SELECT {surroundings.format(expression)}"
    try:
        query = render_string(template, context())
    except TemplateError:
        return

    # What is trusted is the text "tt"; all else must be placeholders.
    assert re.fullmatch(r"SELECT ?(?:[%s(), ]|tt|NULL)*", query.sql), template
    assert query.sql.count("%s") == len(query.params)


# The functions of our own.


def test_table_and_column_follow_the_model():
    assert (table("tests.Store"), column("tests.Store.region")) == ('"tests_store"', '"region_id"')
    assert (table("tests.store"), column("tests.Store.region_id")) == ('"tests_store"', '"region_id"')


def test_table_of_another_schema(monkeypatch: pytest.MonkeyPatch):
    """A name that Meta holds in quotes is SQL already."""
    monkeypatch.setattr(Store._meta, "db_table", '"archive"."store"')

    assert table("tests.Store") == '"archive"."store"'


def test_table_with_a_quote_in_its_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Store._meta, "db_table", 'a"b; --')

    assert table("tests.Store") == '"a""b; --"'


@pytest.mark.parametrize("name", ["", "Store", "tests", "tests.Store.name", "tests.Nothing", "nothing.Store", CANARY])
def test_table_of_an_unknown_model(name: str):
    with pytest.raises(TemplateError, match=r"there is no model .*; write app_label\.Model"):
        table(name)


@pytest.mark.parametrize(
    "name", ["tests.Store.", "tests.Store.tags", "tests.Store.figures", "tests.Store.pk", "tests.Store.x"]
)
def test_column_of_an_unknown_field(name: str):
    with pytest.raises(TemplateError, match=r"^tests\.Store has no column for a field .* \(it has: id, name, region\)"):
        column(name)


@pytest.mark.parametrize(
    ("text", "near"), [("{{ p | inclaus }}", "inclause"), ("{% if p is gven %}{% endif %}", "given")]
)
def test_unknown_name_in_a_branch_is_named_with_the_near_one(text: str, near: str):
    """Jinja finds it when the branch is taken."""
    with pytest.raises(TemplateError) as caught:
        render_string(f"SELECT 1\n{{% if p is given %}} {text} {{% endif %}}", {"p": [1]})

    assert str(caught.value).startswith("<template>:2: No ")
    assert str(caught.value).endswith(f"Did you mean {near!r}?")
