"""The keys that a request's query string may have: of the report's form, the filters, the paging, the API itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django import forms
from django.contrib.postgres.forms import SplitArrayWidget
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from rest_framework.exceptions import ValidationError
from rest_framework.settings import api_settings

from reports import Rows
from reports.errors import ParamsError, listed, near
from reports.rest_framework.errors import params_detail

# Fields of filters whose value may be a number, or two of a range.
_NUMBERS = (forms.IntegerField, forms.MultiValueField)
# More digits than a parameter may have.
_EXPONENT = re.compile(r"[eE][-+]?0*[1-9]\d{3}")
_MANY = 20
_SEVERAL = (forms.SelectMultiple, forms.CheckboxSelectMultiple, forms.MultipleHiddenInput)


def check_query(view: Any) -> None:
    """Refuse keys that nothing reads, and several values of a parameter that takes one.

    Raises:
        ValidationError: 400 with every such key; names the nearest known one.
    """
    sent = view.request.query_params
    form_class = view.report_class.get_form_class()
    known = {*_by_key(form_class.base_fields, form_class.prefix), *api_keys(view), *view.extra_query_keys}
    # A form takes longer to make than all the rest, and few requests need it here.
    repeated = [key for key, values in sent.lists() if len(values) > 1]
    unknown = [key for key in sent if key not in known] if view.strict_query else []
    long = [key for key, values in sent.lists() if any(map(_EXPONENT.search, values))]
    if not (repeated or unknown or long):
        return
    form = view.get_report().form()
    fields = _by_key(form.fields, form.prefix)
    once = [key for key in repeated if key in fields and not takes_several(fields[key])]
    errors = {key: ["Give this parameter once."] for key in once}
    filters = filter_fields(view) if unknown or long else {}
    errors |= _unknown(unknown, {*known, *fields, *filters})
    # Django would take seconds or hours to make an integer of 1e1000000.
    errors |= {key: ["Enter a number of fewer digits."] for key in long if isinstance(filters.get(key), _NUMBERS)}
    if errors:
        raise ValidationError({**wrong_values(view), **errors})


def _by_key(fields: Mapping[str, forms.Field], prefix: str | None = None) -> dict[str, forms.Field]:
    """Return the fields of a form by each key of the query string that their widgets read."""
    return {
        key: field
        for name, field in fields.items()
        for key in _widget_keys(field.widget, f"{prefix}-{name}" if prefix else name)
    }


def _widget_keys(widget: forms.Widget, key: str) -> list[str]:
    if isinstance(widget, SplitArrayWidget):
        return [f"{key}_{index}" for index in range(widget.size)]
    if isinstance(widget, forms.MultiWidget):
        suffixes: list[str] = widget.widgets_names  # type: ignore[attr-defined]
        return [f"{key}{suffix}" for suffix in suffixes]
    if isinstance(widget, forms.SelectDateWidget):
        return [field % key for field in (widget.year_field, widget.month_field, widget.day_field)]
    return [key]


def wrong_values(view: Any) -> dict[str, Any]:
    """Return what the report's form and the filters refuse, by key."""
    rows, errors = askable_rows(view)
    for backend in view.filter_backends:
        make = getattr(backend(), "get_filterset", None)
        filterset = make(view.request, rows, view) if make and rows is not None else None
        if filterset is not None and not filterset.is_valid():
            errors |= {key: value for key, value in filterset.errors.items() if key not in errors}
    return errors


def _unknown(keys: Iterable[str], known: set[str]) -> dict[str, list[str]]:
    found = [key for key in keys if key not in known]
    # Nobody reads the names a thousand times.
    return {
        key: [f"No such key (there are: {listed(known)}).{near(key, known)}" if at < _MANY else "No such key."]
        for at, key in enumerate(found)
    }


def filter_fields(view: Any) -> dict[str, forms.Field]:
    """Return the form fields of the view's filter sets, by the key of the query string."""
    fields: dict[str, forms.Field] = {}
    rows, _ = askable_rows(view)
    for backend in view.filter_backends:
        make = getattr(backend(), "get_filterset_class", None)
        filterset = make(view, rows) if make and rows is not None else None
        if filterset is not None:
            fields |= _by_key({name: one.field for name, one in filterset.base_filters.items()})
    return fields


def askable_rows(view: Any) -> tuple[Any, dict[str, Any]]:
    """Return rows that filters and orderings can be asked about, and what the report's form refuses.

    Where it refuses something there are none in them; they are None when nothing knows their columns.
    """
    try:
        return view.get_queryset(), {}
    except ParamsError as error:
        model = view.report_class.get_row_model()
        return None if model is None else Rows(model).none(), params_detail(error)


def api_keys(view: Any) -> Iterator[str]:
    """Yield the keys of the filter backends that document theirs, of the paging, the format and the version."""
    for source in (*(backend() for backend in view.filter_backends), view.paginator):
        describe = getattr(source, "get_schema_operation_parameters", None)
        for parameter in describe(view) if describe else ():
            yield parameter["name"]
    yield from filter(None, (api_settings.URL_FORMAT_OVERRIDE,))
    version = getattr(view.request.versioning_scheme, "version_param", None)
    if version:
        yield version


def takes_several(field: forms.Field) -> bool:
    """Return whether a field reads every value of its key, and not only one."""
    # ListInput of a `list` parameter and other widgets of that kind read with getlist(), like a multiple select.
    return isinstance(field.widget, _SEVERAL) or _reads_lists(field.widget)


def _reads_lists(widget: forms.Widget) -> bool:
    return isinstance(widget.value_from_datadict(QueryDict("k=1&k=2"), MultiValueDict(), "k"), list)
