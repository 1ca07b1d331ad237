"""Which objects of a kind there are: what a test of memory counts instead of bytes."""

from __future__ import annotations

import gc
from typing import TypeVar

T = TypeVar("T")


def alive(kind: type[T]) -> list[T]:
    """All that there are, what nothing holds any more apart."""
    gc.collect()
    return [each for each in gc.get_objects() if type(each) is kind]
