"""Pages by cursor: each row once, whatever rows are ordered by, forwards and backwards."""

from __future__ import annotations

import datetime
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import rest_framework
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, transaction
from django.db.models import F, TextField, Value
from django.db.models.functions import Concat, Lower
from django.test.utils import CaptureQueriesContext
from rest_framework.exceptions import NotFound
from rest_framework.filters import OrderingFilter
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from reports import QueryError, Report
from reports.rest_framework.cursor_pagination import ReportCursorPagination
from reports.rest_framework.keyset import Keyset
from tests.models import Figure, Region, Store
from tests.reports import FigureInstances, Figures, Keyless, StoreMonths

JANUARY = datetime.date(2026, 1, 1)
SOURCES = pytest.mark.parametrize(
    "rows_of",
    [lambda: Figures().run(), lambda: FigureInstances().run(), Figure.objects.all],
    ids=["dicts", "instances", "table"],
)


class View:
    """All that the paginator asks of a view."""

    filter_backends = [OrderingFilter]
    ordering_fields = ["id", "orders", "label", "revenue", "month", "seen_at", "store__region__name", "store__name"]
    ordering: Any = None


class Pages(ReportCursorPagination):
    page_size = 7


@pytest.fixture
def figures(db: None) -> None:
    """Forty figures, of which 13 have no orders, the others one of three numbers."""
    Region.objects.bulk_create([Region(pk=1, name="south"), Region(pk=2, name="north")])
    Store.objects.bulk_create(Store(pk=i, name=f"s{i}", region_id=region) for i, region in ((1, 1), (2, None), (3, 2)))
    moment = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    Figure.objects.bulk_create(
        Figure(
            pk=i, store_id=i % 3 + 1, month=JANUARY, revenue=i % 4, orders=None if i % 3 == 0 else i % 5,
            label="abAB"[i % 4], seen_at=moment.replace(microsecond=i % 6),
        )
        for i in range(1, 41)
    )  # fmt: skip


def page_of(rows: Any, query: Any = (), paginator: Any = Pages, view: Any = View) -> dict[str, Any]:
    """Return the envelope of a page."""
    paged = paginator()
    found = paged.paginate_queryset(rows, Request(APIRequestFactory().get("/figures/", dict(query))), view())
    envelope: dict[str, Any] = paged.get_paginated_response(found).data
    return envelope


def asked(address: str) -> dict[str, str]:
    return {key: value[0] for key, value in parse_qs(urlsplit(address).query).items()}


def walk(rows: Any, query: Any = (), way: str = "next", **options: Any) -> list[list[int]]:
    """Return the keys of the pages that the links of one direction lead to."""
    pages = []
    while True:
        found = page_of(rows, query, **options)
        pages.append([row["id"] if isinstance(row, dict) else row.pk for row in found["results"]])
        if found[way] is None:
            return pages
        query = asked(found[way])


def joined(pages: list[list[int]]) -> list[int]:
    return [key for page in pages for key in page]


def held(encoded: str) -> Any:
    return json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))


def encode(content: Any) -> str:
    text = content if isinstance(content, str) else json.dumps(content)
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


# Each row once.


@SOURCES
def test_nullable_ordering_loses_no_row(figures: None, rows_of: Any) -> None:
    """The framework's own class compares the first column alone, and NULL with nothing."""

    class Theirs(CursorPagination):
        ordering = "orders"
        page_size = 7

    ours = joined(walk(rows_of(), {"ordering": "orders"}))
    theirs = joined(walk(rows_of(), {"ordering": "orders"}, paginator=Theirs))

    assert sorted(ours) == list(range(1, 41))
    assert len(set(theirs)) < 40


@SOURCES
@pytest.mark.parametrize("size", [3, 40, 100])
@pytest.mark.parametrize(
    "ordering",
    ["orders", "-orders", "orders,-label", "store__region__name", "-store__name,orders", "seen_at", "-id", ""],
)
def test_pages_lead_through_all_rows_and_back(figures: None, rows_of: Any, ordering: str, size: int) -> None:
    rows, query = rows_of(), {"ordering": ordering, "page_size": str(size)}
    names = [name for name in ordering.split(",") if name]
    key = "-id" if (names or [""])[-1].startswith("-") else "id"
    expected = list(rows.order_by(*names, key).values_list("id", flat=True))

    pages = walk(rows, query)
    last = query
    while (address := page_of(rows, last)["next"]) is not None:
        last = asked(address)
    back = walk(rows, last, "previous")

    assert joined(pages) == expected
    assert back == pages[::-1]


def test_five_thousand_equal_keys(db: None) -> None:
    Store.objects.create(pk=1, name="one")
    Figure.objects.bulk_create(Figure(pk=i, store_id=1, month=JANUARY, revenue=1) for i in range(1, 5001))
    query = {"ordering": "revenue", "page_size": "499"}

    pages = walk(Figures().run(), query)
    last = page_of(Figures().run(), {"ordering": "revenue", "page_size": "1000"})
    while last["next"] is not None:
        last = page_of(Figures().run(), asked(last["next"]))
    back = walk(Figures().run(), asked(last["previous"]), "previous")

    assert joined(pages) == list(range(1, 5001))
    assert joined(back[::-1]) == list(range(1, 4001))


def test_ordering_is_the_filters_then_the_paginators_then_the_rows(figures: None) -> None:
    class Ordered(Pages):
        ordering = (F("orders").desc(nulls_last=True), "-id")

    class ByName(Pages):
        ordering = "-label"

    class Plain:
        pass

    rows = Figures().run()

    def keys(*names: Any) -> list[int]:
        return list(rows.order_by(*names).values_list("id", flat=True))

    assert joined(walk(rows, paginator=Ordered)) == keys(F("orders").desc(nulls_last=True), "-id")
    assert joined(walk(rows, {"ordering": "label"}, paginator=Ordered)) == keys("label", "id")
    assert joined(walk(rows, paginator=ByName, view=Plain)) == keys("-label", "-id")
    assert joined(walk(rows.order_by("-revenue"), view=Plain)) == keys("-revenue", "-id")
    assert joined(walk(rows.order_by("label").reverse(), view=Plain)) == keys("-label", "-id")


def test_key_of_two_columns(figures: None) -> None:
    rows = StoreMonths().run()
    Figure.objects.create(pk=50, store_id=1, month=datetime.date(2026, 2, 1), revenue=1)

    first = page_of(rows, {"page_size": "2"}, view=object)
    second = page_of(rows, asked(first["next"]), view=object)

    assert first["results"] + second["results"] == list(rows)
    assert second["next"] is None


def test_rows_inserted_meanwhile_do_not_repeat_any(figures: None) -> None:
    rows, query, seen = Figures().run(), {"ordering": "-seen_at"}, []
    for pk in range(100, 200):
        found = page_of(rows, query)
        seen += [row["id"] for row in found["results"]]
        if found["next"] is None:
            break
        query = asked(found["next"])
        Figure.objects.create(pk=pk, store_id=1, month=JANUARY, revenue=1, seen_at="2030-01-01T00:00:00Z")

    assert sorted(seen) == list(range(1, 41))


def test_page_whose_rows_are_gone_has_neighbours(figures: None) -> None:
    """The row at the position is on the page that it leads back to."""
    rows = Figures().run()
    first = page_of(rows, {"page_size": "20"})
    Figure.objects.filter(pk__gt=20).delete()

    empty = page_of(rows, asked(first["next"]))
    back = page_of(rows, asked(empty["previous"]))

    assert (empty["results"], empty["next"]) == ([], None)
    assert back["results"] == first["results"]
    Figure.objects.all().delete()
    none = page_of(rows, asked(empty["previous"]))
    assert (none["results"], none["previous"]) == ([], None)
    Figure.objects.create(pk=20, store_id=1, month=JANUARY, revenue=1)
    assert page_of(rows, asked(none["next"]))["results"] == []
    Figure.objects.create(pk=21, store_id=1, month=JANUARY, revenue=1)
    assert [row["id"] for row in page_of(rows, asked(none["next"]))["results"]] == [21]


def test_no_rows(db: None) -> None:
    assert page_of(Figures().run()) == {"next": None, "previous": None, "results": []}


# What a page costs.


@SOURCES
def test_page_is_one_statement(figures: None, rows_of: Any) -> None:
    """Of one row more than it shows, with neither a count nor an offset."""
    query = {"ordering": "orders", "page_size": "5"}
    for _ in range(3):
        with CaptureQueriesContext(connection) as captured:
            found = page_of(rows_of(), query)
        query = asked(found["next"])

        assert len(captured) == 1
        assert captured[0]["sql"].endswith(" LIMIT 6")
        assert "OFFSET" not in captured[0]["sql"]


@pytest.mark.parametrize(
    ("size", "limit"), [("", 26), ("0", 26), ("abc", 26), ("1" + "0" * 30, 1001), ("9" * 5000, 26)]
)
def test_size_of_a_page(figures: None, size: str, limit: int) -> None:
    with CaptureQueriesContext(connection) as captured:
        page_of(Figures().run(), {"page_size": size}, paginator=ReportCursorPagination)

    assert captured[0]["sql"].endswith(f" LIMIT {limit}")


def test_pagination_can_be_switched_off() -> None:
    class NoPages(ReportCursorPagination):
        page_size = None

    assert NoPages().paginate_queryset(Figures().run(), Request(APIRequestFactory().get("/")), View()) is None


def test_rows_hold_nothing_else(figures: None) -> None:
    assert (
        page_of(Figures().run(), {"ordering": "store__name"})["results"]
        == [row for row in Figures().run() if row["store_id"] == 1][:7]
    )
    instance = page_of(FigureInstances().run(), {"ordering": "store__name"})["results"][0]
    assert set(vars(instance)) == set(vars(FigureInstances().run()[0]))


# Cursors.


def test_cursor_holds_the_values_as_text(figures: None) -> None:
    following = page_of(Figures().run(), {"ordering": "-seen_at,orders", "page_size": "2"})["next"]

    fingerprint, backwards, inclusive, *values = held(asked(following)["cursor"])

    assert (len(fingerprint), backwards, inclusive) == (12, 0, 0)
    assert values == ["2026-01-01 00:00:00.000005+00", "0", "35"]


def test_other_keys_stay_in_the_links(figures: None) -> None:
    found = page_of(Figures().run(), {"ordering": "orders", "least": "1"})

    assert {key: value for key, value in asked(found["next"]).items() if key != "cursor"} == {
        "ordering": "orders",
        "least": "1",
    }


@pytest.fixture
def cursor(figures: None) -> str:
    return asked(page_of(Figures().run(), {"ordering": "orders"})["next"])["cursor"]


def refused(encoded: str, ordering: str = "orders", rows: Any = None) -> None:
    with pytest.raises(NotFound) as caught:
        page_of(Figures().run() if rows is None else rows, {"cursor": encoded, "ordering": ordering})
    assert str(caught.value.detail) == "Invalid cursor"


@pytest.mark.parametrize("ordering", ["-orders", "label", "id", "orders,label", "store__name"])
def test_cursor_of_another_ordering_is_refused(cursor: str, ordering: str) -> None:
    refused(cursor, ordering)


NOTHING = [
    "x", "é", "\0", "====", "a" * 5, "bm90IGpzb24", "-_-_", "cD0y", "cj0xJnA9NDg3", encode("[" * 100_000),
    encode("9" * 5000), encode("{}"), encode("null"), encode("[]"), encode('"abcdef"'), "__5bXQ",
]  # fmt: skip


@pytest.mark.parametrize("encoded", NOTHING, ids=range(len(NOTHING)))
def test_cursor_that_cannot_be_read_is_refused(figures: None, encoded: str) -> None:
    refused(encoded)


VALUES: list[list[Any]] = [
    [], ["1"], ["1", "2", "3"], ["1", None], [None, None], [1, "2"], ["1", 2], [["1"], "2"], [{}, "2"], [True, "2"],
    ["1", "x"], ["", "2"], ["1", "\0"], ["\ud800", "2"], ["1", "2\udfff"], ["9" * 30, "2"], ["1", "9" * 30],
    ["1", "9223372036854775808"], ["1.5", "2"], ["1e3", "2"], ["NaN", "2"], ["1; DROP TABLE tests_figure", "2"],
    ["' OR 1=1 --", "2"],
]  # fmt: skip


@pytest.mark.injection
@pytest.mark.parametrize("values", VALUES, ids=range(len(VALUES)))
def test_values_that_fit_no_column_are_refused(cursor: str, values: list[Any]) -> None:
    for flags in ([0, 0], [1, 0]):
        content = [held(cursor)[0], *flags, *values]
        refused(encode(content))
        with transaction.atomic():  # which a report does not break
            refused(encode(content))
    assert Figure.objects.count() == 40


@pytest.mark.parametrize(
    ("ordering", "value"),
    [("seen_at", "2026-02-30"), ("seen_at", "2026-01-01 00:00 no/zone"), ("month", "1e400-01-01"), ("revenue", "one")],
)
def test_values_of_other_types_are_refused(figures: None, ordering: str, value: str) -> None:
    fingerprint = held(asked(page_of(Figures().run(), {"ordering": ordering})["next"])["cursor"])[0]

    refused(encode([fingerprint, 0, 0, value, "1"]), ordering)


@pytest.mark.injection
def test_values_of_text_are_only_values(figures: None) -> None:
    """Whatever is before all labels gives all that have one, what is after them gives the others."""
    rows = Figures().run().annotate(name=Concat("label", Value("x"), output_field=TextField())).exclude(label="b")
    query = {"ordering": "name", "page_size": "100"}
    view = type("ByName", (View,), {"ordering_fields": ["name"]})
    fingerprint = Keyset.of(rows, ["name"]).fingerprint
    for text in ("", "%s", "' OR true --", "{{ x }}", "\\"):
        for backwards in (0, 1):
            cursor = encode([fingerprint, backwards, 0, text, "0"])
            found = page_of(rows, {**query, "cursor": cursor}, view=view)["results"]

            with connection.cursor() as database:
                sql = f"SELECT id FROM tests_figure WHERE label <> 'b' AND label || 'x' {'<' if backwards else '>'} %s"
                database.execute(sql, [text])
                expected = {key for (key,) in database.fetchall()}
            assert {row["id"] for row in found} == expected


def test_error_of_a_row_is_no_wrong_cursor(tmp_path: Path, settings: Any, figures: None) -> None:
    """A division by zero is of the same class of errors as a number that cannot be read."""
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    header = "-- column: id bigint pk\n-- column: x numeric\n-- ordering: id\n"
    (tmp_path / "divides.sql").write_text(header + 'SELECT id, 1 / (revenue + 1) AS x FROM {{ table("tests.Figure") }}')
    rows = type("Divides", (Report,), {"__module__": "tests", "template": "divides.sql"})().run()
    first = page_of(rows, view=object)
    Figure.objects.create(pk=50, store_id=1, month=JANUARY, revenue=-1)

    with pytest.raises(QueryError, match="22012"):
        page_of(rows, {**asked(first["next"]), "page_size": "100"}, view=object)


def test_wrong_cursor_of_a_table(figures: None) -> None:
    """Not a report's: PostgreSQL's error ends a transaction, and is the cursor's all the same."""
    rows = Figure.objects.all()
    fingerprint = held(asked(page_of(rows, {"ordering": "month"})["next"])["cursor"])[0]

    with transaction.atomic():
        refused(encode([fingerprint, 0, 0, "x", "1"]), "month", rows)
        transaction.set_rollback(True)


def test_empty_cursor_is_the_first_page(figures: None) -> None:
    assert page_of(Figures().run(), {"cursor": ""})["results"] == page_of(Figures().run())["results"]


def test_rows_without_a_key_are_refused() -> None:
    with pytest.raises(
        ImproperlyConfigured, match=r"tests\.keyless has no key: declare one with 'column: NAME TYPE pk'"
    ):
        page_of(Keyless().run(), view=object)


def test_expressions_have_the_same_cursor_in_every_process(figures: None) -> None:
    """Nothing of it is an address in memory."""

    class ByLower(Pages):
        ordering = (Lower("label").desc(nulls_last=True),)

    found = page_of(Figures().run(), paginator=ByLower, view=object)

    assert held(asked(found["next"])["cursor"])[0] == "8a8cb7cb9d8f"
    assert len(joined(walk(Figures().run(), paginator=ByLower, view=object))) == 40


# The browsable API and the schema.


def test_page_controls(figures: None, settings: Any) -> None:
    templates = Path(rest_framework.__file__).parent / "templates"
    settings.TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [templates]}]
    paged = Pages()

    paged.paginate_queryset(Figures().run(), Request(APIRequestFactory().get("/")), View())

    assert paged.display_page_controls
    assert 'rel="next"' in paged.to_html()
    assert 'rel="prev"' not in paged.to_html()


def test_schema_is_the_frameworks() -> None:
    paged = Pages()

    assert set(paged.get_paginated_response_schema({})["properties"]) == {"next", "previous", "results"}
    assert [item["name"] for item in paged.get_schema_operation_parameters(View())] == ["cursor", "page_size"]
