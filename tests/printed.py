"""Python that a command prints, run."""

from __future__ import annotations

import ast
from typing import Any

from django.apps import apps


def run_printed(code: str, name: str) -> dict[str, Any]:
    """Return what a module of that name defines, its models taken out of the app registry again."""
    ast.parse(code)
    before = {label: dict(models) for label, models in apps.all_models.items()}
    names: dict[str, Any] = {"__name__": name}
    try:
        exec(compile(code, "printed.py", "exec", dont_inherit=True), names)  # noqa: S102 - our own text
    finally:
        for label, models in before.items():
            apps.all_models[label].clear()
            apps.all_models[label].update(models)
        apps.clear_cache()
    return names
