"""The run: order, the seam for other executors, interruption, and what a node's defects cost the others."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import pickle
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from checks.check import ClusterInfo, NodeCheck, NodeView
from checks.engine.connectivity import CHECK as CONNECTIVITY
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Severity, passed
from checks.scan import Verdict
from scanner.errors import ProtocolError
from scanner.files.packed.answers import opened
from scanner.inventory.model import Cluster, Node, SshSettings, WinrmSettings
from scanner.inventory.redactor import redactor
from scanner.probes.probe import Answer, Probe, UnreadableError
from scanner.probes.registry import BUILTIN, select_probes
from scanner.run.collect import Progress, collect, scan
from scanner.run.engines.hands import Gate
from scanner.run.facts import read_facts
from scanner.run.job import ScanRequest
from scanner.run.node import NodeRequest, query_node
from scanner.secrets.secret import Secret
from scanner.transports.answers import NodeResponse
from scanner.transports.protocol import ConnectionCost, Limits


@dataclass(frozen=True, slots=True)
class Load:
    text: str


def read_load(answer: Answer) -> Load:
    if answer.output == "garbage":
        raise UnreadableError("no load in 'garbage'")
    if answer.output == "defect":
        raise KeyError("load")
    return Load(answer.output)


def judge(view: NodeView) -> Outcome:
    return passed(view.require(Load).text)


PROBE = Probe(id="load", language="sh", purpose="the load", script="cat /proc/loadavg", readers=((Load, read_load),))
CHECK = NodeCheck(
    id="load",
    title="Load",
    severity=Severity.LOW,
    doc="",
    remediation=Remediation("-"),
    products=("chef-backend",),
    roles=("backend",),
    facts=(Load,),
    judge=judge,
)


def node(name: str) -> Node:
    return Node(
        cluster="chef",
        name=name,
        host="127.0.0.1",
        product="chef-backend",
        roles=("backend",),
        transport="ssh",
        ssh=SshSettings(),
    )


def job(*names: str, parallel: int = 4) -> ScanRequest:
    cluster = Cluster(name="chef", product="chef-backend", nodes=tuple(node(name) for name in names))
    return ScanRequest(
        inventory_name="inventory.toml",
        clusters=((cluster, ClusterInfo("chef", "chef-backend")),),
        chosen=frozenset(("chef", name) for name in names),
        checks=(CONNECTIVITY, CHECK),
        probes=(PROBE,),
        parallel=parallel,
    )


def answered(call: NodeRequest, text: str) -> NodeResponse:
    answers = {"load": Answer(text, 0)}
    return NodeResponse(
        cluster="chef",
        node=call.node.name,
        host=call.node.host,
        transport="ssh",
        answers=answers,
        usage=ConnectionCost(1, 1, 0),
        seconds=0.1,
    )


def test_results_come_in_inventory_order_whoever_finishes_first(stub: Any) -> None:
    def slow_first(call: NodeRequest) -> NodeResponse:
        time.sleep(0.2 if call.node.name == "b1" else 0)
        return answered(call, call.node.name)

    stub(slow_first)
    done = scan(job("b1", "b2", "b3"))
    assert [result.node for result in done.results if result.check == "load"] == ["b1", "b2", "b3"]
    assert [record.node for record in done.nodes] == ["b1", "b2", "b3"]
    assert done.verdict is Verdict.GO


def test_garbage_and_defects_stay_with_their_node(stub: Any) -> None:
    stub(lambda call: answered(call, {"b1": "garbage", "b2": "defect", "b3": "0.5"}[call.node.name]))
    told = {result.node: result for result in scan(job("b1", "b2", "b3")).results if result.check == "load"}
    assert told["b1"].message == "no load in 'garbage'"
    assert "KeyError" in told["b2"].message
    assert told["b3"].status.value == "pass"


def test_a_node_that_is_down_is_one_error_and_the_others_stand(stub: Any) -> None:
    def one_down(call: NodeRequest) -> NodeResponse:
        if call.node.name == "b2":
            return NodeResponse(
                cluster="chef",
                node="b2",
                host="127.0.0.1",
                transport="ssh",
                failure="connection refused",
                hint="start sshd",
            )
        return answered(call, "0.1")

    stub(one_down)
    done = scan(job("b1", "b2"))
    told = {(result.node, result.check): result for result in done.results}
    assert told["b2", "connectivity"].message == "connection refused"
    assert told["b2", "connectivity"].remediation.summary == "start sshd"
    assert told["b2", "load"].message == "not evaluated: node unreachable: connection refused"
    assert told["b1", "load"].status.value == "pass"
    assert not done.nodes[1].reachable
    assert done.exit_code == 3


def test_the_call_can_be_pickled_and_given_to_any_executor() -> None:
    call = NodeRequest(node("b1"), select_probes(node("b1"), [CHECK], (*BUILTIN, PROBE)), job("b1").limits)
    assert pickle.loads(pickle.dumps(call)) == call
    assert pickle.loads(pickle.dumps(query_node)) is query_node


class SameThread(concurrent.futures.Executor):
    """The simplest other engine."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        future.set_result(fn(*args, **kwargs))
        return future


def test_another_executor_gives_the_same_results(stub: Any) -> None:
    stub(lambda call: answered(call, call.node.name))
    here, there = scan(job("b1", "b2")), scan(job("b1", "b2"), executor=lambda _: SameThread())
    assert here.results == there.results


def test_an_interrupt_keeps_what_is_finished_and_says_partial(stub: Any) -> None:
    release = threading.Event()

    def one_hangs(call: NodeRequest) -> NodeResponse:
        if call.node.name == "b2":
            release.wait(10)
        return answered(call, "0.1")

    def interrupt(now: Progress) -> None:
        if now.done == 1:
            raise KeyboardInterrupt

    stub(one_hangs)
    try:
        done = scan(job("b1", "b2"), interrupt)
    finally:
        release.set()
    assert done.partial
    assert done.exit_code == 130
    assert [(result.node, result.check, str(result.status)) for result in done.results] == [
        ("b1", "connectivity", "pass"),
        ("b1", "load", "pass"),
        ("b2", "connectivity", "error"),
        ("b2", "load", "skip"),
    ]
    assert done.coverage.planned == len(done.results), "what was not got to counts against the plan"
    assert done.verdict is Verdict.UNKNOWN


def test_a_second_interrupt_skips_the_farewells_and_keeps_the_results(
    stub: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def impatient(_: object) -> None:
        raise KeyboardInterrupt

    def one_hangs(call: NodeRequest) -> NodeResponse:
        if call.node.name == "b2":
            release.wait(10)
        return answered(call, "0.1")

    def interrupt(now: Progress) -> None:
        if now.done == 1:
            raise KeyboardInterrupt

    stub(one_hangs)
    monkeypatch.setattr("scanner.run.engines.settled.end_all", impatient)
    try:
        done = scan(job("b1", "b2"), interrupt)
    finally:
        release.set()
    assert (done.partial, done.exit_code, [node.reachable for node in done.nodes]) == (True, 130, [True, False])


def test_an_asking_that_fails_costs_its_own_node_only(stub: Any) -> None:
    def one_breaks(call: NodeRequest) -> NodeResponse:
        if call.node.name == "b2":
            raise OverflowError("int too large")
        return answered(call, "0.1")

    stub(one_breaks)
    done = scan(job("b1", "b2"))
    told = {(result.node, result.check): result for result in done.results}
    assert told["b2", "connectivity"].message == "unexpected OverflowError: int too large"
    assert told["b1", "load"].status.value == "pass"
    assert (done.exit_code, done.partial) == (3, False)


class Talkative:
    """A transport whose node sends back what it was given."""

    def __init__(self, node: Node, limits: Limits, *, gate: object = None, hide: object = None) -> None:
        self.usage = ConnectionCost(1, 1, 0)

    def run(self, script: str, variables: object = None) -> bytes:
        nonce = re.search(r"pf_nonce=(\w+)", script)
        assert nonce
        said = 'hunter2&"é and aHVudGVyMg and dTpodW50ZXIyJiLDqQ== and hunter2&amp;&quot;é'
        frame = f"\n{nonce[1]} begin load 9 999\n{said}\n{nonce[1]} end load 0\n".encode()
        raise ProtocolError(f"it says {said!r}", hint=said, partial=frame)

    def close(self) -> None:
        pass


def test_a_node_that_sends_our_secret_back_cannot_have_it_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanner.transports.ssh.transport.SshTransport", Talkative)
    settings = SshSettings(user="u", password=Secret('hunter2&"é'))
    said = query_node(NodeRequest(dataclasses.replace(node("b1"), ssh=settings), (PROBE,), job("b1").limits))
    assert said.failure == "it says '*** and aHVudGVyMg and *** and ***'"
    assert said.hint == "*** and aHVudGVyMg and *** and ***"
    assert said.answers["load"] == Answer(said.hint, 0)


def test_a_node_cannot_have_the_secret_of_another_one_reported(stub: Any) -> None:
    """A log that all nodes write to, a proxy before all of them: each may know what the others are reached with."""
    stub(lambda call: dataclasses.replace(answered(call, "sesame2 opens"), failure="sesame1, sesame2", hint="sesame2"))
    whole = job("b1", "b2")
    cluster, info = whole.clusters[0]
    armed = tuple(
        dataclasses.replace(each, ssh=SshSettings(user="u", password=Secret(f"sesame{number}")))
        for number, each in enumerate(cluster.nodes, 1)
    )
    told: list[object] = []
    collected = collect(
        dataclasses.replace(whole, clusters=((dataclasses.replace(cluster, nodes=armed), info),)), told.append
    )
    assert len(collected.said) == 2
    shown = repr([opened(said) for said in collected.said.values()])
    assert "*** opens" in shown
    assert "sesame" not in shown + repr(collected) + repr(told)


def test_every_secret_that_a_node_can_have_is_taken_out() -> None:
    """Also one that comes to the inventory later: whoever adds it is told here."""
    whole = dataclasses.replace(node("b1"), winrm=WinrmSettings(user="u"), ssh=SshSettings(user="u"))
    holders: dict[str, Any] = {each.name: getattr(whole, each.name) for each in dataclasses.fields(whole)}
    holders = {"": whole} | {name: value for name, value in holders.items() if dataclasses.is_dataclass(value)}
    secrets = [
        (place, each.name)
        for place, holder in holders.items()
        for each in dataclasses.fields(holder)
        if "Secret" in str(each.type)
    ]
    assert {("winrm", "password"), ("ssh", "password"), ("ssh", "passphrase")} <= set(secrets)
    armed: list[Node] = []
    for number, (place, name) in enumerate(secrets):
        change: dict[str, Any] = {name: Secret(f"sesame{number}")}
        nested: dict[str, Any] = {place: dataclasses.replace(holders[place], **change)} if place else change
        armed.append(dataclasses.replace(whole, **nested))
    hide = redactor(armed)
    assert [hide(f"sesame{number}") for number in range(len(secrets))] == ["***"] * len(secrets)


def test_a_short_secret_does_not_garble_the_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanner.transports.ssh.transport.SshTransport", Talkative)
    settings = SshSettings(user="u", password=Secret("and"))
    said = query_node(NodeRequest(dataclasses.replace(node("b1"), ssh=settings), (PROBE,), job("b1").limits))
    assert "***" not in said.hint


def test_an_answer_that_cannot_be_taken_apart_is_this_nodes_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise OverflowError("int too large")

    monkeypatch.setattr("scanner.transports.ssh.transport.SshTransport", Talkative)
    monkeypatch.setattr("scanner.probes.batch.sh.parse", break_down)
    said = query_node(NodeRequest(node("b1"), (PROBE,), job("b1").limits))
    assert said.failure
    assert isinstance(said.answers["load"], Unknown)


def test_the_gate_bounds_the_work() -> None:
    gate = Gate(2)
    most = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal most
        with gate:
            with lock:
                most = max(most, gate.active)
            time.sleep(0.01)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2
    assert gate.active == 0


def test_a_node_is_asked_only_what_the_checks_read_and_always_spoken_to() -> None:
    probes = (*BUILTIN, PROBE)
    assert [probe.id for probe in select_probes(node("b1"), [CHECK], probes)] == ["shell", "chef-traces", "load"]
    assert [probe.id for probe in select_probes(node("b1"), [], probes)] == ["shell", "chef-traces"]


def test_the_contact_counts_what_was_answered() -> None:
    from checks.facts import Contact, Unknown

    said = NodeResponse(
        cluster="chef",
        node="b1",
        host="h",
        transport="ssh",
        answers={"shell": Answer("Linux", 0), "load": Unknown("late")},
    )
    contact = read_facts(said, (*BUILTIN, PROBE))[Contact]
    assert contact == Contact(
        host="h", transport="ssh", failure=None, asked=2, answered=1, unanswered=("load",), reasons=("late",)
    )


def test_a_whole_scan_of_nothing_is_unknown(tmp_path: Path) -> None:
    assert scan(job()).verdict is Verdict.UNKNOWN


def test_a_probe_for_one_role_is_asked_of_no_other() -> None:
    checks = [CHECK, dataclasses.replace(CHECK, id="both", roles=("backend", "frontend"))]
    probe = dataclasses.replace(PROBE, roles=("frontend",))
    asked = [
        [found.id for found in select_probes(dataclasses.replace(node("x"), roles=roles), checks, (probe,))]
        for roles in (("backend",), ("frontend",), ("backend", "frontend"))
    ]
    assert asked == [[], ["load"], ["load"]]
