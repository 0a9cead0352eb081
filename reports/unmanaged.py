"""Models of a report's rows that a project declares: they have no table, so nothing may write them."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.signals import pre_delete, pre_save


def make_read_only(model: type[models.Model], where: str) -> None:
    """Let ``save()`` and ``delete()`` of a model's instances raise TypeError.

    Raises:
        TypeError: The model is managed; names ``where`` it was declared.
    """
    if model._meta.managed:
        raise TypeError(f"{where} is {model.__name__}, whose Meta must say managed = False.")
    pre_save.connect(_refuse_save, sender=model, dispatch_uid="reports.save")
    pre_delete.connect(_refuse_delete, sender=model, dispatch_uid="reports.delete")


def _refuse_save(sender: type[models.Model], **kwargs: Any) -> None:
    raise TypeError(f"save() is not possible: {sender.__name__} is a row of a report, read only.")


def _refuse_delete(sender: type[models.Model], **kwargs: Any) -> None:
    raise TypeError(f"delete() is not possible: {sender.__name__} is a row of a report, read only.")
