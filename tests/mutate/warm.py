"""Mutants judged in copies of one process that has imported everything and collected all tests.

Each test has been run once, and which lines of the product it ran is known: a mutant meets the tests that run its line
alone, those first that noticed others of its module, then those of its own module and the quickest of them, and ends
with the first that fails.
"""

from __future__ import annotations

import gc
import io
import os
import resource
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from inspect import CO_NEWLOCALS
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.mutate.changes import Mutant
from tests.mutate.copies import in_a_copy
from tests.mutate.results import Results
from tests.mutate.swap import Caches, CannotSwapError, Functions, functions, outermost, swap

Line = tuple[str, int]
OPTIONS = [
    "-p",
    "no:cacheprovider",
    "-p",
    "no:xdist",
    "--assert=plain",
    "--tb=no",
    "--capture=sys",
    "-q",
    "-m",
    "not slow",
]
"""Why a test failed is not asked."""
_TIMES, _LEAST_S = 8, 2.0
"""Of what a test takes otherwise, by the processor: one that takes more loops, and was noticed."""
_MEMORY_BYTES = 4 * 1024**3
_NOT_NOTICED, _NOTICED, _CANNOT = 0, 1, 3


def steady(items: Iterable[pytest.Item]) -> None:
    """Let every test with examples try the same ones each time, whatever the machine does, and not look for smaller."""
    for item in items:
        test = getattr(item, "obj", None)
        given = getattr(test, "_hypothesis_internal_use_settings", None)
        if isinstance(given, settings):
            vars(test)["_hypothesis_internal_use_settings"] = settings(
                given,
                derandomize=True,
                database=None,
                deadline=None,
                phases=(Phase.explicit, Phase.generate),
                suppress_health_check=list(HealthCheck),
            )


class Traced:
    """Which lines of the product are run: by what test, and by no test, when modules are imported."""

    def __init__(self, folder: Path) -> None:
        self.once: set[Line] = set()
        """Run at import, or below a function whose answer is kept for good: no second test runs them."""
        self.memos: frozenset[CodeType] = frozenset()
        self._folder = f"{folder}{os.sep}"
        self._now = self.once
        self._depth = 0

    @contextmanager
    def on(self) -> Iterator[None]:
        """While it is."""
        sys.settrace(self._call)
        try:
            yield
        finally:
            sys.settrace(None)

    def take(self) -> set[Line]:
        """What was run since it was last asked."""
        taken, self._now = self._now, set()
        return taken

    def _call(self, frame: FrameType, event: str, arg: object) -> Any:
        code = frame.f_code
        if code in self.memos:
            self._depth += 1
            return self._memo
        if not code.co_filename.startswith(self._folder) or not code.co_flags & CO_NEWLOCALS:
            return None
        return self._line(frame, event, arg)

    def _memo(self, frame: FrameType, event: str, arg: object) -> Any:
        self._line(frame, event, arg)
        self._depth -= event == "return"
        return self._memo

    def _line(self, frame: FrameType, event: str, arg: object) -> Any:
        line = (frame.f_code.co_filename, frame.f_lineno)
        self._now.add(line)
        if self._depth:
            self.once.add(line)
        return self._line


def quietly(run: Callable[[], int]) -> tuple[int, str]:
    """How it ended, and what it said, which nobody reads unless it is asked for."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(out):
        code = int(run())
    return code, out.getvalue()


@dataclass(frozen=True, slots=True)
class Way:
    """How mutants are judged."""

    top: Path
    tests: tuple[Path, ...]
    """Folders and files."""
    seconds: float
    """Of the processor, for the tests of one mutant in a warm process: one that survives these is not noticed."""

    @property
    def product(self) -> Path:
        """The folder whose modules are changed."""
        return self.top / "checks"


@dataclass(slots=True, eq=False)
class Warm:
    """A plugin of pytest that judges mutants in the place of its loop, each in a copy of the process."""

    way: Way
    mutants: Sequence[Mutant]
    results: Results
    traced: Traced
    say: Callable[[str], None]
    anew: list[Mutant] = field(default_factory=list)
    """Those that no exchange of functions can tell of, or not alone."""
    failed: str = ""
    """The test that failed, or what could not be collected."""
    ended: bool = False
    _tests: dict[Line, list[int]] = field(default_factory=lambda: defaultdict(list))
    _seconds: list[float] = field(default_factory=list)
    _noticed: Counter[tuple[Path, str]] = field(default_factory=Counter)
    """How many mutants of a module a test noticed."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Judge them all."""
        if self.failed or not session.items:
            return True
        steady(session.items)
        caches = Caches.found()
        self.traced.memos = caches.memos
        with self.traced.on():
            self.traced.take()
            for at, item in enumerate(session.items):
                caches.forget()
                if not self._measure(at, item):
                    return True
        self.say(f"{len(session.items)} tests, {sum(self._seconds):.0f} s, {len(self.mutants)} mutants")
        caches.forget()
        existing = functions(f"{self.way.product}{os.sep}")
        gc.collect()
        gc.freeze()
        for number, mutant in enumerate(self.mutants, 1):
            self._judge(mutant, session.items, existing)
            if number % 200 == 0:
                self.say(f"{number} of {len(self.mutants)}")
        self.ended = True
        return True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember what could not be imported."""
        if report.failed:
            self.failed = report.nodeid

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember that one failed."""
        if report.failed:
            self.failed = report.nodeid

    def _measure(self, at: int, item: pytest.Item) -> bool:
        """Whether it passes as it is: its time, and the lines that it runs."""
        begun = time.process_time()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        self._seconds.append(time.process_time() - begun)
        for line in self.traced.take():
            self._tests[line].append(at)
        return not self.failed

    def _judge(self, mutant: Mutant, items: Sequence[pytest.Item], existing: Functions) -> None:
        lines = [(str(mutant.path), line) for line in mutant.lines]
        late = not mutant.in_function or not self.traced.once.isdisjoint(lines)
        chosen = self._chosen(mutant, items, lines) if mutant.in_function else []
        if not chosen and not late:
            self.results.add(mutant, "no test runs it", noticed=False)
            return
        status, said = self._in_a_copy(mutant, [(items[at], self._seconds[at]) for at in chosen], existing)
        if status == _NOTICED:
            self._noticed[mutant.path, said] += 1
            self.results.add(mutant, said, noticed=True)
        elif late or status == _CANNOT:
            self.anew.append(mutant)
        else:
            self.results.add(mutant, f"none of {said} of {len(chosen)} tests", noticed=False)

    def _chosen(self, mutant: Mutant, items: Sequence[pytest.Item], lines: Iterable[Line]) -> list[int]:
        own = f"test_{mutant.path.stem}.py"
        every = {at for line in lines for at in self._tests.get(line, ())}

        def rank(at: int) -> tuple[int, bool, float]:
            item = items[at]
            return -self._noticed[mutant.path, item.nodeid], item.path.name != own, self._seconds[at]

        return sorted(every, key=rank)

    def _in_a_copy(
        self, mutant: Mutant, chosen: Sequence[tuple[pytest.Item, float]], existing: Functions
    ) -> tuple[int, str]:
        if not chosen:
            return _NOT_NOTICED, ""
        outermost(mutant.path, mutant.text)  # once for all changes of it
        status, said = in_a_copy(lambda: self._try(mutant, chosen, existing), broken=(_NOTICED, ""))
        return (status, said) if status >= 0 else (_NOTICED, f"{signal.Signals(-status).name} ended it")

    def _try(self, mutant: Mutant, chosen: Sequence[tuple[pytest.Item, float]], existing: Functions) -> tuple[int, str]:
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
        try:
            swap(mutant, existing)
        except CannotSwapError:
            return _CANNOT, ""
        begun, tried = time.process_time(), 0
        for item, seconds in chosen:
            with _ended_after(_LEAST_S + _TIMES * seconds):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            if self.failed:
                return _NOTICED, self.failed
            tried += 1
            if time.process_time() - begun > self.way.seconds:
                break
        return _NOT_NOTICED, str(tried)


@contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    """The process ends by a signal if it takes longer; waiting is none of it."""
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
