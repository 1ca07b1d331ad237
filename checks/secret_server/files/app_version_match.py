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

from checks.check import ClusterCheck, ClusterView
from checks.engine.consistency import Comparison, compared
from checks.engine.installed_version import declaring, installed
from checks.engine.upgrade_path import PlanError, path_to, target_of
from checks.engine.wording import count, enumerate_names
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Severity, failed, not_applicable, passed, undetermined, warned
from checks.secret_server.facts.node import AppFiles
from checks.secret_server.urls import CLUSTERING_URL
from checks.versions import VersionError, is_wrapped, parse_secret_server, parse_version

EXPECTED = "the same version on all web nodes"
_AFTER = "the target on all web nodes"
_CORRECT = Remediation("Correct `current` in the inventory; where libraries disagree, copy the folder anew.")
_OPEN = Remediation(
    "Find out what holds the file that is named (a backup, a scanner for viruses), or give the scanner's account read "
    "access to it, and scan again. The application itself needs no change."
)


def judge(view: ClusterView) -> Outcome:
    """Compare the versions as far as they are known."""
    found = [(node.name, installed(node)) for node in view.nodes]
    known = compared((name, one.version or Unknown(one.problem)) for name, one in found)
    read = compared((name, one.version) for name, one in found if one.version and one.read)
    observed = "; ".join(
        f"{name} {version}{'' if name in dict(read.values) else ' (declared)'}" for name, version in known.values
    )
    doubts = [f"{name}: {doubt}" for name, one in found for doubt in one.doubts]
    tail = "".join(f"; {note}" for note in [*doubts, *known.not_compared])
    if view.cluster.phase == "after":
        outcome = replace(_afterwards(view, read.values, observed, tail), expected=_AFTER)
    else:
        outcome = _differing(view, known, read, observed, tail) or _alike(view, known, read, tail)
    evidence = {
        name: {"version": one.version, "origin": one.origin if one.version else "", "files": dict(one.as_read)}
        for name, one in found
    }
    return replace(outcome, observed=observed, evidence={"nodes": evidence})


def _differing(
    view: ClusterView, known: Comparison[str], read: Comparison[str], observed: str, tail: str
) -> Outcome | None:
    """What is to be said where not all nodes are known to have one version; None where they are."""
    under_way = _is_under_way(view, [version for version, _ in read.groups.members])
    if not read.agree and not (under_way and known.gaps):
        message = f"{read.groups.sentence()}: {observed}{tail}"
        if under_way:
            return warned(f"the upgrade is under way: {message}", expected=EXPECTED)
        return failed(message, expected=EXPECTED)
    if known.gaps:
        message = f"the version of {len(known.gaps)} of {count(len(view.nodes), 'web node')} is unknown{tail}"
        return undetermined(message, expected=EXPECTED, remediation=declaring(view.nodes))
    if known.agree:
        return None
    message = f"cannot tell: {known.groups.sentence()}, but not every version was read from its node: {observed}{tail}"
    return undetermined(message, expected=EXPECTED)


def _alike(view: ClusterView, known: Comparison[str], read: Comparison[str], tail: str) -> Outcome:
    """What is to be said where all nodes have one version."""
    version = known.values[0][1]
    doubtful = [one for node in view.nodes if (one := installed(node)).doubts]
    if doubtful:
        remedy = _OPEN if all(one.closed for one in doubtful) else _CORRECT
        return warned(f"{version} on all web nodes, with doubts{tail}", expected=EXPECTED, remediation=remedy)
    if len(view.nodes) == 1:
        return not_applicable(f"one web node ({version}): nothing to compare")
    declared = [name for name, _ in known.values if name not in dict(read.values)]
    origin = f" ({', '.join(declared)}: as the inventory declares)" if declared else ""
    return passed(f"{version} on all {len(view.nodes)} web nodes{origin}", expected=EXPECTED)


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
