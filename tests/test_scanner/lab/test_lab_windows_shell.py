"""OpenSSH for Windows in the lab: what its shells start, and what they refuse."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from checks.facts import Contact
from scanner.errors import NodeError, ProtocolError, RefusedError
from scanner.inventory.model import Node, SshSettings
from scanner.lab.lab import USER, Lab
from scanner.lab.machines.windows import powershell_process
from scanner.lab.machines.windows.shell import DEFAULT_SHELLS, WindowsShell
from scanner.lab.scenario import load_scenario
from scanner.lab.servers.wsman.process import ProcessOutput, ProcessRequest
from scanner.loading.registry import load_registry
from scanner.run.facts import read_facts
from scanner.run.node import NodeRequest, query_node
from scanner.transports.launch import launch_for
from scanner.transports.powershell.output import settle_merged
from scanner.transports.powershell.script_delivery import CONSTRAINED_MARKER, deliver
from scanner.transports.protocol import Limits

SCRIPT = "'a script'\n" * 4000


def shell(default_shell: str, *, constrained_language: bool = False) -> WindowsShell:
    """One in which a script that runs prints itself."""

    def execute(request: ProcessRequest) -> ProcessOutput:
        printed = partial(powershell_process.run, request, constrained_language=constrained_language)
        return printed(lambda script: ProcessOutput(script.encode()))

    return WindowsShell(execute, default_shell)


def told(windows: WindowsShell, command: str, stdin: bytes) -> tuple[bytes, int]:
    parts = list(windows.run(command, stdin, wait=lambda _: None))
    assert isinstance(parts[-1], int)
    return b"".join(part for part in parts if isinstance(part, bytes)), parts[-1]


@pytest.mark.parametrize("default_shell", DEFAULT_SHELLS)
def test_what_is_started_over_ssh_runs_the_script_under_either_shell(default_shell: str) -> None:
    start = launch_for("powershell", SCRIPT)
    windows = shell(default_shell)
    assert windows.refuses(start.command) is None
    assert told(windows, start.command, start.stdin) == (SCRIPT.rstrip("\n").encode(), 0)
    # Nothing in it that a shell between us and the program could take for its own, and no secret's way.
    assert not set(start.command) & set("\"'$`;&|<>()%^!*?~#{}[]\\,@\n")
    assert "a script" not in start.command
    assert len(start.command) < 2000


@pytest.mark.parametrize("default_shell", DEFAULT_SHELLS)
def test_what_windows_refuses_is_refused(default_shell: str) -> None:
    windows = shell(default_shell)
    sh, long = windows.refuses("sh -s"), windows.refuses(f"powershell.exe -EncodedCommand {'A' * 8200}")
    assert sh is not None
    assert long is not None
    assert sh.exit_code == long.exit_code == 1
    assert "is not recognized as" in sh.output
    assert long.output == "The command line is too long.\r\n"


@pytest.mark.parametrize(("default_shell", "status"), [("cmd", 96), ("powershell", 1)])
def test_restricted_powershell_is_named_although_a_shell_around_it_knows_one_failure_only(
    default_shell: str, status: int
) -> None:
    start = launch_for("powershell", SCRIPT)
    output, code = told(shell(default_shell, constrained_language=True), start.command, start.stdin)
    assert (output, code) == (f"{CONSTRAINED_MARKER}\r\n".encode(), status)
    failure = start.judge(output, code)
    assert isinstance(failure, RefusedError)
    assert "Constrained Language Mode" in str(failure)


@pytest.mark.parametrize("default_shell", DEFAULT_SHELLS)
def test_input_that_was_cut_short_runs_nothing(default_shell: str) -> None:
    start = launch_for("powershell", SCRIPT)
    output, code = told(shell(default_shell), start.command, start.stdin[:2048])
    failure = start.judge(output, code)
    assert isinstance(failure, ProtocolError)
    assert "did not arrive whole" in str(failure)
    assert "OpenSSH" in failure.hint


CLIXML = (
    b'#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
    b'<S S="Error">out of memory_x000D__x000A_</S></Objs>'
)


@pytest.mark.parametrize(
    ("output", "status", "message"),
    [
        (b"banner\r\n" + CLIXML, 1, "PowerShell ended with exit code 1: out of memory"),
        (CLIXML, 0xC0000005, "PowerShell ended with exit code 3221225477: out of memory"),
        (b"sh: 1: powershell.exe: not found\n", 127, r"powershell.exe cannot be run there \(exit 127\): sh: 1"),
        (
            b"'powershell.exe' is not recognized as an internal\r\n",
            1,
            "exit code 1: 'powershell.exe' is not recognized",
        ),
        (b" \r\n", 0, "PowerShell printed nothing and gave no reason"),
    ],
)
def test_what_a_user_reads(output: bytes, status: int, message: str) -> None:
    failure = settle_merged(output, status)
    assert isinstance(failure, NodeError)
    assert failure.partial == output
    assert "\n" not in str(failure)
    with pytest.raises(NodeError, match=message):
        raise failure


def test_an_answer_is_no_failure() -> None:
    assert settle_merged(b"anything\r\n", 0) is None


def test_a_node_of_linux_in_windows_place_and_the_other_way_round(tmp_path: Path) -> None:
    """What a wrong `host` looks like: the shell there does not know what it is asked to start."""
    with Lab(load_scenario("windows-over-ssh")) as windows, Lab(load_scenario("chef-healthy")) as linux:
        windows.write(tmp_path / "windows")
        linux.write(tmp_path / "linux")
        asked = [
            (windows.node("web1"), tmp_path / "windows", "linux", "the node cannot run `sh` (exit 1): 'sh' is"),
            (windows.node("web2"), tmp_path / "windows", "linux", "cannot run `sh` (exit 1): sh : The term 'sh' is"),
            (linux.node("backend-1"), tmp_path / "linux", "windows", "powershell.exe cannot be run there"),
        ]
        for node, folder, platform, message in asked:
            settings = SshSettings(
                user=USER,
                port=node.inventory["port"],
                key_file=str(folder / "id_ed25519"),
                known_hosts=str(folder / "known_hosts"),
                agent=False,
                ssh_config="",
            )
            product = "secret-server" if platform == "windows" else "chef-backend"
            wrong = Node(
                cluster="c",
                name="n",
                host="127.0.0.1",
                product=product,
                roles=(),
                transport="ssh",
                ssh=settings,
                platform=platform,  # type: ignore[arg-type]
            )
            probes = tuple(probe for probe in load_registry()[1] if probe.language == wrong.language)[:2]
            said = query_node(NodeRequest(wrong, probes, Limits(timeout_s=10)))
            contact = read_facts(said, probes)[Contact]
            assert isinstance(contact, Contact)
            assert message in str(contact.failure)
            assert contact.answered == 0


def test_over_winrm_nothing_has_changed() -> None:
    assert deliver(SCRIPT).stdin is None
