"""Templates to queries: the only place where text becomes SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import NoReturn

import jinja2
from django.db import DEFAULT_DB_ALIAS, DatabaseError

from reports import binding
from reports.binding import Render
from reports.environment import ALLOWED_FILTERS, UNNAMED, environment
from reports.errors import TemplateError, TemplateNotFound, listed, near
from reports.lexer import BOUND, Malformed
from reports.loader import template_names
from reports.statement import Lines, build_statement, unmark

_VALUE_MARK = re.compile("\0(\\d+)\\.(\\d+)\0")
_UNKNOWN_FILTER = re.compile(r"No filter named '(\w+)'")
_UNKNOWN_IN_BRANCH = re.compile(r"No (filter|test) named '(\w+)'")
_UNDEFINED_NAME = re.compile(r"'(\w+)' is undefined")


@dataclass(frozen=True, slots=True)
class Query:
    """One SQL statement for the driver: ``%s`` for each parameter, every other ``%`` doubled.

    ``lines`` says which template line a place in ``sql`` came from; it does not take part in equality.
    """

    sql: str
    params: tuple[object, ...]
    lines: Lines = field(default=Lines(), repr=False, compare=False)


def render(name: str, context: Mapping[str, object], *, using: str = DEFAULT_DB_ALIAS) -> Query:
    """Return the query of a named template. No database is asked.

    Args:
        name: As ``find_template`` takes it: ``"helpdesk/department_tickets.sql"``.
        context: The values by name. Plain Python values; a QuerySet becomes a sub-select for the alias ``using``.

    Raises:
        TemplateNotFound: The template, or one it includes, does not exist.
        TemplateError: The template is not valid, uses an undefined name, or does not come to one statement.
    """
    return render_compiled(compile_template(name), context, using)


def compile_template(name: str) -> jinja2.Template:
    """Return the compiled template of that name, compiled anew when its file has changed.

    Raises:
        TemplateNotFound: It does not exist; names the nearest.
        TemplateError: It is not valid; names file and line.
    """
    try:
        return environment().get_template(name)
    except jinja2.TemplateError as error:
        _refuse(error, {})


def render_string(source: str, context: Mapping[str, object], *, using: str = DEFAULT_DB_ALIAS) -> Query:
    """Return the query of a template given as text; see ``render``."""
    if "\0" in source:  # which would be taken for a mark
        raise TemplateError.at(UNNAMED, source[: source.index("\0")].count("\n") + 1, "holds a NUL character.")
    try:
        template = environment().from_string(source)
    except jinja2.TemplateError as error:
        _refuse(error, context)
    return render_compiled(template, context, using)


def render_compiled(template: jinja2.Template, context: Mapping[str, object], using: str) -> Query:
    """Return the query of a template from ``compile_template``; see ``render``."""
    rendering = Render(using)
    token = binding.current.set(rendering)
    try:
        text = template.render(context)
    except DatabaseError:  # a template that evaluated a QuerySet
        raise
    except Exception as error:  # noqa: BLE001 - whatever a template raises is named with its line
        _refuse(error, context)
    finally:
        binding.current.reset(token)
    # split() gives text, render number, index, text, … : faster than one call of a function for each mark.
    pieces = _VALUE_MARK.split(text)
    if stale := set(pieces[1::3]) - {str(rendering.number)}:
        before = "".join(pieces[: 3 * min(map(pieces[1::3].index, stale)) + 1 : 3])
        raise TemplateError.at(*_place(template, before, len(before)), "SQL text of another rendering was used.")
    params = tuple([rendering.values[int(index)] for index in pieces[2::3]])
    text = BOUND.join(pieces[::3])
    try:
        statement = build_statement(text)
    except Malformed as error:
        raise TemplateError.at(*_place(template, text, error.offset), f"{error}.") from None
    return Query(statement.sql, params, statement.lines)


def _place(template: jinja2.Template, text: str, offset: int) -> tuple[str, int]:
    """Return the file and line of an offset in a template's marked text, the marks not counted."""
    return unmark(text)[1].at(offset) or (template.filename or UNNAMED, 1)


def _refuse(error: Exception, context: Mapping[str, object]) -> NoReturn:
    """Raise the TemplateError for what went wrong in a template, with its file and line."""
    if isinstance(error, TemplateError) and error.file:
        raise error
    if isinstance(error, jinja2.TemplateSyntaxError):
        unknown = _UNKNOWN_FILTER.match(error.message or "")
        known = f" (allowed: {listed(ALLOWED_FILTERS)}).{near(unknown[1], ALLOWED_FILTERS)}" if unknown else "."
        message = str(error.message).rstrip(".")
        raise TemplateError.at(error.filename or UNNAMED, error.lineno, message + known) from error
    file, line = _last_template_line(error.__traceback__)
    if isinstance(error, jinja2.UndefinedError):
        name = _UNDEFINED_NAME.fullmatch(str(error.message))
        if name is None:  # Jinja's text may quote a value that was looked up
            raise TemplateError.at(file, line, "an attribute or item that is not there was looked up.") from error
        known = f" (the template has: {listed(context)}).{near(name[1], context)}"
        raise TemplateError.at(file, line, f"{error.message}{known}") from None
    if isinstance(error, jinja2.TemplateNotFound):
        missing = str(error.name)
        raise TemplateNotFound.at(file, line, f"there is no template {missing!r}.{near(missing, template_names())}")
    if isinstance(error, TemplateError):
        raise type(error).at(file, line, _sentence(str(error))) from None
    if found := _UNKNOWN_IN_BRANCH.match(str(error)):  # Jinja finds it when the branch is taken
        names = ALLOWED_FILTERS if found[1] == "filter" else tuple(environment().tests)
        raise TemplateError.at(file, line, f"{found[0]} (allowed: {listed(names)}).{near(found[2], names)}") from None
    # Its text may quote values; it stays on __cause__.
    raise TemplateError.at(file, line, f"the template raised {type(error).__name__}.") from error


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?")) else f"{text}."


def _last_template_line(traceback: TracebackType | None) -> tuple[str | None, int | None]:
    found: tuple[str | None, int | None] = (None, None)
    while traceback:
        file = traceback.tb_frame.f_code.co_filename
        if file == UNNAMED or file.endswith(".sql"):  # Jinja gives its frames the template's file and line
            found = file, traceback.tb_lineno
        traceback = traceback.tb_next
    return found
