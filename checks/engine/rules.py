"""The vendors' rules as data: which target version asks for what, who says so, and how sure that is."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from checks.common.dataclass import dataclass
from checks.versions import VersionError, parse_secret_server, parse_version

CONFIDENCES = ("documented", "contradictory", "inferred", "general")
"""How sure a rule is. Only a documented one may fail a window by itself; the others warn."""

EFFECTS = ("fail", "warn", "tell")

_KEYS = {"id", "check", "target", "current", "requires", "text", "effect", "confidence", "source", "url"}
_NEEDED = ("id", "check", "target", "requires", "text", "source")
_OVERRIDES = {"requires", "target", "effect", "off", "reason"}


class RuleError(ValueError):
    """A rule, or an override of one, that cannot be used. The message says which and why."""


@functools.lru_cache(maxsize=10_000)
def _holds(specifiers: str, version: str) -> bool:
    """Asked again and again: of every rule, for every hop, by every check of every node. Raises VersionError."""
    return SpecifierSet(specifiers).contains(parse_version(version), prereleases=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One line of the vendor's requirements."""

    id: str
    """Kebab-case; what `[clusters.NAME.rules]` names."""
    check: str
    """The id of the check that applies it."""
    target: str
    """PEP 440 specifiers over the target version, e.g. ">=10.7.000000". Empty: any target."""
    requires: str
    """What the check compares with: specifiers, a version or a token, as the check's documentation says."""
    text: str
    """The requirement in words, for messages: "SQL Server 2012 (11.0) or later"."""
    source: str
    """Which document says so."""
    effect: str = "fail"
    """fail or warn: what a breach amounts to; tell: it is no fault, and is said all the same."""
    confidence: str = "documented"
    current: str = ""
    """PEP 440 specifiers over the installed version. Empty: any."""
    url: str = ""
    override: str | None = None
    """The operator's reason, where the inventory changed this rule."""
    off: bool = False
    """True where the inventory switched the rule off."""

    def applies_to(self, version: str) -> bool:
        """Whether the rule concerns an upgrade to `version` (text as in the inventory). Raises VersionError."""
        return not self.target or _holds(self.target, version)

    def applies_from(self, version: str) -> bool:
        """Whether the rule concerns an installation of `version`. Raises VersionError."""
        return not self.current or _holds(self.current, version)

    @property
    def note(self) -> str:
        """What a message adds for a rule that the inventory changed; empty for the vendor's own."""
        return f"rule {self.id} overridden in the inventory: {self.override}" if self.override else ""


@dataclass(frozen=True, slots=True, eq=False)
class RuleSet:
    """The rules of one product. It equals itself alone: nearly all clusters of a product have the same set, and what
    follows from it is kept by it, where to compare all its rules would take longer than to work that out anew.
    """

    rules: tuple[Rule, ...]

    def of(self, check: str) -> tuple[Rule, ...]:
        """The rules that `check` applies, in the order of the data, those switched off left out."""
        return tuple(rule for rule in self.rules if rule.check == check and not rule.off)

    def overridden(self) -> tuple[Rule, ...]:
        """The rules that the inventory changed or switched off."""
        return tuple(rule for rule in self.rules if rule.override)

    def with_overrides(self, overrides: Mapping[str, Mapping[str, object]]) -> RuleSet:
        """The same rules with the inventory's `[clusters.NAME.rules]` applied.

        `overrides` maps a rule's id to the keys it changes (`requires`, `target`, `effect`, `off`) and to `reason`,
        which is demanded. Raises RuleError, naming the rule, for an unknown id or key, or a value that cannot be used.
        """
        known = {rule.id: rule for rule in self.rules}
        for rule_id, change in overrides.items():
            if rule_id not in known:
                raise RuleError(f"{rule_id}: no such rule; there are: {', '.join(sorted(known))}")
            known[rule_id] = _changed(known[rule_id], change)
        return RuleSet(tuple(known[rule.id] for rule in self.rules))


def _changed(rule: Rule, change: Mapping[str, object]) -> Rule:
    odd = set(change) - _OVERRIDES
    if odd:
        raise RuleError(f"{rule.id}.{min(odd)}: unknown key; an override takes {', '.join(sorted(_OVERRIDES))}")
    reason = change.get("reason")
    if not isinstance(reason, str) or not reason.strip():
        raise RuleError(f"{rule.id}.reason: say why the vendor's rule is overridden")
    for key in ("requires", "target", "effect"):
        if not isinstance(change.get(key, ""), str):
            raise RuleError(f"{rule.id}.{key}: expected a string")
    if not isinstance(change.get("off", False), bool):
        raise RuleError(f"{rule.id}.off: expected true or false")
    changed = replace(
        rule,
        requires=str(change.get("requires", rule.requires)),
        target=str(change.get("target", rule.target)),
        effect=str(change.get("effect", rule.effect)),
        off=bool(change.get("off", False)),
        override=reason.strip(),
    )
    _same_kind(rule, changed)
    return _verified(changed, trusted=True)


def _same_kind(rule: Rule, changed: Rule) -> None:
    """Refuse a `requires` that is of another kind than the vendor's: no check would understand it."""
    kind = _kind(rule.requires)
    if kind == "word" and changed.requires != rule.requires:
        raise RuleError(f"{rule.id}.requires: this rule knows {rule.requires!r} alone; `off = true` switches it off")
    if kind == "version" and _kind(changed.requires) != "version":
        raise RuleError(f"{rule.id}.requires: expected a version such as {rule.requires!r}, not {changed.requires!r}")
    if kind == "specifier" and _kind(changed.requires) != "specifier":
        raise RuleError(
            f"{rule.id}.requires: {changed.requires!r} is no version specifier such as {rule.requires or '>=1.0'!r}"
        )
    if _is_padded(rule.requires) and not _is_padded(changed.requires):
        raise RuleError(f"{rule.id}.requires: {changed.requires!r} has to be written like {rule.requires!r}")


def _kind(requires: str) -> str:
    """What a rule's `requires` is: "version", "specifier" or, for what only its check understands, "word"."""
    try:
        if requires[:1].isdigit():
            parse_version(requires)
            return "version"
        SpecifierSet(requires)
    except (VersionError, InvalidSpecifier):
        return "word"
    return "specifier"


def _is_padded(requires: str) -> bool:
    try:
        parse_secret_server(requires)
    except VersionError:
        return False
    return True


def parse_rules(text: str) -> RuleSet:
    """Rules from TOML: an array of tables `[[rule]]` with the fields of `Rule`. Raises RuleError."""
    try:
        rows: Iterable[Mapping[str, Any]] = tomllib.loads(text).get("rule", [])
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"no TOML: {error}") from None
    rules = []
    for row in rows:
        odd = set(row) - _KEYS
        if odd:
            raise RuleError(f"{row.get('id', '?')}: unknown key {min(odd)}")
        for key in _NEEDED:
            if key not in row:
                raise RuleError(f"{row.get('id', '?')}: {key} is missing")
        for key, value in row.items():
            if not isinstance(value, str):
                raise RuleError(f"{row['id']}.{key}: expected a string")
        rules.append(_verified(Rule(**row), trusted=False))
    ids = [rule.id for rule in rules]
    twice = sorted({rule_id for rule_id in ids if ids.count(rule_id) > 1})
    if twice:
        raise RuleError(f"{twice[0]}: defined twice")
    return RuleSet(tuple(rules))


def _verified(rule: Rule, *, trusted: bool) -> Rule:
    if rule.effect not in EFFECTS:
        raise RuleError(f"{rule.id}.effect: {rule.effect!r} is none of {', '.join(EFFECTS)}")
    if rule.confidence not in CONFIDENCES:
        raise RuleError(f"{rule.id}.confidence: {rule.confidence!r} is none of {', '.join(CONFIDENCES)}")
    # An operator may sharpen a rule knowingly; the shipped data may not let a guess fail a window.
    if not trusted and rule.effect == "fail" and rule.confidence != "documented":
        raise RuleError(f"{rule.id}: a rule that is {rule.confidence} may warn, never fail by itself")
    for key, value in (("target", rule.target), ("current", rule.current)):
        try:
            SpecifierSet(value)
        except InvalidSpecifier:
            raise RuleError(f"{rule.id}.{key}: {value!r} is no version specifier such as '>=10.7.000000'") from None
    return rule
