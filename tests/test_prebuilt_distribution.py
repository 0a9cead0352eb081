"""Histograms, percentiles, box plots and ages against oracles that look at every row."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, localcontext
from itertools import pairwise
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import pytest
from django import forms
from django.apps.registry import Apps
from django.db import connection, models
from django.db.models import Count, DurationField, ExpressionWrapper, F, Sum
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import Ageing, BoxPlot, Histogram, HistogramScale, PercentileMethod, Percentiles, Ratio
from reports.testing import assert_scans
from tests.models import Sale
from tests.sales import days, instants, near, sales, stored, zones

Facts = Sequence[Mapping[str, Any]]

METRICS = {
    "total": Sum("amount"),
    "kinds": Count("kind", distinct=True),
    "share": Ratio("kinds", "sales"),
    "sales": Count("pk"),
}
ENDS: Sequence[Any] = (Decimal("-1.00"), 0, 0.5, 1, Decimal("2.50"), 10**6)
FRACTIONS = (0.0, 0.1, 0.25, 0.5, 0.9, 0.999, 1.0)


class Amounts(Histogram):
    name = "tests.amounts"
    source = Sale
    value = "amount"
    metrics = METRICS


class Places(Percentiles):
    name = "tests.places"
    source = Sale
    value = "amount"
    metrics = {"sales": Count("pk"), "total": Sum("amount")}
    percentiles = (0, 10, 25, 50, Decimal("90.0"), 99.9, 100)


class Boxes(BoxPlot):
    name = "tests.boxes"
    source = Sale
    value = "amount"
    metrics = {"sales": Count("pk")}


class Ages(Ageing):
    name = "tests.ages"
    source = Sale
    date_field = "at"
    metrics = METRICS


def subclass(report: type[Any], **attributes: Any) -> type[Any]:
    return type(report.__name__, (report,), attributes)


def figures(facts: Facts) -> dict[str, Any]:
    """Return the count and the metrics of some rows, counted slowly."""
    amounts = [fact["amount"] for fact in facts if fact["amount"] is not None]
    names = {fact["kind"] for fact in facts if fact["kind"] is not None}
    return {
        "rows": len(facts),
        "total": sum(amounts, Decimal()) if amounts else None,
        "kinds": len(names),
        "share": near(Decimal(len(names)) / len(facts)) if facts else None,
        "sales": len(facts),
    }


def by_kind(facts: Sequence[Any]) -> dict[Any, list[Any]]:
    groups = defaultdict(list)
    for fact in facts:
        groups[fact["kind"]].append(fact)
    return groups


# The SQL.

HISTOGRAM = """
WITH bucket_ends AS (
    SELECT (%s)::numeric AS low,
           greatest(max(v.of_value)::numeric, (%s)::numeric) AS high
    FROM (SELECT "tests_sale"."amount" AS "of_value" FROM "tests_sale" WHERE "tests_sale"."amount" NOT IN ('NaN',
        'Infinity', '-Infinity')) AS v
),
bucket_steps AS (
    SELECT low, high, CASE WHEN low < high THEN (%s)::integer WHEN low = high THEN 1 END AS steps
    FROM bucket_ends
),
bucket_edges AS (
    SELECT array_agg(CASE i WHEN 0 THEN low WHEN steps THEN high ELSE trim_scale(edge) END ORDER BY i)::numeric[] AS
        edges
    FROM bucket_steps
    CROSS JOIN generate_series(0, steps) AS i
    CROSS JOIN LATERAL (SELECT low + (high - low) * i / steps AS edge) AS e
),
facts AS  (SELECT (width_bucket("tests_sale"."amount", (SELECT edges FROM bucket_edges)) - ("tests_sale"."amount" =
    (SELECT edges[cardinality(edges)] FROM bucket_edges))::integer) AS "by_bucket", "tests_sale"."kind" AS
    "by_kind", COUNT("tests_sale"."id") AS "of_rows", SUM("tests_sale"."amount") AS "of_total", COUNT(DISTINCT
    "tests_sale"."kind") AS "of_kinds", COUNT("tests_sale"."id") AS "of_sales" FROM "tests_sale" WHERE
    "tests_sale"."amount" NOT IN ('NaN', 'Infinity', '-Infinity') GROUP BY 1, 2),
buckets AS (
    -- Beyond the ends of the array is NULL, as is the edge that the outer buckets have not.
    SELECT i AS bucket, edges[i] AS low, edges[i + 1] AS high
    FROM bucket_edges
    CROSS JOIN generate_series(0, cardinality(edges) - 1) AS i
)
SELECT b.bucket, b.low, b.high, "d"."by_kind" AS "kind",
    coalesce(("f"."of_rows")::bigint, (%s)::bigint) AS "rows",
    ("f"."of_total")::numeric AS "total",
    coalesce(("f"."of_kinds")::bigint, (%s)::bigint) AS "kinds",
    ("f"."of_kinds")::numeric / nullif(("f"."of_sales")::numeric, 0) AS "share",
    coalesce(("f"."of_sales")::bigint, (%s)::bigint) AS "sales"
FROM buckets AS b
CROSS JOIN (SELECT DISTINCT "facts"."by_kind" FROM facts) AS d
LEFT JOIN facts AS f ON f.by_bucket = b.bucket AND ARRAY["f"."by_kind"] = ARRAY["d"."by_kind"]
"""
PERCENTILES = """
WITH facts AS  (SELECT "tests_sale"."kind" AS "by_kind", COUNT("tests_sale"."amount") AS "of_rows",
    percentile_cont((%s)::double precision[]) WITHIN GROUP (ORDER BY "tests_sale"."amount") AS "cuts_of_value",
    COUNT("tests_sale"."id") AS "of_sales", SUM("tests_sale"."amount") AS "of_total" FROM "tests_sale" GROUP BY 1)
SELECT "f"."by_kind" AS "kind", ("f"."of_rows")::bigint AS "rows",
    f.cuts_of_value[1]::double precision AS "p0",
    f.cuts_of_value[2]::double precision AS "p10",
    f.cuts_of_value[3]::double precision AS "p25",
    f.cuts_of_value[4]::double precision AS "p50",
    f.cuts_of_value[5]::double precision AS "p90",
    f.cuts_of_value[6]::double precision AS "p99_9",
    f.cuts_of_value[7]::double precision AS "p100",
    ("f"."of_sales")::bigint AS "sales",
    ("f"."of_total")::numeric AS "total"
FROM facts AS f
"""
BOX_PLOT = """
WITH box_values AS (SELECT "tests_sale"."kind" AS "by_kind", "tests_sale"."amount" AS "of_value" FROM "tests_sale"
    WHERE "tests_sale"."amount" IS NOT NULL),
facts AS  (SELECT "tests_sale"."kind" AS "by_kind", COUNT("tests_sale"."amount") AS "of_rows",
    percentile_cont((%s)::double precision[]) WITHIN GROUP (ORDER BY "tests_sale"."amount") AS "cuts_of_value",
    MIN("tests_sale"."amount") AS "of_min", MAX("tests_sale"."amount") AS "of_max", COUNT("tests_sale"."id") AS
    "of_sales" FROM "tests_sale" GROUP BY 1),
fences AS (
    SELECT b.low - (%s)::double precision * (b.high - b.low) AS low,
           b.high + (%s)::double precision * (b.high - b.low) AS high, "b"."by_kind"
    FROM (
        SELECT cuts_of_value[1]::double precision AS low, cuts_of_value[3]::double precision AS high,
            "facts"."by_kind"
        FROM facts
    ) AS b
),
whiskers AS MATERIALIZED (
    -- The table is on the outer side of the join, and all of it is read before the next one: once, whatever is
        estimated.
    SELECT min(v.of_value) FILTER (WHERE v.of_value >= q.low) AS low, max(v.of_value) FILTER (WHERE v.of_value <=
        q.high) AS high,
           count(*) FILTER (WHERE v.of_value < q.low OR v.of_value > q.high) AS outliers, "v"."by_kind"
    FROM box_values AS v
    LEFT JOIN fences AS q ON true AND ARRAY["q"."by_kind"] = ARRAY["v"."by_kind"]
    GROUP BY "v"."by_kind"
)
SELECT "f"."by_kind" AS "kind", ("f"."of_rows")::bigint AS "rows",
    f.of_min::numeric AS min,
    w.low::numeric AS low_whisker,
    f.cuts_of_value[1]::double precision AS q1,
    f.cuts_of_value[2]::double precision AS median,
    f.cuts_of_value[3]::double precision AS q3,
    w.high::numeric AS high_whisker,
    f.of_max::numeric AS max,
    coalesce(w.outliers, 0) AS outliers,
    ("f"."of_sales")::bigint AS "sales"
FROM facts AS f
LEFT JOIN whiskers AS w ON true AND ARRAY["w"."by_kind"] = ARRAY["f"."by_kind"]
"""
AGEING = """
WITH facts AS  (SELECT (%s - width_bucket("tests_sale"."at", (%s)::timestamptz[])) AS "by_bucket",
    "tests_sale"."kind" AS "by_kind", COUNT("tests_sale"."id") AS "of_rows", SUM("tests_sale"."amount") AS
    "of_total", COUNT(DISTINCT "tests_sale"."kind") AS "of_kinds", COUNT("tests_sale"."id") AS "of_sales" FROM
    "tests_sale" WHERE "tests_sale"."at" IS NOT NULL GROUP BY 1, 2),
buckets AS (
    -- Beyond the ends of the array is NULL: the future has no first day, the last bucket no end.
    SELECT i AS bucket, edges[i] AS low, edges[i + 1] AS high
    FROM (SELECT (%s)::integer[] AS edges) AS e
    CROSS JOIN generate_series(0, cardinality(edges)) AS i
)
SELECT b.bucket,
    CASE WHEN b.low IS NULL THEN 'future'
         WHEN b.high IS NULL THEN b.low || '+'
         WHEN b.high = b.low + 1 THEN b.low::text
         ELSE b.low || '-' || b.high - 1 END AS label,
    b.low AS from_days, b.high AS to_days, "d"."by_kind" AS "kind",
    coalesce(("f"."of_rows")::bigint, (%s)::bigint) AS "rows",
    ("f"."of_total")::numeric AS "total",
    coalesce(("f"."of_kinds")::bigint, (%s)::bigint) AS "kinds",
    ("f"."of_kinds")::numeric / nullif(("f"."of_sales")::numeric, 0) AS "share",
    coalesce(("f"."of_sales")::bigint, (%s)::bigint) AS "sales"
FROM buckets AS b
CROSS JOIN (SELECT DISTINCT "facts"."by_kind" FROM facts) AS d
LEFT JOIN facts AS f ON f.by_bucket = b.bucket AND ARRAY["f"."by_kind"] = ARRAY["d"."by_kind"]
"""
MIDNIGHTS = [datetime(2025, 1, 2, tzinfo=UTC) - timedelta(days=number) for number in (90, 60, 30, 0)]


@pytest.mark.parametrize(
    ("report", "sql", "params"),
    [
        (subclass(Amounts, dimensions=["kind"], buckets=4, low=0), HISTOGRAM, (Decimal(0), Decimal(0), 4, 0, 0, 0)),
        (subclass(Places, dimensions=["kind"]), PERCENTILES, (list(FRACTIONS),)),
        (subclass(Boxes, dimensions=["kind"]), BOX_PLOT, ([0.25, 0.5, 0.75], Decimal("1.5"), Decimal("1.5"))),
        (
            subclass(Ages, dimensions=["kind"], as_of=date(2025, 1, 1), time_zone="UTC"),
            AGEING,
            (4, MIDNIGHTS, [0, 30, 60, 90], 0, 0, 0),
        ),
    ],
)
def test_sql_is_that_of_an_expert(report, sql, params):
    query = report().query()

    assert (query.sql.split(), query.params) == (sql.split(), params)


# Histograms.


def is_in(value: Any, low: Any, high: Any, *, is_last: bool) -> bool:
    return (low is None or low <= value) and (high is None or value < high or (is_last and value == high))


def expected_edges(numbers: Sequence[Decimal], low: Any, high: Any, buckets: int, scale: str) -> list[Any]:
    """Return the edges that numbers come to, nearly; none when nothing says where they begin or end."""
    numbers = [number for number in numbers if scale == HistogramScale.LINEAR or number > 0]
    if not numbers and (low is None or high is None):
        # An end that is given is the other end as well.
        return [bound for bound in (low, high) if bound is not None] * 2
    first = low if low is not None else min(numbers) if high is None else min(*numbers, high)
    last = high if high is not None else max(numbers) if low is None else max(*numbers, low)
    if first == last:
        return [first, last]
    with localcontext(prec=60):
        first, last = Decimal(first), Decimal(last)
        if scale == HistogramScale.LOG:
            between = [first * (last / first) ** (Decimal(i) / buckets) for i in range(1, buckets)]
            return [first, *(pytest.approx(edge, rel=Decimal("1e-14")) for edge in between), last]
        between = [first + (last - first) * i / buckets for i in range(1, buckets)]
        return [first, *map(near, between), last]


def check_histogram(rows: Sequence[dict[str, Any]], facts: Facts, field: str, edges: Sequence[Any]) -> None:
    """Compare the rows of one group's buckets with its facts."""
    inner = [row for row in rows if row["low"] is not None and row["high"] is not None]
    assert [row["low"] for row in inner] == list(edges[:-1])
    assert [row["high"] for row in inner] == list(edges[1:])
    assert all(one["high"] == other["low"] and one["bucket"] + 1 == other["bucket"] for one, other in pairwise(rows))
    for row in rows:
        bucket, low, high = row.pop("bucket"), row.pop("low"), row.pop("high")
        is_last = bucket == len(inner)
        known = [fact for fact in facts if fact[field] is not None]
        above = [fact for fact in known if low is None or low <= fact[field]]
        if bucket > len(inner):  # its low edge belongs to the last bucket
            above = [fact for fact in known if fact[field] > low]
        assert row == figures([fact for fact in above if is_in(fact[field], None, high, is_last=is_last)])


bounds = st.one_of(st.none(), st.sampled_from([Decimal(1), 2, 500, 10**7]))


@pytest.mark.django_db
@settings(max_examples=60)
@given(
    facts=sales(),
    field=st.sampled_from(["amount", "quantity"]),
    ends=st.tuples(bounds, st.one_of(st.none(), st.sampled_from([Decimal("10000000.5"), 10**9]))),
    buckets=st.integers(1, 7),
    scale=st.sampled_from(HistogramScale),
    outside=st.booleans(),
)
def test_histogram_is_that_of_the_oracle(facts, field, ends, buckets, scale, outside):
    low, high = ends
    report = subclass(Amounts, value=field, low=low, high=high, buckets=buckets, scale=scale, outside=outside)
    numbers = [Decimal(fact[field]) for fact in facts if fact[field] is not None]
    edges = expected_edges(numbers, low, high, buckets, scale)

    with stored(facts):
        rows = list(report().run())

    has_edges = bool(edges)
    assert [row["bucket"] for row in rows[:1]] == [
        0 if outside and (low is not None or scale == HistogramScale.LOG) else 1
    ][:has_edges]
    assert bool(rows and rows[-1]["high"] is None) == (outside and high is not None)
    check_histogram(rows, facts, field, edges)


@pytest.mark.django_db
@settings(max_examples=40)
@given(
    facts=sales(),
    edges=st.lists(st.sampled_from(ENDS), min_size=2, unique=True).map(sorted),
)
def test_histogram_of_edges_has_every_bucket_of_every_group(facts, edges):
    known = [fact for fact in facts if fact["amount"] is not None]

    with stored(facts):
        rows = list(subclass(Amounts, edges=edges, dimensions=["kind"])().run())

    groups = by_kind(rows)
    assert set(groups) == set(by_kind(known))
    for kind, found in groups.items():
        assert [row.pop("bucket") for row in found] == list(range(len(edges) + 1))
        for low, high, row in zip([None, *edges], [*edges, None], found, strict=True):
            assert (row.pop("low"), row.pop("high"), row.pop("kind")) == (low, high, kind)
            facts_of = [
                fact for fact in by_kind(known)[kind] if is_in(fact["amount"], low, high, is_last=high == edges[-1])
            ]
            if high is None:
                facts_of = [fact for fact in facts_of if fact["amount"] > low]
            assert row == figures(facts_of)


@pytest.mark.django_db
def test_histogram_of_one_value_has_one_bucket():
    with stored([{"amount": Decimal("2.50")}, {"amount": Decimal("2.50")}, {"amount": None}]):
        rows = list(Amounts().run().values_list("bucket", "low", "high", "rows"))

    assert rows == [(1, Decimal("2.50"), Decimal("2.50"), 2)]


@pytest.mark.django_db
def test_histogram_of_no_value_has_no_row_without_edges():
    assert list(Amounts().run()) == []
    assert [row["rows"] for row in subclass(Amounts, low=0, high=10, buckets=2)().run()] == [0, 0, 0, 0]
    assert [row["rows"] for row in subclass(Amounts, edges=(0, 10), outside=False)().run()] == [0]


@pytest.mark.django_db
def test_histogram_puts_the_largest_value_into_the_last_bucket():
    """PostgreSQL's width_bucket() with a low and a high puts it into one of its own, as Metabase's bins come out."""
    with stored([{"quantity": number} for number in range(11)]):
        rows = list(subclass(Amounts, value="quantity", buckets=5)().run().values_list("low", "high", "rows"))

    assert rows == [(0, 2, 2), (2, 4, 2), (4, 6, 2), (6, 8, 2), (8, 10, 3)]


@pytest.mark.django_db
def test_histogram_has_the_edges_that_a_decimal_says():
    """0.1 + 0.2 is 0.3 here: bins of floats put 0.3 below it."""
    with stored([{"amount": Decimal(number) / 10} for number in (0, 1, 2, 3, 3, 10)]):
        rows = list(subclass(Amounts, buckets=10)().run().values_list("low", "rows"))

    assert rows == [(Decimal(number) / 10, count) for number, count in enumerate([1, 1, 1, 2, 0, 0, 0, 0, 0, 1])]


@pytest.mark.django_db
def test_histogram_on_a_logarithmic_scale_has_powers_of_ten():
    with stored([{"amount": Decimal(text)} for text in ("-5", "0", "0.01", "9.99", "10", "99", "100", "10000")]):
        rows = list(subclass(Amounts, scale="log", buckets=6)().run().values_list("bucket", "low", "rows"))

    assert [str(low) for _, low, _ in rows] == ["None", "0.01", "0.1", "1", "10", "100", "1000"]
    assert [(bucket, count) for bucket, _, count in rows] == [(0, 2), (1, 1), (2, 0), (3, 1), (4, 2), (5, 1), (6, 1)]


@pytest.mark.django_db
def test_histogram_on_a_logarithmic_scale_ends_where_the_values_do():
    """Whatever power() and rounding make of it."""
    amounts = Decimal("0.07"), Decimal("999999999999.99")
    cube = F("amount") * F("amount") * F("amount")

    with stored([{"amount": amount} for amount in amounts]), localcontext(prec=60):
        rows = list(subclass(Amounts, value=cube, scale="log", buckets=3, outside=False)().run())
        assert (rows[0]["low"], rows[-1]["high"]) == (amounts[0] ** 3, amounts[1] ** 3)

    assert [row["rows"] for row in rows] == [1, 0, 1]


class Reading(models.Model):
    """Numbers as they come from a device."""

    number = models.FloatField(null=True)
    small = models.SmallIntegerField(null=True)

    objects: ClassVar[Any] = models.Manager()

    class Meta:
        apps = Apps()
        app_label = "tests"


@pytest.fixture
def readings(db: None) -> Callable[..., None]:
    with connection.schema_editor() as editor:
        editor.create_model(Reading)

    def store(*numbers: float | None) -> None:
        Reading.objects.bulk_create(Reading(number=number) for number in numbers)

    return store


class Numbers(Histogram):
    name = "tests.numbers"
    source = Reading
    value = "number"
    buckets = 2


def test_histogram_leaves_out_what_is_not_finite(readings):
    readings(1.0, 2.0, 3.0, math.nan, math.inf, -math.inf, None)

    assert list(Numbers().run().values_list("low", "high", "rows")) == [(1.0, 2.0, 1), (2.0, 3.0, 2)]


@pytest.mark.parametrize(
    "numbers",
    [
        (1.7e308, -1.7e308, 1.0),  # their difference is no double
        (3e-300, 2e-300, 0.0),
        (1.0, 1.0000000000000002),  # no double is between
        (0.1, 0.1 + 0.2, 0.7),
        (123456789012345.67, 123456789012345.69),
    ],
)
@pytest.mark.parametrize("scale", HistogramScale)
def test_histogram_of_binary_numbers_loses_none(readings, numbers, scale):
    readings(*numbers)

    rows = list(subclass(Numbers, scale=scale, buckets=7)().run())

    assert sum(row["rows"] for row in rows) == len(numbers)
    positive = [number for number in numbers if number > 0 or scale == HistogramScale.LINEAR]
    assert (rows[-1]["high"], rows[-7]["low"]) == (max(positive), min(positive))
    edges = [row["high"] for row in rows]
    assert edges == sorted(edges)


def test_histogram_of_a_float_has_the_edges_of_its_text(readings):
    readings(0.1, 0.3)

    assert [row["high"] for row in subclass(Numbers, edges=(0.1, 0.2, 0.3))().run()] == [0.1, 0.2, 0.3, None]


@pytest.mark.django_db
@pytest.mark.parametrize("dimensions", [(), ("kind",)])
@pytest.mark.parametrize(
    ("attributes", "scans"), [({}, 2), ({"low": 0}, 2), ({"low": 0, "high": 9}, 1), ({"edges": (0, 9)}, 1)]
)
def test_histogram_reads_the_table_twice_where_it_looks_for_its_ends(attributes, scans, dimensions):
    assert scans <= Histogram.scans
    with stored([{"amount": Decimal(number)} for number in range(9)]):
        assert_scans(subclass(Amounts, dimensions=dimensions, **attributes)().run(), {Sale: scans})


@pytest.mark.django_db
def test_histogram_finds_its_ends_by_an_index():
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # the table is small
        plan = subclass(Amounts, value="id")().run().plan()

    assert plan.uses_index("tests_sale_pkey")


class Asked(Amounts):
    name = "tests.asked"
    dimensions = ("kind",)

    class Params(forms.Form):
        buckets = forms.IntegerField(required=False)
        low = forms.FloatField(required=False)
        high = forms.FloatField(required=False)
        edges = forms.TypedMultipleChoiceField(choices=[(n, n) for n in (3, 1, 2)], coerce=int, required=False)
        dimensions = forms.CharField(required=False)
        metrics = forms.CharField(required=False)


@pytest.mark.django_db
def test_histogram_takes_its_edges_from_a_request():
    with stored([{"amount": Decimal(2), "kind": "a"}]):
        rows = list(Asked().run({"low": 0, "high": 4, "buckets": 2, "metrics": "total", "dimensions": "kind"}))
        edges = [row["low"] for row in Asked().run({"edges": [1, 3]})]

    assert [tuple(row.values()) for row in rows] == [
        (0, None, 0, "a", 0, None, None, None, None),
        (1, 0, 2, "a", 0, None, None, None, None),
        (2, 2, 4, "a", 1, 2, None, None, None),
        (3, 4, None, "a", 0, None, None, None, None),
    ]
    assert edges == [None, 1, 3]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"buckets": 0}, "buckets: It must be a whole number from 1 to 1000."),
        ({"buckets": 10**6}, "buckets: It must be a whole number from 1 to 1000."),
        ({"low": 5, "high": 5}, "high: It must be above low."),
        ({"edges": [3, 1]}, "edges: It must be a list of 2 to 1001 finite numbers in ascending order, or None."),
        ({"edges": [3]}, "edges: It must be a list of 2 to 1001 finite numbers in ascending order, or None."),
    ],
)
def test_histogram_refuses_a_request(params, message):
    with pytest.raises(ParamsError) as error:
        Asked().query(params)

    assert str(error.value) == f"report 'tests.asked': {message}"


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"buckets": 0}, "Amounts.buckets is 0; it must be a whole number from 1 to 1000."),
        ({"buckets": True}, "Amounts.buckets is True; it must be a whole number from 1 to 1000."),
        ({"high": Decimal("1e400")}, "Amounts.high is a Decimal; it must be a finite number, or None."),
        ({"low": math.nan}, "Amounts.low is nan; it must be a finite number, or None."),
        (
            {"edges": (1, 1)},
            "Amounts.edges is (1, 1); it must be a list of 2 to 1001 finite numbers in ascending order, or None.",
        ),
        (
            {"edges": (1, Decimal("Infinity"))},
            "Amounts.edges is a tuple; it must be a list of 2 to 1001 finite numbers in ascending order, or None.",
        ),
        ({"scale": "root"}, "Amounts.scale is 'root'; it must be one of linear, log."),
        ({"value": 5}, "Amounts.value is 5; it must be a field's name or an expression."),
    ],
)
def test_histogram_refuses_an_attribute(attributes, message):
    with pytest.raises(TypeError) as error:
        subclass(Amounts, **attributes)

    assert str(error.value) == message


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"value": ""}, "value is not set; name a field of the source, or give an expression."),
        (
            {"value": "amout"},
            "value: there is no field 'amout' (there are: amount, at, buyer, buyer_id, day, id, kind, quantity, shelf,"
            " shelf_id, until). Did you mean 'amount'?",
        ),
        (
            {"value": "kind"},
            "value is a character varying, which is none of bigint, double precision, integer, numeric, real, smallint."
            " Of a duration take Extract(…, 'epoch').",
        ),
        ({"value": "buyer__visits__id"}, "value leads to many rows by 'buyer__visits'; take that model as the source."),
        ({"low": 5, "high": 5}, "high is 5; it must be above low."),
        ({"low": 0, "scale": "log"}, "low is 0; it must be above 0 on a logarithmic scale."),
        ({"edges": (0, 1), "low": 0, "buckets": 5}, "edges are given, and so low would mean nothing."),
        ({"start": date(2025, 1, 1)}, "start bound a date, and date_field is not set."),
        (
            {"dimensions": {"low": "kind"}},
            "there would be several columns of one name: low; rename a metric or a dimension.",
        ),
        (
            {"metrics": {"visits": Count("buyer__visits")}},
            "the metrics are over different rows, which would be multiplied (rows: the source itself;"
            " visits: buyer__visits).",
        ),
    ],
)
def test_histogram_refuses_a_declaration(attributes, message):
    with pytest.raises(DeclarationError) as error:
        subclass(Amounts, **attributes).get_columns()

    assert str(error.value) == f"Amounts: {message}"


@pytest.mark.django_db
def test_histogram_counts_the_rows_of_a_range():
    facts = [{"quantity": number, "at": datetime(2025, 1, number, tzinfo=UTC)} for number in range(1, 9)]
    report = subclass(
        Amounts, value="quantity", date_field="at", start=date(2025, 1, 3), end=date(2025, 1, 6), time_zone="UTC"
    )

    with stored(facts):
        rows = list(report().run().values_list("low", "high", "rows"))

    assert (rows[0][0], rows[-1][1], sum(count for *_, count in rows)) == (3, 5, 3)


# Percentiles.


def place(ordered: Sequence[Any], fraction: float, method: str) -> Any:
    """Return what is at a fraction of sorted values."""
    if not ordered:
        return None
    if method == PercentileMethod.DISC:
        return ordered[max(math.ceil(fraction * len(ordered)) - 1, 0)]
    at = fraction * (len(ordered) - 1)
    low, high = float(ordered[math.floor(at)]), float(ordered[math.ceil(at)])
    return low + (at - math.floor(at)) * (high - low)


def near_float(value: Any) -> Any:
    return value if value is None or isinstance(value, Decimal) else pytest.approx(value, rel=1e-14, abs=1e-9)


@pytest.mark.django_db
@settings(max_examples=60)
@given(facts=sales(), method=st.sampled_from(PercentileMethod), dimensions=st.sampled_from([(), ("kind",)]))
def test_percentiles_are_those_of_the_oracle(facts, method, dimensions):
    groups = by_kind(facts) if dimensions else {None: facts}
    expected = {}
    for kind, group in groups.items():
        amounts = sorted(fact["amount"] for fact in group if fact["amount"] is not None)
        cuts = [near_float(place(amounts, fraction, method)) for fraction in FRACTIONS]
        names = ("p0", "p10", "p25", "p50", "p90", "p99_9", "p100")
        expected[kind] = {
            "rows": len(amounts),
            **dict(zip(names, cuts, strict=True)),
            "sales": len(group),
            "total": sum(amounts, Decimal()) if amounts else None,
        }

    with stored(facts):
        rows = list(subclass(Places, method=method, dimensions=dimensions)().run())

    assert {row.pop("kind", None): row for row in rows} == expected


@pytest.mark.django_db
def test_percentiles_of_dates_and_durations():
    facts = [
        {
            "day": date(2025, 1, number),
            "at": datetime(2025, 1, 1, tzinfo=UTC),
            "until": datetime(2025, 1, number, tzinfo=UTC),
        }
        for number in (1, 2, 4, 8)
    ]
    taken = ExpressionWrapper(F("until") - F("at"), output_field=DurationField())

    with stored(facts):
        (day,) = subclass(Places, value="day", method="disc", percentiles=(50, 51), metrics={})().run()
        (long,) = subclass(Places, value=taken, percentiles=(50,), metrics={})().run()

    assert day == {"rows": 4, "p50": date(2025, 1, 2), "p51": date(2025, 1, 4)}
    assert long == {"rows": 4, "p50": timedelta(days=2)}


class AskedPlaces(Places):
    name = "tests.asked_places"

    class Params(forms.Form):
        percentiles = forms.TypedMultipleChoiceField(choices=[(n, n) for n in (50, 90, 51)], coerce=int, required=False)
        method = forms.CharField(required=False)


@pytest.mark.django_db
def test_percentiles_that_are_not_asked_for_are_null():
    with stored([{"amount": Decimal(1)}, {"amount": Decimal(2)}]):
        (row,) = AskedPlaces().run({"percentiles": [90, 50], "method": "disc"})

    assert row == {
        "rows": 2,
        **dict.fromkeys(("p0", "p10", "p25", "p99_9", "p100")),
        "p50": 1,
        "p90": 2,
        "sales": 2,
        "total": 3,
    }


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"percentiles": [51]}, "percentiles: They must be among 0, 10, 25, 50, 90, 99_9, 100."),
        ({"method": "middle"}, "method: It must be one of cont, disc."),
    ],
)
def test_percentiles_refuse_a_request(params, message):
    with pytest.raises(ParamsError) as error:
        AskedPlaces().query(params)

    assert str(error.value) == f"report 'tests.asked_places': {message}"


@pytest.mark.parametrize("percentiles", [(), (101,), (-1,), (50, 50.0), ("50",), (math.nan,), range(101), 50])
def test_percentiles_refuse_an_attribute(percentiles):
    with pytest.raises(TypeError, match="it must be a list of 1 to 100 different numbers from 0 to 100"):
        subclass(Places, percentiles=percentiles)


def test_percentiles_of_dates_cannot_be_interpolated():
    with pytest.raises(DeclarationError, match=r"value is a date, .* For dates and texts set method = 'disc'\."):
        subclass(Places, value="day").get_columns()


def test_percentiles_have_columns_of_the_method():
    cont, disc = (
        {column.name: column.type for column in subclass(Places, method=method).get_columns()}
        for method in PercentileMethod
    )

    assert (cont["p50"], disc["p50"]) == ("double precision", "numeric")


@pytest.mark.django_db
@pytest.mark.parametrize("materialized", [True, False, None])
def test_percentiles_read_the_table_once_by_one_sort(materialized):
    plan = subclass(Places, dimensions=["kind"], materialized=materialized)().run().plan()

    assert plan.scans(Sale) == Percentiles.scans == 1
    assert sum(node.type == "Sort" for node in plan.nodes) <= 2  # one of the groups, one of the report's ordering
    assert any(node.type == "CTE Scan" for node in plan.nodes) is (materialized is True)


# Box plots.


def box(amounts: Sequence[Any], method: str, times: Any) -> dict[str, Any]:
    ordered = sorted(amounts)
    if not ordered:
        names = ("min", "low_whisker", "q1", "median", "q3", "high_whisker", "max")
        return {"rows": 0, **dict.fromkeys(names), "outliers": 0}
    q1, median, q3 = (place(ordered, fraction, method) for fraction in (0.25, 0.5, 0.75))
    times = Decimal(times) if method == PercentileMethod.DISC else float(times)
    low, high = q1 - times * (q3 - q1), q3 + times * (q3 - q1)
    is_float = method == PercentileMethod.CONT
    numbers = [float(number) if is_float else number for number in ordered]
    within = [number for number, compared in zip(ordered, numbers, strict=True) if low <= compared]
    below = [number for number, compared in zip(ordered, numbers, strict=True) if compared <= high]
    return {
        "rows": len(ordered),
        "min": ordered[0],
        "low_whisker": min(within, default=None),
        "q1": near_float(q1),
        "median": near_float(median),
        "q3": near_float(q3),
        "high_whisker": max(below, default=None),
        "max": ordered[-1],
        "outliers": sum(not low <= number <= high for number in numbers),
    }


@pytest.mark.django_db
@settings(max_examples=60)
@given(
    facts=sales(),
    field=st.sampled_from(["amount", "quantity"]),
    method=st.sampled_from(PercentileMethod),
    whisker=st.sampled_from([1.5, 0, 3, Decimal("0.5")]),
    dimensions=st.sampled_from([(), ("kind",)]),
)
def test_box_plot_is_that_of_the_oracle(facts, field, method, whisker, dimensions):
    groups = by_kind(facts) if dimensions else {None: facts}
    expected = {
        kind: {**box([fact[field] for fact in group if fact[field] is not None], method, whisker), "sales": len(group)}
        for kind, group in groups.items()
    }

    with stored(facts):
        report = subclass(Boxes, value=field, method=method, whisker=whisker, dimensions=dimensions)
        rows = list(report().run())

    assert {row.pop("kind", None): row for row in rows} == expected


@pytest.mark.django_db
def test_box_plot_has_the_outliers_of_a_textbook():
    with stored([{"quantity": number} for number in (-40, 1, 2, 3, 4, 5, 6, 7, 30)]):
        (row,) = subclass(Boxes, value="quantity", metrics={})().run()

    assert tuple(row.values()) == (9, -40, 1, 2.0, 4.0, 6.0, 7, 30, 2)


@pytest.mark.django_db
def test_box_plot_of_durations():
    start = datetime(2025, 1, 1, tzinfo=UTC)
    facts = [{"at": start, "until": start + timedelta(hours=number)} for number in (1, 2, 3, 4, 100)]
    taken = ExpressionWrapper(F("until") - F("at"), output_field=DurationField())

    with stored(facts):
        (row,) = subclass(Boxes, value=taken, metrics={})().run()

    hours = [value / timedelta(hours=1) for value in list(row.values())[1:-1]]
    assert (hours, row["outliers"]) == ([1, 1, 2, 3, 4, 4, 100], 1)


def test_box_plot_of_small_numbers_does_not_overflow(readings):
    Reading.objects.bulk_create(Reading(small=number) for number in (-32768, -32768, 32767, 32767))

    (row,) = subclass(Boxes, source=Reading, value="small", method="disc", metrics={})().run()

    assert (row["q1"], row["q3"], row["outliers"]) == (-32768, 32767, 0)


@pytest.mark.django_db
@pytest.mark.parametrize("dimensions", [(), ("kind",)])
def test_box_plot_reads_the_table_twice(dimensions):
    with stored([{"quantity": number, "kind": "ab"[number % 2]} for number in range(9)]):
        assert_scans(subclass(Boxes, dimensions=dimensions)().run(), {Sale: BoxPlot.scans})


@pytest.mark.parametrize("whisker", [-1, math.inf, "1", None])
def test_box_plot_refuses_a_whisker(whisker):
    with pytest.raises(TypeError, match="it must be a finite number that is not negative"):
        subclass(Boxes, whisker=whisker)


# Ages.


def days_old(fact: Mapping[str, Any], field: str, as_of: date, zone: ZoneInfo) -> int:
    day = fact[field] if field == "day" else fact["at"].astimezone(zone).date()
    return int((as_of - day).days)


@pytest.mark.django_db
@settings(max_examples=60)
@given(
    facts=sales(),
    field=st.sampled_from(["day", "at"]),
    zone=zones,
    as_of=st.one_of(days, instants),
    edges=st.lists(st.integers(1, 2000), min_size=1, max_size=4, unique=True).map(sorted),
    future=st.booleans(),
)
def test_ages_are_those_of_the_oracle(facts, field, zone, as_of, edges, future):
    today = as_of.astimezone(zone).date() if isinstance(as_of, datetime) else as_of
    known = [fact for fact in facts if fact[field] is not None]
    ends = [(0, None, 0), *zip(range(1, len(edges) + 2), [0, *edges], [*edges, None], strict=True)]
    expected = []
    for kind, group in by_kind(known).items():
        for number, low, high in ends[0 if future else 1 :]:
            ages = [fact for fact in group if is_in(days_old(fact, field, today, zone), low, high, is_last=False)]
            expected.append({"bucket": number, "from_days": low, "to_days": high, "kind": kind, **figures(ages)})

    report = subclass(Ages, date_field=field, as_of=as_of, edges=edges, future=future, dimensions=["kind"])
    with stored(facts), timezone.override(zone):
        rows = [dict(row) for row in report().run()]

    for row in rows:
        del row["label"]
    assert sorted(rows, key=lambda row: (str(row["kind"]), row["kind"] is None, row["bucket"])) == sorted(
        expected, key=lambda row: (str(row["kind"]), row["kind"] is None, row["bucket"])
    )


@pytest.mark.django_db
def test_ages_are_labelled():
    report = subclass(Ages, edges=(1, 30, 60), as_of=date(2025, 3, 1), metrics={})

    rows = [tuple(row.values()) for row in report().run()]

    assert rows == [
        (0, "future", None, 0, 0),
        (1, "0", 0, 1, 0),
        (2, "1-29", 1, 30, 0),
        (3, "30-59", 30, 60, 0),
        (4, "60+", 60, None, 0),
    ]


@pytest.mark.django_db
def test_age_is_counted_in_days_of_the_zone():
    """From half past midnight on the day on which Berlin's clocks go forward to the next midnight are 22:30 hours."""
    berlin = ZoneInfo("Europe/Berlin")
    facts = [{"at": datetime(2026, 3, 29, 0, 30, tzinfo=berlin)}]
    report = subclass(Ages, edges=(1, 2), as_of=datetime(2026, 3, 30, 0, 0, tzinfo=berlin), metrics={})

    with stored(facts):
        found = {
            name: [row["label"] for row in subclass(report, time_zone=name)().run() if row["rows"]]
            for name in ("Europe/Berlin", "UTC", "America/New_York")
        }

    assert found == {"Europe/Berlin": ["1"], "UTC": ["1"], "America/New_York": ["1"]}
    with stored([{"at": datetime(2026, 3, 29, 23, 30, tzinfo=berlin)}]):
        assert [row["label"] for row in subclass(report, time_zone="UTC")().run() if row["rows"]] == ["0"]
        assert [row["label"] for row in subclass(report, time_zone="Europe/Berlin")().run() if row["rows"]] == ["1"]


@pytest.mark.django_db
def test_age_is_counted_up_to_today_by_default():
    with stored([{"at": timezone.now()}, {"at": timezone.now() + timedelta(days=2)}]):
        rows = {row["label"]: row["rows"] for row in subclass(Ages, time_zone="UTC")().run()}
        called = [row["rows"] for row in subclass(Ages, as_of=lambda: date(1999, 1, 1))().run()]

    assert rows == {"future": 1, "0-29": 1, "30-59": 0, "60-89": 0, "90+": 0}
    assert called == [2, 0, 0, 0, 0]


@pytest.mark.django_db
@pytest.mark.parametrize("dimensions", [(), ("kind",)])
def test_ages_read_the_table_once(dimensions):
    with stored([{"at": datetime(2025, 1, number, tzinfo=UTC)} for number in range(1, 9)]):
        assert_scans(subclass(Ages, dimensions=dimensions)().run(), {Sale: Ageing.scans})


class AskedAges(Ages):
    name = "tests.asked_ages"

    class Params(forms.Form):
        as_of = forms.DateField(required=False)
        edges = forms.TypedMultipleChoiceField(choices=[(n, n) for n in (0, 7)], coerce=int, required=False)


@pytest.mark.django_db
def test_ages_take_the_day_from_a_request():
    with stored([{"at": datetime(2025, 1, 1, 12, tzinfo=UTC)}]):
        rows = AskedAges().run({"as_of": "2025-01-08", "edges": [7]})

        assert [(row["label"], row["rows"]) for row in rows] == [("future", 0), ("0-6", 0), ("7+", 1)]


def test_ages_refuse_wrong_edges():
    allowed = "a list of 1 to 1001 whole numbers of days above 0 in ascending order"

    with pytest.raises(ParamsError, match=f"edges: It must be {allowed}"):
        AskedAges().query({"edges": [0, 7]})
    with pytest.raises(
        ParamsError, match="as_of: The range is too near to the first or the last day that a date can be"
    ):
        AskedAges().query({"as_of": "0001-01-01"})
    with pytest.raises(ParamsError, match="as_of: The range is too near to the first"):
        subclass(Ages, edges=(1_000_000,), as_of=date(1000, 1, 1))().query()
    for edges in ((), (0, 30), (30, 30), (60, 30), (1.5,), range(1, 1003), None):
        with pytest.raises(TypeError, match=f"it must be {allowed}"):
            subclass(Ages, edges=edges)
    with pytest.raises(DeclarationError, match="date_field is not set"):
        subclass(Ages, date_field="").get_columns()


@pytest.mark.parametrize("moment", [datetime(2025, 1, 1), "2025-01-01", lambda: None])
def test_ages_refuse_what_a_function_gives(moment):
    problem = f"Ages: the function as_of gave a {type(moment).__name__}; it must give a date, or a date and time with a"

    with pytest.raises(DeclarationError, match=problem):
        subclass(Ages, as_of=lambda: moment)().query()


@pytest.mark.parametrize("report", [Amounts, Places, Boxes])
def test_faults_of_a_measured_value_are_told_at_once(report):
    wrong = {"value": "nothing", "start": date(2025, 1, 1), "dimensions": ["nowhere"]}
    wrong |= {"edges": (1, 2), "low": 3} if report is Amounts else {}

    with pytest.raises(DeclarationError) as error:
        subclass(report, **wrong).get_columns()

    found = " ".join(error.value.problems)
    assert len(error.value.problems) == (4 if report is Amounts else 3)
    assert f"{report.__name__}: value: there is no field 'nothing'" in found
    assert f"{report.__name__}: there is no field 'nowhere'" in found
    assert f"{report.__name__}: start bound a date, and date_field is not set." in found
    assert ("edges are given, and so low would mean nothing." in found) is (report is Amounts)
