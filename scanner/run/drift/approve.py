"""A baseline approved: all of it, or a part with the rest left as it was. Nothing is contacted."""

from __future__ import annotations

from collections.abc import Mapping

from checks.baseline.approval import Baseline, Part, StaleGapError, means_nothing, renewed, unread_in
from checks.baseline.drift import Approval
from checks.baseline.drift_rules import DriftRules
from checks.baseline.fact_paths import kind_of
from checks.baseline.snapshot import FactKey, Snapshot
from checks.common.dataclass import dataclass
from scanner.errors import UsageError
from scanner.files.packed.facts import ShelvedFacts


@dataclass(frozen=True, slots=True)
class Proposal:
    """What would be written."""

    baseline: Baseline
    holes: Mapping[FactKey, str]
    """What of it could not be read, each with the reason."""


def whole(inventory: str, now: Snapshot, approval: Approval, rules: DriftRules) -> Proposal:
    """A baseline of everything that is known now."""
    return Proposal(Baseline(inventory, (approval,), now), _holes(now.unread, rules))


def _holes(unread: Mapping[FactKey, str], rules: DriftRules) -> dict[FactKey, str]:
    """What was not read and should have been; what not every account may read is told by `not_read` alone."""
    return {gap: reason for gap, reason in unread.items() if kind_of(gap.path) not in rules.optional}


def partly(old: Baseline, now: Snapshot, part: Part, approval: Approval, rules: DriftRules) -> Proposal:
    """`old` with `part` of it approved anew. Raises UsageError where the part cannot stand alone, or is empty."""
    if means_nothing((old.snapshot, now), part):
        raise UsageError(
            f"{approval.scope}: there is no such fact or result, neither in the baseline nor today, so there is "
            "nothing to approve; `preflight drift INVENTORY -v` names the facts of each node"
        )
    try:
        snapshot = renewed(old.snapshot, now, part, ShelvedFacts.of)
    except StaleGapError as error:
        raise UsageError(
            f"{error.gap} was not read when the baseline was approved, so a part of it cannot be approved alone; "
            f"approve {'the node' if not error.gap.path else error.gap.path} as a whole"
        ) from None
    return Proposal(Baseline(old.inventory, (*old.approvals, approval), snapshot), _holes(unread_in(now, part), rules))
