"""What is known of a node. Facts are frozen dataclasses; one that could not be read is `Unknown`, with its reason."""

from __future__ import annotations

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Unknown:
    """Stands where a fact should be, and says in one line why it is not there."""

    reason: str
    unanswered: bool = False
    """True where the node was not asked or did not answer: its connectivity result tells of that already."""
    unasked: bool = False
    """True where this very question was not put to it, as in evidence of an earlier version: its answer is not lost."""


class UnknownFactError(Exception):
    """A check needs a fact that is unknown. The engine turns it into an `error` result with the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EndedError(Exception):
    """What a guard raises that has ended foreign code, a check's or a product's; it says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """How the conversation with a node went. Always known: a node that is down has one that says so."""

    host: str
    transport: str
    """winrm, ssh, local (the machine that preflight runs on) or tds."""
    failure: str | None
    """One line that says why the node could not be asked or did not answer fully; None when all went well."""
    asked: int
    """How many probes the node was asked."""
    answered: int
    """How many of them it answered, be it with a refusal."""
    unanswered: tuple[str, ...] = ()
    """The ids of the probes without an answer."""
    hint: str = ""
    """What to do about the failure, one line; empty when nothing better than the check's own remediation is known."""
    reasons: tuple[str, ...] = ()
    """Why each of the unanswered has no answer, in the same order."""
