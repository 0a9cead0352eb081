"""A project of its own for the tests of checks: no report but those that a test writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core import checks

from reports import Report, register, registry
from reports.checks import check_reports

ORDERED = "-- column: id bigint pk\n-- ordering: id\n"


class Project:
    """Templates in a folder, and reports of them."""

    def __init__(self, folder: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        settings.REPORTS = {"TEMPLATE_DIRS": [folder]}
        monkeypatch.setattr(registry, "_reports", {})  # what a test registers is undone

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    def report(self, text: str, *, file: str = "t/a.sql", **attributes: Any) -> type[Report]:
        """Write a template, with columns and an ordering, and register a report of it."""
        self.write(file, ORDERED + text)
        return self.register(file, **attributes)

    def register(self, file: str, **attributes: Any) -> type[Report]:
        """Register a report of a template."""
        return register(type("Checked", (Report,), {"__module__": "tests", "template": file, **attributes}))

    def messages(self) -> list[checks.CheckMessage]:
        return check_reports()

    def found(self) -> list[str]:
        """Return ``id place: problem`` of each message, the folder left out. The first two lines are the columns'."""
        return [f"{message.id}".removeprefix("reports.") + " " + self.short(message.msg) for message in self.messages()]

    def short(self, text: str) -> str:
        return text.replace(f"{self.folder}/t/", "")
