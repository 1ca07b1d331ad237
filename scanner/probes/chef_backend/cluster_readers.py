"""Readers of what Chef Backend prints. A line that is not understood is shown in an error, never dropped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from checks.chef_backend.facts.cluster import (
    ChefBackendVersion,
    ClusterStatus,
    LeaderFlags,
    Member,
    ServiceState,
    ServiceStatus,
    SystemState,
)
from scanner.probes.linux.printed import between_ends, error_lines, odd_line, printed_lines, said_instead, short
from scanner.probes.probe import Answer, UnreadableError

LEADERL_DATA = "/var/opt/chef-backend/leaderl/data"

_CTL = "chef-backend-ctl"
_GAP = re.compile(r"\s{2,}|\t")
_GUID = re.compile(r"[0-9a-f]{32}")
_DENIED = re.compile(r"permission denied|operation not permitted", re.IGNORECASE)
_STATE = r"(?P<local>running \(pid (?P<pid>\d+)\)|down)"
# A larger unit is followed by all the smaller ones.
_TIME = r"(?:(?:(?:\d+d\s*)?\d+h\s*)?\d+m\s*)?\d+s"
_SERVICE = re.compile(rf"(?P<name>[\w-]+)\s+{_STATE}(?:\s+(?P<time>{_TIME}))?(?:\s+(?P<rest>\S.*))?")
_LOCAL = re.compile(_STATE)
_UNIT_S = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SYSTEM = re.compile(r"(?P<name>[\w-]+)\s+(?P<local>\S.*?)\s+(?P<rest>(?:health|state|status|error): .*)")
_SAID = re.compile(r"(?:health|state|status|error): ")
# All releases have three numbers, and builds a stamp or a package's number behind them: fewer are half a version.
_VERSION = re.compile(
    r"(?:chef-backend\s+)?v?(?P<text>\d+\.\d+\.\d+(?:[.~+-](?:(?:alpha|beta|rc|dev|git|build|el)[.]?)?\d\w*)*)",
    re.IGNORECASE | re.ASCII,
)

_MEMBER_COLUMNS = ("Name", "IP", "GUID", "Role", "PG", "ES")
_FAILOVER_COLUMNS = ("Blocked", "Eligible")
"""Of 2.0.30 and later: who may lead. Each has a word for either case."""
_SERVICE_COLUMNS = ("Service", "Local Status", "Time in State", "Distributed Node Status")
_SYSTEM_COLUMNS = ("System", "Local Status", "Distributed Node Status")


def read_cluster_status(answer: Answer) -> ClusterStatus:
    """The table of `chef-backend-ctl cluster-status`. Raises UnreadableError."""
    what = f"{_CTL} cluster-status"
    lines = printed_lines(answer, what)
    header, at = _first_header(answer, what, lines, _MEMBER_COLUMNS)
    members = tuple(_member(what, header, lines[at], line) for line in lines[at + 1 :])
    if not members:
        raise UnreadableError(f"`{what}` printed a table without a row: {lines[at]!r}")
    # Old versions exit so when there is no leader, which the table shows; with a leader in it, nobody knows why.
    if answer.exit_code != 0 and any(member.role == "leader" for member in members):
        raise UnreadableError(f"`{what}` ended with exit code {answer.exit_code} although it printed a table")
    return ClusterStatus(members)


def read_service_status(answer: Answer) -> ServiceStatus:
    """The one or two tables of `chef-backend-ctl status`. Raises UnreadableError."""
    what = f"{_CTL} status"
    lines = printed_lines(answer, what)
    header, at = _first_header(answer, what, lines, _SERVICE_COLUMNS)
    system_header, split = _header(lines, _SYSTEM_COLUMNS)
    end = len(lines) if split is None else split
    ruler = "" if split is None else lines[split]
    services = tuple(_service(what, header, lines[at], line) for line in lines[at + 1 : end])
    systems = tuple(_system(what, system_header, ruler, line) for line in lines[end + 1 :])
    if not services:
        raise UnreadableError(f"`{what}` printed a table without a row: {lines[at]!r}")
    names = Counter([row.name for row in services] + [row.name for row in systems])
    for name, count in names.items():
        if count > 1:
            raise UnreadableError(f"`{what}` lists {name} twice")
    return ServiceStatus(services, systems, answer.exit_code)


def read_leader_flags(answer: Answer) -> LeaderFlags:
    """Which flag files lie in leaderl's data directory, from a listing of it. Raises UnreadableError."""
    what = f"ls -a {LEADERL_DATA}"
    lines = between_ends(printed_lines(answer, what), what)
    if answer.exit_code != 0 or not {".", ".."} <= set(lines):
        text = "; ".join([*lines, *error_lines(answer)]) or "no output"
        if _DENIED.search(text):
            raise UnreadableError(
                f"{LEADERL_DATA} may not be read: it needs root (set `sudo = true`, or log in as root)"
            )
        raise UnreadableError(f"`{what}` ended with exit code {answer.exit_code}: {short(text)}")
    return LeaderFlags(unsynced="unsynced" in lines, no_start_pgsql="no-start-pgsql" in lines)


def read_version(answer: Answer) -> ChefBackendVersion:
    """The first line of the version manifest, which `chef-backend-ctl --version` prints. Raises UnreadableError."""
    what = f"{_CTL} --version"
    lines = printed_lines(answer, what)
    for line in lines:
        match = _VERSION.fullmatch(line.strip())
        if match and answer.exit_code == 0:
            return ChefBackendVersion(match["text"])
    text = "; ".join([*lines, *error_lines(answer)]) or "no output"
    if "No such file" in text:
        raise UnreadableError(f"{_CTL} is not there: is this a Chef Backend node?")
    raise UnreadableError(f"`{what}` printed no version: {short(text)}")


def _first_header(answer: Answer, what: str, lines: Sequence[str], columns: Sequence[str]) -> tuple[list[str], int]:
    """The header that the table begins with, and where it stands: before it there may be nothing."""
    header, at = _header(lines, columns)
    if at is None:
        raise _no_table(answer, what, lines)
    if at:
        raise odd_line(what, lines[0])
    return header, at


def _header(lines: Sequence[str], columns: Sequence[str]) -> tuple[list[str], int | None]:
    """The column names and the index of the line that has them; mangled blanks are allowed where nothing is added."""
    for index, line in enumerate(lines):
        cells = _GAP.split(line)
        if cells[0] == columns[0] and set(columns) <= set(cells):
            return cells, index
        if line.split() == " ".join(columns).split():
            return list(columns), index
        if not any(" " in column for column in columns) and set(columns) <= set(line.split()):
            return line.split(), index
    return [], None


def _member(what: str, header: Sequence[str], ruler: str, line: str) -> Member:
    for cells in (_cells(header, ruler, line), line.split()):
        if len(cells) == len(header):
            name, ip, guid, role, postgresql, elasticsearch = (cells[header.index(each)] for each in _MEMBER_COLUMNS)
            further = tuple(
                (column, cell) for column, cell in zip(header, cells, strict=True) if column not in _MEMBER_COLUMNS
            )
            member = Member(
                name=name,
                ip=ip,
                guid=guid,
                role=role,
                postgresql=postgresql,
                elasticsearch=elasticsearch,
                columns=further,
            )
            told = [cell for column, cell in further if column in _FAILOVER_COLUMNS]
            if _GUID.fullmatch(member.guid) and all(
                (member.name, member.role, member.postgresql, member.elasticsearch, *told)
            ):
                return member
    raise odd_line(what, line)


def _service(what: str, header: Sequence[str], ruler: str, line: str) -> ServiceState:
    cells = _cells(header, ruler, line)
    if cells:
        name, local, time, rest = (cells[header.index(column)] for column in _SERVICE_COLUMNS)
        state = _LOCAL.fullmatch(" ".join(local.split()))
        if state and re.fullmatch(_TIME, time):
            return ServiceState(
                name=name,
                running=state["pid"] is not None,
                pid=_number(state["pid"]),
                uptime_s=_seconds(time),
                distributed=_fold(rest),
                line=line,
            )
    match = _SERVICE.fullmatch(_fold(line))
    # With columns of a later version, what is the last one cannot be told from a line whose columns do not line up.
    if not match or len(header) != len(_SERVICE_COLUMNS):
        raise odd_line(what, line)
    pid = _number(match["pid"])
    return ServiceState(
        name=match["name"],
        running=pid is not None,
        pid=pid,
        uptime_s=_seconds(match["time"]),
        distributed=match["rest"] or "",
        line=line,
    )


def _system(what: str, header: Sequence[str], ruler: str, line: str) -> SystemState:
    cells = _cells(header, ruler, line)
    if cells:
        name, local, rest = (cells[header.index(column)] for column in _SYSTEM_COLUMNS)
        # Else any line of garbage would be a system that is not OK.
        if _SAID.match(rest) and " " not in name:
            return SystemState(name, local, _fold(rest), line)
        raise odd_line(what, line)
    match = _SYSTEM.fullmatch(_fold(line))
    if not match or len(header) != len(_SYSTEM_COLUMNS):
        raise odd_line(what, line)
    return SystemState(match["name"], match["local"], match["rest"], line)


def _cells(header: Sequence[str], ruler: str, line: str) -> list[str]:
    """The line's cells, one for each column; none where they cannot be told. `ruler` is the header's own line."""
    cells = _GAP.split(line)
    return cells if len(cells) == len(header) else _aligned(header, ruler, line)


def _aligned(header: Sequence[str], ruler: str, line: str) -> list[str]:
    """The cells by where the columns begin, because an empty one is no more than a wider gap."""
    starts = []
    end = 0
    for column in header:
        starts.append(ruler.find(column, end))
        end = starts[-1] + len(column)
    if any(line[start - 1 : start].strip() for start in starts[1:]):
        return []
    cells = [line[start:stop].strip() for start, stop in zip(starts, (*starts[1:], None), strict=True)]
    return [] if any(_GAP.search(cell) for cell in cells) else cells


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)


def _seconds(text: str | None) -> int | None:
    if not text:
        return None
    return sum(int(count) * _UNIT_S[unit] for count, unit in re.findall(r"(\d+)([dhms])", text))


def _fold(text: str) -> str:
    return " ".join(text.split())


def _no_table(answer: Answer, what: str, lines: Sequence[str]) -> UnreadableError:
    said = short(said_instead(answer, lines))
    if answer.exit_code != 0:
        return UnreadableError(f"`{what}` ended with exit code {answer.exit_code}: {said}")
    return UnreadableError(f"`{what}` printed no table: {said}")
