"""What the panel's links show. Importing this needs the toolbar among the installed apps."""

from __future__ import annotations

from debug_toolbar.decorators import require_show_toolbar
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.template.loader import render_to_string

from reports.toolbar.plans import plan_of


@login_not_required
@require_show_toolbar
def report_plan(request: HttpRequest, token: str) -> JsonResponse:
    """Show the plan of a statement that was kept, to those who see the toolbar."""
    return JsonResponse({"content": render_to_string("reports/toolbar/plan.html", {"plan": plan_of(token)})})
