"""All web nodes run the same version of the application.

## What it checks
The file versions of the application's own libraries (`bin\\Thycotic*.dll`) on every web node. Where the libraries of
one node disagree, `Thycotic.ihawu.Business.dll` decides, else the majority, and the disagreement is a warning.
`current` in the inventory (of the node, else of its cluster) stands in where nothing can be read; where both are
known and differ, that is a warning, and what was read counts. Two versions that were read on two nodes are a failure;
against one that is only declared it cannot be told. In the window, while one node is upgraded before the others, two
versions are a warning where the newer is the target or a stop on the way to it. Afterwards every node is at the target,
as read from its files.

## Why it matters
A node whose files differ from the database's version does not run. It was most likely left out of the last upgrade.

## How to fix it
Copy the application folder, without `database.config` and `encryption.config`, from a node that works over the
outlier.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from checks.check import ClusterCheck, ClusterView
from checks.engine.consistency import enumerate_names, group, group_by_reason
from checks.engine.installed_version import declaring, installed
from checks.engine.upgrade_path import PlanError, path_to, target_of
from checks.engine.wording import count
from checks.outcome import Outcome, Remediation, Severity, failed, not_applicable, passed, undetermined, warned
from checks.secret_server.facts.node import AppFiles
from checks.secret_server.urls import CLUSTERING_URL
from checks.versions import VersionError, is_wrapped, parse_secret_server, parse_version

EXPECTED = "the same version on all web nodes"
_AFTER = "the target on all web nodes"


def judge(view: ClusterView) -> Outcome:
    """Compare the versions as far as they are known."""
    found = [(node.name, installed(node)) for node in view.nodes]
    known = [(name, one.version, one.read) for name, one in found if one.version is not None]
    gaps = [(name, one.problem) for name, one in found if one.version is None]
    doubts = [f"{name}: {doubt}" for name, one in found for doubt in one.doubts]
    observed = "; ".join(f"{name} {version}{'' if read else ' (declared)'}" for name, version, read in known)
    evidence: dict[str, Any] = {
        "nodes": {
            name: {"version": one.version, "origin": one.origin if one.version else "", "files": dict(one.as_read)}
            for name, one in found
        }
    }
    read_groups = group((name, version) for name, version, read in known if read)
    groups = group((name, version) for name, version, _ in known)
    tail = "".join(f"; {note}" for note in [*doubts, *group_by_reason(gaps)])
    if view.cluster.phase == "after":
        outcome = _afterwards(view, [(name, version) for name, version, read in known if read], observed, tail)
        return replace(outcome, expected=_AFTER, observed=observed, evidence=evidence)
    under_way = _is_under_way(view, [version for version, _ in read_groups.members])
    if not read_groups.agree and not (under_way and gaps):
        message = f"{read_groups.sentence()}: {observed}{tail}"
        if under_way:
            message = f"the upgrade is under way: {message}"
        end = warned if under_way else failed
        return end(message, expected=EXPECTED, observed=observed, **evidence)
    if gaps:
        message = f"the version of {len(gaps)} of {count(len(found), 'web node')} is unknown{tail}"
        remedy = declaring(view.nodes)
        return undetermined(message, expected=EXPECTED, observed=observed, remediation=remedy, **evidence)
    if not groups.agree:
        message = f"cannot tell: {groups.sentence()}, but not every version was read from its node: {observed}{tail}"
        return undetermined(message, expected=EXPECTED, observed=observed, **evidence)
    version = known[0][1]
    if doubts:
        remedy = Remediation("Correct `current` in the inventory; where libraries disagree, copy the folder anew.")
        if all(one.closed for _, one in found if one.doubts):
            remedy = Remediation(
                "Find out what holds the file that is named (a backup, a scanner for viruses), or give the scanner's "
                "account read access to it, and scan again. The application itself needs no change."
            )
        message = f"{version} on all web nodes, with doubts{tail}"
        return warned(message, expected=EXPECTED, observed=observed, remediation=remedy, **evidence)
    if len(found) == 1:
        return not_applicable(f"one web node ({version}): nothing to compare", observed=observed, **evidence)
    declared = [name for name, _, read in known if not read]
    origin = f" ({', '.join(declared)}: as the inventory declares)" if declared else ""
    return passed(f"{version} on all {len(found)} web nodes{origin}", expected=EXPECTED, observed=observed, **evidence)


def _is_under_way(view: ClusterView, versions: Sequence[str]) -> bool:
    """Whether it is the window, and `versions` are those before and after one step of the upgrade."""
    if view.cluster.phase != "window" or len(versions) != len(("old", "new")):
        return False
    old, new = sorted(versions, key=parse_version)
    try:
        path = path_to(parse_secret_server, view.cluster.rules, old, target_of(view.cluster))
    except (PlanError, VersionError):
        return False
    return parse_version(new) in [parse_version(hop.version) for hop in path.hops]


def _afterwards(view: ClusterView, known: Sequence[tuple[str, str]], observed: str, tail: str) -> Outcome:
    """What the versions that were read say of the target; `tail` tells of doubts and gaps."""
    try:
        target = target_of(view.cluster)
    except PlanError as error:
        return undetermined(str(error))
    late = [
        name
        for name, version in known
        if parse_version(version) != parse_version(target) and not is_wrapped(version, target)
    ]
    if late:
        return failed(f"{enumerate_names(late)} not at the target {target}: {observed}{tail}")
    unread = [node.name for node in view.nodes if node.name not in dict(known)]
    if unread:
        return undetermined(f"the version of {enumerate_names(unread)} was not read from its files: {observed}{tail}")
    return warned(f"{target} on all web nodes, with doubts{tail}") if tail else passed(f"{target} on all web nodes")


CHECK = ClusterCheck(
    id="app-version-match",
    title="Application version is the same on all web nodes",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "Copy the application folder from a node that works to the outlier, except database.config and "
        "encryption.config.",
        url=CLUSTERING_URL,
    ),
    products=("secret-server",),
    roles=("web",),
    optional_facts=(AppFiles,),
    phases={
        "before": "the same version on all web nodes",
        "window": "the old version or the one that is being installed on each web node; both are a warning",
        "after": "the target on all web nodes",
    },
    references=(CLUSTERING_URL,),
    judge=judge,
)
