"""The way back from a hop of a Secret Server upgrade: stop, restore, copy back into an emptied folder, start."""

from __future__ import annotations

from collections.abc import Iterable

from checks.engine.upgrade_path import UpgradePath, UpgradeStep
from checks.runbook.commands import cmd_on, powershell_on, sql_on
from checks.runbook.model import Command, Proof, Step
from checks.runbook.windows_paths import aside, is_same_folder
from checks.secret_server.runbook import version_task_steps
from checks.secret_server.runbook.files import COPIED, TMS_KEYS
from checks.secret_server.runbook.recovery import second_copy
from checks.secret_server.runbook.site import TWO_FILES, Site, Web, below, named
from checks.secret_server.urls import MAINTENANCE_URL, RESTORE_URL, ROLLING_URL
from checks.versions import parse_secret_server

MAINTENANCE_SINCE = parse_secret_server("10.1.000000")


def hops(path: UpgradePath) -> list[tuple[str, UpgradeStep]]:
    """Each hop with the version that it starts from."""
    return list(zip([str(path.current), *(hop.version for hop in path.hops[:-1])], path.hops, strict=True))


def steps_back(site: Site, path: UpgradePath) -> Iterable[Step]:
    """For each hop the steps that undo it, the first hop first: only those of the hop that failed are taken."""
    for source, hop in hops(path):
        yield from hop_back(site, source, hop, f"Back to {source}: ")


def hop_back(site: Site, source: str, hop: UpgradeStep, lead: str) -> Iterable[Step]:
    """From a failed `hop` back to `source`, with the backups that were made in that hop."""
    yield Step(
        id="back-stop-pools",
        title=f"{lead}stop the application pools of {named(site.webs)}",
        commands=site.appcmd("stop apppool", site.webs),
        notes=("A pool that is stopped already answers with an error; the list below is what counts.",),
        proof=Proof("state:Stopped for each", site.appcmd("list apppool", site.webs)),
    )
    failed = site.sql_file(f"failed-{hop.version}")
    yield Step(
        id="back-keep-what-failed",
        title=f"{lead}keep the database as it is now",
        commands=(
            sql_on(site.sql, f"BACKUP DATABASE {site.sql_name()} TO DISK = {failed} WITH COPY_ONLY, CHECKSUM, INIT;"),
        ),
        notes=(
            (
                "The vendor's support asks for it, and what was changed since the backup is in it alone: every "
                "password "
                "that was changed meanwhile. Go on without it only where SQL Server cannot read the database any more."
            ),
        ),
        proof=Proof(
            "The backup set on file 1 is valid.",
            (sql_on(site.sql, f"RESTORE VERIFYONLY FROM DISK = {failed} WITH CHECKSUM;"),),
        ),
    )
    if site.mirrored:
        yield second_copy.ended(site, lead)
    yield Step(
        id="back-restore-database",
        title=f"{lead}restore the database of {source}",
        commands=restore(site, source, site.sql),
        notes=(
            (
                "The second line ends whatever is connected. With a differential or log backup: the full one WITH "
                "NORECOVERY, "
                "then each other in order, the last WITH RECOVERY."
            ),
        ),
        proof=Proof(
            f"ONLINE and MULTI_USER; and {source} is the newest version in it",
            (
                site.state(site.sql),
                sql_on(
                    site.sql,
                    f"SELECT VersionNumber FROM {site.sql_name()}.dbo.tbVersion;",  # noqa: S608  typed by a person
                ),
            ),
        ),
        documented=("ss-rolling database", "ss-restore database", "ss-restore exclusive"),
        no_return=True,
        url=RESTORE_URL,
    )
    done: list[Web] = []
    for web in site.webs:
        if not any(is_same_folder(one.root, web.root) for one in done):
            yield from back_to_files(site, web, source, source, lead)
        done.append(web)
    yield from version_task_steps.on_the_way_back(site, source, hop, lead)
    yield from _up_again(site, source, lead)


def restore(site: Site, what: str, where: str) -> tuple[Command, ...]:
    """The lines that put the backup called for `what` in the place of the database."""
    name = site.sql_name()
    return (
        # A window that was opened on the database itself would hold it.
        sql_on(where, "USE master;"),
        sql_on(where, f"ALTER DATABASE {name} SET SINGLE_USER WITH ROLLBACK IMMEDIATE;"),
        sql_on(where, f"RESTORE DATABASE {name} FROM DISK = {site.sql_file(what)} WITH REPLACE, CHECKSUM;"),
        sql_on(where, f"ALTER DATABASE {name} SET MULTI_USER;"),
    )


def back_to_files(site: Site, web: Web, what: str, version: str, lead: str) -> Iterable[Step]:
    """Empty the folders of `web` but for keys and settings of its own, and copy the backup called for `what` back."""
    folders = [(site.root(web), web.root, what, TWO_FILES, "application's")]
    if web.tms:
        tms = site.names.cmd(web.tms.root, f"the TMS folder of {web.name}")
        folders.append((tms, web.tms.root, f"{what}-TMS", f"connectionStrings.config {TMS_KEYS}", "TMS"))
    yield Step(
        id="back-empty-folder",
        title=f"{lead}move what is in the folder of {web.name} aside, without the two files",
        commands=tuple(
            command for each in folders for command in _emptied(site, web, each[1], each[3], each[4], version)
        ),
        notes=(
            "Libraries of the new version that stayed behind would be loaded: the folder has to be empty.",
            (
                "Nothing is deleted, and the folder keeps its permissions: it stays, only its content moves, on one "
                "volume. "
                "What is in use does not move: no pool may run."
            ),
            f"Where the files of {web.name} were never replaced, leave this and the next step out for it.",
        ),
        proof=Proof(
            "database.config and encryption.config, and nothing else",
            tuple(cmd_on(web.name, f"dir /b {folder}") for folder, *_ in folders[:1]),
        ),
        documented=("ss-restore folder",),
    )
    key, kept = below(site.root(web), "encryption.config"), below(site.saved(web, what), "encryption.config")
    yield Step(
        id="back-copy-application",
        title=f"{lead}copy the backup of {web.name} back, without the two files",
        commands=tuple(
            cmd_on(web.name, f"robocopy {site.saved(web, name)} {folder} /E /R:2 /W:5 /XF {left}")
            for folder, _, name, left, _ in folders
        ),
        notes=(
            f"{COPIED} Each node gets its own backup, and with it its own web*.config: nothing is to be merged.",
            *_keys(site, web),
        ),
        proof=Proof(
            f"the files of {web.name} stand for {version}; one SHA-256 for both keys",
            (
                site.file_version(web),
                cmd_on(web.name, f"certutil -hashfile {key} SHA256"),
                cmd_on(web.name, f"certutil -hashfile {kept} SHA256"),
            ),
        ),
        documented=("ss-rolling files", "ss-restore folder", "ss-restore key"),
        url=ROLLING_URL,
    )


def _emptied(site: Site, web: Web, root: str | None, left: str, what: str, version: str) -> Iterable[Command]:
    folder = site.names.powershell(root, f"the {what} folder on {web.name}", web.why, "IIS Manager, Basic Settings")
    name = version.replace(" ", "-")
    place = site.names.powershell(
        aside(root, f"not-{name}") if root else None,
        f"a folder on the volume of the {what} folder of {web.name}",
        "none can be told",
        "any that no web site serves, on the same drive or share",
    )
    stay = ", ".join(f"'{one}'" for one in left.split())
    yield powershell_on(web.name, f"New-Item -ItemType Directory -Path {place}")
    yield powershell_on(
        web.name,
        f"Get-ChildItem -LiteralPath {folder} -Force | Where-Object {{ {stay} -notcontains $_.Name }}"
        f" | Move-Item -Destination {place}",
    )


def _keys(site: Site, web: Web) -> Iterable[str]:
    yield "encryption.config and database.config in place are the node's own, and right: no upgrade changes them."
    if site.dpapi != "off":
        on = "DPAPI was" if site.dpapi == "on" else "DPAPI, where it is in use, was"
        yield (
            f"{on} off when the backup was made, so that the key in it is plain. Where it has been turned on since, "
            "the hashes differ, and the file in place is right on this machine, and on no other."
        )
    if web.efs:
        yield (
            "Under EFS the file opens for the account of the pool alone: certutil says access denied as anybody else, "
            "which is no fault. Keep that account."
        )
    yield (
        "Only where the file in place is lost or damaged, put the plain one from its safe place there; one that is "
        "protected by another machine, or for another account, opens nothing."
    )


def _up_again(site: Site, source: str, lead: str) -> Iterable[Step]:
    first = site.first
    yield Step(
        id="back-start-first",
        title=f"{lead}start the application pools of {first.name}, and confirm that it works",
        commands=(*site.appcmd("start apppool", (first,)), site.address(first, "/")),
        notes=(
            (
                "Where it asks for the database's login or says that it cannot connect, map the user of the database "
                "to its "
                "login again. Where licences are shown as not activated, activate them."
            ),
        ),
        proof=Proof("a log-in works and a secret opens, on the node itself", site.appcmd("list apppool", (first,))),
        documented=("ss-restore licences",),
        url=RESTORE_URL,
    )
    if site.others:
        yield Step(
            id="back-start-others",
            title=f"{lead}start the application pools of {named(site.others)}, one node after the other",
            commands=(*site.appcmd("start apppool", site.others), *(site.address(web, "/") for web in site.others)),
            proof=Proof("a log-in works and a secret opens, on each", site.appcmd("list apppool", site.others)),
        )
    if site.mirrored:
        yield from second_copy.anew(site, source, lead)
    yield Step(
        id="back-verify",
        title=f"{lead}prove that the whole site runs {source} again",
        commands=(site.scan(phase="after", target=source, without="dr-instance" if site.spares else ""),),
        notes=("What the plan turned off before the window (DPAPI) is told there: turn it on again, as it was.",)
        if site.dpapi != "off"
        else (),
        proof=Proof(f"GO, with {source} on every web node and in the database"),
    )
    if parse_secret_server(source) >= MAINTENANCE_SINCE:
        yield Step(
            id="back-leave-maintenance-mode",
            title=f"{lead}turn Maintenance Mode off: the database was backed up in it",
            commands=(site.address(first, "/"),),
            notes=("Admin, Server Nodes, for each node.",),
            proof=Proof("Server Nodes shows Disabled for each node"),
            url=MAINTENANCE_URL,
        )
    yield Step(
        id="back-account-for-changes",
        title=f"{lead}let the users in, and find the passwords that were changed since the backup",
        notes=(
            (
                "Run heartbeat on all secrets: one that fails has another password on its machine than in the vault. "
                "The "
                "newer one is in the database that was kept: restore that beside this one, with its own Secret "
                "Server on a "
                "machine apart, or set a new password on the target."
            ),
            "What users wrote since is to be asked of them: new secrets, shares, roles.",
        ),
        proof=Proof("no heartbeat fails that did not fail before, and traffic goes to all nodes"),
        documented=("ss-rolling traffic",),
    )
