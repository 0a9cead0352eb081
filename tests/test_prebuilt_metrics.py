"""What an aggregate is in a report: its type, its value over no row, how it is merged. Compared with the ORM's."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import django.contrib.postgres.aggregates as postgres
import pytest
from django.apps.registry import Apps
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models import (
    Avg,
    Case,
    Count,
    DecimalField,
    ExpressionWrapper,
    F,
    FloatField,
    Func,
    Max,
    Min,
    Q,
    StdDev,
    Sum,
    Value,
    Variance,
    When,
)
from django.db.models.functions import Abs, Cast, Coalesce, Concat, Greatest, Least, NullIf, Power, Round, Upper

from reports.describe import describe_columns
from reports.errors import DeclarationError
from reports.prebuilt import Ratio
from reports.prebuilt.vocabulary.facts import grouped
from reports.prebuilt.vocabulary.metrics import is_metric, read_metric
from reports.prebuilt.vocabulary.selection import Metrics, read_outputs
from reports.rendering import render_string
from reports.row_models import build_row_model
from reports.rows import Rows
from reports.source import TemplateSource
from reports.types import parse_type

# Django 6.1 has a class for each of these of its own, and calls PostgreSQL's deprecated.
BitAnd, BitOr, BitXor, StringAgg = (
    getattr(models, name, None) or getattr(postgres, name) for name in ("BitAnd", "BitOr", "BitXor", "StringAgg")
)
# Which takes an expression where Django 5.2 takes a text.
DELIMITER = Value(",") if hasattr(models, "StringAgg") else ","


class Thing(models.Model):
    """A field of each kind."""

    kind = models.IntegerField(null=True)
    small = models.PositiveSmallIntegerField(null=True)
    whole = models.IntegerField(null=True)
    big = models.BigIntegerField(null=True)
    exact = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    real = models.FloatField(null=True)
    flag = models.BooleanField(null=True)
    word = models.CharField(max_length=10, null=True)
    text = models.TextField(null=True)
    day = models.DateField(null=True)
    at = models.DateTimeField(null=True)
    clock = models.TimeField(null=True)
    long = models.DurationField(null=True)
    key = models.UUIDField(null=True)
    address = models.GenericIPAddressField(null=True)
    data = models.JSONField(null=True)
    numbers = ArrayField(models.IntegerField(), null=True)

    objects: ClassVar[models.Manager[Any]] = models.Manager()

    class Meta:
        apps = Apps()
        app_label = "tests"


@pytest.fixture
def things(db: None) -> None:
    """Rows with NULL in each column, duplicates, and groups without a value."""
    draw = random.Random(5)

    def thing(number: int) -> Thing:
        number = draw.randint(1, 6)
        values: dict[str, Any] = {
            "small": number * 1000,
            "whole": number * 300_000_000,
            "big": number * 10**16,
            "exact": Decimal(number) / 4 - 1,
            "real": number / 8 - 0.5,
            "flag": number > 2,
            "word": "aébcdef"[number],
            "text": "x" * number,
            "day": date(2024, 2, 25) + timedelta(days=number),
            "at": datetime(2025, 10, 25, 23, tzinfo=UTC) + timedelta(minutes=20 * number),
            "clock": time(number),
            "long": timedelta(hours=number, microseconds=number) * (-1) ** number,
            "key": UUID(int=number),
            "address": f"10.0.0.{number}",
            "data": {"n": number},
            "numbers": [number, number % 3],
        }
        kind = draw.choice([1, 2, 3, None])
        return Thing(kind=kind, **{name: None if kind == 3 or draw.random() < 0.2 else v for name, v in values.items()})

    with connection.schema_editor() as editor:
        editor.create_model(Thing)
    Thing.objects.bulk_create(map(thing, range(60)))


# Name, expression, type, value over no row, merge.
Known = tuple[str, Any, str, Any, str | None]


def _of_each_type() -> Iterator[Known]:
    """Yield the commonest aggregates of each type that has them."""
    for field in ("small", "whole"):
        yield f"sum_{field}", Sum(field), "bigint", None, "sum"
        yield f"max_{field}", Max(field), "bigint", None, "max"
    for field in ("small", "whole", "big", "real"):
        yield f"avg_{field}", Avg(field), "double precision", None, "mean"
        yield f"deviation_{field}", StdDev(field, sample=True), "double precision", None, None
    for field in ("small", "whole", "big"):
        yield f"bits_{field}", BitAnd(field), "bigint", None, "bit_and"
        yield f"any_bits_{field}", BitOr(field), "bigint", None, "bit_or"
        yield f"odd_bits_{field}", BitXor(field), "bigint", None, None
    types = {"exact": "numeric", "real": "double precision", "word": "text", "text": "text", "day": "date"}
    types |= {"at": "timestamptz", "clock": "time", "long": "interval", "address": "inet", "numbers": "integer[]"}
    for field, kind in types.items():
        yield f"min_{field}", Min(field), kind, None, "min"
        yield f"max_{field}", Max(field), kind, None, "max"
    for field in ("pk", "kind", "word", "data", "numbers"):
        yield f"count_{field}", Count(field), "bigint", 0, "sum"
        yield f"distinct_{field}", Count(field, distinct=True), "bigint", 0, None


OTHERS: list[Known] = [
    ("sum_big", Sum("big"), "bigint", None, "sum"),
    ("max_big", Max("big"), "bigint", None, "max"),
    ("sum_exact", Sum("exact"), "numeric", None, "sum"),
    ("sum_real", Sum("real"), "double precision", None, "sum"),
    ("sum_long", Sum("long"), "interval", None, "sum"),
    ("avg_exact", Avg("exact"), "numeric", None, "mean"),
    ("avg_long", Avg("long"), "interval", None, "mean"),
    ("variance", Variance("exact"), "numeric", None, None),
    ("rows", Count("*"), "bigint", 0, "sum"),
    ("some", Count("pk", filter=Q(word__gt="b") | Q(flag=True)), "bigint", 0, "sum"),
    ("none", Sum("whole", filter=Q(pk__in=[])), "bigint", None, "sum"),
    ("some_mean", Avg("exact", filter=Q(flag=True)), "numeric", None, "mean"),
    ("distinct_sum", Sum("exact", distinct=True), "numeric", None, None),
    ("distinct_mean", Avg("exact", distinct=True), "numeric", None, None),
    ("every", postgres.BoolAnd("flag"), "boolean", None, "bool_and"),
    ("any", postgres.BoolOr("flag"), "boolean", None, "bool_or"),
    ("words", postgres.ArrayAgg("word", order_by=["word", "-pk"]), "character varying[]", None, None),
    ("joined", StringAgg("word", DELIMITER, order_by=["word", "pk"]), "text", None, None),
    ("data", postgres.JSONBAgg("whole", order_by="pk"), "jsonb", None, None),
    ("slope", postgres.RegrSlope("real", "whole"), "double precision", None, None),
    ("pairs", postgres.RegrCount("real", "whole"), "bigint", 0, "sum"),
    ("related", postgres.Corr("real", "whole"), "double precision", None, None),
    ("sum_or_0", Sum("exact", default=0), "numeric", 0, "sum"),
    ("sum_or_1", Sum("exact", default=1), "numeric", 1, None),
    ("mean_or_0", Avg("exact", default=0), "numeric", 0, None),
    ("max_or_0", Max("exact", default=Decimal(0)), "numeric", 0, None),
    ("time_or_0", Sum("long", default=timedelta()), "interval", timedelta(), "sum"),
    ("coalesced", Coalesce(Sum("exact"), Decimal(0)), "numeric", 0, "sum"),
    ("coalesced_1", Coalesce(Sum("exact"), Decimal(1)), "numeric", 1, None),
    ("coalesced_distinct", Coalesce(Sum("exact", distinct=True), Decimal(0)), "numeric", 0, None),
    ("coalesced_time", Coalesce(Sum("long"), timedelta()), "interval", timedelta(), "sum"),
    ("coalesced_three", Coalesce(Sum("whole"), Min("whole"), 5), "bigint", 5, None),
    ("coalesced_last", Coalesce(Value(None), Count("pk"), output_field=models.IntegerField()), "bigint", 0, None),
    ("quotient", Sum("exact") / NullIf(Count("word"), 0), "numeric", None, None),
    ("share", Count("word") * 100.0 / NullIf(Count("pk"), 0), "double precision", None, None),
    ("half", Count("pk") / 2, "bigint", 0, None),
    ("missing", Count("pk") - Count("word"), "bigint", 0, None),
    ("fewer", Least(Count("pk"), Count("word")), "bigint", 0, None),
    ("most", Greatest(Sum("whole"), 3), "bigint", 3, None),
    ("sum_and_count", Sum("big") + Count("pk"), "bigint", None, None),
    ("rounded", Round(Avg("exact"), 2), "numeric", None, None),
    ("positive", Abs(Count("word")), "bigint", 0, None),
    ("cast", Cast(Count("word"), FloatField()), "double precision", 0, None),
    ("wrapped", ExpressionWrapper(Count("pk") + 1, output_field=DecimalField()), "numeric", 1, None),
    ("power", Power(Sum("real"), 2), "double precision", None, None),
    ("product", Sum(F("whole") / 7 * F("exact"), output_field=DecimalField()), "numeric", None, "sum"),
    ("exact_mean", Avg("whole", output_field=DecimalField()), "numeric", None, "mean"),
    ("float_mean", Avg("exact", output_field=FloatField()), "double precision", None, "mean"),
    ("mean_of_product", Avg(F("whole") * F("exact"), output_field=DecimalField()), "numeric", None, "mean"),
    ("case", Sum(Case(When(flag=True, then=F("exact")), default=Value(Decimal(0)))), "numeric", None, "sum"),
    ("upper", Upper(Max("word")), "text", None, None),
    ("no_mean", Avg("exact", filter=Q(pk__in=[])), "numeric", None, "mean"),
]
CASES = {name: case for name, *case in [*_of_each_type(), *OTHERS]}
# What a column is declared as, where PostgreSQL's own type is narrower.
WIDER = (
    ("smallint", "bigint"),
    ("integer", "bigint"),
    ("bigint", "numeric"),
    ("numeric", "bigint"),
    ("character varying", "text"),
    ("numeric", "double precision"),
)


def shape(name: str, *keys: str) -> tuple[Any, Any]:
    """Return one metric as a template sees it, and the facts, grouped by fields."""
    metric = read_metric(Thing.objects.all(), name, CASES[name][0])
    facts = grouped(Thing.objects.all(), {key: F(key) for key in keys}, [metric])
    return Metrics(read_outputs({name: CASES[name][0]}, (metric,))), facts


def result(metrics: Any, facts: Any, over: str | None = None) -> Any:
    """Return what a template makes of a metric, over all the groups of the facts."""
    macros = '{% import "prebuilt/macros/metrics.sql" as metric with context %}'
    text = f"{macros}SELECT {{% for each in metrics %}}{{{{ metric.column(each, 'f', over=over) }}}}{{% endfor %}}"
    query = render_string(f"{text} FROM {{{{ facts }}}} AS f", {"metrics": metrics, "facts": facts, "over": over})
    source = TemplateSource("tests.metric", query, None)
    (column,) = describe_columns(source, using="default")
    assert column.type == metrics.outputs[0].type
    model = build_row_model(f"tests.{column.name}", [replace(column, null=True)], ordering=(), file="")
    ((found,),) = [row.values() for row in Rows.of(source, model, ordering=(), using=None)]
    return found


def same(value: Any) -> Any:
    """Return what equals the value of another way to compute it: floats differ in their last digits."""
    return pytest.approx(value, rel=1e-12) if isinstance(value, float) else value


@pytest.mark.parametrize("name", CASES)
def test_metric_is_read(name):
    expression, kind, empty, merge = CASES[name]

    metric = read_metric(Thing.objects.all(), name, expression)

    assert (metric.type, metric.empty, metric.merge) == (kind, empty, merge)


@pytest.mark.parametrize("name", CASES)
def test_metric_is_what_the_orm_gives(name, things):
    metrics, facts = shape(name)

    value = result(metrics, facts)

    expected = Thing.objects.aggregate(**{name: CASES[name][0]})[name]
    assert value == same(expected)
    assert type(value) is type(expected)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[3]])
def test_merged_groups_are_the_whole(name, things):
    metrics, facts = shape(name, "kind", "small")

    value = result(metrics, facts, over="")

    assert value == same(Thing.objects.aggregate(**{name: CASES[name][0]})[name])


@pytest.mark.parametrize("name", CASES)
def test_metric_over_no_row_is_what_the_orm_gives(name, things):
    Thing.objects.all().delete()

    found = Thing.objects.filter(pk__gt=0).aggregate(**{name: CASES[name][0]})[name]

    assert found == CASES[name][2]


@pytest.mark.parametrize("name", CASES)
def test_type_holds_that_of_postgresql(name, things):
    """The template's cast loses nothing but digits that Django's field would lose as well."""
    _, declared, _, merge = CASES[name]
    _, facts = shape(name)
    query = render_string("{{ facts }}", {"facts": facts})

    columns = describe_columns(TemplateSource("tests.facts", query, None), using="default")

    kind = next(str(replace(parse_type(each.type), sizes=())) for each in columns if "of_" in each.name)
    assert declared == kind or merge == "mean" or (kind, declared) in WIDER


@pytest.mark.parametrize(
    ("name", "zero"),
    [
        ("rows", 0),
        ("sum_exact", 0),
        ("sum_long", timedelta()),
        ("distinct_pk", 0),
        ("half", 0),
        ("sum_or_1", None),
        ("avg_exact", None),
        ("max_day", None),
    ],
)
def test_zero_is_that_of_counts_and_sums(name, zero):
    metric = read_metric(Thing.objects.all(), name, CASES[name][0])

    assert metric.zero == zero


@pytest.mark.parametrize(
    "expression",
    [
        Power(Count("pk"), 2),
        Count("pk") % 2,
        Count("pk") / Count("word"),
        Case(When(Q(pk__gt=1), then=Count("pk")), default=Value(1)),
        Concat(Max("word"), Value("!")),
        Cast(Count("pk"), models.TextField()),
        Round(Sum("exact", default=Decimal("0.5"))),
        Abs(Sum("whole", default=-1)),
        Coalesce(Sum("long"), timedelta()) + Coalesce(Sum("long"), timedelta()),
        Max("whole") + Func(function="random", output_field=FloatField()),
    ],
)
def test_value_over_no_row_that_is_not_known_is_refused(expression):
    with pytest.raises(DeclarationError, match=r"^metric 'x': the value of .* over no row is not known"):
        read_metric(Thing.objects.all(), "x", expression)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        (
            Sum("exacd"),
            "metric 'x': there is no field 'exacd' .there are: address, .* Did you mean 'exact'",
        ),
        (Count("pk", filter=Q(word__lik="a")), "metric 'x': .*Unsupported lookup 'lik' for CharField"),
        (Sum(F("exact") * F("word")), "metric 'x': .*Cannot infer type of '\\*' expression involving these types"),
        (Sum("exact") + Sum("day"), "metric 'x': .*Cannot infer type of '\\+' expression involving these types"),
        (Max(F("exact"), output_field=models.Field()), "metric 'x' is a Field, which is no column's type; give it"),
        (Sum(Sum("exact")), "metric 'x': .*is an aggregate"),
        (Sum("other"), "metric 'x': there is no field 'other'"),
    ],
)
def test_metric_that_cannot_be_read_is_refused(expression, problem):
    with pytest.raises(DeclarationError, match=f"^{problem}"):
        read_metric(Thing.objects.all(), "x", expression)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Count("pk"), True),
        (Sum("a") / Count("b"), True),
        (Coalesce(Sum("a"), 0), True),
        (Case(When(Q(a=1), then=Sum("a"))), True),
        (Case(When(Q(a=1), then="a")), False),
        (Ratio("a", "b"), True),
        (F("a"), False),
        ("a", False),
        (Sum, False),
        (Thing.objects.all(), False),
        (None, False),
    ],
)
def test_metrics_are_aggregates(value, expected):
    assert is_metric(value) == expected


class Most(Max):
    """An aggregate of a project's own."""


class Weighted(Sum):
    function = "weighted"


def test_what_an_aggregate_of_a_project_means_is_not_guessed():
    assert read_metric(Thing.objects.all(), "x", Most("exact")).merge is None
    assert read_metric(Thing.objects.all(), "x", Weighted("exact")).merge is None


def test_mean_is_divided_after_its_parts_were_summed():
    metrics, facts = shape("some_mean", "kind")
    query = render_string(
        '{% import "prebuilt/macros/metrics.sql" as metric with context %}'
        "{% for each in metrics %}{{ metric.column(each, 'f', over='') }}{% endfor %}",
        {"metrics": metrics},
    )

    assert metrics.parts == ("sum_of_some_mean", "count_of_some_mean")
    assert query.sql == (
        '(sum("f"."sum_of_some_mean") ::numeric / nullif(sum("f"."count_of_some_mean") , 0))::numeric AS "some_mean"'
    )
    assert 'COUNT("tests_thing"."exact") FILTER (WHERE "tests_thing"."flag")' in str(facts.query)


@pytest.mark.parametrize("expression", [Sum("whole", filter=Q(pk__in=[])), Round(Sum("real", filter=Q(pk__in=[])))])
def test_filter_that_lets_nothing_pass_leaves_an_aggregate(expression, things):
    """Django would leave NULL or 0 in its place, and without an aggregate there is a row for each."""
    metric = read_metric(Thing.objects.all(), "x", expression)

    assert list(grouped(Thing.objects.all(), {}, [metric]).values_list("of_x")) == [(None,)]


def test_metrics_may_have_the_names_of_fields(things):
    """As of ``annotate()`` the second would be of the first."""
    given = {"whole": Count("pk"), "exact": Sum("exact"), "more": Sum("whole"), "sum_of_more": Avg("exact")}
    metrics = [read_metric(Thing.objects.all(), name, value) for name, value in given.items()]

    (row,) = grouped(Thing.objects.all(), {}, metrics)

    expected = Thing.objects.aggregate(n=Count("pk"), e=Sum("exact"), m=Sum("whole"))
    assert (row["of_whole"], row["of_exact"], row["of_more"]) == (expected["n"], expected["e"], expected["m"])
