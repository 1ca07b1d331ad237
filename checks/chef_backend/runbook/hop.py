"""One hop of a Chef Backend upgrade, in each of the three ways in which it can be taken."""

from __future__ import annotations

from collections.abc import Iterable

from checks.chef_backend.runbook.index import rebuild, stop_frontends
from checks.chef_backend.runbook.site import ChefCluster, Machine, named, on
from checks.engine.upgrade_path import UpgradeStep
from checks.runbook.model import Command, Proof, Step

_REJOINED = "three members, this one a follower with PG follower; postgresql synced: 2; etcd and elasticsearch green"
_ELECTED = (
    "one leader and two followers; leaderl leader: 1; waiting: 0; postgresql synced: 2; etcd and elasticsearch green. "
    "Where no leader is elected, turn to the end of the plan"
)


def _identify(cluster: ChefCluster) -> Step:
    if not cluster.settled:
        return Step(
            id="identify-leader",
            title="Find out who leads, and write the three names down here",
            commands=(on(cluster.anyone, "chef-backend-ctl cluster-status"),),
            proof=Proof("one row with the role leader, two with follower"),
            documented=("chef-ha downtime-1",),
        )
    return Step(
        id="identify-leader",
        title=f"See that {cluster.leader.name} still leads",
        commands=(on(cluster.leader, "chef-backend-ctl cluster-status"),),
        notes=("Where another node leads by now, plan again: the order of the nodes depends on it.",),
        proof=Proof(f"{cluster.leader.name} has the role leader, {named(cluster.followers)} follower"),
        documented=("chef-ha downtime-1",),
    )


def failover(cluster: ChefCluster, state: str, *, documented: tuple[str, ...] = (), why: str = "") -> Step:
    """The switch of the cluster's failover."""
    phase = "window" if state == "off" else "after"
    notes = (f'No command reads the switch: declare failover = "{state}" for the cluster in the inventory now.',)
    return Step(
        id=f"failover-{state}",
        title=f"Turn cluster failover {state}",
        commands=(on(cluster.anyone, f"chef-backend-ctl set-cluster-failover {state}"),),
        notes=(why, *notes) if why else notes,
        proof=Proof(
            "the command ends without an error; and, once it is declared, pass",
            (cluster.scan("chef-failover-state", phase=phase),),
        ),
        documented=documented,
    )


def rolling(cluster: ChefCluster, hop: UpgradeStep) -> Iterable[Step]:
    """Node by node, the leader last."""
    yield _identify(cluster)
    yield from _one_after_the_other(cluster, hop)
    yield failover(cluster, "on", documented=("chef-ha rolling-4",))


def _one_after_the_other(cluster: ChefCluster, hop: UpgradeStep) -> Iterable[Step]:
    """All backends; failover stays off at the end."""
    why = "The cluster must not fail over to a follower that is just being upgraded."
    yield failover(cluster, "off", documented=("chef-ha rolling-1",), why=why)
    for follower in cluster.followers:
        yield _install(cluster, follower, hop, ("chef-ha rolling-2-install",))
        yield Step(
            id="upgrade-backend",
            title=f"Upgrade {follower.name}",
            commands=(on(follower, "chef-backend-ctl upgrade"),),
            notes=("One follower at a time: two at once may lose data. Go on only when this one has rejoined.",),
            proof=_health(follower, _REJOINED),
            documented=("chef-ha rolling-2-upgrade", "chef-ha rolling-2-verify"),
        )
    leader = cluster.leader
    note = "The document does not name this one; without it the next step has nothing to upgrade to."
    yield _install(cluster, leader, hop, (), note)
    yield Step(
        id="upgrade-leader",
        title=f"Upgrade {leader.name}, which hands the lead over",
        commands=(
            on(leader, "chef-backend-ctl set-cluster-failover on"),
            on(leader, "chef-backend-ctl upgrade --failover"),
            on(leader, "chef-backend-ctl set-cluster-failover off"),
        ),
        notes=("One line after the other, each only where the one before it ended without an error.",),
        proof=_health(
            leader,
            f"another node leads, {leader.name if cluster.settled else 'this one'} is a follower; "
            "postgresql synced: 2; etcd and elasticsearch green",
        ),
        documented=("chef-ha rolling-3",),
        no_return=True,
    )


def _health(machine: Machine, shows: str) -> Proof:
    return Proof(shows, (on(machine, "chef-backend-ctl cluster-status"), on(machine, "chef-backend-ctl status")))


def _install(
    cluster: ChefCluster, machine: Machine, hop: UpgradeStep, documented: tuple[str, ...], note: str = ""
) -> Step:
    return Step(
        id="install-package",
        title=f"Install Chef Backend {hop.version} on {machine.name}",
        commands=(cluster.install(machine, hop.version),),
        notes=(note,) if note else (),
        proof=Proof(f"Chef Backend {hop.version}", (_version(machine),)),
        documented=documented,
    )


def _version(machine: Machine) -> Command:
    return on(machine, "chef-backend-ctl --version")


def downtime(cluster: ChefCluster, hop: UpgradeStep) -> Iterable[Step]:
    """With the whole cluster down: the leader goes down first, and is upgraded last."""
    leader = cluster.leader
    yield _identify(cluster)
    yield Step(
        id="install-everywhere",
        title=f"Install Chef Backend {hop.version} on {named(cluster.backends)}",
        commands=tuple(cluster.install(machine, hop.version) for machine in cluster.backends),
        notes=("The package alone: nothing is upgraded by it yet.",),
        proof=Proof(f"Chef Backend {hop.version} on each", tuple(_version(machine) for machine in cluster.backends)),
        documented=("chef-ha downtime-2",),
    )
    yield Step(
        id="take-leader-down",
        title=f"Take the leader {leader.name} down for the upgrade: from here on the cluster serves nobody",
        commands=(on(leader, "chef-backend-ctl down-for-upgrade"),),
        proof=Proof("the command ends without an error"),
        documented=("chef-ha downtime-3",),
    )
    yield Step(
        id="take-followers-down",
        title=f"Then take {named(cluster.followers)} down",
        commands=tuple(on(machine, "chef-backend-ctl down-for-upgrade") for machine in cluster.followers),
        proof=Proof("the command ends without an error on each"),
        documented=("chef-ha downtime-4",),
    )
    for at, follower in enumerate(cluster.followers):
        yield Step(
            id="upgrade-down-follower",
            title=f"Upgrade the follower {follower.name}",
            commands=(on(follower, "chef-backend-ctl upgrade"),),
            notes=("Followers first, the leader last. Nobody leads yet: do not wait for a leader here.",),
            proof=Proof("the command ends without an error"),
            documented=("chef-ha downtime-5",),
            no_return=at == 0,
        )
    yield Step(
        id="upgrade-down-leader",
        title=f"Upgrade the leader {leader.name}",
        commands=(on(leader, "chef-backend-ctl upgrade"),),
        notes=("Only now, after all followers. A leader has to be elected after it.",),
        proof=_health(leader, _ELECTED),
        documented=("chef-ha downtime-6",),
    )
    yield Step(
        id="reconfigure-frontends",
        title=f"Reconfigure {named(cluster.frontends)}",
        commands=tuple(on(machine, "chef-server-ctl reconfigure") for machine in cluster.frontends),
        proof=cluster.frontends_run(),
        documented=("chef-ha downtime-7",),
    )


def reindex(cluster: ChefCluster, hop: UpgradeStep) -> Iterable[Step]:
    """Node by node with the frontends stopped; then the search index is made anew, and failover turned on after it."""
    yield stop_frontends(cluster)
    yield _identify(cluster)
    yield from _one_after_the_other(cluster, hop)
    yield from rebuild(cluster, hop, failover(cluster, "on", documented=("chef-ha rolling-4",)))
