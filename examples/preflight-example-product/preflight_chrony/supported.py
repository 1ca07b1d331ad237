"""The installed chrony is new enough for every version on the way to the target.

## What it checks
The version of chronyd against the rules of the package, at every version on the way to the target.

## Why it matters
Older keys and settings are not taken over: a server that was upgraded without them serves no time.

## How to fix it
Bring the server to the version that the rule names, in a window of its own, before the target.
"""

from __future__ import annotations

from checks.check import NodeCheck, NodeView
from checks.engine.requirements import check_version, requirements
from checks.outcome import Outcome, Remediation, Severity
from checks.versions import parse_version
from preflight_chrony.facts import ChronyVersion

ID = "chrony-supported"


def judge(view: NodeView) -> Outcome:
    """Hold the version to what the rules ask for."""
    needs = requirements(view, ID)
    if isinstance(needs, Outcome):
        return needs
    found = view.require(ChronyVersion)
    return check_version(needs, parse_version(found.version), f"chrony {found.version}")


CHECK = NodeCheck(
    id=ID,
    title="chrony is new enough",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation("Bring the server to the version that the message names first."),
    products=("chrony",),
    roles=("server",),
    facts=(ChronyVersion,),
    judge=judge,
)
