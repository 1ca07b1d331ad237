"""The runbook of a Chef Backend upgrade: node by node, or with the whole cluster down, and the frontends last."""

from __future__ import annotations

from collections.abc import Iterable

from checks.plan.chef_cluster import ChefCluster, Machine, named, on
from checks.plan.model import Command, Part, Proof, Side, Step, Trouble
from checks.upgrade_path import Hop, UpgradePath, is_young
from checks.versions import parse_version

_REJOINED = "three members, this one a follower with PG follower; postgresql synced: 2; etcd and elasticsearch green"
_RECOVERY = "https://docs.chef.io/backend_failure_recovery/"
_MAINTENANCE_SINCE = "14.6.32"
_OLD_INDEX = parse_version("2.0")


def parts(cluster: ChefCluster, path: UpgradePath) -> tuple[Part, ...]:
    """The chapters of the runbook, in order."""
    sources = [str(path.current), *(hop.version for hop in path.hops[:-1])]
    chapters = [Part("Before the window opens", tuple(_gate(cluster)))]
    for number, (source, hop) in enumerate(zip(sources, path.hops, strict=True), 1):
        way = strategy(cluster, hop)
        title = f"Hop {number} of {len(path.hops)}: {source} to {hop.version}, {_WAYS[way]}"
        steps = [*_STEPS[way](cluster, hop), _verify(cluster, hop)]
        chapters.append(Part(title, tuple(steps), _intro(hop)))
    if cluster.frontends:
        chapters.append(Part("Frontends, after the backends", tuple(_frontends(cluster))))
    chapters.append(Part("Afterwards", tuple(_afterwards(cluster))))
    return tuple(chapters)


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
    asked = "; ".join(dict.fromkeys(rule.text for rule in hop.requirements))
    return (*told, f"At {hop.version} the vendor asks for: {asked}.") if asked else tuple(told)


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


def _identify(cluster: ChefCluster) -> Step:
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


def _rolling(cluster: ChefCluster, hop: Hop) -> Iterable[Step]:
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


def _downtime(cluster: ChefCluster, hop: Hop) -> Iterable[Step]:
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


def _reindex(cluster: ChefCluster, hop: Hop) -> Iterable[Step]:
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
        if parse_version(hop.version) > _OLD_INDEX
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
    return bool(head) and parse_version(head) >= parse_version(_MAINTENANCE_SINCE)


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
_STEPS = {"rolling": _rolling, "reindex": _reindex, "downtime": _downtime}
