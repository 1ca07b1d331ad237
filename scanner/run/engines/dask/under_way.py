"""What workers were given, until it is home: answers are fetched, and what is lost on the way waits to be asked again.

A node is asked once, once more if its worker is lost, and never a third time.
"""

from __future__ import annotations

import concurrent.futures
import queue
import threading
import time
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import field, replace
from typing import Any

from checks.common.dataclass import dataclass
from scanner.errors import cause_of
from scanner.run.engines.dask.link import Link
from scanner.run.engines.dask.patience import Patience
from scanner.run.engines.dask.workers import Worker, WorkerKey, by_our_clock
from scanner.run.engines.parcel import Answered, Broken, Parcel, Rest
from scanner.run.engines.settled import Asking, cleared, unasked
from scanner.run.node import NodeRequest
from scanner.transports.answers import NodeResponse
from scanner.transports.own_trouble import is_own

TRIES = 2
"""How often a node is asked at most."""
_MOST_BROKEN = 4
"""After so many batches that a worker could not ask, it is the worker."""
_HINT = "look at the worker's log and at its memory; what ends a worker may be what one node answers"


@dataclass(slots=True, eq=False)
class Item:
    """One node."""

    call: NodeRequest
    future: Asking
    losses: list[str] = field(default_factory=list)
    """What became of the workers that should have asked it."""
    avoid: set[WorkerKey] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class Sent:
    """A batch at its worker."""

    worker: Worker
    items: list[Item]
    future: Any
    ends: float
    """When it must have come to an end, by our monotonic clock."""
    batch: str
    """What it is called there."""
    since: float = field(default_factory=time.monotonic)
    """When it was sent."""
    fetching: bool = False
    fetched: Any = None
    """The parcel that came back, or why none did; None as long as it is on its way."""


class UnderWay:
    """The nodes of a run that have no answer yet, wherever they are."""

    link: Link
    """The connection that goes on: another one after each that was lost."""

    def __init__(self, run: str, patience: Patience) -> None:
        self.run = run
        self.open: dict[Item, None] = {}
        """Those that nobody has an answer for; of the others, whoever asked holds what they said, and nobody else."""
        self.untaken: set[Asking] = set()
        """Those that have come home, and that whoever asked has not come to yet."""
        self.waiting: deque[Item] = deque()
        """Those that are to be given to a worker."""
        self.sent: dict[str, Sent] = {}
        self.asked_again: list[Item] = []
        self.events: queue.SimpleQueue[str] = queue.SimpleQueue()
        """Keys of what has come to an end, or "" to be looked at."""
        self.leaving = False
        """Whether nothing is to be asked again."""
        self._patience = patience
        self._numbers = 0

    def new_key(self) -> str:
        """Names one more task of the run."""
        self._numbers += 1
        return f"preflight-{self.run}-{self._numbers}"

    def expect(self, key: str, sent: Sent) -> None:
        """That it has come to an end is told as an event."""
        self.sent[key] = sent
        sent.future.add_done_callback(lambda _: self.events.put(key))

    def take(self, wait_s: float) -> None:
        """Take in what has come to an end, after waiting so long for the first."""
        keys = []
        with suppress(queue.Empty):
            keys.append(self.events.get(timeout=wait_s))
            while True:
                keys.append(self.events.get_nowait())
        for key in keys:
            if key in self.sent:
                self._home(key)

    def _home(self, key: str) -> None:
        sent = self.sent[key]
        if not sent.fetching:
            sent.fetching = True
            threading.Thread(target=self._fetch, args=(key, sent), name="dask-answer", daemon=True).start()
            return
        answered: Any = None
        try:
            if isinstance(sent.fetched, BaseException):
                raise sent.fetched  # noqa: TRY301  told as what a parcel is refused for is
            answered = sent.fetched.content()
        except (Exception, concurrent.futures.CancelledError) as error:  # noqa: BLE001  the engine's fault, whatever it is
            if not self.link.connected:
                return  # all of them are lost, and that is seen at the next look
            why = f"in {self._patience.silence:g} s" if isinstance(error, TimeoutError) else cause_of(error)
            self.lose([key], f"{sent.worker.name} did not answer: {why}")
            return
        sent.fetched = None
        if isinstance(answered, Broken):
            # What one of its nodes does would cost all others every worker that it is given to.
            sent.worker.broken += 1
            if sent.worker.broken >= _MOST_BROKEN:
                sent.worker.unfit = f"could not ask {sent.worker.broken} batches: {answered.cause}"
            self.lose([key], f"{sent.worker.name} could not ask: {answered.cause}")
            return
        if not isinstance(answered, Answered) or len(answered.said) != len(sent.items):
            why = answered if isinstance(answered, str) else "gave an answer that is none"
            sent.worker.unfit = why
            self.lose([key], f"{sent.worker.name} cannot ask: {why}")
            return
        del self.sent[key]
        sent.future.release()
        places = frozenset() if self.leaving else answered.left
        left = [item for place, item in enumerate(sent.items) if place in places]
        sent.worker.nodes -= len(sent.items) - len(left)
        unfinished = []
        for place, (item, said) in enumerate(zip(sent.items, answered.said, strict=True)):
            if place in places:
                continue
            if said is None:
                unfinished.append((item, f"{sent.worker.name} was told to end"))
            elif is_own(said.failure) and len(item.losses) + 1 < TRIES and not self.leaving:
                unfinished.append((item, f"{sent.worker.name}: {said.failure}"))
            else:
                self._hand_over(item, said, sent.worker)
        for item, reason in unfinished:
            if self.leaving:
                not_got_to(item)
            else:
                self._again([item], sent.worker, reason)
        if left:
            self._ask_on(sent, left)

    def _fetch(self, key: str, sent: Sent) -> None:
        """Have the parcel come here, in a thread of its own: where its worker is gone, nobody else waits for it."""
        try:
            sent.fetched = sent.future.result(timeout=self._patience.silence)
        except BaseException as error:  # noqa: BLE001  told by the loop
            sent.fetched = error
        self.events.put(key)

    def _hand_over(self, item: Item, said: NodeResponse, worker: Worker) -> None:
        self.open.pop(item, None)
        self.untaken.add(item.future)
        try:
            mine = cleared(by_our_clock(said, worker.clock), item.call.hide)
        except Exception as defect:  # noqa: BLE001  a defect of ours: it is told of this node, and the others stand
            item.future.set_exception(defect)
        else:
            item.future.set_result(mine)

    def _ask_on(self, sent: Sent, items: list[Item]) -> None:
        """Have the worker go on with those that are left of a batch; its room is theirs alone by now."""
        key = self.new_key()
        rest = Rest(run=self.run, batch=sent.batch, nodes=len(items))
        try:
            future = self.link.submit(Parcel.of(rest), key=key, address=sent.worker.address)
        except Exception as error:  # noqa: BLE001  whatever keeps it from being sent
            sent.worker.nodes -= len(items)
            self._again(items, sent.worker, f"{sent.worker.name} cannot be asked for the rest: {cause_of(error)}")
            return
        self.expect(key, replace(sent, items=items, future=future, since=time.monotonic(), fetching=False))

    def lose(self, keys: Iterable[str], reason: str) -> None:
        """Nobody answers for these any more: their nodes are asked once more, or fail."""
        for key in list(keys):
            sent = self.sent.pop(key)
            sent.worker.nodes -= len(sent.items)
            with suppress(Exception):
                sent.future.cancel(force=True)
            self._again(sent.items, sent.worker, reason)

    def _again(self, items: Iterable[Item], worker: Worker, reason: str) -> None:
        for item in items:
            item.losses.append(reason)
            item.avoid.add(worker.key)
            if len(item.losses) < TRIES:
                self.asked_again.append(item)
                self.waiting.append(item)
            else:
                told = "; then ".join(item.losses)
                self.fail([item], f"asked twice, and twice without an answer: {told}", _HINT)

    def fail(self, items: Iterable[Item], cause: str, hint: str) -> None:
        """End these nodes with that cause."""
        for item in items:
            if item.future.running() or item.future.set_running_or_notify_cancel():
                item.future.set_result(unasked(item.call, item.call.hide.message(cause), hint))

    def fail_all(self, cause: str, hint: str) -> None:
        """End those that nobody has an answer for, wherever they are."""
        self.waiting.clear()
        self.sent.clear()
        self.fail([item for item in self.open if not item.future.done()], cause, hint)


def not_got_to(item: Item) -> None:
    """End it as one that was not asked, for the run was interrupted."""
    if not item.future.cancel() and not item.future.done():
        item.future.set_exception(concurrent.futures.CancelledError())
