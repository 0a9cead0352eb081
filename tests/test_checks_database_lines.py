"""Template lines that no case renders: found for each branch, also when several stand on one line. No database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reports.checks.unrendered import RenderedLines
from reports.rendering import render


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    return tmp_path


def unrendered(folder: Path, text: str, *contexts: dict[str, Any], **others: str) -> list[str]:
    """Return ``file:lines text`` of what is never rendered; ``others`` are further templates by name."""
    (folder / "t.sql").write_text(text)
    for name, other in others.items():
        (folder / f"{name}.sql").write_text(other)
    lines = RenderedLines()
    for context in contexts or ({},):
        assert lines.render("t.sql", context, using="default") == render("t.sql", context)
    found = [fault.text.removeprefix(f"{folder}/") for _, fault in lines.faults()]
    return [text.replace("sql:", "").replace(": no example renders ", " ").replace("t. ", "") for text in found]


YES, NO = {"a": 1}, {"a": None}


@pytest.mark.parametrize(
    ("text", "contexts", "want"),
    [
        ("SELECT 1\nAS n", [{}], []),
        # Branches on one line.
        ("SELECT 1 {% if a is given %} + 2 {% endif %} + 3", [NO], ["t.1 '+ 2'."]),
        ("SELECT 1 {% if a is given %} + 2 {% endif %} + 3", [NO, YES], []),
        ("SELECT {% if a is given %} 1 {% else %} 2 {% endif %}", [YES], ["t.1 '2'."]),
        ("SELECT {% if a is given %} 1 {% else %} 2 {% endif %}", [NO], ["t.1 '1'."]),
        ("SELECT {% if not a is given %} 1 {% elif a == 1 %} 2 {% elif a == 2 %} 3 {% else %} 4 {% endif %}",
         [YES, NO], ["t.1 '3'."]),
        ("SELECT 1{% if a is given %}{{ - 1 }}{% endif %}", [NO], ["t.1 '{{ … }}'."]),
        # Branches on lines of their own; empty lines and comments do not count.
        ("SELECT 1\n{% if a is given %}\n+ 2\n+ 3\n\n-- why\n+ 4\n{% endif %}\n+ 5",
         [NO], ["t.3-4 '+ 2'.", "t.7 '+ 4'."]),
        ("SELECT 1\n{% if a is given %}\n\n-- only\n  /* a\n comment */\n{% endif %}", [NO], []),
        ("SELECT 1\n{# + 2 #}\n{% if a is given %}{# + 2 #}{% endif %}", [NO], []),
        ("SELECT 1\n{% if a is given %} {% if a == 2 %} + 2 {% endif %} + 3 {% endif %}", [YES], ["t.2 '+ 2'."]),
        # Loops.
        ("SELECT 1 {% for x in xs %} + {{ x }} {% endfor %}", [{"xs": []}], ["t.1 '+'."]),
        ("SELECT 1 {% for x in xs %} + {{ x }} {% endfor %}", [{"xs": [1]}], []),
        ("SELECT 1 {% for x in xs %} + 1 {% else %} + 2 {% endfor %}", [{"xs": [1]}], ["t.1 '+ 2'."]),
        ("SELECT {% for x in xs %}1{% if not loop.last %}, {% endif %}{% endfor %}", [{"xs": [1]}], ["t.1 ','."]),
        ("SELECT {% for x in xs %}1{% if not loop.last %}, {% endif %}{% endfor %}", [{"xs": [1, 2]}], []),
        # Macros and set blocks.
        ("{% macro m() %}1{% endmacro %}{% macro n() %}2{% endmacro %}SELECT {{ m() }}", [{}], ["t.1 '2'."]),
        ("{% macro m() %}{{ caller() }}{% endmacro %}SELECT {% call m() %}1{% endcall %}", [{}], []),
        ("{% set s %}1{% endset %}SELECT {{ s }}", [{}], []),
        ("{% set s %}{% if a is given %}1{% endif %}{% endset %}SELECT 2 {% if s|trim %} + {{ s }} {% endif %}", [NO],
         ["t.1 '1'."]),
        ("SELECT 1\n{% raw %}\n+ 2\n{% endraw %}", [{}], []),
        ("SELECT 1 + {{ 2 if a is given else 3 }}", [NO], []),
    ],
)  # fmt: skip
def test_lines(folder: Path, text: str, contexts: list[dict[str, Any]], want: list[str]):
    assert unrendered(folder, text, *contexts) == want


def test_include_that_is_never_reached(folder: Path):
    text = "SELECT 1\n{% if a is given %}{% include 'part.sql' %}{% endif %}"

    assert unrendered(folder, text, NO, part="+ 2\n") == ["t.2 '{% include … %}'."]
    assert unrendered(folder, text, NO, YES, part="+ 2\n") == []


def test_lines_of_an_included_template(folder: Path):
    found = unrendered(
        folder, "SELECT 1\n{% include 'part.sql' %}", NO, part="+ 1\n{% if a is given %}\n+ 2\n{% endif %}"
    )

    assert found == ["part.3 '+ 2'."]


def test_macros_of_an_imported_template(folder: Path):
    library = "{% macro one() %}\n1\n{% endmacro %}\n{% macro two() %}\n2\n{% endmacro %}\n"

    assert unrendered(folder, "{% import 'lib.sql' as lib %}SELECT {{ lib.one() }}", lib=library) == ["lib.5 '2'."]


def test_blocks_of_a_parent(folder: Path):
    parent = "SELECT {% block a %}\n1\n{% endblock %}, {% block b %}\n2\n{% endblock %}"
    child = "{% extends 'up.sql' %}{% block b %}3{% endblock %}"

    assert unrendered(folder, child, up=parent) == ["up.4 '2'."]
    assert unrendered(folder, child.replace("3", "{{ super() }}"), up=parent) == []


def test_only_some_files(folder: Path):
    (folder / "t.sql").write_text("SELECT 1 {% if false %} + 1 {% endif %} {% include 'part.sql' %}")
    (folder / "part.sql").write_text("{% if false %} + 2 {% endif %} + 3")
    lines = RenderedLines()
    lines.render("t.sql", {}, using="default")

    assert [Path(file).name for file, _ in lines.faults()] == ["part.sql", "t.sql"]
    assert [Path(file).name for file, _ in lines.faults([str(folder / "t.sql")])] == ["t.sql"]


def test_template_that_was_not_rendered_is_left(folder: Path):
    """Why is told by another fault."""
    assert list(RenderedLines().faults()) == []


def test_long_line_is_shortened(folder: Path):
    (found,) = unrendered(folder, f"SELECT 1 {{% if a is given %}} + {'1' * 100} {{% endif %}}", NO)

    assert found == f"t.1 '+ {'1' * 58}…'."


# -- against a slow way: each branch writes a word of its own, and those of the whole that are in no text are missing

nodes = st.recursive(
    st.just("word"),
    lambda inner: st.one_of(
        st.tuples(st.just("if"), st.sampled_from("abc"), st.lists(inner, max_size=3), st.lists(inner, max_size=2)),
        st.tuples(st.just("for"), st.sampled_from("xy"), st.lists(inner, min_size=1, max_size=2)),
    ),
    max_leaves=12,
)
contexts = st.fixed_dictionaries(
    {name: st.booleans() for name in "abc"} | {name: st.lists(st.just(0), max_size=2) for name in "xy"}
)


def written(parts: list[Any], words: list[str], end: str) -> str:
    """Return the template of a tree; each word is one line, or all are on one."""
    text = ""
    for part in parts:
        if part == "word":
            words.append(f"w{len(words)}w")
            text += f" + {words[-1]}{end}"
        elif part[0] == "if":
            _, name, yes, no = part
            text += f"{{% if {name} %}}{end}{written(yes, words, end)}{{% else %}}{end}"
            text += f"{written(no, words, end)}{{% endif %}}{end}"
        else:
            _, name, body = part
            text += f"{{% for i in {name} %}}{end}{written(body, words, end)}{{% endfor %}}{end}"
    return text


@given(
    parts=st.lists(nodes, max_size=4), cases=st.lists(contexts, min_size=1, max_size=3), end=st.sampled_from(["", "\n"])
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_are_those_whose_words_are_in_no_text(folder: Path, parts: list[Any], cases: list[Any], end: str):
    words: list[str] = []
    text = f"SELECT 1{end}{written(parts, words, end)}"
    (folder / "t.sql").write_text(text)
    lines = RenderedLines()

    queries = [lines.render("t.sql", case, using="default") for case in cases]

    assert queries == [render("t.sql", case) for case in cases]
    missing = {word for word in words if not any(word in query.sql for query in queries)}
    if end:
        places = [fault.text.removeprefix(f"{folder}/t.sql:").partition(": ")[0] for _, fault in lines.faults()]
        told = [range(int(place.split("-")[0]), int(place.split("-")[-1]) + 1) for place in places]
        rows = text.split("\n")
        assert {row[3:] for numbers in told for number in numbers for row in [rows[number - 1]]} == missing
    else:
        assert bool(list(lines.faults())) == bool(missing)
