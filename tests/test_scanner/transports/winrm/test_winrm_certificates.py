"""Certificates over real sockets: whom `ca_file` makes us believe, and one cause for each thing that can be wrong."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from scanner.errors import ProtocolError, UntrustedPeerError
from scanner.lab.servers.certificates import FLAWS, CertificateAuthority, TlsFiles
from scanner.lab.servers.wsman.server import WsmanServer
from scanner.transports.network.green.executor import POSSIBLE, GreenExecutor
from scanner.transports.tls.inspection import look
from scanner.transports.winrm.transport import WinrmTransport

Serve = Callable[..., WsmanServer]
Door = Callable[..., WinrmTransport]
SMALL = "Get-Date"
TODAY = dt.datetime.now(tz=dt.UTC)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("root"), "a company's root")


@pytest.fixture(scope="module")
def issuing(root: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("issuing"), "a company's issuing authority", root)


def with_chain(files: TlsFiles, *more: CertificateAuthority) -> TlsFiles:
    """As a node that sends the authorities between it and the root, too."""
    chain = files.certificate.with_suffix(".chain.pem")
    chain.write_bytes(b"".join([files.certificate.read_bytes(), *(one.certificate.read_bytes() for one in more)]))
    return TlsFiles(chain, files.key)


@pytest.mark.parametrize("sent", ["alone", "with its chain"])
@pytest.mark.parametrize("trusted", ["root", "issuing", "both", "itself", "root as DER", "a folder"])
def test_root_and_issuing_authority_will_do_alike(
    serve: Serve,
    door: Door,
    root: CertificateAuthority,
    issuing: CertificateAuthority,
    tmp_path: Path,
    trusted: str,
    sent: str,
) -> None:
    files = issuing.server(f"server-{trusted}-{sent}".replace(" ", "-"))
    # With an authority for clients' certificates OpenSSL would send that one along.
    shown = with_chain(files, issuing) if sent == "with its chain" else TlsFiles(files.certificate, files.key)
    ca_file = tmp_path / "ca"
    if trusted == "a folder":
        ca_file.mkdir()
        loaded = x509.load_pem_x509_certificate(issuing.certificate.read_bytes())
        # As `openssl rehash` names it.
        name = f"{_subject_hash(loaded, tmp_path):08x}.0"
        (ca_file / name).write_bytes(issuing.certificate.read_bytes())
    elif trusted == "root as DER":
        loaded = x509.load_pem_x509_certificate(root.certificate.read_bytes())
        ca_file.write_bytes(loaded.public_bytes(serialization.Encoding.DER))
    else:
        held = {"root": [root.certificate], "issuing": [issuing.certificate], "itself": [files.certificate]}
        held["both"] = [*held["root"], *held["issuing"]]
        ca_file.write_bytes(b"".join(path.read_bytes() for path in held[trusted]))
    transport = door(serve(tls=shown), ca_file=str(ca_file))
    if sent == "alone" and trusted.startswith("root"):
        with pytest.raises(UntrustedPeerError, match=r"issued by a company's issuing authority") as caught:
            transport.run(SMALL)
        assert "put the issuing authority's into it" in caught.value.hint
    else:
        assert transport.run(SMALL) == SMALL.encode()


def _subject_hash(certificate: x509.Certificate, folder: Path) -> int:
    import subprocess

    path = folder / "hashed.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    said = subprocess.run(
        ["openssl", "x509", "-noout", "-hash", "-in", path], capture_output=True, text=True, check=True
    )
    return int(said.stdout, 16)


@pytest.mark.parametrize(
    ("fault", "said", "hint"),
    [
        (
            "expired-certificate",
            rf"has expired on {TODAY - dt.timedelta(days=1):%Y-%m-%d}; this machine's clock",
            "order",
        ),
        ("not-yet-valid-certificate", rf"not valid yet before {TODAY + dt.timedelta(days=1):%Y-%m-%d}", "clock first"),
        ("weak-certificate", r"too weak \(RSA 1024, SHA256\)", "RSA 2048"),
        (
            "wrong-purpose-certificate",
            r"not made for servers \(it is for: client authentication\)",
            "1.3.6.1.5.5.7.3.1",
        ),
    ],
)
def test_each_flaw_has_a_cause_of_its_own(
    serve: Serve, door: Door, root: CertificateAuthority, fault: str, said: str, hint: str
) -> None:
    server = serve(tls=root.server(fault, flaw=FLAWS[fault]))
    transport = door(server, ca_file=str(root.certificate))
    with pytest.raises(UntrustedPeerError, match=said) as caught:
        transport.run(SMALL)
    assert hint in caught.value.hint
    # The second look asks nothing.
    assert server.requests == ()
    assert transport.usage.connections == 2


def test_a_name_is_told_with_those_that_it_should_have_been(
    serve: Serve, door: Door, root: CertificateAuthority
) -> None:
    names = ("web1.corp.example", "web1", "10.9.8.7", *(f"alias{n}.corp.example" for n in range(4)))
    server = serve(tls=root.server("elsewhere", hosts=names))
    said = r"not made out to 127\.0\.0\.1, but to web1\.corp\.example, web1, alias0\.corp\.example, .* and 3 more"
    with pytest.raises(UntrustedPeerError, match=said) as caught:
        door(server, ca_file=str(root.certificate)).run(SMALL)
    assert "`host`" in caught.value.hint


def test_one_that_signed_itself_is_told_as_that(serve: Serve, door: Door, tmp_path: Path) -> None:
    lonely = CertificateAuthority(tmp_path, "localhost")
    key = lonely.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "lonely.key").write_bytes(key)
    server = serve(tls=TlsFiles(lonely.certificate, tmp_path / "lonely.key"))
    with pytest.raises(UntrustedPeerError, match=r"self-signed certificate \(for localhost\)") as caught:
        door(server, ca_file="").run(SMALL)
    assert "set `ca_file` to that very certificate" in caught.value.hint


def test_the_authority_that_is_missing_is_named(serve: Serve, door: Door, root: CertificateAuthority) -> None:
    server = serve(tls=root.server("unknown"))
    with pytest.raises(UntrustedPeerError, match=r"not trusted: .*\(issued by a company's root\)") as caught:
        door(server, ca_file="").run(SMALL)
    assert "root or issuing" in caught.value.hint


def test_a_node_of_tls_1_0_is_told_as_that(listen: Callable[..., int], door: Door, root: CertificateAuthority) -> None:
    files = root.server("old")
    with warnings.catch_warnings():
        # What is shown here is deprecated for good reasons.
        warnings.simplefilter("ignore", DeprecationWarning)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1
    context.load_cert_chain(files.certificate, files.key)

    def old(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(1)

    with pytest.raises(
        ProtocolError, match=r"the node speaks TLS 1\.0 at best, and TLS 1\.2 is the least here"
    ) as caught:
        door(listen(old), scheme="https").run(SMALL)
    assert 'scheme = "http"' in caught.value.hint


@pytest.mark.skipif(not POSSIBLE, reason="needs epoll")
@pytest.mark.parametrize("held_in", [WinrmTransport])
def test_a_second_look_keeps_no_other_conversation_waiting(
    listen: Callable[..., int], door: Door, root: CertificateAuthority
) -> None:
    files = root.server("looked-at")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    shown, looked, go_on = threading.Event(), threading.Event(), threading.Event()

    def show_once(connection: socket.socket) -> None:
        if shown.is_set():
            connection.recv(1)  # by now it waits for an answer
            looked.set()
            go_on.wait(20)
        else:
            shown.set()
            context.wrap_socket(connection, server_side=True)

    executor = GreenExecutor(2)
    asked = executor.submit(door(listen(show_once), scheme="https").run, SMALL)
    assert looked.wait(20)
    assert executor.submit(lambda: "as ever").result(1.5) == "as ever", "a look may take 2 s here"
    go_on.set()
    with pytest.raises(UntrustedPeerError):
        asked.result(20)
    executor.shutdown(wait=True)


def test_looking_is_bounded_and_gives_nothing_of_what_is_no_tls(listen: Callable[..., int]) -> None:
    import time

    def drip(connection: socket.socket) -> None:
        connection.sendall(bytes([0x16, 3, 3, 64, 0]))
        while connection.send(b"\0"):
            time.sleep(0.05)

    def refuse(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    began = time.monotonic()
    for behave in (drip, refuse):
        wire = socket.create_connection(("127.0.0.1", listen(behave)))
        assert look(wire, "localhost", 0.5) is None
    assert time.monotonic() - began < 3
