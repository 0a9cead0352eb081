"""The shop's reports; their SQL is in ``sql/shop/``."""

from __future__ import annotations

from collections.abc import Mapping

from django import forms
from django.utils import timezone

from example_project.shop.models import Customer, Order
from example_project.staff import SeenByStaff
from reports import Report


class PeriodParams(forms.Form):
    """The period: since its first day, until the day after its last."""

    since = forms.DateField(required=False)
    until = forms.DateField(required=False)


class CategorySales(SeenByStaff, Report):
    """Sales per category, with all categories below it."""

    template = "shop/category_sales.sql"

    class Params(PeriodParams):
        """The period, and which part of the tree is listed."""

        under = forms.IntegerField(min_value=1, required=False, label="In category no.")
        levels = forms.IntegerField(min_value=1, max_value=20, required=False, label="Levels")

    def get_context(self) -> Mapping[str, object]:
        """Give the template the orders that the user may see, and the zone in which days begin."""
        return {"orders": Order.objects.visible_to(self.user), "zone": timezone.get_current_timezone_name()}


class CustomerBalances(SeenByStaff, Report):
    """What each customer ordered, paid and owes."""

    template = "shop/customer_balances.sql"
    Params = PeriodParams

    def get_context(self) -> Mapping[str, object]:
        """Give the template what the user may see, and the zone in which days begin."""
        return {
            "customers": Customer.objects.visible_to(self.user),
            "orders": Order.objects.visible_to(self.user),
            "zone": timezone.get_current_timezone_name(),
        }


class MonthlyRevenue(SeenByStaff, Report):
    """Revenue by month, with running total and moving average."""

    template = "shop/monthly_revenue.sql"

    def get_context(self) -> Mapping[str, object]:
        """Give the template the orders that the user may see, and the zone in which months begin."""
        return {"orders": Order.objects.visible_to(self.user), "zone": timezone.get_current_timezone_name()}


class ProductRanks(SeenByStaff, Report):
    """Products by revenue within their category."""

    template = "shop/product_ranks.sql"

    class Params(PeriodParams):
        """The period, and how many products of each category are listed."""

        top = forms.IntegerField(min_value=1, max_value=100, required=False, label="Best of each category")

    def get_context(self) -> Mapping[str, object]:
        """Give the template the orders that the user may see, and the zone in which days begin."""
        return {"orders": Order.objects.visible_to(self.user), "zone": timezone.get_current_timezone_name()}
