"""A web server as a child process: gunicorn with either kind of worker, or uvicorn."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO

HOST = "127.0.0.1"
STOP = 10
_GUNICORN = ["gunicorn", "--bind", "fd://{fd}", "--no-control-socket", "--log-level", "warning", "--worker-class"]
# What each is started with; {fd} is the listening socket, {workers} and {threads} are numbers.
COMMANDS = {
    "sync": [*_GUNICORN, "sync", "--workers", "{workers}"],
    "gthread": [*_GUNICORN, "gthread", "--workers", "{workers}", "--threads", "{threads}"],
    "uvicorn": ["uvicorn", "--fd", "{fd}", "--no-access-log", "--log-level", "warning", "--workers", "{workers}"],
}


@dataclass(frozen=True, slots=True)
class WebServer:
    """A server that runs: its port on 127.0.0.1, and what it wrote."""

    port: int
    process: subprocess.Popen[bytes]
    output: IO[bytes]

    def log(self) -> str:
        """Return what the server has written to its output."""
        self.output.seek(0)
        return self.output.read().decode(errors="replace")


@contextmanager
def web_server(
    kind: str, application: str, environment: Mapping[str, str], *, workers: int = 1, threads: int = 1
) -> Iterator[WebServer]:
    """Serve an application, ``package.module:name``, on a free port; stop the server at the end.

    The socket listens before the server starts: requests wait until it is ready, and nobody else can take the port.
    """
    with TemporaryFile() as output, socket.create_server((HOST, 0)) as listening:
        fd, port = listening.fileno(), listening.getsockname()[1]
        command = [part.format(fd=fd, workers=workers, threads=threads) for part in COMMANDS[kind]]
        process = subprocess.Popen(
            [sys.executable, "-m", *command, application],
            env=environment,
            pass_fds=[fd],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        listening.close()  # requests to a server that has ended are refused
        try:
            yield WebServer(port, process, output)
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
