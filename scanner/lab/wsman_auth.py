"""Who is on the connection: NTLM over Negotiate with sealed messages, Basic, and client certificates.

Windows keeps an NTLM login per TCP connection, so there is one `ConnectionLogin` for each.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from scanner.lab.wsman_accounts import USER_FILE, Accounts

if TYPE_CHECKING:
    from spnego import ContextProxy
    from spnego.channel_bindings import GssChannelBindings

Mechanism = Literal["ntlm", "basic", "certificate"]
Hardening = Literal["none", "relaxed", "strict"]
"""CbtHardeningLevel of the WinRM service; Windows' default is relaxed: bindings that are sent must be right."""

CERTIFICATE_AUTHORIZATION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
SEALED_PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"
SEALED_CONTENT_TYPE = f'multipart/encrypted;protocol="{SEALED_PROTOCOL}";boundary="Encrypted Boundary"'

_BOUNDARY = b"--Encrypted Boundary"
_SEALED_BODY = re.compile(
    rb"--Encrypted Boundary\r\n[ \t]*Content-Type:[ \t]*application/HTTP-SPNEGO-session-encrypted\r\n"
    rb"[ \t]*OriginalContent:[ \t]*type=application/soap\+xml;[ \t]*charset=[^;]+;[ \t]*Length=(\d+)\r\n"
    rb"--Encrypted Boundary\r\n[ \t]*Content-Type:[ \t]*application/octet-stream\r\n"
    rb"(.*)--Encrypted Boundary--(?:\r\n)?",
    re.DOTALL | re.IGNORECASE,
)
_NO_BINDINGS = struct.pack("<HH", 10, 16) + bytes(16)
_BINDINGS_PAIR = struct.pack("<HH", 10, 16)
"""Head of the AV pair MsvAvChannelBindings in an NTLM response, [MS-NLMP] 2.2.2.1."""


class SealError(Exception):
    """A sealed body that cannot be opened: no such login on this connection, or it was tampered with."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How the listener takes logins."""

    accounts: Accounts
    mechanisms: frozenset[Mechanism]
    tls: bool
    allow_unencrypted: bool
    hardening: Hardening
    channel_bindings: bytes | None
    """tls-server-end-point hash of the server's certificate, [RFC 5929]."""

    @property
    def basic_offered(self) -> bool:
        """Basic sends the password as it is, so Windows offers it over TLS or under AllowUnencrypted only."""
        return "basic" in self.mechanisms and (self.tls or self.allow_unencrypted)

    def challenges(self) -> list[str]:
        """WWW-Authenticate values of a plain 401."""
        negotiate = ["Negotiate"] if "ntlm" in self.mechanisms else []
        return [*negotiate, *(['Basic realm="WSMAN"'] if self.basic_offered else [])]


@dataclass(frozen=True, slots=True)
class Login:
    """What one request's Authorization header came to."""

    user: str | None
    """Canonical account name; None: not (yet) logged in, answer 401."""
    mechanism: str
    token: str = ""
    """Base64 for `WWW-Authenticate: Negotiate`, if the handshake has something to say."""


class ConnectionLogin:
    """The login state of one TCP connection. Used by that connection's thread alone."""

    def __init__(self, policy: Policy, peer_upns: frozenset[str]) -> None:
        self._policy = policy
        self._peer_upns = peer_upns
        self._context: ContextProxy | None = None
        self._negotiated_user: str | None = None
        self._had_login = False

    @property
    def lost(self) -> bool:
        """There was an NTLM login here and it is gone."""
        return self._had_login and self._negotiated_user is None

    def forget(self) -> None:
        """Drop the NTLM login, as Windows does when the account's token expires."""
        self._context = None
        self._negotiated_user = None

    def authenticate(self, authorization: str) -> Login:
        """Judge one request by its Authorization header and by what the connection already is."""
        scheme, _, value = authorization.partition(" ")
        if authorization == CERTIFICATE_AUTHORIZATION:
            return Login(self._by_certificate(), "certificate")
        if scheme.lower() == "negotiate" and "ntlm" in self._policy.mechanisms:
            return self._negotiate(value)
        if scheme.lower() == "basic":
            return Login(self._basic(value) if self._policy.basic_offered else None, "basic")
        if not authorization and self._negotiated_user is not None:
            return Login(self._negotiated_user, "ntlm")
        return Login(None, "")

    def _by_certificate(self) -> str | None:
        if "certificate" not in self._policy.mechanisms:
            return None
        return next((name for name in self._policy.accounts.users if f"{name}@localhost" in self._peer_upns), None)

    def _basic(self, value: str) -> str | None:
        try:
            raw = base64.b64decode(value, validate=True)
        except binascii.Error:
            return None
        # requests sends latin-1, others UTF-8.
        texts = [raw.decode("latin-1"), raw.decode("utf-8", errors="replace")]
        return next((account for text in texts if (account := self._local_account(text))), None)

    def _local_account(self, credentials: str) -> str | None:
        name, _, password = credentials.partition(":")
        domain, _, user = name.rpartition("\\")
        account = self._policy.accounts.canonical(domain, user)
        # Windows maps Basic to local accounts only.
        if account is None or "\\" in account or self._policy.accounts.users[account] != password:
            return None
        return account

    def _negotiate(self, value: str) -> Login:
        import spnego
        from spnego.exceptions import SpnegoError

        try:
            token = base64.b64decode(value, validate=True)
        except binascii.Error:
            token = b""
        accounts = self._policy.accounts
        lines = "".join(f"{domain}:{user}:{password}\n" for domain, user, password in accounts.spellings())
        if self._context is None or self._context.complete:
            self.forget()
            self._context = spnego.server(protocol="negotiate", options=spnego.NegotiateOptions.use_negotiate)
        try:
            with USER_FILE.holding(lines):
                out = self._context.step(token, channel_bindings=self._bindings(token))
        except (SpnegoError, ValueError, struct.error, IndexError):
            self.forget()
            return Login(None, "ntlm")
        reply = base64.b64encode(out).decode() if out else ""
        if not self._context.complete:
            return Login(None, "ntlm", reply)
        domain, _, user = (self._context.client_principal or "").rpartition("\\")
        self._negotiated_user = accounts.canonical(domain, user)
        self._had_login = True
        return Login(self._negotiated_user, "ntlm", reply)

    def _bindings(self, token: bytes) -> GssChannelBindings | None:
        """The bindings to insist on: pyspnego demands them once given, so relaxed looks whether the client sent any."""
        from spnego.channel_bindings import GssChannelBindings

        policy = self._policy
        if policy.channel_bindings is None or policy.hardening == "none":
            return None
        if policy.hardening == "relaxed" and (_BINDINGS_PAIR not in token or _NO_BINDINGS in token):
            return None
        return GssChannelBindings(application_data=b"tls-server-end-point:" + policy.channel_bindings)

    def unseal(self, body: bytes) -> bytes:
        """The message in a multipart/encrypted body, [MS-WSMV] 2.2.9.1.1. Raises SealError."""
        from spnego.exceptions import SpnegoError

        match = _SEALED_BODY.fullmatch(body)
        if match is None:
            raise SealError("not a sealed message")
        if self._context is None or not self._context.complete:
            raise SealError("no login on this connection")
        length, payload = int(match[1]), match[2]
        try:
            (signature_length,) = struct.unpack_from("<i", payload)
            signature, sealed = payload[4 : 4 + signature_length], payload[4 + signature_length :]
            message = self._context.unwrap_winrm(signature, sealed)
        except (SpnegoError, struct.error) as error:
            self.forget()
            raise SealError("the message was not sealed by this login") from error
        if len(message) != length:
            raise SealError("the message is not as long as it says")
        return message

    def seal(self, message: bytes) -> bytes:
        """A multipart/encrypted body around `message`. Raises SealError."""
        from spnego.exceptions import SpnegoError

        if self._context is None:
            raise SealError("no login on this connection")
        try:
            wrapped = self._context.wrap_winrm(message)
        except SpnegoError as error:
            raise SealError("the login was not negotiated for sealing") from error
        return b"".join([
            _BOUNDARY, b"\r\n\tContent-Type: ", SEALED_PROTOCOL.encode(), b"\r\n",
            b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=", str(len(message)).encode(), b"\r\n",
            _BOUNDARY, b"\r\n\tContent-Type: application/octet-stream\r\n",
            struct.pack("<i", len(wrapped.header)), wrapped.header, wrapped.data, _BOUNDARY, b"--\r\n",
        ])  # fmt: skip
