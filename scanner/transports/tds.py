"""Asks a SQL Server listener for its version before any login: the PRELOGIN exchange of MS-TDS, section 2.2.6.5."""

from __future__ import annotations

import socket
import struct
import time

from checks.secret_server.facts import SqlPrelogin
from scanner.errors import (
    ConnectionLostError,
    DeadlineError,
    NodeError,
    ProtocolError,
    UnreachableError,
)

PRELOGIN_PACKET = 0x12
RESPONSE_PACKET = 0x04
END_OF_MESSAGE = 0x01
HEADER = struct.Struct(">BBHHBB")
"""Type, status, length with this header, server process id, packet id, window."""
OPTION = struct.Struct(">BHH")
"""Token, offset from the start of the options, length."""
VERSION = struct.Struct(">BBHH")
"""Major, minor, build, sub-build."""

TOKEN_VERSION = 0x00
TOKEN_ENCRYPTION = 0x01
TOKEN_INSTANCE = 0x02
TOKEN_THREAD = 0x03
TOKEN_MARS = 0x04
TERMINATOR = 0xFF

# A real answer has some 40 bytes; more than TDS's default packet size is somebody else's protocol.
_LARGEST_ANSWER_BYTES = 4096
_TLS_ALERT = b"\x15\x03"
"""How a TLS alert of any version begins; a whole one is shorter than a TDS header."""
_STRICT_HINT = (
    "an instance set to TDS 8 strict encryption does not answer before TLS: read its version on the host over WinRM"
)
_PORT_HINT = "check `sql_port`: it must be the TCP port of a SQL Server instance"


def prelogin(host: str, port: int, timeout_s: float) -> SqlPrelogin:
    """What the listener at `host`:`port` says of its version, without a login.

    `timeout_s` bounds the whole exchange. Raises NodeError: UnreachableError where nothing listens, DeadlineError where
    no answer comes in time, ConnectionLostError where the peer hangs up, ProtocolError where the answer is no TDS.
    """
    deadline = time.monotonic() + timeout_s
    where = f"{host}:{port}"
    try:
        connection = socket.create_connection((host, port), timeout=timeout_s)
    except TimeoutError:
        raise UnreachableError(f"no answer from {where} within {timeout_s:g} s", hint=_PORT_HINT) from None
    except (OSError, UnicodeError, OverflowError) as error:
        raise _unreachable(where, error) from None
    with connection:
        try:
            connection.settimeout(_left(deadline))
            connection.sendall(request())
            answer = _read_message(connection, deadline)
        except TimeoutError:
            raise DeadlineError(
                f"{where} accepts connections but did not answer the TDS PRELOGIN within {timeout_s:g} s",
                hint=_PORT_HINT,
            ) from None
        except OSError as error:
            raise ConnectionLostError(
                f"{where} broke the connection during the TDS PRELOGIN: {_reason(error)}", hint=_STRICT_HINT
            ) from None
        except NodeError as error:
            raise type(error)(f"{where} {error}", hint=error.hint) from None
    major, minor, build, sub_build = version_of(answer, where)
    return SqlPrelogin(port=port, major=major, minor=minor, build=build, sub_build=sub_build)


def request() -> bytes:
    """The PRELOGIN packet that asks; it carries nothing of ours but zeros."""
    return message(
        PRELOGIN_PACKET,
        {
            TOKEN_VERSION: bytes(6),
            TOKEN_ENCRYPTION: b"\x00",
            TOKEN_INSTANCE: b"\x00",
            TOKEN_THREAD: bytes(4),
            TOKEN_MARS: b"\x00",
        },
    )


def message(packet_type: int, options: dict[int, bytes]) -> bytes:
    """One TDS packet with a PRELOGIN structure: option headers in the given order, a terminator, the options' data."""
    offset = OPTION.size * len(options) + 1
    heads, data = b"", b""
    for token, value in options.items():
        heads += OPTION.pack(token, offset + len(data), len(value))
        data += value
    body = heads + bytes([TERMINATOR]) + data
    return HEADER.pack(packet_type, END_OF_MESSAGE, HEADER.size + len(body), 0, 1, 0) + body


def version_of(body: bytes, where: str) -> tuple[int, int, int, int]:
    """Major, minor, build and sub-build from a PRELOGIN structure. Raises ProtocolError."""
    position = 0
    while position < len(body) and body[position] != TERMINATOR:
        if position + OPTION.size > len(body):
            break
        token, offset, length = OPTION.unpack_from(body, position)
        if token == TOKEN_VERSION:
            if length < VERSION.size or offset + VERSION.size > len(body):
                break
            major, minor, build, sub_build = VERSION.unpack_from(body, offset)
            return major, minor, build, sub_build
        position += OPTION.size
    raise ProtocolError(f"{where} answered the TDS PRELOGIN without a readable version", hint=_PORT_HINT)


def _read_message(connection: socket.socket, deadline: float) -> bytes:
    head = _read(connection, len(_TLS_ALERT), deadline)
    if head == _TLS_ALERT:
        raise ProtocolError("wants TLS before the TDS PRELOGIN", hint=_STRICT_HINT)
    head += _read(connection, HEADER.size - len(head), deadline, begun=True)
    kind, _, length, *_ = HEADER.unpack(head)
    if kind != RESPONSE_PACKET or not HEADER.size < length <= _LARGEST_ANSWER_BYTES:
        raise ProtocolError(f"does not speak TDS: its answer begins with {head!r}", hint=_PORT_HINT)
    return _read(connection, length - HEADER.size, deadline, begun=True)


def _read(connection: socket.socket, count: int, deadline: float, *, begun: bool = False) -> bytes:
    """Exactly `count` bytes; a few at a time must not outlast the deadline."""
    data = b""
    while len(data) < count:
        connection.settimeout(_left(deadline))
        chunk = connection.recv(count - len(data))
        if not chunk:
            if data or begun:
                raise ConnectionLostError("hung up in the middle of its TDS PRELOGIN answer", hint=_PORT_HINT)
            raise ConnectionLostError("hung up without answering the TDS PRELOGIN", hint=_STRICT_HINT)
        data += chunk
    return data


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _unreachable(where: str, error: Exception) -> UnreachableError:
    if isinstance(error, ConnectionRefusedError):
        return UnreachableError(f"connection refused by {where}: nothing listens there", hint=_PORT_HINT)
    if isinstance(error, (socket.gaierror, UnicodeError)):
        return UnreachableError(f"the name in {where} cannot be resolved", hint="check `host` and the scanner's DNS")
    return UnreachableError(f"no connection to {where}: {_reason(error)}", hint=_PORT_HINT)


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
