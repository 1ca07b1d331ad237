"""Pages of Chef's documentation that several checks refer to."""

from __future__ import annotations

CTL_URL = "https://docs.chef.io/server/ctl_chef_backend/"
INSTALL_URL = "https://docs.chef.io/install_server_ha/"
SECRETS_URL = "https://docs.chef.io/server/install_server_ha/"
"""Its "Services and Secrets" tells whose the files are."""
RECOVERY_URL = "https://docs.chef.io/server/backend_failure_recovery/"
SERVER_CTL_URL = "https://docs.chef.io/server/ctl_chef_server/"
SERVER_UPGRADE_URL = "https://docs.chef.io/server/upgrades/"
UPGRADE_URL = "https://docs.chef.io/upgrade_server_ha_v2/"
