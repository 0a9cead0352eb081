"""The default ordering: it names columns, and leaves no two rows in an open order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.db.models import F
from django.db.models.functions import Lower

from tests.checking import Project
from tests.models import FigureRow, Store

COLUMNS = (
    "-- column: id bigint pk\n-- column: store_id bigint fk=tests.Store\n-- column: month date\n"
    "-- column: label text null\n"
)
PAIR = "-- column: store_id bigint pk fk=tests.Store\n-- column: month date pk\n-- column: orders integer\n"
NO_KEY = "-- column: label text\n-- column: orders integer\n"
NO_ORDER = "the rows have no fixed order, so that pages may repeat or lose rows."
EQUAL = "rows that are equal in the ordering have no fixed order, so that pages may repeat or lose rows."


@pytest.fixture
def project(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Project:
    return Project(tmp_path, settings, monkeypatch)


@pytest.fixture
def row_models() -> Iterator[tuple[type[models.Model], type[models.Model]]]:
    """Give a model whose rows are told apart by other fields than the key as well, and one whose key is its row."""

    class NamedRow(models.Model):
        name = models.TextField(unique=True)
        code = models.TextField(unique=True, null=True)
        store = models.ForeignKey(Store, models.DO_NOTHING, db_constraint=False, related_name="+")
        month = models.DateField()

        class Meta:
            app_label = "tests"
            managed = False
            constraints = [models.UniqueConstraint(fields=["store", "month"], name="pair")]
            ordering = ["month"]

    class PartRow(models.Model):
        whole = models.OneToOneField(NamedRow, models.DO_NOTHING, primary_key=True, db_constraint=False)
        part = models.ForeignKey("self", models.DO_NOTHING, db_constraint=False, related_name="+")

        class Meta:
            app_label = "tests"
            managed = False
            ordering = ["part"]

    yield NamedRow, PartRow
    del apps.all_models["tests"]["namedrow"], apps.all_models["tests"]["partrow"]
    apps.clear_cache()


def write(project: Project, header: str, **attributes: Any) -> None:
    project.write("t/a.sql", f"{header}SELECT 1")
    project.register("t/a.sql", **attributes)


@pytest.mark.parametrize(
    ("columns", "ordering"),
    [
        (COLUMNS, "id"),
        (COLUMNS, "-id"),
        (COLUMNS, "pk"),
        (COLUMNS, "-month, label, -pk"),
        (COLUMNS, "id, store__name"),
        (COLUMNS, "store__region__name, month__year, store_id__name, id"),
        (PAIR, "month, store_id"),
        (PAIR, "-pk"),
        (PAIR, "store__pk, month, store_id"),
        (PAIR, "month, store"),  # by the id of the store, as its Meta says
        (NO_KEY, "-orders, label"),
    ],
)
def test_ordering_of_the_header_is_fixed(project: Project, columns: str, ordering: str):
    write(project, f"{columns}-- ordering: {ordering}\n")

    assert project.found() == []


@pytest.mark.parametrize(
    ("columns", "ordering", "hint"),
    [
        (COLUMNS, "-month", "End '-- ordering:' with the key: id."),
        (COLUMNS, "store, month", "End '-- ordering:' with the key: id."),
        (COLUMNS, "store__id, month", "End '-- ordering:' with the key: id."),
        (COLUMNS, "?, store__id", "End '-- ordering:' with the key: id."),
        (PAIR, "store_id", "End '-- ordering:' with the key: store_id, month."),
        (PAIR, "month, store__name", "End '-- ordering:' with the key: store_id, month."),
        (
            NO_KEY,
            "label",
            "Say in the columns which are the key (pk) and end '-- ordering:' with it; "
            "without a key, order by all columns.",
        ),
    ],
)
def test_ordering_of_the_header_is_open(project: Project, columns: str, ordering: str, hint: str):
    write(project, f"{columns}-- ordering: {ordering}\n")
    line = columns.count("\n") + 1

    (message,) = project.messages()

    assert (project.short(message.msg), message.id, message.hint) == (f"a.sql:{line}: {EQUAL}", "reports.W001", hint)


def test_no_ordering(project: Project):
    write(project, COLUMNS)

    (message,) = project.messages()

    assert (project.short(message.msg), message.id) == (f"a.sql: {NO_ORDER}", "reports.W001")
    assert message.hint == "End '-- ordering:' with the key: id."


def test_no_ordering_and_no_columns(project: Project):
    write(project, "")

    (message,) = project.messages()

    assert project.short(message.msg) == f"a.sql: {NO_ORDER}"
    assert message.hint == ("Declare the columns, say which are the key (pk), and order by it: '-- ordering: id'.")


def test_ordering_of_columns_that_only_postgresql_knows(project: Project):
    write(project, "-- ordering: anything\n")

    assert project.found() == []


def test_ordering_by_chance_is_open(project: Project):
    write(project, f"{COLUMNS}-- ordering: ?\n")

    assert project.found() == [f"W001 a.sql:5: {EQUAL}"]


def test_ordering_of_the_class(project: Project):
    write(project, f"{COLUMNS}-- ordering: id\n", ordering=["-month"])

    (message,) = project.messages()

    assert (project.short(message.msg), message.hint) == (f"a.sql: {EQUAL}", "End ordering with the key: id.")


@pytest.mark.parametrize(
    ("columns", "ordering", "problem"),
    [
        (COLUMNS, "lable, id", "'lable' (there are: id, label, month, store, store_id). Did you mean 'label'?"),
        (COLUMNS, "store__nam, id", "'store__nam' (there are: id, label, month, store, store_id)."),
        (COLUMNS, "label__nothing, id", "'label__nothing' (there are: id, label, month, store, store_id)."),
        (NO_KEY, "pk", "'pk' (there are: label, orders)."),
    ],
)
def test_ordering_names_no_column(project: Project, columns: str, ordering: str, problem: str):
    write(project, f"{columns}-- ordering: {ordering}\n")

    (message,) = project.messages()

    line = columns.count("\n") + 1
    assert project.short(message.msg).startswith(f"a.sql:{line}: the ordering names no column: {problem}"[:-1])
    assert message.hint == "Write columns of the report, with '-' before one for the largest first."
    assert message.id == "reports.E007"


def test_ordering_names_several_that_are_no_columns(project: Project):
    write(project, COLUMNS, ordering=["a1", "-b2", "a1", "id"])

    known = "(there are: id, label, month, store, store_id)."
    assert project.found() == [
        f"E007 a.sql: the ordering names no column: 'a1' {known}",
        f"E007 a.sql: the ordering names no column: 'b2' {known}",
    ]


@pytest.mark.parametrize(
    "ordering",
    [(), ["id"], ["-pk"], [F("id").desc()], [Lower("label"), "id"]],
)
def test_ordering_with_a_model(project: Project, ordering: Any):
    """Without one of the report, that of the model's Meta counts: id."""
    write(project, "", model=FigureRow, ordering=ordering)

    assert project.found() == []


def test_ordering_with_a_model_is_open(project: Project):
    write(project, "-- ordering: month\n", model=FigureRow)

    assert project.found() == [f"W001 a.sql:1: {EQUAL}"]


@pytest.mark.parametrize(
    ("position", "ordering", "is_fixed"),
    [
        (0, ["name"], True),
        (0, ["month", "store_id"], True),
        (0, ["month", "store"], True),
        (0, ["code"], False),
        (0, ["month"], False),
        (0, [], False),
        (1, ["whole_id"], True),
        (1, ["whole"], False),  # Django orders by the month of the whole
        (1, ["part"], False),  # Django refuses to go round
    ],
)
def test_ordering_by_unique_fields_and_relations(
    project: Project, row_models: tuple[type[models.Model], ...], position: int, ordering: list[str], is_fixed: bool
):
    write(project, "", model=row_models[position], ordering=ordering)

    assert (project.found() == []) == is_fixed
