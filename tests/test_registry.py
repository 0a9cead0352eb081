"""Names to reports: what is found, and what is said of clashes and of names that there are not."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reports import AlreadyRegistered, NotRegistered, Report, get_report, register, registered, registry, row_models
from tests.reports import Figures

SELECT = "SELECT 1 AS one\n"
Install = Callable[..., None]


@pytest.fixture(autouse=True)
def reports_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what a test registers."""
    monkeypatch.setattr(registry, "_reports", dict(registry._reports))


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[Install]:
    """Install an app ``found_app``, labelled ``found``, with these files."""

    def install_app(**files: str) -> None:
        (tmp_path / "found_app" / "sql" / "found").mkdir(parents=True)
        config = (
            "from django.apps import AppConfig\n\nclass Config(AppConfig):\n    name, label = 'found_app', 'found'\n"
        )
        for name, text in {"__init__.py": "", "apps.py": config, **files}.items():
            path = tmp_path / "found_app" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        monkeypatch.syspath_prepend(tmp_path)
        settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "found_app.apps.Config"]

    yield install_app
    for name in [name for name in sys.modules if name.partition(".")[0] == "found_app"]:
        del sys.modules[name]


REPORTS = """
from reports import Report
from tests.reports import Figures

class Base(Report):
    timeout = 5

class MyFigures(Base):
    template = "found/figures.sql"

Alias = MyFigures
not_a_report = 5
"""


def found() -> dict[str, type[Report]]:
    return {name: report for name, report in registered().items() if name.startswith("found.")}


def test_app_reports_are_registered(install: Install):
    """Not so a base class without a template, an alias, or a class imported from another app."""
    install(**{"reports.py": REPORTS, "sql/found/figures.sql": SELECT})

    assert list(found()) == ["found.my_figures"]
    assert get_report("found.my_figures").__module__ == "found_app.reports"


def test_app_reports_may_be_a_package(install: Install):
    install(
        **{
            "reports/__init__.py": "from found_app.reports.money import MyFigures\n",
            "reports/money.py": REPORTS,
            "sql/found/figures.sql": SELECT,
        }
    )

    assert list(found()) == ["found.my_figures"]


def test_template_with_a_name_is_a_report(install: Install):
    header = "-- doc: The found.\n--   In two lines.\n-- name: found_figures\n-- param: least integer\n-- timeout: 5s\n"
    install(**{"sql/found/a.sql": header + "SELECT {{ least }} AS one\n"})

    report = get_report("found.found_figures")

    assert (report.__name__, report.__qualname__, report.__module__) == (
        "FoundFigures",
        "<found/a.sql>",
        "found_app.reports",
    )
    assert (report.get_name(), report.template) == ("found.found_figures", "found/a.sql")
    assert report.get_title() == "The found. In two lines."
    assert report().query({"least": "7"}).params == (7,)


def test_template_name_may_have_a_label(install: Install):
    install(
        **{
            "sql/found/a.sql": f"-- name: found.labelled\n{SELECT}",
            "sql/found/b.sql": f"-- name: other.label\n{SELECT}",
        }
    )

    assert list(found()) == ["found.labelled"]
    assert get_report("other.label").template == "found/b.sql"


def test_template_without_a_name_is_none(install: Install):
    install(**{"sql/found/a.sql": f"-- doc: No name.\n{SELECT}", "sql/found/b.sql": SELECT})

    assert found() == {}


def test_template_with_a_wrong_header_does_not_stop_the_start(install: Install):
    install(**{"sql/found/a.sql": "-- name: two words\nSELECT 1", "sql/found/b.sql": f"-- name: b\n{SELECT}"})

    assert list(found()) == ["found.b"]


def test_start_a_second_time(install: Install):
    """Tests that install apps call ready() again, and modules are read again."""
    install(**{"reports.py": REPORTS, "sql/found/figures.sql": SELECT, "sql/found/b.sql": f"-- name: b\n{SELECT}"})
    first = found()

    registry.autodiscover()

    assert list(found()) == list(first) == ["found.b", "found.my_figures"]


def test_clash_of_two_classes_names_both():
    class HTTPStatus(Report):
        template = "tests/figures.sql"

    class HttpStatus(Report):
        template = "tests/keyless.sql"

    register(HTTPStatus)
    with pytest.raises(AlreadyRegistered) as caught:
        register(HttpStatus)

    place = "tests.test_registry.test_clash_of_two_classes_names_both.<locals>"
    assert caught.value.args == (
        f"two reports are called 'tests.http_status': {place}.HTTPStatus (tests/figures.sql) and"
        f" {place}.HttpStatus (tests/keyless.sql). Rename one, or set its name.",
    )
    assert get_report("tests.http_status") is HTTPStatus


def test_clash_of_a_class_and_a_template_names_both(install: Install):
    with pytest.raises(AlreadyRegistered) as caught:
        install(
            **{
                "reports.py": REPORTS,
                "sql/found/figures.sql": SELECT,
                "sql/found/again.sql": f"-- name: my_figures\n{SELECT}",
            }
        )

    assert caught.value.args == (
        "two reports are called 'found.my_figures': found_app.reports.MyFigures (found/figures.sql) and"
        " found_app.reports.<found/again.sql> (found/again.sql). Rename one, or set its name.",
    )


def test_class_over_a_template_that_has_its_name_is_the_report(install: Install):
    """reports.W005 tells of the name that nothing reads."""
    install(**{"reports.py": REPORTS, "sql/found/figures.sql": f"-- name: my_figures\n{SELECT}"})

    assert [report.__qualname__ for report in found().values()] == ["MyFigures"]


def test_clash_of_two_templates_names_both(install: Install):
    with pytest.raises(AlreadyRegistered, match=r"\(found/a\.sql\) and .*\(found/b\.sql\)\. Rename"):
        install(**{"sql/found/a.sql": f"-- name: x\n{SELECT}", "sql/found/b.sql": f"-- name: found.x\n{SELECT}"})


def test_register_is_a_decorator():
    @register
    class Decorated(Report):
        template = "tests/figures.sql"

    assert get_report("tests.decorated") is Decorated
    assert register(Decorated) is Decorated


def test_get_report_missing_names_the_nearest():
    known = ", ".join(registered())

    with pytest.raises(NotRegistered) as caught:
        get_report("tests.figure")

    assert caught.value.args == (
        f"no report is called 'tests.figure' (there are: {known}). Did you mean 'tests.figures'?",
    )


def test_get_report_missing_when_there_is_none(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "_reports", {})

    with pytest.raises(LookupError) as caught:
        get_report("tests.figures")

    assert caught.value.args == ("no report is called 'tests.figures' (there are: none).",)


def test_registered_is_sorted_and_read_only():
    everything: Any = registered()

    assert list(everything) == sorted(everything)
    assert everything["tests.figures"] is Figures
    with pytest.raises(TypeError):
        everything["tests.other"] = Figures


def test_row_model_is_made_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    """A worker that unpickles rows has run no report yet."""
    monkeypatch.setattr(row_models, "_models", {})
    monkeypatch.setattr(Figures, "_made", None)

    model = row_models.get_row_model("tests__figures")

    assert model is Figures.get_row_model()
    assert row_models.get_row_model("tests__no_such_report") is None


def test_names_that_come_to_one_row_model_clash(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "_reports", {})
    first, second = (type("R", (Report,), {"template": "t.sql", "name": name}) for name in ("a.x__y", "a__x.y"))
    register(first)

    with pytest.raises(AlreadyRegistered) as caught:
        register(second)
    assert caught.value.args == ("the names 'a.x__y' and 'a__x.y' come to one row model. Rename a report.",)
