"""The passes that may stand although a part of an answer is gone, each with the reason, which somebody looked at.

Either another fact proves what is concluded, or the part that is gone could only have made it worse.
"""

from __future__ import annotations

from tests.test_scanner.semantic_fuzz.bench import Accepted

CHEF = (
    Accepted(
        probe="chef-service-status",
        what="^(line|word|all behind)",
        checks=("chef-version-match",),
        reason="goes by how long the services that are there run; those that are not, chef-cluster-status misses",
    ),
    Accepted(
        probe="chef-service-status",
        what=r"^word '\d+[dh]'",
        checks=("chef-cluster-status",),
        reason="a Time in State without its largest unit is one, and how long a service runs is not judged there",
    ),
    Accepted(
        probe="chef-config",
        what=r"^line '(form \d|end|set (?!leaderl\.))",
        checks=("chef-secrets-match",),
        reason="no setting of whom leaderl runs as",
    ),
    Accepted(
        probe="chef-config",
        what=r"^line 'form \d'",
        checks=("chef-config-match",),
        reason="it is read as an earlier version's answer",
    ),
    Accepted(
        probe="chef-config",
        what=r"^line 'set ",
        checks=("chef-config-match",),
        reason="a node's own setting, or one at its default",
    ),
    Accepted(
        probe="chef-cluster-status",
        what="",
        checks=("chef-leaderl", "chef-frontend-members", "chef-failover-state"),
        reason="the other backends show the same members",
        unread=True,
    ),
    Accepted(
        probe="chef-cluster-status",
        what=r"^(line '\S+ +\d|all behind)",
        checks=("chef-leaderl", "chef-frontend-members", "chef-failover-state"),
        reason="the other backends show them all; that one shows fewer, chef-cluster-status misses",
    ),
    Accepted(
        probe="chef-search-index",
        what="",
        checks=("stepping-stone",),
        reason="the other backends tell the same index",
        unread=True,
    ),
    Accepted(
        probe="chef-version",
        what="",
        checks=("disk-space", "chef-cluster-status", "chef-secrets-match", "chef-failover-state"),
        reason="tells what an old version is excused from, and nothing needs an excuse",
        unread=True,
    ),
    Accepted(
        probe="chef-version",
        what="^all behind",
        checks=("disk-space", "chef-cluster-status", "chef-secrets-match", "chef-failover-state"),
        reason="half a version is one, and of the same series",
    ),
    Accepted(
        probe="chef-version",
        what=r"^(all behind|word)",
        checks=("stepping-stone",),
        reason="half a version is one; that the answer is whole, its frame says",
    ),
    Accepted(
        probe="chef-frontend-services",
        what="opscode-expander|opscode-solr4|oc_id|bookshelf|haproxy|redis_lb",
        checks=("chef-frontend-status",),
        reason="a service that not every version and set-up has",
    ),
    Accepted(
        probe="linux-disks",
        what=r"index /var/opt|elasticsearch /var/opt",
        checks=("disk-space",),
        reason="earlier versions did not ask for it; the folder above it is judged",
    ),
    Accepted(
        probe="chef-leader-flags",
        what=r"^(line|word) '(unsynced|no-start-pgsql)'",
        checks=("chef-sentinels",),
        reason="a file that a whole listing does not hold is not there",
    ),
    Accepted(
        probe="chef-leader-flags",
        what="^(line|word) '(form|2)'",
        checks=("chef-sentinels",),
        reason="it is read as an earlier version's answer",
    ),
    Accepted(
        probe="chef-secrets-stray",
        what="^(line|word) '(form|2)'",
        checks=("chef-secrets-stray",),
        reason="it is read as an earlier version's answer",
    ),
    *(
        Accepted(
            probe=probe, what=r"asked http", checks=(check,), reason="where it was asked matters where nobody answered"
        )
        for probe, check in (("chef-leaderl", "chef-leaderl"), ("chef-frontend-api", "chef-frontend-status"))
    ),
)
OLDER = (
    Accepted(
        probe="chef-config",
        what="^(all behind|output)",
        checks=("chef-config-match", "chef-secrets-match"),
        reason="form 2 has no end to miss",
    ),
    Accepted(
        probe="chef-leader-flags",
        what="^all behind",
        checks=("chef-sentinels",),
        reason="a listing had no end; that it is whole, its frame says",
    ),
    Accepted(
        probe="chef-secrets-stray",
        what="^all behind",
        checks=("chef-secrets-stray",),
        reason="a search had no end; that it is whole, its frame says",
    ),
)
"""Of recordings from before an answer had an end that could be missing."""

_BY_VERSION = ("windows-version", "dotnet-framework", "powershell-version", "iis-authentication")
"""Held to rules of which the installed version excuses from some."""
_POOLS = ("app-pool-settings", "app-pool-state", "iis-integrated-pipeline", "pool-identity-match")

SECRET_SERVER = (
    Accepted(
        probe="secret-server-files",
        what="",
        checks=_BY_VERSION,
        reason="which version is installed leaves out the rules of what lies behind it; without it all of them hold",
        unread=True,
    ),
    Accepted(
        probe="secret-server-files",
        what=r"^value folders\[0\]\.libraries",
        checks=(
            *_BY_VERSION,
            "stepping-stone",
            "app-version-match",
            "database-version-match",
            "app-pool-settings",
            "iis-integrated-pipeline",
        ),
        reason="the version is that of the other libraries, or unknown: then all rules hold",
    ),
    Accepted(
        probe="secret-server-files",
        what=r"^value folders\[0\]\.root\.sources",
        checks=(
            "stepping-stone",
            "app-version-match",
            "app-pool-state",
            "database-version-match",
            "pool-identity-match",
            "app-pool-settings",
            "iis-integrated-pipeline",
        ),
        reason="another source names the same folder",
    ),
    Accepted(
        probe="iis-configuration",
        what=r"^value (applications\[[02]\]|pools\[[1-9]\])",
        checks=(*_POOLS, "iis-authentication"),
        reason="another application's, or its pool's",
    ),
    Accepted(
        probe="iis-configuration",
        what=r"pools\[0\]\.settings\.identity_type\.value empty",
        checks=("app-pool-settings",),
        reason="pool-identity-match misses it",
    ),
    Accepted(
        probe="windows-version",
        what="product_name|minor|major",
        checks=("windows-version",),
        reason="the build tells the version",
    ),
    Accepted(
        probe="sql-database",
        what="",
        checks=("sql-server-version",),
        reason="the registry has every instance's version; which of them holds the database, spares the others",
        unread=True,
    ),
    Accepted(
        probe="sql-instances",
        what="",
        checks=("sql-server-version",),
        reason="the server that holds the database tells its version itself",
        unread=True,
    ),
    Accepted(
        probe="sql-instances",
        what="^(frame|output|end|value instances)",
        checks=("database-support",),
        reason="the database itself tells its edition",
    ),
    Accepted(
        probe="sql-instances",
        what="edition|patch_level|version|instance_id",
        checks=("sql-server-version",),
        reason="of version and patch level one is enough",
    ),
    Accepted(
        probe="sql-database",
        what=r"server\.rows\[\d\]\.(edition|engine_edition) ",
        checks=("database-support",),
        reason="of edition and its number one is enough",
    ),
    Accepted(
        probe="sql-database",
        what="",
        checks=("backup-recent",),
        reason="the file that database_path names is proof of its own, whatever msdb would have added",
        unread=True,
    ),
    Accepted(
        probe="sql-database",
        what=r"server\.rows\[\d\]\.(hadr|computer)|answers\.(replicas|grouped)",
        checks=("web-nodes-known",),
        reason="fewer servers are known by name, so that one more would be told as a stranger",
    ),
    Accepted(
        probe="sql-database",
        what=r"answers\.sessions\.rows(\[\d\] gone| empty)",
        checks=("web-nodes-known",),
        reason="a site at rest has no sessions",
    ),
    Accepted(
        probe="sql-database",
        what=r"server_state|answers\.sessions",
        checks=("database-mirroring",),
        reason="whom the web servers use is only told there; that nobody sees it, web-nodes-known tells",
    ),
    Accepted(
        probe="sql-database",
        what=r"replicas\.rows\[\d\]\.(server|grp) ",
        checks=("database-mirroring", "backup-recent"),
        reason="a name that is only told",
    ),
    Accepted(
        probe="sql-database",
        what=r"replicas\.rows\[\d\] gone",
        checks=("database-mirroring",),
        reason="that replica was asked itself",
    ),
    Accepted(
        probe="computer-name",
        what="",
        checks=("web-nodes-known", "database-mirroring"),
        reason="it goes by its name in the inventory; that the machine does not tell its own, distinct-machines tells",
        unread=True,
    ),
    Accepted(
        probe="computer-name",
        what="^value domain",
        checks=("distinct-machines",),
        reason="machines whose names differ are two, whatever their domains",
    ),
    Accepted(
        probe="database-config",
        what="",
        checks=("web-nodes-known",),
        reason="the node has a session in the database, so that it points to it",
        unread=True,
    ),
    Accepted(
        probe="web-config",
        what=r"named(\[\d\] gone| empty)",
        checks=("web-config",),
        reason="a file that web.config does not name is none of its own",
    ),
    Accepted(
        probe="app-pool-state",
        what=r"pools\[",
        checks=("app-pool-state",),
        reason="a pool that serves another application",
    ),
    Accepted(
        probe="sql-database",
        what=r"sessions\.rows\[\d\]\.program ",
        checks=("web-nodes-known",),
        reason="of a computer that is a node of the inventory it makes no difference",
    ),
    Accepted(
        probe="sql-database",
        what=r"server\.rows\[\d\]\.engine_edition ",
        checks=("sql-server-version",),
        reason="the registry has the version; a service of Microsoft's has none",
    ),
    Accepted(
        probe="sql-database",
        what=r"databases\.rows\[\d\]\.collation ",
        checks=("database-compatibility",),
        reason="of a copy that is not open SQL Server tells none, and its primary does",
    ),
    Accepted(
        probe="sql-database",
        what=r"instances\[\d\]\.versions( empty|\[\d\] gone|\[\d\]\.error empty)",
        checks=("database-support", "database-version-match"),
        reason="why a copy is not open, is only told",
    ),
    Accepted(
        probe="sql-database",
        what=r"backups\.error empty",
        checks=("backup-recent",),
        reason="the file that database_path names is proof of its own, whatever msdb would have added",
    ),
    Accepted(
        probe="iis-authentication",
        what=r"^value places\[\d\]\.path empty",
        checks=("iis-authentication",),
        reason="a place without a path is the server's own, which holds for the application, too",
    ),
    Accepted(
        probe="iis-authentication",
        what=r"^value places( empty|\[\d\] gone|\[\d\]\.path empty)",
        checks=("iwa-folders",),
        reason="a place that is not there has no settings, and the list is whole where the answer is",
    ),
    Accepted(
        probe="sql-database",
        what=r"^value instances\[\d\]\.cluster ",
        checks=("database-compatibility", "database-support", "database-version-match", "web-nodes-known"),
        reason="an instance that is not known to be clustered is held to everything on the host",
    ),
)

ACCEPTED = (*CHEF, *SECRET_SERVER)
