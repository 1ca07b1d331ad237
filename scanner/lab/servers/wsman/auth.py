"""Who is on the connection: NTLM and Kerberos over Negotiate, CredSSP, their sealed messages, Basic, and certificates.

Windows keeps such a login per TCP connection, so there is one `ConnectionLogin` for each.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from itertools import pairwise
from types import ModuleType
from typing import TYPE_CHECKING, Literal

from checks.common.dataclass import dataclass
from scanner.lab.servers.wsman.accounts import USER_FILE, Accounts

if TYPE_CHECKING:
    from spnego import ContextProxy
    from spnego.channel_bindings import GssChannelBindings

Mechanism = Literal["ntlm", "kerberos", "credssp", "basic", "certificate"]
Hardening = Literal["none", "relaxed", "strict"]
"""CbtHardeningLevel of the WinRM service; Windows' default is relaxed: bindings that are sent must be right."""

CERTIFICATE_AUTHORIZATION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
_PROTOCOLS = {
    "Negotiate": "application/HTTP-SPNEGO-session-encrypted",
    "CredSSP": "application/HTTP-CredSSP-session-encrypted",
}
_CREDSSP_BLOCK = 16 * 1024
"""What one TLS record of CredSSP holds; longer messages are sealed in parts."""

_BOUNDARY = b"--Encrypted Boundary"
_SEALED_BODY = re.compile(
    rb"--Encrypted Boundary\r\n[ \t]*Content-Type:[ \t]*application/HTTP-(?:SPNEGO|CredSSP)-session-encrypted\r\n"
    rb"[ \t]*OriginalContent:[ \t]*type=application/soap\+xml;[ \t]*charset=[^;]+;[ \t]*Length=(\d+)\r\n"
    rb"--Encrypted Boundary\r\n[ \t]*Content-Type:[ \t]*application/octet-stream\r\n"
    rb"(.*)--Encrypted Boundary--(?:\r\n)?",
    re.DOTALL | re.IGNORECASE,
)
_PART = re.compile(rb"--Encrypted Boundary\r\n[ \t]*Content-Type:[ \t]*application/HTTP-", re.IGNORECASE)
_KERBEROS = bytes.fromhex("06092a864886f712010202")
"""The mechanism's name at the head of a token of Kerberos' own; inside SPNEGO it comes later."""
_NO_BINDINGS = struct.pack("<HH", 10, 16) + bytes(16)
_BINDINGS_PAIR = struct.pack("<HH", 10, 16)
"""Head of the AV pair MsvAvChannelBindings in an NTLM response, [MS-NLMP] 2.2.2.1."""


class SealError(Exception):
    """A sealed body that cannot be opened: no such login on this connection, or it was tampered with."""


@dataclass(frozen=True, slots=True, kw_only=True)
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
        offered = ["Negotiate"] if self.mechanisms & {"ntlm", "kerberos"} else []
        offered += ["Kerberos"] if "kerberos" in self.mechanisms else []
        offered += ["CredSSP"] if "credssp" in self.mechanisms else []
        return [*offered, *(['Basic realm="WSMAN"'] if self.basic_offered else [])]


@dataclass(frozen=True, slots=True)
class Login:
    """What one request's Authorization header came to."""

    user: str | None
    """Canonical account name; None: not (yet) logged in, answer 401."""
    mechanism: str
    token: str = ""
    """Base64 for WWW-Authenticate, if the handshake has something to say."""
    scheme: str = "Negotiate"
    """Before the token: Negotiate or CredSSP."""


def _last_words(context: object) -> bytes:
    """The token in which GSSAPI tells a client why not: a clock or a ticket that is wrong.

    python-gssapi keeps it with an error that it puts off, over which pyspnego then stumbles (AttributeError).
    """
    error = getattr(getattr(context, "_context", None), "_last_err", None)
    token = getattr(error, "token", None)
    return token if isinstance(token, bytes) else b""


class ConnectionLogin:
    """The login state of one TCP connection. Used by that connection's thread alone."""

    def __init__(self, policy: Policy, peer_upns: frozenset[str]) -> None:
        self._policy = policy
        self._peer_upns = peer_upns
        self._context: ContextProxy | None = None
        self._negotiated_user: str | None = None
        self._had_login = False
        self._mechanism = ""
        self._scheme = "Negotiate"
        self.steps = 0
        """How many tokens of the client's have come."""

    @property
    def lost(self) -> bool:
        """There was a login here and it is gone."""
        return self._had_login and self._negotiated_user is None

    def forget(self) -> None:
        """Drop the login, as Windows does when the account's token expires."""
        self._context = None
        self._negotiated_user = None

    def authenticate(self, authorization: str) -> Login:
        """Judge one request by its Authorization header and by what the connection already is."""
        scheme, _, value = authorization.partition(" ")
        if authorization == CERTIFICATE_AUTHORIZATION:
            return Login(self._by_certificate(), "certificate")
        if scheme.lower() == "negotiate" and self._policy.mechanisms & {"ntlm", "kerberos"}:
            return self._exchange("Negotiate", value)
        if scheme.lower() == "credssp" and "credssp" in self._policy.mechanisms:
            return self._exchange("CredSSP", value)
        if scheme.lower() == "basic":
            return Login(self._basic(value) if self._policy.basic_offered else None, "basic")
        if not authorization and self._negotiated_user is not None:
            return Login(self._negotiated_user, self._mechanism)
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

    def _exchange(self, scheme: str, value: str) -> Login:
        import spnego
        from spnego.exceptions import SpnegoError

        try:
            token = base64.b64decode(value, validate=True)
        except binascii.Error:
            token = b""
        self.steps += 1
        accounts = self._policy.accounts
        lines = "".join(f"{domain}:{user}:{password}\n" for domain, user, password in accounts.spellings())
        if self._context is None or self._context.complete or scheme != self._scheme:
            self.forget()
            self._scheme = scheme
            self._mechanism = "credssp" if scheme == "CredSSP" else "kerberos" if _KERBEROS in token[:24] else "ntlm"
            if self._mechanism not in self._policy.mechanisms:
                return Login(None, self._mechanism)
            self._context = self._acceptor(spnego)
        try:
            with USER_FILE.holding(lines):
                out = self._context.step(token, channel_bindings=self._bindings(token))
        except (SpnegoError, ValueError, struct.error, IndexError, AttributeError):
            said = _last_words(self._context)
            self.forget()
            return Login(None, self._mechanism, base64.b64encode(said).decode(), scheme)
        reply = base64.b64encode(out).decode() if out else ""
        if not self._context.complete:
            return Login(None, self._mechanism, reply, scheme)
        self._negotiated_user = self._account(self._context.client_principal or "")
        self._had_login = True
        return Login(self._negotiated_user, self._mechanism, reply, scheme)

    def _acceptor(self, spnego: ModuleType) -> ContextProxy:
        options = spnego.NegotiateOptions
        if self._mechanism == "credssp":
            context: ContextProxy = spnego.server(protocol="credssp", options=options.use_negotiate)
        elif self._mechanism == "kerberos":
            # By the keytab that KRB5_KTNAME names.
            context = spnego.server(protocol="kerberos", options=options.wrapping_winrm)
        else:
            context = spnego.server(protocol="negotiate", options=options.use_negotiate)
        return context

    def _account(self, principal: str) -> str | None:
        accounts = self._policy.accounts
        if self._mechanism == "kerberos":
            user = principal.partition("@")[0]
            return next((name for name in accounts.users if name.rpartition("\\")[2] == user), None)
        domain, _, user = principal.rpartition("\\")
        return accounts.canonical(domain, user)

    def _bindings(self, token: bytes) -> GssChannelBindings | None:
        """The bindings to insist on: pyspnego demands them once given, so relaxed looks whether the client sent any."""
        from spnego.channel_bindings import GssChannelBindings

        policy = self._policy
        if policy.channel_bindings is None or policy.hardening == "none" or self._mechanism == "credssp":
            return None
        if self._mechanism == "kerberos" and policy.hardening == "relaxed":
            return None
        if policy.hardening == "relaxed" and (_BINDINGS_PAIR not in token or _NO_BINDINGS in token):
            return None
        return GssChannelBindings(application_data=b"tls-server-end-point:" + policy.channel_bindings)

    def unseal(self, body: bytes) -> bytes:
        """The message in a multipart/encrypted body, [MS-WSMV] 2.2.9.1.1 and 2.2.9.1.3. Raises SealError."""
        starts = [match.start() for match in _PART.finditer(body)] or [0]
        parts = [body[start:end] for start, end in pairwise([*starts, len(body)])]
        end = _BOUNDARY + b"--\r\n"
        return b"".join(self._unseal(part if part is parts[-1] else part + end) for part in parts)

    def _unseal(self, body: bytes) -> bytes:
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

    def seal(self, message: bytes) -> tuple[str, bytes]:
        """Content type, and a multipart/encrypted body around `message`. Raises SealError."""
        from spnego.exceptions import SpnegoError

        if self._context is None:
            raise SealError("no login on this connection")
        size = _CREDSSP_BLOCK if self._scheme == "CredSSP" else max(1, len(message))
        protocol = _PROTOCOLS[self._scheme]
        parts: list[bytes] = []
        blocks = range(0, len(message), size)
        for start in blocks:
            block = message[start : start + size]
            try:
                wrapped = self._context.wrap_winrm(block)
            except SpnegoError as error:
                raise SealError("the login was not negotiated for sealing") from error
            parts += [
                _BOUNDARY, b"\r\n\tContent-Type: ", protocol.encode(), b"\r\n",
                b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n" % len(block),
                _BOUNDARY, b"\r\n\tContent-Type: application/octet-stream\r\n",
                struct.pack("<i", len(wrapped.header)), wrapped.header, wrapped.data,
            ]  # fmt: skip
        kind = "multipart/x-multi-encrypted" if len(blocks) > 1 else "multipart/encrypted"
        content_type = f'{kind};protocol="{protocol}";boundary="Encrypted Boundary"'
        return content_type, b"".join([*parts, _BOUNDARY, b"--\r\n"])
