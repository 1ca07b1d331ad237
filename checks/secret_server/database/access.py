"""Secret Server's database as the checks find it, and what lets the scanner ask for it."""

from __future__ import annotations

from checks.check import ClusterView, NodeView
from checks.common.sql_port_alone import is_sql_port_alone
from checks.engine.ways_out import ASK_ANEW
from checks.facts import Unknown
from checks.outcome import Remediation
from checks.runbook.quoting import for_powershell, sql_name
from checks.secret_server.facts.sql import FailoverClusters, SecretServerDatabase

_ACCESS = (
    "Let the scanner's account (or a SQL login, declared with `sql_user` and `sql_password_env`) into SQL Server on "
    "the database host, reached over winrm, ssh or local, with the rights below; or let the scanner itself log "
    'in over TDS, with `transport = "tds"` or `sql_transport = "tds"`, and `sql_user`; where several may be meant, '
    "name Secret Server's database with `sql_database`."
)


def access(node: NodeView | None = None, database: str = "") -> Remediation:
    """What to grant and to declare where no query is possible, as far as `node` says to whom and where."""
    return Remediation(_ACCESS, _grants(node, database), language="sql")


def _grants(node: NodeView | None, database: str) -> str:
    options = node.options if node else {}
    declared = str(options.get("sql_user", ""))
    account = sql_name(declared) or "[<domain\\account>]"
    name = sql_name(database or str(options.get("sql_database", ""))) or "[<database>]"
    kind = "FROM WINDOWS" if "\\" in account else "WITH PASSWORD = N'<password>'"
    return (
        f"CREATE LOGIN {account} {kind}; GRANT VIEW SERVER STATE, VIEW ANY DEFINITION TO {account}; "
        f"USE {name}; CREATE USER {account}; GRANT SELECT ON dbo.tbVersion TO {account}; "
        f"USE [msdb]; CREATE USER {account}; "
        f"GRANT SELECT ON dbo.backupset TO {account}; GRANT SELECT ON dbo.backupmediafamily TO {account};"
    )


ACCESS = access()
"""The same where nothing is declared."""

CANNOT_CONNECT = "SQL Server cannot be asked at"
REFUSES_LOGIN = "SQL Server refuses the login"
PASSIVE = "its service does not run on this host"
"""How the reasons begin by which the remedies are told apart."""

NO_NODE = Remediation("Add the database node to the inventory, then scan again.")
_CONNECT = (
    "See that the SQL Server service runs on the host and that the endpoint named is the one it listens on (SQL Server "
    "Configuration Manager: TCP/IP, port); a failover cluster instance is asked by its virtual name."
)
_LOGIN = (
    "Create the login for the scanner's account, or declare a SQL login (`sql_user`, `sql_password_env`). Over a "
    "network name, as with a failover cluster instance, an NTLM logon over WinRM does not reach on: use kerberos with "
    "delegation, credssp, or the SQL login."
)
_NO_MATTER_OF_RIGHTS = (
    "is installed on this host",
    "there is no database ",
    "which is no version",
    "dbo.tbVersion is empty",
    "unreadable answer",
    "rows about itself instead of one",
    "timed out",
    "time was used up",
)
"""Parts of reasons that no login and no grant helps against."""
_MANY = Remediation(
    "Name Secret Server's own with `sql_database`, and its instance with `sql_instance`, in the inventory."
)


def remedy(unknown: Unknown, node: NodeView | None = None) -> Remediation | None:
    """What helps against the reason for which nothing is known of a database; None where the reason says it itself."""
    if unknown.unasked:
        return ASK_ANEW
    if CANNOT_CONNECT in unknown.reason or PASSIVE in unknown.reason:
        return Remediation(_CONNECT, f"Get-Service {_services(node)}", language="powershell")
    if REFUSES_LOGIN in unknown.reason:
        return Remediation(_LOGIN, _grants(node, ""), language="sql")
    if "several databases may be Secret Server's" in unknown.reason:
        return _MANY
    if any(words in unknown.reason for words in _NO_MATTER_OF_RIGHTS):
        return None
    return access(node) if node else ACCESS


def _services(node: NodeView | None) -> str:
    """The service of the declared instance, else of every instance, quoted for PowerShell."""
    instance = instance_of(node) if node else ""
    service = instance if instance.upper() == "MSSQLSERVER" else f"MSSQL${instance}"
    return (for_powershell(service) if instance else None) or "'MSSQLSERVER', 'MSSQL$*'"


def instance_of(node: NodeView) -> str:
    """The declared instance, which may be written as SQL1\\VAULT; empty where none is."""
    return node.declared("sql_instance").rpartition("\\")[2]


def passive_of(node: NodeView) -> str:
    """The virtual name of the failover cluster instance that runs on another host now; empty where none does."""
    clusters = node.get(FailoverClusters)
    if isinstance(clusters, Unknown) or not clusters.instances:
        return ""
    known = node.get(SecretServerDatabase)
    wanted = instance_of(node).lower()
    mine = [one for one in clusters.instances if not wanted or one.instance.lower() == wanted]
    if not isinstance(known, Unknown):
        mine = [one for one in mine if one.instance == known.server.instance]
    passive = [one.cluster for one in mine if one.active is False]
    return passive[0] if passive and len(passive) == len(mine) else ""


def database_nodes(view: ClusterView) -> list[NodeView]:
    """The database hosts that have something to say: of a failover cluster instance, where it runs now.

    Where it runs on none of them, all are kept: each says why it cannot be asked.
    """
    hosts = view.with_role("database")
    active = [node for node in hosts if not passive_of(node)]
    return active or hosts


def database_of(node: NodeView) -> SecretServerDatabase | Unknown:
    """The database on `node`, or why nothing is known of it."""
    found = node.get(SecretServerDatabase)
    version_only = is_sql_port_alone(node) and "sql_user" not in node.options
    if isinstance(found, Unknown) and version_only and not node.absence:
        return Unknown('transport "tds" asks no more than the server\'s version as long as no `sql_user` is declared')
    return found


def is_copy(database: SecretServerDatabase) -> bool:
    """Whether it is another server's database that is only kept up to date here: a mirror, or a secondary."""
    if database.mirroring is not None and database.mirroring.role == 2:
        return True
    return any(replica.own and replica.role == 2 for replica in database.replicas)
