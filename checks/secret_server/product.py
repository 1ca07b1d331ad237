"""Secret Server: web clusters on Windows, with IIS and SQL Server."""

from __future__ import annotations

from types import MappingProxyType

from checks.common import clock_skew, disk_space, distinct_machines, stepping_stone
from checks.common.disk_facts import Disks
from checks.engine.discovery import checks_in, in_order
from checks.product import Product
from checks.runbook.writer import DeferredRunbook, RunbookWriter
from checks.secret_server import traces
from checks.secret_server.facts.node import AppFiles
from checks.secret_server.host.disks import relevant
from checks.secret_server.installed import read_installed
from checks.secret_server.runbook import procedures
from checks.secret_server.urls import CLUSTERING_URL, REQUIREMENTS_URL
from checks.versions import parse_secret_server

NAME = "secret-server"
_ORDER = (
    "distinct-machines",
    "disk-space",
    "clock-skew",
    "sql-server-version",
    "database-compatibility",
    "database-support",
    "windows-version",
    "dotnet-framework",
    "powershell-version",
    "iis-integrated-pipeline",
    "app-pool-settings",
    "iis-authentication",
    "iwa-folders",
    "web-config",
    "secret-server-resources",
    "pending-reboot",
    "monitoring-agent",
    "app-pool-state",
    "stepping-stone",
    "encryption-config-match",
    "app-version-match",
    "database-version-match",
    "database-mirroring",
    "web-nodes-known",
    "pool-identity-match",
    "config-files-present",
    "efs-encryption",
    "dpapi-encryption",
    "app-files-match",
    "dr-instance",
    "outbound-access",
    "backup-recent",
)
"""The checks in the order in which reports show them. One that is not named here comes after them."""


def _runbook() -> RunbookWriter:
    from checks.secret_server.runbook.plan import RUNBOOK  # noqa: PLC0415  a scan plans nothing, and does not wait for it

    return RUNBOOK


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
    runbook=DeferredRunbook(_runbook),
    documents=procedures.DOCUMENTS,
    documented_steps=procedures.STEPS,
    checks=in_order(
        (
            distinct_machines.of(NAME),
            disk_space.of(
                NAME, roles=("web", "database"), facts=(Disks,), references=(REQUIREMENTS_URL,), relevant=relevant
            ),
            clock_skew.of(NAME, ("web", "database", "dr"), (clock_skew.KERBEROS_URL,)),
            stepping_stone.of(NAME, "web", (AppFiles,), (CLUSTERING_URL,)),
            *checks_in("checks.secret_server"),
        ),
        _ORDER,
    ),
)
