"""The workers of a scheduler: who may be given what, and which are gone or do not answer any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import field, replace
from datetime import timedelta
from typing import Any, NamedTuple

from checks.common.clock_facts import ClockSample
from checks.common.dataclass import dataclass
from scanner.clock import now_s, utc_now
from scanner.run.engines import worker
from scanner.run.engines.dask.link import Link, Told, incomprehensible, stranger
from scanner.transports.answers import NodeResponse

_SAME_CLOCK_S = 0.001
_UNHEARD, _SILENT = "has not answered yet", "does not answer"
FULL = "takes nothing more now (its memory is full)"


class WorkerKey(NamedTuple):
    """One start of a worker."""

    address: str
    folder: str


class ClockOffset(NamedTuple):
    """How far another machine's clock is ahead of ours, and how sure that is."""

    ahead_s: float
    unsure_s: float
    wall_ahead_s: float | None = None
    """What it says what time it is by, where that is another one: a process that lives on keeps to the time at which it
    was started, whatever the machine's clock is set to. None: the same."""


@dataclass(slots=True, kw_only=True)
class Worker:
    """One of them."""

    key: WorkerKey
    resources: frozenset[str]
    unfit: str = ""
    """Why it is given nothing."""
    is_stranger: bool = False
    """Whether that is what is installed beside it."""
    running: bool = True
    full_since: float | None = None
    """Since when it is not, by our monotonic clock: what it has begun goes on, and what came later does not begin."""
    clock: ClockOffset | None = None
    """None: it reads the clock that is read here."""
    last_seen: float = 0.0
    heard: float = 0.0
    """When `last_seen` was another one before, by our monotonic clock."""
    broken: int = 0
    """How many batches it could not ask."""
    nodes: int = 0
    """How many are being asked there."""

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.key.address

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"worker {self.address}"


@dataclass(slots=True, kw_only=True)
class Workers:
    """All of them."""

    link: Link
    patience_s: float
    """How long one may be silent."""
    wait_s: float
    """How long new ones are waited for, until they say who they are; who takes longer keeps nobody else waiting."""
    own: bool
    """Whether they are processes of this machine."""
    known: dict[WorkerKey, Worker] = field(default_factory=dict)
    _asked: dict[WorkerKey, _Introduction] = field(default_factory=dict)

    def look(self) -> list[tuple[Worker, str]]:
        """See who is there now; gives those that are not to be counted on any more, with what became of them.

        Raises OSError or TimeoutError where the scheduler does not say.
        """
        told = {WorkerKey(each.address, each.folder): each for each in self.link.workers()}
        now = time.monotonic()  # what follows takes time of ours, in which nobody was listened to
        self._get_to_know({key: each for key, each in told.items() if key not in self.known}, now)
        self._listen()
        lost = [(self.known.pop(key), "ended") for key in self.known.keys() - told.keys()]
        for key, each in told.items():
            found = self.known[key]
            found.running = each.running
            found.full_since = None if each.running else found.full_since or now
            if each.last_seen != found.last_seen:
                found.last_seen, found.heard = each.last_seen, now
            elif now - found.heard > self.patience_s and not found.unfit:
                found.unfit = f"has not been heard of for {self.patience_s:g} s"
                lost.append((found, found.unfit))
        return lost

    def of(self, site: str) -> Iterator[Worker]:
        """Those that may be given nodes of that site; of none, every one."""
        return (each for each in self.at(site) if each.running and not each.unfit)

    def at(self, site: str) -> Iterator[Worker]:
        """Those of the site, whatever their state."""
        return (each for each in self.known.values() if not site or site in each.resources)

    def _get_to_know(self, new: Mapping[WorkerKey, Told], now: float) -> None:
        for key, each in new.items():
            self.known[key] = Worker(
                key=key,
                resources=each.resources,
                unfit=_UNHEARD,
                running=each.running,
                last_seen=each.last_seen,
                heard=now,
            )
            self._asked[key] = _Introduction.of(self.link, key.address, own=self.own)

    def _listen(self) -> None:
        """Take in what was said of themselves; whoever was too busy to say it is asked again."""
        for key, asked in list(self._asked.items()):
            if not asked.over.wait(max(0.0, asked.began + self.wait_s - time.monotonic())):
                continue
            del self._asked[key]
            found = self.known.get(key)
            if found is None:
                continue
            found.unfit, found.clock = _unfit(asked.said), asked.clock
            found.is_stranger = found.unfit not in ("", _SILENT)
            if found.unfit == _SILENT:
                self._asked[key] = _Introduction.of(self.link, key.address, own=self.own)


@dataclass(slots=True)
class _Introduction:
    """What one of them says of itself, asked by a thread of its own: it may take its time, or never answer."""

    said: Mapping[str, Any] | Exception = field(default_factory=dict)
    clock: ClockOffset | None = None
    began: float = field(default_factory=time.monotonic)
    over: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def of(cls, link: Link, address: str, *, own: bool) -> _Introduction:
        made = cls()
        threading.Thread(target=made._ask, args=(link, address, own), name="dask-worker-asked", daemon=True).start()
        return made

    def _ask(self, link: Link, address: str, own: bool) -> None:
        try:
            if own:
                link.ignore_interrupts(address)
            self.said = link.about(address)
            self.clock = _clock_here(self.said)
            if _is_distant(self.said):
                # Once more: the first time a worker has to load what it is asked with.
                before_s = now_s()
                self.clock = _clock(link.about(address), before_s, now_s())
        except Exception as error:  # noqa: BLE001  whichever way it does not answer
            self.said = error
        finally:
            self.over.set()


def _is_distant(said: Mapping[str, Any] | Exception) -> bool:
    return not isinstance(said, BaseException) and said.get("machine") != worker.machine()


def _unfit(said: Mapping[str, Any] | Exception) -> str:
    if isinstance(said, OSError):
        return _SILENT
    if isinstance(said, BaseException):
        return incomprehensible(said)
    return stranger(said)


def _clock_here(said: Mapping[str, Any] | Exception) -> ClockOffset | None:
    """Of a process of this machine: one that was started before the clock was set goes by the time that it was."""
    if isinstance(said, BaseException) or "epoch_s" not in said:
        return None
    ahead_s = float(said["epoch_s"]) - (now_s() - time.monotonic())
    return ClockOffset(ahead_s, 0.0, wall_ahead_s=0.0) if abs(ahead_s) > _SAME_CLOCK_S else None


def _clock(said: Mapping[str, Any] | Exception, before_s: float, after_s: float) -> ClockOffset | None:
    """Of another machine."""
    if isinstance(said, BaseException):
        return None
    ahead_s = float(said["now_s"]) - (before_s + after_s) / 2
    wall_s = said.get("wall_s")
    # Both are read in one moment there; here the two may differ as well.
    wall_ahead_s = None if wall_s is None else float(wall_s) - utc_now().timestamp() + (after_s - before_s) / 2
    return ClockOffset(ahead_s, (after_s - before_s) / 2, wall_ahead_s)


def listed(addresses: Iterable[str]) -> str:
    """Addresses in a line; of many the first ones, and a count."""
    names = sorted(set(addresses))
    few = names if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more"]
    return ", ".join(few)


def untold(workers: Collection[Worker]) -> str:
    """Why those that there are cannot be used."""
    reasons: dict[str, list[str]] = {}
    for each in workers:
        if each.unfit or not each.running:
            reasons.setdefault(each.unfit or FULL, []).append(each.address)
    return "; ".join(f"{listed(addresses)} {why}" for why, addresses in reasons.items())


def ahead(clock: ClockOffset) -> timedelta:
    """How far what it says what time it is by is ahead, as a time."""
    return timedelta(seconds=clock.ahead_s if clock.wall_ahead_s is None else clock.wall_ahead_s)


def by_our_clock(said: NodeResponse, clock: ClockOffset | None) -> NodeResponse:
    """What a worker noted by its clock, by ours, and no surer than that is known."""
    if clock is None:
        return said
    sample = said.clock
    if isinstance(sample, ClockSample):
        sample = replace(
            sample,
            sent_s=sample.sent_s - clock.ahead_s - clock.unsure_s,
            received_s=sample.received_s - clock.ahead_s + clock.unsure_s,
        )
    return replace(said, clock=sample, asked_at=said.asked_at and said.asked_at - ahead(clock))
