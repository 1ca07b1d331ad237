from __future__ import annotations

import threading
import time

from scanner.transports.deadline import Deadline


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
