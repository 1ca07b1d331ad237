"""The runbook of a Secret Server upgrade: what is done once, what at each hop, and what at the other site."""

from __future__ import annotations

from collections.abc import Iterable

from checks.plan.crossings import CROSSINGS, Crossing
from checks.plan.model import Command, Part, Proof, Side, Step, Trouble
from checks.plan.secret_server_site import Site, Web, named
from checks.secret_server.vendor import ENCRYPTION_URL
from checks.upgrade_path import Hop, UpgradePath
from checks.versions import parse_secret_server

_CHECKLIST = "Secret Server upgrade checklist, current"
_CLUSTERING = "Upgrading Secret Server with Web Clustering"
_TWO_FILES = "database.config encryption.config"
_INSTALLER_MOVED = parse_secret_server("10.2.000000")
_NO_PRIMARY = parse_secret_server("10.7.000000")
_TWO_STEP = "10.9.000005"


def parts(site: Site, path: UpgradePath) -> tuple[Part, ...]:
    """The chapters of the runbook, in order."""
    sources = [str(path.current), *(hop.version for hop in path.hops[:-1])]
    hops = list(zip(sources, path.hops, strict=True))
    chapters = [Part("Before the window opens", tuple(_gate(site)))]
    for number, (source, hop) in enumerate(hops, 1):
        last = number == len(hops)
        title = f"Hop {number} of {len(hops)}: {source} to {hop.version}"
        chapters.append(Part(title, tuple(_hop(site, source, hop, last=last)), _intro(hop)))
    if site.spares:
        chapters.append(Part(f"The other site: {named(site.spares)}", tuple(_recovery(site, path.target))))
    chapters.append(Part("Afterwards", tuple(_afterwards(site))))
    return tuple(chapters)


def _intro(hop: Hop) -> tuple[str, ...]:
    told = []
    if hop.stone:
        told.append(f"A stop that the vendor asks for: {hop.stone.text} ({hop.stone.source}).")
    if hop.version == _TWO_STEP:
        told.append(
            "It is the first of two mandatory steps: 10.9.000005, then 10.9.000033 or later. It exists to stop where "
            ".NET Framework 4.8 is missing."
        )
    asked = "; ".join(dict.fromkeys(rule.text for rule in hop.requirements))
    return (*told, f"At {hop.version} the vendor asks for: {asked}.") if asked else tuple(told)


def _gate(site: Site) -> Iterable[Step]:
    first = site.first
    hosts = " and ".join(site.databases) or "the SQL Server"
    yield Step(
        "have-access",
        f"Have the credentials at hand, and try them: {named(site.webs)}, {hosts}, an administrator of Secret Server",
        notes=("An emergency copy of the passwords needed in this window must not lie in this vault alone.",),
        proof=Proof("a log-in on each of them, not from memory but tried today"),
        documented=("web-clustering before-1",),
    )
    yield Step(
        "back-up-database",
        "Back up the database, and prove that the backup can be read",
        tuple(_backup_commands(site)),
        proof=Proof("the backup set is valid"),
        documented=("web-clustering before-2",),
    )
    yield Step(
        "back-up-application",
        f"Back up the application folder of {named(site.webs)}",
        tuple(
            Command(f"robocopy {site.root(web)} {_saved(web, 'application')} /E /COPY:DAT /R:2", "cmd", web.name)
            for web in site.webs
        ),
        notes=("robocopy ends with a code below 8 where all went well.",),
        proof=Proof("pass, or the folder is there and as large as the original", site.scan("backup-recent")),
        documented=("web-clustering before-2",),
    )
    yield Step(
        "keep-plain-key",
        f"Keep a plain encryption.config of {first.name} in a safe place that is neither this site nor this vault",
        notes=(
            "Plain means: not under DPAPI and not under EFS. A protected copy is worth nothing on another machine.",
            "Never overwrite or delete the original.",
        ),
        proof=Proof("a second person has seen the file in its safe place, with today's date"),
    )
    yield Step(
        "take-snapshots",
        f"Take snapshots of {named(site.webs)} and {hosts}, where they are virtual machines",
        notes=("A snapshot of the database host is no substitute for the backup of the database.",),
        proof=Proof("each snapshot is listed as complete"),
    )
    if site.dpapi != "off":
        yield _decrypt(site)
    yield Step(
        "pass-the-gate",
        "Scan once more, right before the window",
        (site.scan(phase="before"),),
        proof=Proof("GO"),
    )


def _backup_commands(site: Site) -> Iterable[Command]:
    database = _sql_name(site)
    file = "N'D:\\Backup\\SecretServer-before.bak'"
    where = site.databases[0] if site.databases else ""
    yield Command(f"BACKUP DATABASE {database} TO DISK = {file} WITH COPY_ONLY, CHECKSUM, INIT;", "sql", where)
    yield Command(f"RESTORE VERIFYONLY FROM DISK = {file} WITH CHECKSUM;", "sql", where)


def _sql_name(site: Site) -> str:
    return f"[{site.names.bare(site.database, 'the database of Secret Server', 'it could not be asked')}]"


def _saved(web: Web, what: str) -> str:
    return f'"D:\\Backup\\{web.name}-{what}"'


def _decrypt(site: Site) -> Step:
    known = "DPAPI is on" if site.dpapi == "on" else "Whether DPAPI is on is not declared; where it is"
    return Step(
        "turn-dpapi-off",
        f"Turn DPAPI off on {named(site.webs)}: Admin, Configuration, Security, Decrypt Key to not use DPAPI",
        tuple(site.address(web, "/") for web in site.webs),
        notes=(
            f"{known}, every node has its own encryption.config, and a copy of it works on no other machine.",
            "With a hardware security module DPAPI is not required at all.",
        ),
        proof=Proof("the Security page of each node no longer offers to decrypt the key"),
        sides=(
            Side("turn DPAPI off on each node before the upgrade", _CHECKLIST),
            Side("only where the two files must be copied, because the database's settings changed", _CLUSTERING),
        ),
        documented=("web-clustering encryption-1", "web-clustering encryption-2"),
    )


def _hop(site: Site, source: str, hop: Hop, *, last: bool) -> Iterable[Step]:
    many = bool(site.others)
    if site.mirrored and many:
        yield Step(
            "point-to-primary-database",
            f"Point {named(site.webs)} to the primary database",
            notes=("Write down which of them pointed to the secondary one: it is pointed back in the end.",),
            proof=Proof("pass", site.scan("database-mirroring")),
            documented=("web-clustering mirror-1",),
        )
    yield Step(
        "close-outside-access",
        "Bring down outside access to the site",
        notes=("Optional, and worth it: what users change during the upgrade is lost if it has to be taken back.",),
        proof=Proof("the site does not answer from a user's machine, and answers on the nodes"),
        documented=("web-clustering outside",),
    )
    yield Step(
        "save-local-settings",
        f"Save web.config and web-appSettings.config of {named(site.webs)}",
        tuple(
            Command(f"copy {site.file(web, 'web*.config')} {_saved(web, hop.version)}", "cmd", web.name)
            for web in site.webs
        ),
        notes=(
            "The new files replace them, and with them whatever was set for this node alone. Create the folder first.",
        ),
        proof=Proof("both files of each node are there"),
    )
    yield from (_crossing(site, crossing) for crossing in CROSSINGS if _crosses(site, crossing, source, hop))
    if many:
        yield _stop_others(site)
    yield _upgrade_first(site, source, hop)
    for web in site.others:
        yield from _refresh(site, web, hop)
    if site.mirrored:
        yield from _mirror(site)
    yield Step(
        "verify-hop",
        f"Prove that the whole site runs {hop.version}",
        (site.scan(phase="after", target=hop.version),),
        proof=Proof(f"GO, with {hop.version} on every web node and in the database"),
    )
    if not last:
        yield Step(
            "back-up-again",
            f"Back up the database and the application folders of {hop.version}",
            notes=("The next hop starts here; the older backup would lead two versions back.",),
            proof=Proof("the backup set is valid"),
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
    return Step(
        crossing.id,
        crossing.title.replace("{nodes}", named(site.webs)),
        commands,
        (*crossing.notes, f"From {crossing.at} on ({crossing.source})."),
        Proof(crossing.shows, site.scan(crossing.check) if crossing.check else None),
        documented=crossing.documented,
    )


def _stop_others(site: Site) -> Step:
    return Step(
        "stop-others",
        f"Stop the application pool of {named(site.others)}; {site.first.name} keeps running",
        site.appcmd("stop apppool", site.others),
        proof=Proof("state:Stopped for each", site.appcmd("list apppool", site.others)[0]),
        sides=(
            Side("stop all nodes but the primary, which is upgraded first", f"{_CLUSTERING}, older edition"),
            Side("stop the application pools of all nodes", f"{_CLUSTERING}, later edition"),
            Side("since 10.7 there is no primary node; any node may be the first", "Secret Server release notes, 10.7"),
        ),
        documented=("web-clustering before-3", *(("web-clustering mirror-2",) if site.mirrored else ())),
    )


def _upgrade_first(site: Site, source: str, hop: Hop) -> Step:
    first = site.first
    below = parse_secret_server(source) < _INSTALLER_MOVED
    notes = [
        f"{source} has its installer at {'/installer.aspx' if below else '/Setup/Home'}. Choose {hop.version} there.",
        "Without access to the vendor's update hosts, upload the package at /Installer.aspx?patch=true instead.",
    ]
    if site.others and parse_secret_server(source) < _NO_PRIMARY:
        notes.append(
            f"Below 10.7 the first has to be the primary node. The plan takes {first.name}, the first web node of the "
            "inventory: where another one is the primary, put that one first in the inventory and plan again."
        )
    documented = ["web-clustering cluster-1"]
    if site.mirrored:
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
        Proof(f"a log-in works, a secret opens, and the files stand for {hop.version}", _version_command(site, first)),
        documented=tuple(documented),
        no_return=True,
    )


def _version_command(site: Site, web: Web) -> Command:
    library = site.file(web, "bin\\Thycotic.ihawu.Business.dll")[1:-1]
    return Command(
        f"powershell -NoProfile -Command \"(Get-Item '{library}').VersionInfo.FileVersion\"", "cmd", web.name
    )


def _refresh(site: Site, web: Web, hop: Hop) -> Iterable[Step]:
    first = site.first
    mirrored = site.mirrored
    yield Step(
        "copy-application",
        f"Copy the application folder from {first.name} over that of {web.name}, without the two files",
        (_copy(site, first, web),),
        notes=(
            "database.config and encryption.config stay as they are on every node.",
            "robocopy ends with a code below 8 where all went well. Put back what web.config held for this node alone.",
            *(
                (f"{web.name} keeps a file under EFS: it belongs to the account of the pool; leave it alone.",)
                * web.efs
            ),
        ),
        proof=Proof(f"the files of {web.name} stand for {hop.version}", _version_command(site, web)),
        documented=(
            "web-clustering cluster-2",
            "web-clustering encryption-1",
            *(("web-clustering encryption-3",) if web.efs else ()),
            *(("web-clustering mirror-4",) if mirrored else ()),
        ),
    )
    if first.tms:
        target = web.tms or first.tms
        source = site.names.quoted(first.tms, f"the TMS folder of {first.name}")
        yield Step(
            "copy-tms",
            f"Copy the TMS folder from {first.name} over that of {web.name}",
            (Command(f"robocopy {source} {site.share(web, target)} /E /R:2", "cmd", first.name),),
            proof=Proof("robocopy ends with a code below 8"),
            documented=("web-clustering cluster-3",),
        )
    yield Step(
        "start-other",
        f"Start the application pool of {web.name}, and confirm that the node works",
        (*site.appcmd("start apppool", (web,)), site.address(web, "/")),
        proof=Proof(
            "a log-in works and a secret opens on this node itself, not through the load balancer",
            site.appcmd("list apppool", (web,))[0],
        ),
        documented=("web-clustering cluster-4", *(("web-clustering mirror-5",) if mirrored else ())),
    )


def _copy(site: Site, source: Web, target: Web) -> Command:
    share = site.share(target, target.root)
    return Command(f"robocopy {site.root(source)} {share} /E /R:2 /XF {_TWO_FILES}", "cmd", source.name)


def _mirror(site: Site) -> Iterable[Step]:
    yield Step(
        "activate-instances",
        f"Make sure that {named(site.webs)} are activated: Admin, Licenses",
        tuple(site.address(web, "/") for web in site.webs),
        proof=Proof("no licence is shown as not activated"),
        documented=("web-clustering mirror-6",),
    )
    partner = f" ({site.partner})" if site.partner else ""
    yield Step(
        "wait-for-mirror",
        f"Wait until the changes have reached the mirror{partner}",
        (
            Command(
                "SELECT DB_NAME(database_id), mirroring_state_desc FROM sys.database_mirroring "
                "WHERE mirroring_guid IS NOT NULL;",
                "sql",
                site.databases[0] if site.databases else "",
            ),
        ),
        proof=Proof("SYNCHRONIZED", site.scan("database-mirroring")),
        documented=("web-clustering mirror-7",),
    )
    yield Step(
        "point-back",
        "Point each web server that had pointed to the secondary database back to it",
        notes=("Nothing to do where all of them pointed to the primary one before.",),
        proof=Proof("each node shows its database server of before"),
        documented=("web-clustering mirror-8",),
    )


def _recovery(site: Site, target: str) -> Iterable[Step]:
    database = _sql_name(site)
    file = "N'D:\\Backup\\SecretServer-after.bak'"
    where = site.databases[0] if site.databases else ""
    first = site.first
    yield Step(
        "back-up-upgraded",
        f"Back up the database of {target}",
        (Command(f"BACKUP DATABASE {database} TO DISK = {file} WITH COPY_ONLY, CHECKSUM, INIT;", "sql", where),),
        proof=Proof(
            "the backup set is valid", Command(f"RESTORE VERIFYONLY FROM DISK = {file} WITH CHECKSUM;", "sql", where)
        ),
        documented=("web-clustering dr-2",),
    )
    yield Step(
        "carry-backup",
        "Copy that backup to the database server of the other site",
        notes=("Copy it in full before anything there is touched.",),
        proof=Proof("the backup set is valid on the other server, too"),
        documented=("web-clustering dr-3",),
    )
    yield Step(
        "restore-elsewhere",
        "Restore the database there",
        (Command(f"RESTORE DATABASE {database} FROM DISK = {file} WITH REPLACE, CHECKSUM;", "sql"),),
        notes=("On the other site's server only. On the primary one this command destroys what was just upgraded.",),
        proof=Proof("the database is ONLINE, and users of it are mapped to logins"),
        documented=("web-clustering dr-4",),
        no_return=True,
    )
    for web in site.spares:
        yield Step(
            "copy-to-spare",
            f"Copy the application folder from {first.name} over that of {web.name}, without the two files",
            (_copy(site, first, web),),
            proof=Proof(f"the files of {web.name} stand for {target}", _version_command(site, web)),
            documented=("web-clustering dr-5",),
        )
        yield Step(
            "recycle-spare",
            f"Recycle the application pool of {web.name}, or restart IIS there",
            site.appcmd("recycle apppool", (web,)),
            proof=Proof("state:Started", site.appcmd("list apppool", (web,))[0]),
            documented=("web-clustering dr-6",),
        )
        yield Step(
            "confirm-spare",
            f"Confirm that {web.name} works",
            (site.address(web, "/"),),
            proof=Proof("a log-in works and a secret opens; pass", site.scan("dr-instance", phase="after")),
            documented=("web-clustering dr-7",),
        )


def _afterwards(site: Site) -> Iterable[Step]:
    if site.dpapi == "on":
        yield Step(
            "turn-dpapi-on",
            f"Turn DPAPI on again on {named(site.webs)}, where it was on before",
            tuple(site.address(web, "/") for web in site.webs),
            proof=Proof("the Security page of each node says that the key is protected"),
        )
    yield Step(
        "open-outside-access",
        "Let the users in again",
        proof=Proof("a user's log-in works through the load balancer"),
    )
    yield Step(
        "scan-after",
        "Scan once more, to what is expected after the window",
        (site.scan(phase="after"),),
        proof=Proof("GO"),
    )


def way_back(site: Site) -> tuple[str, ...]:
    """How to return to what was before, as far as there is a way."""
    nodes = named(site.webs)
    return (
        f"Until {site.first.name} is upgraded nothing has to be taken back: start the pools again.",
        (
            "After that there is one way: stop all application pools, restore the database's backup, put the backed-up "
            f"application folder back on {nodes}, start one node, confirm that it works, start the others."
        ),
        (
            "Database and application folder have to be of the same moment: a node whose files differ from the "
            "database's version does not run."
        ),
        "encryption.config stays the one that it was; where it was lost, the safe copy is put back.",
        (
            "Where SQL Server was too old for the new version, the old installation does not work after rolling back "
            "either: that is why it has to be known beforehand."
        ),
    )


def troubles(site: Site) -> tuple[Trouble, ...]:
    """What to do where a step went wrong."""
    first = site.first
    others = site.others or (first,)
    return (
        Trouble(
            "A node does not run and says that the version does not match",
            (
                "Its files are not those of the database's version: stop its pool.",
                f"Copy the application folder from {first.name} over it again, without the two files, and start it.",
            ),
            (*(_copy(site, first, web) for web in site.others), site.scan("app-version-match", phase="window")),
            ("web-clustering error-version",),
        ),
        Trouble(
            "A node says that the encryption configs do not match, or that the encryption key does not match",
            (
                "Its encryption.config is not the site's. Overwrite nothing: keep the node stopped, and compare.",
                "Without DPAPI the file of a node that works is right; put it there after saving the other.",
                "With DPAPI a file from another machine cannot work: turn DPAPI off on the node that works first.",
                f"The vendor's page: {ENCRYPTION_URL}",
            ),
            (site.scan("encryption-config-match", phase="window"),),
            ("web-clustering error-key",),
        ),
        Trouble(
            "A node shows the web installer instead of the log-in",
            ("Its database.config is missing: put back its own, from the backup of that node. Install nothing there.",),
            (site.scan("config-files-present", phase="window"),),
        ),
        Trouble(
            "The installer stops",
            (
                "Read what it says before anything is tried again: .NET, SQL Server, Maintenance Mode are usual.",
                "The pools of the other nodes stay stopped.",
                "Where its database step has begun, the way back is the restored backup.",
            ),
            site.appcmd("list apppool", others),
        ),
    )
