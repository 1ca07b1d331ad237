"""Readers of what a frontend of a Chef Backend cluster says of itself. What is not understood is shown."""

from __future__ import annotations

import json
import re

from checks.chef_backend.facts.machine import FrontendApi, FrontendMembers, FrontendPackage, FrontendServices
from scanner.probes.chef_backend.node_readers import DPKG_STATE, FRONTEND_CONFIG, PACKAGE_VERSION, nothing_found
from scanner.probes.linux.local_http import read_said
from scanner.probes.linux.printed import error_lines, printed_lines, refuse, shown
from scanner.probes.probe import Answer, UnreadableError

MIGRATION_LEVEL = "/var/opt/opscode/upgrades/migration-level"
ADDONS = ("chef-manage", "opscode-manage", "opscode-push-jobs-server", "opscode-reporting")
"""What `chef-server-ctl install` installs beside the server, by the packages' names."""

_LEVEL = re.compile(r"\{[\w\":,]{1,200}\}")
_PACKAGE = re.compile(rf"package (none|{PACKAGE_VERSION})", re.ASCII)
_DEB = re.compile(rf"deb {DPKG_STATE}(?: (?P<version>{PACKAGE_VERSION}))?", re.ASCII)
# What dpkg says of a package that was removed, or never there.
_ABSENT = ("not-installed", "config-files")


def read_frontend_package(answer: Answer) -> FrontendPackage:
    """The package of Chef Infra Server, its add-ons and the migration-level. Raises UnreadableError."""
    what = "the installed package of chef-server-core"
    lines = printed_lines(answer, what)
    if "level" not in lines:
        return _package_as_before(answer, lines)
    at = lines.index("level")
    version, manager, state = _package(what, lines[:at])
    addons = tuple(line.partition(" ")[2] for line in lines[:at] if line.startswith("addon "))
    code = re.fullmatch(r"code (\d{1,3})", lines[-1])
    if not code:
        raise UnreadableError(f"{what}: not understood: {shown(lines)}")
    level, level_state, problem = _level("".join(lines[at + 1 : -1]), int(code[1]), answer)
    return FrontendPackage(
        version=version,
        migration_level=level,
        level_state=level_state,
        level_problem=problem,
        state=state,
        manager=manager,
        addons=addons,
    )


def _package(what: str, lines: list[str]) -> tuple[str, str, str]:
    """Version, manager and state of the package."""
    first = lines[0] if lines else ""
    plain = _PACKAGE.fullmatch(first)
    deb = _DEB.fullmatch(first)
    if plain:
        return ("" if plain[1] == "none" else plain[1]), ("rpm" if "manager rpm" in lines else ""), "installed"
    if not deb:
        raise UnreadableError(f"{what}: not understood: {shown(lines)}")
    if deb["state"] in _ABSENT:
        return "", "", "installed"
    return deb["version"] or "", "deb", deb["state"]


def _level(text: str, code: int, answer: Answer) -> tuple[str, str, str]:
    """The level, what became of reading it, and why it was not read."""
    level = "".join(text.split())
    if code == 0 and _LEVEL.fullmatch(level):
        return level, "read", ""
    if code == 0 and not level:
        return "", "empty", ""
    if code == 0:
        return "", "unread", f"the migration-level is not understood: {shown([text])}"
    errors = error_lines(answer)
    if any("migration-level" in line and line.endswith("No such file or directory") for line in errors):
        return "", "missing", ""
    try:
        refuse(answer, f"cat {MIGRATION_LEVEL}")
    except UnreadableError as error:
        return "", "unread", str(error)
    why = shown(errors) if errors else f"cat ended with exit code {code}"
    return "", "unread", f"{MIGRATION_LEVEL} may not be read: {why}"


def _package_as_before(answer: Answer, lines: list[str]) -> FrontendPackage:
    """What earlier versions asked: the package, then the level and nothing that tells how that went."""
    what = "the installed package of chef-server-core"
    package = _PACKAGE.fullmatch(lines[0]) if lines else None
    level = "".join("".join(lines[1:]).split())
    errors: list[str] = []
    if not level:
        refuse(answer, "cat migration-level")
        errors = [line for line in error_lines(answer) if "migration-level" in line]
    if not package or not (level or errors):
        raise UnreadableError(f"{what}: not understood: {shown(lines)}")
    version = "" if package[1] == "none" else package[1]
    if re.search(r"cat: .*: No such file or directory", " ".join([*lines[1:], *errors])):
        return FrontendPackage(version=version, migration_level="", level_state="missing")
    if not _LEVEL.fullmatch(level):
        raise UnreadableError(f"the migration-level is not understood: {shown(lines[1:] or errors)}")
    return FrontendPackage(version=version, migration_level=level)


# What runit's `sv status` prints, which chef-server-ctl shows as it is, and its own lines for external services.
_STATUS = re.compile(r"(?P<state>run|down|finish|fail|warning): (?P<name>[\w./-]+)(?::(?P<rest>.*))?")
_LOG = re.compile(r"; (?P<state>run|down|finish): log: |; log: ")
_UPTIME = re.compile(r"\(pid \d+\) (?P<seconds>\d{1,12})s")
# A process of runit's, or what answers elsewhere. The external ones say that always.
# How a line ends that lacks nothing but its end.
_WHOLE = re.compile(r"( \d+s|:\d{4,5}/?|, (normally|want) (up|down)|, paused|, got TERM|does not exist|giving up)$")
_CONNECTED = ("postgresql", "opscode-solr4", "elasticsearch", "opensearch")
_RUNS = re.compile(r" (\(pid \d+\) \d+s|connected OK to \S)")
_DOWN = re.compile(r" ?\d{1,12}s(, normally up)?(, want up)?")
# The headings that part the internal services from the external ones.
_HEADING = re.compile(r"-+|(?P<which>Internal|External) Services")
_YOUNG_S = 60
_OLD_S = 600
"""A service that is younger than the one, beside others that are older than the other, was started by itself."""


def read_frontend_services(answer: Answer) -> FrontendServices:
    """The lines of `chef-server-ctl status`. Raises UnreadableError."""
    what = "chef-server-ctl status"
    lines = printed_lines(answer, what)
    if lines and not answer.output.endswith("\n") and not _WHOLE.search(lines[-1]):
        # No list of services is complete whose last line is cut.
        raise UnreadableError(f"the output of `{what}` is cut off: it ends with {shown(lines[-1:])}")
    found: dict[str, list[str]] = {"running": [], "down": [], "kept_down": [], "ailing": [], "mute": [], "external": []}
    uptimes: dict[str, int] = {}
    outside = False
    for line in lines:
        heading = _HEADING.fullmatch(line)
        match = _STATUS.fullmatch(line)
        if heading:
            outside = heading["which"] == "External" if heading["which"] else outside
        elif not match:
            raise UnreadableError(f"`{what}` printed what is not understood: {shown([line])}")
        else:
            name, rest = match["name"], match["rest"] or ""
            found["external"] += [name] if outside else []
            own, log = _halves(rest)
            if match["state"] == "run" and (name in _CONNECTED or match["rest"]) and not _RUNS.match(own):
                raise UnreadableError(f"`{what}` does not say how a service runs: {shown([line])}")
            kind = _kind(match["state"], own, line)
            found[kind].append(name if kind == "running" else line)
            found["mute"] += [name] if log in ("down", "finish") else []
            uptime = _UPTIME.search(own)
            if match["state"] == "run" and uptime:
                uptimes[name] = int(uptime["seconds"])
    if not any(found.values()):
        raise UnreadableError(f"`{what}` printed what is not understood: {shown(lines or error_lines(answer))}")
    if answer.exit_code != 0 and not (found["down"] or found["kept_down"] or found["ailing"]):
        said = "; ".join(error_lines(answer)[-1:])
        raise UnreadableError(
            f"`{what}` ended with exit code {answer.exit_code} although nothing is down{f': {said}' if said else ''}"
        )
    old = sum(seconds >= _OLD_S for seconds in uptimes.values())
    restarted = [name for name, seconds in uptimes.items() if seconds < _YOUNG_S] if old * 2 >= len(uptimes) else []
    kept = tuple(line.split(":")[1].strip() for line in found["kept_down"])
    return FrontendServices(
        running=tuple(found["running"]),
        down=tuple(found["down"]),
        kept_down=kept,
        ailing=tuple(found["ailing"]),
        restarted=tuple(restarted),
        mute=tuple(found["mute"]),
        external=tuple(found["external"]),
    )


def _halves(rest: str) -> tuple[str, str]:
    """What is said of a service itself, and the state of its log service; empty where it has none."""
    log = _LOG.search(rest)
    return (rest[: log.start()], log["state"] or "down") if log else (rest, "")


def _kind(state: str, own: str, line: str) -> str:
    """Under which of the fact's fields the line belongs. Raises UnreadableError."""
    if state == "run":
        # `paused`, `want down` and `got TERM` are said of a process that is there, and does not serve or will not.
        return "ailing" if re.search(r", (paused|want down|got TERM)", own) else "running"
    if state == "finish":
        return "ailing"
    if state == "warning" and "file does not exist" not in own:
        # Nothing is said of the service: the account may not look, or the answer was cut short.
        raise UnreadableError(f"`chef-server-ctl status` could not look at a service: {shown([line])}")
    plain = _DOWN.fullmatch(own)
    # Without "normally up" a file `down` in the service's folder keeps runit from starting it.
    return "kept_down" if state == "down" and plain and not plain[1] and not plain[2] else "down"


def read_frontend_api(answer: Answer) -> FrontendApi:
    """What /_status answered. Raises UnreadableError.

    With a code other than 2xx the body is read only for what it may add: a proxy before the server has its own.
    """
    what = "the answer of /_status"
    lines = printed_lines(answer, what)
    found = read_said(answer, lines)
    if not found:
        raise UnreadableError(f"{what} is not understood: {shown(lines)}")
    if found.code is None:
        return FrontendApi(code=None, asked=found.asked, is_guess=found.is_guess)
    try:
        said = json.loads(found.body)
        upstreams = tuple((str(name), str(state)) for name, state in said["upstreams"].items())
        if not all(_UPSTREAM.fullmatch(name) for name, _ in upstreams):
            raise ValueError("no name of an upstream")  # noqa: TRY301  told below with the rest
        return FrontendApi(
            code=found.code, status=str(said["status"]), upstreams=upstreams, asked=found.asked, is_guess=found.is_guess
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        if found.code // 100 != 2:  # the codes that say yes
            return FrontendApi(code=found.code, asked=found.asked, is_guess=found.is_guess)
        raise UnreadableError(f"{what} is not understood: {shown(lines)}") from None


_UPSTREAM = re.compile(r"[\w.-]{1,100}", re.ASCII)
_LIST = re.compile(r"members \(?\s*(?:%w)?[\[({](?P<items>[^\])}]*)[\])}]\s*\)?")
_MEMBER = re.compile(r"[A-Za-z0-9_.:-]{1,253}")


def read_frontend_members(answer: Answer) -> FrontendMembers:
    """The list in chef_backend_members; where it is set more than once, the last holds. Raises UnreadableError."""
    lines = printed_lines(answer, f"grep {FRONTEND_CONFIG}")
    said = [line for line in lines if line == "members" or line.startswith("members ")]
    if not said:
        nothing_found(answer, "chef_backend_members")
    odd = [line for line in lines[:-1] if line not in said and not line.endswith("No such file or directory")]
    if odd or lines[-1:] != ["asked"]:
        raise UnreadableError(f"chef_backend_members is not understood: {shown(odd or lines)}")
    if not said:
        return FrontendMembers("unset")
    found = _LIST.fullmatch(said[-1])
    items = re.split(r"[\s,]+", found["items"].strip().strip(",")) if found else []
    members = tuple(item.strip("'\"") for item in items if item)
    if not found or not all(_MEMBER.fullmatch(member) for member in members):
        return FrontendMembers("unclear")
    return FrontendMembers("listed", members) if members else FrontendMembers("unset")
