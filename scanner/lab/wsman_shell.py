"""Shells of the WS-Man server: what each action does, within which quotas.

Sources: [MS-WSMV] 3.1.4.5.2 and 3.1.4.11 to 3.1.4.15; winrm/config and its defaults on 2008 R2 and 2012 R2.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import threading
import time
import uuid
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from scanner.lab.wsman_command import Command
from scanner.lab.wsman_faults import (
    invalid_streams_fault,
    not_found_fault,
    operations_fault,
    processes_fault,
    schema_fault,
    shell_quota_fault,
)
from scanner.lab.wsman_messages import CMD_RESOURCE, SHELL, TRANSFER, FaultError, Request, answer, duration_s
from scanner.lab.wsman_process import Execute, ProcessRequest

_ENVELOPE_MARGIN_BYTES = 2048
"""Room for everything in a Receive answer that is not output."""
_DEFAULT_IDLE_S = 7200.0
_SIGNALS = {f"{SHELL}/signal/{name}" for name in ("terminate", "ctrl_c", "ctrl_break")} | {
    # The spelling of [MS-WSMV] 2.2.4.38 for Windows Vista.
    f"{SHELL}/signal/Terminate"
}


@dataclass(frozen=True, slots=True)
class Quotas:
    """The limits of winrm/config; the defaults are those of Windows Server 2012 R2 and later."""

    max_envelope_kb: int = 500
    max_shells_per_user: int = 30
    max_processes_per_shell: int = 25
    max_operations_per_user: int = 1500
    max_timeout_s: float = 60.0
    """MaxTimeoutms: for requests that name no OperationTimeout."""


QUOTAS_2008R2 = Quotas(
    max_envelope_kb=150, max_shells_per_user=5, max_processes_per_shell=15, max_operations_per_user=15
)


@dataclass(slots=True)
class Shell:
    """One open remote shell."""

    key: str
    owner: str
    environment: dict[str, str]
    codepage: int
    working_directory: str
    input_streams: frozenset[str]
    output_streams: frozenset[str]
    idle_timeout_s: float
    commands: dict[str, Command] = field(default_factory=dict)
    busy: int = 0
    touched_s: float = field(default_factory=time.monotonic)


class ShellHost:
    """All shells of one server. Thread safe."""

    def __init__(self, execute: Execute, quotas: Quotas, address: Callable[[], str], machine: str) -> None:
        self._execute = execute
        self._quotas = quotas
        self._address = address
        self._machine = machine
        self._lock = threading.Lock()
        self._shells: dict[str, Shell] = {}
        self._operations: Counter[str] = Counter()
        self._actions: dict[str, Callable[[Request, str, str], tuple[str, str]]] = {
            f"{TRANSFER}/Create": self._create,
            f"{TRANSFER}/Delete": self._delete,
            f"{SHELL}/Command": self._command,
            f"{SHELL}/Send": self._send,
            f"{SHELL}/Receive": self._receive,
            f"{SHELL}/Signal": self._signal,
        }

    @property
    def open_shells(self) -> tuple[str, ...]:
        """Ids of the shells that are open."""
        with self._lock:
            return tuple(self._shells)

    def close(self) -> None:
        """End all shells and wait for their processes."""
        with self._lock:
            shells = list(self._shells.values())
            self._shells.clear()
        for shell in shells:
            _stop(shell)
        for shell in shells:
            for command in shell.commands.values():
                command.join(timeout_s=5)

    def handle(self, request: Request, user: str, client_ip: str) -> bytes:
        """Do what `request` asks for `user`. Raises FaultError."""
        try:
            handler = self._handler(request)
            with self._operation(user):
                action, body = handler(request, user, client_ip)
        except FaultError as error:
            error.relates_to = request.message_id
            raise
        return answer(action, request.message_id, body)

    def _handler(self, request: Request) -> Callable[[Request, str, str], tuple[str, str]]:
        if request.resource_uri.rstrip("/") != CMD_RESOURCE:
            raise FaultError(
                2150858754,
                f"The WS-Management service cannot process the request. The resource URI {request.resource_uri} "
                "was not found.",
                subcode="a:DestinationUnreachable",
                detail="InvalidResourceURI",
            )
        handler = self._actions.get(request.action)
        if handler is None:
            raise FaultError(
                2150858753,
                f"The WS-Addressing action URI {request.action} is invalid.",
                subcode="a:ActionNotSupported",
            )
        return handler

    @contextlib.contextmanager
    def _operation(self, user: str) -> Iterator[None]:
        limit = self._quotas.max_operations_per_user
        with self._lock:
            self._reap()
            # A command that nobody has received to its end or ended by a Signal is an operation too.
            unfinished = sum(
                not command.finished
                for shell in self._shells.values()
                if shell.owner == user
                for command in shell.commands.values()
            )
            if self._operations[user] + unfinished >= limit + 1:
                raise operations_fault(limit)
            self._operations[user] += 1
        try:
            yield
        finally:
            with self._lock:
                self._operations[user] -= 1

    def _reap(self) -> None:
        """Close the shells whose idle time is up."""
        now = time.monotonic()
        for shell in list(self._shells.values()):
            if not shell.busy and now - shell.touched_s > shell.idle_timeout_s:
                _stop(self._shells.pop(shell.key))

    @contextlib.contextmanager
    def _shell(self, request: Request, user: str) -> Iterator[Shell]:
        key = request.selector("ShellId")
        with self._lock:
            shell = self._shells.get(key.upper())
            # Another account's shell is as good as none.
            if shell is None or shell.owner != user:
                raise not_found_fault("ShellId", key)
            shell.busy += 1
        try:
            yield shell
        finally:
            with self._lock:
                shell.busy -= 1
                shell.touched_s = time.monotonic()

    def _create(self, request: Request, user: str, client_ip: str) -> tuple[str, str]:
        element = _child(request.body, "Shell")
        codepage = request.options.get("WINRS_CODEPAGE", "437")
        request.flag("WINRS_NOPROFILE", default=False)
        if not (codepage.isascii() and codepage.isdecimal()):
            raise FaultError(2150858835, "The option WINRS_CODEPAGE has an invalid value.", subcode="w:InvalidOptions")
        idle = element.findtext(f"{{{SHELL}}}IdleTimeOut") or element.findtext(f"{{{SHELL}}}IdleTimeout")
        idle_s = _DEFAULT_IDLE_S if idle is None else duration_s(idle)
        if idle_s is None:
            raise schema_fault(f"The element IdleTimeOut is not a valid duration: {idle}.")
        shell = Shell(
            key=(element.get("ShellId") or str(uuid.uuid4())).upper(),
            owner=user,
            environment={
                variable.get("Name", ""): variable.text or ""
                for variable in element.iterfind(f"{{{SHELL}}}Environment/{{{SHELL}}}Variable")
            },
            codepage=int(codepage),
            working_directory=(element.findtext(f"{{{SHELL}}}WorkingDirectory") or "").strip(),
            input_streams=_streams(element, "InputStreams", {"stdin"}),
            output_streams=_streams(element, "OutputStreams", {"stdout", "stderr"}),
            idle_timeout_s=idle_s,
        )
        if "" in shell.environment:
            raise schema_fault("An environment variable needs a name.")
        with self._lock:
            if sum(other.owner == user for other in self._shells.values()) >= self._quotas.max_shells_per_user:
                raise shell_quota_fault(self._quotas.max_shells_per_user)
            self._shells[shell.key] = shell
        owner = user if "\\" in user else f"{self._machine}\\{user}"
        return f"{TRANSFER}/CreateResponse", (
            f"<x:ResourceCreated><a:Address>{self._address()}</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{CMD_RESOURCE}</w:ResourceURI><w:SelectorSet>"
            f'<w:Selector Name="ShellId">{shell.key}</w:Selector></w:SelectorSet></a:ReferenceParameters>'
            f"</x:ResourceCreated><rsp:Shell><rsp:ShellId>{shell.key}</rsp:ShellId>"
            f"<rsp:ResourceUri>{CMD_RESOURCE}</rsp:ResourceUri><rsp:Owner>{escape(owner)}</rsp:Owner>"
            f"<rsp:ClientIP>{client_ip}</rsp:ClientIP><rsp:IdleTimeOut>PT{idle_s:.3f}S</rsp:IdleTimeOut>"
            f"<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams>"
            f"<rsp:ShellRunTime>P0DT0H0M0S</rsp:ShellRunTime><rsp:ShellInactivity>P0DT0H0M0S</rsp:ShellInactivity>"
            f"</rsp:Shell>"
        )

    def _delete(self, request: Request, user: str, _client_ip: str) -> tuple[str, str]:
        with self._shell(request, user) as shell, self._lock:
            self._shells.pop(shell.key, None)
        _stop(shell)
        for command in shell.commands.values():
            command.join(timeout_s=1)
        return f"{TRANSFER}/DeleteResponse", ""

    def _command(self, request: Request, user: str, _client_ip: str) -> tuple[str, str]:
        element = _child(request.body, "CommandLine")
        words = [element.findtext(f"{{{SHELL}}}Command") or ""]
        words += [argument.text or "" for argument in element.iterfind(f"{{{SHELL}}}Arguments")]
        if not words[0].strip():
            raise schema_fault("The element Command is missing or empty.")
        with self._shell(request, user) as shell:
            key = (element.get("CommandId") or str(uuid.uuid4())).upper()
            process = ProcessRequest(
                command_line=" ".join(words),
                environment=dict(shell.environment),
                codepage=shell.codepage,
                console_mode_stdin=request.flag("WINRS_CONSOLEMODE_STDIN", default=True),
                skip_cmd_shell=request.flag("WINRS_SKIP_CMD_SHELL", default=False),
                working_directory=shell.working_directory,
                user=shell.owner,
            )
            with self._lock:
                # Windows keeps a finished command until its Signal, and counts it.
                if len(shell.commands) >= self._quotas.max_processes_per_shell:
                    raise processes_fault()
                shell.commands[key] = Command(key, process, self._execute)
        body = f"<rsp:CommandResponse><rsp:CommandId>{key}</rsp:CommandId></rsp:CommandResponse>"
        return f"{SHELL}/CommandResponse", body

    def _send(self, request: Request, user: str, _client_ip: str) -> tuple[str, str]:
        streams = _child(request.body, "Send").findall(f"{{{SHELL}}}Stream")
        if not streams:
            raise schema_fault("The element Stream is missing.")
        with self._shell(request, user) as shell:
            for stream in streams:
                if stream.get("Name", "") not in shell.input_streams:
                    raise invalid_streams_fault("input", stream.get("Name", ""))
                try:
                    data = base64.b64decode(stream.text or "", validate=True)
                except (binascii.Error, ValueError):
                    raise schema_fault("The stream is not base64.") from None
                end = stream.get("End", "false").lower() in {"true", "1"}
                self._find(shell, stream.get("CommandId", "")).send(data, end)
        return f"{SHELL}/SendResponse", "<rsp:SendResponse></rsp:SendResponse>"

    def _receive(self, request: Request, user: str, _client_ip: str) -> tuple[str, str]:
        desired = _child(request.body, "Receive").find(f"{{{SHELL}}}DesiredStream")
        if desired is None:
            raise schema_fault("The element DesiredStream is missing.")
        with self._shell(request, user) as shell:
            wanted = frozenset((desired.text or "").split())
            if not wanted or not wanted <= shell.output_streams:
                raise invalid_streams_fault("output", desired.text or "")
            command = self._find(shell, desired.get("CommandId", ""))
            room = request.max_envelope_bytes - _ENVELOPE_MARGIN_BYTES
            body = command.receive(wanted, request.operation_timeout_s, room)
        return f"{SHELL}/ReceiveResponse", body

    def _signal(self, request: Request, user: str, _client_ip: str) -> tuple[str, str]:
        element = _child(request.body, "Signal")
        code = (element.findtext(f"{{{SHELL}}}Code") or "").strip()
        if code not in _SIGNALS:
            raise FaultError(2150858809, f"The signal {code} is not supported.", subcode="w:InvalidParameter")
        with self._shell(request, user) as shell:
            command = self._find(shell, element.get("CommandId", ""))
            command.stop()
            if code.lower().endswith("terminate"):
                with self._lock:
                    shell.commands.pop(command.key, None)
                command.join(timeout_s=1)
        return f"{SHELL}/SignalResponse", "<rsp:SignalResponse></rsp:SignalResponse>"

    def _find(self, shell: Shell, key: str) -> Command:
        with self._lock:
            command = shell.commands.get(key.upper())
        if command is None:
            raise not_found_fault("CommandId", key)
        return command


def _stop(shell: Shell) -> None:
    for command in shell.commands.values():
        command.stop()


def _child(body: ET.Element, name: str) -> ET.Element:
    element = body.find(f"{{{SHELL}}}{name}")
    if element is None:
        raise schema_fault(f"The SOAP body has no {name} element.")
    return element


def _streams(shell: ET.Element, element: str, known: set[str]) -> frozenset[str]:
    names = frozenset((shell.findtext(f"{{{SHELL}}}{element}") or "").split())
    if not names <= known:
        raise invalid_streams_fault(element, " ".join(sorted(names)))
    return names
