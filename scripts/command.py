"""A child process that gets the signals sent to this one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Command:
    """A child process that gets the signals sent to this one."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.received: list[int] = []
        # On a terminal Ctrl-C reaches every process of the foreground group, the command too, which must stay in it
        # to read the keyboard. Elsewhere the command has a group of its own, so that what it started gets the signal.
        self.own_group = not sys.stdin.isatty()
        for signum in SIGNALS:
            signal.signal(signum, self.pass_on)

    def run(self, arguments: list[str], environment: dict[str, str]) -> int:
        """Run it and return its exit code, 128 and the signal's number if a signal ended it."""
        if not self.received:
            self.process = subprocess.Popen(arguments, env=environment, process_group=0 if self.own_group else None)
            self.process.wait()
            code = self.process.returncode
            self.process = None
            return 128 - code if code < 0 else code
        return 128 + self.received[0]

    def pass_on(self, signum: int, frame: FrameType | None) -> None:
        """Remember a signal that comes while the server starts or stops; send any other to the command."""
        self.received.append(signum)
        if self.process is None:
            return
        with suppress(ProcessLookupError):
            if self.own_group:
                os.killpg(self.process.pid, signum)
            elif signum != signal.SIGINT:
                self.process.send_signal(signum)
