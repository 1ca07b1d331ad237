"""What a worker does: it asks a batch of nodes with threads of its own, and says who it is.

Whatever is sent here by name is found by name, so an installation of another version is noticed before it is trusted.
"""

from __future__ import annotations

import concurrent.futures
import gc
import math
import os
import platform
import signal
import sys
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path

import scanner
from scanner.clock import now_s, utc_now
from scanner.errors import cause_of
from scanner.run.engines.hands import Hands, make_room
from scanner.run.engines.parcel import Answered, Batch, Broken, Parcel, Rest
from scanner.run.engines.settled import Asking, end_calls, settled, submitted, unasked
from scanner.run.engines.shared import SharedRun, taking_part
from scanner.run.node import NodeRequest, query_node
from scanner.secrets import children
from scanner.secrets.hardening import keep_memory_private, leave_no_core
from scanner.secrets.redaction import Redactor
from scanner.transports.answers import NodeResponse
from scanner.transports.deadline import name_thread

_POLL_S = 0.1
_FAREWELL_S = 5.0
_LINGER_S = 2.0
"""How long what one node said waits for the others of its batch: a node that hangs holds up nobody but itself."""
_UNFETCHED_S = 30.0
"""How long those go on that nobody comes back for."""
_MOST_REMEMBERED = 1000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_NEW_BEFORE_A_LOOK = 20_000
"""As on the command line: what is looked through for rings is nearly all there to stay."""
_WANTED_STATES = ("executing", "long-running")


_left: dict[str, None] = {}
_unfetched: dict[tuple[str, str], _Conversations] = {}
"""Those of which a part has gone home, by run and batch."""
_unfetched_lock = threading.Lock()


def about() -> dict[str, object]:
    """Who this is; only what every version understands."""
    return {
        "preflight": scanner.__version__,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "distributed": metadata.version("distributed"),
        "machine": machine(),
        "now_s": now_s(),
        "epoch_s": now_s() - time.monotonic(),
        "wall_s": utc_now().timestamp(),
        "pid": os.getpid(),
    }


def machine() -> str:
    """Names the machine whose clock is read here: as long as it runs, where it says so."""
    with suppress(OSError):
        return _BOOT_ID.read_text(encoding="ascii").strip()
    return f"{platform.node()} {uuid.getnode():x}"


def ignore_interrupts() -> None:
    """Leave a terminal's Ctrl-C, which is sent to all processes, to the one that can end the work in order."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def leave(run: str) -> None:
    """End the run's conversations here, and start no more of them."""
    while len(_left) >= _MOST_REMEMBERED:
        del _left[next(iter(_left))]
    _left[run] = None


def ask_batch(parcel: Parcel) -> Parcel:
    """The task: ask what is in the parcel. It never raises; a failed task would be logged with what it was given."""
    from distributed import get_worker, secede

    worker = get_worker()
    key = worker.get_current_task()
    # How many nodes are asked at a time is bounded by us: a batch that waits for one slow node holds up no other.
    secede()

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        # Cancelled, or the client or the scheduler is gone: nobody would take the answers.
        return task is not None and task.state in _WANTED_STATES and worker.status.name in ("running", "paused")

    try:
        content = parcel.content()
    except Exception as error:  # noqa: BLE001  whatever does not fit: what it says of it may quote what is in there
        return Parcel.of(f"its preflight does not understand this one ({type(error).__name__}); install the same one")
    if not isinstance(content, Batch | Rest):
        return Parcel.of("its preflight does not understand this one; install the same one")
    try:
        if isinstance(content, Rest):
            return Parcel.of(fetched(content, wanted, _LINGER_S))
        return Parcel.of(asked(content, wanted, _LINGER_S))
    except Exception as defect:  # noqa: BLE001  told at home, where it belongs
        hide = content.calls[0].hide if isinstance(content, Batch) and content.calls else Redactor()
        hide.cleanse(defect)
        return Parcel.of(Broken(hide.message(f"unexpected {cause_of(defect)}")))


def asked(batch: Batch, wanted: Callable[[], bool] = lambda: True, linger_s: float = math.inf) -> Answered:
    """Ask all calls of a batch, as long as that is `wanted`.

    What a node said waits so long for the others; then it goes home, and they are `fetched`.
    """
    children.withhold(batch.withheld)
    leave_no_core()
    keep_memory_private()
    gc.set_threshold(max(_NEW_BEFORE_A_LOOK, gc.get_threshold()[0]))
    return _Conversations(batch, wanted).said(wanted, linger_s)


def fetched(rest: Rest, wanted: Callable[[], bool] = lambda: True, linger_s: float = math.inf) -> Answered:
    """What came of those that were left of a batch; of none, where they were given up meanwhile."""
    with _unfetched_lock:
        there = _unfetched.pop((rest.run, rest.batch), None)
    if there is None:
        return Answered(said=(None,) * rest.nodes)
    there.unfetched.set()
    return there.said(wanted, linger_s)


class _Conversations:
    """Those of a batch. They go on while what some of them came to is on its way home."""

    def __init__(self, batch: Batch, wanted: Callable[[], bool]) -> None:
        self.key = (batch.run, batch.name)
        self.unfetched = threading.Event()
        """Set once somebody has come back for them."""
        self._ending = ExitStack()
        run = self._ending.enter_context(taking_part(batch))
        self._said: dict[int, NodeResponse] = {}
        self._calls: list[NodeRequest] = []
        self._under_way: dict[Asking, int] = {}
        try:
            self._begin(batch, run, lambda: self._is_on(wanted))
        except BaseException:
            self._end()
            raise
        self._places: Sequence[int] = range(len(batch.calls))
        """Those that have not gone home."""

    def said(self, wanted: Callable[[], bool], linger_s: float) -> Answered:
        """What has been said and has not gone home; without `linger_s` of all of them."""
        try:
            lingered = self._wait(wanted, linger_s)
            places = self._places
            pending = {self._under_way[future] for future in self._pending} if lingered else set()
            answered = Answered(
                said=tuple(self._said.pop(at, None) for at in places),
                left=frozenset(place for place, at in enumerate(places) if at in pending),
            )
        except BaseException:
            self._end()
            raise
        if not pending:
            self._end()
            return answered
        self._places = [at for at in places if at in pending]
        self.unfetched = threading.Event()
        with _unfetched_lock:
            _unfetched[self.key] = self
        threading.Thread(target=self._watch, args=(self.unfetched,), name="unfetched", daemon=True).start()
        return answered

    def _begin(self, batch: Batch, run: SharedRun, wanted: Callable[[], bool]) -> None:
        for call, (node, cause) in zip(batch.calls, run.equipped(batch, wanted), strict=False):
            if cause:
                hint = f"this is about the worker's machine, {platform.node()}"
                self._said[len(self._calls)] = unasked(call, cause, hint)
            self._calls.append(replace(call, node=node))
        self._hide = run.hide(batch, self._calls)
        width = max(1, len(self._calls))
        make_room(width)
        self._mark = object()
        work = partial(query_node, gate=run.gate)
        pool = Hands(width, initializer=name_thread, initargs=(self._mark,))
        self._ending.callback(self._end_calls)
        self._ending.callback(pool.shutdown, wait=False, cancel_futures=True)
        for at, call in enumerate(self._calls):
            if at not in self._said:
                self._under_way[submitted(pool, work, replace(call, hide=self._hide))] = at
        self._pending = set(self._under_way)

    def _wait(self, wanted: Callable[[], bool], linger_s: float) -> bool:
        """Wait until all have ended, or nobody wants them to; or, which it tells, until one has waited so long."""
        since = time.monotonic() if self._said else None
        while self._pending and self._is_on(wanted):
            if since is not None and time.monotonic() - since >= linger_s:
                return True
            finished, self._pending = concurrent.futures.wait(
                self._pending, _POLL_S, concurrent.futures.FIRST_COMPLETED
            )
            for future in finished:
                at = self._under_way.pop(future)
                self._said[at] = settled(future, self._calls[at], self._hide)
            if finished:
                since = since or time.monotonic()
        return False

    def _is_on(self, wanted: Callable[[], bool]) -> bool:
        return self.key[0] not in _left and wanted()

    def _watch(self, fetched: threading.Event) -> None:
        """End them where nobody comes back for them: whoever gave them may be gone."""
        ends = time.monotonic() + _UNFETCHED_S
        while not fetched.wait(_POLL_S):
            if self.key[0] not in _left and time.monotonic() < ends:
                continue
            with _unfetched_lock:
                if _unfetched.get(self.key) is not self or fetched.is_set():
                    return
                del _unfetched[self.key]
            self._end()
            return

    def _end_calls(self) -> None:
        end_calls(self._under_way, _FAREWELL_S, self._mark)

    def _end(self) -> None:
        self._ending.close()
