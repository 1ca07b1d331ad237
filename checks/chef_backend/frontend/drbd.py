"""No frontend is still set up for the DRBD and keepalived high availability of old Chef servers.

## What it checks
`topology "ha"` or `backend_vip` in `/etc/opscode/chef-server.rb` is a failure. DRBD's packages, `/proc/drbd`, or the
folders `drbd` and `keepalived` under `/var/opt/opscode` without these settings are a warning: that they are only left
over is inferred.

## Why it matters
That kind of high availability ended on 2019-03-31. There is no upgrade from it to Chef Backend; it is a migration, with
a window of its own.

## How to fix it
Follow Chef's migration guidance: back up the old cluster, build a Chef Backend cluster, restore there. Remove what is
left over from nodes that were migrated.
"""

from __future__ import annotations

from typing import Any

from checks.check import NodeCheck, NodeView
from checks.chef_backend.facts.machine import DrbdTraces
from checks.chef_backend.urls import UPGRADE_URL
from checks.engine.wording import enumerate_names
from checks.outcome import Outcome, Remediation, Severity, failed, passed, warned

GUIDANCE = "https://blog.chef.io/2018/04/06/best-practices-for-migrating-your-chef-server/"
EXPECTED = "no setting, package or folder of DRBD or keepalived"


def judge(view: NodeView) -> Outcome:
    """Tell a set-up from what is left over of one."""
    found = view.require(DrbdTraces)
    left = [*found.packages, *found.paths]
    evidence: dict[str, Any] = {
        "settings": list(found.settings),
        "packages": list(found.packages),
        "paths": list(found.paths),
    }
    if found.settings:
        text = f"chef-server.rb says {enumerate_names(found.settings)}: DRBD high availability is no longer supported"
        rest = f"; also there: {enumerate_names(left)}" if left else ""
        return failed(text + rest, expected=EXPECTED, observed=", ".join(found.settings), **evidence)
    if left:
        remedy = Remediation("Remove what is left over, once it is certain that nothing uses it.", url=GUIDANCE)
        text = f"left over from DRBD high availability (inferred, for no setting turns it on): {enumerate_names(left)}"
        return warned(text, expected=EXPECTED, observed=", ".join(left), remediation=remedy, **evidence)
    return passed("nothing of DRBD or keepalived is there", expected=EXPECTED, observed="none", **evidence)


CHECK = NodeCheck(
    id="chef-drbd",
    title="No DRBD high availability is left",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation("Migrate to a Chef Backend cluster instead of upgrading.", url=GUIDANCE),
    products=("chef-backend",),
    roles=("frontend",),
    facts=(DrbdTraces,),
    references=(GUIDANCE, UPGRADE_URL),
    judge=judge,
)
