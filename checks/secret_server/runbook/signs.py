"""What facts show of the steps of a Secret Server runbook, and why they show nothing of the others.

What is looked for is taken from a step's own commands, so that it can contradict them nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from checks.check import NodeView
from checks.engine.installed_version import installed
from checks.engine.upgrade_path import UpgradeStep
from checks.engine.wording import enumerate_names
from checks.facts import Unknown
from checks.runbook.model import Step
from checks.runbook.signs import Kind, Seen, Sign, State, cannot_tell, done, each, each_with, list_of, not_done, reached
from checks.runbook.windows_paths import is_on_a_share
from checks.secret_server.facts.backups import AppBackup, Backup, BackupFile, DatabaseBackupFile
from checks.secret_server.facts.folder import EncryptionConfig
from checks.secret_server.facts.host import PoolStates
from checks.secret_server.facts.node import AppFiles
from checks.secret_server.facts.sql import DatabaseBackup, DatabaseBackups, SecretServerDatabase
from checks.secret_server.iis.app_pool_state import PROVIDER_MISSING, STATES
from checks.versions import parse_secret_server

_SWITCH = re.compile(r'appcmd\.exe (stop|start) apppool (?:/apppool\.name:)?"([^"]*)"')
_BACKUP = re.compile(r"BACKUP DATABASE .* TO DISK = N'(?:[^']*\\)?([^'\\]+)'", re.IGNORECASE)
_FOLDER = re.compile(r'robocopy "[^"]*" "([^"\\][^"]*)" /E ', re.IGNORECASE)
_FILE_VERSION = "VersionInfo.FileVersion"
_PLACEHOLDER = "<"

_OTHER_POOLS = "a scan does not ask the other site's nodes which of their pools run"

UNSEEN: Mapping[str, str] = {
    "have-access": "whether somebody's credentials work is theirs to try",
    "have-packages": "the installer's package is on no node that a scan looks at",
    "take-snapshots": "the hypervisor keeps snapshots, and no node tells of them",
    "decide-on-efs": "it is a decision; efs-encryption tells where EFS is in use",
    "save-local-settings": "where a copy of the settings lies is not looked at",
    "close-outside-access": "it is closed in front of the nodes, at the load balancer or the firewall",
    "open-outside-access": "it is opened in front of the nodes, at the load balancer or the firewall",
    "enter-maintenance-mode": "Maintenance Mode stands in the application alone, behind its log-in",
    "leave-maintenance-mode": "Maintenance Mode stands in the application alone, behind its log-in",
    "maintenance-mode-stays-off": "Maintenance Mode stands in the application alone, behind its log-in",
    "point-back": "which database server a node names stands in its database.config, which is encrypted",
    "activate-instances": "licences stand in the application alone, behind its log-in",
    "carry-backup": "the other site's database server is not in the inventory",
    "restore-elsewhere": "the other site's database server is not in the inventory",
    "merge-local-settings": "what is a node's own is not compared; its scan tells whether IIS can read web.config",
    "confirm-privilege-manager": "Privilege Manager is not looked at",
    "look-at-tms": "it is a question to those who set it up",
    "deploy-recording-agent": "machines whose sessions are recorded are in no inventory",
    "install-dotnet-48-engines": "engines are in no inventory",
    "hold-protocol-handler": "it is set in the application alone, behind its log-in",
    "ask-about-privilege-manager": "it is a question to the vendor's support",
    "wait-after-91": "how far Secret Server is with its own changes stands in the application alone",
    "share-saml-config": "the login with SAML is tried by a person; app-files-match compares the file",
    "open-engine-folders": "an engine's way in shows in the application alone: Admin, Distributed Engine",
    "clear-rabbitmq-queues": "RabbitMQ is not asked",
    "switch-fips-off": "the FIPS policy is not read",
    "back-restore-copy": "a copy is closed before it and after it; the next step shows whether it is in step",
    "back-empty-folder": "a folder without its libraries tells no version; the next step shows what came back",
    "back-leave-maintenance-mode": "Maintenance Mode stands in the application alone, behind its log-in",
    "back-account-for-changes": "heartbeat stands in the application alone, behind its log-in",
    "stop-spare": _OTHER_POOLS,
    "start-spare": _OTHER_POOLS,
    "back-stop-spare": _OTHER_POOLS,
    "back-start-spare": _OTHER_POOLS,
    "back-restore-spare": "the other site's database server is not in the inventory",
    "copy-tms": "the files of TMS are not looked at",
    "let-saml-config-be-written": "rights on single files are not looked at",
}
"""Step to why no fact shows it, where that is not plain from what the step shows."""

_COPIES: Mapping[str, bool] = {
    "back-leave-group": False,
    "back-end-mirroring": False,
    "back-join-group": True,
    "back-mirror-again": True,
}
"""Step to whether the database has a second copy once it is done."""

_BACK_TO = re.compile(r"Back to (\d+\.\d+\.\d+): ")
"""How the title of a step begins that leads back to a version."""

_UNNAMED = "names are missing in its commands, which have to be filled in by hand"
_SEE = "see that it was made anew where this step stands"
_NO_SERVER = "the inventory names no database server"
_UNTOLD = "the database did not tell its version when the plan was made"
_OF_DATABASE = ("upgrade-first", "wait-for-mirror", "back-restore-database", *_COPIES)
"""Steps of which the database shows that they are done, if it tells its version."""

_SEEN_IN_PART = {
    "point-to-primary-database": "which database server a node names stands in its database.config, which is encrypted",
    "confirm-listener": "which database server a node names stands in its database.config, which is encrypted",
    "turn-dpapi-off": "equal keys on all nodes are what it leads to; the Security page of each node says it itself",
    "turn-dpapi-on": "keys that differ from node to node are what it leads to; the Security page of each node says it",
}


def _states(found: PoolStates, want: Mapping[str, object]) -> Seen:
    wanted, pools = str(want["state"]), [str(pool) for pool in list_of(want.get("pools"))]
    if found.provider_missing:
        return cannot_tell(PROVIDER_MISSING)
    known = {name.lower(): STATES.get(state, "unknown") for name, state in found.states}
    told = {pool: known.get(pool.lower(), "unknown") for pool in pools}
    words = ", ".join(f"{pool} is {state}" for pool, state in told.items())
    others = set(told.values()) - {wanted}
    if others == {"unknown"}:
        return cannot_tell(f"IIS does not tell the state of {enumerate_names(pools)}")
    return not_done(words) if others else done(words)


def _files(view: NodeView, want: Mapping[str, object]) -> Seen:
    found = installed(view)
    if not found.read or found.version is None:
        return cannot_tell(found.problem or "the version of its files was not read")
    disagree = [doubt for doubt in found.doubts if "disagree" in doubt]
    words = f"its files are those of {found.version}"
    if disagree:
        return not_done(f"{words}; {disagree[0]}")
    return _reached(found.version, want, words)


def _database(found: SecretServerDatabase, want: Mapping[str, object]) -> Seen:
    if not found.version:
        return cannot_tell(found.version_problem or "its copy of the database is not open")
    return _reached(found.version, want, f"the database is that of {found.version}")


def _reached(version: str, want: Mapping[str, object], words: str) -> Seen:
    return reached(version, want, words, parse_secret_server)


def _second_copy(found: SecretServerDatabase, want: Mapping[str, object]) -> Seen:
    """Whether SQL Server knows of a second copy of the database; in which state it is, database-mirroring judges."""
    if problem := found.mirroring_problem or found.replicas_problem:
        return cannot_tell(f"whether it has a second copy is not told: {problem}")
    kind = "is mirrored" if found.mirroring else "is in an availability group" if found.replicas else ""
    words = f"the database {kind or 'has no second copy'}"
    return done(words) if bool(kind) == want["there"] else not_done(words)


def _keys(views: Sequence[NodeView], want: Mapping[str, object]) -> Seen:
    hashes: dict[str, str] = {}
    for view in views:
        found = view.get(EncryptionConfig)
        if isinstance(found, Unknown):
            return cannot_tell(f"{view.name}: {found.reason}")
        if found.state != "hashed":
            return cannot_tell(f"{view.name}: encryption.config is {found.state}")
        hashes[view.name] = found.sha256
    if len(hashes) < 2:
        return cannot_tell("one node's encryption.config alone does not tell whether DPAPI protects it")
    count = len(set(hashes.values()))
    words = f"there are {count} different encryption.config" if count > 1 else "encryption.config is the same on all"
    # Two nodes that share one are not protected by DPAPI, whatever a third has.
    return done(words) if count == (1 if want["same"] else len(hashes)) else not_done(words)


def _backup(view: NodeView, want: Mapping[str, object]) -> Seen:
    """A backup of the planned name that was not there when the plan was made."""
    name, before = str(want["file"]).lower(), str(want.get("newest", ""))
    found = view.get(DatabaseBackups)
    if isinstance(found, Unknown):
        return _backup_file(view, name, found, was=bool(want.get("was")))
    new = [one for one in found.backups if not before or _time(one.finished) > _time(before)]
    if not new:
        words = f"no backup since the plan was made; the newest is of {before}" if before else "msdb knows no backup"
        return not_done(words)
    for one in new:
        if _base(one.device) == name:
            return _of_named(one)
    newest = new[0]
    return cannot_tell(
        f"none is called {want['file']}; the newest is {newest.device or 'a device that is not told'} ({newest.kind}), "
        f"finished {newest.finished} by the server's clock: see that it was made where this step stands"
    )


def _of_named(one: DatabaseBackup) -> Seen:
    words = f"{one.device} ({one.kind}, {one.size_bytes} bytes) was finished {one.finished} by the server's clock"
    return not_done(f"{words}, and is damaged") if one.damaged else done(words)


def _backup_file(view: NodeView, name: str, why: Unknown, *, was: bool) -> Seen:
    """The file itself, where msdb tells of none; which of two of one name it is, it does not say."""
    here = _file_called(view, name)
    if here is None or not here.size_bytes:
        return cannot_tell(why)
    if was:
        return cannot_tell(f"{here.name} lay in the declared folder when the plan was made, too: {_SEE}; {why.reason}")
    return done(f"{here.name} ({here.size_bytes} bytes) lies in the declared folder")


def _file_called(view: NodeView, name: str) -> BackupFile | None:
    files = view.get(DatabaseBackupFile)
    every = files.files if isinstance(files, DatabaseBackupFile) else ()
    return next((one for one in every if one.name.lower() == name.lower()), None)


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.min  # noqa: DTZ901  the server's local clock, which both sides are told by


def _folder(found: AppBackup, want: Mapping[str, object]) -> Seen:
    if found.backup is None:
        return cannot_tell("the inventory does not say where its backups lie (`[clusters.NAME.backup]`)")
    backup, name = found.backup, str(want["folder"])
    if backup.kind in ("missing", "nothing"):
        # A logon over WinRM may not reach on to a share, and of a full folder some are not looked at.
        if backup.left_out or (backup.kind == "missing" and is_on_a_share(backup.path)):
            return cannot_tell(f"no backup is seen in {backup.path} from here: look for {name}")
        return not_done(f"{backup.path} holds no backup")
    if not _is_called(backup, name):
        return cannot_tell(
            f"the inventory's backup is {backup.found or backup.path}, this plan's is {name}: look for it"
        )
    if found.contents == "broken" or (backup.kind == "folder" and not found.web_config):
        return not_done(f"{backup.found} is there, and is not whole")
    if want.get("was"):
        return cannot_tell(f"{backup.found} was there when the plan was made, too: {_SEE}")
    return done(f"{backup.found} is there")


def _is_called(backup: Backup, name: str) -> bool:
    return backup.kind in ("zip", "folder") and _base(backup.found).removesuffix(".zip") == name.lower()


def _base(path: str) -> str:
    return path.replace("/", "\\").rstrip("\\").rpartition("\\")[2].lower()


def _pools_told(want: Mapping[str, object]) -> str:
    pools = [str(pool) for pool in list_of(want.get("pools"))]
    return f"{enumerate_names(pools)} {'is' if len(pools) == 1 else 'are'} {want['state']}"


KINDS: Mapping[str, Kind] = {
    "pool-state": Kind((PoolStates,), each_with(PoolStates, _states), _pools_told, {"pools": list, "state": str}),
    "files-version": Kind(
        (AppFiles,),
        each(_files),
        lambda want: f"the files are those of {want['version']}" + ("" if want.get("exact") else " or later"),
        {"version": str},
    ),
    "database-version": Kind(
        (SecretServerDatabase,),
        each_with(SecretServerDatabase, _database),
        lambda want: f"the database is that of {want['version']}" + ("" if want.get("exact") else " or later"),
        {"version": str},
    ),
    "second-copy": Kind(
        (SecretServerDatabase,),
        each_with(SecretServerDatabase, _second_copy),
        lambda want: f"the database has {'a' if want['there'] else 'no'} second copy",
        {"there": bool},
    ),
    "encryption-keys": Kind(
        (EncryptionConfig,),
        _keys,
        lambda want: f"encryption.config is {'the same' if want['same'] else 'another one'} on each node",
        {"same": bool},
    ),
    "database-backup": Kind(
        (DatabaseBackups, DatabaseBackupFile),
        each(_backup),
        lambda want: f"a new backup called {want['file']}",
        {"file": str, "newest": str},
    ),
    "application-backup": Kind(
        (AppBackup,), each_with(AppBackup, _folder), lambda want: f"a backup called {want['folder']}", {"folder": str}
    ),
}


def signs(
    step: Step, hop: UpgradeStep | None, before: Sequence[Step], views: Sequence[NodeView], *, back: str = ""
) -> tuple[tuple[Sign, ...], str]:
    """The signs of `step`, and why they are not all of it; `before` are the steps of its chapter that come earlier.

    `hop` is the one whose chapter it is in; `back` is not empty for a step of the way back, each hop of which leads to
    a version of its own, and the other site's to whatever was kept of it.
    """
    names = {view.name: view for view in views}
    leads = _BACK_TO.match(step.title) if back else None
    version = (leads[1] if leads else "") if back else hop.version if hop else ""
    found: list[Sign] = [*_pool_signs(step, names), *_file_signs(step, names, version, exact=bool(back))]
    found += _backup_signs(step, names)
    webs = [view for view in views if "web" in view.roles]
    told = tuple(name for name, view in names.items() if _tells_version(view))[:1]
    if step.id == "turn-dpapi-off":
        found.append(Sign("encryption-keys", tuple(view.name for view in webs), {"same": True}))
    # Where the keys were equal before anything was done, DPAPI was off: nobody turns it on then.
    if step.id == "turn-dpapi-on" and _keys(webs, {"same": False}).state is State.DONE:
        found.append(Sign("encryption-keys", tuple(view.name for view in webs), {"same": False}))
    if step.id in _COPIES and told:
        found.append(Sign("second-copy", told, {"there": _COPIES[step.id]}))
    if step.id == "back-restore-database" and version and told:
        found.append(Sign("database-version", told, {"version": version, "exact": True}))
    # What has to be so meanwhile was so before: where the step itself does not show, it shows nothing.
    if found and step.id in ("back-keep-what-failed", "back-restore-database"):
        # Who writes while it is kept, or before that, writes what is lost.
        lead = step.title.partition(": ")[0]
        own = [earlier for earlier in before if earlier.title.startswith(f"{lead}: ")]
        found += [sign for one in own if one.id == "back-stop-pools" for sign in _named_pools(one, names)]
        found += [sign for one in own if one.id == "back-keep-what-failed" for sign in _backup_signs(one, names)]
    if step.id in ("upgrade-first", "wait-for-mirror") and hop and told:
        found.append(Sign("database-version", told, {"version": hop.version}))
    if step.id == "upgrade-first":
        # While the installer changes the database, nobody else may use it.
        found += [sign for earlier in before if earlier.id == "stop-others" for sign in _named_pools(earlier, names)]
        # One that is made after it holds the new version under the old one's name.
        found += [
            sign
            for earlier in before
            for sign in _backup_signs(earlier, names)
            if sign.kind == "database-backup" and _knows_backups(names[sign.nodes[0]])
        ]
    if step.id in ("start-other", "confirm-spare") and hop:
        # That its pool runs, or its files are those of the primary site, was so before the hop, too.
        nodes = tuple(dict.fromkeys(command.where for command in step.commands if command.where in names))
        found.append(Sign("files-version", nodes, {"version": hop.version}))
    why = UNSEEN.get(step.id, _SEEN_IN_PART.get(step.id, "")) or _why(step, found, names, told)
    if back and not version and not found:
        why = why or "which version was kept of the other site is told by the backup alone"
    return tuple(found), why


def _why(step: Step, found: Sequence[Sign], names: Mapping[str, NodeView], told: Sequence[str]) -> str:
    """Why facts do not show the step, or not all of it, at this site."""
    typed = [command for command in step.commands if command.scan is None]
    if not found and typed and not any(command.where in names for command in typed):
        return UNSEEN["carry-backup"] if any(command.where for command in typed) else _NO_SERVER
    if step.id in _OF_DATABASE and not told:
        return _UNTOLD if any("database" in view.roles for view in names.values()) else _NO_SERVER
    if any(_PLACEHOLDER in command.text for command in typed if not found or _SWITCH.search(command.text)):
        return _UNNAMED
    return ""


def _tells_version(view: NodeView) -> bool:
    found = view.get(SecretServerDatabase)
    return isinstance(found, SecretServerDatabase) and bool(found.version)


def _knows_backups(view: NodeView) -> bool:
    return isinstance(view.get(DatabaseBackups), DatabaseBackups)


def _pool_signs(step: Step, names: Mapping[str, NodeView]) -> Iterable[Sign]:
    pools: dict[tuple[str, str], list[str]] = {}
    for command in step.commands:
        switched = _SWITCH.search(command.text)
        # Which pools run is asked of web nodes alone, and not of the other site's.
        asked = command.where in names and "web" in names[command.where].roles
        if switched and asked:
            state = "stopped" if switched[1] == "stop" else "started"
            pools.setdefault((command.where, state), []).append(switched[2])
    for (node, state), own in pools.items():
        yield Sign("pool-state", (node,), {"pools": own, "state": state})


def _named_pools(step: Step, names: Mapping[str, NodeView]) -> Iterable[Sign]:
    """Those of pools whose names are known; one that is not is no reason to doubt a later step."""
    for sign in _pool_signs(step, names):
        pools = [pool for pool in list_of(sign.want["pools"]) if not str(pool).startswith(_PLACEHOLDER)]
        if pools:
            yield replace(sign, want={**sign.want, "pools": pools})


def _file_signs(step: Step, names: Mapping[str, NodeView], version: str, *, exact: bool) -> Iterable[Sign]:
    looks = step.proof.commands if step.proof else ()
    nodes = [one.where for one in looks if _FILE_VERSION in one.text and one.where in names]
    if nodes and version:
        want: dict[str, object] = {"version": version, **({"exact": True} if exact else {})}
        yield Sign("files-version", tuple(dict.fromkeys(nodes)), want)


def _backup_signs(step: Step, names: Mapping[str, NodeView]) -> Iterable[Sign]:
    for command in step.commands:
        if command.where not in names:
            continue
        view = names[command.where]
        if named := _BACKUP.search(command.text):
            known = view.get(DatabaseBackups)
            newest = ""
            if isinstance(known, DatabaseBackups) and known.backups:
                newest = max((one.finished for one in known.backups), key=_time)
            want = {"file": named[1], "newest": newest}
            yield Sign("database-backup", (command.where,), _unless_new(want, was=bool(_file_called(view, named[1]))))
        elif (
            step.id == "back-up-application"
            and '-TMS" ' not in command.text
            and (folder := _FOLDER.search(command.text))
        ):
            name, now = folder[1].rpartition("\\")[2], view.get(AppBackup)
            there = isinstance(now, AppBackup) and now.backup is not None and _is_called(now.backup, name)
            yield Sign("application-backup", (command.where,), _unless_new({"folder": name}, was=there))


def _unless_new(want: Mapping[str, object], *, was: bool) -> dict[str, object]:
    """With the word that there is one of that name already: one more look at it shows nothing."""
    return {**want, **({"was": True} if was else {})}
