"""Values of columns as Django REST Framework gives them: made by our Python, by PostgreSQL, and by DRF itself."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.db.models.query import ModelIterable
from django.test import override_settings
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.renderers import JSONRenderer
from rest_framework.serializers import BigIntegerField, DecimalField, ModelSerializer

from reports.exports.json import stream_json
from reports.exports.json_rows import is_built_in_database, json_rows
from reports.exports.primitives import JSONForm
from tests.exporting import rows_of

pytestmark = pytest.mark.django_db

ZONES = ["America/St_Johns", "Europe/Dublin", "Africa/Monrovia", "Asia/Kathmandu", "UTC"]


@pytest.fixture
def extensions() -> None:
    """Make types that an application may have."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION citext; CREATE EXTENSION hstore")


def stored(kind: str, texts: list[str | None], *, cast: str | None = None, **beside: Any) -> Any:
    """Return rows with a column of the type, its values given as text, and NULLs of other types beside it."""
    nulls = "".join(f", NULL::{other} AS {name}" for name, other in beside.items())
    sql = (
        f"SELECT n AS id, t::{cast or kind} AS a{nulls} FROM unnest(%s::text[]) WITH ORDINALITY AS x (t, n) ORDER BY n"
    )
    return rows_of(sql, texts, id="integer", a=kind, **beside)


def by_drf(rows: Any) -> list[Any]:
    instances = rows.all()
    instances._iterable_class = ModelIterable

    class Serializer(ModelSerializer[Any]):
        class Meta:
            model = rows.model
            fields = "__all__"

    return [row["a"] for row in json.loads(JSONRenderer().render(Serializer(instances, many=True).data))]


def by_us(kind: str, texts: list[str | None], form: JSONForm | None = None, **options: Any) -> list[Any]:
    """Return the values that PostgreSQL made JSON of, when they are those that Python did."""
    rows, others = stored(kind, texts, **options), stored(kind, texts, **options, beside="int4range")
    assert (is_built_in_database(rows, form), is_built_in_database(others, form)) == (True, False)
    found = [list(json_rows(rows, form)), list(json_rows(others, form))]
    assert [text for text in found[0] + found[1] if "\n" in text] == []
    parsed = [[json.loads(text)["a"] for text in texts] for texts in found]
    copied = [[row["a"] for row in json.loads(b"".join(stream_json(each, form=form)))] for each in (rows, others)]
    assert parsed[0] == parsed[1] == copied[0] == copied[1]
    # 1 is equal to 1.0 and to True.
    assert [isinstance(value, bool) for value in parsed[0]] == [isinstance(value, bool) for value in parsed[1]]
    return parsed[0]


def quoted(text: str | None) -> str:
    return "NULL" if text is None else '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'


def arrays(items: Any) -> Any:
    return st.lists(items | st.none(), max_size=4).map(lambda found: "{" + ",".join(map(quoted, found)) + "}")


def tables(items: Any) -> Any:
    pairs = st.tuples(items, items).map(lambda pair: "{" + ",".join(map(quoted, pair)) + "}")
    return st.lists(pairs, max_size=3).map(lambda found: "{" + ",".join(found) + "}")


def hstores(texts: Any) -> Any:
    return st.dictionaries(texts, texts | st.none(), max_size=4).map(
        lambda found: ",".join(f"{quoted(key)}=>{quoted(item)}" for key, item in found.items())
    )


def decimals(most: int, places: int) -> Any:
    """Numbers of many digits behind the point, a half of the last place often among them."""
    digits = st.integers(-(10**most), 10**most) | st.integers(-100, 100).map(lambda n: n * 5)
    return st.builds(lambda n, k: f"{Decimal(n).scaleb(-k):f}", digits, st.integers(0, places))


def intervals() -> Any:
    number = st.integers(-500, 500)
    micros = st.integers(-(10**12), 10**12) | st.sampled_from([0, 1, -1, 1_000_000, -86_400_000_000])
    words = "{} years {} mons {} days {} microseconds"
    return st.builds(words.format, number, number, number, micros)


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from('"\\\n\r\t%\u2028'))
INTEGERS = st.integers(-(2**63), 2**63 - 1).map(str)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
MOMENTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29))
WHOLE = MOMENTS.map(lambda moment: moment.replace(microsecond=0))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
BYTES = st.binary(max_size=200).map(lambda data: rf"\x{data.hex()}")

VALUES: dict[str, Any] = {
    "bigint": INTEGERS,
    "bigint[]": arrays(INTEGERS),
    "boolean": st.sampled_from(["t", "f"]),
    "boolean[]": arrays(st.sampled_from(["t", "f"])),
    "bytea": BYTES,
    "character varying": TEXT,
    "character(5)": TEXT.map(lambda text: text[:5]),
    "citext": TEXT,
    "date": st.dates().map(str),
    "date[]": arrays(st.dates().map(str)),
    "double precision": FLOATS.map(repr),
    "hstore": hstores(TEXT),
    "inet": st.ip_addresses().map(str),
    "integer[]": arrays(st.integers(-(2**31), 2**31 - 1).map(str)),
    "interval": intervals(),
    "json": st.builds(json.dumps, JSON, ensure_ascii=st.booleans(), indent=st.sampled_from([None, 2, "\t"])),
    "jsonb": JSON.map(json.dumps),
    "name": TEXT.map(lambda text: text[:15]),
    "numeric(12,2)": decimals(9, 2),
    "numeric(6,0)": decimals(5, 0),
    "real": st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
    "smallint": st.integers(-(2**15), 2**15 - 1).map(str),
    "text": TEXT,
    "text[]": arrays(TEXT),
    "text[][]": tables(TEXT),
    "time": st.times().map(str),
    "timestamptz": (MOMENTS | WHOLE).map(lambda moment: f"{moment}+00"),
    "uuid": st.uuids().map(str),
    "uuid[]": arrays(st.uuids().map(str)),
}
EACH = settings(max_examples=12, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("kind", VALUES)
def test_values_are_those_of_drf(extensions: None, kind: str):
    @EACH
    @given(st.lists(VALUES[kind] | st.none(), max_size=30), st.sampled_from(ZONES))
    def check(texts: list[str | None], zone: str) -> None:
        with timezone.override(zone):
            assert by_us(kind, texts) == by_drf(stored(kind, texts))

    check()


# Of a type wider than the declared one, as computed columns are.
@pytest.mark.parametrize(("kind", "values"), [("numeric(14,2)", decimals(10, 6)), ("numeric(14,0)", decimals(10, 3))])
def test_decimals_are_rounded_half_even(kind: str, values: Any):
    @EACH
    @given(st.lists(values, max_size=40))
    def check(texts: list[str | None]) -> None:
        assert by_us(kind, texts, cast="numeric") == by_drf(stored(kind, texts, cast="numeric"))

    check()


@EACH
@given(
    st.lists(decimals(300, 300) | st.sampled_from(["NaN", "Infinity", "-Infinity", "1e1000", "-1e-1000"]), max_size=9)
)
def test_decimals_without_declared_places_keep_those_they_have(texts: list[str | None]):
    assert by_us("numeric", texts) == [f"{Decimal(str(text)):f}" for text in texts]


@EACH
@given(st.lists(decimals(12, 8) | st.none(), max_size=30))
def test_decimals_as_numbers_are_those_of_drf(texts: list[str | None]):
    form, kind = JSONForm(decimals="number"), "numeric(20,2)"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DecimalField, "coerce_to_string", False, raising=False)
        want = by_drf(stored(kind, texts, cast="numeric"))

    found = by_us(kind, texts, form, cast="numeric")

    assert found == want
    assert [type(value) for value in found] == [type(value) for value in want]


@EACH
@given(st.lists(INTEGERS | st.none(), max_size=30))
def test_big_integers_as_texts_are_those_of_drf(texts: list[str | None]):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BigIntegerField, "coerce_to_string", True, raising=False)
        want = by_drf(stored("bigint", texts))

    assert by_us("bigint", texts, JSONForm(bigints="string")) == want
    in_array = [None if text is None else f"{{{text}}}" for text in texts]
    assert by_us("bigint[]", in_array, JSONForm(bigints="string")) == [text and [text] for text in texts]


@EACH
@given(st.lists(st.datetimes() | WHOLE | st.none(), max_size=30))
def test_timestamps_stay_without_a_zone(moments: list[datetime | None]):
    found = by_us("timestamp", [None if moment is None else str(moment) for moment in moments])

    assert found == [moment and moment.isoformat() for moment in moments]


@pytest.mark.parametrize("zone", ZONES)
def test_moments_of_no_year_in_the_zone_are_in_utc(zone: str):
    ends = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    moments = [end + sign * timedelta(hours=h) for end, sign in zip(ends, (1, -1), strict=True) for h in range(30)]

    def expected(moment: datetime) -> str:
        with suppress(OverflowError):
            moment = moment.astimezone(ZoneInfo(zone))
        return moment.isoformat().replace("+00:00", "Z")

    with timezone.override(zone):
        assert by_us("timestamptz", [f"{moment}" for moment in moments]) == [expected(moment) for moment in moments]


@pytest.mark.parametrize("kind", ["double precision", "real", "double precision[]"])
def test_numbers_that_json_lacks_are_null(kind: str):
    words = ["NaN", "Infinity", "-Infinity", "1.5"]

    if not kind.endswith("[]"):
        assert by_us(kind, [*words, None]) == [None, None, None, 1.5, None]
    else:
        rows = stored(kind, ["{" + ",".join(words) + "}"])
        assert [json.loads(text)["a"] for text in json_rows(rows)] == [[None, None, None, 1.5]]


def test_decimal_numbers_that_json_lacks_are_null():
    texts: list[str | None] = ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "1e-400", "7"]

    assert by_us("numeric", texts, JSONForm(decimals="number")) == [None, None, None, None, None, 0.0, 7.0]


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("int4range", "[1,5)"),
        ("int4range", "empty"),
        ("numrange", "(,1.50]"),
        ("daterange", "[2026-01-01,)"),
        ("tsrange", "[2026-01-01 10:00,2026-01-02 11:00)"),
        ("tstzrange", "[2026-01-01 10:00+00,)"),
        ("int4multirange", "{[1,3),[7,9)}"),
        ("timetz", "10:00:00.5+02"),
        ("tsvector", "'a':1 'b':2"),
        ("numeric(6,2)[]", "{1.5,NULL}"),
        ("timestamptz[]", "{2026-01-01 10:00+00}"),
        ("jsonb[]", r'{"[1, {\"a\": null}]",NULL}'),
        ("interval[]", "{1 day,NULL}"),
    ],
)  # fmt: skip
def test_values_of_other_types_are_those_of_drf(kind: str, text: str):
    rows = stored(kind, [text, None])

    assert not is_built_in_database(rows)
    assert [json.loads(text)["a"] for text in json_rows(rows)] == by_drf(rows)
    assert [row["a"] for row in json.loads(b"".join(stream_json(rows)))] == by_drf(rows)


@pytest.mark.parametrize("style", ["SQL, DMY", "German", "Postgres, MDY"])
def test_the_styles_of_the_session_change_nothing(style: str):
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL DateStyle = '{style}'; SET LOCAL standard_conforming_strings = off")
    values = {
        "date": ("2026-02-01", "2026-02-01"),
        "timestamp": ("2026-02-01 10:00:00.5", "2026-02-01T10:00:00.500000"),
        "timestamptz": ("2026-02-01 10:00:00+00", "2026-02-01T06:30:00-03:30"),
        "time": ("10:00", "10:00:00"),
    }
    for kind, (text, value) in values.items():
        assert [json.loads(found)["a"] for found in json_rows(stored(kind, [text]))] == [value]


def test_without_time_zones_moments_are_those_of_drf():
    with override_settings(USE_TZ=False):
        rows = stored("timestamptz", ["2026-02-01 10:00:00+00"])
        assert not is_built_in_database(rows)
        assert [json.loads(found)["a"] for found in json_rows(rows)] == by_drf(rows)
