"""The search index of a Chef Backend cluster: its health before a hop to 3.x, and how an old one is made anew."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from checks.chef_backend.runbook.site import ChefCluster, Machine, named, on
from checks.engine.upgrade_path import UpgradeStep
from checks.runbook.commands import sh_on
from checks.runbook.model import Command, Proof, Side, Step
from checks.versions import VersionError, parse_version

_MAINTENANCE_SINCE = parse_version("14.6.32")
_CHECKED_SINCE = parse_version("3.0")
_SHIPPED = (("3.0", "6.8.23"), ("2.1", "5.6.16"), ("2.0", "5.4.1"))
"""From which Chef Backend on which Elasticsearch comes with it, the newest first; by the table of the upgrade page."""
_DATA = "/var/opt/chef-backend/elasticsearch/data"


def is_concerned(hop: UpgradeStep) -> bool:
    """Whether the hop leads to an Elasticsearch that takes over no index of 5.4.1 or older."""
    return parse_version(hop.version) >= _CHECKED_SINCE


def made_by(version: str) -> str:
    """The version of Elasticsearch that makes an index under Chef Backend `version`; empty where that is not known."""
    at = parse_version(version)
    return next((engine for since, engine in _SHIPPED if at >= parse_version(since)), "")


def see_that_it_is_healthy(cluster: ChefCluster) -> Step:
    """The look at the indexes, before anything is stopped."""
    machine = cluster.anyone
    port = cluster.names.path(
        cluster.search_port or None,
        f"the port of Elasticsearch on {machine.name}",
        cluster.search_unread,
        "sudo grep elasticsearch.port /etc/chef-backend/chef-backend.rb; 9200 where that names none",
    )
    return Step(
        id="check-index-health",
        title="See that the search index is healthy, and how old it is",
        commands=(
            sh_on(machine.name, f'curl -s -S "localhost:{port}/_cat/indices?h=health,status,index"'),
            sh_on(machine.name, f'curl -s -S "localhost:{port}/chef/_settings/index.version.created*?pretty&human"'),
        ),
        notes=("Where created_string is not what this plan rests on, plan again before you go on.",),
        proof=Proof(
            "no index but chef, and it is green"
            + (f"; created_string {cluster.index}" if cluster.index and cluster.settled else "")
        ),
        documented=("chef-3 health",),
    )


def stop_frontends(cluster: ChefCluster) -> Step:
    """The stop of all frontends, while there is no index to search."""
    return Step(
        id="stop-frontends",
        title=f"Stop {named(cluster.frontends)}: the index is deleted, and nobody may search it meanwhile",
        commands=tuple(_close(machine) for machine in cluster.frontends),
        notes=() if cluster.known_frontends else ("Maintenance exists from Chef Infra Server 14.6.32 on.",),
        proof=Proof("no client gets an answer: knife status fails from a workstation"),
        documented=("chef-3 stop-frontends",),
    )


def rebuild(cluster: ChefCluster, hop: UpgradeStep, failover_on: Step) -> Iterable[Step]:
    """Delete the index everywhere, and make it anew; `failover_on` is taken once its definitions are there."""
    every = cluster.backends
    made = f"created by Elasticsearch {cluster.index}" if cluster.index and cluster.settled else "the old one"
    sides = (
        Side(
            "delete and rebuild an index that 5.4.1 or older created",
            "Chef Backend Upgrade 2.x to 3.x, index treatment",
        ),
        Side("from 2.1.0 even such an index is upgraded by itself", "the same page, table of strategies"),
    )
    yield Step(
        id="stop-elasticsearch",
        title=f"Stop Elasticsearch on {named(every)}",
        commands=(
            on(cluster.anyone, "chef-backend-ctl set-cluster-failover off"),
            *(on(machine, "chef-backend-ctl stop elasticsearch") for machine in every),
        ),
        notes=("Failover is off already; once more does no harm.",),
        proof=Proof("down: elasticsearch on each", tuple(on(machine, "chef-backend-ctl status") for machine in every)),
        sides=sides if is_concerned(hop) else (),
        documented=("chef-3 stop-elasticsearch",),
    )
    yield Step(
        id="delete-index",
        title=f"Delete the search index ({made}) on {named(every)}",
        commands=tuple(on(machine, f"sh -c 'rm -rf {_DATA}/*'") for machine in every),
        notes=(
            "Not before Elasticsearch is stopped on all three. The index is made anew from the database afterwards.",
            "Only elasticsearch/data: the folder postgresql beside elasticsearch holds the database.",
        ),
        proof=Proof("nothing is left in it", tuple(on(machine, f"ls {_DATA}") for machine in every)),
        documented=("chef-3 delete-index",),
    )
    yield Step(
        id="start-elasticsearch",
        title=f"Start Elasticsearch on {named(every)}",
        commands=tuple(on(machine, "chef-backend-ctl start elasticsearch") for machine in every),
        proof=Proof("elasticsearch state: green; nodes online: 3/3", (on(cluster.anyone, "chef-backend-ctl status"),)),
        documented=("chef-3 start-elasticsearch",),
    )
    first = cluster.frontends[0]
    organization = cluster.names.path(
        None, "an organization", "which one is yours to choose", "sudo chef-server-ctl org-list on a frontend"
    )
    server = cluster.names.path(
        first.api or None,
        f"the address of {first.name} on itself",
        "it did not answer when it was asked",
        "https://127.0.0.1 and the port that nginx['ssl_port'] names in /etc/opscode/chef-server.rb, 443 where none is",
    )
    running = () if has_maintenance(first) else (on(first, "chef-server-ctl start"),)
    yield Step(
        id="define-index",
        title=f"Have {first.name} define the new index",
        commands=(on(first, "chef-server-ctl reconfigure"), *running),
        notes=(f"{first.name} serves no requests meanwhile: keep it out of the load balancer.",),
        proof=Proof("the command ends without an error, and all services run", (on(first, "chef-server-ctl status"),)),
        documented=("chef-3 define-index",),
    )
    yield failover_on
    yield Step(
        id="rebuild-index",
        title=f"Fill the new index from {first.name}",
        commands=(on(first, "chef-server-ctl reindex -a"),),
        notes=(
            "Try one organization first, its name in the place of -a, and search it as below.",
            "The vendor reckons with two minutes for each 1000 nodes.",
        ),
        proof=Proof(
            "all nodes of an organization",
            (
                on(
                    first,
                    "/opt/opscode/bin/knife search node '*:*' -c /etc/opscode/pivotal.rb"
                    f" --server-url {shlex.quote(f'{server}/organizations/{organization}')}",
                ),
            ),
        ),
        documented=("chef-3 reindex",),
    )
    yield Step(
        id="start-frontends",
        title=f"Let {named(cluster.frontends)} serve again",
        commands=tuple(_open(machine) for machine in cluster.frontends),
        proof=cluster.frontends_run(),
        documented=("chef-3 start-frontends",),
    )


def _close(machine: Machine) -> Command:
    return on(machine, "chef-server-ctl maintenance on" if has_maintenance(machine) else "chef-server-ctl stop")


def _open(machine: Machine) -> Command:
    return on(machine, "chef-server-ctl maintenance off" if has_maintenance(machine) else "chef-server-ctl start")


def has_maintenance(machine: Machine) -> bool:
    """Whether the frontend can refuse requests without being stopped."""
    try:
        head = machine.version.rpartition(":")[2].partition("-")[0].partition("+")[0]
        return bool(head) and parse_version(head) >= _MAINTENANCE_SINCE
    except VersionError:
        return False
