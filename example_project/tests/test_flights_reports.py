"""The reports of the flights, which are templates without a class, against plain Python over the same rows."""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from example_project.flights.models import Airline, Airport, Flight
from reports import ParamsError, get_report
from reports.testing import assert_scans

NAMES = ["flights.carrier_delays", "flights.route_delays"]
CARRIERS, ORIGINS, PLACES = ("AA", "UA"), ("EWR", "JFK"), ("BOS", "ORD", "XXX")  # there is no airport XXX

# A flight: carrier, origin, destination, month, minutes late at departure and arrival; None for a cancelled one.
flights_drawn = st.lists(
    st.tuples(
        st.sampled_from(CARRIERS),
        st.sampled_from(ORIGINS),
        st.sampled_from(PLACES),
        st.integers(1, 2),
        st.none() | st.tuples(st.integers(-10, 60), st.none() | st.integers(-20, 60)),
    ),
    max_size=15,
)
database_examples = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def airports(db) -> None:
    for code in (*ORIGINS, *PLACES[:2]):
        Airport.objects.create(code=code, name=f"{code} airport", lat=0, lon=0, alt=0, tz=-5, dst="A")
    for code in CARRIERS:
        Airline.objects.create(code=code, name=f"{code} airline")


@contextmanager
def drawn(flights):
    """The drawn rows, until the end of the block."""
    with transaction.atomic():
        for carrier, origin, dest, month, delays in flights:
            departure, arrival = delays or (None, None)
            Flight.objects.create(
                carrier_id=carrier, origin_id=origin, dest_id=dest, year=2013, month=month, day=1, hour=1, minute=0,
                time_hour="2013-01-01T00:00Z", flight=1, distance=1, sched_dep_time=100, sched_arr_time=100,
                dep_time=100 if delays else None, dep_delay=departure, arr_delay=arrival,
            )  # fmt: skip
        yield
        transaction.set_rollback(True)


def percentile(values, part):
    """The value at a part of the way from the least to the greatest, between two of them in proportion."""
    if not values:
        return None
    place = part * (len(values) - 1)
    below = sorted(values)[int(place)]
    above = sorted(values)[min(int(place) + 1, len(values) - 1)]
    return pytest.approx(below + (place - int(place)) * (above - below))


@database_examples
@given(
    flights=flights_drawn,
    origin=st.none() | st.just("JFK"),
    month=st.none() | st.just(2),
    at_least=st.integers(1, 3),
)
def test_route_delays(airports, flights, origin, month, at_least):
    chosen = [flight for flight in flights if origin in (None, flight[1]) and month in (None, flight[3])]
    want = []
    for route in {flight[1:3] for flight in chosen}:
        delays = [flight[4] for flight in chosen if flight[1:3] == route]
        late = [delay[1] for delay in delays if delay and delay[1] is not None]
        if len(delays) >= at_least:
            name = None if route[1] == "XXX" else f"{route[1]} airport"
            spread = percentile(late, 0.5), percentile(late, 0.9)
            want.append(("-".join(route), name, len(delays), delays.count(None), *spread))
    want.sort(key=lambda row: (-row[2], row[0]))

    params = {"origin": origin, "month": month, "at_least": at_least}
    with drawn(flights):
        rows = get_report("flights.route_delays")().run({key: value for key, value in params.items() if value})
        got = [tuple(row.values()) for row in rows]

    assert got == want


def test_route_delays_lie_between_two_flights(airports):
    """And a destination that is no known airport has no name, a route without arrivals no delays."""
    late = [("AA", "JFK", "BOS", 1, (0, minutes)) for minutes in (0, 10, 20, 40)]
    with drawn([*late, ("AA", "JFK", "BOS", 1, None), ("UA", "EWR", "XXX", 1, None)]):
        rows = [tuple(row.values()) for row in get_report("flights.route_delays")().run({"at_least": 1})]

    assert rows == [("JFK-BOS", "BOS airport", 5, 1, 15, pytest.approx(34)), ("EWR-XXX", None, 1, 1, None, None)]


@database_examples
@given(flights=flights_drawn, month=st.none() | st.just(2), late_after=st.none() | st.integers(0, 30))
def test_carrier_delays(airports, flights, month, late_after):
    chosen = [flight for flight in flights if month in (None, flight[3])]
    want = []
    for carrier in {flight[0] for flight in chosen}:
        delays = [flight[4] for flight in chosen if flight[0] == carrier]
        departures = [delay[0] for delay in delays if delay]
        arrivals = [delay[1] for delay in delays if delay and delay[1] is not None]
        mean = Decimal(sum(departures)) / len(departures) if departures else None
        limit = 15 if late_after is None else late_after
        late = Decimal(100) * sum(delay > limit for delay in arrivals) / len(arrivals) if arrivals else None
        row = (carrier, f"{carrier} airline", len(delays), delays.count(None))
        want.append((*row, *(None if value is None else pytest.approx(value) for value in (mean, late))))
    want.sort(key=lambda row: (-row[2], row[0]))

    params = {"month": month, "late_after": late_after}
    with drawn(flights):
        rows = get_report("flights.carrier_delays")().run({k: v for k, v in params.items() if v is not None})
        got = [tuple(row.values()) for row in rows]

    assert got == want


@pytest.mark.parametrize("name", NAMES)
def test_the_flights_are_scanned_once(airports, name):
    with drawn([("AA", "JFK", "BOS", 1, (0, 0))]):
        assert_scans(get_report(name)().run({}), {Flight: 1})


@pytest.mark.parametrize("name", NAMES)
def test_examples_run_on_empty_tables(db, name):
    report = get_report(name)()

    for example in report.get_header().examples:
        assert list(report.run(example.params)) == []


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("flights.carrier_delays", {"month": 0}),
        ("flights.carrier_delays", {"late_after": None}),
        ("flights.route_delays", {"origin": "jfk"}),
        ("flights.route_delays", {"at_least": ""}),
    ],
)
def test_a_bad_value_is_named(db, name, params):
    with pytest.raises(ParamsError) as caught:
        get_report(name)().run(params)

    assert list(caught.value.message_dict) == list(params)
