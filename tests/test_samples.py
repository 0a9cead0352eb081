"""Parameters to try a report with: its examples, and values that each field of its form takes."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.contrib.postgres import forms as postgres

from reports import Report
from reports.param_fields import FIELDS
from reports.samples import ALL, NO_OPTIONAL, Case, cases_of, examples_of
from tests.models import Region


@pytest.fixture
def report_of(tmp_path: Path, settings: Any) -> Any:
    """Make a report with a header and, if fields are given, a form."""
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}

    def make(header: str = "", **fields: forms.Field) -> type[Report]:
        (tmp_path / "sampled.sql").write_text(f"{header}SELECT 1 AS n")
        form = type("Params", (forms.Form,), dict(fields)) if fields else None
        return type("Sampled", (Report,), {"__module__": "tests", "template": "sampled.sql", "Params": form})

    return make


def cleaned(report: type[Report], case: Case) -> dict[str, Any]:
    form = report().form(case.params)
    assert form.errors == {}
    return form.cleaned_data


def test_report_without_parameters(report_of):
    assert cases_of(report_of()) == (Case(NO_OPTIONAL),)


def test_examples_have_their_lines(report_of):
    report = report_of('-- param: n integer\n-- example: {}\n-- example: {"n": 3}\n')

    assert examples_of(report) == (
        Case("example on line 2", {}, 2, is_example=True),
        Case("example on line 3", {"n": 3}, 3, is_example=True),
    )
    assert cases_of(report) == (Case(NO_OPTIONAL), Case(ALL, {"n": 3}), *examples_of(report))


def test_required_parameters_are_always_given(report_of):
    report = report_of("-- param: a integer required\n-- param: b date\n-- param: c text required default=x\n")

    assert cases_of(report) == (
        Case(NO_OPTIONAL, {"a": 1}),
        Case(ALL, {"a": 1, "b": date(2026, 1, 15), "c": "x"}),
    )


def test_only_required_parameters_make_one_case(report_of):
    assert [case.label for case in cases_of(report_of("-- param: a integer required\n"))] == [NO_OPTIONAL]


def test_values_of_the_fullest_example_come_first(report_of):
    """The ends of a period fit one another in one example, not across two."""
    report = report_of(
        "-- param: since date\n-- param: until date\n-- param: n integer\n"
        '-- example: {"since": "2030-01-01", "n": null}\n'
        '-- example: {"since": "2026-01-01", "until": "2026-02-01"}\n'
    )

    assert cases_of(report)[1] == Case(ALL, {"since": "2026-01-01", "until": "2026-02-01", "n": 1})


def test_default_comes_before_a_made_value(report_of):
    assert cases_of(report_of("-- param: n integer default=7\n"))[1].params == {"n": "7"}


@pytest.mark.parametrize(("default", "other"), [("true", False), ("false", True)])
def test_boolean_is_not_its_default(report_of, default: str, other: bool):
    """The default is tried without optional parameters."""
    report = report_of(b=forms.BooleanField(required=False, initial=default == "true"))

    assert cases_of(report)[1].params == {"b": other}


@pytest.mark.parametrize("listed", [False, True])
@pytest.mark.parametrize("kind", FIELDS)
def test_every_type_of_a_header(report_of, kind: str, listed: bool):
    report = report_of(f"-- param: p {kind}{' list' * listed}\n")

    case = cases_of(report)[1]

    assert case.missing == ()
    assert cleaned(report, case)["p"] not in (None, "", [], {})


@pytest.mark.parametrize(
    "field",
    [
        forms.BooleanField(),
        forms.CharField(min_length=30),
        forms.CharField(max_length=2, min_length=2),
        forms.ChoiceField(choices=[("", "any"), ("group", [("x", "X")])]),
        forms.DateTimeField(),
        forms.DecimalField(max_digits=3, decimal_places=2, min_value=5),
        forms.EmailField(),
        forms.FloatField(max_value=-4.5),
        forms.GenericIPAddressField(),
        forms.IntegerField(min_value=lambda: 40, max_value=50),
        forms.IntegerField(min_value=20, step_size=7),
        forms.JSONField(),
        forms.MultipleChoiceField(choices=[("a", "A"), ("b", "B")]),
        forms.NullBooleanField(),
        forms.RegexField(r"\d{4}-\d\d"),
        forms.SlugField(),
        forms.SplitDateTimeField(),
        forms.TypedChoiceField(choices=[(1, "one")], coerce=int),
        forms.URLField(assume_scheme="https"),
        forms.UUIDField(),
        postgres.DateRangeField(),
        postgres.HStoreField(),
        postgres.IntegerRangeField(),
        postgres.SimpleArrayField(forms.IntegerField(), max_length=1),
        postgres.SimpleArrayField(forms.CharField(), min_length=3),
        postgres.SplitArrayField(forms.IntegerField(), size=2),
    ],
    ids=lambda field: type(field).__name__,
)
def test_value_is_one_the_field_takes(report_of, field: forms.Field):
    report = report_of(p=field)

    case = cases_of(report)[-1]

    assert (case.missing, case.can_run) == ((), True)
    assert cleaned(report, case)["p"] not in (None, "", [], {})


def test_lists_have_two_items_where_they_may(report_of):
    """What a template writes between two items is rendered."""
    report = report_of(
        a=forms.MultipleChoiceField(choices=[(1, 1), (2, 2), (3, 3)]), b=postgres.SimpleArrayField(forms.IntegerField())
    )

    assert cases_of(report)[0].params == {"a": [1, 2], "b": [1, 1]}


def test_parameter_without_a_value_is_named(report_of):
    never = forms.RegexField("[^\\s\\S]", required=False)

    cases = cases_of(report_of(n=forms.IntegerField(), code=never))

    assert cases == (Case(NO_OPTIONAL, {"n": 1}), Case(ALL, {"n": 1}, missing=("code",)))


def test_required_parameter_without_a_value(report_of):
    cases = cases_of(report_of(code=forms.RegexField("[^\\s\\S]"), n=forms.IntegerField(required=False)))

    assert cases == (
        Case(NO_OPTIONAL, {}, missing=("code",), can_run=False),
        Case(ALL, {"n": 1}, missing=("code",), can_run=False),
    )


def test_value_of_an_example_needs_no_sample(report_of):
    report = report_of('-- example: {"code": "A-1"}\n', code=forms.RegexField("A-[0-9]"))

    assert cases_of(report)[0] == Case(NO_OPTIONAL, {"code": "A-1"})


def test_model_choice_is_the_first_object(report_of, db):
    first, second = Region.objects.create(name="b"), Region.objects.create(name="a")
    regions = Region.objects.order_by("name")
    report = report_of(
        one=forms.ModelChoiceField(regions),
        named=forms.ModelChoiceField(regions, to_field_name="name"),
        several=forms.ModelMultipleChoiceField(regions),
    )

    case = cases_of(report)[0]

    assert case.params == {"one": second.pk, "named": "a", "several": [second.pk, first.pk]}
    assert set(cleaned(report, case)) == {"one", "named", "several"}


def test_model_choice_of_an_empty_table(report_of, db):
    assert cases_of(report_of(region=forms.ModelChoiceField(Region.objects.all())))[0].missing == ("region",)


def test_form_is_that_of_the_example_user(report_of):
    class Params(forms.Form):
        def __init__(self, *args: Any, user: str, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.fields["team"] = forms.ChoiceField(choices=[(f"{user}'s", "")])

    class Teams(report_of()):  # type: ignore[misc]
        def get_form_kwargs(self) -> dict[str, Any]:
            return {"user": self.user}

        @classmethod
        def example_user(cls) -> str:
            return "ada"

    Teams.Params = Params

    assert cases_of(Teams)[0].params == {"team": "ada's"}
