"""Values that tell which parameter they are, to find out which placeholder of a query is which parameter."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

_SCALARS = (bool, date, Decimal, float, int, str, time, timedelta, UUID)


class Probe:
    """A parameter's value in a template: bound as itself, and in conditions and expressions like its value.

    ``value`` is None where nothing is known of it.
    """

    def __init__(self, name: str, value: Any = None) -> None:
        self.name = name
        self.value = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.value, name)

    def __bool__(self) -> bool:
        return self.value is None or bool(self.value)

    def __str__(self) -> str:
        return str(self.value)

    def __hash__(self) -> int:
        return hash(self.value)

    def __iter__(self) -> Iterator[Any]:
        return iter([self] if self.value is None else self.value)


def _forwarded(name: str) -> Callable[[Probe, Any], Any]:
    function = getattr(operator, name)

    def forward(self: Probe, other: Any) -> Any:
        return function(self.value, other.value if isinstance(other, Probe) else other)

    return forward


def _forwarded_from_the_right(name: str) -> Callable[[Probe, Any], Any]:
    function = getattr(operator, name)
    return lambda self, other: function(other, self.value)


_COMPARED = ("eq", "ne", "lt", "le", "gt", "ge", "contains", "getitem")
_COMPUTED = ("add", "sub", "mul", "truediv", "floordiv", "mod")
for _name in (*_COMPARED, *_COMPUTED):
    setattr(Probe, f"__{_name}__", _forwarded(f"__{_name}__"))
for _name in _COMPUTED:
    setattr(Probe, f"__r{_name}__", _forwarded_from_the_right(f"__{_name}__"))


def probed(name: str, value: Any) -> Any:
    """Return a parameter's value as a probe, a list's items as probes; what is bound in another way as it is."""
    if isinstance(value, (list, tuple, set, frozenset)):
        return [probed(name, item) for item in value]
    return Probe(name, value) if value is None or isinstance(value, _SCALARS) else value


def name_of(param: object) -> str | None:
    """Return the name of the parameter that a query's parameter is, None for one that an expression made."""
    while isinstance(param, list) and param:
        param = param[0]
    return param.name if isinstance(param, Probe) else None


def plain(param: Any) -> Any:
    """Return a query's parameter without probes."""
    if isinstance(param, list):
        return [plain(item) for item in param]
    return param.value if isinstance(param, Probe) else param
