"""From a cluster's facts and results to its plan, or to why it gets none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from checks.check import NodeView
from checks.chef_backend.drbd import GUIDANCE
from checks.chef_backend.node_facts import DrbdTraces
from checks.chef_backend.search_index import created_by
from checks.evaluation import GatheredCluster
from checks.groups import enumerate_names, group, told_once
from checks.installed import Installed, installed
from checks.outcome import Result, Status
from checks.plan import chef_backend, chef_cluster, secret_server, secret_server_site
from checks.plan.model import Part, Plan, Refusal, Runbook, Trouble
from checks.scan import Verdict, verdict_of
from checks.secret_server.database_facts import SecretServerDatabase
from checks.secret_server.facts import IisConfiguration, WebRoot
from checks.upgrade_path import NoPath, PlanError, UpgradePath, route, target_of
from checks.versions import VersionError

Written = tuple[tuple[Part, ...], tuple[str, ...], tuple[Trouble, ...], tuple[str, ...]]
"""Parts, way back, troubles, unknown names."""

NEEDS: Mapping[str, tuple[type, ...]] = {
    "dr": (WebRoot, IisConfiguration),
    "database": (SecretServerDatabase,),
}
"""Role to facts that a plan names things by, whatever the checks ask of such a node."""

_ROLE = {"secret-server": "web", "chef-backend": "backend"}
"""The nodes whose version is the cluster's."""


class _RefusedError(Exception):
    def __init__(self, reason: str, instead: str, verdict: Verdict = Verdict.UNKNOWN, url: str = "") -> None:
        super().__init__(reason)
        self.reason, self.instead, self.verdict, self.url = reason, instead, verdict, url


def plan_of(gathered: GatheredCluster, results: Sequence[Result], inventory: str) -> Plan:
    """The plan of one cluster. `results` are those of the scan that it rests on, `inventory` the file's name."""
    info = gathered.info
    own = [row for row in results if row.cluster == info.name]
    blockers = tuple(row for row in own if row.status in (Status.FAIL, Status.ERROR) and not _is_stop(row))
    warnings = tuple(row for row in own if row.status is Status.WARN)
    try:
        path = _path(gathered)
        parts, back, troubles, unknown = _WRITERS[info.product](gathered, path, inventory)
    except _RefusedError as no:
        return Refusal(info.name, info.product, no.reason, no.instead, no.verdict, blockers, no.url, warnings)
    verdict = verdict_of([row for row in own if not _is_stop(row)])
    return Runbook(info.name, info.product, path, verdict, blockers, warnings, parts, back, troubles, unknown)


def _is_stop(row: Result) -> bool:
    """Whether the failure says that a stepping stone is needed: the plan is the answer to it."""
    return row.check == "stepping-stone" and row.status is Status.FAIL


def _path(gathered: GatheredCluster) -> UpgradePath:
    info = gathered.info
    if info.product not in _WRITERS:
        raise _RefusedError(f"no plan is known for {info.product}", "Follow the product's own documents.")
    _refuse_drbd(gathered.nodes)
    try:
        target = target_of(info)
        current = _current([node for node in gathered.nodes if _ROLE[info.product] in node.roles])
        found = route(info.product, info.rules, current, target)
    except (PlanError, VersionError) as error:
        raise _RefusedError(str(error), "Set what is missing in the inventory, then plan again.") from None
    if isinstance(found, NoPath):
        url = found.rule.url if found.rule else ""
        raise _RefusedError(found.reason, found.instead, Verdict.NO_GO, url)
    return found


def _refuse_drbd(nodes: Sequence[NodeView]) -> None:
    looks = [(node.name, node.look(DrbdTraces)) for node in nodes]
    names = [name for name, found in looks if isinstance(found, DrbdTraces) and found.settings]
    if names:
        raise _RefusedError(
            f"DRBD high availability is set up on {enumerate_names(names)}, which has no upgrade path",
            "Migrate to a Chef Backend cluster instead.",
            Verdict.NO_GO,
            GUIDANCE,
        )


def _current(nodes: Sequence[NodeView]) -> str:
    """The one version that all nodes run."""
    if not nodes:
        raise _RefusedError("the inventory names no node to upgrade", "Add the cluster's nodes to the inventory.")
    found: list[tuple[str, Installed]] = [(node.name, installed(node)) for node in nodes]
    gaps = told_once((name, one.problem) for name, one in found if one.version is None)
    if gaps:
        raise _RefusedError(
            f"the installed version is unknown: {'; '.join(gaps)}",
            "Clear what keeps it from being read, or declare `current` in the inventory.",
        )
    versions = group((name, str(one.version)) for name, one in found)
    if not versions.agree:
        told = "; ".join(f"{enumerate_names(names)} {version}" for version, names in versions.members)
        raise _RefusedError(
            f"the nodes do not run the same version: {told}",
            "Bring all nodes to one version first, with the steps of the upgrade that was not finished.",
            Verdict.NO_GO,
        )
    return versions.members[0][0]


def _secret_server(gathered: GatheredCluster, path: UpgradePath, inventory: str) -> Written:
    info = gathered.info
    integrated = info.options.get("integrated_windows_auth")
    databases = [node for node in gathered.nodes if "database" in node.roles]
    looks = [node.look(SecretServerDatabase) for node in databases]
    known = [look for look in looks if isinstance(look, SecretServerDatabase)]
    site = secret_server_site.Site(
        cluster=info.name,
        inventory=inventory,
        webs=tuple(secret_server_site.read_web(node) for node in gathered.nodes if "web" in node.roles),
        spares=tuple(secret_server_site.read_web(node) for node in gathered.nodes if _is_spare(node)),
        databases=tuple(node.name for node in databases),
        database=next((one.name for one in known), None),
        dpapi=str(info.options.get("dpapi", "unknown")),
        integrated=integrated if isinstance(integrated, bool) else None,
        mirrored=any(one.mirroring or one.replicas for one in known),
        partner=next((one.mirroring.partner for one in known if one.mirroring), ""),
        moot=frozenset() if info.options.get("online") else frozenset({"outbound-access"}),
    )
    parts = secret_server.parts(site, path)
    back, troubles = secret_server.way_back(site), secret_server.troubles(site)
    return parts, back, troubles, tuple(site.names.unknown)


def _is_spare(node: NodeView) -> bool:
    return "dr" in node.roles and not node.roles & {"web", "database"}


def _chef_backend(gathered: GatheredCluster, path: UpgradePath, inventory: str) -> Written:
    backends = [node for node in gathered.nodes if "backend" in node.roles]
    leader = chef_cluster.find_leader(backends)
    if isinstance(leader, str):
        raise _RefusedError(
            f"{leader}; the order of the nodes depends on it",
            "Clear what chef-cluster-status says, then plan again.",
        )
    followers = tuple(chef_cluster.read_machine(node) for node in backends if node is not leader)
    if not followers:
        raise _RefusedError("the inventory names one backend alone", "Add the other backends to the inventory.")
    fronts = tuple(chef_cluster.read_machine(node) for node in gathered.nodes if "frontend" in node.roles)
    cluster = chef_cluster.ChefCluster(
        name=gathered.info.name,
        inventory=inventory,
        target=path.target,
        leader=chef_cluster.read_machine(leader),
        followers=followers,
        frontends=fronts,
        index=created_by(backends),
    )
    parts = chef_backend.parts(cluster, path)
    back, troubles = chef_backend.way_back(cluster), chef_backend.troubles(cluster)
    return parts, back, troubles, tuple(cluster.names.unknown)


_WRITERS: dict[str, Callable[[GatheredCluster, UpgradePath, str], Written]] = {
    "secret-server": _secret_server,
    "chef-backend": _chef_backend,
}
