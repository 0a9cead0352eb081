"""Declarations that do not fit: at the class's definition what needs no model, else when its columns are read."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar

import pytest
from django import forms
from django.db import models
from django.db.models import Avg, Count, F, Max, QuerySet, Sum, Value

from reports import Report
from reports.errors import DeclarationError
from reports.header import Column
from reports.prebuilt import Fill, Period, PeriodTotals, Ratio
from reports.prebuilt.vocabulary.attributes import whole
from reports.prebuilt.vocabulary.declared import Prebuilt
from reports.prebuilt.vocabulary.names import LONGEST
from reports.registry import registered
from tests.models import Buyer, Sale, Store


def made(*bases: type, name: str = "Made", **attributes: Any) -> Any:
    return type(name, bases or (PeriodTotals,), {"__module__": "tests", **attributes})


GOOD: dict[str, Any] = {"source": Sale, "date_field": "at", "metrics": {"n": Count("pk")}}


def problems(**attributes: Any) -> tuple[str, ...]:
    """Return what is wrong, the class's name left out."""
    report = made(**{**GOOD, **attributes})
    with pytest.raises(DeclarationError) as caught:
        report.get_columns()
    assert all(each.startswith("Made: ") for each in caught.value.problems)
    assert str(caught.value) == " ".join(caught.value.problems)
    return tuple(each.removeprefix("Made: ") for each in caught.value.problems)


# The class's body.


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("metric", "metrics"),
        ("dimension", "dimensions"),
        ("sources", "source"),
        ("perod", "period"),
        ("strat", "start"),
        ("timezone", "time_zone"),
        ("date_feild", "date_field"),
        ("fil", "fill"),
        ("materialised", "materialized"),
    ],
)
def test_misspelt_attribute_is_refused(name, known):
    with pytest.raises(TypeError, match=rf"^Made has no attribute '{name}'\. Did you mean '{known}'\?$"):
        made(PeriodTotals, **{name: ["kind"]})  # type: ignore[arg-type]  # it is no name


def test_other_attributes_are_the_projects_own():
    def sources(self: Any) -> None: ...

    report = made(
        fields=["a"], title="t", _metric={}, sources=sources, periods_of=property(sources), Metric=Sum, limits=None
    )

    assert report.fields == ["a"]


def test_attribute_of_any_parent_is_known():
    class Paged:
        page = 20
        starts = 1

    assert made(Paged, PeriodTotals, starts=2).starts == 2
    assert made(PeriodTotals, Paged, starts=2).starts == 2


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"period": "decade"}, "Made.period is 'decade'; it must be one of hour, day,"),
        (
            {"period": ["day", "decade"]},
            r"Made.period is \['day', 'decade'\]; it must be one of .*, or a list of",
        ),
        ({"week_start": 0}, r"Made.week_start is 0; it must be a whole number from 1 to 7\."),
        ({"last": True}, r"Made.last is True; it must be a whole number from 1 to 10000, or None\."),
        ({"start": "2025-01-01"}, "Made.start is '2025-01-01'; it must be a date, a date and time with a zone,"),
        ({"time_zone": "Mars"}, "Made.time_zone is 'Mars'; it must be a time zone such as 'Europe/Berlin', or None"),
        ({"source": "tests.Sale"}, "Made.source is 'tests.Sale'; it must be a model or a QuerySet"),
        ({"source": Sale()}, r"Made.source is a Sale; it must be a model or a QuerySet"),
        ({"source": Report}, "Made.source is the class Report; it must be a model or a QuerySet"),
        ({"metrics": {"a": F("amount")}}, "Made.metrics is a dict; it must be .*, and 'a' is none"),
        ({"metrics": Sale.objects.all()}, "Made.metrics is a QuerySet; it must be a dict of aggregates by name"),
        ({"dimensions": "kind"}, "Made.dimensions is 'kind'; it must be a list of field names"),
        ({"dimensions": ["kind"] * 99 + [1]}, r"Made.dimensions is \['kind', .*…; it must be a list of field names"),
        ({"materialized": 1}, "Made.materialized is 1; it must be True or False, or None"),
        ({"fill": "none"}, "Made.fill is 'none'; it must be one of zero, null, last, or None"),
    ],
)
def test_value_that_an_attribute_may_not_have(attributes, problem):
    with pytest.raises(TypeError, match=problem) as caught:
        made(**attributes)

    assert len(str(caught.value)) < 300


def test_all_faults_of_a_class_are_told_at_once():
    with pytest.raises(TypeError) as caught:
        made(period="decade", metric={}, week_start=8)

    assert str(caught.value) == (
        "Made.period is 'decade'; it must be one of hour, day, week, iso_week, month, quarter, year, fiscal_quarter,"
        " fiscal_year, or a list of those. Made has no attribute 'metric'. Did you mean 'metrics'?"
        " Made.week_start is 8; it must be a whole number from 1 to 7."
    )


def test_mixins_are_checked_as_well():
    class Mixin:
        week_start = 8

    with pytest.raises(TypeError, match=r"Mixin.week_start is 8; it must be a whole number from 1 to 7\.$"):
        made(Mixin, PeriodTotals)


def test_parents_are_not_checked_by_the_vocabulary_of_their_children():
    child = made(vocabulary={**PeriodTotals.vocabulary, "last": whole(1, 7)})

    assert child.last is None


def test_own_attribute_needs_a_check_of_its_own():
    report = made(vocabulary={**PeriodTotals.vocabulary, "most": whole(1, 7)}, most=3)

    with pytest.raises(TypeError, match=r"Made.most is 9; it must be a whole number from 1 to 7"):
        made(report, most=9)


# What needs the models.


def test_every_fault_is_told_at_once():
    found = problems(
        metrics={"n": Count("pk"), "x": Sum("amuont"), "y": Sum("other"), "share": Ratio("n", "z")},
        dimensions=["kindd", "buyer__visits__step"],
        date_field="kind",
    )

    assert [each.partition("(")[0].strip() for each in found] == [
        "there is no field 'kindd'",
        "dimension 'buyer_visits_step' leads to many rows by 'buyer__visits'; take that model as the source.",
        "metric 'x': there is no field 'amuont'",
        "metric 'y': there is no field 'other'",
        "date_field 'kind' is a CharField, and no date.",
    ]


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        (["a b"], "metric 'a b' is no name for a column: it must be of letters, digits and underscores, and begin"),
        ([""], "metric '' is no name for a column: it must be of letters"),
        (['a"b'], "metric 'a\"b' is no name for a column: it must be of letters"),
        (["a%s"], "metric 'a%s' is no name for a column: it must be of letters"),
        (["1a"], "metric '1a' is no name for a column: it must be of letters"),
        (["_a"], "metric '_a' is no name for a column: it must be of letters"),
        (["a__b"], "metric 'a__b' is no name for a column: two underscores, or one at the end, mean something in"),
        (["a_"], "metric 'a_' is no name for a column: two underscores, or one at the end, mean something in"),
        (["ä" * 21], f"metric '{'ä' * 21}' is no name for a column: it has 42 bytes; there may be {LONGEST}."),
        (["pk"], "a column may not be called 'pk': Django means something else by it."),
        (["from_db"], "a column may not be called 'from_db': Django means something else by it."),
        (["period"], "there would be several columns of one name: period; rename a metric or a dimension."),
        (["kind"], "there would be several columns of one name: kind; rename a metric or a dimension."),
    ],
)
def test_name_of_a_metric_that_no_column_may_have(names, problem):
    found = problems(metrics=dict.fromkeys(names, Count("pk")), dimensions=["kind"])

    assert len(found) == len(names)
    assert found[0].startswith(problem)


def test_all_names_are_told_at_once():
    found = problems(metrics={"a b": Count("pk"), "c_": Count("pk")}, dimensions={"d e": "kind"})

    assert [each[:14] for each in found] == ["metric 'a b' i", "metric 'c_' is", "dimension 'd e"]


@pytest.mark.parametrize(
    ("dimensions", "problem"),
    [
        ({"a b": "kind"}, "dimension 'a b' is no name for a column"),
        (["kind", "kind"], "several dimensions would be called kind; give a dict of them by name."),
        (["pk"], "a column may not be called 'pk': Django means something else by it."),
        ({"period": "kind"}, "there would be several columns of one name: period; rename"),
        ({"buyer_id": "kind", "buyer": "buyer"}, "there would be several columns of one name: buyer_id; rename"),
    ],
)
def test_name_of_a_dimension_that_no_column_may_have(dimensions, problem):
    (found,) = problems(dimensions=dimensions)

    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("metrics", "problem"),
    [
        (
            {"n": Count("pk"), "r": Ratio("n", "nn")},
            "ratio 'r' is of 'nn', which is no metric (there are: n). Did you mean 'n'?",
        ),
        ({"n": Count("pk"), "r": Ratio("r", "n")}, "ratio 'r' is of 'r', which is no metric (there are: n)."),
        (
            {"n": Count("pk"), "last": Max("at"), "r": Ratio("n", "last")},
            "ratio 'r' is of 'last', which is a timestamptz and no number.",
        ),
    ],
)
def test_ratio_that_does_not_fit(metrics, problem):
    assert problems(metrics=metrics) == (problem,)


def test_metrics_over_different_rows_are_refused():
    found = problems(
        source=Buyer,
        date_field="joined",
        metrics={"n": Count("pk"), "sales": Count("sales"), "spent": Sum("sales__amount"), "visits": Count("visits")},
    )

    assert found == (
        "the metrics are over different rows, which would be multiplied (n: the source itself; sales, spent: sales;"
        " visits: visits).",
    )


def test_metric_over_two_relations_is_refused():
    found = problems(source=Store, date_field="", metrics={"n": Count("tags", filter=models.Q(figures__orders=1))})

    assert found[1] == "metric 'n' reads figures and tags, whose rows would multiply one another."


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"date_field": ""}, "date_field is not set; name a date of the source."),
        ({"date_field": "amount"}, "date_field 'amount' is a DecimalField, and no date."),
        (
            {"date_field": "at__date"},
            "date_field: 'at__date': Cannot resolve keyword 'date' into field. Join on 'at' not",
        ),
        ({"date_field": "buyer__visits__at"}, "date_field 'buyer__visits__at' leads to many rows by 'buyer__visits'"),
        (
            {"date_field": "day", "period": "hour"},
            "the period 'hour' is finer than date_field 'day', which holds dates.",
        ),
        ({"date_field": "day", "period": ["day", "hour"]}, "the period 'hour' is finer than date_field 'day', which"),
        ({"fill": Fill.ZERO}, "a filled series needs a start and an end, or last: an open range has no last period."),
        ({"fill": Fill.ZERO, "start": date(2025, 1, 1)}, "a filled series needs a start and an end, or last"),
    ],
)
def test_dates_that_do_not_fit(attributes, problem):
    (found,) = problems(**attributes)

    assert found.startswith(problem)


def test_date_without_a_zone_is_refused(settings):
    settings.USE_TZ = False

    assert problems() == ("date_field 'at' has no zone: USE_TZ is False.",)
    assert made(**{**GOOD, "date_field": "day"}).get_columns()


def test_wrong_declaration_is_told_by_every_use():
    report = made(**{**GOOD, "metrics": {"n": Sum("amuont")}})

    for use in (report.get_columns, report.get_row_model, report.get_ordering, report().run, report().query):
        with pytest.raises(DeclarationError, match=r"^Made: metric 'n': there is no field 'amuont'"):
            use()


# What classes share, and what they do not.


def test_classes_share_nothing_that_was_read():
    one = made(**GOOD, name="tests.one")
    other = made(one, name="tests.other", metrics={"total": Sum("amount")}, dimensions=["kind"])

    assert [column.name for column in one.get_columns()] == ["period", "n"]
    assert [column.name for column in other.get_columns()] == ["period", "kind", "total"]
    assert one._read is not other._read
    assert Prebuilt._read == {}


def test_class_without_a_source_is_no_report(monkeypatch):
    class Seen(PeriodTotals):
        """Shared by a project's reports."""

        week_start = 7
        get_source: ClassVar[Any] = lambda self: self.source

    assert PeriodTotals.is_abstract()
    assert Seen.is_abstract()
    assert not made(Seen, **GOOD).is_abstract()
    assert not [name for name, report in registered().items() if report.is_abstract()]


@pytest.mark.parametrize(
    ("attributes", "ordering"),
    [
        ({}, ("period",)),
        ({"dimensions": {"buyer": "buyer__name"}}, ("period", "buyer")),
        ({"source": Buyer, "date_field": "joined", "dimensions": ["name"]}, ("period", "name")),
        ({"ordering": ["-n", "period"]}, ("-n", "period")),
    ],
)
def test_ordering_is_the_classes_or_that_of_the_groups(attributes, ordering):
    assert made(**{**GOOD, **attributes}).get_ordering() == ordering


class Asked(forms.Form):
    metrics = forms.MultipleChoiceField(required=False, choices=[("n", "n")])
    dimensions = forms.MultipleChoiceField(required=False, choices=[("name", "name")])


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (
            None,
            (
                Column("period", "date", pk=True),
                Column("name", "character varying", pk=True),
                Column("n", "bigint"),
                Column("mean", "numeric", null=True),
                Column("rate", "numeric", null=True),
            ),
        ),
        (
            Asked,
            (
                Column("period", "date"),
                Column("name", "character varying"),
                Column("n", "bigint", null=True),
                Column("mean", "numeric", null=True),
                Column("rate", "numeric", null=True),
            ),
        ),
    ],
)
def test_columns_are_null_where_a_request_may_leave_them_out(form, expected):
    report = made(
        source=Buyer,
        date_field="joined",
        dimensions=["name"],
        metrics={"n": Count("pk"), "mean": Avg(Value(1), output_field=models.DecimalField()), "rate": Ratio("n", "n")},
        Params=form,
    )

    assert report.get_columns() == expected


def test_period_is_an_instant_where_hours_may_be_asked_for():
    (column, _) = made(**GOOD, period=[Period.DAY, Period.HOUR]).get_columns()

    assert column == Column("period", "timestamptz", pk=True)


def test_examples_are_the_classes():
    report = made(**GOOD, examples=[{}, {"period": "day"}])

    assert [(each.params, each.line) for each in report.get_examples()] == [({}, None), ({"period": "day"}, None)]


def test_report_keeps_nothing_of_a_run():
    """One instance may serve several threads."""
    report = made(**GOOD)(user="someone")
    report.query()

    assert vars(report) == {"user": "someone", "using": None}


def test_source_is_not_read_by_a_declaration():
    class Never(QuerySet[Any]):
        def _fetch_all(self) -> None:
            raise AssertionError("the source was read")

    report = made(**{**GOOD, "source": Never(Sale)})

    assert report.get_columns()
    assert report().query().sql
