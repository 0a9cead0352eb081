"""A queryset as a report: a template, its class, and the proof that both give the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from django.core.management import CommandError
from django.db import connections

from reports.management.converting.converted_report import report_class, rows_of
from reports.management.converting.converted_template import Statement, template_text
from reports.management.converting.queryset_columns import Output, output_of
from reports.management.converting.queryset_targets import Target
from reports.management.inspection import Inspection
from reports.management.python_text import PythonText
from reports.rewrite.compiled import Compiled, compile_queryset
from reports.rewrite.finding import find
from reports.rewrite.proof.verification import Verification
from reports.rewrite.proof.verifying import Order, verify
from reports.rewrite.rewriting import Strategy
from reports.rewrite.sending.choosing import cheapest, choose, ways_of
from reports.rewrite.sending.measuring import Questions
from reports.rewrite.sql.numbered import Unreadable, numbered, sendable
from reports.rewrite.sql.templating import with_names
from reports.rewrite.sql.text import Text

SECONDS = 300  # that choosing among the candidates may take


@dataclass(frozen=True, slots=True)
class Conversion:
    """What a queryset became. ``template`` and ``python`` are texts of files, ``notes`` sentences for its author."""

    template: str
    python: str
    verification: Verification
    notes: tuple[str, ...]

    def proof(self) -> str:
        """Return what comparing the rows showed, scans and times of both, and the notes."""
        return "\n".join([*self.verification.lines(with_costs=False), *(f"Note: {note}" for note in self.notes)])


def convert(target: Target, *, name: str, template: str, path: Path, strategy: Strategy | None = None) -> Conversion:
    """Return a queryset as a report. Its rows are read, and nothing is written.

    Args:
        target: The queryset.
        name: The report's, after which its class is called.
        template: The template's name, ``helpdesk/overview.sql``.
        path: Where the template will be, for messages.
        strategy: How the statement is to be written; None: as it is fastest on this data, but rewritten if it can be.

    Raises:
        CommandError: It can have no rows, its statement cannot be read, or it cannot be written that way.
        ReportError: PostgreSQL refuses the statement, or a column can be none of a report's.
        django.db.Error: The database failed.
    """
    queryset, left_out = _plain(target.queryset)
    before = _compiled(queryset, target)
    inner = _without_ordering(queryset)
    compiled = replace(_compiled(inner, target), order=before.order)
    output = output_of(queryset, inner, compiled)
    statement, told = _chosen(connections[queryset.db], _renamed(compiled, output), output, strategy)
    doc = " ".join(target.doc.split("\n\n")[0].split()) or f"The rows of {target.text}."
    text = template_text(doc, output, statement, connections[queryset.db])
    found = report_class(name, text, template=template, path=path)
    rows = compile_queryset(rows_of(found, queryset.db))
    assert rows is not None
    order = Order(output.is_ordered, before.order.keys if output.is_ordered else None, before.order.is_cut)
    verification = verify(
        connections[queryset.db],
        (before.sql, before.params),
        (rows.sql, rows.params),
        strategy=statement.strategy,
        order=order,
    )
    python = PythonText(Inspection(found, found.get_columns(), (), {})).text()
    return Conversion(text, python, verification, (*left_out, *_remarks(queryset, before, output), *told))


def _plain(queryset: Any) -> tuple[Any, list[str]]:
    """Return the queryset without what rows of a report have not, and what that is."""
    queryset, notes = queryset.all(), []
    if queryset.query.select_related:
        queryset.query.select_related = False
        notes.append("select_related() is left out: a row has the key alone.")
    if queryset._prefetch_related_lookups:
        notes.append("prefetch_related() is left out: with a model of its own, the report's rows have it.")
    if queryset.query.select_for_update:
        queryset.query.select_for_update = False
        notes.append("select_for_update() is left out: a report reads only.")
    return queryset, notes


def _without_ordering(queryset: Any) -> Any:
    """Return it without the ordering that the header will have; a slice or DISTINCT ON keeps its own."""
    inner = queryset.all()
    if not (inner.query.is_sliced or inner.query.distinct_fields):
        inner.query.clear_ordering(force=True)
    return inner


def _compiled(queryset: Any, target: Target) -> Compiled:
    compiled = compile_queryset(queryset)
    if compiled is None:
        raise CommandError(f"{target.text}: Django knows that there are no rows, and makes no statement.")
    try:
        Text.of(compiled.text)
    except Unreadable as error:
        raise CommandError(f"{target.text}: its statement cannot be read: {error}.") from error
    return compiled


def _renamed(compiled: Compiled, output: Output) -> Compiled:
    """Return the statement with the names that its columns will have."""
    if not output.renamed:
        return compiled
    names = {place: output.columns[place].name for place in output.renamed}
    return replace(compiled, sql=sendable(with_names(Text.of(compiled.text), names)).sql)


def _chosen(
    connection: Any, compiled: Compiled, output: Output, strategy: Strategy | None
) -> tuple[Statement, Sequence[str]]:
    """Return the statement that becomes the template, and what its author should know."""
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.create_cursor() as cursor:
        questions = Questions(connection, cursor, compiled.params, SECONDS)
        ways = ways_of(compiled.sql, compiled.params, questions)
        if strategy is not None and strategy not in ways.statements:
            why = f": {ways.reason}" if ways.reason else ""
            raise CommandError(f"it cannot be written as {strategy} (it can as: {', '.join(ways.statements)}){why}.")
        way = strategy or choose(ways, questions, None).strategy
        notes: list[str] = []
        if len(ways.statements) == 1:
            notes.append(f"Nothing is rewritten, this is the queryset's own statement: {ways.reason}.")
        elif way is Strategy.ORIGINAL and strategy is None:
            way = cheapest(ways, questions) or Strategy.ORIGINAL
            notes.append("On this data the queryset is as fast; --strategy original keeps its statement.")
    is_original = way is Strategy.ORIGINAL
    sent = sendable(compiled.text) if is_original else ways.statements[way]
    text = numbered(sent.sql, len(sent.order))
    types = tuple(output.param_types[place] for place in sent.order)
    return Statement(way, text, sent.params(compiled.params), types), notes


def _remarks(queryset: Any, before: Compiled, output: Output) -> Iterator[str]:
    for finding in find(queryset):
        if finding.is_wrong:
            advice = f" Instead:\n{finding.advice}" if finding.advice else ""
            yield (
                f"The joins of {', '.join(finding.tables)} multiply one another: the queryset's values are wrong, and"
                f" the report's are the same.{advice}"
            )
    if before.order.is_cut:
        yield "The slice stands in the template. If it was a page, delete it there: the caller slices rows."
    if before.order.is_ordered and not output.is_ordered:
        yield "Its ordering cannot stand in a header, which names columns of the rows, and leaves NULL to PostgreSQL."
    if not any(column.pk for column in output.columns):
        yield "No column is known to be the key: write pk behind one that is."
