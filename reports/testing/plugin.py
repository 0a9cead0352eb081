"""A test of each example of each report: import ``test_every_report`` into a test module. Needs pytest-django."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pytest

from reports.testing.examples import ExampleCase, every_example


class _Cases(Collection[ExampleCase]):
    """The cases, found when pytest asks for them: by then Django is set up, wherever this module was imported."""

    def __iter__(self) -> Iterator[ExampleCase]:
        found = list(every_example())
        if not found:  # pytest would skip the test
            raise pytest.UsageError("test_every_report: no report is registered. Is 'reports' in INSTALLED_APPS?")
        return iter(found)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __contains__(self, case: object) -> bool:
        return case in list(iter(self))


@pytest.mark.django_db(databases="__all__")
@pytest.mark.parametrize("case", _Cases(), ids=str)
def test_every_report(case: ExampleCase) -> None:
    """Run the example and compare its rows with what the report declares; see ``ExampleCase.check``."""
    case.check()
