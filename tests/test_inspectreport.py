"""``manage.py inspectreport``: what it prints is valid, what it writes is read back, each mistake has its message."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from django import forms
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections
from django.test import override_settings

from reports import Report, register, registered, registry
from reports.header import parse_header
from reports.loader import find_template
from reports.management.inspection import inspect_report
from reports.management.probes import Probe, name_of, plain, probed
from reports.management.variables import find_variables
from reports.param_fields import ListParam
from reports.prebuilt.vocabulary.declared import Prebuilt
from tests.printed import run_printed

pytestmark = pytest.mark.django_db

APP = "example_project.helpdesk"
LOADS = """\
-- doc: Tickets "as they are".
-- example: {"sort": "status", "n": 5}
SELECT t.id AS ticket_id, t.status, t.priority, e.name AS "class", ARRAY[t.opened_at] AS times
FROM {{ tickets }} AS t JOIN {{ table("helpdesk.Employee") }} AS e ON e.id = t.assignee_id
WHERE t.opened_at >= {{ opened_from }}
  {% if priorities is given %} AND priority IN {{ priorities | inclause }} {% endif %}
  {% if statuses is given %} AND t.status = ANY({{ statuses }}) {% endif %}
  {% if urgent is given %} AND priority = 1 {% else %} AND t.department_id = {{ department }} {% endif %}
  {% for word in words %} AND e.name <> {{ word }} {% endfor %}
  {% if n > 4 and mode != "all" %} AND t.resolution_hours > {{ hours }} {% endif %}
ORDER BY {{ sort | identifier }}
LIMIT {{ n }}
"""
LOADS_PRINTED = '''\
-- column: ticket_id bigint null
-- column: status character varying(7) null
-- column: priority smallint null
-- column: class text null
-- column: times timestamptz[] null

import datetime
from collections.abc import Mapping
from typing import TypedDict

from django import forms
from django.db import models

from example_project.helpdesk.models import Ticket
from reports import Report
from reports.fields import ArrayField
from reports.param_fields import ListParam


class Loads(Report):
    """Tickets "as they are"."""

    template = "helpdesk/loads.sql"

    class Params(forms.Form):
        opened_from = forms.DateTimeField()
        priorities = ListParam(forms.IntegerField(), required=False)
        statuses = ListParam(forms.CharField(), required=False)
        department = forms.IntegerField()
        urgent = forms.CharField(required=False)  # PostgreSQL cannot tell its type
        words = ListParam(forms.CharField())
        hours = forms.DecimalField()
        mode = forms.CharField()  # PostgreSQL cannot tell its type
        n = forms.IntegerField()
        sort = forms.ChoiceField(choices=[("status", "status")])  # text of the statement: list all that may stand there

    def get_context(self) -> Mapping[str, object]:
        # What the user may see: filter these by self.user.
        return {
            "tickets": Ticket.objects.all(),
        }


# For instances in place of dicts: model = LoadsRow in the report, and no column: lines.
# Some of its fields need "django.contrib.postgres" in INSTALLED_APPS.
class LoadsRow(models.Model):
    # Django needs a key, and no column is declared as pk: this one must be unique.
    ticket_id = models.BigIntegerField(primary_key=True)
    status = models.CharField(max_length=7, null=True)
    priority = models.SmallIntegerField(null=True)
    class_field = models.TextField(null=True, db_column="class")
    times = ArrayField(models.DateTimeField(), null=True)

    class Meta:
        managed = False


# The rows as dicts, for type checkers.
LoadsDict = TypedDict(
    "LoadsDict",
    {
        "ticket_id": int | None,
        "status": str | None,
        "priority": int | None,
        "class": str | None,
        "times": list[datetime.datetime | None] | None,
    },
)
'''

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Iterator[Write]:
    """Return a function that writes a template; its folder is one of the settings'."""

    def written(text: str, name: str = "helpdesk/loads.sql") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    with override_settings(REPORTS={"TEMPLATE_DIRS": [tmp_path]}):
        yield written


@pytest.fixture(autouse=True)
def extra_reports() -> Iterator[None]:
    """Take the reports of a test out of the registry again."""
    before = dict(registry._reports)
    yield
    registry._reports.clear()
    registry._reports.update(before)


def inspected(*args: str) -> str:
    out = StringIO()
    call_command("inspectreport", *args, stdout=out)
    return out.getvalue()


def refused(*args: str) -> str:
    with pytest.raises(CommandError) as caught:
        call_command("inspectreport", *args)
    return str(caught.value)


def run_python(printed: str) -> dict[str, Any]:
    """Return what the printed Python defines, its model taken out of the app registry again."""
    code = re.sub(r"\A(?:-- .*\n)*", "", printed)
    return run_printed(code, f"{APP}.printed")


# What is printed.


def test_template_that_nothing_declares(write: Write):
    write(LOADS)

    printed = inspected("helpdesk/loads.sql")

    assert printed == LOADS_PRINTED
    names = run_python(printed)
    report: type[Report] = names["Loads"]
    query = report().query({"opened_from": "2026-01-01", "department": 1, "hours": 1, "mode": "x", "n": 5,
                            "sort": "status", "words": ["a"], "priorities": "1,2"})  # fmt: skip
    assert [str(param) for param in query.params[1:]] == ["1", "2", "1", "a", "1", "5"]
    assert get_type_hints(names["LoadsDict"])["times"] == list[datetime.datetime | None] | None


WRITTEN = [
    name for name, report in registered().items() if not name.startswith("tests.") and not issubclass(report, Prebuilt)
]


@pytest.mark.parametrize("name", WRITTEN)
def test_reports_of_the_example_project(name: str):
    """Their columns are declared: the same lines come out, and Python that Django has nothing against."""
    report = registered()[name]
    template = report.get_template()

    printed = inspected(name)

    if report.model is None:
        header = "".join(re.findall(r"-- column: .*\n", printed))
        assert parse_header(f"-- doc: d\n{header}").columns == template.header.columns
    names = run_python(printed)
    made: type[Report] = names[report.__name__]
    assert made.template == report.template
    assert [*made.get_form_class().base_fields] == [*report.get_form_class().base_fields]
    assert set(made().get_context()) == set(report().get_context())
    model = names[f"{report.__name__}Row"]
    faults = [message for message in model.check(databases=["default"]) if message.level >= 40]
    assert [message for message in faults if message.id != "postgres.E005"] == []
    assert not faults or '# Some of its fields need "django.contrib.postgres" in INSTALLED_APPS.\n' in printed
    columns = [field.column for field in model._meta.concrete_fields]
    assert sorted(get_type_hints(names[f"{report.__name__}Dict"])) == sorted(columns)


def test_report_with_a_model_has_the_models_columns():
    lines = re.findall(r"-- column: (.*)\n", inspected("helpdesk.employee_loads"))

    assert lines[:2] == ["employee_id bigint pk fk=helpdesk.Employee", "department_id bigint fk=helpdesk.Department"]


def test_names_that_mean_something_else_in_python(write: Write):
    """Django has nothing against the model, and a type checker knows the types."""
    write(
        """SELECT 1 AS models, now() AS at, 2 AS objects, 3 AS check, 4 AS datetime, 5 AS id, 'a' AS "from\"""",
        "odd.sql",
    )

    printed = inspected("odd.sql")

    assert "this one must be unique.\n    id = models.IntegerField(primary_key=True)\n" in printed
    names = run_python(printed)
    model = names["OddRow"]
    assert [message for message in model.check(databases=["default"]) if message.level >= 40] == []
    assert model._meta.pk.name == "id"
    assert [(field.name, field.column) for field in model._meta.concrete_fields if field.name != field.column] == [
        ("models_field", "models"),
        ("objects_field", "objects"),
        ("check_field", "check"),
        ("from_field", "from"),
    ]
    hints = get_type_hints(names["OddDict"])
    assert (hints["at"], hints["datetime"], hints["from"]) == (datetime.datetime | None, int | None, str | None)


def test_installed_postgres_app_is_not_asked_for(monkeypatch: pytest.MonkeyPatch, write: Write):
    write("SELECT 1 AS id, ARRAY[1] AS numbers", "n.sql")
    monkeypatch.setattr(apps, "is_installed", lambda name: name == "django.contrib.postgres")

    assert "INSTALLED_APPS" not in inspected("n.sql")


def test_composite_key():
    printed = inspected("tests.store_months")

    assert 'pk = models.CompositePrimaryKey("store", "month")' in printed
    model = run_python(printed)["StoreMonthsRow"]
    assert model._meta.pk.field_names == ("store", "month")


def test_file_name_and_template_name_mean_the_same(write: Write, monkeypatch: pytest.MonkeyPatch):
    path = write(LOADS)
    monkeypatch.chdir(path.parent)

    assert inspected(str(path)) == inspected("loads.sql") == inspected("helpdesk/loads.sql")


EVERY_TYPE = {
    "bigint": "int", "bytea": "bytes", "boolean": "bool", "date": "datetime.date", "double precision": "float",
    "interval": "datetime.timedelta", "jsonb": "Any", "jsonb[]": "list[Any]", "numeric(5,2)": "Decimal",
    "text[][]": "list[str | None]", "time": "datetime.time", "uuid": "UUID", "inet": "str", "macaddr": "str",
    "int4range": "Range[int]", "tsrange[]": "list[Range[datetime.datetime] | None]",
    "nummultirange": "Multirange[Decimal]", "character(3)": "str", "timestamp": "datetime.datetime", "oid": "int",
    "tsvector": "str", "bit varying(3)[]": "list[str | None]", '"char"': "str", "json": "Any",
}  # fmt: skip


def test_every_type_is_printed(write: Write):
    """Each type as a model's field and as a type checker knows it."""
    columns = ", ".join(f"NULL::{kind} AS c{i}" for i, kind in enumerate(EVERY_TYPE))
    write(f"-- doc: d\nSELECT 1 AS id, {columns}", "types.sql")

    printed = inspected("types.sql")

    for i, kind in enumerate(EVERY_TYPE.values()):
        assert f"    c{i}: {kind}{'' if kind == 'Any' else ' | None'}\n" in printed
    model = run_python(printed)["TypesRow"]
    built = {column.name: column for column in inspect_report(report_of("types.sql"), using="default").columns}
    for field in model._meta.concrete_fields[1:]:
        assert (field.null, field.column in built) == (True, True)
        assert field.db_type(connection)


def test_nullability_and_arrays_of_declared_columns(write: Write):
    write(
        "-- column: a text[][]\n-- column: b bigint null label='It''s'\nSELECT ARRAY['x'] AS a, 1 AS b, 2 AS c", "n.sql"
    )

    printed = inspected("n.sql")

    assert printed.startswith("-- column: a text[][]\n-- column: b integer null label=Its\n-- column: c integer null\n")
    assert "    a: list[list[str | None]]\n    b: int | None\n" in printed
    assert "    a = ArrayField(ArrayField(models.TextField()), primary_key=True)\n" in printed


def test_parameters_of_the_header_are_not_declared_again(write: Write):
    write("-- doc: d\n-- name: n\n-- param: p date default=2026-01-01\nSELECT {{ p }} AS a, {{ p }} + 1 AS b", "n.sql")

    printed = inspected("n.sql")

    assert "    # The header declares the parameters.\n" in printed
    report = run_python(printed)["N"]
    assert list(report.get_form_class().base_fields) == ["p"]


def test_form_of_every_parameter_type(write: Write):
    kinds = ("boolean", "timestamp", "date[]", "citext", "numeric", "interval", "price", "prices")
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION citext")
        cursor.execute("CREATE DOMAIN price AS numeric(8,2)")
        cursor.execute("CREATE DOMAIN prices AS numeric(8,2)[]")
    write("SELECT " + ", ".join(f"{{{{ p{i} }}}}::{kind} AS c{i}" for i, kind in enumerate(kinds)), "p.sql")

    printed = inspected("p.sql")

    found = re.findall(r"^ {8}(p\d = .*)$", printed, re.MULTILINE)
    assert found == [
        "p0 = BooleanParam()",
        "p1 = NaiveDateTimeParam()",
        "p2 = ListParam(forms.DateField())",
        "p3 = forms.CharField()  # citext",
        "p4 = forms.DecimalField()",
        "p5 = forms.DurationField()",
        "p6 = forms.DecimalField()",
        "p7 = ListParam(forms.DecimalField())",
    ]
    fields = run_python(printed)["P"].Params.base_fields
    assert isinstance(fields["p2"], ListParam)


def test_initial_of_a_declared_field_is_kept():
    assert "n = forms.IntegerField(initial=3)\n" in inspected("helpdesk.latest_tickets")


def test_declared_parameter_that_becomes_text_of_the_statement(write: Write):
    write(
        "SELECT name, {{ sort | identifier }} AS value FROM {{ table('tests.Store') }} AS s {{ order | sqlsafe }}",
        "o.sql",
    )

    @register
    class Ordered(Report):
        template = "o.sql"

        class Params(forms.Form):
            sort = forms.ChoiceField(choices=[("name", "Name"), ("id", "Id")], initial="name")
            order = forms.ChoiceField(choices=[("", "none"), ("ORDER BY 1", "name")], required=False)

    printed = inspected("tests.ordered")

    assert "-- column: value character varying(40) null\n" in printed
    assert '        sort = forms.ChoiceField(choices=[("name", "Name"), ("id", "Id")], initial="name")\n' in printed
    assert 'order = forms.ChoiceField(choices=[("", "none"), ("ORDER BY 1", "name")], required=False)\n' in printed


def test_parameter_whose_type_depends_on_its_value(write: Write):
    """date_trunc() is of three types: the form's own field tells which."""
    write("-- param: day date\nSELECT date_trunc('month', {{ day }}) AS month", "m.sql")

    assert inspected("m.sql").startswith("-- column: month timestamptz null\n")


def test_long_documentation_and_odd_characters(write: Write):
    write(f'-- doc: {"word " * 40}\\ """ "\nSELECT 1 AS a', "odd-name.2.sql")

    printed = inspected("odd-name.2.sql")

    assert max(map(len, printed.splitlines())) <= 120
    assert run_python(printed)["OddName2"].__doc__.count("word") == 40


def test_values_of_context_that_are_no_querysets(write: Write):
    write("SELECT {{ today }}::date AS day", "today.sql")

    @register
    class Today(Report):
        template = "today.sql"

        def get_context(self) -> dict[str, object]:
            return {"today": datetime.date(2026, 1, 1)}

    assert '            "today": ...,\n' in inspected("tests.today")
    assert inspected("today.sql") == inspected("tests.today")


def test_python_is_what_the_database_gives(write: Write):
    """The printed report runs, and its rows are of the printed types."""
    write("SELECT 1::bigint AS id, 2.5 AS price, {{ day }}::date AS day", "p.sql")

    names = run_python(inspected("p.sql"))

    (row,) = names["P"]().run({"day": "2026-01-31"})
    assert row == {"id": 1, "price": Decimal("2.5"), "day": datetime.date(2026, 1, 31)}
    hints = get_type_hints(names["PDict"])
    assert all(isinstance(value, hints[name]) for name, value in row.items())


def test_nothing_is_executed(write: Write):
    write("SELECT pg_sleep(1000) IS NULL AS a, 1 / {{ n }} AS b", "s.sql")

    assert inspected("s.sql").startswith("-- column: a boolean null\n-- column: b integer null\n")


# What is written.


def test_write(write: Write):
    path = write(LOADS)

    first, second = inspected("helpdesk/loads.sql", "--write"), inspected(str(path), "--write")

    assert first == f"{path}: 5 columns written.\n"
    assert second == f"{path}: 5 columns stood there already.\n"
    header = "".join(re.findall(r"-- column: .*\n", LOADS_PRINTED))
    assert path.read_text() == LOADS.replace("-- example", f"{header}-- example", 1)
    assert inspected("helpdesk/loads.sql") == LOADS_PRINTED


def test_write_keeps_what_is_declared(write: Write):
    path = write(
        "-- column: gone text\n-- column: id integer pk fk=tests.Store unit=x label='The id'\n"
        "-- column: name text null\n"
        "SELECT s.id, s.name, 1.5::numeric(3,1) AS rate FROM {{ table('tests.Store') }} AS s",
        "kept.sql",
    )

    inspected("kept.sql", "--write")

    assert path.read_text().splitlines()[:3] == [
        '-- column: id bigint pk fk=tests.Store unit=x label="The id"',
        "-- column: name text null",
        "-- column: rate numeric(3,1) null",
    ]


def test_write_beside_a_model():
    path = find_template("helpdesk/employee_loads.sql").path

    assert refused("helpdesk.employee_loads", "--write") == (
        f"{path}: column: lines would not be read, because helpdesk.EmployeeLoad declares the columns of this report."
    )


# Mistakes.


def test_unknown_names():
    assert "Did you mean 'tests.figures'?" in refused("tests.figuers")
    assert refused("helpdesk/department_ticket.sql") == (
        "there is no template 'helpdesk/department_ticket.sql'. Did you mean 'helpdesk/department_tickets.sql'?"
    )
    assert refused("../nowhere.sql").startswith("there is no template '../nowhere.sql'.")


def test_file_outside_of_the_template_folders(tmp_path: Path):
    path = tmp_path / "figures.sql"
    path.write_text("SELECT 1 AS a")

    assert refused(str(path)).startswith(f"{path}: the file is in no template folder, or one before it has")


def test_several_reports_of_one_template(write: Write):
    names = "tests.figure_instances, tests.figures, tests.ranked_figure_instances, tests.ranked_figures"
    assert refused("tests/figures.sql") == f"4 reports have the template 'tests/figures.sql': {names}. Name one."


def test_template_that_needs_a_context(write: Write):
    path = write("SELECT 1 AS a,\n {{ col | sqlsafe }}\nFROM {{ goods }} AS s JOIN {{ stock }} AS t ON true", "s.sql")

    assert refused("s.sql") == (
        f"{path}:2: {{{{ goods }}}}, {{{{ stock }}}} must come from get_context(): write the report's class, and"
        " inspect it by its name; {{ col }} becomes text of the statement: give a value in the header, -- example: {…}."
    )


def test_required_parameter_without_a_value(write: Write):
    path = write("SELECT {{ code }} AS a", "c.sql")

    @register
    class Coded(Report):
        template = "c.sql"

        class Params(forms.Form):
            code = forms.RegexField(r"X\d{9}Y")

    assert refused("tests.coded") == (
        f"{path}: no value was found for the required parameters code. Give one in the header: -- example: {{…}}"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("SELECT 1 AS a,\n  nme AS b", ':2: PostgreSQL\'s error 42703: column "nme" does not exist.'),
        ("SELECT {% if %}", ":1: Expected an expression, got 'end of statement block'."),
        ("-- colum: a text\nSELECT 1", ":1: unknown header key 'colum'"),
        ("SELECT 1 AS a,\n{{ n.x.y }} AS b", ":2: an attribute or item that is not there was looked up."),
        (
            'SELECT 1, 2 AS "to tal", 3 AS b, 4 AS b',
            ": the query gives columns whose name no header can hold: 1 ('?column?'), 2 ('to tal') and several columns"
            " of one name: 'b'. Name each with AS.",
        ),
        (
            "SELECT 1::money AS a, ARRAY[ROW(1, 2)] AS b",
            ":1: a report cannot return these columns: column 'a' is of the type money: write (a)::numeric AS a;"
            " column 'b' is of the type record[]: write to_jsonb(b) AS b.",
        ),
        ("SELECT FROM tests_region", ": the query gives no column."),
        ("SELECT 1 AS pk", ": a column may not be called 'pk': Django means something else by it."),
        ("SELECT 1 AS a, 2 AS a__b", ": a column may not be called 'a__b': Django means something else by it."),
        ("-- column: a bigint fk=tests.Stor\nSELECT 1 AS a", ":1: column 'a': there is no model 'tests.Stor'"),
    ],
)
def test_faulty_template(text: str, message: str, write: Write):
    path = write(text, "faulty.sql")

    for args in (("faulty.sql",), ("faulty.sql", "--write")):
        assert refused(*args).startswith(f"{path}{message}")
    assert path.read_text() == text


def test_no_database(monkeypatch: pytest.MonkeyPatch):
    assert refused("tests.figures", "--database", "defalt") == (
        "there is no database 'defalt' (there are: default). Did you mean 'default'?"
    )
    monkeypatch.setattr(connections["default"], "vendor", "sqlite")
    assert refused("tests.figures") == "the database 'default' is sqlite; reports are for PostgreSQL."


def test_database_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch):
    def fail() -> None:
        raise OperationalError("no route to host")

    monkeypatch.setattr(connections["default"], "ensure_connection", fail)
    assert refused("tests.figures") == "the database 'default' cannot be reached: no route to host"


def test_exit_codes(write: Write):
    """As those of ``manage.py report``: 1 for what was asked, 3 for the database."""
    write("SELECT nme", "n.sql")
    codes = []
    for name in ("nowhere", "n.sql"):
        with pytest.raises(CommandError) as caught:
            call_command("inspectreport", name)
        codes.append(caught.value.returncode)

    assert codes == [1, 3]


def test_database_that_fails(monkeypatch: pytest.MonkeyPatch):
    def fail(*args: object, **kwargs: object) -> None:
        raise OperationalError("the connection was lost")

    monkeypatch.setattr("reports.management.inspection.describe_query", fail)
    assert refused("tests.figures") == "the database 'default' failed: the connection was lost"


def test_file_that_cannot_be_written(write: Write, monkeypatch: pytest.MonkeyPatch):
    path = write("SELECT 1 AS a", "a.sql")

    def fail(*args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("tempfile.mkstemp", fail)
    assert refused("a.sql", "--write") == f"[Errno 13] Permission denied: '{path}'"


# Variables and probes.


def test_variables(write: Write):
    write("{% if deep %} AND a = {{ inner }} {% endif %}", "part.sql")
    write(
        "SELECT {{ a }} AS a, {% for x in xs %} {{ x }}, {% endfor %} {{ c | identifier }}\nFROM {{ t }}\n"
        "LEFT JOIN LATERAL {{ u }} ON true WHERE {{ b }} {% include 'part.sql' %}"
        " {% if b is given %}{% endif %} IN {{ ys | inclause }} {% set s = 1 %}{{ s }}{{ table('tests.Store') }}"
        " {% if a.b is given or [1] is given or a is mapping %}{% endif %} {% for i in [1] %}{% endfor %}"
        " {{ [a] | inclause }}",
        "v.sql",
    )

    found = find_variables("v.sql")

    assert set(found) == {"a", "xs", "c", "t", "u", "b", "ys", "deep", "inner"}
    assert {name for name, variable in found.items() if variable.is_optional} == {"b", "deep"}
    assert {name for name, variable in found.items() if variable.is_list} == {"xs", "ys"}
    assert {name for name, variable in found.items() if variable.is_table} == {"t", "u"}
    assert {name for name, variable in found.items() if variable.is_text} == {"c"}
    assert (found["u"].line, found["t"].line) == (3, 2)


def test_probe_is_like_its_value():
    five: Any = Probe("n", 5)
    word: Any = Probe("word", "abc")

    assert five == 5 and five == Probe("m", 5) and five != 6 and 4 < five <= 5  # noqa: PT018
    assert (five + 1, 1 + five, 7 - five, five * 2, 10 / five, 11 // five, five % 2) == (6, 6, 2, 10, 2.0, 2, 1)
    assert "b" in word and word[0] == "a" and word.upper() == "ABC" and list(word) == ["a", "b", "c"]  # noqa: PT018
    assert bool(five) and not Probe("n", 0) and bool(Probe("n"))  # noqa: PT018
    assert (str(five), {five: 1}[5]) == ("5", 1)
    assert [name_of(item) for item in Probe("n")] == ["n"]
    with pytest.raises(AttributeError):
        five.__call__  # noqa: B018


def test_probes_in_a_query():
    assert name_of(probed("xs", (1, 2))) == name_of([[Probe("xs")]]) == "xs"
    assert plain(probed("xs", [1, [2]])) == [1, [2]]
    assert probed("j", {"a": 1}) == {"a": 1}
    assert name_of([]) is name_of("x") is None
    assert plain("x") == "x"


def report_of(template_name: str) -> type[Report]:
    return type("Made", (Report,), {"template": template_name, "__module__": __name__})


class Elsewhere:
    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "elsewhere"


def test_database_is_the_one_that_the_rows_are_read_from(settings: Any):
    settings.DATABASE_ROUTERS = [Elsewhere()]

    assert refused("tests.figures") == "there is no database 'elsewhere' (there are: default)."
