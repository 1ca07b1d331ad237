"""The lab's own PowerShell behind a remoting session: it opens a pool, takes one script at a time and plays it.

The forms of its messages are those that Windows Server 2008 R2 and 2016 were recorded with (in the test suite of
jborean93/pypsrp): a byte order mark before each object, the pool's opening apart from what comes before it.
"""

from __future__ import annotations

import threading
import traceback
import uuid
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import field

from checks.common.dataclass import dataclass
from scanner.errors import NodeError
from scanner.lab.servers.psrp.peer import Outbox
from scanner.lab.servers.wsman.process import ProcessOutput
from scanner.transports.psrp import clixml
from scanner.transports.psrp.fragments import NOBODY, TO_CLIENT, Joiner, Message, Splitter
from scanner.transports.psrp.messages import Kind, PipelineState, PoolState

_LIMIT_BYTES = 50 * 1024 * 1024
"""PSMaximumReceivedDataSizePerCommandMB of a fresh Windows."""
_FRAGMENT_BYTES = 32 * 1024
_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class ScriptRequest:
    """One script as a pipeline brings it."""

    script: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    """$PSSenderInfo.ApplicationArguments."""
    user: str = ""
    configuration: str = ""


class ScriptRefusedError(Exception):
    """Raised by a `RunScript`: a terminating error, with its message and its FullyQualifiedErrorId."""

    def __init__(self, message: str, error_id: str) -> None:
        super().__init__(message)
        self.error_id = error_id


RunScript = Callable[[ScriptRequest], ProcessOutput]
"""Plays PowerShell: each line of standard output is a string in the pipeline, standard error an error record."""


def version_of(powershell: str) -> str:
    """The remoting protocol that a PowerShell speaks."""
    major = powershell.partition(".")[0]
    return {"2": "2.1", "3": "2.2", "4": "2.2"}.get(major, "2.3")


class PowerShellPool:
    """One session's PowerShell: a `scanner.lab.servers.psrp.peer.Peer`."""

    def __init__(
        self, user: str, configuration: str, creation: bytes, outbox: Outbox, *, run: RunScript, powershell: str
    ) -> None:
        """`powershell` is its version, 5.1.14393.2248 say."""
        self._user = user
        self._configuration = configuration
        self._outbox = outbox
        self._run = run
        self._splitter = Splitter()
        self._lock = threading.Lock()
        self._joiners: dict[str, Joiner] = {}
        self._arguments: dict[str, str] = {}
        self._pool = NOBODY
        self._stopped: set[str] = set()
        self._workers: list[threading.Thread] = []
        kinds = []
        for message in Joiner(_LIMIT_BYTES).feed(creation):
            kinds.append(message.kind)
            self._pool = message.pool
            if message.kind == Kind.INIT_RUNSPACEPOOL:
                self._arguments = _arguments(message)
        if kinds != [Kind.SESSION_CAPABILITY, Kind.INIT_RUNSPACEPOOL]:
            state = f'<I32 N="RunspaceState">{PoolState.BROKEN.value}</I32>'
            self._say("", Kind.RUNSPACEPOOL_STATE, f'<Obj RefId="0"><MS>{state}</MS></Obj>')
            return
        self._say(
            "",
            Kind.SESSION_CAPABILITY,
            f'<Obj RefId="0"><MS><Version N="protocolversion">{version_of(powershell)}</Version>'
            '<Version N="PSVersion">2.0</Version><Version N="SerializationVersion">1.1.0.1</Version></MS></Obj>',
        )
        dictionary = (
            "<T>System.Management.Automation.PSPrimitiveDictionary</T><T>System.Collections.Hashtable</T>"
            "<T>System.Object</T>"
        )
        self._say(
            "",
            Kind.APPLICATION_PRIVATE_DATA,
            f'<Obj RefId="0"><MS><Obj N="ApplicationPrivateData" RefId="1"><TN RefId="0">{dictionary}</TN><DCT><En>'
            '<S N="Key">PSVersionTable</S><Obj N="Value" RefId="2"><TNRef RefId="0" /><DCT><En><S N="Key">PSVersion</S>'
            f'<Version N="Value">{powershell}</Version></En></DCT></Obj></En></DCT></Obj></MS></Obj>',
        )
        state = f'<I32 N="RunspaceState">{PoolState.OPENED.value}</I32>'
        self._say("", Kind.RUNSPACEPOOL_STATE, f'<Obj RefId="0"><MS>{state}</MS></Obj>', apart=True)

    def begin(self, pipeline: str, fragments: bytes) -> None:
        """A pipeline, with its first fragments."""
        self._joiners[pipeline] = Joiner(_LIMIT_BYTES)
        self.send(pipeline, fragments)

    def send(self, pipeline: str, fragments: bytes) -> None:
        """More fragments."""
        joiner = self._joiners.get(pipeline)
        if joiner is None:
            return
        try:
            messages = list(joiner.feed(fragments))
        except NodeError as error:
            self._fail(pipeline, str(error), "PSRemotingDataStructureException")
            return
        for message in messages:
            if message.kind == Kind.CREATE_PIPELINE:
                worker = threading.Thread(target=self._play, args=(pipeline, message), daemon=True)
                self._workers.append(worker)
                worker.start()

    def stop(self, pipeline: str) -> None:
        """End a pipeline."""
        with self._lock:
            if pipeline in self._stopped:
                return
            self._stopped.add(pipeline)
        self._end(pipeline, PipelineState.STOPPED)

    def close(self) -> None:
        """End the session."""
        for worker in self._workers:
            worker.join(timeout=1)

    def _play(self, pipeline: str, message: Message) -> None:
        try:
            script = _script(message)
            done = self._run(ScriptRequest(script, self._arguments, self._user, self._configuration))
        except ScriptRefusedError as refused:
            self._fail(pipeline, str(refused), refused.error_id)
            return
        except Exception:  # noqa: BLE001 - a failing stand-in is a failing script, and says why
            self._fail(pipeline, traceback.format_exc(), "RuntimeException")
            return
        with self._lock:
            if pipeline in self._stopped:
                return
            self._stopped.add(pipeline)
        for line in done.stdout.decode("utf-8", "backslashreplace").splitlines():
            self._say(pipeline, Kind.PIPELINE_OUTPUT, f"<S>{clixml.text(line)}</S>")
        for line in done.stderr.decode("utf-8", "backslashreplace").splitlines():
            record = _record(line, "Microsoft.PowerShell.Commands.WriteErrorException")
            self._say(pipeline, Kind.ERROR_RECORD, f'<Obj RefId="0">{record}</Obj>')
        self._end(pipeline, PipelineState.COMPLETED)

    def _fail(self, pipeline: str, text: str, error_id: str) -> None:
        with self._lock:
            self._stopped.add(pipeline)
        record = f'<Obj N="ExceptionAsErrorRecord" RefId="1">{_record(text, error_id)}</Obj>'
        self._end(pipeline, PipelineState.FAILED, record)

    def _end(self, pipeline: str, state: PipelineState, record: str = "") -> None:
        told = f'<I32 N="PipelineState">{state.value}</I32>'
        self._say(pipeline, Kind.PIPELINE_STATE, f'<Obj RefId="0"><MS>{told}{record}</MS></Obj>')
        self._outbox.end(pipeline)

    def _say(self, pipeline: str, kind: Kind, document: str, *, apart: bool = False) -> None:
        of = uuid.UUID(pipeline) if pipeline else NOBODY
        message = Message(
            kind=kind, data=f"{_MARK}{document}".encode(), pool=self._pool, pipeline=of, destination=TO_CLIENT
        )
        with self._lock:
            data = b"".join(self._splitter.split(message, _FRAGMENT_BYTES))
            self._outbox.put(pipeline, data, apart=apart)


def _record(text: str, error_id: str) -> str:
    """An ErrorRecord's inside."""
    shown = clixml.text(text)
    return (
        '<TN RefId="0"><T>System.Management.Automation.ErrorRecord</T><T>System.Object</T></TN>'
        f"<ToString>{shown}</ToString><MS>"
        '<Obj N="Exception" RefId="2"><TN RefId="1"><T>System.Management.Automation.RuntimeException</T>'
        f"<T>System.Exception</T><T>System.Object</T></TN><ToString>{shown}</ToString><Props>"
        f'<S N="Message">{shown}</S></Props></Obj><Nil N="TargetObject" />'
        f'<S N="FullyQualifiedErrorId">{clixml.text(error_id)}</S><Nil N="InvocationInfo" />'
        '<I32 N="ErrorCategory_Category">0</I32><S N="ErrorCategory_Activity"></S>'
        '<S N="ErrorCategory_Reason">RuntimeException</S><S N="ErrorCategory_TargetName"></S>'
        '<S N="ErrorCategory_TargetType"></S><S N="ErrorCategory_Message">NotSpecified: (:) [], RuntimeException</S>'
        '<B N="SerializeExtendedInfo">false</B></MS>'
    )


def _arguments(message: Message) -> dict[str, str]:
    found = clixml.member(clixml.read(message.data), "ApplicationArguments")
    entries = found.iterfind("DCT/En") if found is not None else ()
    pairs = ({each.get("N", ""): clixml.plain(each.text or "") for each in entry} for entry in entries)
    return {pair.get("Key", ""): pair.get("Value", "") for pair in pairs}


def _script(message: Message) -> str:
    """The one script of a pipeline. Raises ScriptRefusedError for anything else: nothing of ours."""
    commands = [
        each
        for each in clixml.read(message.data).iter("Obj")
        if each.find("MS") is not None and clixml.member(each, "Cmd") is not None
    ]
    texts = [clixml.member(each, "Cmd") for each in commands]
    scripts = [clixml.member(each, "IsScript") for each in commands]
    if len(commands) != 1 or not _true(scripts[0]) or texts[0] is None:
        name = clixml.plain((texts[0].text or "")[:200]) if texts and texts[0] is not None else ""
        raise ScriptRefusedError(
            f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program.",
            "CommandNotFoundException",
        )
    return clixml.plain(texts[0].text or "")


def _true(value: ET.Element | None) -> bool:
    return value is not None and value.text == "true"
