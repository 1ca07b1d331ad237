"""From what the nodes of a Chef Backend cluster said to its plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from checks.check import NodeView
from checks.chef_backend.backend.search_index import SearchIndex, created_by, why_unknown
from checks.chef_backend.facts.cluster import ChefBackendVersion, ClusterStatus
from checks.chef_backend.facts.machine import ConfigDigest, DrbdTraces, FrontendApi, FrontendPackage, InstalledPackage
from checks.chef_backend.frontend.drbd import GUIDANCE
from checks.chef_backend.runbook import parts, recovery, signs, site
from checks.engine.evaluation import GatheredCluster
from checks.engine.upgrade_path import UpgradePath
from checks.engine.wording import enumerate_names
from checks.runbook.model import Estimate
from checks.runbook.names import CommandQuoter
from checks.runbook.writer import RefusedError, RunbookWriter, Written
from checks.scan import Verdict

_INDEX = Estimate(
    None, "not known: the vendor says two minutes for each 1000 nodes, and how many there are is not read"
)


def refuse(nodes: Sequence[NodeView]) -> None:
    """Refuse what is set up for DRBD: no way leads on from it."""
    looks = [(node.name, node.get(DrbdTraces)) for node in nodes]
    names = [name for name, found in looks if isinstance(found, DrbdTraces) and found.settings]
    if names:
        raise RefusedError(
            f"DRBD high availability is set up on {enumerate_names(names)}, which has no upgrade path",
            "Migrate to a Chef Backend cluster instead.",
            Verdict.NO_GO,
            GUIDANCE,
        )


def write(gathered: GatheredCluster, path: UpgradePath, inventory: str, names: CommandQuoter) -> Written:
    """The runbook of a cluster, whose leader has to be known."""
    backends = [node for node in gathered.nodes if "backend" in node.roles]
    found = site.find_leader(backends)
    if isinstance(found, str):
        raise RefusedError(
            f"{found}; the order of the nodes depends on it",
            "Clear what chef-cluster-status says, or mend the inventory, then plan again.",
        )
    leader, member = found
    followers = tuple(site.read_machine(node) for node in backends if node is not leader)
    if not followers:
        raise RefusedError("the cluster has one backend alone", "Make it a whole cluster of three first.")
    fronts = tuple(site.read_machine(node) for node in gathered.nodes if "frontend" in node.roles)
    rules = gathered.info.rules
    head = replace(site.read_machine(leader), member=member)
    cluster = site.ChefCluster(
        name=gathered.info.name,
        inventory=inventory,
        target=path.target,
        leader=head,
        followers=followers,
        frontends=fronts or site.PLACEHOLDER_FRONTENDS,
        index=created_by(backends),
        index_unread=why_unknown(backends),
        search_port=head.search_port,
        search_unread=head.search_unread,
        known_frontends=bool(fronts),
        names=names,
    )
    return Written(
        parts=parts.parts(cluster, path, rules),
        way_back=recovery.way_back(path),
        troubles=recovery.troubles(cluster, path),
        steps_back=tuple(recovery.steps_back(cluster, path)),
        unknown=tuple(cluster.names.unknown),
    )


RUNBOOK = RunbookWriter(
    write=write,
    facts={
        "backend": (ChefBackendVersion, ClusterStatus, InstalledPackage, SearchIndex, ConfigDigest),
        "frontend": (FrontendPackage, FrontendApi, DrbdTraces),
    },
    refuse=refuse,
    signs=signs.signs,
    kinds=signs.KINDS,
    estimates=dict.fromkeys(("rebuild-index", "reindex-search", "back-reindex"), _INDEX),
)
