"""Trials of several indexes, and which of them are worth having."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.indexes.candidates import Candidate
from reports.indexes.django_lines import index_line, model_of
from reports.indexes.tables import Table
from reports.indexes.trials import NotTried, Statement, Trial, changes, try_index

# A gain below this may be chance, and every index costs writes.
LEAST_GAIN = 1.2
# A smaller index is preferred when it saves so much of what another one saves.
NEARLY = 0.95


@dataclass(frozen=True, slots=True)
class Advised:
    """An index that helps. Times in milliseconds, ``cost`` in the planner's units, its size in megabytes.

    ``model`` and ``line`` are a model's label and its line of ``Meta.indexes``, None for a table without a model.
    ``gone`` and ``come`` are the plan's nodes that it replaced, and those that took their place.
    """

    table: str
    sql: str
    model: str | None
    line: str | None
    before: float
    after: float
    cost_before: float
    cost_after: float
    megabytes: float
    gone: tuple[str, ...]
    come: tuple[str, ...]

    @property
    def gain(self) -> float:
        """How many times faster the statement is."""
        return self.before / max(self.after, 0.001)


class Series:
    """Trials one after another, and the statement without an index before, between and after them."""

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        self._before = statement.measured()
        self._trials: list[tuple[Table, Candidate, Trial]] = []
        self._tried: list[tuple[str, str]] = []
        self.milliseconds = self._before.milliseconds or 0.0

    def run(self, table: Table, candidate: Candidate) -> None:
        """Try one index."""
        sql = statement_of(table, candidate)
        try:
            trial = try_index(self._statement, table.definition(candidate))
        except NotTried as error:
            self._tried.append((sql, str(error)))
            return
        if trial.after is None:
            self._tried.append((sql, "the planner does not use it"))
            return
        self._trials.append((table, candidate, trial))
        # What the machine does meanwhile slows both alike.
        self.milliseconds = min(self.milliseconds, self._statement.measured().milliseconds or 0.0)

    def results(self) -> tuple[tuple[Advised, ...], tuple[tuple[str, str], ...]]:
        """Return the indexes that help, the best first, and the others with the reason."""
        found = [self._advised(table, candidate, trial) for table, candidate, trial in self._trials]
        helpful = sorted((one for one in found if one.gain >= LEAST_GAIN), key=lambda one: -one.gain)
        tried = [(one.sql, _times(one)) for one in found if one.gain < LEAST_GAIN]
        kept: list[Advised] = []
        for one in helpful:
            smaller = _as_good(one, helpful)
            if smaller is None:
                kept.append(one)
            else:
                tried.append((one.sql, f"{_times(one)}, hardly more than by a smaller index of the table"))
        return tuple(kept), (*self._tried, *tried)

    def _advised(self, table: Table, candidate: Candidate, trial: Trial) -> Advised:
        assert trial.after is not None
        assert trial.milliseconds is not None
        model = model_of(candidate)
        gone, come = changes(self._before, trial.after)
        return Advised(
            table=table.label,
            sql=statement_of(table, candidate),
            model=model._meta.label if model else None,
            line=index_line(candidate, model) if model else None,
            before=self.milliseconds,
            after=trial.milliseconds,
            cost_before=self._before.cost,
            cost_after=trial.after.cost,
            megabytes=trial.megabytes,
            gone=tuple(gone),
            come=tuple(come),
        )


def statement_of(table: Table, candidate: Candidate) -> str:
    """Return the statement that makes an index without making writers wait."""
    return f"CREATE INDEX CONCURRENTLY ON {table.definition(candidate)}"


def _times(one: Advised) -> str:
    return f"{one.before:,.1f} ms → {one.after:,.1f} ms"


def _as_good(one: Advised, others: Sequence[Advised]) -> Advised | None:
    """Return a smaller index of the same table that saves hardly less."""
    for other in others:
        is_smaller = other.table == one.table and other.megabytes < one.megabytes
        if is_smaller and other.before - other.after >= (one.before - one.after) * NEARLY:
            return other
    return None
