"""``manage.py report`` in a shell: exit codes, files, pipes, a terminal, Ctrl-C."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import pty
import re
import resource
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import OutputWrapper

from reports.management import progress
from reports.management.commands import report
from reports.management.destination import TextSink, check_output
from reports.management.exit_codes import Terminated, terminable

CHECKOUT = Path(__file__).resolve().parent.parent
TEMPLATES = {
    "odd": r"""
-- name: odd
-- column: id integer pk
-- column: text text null
SELECT * FROM (VALUES (1, E'\x1b[31mred\u202e'), (2, NULL), (3, repeat('long ', 40))) AS v (id, text)
""",
    "many": """
-- name: many
-- param: rows integer default=200000
-- column: id integer pk
-- column: text text
SELECT id, 'row ' || id AS text FROM generate_series(1, {{ rows }}) AS id
""",
    "midway": """
-- name: midway
-- column: id integer pk
-- column: quotient integer
SELECT id, 1 / (90000 - id) AS quotient FROM generate_series(1, 100000) AS id
""",
    "asleep": """
-- name: asleep
-- column: id integer pk
-- timeout: 1min
SELECT 1 AS id FROM pg_sleep(50)
""",
    "late": """
-- name: late
-- column: id integer pk
-- timeout: 100ms
SELECT 1 AS id FROM pg_sleep(50)
""",
}
Command = Callable[..., list[str]]

# A terminal, signals and processes of their own.
pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with one app of templates."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "shell_app" / "sql" / "shell_app").mkdir(parents=True)
    (folder / "shell_app" / "__init__.py").touch()
    for name, text in TEMPLATES.items():
        (folder / "shell_app" / "sql" / "shell_app" / f"{name}.sql").write_text(text.lstrip())
    (folder / "shell_settings.py").write_text(
        "from tests.settings import *\n"
        "INSTALLED_APPS = ['django.contrib.contenttypes', 'django.contrib.auth', 'reports', 'shell_app']\n"
        "REPORTS = {'SLOW': 1000}\n"
    )
    return folder


@pytest.fixture
def command(project: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return the words of a command line."""
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "shell_settings")
    monkeypatch.setenv("PYTHONPATH", f"{project}:{CHECKOUT}")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    monkeypatch.delenv("COLUMNS", raising=False)
    return lambda *words: [sys.executable, "-m", "django", "report", *words]


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=100)


def in_terminal(words: list[str], *, columns: int, interrupt_at: str = "") -> tuple[int, str]:
    """Run in a terminal; return the exit code and all that was shown. It is interrupted when a text is seen."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    # Not the process's own environment: readline has written a width of its own there, past Python.
    with subprocess.Popen(words, stdin=its, stdout=its, stderr=its, env=dict(os.environ)) as process:
        os.close(its)
        shown = b""
        while part := _read(ours):
            shown += part
            if interrupt_at and interrupt_at.encode() in shown:
                process.send_signal(signal.SIGINT)
                interrupt_at = ""
    os.close(ours)
    return process.returncode, shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other side has closed
        return b""


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["shell_app.odd"], 0, ""),
        (["shell_app.ood"], 1, "CommandError: no report is called 'shell_app.ood'"),
        (
            ["shell_app.odd", "n=1"],
            1,
            "CommandError: report 'shell_app.odd':\n  n: No such parameter (there are: none).",
        ),
        (["shell_app.odd", "--nix"], 2, "error: unrecognized arguments: --nix"),
        (["shell_app.midway", "--format=csv"], 3, "CommandError: report 'shell_app.midway': PostgreSQL's error 22012"),
        (["shell_app.late"], 4, "CommandError: report 'shell_app.late': stopped after its timeout of 0.1 s.\n"),
    ],
)
def test_exit_code(command: Command, words: list[str], code: int, said: str):
    done = run(command(*words))

    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_no_server(command: Command, monkeypatch: pytest.MonkeyPatch):
    """The list, a page and the SQL need none."""
    monkeypatch.setenv("DATABASE_URL", "postgres://nobody@127.0.0.1:1/none")

    refused, as_user = run(command("shell_app.odd")), run(command("shell_app.odd", "--user", "x"))

    assert (refused.returncode, as_user.returncode) == (3, 3)
    assert refused.stderr.startswith("CommandError: ")
    assert as_user.stderr.startswith("CommandError: the database: ")
    assert "Traceback" not in refused.stderr + as_user.stderr
    for words in ([], ["--format=json"], ["shell_app.many", "--help"], ["shell_app.many", "--format=sql"]):
        assert run(command(*words)).returncode == 0


def test_traceback(command: Command):
    assert "Traceback" in run(command("shell_app.ood", "--traceback")).stderr


# Files.


def test_output(command: Command, tmp_path: Path):
    path = tmp_path / "many.csv"

    done = run(command("shell_app.many", "--output", str(path)))

    assert re.fullmatch(rf"wrote 200,000 rows \(3\.4 MB\) to {re.escape(str(path))} in \d+\.\d s\n", done.stdout)
    assert done.stderr == ""
    assert path.read_text().splitlines()[:3] == ["id,text", "1,row 1", "2,row 2"]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("suffix", "said"),
    [(".json", "wrote 2 rows (59 bytes)"), (".txt", "wrote 2 rows (52 bytes)"), (".sql", "wrote 92 bytes")],
)
def test_output_format_by_suffix(command: Command, tmp_path: Path, suffix: str, said: str):
    path = tmp_path / f"many{suffix.upper()}"

    done = run(command("shell_app.many", "rows=2", "--output", str(path)))

    assert done.stdout.startswith(f"{said} to {path} in ")
    if suffix == ".json":
        assert json.loads(path.read_text()) == [{"id": 1, "text": "row 1"}, {"id": 2, "text": "row 2"}]


def test_output_in_silence(command: Command, tmp_path: Path):
    done = run(command("shell_app.odd", "--output", f"{tmp_path}/odd.csv", "-v", "0"))

    assert (done.stdout, done.stderr, (tmp_path / "odd.csv").exists()) == ("", "", True)


@pytest.mark.parametrize("chosen", ["csv", "json"])
@pytest.mark.parametrize("old", [None, "old\n"])
def test_output_of_a_report_that_fails_midway(command: Command, tmp_path: Path, chosen: str, old: str | None):
    """There is no file, or the old one."""
    path = tmp_path / f"midway.{chosen}"
    if old:
        path.write_text(old)

    done = run(command("shell_app.midway", "--output", str(path)))

    assert done.returncode == 3
    assert [each.read_text() for each in tmp_path.iterdir()] == ([old] if old else [])


def test_output_that_cannot_be(command: Command, tmp_path: Path):
    """Said before the database is asked."""
    done = run(command("shell_app.odd", "--format", "csv", "--output", str(tmp_path)))

    assert (done.returncode, done.stderr) == (1, f"CommandError: {str(tmp_path)!r} is a folder.\n")


def test_check_output(tmp_path: Path):
    (tmp_path / "file").touch()
    for output, said in {
        f"{tmp_path}": f"{str(tmp_path)!r} is a folder.",
        f"{tmp_path}/no/x": f"there is no folder '{tmp_path}/no' to write 'x' to.",
        f"{tmp_path}/file/x": f"there is no folder '{tmp_path}/file' to write 'x' to.",
        "/dev/null": "'/dev/null' is a device or a pipe; send standard output there, with > in the shell.",
        "a" * 256: f"'{'a' * 256}' cannot be written: File name too long.",
    }.items():
        assert check_output(Path(output)) == [said]
    assert check_output(tmp_path / "file") == check_output(tmp_path / "new") == []


@pytest.mark.parametrize("is_there", [False, True])
def test_output_without_permission(command: Command, tmp_path: Path, is_there: bool, monkeypatch: pytest.MonkeyPatch):
    """As root everything is permitted; os.access is told otherwise."""
    path = tmp_path / "x.csv"
    if is_there:
        path.touch()
    monkeypatch.setattr(os, "access", lambda asked, mode: asked != (path if is_there else tmp_path))

    want = f"'{path}' is write-protected." if is_there else f"no permission to write to the folder '{tmp_path}'."
    assert check_output(path) == [want]


def test_output_through_a_link(command: Command, tmp_path: Path):
    """The link stays, its target is replaced."""
    link, target = tmp_path / "link.csv", tmp_path / "target.csv"
    target.write_text("old\n")
    link.symlink_to(target)

    run(command("shell_app.many", "rows=1", "--output", str(link)))

    assert link.is_symlink()
    assert target.read_text() == "id,text\n1,row 1\n"


def test_output_to_a_circle_of_links(command: Command, tmp_path: Path):
    path = tmp_path / "a.csv"
    path.symlink_to(path)

    done = run(command("shell_app.odd", "--output", str(path)))

    assert (done.returncode, done.stderr) == (
        1, f"CommandError: cannot write {path}: Too many levels of symbolic links.\n"
    )  # fmt: skip
    assert path.is_symlink()


def test_output_whose_name_is_no_utf8(command: Command, tmp_path: Path):
    path = tmp_path / "\udcff.csv"

    done = run(command("shell_app.many", "rows=1", "--output", str(path)))

    assert (done.returncode, done.stderr) == (0, "")
    assert "\\udcff.csv in " in done.stdout
    assert path.read_text() == "id,text\n1,row 1\n"


@pytest.mark.parametrize("words", [[], ["shell_app.odd"], ["shell_app.odd", "--format=csv"]])
def test_standard_output_that_is_closed(command: Command, words: list[str]):
    done = run(["sh", "-c", 'exec "$@" >&-', "sh", *command(*words)])

    assert (done.returncode, done.stderr) == (1, "CommandError: cannot write standard output: Bad file descriptor.\n")


def test_unbuffered_standard_output_that_fills_up(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The system takes what there is room for and calls that success."""
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))

    with (tmp_path / "out").open("wb") as out:
        done = subprocess.run(
            command("shell_app.many", "rows=3", "--format=csv"),
            stdout=out, stderr=subprocess.PIPE, check=False, timeout=100, preexec_fn=limit,
        )  # fmt: skip

    assert (done.returncode, (tmp_path / "out").read_bytes()) == (1, b"id,text\n1,")
    assert done.stderr == b"CommandError: cannot write standard output: File too large.\n"


class FullDisk(StringIO):
    def flush(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("words", [["tests.quoted", "--format=csv"], ["tests.quoted"], [], ["--help"]])
def test_standard_output_that_is_full(db: None, words: list[str]):
    with pytest.raises(CommandError) as caught:
        call_command("report", *words, stdout=FullDisk())

    assert str(caught.value) == "cannot write standard output: No space left on device."
    assert caught.value.returncode == 1


def test_standard_output_that_is_full_beside_a_file(db: None, tmp_path: Path):
    """The file is written, and what cannot be said is no traceback."""
    with pytest.raises(CommandError, match="cannot write standard output"):
        call_command("report", "tests.quoted", output=f"{tmp_path}/quoted.csv", stdout=FullDisk())

    assert (tmp_path / "quoted.csv").read_text().startswith("id,text\n")


# Pipes.


@pytest.mark.parametrize("chosen", ["csv", "json", "table"])
def test_pipe_closed(command: Command, chosen: str):
    """As ``| head -1``: no word, and the exit code of SIGPIPE."""
    words = command("shell_app.many", "--limit=all", "--format", chosen)
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read().decode()

    assert (process.returncode, said) == (141, "")


def test_pipe_gets_the_bytes(command: Command):
    """Nothing is cut or escaped on the way to another program."""
    done = run(command("shell_app.odd", "--format=csv"))

    assert done.stdout == "id,text\n1,\x1b[31mred\u202e\n2,\n3," + "long " * 40 + "\n"


# A terminal.


def test_terminal_table_is_cut(command: Command):
    code, shown = in_terminal(command("shell_app.odd"), columns=60)

    assert code == 0
    assert shown.replace("\r\n", "\n") == (
        "id | text\n"
        "---+--------------------------------------------------------\n"
        " 1 | \\x1b[31mred\\u202e\n"
        " 2 | NULL\n"
        " 3 | long long long long long long long long long long long…\n"
        "(3 rows)\n"
    )


@pytest.mark.parametrize("chosen", ["csv", "json", "sql", "table"])
def test_terminal_is_not_steered(command: Command, chosen: str):
    _, shown = in_terminal(command("shell_app.odd", "--format", chosen), columns=80)

    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[31mred" in shown


def test_terminal_progress(command: Command, tmp_path: Path):
    """A line that is written over, and taken away at the end."""
    code, shown = in_terminal(command("shell_app.many", "rows=2000000", "--output", f"{tmp_path}/x.csv"), columns=80)

    lines = shown.split("\r")
    assert code == 0
    assert "waiting for the first row" in lines
    assert any(re.match(r"\d+\.\d MB, \d+\.\d MB/s, \d+ s", line) for line in lines)
    assert re.search(r"\r +\rwrote 2,000,000 rows \(37\.8 MB\) to ", shown)


def test_terminal_progress_in_silence(command: Command, tmp_path: Path):
    words = command("shell_app.many", "--output", f"{tmp_path}/x.csv", "-v", "0")

    assert in_terminal(words, columns=80) == (0, "")


# Ctrl-C.


def test_interrupted(command: Command, tmp_path: Path):
    path = tmp_path / "asleep.csv"
    path.write_text("old\n")

    code, shown = in_terminal(
        command("shell_app.asleep", "--output", str(path)), columns=80, interrupt_at="waiting for the first row"
    )

    assert code == 130
    assert re.search(r"\r +\r(\x1b\[31;1m)?interrupted\r\n", shown)
    assert "Traceback" not in shown
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old\n"]


def test_interrupted_while_waiting_for_rows(command: Command):
    with subprocess.Popen(
        command("shell_app.many", "rows=2000000", "--format=json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        said = process.stderr.read().decode()

    assert (process.returncode, said) == (130, "interrupted\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_terminated(command: Command, tmp_path: Path, number: signal.Signals):
    """No half file is left behind."""
    path = tmp_path / "many.csv"
    path.write_text("old\n")
    words = command("shell_app.many", "rows=5000000", "--output", str(path))
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        while max(each.stat().st_size for each in tmp_path.iterdir()) < 10 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(number)
        said = process.stderr.read().decode()

    assert (process.returncode, said) == (128 + number, "terminated\n")
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old\n"]


def test_signal_that_is_ignored_stays_so():
    """As of nohup."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with terminable():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            with pytest.raises(Terminated):
                signal.raise_signal(signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGTERM, Terminated), (signal.SIGHUP, Terminated), (signal.SIGINT, KeyboardInterrupt)]
)
def test_signal_that_a_destructor_swallows_is_raised_again(number: signal.Signals, error: type[BaseException]):
    class Held:
        def __del__(self) -> None:
            signal.raise_signal(number)

    def end() -> None:
        Held()
        time.sleep(10)

    before = signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    try:
        with pytest.raises(error), terminable():
            end()
    finally:
        signal.signal(number, before)


def test_other_error_of_a_destructor_is_told(capsys: pytest.CaptureFixture[str]):
    class Held:
        def __del__(self) -> None:
            raise ValueError("lost")

    with terminable():
        Held()

    assert "ValueError: lost" in capsys.readouterr().err


# The same ends, seen from inside.


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, 130), (BrokenPipeError, 141)])
def test_end_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: type[BaseException], code: int
):
    def stop(*args: object, **options: object) -> None:
        raise error

    def redirect(source: int, target: int) -> None:
        os.close(source)
        redirected.append(target)

    redirected: list[int] = []
    monkeypatch.setattr(report.Command, "handle", stop)
    with monkeypatch.context() as patched:  # pytest itself uses dup2
        patched.setattr(os, "dup2", redirect)
        patched.setattr(sys.stdout, "fileno", lambda: 1)
        with pytest.raises(SystemExit) as caught:
            report.Command().run_from_argv(["manage.py", "report"])

    assert caught.value.code == code
    assert capsys.readouterr().err == ("interrupted\n" if code == 130 else "")
    assert redirected == ([] if code == 130 else [1])


def test_text_sink():
    """A character may come in two parts; a terminal without it gets an escape."""
    shown = TextIOWrapper(BytesIO(), "ascii")
    sink = TextSink(OutputWrapper(shown), escaped=True)
    for part in (b"a\xc3", b"\xbc\x1b[m\r\nb\r"):
        sink.write(part)
    shown.seek(0)

    assert shown.buffer.read() == b"a\\xfc\\x1b[m\nb\\r"


def test_meter(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(progress, "_EVERY", 0)
    sink, shown = BytesIO(), StringIO()

    with progress.metered(sink, OutputWrapper(shown)) as meter:
        meter.write(b"abc")
        meter.write(b"d" * 2000)

    assert (sink.getvalue(), meter.bytes) == (b"abc" + b"d" * 2000, 2003)
    lines = shown.getvalue().split("\r")
    assert [len(blank) for blank in lines[1::2]] == [0, *map(len, lines[2:-1:2])]  # each takes the last one away
    assert [line.partition(", ")[0] for line in lines[2::2]] == ["waiting for the first row", "3 bytes", "2.0 kB", ""]


@pytest.mark.parametrize(
    ("count", "want"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (12_345_678, "12.3 MB"), (1_234e9, "1,234.0 GB")],
)
def test_size(count: float, want: str):
    assert progress.size(count) == want
