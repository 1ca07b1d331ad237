"""SSH's packets under AES-GCM: byte for byte what the library makes of them, and no other."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import paramiko
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from paramiko.message import Message
from paramiko.packet import Packetizer

from scanner.transports.ssh.wire.packets import Packets
from scanner.transports.ssh.wire.socket import SshStream

KEY, THERE, BACK = b"k" * 16, b"fixd" + b"\0" * 8, b"back" + b"\0" * 6 + b"\xff\xfe"
LENGTHS = [*range(1, 40), 255, 4096, 32768]


def keyed(packets: Any, *, reads: bytes, writes: bytes) -> Any:
    """With the same keys as the other side."""
    common = {"block_size": 16, "mac_engine": None, "mac_size": 16, "mac_key": None, "aead": True}
    packets.set_inbound_cipher(block_engine=AESGCM(KEY), iv_in=reads, **common)
    packets.set_outbound_cipher(block_engine=AESGCM(KEY), iv_out=writes, **common)
    return packets


class Kept:
    """What is sent, each packet by itself."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, data: bytes) -> int:
        self.sent.append(data)
        return len(data)


def message(payload: bytes) -> Message:
    said = Message()
    said.add_bytes(payload)
    return said


@pytest.fixture
def wires() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        theirs.settimeout(10)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        yield ours, theirs


def stream(wire: socket.socket) -> SshStream:
    """One that has been greeted."""
    made = SshStream(wire)
    made.greeted = True
    return made


def test_the_library_reads_what_we_write_and_we_what_it_writes(wires: tuple[socket.socket, socket.socket]) -> None:
    wire = stream(wires[0])
    ours = keyed(Packets(wire), reads=BACK, writes=THERE)
    theirs = keyed(Packetizer(wires[1]), reads=THERE, writes=BACK)
    for number, length in enumerate(LENGTHS):
        payload = bytes([100]) + bytes(number % 256 for _ in range(length - 1))
        ours.send_message(message(payload))
        wire.flush()
        kind, got = theirs.read_message()
        assert (kind, got.asbytes()) == (100, payload[1:])
        theirs.send_message(message(payload))
        kind, got = ours.read_message()
        assert (kind, got.asbytes(), got.seqno) == (100, payload[1:], number)


def test_the_count_of_a_nonce_goes_round(wires: tuple[socket.socket, socket.socket]) -> None:
    """RFC 5647, 7.1: modulo 2**64; it begins anywhere, and the library fails there."""
    last = b"last" + b"\xff" * 8
    wire = stream(wires[0])
    there = keyed(Packets(wire), reads=THERE, writes=last)
    here = keyed(Packets(stream(wires[1])), reads=last, writes=THERE)
    for payload in (b"one", b"two", b"three"):
        there.send_message(message(payload))
        wire.flush()
        assert here.read_message()[0] == payload[0]


def test_a_packet_is_as_long_as_the_standard_wants_it() -> None:
    """RFC 4253, 6, and RFC 5647, 7.2: whole blocks, four bytes of padding at least, and no more than one needs."""
    wire = Kept()
    packets = keyed(Packets(wire), reads=BACK, writes=THERE)
    for length in LENGTHS:
        packets.send_message(message(b"x" * length))
        size = int.from_bytes(wire.sent[-1][:4], "big")
        assert len(wire.sent[-1]) == 4 + size + 16
        assert size % 16 == 0
        assert 4 <= size - 1 - length < 4 + 16
    assert len({packet[4:] for packet in wire.sent}) == len(wire.sent)


@pytest.mark.parametrize("place", [0, 3, 4, 20, -1])
def test_what_was_changed_on_the_way_is_not_read(place: int, wires: tuple[socket.socket, socket.socket]) -> None:
    wire = Kept()
    keyed(Packets(wire), reads=BACK, writes=THERE).send_message(message(b"an answer of some length, say" * 3))
    changed = bytearray(wire.sent[0])
    changed[place] ^= 1
    wires[1].sendall(changed)
    wires[1].shutdown(socket.SHUT_WR)
    with pytest.raises((InvalidTag, EOFError, paramiko.SSHException)):
        keyed(Packets(stream(wires[0])), reads=THERE, writes=BACK).read_message()


def test_a_packet_is_not_read_twice(wires: tuple[socket.socket, socket.socket]) -> None:
    wire = Kept()
    keyed(Packets(wire), reads=BACK, writes=THERE).send_message(message(b"once"))
    wires[1].sendall(wire.sent[0] * 2)
    packets = keyed(Packets(stream(wires[0])), reads=THERE, writes=BACK)
    assert packets.read_message()[0] == ord("o")
    with pytest.raises(InvalidTag):
        packets.read_message()


def test_a_length_that_nobody_sends_is_refused_before_anything_is_read(
    wires: tuple[socket.socket, socket.socket],
) -> None:
    wires[1].sendall(b"\x7f\xff\xff\xff")
    packets = keyed(Packets(stream(wires[0])), reads=THERE, writes=BACK)
    with pytest.raises(paramiko.SSHException, match="a packet of"):
        packets.read_message()


def test_the_count_begins_anew_with_a_strict_exchange_of_keys(wires: tuple[socket.socket, socket.socket]) -> None:
    wire = stream(wires[0])
    theirs, packets = Packetizer(wires[1]), Packets(wire)
    for _ in range(3):  # in the clear
        theirs.send_message(message(b"\x14kexinit"))
        assert packets.read_message()[0] == 0x14
    keyed(theirs, reads=THERE, writes=BACK)
    keyed(packets, reads=BACK, writes=THERE)
    theirs.send_message(message(b"a"))
    assert packets.read_message()[1].seqno == 3, "without one it goes on"
    packets.reset_seqno_in()
    theirs.send_message(message(b"b"))
    assert packets.read_message()[1].seqno == 0


def test_another_cipher_is_the_library_s_own_business(wires: tuple[socket.socket, socket.socket]) -> None:
    wire = stream(wires[0])
    theirs, packets = Packetizer(wires[1]), Packets(wire)
    theirs.send_message(message(b"in the clear"))
    assert packets.read_message()[1].asbytes() == b"n the clear"
    packets.send_message(message(b"and back"))
    wire.flush()
    assert theirs.read_message()[1].asbytes() == b"nd back"
