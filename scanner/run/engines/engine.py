"""What asks the nodes: threads of this process, or machines elsewhere that are given the calls."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from dataclasses import dataclass

from scanner.run.engines.hands import Hands

THREADS, DASK = "threads", "dask"
HOME, WORKER = "home", "worker"
"""Where secrets come from: the machine that the scan was started on, or whichever asks the node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChoice:
    """Which engine asks, as the inventory and the command line say."""

    name: str = THREADS
    scheduler: str = ""
    """Address of a scheduler; empty: processes of this machine."""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    secrets: str = HOME
    folder: str = ""
    """The inventory's."""

    @property
    def elsewhere(self) -> bool:
        """Whether nodes are asked from machines that may be others than this one."""
        return self.name == DASK and bool(self.scheduler)

    @property
    def secrets_there(self) -> bool:
        """Whether whoever asks a node finds its secrets by itself."""
        return self.name == DASK and self.secrets == WORKER


class Spread(concurrent.futures.Executor):
    """An executor whose calls leave this process. It bounds by itself how many are under way.

    A future of it that is not cancelled holds what the node said, or that nobody could ask it; what the engine lost in
    between is asked once more before that.
    """

    @property
    def active(self) -> int:
        """Nodes that are being asked."""
        return 0

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
