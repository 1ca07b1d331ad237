"""The machine that preflight runs on as a node: real shells, and everything that can be wrong with them."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.facts import Contact, Unknown
from scanner.errors import (
    AnswerTooLargeError,
    ConnectionLostError,
    DeadlineError,
    NodeError,
    ProtocolError,
    RefusedError,
    UntrustedPeerError,
)
from scanner.inventory.model import LocalSettings, Node
from scanner.loading.registry import load_registry
from scanner.probes.probe import Answer, Language, Probe
from scanner.run.facts import read_facts
from scanner.run.node import NodeRequest, query_node
from scanner.transports import local
from scanner.transports.deadline import end_all
from scanner.transports.local import LocalTransport, is_here, programs_here, translate
from scanner.transports.protocol import Limits
from tests import windows_stand_in
from tests.threads import no_threads_left

__all__ = ["no_threads_left"]

TOP = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="asks a POSIX shell")
posix_processes = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks processes up in /proc")


def backend(host: str = "localhost", *, sudo: bool = False) -> Node:
    return Node(
        cluster="chef",
        name="b1",
        host=host,
        product="chef-backend",
        roles=("backend",),
        transport="local",
        local=LocalSettings(sudo=sudo),
    )


def web(host: str = "localhost") -> Node:
    return Node(
        cluster="vault",
        name="web1",
        host=host,
        product="secret-server",
        roles=("web",),
        transport="local",
        local=LocalSettings(),
        platform="windows",
    )


def door(
    node: Node | None = None,
    *,
    timeout_s: float = 20,
    answer_bytes: int = 10**6,
    programs: dict[Language, str] | None = None,
) -> LocalTransport:
    limits = Limits(timeout_s=timeout_s, answer_bytes=answer_bytes)
    return LocalTransport(node or backend(), limits, programs=programs)


def fails(kind: type[NodeError], transport: LocalTransport, script: str = "echo in", match: str = "") -> NodeError:
    with pytest.raises(NodeError, match=match or None) as caught:
        transport.run(script)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    return caught.value


def is_running(pid: int) -> bool:
    """Whether it is there and no zombie, which only waits for whoever started it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def gone(pids: list[int]) -> bool:
    ends = time.monotonic() + 5
    while any(is_running(pid) for pid in pids) and time.monotonic() < ends:
        time.sleep(0.01)
    return not any(is_running(pid) for pid in pids)


def test_one_shell_answers_everything() -> None:
    probes = (
        Probe(id="one", language="sh", purpose="", script="echo one; echo wrong >&2", readers=()),
        Probe(id="two", language="sh", purpose="", script="exit 3", readers=()),
        Probe(id="three", language="powershell", purpose="", script="'not for this node'", readers=()),
    )
    said = query_node(NodeRequest(backend(), probes, Limits(timeout_s=20)))
    assert said.failure is None
    assert said.answers == {"one": Answer("one\n", 0, error_output="wrong"), "two": Answer("", 3)}
    assert (said.usage.connections, said.usage.commands, said.usage.requests) == (0, 1, 0)
    contact = read_facts(said, probes)[Contact]
    assert isinstance(contact, Contact)
    assert (contact.host, contact.transport) == ("localhost", "local")


def test_sudo_never_asks_here_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("sudo", 'echo "sudo $*"'), ("id", "echo 1000")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    probes = (Probe(id="root", language="sh", purpose="", script="$SUDO chef-backend-ctl status", readers=()),)
    said = query_node(NodeRequest(backend(sudo=True), probes, Limits(timeout_s=20)))
    assert said.answers == {"root": Answer("sudo -n chef-backend-ctl status\n", 0)}


def test_the_shell_gets_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PREFLIGHT_SSH_PASSWORD", "VAULT_TOKEN", "ANY_NAME_AT_ALL", "path_to_secret"):
        monkeypatch.setenv(name, "canary-9d1c")
    output = door().run("env; echo; tr '\\0' ' ' </proc/$$/cmdline").decode()
    assert "canary" not in output
    assert "PATH=" in output
    # The script itself, which may hold more secrets, stands in nobody's list of processes.
    assert output.splitlines()[-1].split() in ([], ["/bin/sh", "-s"])


def test_a_large_script_arrives_whole() -> None:
    assert door().run(f"{{\n: '{'x' * 1_000_000}'\necho whole\n}}\n") == b"whole\n"


@posix_processes
def test_when_its_time_is_up_all_of_it_is_ended() -> None:
    error = fails(
        DeadlineError,
        door(timeout_s=0.5),
        "sleep 1000 & echo $! $$; (trap '' TERM INT HUP; sleep 1000)",
        "within 0.5 s",
    )
    pids = [int(pid) for pid in error.partial.split()]
    assert len(pids) == 2
    assert gone(pids)


@posix_processes
def test_an_interrupt_ends_it() -> None:
    transport, errors = door(timeout_s=60), []

    def run() -> None:
        errors.append(fails(DeadlineError, transport, "echo $$; sleep 1000"))

    thread = threading.Thread(target=run)
    thread.start()
    ends = time.monotonic() + 10
    while not transport._output and time.monotonic() < ends:
        time.sleep(0.01)
    end_all()
    thread.join(10)
    assert gone([int(errors[0].partial)])


def test_one_that_was_ended_before_it_started_does_not_run(tmp_path: Path) -> None:
    transport = door()
    transport.close()
    fails(ConnectionLostError, transport, f"sleep 5; touch {tmp_path}/ran")
    assert not (tmp_path / "ran").exists()


@posix_processes
def test_what_leaves_the_group_and_holds_the_pipe_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_GRACE_S", 0.2)
    started = time.monotonic()
    script = "setsid sh -c 'echo $$; exec sleep 30' & sleep 100"
    error = fails(DeadlineError, door(timeout_s=0.5), script)
    assert time.monotonic() - started < 6
    os.kill(int(error.partial), signal.SIGKILL)


def test_too_much_output_is_cut_and_ended() -> None:
    error = fails(AnswerTooLargeError, door(answer_bytes=100_000), "yes preflight", "larger than")
    assert 0 < len(error.partial) <= 100_000


@pytest.mark.parametrize(
    ("script", "kind", "message"),
    [
        ("echo no such luck; exit 3", RefusedError, "this machine: the shell ended with exit 3: no such luck"),
        ("kill -9 $$", ConnectionLostError, r"the shell was killed before it was done \(signal 9\)"),
        ("exit 127", RefusedError, "this machine cannot run `sh`"),
    ],
)
def test_a_shell_that_fails(script: str, kind: type[NodeError], message: str) -> None:
    fails(kind, door(), script, message)


def test_a_shell_that_reads_nothing_is_no_reason_to_fail() -> None:
    assert door(programs={"sh": "/bin/echo"}).run(":\n" * 200_000) == b"-s\n"


def test_a_silent_shell_is_not_taken_for_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "programs_here", lambda: {"sh": "/bin/true"})
    said = query_node(
        NodeRequest(
            backend(), (Probe(id="one", language="sh", purpose="", script="exit 0", readers=()),), Limits(timeout_s=20)
        )
    )
    assert said.failure == "the node answered nothing"


@pytest.mark.parametrize(
    ("node", "programs", "message", "hint"),
    [
        (
            web(),
            None,
            "this machine runs .*, and secret-server nodes are asked in Windows PowerShell",
            '"winrm" or "ssh"',
        ),
        (backend(), {"powershell": "powershell.exe"}, "chef-backend nodes are asked in a POSIX shell", '= "ssh"'),
    ],
)
def test_a_machine_of_the_wrong_kind_is_told_in_one_line(
    node: Node, programs: dict[Language, str] | None, message: str, hint: str
) -> None:
    transport = door(node, programs=programs)
    error = fails(RefusedError, transport, match=message)
    assert hint in error.hint
    assert "run preflight on the node itself" in error.hint
    assert transport.usage.commands == 0


def test_windows_powershell_is_named_by_its_full_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEMROOT", r"D:\Windows")
    with monkeypatch.context() as windows:
        windows.setattr(os, "name", "nt")
        found = programs_here()
    assert found == {"powershell": r"D:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"}


def test_a_host_that_is_another_machine_is_not_answered_for() -> None:
    error = fails(UntrustedPeerError, door(backend("192.0.2.7")), match="192.0.2.7 is not the machine that preflight")
    assert "leave `host` out" in error.hint
    assert door(backend("127.0.0.1")).run("echo in") == b"in\n"
    assert is_here("localhost")
    assert is_here(socket.gethostname())
    assert not is_here("no-such-host.invalid")


# What starting a program can raise.


def every(kind: type[BaseException]) -> Iterator[type[BaseException]]:
    yield kind
    for below in kind.__subclasses__():
        yield from every(below)


@pytest.mark.parametrize("kind", [*every(subprocess.SubprocessError)], ids=lambda kind: kind.__name__)
def test_every_exception_of_subprocess_is_mapped(kind: type[BaseException]) -> None:
    error = kind.__new__(kind)
    error.__dict__.update(cmd="sh", timeout=1, returncode=1)
    assert isinstance(translate(error, "/bin/sh"), NodeError)


@pytest.mark.parametrize(
    "error", [OSError(7, "Argument list too long"), ValueError("embedded null byte"), MemoryError()]
)
def test_each_mishap_is_one_line(error: BaseException) -> None:
    told = translate(error, "/bin/sh")
    assert isinstance(told, RefusedError)
    assert "\n" not in str(told)
    assert told.hint


def test_a_defect_is_no_mishap() -> None:
    assert translate(KeyError("x"), "/bin/sh") is None


def test_a_shell_that_is_not_there(tmp_path: Path) -> None:
    fails(RefusedError, door(programs={"sh": "/no/such/sh"}), match="there is no /no/such/sh on this machine")
    (tmp_path / "sh").write_text("")
    fails(RefusedError, door(programs={"sh": str(tmp_path / "sh")}), match="may not be started here: Permission denied")
    (tmp_path / "sh").chmod(0o755)
    (tmp_path / "sh").write_bytes(b"\x7fELF")
    fails(RefusedError, door(programs={"sh": str(tmp_path / "sh")}), match="could not be started: Exec format error")


# Windows PowerShell, played by the lab.


def asked_here(monkeypatch: pytest.MonkeyPatch, stand_in: windows_stand_in.WindowsStandIn) -> Contact:
    monkeypatch.setattr(local, "programs_here", lambda: {"powershell": str(stand_in.program)})
    probes = tuple(probe for probe in load_registry()[1] if probe.language == "powershell")
    said = query_node(NodeRequest(web(), probes, Limits(timeout_s=30)))
    found = read_facts(said, probes)
    contact = found[Contact]
    assert isinstance(contact, Contact)
    if not contact.failure:
        assert not any(isinstance(answer, Unknown) for answer in said.answers.values())
    assert (said.usage.connections, said.usage.commands) == (0, 1)
    return contact


def test_a_windows_node_is_asked_here_in_its_powershell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFLIGHT_WINRM_PASSWORD", "canary-77ab")
    stand_in = windows_stand_in.install(tmp_path / "bin", windows="2016", app_version="11.5.000002")
    contact = asked_here(monkeypatch, stand_in)
    assert contact.failure is None
    assert contact.answered == contact.asked > 5
    (seen,) = stand_in.seen
    assert re.fullmatch(
        "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand [A-Za-z0-9+/=]+",
        seen["line"],
    )
    assert "canary" not in json.dumps(seen)


def test_constrained_language_mode_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = windows_stand_in.install(tmp_path / "bin", language_mode="ConstrainedLanguage")
    assert "Constrained Language Mode" in str(asked_here(monkeypatch, stand_in).failure)


def test_a_script_that_arrives_in_part_does_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in = windows_stand_in.install(tmp_path / "bin")
    write = local._write
    monkeypatch.setattr(local, "_write", lambda process, data: write(process, data[:-9]))
    error = fails(
        ProtocolError, door(web(), programs={"powershell": str(stand_in.program)}), "'x'\n" * 10, "did not arrive whole"
    )
    assert "standard input" in error.hint


# The whole program.


def local_inventory(folder: Path, more: str = "") -> Path:
    path = folder / "inventory.toml"
    path.write_text(
        "[clusters.chef]\nproduct = 'chef-backend'\ntarget = '2.3.16'\n"
        f"[clusters.chef.nodes.b1]\nroles = ['backend']\ntransport = 'local'\n{more}"
    )
    return path


@posix_processes
def test_ctrl_c_leaves_no_child_behind(tmp_path: Path) -> None:
    command = tmp_path / "bin" / "chef-backend-ctl"
    command.parent.mkdir()
    command.write_text(
        f'#!/bin/sh\nsleep 1000 &\necho "$! $$" >"{tmp_path}/new"; mv "{tmp_path}/new" "{tmp_path}/pids"\nwait\n'
    )
    command.chmod(0o755)
    running = subprocess.Popen(
        [sys.executable, "-m", "scanner", "scan", str(local_inventory(tmp_path)), "--timeout", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=TOP,
        env={**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}"},
    )
    pids = tmp_path / "pids"
    ends = time.monotonic() + 20
    while not pids.exists() and time.monotonic() < ends:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=30)
    assert running.returncode == 130, out
    assert "Traceback" not in out
    assert gone([int(pid) for pid in pids.read_text().split()])
