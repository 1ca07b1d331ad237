"""The runbook of a Chef Backend upgrade: what is done once, what at each hop, and the frontends last."""

from __future__ import annotations

from collections.abc import Iterable

from checks.chef_backend.runbook import frontends, procedures, site
from checks.chef_backend.runbook import hop as chef_hop
from checks.chef_backend.runbook import index as chef_index
from checks.chef_backend.runbook.site import ChefCluster, named, on
from checks.engine.rules import RuleSet
from checks.engine.upgrade_path import UpgradePath, UpgradeStep, is_recent_enough
from checks.engine.wording import enumerate_names
from checks.runbook.commands import sh_on
from checks.runbook.model import Part, Proof, Step, asked
from checks.versions import parse_version

_CHEF_URL = procedures.CHEF_URL
_BACKUP_WITHOUT_INDEX = parse_version("2.3.16")


def parts(cluster: ChefCluster, path: UpgradePath, rules: RuleSet) -> tuple[Part, ...]:
    """The chapters of the runbook, in order."""
    sources = [str(path.current), *(hop.version for hop in path.hops[:-1])]
    chapters = [Part("Before the window opens", tuple(_gate(cluster, path)))]
    before: UpgradeStep | None = None
    ways = strategies(cluster, path)
    for number, (source, hop) in enumerate(zip(sources, path.hops, strict=True), 1):
        way = ways[number - 1]
        title = f"Hop {number} of {len(path.hops)}: {source} to {hop.version}, {_WAYS[way]}"
        then = cluster if before is None else site.once_the_lead_has_changed(cluster)
        steps = [] if before is None else [*_between(cluster, before)]
        steps += frontends.too_old_for(cluster, hop, before)
        steps += [chef_index.see_that_it_is_healthy(then)] if _takes_over_the_index(source, hop) else []
        steps += [*_STEPS[way](then, hop), _verify(then, hop, way)]
        chapters.append(
            Part(title, tuple(steps), _intro(hop, cluster.index_unread if way == "reindex" else ""), asked(hop))
        )
        before = hop
    optional = "Where all frontends stay on their version, write that down at the first step and leave the others out."
    chapters.append(Part("Frontends, after the backends", tuple(frontends.steps(cluster, rules)), (optional,)))
    chapters.append(Part("Afterwards", tuple(_afterwards(cluster))))
    return tuple(chapters)


def _takes_over_the_index(source: str, hop: UpgradeStep) -> bool:
    return chef_index.is_concerned(hop) and parse_version(source) < parse_version("3.0")


def _between(cluster: ChefCluster, before: UpgradeStep) -> Iterable[Step]:
    yield Step(
        id="back-up-again",
        title=f"Back up the cluster of {before.version} on a follower, and copy the backup elsewhere",
        commands=(sh_on("a follower", "sudo chef-backend-ctl backup"),),
        notes=(
            "The next hop starts here; the older backup would lead two versions back.",
            *_stops_elasticsearch(before.version),
        ),
        proof=Proof("the archive is there, is not empty, and lies on another machine, too"),
    )
    yield _plan_again(cluster)


def _stops_elasticsearch(version: str) -> tuple[str, ...]:
    """What a backup takes away meanwhile, where Chef Backend is of `version`."""
    if parse_version(version) >= _BACKUP_WITHOUT_INDEX:
        return ()
    text = (
        f"Before {_BACKUP_WITHOUT_INDEX} it stops Elasticsearch on that node and saves its data, too: search has one "
        "node less meanwhile, so wait until elasticsearch is green and 3/3 again (Chef Backend release notes, 2.3.16; "
        "chef/chef-server issue 2056)."
    )
    return (text,)


def _plan_again(cluster: ChefCluster) -> Step:
    return Step(
        id="plan-again",
        title="Plan again: who leads may have changed in the hop before",
        commands=(cluster.plan(),),
        notes=(
            f"{cluster.leader.name} may have handed the lead over, and the order of the nodes depends on who leads.",
            "Until you have planned again, roles stand in the place of the backends' names from here on.",
        ),
        proof=Proof("a plan with one hop less, whose first step may be taken"),
    )


def strategies(cluster: ChefCluster, path: UpgradePath) -> tuple[str, ...]:
    """How each hop is taken: rolling, reindex or downtime. An index whose age is unknown is taken for an old one."""
    ways = []
    index = cluster.index
    for hop in path.hops:
        ways.append(_strategy(hop, index))
        if ways[-1] == "reindex":
            index = chef_index.made_by(hop.version)
    return tuple(ways)


def _strategy(hop: UpgradeStep, index: str) -> str:
    if hop.strategy is None or hop.strategy.requires == "rolling":
        return "rolling"
    if hop.strategy.requires == "downtime":
        return "downtime"
    return "rolling" if is_recent_enough(hop.strategy, index) else "reindex"


def _intro(hop: UpgradeStep, unread: str) -> tuple[str, ...]:
    told = [f"A stop that the vendor asks for: {hop.stone.text} ({hop.stone.source})."] if hop.stone else []
    if hop.strategy:
        told.append(f"The vendor's way: {hop.strategy.text} ({hop.strategy.source}).")
    if unread:
        told.append(
            f"Which Elasticsearch created the search index could not be read ({unread}): "
            "this plan takes it for an old one."
        )
    return tuple(told)


def _gate(cluster: ChefCluster, path: UpgradePath) -> Iterable[Step]:
    every = (*cluster.backends, *cluster.frontends)
    versions = enumerate_names([hop.version for hop in path.hops])
    yield Step(
        id="have-access",
        title=f"Log in to {named(every)} as somebody who may use sudo, and stay logged in",
        proof=Proof("sudo works on each", (sh_on(named(every), "sudo -v"),)),
    )
    yield Step(
        id="stage-package",
        title=f"Have the package of Chef Backend {versions} on {named(cluster.backends)}",
        proof=Proof(
            "pass: there, the same on every backend, of the target's version",
            (cluster.scan("chef-package-staged", phase="before"),),
        ),
        notes=("The scan looks at the target's package; those of the stops are compared by hand.",)
        if len(path.hops) > 1
        else (),
        documented=("chef-ha staged",),
    )
    yield from _leftovers(cluster)
    follower, front = cluster.followers[0], cluster.frontends[0]
    yield Step(
        id="back-up-cluster",
        title=f"Back up the cluster on the follower {follower.name}, and the configuration on {front.name}",
        commands=(on(follower, "chef-backend-ctl backup"), on(front, "chef-server-ctl backup --config-only")),
        notes=(
            "Copy both archives to a machine that is not of this cluster.",
            "Snapshots of the machines are worth having as well: of all backends, at one moment.",
            *_stops_elasticsearch(str(path.current)),
        ),
        proof=Proof("both archives are there, are not empty, and lie on another machine, too"),
        documented=("chef-backup backend", "chef-backup frontend", "chef-backup away"),
    )
    stops = len(path.hops) > 1
    # Asked for the final target, the gate could never be passed: that there are stops is what the plan answers.
    gate = cluster.scan(phase="before", target=path.hops[0].version, without=("chef-package-staged",))
    yield Step(
        id="pass-the-gate",
        title="Scan once more, right before the window",
        commands=(gate if stops else cluster.scan(phase="before"),),
        notes=(f"It asks for the first hop, {path.hops[0].version}; the package was looked at above.",)
        if stops
        else (),
        proof=Proof("GO"),
    )


def _leftovers(cluster: ChefCluster) -> Iterable[Step]:
    """Settings that mean nothing any more, where the backends' configuration still has them."""
    having = [machine for machine in cluster.backends if machine.leftovers]
    if not having:
        return
    settings = enumerate_names(list(dict.fromkeys(key for machine in having for key in machine.leftovers)))
    look = "grep -n -e postgresql.shmmax -e postgresql.shmall /etc/chef-backend/chef-backend.rb"
    yield Step(
        id="take-out-shm",
        title=f"Take {settings} out of /etc/chef-backend/chef-backend.rb on {named(having)}",
        commands=tuple(on(machine, look) for machine in having),
        notes=(
            "PostgreSQL 9.5, which came with 1.2.5, needs no such setting; the release notes ask for its removal.",
            "Delete the lines that are shown with an editor. The upgrade applies it.",
        ),
        proof=Proof("nothing is shown any more", tuple(on(machine, look) for machine in having)),
        documented=("chef-shm settings",),
        url=procedures.RELEASES_URL,
    )


def _verify(cluster: ChefCluster, hop: UpgradeStep, way: str) -> Step:
    rebuild = chef_index.is_concerned(hop) and way != "reindex"
    advice = "The vendor recommends to rebuild the search index once backends and frontends run 3.x."
    declare = 'Nothing has switched failover: where it is on, declare failover = "on", or this scan cannot tell.'
    return Step(
        id="verify-hop",
        title=f"Prove that the whole cluster runs {hop.version}",
        commands=(on(cluster.anyone, "chef-backend-ctl status"), cluster.scan(phase="after", target=hop.version)),
        notes=(*((advice,) if rebuild else ()), *((declare,) if way == "downtime" else ())),
        proof=Proof("leader: 1; waiting: 0; follower: 2; total: 3, everything green, and GO"),
        documented=("chef-ha rolling-5",),
        url=_CHEF_URL if rebuild else "",
    )


def _afterwards(cluster: ChefCluster) -> Iterable[Step]:
    yield Step(
        id="scan-after",
        title="Scan once more, to what is expected after the window",
        commands=(cluster.scan(phase="after"),),
        proof=Proof("GO"),
    )


_WAYS = {
    "rolling": "one node after the other",
    "reindex": "with the frontends stopped and the search index made anew",
    "downtime": "with the whole cluster down",
}
_STEPS = {"rolling": chef_hop.rolling, "reindex": chef_hop.reindex, "downtime": chef_hop.downtime}
