"""What listens on `sql_port` and is no SQL Server is named, as the real programs talk; SQL Server Browser is read."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from scanner.errors import NodeError, ProtocolError, UnreachableError
from scanner.lab.servers.listener import Listener
from scanner.transports.protocol import ConnectionCost
from scanner.transports.tds import browser
from scanner.transports.tds.browser import port_of, read_port
from scanner.transports.tds.prelogin import prelogin
from scanner.transports.tds.strangers import HTTP_REQUEST, SSL_REQUEST, recognise

FIELD = Path(__file__).parents[3] / "field" / "sql_port"


def field(name: str) -> bytes:
    return (FIELD / name).read_bytes()


def greets_first(answer: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.sendall(answer)
        connection.recv(4096)

    return serve


def answers(answer: bytes) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(answer)

    return serve


def postgresql(connection: socket.socket) -> None:
    """As PostgreSQL 15 does: any other first message than its own ends the connection, without a word."""
    if connection.recv(4096) == SSL_REQUEST:
        connection.sendall(b"N")
        connection.recv(4096)


def patient_http(connection: socket.socket) -> None:
    """As Python's http.server and Apache do: nothing is said before a line is complete."""
    data = b""
    while b"\n" not in data:
        data += connection.recv(4096) or b"\n"
    if data == HTTP_REQUEST:
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")


@pytest.mark.parametrize(
    ("serve", "who", "connections"),
    [
        (greets_first(field("mariadb-greeting.bin")), "MySQL or MariaDB", 1),
        (
            greets_first(b"J\x00\x00\x00\xffj\x04Host '10.1.2.3' is not allowed to connect to this MySQL server"),
            "MySQL",
            1,
        ),
        (answers(field("nginx-400.http")), "an HTTP server or proxy", 1),
        (postgresql, "PostgreSQL", 2),
        (patient_http, "an HTTP server or proxy", 2),
        (greets_first(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7\r\n"), "an SSH server", 1),
    ],
    ids=["mariadb", "mysql-refuses", "nginx", "postgresql", "patient-http", "ssh"],
)
def test_a_stranger_is_named_with_the_key_to_correct(
    serve: Callable[[socket.socket], None], who: str, connections: int
) -> None:
    usage = ConnectionCost()
    with Listener(serve) as listener, pytest.raises(ProtocolError) as caught:
        prelogin("127.0.0.1", listener.port, 2, usage)
    assert str(caught.value).startswith(f"127.0.0.1:{listener.port} is {who}")
    assert str(caught.value).endswith("no SQL Server")
    assert "`sql_port`" in caught.value.hint
    assert usage.connections == connections


@pytest.mark.parametrize(
    "head", [b"", b"\x04", b"\x04\x01\x00\x2b\x00\x00\x01\x00", b"\x00" * 40, b"\xff" * 40, b"d\0\0\0"]
)
def test_nobody_is_named_on_a_guess(head: bytes) -> None:
    assert recognise(head) == ""


@pytest.mark.parametrize(
    ("sample", "instance", "port"),
    [
        ("browser-named.bin", "sqlexpress", 1433),
        ("browser-pipe.bin", "SQLEXPRESS", 50492),
        ("browser-default.bin", "MSSQLSERVER", 1433),
    ],
)
def test_the_browser_s_answer_is_read(sample: str, instance: str, port: int) -> None:
    assert read_port(field(sample), instance, "sql1, UDP 1434") == port


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (field("browser-no-tcp.bin"), "instance VAULT has no TCP port"),
        (field("browser-named.bin"), "makes no sense"),
        (b"", "makes no sense"),
        (b"\x05\xff\xff" + b";" * 400, "makes no sense"),
        (b"\x05\x20\x00InstanceName;VAULT;tcp;99999999;;", "has no TCP port"),
        (b"\x05\x20\x00InstanceName;VAULT;tcp;0;;", "has no TCP port"),
    ],
)
def test_an_answer_that_tells_no_port_is_refused(answer: bytes, text: str) -> None:
    with pytest.raises(NodeError, match=text):
        read_port(answer, "VAULT", "sql1, UDP 1434")


def test_a_browser_is_asked_and_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        monkeypatch.setattr(browser, "BROWSER_PORT", server.getsockname()[1])
        seen: list[bytes] = []

        def answer_the_second() -> None:
            for number in range(2):
                question, peer = server.recvfrom(100)
                seen.append(question)
                if number:
                    server.sendto(field("browser-pipe.bin"), peer)

        import threading

        thread = threading.Thread(target=answer_the_second)
        thread.start()
        assert port_of("127.0.0.1", "SQLEXPRESS", 1.5) == 50492
        thread.join()
    assert seen == [b"\x04SQLEXPRESS\0"] * 2


def test_a_browser_that_is_off_is_told_with_the_key_that_does_without(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        monkeypatch.setattr(browser, "BROWSER_PORT", silent.getsockname()[1])
        with pytest.raises(UnreachableError, match=r"did not tell the port of instance VAULT within 0\.2 s") as caught:
            port_of("127.0.0.1", "VAULT", 0.2)
    assert "set `sql_port`" in caught.value.hint
