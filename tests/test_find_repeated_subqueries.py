"""``manage.py find_repeated_subqueries``: on a stand-in of pg_stat_statements, whose columns differ by version."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Count, OuterRef, Subquery

from example_project.helpdesk.models import Department, Ticket
from reports.management.repeated import estimates, repeated_subqueries
from reports.management.repeated.estimates import NoEstimate, estimate
from reports.management.repeated.statement_statistics import HIDDEN
from reports.rewrite import statements
from reports.rewrite.rewriting import Finding, KeyPair, Kind, Reason, Refusal, Rewriting, Strategy
from reports.rewrite.sql.numbered import numbered

pytestmark = pytest.mark.django_db

TICKETS = Ticket.objects.filter(department=OuterRef("pk")).order_by().values("department")
COUNTED = (
    '(SELECT COUNT(*) FROM "helpdesk_ticket" t WHERE t."department_id" = d."id" AND t."status" = {} GROUP BY'
    ' t."department_id")'
)
TEXT = (
    f'SELECT d."id", {COUNTED.format("$1")} AS "open", {COUNTED.format("$2")} AS "closed" FROM "helpdesk_department" d'
)
FOLDED = (
    'SELECT d."id", NULLIF(f."c1", 0) AS "open", NULLIF(f."c2", 0) AS "closed" FROM "helpdesk_department" d LEFT JOIN'
    ' (SELECT t."department_id" AS "k", COUNT(*) FILTER (WHERE t."status" = $1) AS "c1", COUNT(*) FILTER (WHERE'
    ' t."status" = $2) AS "c2" FROM "helpdesk_ticket" t GROUP BY t."department_id") f ON f."k" = d."id"'
)
REWRITING = Rewriting(
    TEXT,
    (
        Finding(
            Kind.SHARED, ("helpdesk_ticket",), 2, (COUNTED.format("$1"), COUNTED.format("$2")), advice=".annotate(\n)"
        ),
    ),
    {Strategy.GROUPED: FOLDED},
)
MULTIPLIED = 'SELECT count(a."id"), count(b."id") FROM a JOIN b ON true'
WRONG = Rewriting(
    MULTIPLIED,
    (Finding(Kind.MULTIPLIED, ("b", "a"), 2, is_wrong=True, reason=str(Reason.DIFFERENT_RESULT)),),
    refusals=(Refusal(Reason.DIFFERENT_RESULT, MULTIPLIED), Refusal(Reason.LOCKS, "x"), Refusal(Reason.LOCKS, "y")),
)
PLAIN = 'SELECT "id" FROM "helpdesk_department"'
# What each version has beside the columns that are read.
VERSIONS = {
    "15": "toplevel boolean, mean_exec_time float8, blk_read_time float8, jit_functions bigint",
    "16": "toplevel boolean, mean_exec_time float8, blk_read_time float8, jit_functions bigint",
    "17": "toplevel boolean, mean_exec_time float8, shared_blk_read_time float8, stats_since timestamptz",
    "18": "toplevel boolean, mean_exec_time float8, shared_blk_read_time float8, parallel_workers_launched bigint",
}

Stand = Callable[..., None]


@pytest.fixture
def stand_in() -> Stand:
    """Return a function that makes a pg_stat_statements of rows: queryid, text, calls, milliseconds, rows."""

    def made(
        *rows: tuple[Any, ...], version: str = "18", time: str = "total_exec_time", evicted: int | None = None
    ) -> None:
        with connection.cursor() as cursor:
            # The planner forgets how few rows other tests have left, and expects ten pages of what it does not know.
            cursor.execute("TRUNCATE helpdesk_ticket, helpdesk_department CASCADE")
            cursor.execute("CREATE SCHEMA other")
            cursor.execute(
                "CREATE TABLE other.kept (userid oid, dbid oid, queryid bigint, query text, calls bigint,"
                f" {time} float8, rows bigint, {VERSIONS[version]})"
            )
            cursor.execute("CREATE VIEW other.pg_stat_statements AS SELECT * FROM other.kept")
            cursor.execute("SET LOCAL search_path = other, public")
            names = f"queryid, query, calls, {time}, rows"
            ours = "SELECT 10, oid, %s, %s, %s, %s, %s FROM pg_database WHERE datname = current_database()"
            for row in rows:
                cursor.execute(f"INSERT INTO other.kept (userid, dbid, {names}) {ours}", row)
            if evicted is not None:
                cursor.execute(
                    "CREATE VIEW other.pg_stat_statements_info AS"
                    f" SELECT {evicted}::bigint AS dealloc, '2026-01-02 03:04+00'::timestamptz AS stats_reset"
                )

    return made


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Know how three statements can be written."""
    answers = {TEXT: REWRITING, MULTIPLIED: WRONG}
    cut_off = Refusal(Reason.UNREADABLE, "")
    unreadable = Rewriting("", refusals=(cut_off,))

    def answer(text: str) -> Rewriting:
        return unreadable if text.endswith("…") else answers.get(text, Rewriting(text))

    monkeypatch.setattr(statements, "rewrite", answer)
    monkeypatch.setattr(repeated_subqueries, "advised", lambda rewriting: rewriting.findings)


def found(*args: str) -> str:
    out = StringIO()
    call_command("find_repeated_subqueries", *args, stdout=out)
    return out.getvalue()


def document(*args: str) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(found("--format", "json", *args))
    return read


def refused(*args: str) -> str:
    with pytest.raises(CommandError) as caught:
        call_command("find_repeated_subqueries", *args)
    return str(caught.value)


def ask(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0] if cursor.description else None


# What is shown.


def test_text(stand_in: Stand, known: None):
    stand_in((7, TEXT, 4, 6000.0, 40), (8, PLAIN, 1, 3000.0, 1), (9, MULTIPLIED, 1000, 900.0, 5), evicted=0)

    shown = found("--no-explain")

    assert (
        shown
        == """\
1. 4 calls, 6.0 s in all (61% of the database's), 1.5 s each; queryid 7
   shared scan: 2 subqueries over helpdesk_ticket
   grouped: about 3.0 s could be saved, 50%, by the scans alone (the planner was not asked).
   in Python:
      .annotate(
      )

   SELECT
       d."id",
       NULLIF(f."c1", 0) AS "open",
       NULLIF(f."c2", 0) AS "closed"
   FROM "helpdesk_department" d
   LEFT JOIN (
       SELECT
           t."department_id" AS "k",
           COUNT(*) FILTER (WHERE t."status" = $1) AS "c1",
           COUNT(*) FILTER (WHERE t."status" = $2) AS "c2"
       FROM "helpdesk_ticket" t
       GROUP BY t."department_id"
   ) f ON f."k" = d."id"

2. 1,000 calls, 900.0 ms in all (9% of the database's), 0.9 ms each; queryid 9
   multiplied: 2 joins over a, b; the result is wrong, not only slow; not rewritten: its multiplied rows make
      the result wrong: another statement would give other rows
   left as it is: it locks rows (2 times)

   SELECT
       count(a."id"),
       count(b."id")
   FROM a
   JOIN b ON true

3 statements read since 2026-01-02 03:04:00+00:00: 2 found, 1 can be rewritten, about 3.0 s of 9.9 s could be
saved. Wrong results: 1.
"""
    )


def test_nothing_found(stand_in: Stand):
    stand_in((8, PLAIN, 1, 1.0, 1))

    assert found() == "1 statement read: none repeats a subquery.\n"


def test_json(stand_in: Stand, known: None):
    stand_in((7, TEXT, 4, 6000.0, 40), (9, MULTIPLIED, 1, 2000.0, 5), evicted=3)

    data = document()

    first, second = data.pop("statements")
    assert data == {
        "database": "default",
        "found": 2,
        "read": 2,
        "unreadable": 0,
        "milliseconds": 8000.0,
        "saved_milliseconds": first["saved_milliseconds"],
        "hidden": 0,
        "hidden_milliseconds": 0,
        "lost": 0,
        "evicted": 3,
        "since": "2026-01-02T03:04:00+00:00",
        "notes": ["Rare statements were forgotten 3 times to make room: raise pg_stat_statements.max to see all."],
    }
    assert (first["queryid"], first["calls"], first["rows"], first["mean_milliseconds"]) == ("7", 4, 40, 1500.0)
    assert first["part_of_time"] == 0.75
    assert (first["strategy"], first["sql"], first["is_limited"]) == ("grouped", TEXT, False)
    assert "".join(first["rewritten"].split()) == "".join(FOLDED.split())
    assert first["findings"][0]["tables"] == ["helpdesk_ticket"]
    assert first["findings"][0]["subqueries"] == [COUNTED.format("$1"), COUNTED.format("$2")]
    assert first["cost_before"] > first["cost_after"] > 0
    assert first["saved_part"] == 1 - first["cost_after"] / first["cost_before"]
    assert first["saved_milliseconds"] == 6000 * first["saved_part"]
    assert (second["strategy"], second["rewritten"], second["saved_milliseconds"]) == (None, None, 0)
    assert second["findings"][0]["is_wrong"] is True
    assert second["refusals"][1] == {"reason": "it locks rows", "detail": "", "sql": "x"}


def test_costs_are_shown(stand_in: Stand, known: None):
    stand_in((7, TEXT, 4, 6000.0, 40))
    before, after = estimate(connection, TEXT).cost, estimate(connection, FOLDED).cost

    assert f"   grouped: estimated cost {before:,.0f} → {after:,.0f}; about " in found()


def test_costs_of_a_text_that_is_not_planned(stand_in: Stand, known: None, monkeypatch: pytest.MonkeyPatch):
    """A constant that was no value: pg_stat_statements writes interval $1."""
    text = "SELECT now() - interval $1"
    rewriting = Rewriting(text, REWRITING.findings, {Strategy.LATERAL: text}, is_limited=True)
    monkeypatch.setattr(statements, "rewrite", lambda text: rewriting)
    stand_in((7, text, 1, 10.0, 1))

    (one,) = document()["statements"]

    assert one["no_costs"] == 'PostgreSQL does not plan the text: syntax error at or near "$1"'
    assert (one["cost_before"], one["saved_part"], one["strategy"]) == (None, 0.5, "lateral")
    assert "It ends after some rows: measure it, costs mislead there." in " ".join(found().split())


def test_costs_that_speak_for_the_original(stand_in: Stand, monkeypatch: pytest.MonkeyPatch):
    rewriting = Rewriting(PLAIN, REWRITING.findings, {Strategy.GROUPED: TEXT})
    monkeypatch.setattr(statements, "rewrite", lambda text: rewriting)
    stand_in((7, PLAIN, 1, 10.0, 1))

    assert "by its costs the original is as good." in found()


def test_cheapest_candidate_is_shown(stand_in: Stand, monkeypatch: pytest.MonkeyPatch):
    rewriting = Rewriting(TEXT, REWRITING.findings, {Strategy.GROUPED: TEXT, Strategy.LATERAL: PLAIN})
    monkeypatch.setattr(statements, "rewrite", lambda text: rewriting)
    stand_in((7, TEXT, 1, 10.0, 1))

    (one,) = document()["statements"]

    assert one["strategy"] == "lateral"


def test_columns_of_two_types_are_joined_by_no_groups(stand_in: Stand, monkeypatch: pytest.MonkeyPatch):
    keys = (KeyPair("SELECT 1::int", "SELECT 1::bigint"),)
    candidates = {Strategy.GROUPED: PLAIN, Strategy.MATERIALIZED: PLAIN, Strategy.PAGED: PLAIN}
    rewriting = Rewriting(TEXT, REWRITING.findings, candidates, keys=keys)
    monkeypatch.setattr(statements, "rewrite", lambda text: rewriting)
    stand_in((7, TEXT, 1, 10.0, 1))

    (one,) = document()["statements"]

    assert one["strategy"] == "paged"
    assert [refusal["reason"] for refusal in one["refusals"]] == [str(Reason.KEY_TYPES)]


def test_order_is_by_what_could_be_saved(stand_in: Stand, monkeypatch: pytest.MonkeyPatch):
    """Half of 30 ms is less than two thirds of 24 ms; what cannot be rewritten comes last."""

    def answer(text: str) -> Rewriting:
        count = int(text.removeprefix("SELECT "))
        finding = Finding(Kind.SHARED, ("t",), count, reason="why" if count == 9 else None)
        return Rewriting(text, (finding,), {} if count == 9 else {Strategy.GROUPED: text})

    monkeypatch.setattr(statements, "rewrite", answer)
    stand_in(
        (1, "SELECT 2", 5, 30.0, 1),
        (2, "SELECT 3", 5, 24.0, 1),
        (3, "SELECT 9", 5, 99.0, 1),
        (4, "SELECT 4", 2, 9.0, 1),
    )

    assert [one["queryid"] for one in document("--no-explain")["statements"]] == ["2", "1", "4", "3"]
    assert [one["queryid"] for one in document("--no-explain", "--min-calls", "5")["statements"]] == ["2", "1", "3"]
    limited = document("--no-explain", "--limit", "1")
    assert ([one["queryid"] for one in limited["statements"]], limited["found"]) == (["2"], 4)
    assert "4 found (1 shown; --limit shows more), 3 can be rewritten" in found("--no-explain", "--limit", "1")


def test_real_statement_of_the_orm(stand_in: Stand):
    def counted(status: str) -> Subquery:
        return Subquery(TICKETS.filter(status=status).annotate(c=Count("*")).values("c"))

    queryset = Department.objects.annotate(open=counted("open"), closed=counted("closed"))
    sql, params = queryset.query.get_compiler("default").as_sql()
    stand_in((-7, numbered(sql, len(params)), 4, 6000.0, 40))

    (one,) = document()["statements"]

    assert [(each["kind"], each["tables"], each["count"]) for each in one["findings"]] == [
        ("shared scan", ["helpdesk_ticket"], 2)
    ]
    assert one["cost_after"] < one["cost_before"]
    assert one["rewritten"].count('"helpdesk_ticket"') == 1
    assert 'Count("tickets", filter=Q(tickets__status=...))' in one["findings"][0]["advice"]
    assert "   in Python:\n      .annotate(" in found()


def test_columns_of_another_type_are_not_grouped(stand_in: Stand):
    """A smallint compared with a bigint is one value, but as groups they are joined by their types."""
    ask("CREATE TABLE narrow (id smallint)")
    counted = '(SELECT COUNT(*) FROM "helpdesk_ticket" t WHERE t."department_id" = n."id" AND t."status" = {})'
    stand_in((7, f'SELECT {counted.format("$1")} AS a, {counted.format("$2")} AS b FROM "narrow" n', 1, 1.0, 1))

    (one,) = document()["statements"]

    assert one["strategy"] == "lateral"
    assert [refusal["reason"] for refusal in one["refusals"]] == ["the types of the correlation's columns differ"]


# What is read.


@pytest.mark.parametrize("version", VERSIONS)
def test_columns_of_each_version(stand_in: Stand, known: None, version: str):
    stand_in((7, TEXT, 4, 6000.0, 40), (7, TEXT, 1, 1000.0, 2), version=version)

    (one,) = document("--no-explain")["statements"]

    assert (one["calls"], one["milliseconds"], one["rows"]) == (5, 7000.0, 42)


def test_extension_that_was_never_updated(stand_in: Stand, known: None):
    stand_in((7, TEXT, 4, 6000.0, 40), time="total_time")

    assert document("--no-explain")["statements"][0]["milliseconds"] == 6000.0


def test_view_of_other_columns(stand_in: Stand):
    stand_in(time="seconds")

    assert refused() == "pg_stat_statements has no columns total_exec_time."


def test_other_databases_and_other_statements_are_left_out(stand_in: Stand, known: None):
    stand_in(
        (1, "INSERT INTO a SELECT 1", 1, 1.0, 1),
        (2, "BEGIN", 1, 1.0, 1),
        (3, f"/* a */ -- b\n({PLAIN})", 1, 1.0, 1),
        (4, "WITH a AS (SELECT 1) SELECT 1", 1, 1.0, 1),
        (5, TEXT, 1, 1.0, 1),
    )
    with connection.cursor() as cursor:
        cursor.execute("UPDATE other.kept SET dbid = 1 WHERE queryid = 5")

    data = document()

    assert (data["read"], data["found"], data["milliseconds"]) == (2, 0, 4.0)


def test_texts_that_are_hidden_lost_or_cut_off(stand_in: Stand, known: None):
    rows = [(None, HIDDEN, 1, 60.0, 1), (None, HIDDEN, 1, 15.0, 1), (1, None, 1, 15.0, 1), (2, "SELECT …", 1, 10.0, 1)]
    stand_in(*rows)

    assert (
        found()
        == """\
1 statement read: none repeats a subquery.
2 statements of other users (75% of the time) hidden from this role. GRANT pg_read_all_stats TO postgres.
1 text could not be read: cut off, or with a constant that was no value.
1 text was given up by the server: pg_stat_statements_reset() begins anew.
"""
    )


# What is not there.

SETUP = (
    " In postgresql.conf, shared_preload_libraries = 'pg_stat_statements' and a restart of the server; then, in this"
    " database, CREATE EXTENSION pg_stat_statements."
)


def test_real_extension():
    """Whatever this server has of it: in a schema that is not searched."""
    if not ask("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_stat_statements'"):
        assert refused() == f"the database has no pg_stat_statements.{SETUP}"
        return
    ask("DROP EXTENSION IF EXISTS pg_stat_statements")
    ask("CREATE SCHEMA unsearched")
    ask("CREATE EXTENSION pg_stat_statements SCHEMA unsearched")
    if "pg_stat_statements" in ask("SELECT current_setting('shared_preload_libraries')"):
        assert document()["since"] is not None
    else:
        assert refused() == f"pg_stat_statements is there, but the server has not loaded it.{SETUP}"


def test_no_extension():
    ask("DROP EXTENSION IF EXISTS pg_stat_statements")

    assert refused() == f"the database has no pg_stat_statements.{SETUP}"


def test_no_right(stand_in: Stand):
    stand_in()
    ask('CREATE ROLE "of the finder"')
    ask('GRANT USAGE ON SCHEMA other TO "of the finder"')
    ask('SET LOCAL ROLE "of the finder"')

    assert refused() == 'this role may not read pg_stat_statements. GRANT pg_read_all_stats TO "of the finder".'
    assert ask("SELECT 1") == 1  # the transaction goes on


def test_no_database():
    assert refused("--database", "defaults") == (
        "there is no database 'defaults' (there are: default). Did you mean 'default'?"
    )


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_numbers_begin_at_one(number: str):
    assert f"'{number}' is no number from 1 on" in refused("--limit", number)


def test_sqlglot_is_not_installed():
    program = (
        "import sys; sys.modules['sqlglot'] = None\n"
        "import django; from django.core.management import call_command; django.setup()\n"
        "call_command('find_repeated_subqueries')"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.stderr.endswith(
        "CommandError: the module 'sqlglot' is not installed: pip install 'django-sql-reports[rewrite]'.\n"
    )


# Costs.


@pytest.fixture(params=["generic", "prepared"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Ask as PostgreSQL 16 and later are asked, and as 15 is."""
    if request.param == "prepared":
        monkeypatch.setattr(estimates, "_GENERIC_PLAN", 10**6)
    yield
    assert ask("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'sql_reports%'") == 0
    assert ask("SELECT current_setting('plan_cache_mode') || current_setting('transaction_read_only')") == "autooff"


@pytest.mark.usefixtures("way")
def test_estimate():
    plan = estimate(connection, TEXT)

    assert plan.tables == ("helpdesk_department", "helpdesk_ticket")
    assert plan.cost > 0
    assert not plan.is_analyzed


@pytest.mark.usefixtures("way")
def test_estimate_without_parameters_and_with_a_percent_sign():
    assert estimate(connection, "SELECT 5 % 3 FROM helpdesk_department").tables == ("helpdesk_department",)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize(
    "text", ["SELECT interval $1", "SELECT gone FROM helpdesk_ticket", "DROP TABLE helpdesk_ticket"]
)
def test_estimate_of_what_is_not_planned(text: str):
    with pytest.raises(NoEstimate, match="PostgreSQL does not plan the text: "):
        estimate(connection, text)


def test_both_ways_cost_the_same(monkeypatch: pytest.MonkeyPatch):
    generic = estimate(connection, TEXT).cost
    monkeypatch.setattr(estimates, "_GENERIC_PLAN", 10**6)

    assert estimate(connection, TEXT).cost == generic
