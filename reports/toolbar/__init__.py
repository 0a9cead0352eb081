"""A panel for Django Debug Toolbar: ``DEBUG_TOOLBAR_PANELS = [..., "reports.toolbar.ReportsPanel"]``."""

from reports.toolbar.panel import ReportsPanel

__all__ = ["ReportsPanel"]
