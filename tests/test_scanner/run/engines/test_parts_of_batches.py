"""A batch comes home in parts: what one node does costs the others of its batch nothing."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from scanner.run.collect import Progress, collect
from scanner.run.engines import shared
from scanner.run.engines import worker as work
from scanner.run.engines.dask import engine as engine_module
from scanner.run.engines.dask.engine import DaskEngine
from scanner.run.engines.engine import DASK, EngineChoice
from scanner.run.engines.parcel import Batch, Parcel, Rest
from scanner.run.node import NodeRequest
from scanner.transports.answers import NodeResponse
from tests.test_scanner.run.engines.cluster_in_process import Cluster, FakeFuture, FakeLink, FakeWorker
from tests.test_scanner.run.engines.test_dask_engine import (
    QUICK,
    SCHEDULER,
    answered,
    asked_how_often,
    cluster,
    failures,
    impatient,
    job,
    names,
)

__all__ = ["cluster", "impatient"]
WAIT_S = 20


class Hanging:
    """A node that says nothing until it is let go, or its conversation is ended; the others answer at once."""

    def __init__(self, name: str = "b0") -> None:
        self.name = name
        self.go = threading.Event()
        self.ended = threading.Event()
        self.let_go = False

    def query(self, call: NodeRequest, gate: Any) -> NodeResponse:
        del gate
        if call.node.name == self.name:
            self.let_go = self.go.wait(WAIT_S)
        return answered(call)

    def end(self, owner: object) -> None:
        if owner is not None:
            self.ended.set()
            self.go.set()


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch, blocking: None) -> Iterator[Hanging]:
    del blocking
    made = Hanging()
    monkeypatch.setattr(work, "query_node", made.query)
    monkeypatch.setattr("scanner.run.engines.settled.end_all", made.end)
    yield made
    made.go.set()


def narrow(_: int) -> DaskEngine:
    """A worker may have four nodes at once."""
    choice = EngineChoice(name=DASK, scheduler=SCHEDULER)
    return DaskEngine(choice, parallel=4, width=4, timeout_s=60, patience=QUICK)


def when_home(count: int, then: Callable[[], object]) -> Callable[[Progress], None]:
    def far(now: Progress) -> None:
        if now.done == count:
            then()

    return far


def test_a_node_that_hangs_keeps_no_room_from_the_others(cluster: Cluster, hanging: Hanging) -> None:
    cluster.kill("tls://w2:1")
    cluster.linger_s = 0.0
    done = collect(job(*names(40)), when_home(39, hanging.go.set), narrow)
    assert hanging.let_go, "the others waited until it was given up"
    assert len(done.said) == 40
    assert not any(failures(done).values())
    assert set(asked_how_often(cluster).values()) == {1}
    assert not work._unfetched
    assert not shared._runs


def test_what_is_home_is_not_asked_again_when_its_worker_is_lost(cluster: Cluster, hanging: Hanging) -> None:
    cluster.linger_s = 0.0

    def lose() -> None:
        (busy,) = [each for each in cluster.workers_there.values() if any("b0" in batch for batch in each.given)]
        cluster.kill(busy.address)
        hanging.name = ""

    done = collect(job(*names(12)), when_home(11, lose))
    assert not any(failures(done).values())
    assert asked_how_often(cluster).get("b0") == 1, "of the worker that is left"
    (notice,) = done.notices
    assert notice.endswith(": 1 node was asked once more elsewhere")


@pytest.mark.usefixtures("impatient")
def test_the_rest_of_a_batch_is_asked_elsewhere_where_its_worker_s_memory_is_full(
    cluster: Cluster, hanging: Hanging
) -> None:
    """It goes on with what it has begun, and begins nothing more: nobody would fetch the rest until time is up."""
    cluster.linger_s = 0.0
    submit = FakeLink.submit

    def submitted(link: FakeLink, parcel: Parcel, *, key: str, address: str) -> FakeFuture:
        there = cluster.workers_there[address]
        if isinstance(parcel.content(), Rest) and any("b0" in batch for batch in there.given):
            there.full, hanging.name = True, ""
        return submit(link, parcel, key=key, address=address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FakeLink, "submit", submitted)
        began = time.monotonic()
        done = collect(job(*names(12)))
        assert time.monotonic() - began < WAIT_S / 2
    assert not any(failures(done).values())
    (notice,) = done.notices
    assert re.fullmatch(
        r"worker tls://w\d:1 takes nothing more now \(its memory is full\): \d+ nodes? w\w+ asked once more elsewhere",
        notice,
    )


def test_an_interrupt_ends_those_that_are_still_asked(cluster: Cluster, hanging: Hanging) -> None:
    cluster.linger_s = 0.0

    def interrupt(now: Progress) -> None:
        if now.done == 11 and now.waiting:
            raise KeyboardInterrupt

    done = collect(job(*names(12)), interrupt)
    assert not done.complete
    assert hanging.ended.wait(WAIT_S), "a shell was left open"
    assert set(failures(done)) == set(names(12)) - {"b0"}


def test_an_interrupt_waits_for_no_worker_that_hangs(
    cluster: Cluster, hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the others have is taken meanwhile, and whoever interrupts sees it end."""
    cluster.linger_s = 0.0
    over = threading.Event()
    monkeypatch.setattr(FakeLink, "leave", lambda *_: over.wait(WAIT_S))
    began = time.monotonic()

    def interrupt(now: Progress) -> None:
        if now.done == 11 and now.waiting:
            raise KeyboardInterrupt

    try:
        done = collect(job(*names(12)), interrupt)
        assert time.monotonic() - began < WAIT_S / 2
    finally:
        over.set()
    assert set(failures(done)) == set(names(12)) - {"b0"}


def batch_of(count: int) -> Batch:
    return Batch(run="r", name="first", calls=tuple(job(*names(count)).calls()), parallel=4)


def test_the_rest_of_a_batch_is_fetched_part_by_part(hanging: Hanging) -> None:
    first = work.asked(batch_of(3), linger_s=0.0)
    while len(first.left) == 3:
        first = work.fetched(Rest(run="r", batch="first", nodes=3), linger_s=0.0)
    left = len(first.left)
    assert [place for place, said in enumerate(first.said) if said is None] == sorted(first.left)
    if left == 2:
        work.fetched(Rest(run="r", batch="first", nodes=2), linger_s=0.0)
    hanging.go.set()
    last = work.fetched(Rest(run="r", batch="first", nodes=1))
    assert [said and said.node for said in last.said] == ["b0"]
    assert not last.left
    assert not shared._runs


@pytest.mark.parametrize("how", ["nobody comes", "the run is left"])
def test_conversations_that_nobody_comes_back_for_are_ended(
    hanging: Hanging, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever gave them may have died between two parts, when no task of theirs is there to be cancelled."""
    monkeypatch.setattr(work, "_UNFETCHED_S", 0.2 if how == "nobody comes" else 600)
    work.asked(batch_of(2), linger_s=0.0)
    if how == "the run is left":
        work.leave("r")
    try:
        assert hanging.ended.wait(WAIT_S)
        assert work.fetched(Rest(run="r", batch="first", nodes=1)).said == (None,)
    finally:
        work._left.pop("r", None)


def test_many_that_were_lost_take_few_turns(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """One node after the other, those of a worker that asked hundreds would be asked until after the window."""
    lock, times, now, most = threading.Lock(), Counter[str](), 0, 0
    five = threading.Event()

    def query(call: NodeRequest, gate: Any) -> NodeResponse:
        nonlocal now, most
        del gate
        with lock:
            times[call.node.name] += 1
            again = times[call.node.name] > 1
            now += again
            most = max(most, now)
            if now == 5:
                five.set()
        if again:
            five.wait(2)
        with lock:
            now -= again
        return answered(call)

    monkeypatch.setattr(work, "query_node", query)
    other = cluster.workers_there.pop("tls://w2:1")

    def die(there: FakeWorker, _: Batch) -> None:
        if there is not other and len(there.given) == 2:  # all of them are there
            cluster.workers_there[other.address] = other
            cluster.kill(there.address)

    cluster.on_batch = die
    done = collect(job(*names(40)))
    assert not any(failures(done).values())
    assert most == 5, "an eighth of them at a time, and no more: what one of them does, few are lost by"


def test_a_worker_that_is_lost_with_its_answers_keeps_nobody_else_s_waiting(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are done, and nobody has them: who waits for them alone waits until the time for it is up."""
    monkeypatch.setattr(engine_module, "PATIENCE", replace(QUICK, silence=WAIT_S))
    over, late = threading.Event(), []
    submit = FakeLink.submit

    def gone(timeout: float) -> None:
        cluster.kill("tls://w1:1")
        late.append(over.wait(timeout))
        raise TimeoutError

    def submitted(link: FakeLink, parcel: Parcel, *, key: str, address: str) -> FakeFuture:
        future = submit(link, parcel, key=key, address=address)
        if address == "tls://w1:1":
            future.on_fetch = gone
        return future

    monkeypatch.setattr(FakeLink, "submit", submitted)
    began = time.monotonic()
    try:
        done = collect(job(*names(6)))
        assert time.monotonic() - began < WAIT_S / 2
    finally:
        over.set()
    assert not any(failures(done).values())
    assert done.notices == ("worker tls://w1:1 ended: 3 nodes were asked once more elsewhere",)
