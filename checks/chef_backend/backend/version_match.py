"""All backends have the same Chef Backend installed, and run what is installed.

## What it checks
The package (`rpm -q`, `dpkg-query -W`) on every backend, the manifest that it brought (`build_version`), and whether
every service was started after the package was installed (Time in State against the install time). Package and
manifest that disagree are a failure, as is an outlier among the backends. In the window backends may differ as long
as each has the old version or the target, which is a warning; afterwards all have to be at the target. A service that
is older than the package is a warning, and after the window a failure: that it still runs the old version is inferred.

## Why it matters
Installed is not yet upgraded: between the package's installation and `chef-backend-ctl upgrade` a backend runs the old
services on new files, and its next restart is an upgrade that nobody planned.

## How to fix it
Finish the node that the message names: the same package as on the others, then `chef-backend-ctl upgrade`, one
follower at a time.
"""

from __future__ import annotations

from typing import Any

from packaging.version import Version

from checks.check import ClusterCheck, ClusterView, NodeView
from checks.chef_backend.facts.cluster import ServiceStatus
from checks.chef_backend.facts.machine import InstalledPackage
from checks.chef_backend.installed import package_version, package_versions
from checks.chef_backend.urls import UPGRADE_URL
from checks.engine.consistency import compared
from checks.engine.upgrade_path import PlanError, target_of
from checks.engine.wording import enumerate_names
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Severity, conclude, failed, passed, undetermined, warned
from checks.versions import VersionError, parse_version

EXPECTED = "one version on all backends, in the package, its manifest and the running services"
_FINISH = Remediation(
    "Finish the upgrade of the node that is named, one follower at a time, then scan again.",
    "sudo chef-backend-ctl upgrade",
    url=UPGRADE_URL,
    language="sh",
)


def judge(view: ClusterView) -> Outcome:
    """Judge each backend by itself, then the versions among them, then against the target where the phase asks it."""
    known = view.with_fact(InstalledPackage)
    evidence: dict[str, Any] = {
        "nodes": {
            node.name: {"package": found.version, "manager": found.manager, "manifest": found.manifest}
            for node, found in known
        }
    }
    observed = "; ".join(f"{node.name} {found.version or 'no package'}" for node, found in known)
    outcomes = [outcome for node, found in known for outcome in _of_node(node, found)]
    versions, odd = package_versions((node.name, found.version) for node, found in known if found.manager)
    outcomes += [*odd, *_among(view, versions)]
    if not outcomes and not versions:
        outcomes.append(undetermined("no backend's package is known"))
    outcomes = outcomes or [passed(f"{versions[0][1]} on all backends")]
    return conclude(outcomes, expected=EXPECTED, observed=observed, evidence=evidence)


def _of_node(node: NodeView, found: InstalledPackage) -> list[Outcome]:
    """What is wrong with one backend's installation."""
    name = node.name
    if not found.manager:
        text = f"{name}: neither rpm nor dpkg knows a package chef-backend"
        return [undetermined(f"{text} (its manifest says {found.manifest})" if found.manifest else text)]
    outcomes = []
    if found.state != "installed":
        outcomes.append(failed(f"{name}: dpkg says the package is {found.state}", remediation=_FINISH))
    if not found.manifest:
        outcomes.append(failed(f"{name}: the package is installed, but its version-manifest.json is not there"))
    elif not _same(found.version, found.manifest):
        text = f"{name}: the package is {found.version}, its manifest says {found.manifest}"
        outcomes.append(failed(text, remediation=_FINISH))
    status = node.get(ServiceStatus)
    if isinstance(status, Unknown):
        return [*outcomes, undetermined(f"{name}: whether it runs what is installed is unknown: {status.reason}")]
    return outcomes + _of_services(node, found, status)


def _of_services(node: NodeView, found: InstalledPackage, status: ServiceStatus) -> list[Outcome]:
    """Whether the services are younger than the package. After the window, nothing else will do."""
    name, done = node.name, node.cluster.phase == "after"
    if found.installed_s is None:
        text = f"{name}: when the package was installed is not kept, so a half-done upgrade would not show"
        return [undetermined(text) if done else warned(text)]
    running = [row for row in status.services if row.running]
    mute = [row.name for row in running if row.uptime_s is None]
    age_s = found.now_s - found.installed_s
    outcomes = []
    if age_s < 0:
        text = f"{name}: by its clock the package will be installed {-age_s} s from now, so nothing is told by it"
        outcomes.append(undetermined(text))
    elif old := [row.name for row in running if row.uptime_s is not None and row.uptime_s > age_s]:
        text = f"{name}: {enumerate_names(old)} started before the package was installed: a half-done upgrade"
        end = failed if done else warned
        outcomes.append(end(f"{text} (inferred from Time in State)", remediation=_FINISH))
    if mute:
        outcomes.append(undetermined(f"{name}: when {enumerate_names(mute)} started is not told"))
    return outcomes


def _among(view: ClusterView, versions: list[tuple[str, Version]]) -> list[Outcome]:
    """What the versions say beside each other, and of the target."""
    found = compared(versions)
    told = ", ".join(f"{name} {version}" for name, version in versions)
    phase = view.cluster.phase
    try:
        target = None if phase == "before" else parse_version(target_of(view.cluster))
    except PlanError as error:
        return [undetermined(str(error))]
    if phase == "after":
        behind = [name for name, version in versions if version != target]
        return [failed(f"not at the target {target}: {enumerate_names(behind)} ({told})")] if behind else []
    if not found.agree and phase == "window" and len({version for _, version in versions} - {target}) <= 1:
        text = f"the upgrade to {target} is under way: {told}"
        remedy = Remediation(
            "Go on with the next follower once the last one has rejoined.",
            _FINISH.command,
            url=_FINISH.url,
            language="sh",
        )
        return [warned(text, remediation=remedy)]
    return found.differing(lambda who: failed(f"{who}: {told}", remediation=_FINISH))


def _same(package: str, manifest: str) -> bool:
    try:
        return package_version(package) == package_version(manifest)
    except VersionError:
        return False


CHECK = ClusterCheck(
    id="chef-version-match",
    title="Backends have one version, and run it",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "Bring the node that is named to the version of the others before anything else.",
        url=UPGRADE_URL,
    ),
    products=("chef-backend",),
    roles=("backend",),
    facts=(InstalledPackage,),
    optional_facts=(ServiceStatus,),
    phases={
        "before": "the same version on all backends",
        "window": "the old version or the target on each backend",
        "after": "the target on all backends",
    },
    references=(UPGRADE_URL,),
    judge=judge,
)
