"""The door for foreign exceptions: whatever paramiko, sockets or cryptography raise becomes one clear NodeError.

`ORIGINS` names what each foreign class means; the phase of the conversation says the rest. A test walks the libraries'
exception classes against it.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from enum import Enum

import nacl.exceptions
import paramiko
from cryptography import exceptions as crypto
from paramiko.ber import BERException
from paramiko.hostkeys import InvalidHostKey
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import IncompatiblePeer, MessageOrderError

from reports.text import escape_invisible
from scanner.errors import (
    AuthenticationError,
    ConnectionLostError,
    DeadlineError,
    NodeError,
    ProtocolError,
    RefusedError,
    UnreachableError,
    UntrustedPeerError,
)
from scanner.transports.ssh.login_shells import Instead, meaning, said_lines


class Phase(Enum):
    """Where in the conversation it happened."""

    CONNECT = "connecting"
    HANDSHAKE = "the SSH handshake"
    LOGIN = "the login"
    RUN = "running the script"


class Origin(Enum):
    """What kind of mishap a foreign exception is."""

    NAME = "name"
    NETWORK = "network"
    ENDED = "ended"
    HOST_KEY = "host key"
    INCOMPATIBLE = "incompatible"
    LOGIN = "login"
    CHANNEL = "channel"
    CONFIG = "config"
    PROTOCOL = "protocol"
    GARBLED = "garbled"


ORIGINS: tuple[tuple[type[BaseException], Origin], ...] = (
    (paramiko.BadHostKeyException, Origin.HOST_KEY),
    (IncompatiblePeer, Origin.INCOMPATIBLE),
    (paramiko.AuthenticationException, Origin.LOGIN),
    (paramiko.ChannelException, Origin.CHANNEL),
    (paramiko.ProxyCommandFailure, Origin.CONFIG),
    (paramiko.ConfigParseError, Origin.CONFIG),
    (paramiko.CouldNotCanonicalize, Origin.CONFIG),
    (MessageOrderError, Origin.PROTOCOL),
    (paramiko.SSHException, Origin.PROTOCOL),
    (UnknownKeyType, Origin.GARBLED),
    (BERException, Origin.GARBLED),
    (InvalidHostKey, Origin.GARBLED),
    (paramiko.SFTPError, Origin.PROTOCOL),
    (EOFError, Origin.ENDED),
    (socket.gaierror, Origin.NAME),
    (socket.herror, Origin.NAME),
    (ConnectionAbortedError, Origin.ENDED),
    (ConnectionResetError, Origin.ENDED),
    (BrokenPipeError, Origin.ENDED),
    (OSError, Origin.NETWORK),
    (nacl.exceptions.CryptoError, Origin.GARBLED),
    (crypto.InvalidTag, Origin.GARBLED),
    (crypto.InvalidSignature, Origin.GARBLED),
    (crypto.InvalidKey, Origin.GARBLED),
    (crypto.InternalError, Origin.GARBLED),
    (crypto.AlreadyFinalized, Origin.GARBLED),
    (crypto.AlreadyUpdated, Origin.GARBLED),
    (crypto.NotYetFinalized, Origin.GARBLED),
    (crypto.UnsupportedAlgorithm, Origin.INCOMPATIBLE),
    (UnicodeError, Origin.GARBLED),
    (struct.error, Origin.GARBLED),
    (ValueError, Origin.GARBLED),
    (LookupError, Origin.GARBLED),
    (TypeError, Origin.GARBLED),
    (AttributeError, Origin.GARBLED),
    (ArithmeticError, Origin.GARBLED),
    (AssertionError, Origin.GARBLED),
    (MemoryError, Origin.GARBLED),
)


def origin(error: BaseException) -> Origin | None:
    """What a foreign exception is; None for one that nobody has thought of."""
    return next((kind for foreign, kind in ORIGINS if isinstance(error, foreign)), None)


def translate(
    error: BaseException,
    phase: Phase,
    place: str,
    *,
    greeting: bytes = b"",
    ended: bool = False,
    farewell: str = "",
    banner: bytes = b"",
) -> NodeError:
    """A foreign exception as what happened to the server at `place` (host:port).

    `greeting` is what came before the SSH handshake, `ended` is true where the server closed the connection,
    `farewell` what it said when it hung up, `banner` what it said for its user to read.
    """
    if isinstance(error, NodeError):
        return error
    kind = origin(error)
    text = _text(error)
    if farewell and kind not in {Origin.NAME, Origin.HOST_KEY}:
        return _said_goodbye(farewell, phase, place)
    if phase is Phase.HANDSHAKE and b"SSH-" not in greeting and kind in {Origin.ENDED, Origin.PROTOCOL, Origin.NETWORK}:
        return _no_ssh(greeting, place, ended or kind is Origin.ENDED)
    if kind is Origin.NAME:
        return UnreachableError(
            f"the name {place.rpartition(':')[0]} is not found: {_reason(error)}", hint="check `host`"
        )
    if kind is Origin.NETWORK:
        return _network(error, phase, place)
    if kind is Origin.ENDED or (kind is Origin.LOGIN and "EOF" in text):
        return _closed(phase, place, banner, greeting)
    if kind is Origin.HOST_KEY:
        return UntrustedPeerError(f"{place} shows another host key than the known one: {text}")
    if kind is Origin.INCOMPATIBLE:
        return ProtocolError(
            f"{place} and preflight have no algorithm in common: {text}",
            hint="its SSH server is very old or very restricted; allow curve25519-sha256 and aes256-gcm there",
        )
    if kind is Origin.LOGIN:
        return AuthenticationError(f"{place} did not accept the login: {text}")
    if kind is Origin.CHANNEL:
        return RefusedError(f"{place} opens no session: {getattr(error, 'text', '') or text}", hint=_HINT_SESSION)
    if kind is Origin.CONFIG:
        return UnreachableError(f"the SSH configuration for {place} is not usable: {text}")
    if kind is Origin.PROTOCOL:
        return ProtocolError(f"{place} broke off {phase.value}: {text}")
    if kind is Origin.GARBLED:
        return ProtocolError(f"{place} sent something that makes no sense during {phase.value}: {_named(error, text)}")
    return ProtocolError(f"unexpected during {phase.value} with {place}: {_named(error, text)}")


_NOTICE_CHARS = 80
_SAID_CHARS = 200
_HINT_SESSION = "look at MaxSessions, ForceCommand and the account's shell on the node"


def _text(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())
    except Exception:  # noqa: BLE001  the door must hold, whatever stands before it
        return ""


def _named(error: BaseException, text: str) -> str:
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _reason(error: BaseException) -> str:
    number = getattr(error, "errno", None)
    return getattr(error, "strerror", None) or (os.strerror(number) if number else str(error)) or type(error).__name__


def _network(error: BaseException, phase: Phase, place: str) -> NodeError:
    if phase is not Phase.CONNECT:
        return ConnectionLostError(f"the connection to {place} failed during {phase.value}: {_reason(error)}")
    if isinstance(error, TimeoutError):
        return UnreachableError(f"no answer from {place}", hint="check host, port, and firewalls on the way")
    if isinstance(error, ConnectionRefusedError):
        return UnreachableError(f"nobody listens at {place} (connection refused)", hint="check `port`, and sshd there")
    if getattr(error, "errno", None) in {errno.EHOSTUNREACH, errno.ENETUNREACH}:
        return UnreachableError(
            f"no route to the machine ({place})", hint="check `host`, and the network; a `jump` host may be needed"
        )
    return UnreachableError(f"cannot connect to {place}: {_reason(error)}")


def _no_ssh(greeting: bytes, place: str, ended: bool) -> NodeError:
    line = _line(greeting.lstrip().split(b"\n", 1)[0], _NOTICE_CHARS)
    if line.startswith(("Exceeded MaxStartups", "Not allowed at this time")):
        return ConnectionLostError(
            f"{place} turned the connection away: {line}",
            hint="lower `parallel`, or raise MaxStartups and PerSourcePenalties in its sshd_config",
        )
    if line:
        return ProtocolError(f"{place} answers {line!r}, which is not SSH", hint="check `port`")
    if not ended:
        return ProtocolError(f"{place} accepts connections, but says nothing", hint="check `port`, and sshd there")
    return ConnectionLostError(
        f"{place} closed the connection before saying anything",
        hint="look at MaxStartups, AllowUsers, /etc/hosts.deny and sshd's log there",
    )


def with_banner(error: AuthenticationError, banner: bytes) -> AuthenticationError:
    """The error with what the server said of the login, which may be its cause; a notice to everybody is cut short."""
    known = _known(banner)
    if known:
        return AuthenticationError(f"{known.told} ({error})", hint=known.cure)
    said = _line(banner, _NOTICE_CHARS)
    return AuthenticationError(f"{error}; the server says: {said}", hint=error.hint) if said else error


def _closed(phase: Phase, place: str, banner: bytes, greeting: bytes) -> NodeError:
    """What a server that closed the connection had said before is the cause, where it said anything."""
    told = f"{place} closed the connection during {phase.value}"
    if phase is Phase.HANDSHAKE:
        said = _line(greeting.split(b"SSH-", 1)[0], _SAID_CHARS)
        hint = "look at sshd's log there; a proxy or a firewall on the way may have ended it, too"
        return ConnectionLostError(f"{told}, after it said: {said}" if said else told, hint=hint)
    if phase is not Phase.LOGIN:
        return ConnectionLostError(told, hint="look at sshd's log on the node itself, and at what restarts it")
    if known := _known(banner):
        return AuthenticationError(f"{place} closed the connection: {known.told}", hint=known.cure)
    if said := _line(banner, _SAID_CHARS):
        hint = "is the machine in maintenance (/etc/nologin), or the account kept out by PAM? sshd's log there tells"
        return ConnectionLostError(f"{told}, and says: {said}", hint=hint)
    return ConnectionLostError(told, hint="look at sshd's log there: PAM's account rules, MaxAuthTries, LoginGraceTime")


def _known(said: bytes) -> Instead | None:
    return next(filter(None, map(meaning, said_lines(said))), None)


def stalled(phase: Phase, place: str, greeting: bytes, within: str) -> DeadlineError:
    """The error for a server that took the connection and came no further than `phase` in all its time."""
    told = f"{place} did not get through {phase.value} within {within}"
    more = "`timeout` gives it more time"
    if phase is Phase.LOGIN:
        hint = f"sshd does not answer the login: name servers (UseDNS), LDAP, Kerberos or PAM there may hang; {more}"
        return DeadlineError(told, hint=hint)
    if phase is not Phase.HANDSHAKE:
        return DeadlineError(told, hint=f"look at the load and the sshd of the node; {more}")
    version = next((line for line in greeting.splitlines() if line.startswith(b"SSH-")), b"")
    if version:
        told += f": it calls itself {_line(version, _NOTICE_CHARS)!r}, and came no further"
        hint = f"look at the load and the sshd of the node, and at a path that drops large packets (MTU); {more}"
    elif greeting.strip():
        told += f": it said {_line(greeting, _NOTICE_CHARS)!r}, which is not SSH"
        hint = f"check `port`; if sshd listens there, look at what is in front of it; {more}"
    else:
        told += ": it took the connection, and said nothing"
        hint = f"is it sshd that listens there? Check `port`; look at the node's load and name servers (UseDNS); {more}"
    return DeadlineError(told, hint=hint)


def _line(said: bytes, most: int) -> str:
    text = " ".join(said[:4096].decode("utf-8", "backslashreplace").split())
    return escape_invisible(text if len(text) <= most else f"{text[:most]}…")


def _said_goodbye(farewell: str, phase: Phase, place: str) -> NodeError:
    said = _line(farewell.encode("utf-8", "surrogateescape"), _SAID_CHARS)
    if known := _known(farewell.encode("utf-8", "surrogateescape")):
        return AuthenticationError(f"{place} hung up: {known.told}", hint=known.cure)
    if "authentication failures" in said.lower():
        return AuthenticationError(
            f"{place} hung up: {said}",
            hint="too many keys were offered; name the right one with `key_file`, or set `agent = false`",
        )
    return ConnectionLostError(f"{place} hung up during {phase.value}: {said}")
