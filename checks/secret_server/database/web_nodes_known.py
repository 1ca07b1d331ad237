"""Every web server that uses the database is in the inventory, and every one in the inventory uses it.

## What it checks
The computers that have sessions in Secret Server's database, against the computer names of the web nodes (where a node
does not tell its own, by its name and host in the inventory). A computer that no node of the inventory is called, and
whose program is not known for something else (Management Studio, SQL Server Agent, a backup program), is a warning
that names it. So is a web node without a session where others have one, outside of the window, and a database whose
sessions are not known, for any web server may have one there. Web nodes whose
`database.config` differs are a warning, too: mirroring, disaster recovery and logins of their own make it differ
legitimately, another database does as well.

## Why it matters
A web server that nobody thought of keeps running while the database is upgraded, and works against it with old files.
One that points to another database is upgraded, and the database that counts is not.

## How to fix it
Add the computer that is named to the inventory, or find out what it does in the database. Compare the database that
each web server names on its Database page. Where a node's inventory name is not its computer's, nothing is to be done:
its own name counts as soon as it can be asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from checks.check import ClusterCheck, ClusterView, NodeView
from checks.common.computer_facts import ComputerName
from checks.engine.consistency import compared
from checks.engine.ways_out import UNSEEN
from checks.engine.wording import enumerate_names, group_by_reason
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Severity, conclude, not_applicable, passed, warned
from checks.runbook.quoting import sql_text
from checks.secret_server.database.access import access, database_nodes, database_of
from checks.secret_server.database.sessions import names_of, short
from checks.secret_server.facts.folder import DatabaseConfig
from checks.secret_server.facts.sql import FailoverClusters, SecretServerDatabase
from checks.secret_server.urls import CLUSTERING_URL

EXPECTED = "sessions of every web node of the inventory, and of no other web server"
_OTHERS = re.compile(
    r"Management Studio|^SQLAgent|^SQL Server Profiler|^sqlcmd|^SQLCMD|^bcp|^osql|Red ?gate|^Veeam|Commvault|dbatools"
    r"|^Report Server|Azure Data Studio|^azdata|^SQLPS|^SQL Monitor|DatabaseMail|^Microsoft® Windows® Operating System"
)
"""How programs that are no web server call themselves."""
_SHOWN = 5
_SESSIONS = "SELECT DISTINCT host_name, program_name FROM sys.dm_exec_sessions WHERE database_id = DB_ID({})"


def judge(view: ClusterView) -> Outcome:
    """Judge the sessions of each database, then the web nodes' own files."""
    web = view.with_role("web")
    looks = [(node, database_of(node)) for node in database_nodes(view)]
    known = [(node, found) for node, found in looks if not isinstance(found, Unknown)]
    outcomes = [*_unseen(looks), *_strangers(view, known), *_idle(view, web, known), *_pointing(web, known)]
    hosts = sorted({host for _, found in known for host in found.session_hosts})
    if not outcomes and not hosts:
        return not_applicable("no session of a web server was seen")
    outcomes = outcomes or [
        passed(f"all of {enumerate_names(hosts)}, who have sessions in the database, are in the inventory")
    ]
    return conclude(outcomes, expected=EXPECTED, observed=", ".join(hosts), evidence={"hosts": hosts})


def strange_hosts(found: SecretServerDatabase, ours: Collection[str]) -> dict[str, list[str]]:
    """Computers with sessions whose short names are not among `ours`, each with its programs, unless all of these are
    known for something else.
    """
    programs: dict[str, set[str]] = {host: set() for host in found.session_hosts}
    for session in found.sessions:
        programs.setdefault(session.host, set()).add(session.program)
    return {
        host: sorted(names)
        for host, names in programs.items()
        if short(host) not in ours and not (names and all(_OTHERS.search(name) for name in names))
    }


def _unseen(looks: Sequence[tuple[NodeView, SecretServerDatabase | Unknown]]) -> Iterator[Outcome]:
    """Databases whose sessions are not known: a web server that nobody named may have one there."""
    for node, found in looks:
        told = f"whether other web servers use the database on {node.name} is not known"
        if isinstance(found, Unknown):
            way = f"Clear what database-compatibility says of {node.name}: sessions are asked for with the same login."
            yield warned(f"{told}: {found.reason}", remediation=Remediation(way))
        elif found.sessions_problem:
            yield warned(f"{told}: {found.sessions_problem}", remediation=access(node, found.name))


def _strangers(view: ClusterView, known: list[tuple[NodeView, SecretServerDatabase]]) -> Iterator[Outcome]:
    """Computers with sessions that no node of the inventory is."""
    ours = {name for node in view.nodes for name in names_of(node)}
    ours |= {short(found.server.name.partition("\\")[0]) for _, found in known}
    ours |= {short(found.server.computer) for _, found in known} | {short(found.server.cluster) for _, found in known}
    ours |= {short(replica.server.partition("\\")[0]) for _, found in known for replica in found.replicas}
    for node, found in known:
        strange = strange_hosts(found, ours)
        if not strange:
            continue
        shown = [
            f"{host.upper()} ({', '.join(names)})" if any(names) else host.upper() for host, names in strange.items()
        ]
        more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
        nameless = [one.name for one in view.with_role("web") if isinstance(one.get(ComputerName), Unknown)]
        tail = f" (or another name of {enumerate_names(nameless)})" if nameless else ""
        yield warned(
            f"{', '.join(shown[:_SHOWN])}{more} has sessions in the database on {node.name} and is no node of the "
            f"inventory{tail}: a web server that is not in it is not judged, and would run on while the database is "
            "upgraded",
            remediation=_sessions(node, found),
        )


def _idle(
    view: ClusterView, web: list[NodeView], known: list[tuple[NodeView, SecretServerDatabase]]
) -> Iterator[Outcome]:
    """Web nodes without a session, where others have one. Of several databases `database-mirroring` tells."""
    if view.cluster.phase == "window" or any(found.mirroring or found.replicas for _, found in known):
        return
    hosts = {short(host) for _, found in known for host in found.session_hosts}
    unseen = [node.name for node in web if not names_of(node) & hosts]
    if unseen and len(unseen) < len(web):
        yield warned(
            f"no session of {enumerate_names(unseen)} is seen in the database, while other web nodes have one: idle, "
            "stopped, or pointing to another database",
            remediation=Remediation(
                f"First see on the Database page of {unseen[0]} which database it uses, then whether its pool runs.",
                url=CLUSTERING_URL,
            ),
        )


def _pointing(web: list[NodeView], known: list[tuple[NodeView, SecretServerDatabase]]) -> Iterator[Outcome]:
    hosts = {short(host) for _, found in known for host in found.session_hosts}
    # A node that has a session in the database need not be asked whether it points there.
    unread = [
        (node.name, found.reason)
        for node in web
        if isinstance(found := node.get(DatabaseConfig), Unknown)
        if hosts and not found.unasked and not names_of(node) & hosts
    ]
    if unread:
        told = "; ".join(group_by_reason(unread))
        yield warned(
            f"whether all web nodes point to one database is not known: database.config of {told}", remediation=UNSEEN
        )
    configs = [(node.name, found) for node in web if not isinstance(found := node.get(DatabaseConfig), Unknown)]
    # An empty one is told by config-files-present, and has no database to point to.
    files = compared((name, config.sha256) for name, config in configs if config.sha256 and config.size_bytes)
    remedy = Remediation("Compare the database that each web server shows on its Database page.", url=CLUSTERING_URL)
    yield from files.differing(
        lambda who: warned(
            f"database.config differs: {who}; a mirror, a login of each node or encryption explains it, and so does "
            "another database",
            remediation=remedy,
        )
    )


def _sessions(node: NodeView, found: SecretServerDatabase) -> Remediation:
    return Remediation(
        f"First ask SQL Server on {node.name} what the computer does there; then add it to the inventory, or stop it "
        "for the window.",
        _SESSIONS.format(sql_text(found.name) or "N'<database>'"),
        url=CLUSTERING_URL,
        language="sql",
    )


CHECK = ClusterCheck(
    id="web-nodes-known",
    title="The web servers that use the database are those of the inventory",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "Add the computer that is named to the inventory, or find out what it does in the database; compare the "
        "database that each web server shows on its Database page.",
        _SESSIONS.format("N'<database>'"),
        url=CLUSTERING_URL,
        language="sql",
    ),
    products=("secret-server",),
    roles=("web", "database"),
    optional_facts=(SecretServerDatabase, FailoverClusters, ComputerName, DatabaseConfig),
    phases={
        "before": "sessions of every web node, and of no other web server",
        "window": "no sessions of other web servers; those of the inventory may be stopped",
        "after": "sessions of every web node, and of no other web server",
    },
    references=(CLUSTERING_URL,),
    judge=judge,
)
