"""PowerShell remoting with ends that are not ours: recorded Windows, psrpcore's server, pypsrp's client, PowerShell."""

from __future__ import annotations

import functools
import json
import os
import re
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psrpcore
import psrpcore.types
import pytest

from checks.facts import Unknown
from scanner.errors import DeadlineError, NodeError, ProtocolError, RefusedError
from scanner.lab.machines.windows.script import run_script
from scanner.lab.machines.windows.table import read_windows
from scanner.lab.servers.psrp.peer import Outbox
from scanner.lab.servers.psrp.pool import PowerShellPool, ScriptRefusedError, ScriptRequest
from scanner.lab.servers.wsman.account_rights import Right
from scanner.lab.servers.wsman.server import ProcessOutput, WsmanServer
from scanner.probes.batch.powershell import compose, literal, parse
from scanner.probes.probe import Answer, Probe
from scanner.transports.psrp.fragments import TO_CLIENT, Message, Splitter
from scanner.transports.winrm.transport import WinrmTransport
from tests.pwsh_session import PWSH, PwshSession
from tests.test_scanner.probes.batch.engine import NONCE, POWERSHELL, composed, whole, with_recorded

Door = Callable[..., WinrmTransport]
Serve = Callable[..., WsmanServer]

FIELD = Path(__file__).parents[3] / "field" / "psrp"
needs_pwsh = pytest.mark.skipif(PWSH is None, reason="no pwsh on the PATH")


class Recorded:
    """A peer that says, of a pool and then of a pipeline, what Windows was recorded with."""

    def __init__(self, opening: str, said: str, outbox: Outbox) -> None:
        self._said, self._outbox = said, outbox
        self._tell("", opening)

    def _tell(self, pipeline: str, name: str) -> None:
        for line in (FIELD / name).read_text("utf-8").splitlines():
            kind, _, document = line.partition(" ")
            message = Message(kind=int(kind, 16), data=document.encode(), destination=TO_CLIENT)
            self._outbox.put(pipeline, Splitter().whole([message]), apart=True)

    def begin(self, pipeline: str, fragments: bytes) -> None:
        self._tell(pipeline, self._said)
        self._outbox.end(pipeline)

    def send(self, pipeline: str, fragments: bytes) -> None: ...

    def stop(self, pipeline: str) -> None: ...

    def close(self) -> None: ...


def recorded(said: str) -> Any:
    return lambda _user, _configuration, _creation, outbox: Recorded("opening-2008r2.txt", said, outbox)


def test_a_recorded_end_is_read(serve: Serve, door: Door) -> None:
    assert door(serve(open_peer=recorded("host-call-2016.txt")), protocol="psrp").run("1") == b"after\n\r\n"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("no-language-2016.txt", r"^the session configuration Microsoft\.PowerShell runs no scripts: The syntax"),
        (
            "failed-2016.txt",
            r"^PowerShell ended the script \(CommandNotFoundException\): The term 'Get-V.*again\.$",
        ),
    ],
)
def test_a_recorded_failure_is_told_by_its_first_line(serve: Serve, door: Door, said: str, told: str) -> None:
    with pytest.raises(RefusedError, match=told):
        door(serve(open_peer=recorded(said)), protocol="psrp").run("1")


class Core:
    """psrpcore's server, which knows nothing of ours: a peer that hands each script to `play`."""

    def __init__(
        self,
        play: Callable[[psrpcore.ServerPipeline, str, dict[str, Any]], None],
        creation: bytes,
        outbox: Outbox,
        protocol: str = "2.3",
    ) -> None:
        self._play, self._outbox = play, outbox
        self._pool = psrpcore.ServerRunspacePool()
        self._pool.our_capability.protocolversion = psrpcore.types.PSVersion(protocol)
        self._arguments: dict[str, Any] = {}
        self._feed("", creation)

    def _feed(self, pipeline: str, data: bytes) -> None:
        self._pool.receive_data(psrpcore.PSRPPayload(data, psrpcore.StreamType.default, None))
        while event := self._pool.next_event():
            if isinstance(event, psrpcore.InitRunspacePoolEvent):
                self._arguments = dict(event.application_arguments or {})
            elif isinstance(event, psrpcore.CreatePipelineEvent):
                assert isinstance(event.pipeline, psrpcore.PowerShell)
                (command,) = event.pipeline.commands
                assert command.is_script
                serving = self._pool.pipeline_table[event.pipeline_id]
                serving.start()
                self._play(serving, command.command_text, self._arguments)
        done = False
        while payload := self._pool.data_to_send(4096):
            of = str(payload.pipeline_id).upper() if payload.pipeline_id else ""
            self._outbox.put(of, payload.data)
            done = done or bool(of)
        if done:
            self._outbox.end(pipeline)

    def begin(self, pipeline: str, fragments: bytes) -> None:
        psrpcore.ServerPipeline(self._pool, uuid.UUID(pipeline))
        self._feed(pipeline, fragments)

    def send(self, pipeline: str, fragments: bytes) -> None:
        self._feed(pipeline, fragments)

    def stop(self, pipeline: str) -> None: ...

    def close(self) -> None: ...


def core(play: Callable[[psrpcore.ServerPipeline, str, dict[str, Any]], None], protocol: str = "2.3") -> Any:
    return lambda _user, _configuration, creation, outbox: Core(play, creation, outbox, protocol)


@pytest.mark.parametrize("protocol", ["2.1", "2.2", "2.3"])
@pytest.mark.parametrize("delivery", ["auto", "stdin"])
def test_a_foreign_server_understands_every_word(serve: Serve, door: Door, protocol: str, delivery: str) -> None:
    script = "'<&\"' # _x000A_ _\n\t$x = @'\n\n'@ # " + 120_000 * "#"
    seen: list[tuple[str, dict[str, Any]]] = []

    def play(pipeline: psrpcore.ServerPipeline, text: str, arguments: dict[str, Any]) -> None:
        seen.append((text, arguments))
        pipeline.write_progress("Preparing", 0, "modules")
        pipeline.write_output("first <&> _x000A_ Jürgen\r\n\x01")
        pipeline.write_warning("mind")
        pipeline.write_output(None)
        pipeline.write_output("x" * 100_000)
        pipeline.complete()

    transport = door(serve(open_peer=core(play, protocol)), protocol="psrp", delivery=delivery)
    output = transport.run(script, {"PREFLIGHT_SQL_PASSWORD": "c2VjcmV0_x0041_<"})
    assert output.decode() == "first <&> _x000A_ Jürgen\r\n\x01\r\n\r\n" + "x" * 100_000 + "\r\n"
    ((text, arguments),) = seen
    assert arguments == {"PREFLIGHT_SQL_PASSWORD": "c2VjcmV0_x0041_<"}
    assert (text == script) == (delivery == "stdin")


def test_a_foreign_server_complains_and_fails(serve: Serve, door: Door) -> None:
    def print_error(pipeline: psrpcore.ServerPipeline, *_: object) -> None:
        pipeline.write_error(psrpcore.types.NETException(Message="no such thing"))
        pipeline.complete()

    def stop(pipeline: psrpcore.ServerPipeline, *_: object) -> None:
        pipeline.write_output("before")
        pipeline.stop()

    with pytest.raises(ProtocolError, match="PowerShell printed nothing: no such thing"):
        door(serve(open_peer=core(print_error)), protocol="psrp").run("1")
    with pytest.raises(RefusedError, match="ended the script") as raised:
        door(serve(open_peer=core(stop)), protocol="psrp").run("1")
    assert raised.value.partial == b"before\r\n"


def test_a_foreign_server_that_asks_for_something_is_not_waited_for(serve: Serve, door: Door) -> None:
    def ask(pipeline: psrpcore.ServerPipeline, *_: object) -> None:
        pipeline.host_call(psrpcore.types.HostMethodIdentifier.SetShouldExit, [3])
        pipeline.host_call(psrpcore.types.HostMethodIdentifier.ReadLine)

    transport = door(serve(open_peer=core(ask)), protocol="psrp", timeout_s=20)
    with pytest.raises(RefusedError, match="nobody can answer: ReadLine"):
        transport.run("1")


def play(request: ScriptRequest) -> ProcessOutput:
    if request.script == "fail":
        raise ScriptRefusedError("The syntax is not supported by this runspace.", "ScriptsNotAllowed")
    if request.script == "wait":
        threading.Event().wait(0.6)
    return ProcessOutput(f"{request.script}\r\n{dict(request.arguments)}".encode(), b"mind\r\n")


@pytest.mark.parametrize("over", ["http", "https"])
def test_a_foreign_client_is_satisfied_by_the_lab(serve: Serve, tls: Any, over: str) -> None:
    from pypsrp.exceptions import WSManFaultError
    from pypsrp.powershell import PowerShell, RunspacePool
    from pypsrp.wsman import WSMan

    server = serve(
        open_peer=functools.partial(PowerShellPool, run=play, powershell="5.1.14393.2248"),
        tls=tls if over == "https" else None,
        rights={"operator": Right.REMOTE_MANAGEMENT_USER, "CORP\\svc-preflight": Right.ROOT_SDDL},
    )

    def wsman(user: str, password: str) -> WSMan:
        return WSMan(
            "127.0.0.1", port=server.port, ssl=over == "https", username=user, password=password, auth="ntlm",
            cert_validation=False, no_proxy=True, operation_timeout=1,
        )  # fmt: skip

    def asked(pool: RunspacePool, script: str) -> PowerShell:
        shell = PowerShell(pool)
        shell.add_script(script)
        shell.invoke()
        return shell

    with wsman("operator", "another; one") as client, RunspacePool(client) as pool:
        long = "a <&> _x000A_ Jürgen\n" + "x" * 300_000
        said = asked(pool, long)
        assert said.output == [*long.splitlines(), "{}"]
        assert [str(error) for error in said.streams.error] == ["mind"]
        assert asked(pool, "wait").output[0] == "wait"
        failed = asked(pool, "fail")
        assert failed.had_errors
        assert failed.streams.error[0].fq_error == "ScriptsNotAllowed"
        assert str(failed.streams.error[0]) == "The syntax is not supported by this runspace."
        shell = PowerShell(pool)
        shell.add_cmdlet("Get-Process")
        shell.invoke()
        assert "'Get-Process' is not recognized" in str(shell.streams.error[0])
    assert server.open_shells == ()
    with wsman("CORP\\svc-preflight", "S3cret pass!") as client, pytest.raises(WSManFaultError) as denied:
        RunspacePool(client).open()
    assert denied.value.code == 5
    with wsman("operator", "another; one") as client, pytest.raises(WSManFaultError) as unknown:
        RunspacePool(client, configuration_name="nothing.there").open()
    assert unknown.value.code == 2150858811


@pytest.fixture
def engine(serve: Serve) -> WsmanServer:
    """A listener with a real PowerShell behind each session."""
    return serve(open_peer=PwshSession)


@needs_pwsh
def test_the_whole_script_gives_over_a_real_session_what_the_lab_says(engine: WsmanServer, door: Door) -> None:
    machine = read_windows({"app_version": "11.7.000049", "sql": [{"version": "15.0.2000.5"}]})
    script = composed(budget_s=60)
    transport = door(engine, protocol="psrp", timeout_s=90, answer_bytes=8_000_000)
    said = whole(transport.run(with_recorded(script, machine)))
    wanted = whole(run_script(script, machine, POWERSHELL).stdout)
    assert said["probes"] == wanted["probes"]
    transport.close()
    assert engine.open_shells == ()


@needs_pwsh
@pytest.mark.parametrize("delivery", ["auto", "stdin"])
def test_a_script_of_any_size_runs_in_a_real_session_and_reads_what_it_was_opened_with(
    engine: WsmanServer, door: Door, delivery: str
) -> None:
    script = "#" * 200_000 + "\n$PSSenderInfo.ApplicationArguments['A_B']\n'_x000A_ <&> ' + @'\nx\n'@\n$Host.Name"
    transport = door(engine, protocol="psrp", timeout_s=90, delivery=delivery)
    assert transport.run(script, {"A_B": "_x0041_<&>"}) == b"_x0041_<&>\r\n_x000A_ <&> x\r\nServerRemoteHost\r\n"


REAL = {
    "prompts": ("'before'; Read-Host 'name'", RefusedError, "nobody can answer"),
    "credentials": ("Get-Credential", RefusedError, "nobody can answer"),
    "throws": ("'before'; throw 'boom'", RefusedError, r"^PowerShell ended the script: boom$"),
    "does not parse": ("if (", RefusedError, "ended the script"),
    "complains": ("Write-Error oops", ProtocolError, "PowerShell printed nothing: oops"),
    "says nothing": ("exit 7", ProtocolError, "PowerShell printed nothing"),
    "kills its process": ("[Environment]::Exit(3)", NodeError, "ended powershell.exe or its shell"),
}


@needs_pwsh
@pytest.mark.parametrize("name", REAL)
def test_a_real_session_that_goes_wrong_is_told_and_does_not_hang(engine: WsmanServer, door: Door, name: str) -> None:
    script, wanted, told = REAL[name]
    with pytest.raises(wanted, match=told) as raised:
        door(engine, protocol="psrp", timeout_s=90).run(script)
    assert raised.value.partial == (b"before\r\n" if "before" in script else b"")


@needs_pwsh
def test_what_is_no_answer_disturbs_none_in_a_real_session(engine: WsmanServer, door: Door) -> None:
    script = "Write-Progress p; Write-Warning w; Write-Verbose v -Verbose; Write-Host h; Write-Error e; $null; 'answer'"
    assert door(engine, protocol="psrp", timeout_s=90).run(script) == b"\r\nanswer\r\n"


@needs_pwsh
def test_the_deadline_ends_a_real_session_and_its_process(engine: WsmanServer, door: Door) -> None:
    transport = door(engine, protocol="psrp", timeout_s=4)
    with pytest.raises(DeadlineError) as raised:
        transport.run("'pid ' + $PID; while ($true) { }")
    transport.close()
    assert engine.open_shells == ()
    process = re.fullmatch(rb"pid (\d+)\r\n", raised.value.partial)
    assert process
    assert not Path(f"/proc/{process[1].decode()}").exists()


@needs_pwsh
def test_what_blocks_in_a_real_session_costs_itself_and_the_rest_has_left_before(
    engine: WsmanServer, door: Door, tmp_path: Path
) -> None:
    dead = tmp_path / "dead"
    os.mkfifo(dead)
    bodies = {
        "before": "return 1",
        "hashes": f"return Get-PfFileHash ({literal(str(dead))})",
        "stuck": f"[IO.File]::ReadAllText({literal(str(dead))})",
        "after": "return 2",
    }
    probes = tuple(
        Probe(id=name, language="powershell", purpose="", script=body, readers=()) for name, body in bodies.items()
    )
    script = compose(probes, nonce=NONCE, budget_s=8, options={}, probe_bytes=100_000)
    output = door(engine, protocol="psrp", timeout_s=90).run(script)
    answers = parse(output, nonce=NONCE, probe_ids=list(bodies))
    said = {name: each.output if isinstance(each, Answer) else each.reason for name, each in answers.items()}
    assert (said["before"], said["after"]) == ("1", "2")
    assert said["hashes"].startswith(f"blocked: {dead}")
    assert isinstance(answers["stuck"], Unknown)
    # One frame before each call that blocked was given up, and the last one.
    assert output.count(b":gzip:") >= len([json.dumps("first"), json.dumps("last")])


@needs_pwsh
def test_the_probes_of_a_real_session_read_what_it_was_opened_with(engine: WsmanServer, door: Door) -> None:
    probes = (
        Probe(
            id="given",
            language="powershell",
            purpose="",
            script="return $PfArguments['PREFLIGHT_SQL_PASSWORD']",
            readers=(),
        ),
    )
    script = compose(probes, nonce=NONCE, budget_s=30, options={}, probe_bytes=100_000)
    output = door(engine, protocol="psrp", timeout_s=90).run(script, {"PREFLIGHT_SQL_PASSWORD": "c2VjcmV0"})
    answer = parse(output, nonce=NONCE, probe_ids=["given"])["given"]
    assert isinstance(answer, Answer)
    assert json.loads(answer.output) == "c2VjcmV0"
