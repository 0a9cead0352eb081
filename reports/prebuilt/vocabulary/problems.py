"""All that is wrong with a declaration, told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from django.core.exceptions import FieldError

from reports.errors import DeclarationError

_T = TypeVar("_T")


def read_all(reads: Iterable[Callable[[], _T]]) -> list[_T]:
    """Return what each of some functions gives.

    Raises:
        DeclarationError: One with the problems of all that failed.
    """
    found: list[_T] = []
    problems: list[str] = []
    for read in reads:
        try:
            found.append(read())
        except DeclarationError as error:
            problems += error.problems
        except FieldError as error:
            problems.append(str(error))
    if problems:
        raise DeclarationError(*dict.fromkeys(problems))
    return found
