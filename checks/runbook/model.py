"""What a plan consists of. Reports print it; nothing here knows how."""

from __future__ import annotations

from collections.abc import Container, Iterator
from datetime import datetime

from checks.common.dataclass import dataclass
from checks.engine.acceptance.model import Attested
from checks.engine.rules import Rule
from checks.engine.upgrade_path import UpgradePath, UpgradeStep
from checks.exit_codes import ExitCode
from checks.outcome import Result
from checks.runbook.signs import Sign
from checks.scan import EXIT_CODES, Verdict


@dataclass(frozen=True, slots=True)
class ScanAsked:
    """What a scan that a plan prints is asked for."""

    phase: str
    checks: tuple[str, ...] = ()
    """Empty: all."""
    without: tuple[str, ...] = ()
    target: str = ""
    """Empty: the inventory's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One line to be typed, or a page to be opened, by a person."""

    text: str
    language: str = "cmd"
    """sh, cmd, powershell, sql or url."""
    where: str = ""
    """The node it is for; empty where the step says so, or where any machine will do."""
    judges: tuple[str, ...] = ()
    """Of a scan: the checks that it asks for by name; empty: all."""
    scan: ScanAsked | None = None
    """Of a scan: all that it is asked for."""


@dataclass(frozen=True, slots=True)
class Proof:
    """How one sees that a step went well."""

    shows: str
    """What must be seen."""
    commands: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """One of two documents that contradict each other."""

    says: str
    source: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long a step takes, and how one knows; never a guess."""

    seconds: int | None
    """The machine's own share, without the hands of whoever does it; None where no figure is known."""
    basis: str
    """Where the figure comes from, or why there is none."""
    origin: str = "unknown"
    """vendor (a figure of its documents), measured (a size that was read, at a speed that is told), yours, unknown."""


NO_FIGURE = Estimate(None, "not known: time it in a rehearsal")


@dataclass(frozen=True, slots=True)
class DocumentedStep:
    """One of the vendor's own steps."""

    step: str
    """Its id, "DOCUMENT STEP"."""
    says: str
    """What it asks for, in our words."""
    document: str
    """The document's title."""
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One box to tick."""

    id: str
    """Kebab-case, for ever; the same wherever the same thing is to be done."""
    title: str
    """An imperative, with the names of the nodes it is for."""
    commands: tuple[Command, ...] = ()
    notes: tuple[str, ...] = ()
    """Sentences: why, and what to mind."""
    proof: Proof | None = None
    sides: tuple[Side, ...] = ()
    """Where the vendor's documents contradict each other: what each says."""
    documented: tuple[str, ...] = ()
    """Ids of the vendor's own steps (see `checks.product.Product.documented_steps`) that this one carries out."""
    sources: tuple[DocumentedStep, ...] = ()
    """What the product says of each of these."""
    no_return: bool = False
    """True where there is no way back from it but a restored backup."""
    url: str = ""
    """The page that says more, where there is one."""
    answers: str = ""
    """The check whose finding it clears, where the procedure itself does that."""
    signs: tuple[Sign, ...] = ()
    """What facts show once it is done; all of it has to be seen."""
    unseen: str = ""
    """Why facts do not show it, or not all of it; empty where they do."""
    takes: Estimate = NO_FIGURE


@dataclass(frozen=True, slots=True)
class Part:
    """A chapter of the runbook."""

    title: str
    steps: tuple[Step, ...]
    intro: tuple[str, ...] = ()
    """Sentences before the first step."""
    asked: tuple[str, ...] = ()
    """What the vendor asks of the nodes before it, each requirement in words."""


_ROLES = {"web": "a web node", "database": "a database node", "backend": "a backend", "frontend": "a frontend"}


def asked(hop: UpgradeStep, without: Container[str] = ()) -> tuple[str, ...]:
    """What the vendor asks for at a hop, each requirement once and in words; not what the checks `without` apply."""
    return tuple(dict.fromkeys(_in_words(rule) for rule in hop.requirements if rule.check not in without))


def _in_words(rule: Rule) -> str:
    who = _ROLES.get(rule.requires.partition(" ")[0], "")
    unsure = "" if rule.confidence == "documented" else f" ({rule.confidence})"
    return f"{rule.text.strip(' ,')}{f' on {who}' if who else ''}{unsure}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubleshooting:
    """What to do when something went wrong."""

    sign: str
    """How one notices."""
    help: tuple[str, ...]
    """What to do, in order."""
    look: tuple[Command, ...] = ()
    """Commands that show more and change nothing."""
    cure: tuple[Command, ...] = ()
    """Commands that change something, for after the reading of `help`; each for itself."""
    documented: tuple[str, ...] = ()
    url: str = ""
    """The page that says more, where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """How long a chapter takes, as far as that is known."""

    chapter: int
    title: str
    known_s: int
    unknown: tuple[str, ...]
    """Numbers of the steps without a figure."""
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """The times of a runbook, from the opening of the window on, against its length."""

    window_s: int | None
    """None where nobody said how long it is."""
    stretches: tuple[Stretch, ...]
    """Of every chapter but the first, which comes before the window."""
    back_s: int
    """What is known of the way back."""
    back_unknown: tuple[str, ...]
    no_return: str = ""
    """Number of the first step without return; empty where there is none."""
    no_return_s: int = 0
    """What is known of the steps before it."""

    @property
    def known_s(self) -> int:
        """The sum of what is known: the window takes that long at least."""
        return sum(stretch.known_s for stretch in self.stretches)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Numbers of the steps without a figure."""
        return tuple(number for stretch in self.stretches for number in stretch.unknown)

    @property
    def fits(self) -> bool | None:
        """Whether it fits into the window; None where that cannot be told."""
        if self.window_s is None:
            return None
        if self.known_s > self.window_s or self.back_s > self.window_s:
            return False
        return None if self.unknown else True

    @property
    def turn_back_s(self) -> int | None:
        """How long after the opening a way back can be begun at the latest; None where no figure of it is known."""
        if self.window_s is None or not self.back_s:
            return None
        return max(0, self.window_s - self.back_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """The way of one cluster from its version to the target, to be followed in order."""

    cluster: str
    product: str
    path: UpgradePath
    verdict: Verdict
    """Of the scan that the plan rests on."""
    blockers: tuple[Result, ...]
    """Failures, and what could not be determined: none may be left when the window opens."""
    warnings: tuple[Result, ...]
    waived: tuple[Result, ...]
    """What somebody accepted until a day: it stands in nobody's way, and is told all the same."""
    parts: tuple[Part, ...]
    way_back: tuple[str, ...]
    """Until when there is one, what it costs, and what is lost: sentences before its steps."""
    troubles: tuple[Troubleshooting, ...]
    unknown: tuple[str, ...] = ()
    """Names that could not be read from the nodes and stand in the steps as <...>, one sentence each."""
    steps_back: tuple[Step, ...] = ()
    """The way back itself, in order."""
    title: str = ""
    """The product as people write it."""
    left_out: tuple[Result, ...] = ()
    """What the inventory leaves out, with the reason: preflight says nothing about it."""
    nodes: tuple[str, ...] = ()
    """Names of the cluster's nodes in the inventory, by which commands say where they are typed."""
    schedule: Schedule | None = None
    """None where it was not asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a cluster gets no plan, and what to do instead."""

    cluster: str
    product: str
    reason: str
    instead: str
    verdict: Verdict
    """NO-GO where the plan itself is impossible, UNKNOWN where something is not known."""
    blockers: tuple[Result, ...] = ()
    url: str = ""
    """The vendor's own page, where there is one."""
    warnings: tuple[Result, ...] = ()
    waived: tuple[Result, ...] = ()
    left_out: tuple[Result, ...] = ()


Plan = Runbook | Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class RunbookSet:
    """The plans of all clusters that were asked for, and what they rest on."""

    inventory: str
    """The inventory's file name as given."""
    tool_version: str
    asked: datetime
    """When the nodes said what the plans rest on; aware, UTC."""
    plans: tuple[Plan, ...]
    notices: tuple[str, ...] = ()
    partial: bool = False
    """True where the asking was interrupted."""
    attestations: tuple[Attested, ...] = ()
    """What people vouch for because no probe can see it; no verdict rests on it."""

    @property
    def verdict(self) -> Verdict:
        """The gravest of all plans: may the first step be taken?"""
        found = {plan.verdict for plan in self.plans}
        for verdict in (Verdict.NO_GO, Verdict.UNKNOWN):
            if verdict in found:
                return verdict
        return Verdict.UNKNOWN if self.partial or not found else Verdict.GO

    @property
    def exit_code(self) -> ExitCode:
        """The process's exit code."""
        return EXIT_CODES[self.verdict]


def steps_back(runbook: Runbook) -> Iterator[tuple[str, Step]]:
    """Every step of the way back with its number: "R3" is the third."""
    return ((f"R{place}", step) for place, step in enumerate(runbook.steps_back, 1))


def numbered_steps(runbook: Runbook) -> Iterator[tuple[str, Part, Step]]:
    """Every step with its number: "2.3", the third step of the second part."""
    for chapter, part in enumerate(runbook.parts, 1):
        for place, step in enumerate(part.steps, 1):
            yield f"{chapter}.{place}", part, step
