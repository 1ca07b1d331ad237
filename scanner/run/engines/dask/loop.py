"""The dask engine's thread: batches to workers, answers home, and what is lost on the way asked again.

Where a batch goes is decided here and not by the scheduler: a node is asked once, once more if its worker is lost, and
never a third time, on a worker of its site that runs the same preflight. So a batch is pinned to its worker, and the
workers are looked at while it is there.
"""

from __future__ import annotations

import concurrent.futures
import os
import queue
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import field, replace
from typing import Any

import scanner
from checks.common.dataclass import dataclass
from scanner.errors import UsageError, cause_of
from scanner.inventory.credentials import unread
from scanner.inventory.redactor import redactor
from scanner.run.engines.dask.link import EngineError, Link
from scanner.run.engines.dask.workers import FULL, Worker, WorkerKey, Workers, by_our_clock, untold
from scanner.run.engines.engine import EngineChoice
from scanner.run.engines.parcel import Answered, Batch, Parcel, Rest, asking_alone
from scanner.run.engines.settled import Asking, cleared, unasked
from scanner.run.node import NodeRequest
from scanner.secrets import children
from scanner.secrets.redaction import redactor_of
from scanner.secrets.source import SecretSource
from scanner.transports.answers import NodeResponse
from scanner.transports.own_trouble import is_own

TRIES = 2
"""How often a node is asked at most."""
_MOST_IN_BATCH = 32
_RECONNECTS = 3
_NODES_PER_PROCESS = 8
_MOST_TURNS = 8
"""Of so many that were lost, a worker asks one at a time; of more, as many more at a time."""
_UNSEEN_LOOKS = 2
"""For so many a worker may have been full before that is seen."""
_HINT = "look at the worker's log and at its memory; what ends a worker may be what one node answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long what is waited for, in seconds."""

    look: float = 0.5
    """Between two looks at the workers."""
    worker: float = 30.0
    """For a worker of a site."""
    silence: float = 30.0
    """For a sign of life of a worker."""
    scheduler: float = 30.0
    """For a scheduler that was lost."""
    farewell: float = 5.0
    """For the shells to be closed when a scan is interrupted."""


PATIENCE = Patience()


@dataclass(slots=True, eq=False)
class Item:
    """One node."""

    call: NodeRequest
    future: Asking
    losses: list[str] = field(default_factory=list)
    """What became of the workers that should have asked it."""
    avoid: set[WorkerKey] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class _Sent:
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


class Loop:
    """The engine's thread, and what it goes by."""

    def __init__(
        self, choice: EngineChoice, *, parallel: int, width: int, timeout_s: float, patience: Patience
    ) -> None:
        self.open: dict[Item, None] = {}
        """Those that nobody has an answer for; of the others, whoever asked holds what they said, and nobody else."""
        self.untaken: set[Asking] = set()
        """Those that have come home, and that whoever asked has not come to yet."""
        self.waiting: deque[Item] = deque()
        self.sent: dict[str, _Sent] = {}
        self.asked_again: list[Item] = []
        self.strangers: dict[WorkerKey, str] = {}
        """Workers that could have asked as well, and why they were given nothing."""
        self.events: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.closing = self.leaving = self.is_open = False
        self.own = not choice.scheduler
        """Whether the processes that ask are of this machine, and end with the run."""
        self._ending = threading.Lock()
        self._broken: tuple[str, str] | None = None
        self._choice = choice
        self._processes = max(1, min(os.cpu_count() or 1, -(-width // _NODES_PER_PROCESS)))
        # Processes of one machine share what that machine is to do at a time.
        self._parallel = parallel if choice.scheduler else max(1, -(-parallel // self._processes))
        self._width = width
        self._timeout_s = timeout_s
        self._patience = patience
        self._run = uuid.uuid4().hex
        self._numbers = 0
        self._lonely_since: dict[str, float] = {}
        self._logins: dict[str, set[tuple[str, str]]] = {}
        """What the nodes of each site are reached with."""
        self._unread: dict[str, set[tuple[SecretSource, str]]] = {}
        """The same where it is found at the site."""
        self._link: Link
        self._workers: Workers
        self._looked = 0.0
        self._unsaid_since: float | None = None
        self._reconnects = 0

    def take_in(self, item: Item) -> None:
        """One more that is to be asked."""
        with self._ending:
            self.open[item] = None
            self._logins.setdefault(item.call.site, set()).update(redactor([item.call.node]).logins)
            self._unread.setdefault(item.call.site, set()).update(unread(item.call.node))
            self.waiting.append(item)
            if self._broken:
                self._fail([item], *self._broken)

    def let_go(self, future: Asking) -> None:
        """What this one holds has been taken."""
        if future in self.untaken:
            self.untaken.discard(future)
            if len(self.untaken) == self._width - 1:
                self.events.put("")

    def run(self) -> None:
        """Everything, until all are asked and nothing more is to come; what goes wrong is told of the nodes."""
        try:
            self._connect()
            while self._is_on():
                self._look()
                self._place()
                self._take(self._patience.look)
            if self.leaving:
                self._leave()
        except EngineError as error:
            self._break(str(error), error.hint)
        except UsageError as error:
            self._break(str(error), "")
        except BaseException as defect:  # noqa: BLE001  nobody may wait for ever; it is told of each node that has no answer
            cause = f"the engine failed: unexpected {cause_of(defect)}"
            self._break(cause, "this is a defect of preflight; please report it")
        finally:
            self._close()

    def _break(self, cause: str, hint: str) -> None:
        """Nobody is asked any more: all that is left ends with the cause, and so does what is yet to come."""
        with self._ending:
            self._broken = (cause, hint)
            self._fail(self._all(), cause, hint)

    def _is_on(self) -> bool:
        if self.leaving:
            return False
        return bool(self.waiting or self.sent or not self.closing)

    def _connect(self) -> None:
        self._link = Link(self._choice, processes=self._processes)
        self._workers = Workers(
            link=self._link,
            patience_s=self._patience.silence,
            wait_s=self._patience.look,
            own=self.own,
        )
        self.is_open, self._unsaid_since = True, None

    def _close(self) -> None:
        if self.is_open:
            self._link.close()
            self.is_open = False

    def _look(self) -> None:
        workers, link = self._workers, self._link
        now = time.monotonic()
        if now - self._looked < self._patience.look:
            return
        self._make_up_for(now - self._looked if self._looked else 0.0)
        try:
            if not link.connected:
                raise OSError("the connection was lost")  # noqa: TRY301  told below like every other way to lose it
            lost = workers.look()
        except Exception as error:  # noqa: BLE001  whichever way the scheduler cannot be asked
            self._unsaid_since = self._unsaid_since or now
            if not link.connected or now - self._unsaid_since > self._patience.silence:
                self._reconnect(error)
            return
        finally:
            self._looked = time.monotonic()
        self._unsaid_since = None
        for worker, what in lost:
            self._lose([key for key, sent in self.sent.items() if sent.worker is worker], f"{_name(worker)} {what}")
        late = [key for key, sent in self.sent.items() if sent.ends < now]
        for key in late:
            worker = self.sent[key].worker
            worker.unfit = "has not come to an end in time"
            self._lose([key], f"{_name(worker)} {worker.unfit}")
        for key in [key for key, sent in self.sent.items() if self._cannot_begin(sent, now)]:
            self._lose([key], f"{_name(self.sent[key].worker)} {FULL}")

    def _make_up_for(self, unlooked_s: float) -> None:
        """Whoever was stopped meanwhile (Ctrl-Z, a machine that slept) blames nobody for that time: what came then is
        taken first.
        """
        if unlooked_s > self._patience.silence:
            for sent in self.sent.values():
                sent.ends += unlooked_s

    def _cannot_begin(self, sent: _Sent, now: float) -> bool:
        """Whether it came to a worker whose memory was full, or about to be, and was so for longer than one waits."""
        since = sent.worker.full_since
        if since is None or now - since <= self._patience.silence:
            return False
        return sent.since > since - _UNSEEN_LOOKS * self._patience.look

    def _reconnect(self, error: BaseException) -> None:
        what = f"the connection to {self._choice.scheduler or 'the scheduler'} was lost"
        self._close()
        self._lose(list(self.sent), what)
        ends = time.monotonic() + self._patience.scheduler
        self._reconnects += 1
        while self._reconnects <= _RECONNECTS and not self.leaving:
            try:
                self._connect()
            except EngineError:
                if time.monotonic() > ends:
                    break
                time.sleep(self._patience.look)
            else:
                return
        raise EngineError(
            f"{what}, and it was not back within {self._patience.scheduler:g} s: {cause_of(error)}",
            "look at the scheduler and at the network to it, and scan again",
        )

    def _place(self) -> None:
        # Whoever is behind with what has been said would only have more of it in memory: it waits where it is not said.
        if len(self.untaken) >= self._width:
            return
        sites: dict[str, list[Item]] = {}
        while self.waiting:
            item = self.waiting.popleft()
            if item.future.running() or item.future.set_running_or_notify_cancel():
                sites.setdefault(item.call.site, []).append(item)
        for site, items in sites.items():
            left = self._place_at(site, items)
            self.waiting.extend(left)

    def _place_at(self, site: str, items: list[Item]) -> list[Item]:
        workers = self._workers
        fit = list(workers.of(site))
        now = time.monotonic()
        if not fit:
            since = self._lonely_since.setdefault(site, now)
            nowhere = bool(site) and self.own
            if now - since <= self._patience.worker and not nowhere:
                return items
            cause = f"no worker for site {site}" if site else f"no worker at {self._choice.scheduler or 'this machine'}"
            others = list(workers.at(site))
            why = "processes of this machine are at no site" if nowhere else untold(others)
            for item in items:
                told = f"{cause}: {item.losses[-1]}" if item.losses else f"{cause}{why and ': '}{why}"
                self._fail([item], told, self._way_to_a_worker(site, others))
            return []
        self._lonely_since.pop(site, None)
        self.strangers |= {each.key: each.unfit for each in workers.at(site) if each.is_stranger}
        size = max(1, min(_MOST_IN_BATCH, -(-len(items) // len(fit))))
        fresh, lost = deque(each for each in items if not each.losses), [each for each in items if each.losses]
        while fresh:
            worker = min(fit, key=lambda each: each.nodes)
            room = self._width - worker.nodes
            if room <= 0:
                break
            self._send(worker, [fresh.popleft() for _ in range(min(size, room, len(fresh)))])
        there = Counter(sent.worker.key for sent in self.sent.values() for each in sent.items if each.losses)
        return [*fresh, *(item for item in lost if not self._placed_again(item, fit, there))]

    def _way_to_a_worker(self, site: str, there: Sequence[Worker]) -> str:
        """What to do where no worker of the site can be given anything."""
        if self.own and site:
            return "name a scheduler that the site's workers are at (run.scheduler), or ask from here: --engine threads"
        if any(each.is_stranger for each in there):
            return (
                f"install preflight-scanner[dask] {scanner.__version__} beside it, with the same distributed and Python"
            )
        start = f"dask worker {self._choice.scheduler}".rstrip() + (f" --resources {site}=1" if site else "")
        return f"start one that reaches these nodes: {start}"

    def _placed_again(self, item: Item, fit: Sequence[Worker], there: Counter[WorkerKey]) -> bool:
        """What was lost may be lost by what one of the nodes did: few, or no other one, are lost with it for the second
        time. A worker that asked hundreds would be made up for by one node after the other until long after the window.

        `there`: how many that were lost each worker has, which goes up by one.
        """
        others = [each for each in fit if each.key not in item.avoid] or fit
        at_once = -(-len(self.asked_again) // _MOST_TURNS)
        free = [each for each in others if there[each.key] < at_once and each.nodes < self._width]
        if not free:
            return False
        chosen = min(free, key=lambda each: each.nodes)
        self._send(chosen, [item])
        there[chosen.key] += 1
        return True

    def _send(self, worker: Worker, items: list[Item]) -> None:
        link = self._link
        # Home takes out what the whole run is reached with; no site gets what another one is.
        with self._ending:
            hide = redactor_of(frozenset(self._logins.get(items[0].call.site, ())))
            sources = frozenset(self._unread.get(items[0].call.site, ()))
        key = self._new_key()
        batch = Batch(
            run=self._run,
            name=key,
            calls=asking_alone(replace(item.call, hide=hide) for item in items),
            parallel=self._parallel,
            withheld=frozenset(children.withheld_names()),
            unread=sources,
            folder="" if self._choice.elsewhere else self._choice.folder,
        )
        try:
            future = link.submit(Parcel.of(batch), key=key, address=worker.address)
        except Exception as error:  # noqa: BLE001  what cannot be packed or sent is these nodes' result
            self._fail(items, f"cannot be sent to a worker: {cause_of(error)}", "this is a defect of preflight")
            return
        worker.nodes += len(items)
        ends = self._end_of(worker, items)
        self._await(key, _Sent(worker=worker, items=items, future=future, ends=ends, batch=key))

    def _ask_on(self, sent: _Sent, items: list[Item]) -> None:
        """Have the worker go on with those that are left of a batch; its room is theirs alone by now."""
        key = self._new_key()
        rest = Rest(run=self._run, batch=sent.batch, nodes=len(items))
        try:
            future = self._link.submit(Parcel.of(rest), key=key, address=sent.worker.address)
        except Exception as error:  # noqa: BLE001  whatever keeps it from being sent
            sent.worker.nodes -= len(items)
            self._again(items, sent.worker, f"{_name(sent.worker)} cannot be asked for the rest: {cause_of(error)}")
            return
        self._await(key, replace(sent, items=items, future=future, since=time.monotonic(), fetching=False))

    def _new_key(self) -> str:
        self._numbers += 1
        return f"preflight-{self._run}-{self._numbers}"

    def _await(self, key: str, sent: _Sent) -> None:
        self.sent[key] = sent
        sent.future.add_done_callback(lambda _: self.events.put(key))

    def _end_of(self, worker: Worker, items: Sequence[Item]) -> float:
        """When everybody at that worker has had their whole time, one group after the other, and twice that."""
        rounds = -(-worker.nodes // self._parallel) + 1
        settings = [each for item in items for each in (item.call.node.ssh, item.call.node.winrm, item.call.node.tds)]
        dialling = max((each.connect_timeout_s for each in settings if each), default=0.0)
        return time.monotonic() + self._patience.silence + 2 * rounds * (self._timeout_s + dialling)

    def _take(self, wait_s: float) -> None:
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
            if not self._link.connected:
                return  # all of them are lost, and that is seen at the next look
            why = f"in {self._patience.silence:g} s" if isinstance(error, TimeoutError) else cause_of(error)
            self._lose([key], f"{_name(sent.worker)} did not answer: {why}")
            return
        sent.fetched = None
        if not isinstance(answered, Answered) or len(answered.said) != len(sent.items):
            why = answered if isinstance(answered, str) else "gave an answer that is none"
            sent.worker.unfit = why
            self._lose([key], f"{_name(sent.worker)} cannot ask: {why}")
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
                unfinished.append((item, f"{_name(sent.worker)} was told to end"))
            elif is_own(said.failure) and len(item.losses) + 1 < TRIES and not self.leaving:
                unfinished.append((item, f"{_name(sent.worker)}: {said.failure}"))
            else:
                self._hand_over(item, said, sent.worker)
        for item, reason in unfinished:
            if self.leaving:
                _not_got_to(item)
            else:
                self._again([item], sent.worker, reason)
        if left:
            self._ask_on(sent, left)

    def _fetch(self, key: str, sent: _Sent) -> None:
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

    def _lose(self, keys: Iterable[str], reason: str) -> None:
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
                self._fail([item], f"asked twice, and twice without an answer: {told}", _HINT)

    def _fail(self, items: Iterable[Item], cause: str, hint: str) -> None:
        for item in items:
            if item.future.running() or item.future.set_running_or_notify_cancel():
                item.future.set_result(unasked(item.call, item.call.hide.message(cause), hint))

    def _all(self) -> list[Item]:
        """Those that nobody has an answer for, wherever they are."""
        self.waiting.clear()
        self.sent.clear()
        return [item for item in self.open if not item.future.done()]

    def _leave(self) -> None:
        """Interrupted: what is finished comes home, the rest is ended there."""
        link = self._link
        while self.waiting:
            _not_got_to(self.waiting.popleft())
        busy = {sent.worker.address for sent in self.sent.values()}
        # One that hangs does not hear it, and keeps nobody from taking what the others still have.
        threading.Thread(target=_told_to_leave, args=(link, self._run, busy), name="dask-leave", daemon=True).start()
        ends = time.monotonic() + self._patience.farewell
        while self.sent and time.monotonic() < ends:
            self._take(0.1)
        for sent in self.sent.values():
            with suppress(Exception):
                sent.future.cancel(force=True)
            for item in sent.items:
                _not_got_to(item)
        self.sent.clear()


def _told_to_leave(link: Link, run: str, addresses: Collection[str]) -> None:
    with suppress(Exception):
        link.leave(run, addresses)


def _not_got_to(item: Item) -> None:
    if not item.future.cancel() and not item.future.done():
        item.future.set_exception(concurrent.futures.CancelledError())


def _name(worker: Worker) -> str:
    return f"worker {worker.address}"
