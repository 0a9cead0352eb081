"""Templates as Jinja's syntax trees."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import jinja2
from jinja2 import nodes

from reports.environment import environment
from reports.loader import find_template
from reports.rendering import compile_template


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed template."""

    name: str
    file: str
    root: nodes.Template


def read_tree(name: str) -> Tree:
    """Return the tree of a named template.

    Raises:
        TemplateNotFound: It does not exist; names the nearest.
        TemplateError: It is not valid; names file and line.
    """
    template = find_template(name)
    try:
        return _parsed(name, str(template.path), template.source)
    except jinja2.TemplateSyntaxError:
        compile_template(name)  # raises the same fault with our text
        raise


@lru_cache(maxsize=1024)
def _parsed(name: str, file: str, source: str) -> Tree:
    return Tree(name, file, environment().parse(source, name, file))


def named_templates(node: nodes.Expr) -> list[str] | None:
    """Return the names that an include, import or extends may mean; None when they are computed."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, (nodes.List, nodes.Tuple)):
        parts = [named_templates(item) for item in node.items]
    elif isinstance(node, nodes.CondExpr) and node.expr2 is not None:
        parts = [named_templates(node.expr1), named_templates(node.expr2)]
    else:
        return None
    return None if None in parts else [name for part in parts for name in part or ()]
