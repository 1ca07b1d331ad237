"""What is left where a Chef Backend upgrade goes wrong: the way back, and a cure for each trouble that is known."""

from __future__ import annotations

from checks.plan import chef_index, procedures
from checks.plan.chef_cluster import ChefCluster, on
from checks.plan.chef_frontends import LEVEL
from checks.plan.model import Trouble
from checks.upgrade_path import UpgradePath

_RECOVERY = "https://docs.chef.io/backend_failure_recovery/"


def way_back(path: UpgradePath) -> tuple[str, ...]:
    """How to return to what was before, as far as there is a way."""
    down = any(hop.strategy and hop.strategy.requires == "downtime" for hop in path.hops)
    kept = (
        "Until the first backend is upgraded nothing is changed: down-for-upgrade alone has upgraded nothing."
        if down
        else "Until the leader is upgraded it serves the data as they were, and no upgraded node leads: stop "
        "there, and "
        "ask the vendor's support, rather than go on in doubt."
    )
    return (
        kept,
        "No document of the vendor's describes a way from a newer version to an older one, node by node or as a whole.",
        (
            "The way back is a newly built cluster: the old package on empty machines, chef-backend-ctl restore "
            "--publish_address ADDRESS ARCHIVE on the first, chef-backend-ctl join-cluster on the others, "
            "the frontends "
            "configured anew, chef-server-ctl reindex --all. It takes hours, and loses what came after the backup."
        ),
        "Snapshots lead back only where all backends return to the same moment, with all of them off meanwhile.",
    )


def troubles(cluster: ChefCluster, path: UpgradePath) -> tuple[Trouble, ...]:
    """What to do where a step went wrong."""
    leader, follower = cluster.leader, cluster.followers[0]
    told = [
        Trouble(
            "No leader is elected: cluster-status shows waiting_for_leader on every node, or status says leader: 0",
            (
                "Everything else may look green: etcd 3/3, elasticsearch 3/3, disks OK. The line of leaderl decides.",
                "Wait two minutes, then look again on every backend. Touch nothing while a node is deposed_leader.",
                "Still none: open a case with the vendor's support first. A wrong choice of leader loses data.",
                f"Only then promote the node with the newest data: the last leader, before the window {leader.name}.",
                (
                    "A file no-start-pgsql on a leader that was deposed keeps its PostgreSQL from starting: the "
                    "page says "
                    "how to go about it."
                ),
            ),
            look=(on(leader, "chef-backend-ctl cluster-status"), on(leader, "chef-backend-ctl status")),
            cure=(on(leader, f"chef-backend-ctl promote {cluster.names.shell(leader.member, 'the last leader')}"),),
            url=_RECOVERY,
        ),
        Trouble(
            "A follower does not rejoin after its upgrade: it stays away, or synced stays below 2",
            (
                "Go on with no other node: the cluster lives on two, and the next upgrade would leave one.",
                f"Read what PostgreSQL and leaderl say on it, here {follower.name}.",
                (
                    "A file unsynced in /var/opt/chef-backend/leaderl/data means that its copy of the database is not "
                    "whole: the page says how it is made whole."
                ),
            ),
            look=(
                on(follower, "chef-backend-ctl status"),
                on(follower, "tail -n 50 /var/log/chef-backend/leaderl/current"),
            ),
            url=_RECOVERY,
        ),
    ]
    front = cluster.frontends[0]
    told.append(
        Trouble(
            "chef-server-ctl upgrade ends with an error on a frontend",
            (
                "Touch no other frontend, and keep the backup where nothing can write to it: the vendor's first word.",
                f"The last migration that ended stands in {LEVEL}; a second run goes on from there. Read why it ended.",
                (
                    "Where that file is missing or empty no upgrade runs: copy it from a frontend that is not upgraded "
                    "yet, or have it worked out anew, and see that it says what those of the other frontends say."
                ),
                "Then ask the vendor's support.",
            ),
            look=(on(front, f"cat {LEVEL}"), on(front, "chef-server-ctl status")),
            cure=(on(front, "chef-server-ctl rebuild-migration-state"),),
            documented=("chef-server failed",),
            url=procedures.SERVER_URL,
        )
    )
    if any(chef_index.is_concerned(hop) for hop in path.hops):
        told.append(
            Trouble(
                "The leader's upgrade ends, and its Elasticsearch says: unknown setting [path.scripts]",
                (
                    "It is not wholly upgraded. See that it does not lead any more and that Elasticsearch is green.",
                    "Only then upgrade it once more.",
                ),
                look=(
                    on(leader, "tail -n 50 /var/log/chef-backend/elasticsearch/current"),
                    on(leader, "chef-backend-ctl cluster-status"),
                    on(leader, "chef-backend-ctl status"),
                ),
                cure=(on(leader, "chef-backend-ctl upgrade"),),
                url=procedures.CHEF_URL,
            )
        )
    return tuple(told)
