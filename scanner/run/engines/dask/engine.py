"""Nodes asked by the workers of a dask scheduler, for whoever knows pools of threads."""

from __future__ import annotations

import concurrent.futures
import threading
from collections.abc import Callable, Sequence
from typing import Any

from checks.engine.wording import count
from scanner.run.engines.dask.loop import Loop
from scanner.run.engines.dask.patience import PATIENCE, Patience
from scanner.run.engines.dask.under_way import TRIES, Item
from scanner.run.engines.dask.workers import listed
from scanner.run.engines.engine import EngineChoice
from scanner.run.engines.executors import Spread
from scanner.run.engines.hands import Hands
from scanner.run.engines.settled import Asking


class DaskEngine(Spread):
    """Looks like a pool of threads."""

    def __init__(
        self, choice: EngineChoice, *, parallel: int, width: int, timeout_s: float, patience: Patience | None = None
    ) -> None:
        """`parallel`: nodes that a worker asks at a time. `width`: nodes that it may have been given at once."""
        self._loop = Loop(choice, parallel=parallel, width=width, timeout_s=timeout_s, patience=patience or PATIENCE)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._here: Hands | None = None

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> concurrent.futures.Future[Any]:
        """A node's call on its way. What runs on this very machine is asked from here, wherever workers are."""
        (call,) = args
        if call.node.transport == "local":
            self._here = self._here or Hands(1)
            return self._here.submit(fn, call, **kwargs)
        future: Asking = concurrent.futures.Future()
        with self._lock:
            if self._loop.closing:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._loop.take_in(Item(call, future))
            if self._thread is None:
                self._thread = threading.Thread(target=self._loop.run, name="dask-engine", daemon=True)
                self._thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Come to an end; with `cancel_futures` soon: conversations are ended and no task is left behind."""
        if cancel_futures:
            for item in list(self._loop.under_way.waiting):
                item.future.cancel()
        with self._lock:
            self._loop.end(early=cancel_futures)
        if self._here:
            self._here.shutdown(wait=False, cancel_futures=cancel_futures)
        if wait and self._thread:
            self._thread.join()

    def wait_for_end(self, within_s: float) -> None:
        """See the base: processes and a folder of this machine, and the connection to a scheduler, if there is one."""
        if self._thread and (self._loop.is_open or self._loop.own):
            self._thread.join(within_s)

    def taken(self, future: concurrent.futures.Future[Any]) -> None:
        """One of those that had come home has been taken."""
        self._loop.let_go(future)

    @property
    def active(self) -> int:
        """Nodes that workers have."""
        return sum(len(sent.items) for sent in list(self._loop.under_way.sent.values()))

    @property
    def notices(self) -> tuple[str, ...]:
        """What was asked again, and why; which workers were given nothing."""
        told: dict[str, list[Item]] = {}
        for item in self._loop.under_way.asked_again:
            told.setdefault(item.losses[0], []).append(item)
        strange: dict[str, list[str]] = {}
        for worker, why in self._loop.strangers.items():
            strange.setdefault(why, []).append(worker.address)
        return (
            *(_told_again(reason, items) for reason, items in told.items()),
            *(f"worker {listed(addresses)} {why}, and was given nothing" for why, addresses in strange.items()),
        )


def _told_again(reason: str, items: Sequence[Item]) -> str:
    failed = sum(item.future.done() and len(item.losses) >= TRIES for item in items)
    asked = f"{count(len(items), 'node')} {'was' if len(items) == 1 else 'were'} asked once more elsewhere"
    left = "" if not failed else f"; {failed} of them could not be asked even so"
    return f"{reason}: {asked}{left}"
