"""The zone in which days begin, as Python and PostgreSQL know it."""

from __future__ import annotations

from datetime import timedelta, tzinfo
from datetime import timezone as fixed_offset
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

from django.utils import timezone

from reports.errors import DeclarationError


def current_zone() -> tzinfo:
    """Return the zone that Django has for the request: the viewer's where a middleware activates it."""
    return timezone.get_current_timezone()


def find_zone(name: object) -> tzinfo | None:
    """Return the zone of a name of the IANA's database, or a zone itself; None for any other value.

    A zone without a name there must be of one offset, of whole seconds: PostgreSQL knows no other.
    """
    if isinstance(name, tzinfo):
        return name if _name(name) or _fixed_offset(name) is not None else None
    return ZoneInfo(name) if isinstance(name, str) and name in _names() else None


def zone_words(zone: tzinfo) -> str:
    """Return a zone as PostgreSQL reads it: its name, or a fixed offset in POSIX's way, minus east of Greenwich.

    Raises:
        DeclarationError: PostgreSQL cannot know it.
    """
    if name := _name(zone):
        return name
    offset = _fixed_offset(zone)
    if offset is None:
        problem = f"a zone of the class {type(zone).__name__} without a name is none that PostgreSQL knows"
        raise DeclarationError(f"{problem}; take one such as ZoneInfo('Europe/Berlin').")
    minutes, seconds = divmod(abs(int(offset.total_seconds())), 60)
    text = f"{minutes // 60:02}:{minutes % 60:02}" + (f":{seconds:02}" if seconds else "")
    east = offset >= timedelta()
    return f"<{'+' if east else '-'}{text.replace(':', '')}>{'-' if east else '+'}{text}"


def _name(zone: tzinfo) -> str | None:
    """Return the zone's name, also that of pytz's."""
    name = str(zone)
    return name if name in _names() and not isinstance(zone, fixed_offset) else None


def _fixed_offset(zone: tzinfo) -> timedelta | None:
    offset = zone.utcoffset(None) if isinstance(zone, fixed_offset) else None
    return offset if offset is not None and not offset.microseconds else None


@lru_cache(maxsize=1)
def _names() -> frozenset[str]:
    return frozenset(available_timezones() - {"localtime", "Factory"})
