"""The plan of a report that a request has run, when it is asked for: an EXPLAIN that runs nothing.

Statements and their values are kept in the memory of this process alone, the last ones, and are never shown.
"""

from __future__ import annotations

import re
import secrets
from collections import OrderedDict
from threading import Lock
from typing import Any, NamedTuple

from django.db import Error, connections

from reports.explain import explain

_MOST = 200
_SELECT = re.compile(r"\s*(?:/\*.*?\*/\s*)*\(?\s*(?:SELECT|WITH)\b", re.IGNORECASE | re.DOTALL)


class Kept(NamedTuple):
    """A statement that can be explained."""

    sql: str
    params: Any
    alias: str


_lock = Lock()
_kept: OrderedDict[str, Kept] = OrderedDict()


def can_be_explained(sql: str) -> bool:
    """Return whether EXPLAIN takes a statement: a SELECT, not COPY or another EXPLAIN."""
    return _SELECT.match(sql) is not None


def keep(sql: str, params: Any, alias: str) -> str:
    """Keep a statement, and return the token under which its plan can be had."""
    token = secrets.token_urlsafe(12)
    with _lock:
        _kept[token] = Kept(sql, params, alias)
        if len(_kept) > _MOST:
            _kept.popitem(last=False)
    return token


def plan_of(token: str) -> str:
    """Return the plan of a statement, without the conditions, which hold values; or say why there is none."""
    kept = _kept.get(token)
    if kept is None:
        return "This process keeps the statement no longer. Load the page again."
    try:
        return explain(connections[kept.alias], kept.sql, kept.params).tree()
    except Error as error:
        return str(error)
