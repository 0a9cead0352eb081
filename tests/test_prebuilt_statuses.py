"""Time in status against an oracle that follows each subject through its changes."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.errors import DeclarationError, ParamsError
from reports.prebuilt import TimeInStatus
from reports.testing import assert_scans
from tests.models import Sale, Visit
from tests.sales import days, instants, near, stored, zones

AS_OF = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)

SQL = """\
WITH changes AS  (SELECT "tests_visit"."buyer_id" AS "by_subject", "tests_visit"."step" AS "by_status", \
"tests_visit"."at" AS "by_at", "tests_visit"."id" AS "by_key" FROM "tests_visit" WHERE ("tests_visit"."at" < %s AND \
"tests_visit"."buyer_id" IS NOT NULL)),
moves AS (
    SELECT c.*, lag(c.by_key) OVER by_time IS NULL AS is_first, lag(c.by_status) OVER by_time AS before
    FROM changes AS c
    WINDOW by_time AS (PARTITION BY c.by_subject ORDER BY c.by_at, c.by_key)
),
intervals AS (
    SELECT m.by_status, m.by_at::timestamptz AS begins,
        lead(m.by_at::timestamptz) OVER (PARTITION BY m.by_subject ORDER BY m.by_at, m.by_key) AS ends
    FROM moves AS m
    WHERE m.is_first OR m.before IS DISTINCT FROM m.by_status
),
known AS (
    SELECT i.*, coalesce(i.ends, (%s)::timestamptz) AS until,
        CASE i.by_status WHEN %s THEN (%s)::interval WHEN %s THEN (%s)::interval END AS sla
    FROM intervals AS i
),
timed AS (
    SELECT k.*,
        least(k.until, (%s)::timestamptz)
            - greatest(k.begins, (%s)::timestamptz) AS time
    FROM known AS k
    WHERE true AND (k.until > (%s)::timestamptz OR k.begins >= (%s)::timestamptz) AND k.begins < (%s)::timestamptz
),
judged AS (
    SELECT t.by_status, count(*) AS intervals, count(*) FILTER (WHERE t.ends IS NULL) AS ongoing,
        sum(t.time) AS total, avg(t.time) AS mean,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY t.time) AS median, percentile_cont(0.9) WITHIN GROUP (ORDER BY \
t.time) AS p90,
        max(t.sla) AS sla,
        count(*) FILTER (WHERE t.ends - t.begins <= t.sla) AS within_sla, count(*) FILTER (WHERE t.until - t.begins \
> t.sla) AS over_sla
    FROM timed AS t
    GROUP BY t.by_status
)
SELECT j.by_status AS "step",
    j.intervals, j.ongoing, j.total, j.mean, j.median, j.p90,
    j.sla, j.within_sla, j.over_sla, j.within_sla::numeric / nullif(j.within_sla + j.over_sla, 0) AS sla_share
FROM judged AS j"""


class Steps(TimeInStatus):
    name = "tests.steps"
    source = Visit
    subject = "buyer"
    status = "step"
    date_field = "at"
    as_of = AS_OF
    sla = {"a": HOUR, "b": timedelta(days=40)}


class Kinds(TimeInStatus):
    name = "tests.kinds"
    source = Sale
    subject = "buyer"
    status = "kind"
    date_field = "day"
    dimensions = ["quantity"]
    sla = timedelta(days=2)


def variant(report: type, **attributes: Any) -> Any:
    return type(report.__name__, (report,), attributes)


def intervals(
    changes: Sequence[Mapping[str, Any]], status: str, at: str, as_of: Any
) -> Iterator[tuple[Mapping[str, Any], Any, Any]]:
    """Yield the change with which each interval begins, and its bounds; None for one that goes on."""
    for buyer in {change["buyer_id"] for change in changes} - {None}:
        own = [each for each in changes if each["buyer_id"] == buyer and each[at] is not None and each[at] < as_of]
        current = None
        for change in sorted(own, key=lambda each: each[at]):  # in the order of their keys where they are at one time
            if current is not None and current[status] == change[status]:
                continue
            if current is not None:
                yield current, current[at], change[at]
            current = change
        if current is not None:
            yield current, current[at], None


def figures(
    found: Sequence[tuple[Any, Any]], as_of: Any, start: Any, end: Any, sla: timedelta | None
) -> dict[str, Any]:
    """Return what is told of some intervals, counted slowly."""
    times = sorted(
        min(as_of if ends is None else ends, end or as_of) - max(begins, start or begins) for begins, ends in found
    )
    kept = sum(1 for begins, ends in found if sla and ends is not None and ends - begins <= sla)
    broken = sum(1 for begins, ends in found if sla and (as_of if ends is None else ends) - begins > sla)
    return {
        "intervals": len(found),
        "ongoing": sum(1 for _, ends in found if ends is None),
        "total": sum(times, timedelta()),
        "mean": sum(times, timedelta()) / len(times),
        "median": quantile(times, 0.5),
        "p90": quantile(times, 0.9),
        "sla": sla,
        "within_sla": kept,
        "over_sla": broken,
        "sla_share": near(Decimal(kept) / (kept + broken)) if kept + broken else None,
    }


def quantile(times: Sequence[timedelta], share: float) -> timedelta:
    """Return the time that a share of all are at or below, between two neighbours in proportion."""
    place = share * (len(times) - 1)
    low, high = times[math.floor(place)], times[math.ceil(place)]
    return low + (high - low) * (place - math.floor(place))


def is_close(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two rows are the same, but for the digits of a mean behind a microsecond."""
    means = ("mean", "median", "p90")
    return all(
        abs(one[name] - value) <= timedelta(microseconds=2) if name in means else one[name] == value
        for name, value in other.items()
    )


def is_in_range(begins: Any, ends: Any, as_of: Any, start: Any, end: Any) -> bool:
    until = as_of if ends is None else ends
    return (start is None or until > start or begins >= start) and (end is None or begins < end)


def check(rows: list[dict[str, Any]], expected: Mapping[Any, dict[str, Any]], *keys: str) -> None:
    found = {tuple(row.pop(key) for key in keys): row for row in rows}
    assert found.keys() == expected.keys()
    assert [key for key, row in expected.items() if not is_close(found[key], row)] == []


# Few, so that changes are at one instant, and at a bound.
moments = st.sampled_from([AS_OF, AS_OF - HOUR, AS_OF - 2 * HOUR, AS_OF - 3 * HOUR])
bounds = moments | instants | st.none()
visits = st.lists(
    st.fixed_dictionaries(
        {
            "buyer_id": st.sampled_from([None, 1, 2]),
            "step": st.sampled_from(["a", "b", "c", None]),
            "at": moments | moments | instants | st.none(),
        }
    ),
    max_size=14,
)
BUYERS = [{"id": 1, "name": "one"}, {"id": 2, "name": "two"}]


@pytest.mark.django_db
@settings(max_examples=60)
@given(changes=visits, start=bounds, end=bounds)
def test_times_are_those_of_the_oracle(changes, start, end):
    if start and end:
        start, end = sorted([start, end])
    groups = defaultdict(list)
    for change, begins, ends in intervals(changes, "step", "at", AS_OF):
        if is_in_range(begins, ends, AS_OF, start, end):
            groups[(change["step"],)].append((begins, ends))
    expected = {
        key: figures(found, AS_OF, start, end, Steps.sla.get(key[0]) if key[0] else None)
        for key, found in groups.items()
    }

    with stored(visits=changes, buyers=BUYERS):
        rows = list(variant(Steps, start=start, end=end)().run())

    check(rows, expected, "step")


@pytest.mark.django_db
@settings(max_examples=40)
@given(
    changes=st.lists(
        st.fixed_dictionaries(
            {
                "buyer_id": st.sampled_from([None, 1, 2]),
                "kind": st.sampled_from(["a", "b", None]),
                "day": st.one_of(st.none(), days),
                "quantity": st.sampled_from([None, 1, 2]),
            }
        ),
        max_size=14,
    ),
    as_of=days,
    start=st.one_of(st.none(), days),
    zone=zones,
)
def test_days_and_dimensions_are_those_of_the_oracle(changes, as_of, start, zone):
    groups = defaultdict(list)
    for change, begins, ends in intervals(changes, "kind", "day", as_of):
        if is_in_range(begins, ends, as_of, start, None):
            groups[change["kind"], change["quantity"]].append((begins, ends))
    expected = {key: figures(found, as_of, start, None, Kinds.sla) for key, found in groups.items()}

    with stored(changes, buyers=BUYERS), timezone.override(zone):
        rows = list(variant(Kinds, as_of=as_of, start=start)().run())

    check(rows, expected, "kind", "quantity")


def test_times_are_this_sql():
    query = variant(Steps, start=date(2026, 1, 1), end=date(2026, 2, 1), time_zone="UTC")().query()

    start, end = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2))
    assert query.params == (
        *(AS_OF, AS_OF, "a", HOUR, "b", timedelta(days=40)),
        *(end, start, start, start, end),
    )
    assert query.sql == SQL


def test_whole_log_is_not_cut():
    sql = variant(Steps, sla=HOUR)().query().sql

    assert "        k.until\n            - k.begins AS time\n    FROM known AS k\n)" in sql
    assert "(%s)::interval AS sla" in sql


@pytest.mark.django_db
def test_changes_at_one_instant_follow_one_another():
    """The first of two is an interval of no length, in the range that begins there and in no other."""
    visits = [{"buyer_id": 1, "step": step, "at": AS_OF - HOUR} for step in ("b", "a")]

    with stored(visits=visits, buyers=BUYERS):
        since = list(variant(Steps, start=AS_OF - HOUR)().run().values_list("step", "intervals", "total"))
        until = list(variant(Steps, end=AS_OF - HOUR)().run())
        later = list(variant(Steps, start=AS_OF - HOUR / 2)().run().values_list("step", "intervals", "total"))

    assert since == [("a", 1, HOUR), ("b", 1, timedelta())]
    assert until == []
    assert later == [("a", 1, HOUR / 2)]


@pytest.mark.django_db
def test_hour_that_autumn_repeats_is_two_hours_long():
    midnight = datetime(2025, 10, 25, 22, tzinfo=UTC)  # in Berlin

    with stored(
        visits=[{"buyer_id": 1, "step": "a", "at": midnight}, {"buyer_id": 1, "step": "b", "at": midnight + 25 * HOUR}],
        buyers=BUYERS,
    ):
        report = variant(Steps, start=date(2025, 10, 26), end=date(2025, 10, 27), time_zone="Europe/Berlin")()
        rows = list(report.run().values_list("step", "total"))

    assert rows == [("a", 25 * HOUR)]


@pytest.mark.django_db
def test_present_is_where_the_last_interval_ends():
    before = datetime.now(UTC)

    with stored(visits=[{"buyer_id": 1, "step": "a", "at": before - HOUR}], buyers=BUYERS):
        (row,) = variant(Steps, as_of=None)().run()

    assert HOUR <= row["total"] <= datetime.now(UTC) - before + HOUR
    assert row["ongoing"] == 1


@pytest.mark.django_db
def test_day_on_which_dates_are_looked_at_counts():
    """A change of today is known today."""
    noon = datetime.combine(date(2026, 1, 5), time(12), UTC)

    with stored([{"buyer_id": 1, "kind": "a", "day": date(2026, 1, 5)}], buyers=BUYERS):
        (row,) = variant(Kinds, as_of=lambda: noon, time_zone="UTC")().run()

    assert row["total"] == timedelta(days=1)


@pytest.mark.django_db
def test_sla_and_moment_are_asked_for():
    class Asked(Steps):
        class Params(forms.Form):
            as_of = forms.DateField(required=False)
            sla = forms.DurationField(required=False)

    with stored(visits=[{"buyer_id": 1, "step": "a", "at": AS_OF - HOUR}], buyers=BUYERS):
        rows = list(Asked().run({"sla": "00:30:00"}).values_list("sla", "over_sla"))
        none = list(Asked().run({"as_of": "2026-01-05"}))

    assert rows == [(HOUR / 2, 1)]
    assert none == []
    with pytest.raises(ParamsError) as refused:
        Asked().query({"sla": "-1"})
    assert refused.value.message_dict == {"sla": ["It must be a timedelta above 0, a dict of them by status, or None."]}
    with pytest.raises(ParamsError) as refused, timezone.override("Asia/Kathmandu"):
        Asked().query({"as_of": "0001-01-01"})
    assert list(refused.value.message_dict) == ["as_of"]


@pytest.mark.django_db
def test_log_is_read_once():
    changes = [{"buyer_id": 1, "step": "ab"[each % 2], "at": AS_OF - each * HOUR} for each in range(300)]

    with stored(visits=changes, buyers=BUYERS):
        assert_scans(Steps().run(), tests_visit=Steps.scans)


@pytest.mark.parametrize(("materialized", "is_kept"), [(True, True), (False, False), (None, False)])
@pytest.mark.django_db
def test_changes_are_kept_when_materialized(materialized, is_kept):
    plan = variant(Steps, materialized=materialized)().run().plan()

    assert ("CTE changes" in plan.tree()) is is_kept


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"subject": ""}, "subject is not set; name a field of the source."),
        ({"subject": "byer"}, "subject 'byer': there is no field 'byer'"),
        ({"status": "buyer__sales__kind"}, "status 'buyer__sales__kind': leads to many rows by 'buyer__sales'"),
        ({"date_field": "step"}, "date_field 'step' is a CharField, and no date."),
        ({"dimensions": {"status": "step"}}, "no dimension may be called 'status';"),
        ({"dimensions": {"total": "step"}}, "there would be several columns of one name: total;"),
    ],
)
def test_declaration_is_refused(attributes, message):
    with pytest.raises(DeclarationError, match=re.escape(f"Steps: {message}")):
        variant(Steps, **attributes).get_columns()


@pytest.mark.parametrize(
    "attributes",
    [
        {"metrics": {"n": 1}},
        {"sla": timedelta()},
        {"sla": {"a": 3}},
        {"sla": {None: HOUR}},
        {"as_of": datetime(2026, 1, 1)},
        {"subject": None},
    ],
)
def test_attribute_is_checked(attributes):
    with pytest.raises(TypeError, match=f"Steps.{next(iter(attributes))} is .*; it must be "):
        variant(Steps, **attributes)


def test_key_is_the_status_where_it_is_never_null():
    assert [column.name for column in Steps.get_columns() if column.pk] == []
    assert [column.name for column in variant(Steps, status="id").get_columns() if column.pk] == ["id"]
