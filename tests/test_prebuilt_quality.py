"""Missing values, duplicates and freshness against oracles that look at every row."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import pytest
from django import forms
from django.apps.registry import Apps
from django.db import connection, models
from django.db.models import Avg, Count, Max
from django.db.models.functions import Lower
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from example_project.shop.models import Order
from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import Counting, Duplicates, Freshness, MissingValues
from reports.testing import assert_scans
from tests.models import Buyer, Sale, Visit
from tests.sales import days, instants, near, sales, stored, zones

Facts = Sequence[Mapping[str, Any]]

FIELDS = ("amount", "kind", "day", "at", "quantity")


class Missing(MissingValues):
    name = "tests.missing"
    source = Sale
    fields = FIELDS


class Twice(Duplicates):
    name = "tests.twice"
    source = Sale
    fields = ("kind", "quantity")
    metrics = {"most": Max("amount")}


class Fresh(Freshness):
    name = "tests.fresh"
    sources = {"sales": (Sale, "at"), "days": (Sale, "day"), "cheap": (Sale.objects.filter(amount__lt=0), "at")}


def subclass(report: type[Any], **attributes: Any) -> type[Any]:
    return type(report.__name__, (report,), attributes)


# The SQL.

MISSING_VALUES = """
WITH facts AS  (SELECT "tests_sale"."day" AS "by_day", COUNT("tests_sale"."id") AS "of_rows",
    COUNT("tests_sale"."id") FILTER (WHERE ("tests_sale"."kind" IS NULL OR "tests_sale"."kind"::text ~ %s)) AS
    "missing_1", COUNT("tests_sale"."id") FILTER (WHERE "tests_sale"."buyer_id" IS NULL) AS "missing_2" FROM
    "tests_sale" GROUP BY 1)
SELECT v.field, "f"."by_day" AS "day",
    f.of_rows AS rows,
    v.missing,
    v.missing::numeric / nullif(f.of_rows, 0) AS share
FROM facts AS f
CROSS JOIN LATERAL (
    VALUES
        ((%s)::text, "f"."missing_1"),
        ((%s)::text, "f"."missing_2")
) AS v (field, missing)
"""
DUPLICATES = """
WITH facts AS  (SELECT "tests_sale"."kind" AS "by_kind", "tests_sale"."quantity" AS "by_quantity",
    COUNT("tests_sale"."id") AS "of_rows", MIN("tests_sale"."id") AS "first_of_keys", MAX("tests_sale"."id") AS
    "last_of_keys", MAX("tests_sale"."amount") AS "of_most" FROM "tests_sale" WHERE ("tests_sale"."kind" IS NOT NULL
    AND "tests_sale"."quantity" IS NOT NULL) GROUP BY 1, 2)
SELECT "f"."by_kind" AS "kind", "f"."by_quantity" AS "quantity", ("f"."of_rows")::bigint AS "rows",
    f.first_of_keys AS first_key, f.last_of_keys AS last_key,
    ("f"."of_most")::numeric AS "most"
FROM facts AS f
WHERE f.of_rows > 1
ORDER BY f.of_rows DESC, f.first_of_keys
LIMIT %s
"""
FRESHNESS = """
WITH tables AS (
    SELECT (%s)::text AS source,
        f.of_rows AS rows,
        f.latest_of_rows AS latest,
        (%s)::interval AS within
    FROM (SELECT %s AS "by_all", COUNT("tests_sale"."id") AS "of_rows", MAX("tests_sale"."at") AS "latest_of_rows"
        FROM "tests_sale") AS f
    UNION ALL
    SELECT (%s)::text AS source,
        f.of_rows AS rows,
        f.latest_of_rows::timestamp AT TIME ZONE %s AS latest,
        (%s)::interval AS within
    FROM (SELECT %s AS "by_all", COUNT("tests_sale"."id") AS "of_rows", MAX("tests_sale"."day") AS "latest_of_rows"
        FROM "tests_sale") AS f
    UNION ALL
    SELECT (%s)::text AS source,
        f.of_rows AS rows,
        f.latest_of_rows AS latest,
        (%s)::interval AS within
    FROM (SELECT %s AS "by_all", COUNT("tests_sale"."id") AS "of_rows", MAX("tests_sale"."at") AS "latest_of_rows"
        FROM "tests_sale" WHERE "tests_sale"."amount" < %s) AS f
)
SELECT t.source, t.rows, t.latest, (%s)::timestamptz - t.latest AS age, t.within,
    CASE WHEN t.within IS NOT NULL THEN coalesce((%s)::timestamptz - t.latest > t.within, true) END AS is_late
FROM tables AS t
"""
ESTIMATES = """
WITH tables AS (
    SELECT (%s)::text AS source,
        (SELECT nullif(c.reltuples, -1)::bigint FROM pg_catalog.pg_class AS c WHERE c.oid = to_regclass(%s)) AS
            rows,
        f.latest_of_rows AS latest,
        (%s)::interval AS within
    FROM (SELECT %s AS "by_all", MAX("tests_sale"."at") AS "latest_of_rows" FROM "tests_sale") AS f
    UNION ALL
    SELECT (%s)::text AS source,
        (SELECT nullif(c.reltuples, -1)::bigint FROM pg_catalog.pg_class AS c WHERE c.oid = to_regclass(%s)) AS
            rows,
        f.latest_of_rows::timestamp AT TIME ZONE %s AS latest,
        (%s)::interval AS within
    FROM (SELECT %s AS "by_all", MAX("tests_sale"."day") AS "latest_of_rows" FROM "tests_sale") AS f
    UNION ALL
    SELECT (%s)::text AS source,
        NULL::bigint AS rows,
        f.latest_of_rows AS latest,
        (%s)::interval AS within
    FROM (SELECT %s AS "by_all", MAX("tests_sale"."at") AS "latest_of_rows" FROM "tests_sale" WHERE
        "tests_sale"."amount" < %s) AS f
)
SELECT t.source, t.rows, t.latest, (%s)::timestamptz - t.latest AS age, t.within,
    CASE WHEN t.within IS NOT NULL THEN coalesce((%s)::timestamptz - t.latest > t.within, true) END AS is_late
FROM tables AS t
"""
NOW, DAY, TABLE = datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=1), '"tests_sale"'


@pytest.mark.parametrize(
    ("report", "sql", "params"),
    [
        (
            subclass(Missing, fields=["kind", "buyer"], blank=True, dimensions=["day"]),
            MISSING_VALUES,
            (r"\A\s*\Z", "kind", "buyer_id"),
        ),
        (subclass(Twice, limit=3), DUPLICATES, (3,)),
        (
            subclass(Fresh, as_of=NOW, within=DAY, time_zone="UTC"),
            FRESHNESS,
            ("sales", DAY, 1, "days", "UTC", DAY, 1, "cheap", DAY, 1, 0, NOW, NOW),
        ),
        (
            subclass(Fresh, as_of=NOW, counting="estimate", time_zone="UTC"),
            ESTIMATES,
            ("sales", TABLE, None, 1, "days", TABLE, "UTC", None, 1, "cheap", None, 1, 0, NOW, NOW),
        ),
    ],
)
def test_sql_is_that_of_an_expert(report, sql, params):
    query = report().query()

    assert (query.sql.split(), query.params) == (sql.split(), params)


# Missing values.

texts = st.sampled_from(["a", "", " ", "\t\n", " a ", None])


def is_missing(value: Any, *, blank: bool) -> bool:
    return value is None or (blank and isinstance(value, str) and not value.strip())


@pytest.mark.django_db
@settings(max_examples=60)
@given(facts=sales(kind=texts), blank=st.booleans(), dimensions=st.sampled_from([(), ("quantity",)]))
def test_missing_values_are_those_of_the_oracle(facts, blank, dimensions):
    groups = defaultdict(list)
    for fact in facts:
        groups[fact["quantity"] if dimensions else None].append(fact)
    if not dimensions and not facts:
        groups[None] = []
    expected = {
        (field, quantity): {
            "rows": len(group),
            "missing": (count := sum(is_missing(fact[field], blank=blank) for fact in group)),
            "share": near(Decimal(count) / len(group)) if group else None,
        }
        for quantity, group in groups.items()
        for field in FIELDS
    }

    with stored(facts):
        rows = list(subclass(Missing, blank=blank, dimensions=dimensions)().run())

    assert {(row.pop("field"), row.pop("quantity", None)): row for row in rows} == expected


@pytest.mark.django_db
def test_missing_values_are_those_of_every_field_that_may_be_null():
    fields = {row["field"] for row in subclass(Missing, fields=())().run()}
    texts = {row["field"] for row in subclass(Missing, source=Buyer, fields=(), blank=True)().run()}

    assert fields == {"buyer_id", "shelf_id", "kind", "amount", "quantity", "day", "at", "until"}
    assert texts == {"name", "region", "joined"}


@pytest.mark.django_db
def test_missing_value_across_a_relation_that_is_missing():
    buyers = [{"id": 1, "name": "A", "region": "north"}, {"id": 2, "name": "B"}]
    facts = [{"buyer_id": number} for number in (1, 2, None)]

    with stored(facts, buyers=buyers):
        (row,) = subclass(Missing, fields={"region": "buyer__region"})().run()

    assert (row["field"], row["rows"], row["missing"]) == ("region", 3, 2)


class AskedFields(Missing):
    name = "tests.asked_fields"

    class Params(forms.Form):
        fields_ = forms.CharField(required=False)
        blank = forms.BooleanField(required=False)


AskedFields.Params.base_fields["fields"] = forms.CharField(required=False)


@pytest.mark.django_db
def test_missing_values_of_the_fields_that_are_asked_for():
    assert [row["field"] for row in AskedFields().run({"fields": "kind"})] == ["kind"]
    with pytest.raises(ParamsError, match="fields: "):
        AskedFields().query({"fields": "until"})


@pytest.mark.django_db
def test_missing_values_read_the_table_once():
    with stored([{"kind": "a"}, {"kind": None}]):
        assert_scans(subclass(Missing, dimensions=["quantity"])().run(), {Sale: MissingValues.scans})


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"fields": ["kid"]}, "there is no field 'kid'"),
        ({"fields": ["buyer__visits__step"]}, "field 'buyer_visits_step' leads to many rows by 'buyer__visits'"),
        ({"start": date(2025, 1, 1)}, "start bound a date, and date_field is not set."),
        ({"dimensions": {"missing": "kind"}}, "several columns of one name: missing"),
    ],
)
def test_missing_values_refuse_a_declaration(attributes, message):
    with pytest.raises(DeclarationError) as error:
        subclass(Missing, **attributes).get_columns()

    assert message in str(error.value)


class Whole(models.Model):
    """A table in which nothing may be missing, and whose key is no number."""

    key = models.UUIDField(primary_key=True)
    name = models.TextField()
    at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[Any] = models.Manager()

    class Meta:
        apps = Apps()
        app_label = "tests"


class Pairs(models.Model):
    """A table whose key is of two columns."""

    pk = models.CompositePrimaryKey("one", "other")
    one = models.IntegerField()
    other = models.IntegerField()

    class Meta:
        apps = Apps()
        app_label = "tests"


def test_missing_values_need_a_field_that_may_be_missing():
    with pytest.raises(DeclarationError, match=r"^Missing: no field of the source may be NULL; name fields\.$"):
        subclass(Missing, source=Whole, fields=()).get_columns()
    with pytest.raises(TypeError, match=r"Missing.metrics .*it must be left out: the report has none\."):
        subclass(Missing, metrics={"count": Count("pk")})


# Duplicates.


@pytest.mark.django_db
@settings(max_examples=60)
@given(facts=sales(), nulls_distinct=st.booleans(), limit=st.sampled_from([None, 1, 2]))
def test_duplicates_are_those_of_the_oracle(facts, nulls_distinct, limit):
    with stored(facts):
        found = list(Sale.objects.values())
        rows = list(subclass(Twice, nulls_distinct=nulls_distinct, limit=limit)().run())

    groups = defaultdict(list)
    for fact in found:
        groups[fact["kind"], fact["quantity"]].append(fact)
    expected: list[dict[str, Any]] = [
        {
            "kind": values[0],
            "quantity": values[1],
            "rows": len(group),
            "first_key": min(fact["id"] for fact in group),
            "last_key": max(fact["id"] for fact in group),
            "most": max((fact["amount"] for fact in group if fact["amount"] is not None), default=None),
        }
        for values, group in groups.items()
        if len(group) > 1 and not (nulls_distinct and None in values)
    ]
    assert rows == sorted(expected, key=lambda row: (-row["rows"], row["first_key"]))[:limit]


@pytest.mark.django_db
def test_duplicates_by_an_expression_and_a_relation():
    buyers = [{"id": 1, "name": "Ann"}, {"id": 2, "name": "ANN"}, {"id": 3, "name": "Bob"}]

    with stored([{"buyer_id": 2, "kind": "a"}, {"buyer_id": 2, "kind": "a"}], buyers=buyers):
        names = subclass(Twice, source=Buyer, fields={"name": Lower("name")}, metrics={})().run()
        (sale,) = subclass(Twice, fields=["buyer", "kind"])().run()

        assert list(names) == [{"name": "ann", "rows": 2, "first_key": 1, "last_key": 2}]
    assert (sale["buyer_id"], sale["kind"], sale["rows"]) == (2, "a", 2)


@pytest.mark.django_db
def test_duplicates_with_a_key_that_has_no_minimum_before_postgresql_18():
    with connection.schema_editor() as editor:
        editor.create_model(Whole)
    keys = [UUID(text) for text in ("0a000000-0000-0000-0000-000000000001", "f0000000-0000-0000-0000-000000000002")]
    Whole.objects.bulk_create(Whole(key=key, name="a") for key in reversed(keys))

    report = subclass(Twice, source=Whole, fields=["name"], metrics={})

    assert list(report().run()) == [{"name": "a", "rows": 2, "first_key": keys[0], "last_key": keys[1]}]
    assert 'MIN(("tests_whole"."key")::text)' in report().query().sql


@pytest.mark.django_db
def test_duplicates_read_the_table_once():
    with stored([{"kind": "a", "quantity": 1}] * 2):
        assert_scans(Twice().run(), {Sale: Duplicates.scans})


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"fields": ()}, "fields is not set; name what should occur once."),
        (
            {"fields": {"rows": "kind"}},
            "there would be several columns of one name: rows; rename a metric or a dimension.",
        ),
        (
            {"source": Pairs, "fields": ["one"], "metrics": {}},
            "the source's key is of several columns, which have no smallest and largest value.",
        ),
    ],
)
def test_duplicates_refuse_a_declaration(attributes, message):
    with pytest.raises(DeclarationError) as error:
        subclass(Twice, **attributes).get_columns()

    assert str(error.value) == f"Twice: {message}"


def test_duplicates_refuse_an_attribute():
    for attributes in ({"dimensions": ["kind"]}, {"limit": 0}, {"fields": "kind"}, {"nulls_distinct": None}):
        with pytest.raises(TypeError, match=f"Twice.{next(iter(attributes))} is "):
            subclass(Twice, **attributes)


# Freshness.


@pytest.mark.django_db
@settings(max_examples=60)
@given(
    facts=sales(),
    zone=zones,
    as_of=st.one_of(days, instants),
    within=st.sampled_from([None, timedelta(), timedelta(days=2), {"sales": timedelta(days=400)}]),
    counting=st.sampled_from([Counting.EXACT, None]),
)
def test_freshness_is_that_of_the_oracle(facts, zone, as_of, within, counting):
    now = as_of if isinstance(as_of, datetime) else datetime.combine(as_of, time(), tzinfo=zone).astimezone(UTC)
    expected = []
    cheap = [fact for fact in facts if fact["amount"] is not None and fact["amount"] < 0]
    for name, group, field in (("cheap", cheap, "at"), ("days", facts, "day"), ("sales", facts, "at")):
        known = [fact[field] for fact in group if fact[field] is not None]
        latest = max(known, default=None)
        if isinstance(latest, date) and not isinstance(latest, datetime):
            latest = datetime.combine(latest, time(), tzinfo=zone).astimezone(UTC)
        limit = within.get(name) if isinstance(within, dict) else within
        age = latest and now - latest
        expected.append(
            {
                "source": name,
                "rows": len(group) if counting else None,
                "latest": latest,
                "age": age,
                "within": limit,
                "is_late": None if limit is None else age is None or age > limit,
            }
        )

    with stored(facts), timezone.override(zone):
        rows = list(subclass(Fresh, as_of=as_of, within=within, counting=counting)().run())

    assert rows == expected


@pytest.mark.django_db
def test_freshness_is_that_of_the_present_by_default():
    with stored([{"at": timezone.now() - timedelta(hours=1)}]):
        cheap, _, row = subclass(Fresh, within=timedelta(hours=2))().run()
        assert (timedelta(hours=1) <= row["age"] < timedelta(hours=2), row["is_late"]) == (True, False)
        assert (cheap["rows"], cheap["latest"], cheap["age"], cheap["is_late"]) == (0, None, None, True)


@pytest.mark.django_db
def test_freshness_estimates_whole_tables_only():
    sources = {"all": (Whole, "at"), "some": (Whole.objects.filter(name="a"), "at")}
    report = subclass(Fresh, sources=sources, counting="estimate")
    with connection.schema_editor() as editor:
        editor.create_model(Whole)
    Whole.objects.bulk_create(Whole(key=UUID(int=number), name="a", at=NOW) for number in range(9))

    before = list(report().run().values_list("rows", "latest"))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE tests_whole")
    after = list(report().run().values_list("rows", "latest"))

    assert before == [(None, NOW), (None, NOW)]
    assert after == [(9, NOW), (None, NOW)]


@pytest.mark.django_db
def test_freshness_reads_each_table_once_or_the_end_of_an_index():
    report = subclass(Fresh, sources={"orders": (Order, "placed_at"), "visits": (Visit, "at")})

    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")  # the tables are small
        exact = report().run().plan(analyze=True)
        plan = subclass(report, counting=None)().run().plan(analyze=True)

    assert (exact.scans(Order), exact.scans(Visit)) == (1, 1)
    assert (plan.scans(Order), plan.scans(Visit)) == (1, 1)
    (index,) = plan.indexes
    assert index.startswith("shop_order_placed_at")
    assert any(node.type == "Limit" for node in plan.nodes)


class OwnSales(Fresh):
    name = "tests.own_sales"
    sources = {"sales": (Sale, "at")}
    counting = Counting.ESTIMATE

    def get_sources(self) -> Any:
        return {"sales": (Sale.objects.filter(buyer=self.user), "at")}


@pytest.mark.django_db
def test_freshness_is_that_of_what_a_user_may_see():
    buyers = [{"id": 1, "name": "A"}]

    with stored([{"at": NOW, "buyer_id": 1}, {"at": NOW + timedelta(1)}], buyers=buyers):
        (row,) = OwnSales(user=1).run()

    assert (row["rows"], row["latest"]) == (None, NOW)  # an estimate would be that of all rows


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sales": Sale}, "get_sources() gave a dict; it must give a dict of pairs by name"),
        (None, "get_sources() gave a NoneType; it must give a dict of pairs by name"),
        ({"sales": (Visit, "at")}, "get_sources() gave rows of tests.Visit; it must give those of tests.Sale."),
        (
            {"sales": (Sale.objects.using("other"), "at")},
            "get_sources() gave a QuerySet of the database 'other', and the report runs on 'default'",
        ),
    ],
)
def test_freshness_refuses_what_a_method_gives(given, message):
    with pytest.raises(DeclarationError, match=re.escape(f"Fresh: {message}")):
        subclass(Fresh, get_sources=lambda self: given)().query()


def test_freshness_may_have_more_sources_and_fewer():
    query = subclass(Fresh, get_sources=lambda self: {"visits": (Visit, "at")})().query()

    assert "tests_visit" in query.sql
    assert "tests_sale" not in query.sql


@pytest.mark.parametrize("moment", [datetime(2025, 1, 1), "2025-01-01", 5])
def test_freshness_refuses_what_a_function_gives(moment):
    problem = f"Fresh: the function as_of gave a {type(moment).__name__}; it must give a date, or a date and time"

    with pytest.raises(DeclarationError, match=problem):
        subclass(Fresh, as_of=lambda: moment)().query()


@pytest.mark.django_db
def test_freshness_estimates_no_rows_that_a_join_chooses():
    """The join leaves rows out as well as a condition does."""

    class Joined(models.Manager[Any]):
        def get_queryset(self) -> models.QuerySet[Any]:
            rows = super().get_queryset()
            rows.query.get_initial_alias()
            rows.query.setup_joins(["buyer"], Sale._meta, "tests_sale")
            return rows

    manager: Any = Joined()
    manager.model = Sale
    report = subclass(Fresh, sources={"sales": (manager.get_queryset(), "at")}, counting="estimate")

    assert "reltuples" not in report().query().sql
    assert "reltuples" in subclass(report, sources={"sales": (Sale, "at")})().query().sql


def test_freshness_without_sources_is_abstract():
    assert Freshness.is_abstract() is True
    assert Fresh.is_abstract() is False


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"sources": {"sales": (Sale, "kind")}}, "the date of 'sales', 'kind' is a CharField, and no date."),
        (
            {"sources": {"sales": (Buyer, "sales__at")}},
            "the date of 'sales', 'sales__at' leads to many rows by 'sales'; take that model.",
        ),
        (
            {"within": {"sale": timedelta(1)}},
            "within names sale, which is no source (there are: cheap, days, sales). Did you mean 'sales'?",
        ),
    ],
)
def test_freshness_refuses_a_declaration(attributes, message):
    with pytest.raises(DeclarationError) as error:
        subclass(Fresh, **attributes).get_columns()

    assert str(error.value) == f"Fresh: {message}"


@pytest.mark.parametrize(
    "attributes",
    [
        {"sources": {"sales": Sale}},
        {"sources": {"sales": (None, "at")}},
        {"sources": {"": (Sale, "at")}},
        {"sources": [(Sale, "at")]},
        {"source": Sale},
        {"within": 5},
        {"within": timedelta(-1)},
        {"within": {"sales": None}},
        {"counting": "guess"},
        {"metrics": {"mean": Avg("amount")}},
        {"dimensions": ["kind"]},
    ],
)
def test_freshness_refuses_an_attribute(attributes):
    with pytest.raises(TypeError, match=f"Fresh.{next(iter(attributes))} is "):
        subclass(Fresh, **attributes)


@pytest.mark.parametrize("report", [Missing, Twice])
@pytest.mark.parametrize("name", ["a__b", "1st", "n" * 62])
def test_names_of_fields_are_checked(report, name):
    with pytest.raises(DeclarationError, match=f"{report.__name__}: field '{name}' is no name for a column: "):
        subclass(report, fields={name: "kind"}).get_columns()


@pytest.mark.parametrize("report", [Missing, Twice])
def test_faults_of_fields_are_told_at_once(report):
    with pytest.raises(DeclarationError) as error:
        subclass(report, fields=["nothing"], start=date(2025, 1, 1)).get_columns()

    fields, bounds = error.value.problems
    assert fields.startswith(f"{report.__name__}: there is no field 'nothing'")
    assert bounds == f"{report.__name__}: start bound a date, and date_field is not set."
