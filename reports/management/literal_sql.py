"""A query as text that psql takes: its parameters written in as literals."""

from __future__ import annotations

import re
from collections.abc import Sequence

from django.conf import settings
from django.db.backends.postgresql.psycopg_any import get_adapters_template
from psycopg import sql

_PLACE = re.compile("%([s%])")
_WORDS = re.compile(r"\w\w")


def literal_sql(statement: str, params: Sequence[object]) -> str:
    """Return the statement with each ``%s`` as a literal and each ``%%`` as ``%``. No database is asked.

    Literals are psycopg's own, as Django's connections make them. To be read or pasted, not to be executed here.
    """
    adapters = get_adapters_template(settings.USE_TZ, None)
    values = iter(params)

    def literal(match: re.Match[str]) -> str:
        if match[1] == "%":
            return "%"
        text = sql.Literal(next(values)).as_string(adapters).strip()
        if text.startswith("-"):  # else -1::text is the negative of a text
            return f"({text})"
        is_one_word = _WORDS.match(statement[match.start() - 1 : match.start()] + text)  # as LIKE and E'…' would be
        return f" {text}" if is_one_word else text

    return _PLACE.sub(literal, statement)
