"""The HTTP of a conversation: what is written, what is read, and that a general client would have read the same.

The answers are imagined, after RFC 9112 and what servers do beside it: what holds them is that requests, which has met
all servers, reads each of them, or refuses it, as ours does. None was taken from a Windows machine.
"""

from __future__ import annotations

import shutil
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from scanner.errors import AnswerTooLargeError, ConnectionLostError, NodeError, ProtocolError
from scanner.inventory.model import WinrmSettings
from scanner.lab.servers.certificates import CertificateAuthority, TlsFiles
from scanner.lab.servers.wsman.server import WsmanServer
from scanner.transports.protocol import ConnectionCost
from scanner.transports.winrm.errors import translate
from scanner.transports.winrm.exchange.answer import Headers, HttpAnswer
from scanner.transports.winrm.exchange.endpoint import HttpEndpoint
from scanner.transports.winrm.exchange.http import ENVELOPE_BYTES, HttpClient, HttpSocket, tls_context
from scanner.transports.winrm.situation import Situation
from scanner.transports.winrm.transport import WinrmTransport
from tests.test_scanner.transports.winrm.test_winrm_peers import read_request

Listen = Callable[[Callable[[socket.socket], None]], int]
Serve = Callable[..., WsmanServer]
Door = Callable[..., WinrmTransport]
Client = Callable[..., HttpClient]
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def client() -> Iterator[Client]:
    """A client of a port, which closes itself."""
    made: list[tuple[HttpClient, HttpSocket]] = []

    def make(port: int, path: str = "/wsman", seconds: float = 5.0, tls: ssl.SSLContext | None = None) -> HttpClient:
        usage = ConnectionCost()
        line = HttpSocket(lambda: socket.create_connection(("127.0.0.1", port), 5), usage)
        endpoint = HttpEndpoint("https" if tls else "http", "127.0.0.1", port, path)
        made.append((HttpClient(endpoint, line, usage, tls, lambda: seconds), line))
        return made[-1][0]

    yield make
    for each, line in made:
        each.close()
        line.close()


def saying(*answers: bytes, heard: list[bytes] | None = None) -> Callable[[socket.socket], None]:
    """A peer that answers each request of a connection with the next text, and hangs up after the last."""

    def behave(wire: socket.socket) -> None:
        for answer in answers:
            asked = read_request(wire)
            if heard is not None:
                heard.append(asked)
            wire.sendall(answer)

    return behave


ANSWERS = {
    "length": OK + b"Content-Length: 5\r\n\r\nhello",
    "no body": OK + b"Content-Length: 0\r\n\r\n",
    "until it closes": OK + b"\r\nhello",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
    "chunks and a trailer": OK + b"Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
    "continue": b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 5\r\n\r\nhello",
    "bare line ends": OK.replace(b"\r\n", b"\n") + b"Content-Length: 5\n\nhello",
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
    "several logins": b"HTTP/1.1 401 \r\nWWW-Authenticate: Negotiate\r\nwww-authenticate: Kerberos\r\n"
    b'WWW-AUTHENTICATE: Basic realm="WSMAN"\r\nContent-Length: 0\r\n\r\n',
    "a folded header": OK + b"WWW-Authenticate: Negotiate\r\n  abc\r\nContent-Length: 5\r\n\r\nhello",
    "another alphabet": OK + b"Server: H\xe9lix\r\nContent-Length: 5\r\n\r\nhello",
    "a fault": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\nfault",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "shorter than it says": OK + b"Content-Length: 9\r\n\r\nhello",
    "chunks that stop": OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\nhello",
    "a chunk of no size": OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n",
    "a status that is none": b"HTTP/1.1 abc OK\r\n\r\n",
    "nothing": b"",
    "half a head": OK + b"Content-Le",
    "an endless header": OK + b"X: " + b"x" * 70_000 + b"\r\n\r\n",
    "two hundred headers": OK + b"".join(b"X-%d: 1\r\n" % number for number in range(200)) + b"\r\n",
}


@pytest.mark.parametrize("text", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_read_as_requests_reads_it(text: bytes, listen: Listen, client: Client) -> None:
    port = listen(saying(text))
    with requests.Session() as session:
        session.trust_env = False
        try:
            theirs = session.post(f"http://127.0.0.1:{port}/wsman", b"x", timeout=5, headers={"Accept-Encoding": ""})
        except requests.RequestException:
            with pytest.raises(Exception, match=r".*") as caught:
                client(port).post(b"x", {})
            at = Situation(host="h", settings=WinrmSettings(), requests=3)
            assert isinstance(translate(caught.value, at), NodeError)
            return
    ours = client(port).post(b"x", {})
    assert (ours.status_code, ours.content) == (theirs.status_code, theirs.content)
    for name in ("WWW-Authenticate", "Server", "Content-Length"):
        assert ours.headers.get(name) == theirs.headers.get(name, "")


def test_the_table_holds_answers_of_both_kinds(listen: Listen, client: Client) -> None:
    read = 0
    for text in ANSWERS.values():
        with suppress(Exception):
            client(listen(saying(text))).post(b"x", {})
            read += 1
    assert read == 15


def test_a_request_says_what_is_needed_and_goes_out_whole(listen: Listen, client: Client) -> None:
    heard: list[bytes] = []
    port = listen(saying(ANSWERS["length"], heard=heard))
    client(port, '/a b?x="1"#y').post(b"<soap/>", {"Content-Type": "application/soap+xml;charset=UTF-8"})
    head, _, body = heard[0].partition(b"\r\n\r\n")
    line, *headers = head.decode().split("\r\n")
    assert line == "POST /a%20b?x=%221%22 HTTP/1.1"
    assert sorted(headers) == [
        "Accept-Encoding: identity",
        "Accept: */*",
        "Connection: keep-alive",
        "Content-Length: 7",
        "Content-Type: application/soap+xml;charset=UTF-8",
        f"Host: 127.0.0.1:{port}",
        "User-Agent: Python WinRM client",
    ]
    assert body == b"<soap/>"


@pytest.mark.parametrize(
    ("endpoint", "url", "tls_name"),
    [
        (
            HttpEndpoint("http", "web1.corp.example", 5985, "/wsman"),
            "http://web1.corp.example:5985/wsman",
            "web1.corp.example",
        ),
        (
            HttpEndpoint("https", "web1.corp.example.", 5986, "/w"),
            "https://web1.corp.example.:5986/w",
            "web1.corp.example",
        ),
        (HttpEndpoint("https", "10.0.0.1", 443, "/wsman"), "https://10.0.0.1:443/wsman", "10.0.0.1"),
        (HttpEndpoint("https", "FE80::0:1%eth0", 5986, "/wsman"), "https://[FE80::0:1]:5986/wsman", "fe80::1"),
        (
            HttpEndpoint("https", "bücher.example", 5986, "/ü"),
            "https://xn--bcher-kva.example:5986/%C3%BC",
            "bücher.example",
        ),
    ],
)
def test_names_and_addresses(endpoint: HttpEndpoint, url: str, tls_name: str) -> None:
    assert endpoint.url == url
    assert endpoint.tls_name == tls_name


def test_one_connection_serves_many_messages(listen: Listen, client: Client) -> None:
    heard: list[bytes] = []
    ours = client(listen(saying(*[ANSWERS["length"], ANSWERS["chunks"]] * 3, heard=heard)))
    assert [ours.post(b"x", {}).content for _ in range(6)] == [b"hello"] * 6
    assert len(heard) == 6
    assert ours._usage == ConnectionCost(connections=1, requests=6)


@pytest.mark.parametrize("last", ["until it closes", "HTTP/1.0", "length"])
def test_a_server_that_hangs_up_between_messages_is_dialled_again(last: str, listen: Listen, client: Client) -> None:
    ours = client(listen(saying(ANSWERS[last])))
    assert ours.post(b"x", {}).content == b"hello"
    if isinstance(ours._wire, socket.socket):
        ours._wire.settimeout(5)
        assert ours._wire.recv(1, socket.MSG_PEEK) == b""  # its end has come
    assert ours.post(b"x", {}).content == b"hello"
    assert ours._usage.connections == 2


@pytest.mark.parametrize(
    ("between", "connections"),
    [("nothing", 1), ("asks for a certificate", 1), ("says more", 2), ("says goodbye", 2), ("hangs up", 2)],
)
def test_what_tls_arranges_between_two_messages_is_not_the_end(
    between: str, connections: int, authority: CertificateAuthority, listen: Listen, client: Client
) -> None:
    """Else whoever has logged in on that connection is told that it was closed."""
    files = authority.server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(authority.certificate)
    context.verify_mode, context.post_handshake_auth = ssl.CERT_OPTIONAL, True
    said = threading.Semaphore(0)

    def serve(wire: socket.socket) -> None:
        with context.wrap_socket(wire, server_side=True) as secured, suppress(ssl.SSLError):
            while True:
                read_request(secured)
                secured.sendall(ANSWERS["length"])
                if between == "asks for a certificate":
                    secured.verify_client_post_handshake()
                    secured.do_handshake()
                elif between == "says more":
                    secured.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                elif between == "says goodbye":
                    secured.settimeout(0)
                    with suppress(ssl.SSLWantReadError):
                        secured.unwrap()
                    secured.settimeout(5)
                elif between == "hangs up":
                    secured.shutdown(socket.SHUT_RDWR)
                said.release()

    pair = authority.client("operator")
    verify = True
    ours_says = tls_context(verify, str(authority.certificate), str(pair.certificate), str(pair.key))
    ours = client(listen(serve), tls=ours_says)
    for _ in range(2):
        assert ours.post(b"x", {}).content == b"hello"
        said.acquire(timeout=5)
    assert ours._usage.connections == connections


def test_a_login_is_not_carried_over_to_another_connection(listen: Listen, client: Client) -> None:
    ours = client(listen(saying(ANSWERS["until it closes"])))
    ours.post(b"x", {})
    ours._line.bound = True
    with pytest.raises(ConnectionAbortedError):
        ours.post(b"x", {})


def test_an_early_answer_counts_although_the_rest_was_not_taken(listen: Listen, client: Client) -> None:
    def behave(wire: socket.socket) -> None:
        wire.recv(1000)
        wire.sendall(b"HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        wire.shutdown(socket.SHUT_WR)
        while wire.recv(65536):
            pass

    assert client(listen(behave)).post(b"x" * 3_000_000, {}).status_code == 413


def test_an_endless_body_ends_at_the_cap(listen: Listen, client: Client) -> None:
    def behave(wire: socket.socket) -> None:
        read_request(wire)
        wire.sendall(OK + b"\r\n")
        while True:
            wire.sendall(b"x" * 65536)

    ours = client(listen(behave))
    with pytest.raises(AnswerTooLargeError, match=f"more than {ENVELOPE_BYTES // 1024} KiB"):
        ours.post(b"x", {})
    assert ours._wire is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nobody_is_sent_elsewhere(status: int, listen: Listen, client: Client) -> None:
    port = listen(saying(b"HTTP/1.1 %d Go\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n" % status))
    with pytest.raises(ProtocolError, match=f"HTTP {status}: redirects elsewhere"):
        client(port).post(b"x", {})


def test_what_a_balancer_sets_is_told_again(listen: Listen, client: Client) -> None:
    heard: list[bytes] = []
    set_it = OK + b"Set-Cookie: node=web2; Path=/\r\nSet-Cookie: other=1; Path=/elsewhere\r\nContent-Length: 0\r\n\r\n"
    ours = client(listen(saying(set_it, ANSWERS["length"], heard=heard)))
    ours.post(b"x", {})
    ours.post(b"x", {})
    assert b"Cookie" not in heard[0]
    assert b"\r\nCookie: node=web2\r\n" in heard[1]


def test_a_silent_node_costs_its_time_and_no_more(listen: Listen, client: Client) -> None:
    def behave(wire: socket.socket) -> None:
        read_request(wire)
        wire.recv(1)

    ours = client(listen(behave), seconds=0.2)
    with pytest.raises(TimeoutError):
        ours.post(b"x", {})


def test_whatever_the_system_says_of_a_connection_it_is_lost(
    listen: Listen, monkeypatch: pytest.MonkeyPatch, client: Client
) -> None:
    def gone(*_: object) -> HttpAnswer:
        raise OSError(113, "No route to host")

    ours = client(listen(saying(ANSWERS["length"])))
    monkeypatch.setattr(ours, "_exchange", gone)
    with pytest.raises(ConnectionError) as caught:
        ours.post(b"x", {})
    found = translate(caught.value, Situation(host="h", settings=WinrmSettings(), requests=3))
    assert isinstance(found, ConnectionLostError)


def test_headers_are_found_in_any_case_and_joined() -> None:
    headers = Headers([("A", "1"), ("a", " 2 ")])
    assert headers.get("A") == headers.get("a") == "1, 2"
    assert headers.get("b", "none") == "none"


@pytest.mark.parametrize(("auth", "count"), [("ntlm", 7), ("basic", 4)])
def test_a_node_takes_so_many_requests_over_one_connection(
    auth: str, count: int, serve: Serve, door: Door, tls: TlsFiles
) -> None:
    """A login of three messages or none, then creation, command, output, deletion."""
    server = serve(tls=tls, auth={auth})
    user = {"user": "operator"} if auth == "basic" else {}
    transport = door(server, host="localhost", auth=auth, **user)
    assert transport.run("'hello'")
    transport.close()
    assert transport.usage == ConnectionCost(connections=1, commands=1, requests=count)


def test_the_trusted_authorities_are_read_once_for_all_nodes(
    serve: Serve,
    door: Door,
    tls: TlsFiles,
    authority: CertificateAuthority,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unread = shutil.copy(authority.certificate, tmp_path)
    made: list[str | None] = []
    create = ssl.create_default_context

    def counted(*given: object, **more: object) -> ssl.SSLContext:
        made.append(str(more.get("cafile")))
        return create(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(ssl, "create_default_context", counted)
    server = serve(tls=tls)
    doors = [door(server, host="localhost", ca_file=str(unread)) for _ in range(12)]
    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(lambda each: each.run("'hello'"), doors))
    assert len(made) == 1
