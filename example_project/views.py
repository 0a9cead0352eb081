"""A page, JSON and files for every report: parameters, sorting, paging, errors beside the fields.

Nothing here knows a report by name. A user is chosen with ``?as=`` so that permissions can be seen at work; a real
site takes ``request.user``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from django import forms
from django.apps import apps
from django.core.exceptions import ValidationError
from django.core.paginator import InvalidPage, Page, Paginator
from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from example_project.boards import BOARDS
from example_project.helpdesk.loading import DEMO_USERS
from example_project.staff import demo_user
from example_project.statements import Statement, recorded
from example_project.tables import body, columns_of, header
from reports import Report, Rows, get_report, registered
from reports.errors import NotRegistered
from reports.exports import csv_response
from reports.exports.json import ndjson_response
from reports.exports.parquet import parquet_response
from reports.exports.xlsx import xlsx_response

PER_PAGE = 25
# The files that all rows of a report can be had as, by extension.
FILES: dict[str, Callable[..., StreamingHttpResponse]] = {
    "csv": csv_response,
    "ndjson": ndjson_response,
    "xlsx": xlsx_response,
    "parquet": parquet_response,
}
LIBRARIES = {"xlsx": "xlsxwriter", "parquet": "pyarrow"}


@dataclass(slots=True)
class Result:
    """What a request asked for: the report and its rows, or what is wrong by field name."""

    report: Report
    sort: str = ""
    rows: Rows | None = None
    errors: dict[str, list[str]] = field(default_factory=dict)


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """List the reports and how much data they read."""
    reports = [
        {"name": name, "args": name.split("."), "title": _title(report)} for name, report in registered().items()
    ]
    tables = [
        {"name": model._meta.verbose_name_plural, "rows": f"{model._default_manager.count():,}"}
        for label in ("helpdesk", "shop", "dashboards", "flights")
        for model in apps.get_app_config(label).get_models()
        if model._meta.managed
    ]
    return render(
        request, "index.html", {"boards": list(BOARDS), "reports": reports, "tables": tables, "files": _files()}
    )


@require_safe
def report_page(request: HttpRequest, app: str, name: str) -> HttpResponse:
    """Show a report with its form. A page past the end is the last one; a refused value is a 400."""
    with recorded() as statements:
        result = _result(request, app, name)
        page = None if result.rows is None else _pages(result.rows).get_page(request.GET.get("page"))
        context = {
            "title": _title(type(result.report)),
            "name": f"{app}.{name}",
            "args": [app, name],
            "form": _form(result.report, request),
            "errors": {key: result.errors[key] for key in ("as", "sort") if key in result.errors},
            "users": list(DEMO_USERS),
            "chosen": request.GET.get("as", next(iter(DEMO_USERS))),
            "sort": result.sort,
            "files": _files(),
            **_table(result, page),
        }
    context["statements"] = _of_the_report(statements)
    context["milliseconds"] = sum(statement.milliseconds for statement in context["statements"])
    return render(request, "report.html", context, status=400 if result.errors else 200)


@require_safe
def report_json(request: HttpRequest, app: str, name: str) -> JsonResponse:
    """Give one page of a report as JSON: 400 with messages by field for a refused value, 404 past the end."""
    result = _result(request, app, name)
    if result.rows is None:
        return JsonResponse({"errors": result.errors}, status=400)
    try:
        page = _pages(result.rows).page(request.GET.get("page", 1))
    except InvalidPage as error:
        return JsonResponse({"errors": {"page": [str(error)]}}, status=404)
    columns = [column.name for column in columns_of(result.report)]
    return JsonResponse(
        {
            "report": f"{app}.{name}",
            "page": page.number,
            "pages": page.paginator.num_pages,
            "count": page.paginator.count,
            "rows": [row if isinstance(row, dict) else {name: getattr(row, name) for name in columns} for row in page],
        }
    )


@require_safe
def report_file(request: HttpRequest, app: str, name: str, extension: str) -> HttpResponseBase:
    """Give all rows of a report as a file: 400 with messages by field, as JSON, for a refused value."""
    if extension not in _files():
        raise Http404(f"No file ends with .{extension}; there are: {', '.join(_files())}.")
    result = _result(request, app, name)
    if result.rows is None:
        return JsonResponse({"errors": result.errors}, status=400)
    return FILES[extension](result.rows, filename=f"{name}.{extension}")


def _result(request: HttpRequest, app: str, name: str) -> Result:
    """Run the report that a request names, lazily.

    Raises:
        Http404: There is no report of that name.
    """
    try:
        report_class = get_report(f"{app}.{name}")
    except NotRegistered as error:
        raise Http404(str(error)) from error
    result = Result(report_class())
    try:
        result.report = report_class(user=demo_user(request.GET.get("as")))
        rows = result.report.run(request.GET)
        result.sort = request.GET.get("sort", "")
        if result.sort:
            rows = rows.order_by(_ordering(result), "pk")
        result.rows = rows
    except ValidationError as error:
        result.errors = error.message_dict
    return result


def _files() -> dict[str, str]:
    """Return the name of each kind of file whose library is installed, by extension."""
    found = [extension for extension in FILES if extension not in LIBRARIES or find_spec(LIBRARIES[extension])]
    return {extension: "Parquet" if extension == "parquet" else extension.upper() for extension in found}


def _pages(rows: Rows) -> Paginator[Any]:
    """Cut rows into pages; instances come with the objects that they refer to."""
    relations = [field.name for field in rows.model._meta.concrete_fields if field.is_relation]
    return Paginator(rows if rows.gives_dicts else rows.select_related(*relations), PER_PAGE)


def _ordering(result: Result) -> Any:
    """Return the ordering that ``?sort=name`` or ``?sort=-name`` asks for; a missing value comes last either way."""
    name = result.sort.removeprefix("-")
    names = [column.name for column in columns_of(result.report)]
    if name not in names:
        raise ValidationError({"sort": [f"{name!r} is not a column; choose one of: {', '.join(names)}."]})
    return F(name).desc(nulls_last=True) if result.sort.startswith("-") else F(name).asc(nulls_last=True)


def _form(report: Report, request: HttpRequest) -> forms.Form:
    """Return the form of a report's parameters, with the browser's calendar for dates."""
    form = report.form(request.GET)
    for bound in form:
        if type(bound.field.widget) is forms.DateInput:
            bound.field.widget.input_type = "date"
    return form


def _table(result: Result, page: Page[Any] | None) -> dict[str, Any]:
    columns = columns_of(result.report)
    if page is None:
        return {"page": None}
    return {
        "page": page,
        "count": f"{page.paginator.count:,}",
        "numbers": list(page.paginator.get_elided_page_range(page.number, on_each_side=2, on_ends=1)),
        "header": header(columns, result.sort),
        "body": body(columns, page),
    }


def _title(report: type[Report]) -> str:
    return report.get_title().removesuffix(".")


def _of_the_report(statements: list[Statement]) -> list[Statement]:
    """Leave out the statements of the page itself, such as the one that reads the user."""
    return [statement for statement in statements if "/* report=" in statement.sql]
