"""What a worker does: it asks a batch of nodes with threads of its own, and says who it is.

Whatever is sent here by name is found by name, so an installation of another version is noticed before it is trusted.
"""

from __future__ import annotations

import concurrent.futures
import gc
import os
import platform
import signal
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path

import scanner
from scanner.clock import now_s
from scanner.errors import cause_of
from scanner.inventory.credentials import equip
from scanner.inventory.model import SecretSource
from scanner.inventory.redactor import redactor
from scanner.run.engines.hands import Gate, Hands, make_room
from scanner.run.engines.parcel import Answered, Batch, Parcel
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


# A worker's process serves several batches of a run, which keep to one bound together, and may be told of its end.
_runs: dict[str, _Run] = {}
_runs_lock = threading.Lock()
_left: dict[str, None] = {}


def about() -> dict[str, object]:
    """Who this is; only what every version understands."""
    return {
        "preflight": scanner.__version__,
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "distributed": metadata.version("distributed"),
        "machine": machine(),
        "now_s": now_s(),
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
        batch = parcel.content()
    except Exception as error:  # noqa: BLE001  whatever does not fit: what it says of it may quote what is in there
        return Parcel.of(f"its preflight does not understand this one ({type(error).__name__}); install the same one")
    if not isinstance(batch, Batch):
        return Parcel.of("its preflight does not understand this one; install the same one")
    try:
        return Parcel.of(asked(batch, wanted))
    except Exception as defect:  # noqa: BLE001  told at home, where it belongs
        hide = batch.calls[0].hide if batch.calls else Redactor()
        hide.cleanse(defect)
        return Parcel.of(hide.message(f"unexpected {cause_of(defect)}"))


def asked(batch: Batch, wanted: Callable[[], bool] = lambda: True) -> Answered:
    """Ask all calls of a batch, as long as that is `wanted`."""
    children.withhold(batch.withheld)
    leave_no_core()
    keep_memory_private()
    gc.set_threshold(max(_NEW_BEFORE_A_LOOK, gc.get_threshold()[0]))
    with _taking_part(batch) as run:
        return _asked(batch, run, wanted)


def _asked(batch: Batch, run: _Run, wanted: Callable[[], bool]) -> Answered:
    refused: dict[int, NodeResponse] = {}
    calls: list[NodeRequest] = []
    for at, (call, cause) in enumerate(_equipped(batch, run)):
        calls.append(call)
        if cause:
            refused[at] = unasked(call, cause, "this is about the machine of the worker that asks for this node")
    # What was found here is taken out of what these nodes say, besides what the whole run's are reached with.
    here = redactor(call.node for call in calls).logins | (batch.calls[0].hide.logins if batch.calls else frozenset())
    hide = redactor_of(here)
    width = max(1, len(calls))
    make_room(width)
    mark = object()
    work = partial(query_node, gate=run.gate)
    pool = Hands(width, initializer=name_thread, initargs=(mark,))
    said = dict(refused)
    under_way: dict[Asking, int] = {}
    try:
        for at, call in enumerate(calls):
            if at not in refused:
                under_way[submitted(pool, work, replace(call, hide=hide))] = at
        pending = set(under_way)
        while pending and batch.run not in _left and wanted():
            finished, pending = concurrent.futures.wait(pending, _POLL_S, concurrent.futures.FIRST_COMPLETED)
            for future in finished:
                at = under_way[future]
                said[at] = settled(future, calls[at], hide)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        end_calls(under_way, _FAREWELL_S, mark)
    return Answered(said=tuple(said.get(at) for at in range(len(calls))))


def _equipped(batch: Batch, run: _Run) -> list[tuple[NodeRequest, str]]:
    """Each call with the secrets and paths of this machine, or with why that cannot be."""
    folder = Path(batch.folder) if batch.folder else Path.cwd()
    with run.lock:
        nodes = equip([call.node for call in batch.calls], folder=folder, elsewhere=not batch.folder, found=run.secrets)
    return [(replace(call, node=node), cause) for call, (node, cause) in zip(batch.calls, nodes, strict=True)]


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
