"""Generated requests to the example project's API: none is a fault of the server, each answer is as OpenAPI says.

``FUZZ_EXAMPLES`` is the number of requests to each operation, right ones and wrong ones; ``--hypothesis-seed`` makes a
run again.
"""

from __future__ import annotations

import io
import os
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.contrib.auth.models import User
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from example_project.flights.models import Airline
from example_project.helpdesk import loading as helpdesk
from example_project.settings import REST_FRAMEWORK, SPECTACULAR_SETTINGS
from example_project.shop import loading as shop

pytestmark = [pytest.mark.once, pytest.mark.django_db]

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "12"))
HTML = "text/html; charset=utf-8"
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


@pytest.fixture
def _open_connection() -> Iterator[None]:
    """Let requests leave the test's connection open, and its transaction, as Django's test client does."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.fixture
def schema(settings, _open_connection) -> Any:
    """The example project's operations, but for those of the tests' own reports, some of which fail on purpose."""
    settings.ROOT_URLCONF, settings.ALLOWED_HOSTS = "example_project.urls", ["*"]
    settings.REST_FRAMEWORK, settings.SPECTACULAR_SETTINGS = REST_FRAMEWORK, SPECTACULAR_SETTINGS
    made = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True))
    made.app = get_wsgi_application()
    return made.exclude(path_regex=r"/tests\.|/api/schema/")


@pytest.fixture
def authorization(db) -> dict[str, str]:
    """The head of a request of the staff, with data to see."""
    helpdesk.load(300, io.StringIO())
    shop.load(60, io.StringIO())
    Airline.objects.create(pk="AA", name="A")
    user = User.objects.get(username="staff")
    user.set_password("fuzz")
    user.save()
    return {"Authorization": f"Basic {b64encode(b'staff:fuzz').decode()}"}


@pytest.mark.parametrize("mode", ["positive", "negative"])
def test_generated_requests_are_answered_as_documented(schema, authorization, mode):
    seen = set()

    for result in schema.get_all_operations():
        operation = result.ok()
        if mode == "negative" and not list(operation.iter_parameters()):
            continue

        @examples(
            max_examples=EXAMPLES,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=schemathesis.GenerationMode(mode)))
        def ask(case):
            response = case.call(headers=authorization)
            seen.add(response.status_code)
            if response.status_code == 404 and response.headers["content-type"] == [HTML]:
                return  # no address of the API at all: a router's keys have no dots
            case.validate_response(response, checks=CHECKS)

        ask()

    assert seen >= ({200, 404} if mode == "positive" else {400, 404})
