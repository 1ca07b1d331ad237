"""The way from the installed version to the target: which versions have to be installed on it, in order."""

from __future__ import annotations

from dataclasses import dataclass

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from checks.check import ClusterInfo
from checks.rules import Rule, RuleSet
from checks.versions import VersionError, parse_secret_server, parse_version

CHECK_ID = "stepping-stone"
"""The check whose rules name the stones."""

NO_TARGET = "no target version: set `target` in the inventory, or --target {name}=VERSION"


class PlanError(Exception):
    """The way cannot be laid out; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One version that is installed on the way."""

    version: str
    """As the vendor writes it."""
    stone: Rule | None
    """The rule that asks for this stop; None for the target itself."""


@dataclass(frozen=True, slots=True)
class UpgradePath:
    """The way from the installed version to the target."""

    current: str | None
    """None: unknown, and every stone that a source could need is on the way."""
    target: str
    hops: tuple[Hop, ...]
    """What is installed, in order, the target last; empty where the target is installed already, or older."""


def parse_product_version(product: str, text: str) -> Version:
    """A version as the product's vendor writes it. Raises VersionError."""
    return parse_secret_server(text) if product == "secret-server" else parse_version(text)


def target_of(cluster: ClusterInfo) -> str:
    """The cluster's target version, checked. Raises PlanError."""
    if cluster.target is None or not cluster.target.strip():
        raise PlanError(NO_TARGET.format(name=cluster.name))
    try:
        parse_product_version(cluster.product, cluster.target)
    except VersionError as error:
        raise PlanError(f"the target version cannot be used: {error}") from None
    return cluster.target.strip()


def is_stone(rule: Rule) -> bool:
    """Whether the rule asks for a stop: its `requires` is a bare version."""
    return rule.requires[:1].isdigit()


def path_to(product: str, rules: RuleSet, current: str | None, target: str) -> UpgradePath:
    """The hops from `current` (None: unknown) to `target`.

    Raises VersionError where a version is malformed.
    """
    goal = parse_product_version(product, target)
    start = None if current is None else parse_product_version(product, current)
    if start is not None and start >= goal:
        return UpgradePath(current, target, ())
    due = []
    for rule in filter(is_stone, rules.of(CHECK_ID)):
        stop = parse_version(rule.requires)
        wanted = rule.applies_to(target) and (current is None or rule.applies_from(current))
        if wanted and stop < goal and (start is None or start < stop):
            due.append((stop, rule))
    due.sort(key=lambda pair: pair[0])
    stops = {rule.requires: Hop(rule.requires, rule) for _, rule in reversed(due)}
    return UpgradePath(current, target, (*reversed(stops.values()), Hop(target, None)))


def remarks(rules: RuleSet, path: UpgradePath) -> tuple[tuple[Rule, str], ...]:
    """What else the rules say of a path from a known version: of its source, and of each step; each with its text.

    Raises PlanError for a rule, overridden in the inventory, whose `requires` is no specifier.
    """
    told = []
    source = str(path.current)
    starts = (source, *(hop.version for hop in path.hops[:-1]))
    steps = [(start, hop.version) for start, hop in zip(starts, path.hops, strict=True)]
    for rule in rules.of(CHECK_ID):
        if rule.requires == "note":
            due = [f"{a} to {b}" for a, b in steps if rule.applies_from(a) and rule.applies_to(b)]
            told += [(rule, f"{', '.join(due)}: {rule.text}")] if due else []
        elif not is_stone(rule) and rule.applies_to(path.target) and not _allows(rule, source):
            told.append((rule, rule.text))
    return tuple(told)


def _allows(rule: Rule, source: str) -> bool:
    try:
        return SpecifierSet(rule.requires).contains(parse_version(source), prereleases=True)
    except InvalidSpecifier:
        raise PlanError(f"rule {rule.id}: requires = {rule.requires!r} is not understood") from None
