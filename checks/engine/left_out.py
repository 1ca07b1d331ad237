"""Checks that the inventory leaves out of a cluster: not judged there, and told with the reason in every report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from checks.check import Check
from checks.outcome import Outcome, Status
from checks.scan import CONNECTIVITY

NEVER: Mapping[str, str] = {
    CONNECTIVITY: "whether a node answered, and is what it is taken for, is what everything else rests on",
}
"""Checks that no inventory can leave out, each with the reason."""


def judged_in(checks: Iterable[Check], skip: Mapping[str, str]) -> tuple[Check, ...]:
    """Those of `checks` that are judged where the inventory leaves out `skip`."""
    return tuple(check for check in checks if check.id not in skip)


def left_out(reason: str) -> Outcome:
    """What stands in the place of a judgement."""
    return Outcome(Status.SKIP, f"left out: {reason}")
