"""What is found in a statement or a queryset."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from django.db import models

from reports.rewrite.advice.advising import advised
from reports.rewrite.compiled import check_queryset, compile_queryset
from reports.rewrite.costs import estimated_costs
from reports.rewrite.rewriting import Finding, Reason, Refusal, Rewriting
from reports.rewrite.sending.decisions import pattern
from reports.rewrite.sql.numbered import Unreadable, numbered, parameters
from reports.rewrite.statements import rewrite

_PLACEHOLDER = re.compile(r"%(.)", re.DOTALL)


def find(
    statement: str | models.QuerySet[Any, Any], *, using: str | None = None, costs: bool = False
) -> tuple[Finding, ...]:
    """Return what a statement repeats, multiplies or could share; the empty tuple when nothing.

    Args:
        statement: A queryset; or a text with ``%s`` for its values, as the ORM writes it, or with ``$1``, as
            pg_stat_statements has it. What cannot be read has no findings.
        using: The database for which a queryset is compiled, None for its own.
        costs: Ask that database, by EXPLAIN, what the queryset costs as it is and at best; else it is not asked.

    Raises:
        TypeError: Neither a text nor a queryset for PostgreSQL; ``costs`` of a text, which has no values.
    """
    if isinstance(statement, str):
        if costs:
            raise TypeError("costs are those of a queryset: a text has no values.")
        return advised(rewrite(numbered_text(statement), findings_only=True))
    rewriting, params = rewriting_of(statement, using)
    found = advised(rewriting, params)
    if not costs or not found:
        return found
    known = estimated_costs(rewriting, params, using or statement.db)
    return tuple(replace(finding, costs=known) for finding in found)


def rewriting_of(queryset: models.QuerySet[Any, Any], using: str | None = None) -> tuple[Rewriting, tuple[Any, ...]]:
    """Return how else a queryset's statement can be written, and its values.

    Raises:
        TypeError: No queryset for PostgreSQL.
    """
    check_queryset(queryset, using)
    compiled = compile_queryset(queryset, using)
    if compiled is None:
        return Rewriting(""), ()
    try:
        return rewrite(compiled.text, same=pattern(compiled.params)), compiled.params
    except Unreadable as error:
        refusal = Refusal(Reason.UNREADABLE, compiled.sql, str(error))
        return Rewriting(compiled.sql, refusals=(refusal,)), compiled.params


def numbered_text(sql: str) -> str:
    """Return a text with its ``%s`` numbered; one that has ``$1`` already, or no ``%s`` that is a value, as it is."""
    count = _PLACEHOLDER.findall(sql).count("s")
    try:
        return numbered(sql, count) if count and not parameters(sql) else sql
    except Unreadable:
        return sql
