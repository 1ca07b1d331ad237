"""The titles of the pages that remedies, rules and plans point to, and what stands in the place of those that moved.

An address in a rule or a check is where it was read, and stays. A page of today is named here only where it was seen
to exist; where none was found, the title says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """A page by its title; the address stands in for a title that nobody knows."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Page:
    """What is known of an address."""

    title: str
    as_of: str = ""
    """Which state of it was read, where that is not today's; empty also where the page only moved."""
    now: str = ""
    """The address of the page that has the subject today; empty where this one does, or none was found."""


def links_of(url: str, title: str = "") -> tuple[Link, ...]:
    """Where to read on: the page of today first, the one that was read beside it.

    `title` is that of a page which is not known here.
    """
    if not url:
        return ()
    page = PAGES.get(url)
    if page is None:
        return (Link(title or url, url),)
    if page.now and not page.as_of:
        return links_of(page.now)
    if page.now:
        return Link(PAGES[page.now].title, page.now), Link(f"{page.title} ({page.as_of})", url)
    if page.as_of:
        return (Link(f"{page.title} ({page.as_of}; no page of today was found)", url),)
    return (Link(page.title, url),)


def current(url: str) -> str:
    """The address to go to today."""
    return next((link.url for link in links_of(url)), "")


_DELINEA = "https://docs.delinea.com/online-help/secret-server"
_UPGRADING = f"{_DELINEA}/setup/upgrading/index.htm"
_CHECKLIST = f"{_DELINEA}/setup/upgrading/upgrade-checklist/index.htm"
_DOWNTIME = f"{_DELINEA}/setup/upgrading/minimizing-upgrade-downtime/index.htm"
_IWA = f"{_DELINEA}/authentication/iwa-webservices/configuring-iwa/index.htm"
_MAINTENANCE = f"{_DELINEA}/admin/maintenance-mode/index.htm"
_REPLICATION = (
    f"{_DELINEA}/backup-and-disaster-recovery/disaster-recovery/sql-server-replication-best-practices/index.htm"
)

_CHEF = "https://docs.chef.io"
_CHEF_SOURCE = "https://github.com/chef/chef-server/tree"

_LEARN = "https://learn.microsoft.com/en-us"
_POOLS = f"{_LEARN}/iis/configuration/system.applicationhost/applicationpools/add/"
_ISAPI = f"{_LEARN}/iis/configuration/system.webServer/security/isapicgirestriction/"
_POLICIES = f"{_LEARN}/previous-versions/windows/it-pro/windows-10/security/threat-protection/security-policy-settings"
_ENGINE = f"{_LEARN}/sql/database-engine"

# Thycotic's documentation as it lay on GitHub, by the revision that was read and that revision's day.
_MAY = ("0358ec4405b482f870cf61586357d242abe79ba3", "as of 2021-05-25")
_JUNE = ("04534a8c1bb3fd599b87474761a39bd5c92fefe6", "as of 2021-06-04")
_DECEMBER = ("19f8eb73c4e30b70550d129ba28a45cadd84a883", "as of 2020-12-21")
_MARCH = ("57d294f90571682014f2e35144d7727f8b5f3b5c", "as of 2021-03-24")
_APRIL = ("5a7e408d0896eb747469277de15f13cd024c75ee", "as of 2020-04-02")
_SERVICE = ("ae0a9c5e8b4a874308211c5c4d0b11860059388f", "as of 2021-05-26")
_LAST = ("e73cfc244a832639051eee5fdb7bc36733588fae", "as of 2021-07-08")
_GLOBAL = "&ui-force-components-controllers-recordGlobalValueProvider.RecordGvp.getRecord=1"
_FORCE = "https://thycotic.force.com/support/s/article"
_FORMER = "on Thycotic's former support site"


def _thycotic(revision: tuple[str, str], path: str, title: str, now: str = "") -> tuple[str, Page]:
    commit, as_of = revision
    return f"https://github.com/thycotic/ss-docs/blob/{commit}/{path}", Page(title, as_of, now)


def _privilege_manager(path: str, title: str) -> tuple[str, Page]:
    commit = "4fe760f0b92b6bb2bb8e197f282971afa008ef97"
    url = f"https://github.com/thycotic/privman-docs/blob/{commit}/install/upgrades/{path}"
    return url, Page(f"Privilege Manager: {title}", "as of 2021-07-08")


def _upgrades(version: str, folder: str = "omnibus/files") -> tuple[str, Page]:
    url = f"{_CHEF_SOURCE}/{version}/{folder}/private-chef-upgrades/001"
    return url, Page(f"Chef Infra Server {version}: its upgrades, in the source")


_SETUP = "secret-server-setup"

_SECRET_SERVER = (
    (_UPGRADING, Page("Upgrading Secret Server")),
    (_CHECKLIST, Page("Secret Server On-Prem Upgrade Checklist")),
    (_DOWNTIME, Page("Minimizing Upgrade Downtime")),
    (_IWA, Page("Configuring Integrated Windows Authentication")),
    (_MAINTENANCE, Page("Maintenance Mode")),
    (_REPLICATION, Page("SQL Server Replication Best Practices")),
    (f"{_DELINEA}/security-hardening/secret-server-telemetry/index.htm", Page("Secret Server Telemetry")),
    (f"{_DELINEA}/security-hardening/security-hardening-guide/index.htm", Page("Security Hardening Guide")),
    (f"{_DELINEA}/setup/config-best-practices/security.htm", Page("Securing the Encryption.config File")),
    _thycotic(
        _MAY,
        f"{_SETUP}/upgrading/upgrading-with-web-clustering/index.md",
        "Upgrading Secret Server with Web Clustering",
        _UPGRADING,
    ),
    _thycotic(
        _JUNE,
        f"{_SETUP}/upgrading/upgrading-without-outbound-access/index.md",
        "Upgrading Secret Server Without Outbound Access",
    ),
    _thycotic(
        _DECEMBER,
        f"{_SETUP}/upgrading/upgrading-secret-server-10-9-000005/index.md",
        "Upgrading to 10.9.000005/33",
        _UPGRADING,
    ),
    _thycotic(_LAST, f"{_SETUP}/upgrading/upgrading-secret-server/index.md", "Upgrading Secret Server", _UPGRADING),
    _thycotic(
        _LAST, f"{_SETUP}/upgrading/minimizing-upgrade-downtime/index.md", "Minimizing Upgrade Downtime", _DOWNTIME
    ),
    _thycotic(
        _MARCH,
        f"{_SETUP}/upgrading/net-4-8-upgrade/index.md",
        "Secret Server and Secret Server Cloud .NET Framework 4.8 Mandatory Upgrade",
        _CHECKLIST,
    ),
    _thycotic(
        _MARCH,
        "troubleshooting/http-404-2-error-isapi-cgi/index.md",
        "HTTP 404.2 Error ISAPI/CGI Restrictions Stopping .NET Framework 4.5.1",
        _ISAPI,
    ),
    _thycotic(_APRIL, f"{_SETUP}/system-requirements/index.md", "System Requirements for Secret Server", _CHECKLIST),
    _thycotic(
        _SERVICE,
        f"{_SETUP}/installation/running-ss-iis-app-pool-service-account/index.md",
        "Running the IIS Application Pool As a Service Account",
    ),
    _thycotic(
        _LAST,
        f"{_SETUP}/installation/installing-rabbitmq/clearing-rabbitmq-queues/index.md",
        "Clearing RabbitMQ Message Queues",
    ),
    _thycotic(_LAST, "access-requests/customize-approval-emails/index.md", "Customizing Access Request Emails"),
    _thycotic(_LAST, "admin/enable-maintenance-mode/index.md", "Enabling and Disabling Maintenance Mode", _MAINTENANCE),
    _thycotic(
        _LAST,
        "authentication/integrated-windows-authentication/configuring-iwa/index.md",
        "Configuring Integrated Windows Authentication",
        _IWA,
    ),
    _thycotic(_LAST, "backup-and-disaster-recovery/common-backup-errors/index.md", "Common Backup Errors"),
    _thycotic(
        _LAST,
        "backup-and-disaster-recovery/restoring-secret-server-from-backup/index.md",
        "Restoring Secret Server from a Backup",
    ),
    _thycotic(
        _LAST,
        "backup-and-disaster-recovery/sql-server-replication-best-practices/index.md",
        "SQL Server Replication Best Practices",
        _REPLICATION,
    ),
    _thycotic(
        _LAST,
        "troubleshooting/saml-config-upgrade-error/index.md",
        "Troubleshooting SAML Configuration Errors After Upgrading",
    ),
    _thycotic(_LAST, "release-notes/index.md", "Secret Server Release Notes"),
    _thycotic(_LAST, "release-notes/ss-rn-10-6-000000.md", "Secret Server Release Notes 10.6.000000"),
    _thycotic(_LAST, "release-notes/ss-rn-10-9-000033.md", "Secret Server: 10.9.000005/33 Release Notes"),
    _thycotic(_LAST, "release-notes/ss-rn-9-x.md", "Secret Server Release Notes 9.x"),
    _thycotic(_LAST, "release-notes/ss-rn-8-x.md", "Secret Server Release Notes 8.x"),
    (
        "http://updates.thycotic.net/link.ashx?IisPiplineIntegratedKnowledgeBase",
        Page("Configuring IIS for Secret Server 10", _FORMER, _POOLS),
    ),
    (
        "http://support.thycotic.com/KB/a388/secret-server-moving-to-net-framework-451.aspx",
        Page("Secret Server moving to .NET Framework 4.5.1", _FORMER, _CHECKLIST),
    ),
    (
        f"{_FORCE}/Setting-Up-Integrated-Windows-Authentication-in-Secret-Server-10-0",
        Page("Setting Up Integrated Windows Authentication in Secret Server 10.0", _FORMER, _IWA),
    ),
    (
        f"{_FORCE}/Encryption-key-doesnt-match-error?r=3{_GLOBAL}",
        Page("Encryption key doesn't match error", _FORMER),
    ),
    _privilege_manager("online-upgrade.md", "Online Upgrades"),
    _privilege_manager("offline-upgrades-combined.md", "Offline Upgrades - Combined"),
)

_CHEF_PAGES = (
    (f"{_CHEF}/server/upgrade_server_ha_v2/", Page("High Availability: Upgrade to Chef Backend 2")),
    (
        f"{_CHEF}/upgrade_server_ha_v2/",
        Page("High Availability: Backend Cluster", now=f"{_CHEF}/server/upgrade_server_ha_v2/"),
    ),
    (f"{_CHEF}/server/install_server_ha/", Page("High Availability: Chef Backend")),
    (
        f"{_CHEF}/install_server_ha/",
        Page("High Availability: Chef Backend", now=f"{_CHEF}/server/install_server_ha/"),
    ),
    (f"{_CHEF}/server/backend_failure_recovery/", Page("Chef Backend Failure Recovery")),
    (
        f"{_CHEF}/backend_failure_recovery/",
        Page("Chef Backend Failure Recovery", now=f"{_CHEF}/server/backend_failure_recovery/"),
    ),
    (f"{_CHEF}/server/server_backup_restore/", Page("Backup and Restore a Standalone or Frontend install")),
    (
        f"{_CHEF}/server_backup_restore/",
        Page("Backup and Restore", now=f"{_CHEF}/server/server_backup_restore/"),
    ),
    (f"{_CHEF}/release_notes/backend/", Page("Chef Backend Release Notes")),
    (
        f"{_CHEF}/release_notes_backend/",
        Page("Chef Backend Release Notes", now=f"{_CHEF}/release_notes/backend/"),
    ),
    (f"{_CHEF}/release_notes/server/", Page("Chef Infra Server Release Notes")),
    (
        f"{_CHEF}/release_notes_server/",
        Page("Chef Infra Server Release Notes", now=f"{_CHEF}/release_notes/server/"),
    ),
    (f"{_CHEF}/server/config_rb_backend/", Page("chef-backend.rb Settings")),
    (f"{_CHEF}/server/ctl_chef_backend/", Page("chef-backend-ctl")),
    (f"{_CHEF}/server/ctl_chef_server/", Page("chef-server-ctl (executable)")),
    (f"{_CHEF}/server/server_monitor/", Page("Monitor")),
    (f"{_CHEF}/server/upgrades/", Page("Upgrade Chef Infra Server")),
    (
        "https://blog.chef.io/2018/04/06/best-practices-for-migrating-your-chef-server/",
        Page("Best Practices for Migrating Your Chef Server"),
    ),
    ("https://github.com/chef-cookbooks/chef-ingredient/pull/219", Page("chef-ingredient, pull request 219")),
    ("https://github.com/chef/chef-server/issues/464", Page("chef-server, issue 464")),
    *(_upgrades(version, "files") for version in ("12.0.0", "12.0.3", "12.0.5")),
    *(_upgrades(version) for version in ("12.1.0", "12.2.0", "12.3.0", "12.4.0", "12.5.0", "12.14.0")),
    *(_upgrades(version) for version in ("12.15.8", "12.16.14", "14.0.0", "14.8.4", "15.0.0")),
    ("https://smarden.org/runit/sv.8", Page("sv(8), of runit")),
    (
        "https://www.elastic.co/guide/en/elasticsearch/reference/6.8/disk-allocator.html",
        Page("Elasticsearch 6.8: Disk-based Shard Allocation"),
    ),
)

_MICROSOFT = (
    (_POOLS, Page("Adding Application Pools <add>")),
    (f"{_POOLS}processmodel", Page("Process Model Settings for an Application Pool <processModel>")),
    (_ISAPI, Page("ISAPI/CGI Restrictions <isapiCgiRestriction>")),
    (f"{_LEARN}/iis/configuration/system.webserver/security/authentication/", Page("Authentication <authentication>")),
    (
        f"{_LEARN}/iis/get-started/planning-for-security/how-to-use-locking-in-iis-configuration",
        Page("How to Use Locking in IIS Configuration"),
    ),
    (f"{_LEARN}/iis/wmi-provider/applicationpool-class", Page("ApplicationPool Class")),
    (
        f"{_LEARN}/previous-versions/iis/settings-schema/bb386459(v=vs.90)",
        Page("IIS Settings Schema: an application pool's processModel"),
    ),
    (
        f"{_LEARN}/dotnet/api/microsoft.web.administration.applicationpoolprocessmodel.loaduserprofile",
        Page("ApplicationPoolProcessModel.LoadUserProfile Property"),
    ),
    (
        f"{_LEARN}/troubleshoot/developer/webapps/iis/health-diagnostic-performance/http-error-500-19-webpage",
        Page("HTTP Error 500.19 when you open an IIS webpage"),
    ),
    (
        f"{_LEARN}/dotnet/framework/install/how-to-determine-which-versions-are-installed",
        Page("Determine which .NET Framework versions are installed"),
    ),
    (
        f"{_POLICIES}/maximum-tolerance-for-computer-clock-synchronization",
        Page("Maximum tolerance for computer clock synchronization"),
    ),
    (f"{_LEARN}/windows/win32/api/winbase/nf-winbase-movefileexa", Page("MoveFileExA function")),
    (f"{_LEARN}/windows/win32/sysinfo/computer-names", Page("Computer Names")),
    (f"{_LEARN}/windows/win32/sysinfo/operating-system-version", Page("Operating System Version")),
    (f"{_LEARN}/sql/t-sql/functions/serverproperty-transact-sql", Page("SERVERPROPERTY (Transact-SQL)")),
    (
        f"{_LEARN}/troubleshoot/sql/releases/download-and-install-latest-updates",
        Page("Latest updates and version history for SQL Server"),
    ),
    (
        f"{_ENGINE}/availability-groups/windows/join-a-secondary-database-to-an-availability-group-sql-server",
        Page("Join a secondary database to an Always On availability group"),
    ),
    (
        f"{_ENGINE}/availability-groups/windows/listeners-client-connectivity-application-failover",
        Page("Connect to an Always On availability group listener"),
    ),
    (
        (
            f"{_ENGINE}/availability-groups/windows/"
            "manually-prepare-a-secondary-database-for-an-availability-group-sql-server"
        ),
        Page("Prepare a secondary database for an Always On availability group"),
    ),
    (
        f"{_ENGINE}/availability-groups/windows/remove-a-primary-database-from-an-availability-group-sql-server",
        Page("Remove a primary database from an Always On availability group"),
    ),
    (
        f"{_ENGINE}/availability-groups/windows/resume-an-availability-database-sql-server",
        Page("Resume an availability database (SQL Server)"),
    ),
    (
        f"{_ENGINE}/database-mirroring/database-mirroring-establish-session-windows-authentication",
        Page("Database Mirroring - Establish Session - Windows Authentication"),
    ),
    (
        f"{_ENGINE}/database-mirroring/pause-or-resume-a-database-mirroring-session-sql-server",
        Page("Pause or Resume a Database Mirroring Session (SQL Server)"),
    ),
    (
        f"{_ENGINE}/database-mirroring/prepare-a-mirror-database-for-mirroring-sql-server",
        Page("Prepare a Mirror Database for Mirroring (SQL Server)"),
    ),
    (
        f"{_ENGINE}/database-mirroring/remove-database-mirroring-sql-server",
        Page("Remove Database Mirroring (SQL Server)"),
    ),
)

PAGES: Mapping[str, Page] = dict((*_SECRET_SERVER, *_CHEF_PAGES, *_MICROSOFT))
"""By address. What has the subject today was found so: Delinea's pages were read; Chef's new addresses stand in the
source of its documentation (chef-web-docs redirects the release notes, chef-server holds the rest)."""
