"""A scheduler with workers that are threads of the test: each can be made to die, hang, differ or be alone."""

from __future__ import annotations

import concurrent.futures
import contextlib
import math
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from scanner.errors import cause_of
from scanner.run.engines import worker as work
from scanner.run.engines.dask.link import EngineError, Told
from scanner.run.engines.engine import EngineChoice
from scanner.run.engines.parcel import Answered, Batch, Broken, Parcel, Rest


@dataclass(slots=True, kw_only=True)
class FakeWorker:
    """One worker; it asks what it is given with the product's own code."""

    address: str
    sites: frozenset[str] = frozenset()
    about: dict[str, Any] = field(default_factory=dict)
    """What it says differently of itself."""
    deaf: int = 0
    """How often it is too busy to say who it is."""
    shy: threading.Event | None = None
    """What it waits for before it says who it is."""
    hold: threading.Event | None = None
    """What it waits for before it asks anything."""
    full: bool = False
    """Whether its memory is: what comes then is not begun."""
    beats: float = 0.0
    silent: bool = False
    given: list[tuple[str, ...]] = field(default_factory=list)
    """Names of the nodes of each batch."""
    starts: int = 0


class FakeFuture:
    """What the client has of a task."""

    def __init__(self) -> None:
        self.inner: concurrent.futures.Future[Parcel] = concurrent.futures.Future()
        self.cancelled = False
        self.on_fetch: Callable[[float], object] = lambda _: None

    def result(self, timeout: float | None = None) -> Parcel:
        self.on_fetch(timeout or 0.0)
        return self.inner.result(timeout)

    def cancel(self, **_: object) -> None:
        self.cancelled = True

    def release(self) -> None:
        pass

    def add_done_callback(self, call: Callable[[Any], object]) -> None:
        self.inner.add_done_callback(lambda _: call(self))


class Cluster:
    """Stands in for `Link`: `Cluster(...).link` is called like the class."""

    def __init__(self, *workers: FakeWorker) -> None:
        self.workers_there = {each.address: each for each in workers}
        self.reachable = True
        self.links = 0
        self.closed = 0
        self.tasks: dict[str, FakeFuture] = {}
        self.parcels: list[Parcel] = []
        self.left: list[str] = []
        self.on_batch: Callable[[FakeWorker, Batch], None] = lambda _, __: None
        self.linger_s = math.inf
        """How long what one node said waits for the others of its batch."""
        self.all_in = threading.Event()
        """Set when all nodes have been submitted: so many are in a batch as there are, and not as came first."""
        self.pool = concurrent.futures.ThreadPoolExecutor(32)

    def link(self, choice: EngineChoice, *, processes: int) -> FakeLink:
        if not self.reachable:
            raise EngineError(f"{choice.scheduler} cannot be reached within 10 s: refused", "is it running?")
        self.links += 1
        self.all_in.wait(10)
        return FakeLink(self)

    def kill(self, address: str) -> None:
        """The worker is gone, and so is what it was doing."""
        with contextlib.suppress(KeyError):
            del self.workers_there[address]

    def restart(self) -> None:
        """The scheduler comes back knowing nothing; its workers come back, too."""
        self.tasks.clear()
        self.links_valid_from = self.links
        for each in self.workers_there.values():
            each.starts += 1


class FakeLink:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.number = cluster.links

    @property
    def connected(self) -> bool:
        return self.cluster.reachable and self.number > getattr(self.cluster, "links_valid_from", 0)

    def workers(self) -> list[Told]:
        told = []
        for each in self.cluster.workers_there.values():
            each.beats += not each.silent
            told.append(
                Told(
                    address=each.address,
                    folder=f"start-{each.starts}",
                    resources=each.sites,
                    running=not each.full,
                    last_seen=each.beats,
                )
            )
        return told

    def about(self, address: str) -> Any:
        there = self.cluster.workers_there[address]
        if there.shy:
            there.shy.wait(20)
        if there.deaf:
            there.deaf -= 1
            return TimeoutError()
        return work.about() | there.about

    def leave(self, run: str, addresses: Collection[str]) -> None:
        self.cluster.left += addresses
        work.leave(run)

    def ignore_interrupts(self, address: str) -> None:
        pass

    def submit(self, parcel: Parcel, *, key: str, address: str) -> FakeFuture:
        future = FakeFuture()
        cluster = self.cluster
        cluster.tasks[key] = future
        cluster.parcels.append(parcel)
        there = cluster.workers_there[address]
        content = parcel.content()
        assert isinstance(content, Batch | Rest)
        if isinstance(content, Batch):
            there.given.append(tuple(call.node.name for call in content.calls))

        def asked() -> Answered:
            def wanted() -> bool:
                return not future.cancelled

            if isinstance(content, Rest):
                return work.fetched(content, wanted, cluster.linger_s)
            cluster.on_batch(there, content)
            if there.hold:
                there.hold.wait(20)
            return work.asked(content, wanted, cluster.linger_s)

        def task() -> None:
            try:
                answered = Parcel.of(asked())
            except Exception as defect:  # noqa: BLE001  as the product's own task does
                answered = Parcel.of(Broken(f"unexpected {cause_of(defect)}"))
            if cluster.workers_there.get(address) is there and cluster.tasks.get(key) is future:
                future.inner.set_result(answered)

        if not there.full:
            cluster.pool.submit(task)
        return future

    def close(self) -> None:
        self.cluster.closed += 1
