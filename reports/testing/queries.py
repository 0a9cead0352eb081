"""The SQL that a report renders, and the parameters bound in it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import ndiff
from typing import Any

from reports.lexer import tokens, with_gaps
from reports.report import Report

# Where a line begins in the text of a failure.
_CLAUSE = re.compile(
    r"(?<!DISTINCT) (?=(?:SELECT|FROM|WHERE|AND|OR|GROUP BY|HAVING|WINDOW|ORDER BY|LIMIT|OFFSET|VALUES)\b"
    r"|(?:UNION|INTERSECT|EXCEPT)\b|(?:(?:LEFT|RIGHT|FULL) (?:OUTER )?|INNER |CROSS )?JOIN\b)",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")


def assert_query(
    report: Report | type[Report], params: Mapping[str, Any], sql: str, expected: Sequence[Any] = ()
) -> None:
    """Assert what a report renders, without a database.

    Args:
        report: A class stands for a report without a user.
        params: As for ``Report.run``.
        sql: ``%s`` for each value, every other ``%`` doubled. Comments and the amount of white space do not count,
            but in strings and quoted names.
        expected: The values bound, in order. 1, 1.0 and True are three values.

    Raises:
        AssertionError: Another text, or other values; says where they differ.
    """
    __tracebackhide__ = True
    query = (report() if isinstance(report, type) else report).query(params)
    found, wanted = _one_line(query.sql), _one_line(sql)
    problems = []
    if found != wanted:
        problems += [
            "the SQL differs (- expected, + rendered):",
            *_difference(_CLAUSE.sub("\n", wanted), _CLAUSE.sub("\n", found)),
        ]
    if _typed(query.params) != _typed(expected):
        problems += ["the parameters differ (- expected, + bound):"]
        problems += _difference("\n".join(map(repr, expected)), "\n".join(map(repr, query.params)))
    if problems:
        raise AssertionError("\n".join(problems))


def _one_line(sql: str) -> str:
    """Return a statement without its comments, each white space a single blank, and what is quoted as it stands."""
    line = ""
    for kind, start, end in with_gaps(list(tokens(sql)), len(sql)):
        text = " " if kind == "comment" else sql[start:end]
        if kind in ("comment", "text"):
            text = _SPACE.sub(" ", text)
            text = text.lstrip() if line.endswith((" ", "(")) or not line else text
        elif text == ")":
            line = line.rstrip()
        line += text
    return line.rstrip()


def _typed(values: Sequence[Any]) -> list[tuple[type, Any]]:
    return [(type(value), value) for value in values]


def _difference(expected: str, found: str) -> list[str]:
    lines = ndiff(expected.split("\n"), found.split("\n"))
    return [line.rstrip() for line in lines if not line.startswith("?")]
