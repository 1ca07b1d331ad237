"""Peers that are no WinRM, or mean harm: each ends soon, with a line that says what it is."""

from __future__ import annotations

import gc
import gzip
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from scanner.errors import (
    AnswerTooLargeError,
    ConnectionLostError,
    DeadlineError,
    NodeError,
    ProtocolError,
    RefusedError,
)
from scanner.lab.servers.certificates import CertificateAuthority, TlsFiles
from scanner.lab.servers.wsman.fault_hooks import WsmanFault
from scanner.lab.servers.wsman.server import WsmanServer
from scanner.transports.winrm.transport import WinrmTransport

Door = Callable[..., WinrmTransport]
Listen = Callable[[Callable[[socket.socket], None]], int]
BASIC = {"auth": "basic", "user": "operator", "insecure": True}


def read_request(connection: socket.socket) -> bytes:
    """One request, head and body."""

    def more() -> bytes:
        if block := connection.recv(65536):
            return block
        raise ConnectionResetError

    data = b""
    while b"\r\n\r\n" not in data:
        data += more()
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += more()
    return head + b"\r\n\r\n" + body


def page(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def always(data: bytes) -> Callable[[socket.socket], None]:
    def behave(connection: socket.socket) -> None:
        while True:
            read_request(connection)
            connection.sendall(data)

    return behave


def test_https_asked_of_a_plain_listener(listen: Listen, door: Door) -> None:
    def plain(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(page("400 Bad Request", b"Bad Request - Invalid Verb"))

    with pytest.raises(ProtocolError, match="does not speak TLS") as caught:
        door(listen(plain), scheme="https").run("'x'")
    assert 'scheme = "http"' in caught.value.hint


def test_http_asked_of_a_tls_listener(listen: Listen, door: Door, tls: TlsFiles) -> None:
    def secured(connection: socket.socket) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls.certificate, tls.key)
        context.wrap_socket(connection, server_side=True)

    with pytest.raises(NodeError) as caught:
        door(listen(secured)).run("'x'")
    assert isinstance(caught.value, ProtocolError | ConnectionLostError)
    assert 'scheme = "https"' in caught.value.hint


def test_a_listener_that_hangs_up_at_once(listen: Listen, door: Door) -> None:
    with pytest.raises(ConnectionLostError, match="without an answer to the first http message") as caught:
        door(listen(lambda connection: None)).run("'x'")
    assert 'scheme = "https"' in caught.value.hint
    with pytest.raises(ConnectionLostError, match="without an answer to the first https message"):
        door(listen(lambda connection: None), scheme="https").run("'x'")


def test_an_old_tls_is_said(listen: Listen, door: Door) -> None:
    def alert(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(bytes([0x15, 3, 1, 0, 2, 2, 70]))  # fatal protocol_version

    with pytest.raises(ProtocolError, match="no TLS version or cipher in common") as caught:
        door(listen(alert), scheme="https").run("'x'")
    assert "TLS 1.2" in caught.value.hint


@pytest.mark.parametrize("best", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("given", [False, True], ids=["none", "a stranger's"])
def test_whoever_lets_nobody_in_without_a_certificate_is_told_as_that(
    listen: Listen, door: Door, tls: TlsFiles, authority: CertificateAuthority, tmp_path: Path, best: Any, given: bool
) -> None:
    """As what stands before a listener may; of TLS 1.2 the alert says no more than that there is no agreement."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = best
    context.load_cert_chain(tls.certificate, tls.key)
    context.load_verify_locations(authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED

    def strict(connection: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(65536)

    mine: dict[str, Any] = {}
    if given:
        (folder := tmp_path / "stranger").mkdir()
        pair = CertificateAuthority(folder).server()
        mine = {"auth": "certificate", "user": "", "cert_file": str(pair.certificate), "key_file": str(pair.key)}
    with pytest.raises(NodeError) as caught:
        door(listen(strict), scheme="https", **mine).run("'x'")
    assert "client certificate" in str(caught.value)
    assert "cert_file" in caught.value.hint
    assert ("none is set" in str(caught.value)) is (not given and best == ssl.TLSVersion.TLSv1_3)


def test_a_silent_tls_handshake_ends_at_the_deadline(listen: Listen, door: Door) -> None:
    def silent(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(bytes([0x16, 3, 3]))
        connection.recv(65536)  # until the client gives up

    started = time.monotonic()
    with pytest.raises(DeadlineError):
        door(listen(silent), scheme="https", timeout_s=0.6).run("'x'")
    assert time.monotonic() - started < 3


def test_redirects_are_refused_and_credentials_stay(listen: Listen, door: Door) -> None:
    visited: list[bytes] = []

    def elsewhere(connection: socket.socket) -> None:
        visited.append(read_request(connection))

    target = listen(elsewhere)
    port = listen(always(page("307 Temporary Redirect", b"", f"Location: http://127.0.0.1:{target}/wsman")))
    with pytest.raises(ProtocolError, match="HTTP 307: redirects elsewhere"):
        door(port, **BASIC).run("'x'")
    assert visited == []


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        ("400 Bad Request", ProtocolError, "HTTP 400"),
        ("403 Forbidden", RefusedError, "HTTP 403"),
        ("407 Proxy Authentication Required", ProtocolError, "proxy"),
        ("413 Payload Too Large", RefusedError, "too large"),
        ("418 I'm a teapot", ProtocolError, "HTTP 418"),
        ("500 Internal Server Error", RefusedError, "refuses unencrypted messages"),
        ("502 Bad Gateway", ProtocolError, "HTTP 502"),
        ("503 Service Unavailable", RefusedError, "not taking requests"),
    ],
)
def test_http_statuses(listen: Listen, door: Door, status: str, error: type[NodeError], message: str) -> None:
    own = page(status, b"<html>no</html>", "Server: Microsoft-HTTPAPI/2.0")
    with pytest.raises(error, match=message):
        door(listen(always(own)), **BASIC).run("'x'")


SQUID = b"<!DOCTYPE html><html><head>\n<title>ERROR: The requested URL could not be retrieved</title></head></html>"
IIS = b"<html xmlns='http://www.w3.org/1999/xhtml'><head><title>IIS Windows Server</title></head></html>"
LOGIN = b"<html><head><title>Sign&nbsp;in \x1b[31m</title></head></html>"


@pytest.mark.parametrize("login", [BASIC, {"auth": "ntlm"}], ids=["basic", "ntlm"])
@pytest.mark.parametrize(
    ("status", "body", "headers", "message"),
    [
        (
            "503 Service Unavailable",
            SQUID,
            ("Server: squid/5.7", "Via: 1.1 px"),
            r"a proxy .*HTTP 503, \"ERROR: .*squid",
        ),
        ("407 Proxy Authentication Required", b"", (), "a proxy on the way .*HTTP 407"),
        ("200 OK", SQUID, ("Via: 1.1 px1 (squid/5.7)",), r"a proxy .*Via: 1\.1 px1"),
        ("200 OK", IIS, ("Server: Microsoft-IIS/10.0",), r"IIS answers on port \d+, not WinRM .*IIS Windows Server"),
        ("500 Internal Server Error", IIS, ("Server: Microsoft-IIS/8.5",), "IIS answers .*HTTP 500"),
        ("404 Not Found", IIS, ("Server: Microsoft-IIS/8.5",), "IIS answers .*HTTP 404"),
        ("200 OK", LOGIN, (), r"a web page \(HTTP 200, \"Sign in \?\[31m\"\): is it WinRM"),
        ("502 Bad Gateway", b"<html><title>502</title>", ("Server: nginx",), "a proxy on the way .*502.*nginx"),
        ("502 Bad Gateway", b"", (), "a proxy or load balancer .*HTTP 502"),
    ],
)
def test_a_page_is_named_as_a_page(
    listen: Listen, door: Door, login: dict[str, str], status: str, body: bytes, headers: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ProtocolError, match=message) as caught:
        door(listen(always(page(status, body, "Content-Type: text/html" if body else "X: y", *headers))), **login).run(
            "'x'"
        )
    assert "password" not in f"{caught.value} {caught.value.hint}"
    assert len(str(caught.value)) < 300


ENVELOPE = b'<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body>%s</s:Body></s:Envelope>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\x00",
        b"<s:Envelope",
        b"<html><body>Welcome</body></html>",
        ENVELOPE % b"",
        ENVELOPE % b'<a Name="ShellId"/>',
        b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
        b"\x00" * 100,
        b"[" * 100_000,
        b"<a>" * 100_000,
    ],
    ids=range(10),
)
@pytest.mark.parametrize("status", ["200 OK", "500 Internal Server Error"])
def test_bodies_that_are_no_answer(listen: Listen, door: Door, body: bytes, status: str) -> None:
    transport = door(listen(always(page(status, body, "Content-Type: application/soap+xml"))), timeout_s=30, **BASIC)
    with pytest.raises(NodeError) as caught:
        transport.run("'x'")
    assert isinstance(caught.value, ProtocolError | RefusedError | ConnectionLostError)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_one_message_beyond_the_cap_is_not_read_to_its_end(listen: Listen, door: Door) -> None:
    sent = 0

    def flood(connection: socket.socket) -> None:
        nonlocal sent
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
        for _ in range(50):
            connection.sendall(b" " * 1_000_000)
            sent += 1

    with pytest.raises(AnswerTooLargeError, match="one message of more than 1024 KiB"):
        door(listen(flood), **BASIC).run("'x'")
    assert sent < 45


def test_nothing_compressed_is_unpacked(listen: Listen, door: Door) -> None:
    bomb = gzip.compress(b" " * 100_000_000)
    with pytest.raises(ProtocolError):
        door(listen(always(page("200 OK", bomb, "Content-Encoding: gzip"))), **BASIC).run("'x'")


def test_endless_interim_answers_end_at_the_deadline(listen: Listen, door: Door) -> None:
    def forever(connection: socket.socket) -> None:
        read_request(connection)
        while True:
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
            time.sleep(0.01)

    started = time.monotonic()
    with pytest.raises(DeadlineError):
        door(listen(forever), timeout_s=0.6, **BASIC).run("'x'")
    assert time.monotonic() - started < 15


def test_a_server_that_closes_after_each_answer_is_served_on_new_connections(
    serve: Callable[..., WsmanServer], listen: Listen, door: Door
) -> None:
    server = serve(auth={"basic"}, allow_unencrypted=True)

    def forward_once(connection: socket.socket) -> None:
        head = connection.recv(65536)
        with socket.create_connection(("127.0.0.1", server.port)) as onward:
            onward.sendall(head)
            connection.settimeout(0.05)
            while True:
                try:
                    more = connection.recv(65536)
                except TimeoutError:
                    break
                if not more:
                    break
                onward.sendall(more)
            onward.settimeout(5)
            answer = onward.recv(65536)
            while b"</s:Envelope>" not in answer:
                answer += onward.recv(65536)
        connection.sendall(answer.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))

    transport = door(listen(forward_once), **BASIC)
    assert transport.run("'x'") == b"'x'"
    transport.close()
    assert (transport.usage.connections, transport.usage.requests) == (4, 4)
    assert server.open_shells == ()


def test_a_connection_that_is_closed_before_the_farewell_leaves_no_shell(
    serve: Callable[..., WsmanServer], listen: Listen, door: Door
) -> None:
    """A login holds for its connection: whoever cleans up behind a balancer that has closed it logs in once more."""
    server = serve()
    answers = 0

    def forward(connection: socket.socket) -> None:
        nonlocal answers
        with socket.create_connection(("127.0.0.1", server.port)) as onward:
            onward.settimeout(5)
            while answers != 6:  # the last one before the farewell
                onward.sendall(read_request(connection))
                head = b""
                while b"\r\n\r\n" not in head:
                    head += onward.recv(65536)
                said, _, body = head.partition(b"\r\n\r\n")
                size = next(
                    int(line[15:]) for line in said.split(b"\r\n") if line.lower().startswith(b"content-length")
                )
                while len(body) < size:
                    more = onward.recv(65536)
                    head, body = head + more, body + more
                connection.sendall(head)
                answers += 1
            answers += 1

    transport = door(listen(forward), auth="ntlm")
    assert transport.run("'x'") == b"'x'"
    transport.close()
    assert server.open_shells == ()
    assert transport.usage.connections == 2


def test_a_client_key_with_a_passphrase_fails_instead_of_asking(
    serve: Callable[..., WsmanServer], door: Door, authority: CertificateAuthority, tls: TlsFiles
) -> None:
    from cryptography.hazmat.primitives import serialization

    pair = authority.client("operator")
    key = serialization.load_pem_private_key(pair.key.read_bytes(), None)
    locked = pair.key.with_suffix(".locked")
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    server = serve(tls=tls, auth={"certificate"})
    with pytest.raises(NodeError, match=r"client certificate .* cannot be used") as caught:
        door(server, auth="certificate", user="", cert_file=str(pair.certificate), key_file=str(locked)).run("'x'")
    assert "must not be encrypted" in caught.value.hint


@pytest.mark.parametrize(("coding", "said"), [("utf-8", "defines XML entities"), ("utf-16", "not in UTF-8")])
def test_entities_are_refused_before_they_are_expanded(listen: Listen, door: Door, coding: str, said: str) -> None:
    body = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x Name="ShellId">&b;</x>'.encode(coding)
    with pytest.raises(ProtocolError, match=said):
        door(listen(always(page("200 OK", body))), **BASIC).run("'x'")


def test_session_keys_are_written_nowhere(
    serve: Callable[..., WsmanServer],
    tls: TlsFiles,
    door: Door,
    tmp_path: Path,
    authority: CertificateAuthority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = tmp_path / "ca.pem"  # a context of its own, not one of another test
    copy.write_bytes(authority.certificate.read_bytes())
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    door(serve(tls=tls), ca_file=str(copy)).run("'x'")
    written = tmp_path / "keys"  # OpenSSL's heading may be in it
    assert not written.exists() or "SECRET " not in written.read_text(encoding="utf-8")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files cannot be counted here")
@pytest.mark.parametrize("fault", ["", "cut", "html", "quota", "babble"])
@pytest.mark.parametrize("secure", [True, False])
def test_the_connection_is_closed_without_the_garbage_collector(
    serve: Callable[..., WsmanServer], tls: TlsFiles, door: Door, fault: str, secure: bool
) -> None:
    server = serve(tls=tls if secure else None, faults={WsmanFault(fault)} if fault else frozenset())

    def connected() -> int:
        ends = []
        for path in Path("/proc/self/fd").iterdir():
            with suppress(FileNotFoundError):  # one of the server's threads has just closed it
                ends.append(str(path.readlink()))
        rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
        remote = f"{server.port:04X}"
        return sum(row[2].endswith(f":{remote}") and f"socket:[{row[9]}]" in ends for row in rows)

    gc.disable()
    try:
        transport = door(server)
        with suppress(NodeError):
            transport.run("'x'")
        transport.close()
        assert connected() == 0
    finally:
        gc.enable()
