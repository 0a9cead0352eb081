"""Reports as resources of an API by Django REST Framework: the extra ``rest``."""

from reports.rest_framework.cursor_pagination import ReportCursorPagination
from reports.rest_framework.pagination import ReportLimitOffsetPagination, ReportPagination
from reports.rest_framework.viewsets import ReportViewSet

__all__ = ["ReportCursorPagination", "ReportLimitOffsetPagination", "ReportPagination", "ReportViewSet"]
