"""What `chef-backend-ctl` prints on the backends of a simulated cluster, each from its own view."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from packaging.version import InvalidVersion, Version

from scanner.lab.tables import ScenarioError, choice, format_key, get, known_keys, meant, subtable, subtables, texts

SERVICES = ("leaderl", "epmd", "etcd", "postgresql", "elasticsearch")
FLAGS = ("unsynced", "no-start-pgsql")
HEALTHY_DISKS = "/var/log/chef-backend: OK; /var/opt/chef-backend: OK"
QUORUM = 2
_SINCE_1_4 = "epmd"
"""The service that has a line of its own from 1.4 on; the disks' table came with it."""

_KEYS = (
    *("version", "role", "pg", "es", "ip", "guid", "columns", "uptime", "uptimes", "pids", "services", "distributed"),
    *("disks", "flags", "unreachable", "sees", "believes", "rows", "lines"),
)
_ROW_KEYS = ("name", "ip", "guid", "role", "pg", "es")
_ROW_TEXTS = ("role", "pg", "es", "ip", "guid")


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
    """One backend as the others see it, and what is particular about its own view.

    In a scenario: `role` leader, follower, deposed_leader, waiting_for_leader; `pg` and `es` (master, not_master)
    follow from it; `version` (before 1.4 there are no lines for epmd and the disks); `uptime` ("27d 9h 51m 38s"), and
    of single services `uptimes` and `pids`; `services` (`postgresql = "down"`); `distributed` (a service's last column,
    as literal text); `disks` (local status, "" leaves the table out); `flags` (files beside the leader election's
    data); `columns` (further columns of its row in cluster-status: `{Blocked = "no"}`); `unreachable` (the others do
    not see it); `sees` (the only nodes that it sees itself); `believes` (`backend-2 = {role = "leader"}`: what it
    thinks of others); `rows` (literal further rows of cluster-status, as tables); `lines` (literal further lines of
    status).
    """

    name: str
    role: str
    pg: str
    es: str
    ip: str
    guid: str
    version: str = "2.3.16"
    columns: Mapping[str, str] = field(default_factory=dict)
    uptime: str = "27d 9h 51m 38s"
    uptimes: Mapping[str, str] = field(default_factory=dict)
    pids: Mapping[str, int] = field(default_factory=dict)
    services: Mapping[str, str] = field(default_factory=dict)
    distributed: Mapping[str, str] = field(default_factory=dict)
    disks: str = HEALTHY_DISKS
    flags: tuple[str, ...] = ()
    unreachable: bool = False
    sees: tuple[str, ...] = ()
    believes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rows: tuple[Mapping[str, str], ...] = ()
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
        known_keys(table, _KEYS, here)
        role = get(table, "role", "follower" if led or number else "leader", here)
        # On purpose not the leader's row: the two need not be the same.
        master = not mastered and number == min(1, len(tables) - 1)
        backends[name] = Backend(
            name=name,
            role=role,
            pg=get(table, "pg", "leader" if role == "leader" else "follower", here),
            es=get(table, "es", "master" if master else "not_master", here),
            ip=get(table, "ip", f"10.0.0.{11 + number}", here),
            guid=get(table, "guid", hashlib.md5(name.encode(), usedforsecurity=False).hexdigest(), here),
            version=get(table, "version", "2.3.16", here),
            columns=_texts_by_name(table, "columns", here),
            uptime=get(table, "uptime", "27d 9h 51m 38s", here),
            uptimes=_strings(table, "uptimes", SERVICES, here),
            pids=_pids(table, here),
            services=_strings(table, "services", SERVICES, here),
            distributed=_strings(table, "distributed", (*SERVICES, "disks"), here),
            disks=get(table, "disks", HEALTHY_DISKS, here),
            flags=tuple(choice(flag, FLAGS, f"{here}.flags") for flag in texts(table, "flags", here)),
            unreachable=get(table, "unreachable", False, here),
            sees=tuple(choice(seen, tables, f"{here}.sees") for seen in texts(table, "sees", here)),
            believes=_believes(table, tables, here),
            rows=_rows(table, here),
            lines=texts(table, "lines", here),
        )
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
    text = _table(rows, pad_last=not old) + "".join(f"{line}\n" for line in me.lines)
    if me.disks and not old:
        systems = [("System", "Local Status", "Distributed Node Status"), ("disks", me.disks, distributed["disks"])]
        text += "\n" + _table(systems, pad_last=True)
    return CommandOutput(text)


def leader_flags(name: str, backends: Mapping[str, Backend]) -> CommandOutput:
    """`ls -a` of leaderl's data directory on `name`."""
    return CommandOutput("".join(f"{entry}\n" for entry in ("form 2", ".", "..", *backends[name].flags, "end")))


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
    return "".join(f"{line if pad_last else line.rstrip()}\n" for line in lines)


def _before_1_4(me: Backend) -> bool:
    try:
        return Version(me.version) < Version("1.4")
    except InvalidVersion:
        return False


def _texts_by_name(table: Mapping[str, object], key: str, place: str) -> dict[str, str]:
    values = subtable(table, key, place)
    return {name: get(values, name, "", format_key(place, key)) for name in values}


def _pids(table: Mapping[str, object], place: str) -> dict[str, int]:
    values = subtable(table, "pids", place)
    known_keys(values, SERVICES, format_key(place, "pids"))
    return {name: get(values, name, 0, format_key(place, "pids")) for name in values}


def _strings(table: Mapping[str, object], key: str, known: Sequence[str], place: str) -> dict[str, str]:
    known_keys(subtable(table, key, place), known, format_key(place, key))
    return _texts_by_name(table, key, place)


def _believes(table: Mapping[str, object], names: Mapping[str, object], place: str) -> dict[str, Mapping[str, str]]:
    believed: dict[str, Mapping[str, str]] = {}
    for name, row in subtables(table, "believes", place).items():
        here = f"{place}.believes.{name}"
        if name not in names:
            raise ScenarioError(here, f"no such node; {meant(name, names)}")
        known_keys(row, _ROW_TEXTS, here)
        believed[name] = {key: get(row, key, "", here) for key in row}
    return believed


def _rows(table: Mapping[str, object], place: str) -> tuple[Mapping[str, str], ...]:
    rows: list[object] = get(table, "rows", [], place)
    found = []
    for number, row in enumerate(rows):
        here = f"{place}.rows[{number}]"
        if not isinstance(row, Mapping):
            raise ScenarioError(here, "expected a table")
        known_keys(row, _ROW_KEYS, here)
        found.append({key: get(row, key, "", here) for key in row})
    return tuple(found)
