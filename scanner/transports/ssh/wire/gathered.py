"""What a shell prints, gathered until it is worth its reader's while."""

from __future__ import annotations

from collections.abc import Callable

_MOST_BYTES = 256 * 1024
"""So much at the latest: a fraction of the window (2 MiB) that the other side fills before it waits for a reader."""
_TAIL_BYTES = 512


class Gathered:
    """Stands in the place of a channel's buffer. Not thread safe: who reads from it is who reads from the wire.

    A node's answer comes in many packets. Whoever reads looks at all that has come once it `is_due`: once
    `is_awaited` says so of its end, once it is much, and once no more will come.
    """

    def __init__(self, is_awaited: Callable[[bytes], bool]) -> None:
        self._is_awaited = is_awaited
        self._come = bytearray()
        self._is_due = self._closed = False

    def is_due(self) -> bool:
        """Whether it is time to read."""
        return self._is_due or self._closed

    def feed(self, data: bytes) -> None:
        """More has come."""
        self._come += data
        if not self._is_due:
            self._is_due = len(self._come) >= _MOST_BYTES or self._is_awaited(bytes(self._come[-_TAIL_BYTES:]))

    def read(self, most: int, _timeout: float | None = None) -> bytes:
        """What has come, at most so much, without waiting."""
        said = bytes(self._come[:most])
        del self._come[:most]
        self._is_due = self._is_due and bool(self._come)
        return said

    def close(self) -> None:
        """No more will come."""
        self._closed = True

    def __len__(self) -> int:
        """How much has come and was not read."""
        return len(self._come)
