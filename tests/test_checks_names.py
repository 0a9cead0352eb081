"""Names that nothing gives a template, parameters that nothing reads, conditions that leave out 0."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from django import forms
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import meta

from example_project.helpdesk.reports import DepartmentTickets
from reports import Report
from reports.checks.context_names import context_names
from reports.checks.reading import Reading
from reports.checks.statements import Statements
from reports.checks.values import Scope
from reports.environment import environment
from reports.loader import find_template, template_names
from tests.checking import Project
from tests.jinjasql_cases import CASES


@pytest.fixture
def project(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(tmp_path, settings, monkeypatch)


def undeclared(name: str, line: int, *, file: str = "a.sql", known: str = "n", near: str = "") -> str:
    return f"E004 {file}:{line}: {name!r} is undefined (the report has: {known}).{near and f' Did you mean {near!r}?'}"


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        ("SELECT {{ n }}, {{ m }}", "m", 4),
        ("SELECT {{ n }}\n{% if n is given %} + {{ m }} {% endif %}", "m", 5),
        ("SELECT {{ n }}\n{% if n is given %} 1 {% elif m is given %} 2 {% endif %}", "m", 5),
        ("SELECT {{ n }} {% if not (n == 1 and\nm == 2) %} 1 {% endif %}", "m", 5),
        ("SELECT {{ n }} {% for x in n %} {{ x }} {% endfor %}\n{{ x }}", "x", 5),
        ("SELECT {{ n }} {% for x in n %} {% set y = x %} {% endfor %}\n{{ y }}", "y", 5),
        ("SELECT {{ n }} {% for x in n %} 1 {% endfor %}\n{{ loop.index }}", "loop", 5),
        ("SELECT {{ n }} {{ y }}\n{% set y = 1 %}", "y", 4),
        ("SELECT {{ n }} {% macro f(a, b=1) %}\n{{ a }} {{ b }} {{ c }}{% endmacro %}{{ f(n) }}", "c", 5),
        ("SELECT {{ n }} {% macro f(a) %}\n{{ a }} {{ c }}{% endmacro %}", "c", 5),
        ("SELECT {{ n }} {% with a = 1 %}{{ a }}{% endwith %}\n{{ a }}", "a", 5),
        ("SELECT {{ n }} {% set a %}\n{{ m }}{% endset %}{{ a }}", "m", 5),
        ("SELECT {{ n }} {% block b %}\n{{ m }}{% endblock %}", "m", 5),
        ("SELECT {{ n }} = ANY({{ [1, {'a': \nm}] }})", "m", 5),
        ("SELECT {{ n | default(\nm) }}", "m", 5),
    ],
)
def test_undeclared_name(project: Project, text: str, name: str, line: int):
    project.report(f"-- param: n text\n{text}")

    assert project.found() == [undeclared(name, line)]


@pytest.mark.parametrize(
    "text",
    [
        "{% set a = 1 %}{{ a }}",
        "{% if n is given %}{% set a = n %}{% endif %}{% if n is given %}{{ a }}{% endif %}",
        "{% set a, b = 1, 2 %}{{ a }}{{ b }}",
        "{% set a %}{{ n }}{% endset %}{{ a }}",
        "{% set ns = namespace(a=1) %}{% set ns.b = 2 %}{{ ns.a + ns.b }}",
        "{% for k, v in dict(a=1).items() %}{{ k }}{{ v }}{{ loop.index }}{% else %}1{% endfor %}",
        "{% for x in [1] if x == n %}{{ x }}{% endfor %}",
        "{% for x in range(3) recursive %}{{ x }}{{ loop([1]) }}{% endfor %}",
        "{% macro f(a, b=1) %}{{ a }}{{ b }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ f(1) }}",
        "{% macro f() %}{{ later }}{% endmacro %}{% set later = 1 %}{{ f() }}",
        "{% macro f() %}{{ caller(1) }}{% endmacro %}{% call(x) f() %}{{ x }}{% endcall %}",
        "{% macro f(x) %}{% if x %}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
        "{% with a = 1, b = 2 %}{{ a }}{{ b }}{% endwith %}",
        "{% block b %}1{% endblock %}{{ self.b() }}",
        "{% block b %}{{ self.b() }}{% endblock %}",
        "{% set a | trim %} 1 {% endset %}{{ a }}",
        "{% if m is defined %}{{ m }}{% endif %}",
        "{{ m | default(1) }}{{ m }}",
        "{{ table('tests.Store') }}{{ column('tests.Store.name') }}{{ range(3) }}{{ true }}{{ none }}",
    ],
)
def test_name_that_is_given(project: Project, text: str):
    project.report(f"-- param: n text\nSELECT {{{{ n }}}} {text}")

    assert project.found() == []


def test_undeclared_name_is_told_once_with_the_nearest(project: Project):
    report = project.report("-- param: least integer\nSELECT {{ lest }}\n + {{ lest }} + {{ least }}")

    (message,) = project.messages()

    assert project.short(message.msg) == undeclared("lest", 4, known="least", near="least").removeprefix("E004 ")
    assert message.id == "reports.E004"
    assert message.hint == "Declare it as a parameter, set it in the template, or return it from get_context()."
    assert message.obj is report


def test_names_of_included_templates(project: Project):
    project.write("t/where.sql", "WHERE a = {{ n }}\nAND b = {{ m }} AND c = {{ local }}")
    project.report("-- param: n text\nSELECT 1 {% set local = 2 %} {% include 't/where.sql' %}")

    assert project.found() == [undeclared("m", 2, file="where.sql")]


@pytest.mark.parametrize(
    ("statement", "read", "found"),
    [
        ("{% import 't/lib.sql' as lib with context %}", "lib.one(1)", []),
        ("{% from 't/lib.sql' import one as o with context %}", "o(1)", []),
        ("{% import 't/lib.sql' as lib with context %}", "lib.two()", [undeclared("m", 2, file="lib.sql")]),
        (
            "{% import 't/lib.sql' as lib %}",
            "lib.one(1)",
            ["E004 lib.sql:1: 'n' is undefined: the template is imported without context."],
        ),
    ],
)
def test_names_of_imported_macros(project: Project, statement: str, read: str, found: list[str]):
    """A library's macro that nothing calls may read what this report does not have."""
    project.write("t/lib.sql", "{% macro one(a) %}{{ a }}{{ n }}{% endmacro %}\n{% macro two() %}{{ m }}{% endmacro %}")
    project.report(f"-- param: n text\n{statement}SELECT {{{{ n }}}} {{{{ {read} }}}}")

    assert project.found() == found


def test_names_of_parents_and_blocks(project: Project):
    project.write(
        "t/base.sql",
        "SELECT {{ top }} {% block a %}{{ unread }}{% endblock %}\n"
        "{% for x in [1] %}{% block b scoped %}{{ x }}{{ y }}{% endblock %}"
        "{% block c %}\n{{ x }}{% endblock %}{% endfor %}",
    )
    project.report(
        "-- param: n text\n{% extends 't/base.sql' %}{% set top = 1 %}\n"
        "{% block a %}{{ n }}{{ top }}\n{{ m }}{% endblock %}{% block b %}{{ super() }}{% endblock %}"
    )

    assert project.found() == [
        undeclared("m", 6),
        undeclared("y", 2, file="base.sql"),
        undeclared("x", 3, file="base.sql"),
    ]


def test_names_of_a_count_template(project: Project):
    project.write("t/a.count.sql", "SELECT count(*)\nWHERE {{ m }} = {{ n }}")
    project.report("-- param: n text\nSELECT 1")

    assert project.found() == [undeclared("m", 2, file="a.count.sql")]


# get_context().


class Known(Report):
    def get_context(self) -> Mapping[str, object]:
        if self.user:
            return {"tickets": 1, **super().get_context()}
        return dict(tickets=2, stores=1) | {"c": 3}  # noqa: C408 - one of the forms that are read


class Inherits(Known):
    def get_context(self) -> Mapping[str, object]:
        return {**super().get_context(), "more": 1}


class Computed(Report):
    def get_context(self) -> Mapping[str, object]:
        return {f"dep{name}": 1 for name in ("artments",)}


class Called(Known):
    def get_context(self) -> Mapping[str, object]:
        context = dict(super().get_context())
        context["own"] = 1
        return context


written: dict[str, Any] = {}
exec("def get_context(self):\n    return {'a': 1}", written)  # noqa: S102 - a function without a file


@pytest.mark.parametrize(
    ("report", "names"),
    [
        (Report, set()),
        (Known, {"tickets", "stores", "c"}),
        (Inherits, {"tickets", "stores", "c", "more"}),
        (Computed, None),
        (Called, None),
        (type("Lambda", (Report,), {"get_context": lambda self: {}}), None),
        (type("Builtin", (Report,), {"get_context": dict}), None),
        (type("Written", (Report,), {"get_context": written["get_context"]}), None),
        (DepartmentTickets, {"departments", "tickets"}),
    ],
)
def test_names_that_get_context_gives(report: type[Report], names: set[str] | None):
    assert context_names(report) == names


def test_names_of_get_context_that_is_read(project: Project):
    project.report("-- param: n text\nSELECT {{ n }}, {{ tickets }}, {{ ticket }}", get_context=Known.get_context)

    assert project.found() == [undeclared("ticket", 4, known="c, n, stores, tickets", near="tickets")]


def test_names_of_get_context_that_cannot_be_read(project: Project):
    """Only a misspelt parameter is sure: near one that nothing reads. ``departments`` is near one that is read."""
    project.report(
        "-- param: department text\n-- param: opened_from date\n"
        "SELECT {{ department }}, {{ departments }}, {{ opend_from }}, {{ anything }}",
        get_context=Computed.get_context,
    )

    assert project.found() == [
        undeclared("opend_from", 5, known="department, opened_from", near="opened_from"),
        "W002 a.sql:4: the parameter 'opened_from' is read nowhere.",
    ]


class Cleans(forms.Form):
    n = forms.CharField()

    def clean(self) -> dict[str, Any]:
        return {**self.cleaned_data, "made": 1}


class Grows(forms.Form):
    n = forms.CharField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["n" + "m"] = forms.CharField()


def test_names_that_the_form_makes(project: Project):
    project.report("SELECT {{ n }} {{ made }}\n{{ mad }}", Params=Cleans)
    project.report("SELECT {{ n }} {{ nm }}", file="t/b.sql", Params=Grows, name="b")

    assert project.found() == [undeclared("mad", 4)]


# Parameters that nothing reads.


def test_unused_parameter(project: Project):
    report = project.report("-- param: n text\n-- param: m text\nSELECT {{ n }} {% set m = 1 %}{{ m }}")

    (message,) = project.messages()

    assert (project.short(message.msg), message.id) == ("a.sql:4: the parameter 'm' is read nowhere.", "reports.W002")
    assert (message.hint, message.obj) == ("Take it out of the declaration, or read it: {{ m }}.", report)


def test_unused_parameter_of_a_form(project: Project):
    class Form(forms.Form):
        n = forms.CharField()

    project.report("SELECT 1", Params=Form)

    assert project.found() == [f"W002 a.sql: the parameter 'n' of {Form.__qualname__} is read nowhere."]


@pytest.mark.parametrize(
    "text",
    [
        "{% include 't/part.sql' %}",
        "{% include ['t/none.sql', 't/part.sql'] %}",
        "{% include 't/part.sql' if true else 't/other.sql' %}",
        "{% set name = 't/part.sql' %}{% include name %}",
        "{% macro unread() %}{{ n }}{% endmacro %}",
        "{% if n is defined %} 1 {% endif %}",
    ],
)
def test_parameter_that_may_be_read(project: Project, text: str):
    project.write("t/part.sql", "{{ n }}")
    project.write("t/other.sql", "1")
    project.report(f"-- param: n text\nSELECT {text}")

    assert project.found() == []


def test_parameter_that_a_method_reads(project: Project):
    class Form(forms.Form):
        since = forms.DateField()
        until = forms.DateField()
        other = forms.DateField()

        def clean(self) -> dict[str, Any]:
            if self.cleaned_data["since"] > self.cleaned_data["until"]:
                raise forms.ValidationError("turned round")
            return self.cleaned_data

    project.report("SELECT {{ since }}", Params=Form)

    assert project.found() == [f"W002 a.sql: the parameter 'other' of {Form.__qualname__} is read nowhere."]


def test_parameter_that_a_wrapped_method_reads(project: Project):
    class Form(forms.Form):
        a = forms.CharField()
        b = forms.CharField()
        c = forms.CharField()

        @classmethod
        def first(cls) -> str:
            return "a"

        @property
        def second(self) -> str:
            return "b"

        @lru_cache(maxsize=1)  # noqa: B019 - a wrapped method
        def third(self) -> tuple[str, ...]:
            return ("c", "d")

    project.report("SELECT 1", Params=Form)

    assert project.found() == []


# Conditions.


def test_truth_test_of_a_number_is_an_error(project: Project):
    """0 would drop the clause in silence; a text has no such value, and 'is given' is meant."""
    report = project.report(
        "-- param: n integer\n-- param: b boolean\n-- param: word text\n"
        "SELECT 1 {% if word %} + 1 {% endif %}\n{% if n is given and word or not b %} + 2 {% endif %}\n"
        "+ {{ 3 if n else 4 }}\n"
    )

    number, boolean = sorted(project.messages(), key=lambda message: message.msg, reverse=True)

    assert project.short(boolean.msg) == "a.sql:7: {% if b %} leaves out 0 and false."
    assert project.short(number.msg) == "a.sql:8: {% if n %} leaves out 0 and false."
    assert (boolean.id, number.id, boolean.obj, number.obj) == ("reports.E003", "reports.E003", report, report)
    assert number.hint == "Write {% if n is given %}, which is false for None and empty only."
    assert boolean.hint == ("Write {% if b is given %}, which is false for None and empty only; or {% if b is true %}.")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{% if n == 1 %}1{% elif\nn %}2{% endif %}", 5),
        ("{% for x in [1] if\nn %}1{% endfor %}", 5),
        ("{% include 't/part.sql' %}", 1),
        ("{% for n in [1] %}{% if n %}1{% endif %}{% endfor %}", None),
        ("{% macro f(n) %}{% if n %}1{% endif %}{% endmacro %}{{ f(1) }}", None),
        ("{% if n > 0 and n is given %}1{% endif %}", None),
    ],
)
def test_truth_test_where(project: Project, text: str, line: int | None):
    project.write("t/part.sql", "{% if n %}1{% endif %}")
    project.report(f"-- param: n integer\nSELECT {{{{ n }}}} {text}")

    file = "part.sql" if line == 1 else "a.sql"
    assert project.found() == ([f"E003 {file}:{line}: {{% if n %}} leaves out 0 and false."] if line else [])


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("{% set m = n %}{% if m %}1{% endif %}", "m"),
        ("{% with m = n %}{% if not m %}1{% endif %}{% endwith %}", "m"),
        ("{% macro f(v) %}{% if v %}1{% endif %}{% endmacro %}{{ f(word) }}{{ f(n) }}", "v"),
        ("{% macro f(v=n) %}{% if v %}1{% endif %}{% endmacro %}{{ f() }}", "v"),
        ("{% set m = n | default(1) %}{% if m %}1{% endif %}", None),
        ("{% set m = n is given %}{% if m %}1{% endif %}", None),
        ("{% set m = [n] %}{% if m %}1{% endif %}", None),
        ("{% set m = n or word %}{% if m %}1{% endif %}", None),
        ("{% for x in [n] %}{% if x %}1{% endif %}{% endfor %}", None),
        ("{% macro f(v) %}{% if v %}1{% endif %}{% endmacro %}{{ f(word) }}", None),
    ],
)
def test_truth_test_of_a_number_by_another_name(project: Project, text: str, written: str | None):
    project.report(f"-- param: n integer\n-- param: word text\nSELECT {{{{ n }}}} {{{{ word }}}} {text}")

    problem = f"E003 a.sql:5: {{% if {written} %}} leaves out 0 and false of the parameter 'n'."
    assert project.found() == ([problem] if written else [])


def _own_code(value: str) -> int:
    raise AssertionError("a check runs no code of the project")


@pytest.mark.parametrize(
    ("field", "is_told"),
    [
        (forms.TypedChoiceField(choices=[(0, "none"), (1, "one")], coerce=int, required=False), True),
        (forms.TypedChoiceField(choices=[("all", [("0", "none")])], coerce=float, required=False), True),
        (forms.TypedChoiceField(choices=[(1, "one"), (2, "two")], coerce=int, required=False), False),
        (forms.TypedChoiceField(choices=[("", "any"), (1, "one")], coerce=int, required=False), False),
        (forms.TypedChoiceField(choices=[("x", "x")], coerce=Decimal, required=False), False),
        (forms.TypedChoiceField(choices=[("x", "x")], coerce=int, required=False), False),
        (forms.TypedChoiceField(choices=[(0, "none")], coerce=_own_code, required=False), False),
        (forms.TypedMultipleChoiceField(choices=[(0, "none")], coerce=int, required=False), False),
        (forms.ChoiceField(choices=[("0", "none")], required=False), False),
    ],
)
def test_truth_test_of_a_choice(project: Project, field: forms.Field, is_told: bool):
    """A choice of 0 is a value like any other; the text of it is not false."""
    project.report("SELECT 1 {% if n %} + {{ n }} {% endif %}", Params=type("Params", (forms.Form,), {"n": field}))

    assert project.found() == (["E003 a.sql:3: {% if n %} leaves out 0 and false."] if is_told else [])


# Against Jinja's own reading, which follows nothing but knows one template exactly.


def read_by_jinja(text: str) -> set[str]:
    return meta.find_undeclared_variables(environment().parse(text)) - set(environment().globals)


@pytest.mark.parametrize("name", template_names())
def test_reads_of_templates_are_jinjas(name: str):
    assert {read.name for read in Reading(name).reads} == read_by_jinja(find_template(name).source)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.templates])
def test_reads_of_published_cases_are_jinjas(project: Project, name: str):
    text = CASES[name].template
    project.write("t/a.sql", text)

    assert {read.name for read in Reading("t/a.sql").reads} == read_by_jinja(text)


NAMES = st.sampled_from("abc")
PIECES = st.recursive(
    NAMES.map(lambda name: f"{{{{ {name} }}}}"),
    lambda inner: st.one_of(
        st.tuples(NAMES, inner).map(lambda p: f"{{% for {p[0]} in [1] %}}{p[1]}{{% endfor %}}"),
        st.tuples(NAMES, inner).map(lambda p: f"{{% with {p[0]} = 1 %}}{p[1]}{{% endwith %}}"),
        # Each set in a scope of its own: Jinja takes a name for set, which it is not, before its statement and, in one
        # branch, for not set, which it is.
        st.tuples(NAMES, inner).map(lambda p: f"{{% with %}}{{% set {p[0]} = 1 %}}{p[1]}{{% endwith %}}"),
        inner.map(lambda text: f"{{% with %}}{{% set d %}}{text}{{% endset %}}{{{{ d }}}}{{% endwith %}}"),
        st.tuples(inner, inner).map(lambda p: f"{{% if true %}}{p[0]}{{% else %}}{p[1]}{{% endif %}}"),
        st.tuples(inner, inner).map("".join),
    ),
    max_leaves=8,
)


@given(text=PIECES)
def test_reads_are_jinjas(text: str):
    statements = Statements()
    statements.read(environment().parse(text).body, Scope("t"))

    assert {read.name for read in statements.reads} == read_by_jinja(text)
