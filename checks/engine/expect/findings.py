"""What was found on one node held against what is expected there."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from decimal import Decimal

from checks.common.dataclass import dataclass
from checks.engine.expect.model import CONTENT, Expectation
from checks.engine.expect.observation import Observation
from checks.engine.expect.ordering import fits

_SHOWN_CHARS = 200
_NUMBER = re.compile(r"[+-]?[0-9]{1,30}(\.[0-9]{1,30})?")


class State(enum.Enum):
    """How one wish ended."""

    KEPT = "kept"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One wish, and what became of it."""

    state: State
    message: str
    """What is wrong, or in the way; empty where nothing is."""
    observed: str


def findings(wanted: Expectation, seen: Observation) -> list[Finding]:
    """Every wish of `wanted`, judged. Never empty: what nobody could say is unknown."""
    return list(_FINDINGS[wanted.kind](wanted, seen))


def _gap(seen: Observation, item: str, what: str) -> Finding | None:
    """The finding where the node could not say `item`; None where it did."""
    if item in seen.found:
        return None
    return Finding(State.UNKNOWN, f"{what} cannot be told: {seen.gaps.get(item, 'the node did not say')}", "")


def _held(observed: str, *, kept: bool, otherwise: str) -> Finding:
    """What is kept, or the finding that says `otherwise`."""
    return Finding(State.KEPT, "", observed) if kept else Finding(State.BROKEN, otherwise, observed)


def _whether(wanted: Expectation, seen: Observation, item: str, words: tuple[str, str]) -> Iterator[Finding]:
    """One that is "yes" or "no"; `words` say what is the case then. Wanted is yes unless the inventory says no."""
    if gap := _gap(seen, item, f"whether {words[0]}"):
        yield gap
        return
    is_so, observed = seen.found[item] == "yes", words[0 if seen.found[item] == "yes" else 1]
    kept = is_so == wanted.flag(item, default=True)
    yield _held(observed, kept=kept, otherwise=observed)


def _equal(wanted: Expectation, seen: Observation, item: str, what: str = "") -> Iterator[Finding]:
    if item not in wanted.wants:
        return
    what = what or item
    if gap := _gap(seen, item, what):
        yield gap
        return
    found, right = seen.found[item], wanted.text(item)
    kept = found.strip() == right
    wrong = f"{what} is {shortened(found)}, expected {shortened(right)}"
    yield _held(f"{what} {shortened(found)}", kept=kept, otherwise=wrong)


def _bounds(wanted: Expectation, seen: Observation, item: str, what: str) -> Iterator[Finding]:
    for key, word in (("least", "at least"), ("most", "at most")):
        if key not in wanted.wants:
            continue
        if gap := _gap(seen, item, what):
            yield gap
            return
        found = seen.found[item].strip()
        right = wanted.text(key)
        if not _NUMBER.fullmatch(found):
            message = f"{what} is no number but {shortened(found)!r}, expected {word} {right}"
            yield Finding(State.BROKEN, message, f"{what} {shortened(found)}")
            continue
        kept = Decimal(found) >= Decimal(right) if key == "least" else Decimal(found) <= Decimal(right)
        message = f"{what} is {found}, expected {word} {right}"
        yield _held(f"{what} {shortened(found)}", kept=kept, otherwise=message)


def _content(wanted: Expectation, seen: Observation) -> Iterator[Finding]:
    said = {
        "contains": "does not have {!r} in it",
        "lacks": "has {!r} in it",
        "matches": "has no line that matches {!r}",
        "matches_not": "has a line that matches {!r}",
    }
    for item, key, text in wanted.patterns:
        if gap := _gap(seen, item, f"whether it has {text!r} in it"):
            yield gap
            continue
        kept = (seen.found[item] == "yes") == (key in ("contains", "matches"))
        message = said[key].format(text)
        yield Finding(State.KEPT if kept else State.BROKEN, "" if kept else message, "" if kept else message)


def _file(wanted: Expectation, seen: Observation) -> Iterator[Finding]:
    there = list(_whether(wanted, seen, "exists", ("exists", "does not exist")))
    yield from there
    if seen.found.get("exists") != "yes" or there[0].state is State.BROKEN:
        return
    yield from _equal(wanted, seen, "type")
    yield from _modes(wanted, seen)
    for item in ("owner", "group", "size"):
        yield from _equal(wanted, seen, item)
    yield from _bounds(wanted, seen, "size", "size")
    yield from _equal(wanted, seen, "sha256", "SHA-256")
    yield from _content(wanted, seen)


def _modes(wanted: Expectation, seen: Observation) -> Iterator[Finding]:
    for key in ("mode", "max_mode"):
        if key not in wanted.wants:
            continue
        if gap := _gap(seen, "mode", "mode"):
            yield gap
            return
        found, right = int(seen.found["mode"], 8), int(wanted.text(key), 8)
        kept = found == right if key == "mode" else found & ~right == 0
        word = "" if key == "mode" else "at most "
        message = f"mode is {found:04o}, expected {word}{right:04o}"
        yield _held(f"mode {found:04o}", kept=kept, otherwise=message)


def _registry(wanted: Expectation, seen: Observation) -> Iterator[Finding]:
    there = list(_whether(wanted, seen, "exists", ("exists", "does not exist")))
    yield from there
    if seen.found.get("exists") != "yes" or there[0].state is State.BROKEN or "name" not in wanted.wants:
        return
    yield from _of_value(wanted, seen)


def _of_value(wanted: Expectation, seen: Observation) -> Iterator[Finding]:
    """What is wanted of the one value that a registry's key or a SELECT gives."""
    if gap := _gap(seen, "value", "the value"):
        yield gap
        return
    yield from _equal(wanted, seen, "value", "the value")
    yield from _bounds(wanted, seen, "value", "the value")
    text = seen.found["value"]
    found = {item: "yes" if holds(key, pattern, text) else "no" for item, key, pattern in wanted.patterns}
    yield from _content(wanted, Observation(found))


def holds(key: str, pattern: str, text: str) -> bool:
    """Whether a text has a literal in it, or a line that matches an expression."""
    if key in ("contains", "lacks"):
        return pattern in text
    return any(re.search(pattern, line) for line in text.splitlines() or [""])


def _service(wanted: Expectation, seen: Observation) -> Iterator[Finding]:
    absent = not wanted.flag("exists", default=True)
    if gap := _gap(seen, "exists", "whether the service exists"):
        yield gap
        return
    if seen.found["exists"] == "no":
        not_running = {wanted.wants[key] for key in ("running", "enabled") if key in wanted.wants} == {False}
        kept = absent or not_running
        yield _held("no such service", kept=kept, otherwise="there is no such service")
        return
    if absent:
        yield Finding(State.BROKEN, "the service exists", f"exists, {seen.found.get('state', '')}")
        return
    state = f" ({seen.found['state']})" if seen.found.get("state") else ""
    if "running" in wanted.wants or "enabled" not in wanted.wants:
        yield from _whether(wanted, seen, "running", (f"runs{state}", f"does not run{state}"))
    if "enabled" in wanted.wants:
        yield from _whether(wanted, seen, "enabled", ("starts by itself", "does not start by itself"))


def _package(wanted: Expectation, seen: Observation) -> Iterator[Finding]:
    state = "" if "version" in wanted.wants else seen.found.get("version", "")
    there = list(_whether(wanted, seen, "installed", (f"is installed, {state}".rstrip(", "), "is not installed")))
    yield from there
    if "version" not in wanted.wants or seen.found.get("installed") != "yes" or there[0].state is State.BROKEN:
        return
    if gap := _gap(seen, "version", "the version"):
        yield gap
        return
    right, manager = wanted.text("version"), seen.found.get("manager", "")
    wrong = [one for one in seen.found["version"].split(", ") if not fits(one, right, manager=manager)]
    message = f"version {', '.join(wrong)}, expected {right}"
    yield _held(f"version {seen.found['version']}", kept=not wrong, otherwise=message)


def _port(wanted: Expectation, seen: Observation) -> Iterator[Finding]:
    there = list(_whether(wanted, seen, "listening", ("somebody listens", "nobody listens")))
    yield from there
    if "address" not in wanted.wants or seen.found.get("listening") != "yes" or there[0].state is State.BROKEN:
        return
    if gap := _gap(seen, "addresses", "on which address"):
        yield gap
        return
    others = [one for one in seen.found["addresses"].split(", ") if one != wanted.text("address")]
    message = f"listens on {', '.join(others)}, expected {wanted.text('address')} alone"
    yield _held(f"on {seen.found['addresses']}", kept=not others, otherwise=message)


_NOT_RUN = {"126": "not executable", "127": "not found"}


def _command(wanted: Expectation, seen: Observation) -> Iterator[Finding]:
    if gap := _gap(seen, "exit", "how it ends"):
        yield gap
        return
    code, right = seen.found["exit"], wanted.text("exit") or "0"
    shown = f": {shortened(seen.shown)}" if seen.shown else ""
    if code != right and code in _NOT_RUN:
        yield Finding(State.UNKNOWN, f"the command did not run (exit {code}, {_NOT_RUN[code]}){shown}", f"exit {code}")
        return
    yield _held(f"exit {code}", kept=code == right, otherwise=f"ended with {code}, expected {right}{shown}")
    yield from _equal(wanted, seen, "value", "what it prints")
    yield from _bounds(wanted, seen, "value", "what it prints")
    if "version" in wanted.wants:
        if gap := _gap(seen, "version", "the version"):
            yield gap
        else:
            kept = fits(seen.found["version"], wanted.text("version"))
            message = f"version {seen.found['version']}, expected {wanted.text('version')}"
            yield _held(f"version {seen.found['version']}", kept=kept, otherwise=message)
    for finding in _content(wanted, seen):
        said = f"what it prints {finding.message}{shown}" if finding.state is State.BROKEN else finding.message
        yield Finding(finding.state, said, finding.observed)


def _sql(wanted: Expectation, seen: Observation) -> Iterator[Finding]:
    if gap := _gap(seen, "rows", "what it gives"):
        yield gap
        return
    yield from _equal(wanted, seen, "rows", "the number of rows")
    if any(key in wanted.wants for key in ("value", "least", "most", *CONTENT)):
        yield from _of_value(wanted, seen)
    elif "rows" not in wanted.wants:
        yield Finding(State.KEPT, "", f"{seen.found['rows']} rows")


_FINDINGS = {
    "file": _file,
    "registry": _registry,
    "service": _service,
    "package": _package,
    "port": _port,
    "command": _command,
    "sql": _sql,
}


def shortened(text: str) -> str:
    """A text on one line, and not longer than one reads."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN_CHARS else line[: _SHOWN_CHARS - 1] + "…"
