"""The zone in which days begin, as Python and PostgreSQL know it."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from django.utils import timezone


def current_zone() -> tzinfo:
    """Return the zone that Django has for the request: the viewer's where a middleware activates it."""
    return timezone.get_current_timezone()


def find_zone(name: object) -> tzinfo | None:
    """Return the zone of a name of the IANA's database, or a zone itself; None for any other value."""
    if isinstance(name, tzinfo):
        return name
    return ZoneInfo(name) if isinstance(name, str) and name in _names() else None


def zone_words(zone: tzinfo) -> str:
    """Return a zone as PostgreSQL reads it: its name, or a fixed offset in POSIX's way, minus east of Greenwich."""
    if key := getattr(zone, "key", None):
        return str(key)
    offset = zone.utcoffset(datetime(2000, 1, 1)) or timedelta()  # noqa: DTZ001 - a fixed offset has no date
    minutes, seconds = divmod(abs(int(offset.total_seconds())), 60)
    text = f"{minutes // 60:02}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
    east = offset >= timedelta()
    return f"<{'+' if east else '-'}{text.replace(':', '')}>{'-' if east else '+'}{text}"


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "Factory"})
