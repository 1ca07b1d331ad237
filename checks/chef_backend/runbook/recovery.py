"""What is left where a Chef Backend upgrade goes wrong: the way back, and a cure for each trouble that is known."""

from __future__ import annotations

from collections.abc import Iterable

from checks.chef_backend.installed import package_version
from checks.chef_backend.runbook import index, procedures
from checks.chef_backend.runbook.frontends import LEVEL
from checks.chef_backend.runbook.site import ChefCluster, Machine, named, on
from checks.engine.upgrade_path import UpgradePath
from checks.runbook.model import Proof, Side, Step, Troubleshooting
from checks.versions import VersionError, parse_version

_CARRIED = "/tmp/chef-backend-secrets.json"  # noqa: S108  where the vendor's page puts it
_RESTORES_SINCE = parse_version("14.11.36")
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
            "The way back is a newly built cluster on empty machines, by the steps below. It takes hours, and loses "
            "what was written after the backup: nodes, cookbooks, users and their keys."
        ),
        "Snapshots lead back only where all backends return to the same moment, with all of them off meanwhile.",
    )


def steps_back(cluster: ChefCluster, path: UpgradePath) -> Iterable[Step]:
    """The newly built cluster, by the vendor's page on restoring."""
    names, version = cluster.names, str(path.current)
    first, others = (
        Machine(name="the first new backend", manager="", package=""),
        Machine(name="each other new backend", manager="", package=""),
    )
    why = "a newly built cluster has machines of its own"
    address = names.posix(None, "the address of the first new backend", why, "as the other new backends reach it")
    archive = names.posix(
        None, "the archive of chef-backend-ctl backup", "it is made in this plan", "the backup's step prints its name"
    )
    package = names.posix(
        None,
        f"the package of Chef Backend {version}",
        "the inventory names that of the target alone",
        "downloads.chef.io has it; have it before the window",
    )
    tool = cluster.tool(cluster.leader, "yum install", "dpkg -i")
    yield Step(
        id="back-stop-frontends",
        title=f"Stop {named(cluster.frontends)}, so that nobody writes what will be lost",
        commands=tuple(on(machine, "chef-server-ctl stop") for machine in cluster.frontends),
        proof=Proof("no client gets an answer: knife status fails from a workstation"),
    )
    yield Step(
        id="back-install-old",
        title=f"Install Chef Backend {version} on three empty machines",
        commands=tuple(on(machine, f"{tool} {package}") for machine in (first, others)),
        notes=(
            "Not on the upgraded backends: the vendor's restore builds a new cluster, and is no roll-back of one.",
            "The version of the backup. Leave the old machines off, and as they are.",
        ),
        proof=Proof(
            f"Chef Backend {version} on each", tuple(on(one, "chef-backend-ctl --version") for one in (first, others))
        ),
    )
    yield Step(
        id="back-restore",
        title="Restore the backup on the first of them, which makes it the leader of a new cluster",
        commands=(on(first, f"chef-backend-ctl restore --publish_address {address} {archive}"),),
        proof=Proof("one row with the role leader", (on(first, "chef-backend-ctl cluster-status"),)),
        documented=("chef-restore backend",),
        url=procedures.BACKUP_URL,
    )
    own = names.posix(None, "the address of that backend", why, "as the other new backends reach it")
    yield Step(
        id="back-join",
        title="Join the others to it, one after the other",
        commands=(
            on(
                others,
                f"chef-backend-ctl join-cluster --accept-license --yes --quiet {address} --publish_address {own}"
                f" -s {_CARRIED}",
            ),
        ),
        notes=(
            f"Carry /etc/chef-backend/chef-backend-secrets.json of the first over, to {_CARRIED} on each of them.",
            "Remove that copy once the node has joined: whoever reads it can read everything.",
        ),
        proof=Proof(
            "leader: 1; waiting: 0; follower: 2; total: 3; postgresql synced: 2; etcd and elasticsearch green; "
            "no copy of the secrets is left",
            (on(first, "chef-backend-ctl status"), on(others, f"ls {_CARRIED}")),
        ),
        documented=("chef-restore secrets", "chef-restore join"),
        url=procedures.BACKUP_URL,
    )
    yield from _frontends_back(cluster, first)


def _frontends_back(cluster: ChefCluster, backend: Machine) -> Iterable[Step]:
    """The frontends, configured for the new cluster."""
    for machine in cluster.frontends:
        name = cluster.names.posix(
            None,
            f"the full name of {machine.name}",
            "the certificate's name need not be the host's",
            "api_fqdn in its /etc/opscode/chef-server.rb, else hostname -f",
        )
        made = cluster.names.posix(
            None,
            f"a file for the configuration of {machine.name}",
            "it is yours to choose",
            "one that root alone can read",
        )
        kept = cluster.names.posix(
            None,
            "the archive of chef-server-ctl backup",
            "it is made in this plan",
            "the backup's step prints its name",
        )
        was = machine.version or "the version that it had"
        package = cluster.names.posix(
            None,
            f"the package of Chef Infra Server that {machine.name} had",
            "the inventory names none",
            "downloads.chef.io has it; have it before the window",
        )
        yield Step(
            id="back-configure-frontend",
            title=f"Bring {machine.name} back to {was}, and configure it for the new cluster",
            commands=(
                on(backend, f"chef-backend-ctl gen-server-config {name} -f {made}"),
                on(machine, f"{cluster.tool(machine, 'rpm -Uvh --oldpackage', 'dpkg -i')} {package}"),
                on(machine, f"chef-server-ctl restore {kept}"),
                on(machine, f"cp -p {LEVEL}.before {LEVEL}"),
                on(machine, f"cp {made} /etc/opscode/chef-server.rb"),
                on(machine, "chef-server-ctl reconfigure"),
            ),
            notes=(
                f"Where {machine.name} was not upgraded yet its package and its migration-level stay as they are.",
                (
                    "Carry the generated file over before it is copied. It holds the database superuser's password: "
                    "remove it from both machines afterwards."
                ),
                *_too_old_to_restore(machine),
            ),
            sides=(
                Side(
                    "restore the frontend's configuration with chef-server-ctl restore",
                    "Backup and restore a Chef Backend install",
                ),
                Side(
                    "not where PostgreSQL is external, as it is here: knife ec backup instead",
                    "chef-server-ctl, restore",
                ),
            ),
            proof=Proof(
                "every service runs, postgresql is connected OK, and the level is that of the backup",
                (on(machine, "chef-server-ctl status"), on(machine, f"cat {LEVEL}")),
            ),
            documented=("chef-restore config", "chef-restore frontend", "chef-restore apply", "chef-server failed"),
            url=procedures.BACKUP_URL,
        )
    first = cluster.frontends[0]
    yield Step(
        id="back-reindex",
        title=f"Fill the search index from {first.name}",
        commands=(on(first, "chef-server-ctl reindex --all"),),
        proof=Proof("the command ends without an error, and a search finds all nodes of an organization"),
        documented=("chef-restore reindex",),
        url=procedures.BACKUP_URL,
    )
    # A scan that names a check of nobody in the inventory is refused.
    serving = ("chef-cluster-status", *(("chef-frontend-status",) if cluster.known_frontends else ()))
    yield Step(
        id="back-verify",
        title="Put the new machines into the inventory, and prove that the cluster serves",
        commands=(cluster.scan(*serving, phase="before"),),
        notes=("Only then let clients in again.",),
        proof=Proof("pass"),
    )


def _too_old_to_restore(machine: Machine) -> tuple[str, ...]:
    """What restoring asks for, where the frontend may be too old for it."""
    try:
        enough = bool(machine.version) and package_version(machine.version) >= _RESTORES_SINCE
    except VersionError:
        enough = False
    if enough:
        return ()
    return (
        f"Restoring a frontend needs Chef Infra Server {_RESTORES_SINCE} or later; the page says what older ones lack.",
    )


def troubles(cluster: ChefCluster, path: UpgradePath) -> tuple[Troubleshooting, ...]:
    """What to do where a step went wrong."""
    leader, follower = cluster.leader, cluster.followers[0]
    told = [
        Troubleshooting(
            sign="No leader is elected: cluster-status shows waiting_for_leader on every node, or status says "
            "leader: 0",
            help=(
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
            cure=(on(leader, f"chef-backend-ctl promote {cluster.names.posix(leader.member, 'the last leader')}"),),
            url=_RECOVERY,
        ),
        Troubleshooting(
            sign="A follower does not rejoin after its upgrade: it stays away, or synced stays below 2",
            help=(
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
        Troubleshooting(
            sign="chef-server-ctl upgrade ends with an error on a frontend",
            help=(
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
    if any(index.is_concerned(hop) for hop in path.hops):
        told.append(
            Troubleshooting(
                sign="The leader's upgrade ends, and its Elasticsearch says: unknown setting [path.scripts]",
                help=(
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
