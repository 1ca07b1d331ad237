"""Fault injection for whatever writes files: an error, or kill -9, at each step of the write.

Steps are the calls that open, fill, flush, chmod and rename files; a write is two of them, so that half of it can be
done. `steps_of` counts them, `injected` with a `Tripwire` breaks one in this process, and `kill_each_step` kills a
process of its own at every one of them.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn, Self
from unittest import mock

TOP = Path(__file__).parents[2]
_CALLS = ("open", "fdopen", "fsync", "chmod", "replace", "rename")
_DRIVER = """
import os, sys
from pathlib import Path
from tests.test_scanner.faults import Tripwire, die, injected
imports, prepare, act, base = *sys.argv[1:4], Path(sys.argv[4])
exec(imports)
for number in range(1, 100):
    folder = base / f"{number:02}"
    folder.mkdir()
    exec(prepare)
    child = os.fork()
    if not child:
        with injected(Tripwire(number, die)):
            exec(act)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
else:
    sys.exit("this never ends by itself")
"""


class Tripwire:
    """Counts the steps, and does something just before one of them."""

    def __init__(self, number: int = 0, trip: Callable[[], None] = lambda: None) -> None:
        self.number = number
        """Which step, from 1; 0 for none."""
        self.trip = trip
        self.steps: list[str] = []

    def step(self, name: str) -> None:
        """Note that `name` is about to be done."""
        self.steps.append(name)
        if len(self.steps) == self.number:
            self.trip()


class _Writer:
    """A file that is written in two halves."""

    def __init__(self, file: Any, wire: Tripwire) -> None:
        self._file = file
        self._wire = wire

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: bytes) -> int:
        for part in (data[: len(data) // 2], data[len(data) // 2 :]):
            self._wire.step("write")
            self._file.write(part)
            self._file.flush()
        return len(data)


def die() -> None:
    """End this process as kill -9 does."""
    os.kill(os.getpid(), signal.SIGKILL)


def failing(number: int) -> Callable[[], None]:
    """A trip that raises the system's error `number`, such as errno.ENOSPC."""

    def trip() -> NoReturn:
        raise OSError(number, os.strerror(number))

    return trip


@contextlib.contextmanager
def injected(wire: Tripwire) -> Iterator[None]:
    """Let every step in the block run over the wire first."""
    with contextlib.ExitStack() as stack:
        for name in _CALLS:
            stack.enter_context(mock.patch.object(os, name, _tapped(name, getattr(os, name), wire)))
        yield


def _tapped(name: str, call: Callable[..., Any], wire: Tripwire) -> Callable[..., Any]:
    def tapped(*arguments: Any, **options: Any) -> Any:
        if name == "fdopen":
            return _Writer(call(*arguments, **options), wire)
        wire.step(name)
        return call(*arguments, **options)

    return tapped


def steps_of(act: Callable[[], None]) -> list[str]:
    """What `act` does to files, step by step."""
    wire = Tripwire()
    with injected(wire):
        act()
    return wire.steps


def kill_each_step(base: Path, *, imports: str, prepare: str, act: str) -> list[Path]:
    """Run `act` over and over, killed with SIGKILL at its first step, at its second, and on until it is through.

    All three are Python code: `imports` is carried out once, `prepare` and `act` find a new, empty `folder: Path` for
    each time. Gives the folders; the last one's `act` was not killed.
    """
    ended = subprocess.run(
        [sys.executable, "-c", _DRIVER, imports, prepare, act, str(base)],
        cwd=TOP,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return sorted(base.iterdir())
