"""Reports of the tests."""

from __future__ import annotations

from django import forms

from reports import Report
from tests.models import FigureRow


class FigureParams(forms.Form):
    least = forms.DecimalField(required=False)
    labels = forms.MultipleChoiceField(required=False, choices=[("a", "A"), ("b", "B"), ("c", "C")])


class Figures(Report):
    """Monthly figures."""

    template = "tests/figures.sql"
    Params = FigureParams


class FigureInstances(Report):
    template = "tests/figures.sql"
    model = FigureRow
    Params = FigureParams
