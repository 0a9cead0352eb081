"""The names that ``get_context()`` gives a template, read from its source: a check runs no code of the project."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path
from types import FunctionType

from reports.prebuilt.vocabulary.declared import Prebuilt
from reports.report import Report

_Functions = dict[int, ast.FunctionDef]


def context_names(report: type[Report]) -> frozenset[str] | None:
    """Return the names, those of parent classes too; None when the source does not tell.

    It tells where each ``return`` has a dict with written keys, ``dict(name=…)``, ``super().get_context()``, or these
    joined by ``**`` or ``|``.
    """
    if issubclass(report, Prebuilt):  # its shape gives more
        return None
    found: set[str] = set()
    for cls in report.__mro__[: report.__mro__.index(Report)]:
        function = vars(cls).get("get_context")
        if function is None:
            continue
        names = _returned(function) if isinstance(function, FunctionType) else None
        if names is None:
            return None
        found |= names
    return frozenset(found)


def _returned(function: FunctionType) -> set[str] | None:
    path = Path(function.__code__.co_filename)
    try:
        node = _functions(path, path.stat().st_mtime_ns).get(function.__code__.co_firstlineno)
    except (OSError, SyntaxError, ValueError):
        return None
    if node is None or node.name != function.__name__:
        return None
    returned = [part.value for part in ast.walk(node) if isinstance(part, ast.Return)]
    return _union([_keys(value) for value in returned]) if returned else None


@lru_cache(maxsize=256)
def _functions(path: Path, changed: int) -> _Functions:
    """Return the functions of a module by their first line, that of a decorator if there is one."""
    return {
        min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)]): node
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.FunctionDef)
    }


def _keys(node: ast.expr | None) -> set[str] | None:
    """Return the keys of the dict that an expression gives; None when they are not all written in it."""
    if isinstance(node, ast.Dict):
        return _union(
            [
                _written(key) if key is not None else _keys(value)
                for key, value in zip(node.keys, node.values, strict=True)
            ]
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return _union([_keys(node.left), _keys(node.right)])
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        named = [{pair.arg} if pair.arg is not None else _keys(pair.value) for pair in node.keywords]
        return _union([*map(_keys, node.args), *named])
    if isinstance(node, ast.Call) and ast.unparse(node) == "super().get_context()":
        return set()  # the parent's own source tells
    return None


def _written(key: ast.expr) -> set[str] | None:
    return {key.value} if isinstance(key, ast.Constant) and isinstance(key.value, str) else None


def _union(parts: list[set[str] | None]) -> set[str] | None:
    known = [part for part in parts if part is not None]
    return set().union(*known) if len(known) == len(parts) else None
