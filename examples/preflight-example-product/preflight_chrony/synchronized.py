"""Every time server is synchronized itself.

## What it checks
`chronyc -n tracking` says "Leap status: Normal", and a stratum above 0.

## Why it matters
A server that has lost its own sources serves a drifting clock, or none, as soon as the others are taken down for the
upgrade.

## How to fix it
`chronyc -n sources -v` shows which sources do not answer.
"""

from __future__ import annotations

from checks.check import NodeCheck, NodeView
from checks.outcome import Outcome, Remediation, Severity, failed, passed
from preflight_chrony.facts import ChronyTracking

EXPECTED = "Leap status: Normal"


def judge(view: NodeView) -> Outcome:
    """Look at what chronyd says of its own clock."""
    found = view.require(ChronyTracking)
    observed = f"Leap status: {found.leap_status}, stratum {found.stratum}"
    if found.leap_status == "Normal" and found.stratum > 0:
        return passed(observed, expected=EXPECTED, observed=observed)
    return failed(f"not synchronized: {observed}", expected=EXPECTED, observed=observed)


CHECK = NodeCheck(
    id="chrony-synchronized",
    title="Time servers are synchronized",
    severity=Severity.CRITICAL,
    doc=__doc__,
    remediation=Remediation("See which of its sources do not answer.", "chronyc -n sources -v", language="sh"),
    products=("chrony",),
    roles=("server",),
    facts=(ChronyTracking,),
    judge=judge,
)
