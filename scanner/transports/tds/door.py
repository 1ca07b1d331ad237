"""What python-tds gets for a socket: our own connection, on which PRELOGIN and TLS are done already.

The library would verify certificates with pyOpenSSL, knows no IP address in one, compares names by their case, and
follows a server's redirection in the clear. So it is told that there is nothing to encrypt, by an answer to its
PRELOGIN that is made here, and everything it says goes through our TLS. What the server says to the login is read here
before the library gets it: it keeps the last of several errors only, and the cause is as a rule the first.
"""

from __future__ import annotations

import struct

from checks.common.dataclass import dataclass
from scanner.errors import NodeError, ProtocolError
from scanner.transports.tds.channel import Channel
from scanner.transports.tds.packets import (
    ENCRYPT_NOT_SUP,
    END_OF_MESSAGE,
    HEADER,
    LOGIN_PACKET,
    PRELOGIN_PACKET,
    RESPONSE_PACKET,
    SSPI_PACKET,
    TOKEN_ENCRYPTION,
    TOKEN_MARS,
    TOKEN_VERSION,
    VERSION,
    message,
)

_ERROR, _INFO, _LOGINACK, _FEATUREEXTACK, _ENVCHANGE, _SSPI, _FEDAUTHINFO = 0xAA, 0xAB, 0xAD, 0xAE, 0xE3, 0xED, 0xEE
_DONES = (0xFD, 0xFE, 0xFF)
_DONE_BYTES = 12
_ROUTING = 20
_MOST_LOGIN_BYTES = 64 * 1024
_PACKET_SIZE = 4
"""The kind of ENVCHANGE by which a server sets the size of packets."""
_LARGEST_PACKET = 32767
_LONGEST_CHANGE = 3 + 2 + 2 * 255


@dataclass(frozen=True, slots=True)
class ServerError:
    """One ERROR token."""

    number: int
    state: int
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said to a login."""

    accepted: bool = False
    errors: tuple[ServerError, ...] = ()
    route: tuple[str, int] | None = None
    """Host and port to log in to instead."""


class LoginEndedError(NodeError):
    """The server said no, or sent us on: what `reply` holds. Whoever opened the door makes it an error of the tree."""

    def __init__(self, reply: Reply) -> None:
        super().__init__("the login ended")
        self.reply = reply


class Door:
    """The socket's side of one connection, as far as python-tds uses it."""

    def __init__(self, channel: Channel, version: tuple[int, int, int, int]) -> None:
        self._channel = channel
        self._version = version
        self._outbound = bytearray()
        self._inbound = bytearray()
        self._greeted = False
        self._login_sent = False
        self._tail = b""
        """The end of the packet before, for what lies across two."""
        self.logging_in = True
        """Until the login is through, the server's words are looked at before they are handed on."""

    def sendall(self, data: bytes | bytearray, _flags: int = 0) -> None:
        """Send whole packets; the library's own PRELOGIN is answered here. Raises NodeError."""
        if not self.logging_in:
            self._channel.send(bytes(data))
            return
        self._outbound += data
        while len(self._outbound) >= HEADER.size:
            kind, status, length, *_ = HEADER.unpack_from(self._outbound)
            if len(self._outbound) < length:
                return
            packet = bytearray(self._outbound[:length])
            del self._outbound[:length]
            self._send_packet(kind, status, packet)

    def recv_into(self, buffer: bytearray | memoryview, size: int = 0, _flags: int = 0) -> int:
        """Fill the start of `buffer`, with at most `size` bytes. Raises NodeError."""
        data = self.recv(min(size or len(buffer), len(buffer)))
        buffer[: len(data)] = data
        return len(data)

    def recv(self, size: int, _flags: int = 0) -> bytes:
        """At most `size` bytes, never none where some are wanted. Raises NodeError."""
        if size and not self._inbound:
            self._inbound += self._guarded(self._login_answer() if self.logging_in else self._channel.receive_packet())
        data = bytes(self._inbound[:size])
        del self._inbound[:size]
        return data

    def setsockopt(self, *_: object) -> None:
        """The connection has its options."""

    def settimeout(self, _timeout: float | None) -> None:
        """The channel's own end holds."""

    def gettimeout(self) -> float | None:
        """The channel's own end holds."""
        return None

    def shutdown(self, _how: int = 0) -> None:
        """Hang up."""
        self._channel.close()

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def _send_packet(self, kind: int, status: int, packet: bytearray) -> None:
        if kind == PRELOGIN_PACKET and not self._greeted:
            self._greeted = True
            self._inbound += message(
                RESPONSE_PACKET,
                {
                    TOKEN_VERSION: VERSION.pack(*self._version),
                    TOKEN_ENCRYPTION: bytes([ENCRYPT_NOT_SUP]),
                    TOKEN_MARS: b"\0",
                },
            )
            return
        if kind == LOGIN_PACKET and self._login_sent:
            # The second token of NTLM is a message of its own type, which the library leaves at the login's.
            packet[0] = SSPI_PACKET
        elif kind == LOGIN_PACKET and status & END_OF_MESSAGE:
            self._login_sent = True
        self._channel.send(bytes(packet))

    def _guarded(self, data: bytes) -> bytes:
        """The same, unless it makes the library take gigabytes for a packet. Raises ProtocolError."""
        payload = self._tail + data[HEADER.size :]
        if sets_huge_packets(payload):
            raise ProtocolError(f"{self._channel.where} asks for packets that are larger than any")
        self._tail = payload[-_LONGEST_CHANGE:]
        return data

    def _login_answer(self) -> bytes:
        """The whole answer to the login, or to a step of it. Raises LoginEndedError, NodeError."""
        whole, tokens = b"", b""
        while True:
            packet = self._channel.receive_packet()
            if packet[0] != RESPONSE_PACKET:
                raise ProtocolError(f"{self._channel.where} answers the login with a packet of type {packet[0]}")
            whole, tokens = whole + packet, tokens + packet[HEADER.size :]
            if packet[1] & END_OF_MESSAGE:
                break
            if len(whole) > _MOST_LOGIN_BYTES:
                raise ProtocolError(f"{self._channel.where} answers the login with more than 64 KiB")
        reply = read_reply(tokens)
        if reply.route or (reply.errors and not reply.accepted):
            raise LoginEndedError(reply)
        return whole


def sets_huge_packets(data: bytes) -> bool:
    """Whether there is an ENVCHANGE in `data` that sets packets to more than TDS knows.

    It is looked for without reading the tokens before it, which may be rows. No row looks like it by chance: a number
    counted and written in UTF-16 behind the two bytes of its kind.
    """
    at = data.find(_ENVCHANGE)
    while at >= 0:
        if data[at + 3 : at + 4] == bytes([_PACKET_SIZE]) and at + 5 < len(data):
            text = data[at + 5 : at + 5 + 2 * data[at + 4]].decode("utf-16-le", "replace")
            try:
                if int(text) > _LARGEST_PACKET:
                    return True
            except ValueError:
                pass
        at = data.find(_ENVCHANGE, at + 1)
    return False


def read_reply(tokens: bytes) -> Reply:
    """The errors, the route and the acknowledgement among `tokens`; it ends at the first that it does not know."""
    errors: list[ServerError] = []
    route: tuple[str, int] | None = None
    accepted = False
    position = 0
    try:
        while position < len(tokens):
            token = tokens[position]
            position += 1
            if token in _DONES:
                position += _DONE_BYTES
                continue
            if token == _FEATUREEXTACK:
                while tokens[position] != 0xFF:
                    position += 5 + struct.unpack_from("<I", tokens, position + 1)[0]
                position += 1
                continue
            size = "<I" if token == _FEDAUTHINFO else "<H"
            if token not in (_ERROR, _INFO, _LOGINACK, _ENVCHANGE, _SSPI, _FEDAUTHINFO):
                break
            (length,) = struct.unpack_from(size, tokens, position)
            start = position + struct.calcsize(size)
            body = tokens[start : start + length]
            if len(body) < length:
                break
            position = start + length
            if token == _ERROR:
                errors.append(_error(body))
            elif token == _LOGINACK:
                accepted = True
            elif token == _ENVCHANGE and body[:1] == bytes([_ROUTING]):
                route = _route(body)
    except (struct.error, IndexError):
        pass  # cut off; the library says so
    return Reply(accepted, tuple(errors), route)


def _error(body: bytes) -> ServerError:
    number, state, _, chars = struct.unpack_from("<iBBH", body)
    text = body[8 : 8 + 2 * chars].decode("utf-16-le", "replace")
    return ServerError(number, state, " ".join("".join(c if c.isprintable() else " " for c in text).split()))


def _route(body: bytes) -> tuple[str, int]:
    _, protocol, port, chars = struct.unpack_from("<HBHH", body, 1)
    host = body[8 : 8 + 2 * chars].decode("utf-16-le", "replace")
    if protocol != 0 or not port or not host.isprintable():
        raise IndexError
    return host.partition("\\")[0], port
