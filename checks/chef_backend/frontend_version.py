"""The frontends have one version, new enough for the backends that they are to work with.

## What it checks
The package `chef-server-core` on every frontend: the same version everywhere, and at least what the target's major
version of Chef Backend needs, and each stop on the way to it; minimums that are only inferred warn. `migration-level`
is the same on all frontends. In the window, when frontends are upgraded one after the other, different ones are a
warning.

## Why it matters
A frontend that is too old cannot talk to the upgraded backends. One that lacks the others' migration-level runs the
migrations of the shared data once more.

## How to fix it
Upgrade the frontend that the message names; copy `/var/opt/opscode/upgrades/migration-level` from the first upgraded
frontend to the others before theirs.
"""

from __future__ import annotations

from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from checks.check import ClusterCheck, ClusterView
from checks.chef_backend.node_facts import FrontendPackage
from checks.chef_backend.version_match import package_version
from checks.groups import enumerate_names, group
from checks.outcome import Outcome, Remediation, Severity, combine, failed, passed, undetermined, warned
from checks.thresholds import stops_to
from checks.upgrade_path import PlanError, target_of
from checks.versions import VersionError

CHECK_ID = "chef-frontend-version"
EXPECTED = "one version and migration-level on all frontends, new enough for the target"


def judge(view: ClusterView) -> Outcome:
    """Compare the frontends, then hold each version to the target's rules."""
    known = view.known(FrontendPackage)
    differs = warned if view.cluster.phase == "window" else failed
    outcomes: list[Outcome] = []
    versions = []
    for node, found in known:
        try:
            versions.append((node.name, package_version(found.version)))
        except VersionError as error:
            text = str(error) if found.version else "neither rpm nor dpkg knows a package chef-server-core"
            outcomes.append(undetermined(f"{node.name}: {text}"))
    told = ", ".join(f"{name} {version}" for name, version in versions)
    groups = group(versions)
    if not groups.agree:
        outcomes.append(differs(f"the versions of the frontends differ: {groups.sentence()} ({told})"))
    levels = group((node.name, found.migration_level) for node, found in known)
    if not levels.agree:
        outcomes.append(differs(f"the migration-level of the frontends differs: {levels.sentence()}"))
    try:
        target = target_of(view.cluster)
        hops = stops_to(view.cluster, view.cluster.current, target)
        for rule in view.cluster.rules.of(CHECK_ID):
            wanted = SpecifierSet(rule.requires)
            low = [name for name, version in versions if not wanted.contains(version, prereleases=True)]
            hop = next((hop for hop in hops if rule.applies_to(hop)), None)
            if low and hop:
                way = "" if hop == target else f", on the way to {target}"
                unsure = "" if rule.confidence == "documented" else f" ({rule.confidence}: {rule.source})"
                note = f" ({rule.note})" if rule.note else ""
                text = f"{enumerate_names(low)} too old for {hop}{way}, which needs {rule.text}{unsure}{note} ({told})"
                outcomes.append((failed if rule.effect == "fail" else warned)(text))
    except (PlanError, VersionError, InvalidSpecifier) as error:
        outcomes.append(undetermined(str(error)))
    evidence: dict[str, Any] = {
        "nodes": {node.name: {"version": found.version, "migration": found.migration_level} for node, found in known}
    }
    if not outcomes and not versions:
        outcomes.append(undetermined("no frontend's version is known"))
    whole = combine(outcomes) if outcomes else passed(f"{versions[0][1]} on all frontends")
    return Outcome(whole.status, whole.message, EXPECTED, told, evidence, whole.remediation)


CHECK = ClusterCheck(
    id=CHECK_ID,
    title="Frontends have one version, new enough for the backends",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation("Upgrade the frontend that is named, after the backends, one frontend first."),
    products=("chef-backend",),
    roles=("frontend",),
    facts=(FrontendPackage,),
    phases={
        "before": "the same version on all frontends",
        "window": "different versions are a warning",
        "after": "the same version on all frontends",
    },
    references=("https://docs.chef.io/install_server_ha/",),
    judge=judge,
)
