"""The HTTP below pywinrm: one dialled connection, every request counted, every answer bounded in size and time.

Importing this loads requests and pywinrm, so it is imported late.
"""

from __future__ import annotations

import errno
import functools
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any, cast

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPResponse, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError
from winrm.transport import Transport

from scanner.errors import AnswerTooLargeError, ConnectionLostError, ProtocolError
from scanner.inventory.model import WinrmSettings
from scanner.transports.protocol import ConnectionCost
from scanner.transports.tls.trust import trusting
from scanner.transports.winrm.authentication.login import Login, NoLoginError, Stage
from scanner.transports.winrm.foreign_pages import PageError, intermediary, page_of
from scanner.transports.winrm.several_servers import Clues, names_told

ENVELOPE_BYTES = 1024 * 1024
"""The largest HTTP body that is read. We announce 150 kB as the most we take (MaxEnvelopeSize); pages are smaller."""
_BLOCK_BYTES = 64 * 1024
_ONE_AT_A_TIME = threading.Lock()


class HttpSocket:
    """The TCP connection of one node's conversation: dialled before requests needs it, cut when its time is up."""

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
        # TLS takes the socket's descriptor over before its handshake is done, so cutting needs one of its own.
        self._let_go()
        self._handle, self._waiting = wire.dup(), wire

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
        """Forget the connection; requests closes the one that it has taken."""
        if self._waiting is not None:
            self._waiting.close()
            self._waiting = None
        self._let_go()
        self.bound = False

    def _let_go(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()


def _is_dropped(wire: socket.socket) -> bool:
    """A fresh HTTP connection has nothing to say: what is readable on it is its end."""
    from urllib3.util.wait import wait_for_read

    return wait_for_read(wire, timeout=0.0)


class Adapter(HTTPAdapter):
    """Sends over a `HttpSocket`, counts, and bounds each answer; no retries, no redirects, no proxies."""

    def __init__(
        self, line: HttpSocket, usage: ConnectionCost, tls: ssl.SSLContext | None, remaining_s: Callable[[], float]
    ) -> None:
        self._line = line
        self._usage = usage
        self._tls = tls
        self._remaining_s = remaining_s
        self._made: list[HTTPConnection] = []
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
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        """Make pools whose connections come from the line."""
        line, made, adapter = self._line, self._made, self

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                made.append(self)
                return _timed(line.take(), self.timeout)

        class Secured(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                made.append(self)
                return _timed(line.take(), self.timeout)

            def connect(self) -> None:
                super().connect()
                if isinstance(self.sock, ssl.SSLSocket):
                    adapter.certificate = self.sock.getpeercert(binary_form=True)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecuredPool(HTTPSConnectionPool):
            ConnectionCls = Secured

            def _validate_conn(self, conn: Any) -> None:
                # The base class warns about each unverified request; `verify = false` was asked for and is reported.
                if conn.is_closed:
                    conn.connect()

        super().init_poolmanager(connections, maxsize, block, ssl_context=self._tls, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecuredPool}

    def close(self) -> None:
        """Close every connection now: the library leaves that to the garbage collector."""
        for connection in self._made:
            with suppress(Exception):
                connection.close()
        self._made.clear()
        super().close()

    def build_connection_pool_key_attributes(
        self, request: requests.PreparedRequest, verify: Any, cert: Any = None
    ) -> tuple[Any, Any]:
        """Leave trust to our context alone."""
        host, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host, {}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing to do: our context trusts and identifies as the inventory says."""

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,  # noqa: ARG002 - pywinrm's one number; ours is what is left of the deadline
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,  # noqa: ARG002 - there are none
    ) -> requests.Response:
        """Send one request and give its answer, which has not been read yet."""
        self._usage.requests += 1
        seconds = max(0.001, self._remaining_s())
        response = super().send(request, stream, (seconds, seconds), verify, cert, None)
        self.answers += 1
        self.clues.note(response.headers)
        self.offered = self.offered or response.headers.get("WWW-Authenticate", "")
        self.between = self.between or intermediary(response)
        if response.is_redirect:
            response.close()
            raise ProtocolError(f"HTTP {response.status_code}: redirects elsewhere instead of answering as WinRM")
        raw = response.raw
        # requests and requests-ntlm read bodies whole and unasked, of any size.
        raw.stream = functools.partial(_bounded, raw)  # type: ignore[method-assign]
        return response


def _timed(wire: socket.socket, timeout: Any) -> socket.socket:
    wire.settimeout(timeout if isinstance(timeout, int | float) else None)
    return wire


def _bounded(raw: HTTPResponse, *_: object, **__: object) -> Iterator[bytes]:
    """The body as sent: nothing compressed was asked for, so nothing is unpacked. Raises AnswerTooLargeError."""
    read = 0
    while block := raw.read(_BLOCK_BYTES, decode_content=False):
        read += len(block)
        if read > ENVELOPE_BYTES:
            raw.close()
            raise AnswerTooLargeError(f"one message of more than {ENVELOPE_BYTES // 1024} KiB")
        yield block


class Channel(Transport):
    """pywinrm's transport on our adapter and with our login, deaf to the environment (proxies, .netrc, CA bundles)."""

    def __init__(
        self,
        endpoint: str,
        settings: WinrmSettings,
        password: str,
        adapter: Adapter,
        line: HttpSocket,
        login: Login | None,
    ) -> None:
        super().__init__(
            endpoint=endpoint,
            # What pywinrm does not log in with, it has to be told all the same.
            username=settings.user or "-",
            password=password,
            # None: not what REQUESTS_CA_BUNDLE says.
            ca_trust_path=cast("Any", None),
            cert_pem=settings.cert_file or None,
            cert_key_pem=settings.key_file or None,
            auth_method=cast("Any", "certificate" if settings.auth == "certificate" else "basic"),
            message_encryption="never",
            proxy=None,
        )
        self.adapter = adapter
        self.login = login
        """For NTLM, Kerberos and CredSSP, which seal messages; over TLS, too, as HTTP.sys then asks for it once."""
        self._line = line

    def build_session(self) -> requests.Session:
        """The session, ready, and logged in where that comes before the first message."""
        if self.session is not None:
            return self.session
        if self.login is None:
            session: requests.Session = super().build_session()
            self._prepare(session)
            return session
        session = requests.Session()
        self._prepare(session)
        session.headers.update(self.default_headers)
        answer = self.login.run(functools.partial(self._post, session), self._bind)
        self._judge(answer)
        if self.login.stage is not Stage.ACCEPTED:
            raise NoLoginError
        self.session = session
        return session

    def send_message(self, message: str | bytes) -> bytes:
        """Send one SOAP message, and give the answer's."""
        session = self.build_session()
        body = message.encode() if isinstance(message, str) else message
        request = requests.Request("POST", self.endpoint, data=body)
        if self.login is not None:
            kind, request.data = self.login.seal(body)
            request.headers = {"Content-Type": kind}
        answer = session.send(session.prepare_request(request))
        self._judge(answer)
        return self._text_of(answer)

    def names_told(self, scheme: str, host: str) -> tuple[str, ...]:
        """The computer names that the address gives itself, on a fresh connection. Raises what the libraries raise."""
        session = requests.Session()
        self._prepare(session)
        return names_told(functools.partial(self._post, session), scheme, host)

    def _post(self, session: requests.Session, authorization: str) -> requests.Response:
        """One message of the login: nothing but a header."""
        headers = {"Authorization": authorization} if authorization else {}
        answer = session.send(session.prepare_request(requests.Request("POST", self.endpoint, headers=headers)))
        # Read to its end, or the next message would go over another connection.
        _ = answer.content
        return answer

    def _bind(self) -> None:
        self._line.bound = True

    def _prepare(self, session: requests.Session) -> None:
        session.trust_env = False
        session.proxies = {}
        session.headers["Accept-Encoding"] = "identity"
        session.mount("http://", self.adapter)
        session.mount("https://", self.adapter)

    def _judge(self, answer: requests.Response) -> None:
        """Raises what is no answer of WinRM's, or a refusal."""
        if page := page_of(answer):
            raise PageError(page)
        if answer.status_code == requests.codes.unauthorized:
            raise InvalidCredentialsError("the specified credentials were rejected by the server")
        if answer.status_code >= requests.codes.bad_request:
            text = self._text_of(answer) if answer.content else b""
            raise WinRMTransportError("http", answer.status_code, text.decode("utf-8", "replace"))

    def _text_of(self, answer: requests.Response) -> bytes:
        text = answer.content
        if "-session-encrypted" in answer.headers.get("Content-Type", "") and self.login is not None:
            text = self.login.unseal(text)
        if b"\0" in text:
            # In UTF-16 the next line would find nothing.
            raise ProtocolError("the answer is not in UTF-8, in which it was asked for")
        if b"<!ENTITY" in text:
            # SOAP has no document types (SOAP 1.2, part 1, 5), and entities can be made to fill the memory.
            raise ProtocolError("the answer defines XML entities: no SOAP message does")
        return text


def tls_context(verify: bool, ca_file: str, cert_file: str, key_file: str) -> ssl.SSLContext:
    """What TLS trusts and shows. One for all nodes with the same settings: reading the system's store takes a while.

    Without `ca_file` the operating system's own store counts. Raises OSError or ssl.SSLError for unusable files.
    """
    with _ONE_AT_A_TIME:  # else many nodes that start together would each read it
        return _tls_context(verify, ca_file, cert_file, key_file)


@functools.lru_cache(maxsize=16)
def _tls_context(verify: bool, ca_file: str, cert_file: str, key_file: str) -> ssl.SSLContext:
    context = trusting(verify, ca_file)
    context.keylog_filename = None  # type: ignore[assignment]  # SSLKEYLOGFILE would open the conversation to others
    if cert_file:
        # An encrypted key must fail, not ask on the terminal.
        context.load_cert_chain(cert_file, key_file or None, password=lambda: b"")
        # HTTP.sys asks for a client's certificate only after the request, which TLS 1.3 clients must allow beforehand.
        context.post_handshake_auth = True
    return context
