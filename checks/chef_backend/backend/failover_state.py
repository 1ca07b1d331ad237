"""Cluster failover is on before and after the window, and off in it while followers are updated.

## What it checks
From 2.0.30 on, `cluster-status` tells which backends are blocked from leading, which is what the switch does: nobody
blocked is on, everybody off. Where a version prints no such column, or one that is not understood, what `failover` in
the inventory says is held to the phase instead: a **declaration, not an observation**, as no command reads the switch.
Before the window nothing has been switched yet, so an undeclared state is not judged. In the window and after it an
undeclared state is an error. That single backends are blocked is a warning. An upgrade that takes the whole cluster
down does not switch it, and is not judged in the window.

## Why it matters
With failover on, the cluster may make a follower its leader in the middle of that follower's update. Left off
afterwards, the next failure of the leader is an outage, although every status is green.

## How to fix it
Run the command that is shown on one backend. Where cluster-status does not show what it set, declare it: `failover =
"on"` or `failover = "off"` for the cluster. While the leader itself is upgraded with `upgrade --failover`, it is on by
design; scan before or after that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from checks.check import ClusterCheck, ClusterView
from checks.chef_backend.backend.leadership import Failover, columns_of, failover
from checks.chef_backend.facts.cluster import ChefBackendVersion, ClusterStatus
from checks.chef_backend.facts.machine import InstalledPackage
from checks.chef_backend.urls import CTL_URL, UPGRADE_URL
from checks.engine.installed_version import installed
from checks.engine.upgrade_path import PlanError, path_to, target_of
from checks.outcome import (
    Outcome,
    Remediation,
    Severity,
    combine,
    failed,
    not_applicable,
    not_declared,
    passed,
    undetermined,
    warned,
)
from checks.versions import VersionError, parse_version

_WANTED = {"before": "on", "window": "off", "after": "on"}
_PHASES = {
    "before": "failover is on, where cluster-status shows it or the inventory declares it; else it is not judged",
    "window": "failover is off while followers are updated, as cluster-status shows or the inventory declares",
    "after": "failover is on again, as cluster-status shows or the inventory declares",
}
_COMMAND = "sudo chef-backend-ctl set-cluster-failover {}"
_NODE = Remediation(
    "Find out why it is blocked; then allow failover again, on that backend.",
    "sudo chef-backend-ctl set-node-failover on",
    url=CTL_URL,
    language="sh",
)


def judge(view: ClusterView) -> Outcome:
    """Hold what the backends show to the phase, or else what is declared."""
    phase = view.cluster.phase
    if phase == "window" and (target := _by_downtime(view)):
        text = f"the way to {target} takes the whole cluster down and does not switch failover"
        return not_applicable(text, expected=_PHASES[phase], observed=view.cluster.declared("failover"))
    tables = [(node.name, table) for node, table in view.with_fact(ClusterStatus)]
    shown = failover(tables)
    evidence = {"columns": columns_of(tables)} if shown.text else {}
    if shown.state in ("on", "off"):
        return _of_shown(view, shown, evidence)
    # Where some may lead, the switch of the whole cluster is not off, and it is one backend that has to be looked at.
    on_for_some = shown.state and phase != "window" and view.cluster.declared("failover") != "off"
    outcomes = [] if on_for_some else [_of_declared(view, doubt=shown.text)]
    if shown.state:
        outcomes.append(warned(shown.text, expected=_PHASES[phase], observed=shown.text, remediation=_NODE))
    whole = combine(outcomes)
    return replace(whole, evidence={**whole.evidence, **evidence})


def _of_shown(view: ClusterView, shown: Failover, evidence: Mapping[str, Any]) -> Outcome:
    """Judge what every backend's table shows."""
    phase, declared = view.cluster.phase, view.cluster.declared("failover")
    wanted, expected = _WANTED[phase], _PHASES[phase]
    stale = f"; the inventory declares {declared}" if declared not in ("", shown.state) else ""
    text = f"failover is {shown.state}: {shown.text}{stale}"
    if shown.state == wanted:
        return passed(text, expected=expected, observed=shown.text, **evidence)
    text = f"{text}; it has to be {wanted} {_when(phase)}"
    # That somebody is blocked proves something. That nobody is may be this version's way to show another switch.
    end = undetermined if declared == wanted == "off" else failed
    return end(text, expected=expected, observed=shown.text, remediation=_switch(wanted), **evidence)


def _of_declared(view: ClusterView, *, doubt: str) -> Outcome:
    """Judge the inventory's word, where the tables do not tell; `doubt` says what they tell instead."""
    phase, declared = view.cluster.phase, view.cluster.declared("failover")
    wanted, expected = _WANTED[phase], _PHASES[phase]
    if declared == wanted:
        text = f"declared {declared} in the inventory; {doubt or 'cluster-status does not show it'}: not observed"
        return passed(text, expected=expected, observed=f"declared {declared}")
    if declared:
        text = f"declared {declared} in the inventory, and it has to be {wanted} {_when(phase)}"
        return failed(text, expected=expected, observed=f"declared {declared}", remediation=_switch(wanted))
    why = doubt or "this version's cluster-status does not show whether it is"
    if phase == "before":
        text = f"not declared, and {why}; the procedure has not switched it yet"
        return not_declared("failover", text, expected=expected)
    text = (
        f"failover has to be {wanted} {_when(phase)}; {why}, and the inventory does not say:"
        f' declare `failover = "{wanted}"` for the cluster once it is'
    )
    return undetermined(text, expected=expected, remediation=_switch(wanted))


def _switch(wanted: str) -> Remediation:
    return Remediation(
        f'Switch it on one backend, then declare `failover = "{wanted}"`.',
        _COMMAND.format(wanted),
        url=UPGRADE_URL,
        language="sh",
    )


def _when(phase: str) -> str:
    return "in the window, while followers are updated" if phase == "window" else f"{phase} the window"


def _by_downtime(view: ClusterView) -> str:
    """The target, where a step on the way from the oldest version known takes the whole cluster down; else empty."""
    declared = [view.cluster.current, *(node.current for node in view.nodes)]
    texts = [text for text in (*declared, *(installed(node).version for node in view.nodes)) if text]
    try:
        target = target_of(view.cluster)
        oldest = min(texts, key=parse_version, default=None)
        path = path_to(parse_version, view.cluster.rules, oldest, target)
    except (PlanError, VersionError):
        return ""
    return target if any(hop.strategy and hop.strategy.requires == "downtime" for hop in path.hops) else ""


CHECK = ClusterCheck(
    id="chef-failover-state",
    title="Cluster failover is as this phase wants it",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "Switch failover on one backend, and declare it.", _COMMAND.format("on"), url=UPGRADE_URL, language="sh"
    ),
    products=("chef-backend",),
    roles=("backend",),
    optional_facts=(ChefBackendVersion, InstalledPackage, ClusterStatus),
    phases=_PHASES,
    references=(UPGRADE_URL,),
    judge=judge,
)
