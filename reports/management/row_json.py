"""Rows as JSON, whatever PostgreSQL returns."""

from __future__ import annotations

import json
from datetime import date, datetime, time
from math import isfinite
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range


class RowEncoder(DjangoJSONEncoder):
    """Django's encoder, with whole microseconds, and with bytes and ranges as PostgreSQL reads them."""

    def default(self, o: Any) -> Any:
        if isinstance(o, (datetime, time)):
            return o.isoformat()
        if isinstance(o, (bytes, bytearray, memoryview)):
            return f"\\x{bytes(o).hex()}"
        if isinstance(o, (Range, Multirange)):
            return range_text(o)
        return super().default(o)


def range_text(value: Range[Any] | Multirange[Any]) -> str:
    """Return ranges of numbers or dates as PostgreSQL reads them: ``[1,5)``, ``[2026-01-01,)``, ``{[1,3),[5,6)}``."""
    if isinstance(value, Multirange):
        return f"{{{','.join(map(range_text, value))}}}"
    if value.isempty:
        return "empty"
    lower, upper = (_bound(each) for each in (value.lower, value.upper))
    return f"{value.bounds[0]}{lower},{upper}{value.bounds[1]}"


def to_json(value: Any) -> str:
    """Return a value as JSON. NaN and infinity, which JSON does not have, are texts, as in PostgreSQL's ``to_json``."""
    try:
        return json.dumps(value, cls=RowEncoder, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), cls=RowEncoder, ensure_ascii=False)


def _bound(value: Any) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else str(value)  # a space would have to be quoted


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not isfinite(value):
        return {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value
