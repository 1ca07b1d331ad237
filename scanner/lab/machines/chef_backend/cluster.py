"""What `chef-backend-ctl` prints on the backends of a simulated cluster, each from its own view."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Annotated

from packaging.version import InvalidVersion, Version

from checks.common.dataclass import dataclass
from reports.codec.shape import one_of
from scanner.lab.tables import ScenarioError, choice, meant, read_table

SERVICES = ("leaderl", "epmd", "etcd", "postgresql", "elasticsearch")
FLAGS = ("unsynced", "no-start-pgsql")
HEALTHY_DISKS = "/var/log/chef-backend: OK; /var/opt/chef-backend: OK"
QUORUM = 2
_SINCE_1_4 = "epmd"
"""The service that has a line of its own from 1.4 on; the disks' table came with it."""

_BELIEVED = ("role", "pg", "es", "ip", "guid")
_ROW_KEYS = ("name", "ip", "guid", "role", "pg", "es")
Service = Annotated[str, one_of(*SERVICES)]


@dataclass(frozen=True, slots=True)
class CommandOutput:
    """What one command leaves behind."""

    output: str
    """On standard output."""
    exit_code: int = 0
    error_output: str = ""
    """On standard error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One backend as the others see it, and what is particular about its own view: the keys of a scenario's `chef`."""

    name: str
    role: str
    pg: str
    es: str
    ip: str
    guid: str
    version: str = "2.3.16"
    columns: Mapping[str, str] = field(default_factory=dict)
    uptime: str = "27d 9h 51m 38s"
    uptimes: Mapping[Service, str] = field(default_factory=dict)
    pids: Mapping[Service, int] = field(default_factory=dict)
    services: Mapping[Service, str] = field(default_factory=dict)
    distributed: Mapping[Annotated[str, one_of(*SERVICES, "disks")], str] = field(default_factory=dict)
    disks: str = HEALTHY_DISKS
    flags: tuple[Annotated[str, one_of(*FLAGS)], ...] = ()
    unreachable: bool = False
    sees: tuple[str, ...] = ()
    believes: Mapping[str, Mapping[Annotated[str, one_of(*_BELIEVED)], str]] = field(default_factory=dict)
    rows: tuple[Mapping[Annotated[str, one_of(*_ROW_KEYS)], str], ...] = ()
    lines: tuple[str, ...] = ()


def read_backends(tables: Mapping[str, Mapping[str, object]], place: str) -> dict[str, Backend]:
    """The backends of a cluster from their scenario tables, by name. Nothing said is a healthy follower.

    The first node leads where no table names a leader. Raises ScenarioError.
    """
    led = any("role" in table for table in tables.values())
    mastered = any("es" in table for table in tables.values())
    backends = {}
    for number, (name, table) in enumerate(tables.items()):
        here = f"{place}.nodes.{name}.chef"
        if "name" in table:
            raise ScenarioError(f"{here}.name", "a backend is called like its node")
        role = table.get("role", "follower" if led or number else "leader")
        # On purpose not the leader's row: the two need not be the same.
        master = not mastered and number == min(1, len(tables) - 1)
        usual = {
            "role": role,
            "pg": "leader" if role == "leader" else "follower",
            "es": "master" if master else "not_master",
            "ip": f"10.0.0.{11 + number}",
            "guid": hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(),
        }
        backends[name] = backend = read_table(Backend, {"name": name, **usual, **table}, here)
        for seen in backend.sees:
            choice(seen, tables, f"{here}.sees")
        for other in backend.believes:
            if other not in tables:
                raise ScenarioError(f"{here}.believes.{other}", f"no such node; {meant(other, tables)}")
    return backends


def cluster_status(name: str, backends: Mapping[str, Backend]) -> CommandOutput:
    """`chef-backend-ctl cluster-status` on `name`: the members it sees, columns padded to the widest cell."""
    me = backends[name]
    seen = _seen(me, backends)
    further = list(dict.fromkeys(column for member in seen for column in member.columns))
    rows = [(*_row(me, member), *(member.columns.get(column, "") for column in further)) for member in seen]
    rows += [(*(row.get(key, "") for key in _ROW_KEYS), *("" for _ in further)) for row in me.rows]
    return CommandOutput(_table([("Name", "IP", "GUID", "Role", "PG", "ES", *further), *rows]))


def status(name: str, backends: Mapping[str, Backend]) -> CommandOutput:
    """`chef-backend-ctl status` on `name`: its services and disks, and what it thinks of everybody's."""
    me = backends[name]
    old = _before_1_4(me)
    distributed = {**_distributed(me, backends), **me.distributed}
    rows = [("Service", "Local Status", "Time in State", "Distributed Node Status")]
    for number, service in enumerate(SERVICES):
        if old and service == _SINCE_1_4:
            continue
        state = me.services.get(service, "running")
        local = f"running (pid {me.pids.get(service, 1100 + 7 * number)})" if state == "running" else state
        rows.append((service, local, me.uptimes.get(service, me.uptime), distributed[service]))
    # From 1.4 on the last column is padded, too; before, it is not.
    text = _table(rows, pad_last=not old) + printed(me.lines)
    if me.disks and not old:
        systems = [("System", "Local Status", "Distributed Node Status"), ("disks", me.disks, distributed["disks"])]
        text += "\n" + _table(systems, pad_last=True)
    return CommandOutput(text)


def leader_flags(name: str, backends: Mapping[str, Backend]) -> CommandOutput:
    """`ls -a` of leaderl's data directory on `name`."""
    return CommandOutput(printed(("form 2", ".", "..", *backends[name].flags, "end")))


def version(name: str, backends: Mapping[str, Backend]) -> CommandOutput:
    """`chef-backend-ctl --version` on `name`."""
    return CommandOutput(f"chef-backend {backends[name].version}\n")


PROBES = {
    "chef-cluster-status": cluster_status,
    "chef-service-status": status,
    "chef-leader-flags": leader_flags,
    "chef-version": version,
}
"""Which function answers which probe."""


def printed(lines: Iterable[str]) -> str:
    """Lines, each with its end."""
    return "".join(f"{line}\n" for line in lines)


def _seen(me: Backend, backends: Mapping[str, Backend]) -> list[Backend]:
    if me.sees:
        return [backends[name] for name in me.sees]
    return [other for other in backends.values() if other is me or not (other.unreachable or me.unreachable)]


def _row(me: Backend, member: Backend) -> tuple[str, ...]:
    believed = {"role": member.role, "pg": member.pg, "es": member.es, "ip": member.ip, "guid": member.guid}
    believed |= me.believes.get(member.name, {})
    return (member.name, believed["ip"], believed["guid"], believed["role"], believed["pg"], believed["es"])


def _distributed(me: Backend, backends: Mapping[str, Backend]) -> dict[str, str]:
    seen = _seen(me, backends)
    roles = [_row(me, member)[3] for member in seen]
    total, missing = len(seen), len(backends) - len(seen)
    leaders, waiting = roles.count("leader"), roles.count("waiting_for_leader")
    down = [member for member in seen if member.services.get("postgresql", "running") != "running"]
    synced = sum(member.role != "leader" and member not in down for member in seen)
    color = "green" if not missing else "yellow" if total >= QUORUM else "red"
    return {
        "leaderl": f"leader: {leaders}; waiting: {waiting}; follower: {total - leaders - waiting}; total: {total}",
        "epmd": "status: local-only",
        "etcd": f"health: {color}; healthy nodes: {total}/{len(backends)}",
        "postgresql": (
            f"leader: {leaders}; offline: {missing + len(down)}; syncing: 0; synced: {synced}"
            if leaders
            else "error: could not reach pgsql leader for replication stats"
        ),
        "elasticsearch": f"state: {color}; nodes online: {total}/{len(backends)}",
        "disks": f"health: {color}; healthy nodes: {total}/{len(backends)}",
    }


def _table(rows: Sequence[tuple[str, ...]], *, pad_last: bool = False) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return printed(line if pad_last else line.rstrip() for line in lines)


def _before_1_4(me: Backend) -> bool:
    try:
        return Version(me.version) < Version("1.4")
    except InvalidVersion:
        return False
