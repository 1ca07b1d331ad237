"""The connection to one node: the wire, TLS, HTTP over both, and the login on it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from scanner.errors import AuthenticationError, NodeError, UnreachableError, UntrustedPeerError
from scanner.inventory.model import WinrmSettings
from scanner.secrets.secret import Secret
from scanner.transports.bounded import aside
from scanner.transports.deadline import Deadline
from scanner.transports.network.dialling import dial
from scanner.transports.protocol import ConnectionCost
from scanner.transports.winrm.exchange.endpoint import HttpEndpoint

if TYPE_CHECKING:
    from scanner.transports.tls.inspection import Seen
    from scanner.transports.winrm.authentication.login import Login
    from scanner.transports.winrm.exchange.channel import Channel
    from scanner.transports.winrm.exchange.http import HttpClient, HttpSocket


def _is_latin(text: str) -> bool:
    """Not by catching the encoder's error: that one shows the characters."""
    return all(ord(character) < 256 for character in text)


class Connection:
    """One node's, from `prepare` to `hang_up`, and again. The constructor does no I/O.

    `remaining_s` says how much of the node's time is left.
    """

    def __init__(
        self,
        host: str,
        settings: WinrmSettings,
        usage: ConnectionCost,
        *,
        remaining_s: Callable[[], float],
    ) -> None:
        self._host = host
        self._settings = settings
        self._usage = usage
        self._remaining_s = remaining_s
        self._line: HttpSocket | None = None
        self._channel: Channel | None = None
        self.client: HttpClient | None = None
        self.login: Login | None = None
        """Where the login takes several messages."""

    @property
    def endpoint(self) -> HttpEndpoint:
        """Where the node's WinRM is."""
        settings = self._settings
        return HttpEndpoint(settings.scheme, self._host, settings.port, settings.path)

    @property
    def is_prepared(self) -> bool:
        """False before `prepare` and after `hang_up`."""
        return self._channel is not None

    @property
    def channel(self) -> Channel:
        """Raises ValueError where it is not prepared."""
        if self._channel is None:
            raise ValueError("not prepared")
        return self._channel

    @property
    def patience_s(self) -> float:
        """How long a connection may take to come about."""
        return min(self._settings.connect_timeout_s, self._remaining_s())

    def prepare(self) -> None:
        """Everything but I/O with the node. Raises NodeError for what this machine lacks."""
        from scanner.transports.winrm.authentication import kerberos
        from scanner.transports.winrm.authentication.login import Login, wish_of
        from scanner.transports.winrm.authentication.refusals import missing_kerberos
        from scanner.transports.winrm.exchange.channel import Channel
        from scanner.transports.winrm.exchange.http import HttpClient, HttpSocket

        settings = self._settings
        if settings.auth == "kerberos" and not kerberos.available():
            raise missing_kerberos()
        password = settings.password.reveal() if isinstance(settings.password, Secret) else ""
        if settings.auth == "basic" and not _is_latin(settings.user + password):
            raise AuthenticationError(
                "Basic logins carry Latin-1 characters only, and there are others in the user or the password",
                hint='use auth = "ntlm", or choose another password',
            )
        self._line = HttpSocket(self._dial, self._usage)
        tls = self._tls() if settings.scheme == "https" else None
        client = self.client = HttpClient(self.endpoint, self._line, self._usage, tls, self._remaining_s)
        self.login = None
        if settings.auth in ("ntlm", "kerberos", "credssp"):
            self.login = Login(
                settings,
                wish_of(self._host, settings),
                patience_s=lambda: self.patience_s,
                certificate=lambda: client.certificate,
            )
        self._channel = Channel(settings, password, client, self._line, self.login)

    def _tls(self) -> ssl.SSLContext:
        from scanner.transports.winrm.exchange.http import tls_context

        settings = self._settings
        try:
            trusting = tls_context(settings.verify, settings.ca_file, "", "")
        except OSError as error:
            raise UntrustedPeerError(f"ca_file {settings.ca_file} cannot be used: {error}") from error
        if not settings.cert_file:
            return trusting
        try:
            return tls_context(settings.verify, settings.ca_file, settings.cert_file, settings.key_file)
        except OSError as error:
            raise AuthenticationError(
                f"the client certificate {settings.cert_file} or its key cannot be used: {error}",
                hint="`cert_file` and `key_file` are PEM; the key must not be encrypted",
            ) from error

    def see_to_a_ticket(self) -> None:
        """Kerberos talks to a KDC, which is another machine: first, and no longer than a connection may take."""
        from scanner.transports.winrm.authentication import kerberos
        from scanner.transports.winrm.authentication.login import wish_of

        if self._settings.auth == "kerberos":
            wish = wish_of(self._host, self._settings)
            kerberos.ticket(wish, self.patience_s)

    def connect(self) -> None:
        """Raises NodeError."""
        if self._line is None:
            raise ValueError("not prepared")
        self._line.connect()

    def _dial(self) -> socket.socket:
        patience_s = self.patience_s
        try:
            return dial(self._host, self._settings.port, patience_s)
        except TimeoutError as error:
            raise UnreachableError(
                f"no answer from port {self._settings.port} within {patience_s:g} s",
                hint="check that the node is up, and that no firewall drops the connection",
            ) from error

    def look(self) -> Seen | None:
        """What the node shows to TLS, for the words of a failure: a handshake on a connection of its own."""
        seconds = self.patience_s
        return aside(lambda: self._look(seconds)) if seconds > 0 else None

    def _look(self, seconds: float) -> Seen | None:
        from scanner.transports.tls.inspection import look

        try:
            wire = self._dial()
        except (OSError, NodeError):
            return None
        self._usage.connections += 1
        return look(wire, self._host, seconds)

    def names(self) -> tuple[str, ...]:
        """The computer names that the node's address gives itself, for the words of a failed login."""
        seconds = self.patience_s
        line, client, channel, login = self._line, self.client, self._channel, self.login
        if line is None or client is None or channel is None or login is None:
            return ()
        if self._settings.auth != "ntlm" or seconds <= 0:
            return ()
        with suppress(Exception), Deadline(seconds, self.cut):
            # The connection of the login that failed is of no use any more.
            client.close()
            line.close()
            return channel.names_told(login.scheme, self._host)
        return ()

    def cut(self) -> None:
        """End at once what is under way, from another thread."""
        if self._line is not None:
            self._line.cut()

    def hang_up(self) -> None:
        """Close the connection. Never raises."""
        if self.client is not None:
            self.client.close()
        if self._line is not None:
            self._line.close()
        self._channel = None
