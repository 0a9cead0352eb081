"""Random chains of annotations over random rows: what Django sends gives the same rows in each other way to write it.

``REWRITE_CASES`` is the number of chains; ``make chains`` runs a hundred thousand. A chain whose subqueries must share
a scan, by how it was built, and that is not rewritten is a failure.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import DatabaseError, DataError, ProgrammingError, connection, transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from reports.rewrite.rewriting import KeyPair, Rewriting, Strategy
from reports.rewrite.sql.numbered import numbered, sendable
from reports.rewrite.statements import rewrite
from tests.chains import Chain, Rows, chains, rows

CASES = int(os.environ.get("REWRITE_CASES") or 1000)
PARTS = 4
CHAINS_PER_ROWS = 20
LEAST_SHARE = 0.8

pytestmark = pytest.mark.django_db

Values = tuple[Any, ...]
Sent = tuple[str, Values]
# Bound by the server, two parameters of one value are two: PostgreSQL refuses what Django orders or groups by.
_IS_SERVER_BOUND = connection.settings_dict["OPTIONS"]["server_side_binding"]
FAILURES = (DataError, ProgrammingError) if _IS_SERVER_BOUND else (DataError,)


@dataclass
class Counts:
    """What became of the chains; scans are those of the folded ones, by EXPLAIN."""

    chains: int = 0
    accepted: int = 0
    folded: int = 0
    candidates: int = 0
    scans_before: int = 0
    scans_after: int = 0
    failed_alike: int = 0
    failed_alone: int = 0


def sent(chain: Chain) -> list[Sent]:
    """Run a chain and return the statements that Django sent for it; that the last one failed is no matter here."""
    statements: list[Sent] = []

    def record(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append((sql, tuple(params or ())))
        return execute(sql, params, many, context)

    with suppress(*FAILURES), transaction.atomic(), connection.execute_wrapper(record):
        chain.answer()
    return statements


def rows_of(sql: str, params: Values) -> list[Values] | DatabaseError:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql, params)
            return list(cursor.fetchall())
    except DatabaseError as error:
        return error


def is_same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, of one type, written alike; floats within 1e-12."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-12)
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(map(is_same, one, other))
    return repr(one) == repr(other)


def are_same(before: Sequence[Values], after: Sequence[Values], *, ordered: bool) -> bool:
    if len(before) != len(after):
        return False
    if ordered:
        return all(map(is_same, before, after))
    left = list(after)
    for row in before:
        place = next((place for place, other in enumerate(left) if is_same(row, other)), None)
        if place is None:
            return False
        del left[place]
    return True


def first_places(params: Values) -> list[int]:
    """Return for each parameter the place of the first one of the same value and type."""
    places: dict[tuple[type, str], int] = {}
    return [places.setdefault((type(value), repr(value)), place) for place, value in enumerate(params)]


def have_one_type(keys: Sequence[KeyPair], params: Values) -> bool:
    """Return whether the columns that a grouped candidate joins by have one type each."""

    def type_of(text: str) -> int:
        statement = sendable(f"{text} LIMIT 0")
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, statement.params(params))
            return int(cursor.description[0].type_code)

    return all(type_of(pair.inner) == type_of(pair.outer) for pair in keys)


def scans(sql: str, params: Values) -> Counter[str]:
    """Return how often a statement's plan reads each table."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        plan = cursor.fetchone()[0]
    found: Counter[str] = Counter()
    nodes = [json.loads(plan)[0]["Plan"] if isinstance(plan, str) else plan[0]["Plan"]]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if "Relation Name" in node:
            found[node["Relation Name"]] += 1
    return found


def compare(chain: Chain, counts: Counts) -> None:
    """Ask a chain as Django asks it, then in each other way.

    Raises:
        AssertionError: An answer differs, or a chain of an accepted shape is not folded.
    """
    counts.chains += 1
    counts.accepted += chain.is_accepted
    statements = sent(chain)
    assert len(statements) <= 1
    for sql, params in statements:
        rewriting = rewrite(numbered(sql, len(params)), same=first_places(params))
        told = f"{chain!r}\n\n{rewriting.original}\n{params}\n\n{[str(refusal) for refusal in rewriting.refusals]}"
        assert rewriting.candidates or not chain.is_accepted, f"not folded: {told}"
        compare_candidates(chain, (sql, params), rewriting, counts, told)


def compare_candidates(chain: Chain, original: Sent, rewriting: Rewriting, counts: Counts, told: str) -> None:
    before = rows_of(*original)
    params = original[1]
    is_one_type = have_one_type(rewriting.keys, params)
    folded: list[Sent] = []
    for strategy, text in rewriting.candidates.items():
        assert text.count("RANDOM()") == rewriting.original.count("RANDOM()")
        if strategy in (Strategy.GROUPED, Strategy.MATERIALIZED) and not is_one_type:
            continue
        statement = sendable(text)
        candidate = statement.sql, statement.params(params)
        after = rows_of(*candidate)
        counts.candidates += 1
        folded.append(candidate)
        if isinstance(before, FAILURES):
            counts.failed_alike += 1
            continue
        if isinstance(after, DataError) and rewriting.may_raise:
            counts.failed_alone += 1  # it is sent again as it was
            continue
        assert not isinstance(before, DatabaseError), before
        assert not isinstance(after, DatabaseError), f"{strategy} failed: {after}{told}\n\n{text}"
        is_equal = are_same(before, after, ordered=chain.is_ordered)
        assert is_equal, f"{strategy} differs: {told}\n\n{text}\n\n{before}\n{after}"
    if folded:
        counts.folded += 1
    if folded and not isinstance(before, ProgrammingError):
        compare_scans(chain, original, folded[0], counts, told)


def compare_scans(chain: Chain, original: Sent, candidate: Sent, counts: Counts, told: str) -> None:
    before, after = scans(*original), scans(*candidate)
    counts.scans_before += before.total()
    counts.scans_after += after.total()
    if chain.is_apart:
        needless = {table: after[table] - fewest for table, fewest in chain.fewest.items() if after[table] > fewest}
        assert not needless, f"needless scans {needless}: {told}\n\n{candidate[0]}"


# One part is asked with each version; the others with the client's binding alone, as the other oracles.
@pytest.mark.parametrize("part", [0, *(pytest.param(part, marks=pytest.mark.oracle) for part in range(1, PARTS))])
def test_chains_give_the_same_rows(part: int, record_property: Callable[[str, Any], None]) -> None:
    counts = Counts()

    @settings(
        max_examples=max(1, CASES // PARTS // CHAINS_PER_ROWS),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.nested_given],
        report_multiple_bugs=False,
    )
    @given(rows=rows, some=st.lists(chains, min_size=CHAINS_PER_ROWS, max_size=CHAINS_PER_ROWS))
    def compare_all(rows: Rows, some: list[Chain]) -> None:
        with rows.stored():
            for chain in some:
                compare(chain, counts)

    compare_all()

    record_property("chains", vars(counts))
    assert counts.folded >= LEAST_SHARE * counts.chains


@settings(max_examples=10, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(rows=rows, some=st.lists(chains, min_size=CHAINS_PER_ROWS, max_size=CHAINS_PER_ROWS))
def test_chains_have_one_answer(rows: Rows, some: list[Chain]) -> None:
    """What is compared does not depend on the order in which rows lie in a table: else equality would be luck."""
    answers: list[list[list[list[Values] | DatabaseError]]] = []
    for backwards in (False, True):
        with rows.stored(backwards=backwards):
            answers.append([[rows_of(*statement) for statement in sent(chain)] for chain in some])

    for chain, one, other in zip(some, *answers, strict=True):
        for before, after in zip(one, other, strict=True):
            failed = isinstance(before, DatabaseError) or isinstance(after, DatabaseError)
            assert failed or are_same(before, after, ordered=chain.is_ordered), chain
