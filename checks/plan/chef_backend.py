"""The runbook of a Chef Backend upgrade: what is done once, what at each hop, and the frontends last."""

from __future__ import annotations

from collections.abc import Iterable

from checks.plan import chef_cluster, chef_hop
from checks.plan.chef_cluster import ChefCluster, named, on
from checks.plan.model import Command, Part, Proof, Step, Trouble, asked
from checks.upgrade_path import Hop, UpgradePath, is_young

_RECOVERY = "https://docs.chef.io/backend_failure_recovery/"


def parts(cluster: ChefCluster, path: UpgradePath) -> tuple[Part, ...]:
    """The chapters of the runbook, in order."""
    sources = [str(path.current), *(hop.version for hop in path.hops[:-1])]
    chapters = [Part("Before the window opens", tuple(_gate(cluster)))]
    for number, (source, hop) in enumerate(zip(sources, path.hops, strict=True), 1):
        way = strategy(cluster, hop)
        title = f"Hop {number} of {len(path.hops)}: {source} to {hop.version}, {_WAYS[way]}"
        then = cluster if number == 1 else chef_cluster.once_the_lead_has_changed(cluster)
        steps = [] if number == 1 else [_plan_again(cluster)]
        steps += [*_STEPS[way](then, hop), _verify(then, hop)]
        chapters.append(Part(title, tuple(steps), _intro(hop), asked(hop)))
    if cluster.frontends:
        chapters.append(Part("Frontends, after the backends", tuple(_frontends(cluster))))
    chapters.append(Part("Afterwards", tuple(_afterwards(cluster))))
    return tuple(chapters)


def _plan_again(cluster: ChefCluster) -> Step:
    return Step(
        "plan-again",
        "Plan again: who leads may have changed in the hop before",
        (cluster.plan(),),
        notes=(
            f"{cluster.leader.name} may have handed the lead over, and the order of the nodes depends on who leads.",
            "Until you have planned again, roles stand in the place of the backends' names from here on.",
            "Back the cluster up again, too: the next hop starts here.",
        ),
        proof=Proof("a plan with one hop less, whose first step may be taken"),
    )


def strategy(cluster: ChefCluster, hop: Hop) -> str:
    """How a hop is taken: rolling, reindex or downtime. An index whose age is unknown is taken for an old one."""
    if hop.strategy is None or hop.strategy.requires == "rolling":
        return "rolling"
    if hop.strategy.requires == "downtime":
        return "downtime"
    return "rolling" if is_young(hop.strategy, cluster.index) else "reindex"


def _intro(hop: Hop) -> tuple[str, ...]:
    told = [f"A stop that the vendor asks for: {hop.stone.text} ({hop.stone.source})."] if hop.stone else []
    if hop.strategy:
        told.append(f"The vendor's way: {hop.strategy.text} ({hop.strategy.source}).")
    return tuple(told)


def _gate(cluster: ChefCluster) -> Iterable[Step]:
    every = (*cluster.backends, *cluster.frontends)
    yield Step(
        "have-access",
        f"Log in to {named(every)} as somebody who may use sudo, and stay logged in",
        proof=Proof("sudo works on each", Command("sudo -v", "sh")),
    )
    yield Step(
        "back-up-cluster",
        f"Back up the cluster on {cluster.leader.name}, and copy the backup elsewhere",
        (on(cluster.leader, "chef-backend-ctl backup"),),
        notes=("Snapshots of the machines are worth having as well: of all three, at one moment.",),
        proof=Proof("the archive is there, is not empty, and lies on another machine, too"),
    )
    yield Step(
        "stage-package",
        f"Have the new package on {named(cluster.backends)}",
        proof=Proof(
            "pass: there, the same on every backend, of the target's version", cluster.scan("chef-package-staged")
        ),
        documented=("chef-ha staged",),
    )
    yield Step(
        "pass-the-gate", "Scan once more, right before the window", (cluster.scan(phase="before"),), proof=Proof("GO")
    )


def _verify(cluster: ChefCluster, hop: Hop) -> Step:
    return Step(
        "verify-hop",
        f"Prove that the whole cluster runs {hop.version}",
        (on(cluster.leader, "chef-backend-ctl status"), cluster.scan(phase="after", target=hop.version)),
        proof=Proof("leader: 1; waiting: 0; follower: 2; total: 3, everything green, and GO"),
        documented=("chef-ha rolling-5",),
    )


def _frontends(cluster: ChefCluster) -> Iterable[Step]:
    first, *others = cluster.frontends
    level = "/var/opt/opscode/upgrades/migration-level"
    running = f" (now {first.version})" if first.version else ""
    yield Step(
        "upgrade-first-frontend",
        f"Upgrade Chef Infra Server on {first.name}{running}, where it is to be upgraded at all",
        (
            on(first, "chef-server-ctl stop"),
            Command(f"sudo <install the package of Chef Infra Server on {first.name}>", "sh", first.name),
            on(first, "chef-server-ctl upgrade"),
            on(first, "chef-server-ctl start"),
        ),
        notes=(
            "Which version: at least what chef-frontend-version asks for.",
            "Chef Infra Server has a path of its own, with stops below 12.17.15: https://docs.chef.io/server/upgrades/",
        ),
        proof=Proof("pass", cluster.scan("chef-frontend-status", "chef-frontend-version", phase="after")),
        documented=("chef-ha downtime-8",),
    )
    for other in others:
        yield Step(
            "upgrade-other-frontend",
            f"Copy migration-level from {first.name} to {other.name}, then upgrade {other.name}",
            (
                Command(f"sudo cat {level}", "sh", first.name),
                Command(f"sudo tee {level}", "sh", other.name),
                on(other, "chef-server-ctl stop"),
                Command(f"sudo <install the same package on {other.name}>", "sh", other.name),
                on(other, "chef-server-ctl upgrade"),
                on(other, "chef-server-ctl start"),
            ),
            notes=("The file first: without it the second frontend migrates the data a second time.",),
            proof=Proof("pass", cluster.scan("chef-frontend-status", "chef-frontend-version", phase="after")),
            documented=("chef-ha downtime-8",),
        )


def _afterwards(cluster: ChefCluster) -> Iterable[Step]:
    yield Step(
        "scan-after",
        "Scan once more, to what is expected after the window",
        (cluster.scan(phase="after"),),
        proof=Proof("GO"),
    )


def way_back(cluster: ChefCluster) -> tuple[str, ...]:
    """How to return to what was before, as far as there is a way."""
    return (
        f"Until {cluster.leader.name} is upgraded it holds the data as they were, and no upgraded node leads.",
        "No document of the vendor's describes a way from a newer version to an older one.",
        "The way back is the backup: all three backends anew with the old package, then the backup restored on one.",
    )


def troubles(cluster: ChefCluster) -> tuple[Trouble, ...]:
    """What to do where a step went wrong."""
    leader, follower = cluster.leader, cluster.followers[0]
    return (
        Trouble(
            "No leader is elected: cluster-status shows waiting_for_leader on every node, or status says leader: 0",
            (
                "Everything else may look green: etcd 3/3, elasticsearch 3/3, disks OK. The line of leaderl decides.",
                "Wait two minutes, then look again on every backend. Touch nothing while a node is deposed_leader.",
                f"Still none: promote the node with the newest data, which is the last leader, {leader.name}.",
                "Ask the vendor's support first where that is in doubt: a wrong choice loses data.",
                f"A file no-start-pgsql on the last leader keeps its PostgreSQL from starting: {_RECOVERY}",
            ),
            (
                on(leader, "chef-backend-ctl cluster-status"),
                on(leader, f"chef-backend-ctl promote {cluster.names.shell(leader.name, 'the leader')}"),
            ),
        ),
        Trouble(
            f"A follower does not rejoin after its upgrade ({follower.name} stays away, or synced stays below 2)",
            (
                "Go on with no other node. Read what PostgreSQL and leaderl say on it.",
                f"A file unsynced means that its copy of the database is not whole: {_RECOVERY}",
            ),
            (
                on(follower, "chef-backend-ctl status"),
                on(follower, "tail -n 50 /var/log/chef-backend/leaderl/current"),
            ),
        ),
        Trouble(
            "The leader's upgrade ends, and its Elasticsearch says: unknown setting [path.scripts]",
            (
                "It is not wholly upgraded. See that it does not lead any more and that Elasticsearch is green.",
                "Then upgrade it once more.",
            ),
            (on(leader, "chef-backend-ctl upgrade"),),
        ),
    )


_WAYS = {
    "rolling": "one node after the other",
    "reindex": "with the frontends stopped and the search index made anew",
    "downtime": "with the whole cluster down",
}
_STEPS = {"rolling": chef_hop.rolling, "reindex": chef_hop.reindex, "downtime": chef_hop.downtime}
