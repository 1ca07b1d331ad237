"""What SQL Server says of Secret Server's database, asked on the database host itself."""

from __future__ import annotations

from checks.common.dataclass import dataclass

BACKUP_DAYS = 400
"""How far back the history of backups is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlServer:
    """The instance that holds the database."""

    instance: str
    """MSSQLSERVER for the default instance."""
    name: str
    """What SQL Server calls itself: "SQL1" or "SQL1\\NAMED"."""
    version: str
    """ProductVersion as read: "15.0.4345.5"."""
    collation: str
    edition: str
    engine_edition: int = 0
    """EngineEdition: 4 Express, 5 Azure SQL Database, 8 Azure SQL Managed Instance; 0 where it was not told."""
    cluster: str = ""
    """The virtual name of a failover cluster instance; empty for an instance of one host."""
    computer: str = ""
    """The computer that it runs on now; empty where it was not told."""


@dataclass(frozen=True, slots=True)
class Mirroring:
    """Database mirroring as this instance sees it."""

    state: int | None
    """0 suspended, 1 disconnected, 2 synchronizing, 3 pending failover, 4 synchronized, 5 and 6 no and yes for the
    partners where a witness looks on; None where it is mirrored and does not tell."""
    role: int
    """1 principal, 2 mirror."""
    partner: str
    """The other instance; empty where it was not told."""
    synchronous: bool = True
    """False in high-performance mode (safety OFF), whose mirror stays at synchronizing for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One replica of the database in its availability group. A secondary knows only of itself."""

    server: str
    """The replica's instance; empty where it was not told."""
    group: str
    own: bool
    """True for the instance that was asked."""
    role: int | None
    """0 resolving, 1 primary, 2 secondary; None where it was not told."""
    state: int | None
    """0 not synchronizing, 1 synchronizing, 2 synchronized, 3 reverting, 4 initializing; None where not told."""
    suspended: bool | None
    """None where it was not told."""
    synchronous: bool | None
    """True for synchronous commit, whose replicas become synchronized; the others stay at synchronizing. None where it
    was not told: of remote replicas, while the quorum is lost."""


@dataclass(frozen=True, slots=True)
class SqlSession:
    """Sessions that one computer has in the database."""

    host: str
    """The computer, as it calls itself, in lower case."""
    program: str
    """What the program calls itself; empty where it was not told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretServerDatabase:
    """Secret Server's database on one host. Each `..._problem` says why its neighbour is not known; empty where it is.

    A mirror's copy, and a secondary's that may not be read, tell neither collation nor version.
    """

    server: SqlServer
    name: str
    state: str
    """ONLINE, RESTORING, ..."""
    level: int
    """The compatibility level: 150."""
    collation: str
    """Empty where the database is not open."""
    recovery: str
    """FULL, SIMPLE, BULK_LOGGED."""
    version: str
    """The newest of dbo.tbVersion, by its numeric parts, as read; empty where it is not known."""
    version_problem: str = ""
    mirroring: Mirroring | None = None
    """None where the database is not mirrored, or where that is not known."""
    mirroring_problem: str = ""
    replicas: tuple[Replica, ...] = ()
    """Empty where the database is in no availability group, or where that is not known."""
    replicas_problem: str = ""
    session_hosts: tuple[str, ...] = ()
    """Computers with sessions in the database, as they call themselves, in lower case and in order."""
    sessions_problem: str = ""
    sessions: tuple[SqlSession, ...] = ()
    """The same with their programs; empty where programs were not asked."""
    merge_replication: bool | None = None
    """Whether it takes part in SQL merge replication; None where that is not known."""


@dataclass(frozen=True, slots=True)
class ClusteredInstance:
    """A failover cluster instance of SQL Server that is installed on a host."""

    instance: str
    """MSSQLSERVER for the default instance."""
    cluster: str
    """Its virtual name."""
    active: bool | None
    """Whether it runs on this host now; None where neither Windows nor the instance tells."""


@dataclass(frozen=True, slots=True)
class FailoverClusters:
    """The failover cluster instances of a host; empty where it has none."""

    instances: tuple[ClusteredInstance, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseBackup:
    """One backup in msdb's history: the newest of its kind."""

    kind: str
    """full, differential or log."""
    finished: str
    """When it was finished, by the server's local clock: "2026-11-20T23:10:05"."""
    age_s: int
    """Seconds from then to the question, both by the server's local clock; a change to or from summer time in between
    makes an hour of difference. Negative where its clock was set back."""
    copy_only: bool
    """True for a backup that is no base for differential ones."""
    snapshot: bool
    """True for one that a backup program took of the whole volume."""
    damaged: bool
    server: str
    """The instance that made it: another one's after a restore."""
    device: str
    """Its first file or device, as seen from that server; empty where it was not told."""
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseBackups:
    """The newest backups of Secret Server's database that this instance's msdb knows, of the last `BACKUP_DAYS` days.

    In an availability group each replica knows only of the backups that were made on it.
    """

    server: SqlServer
    database: str
    asked: str
    """When it was asked, by the server's local clock: "2026-11-21T08:00:00"."""
    utc_offset_s: int
    """What the server's local clock is ahead of UTC."""
    recovery: str
    backups: tuple[DatabaseBackup, ...]
    """The newest first; empty where there was none."""
