"""Whom a machine is connected with over TCP, and on which ports its own services listen."""

from __future__ import annotations

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Connection:
    """One TCP connection that stands, or was closed a moment ago."""

    local: str
    """The machine's own address; of IPv4 within IPv6, the IPv4 one."""
    local_port: int
    remote: str
    remote_port: int


@dataclass(frozen=True, slots=True)
class TcpConnections:
    """The connections of a machine, in order. Of many from one address to one port, one is enough."""

    connections: tuple[Connection, ...]


@dataclass(frozen=True, slots=True)
class ServicePorts:
    """The ports of a backend's services that frontends use."""

    ports: tuple[tuple[str, int], ...]
    """Each service with its port."""
    is_guess: bool
    """Whether the machine's own configuration could not say it, so that the vendor's ports are taken."""
