"""A scan from beginning to end: who is asked, by how many hands at a time, and what became of it."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self

from checks.check import Check, ClusterInfo, NodeView
from checks.evaluation import GatheredCluster, evaluate
from checks.facts import Contact, Unknown
from checks.outcome import Result
from checks.scan import NodeRecord, Scan
from scanner import __version__
from scanner.gather import NodeAnswers, NodeCall, ask, read_facts
from scanner.inventory.model import Cluster, Node
from scanner.probes.probe import Probe
from scanner.probes.registry import select_probes
from scanner.transports.deadline import end_all
from scanner.transports.protocol import Limits

NodeKey = tuple[str, str]
"""Cluster name and node name."""

_DIALS_PER_HAND = 4
_MOST_DIALS = 256
_POLL_S = 0.1
_FAREWELL_S = 6.0


class Gate(AbstractContextManager["Gate"]):
    """Bounds how many nodes are worked on at a time, and knows how many are."""

    def __init__(self, width: int) -> None:
        self._slots = threading.Semaphore(width)
        self._lock = threading.Lock()
        self.active = 0

    def __enter__(self) -> Self:
        self._slots.acquire()
        with self._lock:
            self.active += 1
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self.active -= 1
        self._slots.release()


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a scan is."""

    nodes: int
    done: int
    failing: int
    running: int
    finished: NodeAnswers | None = None
    """The node that has just been finished, if any."""


@dataclass(frozen=True, slots=True)
class Job:
    """What a scan is going to do, settled before anything is contacted."""

    inventory_name: str
    clusters: tuple[tuple[Cluster, ClusterInfo], ...]
    chosen: frozenset[NodeKey]
    checks: tuple[Check, ...]
    probes: tuple[Probe, ...]
    limits: Limits = field(default_factory=Limits)
    parallel: int = 32
    strict: bool = False
    notices: tuple[str, ...] = ()
    failures: tuple[Result, ...] = ()
    """Results that stand beforehand: plugins that did not load."""

    def calls(self) -> list[NodeCall]:
        """One call per chosen node, in inventory order."""
        return [
            NodeCall(node, select_probes(node, self.checks, self.probes), self.limits)
            for cluster, _ in self.clusters
            for node in cluster.nodes
            if (cluster.name, node.name) in self.chosen
        ]


def scan(
    job: Job,
    progress: Callable[[Progress], None] = lambda _: None,
    executor: Callable[[int], concurrent.futures.Executor] = concurrent.futures.ThreadPoolExecutor,
) -> Scan:
    """Ask every chosen node, judge the answers. A KeyboardInterrupt ends it early with what is finished, `partial`.

    `executor` makes the engine that the calls are spread over, from the number of calls that may be under way at once.
    """
    started = datetime.now(UTC)
    calls = job.calls()
    said, complete = _gather(calls, job.parallel, progress, executor)
    facts = _facts(calls, said)
    gathered = [_gathered(cluster, info, job.chosen, said, facts) for cluster, info in job.clusters]
    results = evaluate(job.checks, gathered)
    return Scan(
        tool_version=__version__,
        started=started,
        finished=datetime.now(UTC),
        inventory=job.inventory_name,
        nodes=tuple(_record(said[key]) for key in _order(job) if key in said),
        results=(*job.failures, *results),
        partial=not complete,
        strict=job.strict,
        notices=(*job.notices, *_unfinished(job, said)),
    )


def _gather(
    calls: Sequence[NodeCall],
    parallel: int,
    progress: Callable[[Progress], None],
    executor: Callable[[int], concurrent.futures.Executor],
) -> tuple[dict[NodeKey, NodeAnswers], bool]:
    said: dict[NodeKey, NodeAnswers] = {}
    gate = Gate(parallel)
    failing = 0
    complete = False
    pool = executor(max(1, min(len(calls), parallel * _DIALS_PER_HAND, _MOST_DIALS)))
    # Threads share one gate; another kind of executor brings its own bound and gets the bare, picklable call.
    work: Callable[[NodeCall], NodeAnswers] = (
        partial(ask, gate=gate) if isinstance(pool, concurrent.futures.ThreadPoolExecutor) else ask
    )
    asked: dict[concurrent.futures.Future[NodeAnswers], NodeCall] = {}
    try:
        for call in calls:
            asked[pool.submit(work, call)] = call
        pending = set(asked)
        progress(Progress(len(calls), 0, 0, 0))
        while pending:
            finished, pending = concurrent.futures.wait(pending, _POLL_S, concurrent.futures.FIRST_COMPLETED)
            for future in finished:
                answers = _result(future, asked[future])
                said[answers.cluster, answers.node] = answers
                failing += answers.failure is not None
                progress(Progress(len(calls), len(said), failing, gate.active, answers))
            if not finished:
                progress(Progress(len(calls), len(said), failing, gate.active))
        complete = True
    except KeyboardInterrupt:
        with suppress(KeyboardInterrupt):  # whoever asks twice gets what is finished without the farewells
            _leave(pool, asked)
    finally:
        # After an interrupt nobody waits for nodes that may take a minute yet; the CLI ends the process.
        pool.shutdown(wait=complete, cancel_futures=True)
    return said, complete


def _result(future: concurrent.futures.Future[NodeAnswers], call: NodeCall) -> NodeAnswers:
    """What the node said; where the asking itself failed, that is this node's error and nobody else's."""
    try:
        return future.result()
    except Exception as defect:  # noqa: BLE001  an engine that lost its worker, a defect of ours: the others stand
        cause = " ".join(f"unexpected {type(defect).__name__}: {defect}".split())
        node = call.node
        hint = "this is a defect of preflight; please report it"
        return NodeAnswers(node.cluster, node.name, node.host, node.transport, failure=cause, hint=hint)


def _leave(pool: concurrent.futures.Executor, asked: Iterable[concurrent.futures.Future[NodeAnswers]]) -> None:
    """End the conversations under way, so that no shell stays open on a node; within seconds, or not at all."""
    pool.shutdown(wait=False, cancel_futures=True)
    ends = time.monotonic() + _FAREWELL_S
    # Again and again: a node whose connection is only being made has no deadline yet that could be ended.
    while time.monotonic() < ends and not all(future.done() for future in asked):
        end_all()
        concurrent.futures.wait(asked, _POLL_S)


def _order(job: Job) -> list[NodeKey]:
    return [(cluster.name, node.name) for cluster, _ in job.clusters for node in cluster.nodes]


def _unfinished(job: Job, said: Mapping[NodeKey, NodeAnswers]) -> Iterable[str]:
    """Nodes without any result are named, so that an interrupted scan does not pass them over in silence."""
    missing = [f"{cluster}.{node}" for cluster, node in _order(job) if (cluster, node) in job.chosen - said.keys()]
    if missing:
        yield f"interrupted before these nodes had answered: {', '.join(missing)}"


def _facts(calls: Iterable[NodeCall], said: Mapping[NodeKey, NodeAnswers]) -> dict[NodeKey, dict[type, object]]:
    probes = {(call.node.cluster, call.node.name): call.probes for call in calls}
    return {key: read_facts(answers, probes[key]) for key, answers in said.items()}


def _gathered(
    cluster: Cluster,
    info: ClusterInfo,
    chosen: frozenset[NodeKey],
    said: Mapping[NodeKey, NodeAnswers],
    facts: Mapping[NodeKey, dict[type, object]],
) -> GatheredCluster:
    # An interrupted scan has chosen nodes without answers: they are left out, and the report is marked partial.
    names = frozenset(node.name for node in cluster.nodes if (cluster.name, node.name) in chosen & said.keys())
    views = tuple(_view(node, info, chosen, said, facts.get((cluster.name, node.name), {})) for node in cluster.nodes)
    return GatheredCluster(info, views, names)


def _view(
    node: Node,
    info: ClusterInfo,
    chosen: frozenset[NodeKey],
    said: Mapping[NodeKey, NodeAnswers],
    facts: dict[type, Any],
) -> NodeView:
    key = (node.cluster, node.name)
    contact: Contact | Unknown = facts.get(Contact, Unknown(""))
    if key not in chosen:
        absence = "not selected"
    elif key not in said:
        absence = "the scan was interrupted before this node answered"
    elif isinstance(contact, Contact) and contact.failure:
        absence = f"node unreachable: {contact.failure}" if not contact.answered else contact.failure
    elif isinstance(contact, Contact) and contact.unanswered:
        absence = f"no answer to {', '.join(contact.unanswered)}"
    else:
        absence = ""
    return NodeView(
        cluster=info,
        name=node.name,
        host=node.host,
        roles=frozenset(node.roles),
        facts=facts,
        current=node.current or info.current,
        options=node.options,
        absence=absence,
    )


def _record(said: NodeAnswers) -> NodeRecord:
    answered = any(not isinstance(answer, Unknown) for answer in said.answers.values())
    return NodeRecord(
        said.cluster,
        said.node,
        said.host,
        said.transport,
        said.failure is None or answered,
        said.usage.connections,
        said.usage.commands,
        said.usage.requests,
        said.seconds,
    )
