"""The HTTP below WinRM: one dialled connection, every request counted, every answer bounded in size and time.

Each node gets a handful of messages over one connection, and from a general client each of them takes ten times what
sending and reading it does. So the requests are written here, and plain answers are read here; others by http.client.
"""

from __future__ import annotations

import errno
import select
import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPResponse, IncompleteRead
from http.cookiejar import CookieJar
from urllib.request import Request

from scanner.errors import AnswerTooLargeError, ConnectionLostError, ProtocolError
from scanner.transports.protocol import ConnectionCost
from scanner.transports.tls.stream import TlsStream
from scanner.transports.tls.trust import shared, trusting
from scanner.transports.winrm.exchange.answer import Headers, HttpAnswer
from scanner.transports.winrm.exchange.endpoint import HttpEndpoint
from scanner.transports.winrm.exchange.head import Head, Replayed, Wire, plain_head
from scanner.transports.winrm.foreign_pages import intermediary
from scanner.transports.winrm.several_servers import Clues

ENVELOPE_BYTES = 1024 * 1024
"""The largest HTTP body that is read. We announce 150 kB as the most we take (MaxEnvelopeSize); pages are smaller."""
_BLOCK_BYTES = 64 * 1024
_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.SEE_OTHER,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
)


class HttpSocket:
    """The TCP connection of one node's conversation: dialled before the first message, cut when its time is up."""

    def __init__(self, dial: Callable[[], socket.socket], usage: ConnectionCost) -> None:
        self._dial = dial
        self._usage = usage
        self._waiting: socket.socket | None = None
        self._handle: socket.socket | None = None
        self.bound = False
        """True once a login has begun that holds for this connection alone."""

    def connect(self) -> None:
        """Dial now; the connection waits for the first request. Raises OSError."""
        wire = self._dial()
        self._usage.connections += 1
        self._let_go()
        self._handle = self._waiting = wire

    def take(self) -> socket.socket:
        """The dialled connection, once; after that a fresh one, as for servers that close after each answer."""
        if self.bound:
            # Nobody is asked for a password twice because somebody hung up: a fresh connection knows no login.
            raise ConnectionAbortedError(errno.ECONNABORTED, "closed between two messages")
        if self._waiting is not None and _is_dropped(self._waiting):
            self._waiting.close()
            self._waiting = None
        if self._waiting is None:
            self.connect()
        wire, self._waiting = self._waiting, None
        if wire is None:  # cut by the deadline in this very moment
            raise ConnectionLostError("the connection was closed")
        return wire

    def cut(self) -> None:
        """End what blocks on the connection, from any thread."""
        if self._handle is not None:
            with suppress(OSError):
                self._handle.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Forget the connection; whoever has taken it closes it."""
        if self._waiting is not None:
            self._waiting.close()
            self._waiting = None
        self._let_go()
        self.bound = False

    def _let_go(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()


def _is_dropped(wire: Wire) -> bool:
    """An HTTP connection between two messages has nothing to say: what is readable on it is its end."""
    if isinstance(wire, TlsStream):
        return not wire.is_silent(lambda: _has_come(wire))
    return _has_come(wire)


def _has_come(wire: Wire) -> bool:
    if not hasattr(select, "poll"):  # on Windows
        return bool(select.select([wire], [], [], 0)[0])
    waiting = select.poll()
    waiting.register(wire, select.POLLIN)
    return bool(waiting.poll(0))


class HttpClient:
    """Posts messages over a `HttpSocket`, counts them, and bounds each answer; no retries, no redirects, no proxies."""

    def __init__(
        self,
        endpoint: HttpEndpoint,
        line: HttpSocket,
        usage: ConnectionCost,
        tls: ssl.SSLContext | None,
        remaining_s: Callable[[], float],
    ) -> None:
        self._endpoint = endpoint
        self._line = line
        self._usage = usage
        self._tls = tls
        self._remaining_s = remaining_s
        self._wire: Wire | None = None
        self._cookies = CookieJar()
        port = "" if _PORTS[endpoint.scheme] == endpoint.port else f":{endpoint.port}"
        self._head = (
            f"POST {endpoint.target} HTTP/1.1\r\nHost: {endpoint.authority}{port}\r\nAccept-Encoding: identity\r\n"
            "User-Agent: Python WinRM client\r\nAccept: */*\r\nConnection: keep-alive\r\n"
        )
        self.offered = ""
        """The logins that the node offers: its first WWW-Authenticate."""
        self.between = ""
        """What answers say of somebody in between: a Via, a server that is no Windows."""
        self.answers = 0
        """How many answers have begun to arrive."""
        self.clues = Clues()
        """Whether all of them can have come from one server."""
        self.certificate: bytes | None = None
        """What the node last showed to TLS, DER."""

    def post(self, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        """Send one message and give its answer. Raises NodeError, OSError and what http.client raises."""
        self._usage.requests += 1
        seconds = max(0.001, self._remaining_s())
        try:
            return self._exchange(body, headers, seconds)
        except BaseException as error:
            self.close()
            # Whatever else the system says of a connection that stood: it is no more.
            known = (ConnectionError, TimeoutError, ssl.SSLError, socket.gaierror)
            if isinstance(error, OSError) and not isinstance(error, known):
                raise ConnectionError(*error.args) from error
            raise

    def close(self) -> None:
        """Close the connection. Never raises."""
        wire, self._wire = self._wire, None
        if wire is not None:
            with suppress(OSError):
                wire.close()

    def _exchange(self, body: bytes, headers: Mapping[str, str], seconds: float) -> HttpAnswer:
        wire = self._connected(seconds)
        wire.settimeout(seconds)
        lines = {**headers, **self._cookie(), "Content-Length": str(len(body))}
        head = self._head + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"
        # A server that has read enough may answer and hang up before it has been told everything.
        with suppress(BrokenPipeError, ConnectionResetError):
            wire.sendall(head.encode("latin-1") + body)
        answer = plain_head(wire)
        if isinstance(answer, Head):
            self._note(answer.status, answer.headers)
            content = _rest(wire, answer)
            if answer.will_close:
                self.close()
            return HttpAnswer(answer.status, answer.headers, content)
        response = HTTPResponse(Replayed(answer, wire), method="POST")  # type: ignore[arg-type]  # it asks for a file alone
        try:
            response.begin()
            return self._answer(response)
        finally:
            response.close()

    def _connected(self, seconds: float) -> Wire:
        if self._wire is not None and _is_dropped(self._wire):
            self.close()
        if self._wire is None:
            wire = self._line.take()
            wire.settimeout(seconds)
            self._wire = wire
            if self._tls is not None:
                self._wire = secured = TlsStream(wire, self._tls, self._endpoint.tls_name)
                secured.shake_hands()
                self.certificate = secured.certificate
        return self._wire

    def _answer(self, response: HTTPResponse) -> HttpAnswer:
        headers = Headers(response.getheaders())
        self._note(response.status, headers)
        if headers.get("Set-Cookie"):
            self._cookies.extract_cookies(response, Request(self._endpoint.url))  # noqa: S310
        content = _body(response)
        if response.will_close:
            self.close()
        return HttpAnswer(response.status, headers, content)

    def _note(self, status: int, headers: Headers) -> None:
        """What the head of an answer tells of whoever gives it. Raises ProtocolError where it is nobody to talk to."""
        self.answers += 1
        self.clues.note(headers)
        self.offered = self.offered or headers.get("WWW-Authenticate")
        self.between = self.between or intermediary(HttpAnswer(status, headers))
        if status in _REDIRECTS and headers.get("Location"):
            raise ProtocolError(f"HTTP {status}: redirects elsewhere instead of answering as WinRM")

    def _cookie(self) -> dict[str, str]:
        """What a balancer keeps a conversation together by."""
        if not len(self._cookies):
            return {}
        request = Request(self._endpoint.url)  # noqa: S310 - never opened: the jar looks at its URL alone
        self._cookies.add_cookie_header(request)
        found = request.get_header("Cookie")
        return {"Cookie": found} if found else {}


def _rest(wire: Wire, head: Head) -> bytes:
    """The body behind a plain head. Raises AnswerTooLargeError."""
    content = head.begun[: head.length]
    while len(content) < head.length:
        _refuse_oversize(content)
        block = wire.recv(min(_BLOCK_BYTES, head.length - len(content)))
        if not block:
            raise IncompleteRead(content, head.length - len(content))
        content += block
    _refuse_oversize(content)
    return content


def _refuse_oversize(content: bytes) -> None:
    if len(content) > ENVELOPE_BYTES:
        raise AnswerTooLargeError(f"one message of more than {ENVELOPE_BYTES // 1024} KiB")


def _body(response: HTTPResponse) -> bytes:
    """The body as sent: nothing compressed was asked for, so nothing is unpacked. Raises AnswerTooLargeError."""
    content = b""
    while block := response.read(_BLOCK_BYTES):
        content += block
        _refuse_oversize(content)
    if response.length:
        raise IncompleteRead(content, response.length)
    return content


@shared
def tls_context(verify: bool, ca_file: str, cert_file: str, key_file: str) -> ssl.SSLContext:
    """What TLS trusts and shows. One for all nodes with the same settings.

    Without `ca_file` the operating system's own store counts. Raises OSError or ssl.SSLError for unusable files.
    """
    context = trusting(verify, ca_file)
    context.keylog_filename = None  # type: ignore[assignment]  # SSLKEYLOGFILE would open the conversation to others
    if cert_file:
        # An encrypted key must fail, not ask on the terminal.
        context.load_cert_chain(cert_file, key_file or None, password=lambda: b"")
        # HTTP.sys asks for a client's certificate only after the request, which TLS 1.3 clients must allow beforehand.
        context.post_handshake_auth = True
    return context
