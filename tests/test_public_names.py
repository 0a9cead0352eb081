"""What ``import reports`` promises."""

from __future__ import annotations

import inspect
import types

import pytest
from django.dispatch import Signal

import reports
from reports import execution


def test_names_are_sorted_and_complete():
    public = {
        name
        for name, value in vars(reports).items()
        if not name.startswith("_") and not isinstance(value, types.ModuleType)
    }

    assert reports.__all__ == sorted(reports.__all__)
    assert set(reports.__all__) == public


@pytest.mark.parametrize("name", reports.__all__)
def test_name_has_a_docstring_of_its_own(name: str):
    value = getattr(reports, name)
    if isinstance(value, Signal):  # a variable's is the text below it
        assert f'\n{name} = Signal()\n"""Sent ' in inspect.getsource(execution)
    else:
        assert vars(value).get("__doc__") or (inspect.isfunction(value) and value.__doc__)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in (reports.Report, reports.Rows)
        for name, value in vars(kind).items()
        if not name.startswith("_") and inspect.isfunction(inspect.unwrap(getattr(value, "__func__", value)))
    ],
)
def test_method_has_a_docstring(kind: type, name: str):
    assert (getattr(kind, name).__doc__ or "").endswith((".", ".\n", "\n        "))
