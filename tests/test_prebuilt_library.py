"""What every class of the library has in common, seen on the gallery's reports."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from reports import prebuilt, registered
from reports.checks.prebuilt import bound_by_name
from reports.loader import find_template, package_folder
from reports.prebuilt.vocabulary.declared import Prebuilt

CLASSES = [
    value
    for name in prebuilt.__all__
    if isinstance(value := getattr(prebuilt, name), type) and issubclass(value, Prebuilt)
]
GALLERY = [report for report in registered().values() if issubclass(report, Prebuilt)]


def test_each_class_has_a_template_of_its_name_or_shares_one():
    files = {path.relative_to(package_folder()).as_posix() for path in Path(package_folder(), "prebuilt").glob("*.sql")}

    assert {report.template for report in CLASSES} <= files


@pytest.mark.parametrize("report", CLASSES, ids=lambda report: report.__name__)
def test_class_says_what_it_gives(report):
    """And knows an attribute for each name of its vocabulary, with a value that fits or none."""
    assert find_template(report.template).header.doc
    assert inspect.getdoc(report)
    assert report.is_abstract()
    assert [name for name in report.vocabulary if not hasattr(report, name)] == []
    assert bound_by_name(report) <= set(report.vocabulary)
    assert report.scans >= 1


def test_each_class_is_in_the_gallery():
    shown = {parent for report in GALLERY for parent in report.__mro__}

    assert [report.__name__ for report in CLASSES if report not in shown] == []


@pytest.mark.django_db
@pytest.mark.parametrize("report", GALLERY, ids=lambda report: report.get_name())
def test_report_keeps_nothing_of_a_run(report):
    """One instance may serve several threads, and several requests."""
    instance = report(user=report.example_user())
    before = vars(instance).copy()

    first = instance.query()

    assert vars(instance) == before
    assert instance.query().sql == first.sql
    assert report(user=report.example_user()).query().sql == first.sql
