"""The panel itself."""

from __future__ import annotations

from contextvars import Token
from typing import Any

from debug_toolbar.panels import Panel
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from reports.errors import counted
from reports.toolbar import recording
from reports.toolbar.recording import Recording


class ReportsPanel(Panel):
    """The reports of a request, with their plans on demand, and its statements that repeat subqueries.

    What a streamed response reads comes after the panel and is not in it.
    """

    title = nav_title = "SQL reports"
    template = "reports/toolbar/panel.html"
    is_async = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._recording = Recording()
        self._before: Token[Recording | None] | None = None

    @property
    def nav_subtitle(self) -> str:
        stats = self.get_stats()
        count, found = len(stats.get("reports", ())), len(stats.get("findings", ()))
        text = f"{counted(count, 'statement')} in {stats.get('milliseconds', 0):.0f} ms"
        return f"{text}, {counted(found, 'finding')}" if found else text

    @classmethod
    def ready(cls) -> None:
        recording.install_everywhere()

    @classmethod
    def get_urls(cls) -> list[URLPattern]:
        from reports.toolbar.views import report_plan  # the toolbar's models, when all apps are there

        return [path("report_plan/<str:token>/", report_plan, name="report_plan")]

    def enable_instrumentation(self) -> None:
        recording.install_everywhere()
        if self._before is None:
            self._before = recording.current.set(self._recording)

    def disable_instrumentation(self) -> None:
        if self._before is not None:
            recording.current.reset(self._before)
            self._before = None

    def generate_stats(self, request: HttpRequest, response: HttpResponse) -> None:
        self.record_stats(self._recording.stats())
