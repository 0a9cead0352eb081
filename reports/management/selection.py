"""The report, user, parameters, filters and ordering that a command line names, as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.core.exceptions import FieldError, ValidationError
from django.core.management import CommandError
from django.db import models
from django.db.models import Q
from django.db.models.constants import LOOKUP_SEP

from reports import ParamsError, Query, Report, Rows
from reports.errors import listed, near
from reports.management.arguments import Asked, read_params
from reports.management.listing import parameter_lines
from reports.param_fields import BooleanParam
from reports.params import clean_params

_OF_THE_COLUMN = ("exact", "gt", "gte", "lt", "lte")
_WIDTH = 100


@dataclass(frozen=True, slots=True)
class Selection:
    """A report with parameters, filters and ordering that have been checked as far as no database is needed."""

    report: Report
    params: Mapping[str, Any]
    asked: Asked

    @property
    def is_plain(self) -> bool:
        """True when nothing but parameters is asked for: the statement is then the report's own query."""
        return not (self.asked.filters or self.asked.order_by or self.asked.limit)

    def query(self) -> Query:
        """Return the report's query, without a database."""
        try:
            return self.report.query(self.params)
        except ParamsError as error:
            raise _wrong(self.report, _sentences(self.report, error)) from error

    def rows(self) -> Rows:
        """Return the rows, filtered and ordered, without the limit.

        Raises:
            CommandError: Wrong parameters, filters or columns to order by.
        """
        try:
            rows = self.report.run(self.params)
        except ParamsError as error:
            raise _wrong(self.report, _sentences(self.report, error)) from error
        for word in self.asked.filters:
            rows = _filtered(rows, word)
        return _ordered(rows, self.asked.order_by) if self.asked.order_by else rows


def select(report_class: type[Report], asked: Asked) -> Selection:
    """Return what is asked of a report.

    Raises:
        CommandError: No such user; or everything that is wrong with the ``key=value`` words and the parameters.
    """
    user = None if asked.user is None else _find_user(asked.user)
    report = report_class(user=user, using=asked.database)
    values = read_params(asked.words, report.form().fields)
    if values.problems:
        raise _wrong(report, sorted(values.problems + _further(report, values.params)))
    return Selection(report, values.params, asked)


def _find_user(username: str) -> Any:
    users: Any = get_user_model()
    try:
        return users._default_manager.get_by_natural_key(username)
    except (users.DoesNotExist, UnicodeEncodeError):  # a command line may hold bytes that are no UTF-8
        raise CommandError(f"--user: there is no user with the {users.USERNAME_FIELD} {username!r}.") from None


def _further(report: Report, params: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the parameters beside words that are no key=value."""
    try:
        clean_params(report.get_form_class(), params, report=report.get_name(), kwargs=report.get_form_kwargs())
    except ParamsError as error:
        return _sentences(report, error)
    return []


def _sentences(report: Report, error: ParamsError) -> list[str]:
    """Return a sentence for each wrong parameter. Who names a column is told how rows are filtered."""
    if not hasattr(error, "error_dict"):
        return list(error.messages)
    columns, known = {column.name for column in report.get_columns()}, report.form().fields
    found = []
    for name, messages in sorted(error.message_dict.items()):
        hint = f" Allowed: {error.allowed[name]}." if name in error.allowed else ""
        if name not in known and name.partition(LOOKUP_SEP)[0] in columns:
            hint = f" To filter by the column, write --filter {name}=VALUE."
        found.append(f"{name}: {' '.join(messages)}{hint}")
    return found


def _wrong(report: Report, problems: Sequence[str]) -> CommandError:
    fields: Mapping[str, forms.Field] = report.form().fields
    lines = [f"report {report.get_name()!r}:", *(f"  {problem}" for problem in problems)]
    lines += ["It takes:", *parameter_lines(fields, _WIDTH, 2)] if fields else ["It takes no parameters."]
    return CommandError("\n".join(lines))


def _filtered(rows: Rows, word: str) -> Rows:
    lookup, equals, text = word.partition("=")
    if not equals or not lookup:
        raise CommandError(f"--filter {word!r} is not LOOKUP=VALUE, such as open_tickets__gt=10.")
    _check_column(rows, lookup.partition(LOOKUP_SEP)[0], f"--filter {word!r}")
    try:
        # A pair, not a keyword: Q() takes some keywords for its own.
        return rows.filter(Q((lookup, _filter_value(rows, lookup, text))))
    except ValidationError as error:
        raise CommandError(f"--filter {word!r}: {' '.join(error.messages)}") from error
    except (FieldError, TypeError, ValueError) as error:
        raise CommandError(f"--filter {word!r}: {error}") from error


def _filter_value(rows: Rows, lookup: str, text: str) -> Any:
    """Return the text as the lookup takes it: lists divided at commas, truth values and dates with a zone."""
    text.encode()  # a lone surrogate, of bytes that are no UTF-8, is a ValueError
    query = rows.query
    lookups, path, _ = query.solve_lookup_type(lookup)
    *transforms, kind = lookups or ["exact"]
    if kind == "isnull":
        return BooleanParam(required=True).clean(text)
    # A transform, as of a day, has a type of its own.
    field = None if transforms else query.names_to_path(path, query.get_meta())[1]
    if kind in ("in", "range"):
        return [_column_value(field, part.strip()) for part in text.split(",")]
    return _column_value(field, text) if kind in _OF_THE_COLUMN else text


def _column_value(field: Any, text: str) -> Any:
    if isinstance(field, models.DateTimeField):
        return forms.DateTimeField().clean(text)
    return BooleanParam(required=True).clean(text) if isinstance(field, models.BooleanField) else text


def _ordered(rows: Rows, names: Sequence[str]) -> Rows:
    for name in names:
        _check_column(rows, name.lstrip("-").partition(LOOKUP_SEP)[0], f"--order-by {name!r}")
    try:
        return rows.order_by(*names)
    except FieldError as error:
        raise CommandError(f"--order-by: {error}") from error


def _check_column(rows: Rows, name: str, what: str) -> None:
    fields = _fields(rows)
    if name not in fields and name != "pk":
        columns = [field.column for field in rows.model._meta.concrete_fields]
        raise CommandError(f"{what}: there is no column {name!r} (there are: {listed(columns)}).{near(name, columns)}")


def _fields(rows: Rows) -> dict[str, Any]:
    """Return the model fields by every name that a lookup may begin with."""
    fields = rows.model._meta.get_fields()
    found: dict[str, Any] = {}
    for field in fields:
        found |= {name: field for name in (field.name, getattr(field, "attname", None)) if name}
    return found
