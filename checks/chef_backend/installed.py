"""Which Chef Backend a machine runs: what its package's version manifest says."""

from __future__ import annotations

import re

from checks.check import NodeView
from checks.chef_backend.facts.cluster import ChefBackendVersion
from checks.facts import Unknown
from checks.versions import Installed, VersionError, parse_version

_PACKAGING = re.compile(r"-\d+(\.el\d+)?$")


def read_installed(view: NodeView) -> Installed:
    """The version of the package, without a build's stamp or a package's number."""
    found = view.look(ChefBackendVersion)
    if isinstance(found, Unknown):
        return Installed(version=None, read=False, problem=found.reason)
    as_read = (("chef-backend", found.text),)
    try:
        # A build's stamp after a plus, or a package's number after a hyphen, makes it no newer.
        version = parse_version(_PACKAGING.sub("", found.text)).public
        return Installed(version=version, read=True, as_read=as_read)
    except VersionError as error:
        return Installed(version=None, read=False, problem=str(error), as_read=as_read)
