"""One hop of a Chef Backend upgrade, in each of the three ways in which it can be taken."""

from __future__ import annotations

from collections.abc import Iterable

from checks.plan.chef_cluster import ChefCluster, Machine, named, on
from checks.plan.model import Command, Proof, Side, Step
from checks.upgrade_path import Hop
from checks.versions import parse_version

_REJOINED = "three members, this one a follower with PG follower; postgresql synced: 2; etcd and elasticsearch green"
_MAINTENANCE_SINCE = parse_version("14.6.32")
_DISPUTED_SINCE = parse_version("3.0")


def _identify(cluster: ChefCluster) -> Step:
    if not cluster.settled:
        return Step(
            "identify-leader",
            "Find out who leads, and write the three names down here",
            (Command("sudo chef-backend-ctl cluster-status", "sh", "any backend"),),
            proof=Proof("one row with the role leader, two with follower"),
            documented=("chef-ha downtime-1",),
        )
    return Step(
        "identify-leader",
        f"See that {cluster.leader.name} still leads",
        (on(cluster.leader, "chef-backend-ctl cluster-status"),),
        notes=("Where another node leads by now, plan again: the order of the nodes depends on it.",),
        proof=Proof(f"{cluster.leader.name} has the role leader, {named(cluster.followers)} follower"),
        documented=("chef-ha downtime-1",),
    )


def _failover(machine: Machine, state: str, *, documented: tuple[str, ...], why: str = "") -> Step:
    return Step(
        f"failover-{state}",
        f"Turn cluster failover {state}",
        (on(machine, f"chef-backend-ctl set-cluster-failover {state}"),),
        notes=(why,) if why else (),
        proof=Proof("the command ends without an error"),
        documented=documented,
    )


def rolling(cluster: ChefCluster, hop: Hop) -> Iterable[Step]:
    """Node by node, the leader last."""
    yield _identify(cluster)
    why = "The cluster must not fail over to a follower that is just being upgraded."
    yield _failover(cluster.leader, "off", documented=("chef-ha rolling-1",), why=why)
    yield from _one_after_the_other(cluster, hop)


def _one_after_the_other(cluster: ChefCluster, hop: Hop) -> Iterable[Step]:
    documented = ("chef-ha rolling-2-upgrade", "chef-ha rolling-2-verify")
    for follower in cluster.followers:
        yield _install(cluster, follower, hop, ("chef-ha rolling-2-install",))
        yield _upgrade(follower, documented, "One follower at a time: two at once may lose data.")
    leader = cluster.leader
    step = _install(cluster, leader, hop, ())
    yield Step(
        step.id,
        step.title,
        step.commands,
        ("The document does not name this one; without it the next step has nothing to upgrade to.",),
        step.proof,
    )
    yield Step(
        "upgrade-leader",
        f"Upgrade {leader.name}, which hands the lead over",
        (
            on(leader, "chef-backend-ctl set-cluster-failover on"),
            on(leader, "chef-backend-ctl upgrade --failover"),
            on(leader, "chef-backend-ctl set-cluster-failover off"),
        ),
        proof=Proof(
            f"a follower leads now, {leader.name} is a follower; postgresql synced: 2",
            on(leader, "chef-backend-ctl cluster-status"),
        ),
        documented=("chef-ha rolling-3",),
        no_return=True,
    )
    yield _failover(leader, "on", documented=("chef-ha rolling-4",))


def _install(cluster: ChefCluster, machine: Machine, hop: Hop, documented: tuple[str, ...]) -> Step:
    return Step(
        "install-package",
        f"Install Chef Backend {hop.version} on {machine.name}",
        (cluster.install(machine, hop.version),),
        proof=Proof(f"Chef Backend {hop.version}", Command("chef-backend-ctl --version", "sh", machine.name)),
        documented=documented,
    )


def _upgrade(machine: Machine, documented: tuple[str, ...], note: str, *, no_return: bool = False) -> Step:
    return Step(
        "upgrade-backend",
        f"Upgrade {machine.name}",
        (on(machine, "chef-backend-ctl upgrade"),),
        notes=(note,),
        proof=Proof(_REJOINED, on(machine, "chef-backend-ctl cluster-status && sudo chef-backend-ctl status")),
        documented=documented,
        no_return=no_return,
    )


def downtime(cluster: ChefCluster, hop: Hop) -> Iterable[Step]:
    """With the whole cluster down: the leader goes down first, and is upgraded last."""
    leader = cluster.leader
    yield _identify(cluster)
    yield Step(
        "install-everywhere",
        f"Install Chef Backend {hop.version} on {named(cluster.backends)}",
        tuple(cluster.install(machine, hop.version) for machine in cluster.backends),
        proof=Proof(f"Chef Backend {hop.version} on each", Command("chef-backend-ctl --version", "sh")),
        documented=("chef-ha downtime-2",),
    )
    yield Step(
        "take-leader-down",
        f"Take the leader {leader.name} down for the upgrade: from here on the cluster serves nobody",
        (on(leader, "chef-backend-ctl down-for-upgrade"),),
        proof=Proof("the command ends without an error"),
        documented=("chef-ha downtime-3",),
    )
    yield Step(
        "take-followers-down",
        f"Then take {named(cluster.followers)} down",
        tuple(on(machine, "chef-backend-ctl down-for-upgrade") for machine in cluster.followers),
        proof=Proof("the command ends without an error on each"),
        documented=("chef-ha downtime-4",),
    )
    for at, follower in enumerate(cluster.followers):
        yield Step(
            "upgrade-down-follower",
            f"Upgrade the follower {follower.name}",
            (on(follower, "chef-backend-ctl upgrade"),),
            notes=("Followers first, the leader last.",),
            proof=Proof("the command ends without an error"),
            documented=("chef-ha downtime-5",),
            no_return=at == 0,
        )
    yield _upgrade(
        leader, ("chef-ha downtime-6",), "Only now, after both followers. A leader has to be elected after it."
    )
    if cluster.frontends:
        yield Step(
            "reconfigure-frontends",
            f"Reconfigure {named(cluster.frontends)}",
            tuple(on(machine, "chef-server-ctl reconfigure") for machine in cluster.frontends),
            proof=Proof("pass", cluster.scan("chef-frontend-status")),
            documented=("chef-ha downtime-7",),
        )


def reindex(cluster: ChefCluster, hop: Hop) -> Iterable[Step]:
    """Node by node with the frontends stopped; then the search index is made anew."""
    leader = cluster.leader
    if cluster.frontends:
        yield Step(
            "stop-frontends",
            f"Stop {named(cluster.frontends)}: the index is deleted, and nobody may search it meanwhile",
            tuple(_close(machine) for machine in cluster.frontends),
            proof=Proof("no frontend answers with its API"),
        )
    yield _identify(cluster)
    yield _failover(leader, "off", documented=("chef-ha rolling-1",))
    yield from _one_after_the_other(cluster, hop)
    yield from _rebuild(cluster, hop)


def _rebuild(cluster: ChefCluster, hop: Hop) -> Iterable[Step]:
    every = cluster.backends
    made = f"created by Elasticsearch {cluster.index}" if cluster.index else "of unknown age"
    yield Step(
        "delete-index",
        f"Delete the old search index ({made}) on {named(every)}",
        (
            on(cluster.leader, "chef-backend-ctl set-cluster-failover off"),
            *(on(machine, "chef-backend-ctl stop elasticsearch") for machine in every),
            *(on(machine, "sh -c 'rm -rf /var/opt/chef-backend/elasticsearch/data/*'") for machine in every),
            *(on(machine, "chef-backend-ctl start elasticsearch") for machine in every),
        ),
        notes=(
            "All three are stopped before the first deletion. The index is made anew from the database afterwards.",
            "Only elasticsearch/data: the folder beside it holds the database.",
        ),
        proof=Proof("elasticsearch state: green; nodes online: 3/3", on(cluster.leader, "chef-backend-ctl status")),
        sides=(
            Side(
                "delete and rebuild an index that 5.4.1 or older created",
                "Chef Backend Upgrade 2.x to 3.x, index treatment",
            ),
            Side("from 2.1.0 even such an index is upgraded by itself", "the same page, table of strategies"),
        )
        if parse_version(hop.version) >= _DISPUTED_SINCE
        else (),
        no_return=True,
    )
    if not cluster.frontends:
        return
    first = cluster.frontends[0]
    yield Step(
        "rebuild-index",
        f"Make the index anew from {first.name}",
        (
            on(first, "chef-server-ctl reconfigure"),
            on(cluster.leader, "chef-backend-ctl set-cluster-failover on"),
            on(first, "chef-server-ctl reindex -a"),
        ),
        notes=(
            "The vendor reckons with two minutes for each 1000 nodes. Try one organization first: reindex ORGNAME.",
        ),
        proof=Proof("knife search finds nodes in each organization"),
    )
    yield Step(
        "start-frontends",
        f"Start {named(cluster.frontends)} again",
        tuple(_open(machine) for machine in cluster.frontends),
        proof=Proof("pass", cluster.scan("chef-frontend-status")),
    )


def _close(machine: Machine) -> Command:
    return on(machine, "chef-server-ctl maintenance on" if _has_maintenance(machine) else "chef-server-ctl stop")


def _open(machine: Machine) -> Command:
    return on(machine, "chef-server-ctl maintenance off" if _has_maintenance(machine) else "chef-server-ctl start")


def _has_maintenance(machine: Machine) -> bool:
    head = machine.version.partition("-")[0]
    return bool(head) and parse_version(head) >= _MAINTENANCE_SINCE
