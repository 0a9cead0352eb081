"""Dashboards: several reports on one page, each with its first rows. Nothing here knows a report but by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from example_project.helpdesk.loading import DEMO_USERS
from example_project.staff import demo_user
from example_project.statements import recorded
from example_project.tables import Cell, Heading, body, columns_of, header
from reports import get_report

ROWS = 8
BOARDS = {
    "helpdesk": (
        "dashboards.year_in_figures",
        "dashboards.tickets_by_month",
        "dashboards.tickets_open",
        "dashboards.reception_overview",
        "dashboards.hours_promised",
        "dashboards.old_tickets",
        "dashboards.regions_and_statuses",
        "dashboards.tickets_by_weekday",
    ),
    "shop": (
        "dashboards.revenue_against_last_year",
        "dashboards.paid_to_date",
        "dashboards.best_products",
        "dashboards.categories_and_other",
        "dashboards.category_classes",
        "dashboards.customers_kept",
        "dashboards.from_look_to_order",
        "dashboards.customers_coming_and_going",
    ),
}


@dataclass(frozen=True, slots=True)
class Tile:
    """A report on a dashboard: its first rows, and the widths of the bars behind its last column of numbers."""

    title: str
    name: str
    header: list[Heading]
    rows: list[tuple[list[Cell], int | None]]
    milliseconds: float

    @property
    def args(self) -> list[str]:
        """The parts of the name that its page's address is made of."""
        return self.name.split(".")


@require_safe
def board(request: HttpRequest, name: str) -> HttpResponse:
    """Show a dashboard as one of the demo users sees it."""
    if name not in BOARDS:
        raise Http404(f"There is no dashboard {name!r}; there are: {', '.join(BOARDS)}.")
    user = demo_user(request.GET.get("as"))
    tiles = [_tile(report, user) for report in BOARDS[name]]
    chosen = request.GET.get("as", next(iter(DEMO_USERS)))
    context = {"name": name, "boards": list(BOARDS), "tiles": tiles, "users": list(DEMO_USERS), "chosen": chosen}
    return render(request, "board.html", context)


def _tile(name: str, user: Any) -> Tile:
    report = get_report(name)(user=user)
    with recorded() as statements:
        found = list(report.run().dicts()[:ROWS])
    columns = columns_of(report)
    numbers = [column.name for column, heading in zip(columns, header(columns, ""), strict=True) if heading.is_number]
    widths = _widths([row[numbers[-1]] for row in found]) if numbers else [None] * len(found)
    return Tile(
        title=report.get_title(),
        name=name,
        header=header(columns, ""),
        rows=list(zip(body(columns, found), widths, strict=True)),
        milliseconds=sum(statement.milliseconds for statement in statements),
    )


def _widths(values: list[Any]) -> list[int | None]:
    """Return how wide the bar of each value is, in percent of the largest."""
    most = max((abs(value) for value in values if value is not None), default=0)
    return [None if value is None or not most else round(100 * float(abs(value) / most)) for value in values]
