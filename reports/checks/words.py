"""Words in a template that mean nothing here: filters, tests, models and fields."""

from __future__ import annotations

from collections.abc import Iterator

from django.core import checks
from jinja2 import nodes

from reports.checks.places import placed
from reports.checks.trees import Tree
from reports.environment import ALLOWED_FILTERS, column, environment, table
from reports.errors import TemplateError, listed, near

_FUNCTIONS = {"column": column, "table": table}


def check_filters(tree: Tree, obj: object) -> Iterator[checks.CheckMessage]:
    """E002: a filter or test that there is not; Jinja finds one in a branch only when the branch is taken."""
    filters, tests = ALLOWED_FILTERS, tuple(environment().tests)
    unknown = [
        (node.lineno, kind, node.name, names)
        for node in tree.root.find_all((nodes.Filter, nodes.Test))
        for kind, names in [("filter", filters) if isinstance(node, nodes.Filter) else ("test", tests)]
        if node.name not in names
    ]
    for line, kind, name, names in sorted(unknown):
        problem = f"No {kind} named {name!r} (allowed: {listed(names)}).{near(name, names)}"
        yield checks.Error(placed(tree.file, line, problem), obj=obj, id="reports.E002")


def check_models(tree: Tree, obj: object) -> Iterator[checks.CheckMessage]:
    """E005: ``table("…")`` or ``column("…")`` of a model or field that there is not."""
    set_here = {node.name for node in tree.root.find_all(nodes.Name) if node.ctx != "load"}
    set_here |= {node.name for node in tree.root.find_all(nodes.Macro)}
    found = []
    for node in tree.root.find_all(nodes.Call):
        name, argument = getattr(node.node, "name", None), node.args[0] if len(node.args) == 1 else None
        written = argument.value if isinstance(argument, nodes.Const) else None
        if (
            isinstance(node.node, nodes.Name)
            and name in _FUNCTIONS
            and name not in set_here
            and isinstance(written, str)
        ):
            try:
                _FUNCTIONS[name](written)
            except TemplateError as error:
                found.append((node.lineno, str(error)))
    for line, problem in sorted(found):
        yield checks.Error(
            placed(tree.file, line, problem),
            hint="Templates name models as app_label.Model and fields as app_label.Model.field.",
            obj=obj,
            id="reports.E005",
        )
