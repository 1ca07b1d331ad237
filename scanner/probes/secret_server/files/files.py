"""The questions about the files around the application, beside its libraries."""

from __future__ import annotations

from checks.secret_server.facts.folder import AppTree, DatabaseConfig, WebConfig
from scanner.probes import rights
from scanner.probes.batch.powershell import powershell_source
from scanner.probes.probe import Probe
from scanner.probes.secret_server.files import file_readers as readers

PROBES: tuple[Probe, ...] = (
    Probe(
        id="database-config",
        language="powershell",
        purpose="the SHA-256, size and EFS attribute of database.config; its content stays on the node",
        script=powershell_source("secret_server/files/database-config.ps1"),
        readers=((DatabaseConfig, readers.database_config),),
        parameters=("web_root",),
        roles=("web",),
        needs=(rights.WEB_ROOT, rights.IIS_CONFIGURATION),
    ),
    Probe(
        id="web-config",
        language="powershell",
        purpose="whether web.config and the files it names are well-formed XML; no content",
        script=powershell_source("secret_server/files/web-config.ps1"),
        readers=((WebConfig, readers.web_config),),
        parameters=("web_root",),
        roles=("web",),
        needs=(rights.WEB_ROOT, rights.IIS_CONFIGURATION),
    ),
    # The costly one comes last, so that it makes no other one late.
    Probe(
        id="app-files",
        language="powershell",
        purpose="hashes of the application's files, by folder and shortened; bounded to 20 s, 2 GB and 20,000 files",
        script=powershell_source("secret_server/files/app-files.ps1"),
        readers=((AppTree, readers.app_tree),),
        parameters=("web_root",),
        needs=(rights.WEB_ROOT, rights.IIS_CONFIGURATION),
    ),
)
