"""Forms made from ``param:`` lines."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.http import QueryDict
from django.utils import timezone

from reports.errors import ParamsError, TemplateError
from reports.header import Param, parse_header
from reports.param_fields import FIELDS, build_form
from reports.params import clean_params
from reports.types import SYNONYMS

UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")
OTHER_WORDS = {word: name for word, name in SYNONYMS.items() if name in FIELDS}
NOON = datetime.datetime(2026, 1, 31, 12, 0)


def form_of(*lines: str) -> type[forms.Form]:
    source = "".join(f"-- param: {line}\n" for line in lines)
    return build_form(parse_header(f"-- doc: d\n{source}", "figures.sql").params, file="figures.sql")


def clean(line: str, params: Any) -> Any:
    return clean_params(form_of(f"p {line}"), params, report="tests.figures")["p"]


def messages(line: str, params: Any) -> list[str]:
    with pytest.raises(ParamsError) as caught:
        clean(line, params)
    assert list(caught.value.message_dict) == ["p"]
    return caught.value.message_dict["p"]


def refused(line: str) -> str:
    with pytest.raises(TemplateError) as caught:
        form_of(line)
    assert (caught.value.file, caught.value.line) == ("figures.sql", 2)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "sent", "value"),
    [
        ("bigint", "9223372036854775807", 2**63 - 1),
        ("integer", "-2147483648", -(2**31)),
        ("smallint", "32767", 2**15 - 1),
        ("boolean", "true", True),
        ("date", "2026-01-31", NOON.date()),
        ("double precision", "1.5", 1.5),
        ("real", "1.5", 1.5),
        ("interval", "3 days", datetime.timedelta(3)),
        ("jsonb", '{"a": 1}', {"a": 1}),
        ("numeric", "1.50", Decimal("1.50")),
        ("numeric(5, 2)", "123.45", Decimal("123.45")),
        ("numeric(5)", "12345", Decimal(12345)),
        ("numeric(3,-2)", "12300", Decimal(12300)),
        ("decimal (5, 2)", "123.45", Decimal("123.45")),
        ("text", " a ", "a"),
        ("varchar(3)", "abc", "abc"),
        ("time", "12:00", NOON.time()),
        ("timestamp", "2026-01-31 12:00", NOON),
        ("timestamp", "2026-01-31T15:30Z", NOON),
        ("timestamptz", "2026-01-31 12:00", timezone.make_aware(NOON)),
        ("uuid", str(UUID), UUID),
    ],
)
def test_type(kind: str, sent: str, value: object):
    for params in ({"p": sent}, {"p": value}, QueryDict(mutable=True)):
        if isinstance(params, QueryDict):
            params["p"] = sent
        assert clean(kind, params) == value


@pytest.mark.parametrize("kind", FIELDS)
def test_type_absent_and_empty_is_none(kind: str):
    nothing = "" if kind in ("text", "character varying") else None
    for params in ({}, {"p": None}, {"p": ""}, QueryDict("p="), QueryDict("")):
        assert clean(kind, params) == nothing


@pytest.mark.parametrize("kind", [*FIELDS, *OTHER_WORDS])
def test_type_required(kind: str):
    for params in ({}, {"p": None}, {"p": ""}, QueryDict("p=")):
        assert messages(f"{kind} required", params) == ["This field is required."]


@pytest.mark.parametrize(("word", "name"), OTHER_WORDS.items())
def test_every_synonym(word: str, name: str):
    assert type(form_of(f"p {word}").base_fields["p"]) is type(form_of(f"p {name}").base_fields["p"])


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("bigint", 2**63, "Ensure this value is less than or equal to 9223372036854775807."),
        ("integer", -(2**31) - 1, "Ensure this value is greater than or equal to -2147483648."),
        ("smallint", 2**15, "Ensure this value is less than or equal to 32767."),
        ("numeric(5,2)", "1234.5", "Ensure that there are no more than 3 digits before the decimal point."),
        ("numeric(5)", "1.5", "Ensure that there are no more than 0 decimal places."),
        ("numeric", "1e131072", "PostgreSQL cannot store this value (NUL, lone surrogate, NaN, too many digits)."),
        ("varchar(3)", "abcd", "Ensure this value has at most 3 characters (it has 4)."),
        ("timestamp", "soon", "Enter a valid date/time."),
    ],
)
def test_type_has_its_limits(kind: str, value: object, message: str):
    assert messages(kind, {"p": value}) == [message]


@pytest.mark.parametrize("word", [True, 1, "true", "TRUE", "t", "yes", "y", "on", "1", " true "])
def test_boolean_true(word: object):
    assert clean("boolean", {"p": word}) is True


@pytest.mark.parametrize("word", [False, 0, "false", "False", "f", "no", "n", "off", "0"])
def test_boolean_false(word: object):
    assert clean("boolean", {"p": word}) is False
    assert clean("boolean required", {"p": word}) is False


@pytest.mark.parametrize("word", ["banana", "2", 2, 1.5, "tru"])
def test_boolean_other_words_are_refused(word: object):
    assert messages("boolean", {"p": word}) == ["Enter true or false."]


def test_boolean_on_a_page():
    assert clean("boolean", QueryDict("p=unknown")) is None
    shown = str(form_of("p boolean default=false")({"p": "true"})["p"])
    assert '<option value="true" selected>' in shown


@pytest.mark.parametrize(
    ("params", "value"),
    [
        ({"p": [1, "2"]}, [1, 2]),
        ({"p": (1, 2)}, [1, 2]),
        ({"p": "1, 2,"}, [1, 2]),
        ({"p": 1}, [1]),
        ({"p": [1, None, ""]}, [1]),
        ({"p": []}, []),
        ({}, []),
        (QueryDict("p=1&p=2"), [1, 2]),
        (QueryDict("p=1,2&p=3"), [1, 2, 3]),
        (QueryDict("p="), []),
    ],
)
def test_list(params: Any, value: list[int]):
    assert clean("bigint list", params) == value


def test_list_from_code_is_not_divided_at_commas():
    assert clean("text list", {"p": ["Smith, John", "Doe"]}) == ["Smith, John", "Doe"]
    assert clean("text list", QueryDict("p=Smith, John")) == ["Smith", "John"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1, "x"], "Enter a whole number."),
        ([1, [2]], "Enter a list of values."),
        ([{"a": 1}], "Enter a list of values."),
        ({"a": 1}, "Enter a list of values."),
        ([b"1"], "Enter a list of values."),
        ([2**63], "Ensure this value is less than or equal to 9223372036854775807."),
    ],
)
def test_list_refused(value: object, message: str):
    assert messages("bigint list", {"p": value}) == [message]


def test_list_of_wrong_type_is_refused():
    assert messages("date list", {"p": [5]}) == ["Enter a list of values."]


def test_list_required():
    assert messages("bigint list required", {"p": []}) == ["This field is required."]
    assert messages("bigint list required", QueryDict("p=,")) == ["This field is required."]


def test_list_on_a_page():
    form = form_of("p bigint list")

    assert 'value="1, 2"' in str(form({"p": [1, 2]})["p"])
    assert 'value="1,2"' in str(form({"p": "1,2"})["p"])
    assert form({"p": [1, 2]}).is_valid()


def test_choices():
    assert clean("integer choices=1|2", {"p": 2}) == 2
    assert clean("integer choices=1|2", QueryDict("p=2")) == 2
    assert clean("integer choices=1|2", {}) is None
    assert clean("integer choices=1|2", {"p": ""}) is None
    assert messages("integer choices=1|2", {"p": 3}) == [
        "Select a valid choice. 3 is not one of the available choices."
    ]


def test_choices_of_a_list():
    assert clean("integer list choices=1|2|3", {"p": [1, "2"]}) == [1, 2]
    assert clean("integer list choices=1|2|3", QueryDict("p=1&p=3")) == [1, 3]
    assert clean("integer list choices=1|2|3", {}) == []
    assert messages("integer list choices=1|2|3", {"p": [4]}) == [
        "Select a valid choice. 4 is not one of the available choices."
    ]


def test_choices_offer_a_blank_unless_required():
    fields = form_of("a text choices=x|y", "b text required choices=x|y", 'c text list "choices=x | y"').base_fields

    choices = [list(field.choices) for field in fields.values()]  # type: ignore[attr-defined]
    assert choices == [[("", ""), ("x", "x"), ("y", "y")], [("x", "x"), ("y", "y")], [("x", "x"), ("y", "y")]]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("integer default=5", 5),
        ("boolean default=false", False),
        ("date default=2026-01-31", NOON.date()),
        ("integer required default=5", 5),
        ("integer list default=1,2", [1, 2]),
        ("text list default=a,b", ["a", "b"]),
        ("integer choices=1|2 default=2", 2),
        ('text list choices=a|b|c "default=a, b"', ["a", "b"]),
        ("jsonb default='{\"a\": 1}'", {"a": 1}),
    ],
)
def test_default(line: str, value: object):
    assert clean(line, {}) == clean(line, QueryDict("page=2")) == value


def test_default_is_not_for_what_is_empty():
    assert clean("integer default=5", QueryDict("p=")) is None
    assert clean("integer default=5", {"p": None}) is None


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("p integer default=x", "the default 'x' is refused: Enter a whole number."),
        ("p integer list default=1,x", "the default '1,x' is refused: Enter a whole number."),
        (
            "p text choices=a|b default=c",
            "the default 'c' is refused: Select a valid choice. c is not one of the available choices.",
        ),
        ("p integer choices=1|x", "the choice 'x' is refused: Enter a whole number."),
        ("p boolean default=maybe", "the default 'maybe' is refused: Enter true or false."),
    ],
)
def test_declaration_that_contradicts_itself(line: str, problem: str):
    assert refused(line) == f"figures.sql:2: parameter 'p': {problem}"


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("bigintt", " Did you mean 'bigint'?"),
        ("money", ""),
        ("text[]", " Did you mean 'text'?"),
        ("numeric(x)", " Did you mean 'numeric'?"),
    ],
)
def test_unknown_type(kind: str, hint: str):
    allowed = (
        "bigint, bool, boolean, character varying, date, decimal, double precision, float4, float8, int, int2, int4,"
        " int8, integer, interval, json, jsonb, numeric, real, smallint, text, time, time without time zone, timestamp,"
        " timestamp with time zone, timestamp without time zone, timestamptz, uuid, varchar"
    )
    assert (
        refused(f"p {kind}")
        == f"figures.sql:2: parameter 'p' has the unknown type {kind!r} (allowed: {allowed}).{hint}"
    )


def test_form_is_made_once_for_the_same_declaration():
    params = (Param("p", "text"),)

    assert build_form(params, file="figures.sql") is build_form((Param("p", "text"),), file="figures.sql")
    assert list(form_of("b text", "a text").base_fields) == ["b", "a"]
