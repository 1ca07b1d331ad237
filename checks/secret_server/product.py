"""Secret Server: web clusters on Windows, with IIS and SQL Server."""

from __future__ import annotations

from types import MappingProxyType

from checks.common import clock_skew, disk_space, distinct_machines, stepping_stone
from checks.common.disk_facts import Disks
from checks.product import Product
from checks.secret_server import traces
from checks.secret_server.backup import recent
from checks.secret_server.database import compatibility, mirroring, sql_server_version, support, web_nodes_known
from checks.secret_server.database import version_match as database_version_match
from checks.secret_server.facts.node import AppFiles
from checks.secret_server.files import (
    app_files_match,
    app_version_match,
    config_files_present,
    dpapi_encryption,
    dr_instance,
    efs_encryption,
    encryption_config_match,
)
from checks.secret_server.host import (
    dotnet_framework,
    monitoring_agent,
    outbound_access,
    pending_reboot,
    powershell_version,
    windows_version,
)
from checks.secret_server.host import resources as host_resources
from checks.secret_server.host.disks import relevant
from checks.secret_server.iis import (
    app_pool_settings,
    app_pool_state,
    authentication,
    integrated_pipeline,
    iwa_folders,
    pool_identity_match,
    web_config,
)
from checks.secret_server.installed import read_installed
from checks.secret_server.runbook import procedures
from checks.secret_server.runbook.plan import RUNBOOK
from checks.secret_server.urls import CLUSTERING_URL, REQUIREMENTS_URL
from checks.versions import parse_secret_server

NAME = "secret-server"

SECRET_SERVER = Product(
    name=NAME,
    title="Secret Server",
    roles=MappingProxyType(
        {
            "web": "serves the application with IIS",
            "database": "runs SQL Server with the application's database",
            "dr": "stands by at another site",
        },
    ),
    essential_roles=frozenset({"web", "database"}),
    transports=("winrm", "ssh", "local", "tds"),
    platform="windows",
    tds_roles=("database", "dr"),
    parse=parse_secret_server,
    version_pattern=r"\s*[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{6}\s*",
    version_example="11.7.000049",
    carrier="web",
    read_installed=read_installed,
    installed_facts=(AppFiles,),
    doubts_told_by="app-version-match",
    package="checks.secret_server",
    identity=traces.IDENTITY,
    runbook=RUNBOOK,
    documents=procedures.DOCUMENTS,
    documented_steps=procedures.STEPS,
    checks=(
        distinct_machines.of(NAME),
        disk_space.of(
            NAME, roles=("web", "database"), facts=(Disks,), references=(REQUIREMENTS_URL,), relevant=relevant
        ),
        clock_skew.of(NAME, ("web", "database", "dr"), (clock_skew.KERBEROS_URL,)),
        sql_server_version.CHECK,
        compatibility.CHECK,
        support.CHECK,
        windows_version.CHECK,
        dotnet_framework.CHECK,
        powershell_version.CHECK,
        integrated_pipeline.CHECK,
        app_pool_settings.CHECK,
        authentication.CHECK,
        iwa_folders.CHECK,
        web_config.CHECK,
        host_resources.CHECK,
        pending_reboot.CHECK,
        monitoring_agent.CHECK,
        app_pool_state.CHECK,
        stepping_stone.of(NAME, "web", (AppFiles,), (CLUSTERING_URL,)),
        encryption_config_match.CHECK,
        app_version_match.CHECK,
        database_version_match.CHECK,
        mirroring.CHECK,
        web_nodes_known.CHECK,
        pool_identity_match.CHECK,
        config_files_present.CHECK,
        efs_encryption.CHECK,
        dpapi_encryption.CHECK,
        app_files_match.CHECK,
        dr_instance.CHECK,
        outbound_access.CHECK,
        recent.CHECK,
    ),
)
