"""Classes made of another one's own class, once for each, and pickles of their instances."""

from __future__ import annotations

from functools import cache
from typing import Any


class Derived:
    """What is mixed in. Such a class has no name in any module, so its instances are pickled by those it is made of."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _blank, type(self).__bases__, self.__getstate__()


@cache
def derive(mixin: Any, origin: Any) -> Any:
    """Return the subclass of a class with a ``Derived`` mixed in."""
    names = {"__module__": origin.__module__, "__qualname__": f"Consolidated{origin.__qualname__}"}
    return type(f"Consolidated{origin.__name__}", (mixin, origin), names)


def _blank(mixin: Any, origin: Any) -> Any:
    made = derive(mixin, origin)
    return made.__new__(made)
