"""Whether a file is the backup of Secret Server's database, as far as its name and its size can tell."""

from __future__ import annotations

import re

from checks.check import ClusterView
from checks.engine.requirements import breach
from checks.engine.wording import count, enumerate_names, group_by_reason
from checks.outcome import Outcome, combine, undetermined
from checks.secret_server.backup.findings import Terms, aged, seen, too_many
from checks.secret_server.database.access import database_nodes
from checks.secret_server.facts.backups import DatabaseBackupFile
from checks.secret_server.facts.sql import DatabaseBackups, SecretServerDatabase

LEAST_BYTES = 65536
"""No backup of SQL Server is smaller: its format alone takes more, compressed or not."""
_MB = 10**6
_SHOWN = 3
UNPROVEN = "unproven"
"""The key in the evidence of an outcome that rests on nothing but the name of a file, which msdb alone could prove."""


def database_file(found: DatabaseBackupFile, terms: Terms, database: str, denied: str) -> Outcome:
    """Judge the file that a node found. `database` is the name of Secret Server's, empty where it is not known.

    `denied` says why msdb's history is not known; empty where it is. Without it, the newest file of a folder may be
    anybody's, or a log's: nothing is concluded from it.
    """
    backup = found.backup
    if backup is None:
        return undetermined("it was not looked for there")
    if gone := seen(backup, terms):
        return gone
    what, size, age_s = backup.found, backup.size_bytes or 0, backup.age_s or 0
    chosen = ""
    if found.folder and found.files and database:
        own = [one for one in found.files if is_named_after(one.name, database)]
        if not own and backup.left_out:
            return undetermined(
                f"none of the files looked at in {backup.path} is named after {database}: {too_many(backup.left_out)}"
            )
        if not own:
            return _another(
                f"no file in {backup.path} is named after the database {database}; the newest are "
                f"{enumerate_names([one.name for one in found.files[:_SHOWN]])}"
            )
        what, size, age_s = f"{backup.path}\\{own[0].name}", own[0].size_bytes, own[0].age_s
        chosen = own[0].name
    elif database and denied and not is_named_after(what.rpartition("\\")[2], database):
        another = _another(f"{what} is not named after the database {database}")
        return combine([one for one in (_small(what, size, terms), another) if one])
    outcomes = [aged(what, age_s, terms, left_out=backup.left_out), _small(what, size, terms)]
    if denied and found.folder:
        outcomes.append(
            undetermined(
                f"whether {chosen or what} holds a whole backup of the database is known from msdb alone, which cannot "
                f"be read ({denied}): grant it, or name the file itself in database_path",
                unproven=True,
            )
        )
    return combine([one for one in outcomes if one])


def _another(message: str) -> Outcome:
    return undetermined(f"{message}: is it its backup? Only msdb tells whose a file is", unproven=True)


def is_named_after(name: str, database: str) -> bool:
    """Whether a file's name holds the database's: "SecretServer_FULL_20261125.bak", "secret-server.bak"."""
    return _letters(database) in _letters(name)


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text.lower())


def _small(what: str, size: int, terms: Terms) -> Outcome | None:
    if size < LEAST_BYTES:
        return terms.breach("present", f"{what} has {count(size, 'byte')}, which is no backup of a database")
    rule = terms.rules.get("min-database-mb")
    least = int(rule.requires.partition(" ")[2]) if rule and rule.requires.partition(" ")[2].isdecimal() else 0
    if rule and size < least * _MB:
        message = f"{what} has {size / _MB:.1f} MB, and {rule.text} is asked for"
        return breach(rule, message, observed=message, told_basis=True)
    return None


def denied_history(view: ClusterView) -> str:
    """Why msdb's history is not known on any database host; empty where it is on one."""
    hosts = database_nodes(view)
    if view.with_fact(DatabaseBackups) or not hosts:
        return ""
    return "; ".join(
        group_by_reason((node.name, reason) for node, reason in view.without_fact(DatabaseBackups) if node in hosts)
    )


def database_name(view: ClusterView) -> str:
    """What Secret Server's database is called; empty where nobody knows."""
    found = next((found.name for _, found in view.with_fact(SecretServerDatabase)), "")
    return found or next(
        (str(node.options["sql_database"]) for node in view.nodes if "sql_database" in node.options), ""
    )
