"""Attributes of a class that a request may set: by a parameter of the same name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from reports.errors import ParamsError, listed, near
from reports.prebuilt.vocabulary.attributes import Check, is_list
from reports.report import Report


class Asking(Report):
    """A report with a vocabulary: the attributes that its class knows, each with what it may be."""

    vocabulary: ClassVar[Mapping[str, Check]] = {}

    def asked(self, given: Mapping[str, Any], name: str) -> Any:
        """Return an attribute: the request's value where the form has a field of its name, else the class's.

        Raises:
            ParamsError: The request's value is not one that the attribute may have.
        """
        value = given.get(name)
        if value is None or (isinstance(value, (str, list, tuple)) and not value):
            return getattr(type(self), name)  # of an instance, a function would be a method
        if allowed := self.vocabulary[name](value):
            raise self.refused(name, f"It must be {allowed}.")
        return value

    def refused(self, name: str, problem: str) -> ParamsError:
        """Return the error for a request's value of an attribute."""
        error = ParamsError({name: [problem]})
        error.report = self.get_name()
        return error

    def asked_names(self, given: Mapping[str, Any], name: str, known: Iterable[str]) -> frozenset[str]:
        """Return which of several known names a request asks for; all of them when it asks for none.

        Raises:
            ParamsError: One of them is not known.
        """
        every = list(known)
        value = given.get(name) or every
        wanted: list[Any] = list(value) if is_list(value) or isinstance(value, (set, frozenset)) else [value]
        if unknown := [item for item in wanted if item not in every]:
            raise self.refused(name, f"It must be of these: {listed(every)}.{near(str(unknown[0]), every)}")
        return frozenset(wanted)
