"""Every frontend names the backends of this cluster.

## What it checks
`chef_backend_members` in a frontend's chef-server.rb, that one setting taken out on the node, against the backends:
their names and addresses in `cluster-status` and in the inventory. A backend that is not listed, and an address that is
no backend's, is a warning. It never fails: a backend may have addresses that nobody here knows, names are not resolved,
and of the members that are listed a frontend needs to reach only one to learn of the others.

## Why it matters
At each `chef-server-ctl reconfigure`, which every upgrade runs, a frontend asks the listed members in turn for all
others, and takes the list itself where none answers. A list left over from replaced machines works until that day.

## How to fix it
Set `chef_backend_members` in /etc/opscode/chef-server.rb of the frontend that is named to the addresses that
`cluster-status` shows, and run `chef-server-ctl reconfigure` there, outside the window.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from checks.check import ClusterCheck, ClusterView
from checks.chef_backend.facts.cluster import ClusterStatus
from checks.chef_backend.facts.machine import FrontendMembers
from checks.chef_backend.machine_names import is_same_machine
from checks.chef_backend.urls import INSTALL_URL
from checks.common.addresses import is_address
from checks.common.dataclass import dataclass
from checks.engine.wording import enumerate_names, group_by_reason
from checks.outcome import Outcome, Remediation, Severity, conclude, not_applicable, passed, undetermined, warned

EXPECTED = "every backend, and nothing else, in chef_backend_members"
_STATES = {
    "unset": "names no chef_backend_members, so it does not find the backends by them",
    "unclear": "sets chef_backend_members in a way that is not understood, so they cannot be compared",
}


@dataclass(frozen=True, slots=True)
class _Backend:
    name: str
    known_as: frozenset[str]
    """Its names and addresses, as the cluster's table and the inventory have them."""


def judge(view: ClusterView) -> Outcome:
    """Hold each frontend's list against the backends."""
    frontends = view.with_role("frontend")
    if not frontends:
        return not_applicable("the inventory names no frontend")
    backends = _backends(view)
    hosts = [node.host for node in view.with_role("backend")]
    lists = ClusterView(view.cluster, tuple(frontends)).with_fact(FrontendMembers)
    observed = "; ".join(f"{node.name}: {', '.join(found.members) or found.state}" for node, found in lists)
    evidence: dict[str, Any] = {
        "backends": {backend.name: sorted(backend.known_as) for backend in backends},
        "frontends": {node.name: list(found.members) for node, found in lists},
    }
    # Those that did not answer at all are the engine's to tell of.
    unread = ClusterView(view.cluster, tuple(node for node in frontends if not node.absence)).without_fact(
        FrontendMembers
    )
    outcomes = [undetermined(text) for text in group_by_reason((node.name, reason) for node, reason in unread)]
    outcomes += [
        warned(text, observed=observed)
        for text in group_by_reason(
            (node.name, text) for node, found in lists for text in _doubts(found, backends, hosts)
        )
    ]
    outcomes = outcomes or [passed("the frontends name all backends, and nothing else")]
    return conclude(outcomes, expected=EXPECTED, observed=observed, evidence=evidence)


def _backends(view: ClusterView) -> list[_Backend]:
    """The rows of the cluster's tables, each with what the inventory calls it besides."""
    nodes = view.with_role("backend")
    rows = {row.guid: row for _, table in view.with_fact(ClusterStatus) for row in table.members}
    found = []
    for row in rows.values():
        words = {row.name, row.ip}
        own = [
            node
            for node in nodes
            if any(is_same_machine(word, name) for word in words for name in (node.name, node.host))
        ]
        found.append(_Backend(row.name, frozenset(words.union(*({node.name, node.host} for node in own)))))
    return found


def _doubts(found: FrontendMembers, backends: list[_Backend], hosts: Iterable[str]) -> list[str]:
    if found.state != "listed":
        return [_STATES[found.state]]
    if not backends:
        return ["cannot be compared: no backend gave the cluster's own table"]
    known = [*hosts, *(word for backend in backends for word in backend.known_as)]
    strange = [member for member in found.members if not any(is_same_machine(member, word) for word in known)]
    missing = [
        backend.name
        for backend in backends
        if not any(is_same_machine(member, word) for member in found.members for word in backend.known_as)
    ]
    doubts = []
    if strange:
        why = "" if all(map(is_address, strange)) else "; names are not resolved, so it may be one all the same"
        doubts.append(f"lists {enumerate_names(strange)}, known as no backend of this cluster{why}")
    if missing:
        doubts.append(f"does not list {enumerate_names(missing)} by any address that is known")
    return doubts


CHECK = ClusterCheck(
    id="chef-frontend-members",
    title="Frontends name the backends of this cluster",
    severity=Severity.MEDIUM,
    doc=__doc__,
    remediation=Remediation(
        "Compare chef_backend_members in /etc/opscode/chef-server.rb of the frontend with the cluster's own table.",
        command="sudo chef-backend-ctl cluster-status",
        url=INSTALL_URL,
        language="sh",
    ),
    products=("chef-backend",),
    roles=("backend", "frontend"),
    optional_facts=(ClusterStatus, FrontendMembers),
    references=(INSTALL_URL,),
    judge=judge,
)
