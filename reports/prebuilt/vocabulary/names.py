"""What the metrics and dimensions of a report may be called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from functools import partial

from reports.errors import DeclarationError, TemplateError, listed
from reports.header import Column
from reports.row_models import check_names

# Bytes. PostgreSQL cuts a name at 63, and templates put a few letters before and behind one.
LONGEST = 40


def check_given(what: str, names: Iterable[str], reserved: Collection[str] = ()) -> None:
    """Refuse names that no field could have, that are too long, or that a template has for itself.

    Args:
        what: What they are called in a message: ``metric``.
        reserved: The names that the template has.

    Raises:
        DeclarationError: One with all of them. Without the class's name.
    """
    if problems := [problem for name in names for problem in _problems(what, name, reserved)]:
        raise DeclarationError(*problems)


def check_columns(columns: Iterable[Column]) -> tuple[Column, ...]:
    """Return the columns of a report.

    Raises:
        DeclarationError: Two have one name, or one has a name that means something to Django. Without the class's name.
    """
    found = tuple(columns)
    if twice := [name for name, count in Counter(column.name for column in found).items() if count > 1]:
        raise DeclarationError(
            f"there would be several columns of one name: {listed(twice)}; rename a metric or a dimension."
        )
    try:
        check_names(found, "")
    except TemplateError as error:
        raise DeclarationError(str(error)) from None
    return found


def _problems(what: str, name: str, reserved: Collection[str]) -> Iterator[str]:
    refuse = partial("{} {!r} is no name for a column: {}.".format, what, name)
    if not name.isidentifier() or name.startswith("_"):
        yield refuse("it must be of letters, digits and underscores, and begin with a letter")
    elif "__" in name or name.endswith("_"):
        yield refuse("two underscores, or one at the end, mean something in a filter")
    elif name in reserved:
        yield f"no {what} may be called {name!r}; give it another name, as in a dict"
    elif (size := len(name.encode())) > LONGEST:
        yield refuse(f"it has {size} bytes; there may be {LONGEST}")
