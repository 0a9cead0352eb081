"""``manage.py convertqueryset``: what it writes is checked, imported and run, and gives the queryset's own rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core import checks
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import (
    Avg,
    Case,
    Count,
    Exists,
    F,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)  # fmt: skip
from django.db.models.functions import Coalesce, TruncMonth
from django.test import override_settings

from example_project.helpdesk.models import Department, Employee, Invoice, Ticket
from reports import Report, register, registry
from reports.header import Param
from reports.loader import find_template
from reports.management.commands import convertqueryset
from reports.management.converting import conversion
from reports.management.converting.converted_template import template_text
from reports.management.converting.param_lines import declared, literal, param_line
from reports.management.converting.queryset_targets import find_queryset
from reports.rewrite.rewriting import Strategy
from reports.rewrite.sql.parameter_names import Named, name_parameters
from reports.rewrite.sql.templating import outer_aliases, template_sql, with_names
from reports.rewrite.sql.text import Text
from reports.testing import assert_matches
from tests.models import Store
from tests.printed import run_printed

pytestmark = pytest.mark.django_db

HERE = "tests.test_convertqueryset"
TICKETS = Ticket.objects.filter(department=OuterRef("pk")).order_by().values("department")


def counted(**conditions: Any) -> Subquery:
    return Subquery(TICKETS.filter(**conditions).annotate(c=Count("*")).values("c"))


# Querysets.


def dashboard() -> QuerySet[Any, Any]:
    """Open and closed tickets of each department.

    Whatever follows is for programmers.
    """
    return (
        Department.objects.annotate(open=counted(status="open"), closed=Coalesce(counted(status="closed"), 0))
        .annotate(ratio=F("closed") * 1.0 / F("open"))
        .filter(open__gt=0, region__in=["north", "south"])
        .order_by("-open", "name")
    )


def cartesian() -> QuerySet[Any, Any]:
    return Department.objects.annotate(Count("tickets"), Count("employees")).order_by("-tickets__count")  # type: ignore[misc]  # made by annotate()


def joined() -> QuerySet[Any, Any]:
    tickets = Ticket.objects.select_related("department").prefetch_related("assignee")
    return tickets.filter(opened_at__year=2026, department__name__icontains="s %").order_by("department__name")


def grouped() -> QuerySet[Any, Any]:
    tickets = Ticket.objects.values("status", "department__name").annotate(n=Count("*"), mean=Avg("resolution_hours"))
    return tickets.filter(n__gte=1).order_by("-n")


def sliced() -> QuerySet[Any, Any]:
    return Ticket.objects.order_by("-opened_at", "id")[1:4]


def union() -> QuerySet[Any, Any]:
    marked = Department.objects.annotate(k=Case(When(region="north", then=Value("N")), default=Value("{{x}} %")))
    return marked.values_list("k", "pk").union(Department.objects.values_list("name", "id"))


def everything() -> QuerySet[Any, Any]:
    """Values of many types, in many places."""
    return Ticket.objects.annotate(
        month=TruncMonth("opened_at"),
        late=Exists(Invoice.objects.filter(department=OuterRef("department"), amount__gt=Decimal("1.50"))),
        note=Value('"quoted", it\'s 100 % {# new #}'),
        none=Value(None, output_field=Ticket._meta.get_field("priority")),
        least=Coalesce(F("resolution_hours"), Value(Decimal("-1"))),
    ).filter(
        Q(opened_at__lt=datetime(2030, 1, 1, tzinfo=UTC)) | Q(priority__in=[1]),
        Q(status="open") | ~Q(status="open"),
        opened_at__date__gte=date(2020, 2, 29),
        priority__lte=5,
        department=Department.objects.order_by("pk").first(),
    )  # fmt: skip


def many_rows_for_one() -> QuerySet[Any, Any]:
    return Department.objects.filter(tickets__status="open").only("name")


def several_tables() -> QuerySet[Any, Any]:
    staff = Employee.objects.filter(department=OuterRef("pk")).order_by().values("department")
    return Department.objects.annotate(
        people=Subquery(staff.annotate(c=Count("*")).values("c")),
        newest=Subquery(staff.annotate(c=Max("hired")).values("c")),
        open=counted(status="open"),
        urgent=counted(status="open", priority=1),
        hours=Subquery(TICKETS.annotate(c=Sum("resolution_hours")).values("c")),
    )


def locked() -> QuerySet[Any, Any]:
    return Department.objects.select_for_update().order_by(F("parent").asc(nulls_first=True))


def nothing() -> QuerySet[Any, Any]:
    return Department.objects.none()


def number() -> int:
    return 3


def forgets() -> None:
    Department.objects.all()


def of_user(user: int) -> QuerySet[Any, Any]:
    return Department.objects.filter(pk=user)


def fails() -> QuerySet[Any, Any]:
    raise ValueError("no tenant")


def raw() -> Any:
    return Department.objects.raw("SELECT 1 AS id")


def of_report() -> Any:
    from tests.reports import Keyless

    return Keyless().run()


stores = Store.objects.all()


class Page:
    queryset = Store.objects.all()

    def get_queryset(self) -> QuerySet[Any, Any]:
        return self.queryset

    @classmethod
    def made(cls) -> QuerySet[Any, Any]:
        return cls.queryset


class Needy:
    def __init__(self, request: object) -> None: ...

    def get_queryset(self) -> None: ...


CONVERTED = [
    "dashboard", "cartesian", "joined", "grouped", "sliced", "union", "everything", "many_rows_for_one",
    "several_tables",
]  # fmt: skip


@pytest.fixture(autouse=True)
def data() -> None:
    departments = [
        Department(name=name, region=region, created=date(2026, 1, day))
        for day, (name, region) in enumerate([("Support", "north"), ("Ops %", "south"), ("Legal", "east")], 1)
    ]
    Department.objects.bulk_create(departments)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    for place in range(12):
        hours = Decimal(place) / 3 if place % 3 == 2 else None
        Ticket.objects.create(
            department=departments[place % 2],
            status="closed" if hours is not None else ("open", "pending")[place % 3],
            priority=place % 4 + 1,
            opened_at=start + timedelta(hours=place),
            closed_at=start + timedelta(days=1) if hours is not None else None,
            resolution_hours=hours,
        )
        Employee.objects.create(department=departments[place % 3], name=f"e{place}", hired=date(2026, 1, place + 1))
    Invoice.objects.create(department=departments[0], amount=Decimal("2.00"), issued=date(2026, 1, 1))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a folder of templates, with no report registered but those of a test."""
    monkeypatch.setattr(registry, "_reports", {})
    with override_settings(REPORTS={"TEMPLATE_DIRS": [tmp_path]}):
        yield tmp_path


def converted(*args: str) -> str:
    out = StringIO()
    call_command("convertqueryset", *args, stdout=out)
    return out.getvalue()


def refused(*args: str) -> str:
    with pytest.raises(CommandError) as caught:
        call_command("convertqueryset", *args)
    return str(caught.value)


def run_python(printed: str) -> dict[str, Any]:
    """Return what the printed Python defines, its model taken out of the app registry again."""
    code = re.split(r"^(?=import |from )", printed, maxsplit=1, flags=re.MULTILINE)[1]
    code = re.split(r"^\w+: equal, ", code, flags=re.MULTILINE)[0]
    return run_printed(code, "tests.printed")


def written(name: str, folder: Path, *args: str) -> tuple[type[Report], str]:
    """Return the registered report of a converted queryset, and what was printed."""
    printed = converted(f"{HERE}:{name}", "--write", str(folder / "tests" / f"{name}.sql"), *args)
    class_name = "".join(word.capitalize() for word in name.split("_"))
    report: type[Report] = run_python(printed)[class_name]
    return register(report), printed


def answer(queryset: Any) -> list[tuple[Any, ...]]:
    """Return the rows as the driver gives them, those of related models left out."""
    queryset = queryset.all()
    queryset.query.select_related = False
    sql, params = queryset.query.get_compiler("default").as_sql()
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return list(cursor.fetchall())


# The whole way: written, checked, imported, run.


@pytest.mark.parametrize("name", CONVERTED)
def test_report_gives_the_querysets_rows(name: str, folder: Path):
    queryset = globals()[name]()

    report, printed = written(name, folder)

    rows = [tuple(row.values()) for row in report().run()]
    expected = answer(queryset)
    assert expected
    assert_matches(rows, expected, ordered=name in ("dashboard", "sliced"))
    assert f"equal, {len(expected)} rows" in printed
    messages = [each for each in checks.run_checks(databases=["default"]) if str(each.id).startswith("reports.")]
    keyless = name in ("union", "many_rows_for_one")
    assert [str(each.id) for each in messages] == (["reports.W001"] if keyless else []), messages
    assert printed.startswith(f"{folder}/tests/{name}.sql: written.\n\n")


@pytest.mark.parametrize("strategy", ["original", "grouped", "materialized", "lateral"])
def test_each_strategy(strategy: str, folder: Path):
    report, printed = written("dashboard", folder, "--strategy", strategy)

    rows = [tuple(row.values()) for row in report().run()]
    assert rows == answer(dashboard())
    sql = find_template("tests/dashboard.sql").source
    assert ("LATERAL" in sql, "MATERIALIZED" in sql, sql.count("WITH")) == (
        strategy == "lateral", strategy == "materialized", strategy in ("grouped", "materialized")
    )  # fmt: skip
    assert sql.count('{{ table("helpdesk.Ticket") }}') == (5 if strategy == "original" else 1)
    assert f"{strategy}: equal, 2 rows in the same order. This proves it for the data of this moment" in printed


# A server-binding driver sends 1.0 as a float.
RATIO = "double precision" if connection.settings_dict["OPTIONS"]["server_side_binding"] else "numeric"
DASHBOARD = f"""\
-- doc: Open and closed tickets of each department.
-- param: status text required default=open
-- param: status_2 text required default=closed
-- param: open_above bigint required default=0
-- param: region text required list default=north,south
-- column: id bigint pk
-- column: name text
-- column: region character varying(5)
-- column: parent_id bigint null fk=helpdesk.Department
-- column: created date
-- column: open bigint null
-- column: closed bigint
-- column: ratio {RATIO} null
-- ordering: -open, name, id
-- example: {{}}
SELECT
"""


def test_template(folder: Path):
    """One value that stands at several places is one parameter; a value compared with nothing is a literal."""
    report, printed = written("dashboard", folder, "--strategy", "lateral")

    text = (folder / "tests" / "dashboard.sql").read_text()
    assert text.startswith(DASHBOARD)
    assert "WHERE ((" in text
    assert text.endswith('> {{ open_above }} AND "helpdesk_department"."region" IN {{ region | inclause }})\n')
    assert '."status" = {{ status }}) AS' in text
    assert 'FROM {{ table("helpdesk.Department") }} AS "helpdesk_department"\n' in text
    assert ", 0) * " in text
    assert "# The header declares the parameters." in printed
    assert "Scans: helpdesk_department 1 → 1, helpdesk_ticket" in printed
    assert report().run({"region": "south"}).count() == 1
    assert [row["open"] for row in report().run({"status": "pending", "open_above": "1"})] == [2, 2]


def test_nothing_is_written_without_being_asked(folder: Path):
    printed = converted(f"{HERE}:dashboard", "--strategy", "lateral")

    assert printed.startswith(DASHBOARD)
    assert 'template = "tests/dashboard.sql"' in printed
    assert list(folder.iterdir()) == []


def test_name_and_place_of_the_file(folder: Path, tmp_path_factory: pytest.TempPathFactory):
    printed = converted(f"{HERE}:stores", "--name", "all_stores", "--write", str(folder / "shop" / "stores.sql"))

    assert "class AllStores(Report):" in printed
    assert 'template = "shop/stores.sql"' in printed
    assert "No report finds it" not in printed
    other = tmp_path_factory.mktemp("other")
    printed = converted(f"{HERE}:stores", "--write", str(other / "app" / "sql" / "app" / "stores.sql"))
    assert "class Stores(Report):" in printed
    assert "No report finds it there as 'app/stores.sql'" in printed
    assert 'template = "tests/bare.sql"' in converted(f"{HERE}:stores", "--write", str(other / "bare.sql"))


def test_file_that_is_there(folder: Path):
    path = folder / "stores.sql"
    path.write_text("kept")

    assert refused(f"{HERE}:stores", "--write", str(path)) == f"'{path}' is there already; --force replaces it."
    assert path.read_text() == "kept"
    converted(f"{HERE}:stores", "--write", str(path), "--force")
    assert path.read_text().startswith(f"-- doc: The rows of {HERE}:stores.\n-- column: id bigint pk\n")


def test_file_that_cannot_be_written(folder: Path):
    (folder / "full").write_text("a file, and no folder")

    path = folder / "full" / "below" / "stores.sql"
    assert refused(f"{HERE}:stores", "--write", str(path)) == f"{path}: Not a directory."


def test_template_that_gives_other_rows_is_not_written(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(conversion, "template_text", lambda *args: template_text(*args).replace("north", "east"))

    message = refused(f"{HERE}:dashboard", "--write", str(folder / "dashboard.sql"))

    assert message.startswith("the template does not give the queryset's rows, and is not written.\n")
    assert "not equal" in message
    assert list(folder.iterdir()) == []


def test_strategies_are_those_that_there_are():
    parser = convertqueryset.Command().create_parser("manage.py", "convertqueryset")

    (choices,) = [action.choices for action in parser._actions if action.dest == "strategy"]

    assert list(choices or ()) == list(Strategy)


# Notes.


def test_notes(folder: Path):
    joined_notes, sliced_notes = (converted(f"{HERE}:{name}").partition("\nNote: ")[2] for name in ("joined", "sliced"))

    assert joined_notes.split("\nNote: ")[:3] == [
        "select_related() is left out: a row has the key alone.",
        "prefetch_related() is left out: with a model of its own, the report's rows have it.",
        "Its ordering cannot stand in a header, which names columns of the rows, and leaves NULL to PostgreSQL.",
    ]
    assert sliced_notes.startswith("The slice stands in the template.")
    assert "Nothing is rewritten, this is the queryset's own statement: " in sliced_notes


def test_locks_and_an_order_of_null_that_no_header_says():
    notes = converted(f"{HERE}:locked").split("\nNote: ")[1:3]

    assert notes == [
        "select_for_update() is left out: a report reads only.",
        "Its ordering cannot stand in a header, which names columns of the rows, and leaves NULL to PostgreSQL.",
    ]


def test_queryset_that_is_the_fastest_is_rewritten_all_the_same(monkeypatch: pytest.MonkeyPatch):
    """On the few rows of a developer's database the times say little."""
    monkeypatch.setattr(conversion, "choose", lambda ways, questions, strategy: ways.decision(Strategy.ORIGINAL))

    printed = converted(f"{HERE}:dashboard")

    assert re.search(r"^(grouped|materialized|lateral): equal, 2 rows in the same order", printed, re.MULTILINE)
    assert "Note: On this data the queryset is as fast; --strategy original keeps its statement.\n" in printed


def test_wrong_results_are_told(folder: Path):
    printed = converted(f"{HERE}:cartesian")

    assert "multiply one another: the queryset's values are wrong, and the report's are the same." in printed


def test_queryset_without_a_key_is_told():
    assert "Note: No column is known to be the key: write pk behind one that is.\n" in converted(f"{HERE}:union")


# Targets.


@pytest.mark.parametrize(
    ("path", "model"),
    [
        (f"{HERE}:stores", Store),
        (f"{HERE}:Page.queryset", Store),
        (f"{HERE}:Page.get_queryset", Store),
        (f"{HERE}:Page.made", Store),
        ("tests.models:Store", Store),
        ("tests.models:Store.objects", Store),
        ("tests.models:Store.objects.all", Store),
        ("example_project.helpdesk.models:Department.objects.visible_to", None),
        ("example_project.helpdesk.models:DepartmentQuerySet.all", Department),
    ],
)
def test_targets(path: str, model: Any):
    if model is None:
        assert "takes arguments: missing a required argument: 'user'. Write a function without any" in refused(path)
        return
    found = find_queryset(path)

    assert found.queryset.model is model
    assert found.app_label == ("helpdesk" if model is Department else "tests")


REFUSED = {
    "stores": "'stores' does not say where the queryset is; write app.module:function.",
    "tests.gone:x": "there is no module 'tests.gone' (tests.gone).",
    f"{HERE}:storse": f"{HERE}:storse: {HERE} has no 'storse'. Did you mean 'stores'?",
    f"{HERE}:nothing": f"{HERE}:nothing: Django knows that there are no rows, and makes no statement.",
    f"{HERE}:number": f"{HERE}:number: int is no queryset. A queryset is needed.",
    f"{HERE}:forgets": (f"{HERE}:forgets: NoneType is no queryset. A queryset is needed. Does the function return it?"),
    f"{HERE}:of_user": (
        f"{HERE}:of_user takes arguments: missing a required argument: 'user'. Write a function without any that calls"
        " it, and name that one."
    ),
    f"{HERE}:fails": f"{HERE}:fails raised ValueError: no tenant",
    f"{HERE}:of_report": f"{HERE}:of_report: these are the rows of a report already.",
    f"{HERE}:Needy.get_queryset": (
        f"{HERE}:Needy.get_queryset takes arguments: missing a required argument: 'request'. Write a function without"
        " any that calls it, and name that one."
    ),
    "tests.models:Store.save": "tests.models:Store.save is a method of one Store; a queryset comes from a manager's.",
    "django.db.models:QuerySet.all": "django.db.models:QuerySet.all is a method of ",
}


@pytest.mark.parametrize("path", REFUSED)
def test_targets_that_are_none(path: str):
    message = refused(path)

    assert message == REFUSED[path] or (path.startswith("django") and message.startswith(REFUSED[path]))


def test_raw_is_refused():
    assert "SQL of your own" in refused(f"{HERE}:raw")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--strategy", "grouped"), "it cannot be written as grouped (it can as: original): "),
        (("--name", "a-b"), "'a-b' is no name of a report: give one with --name."),
        (("--write", "stores.txt"), "'stores.txt' is no template's name: write one that ends in .sql."),
        (("--write", "a.count.sql"), "'a.count.sql' is no template's name: write one that ends in .sql."),
    ],
)
def test_options_that_do_not_fit(args: tuple[str, str], message: str):
    assert refused(f"{HERE}:stores", *args).startswith(message)


# Names of parameters.

COMPARED = {
    'SELECT 1 FROM t WHERE t."status" = $1': {1: "status"},
    'SELECT 1 FROM t WHERE t."a" = $1 AND t."a" = $2': {1: "a", 2: "a_2"},
    'SELECT 1 FROM t WHERE (t."a" >= $1 AND t."a" < $2)': {1: "a_min", 2: "a_below"},
    'SELECT 1 FROM t WHERE t."a" BETWEEN $1 AND $2 AND t."b" > $3': {1: "a_min", 2: "a_max", 3: "b_above"},
    'SELECT 1 FROM t WHERE $1 <= t."a" AND NOT (t."b" <> $2)': {1: "a_min", 2: "b_not"},
    'SELECT 1 FROM t WHERE UPPER(t."a"::text) LIKE UPPER($1)': {1: "a"},
    'SELECT 1 FROM t WHERE t."a" NOT LIKE (($1)::varchar(3))': {1: "a"},
    'SELECT 1 FROM t WHERE t."class" = $1 AND t."page" = $2 AND t."table" = $3 AND t."2é $x" = $4': {
        1: "class_value", 2: "page_value", 3: "table_value", 4: "p_2é_x",
    },
    'SELECT SUM(t."a") FILTER (WHERE t."b" = $1) AS "n" FROM t HAVING SUM(t."a") FILTER (WHERE (t."b" = $1)) > $2': {
        1: "b", 2: "n_above",
    },
    'SELECT COALESCE(t."a", $1), $2 + t."b", (t."a" + t."b") > $3 FROM t LIMIT $4': {},
    'SELECT 1 FROM t WHERE (SELECT t."a") > $1': {},
}  # fmt: skip


@pytest.mark.parametrize("text", COMPARED)
def test_names(text: str):
    read = Text.of(text)

    found = name_parameters(read, [11, 12, 13, 14], outer_aliases(read))

    assert {number: named.name for number, named in found.items()} == COMPARED[text]


def test_names_of_dates_lists_and_nulls():
    text = 'SELECT 1 FROM t WHERE t."d" >= $1 AND t."d" < $2 AND t."k" IN ($3, $4) AND t."n" = $5 AND t."k" IN ($3, 7)'
    values = [date(2026, 1, 1), datetime(2026, 1, 2), "a", "b", None]

    found = name_parameters(Text.of(text), values, {})

    many = Named("k", (3, 4), is_list=True)
    assert found == {1: Named("d_from", (1,)), 2: Named("d_before", (2,)), 3: many, 4: many}


def test_template_sql():
    text = 'SELECT \'{{ x }}\', $1, $2 FROM "tests_store" WHERE "tests_store"."id" IN ($3, $4)'

    written = template_sql(text, {3: (many := Named("ids", (3, 4), True)), 4: many, 2: Named("n", (2,))}, {1: "'{%'"})

    assert written == (
        "{% raw %}SELECT\n    '{{ x }}',\n    {% endraw %}{% raw %}'{%'{% endraw %},\n    {{ n }}\nFROM"
        ' {{ table("tests.Store") }} AS "tests_store"\nWHERE "tests_store"."id" IN {{ ids | inclause }}'
    )


def test_new_names_of_columns():
    text = Text.of('WITH x AS (SELECT 1 AS "a") SELECT x."a", (SELECT 2 AS "c") AS "b__c", 3 FROM x')

    assert with_names(text, {0: "z", 1: "b_c"}) == (
        'WITH x AS (SELECT 1 AS "a") SELECT x."a" AS "z", (SELECT 2 AS "c") AS "b_c", 3 FROM x'
    )


# Values.

VALUES = {
    "2026-01-31": (date(2026, 1, 31), "date"),
    "2026-01-31T10:00:00+00:00": (datetime(2026, 1, 31, 10, tzinfo=UTC), "timestamptz"),
    "1.50": (Decimal("1.50"), "numeric"),
    "true": (True, "boolean"),
    "-3": (-3, "bigint"),
    '"a b \\"c\\" é"': ('a b "c" é', "text"),
    "00000000-0000-0000-0000-000000000001": (UUID(int=1), "uuid"),
    '"3 04:00:00"': (timedelta(days=3, hours=4), "interval"),
    "0.1": (0.1, "double precision"),
}


@pytest.mark.parametrize("default", VALUES)
@pytest.mark.parametrize("kind", [None, "circle", "integer[]"])
def test_defaults(default: str, kind: str | None):
    value, type_name = VALUES[default]

    found = declared("x", [value], kind, is_list=False)

    assert found is not None
    assert param_line(found) == f"-- param: x {type_name} required default={default}"


def test_default_takes_postgresqls_type_where_it_holds_the_value():
    assert declared("x", [3], "smallint", is_list=False) == Param("x", "smallint", required=True, default="3")
    assert declared("x", [70000], "smallint", is_list=False) == Param("x", "bigint", required=True, default="70000")
    assert declared("x", ["a"], "character varying", is_list=False) == Param("x", "text", required=True, default="a")
    assert declared("x", [3, 4], "integer", is_list=True) == Param("x", "integer", True, True, default="3,4")


@pytest.mark.parametrize("values", [[" a"], ["a\nb"], [""], [b"a"], [[1]], [None], [True]])
def test_values_that_no_default_gives(values: list[Any]):
    kind = "integer" if values == [True] else None
    found = declared("x", values, kind, is_list=False)

    assert found is None or found.type == "boolean"
    assert declared("x", ["a,b", "c"], None, is_list=True) is None


def test_literals():
    values = [3, -3, "it's", None, True, date(2026, 1, 1), 1.5, Decimal("2")]

    assert [literal(value, is_typed=False) for value in values] == [
        "3", "(-3)", "'it''s'", "NULL", "true", "'2026-01-01'::date", "1.5", "2",
    ]  # fmt: skip
    assert [literal(value, is_typed=True) for value in values[-2:]] == ["(1.5)::double precision", "(2)::numeric"]
