"""One PostgreSQL data folder: made, started and stopped with PostgreSQL's own programs."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

SETTINGS = {
    # Who may connect is in with_postgres.py: no TCP.
    "listen_addresses": "",
    "shared_buffers": "256MB",
    "work_mem": "64MB",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "synchronous_commit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "default_text_search_config": "pg_catalog.english",
}
# What is deleted at the end need not survive a power failure.
DISPOSABLE_SETTINGS = {"fsync": "off", "full_page_writes": "off"}


class PostgresError(Exception):
    """A server or a program of PostgreSQL's did not do what it should."""


@dataclass(frozen=True)
class Place:
    """Where the server's files lie and who runs it: ``account`` is None for the caller."""

    folder: Path
    account: pwd.struct_passwd | None

    def owned_folder(self, path: Path) -> Path:
        """Make a folder that only the server's account may open."""
        path.mkdir(mode=0o700)
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)
        return path

    def run(self, program: Path, *arguments: str, cwd: Path) -> None:
        """Run one of PostgreSQL's own programs as the server's account.

        It has a session of its own: Ctrl-C on the terminal must not stop it half-way.
        """
        done = subprocess.run(
            [program, *arguments],
            cwd=cwd,
            env={"LC_ALL": "C", "PATH": os.defpath},
            user=self.account.pw_uid if self.account else None,
            group=self.account.pw_gid if self.account else None,
            extra_groups=[] if self.account else None,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            raise PostgresError(f"{program.name} exited with {done.returncode}:\n{done.stdout.strip()}")


@dataclass(frozen=True)
class Cluster:
    """One data folder with its configuration and socket; claimed by a lock while in use."""

    place: Place
    folder: Path
    programs: Path
    disposable: bool

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    def url(self) -> str:
        """Return the address in the form that libpq and dj-database-url both read."""
        return f"postgresql://postgres@{quote(str(self.socket), safe='')}/postgres"

    def start(self, initdb_arguments: tuple[str, ...]) -> None:
        """Start the server, with its data made if there are none."""
        self.stop_leftover()
        if not self.socket.exists():
            self.place.owned_folder(self.socket)
        if not self.data.exists():
            self.make_data(initdb_arguments)
        options = shlex.join(["-c", f"config_file={self.write_configuration()}"])
        log = self.data / "server.log"
        try:
            self.pg_ctl("start", "-w", "-t", "60", "-l", str(log), "-o", options)
        except PostgresError as error:
            last_lines = log.read_text(errors="replace").splitlines()[-10:] if log.exists() else []
            raise PostgresError("\n".join([str(error), *last_lines])) from error

    def make_data(self, initdb_arguments: tuple[str, ...]) -> None:
        """Run initdb under another name until it is complete: one that was killed leaves nothing that looks usable."""
        unfinished = self.folder / "unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        self.place.owned_folder(unfinished)
        options = ("-D", str(unfinished), "-U", "postgres", "-E", "UTF8", "--auth=peer", *initdb_arguments)
        sync = ("--no-sync",) if self.disposable else ()
        self.place.run(self.programs / "initdb", *options, *sync, cwd=unfinished)
        unfinished.rename(self.data)

    def write_configuration(self) -> Path:
        """Write postgresql.conf and its companions beside the data, where the server's account may only read."""
        caller = pwd.getpwuid(os.geteuid()).pw_name
        hba, ident, config = (self.folder / name for name in ("pg_hba.conf", "pg_ident.conf", "postgresql.conf"))
        hba.write_text("local all all peer map=caller\n")
        ident.write_text(f'caller "{caller}" all\n')
        values = {
            **SETTINGS,
            **(DISPOSABLE_SETTINGS if self.disposable else {}),
            "hba_file": str(hba),
            "ident_file": str(ident),
            "unix_socket_directories": str(self.socket),
            "dynamic_shared_memory_type": shared_memory_type(),
        }
        quoted = {name: value.replace("'", "''") for name, value in values.items()}
        config.write_text("".join(f"{name} = '{value}'\n" for name, value in quoted.items()))
        for path in (hba, ident, config):
            path.chmod(0o644)
        return config

    def stop(self, mode: str) -> None:
        self.pg_ctl("stop", "-w", "-m", mode)

    def stop_leftover(self) -> None:
        """End the server of a caller who was killed. We hold the lock, so no living caller has it."""
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return
        if self.is_our_server(pid):
            self.stop("immediate")
        # Its process number may by now be another program's; PostgreSQL would refuse to start then.
        pid_file.unlink(missing_ok=True)

    def is_our_server(self, pid: int) -> bool:
        """Tell whether that process is a server on these data; where there is no /proc, whether it is alive."""
        if Path("/proc/self").exists():
            try:
                return os.fsencode(self.data) in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            except OSError:
                return False
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return True

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def pg_ctl(self, *arguments: str) -> None:
        self.place.run(self.programs / "pg_ctl", *arguments, "-D", str(self.data), cwd=self.data)


def shared_memory_type() -> str:
    """Containers often have 64 MB of /dev/shm, which one parallel query can fill."""
    try:
        return "posix" if shutil.disk_usage("/dev/shm").free > 2**30 else "mmap"  # noqa: S108 - only measured
    except OSError:
        return "posix"
