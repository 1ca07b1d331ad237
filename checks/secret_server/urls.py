"""The vendor's own pages, each pinned to the revision that was read."""

from __future__ import annotations

_DOCS = "https://github.com/thycotic/ss-docs/blob"

CLUSTERING_URL = (
    f"{_DOCS}/0358ec4405b482f870cf61586357d242abe79ba3"
    "/secret-server-setup/upgrading/upgrading-with-web-clustering/index.md"
)
"""Upgrading Secret Server with web clustering."""

REQUIREMENTS_URL = f"{_DOCS}/5a7e408d0896eb747469277de15f13cd024c75ee/secret-server-setup/system-requirements/index.md"
"""System requirements."""

PIPELINE_URL = "http://updates.thycotic.net/link.ashx?IisPiplineIntegratedKnowledgeBase"
"""Configuring IIS for installing or upgrading to Secret Server 10."""

AUTHENTICATION_URL = (
    "https://thycotic.force.com/support/s/article/Setting-Up-Integrated-Windows-Authentication-in-Secret-Server-10-0"
)
"""Integrated Windows Authentication from 10.0 on."""

DOTNET_451_URL = "http://support.thycotic.com/KB/a388/secret-server-moving-to-net-framework-451.aspx"
"""Secret Server moving to .NET Framework 4.5.1."""

DOTNET_48_URL = (
    f"{_DOCS}/57d294f90571682014f2e35144d7727f8b5f3b5c/secret-server-setup/upgrading/net-4-8-upgrade/index.md"
)
"""Upgrading to .NET Framework 4.8."""

ENCRYPTION_URL = (
    "https://thycotic.force.com/support/s/article/Encryption-key-doesnt-match-error"
    "?r=3&ui-force-components-controllers-recordGlobalValueProvider.RecordGvp.getRecord=1"
)
"""Encryption key doesn't match error."""

OFFLINE_URL = (
    f"{_DOCS}/04534a8c1bb3fd599b87474761a39bd5c92fefe6"
    "/secret-server-setup/upgrading/upgrading-without-outbound-access/index.md"
)
"""Upgrading Secret Server without outbound access."""

TELEMETRY_URL = (
    "https://docs.delinea.com/online-help/secret-server/security-hardening/secret-server-telemetry/index.htm"
)
"""Secret Server telemetry: which servers are asked for updates."""

HARDENING_URL = (
    "https://docs.delinea.com/online-help/secret-server/security-hardening/security-hardening-guide/index.htm"
)
"""Security hardening guide: back up at least daily."""

KEY_FILE_URL = "https://docs.delinea.com/online-help/secret-server/setup/config-best-practices/security.htm"
"""Securing the encryption.config file."""

CHECKLIST_URL = "https://docs.delinea.com/online-help/secret-server/setup/upgrading/upgrade-checklist/index.htm"
"""Secret Server On-Prem Upgrade Checklist, unversioned and current."""

SERVICE_ACCOUNT_URL = (
    f"{_DOCS}/ae0a9c5e8b4a874308211c5c4d0b11860059388f"
    "/secret-server-setup/installation/running-ss-iis-app-pool-service-account/index.md"
)
"""Running the IIS application pool as a service account."""

_NEWEST = f"{_DOCS}/e73cfc244a832639051eee5fdb7bc36733588fae"

REPLICATION_URL = f"{_NEWEST}/backup-and-disaster-recovery/sql-server-replication-best-practices/index.md"
"""SQL Server replication best practices: only merge replication was ever validated."""

IWA_URL = f"{_NEWEST}/authentication/integrated-windows-authentication/configuring-iwa/index.md"
"""Configuring Integrated Windows Authentication, with the folders of launchers and engines."""

UPGRADE_URL = (
    f"{_DOCS}/19f8eb73c4e30b70550d129ba28a45cadd84a883"
    "/secret-server-setup/upgrading/upgrading-secret-server-10-9-000005/index.md"
)
"""Upgrading to 10.9.000005/33: Maintenance Mode, backups, confirmation, installation."""

MAINTENANCE_URL = f"{_NEWEST}/admin/enable-maintenance-mode/index.md"
"""Enabling and disabling Maintenance Mode."""

RESTORE_URL = f"{_NEWEST}/backup-and-disaster-recovery/restoring-secret-server-from-backup/index.md"
"""Restoring Secret Server from a backup: the key in plain, FIPS, exclusive access."""

ROLLING_URL = f"{_NEWEST}/secret-server-setup/upgrading/minimizing-upgrade-downtime/index.md"
"""Minimizing upgrade downtime: each node's own settings, and rolling back."""

RESOURCES_URL = f"{_NEWEST}/access-requests/customize-approval-emails/index.md"
"""Customizing approval mails, under customresources."""

SAML_URL = f"{_NEWEST}/troubleshooting/saml-config-upgrade-error/index.md"
"""SAML configuration errors after upgrading from below 10.2."""

SINGLE_URL = f"{_NEWEST}/secret-server-setup/upgrading/upgrading-secret-server/index.md"
"""Upgrading Secret Server, with what the vendor marks as important."""

RABBITMQ_URL = f"{_NEWEST}/secret-server-setup/installation/installing-rabbitmq/clearing-rabbitmq-queues/index.md"
"""Clearing RabbitMQ message queues."""

RELEASE_106_URL = f"{_NEWEST}/release-notes/ss-rn-10-6-000000.md"
"""Release notes of 10.6.000000."""

RELEASE_109_URL = f"{_NEWEST}/release-notes/ss-rn-10-9-000033.md"
"""Release notes of 10.9.000033."""

_PRIVMAN = "https://github.com/thycotic/privman-docs/blob/4fe760f0b92b6bb2bb8e197f282971afa008ef97"

TMS_UPGRADE_URL = f"{_PRIVMAN}/install/upgrades/online-upgrade.md"
"""Privilege Manager, online upgrades: backups, secondary nodes, connectionStrings.config."""

TMS_COMBINED_URL = f"{_PRIVMAN}/install/upgrades/offline-upgrades-combined.md"
"""Privilege Manager, offline upgrades of combined installations."""
