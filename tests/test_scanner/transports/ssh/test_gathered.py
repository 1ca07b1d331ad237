"""What comes of a node in many packets costs its reader no look at each, and is never withheld."""

from __future__ import annotations

import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from scanner.transports.ssh.wire.gathered import Gathered
from scanner.transports.ssh.wire.socket import RawSocket, SshStream

PATIENCE_S = 10.0
GREETING = b"SSH-2.0-OpenSSH_9.2\r\n"


def ends(said: bytes) -> bool:
    return said.endswith(b"done\n")


def test_a_reader_looks_at_the_end_and_not_at_each_packet() -> None:
    gathered = Gathered(ends)
    packets = [b"%d\n" % number for number in range(100)]
    for packet in packets:
        gathered.feed(packet)
        assert not gathered.is_due()
    gathered.feed(b"done\n")
    assert gathered.is_due()
    assert gathered.read(1 << 20) == b"".join(packets) + b"done\n"
    assert not gathered.is_due(), "there is nothing more to look at"
    gathered.close()
    assert gathered.is_due()
    assert gathered.read(1 << 20) == b"", "and then it is the end"


def test_what_has_come_is_there_when_the_time_is_up() -> None:
    gathered = Gathered(ends)
    assert gathered.read(100) == b""
    gathered.feed(b"half an answer")
    assert not gathered.is_due()
    assert gathered.read(100) == b"half an answer", "a node that hangs is cut off with all that it had said"
    assert gathered.read(100) == b""


def test_what_has_come_is_there_when_no_more_comes() -> None:
    gathered = Gathered(ends)
    gathered.feed(b"a shell's last words")
    gathered.close()
    assert gathered.is_due()
    assert gathered.read(100) == b"a shell's last words"
    assert gathered.read(100) == b"", "and then it is the end"


def test_much_is_read_before_the_end_or_the_other_side_would_wait_for_room() -> None:
    gathered = Gathered(ends)
    window, packet = 2 * 1024 * 1024, b"x" * 32 * 1024
    fed = 0
    while fed < window // 2:
        gathered.feed(packet)
        fed += len(packet)
    assert len(gathered) == fed
    # A reader that were to wait for the end would wait for ever: nobody sends it before there is room in the window.
    assert gathered.is_due()
    assert gathered.read(1 << 20) == b"x" * fed


def test_what_is_awaited_is_found_across_packets_and_the_rest_of_it_is_read_at_once() -> None:
    gathered = Gathered(ends)
    gathered.feed(b"0123456789do")
    gathered.feed(b"ne\n")
    assert gathered.read(10) == b"0123456789"
    assert gathered.is_due()
    assert gathered.read(10) == b"done\n"
    assert not gathered.is_due()
    assert gathered.read(10) == b""


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
def test_no_read_is_bounded_once_the_server_has_greeted(real: bool) -> None:
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
            assert wire.bounds == [None]


@pytest.fixture
def pair() -> Iterator[tuple[SshStream, socket.socket]]:
    """A stream that has been greeted, and the socket of its server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    stream = SshStream(ours)
    with ours, theirs:
        theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        theirs.sendall(GREETING)
        assert exactly(stream, len(GREETING)) == GREETING
        yield stream, theirs


def come(theirs: socket.socket) -> bytes:
    """What has come to the server so far."""
    theirs.settimeout(0)
    try:
        return theirs.recv(1 << 20)
    except BlockingIOError:
        return b""
    finally:
        theirs.settimeout(PATIENCE_S)


def test_what_is_sent_goes_together_once_something_is_to_be_read(pair: tuple[SshStream, socket.socket]) -> None:
    stream, theirs = pair
    for part in (b"one, ", b"two, ", b"three"):
        assert stream.send(part) == len(part)
    assert come(theirs) == b""
    theirs.sendall(b"answer")
    assert exactly(stream, 6) == b"answer"
    assert theirs.recv(100) == b"one, two, three"


@pytest.mark.parametrize("wait", [lambda stream: stream.awaits(0.01), lambda stream: stream.gather(1)])
def test_it_goes_before_any_wait(pair: tuple[SshStream, socket.socket], wait: Callable[[SshStream], object]) -> None:
    stream, theirs = pair
    stream.send(b"asked")
    waiting = threading.Thread(target=wait, args=(stream,), daemon=True)
    waiting.start()
    assert theirs.recv(100) == b"asked"
    theirs.sendall(b"answer")
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()


def test_much_of_it_goes_at_once(pair: tuple[SshStream, socket.socket]) -> None:
    stream, theirs = pair
    stream.send(b"x" * 70_000)
    assert theirs.recv(10) == b"x" * 10


def test_a_farewell_goes_when_it_is_closed(pair: tuple[SshStream, socket.socket]) -> None:
    stream, theirs = pair
    stream.send(b"bye")
    stream.close()
    assert theirs.recv(100) == b"bye"
    assert theirs.recv(100) == b""


def test_nobody_waits_for_room_in_order_to_close(pair: tuple[SshStream, socket.socket]) -> None:
    stream, theirs = pair
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)

    def send() -> None:
        with suppress(OSError):  # the socket is gone
            for _ in range(200):
                stream.send(b"x" * 100_000)

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    sending.join(0.2)
    assert sending.is_alive(), "there was room for all of it"
    closing = threading.Thread(target=stream.close, daemon=True)
    closing.start()
    closing.join(PATIENCE_S)
    sending.join(PATIENCE_S)
    assert not closing.is_alive()
    assert not sending.is_alive()


def test_what_the_server_said_before_it_left_is_read(pair: tuple[SshStream, socket.socket]) -> None:
    stream, theirs = pair
    theirs.sendall(b"farewell")
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 0, 0))
    theirs.shutdown(socket.SHUT_RDWR)
    for _ in range(3):  # the first write is what the other side refuses
        stream.send(b"more")
        stream.flush()
    assert exactly(stream, 8) == b"farewell"
    assert stream.recv(1) == b""
    assert stream.ended


gathers = pytest.mark.skipif(sys.platform != "linux", reason="tried on Linux alone")


@gathers
def test_little_is_left_to_the_system_until_it_is_much(pair: tuple[SshStream, socket.socket]) -> None:
    stream, theirs = pair
    said: list[bytes] = []

    def read() -> None:
        assert stream.gather(1000)
        said.append(stream.recv(1 << 16))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    for _ in range(9):
        theirs.sendall(b"x" * 100)
        reader.join(0.01)
    assert not said, "nobody was woken for it"
    theirs.sendall(b"y" * 100)
    reader.join(PATIENCE_S)
    assert said == [b"x" * 900 + b"y" * 100]
    theirs.sendall(b"z")
    assert stream.recv(10) == b"z", "and what is asked for afterwards does not wait for more"


@gathers
@pytest.mark.parametrize("hangs_up", [True, False])
def test_little_is_read_at_the_end_and_when_the_time_is_up(
    hangs_up: bool, pair: tuple[SshStream, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanner.transports.ssh.wire.socket._GATHER_S", PATIENCE_S if hangs_up else 0.05)
    stream, theirs = pair
    assert hangs_up or not stream.gather(1000), "nothing has come in time, and nothing is lost by that"
    theirs.sendall(b"its last words")
    if hangs_up:
        theirs.shutdown(socket.SHUT_WR)
    began = time.monotonic()
    assert stream.gather(1000)
    assert time.monotonic() - began < PATIENCE_S / 2
    assert stream.recv(100) == b"its last words"
    if hangs_up:
        assert stream.gather(1000)
        assert stream.recv(100) == b""


@gathers
def test_who_closes_ends_the_wait_for_much(pair: tuple[SshStream, socket.socket]) -> None:
    stream, _ = pair
    began = time.monotonic()
    waiting = threading.Thread(target=stream.gather, args=(1000,), daemon=True)
    waiting.start()
    stream.cut()
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()
    assert time.monotonic() - began < 1
