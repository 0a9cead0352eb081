"""The assertions for users' tests; the messages are what they are for."""

from __future__ import annotations

import datetime
import math
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django import forms
from django.db import connection
from django.db.models import Count, Sum
from hypothesis import given
from hypothesis import strategies as st

from example_project.helpdesk.models import Department, Ticket
from example_project.helpdesk.reports import DepartmentTickets
from reports import QueryError, Report, TemplateError, registered
from reports.testing import ExampleCase, assert_matches, assert_query, assert_scans, every_example
from tests.models import Figure, Store
from tests.reports import Faulty, FigureInstances, Figures, Sets, StoreMonths


def message(call: Any, *args: Any, **kwargs: Any) -> str:
    """The text of the AssertionError that a call raises."""
    with pytest.raises(AssertionError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


@pytest.fixture
def figures(db: None) -> None:
    for number in (1, 2):
        Store.objects.create(pk=number, name=f"store {number}")
    for number, store in enumerate((1, 1, 2), start=1):
        Figure.objects.create(pk=number, store_id=store, month=f"2026-0{number}-01", revenue=number * 10, label="a")


# assert_scans.


def test_scans_as_expected(figures: None, staff: Any) -> None:
    rows = DepartmentTickets(user=staff).run()

    assert_scans(rows, tickets=1)
    assert_scans(rows, helpdesk_ticket=1, departments=1)
    assert_scans(rows, {Ticket: 1, "public.helpdesk_department": 1}, employees=0)
    assert_scans(rows, tickets=1, analyze=False)
    assert_scans(rows.plan(count=True), tickets=0, departments=1)


@pytest.fixture
def staff(db: None, django_user_model: Any) -> Any:
    Department.objects.create(name="one", region="north", created="2026-01-01")
    return django_user_model.objects.create_user("staff", is_staff=True)


def test_other_scans_show_all_that_are_wrong_and_the_plan(staff: Any) -> None:
    rows = DepartmentTickets(user=staff).run()

    text = message(assert_scans, rows, {Ticket: 1, Department: 3}, tickets=2)

    wrong, tree = text.split("\n\n")
    assert wrong == "helpdesk.Department: 1 scan, expected 3.\ntickets: 1 scan, expected 2."
    assert tree.splitlines()[0].split() == ["expected", "rows", "loops", "ms", "share"]
    assert "Scan on helpdesk_department" in tree


def test_scans_of_an_unknown_table(figures: None) -> None:
    with pytest.raises(LookupError, match=r"no table is called 'tikets'.*tests_figure.*Did you mean 'tickets'\?"):
        assert_scans(Figures().run(), tikets=1)


def test_scans_of_nothing() -> None:
    with pytest.raises(TypeError, match=r"assert_scans\(\) needs the number of scans of at least one table"):
        assert_scans(Figures().run())


# assert_query.

SQL = """
    SELECT id, store_id, month, revenue, orders, label, seen_at -- what is seen
    FROM "tests_figure" AS f /* one row
                                per month */
    WHERE label IS DISTINCT FROM '100%%' AND revenue >= %s AND label IN (%s,  %s )
"""


def test_query_as_expected() -> None:
    params = {"least": 10, "labels": ["a", "b"]}

    assert_query(Figures, params, SQL.replace("%s,  %s )", "%s, %s )"), [Decimal(10), "a", "b"])
    assert_query(Figures(), params, SQL.replace("%s,  %s )", "%s,\n%s\n)"), (Decimal(10), "a", "b"))


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        (("tests_figure", "tests_figures"), ['- FROM "tests_figures" AS f', '+ FROM "tests_figure" AS f']),
        (("'100%%'", "'100 %%'"), ["- WHERE label IS DISTINCT", "+ WHERE label IS DISTINCT"]),
        (("'100%%'", "'100  %%'"), ["- WHERE label IS DISTINCT", "+ WHERE label IS DISTINCT"]),
        (("revenue >=", "revenue >"), ["- AND revenue > %s", "+ AND revenue >= %s"]),
        (("SELECT", "select"), ["- select id,", "+ SELECT id,"]),
    ],
)
def test_another_query_shows_the_lines_that_differ(change: Any, lines: list[str]) -> None:
    sql = SQL.replace("%s,  %s )", "%s)").replace(*change)

    text = message(assert_query, Figures, {"least": 10, "labels": ["a"]}, sql, [Decimal(10), "a"])

    head, *found = text.splitlines()
    assert head == "the SQL differs (- expected, + rendered):"
    assert [line[: len(want)] for line, want in zip((x for x in found if x[0] in "+-"), lines, strict=True)] == lines


@pytest.mark.parametrize("expected", [[10, "a"], [10.0, "a"], ["a", Decimal(10)], [Decimal(10)], []])
def test_other_parameters_are_shown(expected: list[Any]) -> None:
    sql = SQL.replace("%s,  %s )", "%s)")

    text = message(assert_query, Figures, {"least": 10, "labels": ["a"]}, sql, expected)

    assert text.startswith("the parameters differ (- expected, + bound):\n")
    assert "Decimal('10')" in text


def test_true_is_not_one(tmp_path: Path, settings: Any) -> None:
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}
    (tmp_path / "flag.sql").write_text("-- param: flag boolean\nSELECT {{ flag }} AS flag")

    class Flag(Report):
        template = "flag.sql"

    assert_query(Flag, {"flag": True}, "SELECT %s AS flag", [True])
    assert "- 1\n+ True" in message(assert_query, Flag, {"flag": True}, "SELECT %s AS flag", [1])


# assert_matches.

NOON = datetime.datetime(2026, 1, 1, 12, tzinfo=datetime.UTC)
EQUAL: list[tuple[Any, Any]] = [
    ([], []),
    ([{"a": 1, "b": None}], [{"b": None, "a": 1}]),
    ([{"a": 1, "b": 2}], [{"a": 1, "c": 3}]),
    ([{"a": 1, "b": 2}], [(1, 2)]),
    ([(1, 2)], [[1, 2]]),
    ([1, 2], [(1,), (2,)]),
    ([{"a": Decimal("0.1")}], [{"a": 0.1}]),
    ([{"a": Decimal("4.5000000000000000")}], [{"a": Decimal("4.5")}]),
    ([{"a": 0.1 + 0.2}], [{"a": 0.3}]),
    ([(math.nan, math.inf)], [(math.nan, math.inf)]),
    ([([0.1 + 0.2, None], {"x": [0.3]})], [((0.3, None), {"x": [0.1 + 0.2]})]),
    ({(1, "a"), (2, "b")}, [(2, "b"), (1, "a")]),
    (iter([(1, 0.1), (1, 0.2)]), [(1, 0.2), (1, 0.1)]),
    (iter([(0.3, "b"), (0.1 + 0.2, "a")]), [(0.3, "a"), (0.3, "b")]),
    ([(NOON,)], [(NOON.astimezone(datetime.timezone(datetime.timedelta(hours=1))),)]),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "expected"), EQUAL)
def test_rows_that_match(rows: Any, expected: Any) -> None:
    assert_matches(rows, expected)


@pytest.mark.parametrize(
    ("rows", "expected", "text"),
    [
        (
            [{"a": 1, "b": None}, {"a": 2, "b": 5}],
            [{"a": 1, "b": 0}, {"a": 2, "b": 5}],
            "the rows differ: 2 found, 2 expected; compared by a, b.\n"
            "1 only found:\n    (1, None)\n1 only expected:\n    (1, 0)",
        ),
        ([(1,), (1,)], [(1,)], "the rows differ: 2 found, 1 expected.\n1 only found:\n    (1,)"),
        ([], [(1,)], "the rows differ: 0 found, 1 expected.\n1 only expected:\n    (1,)"),
        ([(0.1,)], [(0.1 + 1e-9,)], "the rows differ: 1 found, 1 expected.\n1 only found:\n    (0.1,)\n"
         "1 only expected:\n    (0.100000001,)"),
        ([(1, 2)], [(1, 2, 3)], "the rows differ: 1 found, 1 expected.\n1 only found:\n    (1, 2)\n"
         "1 only expected:\n    (1, 2, 3)"),
        ([(2**60,)], [(2**60 + 1,)], None),
        ([("1",)], [(1,)], None),
        ([(None,)], [(math.nan,)], None),
        ([([1, 2],)], [([1, 2, 3],)], None),
        ([({"x": 1},)], [({"y": 1},)], None),
        (range(20), [], "the rows differ: 20 found, 0 expected.\n20 only found, the first 5 of them:\n"
         "    (0,)\n    (1,)\n    (2,)\n    (3,)\n    (4,)"),
        (
            [(1,), (2,)],
            [(2,), (1,)],
            "the rows are the same in another order: 2 found, 2 expected.\nrow 1 is (1,), expected (2,).\n"
            "With ordered=False the order does not count.",
        ),
    ],
)  # fmt: skip
def test_rows_that_differ(rows: Any, expected: Any, text: str | None) -> None:
    found = message(assert_matches, rows, expected)

    assert found == (text or found)


def test_order_counts_when_both_sides_have_one(figures: None) -> None:
    rows, reverse = Figures().run(), Figure.objects.order_by("-id")

    assert_matches(rows, Figure.objects.all())
    assert_matches(rows, reverse.order_by())
    assert_matches(rows.order_by(), reverse)
    assert_matches(rows, reverse, ordered=False)
    assert "in another order" in message(assert_matches, rows, reverse)
    assert "in another order" in message(assert_matches, rows, list(reverse))
    assert "in another order" in message(assert_matches, list(rows), list(reverse), columns=["id"])
    assert "in another order" in message(assert_matches, iter(rows), reverse, ordered=True)


@pytest.mark.parametrize("report", [Figures, FigureInstances])
def test_rows_of_every_kind(report: Any, figures: None) -> None:
    rows = report().run()

    assert_matches(rows, Figure.objects.all())
    assert_matches(rows.values("id", "store_id"), Figure.objects.all())
    assert_matches(rows, Figure.objects.values("id", "label"))
    assert_matches(rows.values_list("id", "label"), Figure.objects.values_list("id", "label"))
    assert_matches(rows.values_list("id", flat=True), Figure.objects.values_list("id", flat=True))
    assert_matches(rows.values_list("id", "label", named=True), Figure.objects.values("label", "id"))
    assert_matches(
        rows.order_by().values("store_id").annotate(n=Count("id"), total=Sum("revenue")),
        [{"store_id": 2, "total": 30.0, "n": 1}, {"store_id": 1, "n": 2, "total": Decimal(30)}],
        ordered=False,
    )


def test_columns_choose_what_is_compared(figures: None) -> None:
    rows, others = [{"a": 1, "b": 2, "c": 3}], [{"a": 1, "b": 3, "c": 3}]

    assert_matches(rows, others, columns=["a", "c"])
    assert "compared by b." in message(assert_matches, rows, others, columns=["b"])


@pytest.mark.parametrize(
    ("rows", "expected", "columns", "text"),
    [
        ([{"a": 1}], [{"b": 1}], None, "the rows have no column in common: a and b."),
        ([{"a": 1}], [{"a": 1}], ["a", "b"], "columns b are not in all rows: a and a."),
        ([{"a": 1}], [], ["b"], "columns b are not in all rows: a and no rows."),
        ([{"a": 1}], [(1,)], ["a"], "columns have no meaning against rows that are tuples, which have no names."),
    ],
)
def test_rows_that_cannot_be_compared(rows: Any, expected: Any, columns: Any, text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        assert_matches(rows, expected, columns=columns)


values = st.none() | st.integers(-2, 2) | st.sampled_from(["", "a"])


@given(st.lists(st.tuples(values, values), max_size=6), st.lists(st.tuples(values, values), max_size=6))
def test_unordered_rows_match_when_their_counts_do(left: Any, right: Any) -> None:
    """Against Counter, which knows no tolerance."""
    if Counter(left) == Counter(right):
        assert_matches(left, right, ordered=False)
    else:
        surplus, missing = Counter(left) - Counter(right), Counter(right) - Counter(left)
        text = message(assert_matches, left, right, ordered=False)
        for name, rows in (("found", surplus), ("expected", missing)):
            assert (f"{rows.total()} only {name}" in text) == bool(rows)


@given(st.lists(st.tuples(st.floats(-9, 9), st.integers(0, 2)), max_size=8), st.randoms(use_true_random=False))
def test_numbers_match_within_the_tolerance(rows: Any, random: Any) -> None:
    others = [(number * (1 + random.choice((-4e-13, 0, 4e-13))), key) for number, key in rows]
    random.shuffle(others)

    assert_matches(rows, others, ordered=False)


# Examples.


def test_every_example_is_a_case() -> None:
    cases = {str(case): case for case in every_example()}

    assert {case.report for case in cases.values()} == set(registered().values())
    assert cases["tests.figures-example on line 11"].params == {"least": 10, "labels": ["a"]}
    assert cases["helpdesk.department_tickets-example on line 8"].params == {}
    assert cases["tests.keyless-no example"] == ExampleCase(registered()["tests.keyless"], {})


def test_case_of_an_example_runs_it(figures: None) -> None:
    seen: list[Any] = []

    def record(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        seen.append(tuple(params or ()))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(record):
        ExampleCase(Figures, {"least": 10, "labels": ["a"]}, 11).check()
        ExampleCase(FigureInstances, {}, 10).check()
        ExampleCase(StoreMonths, {}).check()

    assert seen.count((Decimal(10), "a")) == 2  # the rows and their count


def test_case_runs_as_the_example_user(figures: None) -> None:
    class ForSomeone(Figures):
        @classmethod
        def example_user(cls) -> Any:
            return "someone"

        def get_context(self) -> Any:
            assert self.user == "someone"
            return {}

    ExampleCase(ForSomeone, {}).check()


@pytest.fixture
def report_of(tmp_path: Path, settings: Any) -> Any:
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path]}

    def report(text: str, count: str | None = None) -> type[Report]:
        (tmp_path / "case.sql").write_text(text)
        if count:
            (tmp_path / "case.count.sql").write_text(count)
        made: type[Report] = type("Case", (Report,), {"template": "case.sql", "__module__": __name__})
        return made

    return report


NUMBERS = "SELECT n, nullif(n, 2) AS m, n % 2 AS k FROM generate_series(1, 3) AS n"


@pytest.mark.parametrize(
    ("header", "count", "problems"),
    [
        ("n integer pk, m integer null, k integer", None, []),
        ("n integer pk, m integer, k integer", None, ["NULL in columns that are not declared null: m."]),
        ("k integer pk, n integer, m integer null", None, ["3 rows have 2 keys (k)."]),
        ("k integer pk, n integer pk, m integer null", None, []),
        ("n integer pk", "SELECT 4", ["count() is 4, but there are 3 rows."]),
        (
            "m integer, k integer pk",
            "SELECT 0",
            [
                "NULL in columns that are not declared null: m.",
                "3 rows have 2 keys (k).",
                "count() is 0, but there are 3 rows.",
            ],
        ),
        ("", None, []),
    ],
)
def test_case_compares_rows_with_what_is_declared(
    header: str, count: str | None, problems: list[str], report_of: Any, db: None
) -> None:
    columns = "".join(f"-- column: {column}\n" for column in header.split(", ") if column)
    case = ExampleCase(report_of(columns + NUMBERS, count), {}, 4)

    if problems:
        assert message(case.check).splitlines() == ["tests.case-example on line 4:", *problems]
    else:
        case.check()


def test_case_without_example_needs_no_required_parameter(db: None) -> None:
    text = message(ExampleCase(Sets, {}).check)

    assert text.startswith("tests.sets-no example: ")
    assert text.endswith(
        "sets.sql has no example, and these parameters are required: name, to. Write a line: -- example: {…}"
    )


def test_case_with_initial_values_needs_no_example(figures: None) -> None:
    class WithInitial(Figures):
        class Params(forms.Form):
            least = forms.DecimalField(initial=3)
            labels = forms.CharField(required=False)

    ExampleCase(WithInitial, {}).check()


def test_case_raises_what_the_report_raises(report_of: Any, db: None) -> None:
    with pytest.raises(QueryError):
        ExampleCase(Faulty, {}).check()
    with pytest.raises(TemplateError, match=r"case\.sql:1"):
        ExampleCase(report_of("SELECT {{ nothing }}"), {}).check()


def test_a_wrong_header_is_a_case_that_fails(report_of: Any, monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    report = report_of("-- doc: one\n-- colunm: n integer\nSELECT 1 AS n")
    monkeypatch.setattr("reports.testing.examples.registered", lambda: {"tests.case": report})

    (case,) = every_example()

    assert str(case) == "tests.case-no example"
    with pytest.raises(TemplateError, match=r"case\.sql:2"):
        case.check()
