"""Settings of a run of Django's own tests: two databases on the server that ``DATABASE_URL`` names."""

from __future__ import annotations

import os
from typing import Any

import dj_database_url
from django.conf import global_settings

RUN = os.environ["DJANGO_SUITE_RUN"]


def database(alias: str) -> dict[str, Any]:
    """Return what Django needs to know of one of them; runs go side by side, each with databases of its own."""
    settings: dict[str, Any] = {**dj_database_url.config()}
    binding = {"server_side_binding": os.environ.get("SERVER_SIDE_BINDING") == "1"}
    name = f"{os.environ.get('TEST_DATABASE_NAME') or 'test_django_suite'}_{RUN}_{alias}"
    return {**settings, "OPTIONS": settings.get("OPTIONS", {}) | binding, "TEST": {"NAME": name}}


DATABASES = {alias: database(alias) for alias in ("default", "other")}
TEST_RUNNER = "scripts.django_suite_runner.Runner"

# What follows is as in Django's own tests/test_sqlite.py, or its default, said so that no check warns of it.
DEFAULT_AUTO_FIELD = global_settings.DEFAULT_AUTO_FIELD
SECRET_KEY = "for the tests only"  # noqa: S105 - it is no secret
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
USE_TZ = False
