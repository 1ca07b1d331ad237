from __future__ import annotations

import os
import threading
import time
import weakref
from contextlib import ExitStack

import pytest

from scanner.transports.deadline import Deadline, end_all, name_thread


def test_it_fires_once_its_time_is_up() -> None:
    called = threading.Event()
    with Deadline(0.02, called.set) as deadline:
        assert called.wait(2)
        assert deadline.remaining_s == 0
    assert deadline.fired


def test_it_does_nothing_when_the_block_ends_in_time_and_leaves_no_thread() -> None:
    before = threading.active_count()
    calls: list[int] = []
    with Deadline(30, lambda: calls.append(1)) as deadline:
        assert 29 < deadline.remaining_s <= 30
    assert not deadline.fired
    assert not calls
    assert threading.active_count() == before


def test_what_its_action_raises_hurts_nobody() -> None:
    with Deadline(0.01, lambda: 1 / 0) as deadline:
        time.sleep(0.1)
    assert deadline.fired


def test_sleeping_ends_with_the_time() -> None:
    started = time.monotonic()
    with Deadline(0.05, lambda: None) as deadline:
        deadline.sleep(5)
    assert time.monotonic() - started < 1


def test_all_share_one_thread_and_the_last_one_takes_it_along() -> None:
    before = threading.active_count()
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(Deadline(30, lambda: None))
        assert threading.active_count() == before + 1
    assert threading.active_count() == before


def test_each_fires_at_its_own_time_whatever_came_first() -> None:
    fired: list[str] = []
    done = threading.Event()

    def late() -> None:
        fired.append("late")
        done.set()

    with Deadline(30, lambda: fired.append("never")), Deadline(0.1, late):
        with Deadline(0.02, lambda: fired.append("soon")) as soon:
            assert done.wait(5)
        assert soon.fired
    assert fired == ["soon", "late"]


def test_an_action_that_takes_its_time_delays_no_other_and_is_over_when_the_block_is_left() -> None:
    let_go, other = threading.Event(), threading.Event()
    ended: list[int] = []

    def slow() -> None:
        let_go.wait(5)
        ended.append(1)

    with Deadline(0.0, slow):
        with Deadline(0.01, other.set):
            assert other.wait(2), "nobody waits for the first one's"
        assert not ended
        let_go.set()
    assert ended == [1]


def test_many_that_end_long_before_their_time_are_forgotten() -> None:
    class Conversation:
        def cut(self) -> None:
            """Nothing is held."""

    with Deadline(30, lambda: None) as guard:
        gone = []
        for _ in range(300):
            conversation = Conversation()
            gone.append(weakref.ref(conversation))
            with Deadline(30, conversation.cut):
                pass
        del conversation
        assert not any(each() for each in gone), "nothing of a conversation outlives it"
        assert len(guard._guard._due) < 100


def test_an_interrupt_ends_those_of_its_owner_and_spares_a_farewell() -> None:
    mine, yours, farewell = threading.Event(), threading.Event(), threading.Event()
    name_thread("me")
    try:
        with Deadline(30, mine.set) as first, Deadline(30, farewell.set, spared=True):
            name_thread("you")
            with Deadline(30, yours.set):
                end_all("me")
                assert mine.wait(5)
                assert first.remaining_s == 0
                assert not yours.is_set()
                end_all()
                assert yours.wait(5)
            assert not farewell.is_set()
    finally:
        name_thread(None)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_has_a_watchdog_of_its_own() -> None:
    with Deadline(30, lambda: None):
        child = os.fork()
        if child == 0:
            called = threading.Event()
            with Deadline(0.01, called.set):
                os._exit(0 if called.wait(5) else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_where_there_is_no_room_for_a_thread_that_is_told_and_the_next_one_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError, match="can't start new thread"), Deadline(30, lambda: None):
            pass
    acted = threading.Event()
    with Deadline(30, lambda: None), Deadline(0.05, acted.set), monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuse)
        assert acted.wait(5), "without a thread of its own, the action is carried out all the same"
