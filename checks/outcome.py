"""How a check ends: statuses, severities, remediation, and the result that every report prints."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, field, replace

from checks.common.dataclass import dataclass
from checks.common.pages import Link, links_of
from checks.engine.acceptance.model import Waiver
from checks.runbook.quoting import JOINS, joined


class Status(enum.StrEnum):
    """How a check ended. `error` means that it could not be determined, which is a result of its own."""

    PASS = "pass"  # noqa: S105  a status, not a password
    WARN = "warn"
    FAIL = "fail"
    ERROR = "error"
    SKIP = "skip"
    WAIVED = "waived"


class Severity(enum.StrEnum):
    """What a failure of the check can cost, for readers who sort; the verdict does not depend on it."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Remediation:
    """What to do about a finding."""

    summary: str
    """One or two sentences."""
    command: str = ""
    """A command to copy, on one line, where there is one."""
    _: KW_ONLY
    url: str = ""
    """The vendor's own page, where there is one."""
    language: str = ""
    """What takes the command: sh, cmd, powershell or sql."""
    title: str = ""
    """The page's title, where `checks.common.pages` does not know it."""

    @property
    def links(self) -> tuple[Link, ...]:
        """Where to read on, the page of today first."""
        return links_of(self.url, self.title)


@dataclass(frozen=True, slots=True)
class Outcome:
    """A check's judgement on one node or cluster, before the engine puts names to it."""

    status: Status
    message: str
    """One line. It does not name the node of a node-scoped check, so that equal causes group together."""
    _: KW_ONLY
    expected: str = ""
    observed: str = ""
    """What was found, told the same way as long as it is the same: a waiver's `value` is compared with it."""
    evidence: Mapping[str, object] = field(default_factory=dict)
    """What the judgement rests on; JSON values only."""
    remediation: Remediation | None = None
    """Overrides the check's own, where the case needs another."""
    not_declared: str = ""
    """The key of the inventory without which this is not judged, where nothing but its absence is in the way."""
    too_few: bool = False
    """True of what cannot be told because nodes are not there to be looked at, or compared with: so it is of any part
    of a cluster, and no trouble of the nodes that are."""
    findings: tuple[Outcome, ...] = field(default=(), compare=False, repr=False)
    """What it was combined from, each for itself; empty where it is one finding."""


TOLD = "told"
"""Key of a result's evidence: what is no fault, and is told whatever the verdict, such as that a cluster goes down."""


def passed(message: str, *, expected: str = "", observed: str = "", **evidence: object) -> Outcome:
    """The rule holds."""
    return Outcome(Status.PASS, message, expected=expected, observed=observed, evidence=evidence)


def warned(
    message: str, *, expected: str = "", observed: str = "", remediation: Remediation | None = None, **evidence: object
) -> Outcome:
    """Worth a look; no reason to stop by itself."""
    return Outcome(
        Status.WARN, message, expected=expected, observed=observed, evidence=evidence, remediation=remediation
    )


def failed(
    message: str, *, expected: str = "", observed: str = "", remediation: Remediation | None = None, **evidence: object
) -> Outcome:
    """The rule is broken: a blocker."""
    return Outcome(
        Status.FAIL, message, expected=expected, observed=observed, evidence=evidence, remediation=remediation
    )


def undetermined(
    message: str,
    *,
    expected: str = "",
    observed: str = "",
    remediation: Remediation | None = None,
    too_few: bool = False,
    **evidence: object,
) -> Outcome:
    """Cannot tell, and why."""
    return Outcome(
        Status.ERROR,
        message,
        expected=expected,
        observed=observed,
        evidence=evidence,
        remediation=remediation,
        too_few=too_few,
    )


def not_applicable(message: str, *, expected: str = "", observed: str = "", **evidence: object) -> Outcome:
    """The rule does not concern this node or cluster, and why."""
    return Outcome(Status.SKIP, message, expected=expected, observed=observed, evidence=evidence)


def not_declared(key: str, message: str, *, expected: str = "", observed: str = "", **evidence: object) -> Outcome:
    """The rule may well concern this node or cluster: the inventory does not say what it would be judged by.

    `key` is what would say it, as the inventory writes it.
    """
    return Outcome(Status.SKIP, message, expected=expected, observed=observed, evidence=evidence, not_declared=key)


_GRAVITY = (Status.FAIL, Status.ERROR, Status.WARN, Status.PASS, Status.SKIP, Status.WAIVED)


def combine(outcomes: Sequence[Outcome]) -> Outcome:
    """Fold several findings of one check on one subject into one outcome: the gravest status, every message.

    A skip beside anything else says nothing and is dropped; so is a pass beside something worse. All evidence is kept.
    The remediation is that of the gravest, of several the whole: what helps against a warning is no way out of a
    failure.
    Raises ValueError for no outcomes at all: a check that found nothing to say must say so.
    """
    if not outcomes:
        raise ValueError("no outcome to combine")
    if len(outcomes) == 1:
        return outcomes[0]
    ranked = sorted(outcomes, key=lambda outcome: _GRAVITY.index(outcome.status))
    worst = ranked[0]
    quiet = {Status.SKIP} if worst.status is Status.PASS else {Status.SKIP, Status.PASS}
    told = ranked if worst.status is Status.SKIP else [o for o in ranked if o.status not in quiet]
    evidence: dict[str, object] = {}
    for outcome in outcomes:
        evidence.update(outcome.evidence)
    return Outcome(
        worst.status,
        "; ".join(_unique(o.message for o in told)),
        expected="; ".join(_unique(o.expected for o in told)),
        observed="; ".join(_unique(o.observed for o in told)),
        evidence=evidence,
        remediation=_together([o.remediation for o in told if o.remediation and o.status is worst.status]),
        not_declared=next((o.not_declared for o in told if o.not_declared), "") if worst.status is Status.SKIP else "",
        findings=tuple(finding for outcome in outcomes for finding in outcome.findings or (outcome,)),
    )


def conclude(
    outcomes: Sequence[Outcome],
    *,
    expected: str | None = None,
    observed: str | None = None,
    evidence: Mapping[str, object] | None = None,
) -> Outcome:
    """The same of all that a check found, with what is said once for the whole instead of by each finding."""
    whole = combine(outcomes)
    return replace(
        whole,
        expected=whole.expected if expected is None else expected,
        observed=whole.observed if observed is None else observed,
        evidence=whole.evidence if evidence is None else evidence,
    )


def _together(remedies: Sequence[Remediation]) -> Remediation | None:
    """One remedy for several findings: every summary, and the commands in a line where one shell takes them all."""
    if len(remedies) < 2:
        return remedies[0] if remedies else None
    typed = [one for one in remedies if one.command]
    first = next(iter(typed), remedies[0])
    commands = [one.command for one in typed if first.language in JOINS and one.language == first.language]
    page = next((one for one in remedies if one.url), first)
    return Remediation(
        " ".join(_unique(one.summary for one in remedies)),
        joined(commands, first.language) if commands else first.command,
        url=page.url,
        language=first.language,
        title=page.title,
    )


def _unique(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One line of the report: what a check said about a node, or about a cluster where `node` is None."""

    check: str
    title: str
    severity: Severity
    cluster: str
    node: str | None
    status: Status
    message: str
    expected: str = ""
    observed: str = ""
    remediation: Remediation = field(default_factory=lambda: Remediation(""))
    evidence: Mapping[str, object] = field(default_factory=dict)
    not_evaluated: bool = False
    """True where the check was planned and could not be judged: every error, and a skip for an unreachable node."""
    waiver: Waiver | None = None
    """Who accepts the finding, why and until when, where the status is waived."""
    follows: tuple[str, ...] = ()
    """What this follows from, where that alone keeps it from being told: "connectivity:web1" for the result of that
    node, "selection:web1" for one that was not selected, "interruption:web1" for one that a scan did not get to,
    "unnamed:vault" where the cluster may have nodes that nobody named."""
    left_out: str = ""
    """Why the inventory leaves the check out of the cluster; the status is skip then. Empty: it does not."""
    not_declared: str = ""
    """The key that the inventory would have to have for this to be judged; the status is skip then. Empty: none."""
