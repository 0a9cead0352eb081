"""The options of ``manage.py report NAME --advise``: indexes that would help."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from reports.indexes import MOST_ROWS

_OTHER_FORMATS = ("csv", "explain", "sql")


def add_advice_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    add = parser.add_argument
    add("--advise", action="store_true", help="show indexes that would help; makes writers wait, see advice below")
    add("--advise-rows", metavar="N", help=f"try no index on a table with more rows; by default {MOST_ROWS:,}")


def read_advice(options: Mapping[str, Any], chosen: str, problems: list[str]) -> int | None:
    """Return the most rows of a table that an index is tried on, None when no advice is wanted."""
    text = options["advise_rows"]
    if not options["advise"]:
        if text is not None:
            problems.append("--advise-rows is for --advise.")
        return None
    if chosen in _OTHER_FORMATS:
        problems.append(f"--advise has the formats json and table, not {chosen}.")
    if text is None:
        return MOST_ROWS
    if not str(text).isdecimal() or int(text) < 1:
        problems.append(f"--advise-rows is {text!r}; it must be a whole number from 1.")
        return None
    return int(text)
