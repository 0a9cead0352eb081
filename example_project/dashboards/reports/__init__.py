"""One report of each prebuilt class, over the helpdesk's and the shop's data."""

from __future__ import annotations

from example_project.dashboards.reports.customers import (
    BestCustomers,
    CustomersComingAndGoing,
    CustomersKept,
    CustomersWorth,
    FromLookToOrder,
    ShopVisits,
)
from example_project.dashboards.reports.distribution import (
    HoursByRegion,
    HoursPromised,
    HoursToResolve,
    OldTickets,
    SizesOfOrderLines,
)
from example_project.dashboards.reports.grouped_metrics import (
    AccountsByRegion,
    CategoryOverview,
    ReceptionOverview,
    RegionOverview,
)
from example_project.dashboards.reports.quality import (
    EmployeesOfOneName,
    LatestOfEach,
    MissingOfTickets,
)
from example_project.dashboards.reports.ranking import (
    BestProducts,
    BestProductsByRegion,
    CategoriesAndOther,
    CategoryClasses,
    ChangedCategories,
    LatestTicketsOfReceptions,
    SharesByRegion,
)
from example_project.dashboards.reports.structures import (
    CategoriesSold,
    CustomersActive,
    TicketsOpen,
    TimeToClose,
)
from example_project.dashboards.reports.tables import (
    PrioritiesByStatus,
    QuartersByRegion,
    RegionsAndStatuses,
    YearInFigures,
)
from example_project.dashboards.reports.time_series import (
    InvoicedSoFar,
    OrdersOfTheWeek,
    PaidToDate,
    RevenueAgainstLastYear,
    TicketsByMonth,
    TicketsByWeekday,
    TicketsByWeekdayAndHour,
    UrgentTicketsByRegion,
)

__all__ = [
    "AccountsByRegion",
    "BestCustomers",
    "BestProducts",
    "BestProductsByRegion",
    "CategoriesAndOther",
    "CategoriesSold",
    "CategoryClasses",
    "CategoryOverview",
    "ChangedCategories",
    "CustomersActive",
    "CustomersComingAndGoing",
    "CustomersKept",
    "CustomersWorth",
    "EmployeesOfOneName",
    "FromLookToOrder",
    "HoursByRegion",
    "HoursPromised",
    "HoursToResolve",
    "InvoicedSoFar",
    "LatestOfEach",
    "LatestTicketsOfReceptions",
    "MissingOfTickets",
    "OldTickets",
    "OrdersOfTheWeek",
    "PaidToDate",
    "PrioritiesByStatus",
    "QuartersByRegion",
    "ReceptionOverview",
    "RegionOverview",
    "RegionsAndStatuses",
    "RevenueAgainstLastYear",
    "SharesByRegion",
    "ShopVisits",
    "SizesOfOrderLines",
    "TicketsByMonth",
    "TicketsByWeekday",
    "TicketsByWeekdayAndHour",
    "TicketsOpen",
    "TimeToClose",
    "UrgentTicketsByRegion",
    "YearInFigures",
]
