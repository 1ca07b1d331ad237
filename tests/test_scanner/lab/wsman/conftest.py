"""What the tests of the WS-Man server share: servers and stock pywinrm clients that close themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from winrm.protocol import Protocol

from scanner.lab.servers.certificates import CertificateAuthority, TlsFiles
from scanner.lab.servers.wsman.http import WsmanHandler
from scanner.lab.servers.wsman.server import ProcessOutput, ProcessRequest, WsmanServer

USERS = {"CORP\\svc-preflight": "S3cret pass!", "operator": "another; ünï"}

Output = tuple[bytes, bytes, int]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    # pywinrm has requests set the variable and take it away for each message, over which threads stumble (KeyError);
    # what is there is put back as it was.
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection is closed for being idle: on a machine that is held up, a client's next message may come late."""
    monkeypatch.setattr(WsmanHandler, "timeout", None)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def tls(authority: CertificateAuthority) -> TlsFiles:
    return authority.server()


@pytest.fixture
def users() -> dict[str, str]:
    """A domain account and a local one, with their passwords."""
    return dict(USERS)


def echo(request: ProcessRequest) -> ProcessOutput:
    """Plays a process that says what it was asked, fields apart by bars."""
    words = [request.command_line, str(request.codepage), request.user, request.stdin.decode("latin-1")]
    words += [f"{name}={value}" for name, value in sorted(request.environment.items())]
    return ProcessOutput("|".join(words).encode(), b"some complaint", 7)


@pytest.fixture
def serve() -> Iterator[Callable[..., WsmanServer]]:
    """Start a server; without `execute` it echoes, without `users` it has the two accounts."""
    started: list[WsmanServer] = []

    def start(execute: Callable[[ProcessRequest], ProcessOutput] = echo, **more: Any) -> WsmanServer:
        server = WsmanServer(execute, **{"users": USERS, **more})
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def connect(authority: CertificateAuthority) -> Iterator[Callable[..., Protocol]]:
    """Make a client: NTLM as the domain account unless told otherwise."""
    opened: list[Protocol] = []

    def make(
        server: WsmanServer, user: str = "CORP\\svc-preflight", password: str | None = None, **more: Any
    ) -> Protocol:
        settings = {"transport": "ntlm", "proxy": None, "operation_timeout_sec": 5, "read_timeout_sec": 20, **more}
        if server.endpoint.startswith("https"):
            settings.setdefault("ca_trust_path", str(authority.certificate))
        password = USERS[user] if password is None else password
        opened.append(Protocol(server.endpoint, username=user, password=password, **settings))
        return opened[-1]

    yield make
    for client in opened:
        client.transport.close_session()


@pytest.fixture
def run() -> Callable[..., Output]:
    """One command in a shell of its own, as pywinrm's Session does it."""

    def once(client: Protocol, command: str = "whoami") -> Output:
        shell = client.open_shell()
        try:
            key = client.run_command(shell, command)
            out: Output = client.get_command_output(shell, key)
            client.cleanup_command(shell, key)
            return out
        finally:
            client.close_shell(shell)

    return once
