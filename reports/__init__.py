"""Named SQL templates whose result is a Django QuerySet.

A report is a ``.sql`` template in an app's ``sql/<app_label>/`` folder and a class in its ``reports.py``::

    class DepartmentTickets(Report):
        template = "helpdesk/department_tickets.sql"

        class Params(forms.Form):
            opened_from = forms.DateField(required=False)

    rows = DepartmentTickets(user=request.user).run({"opened_from": "2026-01-01"})
    rows.filter(open_tickets__gt=10).order_by("-open_tickets")[:20]
"""

from reports.errors import (
    AlreadyRegistered,
    ExportError,
    NotRegistered,
    ParamsError,
    QueryError,
    QueryTimeout,
    ReportError,
    TemplateError,
    TemplateNotFound,
    TooManyRows,
)
from reports.execution import report_executed
from reports.joins import join
from reports.registry import get_report, register, registered
from reports.rendering import Query
from reports.report import Report
from reports.rows import Rows

__all__ = [
    "AlreadyRegistered",
    "ExportError",
    "NotRegistered",
    "ParamsError",
    "Query",
    "QueryError",
    "QueryTimeout",
    "Report",
    "ReportError",
    "Rows",
    "TemplateError",
    "TemplateNotFound",
    "TooManyRows",
    "get_report",
    "join",
    "register",
    "registered",
    "report_executed",
]
