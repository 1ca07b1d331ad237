"""Which objects of a kind there are: what a test of memory counts instead of bytes.

A module that imports the fixture counts, in each of its tests, what has been made since that began: what is older is
set aside, which also spares every count a walk over all that thousands of tests have loaded.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import TypeVar

import pytest

T = TypeVar("T")


@pytest.fixture(autouse=True)
def older_objects_aside() -> Iterator[None]:
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def alive(kind: type[T]) -> list[T]:
    """All that there are, what nothing holds any more apart."""
    gc.collect()
    return [each for each in gc.get_objects() if type(each) is kind]
