"""Every check that comes with preflight, in the order in which reports show them."""

from __future__ import annotations

from checks import connectivity, stepping_stone
from checks.check import Check
from checks.chef_backend import cluster_status, version_match
from checks.secret_server import (
    app_pool_settings,
    app_version_match,
    config_files_present,
    dotnet_framework,
    dpapi_encryption,
    efs_encryption,
    encryption_config_match,
    iis_integrated_pipeline,
    sql_server_version,
    windows_version,
)

BUILTIN: tuple[Check, ...] = (
    connectivity.CHECK,
    sql_server_version.CHECK,
    windows_version.CHECK,
    dotnet_framework.CHECK,
    iis_integrated_pipeline.CHECK,
    app_pool_settings.CHECK,
    stepping_stone.CHECK,
    encryption_config_match.CHECK,
    app_version_match.CHECK,
    config_files_present.CHECK,
    efs_encryption.CHECK,
    dpapi_encryption.CHECK,
    cluster_status.CHECK,
    version_match.CHECK,
)
