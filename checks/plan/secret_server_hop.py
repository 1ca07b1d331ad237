"""One hop of a Secret Server upgrade: prepare, stop, upgrade one node, copy it over the others, prove it."""

from __future__ import annotations

from collections.abc import Iterable

from checks.plan import secret_server_backup
from checks.plan.crossings import CROSSINGS, Crossing
from checks.plan.model import Command, Proof, Side, Step
from checks.plan.secret_server_site import Site, Web, named
from checks.secret_server.vendor import MAINTENANCE_URL
from checks.upgrade_path import Hop
from checks.versions import parse_secret_server

_SETTINGS = "web*.config"
_CLUSTERING = "Upgrading Secret Server with Web Clustering"
LISTENER_URL = (
    "https://learn.microsoft.com/en-us/sql/database-engine/availability-groups/windows/"
    "listeners-client-connectivity-application-failover"
)
MAINTENANCE_SINCE = parse_secret_server("10.1.000000")
"""From this version on the installer wants Maintenance Mode; below it, its database step fails while it is on."""
_INSTALLER_MOVED = parse_secret_server("10.2.000000")
_NO_PRIMARY = parse_secret_server("10.7.000000")


def steps(site: Site, source: str, hop: Hop, *, first: bool, last: bool) -> Iterable[Step]:
    """What is done to get from `source` to `hop`, in order."""
    many = bool(site.others)
    if first:
        # What holds for the whole window is done once.
        yield from _open_window(site)
    yield Step(
        "save-local-settings",
        f"Save the settings of {named(site.webs)} alone: web*.config in the root of the application folder",
        tuple(
            Command(
                f"robocopy {site.root(web)} {site.saved(web, f'{source}-settings')} {_SETTINGS} /R:2 /W:5",
                "cmd",
                web.name,
            )
            for web in site.webs
        ),
        notes=(
            (
                "The new files replace them, and with them whatever was set for this node alone: "
                "web-appSettings.config, web-auth.config, web-cookie.config, web-log4net.config. They are merged "
                "line by line after the copy, and never put back whole."
            ),
        ),
        proof=Proof(
            "web.config of each node, and what else is called so there",
            tuple(Command(f"dir {site.saved(web, f'{source}-settings')}", "cmd", web.name) for web in site.webs),
        ),
    )
    due = [crossing for crossing in CROSSINGS if _crosses(site, crossing, source, hop)]
    yield from (_crossing(site, crossing) for crossing in due if not crossing.stopped)
    if many:
        yield _stop_others(site, source)
    yield _maintenance(site, source)
    yield from secret_server_backup.steps(site, source)
    yield from (_crossing(site, crossing) for crossing in due if crossing.stopped)
    yield _upgrade_first(site, source, hop)
    for web in site.others:
        yield from _refresh(site, web, hop)
    if site.mirrored:
        yield from _mirror(site, last=last)
    yield Step(
        "verify-hop",
        f"Prove that the whole site runs {hop.version}",
        (site.scan(phase="after", target=hop.version, without="dr-instance" if site.spares else ""),),
        proof=Proof(f"GO, with {hop.version} on every web node and in the database"),
    )


def _open_window(site: Site) -> Iterable[Step]:
    if site.mirrored == "group" and site.webs:
        yield _confirm_listener(site)
    elif site.mirrored and site.others:
        yield Step(
            "point-to-primary-database",
            f"Point {named(site.webs)} to the primary database",
            notes=(
                "Write down which of them pointed to the secondary one: it is pointed back in the end.",
                "Where that changes a database.config, change it on the node itself; copy it from no other.",
            ),
            proof=Proof(
                f"{named(site.webs)} among them, on the server where the database is open; and pass",
                (
                    Command(
                        f"SELECT DISTINCT hostname FROM sys.sysprocesses WHERE dbid = DB_ID({site.sql_text()});",  # noqa: S608
                        "sql",
                        site.sql,
                    ),
                    site.scan("database-mirroring"),
                ),
            ),
            documented=("web-clustering mirror-1",),
        )
    yield Step(
        "close-outside-access",
        "Bring down outside access to the site, until the end of the window",
        notes=(
            "Optional, and worth it: what users change during the upgrade is lost if it has to be taken back.",
            "The backups that count are made after it, when nobody writes any more.",
        ),
        proof=Proof("the site does not answer from a user's machine, and answers on the nodes"),
        documented=("web-clustering outside",),
    )


def _confirm_listener(site: Site) -> Step:
    return Step(
        "confirm-listener",
        f"Confirm that {named(site.webs)} reach the database through the availability group's listener",
        tuple(site.address(web, "/Database") for web in site.webs),
        notes=(
            "Nobody is pointed elsewhere: the listener leads to the primary replica, wherever that is.",
            (
                "A node that names a replica instead of the listener loses its database at the next failover; put that "
                "right in a change of its own, not in this window."
            ),
        ),
        proof=Proof(
            "the listener's name on the Database page of each node, and the primary replica for it; and pass",
            (
                Command(
                    "SELECT g.name, l.dns_name, l.port, s.primary_replica FROM sys.availability_groups AS g "
                    "JOIN sys.availability_group_listeners AS l ON l.group_id = g.group_id "
                    "JOIN sys.dm_hadr_availability_group_states AS s ON s.group_id = g.group_id;",
                    "sql",
                    site.sql,
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
            "maintenance-mode-stays-off",
            f"Make sure that Maintenance Mode is off on {first.name}",
            (page,),
            notes=("From a version below 10.1 the installer's database step fails while it is on.",),
            proof=Proof("no bar tells of Maintenance Mode"),
            url=MAINTENANCE_URL,
        )
    return Step(
        "enter-maintenance-mode",
        f"Enter Maintenance Mode on {first.name}: Enable Maintenance Mode in the web installer",
        (page,),
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


def _crosses(site: Site, crossing: Crossing, source: str, hop: Hop) -> bool:
    at = parse_secret_server(crossing.at)
    if not parse_secret_server(source) < at <= parse_secret_server(hop.version):
        return False
    return not (crossing.integrated_only and site.integrated is False)


def _crossing(site: Site, crossing: Crossing) -> Step:
    commands = tuple(
        Command(crossing.command.replace("{pool}", pool), "cmd", web.name)
        for web in site.webs
        for pool in site.pools(web)
        if crossing.command
    )
    undeclared = crossing.integrated_only and site.integrated is None
    # A scan judges it by the declaration alone: without one it gives no answer at all.
    shows = f"{crossing.shows}, once `integrated_windows_auth` is declared" if undeclared else crossing.shows
    return Step(
        crossing.id,
        crossing.title.replace("{nodes}", named(site.webs)),
        commands,
        (*crossing.notes, f"From {crossing.at} on ({crossing.source})."),
        Proof(shows, (site.scan(crossing.check),) if crossing.check else ()),
        documented=crossing.documented,
        url=crossing.url,
        answers=crossing.check,
    )


def _stop_others(site: Site, source: str) -> Step:
    free = parse_secret_server(source) >= _NO_PRIMARY
    return Step(
        "stop-others",
        f"Stop the application pools of {named(site.others)}; {site.first.name} keeps running",
        site.appcmd("stop apppool", site.others),
        notes=("Since 10.7 there is no primary node: any node may be the first.",) if free else (),
        proof=Proof("state:Stopped for each", site.appcmd("list apppool", site.others)),
        sides=(
            Side("stop all nodes but the one that is upgraded first", f"{_CLUSTERING}, older edition"),
            Side("stop the application pools of all nodes", f"{_CLUSTERING}, later edition"),
        ),
        documented=("web-clustering before-3", *(("web-clustering mirror-2",) if site.mirrored == "mirroring" else ())),
    )


def _upgrade_first(site: Site, source: str, hop: Hop) -> Step:
    first = site.first
    below = parse_secret_server(source) < _INSTALLER_MOVED
    notes = [
        (
            f"Take {hop.version} and no other: where the installer does not offer it, or does not reach the "
            "vendor's update "
            "hosts, upload its package at /Installer.aspx?patch=true."
        ),
        "It asks whether database and application folder have been backed up: they have, in the steps before.",
        "Once it runs, put back what web.config held for this node alone, line by line.",
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
        "upgrade-first",
        f"Upgrade {first.name} to {hop.version} in the web installer",
        (site.address(first, "/installer.aspx" if below else "/Setup/Home"),),
        tuple(notes),
        Proof(f"a log-in works, a secret opens, and the files stand for {hop.version}", (site.file_version(first),)),
        documented=tuple(documented),
        no_return=True,
    )


def _refresh(site: Site, web: Web, hop: Hop) -> Iterable[Step]:
    first = site.first
    mirrored = site.mirrored == "mirroring"
    yield Step(
        "copy-application",
        f"Copy the application folder from {first.name} over that of {web.name}, without the two files",
        (site.copy(first, web),),
        notes=(
            "database.config and encryption.config stay as they are on every node.",
            (
                "robocopy ends with a code below 8 where all went well. Put back what web.config, "
                "customresources and the "
                "libraries of your own held for this node alone."
            ),
            *(
                (f"{web.name} keeps a file under EFS: it belongs to the account of the pool; leave it alone.",)
                * web.efs
            ),
        ),
        proof=Proof(f"the files of {web.name} stand for {hop.version}", (site.file_version(web),)),
        documented=(
            "web-clustering cluster-2",
            "web-clustering encryption-1",
            *(("web-clustering encryption-3",) if web.efs else ()),
            *(("web-clustering mirror-4",) if mirrored else ()),
        ),
    )
    if first.tms:
        source = site.names.quoted(first.tms, f"the TMS folder of {first.name}")
        yield Step(
            "copy-tms",
            f"Copy the TMS folder from {first.name} over that of {web.name}",
            (site.copied(source, site.share(web, web.tms or first.tms), first),),
            notes=() if web.tms else (f"IIS on {web.name} serves no TMS: leave this out where it has no such folder.",),
            proof=Proof("robocopy ends with a code below 8", (Command("echo %errorlevel%", "cmd", first.name),)),
            documented=("web-clustering cluster-3",),
        )
    yield Step(
        "start-other",
        f"Start the application pools of {web.name}, and confirm that the node works",
        (*site.appcmd("start apppool", (web,)), site.address(web, "/")),
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
        "activate-instances",
        f"Make sure that {named(site.webs)} are activated: Admin, Licenses",
        tuple(site.address(web, "/") for web in site.webs),
        proof=Proof("no licence is shown as not activated"),
        documented=() if group else ("web-clustering mirror-6",),
    )
    partner = f" ({site.partner})" if site.partner else ""
    question, answer = _ARRIVED[site.mirrored]
    yield Step(
        "wait-for-mirror",
        f"Wait until the changes have reached {'the other replicas' if group else f'the mirror{partner}'}",
        proof=Proof(f"{answer}; and pass", (Command(question, "sql", site.sql), site.scan("database-mirroring"))),
        documented=() if group else ("web-clustering mirror-7",),
    )
    if last and site.others and not group:
        yield Step(
            "point-back",
            "Point each web server that had pointed to the secondary database back to it",
            notes=("Nothing to do where all of them pointed to the primary one before.",),
            proof=Proof("each node shows its database server of before"),
            documented=("web-clustering mirror-8",),
        )
