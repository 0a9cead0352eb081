"""Settings of the tests: one PostgreSQL, named by ``DATABASE_URL``, and surroundings that hide no mistake."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import dj_database_url

CHECKOUT = Path(__file__).resolve().parent.parent

SECRET_KEY = "for the tests only"
ALLOWED_HOSTS = ["testserver"]
ROOT_URLCONF = "tests.urls"

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "reports",
    "tests",
    "example_project.helpdesk",
    "example_project.shop",
    "example_project.flights",
    "example_project.dashboards",
]

# Without DATABASE_URL only tests that need no database can run; conftest.py says so to the others. TEST_DATABASE_NAME
# lets several runs share one server.
DATABASES: dict[str, dict[str, Any]] = {"default": {**dj_database_url.config(default="postgresql:///postgres")}}
DATABASES["default"]["TEST"] = {"NAME": os.environ.get("TEST_DATABASE_NAME") or "test_django_sql_reports"}
# The two ways in which psycopg sends values differ in what PostgreSQL accepts; every test must pass in both.
SERVER_SIDE_BINDING = os.environ.get("SERVER_SIDE_BINDING") == "1"
DATABASES["default"].setdefault("OPTIONS", {})["server_side_binding"] = SERVER_SIDE_BINDING

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Half an hour off the full hour, with summer time: a date taken in the wrong zone cannot pass by luck.
USE_TZ = True
TIME_ZONE = "America/St_Johns"
LANGUAGE_CODE = "en"

STATIC_URL = "static/"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [CHECKOUT / "example_project" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
