"""Values as bytes, small and for this process alone."""

from __future__ import annotations

import pickle
import zlib
from typing import Any

_LEVEL = 1
"""A third of the size for a tenth of the time: more would cost more than reading the facts does."""


def pack(value: object) -> bytes:
    """The value as bytes. Raises what a class raises that does not let itself be packed."""
    return zlib.compress(dump(value), _LEVEL)


def unpack(data: bytes) -> Any:
    """What `pack` made these of."""
    return load(zlib.decompress(data))


def dump(value: object) -> bytes:
    """The value as bytes, where what is large in it has been packed before."""
    return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)


def load(data: bytes) -> Any:
    """What `dump` made these of."""
    return pickle.loads(data)  # noqa: S301  our own bytes: in memory, or in a file that nobody else can open
