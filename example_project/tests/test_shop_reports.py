"""Each report of the shop against a slow and obvious way of getting the same rows in Python."""

from __future__ import annotations

from collections import defaultdict
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from example_project.shop import questions
from example_project.shop.models import Category, Customer, Order, OrderLine, Payment, Product
from example_project.shop.reports import CategorySales, CustomerBalances, MonthlyRevenue, ProductRanks
from reports import ParamsError
from reports.testing import assert_scans

REPORTS = [CategorySales, CustomerBalances, MonthlyRevenue, ProductRanks]
SINCE, UNTIL = date(2026, 1, 20), date(2026, 4, 10)


def midnight(day):
    """The moment at which a day begins where the tests are."""
    return datetime(day.year, day.month, day.day, tzinfo=timezone.get_default_timezone())


# Half of the moments lie about the beginning of a period or of a month, where a wrong zone or an off-by-one shows.
EDGES = [midnight(day) for day in (date(2026, 1, 1), SINCE, date(2026, 2, 1), UNTIL, date(2026, 5, 1))]
STEPS = [timedelta(seconds=-1), timedelta(0), timedelta(hours=-3), timedelta(hours=3)]
moments = st.builds(
    lambda edge, step: edge.astimezone(UTC) + step,
    st.sampled_from(EDGES),
    st.sampled_from(STEPS) | st.timedeltas(timedelta(days=-90), timedelta(days=60)),
)
# An order: its customer, its moment, lines of (product, quantity), payments in cents.
orders_drawn = st.lists(
    st.tuples(
        st.integers(0, 2),
        moments,
        st.lists(st.tuples(st.integers(0, 5), st.integers(1, 3)), max_size=3),
        st.lists(st.integers(0, 5_000), max_size=3),
    ),
    max_size=8,
)
periods = st.tuples(st.none() | st.just(SINCE), st.none() | st.just(UNTIL))
database_examples = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def customers(db) -> list[Customer]:
    return [Customer.objects.create(name=name, region=name) for name in ("north", "south", "east")]


@pytest.fixture
def products(db) -> list[Product]:
    """Six products: in a root, in a child, three in a grandchild, and in another root; a fifth category has none."""
    home = Category.objects.create(name="Home")
    kitchen = Category.objects.create(name="Kitchen", parent=home)
    pans = Category.objects.create(name="Pans", parent=kitchen)
    garden = Category.objects.create(name="Garden")
    Category.objects.create(name="Benches", parent=garden)
    return [
        Product.objects.create(category=category, name=f"P{number}", price=price)
        for number, (category, price) in enumerate(
            [(home, "9.99"), (kitchen, "20.00"), (pans, "5.05"), (pans, "10.10"), (garden, "1.00"), (pans, "0.50")]
        )
    ]


@contextmanager
def drawn(customers, products, orders):
    """The drawn rows, until the end of the block."""
    with transaction.atomic():
        for place, moment, lines, payments in orders:
            order = Order.objects.create(customer=customers[place], placed_at=moment)
            for number, quantity in lines:
                product = products[number]
                OrderLine.objects.create(order=order, product=product, quantity=quantity, price=product.price)
            for cents in payments:
                Payment.objects.create(order=order, amount=Decimal(cents) / 100, received="2026-01-01")
        yield
        transaction.set_rollback(True)


def given_only(**params):
    return {name: value for name, value in params.items() if value is not None}


def in_period(order, since, until):
    day = timezone.localtime(order.placed_at).date()
    return (since is None or day >= since) and (until is None or day < until)


def sold_lines(since=None, until=None):
    lines = OrderLine.objects.select_related("order", "product__category")
    return [line for line in lines if in_period(line.order, since, until)]


def amount(lines):
    return sum((line.quantity * line.price for line in lines), Decimal(0))


# -- category_sales


def ancestry(category):
    """A category and those above it, from the root."""
    return [*ancestry(category.parent), category] if category.parent else [category]


@database_examples
@given(orders=orders_drawn, period=periods, part=st.tuples(st.none() | st.integers(1, 4), st.booleans()))
def test_category_sales(customers, products, staff, orders, period, part):
    levels, top = part[0], Category.objects.get(name="Kitchen") if part[1] else None
    with drawn(customers, products, orders):
        lines, want = sold_lines(*period), []
        for category in Category.objects.all():
            above = ancestry(category)
            listed = above[above.index(top) :] if top in above else [] if top else above
            if not listed or len(listed) > (levels or 9):
                continue
            own = [line for line in lines if line.product.category == category]
            every = [line for line in lines if category in ancestry(line.product.category)]
            names = [one.name for one in listed]
            units = sum(line.quantity for line in every)
            want.append((category.pk, names, len(listed), amount(own), units, amount(every)))
        want.sort(key=lambda row: row[1])

        params = given_only(since=period[0], until=period[1], levels=levels, under=top and top.pk)
        got = [tuple(row.values()) for row in CategorySales(user=staff).run(params)]

    assert got == want


def test_category_sales_of_a_tree_without_orders(products, staff):
    rows = list(CategorySales(user=staff).run({}))

    assert [(row["path"], row["revenue"], row["units"]) for row in rows] == [
        (["Garden"], 0, 0),
        (["Garden", "Benches"], 0, 0),
        (["Home"], 0, 0),
        (["Home", "Kitchen"], 0, 0),
        (["Home", "Kitchen", "Pans"], 0, 0),
    ]


def test_category_sales_under_no_category(products, staff):
    assert list(CategorySales(user=staff).run({"under": 2**40})) == []


def test_category_sales_of_a_loop(customers, products, staff):
    """Each category of a loop is below each other, and counts once."""
    first, second = (Category.objects.create(name=name) for name in ("A", "B"))
    Category.objects.filter(pk=first.pk).update(parent=second)
    Category.objects.filter(pk=second.pk).update(parent=first)
    Product.objects.filter(pk__in=[products[0].pk, products[1].pk]).update(category=second)
    with drawn(customers, products, [(0, EDGES[0], [(0, 1), (1, 1)], [])]):
        rows = list(CategorySales(user=staff).run({"under": first.pk}))

    assert [(row["path"], row["revenue"]) for row in rows] == [
        (["A"], Decimal("29.99")),
        (["A", "B"], Decimal("29.99")),
    ]


def test_siblings_have_different_names(products):
    with transaction.atomic(), pytest.raises(IntegrityError):
        Category.objects.create(name="Home")


# -- customer_balances


@database_examples
@given(orders=orders_drawn, period=periods)
def test_customer_balances(customers, products, staff, orders, period):
    """No line meets a payment."""
    with drawn(customers, products, orders):
        want = []
        for customer in customers:
            placed = [order for order in customer.orders.all() if in_period(order, *period)]
            ordered = amount([line for line in sold_lines(*period) if line.order.customer == customer])
            paid = sum((payment.amount for order in placed for payment in order.payments.all()), Decimal(0))
            last = max((order.placed_at for order in placed), default=None)
            row = (customer.pk, customer.name, customer.region, len(placed), last, ordered, paid, ordered - paid)
            want.append(row)
        want.sort(key=lambda row: (-row[-1], row[0]))

        params = given_only(since=period[0], until=period[1])
        got = [tuple(row.values()) for row in CustomerBalances(user=staff).run(params)]

    assert got == want


def test_joined_first_the_sums_are_wrong(customers, products, staff):
    """Two lines of 9.99 and 20.00 and two payments of 10 are 29.99 and 20, not 59.98 and 40."""
    with drawn(customers, products, [(0, EDGES[0], [(0, 1), (1, 1)], [1_000, 1_000])]):
        joined, *_ = questions.balances_by_joins()
        apart, *_ = questions.balances_by_subqueries()
        report, *_ = CustomerBalances(user=staff).run({}).values_list(*questions.BALANCES)

    assert joined == (customers[0].pk, 1, Decimal("59.98"), Decimal(40))
    assert apart == report == (customers[0].pk, 1, Decimal("29.99"), Decimal(20))


# -- monthly_revenue


def next_month(month):
    return (month + timedelta(days=31)).replace(day=1)


def months_from(first, last):
    while first <= last:
        yield first
        first = next_month(first)


@database_examples
@given(orders=orders_drawn, period=periods, average_over=st.sampled_from([None, 6]))
def test_monthly_revenue(customers, products, staff, orders, period, average_over):
    since, until = period
    with drawn(customers, products, orders):
        by_month = defaultdict(list)
        for order in Order.objects.all():
            by_month[timezone.localtime(order.placed_at).date().replace(day=1)].append(order)
        first = since.replace(day=1) if since else min(by_month, default=date.max)
        placed = [month for month in by_month if first <= month and (until is None or month <= until)]
        first = first if since else min(placed, default=date.max)
        want = []
        revenues: list[Decimal] = []
        for month in months_from(first, until or max(placed, default=date.min)):
            revenue = amount([line for order in by_month[month] for line in order.lines.all()])
            before = revenues[-1] if revenues else None
            revenues.append(revenue)
            over = average_over or 3
            mean = sum(revenues[-over:]) / over if len(revenues) >= over else None
            change = 100 * (revenue - before) / before if before else None
            want.append((month, len(by_month[month]), revenue, sum(revenues), mean, change))

        rows = MonthlyRevenue(user=staff).run(given_only(since=since, until=until, average_over=average_over))
        got = [tuple(row.values()) for row in rows]

    assert [rounded(row) for row in got] == [rounded(row) for row in want]


def rounded(row):
    """PostgreSQL divides to 16 significant digits, Python to 28."""
    return tuple(round(value, 9) if isinstance(value, Decimal) else value for value in row)


@pytest.mark.parametrize("zone", ["America/St_Johns", "Europe/Berlin", "Africa/Cairo", "Pacific/Apia", "UTC"])
def test_months_begin_at_midnight_across_changes_of_clocks(customers, products, staff, zone):
    """An order in the first and the last second of each month, and each month once, over four changes of clocks."""
    months = list(months_from(date(2025, 1, 1), date(2026, 12, 1)))
    edges = [datetime(month.year, month.month, 1, tzinfo=ZoneInfo(zone)) for month in [*months, next_month(months[-1])]]
    for start, end in pairwise(edges):
        Order.objects.create(customer=customers[0], placed_at=start)
        Order.objects.create(customer=customers[0], placed_at=end.astimezone(UTC) - timedelta(seconds=1))

    with timezone.override(zone):
        rows = list(MonthlyRevenue(user=staff).run({}))

    assert [(row["month"], row["orders"]) for row in rows] == [(month, 2) for month in months]


def test_months_do_not_depend_on_the_zone_of_the_session(customers, products, staff):
    last_of_march = midnight(date(2026, 4, 1)) - timedelta(seconds=1)
    with drawn(customers, products, [(0, EDGES[0], [(0, 1)], []), (0, last_of_march, [(0, 1)], [])]):
        here = list(MonthlyRevenue(user=staff).run({}))
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL TIME ZONE 'Europe/Berlin'")
        there = list(MonthlyRevenue(user=staff).run({}))

    assert here == there
    assert [row["month"].isoformat() for row in here] == ["2026-01-01", "2026-02-01", "2026-03-01"]


def test_months_without_orders_are_present(customers, products, staff):
    february, april = midnight(date(2026, 2, 14)), midnight(date(2026, 4, 20))
    with drawn(customers, products, [(0, february, [(0, 1)], []), (0, april, [(1, 1)], [])]):
        rows = [tuple(row.values()) for row in MonthlyRevenue(user=staff).run({"since": "2026-01-31"})]

    assert [rounded(row) for row in rows] == [
        (date(2026, 1, 1), 0, 0, 0, None, None),
        (date(2026, 2, 1), 1, Decimal("9.99"), Decimal("9.99"), None, None),
        (date(2026, 3, 1), 0, 0, Decimal("9.99"), Decimal("3.33"), -100),
        (date(2026, 4, 1), 1, Decimal("20.00"), Decimal("29.99"), round(Decimal("29.99") / 3, 9), None),
    ]


def test_months_of_both_dates_are_whole(customers, products, staff):
    second, first, after = timedelta(seconds=1), midnight(date(2026, 1, 1)), midnight(date(2026, 5, 1))
    moments = [first - second, first, after - second, after]
    with drawn(customers, products, [(0, moment, [], []) for moment in moments]):
        rows = MonthlyRevenue(user=staff).run({"since": SINCE, "until": UNTIL})
        orders = [(row["month"].month, row["orders"]) for row in rows]

    assert orders == [(1, 1), (2, 0), (3, 0), (4, 1)]


def test_no_orders_no_months(customers, staff):
    assert list(MonthlyRevenue(user=staff).run({})) == []
    assert list(MonthlyRevenue(user=staff).run({"since": "2026-01-01"})) == []
    assert MonthlyRevenue(user=staff).run({"since": "2026-02-28", "until": "2026-03-01"}).count() == 2
    assert MonthlyRevenue(user=staff).run({"since": "2026-03-01", "until": "2026-02-28"}).count() == 0


# -- product_ranks


@database_examples
@given(orders=orders_drawn, period=periods, top=st.none() | st.integers(1, 2))
def test_product_ranks(customers, products, staff, orders, period, top):
    with drawn(customers, products, orders):
        lines, want = sold_lines(*period), []
        revenues = {product: amount(line for line in lines if line.product == product) for product in products}
        for product, revenue in revenues.items():
            units = sum(line.quantity for line in lines if line.product == product)
            rivals = {one: revenues[one] for one in products if one.category == product.category}
            rank = 1 + sum(other > revenue for other in rivals.values())
            so_far = [other for one, other in rivals.items() if (-other, one.pk) <= (-revenue, product.pk)]
            total = sum(rivals.values())
            shares = (100 * revenue / total, 100 * sum(so_far) / total) if total else (None, None)
            category = product.category
            if rank <= (top or 9):
                want.append((product.pk, product.name, category.pk, category.name, rank, units, revenue, *shares))
        want.sort(key=lambda row: (row[2], row[4], row[0]))

        rows = ProductRanks(user=staff).run(given_only(since=period[0], until=period[1], top=top))
        got = [tuple(row.values()) for row in rows]

    assert [rounded(row) for row in got] == [rounded(row) for row in want]


def test_product_ranks_of_equal_revenues(customers, products, staff):
    """Equal products share a rank, the next rank is left out, and each has its place in the running share."""
    with drawn(customers, products, [(0, EDGES[0], [(2, 2), (3, 1), (5, 1)], [])]):
        rows = list(ProductRanks(user=staff).run({}).filter(category__name="Pans"))

    assert [(row["name"], row["rank"], rounded(row.values())[-2:]) for row in rows] == [
        ("P2", 1, rounded([1010 / Decimal("20.7"), 1010 / Decimal("20.7")])),
        ("P3", 1, rounded([1010 / Decimal("20.7"), 2020 / Decimal("20.7")])),
        ("P5", 3, rounded([50 / Decimal("20.7"), 100])),
    ]


# -- every report


@pytest.mark.parametrize("report_class", REPORTS)
def test_examples_run_as_the_example_user_on_empty_tables(db, report_class):
    report = report_class(user=report_class.example_user())

    for example in report_class.get_header().examples:
        assert report.run(example.params).count() == (12 if "average_over" in example.params else 0)


@pytest.mark.parametrize(
    ("report_class", "column"), [(CategorySales, "units"), (CustomerBalances, "orders"), (ProductRanks, "units")]
)
def test_a_period_is_of_whole_days(customers, products, staff, report_class, column):
    second, since, until = timedelta(seconds=1), midnight(SINCE), midnight(UNTIL)
    moments = [since - second, since, until - second, until]
    with drawn(customers, products, [(0, moment, [(4, 1)], []) for moment in moments]):
        rows = report_class(user=staff).run({"since": SINCE, "until": UNTIL})
        (counted,) = rows.aggregate(Sum(column)).values()

    assert counted == 2


@pytest.mark.parametrize("report_class", REPORTS)
def test_the_lines_are_scanned_once(loaded, loaded_staff, report_class):
    assert_scans(report_class(user=loaded_staff).run({}), {OrderLine: 1, Order: 1})


def test_the_payments_are_scanned_once(loaded, loaded_staff):
    assert_scans(CustomerBalances(user=loaded_staff).run({}), {Payment: 1})


def test_rows_are_those_of_the_orm_on_generated_data(loaded, loaded_staff):
    for question in questions.questions(loaded_staff):
        orm, report = sorted(question.orm()), sorted(question.report())
        assert len(orm) == len(report) > 0, question.label
        assert (orm == report) == (question.orm is not questions.balances_by_joins), question.label


@pytest.mark.parametrize("report_class", REPORTS)
def test_permissions_reach_the_sql(db, north, report_class):
    query = report_class(user=north).query({})

    assert '"helpdesk_membership"' in query.sql
    assert north.pk in query.params


def test_a_user_sees_the_own_regions_only(loaded, django_user_model):
    north = django_user_model.objects.get(username="north")
    balances = CustomerBalances(user=north).run({})
    seen = balances.aggregate(orders=Sum("orders"), ordered=Sum("ordered"))

    assert set(balances.values_list("region", flat=True)) == {"north"}
    assert seen["orders"] == Order.objects.filter(customer__region="north").count() > 0
    (revenue,) = CategorySales(user=north).run({"levels": 1}).aggregate(Sum("revenue")).values()
    (ranked,) = ProductRanks(user=north).run({}).aggregate(Sum("revenue")).values()
    (monthly,) = MonthlyRevenue(user=north).run({}).aggregate(Sum("revenue")).values()
    assert revenue == ranked == monthly == seen["ordered"]


@pytest.mark.parametrize("user", [None, AnonymousUser()])
def test_nobody_sees_orders(loaded, user):
    assert list(CustomerBalances(user=user).run({})) == []
    assert list(MonthlyRevenue(user=user).run({})) == []
    assert CategorySales(user=user).run({}).filter(revenue__gt=0).count() == 0
    assert ProductRanks(user=user).run({}).filter(revenue__gt=0).count() == 0


@pytest.mark.parametrize(
    ("report_class", "params", "name"),
    [
        (CategorySales, {"levels": 0}, "levels"),
        (CategorySales, {"under": "Home"}, "under"),
        (CustomerBalances, {"since": "yesterday"}, "since"),
        (MonthlyRevenue, {"average_over": 4}, "average_over"),
        (MonthlyRevenue, {"average_over": ""}, "average_over"),
        (ProductRanks, {"top": 0}, "top"),
    ],
)
def test_a_bad_value_is_named(staff, report_class, params, name):
    with pytest.raises(ParamsError) as caught:
        report_class(user=staff).run(params)

    assert list(caught.value.message_dict) == [name]
