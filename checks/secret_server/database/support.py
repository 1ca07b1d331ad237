"""The vendor supports the edition of SQL Server, and the way in which the database is replicated.

## What it checks
Whether the database lies on SQL Server Express, which is for trials only, and whether it takes part in SQL merge
replication, which the vendor does not support any more. Both as the instance itself tells them; the edition comes from
the registry where no query is possible.

## Why it matters
Express has limits of size and memory that an upgrade's migration runs into. With merge replication an upgrade has
steps of its own on every subscriber, and without them the subscribers' databases do not fit the new files.

## How to fix it
Move the database to SQL Server Standard or higher. Take the database out of merge replication before the window, with
the vendor's help, and use an availability group for high availability.
"""

from __future__ import annotations

from checks.check import NodeCheck, NodeView
from checks.engine.requirements import ApplicableRule, Requirements, requirements, satisfied, unseen, violation
from checks.engine.ways_out import ASK_ANEW
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Severity, combine, not_applicable, passed, undetermined
from checks.secret_server.database.access import database_of, instance_of, is_copy, passive_of, remedy
from checks.secret_server.facts.node import SqlInstances
from checks.secret_server.facts.sql import FailoverClusters, SecretServerDatabase
from checks.secret_server.urls import CHECKLIST_URL, REPLICATION_URL, REQUIREMENTS_URL

ID = "database-support"
_EXPRESS = 4
"""SERVERPROPERTY('EngineEdition') of Express, whatever the server's language."""
_FULL = ("Standard", "Enterprise", "Developer", "Web", "Business Intelligence", "Datacenter", "Workgroup")
"""How the registry's names of the other editions begin."""


def judge(view: NodeView) -> Outcome:
    """Judge the edition, then the replication."""
    needs = requirements(view, ID)
    if isinstance(needs, Outcome):
        return needs
    if cluster := passive_of(view):
        return not_applicable(f"passive host of {cluster}: the database is judged where the instance runs")
    return combine([_judged(view, needs, due) for due in needs.due])


def _judged(view: NodeView, needs: Requirements, due: ApplicableRule) -> Outcome:
    if due.rule.requires == "edition not express":
        return _edition(view, needs, due)
    if due.rule.requires == "replication not merge":
        return _replication(view, needs, due)
    ways = "'edition not express' or 'replication not merge'"
    return undetermined(f"rule {due.rule.id}: requires = {due.rule.requires!r} is neither {ways}", **needs.evidence)


def _edition(view: NodeView, needs: Requirements, due: ApplicableRule) -> Outcome:
    found = database_of(view)
    if not isinstance(found, Unknown):
        if not found.server.edition and not found.server.engine_edition:
            see = Remediation(f"See for yourself on {view.name}: SELECT SERVERPROPERTY('Edition').")
            return unseen(due, f"the edition of {found.server.name} is not known: it does not tell", needs, see)
        observed = f"database {found.name} lies on {found.server.edition} ({found.server.name})"
        express = found.server.engine_edition == _EXPRESS or "express" in found.server.edition.lower()
        return violation(due, observed, needs) if express else satisfied(due, observed, needs)
    instances = view.get(SqlInstances)
    if isinstance(instances, Unknown):
        return unseen(due, f"the edition is not known: {found.reason}", needs, remedy(found, view))
    wanted = instance_of(view).lower()
    mine = [one for one in instances.instances if not wanted or one.name.lower() == wanted]
    express_ones = [one.name for one in mine if "express" in one.edition.lower()]
    if express_ones and len(express_ones) == len(mine):
        return violation(due, f"{express_ones[0]} is an Express edition, as the registry has it", needs)
    if mine and all(one.edition.startswith(_FULL) for one in mine):
        editions = ", ".join(f"{one.name} is {one.edition}" for one in mine)
        return satisfied(due, f"{editions}, as the registry has it", needs)
    return unseen(due, f"which instance holds the database is not known: {found.reason}", needs, remedy(found, view))


def _replication(view: NodeView, needs: Requirements, due: ApplicableRule) -> Outcome:
    found = database_of(view)
    if isinstance(found, Unknown):
        return unseen(
            due,
            f"whether the database is in merge replication is not known: {found.reason}",
            needs,
            remedy(found, view),
        )
    if found.merge_replication is None:
        what = f"whether database {found.name} is in merge replication is not known"
        if found.state != "ONLINE" or is_copy(found):  # who may open the database tells
            return passed(f"{what}: {found.version_problem}")
        if not found.version_problem:
            return unseen(due, f"{what}: the answer does not hold it; collect it anew", needs, ASK_ANEW)
        return unseen(due, f"{what}: {found.version_problem}", needs, remedy(Unknown(found.version_problem), view))
    if found.merge_replication:
        return violation(due, f"database {found.name} takes part in SQL merge replication", needs)
    return passed(f"database {found.name} is in no merge replication")


CHECK = NodeCheck(
    id=ID,
    title="The vendor supports the SQL Server edition and the replication",
    severity=Severity.MEDIUM,
    doc=__doc__,
    remediation=Remediation(
        "Move the database to SQL Server Standard or higher; take it out of merge replication with the vendor's help.",
        url=REPLICATION_URL,
    ),
    products=("secret-server",),
    roles=("database",),
    optional_facts=(SecretServerDatabase, FailoverClusters, SqlInstances),
    references=(CHECKLIST_URL, REQUIREMENTS_URL, REPLICATION_URL),
    judge=judge,
)
