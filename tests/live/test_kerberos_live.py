"""Kerberos with a real MIT KDC: tickets got in every way, and why there is none, in a sentence and in time."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scanner.errors import AuthenticationError, NodeError
from scanner.inventory.model import Node, WinrmSettings
from scanner.lab.machines.windows import powershell_process
from scanner.lab.servers.certificates import CertificateAuthority
from scanner.lab.servers.wsman.server import ProcessOutput, ProcessRequest, WsmanServer
from scanner.secrets.secret import Secret
from scanner.transports.protocol import Limits
from scanner.transports.winrm.authentication import kerberos
from scanner.transports.winrm.transport import WinrmTransport
from tests.live.mit_kdc import FAKETIME, KRB5KDC, REALM, MitKdc, program

pytestmark = pytest.mark.live

USER = f"svc-preflight@{REALM}"
PASSWORD = "S3cret-pass"
SERVICE = "HTTP/localhost"
SCRIPT = "Get-Date # " + "x" * 40_000
Door = Callable[..., WinrmTransport]


@pytest.fixture(scope="session")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MitKdc]:
    if not KRB5KDC or not kerberos.available():
        missing = "no krb5kdc on this machine" if not KRB5KDC else "no gssapi and krb5 for Python here"
        (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)(missing)
    kdc = MitKdc(folder=tmp_path_factory.mktemp("kdc"))
    accounts = ("svc-preflight", "expired", "disabled", "late", "other")
    kdc.create(dict.fromkeys((*accounts, "HTTP/unkeyed.corp.example"), PASSWORD), SERVICE)
    kdc.administer(
        "modprinc -pwexpire yesterday expired",
        "modprinc -allow_tix disabled",
        "modprinc -expire yesterday late",
        f"ktadd -norandkey -k {kdc.folder}/client.keytab svc-preflight",
    )
    kdc.start()
    yield kdc
    kdc.stop()


@pytest.fixture(autouse=True)
def environment(kdc: MitKdc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """libkrb5 finds this KDC alone, a ticket cache of nobody's, and, as the node, its keytab."""
    monkeypatch.setenv("KRB5_CONFIG", str(kdc.folder / "krb5.conf"))
    monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/tickets")
    monkeypatch.setenv("KRB5_KTNAME", str(kdc.folder / "http.keytab"))
    monkeypatch.setenv("KRB5RCACHENAME", "none:")
    monkeypatch.delenv("KRB5_CLIENT_KTNAME", raising=False)
    monkeypatch.setattr(kerberos, "_caches", {})
    yield
    kdc.configure(kdc.port)


@pytest.fixture
def serve() -> Iterator[Callable[..., WsmanServer]]:
    """A listener that takes Kerberos and prints the script that it is given."""
    started: list[WsmanServer] = []

    def process(request: ProcessRequest) -> ProcessOutput:
        return powershell_process.run(request, lambda script: ProcessOutput(script.encode()))

    def start(**more: Any) -> WsmanServer:
        server = WsmanServer(process, **{"users": {"CORP\\svc-preflight": PASSWORD}, "auth": {"kerberos"}, **more})
        server.start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def door() -> Iterator[Door]:
    opened: list[WinrmTransport] = []

    def make(
        port: int, user: str = USER, password: str = PASSWORD, *, host: str = "localhost", **settings: Any
    ) -> WinrmTransport:
        given = {"scheme": "http", "connect_timeout_s": 10.0, **settings}
        secret = Secret(password) if password else None
        winrm = WinrmSettings(user=user, password=secret, auth="kerberos", port=port, **given)
        node = Node(
            cluster="vault",
            name="web1",
            host=host,
            product="secret-server",
            roles=("web",),
            transport="winrm",
            winrm=winrm,
        )
        opened.append(WinrmTransport(node, Limits(timeout_s=20, answer_bytes=1_000_000)))
        return opened[-1]

    yield make
    for transport in opened:
        transport.close()


def refusal(transport: WinrmTransport) -> NodeError:
    with pytest.raises(NodeError) as caught:
        transport.run(SCRIPT)
    told = f"{caught.value} {caught.value.hint} {caught.value!r}"
    assert PASSWORD not in told
    # Sentences: no tuples, no major and minor codes, no class names.
    assert not any(word in told for word in ("Major", "Minor", "GSSError", "SpnegoError", "Krb5Error", "(("))
    assert caught.value.hint
    return caught.value


def test_a_password_gets_a_ticket_in_memory(serve: Callable[..., WsmanServer], door: Door, tmp_path: Path) -> None:
    server = serve()
    before = dict(os.environ)
    transport = door(server.port)
    assert transport.run(SCRIPT).decode() == SCRIPT
    transport.close()
    assert (transport.usage.connections, transport.usage.requests) == (1, 5)
    assert [record.action for record in server.requests] == ["", "Create", "Command", "Receive", "Delete"]
    assert {record.auth for record in server.requests} == {"kerberos"}
    assert all(record.sealed for record in server.requests if record.action)
    assert server.open_shells == ()
    assert dict(os.environ) == before
    assert list(tmp_path.iterdir()) == []


def test_ones_own_ticket(serve: Callable[..., WsmanServer], door: Door, kdc: MitKdc, tmp_path: Path) -> None:
    kdc.kinit("svc-preflight", PASSWORD, tmp_path / "tickets")
    server = serve()
    for user in ("", USER):
        assert door(server.port, user, "").run(SCRIPT).decode() == SCRIPT


def test_a_keytab_of_the_caller(
    serve: Callable[..., WsmanServer], door: Door, kdc: MitKdc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KRB5_CLIENT_KTNAME", str(kdc.folder / "client.keytab"))
    assert door(serve().port, "", "").run(SCRIPT).decode() == SCRIPT


def test_over_https_the_login_is_bound_to_the_certificate(
    serve: Callable[..., WsmanServer], door: Door, tmp_path: Path
) -> None:
    authority = CertificateAuthority(tmp_path / "ca")
    server = serve(tls=authority.server(), hardening="strict")
    transport = door(server.port, scheme="https", ca_file=str(authority.certificate))
    assert transport.run(SCRIPT).decode() == SCRIPT
    transport.close()
    assert transport.usage.requests == 6
    # As if somebody in the middle showed a certificate of their own.
    behind = serve(tls=CertificateAuthority(tmp_path / "other").server(), hardening="strict")
    server._site.policy = behind._site.policy
    with pytest.raises(AuthenticationError, match=r"Kerberos login of \S+ at|rejects the Kerberos login"):
        door(server.port, scheme="https", ca_file=str(authority.certificate)).run(SCRIPT)


@pytest.mark.parametrize(
    ("user", "password", "said", "hint"),
    [
        (USER, "wrong", rf"the KDC refuses the password of {USER}", "lock the account"),
        (f"nobody@{REALM}", PASSWORD, rf"the KDC knows no account nobody@{REALM}", "`user`"),
        (f"expired@{REALM}", PASSWORD, r"the password of expired@\S+ has expired", "change it"),
        (f"disabled@{REALM}", PASSWORD, r"the KDC refuses disabled@\S+: the account is disabled", "Active Directory"),
        (f"late@{REALM}", PASSWORD, r"the KDC refuses late@\S+: the account", ""),
        ("svc-preflight@OTHER.EXAMPLE", PASSWORD, r"where the KDC of OTHER\.EXAMPLE is, this machine", "krb5.conf"),
        ("svc-preflight@corp.example", PASSWORD, r"where the KDC of corp\.example is", "capitals"),
        ("", "", r"there is no Kerberos ticket of yours", "kinit"),
        (USER, "", rf"there is no Kerberos ticket of {USER}", "kinit"),
    ],
)
def test_why_there_is_no_ticket(
    serve: Callable[..., WsmanServer], door: Door, user: str, password: str, said: str, hint: str
) -> None:
    server = serve()
    transport = door(server.port, user, password)
    error = refusal(transport)
    assert isinstance(error, AuthenticationError)
    with pytest.raises(AuthenticationError, match=said):
        raise error
    assert hint in error.hint
    # Before the conversation: nobody was troubled.
    assert (server.connections, transport.usage.requests) == (0, 0)


def test_a_wrong_password_is_tried_once_for_all_nodes(
    serve: Callable[..., WsmanServer], door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []
    kinit = kerberos._kinit

    def counting(user: str, password: str) -> str:
        tried.append(user)
        return kinit(user, password)

    monkeypatch.setattr(kerberos, "_kinit", counting)
    port = serve().port
    causes = {str(refusal(door(port, password="wrong"))) for _ in range(3)}
    assert (len(causes), tried) == (1, [USER])
    for _ in range(2):
        door(port).run(SCRIPT)
    assert tried == [USER, USER]


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ({"kerberos_hostname": "web9.corp.example"}, f"HTTP/web9.corp.example@{REALM}"),
        ({"service": "WSMAN"}, f"WSMAN/localhost@{REALM}"),
    ],
)
def test_an_unknown_service_is_named(
    serve: Callable[..., WsmanServer], door: Door, settings: dict[str, str], asked: str
) -> None:
    error = refusal(door(serve().port, **settings))
    assert f"the KDC knows no service {asked}" in str(error)
    assert "setspn" in error.hint


def test_a_ticket_that_the_node_cannot_read(serve: Callable[..., WsmanServer], door: Door) -> None:
    """The name belongs to another account: its key is not the node's."""
    server = serve()
    error = refusal(door(server.port, kerberos_hostname="unkeyed.corp.example"))
    assert "svc-preflight" in str(error) or "unkeyed" in str(error)
    assert "password" not in f"{error} {error.hint}"


def test_an_expired_ticket(
    serve: Callable[..., WsmanServer], door: Door, kdc: MitKdc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kdc.kinit("svc-preflight", PASSWORD, tmp_path / "tickets", "-l", "1s")
    while subprocess.run([program("klist"), "-s"], check=False).returncode == 0:
        time.sleep(0.1)
    for user in ("", USER):
        error = refusal(door(serve().port, user, ""))
        assert "has expired" in str(error)
        assert "kinit" in error.hint


def test_a_kdc_that_is_down(serve: Callable[..., WsmanServer], door: Door, kdc: MitKdc) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        kdc.configure(nobody.getsockname()[1])
        error = refusal(door(serve().port))
    assert f"no KDC of {REALM} answers" in str(error)
    assert "88" in error.hint


@pytest.mark.parametrize("listening", ["udp and tcp", "udp"])
def test_a_kdc_that_never_answers_costs_the_connect_timeout(
    serve: Callable[..., WsmanServer], door: Door, kdc: MitKdc, listening: str
) -> None:
    beats: list[float] = []
    over = threading.Event()

    def beat() -> None:
        while not over.wait(0.05):
            beats.append(time.monotonic())

    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        if listening != "udp":
            tcp.listen()
        udp.bind(tcp.getsockname())
        kdc.configure(tcp.getsockname()[1])
        heart = threading.Thread(target=beat)
        heart.start()
        began = time.monotonic()
        error = refusal(door(serve().port, connect_timeout_s=0.8))
        took = time.monotonic() - began
        over.set()
        heart.join()
    assert f"the KDC of {REALM} does not answer within 0.8 s" in str(error)
    assert 0.7 < took < 3
    # Others go on meanwhile: the library waits without holding the interpreter.
    assert len(beats) > 5


@pytest.mark.skipif(not FAKETIME, reason="no faketime on this machine")
def test_clocks_that_are_apart(
    serve: Callable[..., WsmanServer],
    door: Door,
    kdc: MitKdc,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kdc.stop()
    kdc.ahead = "+2h"
    try:
        kdc.start()
        error = refusal(door(serve().port))
    finally:
        kdc.stop()
        kdc.ahead = ""
        kdc.start()
    assert "clock" in f"{error} {error.hint}"
