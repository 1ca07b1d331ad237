"""Which version of the product a node runs, from its files or package, else as the inventory declares it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from checks.check import NodeView
from checks.chef_backend.facts.cluster import ChefBackendVersion
from checks.engine.consistency import enumerate_names, group
from checks.engine.upgrade_path import parse_product_version
from checks.engine.wording import count
from checks.facts import Unknown
from checks.outcome import Remediation
from checks.secret_server.facts.node import AppFiles
from checks.versions import VersionError, parse_file_version, parse_secret_server, parse_version, secret_server_text

_PACKAGING = re.compile(r"-\d+(\.el\d+)?$")
CARRIERS = {"secret-server": "web", "chef-backend": "backend"}
"""The role whose machines carry the product's version; those of other roles run something else, or nothing of it."""
MAIN_LIBRARY = "thycotic.ihawu.business.dll"
"""The library whose version is taken for the product's, where the libraries disagree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What is known of a node's version."""

    version: str | None
    """As the vendor writes it; None where it is unknown."""
    read: bool
    """True where the node itself said so; False where the inventory stands in."""
    problem: str = ""
    """Why it could not be read from the node; empty where it was."""
    doubts: tuple[str, ...] = ()
    """What speaks against it: libraries that disagree, a declared version that is another."""
    as_read: tuple[tuple[str, str], ...] = ()
    """Each file, or the package, with the version text as read, or why there is none."""
    closed: bool = False
    """True where the doubts come of a library that could not be looked into: nothing is said against the others."""

    @property
    def origin(self) -> str:
        """Where the version comes from, for messages."""
        return "read from the node" if self.read else "declared in the inventory"


def declaring(nodes: Iterable[NodeView]) -> Remediation | None:
    """What to do where the version of some of `nodes` is unknown; None where none of those was asked at all."""
    unread = [node.name for node in nodes if installed(node).version is None and not node.absence]
    if not unread:
        return None
    return Remediation(
        f"Clear what keeps the version of {enumerate_names(unread)} from being read, or declare it as `current` of the "
        "node in the inventory."
    )


def installed_text(nodes: Sequence[NodeView]) -> str:
    """The versions of those of a cluster's `nodes` that carry the product: one alone, several with their nodes.

    A node of which it is not known is named beside the others: `11.7.000049 (not known of web3)`. Empty: of none.
    """
    carriers = [node for node in nodes if CARRIERS.get(node.cluster.product) in node.roles]
    known = [(node.name, version) for node in carriers if (version := installed(node).version)]
    if not known:
        return ""
    silent = [node.name for node in carriers if node.name not in dict(known)]
    rest = f" (not known of {enumerate_names(silent)})" if silent else ""
    found = group(known)
    if found.agree:
        return f"{known[0][1]}{rest}"
    return ", ".join(f"{version} ({', '.join(names)})" for version, names in found.members) + rest


def installed(view: NodeView) -> Installed:
    """The version that `view`'s node runs."""
    product = view.cluster.product
    found = _from_files(view) if product == "secret-server" else _from_package(view)
    if view.current is None:
        return found
    try:
        parse_product_version(product, view.current)
    except VersionError as error:
        doubt = f"`current` in the inventory cannot be used: {error}"
        return Installed(
            version=found.version,
            read=found.read,
            problem=found.problem,
            doubts=(*found.doubts, doubt),
            as_read=found.as_read,
        )
    declared = view.current.strip()
    if found.version is None:
        return Installed(
            version=declared, read=False, problem=found.problem, doubts=found.doubts, as_read=found.as_read
        )
    if parse_product_version(product, declared) == parse_product_version(product, found.version):
        return found
    doubt = f"the inventory declares {declared}, the node says {found.version}"
    return Installed(version=found.version, read=True, doubts=(*found.doubts, doubt), as_read=found.as_read)


def _from_package(view: NodeView) -> Installed:
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


def _from_files(view: NodeView) -> Installed:
    found = view.look(AppFiles)
    if isinstance(found, Unknown):
        return Installed(version=None, read=False, problem=found.reason)
    as_read = tuple((file.name, file.version or file.problem) for file in found.files)
    versions: dict[str, str] = {}
    malformed = ""
    closed = {file.name.lower(): file.problem for file in found.files if file.problem}
    for file in found.files:
        name, text = file.name, file.version
        if file.problem:
            malformed = malformed or f"{name}: {file.problem}"
            continue
        try:
            version = secret_server_text(parse_file_version(text))
            parse_secret_server(version)
            versions[name.lower()] = version
        except VersionError as error:
            malformed = malformed or (f"{name}: {error}" if text else f"{name} carries no version")
    if not versions:
        problem = malformed or f"no Thycotic*.dll in {found.root}\\bin"
        return Installed(version=None, read=False, problem=problem, as_read=as_read)
    ranked = Counter(versions.values()).most_common()
    mute = MAIN_LIBRARY not in versions and any(name.lower() == MAIN_LIBRARY for name, _ in as_read)
    why = closed.get(MAIN_LIBRARY, "it tells no version")
    doubts = (f"{MAIN_LIBRARY}: {why}; the other libraries stand in",) if mute else ()
    if len(ranked) == 1:
        shut = mute and MAIN_LIBRARY in closed
        return Installed(version=ranked[0][0], read=True, doubts=doubts, as_read=as_read, closed=shut)
    text = ", ".join(f"{version} ({count(number, 'file')})" for version, number in ranked)
    doubts = (f"the application's libraries disagree: {text}",)
    if MAIN_LIBRARY in versions:
        return Installed(version=versions[MAIN_LIBRARY], read=True, doubts=doubts, as_read=as_read)
    if ranked[0][1] > ranked[1][1]:
        return Installed(version=ranked[0][0], read=True, doubts=doubts, as_read=as_read)
    return Installed(version=None, read=False, problem=doubts[0], as_read=as_read)
