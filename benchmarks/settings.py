"""Django settings of the benchmarks: the database of ``DATABASE_URL`` and the templates beside this file."""

from __future__ import annotations

import os
from pathlib import Path

import dj_database_url

SECRET_KEY = "for the benchmarks only"
INSTALLED_APPS = ["reports"]
DATABASES = {"default": {**dj_database_url.config(default="postgresql:///postgres")}}
DATABASES["default"].setdefault("OPTIONS", {})["server_side_binding"] = os.environ.get("SERVER_SIDE_BINDING") == "1"
REPORTS = {"TEMPLATE_DIRS": [Path(__file__).parent / "sql"]}
USE_TZ = True
TIME_ZONE = "UTC"
