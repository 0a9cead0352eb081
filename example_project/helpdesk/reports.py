"""The helpdesk's reports; their SQL is in ``sql/helpdesk/``."""

from __future__ import annotations

from collections.abc import Mapping

from django import forms

from example_project.helpdesk.models import Department, EmployeeLoad, Invoice, Ticket
from example_project.staff import SeenByStaff
from reports import Report


class DepartmentTickets(SeenByStaff, Report):
    """Open and closed tickets per department."""

    template = "helpdesk/department_tickets.sql"

    class Params(forms.Form):
        """Which tickets count."""

        opened_from = forms.DateField(required=False)
        priorities = forms.TypedMultipleChoiceField(
            choices=Ticket.PRIORITIES, coerce=int, required=False, widget=forms.CheckboxSelectMultiple
        )

    def get_context(self) -> Mapping[str, object]:
        """Give the template what the user may see."""
        return {
            "departments": Department.objects.visible_to(self.user),
            "tickets": Ticket.objects.visible_to(self.user),
        }


class LatestTickets(SeenByStaff, Report):
    """The newest tickets of each department."""

    template = "helpdesk/latest_tickets.sql"

    class Params(forms.Form):
        """How many tickets, and of which status."""

        n = forms.IntegerField(min_value=1, max_value=20, initial=3, label="Tickets per department")
        status = forms.ChoiceField(choices=[("", "any"), *Ticket.Status.choices], required=False)

    def get_context(self) -> Mapping[str, object]:
        """Give the template what the user may see."""
        return {
            "departments": Department.objects.visible_to(self.user),
            "tickets": Ticket.objects.visible_to(self.user),
        }


class DepartmentTotals(SeenByStaff, Report):
    """Tickets and invoices per department, side by side."""

    template = "helpdesk/department_totals.sql"

    class Params(forms.Form):
        """The period: since its first day, until the day after its last."""

        since = forms.DateField(required=False)
        until = forms.DateField(required=False)

    def get_context(self) -> Mapping[str, object]:
        """Give the template what the user may see."""
        return {
            "departments": Department.objects.visible_to(self.user),
            "tickets": Ticket.objects.visible_to(self.user),
            "invoices": Invoice.objects.visible_to(self.user),
        }


class EmployeeLoads(SeenByStaff, Report):
    """Open tickets per employee, as instances of a model with relations."""

    template = "helpdesk/employee_loads.sql"
    model = EmployeeLoad

    class Params(forms.Form):
        """Who is listed."""

        at_least = forms.IntegerField(min_value=1, required=False, label="Open tickets, at least")

    def get_context(self) -> Mapping[str, object]:
        """Give the template what the user may see."""
        return {
            "departments": Department.objects.visible_to(self.user),
            "tickets": Ticket.objects.visible_to(self.user),
        }
