"""Settings: defaults, values, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from reports import conf

ALLOWED = (
    "EXPORT_TIMEOUT, REWRITE, REWRITE_AGE, REWRITE_MEASURE, SLOW, TEMPLATE_DIRS, TIMEOUT, WARN_REPEATED, XLSX_ROWS"
)


def test_names_are_the_functions():
    assert [name for name in conf.NAMES if not callable(getattr(conf, name.lower(), None))] == []
    assert len(conf.NAMES) == 9


@pytest.mark.parametrize(
    ("read", "default"),
    [
        (conf.export_timeout, 600.0),
        (conf.timeout, 30.0),
        (conf.slow, 1.0),
        (conf.template_dirs, ()),
        (conf.xlsx_rows, 100000),
        (conf.rewrite, ()),
        (conf.rewrite_age, 86400.0),
        (conf.rewrite_measure, 5.0),
        (conf.warn_repeated, True),
    ],
)
def test_default(settings: Any, read: Any, default: object):
    assert not hasattr(settings, "REPORTS")
    assert read() == default

    settings.REPORTS = {}
    assert read() == default


def test_values_are_read_when_called(settings: Any):
    settings.REPORTS = {"TIMEOUT": 5, "SLOW": 0.25, "TEMPLATE_DIRS": ["/srv/a", Path("/srv/b")]}
    assert (conf.timeout(), conf.slow(), conf.template_dirs()) == (5.0, 0.25, (Path("/srv/a"), Path("/srv/b")))
    assert isinstance(conf.timeout(), float)

    settings.REPORTS = {"TIMEOUT": 6}
    assert conf.timeout() == 6.0


@pytest.mark.parametrize(
    "value", [0, -1, True, None, "5", "5s", float("nan"), float("inf"), conf.LONGEST + 1, [5]], ids=repr
)
@pytest.mark.parametrize("name", ["EXPORT_TIMEOUT", "REWRITE_AGE", "REWRITE_MEASURE", "TIMEOUT", "SLOW"])
def test_seconds_wrong_value(settings: Any, name: str, value: object):
    settings.REPORTS = {name: value}

    with pytest.raises(ImproperlyConfigured) as caught:
        getattr(conf, name.lower())()

    assert caught.value.args == (
        f"REPORTS[{name!r}] is {value!r}; it must be a number of seconds above 0, at most 2147483.",
    )


@pytest.mark.parametrize("value", ["/srv/reports", b"/srv", None, 5, {"/srv"}, [None], [b"/srv"]], ids=repr)
def test_template_dirs_wrong_value(settings: Any, value: object):
    """A single folder as text would be read as the folders "/", "s", "r", …."""
    settings.REPORTS = {"TEMPLATE_DIRS": value}

    with pytest.raises(ImproperlyConfigured) as caught:
        conf.template_dirs()

    assert caught.value.args == (f"REPORTS['TEMPLATE_DIRS'] is {value!r}; it must be a list of folders.",)


@pytest.mark.parametrize("value", [1, 5000, 1048575])
def test_xlsx_rows(settings: Any, value: int):
    settings.REPORTS = {"XLSX_ROWS": value}

    assert conf.xlsx_rows() == value


@pytest.mark.parametrize("value", [0, -1, 1048576, True, None, "5", 5.0, [5]], ids=repr)
def test_xlsx_rows_wrong_value(settings: Any, value: object):
    settings.REPORTS = {"XLSX_ROWS": value}

    with pytest.raises(ImproperlyConfigured) as caught:
        conf.xlsx_rows()

    assert caught.value.args == (f"REPORTS['XLSX_ROWS'] is {value!r}; it must be a whole number from 1 to 1048575.",)


@pytest.mark.parametrize(
    ("value", "aliases"),
    [(True, ("default",)), (False, ()), ([], ()), (["default"], ("default",)), (("default",), ("default",))],
)
def test_rewrite(settings: Any, value: object, aliases: tuple[str, ...]):
    settings.REPORTS = {"REWRITE": value}

    assert conf.rewrite() == aliases


@pytest.mark.parametrize("value", [1, None, "default", {"default"}, [None], [b"default"]], ids=repr)
def test_rewrite_wrong_value(settings: Any, value: object):
    settings.REPORTS = {"REWRITE": value}

    with pytest.raises(ImproperlyConfigured) as caught:
        conf.rewrite()

    assert caught.value.args == (
        f"REPORTS['REWRITE'] is {value!r}; it must be True, False or a list of aliases of DATABASES.",
    )


def test_rewrite_unknown_aliases(settings: Any):
    settings.REPORTS = {"REWRITE": ["zebra", "default", "defualt"]}

    with pytest.raises(ImproperlyConfigured) as caught:
        conf.rewrite()

    assert caught.value.args == (
        "REPORTS['REWRITE'] names no database: 'defualt', 'zebra' (DATABASES: default). Did you mean 'default'?",
    )


@pytest.mark.parametrize("value", [0, 1, None, "yes"], ids=repr)
def test_warn_repeated_wrong_value(settings: Any, value: object):
    settings.REPORTS = {"WARN_REPEATED": value}

    with pytest.raises(ImproperlyConfigured) as caught:
        conf.warn_repeated()

    assert caught.value.args == (f"REPORTS['WARN_REPEATED'] is {value!r}; it must be True or False.",)


@pytest.mark.parametrize(
    ("key", "hint"), [("TIMEOUTS", " Did you mean 'TIMEOUT'?"), ("timeout", ""), ("COLOUR", ""), (1, "")]
)
def test_unknown_key(settings: Any, key: object, hint: str):
    settings.REPORTS = {key: 5}

    with pytest.raises(ImproperlyConfigured) as caught:
        conf.slow()

    assert caught.value.args == (f"REPORTS has the unknown key {key!r} (allowed: {ALLOWED}).{hint}",)


@pytest.mark.parametrize("value", [None, 30, ["TIMEOUT"], "TIMEOUT"])
def test_settings_that_are_no_dict(settings: Any, value: object):
    settings.REPORTS = value

    with pytest.raises(ImproperlyConfigured) as caught:
        conf.timeout()

    assert caught.value.args == (f"REPORTS is {value!r}; it must be a dict of settings ({ALLOWED}).",)
