"""The cluster of a Chef Backend: its members by their own table, its frontends by who is connected with them."""

from __future__ import annotations

from ipaddress import ip_address

from checks.chef_backend.facts.cluster import ChefBackendVersion, ClusterStatus, Member
from checks.chef_backend.facts.machine import FrontendMembers
from checks.chef_backend.machine_names import is_same_machine
from checks.chef_backend.traces import ChefTraces
from checks.common.connection_facts import ServicePorts, TcpConnections
from checks.engine.wording import enumerate_names
from checks.facts import Unknown
from scanner.errors import UsageError
from scanner.inventory.discover.identity import facts_that_tell, known, stranger
from scanner.inventory.discover.model import Asking, FoundCluster, FoundNode, NotToldError
from scanner.inventory.discover.names import name_of

_PRODUCT = "chef-backend"
_MOST_FRONTENDS = 50
_DATABASE = "PostgreSQL"
"""Who has this open works with the data: the surest sign of a frontend."""


def discover(asking: Asking) -> FoundCluster:
    """Ask one backend. Raises NotToldError and UsageError."""
    kinds = (*facts_that_tell(_PRODUCT), ClusterStatus, ChefBackendVersion, TcpConnections, ServicePorts)
    facts = asking.ask(kinds, role="backend")
    if why := stranger(_PRODUCT, asking.host, "backend", facts):
        raise UsageError(f"{asking.host} {why}{_backends_of(asking, facts)}")
    status = known(facts, ClusterStatus)
    if isinstance(status, Unknown):
        raise NotToldError(f"{asking.host} did not tell the members of its cluster: {status.reason}")
    version = known(facts, ChefBackendVersion)
    connections, ports = known(facts, TcpConnections), known(facts, ServicePorts)
    own = set() if isinstance(connections, Unknown) else {each.local for each in connections.connections}
    traces = known(facts, ChefTraces)
    hostname = "" if isinstance(traces, Unknown) else traces.hostname
    me = _own_row(status.members, asking.host, hostname, own)
    missing = []
    if me is None:
        missing.append(
            f"which of the members {asking.host} is: cluster-status calls none of them {hostname or asking.host}. "
            "All stand with the addresses that it tells"
        )
    backends = [_backend(member, asking.host if member is me else "") for member in status.members]
    frontends: list[FoundNode] = []
    if isinstance(connections, Unknown):
        missing.append(f"the frontends: {connections.reason}")
    else:
        frontends = _frontends(connections, ports, {member.ip for member in status.members}, asking.host)
        missing += _without_frontends(status, me, asking.host) if not frontends else []
    return FoundCluster(
        nodes=(*backends, *frontends),
        asked=me.name if me else asking.host,
        version="" if isinstance(version, Unknown) else version.text,
        missing=tuple(missing),
    )


def _backends_of(asking: Asking, facts: object) -> str:
    """Where else to ask, where the machine is a frontend, which names its backends."""
    traces = known(facts, ChefTraces) if isinstance(facts, dict) else Unknown("")
    if isinstance(traces, Unknown) or not traces.frontend:
        return "; name one of its backends"
    try:
        found = known(asking.ask((FrontendMembers,), role="frontend"), FrontendMembers)
    except NotToldError:
        return "; name one of its backends"
    if isinstance(found, Unknown) or not found.members:
        return "; name one of its backends"
    return f"; its chef-server.rb names {enumerate_names(found.members)} as backends: ask one of them"


def _own_row(members: tuple[Member, ...], host: str, hostname: str, own: set[str]) -> Member | None:
    """The member that was asked: by its address, else by what the machine calls itself, else by what we do."""
    tests = (
        lambda member: member.ip in own or member.ip == host,
        lambda member: bool(hostname) and is_same_machine(member.name, hostname),
        lambda member: is_same_machine(member.name, host),
    )
    for fits in tests:
        found = [member for member in members if fits(member)]
        if len(found) == 1:
            return found[0]
    return None


def _backend(member: Member, host: str) -> FoundNode:
    told = f"{member.role.capitalize().replace('_', ' ')}, by cluster-status"
    address = f"; its address there is {member.ip}" if host and host != member.ip else ""
    notes = (f"{told}{address}.",)
    return FoundNode(name=member.name, host=host or member.ip, roles=("backend",), is_asked=bool(host), notes=notes)


def _frontends(
    connections: TcpConnections, ports: ServicePorts | Unknown, members: set[str], asked: str
) -> list[FoundNode]:
    """Everybody else who is connected with the services that frontends use. It is inferred, and says so."""
    services = {} if isinstance(ports, Unknown) else {port: service for service, port in ports.ports}
    used_here = [each for each in connections.connections if each.local_port in services]
    own = {each.local for each in used_here}
    seen: dict[str, set[str]] = {}
    for each in used_here:
        if each.remote not in members | own and not ip_address(each.remote).is_loopback:
            seen.setdefault(each.remote, set()).add(services[each.local_port])
    is_guess = not isinstance(ports, Unknown) and ports.is_guess
    found = []
    for number, (address, used) in enumerate(sorted(seen.items())[:_MOST_FRONTENDS], 1):
        name = name_of(address)
        what = enumerate_names(sorted(used))
        guess = f"Guess: {address} is connected with {what} of {asked}, as frontends are"
        doubt = "" if _DATABASE in used else "; without one to PostgreSQL it may as well be a monitoring system"
        where = " (at the vendor's ports: chef-backend.rb could not say its own)" if is_guess else ""
        node = FoundNode(
            name=name.partition(".")[0] or f"frontend-{number}",
            host=name or address,
            roles=("frontend",),
            notes=(f"{guess}{where}{doubt}.",),
        )
        found.append(node)
    return found


def _without_frontends(status: ClusterStatus, me: Member | None, host: str) -> list[str]:
    leader = next((member for member in status.members if member.role == "leader"), None)
    told = f"the frontends: nobody beside the members is connected with PostgreSQL, Elasticsearch or leaderl of {host}"
    if leader and leader is not me:
        return [f"{told}; the leader, {leader.name}, may know them: preflight discover {leader.ip}"]
    return [f"{told}; a load balancer may stand between"]
