"""A prebuilt report's class as it is written: attributes that it does not know, and values that they may not have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, time, timedelta
from difflib import get_close_matches
from typing import Any

from reports.prebuilt.vocabulary.attributes import Check

# Attributes that most classes have: one that has not would pass them over in silence.
_COMMON = frozenset({"date_field", "end", "fill", "last", "limit", "period", "start", "time_zone"})
# What other libraries call them, and where it is said here.
_ELSEWHERE = {
    "filter": "get_source() gives the rows that count",
    "order_by": "the rows' order is 'ordering'",
    "params": "the form of the parameters is the class 'Params'",
    "queryset": "the rows that count are the 'source'",
}
# A name as near as this to an attribute's is a slip.
_NEAR = 0.8
_SHOWN = (str, int, float, bool, type(None), date, time, timedelta)
_MOST = 60


def check_class(cls: type, parent: type, vocabulary: Mapping[str, Check]) -> None:
    """Refuse a class whose body, or that of a mixin, has attributes that do not fit.

    Args:
        cls: The class.
        parent: Its classes have been checked when they were made; mixins are no subclasses of it.
        vocabulary: The attributes that the class knows, each with what it may be.

    Raises:
        TypeError: Names all of them.
    """
    bodies = [cls, *(each for each in cls.__mro__[1:] if not issubclass(each, parent) and not issubclass(parent, each))]
    if problems := [problem for body in bodies for problem in _problems(cls, body, vocabulary)]:
        raise TypeError(" ".join(problems))


def _problems(cls: type, body: type, vocabulary: Mapping[str, Check]) -> Iterator[str]:
    for name, value in vars(body).items():
        if check := vocabulary.get(name):
            if allowed := check(value):
                yield f"{body.__qualname__}.{name} is {_shown(value)}; it must be {allowed}."
        elif body is cls and not _is_other(cls, name):
            if name in _COMMON or name in _ELSEWHERE:
                instead = _ELSEWHERE.get(name, "this report takes none")
                yield f"{body.__qualname__} has no attribute {name!r}: {instead}."
                continue
            for known in get_close_matches(name, vocabulary, n=1, cutoff=_NEAR):
                yield f"{body.__qualname__} has no attribute {name!r}. Did you mean {known!r}?"


def _is_other(cls: type, name: str) -> bool:
    """Return whether a name of a class is not one for a value: a method's, a property's, or one that is inherited."""
    value = getattr(cls, name)
    return (
        name.startswith("_")
        or callable(value)
        or hasattr(value, "__get__")
        or any(hasattr(base, name) for base in cls.__bases__)
    )


def _shown(value: Any) -> str:
    """Return what a value is, for a message. The repr() of a QuerySet would run it."""
    if isinstance(value, _SHOWN):
        return repr(value)
    if isinstance(value, (list, tuple)) and all(isinstance(item, _SHOWN) for item in value):
        text = repr(value)
        return text if len(text) <= _MOST else f"{text[:_MOST]}…"
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
