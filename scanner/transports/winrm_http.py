"""The HTTP below pywinrm: one dialled connection, every request counted, every answer bounded in size and time.

Importing this loads requests and pywinrm, so it is imported late.
"""

from __future__ import annotations

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
from winrm.transport import Transport

from scanner.errors import AnswerTooLargeError, ConnectionLostError, ProtocolError
from scanner.inventory.model import WinrmSettings
from scanner.transports.protocol import Usage

ENVELOPE_BYTES = 1024 * 1024
"""The largest HTTP body that is read. We announce 150 kB as the most we take (MaxEnvelopeSize); pages are smaller."""
_BLOCK_BYTES = 64 * 1024
_ONE_AT_A_TIME = threading.Lock()


class Line:
    """The TCP connection of one node's conversation: dialled before requests needs it, cut when its time is up."""

    def __init__(self, dial: Callable[[], socket.socket], usage: Usage) -> None:
        self._dial = dial
        self._usage = usage
        self._waiting: socket.socket | None = None
        self._handle: socket.socket | None = None
        self.sealed = False
        """True once messages are encrypted under a login that is bound to this connection."""

    def connect(self) -> None:
        """Dial now; the connection waits for the first request. Raises OSError."""
        wire = self._dial()
        self._usage.connections += 1
        # TLS takes the socket's descriptor over before its handshake is done, so cutting needs one of its own.
        self._let_go()
        self._handle, self._waiting = wire.dup(), wire

    def take(self) -> socket.socket:
        """The dialled connection, once; after that a fresh one, as for servers that close after each answer."""
        if self.sealed:
            raise ConnectionLostError("the node closed the connection between two messages")
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
        self.sealed = False

    def _let_go(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()


def _is_dropped(wire: socket.socket) -> bool:
    """A fresh HTTP connection has nothing to say: what is readable on it is its end."""
    from urllib3.util.wait import wait_for_read

    return wait_for_read(wire, timeout=0.0)


class Adapter(HTTPAdapter):
    """Sends over a `Line`, counts, and bounds each answer; no retries, no redirects, no proxies."""

    def __init__(self, line: Line, usage: Usage, tls: ssl.SSLContext | None, remaining_s: Callable[[], float]) -> None:
        self._line = line
        self._usage = usage
        self._tls = tls
        self._remaining_s = remaining_s
        self._made: list[HTTPConnection] = []
        self.offered = ""
        """The node's last WWW-Authenticate."""
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        """Make pools whose connections come from the line."""
        line, made = self._line, self._made

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                made.append(self)
                return _timed(line.take(), self.timeout)

        class Secured(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                made.append(self)
                return _timed(line.take(), self.timeout)

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
        self.offered = response.headers.get("WWW-Authenticate", self.offered)
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
    """pywinrm's transport on our adapter, deaf to the environment (proxies, .netrc, CA bundles)."""

    def __init__(self, endpoint: str, settings: WinrmSettings, password: str, adapter: Adapter, line: Line) -> None:
        sealed = settings.auth in ("ntlm", "kerberos", "credssp")
        super().__init__(
            endpoint=endpoint,
            username=settings.user or None,
            password=password or None if settings.auth == "kerberos" else password,
            service=settings.service,
            # None: not what REQUESTS_CA_BUNDLE says.
            ca_trust_path=cast("Any", None),
            cert_pem=settings.cert_file or None,
            cert_key_pem=settings.key_file or None,
            kerberos_hostname_override=settings.kerberos_hostname or None,
            auth_method=cast("Any", settings.auth),
            # Over TLS too: an unsealed NTLM conversation sends its first message three times.
            message_encryption="always" if sealed else "never",
            proxy=None,
        )
        self.adapter = adapter
        self._line = line

    def build_session(self) -> requests.Session:
        """The session, ready."""
        session: requests.Session = super().build_session()
        self._prepare(session)
        return session

    def setup_encryption(self, session: requests.Session) -> None:
        """Log in with an empty message."""
        self._prepare(session)
        super().setup_encryption(session)
        self._line.sealed = True

    def _prepare(self, session: requests.Session) -> None:
        session.trust_env = False
        session.proxies = {}
        session.headers["Accept-Encoding"] = "identity"
        session.mount("http://", self.adapter)
        session.mount("https://", self.adapter)

    def _get_message_response_text(self, response: requests.Response) -> bytes:
        text: bytes = super()._get_message_response_text(response)
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
    context = ssl.create_default_context(cafile=ca_file or None)
    context.keylog_filename = None  # type: ignore[assignment]  # SSLKEYLOGFILE would open the conversation to others
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if cert_file:
        # An encrypted key must fail, not ask on the terminal.
        context.load_cert_chain(cert_file, key_file or None, password=lambda: b"")
        # HTTP.sys asks for a client's certificate only after the request, which TLS 1.3 clients must allow beforehand.
        context.post_handshake_auth = True
    return context
