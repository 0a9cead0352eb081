"""The questions that the shop's reports answer, beside the ways in which they are asked with the ORM."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from django.contrib.auth.models import User
from django.db.models import Count, DecimalField, F, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from example_project.comparison import Question, Row
from example_project.shop.models import Category, Customer, Order, OrderLine, Payment
from example_project.shop.reports import CategorySales, CustomerBalances

FACTS = OrderLine._meta.db_table
BALANCES = ("customer_id", "orders", "ordered", "paid")


def questions(user: User) -> list[Question]:
    """Return the shop's questions; the reports are asked as that user."""

    def balances() -> Iterable[Row]:
        return CustomerBalances(user=user).run({}).values_list(*BALANCES)

    def categories() -> Iterable[Row]:
        return CategorySales(user=user).run({}).values_list("category_id", "revenue")

    multiplied = "Wrong: each line of an order meets each payment of it, and both sums count every meeting."
    orders = "The report joins the orders too, by which users are limited. Its rows can be filtered, sorted and paged."
    return [
        Question("lines and payments: Sum over both joins", FACTS, balances_by_joins, balances, multiplied),
        Question("  the same: 3 Subquery", FACTS, balances_by_subqueries, balances),
        Question("sales up a tree: GROUP BY, summed in Python", FACTS, categories_in_python, categories, orders),
    ]


def balances_by_joins() -> Iterable[Row]:
    """Ask for lines and payments at once. Wrong: each is summed once per row of the other."""
    return Customer.objects.annotate(
        order_count=Count("orders", distinct=True),
        ordered=_or_zero(Sum(F("orders__lines__quantity") * F("orders__lines__price"))),
        paid=_or_zero(Sum("orders__payments__amount")),
    ).values_list("id", "order_count", "ordered", "paid")


def balances_by_subqueries() -> Iterable[Row]:
    """Ask for orders, lines and payments by a subquery each, which is right."""
    orders = Order.objects.filter(customer=OuterRef("pk")).order_by().values("customer")
    lines = _per_customer(OrderLine.objects.all()).annotate(metric=Sum(F("quantity") * F("price")))
    payments = _per_customer(Payment.objects.all()).annotate(metric=Sum("amount"))
    return Customer.objects.annotate(
        order_count=Coalesce(Subquery(orders.annotate(metric=Count("pk")).values("metric")), 0),
        ordered=_or_zero(Subquery(lines.values("metric"))),
        paid=_or_zero(Subquery(payments.values("metric"))),
    ).values_list("id", "order_count", "ordered", "paid")


def categories_in_python() -> Iterator[Row]:
    """Ask for the sales of each category and for the tree, and add up here: rows that nobody can sort or cut in SQL."""
    own = OrderLine.objects.values("product__category").annotate(revenue=Sum(F("quantity") * F("price")))
    parents = dict(Category.objects.values_list("id", "parent"))
    totals = dict.fromkeys(parents, Decimal(0))
    for category, revenue in own.values_list("product__category", "revenue"):
        above: int | None = category
        while above:
            totals[above] += revenue
            above = parents[above]
    yield from totals.items()


def _per_customer(rows: QuerySet[OrderLine] | QuerySet[Payment]) -> QuerySet[OrderLine] | QuerySet[Payment]:
    """Return the rows of the outer customer's orders, as one group."""
    return rows.filter(order__customer=OuterRef("pk")).order_by().values("order__customer")  # type: ignore[return-value]


def _or_zero(sum_of: Sum | Subquery) -> Coalesce:
    return Coalesce(sum_of, 0, output_field=DecimalField())
