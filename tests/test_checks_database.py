"""What ``manage.py check --database default`` finds: reports are rendered with their cases and prepared."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django import forms
from django.apps import apps
from django.core import checks
from django.db import connection, models
from django.db.migrations.exceptions import BadMigrationError, NodeNotFoundError
from django.db.migrations.executor import MigrationExecutor
from django.db.utils import ConnectionHandler

from reports import Report, register, registry
from reports.checks import check_reports, database, refusals
from reports.checks.database import check_database
from tests.models import Figure, FigureRow, Region, Store
from tests.settings import CHECKOUT

Write = Callable[[str, str], Path]
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def reports_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what a test registers; begin with none."""
    monkeypatch.setattr(registry, "_reports", {})


@pytest.fixture
def write(tmp_path: Path, settings: Any) -> Write:
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}

    def write_file(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return write_file


@pytest.fixture
def template(write: Write) -> Callable[..., Path]:
    """Write the template of a report and register the report."""

    def make(text: str, count: str | None = None, **attributes: Any) -> Path:
        if count is not None:
            write("checked.count.sql", count)
        path = write("checked.sql", text)
        register(type("Checked", (Report,), {"__module__": "tests", "template": "checked.sql", **attributes}))
        return path

    return make


def found() -> list[tuple[str | None, str]]:
    return [(message.id, message.msg) for message in check_database(databases=["default"])]


def the_one() -> checks.CheckMessage:
    (message,) = check_database(databases=["default"])
    return message


# -- which reports, which databases


def test_nothing_without_a_database(template, django_assert_num_queries):
    template("SELECT nothing")

    with django_assert_num_queries(0):
        assert check_database() == check_database(databases=[]) == []


def test_healthy_report(template):
    template("-- param: n integer\n-- column: id bigint pk\nSELECT id FROM tests_store WHERE id > coalesce({{ n }}, 0)")

    assert found() == []


def test_database_of_another_vendor_is_left_alone(template, monkeypatch):
    template("SELECT nothing")
    monkeypatch.setattr(database, "connections", {"default": SimpleNamespace(vendor="sqlite")})

    assert found() == []


def test_report_is_checked_where_its_rows_are_read(template, settings):
    class Router:
        def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
            return "reader" if model._meta.app_label == "sql_reports" else None

    template("-- column: n integer pk\nSELECT nothing AS n")
    assert [number for number, _ in found()] == ["reports.E021"]

    settings.DATABASE_ROUTERS = [Router()]

    assert found() == []


def test_only_the_apps_asked_for(template):
    template("SELECT nothing")

    assert check_database([apps.get_app_config("auth")], ["default"]) == []
    assert check_database([apps.get_app_config("tests")], ["default"]) != []


@pytest.mark.parametrize("text", ["-- timeout: x\nSELECT 1", "SELECT {% if %}", "SELECT {{ a | tojson }}"])
def test_what_needs_no_database_is_told_without_one(template, text):
    template(text)

    assert found() == []


def test_missing_template_is_told_without_a_database(write):
    register(type("Lost", (Report,), {"__module__": "tests", "template": "lost.sql"}))

    assert found() == []


# -- databases that are not ready

UNREADY = "reports are not checked on the database 'default': it lacks migrations."


def unapplied(self: MigrationExecutor, targets: Any) -> list[Any]:
    return [(SimpleNamespace(app_label="auth"), False)]


def test_unapplied_migrations_give_one_info(template, monkeypatch):
    template("SELECT nothing FROM nowhere")
    monkeypatch.setattr(MigrationExecutor, "migration_plan", unapplied)

    assert check_database(databases=["default"]) == [
        checks.Info(UNREADY, hint="Run: manage.py migrate --database default", id="reports.I020")
    ]


def test_project_without_reports_is_told_nothing(monkeypatch):
    monkeypatch.setattr(MigrationExecutor, "migration_plan", unapplied)

    assert found() == []


def test_database_on_which_no_migration_is_run(template, monkeypatch, settings):
    """Somebody else's tables: it will never have a migration."""

    class Router:
        def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
            return False

    path = template("SELECT nothing")
    settings.DATABASE_ROUTERS = [Router()]
    monkeypatch.setattr(MigrationExecutor, "migration_plan", unapplied)

    assert found() == [("reports.E021", f"{path}:1: report 'tests.checked': there is no column 'nothing'.")]


def test_missing_table_of_an_app_without_migrations(template):
    """``migrate --run-syncdb`` checks before it makes them."""
    template("SELECT nothing FROM nowhere")
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE tests_keptfigure")

    assert found() == [("reports.I020", UNREADY)]


def test_database_that_cannot_be_reached(template, monkeypatch):
    template("SELECT 1 AS n")
    lost = {**connection.settings_dict, "HOST": "127.0.0.1", "PORT": "1"}
    monkeypatch.setattr(database, "connections", ConnectionHandler({"default": lost}))

    message = "reports are not checked on the database 'default': it cannot be asked (OperationalError)."
    assert check_database(databases=["default"]) == [
        checks.Warning(message, hint="Try: manage.py dbshell --database default", id="reports.W024")
    ]


@pytest.mark.parametrize("fault", [NodeNotFoundError("lost", ("a", "1")), BadMigrationError("bad")])
def test_migrations_that_cannot_be_read_count_as_unapplied(template, monkeypatch, fault: Exception):
    def refuse(self: MigrationExecutor, targets: Any) -> list[Any]:
        raise fault

    template("SELECT 1 AS n")
    monkeypatch.setattr(MigrationExecutor, "migration_plan", refuse)

    assert found() == [("reports.I020", UNREADY)]


@pytest.fixture
def empty_database() -> Iterator[str]:
    """A database with no table, by its address."""
    name = f"empty_{uuid4().hex[:12]}"
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield re.sub(r"/[^/]*$", f"/{name}", os.environ["DATABASE_URL"])
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.once
def test_migrate_is_never_blocked(empty_database):
    """``migrate`` runs the checks of its database, before the tables of the reports exist."""

    def manage(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "example_project/manage.py", *words],
            cwd=CHECKOUT,
            env={**os.environ, "DATABASE_URL": empty_database, "DJANGO_SETTINGS_MODULE": "example_project.settings"},
            capture_output=True,
            text=True,
            check=False,
        )

    before, migrated, after = (
        manage("check", "--database", "default"),
        manage("migrate", "--no-color"),
        manage("check", "--database", "default", "--fail-level", "WARNING"),
    )

    assert (before.returncode, "(reports.I020)" in before.stderr) == (0, True), before.stderr
    assert (migrated.returncode, "Applying helpdesk.0001_initial... OK" in migrated.stdout) == (0, True)
    assert (after.returncode, "no issues" in after.stdout) == (0, True), after.stderr


# -- what PostgreSQL refuses


def test_refused_statement(template):
    path = template("SELECT id,\n  lenght(name) AS n\nFROM tests_store")

    message = the_one()

    assert message == checks.Error(
        f"{path}:2: report 'tests.checked': PostgreSQL refuses it at 'lenght', with the error 42883"
        " (UndefinedFunction).",
        hint="PostgreSQL says: function lenght(character varying) does not exist.",
        obj=registry.get_report("tests.checked"),
        id="reports.E020",
    )


def test_refused_statement_without_a_place(template):
    """PostgreSQL names none for what fails while it reckons; the file is told all the same."""
    path = template("SELECT 1 AS n WHERE 1 / 0 = 1")

    message = the_one()

    assert message.msg == (
        f"{path}: report 'tests.checked': PostgreSQL refuses it, with the error 22012 (DivisionByZero)."
    )
    assert (message.id, message.hint) == ("reports.E020", "PostgreSQL says: division by zero.")


STORE_COLUMNS = "tests_store has the columns id, name, region_id."


@pytest.mark.parametrize(
    ("text", "line", "problem", "hint"),
    [
        (
            "SELECT id\nFROM tests_store\nWHERE nam = ''",
            3,
            "there is no column 'nam'. Did you mean 'name' of tests_store?",
            STORE_COLUMNS,
        ),
        (
            "SELECT id\nFROM tests_store AS s\nWHERE s.regio_id = 1",
            3,
            "there is no column 's.regio_id'. Did you mean 'region_id' of tests_store?",
            STORE_COLUMNS,
        ),
        (
            'SELECT\n"Total"\nFROM (SELECT id AS "total" FROM tests_store) AS t',
            2,
            "there is no column 'Total'. Did you mean 'total'?",
            STORE_COLUMNS,
        ),
        (
            "WITH s AS (SELECT id AS open_tickets FROM tests_store)\nSELECT s.open_ticket\nFROM s",
            2,
            "there is no column 's.open_ticket'. Did you mean 'open_tickets'?",
            STORE_COLUMNS,
        ),
        (
            "SELECT zzz FROM tests_store",
            1,
            "there is no column 'zzz'.",
            STORE_COLUMNS,
        ),
        (
            "SELECT\nzzz",
            2,
            "there is no column 'zzz'.",
            "The query reads no table.",
        ),
        (
            "SELECT id\nFROM tests_stores",
            2,
            "there is no table 'tests_stores'. Did you mean 'tests_store'?",
            'Name tables by model, which follows a rename: {{ table("app_label.Model") }}.',
        ),
        (
            "SELECT id FROM\n public.tests_stor",
            2,
            "there is no table 'public.tests_stor'. Did you mean 'tests_store'?",
            'Name tables by model, which follows a rename: {{ table("app_label.Model") }}.',
        ),
        (
            "WITH sums AS (SELECT 1 AS n)\nSELECT sum.n\nFROM sums",
            2,
            "there is no table 'sum'. Did you mean 'sums'?",
            'Name tables by model, which follows a rename: {{ table("app_label.Model") }}.',
        ),
    ],
)
def test_missing_name(template, text: str, line: int, problem: str, hint: str):
    path = template(text)

    message = the_one()

    assert message.msg == f"{path}:{line}: report 'tests.checked': {problem}"
    assert (message.id, message.hint) == ("reports.E021", hint)


def test_line_follows_the_header(write, template):
    """The same statement in a file that has grown."""
    path = template("SELECT nothing")
    assert found()[0][1].startswith(f"{path}:1: ")

    path = write("other.sql", "-- doc: One row.\nSELECT nothing")
    registry.get_report("tests.checked").template = "other.sql"

    assert found()[0][1].startswith(f"{path}:2: ")


def test_column_that_a_queryset_writes(template):
    """The model has it, the table does not."""
    path = template(
        "SELECT s.id\nFROM {{ stores }} AS s", get_context=lambda self: {"stores": Store.objects.values("id", "name")}
    )
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tests_store RENAME COLUMN name TO full_name")

    message = the_one()

    assert message.msg == (
        f"{path}:2: report 'tests.checked': there is no column 'tests_store.name'. It comes from {{{{ … }}}}."
        " Did you mean 'full_name' of tests_store?"
    )
    assert message.hint == "A model differs from its table: tests_store has the columns full_name, id, region_id."


@pytest.mark.parametrize(
    ("word", "names", "want"),
    [
        ("resolution_hours", ["id", "closed_at", "hours_to_resolve"], "hours_to_resolve"),
        ("nam", ["name", "id"], "name"),
        ("name_full", ["full_name", "name_hull"], "full_name"),
        ("zzz", ["name"], None),
        ("name", [], None),
    ],
)
def test_nearest_name(word: str, names: list[str], want: str | None):
    assert refusals.nearest(word, names) == want


SECRET = "s3cret w0rd"


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT {{ word }}::integer AS n",
        "SELECT id FROM tests_store WHERE name = {{ word }} AND lenght({{ word }}) = 1",
        "SELECT id FROM tests_store WHERE name = {{ word }} AND nam = {{ word }}",
        "SELECT id FROM tests_store WHERE name = {{ word }} {{ word }}_",
        "SELECT {{ words }}::integer[] AS n",
        "SELECT jsonb_object({{ object }}) AS n",
    ],
)
def test_messages_hold_no_value(template, statement: str):
    template(
        f'-- example: {{"word": "{SECRET}", "words": ["{SECRET}"], "object": {{"{SECRET}": "{SECRET}"}}}}\n{statement}',
        Params=type(
            "Params",
            (forms.Form,),
            {"word": forms.CharField(), "words": forms.JSONField(), "object": forms.JSONField()},
        ),
    )

    told = [f"{message.msg} {message.hint}" for message in check_database(databases=["default"])]

    assert len(told) >= 1
    assert [text for text in told if "s3cret" in text or "w0rd" in text] == []


def test_words_that_quote_a_value_are_left_out(template):
    template('-- param: n text required\n-- example: {"n": "twelve"}\nSELECT {{ n }}::integer AS n')

    message = the_one()

    assert (message.id, message.hint) == (
        "reports.E020",
        "Its words would show a value; run the report to see them.",
    )


# -- cases


def test_fault_of_one_case_names_it(template):
    path = template(
        "-- param: a integer\n-- param: b integer\n"
        '-- example: {"a": 1}\n'
        "SELECT 1 AS n\n{% if a is given %}, nothing AS a{% endif %}\n{% if b is given %}, 2 AS b{% endif %}"
    )

    assert found() == [
        (
            "reports.E021",
            f"{path}:5: report 'tests.checked': there is no column 'nothing'. With: all parameters, example on line 3.",
        )
    ]


def test_every_fault_at_once(template):
    path = template("-- param: a integer\nSELECT {% if a is given %} no_such_a {% else %} no_such_b {% endif %} AS n")

    assert found() == [
        (
            "reports.E021",
            f"{path}:2: report 'tests.checked': there is no column 'no_such_b'. With: no optional parameters.",
        ),
        ("reports.E021", f"{path}:2: report 'tests.checked': there is no column 'no_such_a'. With: all parameters."),
    ]


def fail(*args: Any, **kwargs: Any) -> Any:
    raise LookupError(SECRET)


HERE = f"{__file__}:{fail.__code__.co_firstlineno + 1}"


def test_get_context_that_raises(template):
    template("SELECT 1 AS n", get_context=fail)

    assert found() == [
        ("reports.E022", f"report 'tests.checked': its get_context() or form raised LookupError at {HERE}.")
    ]


@pytest.mark.parametrize("name", ["get_form_kwargs", "example_user"])
def test_form_that_raises(template, name: str):
    template("SELECT 1 AS n", **{name: classmethod(fail)})

    assert found() == [
        ("reports.E022", f"report 'tests.checked': its form or example_user() raised LookupError at {HERE}.")
    ]


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("get_context", "get_context() or form"),
        ("get_form_kwargs", "form or example_user()"),
        ("example_user", "form or example_user()"),
    ],
)
def test_object_that_is_not_there(template, name: str, step: str):
    """``manage.py test`` runs the checks on a database without any object, and must not be blocked."""

    def absent(*args: Any) -> Any:
        return Store.objects.get(name="absent")

    template("SELECT 1 AS n", **{name: classmethod(absent)})

    message = the_one()
    place = f"{__file__}:{absent.__code__.co_firstlineno + 1}"
    assert message.msg == f"report 'tests.checked': its {step} raised DoesNotExist at {place}."
    assert message.id == "reports.W022"
    assert message.hint == "The database 'default' may not hold the objects that it names."


@pytest.mark.parametrize("name", ["get_form_class", "get_header", "get_ordering", "get_row_model", "get_template"])
def test_code_of_the_project_that_is_told_without_a_database(template, name: str):
    template("-- column: n integer pk\n-- ordering: n\nSELECT nothing AS n", **{name: classmethod(fail)})
    register(type("Other", (Report,), {"__module__": "tests", "template": "checked.sql"}))

    message = the_one()
    assert (message.id, message.obj) == ("reports.E021", registry.get_report("tests.other"))
    assert "reports.E002" in {message.id for message in check_reports()}


def test_report_that_must_be_given_its_arguments(template):
    def init(self: Report, *, user: Any, using: str) -> None:
        raise LookupError

    template("SELECT 1 AS n", __init__=init)

    place = f"{__file__}:{init.__code__.co_firstlineno + 1}"
    assert found() == [
        ("reports.E022", f"report 'tests.checked': its form or example_user() raised LookupError at {place}.")
    ]


def test_get_context_runs_as_the_example_user(template):
    seen: list[Any] = []

    def context(self: Report) -> dict[str, object]:
        seen.append((self.user, self.using))
        return {}

    template("SELECT 1 AS n", example_user=classmethod(lambda cls: "ada"), get_context=context)

    assert (found(), seen) == ([], [("ada", "default")])


def test_query_of_get_context_that_fails(template):
    """The transaction goes on, and so do the other reports."""

    def context(self: Report) -> dict[str, object]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nothing")
        return {}

    template("SELECT 1 AS n", get_context=context)
    register(type("Other", (Report,), {"__module__": "tests", "template": "checked.sql"}))

    place = f"{__file__}:{context.__code__.co_firstlineno + 2}"
    assert found() == [
        ("reports.E022", f"report 'tests.checked': its get_context() or form raised ProgrammingError at {place}.")
    ]


def test_template_that_fails_in_one_branch(template):
    path = template("-- param: a integer\nSELECT 1 AS n\n{% if a is given %} + {{ missing }} {% endif %}")

    assert found() == [
        ("reports.E022", f"{path}:3: 'missing' is undefined (the template has: a). With: all parameters.")
    ]


class Regions(forms.Form):
    region = forms.ModelChoiceField(Region.objects.all(), required=False)


def test_example_names_an_object_that_is_not_there(template):
    Region.objects.create(pk=5, name="north")
    path = template('-- example: {"region": 4}\nSELECT 1 AS n WHERE {{ region }}::bigint IS NULL', Params=Regions)

    (message,) = check_database(databases=["default"])

    assert (message.id, message.hint) == (
        "reports.W022",
        "The database 'default' may not hold the objects that it names.",
    )
    assert message.msg.startswith(f"{path}:1: the example is refused: report 'tests.checked': region: Select a valid")


def test_parameter_that_cannot_be_sampled(template):
    path = template("SELECT 1 AS n WHERE {{ region }}::bigint IS NULL", Params=Regions)

    assert found() == [("reports.W022", f"{path}: no value was found to try the parameters region.")]


class Slips(forms.Form):
    """Its fields are not those that it declares, so that no check without a database knows them."""

    n = forms.IntegerField()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["n"].required = False


def test_example_of_a_form_that_makes_itself(template):
    path = template('-- example: {"n": "x"}\nSELECT {{ n }}::integer AS n', Params=Slips)

    assert found() == [
        (
            "reports.E022",
            f"{path}:1: the example is refused: report 'tests.checked': n: Enter a whole number. Allowed: a whole"
            " number. With: example on line 1.",
        )
    ]


def test_example_that_is_told_without_a_database(template):
    template('-- param: n integer\n-- example: {"n": "x"}\n-- example: {"m": 1}\nSELECT {{ n }}::integer AS n')

    assert found() == []


class Exclusive(forms.Form):
    a = forms.IntegerField(required=False)
    b = forms.IntegerField(required=False)

    def clean(self) -> dict[str, Any]:
        given = {name for name, value in self.cleaned_data.items() if value is not None}
        if len(given) != 1:
            raise forms.ValidationError("Give one of the two.")
        return self.cleaned_data


def test_form_that_takes_no_made_up_values(template):
    path = template("SELECT {{ a }}::int AS a, {{ b }}::int AS b", Params=Exclusive)

    assert found() == [
        (
            "reports.W022",
            f"{path}: report 'tests.checked' was not tried: its form refuses the values that were made up.",
        )
    ]


def test_form_that_takes_only_examples(template):
    template('-- example: {"a": 1}\nSELECT {{ a }}::int AS a, {{ b }}::int AS b', Params=Exclusive)

    assert found() == []


def test_example_that_the_whole_form_refuses(template):
    path = template(
        '-- example: {"a": 1}\n-- example: {"a": 1, "b": 2}\nSELECT {{ a }}::int + {{ b }} AS n', Params=Exclusive
    )

    (message,) = check_database(databases=["default"])

    assert message.id == "reports.E022"
    assert message.msg == (
        f"{path}:2: the example is refused: report 'tests.checked': __all__: Give one of the two."
        " With: example on line 2."
    )


# -- columns


def test_column_that_the_query_does_not_give(template):
    path = template("-- column: n integer pk\n-- column: avg_hours numeric null\nSELECT 1 AS n, 1.0 AS avg_hour")

    message = the_one()

    assert message.id == "reports.E023"
    assert message.msg == (
        f"{path}:2: the query gives no column 'avg_hours' (it gives: avg_hour, n). Did you mean 'avg_hour'?"
    )
    assert message.hint == "Write the line: -- column: avg_hour numeric null"


def test_column_that_is_not_declared(template):
    path = template("-- column: n integer pk\nSELECT 1 AS n, current_date AS today")

    message = the_one()

    assert (message.id, message.level) == ("reports.W023", checks.WARNING)
    assert message.msg == f"{path}: the query gives a column 'today' that is not declared, so no row has it."
    assert message.hint == "Add the line: -- column: today date null, or leave it out of the query."


def test_two_columns_of_one_name(template):
    path = template("-- column: n integer pk\nSELECT 1 AS n, 2 AS n")

    assert found() == [("reports.E023", f"{path}: the query gives 2 columns 'n'.")]


def test_column_with_nothing_near(template):
    path = template("-- column: n integer pk\n-- column: zzz text\nSELECT 1 AS n")

    message = the_one()

    assert message.msg == f"{path}:2: the query gives no column 'zzz' (it gives: n)."
    assert message.hint == "Remove the line, or select the column."


def test_order_of_columns_is_free(template):
    template("-- column: a integer pk\n-- column: b text\nSELECT 'x' AS b, 1 AS a")

    assert found() == []


def test_column_of_another_type(template):
    path = template('-- column: n bigint pk label="How many" unit=h\nSELECT avg(id) AS n FROM tests_store')

    message = the_one()

    assert message.id == "reports.E024"
    assert message.msg == f"{path}:1: column 'n' is declared as bigint, and PostgreSQL gives numeric."
    assert message.hint == 'Write the line: -- column: n numeric pk unit=h label="How many"'


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("bigint", "1::integer"),
        ("integer", "1::smallint"),
        ("numeric(12,2)", "1.5"),
        ("numeric", "1.5::numeric(3,1)"),
        ("double precision", "1::real"),
        ("real", "1::double precision"),
        ("text", "'a'::varchar(3)"),
        ("varchar", "'a'::text"),
        ("varchar(40)", "'a'::varchar(3)"),
        ("text", "'a'::char(3)"),
        ("text", "'a'::name"),
        ("text", "'a'::\"char\""),
        ("text", "'a'"),
        ("timestamp with time zone", "now()"),
        ("timestamp(3)", "localtimestamp"),
        ("integer[]", "ARRAY[1]"),
        ("integer[][]", "ARRAY[1]"),
        ("jsonb", "to_jsonb(1)"),
    ],
)
def test_types_that_read_alike(template, declared: str, value: str):
    template(f"-- column: n {declared} pk\nSELECT {value} AS n")

    assert found() == []


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("integer", "1::bigint"),
        ("smallint", "1"),
        ("bigint", "1.5"),
        ("numeric", "1"),
        ("numeric", "1::double precision"),
        ("double precision", "1.5"),
        ("text", "1"),
        ("text", "gen_random_uuid()"),
        ("timestamp", "now()"),
        ("timestamptz", "localtimestamp"),
        ("date", "now()"),
        ("jsonb", "to_json(1)"),
        ("integer", "ARRAY[1]"),
        ("integer[]", "1"),
        ("text[]", "ARRAY[1]"),
        ("bigint[]", "ARRAY[1]"),
        ("boolean", "1"),
    ],
)
def test_types_that_read_otherwise(template, declared: str, value: str):
    template(f"-- column: n {declared} pk\nSELECT {value} AS n")

    assert [number for number, _ in found()] == ["reports.E024"]


def test_enum_and_domain_are_declared_as_what_they_are_read_as(template):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TYPE mood AS ENUM ('ok'); CREATE DOMAIN plus AS integer CHECK (value > 0)")
    template("-- column: m text pk\n-- column: p integer\nSELECT 'ok'::mood AS m, 1::plus AS p")

    assert found() == []


def test_column_that_no_field_reads(template):
    template("-- column: a text pk\nSELECT 'x' AS a, ROW(1, 2) AS b")

    assert [number for number, _ in found()] == ["reports.E024"]


def test_model_is_compared(template):
    template(
        "SELECT id, store_id, month, revenue::float8, seen_at, 'x' AS lable, orders FROM tests_figure", model=FigureRow
    )

    assert [(message.id, message.msg, message.hint) for message in check_database(databases=["default"])] == [
        (
            "reports.E024",
            "tests.FigureRow.revenue (DecimalField): column 'revenue' is declared as numeric(12,2), and PostgreSQL"
            " gives double precision.",
            "Change the model's field, or the template: revenue::numeric(12,2) AS revenue.",
        ),
        (
            "reports.E023",
            "tests.FigureRow.label (CharField): the query gives no column 'label' (it gives: id, lable, month, orders,"
            " revenue, seen_at, store_id). Did you mean 'lable'?",
            "Change the model's field, or the template: label::character varying(40) AS label.",
        ),
    ]


def test_undeclared_columns_are_only_prepared(template):
    template("SELECT id, name FROM tests_store")

    assert found() == []


# -- lines


def test_line_that_no_example_renders(template):
    path = template(
        "-- param: way text choices=up|down default=up\n"
        "SELECT id FROM tests_store\n"
        "ORDER BY {% if way == 'down' %} id DESC {% else %} id {% endif %}"
    )

    message = the_one()

    assert message == checks.Warning(
        f"{path}:3: no example renders 'id DESC'.",
        hint="Add one whose parameters lead there, in the header: -- example: {…}",
        obj=registry.get_report("tests.checked"),
        id="reports.W020",
    )


def test_line_is_rendered_by_any_report_of_the_template(template):
    template("SELECT 1 AS n\n{% if both %}, 2 AS m{% endif %}", get_context=lambda self: {"both": False})
    assert [number for number, _ in found()] == ["reports.W020"]

    register(
        type(
            "Other",
            (Report,),
            {"__module__": "tests", "template": "checked.sql", "get_context": lambda self: {"both": True}},
        )
    )

    assert found() == []


# -- counting templates

COUNTED = "SELECT id FROM tests_store {% if n is given %} WHERE id <= {{ n }} {% endif %}"


@pytest.fixture
def stores() -> None:
    Store.objects.bulk_create(Store(pk=number, name="s") for number in (1, 2, 3))


def test_count_that_agrees(template, stores):
    template(
        f'-- param: n integer\n-- example: {{"n": 2}}\n{COUNTED}',
        "SELECT count(*) FROM tests_store {% if n is given %} WHERE id <= {{ n }} {% endif %} -- of them",
    )

    assert found() == []


def test_count_that_disagrees_in_a_case(template, stores):
    path = template(f'-- param: n integer\n-- example: {{"n": 2}}\n{COUNTED}', "SELECT count(*) FROM tests_store")

    message = the_one()

    assert message.id == "reports.E025"
    assert message.msg == (
        f"{path.with_suffix('.count.sql')}: the counting template gives 3, and the report has 2 rows."
        " With: example on line 2."
    )
    assert message.hint == (
        "A counting template gives one row of one column, a whole number: as many as the report has rows."
    )


@pytest.mark.parametrize(
    ("count", "problem"),
    [
        ("SELECT 3 AS a, 4 AS b", "gives columns of the types integer, integer."),
        ("SELECT '3' AS n", "gives columns of the types text."),
        ("SELECT 3 AS n WHERE false", "gives no number, and the report has 3 rows."),
        ("SELECT 3 UNION ALL SELECT 3", "gives 3, 3, and the report has 3 rows."),
        ("SELECT NULL::bigint", "gives NULL, and the report has 3 rows."),
    ],
)
def test_count_that_is_no_number(template, stores, count: str, problem: str):
    path = template("SELECT id FROM tests_store", count)

    assert found() == [("reports.E025", f"{path.with_suffix('.count.sql')}: the counting template {problem}")]


def test_count_that_postgresql_refuses(template):
    path = template("SELECT id FROM tests_store", "SELECT count(*)\nFROM tests_stores")

    assert found() == [
        (
            "reports.E021",
            f"{path.with_suffix('.count.sql')}:2: report 'tests.checked': there is no table 'tests_stores'."
            " Did you mean 'tests_store'?",
        )
    ]


def test_count_that_fails_when_it_runs(template, stores):
    path = template("SELECT id FROM tests_store", "SELECT sum(1 / (id - 1))::bigint FROM tests_store")

    assert found() == [
        ("reports.E025", f"{path.with_suffix('.count.sql')}: counting the report fails with the error 22012.")
    ]


def test_count_that_takes_too_long(template):
    path = template("-- timeout: 20ms\nSELECT 1 AS n", "SELECT count(*) FROM pg_sleep(20)")

    message = the_one()

    assert (message.id, message.level, message.hint) == ("reports.W021", checks.WARNING, "Raise its timeout.")
    assert message.msg == (
        f"{path.with_suffix('.count.sql')}: report 'tests.checked': not checked, because PostgreSQL took longer than"
        " the timeout."
    )


# -- what stays behind

SETTINGS = """SELECT current_setting('statement_timeout'), current_setting('transaction_read_only'),
    (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_class WHERE relpersistence = 't')"""


def state() -> Any:
    with connection.cursor() as cursor:
        cursor.execute(SETTINGS)
        return cursor.fetchone()


def check_leaves_nothing(template: Callable[..., Path]) -> None:
    def context(self: Report) -> dict[str, object]:
        Region.objects.create(name="written")
        return {}

    template(
        "-- param: n integer\nSELECT nothing + {{ n }} AS n", "SELECT count(*) FROM tests_store", get_context=context
    )
    before = state()

    for _ in range(7):  # psycopg prepares a statement when it comes a sixth time
        assert found() != []

    assert (state(), Region.objects.count()) == (before, 0)


def test_inside_a_transaction_nothing_is_left(template):
    check_leaves_nothing(template)

    assert connection.in_atomic_block
    assert not connection.needs_rollback


@pytest.mark.django_db(transaction=True)
def test_in_autocommit_nothing_is_left(template):
    check_leaves_nothing(template)

    assert connection.get_autocommit()


def test_no_row_is_read(template):
    """A volatile function in the query would be called for a row."""
    Figure.objects.create(store_id=1, month="2026-01-01", revenue=1)
    template("SELECT nextval('tests_region_id_seq') AS n FROM tests_figure")
    before = Region.objects.create(name="a").pk

    assert found() == []

    assert Region.objects.create(name="b").pk == before + 1
