"""The passes that may stand although a part of an answer is gone, each with the reason, which somebody looked at.

Either another fact proves what is concluded, or the part that is gone could only have made it worse.
"""

from __future__ import annotations

from tests.test_scanner.semantic_fuzz.bench import Accepted, Text

_BY_VERSION = (
    *("windows-version", "dotnet-framework", "powershell-version"),
    *("iis-authentication", "iis-integrated-pipeline", "app-pool-settings"),
)
"""Held to rules of which the installed version excuses from some."""

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
        what="^word",
        checks=("chef-leaderl", "chef-frontend-members", "chef-failover-state"),
        reason="the other backends show the members; that one shows them otherwise, chef-cluster-status tells",
        garbled=True,
    ),
    Accepted(
        probe="chef-cluster-status",
        what="^word '(Blocked|Eligible|not_blocked|true)'|^all behind '.*not_blocked",
        checks=("chef-cluster-status", "chef-failover-state"),
        reason="no document tells what these columns look like: what is not understood is shown, and decides nothing",
        garbled=None,
    ),
    Accepted(
        probe="chef-service-status",
        what="^gap",
        checks=("chef-cluster-status",),
        reason="how many blanks there are, means nothing",
        garbled=True,
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
        what=r"^all behind '.*\d+\.\d+\.\d+'$",
        checks=("disk-space", "chef-cluster-status", "chef-secrets-match", "chef-failover-state"),
        reason="half a version, which stepping-stone tells apart by the package's, excuses from nothing here",
    ),
    Accepted(
        probe="chef-package",
        what="",
        checks=("stepping-stone", "disk-space", "chef-cluster-status", "chef-failover-state"),
        reason="a second witness of the version, which counts where it contradicts the first",
        garbled=None,
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
        reason="a file that a whole listing does not hold is not there, and one of another name is another",
        garbled=None,
    ),
    Accepted(
        probe="chef-secrets-stray",
        what="^line '-",
        checks=("chef-secrets-stray",),
        reason="a file that a whole listing does not hold is not there",
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
        probe="secret-server-files",
        what=r"libraries\[\d\]\.version,",
        checks=(*_BY_VERSION, "stepping-stone", "app-version-match", "database-version-match"),
        reason="the words beside a file's numbers, of which the other files tell more, may say anything",
        garbled=True,
    ),
    Accepted(
        probe="chef-secrets-stray",
        what="^all behind",
        checks=("chef-secrets-stray",),
        reason="a search had no end; that it is whole, its frame says",
    ),
)
"""Of recordings from before an answer had an end that could be missing."""

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
        ),
        reason="the version is that of the other libraries, or unknown: then all rules hold",
    ),
    Accepted(
        probe="iis-configuration",
        what=r"^value (applications\[[02]\]|pools\[[1-9]\])",
        checks=(*_POOLS, "iis-authentication"),
        reason="another application's, or its pool's",
    ),
    Accepted(
        probe="iis-configuration",
        what=r"^value isapi( empty|\[\d\] gone|\[\d\]\.path)",
        checks=("app-pool-settings",),
        reason="a restriction that a whole list does not hold is not there, and is not judged",
    ),
    Accepted(
        probe="app-files",
        what=r"^value folders\[\d\]\.tree\[\d\] gone",
        checks=("app-files-match",),
        reason="a folder that is missing on a node is told as that",
    ),
    Accepted(
        probe="sql-database",
        what=r"databases\.rows\[\d\]\.merge_id null",
        checks=("database-support",),
        reason="it is null where the database does not subscribe",
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
        what=r"^value instances\[\d\] gone",
        checks=("sql-server-version",),
        reason="an instance that a whole list does not hold is not there",
    ),
    Accepted(
        probe="secret-server-files",
        what="^frame",
        checks=("distinct-machines", "clock-skew"),
        reason="that it is another machine is not told any more; connectivity tells that it did not answer",
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
        what=r"server\.rows\[\d\]\.(hadr|computer)|answers\.(replicas|grouped|mirroring)",
        checks=("web-nodes-known",),
        reason="fewer servers are known by name, so that one more would be told as a stranger",
        garbled=None,
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
        what=r"(replicas\.rows\[\d\]\.(server|grp)|mirroring\.rows\[\d\]\.partner) ",
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
        checks=("iwa-folders", "iis-authentication"),
        reason="a place that is not there has no settings, and the list is whole where the answer is",
    ),
    Accepted(
        probe="sql-database",
        what=r"^value (computer|instances\[\d\]\.cluster)\b",
        checks=(
            *("database-compatibility", "database-support", "database-version-match"),
            *("database-mirroring", "web-nodes-known"),
        ),
        reason="an instance that is not known to be clustered is held to everything on the host",
        garbled=None,
    ),
)

ACCEPTED = (*CHEF, *SECRET_SERVER)

TEXTS = (
    Text("computer-name", r"^value (name|domain),", "a machine's name"),
    Text("windows-version", r"^value (product_name|service_pack),", "told, and judged by nothing"),
    Text("iis-configuration", r"^value isapi\[\d+\]\.(path|description),", "a name"),
    Text("iis-configuration", r"^value (applications|pools)\[\d+\]\.(name|site|path|physical_path|pool),", "a name"),
    Text("iis-authentication", r"^value places\[\d+\]\.path,", "a name"),
    Text(
        "app-files", r"^value folders\[\d+\]\.(root\.path|tree\[\d+\]\.(folder|files)|left_out\[\d+\]\.\w+),", "a path"
    ),
    Text("app-pool-state", r"^value pools\[\d+\]\.name,", "a pool's name"),
    Text("backups", r"^value (application|database)\.(found|path),", "a path"),
    Text("encryption-config", r"^value folders\[\d+\]\.(root|config)\.path,", "a path"),
    Text("database-config", r"^value folders\[\d+\]\.(root|config)\.path,", "a path"),
    Text("web-config", r"^value folders\[\d+\]\.(named\[\d+\]\.|root\.)?path,", "a path"),
    Text(
        "secret-server-files", r"^value folders\[\d+\]\.(root\.path|libraries\[\d+\]\.(name|text)),", "a path or name"
    ),
    Text("sql-database", r"\.sessions\.rows\[\d+\]\.(program|host),", "what a session calls itself"),
    Text("sql-database", r"\.server\.rows\[\d+\]\.(server_name|computer|edition),", "a name; the edition has a number"),
    Text("sql-database", r"\.replicas\.rows\[\d+\]\.(server|grp),", "a name"),
    Text("sql-database", r"\.(mirroring\.rows\[\d+\]\.partner|databases\.rows\[\d+\]\.name),", "a name"),
    Text("chef-package", r"\.el7.*, letter$", "which distribution it is for"),
    Text("chef-frontend-package", r"\.el7.*, letter$", "which distribution it is for"),
    Text("sql-database", r"^value instances\[\d+\]\.(name|versions\[\d+\]\.error),", "a name, or words for people"),
    Text("sql-instances", r"^value instances\[\d+\]\.name,", "a name"),
    Text(
        "linux-disks",
        r"^word '(\w*fs|ext\d|overlay)' of .*, (word|letters?)$",
        "a kind of file system that nobody has thought of; it is held to the rules",
    ),
    Text("chef-leaderl", "^word 'http", "where it was asked, which is told"),
    Text("chef-frontend-api", "^word 'http", "where it was asked, which is told"),
)
"""Where garbage is a text like any other: it is held to no more than that nothing raises."""
