"""Cluster failover is on before and after the window, and off in it while followers are updated.

## What it checks
What `failover` in the inventory says, against the phase. It is a **declaration, not an observation**: the vendor
documents the command that switches failover, `set-cluster-failover`, and none that reads the switch; nothing
undocumented is sent to find out. Before the window nothing has been switched yet, so an undeclared state is not judged.
In the window and after it an undeclared state is an error. An upgrade that takes the whole cluster down does not switch
it, and is not judged in the window.

## Why it matters
With failover on, the cluster may make a follower its leader in the middle of that follower's update. Left off
afterwards, the next failure of the leader is an outage, although every status is green.

## How to fix it
Run the command that is shown on one backend, and declare what it set: `failover = "on"` or `failover = "off"` for the
cluster. While the leader itself is upgraded with `upgrade --failover`, it is on by design; scan before or after that.
"""

from __future__ import annotations

from checks.check import ClusterCheck, ClusterView
from checks.chef_backend.facts import ChefBackendVersion
from checks.installed import installed
from checks.outcome import Outcome, Remediation, Severity, failed, not_applicable, passed, undetermined
from checks.upgrade_path import PlanError, path_to, target_of
from checks.versions import VersionError, parse_version

UPGRADE_URL = "https://docs.chef.io/upgrade_server_ha_v2/"
_WANTED = {"before": "on", "window": "off", "after": "on"}
_PHASES = {
    "before": "failover is on, where the inventory declares it; undeclared is not judged",
    "window": "failover is declared off while followers are updated",
    "after": "failover is declared on again",
}
_COMMAND = "sudo chef-backend-ctl set-cluster-failover {}"


def judge(view: ClusterView) -> Outcome:
    """Hold the declaration to the phase."""
    phase = view.cluster.phase
    wanted, expected = _WANTED[phase], _PHASES[phase]
    declared = str(view.cluster.options.get("failover", ""))
    command = Remediation(f'Switch it on one backend, then declare `failover = "{wanted}"`.', _COMMAND.format(wanted))
    if phase == "window" and (target := _by_downtime(view)):
        text = f"the way to {target} takes the whole cluster down and does not switch failover"
        return not_applicable(text, expected=expected, observed=declared)
    if declared == wanted:
        text = f"declared {declared} in the inventory; no command reads it, so this was not observed"
        return passed(text, expected=expected, observed=f"declared {declared}")
    if declared:
        text = f"declared {declared} in the inventory, and it has to be {wanted} {_when(phase)}"
        return failed(text, expected=expected, observed=f"declared {declared}", remediation=command)
    if phase == "before":
        text = "not declared: no command reads whether failover is on, and the procedure has not switched it yet"
        return not_applicable(text, expected=expected)
    text = (
        f"failover has to be {wanted} {_when(phase)}; no command reads whether it is, and the inventory does not say:"
        f' declare `failover = "{wanted}"` for the cluster once it is'
    )
    return undetermined(text, expected=expected, remediation=command)


def _when(phase: str) -> str:
    return "in the window, while followers are updated" if phase == "window" else f"{phase} the window"


def _by_downtime(view: ClusterView) -> str:
    """The target, where a step on the way from the oldest version known takes the whole cluster down; else empty."""
    declared = [view.cluster.current, *(node.current for node in view.nodes)]
    texts = [text for text in (*declared, *(installed(node).version for node in view.nodes)) if text]
    try:
        target = target_of(view.cluster)
        oldest = min(texts, key=parse_version, default=None)
        path = path_to(view.cluster.product, view.cluster.rules, oldest, target)
    except (PlanError, VersionError):
        return ""
    return target if any(hop.strategy and hop.strategy.requires == "downtime" for hop in path.hops) else ""


CHECK = ClusterCheck(
    id="chef-failover-state",
    title="Cluster failover is as this phase wants it",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation("Switch failover on one backend, and declare it.", _COMMAND.format("on"), UPGRADE_URL),
    products=("chef-backend",),
    roles=("backend",),
    optional_facts=(ChefBackendVersion,),
    phases=_PHASES,
    references=(UPGRADE_URL,),
    judge=judge,
)
