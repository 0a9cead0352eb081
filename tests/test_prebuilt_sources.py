"""What may be counted: models, managers and querysets of every kind, each against the rows that they give."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from django.apps.registry import Apps
from django.db import connection, models
from django.db.models import Count, F, Max, Q, Sum

from reports.errors import DeclarationError
from reports.prebuilt import PeriodTotals
from tests.models import Buyer, Sale

own = Apps()


class Kept(models.Manager[Any]):
    """Rows that are not deleted, the latest first."""

    def get_queryset(self) -> models.QuerySet[Any]:
        return super().get_queryset().filter(is_deleted=False).order_by("-at")


class Note(models.Model):
    at = models.DateTimeField()
    is_deleted = models.BooleanField(default=False)

    objects = Kept()
    every: ClassVar[models.Manager[Any]] = models.Manager()

    class Meta:
        apps = own
        app_label = "tests"
        ordering = ["pk"]
        default_manager_name = "objects"


class Letter(Note):
    """A table of its own, joined to its parent's."""

    pages = models.IntegerField()

    class Meta:
        apps = own
        app_label = "tests"


class Memo(Note):
    class Meta:
        apps = own
        app_label = "tests"
        proxy = True


class Reading(models.Model):
    pk = models.CompositePrimaryKey("meter", "at")
    meter = models.IntegerField()
    at = models.DateTimeField()
    value = models.IntegerField()

    objects: ClassVar[models.Manager[Any]] = models.Manager()

    class Meta:
        apps = own
        app_label = "tests"


def at(day: int) -> datetime:
    return datetime(2025, 1, day, 12, tzinfo=UTC)


@pytest.fixture
def rows(db: None) -> None:
    with connection.schema_editor() as editor:
        for model in (Note, Letter, Reading):
            editor.create_model(model)
    Note.objects.bulk_create(Note(at=at(day), is_deleted=day % 2 == 0) for day in range(1, 6))
    for day in range(1, 4):
        Letter.objects.create(at=at(day), pages=day, is_deleted=day == 3)
    Reading.objects.bulk_create(
        Reading(meter=each, at=at(day), value=day) for each in (1, 2) for day in (1, 2, 2 + each)
    )
    buyers = [Buyer.objects.create(name=name, joined=date(2025, 1, 1)) for name in "ab"]
    for day in range(1, 9):
        kind = "xyz"[day % 3]
        Sale.objects.create(buyer=buyers[day % 2], at=at(day), amount=day, kind=kind, quantity=day % 2)


def counted(source: Any, metrics: Any = None, **attributes: Any) -> dict[Any, Any]:
    """Return the first metric by day."""
    attributes = {"date_field": "at", "metrics": metrics or {"n": Count("pk")}, "time_zone": "UTC", **attributes}
    report = type("Counted", (PeriodTotals,), {"__module__": "tests", "source": source, **attributes})
    name = next(iter(attributes["metrics"]))
    return {row["period"].day: row[name] for row in report().run()}


SALES = Sale.objects.all()
# Sources whose rows are those that they give when they are read.
PLAIN = {
    "all": SALES,
    "filtered": Sale.objects.filter(Q(amount__gt=2) & ~Q(kind="x")),
    "related": Sale.objects.filter(buyer__name="a").select_related("buyer").prefetch_related("shelf"),
    "ordered": Sale.objects.order_by("-amount", "?"),
    "sliced": Sale.objects.order_by("amount")[2:5],
    "reversed": Sale.objects.order_by("amount").reverse()[:3],
    "distinct": Sale.objects.filter(buyer__sales__amount__gt=3).distinct(),
    "first of each": Sale.objects.order_by("kind", "-amount").distinct("kind"),
    "union": Sale.objects.filter(amount__lt=3).union(Sale.objects.filter(amount__gt=6)),
    "difference": SALES.difference(Sale.objects.filter(amount__gt=6)),
    "none": Sale.objects.none(),
    "never": Sale.objects.filter(pk__in=[]),
    "deferred": Sale.objects.only("kind").defer("amount"),
    "locked": Sale.objects.select_for_update(),
    "grouped": Sale.objects.annotate(n=Count("buyer__sales")).filter(n__gt=3),
    "annotated": Sale.objects.annotate(double=F("amount") * 2).filter(double__gt=6),
    "alias": Sale.objects.alias(double=F("amount") * 2).filter(double__gt=6),
    "raw condition": Sale.objects.extra(where=["amount %% 2 = 0"]),
    "same database": Sale.objects.using("default"),
}


@pytest.mark.parametrize("name", PLAIN)
def test_rows_of_a_queryset_count(name, rows):
    expected = [sale.at.day for sale in PLAIN[name].all()] if name != "locked" else list(range(1, 9))

    assert counted(PLAIN[name]) == {day: expected.count(day) for day in sorted(expected)}


def test_model_has_the_rows_of_its_default_manager(rows):
    assert counted(Note) == {1: 2, 2: 1, 3: 1, 5: 1}
    assert counted(Note.every.all()) == {1: 2, 2: 2, 3: 2, 4: 1, 5: 1}


def test_child_and_proxy_have_the_fields_of_their_parent(rows):
    assert counted(Letter, {"pages": Sum("pages")}) == {1: 1, 2: 2}
    assert counted(Letter.objects.all()[:1], {"pages": Sum("pages")}) == {2: 2}
    assert counted(Memo) == {1: 2, 2: 1, 3: 1, 5: 1}


@pytest.mark.parametrize(
    "source",
    [
        Reading,
        Reading.objects.filter(pk__in=[(1, at(1)), (2, at(1)), (1, at(2)), (2, at(2)), (1, at(3)), (2, at(4))]),
        Reading.objects.filter(value__gt=0).distinct(),
        Reading.objects.order_by("at")[:6],
    ],
)
def test_key_of_several_columns(source, rows):
    assert counted(source) == {1: 2, 2: 2, 3: 1, 4: 1}
    assert counted(source, {"n": Max("value")}, dimensions={"of": "meter"})


ANNOTATED = Sale.objects.annotate(double=F("amount") * 2, sort=F("kind"))


def test_annotations_are_fields_of_the_source(rows):
    assert counted(ANNOTATED.filter(amount__lt=3), {"n": Sum("double")}) == {1: 2, 2: 4}
    assert counted(ANNOTATED, {"n": Count("pk", filter=Q(double__gt=14, sort="z"))})[8] == 1

    report = type(
        "Sorted",
        (PeriodTotals,),
        {
            "__module__": "tests",
            "source": ANNOTATED.filter(amount__lt=3),
            "date_field": "at",
            "period": "year",
            "metrics": {"n": Count("pk")},
            "dimensions": {"of": "sort", "twice": "double"},
        },
    )
    assert [(row["of"], row["twice"]) for row in report().run()] == [("y", 2), ("z", 4)]


def test_annotation_is_a_date_of_the_source(rows):
    week = timedelta(days=7)
    later = Sale.objects.annotate(due=models.ExpressionWrapper(F("at") + week, models.DateTimeField()))

    assert counted(later.filter(amount=2), date_field="due") == {9: 1}


def test_annotation_that_is_not_used_divides_no_group(rows):
    assert counted(ANNOTATED.filter(at=at(2)) | ANNOTATED.filter(at=at(2)), {"n": Count("pk")}) == {2: 1}


def test_source_filtered_over_a_relation_to_many_has_each_row_once(rows):
    """Read as it is, the queryset gives each sale with each sale of its buyer."""
    source = Sale.objects.filter(buyer__sales__amount__gt=0)

    assert counted(source) == dict.fromkeys(range(1, 9), 1)
    assert source.count() == 32


def refused(source: Any, *, user: Any = None, using: str | None = None, **attributes: Any) -> str:
    attributes = {"date_field": "at", "metrics": {"n": Count("pk")}, **attributes}
    report = type("Refused", (PeriodTotals,), {"__module__": "tests", "source": source, **attributes})
    with pytest.raises(DeclarationError) as caught:
        report(user=user, using=using).query()
    return str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        Sale.objects.values("quantity").distinct(),
        Sale.objects.values("kind").annotate(n=Count("pk")),
        Sale.objects.values_list("quantity")[:2],
        Sale.objects.values("quantity").union(Sale.objects.values("quantity")),
        Sale.objects.dates("at", "month"),
    ],
)
def test_values_that_have_no_key_are_refused(source):
    message = "Refused: the source is distinct, united, grouped or sliced values(); leave values() out."

    assert message in refused(source)


def test_values_with_a_row_for_each_count(rows):
    assert counted(Sale.objects.values("kind")) == dict.fromkeys(range(1, 9), 1)


def test_queryset_of_another_database_is_refused():
    assert refused(Sale.objects.using("replica")) == (
        "Refused: get_source() gave a QuerySet of the database 'replica', and the report runs on 'default'; run it with"
        " using='replica'."
    )


# What get_source() may give.


class Own(PeriodTotals):
    source: ClassVar[Any] = Sale
    date_field = "at"
    time_zone = "UTC"
    metrics = {"n": Count("pk"), "total": Sum("amount")}
    given: Any = None

    def get_source(self) -> Any:
        return type(self).given(self.user)


def test_queryset_of_the_database_that_the_report_runs_on():
    report = type(
        "Replica",
        (PeriodTotals,),
        {
            "__module__": "tests",
            "source": Sale.objects.using("default"),
            "date_field": "at",
            "metrics": {"n": Count("pk")},
        },
    )

    assert report(using="default").query().sql


def test_source_of_a_user(rows):
    report = type("Mine", (Own,), {"given": staticmethod(lambda user: Sale.objects.filter(buyer__name=user))})

    assert sorted(row["period"].day for row in report(user="a").run()) == [2, 4, 6, 8]
    assert sorted(row["period"].day for row in report(user="b").run()) == [1, 3, 5, 7]
    assert sum(row["total"] for row in report(user="a").run()) == Decimal(20)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (None, "get_source() gave a NoneType; it must give a model or a QuerySet."),
        ({}, "get_source() gave a dict; it must give a model or a QuerySet."),
        (Buyer, "get_source() gave rows of tests.Buyer; it must give those of tests.Sale."),
        (Buyer.objects.all(), "get_source() gave rows of tests.Buyer; it must give those of tests.Sale."),
        (Sale.objects.values("kind").distinct(), "the source is distinct, united, grouped or sliced values(); leave"),
        (
            Sale.objects.using("replica"),
            "get_source() gave a QuerySet of the database 'replica', and the report runs on",
        ),
    ],
)
def test_what_get_source_may_not_give(given, problem):
    report = type("Mine", (Own,), {"given": staticmethod(lambda user: given)})

    with pytest.raises(DeclarationError) as caught:
        report(user="a").query()

    assert str(caught.value).startswith(f"Mine: {problem}")


def test_source_of_a_user_may_be_a_child_or_a_parent(rows):
    class Notes(Own):
        source = Memo
        metrics = {"n": Count("pk")}

    for given, expected in ((Note, {1: 2, 2: 1, 3: 1, 5: 1}), (Letter, {1: 1, 2: 1}), (Memo.objects.all()[:1], {5: 1})):
        report = type("Mine", (Notes,), {"given": staticmethod(lambda user, given=given: given)})

        assert {row["period"].day: row["n"] for row in report().run()} == expected
