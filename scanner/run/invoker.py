"""Who runs preflight, and where: a report that was mailed has to say so."""

from __future__ import annotations

import getpass
import os
import socket

from checks.scan import RunBy


def run_by() -> RunBy:
    """The user and the host of this process; what cannot be told is empty."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container's user that no passwd knows
        user = f"uid {os.getuid()}" if hasattr(os, "getuid") else ""
    try:
        host = socket.gethostname()
    except OSError:
        host = ""
    return RunBy(user, host)
