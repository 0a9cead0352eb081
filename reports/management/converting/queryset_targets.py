"""The queryset that a command was asked for: ``app.module:function``, a queryset, a manager, or a method of a class."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.apps import apps
from django.core.management import CommandError
from django.db import models

from reports.errors import listed, near
from reports.rewrite.compiled import check_queryset
from reports.rows import Rows


@dataclass(frozen=True, slots=True)
class Target:
    """A queryset, with what it is called, its function's docstring, and the app that it belongs to."""

    text: str
    name: str
    doc: str
    app_label: str
    queryset: models.QuerySet[Any, Any]


def find_queryset(text: str) -> Target:
    """Return the queryset of ``package.module:name``; the name may go through classes and managers by dots.

    A function is called without arguments. A method of a QuerySet or Manager class is called on the one model that has
    it; a method of any other class on an instance made without arguments.

    Raises:
        CommandError: There is no such module or name, it takes arguments, it raised, or it gives no queryset.
    """
    module_name, colon, path = text.partition(":")
    if not colon or not path:
        raise CommandError(f"{text!r} does not say where the queryset is; write app.module:function.")
    owner: Any = _module(module_name)
    *parents, name = path.split(".")
    for parent in parents:
        owner = _attribute(owner, parent, text)
    doc, made = _made(owner, name, text)
    if isinstance(made, Rows):
        raise CommandError(f"{text}: these are the rows of a report already.")
    try:
        check_queryset(made)
    except TypeError as error:
        hint = "" if isinstance(made, models.QuerySet | models.query.RawQuerySet) else " A queryset is needed."
        forgotten = " Does the function return it?" if made is None else ""
        raise CommandError(f"{text}: {error}{hint}{forgotten}") from error
    config = apps.get_containing_app_config(module_name)
    label = config.label if config else made.model._meta.app_label
    return Target(text, name, doc, label, made)


def _module(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise CommandError(f"there is no module {error.name!r} ({name}).") from error
        raise CommandError(f"importing {name} raised {type(error).__name__}: {error}") from error


def _attribute(owner: Any, name: str, text: str) -> Any:
    try:
        return getattr(owner, name)
    except AttributeError as error:
        names = [each for each in dir(owner) if not each.startswith("_")]
        shown = getattr(owner, "__name__", type(owner).__name__)
        raise CommandError(f"{text}: {shown} has no {name!r}.{near(name, names)}") from error


def _made(owner: Any, name: str, text: str) -> tuple[str, Any]:
    """Return the docstring of what was named, and the queryset or whatever else it gives."""
    found = _attribute(owner, name, text)
    doc = "" if isinstance(found, models.QuerySet | models.Manager) else inspect.getdoc(found) or ""
    if isinstance(found, type) and issubclass(found, models.Model):
        return "", found._default_manager.all()
    if inspect.isclass(owner) and inspect.isfunction(inspect.getattr_static(owner, name)):
        found = _bound(owner, name, text)
    if callable(found) and not isinstance(found, models.QuerySet | models.Manager):
        found = _called(found, text)
    return doc, found.all() if isinstance(found, models.Manager) else found


def _bound(owner: type, name: str, text: str) -> Any:
    """Return a class's method on an instance."""
    if issubclass(owner, models.Model):
        raise CommandError(f"{text} is a method of one {owner.__name__}; a queryset comes from a manager's.")
    if not issubclass(owner, models.Manager | models.QuerySet):
        return getattr(_called(owner, text), name)
    found = {}
    for model in apps.get_models():
        for manager in model._meta.managers:
            each: Any = manager if issubclass(owner, models.Manager) else manager.all()
            if isinstance(each, owner) and model._meta.managed:
                found[f"{model.__module__}:{model.__name__}.{manager.name}.{name}"] = each
    if len(found) != 1:
        which = f"of {len(found)} models. Write which: {listed(found)}" if found else "of no model"
        raise CommandError(f"{text} is a method {which}.")
    (instance,) = found.values()
    return getattr(instance, name)


def _called(function: Callable[..., Any], text: str) -> Any:
    try:
        signature = inspect.signature(function)
        signature.bind()
    except (TypeError, ValueError) as error:
        raise CommandError(
            f"{text} takes arguments: {error}. Write a function without any that calls it, and name that one."
        ) from error
    try:
        return function()
    except Exception as error:  # whatever a project's code raises
        raise CommandError(f"{text} raised {type(error).__name__}: {error}") from error
