"""Zones, as Python and PostgreSQL know them."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from io import BytesIO
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.utils import timezone as current

from reports.errors import DeclarationError
from reports.prebuilt.vocabulary.zones import current_zone, find_zone, zone_words
from tests.sales import ZONES


class Own(tzinfo):
    """A zone that only its author knows."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        return timedelta(hours=1)

    dst = utcoffset

    def tzname(self, moment: datetime | None) -> str:
        return "Own"


FIXED = {
    timezone(timedelta(hours=5, minutes=30)): "<+0530>-05:30",
    timezone(-timedelta(hours=3, minutes=30)): "<-0330>+03:30",
    timezone(timedelta(hours=14)): "<+1400>-14:00",
    timezone(timedelta(hours=1, minutes=2, seconds=3)): "<+010203>-01:02:03",
    timezone(-timedelta(seconds=1)): "<-000001>+00:00:01",
    # Whatever it is called.
    timezone(timedelta(hours=1), "America/New_York"): "<+0100>-01:00",
    UTC: "<+0000>-00:00",
}


@pytest.mark.parametrize("zone", [*map(ZoneInfo, ZONES), *FIXED])
def test_zone_is_found_and_has_words(zone):
    assert zone_words(zone) == FIXED.get(zone, str(zone))
    assert find_zone(zone) is zone


@pytest.mark.parametrize("name", [*ZONES, "Etc/GMT+12", "US/Pacific"])
def test_name_is_found(name):
    assert find_zone(name) == ZoneInfo(name)


@pytest.mark.parametrize(
    "name",
    ["", "europe/berlin", "Berlin", "localtime", "Factory", "../../etc/passwd", "UTC'; --", "+01:00", 1, None, []],
)
def test_other_names_are_not(name):
    assert find_zone(name) is None


@pytest.mark.parametrize("zone", [Own(), timezone(timedelta(microseconds=1))])
def test_zone_that_postgresql_cannot_know_is_refused(zone):
    assert find_zone(zone) is None
    with pytest.raises(DeclarationError, match=f"^a zone of the class {type(zone).__name__} without a name is none"):
        zone_words(zone)


def test_zone_without_its_name_is_refused():
    """It has summer time, which no offset says."""
    block = b"TZif2" + bytes(15) + struct.pack(">6l", 0, 0, 0, 0, 1, 4) + struct.pack(">lbb", 3600, 0, 0) + b"CET\0"
    zone = ZoneInfo.from_file(BytesIO(2 * block + b"\nCET-1CEST,M3.5.0,M10.5.0/3\n"))

    assert datetime(2026, 7, 1, tzinfo=zone).utcoffset() == timedelta(hours=2)
    assert find_zone(zone) is None


def test_current_zone_is_djangos():
    with current.override(ZoneInfo("Asia/Kathmandu")):
        assert current_zone() == ZoneInfo("Asia/Kathmandu")


@pytest.mark.django_db
@pytest.mark.parametrize("zone", [*map(ZoneInfo, ZONES), *FIXED])
def test_words_mean_the_same_zone_to_postgresql(zone):
    instants = [datetime(2026, month, 1, 12, tzinfo=UTC) for month in (1, 7)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT i AT TIME ZONE %s FROM unnest(%s::timestamptz[]) AS i", [zone_words(zone), instants])
        found = [row[0] for row in cursor]

    assert found == [instant.astimezone(zone).replace(tzinfo=None) for instant in instants]
