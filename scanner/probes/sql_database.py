"""What SQL Server is asked about Secret Server's database, on the database host itself."""

from __future__ import annotations

from checks.secret_server.database_facts import DatabaseBackups, SecretServerDatabase
from scanner.probes.powershell_batch import part
from scanner.probes.probe import Probe
from scanner.probes.sql_database_readers import database_backups, secret_server_database

SQL_DATABASE = Probe(
    "sql-database",
    "powershell",
    "SELECTs on the host's own SQL Server: its databases, Secret Server's version, mirroring, sessions' hosts, backups",
    part("sql-database.ps1"),
    ((SecretServerDatabase, secret_server_database), (DatabaseBackups, database_backups)),
    parameters=("sql_database", "sql_instance", "sql_user"),
    roles=("database",),
)
