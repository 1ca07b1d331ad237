"""Asks a SQL Server listener for its version before any login: the PRELOGIN exchange of MS-TDS, section 2.2.6.5."""

from __future__ import annotations

import time

from checks.common.dataclass import dataclass
from checks.secret_server.facts.node import SqlPrelogin
from scanner.errors import ConnectionLostError, DeadlineError, NodeError, ProtocolError
from scanner.transports.protocol import ConnectionCost
from scanner.transports.tds.channel import Channel
from scanner.transports.tds.connecting import open_connection
from scanner.transports.tds.packets import (
    ENCRYPT_NOT_SUP,
    ENCRYPT_OFF,
    HEADER,
    PRELOGIN_PACKET,
    RESPONSE_PACKET,
    TOKEN_ENCRYPTION,
    TOKEN_INSTANCE,
    TOKEN_MARS,
    TOKEN_THREAD,
    TOKEN_VERSION,
    VERSION,
    message,
    options_of,
)
from scanner.transports.tds.strangers import name_of, recognise

# A real answer has some 40 bytes; more than TDS's default packet size is somebody else's protocol.
_LARGEST_ANSWER_BYTES = 4096
_MOST_BYTES = 64 * 1024
_TLS_ALERT = b"\x15\x03"
"""How a TLS alert of any version begins; a whole one is shorter than a TDS header."""
STRICT_HINT = (
    "an instance set to TDS 8 strict encryption does not answer before TLS: ask it with a login and "
    '`encrypt = "strict"`, or read its version on the host over WinRM'
)
PORT_HINT = "check `sql_port`: it must be the TCP port of a SQL Server instance"


@dataclass(frozen=True, slots=True)
class Greeting:
    """What the listener says of itself before any login."""

    version: tuple[int, int, int, int]
    """Major, minor, build and sub-build."""
    encryption: int
    """One of packets.ENCRYPT_..."""


class _SilentError(ConnectionLostError):
    """Hung up without a word: somebody else's server, or one that wants TLS first."""


def prelogin(host: str, port: int, timeout_s: float, usage: ConnectionCost | None = None) -> SqlPrelogin:
    """What the listener at `host`:`port` says of its version, without a login.

    `timeout_s` bounds the whole exchange; each connection is counted in `usage`. Raises NodeError: UnreachableError
    where nothing listens, DeadlineError where no answer comes in time, ConnectionLostError where the peer hangs up,
    ProtocolError where the answer is no TDS.
    """
    usage = usage or ConnectionCost()
    usage.connections += 1
    where = f"{host}:{port}"
    patience_s = timeout_s - spared_s(timeout_s)
    ends = time.monotonic() + patience_s
    channel = Channel(open_connection(host, port, patience_s), where, ends, _MOST_BYTES)
    try:
        greeting = greet(channel, ENCRYPT_OFF)
    except DeadlineError:
        late = DeadlineError(
            f"{where} accepts connections but did not answer the TDS PRELOGIN within {patience_s:g} s", hint=PORT_HINT
        )
        raise named(late, host, port, timeout_s, usage) from None
    except NodeError as error:
        raise named(error, host, port, timeout_s, usage) from None
    finally:
        channel.close()
    major, minor, build, sub_build = greeting.version
    return SqlPrelogin(port=port, major=major, minor=minor, build=build, sub_build=sub_build)


def spared_s(timeout_s: float) -> float:
    """What of the time for the greeting is kept to ask who it is that does not answer it."""
    return min(2.0, timeout_s / 4)


def named(error: NodeError, host: str, port: int, timeout_s: float, usage: ConnectionCost) -> NodeError:
    """The error with the name of whoever said nothing, where a further connection tells it."""
    waits = isinstance(error, DeadlineError)
    if not waits and not isinstance(error, _SilentError):
        return error
    usage.connections += 1
    who = name_of(host, port, waits=waits, timeout_s=spared_s(timeout_s))
    return _stranger(f"{host}:{port}", who) if who else error


def greet(channel: Channel, encryption: int) -> Greeting:
    """Exchange PRELOGIN on a fresh connection. Raises NodeError."""
    channel.doing = "the TDS PRELOGIN"
    channel.send(request(encryption))
    answer = _read_answer(channel)
    version = version_of(answer, channel.where)
    told = options_of(answer).get(TOKEN_ENCRYPTION, b"")
    return Greeting(version, told[0] if told else ENCRYPT_NOT_SUP)


def request(encryption: int = ENCRYPT_OFF) -> bytes:
    """The PRELOGIN packet that asks; it carries nothing of ours but how to encrypt."""
    return message(
        PRELOGIN_PACKET,
        {
            TOKEN_VERSION: bytes(6),
            TOKEN_ENCRYPTION: bytes([encryption]),
            TOKEN_INSTANCE: b"\x00",
            TOKEN_THREAD: bytes(4),
            TOKEN_MARS: b"\x00",
        },
    )


def version_of(body: bytes, where: str) -> tuple[int, int, int, int]:
    """Major, minor, build and sub-build from a PRELOGIN structure. Raises ProtocolError."""
    told = options_of(body).get(TOKEN_VERSION, b"")
    if len(told) < VERSION.size:
        raise ProtocolError(f"{where} answered the TDS PRELOGIN without a readable version", hint=PORT_HINT)
    major, minor, build, sub_build = VERSION.unpack_from(told)
    return major, minor, build, sub_build


def _read_answer(channel: Channel) -> bytes:
    where = channel.where
    try:
        head = channel.receive(len(_TLS_ALERT))
    except ConnectionLostError:
        if channel.waiting():
            raise _cut_off(where) from None
        raise _SilentError(f"{where} hung up without answering the TDS PRELOGIN", hint=STRICT_HINT) from None
    if head == _TLS_ALERT:
        raise ProtocolError(f"{where} wants TLS before the TDS PRELOGIN", hint=STRICT_HINT)
    try:
        head += channel.receive(HEADER.size - len(head))
        kind, _, length, *_ = HEADER.unpack(head)
        if kind != RESPONSE_PACKET or not HEADER.size < length <= _LARGEST_ANSWER_BYTES:
            who = recognise(head + channel.waiting())
            if who:
                raise _stranger(where, who)
            raise ProtocolError(f"{where} does not speak TDS: its answer begins with {head!r}", hint=PORT_HINT)
        return channel.receive(length - HEADER.size)
    except ConnectionLostError:
        raise _cut_off(where) from None


def _cut_off(where: str) -> ConnectionLostError:
    return ConnectionLostError(f"{where} hung up in the middle of its TDS PRELOGIN answer", hint=PORT_HINT)


def _stranger(where: str, who: str) -> ProtocolError:
    return ProtocolError(f"{where} is {who}, no SQL Server", hint="correct `sql_port`, or `host`")
