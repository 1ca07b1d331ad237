"""The cluster of a Secret Server web node: its database by what it is connected to, its like by the sessions there.

Nothing secret is read for it: `database.config` stays closed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from checks.common.computer_facts import ComputerName
from checks.common.connection_facts import Connection, TcpConnections
from checks.engine.wording import count, enumerate_names
from checks.facts import Unknown
from checks.secret_server.database.sessions import short
from checks.secret_server.database.web_nodes_known import strange_hosts
from checks.secret_server.facts.node import SqlInstances
from checks.secret_server.facts.sql import SecretServerDatabase
from scanner.errors import UsageError
from scanner.inventory.discover.identity import facts_that_tell, known, stranger
from scanner.inventory.discover.model import Asking, FoundCluster, FoundNode, NotToldError
from scanner.inventory.discover.names import name_of
from scanner.inventory.products import DEFAULT_SQL_PORT

_PRODUCT = "secret-server"
_MOST_DATABASES = 4
_MOST_SHOWN = 8
_LEAST_DYNAMIC_PORT = 1024
_NO_SQL_SERVERS = {1433, 3268, 3269, 3389, 5985, 5986, 8080, 8443}
"""Ports from 1024 on that are well known for something else: directories, remote desktops, WinRM, proxies."""


def discover(asking: Asking) -> FoundCluster:
    """Ask one web node, then the database that it uses. Raises NotToldError and UsageError."""
    facts = asking.ask((*facts_that_tell(_PRODUCT), TcpConnections), role="web")
    if why := stranger(_PRODUCT, asking.host, "web", facts):
        raise UsageError(f"{asking.host} {why}; name one of its web nodes")
    computer = known(facts, ComputerName)
    own = (asking.host if isinstance(computer, Unknown) else computer.name).lower()
    missing: list[str] = []
    databases, together = _databases(asking, facts, missing)
    found_web: list[FoundNode] = []
    nodes: list[FoundNode] = []
    for number, (host, notes) in enumerate(databases, 1):
        node, told = _asked_database(asking, host, notes, number)
        nodes.append(node)
        if isinstance(told, Unknown):
            missing.append(f"the other web nodes: {node.host} could not be asked for its sessions ({told.reason})")
        else:
            found_web += _web_nodes(told, own, _domain(asking.host, computer), node.name)
    if together:
        told = _asked(asking, asking.host)
        if isinstance(told, Unknown):
            missing.append(f"the other web nodes: SQL Server there was not asked to the end ({told.reason})")
        else:
            found_web += _web_nodes(told, own, _domain(asking.host, computer), own)
    if not found_web and (nodes or together) and not any(text.startswith("the other web nodes") for text in missing):
        missing.append("other web nodes: the database has no session of another computer; one may be stopped")
    roles = ("web", "database") if together else ("web",)
    notes = ("The web node that was asked.",)
    me = FoundNode(name=own.partition(".")[0], host=asking.host, roles=roles, is_asked=True, notes=notes)
    if not nodes and not together:
        nodes.append(FoundNode(name="sql1", host="", roles=("database",), notes=("The database host, to fill in.",)))
    web = {node.host.lower(): node for node in found_web}
    return FoundCluster(
        nodes=(me, *web.values(), *nodes),
        asked=me.name,
        missing=(*missing, "a DR site (role dr): it has no connection that could tell of it"),
        blanks=("dpapi",),
    )


def _databases(
    asking: Asking, facts: Mapping[type, object], missing: list[str]
) -> tuple[list[tuple[str, tuple[str, ...]]], bool]:
    """Hosts that the web node is connected to as to a SQL Server, and whether there is one on the node itself."""
    connections, instances = known(facts, TcpConnections), known(facts, SqlInstances)
    has_own = not isinstance(instances, Unknown) and bool(instances.instances)
    if isinstance(connections, Unknown):
        missing.append(f"the database host: {connections.reason}")
        return [], has_own
    own = {each.local for each in connections.connections}
    outside = [each for each in connections.connections if not _is_here(each.remote, own)]
    hosts = list(dict.fromkeys(each.remote for each in outside if each.remote_port == DEFAULT_SQL_PORT))
    if len(hosts) > _MOST_DATABASES:
        missing.append(f"{count(len(hosts) - _MOST_DATABASES, 'machine')} more that it is connected to on port 1433")
    if hosts:
        note = f"Guess: {asking.host} is connected to port {DEFAULT_SQL_PORT} there, which is SQL Server's own."
        more = " So it is to others: keep those that hold Secret Server's database." if len(hosts) > 1 else ""
        return [(host, (note + more,)) for host in hosts[:_MOST_DATABASES]], False
    if has_own:
        return [], True
    missing.append(
        f"the database host: {asking.host} is connected to nobody's port {DEFAULT_SQL_PORT}, SQL Server's own"
        + _elsewhere(outside)
    )
    return [], False


def _elsewhere(outside: list[Connection]) -> str:
    """Connections that may lead to an instance which listens elsewhere."""
    likely = [
        f"{each.remote} port {each.remote_port}"
        for each in outside
        if each.remote_port >= _LEAST_DYNAMIC_PORT and each.remote_port not in _NO_SQL_SERVERS
        if each.local_port >= _LEAST_DYNAMIC_PORT
    ]
    if not likely:
        return "; it shows on the Database page of Secret Server"
    return f"; an instance with a port of its own may be among {enumerate_names(likely[:_MOST_SHOWN])}"


def _is_here(address: str, own: set[str]) -> bool:
    return address in own or ipaddress.ip_address(address).is_loopback


def _asked_database(
    asking: Asking, address: str, notes: tuple[str, ...], number: int
) -> tuple[FoundNode, SecretServerDatabase | Unknown]:
    name = name_of(address)
    host = name or address
    told = _asked(asking, host)
    called = name.partition(".")[0]
    if not isinstance(told, Unknown):
        called = short(told.server.computer or told.server.name.partition("\\")[0]) or called
        notes = (*notes, f"It holds the database {told.name}, asked with the same login.")
    node = FoundNode(name=called or f"database-{number}", host=host, roles=("database",), notes=notes)
    return node, told


def _asked(asking: Asking, host: str) -> SecretServerDatabase | Unknown:
    try:
        found = known(asking.ask((SecretServerDatabase,), role="database", host=host), SecretServerDatabase)
    except NotToldError as error:
        return Unknown(str(error))
    if not isinstance(found, Unknown) and found.sessions_problem:
        return Unknown(found.sessions_problem)
    return found


def _web_nodes(database: SecretServerDatabase, own: str, domain: str, where: str) -> list[FoundNode]:
    """Computers with sessions in the database which nothing else explains."""
    server = database.server
    others = {short(own), short(server.name.partition("\\")[0]), short(server.computer), short(server.cluster)}
    others |= {short(replica.server.partition("\\")[0]) for replica in database.replicas}
    found = []
    for host, programs in strange_hosts(database, others).items():
        told = f" ({enumerate_names([name for name in programs if name])})" if any(programs) else ""
        full = host if "." in host or not domain else f"{host}.{domain}"
        note = f"Guess: {host.upper()} has sessions in the database on {where}{told}, as web nodes have."
        more = f" That it is in the domain {domain}, too, is one as well." if full != host else ""
        node = FoundNode(name=host.partition(".")[0], host=full, roles=("web",), notes=(note + more,))
        found.append(node)
    return found


def _domain(host: str, computer: ComputerName | Unknown) -> str:
    """The domain that names of its like need to be found: what was typed, else what the computer says."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if "." in host:
            return host.partition(".")[2]
        return ""
    return "" if isinstance(computer, Unknown) else computer.domain.lower()
