"""Progress on standard error: a bar on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from checks.engine.wording import count
from reports.text import one_line
from scanner.run.collect import Progress

PATIENCE_S = 10.0
"""Without news for so long, somebody who watches wants to know who it is that takes so long."""
_NAMED = 3


class Patience:
    """Who is still being asked, once nothing has been heard for a while."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._news = clock()

    def told(self, now: Progress) -> str:
        """The nodes in words; empty as long as there is nothing to worry about."""
        if now.finished or not now.waiting:
            self._news = self._clock()
        if self._clock() - self._news < PATIENCE_S:
            return ""
        names = [one_line(f"{cluster}.{node}", 60) for cluster, node in now.waiting]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        return f"still asking {', '.join(names[:_NAMED])}{more}"


@contextmanager
def showing(*, quiet: bool) -> Iterator[Callable[[Progress], None]]:
    """A callback for the run, shown while the block runs."""
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _bar() as show:
            yield show
    else:
        yield _lines()


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (
        TextColumn("asking"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("nodes · {task.fields[running]} running · {task.fields[failing]} failing"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[slow]}", markup=False),
    )
    patience = Patience()
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("asking", total=None, running=0, failing=0, slow="")

        def show(now: Progress) -> None:
            slow = patience.told(now)
            bar.update(task, total=now.nodes, completed=now.done, running=now.running, failing=now.failing, slow=slow)

        yield show


def _lines() -> Callable[[Progress], None]:
    announced = False
    patience = Patience()
    said = ""

    def show(now: Progress) -> None:
        nonlocal announced, said
        if not announced:
            announced = True
            print(f"asking {count(now.nodes, 'node')}", file=sys.stderr)
        if now.finished:
            node = now.finished
            what = f"failed: {one_line(node.failure)}" if node.failure else "answered"
            place = one_line(f"{node.cluster}.{node.node}")
            print(f"[{now.done}/{now.nodes}] {place} {what} ({node.seconds:.1f} s)", file=sys.stderr)
        slow = patience.told(now)
        if slow and slow != said:
            said = slow
            print(f"[{now.done}/{now.nodes}] {slow}", file=sys.stderr)

    return show
