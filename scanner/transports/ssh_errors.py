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

from scanner.errors import (
    AuthenticationError,
    ConnectionLostError,
    NodeError,
    ProtocolError,
    RefusedError,
    UnreachableError,
    UntrustedPeerError,
)


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
    error: BaseException, phase: Phase, place: str, *, greeting: bytes = b"", ended: bool = False, farewell: str = ""
) -> NodeError:
    """A foreign exception as what happened to the server at `place` (host:port).

    `greeting` is what came before the SSH handshake, `ended` is true where the server closed the connection,
    `farewell` what it said when it hung up.
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
    if kind is Origin.ENDED:
        return ConnectionLostError(f"{place} closed the connection during {phase.value}")
    if kind is Origin.HOST_KEY:
        return UntrustedPeerError(f"{place} shows another host key than the known one: {text}")
    if kind is Origin.INCOMPATIBLE:
        return ProtocolError(
            f"{place} and preflight have no algorithm in common: {text}",
            hint="its SSH server is very old or very restricted; allow curve25519-sha256 and aes256-gcm there",
        )
    if kind is Origin.LOGIN and "EOF" in text:
        return ConnectionLostError(f"{place} closed the connection during {phase.value}")
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
    line = greeting.lstrip().split(b"\n", 1)[0].strip()[:80].decode("utf-8", "backslashreplace")
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


def _said_goodbye(farewell: str, phase: Phase, place: str) -> NodeError:
    said = " ".join(farewell.split())[:200]
    if "authentication failures" in said.lower():
        return AuthenticationError(
            f"{place} hung up: {said}",
            hint="too many keys were offered; name the right one with `key_file`, or set `agent = false`",
        )
    return ConnectionLostError(f"{place} hung up during {phase.value}: {said}")
