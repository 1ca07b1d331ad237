"""The application pools of all web nodes run as the same kind of account.

## What it checks
The kind of identity (ApplicationPoolIdentity, SpecificUser, NetworkService, ...) of every pool that serves the
application, compared between the web nodes. Which account it is stays on the node: two different service accounts look
alike here. A pool that sets none has IIS's default, ApplicationPoolIdentity.

## Why it matters
The vendor recommends one service account that can reach the database, and that account is also the one which EFS files
open for. A node whose pool lost it, by a reset or a new pool, cannot open the database or the key, and is found out
when users are sent there.

## How to fix it
Set the identity of the pool that differs to that of the others, with the same service account, in IIS Manager
(Application Pools, Advanced Settings, Process Model, Identity), and confirm that the node works.
"""

from __future__ import annotations

from checks.check import ClusterCheck, ClusterView, NodeView
from checks.engine.consistency import Denied, compared
from checks.engine.wording import enumerate_names
from checks.outcome import Outcome, Remediation, Severity, not_applicable, passed, undetermined, warned
from checks.secret_server.facts.node import AppPools, IisConfiguration, WebRoot
from checks.secret_server.iis.serving import serving_pools
from checks.secret_server.urls import SERVICE_ACCOUNT_URL

EXPECTED = "one kind of identity on all web nodes"
FACTS = (WebRoot, IisConfiguration, AppPools)
KINDS = {
    "": "ApplicationPoolIdentity",
    "0": "LocalSystem",
    "1": "LocalService",
    "2": "NetworkService",
    "3": "SpecificUser",
    "4": "ApplicationPoolIdentity",
}


def judge(view: ClusterView) -> Outcome:
    """Compare the kinds as far as they are known."""
    found = compared((node.name, _kinds(node)) for node in view.nodes if node.knows(*FACTS))
    kinds = {name: sorted(kind) for name, kind in found.values}
    observed = "; ".join(f"{name} {' and '.join(kind)}" for name, kind in kinds.items())
    if len(view.nodes) == 1:
        return not_applicable(f"one web node: nothing to compare ({observed})")
    if not found.agree:
        message = f"the pools' identities differ: {found.groups.sentence()}: {observed}"
        return warned(message, expected=EXPECTED, observed=observed, nodes=kinds)
    if found.denied:
        unclear = "; ".join(f"{name}: {why}" for name, why in found.denied)
        return undetermined(unclear, expected=EXPECTED, observed=observed)
    same = enumerate_names(next(iter(kinds.values()), []))
    return passed(f"the pools of all web nodes run as {same}", expected=EXPECTED, observed=observed)


def _kinds(node: NodeView) -> frozenset[str] | Denied:
    pools = serving_pools(node)
    if isinstance(pools, Outcome):
        return Denied(pools.message)
    known = {pool.name.lower(): pool.identity_type.value for pool in node.require(AppPools).pools}
    lost = [name for name in pools if name.lower() not in known]
    if lost:
        return Denied(f"pool {lost[0]} is not defined")
    return frozenset(KINDS.get(known[name.lower()], known[name.lower()]) for name in pools)


CHECK = ClusterCheck(
    id="pool-identity-match",
    title="The application pools of all web nodes run as the same kind of account",
    severity=Severity.MEDIUM,
    doc=__doc__,
    remediation=Remediation(
        "Set the identity of the pool that differs to the service account of the others, and confirm that it works.",
        url=SERVICE_ACCOUNT_URL,
    ),
    products=("secret-server",),
    roles=("web",),
    facts=FACTS,
    references=(SERVICE_ACCOUNT_URL,),
    judge=judge,
)
