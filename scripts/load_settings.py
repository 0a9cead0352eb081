"""Settings of the load test: the example project's, in a database of its own."""

from __future__ import annotations

import os

from example_project.settings import *  # noqa: F403
from example_project.settings import DATABASES

DATABASE = "load_django_sql_reports"

DEBUG = False
DATABASES["default"]["NAME"] = os.environ.get("LOAD_DATABASE", DATABASES["default"]["NAME"])
DATABASES["default"]["TEST"] = {"NAME": DATABASE}
# By this name the server's connections are found.
DATABASES["default"].setdefault("OPTIONS", {})["application_name"] = DATABASE

# Tracebacks in the server's output, which Django prints only under DEBUG.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"django.request": {"handlers": ["console"], "level": "ERROR"}},
}
