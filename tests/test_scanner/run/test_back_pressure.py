"""What has been said and not been taken does not grow with the estate, however fast nodes are, and is small."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from scanner.inventory.model import NodeKey
from scanner.probes.probe import Answer
from scanner.run.collect import Progress, ask
from scanner.run.engines import worker as work
from scanner.run.engines.dask import engine as engine_module
from scanner.run.engines.dask import loop as loop_module
from scanner.run.engines.dask.loop import Loop
from scanner.run.engines.engine import DASK, EngineChoice
from scanner.run.engines.hands import Hands
from scanner.run.job import ScanRequest
from scanner.run.node import NodeRequest
from scanner.run.taking.handover import Handover, Keeper
from scanner.transports.answers import NodeResponse
from tests.living import alive, older_objects_aside
from tests.test_scanner.run.engines.cluster_in_process import Cluster, FakeWorker
from tests.test_scanner.run.engines.test_dask_engine import QUICK, SCHEDULER
from tests.test_scanner.run.test_collect import SameThread
from tests.test_scanner.run.test_handover import CHECK, answered
from tests.test_scanner.run.test_handover import job as job_of

__all__ = ["older_objects_aside"]

PATIENCE_S = 20.0
PARALLEL, HANDS = 2, 8
OF_A_CLUSTER = 5
AHEAD = 2 * HANDS
"""Calls that are submitted before what has been answered is taken."""


def job(clusters: int) -> ScanRequest:
    made = job_of(CHECK, **{f"c{number}": OF_A_CLUSTER for number in range(clusters)})
    # To workers they travel without what reads them.
    return replace(made, parallel=PARALLEL, probes=tuple(replace(probe, readers=()) for probe in made.probes))


class Home(Keeper):
    """Makes something of what is said, and takes its time: until the test's condition has come."""

    def __init__(self, until: Callable[[], bool] = lambda: True) -> None:
        super().__init__()
        self.asked = self.given = self.most = 0
        self.in_vain = False
        """Whether what it waited for did not come."""
        self.done: list[int] = []
        self._lock = threading.Lock()
        self._until = until

    def answer(self, call: NodeRequest, gate: object = None) -> NodeResponse:
        with self._lock:
            self.asked += 1
            self.most = max(self.most, self.asked - self.given)
        return answered(call)

    def take(self, cluster: str, said: Mapping[NodeKey, NodeResponse]) -> None:
        ends = time.monotonic() + PATIENCE_S
        while not self._until() and not self.in_vain:
            self.in_vain = time.monotonic() > ends
            time.sleep(0.001)
        super().take(cluster, said)
        with self._lock:
            self.given += len(said)

    def watch(self, now: Progress) -> None:
        self.done.append(now.done)


def unpacked() -> Callable[[], bool]:
    """What says whether there is an answer now, of those that there were not before, that nobody has packed."""
    others = {id(each) for each in alive(Answer)}
    return lambda: any(id(each) not in others for each in alive(Answer))


@pytest.mark.parametrize("executor", [None, lambda _: SameThread()], ids=["threads", "others"])
@pytest.mark.parametrize("clusters", [20, 200])
def test_no_more_is_said_than_so_much_ahead_of_what_is_taken(
    stub: Any, clusters: int, executor: Callable[[int], concurrent.futures.Executor] | None
) -> None:
    made = job(clusters)
    nodes = clusters * OF_A_CLUSTER
    home = Home()
    stub(home.answer)
    handover = Handover(made, [home])
    asking = ask(made, handover, home.watch, executor)
    handover.end(asking)
    assert asking.complete
    assert set(home.said) == made.chosen
    assert home.asked == nodes
    assert home.done[0] == 0
    assert sorted({*home.done}) == [*range(nodes + 1)], "each node is told of"
    # Of the clusters that are not whole yet, what has been taken: of as many as are being asked.
    assert home.most <= AHEAD + AHEAD * OF_A_CLUSTER
    if executor:
        assert home.most <= AHEAD + OF_A_CLUSTER


def test_what_waits_to_be_taken_is_packed_by_whoever_asked(stub: Any) -> None:
    any_unpacked = unpacked()

    def all_wait() -> bool:
        return home.asked >= OF_A_CLUSTER + AHEAD - 1

    home = Home(lambda: home.given > 0 or (all_wait() and not any_unpacked()))
    stub(home.answer)
    made = job(20)
    handover = Handover(made, [home])
    # One cluster is whole first: its nodes are the first that are asked, by a single hand.
    handover.end(ask(made, handover, executor=lambda _: Hands(1)))
    assert not home.in_vain
    assert set(home.said) == made.chosen


def test_an_interrupt_keeps_what_waits_to_be_taken_and_asks_nobody_more(stub: Any) -> None:
    def interrupt() -> bool:
        if home.asked >= OF_A_CLUSTER + AHEAD - 1:
            raise KeyboardInterrupt
        return False

    ended: list[int] = []
    home = Home(lambda: bool(ended) or interrupt())
    stub(home.answer)
    made = job(20)
    handover = Handover(made, [home])
    asking = ask(made, handover, executor=lambda _: Hands(1))
    ended.append(1)
    assert not asking.complete
    handover.end(asking)
    assert home.asked < 2 * AHEAD
    # The last one may have been asked, and not have been finished.
    assert home.asked - 1 <= len(home.said) <= home.asked


def test_workers_are_given_no_more_while_what_they_have_said_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(FakeWorker(address="tls://w1:1"), FakeWorker(address="tls://w2:1"))
    cluster.all_in.set()
    made = replace(job(100), engine=EngineChoice(name=DASK, scheduler=SCHEDULER))
    loops: list[Loop] = []
    looks: list[int] = []
    any_unpacked = unpacked()
    place = Loop._place

    def placing(loop: Loop) -> None:
        place(loop)
        loops[:] = [loop]
        if not loop.under_way.sent and len(loop.under_way.untaken) >= HANDS:
            looks.append(len(loop.under_way.untaken))

    def nothing_moves() -> bool:
        # Twice, for nothing may have been on its way but what the first time was sent.
        if home.given or home.asked == len(made.chosen):
            return True
        return len(looks) > 1 and not any_unpacked()

    home = Home(nothing_moves)
    monkeypatch.setattr(Loop, "_place", placing)
    monkeypatch.setattr(loop_module, "Link", cluster.link)
    monkeypatch.setattr(engine_module, "PATIENCE", replace(QUICK, worker=PATIENCE_S, silence=PATIENCE_S))
    monkeypatch.setattr(work, "query_node", home.answer)
    handover = Handover(made, [home])
    try:
        asking = ask(made, handover, home.watch)
    finally:
        cluster.pool.shutdown(wait=True)
    handover.end(asking)
    assert not home.in_vain
    assert set(home.said) == made.chosen
    assert not any(said.failure for said in home.said.values())
    assert max(looks) <= 3 * HANDS, "what one that takes it lags behind by, and what each of two workers may have"
    assert home.most <= 4 * HANDS + OF_A_CLUSTER
    assert not loops[0].under_way.untaken
