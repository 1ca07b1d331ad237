"""What comes of a node in many packets costs its reader no wake-up for each, and is never withheld."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from paramiko.buffered_pipe import PipeTimeout

from scanner.transports.ssh.gathered import Gathered
from scanner.transports.ssh.socket import RawSocket, SshStream

PATIENCE_S = 10.0
GREETING = b"SSH-2.0-OpenSSH_9.2\r\n"


def ends(said: bytes) -> bool:
    return said.endswith(b"done\n")


class Reader(threading.Thread):
    """Reads to the end, and keeps what each look has brought."""

    def __init__(self, gathered: Gathered) -> None:
        super().__init__(daemon=True)
        self.gathered = gathered
        self.looks: list[bytes] = []

    def run(self) -> None:
        while said := self.gathered.read(1 << 20, PATIENCE_S):
            self.looks.append(said)


def test_a_reader_is_woken_for_the_end_and_not_for_each_packet() -> None:
    gathered = Gathered(ends)
    reader = Reader(gathered)
    reader.start()
    packets = [b"%d\n" % number for number in range(100)]
    for packet in packets:
        gathered.feed(packet)
    reader.join(0.1)  # long enough for who was woken to look
    assert not reader.looks
    gathered.feed(b"done\n")
    whole = b"".join(packets) + b"done\n"
    while not reader.looks:
        reader.join(0.01)
        assert reader.is_alive()
    assert reader.looks == [whole]
    gathered.close()
    reader.join(PATIENCE_S)
    assert reader.looks == [whole]


def test_what_has_come_is_there_when_the_time_is_up() -> None:
    gathered = Gathered(ends)
    with pytest.raises(PipeTimeout):
        gathered.read(100, 0.0)
    gathered.feed(b"half an answer")
    assert gathered.read(100, 0.0) == b"half an answer", "a node that hangs is cut off with all that it had said"
    with pytest.raises(PipeTimeout):
        gathered.read(100, 0.0)


def test_what_has_come_is_there_when_no_more_comes() -> None:
    gathered = Gathered(ends)
    reader = Reader(gathered)
    reader.start()
    gathered.feed(b"a shell's last words")
    gathered.close()
    reader.join(PATIENCE_S)
    assert reader.looks == [b"a shell's last words"]
    assert gathered.read(100, 0.0) == b"", "and then it is the end"


def test_much_is_read_before_the_end_or_the_other_side_would_wait_for_room() -> None:
    gathered = Gathered(ends)
    window, packet = 2 * 1024 * 1024, b"x" * 32 * 1024
    fed = 0
    while fed < window // 2:
        gathered.feed(packet)
        fed += len(packet)
    assert len(gathered) == fed
    # A reader that were to wait for the end would wait for ever: nobody sends it before there is room in the window.
    reader = Reader(gathered)
    reader.start()
    ends_at = time.monotonic() + PATIENCE_S
    while not reader.looks and time.monotonic() < ends_at:
        reader.join(0.01)
    assert reader.looks == [b"x" * fed]
    gathered.close()


def test_what_is_awaited_is_found_across_packets_and_the_rest_of_it_is_read_at_once() -> None:
    gathered = Gathered(ends)
    gathered.feed(b"0123456789do")
    gathered.feed(b"ne\n")
    assert gathered.read(10, None) == b"0123456789"
    assert gathered.read(10, None) == b"done\n"
    with pytest.raises(PipeTimeout):
        gathered.read(10, 0.0)


class Wire:
    """What a server sends, a segment for each read; counts them."""

    def __init__(self, *segments: bytes) -> None:
        self.segments: Iterator[bytes] = iter(segments)
        self.reads = 0
        self.bounds: list[float | None] = []

    def recv(self, size: int) -> bytes:
        self.reads += 1
        said = next(self.segments, b"")
        assert len(said) <= size
        return said

    def send(self, data: bytes) -> int:
        return len(data)

    def settimeout(self, seconds: float | None) -> None:
        self.bounds.append(seconds)

    def close(self) -> None:
        """Nothing is held."""


def exactly(stream: SshStream, size: int) -> bytes:
    """Read as the library does: until all of it is there."""
    said = b""
    while len(said) < size and (more := stream.recv(size - len(said))):
        said += more
    return said


def test_a_segment_is_read_from_the_wire_once_however_little_is_asked_for_at_a_time() -> None:
    packets = [b"%06d" % number * 4 for number in range(50)]
    wire = Wire(GREETING, b"".join(packets))
    stream = SshStream(wire)
    assert exactly(stream, len(GREETING)) == GREETING
    for packet in packets:  # a header of four bytes, and what it announces
        assert exactly(stream, 4) + exactly(stream, 20) == packet
    assert wire.reads == 2
    assert not stream.ended
    assert stream.recv(1) == b""
    assert stream.ended


def test_a_packet_may_come_in_pieces() -> None:
    stream = SshStream(Wire(b"SSH-2", b".0-x\r\nab", b"c", b"d"))
    assert exactly(stream, 9) == b"SSH-2.0-x"
    assert exactly(stream, 6) == b"\r\nabcd"
    assert stream.greeting.startswith(b"SSH-2"), "and what was said first is kept for messages"


@pytest.mark.parametrize("real", [True, False])
def test_the_library_looks_up_from_a_read_only_where_nobody_could_end_it_otherwise(real: bool) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(GREETING)
        ours.settimeout(5)
        wire = Wire(GREETING)
        raw: RawSocket = ours if real else wire
        stream = SshStream(raw)
        stream.recv(100)
        if real:
            assert ours.gettimeout() is None, "with a bound, each read is two calls of the system"
            waiting = threading.Thread(target=stream.recv, args=(1,), daemon=True)
            waiting.start()
            stream.cut()
            waiting.join(PATIENCE_S)
            assert not waiting.is_alive(), "who closes ends the read"
        else:
            assert wire.bounds == [10.0]
