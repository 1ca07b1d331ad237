"""Whatever becomes of the process that does the work, the command ends with its verdict or says there is none."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

TOP = Path(__file__).parents[3]
RECORDED = TOP / "tests" / "recordings" / "chef-healthy"
SCAN = ["scan", f"{RECORDED}.inventory.toml", "--from", f"{RECORDED}.evidence.json", "-q"]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the command is watched on Linux alone")

PLUGIN = """
import atexit, ctypes, os, signal, sys, time
from checks.check import NodeCheck
from checks.outcome import Remediation, Severity, passed
from scanner.plugins import Plugin

def judge(view):
    {deed}
    return passed("fine")

CHECK = NodeCheck(
    id="odd-check", title="Odd", severity=Severity.LOW, doc="", remediation=Remediation("x"), products=(), judge=judge
)
OFFER = Plugin((CHECK,))
"""


def installed(folder: Path, deed: str, at_import: str = "") -> dict[str, str]:
    """An environment in which a package offers a plugin that does `deed`."""
    (folder / "odd_plugin.py").write_text(at_import + PLUGIN.format(deed=deed))
    info = folder / "odd_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: odd-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[preflight.checks]\nodd = odd_plugin:OFFER\n")
    return {**os.environ, "PYTHONPATH": f"{TOP}:{folder}"}


def run(*arguments: object, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "scanner", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=TOP,
        env=environment,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("deed", "how"),
    [
        ("os._exit(0)", "was ended from within (exit code 0)"),
        ("os._exit(1)", "was ended from within (exit code 1)"),
        ("ctypes.string_at(0)", "crashed (SIGSEGV)"),
        ("os.abort()", "crashed (SIGABRT)"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed (SIGKILL)"),
    ],
)
def test_a_plugin_that_ends_the_process_ends_it_as_unknown_and_is_named(deed: str, how: str, tmp_path: Path) -> None:
    ended = run(*SCAN, environment=installed(tmp_path, deed))
    assert ended.returncode == 3
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert f"preflight: this run {how} before it had come to a result: nothing can be told." in line
    assert "odd-package" in line or "SIGKILL" in how


def test_so_it_is_where_a_plugin_does_it_as_it_is_loaded(tmp_path: Path) -> None:
    ended = run(*SCAN, environment=installed(tmp_path, "pass", "import os\nos._exit(0)\n"))
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "odd-package" in ended.stderr


@pytest.mark.parametrize("deed", ["os._exit(0)", "os._exit(1)", "os.kill(os.getpid(), 11)"])
def test_what_happens_after_the_verdict_changes_nothing(deed: str, tmp_path: Path) -> None:
    """At the exit of the interpreter, when all is said and written."""
    ended = run(*SCAN, environment=installed(tmp_path, f"atexit.register(lambda: {deed})"))
    plain = run(*SCAN)
    assert ended.returncode == plain.returncode


def test_codes_and_streams_are_those_of_the_command(tmp_path: Path) -> None:
    bad = tmp_path / "bad.toml"
    bad.write_text("[clusters]\n")
    assert run("--version").stdout.startswith("preflight ")
    assert [run(*each).returncode for each in (["--version"], ["validate", bad], ["nonsense"], SCAN)] == [0, 2, 2, 0]


SLEEPER = """
import os, sys, time
sys.argv = ["preflight", "--version"]
import scanner.cli
def sleeping():
    from scanner.cli.process import farewell
    {before}
    print("up", os.getpid(), os.getppid(), flush=True)
    time.sleep(60)
scanner.cli.main = sleeping
from scanner.cli.process.supervisor import main
main()
"""


def sleeper(before: str = "pass", **options: object) -> tuple[subprocess.Popen[str], int]:
    parent = subprocess.Popen(
        [sys.executable, "-c", SLEEPER.format(before=before)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=TOP,
        **options,  # type: ignore[call-overload]
    )
    assert parent.stdout
    _, child, its_parent = parent.stdout.readline().split()
    assert int(its_parent) == parent.pid
    return parent, int(child)


def gone(pid: int) -> bool:
    """Whether the process ends within some time."""
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_reaches_the_work_and_shows_in_the_end(number: signal.Signals) -> None:
    parent, child = sleeper("import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)")
    parent.send_signal(number)
    assert gone(child)
    out, err = parent.communicate(timeout=20)
    assert (parent.returncode, out, err) == (-number, "", "")


def test_the_work_ends_with_the_process_that_watches_it() -> None:
    """`kill -9` of the process that the caller knows of: nothing goes on behind his back."""
    parent, child = sleeper()
    parent.kill()
    assert gone(child)
    parent.communicate(timeout=20)


def test_a_stop_and_a_continuation_are_no_end() -> None:
    parent, child = sleeper()
    os.kill(child, signal.SIGSTOP)
    os.kill(child, signal.SIGCONT)
    parent.terminate()
    assert gone(child)
    parent.communicate(timeout=20)


def in_a_terminal(code: str) -> tuple[subprocess.Popen[bytes], int]:
    """The program as the leader of a session, as `ssh -t` starts it, and the terminal's other end."""
    import pty

    master, slave = pty.openpty()
    take = "import fcntl, termios, os; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    parent = subprocess.Popen([sys.executable, "-c", take + code], stdin=slave, stdout=slave, stderr=slave, cwd=TOP)
    os.close(slave)
    return parent, master


def test_the_work_hears_of_a_terminal_that_is_gone(tmp_path: Path) -> None:
    """The system tells the leader of the session alone, and that may be the process that only watches."""
    heard = tmp_path / "heard"
    then = f"(pathlib.Path({str(heard)!r}).touch(), os._exit(1))"
    note = f"import pathlib, signal; signal.signal(signal.SIGHUP, lambda *_: {then})"
    parent, master = in_a_terminal(SLEEPER.format(before=note))
    said = b""
    while b"\n" not in said:
        said += os.read(master, 1024)
    os.close(master)
    parent.wait(20)
    assert heard.exists(), (parent.returncode, said)


def test_a_terminals_interrupt_comes_once() -> None:
    """It goes to both processes by itself: passed on, it would count as two, and five mean: at once."""
    count = "import signal; signal.signal(signal.SIGINT, lambda *_: print('one', flush=True))"
    parent, master = in_a_terminal(
        SLEEPER.format(before=count).replace("time.sleep(60)", "time.sleep(0.5); farewell.tell(7)")
    )
    said = b""
    sent = False
    while True:
        try:
            chunk = os.read(master, 1024)
        except OSError:
            break
        said += chunk
        if b"up" in said and not sent:
            sent = True
            os.write(master, b"\x03")
    os.close(master)
    assert parent.wait(20) == 7
    assert said.count(b"one") == 1, said


def test_closed_standard_streams_are_not_taken_for_the_pipe(tmp_path: Path) -> None:
    script = f'exec <&- >&- 2>&-; "{sys.executable}" -m scanner --version; echo $? > "{tmp_path}/code"'
    subprocess.run(["sh", "-c", script], cwd=TOP, check=False, timeout=60)
    assert (tmp_path / "code").read_text() == "0\n"


def test_no_core_is_left_of_a_run(tmp_path: Path) -> None:
    """Neither of the process nor of a child of it, whatever limit the caller has."""
    code = (
        "import os, subprocess, sys\nfrom scanner.cli import app\n"
        "sys.argv = ['preflight', '--version']\ntry:\n    app.main()\nexcept SystemExit:\n    pass\n"
        "print(*__import__('resource').getrlimit(__import__('resource').RLIMIT_CORE), flush=True)\n"
        "from scanner.secrets.hardening import keep_memory_private\nkeep_memory_private()\n"
        "print(*[line for line in open('/proc/self/status') if line.startswith('CoreDump')] or ['?'], flush=True)\n"
        "print(__import__('ctypes').CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)\n"
        "os.abort()\n"
    )

    def unlimited() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)

    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        preexec_fn=unlimited,  # noqa: PLW1509  no threads here
    ) as process:
        assert process.stdout
        said = process.stdout.read().decode().splitlines()
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -os.WTERMSIG(status)
    assert os.WTERMSIG(status) == signal.SIGABRT
    assert not os.WCOREDUMP(status)
    assert said[1] == "0 0"
    assert said[-1] == "0"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("files", range(5, 12))
def test_a_process_that_may_open_next_to_nothing_gives_no_verdict_by_it(files: int) -> None:
    """Before the command itself begins, the interpreter would end with 1, which says NO-GO. 4 start none."""
    ended = subprocess.run(
        [sys.executable, "-m", "preflight_scanner", *SCAN],
        capture_output=True,
        text=True,
        check=False,
        cwd=TOP,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (files, files)),
    )
    assert ended.returncode in (0, 70), ended
    assert "Traceback" not in ended.stderr
