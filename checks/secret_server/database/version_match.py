"""The database has the version of the files on the web nodes.

## What it checks
The newest version in the database (`dbo.tbVersion`, by its numeric parts) against the version of the application's
libraries on each web node. Before the window they are the same. In the window the database is at the version of at
least one node, the one that was upgraded first; a node that is older is a warning, one that is newer a failure: then
the database was not upgraded with it. Afterwards the database and
every web node are at the target. A mirror's or a secondary's copy that is not open tells no version; that of the
original counts.

## Why it matters
A node whose files do not match the database does not run: it answers that the version does not match. Before the window
that is a node nobody has looked at, or a database that was restored from an older backup.

## How to fix it
Copy the application folder of a node that matches over the one that does not, without `database.config` and
`encryption.config`; where the database is the odd one, find out which one the nodes point to.
"""

from __future__ import annotations

from checks.check import ClusterCheck, ClusterView, NodeView
from checks.engine.installed_version import declaring, installed
from checks.engine.upgrade_path import PlanError, target_of
from checks.engine.wording import enumerate_names, group_by_reason
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Severity, conclude, failed, passed, undetermined, warned
from checks.secret_server.database.access import NO_NODE, database_nodes, database_of, is_copy, remedy
from checks.secret_server.facts.node import AppFiles
from checks.secret_server.facts.sql import FailoverClusters, SecretServerDatabase
from checks.secret_server.urls import CLUSTERING_URL
from checks.versions import Installed, VersionError, is_wrapped, parse_file_version, parse_version, secret_server_text

_MISMATCH = "the version does not match, and such a node does not run"


def judge(view: ClusterView) -> Outcome:
    """Compare each open database with each web node, by the phase."""
    web = [(node.name, installed(node)) for node in view.with_role("web")]
    hosts = database_nodes(view)
    databases, problems = _databases(hosts)
    if not web or not (databases or problems):
        lacking = "database" if web else "web"
        message = f"the inventory names no {lacking} node in this cluster, so there is nothing to compare"
        return undetermined(message, remediation=NO_NODE if web else None, too_few=True)
    found = [_compared(view, name, version, web) for name, version in databases.items()]
    if problems:
        message = "; ".join(group_by_reason(problems))
        cause = f"the database's version cannot be read: {message}"
        asked = {node.name: node for node in hosts}
        remedies = (remedy(Unknown(reason), asked.get(name)) for name, reason in problems)
        found.append(undetermined(cause, remediation=next(filter(None, remedies), None)))
    # What the inventory declares was so before the window; afterwards it proves nothing.
    declared = [name for name, one in web if not one.read and one.version and view.cluster.phase != "after"]
    if declared:
        told = ", ".join(f"{name} {one.version}" for name, one in web if name in declared)
        found.append(warned(f"declared in the inventory, not read from the files, and so not compared: {told}"))
    unread = [
        (name, one.problem or "its version cannot be read")
        for name, one in web
        if not one.read and name not in declared
    ]
    if unread:
        message = f"the version of the files is not known: {'; '.join(group_by_reason(unread))}"
        found.append(undetermined(message, remediation=declaring(view.with_role("web"))))
    evidence = {"databases": databases, "nodes": {name: one.version for name, one in web}}
    expected = (
        view.cluster.target or "" if view.cluster.phase == "after" else "the database's version on every web node"
    )
    return conclude(found, expected=expected, observed=_observed(databases, web), evidence=evidence)


def _databases(nodes: list[NodeView]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """The version in each node's database, and why it is not known elsewhere. Copies that are not open say nothing."""
    versions: dict[str, str] = {}
    problems: list[tuple[str, str]] = []
    silent: list[tuple[str, str]] = []
    for node in nodes:
        found = database_of(node)
        if isinstance(found, Unknown):
            problems.append((node.name, found.reason))
        elif found.version:
            try:
                versions[node.name] = secret_server_text(parse_file_version(found.version))
            except VersionError as error:
                problems.append((node.name, str(error)))
        else:
            closed = found.state != "ONLINE" or is_copy(found)
            (silent if closed else problems).append((node.name, found.version_problem))
    return versions, problems if versions else [*problems, *silent]


def _compared(view: ClusterView, name: str, version: str, web: list[tuple[str, Installed]]) -> Outcome:
    phase = view.cluster.phase
    known = [(node, _full(one.version, version)) for node, one in web if one.read and one.version]
    others = [node for node, own in known if own != version]
    told = ", ".join(f"{node} has {own}" for node, own in known if own != version)
    if phase == "after":
        try:
            target = secret_server_text(parse_file_version(target_of(view.cluster)))
        except (PlanError, VersionError) as error:
            return undetermined(str(error))
        late = [f"{node} has {own}" for node, own in known if own != target]
        if version != target:
            late.insert(0, f"the database on {name} is at {version}")
        if late:
            mismatch = f": {_MISMATCH}" if others else ""
            return failed(f"not at the target {target}: {', '.join(late)}{mismatch}")
        return passed(f"the database and every web node are at the target {target}")
    wrapped = enumerate_names([node for node, one in web if one.read and one.version and one.version != version])
    if not others and wrapped:
        told = f"the files of {wrapped} tell its lower 16 bits, as a file version does"
        return passed(f"the database on {name} and the web nodes are at {version}; {told}")
    if not others:
        return passed(f"the database on {name} and the web nodes are at {version}")
    newer = [node for node, own in known if parse_version(own) > parse_version(version)]
    if phase == "window" and newer:
        nodes = enumerate_names(newer)
        return failed(f"{told}, and the database on {name} is still at {version}: it was not upgraded with {nodes}")
    if phase == "window" and len(others) < len(known):
        return warned(f"{told}, the database on {name} is at {version}: not updated yet, and does not run until it is")
    if phase == "window":
        return failed(f"no web node matches the database on {name}, which is at {version}: {told}; {_MISMATCH}")
    if len(others) == len(known) and len({own for _, own in known}) == 1:
        nodes = enumerate_names(others)
        return failed(f"the database on {name} is at {version}, but {nodes} at {known[0][1]}: {_MISMATCH}")
    return failed(f"{told}, but the database on {name} is at {version}: {_MISMATCH}")


def _full(read: str, database: str) -> str:
    """The version that a node's files stand for: a build above 65535 does not fit a file version."""
    return database if is_wrapped(read, database) else read


def _observed(databases: dict[str, str], web: list[tuple[str, Installed]]) -> str:
    parts = [f"database on {name} {version}" for name, version in databases.items()]
    return ", ".join([*parts, *(f"{name} {one.version or 'unknown'}" for name, one in web)])


CHECK = ClusterCheck(
    id="database-version-match",
    title="Database and web nodes have one version",
    severity=Severity.CRITICAL,
    doc=__doc__,
    remediation=Remediation(
        "Copy the application folder of a node that matches over the one that does not, without database.config and "
        "encryption.config; where the database differs from all, find out which database the nodes point to.",
        url=CLUSTERING_URL,
    ),
    products=("secret-server",),
    roles=("web", "database"),
    optional_facts=(AppFiles, SecretServerDatabase, FailoverClusters),
    phases={
        "before": "the database has the version of every web node",
        "window": "the database has the version of the web node that was upgraded first",
        "after": "the database and every web node are at the target",
    },
    references=(CLUSTERING_URL,),
    judge=judge,
)
