"""The assertions about plans; the messages are what they are for."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection, connections

from reports.plan import Plan
from reports.testing import assert_max_cost, assert_plan, assert_scans
from tests.models import Figure, Store
from tests.reports import FigureInstances, Figures
from tests.test_plan import join, plan_of, table
from tests.test_plan_nodes import ran, raw


def message(call: Any, *args: Any, **kwargs: Any) -> str:
    """The text of the AssertionError that a call raises."""
    with pytest.raises(AssertionError) as caught:
        call(*args, **kwargs)
    return str(caught.value)


@pytest.fixture
def by_index(db: None) -> None:
    """Figures that are read by their indexes."""
    Store.objects.create(pk=1, name="one")
    Figure.objects.create(pk=1, store_id=1, month="2026-01-01", revenue=1, label="a")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")


def test_all_hold(by_index: None) -> None:
    for rows in (Figures().run().filter(id=1), FigureInstances().run().filter(id=1), Figure.objects.filter(id=1)):
        found = assert_plan(rows)

        assert found.uses_index("tests_figure_pkey") is found
        found.scans(tests_figure=1).scans({Figure: 1}).no_seq_scan().no_seq_scan(Figure).never_materializes().max_cost(
            99
        )


def test_an_index_that_is_not_read(by_index: None) -> None:
    plan = Figures().run().filter(id=1).plan()

    text = message(assert_plan(plan).uses_index, "tests_store_pkey")

    assert text == f"the index tests_store_pkey is not read; the plan reads: tests_figure_pkey.\n\n{plan.tree()}"


def test_an_index_that_is_nowhere(by_index: None) -> None:
    expected = (
        "the database 'default' has no index 'tests_figure_pkei' (the plan reads: tests_figure_pkey)."
        " Did you mean 'tests_figure_pkey'?"
    )

    with pytest.raises(LookupError, match=f"^{re.escape(expected)}$"):
        assert_plan(Figure.objects.filter(id=1)).uses_index("tests_figure_pkei")


def test_a_partitioned_index_is_read_where_that_of_a_partition_is(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE sale (day integer, n integer) PARTITION BY RANGE (day)")
        cursor.execute("CREATE INDEX sale_day ON sale (day); CREATE INDEX sale_n ON sale (n)")
        cursor.execute("CREATE TABLE sale_1 PARTITION OF sale FOR VALUES FROM (1) TO (9)")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN (FORMAT JSON, VERBOSE) SELECT * FROM sale WHERE day = 3")
        plan = Plan.of(cursor.fetchone()[0][0])

    assert plan.indexes == ("sale_1_day_idx",)
    assert_plan(plan).uses_index("sale_day").uses_index("sale_1_day_idx")
    assert "the index sale_n is not read" in message(assert_plan(plan).uses_index, "sale_n")


def test_a_seq_scan_is_told() -> None:
    plan = plan_of(join(table("helpdesk_ticket"), join(table("helpdesk_ticket"), table("legacy"))))
    found = assert_plan(plan)

    assert message(found.no_seq_scan, "tickets") == f"public.helpdesk_ticket is read by a Seq Scan.\n\n{plan.tree()}"
    assert message(found.no_seq_scan).splitlines()[:3] == [
        "public.helpdesk_ticket is read by a Seq Scan.",
        "public.legacy is read by a Seq Scan.",
        "",
    ]
    assert found.no_seq_scan("departments") is found
    with pytest.raises(LookupError, match=r"no table is called 'tikets'.* Did you mean 'tickets'\?"):
        found.no_seq_scan("tikets")


def test_a_seq_scan_of_a_partition_is_one_of_its_table() -> None:
    plan = Plan(plan_of(table("sale_1")).root, partitions={"public.sale_1": ("public.sale",)})

    assert "public.sale_1 is read by a Seq Scan." in message(assert_plan(plan).no_seq_scan, "sale")


def test_a_seq_scan_that_never_ran_is_none() -> None:
    plan = plan_of(join(table("t", **ran()), table("u", **ran(loops=0)), **ran()))

    assert_plan(plan).no_seq_scan("public.u")
    assert "public.t" in message(assert_plan(plan).no_seq_scan)
    assert "public.u is" not in message(assert_plan(plan).no_seq_scan)


def test_a_materialized_cte_is_told() -> None:
    def cte(name: str, kind: str) -> Any:
        return raw(kind, role="InitPlan", Subplan_Name=f"CTE {name}")

    found = assert_plan(plan_of(raw("Sort", cte("tree", "Recursive Union"), cte("stats", "Aggregate"))))

    assert message(found.never_materializes).splitlines()[0] == "the CTE stats is materialized."
    assert "tree is" not in message(found.never_materializes)
    assert_plan(plan_of(raw("Sort", cte("tree", "Recursive Union")))).never_materializes()


def test_cost() -> None:
    plan = plan_of(table("t", cost=1234.5))

    assert_max_cost(plan, 1234.5)
    assert message(assert_max_cost, plan, 1_000) == f"the plan costs 1,234.50, more than 1,000.00.\n\n{plan.tree()}"
    assert message(assert_plan(plan).max_cost, 1_000) == message(assert_max_cost, plan, 1_000)


def test_scans_are_those_of_the_plan() -> None:
    found = assert_plan(plan_of(table("t")))

    assert message(found.scans, {"public.t": 2}).startswith("public.t: 1 scan, expected 2.\n\n")
    with pytest.raises(TypeError, match="needs the number of scans of at least one table"):
        found.scans()


def test_analyzed_rows_are_measured(by_index: None) -> None:
    assert assert_plan(Figures().run(), analyze=True).plan.is_analyzed
    assert not assert_plan(Figures().run()).plan.is_analyzed
    assert_scans(Figure.objects.all(), tests_figure=1)
    assert_scans(Figure.objects.none(), tests_figure=0)


def test_another_engine_has_no_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections["default"], "vendor", "sqlite")

    with pytest.raises(ValueError, match=r"^the queryset reads from the database 'default', which is sqlite, not Post"):
        assert_plan(Figure.objects.all())


def test_failures_hold_no_values(by_index: None) -> None:
    rows = Figure.objects.filter(label="s3cret")

    assert "s3cret" not in message(assert_max_cost, rows, 0)
