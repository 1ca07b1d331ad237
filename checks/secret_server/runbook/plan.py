"""From what the nodes of a Secret Server cluster said to its plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from checks.check import NodeView
from checks.common.computer_facts import ComputerName
from checks.common.disk_facts import Disks
from checks.engine.evaluation import GatheredCluster
from checks.engine.upgrade_path import UpgradePath
from checks.facts import Unknown
from checks.runbook.model import Estimate
from checks.runbook.names import CommandQuoter
from checks.runbook.writer import RefusedError, RunbookWriter, Sizes, Written
from checks.scan import Verdict
from checks.secret_server.database.access import passive_of
from checks.secret_server.facts.folder import AppTree, DatabaseConfig, EncryptionConfig
from checks.secret_server.facts.node import AppFiles, AppPools, IisConfiguration, WebRoot
from checks.secret_server.facts.sql import DatabaseBackups, FailoverClusters, SecretServerDatabase
from checks.secret_server.runbook import parts as runbook
from checks.secret_server.runbook import signs
from checks.secret_server.runbook.read import backup_folder, read_web
from checks.secret_server.runbook.recovery import way_back
from checks.secret_server.runbook.recovery.troubleshooting import troubles
from checks.secret_server.runbook.site import Site, Web
from checks.versions import VersionError, parse_secret_server

_PRINCIPAL = 1
"""The role of the copy that is open, in mirroring and in availability groups."""

_DECLARED = {
    "integrated": "integrated_windows_auth",
    "engines": "distributed_engines",
    "rabbitmq": "rabbitmq",
    "recording": "session_recording",
    "saml": "saml",
}
"""What the inventory alone tells of a site: the word of `version_tasks`, and the key."""


def write(gathered: GatheredCluster, path: UpgradePath, inventory: str, names: CommandQuoter) -> Written:
    """The runbook of a site."""
    site = read_site(gathered, inventory, names)
    return Written(
        parts=runbook.parts(site, path),
        way_back=way_back.told(site, path),
        steps_back=way_back.steps(site, path),
        troubles=troubles(site),
        unknown=tuple(site.names.unknown),
    )


def refuse_half_done(nodes: Sequence[NodeView], current: str) -> None:
    """Refuse a site whose database was taken to another version than its files."""
    for node in nodes:
        look = node.get(SecretServerDatabase)
        if not isinstance(look, SecretServerDatabase) or not look.version or not is_open(look):
            continue
        try:
            same = parse_secret_server(look.version) == parse_secret_server(current)
        except VersionError:
            continue
        if not same:
            raise RefusedError(
                f"the web nodes' files are those of {current}, the database on {node.name} is that of {look.version}",
                "Finish the upgrade that was begun, or restore the backup from before it; then plan again.",
                Verdict.NO_GO,
            )


def read_site(gathered: GatheredCluster, inventory: str, names: CommandQuoter) -> Site:
    """The site as its nodes and the inventory say it is."""
    info = gathered.info
    hosts = [node for node in gathered.nodes if "database" in node.roles]
    # A failover cluster instance is asked, and backed up, where it runs.
    databases = [node for node in hosts if not passive_of(node)] or hosts
    looks = [(node.name, node.get(SecretServerDatabase)) for node in databases]
    known = [(name, look) for name, look in looks if isinstance(look, SecretServerDatabase)]
    opened = [(name, look) for name, look in known if is_open(look)]
    kinds = [kind for _, one in known for kind in _copies(one)]
    webs = tuple(read_web(node) for node in gathered.nodes if "web" in node.roles)
    spares = tuple(read_web(node) for node in gathered.nodes if _is_spare(node))
    order = tuple(dict.fromkeys([*(name for name, _ in opened), *(node.name for node in databases)]))
    keeper = next((node for node in gathered.nodes if order and node.name == order[0]), None)
    folder, folder_from = backup_folder(keeper, "backup_database_path") if keeper else (None, "")
    site = Site(
        cluster=info.name,
        inventory=inventory,
        webs=webs,
        spares=spares,
        # The copy of a mirror can be neither asked nor backed up.
        databases=order,
        database=next((one.name for _, one in [*opened, *known]), None),
        dpapi=info.declared("dpapi", "unknown"),
        traits=_traits(gathered, webs),
        mirrored=next(iter(kinds), ""),
        group=next((one.replicas[0].group for _, one in [*opened, *known] if one.replicas), ""),
        copies=_copied_to([*opened, *known], order[0] if order else ""),
        partner=next((one.mirroring.partner for _, one in [*opened, *known] if one.mirroring), ""),
        sql_backups=folder,
        sql_backups_from=folder_from,
        names=names,
        moot=frozenset() if info.options.get("online") else frozenset({"outbound-access"}),
    )
    # A plan without the steps for a mirror must not look like one for a database that has none.
    untold = _untold_copies(looks) if databases else [("", "the inventory names no database node")]
    for name, why in () if kinds else untold:
        where = f" on {name}" if name else ""
        site.names.unknown.append(
            f"whether the database{where} is mirrored or in an availability group, which asks for further steps: {why}"
        )
    for web in (*webs, *spares):
        if web.tms_unread:
            site.names.unknown.append(
                f"whether IIS on {web.name} serves a TMS, whose pools are stopped and whose folder is copied, too: "
                f"{web.tms_unread}"
            )
    return site


def _traits(gathered: GatheredCluster, webs: Sequence[Web]) -> dict[str, bool | None]:
    options = gathered.info.options
    found: dict[str, bool | None] = {}
    for word, key in _DECLARED.items():
        said = options.get(key)
        found[word] = said if isinstance(said, bool) else None
    unread = any(web.tms_unread for web in webs)
    found["tms"] = True if any(web.tms for web in webs) else None if unread else False
    tops = [web.path == "/" if web.path else None for web in webs]
    found["top-level"] = True if True in tops else None if None in tops else False
    found["cluster"] = len(webs) > 1
    return found


def _untold_copies(looks: Sequence[tuple[str, SecretServerDatabase | Unknown]]) -> list[tuple[str, str]]:
    """Each database node of which it is not known whether it keeps a second copy, and why."""
    return [
        (name, why)
        for name, look in looks
        if (why := look.reason if isinstance(look, Unknown) else look.mirroring_problem or look.replicas_problem)
    ]


def is_open(database: SecretServerDatabase) -> bool:
    """Whether it is the copy that is open, of a database that is mirrored or in an availability group."""
    mirror = database.mirroring is not None and database.mirroring.role != _PRINCIPAL
    return not mirror and not any(one.own and one.role not in (None, _PRINCIPAL) for one in database.replicas)


def _copies(database: SecretServerDatabase) -> Iterator[str]:
    """What keeps a second copy of the database, if anything does."""
    if database.mirroring is not None:
        yield "mirroring"
    if database.replicas:
        yield "group"


def _copied_to(known: Sequence[tuple[str, SecretServerDatabase]], keeper: str) -> tuple[str, ...]:
    """Where the copies beside that of `keeper` are: nodes by name, and in words what SQL Server names beyond them."""
    found = {name: one for name, one in known if name != keeper and any(_copies(one))}
    ours = {one.server.name.lower() for one in found.values()}
    here = [one for name, one in known if name == keeper and any(_copies(one))]
    others = {replica.server.lower() for one in here for replica in one.replicas if not replica.own}
    mirrors = {one.mirroring.partner.lower() for one in here if one.mirroring}
    group = any(one.replicas for one in (*here, *found.values()))
    if found and (others | mirrors) <= ours:
        return tuple(found)
    word = "secondary replica" if group else "mirror"
    unnamed = f"each {'other ' if found else ''}{word}" if group else "" if found else "the mirror"
    return (*found, *((unnamed,) if unnamed and (here or found) else ()))


def _is_spare(node: NodeView) -> bool:
    return "dr" in node.roles and not node.roles & {"web", "database"}


def sizes(views: Sequence[NodeView]) -> Sizes:
    """The database as its last full backup was, and each node's folder."""
    folders = {view.name: size for view in views if (size := _folder_bytes(view)) is not None}
    return Sizes(_database_bytes(views), folders)


def _database_bytes(views: Sequence[NodeView]) -> int | None:
    sizes = [
        one.size_bytes
        for view in views
        if isinstance(found := view.get(DatabaseBackups), DatabaseBackups)
        for one in found.backups
        if one.kind == "full" and one.size_bytes
    ]
    return max(sizes, default=None)


def _folder_bytes(view: NodeView) -> int | None:
    """The application's folder, where all of it was walked through."""
    found = view.get(AppTree)
    return found.bytes if isinstance(found, AppTree) and not found.stopped and found.bytes else None


RUNBOOK = RunbookWriter(
    write=write,
    facts={
        "web": (WebRoot, IisConfiguration, AppPools, AppFiles, EncryptionConfig, DatabaseConfig, ComputerName, Disks),
        "dr": (WebRoot, IisConfiguration, AppPools, EncryptionConfig, ComputerName, Disks),
        "database": (SecretServerDatabase, FailoverClusters, Disks),
    },
    refuse_from=refuse_half_done,
    signs=signs.signs,
    kinds=signs.KINDS,
    estimates={
        "enter-maintenance-mode": Estimate(300, "the vendor says up to five minutes (Maintenance Mode)", "vendor"),
    },
    sizes=sizes,
)
