"""What is known of a Chef Backend node. Each backend speaks from its own view of the cluster."""

from __future__ import annotations

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One row of `chef-backend-ctl cluster-status`."""

    name: str
    ip: str
    guid: str
    """32 lower-case hex digits."""
    role: str
    """leader, follower, deposed_leader, waiting_for_leader, or whatever else was printed."""
    postgresql: str
    """Column PG: leader, follower, ..."""
    elasticsearch: str
    """Column ES: master, not_master, ..."""
    columns: tuple[tuple[str, str], ...] = ()
    """Whatever further columns this version prints, each name with its value: who is blocked, eligible, followed."""


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """The table of `chef-backend-ctl cluster-status`, in its own order."""

    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceState:
    """One row of the first table of `chef-backend-ctl status`."""

    name: str
    running: bool
    pid: int | None
    uptime_s: int | None
    """Time in State, seconds; None where the column was empty."""
    distributed: str
    """The last column as printed, blanks folded: "leader: 1; waiting: 0; follower: 2; total: 3"."""
    line: str
    """The whole line, for evidence."""


@dataclass(frozen=True, slots=True)
class SystemState:
    """One row of the second table (since 1.4), for example `disks`."""

    name: str
    local: str
    """Local Status as printed: "OK", or what is wrong."""
    distributed: str
    line: str


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """The tables of `chef-backend-ctl status`."""

    services: tuple[ServiceState, ...]
    systems: tuple[SystemState, ...]
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class LeaderFlags:
    """Files under /var/opt/chef-backend/leaderl/data that keep a node from serving."""

    unsynced: bool
    no_start_pgsql: bool


@dataclass(frozen=True, slots=True)
class ChefBackendVersion:
    """What `chef-backend-ctl --version` prints."""

    text: str
    """As read, for example "2.3.16"."""
