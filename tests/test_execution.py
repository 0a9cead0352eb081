from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from reports import QueryError, report_executed
from reports.rendering import render_string
from tests.reports import Faulty, SlowRows

pytestmark = pytest.mark.django_db(transaction=True)


def test_negative_number_before_a_cast_reads_the_same_in_both_bindings():
    query = render_string("SELECT {{ n }}::smallint, {{ n }} ::text", {"n": -32768})
    with connection.cursor() as cursor:
        cursor.execute(query.sql, list(query.params))  # type: ignore[arg-type]
        assert cursor.fetchone() == (-32768, "-32768")


def test_signal_of_a_failed_statement_has_no_rows():
    received: list[Any] = []

    def receive(**kwargs: Any) -> None:
        received.append((kwargs["report"], kwargs["rows"]))

    report_executed.connect(receive)
    try:
        with pytest.raises(QueryError):
            list(Faulty().run())
    finally:
        report_executed.disconnect(receive)
    assert received == [("tests.faulty", None)]


def test_receiver_that_raises_fails_nothing():
    def receive(**kwargs: Any) -> None:
        raise RuntimeError

    report_executed.connect(receive)
    try:
        assert len(list(SlowRows().run({"rows": 2}))) == 2
    finally:
        report_executed.disconnect(receive)


def test_time_of_a_cursor_is_the_databases_not_the_readers():
    received: list[float] = []

    def receive(**kwargs: Any) -> None:
        received.append(kwargs["milliseconds"])

    report_executed.connect(receive)
    try:
        for _ in SlowRows().run({"rows": 4}).iterator(2):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_sleep(0.1)")
    finally:
        report_executed.disconnect(receive)
    assert received[0] < 200
