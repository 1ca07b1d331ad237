"""Conversations of one thread: each waits while the others go on; however one ends, whoever waits for it is told."""

from __future__ import annotations

import concurrent.futures
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from scanner.transports.bounded import aside
from scanner.transports.network.green.executor import GreenExecutor
from scanner.transports.network.green.loop import Loop
from scanner.transports.network.green.waiting import Signal, Turns, pause
from scanner.transports.network.green.wire import open_socket

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a loop rests on epoll")

PATIENCE_S = 20.0
TOP = Path(__file__).resolve().parents[5]
T = TypeVar("T")


@contextmanager
def conversations(width: int = 8) -> Iterator[GreenExecutor]:
    executor = GreenExecutor(width)
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def ask(work: Callable[[], T]) -> T:
    """What one conversation comes to."""
    with conversations() as executor:
        return executor.submit(work).result(PATIENCE_S)


@contextmanager
def server(serve: Callable[[socket.socket], object]) -> Iterator[object]:
    """Serves each that connects in a thread of its own."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)

    serving: list[threading.Thread] = []

    def one(wire: socket.socket) -> None:
        with wire:
            serve(wire)

    def accept() -> None:
        with suppress(OSError):
            while True:
                serving.append(threading.Thread(target=one, args=(listener.accept()[0],)))
                serving[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield listener.getsockname()
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join(PATIENCE_S)
        for each in serving:
            each.join(PATIENCE_S)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def connected(address: object, bound_s: float | None = PATIENCE_S) -> socket.socket:
    wire = open_socket(socket.AF_INET, socket.SOCK_STREAM)
    wire.settimeout(bound_s)
    try:
        wire.connect(address)  # type: ignore[arg-type]  # what getsockname gave
    except OSError:
        wire.close()
        raise
    return wire


def test_all_are_under_way_at_once_in_one_thread() -> None:
    """Each is answered only once all have asked, so that one after the other would never end."""
    together = threading.Barrier(8, timeout=PATIENCE_S)

    def serve(wire: socket.socket) -> None:
        wire.recv(1)
        together.wait()
        wire.sendall(b"!")

    def converse(address: object) -> tuple[bytes, int]:
        with connected(address) as wire:
            wire.send(b"?")
            return wire.recv(10), threading.get_ident()

    with server(serve) as address, conversations() as executor:
        said = [executor.submit(converse, address) for _ in range(8)]
        answers = [each.result(PATIENCE_S) for each in said]
    assert [answer for answer, _ in answers] == [b"!"] * 8
    assert len({thread for _, thread in answers}) == 1


def test_an_end_that_came_with_the_last_words_is_told_after_them() -> None:
    """Both were there before anybody looked, and the system tells of them at once."""

    def converse(address: object) -> tuple[bytes, bytes]:
        with connected(address, 5.0) as wire:
            time.sleep(0.3)  # nobody looks meanwhile: the loop's thread sleeps
            return wire.recv(100), wire.recv(100)

    with server(lambda wire: wire.sendall(b"goodbye")) as address:
        assert ask(partial(converse, address)) == (b"goodbye", b"")


def test_what_comes_behind_a_byte_out_of_band_is_read() -> None:
    """A read stops in front of that, and the system has told of all the rest already."""

    def converse(address: object) -> bytes:
        with connected(address, 5.0) as wire:
            pause(0.3)  # the loop is told of all of it meanwhile
            said = wire.recv(100)
            while len(said) < 8:
                said += wire.recv(100)
            return said

    def serve(wire: socket.socket) -> None:
        wire.sendall(b"good")
        wire.send(b"!", socket.MSG_OOB)
        wire.sendall(b"days")
        wire.recv(1)  # to its end, which would tell of all the rest as well

    with server(serve) as address:
        assert ask(partial(converse, address)) == b"gooddays"


def test_so_many_at_a_time_and_the_next_one_once_one_has_ended() -> None:
    most = running = 0

    def converse() -> None:
        nonlocal most, running
        running += 1
        most = max(most, running)
        pause(0.001)
        running -= 1

    with conversations(3) as executor:
        for each in [executor.submit(converse) for _ in range(20)]:
            each.result(PATIENCE_S)
    assert most == 3


def test_what_is_submitted_while_all_sleep_is_begun_at_once() -> None:
    with conversations() as executor:
        for _ in range(200):
            assert executor.submit(lambda: 7).result(PATIENCE_S) == 7


def test_what_one_raises_is_its_own() -> None:
    def fail() -> None:
        raise SystemExit(3)

    with conversations() as executor:
        failed, stands = executor.submit(fail), executor.submit(lambda: pause(0.001))
        assert isinstance(failed.exception(PATIENCE_S), SystemExit)
        assert stands.result(PATIENCE_S) is None


def test_a_loop_that_breaks_down_tells_all_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the system runs out of, nobody may wait for ever."""
    asleep = threading.Event()
    real = Loop._look

    def broken(loop: Loop, seconds: float) -> None:
        if asleep.is_set():
            raise MemoryError
        real(loop, min(seconds, 0.01))

    monkeypatch.setattr(Loop, "_look", broken)
    executor = GreenExecutor(1)
    first, second = executor.submit(lambda: Signal().wait()), executor.submit(lambda: 1)
    asleep.set()
    for each in (first, second):
        assert isinstance(each.exception(PATIENCE_S), MemoryError)
    executor.shutdown(wait=True)


def test_a_loop_that_breaks_down_before_it_comes_to_one_says_so_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = Loop.begin

    def broken(loop: Loop, work: Callable[[], None]) -> None:
        begin(loop, work)
        raise MemoryError

    monkeypatch.setattr(Loop, "begin", broken)
    executor = GreenExecutor(1)
    asked = executor.submit(lambda: 1)
    assert isinstance(asked.exception(PATIENCE_S), MemoryError)
    executor.shutdown(wait=True)


_MANY_LOOPS = """
import gc, sys
from scanner.transports.network.green.executor import GreenExecutor
from scanner.transports.network.green.loop import Loop
from scanner.transports.network.green.waiting import Signal
from scanner.transports.network.green.wire import open_socket

def converse():
    wire = open_socket(2, 1)
    wire._watch()
    if breaks:
        Signal().wait()
    raise ValueError(wire)

def broken(loop, seconds):
    raise MemoryError

look = Loop._look
for number in range(200):
    breaks = number % 2
    Loop._look = broken if breaks else look
    executor = GreenExecutor(8)
    asked = [executor.submit(converse) for _ in range(4)]
    failed = [each.exception(20) for each in asked]
    assert all(isinstance(each, MemoryError if breaks else ValueError) for each in failed), failed
    executor.shutdown()
    del executor, asked, failed
    gc.collect()
"""


def test_nothing_of_a_loop_outlives_its_thread() -> None:
    """What is left to another thread's garbage collector has taken the whole process along (SIGSEGV)."""
    ended = subprocess.run(
        [sys.executable, "-W", "ignore::ResourceWarning", "-c", _MANY_LOOPS],
        capture_output=True,
        text=True,
        cwd=TOP,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2000:]


def test_without_room_for_a_loop_nothing_is_begun_or_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    before = open_files()
    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="new thread"):
        GreenExecutor(1).submit(lambda: 1)
    assert open_files() == before


def test_what_has_not_begun_can_be_cancelled_and_what_has_is_waited_for() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def converse() -> str:
        begun.set()
        return aside(lambda: str(go_on.wait(PATIENCE_S)))

    executor = GreenExecutor(1)
    first, second = executor.submit(converse), executor.submit(converse)
    assert begun.wait(PATIENCE_S)
    executor.shutdown(wait=False, cancel_futures=True)
    go_on.set()
    assert first.result(PATIENCE_S) == "True"
    with pytest.raises(concurrent.futures.CancelledError):
        second.result(PATIENCE_S)
    with pytest.raises(RuntimeError, match="shutdown"):
        executor.submit(converse)
    executor.shutdown(wait=True)


def test_nothing_is_left_when_it_ends() -> None:
    before = (open_files(), threading.active_count())
    with server(lambda wire: wire.recv(1)) as address, conversations() as executor:
        executor.submit(lambda: connected(address).close()).result(PATIENCE_S)
    left = open_files(), threading.active_count()
    assert all(now <= then for now, then in zip(left, before, strict=True)), (before, left)


@pytest.mark.parametrize("end", ["shutdown", "close", "both"])
def test_a_wire_that_another_thread_cuts_ends_the_wait_for_it(end: str) -> None:
    """Also where it is closed before the loop has looked: the system tells nothing of what is closed."""
    made: list[socket.socket] = []

    def converse(address: object) -> bytes:
        with connected(address, None) as wire:
            made.append(wire)
            return wire.recv(1)

    with server(lambda wire: wire.recv(2)) as address, conversations() as executor:
        said = executor.submit(converse, address)
        while not made:
            time.sleep(0.001)
        if end != "close":
            made[0].shutdown(socket.SHUT_RDWR)
        if end != "shutdown":
            made[0].close()
        with suppress(OSError):
            assert said.result(PATIENCE_S) == b""


def test_each_wait_is_bounded_as_a_sockets_is() -> None:
    def converse(address: object) -> str:
        with connected(address, 0.01) as wire, pytest.raises(TimeoutError):
            wire.recv(1)
        with connected(address, 0.01) as wire, pytest.raises(TimeoutError):
            wire.sendall(bytes(64 * 1024 * 1024))
        with connected(address, 0.0) as wire, pytest.raises(BlockingIOError):
            wire.recv(1)
        return "bounded"

    done = threading.Event()
    with server(lambda _: done.wait(PATIENCE_S)) as address:
        assert ask(partial(converse, address)) == "bounded"
        done.set()


def test_much_comes_and_goes_whole() -> None:
    """More than the system takes at a time, both ways."""
    much = os.urandom(4 * 1024 * 1024)

    def echo(wire: socket.socket) -> None:
        while chunk := wire.recv(65536):
            wire.sendall(chunk)

    def converse(address: object) -> bytes:
        with connected(address) as wire:
            back, at = bytearray(), 0
            while len(back) < len(much):
                at += wire.send(much[at : at + 100_000]) if at < len(much) else 0
                back += wire.recv(65536)
            return bytes(back)

    with server(echo) as address:
        assert ask(partial(converse, address)) == much


def test_a_peer_that_sends_without_end_leaves_the_others_their_turn() -> None:
    """What has come is read byte by byte, and there is always more: another conversation ends before that does."""
    size = 50_000

    def converse(address: object, executor: GreenExecutor) -> bool:
        with connected(address) as wire:
            while len(wire.recv(size, socket.MSG_PEEK)) < size:
                pause(0.001)
            other = executor.submit(lambda: None)
            for _ in range(size):
                wire.recv(1)
            return other.done()

    with server(lambda wire: wire.sendall(bytes(size))) as address, conversations() as executor:
        assert executor.submit(converse, address, executor).result(PATIENCE_S)


def test_who_rings_late_rings_at_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver may take longer than the scan, and the bell's number may be another file's by then."""
    rung: list[int] = []
    monkeypatch.setattr(os, "eventfd_write", lambda number, _: rung.append(number))
    loop = Loop()
    loop._sleeps = True
    loop.tell(lambda: None)
    assert rung == [loop._alarm]
    loop.close()
    loop.tell(lambda: None)
    assert len(rung) == 1


def test_what_is_told_just_before_it_sleeps_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = threading.Event()
    told: list[bool] = []
    patience = Loop._patience

    def late(loop: Loop) -> float:
        seconds = patience(loop)
        if seconds > PATIENCE_S and not told and ended:
            told.append(True)
            loop.tell(heard.set)
        return seconds

    ended: list[bool] = []
    monkeypatch.setattr(Loop, "_patience", late)
    with conversations() as executor:
        executor.submit(lambda: ended.append(True))
        assert heard.wait(PATIENCE_S)


def test_a_port_that_refuses_and_a_name_without_a_listener_say_so(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()

    def unix() -> None:
        with open_socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
            wire.connect(str(tmp_path / "nobody"))

    with pytest.raises(ConnectionRefusedError):
        ask(partial(connected, address))
    with pytest.raises(FileNotFoundError):
        ask(unix)


def test_a_socket_of_the_file_system_whose_owner_is_busy_is_waited_for(tmp_path: Path) -> None:
    """An agent that takes one at a time has the others knock: the system refuses what may not wait."""
    path = str(tmp_path / "agent")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(0)

    def converse() -> int:
        with open_socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
            wire.settimeout(PATIENCE_S)
            wire.connect(path)
            return 1

    with listener, conversations() as executor:
        said = [executor.submit(converse) for _ in range(4)]
        taken = [listener.accept()[0] for _ in said]
        assert sum(each.result(PATIENCE_S) for each in said) == 4
    for each in taken:
        each.close()


def test_turns_are_bounded_among_threads_and_conversations_alike() -> None:
    turns = Turns(2)
    lock = threading.Lock()
    most = held = 0

    def work() -> None:
        nonlocal most, held
        assert turns.acquire(PATIENCE_S)
        with lock:
            held += 1
            most = max(most, held)
        pause(0.001)
        with lock:
            held -= 1
        turns.release()

    threads = [threading.Thread(target=work) for _ in range(8)]
    with conversations(16) as executor:
        said = [executor.submit(work) for _ in range(16)]
        for each in threads:
            each.start()
        for future in said:
            future.result(PATIENCE_S)
        for each in threads:
            each.join(PATIENCE_S)
    assert (most, held) == (2, 0)


@pytest.mark.parametrize("where", [ask, lambda work: work()], ids=["conversation", "thread"])
def test_a_turn_that_is_not_had_in_time_is_not_lost(where: Callable[[Callable[[], bool]], bool]) -> None:
    turns = Turns(1)
    assert turns.acquire()
    assert not where(lambda: turns.acquire(0.001))
    turns.release()
    assert where(lambda: turns.acquire(0.001))


def test_what_blocks_is_done_aside_while_the_others_go_on() -> None:
    go_on = threading.Event()

    def blocks() -> bool:
        return aside(lambda: go_on.wait(PATIENCE_S))

    def fails() -> None:
        aside(lambda: int("x"))

    with conversations() as executor:
        waits = executor.submit(blocks)
        assert isinstance(executor.submit(fails).exception(PATIENCE_S), ValueError)
        assert not waits.done()
        go_on.set()
        assert waits.result(PATIENCE_S)


def test_every_thread_that_works_for_it_is_initialized() -> None:
    """Whose conversations a thread holds is how they are ended."""
    mine = threading.local()

    def initialize(name: str) -> None:
        mine.name = name

    executor = GreenExecutor(2, initializer=initialize, initargs=("ours",))
    said = executor.submit(lambda: (mine.name, aside(lambda: mine.name)))
    assert said.result(PATIENCE_S) == ("ours", "ours")
    executor.shutdown()


def test_a_number_that_is_given_again_is_another_sockets() -> None:
    """What closes late in one thread must not take the news from what was opened in between."""

    def converse(address: object) -> bytes:
        with ExitStack() as opened:
            while True:  # others may close something in between
                first = connected(address)
                number = first.fileno()
                first.close()
                wire = opened.enter_context(connected(address))
                if wire.fileno() == number:
                    break
            wire.send(b"?")
            return wire.recv(1)

    def serve(wire: socket.socket) -> None:
        if wire.recv(1):
            wire.sendall(b"!")

    with server(serve) as address:
        assert ask(partial(converse, address)) == b"!"
