"""What the commands say, and what becomes of it where nobody can or wants to read it.

The exit code is the answer to the question that was asked. So no stream may end a command: what cannot be written any
more goes nowhere, and whether that matters is asked when the command is done.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn, TextIO

from scanner.cli.process import farewell

_GONE = {errno.EPIPE, errno.ECONNRESET, errno.ESHUTDOWN}
"""The reader has left: it has read what it wanted, or nobody is there to be told."""


class _Unbreakable(io.RawIOBase):
    """A standard stream's descriptor, on which writing never fails; `trouble` holds why the rest went nowhere."""

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.name = name
        self.broken = False
        self.trouble = ""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, data: Any) -> int:
        size = len(memoryview(data).cast("B"))
        while not self.broken:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:
                # Somebody who shares the terminal or the pipe has made it so.
                select.select([], [self._descriptor], [])
            except OSError as error:
                self.broken = True
                if error.errno not in _GONE:
                    self.trouble = error.strerror or str(error)
        return size


class _Discreet(io.TextIOWrapper):
    """A standard stream that takes every secret that is known out of what is written: tracebacks, warnings, all."""

    def write(self, text: str, /) -> int:
        from scanner.secrets.redaction import known

        super().write(known()(text))
        return len(text)


def prepare_streams() -> None:
    """Let no stream end a scan: what it cannot show is shown as a substitute, what it cannot take is lost."""
    _occupy_standard_descriptors()
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  open to the end
        elif stream is getattr(sys, f"__{name}__") and not (os.name == "nt" and stream.isatty()):
            setattr(sys, name, _unbreakable(stream, number))
        elif reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="replace")


def _occupy_standard_descriptors() -> None:
    """Where one of the three is closed, a report would get its number, and what is said there would go into it."""
    with contextlib.suppress(OSError):
        while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
            os.set_inheritable(opened, True)  # noqa: FBT003  its only way
        os.close(opened)


def _unbreakable(stream: TextIO, number: int) -> TextIO:
    raw = _Unbreakable(number, stream.name)
    # Standard error is read while the command runs, and a terminal is looked at.
    eager = number == 2 or raw.isatty()
    return _Discreet(io.BufferedWriter(raw), stream.encoding, "replace", line_buffering=eager)


def trouble_on_stdout() -> str:
    """Why something that was printed could not be written, "" if all was, or if its reader did not want it.

    It is told once: whoever asks has to say it.
    """
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    if not isinstance(raw, _Unbreakable) or not raw.trouble:
        return ""
    told, raw.trouble = raw.trouble, ""
    return f"standard output cannot be written: {told}"


def print_error(text: str) -> None:
    """Say on standard error what is wrong; further lines are indented."""
    from reports.text import escape_invisible
    from scanner.secrets.redaction import known

    lines = [escape_invisible(line) for line in known().message(text).split("\n")]
    print("preflight: " + "\n  ".join(lines), file=sys.stderr)


def print_out(text: str | Iterable[str]) -> str:
    """Print a text, or its pieces as they come, on standard output. Returns why that was not possible, "" if it was.

    A reader that has gone (`preflight scan inventory.toml | head`) is no problem: it has read what it wanted. What else
    is to be written, and the exit code, do not depend on it.
    """
    for piece in (text,) if isinstance(text, str) else text:
        sys.stdout.write(piece)
    return trouble_on_stdout()


def exit_now(code: int) -> NoReturn:
    """End the process at once: threads may still wait for nodes, and the interpreter would wait for them."""
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    farewell.tell(code)
    os._exit(code)
