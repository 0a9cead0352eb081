from __future__ import annotations

import os

import pytest
from django.db import connection


@pytest.fixture(scope="session")
def django_db_modify_db_settings() -> None:
    """Say how to get a database, in place of a page of connection errors."""
    if not os.environ.get("DATABASE_URL"):
        pytest.exit("DATABASE_URL is not set. Run `make test`, which starts a PostgreSQL of its own.", returncode=4)


def pytest_report_header() -> str:
    binding = "server" if connection.settings_dict["OPTIONS"]["server_side_binding"] else "client"
    return f"parameters are bound by the {binding}"
