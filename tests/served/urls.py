"""A report that can be endless, silent, slow or faulty, in every format; and a look into the server."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path
from typing import Any

from django import forms
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path

from reports import Report
from reports.rest_framework import ReportViewSet


class ServedRows(Report):
    """As many rows as are asked for."""

    template = "served/rows.sql"

    class Params(forms.Form):
        rows = forms.IntegerField()
        faulty = forms.IntegerField(required=False)
        pause = forms.FloatField(required=False)


class HastyRows(ServedRows):
    """The same, under a timeout that any pause breaks."""

    timeout = 0.2


class RowsViewSet(ReportViewSet):
    report_class = ServedRows


class HastyViewSet(ReportViewSet):
    report_class = HastyRows


def session(request: HttpRequest) -> JsonResponse:
    """Tell how statements of this request run."""
    names = ("statement_timeout", "lock_timeout", "transaction_read_only", "default_transaction_read_only")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_backend_pid(), {', '.join(f'current_setting({name!r})' for name in names)}")
        pid, *values = cursor.fetchone()
    return JsonResponse({"backend": pid, "settings": dict(zip(names, values, strict=True))})


def memory(request: HttpRequest) -> JsonResponse:
    """Tell the most memory that this process has had, in bytes; with ``from=now`` forget what was before."""
    if "from" in request.GET:
        with suppress(OSError):  # what it had is then the least that can be told
            Path("/proc/self/clear_refs").write_text("5")
    return JsonResponse({"peak": _peak(), "process": os.getpid()})


def _peak() -> int:
    status = Path("/proc/self/status")
    if status.exists():  # elsewhere the figure below has to do; on Linux it is also that of the process before exec()
        (line,) = [line for line in status.read_text().splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


LIST: Any = {"get": "list"}
urlpatterns = [
    path("rows/", RowsViewSet.as_view(LIST)),
    path("hasty/", HastyViewSet.as_view(LIST)),
    path("session/", session),
    path("memory/", memory),
]
