"""Asking all nodes: by how many hands at a time, how far it is, and what an interrupt leaves.

What is made of the answers is made between two of them, by the thread that waits for them: nothing of it runs beside
itself, and nothing that it does keeps a node waiting.
"""

from __future__ import annotations

import concurrent.futures
import math
import queue
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from checks.common.dataclass import dataclass
from checks.scan import Scan
from scanner.clock import today, utc_now
from scanner.inventory.model import NodeKey
from scanner.inventory.redactor import redactor
from scanner.run.engines.engine import THREADS
from scanner.run.engines.executors import Spread, executor_of
from scanner.run.engines.hands import Gate, make_room
from scanner.run.engines.settled import Asking, Cleared, cleared, end_calls, settled, submitted
from scanner.run.engines.turns import unhurried
from scanner.run.job import ScanRequest
from scanner.run.judge import Judging
from scanner.run.node import NodeRequest, query_node, redacted
from scanner.run.taking.handover import Handover, Keeper
from scanner.secrets.redaction import Redactor
from scanner.transports.answers import Circumstances, NodeResponse, Responses
from scanner.transports.own_trouble import RAN_OUT, is_own, own_trouble

_DIALS_PER_HAND = 4
_MOST_DIALS = 256
_CALLS_PER_DIAL = 2
"""One that is under way or has been answered, and one that is begun while nobody comes to take the answer."""
_POLL_S = 0.1
_FAREWELL_S = 6.0
_CLOSING_S = 6.0
"""How long what was started here for the run is waited for after an interrupt, until it has cleared up after itself."""


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
    """Ask every chosen node, and judge each cluster as soon as its nodes have answered; see `ask`."""
    judging = Judging(job)
    handover = Handover(job, [judging])
    handover.end(ask(job, handover, progress, executor))
    return judging.scan(today())


def collect(
    job: ScanRequest,
    progress: Callable[[Progress], None] = lambda _: None,
    executor: Callable[[int], concurrent.futures.Executor] | None = None,
) -> Responses:
    """Ask every chosen node, and hold all that is said; see `ask`."""
    keeper = Keeper()
    handover = Handover(job, [keeper])
    asking = ask(job, handover, progress, executor)
    handover.end(asking)
    return Responses.to(asking, keeper.said)


def ask(
    job: ScanRequest,
    handover: Handover,
    progress: Callable[[Progress], None] = lambda _: None,
    executor: Callable[[int], concurrent.futures.Executor] | None = None,
) -> Circumstances:
    """Ask every chosen node; what they say goes to `handover`, which still has to be ended.

    A KeyboardInterrupt ends it early with what is finished, `complete` being False. `executor` makes the engine that
    the calls are spread over, from the number of calls that may be under way at once; None: the one that the job has
    chosen.
    """
    started = utc_now()
    # A node may say what another one is reached with, too: a proxy in between, a log that all of them share.
    hide = redactor(node for cluster, _ in job.clusters for node in cluster.nodes)
    calls = job.calls()
    make = executor or executor_of(job.engine, parallel=job.parallel, timeout_s=job.limits.timeout_s)
    # Another engine asks again by itself, from where the node is reached.
    run = _Run(calls, handover, hide, asks_again=job.engine.name == THREADS)
    with unhurried():
        complete = run.gather(job.parallel, progress, make)
    notices = run.notices
    if complete and run.missed:
        more, complete = _again([call for call in calls if call.node.key in run.missed], run.missed, handover, hide)
        notices += more
    return Circumstances(started=started, finished=utc_now(), complete=complete, notices=notices)


class _Run:
    """The nodes being asked."""

    def __init__(self, calls: Sequence[NodeRequest], handover: Handover, hide: Redactor, *, asks_again: bool) -> None:
        self.missed: dict[NodeKey, NodeResponse] = {}
        """Nodes that this machine had no room for, and that are to be asked again."""
        self.notices: tuple[str, ...] = ()
        self._calls = calls
        self._left = iter(calls)
        self._handover = handover
        self._hide = hide
        self._asks_again = asks_again
        self._under_way: dict[Asking, NodeRequest] = {}
        """Those that have been begun, or will be soon, and those that have been answered and not been taken yet."""
        # Each says by itself that it is done: to look through all of them for each would grow with their square.
        self._finished: queue.SimpleQueue[Asking] = queue.SimpleQueue()
        self._done = self._failing = 0

    def gather(
        self,
        parallel: int,
        progress: Callable[[Progress], None],
        executor: Callable[[int], concurrent.futures.Executor],
    ) -> bool:
        """Ask all of them. False where that was interrupted."""
        gate = Gate(parallel)
        complete = False
        width = max(1, min(len(self._calls), parallel * _DIALS_PER_HAND, _MOST_DIALS))
        make_room(width)
        pool = executor(width)
        # Threads share one gate; another kind of executor brings its own bound and gets the bare, picklable call.
        work: Callable[[NodeRequest], NodeResponse | Cleared] = (
            partial(_query, gate=gate) if isinstance(pool, concurrent.futures.ThreadPoolExecutor) else query_node
        )
        spread = pool if isinstance(pool, Spread) else None
        begin = partial(submitted, pool, work)
        # Where nodes answer faster than something can be made of it, others wait unasked: their time does not run, and
        # memory holds no more of a larger estate.
        ahead = math.inf if spread else _CALLS_PER_DIAL * width

        def far(**more: Any) -> Progress:
            running = spread.active if spread else gate.active
            return Progress(nodes=len(self._calls), done=self._done, failing=self._failing, running=running, **more)

        try:
            self._begin(begin, ahead)
            progress(Progress(nodes=len(self._calls), done=0, failing=0, running=0))
            while self._under_way:
                taken = self._go_on(progress, far)
                if taken and spread:
                    spread.taken(taken)
                self._begin(begin, ahead)
            complete = True
        except KeyboardInterrupt:
            with suppress(KeyboardInterrupt):  # whoever asks twice gets what is finished without the farewells
                pool.shutdown(wait=False, cancel_futures=True)
                # Before others are ended: what becomes of those is not what their nodes have said.
                self._hear_those_in_time()
                end_calls(self._under_way, _FAREWELL_S)
                if spread:
                    self._hear_those_in_time()
                    spread.wait_for_end(_CLOSING_S)
        finally:
            # After an interrupt nobody waits for nodes that may take a minute yet; the CLI ends the process.
            try:
                pool.shutdown(wait=complete, cancel_futures=True)
            except KeyboardInterrupt:  # an engine's farewell takes its time; what all nodes have said by then is kept
                complete = False
        self.notices = spread.notices if spread else ()
        return complete

    def _begin(self, begin: Callable[[NodeRequest], Asking], ahead: float) -> None:
        """Let as many be asked as there is room for, `ahead` at most being asked and not taken."""
        while len(self._under_way) < ahead and (call := next(self._left, None)):
            future = begin(replace(call, hide=self._hide))
            self._under_way[future] = call
            future.add_done_callback(self._finished.put)

    def _go_on(self, progress: Callable[[Progress], None], far: Callable[..., Progress]) -> Asking | None:
        """Judge what is whole; while nothing is, take what one node said, and give what held it, or wait for a moment.

        In this order: what is judged is let go, and nothing but what is taken makes room for more.
        """
        if self._handover.ready:
            self._handover.give_one()
            return None
        try:
            future = self._finished.get(timeout=_POLL_S)
        except queue.Empty:
            waiting = tuple(call.node.key for future, call in self._under_way.items() if future.running())
            progress(far(waiting=waiting))
            return None
        answers = settled(future, self._under_way[future], self._hide)
        self._hear(answers)
        # Nor does the future hold it any more, once it is forgotten.
        del self._under_way[future]
        self._done += 1
        self._failing += answers.failure is not None
        progress(far(finished=answers))
        return future

    def _hear(self, answers: NodeResponse) -> None:
        again = self._asks_again and is_own(answers.failure)
        self._handover.hear(answers, again=again)
        if again:
            self.missed[answers.cluster, answers.node] = answers

    def _hear_those_in_time(self) -> None:
        """What was finished when the interrupt came and had not been come to, or was on its way from elsewhere."""
        for future, call in self._under_way.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                self._hear(settled(future, call, self._hide))


def _query(call: NodeRequest, gate: Gate) -> Cleared:
    """Ask the node, and make what it said small, in the thread that asks: there may be many whose answers wait."""
    return cleared(query_node(call, gate=gate), call.hide)


def _again(
    calls: Sequence[NodeRequest], missed: Mapping[NodeKey, NodeResponse], handover: Handover, hide: Redactor
) -> tuple[tuple[str, ...], bool]:
    """Ask the nodes that this machine had no room for again, one by one. Gives what a reader must know of it.

    The first of them that there is no room for either ends it: it would be no better for the others.
    """
    cause = missed[calls[0].node.key]
    asked = 0
    complete = True
    try:
        for call in calls:
            answers = redacted(query_node(replace(call, hide=hide)), hide)
            if is_own(answers.failure):
                break
            handover.hear(answers, again=True)
            asked += 1
    except KeyboardInterrupt:
        complete = False
    except Exception as defect:
        if not own_trouble(defect):
            raise
    what = str(cause.failure).removeprefix(RAN_OUT).partition(":")[0]
    left = len(calls) - asked
    ending = "all of them answered for themselves" if not left else f"{left} could not be asked even so"
    notice = (
        f"this machine ran out of {what} while nodes were asked side by side; {len(calls)} of them were asked again, "
        f"one by one: {ending}. Next time {cause.hint}"
    )
    return (notice,), complete
