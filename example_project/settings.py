"""Settings of the example project: one PostgreSQL, named by ``DATABASE_URL``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dj_database_url

FOLDER = Path(__file__).resolve().parent

# For this demonstration only: nothing of value is signed with it.
SECRET_KEY = "example-project-only"  # noqa: S105
DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "reports.apps.ReportsConfig",
    "example_project.helpdesk",
    "example_project.shop",
    "example_project.flights",
    "example_project.dashboards",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "example_project.urls"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [FOLDER / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
DATABASES = {"default": dj_database_url.config(default="postgres://postgres@127.0.0.1:5432/example_project")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
LOGIN_REDIRECT_URL = "/api/"

REST_FRAMEWORK = {"DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema"}
SPECTACULAR_SETTINGS = {
    "TITLE": "Reports of the example project",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    # By default everybody may read the schema, with every report in it. Here each user sees what they may run.
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SERVE_PUBLIC": False,
}

STATIC_URL = "static/"
STATICFILES_DIRS = [FOLDER / "static"]
