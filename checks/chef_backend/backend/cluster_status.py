"""The Chef Backend cluster is healthy, and every backend sees it so.

## What it checks
`chef-backend-ctl cluster-status` and `chef-backend-ctl status` on **every** backend, each of which speaks from its
own view: exactly three members, one leader with PostgreSQL's leader on the same row, two followers, exactly one
Elasticsearch master on any row; leaderl, etcd, PostgreSQL, Elasticsearch and the disks complete and green, each path
of the disks `OK`, whichever paths are configured; all services running; the same view from all backends. Versions
before 1.4 print no line for epmd and the disks; where the version is not known, these are missed. A `deposed_leader`
is a warning. Where a version's cluster-status has further columns, they are kept as evidence: a follower of somebody
who does not lead is a failure, and that no follower is eligible to lead a warning. A line that is not understood is an
error that shows it. What leaderl keeps from serving although it looks well is the affair of `chef-sentinels`.

## Why it matters
Two of three still serve, but an upgrade takes one more away. Green etcd and Elasticsearch with no leader and
PostgreSQL down is a dead cluster, and backends that disagree are a sign of a partition.

## How to fix it
Bring the member that the message names back (`chef-backend-ctl status` on it says what is down) and let it catch up;
after a demotion, wait a minute and scan again. Do not begin an upgrade on a cluster that is not whole.
"""

from __future__ import annotations

from typing import Any

from packaging.version import Version

from checks.check import ClusterCheck, ClusterView, NodeView
from checks.chef_backend.backend import health
from checks.chef_backend.backend.health import CLUSTER_SIZE, Finding
from checks.chef_backend.backend.leadership import columns_of
from checks.chef_backend.facts.cluster import ChefBackendVersion, ClusterStatus, ServiceStatus
from checks.chef_backend.facts.machine import InstalledPackage
from checks.chef_backend.urls import INSTALL_URL, UPGRADE_URL
from checks.engine.consistency import compared
from checks.engine.installed_version import installed
from checks.engine.wording import count, enumerate_names, group_by_reason
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Severity, conclude, failed, passed, undetermined
from checks.versions import parse_version

EXPECTED = "3 members, 1 leader, 2 synced followers, everything green, the same view from every backend"
_SYSTEMS_SINCE = Version("1.4")


def judge(view: ClusterView) -> Outcome:
    """Judge each backend's view, then whether they agree."""
    seen: dict[Finding, list[str]] = {}
    for node in view.nodes:
        for finding in _of_node(node):
            seen.setdefault(finding, []).append(node.name)
    tables = view.with_fact(ClusterStatus)
    observed = "; ".join(f"{node.name} sees {_roles(status)}" for node, status in tables)
    evidence: dict[str, Any] = {
        "views": {node.name: _cells(status) for node, status in tables},
        **({"columns": columns} if (columns := columns_of((node.name, status) for node, status in tables)) else {}),
        "services": {
            node.name: [*(row.line for row in status.services), *(row.line for row in status.systems)]
            for node, status in view.with_fact(ServiceStatus)
        },
    }
    unread = {
        (node.name, found.reason): None
        for node in view.nodes
        for kind in (ClusterStatus, ServiceStatus)
        if isinstance(found := node.get(kind), Unknown)
    }
    told = ((node.name, health.disk_paths(status)) for node, status in view.with_fact(ServiceStatus))
    views = compared((node.name, health.comparable(status)) for node, status in tables)
    paths = compared((name, found) for name, found in told if found is not None)
    outcomes = [
        *map(undetermined, group_by_reason(unread)),
        *(
            Outcome(
                finding.status,
                finding.text + ("" if finding.local else _witnesses(names, view)),
                remediation=finding.remediation,
            )
            for finding, names in seen.items()
        ),
        *views.differing(
            lambda who: failed(f"the backends do not see the same cluster, which hints at a partition: {who}")
        ),
        *paths.differing(lambda who: undetermined(f"the disks' lines do not tell of the same paths: {who}")),
    ]
    listed = max((len(status.members) for _, status in tables), default=CLUSTER_SIZE)
    if tables and len(view.nodes) != listed:
        text = f"the inventory lists {count(len(view.nodes), 'backend')}, the cluster {listed}: each has to be asked"
        outcomes.append(undetermined(text, too_few=True))
    outcomes = outcomes or [passed("healthy, and all backends agree")]
    return conclude(outcomes, expected=EXPECTED, observed=observed, evidence=evidence)


def _of_node(node: NodeView) -> list[Finding]:
    table, status = node.get(ClusterStatus), node.get(ServiceStatus)
    findings: list[Finding] = []
    deposed = 0
    if isinstance(table, ClusterStatus):
        deposed = sum(row.role == "deposed_leader" for row in table.members)
        findings += health.members(table)
    if isinstance(status, ServiceStatus):
        said = [*health.services(node.name, status, deposed=deposed), *health.systems(node.name, status)]
        findings += said or health.ending(node.name, status)
        runs = installed(node)
        before = None if runs.version is None else parse_version(runs.version) < _SYSTEMS_SINCE
        findings += health.newer(status, before_1_4=before, why=runs.problem)
    return findings


def _witnesses(names: list[str], view: ClusterView) -> str:
    return "" if len(view.nodes) == len(names) else f" (from {enumerate_names(names)})"


def _roles(status: ClusterStatus) -> str:
    return ", ".join(f"{row.name} {row.role}" for row in status.members)


def _cells(status: ClusterStatus) -> list[list[str]]:
    return [[r.name, r.ip, r.guid, r.role, r.postgresql, r.elasticsearch] for r in status.members]


CHECK = ClusterCheck(
    id="chef-cluster-status",
    title="Chef Backend cluster is healthy",
    severity=Severity.CRITICAL,
    doc=__doc__,
    remediation=Remediation(
        "Bring the member that the message names back and let it catch up before the upgrade.",
        command="sudo chef-backend-ctl status",
        url=UPGRADE_URL,
        language="sh",
    ),
    products=("chef-backend",),
    roles=("backend",),
    facts=(ClusterStatus, ServiceStatus),
    optional_facts=(ChefBackendVersion, InstalledPackage),
    references=(UPGRADE_URL, INSTALL_URL),
    judge=judge,
)
