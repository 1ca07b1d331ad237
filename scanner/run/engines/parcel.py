"""What goes to a worker and comes back: packed, so that nobody on the way shows what is in it."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterable
from dataclasses import field, replace

from checks.common.dataclass import dataclass
from scanner.probes.probe import Probe
from scanner.run.node import NodeRequest
from scanner.secrets.source import SecretSource
from scanner.transports.answers import NodeResponse


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Calls for one worker."""

    run: str
    """Names the run that they are part of."""
    name: str = ""
    """Names the batch among those of the run."""
    calls: tuple[NodeRequest, ...] = field(repr=False)
    parallel: int
    """How many nodes the worker's process asks at a time, over all batches of the run."""
    withheld: frozenset[str] = frozenset()
    """Environment variables that hold secrets: no child of the worker gets them."""
    unread: frozenset[tuple[SecretSource, str]] = field(default=frozenset(), repr=False)
    """Where the worker finds what the run's nodes at its site are reached with, for which user."""
    folder: str = ""
    """The inventory's. Empty where that is another machine's, and what is relative is relative to the worker's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What is left of a batch whose worker has sent a part of it home, and goes on with the others."""

    run: str
    batch: str
    nodes: int
    """How many they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of a batch, or of what was left of it."""

    said: tuple[NodeResponse | None, ...]
    """In the order of its calls. None: not got to, for the worker was told to leave, or left by itself."""
    left: frozenset[int] = frozenset()
    """Places of those that are still being asked. They are fetched with a `Rest`, or given up after a while."""


@dataclass(frozen=True, slots=True)
class Broken:
    """What kept a worker from asking a batch: it may be one node of that, and another batch is none the worse."""

    cause: str


def asking_alone(calls: Iterable[NodeRequest]) -> tuple[NodeRequest, ...]:
    """The calls without what answers are read with.

    That is done at home: whoever asks need not have the plugin that a probe comes from.
    """
    calls = tuple(calls)
    # Nodes that are alike share theirs, and go on sharing them.
    shared = {id(call.probes): call.probes for call in calls}
    bare = {key: tuple(map(_unread, probes)) for key, probes in shared.items()}
    return tuple(replace(call, probes=bare[id(call.probes)]) for call in calls)


def _unread(probe: Probe) -> Probe:
    return replace(probe, readers=(), sample="", sample_errors="")


Content = Batch | Rest | Answered | Broken | str


@dataclass(frozen=True, slots=True, repr=False)
class Parcel:
    """Something that schedulers, logs and dashboards may handle, and not see."""

    data: bytes

    @classmethod
    def of(cls, content: Content) -> Parcel:
        """`content`, packed; a text says why its worker cannot answer."""
        return cls(zlib.compress(pickle.dumps(content, pickle.HIGHEST_PROTOCOL), 1))

    def content(self) -> Content:
        """What is in it. Only what a peer sent that may run code here anyway is opened."""
        found = pickle.loads(zlib.decompress(self.data))  # noqa: S301  a scheduler's peers may do all of that by design
        if not isinstance(found, Content):
            raise TypeError(f"a parcel with a {type(found).__name__}")
        return found

    def __repr__(self) -> str:
        return "Parcel(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)
