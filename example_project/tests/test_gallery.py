"""The gallery is what its reports give, and every prebuilt class has a place in it."""

from __future__ import annotations

import pytest

from reports import prebuilt
from reports.prebuilt.vocabulary.declared import Prebuilt
from scripts import gallery

pytestmark = pytest.mark.once


@pytest.fixture
def pages(loaded, settings) -> dict[str, str]:
    settings.TIME_ZONE = "UTC"  # as the gallery is made; days begin in it
    return gallery.pages()


def test_pages_are_what_the_reports_give(pages):
    written = {page.name: page.read_text(encoding="utf-8") for page in gallery.FOLDER.glob("*.md")}

    assert pages == written, "run: make gallery"


def test_every_class_is_shown(pages):
    classes = {name for name in prebuilt.__all__ if issubclass(getattr(prebuilt, name), Prebuilt)}

    assert {name for name in classes if f"`{name}`" not in pages["README.md"]} == set()


def test_every_module_of_reports_is_shown():
    assert sorted(gallery.FAMILIES) == sorted(gallery.module_names())
