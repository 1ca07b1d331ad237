"""The questions about the files around the application, beside its libraries."""

from __future__ import annotations

from checks.secret_server.facts.folder import AppTree, DatabaseConfig, WebConfig
from scanner.probes import rights
from scanner.probes import secret_server_file_readers as readers
from scanner.probes.powershell_batch import part
from scanner.probes.probe import Probe

FILE_PROBES: tuple[Probe, ...] = (
    Probe(
        "database-config",
        "powershell",
        "the SHA-256, size and EFS attribute of database.config; its content stays on the node",
        part("database-config.ps1"),
        ((DatabaseConfig, readers.database_config),),
        parameters=("web_root",),
        roles=("web",),
        needs=(rights.WEB_ROOT, rights.IIS_CONFIGURATION),
    ),
    Probe(
        "web-config",
        "powershell",
        "whether web.config and the files it names are well-formed XML; no content",
        part("web-config.ps1"),
        ((WebConfig, readers.web_config),),
        parameters=("web_root",),
        roles=("web",),
        needs=(rights.WEB_ROOT, rights.IIS_CONFIGURATION),
    ),
    # The costly one comes last, so that it makes no other one late.
    Probe(
        "app-files",
        "powershell",
        "hashes of the application's files, by folder and shortened; bounded to 20 s, 2 GB and 20,000 files",
        part("app-files.ps1"),
        ((AppTree, readers.app_tree),),
        parameters=("web_root",),
        needs=(rights.WEB_ROOT, rights.IIS_CONFIGURATION),
    ),
)
