"""What is said to a Windows Remote Shell is what pywinrm says there, and what is read of answers what pywinrm reads.

Answers of Windows are those that pywinrm brings along for its own tests. The others are imagined, in their shape.
"""

from __future__ import annotations

import ast
import importlib.util
import itertools
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from winrm.protocol import Protocol

from scanner.errors import ProtocolError
from scanner.transports.winrm import envelopes

ODD = "a<b>&\"c' d"
OURS = envelopes.Shell(20, ODD)


class Ear:
    """Hears what pywinrm would send, and gives it an answer."""

    def __init__(self, answer: str = "<nothing/>") -> None:
        self.heard = ""
        self._answer = answer

    def send_message(self, message: str) -> str:
        self.heard = message
        return self._answer


def pywinrm(ear: Ear) -> Protocol:
    protocol = Protocol("http://h:5985/wsman", "basic", username="-", password="", operation_timeout_sec=20)
    protocol.transport = ear  # type: ignore[assignment]
    return protocol


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (
            lambda it: it.open_shell(env_vars={"A": ODD, "B": "2"}, idle_timeout="PT90S"),
            lambda: envelopes.Shell(20).create({"A": ODD, "B": "2"}, 90),
        ),
        (lambda it: it.open_shell(idle_timeout="PT90S"), lambda: envelopes.Shell(20).create({}, 90)),
        (lambda it: it.run_command(ODD, ODD, ("-x", ODD)), lambda: OURS.command(ODD, ("-x", ODD), console=True)),
        (
            lambda it: it.run_command(ODD, "a", console_mode_stdin=False),
            lambda: OURS.command("a", (), console=False),
        ),
        (lambda it: it.send_command_input(ODD, ODD, b"\xff\n"), lambda: OURS.send(ODD, b"\xff\n", end=False)),
        (lambda it: it.send_command_input(ODD, ODD, b"", end=True), lambda: OURS.send(ODD, b"", end=True)),
        (lambda it: it.get_command_output_raw(ODD, ODD), lambda: OURS.receive(ODD)),
        (lambda it: it.close_shell(ODD, close_session=False), OURS.delete),
    ],
    ids=[
        "create",
        "create without variables",
        "command",
        "command with a pipe",
        "send",
        "last send",
        "receive",
        "delete",
    ],
)
def test_it_is_what_pywinrm_sends(
    theirs: Callable[[Protocol], object], ours: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=7))
    ear = Ear()
    with suppress(StopIteration):  # the answer names nothing
        theirs(pywinrm(ear))
    assert ours() == ear.heard


def test_no_two_messages_have_the_same_name() -> None:
    assert OURS.delete() != OURS.delete()


def answer(body: str) -> bytes:
    return f'<s:E xmlns:s="urn:s" xmlns:rsp="urn:r">{body}</s:E>'.encode()


OUT = '<rsp:Stream Name="stdout" CommandId="1">b3V0</rsp:Stream>'
ERR = '<rsp:Stream Name="stderr" CommandId="1">ZXJy</rsp:Stream>'
END = '<rsp:Stream Name="stdout" End="true"/>'
RUNNING = '<rsp:CommandState CommandId="1" State="urn:x/CommandState/Running"/>'
DONE = (
    '<rsp:CommandState CommandId="1" State="urn:x/CommandState/Done"><rsp:ExitCode>%s</rsp:ExitCode></rsp:CommandState>'
)


@pytest.mark.parametrize("state", ["", RUNNING, DONE % "0", DONE % "-1073741510", DONE % "3221225794", DONE % ""])
@pytest.mark.parametrize(
    "streams", ["".join(each) for n in range(4) for each in itertools.combinations((OUT, ERR, OUT, END), n)]
)
def test_it_reads_what_pywinrm_reads(streams: str, state: str) -> None:
    said = answer(streams + state)
    *printed, exit_code, done = pywinrm(Ear(said.decode())).get_command_output_raw("S", "1")
    found = envelopes.received(said)
    assert [found.stdout, found.stderr] == printed
    assert found.exit_code == (exit_code if done else None)


def recorded() -> dict[str, bytes]:
    """What Windows has answered to pywinrm once, by name: `ipconfig /all`, an error of PowerShell, a shell's id."""
    package = importlib.util.find_spec("winrm.tests")
    assert package
    assert package.origin
    module = ast.parse(Path(package.origin).with_name("conftest.py").read_text("utf-8"))
    return {
        ast.unparse(node.targets[0]): node.value.value.encode()
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }


def test_what_windows_has_answered_is_read() -> None:
    said = recorded()
    printed = envelopes.received(said["get_cmd_output_response"])
    assert b"\r\nWindows IP Configuration\r\n" in printed.stdout
    assert (printed.stderr, printed.exit_code) == (b"", 0)
    failed = envelopes.received(said["get_ps_output_response"])
    assert (failed.stdout, failed.stderr[:11], failed.exit_code) == (b"", b"#< CLIXML\r\n", 1)
    for name in ("get_cmd_output_response", "get_ps_output_response"):
        *theirs, exit_code, _ = pywinrm(Ear(said[name].decode())).get_command_output_raw("S", "1")
        found = envelopes.received(said[name])
        assert [found.stdout, found.stderr, found.exit_code] == [*theirs, exit_code]
    assert envelopes.shell_of(said["open_shell_response"]) == "11111111-1111-1111-1111-111111111113"
    assert envelopes.command_of(said["run_cmd_ps_response"] % b"1") == "11111111-1111-1111-1111-111111111114"


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (envelopes.shell_of, "<rsp:Selector Name='Other'>1</rsp:Selector>"),
        (envelopes.shell_of, "<rsp:Selector Name='ShellId'></rsp:Selector>"),
        (envelopes.command_of, "<rsp:CommandResponse/>"),
        (envelopes.received, '<rsp:CommandState State="urn:x/CommandState/Done"/>'),
    ],
)
def test_an_answer_without_what_was_asked_for_says_so(read: Callable[[bytes], Any], said: str) -> None:
    with pytest.raises(ProtocolError, match="the node's answer is not WS-Management: "):
        read(answer(said))


def test_names_are_read() -> None:
    assert envelopes.shell_of(answer("<rsp:Selector Name='ShellId'>A-1</rsp:Selector>")) == "A-1"
    assert (
        envelopes.command_of(answer("<rsp:CommandResponse><rsp:CommandId>C-1</rsp:CommandId></rsp:CommandResponse>"))
        == "C-1"
    )
