"""Hostile values through a whole report: each comes back byte for byte, none becomes SQL.

Many payloads share a statement, as arms of a UNION ALL; each arm has one in the place that its context names. The set
of contexts times the payloads is run twice, by a plain fetch and by a server-side cursor, in both binding modes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.db import connection, models
from django.db.models import F, Value
from django.db.models.functions import Cast

from reports import ParamsError, Report, Rows, TemplateError
from reports.rendering import render_string
from tests.models import Region
from tests.payloads import BUILT_IN, HOSTILE_NAMES, REFUSED, payloads

pytestmark = pytest.mark.injection

PAYLOADS = payloads()
CHUNK = 80
CHUNKS = [PAYLOADS[i : i + CHUNK] for i in range(0, len(PAYLOADS), CHUNK)]
TENANT, OTHER = 1, 2

HEADER = "-- doc: One row per payload.\n-- column: n integer\n-- column: payload text\n\n"
ARMS = """{{% for p in payloads %}}{{% set n = loop.index0 %}}
({arm}){{% if not loop.last %}} UNION ALL {{% endif %}}
{{% endfor %}}"""
ROWS = "SELECT {{ n }}::int AS n, payload FROM injection_rows WHERE tenant = {{ tenant }}"

# In each, `p` is the payload and `n` its number; what is selected must be the payload itself.
CONTEXTS = {
    "equal": ROWS + " AND payload = {{ p }}",
    "in_list": ROWS + " AND payload IN {{ [p, p ~ ' is not here'] | inclause }}",
    "like": ROWS
    + " AND payload LIKE {{ p | replace('\\\\', '\\\\\\\\') | replace('%', '\\\\%') | replace('_', '\\\\_') }}",
    "limit": ROWS + " AND id = {{ first + n }} LIMIT ({{ p }}::text = {{ p }}::text)::int",
    "case": "SELECT {{ n }}::int AS n, CASE payload WHEN {{ p }} THEN {{ p }}::text ELSE 'no' END AS payload"
    " FROM injection_rows WHERE tenant = {{ tenant }} AND id = {{ first + n }}",
    "jsonb": "SELECT {{ n }}::int AS n, {{ {'k': p, p: 1} }} ->> 'k' AS payload",
    "array": ROWS + " AND payload = ANY({{ [p, none] }}::text[])",
    "element": "SELECT {{ n }}::int AS n, ({{ [p] }}::text[])[1] AS payload",
    "minus": "SELECT -1 -{{ -1 }} + {{ n }} AS n, {{ p }}::text AS payload",
    "cte": "WITH c AS (SELECT {{ p }}::text AS payload) SELECT {{ n }}::int AS n, payload FROM c",
    "concatenated": "SELECT {{ n }}::int AS n, substr('<' || {{ p }} || '>', 2, length({{ p }}::text)) AS payload",
    "set_block": "{% set w %}payload = {{ p }}{% endset %}" + ROWS + " AND ({{ w }}) AND NOT (NOT {{ w }})",
    "queryset": "SELECT {{ n }}::int AS n, payload FROM {{ queryset_of(p) }} AS q",
}


class AnyValue(forms.Field):
    """Hands its value on as it is."""


class PayloadParams(forms.Form):
    payloads = AnyValue()
    first = forms.IntegerField()
    tenant = forms.IntegerField(initial=TENANT)


class PayloadReport(Report):
    Params = PayloadParams

    def get_context(self) -> dict[str, object]:
        return {"queryset_of": queryset_of}


def queryset_of(payload: str) -> models.QuerySet[Any, Any]:
    queryset = Region.objects.filter(name__in=["the only one", payload]).exclude(name=payload)
    return queryset.annotate(payload=Cast(Value(payload), models.TextField())).values("payload")


def write(folder: Path, text: str) -> None:
    (folder / "t").mkdir(exist_ok=True)
    (folder / "t" / "payloads.sql").write_text(HEADER + text)


def report_of(folder: Path, text: str) -> type[PayloadReport]:
    write(folder, text)
    return type("PayloadReport", (PayloadReport,), {"template": "t/payloads.sql", "name": "tests.payloads"})


def run(report_class: type[PayloadReport], chunk: list[str], first: int = 0) -> Rows:
    """Return the rows for a chunk; their SQL must be that of as many harmless values."""
    report = report_class()

    sql = report.query({"payloads": chunk, "first": first}).sql
    assert sql == report.query({"payloads": ["x"] * len(chunk), "first": first}).sql

    return report.run({"payloads": chunk, "first": first})


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    return tmp_path


def state() -> tuple[Any, ...]:
    """Return a checksum of the table, the number of tables and the roles: what an attack would change."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT md5(string_agg(concat_ws(':', id, tenant, payload), ',' ORDER BY tenant, id))"
            " FROM injection_rows),"
            " (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_roles), current_user, current_setting('role'),"
            " current_setting('statement_timeout')"
        )
        return cursor.fetchone() or ()


@pytest.fixture
def table(db: None) -> Iterator[None]:
    """Make a table in which two tenants have every payload; the second one has a secret too."""
    Region.objects.create(name="the only one")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE injection_rows (id int, tenant int, payload text)")
        cursor.execute(
            "INSERT INTO injection_rows SELECT n - 1, t, p"
            " FROM unnest(%s::text[]) WITH ORDINALITY AS u(p, n), unnest(%s::int[]) AS t",
            [PAYLOADS, [TENANT, OTHER]],
        )
        cursor.execute("INSERT INTO injection_rows VALUES (-1, %s, 'a secret')", [OTHER])
        cursor.execute("ANALYZE injection_rows")
    before = state()

    yield

    assert state() == before


def test_built_in_set_is_large_enough():
    assert len(set(BUILT_IN)) >= 120


@pytest.mark.parametrize("context", CONTEXTS)
def test_payload_comes_back(context: str, folder: Path, table: None):
    report_class = report_of(folder, ARMS.format(arm=CONTEXTS[context]))
    checked = 0

    for chunk in CHUNKS:
        rows = run(report_class, chunk, first=checked)

        assert sorted((row["n"], row["payload"]) for row in rows) == list(enumerate(chunk))
        assert sorted((row["n"], row["payload"]) for row in rows.iterator(chunk_size=40)) == list(enumerate(chunk))
        checked += len(chunk)

    assert checked == len(PAYLOADS)


def test_payload_in_one_list(folder: Path, table: None):
    """All of them in one IN list, and all in one array."""
    report = report_of(
        folder,
        "SELECT id AS n, payload FROM injection_rows WHERE tenant = {{ tenant }}"
        " AND payload IN {{ payloads | inclause }} AND payload = ANY({{ payloads }})",
    )()

    rows = report.run({"payloads": PAYLOADS, "first": 0})

    assert sorted((row["n"], row["payload"]) for row in rows) == list(enumerate(PAYLOADS))


def test_payload_in_the_filters_of_the_rows(folder: Path, table: None):
    """The ORM's own parameters around a report, behind its literal % and its comment at the end."""
    report = report_of(
        folder,
        "SELECT id AS n, payload FROM injection_rows"
        " WHERE tenant = {{ tenant }} AND '100%' <> {{ first }}::text -- %s, it's a comment",
    )()
    rows = report.run({"payloads": "-", "first": 0})

    assert sorted(rows.filter(payload__in=PAYLOADS).values_list("n", "payload")) == list(enumerate(PAYLOADS))
    for payload in BUILT_IN[:200]:
        number = PAYLOADS.index(payload)
        found = rows.filter(payload=payload, payload__contains=payload).annotate(same=Value(payload), key=F("n"))
        assert [(row["n"], row["payload"], row["same"], row["key"]) for row in found] == [
            (number, payload, payload, number)
        ]
        assert not rows.exclude(payload=payload).filter(payload__startswith=payload, n=number).exists()


class SortParams(forms.Form):
    sort = forms.ChoiceField(choices=[("payload", "Payload"), ("n", "Number")], required=False, initial="n")


class SortReport(Report):
    template = "t/payloads.sql"
    name = "tests.payload_sort"
    Params = SortParams


@pytest.fixture
def sort_template(folder: Path) -> None:
    write(
        folder,
        "SELECT * FROM (SELECT id AS n, payload FROM injection_rows WHERE tenant = 1) AS r"
        " ORDER BY {{ sort | identifier }} LIMIT 5",
    )


def test_sort_column_is_one_of_the_declared(sort_template: None, table: None):
    assert [row["n"] for row in SortReport().run({"sort": "n"})] == [0, 1, 2, 3, 4]
    assert len(SortReport().run({"sort": "payload"})) == 5


@pytest.mark.parametrize(
    "sort", [name for name in (*HOSTILE_NAMES, *BUILT_IN[:60]) if name.strip(" ")], ids=lambda value: ascii(value)[:30]
)
def test_sort_column_that_is_not_declared(sort: str, sort_template: None):
    with pytest.raises(ParamsError) as raised:
        SortReport().query({"sort": sort})

    assert list(raised.value.message_dict) == ["sort"]
    assert raised.value.allowed == {"sort": "payload, n"}


def test_identifier_of_a_payload_is_a_name(db: None):
    """Were a name to come from a request, it would still be a name: PostgreSQL cuts it to 63 bytes."""
    names = [payload for payload in PAYLOADS if payload]
    for i in range(0, len(names), CHUNK):
        chunk = names[i : i + CHUNK]
        query = render_string(
            "SELECT {% for c in names %}{{ loop.index }} AS {{ c | identifier }}"
            "{% if not loop.last %},{% endif %}{% endfor %}",
            {"names": chunk},
        )
        with connection.cursor() as cursor:
            cursor.execute(query.sql, list(query.params))  # type: ignore[arg-type]
            found = [column.name for column in cursor.description or ()]

        cut = [name.encode()[:63].decode(errors="ignore") for name in chunk]
        assert found == cut


SHAPES = {
    "value": "{{ given }}",
    "list": "{{ [given] }}",
    "inclause": "1 IN {{ [given] | inclause }}",
    "identifier": "1 AS {{ given | identifier }}",
}


@pytest.mark.parametrize("payload", REFUSED, ids=ascii)
@pytest.mark.parametrize("shape", SHAPES)
def test_context_value_that_postgresql_has_no_text_for(shape: str, payload: str, folder: Path):
    """Refused before anything is sent: these tests may not use the database."""
    write(folder, f"SELECT {SHAPES[shape]} AS payload")

    class RefusedReport(Report):
        template = "t/payloads.sql"
        name = "tests.refused"

        def get_context(self) -> dict[str, object]:
            return {"given": payload}

    with pytest.raises(TemplateError) as raised:
        RefusedReport().run()

    assert str(raised.value).startswith(f"{folder}/t/payloads.sql:5: ")
    assert str(raised.value).encode()
    assert "\0" not in str(raised.value)


@pytest.mark.parametrize("payload", REFUSED, ids=ascii)
@pytest.mark.parametrize("wrap", [str, lambda payload: [payload], lambda payload: {"a": [payload]}])
def test_parameter_that_postgresql_has_no_text_for(wrap: Any, payload: str, folder: Path):
    report = report_of(folder, "SELECT {{ payloads }} AS payload")()

    with pytest.raises(ParamsError) as raised:
        report.run({"payloads": wrap(payload), "first": 0})

    assert list(raised.value.message_dict) == ["payloads"]
    assert payload not in str(raised.value)


def test_negative_number_after_a_minus_makes_no_comment(folder: Path, db: None):
    """With values merged by the driver, -{{ n }} of -1 would be a comment to the end of the line."""
    report = report_of(
        folder, "SELECT 1 -{{ first }} AS n, {{ payloads }}::text AS payload\nWHERE 1 -{{ first }} = 2"
    )()

    rows = report.run({"payloads": "\n; DROP TABLE injection_rows --", "first": -1})

    assert list(rows) == [{"n": 2, "payload": "\n; DROP TABLE injection_rows --"}]
    assert list(rows.iterator()) == list(rows)
