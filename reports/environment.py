"""jinjasql's template language, as a Jinja environment of its own.

``{{ x }}`` is bound, ``{{ xs | inclause }}`` a list of bound values, ``{{ name | identifier }}`` a quoted name,
``{{ text | sqlsafe }}`` trusted text. Added are ``table("app.Model")``, ``column("app.Model.field")``, the test
``is given``, and QuerySets as sub-selects.

It stands on two public hooks: ``Environment.finalize`` sees the value of every output expression wherever it is, and
``Environment.concat`` makes each captured block (macro, set block, ``super()``) SQL text that is not bound again.
Autoescape is off and filters are an allow-list, because a filter that returns Markup would be written unbound in an
environment that trusts Markup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from typing import Any

import jinja2
from django.apps import apps
from django.db import models
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.runtime import Context

from reports import binding
from reports.binding import SQL
from reports.errors import TemplateError, listed, near
from reports.loader import JinjaLoader
from reports.statement import mark_lines

# Filters over values. Left out are those that return Markup (e, safe, tojson, urlize, xmlattr, …), read attributes by
# name (attr), or format text (format, indent, wordwrap, …).
VALUE_FILTERS = (
    "abs", "batch", "count", "d", "default", "dictsort", "first", "float", "groupby", "int", "items", "join", "last",
    "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse", "round", "select",
    "selectattr", "slice", "sort", "string", "sum", "title", "trim", "truncate", "unique", "upper",
)  # fmt: skip
SQL_FILTERS = {
    "bind": binding.bind,
    "identifier": binding.identifier,
    "inclause": binding.inclause,
    "sqlsafe": binding.sqlsafe,
}
# These may be given SQL text as well; they leave it as it is, or trim it.
_FOR_ANY = ("count", "d", "default", "length", "string", "trim")
ALLOWED_FILTERS = (*VALUE_FILTERS, *SQL_FILTERS)

# The file of a template that was given as text: Jinja's own word.
UNNAMED = "<template>"


@lru_cache(maxsize=1)
def environment() -> jinja2.Environment:
    """Return the one environment in which templates are compiled."""
    env = _Environment(
        loader=JinjaLoader(),
        extensions=[_Marks],
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        finalize=_finalize,
        cache_size=-1,
    )
    values_only = {name: _for_values(name, env.filters[name]) for name in VALUE_FILTERS if name not in _FOR_ANY}
    env.filters = values_only | {name: env.filters[name] for name in _FOR_ANY} | SQL_FILTERS
    env.tests["given"] = binding.is_given
    env.globals = {name: env.globals[name] for name in ("dict", "namespace", "range")}
    env.globals |= {"table": table, "column": column}
    return env


def table(name: str) -> SQL:
    """Return the quoted table of a model: ``table("helpdesk.Department")``."""
    return SQL(_quoted(find_model(name)._meta.db_table))


def column(name: str) -> SQL:
    """Return the quoted column of a model's field: ``column("helpdesk.Department.name")``."""
    model_name, _, field_name = name.rpartition(".")
    model = find_model(model_name)
    fields = model._meta.concrete_fields  # a many-to-many field is none of them, though it has a column's name
    found = next((field.column for field in fields if field_name in (field.name, field.attname)), None)
    if not found:
        names = [field.name for field in fields]
        raise TemplateError(
            f"{model_name} has no column for a field {field_name!r} (it has: {listed(names)}).{near(field_name, names)}"
        )
    return SQL(_quoted(found))


def find_model(name: str) -> type[models.Model]:
    """Return the model of that name, ``app_label.Model``.

    Raises:
        TemplateError: There is none; names the nearest. Without a place, which the caller knows.
    """
    try:
        return apps.get_model(name)
    except (LookupError, ValueError):
        names = [model._meta.label for model in apps.get_models()]
        raise TemplateError(f"there is no model {name!r}; write app_label.Model.{near(name, names)}") from None


def _quoted(name: str) -> str:
    # A name that a model's Meta holds in quotes is already SQL ('"schema"."table"'), as in Django's quote_name().
    return name if name.startswith('"') and name.endswith('"') else '"' + name.replace('"', '""') + '"'


def _for_values(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the filter, refusing SQL text: a changed text would be a value again, a number in it 0."""
    position = 1 if hasattr(function, "jinja_pass_arg") else 0  # Jinja passes the context, environment, … first

    @wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if isinstance(args[position], SQL):
            raise TemplateError(f"the filter {name} is for values, not for SQL text")
        return function(*args, **kwargs)

    return checked


class _Template(jinja2.Template):
    def _get_default_module(self, ctx: Context | None = None) -> Any:
        # Jinja keeps a module that is imported without context: a value bound in it would be another rendering's.
        token = binding.current.set(binding.NO_VALUES)
        try:
            return super()._get_default_module(ctx)
        finally:
            binding.current.reset(token)


class _Environment(jinja2.Environment):
    concat = staticmethod(lambda parts: SQL("".join(parts)))
    template_class = _Template

    def get_template(self, name: Any, *args: Any, **kwargs: Any) -> jinja2.Template:
        return self._own(super().get_template(name, *args, **kwargs))

    def select_template(self, names: Any, *args: Any, **kwargs: Any) -> jinja2.Template:
        return self._own(super().select_template(names, *args, **kwargs))

    def get_or_select_template(self, template_name_or_list: Any, *args: Any, **kwargs: Any) -> jinja2.Template:
        return self._own(super().get_or_select_template(template_name_or_list, *args, **kwargs))

    def _own(self, template: jinja2.Template) -> jinja2.Template:
        if template.environment is not self:  # it would write values as they are
            raise TemplateError("a template object of another Jinja environment cannot be included; give its name")
        return template


@jinja2.pass_context  # with the context passed, Jinja folds no constant: literals are bound too
def _finalize(context: Context, value: object) -> str:
    return binding.write(value)


class _Marks(Extension):
    """Marks where each template line begins, and refuses the statements that rewrite text after binding."""

    refused = frozenset({"autoescape", "filter", "trans"})

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        file = stream.filename or stream.name or UNNAMED
        previous = ""
        for token in stream:
            if previous == "block_begin" and token.type == "name" and token.value in self.refused:
                raise jinja2.TemplateSyntaxError(
                    f"{{% {token.value} %}} is not available in SQL templates",
                    token.lineno,
                    stream.name,
                    stream.filename,
                )
            previous = token.type
            if token.type == "data":
                token = Token(token.lineno, "data", mark_lines(token.value, file, token.lineno))
            yield token
