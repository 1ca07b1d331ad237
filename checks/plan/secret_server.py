"""The runbook of a Secret Server upgrade: what is done once, what at each hop, and what at the other site."""

from __future__ import annotations

from collections.abc import Iterable

from checks.plan import secret_server_hop, secret_server_recovery
from checks.plan.model import Command, Part, Proof, Side, Step, Trouble, asked
from checks.plan.secret_server_site import Site, named, saved
from checks.secret_server.vendor import ENCRYPTION_URL
from checks.upgrade_path import Hop, UpgradePath

_CHECKLIST = "Secret Server upgrade checklist, current"
_CLUSTERING = "Upgrading Secret Server with Web Clustering"
_TWO_STEP = "10.9.000005"


def parts(site: Site, path: UpgradePath) -> tuple[Part, ...]:
    """The chapters of the runbook, in order."""
    sources = [str(path.current), *(hop.version for hop in path.hops[:-1])]
    hops = list(zip(sources, path.hops, strict=True))
    chapters = [Part("Before the window opens", tuple(_gate(site)))]
    for number, (source, hop) in enumerate(hops, 1):
        last = number == len(hops)
        title = f"Hop {number} of {len(hops)}: {source} to {hop.version}"
        chapters.append(
            Part(
                title, tuple(secret_server_hop.steps(site, source, hop, last=last)), _intro(hop), asked(hop, site.moot)
            )
        )
    if site.spares:
        chapters.append(
            Part(f"The other site: {named(site.spares)}", tuple(secret_server_recovery.steps(site, path.target)))
        )
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
    return tuple(told)


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
            Command(f"robocopy {site.root(web)} {saved(web, 'application')} /E /COPY:DAT /R:2", "cmd", web.name)
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
    database = site.sql_name()
    file = "N'D:\\Backup\\SecretServer-before.bak'"
    where = site.databases[0] if site.databases else ""
    yield Command(f"BACKUP DATABASE {database} TO DISK = {file} WITH COPY_ONLY, CHECKSUM, INIT;", "sql", where)
    yield Command(f"RESTORE VERIFYONLY FROM DISK = {file} WITH CHECKSUM;", "sql", where)


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
            (*(site.copy(first, web) for web in site.others), site.scan("app-version-match", phase="window")),
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
