"""``name.count.sql`` beside ``name.sql``: when it counts, when PostgreSQL counts the rows, and what is refused."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Count, F
from django.test.utils import CaptureQueriesContext

from reports import QueryError, Report, TemplateError, join
from reports.loader import find_template
from tests.models import FigureRow, Store

Write = Callable[[str, str], Path]

ROWS = """\
-- param: least integer default=1
-- column: id bigint pk
-- column: half integer
-- ordering: id
SELECT n AS id, n / 2 AS half FROM generate_series({{ least }}, 9) AS n
"""
# One too many, so that a test sees which of the two was asked.
COUNT = "SELECT 11 - {{ least }}"


class Numbers(Report):
    template = "n/numbers.sql"


@pytest.fixture
def write(tmp_path: Path, settings: Any) -> Write:
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write_file


@pytest.fixture
def numbers(write: Write) -> Report:
    write("n/numbers.sql", ROWS)
    write("n/numbers.count.sql", COUNT)
    return Numbers()


def test_template_without_a_sibling(write: Write):
    write("n/numbers.sql", ROWS)

    assert find_template("n/numbers.sql").count is None


def test_template_gains_and_loses_a_sibling(write: Write):
    write("n/numbers.sql", ROWS)
    find_template("n/numbers.sql")

    path = write("n/numbers.count.sql", COUNT)
    assert find_template("n/numbers.sql").count == "n/numbers.count.sql"

    path.unlink()
    assert find_template("n/numbers.sql").count is None


def test_source_has_the_counting_query(numbers: Report):
    """With the same parameters, before a database is asked."""
    (source,) = numbers.run({"least": 4}).query.sources.values()  # type: ignore[attr-defined]

    assert (source.count.sql, source.count.params) == ("SELECT 11 - %s", (4,))


@pytest.mark.django_db
def test_count_of_all_rows(numbers: Report):
    with CaptureQueriesContext(connection) as captured:
        assert numbers.run({"least": 4}).count() == 7

    (statement,) = captured.captured_queries
    assert statement["sql"] == "SELECT * FROM (/* report=tests.numbers */ SELECT 11 - 4\n) AS counted"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "narrow",
    [
        lambda rows: rows.order_by("-half"),
        lambda rows: rows.reverse(),
        lambda rows: rows.values("half"),
        lambda rows: rows.only("id"),
        lambda rows: rows.using("default"),
        lambda rows: rows.filter(),
    ],
    ids=["ordered", "reversed", "values", "only", "using", "empty filter"],
)
def test_count_of_rows_that_are_still_all(narrow: Callable[[Any], Any], numbers: Report):
    assert narrow(numbers.run()).count() == 10


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("narrow", "expected"),
    [
        (lambda rows: rows.filter(half=1), 2),
        (lambda rows: rows.exclude(half=1), 7),
        (lambda rows: rows[:4], 4),
        (lambda rows: rows[5:], 4),
        (lambda rows: rows.none(), 0),
        (lambda rows: rows.values("half").distinct(), 5),
        (lambda rows: rows.values("half").annotate(n=Count("id")), 5),
        (lambda rows: rows.annotate(twice=F("half") * 2), 9),
        (lambda rows: rows.union(rows.filter(half=1), all=True), 11),
    ],
    ids=["filtered", "excluded", "first", "last", "none", "distinct", "grouped", "annotated", "union"],
)
def test_count_of_rows_that_are_not_all(narrow: Callable[[Any], Any], expected: int, numbers: Report):
    assert narrow(numbers.run()).count() == expected


@pytest.mark.django_db
def test_count_of_fetched_rows(numbers: Report):
    rows = numbers.run()
    list(rows)

    with CaptureQueriesContext(connection) as captured:
        assert rows.count() == 9
    assert len(captured) == 0


@pytest.mark.django_db
def test_count_of_a_page(numbers: Report):
    assert Paginator(numbers.run(), 4).count == 10


@pytest.mark.django_db
def test_count_in_async_code(numbers: Report):
    assert async_to_sync(numbers.run().acount)() == 10


@pytest.mark.django_db
def test_count_of_unpickled_rows(numbers: Report):
    rows = numbers.run()
    copy = numbers.run()
    copy.query = pickle.loads(pickle.dumps(rows.query))

    assert copy.count() == 10


@pytest.mark.django_db
def test_count_of_a_joined_model(write: Write):
    """The sibling counts the report's rows, not the stores."""
    write("n/figures.sql", "SELECT 1::bigint AS id, 1::bigint AS store_id, 2::bigint AS revenue")
    write("n/figures.count.sql", "SELECT 5")
    figures = type("StoreFigures", (Report,), {"template": "n/figures.sql", "model": FigureRow})
    Store.objects.create(name="one")
    Store.objects.create(name="two")

    assert figures().run().count() == 5
    assert join(Store.objects.all(), figures().run()).count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    ["SELECT 1, 2", "SELECT 1 WHERE false", "SELECT n FROM generate_series(1, 2) AS n", "SELECT 'x'", "SELECT true"],
)
def test_count_that_is_not_one_number(text: str, numbers: Report, write: Write):
    path = write("n/numbers.count.sql", f"-- doc: A count.\n{text}")

    with pytest.raises(TemplateError) as caught:
        numbers.run().count()
    assert str(caught.value) == f"{path}:2: a counting template gives one row of one column, a whole number."


@pytest.mark.django_db
def test_count_that_fails_names_its_own_line(numbers: Report, write: Write):
    path = write("n/numbers.count.sql", "SELECT\n1 / 0 + nothing")

    with pytest.raises(QueryError, match=re.escape(f"{path}:2")):
        numbers.run().count()


@pytest.mark.django_db
def test_count_is_read_only(numbers: Report, write: Write):
    write("n/numbers.count.sql", "SELECT set_config('transaction_read_only', 'off', true)::text")

    with pytest.raises(QueryError, match="25001"):
        numbers.run().count()


def test_sibling_of_an_unknown_name(write: Write):
    write("n/numbers.sql", ROWS)
    path = write("n/numbers.count.sql", "SELECT\n{{ lesat }}")

    with pytest.raises(TemplateError, match=re.escape(f"{path}:2: 'lesat' is undefined")):
        Numbers().run()
