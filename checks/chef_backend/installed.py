"""Which Chef Backend a machine runs: what its package's version manifest says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress

from packaging.version import Version

from checks.check import NodeView
from checks.chef_backend.facts.cluster import ChefBackendVersion
from checks.chef_backend.facts.machine import InstalledPackage
from checks.facts import Unknown
from checks.outcome import Outcome, undetermined
from checks.versions import Installed, VersionError, parse_version

_PACKAGING = re.compile(r"-\d+(\.el\d+)?$")


def read_installed(view: NodeView) -> Installed:
    """The version of the package, without a build's stamp or a package's number.

    Half a version is one, too: "2.3.1" of "2.3.16". So it is held beside rpm's or dpkg's, and that of the package's
    manifest, where they are known.
    """
    found = view.get(ChefBackendVersion)
    if isinstance(found, Unknown):
        return Installed(version=None, read=False, problem=found.reason)
    as_read = (("chef-backend", found.text),)
    try:
        # A build's stamp after a plus, or a package's number after a hyphen, makes it no newer.
        version = parse_version(_PACKAGING.sub("", found.text)).public
    except VersionError as error:
        return Installed(version=None, read=False, problem=str(error), as_read=as_read)
    others = _others(view)
    if others and all(other != version and other.startswith(version) for _, other in others):
        told = " and ".join(f"{who} {other}" for who, other in others)
        problem = f"`chef-backend-ctl --version` says {version}, which is half of what others say: {told}"
        return Installed(version=None, read=False, problem=problem, as_read=as_read)
    return Installed(version=version, read=True, as_read=as_read)


def package_version(text: str) -> Version:
    """The product's version from a package's: without epoch, release and build stamp. Raises VersionError."""
    plain = text.rpartition(":")[2]
    return parse_version(parse_version(plain.partition("-")[0]).public)


def package_versions(
    packages: Iterable[tuple[str, str]], *, absent: str = ""
) -> tuple[list[tuple[str, Version]], list[Outcome]]:
    """Nodes with the versions of their packages, and what there is to say of those without; `absent` where a text is
    empty.
    """
    versions, outcomes = [], []
    for name, text in packages:
        try:
            versions.append((name, package_version(text)))
        except VersionError as error:
            outcomes.append(undetermined(f"{name}: {error if text or not absent else absent}"))
    return versions, outcomes


def _others(view: NodeView) -> list[tuple[str, str]]:
    """What else tells the version, as far as it can be compared."""
    found = view.get(InstalledPackage)
    if isinstance(found, Unknown):
        return []
    others = []
    for who, text in ((found.manager, found.version), ("its manifest", found.manifest)):
        with suppress(VersionError):
            others += [(who, str(package_version(text)))] if text else []
    return others
