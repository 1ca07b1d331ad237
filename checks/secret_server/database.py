"""Secret Server's database as the checks find it, and what lets the scanner ask for it."""

from __future__ import annotations

from checks.check import NodeView
from checks.facts import Contact, Unknown
from checks.outcome import Remediation
from checks.secret_server.database_facts import SecretServerDatabase

ACCESS = Remediation(
    "Let the scanner's account (or a SQL login, declared with `sql_user` and `sql_password_env`) into SQL Server on "
    "the database host, reached over winrm, ssh or local, with the rights below; where several databases may be meant, "
    "name Secret Server's with `sql_database`; or leave the check out knowingly with --skip-check.",
    command="CREATE LOGIN [DOMAIN\\account] FROM WINDOWS; "
    "GRANT VIEW SERVER STATE, VIEW ANY DEFINITION TO [DOMAIN\\account]; "
    "USE [SecretServer]; CREATE USER [DOMAIN\\account]; GRANT SELECT ON dbo.tbVersion TO [DOMAIN\\account]; "
    "USE [msdb]; CREATE USER [DOMAIN\\account]; "
    "GRANT SELECT ON dbo.backupset TO [DOMAIN\\account]; GRANT SELECT ON dbo.backupmediafamily TO [DOMAIN\\account];",
)
"""What to grant and to declare where no query is possible."""


def database_of(node: NodeView) -> SecretServerDatabase | Unknown:
    """The database on `node`, or why nothing is known of it."""
    found = node.look(SecretServerDatabase)
    contact = node.look(Contact)
    if isinstance(found, Unknown) and isinstance(contact, Contact) and contact.transport == "tds" and not node.absence:
        return Unknown('transport "tds" asks no more than the server\'s version, so the database cannot be queried')
    return found


def is_copy(database: SecretServerDatabase) -> bool:
    """Whether it is another server's database that is only kept up to date here: a mirror, or a secondary."""
    if database.mirroring is not None and database.mirroring.role == 2:
        return True
    return any(replica.own and replica.role == 2 for replica in database.replicas)
