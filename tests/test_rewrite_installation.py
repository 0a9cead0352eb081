"""Where statements are rewritten: blocks, decorators, async code, and the setting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.apps import apps
from django.core.checks import Error
from django.db import connection, connections
from django.db.backends.signals import connection_created
from django.utils.connection import ConnectionDoesNotExist

from reports import apps as reports_apps
from reports import guard
from reports.checks import settings as settings_check
from reports.rewrite.rewriting import Strategy
from reports.rewrite.sending import installation
from reports.rewrite.sending.installation import consolidated, install, install_everywhere
from reports.rewrite.sending.instrument import Rewriter
from tests.rewriting import ORIGINAL, REWRITTEN, Fake, run

pytestmark = pytest.mark.django_db(transaction=True)

LATERAL = Strategy.LATERAL


@pytest.fixture
def everywhere() -> Iterator[None]:
    """Take the wrapper away that the setting has brought."""
    yield
    connection_created.disconnect(dispatch_uid="reports.rewrite")
    for other in connections.all(initialized_only=True):
        other.execute_wrappers[:] = [each for each in other.execute_wrappers if not isinstance(each, Rewriter)]


def rewriters() -> list[Any]:
    return [wrapper for wrapper in connection.execute_wrappers if isinstance(wrapper, Rewriter)]


def in_threads(function: Callable[[], Any], number: int) -> list[Any]:
    """Return what a function gives in threads with connections of their own."""
    found: list[Any] = []

    def call() -> None:
        found.append(function())
        connection.close()

    threads = [threading.Thread(target=call) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_block_ends(fake: Fake):
    with suppress(KeyError), consolidated(strategy=LATERAL):
        assert len(rewriters()) == 1
        raise KeyError

    assert (rewriters(), run()) == ([], ORIGINAL)


def test_block_holds_a_connection_opened_within(fake: Fake):
    connection.close()

    with consolidated(strategy=LATERAL):
        assert run() == REWRITTEN
        connection.close()
        assert run() == REWRITTEN


def test_inner_block_counts(fake: Fake):
    with consolidated(strategy=LATERAL):
        with consolidated(strategy=Strategy.ORIGINAL):
            assert run() == ORIGINAL
        assert run() == REWRITTEN
        with consolidated(shadow=1):
            assert run() == ORIGINAL


def test_block_again():
    block = consolidated()

    with block, block:
        assert len(rewriters()) == 2
    assert rewriters() == []
    with block:
        assert len(rewriters()) == 1


def test_block_whose_list_was_emptied():
    with consolidated():
        connection.execute_wrappers.clear()

    guard.install(connection)


def test_block_of_one_database(fake: Fake):
    with consolidated("default", strategy=LATERAL):
        assert run() == REWRITTEN
    with pytest.raises(ConnectionDoesNotExist, match="elsewhere"), consolidated("elsewhere"):
        pass


@pytest.mark.parametrize("using", [None, "other"])
def test_block_passes_over_other_databases(monkeypatch: pytest.MonkeyPatch, using: str | None):
    other = type("Other", (), {"vendor": "sqlite", "execute_wrappers": []})()
    monkeypatch.setattr(installation, "connections", type("All", (dict,), {"all": dict.values})(other=other))

    with consolidated(using):
        assert other.execute_wrappers == []


def test_decorator(fake: Fake):
    @consolidated(strategy=LATERAL)
    def view() -> Any:
        return run()

    assert view() == REWRITTEN
    assert in_threads(view, 4) == [REWRITTEN] * 4
    assert (rewriters(), run()) == ([], ORIGINAL)


def test_async_block_and_decorator(fake: Fake):
    """Queries of async code run in another thread, whose connections are another's."""
    inside: list[Any] = []

    @consolidated(strategy=LATERAL)
    async def view() -> Any:
        await asyncio.sleep(0)
        return await sync_to_async(run)()

    async def task() -> None:
        async with consolidated(strategy=LATERAL):
            inside.append(await sync_to_async(run)())
        inside.append(await sync_to_async(run)())
        inside.append(await view())
        inside.append(await sync_to_async(run)())

    async_to_sync(task)()

    assert inside == [REWRITTEN, ORIGINAL, REWRITTEN, ORIGINAL]


@pytest.mark.parametrize("strategy", ["fast", "", 1, "LATERAL"], ids=repr)
def test_strategy_that_there_is_not(strategy: Any):
    with pytest.raises(ValueError, match="strategy") as caught:
        consolidated(strategy=strategy)

    assert caught.value.args == (
        f"strategy is {strategy!r}; it must be None or one of: grouped, lateral, materialized, original, paged.",
    )


@pytest.mark.parametrize("shadow", [-0.1, 1.1, True, "1", None, float("nan")], ids=repr)
def test_share_that_there_is_not(shadow: Any):
    with pytest.raises(ValueError, match="shadow") as caught:
        consolidated(shadow=shadow)

    assert caught.value.args == (f"shadow is {shadow!r}; it must be a share of the statements, from 0 to 1.",)


def test_decorator_without_parentheses():
    with pytest.raises(TypeError, match=r"^the decorator has no parentheses; write @consolidated\(\)\.$"):
        consolidated(run)  # type: ignore[arg-type]


# The setting.


@pytest.mark.parametrize("value", [True, ["default"]], ids=repr)
def test_setting_reaches_connections_open_and_to_come(fake: Fake, everywhere: None, settings: Any, value: Any):
    settings.REPORTS = {"REWRITE": value}
    slow = "SELECT 'original', (SELECT %s::int), (SELECT %s::int) FROM pg_sleep(0.2)"

    install_everywhere()
    install_everywhere()

    assert (len(rewriters()), run(slow)) == (1, REWRITTEN)
    connection.close()
    assert (run(slow), len(rewriters())) == (REWRITTEN, 1)
    assert in_threads(lambda: run(slow), 1) == [REWRITTEN]
    with consolidated(strategy=Strategy.ORIGINAL):
        assert run(slow) == ORIGINAL
        connection.close()
        connection.execute_wrappers.remove(rewriters()[0])
        assert run(slow) == ORIGINAL


@pytest.mark.parametrize("value", [False, [], ["nowhere"], 5], ids=repr)
def test_setting_that_does_not_name_the_database(everywhere: None, settings: Any, value: Any):
    settings.REPORTS = {"REWRITE": value}

    install_everywhere()

    assert rewriters() == []


def test_guard_stays_outermost(everywhere: None, settings: Any):
    settings.REPORTS = {"REWRITE": True}
    connection.execute_wrappers.clear()

    install(connection)
    guard.install(connection)

    assert connection.execute_wrappers[0] is guard.guard
    assert isinstance(connection.execute_wrappers[1], Rewriter)


def test_other_databases_are_passed_over(settings: Any):
    settings.REPORTS = {"REWRITE": True}
    other: Any = type("Other", (), {"vendor": "sqlite", "alias": "default", "execute_wrappers": []})()

    install(other)

    assert other.execute_wrappers == []


@pytest.mark.parametrize(
    ("value", "has_sqlglot", "expected"),
    [(True, True, 1), (["default"], True, 1), (True, False, 0), (False, True, 0), ("default", True, 0)],
)
def test_app_installs_it(
    everywhere: None,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    value: Any,
    has_sqlglot: bool,
    expected: int,
):
    settings.REPORTS = {"REWRITE": value}
    monkeypatch.setattr(reports_apps, "find_spec", spec_of(has_sqlglot))

    apps.get_app_config("sql_reports").ready()

    assert len(rewriters()) == expected


def spec_of(has_sqlglot: bool) -> Callable[[str], object]:
    return lambda name: object() if name != "sqlglot" or has_sqlglot else None


@pytest.mark.parametrize(
    ("value", "has_sqlglot", "ids"),
    [
        (True, True, []),
        (False, False, []),
        (True, False, ["reports.E014"]),
        (["nowhere"], True, ["reports.E010"]),
        ("x", False, ["reports.E010"]),
    ],
)
def test_check_of_the_setting(
    settings: Any, monkeypatch: pytest.MonkeyPatch, value: Any, has_sqlglot: bool, ids: list[str]
):
    settings.REPORTS = {"REWRITE": value}
    monkeypatch.setattr(settings_check, "find_spec", spec_of(has_sqlglot))

    assert [message.id for message in settings_check.check_settings()] == ids


def test_check_says_what_to_install(settings: Any, monkeypatch: pytest.MonkeyPatch):
    settings.REPORTS = {"REWRITE": True}
    monkeypatch.setattr(settings_check, "find_spec", spec_of(False))

    assert list(settings_check.check_settings()) == [
        Error(
            "REPORTS['REWRITE'] is on, but sqlglot is not installed.",
            hint="No statement is rewritten. pip install 'django-sql-reports[rewrite]'.",
            id="reports.E014",
        )
    ]
