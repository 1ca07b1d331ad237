"""A cluster is judged, and let go, as soon as its nodes have answered; what is made of it is the same as at the end."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from checks.baseline.drift_rules import DriftRules
from checks.check import ClusterInfo, NodeCheck, NodeView
from checks.engine.connectivity import CHECK as CONNECTIVITY
from checks.engine.evaluation import GatheredCluster
from checks.outcome import Outcome, Remediation, Severity, passed
from checks.scan import Scan
from scanner.clock import utc_now
from scanner.errors import UsageError
from scanner.files.evidence.file import read_evidence, write_evidence
from scanner.files.evidence.spool import SpooledResponses
from scanner.files.packed.answers import opened, packed
from scanner.inventory.model import Cluster, Node, NodeKey, SshSettings
from scanner.probes.probe import Answer, Probe
from scanner.run.collect import Progress, ask, collect, scan
from scanner.run.drift.compare import Measuring
from scanner.run.job import ScanRequest
from scanner.run.judge import Judging, build_scan
from scanner.run.node import NodeRequest
from scanner.run.offline import evidence_of
from scanner.run.taking.evidence import EvidenceKeeper
from scanner.run.taking.handover import Handover, Keeper
from scanner.transports.answers import Circumstances, NodeResponse, Responses
from scanner.transports.own_trouble import RAN_OUT
from tests.living import alive, older_objects_aside

__all__ = ["older_objects_aside"]

TODAY = date(2026, 11, 26)
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class Mood:
    text: str


def judge_mood(view: NodeView) -> Outcome:
    return passed(f"in a {view.require(Mood).text} mood")


PROBE = Probe(
    id="mood",
    language="sh",
    purpose="the mood",
    script="cat /mood",
    readers=((Mood, lambda answer: Mood(answer.output)),),
)
CHECK = NodeCheck(
    id="mood",
    title="Mood",
    severity=Severity.LOW,
    doc="",
    remediation=Remediation("-"),
    products=("chef-backend",),
    roles=("backend",),
    facts=(Mood,),
    judge=judge_mood,
)


def job(check: NodeCheck = CHECK, **clusters: int) -> ScanRequest:
    """Clusters with so many nodes each."""
    made = tuple(
        Cluster(
            name=name,
            product="chef-backend",
            nodes=tuple(
                Node(
                    cluster=name,
                    name=f"{name}{number}",
                    host="127.0.0.1",
                    product="chef-backend",
                    roles=("backend",),
                    transport="ssh",
                    ssh=SshSettings(),
                )
                for number in range(nodes)
            ),
        )
        for name, nodes in clusters.items()
    )
    return ScanRequest(
        inventory_name="inventory.toml",
        clusters=tuple((each, ClusterInfo(each.name, "chef-backend")) for each in made),
        chosen=frozenset((each.name, node.name) for each in made for node in each.nodes),
        checks=(CONNECTIVITY, check),
        probes=(PROBE,),
    )


def answered(call: NodeRequest, **more: Any) -> NodeResponse:
    node = call.node
    told = {"answers": {"mood": Answer(f"{node.name}'s", 0)}, "asked_at": NOON, **more}
    return NodeResponse(cluster=node.cluster, node=node.name, host=node.host, transport="ssh", **told)


@dataclass
class Held:
    """The nodes of one cluster are not let go before that is said."""

    cluster: str
    release: threading.Event = field(default_factory=threading.Event)

    def __call__(self, call: NodeRequest) -> NodeResponse:
        if call.node.cluster == self.cluster:
            assert self.release.wait(PATIENCE_S), "nobody let this node answer"
        return answered(call)


@pytest.fixture
def held(stub: Any) -> Iterator[Held]:
    waiting = Held("a")
    stub(waiting)
    yield waiting
    waiting.release.set()


def test_a_clusters_facts_and_answers_are_gone_while_another_one_is_still_asked(held: Held) -> None:
    others = {id(each) for kind in (NodeView, Mood, Answer) for each in alive(kind)}
    judged: list[str] = []
    counted: list[dict[str, int]] = []

    def see(cluster: GatheredCluster) -> None:
        assert all(view.facts[Mood] for view in cluster.nodes)
        judged.append(cluster.info.name)

    def watch(now: Progress) -> None:
        if now.waiting and len(judged) == 2 and not counted:
            left = {
                kind.__name__: sum(id(each) not in others for each in alive(kind)) for kind in (NodeView, Mood, Answer)
            }
            counted.append(left)
            assert {cluster for cluster, _ in now.waiting} == {"a"}
            held.release.set()

    made = job(a=2, b=3, c=2)
    judging = Judging(made, see)
    handover = Handover(made, [judging])
    handover.end(ask(made, handover, watch))
    assert judged == ["b", "c", "a"]
    assert counted == [{"NodeView": 0, "Mood": 0, "Answer": 0}]
    assert [row.node for row in judging.scan(TODAY).results if row.check == "mood"] == [
        *("a0", "a1", "b0", "b1", "b2", "c0", "c1")
    ], "they are told as the inventory has them"


def test_whoever_ends_first_the_scan_is_that_of_answers_judged_at_the_end(held: Held) -> None:
    made = replace(job(a=2, b=3, c=1), chosen=job(a=2, b=3, c=1).chosen - {("b", "b1"), ("c", "c0")})

    def release(now: Progress) -> None:
        if now.waiting:
            held.release.set()

    done, at_the_end = scan(made, release), build_scan(made, collect(made), TODAY)
    assert same(done) == same(at_the_end)
    assert [record.name for record in done.clusters] == ["a", "b", "c"]


def same(done: Scan) -> Scan:
    """The scan but for when it was."""
    return replace(done, started=NOON, finished=NOON, results=tuple(done.results))


def test_a_snapshot_is_in_the_inventorys_order_whoever_ends_first(stub: Any) -> None:
    stub(
        lambda call: (
            answered(call, answers={}, failure=f"{call.node.name} is down")
            if call.node.cluster == "b"
            else answered(call)
        )
    )
    made = job(a=1, b=2, c=1)
    asking = Circumstances(started=NOON, finished=NOON)
    said = collect(made).said

    def measured(*order: str) -> Any:
        measuring = Measuring(made, DriftRules(fields={}))
        for name in order:
            measuring.take(name, {key: each for key, each in said.items() if key[0] == name})
        measuring.end(asking)
        return measuring.snapshot(TODAY)

    one, other = measured("a", "b", "c"), measured("c", "b", "a", "b")
    assert (one.nodes, dict(one.facts), one.unread, one.checks) == (
        *(other.nodes, dict(other.facts), other.unread, other.checks),
    )
    assert (list(one.nodes), list(one.unread), list(one.checks)) == (
        *(list(other.nodes), list(other.unread), list(other.checks)),
    )
    assert len(one.facts) == len(other.facts) == 2


def test_an_interrupt_while_a_cluster_is_judged_keeps_it_and_ends_the_asking(held: Held) -> None:
    struck: list[str] = []

    def strike(view: NodeView) -> Outcome:
        if view.name == "b1" and not struck:
            struck.append(view.name)
            held.release.set()  # a thread cannot be ended, and this one waits for it alone
            raise KeyboardInterrupt
        return judge_mood(view)

    done = scan(job(replace(CHECK, judge=strike), a=1, b=3, c=1))
    assert struck
    assert (done.partial, done.exit_code) == (True, 130)
    moods = {row.node: str(row.status) for row in done.results if row.check == "mood"}
    assert {name: moods[name] for name in ("b0", "b1", "b2")} == dict.fromkeys(("b0", "b1", "b2"), "pass")
    assert len([row for row in done.results if row.check == "mood"]) == len(moods) == 5


def test_a_node_that_is_asked_once_more_keeps_its_cluster_till_then(stub: Any) -> None:
    asked: list[str] = []

    def no_room_at_first(call: NodeRequest) -> NodeResponse:
        asked.append(call.node.name)
        if call.node.name == "b1" and asked.count("b1") == 1:
            return answered(call, answers={}, failure=f"{RAN_OUT}threads: the node was not asked", hint="lower it")
        return answered(call)

    taken: list[tuple[str, list[str | None]]] = []

    class Watching(Keeper):
        def take(self, cluster: str, said: Mapping[NodeKey, NodeResponse]) -> None:
            taken.append((cluster, [each.failure for each in said.values()]))

    stub(no_room_at_first)
    made = job(a=1, b=2, c=1)
    handover = Handover(made, [Watching()])
    asking = ask(made, handover)
    assert "b" not in dict(taken)
    handover.end(asking)
    assert sorted(taken) == [("a", [None]), ("b", [None, None]), ("c", [None])]
    assert asked.count("b1") == 2
    assert "all of them answered for themselves" in asking.notices[0]


class Failing(Keeper):
    """Has no room for one cluster while others are asked."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures
        self.tried: list[str] = []

    def take(self, cluster: str, said: Mapping[NodeKey, NodeResponse]) -> None:
        self.tried.append(cluster)
        if cluster == "b" and self.failures:
            self.failures -= 1
            raise MemoryError
        super().take(cluster, said)


@pytest.mark.parametrize("failures", [1, 2])
def test_one_that_fails_meanwhile_gets_its_part_at_the_end_and_costs_nobody_theirs(held: Held, failures: int) -> None:
    made = job(a=1, b=2, c=1)
    first, failing = Keeper(), Failing(failures)
    handover = Handover(made, [first, failing])

    def release(now: Progress) -> None:
        if now.waiting:
            held.release.set()

    asking = ask(made, handover, release)
    assert asking.complete
    if failures == 1:
        handover.end(asking)
        assert failing.said == first.said
    else:
        with pytest.raises(MemoryError):
            handover.end(asking)
    assert set(first.said) == made.chosen, "who came before it has everything"
    assert failing.tried.count("b") == 2


def test_evidence_kept_on_the_way_is_that_of_all_answers_together(held: Held, tmp_path: Path) -> None:
    made = job(a=2, b=3, c=2)
    seen: list[list[str]] = []

    def watch(now: Progress) -> None:
        if now.waiting and not handover.ready:
            seen.append([path.name for path in tmp_path.iterdir()])
            held.release.set()

    keeper, together = EvidenceKeeper(tmp_path / "kept.json", made), Keeper()
    handover = Handover(made, [keeper, together])
    asking = ask(made, handover, watch)
    handover.end(asking)
    assert keeper.problem == ""
    assert seen
    assert not any(seen), "nothing that could be left behind lies there"
    said = Responses.to(asking, together.said)
    write_evidence(tmp_path / "whole.json", evidence_of(made, said))
    assert (tmp_path / "kept.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
    held_by = read_evidence(tmp_path / "kept.json").evidence
    assert [each.said.node for each in held_by.nodes] == ["a0", "a1", "b0", "b1", "b2", "c0", "c1"]


def test_evidence_of_an_interrupted_run_has_what_is_finished(held: Held, tmp_path: Path) -> None:
    made = job(a=2, b=3)

    def interrupt(now: Progress) -> None:
        if now.waiting and not handover.ready:
            held.release.set()
            raise KeyboardInterrupt

    keeper = EvidenceKeeper(tmp_path / "kept.json", made)
    handover = Handover(made, [keeper])
    handover.end(ask(made, handover, interrupt))
    kept = read_evidence(tmp_path / "kept.json").evidence
    assert not kept.complete
    assert [each.said.node for each in kept.nodes] == ["b0", "b1", "b2"]
    assert kept.unanswered == (("a", "a0"), ("a", "a1"))


def test_what_is_spooled_comes_back_as_it_was_and_in_the_place_of_what_was_there(tmp_path: Path) -> None:
    spool = SpooledResponses.beside(tmp_path / "e.json")
    calls = job(a=2, b=1).calls()
    said = {(call.node.cluster, call.node.name): answered(call, clock=None, seconds=1.5) for call in calls}
    spool.put("a", {("a", "a0"): replace(said["a", "a0"], failure="cut off")})
    spool.put("b", {("b", "b0"): said["b", "b0"]})
    spool.put("a", {key: each for key, each in said.items() if key[0] == "a"})
    assert {key: opened(each) for key, each in spool.items()} == said
    assert (("a", "a1") in spool, ("a", "a2") in spool, len(spool)) == (True, False, 3)
    assert [path.name for path in tmp_path.iterdir()] == []


def test_what_has_been_packed_waits_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = job(a=2, b=1)
    said = {(call.node.cluster, call.node.name): packed(answered(call)) for call in made.calls()}

    def compress(*_: object) -> bytes:
        raise AssertionError("what is packed is packed again")

    monkeypatch.setattr(zlib, "compress", compress)
    spool = SpooledResponses.beside(tmp_path / "e.json")
    for name in ("a", "b"):
        spool.put(name, {key: each for key, each in said.items() if key[0] == name})
    assert {key: opened(each) for key, each in spool.items()} == {key: opened(each) for key, each in said.items()}


def test_a_full_disk_costs_the_evidence_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preflight: Callable[..., Any]
) -> None:
    from scanner.lab.lab import Lab

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SpooledResponses, "put", full)
    with Lab("chef-healthy") as lab:
        ended = preflight("scan", lab.write(tmp_path), "--evidence", tmp_path / "e.json")
    assert ended.code == 2
    assert ended.out.startswith("GO")
    assert f"the evidence was not written: cannot write {tmp_path / 'e.json'}: No space left on device" in ended.err
    assert not (tmp_path / "e.json").exists()


def test_where_nothing_can_be_kept_is_told_before_anybody_is_asked(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"the evidence: cannot write .*e\.json: No such file or directory"):
        EvidenceKeeper(tmp_path / "gone" / "e.json", job(a=1))


def test_what_was_collected_before_is_handed_on_and_let_go() -> None:
    made = job(a=1, b=1)
    left: list[int] = []
    handover: Handover

    class Counting(Keeper):
        def take(self, _: str, said: Mapping[NodeKey, NodeResponse]) -> None:
            left.append(len([each for each in alive(NodeResponse) if each.hint == "counted"]))

    def collected() -> Responses:
        said = {(call.node.cluster, call.node.name): answered(call, hint="counted") for call in made.calls()}
        return Responses(said=said, started=utc_now(), finished=utc_now())

    handover = Handover(made, [Counting()])
    handover.end(handover.hear_all(collected()))
    assert left == [2, 1]
