"""Names to files: where is looked, in which order, which names are refused, and when a file is read again."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jinja2
import pytest
from django.apps import apps
from hypothesis import given
from hypothesis import strategies as st

from reports import loader
from reports.errors import TemplateError, TemplateNotFound
from reports.header import Header
from reports.loader import JinjaLoader, app_template_names, find_template, package_folder, template_names

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, settings: Any) -> Write:
    """Write a file of the folder that is the only one in TEMPLATE_DIRS."""
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path / "extra"]}

    def write_file(name: str, text: str | bytes, folder: str = "extra") -> Path:
        path = tmp_path / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write_file


@pytest.fixture
def new_app(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[str]:
    """Install one more app, whose label is not its name."""
    write(
        "apps.py",
        "from django.apps import AppConfig\n\n\nclass Config(AppConfig):\n    name, label = 'loader_app', 'labelled'\n",
        folder="path/loader_app",
    )
    write("__init__.py", "", folder="path/loader_app")
    monkeypatch.syspath_prepend(tmp_path / "path")
    settings.INSTALLED_APPS = [*settings.INSTALLED_APPS, "loader_app.apps.Config"]
    yield "path/loader_app"
    for name in [name for name in sys.modules if name.partition(".")[0] == "loader_app"]:
        del sys.modules[name]


def test_template_of_an_app():
    template = find_template("tests/figures.sql")

    assert template.name == "tests/figures.sql"
    assert template.path == Path(__file__).parent / "sql" / "tests" / "figures.sql"
    assert template.header.doc == "Monthly figures. One row per store and month."


def test_template_source_keeps_its_line_numbers(write: Write):
    write("shop/a.sql", "-- doc: One.\n-- timeout: 5s\n\n-- a comment\nSELECT 1\n")

    template = find_template("shop/a.sql")

    assert template.header == Header(doc="One.", timeout=5.0, lines=2)
    assert template.source == "\n\n\n-- a comment\nSELECT 1\n"


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("SELECT 1", "SELECT 1"),
        ("", ""),
        ("-- doc: One.", "\n"),
        ("-- doc: One.\r\nSELECT\r\n1\r\n", "\nSELECT\n1\n"),
        ("\ufeff-- doc: One.\nSELECT 1", "\nSELECT 1"),
        ("-- doc: a\u2028b\nSELECT '\u2028'\n", "\nSELECT '\u2028'\n"),
    ],
)
def test_template_source(write: Write, text: str, source: str):
    write("shop/a.sql", text)

    assert find_template("shop/a.sql").source == source


def test_template_that_is_not_utf8(write: Write):
    path = write("shop/a.sql", "SELECT 'é'".encode("latin-1"))

    with pytest.raises(TemplateError) as caught:
        find_template("shop/a.sql")

    assert caught.value.args == (f"{path}: not UTF-8: invalid continuation byte at byte 8.",)


def test_template_with_a_nul_character(write: Write):
    path = write("shop/a.sql", "SELECT\n'\0'")

    with pytest.raises(TemplateError) as caught:
        find_template("shop/a.sql")

    assert caught.value.args == (f"{path}:2: holds a NUL character.",)


def test_template_with_a_wrong_header(write: Write):
    path = write("shop/a.sql", "-- doc: One.\n-- timeout: 5\nSELECT 1")

    with pytest.raises(TemplateError) as caught:
        find_template("shop/a.sql")

    assert (caught.value.file, caught.value.line) == (str(path), 2)


# Where is looked.


def test_order_is_apps_then_settings_then_package(
    write: Write, tmp_path: Path, settings: Any, new_app: str, monkeypatch: pytest.MonkeyPatch
):
    second = tmp_path / "second"
    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path / "extra", str(second)]}
    monkeypatch.setattr(loader, "package_folder", lambda: tmp_path / "package")
    places = [f"{new_app}/sql", "extra", "second", "package"]
    paths = [write("labelled/order.sql", "SELECT 1", folder=place) for place in places]

    for path in paths:
        assert find_template("labelled/order.sql").path == path
        path.unlink()

    with pytest.raises(TemplateNotFound):
        find_template("labelled/order.sql")


def test_app_gives_only_the_folder_of_its_label(write: Write, new_app: str):
    write("labelled/deep/er/mine.sql", "SELECT 1", folder=f"{new_app}/sql")
    write("other/not_mine.sql", "SELECT 1", folder=f"{new_app}/sql")
    write("loader_app/not_mine.sql", "SELECT 1", folder=f"{new_app}/sql")
    write("bare.sql", "SELECT 1", folder=f"{new_app}/sql")

    assert app_template_names("labelled") == ["labelled/deep/er/mine.sql"]
    assert find_template("labelled/deep/er/mine.sql").source == "SELECT 1"
    for name in ("other/not_mine.sql", "loader_app/not_mine.sql", "bare.sql"):
        assert name not in template_names()
        with pytest.raises(TemplateNotFound):
            find_template(name)


def test_template_of_an_app_is_gone_with_the_app(write: Write, new_app: str, settings: Any):
    write("labelled/mine.sql", "SELECT 1", folder=f"{new_app}/sql")
    assert find_template("labelled/mine.sql").source == "SELECT 1"

    settings.INSTALLED_APPS = settings.INSTALLED_APPS[:-1]

    with pytest.raises(TemplateNotFound):
        find_template("labelled/mine.sql")


def test_template_of_a_folder_is_gone_with_the_setting(write: Write, settings: Any):
    write("shop/a.sql", "SELECT 1")
    assert find_template("shop/a.sql").source == "SELECT 1"

    settings.REPORTS = {}

    with pytest.raises(TemplateNotFound):
        find_template("shop/a.sql")


def test_app_without_templates():
    assert app_template_names("contenttypes") == []


def test_template_names_are_sorted_and_found(write: Write):
    written = ["z.sql", "shop/a.b-c.sql", "top.level.sql", "v1.2/a.sql"]
    for name in written:
        write(name, "SELECT 1")

    names = template_names()

    assert names == sorted(set(names))
    assert {*written, "tests/figures.sql"} <= set(names)
    assert [find_template(name).name for name in written] == written


def test_template_names_leave_out_what_cannot_be_named(write: Write):
    for name in (".hidden.sql", "shop/.a.sql", ".git/a.sql", "my report.sql", "a.SQL", "a.sql.txt"):
        write(name, "SELECT 1")

    assert not set(template_names()) - set(_names_of_the_checkout())


def _names_of_the_checkout() -> Iterator[str]:
    for config in apps.get_app_configs():
        yield from app_template_names(config.label)
    for path in package_folder().rglob("*.sql"):
        yield path.relative_to(package_folder()).as_posix()


def test_package_folder_of_a_wheel_and_of_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loader, "__file__", str(tmp_path / "reports" / "loader.py"))
    assert package_folder() == tmp_path / "sql"

    (tmp_path / "reports" / "sql").mkdir(parents=True)
    assert package_folder() == tmp_path / "reports" / "sql"


# Names that are refused.


@pytest.mark.parametrize(
    "name",
    [
        "../secret.sql",
        "shop/../../secret.sql",
        "shop/../a.sql",
        "./shop/a.sql",
        "shop//a.sql",
        "shop\\a.sql",
        "..\\secret.sql",
        "shop/a.sql\0",
        "shop/a.sql\0.sql",
        "shop/a.sql\n",
        "shop/a.SQL",
        "shop/a.txt",
        "shop/a.sql/",
        "shop/a",
        "shop/.sql",
        ".sql",
        "",
        "shop",
        "C:shop/a.sql",
        "~/a.sql",
    ],
)
def test_name_refused(write: Write, name: str):
    write("secret.sql", "SELECT 'secret'", folder=".")
    write("shop/a.sql", "SELECT 1")
    for other in ("shop/a.SQL", "shop/a.txt", "shop/.sql", ".sql", "shop\\a.sql", "~/a.sql", "shop/a.sql\n"):
        write(other, "SELECT 1")

    with pytest.raises(TemplateNotFound, match=r"^there is no template "):
        find_template(name)


def test_name_refused_absolute(write: Write):
    path = write("shop/a.sql", "SELECT 1")

    with pytest.raises(TemplateNotFound):
        find_template(str(path))


def test_name_of_a_folder_is_no_template(write: Write, tmp_path: Path):
    (tmp_path / "extra" / "shop" / "a.sql").mkdir(parents=True)

    with pytest.raises(TemplateNotFound):
        find_template("shop/a.sql")


@given(st.text(st.sampled_from("./\\a\0~:"), max_size=12).map("{}.sql".format))
def test_name_never_leaves_its_folder(name: str):
    with pytest.raises(TemplateNotFound):
        find_template(name)


def test_name_of_a_link_is_followed(write: Write, tmp_path: Path):
    """Who may make links in a template folder may write templates there."""
    target = write("shared.sql", "SELECT 1", folder="elsewhere")
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra" / "linked.sql").symlink_to(target)

    assert find_template("linked.sql").source == "SELECT 1"


def test_missing_template_names_the_nearest():
    with pytest.raises(TemplateNotFound) as caught:
        find_template("tests/figure.sql")

    assert caught.value.args == ("there is no template 'tests/figure.sql'. Did you mean 'tests/figures.sql'?",)


# Files that change.


def touch(path: Path, text: str) -> None:
    """Write a file one second later, for filesystems whose clock is coarse."""
    later = path.stat().st_mtime_ns + 1_000_000_000
    path.write_text(text)
    os.utime(path, ns=(later, later))


def test_changed_file_is_read_anew(write: Write):
    path = write("shop/a.sql", "SELECT 1")
    first = find_template("shop/a.sql")

    assert find_template("shop/a.sql") is first

    touch(path, "-- doc: Two.\nSELECT 2")
    assert find_template("shop/a.sql").header.doc == "Two."
    assert find_template("shop/a.sql").source == "\nSELECT 2"


def test_removed_file_is_not_found_any_more(write: Write):
    path = write("shop/a.sql", "SELECT 1")
    assert find_template("shop/a.sql").source == "SELECT 1"

    path.unlink()
    with pytest.raises(TemplateNotFound):
        find_template("shop/a.sql")

    write("shop/a.sql", "SELECT 2")
    assert find_template("shop/a.sql").source == "SELECT 2"


def test_file_whose_header_was_wrong_is_read_anew(write: Write):
    path = write("shop/a.sql", "-- timeout: 5\nSELECT 1")
    with pytest.raises(TemplateError):
        find_template("shop/a.sql")

    touch(path, "-- timeout: 5s\nSELECT 1")

    assert find_template("shop/a.sql").header.timeout == 5


# Jinja's side.


def test_jinja_loader_gives_the_same_text(write: Write):
    path = write("shop/a.sql", "-- doc: One.\nSELECT 1")

    source, file, is_current = JinjaLoader().get_source(jinja2.Environment(), "shop/a.sql")  # noqa: S701

    assert (source, file, is_current()) == ("\nSELECT 1", str(path), True)
    touch(path, "SELECT 2")
    assert not is_current()
    path.unlink()
    assert not is_current()


def test_jinja_loader_sees_another_folder(write: Write, settings: Any, tmp_path: Path):
    write("shop/a.sql", "SELECT 1")
    write("shop/a.sql", "SELECT 2", folder="second")
    source, _, is_current = JinjaLoader().get_source(jinja2.Environment(), "shop/a.sql")  # noqa: S701

    settings.REPORTS = {"TEMPLATE_DIRS": [tmp_path / "second", tmp_path / "extra"]}

    assert (source, is_current()) == ("SELECT 1", False)


def test_jinja_loader_raises_what_jinja_expects():
    with pytest.raises(jinja2.TemplateNotFound) as caught:
        JinjaLoader().get_source(jinja2.Environment(), "../a.sql")  # noqa: S701

    assert caught.value.name == "../a.sql"
    assert isinstance(caught.value.__cause__, TemplateNotFound)
