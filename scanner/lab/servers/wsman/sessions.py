"""PowerShell remoting's sessions of a WS-Man server: what each action does to them ([MS-PSRP] 3.1.5.3).

What Windows was seen to do: the pool's words come in two or three answers, and a pipeline's end with its last ones.
"""

from __future__ import annotations

import base64
import binascii
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import field
from xml.sax.saxutils import escape

from checks.common.dataclass import dataclass
from scanner.lab.servers.psrp.peer import OpenPeer, Outbox, Peer
from scanner.lab.servers.wsman.account_rights import Right
from scanner.lab.servers.wsman.in_use import in_use
from scanner.lab.servers.wsman.messages import SHELL, TRANSFER, FaultError, Request, duration_s
from scanner.lab.servers.wsman.shell import Quotas, child, key_of
from scanner.lab.servers.wsman.soap_faults import (
    aborted_fault,
    access_denied_fault,
    configuration_fault,
    invalid_streams_fault,
    not_found_fault,
    schema_fault,
    shell_quota_fault,
    timed_out_fault,
)

POWERSHELL = "http://schemas.microsoft.com/powershell/"
DEFAULT_CONFIGURATION = "Microsoft.PowerShell"
_CREATION = "{http://schemas.microsoft.com/powershell}creationXml"
_MARGIN_BYTES = 2048
_DEFAULT_IDLE_S = 7200.0
_TERMINATE = f"{SHELL}/signal/terminate"
_SIGNALS = (_TERMINATE, f"{SHELL}/signal/ctrl_c", "powershell/signal/crtl_c")


@dataclass(slots=True, kw_only=True)
class _Session:
    key: str
    owner: str
    configuration: str
    outbox: Outbox
    peer: Peer
    idle_timeout_s: float
    pipelines: set[str] = field(default_factory=set)
    busy: int = 0
    touched_s: float = field(default_factory=time.monotonic)


class SessionHost:
    """All remoting sessions of one server. Thread safe."""

    def __init__(
        self,
        open_peer: OpenPeer,
        quotas: Quotas,
        address: Callable[[], str],
        machine: str,
        *,
        rights: Callable[[str], Right],
        configurations: frozenset[str],
    ) -> None:
        """`configurations`: those that are registered beside Microsoft.PowerShell, open for everybody."""
        self._open_peer = open_peer
        self._quotas = quotas
        self._address = address
        self._machine = machine
        self._rights = rights
        self._configurations = {name.lower() for name in configurations}
        self._lock = threading.Lock()
        self._sessions: dict[str, _Session] = {}
        self.actions: dict[str, Callable[[Request, str, str], tuple[str, str]]] = {
            f"{TRANSFER}/Create": self._create,
            f"{TRANSFER}/Delete": self._delete,
            f"{SHELL}/Command": self._command,
            f"{SHELL}/Send": self._send,
            f"{SHELL}/Receive": self._receive,
            f"{SHELL}/Signal": self._signal,
        }

    @property
    def open_sessions(self) -> tuple[str, ...]:
        """Ids of the sessions that are open."""
        with self._lock:
            return tuple(self._sessions)

    def count(self, user: str) -> int:
        """How many sessions `user` has open; they count as shells."""
        with self._lock:
            return sum(session.owner == user for session in self._sessions.values())

    def close(self) -> None:
        """End all sessions."""
        with self._lock:
            sessions = list(self._sessions.values())
            self._sessions.clear()
        for session in sessions:
            session.outbox.close()
            session.peer.close()

    def reap(self) -> None:
        """Close the sessions whose idle time is up."""
        now = time.monotonic()
        with self._lock:
            idle = [
                session
                for session in self._sessions.values()
                if not session.busy and now - session.touched_s > session.idle_timeout_s
            ]
            for session in idle:
                del self._sessions[session.key]
        for session in idle:
            session.outbox.close()
            session.peer.close()

    def _create(self, request: Request, user: str, client_ip: str) -> tuple[str, str]:
        configuration = request.resource_uri.removeprefix(POWERSHELL)
        standard = configuration.lower() == DEFAULT_CONFIGURATION.lower()
        if not standard and configuration.lower() not in self._configurations:
            raise configuration_fault(request.resource_uri)
        if standard and not self._rights(user).opens_sessions:
            raise access_denied_fault()
        if request.options.get("protocolversion", "") not in ("2.0", "2.1", "2.2", "2.3"):
            raise FaultError(2150858835, "The option protocolversion has no valid value.", subcode="w:InvalidOptions")
        shell = child(request.body, "Shell")
        idle = shell.findtext(f"{{{SHELL}}}IdleTimeOut")
        idle_s = _DEFAULT_IDLE_S if idle is None else duration_s(idle)
        if idle_s is None:
            raise schema_fault(f"The element IdleTimeOut is not a valid duration: {idle}.")
        creation = _decoded(shell.findtext(_CREATION) or "")
        if not creation:
            raise schema_fault("The element creationXml is missing.")
        if self.count(user) >= self._quotas.max_shells_per_user:
            raise shell_quota_fault(self._quotas.max_shells_per_user)
        key = key_of(shell.get("ShellId"))
        outbox = Outbox()
        peer = self._open_peer(user, configuration, creation, outbox)
        with self._lock:
            self._sessions[key] = _Session(
                key=key, owner=user, configuration=configuration, outbox=outbox, peer=peer, idle_timeout_s=idle_s
            )
        owner = user if "\\" in user else f"{self._machine}\\{user}"
        return f"{TRANSFER}/CreateResponse", (
            f"<x:ResourceCreated><a:Address>{self._address()}</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{escape(request.resource_uri)}</w:ResourceURI><w:SelectorSet>"
            f'<w:Selector Name="ShellId">{key}</w:Selector></w:SelectorSet></a:ReferenceParameters>'
            f"</x:ResourceCreated><rsp:Shell><rsp:ShellId>{key}</rsp:ShellId>"
            f"<rsp:ResourceUri>{escape(request.resource_uri)}</rsp:ResourceUri><rsp:Owner>{escape(owner)}</rsp:Owner>"
            f"<rsp:ClientIP>{client_ip}</rsp:ClientIP><rsp:ProcessId>3920</rsp:ProcessId>"
            f"<rsp:IdleTimeOut>PT{idle_s:.3f}S</rsp:IdleTimeOut><rsp:InputStreams>stdin pr</rsp:InputStreams>"
            "<rsp:OutputStreams>stdout</rsp:OutputStreams><rsp:CompressionMode>NoCompression</rsp:CompressionMode>"
            "<rsp:State>Connected</rsp:State></rsp:Shell>"
        )

    def _delete(self, request: Request, user: str, _client_ip: str) -> tuple[str, str]:
        with in_use(request, user, self._sessions, self._lock) as session, self._lock:
            self._sessions.pop(session.key, None)
        session.outbox.close()
        session.peer.close()
        return f"{TRANSFER}/DeleteResponse", ""

    def _command(self, request: Request, user: str, _client_ip: str) -> tuple[str, str]:
        element = child(request.body, "CommandLine")
        fragments = b"".join(_decoded(each.text or "") for each in element.iterfind(f"{{{SHELL}}}Arguments"))
        with in_use(request, user, self._sessions, self._lock) as session:
            key = key_of(element.get("CommandId"))
            session.pipelines.add(key)
            session.peer.begin(key, fragments)
        body = f"<rsp:CommandResponse><rsp:CommandId>{key}</rsp:CommandId></rsp:CommandResponse>"
        return f"{SHELL}/CommandResponse", body

    def _send(self, request: Request, user: str, _client_ip: str) -> tuple[str, str]:
        streams = child(request.body, "Send").findall(f"{{{SHELL}}}Stream")
        with in_use(request, user, self._sessions, self._lock) as session:
            for stream in streams:
                if stream.get("Name") not in ("stdin", "pr"):
                    raise invalid_streams_fault("input", stream.get("Name", ""))
                session.peer.send(self._pipeline(session, stream), _decoded(stream.text or ""))
        return f"{SHELL}/SendResponse", "<rsp:SendResponse></rsp:SendResponse>"

    def _receive(self, request: Request, user: str, _client_ip: str) -> tuple[str, str]:
        desired = child(request.body, "Receive").find(f"{{{SHELL}}}DesiredStream")
        if desired is None:
            raise schema_fault("The element DesiredStream is missing.")
        if (desired.text or "").strip() != "stdout":
            raise invalid_streams_fault("output", desired.text or "")
        with in_use(request, user, self._sessions, self._lock) as session:
            key = self._pipeline(session, desired)
            wait_s = min(request.operation_timeout_s, self._quotas.max_timeout_s)
            room = (request.max_envelope_bytes - _MARGIN_BYTES) // 4 * 3
            try:
                taken = session.outbox.take(key, wait_s, room)
            except EOFError:
                raise aborted_fault() from None
            if taken is None:
                raise timed_out_fault()
            data, done = taken
            if done:
                session.pipelines.discard(key)
        of = f' CommandId="{key}"' if key else ""
        stream = f'<rsp:Stream Name="stdout"{of}>{base64.b64encode(data).decode()}</rsp:Stream>' if data else ""
        state = ""
        if done:
            state = (
                f'<rsp:CommandState CommandId="{key}" State="{SHELL}/CommandState/Done">'
                "<rsp:ExitCode>0</rsp:ExitCode></rsp:CommandState>"
            )
        return f"{SHELL}/ReceiveResponse", f"<rsp:ReceiveResponse>{stream}{state}</rsp:ReceiveResponse>"

    def _signal(self, request: Request, user: str, _client_ip: str) -> tuple[str, str]:
        element = child(request.body, "Signal")
        code = (element.findtext(f"{{{SHELL}}}Code") or "").strip()
        if code not in _SIGNALS:
            raise FaultError(2150858809, f"The signal {code} is not supported.", subcode="w:InvalidParameter")
        with in_use(request, user, self._sessions, self._lock) as session:
            key = self._pipeline(session, element)
            session.peer.stop(key)
            if code == _TERMINATE:
                session.pipelines.discard(key)
        return f"{SHELL}/SignalResponse", "<rsp:SignalResponse></rsp:SignalResponse>"

    @staticmethod
    def _pipeline(session: _Session, element: ET.Element) -> str:
        key = (element.get("CommandId") or "").upper()
        if key and key not in session.pipelines:
            raise not_found_fault("CommandId", key)
        return key


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise schema_fault("The stream is not base64.") from None
