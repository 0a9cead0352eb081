"""``manage.py report``: the list, a report's page, parameters, filters, formats, and what is said of each mistake."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django import forms
from django.contrib.auth.models import User
from django.contrib.postgres.forms import SimpleArrayField
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from example_project.helpdesk.models import Department, Ticket
from reports import ParamsError, Report, get_report, registered, registry
from reports.management import arguments, formats
from reports.management.arguments import read_params
from tests.models import Figure, Region, Store

MakeReport = Callable[..., type[Report]]

ODD = """\
-- name: odd
-- doc: Every kind of value. One row per id.
-- param: least integer default=1
-- param: words text list
-- param: size text choices=s|m|l
-- column: id integer pk
-- column: text text null unit=words label="Its text"
-- column: at timestamptz null
-- ordering: -id
-- example: {}
-- example: {"least": 2, "words": ["a b", "c"]}
SELECT * FROM (VALUES
    (1, 'one', '2026-01-31 12:00:00.123456+00'::timestamptz), (2, NULL, NULL), (3, '100%', NULL)
) AS v (id, text, at)
WHERE id >= {{ least }} {% if words is given %} AND text IN {{ words | inclause }} {% endif %}
"""


@pytest.fixture
def make(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> MakeReport:
    """Register a report ``tests.NAME`` of a template's text, until the test ends."""
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    monkeypatch.setattr(registry, "_reports", dict(registry._reports))

    def make_report(name: str, text: str, **attributes: Any) -> type[Report]:
        (tmp_path / f"{name}.sql").write_text(text)
        body = {"template": f"{name}.sql", "name": name, "__module__": "tests.reports", **attributes}
        return registry.register(type(name.title(), (Report,), body))

    return make_report


@pytest.fixture
def odd(make: MakeReport) -> type[Report]:
    return make("odd", ODD)


@pytest.fixture
def only_odd(odd: type[Report], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_reports", {"tests.odd": odd})


def run(*words: str) -> str:
    out = StringIO()
    call_command("report", *words, stdout=out)
    return out.getvalue()


def message(*words: str) -> str:
    with pytest.raises(CommandError) as caught:
        run(*words)
    assert caught.value.returncode == 1
    return str(caught.value)


# The list and the page, without a database.


def test_list(only_odd: None):
    assert run() == (
        "tests.odd\n"
        "    Every kind of value. One row per id.\n"
        "      least  integer, default 1\n"
        "      words  list of text\n"
        "      size   s | m | l\n"
        "\n"
        "manage.py report NAME --help shows what a report takes; manage.py report NAME key=value … runs it.\n"
    )


def test_list_names_every_report():
    lines = run().splitlines()

    assert [line for line in lines[:-2] if not line.startswith(" ")] == list(registered())


def test_list_json(only_odd: None):
    found = json.loads(run("--format", "json"))

    assert found == [
        {
            "name": "tests.odd",
            "title": "Every kind of value. One row per id.",
            "template": "odd.sql",
            "parameters": [
                _param("least", "integer", default="1"),
                _param("words", "text", list=True),
                _param("size", "choice", choices=["s", "m", "l"]),
            ],
            "columns": [
                {"name": "id", "type": "integer", "pk": True, "null": False, "unit": None},
                {"name": "text", "type": "text", "pk": False, "null": True, "unit": "words"},
                {"name": "at", "type": "timestamptz", "pk": False, "null": True, "unit": None},
            ],
        }
    ]


def _param(name: str, kind: str, **more: Any) -> dict[str, Any]:
    plain = {"list": False, "required": False, "default": None, "choices": None, "help": ""}
    return {"name": name, "type": kind, **plain, **more}


def test_list_of_broken_template(make: MakeReport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The others are listed all the same."""
    broken = make("broken", "-- param: n integr\nSELECT 1\n")
    monkeypatch.setattr(registry, "_reports", {"tests.broken": broken, "tests.quoted": get_report("tests.quoted")})

    text, data = re.sub(r"\s+", " ", run()), json.loads(run("--format=json"))

    assert text.startswith(f"tests.broken cannot be run: {tmp_path}/broken.sql:1: parameter 'n' has the unknown type")
    assert "tests.quoted Every character that could end a text too early." in text
    assert data[0]["error"].startswith(f"{tmp_path}/broken.sql:1: parameter 'n' has the unknown type")
    assert "error" not in data[1]


def test_list_of_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "_reports", {})

    assert run() == (
        "There are no reports. A report is a class in an app's reports.py, or a template with a name: line.\n"
    )


def test_page(odd: type[Report]):
    assert run("tests.odd", "--help") == (
        "tests.odd\n"
        "    Every kind of value. One row per id.\n"
        "\n"
        "parameters:\n"
        "  least  integer, default 1\n"
        "  words  list of text\n"
        "  size   s | m | l\n"
        "\n"
        "columns:\n"
        "  id    integer, key\n"
        "  text  text, may be null, in words\n"
        "  at    timestamptz, may be null\n"
        "\n"
        "ordering: -id\n"
        "\n"
        "examples:\n"
        "  manage.py report tests.odd\n"
        "  manage.py report tests.odd least=2 'words=a b' words=c\n"
    )


def test_page_of_no_parameters():
    assert "\nIt takes no parameters.\n" in run("tests.quoted", "-h")


def test_page_title_and_doc(make: MakeReport):
    """The docstring is the title; what one row is stands below."""
    make("titled", "-- doc: One row.\nSELECT 1 AS one\n", __doc__="A title.")

    assert run("tests.titled", "--help").startswith("tests.titled\n    A title.\n    One row.\n")


def test_page_examples_run(odd: type[Report], db: None):
    for line in run("tests.odd", "--help").partition("examples:\n")[2].splitlines():
        words = line.replace("'", "").split("report ")[1].replace("a b", "a\0b").split()
        assert run(*[word.replace("\0", " ") for word in words]).endswith(" rows)\n")


class EveryField(forms.Form):
    day = forms.DateField()
    moment = forms.DateTimeField(required=False, initial=lambda: datetime(2026, 1, 1, tzinfo=UTC))
    both = forms.SplitDateTimeField(required=False)
    hour = forms.TimeField(required=False)
    span = forms.DurationField(required=False)
    price = forms.DecimalField(required=False, initial=Decimal("1.5"))
    ratio = forms.FloatField(required=False)
    key = forms.UUIDField(required=False)
    flag = forms.BooleanField(required=False, help_text="Only these.")
    maybe = forms.NullBooleanField()
    doc = forms.JSONField(required=False)
    text = forms.CharField(initial="x")
    ids = SimpleArrayField(forms.IntegerField(), required=False, initial=[1, 2])
    region = forms.ModelChoiceField(Region.objects.all())
    stores = forms.ModelMultipleChoiceField(Store.objects.all(), required=False)
    late = forms.ChoiceField(choices=lambda: [(store.pk, store.name) for store in Store.objects.all()], required=False)
    grouped = forms.ChoiceField(choices=[("", "-"), ("G", [("a", "A"), ("b", "B")])], required=False)
    many = forms.TypedMultipleChoiceField(choices=[(n, n) for n in range(30)], coerce=int, required=False)


def test_parameters_of_every_field(make: MakeReport, monkeypatch: pytest.MonkeyPatch):
    """No database is asked, neither for a model's choices nor for those that a function gives."""
    monkeypatch.setattr(registry, "_reports", {"tests.all": make("all", "SELECT 1 AS one\n", Params=EveryField)})

    lines = [line.strip() for line in run().splitlines()[1:-2]]

    assert [" ".join(line.split()) for line in lines[:17]] == [
        "day date, required",
        "moment date and time, default 2026-01-01 00:00:00+00:00",
        "both date and time",
        "hour time",
        "span duration",
        "price number, default 1.5",
        "ratio number",
        "key uuid",
        "flag boolean: Only these.",
        "maybe boolean, required",
        "doc json",
        "text text, default x",
        "ids list of integer, default 1,2",
        "region key of tests.Region, required",
        "stores list of key of tests.Store",
        "late choice",
        "grouped a | b",
    ]
    assert " ".join(" ".join(lines[17:]).split()) == f"many list of {' | '.join(map(str, range(20)))} | …"


# key=value.


@pytest.mark.parametrize(
    ("words", "want"),
    [
        (["a=1"], {"a": "1"}),
        (["a="], {"a": ""}),
        (["a=b=c"], {"a": "b=c"}),
        (["a=1,2"], {"a": "1,2"}),
        (["several=x"], {"several": ["x"]}),
        (["several=x,y"], {"several": ["x", "y"]}),
        (["several=x, y"], {"several": ["x", "y"]}),
        (["several=x", "several=y"], {"several": ["x", "y"]}),
        (["several=x,y", "several=p,q"], {"several": ["x,y", "p,q"]}),  # repeated: nothing is divided
        (["several=p,q"], {"several": ["p,q"]}),  # a choice as it stands
        (["several="], {"several": ""}),
        (["keys=1,2"], {"keys": ["1", "2"]}),
        (["ids=1,2"], {"ids": "1,2"}),  # its field divides
        (["ids=1", "ids=2"], {"ids": ["1", "2"]}),
        (["both=2026-01-01", "both=12:00"], {"both": ["2026-01-01", "12:00"]}),
        (["other=1", "other=2"], {"other": ["1", "2"]}),  # the report says that there is no such parameter
    ],
)
def test_read_params(words: list[str], want: dict[str, Any]):
    fields: dict[str, forms.Field] = {
        "a": forms.CharField(),
        "several": forms.MultipleChoiceField(choices=[("x", "X"), ("y", "Y"), ("p,q", "PQ")]),
        "keys": forms.ModelMultipleChoiceField(Store.objects.all()),
        "ids": SimpleArrayField(forms.IntegerField()),
        "both": forms.SplitDateTimeField(),
    }

    found = read_params(words, fields)

    assert (found.params, found.problems) == (want, [])


def test_params_reach_the_report(odd: type[Report], db: None):
    assert _ids("least=2") == [3, 2]
    assert _ids("words=one,100%") == _ids("words=one", "words=100%") == [3, 1]
    assert _ids("words=one,100%", "words=one") == [1]
    assert _ids("words=") == [3, 2, 1]


def _ids(*words: str) -> list[int]:
    return [row["id"] for row in json.loads(run("tests.odd", *words, "--format", "json"))]


def test_options_between_parameters(odd: type[Report], db: None):
    assert json.loads(run("tests.odd", "least=2", "--format", "json", "words=100%", "--limit=5"))[0]["id"] == 3


def test_wrong_parameters_are_said_at_once(odd: type[Report]):
    found = message("tests.odd", "least=x", "size=xl", "siez=s", "id__gt=1", "oops", "size", "=1", "least=2")

    assert found == (
        "report 'tests.odd':\n"
        "  '=1' has no key before the equals sign.\n"
        "  'oops' is not key=value.\n"
        "  'size' is not key=value. Write size=VALUE.\n"
        "  id__gt: No such parameter (there are: least, size, words). To filter by the column, write --filter"
        " id__gt=VALUE.\n"
        "  least: Given 2 times; it takes one value.\n"
        "  siez: No such parameter (there are: least, size, words). Did you mean 'size'?\n"
        "  size: Select a valid choice. xl is not one of the available choices. Allowed: s, m, l.\n"
        "It takes:\n"
        "  least  integer, default 1\n"
        "  words  list of text\n"
        "  size   s | m | l"
    )


@pytest.mark.parametrize("chosen", ["table", "csv", "json", "sql", "explain"])
def test_wrong_parameter_in_every_format(odd: type[Report], chosen: str):
    """Said before the database is asked."""
    assert "  least: Enter a whole number. Allowed: a whole number.\n" in message(
        "tests.odd", "least=x", "--format", chosen
    )


def test_wrong_word_beside_right_parameters(odd: type[Report]):
    assert message("tests.odd", "least=1", "size").splitlines()[:3] == [
        "report 'tests.odd':",
        "  'size' is not key=value. Write size=VALUE.",
        "It takes:",
    ]


def test_parameters_that_the_reports_own_code_refuses(make: MakeReport):
    def refuse(self: Report) -> None:
        raise ParamsError("Not on Sundays.")

    make("closed", "SELECT 1 AS one\n", get_context=refuse)

    assert message("tests.closed") == "report 'tests.closed':\n  Not on Sundays.\nIt takes no parameters."


def test_wrong_parameter_of_a_report_without_any():
    assert message("tests.quoted", "n=1") == (
        "report 'tests.quoted':\n  n: No such parameter (there are: none).\nIt takes no parameters."
    )


# Options.


def test_unknown_report():
    assert message("tests.qouted").endswith("Did you mean 'tests.quoted'?")
    assert message("tests.qouted", "--help").endswith("Did you mean 'tests.quoted'?")


def test_wrong_options_are_said_at_once(tmp_path: Path):
    found = message(
        "n=1", "--format", "cvs", "--limit", "0", "--database", "defualt", "--raw", "--output", f"{tmp_path}/no/x.csv"
    )

    assert found.splitlines() == [
        "'n=1' is a parameter; the report's name comes before it.",
        "--format is 'cvs' (allowed: csv, explain, json, sql, table). Did you mean 'csv'?",
        "--limit is '0'; it must be a whole number from 1, or all.",
        "--database is 'defualt' (there are: default). Did you mean 'default'?",
        f"there is no folder '{tmp_path}/no' to write 'x.csv' to.",
    ]


@pytest.mark.parametrize(
    ("words", "want"),
    [
        (["x", "--raw"], "--raw is for the format csv, not table."),
        (["x", "--analyze", "--format=sql"], "--analyze is for the format explain, not sql."),
        (["--limit=1", "--user=x"], "--limit, --user: give the NAME of a report."),
        (["--format=csv"], "the list of reports has the formats json and table, not csv."),
        (["x", "--limit=-1"], "--limit is '-1'; it must be a whole number from 1, or all."),
        (["x", "--limit=1.5"], "--limit is '1.5'; it must be a whole number from 1, or all."),
        (
            ["x", "--output=a.xml"],
            "the suffix of 'a.xml' names no format (known: .csv, .json, .sql, .txt); give one with --format.",
        ),
    ],
)
def test_wrong_option(words: list[str], want: str):
    assert message(*words) == want


def test_call_from_code(odd: type[Report], db: None):
    out = StringIO()
    call_command("report", "tests.odd", "least=2", format="json", limit=1, order_by="id", stdout=out)

    assert [row["id"] for row in json.loads(out.getvalue())] == [2]


def test_manual_names_what_there_is():
    """Each format, each exit code, and each option with its text."""
    text = run("--help")

    for name in formats.WRITERS:
        assert f"\n  {name:<8} " in text
    assert tuple(sorted(formats.WRITERS)) == arguments.FORMATS
    for code in (0, 1, 2, 3, 4, 130, 141, 143):
        assert f"\n  {code:<3}  " in text
    assert "%(prog)s" not in text
    assert max(map(len, text.partition("\nparameters:\n")[2].splitlines())) <= 80


# Filters, ordering, limit, user.


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("id=2", [2]),
        ("id__in=1,3", [3, 1]),
        ("id__range=2,3", [3, 2]),
        ("text__isnull=true", [2]),
        ("text__isnull=no", [3, 1]),
        ("text=", []),
        ("text__contains=%", [3]),
        ("at__gt=2026-01-31 08:29", [1]),  # in the project's zone, half past three off
        ("at__lt=2026-01-31 08:31", [1]),
        ("at__gt=2026-01-31 08:31", []),
        ("at__date=2026-01-31", [1]),
        ("at__date__in=2026-01-31,2026-02-01", [1]),
        ("at__year__range=2025,2026", [1]),
        ("pk=1", [1]),
    ],
)
def test_filter(odd: type[Report], db: None, text: str, want: list[int]):
    assert _ids("--filter", text) == want


def test_filters_add_up(odd: type[Report], db: None):
    assert _ids("--filter", "id__gt=1", "--filter", "id__lt=3") == [2]


def test_filter_boolean_column(make: MakeReport, db: None):
    make("flags", "-- column: ok boolean\nSELECT * FROM (VALUES (true), (false)) AS v (ok)\n")

    assert json.loads(run("tests.flags", "--filter", "ok=false", "--format=json")) == [{"ok": False}]
    assert json.loads(run("tests.flags", "--filter", "ok__in=true,false", "--order-by=ok", "--format=json")) == [
        {"ok": False},
        {"ok": True},
    ]


def test_filter_across_a_key(db: None):
    north = Store.objects.create(name="north")
    for store in (north, Store.objects.create(name="south")):
        Figure.objects.create(store=store, month=date(2026, 1, 1), revenue=1)

    found = json.loads(run("tests.figures", "--filter", "store__name=north", "--format", "json"))
    assert found == json.loads(run("tests.figures", "--filter", "store__name__in=north, none", "--format", "json"))
    assert found == json.loads(run("tests.figures", "--filter", f"store__id__in={north.pk},0", "--format", "json"))

    assert [row["store_id"] for row in found] == [north.pk]


@pytest.mark.parametrize(
    ("words", "want"),
    [
        (["--filter", "ids=1"], "--filter 'ids=1': there is no column 'ids' (there are: {}). Did you mean 'id'?"),
        (["--filter", "id"], "--filter 'id' is not LOOKUP=VALUE, such as open_tickets__gt=10."),
        (["--filter", "=1"], "--filter '=1' is not LOOKUP=VALUE, such as open_tickets__gt=10."),
        (["--filter", "id=x"], "--filter 'id=x': Field 'id' expected a number but got 'x'."),
        (["--filter", "at=x"], "--filter 'at=x': Enter a valid date/time."),
        (["--filter", "id__isnull=x"], "--filter 'id__isnull=x': Enter true or false."),
        (["--filter", "id__isnull="], "--filter 'id__isnull=': This field is required."),
        (["--filter", "_connector=OR"], "--filter '_connector=OR': there is no column '_connector' (there are: {})."),
        (["--order-by=idd"], "--order-by 'idd': there is no column 'idd' (there are: {}). Did you mean 'id'?"),
        (["--order-by=id__x"], "Cannot resolve keyword 'x' into field. Join on 'id' not permitted."),
    ],
)
def test_wrong_filter_and_ordering(odd: type[Report], words: list[str], want: str):
    assert message("tests.odd", *words) == want.format("at, id, text")


def test_wrong_lookup(odd: type[Report]):
    assert message("tests.odd", "--filter", "id__gtt=1").startswith(
        "--filter 'id__gtt=1': Unsupported lookup 'gtt' for IntegerField"
    )


def test_filter_of_bytes_that_are_no_text(odd: type[Report]):
    assert message("tests.odd", "--filter", "text=\udcff").startswith("--filter 'text=\\udcff': 'utf-8' codec")


def test_order_by(odd: type[Report], db: None):
    """A minus sign does not make it an option."""
    assert _ids("--order-by", "id") == [1, 2, 3]
    assert _ids("--order-by", "-text, id") == _ids("--order-by=-text,id")
    assert _ids("--order-by", "-id") == [3, 2, 1]


def test_order_by_a_key_that_there_is_not():
    assert message("tests.keyless", "--order-by=pk").startswith("--order-by: tests.keyless has no key")


def test_order_by_without_columns():
    with pytest.raises(CommandError, match="argument --order-by: expected one argument"):
        run("tests.quoted", "--order-by", "--raw")


def test_limit(odd: type[Report], db: None):
    assert _ids("--limit", "2") == [3, 2]
    assert run("tests.odd", "--limit", "2", "--format", "csv") == "id,Its text,at\n3,100%,\n2,,\n"
    assert run("tests.odd", "--limit", "2").endswith("(2 of 3 rows; --limit all shows every one)\n")
    assert run("tests.odd", "--limit", "3").endswith("(3 rows)\n")


def test_limit_of_a_table(make: MakeReport, db: None, tmp_path: Path):
    """50 on standard output, all in a file."""
    make("many", "-- column: n integer pk\nSELECT n FROM generate_series(1, 60) AS n\n")

    assert run("tests.many").endswith("(50 of 60 rows; --limit all shows every one)\n")
    assert len(run("tests.many", "--limit", "all").splitlines()) == 63
    run("tests.many", "--output", f"{tmp_path}/many.txt")
    assert len((tmp_path / "many.txt").read_text().splitlines()) == 63


def test_limit_of_a_table_whose_number_is_unknown(make: MakeReport, db: None):
    """The rows are shown when the report can be read in part and not counted."""
    make("partial", "-- column: n integer\nSELECT 1 / (60 - n) AS n FROM generate_series(1, 60) AS n\n")

    found = run("tests.partial", "--limit", "2", "--filter", "n__gte=0")

    assert found.endswith("(the first 2 rows; --limit all shows every one)\n")


def test_user(db: None):
    User.objects.create(username="staff", is_staff=True)
    department = Department.objects.create(name="Support", region="north", created=date(2020, 1, 1))
    Ticket.objects.create(department=department, status="open", priority=1, opened_at=datetime(2026, 1, 1, tzinfo=UTC))

    as_nobody, as_staff = run("helpdesk.department_tickets"), run("helpdesk.department_tickets", "--user", "staff")

    assert as_nobody.endswith("\n(0 rows)\n")
    assert as_staff.splitlines()[2:] == [
        f"{department.pk:>13} | Support |            1 |              0 | NULL",
        "(1 row)",
    ]


def test_user_unknown(db: None):
    assert message("helpdesk.department_tickets", "--user", "x") == "--user: there is no user with the username 'x'."


# Formats.


def test_table(odd: type[Report], db: None):
    assert run("tests.odd") == (
        "id | text | at\n"
        "---+------+---------------------------------\n"
        " 3 | 100% | NULL\n"
        " 2 | NULL | NULL\n"
        " 1 | one  | 2026-01-31 12:00:00.123456+00:00\n"
        "(3 rows)\n"
    )


def test_table_of_instances(db: None):
    assert run("tests.transfers", "--filter", "id__gt=1") == (
        "id | source_id | target_id | amount\n"
        "---+-----------+-----------+-------\n"
        " 2 |         2 |         3 |     20\n"
        " 3 |         1 |         3 |     30\n"
        "(2 rows)\n"
    )


@pytest.mark.parametrize("name", ["tests.undeclared", "tests.store_months", "tests.shops", "tests.keyless"])
def test_every_kind_of_row(db: None, name: str):
    """Columns that nothing declares, a key of two columns, a foreign key of its own name, no key."""
    names = json.loads(run("--format=json"))
    declared = next(each["columns"] for each in names if each["name"] == name)
    Figure.objects.create(store=Store.objects.create(name="x"), month=date(2026, 1, 1), revenue=1, label="a")

    header = run(name, "--format", "csv", "--raw").splitlines()[0]

    assert [each.strip() for each in run(name).splitlines()[0].split("|")] == (
        [each["name"] for each in declared] or header.split(",")
    )


def test_csv_is_the_exports_own(odd: type[Report], db: None):
    assert run("tests.odd", "--format", "csv") == (
        "id,Its text,at\n3,100%,\n2,,\n1,one,2026-01-31 12:00:00.123456+00\n"
    )


def test_csv_raw(make: MakeReport, db: None):
    make("formula", "-- column: cell text\nSELECT '=1+1' AS cell\n")

    assert run("tests.formula", "--format", "csv") == "cell\n'=1+1\n"
    assert run("tests.formula", "--format", "csv", "--raw") == "cell\n=1+1\n"


def test_csv_is_bytes_in_utf_8(make: MakeReport, db: None):
    """Whatever encoding the standard output has."""
    make("wide", "-- column: t text\nSELECT 'ü日' AS t\n")
    for chosen, want in {"csv": "t\nü日\n", "json": '[\n{"t": "ü日"}\n]\n', "table": "t\n---\nü日\n(1 row)\n"}.items():
        raw = TextIOWrapper(BytesIO(), "ascii")
        call_command("report", "tests.wide", format=chosen, stdout=raw)
        raw.buffer.seek(0)
        assert raw.buffer.read().decode() == want


def test_json(odd: type[Report], db: None):
    assert run("tests.odd", "--format", "json") == (
        "[\n"
        '{"id": 3, "text": "100%", "at": null},\n'
        '{"id": 2, "text": null, "at": null},\n'
        '{"id": 1, "text": "one", "at": "2026-01-31T12:00:00.123456+00:00"}\n'
        "]\n"
    )


def test_json_of_no_rows(odd: type[Report], db: None):
    assert run("tests.odd", "least=9", "--format", "json") == "[]\n"


RANGES = {
    "int4range": "[1,5)",
    "daterange": "[2026-01-01,)",
    "numrange": "(,1.5]",
    "tsrange": '["2026-01-01 00:00:00","2026-02-01 00:00:00.5")',
    "tstzrange": '(,"2026-01-01 01:00:00+00"]',
    "int8range": "empty",
    "int4multirange": "{[1,3),[5,6)}",
    "datemultirange": "{}",
    "tstzmultirange": '{["2026-01-01 01:00:00+00",)}',
    "int4range[]": '{"[1,2)",empty}',
    "nummultirange[]": '{"{[1,2)}"}',
}


@pytest.mark.parametrize("kind", RANGES)
def test_ranges_are_what_postgresql_reads(make: MakeReport, db: None, kind: str):
    make("range", f"-- column: x {kind}\nSELECT '{RANGES[kind]}'::{kind} AS x\n")

    (found,) = json.loads(run("tests.range", "--format", "json"))
    shown = run("tests.range").splitlines()[2].strip()

    assert shown == (json.dumps(found["x"]) if isinstance(found["x"], list) else found["x"])
    through = f"text[]::{kind}" if kind.endswith("[]") else kind
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT %s::{through} = '{RANGES[kind]}'", [found["x"]])
        assert cursor.fetchone() == (True,)


def test_user_whose_name_is_no_utf8(make: MakeReport, db: None):
    make("one", "-- column: n integer pk\nSELECT 1 AS n\n")

    with pytest.raises(CommandError, match="there is no user with the username"):
        run("tests.one", "--user", "\udcff")


def test_json_is_read_in_portions(make: MakeReport, db: None):
    """By a cursor of the server: the statement declares one."""
    make("many", "-- column: n integer pk\nSELECT n FROM generate_series(1, 4001) AS n\n")
    seen: list[bool] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(isinstance(context["cursor"].cursor, psycopg.ServerCursor))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        found = json.loads(run("tests.many", "--format", "json"))

    assert [row["n"] for row in found] == list(range(1, 4002))
    assert any(seen)


def test_json_of_special_values(make: MakeReport, db: None):
    columns = {
        "nan": ("double precision", "'NaN'::float8"),
        "below": ("double precision", "'-Infinity'::float8"),
        "big": ("numeric", "123456789012345678901234567890.5"),
        "raw": ("bytea", r"'\x00ff'::bytea"),
        "span": ("interval", "interval '1 day 2 seconds'"),
        "days": ("daterange", "'[2026-01-01,2026-02-01)'::daterange"),
        "doc": ("jsonb", """'{"a": [1, null]}'::jsonb"""),
        "list": ("integer[]", "'{1,2}'::int[]"),
    }
    lines = [f"-- column: {name} {kind}\n" for name, (kind, _) in columns.items()]
    make("special", f"{''.join(lines)}SELECT {', '.join(f'{sql} AS {name}' for name, (_, sql) in columns.items())}\n")

    assert json.loads(run("tests.special", "--format", "json")) == [
        {
            "nan": "NaN",
            "below": "-Infinity",
            "big": "123456789012345678901234567890.5",
            "raw": "\\x00ff",
            "span": "P1DT00H00M02S",
            "days": "[2026-01-01,2026-02-01)",
            "doc": {"a": [1, None]},
            "list": [1, 2],
        }
    ]


def test_sql_needs_no_database(odd: type[Report]):
    assert run("tests.odd", "least=-2", "words=it's,b", "--format", "sql") == (
        "-- report tests.odd\n"
        "SELECT * FROM (VALUES\n"
        "    (1, 'one', '2026-01-31 12:00:00.123456+00'::timestamptz), (2, NULL, NULL), (3, '100%', NULL)\n"
        ") AS v (id, text, at)\n"
        "WHERE id >= (-2)  AND text IN ('it''s', 'b')\n"
        ";\n"
    )


@pytest.mark.parametrize("words", [[], ["--limit=2"], ["--filter", "text__contains=%"], ["--order-by=id"]])
def test_sql_gives_the_same_rows(odd: type[Report], db: None, words: list[str]):
    sql = run("tests.odd", *words, "--format", "sql")

    with connection.cursor() as cursor:
        cursor.execute(sql)
        found = cursor.fetchall()

    if not words:  # the template's own statement does not know the header's ordering
        found.sort(reverse=True, key=lambda row: row[0])
    assert [row[0] for row in found] == _ids(*words)


def test_sql_of_rows_that_cannot_be(odd: type[Report], db: None):
    """Where Django knows that there are none, there is a statement all the same."""
    sql = run("tests.odd", "--filter", "id__in=99", "--limit=1", "--format", "sql")

    with connection.cursor() as cursor:
        cursor.execute(sql)
        assert cursor.fetchall() == []


def test_explain(odd: type[Report], db: None):
    expected, measured = run("tests.odd", "--format=explain"), run("tests.odd", "--format=explain", "--analyze")

    assert "Values Scan" in expected
    assert "loops" not in expected
    assert "loops" in measured.splitlines()[0]


def test_explain_conditions(odd: type[Report], db: None):
    assert "Filter: " not in run("tests.odd", "--format=explain")
    assert "Filter: " in run("tests.odd", "--format=explain", "-v", "2")


# What the database says.


def test_database_error(db: None):
    with pytest.raises(CommandError) as caught:
        run("tests.faulty")

    assert caught.value.returncode == 3
    assert str(caught.value).startswith("report 'tests.faulty': PostgreSQL's error 42883 (UndefinedFunction) at ")
    assert str(caught.value).endswith("faulty.sql:9. -v 2 shows PostgreSQL's own words.")
    assert "s3cret" not in str(caught.value)


def test_database_error_in_postgresqls_words(db: None):
    with pytest.raises(CommandError, match=r"faulty\.sql:9\.\nfunction lenght"):
        run("tests.faulty", "-v", "2")


def test_timeout(db: None):
    with pytest.raises(CommandError) as caught:
        run("tests.slow_rows", "rows=1", "seconds=5")

    assert caught.value.returncode == 4
    assert str(caught.value) == "report 'tests.slow_rows': stopped after its timeout of 0.3 s."


def test_template_error(make: MakeReport, tmp_path: Path):
    make("typo", "SELECT {{ nmae }} AS n\n", get_context=lambda self: {"name": 1})

    assert message("tests.typo") == (
        f"{tmp_path}/typo.sql:1: 'nmae' is undefined (the template has: name). Did you mean 'name'?"
    )


def test_database_error_outside_the_report(monkeypatch: pytest.MonkeyPatch):
    def no_server() -> None:
        raise OperationalError("connection failed: Connection refused\n")

    monkeypatch.setattr("reports.management.selection.get_user_model", no_server)

    with pytest.raises(CommandError) as caught:
        run("tests.quoted", "--user", "x")

    assert (caught.value.returncode, str(caught.value)) == (3, "the database: connection failed: Connection refused")


def test_other_database_system(odd: type[Report], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(connection, "vendor", "sqlite")

    assert message("tests.odd") == "the database 'default' is sqlite; reports need PostgreSQL."
