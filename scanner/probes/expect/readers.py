"""From what a node answered to what was found of an expectation. What is not understood, or cut off, is refused."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import stat
from collections.abc import Callable, Mapping
from typing import Any

from checks.engine.expect.findings import holds
from checks.engine.expect.model import Expectation
from checks.engine.expect.observation import Observation, observation_kind
from checks.engine.wording import count
from scanner.errors import shortened
from scanner.probes.expect.sh import END
from scanner.probes.probe import Answer, UnreadableError

_SHOWN_CHARS = 400
_VALUE_CHARS = 4_000
_VERSION = re.compile(r"(?<![0-9.])[0-9]+(?:\.[0-9]+)+(?:[A-Za-z][0-9A-Za-z]*)?(?:[-+~][0-9A-Za-z][0-9A-Za-z.+~-]*)?")
_TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "folder"}

Found = dict[str, str]


def read_sh(wanted: Expectation, answer: Answer) -> Observation:
    """What a shell answered. Raises UnreadableError."""
    if wanted.kind == "command":
        return _command(wanted, answer)
    if answer.truncated:
        raise UnreadableError(f"expect {wanted.id}: the answer is cut off")
    lines = answer.output.splitlines()
    if answer.exit_code != 0 or not lines or lines[-1] != END:
        first = next((line for line in lines if line.strip() and line != END), "nothing")
        raise UnreadableError(f"expect {wanted.id}: the answer does not end as it should; it begins {_short(first)!r}")
    said: list[tuple[str, str]] = []
    gaps: Found = {}
    for line in lines[:-1]:
        name, _, rest = line.partition(" ")
        if name == "gap":
            item, _, why = rest.partition(" ")
            gaps.setdefault(item, why.strip() or "the node does not say why")
        else:
            said.append((name, rest))
    found = _READ[wanted.kind](wanted, said, gaps)
    return _checked(wanted, found, gaps)


def _checked(wanted: Expectation, found: Found, gaps: Found, shown: str = "") -> Observation:
    """The observation, once it is sure that nothing that was asked for is missing, and nothing else is there."""
    items = wanted.items()
    for item in items:
        if found.get(item) not in (None, "yes", "no") and _is_yes_or_no(item):
            raise UnreadableError(f"expect {wanted.id}: {item} is {_short(found[item])!r}, neither yes nor no")
    ended = found.get("exists") == "no" or found.get("installed") == "no" or found.get("listening") == "no"
    missing = [item for item in items if item not in found and item not in gaps]
    if missing and not ended and not gaps.keys() & {items[0]}:
        raise UnreadableError(f"expect {wanted.id}: the answer does not say {', '.join(missing)}")
    odd = [item for item in (*found, *gaps) if item not in items and item != "manager"]
    if odd:
        raise UnreadableError(f"expect {wanted.id}: the answer says {_short(odd[0])!r}, which was not asked")
    kept = {item: text for item, text in found.items() if item not in gaps}
    return observation_kind(wanted.id)(kept, gaps, shown)


def _is_yes_or_no(item: str) -> bool:
    return item in ("exists", "installed", "listening", "running", "enabled") or bool(
        re.fullmatch(r"(contains|lacks|matches|matches-not)-[0-9]+", item)
    )


def _once(wanted: Expectation, said: list[tuple[str, str]]) -> Found:
    found: Found = {}
    for name, text in said:
        if name in found:
            raise UnreadableError(f"expect {wanted.id}: the answer says {_short(name)!r} twice")
        found[name] = text
    return found


def _file(wanted: Expectation, said: list[tuple[str, str]], _: Found) -> Found:
    found = _once(wanted, said)
    told = found.pop("stat", None)
    if told is not None:
        parts = re.fullmatch(r"([0-9a-f]{1,8})/([0-9]{1,19})/([^/]+)/([^/]+)", told)
        if not parts:
            raise UnreadableError(f"expect {wanted.id}: stat gave {_short(told)!r}")
        mode = int(parts[1], 16)
        details = {
            "type": _TYPES.get(stat.S_IFMT(mode), "other"),
            "mode": f"{stat.S_IMODE(mode):04o}",
            "size": parts[2],
            "owner": parts[3],
            "group": parts[4],
        }
        found |= {item: text for item, text in details.items() if item in wanted.items()}
    if "sha256" in found:
        found["sha256"] = found["sha256"].removeprefix("\\")  # how sha256sum marks a name that it has escaped
        if not re.fullmatch(r"[0-9a-f]{64}", found["sha256"]):
            raise UnreadableError(f"expect {wanted.id}: {_short(found['sha256'])!r} is no SHA-256")
    return found


def _service(wanted: Expectation, said: list[tuple[str, str]], gaps: Found) -> Found:
    found = _once(wanted, said)
    manager = found.get("manager")
    if manager == "systemd":
        return _systemd(wanted, found, gaps)
    if manager == "runit":
        return _runit(wanted, found, gaps)
    return found


_ENABLED = {
    "enabled": "yes",
    "disabled": "no",
    "masked": "no",
    "masked-runtime": "no",
    "enabled-runtime": "no",
    "alias": "yes",
}
"""UnitFileState as systemctl(1) has them; of the others (static, indirect, generated) other units decide."""


def _systemd(wanted: Expectation, said: Mapping[str, str], gaps: Found) -> Found:
    names = ("LoadState", "ActiveState", "SubState", "UnitFileState")
    missing = [name for name in names[:3] if not said.get(name)]
    if missing:
        raise UnreadableError(f"expect {wanted.id}: systemctl does not say {', '.join(missing)}")
    load, active, sub = (said[name] for name in names[:3])
    if load == "not-found":
        return {"exists": "no"}
    state = f"{active} ({sub})"
    if load != "loaded":
        state = f"{load}, {state}"
    # One that has exited is active to systemd, and runs no more: old start scripts end so whatever became of theirs.
    found = {"exists": "yes", "state": state, "running": "no"}
    if active in ("active", "reloading") and sub != "exited":
        found["running"] = "yes"
    if "enabled" in wanted.items():
        unit_file = said.get("UnitFileState", "")
        if unit_file in _ENABLED:
            found["enabled"] = _ENABLED[unit_file]
        else:
            gaps.setdefault("enabled", f"its unit is {_short(unit_file) or 'of no file'}: others decide that")
    return found


_RUNIT = re.compile(
    r"(?P<state>run|down|finish): \S+: (?:\(pid [0-9]+\) )?[0-9]+s"
    r"(?P<rest>(?:, (?:normally (?:up|down)|want \w+|paused|got TERM))*)"
)


def _runit(wanted: Expectation, said: Mapping[str, str], gaps: Found) -> Found:
    """`sv status`, of which what follows a ; is the service's log."""
    text = said.get("status", "").partition(";")[0].strip()
    if text.startswith("fail: ") and text.endswith("file does not exist"):
        return {"exists": "no"}
    found = _RUNIT.fullmatch(text)
    if not found:
        gaps["exists"] = f"sv status says {_short(text)!r}"
        return {}
    state, rest = found["state"], found["rest"]
    if "enabled" not in wanted.items():
        return {"exists": "yes", "state": state, "running": "yes" if state == "run" else "no"}
    # What is said is what is unusual: of one that runs, that it is normally down.
    up = "normally up" in rest or (state == "run" and "normally down" not in rest)
    running = "yes" if state == "run" else "no"
    return {"exists": "yes", "state": state, "running": running, "enabled": "yes" if up else "no"}


def _package(wanted: Expectation, said: list[tuple[str, str]], gaps: Found) -> Found:
    versions: list[str] = []
    managers: list[str] = []
    asked = False
    for name, text in said:
        if name == "asked" and text == "yes":
            asked = True
        elif name == "dpkg":
            status, _, version = text.rpartition(" ")
            if not re.fullmatch(r"[a-z]+ [a-z]+ [a-z-]+", status):
                raise UnreadableError(f"expect {wanted.id}: dpkg-query gave {_short(text)!r}")
            if status.endswith(" installed"):
                versions.append(version)
                managers.append(name)
            elif not status.endswith((" not-installed", " config-files")):
                gaps.setdefault("installed", f"dpkg says that it is {status.rpartition(' ')[2]}")
        elif name == "rpm":
            if not re.fullmatch(r"(\(none\)|[0-9]+):\S+-\S+", text):
                raise UnreadableError(f"expect {wanted.id}: rpm gave {_short(text)!r}")
            versions.append(text.removeprefix("(none):"))
            managers.append(name)
        else:
            raise UnreadableError(f"expect {wanted.id}: the answer says {_short(name)!r}, which was not asked")
    if "installed" in gaps:
        # One of two may be broken, and what the other has is there all the same.
        if not versions:
            return {}
        del gaps["installed"]
    elif not asked:
        raise UnreadableError(f"expect {wanted.id}: nobody says whether it is installed")
    if not versions:
        return {"installed": "no"}
    return {"installed": "yes", "version": ", ".join(dict.fromkeys(versions)), "manager": managers[0]}


def _port(wanted: Expectation, said: list[tuple[str, str]], gaps: Found) -> Found:
    addresses = [_address(wanted, text) for name, text in said if name == "address"]
    if any(name not in ("address", "asked") for name, _ in said):
        raise UnreadableError(f"expect {wanted.id}: the answer says what was not asked")
    if addresses:
        gaps.pop("listening", None)
        return {"listening": "yes", "addresses": ", ".join(sorted(set(addresses)))}
    if "listening" in gaps:
        return {}
    if ("asked", "yes") not in said:
        raise UnreadableError(f"expect {wanted.id}: nobody says whether anybody listens")
    return {"listening": "no"}


def _address(wanted: Expectation, text: str) -> str:
    """An address as the kernel prints it: words of 32 bits, in this machine's order of bytes (little-endian)."""
    if not re.fullmatch(r"[0-9A-F]{8}|[0-9A-F]{32}", text):
        raise UnreadableError(f"expect {wanted.id}: {_short(text)!r} is no address")
    raw = b"".join(bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8))
    return str(ipaddress.ip_address(raw))


_READ: Mapping[str, Callable[[Expectation, list[tuple[str, str]], Found], Found]] = {
    "file": _file,
    "service": _service,
    "package": _package,
    "port": _port,
}


def _command(wanted: Expectation, answer: Answer) -> Observation:
    """What stands before the last two lines is the command's own, whatever it is."""
    if answer.truncated:
        raise UnreadableError(f"expect {wanted.id}: the command printed more than is read of one; print less")
    found = re.search(rf"\A(.*)\nexit ([0-9]{{1,5}})\n{END}\n?\Z", answer.output, re.DOTALL)
    if answer.exit_code != 0 or not found:
        raise UnreadableError(f"expect {wanted.id}: the answer does not end as it should")
    return of_output(wanted, found[1], found[2], answer.error_output)


def of_output(wanted: Expectation, output: str, code: str, error_output: str = "") -> Observation:
    """What a command's output says of what was asked."""
    text = output.strip()
    said: Found = {"exit": code}
    gaps: Found = {}
    items = wanted.items()
    if "version" in items:
        version = _VERSION.search(text)
        if version:
            said["version"] = version[0].rstrip(".-+~")
        else:
            gaps["version"] = f"there is none in {_short(text)!r}"
    if "value" in items:
        if len(text) > _VALUE_CHARS:
            gaps["value"] = f"it is longer than {_VALUE_CHARS} characters"
        else:
            said["value"] = text
    said |= {item: "yes" if holds(key, pattern, output) else "no" for item, key, pattern in wanted.patterns}
    shown = text or error_output.strip()
    return _checked(wanted, said, gaps, shortened(shown, _SHOWN_CHARS))


def read_powershell(wanted: Expectation, answer: Answer) -> Observation:
    """What PowerShell answered: items and gaps in a table. Raises UnreadableError."""
    if answer.exit_code != 0:
        raise UnreadableError(f"expect {wanted.id}: {answer.output}")
    if answer.truncated:
        raise UnreadableError(f"expect {wanted.id}: the answer is cut off")
    try:
        told: Any = json.loads(answer.output)
    except (ValueError, RecursionError):
        raise UnreadableError(f"expect {wanted.id}: the answer is no JSON") from None
    if not isinstance(told, dict) or told.keys() != {"found", "gaps"}:
        raise UnreadableError(f"expect {wanted.id}: the answer has another form than asked for")
    found, gaps = _texts(wanted, told["found"]), _texts(wanted, told["gaps"])
    if wanted.kind == "command" and "output" in found:
        return of_output(wanted, found["output"], found.get("exit", ""))
    if wanted.kind == "package" and found.get("installed") == "yes":
        found["manager"] = "windows"
    if wanted.kind == "port" and "addresses" in found:
        found["addresses"] = ", ".join(sorted(set(found["addresses"].split(", "))))
    return _checked(wanted, found, gaps)


def read_sql(wanted: Expectation, answer: Answer) -> Observation:
    """The rows of a SELECT: how many, and what the only one of one column holds. Raises UnreadableError."""
    if answer.exit_code != 0 or answer.truncated:
        cut = "the answer is cut off; ask for fewer rows" if answer.truncated else answer.output
        raise UnreadableError(f"expect {wanted.id}: {cut}")
    try:
        told: Any = json.loads(answer.output)
    except (ValueError, RecursionError):
        raise UnreadableError(f"expect {wanted.id}: the answer is no JSON") from None
    if not isinstance(told, dict) or told.keys() != {"found", "gaps"} or not isinstance(told["found"], dict):
        raise UnreadableError(f"expect {wanted.id}: the answer has another form than asked for")
    gaps = _texts(wanted, told["gaps"])
    if gaps:
        return _checked(wanted, {}, gaps)
    rows = told["found"].get("rows")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnreadableError(f"expect {wanted.id}: the answer has no rows")
    found: Found = {"rows": str(len(rows))}
    if "value" in wanted.items():
        values = [_cell(value) for row in rows for value in row.values()]
        if wanted.same or len(values) == 1:
            # Of a set of rows the order means nothing, unless the SELECT says so; the order of columns does.
            text = values[0] if len(values) == 1 else "\n".join(sorted(json.dumps(row, sort_keys=True) for row in rows))
            found["value"] = text if len(text) <= _VALUE_CHARS else hashlib.sha256(text.encode()).hexdigest()
        else:
            columns = count(len(rows[0]) if rows else 0, "column")
            gaps["value"] = f"it gave {count(len(rows), 'row')} of {columns}, and one value is needed"
    found |= {item: "no" for item, _, _ in wanted.patterns}
    if "value" in found:
        found |= {item: "yes" if holds(key, text, found["value"]) else "no" for item, key, text in wanted.patterns}
    return _checked(wanted, found, gaps)


def _cell(value: object) -> str:
    return "NULL" if value is None else str(int(value)) if isinstance(value, bool) else str(value)


def _texts(wanted: Expectation, table: object) -> Found:
    if not isinstance(table, dict):
        raise UnreadableError(f"expect {wanted.id}: the answer has another form than asked for")
    texts: Found = {}
    for name, value in table.items():
        if isinstance(value, bool):
            texts[name] = "yes" if value else "no"
        elif isinstance(value, str | int | float):
            texts[name] = str(value)
        elif isinstance(value, list) and all(isinstance(one, str | int) for one in value):
            texts[name] = "\n".join(map(str, value))
        else:
            raise UnreadableError(f"expect {wanted.id}: {_short(name)} is of a kind that cannot be compared")
    return texts


def _short(text: str) -> str:
    return shortened(" ".join(text.split()), 120)
