"""Indexes tried on PostgreSQL: what helps is found, and nothing is left behind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, models

from reports import QueryError, QueryTimeout, Report, registry
from reports.explain import explain
from reports.indexes import AdviceRefused, advise, trials
from reports.indexes.candidates import Candidate
from reports.indexes.comparisons import Key, Kind
from reports.indexes.django_lines import index_line, model_of
from reports.indexes.trials import NotTried, Statement, try_index
from reports.plan import Plan
from tests.models import Sale

SECRET = 73991
SUMS = """\
-- param: codes integer list required
SELECT code, (SELECT count(*) FROM advised AS a WHERE a.code = c.code AND a.kind <> 'x') AS n
FROM unnest({{ codes }}::int[]) AS c (code)
"""
INDEX = "CREATE INDEX CONCURRENTLY ON public.advised (code)"

Make = Callable[..., Any]


@pytest.fixture
def make(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Return the rows of a template's text, as a report that is registered until the test ends."""
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    monkeypatch.setattr(registry, "_reports", dict(registry._reports))

    def rows(text: str, **params: Any) -> Any:
        (tmp_path / "advised.sql").write_text(text)
        body = {"template": "advised.sql", "name": "advised", "__module__": "tests.reports"}
        return registry.register(type("Advised", (Report,), body))().run(params)

    return rows


CREATE = """
CREATE TABLE advised WITH (fillfactor = 50) AS
    SELECT n AS id, n % 20000 AS code, 'k' || n % 3 AS kind, repeat('x', 200) AS filling, '{}'::json AS data
    FROM generate_series(1, 40000) AS n;
ANALYZE advised
"""


def run(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else None


def indexes() -> Any:
    return run("SELECT schemaname, indexname, indexdef FROM pg_indexes ORDER BY 1, 2")


@pytest.fixture
def advised(db: None) -> None:
    run(CREATE)


@pytest.fixture
def committed(transactional_db: None) -> Iterator[None]:
    run(CREATE)
    yield
    run("DROP TABLE advised")


def rows_of(make: Make) -> Any:
    return make(SUMS, codes=[SECRET, 1, 2, 3, 4, 5, 6, 7, 8, 9])


# What helps.


def test_index_that_helps(make: Make, advised: None) -> None:
    before = indexes()

    advice = advise(rows_of(make))

    (best, *_) = advice.indexes
    assert (best.sql, best.table, best.model, best.line) == (INDEX, "public.advised", None, None)
    assert best.gain > 1.2
    assert best.gain == best.before / best.after
    assert best.cost_after < best.cost_before
    assert "Seq Scan on advised" in best.gone
    assert any(node.endswith("using the index") or node == "Bitmap Heap Scan on advised" for node in best.come)
    assert 0.1 < best.megabytes < 2
    assert advice.milliseconds == best.before
    assert indexes() == before


def test_index_that_is_there_is_not_advised(make: Make, advised: None) -> None:
    run("CREATE INDEX there ON advised (code, kind)")
    run("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexonlyscan = off")

    advice = advise(rows_of(make))

    assert (advice.indexes, advice.tried) == ((), ())
    assert advice.reasons == {"public.advised": "an index that is there serves as well"}


@pytest.mark.parametrize("definition", ["(code) WHERE kind = 'k1'", "((code + 1))", "USING hash (id)", "(id, code)"])
def test_index_that_is_there_but_of_no_use(definition: str, make: Make, advised: None) -> None:
    run(f"CREATE INDEX there ON advised {definition}")

    assert INDEX in [one.sql for one in advise(rows_of(make)).indexes]


def test_index_of_a_quoted_table(make: Make, advised: None) -> None:
    run('CREATE SCHEMA "Odd"; ALTER TABLE advised SET SCHEMA "Odd"; ALTER TABLE "Odd".advised RENAME TO "Order"')
    run('ALTER TABLE "Odd"."Order" RENAME code TO "Code"')

    advice = advise(make('SELECT a.id FROM "Odd"."Order" AS a WHERE a."Code" = 5'))

    assert advice.indexes[0].sql == 'CREATE INDEX CONCURRENTLY ON "Odd"."Order" ("Code")'


def test_order_and_limit(make: Make, advised: None) -> None:
    advice = advise(make("SELECT id, filling FROM advised ORDER BY code DESC, id LIMIT 3"))

    assert advice.indexes[0].sql == "CREATE INDEX CONCURRENTLY ON public.advised (code DESC, id)"
    assert advice.indexes[0].gain > 1.2


def test_table_read_whole_has_no_index(make: Make, advised: None) -> None:
    advice = advise(make("SELECT id, code, kind, filling, 1 AS one, 2 AS two, data::text AS d FROM advised"))

    assert (advice.indexes, advice.tried) == ((), ())
    assert advice.reasons == {"public.advised": "all of its rows are read"}


def test_index_that_the_planner_leaves_aside(make: Make, advised: None) -> None:
    run("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_indexonlyscan = off")

    advice = advise(rows_of(make))

    assert advice.indexes == ()
    assert advice.tried[0] == (INDEX, "the planner does not use it")


def test_rows_that_are_none(make: Make, advised: None) -> None:
    advice = advise(rows_of(make).none())

    assert (advice.indexes, advice.tried, advice.reasons, advice.refused) == ((), (), {}, {})


# Django's line.


def test_line_of_a_model() -> None:
    wanted = Candidate(
        "public",
        Sale._meta.db_table,
        ("buyer_id",),
        (Key("at", True),),
        ("amount",),
        (("day", Kind.NULL), ("until", Kind.NOT_NULL)),
    )

    assert model_of(wanted) is Sale
    text = index_line(wanted, Sale)
    assert text.startswith(
        'models.Index(fields=["buyer", "-at"], include=["amount"], '
        'condition=models.Q(day__isnull=True, until__isnull=False), name="tests_sale_'
    )
    index = eval(text, {"models": models})  # noqa: S307 - it is to be pasted
    assert len(index.name) <= 30
    sql = str(index.create_sql(Sale, connection.schema_editor(collect_sql=True)))
    assert sql.endswith('("buyer_id", "at" DESC) INCLUDE ("amount") WHERE ("day" IS NULL AND "until" IS NOT NULL)')


def test_line_of_truth_values() -> None:
    wanted = Candidate("public", Sale._meta.db_table, ("kind",), where=(("amount", Kind.TRUE), ("day", Kind.FALSE)))

    assert "condition=models.Q(amount=True, day=False)" in index_line(wanted, Sale)


def test_table_without_a_model() -> None:
    assert model_of(Candidate("public", "nowhere", ("kind",))) is None
    assert model_of(Candidate("public", Sale._meta.db_table, ("no_field",))) is None


# Nothing is left, whatever happens.


def _failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Fail while an index is there and the statement is measured."""

    def fail(connection: Any, sql: str, params: Any, **options: Any) -> Plan:
        if options and run("SELECT count(*) FROM pg_class WHERE relname LIKE 'sql_reports_trial%%'") == [(1,)]:
            raise error
        return explain(connection, sql, params, **options)

    monkeypatch.setattr(trials, "explain", fail)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("x"), QueryError("y")])
def test_nothing_is_left_of_a_failure(
    error: BaseException, make: Make, committed: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, before = rows_of(make), indexes()
    _failing(monkeypatch, error)

    with pytest.raises(type(error)):
        advise(rows)

    assert indexes() == before
    assert not connection.in_atomic_block
    assert run("SHOW lock_timeout") == [("0",)]
    assert len(rows) == 10


def test_nothing_is_left_in_the_callers_transaction(make: Make, advised: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, before, settings = rows_of(make), indexes(), run("SHOW statement_timeout")
    _failing(monkeypatch, KeyboardInterrupt())

    with pytest.raises(KeyboardInterrupt):
        advise(rows)

    assert (indexes(), run("SHOW statement_timeout"), run("SHOW transaction_read_only")) == (
        before,
        settings,
        [("off",)],
    )
    run("INSERT INTO advised VALUES (0)")


def test_statement_that_is_slower_than_its_timeout(make: Make, advised: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(make)
    _failing(monkeypatch, QueryTimeout("z"))

    advice = advise(rows)

    assert advice.indexes == ()
    assert advice.tried[0] == (INDEX, "with it the statement runs into its timeout of 30 s")


def test_index_that_takes_too_long(advised: None) -> None:
    with pytest.raises(NotTried, match=r"^building it takes longer than the report's timeout of 0.001 s$"):
        try_index(Statement(connection, "SELECT 1", (), 0.001), "advised (filling, code, id)")

    run("INSERT INTO advised VALUES (0)")


def test_index_that_postgresql_refuses(advised: None) -> None:
    with pytest.raises(NotTried, match=r"^PostgreSQL's error 42704 \(UndefinedObject\)$"):
        try_index(Statement(connection, "SELECT 1", (), 5), "advised (data)")


def test_rows_updated_just_before(make: Make, advised: None) -> None:
    """The index may lack them, so its own transaction must not use it."""
    run("CREATE INDEX there ON advised (id)")
    run("UPDATE advised SET code = code + 1 WHERE id <= 50")

    advice = advise(rows_of(make))

    assert advice.tried[0] == (
        INDEX,
        "rows of its table were updated just before, so that only later transactions could use it",
    )


def test_table_that_another_transaction_writes(make: Make, committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "LOCK_SECONDS", 0.05)
    rows = rows_of(make)

    with psycopg.connect(**_address()) as other:
        other.execute("LOCK TABLE advised IN ROW EXCLUSIVE MODE")
        advice = advise(rows)

    assert advice.tried[0] == (INDEX, "another transaction holds its table for more than 0.05 s")


def _address() -> dict[str, Any]:
    params = connection.get_connection_params()  # type: ignore[no-untyped-call, unused-ignore]
    return {key: params[key] for key in ("dbname", "user", "password", "host", "port") if key in params}


# Refused.


def refused(rows: Any, **options: Any) -> str:
    with pytest.raises(AdviceRefused) as caught:
        advise(rows, **options)
    return str(caught.value)


def test_table_too_large(make: Make, advised: None) -> None:
    assert refused(rows_of(make), most_rows=39_999) == (
        "no index is tried on public.advised: it has about 40,000 rows, and its writers would wait while an index is "
        "built (most_rows, --advise-rows: 39,999)."
    )
    assert advise(rows_of(make), most_rows=40_000).indexes


def test_table_never_analyzed_is_taken_for_a_large_one(make: Make, db: None) -> None:
    run(CREATE.partition("ANALYZE")[0])

    assert "it has about " in refused(rows_of(make), most_rows=40_000)


def test_one_table_refused_beside_another(make: Make, advised: None) -> None:
    run("CREATE TABLE small AS SELECT * FROM advised LIMIT 9000; ANALYZE small")
    both = "SELECT a.id FROM advised AS a WHERE a.code = 5 UNION ALL SELECT s.id FROM small AS s WHERE s.code = 5"

    advice = advise(make(both), most_rows=20_000)

    assert list(advice.refused) == ["public.advised"]
    sql = [*(one.sql for one in advice.indexes), *(one for one, _ in advice.tried)]
    assert "CREATE INDEX CONCURRENTLY ON public.small (code)" in sql


def test_role_that_owns_nothing(make: Make, advised: None) -> None:
    rows = rows_of(make)
    run("CREATE ROLE advised_reader; GRANT SELECT ON advised TO advised_reader; SET LOCAL ROLE advised_reader")

    assert refused(rows) == (
        "no index is tried on public.advised: the role of this connection may not create an index on it: that is for "
        "its owner."
    )


def test_read_only_transaction(make: Make, advised: None) -> None:
    run("SELECT set_config('transaction_read_only', 'on', true)")

    assert refused(rows_of(make)) == ("transactions on 'default' are read only, and no index can be built in one.")


def test_standby(make: Make, advised: None) -> None:
    run("CREATE SCHEMA standby; CREATE FUNCTION standby.pg_is_in_recovery() RETURNS boolean RETURN true")
    run("SET LOCAL search_path = standby, pg_catalog, public")

    assert refused(rows_of(make)) == "the database 'default' is a standby, on which no index can be built."


def test_other_databases(make: Make, advised: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = rows_of(make)
    monkeypatch.setattr(connection, "vendor", "sqlite")

    assert refused(rows) == "the database 'default' is sqlite; reports need PostgreSQL."


def test_partition(make: Make, db: None) -> None:
    run("CREATE TABLE parted (id int, code int) PARTITION BY RANGE (id)")
    run("CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (50000)")
    run("INSERT INTO parted SELECT n, n FROM generate_series(1, 40000) AS n; ANALYZE parted")

    advice = advise(make("SELECT id FROM parted WHERE code = 5"))

    assert advice.reasons == {
        "public.parted_1": "it is a partition of public.parted; an index of all partitions is not tried"
    }


# The command.


def command(*words: str) -> str:
    out = StringIO()
    call_command("report", "tests.advised", *words, stdout=out)
    return out.getvalue()


def test_command(make: Make, advised: None) -> None:
    rows_of(make)

    text = command(f"codes={SECRET},1,2", "--advise")

    lines = text.splitlines()
    assert lines[0].startswith("tests.advised: ")
    assert f"1. {INDEX}" in lines
    assert "   - Seq Scan on advised" in lines
    assert lines[-1].startswith("Each index was built alone and rolled back; until then writers of its table waited.")
    assert str(SECRET) not in text


def test_command_json(make: Make, advised: None) -> None:
    rows_of(make)

    text = command(f"codes={SECRET},1,2", "--advise", "--format=json")

    found = json.loads(text)
    assert list(found) == ["report", "milliseconds", "cost", "indexes", "tried", "refused", "without_candidate"]
    assert found["report"] == "tests.advised"
    assert found["indexes"][0]["sql"] == INDEX
    assert found["indexes"][0]["gain"] > 1
    assert str(SECRET) not in text


def test_command_with_a_models_table(make: Make, db: None) -> None:
    Sale.objects.bulk_create(Sale(kind=f"k{number % 5000}", quantity=number) for number in range(20_000))
    run(f"ANALYZE {Sale._meta.db_table}; SET CONSTRAINTS ALL IMMEDIATE")
    make("SELECT s.id, s.quantity FROM {{ table(\"tests.Sale\") }} AS s WHERE s.kind = 'k7'")

    text = command("--advise")

    assert "1. CREATE INDEX CONCURRENTLY ON public.tests_sale (kind)\n" in text
    assert '   tests.Sale: models.Index(fields=["kind"], name="tests_sale_kind_' in text


def test_command_without_advice(make: Make, advised: None) -> None:
    make("SELECT id, code, kind, filling, 1 AS one, 2 AS two, data::text AS d FROM advised")

    head, *rest = command("--advise").splitlines()

    assert head.startswith("tests.advised: ")
    assert rest == ["", "no index would help.", "", "Nothing to try:", "  public.advised: all of its rows are read"]


def test_command_that_reads_no_table(make: Make, db: None) -> None:
    make("SELECT 1 AS one")

    assert command("--advise").splitlines()[1:] == ["", "no index would help: no table is read"]


def test_command_names_what_was_not_tried(make: Make, advised: None) -> None:
    run("CREATE TABLE small AS SELECT * FROM advised LIMIT 9000; ANALYZE small")
    make("SELECT a.id FROM advised AS a WHERE a.code = 5 UNION ALL SELECT s.id FROM small AS s WHERE s.code = 5")

    lines = command("--advise", "--advise-rows=20000").splitlines()

    assert lines[lines.index("Not tried:") + 1].startswith("  public.advised: it has about 40,000 rows")


def test_command_refused(make: Make, advised: None) -> None:
    rows_of(make)

    with pytest.raises(
        CommandError, match=r"^no index is tried on public.advised: .* --advise-rows: 100\)\.$"
    ) as caught:
        command("codes=1", "--advise", "--advise-rows=100")

    assert caught.value.returncode == 1


@pytest.mark.parametrize(
    ("words", "want"),
    [
        (["--advise", "--format=csv"], "--advise has the formats json and table, not csv."),
        (["--advise-rows=5"], "--advise-rows is for --advise."),
        (["--advise", "--advise-rows=0"], "--advise-rows is '0'; it must be a whole number from 1."),
        (["--advise", "--advise-rows=x"], "--advise-rows is 'x'; it must be a whole number from 1."),
    ],
)
def test_wrong_option(words: list[str], want: str) -> None:
    with pytest.raises(CommandError) as caught:
        call_command("report", "x", *words)

    assert str(caught.value) == want


def test_option_without_a_report() -> None:
    with pytest.raises(CommandError, match=r"^--advise: give the NAME of a report\.$"):
        call_command("report", "--advise")
