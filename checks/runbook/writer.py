"""How a product's runbook comes to be: what a product says of it, and how it refuses to write one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Protocol

from checks.check import NodeView
from checks.common.dataclass import dataclass
from checks.engine.evaluation import GatheredCluster
from checks.engine.upgrade_path import UpgradePath, UpgradeStep
from checks.scan import Verdict

if TYPE_CHECKING:  # A scan loads this with its products, and needs no word of a plan.
    from checks.runbook.model import Estimate, Part, Step, Troubleshooting
    from checks.runbook.names import CommandQuoter
    from checks.runbook.signs import Kind, Sign


class RefusedError(Exception):
    """There is no plan to follow."""

    def __init__(self, reason: str, instead: str, verdict: Verdict | None = Verdict.UNKNOWN, url: str = "") -> None:
        """`verdict` None: whatever the scan came to, for there is nothing to plan."""
        super().__init__(reason)
        self.reason, self.instead, self.verdict, self.url = reason, instead, verdict, url


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a product's writer writes."""

    parts: tuple[Part, ...]
    """The chapters: what comes before the window, one for each hop, what comes after."""
    way_back: tuple[str, ...] = ()
    """Until when there is a way back, and what it costs, in sentences."""
    troubles: tuple[Troubleshooting, ...] = ()
    unknown: tuple[str, ...] = ()
    """What had to be left out of commands, once all is written."""
    steps_back: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Sizes:
    """What commands move, in bytes; None, or no entry: not known."""

    database: int | None = None
    folders: Mapping[str, int] = field(default_factory=dict)
    """The application's folder, by node."""


class SignsOf(Protocol):
    """Says what facts show of a step once it is done."""

    def __call__(
        self, step: Step, hop: UpgradeStep | None, before: Sequence[Step], views: Sequence[NodeView], *, back: str = ""
    ) -> tuple[tuple[Sign, ...], str]:
        """The signs of `step`, and why they are not all of it; `before` are earlier steps of its chapter.

        `hop` is None outside of one; `back` is the version that a step of the way back leads to.
        """


def no_signs(
    step: Step, hop: UpgradeStep | None, before: Sequence[Step], views: Sequence[NodeView], *, back: str = ""
) -> tuple[tuple[Sign, ...], str]:
    """A product's, whose facts show of no step that it is done."""
    del step, hop, before, views, back
    return (), ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookWriter:
    """How the upgrade of a product is planned."""

    write: Callable[[GatheredCluster, UpgradePath, str, CommandQuoter], Written]
    """From the cluster, its way and the inventory's file to the steps. Raises RefusedError."""
    facts: Mapping[str, tuple[type, ...]] = field(default_factory=dict)
    """Role to what a plan rests on, whatever the checks ask of such a node, or the inventory leaves out."""
    refuse: Callable[[Sequence[NodeView]], None] = lambda _nodes: None
    """Raises RefusedError for nodes that no way leads on from, whatever they run."""
    refuse_from: Callable[[Sequence[NodeView], str], None] = lambda _nodes, _current: None
    """Raises RefusedError for nodes that are in the midst of something, the version `current` being installed."""
    signs: SignsOf = no_signs
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    """The kinds of signs that `signs` gives, by their names in a kept plan."""
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    """How long steps take whatever is read, by their ids."""
    sizes: Callable[[Sequence[NodeView]], Sizes] = lambda _views: Sizes()
    """What the nodes tell of the sizes of what is copied."""


class DeferredRunbook(RunbookWriter):
    """A writer that is imported once something of it is asked for: a scan plans nothing, and shall not wait for it."""

    def __init__(self, load: Callable[[], RunbookWriter]) -> None:
        """`load` imports it."""
        object.__setattr__(self, "_load", load)

    def __getattr__(self, name: str) -> object:
        """What the writer itself has: no field of this one is ever set."""
        return getattr(object.__getattribute__(self, "_load")(), name)
