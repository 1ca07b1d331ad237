"""The rule for a healthy Chef Backend cluster, applied to what one backend sees."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from checks.chef_backend.backend import leadership
from checks.chef_backend.facts.cluster import ClusterStatus, Member, ServiceState, ServiceStatus, SystemState
from checks.common.dataclass import dataclass
from checks.engine.wording import count
from checks.outcome import Remediation, Status

CLUSTER_SIZE = 3
"""The only size that is supported."""

_SERVICES: Mapping[str, Mapping[str, str]] = {
    "leaderl": {"leader": "1", "waiting": "0", "follower": "2", "total": "3"},
    "epmd": {"status": "local-only"},
    "etcd": {"health": "green", "healthy nodes": "3/3"},
    "postgresql": {"leader": "1", "offline": "0", "syncing": "0", "synced": "2"},
    "elasticsearch": {"state": "green", "nodes online": "3/3"},
}
SINCE_1_4 = "epmd"
"""The one service that has no line of its own before 1.4; the table of the disks came with it."""
_SYSTEM = {"health": "green", "healthy nodes": "3/3"}
_DISK = re.compile(r"(?P<path>/.*?):\s+(?P<state>.*\S)")
_WAIT = Remediation(
    "Wait until the deposed leader is a follower, then scan again.",
    command="sudo chef-backend-ctl cluster-status",
    language="sh",
)
_ELIGIBLE = Remediation(
    "Find out what keeps the followers from leading: leaderl's log names the health check that fails.",
    command="sudo tail -n 100 /var/log/chef-backend/leaderl/current",
    language="sh",
)
_KINDS = tuple(re.compile(kind) for kind in (r"\d{1,4}", r"\d{1,4}/\d{1,4}", "green|yellow|red", "local-only"))


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    status: Status
    """FAIL, WARN, or ERROR for what is not understood."""
    text: str
    """Equal for two backends that see the same."""
    local: bool = False
    """True where it concerns the backend itself, which `text` names, and not what it sees of the cluster."""
    remediation: Remediation | None = None


def members(view: ClusterStatus) -> list[Finding]:
    """Judge the table of members."""
    rows = view.members
    findings: list[Finding] = []
    if len(rows) != CLUSTER_SIZE:
        names = ", ".join(row.name for row in rows)
        findings.append(_fail(f"{count(len(rows), 'member')} listed instead of {CLUSTER_SIZE} ({names})"))
    for what, values in (("GUID", {row.guid for row in rows}), ("name", {row.name for row in rows})):
        if len(values) != len(rows):
            findings.append(_fail(f"two members have the same {what}"))
    for row in rows:
        findings += _role(row, rows)
    leaders = [row for row in rows if row.role == "leader"]
    if len(leaders) != 1:
        names = " (" + ", ".join(row.name for row in leaders) + ")" if leaders else ""
        findings.append(_fail(f"{len(leaders)} leaders instead of one{names}"))
    masters = [row for row in rows if row.elasticsearch == "master"]
    odd = [row for row in rows if row.elasticsearch not in ("master", "not_master")]
    findings += [_error(f"ES of {row.name} is {row.elasticsearch!r}, which is not understood", row) for row in odd]
    if len(masters) > 1 or (not masters and not odd):
        findings.append(_fail(f"{len(masters)} Elasticsearch masters instead of one"))
    return [*findings, *_following(rows, leaders), *_succession(rows)]


def _following(rows: Sequence[Member], leaders: Sequence[Member]) -> list[Finding]:
    """Followers of somebody who does not lead. Between two leaders nothing is firm, and the warning says so."""
    if len(leaders) != 1 or any(row.role == "deposed_leader" for row in rows):
        return []
    stray = [
        (row.name, other.name)
        for row in rows
        if row.role == "follower" and (whom := leadership.followed(row)) and not leadership.names(leaders[0], whom)
        for other in rows
        if leadership.names(other, whom)
    ]
    return [_fail(f"{name} follows {other}, and {leaders[0].name} leads") for name, other in stray]


def _succession(rows: Sequence[Member]) -> list[Finding]:
    """Whether somebody could take over from the leader, where the table tells."""
    others = [leadership.eligible(row) for row in rows if row.role != "leader"]
    if not others or any(said is not False for said in others):
        return []
    text = "no follower is eligible to lead: nobody could take over from the leader"
    return [Finding(Status.WARN, text, remediation=_ELIGIBLE)]


def _role(row: Member, rows: Sequence[Member]) -> list[Finding]:
    if row.role == "leader":
        right = row.postgresql == "leader"
        return [] if right else [_fail(f"{row.name} is the leader, but its PostgreSQL is {row.postgresql}")]
    if row.role == "deposed_leader":
        text = f"{row.name} is a deposed_leader and should become a follower soon: look again"
        return [Finding(Status.WARN, text, remediation=_WAIT)]
    if row.role == "waiting_for_leader":
        return [_fail(f"{row.name} is waiting_for_leader")]
    if row.role != "follower":
        return [_error(f"role {row.role!r} of {row.name} is not understood", row)]
    if row.postgresql == "leader":
        return [_fail(f"{row.name} is a follower, but its PostgreSQL is leader")]
    if row.postgresql != "follower" and not any(
        leadership.names(other, leadership.beside_follower(row)) for other in rows
    ):
        return [_error(f"PG of {row.name} is {row.postgresql!r}, which is not understood", row)]
    return []


def services(name: str, status: ServiceStatus, *, deposed: int = 0) -> list[Finding]:
    """Judge the table of services as backend `name` prints it, while `deposed` members are between two roles.

    What came with 1.4 is missed by `newer` alone, which knows the version.
    """
    findings: list[Finding] = []
    there = {service.name for service in status.services} | {SINCE_1_4}
    findings += [Finding(Status.ERROR, f"no line for {missing}") for missing in _SERVICES if missing not in there]
    for service in status.services:
        if not service.running:
            findings.append(_fail(f"{service.name} is down on {name}", local=True))
        findings += _distributed(service, deposed)
    return findings


def _distributed(service: ServiceState, deposed: int) -> list[Finding]:
    wanted = _SERVICES.get(service.name)
    if wanted is None:
        return [_unread(service)]
    said = _pairs(service.distributed)
    if "error" in said:
        return [_fail(f"{service.name} says: {service.distributed}")]
    if not _understood(said, wanted):
        return [_unread(service)]
    # A member between two roles is counted nowhere for a while; the warning about it says so.
    if said == wanted or (deposed and _in_transition(service.name, said, deposed)):
        return []
    return [_fail(f"{service.name}: {service.distributed}")]


def _understood(said: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Whether `said` has the keys of `wanted`, each with a value of its kind."""
    return set(said) == set(wanted) and all(
        any(kind.fullmatch(said[key]) and kind.fullmatch(value) for kind in _KINDS) for key, value in wanted.items()
    )


def _in_transition(name: str, said: Mapping[str, str], deposed: int) -> bool:
    counted = {"leaderl": "follower", "postgresql": "synced"}.get(name)
    if counted is None:
        return False
    firm = {"leader": "1", "waiting": "0"}
    return all(said[key] == value for key, value in firm.items() if key in said) and int(said[counted]) >= 2 - deposed


def systems(name: str, status: ServiceStatus) -> list[Finding]:
    """Judge the second table, which versions before 1.4 do not print."""
    findings: list[Finding] = []
    for system in status.systems:
        said = _pairs(system.distributed)
        findings += _local(name, system)
        if "error" in said:
            findings.append(_fail(f"{system.name} says: {system.distributed}"))
        elif not _understood(said, _SYSTEM):
            findings.append(_unread(system))
        elif said != _SYSTEM:
            findings.append(_fail(f"{system.name}: {system.distributed}"))
    return findings


def _local(name: str, system: SystemState) -> list[Finding]:
    """Judge the local status: a part for each path, joined by semicolons, and each of them OK.

    A part that tells of trouble fails. What tells of nothing is not understood: an empty part, one that was cut, or an
    OK that is nobody's. Any paths may be configured, so a path that is not there can be missed only beside the others'.
    """
    findings = []
    for part in (part.strip() for part in system.local.split(";")):
        found = _DISK.fullmatch(part)
        state = found["state"] if found else part
        if found and state.upper() == "OK":
            continue
        text = f"{system.name} on {name}: {part or 'an empty part'}"
        # Where several are run together, the last one's OK is not theirs.
        run_together = bool(found) and state.upper().endswith(": OK")
        if run_together or "OK".startswith(state.upper()) or re.fullmatch(r"/[^:]*:?|/\S+", part):
            findings.append(Finding(Status.ERROR, f"{text} is not understood: {system.line}", local=True))
        else:
            findings.append(_fail(text if part == system.local else f"{text} (of {system.local})", local=True))
    return findings


def disk_paths(status: ServiceStatus) -> frozenset[str] | None:
    """The paths that the disks' line tells of, whatever it says of them; None where they cannot be told."""
    texts = [system.local for system in status.systems if system.name == "disks"]
    found = [_DISK.fullmatch(part.strip()) for text in texts for part in text.split(";")]
    paths = frozenset(match["path"] for match in found if match)
    return paths if found and all(found) else None


def newer(status: ServiceStatus, *, before_1_4: bool | None, why: str = "") -> list[Finding]:
    """Miss what backends print since 1.4; `why` says why it is not known (None) whether this one is older."""
    there = {row.name for row in status.services} | {row.name for row in status.systems}
    missing = [text for name, text in ((SINCE_1_4, SINCE_1_4), ("disks", "the disks")) if name not in there]
    if before_1_4 or not missing:
        return []
    doubt = "" if before_1_4 is False else f"; whether this one is older is not known: {why}"
    return [Finding(Status.ERROR, f"no line for {' and '.join(missing)}, which backends print since 1.4{doubt}")]


def ending(name: str, status: ServiceStatus) -> list[Finding]:
    """Judge how the command ended, whose tables show no fault."""
    if not status.exit_code:
        return []
    text = f"`chef-backend-ctl status` on {name} ended with exit code {status.exit_code}, and its tables show no fault"
    return [Finding(Status.ERROR, text, local=True)]


def comparable(view: ClusterStatus) -> frozenset[tuple[str, ...]]:
    """The view without its order, and with a deposed leader taken for the follower that it becomes."""
    return frozenset(
        (row.name, row.ip, row.guid, "follower", "follower", row.elasticsearch)
        if row.role == "deposed_leader"
        else (row.name, row.ip, row.guid, row.role, row.postgresql, row.elasticsearch)
        for row in view.members
    )


def _pairs(text: str) -> dict[str, str]:
    """`leader: 1; waiting: 0` as a mapping; a part without a colon stands under its own name.

    What is said twice is kept twice, which nothing understands.
    """
    found: dict[str, str] = {}
    for part in filter(str.strip, text.split(";")):
        key, _, value = (piece.strip() for piece in part.partition(":"))
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def _fail(text: str, *, local: bool = False) -> Finding:
    return Finding(Status.FAIL, text, local)


def _error(text: str, row: Member) -> Finding:
    cells = (row.name, row.ip, row.guid, row.role, row.postgresql, row.elasticsearch)
    return Finding(Status.ERROR, f"{text}: {'  '.join(cells)}")


def _unread(row: ServiceState | SystemState) -> Finding:
    return Finding(Status.ERROR, f"a line of the status is not understood: {row.line}")
