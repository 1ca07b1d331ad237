"""What came of asking: one node's answers, and those of all. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from typing import Self

from checks.common.clock_facts import ClockSample
from checks.common.dataclass import dataclass
from checks.facts import Unknown
from scanner.inventory.model import NodeKey
from scanner.probes.probe import Answer
from scanner.transports.protocol import ConnectionCost


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeResponse:
    """What one node said."""

    cluster: str
    node: str
    host: str
    transport: str
    answers: Mapping[str, Answer | Unknown] = field(default_factory=dict)
    """Probe id to its answer, or to why there is none."""
    failure: str | None = None
    """Why the conversation did not go to its end, one line."""
    hint: str = ""
    usage: ConnectionCost = field(default_factory=ConnectionCost)
    seconds: float = 0.0
    clock: ClockSample | Unknown | None = None
    """None where the node did not say the time both when it began and when it had ended; Unknown where saved answers
    hold no sample that could be compared with the other nodes'."""
    asked_at: datetime | None = None
    """When the node was turned to, by this machine's clock; aware, UTC."""
    cleaned_by: bytes = field(default=b"", repr=False, compare=False)
    """The `mark` of the Redactor that has been over what the node printed; empty: none of this process has."""
    lacking: Mapping[str, str] = field(default_factory=dict)
    """Only of saved answers: id of each probe that a check needs now and that was not asked then, with why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """How the asking of all nodes went, whatever they said."""

    started: datetime
    """Aware, UTC."""
    finished: datetime
    """Aware, UTC."""
    complete: bool = True
    """False where the run was interrupted before every chosen node had answered."""
    notices: tuple[str, ...] = ()
    """What a reader must know of how the answers were come by; one line each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Responses(Circumstances):
    """What the nodes said, before anybody judges it."""

    said: Mapping[NodeKey, NodeResponse]

    @property
    def circumstances(self) -> Circumstances:
        """How it went alone, so that nobody holds what was said who needs no more of it."""
        return Circumstances(started=self.started, finished=self.finished, complete=self.complete, notices=self.notices)

    @classmethod
    def to(cls, asking: Circumstances, said: Mapping[NodeKey, NodeResponse]) -> Self:
        """What was said, when it went so."""
        return cls(
            said=said,
            started=asking.started,
            finished=asking.finished,
            complete=asking.complete,
            notices=asking.notices,
        )
