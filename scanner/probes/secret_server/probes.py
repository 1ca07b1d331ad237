"""The questions that are put to the nodes of a Secret Server cluster."""

from __future__ import annotations

from checks.secret_server.facts.folder import EncryptionConfig
from checks.secret_server.facts.node import (
    AppFiles,
    AppPools,
    DotnetFramework,
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
from scanner.probes.secret_server.files import file_readers
from scanner.probes.secret_server.host import host_readers
from scanner.probes.secret_server.parts import IIS, ROOTS, SQL

PROBES: tuple[Probe, ...] = (
    Probe(
        id="windows-version",
        language="powershell",
        purpose="Windows' name, version, build and product type, from the registry",
        script=powershell_source("secret_server/host/windows-version.ps1"),
        readers=((WindowsVersion, readers.windows_version),),
        needs=(rights.ANY,),
        sample='{"product_name": "Windows Server 2019 Standard", "current_version": "6.3", "major": 10, '
        '"minor": 0, "build": "17763", "service_pack": null, "product_type": "ServerNT"}',
    ),
    Probe(
        id="dotnet-framework",
        language="powershell",
        purpose="the release number of the .NET Framework 4, from the registry",
        script=powershell_source("secret_server/host/dotnet-framework.ps1"),
        readers=((DotnetFramework, readers.dotnet_framework),),
        needs=(rights.ANY,),
        sample='{"release": 528040}',
    ),
    Probe(
        id="sql-instances",
        language="powershell",
        purpose="the instances of SQL Server with their versions, from the registry",
        script=powershell_source("secret_server/database/sql-instances.ps1"),
        parts=SQL,
        readers=((SqlInstances, readers.sql_instances),),
        needs=(rights.ANY,),
        sample='{"instances": [{"name": "MSSQLSERVER", "instance_id": "MSSQL15.MSSQLSERVER", "version": "15.0.2000.5", '
        '"patch_level": "15.0.4345.5", "edition": "Standard Edition", "error": ""}]}',
    ),
    Probe(
        id="iis-configuration",
        language="powershell",
        purpose="pools with their settings, applications and folders from applicationHost.config; no accounts, no "
        "passwords",
        script=powershell_source("secret_server/iis/iis-configuration.ps1"),
        parts=IIS,
        readers=((IisConfiguration, readers.iis_configuration), (AppPools, host_readers.app_pools)),
        needs=(rights.IIS_CONFIGURATION,),
        sample='{"path": "C:\\\\Windows\\\\System32\\\\inetsrv\\\\config\\\\applicationHost.config", '
        '"shared": false, "pools": [{"name": "SecretServerAppPool", "mode": "", '
        '"mode_source": "default", "runtime_version": "v4.0", '
        '"settings": {"runtime": {"value": "v4.0", "source": "applicationPoolDefaults"}, '
        '"load_user_profile": {"value": "true", "source": "applicationPoolDefaults"}, '
        '"max_processes": {"value": "", "source": "default"}, '
        '"identity_type": {"value": "SpecificUser", "source": "applicationPoolDefaults"}, '
        '"enable_32_bit": {"value": "", "source": "default"}, "auto_start": {"value": "", '
        '"source": "default"}}}, {"name": "DefaultAppPool", "mode": "", '
        '"mode_source": "default", "runtime_version": "v4.0", '
        '"settings": {"runtime": {"value": "v4.0", "source": "applicationPoolDefaults"}, '
        '"load_user_profile": {"value": "true", "source": "applicationPoolDefaults"}, '
        '"max_processes": {"value": "", "source": "default"}, '
        '"identity_type": {"value": "SpecificUser", "source": "applicationPoolDefaults"}, '
        '"enable_32_bit": {"value": "", "source": "default"}, "auto_start": {"value": "", '
        '"source": "default"}}}], "applications": [{"site": "Default Web Site", "path": "/", '
        '"physical_path": "C:\\\\inetpub\\\\wwwroot", "pool": "DefaultAppPool", '
        '"site_auto_start": ""}, {"site": "Default Web Site", "path": "/SecretServer", '
        '"physical_path": "C:\\\\inetpub\\\\wwwroot\\\\SecretServer", "pool": "SecretServerAppPool", '
        '"site_auto_start": ""}], "isapi": []}',
    ),
    Probe(
        id="secret-server-files",
        language="powershell",
        purpose="where the application lies, and the file versions of its libraries (bin\\Thycotic*.dll)",
        script=powershell_source("secret_server/files/secret-server-files.ps1"),
        parts=ROOTS,
        readers=((WebRoot, readers.web_root), (AppFiles, readers.app_files)),
        parameters=("web_root",),
        roles=("web", "dr"),
        needs=(rights.WEB_ROOT, rights.IIS_CONFIGURATION),
        sample='{"folders": [{"root": {"path": "C:\\\\inetpub\\\\wwwroot\\\\SecretServer", '
        '"sources": ["registry", "iis"], "exists": true, "has_encryption_config": true, '
        '"has_bin": true, "error": ""}, "libraries": [{"name": "Thycotic.AppCore.dll", '
        '"error": "", "numbers": "11.6.3.0", "text": "11.6.3.0"}, '
        '{"name": "Thycotic.Foundation.dll", "error": "", "numbers": "11.6.3.0", '
        '"text": "11.6.3.0"}, {"name": "Thycotic.ihawu.Business.dll", "error": "", '
        '"numbers": "11.6.3.0", "text": "11.6.3.0"}], "libraries_error": ""}], "notes": []}',
    ),
    Probe(
        id="encryption-config",
        language="powershell",
        purpose="the SHA-256, size and EFS attribute of encryption.config; its content stays on the node",
        script=powershell_source("secret_server/files/encryption-config.ps1"),
        parts=ROOTS,
        readers=((EncryptionConfig, file_readers.encryption_config),),
        parameters=("web_root",),
        roles=("web", "dr"),
        needs=(rights.WEB_ROOT, rights.IIS_CONFIGURATION),
        sample='{"folders": [{"root": {"path": "C:\\\\inetpub\\\\wwwroot\\\\SecretServer", '
        '"sources": ["registry", "iis"], "exists": true, "has_encryption_config": true, '
        '"has_bin": true, "error": ""}, '
        '"config": {"path": "C:\\\\inetpub\\\\wwwroot\\\\SecretServer\\\\encryption.config", '
        '"state": "hashed", '
        '"sha256": "d4b8a666a02fddf165ab5a6929f6229f1f07ef95c1fb3125f64d932748bce8d1", '
        '"efs": false, "size_bytes": 17, "detail": ""}}], "notes": []}',
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
