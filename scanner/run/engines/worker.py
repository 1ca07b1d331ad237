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
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path

import scanner
from scanner.clock import now_s, utc_now
from scanner.errors import cause_of
from scanner.inventory.credentials import equip, known_here
from scanner.inventory.model import SecretSource
from scanner.inventory.redactor import redactor
from scanner.run.engines.hands import Gate, Hands, make_room
from scanner.run.engines.parcel import Answered, Batch, Parcel, Rest
from scanner.run.engines.settled import Asking, end_calls, settled, submitted, unasked
from scanner.run.node import NodeRequest, query_node
from scanner.secrets import children
from scanner.secrets.hardening import keep_memory_private, leave_no_core
from scanner.secrets.redaction import Redactor, redactor_of
from scanner.secrets.secret import Secret
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


class _Run:
    """What the batches of a run share in this process, for as long as there are any."""

    def __init__(self, parallel: int) -> None:
        self.batches = 0
        self.gate = Gate(parallel)
        self.lock = threading.Lock()
        self.secrets: dict[SecretSource, Secret] = {}
        self._logins: set[tuple[str, str]] = set()

    def hide(self, batch: Batch, calls: Sequence[NodeRequest]) -> Redactor:
        """What takes out all that is known here of what the run's nodes are reached with: it is found batch by batch,
        and one node may say what another one is reached with.
        """
        with self.lock:
            self._logins |= redactor(call.node for call in calls).logins
            self._logins |= known_here(
                batch.unread, folder=_folder(batch), elsewhere=not batch.folder, found=self.secrets
            )
            self._logins |= batch.calls[0].hide.logins if batch.calls else frozenset()
            return redactor_of(frozenset(self._logins))


# A worker's process serves several batches of a run, which keep to one bound together, and may be told of its end.
_runs: dict[str, _Run] = {}
_runs_lock = threading.Lock()
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
        return Parcel.of(hide.message(f"unexpected {cause_of(defect)}"))


def asked(batch: Batch, wanted: Callable[[], bool] = lambda: True, linger_s: float = math.inf) -> Answered:
    """Ask all calls of a batch, as long as that is `wanted`.

    What a node said waits so long for the others; then it goes home, and they are `fetched`.
    """
    children.withhold(batch.withheld)
    leave_no_core()
    keep_memory_private()
    gc.set_threshold(max(_NEW_BEFORE_A_LOOK, gc.get_threshold()[0]))
    return _Conversations(batch).said(wanted, linger_s)


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

    def __init__(self, batch: Batch) -> None:
        self.key = (batch.run, batch.name)
        self.unfetched = threading.Event()
        """Set once somebody has come back for them."""
        self._ending = ExitStack()
        run = self._ending.enter_context(_taking_part(batch))
        self._said: dict[int, NodeResponse] = {}
        self._calls: list[NodeRequest] = []
        self._under_way: dict[Asking, int] = {}
        try:
            self._begin(batch, run)
        except BaseException:
            self._end()
            raise
        self._places: Sequence[int] = range(len(self._calls))
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

    def _begin(self, batch: Batch, run: _Run) -> None:
        for at, (call, cause) in enumerate(_equipped(batch, run)):
            self._calls.append(call)
            if cause:
                self._said[at] = unasked(call, cause, f"this is about the worker's machine, {platform.node()}")
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
        while self._pending and self.key[0] not in _left and wanted():
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


def _equipped(batch: Batch, run: _Run) -> list[tuple[NodeRequest, str]]:
    """Each call with the secrets and paths of this machine, or with why that cannot be."""
    with run.lock:
        nodes = equip(
            [call.node for call in batch.calls], folder=_folder(batch), elsewhere=not batch.folder, found=run.secrets
        )
    return [(replace(call, node=node), cause) for call, (node, cause) in zip(batch.calls, nodes, strict=True)]


def _folder(batch: Batch) -> Path:
    return Path(batch.folder) if batch.folder else Path.cwd()


@contextmanager
def _taking_part(batch: Batch) -> Iterator[_Run]:
    """What the batch shares with the others of its run. With the last of them go the secrets that were found here."""
    with _runs_lock:
        run = _runs.setdefault(batch.run, _Run(batch.parallel))
        run.batches += 1
    try:
        yield run
    finally:
        with _runs_lock:
            run.batches -= 1
            if not run.batches:
                del _runs[batch.run]
