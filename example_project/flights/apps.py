"""The flights app."""

from __future__ import annotations

from django.apps import AppConfig


class FlightsConfig(AppConfig):
    """The app labelled ``flights``."""

    name = "example_project.flights"
    label = "flights"
    default_auto_field = "django.db.models.BigAutoField"
