"""The line of Python that sends a statement."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import Any

import django
import pytest
from django.db import connection
from django.template import Context, Template

import reports
from reports.rewrite.advice import places
from tests.lines import line_of
from tests.models import Region

HERE = "tests/test_rewrite_places.py"


# Stands in Django's folder: the frames of the tests are those of what they call.
WATCH = compile(
    "def watch(execute, *arguments):\n    found.append(place())\n    return execute(*arguments)",
    f"{django.__path__[0]}/made_up.py",
    "exec",
)


def sent(rows: Any) -> list[str | None]:
    """Return the place of each statement that evaluating ``rows`` sends."""
    names: dict[str, Any] = {"found": [], "place": places.place}
    exec(WATCH, names)  # noqa: S102 - it is written above
    with connection.execute_wrapper(names["watch"]):
        rows()
    found: list[str | None] = names["found"]
    return found


@pytest.fixture(autouse=True)
def checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).parent.parent)
    places._own.cache_clear()


def test_place_is_the_innermost_line_of_the_project():
    found = places.place()  # innermost

    assert found == f"{HERE}:{line_of(__file__, 'innermost')} in test_place_is_the_innermost_line_of_the_project"


@pytest.mark.django_db
def test_place_of_a_statement_passes_over_django():
    def evaluate() -> None:
        list(Region.objects.all())  # evaluated

    assert sent(evaluate) == [
        f"{HERE}:{line_of(__file__, 'evaluated')} in test_place_of_a_statement_passes_over_django.<locals>.evaluate",
    ]


@pytest.mark.django_db
def test_place_of_what_a_template_reads_is_the_line_that_renders():
    template = Template("{% for region in rows %}{% endfor %}")

    def view() -> None:
        template.render(Context({"rows": Region.objects.all()}))  # rendered

    (found,) = sent(view)

    assert str(found).startswith(f"{HERE}:{line_of(__file__, 'rendered')} in test_place_of_what")


def test_no_place_where_no_frame_is_the_projects(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(places, "_own", lambda file: None)

    assert places.place() is None


@pytest.mark.parametrize(
    "file",
    [
        "<frozen importlib._bootstrap>",
        "<string>",
        f"{django.__path__[0]}/db/models/query.py",
        f"{sysconfig.get_path('stdlib')}/contextlib.py",
        f"{reports.__path__[0]}/rows.py",
        "/project/.venv/lib/python3.12/site-packages/rest_framework/views.py",
        "/usr/lib/python3/dist-packages/gunicorn/app.py",
    ],
)
def test_foreign_files(file: str):
    assert places._own(file) is None


def test_own_files():
    here = Path(__file__).parent.parent

    assert places._own(f"{here}/shop/views.py") == "shop/views.py"
    assert places._own("/elsewhere/shop/views.py") == "/elsewhere/shop/views.py"
    assert places._own("<console>") == "<console>"
