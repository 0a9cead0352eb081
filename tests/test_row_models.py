"""The classes made from a report's columns."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.apps import apps
from django.db import models

from reports import TemplateError, row_models
from reports.header import Column
from reports.rendering import Query
from reports.row_models import RowModel, build_row_model, get_row_model, model_name
from reports.rows import Rows
from reports.source import TemplateSource
from tests.models import Store
from tests.reports import Figures, Undeclared


def build(*columns: Column, ordering: tuple[str, ...] = ()) -> Any:
    return build_row_model("tests.built", columns, ordering=ordering, file="built.sql")


def test_fields_are_the_columns_in_their_order() -> None:
    model = build(
        Column("id", "bigint", pk=True),
        Column("store_id", "bigint", fk="tests.Store"),
        Column("name", "text", null=True),
    )

    assert [(field.attname, field.column, field.null) for field in model._meta.fields] == [
        ("id", "id", False),
        ("store_id", "store_id", False),
        ("name", "name", True),
    ]
    assert model._meta.pk.name == "id"
    assert issubclass(model, RowModel)


def test_model_is_unmanaged_and_known_to_nobody() -> None:
    """No migration, no content type, no permission, and no relation back from the models it points to."""
    model = build(Column("store_id", "bigint", pk=True, fk="tests.Store"))

    assert not model._meta.managed
    assert model not in apps.get_models(include_auto_created=True)
    assert model not in {relation.related_model for relation in Store._meta.related_objects}
    assert model._meta.db_table == "report_tests__built"
    assert model._meta.apps is not apps


def test_model_has_the_reports_ordering() -> None:
    assert build(Column("id", "bigint", pk=True), ordering=("-id",))._meta.ordering == ("-id",)
    assert get_row_model("tests__figures")._meta.ordering == ("id",)  # type: ignore[union-attr]  # it is there


def test_foreign_key_as_the_column_is_called() -> None:
    model = build(Column("id", "bigint", pk=True), Column("shop", "bigint", fk="tests.Store"))
    field = model._meta.get_field("shop")

    assert (field.attname, field.column, field.related_model) == ("shop_id", "shop", Store)
    assert field.db_constraint is False


def test_key_of_two_columns() -> None:
    model = build(Column("store_id", "bigint", pk=True, fk="tests.Store"), Column("month", "date", pk=True))

    assert isinstance(model._meta.pk, models.CompositePrimaryKey)
    assert model(store_id=1, month="2026-01-01").pk == (1, "2026-01-01")


@pytest.mark.parametrize("name", ["a__b", "total_", "pk", "Meta", "_meta", "_state", "from_db", "_manager"])
def test_names_that_mean_something_to_django_are_refused(name: str) -> None:
    with pytest.raises(TemplateError, match=f"built.sql.*a column may not be called '{name}'"):
        build(Column("id", "bigint", pk=True), Column(name, "text"))


@pytest.mark.parametrize(
    "name", ["objects", "save", "delete", "check", "class", "Größe", "?column?", "_private", "columns", "id"]
)
@pytest.mark.django_db
def test_every_other_name_is_a_column(name: str) -> None:
    model = build(Column("key", "bigint", pk=True), Column(name, "text"))
    rows = Rows.of(TemplateSource("tests.built", Query(f"SELECT 1 AS key, 'x' AS \"{name}\"", ())), model)

    assert list(rows.filter(**{name: "x"}).order_by(name)) == [{"key": 1, name: "x"}]
    assert rows.in_bulk([1]) == {1: {"key": 1, name: "x"}}
    assert list(rows.values_list(name, flat=True)) == ["x"]


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        (Column("total", "integer"), Column("total", "text"), "total"),
        (Column("store_id", "bigint", fk="tests.Store"), Column("store", "text"), "store"),
        (Column("store", "bigint", fk="tests.Store"), Column("store_id", "text"), "store_id"),
    ],
)
def test_two_columns_of_one_name_are_refused(one: Column, other: Column, name: str) -> None:
    for columns in ([one, other], [other, one]):
        with pytest.raises(TemplateError, match=f"columns '.*' and '.*' are both read as '{name}'; rename one"):
            build(*columns)


def test_model_name_holds_the_reports_whole_name() -> None:
    assert model_name("helpdesk.department_tickets") == "helpdesk__department_tickets"


def test_model_is_found_by_name() -> None:
    """Pickle and deferred loading ask for it so, in processes that may not have made it yet."""
    model = Figures.get_row_model()

    assert model is not None
    assert get_row_model("tests__figures") is model
    assert row_models.tests__figures is model
    assert apps.get_app_config("sql_reports").get_model("tests__figures") is model
    assert pickle.loads(pickle.dumps(model)) is model


def test_model_is_made_when_asked_for_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_models, "_models", {})
    monkeypatch.setattr(Figures, "_made", None)

    made = get_row_model("tests__figures")

    assert made is not None
    assert made is Figures.get_row_model()


def test_unknown_model_names_are_attribute_and_lookup_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Undeclared, "_made", None)

    assert get_row_model("tests__nothing") is None
    with pytest.raises(AttributeError, match="has no attribute 'tests__nothing'"):
        _ = row_models.tests__nothing
    with pytest.raises(LookupError):
        apps.get_app_config("sql_reports").get_model("tests__nothing")


def test_model_made_anew_replaces_the_one_before() -> None:
    """A header was changed; Django would warn of a model registered twice."""
    build(Column("id", "bigint", pk=True))
    model = build(Column("id", "bigint", pk=True), Column("name", "text"))

    assert [field.name for field in model._meta.fields] == ["id", "name"]
    assert get_row_model("tests__built") is model


def test_name_with_a_quote_is_refused_and_not_shown() -> None:
    """Django does not double quotes in a column's name, and the name may be what a request sent."""
    for name in ('a" || s3cret AS "b', "100%", ""):
        with pytest.raises(TemplateError) as caught:
            build(Column(name, "text"))
        assert caught.value.args == ("built.sql: a column's name may not be empty or hold a quote or a percent sign.",)


def test_threads_get_one_model() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: build(Column("id", "bigint", pk=True), Column("n", "integer")), range(64)))

    assert len(set(made)) == 1
