"""The rows that a run counts, which ``get_source()`` may have chosen for a user."""

from __future__ import annotations

from typing import Any

from django.db import models

from reports.errors import DeclarationError
from reports.prebuilt.vocabulary import attributes
from reports.prebuilt.vocabulary.facts import as_queryset


def checked_source(
    given: Any, declared: models.QuerySet[Any], *, using: str, hook: str = "get_source()"
) -> models.QuerySet[Any]:
    """Return what ``get_source()``, or another method of a project, gave as a queryset that can be grouped.

    Args:
        given: A model or queryset, one would hope.
        declared: The class's own source, on whose fields its metrics and dimensions are.
        using: The database alias that the report runs on.
        hook: The method, for messages.

    Raises:
        DeclarationError: It is none, or of another model or database. Without the class's name.
    """
    if given is None or attributes.source(given):
        raise DeclarationError(f"{hook} gave a {type(given).__name__}; it must give a model or a QuerySet.")
    rows = as_queryset(given)
    if not issubclass(rows.model, declared.model._meta.concrete_model):
        raise DeclarationError(
            f"{hook} gave rows of {rows.model._meta.label}; it must give those of {declared.model._meta.label}."
        )
    alias = rows._db  # type: ignore[attr-defined]  # None where the routers choose
    if alias not in (None, using):
        raise DeclarationError(
            f"{hook} gave a QuerySet of the database {alias!r}, and the report runs on {using!r};"
            f" run it with using={alias!r}."
        )
    return rows
