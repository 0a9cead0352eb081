"""That no statement reads the same rows twice, or multiplies them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any, overload

from django.db import connections, models
from django.test.utils import CaptureQueriesContext

Subject = models.QuerySet[Any, Any] | CaptureQueriesContext


@overload
def assert_no_repeated_subqueries() -> AbstractContextManager[None]: ...
@overload
def assert_no_repeated_subqueries(subject: Subject) -> None: ...
def assert_no_repeated_subqueries(subject: Subject | None = None) -> AbstractContextManager[None] | None:
    """Assert that subqueries over one table share a scan, and that joins do not multiply what is aggregated.

    ``assert_no_repeated_subqueries(queryset)`` reads its statement and asks no database. Without an argument it is a
    block: ``with assert_no_repeated_subqueries():`` looks at what the thread sends in it. What reports read is their
    authors' SQL, and not looked at. Needs the extra ``rewrite``.

    Args:
        subject: A queryset, or what ``CaptureQueriesContext`` has captured.

    Raises:
        AssertionError: Each finding, with the ORM's own line where one would do.
        ImportError: The extra ``rewrite`` is not installed.
    """
    __tracebackhide__ = True
    _needs_rewrite()
    if subject is None:
        return _block()
    from reports.rewrite.finding import find

    statements: Sequence[Any] = [subject]
    if isinstance(subject, CaptureQueriesContext):
        statements = [query["sql"] for query in subject.captured_queries]
    _fail([finding for statement in statements for finding in find(statement)])
    return None


@contextmanager
def _block() -> Iterator[None]:
    __tracebackhide__ = True
    from reports.rewrite.advice.places import place
    from reports.rewrite.advice.warnings import findings_in

    found: dict[Any, None] = {}

    def watch(execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        result = execute(sql, params, many, context)
        if not many:
            found.update(dict.fromkeys(replace(each, line=place()) for each in findings_in(sql, params)))
        return result

    with ExitStack() as stack:
        for connection in connections.all():
            if connection.vendor == "postgresql":
                connection.execute_wrappers.insert(0, watch)
                stack.callback(connection.execute_wrappers.remove, watch)
        yield
    _fail(list(found))


def _fail(found: Sequence[Any]) -> None:
    __tracebackhide__ = True
    if found:
        head = "one finding" if len(found) == 1 else f"{len(found)} findings"
        raise AssertionError("\n\n".join([f"{head}:", *map(str, found)]))


def _needs_rewrite() -> None:
    try:
        import reports.rewrite.finding  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "sqlglot":
            raise
        raise ImportError(
            "assert_no_repeated_subqueries() reads SQL with sqlglot: pip install 'django-sql-reports[rewrite]'."
        ) from error
