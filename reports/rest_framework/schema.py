"""The OpenAPI of reports: the project's own schema class, with what a report tells of itself.

Without drf-spectacular the views have the project's schema class as it is.
"""

from __future__ import annotations

import sys
from typing import Any

from rest_framework.schemas import DefaultSchema


class ReportSchema(DefaultSchema):
    """The ``schema`` of a view: ``DEFAULT_SCHEMA_CLASS`` if it is not drf-spectacular's, else a subclass of it."""

    def __get__(self, instance: Any, owner: Any) -> Any:
        found = super().__get__(instance, owner)
        if instance in self.instance_schemas or "drf_spectacular.openapi" not in sys.modules:
            return found
        from reports.rest_framework.openapi import derived

        given: Any = type(found)
        schema_class = derived(given)
        if schema_class is given:
            return found
        made = schema_class()
        made.view = instance
        return made
