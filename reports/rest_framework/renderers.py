"""The renderers of reports' addresses, made from the project's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework.renderers import BrowsableAPIRenderer, JSONRenderer

from reports.rest_framework.browsable import ReportBrowsableAPIRenderer
from reports.rest_framework.downloads import installed
from reports.rest_framework.json_renderer import ReportJSONRenderer

_OURS: dict[type[Any], type[Any]] = {
    JSONRenderer: ReportJSONRenderer,
    BrowsableAPIRenderer: ReportBrowsableAPIRenderer,
}


def renderers(defaults: Iterable[type[Any]]) -> list[type[Any]]:
    """Return the project's renderers, ours in the place of Django REST Framework's own, and those of downloads."""
    return [*(_OURS.get(one, one) for one in defaults), *installed()]
