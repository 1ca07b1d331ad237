"""What the tests of the WinRM transport share: lab servers, bare sockets, and transports that close themselves."""

from __future__ import annotations

import functools
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import pytest

from scanner.inventory.model import Node, WinrmSettings
from scanner.lab.machines.windows import powershell_process
from scanner.lab.servers.certificates import CertificateAuthority, TlsFiles
from scanner.lab.servers.wsman.server import ProcessOutput, ProcessRequest, WsmanServer
from scanner.secrets.secret import Secret
from scanner.transports.network.green.executor import POSSIBLE, GreenExecutor
from scanner.transports.powershell.script_delivery import NO_VARIABLES
from scanner.transports.protocol import Limits
from scanner.transports.winrm.transport import WinrmTransport

PASSWORDS = {"CORP\\svc-preflight": "S3cret pass!", "operator": "another; one"}
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def hostile_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that is dead, a .netrc with wrong credentials, a CA bundle that is none: none of it may matter.

    Nor is any name server asked for the KDC of CORP, which takes its time now and then.
    """
    kerberos = tmp_path / "krb5.conf"
    kerberos.write_text("[libdefaults]\n dns_lookup_kdc = false\n dns_lookup_realm = false\n")
    monkeypatch.setenv("KRB5_CONFIG", str(kerberos))
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login intruder password netrc-canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, "/nonexistent/bundle.pem")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def tls(authority: CertificateAuthority) -> TlsFiles:
    return authority.server()


def repeat(script: str) -> ProcessOutput:
    """Plays a script that prints itself."""
    return ProcessOutput(script.encode())


def process(request: ProcessRequest) -> ProcessOutput:
    return powershell_process.run(request, repeat)


@pytest.fixture
def serve() -> Iterator[Callable[..., WsmanServer]]:
    """Start a server whose PowerShell prints the script that it is given."""
    started: list[WsmanServer] = []

    def start(execute: Callable[[ProcessRequest], ProcessOutput] = process, **more: Any) -> WsmanServer:
        server = WsmanServer(execute, **{"users": PASSWORDS, **more})
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


class InLoop(WinrmTransport):
    """One whose conversation is held in a loop's thread, as a scan does on Linux."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._loop: GreenExecutor | None = None

    def run(self, script: str, variables: Mapping[str, str] = NO_VARIABLES) -> bytes:
        self._loop = GreenExecutor(1)
        return self._loop.submit(super().run, script, variables).result(PATIENCE_S)

    def close(self) -> None:
        loop, self._loop = self._loop, None
        if loop is None:
            super().close()
            return
        try:
            loop.submit(super().close).result(PATIENCE_S)
        finally:
            loop.shutdown(wait=True)


@pytest.fixture(params=["thread", pytest.param("loop", marks=pytest.mark.skipif(not POSSIBLE, reason="needs epoll"))])
def held_in(request: pytest.FixtureRequest) -> type[WinrmTransport]:
    """What a conversation is held in, and waits in its way."""
    return {"thread": WinrmTransport, "loop": InLoop}[request.param]


@pytest.fixture
def door(authority: CertificateAuthority, held_in: type[WinrmTransport]) -> Iterator[Callable[..., WinrmTransport]]:
    """A transport to a server or port; by default as the domain account over NTLM."""
    opened: list[WinrmTransport] = []

    def make(
        server: WsmanServer | int,
        *,
        timeout_s: float = 10.0,
        answer_bytes: int = 1_000_000,
        host: str = "127.0.0.1",
        password: str | None = None,
        gate: AbstractContextManager[object] | None = None,
        **settings: Any,
    ) -> WinrmTransport:
        port = server if isinstance(server, int) else server.port
        scheme = "https" if isinstance(server, WsmanServer) and server.endpoint.startswith("https") else "http"
        given = {"user": "CORP\\svc-preflight", "scheme": scheme, "port": port, "ca_file": str(authority.certificate)}
        given |= settings
        secret = Secret(PASSWORDS.get(str(given["user"]), "") if password is None else password)
        winrm = WinrmSettings(password=secret, connect_timeout_s=2.0, **given)  # type: ignore[arg-type]
        node = Node(
            cluster="vault",
            name="web1",
            host=host,
            product="secret-server",
            roles=("web",),
            transport="winrm",
            winrm=winrm,
        )
        limits = Limits(timeout_s=timeout_s, answer_bytes=answer_bytes)
        opened.append(held_in(node, limits, gate=gate))
        return opened[-1]

    yield make
    for transport in opened:
        transport.close()


@pytest.fixture
def listen() -> Iterator[Callable[[Callable[[socket.socket], None]], int]]:
    """A port behind which `behave` gets every connection, each in a thread of its own."""
    stopping = threading.Event()
    threads: list[threading.Thread] = []
    listeners: list[socket.socket] = []
    held: list[socket.socket] = []

    def serve_one(connection: socket.socket, behave: Callable[[socket.socket], None]) -> None:
        with connection, suppress(OSError):
            connection.settimeout(5)
            behave(connection)

    def accept(listener: socket.socket, behave: Callable[[socket.socket], None]) -> None:
        while not stopping.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                held.append(connection)
                threads.append(threading.Thread(target=serve_one, args=(connection, behave), daemon=True))
                threads[-1].start()

    def start(behave: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(0.1)
        listeners.append(listener)
        threads.append(threading.Thread(target=functools.partial(accept, listener, behave), daemon=True))
        threads[-1].start()
        return int(listener.getsockname()[1])

    yield start
    stopping.set()
    for connection in held:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join(5)
    for listener in listeners:
        listener.close()
