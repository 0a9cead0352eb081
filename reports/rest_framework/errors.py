"""What went wrong with a report, as Django REST Framework's exceptions.

A response holds no SQL, no name of a table, no value of a parameter and nothing of the database's address: what the
errors of the driver say stays in the server.
"""

from __future__ import annotations

from typing import Any

import psycopg
from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import DataError, InterfaceError, OperationalError
from django.utils.translation import gettext_lazy as _
from rest_framework import exceptions, status

from reports.errors import ExportError, ParamsError, QueryError, QueryTimeout, TooManyRows

# Seconds after which a client may try again.
RETRY_AFTER = 30
# By SQLSTATE: the connection, resources, shutdown and cancel, and what another transaction was in the way of.
_PASSING = ("08", "40", "53", "55P03", "57")
# Values that PostgreSQL cannot compute with: out of range, division by zero, a negative LIMIT.
_DATA = "22"


class Unavailable(exceptions.APIException):
    """The report cannot be read at the moment: 503 with ``Retry-After``."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = _("The report cannot be read at the moment.")
    default_code = "unavailable"
    wait = RETRY_AFTER


class TimedOut(Unavailable):
    """The report ran into its timeout: 503 with ``Retry-After``."""

    default_detail = _("The report took too long. Ask for less, or try again later.")
    default_code = "timeout"


class TooLarge(exceptions.APIException):
    """The result does not fit the format that was asked for: 413."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too_large"


class Unfit(exceptions.APIException):
    """The rows have a value that the format cannot hold: 422."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_code = "unfit"


def api_exception(error: Exception, *, asked: bool) -> exceptions.APIException | None:
    """Return the exception that the API answers with; None for an error that is the server's own.

    ``asked`` says whether the request gave values, so that PostgreSQL may have failed because of them.
    """
    if isinstance(error, ParamsError):
        return exceptions.ValidationError(params_detail(error))
    if isinstance(error, ExportError):  # says the report, the column and what to do, and no value
        return TooLarge(str(error)) if isinstance(error, TooManyRows) else Unfit(str(error))
    if isinstance(error, QueryTimeout):
        return TimedOut()
    if isinstance(error, QueryError):
        return _of_query(error, asked)
    if isinstance(error, (OperationalError, InterfaceError)):  # no connection could be opened
        return Unavailable()
    return None


def _of_query(error: QueryError, asked: bool) -> exceptions.APIException | None:
    if is_of_a_value(error):
        detail = {"detail": [_("The report cannot be computed with these values.")]}
        return exceptions.ValidationError(detail) if asked else None
    is_passing = error.sqlstate is None or error.sqlstate.startswith(_PASSING)
    return Unavailable() if is_passing else None


def is_of_a_value(error: QueryError) -> bool:
    """Return whether PostgreSQL or the driver refused a value. Without an SQLSTATE the connection may be lost, too."""
    return (error.sqlstate or "").startswith(_DATA) or isinstance(error.__cause__, DataError | psycopg.DataError)


def params_detail(error: ParamsError) -> dict[str, list[str]]:
    """Return the messages by parameter, with what is allowed and without the values that were refused."""
    if not hasattr(error, "error_dict"):
        return {"detail": [_masked(one) for one in error.error_list]}
    return {
        name: [" ".join(filter(None, (_masked(one), _allowed(error, name)))) for one in errors]
        for name, errors in error.error_dict.items()
    }


def _allowed(error: ParamsError, name: str) -> str:
    return f"Allowed: {error.allowed[name]}." if name in error.allowed else ""


def _masked(error: DjangoValidationError) -> str:
    """Return the message without the value that was refused. A plural form is known only with its number."""
    params: Any = error.params
    if not params:
        return str(error.message)
    return str(error.message % {**params, **{key: _("This") for key in ("value", "pk") if key in params}})
