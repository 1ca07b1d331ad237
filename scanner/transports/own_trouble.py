"""Trouble of the machine that preflight runs on: no descriptors, threads or memory left. It is no node's fault.

Whatever it interrupts would blame whom it was talking about: a key file that "cannot be read", a node that "cannot be
reached". So it is looked for behind every failure, and told as what it is.
"""

from __future__ import annotations

import errno
import os
import sys

from scanner.errors import OwnTroubleError, chain

RAN_OUT = "preflight itself ran out of "
"""How the message begins, in kept evidence, too."""

_FEWER = "lower `--parallel`"
_ERRNOS = {
    errno.EMFILE: ("file descriptors", f"raise `ulimit -n`, or {_FEWER}"),
    errno.ENFILE: ("file descriptors: the whole machine has none left", f"raise fs.file-max, or {_FEWER}"),
    errno.ENOBUFS: ("room for connections", f"look at what else uses the network of this machine, or {_FEWER}"),
    errno.ENOMEM: ("memory", f"give it more (`ulimit -v`, the container's limit), or {_FEWER}"),
}
_CODECS_OF_PYTHON = tuple(f"unknown encoding: {name}" for name in ("idna", "punycode", "utf-16-le", "latin-1"))
"""What asking nodes goes by, and every Python has."""
_NO_THREAD = "can't start new thread"


def own_trouble(error: BaseException) -> OwnTroubleError | None:
    """What this machine lacks, where that is behind `error`, however it was translated since; None elsewhere."""
    for behind in chain(error):
        if isinstance(behind, OwnTroubleError):
            return behind
        if found := _lacking(behind):
            what, cure = found
            return OwnTroubleError(f"{RAN_OUT}{what}: the node was not asked", hint=cure)
    return None


def is_own(failure: str | None) -> bool:
    """Whether a node's failure is this machine's."""
    return bool(failure) and str(failure).startswith(RAN_OUT)


def _lacking(error: BaseException) -> tuple[str, str] | None:
    if isinstance(error, MemoryError):
        return _ERRNOS[errno.ENOMEM]
    ssl = sys.modules.get("ssl")  # which nobody needs to load for this: its errors come from who has
    if ssl and isinstance(error, ssl.SSLError) and "malloc failure" in str(error):
        return _ERRNOS[errno.ENOMEM]
    if isinstance(error, RuntimeError) and "can't allocate lock" in str(error):
        return _ERRNOS[errno.ENOMEM]
    if isinstance(error, RuntimeError) and _NO_THREAD in str(error):
        return "threads", f"raise `ulimit -u` (or TasksMax, or the container's limit), or {_FEWER}"
    if isinstance(error, OSError) and error.errno in _ERRNOS:
        return _ERRNOS[error.errno]
    return _ERRNOS[errno.EMFILE] if _is_unloaded(error) else None


def _is_unloaded(error: BaseException) -> bool:
    """Whether it is about a part of Python, or of a library, for which there was no descriptor left to load it with.

    The loader of the system says so in words; a codec that cannot be loaded is one that is not known.
    """
    if isinstance(error, ImportError):
        return os.strerror(errno.EMFILE) in str(error) or os.strerror(errno.ENFILE) in str(error)
    return isinstance(error, LookupError) and str(error) in _CODECS_OF_PYTHON
