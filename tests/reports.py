"""Reports of the tests."""

from __future__ import annotations

from django import forms

from reports import Report
from tests.models import FigureRow, TransferRow


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


class SettingsSeen(Report):
    template = "tests/settings_seen.sql"


class SlowRows(Report):
    template = "tests/slow_rows.sql"


class Faulty(Report):
    template = "tests/faulty.sql"


class Sets(Report):
    template = "tests/sets.sql"


class Writes(Report):
    template = "tests/writes.sql"


class RankedFigures(Report):
    """The same rows, the best first."""

    template = "tests/figures.sql"
    ordering = ("-revenue", "-id")
    Params = FigureParams


class RankedFigureInstances(RankedFigures):
    model = FigureRow


class StoreMonths(Report):
    """A key of two columns."""

    template = "tests/store_months.sql"


class Keyless(Report):
    template = "tests/keyless.sql"


class Shops(Report):
    """A foreign key whose column does not end in _id."""

    template = "tests/shops.sql"


class Undeclared(Report):
    """Columns that only PostgreSQL knows."""

    template = "tests/undeclared.sql"


class Quoted(Report):
    """Every character that could end a text too early."""

    template = "tests/quoted.sql"


class Transfers(Report):
    template = "tests/transfers.sql"
    model = TransferRow
