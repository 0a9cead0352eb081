"""The line that is advised: exactly, and pasted, with the rows it gives."""

from __future__ import annotations

import datetime
import decimal
import uuid
from datetime import UTC, date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.db.models import Avg, Count, Exists, F, Max, Min, OuterRef, Q, StdDev, Subquery, Sum, Window
from django.db.models.functions import Coalesce, RowNumber, Upper
from hypothesis import given
from hypothesis import strategies as st

from example_project.helpdesk.models import Department, Employee, Invoice, Ticket
from reports.prebuilt import GroupedMetrics
from reports.rewrite.advice import model_paths
from reports.rewrite.advice.advising import advised
from reports.rewrite.advice.conditions import written
from reports.rewrite.advice.model_paths import Untold
from reports.rewrite.rewriting import Finding, Kind, Rewriting
from reports.rewrite.sending.decisions import pattern
from reports.rewrite.sql.numbered import numbered
from reports.rewrite.statements import rewrite
from tests.models import Buyer, Region, Sale, Shelf, Store, Tag, Visit
from tests.sales import stored
from tests.subqueries import grouped, of_tickets

NAMES = {
    each.__name__: each
    for each in (Avg, Count, Decimal, Max, Min, Q, StdDev, Sum, GroupedMetrics, Buyer, Department, Store, Region)
}


def text_of(queryset: Any) -> tuple[str, tuple[Any, ...]]:
    sql, params = queryset.query.sql_with_params()
    return numbered(sql, len(params)), params


def advice(queryset: Any, *, kind: Kind | None = None) -> str | None:
    """Return the one advice for a queryset's findings; for one of ``kind`` where the statement itself has none."""
    text, params = text_of(queryset)
    found = rewrite(text, same=pattern(params))
    if kind is not None:
        found = Rewriting(text, (Finding(kind, (), 2),))
    (only,) = {finding.advice for finding in advised(found, params)}
    return only


def beside(aggregate: Any) -> Subquery:
    rows = Ticket.objects.filter(department=OuterRef("department")).order_by()
    return Subquery(rows.values("department").annotate(value=aggregate).values("value"))


OPEN = of_tickets(Count("*"), status="open")
CLOSED = of_tickets(Count("pk"), status="closed")


def test_line():
    rows = Department.objects.annotate(open=OPEN, avg_resolution=of_tickets(Avg("resolution_hours")))

    assert advice(rows) == (
        '.annotate(open=Count("tickets", filter=Q(tickets__status="open")), '
        'avg_resolution=Avg("tickets__resolution_hours"))  # 0 where the subquery gives NULL: open'
    )


def test_long_line_has_an_argument_a_line():
    rows = Department.objects.annotate(open=OPEN, closed=CLOSED, first=of_tickets(Min("opened_at"), priority__lt=3))

    assert advice(rows) == (
        ".annotate(\n"
        '    open=Count("tickets", filter=Q(tickets__status="open")),\n'
        '    closed=Count("tickets", filter=Q(tickets__status="closed")),\n'
        '    first=Min("tickets__opened_at", filter=Q(tickets__priority__lt=3)),\n'
        ")  # 0 where the subquery gives NULL: open, closed"
    )


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        (Q(status="it's"), """Q(tickets__status="it's")"""),
        (Q(status='"'), """Q(tickets__status='"')"""),
        (Q(status__in=["a", "b"]), 'Q(tickets__status__in=["a", "b"])'),
        (Q(priority__gte=2, priority__lte=4), "Q(tickets__priority__gte=2, tickets__priority__lte=4)"),
        (Q(priority__range=(2, 4)), "Q(tickets__priority__range=(2, 4))"),
        (Q(assignee=7), "Q(tickets__assignee=7)"),
        (Q(assignee__isnull=True), "Q(tickets__assignee__isnull=True)"),
        (Q(resolution_hours__gt=Decimal("1.50")), 'Q(tickets__resolution_hours__gt=Decimal("1.50"))'),
        (
            Q(opened_at__gt=datetime.datetime(2026, 1, 1, tzinfo=UTC)),
            'Q(tickets__opened_at__gt="2026-01-01T00:00:00+00:00")',
        ),
        (Q(status="a") & ~Q(status="b"), 'Q(tickets__status="a") & ~Q(tickets__status="b")'),
        (
            Q(status="a") | Q(priority=1, status="b"),
            'Q(tickets__status="a") | Q(tickets__priority=1, tickets__status="b")',
        ),
        (~Q(assignee=7), "~Q(tickets__assignee=7)"),
        (~Q(assignee=7, closed_at=None), "~Q(tickets__assignee=7, tickets__closed_at__isnull=True)"),
        (~(Q(status="a") | Q(assignee=7)), '~(Q(tickets__status="a") | Q(tickets__assignee=7))'),
        (Q(status=Ticket.Status.OPEN), 'Q(tickets__status="open")'),
    ],
    ids=str,
)  # fmt: skip
def test_condition(condition: Q, said: str):
    rows = Department.objects.annotate(one=of_tickets(Avg("priority"), condition), two=of_tickets(Max("priority")))

    found = advice(rows)

    assert found is not None
    assert f'Avg("tickets__priority", filter={said})' in found


@pytest.mark.parametrize(
    ("aggregate", "said"),
    [
        (Count("*"), 'Count("tickets")'),
        (Count("pk"), 'Count("tickets")'),
        (Count("assignee"), 'Count("tickets__assignee")'),
        (Count("assignee", distinct=True), 'Count("tickets__assignee", distinct=True)'),
        (Count("pk", distinct=True), 'Count("tickets")'),
        (Count("pk", filter=Q(status="open")), 'Count("tickets", filter=Q(tickets__status="open"))'),
        (Sum("priority", distinct=True), 'Sum("tickets__priority", distinct=True)'),
        (Sum("priority", default=0), None),
        (StdDev("priority"), 'StdDev("tickets__priority")'),
        (StdDev("priority", sample=True), 'StdDev("tickets__priority", sample=True)'),
        (Sum(F("priority") * 2), None),
        (Max(Upper("status")), None),
    ],
    ids=str,
)
def test_aggregate(aggregate: Any, said: str | None):
    rows = Department.objects.annotate(one=of_tickets(aggregate), two=of_tickets(Max("priority"), status="open"))

    found = advice(rows)

    assert (found is None) == (said is None)
    assert said is None or f"one={said}," in str(found)


def test_count_within_coalesce_is_the_same():
    rows = Department.objects.annotate(open=Coalesce(OPEN, 0), most=Coalesce(of_tickets(Max("priority")), 9))

    assert advice(rows) == (
        '.annotate(open=Count("tickets", filter=Q(tickets__status="open")), most=Max("tickets__priority", default=9))'
    )


def test_count_with_another_number_for_null_is_not_advised():
    assert advice(Department.objects.annotate(open=Coalesce(OPEN, 7), closed=CLOSED)) is None


def test_count_without_groups_is_zero_there_too():
    text = 'SELECT d.id, (SELECT COUNT(*) FROM helpdesk_ticket t WHERE t.department_id = d.id) AS all, 1 AS "if"'
    text += " FROM helpdesk_department d"

    (found,) = advised(Rewriting(text, (Finding(Kind.SHARED, (), 2),)))

    assert found.advice == '.annotate(all=Count("tickets"))'


def test_annotations_of_annotations_are_said_once():
    rows = Department.objects.annotate(open=OPEN, closed=CLOSED).annotate(ratio=F("open") * 1.0 / F("closed"))
    rows = rows.filter(open__gt=3).order_by("ratio", "closed")

    assert str(advice(rows)).count("Count(") == 2


def test_rows_may_be_chosen_by_other_subqueries():
    of_boss = Employee.objects.filter(department=OuterRef("pk"), tickets__in=Ticket.objects.filter(priority=1))
    rows = Department.objects.annotate(open=OPEN, closed=CLOSED).filter(Exists(of_boss))

    assert str(advice(rows)).startswith(".annotate(")


def test_subqueries_without_names_get_some():
    rows = Department.objects.annotate(ratio=OPEN * 1.0 / CLOSED)

    assert advice(rows) == (
        ".annotate(\n"
        '    tickets_count=Count("tickets", filter=Q(tickets__status="open")),\n'
        '    tickets_count_2=Count("tickets", filter=Q(tickets__status="closed")),\n'
        ")  # 0 where the subquery gives NULL: tickets_count, tickets_count_2"
    )


def test_without_values():
    text, params = text_of(
        Department.objects.annotate(open=OPEN, ratio=OPEN * 1.0 / CLOSED, n=of_tickets(Count("pk"), priority__in=[1]))
    )

    (found,) = {finding.advice for finding in advised(rewrite(text, same=pattern(params)), same=pattern(params))}

    assert found == (
        ".annotate(\n"
        '    open=Count("tickets", filter=Q(tickets__status=...)),\n'
        '    n=Count("tickets", filter=Q(tickets__priority__in=[...])),\n'
        '    tickets_count=Count("tickets", filter=Q(tickets__status=...)),\n'
        ")  # 0 where the subquery gives NULL: open, n, tickets_count"
    )


def test_self_relation():
    children = [grouped(Shelf, "parent", Count("*"), name=name) for name in "ab"]

    assert advice(Shelf.objects.annotate(a=children[0], b=children[1])) == (
        '.annotate(a=Count("children", filter=Q(children__name="a")), '
        'b=Count("children", filter=Q(children__name="b")))  # 0 where the subquery gives NULL: a, b'
    )


@pytest.mark.parametrize(
    "rows",
    [
        Department.objects.annotate(open=OPEN, closed=CLOSED).values("name", "open", "closed"),
        Department.objects.annotate(open=OPEN, closed=CLOSED).distinct(),
        Department.objects.annotate(open=OPEN, closed=CLOSED, n=Count("tickets")),
        Department.objects.annotate(open=OPEN, closed=CLOSED).filter(tickets__status="open"),
        Department.objects.annotate(
            open=OPEN, closed=CLOSED, any=Exists(Invoice.objects.filter(department=OuterRef("pk")))
        ),
        Department.objects.annotate(open=OPEN, closed=CLOSED, place=Window(RowNumber())),
        Department.objects.annotate(open=OPEN, closed=CLOSED, of=of_tickets(Count("*"), Q(status__startswith="o"))),
        Department.objects.annotate(open=OPEN, closed=CLOSED, of=of_tickets(Count("*"), assignee__name="x")),
        Department.objects.annotate(open=OPEN, closed=CLOSED, of=of_tickets(Count("*"), priority=OuterRef("parent"))),
        Department.objects.annotate(open=OPEN, closed=CLOSED, of=of_tickets(Count("*"), Q(opened_at=F("closed_at")))),
        Store.objects.annotate(a=grouped(Tag, "stores", Count("*"), name="a"), b=grouped(Tag, "stores", Count("*"))),
        Employee.objects.annotate(a=beside(Count("*")), b=beside(Max("id"))),
    ],
    ids=[
        *("no key", "distinct", "aggregate", "join", "exists", "window", "like", "joined", "outer column"),
        *("two columns", "many to many", "sideways"),
    ],
)
def test_no_advice(rows: Any):
    assert advice(rows, kind=Kind.SHARED) is None


@pytest.mark.django_db
def test_no_advice_where_rows_are_locked():
    rows = Department.objects.annotate(open=OPEN, closed=CLOSED).select_for_update()

    assert advice(rows, kind=Kind.SHARED) is None


@pytest.mark.parametrize(
    "where",
    [
        "NOT (t.resolution_hours = 1)",
        "NOT (t.status = 'a' AND t.resolution_hours = 1)",
        "NOT (t.status <> 'a')",
        "NOT (t.status = 'a' AND NOT (t.status = 'b'))",
        "t.resolution_hours <> 1",
        "t.status",
        "t.status = NULL",
        "t.status = upper('a')",
        "t.status IS DISTINCT FROM 'a'",
        "t.closed_at IS NOT TRUE",
        "'a' = t.status",
        "status = 'a'",
        "t.nothing = 1",
        "t.assignee_id BETWEEN 1 AND 2",
        "t.priority BETWEEN SYMMETRIC 1 AND 2",
        "t.status IN (SELECT 'a')",
    ],
)
def test_condition_that_django_does_not_write(where: str):
    subquery = "(SELECT COUNT(*) FROM helpdesk_ticket t WHERE t.department_id = d.id AND {} GROUP BY t.department_id)"
    text = f"SELECT d.id, {subquery.format(where)} AS one FROM helpdesk_department d"

    (found,) = advised(Rewriting(text, (Finding(Kind.SHARED, (), 2),)), ())

    assert found.advice is None


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("t.status <> 'a'", '~Q(tickets__status="a")'),
        ("NOT (t.status = 'a')", '~Q(tickets__status="a")'),
        ("NOT (t.closed_at IS NOT NULL)", "Q(tickets__closed_at__isnull=True)"),
        ("NOT (t.closed_at IS NULL)", "Q(tickets__closed_at__isnull=False)"),
    ],
)
def test_condition_of_somebody_elses(where: str, said: str):
    subquery = "(SELECT COUNT(*) FROM helpdesk_ticket t WHERE t.department_id = d.id AND {} GROUP BY t.department_id)"
    text = f"SELECT d.id, {subquery.format(where)} AS one FROM helpdesk_department d"

    (found,) = advised(Rewriting(text, (Finding(Kind.SHARED, (), 2),)), ())

    assert str(found.advice).startswith(f'.annotate(one=Count("tickets", filter={said}))')


@pytest.mark.parametrize(
    "text", ["SELECT 1 UNION SELECT 2", "SELECT (", "SELECT 1", "SELECT a FROM b", "SELECT a.b FROM c.a", "VALUES (1)"]
)
def test_statement_of_no_model(text: str):
    (found,) = advised(Rewriting(text, (Finding(Kind.SHARED, (), 2),)))

    assert found.advice is None


def test_no_findings_no_advice():
    assert advised(Rewriting("SELECT (")) == ()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "True"),
        (1.5, "1.5"),
        (float("nan"), "..."),
        (Decimal("NaN"), "..."),
        (date(2026, 1, 2), '"2026-01-02"'),
        (datetime.time(12, 30), '"12:30:00"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (b"bytes", "..."),
        ({"a": 1}, "..."),
        (type("Odd", (decimal.Decimal,), {})(1), "..."),
        ("back\\slash", "'back\\\\slash'"),
    ],
    ids=repr,
)
def test_written(value: Any, text: str):
    assert written(value) == text


def test_null_is_not_written():
    with pytest.raises(Untold):
        written(None)


# Two branches.


REPORT = """\
from reports.prebuilt import GroupedMetrics


class DepartmentMetrics(GroupedMetrics):
    source = {source}
    {columns}
    metrics = {{
        "open": Count("tickets"{more}),
        "invoiced": Sum("invoices__amount"),
    }}"""
FIELDS = 'fields = ["name", "region", "parent", "created"]'


def test_multiplied():
    rows = Department.objects.annotate(open=Count("tickets"), invoiced=Sum("invoices__amount"))

    assert advice(rows) == REPORT.format(source="Department", columns=FIELDS, more="")


def test_multiplied_with_filters():
    rows = Department.objects.filter(parent=None, region="north").annotate(
        open=Count("tickets", distinct=True, filter=Q(tickets__status="open")), invoiced=Sum("invoices__amount")
    )

    assert advice(rows) == REPORT.format(
        source='Department.objects.filter(parent__isnull=True, region="north")',
        columns=FIELDS,
        more=', filter=Q(tickets__status="open")',
    )


def test_multiplied_by_dimensions():
    rows = Department.objects.values("region").annotate(open=Count("tickets"), invoiced=Sum("invoices__amount"))

    assert advice(rows) == REPORT.format(source="Department", columns='dimensions = ["region"]', more="")


def test_subqueries_over_two_relations_are_a_report():
    rows = Department.objects.annotate(
        open=OPEN, closed=CLOSED, invoiced=Coalesce(grouped(Invoice, "department", Sum("amount")), Decimal(0))
    )

    found = advice(rows)

    assert found is not None
    assert '        "invoiced": Sum("invoices__amount", default=Decimal("0")),\n' in found
    assert found.endswith("    }  # 0 where the subquery gives NULL: open, closed")


@pytest.mark.parametrize(
    "rows",
    [
        Department.objects.filter(tickets__status="open").annotate(n=Count("tickets"), m=Count("invoices")),
        Department.objects.annotate(n=Count("tickets"), m=Count("invoices")).filter(n__gt=1),
        Department.objects.annotate(n=Count("tickets"), m=Count("invoices"), both=F("n") + F("m")),
        Department.objects.annotate(n=Count("tickets"), m=Count("invoices", filter=Q(tickets__status="open"))),
        Department.objects.values(up=Upper("region")).annotate(n=Count("tickets"), m=Count("invoices")),
        Department.objects.annotate(n=Count("*"), m=Count("invoices"), k=Max("tickets__id")),
        Department.objects.values("tickets__status").annotate(m=Count("invoices"), k=Max("tickets__id")),
        Department.objects.annotate(**{"class": Count("tickets")}, m=Count("invoices")),
        Department.objects.annotate(n_=Count("tickets"), m=Count("invoices")),
    ],
    ids=["inner", "having", "sum", "two relations", "expression", "rows", "dimension", "name", "underscore"],
)
def test_no_report(rows: Any):
    assert advice(rows, kind=Kind.MULTIPLIED) is None


# Pasted.


def pasted(advised_text: str, queryset: Any) -> list[dict[str, Any]]:
    """Return the rows that a pasted line, or the pasted class, gives; the key and the metrics."""
    if advised_text.startswith("."):
        found = eval(f"queryset{advised_text}", {**NAMES, "queryset": queryset})  # noqa: S307 - as a reader would
        return list(found.order_by("pk").values("id", *found.query.annotations))
    names: dict[str, Any] = dict(NAMES)
    exec(advised_text, names)  # noqa: S102 - as above
    (report,) = (each for name, each in names.items() if name.endswith("Metrics") and name != "GroupedMetrics")
    return list(report().run().order_by("id").values("id", *report.metrics))


LEAVES = [
    Q(kind="a"), Q(kind="it's"), Q(kind__in=["a", "b"]), Q(kind__isnull=True), Q(kind__isnull=False), Q(kind__gt="a"),
    Q(quantity=0), Q(quantity__gt=0), Q(quantity__range=(-1, 1)), Q(quantity__lte=1), Q(amount__lt=Decimal("1.00")),
    Q(day__gte=date(2021, 1, 1)), Q(at__lt=datetime.datetime(2021, 1, 1, tzinfo=UTC)), Q(shelf=1),
    Q(shelf__isnull=True),
]  # fmt: skip


def combined(of: st.SearchStrategy[Q]) -> st.SearchStrategy[Q]:
    return st.recursive(
        of,
        lambda inner: st.one_of(
            st.tuples(inner, inner).map(lambda two: two[0] & two[1]),
            st.tuples(inner, inner).map(lambda two: two[0] | two[1]),
        ),
        max_leaves=4,
    )


PLAIN = combined(st.sampled_from(LEAVES))
CONDITIONS = combined(st.one_of(st.sampled_from(LEAVES), PLAIN.map(lambda one: ~one)))
AGGREGATES = [
    Count("*"), Count("pk"), Count("kind"), Count("kind", distinct=True), Sum("quantity"), Min("day"), Max("at"),
    Avg("quantity"), Count("pk", filter=Q(quantity__gt=0)),
]  # fmt: skip
SALES = st.lists(
    st.fixed_dictionaries(
        {
            "buyer_id": st.sampled_from([1, 1, 2, None]),
            "kind": st.sampled_from(["a", "b", "it's", None]),
            "quantity": st.sampled_from([-1, 0, 1, 2, None]),
            "amount": st.sampled_from([Decimal(0), Decimal("1.00"), None]),
            "day": st.sampled_from([date(2020, 12, 31), date(2021, 1, 1), None]),
            "at": st.sampled_from([datetime.datetime(2020, 12, 31, 23, tzinfo=UTC), None]),
            "shelf_id": st.sampled_from([1, None]),
        }
    ),
    max_size=8,
)
BUYERS = [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}, {"id": 3, "name": "none"}]


def with_zeros(rows: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """Return rows with 0 where the note of an advice says so."""
    zero = text.rpartition("gives NULL: ")[2].split(", ") if "gives NULL: " in text else []
    return [{name: 0 if value is None and name in zero else value for name, value in row.items()} for row in rows]


@pytest.mark.django_db
@given(
    sales=SALES,
    asked=st.lists(st.tuples(st.sampled_from(AGGREGATES), CONDITIONS), min_size=2, max_size=4),
    over_two=st.booleans(),
)
def test_pasted_advice_gives_the_same_rows(sales, asked, over_two):
    annotations: dict[str, Any] = {
        f"value_{number}": grouped(Sale, "buyer", aggregate, condition)
        for number, (aggregate, condition) in enumerate(asked)
    }
    if over_two:
        annotations["visited"] = grouped(Visit, "buyer", Count("*"))
    queryset = Buyer.objects.order_by("pk").annotate(**annotations)

    text = advice(queryset, kind=Kind.SHARED)

    assert text is not None
    assert text.startswith(".annotate(") != over_two
    visits = [{"buyer_id": 1, "step": "a"}, {"buyer_id": 1, "step": "b"}]
    with stored(sales, buyers=BUYERS, shelves=[{"id": 1, "name": "one"}], visits=visits):
        assert pasted(text, Buyer.objects.all()) == with_zeros(list(queryset.values("id", *annotations)), text)


def test_is_not_null_beside_is_null_is_kept():
    """Django adds IS NOT NULL to a comparison within NOT, and to nothing else."""
    never = Q(kind__isnull=True) & Q(kind__isnull=False) & Q(shelf__isnull=True)
    queryset = Buyer.objects.annotate(
        a=grouped(Sale, "buyer", Count("*"), Q(kind="a")), b=grouped(Sale, "buyer", Count("*"), ~never)
    )

    asked = "~(Q(sales__kind__isnull=True, sales__shelf__isnull=True) & Q(sales__kind__isnull=False))"
    assert asked in str(advice(queryset, kind=Kind.SHARED))


@pytest.mark.django_db
def test_pasted_report_counts_each_branch_for_itself():
    rows = Store.objects.annotate(tagged=Count("tags"), figured=Count("figures"), last=Max("tags__name"))
    region = Region.objects.create(name="north")
    store = Store.objects.create(name="one", region=region)
    store.tags.set([Tag.objects.create(name=name) for name in "abc"])
    for month in (1, 2):
        store.figures.create(month=date(2026, month, 1), revenue=1)
    assert rows.values_list("tagged", "figured", "last").get() == (6, 6, "c")

    text = advice(rows)

    assert text is not None
    assert pasted(text, None) == [{"id": store.pk, "tagged": 3, "figured": 2, "last": "c"}]


# Somebody else's SQL.


def advised_text(text: str, kind: Kind) -> str | None:
    (found,) = advised(Rewriting(text, (Finding(kind, (), 2),)), ())
    return found.advice


COUNTED = "SELECT d.id, (SELECT {}) AS n FROM helpdesk_department d"


@pytest.mark.parametrize(
    "subquery",
    [
        "COUNT(*), 1 FROM helpdesk_ticket t WHERE t.department_id = d.id",
        "COUNT(*) FROM helpdesk_ticket t WHERE t.department_id = d.id GROUP BY t.status",
        "COUNT(*) FROM helpdesk_ticket t WHERE t.department_id = x.id",
        "COUNT(*) FROM helpdesk_ticket t WHERE t.department_id = d.id + 1",
        "COUNT(*) FROM helpdesk_ticket t WHERE t.status = d.region",
        "COUNT(*) FROM helpdesk_department t WHERE t.id = d.parent_id",
        "COUNT(*) FROM helpdesk_ticket t, helpdesk_invoice i WHERE t.department_id = d.id",
        "COUNT(*) FROM (SELECT 1) t WHERE t.department_id = d.id",
        "COUNT(*) FROM helpdesk_ticket t WHERE t.department_id = d.id AND t.priority > (SELECT 1)",
        "COUNT(DISTINCT (t.priority, t.status)) FROM helpdesk_ticket t WHERE t.department_id = d.id",
        "MAX(DISTINCT t.priority) FROM helpdesk_ticket t WHERE t.department_id = d.id",
        "t.priority FROM helpdesk_ticket t WHERE t.department_id = d.id",
    ],
)
def test_subquery_that_is_no_grouped_aggregate(subquery: str):
    assert advised_text(COUNTED.format(subquery), Kind.SHARED) is None


def test_correlation_may_be_written_either_way():
    either = "COUNT(*) FROM helpdesk_ticket t WHERE d.id = t.department_id"

    assert advised_text(COUNTED.format(either), Kind.SHARED) == '.annotate(n=Count("tickets"))'


def test_literal_for_null():
    text = "SELECT d.id, COALESCE((SELECT COUNT(*) FROM helpdesk_ticket t WHERE t.department_id = d.id"
    text += " GROUP BY t.department_id), {}) AS n FROM helpdesk_department d"

    assert advised_text(text.format("0"), Kind.SHARED) == '.annotate(n=Count("tickets"))'
    assert advised_text(text.format("1"), Kind.SHARED) is None
    assert advised_text(text.format("d.parent_id"), Kind.SHARED) is None


JOINED = "SELECT s.id, {} FROM tests_store s {} GROUP BY s.id"
TAGS = "LEFT JOIN tests_store_tags h ON h.store_id = s.id"
FIGURES = "LEFT JOIN tests_figure f ON f.store_id = s.id"


@pytest.mark.parametrize(
    ("metrics", "joins"),
    [
        ("COUNT(h.id) AS n", TAGS),
        ("COUNT(h.store_id) AS n", TAGS),
        ("COUNT(f.id)", FIGURES),
        ("COUNT(f.id) AS n, (SELECT 1) AS one", FIGURES),
        ("COUNT(f.id) AS n", "LEFT JOIN tests_figure f USING (id)"),
        ("COUNT(f.id) AS n", "RIGHT JOIN tests_figure f ON f.store_id = s.id"),
        ("COUNT(f.id) AS n", "LEFT JOIN tests_figure f ON f.store_id = x.id"),
        ("COUNT(f.id) AS n", "LEFT JOIN tests_figure f ON f.store_id = s.id AND f.orders = 1"),
        ("COUNT(r.id) AS n", f"{TAGS} LEFT JOIN tests_store r ON r.id = h.store_id"),
        ("COUNT(h.tag_id) AS n", "LEFT JOIN tests_store_tags h ON h.tag_id = s.id"),
        ("COUNT(h.tag_id) AS n", "LEFT JOIN helpdesk_ticket h ON h.department_id = s.id"),
    ],
)
def test_joins_that_are_no_relation(metrics: str, joins: str):
    assert advised_text(JOINED.format(metrics, joins), Kind.MULTIPLIED) is None


def test_joins_to_one_lead_on():
    joins = f"{FIGURES} JOIN tests_region r ON s.region_id = r.id LEFT JOIN tests_store o ON o.region_id = r.id"

    found = advised_text(JOINED.format("r.name, COUNT(f.id) AS n, COUNT(o.id) AS others", joins), Kind.MULTIPLIED)

    assert found is not None
    assert '    fields = ["region__name"]\n' in found
    assert '        "others": Count("region__stores"),\n' in found


def test_rows_that_a_relation_chooses_are_no_source():
    text = "SELECT s.id, COUNT(f.id) AS n FROM tests_store s LEFT JOIN tests_region r ON s.region_id = r.id"
    text += f" {FIGURES} WHERE {{}} GROUP BY s.id"

    assert advised_text(text.format("r.name = 'north'"), Kind.MULTIPLIED) is None
    assert 'source = Store.objects.filter(name="one")\n' in str(
        advised_text(text.format("s.name = 'one'"), Kind.MULTIPLIED)
    )


def test_condition_of_a_boolean_column():
    text = "SELECT u.id, COUNT(m.id) AS n FROM auth_user u LEFT JOIN helpdesk_membership m ON m.user_id = u.id"
    text += " WHERE {} GROUP BY u.id"

    for where, said in [
        ("u.is_staff", "is_staff=True"),
        ("NOT u.is_staff", "is_staff=False"),
        ("NOT (NOT u.is_staff OR u.last_login IS NOT NULL)", "~(Q(is_staff=False) | Q(last_login__isnull=False))"),
        ("NOT (u.is_staff AND u.username = 'a')", '~Q(is_staff=True, username="a")'),
    ]:
        assert f"source = User.objects.filter({said})\n" in str(advised_text(text.format(where), Kind.MULTIPLIED))


def test_hidden_relation_has_no_name(monkeypatch: pytest.MonkeyPatch):
    fields = {"__module__": __name__, "Meta": type("Meta", (), {"app_label": "tests_advice"})}
    parent: Any = type("Parent", (models.Model,), dict(fields))
    key: Any = models.ForeignKey(parent, models.CASCADE, related_name="+")
    child: Any = type("Child", (models.Model,), {**fields, "parent": key})
    monkeypatch.setattr(model_paths, "apps", SimpleNamespace(get_models=lambda **_: [parent, child]))
    try:
        text = "SELECT p.id, (SELECT COUNT(*) FROM tests_advice_child c WHERE c.parent_id = p.id) AS n"
        assert advised_text(f"{text} FROM tests_advice_parent p", Kind.SHARED) is None
    finally:
        del apps.all_models["tests_advice"]
        apps.clear_cache()
