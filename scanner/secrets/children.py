"""Programs started on the scanner's own machine: the one door to them, so that each is bounded and gets no secret.

A child inherits its parent's environment, where passwords are handed to preflight. And it has children of its own,
which hold its pipes when it is gone. So all that is started gets an environment without the secrets, a session of its
own, and an end in time, with all that it started.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import IO

from checks.common.dataclass import dataclass

_GRACE_S = 2.0
"""How long the last words of what was ended are waited for: what runs as root cannot be ended by us."""
_LOOK_S = 0.1
_ROUNDS = 3
"""How often what a program started is looked for: some of it may just be starting more."""
_CHUNK = 64 * 1024
_MARK = "PREFLIGHT_CHILD"
"""The variable by which a child's children are found that have left its session."""
_BY_NAME = re.compile(r"PREFLIGHT_\w*(?:PASS|PWD|SECRET|TOKEN|KEY)\w*", re.IGNORECASE)
"""Variables that hold a secret whatever the inventory says: those that our own documentation proposes."""
QUIETLY = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)

# Shared by all of a process, like the environment that it is about.
_withheld: set[str] = set()


class TimeUpError(Exception):
    """The program did not end in time; it has been ended."""


class TooMuchError(Exception):
    """The program printed more than it may; it has been ended."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended. What it printed may be a secret."""

    code: int
    output: bytes = field(repr=False)
    errors: bytes = field(repr=False)


def withhold(names: Iterable[str]) -> None:
    """From now on, let no child have the environment variables `names`: they hold secrets of preflight's own."""
    _withheld.update(names)


def withheld_names() -> frozenset[str]:
    """The variables that were named."""
    return frozenset(_withheld)


def withheld(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of the environment that no child gets."""
    found = os.environ if environment is None else environment
    names = {name.upper() for name in _withheld} if os.name == "nt" else _withheld
    return {name: value for name, value in found.items() if name in names or _BY_NAME.fullmatch(name)}


def environment(*, only: Collection[str] | None = None, granted: Collection[str] = ()) -> dict[str, str]:
    """Our environment as a child gets it: without secrets but those `granted`; of it, `only` these, in capitals."""
    kept = withheld().keys() - set(granted)
    return {
        name: value for name, value in os.environ.items() if name not in kept and (only is None or name.upper() in only)
    }


def start(
    words: Sequence[str],
    *,
    environment: Mapping[str, str],
    folder: str | None = None,
    merged: bool = False,
    wire: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program with pipes to and from it, for whoever speaks with it.

    `merged`: its errors are in its output. `wire`: a socket that it speaks to instead.
    """
    return subprocess.Popen(
        words,
        stdin=subprocess.PIPE if wire is None else wire,
        stdout=subprocess.PIPE if wire is None else wire,
        stderr=subprocess.STDOUT if merged else subprocess.PIPE,
        bufsize=0,
        cwd=folder,
        env=environment,
        # A session of its own: a terminal's Ctrl-C is preflight's business, and all of it can be found and ended.
        start_new_session=os.name != "nt",
        creationflags=QUIETLY if os.name == "nt" else 0,
    )


def new_mark() -> str:
    """Tells one child, and its children, from all others."""
    return secrets.token_hex(16)


def marked(mark: str) -> dict[str, str]:
    """What an environment holds so that `end` finds, with this mark, who has left the child's session."""
    return {_MARK: mark}


def run(
    words: str | Sequence[str],
    *,
    timeout_s: float,
    most_bytes: int = 64 * 1024,
    folder: Path | None = None,
    granted: Collection[str] = (),
    over: threading.Event | None = None,
) -> Done:
    """Run a program to its end, with nothing on its standard input and no terminal.

    Raises OSError or ValueError where it cannot be started, TooMuchError, and TimeUpError, once it is `over` too. Then,
    and when interrupted, all that it started is ended with it. What it leaves behind when it ends well is not: it may
    have started an agent.
    """
    mark = new_mark()
    ends = time.monotonic() + timeout_s
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        cwd=folder,
        env={**environment(granted=granted), **marked(mark)},
        start_new_session=os.name != "nt",
        creationflags=QUIETLY if os.name == "nt" else 0,
    )
    changed = threading.Condition()
    pipes = [_Pipe(pipe, most_bytes, changed) for pipe in (process.stdout, process.stderr) if pipe]
    try:
        with changed:
            while not changed.wait_for(
                lambda: any(pipe.too_much for pipe in pipes) or all(pipe.ended for pipe in pipes),
                max(0.0, min(ends - time.monotonic(), _LOOK_S if over else timeout_s)),
            ):
                if (over and over.is_set()) or time.monotonic() >= ends:
                    break
        if any(pipe.too_much for pipe in pipes):
            raise TooMuchError  # noqa: TRY301  all ways to fail end the program below
        if not all(pipe.ended for pipe in pipes):
            raise TimeUpError  # noqa: TRY301
        code = process.wait(max(0.0, ends - time.monotonic()))
    except subprocess.TimeoutExpired:
        end(process, mark)
        raise TimeUpError from None
    except BaseException:
        end(process, mark)
        raise
    finally:
        # Who holds a pipe that we cannot end, a program of root's, is not waited for.
        for pipe in pipes:
            pipe.thread.join(_GRACE_S)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
    output, errors = (bytes(pipe.data) for pipe in pipes)
    return Done(code, output, errors)


class _Pipe:
    """One of a program's outputs, read to its end or its bound by a thread."""

    def __init__(self, pipe: IO[bytes], most: int, changed: threading.Condition) -> None:
        self.data = bytearray()
        self.ended = self.too_much = False
        self._pipe, self._most, self._changed = pipe, most, changed
        self.thread = threading.Thread(target=self._drain, name="child-reader", daemon=True)
        self.thread.start()

    def _drain(self) -> None:
        with suppress(OSError, ValueError), self._pipe:
            while not self.too_much and (chunk := self._pipe.read(_CHUNK)):
                self.data += chunk
                self.too_much = len(self.data) > self._most
        with self._changed:
            self.ended = True
            self._changed.notify_all()


def end(process: subprocess.Popen[bytes], mark: str = "") -> None:
    """End a program with all that it started, from any thread. Raises OSError where there is nothing to end."""
    if os.name == "nt":
        tree = rf"{os.environ.get('SYSTEMROOT', 'C:/Windows')}\System32\taskkill.exe"
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run(
                [tree, "/F", "/T", "/PID", str(process.pid)],
                capture_output=True,
                check=False,
                timeout=_GRACE_S,
                env=environment(),
            )
        process.kill()
        return
    # Not yet waited for, so its number is still its own. Its group is not all: `timeout` makes one of its own.
    if process.returncode is None:
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    for _ in range(_ROUNDS):
        for pid in _descendants(process.pid, mark):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def _descendants(session: int, mark: str) -> list[int]:
    """The processes of a session, and those that bear the mark, where the system tells as Linux does."""
    found = []
    marked = f"{_MARK}={mark}".encode()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            # After the name, which may hold anything: state, parent, group, session.
            state, _, _, sid = stat.read_bytes().rpartition(b")")[2].split()[:4]
            if state == b"Z" or int(stat.parent.name) == os.getpid():
                continue
            if int(sid) == session or (mark and marked in (stat.parent / "environ").read_bytes().split(b"\0")):
                found.append(int(stat.parent.name))
    return found
