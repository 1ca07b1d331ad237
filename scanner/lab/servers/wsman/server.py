"""A WS-Management (WinRM) server for Windows Remote Shell on loopback, as strict as Windows is.

It does the real handshakes (NTLM with sealed messages, Basic, client certificates, TLS), keeps shells, commands and
quotas, and hands every command line to a function that plays the process. The lab and the tests run WinRM clients
against it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import os
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Collection, Mapping
from types import TracebackType
from typing import Self

from scanner.lab.servers.certificates import TlsFiles, endpoint_hash, upns
from scanner.lab.servers.psrp.peer import OpenPeer, Outbox, Peer
from scanner.lab.servers.wsman.account_rights import Right
from scanner.lab.servers.wsman.accounts import USER_FILE, Accounts
from scanner.lab.servers.wsman.auth import Hardening, Mechanism, Policy
from scanner.lab.servers.wsman.fault_hooks import BELOW_HTTP, WsmanFault, babble_garbage, hold, spoil
from scanner.lab.servers.wsman.host import ShellHost
from scanner.lab.servers.wsman.http import RequestRecord, Site, WsmanHandler
from scanner.lab.servers.wsman.process import Execute, ProcessOutput, ProcessRequest, WaitsForInputError
from scanner.lab.servers.wsman.sessions import SessionHost
from scanner.lab.servers.wsman.shell import QUOTAS_2008R2, Quotas
from scanner.lab.servers.wsman.soap_faults import access_denied_fault

__all__ = [
    "QUOTAS_2008R2",
    "Execute",
    "ProcessOutput",
    "ProcessRequest",
    "Quotas",
    "RequestRecord",
    "TlsFiles",
    "WaitsForInputError",
    "WsmanFault",
    "WsmanServer",
]


def _no_remoting(_user: str, _configuration: str, _creation: bytes, _outbox: Outbox) -> Peer:
    """As after Disable-PSRemoting."""
    raise access_denied_fault()


_JOIN_S = 10.0
_PAUSE_S = 0.05
_KEPT_REQUESTS = 10_000
"""A lab may be left running for days."""


class WsmanServer:
    """A WinRM listener on loopback. A context manager; `stop` leaves no thread and no socket."""

    def __init__(
        self,
        execute: Execute,
        *,
        users: Mapping[str, str],
        host: str = "127.0.0.1",
        port: int = 0,
        tls: TlsFiles | None = None,
        auth: Collection[Mechanism] = frozenset({"ntlm"}),
        allow_unencrypted: bool = False,
        hardening: Hardening = "relaxed",
        quotas: Quotas | None = None,
        machine: str = "LAB",
        faults: Collection[WsmanFault] = frozenset(),
        slow_s: float = 3.0,
        late_end: bool = False,
        babble_bytes: int = 50_000_000,
        dribble_interval_s: float = 1.0,
        wmi_quota_faults: bool = False,
        rights: Mapping[str, Right] | None = None,
        open_peer: OpenPeer | None = None,
        configurations: Collection[str] = (),
    ) -> None:
        """`users`: account to password, 'CORP\\svc' for a domain account, 'svc' for a local one.

        Basic and certificates reach local accounts only, as on Windows. `slow_s` is how long a process takes under
        WsmanFault.SLOW, with operation timeouts of one second. `late_end`: the exit code comes in an answer of its own,
        as from a process that lingers after its last output. `wmi_quota_faults`: quota faults as MSFT_WmiError, the
        other shape that Windows gives them. `rights`: what each account is, by default an administrator. `open_peer`:
        the PowerShell behind remoting sessions, and `configurations` what is registered beside Microsoft.PowerShell;
        those are open for every account that may log in.
        """
        self._address = (host, port)
        self._execute = execute
        self._slow_s = slow_s
        self._babble_bytes = babble_bytes
        quotas = quotas or Quotas()
        if WsmanFault.SLOW in faults:
            quotas = dataclasses.replace(quotas, max_timeout_s=min(1.0, quotas.max_timeout_s))
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"the lab serves loopback only, not {host}")
        self._stopping = threading.Event()
        accounts = Accounts(users, machine, rights or {})
        sessions = SessionHost(
            open_peer or _no_remoting,
            quotas,
            lambda: self.endpoint,
            machine,
            rights=accounts.right,
            configurations=frozenset(configurations),
        )
        self._site = Site(
            policy=Policy(
                accounts=accounts,
                mechanisms=frozenset(auth),
                tls=tls is not None,
                allow_unencrypted=allow_unencrypted,
                hardening=hardening,
                channel_bindings=endpoint_hash(tls.certificate) if tls else None,
            ),
            host=ShellHost(
                self._process,
                quotas,
                lambda: self.endpoint,
                machine,
                late_end=late_end,
                sessions=sessions,
                rights=accounts.right,
            ),
            quotas=quotas,
            machine=machine,
            faults=frozenset(faults),
            wmi_quota_faults=wmi_quota_faults,
            dribble_interval_s=dribble_interval_s,
            stopping=self._stopping,
            records=deque(maxlen=_KEPT_REQUESTS),
            logins=set(),
        )
        self._tls = self._tls_context(tls) if tls else None
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._lock = threading.Lock()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._accepted = 0

    @property
    def port(self) -> int:
        """The port that is listened on; the one given, or the one found when 0 was given, once started."""
        return self._address[1]

    @property
    def endpoint(self) -> str:
        """The URL that clients take."""
        return f"{'https' if self._tls else 'http'}://{self._address[0]}:{self.port}/wsman"

    @property
    def open_shells(self) -> tuple[str, ...]:
        """Ids of the shells that nobody has deleted."""
        return self._site.host.open_shells

    @property
    def requests(self) -> tuple[RequestRecord, ...]:
        """The HTTP requests so far (the last 10,000), in the order of their answers; hung ones have none."""
        return tuple(self._site.records)

    @property
    def connections(self) -> int:
        """TCP connections accepted so far."""
        return self._accepted

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            if os.name == "posix":
                # For a given port that was just in use; on Windows the option means taking a port from its owner.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(self._address)
            self._address = (self._address[0], int(listener.getsockname()[1]))
            if WsmanFault.REFUSE not in self._site.faults:
                listener.listen(128)
        except OSError:
            listener.close()
            raise
        self._listener = listener
        self._stopping.clear()
        USER_FILE.acquire()
        if WsmanFault.REFUSE not in self._site.faults:
            self._acceptor = threading.Thread(
                target=self._accept, args=(listener,), name=f"wsman-{self.port}", daemon=True
            )
            self._acceptor.start()

    def stop(self) -> None:
        """End all shells and connections, and wait for their threads. May be called twice."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        self._stopping.set()
        if self._acceptor is not None:
            # A thread in accept() wakes up for a connection everywhere, for a closed socket on some systems only.
            with contextlib.suppress(OSError), socket.create_connection(self._address, timeout=1):
                pass
            self._acceptor.join(_JOIN_S)
            self._acceptor = None
        listener.close()
        self.drop_connections()
        self._site.host.close()
        with self._lock:
            threads = list(self._connections)
        deadline = time.monotonic() + _JOIN_S
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        USER_FILE.release()

    def drop_connections(self) -> None:
        """Cut all connections; shells stay."""
        with self._lock:
            connections = list(self._connections.values())
        for connection in connections:
            with contextlib.suppress(OSError):
                # Not SSLSocket's own, which takes TLS away under the thread that speaks it.
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def forget_logins(self) -> None:
        """Drop the NTLM logins and keep the connections open, as happens when an account's token expires."""
        for login in tuple(self._site.logins):
            login.forget()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, client = listener.accept()
            except OSError:
                # Out of descriptors, say: others may give some back.
                if self._stopping.wait(_PAUSE_S):
                    return
                continue
            if self._stopping.is_set():
                connection.close()
                return
            self._accepted += 1
            thread = threading.Thread(
                target=self._serve,
                args=(connection, client[:2], self._accepted),
                name=f"wsman-{self.port}-{self._accepted}",
                daemon=True,
            )
            with self._lock:
                self._connections[thread] = connection
            thread.start()

    def _serve(self, connection: socket.socket, client: tuple[str, int], number: int) -> None:
        thread = threading.current_thread()
        try:
            if below := BELOW_HTTP & self._site.faults:
                if WsmanFault.GARBAGE in below:
                    babble_garbage(connection)
                else:
                    hold(connection, self._stopping)
                return
            names: frozenset[str] = frozenset()
            if self._tls is not None:
                connection.settimeout(_JOIN_S)
                secured = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                with self._lock:
                    self._connections[thread] = connection = secured
                secured.do_handshake()
                certificate = secured.getpeercert(binary_form=True)
                names = upns(certificate) if certificate else names
            WsmanHandler(connection, client, self._site, names, number)
        except OSError:
            # The client went away, or does not trust us: its business.
            return
        finally:
            with self._lock:
                self._connections.pop(thread, None)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _process(self, request: ProcessRequest) -> ProcessOutput:
        if WsmanFault.SLOW in self._site.faults:
            self._stopping.wait(self._slow_s)
        return spoil(request, self._execute, self._site.faults, self._babble_bytes)

    @staticmethod
    def _tls_context(files: TlsFiles) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # Whatever key a scenario wants to show.
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.load_cert_chain(files.certificate, files.key)
        if files.client_ca is not None:
            context.load_verify_locations(files.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context
