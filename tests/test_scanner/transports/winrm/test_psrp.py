"""PowerShell remoting over WinRM: what one node costs, what arrives, and what each refusal is told as."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.errors import (
    AnswerTooLargeError,
    AuthenticationError,
    DeadlineError,
    NodeError,
    ProtocolError,
    RefusedError,
)
from scanner.lab.servers.psrp.peer import Outbox
from scanner.lab.servers.psrp.pool import PowerShellPool, RunScript, ScriptRefusedError, ScriptRequest
from scanner.lab.servers.wsman.account_rights import Right
from scanner.lab.servers.wsman.server import QUOTAS_2008R2, ProcessOutput, ProcessRequest, WsmanFault, WsmanServer
from scanner.secrets.redaction import Redactor
from scanner.transports.psrp import messages
from scanner.transports.psrp.fragments import TO_CLIENT, Joiner, Message, Splitter
from scanner.transports.psrp.messages import Kind
from scanner.transports.winrm.transport import WinrmTransport

Door = Callable[..., WinrmTransport]
Serve = Callable[..., WsmanServer]

LOGIN = ["", "", ""]
ONE = ["Create", "Receive", "Receive", "Command", "Receive"]


def repeat(request: ScriptRequest) -> ProcessOutput:
    """Plays a script that prints itself and what the session was opened with."""
    return ProcessOutput(f"{request.script}\r\n{dict(request.arguments)}\r\n".encode())


def pool(run: RunScript = repeat, powershell: str = "5.1.14393.2248") -> Any:
    return functools.partial(PowerShellPool, run=run, powershell=powershell)


@pytest.fixture
def remote(serve: Serve) -> Callable[..., WsmanServer]:
    """A server with PowerShell sessions and no remote shells, whose account is in Remote Management Users."""

    def start(run: RunScript = repeat, **more: Any) -> WsmanServer:
        rights = dict.fromkeys(("CORP\\svc-preflight", "operator"), Right.REMOTE_MANAGEMENT_USER)
        return serve(**{"open_peer": pool(run), "rights": rights, **more})

    return start


def actions(server: WsmanServer) -> list[str]:
    return [request.action for request in server.requests]


@pytest.mark.parametrize("powershell", ["2.0", "3.0", "4.0", "5.1.14393.2248"])
def test_a_script_costs_one_connection_and_as_few_requests_as_the_protocol_has(
    remote: Serve, door: Door, powershell: str
) -> None:
    server = remote(open_peer=pool(powershell=powershell), quotas=QUOTAS_2008R2)
    transport = door(server, protocol="psrp")
    assert transport.run("'a' <& \"b\"") == b"'a' <& \"b\"\r\n{}\r\n"
    assert (transport.usage.connections, transport.usage.commands, transport.usage.requests) == (1, 1, 8)
    transport.close()
    assert actions(server) == [*LOGIN, *ONE, "Delete"]
    assert server.open_shells == ()


def test_over_tls_with_basic_there_is_no_login_of_its_own(remote: Serve, door: Door, tls: object) -> None:
    server = remote(tls=tls, auth={"basic"})
    transport = door(server, protocol="psrp", auth="basic", user="operator")
    assert transport.run("1").startswith(b"1")
    transport.close()
    assert actions(server) == [*ONE, "Delete"]


def test_what_goes_beside_the_script_is_an_argument_of_the_session_and_in_no_script(remote: Serve, door: Door) -> None:
    seen: list[ScriptRequest] = []

    def run(request: ScriptRequest) -> ProcessOutput:
        seen.append(request)
        return ProcessOutput(b"done")

    transport = door(remote(run), protocol="psrp")
    transport.run("1", {"PREFLIGHT_SQL_PASSWORD": "Zm9v<&>_x0041_"})
    assert seen == [
        ScriptRequest("1", {"PREFLIGHT_SQL_PASSWORD": "Zm9v<&>_x0041_"}, "CORP\\svc-preflight", "Microsoft.PowerShell")
    ]


AWKWARD = "a\tb\\ ' \" <![CDATA[x]]> &amp; _x000A_ _X0041_ $null; #\n\n@'\n  x\n'@\n"


@pytest.mark.parametrize("lines", [1, 2_000, 8_000])
@pytest.mark.parametrize(("delivery", "pieces"), [("auto", 1), ("stdin", None)])
def test_a_script_of_any_size_arrives_letter_by_letter(
    remote: Serve, door: Door, lines: int, delivery: str, pieces: int | None
) -> None:
    from scanner.lab.machines.windows import powershell_process

    got: list[str] = []

    def keep(script: str) -> ProcessOutput:
        got.append(script)
        return ProcessOutput(b"done")

    def run(request: ScriptRequest) -> ProcessOutput:
        return powershell_process.run(ProcessRequest(command_line="", environment={}, script=request.script), keep)

    script = AWKWARD * lines
    server = remote(run)
    transport = door(server, protocol="psrp", delivery=delivery)
    assert transport.run(script) == b"done\r\n"
    assert got == [script.rstrip("\n")]
    sends = actions(server).count("Send")
    # Packed it is one message; as plain text as many as it takes.
    assert sends == (pieces - 1 if pieces else sends)
    assert (sends > 0) == (delivery == "stdin" and lines > 1)
    assert all(request.request_bytes < QUOTAS_2008R2.max_envelope_kb * 1024 for request in server.requests)


def test_output_arrives_as_it_was_put_out(remote: Serve, door: Door) -> None:
    said = "gzip:" + "x" * 300_000 + "\r\nJürgen_x000A_ <&> _x005F_\r\n"
    transport = door(remote(lambda _: ProcessOutput(said.encode())), protocol="psrp")
    assert transport.run("1").decode() == said


def test_errors_beside_an_answer_change_nothing_and_say_why_there_is_none(remote: Serve, door: Door) -> None:
    assert door(remote(lambda _: ProcessOutput(b"answer", b"oops\r\n")), protocol="psrp").run("1") == b"answer\r\n"
    with pytest.raises(ProtocolError, match="PowerShell printed nothing: oops"):
        door(remote(lambda _: ProcessOutput(b"", b"oops\r\nmore\r\n")), protocol="psrp").run("1")


REFUSALS = [
    ("The syntax is not supported by this runspace.", "ScriptsNotAllowed", "runs no scripts", "FullLanguage"),
    (
        "Dieses Skript enthält schädlichen Inhalt.",
        "ScriptContainedMaliciousContent,Microsoft.PowerShell.Commands.InvokeExpressionCommand",
        "endpoint protection",
        'delivery = "stdin"',
    ),
    ("x", "MethodInvocationNotSupportedInConstrainedLanguage", "restricts PowerShell's language", "FullLanguage"),
    ("A command that prompts", "HostFunctionNotImplemented,ReadHost", "nobody can answer", "startup script"),
    ("Attempted to divide by zero.\nAt line:1", "RuntimeException", r"\(RuntimeException\): Attempted .* zero\.$", ""),
]


@pytest.mark.parametrize(("text", "error_id", "told", "hint"), REFUSALS)
def test_a_terminating_error_is_told_by_its_id(
    remote: Serve, door: Door, text: str, error_id: str, told: str, hint: str
) -> None:
    def run(_: ScriptRequest) -> ProcessOutput:
        raise ScriptRefusedError(text, error_id)

    with pytest.raises(RefusedError, match=told) as raised:
        door(remote(run), protocol="psrp").run("1")
    assert hint in raised.value.hint


ACCOUNTS = [
    (Right.ADMINISTRATOR, "winrs", None),
    (Right.ADMINISTRATOR, "psrp", None),
    (Right.REMOTE_MANAGEMENT_USER, "winrs", ('protocol = "psrp"', "winrm configSDDL default", "Administrators")),
    (Right.REMOTE_MANAGEMENT_USER, "psrp", None),
    (Right.ROOT_SDDL, "winrs", None),
    (Right.ROOT_SDDL, "psrp", ("Remote Management Users",)),
    (Right.NONE, "winrs", ("in neither Administrators nor Remote Management Users",)),
    (Right.NONE, "psrp", ("in neither Administrators nor Remote Management Users",)),
]


@pytest.mark.parametrize(("right", "protocol", "hints"), ACCOUNTS)
def test_who_is_let_in_by_which_way_and_what_others_are_told(
    remote: Serve, door: Door, right: Right, protocol: str, hints: tuple[str, ...] | None
) -> None:
    transport = door(remote(rights={"CORP\\svc-preflight": right}), protocol=protocol)
    if hints is None:
        assert transport.run("1").startswith(b"1")
        return
    wanted = AuthenticationError if right is Right.NONE else RefusedError
    with pytest.raises(wanted, match="rejects the ntlm login" if right is Right.NONE else "access is denied") as raised:
        transport.run("1")
    for hint in hints:
        assert hint in raised.value.hint
    if protocol == "winrs" and right is not Right.NONE:
        assert "add the account to Remote Management" not in raised.value.hint


def test_another_session_configuration_can_be_asked_and_one_that_is_not_there_is_named(
    remote: Serve, door: Door
) -> None:
    server = remote(configurations={"preflight"}, rights={"CORP\\svc-preflight": Right.ROOT_SDDL})
    assert door(server, protocol="psrp", configuration="Preflight").run("1").startswith(b"1")
    with pytest.raises(RefusedError, match="no session configuration jea") as raised:
        door(server, protocol="psrp", configuration="jea").run("1")
    assert "Get-PSSessionConfiguration" in raised.value.hint


class Script:
    """A peer that says what it is told to, whatever it is asked."""

    def __init__(self, said: list[tuple[str, bytes]]) -> None:
        self._said = said

    def open(self, user: str, configuration: str, creation: bytes, outbox: Outbox) -> Script:
        self._outbox = outbox
        for of, data in self._said:
            if of == "pool":
                outbox.put("", data)
        return self

    def begin(self, pipeline: str, fragments: bytes) -> None:
        for of, data in self._said:
            if of == "pipeline":
                self._outbox.put(pipeline, data)
            elif of == "end":
                self._outbox.end(pipeline)

    def send(self, pipeline: str, fragments: bytes) -> None: ...

    def stop(self, pipeline: str) -> None: ...

    def close(self) -> None: ...


def packed(kind: int, document: str) -> bytes:
    return Splitter().whole([Message(kind=kind, data=document.encode(), destination=TO_CLIENT)])


def state(name: str, value: int) -> str:
    return f'<Obj RefId="0"><MS><I32 N="{name}">{value}</I32></MS></Obj>'


OPENED = ("pool", packed(Kind.RUNSPACEPOOL_STATE, state("RunspaceState", 2)))
CALL = (
    '<Obj RefId="0"><MS><I64 N="ci">{}</I64><Obj N="mi" RefId="1"><ToString>{}</ToString><I32>11</I32></Obj></MS></Obj>'
)
CAPABILITY = '<Obj RefId="0"><MS><Version N="protocolversion">{}</Version></MS></Obj>'
DONE = ("pipeline", packed(Kind.PIPELINE_STATE, state("PipelineState", 4)))
ODD: dict[str, tuple[list[tuple[str, bytes]], type[NodeError], str]] = {
    "a pool that breaks": (
        [("pool", packed(Kind.RUNSPACEPOOL_STATE, state("RunspaceState", 5)))],
        RefusedError,
        "session",
    ),
    "another protocol": ([("pool", packed(Kind.SESSION_CAPABILITY, CAPABILITY.format("3.0")))], ProtocolError, "3.0"),
    "no fragments": ([("pool", b"\xff" * 200)], ProtocolError, "fragments"),
    "no object": ([("pool", packed(Kind.RUNSPACEPOOL_STATE, "<Obj"))], ProtocolError, "no valid object"),
    "entities": (
        [("pool", packed(Kind.RUNSPACEPOOL_STATE, '<!DOCTYPE a [<!ENTITY b "c">]><a/>'))],
        ProtocolError,
        "XML",
    ),
    "a state of nothing": ([("pool", packed(Kind.RUNSPACEPOOL_STATE, "<Obj/>"))], ProtocolError, "RunspaceState"),
    "a call that waits": (
        [OPENED, ("pipeline", packed(Kind.PIPELINE_HOST_CALL, CALL.format(1, "ReadLine")))],
        RefusedError,
        "ReadLine",
    ),
    "an end without a state": ([OPENED, ("end", b"")], ProtocolError, "without telling"),
    "a state that is no end": (
        [OPENED, ("pipeline", packed(Kind.PIPELINE_STATE, state("PipelineState", 1))), ("end", b"")],
        ProtocolError,
        "without telling",
    ),
    "half a message": ([OPENED, ("pipeline", DONE[1][:30]), ("end", b"")], ProtocolError, "without telling"),
    "the wrong part": (
        [OPENED, ("pipeline", b"\0" * 7 + b"\1" + b"\0" * 7 + b"\1" + b"\0" + b"\0\0\0\1x")],
        ProtocolError,
        "is missing",
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_a_server_that_says_odd_things_costs_its_own_answer(serve: Serve, door: Door, name: str) -> None:
    said, wanted, told = ODD[name]
    transport = door(serve(open_peer=Script(said).open), protocol="psrp")
    with pytest.raises(wanted, match=told):
        transport.run("1")


def test_a_call_that_wants_no_answer_progress_and_unknown_words_are_passed_over(serve: Serve, door: Door) -> None:
    said = [
        OPENED,
        ("pipeline", packed(Kind.PIPELINE_HOST_CALL, CALL.format(messages.NO_ANSWER, "SetShouldExit"))),
        ("pipeline", packed(0x00041010, "<Obj/>")),
        ("pipeline", packed(0x00099999, "no object at all")),
        ("pipeline", packed(Kind.PIPELINE_OUTPUT, "")),
        ("pipeline", packed(Kind.PIPELINE_OUTPUT, "<S>answer</S>")),
        (
            "pipeline",
            packed(Kind.PIPELINE_OUTPUT, '<Obj RefId="0"><TN RefId="0"><T>x</T></TN><ToString>y</ToString></Obj>'),
        ),
        DONE,
        ("end", b""),
    ]
    assert door(serve(open_peer=Script(said).open), protocol="psrp").run("1") == b"\r\nanswer\r\ny\r\n"


def test_fragments_may_be_cut_anywhere(serve: Serve, door: Door) -> None:
    whole = packed(Kind.PIPELINE_OUTPUT, "<S>answer</S>") + DONE[1]
    said = [OPENED, *(("pipeline", whole[at : at + 1]) for at in range(len(whole))), ("end", b"")]
    assert door(serve(open_peer=Script(said).open), protocol="psrp").run("1") == b"answer\r\n"


def test_the_deadline_ends_the_session_and_keeps_what_had_come(serve: Serve, door: Door) -> None:
    said = [OPENED, ("pipeline", packed(Kind.PIPELINE_OUTPUT, "<S>first</S>"))]
    server = serve(open_peer=Script(said).open)
    transport = door(server, protocol="psrp", timeout_s=1.0)
    with pytest.raises(DeadlineError) as raised:
        transport.run("1")
    assert raised.value.partial == b"first\r\n"
    transport.close()
    assert server.open_shells == ()


def test_a_pool_that_never_opens_ends_with_the_deadline(serve: Serve, door: Door) -> None:
    server = serve(open_peer=Script([]).open)
    transport = door(server, protocol="psrp", timeout_s=1.0)
    with pytest.raises(DeadlineError):
        transport.run("1")
    transport.close()
    assert server.open_shells == ()


def test_operation_timeouts_are_asked_again(remote: Serve, door: Door) -> None:
    from scanner.lab.servers.wsman.server import Quotas

    usual = len(["cap", "opened", "output"])

    def run(_: ScriptRequest) -> ProcessOutput:
        ends = time.monotonic() + 30
        while actions(server).count("Receive") <= usual and time.monotonic() < ends:
            time.sleep(0.01)
        return ProcessOutput(b"late")

    server = remote(run, quotas=Quotas(max_timeout_s=0.2))
    assert door(server, protocol="psrp").run("1") == b"late\r\n"
    assert actions(server).count("Receive") > usual


def test_more_output_than_the_cap_ends_the_session(remote: Serve, door: Door) -> None:
    server = remote(lambda _: ProcessOutput(b"x" * 5_000_000))
    transport = door(server, protocol="psrp", answer_bytes=100_000)
    with pytest.raises(AnswerTooLargeError):
        transport.run("1")
    transport.close()
    assert server.open_shells == ()


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        (WsmanFault.QUOTA, RefusedError),
        (WsmanFault.ACCESS_DENIED, RefusedError),
        (WsmanFault.HTML, NodeError),
        (WsmanFault.EMPTY, NodeError),
        (WsmanFault.CUT, NodeError),
        (WsmanFault.GARBAGE, NodeError),
        (WsmanFault.HANG_ON_RECEIVE, DeadlineError),
        (WsmanFault.DRIBBLE_ON_RECEIVE, DeadlineError),
    ],
)
def test_what_a_listener_does_wrong_is_told_as_over_a_remote_shell(
    remote: Serve, door: Door, fault: WsmanFault, wanted: type[NodeError]
) -> None:
    transport = door(remote(faults={fault}), protocol="psrp", timeout_s=1.0)
    with pytest.raises(wanted):
        transport.run("1")
    transport.close()


def test_a_script_that_is_not_ascii_is_a_mistake_of_ours(remote: Serve, door: Door) -> None:
    with pytest.raises(ValueError, match="ASCII"):
        door(remote(), protocol="psrp").run("ä")


def test_a_creation_is_answered_in_the_short_form_of_2008_r2() -> None:
    from scanner.transports.psrp.envelopes import shell_of

    head = '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">'
    selector = (
        '<w:SelectorSet><w:Selector Name="ShellId">C8CD7685-F0A0-4B79-8F82-B8B37462667A</w:Selector></w:SelectorSet>'
    )
    assert (
        shell_of(f"{head}<s:Body>{selector}</s:Body></s:Envelope>".encode()) == "C8CD7685-F0A0-4B79-8F82-B8B37462667A"
    )
    with pytest.raises(ProtocolError, match="names none"):
        shell_of(f"{head}<s:Body/></s:Envelope>".encode())


def test_a_session_that_nobody_deletes_goes_away_by_itself(remote: Serve, door: Door) -> None:
    server = remote()
    door(server, protocol="psrp", timeout_s=100.0).run("1")
    (left,) = server._site.host._sessions._sessions.values()
    left.touched_s -= 131
    door(server, protocol="psrp").run("1")
    assert len(server.open_shells) == 1
    assert left.key not in server.open_shells


hostile = st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([OPENED[1], DONE[1], DONE[1][:40], DONE[1][21:]])))


@given(pieces=hostile)
@settings(max_examples=300, deadline=None)
def test_no_stream_of_bytes_gets_more_than_a_node_error_out_of_the_reader(pieces: list[bytes]) -> None:
    joiner = Joiner(10_000)
    try:
        for piece in pieces:
            for message in joiner.feed(piece):
                messages.state_of(message, "PipelineState")
    except NodeError:
        pass


SECRET = "Canary-7f3a9c-Kanari"


def runs(text: str) -> list[str]:
    return [SECRET[at : at + 6] for at in range(len(SECRET) - 5) if SECRET[at : at + 6] in text]


@pytest.mark.parametrize("room", [190, 200, 290, 300, 1990, 2000])
@pytest.mark.parametrize("kind", ["failure", "id", "call", "errors"])
def test_no_half_of_a_secret_is_left_where_words_of_powershell_are_cut(
    remote: Serve, door: Door, room: int, kind: str
) -> None:
    for spelled in (SECRET, "".join(f"_x{ord(c):04X}_" for c in SECRET)):
        filler = "x" * (room - 10)
        said = f"{filler}{spelled}{filler}"
        record = (
            '<Obj RefId="0"><MS><I32 N="PipelineState">5</I32><Obj N="ExceptionAsErrorRecord" RefId="1">'
            f"<ToString>{said if kind == 'failure' else 'no'}</ToString><MS>"
            f'<S N="FullyQualifiedErrorId">{said if kind == "id" else "X"}</S></MS></Obj></MS></Obj>'
        )
        error = f'<Obj RefId="0"><ToString>{said}</ToString></Obj>'
        pieces = {
            "call": [("pipeline", packed(Kind.PIPELINE_HOST_CALL, CALL.format(1, said)))],
            "errors": [("pipeline", packed(Kind.ERROR_RECORD, error)), DONE],
        }.get(kind, [("pipeline", packed(Kind.PIPELINE_STATE, record))])
        server = remote(open_peer=Script([OPENED, *pieces, ("end", b"")]).open)
        transport = door(server, protocol="psrp")
        transport._hide = Redactor(frozenset({(SECRET, "operator")}))
        with pytest.raises(NodeError) as raised:
            transport.run("1")
        assert runs(str(raised.value)) == []
        assert "xxxx" in str(raised.value)


def test_a_flood_of_errors_without_words_takes_no_longer_than_its_length(remote: Serve, door: Door) -> None:
    flood = packed(Kind.ERROR_RECORD, "<Obj/>") * 40_000
    server = remote(open_peer=Script([OPENED, ("pipeline", flood), DONE, ("end", b"")]).open)
    began = time.process_time()
    with pytest.raises(NodeError):
        door(server, protocol="psrp", timeout_s=60).run("1")
    assert time.process_time() - began < 5


def test_a_fragment_that_comes_byte_by_byte_takes_no_longer_than_its_length() -> None:
    data = packed(Kind.PIPELINE_OUTPUT, f"<S>{'x' * 1_200_000}</S>")
    joiner = Joiner(2_000_000)
    began = time.process_time()
    found = [message for at in range(0, len(data), 2) for message in joiner.feed(data[at : at + 2])]
    assert [len(message.data) for message in found] == [1_200_007]
    assert time.process_time() - began < 5
