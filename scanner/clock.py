"""The scanner's own clock, which nodes' clocks are held against."""

from __future__ import annotations

import time

# Both together, once: a clock that is set while nodes are asked must not look like nodes that disagree.
_START_S = time.time() - time.monotonic()


def now_s() -> float:
    """Seconds since 1970 UTC; it never jumps while the process lives."""
    return _START_S + time.monotonic()
