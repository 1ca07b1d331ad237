"""The second copy of the database on the way back: end it, and set it up anew, for a mirror and for a group.

Forward it is left alone: no page of the vendor's asks for an availability group to be suspended, or left.
"""

from __future__ import annotations

from collections.abc import Iterable

from checks.engine.wording import enumerate_names
from checks.runbook.commands import sql_on
from checks.runbook.model import Proof, Step
from checks.secret_server.runbook.site import Site

_GROUPS = "https://learn.microsoft.com/en-us/sql/database-engine/availability-groups/windows"
_MIRRORS = "https://learn.microsoft.com/en-us/sql/database-engine/database-mirroring"
_LEAVE_GROUP_URL = f"{_GROUPS}/remove-a-primary-database-from-an-availability-group-sql-server"
_PREPARE_URL = f"{_GROUPS}/manually-prepare-a-secondary-database-for-an-availability-group-sql-server"
_JOIN_GROUP_URL = f"{_GROUPS}/join-a-secondary-database-to-an-availability-group-sql-server"
_LEAVE_MIRROR_URL = f"{_MIRRORS}/remove-database-mirroring-sql-server"
_PREPARE_MIRROR_URL = f"{_MIRRORS}/prepare-a-mirror-database-for-mirroring-sql-server"
_MIRROR_URL = f"{_MIRRORS}/database-mirroring-establish-session-windows-authentication"
_WRITTEN_DOWN = "the step that ends the mirroring writes it down: TCP://name:port"


def ended(site: Site, lead: str) -> Step:
    """Make the database one that can be restored."""
    name = site.sql_name()
    if site.mirrored == "group":
        return Step(
            id="back-leave-group",
            title=f"{lead}take the database out of the availability group",
            commands=(sql_on(site.sql, f"ALTER AVAILABILITY GROUP {_group(site)} REMOVE DATABASE {name};"),),
            notes=(
                (
                    "On the primary replica: SQL Server restores no database that is in a group, and to suspend it is "
                    "not enough. The listener stays."
                ),
                (
                    "On each secondary replica the database stays behind as RESTORING. Leave it so: opened WITH "
                    "RECOVERY it is a second vault of the same name. A later step restores over it."
                ),
            ),
            proof=Proof(
                "the database is not in the list",
                (sql_on(site.sql, "SELECT database_name FROM sys.availability_databases_cluster;"),),
            ),
            url=_LEAVE_GROUP_URL,
        )
    about = f"FROM sys.database_mirroring WHERE database_id = DB_ID({site.sql_text()});"
    columns = "mirroring_partner_name, mirroring_witness_name, mirroring_safety_level_desc"
    told = f"SELECT {columns} {about}"
    return Step(
        id="back-end-mirroring",
        title=f"{lead}end the mirroring of the database",
        commands=(
            *(sql_on(where, told) for where in (*site.copies, site.sql)),
            sql_on(site.sql, f"ALTER DATABASE {name} SET PARTNER OFF;"),
        ),
        notes=(
            (
                "Write down first what the questions show: each side names the other's address, and once the "
                "mirroring is ended nobody does."
            ),
            "SQL Server restores no database while it is mirrored. The copy on the mirror stays behind as RESTORING.",
            "Until it is set up anew there is no second copy: no node may point to the mirror.",
        ),
        proof=Proof("NULL", (sql_on(site.sql, f"SELECT mirroring_guid {about}"),)),
        url=_LEAVE_MIRROR_URL,
    )


def anew(site: Site, source: str, lead: str) -> Iterable[Step]:
    """Back the restored database up, restore that at each copy, and join them."""
    group = site.mirrored == "group"
    whole, log = site.sql_file(f"{source}-copy"), site.sql_file(f"{source}-copy-log")
    name = site.sql_name()
    there = enumerate_names(list(site.copies))
    page = _PREPARE_URL if group else _PREPARE_MIRROR_URL
    yield Step(
        id="back-back-up-for-copy",
        title=f"{lead}back the restored database up for {there}: the whole, then its log",
        commands=(
            sql_on(site.sql, f"BACKUP DATABASE {name} TO DISK = {whole} WITH CHECKSUM, INIT;"),
            sql_on(site.sql, f"BACKUP LOG {name} TO DISK = {log} WITH CHECKSUM, INIT;"),
        ),
        notes=(
            "Without COPY_ONLY: it begins the log's chain anew. The recovery model has to be FULL, as it was before.",
            "Pause scheduled backups of the log until the copies are in step: each would have to be restored there.",
        ),
        proof=Proof(
            "The backup set on file 1 is valid, twice.",
            tuple(sql_on(site.sql, f"RESTORE VERIFYONLY FROM DISK = {file} WITH CHECKSUM;") for file in (whole, log)),
        ),
        url=page,
    )
    for where in site.copies:
        yield Step(
            id="back-restore-copy",
            title=f"{lead}restore both over what stayed behind on {where}",
            commands=(
                sql_on(where, _guarded(site, f"RESTORE DATABASE {name} FROM DISK = {whole}", ", REPLACE")),
                sql_on(where, _guarded(site, f"RESTORE LOG {name} FROM DISK = {log}")),
            ),
            notes=(
                "Copy both files to the folder of that name there first, or name a share that SQL Server there reads.",
                "Where the database is open it refuses: that is the wrong server, and the vault itself.",
                "Where its files lie in other folders there, add MOVE for each; RESTORE FILELISTONLY names them.",
            ),
            proof=Proof("RESTORING", (site.state(where),)),
            url=page,
        )
    yield _joined(site, lead) if group else _mirrored(site, lead)


def _guarded(site: Site, restoring: str, more: str = "") -> str:
    """A restore that refuses where the database is open: it would write over the vault."""
    is_open = f"DATABASEPROPERTYEX({site.sql_text()}, N'Status') = N'ONLINE'"
    refused = "RAISERROR(N'The database is open here: this is the wrong server.', 16, 1)"
    return f"IF {is_open} {refused} ELSE {restoring} WITH NORECOVERY{more}, CHECKSUM;"


def _joined(site: Site, lead: str) -> Step:
    name, group = site.sql_name(), _group(site)
    return Step(
        id="back-join-group",
        title=f"{lead}add the database to the availability group again",
        commands=(
            sql_on(site.sql, f"ALTER AVAILABILITY GROUP {group} ADD DATABASE {name};"),
            *(sql_on(where, f"ALTER DATABASE {name} SET HADR AVAILABILITY GROUP = {group};") for where in site.copies),
        ),
        notes=(
            "First on the primary replica, then on each other one.",
            "A replica with automatic seeding may have joined by itself: that it is joined already is no fault then.",
        ),
        proof=Proof(
            "pass: a replica with synchronous commit is SYNCHRONIZED, one with asynchronous commit SYNCHRONIZING",
            (site.scan("database-mirroring", phase="after"),),
        ),
        url=_JOIN_GROUP_URL,
    )


def _mirrored(site: Site, lead: str) -> Step:
    name = site.sql_name()
    principal, mirror = (
        site.names.sql_text(None, f"the address of the {side}", "a mirroring that is ended has none", _WRITTEN_DOWN)
        for side in ("principal", "mirror")
    )
    return Step(
        id="back-mirror-again",
        title=f"{lead}set the mirroring up anew",
        commands=(
            *(sql_on(where, f"ALTER DATABASE {name} SET PARTNER = {principal};") for where in site.copies),
            sql_on(site.sql, f"ALTER DATABASE {name} SET PARTNER = {mirror};"),
        ),
        notes=(
            "First on the mirror, then on the principal.",
            "Safety and witness as they were written down: SET PARTNER SAFETY and SET WITNESS, on the principal.",
        ),
        proof=Proof("pass", (site.scan("database-mirroring", phase="after"),)),
        url=_MIRROR_URL,
    )


def _group(site: Site) -> str:
    return site.names.sql_name(
        site.group or None, "the availability group", "it was not told", "the list of the step that confirms it"
    )
