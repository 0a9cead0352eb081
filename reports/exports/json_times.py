"""Dates, times and durations as JSON texts that PostgreSQL makes: Python's ISO forms, whatever the DateStyle is.

Python writes six digits behind a second, or none when all are 0. ``to_char()`` with one of two formats is faster than
``to_json()``, which leaves out the zeros at the end, and puts them back.
"""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from reports.exports.literals import literal

# Of to_char(): what stands in quotation marks is text, and a backslash makes one of them text.
_MARK = r"\""
_CLOCK = "HH24:MI:SS"
_MOMENT = _MARK + 'YYYY-MM-DD"T"' + _CLOCK


def date(field: Any, column: str, form: Any) -> str:
    """Return a day."""
    return f"to_json({column}::date)::text"


def time(field: Any, column: str, form: Any) -> str:
    """Return a time of the day."""
    value = f"{column}::time"
    return f"to_char({value}::interval, {_by_fraction(value, 'time', _MARK + _CLOCK, _MARK)})"


def timestamp(field: Any, column: str, form: Any) -> str:
    """Return a date and time without a zone; one that Python does not have as PostgreSQL writes it."""
    value = f"{column}::timestamp"
    text = f"to_char({value}, {_by_fraction(value, 'timestamp', _MOMENT, _MARK)})"
    return f"CASE WHEN {_is_known(value)} THEN {text} ELSE to_json({value})::text END"


def zone_name(zone: tzinfo | None) -> str | None:
    """Return PostgreSQL's name for a time zone, None when none is sure to mean the same."""
    key = "UTC" if zone is UTC else zone.key if isinstance(zone, ZoneInfo) else None
    # Some without a slash are abbreviations to PostgreSQL: CET has no summer time there.
    return key if key == "UTC" or (key and "/" in key) else None


def local(column: str, zone: tzinfo) -> str:
    """Return what ``moment()`` calls ``…_local``. It is a third of the work, and used twice."""
    return f"{column}::timestamptz AT TIME ZONE {literal(str(zone_name(zone)))} AS {column}_local"


@lru_cache(256)
def moment(column: str, zone: tzinfo) -> str:
    """Return a point in time with its offset in the zone; in UTC when Python does not have the year there.

    ``column_local`` must be the time in the zone, unless that is UTC.
    """
    value, there = f"{column}::timestamptz", f"{column}_local"
    utc = f"({value} AT TIME ZONE interval '0')"  # without a zone's name to look up
    known = f"{value} BETWEEN timestamptz '0001-01-01 00:00+00' AND timestamptz '9999-12-31 23:59:59.999999+00'"
    found = f"WHEN {known} THEN to_char({utc}, {_with_offset(value, 'Z')})"
    if zone_name(zone) != "UTC":
        texts = {datetime(2025, month, 1, tzinfo=zone).isoformat()[19:] for month in range(1, 13)}
        # Those of this age are looked up, which takes a third of the time.
        known = " ".join(
            f"WHEN interval '{text}' THEN {_with_offset(value, 'Z' if text == '+00:00' else text)}"
            for text in sorted(texts)
        )
        difference = f"{there} - {utc}"
        formats = f"CASE {difference} {known} ELSE {_with_any_offset(value, _offset(difference))} END"
        found = f"WHEN {_is_known(there)} THEN to_char({there}, {formats}) {found}"
    return f"CASE {found} ELSE to_json({utc})::text END"


def duration(field: Any, column: str, form: Any) -> str:
    """Return days, hours, minutes, seconds of an interval: as psycopg reads it, a year of 365 days, a month of 30."""
    value = f"{column}::interval"
    clock = f"extract(hour FROM {value}) * 3600 + extract(minute FROM {value}) * 60 + extract(second FROM {value})"
    days = (
        f"(extract(year FROM {value}) * 365 + extract(month FROM {value}) * 30 + extract(day FROM {value})"
        f" + floor(({clock}) / 86400))::bigint"
    )
    rest = f"(time '00:00' + {value})"
    text = f"to_char({rest}::interval, {_by_fraction(rest, 'time', _CLOCK, _MARK)})"
    found = f"""'"' || CASE WHEN {days} <> 0 THEN {days} || ' ' ELSE '' END || {text}"""
    return f"CASE WHEN isfinite({value}) THEN {found} ELSE to_json({value})::text END"


def _is_known(value: str) -> str:
    return f"{value} BETWEEN timestamp '0001-01-01' AND timestamp '9999-12-31 23:59:59.999999'"


def _by_fraction(value: str, kind: str, before: str, after: str) -> str:
    """Return the SQL of the format for a value, with no digit behind the second's or with six."""
    whole, other = literal(before + after), literal(f"{before}.US{after}")
    return f"CASE WHEN {value}::{kind}(0) = {value} THEN {whole} ELSE {other} END"


def _with_offset(value: str, text: str) -> str:
    return _by_fraction(value, "timestamptz", _MOMENT, f'"{text}"{_MARK}')


def _with_any_offset(value: str, offset: str) -> str:
    return f"""{_by_fraction(value, "timestamptz", _MOMENT, '"')} || {offset} || {literal('"' + _MARK)}"""


def _offset(difference: str) -> str:
    """Return the SQL of the text of any offset; seconds are written when there are some."""
    ahead, behind = (f"regexp_replace((time '00:00' {sign} ({difference}))::text, ':00$', '')" for sign in "+-")
    return (
        f"CASE WHEN {difference} > interval '0' THEN '+' || {ahead}"
        f" WHEN {difference} < interval '0' THEN '-' || {behind} ELSE 'Z' END"
    )
