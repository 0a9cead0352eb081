"""Every error the package raises, by who must act.

::

    ReportError
    ├── TemplateError        author: a template cannot be rendered; says file and line
    │   └── TemplateNotFound author: no such template; names the near ones
    ├── NotRegistered        author: no report of that name; names the near ones
    ├── AlreadyRegistered    author: two reports of one name; names both places
    ├── DeclarationError     author: the attributes of a prebuilt report do not fit; names class and attribute
    ├── ExportError          author: a format cannot hold a value; names the column
    │   └── TooManyRows      caller: more rows than the format or the limit allows; names another format
    ├── ParamsError          caller: a django.core.exceptions.ValidationError, by parameter
    └── QueryError           database: a django.db.DatabaseError; SQLSTATE, report, template line
        └── QueryTimeout     database: stopped at its timeout

All of them can be pickled. The driver's own text quotes values, so it never becomes part of a message here:
it stays on ``__cause__``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from django.core.exceptions import ValidationError
from django.db import DatabaseError


class ReportError(Exception):
    """The root of every error of this package."""


class TemplateError(ReportError):
    """A template that cannot become one SQL statement.

    ``file`` and ``line`` say where; both are None when the fault has no place in a file.
    """

    file: str | None = None
    line: int | None = None

    @classmethod
    def at(cls, file: str | None, line: int | None, problem: str) -> TemplateError:
        """Return the error with its place in front: ``file:line: problem``."""
        place = ":".join(str(part) for part in (file, line) if part is not None)
        error = cls(f"{place}: {problem}" if place else problem)
        error.file, error.line = file, line
        return error


class TemplateNotFound(TemplateError):
    """No template of that name in any template folder."""


class NotRegistered(ReportError, LookupError):
    """No report of that name."""


class AlreadyRegistered(ReportError):
    """A second report of the same name."""


class DeclarationError(ReportError):
    """The attributes of a prebuilt report's class do not fit its models or one another.

    ``problems`` are all that is wrong, a sentence each.
    """

    def __str__(self) -> str:
        return " ".join(self.problems)

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(map(str, self.args))


class ExportError(ReportError):
    """Rows that the format of an export cannot hold."""


class TooManyRows(ExportError):
    """More rows than an export may have; ``limit`` is how many it may."""

    limit: int | None = None


class ParamsError(ReportError, ValidationError):
    """Parameters that the report's form refuses.

    A ValidationError: ``message_dict`` holds the messages by parameter name. ``allowed`` says, for the same
    names, what would be accepted, where that can be said in a few words.
    """

    allowed: Mapping[str, str] = {}

    def __init__(self, message: Any, code: str | None = None, params: Mapping[str, Any] | None = None) -> None:
        ValidationError.__init__(self, message, code, dict(params) if params else None)
        self.report: str | None = None

    def __str__(self) -> str:
        head = f"report {self.report!r}: " if self.report else ""
        if not hasattr(self, "error_dict"):  # raised with a message only, by a report's own code
            return head + " ".join(self.messages)
        lines = []
        for name, messages in sorted(self.message_dict.items()):
            hint = f" Allowed: {self.allowed[name]}." if name in self.allowed else ""
            lines.append(f"{name}: {' '.join(messages)}{hint}")
        return head + "; ".join(lines)


class QueryError(ReportError, DatabaseError):
    """PostgreSQL refused or broke off a report's statement.

    ``sqlstate`` is PostgreSQL's five-character code, or None when the connection was lost.
    ``report``, ``file`` and ``line`` say which report and which template line, where PostgreSQL told; ``offset`` is the
    same place in the SQL text of the report's query.
    """

    sqlstate: str | None = None
    report: str | None = None
    file: str | None = None
    line: int | None = None
    offset: int | None = None


class QueryTimeout(QueryError):
    """A report's statement was stopped at its timeout."""


def near(word: str, names: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the nearest of the names, else the empty string."""
    found = get_close_matches(word, list(names), n=1, cutoff=0.6)
    return f" Did you mean {found[0]!r}?" if found else ""


def listed(names: Iterable[str]) -> str:
    """Return the names sorted, for a message: ``a, b, c``, or ``none``."""
    return ", ".join(sorted(names)) or "none"


def counted(number: int, word: str) -> str:
    """Return how many there are of something, for a message: ``1 row``, ``2,000 rows``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"
