"""What becomes of nodes that are asked by a scheduler's workers: spread, placed, lost, asked again, left."""

from __future__ import annotations

import pickle
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from checks.common.clock_facts import ClockSample
from checks.facts import Unknown
from checks.outcome import Status
from scanner.clock import now_s, utc_now
from scanner.inventory.model import SshSettings
from scanner.probes.probe import Answer
from scanner.run import collect as run_module
from scanner.run.collect import Progress, collect, scan
from scanner.run.engines import worker as work
from scanner.run.engines.dask import engine as engine_module
from scanner.run.engines.dask import loop as loop_module
from scanner.run.engines.dask import workers as workers_module
from scanner.run.engines.dask.link import incomprehensible
from scanner.run.engines.dask.patience import Patience
from scanner.run.engines.dask.workers import ClockOffset, Workers, ahead, by_our_clock
from scanner.run.engines.engine import DASK, EngineChoice
from scanner.run.engines.hands import Hands
from scanner.run.engines.parcel import Batch
from scanner.run.job import ScanRequest
from scanner.run.node import NodeRequest
from scanner.secrets.secret import Secret
from scanner.transports.answers import NodeResponse, Responses
from scanner.transports.own_trouble import RAN_OUT
from tests.test_scanner.run.engines.cluster_in_process import Cluster, FakeLink, FakeWorker
from tests.test_scanner.run.test_collect import job as job_of

SCHEDULER = "tls://scheduler:8786"
QUICK = Patience(look=0.01, worker=0.2, silence=0.3, scheduler=0.2, farewell=2.0)
STEADY = replace(QUICK, worker=20.0, silence=20.0)
"""For tests in which nobody is to be given up, however busy this machine is."""


def job(*names: str, site: str = "", password: str = "", parallel: int = 32) -> ScanRequest:
    made = job_of(*names)
    ((cluster, info),) = made.clusters
    ssh = SshSettings(user="preflight", password=Secret(password) if password else None)
    nodes = tuple(replace(each, ssh=ssh) for each in cluster.nodes) if password else cluster.nodes
    there = replace(cluster, site=site, nodes=nodes)
    choice = EngineChoice(name=DASK, scheduler=SCHEDULER)
    return replace(made, clusters=((there, info),), engine=choice, parallel=parallel)


def names(count: int) -> list[str]:
    return [f"b{number}" for number in range(count)]


def answered(call: NodeRequest, text: str = "0.1") -> NodeResponse:
    node = call.node
    return NodeResponse(
        cluster=node.cluster,
        node=node.name,
        host=node.host,
        transport=node.transport,
        answers={probe.id: Answer(text, 0) for probe in call.probes},
    )


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, blocking: None) -> Iterator[Cluster]:
    del blocking
    made = Cluster(FakeWorker(address="tls://w1:1"), FakeWorker(address="tls://w2:1"))
    monkeypatch.setattr(loop_module, "Link", made.link)
    monkeypatch.setattr(engine_module, "PATIENCE", STEADY)
    monkeypatch.setattr(work, "query_node", lambda call, gate: answered(call))
    introduce = workers_module._Introduction.of

    def introduced(link: Any, address: str, *, own: bool) -> Any:
        """Both are there before anything is placed, however busy this machine is."""
        said = introduce(link, address, own=own)
        if not made.workers_there[address].shy:
            said.over.wait(20)
        return said

    monkeypatch.setattr(workers_module._Introduction, "of", introduced)
    gather = run_module._Run.gather

    def gathering(run: Any, parallel: int, progress: Callable[[Progress], None], make: Any) -> bool:
        def told(now: Progress) -> None:
            made.all_in.set()
            progress(now)

        return gather(run, parallel, told, make)

    monkeypatch.setattr(run_module._Run, "gather", gathering)
    yield made
    for each in made.workers_there.values():
        if each.hold:
            each.hold.set()
    made.pool.shutdown(wait=True)


@pytest.fixture
def impatient(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests in which somebody is."""
    monkeypatch.setattr(engine_module, "PATIENCE", QUICK)


def failures(collected: Responses) -> dict[str, str | None]:
    return {node: said.failure for (_, node), said in sorted(collected.said.items())}


def asked_how_often(cluster: Cluster) -> dict[str, int]:
    every = [name for each in cluster.workers_there.values() for batch in each.given for name in batch]
    return {name: every.count(name) for name in every}


def test_nodes_travel_in_batches_to_all_workers(cluster: Cluster) -> None:
    done = collect(job(*names(100)))
    assert (len(done.said), done.complete, done.notices) == (100, True, ())
    assert set(asked_how_often(cluster).values()) == {1}
    batches = [batch for each in cluster.workers_there.values() for batch in each.given]
    assert len(batches) <= 8, "one task a node would cost a node its milliseconds"
    assert all(each.given for each in cluster.workers_there.values())
    assert cluster.closed == cluster.links == 1


def test_the_engine_holds_no_answer_that_is_home(cluster: Cluster) -> None:
    """Whoever asked has it packed; of thousands, those that the engine held would fill the memory."""
    made: list[engine_module.DaskEngine] = []

    def engine(width: int) -> engine_module.DaskEngine:
        choice = EngineChoice(name=DASK, scheduler=SCHEDULER)
        made.append(engine_module.DaskEngine(choice, parallel=4, width=width, timeout_s=60))
        return made[0]

    done = collect(job(*names(20)), executor=engine)
    assert len(done.said) == 20
    assert not made[0]._loop.under_way.open


def test_a_node_that_breaks_its_batch_costs_itself_alone(cluster: Cluster) -> None:
    """Where its worker was blamed, and the next one, nobody was left for the others."""

    def breaks(_: FakeWorker, batch: Batch) -> None:
        if any(call.node.name == "b0" for call in batch.calls):
            raise KeyError("odd")

    cluster.on_batch = breaks
    told = failures(collect(job(*names(40))))
    assert [name for name, failure in told.items() if failure] == ["b0"]
    assert re.fullmatch(
        r"asked twice, .*: worker \S+ could not ask: unexpected KeyError: 'odd'; then worker \S+ could not ask: .*",
        str(told["b0"]),
    )


def test_a_worker_that_breaks_every_batch_is_given_nothing_more(cluster: Cluster) -> None:
    def breaks(there: FakeWorker, _: Batch) -> None:
        if there.address == "tls://w1:1":
            raise KeyError("odd")

    cluster.on_batch = breaks
    done = collect(job(*names(400)))
    assert not any(failures(done).values())
    assert len(cluster.workers_there["tls://w1:1"].given) < 8


def test_a_scan_that_was_stopped_blames_no_worker_for_it(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-Z, and on an hour later: what was said meanwhile is there, and only has to be taken."""
    slept_s, looks = 0.0, threading.Semaphore(0)
    monkeypatch.setattr(loop_module, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + slept_s))
    workers = FakeLink.workers

    def looked(link: FakeLink) -> Any:
        looks.release()
        return workers(link)

    def sleep(*ignored: object) -> None:
        nonlocal slept_s
        for seconds in (0.0, 3600.0):
            slept_s = seconds
            while looks.acquire(blocking=False):
                pass
            for _ in range(3):
                assert looks.acquire(timeout=20)

    monkeypatch.setattr(FakeLink, "workers", looked)
    cluster.kill("tls://w2:1")
    cluster.on_batch = sleep
    done = collect(job(*names(3)))
    assert set(failures(done).values()) == {None}
    assert done.notices == ()


def test_a_worker_needs_no_plugin_to_ask_what_it_brings(cluster: Cluster) -> None:
    """What cannot be found by name elsewhere stands for what is not installed there."""

    class Own(str):
        __slots__ = ()

    def read(answer: Answer) -> Own:
        return Own(answer.output)

    made = job(*names(3))
    probes = tuple(replace(probe, readers=(*probe.readers, (Own, read))) for probe in made.probes)
    done = collect(replace(made, probes=probes))
    assert set(failures(done).values()) == {None}
    assert done.notices == ()
    assert asked_how_often(cluster) == dict.fromkeys(names(3), 1)


def test_a_scan_by_workers_gives_the_results_of_a_scan_from_here(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = scan(job("b1", "b2", "b3"))
    monkeypatch.setattr("scanner.run.collect.query_node", lambda call, gate=None: answered(call))
    here = scan(replace(job("b1", "b2", "b3"), engine=EngineChoice()))
    assert there.results == here.results
    assert there.notices == here.notices


def test_no_worker_has_more_nodes_at_a_time_than_it_may(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def slow(call: NodeRequest, gate: Any) -> NodeResponse:
        nonlocal now, most
        with gate:
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.01)
            with lock:
                now -= 1
        return answered(call)

    monkeypatch.setattr(work, "query_node", slow)
    del cluster.workers_there["tls://w2:1"]
    collect(job(*names(40), parallel=3))
    assert most == 3


def test_the_calls_of_a_site_go_to_its_workers_alone(cluster: Cluster) -> None:
    cluster.workers_there["tls://w2:1"].sites = frozenset({"emea"})
    done = collect(job(*names(10), site="emea"))
    assert not any(failures(done).values())
    assert not cluster.workers_there["tls://w1:1"].given


@pytest.mark.usefixtures("impatient")
def test_a_site_without_a_worker_is_one_cause(cluster: Cluster) -> None:
    done = scan(job("b1", "b2", site="emea"))
    rows = [row for row in done.results if row.check == "connectivity"]
    assert {(row.status, row.message) for row in rows} == {(Status.ERROR, "no worker for site emea")}
    assert "--resources emea=1" in str(rows[0].remediation)


def test_a_worker_that_comes_in_time_is_enough(cluster: Cluster) -> None:
    late = FakeWorker(address="tls://w3:1", sites=frozenset({"emea"}))
    threading.Timer(0.05, lambda: cluster.workers_there.update({late.address: late})).start()
    assert not any(failures(collect(job("b1", site="emea"))).values())


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("differing", "told"),
    [
        ({"preflight": "0.0.9"}, "runs preflight 0.0.9 (here "),
        ({"distributed": "2020.1.0"}, "runs distributed 2020.1.0 (here "),
        ({"python": "3.10"}, "runs python 3.10 (here "),
    ],
)
def test_a_worker_of_another_version_is_given_nothing(cluster: Cluster, differing: dict[str, Any], told: str) -> None:
    first, second = cluster.workers_there.values()
    first.about = differing
    assert not any(failures(collect(job(*names(10)))).values())
    assert not first.given
    second.about = differing
    (cause,) = set(failures(collect(job("b1", "b2"))).values())
    assert cause is not None
    assert cause.startswith(f"no worker at {SCHEDULER}: tls://w1:1, tls://w2:1 {told}")


def test_a_worker_that_is_too_busy_at_first_is_given_its_nodes_yet(cluster: Cluster) -> None:
    first, second = cluster.workers_there.values()
    first.sites, first.deaf = frozenset({"emea"}), 3
    assert not any(failures(collect(job(*names(4), site="emea"))).values())
    assert asked_how_often(cluster).keys() == set(names(4))
    assert not second.given


@pytest.mark.usefixtures("impatient")
def test_a_worker_that_never_says_who_it_is_keeps_no_other_one_waiting(cluster: Cluster) -> None:
    hung = cluster.workers_there["tls://w1:1"]
    hung.shy = threading.Event()
    began = time.monotonic()
    try:
        assert not any(failures(collect(job(*names(10)))).values())
        assert time.monotonic() - began < 5
        assert not hung.given
        cluster.workers_there.pop("tls://w2:1")
        (cause,) = set(failures(collect(job("b1"))).values())
        assert cause == f"no worker at {SCHEDULER}: tls://w1:1 has not answered yet"
    finally:
        hung.shy.set()


def test_a_worker_that_does_not_say_who_it_is_is_waited_for_once_and_not_at_every_look(cluster: Cluster) -> None:
    hung = cluster.workers_there["tls://w1:1"]
    hung.shy = threading.Event()
    link: Any = FakeLink(cluster)
    workers = Workers(link=link, patience_s=30, wait_s=0.3, own=False)
    try:
        workers.look()
        assert [each.address for each in workers.of("")] == ["tls://w2:1"]
        began = time.monotonic()
        for _ in range(10):
            workers.look()
        assert time.monotonic() - began < 1, "the answers of all others wait as long"
    finally:
        hung.shy.set()
    while len(list(workers.of(""))) < 2:
        workers.look()


@pytest.mark.parametrize(
    ("trouble", "refused"),
    [("can't start new thread", False), ("cannot schedule new futures after interpreter shutdown", True)],
)
def test_what_keeps_a_worker_from_beginning_is_told_of_a_node_only_where_it_lacks_something(
    monkeypatch: pytest.MonkeyPatch, trouble: str, refused: bool
) -> None:
    """A whole batch that is refused is asked elsewhere; what is told of a node is its answer."""

    def submit(*_: object) -> None:
        raise RuntimeError(trouble)

    monkeypatch.setattr(Hands, "submit", submit)
    batch = Batch(run="r", calls=tuple(job("b1").calls()), parallel=1)
    if refused:
        with pytest.raises(RuntimeError, match=trouble):
            work.asked(batch)
        return
    (said,) = work.asked(batch).said
    assert said
    assert str(said.failure).startswith(f"{RAN_OUT}threads")


def test_the_nodes_of_a_lost_worker_are_asked_once_more_and_that_is_told(cluster: Cluster) -> None:
    def die(there: FakeWorker, _: Any) -> None:
        if there.address == "tls://w1:1":
            cluster.kill(there.address)

    cluster.on_batch = die
    lost = cluster.workers_there["tls://w1:1"]
    done = collect(job(*names(20)))
    again = sum(len(batch) for batch in lost.given)
    assert not any(failures(done).values())
    assert done.notices == (f"worker tls://w1:1 ended: {again} nodes were asked once more elsewhere",)


def test_a_node_that_takes_two_workers_down_is_not_asked_a_third_time(cluster: Cluster) -> None:
    for number in range(3, 6):
        cluster.workers_there[f"tls://w{number}:1"] = FakeWorker(address=f"tls://w{number}:1")

    def die(there: FakeWorker, batch: Any) -> None:
        if any(call.node.name == "b7" for call in batch.calls):
            cluster.kill(there.address)

    cluster.on_batch = die
    done = collect(job(*names(20)))
    left = len(cluster.workers_there)
    failed = {name: cause for name, cause in failures(done).items() if cause}
    assert left == 3, "it was given to a third worker"
    assert list(failed) == ["b7"], "what was beside it is asked alone, and stands"
    assert str(failed["b7"]).startswith("asked twice, and twice without an answer: worker tls://w")
    assert "1 of them could not be asked even so" in " ".join(done.notices)


@pytest.mark.usefixtures("impatient")
def test_a_worker_that_hangs_is_left_behind(cluster: Cluster) -> None:
    hung = cluster.workers_there["tls://w1:1"]
    hung.hold = threading.Event()

    def fall_silent(there: FakeWorker, _: Any) -> None:
        there.silent = there is hung

    cluster.on_batch = fall_silent
    done = collect(job(*names(6)))
    assert not any(failures(done).values())
    assert done.notices == (
        "worker tls://w1:1 has not been heard of for 0.3 s: 3 nodes were asked once more elsewhere",
    )
    assert any(task.cancelled for task in cluster.tasks.values()), "its task is left behind"


def test_a_worker_is_not_silent_while_nobody_listens_to_it(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """To get to know new ones takes time of ours: of hundreds of them, or where this machine is busy."""
    now = [1_000.0]
    monkeypatch.setattr(workers_module, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def introduced(*_: Any, **__: Any) -> Any:
        now[0] += 100 * QUICK.silence
        made = workers_module._Introduction()
        made.said = work.about()
        made.over.set()
        return made

    monkeypatch.setattr(workers_module._Introduction, "of", introduced)
    link: Any = FakeLink(cluster)
    workers = Workers(link=link, patience_s=QUICK.silence, wait_s=QUICK.look, own=False)
    assert workers.look() == []
    assert len(list(workers.of(""))) == 2
    cluster.workers_there["tls://w1:1"].silent = True
    now[0] += 2 * QUICK.silence
    assert [what for _, what in workers.look()] == ["has not been heard of for 0.3 s"]


def test_a_worker_that_runs_out_of_something_is_no_fault_of_the_node(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def short(call: NodeRequest, gate: Any) -> NodeResponse:
        tried.append(call.node.name)
        if tried.count(call.node.name) == 1 and call.node.name == "b1":
            raise MemoryError
        return answered(call)

    monkeypatch.setattr(work, "query_node", short)
    done = collect(job("b1", "b2"))
    assert not any(failures(done).values())
    (notice,) = done.notices
    assert f": {RAN_OUT}memory" in notice
    assert notice.endswith(": 1 node was asked once more elsewhere")


def test_a_scheduler_that_comes_back_is_asked_again(cluster: Cluster) -> None:
    once = threading.Event()

    def restart(_: FakeWorker, __: Any) -> None:
        if not once.is_set():
            once.set()
            cluster.restart()

    cluster.on_batch = restart
    done = collect(job(*names(4)))
    assert not any(failures(done).values())
    (notice,) = done.notices
    assert re.fullmatch(rf"the connection to {SCHEDULER} was lost: \d nodes were asked once more elsewhere", notice)
    assert (cluster.links, cluster.closed) == (2, 2)


def test_a_scheduler_that_stays_away_is_one_cause_for_all_that_is_left(cluster: Cluster) -> None:
    def vanish(_: FakeWorker, __: Any) -> None:
        cluster.reachable = False
        cluster.tasks.clear()

    cluster.on_batch = vanish
    (cause,) = set(failures(collect(job(*names(4)))).values())
    assert str(cause).startswith(f"the connection to {SCHEDULER} was lost, and it was not back within 0.2 s")


def test_a_scheduler_that_is_not_there_is_one_cause(cluster: Cluster) -> None:
    cluster.reachable = False
    done = scan(job("b1", "b2"))
    causes = {row.message for row in done.results if row.check == "connectivity"}
    assert causes == {f"{SCHEDULER} cannot be reached within 10 s: refused"}
    assert done.exit_code == 3


def test_an_interrupt_keeps_what_is_finished_and_leaves_no_task(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = threading.Event(), threading.Event()

    def one_waits(call: NodeRequest, gate: Any) -> NodeResponse:
        if call.node.name == "b0":
            begun.set()
            ended.wait(10)
        return answered(call)

    def interrupt(now: Progress) -> None:
        if now.waiting and begun.is_set():
            raise KeyboardInterrupt

    def end(owner: object) -> None:
        if owner is not None:  # a worker, which ends its own conversations; home would end all that there are
            ended.set()

    monkeypatch.setattr(work, "query_node", one_waits)
    monkeypatch.setattr("scanner.run.engines.settled.end_all", end)
    done = collect(job(*names(6)), interrupt)
    assert not done.complete
    assert "b0" not in failures(done), "it was ended, and did not answer"
    assert set(failures(done)) >= {"b2", "b4"}, "what was finished beside it is kept"
    # Whichever said first who it is was given it.
    busy = {each.address for each in cluster.workers_there.values() if any("b0" in batch for batch in each.given)}
    assert set(cluster.left) >= busy > set()
    assert cluster.closed == 1


def test_an_interrupt_leaves_no_process_folder_or_connection_behind(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever interrupts ends the process next: what was not cleared up by then stays."""
    waited, close, wait = threading.Event(), FakeLink.close, engine_module.DaskEngine.wait_for_end

    def slow_close(link: FakeLink) -> None:
        waited.wait(5)
        close(link)

    def waiting(engine: Any, within_s: float) -> None:
        waited.set()
        wait(engine, within_s)

    def interrupt(now: Progress) -> None:
        if now.done:
            raise KeyboardInterrupt

    monkeypatch.setattr(FakeLink, "close", slow_close)
    monkeypatch.setattr(engine_module.DaskEngine, "wait_for_end", waiting)
    collect(job(*names(6)), interrupt)
    assert (cluster.links, cluster.closed) == (1, 1)


def test_an_interrupt_of_the_farewell_loses_no_answer(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    shutdown = engine_module.DaskEngine.shutdown

    def interrupted(self: Any, wait: bool = True, *, cancel_futures: bool = False) -> None:
        shutdown(self, wait=False, cancel_futures=cancel_futures)
        if wait:
            raise KeyboardInterrupt

    monkeypatch.setattr(engine_module.DaskEngine, "shutdown", interrupted)
    done = scan(job(*names(6)))
    assert (len(done.nodes), all(node.reachable for node in done.nodes)) == (6, True)
    assert (done.partial, done.exit_code) == (True, 130)


def test_a_machine_that_is_this_one_is_asked_from_here(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    made = job("b1")
    ((there, info),) = made.clusters
    local = replace(there, nodes=(replace(there.nodes[0], transport="local", ssh=None),))
    monkeypatch.setattr("scanner.run.collect.query_node", lambda call: answered(call, "from here"))
    done = collect(replace(made, clusters=((local, info),)))
    assert [str(said.answers["load"].output) for said in done.said.values()] == ["from here"]  # type: ignore[union-attr]
    assert not cluster.parcels


def test_what_is_sent_shows_no_secret(cluster: Cluster) -> None:
    collect(job("b1", password="Canary-7f3a9c"))
    (parcel,) = cluster.parcels
    assert (repr(parcel), str(parcel), f"{parcel}") == ("Parcel(***)",) * 3
    assert b"Canary" not in pickle.dumps(parcel), "nobody greps it out of a scheduler's memory by accident"
    assert not any("Canary" in key for key in cluster.tasks)
    batch = parcel.content()
    assert "Canary" not in repr(batch)


def test_no_site_gets_what_another_one_s_nodes_are_reached_with(cluster: Cluster) -> None:
    first, second = cluster.workers_there.values()
    first.sites, second.sites = frozenset({"emea"}), frozenset({"apac"})
    made = [job("b1", "b2", site=site, password=f"Canary-of-{site}") for site in ("emea", "apac")]
    parts = []
    for site, each in zip(("emea", "apac"), made, strict=True):
        ((there, info),) = each.clusters
        nodes = tuple(replace(node, cluster=site) for node in there.nodes)
        parts.append((replace(there, name=site, nodes=nodes), info))
    chosen = frozenset((part.name, node.name) for part, _ in parts for node in part.nodes)
    done = collect(replace(made[0], clusters=tuple(parts), chosen=chosen))
    assert not any(said.failure for said in done.said.values())
    assert len(cluster.parcels) == len(done.said) // 2 == 2
    for parcel in cluster.parcels:
        batch = parcel.content()
        assert isinstance(batch, Batch)
        (site,) = {call.site for call in batch.calls}
        sent = pickle.dumps(batch)
        assert [each for each in ("emea", "apac") if f"Canary-of-{each}".encode() in sent] == [site]
        assert {secret for call in batch.calls for secret, _ in call.hide.logins} == {f"Canary-of-{site}"}


def test_what_another_site_s_node_is_reached_with_is_taken_out_at_home(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = cluster.workers_there.values()
    first.sites, second.sites = frozenset({"emea"}), frozenset({"apac"})
    monkeypatch.setattr(work, "query_node", lambda call, gate: answered(call, "it is Canary-of-apac!"))
    made = [job("b1", site=site, password=f"Canary-of-{site}") for site in ("emea", "apac")]
    (there, info), (other, _) = made[0].clusters[0], made[1].clusters[0]
    other = replace(other, name="apac", nodes=tuple(replace(node, cluster="apac") for node in other.nodes))
    chosen = frozenset((part.name, node.name) for part in (there, other) for node in part.nodes)
    done = collect(replace(made[0], clusters=((there, info), (other, info)), chosen=chosen))
    assert len(done.said) == 2
    assert "Canary" not in repr({key: dict(said.answers) for key, said in done.said.items()})


def test_a_node_that_says_what_it_was_asked_with_is_cleansed_before_it_leaves_the_site(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(work, "query_node", lambda call, gate: answered(call, "it is Canary-7f3a9c!"))
    calls = tuple(job("b1", password="Canary-7f3a9c").calls())
    told = repr(work.asked(Batch(run="r", calls=calls, parallel=1, folder="/")))
    assert "Canary" not in told
    assert "it is ***!" in told


@pytest.mark.parametrize("ahead_s", [-40.0, 0.0, 40.0])
def test_a_worker_with_another_clock_makes_no_node_s_clock_wrong(ahead_s: float) -> None:
    """The node is right by our clock; its worker's clock is not, and it is known to within 0.2 s."""
    at = utc_now()
    noted = ClockSample(sent_s=100 + ahead_s, begun_s=100.5, ended_s=100.6, received_s=101 + ahead_s)
    said = NodeResponse(cluster="c", node="n", host="n", transport="ssh", clock=noted, asked_at=at)
    ours = by_our_clock(said, ClockOffset(ahead_s, 0.2))
    assert isinstance(ours.clock, ClockSample)
    assert ours.clock.sent_s == pytest.approx(99.8)
    assert ours.clock.received_s == pytest.approx(101.2)
    assert ours.asked_at is not None
    assert (at - ours.asked_at).total_seconds() == pytest.approx(ahead_s)
    assert by_our_clock(said, None) is said


def test_processes_of_this_machine_are_at_no_site_and_nobody_waits_for_one(cluster: Cluster) -> None:
    made = job("b1", "b2", site="emea")
    made = replace(made, engine=EngineChoice(name=DASK))
    done = scan(made)
    rows = [row for row in done.results if row.check == "connectivity"]
    assert {row.message for row in rows} == {"no worker for site emea: processes of this machine are at no site"}
    assert "run.scheduler" in str(rows[0].remediation)


def test_a_worker_that_is_given_nothing_is_told_of_although_others_asked(cluster: Cluster) -> None:
    cluster.workers_there["tls://w1:1"].about = {"distributed": "2020.1.0"}
    (notice,) = collect(job(*names(4))).notices
    assert notice.startswith("worker tls://w1:1 runs distributed 2020.1.0 (here ")
    assert notice.endswith("), and was given nothing")


@pytest.mark.usefixtures("impatient")
def test_what_is_installed_beside_a_worker_is_the_cure_where_that_is_the_trouble(cluster: Cluster) -> None:
    for each in cluster.workers_there.values():
        each.about = {"distributed": "2020.1.0"}
    (said, *_) = collect(job("b1")).said.values()
    assert "install preflight-scanner[dask]" in said.hint


def test_what_nobody_asked_looks_as_what_did_not_answer(cluster: Cluster) -> None:
    """All that follows from it is folded under its one cause, as under that of a node that is down."""
    cluster.reachable = False
    done = collect(job("b1"))
    (said,) = done.said.values()
    (call,) = job("b1").calls()
    assert set(said.answers) == {probe.id for probe in call.probes}
    assert all(isinstance(answer, Unknown) for answer in said.answers.values())


def test_a_process_that_was_started_before_the_clock_was_set_makes_no_node_s_clock_wrong(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers live for months, and a machine that boots asks the time later than it starts them."""
    late_s = 3600.0
    for each in cluster.workers_there.values():
        each.about = {"epoch_s": now_s() - time.monotonic() + late_s}
    at = utc_now()

    def query(call: NodeRequest, gate: Any) -> NodeResponse:
        del gate
        noted = ClockSample(sent_s=100 + late_s, begun_s=100.5, ended_s=100.6, received_s=101 + late_s)
        return replace(answered(call), clock=noted, asked_at=at)

    monkeypatch.setattr(work, "query_node", query)
    (said,) = collect(job("b1")).said.values()
    assert isinstance(said.clock, ClockSample)
    assert said.clock.sent_s == pytest.approx(100, abs=0.01)
    assert said.clock.received_s == pytest.approx(101, abs=0.01)
    assert said.asked_at == at, "which the machine's own clock told, by then set"


def test_a_distant_worker_s_two_clocks_are_each_held_against_ours(cluster: Cluster) -> None:
    """Its process goes by a time that is an hour ahead, its machine's clock has been put right since."""
    away = cluster.workers_there["tls://w1:1"]
    away.about = {"machine": "another", "now_s": now_s() + 3600, "wall_s": utc_now().timestamp()}
    link: Any = FakeLink(cluster)
    workers = Workers(link=link, patience_s=30, wait_s=20, own=False)
    workers.look()
    (clock,) = [each.clock for each in workers.of("") if each.address == away.address]
    assert clock is not None
    assert clock.ahead_s == pytest.approx(3600, abs=20)
    assert ahead(clock).total_seconds() == pytest.approx(0, abs=20)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Exception("ModuleNotFoundError(\"No module named 'scanner'\")"), "has no preflight"),
        (AttributeError("about"), "has no preflight that this one understands (AttributeError: about)"),
    ],
)
def test_a_peer_without_preflight_is_told_as_that(error: Exception, told: str) -> None:
    assert incomprehensible(error) == told
