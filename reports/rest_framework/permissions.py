"""Who may run a report where reports are listed."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import NotFound
from rest_framework.permissions import BasePermission


class MayRunReport(BasePermission):
    """Asks ``has_permission()`` of the view's report: by default nobody may who is not logged in.

    Whoever is logged in and may not gets the 404 of a name that no report has, since it is absent from the list too: to
    say 403 would tell which names there are. Whoever is not logged in is asked to be, whatever the name.
    """

    def has_permission(self, request: Any, view: Any) -> bool:
        """Return whether the user may run the report; a ``report_class`` of None is one that there is not.

        Raises:
            NotFound: The user is logged in and may not.
        """
        report = view.report_class
        if report is not None and report.has_permission(request.user):
            return True
        if request.user and request.user.is_authenticated:
            raise NotFound
        return False
