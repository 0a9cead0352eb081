"""Values inside quotes and second statements, seen without rendering; and no fault where rendering finds none."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports import TemplateError
from reports.checks.quoting import faults_of
from reports.checks.trees import Tree
from reports.environment import environment
from reports.rendering import render_string
from tests.checking import Project
from tests.jinjasql_cases import CASES

QUOTED = "a bound value may not stand inside a string, quoted name, comment or dollar quote"


@pytest.fixture
def project(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(tmp_path, settings, monkeypatch)


def faults(text: str) -> list[tuple[int, str]]:
    tree = Tree("t", "t", environment().parse(text))
    return [(line, problem) for _, line, problem in faults_of(tree, {"p", "q"})]


@pytest.mark.parametrize(
    ("text", "line", "shown"),
    [
        ("SELECT '{{ p }}'", 1, "'{{ … }}'"),
        ("SELECT 1\nWHERE a LIKE '%{{ p }}%'", 2, "'%{{ … }}%'"),
        ("SELECT now() - interval '{{ p }} days'", 1, "'{{ … }} days'"),
        ('SELECT "{{ p }}"', 1, '"{{ … }}"'),
        ("SELECT 1 --\n-- AND a = {{ p }}", 2, "-- AND a = {{ … }}"),
        ("SELECT 1 /* {{ p }} */", 1, "/* {{ … }} */"),
        ("SELECT $$ {{ p }} $$", 1, "$$ {{ … }} $$"),
        ("SELECT '{{ p | upper }}'", 1, "'{{ … }}'"),
        ("SELECT '{{ p ~ 'x' }}'", 1, "'{{ … }}'"),
        ("SELECT '{{ p if q else 1 }}'", 1, "'{{ … }}'"),
        ("SELECT 1 FROM {{ tickets }} WHERE '{{ p }}'", 1, "'{{ … }}'"),
        ("SELECT 1 FROM {{ table('tests.Store') }} WHERE {{ p | identifier }} = '{{ p }}'", 1, "'{{ … }}'"),
        ("SELECT 1\n{% if q %}\n WHERE a = '{{ p }}'{% endif %}", 3, "'{{ … }}'"),
        ("SELECT 1\n{% if q %} 1 {% elif p %} 2 {% else %} '{{ p }}' {% endif %}", 2, "'{{ … }}'"),
        ("SELECT 1\n{% for x in q %} a = '{{ p }}' {% endfor %}", 2, "'{{ … }}'"),
        ("SELECT 1 {% if q %} 'a' {% endif %}\n'{{ p }}'", 2, "'{{ … }}'"),
        ("{% set a = 1 %}SELECT '{{ p }}'", 1, "'{{ … }}'"),
    ],
)
def test_value_inside_quotes(text: str, line: int, shown: str):
    assert faults(text) == [(line, f"{QUOTED}: {shown!r}. Write it alone and join with ||.")]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("SELECT 1; SELECT 2", 1),
        ("SELECT 1;\n-- a comment\nSELECT 2;", 3),
        ("SELECT ';';\n{{ p }}", 2),
        ("SELECT 1 {% if q %}\n; DROP TABLE t {% endif %}", 2),
    ],
)
def test_second_statement(text: str, line: int):
    assert faults(text) == [(line, "a template is one statement; here a second one begins.")]


@pytest.mark.parametrize(
    "text",
    [
        "SELECT 'it''s' || {{ p }} || 'a';  -- the end ; of it\n",
        "SELECT ';', $$;$$, \"a;b\" /* ; */ ; \n",
        "SELECT '{{ p | sqlsafe }}', '{{ t }}', \"{{ name }}\"",  # text of the author
        "SELECT '{% if q %}a{% endif %}', {{ p }}, '{% if q %}b{% endif %}'",
        "SELECT {% if q %}'{% else %}'{% endif %} {{ p }} {% if q %}'{% else %}'{% endif %}",
        "SELECT {% if q %}'a{% endif %}{{ p }}",
        "SELECT 'a {% if q %} b; c {% endif %}', {{ p }}",
        "SELECT 1 -- {% if q %} b; c {% endif %}\n, {{ p }}",
        "SELECT {% if q %}'{% else %}'{% endif %} b; c {% if q %}'{% else %}'{% endif %}",
        "{% macro m() %}' || {{ p }} || '{% endmacro %}SELECT '{{ m() }}', {{ p }}",
        "SELECT {% for p in [1] %}'{{ p }}'{% endfor %}",
        "SELECT {% if q %} 1; {% else %} 2; {% endif %}",
        "SELECT 1 -- {% if q %} note {% endif %}\n, {{ p }}",
        "SELECT {% if q %} 1 -- one {% else %}\n {{ p }} {% endif %}",
        "SELECT {% include 'x.sql' %} {{ p }}",
        "SELECT {% call m() %}'{{ p }}'{% endcall %}",
        "SELECT 'never closed {{ p }}",
    ],
)
def test_text_that_tells_nothing(text: str):
    """Whether these are at fault shows when they are rendered, if then."""
    assert faults(text) == []


def test_fault_of_a_report(project: Project):
    report = project.report("-- param: p text\nSELECT '{{ p }}'\n; SELECT 2")
    project.write("t/a.count.sql", "SELECT\n'{{ p }}'")

    messages = project.messages()

    assert [project.short(message.msg) for message in messages] == [
        f"a.sql:4: {QUOTED}: \"'{{{{ … }}}}'\". Write it alone and join with ||.",
        "a.sql:5: a template is one statement; here a second one begins.",
        f"a.count.sql:2: {QUOTED}: \"'{{{{ … }}}}'\". Write it alone and join with ||.",
    ]
    assert {(message.id, message.obj) for message in messages} == {("reports.E002", report)}


def test_blocks_of_a_child_are_not_read(project: Project):
    project.write("t/base.sql", "SELECT '{% block a %}{% endblock %}'")
    project.report("-- param: p text\n{% extends 't/base.sql' %}{% block a %}' || {{ p }} || '{% endblock %}")

    assert project.found() == []


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.sql is not None and not case.templates])
def test_no_fault_in_a_published_case(name: str):
    case = CASES[name]
    found = faults_of(Tree(name, name, environment().parse(case.template)), set(case.data))

    try:
        render_string(case.template, case.data)
    except TemplateError:
        return
    assert found == []


TEXTS = st.sampled_from(
    [
        "'",
        "''",
        '"',
        " -- ",
        "\n",
        "/*",
        "*/",
        ";",
        "$$",
        " a ",
        "{{ p }}",
        "{{ q }}",
        "{{ 'x' | sqlsafe }}",
        "E'",
        "\\",
    ]
)
BODIES = st.recursive(
    st.lists(TEXTS, max_size=5).map("".join),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda t: f"{{% if CONDITION %}}{t[0]}{{% else %}}{t[1]}{{% endif %}}"),
        inner.map(lambda t: f"{{% for x in q %}}{t}{{% endfor %}}"),
        inner.map(lambda t: f"{{% set s %}}{t}{{% endset %}}"),
        st.tuples(inner, inner).map("".join),
    ),
    max_leaves=5,
)


@given(body=BODIES)
def test_rendering_finds_the_fault_in_some_case(body: str):
    """A template that renders with every outcome of its conditions, each of its own, is not at fault."""
    first, *others = body.split("CONDITION")
    text = f"SELECT {first}" + "".join(f"c{i}{other}" for i, other in enumerate(others))
    for outcomes in product((True, False), repeat=len(others)):
        for q in ([], [1], [1, 2]):
            try:
                render_string(text, {"p": 1, "q": q, **{f"c{i}": outcome for i, outcome in enumerate(outcomes)}})
            except TemplateError:
                return

    assert faults(text) == []
