"""From a cluster's facts and results to its plan, or to why it gets none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from checks.check import NodeView
from checks.chef_backend.backend.search_index import SearchIndex, created_by, why_unknown
from checks.chef_backend.facts.cluster import ChefBackendVersion, ClusterStatus
from checks.chef_backend.facts.machine import ConfigDigest, DrbdTraces, FrontendApi, FrontendPackage, InstalledPackage
from checks.chef_backend.frontend.drbd import GUIDANCE
from checks.chef_backend.runbook import parts as chef_backend
from checks.chef_backend.runbook import recovery
from checks.chef_backend.runbook import site as chef_cluster
from checks.common.computer_facts import ComputerName
from checks.common.disk_facts import Disks
from checks.engine.consistency import enumerate_names, group, told_once
from checks.engine.evaluation import GatheredCluster
from checks.engine.installed_version import Installed, installed
from checks.engine.upgrade_path import NoPath, PlanError, UpgradePath, route, target_of
from checks.outcome import Result, Status
from checks.runbook.following import with_signs
from checks.runbook.idle_scans import without_idle_scans
from checks.runbook.model import Part, Plan, Refusal, Runbook, Step, Trouble
from checks.runbook.names import AS_IN_THE_INVENTORY, InvocationOptions, Names
from checks.runbook.times import with_times
from checks.scan import Verdict, verdict_of
from checks.secret_server.facts.folder import DatabaseConfig
from checks.secret_server.facts.node import AppFiles, AppPools, EncryptionConfig, IisConfiguration, WebRoot
from checks.secret_server.facts.sql import FailoverClusters, SecretServerDatabase
from checks.secret_server.runbook import plan as secret_server
from checks.versions import VersionError, parse_secret_server

Written = tuple[tuple[Part, ...], tuple[str, ...], tuple[Trouble, ...], tuple[str, ...], tuple[Step, ...]]
"""Parts, way back, troubles, unknown names, steps back."""

NEEDS: Mapping[str, tuple[type, ...]] = {
    "web": (WebRoot, IisConfiguration, AppPools, AppFiles, EncryptionConfig, DatabaseConfig, ComputerName, Disks),
    "dr": (WebRoot, IisConfiguration, AppPools, EncryptionConfig, ComputerName, Disks),
    "database": (SecretServerDatabase, FailoverClusters, Disks),
    "backend": (ChefBackendVersion, ClusterStatus, InstalledPackage, SearchIndex, ConfigDigest),
    "frontend": (FrontendPackage, FrontendApi, DrbdTraces),
}
"""Role to facts that a plan rests on, whatever the checks ask of such a node, or the inventory leaves out."""

_ROLE = {"secret-server": "web", "chef-backend": "backend"}
"""The nodes whose version is the cluster's."""


class _RefusedError(Exception):
    def __init__(self, reason: str, instead: str, verdict: Verdict | None = Verdict.UNKNOWN, url: str = "") -> None:
        """`verdict` None: whatever the scan came to, for there is nothing to plan."""
        super().__init__(reason)
        self.reason, self.instead, self.verdict, self.url = reason, instead, verdict, url


def plan_of(
    gathered: GatheredCluster,
    results: Sequence[Result],
    inventory: str,
    *,
    strict: bool = False,
    partial: bool = False,
    again: InvocationOptions = AS_IN_THE_INVENTORY,
) -> Plan:
    """The plan of one cluster. `results` are what the scan that it rests on says of it, `inventory` the file's name.

    `strict` counts a warning as a failure; `partial` says that not every node was asked, so that nothing is a GO.
    `again` is what the plan's own commands have to say beyond the inventory.
    """
    info = gathered.info
    own = [row for row in results if not _is_answered(row)]
    graves = (Status.FAIL, Status.ERROR, *((Status.WARN,) if strict else ()))
    blockers = tuple(row for row in own if row.status in graves)
    warnings = tuple(row for row in results if row.status is Status.WARN and row not in blockers)
    waived = tuple(row for row in own if row.status is Status.WAIVED)
    out = tuple(row for row in own if row.left_out)
    try:
        path = _path(gathered)
        parts, way_back, troubles, unknown, steps_back = _WRITERS[info.product](
            gathered, path, inventory, Names(again=again)
        )
    except _RefusedError as no:
        # A failure stays one, whatever else is unknown: the scan that this rests on ended with NO-GO, too.
        scanned = verdict_of(own, strict=strict, partial=partial)
        grave = scanned if no.verdict is None or scanned is Verdict.NO_GO else no.verdict
        return Refusal(
            cluster=info.name,
            product=info.product,
            reason=no.reason,
            instead=no.instead,
            verdict=grave,
            blockers=blockers,
            url=no.url,
            warnings=warnings,
            waived=waived,
            left_out=out,
        )
    verdict = verdict_of(own, strict=strict, partial=partial)
    nodes = tuple(node.name for node in gathered.nodes)
    found = Runbook(
        cluster=info.name,
        product=info.product,
        path=path,
        verdict=verdict,
        blockers=blockers,
        warnings=warnings,
        waived=waived,
        parts=parts,
        way_back=way_back,
        troubles=troubles,
        unknown=unknown,
        steps_back=steps_back,
        left_out=out,
        nodes=nodes,
    )
    return with_times(with_signs(without_idle_scans(found, info.skip), gathered.nodes), gathered.nodes)


def _is_answered(row: Result) -> bool:
    """Whether the finding says that the way has stops, or costs downtime: the plan is the answer to it."""
    return row.check == "stepping-stone" and row.status in (Status.FAIL, Status.WARN)


def _path(gathered: GatheredCluster) -> UpgradePath:
    info = gathered.info
    if info.product not in _WRITERS:
        raise _RefusedError(f"no plan is known for {info.product}", "Follow the product's own documents.")
    _refuse_drbd(gathered.nodes)
    try:
        target = target_of(info)
        current = _current([node for node in gathered.nodes if _ROLE[info.product] in node.roles])
        _refuse_half_done(gathered.nodes, current)
        index = created_by(node for node in gathered.nodes if "backend" in node.roles)
        found = route(info.product, info.rules, current, target, index)
    except (PlanError, VersionError) as error:
        raise _RefusedError(str(error), "Set what is missing in the inventory, then plan again.") from None
    if isinstance(found, NoPath):
        url = found.rule.url if found.rule else ""
        raise _RefusedError(found.reason, found.instead, None if found.installed else Verdict.NO_GO, url)
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


def _refuse_half_done(nodes: Sequence[NodeView], current: str) -> None:
    """Refuse a site whose database was taken to another version than its files."""
    for node in nodes:
        look = node.look(SecretServerDatabase)
        if not isinstance(look, SecretServerDatabase) or not look.version or not secret_server.is_open(look):
            continue
        try:
            same = parse_secret_server(look.version) == parse_secret_server(current)
        except VersionError:
            continue
        if not same:
            raise _RefusedError(
                f"the web nodes' files are those of {current}, the database on {node.name} is that of {look.version}",
                "Finish the upgrade that was begun, or restore the backup from before it; then plan again.",
                Verdict.NO_GO,
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


def _secret_server(gathered: GatheredCluster, path: UpgradePath, inventory: str, names: Names) -> Written:
    site = secret_server.read_site(gathered, inventory, names)
    return secret_server.written(site, path)


def _chef_backend(gathered: GatheredCluster, path: UpgradePath, inventory: str, names: Names) -> Written:
    backends = [node for node in gathered.nodes if "backend" in node.roles]
    found = chef_cluster.find_leader(backends)
    if isinstance(found, str):
        raise _RefusedError(
            f"{found}; the order of the nodes depends on it",
            "Clear what chef-cluster-status says, or mend the inventory, then plan again.",
        )
    leader, member = found
    followers = tuple(chef_cluster.read_machine(node) for node in backends if node is not leader)
    if not followers:
        raise _RefusedError("the cluster has one backend alone", "Make it a whole cluster of three first.")
    fronts = tuple(chef_cluster.read_machine(node) for node in gathered.nodes if "frontend" in node.roles)
    rules = gathered.info.rules
    head = replace(chef_cluster.read_machine(leader), member=member)
    cluster = chef_cluster.ChefCluster(
        name=gathered.info.name,
        inventory=inventory,
        target=path.target,
        leader=head,
        followers=followers,
        frontends=fronts or chef_cluster.STAND_INS,
        index=created_by(backends),
        index_unread=why_unknown(backends),
        search_port=head.search_port,
        search_unread=head.search_unread,
        known_frontends=bool(fronts),
        names=names,
    )
    parts = chef_backend.parts(cluster, path, rules)
    back, troubles = recovery.way_back(path), recovery.troubles(cluster, path)
    steps_back = tuple(recovery.steps_back(cluster, path))
    return parts, back, troubles, tuple(cluster.names.unknown), steps_back


_WRITERS: dict[str, Callable[[GatheredCluster, UpgradePath, str, Names], Written]] = {
    "secret-server": _secret_server,
    "chef-backend": _chef_backend,
}
