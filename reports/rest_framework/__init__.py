"""Reports as resources of an API by Django REST Framework: the extra ``rest``."""

from importlib.util import find_spec

if find_spec("rest_framework") is None:
    raise ImportError("reports.rest_framework needs Django REST Framework: pip install django-sql-reports[rest]")

from reports.rest_framework.cursor_pagination import ReportCursorPagination
from reports.rest_framework.pagination import ReportLimitOffsetPagination, ReportPagination
from reports.rest_framework.viewsets import ReportViewSet

__all__ = ["ReportCursorPagination", "ReportLimitOffsetPagination", "ReportPagination", "ReportViewSet"]
