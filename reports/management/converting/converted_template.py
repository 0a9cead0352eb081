"""The text of the template that a queryset becomes: its header and its statement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reports.column_lines import column_line
from reports.header import Param
from reports.management.converting.param_lines import declared, literal, param_line
from reports.management.converting.queryset_columns import Output
from reports.rewrite.rewriting import Strategy
from reports.rewrite.sending.decisions import pattern
from reports.rewrite.sql.numbered import parameters
from reports.rewrite.sql.parameter_names import Named, name_parameters
from reports.rewrite.sql.templating import outer_aliases, template_sql
from reports.rewrite.sql.text import Text


@dataclass(frozen=True, slots=True)
class Statement:
    """The statement that becomes the template, with numbered parameters: their values, and PostgreSQL's types."""

    strategy: Strategy
    text: str
    values: tuple[Any, ...]
    types: tuple[str | None, ...]


def template_text(doc: str, output: Output, statement: Statement, connection: Any) -> str:
    """Return the template: values that a column is compared with are parameters, the others literals.

    Raises:
        TemplateError: A value can be neither.
    """
    text = Text.of(statement.text, pattern(statement.values))
    names = name_parameters(text, statement.values, outer_aliases(text))
    params = _params(statement, names)
    names = {number: named for number, named in names.items() if named.name in params}
    is_typed = bool(connection.settings_dict["OPTIONS"].get("server_side_binding"))
    others = {number for number, _, _ in parameters(statement.text)} - set(names)
    literals = {number: literal(statement.values[number - 1], is_typed=is_typed) for number in others}
    lines = [f"-- doc: {doc}", *map(param_line, params.values()), *map(column_line, output.columns)]
    lines += [f"-- ordering: {', '.join(output.ordering)}"] if output.ordering else []
    return "\n".join([*lines, "-- example: {}", template_sql(statement.text, names, literals)]) + "\n"


def _params(statement: Statement, names: dict[int, Named]) -> dict[str, Param]:
    """Return the declarations of those that a default in a header can give."""
    found: dict[str, Param] = {}
    for named in dict.fromkeys(names.values()):
        values = [statement.values[number - 1] for number in named.numbers]
        param = declared(named.name, values, statement.types[named.numbers[0] - 1], is_list=named.is_list)
        if param is not None:
            found[named.name] = param
    return found
