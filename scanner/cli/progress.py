"""Progress on standard error: a bar on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from scanner.run import Progress


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
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task("asking", total=None, running=0, failing=0)

        def show(now: Progress) -> None:
            bar.update(task, total=now.nodes, completed=now.done, running=now.running, failing=now.failing)

        yield show


def _lines() -> Callable[[Progress], None]:
    from reports.text import one_line

    announced = False

    def show(now: Progress) -> None:
        nonlocal announced
        if not announced:
            announced = True
            print(f"asking {now.nodes} node{'s' * (now.nodes != 1)}", file=sys.stderr)
        if now.finished:
            node = now.finished
            what = f"failed: {one_line(node.failure)}" if node.failure else "answered"
            place = one_line(f"{node.cluster}.{node.node}")
            print(f"[{now.done}/{now.nodes}] {place} {what} ({node.seconds:.1f} s)", file=sys.stderr)

    return show
