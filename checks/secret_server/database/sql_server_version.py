"""SQL Server is new enough for every version on the way to the target.

## What it checks
The version of the SQL Server instance that holds the database (the one that `sql_instance` names, or that was found to
hold it; where neither is known, of every instance on the database host), from the instance's registry entry. Where the
host cannot be read but `sql_port` answers, the version comes from the TDS PRELOGIN response, which needs no login;
where the database is asked with a login, from the server that holds it. Secret Server 10.7.000000 and later need SQL
Server 2012 (11.0) or later. Azure SQL Database and Azure SQL Managed Instance answer 12 whatever they are, like SQL
Server 2014: with a login their EngineEdition tells that Microsoft keeps them current; a 12 that only the port tells is
a warning. The Windows Internal Database, which roles of Windows bring along, cannot hold the database and does not
count.

## Why it matters
On a SQL Server that is too old the upgrade fails, **and the old installation does not work after rolling back**.

## How to fix it
Move the database to a supported SQL Server before the window, and point every web node to it. If the host runs
instances that Secret Server does not use, name its own with `sql_instance`.
"""

from __future__ import annotations

from dataclasses import replace

from packaging.version import Version

from checks.check import NodeCheck, NodeView
from checks.engine.requirements import Requirements, check_version, requirements
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Severity, Status, combine, passed, undetermined, warned
from checks.secret_server.database.access import instance_of
from checks.secret_server.facts.node import SqlInstance, SqlInstances, SqlPrelogin
from checks.secret_server.facts.sql import SecretServerDatabase, SqlServer
from checks.secret_server.host.microsoft import ENGINE_EDITION_URL, SQL_SERVER_URL, managed_service, sql_server_name
from checks.secret_server.urls import CLUSTERING_URL
from checks.versions import VersionError, parse_version

ID = "sql-server-version"
_INTERNAL = "MICROSOFT##"
_WHICH = Remediation(
    "Where the instance that is too old does not hold Secret Server's database, name the one that does with "
    "`sql_instance` (or let the database be queried, which tells it). Else move the database to SQL Server 2012 or "
    "later before the upgrade.",
    url=CLUSTERING_URL,
)
CONSEQUENCE = "the upgrade would fail, and the old installation would not work after rolling back"


def judge(view: NodeView) -> Outcome:
    """Judge every instance that may hold the database."""
    needs = requirements(view, ID)
    if isinstance(needs, Outcome):
        return needs
    found = view.get(SqlInstances)
    port = view.get(SqlPrelogin)
    held = view.get(SecretServerDatabase)
    if not isinstance(held, Unknown) and managed_service(held.server.engine_edition):
        return _managed(needs, held.server)
    if isinstance(found, Unknown) and not isinstance(held, Unknown):
        return _from_server(needs, held.server)
    if isinstance(found, Unknown):
        return _from_port(needs, port, found.reason, view)
    wanted = instance_of(view)
    # The Windows Internal Database of another role on the host takes no connection from outside.
    usable = [one for one in found.instances if wanted or not one.name.upper().startswith(_INTERNAL)]
    names = ", ".join(instance.name for instance in usable)
    if not names:
        seen = f"; port {port.port} answers {port.major}.{port.minor}" if isinstance(port, SqlPrelogin) else ""
        return undetermined(f"no SQL Server instance is installed on this database node{seen}", **needs.evidence)
    # The instance that holds the database counts; where that is not known, any of them may.
    holder = wanted or ("" if isinstance(held, Unknown) else held.server.instance)
    chosen = [one for one in usable if not holder or one.name.lower() == holder.lower()]
    if not chosen and not wanted:
        chosen = usable
    if not chosen:
        return undetermined(f"no instance is called {wanted} (`sql_instance`); found: {names}", **needs.evidence)
    outcome = combine([_from_registry(needs, instance) for instance in chosen])
    return replace(outcome, remediation=_WHICH) if len(chosen) > 1 and outcome.status is Status.FAIL else outcome


def _managed(needs: Requirements, server: SqlServer) -> Outcome:
    service = managed_service(server.engine_edition)
    observed = f"{service} (EngineEdition {server.engine_edition}), which tells {server.version}"
    message = (
        f"{server.name} is {service}, which Microsoft keeps current; the {server.version} that it tells is no release"
    )
    expected = " and ".join(due.rule.text for due in needs.due)
    return passed(message, expected=expected, observed=observed, **needs.evidence)


def _from_server(needs: Requirements, server: SqlServer) -> Outcome:
    try:
        version = parse_version(server.version)
    except VersionError as error:
        return undetermined(f"{server.name}: {error}", observed=server.version, **needs.evidence)
    if not version.major:
        return _no_version(needs, f"{server.name} tells version {server.version}", server.version)
    name = sql_server_name(version.major, version.minor)
    return check_version(needs, version, f"{server.name} is {name} ({server.version})", consequence=CONSEQUENCE)


def _no_version(needs: Requirements, told: str, observed: str) -> Outcome:
    """No SQL Server was ever a version 0: a gateway, or a server that hides its own, answers so."""
    message = f"{told}, which no SQL Server has: a gateway may stand in front of it"
    return undetermined(message, observed=observed, **needs.evidence)


def _from_registry(needs: Requirements, instance: SqlInstance) -> Outcome:
    text = instance.patch_level or instance.version
    if not text:
        reason = instance.problem or f"the registry holds no version ({instance.instance_id})"
        return undetermined(f"{instance.name}: {reason}", **needs.evidence)
    try:
        version = parse_version(text)
    except VersionError as error:
        return undetermined(f"{instance.name}: {error}", observed=text, **needs.evidence)
    if not version.major:
        return _no_version(needs, f"{instance.name} is registered with version {text}", text)
    name = sql_server_name(version.major, version.minor)
    return check_version(needs, version, f"{instance.name} is {name} ({text})", consequence=CONSEQUENCE)


def _from_port(needs: Requirements, port: SqlPrelogin | Unknown, reason: str, view: NodeView) -> Outcome:
    if isinstance(port, Unknown):
        asked = "sql_port" in view.options
        also = (
            f"; port {view.options['sql_port']}: {port.reason}" if asked else "; set `sql_port` to ask the port instead"
        )
        return undetermined(f"{reason}{also}", **needs.evidence)
    text = f"{port.major}.{port.minor}.{port.build}"
    origin = f"as port {port.port} tells before login"
    if not port.major:
        return _no_version(needs, f"port {port.port} tells version {text} before login", text)
    observed = f"{sql_server_name(port.major, port.minor)} ({text}), {origin}"
    outcome = check_version(needs, Version(text), observed, consequence=CONSEQUENCE)
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
    optional_facts=(SqlInstances, SqlPrelogin, SecretServerDatabase),
    references=(CLUSTERING_URL, SQL_SERVER_URL, ENGINE_EDITION_URL),
    judge=judge,
)
