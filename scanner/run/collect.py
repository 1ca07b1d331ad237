"""Asking all nodes: by how many hands at a time, how far it is, and what an interrupt leaves."""

from __future__ import annotations

import concurrent.futures
import queue
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from checks.scan import Scan
from scanner.clock import today, utc_now
from scanner.files.packed.answers import packed
from scanner.inventory.model import NodeKey
from scanner.inventory.redactor import redactor
from scanner.run.engines.engine import THREADS
from scanner.run.engines.executors import Spread, executor_of
from scanner.run.engines.hands import Gate, make_room, unhurried
from scanner.run.engines.settled import end_calls, settled, submitted
from scanner.run.job import ScanRequest
from scanner.run.judge import build_scan
from scanner.run.node import NodeRequest, query_node, redacted
from scanner.secrets.redaction import Redactor
from scanner.transports.answers import NodeResponse, Responses
from scanner.transports.own_trouble import RAN_OUT, is_own, own_trouble

_DIALS_PER_HAND = 4
_MOST_DIALS = 256
_POLL_S = 0.1
_FAREWELL_S = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a scan is."""

    nodes: int
    done: int
    failing: int
    running: int
    finished: NodeResponse | None = None
    """The node that has just been finished, if any."""
    waiting: tuple[NodeKey, ...] = ()
    """Nodes that are being asked, where none has just been finished."""


def scan(
    job: ScanRequest,
    progress: Callable[[Progress], None] = lambda _: None,
    executor: Callable[[int], concurrent.futures.Executor] | None = None,
) -> Scan:
    """Ask every chosen node and judge the answers; see `collect`."""
    return build_scan(job, collect(job, progress, executor), today())


def collect(
    job: ScanRequest,
    progress: Callable[[Progress], None] = lambda _: None,
    executor: Callable[[int], concurrent.futures.Executor] | None = None,
) -> Responses:
    """Ask every chosen node. A KeyboardInterrupt ends it early with what is finished, `complete` being False.

    `executor` makes the engine that the calls are spread over, from the number of calls that may be under way at once;
    None: the one that the job has chosen.
    """
    started = utc_now()
    # A node may say what another one is reached with, too: a proxy in between, a log that all of them share.
    hide = redactor(node for cluster, _ in job.clusters for node in cluster.nodes)
    calls = job.calls()
    make = executor or executor_of(job.engine, parallel=job.parallel, timeout_s=job.limits.timeout_s)
    with unhurried():
        said, notices, complete = _gather(calls, job.parallel, hide, progress, make)
    if complete and job.engine.name == THREADS:  # another engine asks again by itself, from where the node is reached
        said, more, complete = _again(calls, said, hide)
        notices += more
    return Responses(said=said, started=started, finished=utc_now(), complete=complete, notices=notices)


def _gather(
    calls: Sequence[NodeRequest],
    parallel: int,
    hide: Redactor,
    progress: Callable[[Progress], None],
    executor: Callable[[int], concurrent.futures.Executor],
) -> tuple[dict[NodeKey, NodeResponse], tuple[str, ...], bool]:
    said: dict[NodeKey, NodeResponse] = {}
    gate = Gate(parallel)
    failing = 0
    complete = False
    width = max(1, min(len(calls), parallel * _DIALS_PER_HAND, _MOST_DIALS))
    make_room(width)
    pool = executor(width)
    # Threads share one gate; another kind of executor brings its own bound and gets the bare, picklable call.
    work: Callable[[NodeRequest], NodeResponse] = (
        partial(query_node, gate=gate) if isinstance(pool, concurrent.futures.ThreadPoolExecutor) else query_node
    )
    spread = pool if isinstance(pool, Spread) else None
    asked: dict[concurrent.futures.Future[NodeResponse], NodeRequest] = {}

    def far(**more: Any) -> Progress:
        running = spread.active if spread else gate.active
        return Progress(nodes=len(calls), done=len(said), failing=failing, running=running, **more)

    try:
        for call in calls:
            asked[submitted(pool, work, replace(call, hide=hide))] = call
        # Each says by itself that it is done: to look through all of them for each would grow with their square.
        finished: queue.SimpleQueue[concurrent.futures.Future[NodeResponse]] = queue.SimpleQueue()
        for future in asked:
            future.add_done_callback(finished.put)
        progress(Progress(nodes=len(calls), done=0, failing=0, running=0))
        for _ in asked:
            while (next_one := _taken(finished)) is None:
                waiting = tuple(
                    (call.node.cluster, call.node.name) for future, call in asked.items() if future.running()
                )
                progress(far(waiting=waiting))
            answers = settled(next_one, asked[next_one], hide)
            said[answers.cluster, answers.node] = packed(answers)
            failing += answers.failure is not None
            progress(far(finished=answers))
        complete = True
    except KeyboardInterrupt:
        with suppress(KeyboardInterrupt):  # whoever asks twice gets what is finished without the farewells
            pool.shutdown(wait=False, cancel_futures=True)
            end_calls(asked, _FAREWELL_S)
            if spread:
                said |= _in_time(asked, said, hide)
    finally:
        # After an interrupt nobody waits for nodes that may take a minute yet; the CLI ends the process.
        try:
            pool.shutdown(wait=complete, cancel_futures=True)
        except KeyboardInterrupt:  # an engine's farewell takes its time; what all nodes have said by then is kept
            complete = False
    return said, spread.notices if spread else (), complete


def _taken(
    finished: queue.SimpleQueue[concurrent.futures.Future[NodeResponse]],
) -> concurrent.futures.Future[NodeResponse] | None:
    """The next call that has ended; None where none has for a moment."""
    try:
        return finished.get(timeout=_POLL_S)
    except queue.Empty:
        return None


def _in_time(
    asked: Mapping[concurrent.futures.Future[NodeResponse], NodeRequest],
    said: Mapping[NodeKey, NodeResponse],
    hide: Redactor,
) -> dict[NodeKey, NodeResponse]:
    """What had been finished elsewhere when the interrupt came, and was on its way."""
    return {
        (call.node.cluster, call.node.name): packed(settled(future, call, hide))
        for future, call in asked.items()
        if (call.node.cluster, call.node.name) not in said
        and future.done()
        and not future.cancelled()
        and future.exception() is None
    }


def _again(
    calls: Sequence[NodeRequest], said: Mapping[NodeKey, NodeResponse], hide: Redactor
) -> tuple[dict[NodeKey, NodeResponse], tuple[str, ...], bool]:
    """Ask the nodes that this machine had no room for again, one by one; with what a reader must know of it.

    The first of them that there is no room for either ends it: it would be no better for the others.
    """
    told = dict(said)
    missed = [call for call in calls if is_own(said[call.node.cluster, call.node.name].failure)]
    if not missed:
        return told, (), True
    cause = said[missed[0].node.cluster, missed[0].node.name]
    asked = 0
    complete = True
    try:
        for call in missed:
            answers = redacted(query_node(replace(call, hide=hide)), hide)
            if is_own(answers.failure):
                break
            told[answers.cluster, answers.node] = packed(answers)
            asked += 1
    except KeyboardInterrupt:
        complete = False
    except Exception as defect:
        if not own_trouble(defect):
            raise
    what = str(cause.failure).removeprefix(RAN_OUT).partition(":")[0]
    left = len(missed) - asked
    ending = "all of them answered for themselves" if not left else f"{left} could not be asked even so"
    notice = (
        f"this machine ran out of {what} while nodes were asked side by side; {len(missed)} of them were asked again, "
        f"one by one: {ending}. Next time {cause.hint}"
    )
    return told, (notice,), complete
