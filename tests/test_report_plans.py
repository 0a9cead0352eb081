"""``manage.py report_plans``: what is written, what is told of each difference, and with which exit code."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection

from reports import Report, registry
from reports.management.plan_baselines import Baseline, NoBaseline

pytestmark = pytest.mark.django_db

TEXT = """\
-- param: least integer
-- param: most integer
-- column: id bigint pk
-- example: {"least": 1, "most": 5}
-- example: {"least": 2}
-- example: {"most": 7, "least": 7315}
SELECT id FROM plan_store {% if least is given %} WHERE id >= {{ least }} {% endif %}
"""


@pytest.fixture
def stores() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE plan_store (id bigint NOT NULL)")
        cursor.execute("INSERT INTO plan_store SELECT n FROM generate_series(1, 10000) AS n")
        cursor.execute("ANALYZE plan_store")


@pytest.fixture
def make(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, stores: None) -> Callable[..., type[Report]]:
    """Register a report ``tests.NAME`` of a template's text, beside no other, until the test ends."""
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    settings.BASE_DIR = tmp_path
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(registry, "_reports", {})

    def make_report(name: str, text: str = TEXT, **attributes: Any) -> type[Report]:
        (tmp_path / f"{name}.sql").write_text(text)
        body = {"template": f"{name}.sql", "name": name, "__module__": "tests.reports", **attributes}
        return registry.register(type(name.title(), (Report,), body))

    return make_report


def run(*words: str) -> str:
    out = StringIO()
    call_command("report_plans", *words, stdout=out, stderr=out)
    return out.getvalue()


def refused(*words: str, code: int = 1) -> str:
    with pytest.raises(CommandError) as caught:
        run(*words)
    assert caught.value.returncode == code
    return str(caught.value)


def add_index() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE UNIQUE INDEX plan_store_id ON plan_store (id)")
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")


def version() -> int:
    driver: Any = connection
    found: int = driver.pg_version // 10_000
    return found


def file(report: str) -> str:
    return (
        f"# PostgreSQL {version()}: the plans of {report}, without costs, rows, values and parallel workers.\n"
        "# Written by: manage.py report_plans --write\n"
        "\n"
        "with least, most\n"
        "    Seq Scan on plan_store\n"
        "\n"
        "with least\n"
        "    Seq Scan on plan_store\n"
        "\n"
        "with least, most (2)\n"
        "    Seq Scan on plan_store\n"
    )


# Writing.


def test_write(make: Any, tmp_path: Path) -> None:
    make("one")
    make("two", "SELECT 1 AS n")

    assert run("--write") == (
        "written: report_plans/tests.one.txt\nwritten: report_plans/tests.two.txt\n"
        "2 written, 0 removed, 0 as they were.\n"
    )

    assert (tmp_path / "report_plans" / "tests.one.txt").read_text() == file("tests.one")
    assert (tmp_path / "report_plans" / "tests.two.txt").read_text().endswith("\n\nwithout parameters\n    Result\n")


def test_write_again_changes_nothing(make: Any, tmp_path: Path) -> None:
    make("one")
    run("--write")
    path = tmp_path / "report_plans" / "tests.one.txt"
    before = path.stat()

    assert run("--write") == "0 written, 0 removed, 1 as they were.\n"
    assert path.stat() == before


def test_write_says_what_it_changes(make: Any, tmp_path: Path) -> None:
    make("one")
    run("--write")
    add_index()

    told = run("--write").splitlines()

    assert told[:4] == [
        "changed: report_plans/tests.one.txt",
        "  with least, most:",
        "    plan_store is read by Index Only Scan, no longer by Seq Scan",
        "    the index plan_store_id is used",
    ]
    assert told[-1] == "1 written, 0 removed, 0 as they were."
    assert run("--check") == "as written: 1 report, 3 plans.\n"


def test_write_removes_what_no_report_has(make: Any, tmp_path: Path) -> None:
    make("one")
    run("--write")
    folder = tmp_path / "report_plans"
    (folder / "notes.txt").write_text("ours")
    (folder / "tests.one.txt").rename(folder / "tests.gone.txt")

    assert run("--write", "tests.one") == (
        "written: report_plans/tests.one.txt\n1 written, 0 removed, 0 as they were.\n"
    )
    assert run("--write") == "removed: report_plans/tests.gone.txt\n0 written, 1 removed, 1 as they were.\n"
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", "tests.one.txt"]


def test_write_only_the_reports_named(make: Any, tmp_path: Path) -> None:
    make("one")
    make("two")

    run("--write", "tests.two", "--folder", "elsewhere/plans", "-v0")

    assert [path.name for path in (tmp_path / "elsewhere" / "plans").iterdir()] == ["tests.two.txt"]


def test_write_replaces_what_cannot_be_read(make: Any, tmp_path: Path) -> None:
    make("one")
    (tmp_path / "report_plans").mkdir()
    (tmp_path / "report_plans" / "tests.one.txt").write_bytes(b"\xff<<<<<<<")

    assert run("--write").startswith("changed: report_plans/tests.one.txt\n1 written")
    assert (tmp_path / "report_plans" / "tests.one.txt").read_text() == file("tests.one")


# Checking.


def test_check_is_silent_when_asked(make: Any) -> None:
    make("one")
    run("--write")

    assert run("--check") == "as written: 1 report, 3 plans.\n"
    assert run("--check", "-v2") == "tests.one: as written\nas written: 1 report, 3 plans.\n"
    assert run("--check", "-v0") == ""


def test_check_shows_every_difference(make: Any, tmp_path: Path) -> None:
    make("one", TEXT.replace(', "most": 5', "").replace('"most": 7, ', ""))
    make("two")
    run("--write", "tests.one")
    path = tmp_path / "report_plans" / "tests.one.txt"
    text = path.read_text().replace(f"PostgreSQL {version()}", "PostgreSQL 9").replace("with least (3)", "with color")
    path.write_text(text.replace("Seq Scan on plan_store", "Index Scan on plan_store using gone_idx", 1))
    (tmp_path / "report_plans" / "tests.tow.txt").write_text(file("tests.tow"))

    assert refused("--check") == (
        "in report_plans there is no file of: tests.two.\n"
        "\n"
        "tests.one (report_plans/tests.one.txt):\n"
        "  with least:\n"
        "    a Seq Scan of plan_store appeared\n"
        "    the index gone_idx is no longer used\n"
        "      - Index Scan on plan_store using gone_idx\n"
        "      + Seq Scan on plan_store\n"
        "  with color: a plan of an example that is gone\n"
        "  with least (3): an example that has no plan in the file\n"
        f"  written on PostgreSQL 9, this is PostgreSQL {version()}\n"
        "\n"
        "report_plans/tests.tow.txt: no report is called 'tests.tow'. Did you mean 'tests.two'?\n"
        "\n"
        "If these plans are as good as those before, accept them: manage.py report_plans --write"
    )


def test_check_shows_the_lines_around(make: Any) -> None:
    make("one", TEXT.replace("SELECT id", "SELECT DISTINCT id"))
    run("--write")
    add_index()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_hashagg = off")

    told = refused("--check").splitlines()

    start = next(number for number, line in enumerate(told) if line.startswith("      "))
    assert told[start : start + 4] == [
        "      - HashAggregate",
        "      -   Seq Scan on plan_store",
        "      + Unique",
        "      +   Index Only Scan on plan_store using plan_store_id",
    ]


def test_check_takes_another_version_for_no_difference(make: Any, tmp_path: Path) -> None:
    make("one")
    run("--write")
    path = tmp_path / "report_plans" / "tests.one.txt"
    path.write_text(path.read_text().replace(f"PostgreSQL {version()}", "PostgreSQL 9"))

    assert run("--check") == "as written: 1 report, 3 plans.\n"
    assert run("--write").endswith("1 written, 0 removed, 0 as they were.\n")
    assert path.read_text() == file("tests.one")


def test_check_of_a_named_report_leaves_other_files_alone(make: Any, tmp_path: Path) -> None:
    make("one")
    run("--write")
    (tmp_path / "report_plans" / "tests.gone.txt").write_text(file("tests.gone"))

    assert run("--check", "tests.one") == "as written: 1 report, 3 plans.\n"


def test_check_without_a_folder(make: Any) -> None:
    make("one")

    written = "Write it first: manage.py report_plans --write"
    assert refused("--check") == f"there is no folder report_plans. {written}"
    assert refused("--check", "--folder", "/nowhere") == f"there is no folder /nowhere. {written}"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1: '' is not the first line of a file that report_plans wrote."),
        ("# PostgreSQL: x\n", "1: '# PostgreSQL: x' is not the first line of a file that report_plans wrote."),
        ("# PostgreSQL 18: x\n    Sort\n", "2: '    Sort' is no line that report_plans wrote."),
        ("# PostgreSQL 18: x\nwith a\n    sort\n", "3: 'sort' is no line of a plan's shape."),
        ("# PostgreSQL 18: x\nwith a\n    Sort\n=======\n", "4: '=======' is no line that report_plans wrote."),
    ],
)
def test_a_file_that_is_no_baseline(text: str, problem: str, make: Any, tmp_path: Path) -> None:
    make("one")
    path = tmp_path / "report_plans" / "tests.one.txt"
    path.parent.mkdir()
    path.write_text(text)

    assert refused("--check").startswith(f"tests.one: {path}:{problem}\n")
    with pytest.raises(NoBaseline):
        Baseline.read(path)


def test_file_is_read_back(make: Any, tmp_path: Path) -> None:
    make("one")
    run("--write")

    assert Baseline.read(tmp_path / "report_plans" / "tests.one.txt").text() == file("tests.one")


def test_files_hold_no_values(make: Any, tmp_path: Path) -> None:
    make("one", TEXT.replace("WHERE", "WHERE 's3cret' <> current_user AND"))

    told = run("--write")

    assert "7315" not in told + (tmp_path / "report_plans" / "tests.one.txt").read_text()
    assert "s3cret" not in told + (tmp_path / "report_plans" / "tests.one.txt").read_text()


# What cannot be planned.


def test_reports_that_cannot_be_planned_are_told_together(make: Any, tmp_path: Path) -> None:
    make("good")
    make("lost", "-- column: id bigint pk\nSELECT id FROM plan_stor")
    make("needy", "-- param: least integer required\nSELECT {{ least }} AS n")
    make("wrong", "-- column: id bigint pk\nSELECT {{ nothing }} AS id")

    told = refused("--write")

    texts = told.split("\n\n")
    assert [text.partition(":")[0] for text in texts] == ["tests.lost", "tests.needy", "tests.wrong"]
    assert "cannot be planned: report 'tests.lost': " in texts[0]
    assert "needy.sql has no example, and these parameters are required: least." in texts[1]
    assert "wrong.sql:2: " in texts[2]
    assert [path.name for path in (tmp_path / "report_plans").iterdir()] == ["tests.good.txt"]
    assert refused("--check").count("cannot be planned") == 3


def test_what_postgresql_refuses_has_its_exit_code(make: Any) -> None:
    make("good")
    make("lost", "-- column: id bigint pk\nSELECT id FROM plan_stor")

    assert "-v 2 shows PostgreSQL's own words." in refused("--write", code=3)
    assert 'relation "plan_stor" does not exist' in refused("--check", "-v2", code=3)


def test_examples_are_planned_as_the_example_user(make: Any, tmp_path: Path) -> None:
    def get_context(self: Report) -> dict[str, object]:
        assert self.user == "someone"
        return {}

    make("one", example_user=classmethod(lambda cls: "someone"), get_context=get_context)

    run("--write")

    assert (tmp_path / "report_plans" / "tests.one.txt").read_text() == file("tests.one")


def test_a_table_without_statistics_is_told(make: Any) -> None:
    make("one", "SELECT n FROM plan_fresh")
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE plan_fresh (n integer)")
    told = "default: never analyzed, so the plans may change by themselves: plan_fresh.\n"

    assert run("--write").endswith(told)
    assert run("--check").endswith(told)
    assert run("--check", "-v0") == ""


# What was asked for.


def test_names_of_no_report(make: Any) -> None:
    make("one")

    assert refused("--check", "tests.noe", "x") == (
        "no report is called 'tests.noe'. Did you mean 'tests.one'?\nno report is called 'x'.\nThere are: tests.one."
    )


def test_one_of_the_two_is_needed(make: Any) -> None:
    for words in ([], ["--write", "--check"]):
        with pytest.raises(CommandError, match="--write"):
            run(*words)


def test_a_database_that_is_none(make: Any) -> None:
    make("one")

    assert refused("--check", "--database", "defualt") == (
        "there is no database 'defualt' (there are: default). Did you mean 'default'?"
    )


def test_a_database_that_cannot_be_asked(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OperationalError("no route to host")

    make("one")
    monkeypatch.setattr(connection, "ensure_connection", refuse)

    assert refused("--check", code=3) == "the database 'default' cannot be reached: no route to host"


def test_a_folder_that_cannot_be_made(make: Any, tmp_path: Path) -> None:
    make("one")
    (tmp_path / "file").touch()

    assert refused("--write", "--folder", "file/plans") == "file/plans: Not a directory."
