"""One hop of a Secret Server upgrade: prepare, stop, upgrade one node, copy it over the others, prove it."""

from __future__ import annotations

from collections.abc import Iterable

from checks.engine.upgrade_path import UpgradeStep
from checks.runbook.commands import sql_on
from checks.runbook.model import Command, Proof, Side, Step
from checks.runbook.windows_paths import url_host
from checks.secret_server.runbook import backup, files, version_task_steps
from checks.secret_server.runbook.site import Site, Web, named
from checks.secret_server.runbook.version_tasks import AFTER, BEFORE, STOPPED
from checks.secret_server.urls import MAINTENANCE_URL, TMS_COMBINED_URL
from checks.versions import parse_secret_server

_CLUSTERING = "Upgrading Secret Server with Web Clustering"
LISTENER_URL = (
    "https://learn.microsoft.com/en-us/sql/database-engine/availability-groups/windows/"
    "listeners-client-connectivity-application-failover"
)
MAINTENANCE_SINCE = parse_secret_server("10.1.000000")
"""From this version on the installer wants Maintenance Mode; below it, its database step fails while it is on."""
_INSTALLER_MOVED = parse_secret_server("10.2.000000")
_NO_PRIMARY = parse_secret_server("10.7.000000")


def steps(site: Site, source: str, hop: UpgradeStep, *, first: bool, last: bool) -> Iterable[Step]:
    """What is done to get from `source` to `hop`, in order."""
    many = bool(site.others)
    if first:
        # What holds for the whole window is done once.
        yield from _open_window(site)
    yield files.save_settings(site, site.webs, source)
    yield from version_task_steps.due(site, source, hop, BEFORE)
    if many:
        yield _stop_others(site, source)
    yield _maintenance(site, source)
    yield from backup.steps(site, source)
    yield from version_task_steps.due(site, source, hop, STOPPED)
    yield _upgrade_first(site, source, hop)
    yield files.merge_settings(site, site.first, source)
    if site.first.tms:
        yield _privilege_manager(site)
    for web in site.others:
        yield from _refresh(site, web, source, hop)
    yield from version_task_steps.due(site, source, hop, AFTER)
    if site.mirrored:
        yield from _mirror(site, last=last)
    yield Step(
        id="verify-hop",
        title=f"Prove that the whole site runs {hop.version}",
        commands=(site.scan(phase="after", target=hop.version, without="dr-instance" if site.spares else ""),),
        proof=Proof(f"GO, with {hop.version} on every web node and in the database"),
    )


def _open_window(site: Site) -> Iterable[Step]:
    if site.mirrored == "group" and site.webs:
        yield _confirm_listener(site)
    elif site.mirrored and site.others:
        yield Step(
            id="point-to-primary-database",
            title=f"Point {named(site.webs)} to the primary database",
            notes=(
                "Write down which of them pointed to the secondary one: it is pointed back in the end.",
                "Where that changes a database.config, change it on the node itself; copy it from no other.",
            ),
            proof=Proof(
                f"{named(site.webs)} among them, on the server where the database is open; and pass",
                (
                    sql_on(
                        site.sql,
                        f"SELECT DISTINCT hostname FROM sys.sysprocesses WHERE dbid = DB_ID({site.sql_text()});",  # noqa: S608
                    ),
                    site.scan("database-mirroring"),
                ),
            ),
            documented=("web-clustering mirror-1",),
        )
    yield Step(
        id="close-outside-access",
        title="Bring down outside access to the site, until the end of the window",
        notes=(
            "Optional, and worth it: what users change during the upgrade is lost if it has to be taken back.",
            "The backups that count are made after it, when nobody writes any more.",
        ),
        proof=Proof("the site does not answer from a user's machine, and answers on the nodes"),
        documented=("web-clustering outside",),
    )


def _confirm_listener(site: Site) -> Step:
    return Step(
        id="confirm-listener",
        title=f"Confirm that {named(site.webs)} reach the database through the availability group's listener",
        commands=tuple(site.address(web, "/Database") for web in site.webs),
        notes=(
            "Nobody is pointed elsewhere: the listener leads to the primary replica, wherever that is.",
            (
                "A node that names a replica instead of the listener loses its database at the next failover; put that "
                "right in a change of its own, not in this window."
            ),
            (
                "The database stays in its group, and nothing is suspended: the vendor asks for neither, and while "
                "data movement is suspended there is no second copy, and the log is not truncated (Microsoft, "
                "Suspend an availability database)."
            ),
        ),
        proof=Proof(
            "the listener's name on the Database page of each node, and the primary replica for it; and pass",
            (
                sql_on(
                    site.sql,
                    "SELECT g.name, l.dns_name, l.port, s.primary_replica FROM sys.availability_groups AS g "
                    "JOIN sys.availability_group_listeners AS l ON l.group_id = g.group_id "
                    "JOIN sys.dm_hadr_availability_group_states AS s ON s.group_id = g.group_id;",
                ),
                site.scan("database-mirroring"),
            ),
        ),
        url=LISTENER_URL,
    )


def _maintenance(site: Site, source: str) -> Step:
    """Maintenance Mode as the version that runs now has it: below 10.1 the installer fails while it is on."""
    first = site.first
    below = parse_secret_server(source) < _INSTALLER_MOVED
    page = site.address(first, "/installer.aspx" if below else "/Setup/Home")
    if parse_secret_server(source) < MAINTENANCE_SINCE:
        return Step(
            id="maintenance-mode-stays-off",
            title=f"Make sure that Maintenance Mode is off on {first.name}",
            commands=(page,),
            notes=("From a version below 10.1 the installer's database step fails while it is on.",),
            proof=Proof("no bar tells of Maintenance Mode"),
            url=MAINTENANCE_URL,
        )
    return Step(
        id="enter-maintenance-mode",
        title=f"Enter Maintenance Mode on {first.name}: Enable Maintenance Mode in the web installer",
        commands=(page,),
        notes=(
            (
                "It takes up to five minutes. From then on nobody changes a secret, and neither does Secret Server "
                "itself: what is backed up now is what the way back leads to."
            ),
        ),
        proof=Proof("a bar on every page tells of Maintenance Mode"),
        documented=("ss-upgrade maintenance",),
        url=MAINTENANCE_URL,
    )


def _stop_others(site: Site, source: str) -> Step:
    free = parse_secret_server(source) >= _NO_PRIMARY
    return Step(
        id="stop-others",
        title=f"Stop the application pools of {named(site.others)}; {site.first.name} keeps running",
        commands=site.appcmd("stop apppool", site.others),
        notes=("Since 10.7 there is no primary node: any node may be the first.",) if free else (),
        proof=Proof("state:Stopped for each", site.appcmd("list apppool", site.others)),
        sides=(
            Side("stop all nodes but the one that is upgraded first", f"{_CLUSTERING}, older edition"),
            Side("stop the application pools of all nodes", f"{_CLUSTERING}, later edition"),
        ),
        documented=("web-clustering before-3", *(("web-clustering mirror-2",) if site.mirrored == "mirroring" else ())),
    )


def _upgrade_first(site: Site, source: str, hop: UpgradeStep) -> Step:
    first = site.first
    below = parse_secret_server(source) < _INSTALLER_MOVED
    notes = [
        (
            f"Take {hop.version} and no other: where the installer does not offer it, or does not reach the "
            "vendor's update "
            "hosts, upload its package at /Installer.aspx?patch=true."
        ),
        "It asks whether database and application folder have been backed up: they have, in the steps before.",
    ]
    if site.others and parse_secret_server(source) < _NO_PRIMARY:
        notes.append(
            f"Below 10.7 the first has to be the primary node. The plan takes {first.name}, the first web node of the "
            "inventory: where another one is the primary, put that one first in the inventory and plan again."
        )
    documented = ["web-clustering cluster-1", "ss-upgrade confirm", "ss-upgrade install"]
    if site.mirrored == "mirroring":
        documented.append("web-clustering mirror-3")
    if site.spares:
        documented.append("web-clustering dr-1")
    if hop.stone and hop.stone.id == "stone-9.1.000001":
        documented.append("web-clustering stone-9.1")
    return Step(
        id="upgrade-first",
        title=f"Upgrade {first.name} to {hop.version} in the web installer",
        commands=(site.address(first, "/installer.aspx" if below else "/Setup/Home"),),
        notes=tuple(notes),
        proof=Proof(
            f"a log-in works, a secret opens, and the files stand for {hop.version}", (site.file_version(first),)
        ),
        documented=tuple(documented),
        no_return=True,
    )


def _privilege_manager(site: Site) -> Step:
    """TMS goes along with Secret Server, in an upgrade of its own that may still be running."""
    first = site.first
    path = first.tms.path.rstrip("/") if first.tms else ""
    host = site.names.path(first.host, f"the host of {first.name}")
    page = f"https://{url_host(host)}{path}/Setup/ProductOptions/ShowProducts"
    return Step(
        id="confirm-privilege-manager",
        title=f"Wait until Privilege Manager on {first.name} is upgraded, too, where it is installed",
        commands=(Command(text=page, language="url", where=first.name),),
        notes=(
            (
                "The upgrade of Secret Server begins one of Privilege Manager. What its own step says of TMS, good "
                "or bad, "
                "does not count; this page does. It asks for a local administrator of the machine, and for the name "
                "under "
                "which IIS serves TMS."
            ),
            (
                "Where products stand there as not upgraded: Install/Upgrade Products. Without a way to the vendor's "
                "hosts "
                "nuget:source:SolutionCentre in the web.config of TMS has to name C:\\ProgramData\\NugetCache\\; an "
                "upgrade "
                "may set it back."
            ),
            "Copy TMS to no other node before it is done.",
        ),
        proof=Proof("no installation is running, and every product has the highest version that is offered"),
        documented=("pm-upgrade products",),
        url=TMS_COMBINED_URL,
    )


def _refresh(site: Site, web: Web, source: str, hop: UpgradeStep) -> Iterable[Step]:
    mirrored = site.mirrored == "mirroring"
    yield files.copy_application(
        site,
        web,
        documented=(
            "web-clustering cluster-2",
            "web-clustering encryption-1",
            *(("web-clustering encryption-3",) if web.efs else ()),
            *(("web-clustering mirror-4",) if mirrored else ()),
        ),
        shows=f"the files of {web.name} stand for {hop.version}",
    )
    yield from files.copy_tms(site, web, documented=("web-clustering cluster-3", "pm-upgrade secondary"))
    yield files.merge_settings(site, web, source)
    yield Step(
        id="start-other",
        title=f"Start the application pools of {web.name}, and confirm that the node works",
        commands=(*site.appcmd("start apppool", (web,)), site.address(web, "/")),
        proof=Proof(
            "a log-in works and a secret opens on this node itself, not through the load balancer",
            site.appcmd("list apppool", (web,)),
        ),
        documented=("web-clustering cluster-4", *(("web-clustering mirror-5",) if mirrored else ())),
    )


_ARRIVED = {
    "mirroring": (
        (
            "SELECT DB_NAME(database_id), mirroring_state_desc, mirroring_safety_level_desc "
            "FROM sys.database_mirroring WHERE mirroring_guid IS NOT NULL;"
        ),
        "SYNCHRONIZED; with the safety level OFF SYNCHRONIZING, and nothing unsent in the Database Mirroring Monitor",
    ),
    "group": (
        (
            "SELECT DB_NAME(database_id), is_local, synchronization_state_desc, log_send_queue_size "
            "FROM sys.dm_hadr_database_replica_states;"
        ),
        "SYNCHRONIZED; of a replica with asynchronous commit SYNCHRONIZING, and nothing left to send",
    ),
}
"""How one sees that the changes have reached the second copy: a question, and the answer."""


def _mirror(site: Site, *, last: bool) -> Iterable[Step]:
    group = site.mirrored == "group"
    yield Step(
        id="activate-instances",
        title=f"Make sure that {named(site.webs)} are activated: Admin, Licenses",
        commands=tuple(site.address(web, "/") for web in site.webs),
        proof=Proof("no licence is shown as not activated"),
        documented=() if group else ("web-clustering mirror-6",),
    )
    partner = f" ({site.partner})" if site.partner else ""
    question, answer = _ARRIVED[site.mirrored]
    yield Step(
        id="wait-for-mirror",
        title=f"Wait until the changes have reached {'the other replicas' if group else f'the mirror{partner}'}",
        proof=Proof(
            f"{answer}; and pass",
            (sql_on(site.sql, question), site.scan("database-mirroring")),
        ),
        documented=() if group else ("web-clustering mirror-7",),
    )
    if last and site.others and not group:
        yield Step(
            id="point-back",
            title="Point each web server that had pointed to the secondary database back to it",
            notes=("Nothing to do where all of them pointed to the primary one before.",),
            proof=Proof("each node shows its database server of before"),
            documented=("web-clustering mirror-8",),
        )
