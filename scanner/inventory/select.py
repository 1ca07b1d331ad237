"""What of an inventory is scanned: `--cluster`, `--node` and `--target`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from checks.common.dataclass import dataclass
from checks.versions import VersionError, parse_version
from scanner.errors import UsageError
from scanner.inventory.model import Cluster, Inventory
from scanner.inventory.products import Product
from scanner.inventory.reading.values import did_you_mean, shown

Pair = tuple[str, str]
"""A node as (cluster, node)."""

_LISTED = 30


@dataclass(frozen=True, slots=True)
class Selection:
    """What is scanned."""

    inventory: Inventory
    """Targets applied. Of the clusters only those that are touched, each with all its nodes."""
    chosen: frozenset[Pair]
    """The nodes that are asked."""
    narrowed: bool
    """True where some node of the whole inventory is left out."""


def parse_targets(texts: Iterable[str]) -> dict[str, str]:
    """`--target` values, CLUSTER=VERSION or a VERSION alone, as cluster to version; "" stands for the one alone.

    Raises UsageError.
    """
    targets: dict[str, str] = {}
    for text in texts:
        # Names may hold a "=", versions may not.
        name, equals, version = text.rpartition("=")
        name, version = name.strip(), version.strip()
        if not version or (equals and not name):
            raise UsageError(f"--target {shown(text)}: expected CLUSTER=VERSION")
        if targets.setdefault(name, version) != version:
            raise UsageError(f"--target: {name or 'the cluster'} is given two versions, {targets[name]} and {version}")
    return targets


def select(
    inventory: Inventory,
    clusters: Sequence[str] = (),
    nodes: Sequence[str] = (),
    targets: Mapping[str, str] | None = None,
) -> Selection:
    """The part of `inventory` that is asked for.

    `clusters` are names; `nodes` are NAME (in whichever clusters have it), CLUSTER.NODE or CLUSTER/NODE. Where both
    are given, a node must be in one of the clusters. Neither: everything. `targets` maps clusters to the versions to
    upgrade to; "" means the only cluster.

    Raises UsageError for a name that is not there, and for a target that is no version of its product.
    """
    in_scope = _clusters(inventory, clusters)
    chosen = _nodes(inventory, in_scope, nodes)
    touched = tuple(cluster for cluster in in_scope if any(name == cluster.name for name, _ in chosen))
    aimed = _with_targets(inventory, touched, targets or {}, inventory.products)
    everything = {(cluster.name, node.name) for cluster in inventory.clusters for node in cluster.nodes}
    return Selection(replace(inventory, clusters=aimed), chosen, narrowed=chosen != everything)


def _clusters(inventory: Inventory, names: Sequence[str]) -> tuple[Cluster, ...]:
    known = [cluster.name for cluster in inventory.clusters]
    _refuse("--cluster", "cluster", [name for name in names if name not in known], known)
    return tuple(cluster for cluster in inventory.clusters if not names or cluster.name in names)


def _nodes(inventory: Inventory, in_scope: tuple[Cluster, ...], wanted: Sequence[str]) -> frozenset[Pair]:
    pairs = [(cluster.name, node.name) for cluster in in_scope for node in cluster.nodes]
    if not wanted:
        return frozenset(pairs)
    chosen: set[Pair] = set()
    unknown: list[str] = []
    for text in wanted:
        found = [pair for pair in pairs if text in _ways_to_say(pair)]
        chosen.update(found)
        if not found:
            unknown.append(text)
    for text in unknown:
        for cluster in inventory.clusters:
            if any(text in _ways_to_say((cluster.name, node.name)) for node in cluster.nodes):
                raise UsageError(
                    f"--node {text}: this node is in {cluster.name}, which --cluster leaves out; "
                    f"add --cluster {cluster.name}"
                )
    names = dict.fromkeys(node for _, node in pairs)
    full = [f"{cluster}.{node}" for cluster, node in pairs]
    _refuse("--node", "node", unknown, full if any("." in text or "/" in text for text in unknown) else list(names))
    return frozenset(chosen)


def _ways_to_say(pair: Pair) -> tuple[str, str, str]:
    cluster, node = pair
    return node, f"{cluster}.{node}", f"{cluster}/{node}"


def _refuse(option: str, what: str, unknown: Sequence[str], known: Sequence[str]) -> None:
    if not unknown:
        return
    listed = ", ".join(known[:_LISTED]) + (f" and {len(known) - _LISTED} more" if len(known) > _LISTED else "")
    lines = [f"{option} {name}: no such {what}{did_you_mean(name.replace('/', '.'), known)}" for name in unknown]
    raise UsageError("\n".join([*lines, f"{what}s of this inventory: {listed}"]))


def _with_targets(
    inventory: Inventory, touched: tuple[Cluster, ...], targets: Mapping[str, str], known: Mapping[str, Product]
) -> tuple[Cluster, ...]:
    names = [cluster.name for cluster in inventory.clusters]
    _refuse("--target", "cluster", [name for name in targets if name and name not in names], names)
    here = [cluster.name for cluster in touched]
    wanted = {name: version for name, version in targets.items() if name}
    if "" in targets:
        if len(here) != 1:
            raise UsageError(
                f"--target {targets['']}: there are several clusters; say which, as in --target {here[0]}={targets['']}"
            )
        if wanted.setdefault(here[0], targets[""]) != targets[""]:
            raise UsageError(f"--target: {here[0]} is given two versions, {wanted[here[0]]} and {targets['']}")
    for name, version in wanted.items():
        if name not in here:
            raise UsageError(f"--target {name}={version}: {name} is left out of this run, so its target is unused")
    for cluster in touched:
        if cluster.name in wanted:
            _check_version(cluster, wanted[cluster.name], known)
    return tuple(
        replace(cluster, target=wanted[cluster.name], target_from="command line") if cluster.name in wanted else cluster
        for cluster in touched
    )


def _check_version(cluster: Cluster, version: str, known: Mapping[str, Product]) -> None:
    product = known.get(cluster.product)
    try:
        (product.parse if product else parse_version)(version)
    except VersionError as error:
        raise UsageError(f"--target {cluster.name}={version}: {error}") from None
