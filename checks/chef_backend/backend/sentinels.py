"""No file of leaderl's keeps a backend from serving.

## What it checks
Neither `unsynced` nor `no-start-pgsql` lies in `/var/opt/chef-backend/leaderl/data`. Leaderl writes `unsynced` when a
backend begins to copy the leader's database and removes it when the copy is whole; it writes `no-start-pgsql` when it
demotes a leader. Both are looked for in one listing of the folder; that the folder cannot be listed is an error.

## Why it matters
With `unsynced` a backend may not become the leader; with `no-start-pgsql` its PostgreSQL does not start, lest a deposed
leader serve old data. Either way it counts for nothing when the next one fails, or is taken down for the upgrade.

## How to fix it
For `unsynced`, wait: a copy may be under way. Where it stays, the copy has failed, and leaderl's log says why. Remove
neither file before you know which backend has the newest data; the vendor's page describes both cases.
"""

from __future__ import annotations

from checks.check import NodeCheck, NodeView
from checks.chef_backend.facts.cluster import LeaderFlags
from checks.chef_backend.urls import RECOVERY_URL
from checks.outcome import Outcome, Remediation, Severity, failed, passed

FOLDER = "/var/opt/chef-backend/leaderl/data"
EXPECTED = "neither unsynced nor no-start-pgsql"
_MEANING = {
    "unsynced": "its copy of the leader's database is under way or has failed, and until then it may not lead",
    "no-start-pgsql": "it was demoted as the leader, and its PostgreSQL is kept from starting",
}


def judge(view: NodeView) -> Outcome:
    """Name each file that is there, with what it means."""
    found = view.require(LeaderFlags)
    there = {"unsynced": found.unsynced, "no-start-pgsql": found.no_start_pgsql}
    names = [name for name, exists in there.items() if exists]
    if not names:
        return passed("leaderl keeps nothing from serving", expected=EXPECTED, observed="neither")
    told = "; ".join(f"{FOLDER}/{name} exists: {_MEANING[name]}" for name in names)
    return failed(told, expected=EXPECTED, observed=" and ".join(names), files=[f"{FOLDER}/{name}" for name in names])


CHECK = NodeCheck(
    id="chef-sentinels",
    title="No file keeps a backend from serving",
    severity=Severity.CRITICAL,
    doc=__doc__,
    remediation=Remediation(
        "Wait for the copy to end, else find out why it failed; remove no file before you know who has the last data.",
        command="sudo tail -n 100 /var/log/chef-backend/leaderl/current",
        url=RECOVERY_URL,
        language="sh",
    ),
    products=("chef-backend",),
    roles=("backend",),
    facts=(LeaderFlags,),
    references=(RECOVERY_URL,),
    judge=judge,
)
