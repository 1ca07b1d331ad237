"""Mirroring or the availability group is synchronized, and all web servers use one database server.

## What it checks
Where Secret Server's database is mirrored or in an availability group: the session's state, as each database host
tells it. A mirror, and a replica in synchronous commit, is synchronized; in high-performance mode (safety OFF), or in
asynchronous commit, it is at least synchronizing; none is suspended. Whom the web servers use is inferred from the
sessions in the database: where their hosts are seen on two servers, or one of them on none, that is a warning and no
more. Not applicable where neither is in use.

## Why it matters
What the upgrade changes in the principal database has to reach its partner, and the window's way back is a failover to
it: one that lags has lost data, and one that is suspended fills the principal's log. A web server that points elsewhere
upgrades, or writes to, the wrong database.

## How to fix it
Resume the session and wait until it is synchronized. Point every web server at the primary database before the upgrade.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from checks.check import ClusterCheck, ClusterView, NodeView
from checks.common.computer_facts import ComputerName
from checks.engine.wording import enumerate_names
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Severity, conclude, failed, not_applicable, passed, undetermined
from checks.secret_server.database.access import NO_NODE, access, database_nodes, database_of, remedy
from checks.secret_server.database.sessions import web_server_sessions
from checks.secret_server.facts.sql import FailoverClusters, Replica, SecretServerDatabase
from checks.secret_server.urls import CLUSTERING_URL

EXPECTED = "synchronized, and one database server for all web servers"
_MIRROR_STATES = {
    0: "suspended",
    1: "disconnected from its partner",
    2: "still synchronizing",
    3: "about to fail over",
    5: "not synchronized",
}
_MIRROR_FINE = (4, 6)
_REPLICA_STATES = {0: "not synchronizing", 1: "synchronizing", 3: "reverting", 4: "initializing"}
_SYNCHRONIZING = 2
_SYNCHRONIZED = 2
_UNTOLD = Remediation(
    "Ask the primary replica, with VIEW SERVER STATE and VIEW ANY DEFINITION, while the cluster has its quorum: "
    "without it SQL Server leaves remote replicas out. Add the primary to the inventory where it is missing."
)


def judge(view: ClusterView) -> Outcome:
    """Judge each session's state, then whom the web servers use."""
    nodes = database_nodes(view)
    if not nodes:
        message = "the inventory names no database node in this cluster, so this was not looked at"
        return undetermined(message, remediation=NO_NODE, too_few=True)
    looks = [(node, database_of(node)) for node in nodes]
    known = [(node, found) for node, found in looks if not isinstance(found, Unknown)]
    outcomes = [
        undetermined(f"{node.name}: {found.reason}", remediation=remedy(found, node))
        for node, found in looks
        if isinstance(found, Unknown)
    ]
    partners = {one.mirroring.partner.lower() for _, one in known if one.mirroring and one.mirroring.partner}
    for node, found in known:
        outcomes += _states(node, found, partners)
    in_use = any(found.mirroring or found.replicas for _, found in known)
    outcomes += web_server_sessions(view, known, in_use=in_use)
    if not outcomes:
        names = enumerate_names([node.name for node, _ in known])
        return not_applicable(f"the database on {names} is neither mirrored nor in an availability group")
    evidence = {node.name: _told(found) for node, found in known}
    return conclude(outcomes, expected=EXPECTED, evidence=evidence)


def _states(node: NodeView, found: SecretServerDatabase, partners: Collection[str]) -> Iterator[Outcome]:
    # A session has one state, and a mirror that hides its own is told of by the principal that names it.
    told = found.state != "ONLINE" and found.server.name.lower() in partners
    for what, problem in (
        ("mirroring", "" if told else found.mirroring_problem),
        ("replicas", found.replicas_problem),
    ):
        if problem:
            yield undetermined(f"{node.name}: {what} cannot be told: {problem}", remediation=access(node, found.name))
    mirroring = found.mirroring
    if mirroring:
        partner = f" to {mirroring.partner}" if mirroring.partner else ""
        if mirroring.state in _MIRROR_FINE:
            yield passed(f"the mirroring from {node.name}{partner} is synchronized")
        elif mirroring.state is None:
            message = f"the mirroring from {node.name}{partner} does not tell its state"
            yield undetermined(message, remediation=_UNTOLD)
        elif mirroring.state == _SYNCHRONIZING and not mirroring.synchronous:
            yield passed(f"the mirroring from {node.name}{partner} is in step, as far as its asynchronous mode tells")
        else:
            state = _MIRROR_STATES.get(mirroring.state, f"in an unknown state ({mirroring.state})")
            yield failed(f"the mirroring from {node.name}{partner} is {state}")
    for replica in found.replicas:
        name = replica.server or f"a replica that {node.name} knows of"
        trouble = _trouble(replica)
        where = f" in the availability group {replica.group}" if replica.group else ""
        if untold := _untold(replica):
            message = f"whether {name} is in step{where} cannot be told: SQL Server does not tell its {untold}"
            yield undetermined(message, remediation=_UNTOLD)
            continue
        yield failed(f"{name} is {trouble}{where}") if trouble else passed(f"{name} is in step{where}")


def _untold(replica: Replica) -> str:
    """What would have to be known of the replica before it can be called in step; empty where all of it is."""
    if replica.suspended or (replica.state is not None and replica.state not in (_SYNCHRONIZED, 1)):
        return ""
    lacking = {"state": replica.state is None, "suspension": replica.suspended is None}
    lacking["availability mode"] = replica.state == 1 and replica.synchronous is None
    return enumerate_names([name for name, lacks in lacking.items() if lacks])


def _trouble(replica: Replica) -> str:
    if replica.suspended:
        return "suspended"
    if replica.state == _SYNCHRONIZED or (replica.state == 1 and not replica.synchronous):
        return ""
    state = _REPLICA_STATES.get(replica.state or 0, f"in an unknown state ({replica.state})")
    return f"{state}, and not synchronized" if replica.synchronous else state


def _told(found: SecretServerDatabase) -> dict[str, object]:
    mirroring = found.mirroring
    return {
        "mirroring": None if mirroring is None else {"state": mirroring.state, "role": mirroring.role},
        "replicas": {one.server: one.state for one in found.replicas},
        "session_hosts": list(found.session_hosts),
    }


CHECK = ClusterCheck(
    id="database-mirroring",
    title="Mirroring or availability group is synchronized",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "Resume the session and wait until it is synchronized; point every web server at the primary database.",
        url=CLUSTERING_URL,
    ),
    products=("secret-server",),
    roles=("web", "database"),
    optional_facts=(SecretServerDatabase, FailoverClusters, ComputerName),
    phases={
        "before": "synchronized; web servers without a session on the database server are told of",
        "window": "synchronized; web servers may be stopped, so none is missed",
        "after": "synchronized; web servers without a session on the database server are told of",
    },
    references=(CLUSTERING_URL,),
    judge=judge,
)
