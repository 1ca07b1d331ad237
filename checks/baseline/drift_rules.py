"""How each value of a fact is compared: the shipped decisions, and the inventory's own over them."""

from __future__ import annotations

import enum
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import field, replace
from typing import Any, NamedTuple

from checks.baseline.fact_paths import (
    Value,
    field_patterns,
    is_within,
    kind_name,
    pattern_of,
    record_of,
    row_lists,
    shown,
)
from checks.common.dataclass import dataclass


class DriftRuleError(ValueError):
    """A decision on how to compare that cannot be used. The message says which and why."""


class Compare(enum.StrEnum):
    """How two values of one fact are compared."""

    EXACT = "exact"
    VERSION = "version"
    LINES = "lines"
    NUMBER = "number"
    IGNORE = "ignore"


TOLERANCE = r"[0-9]+(\.[0-9]+)?%?"
"""What a tolerance looks like: "5", "0.5", "10%"."""
ANY = "any"
"""In `unread`: every value but an empty one, no and none."""


@dataclass(frozen=True, slots=True)
class DriftRule:
    """How one value is compared, and why so."""

    compare: Compare
    reason: str
    tolerance: str = ""
    """For `number`: an absolute number, or a share of the larger of the two, "5%"."""


class Ruling(NamedTuple):
    """What the decisions amount to for the value at one path."""

    rule: DriftRule
    ignored: bool
    """Whether the value, or all that can lie below a part of a path, is not compared."""
    marks: tuple[str, ...]
    """The values of it that say that something could not be read, or ANY."""
    hidden: str
    """What could not be read where it says so."""


_MOST_RULINGS = 8_192
"""An estate's nodes have the same few hundred paths; only hostile ones have more."""

_DEFAULT = DriftRule(Compare.EXACT, "nothing else is decided for it")
_NOT_COMPARED = DriftRule(Compare.IGNORE, "it is there to be shown")


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftRules:
    """All decisions."""

    fields: Mapping[str, DriftRule]
    """By pattern: `disks.drives[].total-bytes`."""
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """What the rows of a list go by: `disks.drives[]` by `name`."""
    unread: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By pattern, the values that say that the row could not be read."""
    fallbacks: frozenset[str] = frozenset()
    """Kinds of facts whose absence says nothing."""
    optional: frozenset[str] = frozenset()
    """Kinds of facts that not every account may read: one that could be read neither then nor now is no hole."""
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Kinds of facts that concern nodes with one of these roles alone."""
    overrides: tuple[tuple[str, DriftRule], ...] = ()
    """The inventory's own, each with its pattern; the last one that fits holds."""
    hides: Mapping[str, str] = field(default_factory=dict)
    """By pattern of a value in `unread`, the part that could not be read, where that is not its own row."""
    listed: frozenset[str] = field(init=False, compare=False, repr=False)
    """The patterns that are decided on: a list of pairs among them is one set of lines."""
    _rulings: dict[str, Ruling] = field(init=False, compare=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "listed", frozenset(self.fields))

    def ruling(self, path: str) -> Ruling:
        """All that is decided on the value at `path`: worked out once for all nodes."""
        known = self._rulings.get(path)
        if known is None:
            if len(self._rulings) >= _MOST_RULINGS:
                self._rulings.clear()
            pattern = pattern_of(path)
            part = self.hides.get(pattern) or record_of(path)
            known = Ruling(self.of(path), self.ignores(path), self.unread.get(pattern, ()), part)
            self._rulings[path] = known
        return known

    def of(self, path: str) -> DriftRule:
        """The decision on the value at `path`, or on a pattern; for what nobody decided, exact."""
        for pattern, rule in reversed(self.overrides):
            if fits(pattern, path):
                return rule
        return self.fields.get(pattern_of(path), _DEFAULT)

    def concern(self, kind: str, roles: Collection[str]) -> bool:
        """Whether facts of a kind say anything of a node with these roles."""
        return kind not in self.roles or not set(self.roles[kind]).isdisjoint(roles)

    def ignores(self, path: str) -> bool:
        """Whether the value, or all that can lie below a part of a path, is not compared."""
        pattern = pattern_of(path)
        if pattern in self.fields:
            return self.of(path).compare is Compare.IGNORE
        below = [known for known in self.fields if is_within(known, pattern)]
        if not below:
            return self.of(path).compare is Compare.IGNORE
        return all(self.of(path + known[len(pattern) :]).compare is Compare.IGNORE for known in below)

    def says_unread(self, path: str, value: Value) -> bool:
        """Whether this value of the field at `path` means that its row could not be read."""
        marks = self.ruling(path).marks
        if ANY in marks:
            return value not in ("", None, False, ())
        return bool(marks) and shown(value) in marks

    @property
    def kinds(self) -> list[str]:
        """The kinds of facts that are decided on."""
        return sorted({name.split(".")[0] for name in self.fields})

    def with_overrides(self, overrides: Mapping[str, Mapping[str, object]]) -> DriftRules:
        """The same with the inventory's `[drift.rules]`, pattern to `compare`, `tolerance` and `reason`.

        Raises DriftRuleError, naming the pattern, for one that fits no fact, and for a value that cannot be used.
        """
        added = []
        for pattern, change in overrides.items():
            if not self.knows(pattern):
                raise DriftRuleError(f"{pattern}: fits no fact; {self._advice(pattern)}")
            added.append((pattern, _rule(pattern, change)))
        return replace(self, overrides=(*self.overrides, *added))

    def knows(self, pattern: str) -> bool:
        """Whether there is a value that `pattern` could mean."""
        return any(_may_fit(pattern, known) for known in self.fields)

    def _advice(self, pattern: str) -> str:
        kinds = self.kinds
        kind = re.split(r"[.\[*]", pattern, maxsplit=1)[0]
        if kind in kinds:
            return f"there are: {', '.join(name for name in self.fields if is_within(name, kind))}"
        return f"the kinds of facts are: {', '.join(kinds)}"

    def with_kinds(self, kinds: Iterable[type]) -> DriftRules:
        """The same with the fields of fact classes that are not decided on, such as a plugin's, compared exactly.

        Those that a class itself names in `NOT_COMPARED` are not.
        """
        more = {
            pattern: _NOT_COMPARED if pattern.rpartition(".")[2] in getattr(kind, "NOT_COMPARED", ()) else _DEFAULT
            for kind in kinds
            if not any(is_within(known, kind_name(kind)) for known in self.fields)
            for pattern in field_patterns(kind)
        }
        return replace(self, fields={**self.fields, **more}) if more else self


def fits(pattern: str, path: str) -> bool:
    """Whether the value at `path` is meant by `pattern`.

    A kind alone means all that it holds; `*` stands for any text, and `[]` for any key of a list.
    """
    return bool(re.fullmatch(_expression(pattern), path) or re.fullmatch(_expression(pattern), pattern_of(path)))


def _expression(pattern: str) -> str:
    parts = (re.escape(part) for part in re.split(r"(\*|\[\])", pattern))
    body = "".join({re.escape("*"): ".*", re.escape("[]"): r"\[.*?\]"}.get(part, part) for part in parts)
    return rf"(?s:{body}([.\[].*)?)"


def _may_fit(pattern: str, known: str) -> bool:
    """Whether a value of the field `known` could be meant; a key that is spelled out may be any node's."""
    return fits(pattern_of(pattern), known) or fits(re.sub(r"\[[^\]]*\]", "[]", pattern), known)


def _rule(name: str, row: Mapping[str, object]) -> DriftRule:
    reason, compare, tolerance = (row.get(key, "") for key in ("reason", "compare", "tolerance"))
    if not isinstance(reason, str) or not reason.strip():
        raise DriftRuleError(f"{name}: reason is missing; say why it is compared like that")
    if compare not in list(Compare):
        raise DriftRuleError(f"{name}: compare = {compare!r} is none of {', '.join(Compare)}")
    if not isinstance(tolerance, str) or (tolerance and not re.fullmatch(TOLERANCE, tolerance)):
        raise DriftRuleError(f"{name}: tolerance = {tolerance!r} is neither a number nor a share, like '100' or '5%'")
    if (compare == Compare.NUMBER) != bool(tolerance):
        raise DriftRuleError(f"{name}: tolerance goes with compare = 'number', and 'number' needs one")
    return DriftRule(Compare(str(compare)), reason.strip(), tolerance)


def parse_drift_rules(text: str) -> DriftRules:
    """The decisions from TOML, in the form that the head of the shipped file explains. Raises DriftRuleError."""
    try:
        tables: Mapping[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DriftRuleError(f"no TOML: {error}") from None
    fields: dict[str, DriftRule] = {}
    keys: dict[str, tuple[str, ...]] = {}
    unread: dict[str, tuple[str, ...]] = {}
    hides: dict[str, str] = {}
    flagged: dict[str, set[str]] = {"fallback": set(), "optional": set()}
    roles: dict[str, tuple[str, ...]] = {}
    for kind, table in tables.items():
        for name, row in table.items():
            if name in flagged:
                flagged[name].add(kind)
                continue
            if name == "roles":
                roles[kind] = tuple(row)
                continue
            path = f"{kind}.{name}"
            odd = set(row) - {"compare", "tolerance", "unread", "hides", "reason"}
            if odd:
                raise DriftRuleError(f"{path}: unknown key {min(odd)}")
            for found in re.finditer(r"\[([^\]]+)\]", path):
                if keys.setdefault(pattern_of(path[: found.end()]), by := tuple(found[1].split("+"))) != by:
                    raise DriftRuleError(f"{path}: the rows go by something else further up")
            pattern = pattern_of(path)
            fields[pattern] = _rule(path, row)
            marks = row.get("unread", ())
            if marks:
                unread[pattern] = (marks,) if isinstance(marks, str) else tuple(marks)
            if "hides" in row:
                hides[pattern] = f"{kind}.{row['hides']}"
                if not marks or not any(is_within(pattern_of(f"{kind}.{other}"), hides[pattern]) for other in table):
                    raise DriftRuleError(f"{path}: hides goes with unread, and names a field of the same fact")
    return DriftRules(
        fields=fields,
        keys=keys,
        unread=unread,
        fallbacks=frozenset(flagged["fallback"]),
        optional=frozenset(flagged["optional"]),
        roles=roles,
        hides=hides,
    )


def undecided(rules: DriftRules, kinds: Iterable[type]) -> list[str]:
    """What is missing in the data for these fact classes, and what is there too much; empty when all is well."""
    flaws: list[str] = []
    kinds = list(kinds)
    expected: set[str] = set()
    for kind in kinds:
        key_fields = {f"{rows}.{name}" for rows, names in rules.keys.items() for name in names}
        for path, names in row_lists(kind).items():
            by = rules.keys.get(f"{path}[]", ())
            flaws += [f'{path}: what do its rows go by? Write "{path}[FIELD]", one of {", ".join(names)}'] * (not by)
            flaws += [f"{path}: its rows have no field {name}" for name in by if name not in names]
        for pattern in field_patterns(kind):
            plain = pattern.removesuffix("[]")
            if pattern not in key_fields:
                expected.add(plain if plain in rules.fields and pattern not in rules.fields else pattern)
    known = {kind_name(kind) for kind in kinds}
    flaws += [f"{pattern}: how is it compared?" for pattern in sorted(expected - rules.fields.keys())]
    stale = {pattern for pattern in rules.fields if pattern.split(".")[0] in known} - expected
    flaws += [f"{pattern}: there is no such field" for pattern in sorted(stale)]
    strangers = {pattern.split(".")[0] for pattern in rules.fields} - known
    return flaws + [f"{kind}: there is no such fact" for kind in sorted(strangers)]
