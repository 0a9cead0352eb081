"""Examples that the form refuses, names that clash, declarations that nothing reads, files and databases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.apps import apps
from django.contrib.postgres.forms import SimpleArrayField
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from reports import loader
from reports.checks import engines
from tests.checking import ORDERED, Project
from tests.models import FigureRow, Region


@pytest.fixture
def project(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(tmp_path, settings, monkeypatch)


def refuse(*args: Any) -> Any:
    raise AssertionError("code of the project was run")


def form_of(**fields: forms.Field) -> type[forms.Form]:
    return type("Params", (forms.Form,), fields)


# Examples.

PARAMS = (
    "-- param: n integer required\n-- param: day date\n"
    "-- param: words text list choices=a|b\n-- param: least bigint default=1\n"
)
READ = "SELECT {{ n }} {{ day }} {{ words }} {{ least }}"


@pytest.mark.parametrize(
    "example",
    [
        '{"n": 1}',
        '{"n": "1", "day": "2026-01-31", "words": ["a", "b"], "least": null}',
        '{"n": 1, "words": "a", "day": ""}',
    ],
)
def test_example_is_taken(project: Project, example: str):
    project.report(f"{PARAMS}-- example: {example}\n{READ}")

    assert project.found() == []


@pytest.mark.parametrize(
    ("example", "problems"),
    [
        ("{}", ["n: This field is required. Allowed: a whole number."]),
        (
            '{"n": 1, "dya": "2026-01-31"}',
            ["dya: there is no such parameter (there are: day, least, n, words). Did you mean 'day'?"],
        ),
        (
            '{"n": "x", "day": "31 Jan", "zz": 1}',
            [
                "zz: there is no such parameter (there are: day, least, n, words).",
                "n: Enter a whole number. Allowed: a whole number.",
                "day: Enter a valid date. Allowed: a date such as 2026-01-31.",
            ],
        ),
        (
            '{"n": 1, "words": ["c"]}',
            ["words: Select a valid choice. c is not one of the available choices. Allowed: a, b."],
        ),
    ],
)
def test_example_is_refused(project: Project, example: str, problems: list[str]):
    report = project.report(f'{PARAMS}-- example: {{"n": 1}}\n-- example: {example}\n{READ}')

    messages = project.messages()

    assert [project.short(message.msg) for message in messages] == [
        f"a.sql:8: the example is refused: {problem}" for problem in problems
    ]
    assert {(message.id, message.obj) for message in messages} == {("reports.E008", report)}
    assert messages[0].hint == "An example is a JSON object of parameters with which the report can be run."


class OwnField(forms.CharField):
    def clean(self, value: Any) -> Any:
        return refuse()


@pytest.mark.parametrize(
    "field",
    [
        OwnField(),
        forms.CharField(validators=[refuse]),
        forms.ModelChoiceField(Region.objects.all()),
        forms.ChoiceField(choices=refuse),
        forms.TypedChoiceField(choices=[("1", "1")], coerce=refuse),
        SimpleArrayField(OwnField()),
        forms.MultiValueField([OwnField(), forms.CharField()]),
        forms.ComboField(fields=[OwnField(), forms.CharField()]),
    ],
)
def test_example_of_a_field_that_runs_code_of_the_project(project: Project, field: forms.Field):
    """Whose values the check with a database tries; the others of the example are tried all the same."""
    project.report(
        '-- example: {"own": "1", "n": "x"}\nSELECT {{ own }} {{ n }}',
        Params=form_of(own=field, n=forms.IntegerField()),
    )

    assert project.found() == [
        "E008 a.sql:3: the example is refused: n: Enter a whole number. Allowed: a whole number."
    ]


def test_example_leaves_out_an_initial_that_is_computed(project: Project):
    form_class = form_of(
        n=forms.IntegerField(initial=refuse), m=forms.TypedChoiceField(choices=[("1", "")], coerce=int)
    )
    project.report('-- example: {"m": "1"}\n-- example: {"n": "x", "m": 2}\nSELECT {{ n }} {{ m }}', Params=form_class)

    assert project.found() == [
        "E008 a.sql:4: the example is refused: n: Enter a whole number. Allowed: a whole number.",
        "E008 a.sql:4: the example is refused: m: Select a valid choice. 2 is not one of the available choices. "
        "Allowed: 1.",
    ]


def test_example_of_a_form_that_makes_its_fields(project: Project):
    class Grows(forms.Form):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            refuse()

    project.report('-- example: {"n": 1}\nSELECT 1', Params=Grows)

    assert project.found() == []


# Names that clash.


@pytest.mark.parametrize("name", ["cursor", "format", "limit", "offset", "ordering", "page", "page_size", "search"])
def test_parameter_called_like_a_key_of_paging(project: Project, name: str):
    report = project.report(f"-- param: {name} text\nSELECT {{{{ {name} }}}}")

    (message,) = project.messages()

    assert project.short(message.msg) == (
        f"a.sql:3: the parameter {name!r} has the name of a key for paging and formats, "
        "which a query string could not tell apart."
    )
    assert (message.id, message.hint, message.obj) == ("reports.W003", "Rename the parameter.", report)


def test_parameter_called_like_a_filter(project: Project):
    """One called like the column itself is meant so; one with a lookup of no column is no clash."""
    names = ("id", "id__gt", "store", "store__name", "store_id__in", "other__gt")
    declared = "".join(f"-- param: {name} text\n" for name in names)
    read = " ".join(f"{{{{ {name} }}}}" for name in names)
    project.write(
        "t/a.sql",
        f"-- column: id bigint pk\n-- column: store_id bigint fk=tests.Store\n-- ordering: id\n{declared}SELECT {read}",
    )
    project.register("t/a.sql")

    assert project.found() == [
        f"W003 a.sql:{line}: the parameter {name!r} has the name of a filter on the column {column!r}, "
        "which a query string could not tell apart."
        for line, name, column in [(5, "id__gt", "id"), (7, "store__name", "store"), (8, "store_id__in", "store_id")]
    ]


# Declarations that nothing reads.


def test_columns_beside_a_model(project: Project):
    report = project.report("SELECT 1", model=FigureRow)

    (message,) = project.messages()

    assert project.short(message.msg) == "a.sql:1: these columns are not read: Checked.model declares them."
    assert (message.id, message.hint, message.obj) == ("reports.W004", "Keep one of the two declarations.", report)


def test_columns_that_another_report_reads(project: Project):
    project.report("SELECT 1", model=FigureRow)
    project.register("t/a.sql", name="other")

    assert project.found() == []


def test_name_beside_a_class(project: Project):
    project.report("-- name: daily\nSELECT 1")

    (message,) = project.messages()

    assert project.short(message.msg) == "a.sql:3: the name 'daily' is not read: Checked has the name 'tests.checked'."
    assert (message.id, message.hint) == (
        "reports.W005",
        "Take 'name:' out of the header; a class may set name = '…'.",
    )


def test_name_that_makes_a_second_report(project: Project):
    project.report("-- name: daily\nSELECT 1")
    project.register("t/a.sql", name="daily", __qualname__="<t/a.sql>")

    assert project.found() == ["W005 a.sql:3: the name 'daily' makes a second report of this template, beside Checked."]


def test_header_of_a_count_template(project: Project):
    project.write("t/a.count.sql", "-- doc: How many.\n-- param: n text\n-- timeout: 5s\nSELECT 1")
    report = project.report("SELECT 1")

    (message,) = project.messages()

    assert project.short(message.msg) == (
        "a.count.sql:1: a count template's header is not read, but declares: params, timeout."
    )
    assert (message.id, message.obj) == ("reports.W006", report)
    assert message.hint == "It has the parameters of t/a.sql. Leave only 'doc:' here."


def test_documented_count_template(project: Project):
    project.write("t/a.count.sql", "-- doc: How many.\nSELECT 1")
    project.report("SELECT 1")

    assert project.found() == []


# Files.


@pytest.fixture
def app(project: Project, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Move the app ``tests`` into an empty folder; return its folder of SQL."""
    settings.REPORTS = {}
    monkeypatch.setattr(apps.get_app_config("tests"), "path", str(tmp_path))
    monkeypatch.setattr(loader, "_found", {})  # an app does not move in real life
    (tmp_path / "sql" / "tests").mkdir(parents=True)
    return tmp_path / "sql"


def test_count_template_alone(project: Project, app: Path):
    (app / "tests" / "sale.sql").write_text("SELECT 1")
    path = app / "tests" / "sales.count.sql"
    path.write_text("SELECT 1")

    (message,) = project.messages()

    assert message.msg == f"{path}: there is no template 'tests/sales.sql' to count. Did you mean 'tests/sale.sql'?"
    assert (message.id, message.hint) == (
        "reports.W006",
        "name.count.sql counts the rows of name.sql, in the same folder.",
    )


@pytest.mark.parametrize(
    ("name", "right"),
    [("sales.sql", "sales.sql"), ("test/sales.sql", "sales.sql"), ("shop/sales.sql", "shop/sales.sql")],
)
@pytest.mark.parametrize("text", ["-- doc: Sales.\nSELECT 1", "SELECT {{ n }}", "{% set a = 1 %}", "-- timeout: x\n"])
def test_template_where_none_is_looked_for(project: Project, app: Path, name: str, right: str, text: str):
    path = app / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)

    (message,) = project.messages()

    assert (message.msg, message.id) == (f"{path}: this template is never found.", "reports.W007")
    assert message.hint == f"Templates stand in {app / 'tests'}: move it, for example to {app / 'tests' / right}."


def test_other_sql_beside_templates(project: Project, app: Path):
    (app / "triggers.sql").write_text("CREATE TRIGGER a; -- no template")
    (app / "binary.sql").write_bytes(b"\xff\xfe")

    assert project.found() == []


def test_template_that_a_folder_of_the_settings_has(project: Project, app: Path, settings: Any):
    (app / "sales.sql").write_text("SELECT {{ n }}")
    settings.REPORTS = {"TEMPLATE_DIRS": [app]}

    assert project.found() == []


def test_own_templates_have_no_label(project: Project, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch):
    """A wheel has this package's templates in ``reports/sql/<family>/``."""
    (tmp_path / "sql" / "family").mkdir(parents=True)
    (tmp_path / "sql" / "family" / "one.sql").write_text("SELECT {{ n }}")
    monkeypatch.setattr(apps.get_app_config("sql_reports"), "path", str(tmp_path))
    settings.REPORTS = {}

    assert project.messages() == []


# Settings.


def test_settings_that_are_refused(project: Project, settings: Any):
    settings.REPORTS = {"TIMEOUT": "3", "SLOW": -1, "TEMPLATE_DIRS": "sql"}

    assert project.found() == [
        "E010 REPORTS['TIMEOUT'] is '3'; it must be a number of seconds above 0, at most 2147483.",
        "E010 REPORTS['SLOW'] is -1; it must be a number of seconds above 0, at most 2147483.",
        "E010 REPORTS['TEMPLATE_DIRS'] is 'sql'; it must be a list of folders.",
    ]


def test_folder_of_templates_that_is_not_there(project: Project, settings: Any):
    settings.REPORTS = {"TEMPLATE_DIRS": [project.folder, project.folder / "absent"]}

    (message,) = project.messages()

    assert (message.msg, message.id) == (
        f"REPORTS['TEMPLATE_DIRS'] names '{project.folder}/absent'; there is no such folder.",
        "reports.W009",
    )


# Databases.


class Wrapper:
    def __init__(self, vendor: str) -> None:
        self.vendor = vendor


class Databases(dict[str, Wrapper]):
    settings = {"default": {"ENGINE": "django.db.backends.postgresql"}, "other": {"ENGINE": "elsewhere"}}

    def __getitem__(self, alias: str) -> Wrapper:
        wrapper = super().__getitem__(alias)
        if wrapper.vendor == "absent":
            raise ImproperlyConfigured("the driver is not installed")
        return wrapper


def databases(monkeypatch: pytest.MonkeyPatch, **vendors: str) -> None:
    made = Databases({alias: Wrapper(vendor) for alias, vendor in vendors.items()})
    monkeypatch.setattr(engines, "connections", made)


@pytest.mark.parametrize("other", ["mysql", "absent"])
def test_no_database_is_postgresql(project: Project, monkeypatch: pytest.MonkeyPatch, other: str):
    project.report("SELECT 1")
    databases(monkeypatch, default="sqlite", other=other)

    (message,) = project.messages()

    assert (message.msg, message.id) == (
        "reports run on PostgreSQL only; the database 'default' is sqlite.",
        "reports.E009",
    )
    assert message.hint == "Set its ENGINE to 'django.db.backends.postgresql'."


def test_another_database_is_postgresql(project: Project, monkeypatch: pytest.MonkeyPatch):
    project.report("SELECT 1")
    databases(monkeypatch, default="sqlite", reader="postgresql")

    (message,) = project.messages()

    assert (message.msg, message.id) == (
        "reports run on PostgreSQL only; the database 'default' is sqlite, and is read by: tests.checked.",
        "reports.W008",
    )
    assert message.hint == (
        "Have a router's db_for_read() send the app labels 'sql_reports' to 'reader', or give using='reader'."
        " A report is routed when its columns are declared."
    )


class ToReader:
    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "reader" if model._meta.app_label == "sql_reports" else None


def test_router_sends_reports_to_another_database(project: Project, monkeypatch: pytest.MonkeyPatch, settings: Any):
    """All but those of a model, which belongs to its own app."""
    settings.DATABASE_ROUTERS = [ToReader()]
    databases(monkeypatch, default="sqlite", reader="postgresql")
    report = project.report("SELECT 1")
    assert project.found() == []

    monkeypatch.setattr(report, "model", FigureRow)

    (message,) = [found for found in project.messages() if found.id == "reports.W008"]
    assert (message.hint or "").startswith("Have a router's db_for_read() send the app labels 'tests' to 'reader'")


@pytest.mark.parametrize("vendors", [{"default": "postgresql", "other": "sqlite"}, {"default": "absent"}])
def test_default_database_is_postgresql(project: Project, monkeypatch: pytest.MonkeyPatch, vendors: dict[str, str]):
    project.report("SELECT 1")
    databases(monkeypatch, **vendors)

    assert project.found() == []


def test_databases_of_a_project_without_reports(project: Project, monkeypatch: pytest.MonkeyPatch):
    databases(monkeypatch, default="sqlite")

    assert project.found() == []


def test_no_database_is_asked(project: Project, monkeypatch: pytest.MonkeyPatch):
    """pytest-django refuses a connection to tests that are not marked; here opening one would be seen as well."""
    monkeypatch.setattr(connections["default"], "ensure_connection", refuse)
    form_class = form_of(region=forms.ModelChoiceField(Region.objects.all()))
    project.write("t/a.sql", f'{ORDERED}-- example: {{"region": 1}}\nSELECT {{{{ region }}}}, {{{{ regions }}}}')
    project.register("t/a.sql", Params=form_class, get_context=lambda self: {"regions": list(Region.objects.all())})

    assert project.found() == []
