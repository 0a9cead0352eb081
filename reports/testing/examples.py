"""Each example in the templates' headers as a case for a test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reports.errors import TemplateError, listed
from reports.prebuilt.vocabulary.declared import Prebuilt
from reports.registry import registered
from reports.report import Report
from reports.rows import Rows
from reports.source import has_key


@dataclass(frozen=True, slots=True)
class ExampleCase:
    """A report with the parameters of one example; ``line`` is None for a report without examples."""

    report: type[Report]
    params: Mapping[str, Any]
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.report.get_name()}-{self._label}"

    @property
    def _label(self) -> str:
        if self.line:
            return f"example on line {self.line}"
        return f"example of {listed(self.params)}" if self.params else "no example"

    def check(self) -> None:
        """Run it as the report's ``example_user()``, read every row, and compare them with what is declared.

        Raises:
            AssertionError: A row has NULL where none may be, or the key of another one; ``count()`` is not the number
                of rows; the report has no example and cannot run without one.
            QueryError: PostgreSQL refused it, or the query lacks a column that is declared.
            ReportError: The template, or the example's parameters, are wrong.
        """
        __tracebackhide__ = True
        if obstacle := self.obstacle():
            raise AssertionError(f"{self}: {obstacle}")
        problems = list(_problems(self.rows()))
        if problems:
            raise AssertionError("\n".join([f"{self}:", *problems]))

    def rows(self, *, using: str | None = None) -> Rows:
        """Return the rows that the report's ``example_user()`` sees; raises what ``Report.run`` does."""
        return self.report(user=self.report.example_user(), using=using).run(self.params)

    def obstacle(self) -> str | None:
        """Return why the report cannot run: it has no example, and required parameters; None when it can."""
        if self.line is not None or self.params or not (required := _required(self.report)):
            return None
        advice = "Write a line: -- example: {…}"
        if issubclass(self.report, Prebuilt):
            advice = "Write in the class: examples = [{…}]"
        path = self.report.get_template().path
        return f"{path} has no example, and these parameters are required: {listed(required)}. {advice}"


def every_example() -> Iterator[ExampleCase]:
    """Yield a case for each example of each registered report; a report without one has a case without parameters."""
    for report in registered().values():
        try:
            examples = report.get_examples()
        except TemplateError:
            examples = ()  # checking the case raises it
        cases = [ExampleCase(report, example.params, example.line) for example in examples]
        yield from cases or [ExampleCase(report, {})]


def _required(report: type[Report]) -> list[str]:
    fields = report.get_form_class().base_fields
    return [name for name, field in fields.items() if field.required and field.initial is None]


def _problems(rows: Rows) -> Iterator[str]:
    """Yield what is wrong with the rows, without a value of theirs."""
    fields = {field.column: field for field in rows.model._meta.concrete_fields}
    keys = [field.column for field in rows.model._meta.pk_fields] if has_key(rows.model) else []
    seen: Counter[tuple[str, ...]] = Counter()
    nulls: Counter[str] = Counter()
    for row in rows.iterator():
        values = row if isinstance(row, dict) else {name: getattr(row, field.attname) for name, field in fields.items()}
        nulls.update(name for name, value in values.items() if value is None and not fields[name].null)
        seen[tuple(repr(values[name]) for name in keys)] += 1
    if nulls:
        yield f"NULL in columns that are not declared null: {listed(nulls)}."
    if keys and len(seen) < seen.total():
        yield f"{seen.total()} rows have {len(seen)} keys ({', '.join(keys)})."
    if (count := rows.count()) != seen.total():
        yield f"count() is {count}, but there are {seen.total()} rows."
