"""What each WS-Man action does to the shells of a server, within which quotas.

Sources: [MS-WSMV] 3.1.4.5.2 and 3.1.4.11 to 3.1.4.15; winrm/config and its defaults on 2008 R2 and 2012 R2.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from xml.sax.saxutils import escape

from scanner.lab.servers.wsman.account_rights import Right
from scanner.lab.servers.wsman.command import Command
from scanner.lab.servers.wsman.in_use import in_use
from scanner.lab.servers.wsman.messages import CMD_RESOURCE, SHELL, TRANSFER, FaultError, Request, answer
from scanner.lab.servers.wsman.process import Execute, ProcessRequest
from scanner.lab.servers.wsman.sessions import POWERSHELL, SessionHost
from scanner.lab.servers.wsman.shell import Quotas, Shell, child, key_of, read_shell
from scanner.lab.servers.wsman.soap_faults import (
    access_denied_fault,
    invalid_streams_fault,
    not_found_fault,
    operations_fault,
    processes_fault,
    schema_fault,
    shell_quota_fault,
)

_ENVELOPE_MARGIN_BYTES = 2048
"""Room for everything in a Receive answer that is not output."""
_ENDING = {f"{TRANSFER}/Delete", f"{SHELL}/Signal"}
_SIGNALS = {f"{SHELL}/signal/{name}" for name in ("terminate", "ctrl_c", "ctrl_break")} | {
    # The spelling of [MS-WSMV] 2.2.4.38 for Windows Vista.
    f"{SHELL}/signal/Terminate"
}


class ShellHost:
    """All shells of one server. Thread safe."""

    def __init__(
        self,
        execute: Execute,
        quotas: Quotas,
        address: Callable[[], str],
        machine: str,
        *,
        late_end: bool,
        sessions: SessionHost,
        rights: Callable[[str], Right],
    ) -> None:
        """`sessions` are what the resources of PowerShell go to; they count as shells."""
        self._execute = execute
        self._sessions = sessions
        self._rights = rights
        self._late_end = late_end
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
            return (*self._shells, *self._sessions.open_sessions)

    def close(self) -> None:
        """End all shells and wait for their processes."""
        self._sessions.close()
        with self._lock:
            shells = list(self._shells.values())
            self._shells.clear()
        for shell in shells:
            shell.stop()
        for shell in shells:
            for command in shell.commands.values():
                command.join(timeout_s=5)

    def handle(self, request: Request, user: str, client_ip: str) -> bytes:
        """Do what `request` asks for `user`. Raises FaultError."""
        try:
            handler = self._handler(request)
            with self._operation(user, ends=request.action in _ENDING):
                action, body = handler(request, user, client_ip)
        except FaultError as error:
            error.relates_to = request.message_id
            raise
        return answer(action, request.message_id, body)

    def _handler(self, request: Request) -> Callable[[Request, str, str], tuple[str, str]]:
        actions = self._actions
        if request.resource_uri.startswith(POWERSHELL):
            self._sessions.reap()
            actions = self._sessions.actions
        elif request.resource_uri.rstrip("/") != CMD_RESOURCE:
            raise FaultError(
                2150858754,
                f"The WS-Management service cannot process the request. The resource URI {request.resource_uri} "
                "was not found.",
                subcode="a:DestinationUnreachable",
                detail="InvalidResourceURI",
            )
        handler = actions.get(request.action)
        if handler is None:
            raise FaultError(
                2150858753,
                f"The WS-Addressing action URI {request.action} is invalid.",
                subcode="a:ActionNotSupported",
            )
        return handler

    @contextlib.contextmanager
    def _operation(self, user: str, *, ends: bool) -> Iterator[None]:
        limit = self._quotas.max_operations_per_user
        with self._lock:
            self._reap()
            # A command that nobody has received to its end or ended by a Signal is an operation too. Ending one is
            # always allowed.
            unfinished = sum(
                not command.finished
                for shell in self._shells.values()
                if shell.owner == user
                for command in shell.commands.values()
            )
            if not ends and self._operations[user] + unfinished >= limit:
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
                self._shells.pop(shell.key).stop()

    def _create(self, request: Request, user: str, client_ip: str) -> tuple[str, str]:
        if not self._rights(user).opens_shells:
            raise access_denied_fault()
        shell = read_shell(request, user)
        with self._lock:
            shells = sum(other.owner == user for other in self._shells.values())
            if shells + self._sessions.count(user) >= self._quotas.max_shells_per_user:
                raise shell_quota_fault(self._quotas.max_shells_per_user)
            self._shells[shell.key] = shell
        owner = user if "\\" in user else f"{self._machine}\\{user}"
        return f"{TRANSFER}/CreateResponse", (
            f"<x:ResourceCreated><a:Address>{self._address()}</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{CMD_RESOURCE}</w:ResourceURI><w:SelectorSet>"
            f'<w:Selector Name="ShellId">{shell.key}</w:Selector></w:SelectorSet></a:ReferenceParameters>'
            f"</x:ResourceCreated><rsp:Shell><rsp:ShellId>{shell.key}</rsp:ShellId>"
            f"<rsp:ResourceUri>{CMD_RESOURCE}</rsp:ResourceUri><rsp:Owner>{escape(owner)}</rsp:Owner>"
            f"<rsp:ClientIP>{client_ip}</rsp:ClientIP><rsp:IdleTimeOut>PT{shell.idle_timeout_s:.3f}S</rsp:IdleTimeOut>"
            f"<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams>"
            f"<rsp:ShellRunTime>P0DT0H0M0S</rsp:ShellRunTime><rsp:ShellInactivity>P0DT0H0M0S</rsp:ShellInactivity>"
            f"</rsp:Shell>"
        )

    def _delete(self, request: Request, user: str, _client_ip: str) -> tuple[str, str]:
        with in_use(request, user, self._shells, self._lock) as shell, self._lock:
            self._shells.pop(shell.key, None)
        shell.stop()
        for command in shell.commands.values():
            command.join(timeout_s=1)
        return f"{TRANSFER}/DeleteResponse", ""

    def _command(self, request: Request, user: str, _client_ip: str) -> tuple[str, str]:
        element = child(request.body, "CommandLine")
        words = [element.findtext(f"{{{SHELL}}}Command") or ""]
        words += [argument.text or "" for argument in element.iterfind(f"{{{SHELL}}}Arguments")]
        if not words[0].strip():
            raise schema_fault("The element Command is missing or empty.")
        with in_use(request, user, self._shells, self._lock) as shell:
            key = key_of(element.get("CommandId"))
            process = ProcessRequest(
                command_line=" ".join(words),
                environment=dict(shell.environment),
                codepage=shell.codepage,
                console_mode_stdin=request.flag("WINRS_CONSOLEMODE_STDIN", default=True),
                working_directory=shell.working_directory,
                user=shell.owner,
            )
            with self._lock:
                # Windows keeps a finished command until its Signal, and counts it.
                if len(shell.commands) >= self._quotas.max_processes_per_shell:
                    raise processes_fault()
                shell.commands[key] = Command(key, process, self._execute, late_end=self._late_end)
        body = f"<rsp:CommandResponse><rsp:CommandId>{key}</rsp:CommandId></rsp:CommandResponse>"
        return f"{SHELL}/CommandResponse", body

    def _send(self, request: Request, user: str, _client_ip: str) -> tuple[str, str]:
        streams = child(request.body, "Send").findall(f"{{{SHELL}}}Stream")
        if not streams:
            raise schema_fault("The element Stream is missing.")
        with in_use(request, user, self._shells, self._lock) as shell:
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
        desired = child(request.body, "Receive").find(f"{{{SHELL}}}DesiredStream")
        if desired is None:
            raise schema_fault("The element DesiredStream is missing.")
        with in_use(request, user, self._shells, self._lock) as shell:
            wanted = frozenset((desired.text or "").split())
            if not wanted or not wanted <= shell.output_streams:
                raise invalid_streams_fault("output", desired.text or "")
            command = self._find(shell, desired.get("CommandId", ""))
            room = request.max_envelope_bytes - _ENVELOPE_MARGIN_BYTES
            body = command.receive(wanted, min(request.operation_timeout_s, self._quotas.max_timeout_s), room)
        return f"{SHELL}/ReceiveResponse", body

    def _signal(self, request: Request, user: str, _client_ip: str) -> tuple[str, str]:
        element = child(request.body, "Signal")
        code = (element.findtext(f"{{{SHELL}}}Code") or "").strip()
        if code not in _SIGNALS:
            raise FaultError(2150858809, f"The signal {code} is not supported.", subcode="w:InvalidParameter")
        with in_use(request, user, self._shells, self._lock) as shell:
            command = self._find(shell, element.get("CommandId", ""))
            if not code.lower().endswith("terminate"):
                command.interrupt()
            else:
                command.stop()
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
