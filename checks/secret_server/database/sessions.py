"""Whose sessions the database has: computers go by the names that they give themselves."""

from __future__ import annotations

from collections.abc import Iterator

from checks.check import ClusterView, NodeView
from checks.common.computer_facts import ComputerName
from checks.engine.wording import enumerate_names
from checks.facts import Unknown
from checks.outcome import Outcome, passed, warned
from checks.secret_server.facts.sql import SecretServerDatabase

_NETBIOS_CHARS = 15


def short(host: str) -> str:
    """A computer's name as it calls itself: NetBIOS knows its first label, and of that 15 characters."""
    return host.strip().lower().partition(".")[0][:_NETBIOS_CHARS]


def names_of(node: NodeView) -> set[str]:
    """What a node's computer may be called: what it says itself, else what the inventory says of it."""
    own = node.get(ComputerName)
    return {short(node.name), short(node.host)} if isinstance(own, Unknown) else {short(own.name)}


def web_server_sessions(
    view: ClusterView, known: list[tuple[NodeView, SecretServerDatabase]], *, in_use: bool
) -> Iterator[Outcome]:
    """Whom the web servers use, where there are several database servers: it is inferred, so this only ever warns."""
    web = view.with_role("web")
    seen = {
        node.name: [one.name for one in web if names_of(one) & set(map(short, found.session_hosts))]
        for node, found in known
    }
    servers = [name for name, users in seen.items() if users]
    # A listener, a failover cluster's name and a host may lead to one and the same server.
    if len({found.server.name.lower() for node, found in known if seen[node.name]}) > 1:
        told = "; ".join(f"{enumerate_names(seen[name])} on {name}" for name in servers)
        yield warned(f"web servers have sessions on several database servers: {told}")
    if not in_use:
        return
    unseen = [node.name for node in web if not any(node.name in users for users in seen.values())]
    if any(found.sessions_problem for _, found in known) or (
        len(unseen) == len(web) and view.cluster.phase != "window"
    ):
        problem = next((found.sessions_problem for _, found in known if found.sessions_problem), "")
        why = problem or "none of their names is among the sessions' hosts"
        yield passed(f"whom the web servers use cannot be told from sessions ({why})")
    elif unseen and servers and view.cluster.phase != "window":
        yield warned(
            f"no session of {enumerate_names(unseen)} is seen on {enumerate_names(servers)}: "
            "idle, or pointing elsewhere"
        )
