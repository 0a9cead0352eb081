"""What went wrong, as a CommandError with the exit code that a script can tell it by."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import psycopg
from django.core.exceptions import FieldError, ImproperlyConfigured
from django.core.management import CommandError
from django.db import Error

from reports.errors import QueryError, QueryTimeout, ReportError

USAGE = 1
DATABASE = 3
TIMEOUT = 4
INTERRUPTED = 130
# As a shell reports SIGPIPE.
PIPE_CLOSED = 141
# As a shell reports a signal.
_SIGNALLED = 128
_SIGNALS = ("SIGTERM", "SIGHUP")
_LATER = 0.05  # seconds


class Terminated(KeyboardInterrupt):
    """A signal ends the process; like an interruption it leaves no half file, and no statement running."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number
        self.exit_code = _SIGNALLED + number


@contextmanager
def terminable() -> Iterator[None]:
    """Raise Terminated where SIGTERM or SIGHUP would end the process at once; one that is ignored stays so.

    An exception that a signal raises within a destructor or a weak reference's callback goes no further. It is raised
    once more then, also that of Ctrl-C.
    """
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    taken = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _terminate)
    hook, sys.unraisablehook = sys.unraisablehook, _raise_again
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated(number)


def _raise_again(lost: sys.UnraisableHookArgs) -> None:
    error = lost.exc_value
    if not isinstance(error, KeyboardInterrupt):
        sys.__unraisablehook__(lost)
        return
    number = error.number if isinstance(error, Terminated) else signal.SIGINT
    main = threading.main_thread().ident
    assert main is not None
    # Later: at once it would be raised here, and go no further again.
    threading.Timer(_LATER, signal.pthread_kill, [main, number]).start()


@contextmanager
def exit_codes(*, verbose: bool = False) -> Iterator[None]:
    """Raise what a user, an author or the database did wrong as CommandError; other errors pass.

    The errors of a report hold no values. ``verbose`` adds PostgreSQL's own words, which may quote some.
    """
    try:
        yield
    except QueryTimeout as error:
        raise CommandError(str(error), returncode=TIMEOUT) from error
    except QueryError as error:
        more = f"\n{_driver_words(error)}".rstrip() if verbose else " -v 2 shows PostgreSQL's own words."
        raise CommandError(f"{error}{more}", returncode=DATABASE) from error
    except (ReportError, FieldError, ImproperlyConfigured) as error:
        raise CommandError(str(error), returncode=USAGE) from error
    except (Error, psycopg.Error) as error:
        raise CommandError(f"the database: {str(error).strip()}", returncode=DATABASE) from error


def _driver_words(error: QueryError) -> str:
    cause: BaseException | None = error.__cause__
    while cause is not None and not isinstance(cause, psycopg.Error):
        cause = cause.__cause__
    return str(cause or "").strip()
