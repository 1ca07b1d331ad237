"""The scanner's own clock: what time it is, and what nodes' clocks are held against. Nothing else asks the machine."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime

# Both together, once: a clock that is set while nodes are asked must not look like nodes that disagree.
_START_S = time.time() - time.monotonic()


def utc_now() -> datetime:
    """What the machine's clock says, aware, UTC."""
    return datetime.now(UTC)


def today() -> date:
    """The day that it is in UTC, which waivers and attestations are held to."""
    return utc_now().date()


def now_s() -> float:
    """Seconds since 1970 UTC; it never jumps while the process lives."""
    return _START_S + time.monotonic()
