"""Django settings of the benchmarks: the example project's, and the templates beside this file."""

from __future__ import annotations

import os
from pathlib import Path

from example_project.settings import *  # noqa: F403
from example_project.settings import DATABASES, INSTALLED_APPS

DATABASES["default"].setdefault("OPTIONS", {})["server_side_binding"] = os.environ.get("SERVER_SIDE_BINDING") == "1"
DATABASES["default"]["TEST"] = {"NAME": "benchmarks_django_sql_reports"}
INSTALLED_APPS = [*INSTALLED_APPS, "benchmarks"]  # its models have relations
DEBUG = False
ALLOWED_HOSTS = ["testserver"]
REPORTS = {"TEMPLATE_DIRS": [Path(__file__).parent / "sql"], "TIMEOUT": 600}
