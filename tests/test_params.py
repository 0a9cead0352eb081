"""Raw values to cleaned ones: from code and from a browser, and whatever else somebody sends."""

from __future__ import annotations

import datetime
import decimal
import time
import uuid
from collections.abc import Mapping
from typing import Any

import pytest
from django import forms
from django.contrib.postgres import forms as postgres
from django.core.exceptions import ValidationError
from django.db.backends.postgresql.psycopg_any import DateRange, NumericRange
from django.http import QueryDict
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from reports.errors import ParamsError
from reports.params import bound_form, clean_params
from reports.rendering import render_string
from tests.models import Region, Store

LABELS = [("a", "A"), ("Others", [("b", "B"), ("c", "C")])]


class EveryField(forms.Form):
    """Each kind of form field that can be a parameter and needs no database."""

    boolean = forms.BooleanField(required=False)
    null_boolean = forms.NullBooleanField(required=False)
    text = forms.CharField(required=False)
    choice = forms.ChoiceField(choices=LABELS, required=False)
    typed_choice = forms.TypedChoiceField(choices=[(1, "one"), (2, "two")], coerce=int, required=False)
    choices = forms.MultipleChoiceField(choices=LABELS, required=False)
    boxes = forms.MultipleChoiceField(choices=LABELS, required=False, widget=forms.CheckboxSelectMultiple)
    typed_choices = forms.TypedMultipleChoiceField(choices=[(1, "one"), (2, "two")], coerce=int, required=False)
    date = forms.DateField(required=False)
    three_dates = forms.DateField(required=False, widget=forms.SelectDateWidget(years=range(2020, 2030)))
    when = forms.DateTimeField(required=False)
    split = forms.SplitDateTimeField(required=False)
    time = forms.TimeField(required=False)
    duration = forms.DurationField(required=False)
    decimal = forms.DecimalField(required=False)
    float = forms.FloatField(required=False)
    integer = forms.IntegerField(required=False)
    email = forms.EmailField(required=False)
    url = forms.URLField(required=False, assume_scheme="https")
    slug = forms.SlugField(required=False)
    regex = forms.RegexField("^[a-z]+$", required=False)
    address = forms.GenericIPAddressField(required=False)
    uuid = forms.UUIDField(required=False)
    json = forms.JSONField(required=False)
    array = postgres.SimpleArrayField(forms.IntegerField(), required=False)
    texts = postgres.SimpleArrayField(forms.CharField(), required=False)
    split_array = postgres.SplitArrayField(forms.IntegerField(required=False), size=3, required=False)
    hstore = postgres.HStoreField(required=False)
    dates = postgres.DateRangeField(required=False)
    moments = postgres.DateTimeRangeField(required=False)
    integers = postgres.IntegerRangeField(required=False)
    decimals = postgres.DecimalRangeField(required=False)


def clean(form_class: type[forms.Form], params: Mapping[str, Any]) -> dict[str, Any]:
    return clean_params(form_class, params, report="tests.figures")


def refused(form_class: type[forms.Form], params: Mapping[str, Any]) -> ParamsError:
    with pytest.raises(ParamsError) as caught:
        clean(form_class, params)
    return caught.value


def only(field: forms.Field) -> type[forms.Form]:
    return type("Params", (forms.Form,), {"p": field})


# Absent, empty, given.


class Defaults(forms.Form):
    plain = forms.IntegerField(required=False)
    least = forms.IntegerField(required=False, initial=5)
    today = forms.DateField(required=False, initial=lambda: datetime.date(2026, 1, 31))
    labels = forms.MultipleChoiceField(choices=LABELS, required=False, initial=["a", "b"])
    flag = forms.BooleanField(required=False, initial=True)
    ids = postgres.SimpleArrayField(forms.IntegerField(), required=False, initial=[1, 2])
    period = postgres.IntegerRangeField(initial=NumericRange(1, 3))
    filters = forms.JSONField(required=False, initial={"a": 1})


DEFAULTS = {
    "plain": None,
    "least": 5,
    "today": datetime.date(2026, 1, 31),
    "labels": ["a", "b"],
    "flag": True,
    "ids": [1, 2],
    "period": NumericRange(1, 3),
    "filters": {"a": 1},
}


@pytest.mark.parametrize("params", [{}, QueryDict(""), QueryDict("page=2"), MultiValueDict()], ids=repr)
def test_absent_takes_initial(params: Mapping[str, Any]):
    assert clean(Defaults, params) == DEFAULTS


EMPTY: dict[str, object] = {
    "plain": None,
    "least": None,
    "today": None,
    "labels": [],
    "flag": False,
    "ids": [],
    "filters": None,
}


def test_empty_in_a_query_string_is_empty():
    sent = QueryDict("plain=&least=&today=&labels=&flag=false&ids=&period_0=&period_1=&filters=")

    with pytest.raises(ParamsError, match=r"labels: Select a valid choice\.  is not one"):
        clean(Defaults, sent)  # "labels=" is one label, the empty one
    assert clean(Defaults, QueryDict("plain=&least=&today=&labels=a&flag=false&ids=&period_0=&period_1=&filters=")) == {
        **EMPTY,
        "labels": ["a"],
        "period": None,
    }


@pytest.mark.parametrize("empty", [None, "", [], ()], ids=repr)
def test_empty_from_code_is_empty(empty: object):
    params = {
        "least": empty if empty in (None, "") else None,
        "ids": empty,
        "labels": empty or [],
        "period": empty or None,
    }

    cleaned = clean(Defaults, params)

    assert {name: cleaned[name] for name in params} == {"least": None, "ids": [], "labels": [], "period": None}


def test_initial_that_its_own_field_refuses_is_an_error_of_the_parameter():
    error = refused(only(forms.CharField(initial=["a"])), {})

    assert error.message_dict == {"p": ["Enter one value, not a list."]}


def test_prefix_of_a_form():
    class Prefixed(forms.Form):
        prefix = "f"
        least = forms.IntegerField(required=False, initial=5)

    assert clean(Prefixed, {"least": 7}) == {"least": 7}
    assert clean(Prefixed, {}) == {"least": 5}
    assert clean(Prefixed, QueryDict("f-least=7")) == {"least": 7}
    assert clean(Prefixed, QueryDict("least=7")) == {"least": 5}


# Names.


def test_unknown_name_from_code():
    params: Any = {"leest": 1, "page": 2, 3: 4}

    error = refused(Defaults, params)

    known = "there are: filters, flag, ids, labels, least, period, plain, today"
    assert error.message_dict == {
        "leest": [f"No such parameter ({known}). Did you mean 'least'?"],
        "page": [f"No such parameter ({known})."],
        "3": [f"No such parameter ({known})."],
    }


def test_unknown_name_of_a_report_without_parameters():
    assert refused(forms.Form, {"user": 1}).message_dict == {"user": ["No such parameter (there are: none)."]}


def test_unknown_name_from_a_browser_is_left_alone():
    cleaned = clean(Defaults, QueryDict("leest=1&page=2&utm_source=mail&user=1&least=7"))

    assert cleaned == {**DEFAULTS, "least": 7}


def test_every_error_at_once():
    error = refused(
        EveryField,
        {"integer": "x", "date": "31.12.", "choice": "z", "typed_choices": [1, 9], "text": ["a"], "integre": 1},
    )

    assert {name: messages[0].partition(" (")[0] for name, messages in error.message_dict.items()} == {
        "integer": "Enter a whole number.",
        "date": "Enter a valid date.",
        "choice": "Select a valid choice. z is not one of the available choices.",
        "typed_choices": "Select a valid choice. 9 is not one of the available choices.",
        "text": "Enter one value, not a list.",
        "integre": "No such parameter",
    }
    assert error.allowed == {
        "integer": "a whole number",
        "date": "a date such as 2026-01-31",
        "choice": "a, b, c",
        "typed_choices": "1, 2",
    }
    assert error.report == "tests.figures"
    assert str(error).startswith(
        "report 'tests.figures': choice: Select a valid choice. z is not one of the available choices. Allowed: a, b,"
        " c.; date: Enter a valid date. Allowed: a date such as 2026-01-31.; integer: Enter a whole number. Allowed: a"
        " whole number.; integre: No such parameter (there are: address, array, "
    )


@pytest.mark.parametrize(
    ("field", "allowed"),
    [
        (forms.DateTimeField(), "a date and time such as 2026-01-31 13:45"),
        (forms.TimeField(), "a time such as 13:45"),
        (forms.DurationField(), "a duration such as 3 days or 04:30:00"),
        (forms.FloatField(), "a number"),
        (forms.DecimalField(), "a number"),
        (forms.UUIDField(), "a UUID"),
        (forms.ChoiceField(choices=[("", "any"), *[(n, n) for n in range(20)]]), ", ".join(map(str, range(20)))),
        (forms.ChoiceField(choices=[(n, n) for n in range(21)]), ", ".join(map(str, range(20))) + ", …"),
    ],
)
def test_allowed_values_are_named(field: forms.Field, allowed: str):
    assert refused(only(field), {"p": "no such thing"}).allowed == {"p": allowed}


@pytest.mark.parametrize("field", [forms.EmailField(), forms.ChoiceField(choices=[])])
def test_allowed_values_are_not_named_where_that_says_nothing(field: forms.Field):
    assert refused(only(field), {"p": "no such thing"}).allowed == {}


@pytest.mark.parametrize("field", [forms.NullBooleanField(), forms.BooleanField()])
def test_allowed_values_of_a_boolean(field: forms.Field):
    assert refused(only(field), {"p": [True]}).allowed == {"p": "true or false"}


class Period(forms.Form):
    since = forms.DateField()
    until = forms.DateField()

    def clean_until(self) -> datetime.date:
        until: datetime.date = self.cleaned_data["until"]
        if until.year > 2030:
            raise ValidationError("That is too far.")
        return until

    def clean(self) -> dict[str, Any]:
        found = self.cleaned_data
        if "since" in found and "until" in found and found["since"] > found["until"]:
            self.add_error("since", "It must not be after until.")
            raise ValidationError("The period is %(what)s.", params={"what": "empty"})
        return {**found, "days": (found["until"] - found["since"]).days} if len(found) == 2 else found


def test_errors_across_fields():
    error = refused(Period, {"since": "2026-02-01", "until": "2026-01-01"})

    assert error.message_dict == {"since": ["It must not be after until."], "__all__": ["The period is empty."]}
    assert str(error) == (
        "report 'tests.figures': __all__: The period is empty.; since: It must not be after until. Allowed: a date such"
        " as 2026-01-31."
    )


def test_errors_of_a_method_of_the_form():
    assert refused(Period, {"since": "x", "until": "2031-01-01"}).message_dict == {
        "since": ["Enter a valid date."],
        "until": ["That is too far."],
    }


def test_values_that_the_form_adds_are_kept():
    assert clean(Period, {"since": "2026-01-01", "until": "2026-01-03"})["days"] == 2


def test_fault_of_the_form_itself_is_not_hidden():
    class Faulty(forms.Form):
        least = forms.IntegerField(required=False)

        def clean_least(self) -> object:
            raise ArithmeticError("a fault")

    with pytest.raises(ArithmeticError, match=r"^a fault$"):
        clean(Faulty, {})


# From a browser and from code: the same values.

MOMENT = datetime.datetime(2026, 1, 31, 13, 45, tzinfo=timezone.get_default_timezone())
UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")


@pytest.mark.parametrize(
    ("name", "sent", "given", "cleaned"),
    [
        ("boolean", "boolean=on", True, True),
        ("boolean", "boolean=false", "false", False),
        ("null_boolean", "null_boolean=false", False, False),
        ("text", "text=a&text=%27+%25+b", "' % b", "' % b"),
        ("choice", "choice=b", "b", "b"),
        ("typed_choice", "typed_choice=2", 2, 2),
        ("choices", "choices=a&choices=b", ("a", "b"), ["a", "b"]),
        ("choices", "choices=a", "a", ["a"]),
        ("boxes", "boxes=a&boxes=b", ["a", "b"], ["a", "b"]),
        ("typed_choices", "typed_choices=2", {2}, [2]),
        ("date", "date=2026-01-31", datetime.date(2026, 1, 31), datetime.date(2026, 1, 31)),
        (
            "three_dates",
            "three_dates_year=2026&three_dates_month=1&three_dates_day=31",
            datetime.date(2026, 1, 31),
            datetime.date(2026, 1, 31),
        ),
        ("when", "when=2026-01-31+13:45", MOMENT, MOMENT),
        ("split", "split_0=2026-01-31&split_1=13:45", MOMENT, MOMENT),
        ("split", "split_0=2026-01-31&split_1=13:45", ["2026-01-31", "13:45"], MOMENT),
        ("time", "time=13:45", datetime.time(13, 45), datetime.time(13, 45)),
        ("duration", "duration=3+days", datetime.timedelta(3), datetime.timedelta(3)),
        ("decimal", "decimal=1.50", decimal.Decimal("1.50"), decimal.Decimal("1.50")),
        ("float", "float=1.5", 1.5, 1.5),
        ("integer", "integer=7", 7, 7),
        ("uuid", f"uuid={UUID}", UUID, UUID),
        ("json", 'json={"a":[1,null]}', {"a": (1, None)}, {"a": [1, None]}),
        ("json", "json=[1]", {1}, [1]),
        ("array", "array=1,2", (1, 2), [1, 2]),
        ("texts", "texts=a,b", ["a", "b"], ["a", "b"]),
        ("split_array", "split_array_0=1&split_array_2=3", [1, None, 3], [1, None, 3]),
        ("hstore", 'hstore={"a":"1"}', {"a": 1}, {"a": "1"}),
        (
            "dates",
            "dates_0=2026-01-01",
            DateRange(datetime.date(2026, 1, 1), None),
            DateRange(datetime.date(2026, 1, 1)),
        ),
        ("integers", "integers_0=1&integers_1=3", (1, 3), NumericRange(1, 3)),
        ("integers", "integers_0=1", [1], NumericRange(1, None)),
    ],
)
def test_browser_and_code_agree(name: str, sent: str, given: object, cleaned: object):
    assert clean(EveryField, QueryDict(sent))[name] == cleaned
    assert clean(EveryField, {name: given})[name] == cleaned


def test_part_of_several_inputs_is_sent():
    class Started(forms.Form):
        when = forms.SplitDateTimeField(initial=MOMENT)
        date = forms.DateField(initial=datetime.date(2026, 1, 1), widget=forms.SelectDateWidget)

    assert clean(Started, QueryDict("x=1")) == {"when": MOMENT, "date": datetime.date(2026, 1, 1)}
    assert refused(Started, QueryDict("when_0=2026-01-31&date_year=2026&date_month=13&date_day=")).message_dict == {
        "when": ["This field is required."],
        "date": ["Enter a valid date."],
    }


def test_form_for_a_page_shows_what_was_given():
    form = bound_form(Defaults, {"least": "7", "filters": {"b": 2}, "period": (2, 4)})

    assert form.is_bound
    assert 'value="7"' in str(form["least"])
    assert "{&quot;b&quot;: 2}" in str(form["filters"])
    assert ['value="2"' in str(form["period"]), 'value="4"' in str(form["period"])] == [True, True]
    assert '<option value="a" selected>' in str(form["labels"])


def test_form_for_a_page_tells_the_errors():
    form = bound_form(Defaults, {"least": b"7", "today": 5})

    assert form.errors == {"least": ["Enter text, not bytes."], "today": ["Enter a valid date."]}


def test_form_class_is_not_changed():
    before = {name: vars(field).keys() for name, field in EveryField.base_fields.items()}

    clean(EveryField, {"text": "a"})

    assert {name: vars(field).keys() for name, field in EveryField.base_fields.items()} == before


# Values that are wrong.


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        (forms.CharField(), ["a"], "Enter one value, not a list."),
        (forms.CharField(), {"a": 1}, "Enter one value, not a list."),
        (forms.UUIDField(), [UUID], "Enter one value, not a list."),
        (forms.BooleanField(), [False], "Enter one value, not a list."),
        (forms.NullBooleanField(), {1}, "Enter one value, not a list."),
        (forms.CharField(), b"a", "Enter text, not bytes."),
        (forms.IntegerField(), bytearray(b"1"), "Enter text, not bytes."),
        (forms.MultipleChoiceField(choices=LABELS), b"ab", "Enter text, not bytes."),
        (forms.DateField(), 5, "Enter a valid date."),
        (forms.DateTimeField(), 5, "Enter a valid date/time."),
        (forms.TimeField(), 5, "Enter a valid time."),
        (forms.UUIDField(), 5, "Enter a valid UUID."),
        (forms.FloatField(), 10**400, "Enter a number."),
        (forms.DecimalField(), 10**5000, "Enter a number."),
        (forms.IntegerField(), True, "Enter a whole number."),
        (forms.IntegerField(), "1" * 5000, "Enter a whole number."),
        (forms.CharField(), 10**5000, "Enter a valid value."),
        (forms.JSONField(), "[" * 100_000, "Enter a valid JSON."),
        (forms.JSONField(), "9" * 5000, "Enter a valid JSON."),
        (forms.JSONField(), {"a": object()}, "Enter a valid JSON."),
        (postgres.SimpleArrayField(forms.IntegerField()), 5, "Enter a valid value."),
        (postgres.SimpleArrayField(forms.IntegerField()), {"a": 1}, "Enter a valid value."),
        (postgres.SplitArrayField(forms.IntegerField(), size=2), [1, 2, 3], "Enter at most 2 values."),
        (postgres.SplitArrayField(forms.IntegerField(), size=2), 5, "Enter a valid value."),
        (postgres.DateRangeField(), "[2026-01-01,)", "Enter two valid dates."),
        (postgres.IntegerRangeField(), (1, 2, 3), "Enter at most 2 values."),
        (postgres.IntegerRangeField(), (3, 1), "The start of the range must not exceed the end of the range."),
        (forms.SplitDateTimeField(), "2026-01-31 13:45", "Enter a list of values."),
        (forms.SplitDateTimeField(), datetime.date(2026, 1, 31), "Enter a list of values."),
    ],
    ids=lambda value: type(value).__name__,
)
def test_wrong_value(field: forms.Field, value: object, message: str):
    assert refused(only(field), {"p": value}).message_dict == {"p": [message]}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (forms.CharField(), "a\ud800"),
        (forms.JSONField(), {"a": ["b\ud800"]}),
        (forms.JSONField(), '{"a": "\\u0000"}'),
        (forms.JSONField(), {"\0": 1}),
        (forms.JSONField(), {"a": float("nan")}),
        (forms.JSONField(), "[Infinity]"),
        (postgres.SimpleArrayField(forms.CharField()), ["\udfff"]),
        (postgres.HStoreField(), {"a": "\udfff"}),
        (forms.FloatField(), float("nan")),
        (forms.DecimalField(), "1e1000"),
        (forms.DecimalField(), "1e100000"),
        (forms.DecimalField(), "1e-1001"),
        (forms.DecimalField(), decimal.Decimal("-1e999999")),
        (forms.CharField(), "a\0b"),
    ],
)
def test_value_that_postgresql_cannot_store(field: forms.Field, value: object):
    assert refused(only(field), {"p": value}).message_dict == {
        "p": ["PostgreSQL cannot store this value (NUL, lone surrogate, NaN, too many digits)."]
    }


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**30, "9" * 30])
def test_whole_number_that_no_column_holds(value: object):
    message = ["Enter a whole number from -9223372036854775808 to 9223372036854775807."]

    assert refused(only(forms.IntegerField()), {"p": value}).message_dict == {"p": message}


def test_whole_numbers_in_a_list_are_limited_too():
    field = forms.TypedMultipleChoiceField(coerce=int, choices=[(str(10**30), "a"), ("1", "b")])

    assert clean(only(field), {"p": ["1"]}) == {"p": [1]}
    assert "p" in refused(only(field), {"p": [str(10**30)]}).message_dict


def test_largest_numbers_pass():
    assert clean(only(forms.IntegerField()), {"p": 2**63 - 1}) == {"p": 2**63 - 1}
    assert clean(only(forms.JSONField()), {"p": [10**30]}) == {"p": [10**30]}
    assert clean(only(forms.DecimalField()), {"p": "1e999"}) == {"p": decimal.Decimal("1e999")}


def test_value_of_many_planes_is_stored():
    assert clean(only(forms.CharField()), {"p": "Größe 🎉\n"}) == {"p": "Größe 🎉"}


def test_fault_of_a_custom_field_is_its_cause():
    class Custom(forms.Field):
        def clean(self, value: Any) -> Any:
            return value.no_such_attribute

    error = refused(only(Custom()), {"p": "a"})

    assert isinstance(error.error_dict["p"][0].__cause__, AttributeError)


# Whatever is sent: a cleaned value or a ParamsError that names the parameter, soon.

LONG = "9" * 1_000_000
HOSTILE: list[Any] = [
    *[None, "", " ", [], {}, (), set(), True, False, 0, -1, 1.5, float("nan"), float("inf"), float("-inf")],
    *["NaN", "Infinity", "-Infinity", "1e100000", "-1e999999999", "1e-100000", "sNaN", "0x10", "１２", "1_000"],
    *[2**31, 2**63, -(2**63) - 1, 10**400, 10**5000, str(2**63), "9" * 5000, LONG, "P" + LONG + "D", "a" * 1_000_000],
    *["\0", "a\0b", "\ud800", "a\udfffb", "\u202e", "\ufeff", "'; DROP TABLE x; --", "%s", "%(a)s", "{}", "{{ x }}"],
    *["[" * 100_000, "[" * 400 + "]" * 400, '{"a": NaN}', '{"a": "\\u0000"}', '"\\ud800"', "null", "true", "[1,", ","],
    *[b"", b"1", b"\xff", bytearray(b"1"), memoryview(b"1"), 1j, object(), Exception("x"), forms, len, iter([1])],
    *[[None], [[]], [[1]], [{}], ["a", ["b"]], [b"1"], ["\0"], ["\ud800"], [float("nan")], [10**400], list(range(9))],
    *[{"a": {"b": {"c": [1, {"d": None}]}}}, {"a": object()}, {1: 2}, {"\0": "\0"}, {"lower": 1}, frozenset([1, "a"])],
    *["0001-01-01", "9999-12-31", "0000-00-00", "2026-02-30", "2026-01-01T00:00:00+14:00", "24:00", "-99:99", "1e400"],
    *[datetime.date.min, datetime.date.max, datetime.datetime.min, datetime.datetime.max, datetime.timedelta.max],
    *[datetime.datetime.max.replace(tzinfo=datetime.UTC), datetime.time.max, MOMENT, MOMENT.date(), UUID],
    *[decimal.Decimal("sNaN"), decimal.Decimal("1e999999"), decimal.Decimal("-Infinity"), NumericRange(empty=True)],
    *[NumericRange(3, 1), DateRange(datetime.date.max, None), range(10**9), (part for part in "ab"), Region(), Region],
    *[
        "999999999999 days",
        "P1Y2M3DT4H5M6S",
        "::1",
        "1.2.3.4.5",
        "http://[",
        "a@b",
        "javascript:1",
        UUID.hex,
        "{" * 999,
    ],
]


@pytest.mark.injection
@pytest.mark.parametrize("name", EveryField.base_fields)
def test_hostile_values_from_code(name: str):
    for value in HOSTILE:
        started = time.process_time()
        check(name, {name: value})
        assert time.process_time() - started < 1, type(value)


@pytest.mark.injection
@pytest.mark.parametrize("name", EveryField.base_fields)
def test_hostile_values_from_a_browser(name: str):
    suffixes = ("", "_0", "_1", "_year")
    for value in (value for value in HOSTILE if isinstance(value, str)):
        sent: MultiValueDict[str, Any] = MultiValueDict({name + suffix: [value, value] for suffix in suffixes})
        started = time.process_time()
        check(name, sent)
        assert time.process_time() - started < 1, type(value)


def check(name: str, params: Mapping[str, Any]) -> None:
    """Clean, and see that the value can be bound or the error names its parameter alone."""
    try:
        cleaned = clean(EveryField, params)
    except ParamsError as error:
        assert list(error.message_dict) == [name]
        assert str(error).startswith(f"report 'tests.figures': {name}: ")
    else:
        assert set(cleaned) == set(EveryField.base_fields)
        assert render_string("SELECT {{ p }}", {"p": cleaned[name]}).sql == "SELECT %s"


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals()
values = st.recursive(
    scalars | st.dates() | st.datetimes() | st.times() | st.timedeltas() | st.uuids(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.injection
@given(name=st.sampled_from(sorted(EveryField.base_fields)), value=values)
@hypothesis_settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
def test_any_value_from_code(name: str, value: object):
    check(name, {name: value})


# Fields whose choices are rows.


class Places(forms.Form):
    region = forms.ModelChoiceField(Region.objects.all(), required=False)
    named = forms.ModelChoiceField(Region.objects.all(), to_field_name="name", required=False)
    stores = forms.ModelMultipleChoiceField(Store.objects.order_by("name"), required=False)


@pytest.fixture
def rows(db: None) -> tuple[Region, Store, Store]:
    region = Region.objects.create(name="North")
    return region, Store.objects.create(name="One", region=region), Store.objects.create(name="Two")


def test_row_as_instance_key_or_text(rows: tuple[Region, Store, Store]):
    region = rows[0]

    for given_region in (region, region.pk, str(region.pk)):
        assert clean(Places, {"region": given_region})["region"] == region
    assert clean(Places, {"named": region})["named"] == clean(Places, {"named": "North"})["named"] == region
    assert clean(Places, QueryDict(f"region={region.pk}"))["region"] == region
    assert render_string("SELECT {{ region }}", clean(Places, {"region": region})).params == (region.pk,)


def test_rows_as_instances_keys_or_queryset(rows: tuple[Region, Store, Store]):
    _, one, two = rows
    ways: list[Any] = [[one, two], {one.pk, two.pk}, (str(one.pk), two), Store.objects.all()]

    for way in ways:
        assert set(clean(Places, {"stores": way})["stores"]) == {one, two}
    assert list(clean(Places, {"stores": one.pk})["stores"]) == [one]
    assert set(clean(Places, QueryDict(f"stores={one.pk}&stores={two.pk}"))["stores"]) == {one, two}


def test_rows_become_a_sub_select(rows: tuple[Region, Store, Store]):
    _, one, two = rows
    query = render_string("SELECT 1 WHERE 1 IN {{ stores | inclause }}", clean(Places, {"stores": [two.pk, one.pk]}))

    assert query.sql == (
        'SELECT 1 WHERE 1 IN (SELECT "tests_store"."id" AS "pk" FROM "tests_store"'
        ' WHERE "tests_store"."id" IN (%s, %s))'
    )
    assert sorted(query.params) == [one.pk, two.pk]  # type: ignore[type-var]


@pytest.mark.django_db
def test_rows_absent_are_none_and_not_given():
    cleaned = clean(Places, {})

    assert (cleaned["region"], list(cleaned["stores"])) == (None, [])
    assert render_string("SELECT {% if stores is given %} 1 {% else %} 2 {% endif %}", cleaned).sql.split() == [
        "SELECT",
        "2",
    ]


def test_row_initial_may_be_an_instance(rows: tuple[Region, Store, Store]):
    region, one, _ = rows

    class Started(forms.Form):
        region = forms.ModelChoiceField(Region.objects.all(), initial=rows[0])
        stores = forms.ModelMultipleChoiceField(Store.objects.all(), initial=lambda: Store.objects.filter(name="One"))

    cleaned = clean(Started, {})

    assert (cleaned["region"], list(cleaned["stores"])) == (region, [one])


@pytest.mark.injection
@pytest.mark.django_db
@pytest.mark.parametrize("name", Places.base_fields)
def test_hostile_keys_of_rows(name: str):
    for value in HOSTILE:
        if isinstance(value, range):
            continue  # a billion keys that were asked for
        started = time.process_time()
        try:
            cleaned = clean(Places, {name: value})[name]
        except ParamsError as error:
            assert list(error.message_dict) == [name]
            assert error.allowed == {}
        else:
            assert not cleaned
        assert time.process_time() - started < 1, type(value)
