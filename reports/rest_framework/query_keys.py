"""The keys that a request's query string may have: of the report's form, the filters, the paging, the API itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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

# Widgets whose value is in several keys, which begin with the field's name.
_PARTED = (forms.MultiWidget, forms.SelectDateWidget, SplitArrayWidget)
_SEVERAL = (forms.SelectMultiple, forms.CheckboxSelectMultiple, forms.MultipleHiddenInput)


def check_query(view: Any) -> None:
    """Refuse keys that nothing reads, and several values of a parameter that takes one.

    Raises:
        ValidationError: 400 with every such key; names the nearest known one.
    """
    sent = view.request.query_params
    plain = view.report_class.get_form_class().base_fields
    known = [*plain, *api_keys(view), *view.extra_query_keys]
    # A form takes longer to make than all the rest, and few requests need it here.
    repeated = [key for key, values in sent.lists() if len(values) > 1]
    unknown = [key for key in sent if key not in known] if view.strict_query else []
    if not repeated and not unknown:
        return
    form = view.get_report().form()
    errors = {
        key: ["Give this parameter once."]
        for key in repeated
        if key in form.fields and not takes_several(form.fields[key])
    }
    if unknown:
        errors |= _unknown(unknown, [*known, *_form_keys(form)], {**form.fields, **filter_fields(view)})
    if errors:
        raise ValidationError({**_wrong_params(view), **errors})


def _wrong_params(view: Any) -> dict[str, list[str]]:
    try:
        view.get_queryset()
    except ParamsError as error:
        return params_detail(error)
    return {}


def _unknown(keys: Iterable[str], known: Iterable[str], fields: dict[str, forms.Field]) -> dict[str, list[str]]:
    names = {*known, *fields}
    return {
        key: [f"No such key (there are: {listed(names)}).{near(key, names)}"]
        for key in keys
        if not _is_known(key, names, fields)
    }


def filter_fields(view: Any) -> dict[str, forms.Field]:
    """Return the form fields of the view's filter sets, by the key of the query string."""
    fields: dict[str, forms.Field] = {}
    try:
        rows = view.get_queryset()
    except ParamsError:  # told by who asks for the rows
        rows = Rows(view.report_class.get_row_model())
    for backend in view.filter_backends:
        make = getattr(backend(), "get_filterset_class", None)
        filterset = make(view, rows) if make else None
        if filterset is not None:
            fields |= {name: one.field for name, one in filterset.base_filters.items()}
    return fields


def operation_keys(sources: Iterable[Any], view: Any) -> Iterator[str]:
    """Yield the keys that filter backends and paginators document."""
    for source in sources:
        describe = getattr(source, "get_schema_operation_parameters", None)
        for parameter in describe(view) if describe else ():
            yield parameter["name"]


def _form_keys(form: forms.Form) -> Iterator[str]:
    return (form.add_prefix(name) for name in form.fields)


def api_keys(view: Any) -> Iterator[str]:
    """Yield the keys of the filter backends that document theirs, of the paging, the format and the version."""
    paginator = [view.paginator] if view.paginator is not None else []
    yield from operation_keys([*(backend() for backend in view.filter_backends), *paginator], view)
    yield from filter(None, (api_settings.URL_FORMAT_OVERRIDE,))
    version = getattr(view.request.versioning_scheme, "version_param", None)
    if version:
        yield version


def _is_known(key: str, known: Iterable[str], fields: dict[str, forms.Field]) -> bool:
    if key in known:
        return True
    return any(isinstance(field.widget, _PARTED) and key.startswith(f"{name}_") for name, field in fields.items())


def takes_several(field: forms.Field) -> bool:
    """Return whether a field reads every value of its key, and not only one."""
    # ListInput of a `list` parameter and other widgets of that kind read with getlist(), like a multiple select.
    return isinstance(field.widget, _SEVERAL) or _reads_lists(field.widget)


def _reads_lists(widget: forms.Widget) -> bool:
    return isinstance(widget.value_from_datadict(QueryDict("k=1&k=2"), MultiValueDict(), "k"), list)
