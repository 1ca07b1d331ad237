"""The baseline's file as it is read. Perhaps it was edited by hand: every mistake is told with its line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from sys import intern
from typing import Any, NoReturn, TypeVar

from checks.baseline.approval import Baseline
from checks.baseline.comparison import natural
from checks.baseline.drift import Approval
from checks.baseline.fact_paths import Value, kind_of
from checks.baseline.snapshot import SEPARATOR, CheckKey, CheckState, FactKey, Snapshot, once
from reports.text import escape_json, one_line
from scanner.errors import UsageError
from scanner.files.as_written import OtherwiseError
from scanner.files.baseline.document import APPROVAL, FORMAT, SECTIONS, STATUSES
from scanner.files.bounded import read_bounded
from scanner.files.by_lines import parts
from scanner.files.packed.facts import ShelvedFacts

K = TypeVar("K", bound=tuple[str, ...])
V = TypeVar("V")

MOST_BYTES = 256 * 1024 * 1024
"""A larger file is no baseline."""
_STATUSES = frozenset(STATUSES)
_AGAIN = "mend the file, or take it back from version control"


def read_baseline(path: Path) -> Baseline:
    """The baseline in the file at `path`. Raises UsageError, with the line of what cannot be used."""
    if (found := _streamed(path)) is not None:
        return found
    absent = "there is no baseline yet; `preflight baseline INVENTORY` writes one"
    data = read_bounded(path, MOST_BYTES, what="no baseline", absent=absent)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}: line {line}: not UTF-8; save the file as UTF-8") from None
    return parse_baseline(text, str(path))


def parse_baseline(text: str, name: str) -> Baseline:
    """The baseline written in `text`, the content of the file `name`. Raises UsageError, with the line."""
    return _Reader(text, name).baseline()


def _streamed(path: Path) -> Baseline | None:
    """The baseline, of which one cluster's text is in memory at a time; None where it is to be read as a whole."""
    try:
        return _Reader("", str(path)).streamed(path)
    except (OtherwiseError, UsageError, OSError, ValueError, RecursionError, MemoryError):
        return None


def _together(line: str) -> tuple[object, ...]:
    """What the clusters have in common whose lines stand mixed."""
    return natural(line.partition(SEPARATOR)[0])[0]


class _Reader:
    def __init__(self, text: str, name: str) -> None:
        self._text, self._name = text, name

    def baseline(self) -> Baseline:
        table = self._load()
        if not isinstance(table, dict) or not isinstance(table.get("schema"), str):
            self._refuse(f'is no baseline: it has no "schema": "{FORMAT}"')
        if table["schema"] != FORMAT:
            self._refuse_foreign(table["schema"])
        for section in (*SECTIONS, *table):
            if section not in table:
                self._refuse(f'has no "{section}"; {_AGAIN}')
            if section not in SECTIONS:
                self._refuse(f"unknown: {_shown(section)}; there are {', '.join(SECTIONS)}", section)
        if not isinstance(table["inventory"], str):
            self._refuse("expected a text", "inventory")
        nodes = dict(self._nodes(self._table(table, "nodes")))
        snapshot = Snapshot(
            nodes,
            dict(self._facts(self._table(table, "facts"), nodes)),
            dict(self._gaps(self._table(table, "not_read"), nodes)),
            dict(self._checks(self._table(table, "checks"))),
        )
        return Baseline(table["inventory"], tuple(self._approvals(table["approvals"])), snapshot)

    def streamed(self, path: Path) -> Baseline:
        """The same, part by part. Raises OtherwiseError, UsageError and what else says that it is not so."""
        seen: list[str] = []
        texts: dict[str, Any] = {}
        approvals: list[Any] = []
        nodes: dict[tuple[str, str], frozenset[str]] = {}
        unread: dict[FactKey, str] = {}
        checks: dict[CheckKey, CheckState] = {}
        facts = ShelvedFacts()
        for name, part in parts(path, MOST_BYTES, _together):
            if seen[-1:] != [name]:
                seen.append(name)
            if name in ("schema", "inventory"):
                texts[name] = part
            elif name == "approvals":
                approvals += part
            else:
                fresh = self._table({name: part}, name)
                if name == "nodes":
                    _join(nodes, dict(self._nodes(fresh)))
                elif name == "not_read":
                    _join(unread, dict(self._gaps(fresh, nodes)))
                elif name == "checks":
                    _join(checks, dict(self._checks(fresh)))
                elif not facts.add(dict(self._facts(fresh, nodes))):
                    raise OtherwiseError
        if seen != list(SECTIONS) or texts["schema"] != FORMAT or not isinstance(texts["inventory"], str):
            raise OtherwiseError
        return Baseline(texts["inventory"], tuple(self._approvals(approvals)), Snapshot(nodes, facts, unread, checks))

    def _load(self) -> Any:
        try:
            return json.loads(self._text, object_pairs_hook=self._object, parse_constant=self._constant)
        except json.JSONDecodeError as error:
            self._refuse_broken(error)
        except RecursionError:
            self._refuse("is nested too deeply, and no baseline")
        except ValueError as error:  # a number with thousands of digits
            self._refuse(f"no JSON: {one_line(str(error), 200)}")

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            names = [name for name, _ in pairs]
            twice = _first_twin(names)
            self._refuse(f"{_shown(twice)} stands there twice; keep one of them", twice, occurrence=2)
        return table

    def _constant(self, name: str) -> NoReturn:
        found = re.search(rf"[:,\[]\s*{re.escape(name)}", self._text)
        self._refuse(f"no JSON: {name} is no value of a fact", line=self._line(found.end()) if found else 0)

    def _refuse_broken(self, error: json.JSONDecodeError) -> NoReturn:
        """Refuse what is no JSON, on the line on which the mistake was made rather than where it came out."""
        conflict = re.search(r"^(<{7}|={7}|>{7})(?=[ \r\n])", self._text, re.MULTILINE)
        if conflict:
            self._refuse("an unresolved merge conflict; resolve it, then go on", line=self._line(conflict.start()))
        said, before = error.msg, self._text[: error.pos].rstrip()
        if before.endswith(",") and self._text[error.pos : error.pos + 1] in ("}", "]"):
            said = "a comma after the last entry"
        elif said.startswith("Expecting ',' delimiter"):
            said = "a comma is missing at the end, or something stands there too much"
        else:
            before = self._text[: error.pos]
        self._refuse(f"no JSON: {said}; {_AGAIN}", line=self._line(len(before)))

    def _line(self, position: int) -> int:
        return self._text.count("\n", 0, position) + 1

    def _table(self, table: Mapping[str, Any], section: str) -> dict[str, Any]:
        found = table[section]
        if not isinstance(found, dict):
            self._refuse("expected an object, {...}", section)
        return found

    def _approvals(self, rows: object) -> Iterable[Approval]:
        if not isinstance(rows, list) or not rows:
            self._refuse("expected a list with at least one approval", "approvals")
        for row in rows:
            if (
                not isinstance(row, dict)
                or set(row) != set(APPROVAL)
                or not all(isinstance(value, str) for value in row.values())
            ):
                self._refuse(f"expected objects with the texts {', '.join(APPROVAL)}", "approvals")
            yield Approval(**row)

    def _nodes(self, table: Mapping[str, Any]) -> Iterable[tuple[tuple[str, str], frozenset[str]]]:
        for name, kinds in table.items():
            parts = name.split(SEPARATOR)
            if len(parts) != 2 or not all(parts):
                self._refuse(f"expected CLUSTER{SEPARATOR}NODE", name)
            if not isinstance(kinds, list) or not all(isinstance(kind, str) for kind in kinds):
                self._refuse("expected a list of kinds of facts", name)
            yield (intern(parts[0]), intern(parts[1])), _asked(frozenset(kinds))

    def _facts(
        self, table: Mapping[str, Any], nodes: Mapping[tuple[str, str], frozenset[str]]
    ) -> Iterable[tuple[FactKey, Value]]:
        for name, value in table.items():
            place = self._place(name, nodes)
            if not place.path:
                self._refuse(f"expected CLUSTER{SEPARATOR}NODE{SEPARATOR}FACT", name)
            if kind_of(place.path) not in nodes[place.cluster, place.node]:
                self._refuse(f'"nodes" does not say that this node was asked for {kind_of(place.path)}', name)
            yield place, once(self._value(name, value))

    def _value(self, name: str, value: object) -> Value:
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(sorted(set(value)))
        if not isinstance(value, str | int | float | None) or (isinstance(value, float) and not math.isfinite(value)):
            self._refuse("expected a text, a number, true, false, null or a list of texts", name)
        return value

    def _gaps(
        self, table: Mapping[str, Any], nodes: Mapping[tuple[str, str], frozenset[str]]
    ) -> Iterable[tuple[FactKey, str]]:
        for name, reason in table.items():
            if not isinstance(reason, str):
                self._refuse("expected the reason, a text", name)
            yield self._place(name, nodes), reason

    def _place(self, name: str, nodes: Mapping[tuple[str, str], frozenset[str]]) -> FactKey:
        cluster, _, rest = name.partition(SEPARATOR)
        node, _, path = rest.partition(SEPARATOR)
        if (cluster, node) not in nodes:
            self._refuse('begins with no CLUSTER / NODE of "nodes"', name)
        # The same few hundred paths of every node of an estate: kept once, as its own name is.
        return FactKey(intern(cluster), intern(node), intern(path))

    def _checks(self, table: Mapping[str, Any]) -> Iterable[tuple[CheckKey, CheckState]]:
        for name, status in table.items():
            parts = name.split(SEPARATOR)
            if len(parts) not in (2, 3) or not all(parts):
                self._refuse(f"expected CLUSTER{SEPARATOR}NODE{SEPARATOR}CHECK, or CLUSTER{SEPARATOR}CHECK", name)
            if not isinstance(status, str) or status not in _STATUSES:
                self._refuse(f"expected one of {', '.join(sorted(_STATUSES))}", name)
            node = parts[1] if len(parts) == 3 else ""
            yield CheckKey(intern(parts[0]), intern(node), intern(parts[-1])), _ended(status)

    def _refuse_foreign(self, found: str) -> NoReturn:
        if re.fullmatch(r"preflight\.baseline/\d+", found):
            self._refuse(f"is a {found}; this version of preflight reads {FORMAT}: update preflight")
        self._refuse(f"is no baseline but says of itself {_shown(found)}", "schema")

    def _refuse(self, message: str, key: str = "", *, line: int = 0, occurrence: int = 1) -> NoReturn:
        place = f"{_shown(key)}: " if key and not message.startswith((_shown(key), "unknown")) else ""
        line = line or (_line_of(self._text, key, occurrence) if key else 0)
        where = f"line {line}: " if line else ""
        raise UsageError(f"{self._name}: {where}{place}{message}")


def _join(known: dict[K, V], fresh: Mapping[K, V]) -> None:
    if not known.keys().isdisjoint(fresh):
        raise OtherwiseError  # it stands there twice
    known.update(fresh)


@lru_cache(maxsize=1_024)
def _asked(kinds: frozenset[str]) -> frozenset[str]:
    """The kinds of facts; those of the many nodes that were asked for the same are kept once."""
    return frozenset(map(intern, kinds))


@lru_cache(maxsize=64)
def _ended(status: str) -> CheckState:
    return CheckState(status)


def _first_twin(names: Iterable[str]) -> str:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return ""


def _shown(text: str) -> str:
    return f'"{one_line(text, 120)}"'


def _line_of(text: str, key: str, occurrence: int) -> int:
    """The line on which `key` stands as a key for the nth time; 0 where it cannot be found, being spelt otherwise."""
    plain = json.dumps(key, ensure_ascii=False)
    for way in {plain, json.dumps(key), escape_json(plain)}:
        found = list(re.finditer(rf"{re.escape(way)}\s*:", text))
        if len(found) >= occurrence:
            return text.count("\n", 0, found[occurrence - 1].start()) + 1
    return 0
