"""SQL Server is new enough for every version on the way to the target.

## What it checks
The version of every SQL Server instance on the database host (or of the one that `sql_instance` names), from the
instance's registry entry. Where the host cannot be read but `sql_port` answers, the version comes from the TDS
PRELOGIN response, which needs no login. Secret Server 10.7.000000 and later need SQL Server 2012 (11.0) or later. A
12 that only the port tells is a warning: Azure SQL Database answers 12 whatever it is, like SQL Server 2014. The
Windows Internal Database, which roles of Windows bring along, cannot hold the database and does not count.

## Why it matters
On a SQL Server that is too old the upgrade fails, **and the old installation does not work after rolling back**.

## How to fix it
Move the database to a supported SQL Server before the window, and point every web node to it. If the host runs
instances that Secret Server does not use, name its own with `sql_instance`.
"""

from __future__ import annotations

from packaging.version import Version

from checks.check import NodeCheck, NodeView
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Severity, Status, combine, undetermined, warned
from checks.secret_server.facts import SqlInstance, SqlInstances, SqlPrelogin
from checks.secret_server.microsoft import SQL_SERVER_URL, sql_server_name
from checks.secret_server.vendor import CLUSTERING_URL
from checks.thresholds import Requirements, measured, requirements
from checks.versions import VersionError, parse_version

ID = "sql-server-version"
_INTERNAL = "MICROSOFT##"
CONSEQUENCE = "the upgrade would fail, and the old installation would not work after rolling back"


def judge(view: NodeView) -> Outcome:
    """Judge every instance that may hold the database."""
    needs = requirements(view, ID)
    if isinstance(needs, Outcome):
        return needs
    found = view.look(SqlInstances)
    port = view.look(SqlPrelogin)
    if isinstance(found, Unknown):
        return _from_port(needs, port, found.reason, view)
    wanted = str(view.options.get("sql_instance", "")).rpartition("\\")[2]
    # The Windows Internal Database of another role on the host takes no connection from outside.
    usable = [one for one in found.instances if wanted or not one.name.upper().startswith(_INTERNAL)]
    names = ", ".join(instance.name for instance in usable)
    if not names:
        seen = f"; port {port.port} answers {port.major}.{port.minor}" if isinstance(port, SqlPrelogin) else ""
        return undetermined(f"no SQL Server instance is installed on this database node{seen}", **needs.evidence)
    chosen = [one for one in usable if not wanted or one.name.lower() == wanted.lower()]
    if not chosen:
        return undetermined(f"no instance is called {wanted} (`sql_instance`); found: {names}", **needs.evidence)
    return combine([_from_registry(needs, instance) for instance in chosen])


def _from_registry(needs: Requirements, instance: SqlInstance) -> Outcome:
    text = instance.patch_level or instance.version
    if not text:
        reason = instance.problem or f"the registry holds no version ({instance.instance_id})"
        return undetermined(f"{instance.name}: {reason}", **needs.evidence)
    try:
        version = parse_version(text)
    except VersionError as error:
        return undetermined(f"{instance.name}: {error}", observed=text, **needs.evidence)
    name = sql_server_name(version.major, version.minor)
    return measured(needs, version, f"{instance.name} is {name} ({text})", consequence=CONSEQUENCE)


def _from_port(needs: Requirements, port: SqlPrelogin | Unknown, reason: str, view: NodeView) -> Outcome:
    if isinstance(port, Unknown):
        asked = "sql_port" in view.options
        also = (
            f"; port {view.options['sql_port']}: {port.reason}" if asked else "; set `sql_port` to ask the port instead"
        )
        return undetermined(f"{reason}{also}", **needs.evidence)
    text = f"{port.major}.{port.minor}.{port.build}"
    origin = f"as port {port.port} tells before login"
    observed = f"{sql_server_name(port.major, port.minor)} ({text}), {origin}"
    outcome = measured(needs, Version(text), observed, consequence=CONSEQUENCE)
    if port.major != 12:
        return outcome
    message = f"{text}, {origin}, is SQL Server 2014, or Azure SQL Database, whose number cannot be compared"
    end = undetermined if outcome.status is Status.FAIL else warned
    return end(message, expected=outcome.expected, observed=observed, **needs.evidence)


CHECK = NodeCheck(
    id=ID,
    title="SQL Server is new enough",
    severity=Severity.CRITICAL,
    doc=__doc__,
    remediation=Remediation(
        "Move the database to SQL Server 2012 or later before the upgrade.",
        url=CLUSTERING_URL,
    ),
    products=("secret-server",),
    roles=("database",),
    optional_facts=(SqlInstances, SqlPrelogin),
    references=(CLUSTERING_URL, SQL_SERVER_URL),
    judge=judge,
)
