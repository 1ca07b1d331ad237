"""Packets of MS-TDS, and the structure of PRELOGIN (section 2.2.6.5), for the scanner's side and the lab's."""

from __future__ import annotations

import struct

BATCH_PACKET = 0x01
RPC_PACKET = 0x03
RESPONSE_PACKET = 0x04
ATTENTION_PACKET = 0x06
TRANSACTION_PACKET = 0x0E
LOGIN_PACKET = 0x10
SSPI_PACKET = 0x11
PRELOGIN_PACKET = 0x12
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

ENCRYPT_OFF = 0x00
"""Able to; as a rule for the login only."""
ENCRYPT_ON = 0x01
ENCRYPT_NOT_SUP = 0x02

APPLICATION = "preflight"
"""How our session calls itself; the question after others' sessions leaves it out."""
PACKET_BYTES = 4096
"""TDS's default packet size, which holds until the login has agreed on another."""


def packets(packet_type: int, data: bytes, size: int = PACKET_BYTES) -> bytes:
    """`data` as one message of packets that are at most `size` long."""
    room = size - HEADER.size
    parts = [data[at : at + room] for at in range(0, len(data), room)] or [b""]
    return b"".join(
        HEADER.pack(
            packet_type, END_OF_MESSAGE if part is parts[-1] else 0, HEADER.size + len(part), 0, number % 256, 0
        )
        + part
        for number, part in enumerate(parts, 1)
    )


def message(packet_type: int, options: dict[int, bytes]) -> bytes:
    """One TDS packet with a PRELOGIN structure: option headers in the given order, a terminator, the options' data."""
    offset = OPTION.size * len(options) + 1
    heads, data = b"", b""
    for token, value in options.items():
        heads += OPTION.pack(token, offset + len(data), len(value))
        data += value
    return packets(packet_type, heads + bytes([TERMINATOR]) + data, 65535)


def options_of(body: bytes) -> dict[int, bytes]:
    """The options of a PRELOGIN structure; those that point outside it are left out."""
    found: dict[int, bytes] = {}
    position = 0
    while position + OPTION.size <= len(body) and body[position] != TERMINATOR:
        token, offset, length = OPTION.unpack_from(body, position)
        if offset + length <= len(body):
            found[token] = body[offset : offset + length]
        position += OPTION.size
    return found
