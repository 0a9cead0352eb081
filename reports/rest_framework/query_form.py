"""The form of a list page: a report's parameters, the filters, search and ordering, which share the query string."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.forms.boundfield import BoundField
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from rest_framework.filters import OrderingFilter, SearchFilter
from rest_framework.settings import api_settings

from reports.rest_framework.query_keys import api_keys, askable_rows

# The paginators' attributes that name a place among the rows. Another question begins at the first page.
POSITIONS = ("page_query_param", "offset_query_param", "cursor_query_param")
# Widgets of boxes and dots, which Bootstrap's class for inputs would stretch.
_BOXES = (forms.CheckboxInput, forms.RadioSelect, forms.CheckboxSelectMultiple)
_TIME_EXAMPLE = "2026-01-31 14:30"
# The keys of messages that are about no key.
_WHOLE = (NON_FIELD_ERRORS, "detail", api_settings.NON_FIELD_ERRORS_KEY)


@dataclass(frozen=True, slots=True)
class Input:
    """A field of the form as the page shows it, with the messages that stand beside it."""

    bound: BoundField
    errors: list[str]

    @property
    def html(self) -> SafeString:
        """The field's widget, tied to its help text and messages."""
        widget = self._widget
        attrs: dict[str, Any] = {}
        if not isinstance(widget, _BOXES):
            attrs["class"] = f"{widget.attrs.get('class', '')} form-control".strip()
        if type(widget) is forms.DateTimeInput:
            attrs["placeholder"] = widget.attrs.get("placeholder", _TIME_EXAMPLE)
        if self.described_by and not self.bound.use_fieldset:
            attrs["aria-describedby"] = self.described_by
        if self.errors:
            attrs["aria-invalid"] = "true"
        if isinstance(widget, forms.CheckboxInput) and self.bound.initial:
            # A box that is not ticked is not sent, and an absent parameter has its initial value.
            choices = forms.Select(choices=[(True, _("Yes")), (False, _("No"))])
            return self.bound.as_widget(choices, {**attrs, "class": "form-control"})
        return self.bound.as_widget(widget, attrs)

    @property
    def _widget(self) -> forms.Widget:
        """The field's own widget; the browser's calendar for a date, as long as it can show what was sent."""
        field: Any = self.bound.field
        own: forms.Widget = field.widget
        if type(own) is not forms.DateInput or own.input_type != "text" or not _takes_iso(field):
            return own
        value = self.bound.value()
        if value and not isinstance(value, datetime.date) and not _is_iso(str(value)):
            return own
        widget = forms.DateInput(own.attrs, format="%Y-%m-%d")
        widget.input_type, widget.is_localized = "date", False
        return widget

    @property
    def described_by(self) -> str:
        """The ids of the help text and the messages."""
        parts = {"helptext": self.bound.help_text, "error": self.errors}
        return " ".join(f"{self.bound.auto_id}_{part}" for part, text in parts.items() if text)


@dataclass(frozen=True, slots=True)
class Group:
    """Fields under one title."""

    title: str
    inputs: list[Input]


@dataclass(frozen=True, slots=True)
class QueryForm:
    """The form: groups of fields, the keys that are kept as they are, and messages that belong to no field."""

    groups: list[Group]
    kept: list[tuple[str, str]]
    errors: list[str]


def query_form(view: Any, refused: Any) -> QueryForm:
    """Return the form of a view's list, filled in with the request's query string.

    Args:
        view: The view, with its request.
        refused: The data of a response 400, messages by key or a list of them; None otherwise.
    """
    messages = refused if isinstance(refused, Mapping) else {}
    groups: list[Group] = []
    seen: set[str] = set()
    named: set[str] = set()  # a report's messages have the names of its fields, also where the form has a prefix
    for title, form in _forms(view):
        # A parameter and a filter of one name read one key: two inputs would send it twice.
        inputs = [_input(bound, messages) for bound in form if bound.html_name not in seen]
        seen.update(form.add_prefix(name) for name in form.fields)
        named.update(form.fields)
        if inputs:
            groups.append(Group(title, inputs))
    errors = [
        text if key in _WHOLE else f"{key}: {text}"
        for key, value in messages.items()
        if key not in seen | named
        for text in _texts(value)
    ]
    if isinstance(refused, list):
        errors += _texts(refused)
    return QueryForm(groups, list(_kept(view, seen)), errors)


def _forms(view: Any) -> Iterator[tuple[str, forms.Form]]:
    yield str(_("Parameters")), view.get_report().form(view.get_params())
    queryset, _refused = askable_rows(view)
    if queryset is None:
        return
    fields: dict[str, forms.Field] = {}
    values: dict[str, str] = {}
    for backend in (make() for make in view.filter_backends):
        filterset = backend.get_filterset(view.request, queryset, view) if hasattr(backend, "get_filterset") else None
        if filterset is not None:
            yield str(_("Filters")), filterset.form
        elif isinstance(backend, SearchFilter) and backend.get_search_fields(view, view.request):
            fields[backend.search_param] = forms.CharField(required=False, label=backend.search_title)
            values[backend.search_param] = view.request.query_params.get(backend.search_param, "")
        elif isinstance(backend, OrderingFilter):
            fields[backend.ordering_param], values[backend.ordering_param] = _ordering(backend, queryset, view)
    form = type("SearchForm", (forms.Form,), fields)(values)
    yield str(_("Search and ordering")), form


def _ordering(backend: OrderingFilter, queryset: Any, view: Any) -> tuple[forms.ChoiceField, str]:
    """Return the choice among the orderings, and the one that the request asks for."""
    request = view.request
    choices: list[tuple[str, Any]] = [("", _("default"))]
    for key, label in backend.get_valid_fields(queryset, view, {"request": request}):
        choices += [(key, f"{label} ↑"), (f"-{key}", f"{label} ↓")]
    asked = [term.strip() for term in request.query_params.get(backend.ordering_param, "").split(",")]
    value = ",".join(backend.remove_invalid_fields(queryset, asked, view, request))
    if value not in dict(choices):  # several columns at once
        choices.append((value, value))
    return forms.ChoiceField(choices=choices, required=False, label=backend.ordering_title), value


def _takes_iso(field: Any) -> bool:
    """Return whether a field reads what a browser's calendar sends."""
    return isinstance(field, forms.DateField) and "%Y-%m-%d" in list(field.input_formats or ())


def _is_iso(text: str) -> bool:
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _input(bound: BoundField, messages: Mapping[str, Any]) -> Input:
    said = messages.get(bound.html_name, messages.get(bound.name))
    return Input(bound, list(map(str, bound.errors)) if said is None else list(_texts(said)))


def _texts(value: Any) -> Iterator[str]:
    """Yield the messages in an error of Django REST Framework, which may be nested."""
    if isinstance(value, str):
        yield value
        return
    parts: Iterable[Any] = value.values() if isinstance(value, Mapping) else value
    for part in parts:
        yield from _texts(part)


def _kept(view: Any, shown: set[str]) -> Iterator[tuple[str, str]]:
    """Yield the keys and values that a submission sends again, such as a page's size."""
    positions = {getattr(view.paginator, name, None) for name in POSITIONS}
    known = {*api_keys(view), *view.extra_query_keys} - shown - positions
    for key, values in view.request.query_params.lists():
        if key in known:
            yield from ((key, value) for value in values)
