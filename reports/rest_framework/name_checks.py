"""System check of the names on a view: its rows must have them.

Each name is tried as a request would use it. Where the project's own code may add columns to the rows, nothing is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, get_args

from django.core import checks
from django.core.exceptions import FieldDoesNotExist, FieldError, ValidationError
from django.db import models
from django.db.models import F

from reports import Report, Rows
from reports.errors import listed, near
from reports.rest_framework.counting import CountMode
from reports.rest_framework.mounted import Mounted, report_views
from reports.rest_framework.viewsets import ReportViewSet
from reports.source import has_key

_HINT = "Use the names of the report's columns, with `__` across relations."
_LIBRARIES = ("rest_framework", "django_filters")
# Methods by which a view has rows of its own making.
_MAKING = ("get_queryset", "filter_queryset", "get_report")


def check_names() -> list[checks.CheckMessage]:
    """E012: a ReportViewSet filters, searches and orders by columns that its rows have; ``count`` is a mode."""
    found: dict[str, checks.CheckMessage] = {}
    for seen in report_views():
        if issubclass(seen.view, ReportViewSet):
            for problem in _problems(seen):
                text = f"{seen.view.__name__}.{problem}"
                hint = None if problem.startswith("count ") else _HINT
                found.setdefault(text, checks.Error(text, hint=hint, obj=seen.view, id="reports.E012"))
    return list(found.values())


def _problems(seen: Mounted) -> Iterator[str]:
    mode, modes = _given(seen, "count"), get_args(CountMode)
    if mode is not None and mode not in modes:
        yield f"count is {mode!r} (allowed: {listed(map(repr, modes))}).{near(str(mode), modes)}"
    model, backends = seen.row_model, list(seen.get("filter_backends", ()))
    if model is None or _makes_rows(seen) or not all(_is_library(one, "filter_queryset") for one in backends):
        return
    rows = Rows(model).none()
    for backend in backends:
        if _is_library(backend, "get_filterset_class"):
            yield from _filter_problems(seen, backend, rows)
        if _is_library(backend, "get_search_fields", "construct_search"):
            yield from _search_problems(seen, backend, rows)
        if _is_library(backend, "get_ordering", "get_default_ordering", "get_valid_fields"):
            yield from _ordering_problems(seen, rows)
    if "retrieve" in seen.actions and seen.view.retrieve is ReportViewSet.retrieve and has_key(model):
        key = seen.get("lookup_field")
        if key != "pk" and (why := _why_not(rows, key, lambda: rows.filter(**{key: "x"}))):
            yield f"lookup_field is {key!r}: {why}"


def _given(seen: Mounted, name: str) -> Any:
    """Return an attribute's value; None for one that is computed for a request, as by a property."""
    value = seen.get(name)
    return None if hasattr(type(value), "__get__") else value


def _makes_rows(seen: Mounted) -> bool:
    is_own = any(getattr(seen.view, name) is not getattr(ReportViewSet, name) for name in _MAKING)
    return is_own or seen.get("report_class").run is not Report.run


def _is_library(backend: Any, *methods: str) -> bool:
    """Return whether a backend has methods, and no project has overridden them."""
    found = [getattr(getattr(backend, name, None), "__module__", "") for name in methods]
    return all(module.partition(".")[0] in _LIBRARIES for module in found)


def _filter_problems(seen: Mounted, backend: Any, rows: Rows) -> Iterator[str]:
    own, fields = _given(seen, "filterset_class"), _given(seen, "filterset_fields")

    def build(**attributes: Any) -> Any:
        return backend().get_filterset_class(SimpleNamespace(**attributes), rows)

    if own is not None:
        try:
            build(filterset_class=own)
        except Exception as error:  # noqa: BLE001 - whatever django-filter raises would be raised for each request
            yield f"filterset_class is {own!r}, which cannot filter the report's rows: {error}"
        return
    if not fields:
        return
    if isinstance(fields, str) and fields != "__all__":
        yield f"filterset_fields is {fields!r}; it must be a list, a dict or '__all__'."
        return
    for name, part in _parts(fields):
        try:
            build(filterset_fields=part)
        except Exception as error:  # noqa: BLE001 - as above
            yield f"filterset_fields has {name!r}: {_why_no_filter(rows.model, name, part, error)}"


def _parts(fields: Any) -> Iterator[tuple[str, Any]]:
    """Yield each name and what is `filterset_fields` for it and one lookup alone."""
    if isinstance(fields, str):
        yield fields, fields
    elif isinstance(fields, Mapping):
        yield from ((name, {name: [lookup]}) for name, lookups in fields.items() for lookup in lookups)
    else:
        yield from ((name, [name]) for name in fields)


def _why_no_filter(model: type[models.Model], name: str, part: Any, error: Exception) -> str:
    missing, field = _missing(model, name)
    if missing:
        return missing
    if isinstance(error, AssertionError) and field is not None:
        return f"django-filter has no filter for {type(field).__name__}. Declare one in a filterset_class."
    if isinstance(error, FieldError) and field is not None and isinstance(part, Mapping):
        ((lookup,),) = part.values()
        names = [*field.get_lookups()]
        return f"{field.name!r} has no lookup {lookup!r} (there are: {listed(names)}).{near(lookup, names)}"
    return str(error)


def _search_problems(seen: Mounted, backend: Any, rows: Rows) -> Iterator[str]:
    names = _given(seen, "search_fields")
    if isinstance(names, str):
        yield f"search_fields is {names!r}; it must be a list."
        return
    search = backend()
    for name in names or ():

        def ask(name: str = name) -> None:
            rows.filter(**{search.construct_search(name, rows): "x"})
            search.must_call_distinct(rows, [name])

        path = name[1:] if name[:1] in search.lookup_prefixes else name
        if why := _why_not(rows, path, ask) if path else "it names no column.":
            yield f"search_fields has {name!r}: {why}"


def _ordering_problems(seen: Mounted, rows: Rows) -> Iterator[str]:
    default, names = _given(seen, "ordering"), _given(seen, "ordering_fields")
    default = (default,) if isinstance(default, str) else default or ()
    if isinstance(names, str) and names != "__all__":
        yield f"ordering_fields is {names!r}; it must be a list or '__all__'."
    asked = () if names is None or isinstance(names, str) else names
    items = [("ordering", name) for item in default for name in _names_in(item)]
    items += [("ordering_fields", item if isinstance(item, str) else item[0]) for item in asked]
    for attribute, name in items:

        def ask(name: str = name) -> None:
            rows.order_by(name)
            if not name.startswith("?") and not name.endswith("pk"):  # at random; a key may be several columns
                rows.query.chain().resolve_ref(name.removeprefix("-"))

        if why := _why_not(rows, name.removeprefix("-"), ask):
            yield f"{attribute} has {name!r}: {why}"


def _names_in(item: Any) -> list[str]:
    """Return the names in an item of an ordering, a name or an expression."""
    if isinstance(item, str):
        return [item]
    parts: Iterable[Any] = [item] if isinstance(item, F) else item.flatten()
    return [str(part.name) for part in parts if isinstance(part, F)]  # type: ignore[attr-defined]


def _why_not(rows: Rows, path: str, ask: Callable[[], Any]) -> str | None:
    """Return why the rows cannot be asked by a path; None if they can. A value that it refuses is no fault."""
    try:
        ask()
    except (FieldError, FieldDoesNotExist) as error:
        return _missing(rows.model, path)[0] or str(error)
    except (TypeError, ValueError, ValidationError):
        return None
    return None


def _missing(model: type[models.Model], path: str) -> tuple[str | None, Any]:
    """Return what of a path there is not, and the last field that there is."""
    field: Any = None
    for part in path.split("__"):
        try:
            field = model._meta.pk if part == "pk" else model._meta.get_field(part)
        except FieldDoesNotExist:
            if field is not None and not field.is_relation:
                return None, field  # a lookup or transform
            names = {name for one in model._meta.get_fields() for name in (one.name, getattr(one, "attname", one.name))}
            owner = "the rows have" if field is None else f"{model.__name__} has"
            return f"{owner} no {part!r} (there are: {listed(names)}).{near(part, names)}", field
        model = getattr(field, "related_model", None) or model
    return None, field
