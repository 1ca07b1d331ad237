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
from scanner.probes.batch.powershell import powershell_source
from scanner.probes.probe import Probe
from scanner.probes.secret_server import readers
from scanner.probes.secret_server.host import host_readers

PROBES: tuple[Probe, ...] = (
    Probe(
        id="windows-version",
        language="powershell",
        purpose="Windows' name, version, build and product type, from the registry",
        script=powershell_source("secret_server/host/windows-version.ps1"),
        readers=((WindowsVersion, readers.windows_version),),
        needs=(rights.ANY,),
    ),
    Probe(
        id="dotnet-framework",
        language="powershell",
        purpose="the release number of the .NET Framework 4, from the registry",
        script=powershell_source("secret_server/host/dotnet-framework.ps1"),
        readers=((DotnetFramework, readers.dotnet_framework),),
        needs=(rights.ANY,),
    ),
    Probe(
        id="sql-instances",
        language="powershell",
        purpose="the instances of SQL Server with their versions, from the registry",
        script=powershell_source("secret_server/database/sql-instances.ps1"),
        readers=((SqlInstances, readers.sql_instances),),
        needs=(rights.ANY,),
    ),
    Probe(
        id="iis-configuration",
        language="powershell",
        purpose="pools with their settings, applications and folders from applicationHost.config; no accounts, no "
        "passwords",
        script=powershell_source("secret_server/iis/iis-configuration.ps1"),
        readers=((IisConfiguration, readers.iis_configuration), (AppPools, host_readers.app_pools)),
        needs=(rights.IIS_CONFIGURATION,),
    ),
    Probe(
        id="secret-server-files",
        language="powershell",
        purpose="where the application lies, and the file versions of its libraries (bin\\Thycotic*.dll)",
        script=powershell_source("secret_server/files/secret-server-files.ps1"),
        readers=((WebRoot, readers.web_root), (AppFiles, readers.app_files)),
        parameters=("web_root",),
        roles=("web", "dr"),
        needs=(rights.WEB_ROOT, rights.IIS_CONFIGURATION),
    ),
    Probe(
        id="encryption-config",
        language="powershell",
        purpose="the SHA-256, size and EFS attribute of encryption.config; its content stays on the node",
        script=powershell_source("secret_server/files/encryption-config.ps1"),
        readers=((EncryptionConfig, readers.encryption_config),),
        parameters=("web_root",),
        roles=("web", "dr"),
        needs=(rights.WEB_ROOT, rights.IIS_CONFIGURATION),
    ),
    Probe(
        id="sql-prelogin",
        language="tds",
        purpose="the version that the SQL Server listener tells before any login, asked from this machine",
        script="",
        readers=((SqlPrelogin, readers.sql_prelogin),),
        parameters=("sql_port",),
        fallback_for="sql-instances",
    ),
)
