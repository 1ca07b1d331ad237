"""No descriptors, threads or memory left here: told once, as this machine's trouble, and never as a verdict."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scanner.errors import AuthenticationError, OwnTroubleError, UnreachableError
from scanner.lab.lab import Lab
from scanner.run.engines.hands import make_room
from scanner.transports.own_trouble import is_own, own_trouble

TOP = Path(__file__).parents[2]
posix = pytest.mark.skipif(os.name == "nt", reason="there are no such limits on Windows")

# The limit is set once everything is imported, so that it is the asking that meets it.
_SCAN = """
import os, resource, sys, threading
import paramiko, scanner.transports.ssh.transport, scanner.transports.winrm.transport
import scanner.transports.winrm.authentication.login, scanner.transports.winrm.exchange.channel
import scanner.transports.winrm.errors
import scanner.cli.commands.scan, scanner.run.judge
import scanner.run.collect as run, scanner.run.engines.hands
import reports.render.console, reports.scan.html, reports.scan.json, reports.scan.view, scanner.files.evidence.file
kind, amount = sys.argv[1], int(sys.argv[2])
ask = run.ask
def limited(*arguments, **options):
    if kind == "files":
        highest = max(int(name) for name in os.listdir("/proc/self/fd"))
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + amount, before[1]))
        run.make_room = lambda hands: None
    elif kind == "memory":
        size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (size + amount * 2**20,) * 2)
    elif kind == "threads":
        start = threading.Thread.start
        def started(thread):
            if threading.active_count() > amount:
                raise RuntimeError("can't start new thread")
            start(thread)
        threading.Thread.start = started
    try:
        return ask(*arguments, **options)
    finally:
        if kind == "threads":
            threading.Thread.start = start
        if kind == "files":
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
run.ask = limited
sys.argv[:3] = ["preflight"]
from scanner.cli import main
main()
"""


def scanned(folder: Path, kind: str, amount: int, scenario: str = "chef-healthy") -> tuple[int, dict[str, Any], str]:
    with Lab(scenario) as lab:
        arguments = ["scan", lab.write(folder), "--json", folder / "r.json", "--timeout", "20", "-q"]
        ended = subprocess.run(
            [sys.executable, "-c", _SCAN, kind, str(amount), *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=TOP,
            timeout=120,
            check=False,
        )
    said = ended.stdout + ended.stderr
    assert "Traceback" not in said, said
    results = json.loads((folder / "r.json").read_text(encoding="utf-8")) if (folder / "r.json").exists() else {}
    return ended.returncode, results, said


@posix
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted as Linux shows them")
@pytest.mark.parametrize(("kind", "amount", "what"), [("files", 2, "file descriptors"), ("threads", 1, "threads")])
def test_what_there_was_no_room_for_is_asked_again_by_itself(tmp_path: Path, kind: str, amount: int, what: str) -> None:
    code, results, said = scanned(tmp_path, kind, amount)
    assert (code, results["verdict"]) == (0, "GO"), said
    notices = [notice for notice in results["notices"] if "ran out of" in notice]
    assert len(notices) == 1
    assert f"ran out of {what}" in notices[0]
    assert "asked again, one by one: all of them answered" in notices[0]
    assert "`--parallel`" in notices[0]


@posix
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted as Linux shows them")
@pytest.mark.parametrize(("kind", "amount", "what"), [("files", 1, "file descriptors"), ("threads", 0, "threads")])
def test_without_room_for_a_single_node_it_cannot_tell_and_says_why_once(
    tmp_path: Path, kind: str, amount: int, what: str
) -> None:
    code, results, said = scanned(tmp_path, kind, amount)
    assert (code, results["verdict"]) == (3, "UNKNOWN"), said
    causes = {row["message"] for row in results["results"] if row["check"] == "connectivity"}
    assert causes == {f"preflight itself ran out of {what}: the node was not asked"}
    remedies = {row["remediation"]["summary"] for row in results["results"] if row["check"] == "connectivity"}
    assert all("ulimit" in remedy for remedy in remedies)
    assert len([notice for notice in results["notices"] if "ran out of" in notice]) == 1
    assert "could not be asked even so" in str(results["notices"])
    assert "CREATE LOGIN" not in json.dumps(results)


@posix
@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="memory is counted as Linux shows it")
@pytest.mark.parametrize("scenario", ["chef-healthy", "secret-server-healthy"])
@pytest.mark.parametrize(("kind", "amount"), [("memory", 4), ("memory", 30), ("files", 3), ("threads", 2)])
def test_however_little_room_there_is_it_is_the_verdict_or_none(
    tmp_path: Path, scenario: str, kind: str, amount: int
) -> None:
    code, results, said = scanned(tmp_path, kind, amount, scenario)
    if kind == "memory" and code == 70:  # there was too little to write what was found, too: no verdict, and said so
        assert "a defect of preflight: MemoryError" in said
        return
    assert code in (0, 3), said
    if code == 3:
        errors = [row for row in results["results"] if row["check"] == "connectivity" and row["status"] == "error"]
        assert errors
        # A library that gets no memory may say anything at all.
        assert kind == "memory" or all(is_own(row["message"]) for row in errors), [row["message"] for row in errors]


@pytest.mark.parametrize(
    ("lacking", "what"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "file descriptors"),
        (OSError(errno.ENFILE, "File table overflow"), "whole machine"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "memory"),
        (MemoryError(), "memory"),
        (RuntimeError("can't start new thread"), "threads"),
        # As getaddrinfo of Python 3.11 raised it when another thread took the last descriptors.
        (LookupError("unknown encoding: idna"), "file descriptors"),
        (ImportError("_bcrypt.abi3.so: cannot open shared object file: Too many open files"), "file descriptors"),
    ],
)
def test_it_is_found_behind_whatever_it_was_taken_for(lacking: Exception, what: str) -> None:
    def run_out() -> None:
        raise lacking

    def translated() -> None:
        try:
            run_out()
        except Exception:  # noqa: BLE001  as a transport's door takes all of them
            raise AuthenticationError("key file x: cannot be read") from None

    with pytest.raises(AuthenticationError) as caught:
        translated()
    found = own_trouble(caught.value)
    assert isinstance(found, OwnTroubleError)
    assert what in str(found)
    assert "`--parallel`" in found.hint


@pytest.mark.parametrize(
    "error",
    [
        UnreachableError("nobody listens"),
        OSError(errno.ECONNREFUSED, "Connection refused"),
        OSError(errno.EADDRNOTAVAIL, "an address of a family that this machine does not speak"),
        RuntimeError("something else"),
        BlockingIOError(errno.EAGAIN, "try again"),
        LookupError("unknown encoding: ebcdic-of-theirs"),
        ImportError("cannot import name 'x'"),
    ],
)
def test_a_nodes_trouble_stays_the_nodes(error: Exception) -> None:
    assert own_trouble(error) is None


@posix
def test_room_is_made_up_to_the_hard_limit() -> None:
    program = (
        "import resource, sys\n"
        "from scanner.run.engines.hands import make_room\n"
        "soft, hard, hands = map(int, sys.argv[1:])\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))\n"
        "make_room(hands)\n"
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE))\n"
    )

    def limits(*numbers: int) -> str:
        words = [sys.executable, "-c", program, *map(str, numbers)]
        return subprocess.run(words, capture_output=True, text=True, check=True, cwd=TOP).stdout.strip()

    assert limits(256, 4096, 100) == "864 4096"
    assert limits(256, 512, 100) == "512 512"
    assert limits(2048, 4096, 100) == "2048 4096"
    make_room(0)


def test_it_is_found_behind_what_was_raised_anew_from_itself() -> None:
    taken = AuthenticationError("key file k: Too many open files")
    taken.__context__ = OSError(errno.EMFILE, "Too many open files")
    taken.__cause__ = taken
    found = own_trouble(taken)
    assert found is not None
    assert "file descriptors" in str(found)


_RESOLVES = """
import os, resource
from scanner.transports.network.resolver import resolve
before = resource.getrlimit(resource.RLIMIT_NOFILE)
room = os.open("/", os.O_RDONLY)
resource.setrlimit(resource.RLIMIT_NOFILE, (room + 1, before[1]))
for _ in range(2):
    print(resolve("127.0.0.1", 22, 5.0)[0][4])
    os.close(room)
    resource.setrlimit(resource.RLIMIT_NOFILE, before)
    room = os.open("/", os.O_RDONLY)
"""


@posix
def test_a_lack_of_descriptors_is_over_when_it_is_over() -> None:
    """Python never again looks for a codec that it once could not open."""
    ended = subprocess.run([sys.executable, "-c", _RESOLVES], capture_output=True, text=True, cwd=TOP, check=False)
    assert ended.stdout.splitlines() == ["('127.0.0.1', 22)"] * 2, ended.stderr


@pytest.mark.parametrize("codec", ["idna", "punycode", "utf_16_le"])
def test_every_codec_that_asking_takes_is_there_before_anything_is_asked(codec: str) -> None:
    """latin-1 and utf-8 are part of the interpreter itself."""
    program = (
        "import sys, scanner.transports.ssh.transport, scanner.transports.winrm.transport\n"
        "import scanner.transports.winrm.exchange.channel, scanner.transports.powershell.script_delivery\n"
        f"assert 'encodings.{codec}' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], cwd=TOP, check=True)
