"""The executors that carry the calls of a run, by the engine that was chosen."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from typing import Any

from scanner.run.engines.engine import DASK, EngineChoice
from scanner.run.engines.hands import Hands


class Spread(concurrent.futures.Executor):
    """An executor whose calls leave this process. It bounds by itself how many are under way, and how much of what was
    said is here without having been taken.

    A future of it that is not cancelled holds what the node said, or that nobody could ask it; what the engine lost in
    between is asked once more before that.
    """

    @property
    def active(self) -> int:
        """Nodes that are being asked."""
        return 0

    def taken(self, future: concurrent.futures.Future[Any]) -> None:
        """What this one holds has been taken: as much more may come."""

    def wait_for_end(self, within_s: float) -> None:
        """After a `shutdown` that nobody waits for: until all that it started has ended, or for so long."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What a reader must know of how the answers were come by; one line each."""
        return ()


def executor_of(
    choice: EngineChoice, *, parallel: int, timeout_s: float
) -> Callable[[int], concurrent.futures.Executor]:
    """What makes the engine, from the number of calls that one process may have under way at once."""
    if choice.name != DASK:
        return Hands

    def spread(width: int) -> concurrent.futures.Executor:
        from scanner.run.engines.dask.engine import DaskEngine

        return DaskEngine(choice, parallel=parallel, width=width, timeout_s=timeout_s)

    return spread
