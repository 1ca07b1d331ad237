"""Every check that comes with preflight, in the order in which reports show them."""

from __future__ import annotations

from checks.check import Check
from checks.chef_backend import resources, traces
from checks.chef_backend.backend import (
    cluster_status,
    config_match,
    failover_state,
    leaderl,
    package_staged,
    sentinels,
    version_match,
)
from checks.chef_backend.frontend import drbd, members, status, version
from checks.chef_backend.secrets import match, stray
from checks.common import clock_skew, disk_space, distinct_machines, stepping_stone
from checks.engine import connectivity
from checks.engine.identity import Identity
from checks.secret_server import (
    traces as secret_server_traces,
)
from checks.secret_server.backup import recent
from checks.secret_server.database import compatibility, mirroring, sql_server_version, support, web_nodes_known
from checks.secret_server.database import version_match as database_version_match
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
from checks.secret_server.iis import (
    app_pool_settings,
    app_pool_state,
    authentication,
    integrated_pipeline,
    iwa_folders,
    pool_identity_match,
    web_config,
)

BUILTIN: tuple[Check, ...] = (
    connectivity.CHECK,
    distinct_machines.CHECK,
    disk_space.CHECK,
    clock_skew.CHECK,
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
    stepping_stone.CHECK,
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
    cluster_status.CHECK,
    sentinels.CHECK,
    version_match.CHECK,
    package_staged.CHECK,
    match.CHECK,
    config_match.CHECK,
    stray.CHECK,
    leaderl.CHECK,
    failover_state.CHECK,
    resources.CHECK,
    status.CHECK,
    members.CHECK,
    version.CHECK,
    drbd.CHECK,
)

IDENTITIES: tuple[Identity, ...] = (traces.IDENTITY, secret_server_traces.IDENTITY)
"""How a machine that is none of a product's is told, one for each product that can."""
