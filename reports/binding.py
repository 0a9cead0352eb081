"""Values to bound parameters: what ``{{ … }}`` and the filters make of a value.

Only an ``SQL`` instance is text; every other value is bound. The decision is made by the value's type when it is
written, so it is the same wherever it was computed: in a macro, a set block, an include, an expression.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import count
from typing import Any, TypeGuard
from uuid import UUID

import jinja2
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.functional import Promise
from psycopg.types.json import Jsonb

from reports.errors import TemplateError
from reports.statement import LINE_MARK, unmark

# The types that most values have, for which no further look is needed.
_NEVER_EMPTY = frozenset({int, float, bool, Decimal, date, datetime, time, timedelta, UUID})
_PLAIN = _NEVER_EMPTY | {type(None), bytes}
_PLACEHOLDER = re.compile("%[s%]")
SURROGATE = re.compile("[\ud800-\udfff]")
_BLANK = re.compile(rf"(?:({LINE_MARK})|\s)*")
_BLANK_END = re.compile(rf"(?:{LINE_MARK}|\s)+\Z")
_renders = count()


class SQL(str):
    """Trusted SQL text, possibly with marks for bound values and template lines in it.

    To a template's conditions it is the text without the marks of lines: a captured block can be compared, trimmed, and
    asked whether it is empty.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return unmark(self)[0] == (unmark(other)[0] if isinstance(other, SQL) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(unmark(self)[0])

    def __len__(self) -> int:
        return len(unmark(self)[0])

    def strip(self, chars: str | None = None) -> SQL:
        """Return the text without white space around it. The mark of its first line stays."""
        if chars is not None:
            raise TemplateError("only white space can be trimmed from SQL text")
        text = _BLANK_END.sub("", self)
        blank = _BLANK.match(text)
        return SQL((blank[1] or "") + text[blank.end() :]) if blank else SQL(text)


class JSON(Jsonb):
    """A jsonb value, equal to another of the same content: queries are compared."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JSON) and self.obj == other.obj

    def __hash__(self) -> int:
        return hash(_json(self.obj))


class JSONList(list[Any]):
    """A list that is bound as jsonb, and not as an array: what a JSON parameter holds."""


@dataclass(slots=True)
class Render:
    """One rendering under way: the alias that sub-selects are compiled for, and the values bound so far.

    ``number`` marks its values, so that text kept from another rendering is recognised.
    """

    using: str
    number: int = field(default_factory=lambda: next(_renders))
    values: list[object] = field(default_factory=list)

    def mark(self, value: object) -> str:
        """Keep a value; return the mark that stands for it."""
        self.values.append(value)
        return f"\0{self.number}.{len(self.values) - 1}\0"


class _NoValues(Render):
    """Stands while a template is imported without context."""

    def mark(self, value: object) -> str:
        raise TemplateError("a value cannot be bound in a template imported without context; import it 'with context'")


current: ContextVar[Render] = ContextVar("current")
NO_VALUES = _NoValues("")


def bind(value: object, name: str | None = None) -> SQL:
    """Return the mark of a bound value; SQL text as it is.

    A QuerySet becomes a parenthesised sub-select, a model instance its primary key, a mapping jsonb, a list, tuple or
    set an array, an enum member its value. ``name`` is accepted for jinjasql's ``{{ x | bind('name') }}``.

    Raises:
        TemplateError: The value cannot be a parameter (a function, an iterator, text with a NUL character, …).
    """
    if isinstance(value, SQL):
        return value
    return SQL(write(value))


def write(value: object) -> str:
    """Return the text of an output expression: what ``bind`` returns, as a plain str."""
    if isinstance(value, SQL):
        return value
    render = current.get()
    if type(value) in _PLAIN:
        return render.mark(value)
    if isinstance(value, models.QuerySet):
        return _subselect(value, render)
    return render.mark(_adapted(value))


def _adapted(value: object) -> object:
    """Return what the driver can send for a value of a richer type."""
    _check_defined(value)
    if isinstance(value, Enum):
        return _adapted(value.value)
    if isinstance(value, (str, Promise)):
        return _text(str.__str__(value) if isinstance(value, str) else str(value))
    if isinstance(value, models.Model):
        if value.pk is None:
            raise TemplateError(f"an unsaved {type(value).__name__} cannot be bound: it has no primary key")
        return value.pk
    if isinstance(value, Mapping):
        return JSON(dict(value), _json)
    if isinstance(value, JSONList):
        return JSON(list(value), _json)
    if _is_list(value):
        return [item if type(item) in _PLAIN else _adapted(item) for item in value]
    if callable(value) or isinstance(value, Iterator) or inspect.isawaitable(value):
        raise TemplateError(f"a {type(value).__name__} cannot be bound")
    return value


def _check_defined(value: object) -> None:
    if isinstance(value, jinja2.Undefined):
        value._fail_with_undefined_error()


def _shown(value: object) -> str:
    """Return what a value is, for a message. Its text may be anybody's, and the repr() of a QuerySet would run it."""
    return "None" if value is None else f"a {type(value).__name__}"


def _json(value: object) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder)


def _text(value: str) -> str:
    if "\0" in value:
        raise TemplateError(
            "text with a NUL character cannot be bound. PostgreSQL has no NUL in text; if the value is SQL of this"
            " template, it went through a string filter or operator"
        )
    if half := SURROGATE.search(value):
        raise TemplateError(f"text with {half[0]!a} cannot be bound: half a character")
    return value


def _subselect(queryset: models.QuerySet[Any], render: Render) -> SQL:
    """Return a QuerySet as ``(SELECT …)``, its parameters bound. An ordering that picks no rows is left out."""
    alias = queryset._db  # type: ignore[attr-defined]  # None where the routers choose; Django's sub-selects look here too
    if alias not in (None, render.using):
        raise TemplateError(f"a QuerySet of the database {alias!r} cannot stand in a query of {render.using!r}")
    query = queryset.query.chain()
    query.clear_ordering(force=False)
    query.select_related = False
    # Without elide_empty=False Django raises EmptyResultSet for none() instead of writing a query without rows.
    sql, params = query.get_compiler(render.using, elide_empty=False).as_sql()
    values = iter(params)
    text = _PLACEHOLDER.sub(lambda found: "%" if found[0] == "%%" else render.mark(next(values)), sql)
    return SQL(f"({text})")


def inclause(value: object) -> SQL:
    """Return ``(…, …)`` with every item bound: ``(NULL)`` for none, a sub-select for a QuerySet."""
    if isinstance(value, models.QuerySet):
        has_columns = value.query.has_select_fields or value.query.combinator
        return bind(value if has_columns else value.values("pk"))
    if value is None or isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__iter__"):
        raise TemplateError(f"inclause takes a list of values, not {_shown(value)}. Guard it with: if … is given")
    return SQL("(" + (", ".join([bind(item) for item in value]) or "NULL") + ")")


def sqlsafe(value: object) -> SQL:
    """Return trusted text as SQL, unbound. Never give it a value from a request."""
    _check_defined(value)
    if isinstance(value, SQL):
        return value
    if type(value) is int:
        return SQL(value)
    if not isinstance(value, str) or "\0" in value:
        raise TemplateError(f"sqlsafe takes SQL text, not {_shown(value)}")
    return SQL(str.__str__(value))


def identifier(value: object) -> SQL:
    """Return a name in double quotes, the parts of a sequence joined by dots."""
    _check_defined(value)
    if isinstance(value, SQL):
        value = unmark(value)[0]
    parts: Sequence[object] = (value,) if isinstance(value, str) else ()
    if isinstance(value, (list, tuple)):
        parts = value
    if not parts or any(
        not isinstance(part, str) or not part or "\0" in part or SURROGATE.search(part) for part in parts
    ):
        raise TemplateError(f"identifier takes a name or a list of names, not {_shown(value)}")
    return SQL(".".join('"' + str(part).replace('"', '""') + '"' for part in parts))


def is_given(value: object) -> bool:
    """Return whether a value is neither None nor empty; 0 and False are given. Runs no query."""
    if type(value) in _NEVER_EMPTY:
        return True
    _check_defined(value)
    if isinstance(value, models.QuerySet):
        return not value.query.is_empty()
    can_be_empty = isinstance(value, (str, bytes, Mapping, Promise)) or _is_list(value)
    return bool(value) if can_be_empty else value is not None


def _is_list(value: object) -> TypeGuard[Collection[object]]:
    return isinstance(value, (list, tuple, set, frozenset))
