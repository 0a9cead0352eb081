"""The same operation on a report's rows and on a real table that holds the same rows: same answer, same order.

Also the same number of queries. An operation is a function of a ``Side``, which is a report with dict rows, a report
with instances, or the real table.
"""

from __future__ import annotations

import copy
import datetime
import itertools
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from asgiref.sync import async_to_sync
from django.contrib.postgres.expressions import ArraySubquery
from django.core.paginator import Paginator
from django.db import connection, models, transaction
from django.db.models import (
    Avg,
    Case,
    Count,
    Exists,
    F,
    FilteredRelation,
    Max,
    Min,
    OuterRef,
    Prefetch,
    Q,
    Subquery,
    Sum,
    Value,
    When,
    Window,
)
from django.db.models.functions import (
    Cast,
    Coalesce,
    Concat,
    ExtractYear,
    Lag,
    Length,
    Lower,
    Rank,
    RowNumber,
    TruncDate,
    TruncDay,
    TruncMonth,
)
from django.test.utils import CaptureQueriesContext

import reports
from tests.models import Figure, FigureRow, KeptFigure, Region, Store, Tag
from tests.reports import FigureInstances, Figures, RankedFigureInstances, RankedFigures

pytestmark = [pytest.mark.differential, pytest.mark.django_db]

# Both parameters are bound in the template, and each of them keeps rows out.
PARAMS = {"least": "20", "labels": ["a", "b", "c"]}
BEFORE = {"labels": ["a"]}


@dataclass(frozen=True)
class Side:
    """One of the two that are compared.

    ``rows`` are the rows; ``others`` rows with other parameters; ``real`` the real table on both sides. ``reverse`` is
    the name under which Store knows ``rows``. ``join(queryset, name=rows)`` makes ``rows`` the relation ``name`` of a
    queryset of stores.
    """

    rows: Any
    others: Any
    join: Callable[..., Any]
    reverse: str = ""

    @property
    def real(self) -> Any:
        return KeptFigure.objects.all()

    @property
    def stores(self) -> Any:
        return self.reaching(Store.objects.all())

    def reaching(self, queryset: Any) -> Any:
        return queryset if self.rows.model is KeptFigure else reports.join(queryset, self.rows)

    def by(self, path: str) -> str:
        """Return a lookup with the relation's name in it: ``by("store__*__label")``."""
        return path.replace("*", self.reverse)


Operation = Callable[[Side], Any]


# What is compared.


def plain(value: Any) -> Any:
    """Return a value with every row as its ``(attname, value)`` pairs, whatever it was: dict or instance."""
    if isinstance(value, models.Model):
        pairs = tuple((name, plain(v)) for name, v in vars(value).items() if not name.startswith("_"))
        return pairs if isinstance(value, (FigureRow, KeptFigure)) else (type(value).__name__, *pairs)
    if isinstance(value, dict):
        return tuple((plain(key), plain(v)) for key, v in value.items())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return (value._fields, *map(plain, value))
    if isinstance(value, models.QuerySet) and not value.ordered:  # Django drops Meta.ordering beside a GROUP BY
        items = sorted((plain(item) for item in value), key=repr)
        return items and {"unordered": items}
    if isinstance(value, (models.QuerySet, list, tuple, set, frozenset, Iterator)):
        return [plain(item) for item in value]
    return value


def outcome(operation: Operation, side: Side) -> tuple[Any, int]:
    """Return what an operation gives and the number of its queries. What it wrote is undone."""
    with transaction.atomic():
        with CaptureQueriesContext(connection) as queries:
            result = plain(operation(side))
        transaction.set_rollback(True)
    return result, len(queries)


def refused(error: type[Exception] | str, call: Callable[[], Any]) -> str:
    """Return the error's name; fail when the call raises nothing or another."""
    try:
        call()
    except Exception as raised:  # noqa: BLE001 - the name is compared
        assert type(raised).__name__ == (error if isinstance(error, str) else error.__name__), repr(raised)
        return type(raised).__name__
    raise AssertionError(f"{error} was not raised")


def unordered(rows: Any) -> Any:
    return sorted(map(repr, plain(rows)))


def pickled(value: Any) -> Any:
    return pickle.loads(pickle.dumps(value))


def with_query(rows: Any, query: Any) -> Any:
    rows = rows.all()
    rows.query = query
    return rows


def instances_of(side: Side) -> list[tuple[Any, ...]]:
    """Return each row's key with its store and region, as select_related and prefetch_related have fetched them."""
    return [(row.pk, row.store.name, row.store.region and row.store.region.name) for row in side]  # type: ignore[attr-defined]


def awaited(call: Callable[[], Any]) -> Any:
    async def run() -> Any:
        return await call()

    return async_to_sync(run)()


async def collected(rows: Any) -> list[Any]:
    return [row async for row in rows]


def changed(queryset: Any, **values: Any) -> tuple[int, list[Any]]:
    """Update, and return how many and which."""
    count = queryset.update(**values)
    return count, list(queryset.model.objects.filter(**values).values_list("pk", flat=True).order_by("pk"))


def gone(queryset: Any, model: Any) -> tuple[int, list[Any]]:
    """Delete, and return how many of the model and which are left."""
    _, by_model = queryset.delete()
    return by_model.get(model._meta.label, 0), list(model.objects.values_list("pk", flat=True).order_by("pk"))


# Operations on the rows: for dicts and for instances.

MARCH = datetime.date(2026, 3, 1)
NEW_YEAR = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

FILTERS: dict[str, Operation] = {
    "all": lambda s: s.rows,
    "all twice": lambda s: [list(s.rows), list(s.rows.all())],
    "filter": lambda s: s.rows.filter(label="a"),
    "filter two": lambda s: s.rows.filter(label="a", orders__gt=3),
    "filter chained": lambda s: s.rows.filter(label="a").filter(orders__lt=9).exclude(revenue=50),
    "filter Q or": lambda s: s.rows.filter(Q(label="a") | Q(orders__lt=3)),
    "filter not Q": lambda s: s.rows.filter(~Q(label="a")),
    "filter not Q of null": lambda s: s.rows.filter(~Q(orders__gt=4)),
    "filter Q xor": lambda s: s.rows.filter(Q(label="a") ^ Q(orders__lt=5)),
    "filter F": lambda s: s.rows.filter(revenue__gt=F("orders") * 10),
    "filter F span": lambda s: s.rows.filter(store_id__gt=F("store__region")),
    "filter FK": lambda s: s.rows.filter(store=2),
    "filter FK object": lambda s: s.rows.filter(store=Store.objects.get(pk=2)),
    "filter FK span": lambda s: s.rows.filter(store__name="Store 3"),
    "filter FK span of two": lambda s: s.rows.filter(store__region__name="north"),
    "filter FK span isnull": lambda s: s.rows.filter(store__region__isnull=True),
    "filter m2m": lambda s: s.rows.filter(store__tags__name="new"),
    "filter m2m repeats rows": lambda s: s.rows.filter(store__tags__name__in=["new", "large"]).order_by("id"),
    "filter in": lambda s: s.rows.filter(label__in=["a", "c"]),
    "filter in nothing": lambda s: s.rows.filter(label__in=[]),
    "filter not in nothing": lambda s: s.rows.exclude(label__in=[]),
    "filter range": lambda s: s.rows.filter(month__range=(datetime.date(2025, 6, 1), MARCH)),
    "filter isnull": lambda s: s.rows.filter(orders__isnull=True),
    "filter not null": lambda s: s.rows.filter(seen_at__isnull=False),
    "filter date transforms": lambda s: s.rows.filter(month__year=2026, month__month__lte=3),
    "filter datetime transforms": lambda s: s.rows.filter(seen_at__date__gte=datetime.date(2026, 3, 1)),
    "filter hour in the current zone": lambda s: s.rows.filter(seen_at__hour__gte=20),
    "filter datetime": lambda s: s.rows.filter(seen_at__lt=NEW_YEAR),
    "filter text lookups": lambda s: s.rows.filter(store__name__icontains="store", label__regex="^[ab]$"),
    "filter percent": lambda s: s.rows.filter(store__name__contains="%"),
    "filter pk": lambda s: s.rows.filter(pk=9),
    "filter pk__in list": lambda s: s.rows.filter(pk__in=[4, 8, 9, 999]),
    "filter pk__in itself": lambda s: s.rows.filter(pk__in=s.rows.filter(label="b")),
    "filter pk__in slice": lambda s: s.rows.filter(pk__in=s.rows.order_by("-revenue", "id")[:5]),
    "filter pk__in others": lambda s: s.rows.filter(pk__in=s.others.values("pk")),
    "filter FK in subquery": lambda s: s.rows.filter(store__in=Store.objects.filter(region__name="south")),
    "filter expression": lambda s: s.rows.annotate(n=Length("label")).filter(n=1, label__lt="c"),
    "filter conditional": lambda s: s.rows.filter(Exists(Tag.objects.filter(stores=OuterRef("store_id")))),
    "filter not exists": lambda s: s.rows.filter(~Exists(Tag.objects.filter(stores=OuterRef("store_id")))),
    "exclude": lambda s: s.rows.exclude(label="a"),
    "exclude null": lambda s: s.rows.exclude(orders=4),
    "exclude FK": lambda s: s.rows.exclude(store=2),
    "exclude FK span": lambda s: s.rows.exclude(store__region__name="north"),
    "exclude m2m": lambda s: s.rows.exclude(store__tags__name="new"),
    "exclude m2m twice": lambda s: s.rows.exclude(store__tags__name="new").exclude(store__tags__name="large"),
    "exclude m2m and plain": lambda s: s.rows.exclude(store__tags__name="new", label="a"),
    "exclude multi-valued reverse": lambda s: s.rows.exclude(store__region__stores__name="Store 2"),
    "exclude itself by pk": lambda s: s.rows.exclude(pk__in=s.rows.filter(label="a").values("pk")),
    "none": lambda s: s.rows.none(),
    "none count": lambda s: s.rows.none().count(),
    "using": lambda s: s.rows.using("default").filter(label="a"),
    "extra where": lambda s: s.rows.extra(where=["revenue > %s"], params=[60]),
    "extra select": lambda s: s.rows.extra(select={"double": "revenue * 2"}),
    "complex_filter": lambda s: s.rows.complex_filter({"label": "a"}),
}

ORDERS: dict[str, Operation] = {
    "order_by": lambda s: s.rows.order_by("-revenue", "id"),
    "order_by nulls_first": lambda s: s.rows.order_by(F("orders").asc(nulls_first=True), "-id"),
    "order_by nulls_last": lambda s: s.rows.order_by(F("orders").desc(nulls_last=True), "id"),
    "order_by FK span": lambda s: s.rows.order_by("store__region__name", "-store__name", "id"),
    "order_by FK": lambda s: s.rows.order_by("-store", "id"),
    "order_by expression": lambda s: s.rows.order_by(Lower("label").desc(), (F("revenue") % 7).asc(), "id"),
    "order_by annotation": lambda s: s.rows.annotate(double=F("revenue") * 2).order_by("-double", "id"),
    "order_by pk": lambda s: s.rows.order_by("-pk"),
    "order_by nothing": lambda s: unordered(s.rows.order_by()),
    "reverse": lambda s: s.rows.reverse(),
    "reverse twice": lambda s: s.rows.order_by("label", "-id").reverse().reverse(),
    "ordered": lambda s: [s.rows.ordered, s.rows.order_by().ordered, s.rows.order_by("label").ordered],
    "slice": lambda s: s.rows[3:9],
    "slice from the start": lambda s: s.rows[:4],
    "slice to the end": lambda s: s.rows.order_by("-id")[20:],
    "slice of slice": lambda s: s.rows[2:12][1:4],
    "slice step": lambda s: s.rows[1:11:3],
    "slice empty": lambda s: s.rows[5:5],
    "index": lambda s: s.rows[7],
    "index of slice": lambda s: s.rows[2:9][1],
    "index behind the end": lambda s: refused(IndexError, lambda: s.rows[9999]),
    "index negative": lambda s: refused(ValueError, lambda: s.rows[-1]),
    "slice negative": lambda s: refused(ValueError, lambda: s.rows[-3:]),
    "filter after slice": lambda s: refused(TypeError, lambda: s.rows[:3].filter(label="a")),
    "paginator": lambda s: [Paginator(s.rows, 5).num_pages, list(Paginator(s.rows, 5).page(3))],
}

ANSWERS: dict[str, Operation] = {
    "count": lambda s: s.rows.count(),
    "count of filter": lambda s: s.rows.filter(store__region__name="north").count(),
    "count of slice": lambda s: s.rows[3:9].count(),
    "count of slice behind the end": lambda s: s.rows[30:999].count(),
    "count distinct": lambda s: s.rows.values("label").distinct().count(),
    "count of m2m distinct": lambda s: s.rows.filter(store__tags__isnull=False).distinct().count(),
    "count of groups": lambda s: s.rows.values("label").annotate(n=Count("id")).count(),
    "count of annotated": lambda s: s.rows.annotate(n=Count("store__tags")).filter(n__gt=1).count(),
    "len": lambda s: len(s.rows),
    "bool": lambda s: [bool(s.rows), bool(s.rows.filter(label="z"))],
    "exists": lambda s: [s.rows.exists(), s.rows.filter(label="z").exists(), s.rows[2:3].exists()],
    "exists behind the end": lambda s: s.rows[999:].exists(),
    "exists of groups": lambda s: s.rows.values("label").annotate(n=Count("id")).filter(n__gt=2).exists(),
    "contains": lambda s: (
        s.rows.values_list("pk", flat=True).filter(pk=9)[0] in [row[0] for row in s.rows.values_list()]
    ),
    "first": lambda s: s.rows.first(),
    "first ordered": lambda s: s.rows.order_by("-revenue", "id").first(),
    "first unordered": lambda s: s.rows.order_by().filter(pk=9).first(),
    "first of nothing": lambda s: s.rows.filter(label="z").first(),
    "last": lambda s: s.rows.last(),
    "last ordered": lambda s: s.rows.order_by(F("orders").asc(nulls_first=True), "id").last(),
    "get": lambda s: s.rows.get(pk=9),
    "get by fields": lambda s: s.rows.get(store=2, label="b", orders=1),
    "get nothing": lambda s: refused("DoesNotExist", lambda: s.rows.get(pk=999)),
    "get several": lambda s: refused("MultipleObjectsReturned", lambda: s.rows.get(label="a")),
    "get nothing is the model's": lambda s: refused(s.rows.model.DoesNotExist, lambda: s.rows.get(label="z")),
    "latest": lambda s: s.rows.latest("month", "id"),
    "earliest": lambda s: s.rows.earliest("-revenue", "id"),
    "latest of nothing": lambda s: refused("DoesNotExist", lambda: s.rows.filter(label="z").latest("month")),
    "in_bulk": lambda s: s.rows.in_bulk([8, 9, 999]),
    "in_bulk all": lambda s: s.rows.in_bulk(),
    "in_bulk of only": lambda s: s.rows.only("label").in_bulk([8, 9]),
    "in_bulk annotated": lambda s: s.rows.annotate(d=F("revenue") * 2).in_bulk([8, 9]),
    "in_bulk by another": lambda s: (
        s.rows.order_by("store_id", "id").distinct("store_id").in_bulk(field_name="store_id")
    ),
    "in_bulk nothing": lambda s: s.rows.in_bulk([]),
    "in_bulk of a slice": lambda s: refused(TypeError, s.rows[:3].in_bulk),
    "dates": lambda s: s.rows.dates("month", "month"),
    "dates descending": lambda s: s.rows.dates("month", "year", order="DESC"),
    "datetimes": lambda s: s.rows.datetimes("seen_at", "day"),
    "explain": lambda s: isinstance(s.rows.explain(), str) and "cost" in s.rows.filter(label="a").explain(),
    "explain analyze": lambda s: "actual time" in s.rows[:3].explain(analyze=True),
}

AGGREGATES: dict[str, Operation] = {
    "aggregate": lambda s: s.rows.aggregate(Sum("revenue"), n=Count("*"), most=Max("orders"), least=Min("month")),
    "aggregate mean": lambda s: s.rows.aggregate(Avg("revenue"), Avg("orders")),
    "aggregate of slice": lambda s: s.rows.order_by("-revenue", "id")[:7].aggregate(Sum("revenue"), Count("orders")),
    "aggregate of annotation": lambda s: s.rows.annotate(d=F("revenue") * 2).aggregate(Sum("d"), Max("d")),
    "aggregate filter=": lambda s: s.rows.aggregate(
        a=Sum("revenue", filter=Q(label="a")), b=Count("id", filter=Q(orders=None))
    ),
    "aggregate distinct": lambda s: s.rows.aggregate(n=Count("store", distinct=True), m=Count("label", distinct=True)),
    "aggregate span": lambda s: s.rows.aggregate(n=Count("store__tags"), m=Max("store__region__name")),
    "aggregate of groups": lambda s: s.rows.values("label").annotate(n=Count("id")).aggregate(Max("n"), Sum("n")),
    "aggregate of nothing": lambda s: s.rows.none().aggregate(n=Count("id"), s=Sum("orders")),
    "aggregate of distinct": lambda s: s.rows.values("orders").distinct().aggregate(Sum("orders")),
    "aggregate default": lambda s: s.rows.filter(label="z").aggregate(n=Sum("orders", default=7)),
    "group": lambda s: s.rows.values("label").annotate(n=Count("id"), r=Sum("revenue")).order_by("label"),
    "group without order": lambda s: unordered(s.rows.values("label").annotate(n=Count("id"))),
    "group without order, list": lambda s: unordered(s.rows.values_list("label", "store").annotate(n=Count("id"))),
    "group ordered as by default": lambda s: s.rows.order_by("id").values("label").annotate(n=Count("id")),
    "group ordered by the count": lambda s: s.rows.values("label").annotate(n=Count("id")).order_by("-n", "label"),
    "group by FK span": lambda s: (
        s.rows.values("store__region__name").annotate(n=Sum("orders")).order_by("store__region__name")
    ),
    "group by Trunc": lambda s: (
        s.rows.annotate(q=TruncMonth("month")).values("q").annotate(n=Count("id")).order_by("q")
    ),
    "group having": lambda s: s.rows.values("store").annotate(n=Count("id")).filter(n__gt=3).order_by("store"),
    "group having where": lambda s: (
        s.rows.filter(label="a").values("store").annotate(n=Sum("revenue")).filter(n__gt=60).order_by("n")
    ),
    "group of slice": lambda s: s.rows.values("label").annotate(n=Count("id")).order_by("label")[1:2],
    "group m2m": lambda s: (
        s.rows.values("store__tags__name").annotate(n=Count("id", distinct=True)).order_by("store__tags__name")
    ),
    "values after annotate": lambda s: s.rows.annotate(n=Count("store__tags")).values("id", "n").order_by("id"),
}

ANNOTATIONS: dict[str, Operation] = {
    "annotate F": lambda s: s.rows.annotate(per=F("revenue") / (F("orders") + 1)),
    "annotate F integer": lambda s: s.rows.annotate(more=F("orders") + 1, same=F("orders")),
    "annotate span": lambda s: s.rows.annotate(region=F("store__region__name")),
    "annotate Case": lambda s: s.rows.annotate(
        size=Case(When(revenue__gt=70, then=Value("big")), When(label="a", then="store__name"), default=Value("small"))
    ),
    "annotate Value": lambda s: s.rows.annotate(five=Value(5), text=Value("it's 100%"), flag=Value(True)),
    "annotate Value none": lambda s: s.rows.annotate(null=Value(None, models.IntegerField())),
    "annotate Q": lambda s: s.rows.annotate(good=Q(revenue__gt=50)),
    "annotate Coalesce": lambda s: s.rows.annotate(n=Coalesce("orders", 0), w=Coalesce("seen_at", NEW_YEAR)),
    "annotate Concat": lambda s: s.rows.annotate(
        both=Concat("label", Value(" / "), "store__name", output_field=models.TextField())
    ),
    "annotate Cast": lambda s: s.rows.annotate(
        f=Cast("revenue", models.FloatField()),
        t=Cast("orders", models.TextField()),
        d=Cast("seen_at", models.DateField()),
    ),
    "annotate Extract": lambda s: s.rows.annotate(year=ExtractYear("month"), seen=ExtractYear("seen_at")),
    "annotate Trunc": lambda s: s.rows.annotate(m=TruncMonth("month"), d=TruncDay("seen_at"), on=TruncDate("seen_at")),
    "annotate Trunc of another zone": lambda s: s.rows.annotate(d=TruncDay("seen_at", tzinfo=datetime.UTC)),
    "annotate duration": lambda s: s.rows.annotate(age=NEW_YEAR - F("seen_at")),
    "annotate Window": lambda s: s.rows.annotate(
        place=Window(Rank(), partition_by="label", order_by="-revenue"), before=Window(Lag("orders"), order_by="id")
    ),
    "annotate Window sum": lambda s: s.rows.annotate(total=Window(Sum("revenue"), partition_by="store", order_by="id")),
    "filter on a window": lambda s: s.rows.annotate(n=Window(RowNumber(), partition_by="label", order_by="id")).filter(
        n=2
    ),
    "filter on a window and count": lambda s: (
        s.rows.annotate(n=Window(RowNumber(), partition_by="store", order_by="id")).filter(n__lte=2).count()
    ),
    "annotate Subquery": lambda s: s.rows.annotate(
        tag=Subquery(Tag.objects.filter(stores=OuterRef("store_id")).order_by("name").values("name")[:1])
    ),
    "annotate Subquery of itself": lambda s: s.rows.annotate(
        best=Subquery(s.rows.filter(store=OuterRef("store")).order_by("-revenue", "id").values("pk")[:1])
    ),
    "annotate Subquery of others": lambda s: s.rows.annotate(
        n=Subquery(s.others.filter(store=OuterRef("store")).values("store").annotate(n=Count("pk")).values("n"))
    ),
    "annotate subquery in subquery": lambda s: s.rows.annotate(
        n=Subquery(
            s.rows.filter(store=OuterRef("store"), pk__in=s.rows.filter(label=OuterRef("label")).values("pk"))
            .order_by("id")
            .values("revenue")[:1]
        )
    ),
    "annotate Exists": lambda s: s.rows.annotate(
        again=Exists(s.rows.filter(store=OuterRef("store"), pk__gt=OuterRef("pk")))
    ),
    "annotate ArraySubquery": lambda s: s.rows.annotate(
        ids=ArraySubquery(s.rows.filter(store=OuterRef("store")).order_by("-id").values("id"))
    ),
    "annotate Count over a relation": lambda s: s.rows.annotate(n=Count("store__tags")).order_by("id"),
    "annotate Count and filter": lambda s: (
        s.rows.annotate(n=Count("store__tags", filter=Q(store__tags__name="new"))).filter(n=1).order_by("id")
    ),
    "alias": lambda s: s.rows.alias(double=F("revenue") * 2).filter(double__gt=90).order_by("-double", "id"),
    "alias to annotation": lambda s: s.rows.alias(double=F("revenue") * 2).annotate(double=F("double")),
    "FilteredRelation": lambda s: (
        s.rows.annotate(tag=FilteredRelation("store__tags", condition=Q(store__tags__name="new")))
        .values("id", "tag__name")
        .order_by("id", "tag__name")
    ),
    "FilteredRelation isnull": lambda s: s.rows.annotate(
        tag=FilteredRelation("store__tags", condition=Q(store__tags__name="new"))
    ).filter(tag__isnull=True),
}

SHAPES: dict[str, Operation] = {
    "values": lambda s: s.rows.values(),
    "values named": lambda s: s.rows.values("label", "store__name", "pk"),
    "values expression": lambda s: s.rows.values("id", low=Lower("store__name")),
    "values of FK": lambda s: s.rows.values("store", "store_id"),
    "values_list": lambda s: s.rows.values_list("id", "label", "month"),
    "values_list all": lambda s: s.rows.values_list(),
    "values_list flat": lambda s: s.rows.values_list("label", flat=True),
    "values_list named": lambda s: s.rows.values_list("id", "revenue", named=True),
    "only": lambda s: s.rows.only("label"),
    "only several": lambda s: s.rows.only("seen_at", "label", "revenue"),
    "only and annotate": lambda s: s.rows.only("label").annotate(d=F("revenue") * 2),
    "defer": lambda s: s.rows.defer("label", "month"),
    "defer nothing": lambda s: s.rows.defer("label").defer(None),
    "distinct": lambda s: s.rows.filter(store__tags__isnull=False).distinct(),
    "distinct values": lambda s: s.rows.order_by("label").values("label").distinct(),
    "distinct on": lambda s: s.rows.order_by("store_id", "-revenue", "id").distinct("store_id"),
    "distinct on span": lambda s: s.rows.order_by("store__region__name", "id").distinct("store__region__name"),
    "distinct ordered by another": lambda s: (
        s.rows.filter(store__tags__isnull=False).order_by("store__name", "id").distinct()
    ),
}

SETS: dict[str, Operation] = {
    "union": lambda s: s.rows.filter(label="a").union(s.rows.filter(orders=3)).order_by("id"),
    "union all": lambda s: s.rows.filter(label="a").union(s.rows.filter(label="a"), all=True).order_by("id"),
    "union of other parameters": lambda s: s.rows.union(s.others).order_by("-revenue", "id"),
    "union with the real table": lambda s: s.rows.filter(label="a").union(s.real.filter(label="b")).order_by("id"),
    "union of the real table": lambda s: s.real.filter(label="a").union(s.rows.filter(label="b")).order_by("id"),
    "union values": lambda s: (
        s.rows.values_list("label", "orders").union(s.real.values_list("label", "store")).order_by("label", "orders")
    ),
    "union slice": lambda s: s.rows.filter(label="a").union(s.rows.filter(label="b")).order_by("-id")[2:5],
    "union count": lambda s: s.rows.filter(label="a").union(s.rows.filter(orders=3)).count(),
    "union exists": lambda s: s.rows.filter(label="z").union(s.rows.filter(label="y")).exists(),
    "union of slices": lambda s: s.rows.order_by("id")[:2].union(s.rows.order_by("-id")[:2]).order_by("id"),
    "union with none": lambda s: unordered(s.rows.order_by().filter(label="a").union(s.rows.none())),
    "union first": lambda s: (
        s.rows.filter(label="a").union(s.rows.filter(label="b")).order_by("-revenue", "id").first()
    ),
    "intersection": lambda s: s.rows.intersection(s.rows.filter(label="b")).order_by("id"),
    "intersection with the real table": lambda s: s.rows.intersection(s.real.filter(label="b")).order_by("id"),
    "difference": lambda s: s.rows.difference(s.rows.filter(label="b")).order_by("id"),
    "difference of the real table": lambda s: s.real.difference(s.rows.filter(label="b")).order_by("id"),
    "and": lambda s: s.rows.filter(label="a") & s.rows.filter(orders__gt=3),
    "or": lambda s: s.rows.filter(label="a") | s.rows.filter(orders=3),
    "or over joins": lambda s: (
        s.rows.filter(store__region__name="north") | s.rows.filter(store__tags__name="new").order_by("id")
    ),
    "or of slices": lambda s: s.rows[:3] | s.rows.order_by("-id")[:2],
    "or of a slice": lambda s: s.rows.filter(label="a") | s.rows[:2],
    "xor": lambda s: s.rows.filter(label="a") ^ s.rows.filter(orders__gt=3),
    "xor of slices": lambda s: s.rows[:6] ^ s.rows[:3],
    "or with none": lambda s: s.rows.none() | s.rows.filter(label="a"),
    "and with none": lambda s: s.rows.filter(label="a") & s.rows.none(),
}

READING: dict[str, Operation] = {
    "iterator": lambda s: s.rows.iterator(),
    "iterator in chunks": lambda s: s.rows.iterator(chunk_size=3),
    "iterator of one": lambda s: s.rows.filter(pk=9).iterator(chunk_size=1),
    "iterator annotated": lambda s: s.rows.annotate(y=ExtractYear("month"), d=TruncDay("seen_at")).iterator(
        chunk_size=4
    ),
    "iterator of values": lambda s: s.rows.values_list("id", "label").iterator(chunk_size=2),
    "iterator of nothing": lambda s: s.rows.none().iterator(),
    "iterator not read to its end": lambda s: [
        list(itertools.islice(s.rows.iterator(chunk_size=2), 3)),
        s.rows.count(),
    ],
    "deepcopy": lambda s: copy.deepcopy(s.rows.filter(label="a")),
    "copy": lambda s: copy.copy(s.rows.filter(label="a")),
    "pickle": lambda s: pickled(s.rows.filter(store__region__name="north")),
    "pickle and go on": lambda s: with_query(s.rows, pickled(s.rows.filter(label="a").query)).filter(orders__gt=2),
    "pickle the query": lambda s: with_query(s.rows, pickled(s.rows.annotate(d=F("revenue") * 2)[:5].query)),
    "pickle the query of values": lambda s: (
        with_query(s.rows, pickled(s.rows.values("label").query)).distinct().order_by("label")
    ),
    "pickle one row": lambda s: pickled(s.rows.get(pk=9)),
    "pickle one row of only": lambda s: pickled(s.rows.only("label")[2]),
    "pickle read rows": lambda s: [len(pickled(s.rows)), pickled(s.rows)[3]],
    "async for": lambda s: awaited(lambda: collected(s.rows)),
    "async slice": lambda s: awaited(lambda: collected(s.rows.filter(label="a")[1:4])),
    "aiterator": lambda s: awaited(lambda: collected(s.rows.aiterator(chunk_size=3))),
    "acount": lambda s: awaited(s.rows.acount),
    "aexists": lambda s: awaited(s.rows.aexists),
    "aget": lambda s: awaited(lambda: s.rows.aget(pk=9)),
    "afirst": lambda s: awaited(s.rows.order_by("-revenue", "id").afirst),
    "alast": lambda s: awaited(s.rows.alast),
    "alatest": lambda s: awaited(lambda: s.rows.alatest("month", "id")),
    "aaggregate": lambda s: awaited(lambda: s.rows.aaggregate(Sum("revenue"))),
    "ain_bulk": lambda s: awaited(lambda: s.rows.ain_bulk([8, 9])),
    "aexplain": lambda s: "cost" in awaited(s.rows.aexplain),
}

REAL: dict[str, Operation] = {
    "real pk__in": lambda s: Store.objects.filter(pk__in=s.rows.filter(label="a").values("store")),
    "real pk not in": lambda s: Store.objects.exclude(pk__in=s.rows.filter(label="a").values("store")),
    "real in slice": lambda s: Store.objects.filter(pk__in=s.rows.order_by("-revenue", "id").values("store_id")[:3]),
    "real Exists": lambda s: Store.objects.filter(Exists(s.rows.filter(store=OuterRef("pk"), orders__gt=9))),
    "real not Exists": lambda s: Store.objects.filter(~Exists(s.rows.filter(store_id=OuterRef("pk"), label="a"))),
    "real Subquery": lambda s: Store.objects.annotate(
        best=Subquery(s.rows.filter(store=OuterRef("pk")).order_by("-revenue", "id").values("revenue")[:1])
    ),
    "real Subquery of two": lambda s: Store.objects.annotate(
        now=Subquery(s.rows.filter(store=OuterRef("pk")).order_by("id").values("revenue")[:1]),
        then=Subquery(s.others.filter(store=OuterRef("pk")).order_by("id").values("revenue")[:1]),
    ),
    "real ArraySubquery": lambda s: Store.objects.annotate(
        labels=ArraySubquery(s.rows.filter(store=OuterRef("pk")).order_by("id").values("label"))
    ),
    "real Exists in Exists": lambda s: Region.objects.filter(
        Exists(
            Store.objects.filter(region=OuterRef("pk")).filter(Exists(s.rows.filter(store=OuterRef("pk"), label="a")))
        )
    ).order_by("id"),
    "real update": lambda s: changed(
        Store.objects.filter(pk__in=s.rows.filter(label="b").values("store")), name="chosen"
    ),
    "real update to Subquery": lambda s: changed(
        Store.objects.filter(Exists(s.rows.filter(store=OuterRef("pk")))), name="chosen"
    ),
    "real update by value": lambda s: [
        Store.objects.update(
            name=Coalesce(
                Subquery(s.rows.filter(store=OuterRef("pk")).order_by("-id").values("label")[:1]), Value("none")
            )
        ),
        Store.objects.values_list("name", flat=True),
    ],
    "real delete": lambda s: gone(Tag.objects.filter(stores__in=s.rows.filter(label="c").values("store")), Tag),
    "real delete of rows": lambda s: gone(Figure.objects.filter(pk__in=s.rows.filter(label="a").values("pk")), Figure),
    "real in Q": lambda s: Store.objects.filter(Q(name="Store 7") | Q(pk__in=s.rows.filter(label="a").values("store"))),
}

# Operations that need instances, or Store's relation to the rows.

INSTANCES: dict[str, Operation] = {
    "select_related": lambda s: instances_of(s.rows.select_related("store__region")),
    "select_related of two": lambda s: instances_of(s.rows.select_related("store", "store__region").filter(label="a")),
    "select_related none": lambda s: s.rows.select_related("store").select_related(None),
    "select_related and only": lambda s: [
        (row.label, row.store.name) for row in s.rows.select_related("store").only("label", "store__name")
    ],
    "select_related and annotate": lambda s: [
        (row.pk, row.n, row.store.name)
        for row in s.rows.select_related("store").annotate(n=Count("store__tags")).order_by("id")
    ],
    "prefetch_related": lambda s: instances_of(s.rows.prefetch_related("store__region")),
    "prefetch_related m2m": lambda s: [
        (row.pk, sorted(tag.name for tag in row.store.tags.all())) for row in s.rows.prefetch_related("store__tags")
    ],
    "prefetch_related queryset": lambda s: [
        (row.pk, row.store.name)
        for row in s.rows.filter(label="a").prefetch_related(Prefetch("store", Store.objects.only("name")))
    ],
    "prefetch_related in iterator": lambda s: instances_of(
        s.rows.prefetch_related("store__region").iterator(chunk_size=5)
    ),
    "prefetch_related reverse": lambda s: [
        (store.pk, [row.pk for row in getattr(store, s.reverse).all()])
        for store in Store.objects.prefetch_related(Prefetch(s.reverse, s.rows.order_by("-revenue", "id")))
    ],
    "prefetch_related reverse to a list": lambda s: [
        (store.pk, store.chosen)
        for store in Store.objects.prefetch_related(Prefetch(s.reverse, s.rows.filter(label="a"), to_attr="chosen"))
    ],
    "prefetch_related reverse of two": lambda s: [
        [len(getattr(store, s.reverse).all()) for store in region.stores.all()]
        for region in Region.objects.order_by("id").prefetch_related(
            "stores", Prefetch(f"stores__{s.reverse}", s.rows.select_related("store"))
        )
    ],
    "prefetch_related slice": lambda s: [
        (store.pk, store.best)
        for store in Store.objects.prefetch_related(
            Prefetch(s.reverse, s.rows.order_by("-revenue", "id")[:2], to_attr="best")
        )
    ],
    "fk access": lambda s: [row.store.name for row in s.rows.filter(label="a")],
    "contains instance": lambda s: [s.rows.contains(s.rows[4]), s.rows.filter(label="z").contains(s.rows[4])],
    "acontains": lambda s: awaited(lambda: s.rows.acontains(s.rows.model(pk=9))),
    "filter by instances": lambda s: s.rows.filter(store__in=[s.rows[2].store, s.rows[5].store]),
    "pickle with select_related": lambda s: instances_of(pickled(s.rows.select_related("store__region"))),
    "pickle one with its store": lambda s: pickled(s.rows.select_related("store")[3]).store.name,
    "filter through itself": lambda s: s.rows.filter(**{s.by("store__*__orders"): 4}).order_by("id"),
    "exclude through itself": lambda s: s.rows.exclude(**{s.by("store__*__orders"): 4}),
    "annotate through itself": lambda s: s.rows.annotate(n=Count(s.by("store__*"), distinct=True)).order_by("id"),
    "order_by through itself": lambda s: s.rows.filter(**{s.by("store__*__label"): "a"}).order_by(
        s.by("store__*__revenue"), "id"
    ),
}

JOINS: dict[str, Operation] = {
    "join filter": lambda s: s.stores.filter(**{s.by("*__revenue__gt"): 80}).order_by("id", s.by("*__id")),
    "join filter distinct": lambda s: s.stores.filter(**{s.by("*__label"): "a"}).distinct(),
    "join exclude": lambda s: s.stores.exclude(**{s.by("*__orders"): 4}),
    "join exclude of two": lambda s: s.stores.exclude(**{s.by("*__orders"): 4, s.by("*__label"): "a"}),
    "join isnull": lambda s: s.stores.filter(**{s.by("*__isnull"): True}),
    "join count": lambda s: s.stores.annotate(n=Count(s.reverse), r=Sum(s.by("*__revenue"))),
    "join values": lambda s: s.stores.order_by("id", s.by("*__id")).values_list(
        "name", s.by("*__revenue"), s.by("*__month")
    ),
    "join group": lambda s: s.stores.values("region__name").annotate(n=Sum(s.by("*__orders"))).order_by("region__name"),
    "join aggregate": lambda s: s.stores.aggregate(n=Count(s.by("*__id")), r=Max(s.by("*__revenue"))),
    "join of filtered": lambda s: (
        s.reaching(Store.objects.filter(tags__name="new")).filter(**{s.by("*__label"): "a"}).distinct()
    ),
    "join of joined": lambda s: s.reaching(Store.objects.filter(**{s.by("*__label"): "b"})).distinct(),
    "join two hops": lambda s: (
        s.reaching(Region.objects.order_by("id")).filter(**{s.by("stores__*__orders"): 4}).distinct()
    ),
    "join two hops exclude": lambda s: s.reaching(Region.objects.order_by("id")).exclude(
        **{s.by("stores__*__orders"): 4}
    ),
    "join two hops count": lambda s: s.reaching(Region.objects.order_by("id")).annotate(n=Count(s.by("stores__*"))),
    "join through m2m": lambda s: s.reaching(Tag.objects.order_by("id")).annotate(r=Sum(s.by("stores__*__revenue"))),
    "join FilteredRelation": lambda s: s.stores.annotate(
        good=FilteredRelation(s.reverse, condition=Q(**{s.by("*__revenue__gt"): 60}))
    ).annotate(n=Count("good"), best=Max("good__revenue")),
    "join FilteredRelation isnull": lambda s: s.stores.annotate(
        good=FilteredRelation(s.reverse, condition=Q(**{s.by("*__revenue__gt"): 90}))
    ).filter(good__isnull=True),
    "join named": lambda s: (
        s.join(Store.objects.all(), current=s.rows).filter(current__label="a").order_by("id", "current__id")
    ),
    "join two periods": lambda s: (
        s.join(Store.objects.all(), current=s.rows, previous=s.others)
        .values("name")
        .annotate(now=Sum("current__revenue"), then=Count("previous__id", distinct=True))
        .order_by("name")
    ),
    "join two periods compared": lambda s: (
        s.join(Store.objects.all(), current=s.rows, previous=s.others)
        .filter(current__month=F("previous__month"), current__revenue__gte=F("previous__revenue"))
        .values_list("id", "current__id", "previous__id")
        .order_by("id", "current__id", "previous__id")
    ),
    "join two periods excluded": lambda s: s.join(Store.objects.all(), current=s.rows, previous=s.others).exclude(
        current__orders=4
    ),
    "join one period missing": lambda s: (
        s.join(Store.objects.all(), current=s.rows, previous=s.others)
        .filter(previous__isnull=True)
        .values("id")
        .distinct()
    ),
    "join step by step": lambda s: (
        s.join(s.join(Store.objects.all(), current=s.rows), previous=s.others.filter(orders__gt=2))
        .values("id")
        .annotate(a=Count("current__id", distinct=True), b=Count("previous__id", distinct=True))
        .order_by("id")
    ),
    "join filtered rows": lambda s: s.join(Store.objects.all(), chosen=s.rows.filter(label="a")).annotate(
        n=Count("chosen")
    ),
    "join excluded rows": lambda s: s.join(
        Store.objects.all(), chosen=s.rows.exclude(store__tags__name="new")
    ).annotate(n=Count("chosen")),
    "join sliced rows": lambda s: s.join(Store.objects.all(), chosen=s.rows.order_by("-revenue", "id")[:5]).annotate(
        n=Count("chosen")
    ),
    "join distinct on rows": lambda s: (
        s.join(Store.objects.all(), last=s.rows.order_by("store_id", "-month", "-id").distinct("store_id"))
        .values("id", "last__revenue")
        .order_by("id")
    ),
    "join no rows": lambda s: s.join(Store.objects.all(), chosen=s.rows.none()).filter(chosen__isnull=True),
    "join values_list": lambda s: s.reaching(Store.objects.values_list("name", flat=True)).filter(**{s.by("*__pk"): 9}),
    "join Exists": lambda s: Region.objects.filter(
        Exists(s.stores.filter(**{"region": OuterRef("pk"), s.by("*__label"): "a"}))
    ).order_by("id"),
    "join in": lambda s: (
        Tag.objects.filter(stores__in=s.stores.filter(**{s.by("*__label"): "a"})).distinct().order_by("id")
    ),
    "join union": lambda s: (
        s.stores.filter(**{s.by("*__label"): "a"}).union(Store.objects.filter(name="Store 7")).order_by("id")
    ),
    "join or": lambda s: s.stores.filter(**{s.by("*__orders"): 4}).distinct() | s.stores.filter(region=None).distinct(),
    "join select_related": lambda s: [
        (store.pk, store.region and store.region.name)
        for store in s.stores.select_related("region").filter(**{s.by("*__label"): "a"}).distinct()
    ],
    "join update": lambda s: changed(s.stores.filter(**{s.by("*__label"): "b"}), name="chosen"),
    "join delete": lambda s: gone(s.reaching(Tag.objects.all()).filter(**{s.by("stores__*__orders"): 4}), Tag),
    "join slice and count": lambda s: [s.stores.filter(**{s.by("*__label"): "a"})[:3].count(), s.stores[1:3]],
    "join iterator": lambda s: (
        s.stores.filter(**{s.by("*__label"): "a"}).order_by("id", s.by("*__id")).iterator(chunk_size=2)
    ),
    "join pickle": lambda s: with_query(Store.objects.all(), pickled(s.stores.filter(**{s.by("*__orders"): 4}).query)),
    "join deepcopy": lambda s: (
        copy.deepcopy(s.join(Store.objects.all(), current=s.rows[:4]))
        .filter(current__isnull=False)
        .order_by("current__id")
    ),
    "join only": lambda s: s.stores.only("name").filter(**{s.by("*__pk"): 9}),
    "join in_bulk": lambda s: s.stores.filter(**{s.by("*__pk"): 9}).in_bulk(),
    "join in order": lambda s: s.stores.order_by(F(s.by("*__revenue")).desc(nulls_last=True), s.by("*__id"), "id")[:9],
    "join async": lambda s: awaited(lambda: collected(s.stores.filter(**{s.by("*__pk__in"): [8, 9]}).distinct())),
}

OPERATIONS: dict[str, Operation] = {
    **FILTERS, **ORDERS, **ANSWERS, **AGGREGATES, **ANNOTATIONS, **SHAPES, **SETS, **READING, **REAL
}  # fmt: skip
INSTANCE_OPERATIONS: dict[str, Operation] = {**INSTANCES, **JOINS}

if hasattr(models, "FETCH_PEERS"):  # Django 6.1
    INSTANCE_OPERATIONS["fetch_mode"] = lambda s: [row.store.name for row in s.rows.fetch_mode(models.FETCH_PEERS)]
    OPERATIONS["in_bulk of values"] = lambda s: s.rows.values("label", "id").in_bulk([8, 9])
    OPERATIONS["totally_ordered"] = lambda s: [
        s.rows.totally_ordered, s.rows.order_by("label").totally_ordered, s.rows.order_by("label", "pk").totally_ordered
    ]  # fmt: skip

# Everything else must give something: two empty answers are too easily equal.
EMPTY = {
    "aggregate of nothing", "and with none", "exists behind the end", "filter in nothing", "first of nothing",
    "in_bulk nothing", "iterator of nothing", "none", "none count", "slice empty", "union exists",
}  # fmt: skip


# The data.


@pytest.fixture
def figures() -> None:
    """Seven stores, the last without figures, and 48 figures; the real table has those that the report gives."""
    Region.objects.bulk_create([Region(pk=1, name="north"), Region(pk=2, name="south")])
    Tag.objects.bulk_create([Tag(pk=1, name="new"), Tag(pk=2, name="large"), Tag(pk=3, name="unused")])
    Store.objects.bulk_create(
        Store(pk=n, name=f"Store {n}" if n != 6 else "6 100%", region_id=(1, 2, None)[n % 3]) for n in range(1, 8)
    )
    tagged = Store.tags.through
    tagged.objects.bulk_create(
        tagged(store_id=s, tag_id=t) for s, t in [(1, 1), (1, 2), (2, 1), (4, 2), (5, 1), (7, 2)]
    )
    Figure.objects.bulk_create(map(figure, range(1, 49)))
    kept = Figure.objects.filter(revenue__gte=PARAMS["least"], label__in=PARAMS["labels"])
    KeptFigure.objects.bulk_create(KeptFigure(**row) for row in kept.values())
    assert 0 < KeptFigure.objects.count() < 40


def figure(n: int) -> Figure:
    """Return a figure. Times lie around midnight in St John's, and at both changes of its clocks."""
    start = datetime.datetime(2025, 11, 2, 2, 15, tzinfo=datetime.UTC)
    return Figure(
        pk=n,
        store_id=1 + n % 6,
        month=datetime.date(2025 + n // 24, 1 + n * 5 % 12, 1),
        revenue=Decimal(n * 37 % 23 * 5) + Decimal("0.50") * (n % 2),
        orders=None if n % 5 == 0 else n % 11,
        label=("a", "b", "c", "a", None, "100%", "b")[n % 7],
        seen_at=None if n % 4 == 0 else start + datetime.timedelta(days=n * 3, minutes=n * 35),
    )


def side_of_report(report: type[reports.Report]) -> Side:
    rows, others = report().run(PARAMS), report().run(BEFORE)
    return Side(rows, others, reports.join, reverse="" if rows.gives_dicts else "figure_rows")


def side_of_table() -> Side:
    others = Figure.objects.filter(label="a")
    return Side(KeptFigure.objects.all(), others, join_table, reverse="kept_figures")


def join_table(queryset: Any, **named: Any) -> Any:
    """Do by Django's own means what ``reports.join`` does: a FilteredRelation restricted to the rows."""
    for name, rows in named.items():
        relation = {KeptFigure: "kept_figures", Figure: "figures"}[rows.model]
        condition = Q(**{f"{relation}__in": uncounted(rows)})
        queryset = queryset.annotate(**{name: FilteredRelation(relation, condition=condition)})
    return queryset


def uncounted(rows: Any) -> list[int]:
    """Return the keys of rows; the query is none of the operation's."""
    connection.force_debug_cursor = False
    keys = [row.pk for row in rows]
    connection.force_debug_cursor = True
    return keys or [0]  # Django reads an empty list as "no rows at all"


# The tests.


def assert_same(name: str, operation: Operation, report: type[reports.Report]) -> None:
    expected, expected_queries = outcome(operation, side_of_table())
    found, queries = outcome(operation, side_of_report(report))

    assert found == expected
    assert repr(found) == repr(expected)  # types too: Decimal("1.0") == Decimal("1.00") == 1
    assert queries == expected_queries
    if not isinstance(expected, (int, str)) or isinstance(expected, bool):
        assert bool(expected) != (name in EMPTY) or name == "aggregate of nothing"


@pytest.mark.usefixtures("figures")
@pytest.mark.parametrize("name", OPERATIONS)
def test_operation_on_dicts(name: str) -> None:
    assert_same(name, OPERATIONS[name], Figures)


@pytest.mark.usefixtures("figures")
@pytest.mark.parametrize("name", [*OPERATIONS, *INSTANCE_OPERATIONS])
def test_operation_on_instances(name: str) -> None:
    assert_same(name, {**OPERATIONS, **INSTANCE_OPERATIONS}[name], FigureInstances)


# The report's own ordering, which Django does not know as the model's.

RANKED: dict[str, Operation] = {
    "all": lambda s: s.rows,
    "reverse": lambda s: s.rows.reverse(),
    "first and last": lambda s: [s.rows.first(), s.rows.last()],
    "slice": lambda s: s.rows[3:7],
    "group": lambda s: unordered(s.rows.values("label").annotate(n=Count("id"))),
    "group of values_list": lambda s: unordered(s.rows.values_list("store", "label").annotate(Sum("revenue"))),
    "group counted": lambda s: s.rows.values("label").annotate(n=Count("id")).count(),
    "group in order": lambda s: s.rows.values("label").annotate(n=Count("id")).order_by("-n", "label"),
    "group reversed": lambda s: unordered(s.rows.reverse().values("label").annotate(n=Count("id"))),
    "group ordered as by default, but by the user": lambda s: (
        s.rows.order_by("-revenue", "-id").values("label").annotate(n=Count("id"))
    ),
    "group in Subquery": lambda s: Store.objects.annotate(
        n=Subquery(s.rows.filter(store=OuterRef("pk")).values("store").annotate(n=Count("pk")).values("n"))
    ),
    "count over a relation": lambda s: s.rows.annotate(n=Count("store__tags")).order_by("-revenue", "-id"),
    "order_by nothing": lambda s: [s.rows.ordered, s.rows.order_by().ordered],
    "aggregate of slice": lambda s: s.rows[:5].aggregate(Sum("revenue")),
    "or of slices in the report's order": lambda s: s.rows[:3] | s.rows[5:7],
    "or of slices": lambda s: (s.rows[:3] | s.rows.order_by("id")[:2]).order_by("id"),
    "or": lambda s: s.rows.filter(label="a") | s.rows.filter(orders=3),
    "pickle": lambda s: pickled(s.rows),
    "dates": lambda s: s.rows.dates("month", "month"),
    "pk__in slice": lambda s: Figure.objects.filter(pk__in=s.rows.values("pk")[:4]),
}


@pytest.mark.usefixtures("figures")
@pytest.mark.parametrize("report", [RankedFigures, RankedFigureInstances])
@pytest.mark.parametrize("name", RANKED)
def test_operation_with_the_reports_ordering(
    name: str, report: type[reports.Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real model's Meta.ordering stays out of GROUP BY; so must the ordering of a report."""
    monkeypatch.setattr(KeptFigure._meta, "ordering", list(RankedFigures.ordering))

    assert_same(name, RANKED[name], report)


# Outside of a transaction.


@pytest.fixture
def committed_figures(transactional_db: None, figures: None) -> None:
    """The same data, seen by every connection."""


@pytest.mark.usefixtures("committed_figures")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("report", [Figures, FigureInstances])
@pytest.mark.parametrize("name", READING)
def test_operation_outside_a_transaction(name: str, report: type[reports.Report]) -> None:
    expected, found = (plain(READING[name](side)) for side in (side_of_table(), side_of_report(report)))

    assert repr(found) == repr(expected)


@pytest.mark.usefixtures("committed_figures")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("report", [Figures, FigureInstances])
def test_cursor_on_the_server(report: type[reports.Report]) -> None:
    """iterator() reads in pieces, in and outside of a transaction, and ends with its cursor closed."""
    rows = report().run(PARAMS)
    expected = plain(rows)

    def open_cursors() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_cursors WHERE name LIKE '_django%'")
            return int(cursor.fetchone()[0])

    for place in (nullcontext, transaction.atomic):
        with place():
            iterator = rows.iterator(chunk_size=2)
            first = next(iterator)
            assert open_cursors() == 1
            assert plain([first, *iterator]) == expected
            assert open_cursors() == 0


CHILD = """
import pickle, sys, django
django.setup()
rows, query, instance, deferred, read, joined = pickle.load(sys.stdin.buffer)
again = rows.all()
again.query = query
answers = [list(rows), again.count(), instance.label, deferred.revenue, list(read)]
answers.append(list(joined.values_list("pk", "current__revenue")))
sys.stdout.buffer.write(pickle.dumps(answers))
"""


@pytest.mark.usefixtures("committed_figures")
@pytest.mark.django_db(transaction=True)
def test_pickles_in_another_process() -> None:
    """A process that has made no row model yet reads rows, queries and instances of this one."""
    rows, instances = Figures().run(PARAMS), FigureInstances().run(PARAMS)
    unread = rows.none()
    unread.query = rows.filter(label="a").query  # pickling rows reads them; a query stays a query
    stores: Any = reports.join(Store.objects.order_by("pk"), current=instances.filter(label="a")[:3])
    joined = stores.filter(current__isnull=False).order_by("current__pk")
    values = [rows, unread.query, instances[0], instances.only("revenue")[0], instances, joined]
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD],
        input=pickle.dumps(values),
        env={**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr.decode()
    found = pickle.loads(done.stdout)
    assert found[0] == list(rows)
    assert found[1] == unread.count() > 0
    assert found[2:4] == [instances[0].label, instances[0].revenue]
    assert plain(found[4]) == plain(instances)
    assert found[5] == list(joined.values_list("pk", "current__revenue"))
    assert len(found[5]) == 3
