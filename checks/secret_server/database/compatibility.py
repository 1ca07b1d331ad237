"""The database has the compatibility level and the collation that every version on the way to the target needs.

## What it checks
The compatibility level of Secret Server's database, and its collation and the server's, as SQL Server itself tells
them: level 90 or higher from 8.2.000000 on, 110 or higher for 11.x, and from 10.7.000000 on the collation
SQL_Latin1_General_CP1_CI_AS. The copy on a mirror or a secondary that is not open tells no collation: its server's is
judged, and the rest where the database is open. A database that is being restored, and does not say of what it is a
copy, is a warning: no web server uses it in that state.

## Why it matters
A database keeps its level when it is moved to a newer SQL Server, and so does its collation. The upgrade's scripts use
what the level does not have, and compare texts by the collation: they fail half way through.

## How to fix it
Raise the level with `ALTER DATABASE ... SET COMPATIBILITY_LEVEL`. Another collation means a new instance, or a
migration with the vendor's help: before the window.
"""

from __future__ import annotations

import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from checks.check import NodeCheck, NodeView
from checks.engine.requirements import ApplicableRule, Requirements, requirements, satisfied, violation
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Severity, combine, not_applicable, passed, undetermined, warned
from checks.runbook.quoting import sql_name
from checks.secret_server.database.access import database_of, is_copy, passive_of, remedy
from checks.secret_server.facts.sql import FailoverClusters, SecretServerDatabase
from checks.secret_server.urls import CHECKLIST_URL, REQUIREMENTS_URL

ID = "database-compatibility"
_NAME = "[<database>]"
_LEAST = re.compile(r">=\s*(\d{2,3})", re.ASCII)
_COPY = Remediation(
    "Open the database and scan again; where it is a copy of another host's, judge that one, and take this host out of "
    "the inventory."
)


def judge(view: NodeView) -> Outcome:
    """Hold the database's level, and both collations, to the rules."""
    needs = requirements(view, ID)
    if isinstance(needs, Outcome):
        return needs
    found = database_of(view)
    if cluster := passive_of(view):
        return not_applicable(f"passive host of {cluster}: the database is judged where the instance runs")
    if isinstance(found, Unknown):
        return undetermined(found.reason, remediation=remedy(found, view), **needs.evidence)
    return combine([outcome for due in needs.due for outcome in _against(due, found, needs)])


def _against(due: ApplicableRule, found: SecretServerDatabase, needs: Requirements) -> list[Outcome]:
    what, _, wanted = due.rule.requires.partition(" ")
    if what == "level":
        try:
            fits = SpecifierSet(wanted).contains(Version(str(found.level)))
        except InvalidSpecifier:
            return [_unusable(due, needs)]
        observed = f"database {found.name} is at compatibility level {found.level}"
        return [
            satisfied(due, observed, needs) if fits else violation(due, observed, needs, _raise(found.name, wanted))
        ]
    if what != "collation" or not wanted:
        return [_unusable(due, needs)]
    outcomes = [_collation(due, f"server {found.server.name}", found.server.collation, wanted, needs)]
    if found.collation:
        outcomes.append(_collation(due, f"database {found.name}", found.collation, wanted, needs))
    elif is_copy(found):
        observed = f"database {found.name} is a copy that is not open ({found.state.lower()})"
        outcomes.append(passed(f"{observed}: its collation is that of the original", observed=observed))
    else:
        message = f"database {found.name} is {found.state.lower()} and does not tell its collation"
        if found.state == "RESTORING":
            message = f"{message}; if it is a mirror, that of the original counts"
        end = warned if found.state == "RESTORING" else undetermined
        outcomes.append(end(message, expected=due.rule.text, observed=message, remediation=_COPY, **needs.evidence))
    return outcomes


def _collation(due: ApplicableRule, whose: str, collation: str, wanted: str, needs: Requirements) -> Outcome:
    observed = f"{whose} has the collation {collation}"
    if collation.lower() == wanted.lower():
        return satisfied(due, observed, needs)
    remedy = Remediation(
        f"Have the vendor help with a migration to {wanted} before the window, into a database, or an instance, that "
        "has it: no setting changes the collation of what is stored.",
        url=CHECKLIST_URL,
    )
    return violation(due, observed, needs, remedy)


def _raise(name: str, wanted: str) -> Remediation:
    """`wanted` is the rule's specifier, ">=110"."""
    level = _LEAST.fullmatch(wanted.strip())
    command = f"ALTER DATABASE {sql_name(name) or _NAME} SET COMPATIBILITY_LEVEL = {level[1]}" if level else ""
    summary = f"First back the database up, then raise the compatibility level of {name}, before the window."
    return Remediation(summary, command, url=CHECKLIST_URL, language="sql" if command else "")


def _unusable(due: ApplicableRule, needs: Requirements) -> Outcome:
    rule = due.rule
    return undetermined(
        f"rule {rule.id}: requires = {rule.requires!r} is neither 'level >=NUMBER' nor 'collation NAME'",
        **needs.evidence,
    )


CHECK = NodeCheck(
    id=ID,
    title="Database's compatibility level and collation fit",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "Raise the compatibility level; another collation needs a migration, before the window.",
        f"ALTER DATABASE {_NAME} SET COMPATIBILITY_LEVEL = 110",
        url=CHECKLIST_URL,
        language="sql",
    ),
    products=("secret-server",),
    roles=("database",),
    optional_facts=(SecretServerDatabase, FailoverClusters),
    references=(REQUIREMENTS_URL,),
    judge=judge,
)
