"""Errors: their tree, their texts, and that they travel between processes."""

from __future__ import annotations

import inspect
import pickle

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError
from django.utils.translation import gettext_lazy

from reports import errors
from reports.errors import (
    AlreadyRegistered,
    DeclarationError,
    ExportError,
    NotRegistered,
    ParamsError,
    QueryError,
    QueryTimeout,
    ReportError,
    TemplateError,
    TemplateNotFound,
    TooManyRows,
    counted,
    listed,
    near,
)

EVERY = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ReportError)]


def test_tree_is_the_one_drawn():
    bases = {kind: kind.__bases__ for kind in EVERY}

    assert bases == {
        ReportError: (Exception,),
        TemplateError: (ReportError,),
        TemplateNotFound: (TemplateError,),
        NotRegistered: (ReportError, LookupError),
        AlreadyRegistered: (ReportError,),
        DeclarationError: (ReportError,),
        ExportError: (ReportError,),
        TooManyRows: (ExportError,),
        ParamsError: (ReportError, ValidationError),
        QueryError: (ReportError, DatabaseError),
        QueryTimeout: (QueryError,),
    }
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in EVERY)


@pytest.mark.parametrize("kind", [kind for kind in EVERY if kind is not ParamsError])
def test_error_survives_pickle(kind: type[ReportError]):
    error = kind("what is wrong")
    error.report = "tests.figures"  # type: ignore[attr-defined]

    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), copy.args, vars(copy)) == (kind, error.args, vars(error))


def test_template_error_with_its_place_survives_pickle():
    error = TemplateNotFound.at("figures.sql", 3, "it is not there.")

    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy), copy.file, copy.line) == (
        TemplateNotFound,
        "figures.sql:3: it is not there.",
        "figures.sql",
        3,
    )


@pytest.mark.parametrize(
    ("file", "line", "text"),
    [
        ("figures.sql", 3, "figures.sql:3: it is wrong."),
        ("figures.sql", None, "figures.sql: it is wrong."),
        (None, 3, "3: it is wrong."),
        (None, None, "it is wrong."),
    ],
)
def test_template_error_says_its_place(file: str | None, line: int | None, text: str):
    error = TemplateError.at(file, line, "it is wrong.")

    assert error.args == (text,)
    assert (error.file, error.line) == (file, line)


def test_template_error_without_a_place():
    error = TemplateError("it is wrong.")

    assert (error.file, error.line) == (None, None)


def params_error() -> ParamsError:
    error = ParamsError(
        {
            "least": [ValidationError(gettext_lazy("Enter a number."), code="invalid")],
            "labels": [ValidationError("%(value)s is no choice.", params={"value": "z"}), "There are too many."],
        }
    )
    error.report, error.allowed = "tests.figures", {"labels": "a, b, c"}
    return error


def test_params_error_lists_everything_once():
    assert str(params_error()) == (
        "report 'tests.figures': labels: z is no choice. There are too many. Allowed: a, b, c.; least: Enter a number."
    )


def test_params_error_is_a_validation_error_by_name():
    error = params_error()

    assert isinstance(error, ValidationError)
    assert error.message_dict == {"least": ["Enter a number."], "labels": ["z is no choice.", "There are too many."]}


def test_params_error_survives_pickle():
    error = params_error()

    copy = pickle.loads(pickle.dumps(error))

    assert (str(copy), copy.message_dict, copy.report, copy.allowed) == (
        str(error),
        error.message_dict,
        error.report,
        error.allowed,
    )


def test_params_error_of_a_message_only():
    error = ParamsError("%(first)s is after %(last)s.", code="order", params={"first": 2, "last": 1})
    error.report = "tests.figures"

    assert str(error) == "report 'tests.figures': 2 is after 1."
    assert error.code == "order"


def test_params_error_of_no_report():
    assert str(ParamsError({"least": ["Enter a number."]})) == "least: Enter a number."


@pytest.mark.parametrize(("number", "text"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (2000, "2,000 rows")])
def test_counted(number: int, text: str):
    assert counted(number, "row") == text


def test_near_names_the_nearest():
    assert near("untill", ["since", "until", "untidy"]) == " Did you mean 'until'?"
    assert near("nothing like it", ["since", "until"]) == ""


def test_listed_sorts():
    assert listed(["b", "c", "a"]) == "a, b, c"
    assert listed([]) == "none"
