"""The login of one connection, step by step: NTLM, Kerberos and CredSSP, and the seal that it leaves on messages.

Each of them is a conversation bound to its TCP connection. It is held here and not in a library's hook, because what an
answer means depends on the step: only the answer to the last message is a verdict on user and password, and whoever is
told "wrong password" for anything else will try until the account is locked.

Importing this loads pyspnego, so it is imported late.
"""

from __future__ import annotations

import base64
import binascii
import enum
import re
import struct
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Protocol

import spnego
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from spnego.channel_bindings import GssChannelBindings

from scanner.errors import ProtocolError
from scanner.inventory.model import WinrmSettings
from scanner.secrets.secret import Secret
from scanner.transports.winrm.authentication import kerberos, nt_hash
from scanner.transports.winrm.exchange.answer import HttpAnswer

_SPNEGO = "application/HTTP-SPNEGO-session-encrypted"
_CREDSSP = "application/HTTP-CredSSP-session-encrypted"
_BOUNDARY = b"--Encrypted Boundary"
_CREDSSP_BLOCK = 16 * 1024
"""CredSSP seals in TLS records, of which one holds so much."""
_MOST_STEPS = 12
"""CredSSP over TLS 1.2 with NTLM takes six."""
_CREDSSP_SAFE = 5
"""The first version that withstands CVE-2018-0886: the node proves its key to nobody in between."""


class Stage(enum.Enum):
    """How far the login is; says what a failure means."""

    UNASKED = "nothing was sent yet"
    OFFERED = "the node was asked what it offers"
    BEGUN = "our first token was sent"
    CHALLENGED = "the node has answered it"
    ANSWERED = "user and password were proven"
    ACCEPTED = "the node let us in"


class RefusedStepError(Exception):
    """The node said no to a step of the login, with HTTP 401."""


class NoLoginError(Exception):
    """What answers there asks nobody for a login."""


class UnprovenNodeError(Exception):
    """The node let us in and did not prove that it is the one that was meant."""


class OldCredsspError(Exception):
    """The node speaks a CredSSP that gives the password away to somebody in between."""

    def __init__(self, version: int) -> None:
        self.version = version
        super().__init__(f"CredSSP version {version}")


class Post(Protocol):
    """How a message of the login is sent."""

    def __call__(self, authorization: str) -> HttpAnswer:
        """Send an empty message with this Authorization, and give its answer, whatever the status."""
        ...


class Login:
    """One login on one connection."""

    def __init__(
        self,
        settings: WinrmSettings,
        wish: kerberos.Wish,
        *,
        patience_s: Callable[[], float],
        certificate: Callable[[], bytes | None],
    ) -> None:
        """`certificate`: what the node showed to TLS, DER. `patience_s`: how long a KDC may take."""
        self.stage = Stage.UNASKED
        self.node = ""
        """The computer name that the node gives itself in the login, where it does."""
        auth = settings.auth
        self._auth = auth
        self._wish = wish
        self._secure = settings.scheme == "https"
        self._patience_s = patience_s
        self._certificate = certificate
        self._context: Any = None
        self.scheme = {"ntlm": "Negotiate", "kerberos": "Negotiate", "credssp": "CredSSP"}[auth]
        """As HTTP names it."""

    def run(self, post: Post, bind: Callable[[], None]) -> HttpAnswer:
        """Log in; the last answer. `bind` is called as soon as all depends on this one connection.

        Raises RefusedStepError where the node says no, and what the libraries raise.
        """
        # Over http a ticket can be shown at once: nothing of the connection goes into it.
        if self._auth != "kerberos" or self._secure:
            self.stage = Stage.OFFERED
            answer = post("")
            if answer.status_code != HTTPStatus.UNAUTHORIZED:
                return answer
            self._choose(answer)
        token = self._begin()
        for _ in range(_MOST_STEPS):
            self.stage = self._stage_of(token)
            answer = post(f"{self.scheme} {base64.b64encode(token).decode()}")
            # The first token may open a connection; whatever follows it belongs on that one.
            bind()
            theirs = challenge_of(answer, self.scheme)
            if answer.status_code != HTTPStatus.UNAUTHORIZED:
                return self._accepted(answer, theirs)
            if not theirs:
                raise RefusedStepError
            reply = self._step(theirs)
            if not reply:
                raise RefusedStepError
            token = reply
        raise ProtocolError(f"the {self._auth} login goes on and on, and was broken off after {_MOST_STEPS} steps")

    def _choose(self, answer: HttpAnswer) -> None:
        offered = [name.lower() for name in schemes(answer.headers.get("WWW-Authenticate", ""))]
        wanted = {"ntlm": ("NTLM", "Negotiate"), "kerberos": ("Negotiate", "Kerberos"), "credssp": ("CredSSP",)}
        found = [name for name in wanted[self._auth] if name.lower() in offered]
        if not found:
            raise RefusedStepError
        self.scheme = found[0]

    def _begin(self) -> bytes:
        bindings = self._bindings()
        options = spnego.NegotiateOptions
        if self._auth == "kerberos":
            self._context = self._bounded(lambda: kerberos.context(self._wish, bindings))
        elif self._auth == "ntlm":
            self._context = spnego.client(
                nt_hash.credential(self._wish.user, self._wish.password),
                hostname=self._wish.host,
                service="http",
                channel_bindings=bindings,
                protocol="ntlm",
                # Never the system's own NTLM, which would take other passwords than the one that was given.
                options=options.use_ntlm,
            )
        else:
            self._context = spnego.client(
                self._wish.user, self._wish.password, hostname=self._wish.host, service="http", protocol="credssp"
            )
        return self._step(None) or b""

    def _step(self, token: bytes | None) -> bytes | None:
        if token and token.startswith(b"NTLMSSP\0\2\0\0\0"):
            self.node = computer_name(token)
        if self._auth == "ntlm":
            out: bytes | None = self._context.step(token)
        else:
            # Kerberos asks a KDC, by itself or inside CredSSP.
            out = self._bounded(lambda: self._context.step(token))
        if self._auth == "credssp":
            self._check_version()
        return out

    def _bounded(self, step: Callable[[], Any]) -> Any:
        return kerberos.bounded_step(self._wish, step, self._patience_s())

    def _check_version(self) -> None:
        # Over https the node is known already, and nobody is in between.
        version = self._context.get_extra_info("protocol_version")
        if version is not None and version < _CREDSSP_SAFE and not self._secure:
            raise OldCredsspError(version)

    def _stage_of(self, token: bytes) -> Stage:
        if self._auth == "kerberos":
            return Stage.ANSWERED
        if self._auth == "ntlm":
            return Stage.BEGUN if token.startswith(b"NTLMSSP\0\1\0\0\0") else Stage.ANSWERED
        told = str(self._context.get_extra_info("auth_stage") or "")
        if told.startswith(("Public key", "Credential")):
            return Stage.ANSWERED
        return Stage.CHALLENGED if self.stage in (Stage.BEGUN, Stage.CHALLENGED) else Stage.BEGUN

    def _accepted(self, answer: HttpAnswer, theirs: bytes | None) -> HttpAnswer:
        if answer.status_code != HTTPStatus.OK:
            return answer
        if theirs and not self._context.complete:
            self._step(theirs)
        if not self._context.complete:
            raise UnprovenNodeError
        self.stage = Stage.ACCEPTED
        return answer

    def _bindings(self) -> GssChannelBindings | None:
        """tls-server-end-point (RFC 5929): the login holds for the connection on which the node showed this."""
        shown = self._certificate() if self._auth != "credssp" else None
        if not shown:
            return None
        try:
            algorithm = x509.load_der_x509_certificate(shown).signature_hash_algorithm
        except (ValueError, UnsupportedAlgorithm):
            return None
        if algorithm is None or algorithm.name in ("md5", "sha1"):
            algorithm = hashes.SHA256()
        digest = hashes.Hash(algorithm)
        digest.update(shown)
        return GssChannelBindings(application_data=b"tls-server-end-point:" + digest.finalize())

    def seal(self, message: bytes) -> tuple[str, bytes]:
        """Content type and body, [MS-WSMV] 2.2.9.1."""
        size = _CREDSSP_BLOCK if self._auth == "credssp" else len(message) or 1
        blocks = [message[at : at + size] for at in range(0, len(message), size)]
        kind = "multipart/x-multi-encrypted" if len(blocks) > 1 else "multipart/encrypted"
        protocol = _CREDSSP if self._auth == "credssp" else _SPNEGO
        body = b""
        for block in blocks:
            wrapped = self._context.wrap_winrm(block)
            length = len(block) + wrapped.padding_length
            body += b"".join([
                _BOUNDARY, b"\r\n\tContent-Type: ", protocol.encode(), b"\r\n",
                b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n" % length,
                _BOUNDARY, b"\r\n\tContent-Type: application/octet-stream\r\n",
                struct.pack("<i", len(wrapped.header)), wrapped.header, wrapped.data,
            ])  # fmt: skip
        return f'{kind};protocol="{protocol}";boundary="Encrypted Boundary"', body + _BOUNDARY + b"--\r\n"

    def unseal(self, body: bytes) -> bytes:
        """The message in a sealed body. Raises ProtocolError, and what pyspnego raises."""
        parts = [part for part in body.split(_BOUNDARY + b"\r\n") if part]
        message = b""
        for head, part in zip(parts[::2], parts[1::2], strict=True):
            found = re.search(rb"Length=(\d{1,9})", head)
            if not found:
                raise ProtocolError("a sealed message from the node does not say how long it is")
            data = part.removesuffix(_BOUNDARY + b"--\r\n").partition(b"application/octet-stream\r\n")[2]
            (size,) = struct.unpack_from("<i", data)
            if not 0 <= size <= len(data) - 4:
                raise ProtocolError("a sealed message from the node is cut")
            opened = self._context.unwrap_winrm(data[4 : 4 + size], data[4 + size :])
            if len(opened) != int(found[1]):
                raise ProtocolError("a sealed message from the node does not have the length that it claims")
            message += opened
        return message


def wish_of(host: str, settings: WinrmSettings) -> kerberos.Wish:
    """Whose ticket is wanted for which service."""
    password = settings.password.reveal() if isinstance(settings.password, Secret) else ""
    return kerberos.Wish(settings.user, password, settings.kerberos_hostname or host, settings.service)


def schemes(header: str) -> list[str]:
    """The logins that a WWW-Authenticate offers, as spelled there."""
    return list(dict.fromkeys(re.findall(r"(?:^|,)\s{0,20}([A-Za-z]{1,30})(?=\s|,|$)", header)))


def challenge_of(answer: HttpAnswer, scheme: str) -> bytes | None:
    """The node's part of a login by `scheme`, from an answer's head. Raises ProtocolError."""
    header = answer.headers.get("WWW-Authenticate", "")
    found = re.search(rf"(?:^|[,\s]){scheme}\s+([A-Za-z0-9+/]+={{0,2}})", header, re.IGNORECASE)
    if not found:
        return None
    try:
        return base64.b64decode(found[1], validate=True)
    except binascii.Error:
        raise ProtocolError("the node's part of the login is not base64") from None


def computer_name(challenge: bytes) -> str:
    """MsvAvNbComputerName in a CHALLENGE_MESSAGE, [MS-NLMP] 2.2.1.2; "" where there is none."""
    try:
        length, _, at = struct.unpack_from("<HHI", challenge, 40)
        info = challenge[at : at + length]
        position = 0
        while position + 4 <= len(info):
            kind, size = struct.unpack_from("<HH", info, position)
            if kind == 1:
                return info[position + 4 : position + 4 + size].decode("utf-16-le", "replace")[:64]
            if kind == 0:
                break
            position += 4 + size
    except struct.error:
        pass
    return ""
