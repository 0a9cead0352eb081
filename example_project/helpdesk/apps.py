"""The helpdesk app."""

from __future__ import annotations

from django.apps import AppConfig


class HelpdeskConfig(AppConfig):
    """The app labelled ``helpdesk``."""

    name = "example_project.helpdesk"
    label = "helpdesk"
    default_auto_field = "django.db.models.BigAutoField"
