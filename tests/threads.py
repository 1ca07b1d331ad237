"""A fixture that holds for every test of a module that imports it: no thread of a test outlives it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    ends = time.monotonic() + 2  # the test servers' own threads may need a moment
    while left := [thread for thread in threading.enumerate() if thread not in before]:
        assert time.monotonic() < ends, left
        time.sleep(0.01)
