"""The dask engine's thread: which worker is given what, for as long as there is something to ask.

Where a batch goes is decided here and not by the scheduler: to a worker of its site that runs the same preflight. So a
batch is pinned to its worker, and the workers are looked at while it is there.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace

import scanner
from scanner.errors import UsageError, cause_of
from scanner.inventory.credentials import unread
from scanner.inventory.redactor import redactor
from scanner.run.engines.dask.link import EngineError, Link
from scanner.run.engines.dask.patience import Patience
from scanner.run.engines.dask.under_way import Item, Sent, UnderWay, not_got_to
from scanner.run.engines.dask.workers import FULL, Worker, WorkerKey, Workers, untold
from scanner.run.engines.engine import EngineChoice
from scanner.run.engines.parcel import Batch, Parcel, asking_alone
from scanner.run.engines.settled import Asking
from scanner.secrets import children
from scanner.secrets.redaction import redactor_of
from scanner.secrets.source import SecretSource

_MOST_IN_BATCH = 32
_RECONNECTS = 3
_NODES_PER_PROCESS = 8
_MOST_TURNS = 8
"""Of so many that were lost, a worker asks one at a time; of more, as many more at a time."""
_UNSEEN_LOOKS = 2
"""For so many a worker may have been full before that is seen."""


class Loop:
    """The engine's thread, and what it goes by."""

    def __init__(
        self, choice: EngineChoice, *, parallel: int, width: int, timeout_s: float, patience: Patience
    ) -> None:
        self._run = uuid.uuid4().hex
        self.under_way = UnderWay(self._run, patience)
        self.strangers: dict[WorkerKey, str] = {}
        """Workers that could have asked as well, and why they were given nothing."""
        self.closing = self.is_open = False
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
            self.under_way.open[item] = None
            self._logins.setdefault(item.call.site, set()).update(redactor([item.call.node]).logins)
            self._unread.setdefault(item.call.site, set()).update(unread(item.call.node))
            self.under_way.waiting.append(item)
            if self._broken:
                self.under_way.fail([item], *self._broken)

    def end(self, *, early: bool) -> None:
        """Nothing more is to come; `early`: and what has not been asked need not be."""
        self.under_way.leaving = self.under_way.leaving or (early and not self.closing)
        self.closing = True
        self.under_way.events.put("")

    def let_go(self, future: Asking) -> None:
        """What this one holds has been taken."""
        if future in self.under_way.untaken:
            self.under_way.untaken.discard(future)
            if len(self.under_way.untaken) == self._width - 1:
                self.under_way.events.put("")

    def run(self) -> None:
        """Everything, until all are asked and nothing more is to come; what goes wrong is told of the nodes."""
        try:
            self._connect()
            while self._is_on():
                self._look()
                self._place()
                self.under_way.take(self._patience.look)
            if self.under_way.leaving:
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
            self.under_way.fail_all(cause, hint)

    def _is_on(self) -> bool:
        if self.under_way.leaving:
            return False
        return bool(self.under_way.waiting or self.under_way.sent or not self.closing)

    def _connect(self) -> None:
        self._link = Link(self._choice, processes=self._processes)
        self._workers = Workers(
            link=self._link,
            patience_s=self._patience.silence,
            wait_s=self._patience.look,
            own=self.own,
        )
        self.under_way.link = self._link
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
            self.under_way.lose(
                [key for key, sent in self.under_way.sent.items() if sent.worker is worker], f"{worker.name} {what}"
            )
        late = [key for key, sent in self.under_way.sent.items() if sent.ends < now]
        for key in late:
            worker = self.under_way.sent[key].worker
            worker.unfit = "has not come to an end in time"
            self.under_way.lose([key], f"{worker.name} {worker.unfit}")
        for key in [key for key, sent in self.under_way.sent.items() if self._cannot_begin(sent, now)]:
            self.under_way.lose([key], f"{self.under_way.sent[key].worker.name} {FULL}")

    def _make_up_for(self, unlooked_s: float) -> None:
        """Whoever was stopped meanwhile (Ctrl-Z, a machine that slept) blames nobody for that time: what came then is
        taken first.
        """
        if unlooked_s > self._patience.silence:
            for sent in self.under_way.sent.values():
                sent.ends += unlooked_s

    def _cannot_begin(self, sent: Sent, now: float) -> bool:
        """Whether it came to a worker whose memory was full, or about to be, and was so for longer than one waits."""
        since = sent.worker.full_since
        if since is None or now - since <= self._patience.silence:
            return False
        return sent.since > since - _UNSEEN_LOOKS * self._patience.look

    def _reconnect(self, error: BaseException) -> None:
        what = f"the connection to {self._choice.scheduler or 'the scheduler'} was lost"
        self._close()
        self.under_way.lose(list(self.under_way.sent), what)
        ends = time.monotonic() + self._patience.scheduler
        self._reconnects += 1
        while self._reconnects <= _RECONNECTS and not self.under_way.leaving:
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
        if len(self.under_way.untaken) >= self._width:
            return
        sites: dict[str, list[Item]] = {}
        while self.under_way.waiting:
            item = self.under_way.waiting.popleft()
            if item.future.running() or item.future.set_running_or_notify_cancel():
                sites.setdefault(item.call.site, []).append(item)
        for site, items in sites.items():
            left = self._place_at(site, items)
            self.under_way.waiting.extend(left)

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
                self.under_way.fail([item], told, self._way_to_a_worker(site, others))
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
        there = Counter(sent.worker.key for sent in self.under_way.sent.values() for each in sent.items if each.losses)
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
        at_once = -(-len(self.under_way.asked_again) // _MOST_TURNS)
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
        key = self.under_way.new_key()
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
            self.under_way.fail(
                items, f"cannot be sent to a worker: {cause_of(error)}", "this is a defect of preflight"
            )
            return
        worker.nodes += len(items)
        ends = self._end_of(worker, items)
        self.under_way.expect(key, Sent(worker=worker, items=items, future=future, ends=ends, batch=key))

    def _end_of(self, worker: Worker, items: Sequence[Item]) -> float:
        """When everybody at that worker has had their whole time, one group after the other, and twice that."""
        rounds = -(-worker.nodes // self._parallel) + 1
        settings = [each for item in items for each in (item.call.node.ssh, item.call.node.winrm, item.call.node.tds)]
        dialling = max((each.connect_timeout_s for each in settings if each), default=0.0)
        return time.monotonic() + self._patience.silence + 2 * rounds * (self._timeout_s + dialling)

    def _leave(self) -> None:
        """Interrupted: what is finished comes home, the rest is ended there."""
        link = self._link
        while self.under_way.waiting:
            not_got_to(self.under_way.waiting.popleft())
        busy = {sent.worker.address for sent in self.under_way.sent.values()}
        # One that hangs does not hear it, and keeps nobody from taking what the others still have.
        threading.Thread(target=_told_to_leave, args=(link, self._run, busy), name="dask-leave", daemon=True).start()
        ends = time.monotonic() + self._patience.farewell
        while self.under_way.sent and time.monotonic() < ends:
            self.under_way.take(0.1)
        for sent in self.under_way.sent.values():
            with suppress(Exception):
                sent.future.cancel(force=True)
            for item in sent.items:
                not_got_to(item)
        self.under_way.sent.clear()


def _told_to_leave(link: Link, run: str, addresses: Collection[str]) -> None:
    with suppress(Exception):
        link.leave(run, addresses)
