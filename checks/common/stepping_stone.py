"""The target can be reached in one step, or the versions that have to be installed before it are named.

## What it checks
The way from the installed version (the oldest one, where the nodes differ) to the target, against the vendor's
stepping stones. A stop that is needed is a failure that names the next version to install; one that the vendor's
documents do not state outright is a warning. A step that none of them covers is a failure, and so is a target older
than what is installed: `preflight plan` gives no plan for either. An equal one is nothing to do. That a step takes the
whole cluster down is told, and is no fault; a step that may or may not is a warning. The version comes from the nodes,
and from `current` in the inventory where it cannot be read; a backend that contradicts its `current` is a warning.

## Why it matters
An upgrade that leaves out a stepping stone fails half-way, with a database or a cluster that neither version can use.

## How to fix it
Plan one window for each version named, in that order: install it on all nodes, confirm that the cluster works, take a
new backup, go on. Or correct `target` in the inventory.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from checks.check import ClusterCheck, ClusterView
from checks.engine.installed_version import declaring, installed
from checks.engine.requirements import noted
from checks.engine.upgrade_path import (
    CHECK_ID,
    NoPath,
    PlanError,
    UpgradePath,
    is_by_index,
    remarks,
    route,
    target_of,
)
from checks.engine.wording import enumerate_names, group_by_reason
from checks.outcome import (
    TOLD,
    Outcome,
    Remediation,
    Severity,
    Status,
    combine,
    failed,
    not_applicable,
    passed,
    undetermined,
    warned,
)


def judge(view: ClusterView) -> Outcome:
    """Lay out the way from the oldest node to the target."""
    try:
        target = target_of(view.cluster)
    except PlanError as error:
        return undetermined(str(error))
    product = view.cluster.definition
    found = [(node.name, installed(node)) for node in view.nodes]
    known = [(product.parse(one.version), name, one) for name, one in found if one.version is not None]
    gaps = group_by_reason((name, one.problem) for name, one in found if one.version is None)
    without = f"; version unknown: {'; '.join(gaps)}" if gaps else ""
    evidence: dict[str, Any] = {
        "target": target,
        "nodes": {name: {"version": one.version, "origin": one.origin if one.version else ""} for name, one in found},
    }
    if not known:
        message = f"installed version unknown: {'; '.join(gaps)}"
        return undetermined(message, remediation=declaring(view.nodes), **evidence)
    goal = product.parse(target)
    newer = [name for version, name, _ in known if version > goal]
    # The newest speaks for itself where the target is older than it; else the oldest has the longest way.
    oldest, oldest_name, start = (max if newer else min)(known, key=lambda row: row[0])
    observed = ", ".join(f"{name} {one.version}" + ("" if one.read else " (declared)") for _, name, one in known)
    index, unread = product.read_index(view.nodes)
    if index:
        evidence["search_index"] = index
    try:
        path = route(product.parse, view.cluster.rules, str(start.version), target, index)
    except PlanError as error:
        return undetermined(str(error), observed=observed, **evidence)
    if isinstance(path, NoPath):
        return _no_path(path, newer, gaps, target, observed, evidence)
    evidence["path"] = [hop.version for hop in path.hops]
    source = f"{start.version}"
    if any(version != oldest for version, _, _ in known):
        source += f" (the oldest, on {oldest_name})"
    outcomes = [_stops(path, source, observed, evidence)]
    for rule, text in remarks(view.cluster.rules, path, index):
        if is_by_index(rule) and unread:
            text = f"{text} (how old the index is could not be read: {unread})"  # noqa: PLW2901
        remedy = Remediation("Plan the window, and what has to be ready before it, accordingly.", url=rule.url)
        text += noted(rule)  # noqa: PLW2901
        if rule.effect == "tell":
            outcomes.append(passed(text, observed=observed, **{TOLD: text}))
        else:
            outcomes.append(warned(text, observed=observed, remediation=remedy))
    if not product.doubts_told_by:
        remedy = Remediation("Correct `current` in the inventory: what the node says counts.")
        doubts = [f"{name}: {doubt}" for name, one in found for doubt in one.doubts]
        outcomes += [warned(doubt, observed=observed, remediation=remedy) for doubt in doubts]
    if gaps and combine(outcomes).status is not Status.FAIL:
        message = f"an older node would need another way{without}"
        outcomes.append(
            undetermined(message, observed=observed, remediation=declaring(view.nodes), **evidence),
        )
    return combine(outcomes)


def _no_path(
    found: NoPath, newer: list[str], gaps: list[str], target: str, observed: str, evidence: dict[str, Any]
) -> Outcome:
    """Nothing to do, or no way: what a plan says of it, too."""
    without = f"; version unknown: {'; '.join(gaps)}" if gaps else ""
    if found.installed and gaps:
        return undetermined(f"cannot tell whether all nodes run {target}{without}", observed=observed, **evidence)
    if found.installed:
        return not_applicable(found.reason, observed=observed, **evidence, **{TOLD: found.reason})
    where = f", on {enumerate_names(newer)}" if newer else ""
    note = noted(found.rule) if found.rule else ""
    remedy = Remediation(found.instead, url=found.rule.url if found.rule else "")
    return failed(f"{found.reason}{where}{note}{without}", observed=observed, remediation=remedy, **evidence)


def _stops(path: UpgradePath, source: str, observed: str, evidence: dict[str, Any]) -> Outcome:
    stops = [hop for hop in path.hops if hop.stone]
    if not stops:
        return passed(f"{source} to {path.target} in one step", expected="one step", observed=observed, **evidence)
    rules = [hop.stone for hop in stops if hop.stone]
    then = ", then ".join(hop.version for hop in path.hops[1:])
    message = f"{source} to {path.target} needs a stop: install {path.hops[0].version} first, then {then}"
    message += "".join(map(noted, rules))
    unsure = [rule for rule in rules if rule.confidence != "documented"]
    message += "".join(f" ({rule.confidence}: {rule.source})" for rule in unsure)
    evidence["rules"] = [{"id": rule.id, "requires": rule.requires, "source": rule.source} for rule in rules]
    end = failed if any(rule.effect == "fail" for rule in rules) else warned
    remedy = Remediation(
        f"Upgrade to {path.hops[0].version} in a window of its own before anything else: {rules[0].text}.",
        url=rules[0].url,
    )
    return end(
        message,
        expected=f"{path.hops[0].version} is installed first",
        observed=observed,
        remediation=remedy,
        **evidence,
    )


def of(product: str, carrier: str, facts: tuple[type, ...], references: tuple[str, ...]) -> ClusterCheck:
    """The check as a product has it: `carrier` is the role whose version counts, `facts` what it is read from."""
    return replace(_CHECK, products=(product,), roles=(carrier,), optional_facts=facts, references=references)


_CHECK = ClusterCheck(
    id=CHECK_ID,
    title="Upgrade path has no missing stepping stone",
    severity=Severity.CRITICAL,
    doc=__doc__,
    remediation=Remediation("Install the versions that the message names, in that order, before the target."),
    judge=judge,
)
