"""What large downloads add to the memory of a web server's worker.

``SERVED_ROWS`` says how many rows there are, ``SERVED_SHEET`` how many in an XLSX file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.serving import SHEET, Served, served

pytestmark = [pytest.mark.once, pytest.mark.django_db]

ROWS = int(os.environ.get("SERVED_ROWS") or 500_000)
MOST = 32 * 2**20


@pytest.fixture(scope="module", params=["sync", "uvicorn"])
def server(request: pytest.FixtureRequest, django_db_setup: None) -> Iterator[Served]:
    with served(request.param) as found:
        yield found


def size_of(server: Served, url: str) -> int:
    response, parts = server.parts(url)
    assert response.status == 200, server.server.log()
    return sum(map(len, parts))


@pytest.mark.parametrize("form", ["csv", "ndjson", "json-array", "parquet", "xlsx"])
def test_memory_of_a_worker_does_not_grow_with_the_download(form: str, server: Served):
    rows = SHEET if form == "xlsx" else ROWS
    small = min(20_000, rows // 25)
    least = size_of(server, f"/rows/?format={form}&rows={small}")  # what the format needs is loaded
    before = server.json("/memory/?from=now")

    size = size_of(server, f"/rows/?format={form}&rows={rows}")
    after = server.json("/memory/")

    assert size > least * (rows / small) * 0.9
    assert after["process"] == before["process"]
    assert after["peak"] - before["peak"] <= MOST
