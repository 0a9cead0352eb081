"""No addresses of our own: a test that needs some names them with ``pytest.mark.urls``."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
