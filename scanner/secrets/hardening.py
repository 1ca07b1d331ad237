"""What the process itself gives away: nothing of its memory, once there are secrets in it."""

from __future__ import annotations

import contextlib
import sys

_PR_SET_DUMPABLE = 4


def leave_no_core() -> None:
    """Let neither this process nor a child of it leave a core file: its memory is in there."""
    with contextlib.suppress(ImportError, ValueError, OSError):  # Windows has no such limits
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def keep_memory_private() -> None:
    """Let no other process of the same user read this one's memory and environment, where the system can do that.

    A core that a program takes (`|` in kernel.core_pattern) minds no limit, but this.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(ImportError, OSError, AttributeError):
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
