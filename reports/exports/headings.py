"""The headings of exported columns."""

from __future__ import annotations

from typing import Any

from django.db.models.sql.compiler import SQLCompiler

from reports.fetching import column_names


def headings(compiler: SQLCompiler, *, labels: bool) -> tuple[list[str], list[int]]:
    """Return the columns' headings, and where the columns stand in the compiled SELECT.

    A heading is the name under which rows have the value. With ``labels`` it is the label that the report's header or
    model declares for the column, where there is one.
    """
    query: Any = compiler.query
    select: Any = compiler.select
    if not query.default_cols:  # values(), values_list()
        names = query.selected or (*query.extra_select, *query.values_select, *query.annotation_select)
        found = list(zip(names, range(len(names)), strict=True))
    else:
        found = list(zip(*column_names(compiler), strict=True))
    named = query.annotation_select
    own = [name if name in named or not labels else _label(query, select[i][0]) or name for name, i in found]
    return own, [i for _, i in found]


def _label(query: Any, expression: Any) -> str | None:
    """Return the label of a column of the query's own model, None when none was declared."""
    field = getattr(expression, "target", None)
    if field is None or getattr(expression, "alias", None) != query.get_initial_alias():
        return None
    # verbose_name itself is made from the field's name when nobody gave it; "ID" is Django's word for its own key.
    label = getattr(field, "_verbose_name", None)
    return None if label is None or field.auto_created else str(label)
