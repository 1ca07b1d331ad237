"""The target's package lies ready on every backend, the same file everywhere.

## What it checks
The file that `package` names in the inventory (for the cluster, or for each node): it is there, it is a package of
Chef Backend of the target's version by its own metadata, and its SHA-256 and file name are the same on all backends
(among the rpm and among the deb files, where a cluster runs several distributions). Where rpm or dpkg-deb cannot read
it on the node, the file's name has to do, which is a warning. A file over 2 GiB is not hashed. Without `package` there
is nothing to check, nor after the window.

## Why it matters
The documented procedure assumes that the new package has been copied to all nodes. One that is missing, cut short or
of another build is noticed when one follower is already upgraded.

## How to fix it
Copy the package again, to the node that the message names; the vendor publishes its SHA-256. The account that scans
must be allowed to read it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from packaging.version import Version

from checks.check import ClusterCheck, ClusterView, NodeView
from checks.chef_backend.facts.machine import StagedPackage
from checks.chef_backend.installed import package_version
from checks.chef_backend.urls import UPGRADE_URL
from checks.engine.consistency import compared
from checks.engine.upgrade_path import PlanError, target_of
from checks.engine.wording import enumerate_names
from checks.outcome import (
    Outcome,
    Remediation,
    Severity,
    conclude,
    failed,
    not_applicable,
    not_declared,
    passed,
    undetermined,
    warned,
)
from checks.versions import VersionError, parse_version

EXPECTED = "the target's package, the same file on all backends"
_NAMED = re.compile(r"chef-backend[-_](\d+\.\d+\.\d+)")
_BAD = {"missing": "is not there", "no-file": "is no file", "empty": "is empty"}
_WHY_NOT = {
    "denied": "may not be read by the account that scans",
    "too-large": "is over 2 GiB, and was not hashed",
    "undeclared": "no `package` is declared for it in the inventory",
}


def judge(view: ClusterView) -> Outcome:
    """Judge each file by itself, then compare them."""
    if view.cluster.phase == "after":
        return not_applicable("after the window nothing has to lie ready")
    if not any(node.options.get("package") for node in view.nodes):
        return not_declared("package", "the inventory declares no `package` to look for")
    known = view.with_fact(StagedPackage)
    try:
        target = parse_version(target_of(view.cluster))
    except PlanError as error:
        return undetermined(str(error))
    files = [(node.name, (found.sha256, _file_name(node))) for node, found in known if found.state == "hashed"]
    evidence: dict[str, Any] = {
        "files": {
            node.name: {
                "path": node.declared("package"),
                "state": found.state,
                "sha256": found.sha256,
                "size_bytes": found.size_bytes,
                "package": f"{found.name} {found.version}".strip(),
            }
            for node, found in known
        }
    }
    outcomes = [outcome for node, found in known for outcome in _of_node(node, found, target)]
    outcomes += _among(files)
    observed = "; ".join(f"{name} {values[0][:12]} {values[1]}" for name, values in files)
    outcomes = outcomes or [passed(f"{target} lies ready on {enumerate_names([name for name, _ in files])}")]
    return conclude(outcomes, expected=EXPECTED, observed=observed, evidence=evidence)


def _of_node(node: NodeView, found: StagedPackage, target: Version) -> list[Outcome]:
    path = node.declared("package")
    if found.state in _BAD:
        return [failed(f"{node.name}: {path} {_BAD[found.state]}")]
    if found.state != "hashed":
        return [undetermined(f"{node.name}: {path} {_WHY_NOT[found.state]}".replace("  ", " "))]
    if found.name and found.name != "chef-backend":
        return [failed(f"{node.name}: {path} is a package of {found.name}")]
    named = _NAMED.search(_file_name(node))
    text = found.version or (named[1] if named else "")
    try:
        version = package_version(text)
    except VersionError:
        return [undetermined(f"{node.name}: neither {path} nor its name tells a version")]
    if found.version:
        return [] if version == target else [failed(f"{node.name}: {path} is {version}, not the target {target}")]
    doubt = f"{node.name}: only the name of {path} tells its version"
    return [warned(f"{doubt}: {version}" + ("" if version == target else f", which is not the target {target}"))]


def _among(files: Sequence[tuple[str, tuple[str, str]]]) -> Iterator[Outcome]:
    """A cluster of several distributions has a package of each kind; those of one kind are the same file."""
    kinds = {file.rpartition(".")[2] for _, (_, file) in files}
    for kind in sorted(kinds if kinds <= {"rpm", "deb"} else {""}):
        alike = [(name, values) for name, values in files if values[1].endswith(kind)]
        contents = compared((name, digest) for name, (digest, _) in alike)
        yield from contents.differing(lambda who: failed(f"the staged packages differ in content (SHA-256): {who}"))
        names = compared((name, file) for name, (_, file) in alike)
        yield from names.differing(lambda who: failed(f"the staged packages differ in file name: {who}"))


def _file_name(node: NodeView) -> str:
    return node.declared("package").rpartition("/")[2]


CHECK = ClusterCheck(
    id="chef-package-staged",
    title="Target's package lies ready on all backends",
    severity=Severity.MEDIUM,
    doc=__doc__,
    remediation=Remediation(
        "Copy the target's package to the node that is named, and compare its SHA-256 with the vendor's.",
        url=UPGRADE_URL,
    ),
    products=("chef-backend",),
    roles=("backend",),
    facts=(StagedPackage,),
    phases={
        "before": "the package on all backends",
        "window": "the package on all backends",
        "after": "nothing",
    },
    references=(UPGRADE_URL,),
    judge=judge,
)
