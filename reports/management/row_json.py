"""Rows as JSON, whatever PostgreSQL returns."""

from __future__ import annotations

import json
from datetime import datetime, time
from math import isfinite
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from psycopg.types.range import Range


class RowEncoder(DjangoJSONEncoder):
    """Django's encoder, with whole microseconds, and with bytes and ranges as PostgreSQL writes them."""

    def default(self, o: Any) -> Any:
        if isinstance(o, (datetime, time)):
            return o.isoformat()
        if isinstance(o, (bytes, bytearray, memoryview)):
            return f"\\x{bytes(o).hex()}"
        if isinstance(o, Range):
            return str(o)
        return super().default(o)


def to_json(value: Any) -> str:
    """Return a value as JSON. NaN and infinity, which JSON does not have, are texts, as in PostgreSQL's ``to_json``."""
    try:
        return json.dumps(value, cls=RowEncoder, ensure_ascii=False, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value), cls=RowEncoder, ensure_ascii=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not isfinite(value):
        return {"inf": "Infinity", "-inf": "-Infinity"}.get(str(value), "NaN")
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value
