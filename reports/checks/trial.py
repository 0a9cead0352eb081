"""One report tried with each of its cases: rendered, prepared by PostgreSQL, compared with what it declares."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace

from django import forms
from django.core import checks
from django.core.exceptions import NON_FIELD_ERRORS, ObjectDoesNotExist
from django.db import transaction

from reports.checks.counting import check_count, check_count_columns
from reports.checks.declared import compared
from reports.checks.examples import is_plain
from reports.checks.faults import Fault, merged
from reports.checks.places import placed, raised
from reports.checks.refusals import refusal
from reports.checks.unrendered import RenderedLines
from reports.describe import describe_columns
from reports.errors import ParamsError, QueryError, TemplateError
from reports.header import Column
from reports.loader import find_template
from reports.report import Report
from reports.samples import ALL, Case, cases_of
from reports.source import TemplateSource

_LACKS = "The database {alias!r} may not hold the objects that it names."
_GIVE = "Give values that fit one another in an example of the header: -- example: {…}"


def try_report(report_class: type[Report], alias: str, lines: RenderedLines) -> list[checks.CheckMessage]:
    """Return what is wrong with a report on a database. Whatever its code writes there is rolled back.

    Args:
        report_class: Its template, header and form are known to be valid.
        alias: The database, a PostgreSQL with all migrations applied.
        lines: Learns which template lines the cases render.
    """
    name, file = report_class.get_name(), report_class.get_template().path
    try:
        with _undone(alias):
            cases = cases_of(report_class, using=alias)
    except Exception as error:  # noqa: BLE001 - a project's form and example_user() may raise anything
        text = raised(error, f"report {name!r}: its form or example_user()")
        hint = "The form is made as for a request of example_user()."
        return [_failed(error, text, hint, alias).message(report_class)]
    trials = [_Trial(report_class, alias, lines, case) for case in cases if case.can_run]
    found = [(fault, trial.case.label) for trial in trials for fault in trial.faults()]
    messages = merged(found, [trial.case.label for trial in trials], report_class)
    missing = sorted({parameter for case in cases for parameter in case.missing})
    if missing:
        text = f"{file}: no value was found to try the parameters {', '.join(missing)}."
        messages.append(Fault("W022", text, _GIVE).message(report_class))
    elif all(trial.is_refused for trial in trials):
        text = f"{file}: report {name!r} was not tried: its form refuses the values that were made up."
        messages.append(Fault("W022", text, _GIVE).message(report_class))
    return messages


class _Trial:
    """A report with the parameters of one case. ``is_refused`` tells, afterwards, that its form did not take them."""

    def __init__(self, report_class: type[Report], alias: str, lines: RenderedLines, case: Case) -> None:
        self.report_class, self.alias, self.lines, self.case = report_class, alias, lines, case
        self.template = report_class.get_template()
        self.name = report_class.get_name()
        self.is_refused = False

    def faults(self) -> Iterator[Fault]:
        """Yield what is wrong, up to the first step that fails."""
        try:
            with _undone(self.alias):
                sources = self._sources()
        except ParamsError as error:
            self.is_refused = True
            yield from self._refused(error)
        except TemplateError as error:
            yield Fault("E022", str(error), "A run with these parameters fails alike.")
        except Exception as error:  # noqa: BLE001 - get_context() and the form are a project's code
            text = raised(error, f"report {self.name!r}: its get_context() or form")
            hint = "A run with these parameters, for example_user(), fails alike."
            yield _failed(error, text, hint, self.alias)
        else:
            yield from self._prepared(*sources)

    def _sources(self) -> tuple[TemplateSource, TemplateSource | None]:
        """Return the report's query and that of its counting template."""
        report = self.report_class(user=self.report_class.example_user(), using=self.alias)
        context = report._context(self.template, self.case.params)
        query = self.lines.render(self.template.name, context, using=self.alias)
        source = TemplateSource(self.name, query, report.get_timeout())
        if self.template.count is None:
            return source, None
        return source, replace(source, query=self.lines.render(self.template.count, context, using=self.alias))

    def _refused(self, error: ParamsError) -> Iterator[Fault]:
        """Yield a fault for an example, where no other check has told it without a database."""
        if not self.case.is_example:
            return
        with _undone(self.alias):
            form = self.report_class(user=self.report_class.example_user(), using=self.alias).form(self.case.params)
            by_form = set(form.errors)
        refused = {name: form.fields.get(name) for name in getattr(error, "error_dict", {NON_FIELD_ERRORS: None})}
        # A prebuilt report refuses values that its form takes.
        is_told = all(
            is_plain(field) and name in by_form if field else name != NON_FIELD_ERRORS
            for name, field in refused.items()
        )
        if is_told and type(form).__init__ is forms.Form.__init__:
            return
        text = placed(self.template.path, self.case.line, f"the example is refused: {error}")
        if all(isinstance(field, forms.ModelChoiceField) for field in refused.values()):
            yield Fault("W022", text, _LACKS.format(alias=self.alias))
        else:
            yield Fault("E022", text, "An example is a JSON object of parameters with which the report can be run.")

    def _prepared(self, source: TemplateSource, count: TemplateSource | None) -> Iterator[Fault]:
        columns = yield from self._described(source)
        if columns is not None:
            yield from compared(self.report_class, self.template, columns, using=self.alias)
        counted = (yield from self._described(count)) if count else None
        if columns is None or count is None or counted is None:
            return
        file = str(find_template(str(self.template.count)).path)
        faults = list(check_count_columns(file, counted))
        if not faults and self.case.label != ALL:  # made-up values may take long and say no more
            with _undone(self.alias):
                faults = list(check_count(file, source, count, using=self.alias))
        yield from faults

    def _described(self, source: TemplateSource) -> Generator[Fault, None, tuple[Column, ...] | None]:
        """Yield why PostgreSQL refuses a query; return its columns, None when it does."""
        try:
            with _undone(self.alias):
                return describe_columns(source, using=self.alias)
        except QueryError as error:
            yield refusal(error, self.name, source.query, using=self.alias)
        except TemplateError as error:
            yield Fault("E024", str(error), "No field reads such a column.")
        return None


def _failed(error: Exception, text: str, hint: str, alias: str) -> Fault:
    """Return the fault for an error of a project's code; ``manage.py test`` checks a database without any object."""
    if isinstance(error, ObjectDoesNotExist):
        return Fault("W022", text, _LACKS.format(alias=alias))
    return Fault("E022", text, hint)


@contextmanager
def _undone(alias: str) -> Iterator[None]:
    """Roll back what the block does; the caller's transaction goes on, also after an error."""
    with transaction.atomic(using=alias):
        try:
            yield
        finally:
            transaction.set_rollback(True, using=alias)
