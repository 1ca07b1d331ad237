"""What SQL Server is asked about Secret Server's database: on the database host itself, or by the scanner."""

from __future__ import annotations

from checks.secret_server.facts.sql import DatabaseBackups, FailoverClusters, SecretServerDatabase
from scanner.probes import rights
from scanner.probes.batch.powershell import powershell_source
from scanner.probes.probe import Probe
from scanner.probes.secret_server.database.database_readers import (
    database_backups,
    failover_clusters,
    secret_server_database,
)
from scanner.probes.secret_server.database.sql_questions import questions
from scanner.probes.secret_server.parts import MACHINE, SQL

SQL_PASSWORD_VARIABLE = "PREFLIGHT_SQL_PASSWORD"  # noqa: S105  the name of a variable, not a password
"""The variable of the shell's environment that holds the SQL login's password, in Base64 of UTF-8."""

SQL_DATABASE = Probe(
    id="sql-database",
    language="powershell",
    purpose="SELECTs on the host's own SQL Server: its databases, Secret Server's version, mirroring, sessions' "
    "hosts, backups",
    script=powershell_source("secret_server/database/sql-database.ps1"),
    parts=(*SQL, *MACHINE),
    readers=(
        (SecretServerDatabase, secret_server_database),
        (DatabaseBackups, database_backups),
        (FailoverClusters, failover_clusters),
    ),
    parameters=("sql_database", "sql_instance", "sql_user"),
    roles=("database",),
    needs=(rights.SQL_SERVER, rights.WMI, rights.SERVICES),
    sample='{"computer": "SQL1", "declared": "", "instance": "", "login": "", '
    '"instances": [{"name": "MSSQLSERVER", "endpoint": ".", '
    '"answers": {"server": {"rows": [{"version": "15.0.4345.5", '
    '"collation": "SQL_Latin1_General_CP1_CI_AS", "edition": "Standard Edition (64-bit)", '
    '"engine_edition": 2, "server_name": "SQL1", "computer": "SQL1", "hadr": 0, '
    '"local_time": "2026-11-20T08:00:00.000", "utc_time": "2026-11-20T07:00:00.000", '
    '"server_state": 1, "sysadmin": 0}], "error": ""}, '
    '"databases": {"rows": [{"database_id": 5, "name": "SecretServer", "level": 150, '
    '"collation": "SQL_Latin1_General_CP1_CI_AS", "state": "ONLINE", "recovery": "FULL", '
    '"open_to_us": 1, "table_id": 245575913, "merge_published": 0, "merge_id": null}], '
    '"error": ""}, "mirroring": {"rows": [{"database_id": 5, "state": null, "role": null, '
    '"safety": null, "partner": null}], "error": ""}, "sessions": {"rows": [], "error": ""}, '
    '"backups": {"rows": [{"database_name": "SecretServer", "type": "D", "copy_only": 0, '
    '"snapshot": 0, "damaged": 0, "finished": "2026-11-19T22:00:00", '
    '"size_bytes": 734003200, "server_name": "SQL1", '
    '"device": "D:\\\\Backup\\\\SecretServer.bak"}, {"database_name": "SecretServer", '
    '"type": "L", "copy_only": 0, "snapshot": 0, "damaged": 0, '
    '"finished": "2026-11-20T07:00:00", "size_bytes": 734003200, "server_name": "SQL1", '
    '"device": "D:\\\\Backup\\\\SecretServer.bak"}], "error": ""}}, '
    '"versions": [{"database_id": 5, "rows": [{"version": "11.6.000003"}], "error": ""}], '
    '"cluster": "", "service": ""}]}',
)

SQL_DATABASE_TDS = Probe(
    id="sql-database-tds",
    language="tds",
    purpose="the same SELECTs, asked by the scanner itself with a login, over TLS",
    script=";\n".join(questions().values()),
    readers=SQL_DATABASE.readers,
    parameters=("sql_database", "sql_instance", "sql_user"),
    instead_of=SQL_DATABASE.id,
    roles=("database",),
)
"""Its answer has the same form as that of `SQL_DATABASE`, so that the same readers read it."""

PROBES: tuple[Probe, ...] = (SQL_DATABASE, SQL_DATABASE_TDS)
