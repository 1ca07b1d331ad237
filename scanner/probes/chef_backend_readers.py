"""Readers of what Chef Backend prints. A line that is not understood is shown in an error, never dropped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from checks.chef_backend.facts import (
    ChefBackendVersion,
    ClusterStatus,
    LeaderFlags,
    Member,
    ServiceState,
    ServiceStatus,
    SystemState,
)
from scanner.probes.probe import Answer, UnreadableError

_LINE_CHARS = 1_000
_TEXT_CHARS = 64 * 1024
LEADERL_DATA = "/var/opt/chef-backend/leaderl/data"

_CTL = "chef-backend-ctl"
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_GAP = re.compile(r"\s{2,}|\t")
_GUID = re.compile(r"[0-9a-f]{32}")
# Printed by sudo, shells and the Ruby interpreter beside a good answer; they say nothing about Chef.
_NOISE = re.compile(r"sudo: unable to resolve host|.*warning: setlocale:|/\S+\.rb:\d+: warning: ", re.IGNORECASE)
_SUDO_PASSWORD = re.compile(
    r"sudo(-rs)?: .*(password is required|terminal is required|no tty present|must have a tty"
    r"|authentication is required)",
    re.IGNORECASE,
)
_SUDO_DENIED = re.compile(
    r"is not in the sudoers file|is not allowed to (execute|run)|may not run sudo|I'm afraid I can't do that",
    re.IGNORECASE,
)
_NO_SUDO = re.compile(r"(^|[:\s])sudo: (command )?not found")
_NO_COMMAND = re.compile(r"(?P<name>[\w./-]+): (command )?not found")
_DENIED = re.compile(r"permission denied|operation not permitted", re.IGNORECASE)
_STATE = r"(?P<local>running \(pid (?P<pid>\d+)\)|down)"
_TIME = r"(?:\d+d\s*)?(?:\d+h\s*)?(?:\d+m\s*)?\d+s"
_SERVICE = re.compile(rf"(?P<name>[\w-]+)\s+{_STATE}(?:\s+(?P<time>{_TIME}))?(?:\s+(?P<rest>\S.*))?")
_LOCAL = re.compile(_STATE)
_UNIT_S = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SYSTEM = re.compile(r"(?P<name>[\w-]+)\s+(?P<local>\S.*?)\s+(?P<rest>(?:health|state|status|error): .*)")
_SAID = re.compile(r"(?:health|state|status|error): ")
_VERSION = re.compile(r"(?:chef-backend\s+)?v?(?P<text>\d+\.\d+[\w.+~-]*)", re.IGNORECASE)

_MEMBER_COLUMNS = ("Name", "IP", "GUID", "Role", "PG", "ES")
_SERVICE_COLUMNS = ("Service", "Local Status", "Time in State", "Distributed Node Status")
_SYSTEM_COLUMNS = ("System", "Local Status", "Distributed Node Status")


def read_cluster_status(answer: Answer) -> ClusterStatus:
    """The table of `chef-backend-ctl cluster-status`. Raises UnreadableError."""
    what = f"{_CTL} cluster-status"
    lines = printed_lines(answer, what)
    header, at = _header(lines, _MEMBER_COLUMNS)
    if at is None:
        raise _no_table(answer, what, lines)
    for line in lines[:at]:
        raise _odd(what, line)
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
    header, at = _header(lines, _SERVICE_COLUMNS)
    if at is None:
        raise _no_table(answer, what, lines)
    for line in lines[:at]:
        raise _odd(what, line)
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
    lines = printed_lines(answer, what)
    if answer.exit_code != 0 or not {".", ".."} <= set(lines):
        text = "; ".join(lines) or "no output"
        if _DENIED.search(text):
            raise UnreadableError(
                f"{LEADERL_DATA} may not be read: it needs root (set `sudo = true`, or log in as root)"
            )
        raise UnreadableError(f"`{what}` ended with exit code {answer.exit_code}: {_short(text)}")
    return LeaderFlags(unsynced="unsynced" in lines, no_start_pgsql="no-start-pgsql" in lines)


def read_version(answer: Answer) -> ChefBackendVersion:
    """The first line of the version manifest, which `chef-backend-ctl --version` prints. Raises UnreadableError."""
    what = f"{_CTL} --version"
    lines = printed_lines(answer, what)
    for line in lines:
        match = _VERSION.fullmatch(line.strip())
        if match and answer.exit_code == 0:
            return ChefBackendVersion(match["text"])
    text = "; ".join(lines) or "no output"
    if "No such file" in text:
        raise UnreadableError(f"{_CTL} is not there: is this a Chef Backend node?")
    raise UnreadableError(f"`{what}` printed no version: {_short(text)}")


def printed_lines(answer: Answer, what: str) -> list[str]:
    """The printed lines without colours, blank ends and known noise; refusals are raised here."""
    if len(answer.output) > _TEXT_CHARS:
        raise UnreadableError(f"`{what}` printed {len(answer.output)} characters: {_short(answer.output)!r}")
    text = _ANSI.sub("", answer.output).replace("\u00a0", " ").replace("\r", "\n")
    lines = [line.strip() for line in text.split("\n")]
    for line in lines:
        # No table is as wide, and patterns may take long over what a hostile node makes up.
        if len(line) > _LINE_CHARS:
            raise _odd(what, line)
    lines = [line for line in lines if line and not _NOISE.match(line)]
    for line in lines:
        if _SUDO_PASSWORD.search(line):
            raise UnreadableError(
                f"sudo wants a password for `{what}` (allow it with NOPASSWD in sudoers, or log in as root): "
                f"{_short(line)}"
            )
        if _SUDO_DENIED.search(line):
            raise UnreadableError(f"sudo does not allow `{what}` (allow it with NOPASSWD in sudoers): {_short(line)}")
    if answer.exit_code == 0:
        # It let the command run, and what else it complains of (limits, its own files) is its own affair.
        lines = [line for line in lines if not line.startswith("sudo: ")]
    else:
        for line in lines:
            if _NO_SUDO.search(line):
                raise UnreadableError("sudo is not there (leave out `sudo`, and log in as root)")
            missing = _NO_COMMAND.search(line)
            if missing and missing["name"].endswith(_CTL):
                raise UnreadableError(f"{_CTL} is not there: is this a Chef Backend node?")
        if answer.exit_code == 127:
            raise UnreadableError(f"`{what}`: command not found: {_short('; '.join(lines) or 'no output')}")
    if answer.truncated:
        raise UnreadableError(f"the output of `{what}` was cut at the size cap")
    return lines


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
            member = Member(*(cells[header.index(column)] for column in _MEMBER_COLUMNS))
            if _GUID.fullmatch(member.guid) and all(
                (member.name, member.role, member.postgresql, member.elasticsearch)
            ):
                return member
    raise _odd(what, line)


def _service(what: str, header: Sequence[str], ruler: str, line: str) -> ServiceState:
    cells = _cells(header, ruler, line)
    if cells:
        name, local, time, rest = (cells[header.index(column)] for column in _SERVICE_COLUMNS)
        state = _LOCAL.fullmatch(" ".join(local.split()))
        if state and re.fullmatch(_TIME, time):
            return ServiceState(
                name, state["pid"] is not None, _number(state["pid"]), _seconds(time), _fold(rest), line
            )
    match = _SERVICE.fullmatch(_fold(line))
    # With columns of a later version, what is the last one cannot be told from a line whose columns do not line up.
    if not match or len(header) != len(_SERVICE_COLUMNS):
        raise _odd(what, line)
    pid = _number(match["pid"])
    return ServiceState(match["name"], pid is not None, pid, _seconds(match["time"]), match["rest"] or "", line)


def _system(what: str, header: Sequence[str], ruler: str, line: str) -> SystemState:
    cells = _cells(header, ruler, line)
    if cells:
        name, local, rest = (cells[header.index(column)] for column in _SYSTEM_COLUMNS)
        # Else any line of garbage would be a system that is not OK.
        if _SAID.match(rest) and " " not in name:
            return SystemState(name, local, _fold(rest), line)
        raise _odd(what, line)
    match = _SYSTEM.fullmatch(_fold(line))
    if not match or len(header) != len(_SYSTEM_COLUMNS):
        raise _odd(what, line)
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
    said = _short("; ".join(lines)) if lines else "no output"
    if answer.exit_code != 0:
        return UnreadableError(f"`{what}` ended with exit code {answer.exit_code}: {said}")
    return UnreadableError(f"`{what}` printed no table: {said}")


def _odd(what: str, line: str) -> UnreadableError:
    return UnreadableError(f"`{what}` printed a line that is not understood: {_short(line)!r}")


def _short(text: str, limit: int = 300) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"
