"""The way from the installed version to the target: which versions have to be installed on it, in order, and how.

All of it follows from the vendors' rules. A stone asks for a stop between two versions; a strategy says how one version
is installed over another; a floor says from which version on the vendor describes any way at all.
"""

from __future__ import annotations

from collections.abc import Callable

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from checks.check import ClusterInfo
from checks.common.dataclass import dataclass
from checks.engine.rules import Rule, RuleSet
from checks.versions import VersionError, parse_version

CHECK_ID = "stepping-stone"
"""The check whose rules name the stones."""

FRONTEND_PATH = "chef-frontend-path"
"""What the rules with the stops of Chef Infra Server's own path stand under; no check: a frontend has no target."""

FRONTEND_LEVELS = "chef-frontend-level"
"""What the rules stand under that say which migration-level a version of Chef Infra Server ends with; no check."""

STRATEGIES = ("rolling", "by-index", "downtime")
"""How a step is taken, the lightest first: node by node; node by node if the search index is young enough ("by-index
5.6.16": created by that Elasticsearch or a later one); with the whole cluster down."""

NO_TARGET = "no target version: set `target` in the inventory, or --target {name}=VERSION"


class PlanError(Exception):
    """The way cannot be laid out; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class UpgradeStep:
    """One version that is installed on the way."""

    version: str
    """As the vendor writes it."""
    stone: Rule | None
    """The rule that asks for this stop; None for the target itself."""
    strategy: Rule | None = None
    """The rule that says how it is installed over the version before it; None where there is none, or nothing before
    it is known."""
    requirements: tuple[Rule, ...] = ()
    """What the other checks hold the nodes to at this version."""


@dataclass(frozen=True, slots=True)
class UpgradePath:
    """The way from the installed version to the target."""

    current: str | None
    """None: unknown, and every stone that a source could need is on the way."""
    target: str
    hops: tuple[UpgradeStep, ...]
    """What is installed, in order, the target last; empty where the target is installed already, or older."""


@dataclass(frozen=True, slots=True)
class NoPath:
    """There is no supported way, or none is needed."""

    reason: str
    """One line."""
    instead: str
    """What to do, one or two sentences."""
    rule: Rule | None = None
    """The rule that says so, where one does."""
    installed: bool = False
    """True where the target is what is installed: nothing is wrong, and nothing is to be done."""


def target_of(cluster: ClusterInfo) -> str:
    """The cluster's target version, checked. Raises PlanError."""
    if cluster.target is None or not cluster.target.strip():
        raise PlanError(NO_TARGET.format(name=cluster.name))
    try:
        cluster.definition.parse(cluster.target)
    except VersionError as error:
        raise PlanError(f"the target version cannot be used: {error}") from None
    return cluster.target.strip()


def is_required_stop(rule: Rule) -> bool:
    """Whether the rule asks for a stop: its `requires` is a bare version."""
    return rule.requires[:1].isdigit()


def is_strategy(rule: Rule) -> bool:
    """Whether the rule says how one version is installed over another."""
    return rule.check == CHECK_ID and rule.requires.partition(" ")[0] in STRATEGIES


def is_by_index(rule: Rule) -> bool:
    """Whether the rule lets a step be taken node by node only where the search index is young enough."""
    return rule.requires.startswith("by-index")


def is_recent_enough(rule: Rule, index: str) -> bool:
    """Whether a search index that Elasticsearch `index` created (empty: unknown) is young enough for `rule`."""
    least = rule.requires.partition(" ")[2]
    try:
        return bool(index) and (not least or parse_version(index) >= parse_version(least))
    except VersionError:
        return False


def path_to(
    parse: Callable[[str], Version], rules: RuleSet, current: str | None, target: str, check: str = CHECK_ID
) -> UpgradePath:
    """The hops from `current` (None: unknown) to `target`, over the stones that the rules of `check` name.

    `parse` reads the product's versions. A stop is on the way where a rule asks for it between any two versions that
    are, the stops themselves among them. Raises VersionError where a version is malformed.
    """
    goal = parse(target)
    start = None if current is None else parse(current)
    if start is not None and start >= goal:
        return UpgradePath(current, target, ())
    stones = _stones(rules.of(check), current, target, start, goal)
    hops = []
    before = current
    for rule in [*(stone for _, stone in sorted(stones.items())), None]:
        text = rule.requires if rule else target
        strategy = _strategy(rules, before, text) if before is not None else None
        asked = tuple(
            r
            for r in rules.rules
            if not r.off and r.check not in (CHECK_ID, FRONTEND_PATH, FRONTEND_LEVELS) and r.applies_to(text)
        )
        hops.append(UpgradeStep(text, rule, strategy, asked))
        before = text
    return UpgradePath(current, target, tuple(hops))


def _stones(
    rules: tuple[Rule, ...], current: str | None, target: str, start: Version | None, goal: Version
) -> dict[Version, Rule]:
    """Every stop on the way with the first rule that asks for it: asked for again until no new one turns up."""
    found: dict[Version, Rule] = {}
    stones = [(parse_version(rule.requires), rule) for rule in rules if is_required_stop(rule)]
    grown = True
    while grown:
        stops = sorted(found.items())
        sources = [(start, current), *((stop, rule.requires) for stop, rule in stops)]
        ends = [*((stop, rule.requires) for stop, rule in stops), (goal, target)]
        due = {
            stop: rule
            for stop, rule in reversed(stones)
            for low, source in sources
            for high, end in ends
            if stop < high and (low is None or low < stop) and rule.applies_to(end)
            if source is None or rule.applies_from(source)
        }
        grown = not due.keys() <= found.keys()
        found = due | found
    return found


def _strategy(rules: RuleSet, source: str, version: str) -> Rule | None:
    """The gravest strategy that the rules name for a step."""
    due = [r for r in rules.of(CHECK_ID) if is_strategy(r) and r.applies_from(source) and r.applies_to(version)]
    return max(due, key=lambda rule: STRATEGIES.index(rule.requires.partition(" ")[0]), default=None)


def route(
    parse: Callable[[str], Version], rules: RuleSet, current: str, target: str, index: str = ""
) -> UpgradePath | NoPath:
    """The supported way from `current` to `target`, or why there is none and what to do instead.

    A scan and a plan both ask here, so that the one fails what the other refuses. Stricter than `path_to`: a way that
    rests on no document of the vendor's is none. `index` is the version of Elasticsearch that created the search
    index; empty where it is unknown. Raises VersionError where a version is malformed, PlanError for a rule, overridden
    in the inventory, that is not understood.
    """
    start, goal = parse(current), parse(target)
    if start == goal:
        return NoPath(
            f"nothing to do: {target} is installed",
            "Set a newer `target`, or scan with --phase after.",
            installed=True,
        )
    if start > goal:
        return NoPath(
            f"the target {target} is older than what is installed, {current}",
            "Correct `target` in the inventory; the vendor documents no way back but a restored backup.",
        )
    path = path_to(parse, rules, current, target)
    for rule, text in remarks(rules, path, index):
        if rule.effect == "fail":
            return NoPath(text, "Ask the vendor's support for a way, before anything is touched.", rule)
    if (gap := _uncovered(rules, path)) is not None:
        return NoPath(
            f"no supported path from {current} to {target}: no document of the vendor's covers {gap[0]} to {gap[1]}",
            "Choose a target that the vendor's documents cover, or ask the vendor's support for a way.",
        )
    return path


def _uncovered(rules: RuleSet, path: UpgradePath) -> tuple[str, str] | None:
    """The first step that no strategy covers, as (from, to), where the product's rules name strategies at all."""
    if not any(is_strategy(rule) for rule in rules.of(CHECK_ID)):
        return None
    return next(((a, hop.version) for a, hop in _steps(path) if hop.strategy is None), None)


def _steps(path: UpgradePath) -> list[tuple[str, UpgradeStep]]:
    """Each hop of a path from a known version, with the version before it."""
    starts = (str(path.current), *(hop.version for hop in path.hops[:-1]))
    return list(zip(starts, path.hops, strict=True))


def remarks(rules: RuleSet, path: UpgradePath, index: str = "") -> tuple[tuple[Rule, str], ...]:
    """What else the rules say of a path from a known version: of its source, and of each step; each with its text.

    `index` is the version of Elasticsearch that created the search index; empty where it is unknown. Raises PlanError
    for a rule, overridden in the inventory, whose `requires` is no specifier.
    """
    told = []
    for rule in rules.of(CHECK_ID):
        if rule.requires == "note" or is_strategy(rule):
            # That a step can be taken node by node goes without saying.
            due = [f"{a} to {hop.version}" for a, hop in _steps(path) if _concerns(rule, a, hop)]
            told += [(rule, f"{', '.join(due)}: {rule.text}")] if due and not _is_rolling(rule, index) else []
        elif _is_floor(rule) and rule.applies_to(path.target) and not _allows(rule, str(path.current)):
            told.append((rule, rule.text))
    return tuple(told)


def _is_rolling(rule: Rule, index: str) -> bool:
    return rule.requires == "rolling" or (is_by_index(rule) and is_recent_enough(rule, index))


def _concerns(rule: Rule, source: str, hop: UpgradeStep) -> bool:
    if is_strategy(rule):
        return hop.strategy is rule
    return rule.applies_from(source) and rule.applies_to(hop.version)


def _is_floor(rule: Rule) -> bool:
    """Whether the rule says what the installed version must be."""
    return rule.requires != "note" and not is_required_stop(rule) and not is_strategy(rule)


def _allows(rule: Rule, source: str) -> bool:
    try:
        return SpecifierSet(rule.requires).contains(parse_version(source), prereleases=True)
    except InvalidSpecifier:
        raise PlanError(f"rule {rule.id}: requires = {rule.requires!r} is not understood") from None
