"""The questions that are put to the nodes of a Secret Server cluster."""

from __future__ import annotations

from checks.secret_server.facts.node import (
    AppFiles,
    AppPools,
    DotnetFramework,
    EncryptionConfig,
    IisConfiguration,
    SqlInstances,
    SqlPrelogin,
    WebRoot,
    WindowsVersion,
)
from scanner.probes import rights
from scanner.probes import secret_server_host_readers as host_readers
from scanner.probes import secret_server_readers as readers
from scanner.probes.powershell_batch import part
from scanner.probes.probe import Probe
from scanner.probes.secret_server_backups import BACKUP_PROBES
from scanner.probes.secret_server_files import FILE_PROBES
from scanner.probes.secret_server_host import HOST_PROBES
from scanner.probes.secret_server_outbound import OUTBOUND_PROBES
from scanner.probes.sql_database import SQL_DATABASE, SQL_DATABASE_TDS

PROBES: tuple[Probe, ...] = (
    Probe(
        "windows-version",
        "powershell",
        "Windows' name, version, build and product type, from the registry",
        part("windows-version.ps1"),
        ((WindowsVersion, readers.windows_version),),
        needs=(rights.ANY,),
    ),
    Probe(
        "dotnet-framework",
        "powershell",
        "the release number of the .NET Framework 4, from the registry",
        part("dotnet-framework.ps1"),
        ((DotnetFramework, readers.dotnet_framework),),
        needs=(rights.ANY,),
    ),
    Probe(
        "sql-instances",
        "powershell",
        "the instances of SQL Server with their versions, from the registry",
        part("sql-instances.ps1"),
        ((SqlInstances, readers.sql_instances),),
        needs=(rights.ANY,),
    ),
    Probe(
        "iis-configuration",
        "powershell",
        "pools with their settings, applications and folders from applicationHost.config; no accounts, no passwords",
        part("iis-configuration.ps1"),
        ((IisConfiguration, readers.iis_configuration), (AppPools, host_readers.app_pools)),
        needs=(rights.IIS_CONFIGURATION,),
    ),
    Probe(
        "secret-server-files",
        "powershell",
        "where the application lies, and the file versions of its libraries (bin\\Thycotic*.dll)",
        part("secret-server-files.ps1"),
        ((WebRoot, readers.web_root), (AppFiles, readers.app_files)),
        parameters=("web_root",),
        roles=("web", "dr"),
        needs=(rights.WEB_ROOT, rights.IIS_CONFIGURATION),
    ),
    Probe(
        "encryption-config",
        "powershell",
        "the SHA-256, size and EFS attribute of encryption.config; its content stays on the node",
        part("encryption-config.ps1"),
        ((EncryptionConfig, readers.encryption_config),),
        parameters=("web_root",),
        roles=("web", "dr"),
        needs=(rights.WEB_ROOT, rights.IIS_CONFIGURATION),
    ),
    *FILE_PROBES,
    *HOST_PROBES,
    *OUTBOUND_PROBES,
    SQL_DATABASE,
    # Last: a file share that does not answer keeps nobody else waiting.
    *BACKUP_PROBES,
    Probe(
        "sql-prelogin",
        "tds",
        "the version that the SQL Server listener tells before any login, asked from this machine",
        "",
        ((SqlPrelogin, readers.sql_prelogin),),
        parameters=("sql_port",),
        fallback_for="sql-instances",
    ),
    SQL_DATABASE_TDS,
)
