"""What is wrong with a report in one case, and the messages of all cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.core import checks

from reports.report import Report

_LEVELS: Mapping[str, Callable[..., checks.CheckMessage]] = {"E": checks.Error, "W": checks.Warning, "I": checks.Info}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault with the number of its check, ``E020``; ``text`` begins with the place and holds no bound value."""

    number: str
    text: str
    hint: str | None = None

    def message(self, obj: object = None) -> checks.CheckMessage:
        """Return what ``manage.py check`` prints."""
        return _LEVELS[self.number[0]](self.text, hint=self.hint, obj=obj, id=f"reports.{self.number}")


def merged(found: Iterable[tuple[Fault, str]], tried: Sequence[str], report: type[Report]) -> list[checks.CheckMessage]:
    """Return one message for each fault, with the cases in which it occurs where these are not all.

    Args:
        found: Faults, each with the label of a case.
        tried: The labels of all cases.
        report: The messages' object.
    """
    labels: dict[Fault, list[str]] = {}
    for fault, label in found:
        labels.setdefault(fault, []).append(label)
    messages = []
    for fault, cases in labels.items():
        where = "" if len(cases) == len(tried) else f" With: {', '.join(cases)}."
        messages.append(Fault(fault.number, fault.text + where, fault.hint).message(report))
    return messages
