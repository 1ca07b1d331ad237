"""Which version a node runs: as its product reads it from the facts, else as the inventory declares it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from checks.check import NodeView
from checks.engine.consistency import group
from checks.engine.wording import enumerate_names
from checks.facts import EndedError, UnknownFactError
from checks.outcome import Remediation
from checks.versions import Installed, VersionError


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
    carriers = [node for node in nodes if node.cluster.definition.carrier in node.roles]
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
    if not view.worked_out:  # nearly every check asks, and the facts stay the same
        view.worked_out.append(_installed(view))
    return view.worked_out[0]


def _installed(view: NodeView) -> Installed:
    product = view.cluster.definition
    try:
        found = product.read_installed(view)
    except UnknownFactError as gap:
        found = Installed(version=None, read=False, problem=gap.reason)
    except EndedError as ended:
        found = Installed(version=None, read=False, problem=str(ended), defect=str(ended))
    if view.current is None:
        return found
    try:
        product.parse(view.current)
    except VersionError as error:
        doubt = f"`current` in the inventory cannot be used: {error}"
        return Installed(
            version=found.version,
            read=found.read,
            problem=found.problem,
            doubts=(*found.doubts, doubt),
            as_read=found.as_read,
            defect=found.defect,
        )
    declared = view.current.strip()
    if found.version is None:
        return Installed(
            version=declared,
            read=False,
            problem=found.problem,
            doubts=found.doubts,
            as_read=found.as_read,
            defect=found.defect,
        )
    if product.parse(declared) == product.parse(found.version):
        return found
    doubt = f"the inventory declares {declared}, the node says {found.version}"
    return Installed(version=found.version, read=True, doubts=(*found.doubts, doubt), as_read=found.as_read)
