"""Every check that comes with preflight, in the order in which reports show them."""

from __future__ import annotations

from checks import connectivity, disk_space, stepping_stone
from checks.check import Check
from checks.chef_backend import (
    cluster_status,
    config_match,
    frontend_status,
    frontend_version,
    leaderl,
    package_staged,
    secrets_match,
    secrets_stray,
    version_match,
)
from checks.secret_server import (
    app_files_match,
    app_pool_settings,
    app_pool_state,
    app_version_match,
    config_files_present,
    dotnet_framework,
    dpapi_encryption,
    dr_instance,
    efs_encryption,
    encryption_config_match,
    iis_authentication,
    iis_integrated_pipeline,
    monitoring_agent,
    pending_reboot,
    powershell_version,
    sql_server_version,
    windows_version,
)

BUILTIN: tuple[Check, ...] = (
    connectivity.CHECK,
    disk_space.CHECK,
    sql_server_version.CHECK,
    windows_version.CHECK,
    dotnet_framework.CHECK,
    powershell_version.CHECK,
    iis_integrated_pipeline.CHECK,
    app_pool_settings.CHECK,
    iis_authentication.CHECK,
    pending_reboot.CHECK,
    monitoring_agent.CHECK,
    app_pool_state.CHECK,
    stepping_stone.CHECK,
    encryption_config_match.CHECK,
    app_version_match.CHECK,
    config_files_present.CHECK,
    efs_encryption.CHECK,
    dpapi_encryption.CHECK,
    app_files_match.CHECK,
    dr_instance.CHECK,
    cluster_status.CHECK,
    version_match.CHECK,
    package_staged.CHECK,
    secrets_match.CHECK,
    config_match.CHECK,
    secrets_stray.CHECK,
    leaderl.CHECK,
    frontend_status.CHECK,
    frontend_version.CHECK,
)
