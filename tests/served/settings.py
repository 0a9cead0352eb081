"""The tests' settings, on the database of the test that starts the server."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES

ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "tests.served.urls"
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
REPORTS = {
    "TEMPLATE_DIRS": [Path(__file__).parent / "sql"],
    "TIMEOUT": 600,
    "XLSX_ROWS": int(os.environ["SERVED_SHEET"]),
}

DATABASES["default"]["NAME"] = os.environ["SERVED_DATABASE"]
# By this name the server's connections are found.
DATABASES["default"]["OPTIONS"]["application_name"] = os.environ["SERVED_NAME"]
OPTIONS = json.loads(os.environ["SERVED_OPTIONS"])
DATABASES["default"]["OPTIONS"].update(OPTIONS.pop("OPTIONS", {}))
DATABASES["default"].update(OPTIONS)

# Tracebacks in the server's output, which tests show when they fail; Django prints them only under DEBUG.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"django.request": {"handlers": ["console"], "level": "ERROR"}},
}
