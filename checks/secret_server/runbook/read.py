"""From a node's facts to what a plan has to know of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from checks.check import NodeView
from checks.common.computer_facts import ComputerName
from checks.common.disk_facts import Disks
from checks.facts import Unknown, UnknownFactError
from checks.outcome import Outcome
from checks.runbook.windows_paths import is_on_a_share, is_seen_from_here_alone, tidy
from checks.secret_server.facts.folder import DatabaseConfig, EncryptionConfig
from checks.secret_server.facts.node import AppFiles, AppPools, IisApplication, IisConfiguration, WebRoot
from checks.secret_server.iis.serving import serving, serving_pools
from checks.secret_server.runbook.site import Tms, Web

_TMS = "tms"
_TMS_PARTS = frozenset({"agent", "worker"})
"""What TMS has as applications of their own below it, whatever it is called itself."""


def read_web(view: NodeView) -> Web:
    """What the node's facts say of the application on it."""
    found = view.get(WebRoot)
    files = view.get(AppFiles)
    root = found.path if isinstance(found, WebRoot) else files.root if isinstance(files, AppFiles) else None
    apps, why = _applications(view)
    pools: tuple[str, ...] = ()
    if apps:
        seen = serving_pools(view)
        pools, why = (seen, why) if isinstance(seen, tuple) else ((), seen.message)
    iis = view.get(IisConfiguration)
    every = iis.applications if isinstance(iis, IisConfiguration) else ()
    looks = (view.get(EncryptionConfig), view.get(DatabaseConfig))
    backups, backups_from = backup_folder(view, "backup_app_path")
    return Web(
        name=view.name,
        host=view.host,
        root=tidy(root) if root else None,
        pools=pools,
        path=apps[0].path if apps else None,
        efs=any(not isinstance(look, Unknown) and look.efs for look in looks),
        reach=_reach(view),
        site=apps[0].site if apps else "",
        tms=_tms(every, apps),
        tms_unread=iis.reason if isinstance(iis, Unknown) else "",
        backups=backups,
        backups_from=backups_from,
        settings=_settings(view, pools),
        why=why,
    )


def backup_folder(view: NodeView, declared: str) -> tuple[str | None, str]:
    """A folder for backups on the node and why that one: beside the declared ones, else where most is free."""
    path = view.options.get(declared)
    if isinstance(path, str) and "%" not in path:
        plain = tidy(path)
        if plain.count("\\") > (3 if is_on_a_share(plain) else 1):
            return plain.rpartition("\\")[0], "the inventory has its backups there"
    disks = view.get(Disks)
    if isinstance(disks, Unknown) or not disks.drives:
        return None, ""
    # Away from Windows where there is another drive: a full one there stops the machine.
    drives = [drive for drive in disks.drives if drive.name != disks.system] or list(disks.drives)
    most = max(drives, key=lambda drive: drive.free_bytes)
    return f"{most.name}\\Backup", f"{most.name} has the most room"


def _reach(view: NodeView) -> str:
    """What other machines call it: the inventory's host, unless that means another machine to each of them."""
    if not is_seen_from_here_alone(view.host):
        return view.host
    own = view.get(ComputerName)
    if isinstance(own, Unknown):
        return ""
    return f"{own.name}.{own.domain}" if own.domain else own.name


def _applications(view: NodeView) -> tuple[tuple[IisApplication, ...], str]:
    try:
        found = serving(view)
    except UnknownFactError as gap:
        return (), gap.reason
    return ((), found.message) if isinstance(found, Outcome) else (found, "")


def _tms(every: tuple[IisApplication, ...], own: tuple[IisApplication, ...]) -> Tms | None:
    others = [app for app in every if app not in own]
    tops = [app for app in others if _is_tms(app, others)]
    if not tops:
        return None
    top = min(tops, key=lambda app: len(tidy(app.physical_path)))
    parts = [app for app in others if any(_belongs(app, one) for one in tops)]
    pools = {app.pool.lower(): app.pool for app in parts if app.pool}
    return Tms(tidy(top.physical_path), top.path, tuple(pools.values()), any(not app.pool for app in parts))


def _is_tms(app: IisApplication, every: Iterable[IisApplication]) -> bool:
    if _TMS in (_leaf(app.path, "/"), _leaf(tidy(app.physical_path), "\\")):
        return True
    below = f"{app.path.rstrip('/')}/".lower()
    parts = {one.path.lower().removeprefix(below) for one in every if one.site == app.site and one is not app}
    return parts >= _TMS_PARTS


def _belongs(app: IisApplication, top: IisApplication) -> bool:
    """Whether an application is part of TMS: at or below its path, or in its folder.

    Below a whole site's "/" everything is, so that only the folder decides there.
    """
    folder, root = tidy(app.physical_path).lower(), tidy(top.physical_path).lower()
    if folder == root or folder.startswith(f"{root}\\"):
        return True
    path, above = app.path.rstrip("/").lower(), top.path.rstrip("/").lower()
    return bool(above) and app.site == top.site and f"{path}/".startswith(f"{above}/")


def _leaf(path: str, separator: str) -> str:
    return path.rstrip(separator).rpartition(separator)[2].lower()


def _settings(view: NodeView, pools: tuple[str, ...]) -> Mapping[str, Mapping[str, str]]:
    """What each pool has now of what a crossing may set, as appcmd spells it; unset and unknown ones left out."""
    iis, more = view.get(IisConfiguration), view.get(AppPools)
    found: dict[str, dict[str, str]] = {pool: {} for pool in pools}
    for pool in pools:
        for one in iis.pools if isinstance(iis, IisConfiguration) else ():
            if one.name.lower() == pool.lower():
                found[pool]["managedPipelineMode"] = one.pipeline_mode
        for own in more.pools if isinstance(more, AppPools) else ():
            if own.name.lower() == pool.lower():
                found[pool]["managedRuntimeVersion"] = own.runtime.value
                found[pool]["processModel.loadUserProfile"] = own.load_user_profile.value
    return found
