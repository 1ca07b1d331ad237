"""The frontends have one version, new enough for the backends that they are to work with, and wholly upgraded.

## What it checks
The package `chef-server-core` on every frontend: wholly installed, the same version everywhere, and at least what the
target's major version of Chef Backend needs, and each stop on the way to it; minimums that are only inferred warn.
`/var/opt/opscode/upgrades/migration-level` is there on every frontend, and the same. In the window, when frontends are
upgraded one after the other, different versions and levels are a warning.

Which level belongs to which version is known from the vendor's own files, up to 15.10.95. A level below says that
`chef-server-ctl upgrade` was not run, or did not end: a failure after the window, and before it a warning, since the
next upgrade catches up. A level above says that the data are newer than the package, which is a failure.

## Why it matters
A frontend that is too old cannot talk to the upgraded backends. A missing migration-level is the most common cause of a
failed upgrade, and one that lacks the others' level runs the migrations of the shared data once more.

## How to fix it
Upgrade the frontend that the message names. Copy `/var/opt/opscode/upgrades/migration-level` to the one that lacks it
from a frontend of the same version; where none has it, `chef-server-ctl rebuild-migration-state` works it out anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from checks.check import ClusterCheck, ClusterView
from checks.chef_backend.facts.machine import FrontendPackage
from checks.chef_backend.installed import package_versions
from checks.chef_backend.urls import INSTALL_URL, SERVER_CTL_URL, SERVER_UPGRADE_URL
from checks.engine.consistency import compared
from checks.engine.requirements import reserved, stops_to
from checks.engine.upgrade_path import FRONTEND_LEVELS, PlanError, target_of
from checks.engine.wording import enumerate_names
from checks.outcome import Outcome, Remediation, Severity, conclude, failed, passed, undetermined, warned
from checks.versions import VersionError, parse_version

CHECK_ID = "chef-frontend-version"
EXPECTED = "one version and migration-level on all frontends, new enough for the target"
LEVEL_FILE = "/var/opt/opscode/upgrades/migration-level"
_UPGRADE = Remediation(
    "Run the upgrade on the frontend that is named, and see that it ends without an error.",
    "sudo chef-server-ctl upgrade",
    url=SERVER_UPGRADE_URL,
    language="sh",
)
_NO_LEVEL = {"missing": "is not there", "empty": "is empty"}


def judge(view: ClusterView) -> Outcome:
    """Compare the frontends, then hold each version to the target's rules."""
    known = view.with_fact(FrontendPackage)
    differs = warned if view.cluster.phase == "window" else failed
    outcomes = [outcome for node, found in known for outcome in _of_node(node.name, found)]
    absent = "neither rpm nor dpkg knows a package chef-server-core"
    versions, odd = package_versions(((node.name, found.version) for node, found in known), absent=absent)
    outcomes += odd
    told = ", ".join(f"{name} {version}" for name, version in versions)
    outcomes += compared(versions).differing(
        lambda who: differs(f"the versions of the frontends differ: {who} ({told})")
    )
    outcomes += _levels(view, dict(versions))
    try:
        target = target_of(view.cluster)
        hops = stops_to(view.cluster, view.cluster.current, target)
        for rule in view.cluster.rules.of(CHECK_ID):
            wanted = SpecifierSet(rule.requires)
            low = [name for name, version in versions if not wanted.contains(version, prereleases=True)]
            hop = next((hop for hop in hops if rule.applies_to(hop)), None)
            if low and hop:
                way = "" if hop == target else f", on the way to {target}"
                text = (
                    f"{enumerate_names(low)} too old for {hop}{way}, which needs {rule.text}{reserved(rule)} ({told})"
                )
                outcomes.append((failed if rule.effect == "fail" else warned)(text))
    except (PlanError, VersionError, InvalidSpecifier) as error:
        outcomes.append(undetermined(str(error)))
    evidence: dict[str, Any] = {
        "nodes": {node.name: {"version": found.version, "migration": found.migration_level} for node, found in known}
    }
    if not outcomes and not versions:
        outcomes.append(undetermined("no frontend's version is known"))
    outcomes = outcomes or [passed(f"{versions[0][1]} on all frontends")]
    return conclude(outcomes, expected=EXPECTED, observed=told, evidence=evidence)


def _of_node(name: str, found: FrontendPackage) -> list[Outcome]:
    """What is wrong with one frontend by itself."""
    outcomes = []
    if found.state != "installed":
        outcomes.append(failed(f"{name}: dpkg says the package is {found.state}", remediation=_UPGRADE))
    if found.version and found.level_state == "unread":
        outcomes.append(undetermined(f"{name}: {found.level_problem}"))
    return outcomes


def _levels(view: ClusterView, versions: Mapping[str, Version]) -> list[Outcome]:
    """How far the data were migrated, as each frontend knows it."""
    # Without the package it is no frontend, which is told by itself; its level says nothing.
    known = [(node, found) for node, found in view.with_fact(FrontendPackage) if found.version]
    have = [(node.name, found.migration_level) for node, found in known if found.level_state == "read"]
    outcomes = []
    for state, what in _NO_LEVEL.items():
        if lack := [node.name for node, found in known if found.level_state == state]:
            outcomes.append(failed(f"{LEVEL_FILE} {what} on {enumerate_names(lack)}", remediation=_copy(have, lack)))
    differs = warned if view.cluster.phase == "window" else failed
    outcomes += compared(have).differing(lambda who: differs(f"the migration-level of the frontends differs: {who}"))
    behind, ahead = dict[str, list[str]](), dict[str, list[str]]()
    for name, text in have:
        level, wanted = _level(text), _level_of(view, versions.get(name))
        if level is None:
            outcomes.append(undetermined(f"{name}: the migration-level is not understood: {text[:80]}"))
        elif wanted and level != wanted:
            said = f"{level}, while {versions[name]} ends with {wanted}"
            (behind if level < wanted else ahead).setdefault(said, []).append(name)
    for said, names in behind.items():
        text = f"the migration-level of {enumerate_names(names)} is {said}"
        end = failed if view.cluster.phase == "after" else warned
        outcomes.append(end(f"{text}: its upgrade was not run, or did not end", remediation=_UPGRADE))
    for said, names in ahead.items():
        text = f"the migration-level of {enumerate_names(names)} is {said}"
        outcomes.append(failed(f"{text}: the data are newer than the package"))
    return outcomes


def _copy(have: Sequence[tuple[str, str]], lack: Sequence[str]) -> Remediation:
    """How the file comes to those that lack it."""
    if have:
        return Remediation(
            f"Copy {LEVEL_FILE} from {have[0][0]} to {enumerate_names(lack)}, where both have the same version.",
            f"sudo cat {LEVEL_FILE}",
            url=INSTALL_URL,
            language="sh",
        )
    return Remediation(
        "No frontend has it: have it worked out anew on one of them, and copy it to the others.",
        "sudo chef-server-ctl rebuild-migration-state",
        url=SERVER_CTL_URL,
        language="sh",
    )


def _level(text: str) -> Version | None:
    """The level as a version, for example 1.33; None where the text is none."""
    found = re.fullmatch(r'\{"major":(\d{1,4}),"minor":(\d{1,4})\}', text)
    return Version(f"{found[1]}.{found[2]}") if found else None


def _level_of(view: ClusterView, version: Version | None) -> Version | None:
    """The level that a version of Chef Infra Server ends with; None where that is not known."""
    if version is None:
        return None
    rules = view.cluster.rules.of(FRONTEND_LEVELS)
    return next((parse_version(rule.requires) for rule in rules if rule.applies_to(str(version))), None)


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
        "after": "the same version on all frontends, and each wholly upgraded",
    },
    references=(
        INSTALL_URL,
        SERVER_UPGRADE_URL,
        "https://github.com/chef/chef-server/issues/464",
    ),
    judge=judge,
)
