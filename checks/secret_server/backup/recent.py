"""There is a recent backup of the application's folder and of the database, with a key that opens it.

## What it checks
What `[clusters.NAME.backup]` names. The application's (`app_path`: a zip, a copy of the folder, or a folder of such, of
which the newest counts) has to be there, not empty, not too old, not the application's own folder, and to hold a plain
`encryption.config` (one with EFS fails, and so does one that is byte for byte what DPAPI protects on a node), with
libraries in `bin` and a `web.config` that is not empty. The database's is judged by the history in msdb, where SQL
Server can be queried on its host, and as a file, where one is declared (`database_path`): there, of a plausible size,
not too old, and named after the database. Whose a file is only msdb tells: where it cannot be read, the newest file of
a folder proves nothing, and the file itself has to be named. Ages go by the clock of the node that tells them.

`max_age_hours` says how old is too old; without it, more than 24 hours are a warning. The full backup beneath the
newest differential or log backup has an age of its own (`max_full_age_hours`; without it, more than 8 days warn). Of a
zip only the contents' list is read, so that it is a warning where DPAPI is not known to be off. A copied folder that is
too old by all of its times is a warning, too, for copying may keep them. Where nothing is declared, a database that
msdb knows no recent backup of is a warning, and nothing else is judged. In an availability group each replica's msdb
knows its own backups alone, so that one which is not read leaves it open.

## Why it matters
The backup is the first thing that the vendor asks for, and the only way back from a failed upgrade. A backup of the
database without a readable key is worth nothing: a protected `encryption.config` opens on one machine, or for one
account, alone.

## How to fix it
Make both backups anew, `encryption.config` decrypted among the files, and scan again. Where a plain copy of the key is
kept in a safe instead, switch the rule `backup-plain-key` off and give that as the reason. A file share that the node
may not reach is best named by the server on which it lies (`app_node`, `database_node`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from checks.check import ClusterCheck, ClusterView, NodeView
from checks.engine.wording import enumerate_names, group_by_reason
from checks.facts import Unknown
from checks.outcome import (
    Outcome,
    Remediation,
    Severity,
    Status,
    combine,
    not_applicable,
    not_declared,
    undetermined,
    warned,
)
from checks.secret_server.backup.database_file import UNPROVEN, database_file, database_name, denied_history
from checks.secret_server.backup.findings import ID, Terms, aged, keyed, misread, seen
from checks.secret_server.backup.msdb import recorded
from checks.secret_server.facts.backups import AppBackup, DatabaseBackupFile
from checks.secret_server.facts.folder import EncryptionConfig
from checks.secret_server.facts.node import WebRoot
from checks.secret_server.facts.sql import DatabaseBackups, FailoverClusters, SecretServerDatabase
from checks.secret_server.iis.serving import NO_APPLICATION
from checks.secret_server.urls import CLUSTERING_URL, HARDENING_URL, KEY_FILE_URL

UNDECLARED = "no backup is declared: say in [clusters.NAME.backup] where the backups lie (app_path, database_path)"
_BEST_FIRST = (Status.PASS, Status.WARN, Status.ERROR, Status.FAIL)


def judge(view: ClusterView) -> Outcome:
    """Judge both backups; one that nobody named is told, where the other is."""
    web = view.with_role("web")
    looks = {node.name: node.get(EncryptionConfig) for node in web}
    live = {name: c.sha256 for name, c in looks.items() if not isinstance(c, Unknown) and c.state == "hashed"}
    unread = {
        name: None if isinstance(c, Unknown) else c.size_bytes
        for name, c in looks.items()
        if isinstance(c, Unknown) or c.state not in ("hashed", "missing")
    }
    terms = Terms.of(view.cluster, live, unread)
    sides = {"application": _application(view, terms), "database": _database(view, terms)}
    outcomes = [outcome for outcome in sides.values() if outcome]
    declared = view.cluster.options.get("backup") is True
    if not declared and view.cluster.phase != "after" and all(outcome.status is Status.PASS for outcome in outcomes):
        return not_declared("backup", "; ".join([UNDECLARED, *(outcome.message for outcome in outcomes)]))
    if not outcomes and not declared:
        return not_applicable("no longer asked for")
    for (name, outcome), key in zip(sides.items(), ("app_path", "database_path"), strict=True):
        if outcome is None and declared:
            why = _unasked(view) if name == "database" else ""
            outcomes.append(warned(f"the {name}'s backup is not looked at: set {key} in [clusters.NAME.backup]{why}"))
    outcome = combine([*outcomes, *misread(view.cluster)])
    if view.cluster.phase == "after":
        return not_applicable(f"no longer asked for; {outcome.message}", observed=outcome.observed)
    return outcome


def _unasked(view: ClusterView) -> str:
    hosts = [(node.name, reason) for node, reason in view.without_fact(DatabaseBackups) if "database" in node.roles]
    reasons = group_by_reason(hosts)
    return f", or let msdb be asked ({'; '.join(reasons)})" if reasons else ""


def _application(view: ClusterView, terms: Terms) -> Outcome | None:
    nodes = [node for node in view.nodes if "backup_app_path" in node.options]
    return _best("application", [(node.name, _app_on(node, terms)) for node in nodes])


def _app_on(node: NodeView, terms: Terms) -> Outcome:
    found = node.get(AppBackup)
    if isinstance(found, Unknown):
        return undetermined(found.reason)
    backup = found.backup
    if backup is None:
        return undetermined("it was not looked for there")
    if gone := seen(backup, terms):
        return gone
    root, uncertain = node.get(WebRoot), backup.kind == "folder"
    if not isinstance(root, Unknown) and _folded(backup.found) == _folded(root.path):
        return terms.breach("present", f"{backup.found} is the application's own folder, and no backup of it")
    if uncertain and isinstance(root, Unknown) and not root.unasked and NO_APPLICATION not in root.reason:
        return undetermined(f"whether {backup.found} is the application's own folder is not known: {root.reason}")
    return combine(
        [
            aged(backup.found, backup.age_s or 0, terms, uncertain=uncertain, left_out=backup.left_out),
            keyed(found, backup, terms),
        ],
    )


def _database(view: ClusterView, terms: Terms) -> Outcome | None:
    """By msdb's history where it is known, and by the file where one is declared."""
    by_history, denied = None, denied_history(view)
    if known := view.with_fact(DatabaseBackups):
        declared = view.cluster.options.get("backup") is True
        histories = [found for _, found in known]
        outcome = recorded(histories, terms, declared=declared, unseen=_unseen(view, histories))
        by_history = _best("database", [(enumerate_names([node.name for node, _ in known]), outcome)])
    nodes = [node for node in view.nodes if "backup_database_path" in node.options]
    name = database_name(view)
    by_file = _best("database", [(node.name, _database_on(node, terms, name, denied)) for node in nodes])
    if by_history is None or by_file is None:
        return by_history or by_file
    if by_history.status is Status.ERROR and by_file.status is Status.PASS:
        return by_file  # a history that leaves it open takes nothing from it
    proven = by_history.status in (Status.PASS, Status.WARN)
    if proven and by_file.status is Status.ERROR and by_file.evidence.get(f"database_{UNPROVEN}") is True:
        # The history proves a backup, though not that this file is it.
        by_file = replace(by_file, status=Status.WARN)
    return combine([by_history, by_file])


def _unseen(view: ClusterView, histories: Sequence[DatabaseBackups]) -> list[str]:
    """Replicas of the database whose own history of backups is not known."""
    asked = {history.server.name.lower() for history in histories}
    replicas = [
        one.server for _, found in view.with_fact(SecretServerDatabase) for one in found.replicas if not one.own
    ]
    return [name for name in dict.fromkeys(replicas) if name and name.lower() not in asked]


def _database_on(node: NodeView, terms: Terms, name: str, denied: str) -> Outcome:
    found = node.get(DatabaseBackupFile)
    if isinstance(found, Unknown):
        return undetermined(found.reason)
    return database_file(found, terms, name, denied)


def _best(what: str, outcomes: Sequence[tuple[str, Outcome]]) -> Outcome | None:
    """One good backup is enough, wherever it lies; without one, what is wrong everywhere is told."""
    if not outcomes:
        return None
    status = min((outcome.status for _, outcome in outcomes), key=_BEST_FIRST.index)
    those = [(name, outcome) for name, outcome in outcomes if outcome.status is status]
    if status in (Status.PASS, Status.WARN):
        those = those[:1]
    told = "; ".join(group_by_reason((name, outcome.message) for name, outcome in those))
    whole = combine([outcome for _, outcome in those])
    evidence = {f"{what}_{key}": value for key, value in whole.evidence.items()}
    return Outcome(status, f"{what}: {told}", expected=whole.expected, observed=f"{what}: {told}", evidence=evidence)


def _folded(path: str) -> str:
    return path.strip().replace("/", "\\").rstrip("\\").lower()


CHECK = ClusterCheck(
    id=ID,
    title="Application and database are backed up",
    severity=Severity.CRITICAL,
    doc=__doc__,
    remediation=Remediation(
        "Back up the application's folder, with encryption.config decrypted, and the database, and scan again.",
        url=CLUSTERING_URL,
    ),
    products=("secret-server",),
    roles=("web", "database"),
    optional_facts=(
        AppBackup,
        DatabaseBackupFile,
        DatabaseBackups,
        EncryptionConfig,
        FailoverClusters,
        SecretServerDatabase,
        WebRoot,
    ),
    phases={
        "before": "both backups are there, recent and usable",
        "window": "both backups are there, recent and usable",
        "after": "nothing is asked for; what there is, is told",
    },
    references=(CLUSTERING_URL, HARDENING_URL, KEY_FILE_URL),
    judge=judge,
)
