"""What the vendor asks for at each version on the way to the target, and whether a measured version meets it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from checks.check import ClusterInfo, NodeView
from checks.common.dataclass import dataclass
from checks.engine.installed_version import installed
from checks.engine.rules import Rule, RuleSet
from checks.engine.upgrade_path import PlanError, path_to, target_of
from checks.engine.ways_out import UNSEEN
from checks.outcome import Outcome, Remediation, Status, combine, failed, not_applicable, passed, undetermined, warned


@dataclass(frozen=True, slots=True)
class ApplicableRule:
    """A rule that holds somewhere on the way."""

    rule: Rule
    hop: str
    """The first version on the way that asks for it; the target where the way is unknown."""


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a check has to hold a node to."""

    target: str
    due: tuple[ApplicableRule, ...]

    @property
    def evidence(self) -> dict[str, Any]:
        """The rules as a report shows them."""
        return {
            "target": self.target,
            "rules": [
                {
                    "id": due.rule.id,
                    "requires": due.rule.requires,
                    "at": due.hop,
                    "source": due.rule.source,
                    "confidence": due.rule.confidence,
                    **({"url": due.rule.url} if due.rule.url else {}),
                    **({"override": due.rule.override} if due.rule.override else {}),
                }
                for due in self.due
            ],
        }


def requirements(view: NodeView, check: str) -> Requirements | Outcome:
    """The rules of `check` at every hop from the node's version to the target, or why there is nothing to judge.

    Where the node's version is unknown, every stepping stone is taken to be on the way. A node that runs the target
    already, or something newer, is held to what the target asks for.
    """
    rules = view.cluster.rules
    try:
        target = target_of(view.cluster)
    except PlanError as error:
        return undetermined(str(error))
    due = _due(rules, view.cluster.definition.parse, installed(view).version, target, check)
    if due:
        return Requirements(target, due)
    off = "; ".join(rule.note for rule in rules.overridden() if rule.check == check)
    reason = f"no known requirement for an upgrade to {target}"
    return not_applicable(f"{reason} ({off})" if off else reason, target=target)


@functools.lru_cache(maxsize=1_024)
def _due(
    rules: RuleSet, parse: Callable[[str], Version], current: str | None, target: str, check: str
) -> tuple[ApplicableRule, ...]:
    """The rules of `check` that hold on the way, each with the first version that asks for it. Raises VersionError."""
    hops = _stops(rules, parse, current, target)
    firsts = ((rule, next((hop for hop in hops if rule.applies_to(hop)), None)) for rule in rules.of(check))
    return tuple(ApplicableRule(rule, hop) for rule, hop in firsts if hop)


def stops_to(cluster: ClusterInfo, current: str | None, target: str) -> list[str]:
    """The versions whose requirements hold on the way from `current` (None: unknown), in the order to be told in.

    Raises VersionError where a version is malformed.
    """
    return _stops(cluster.rules, cluster.definition.parse, current, target)


def _stops(rules: RuleSet, parse: Callable[[str], Version], current: str | None, target: str) -> list[str]:
    hops = [hop.version for hop in path_to(parse, rules, current, target).hops] or [target]
    if current is None:
        # What is needed in any case is better told of the target than of a stop that may not be on the way.
        hops.insert(0, hops.pop())
    return hops


def check_version(needs: Requirements, version: Version, observed: str, *, consequence: str = "") -> Outcome:
    """Hold `version` to every requirement whose `requires` is a specifier. `observed` says what was found, in words.

    `consequence` says what a failure leads to, once however many requirements are not met.
    """
    outcome = combine([_against(due, version, observed, needs) for due in needs.due])
    if consequence and outcome.status is Status.FAIL:
        return replace(outcome, message=f"{outcome.message}; {consequence}")
    return outcome


def violation(
    due: ApplicableRule, observed: str, needs: Requirements, remediation: Remediation | None = None
) -> Outcome:
    """The outcome for a requirement that `observed` does not meet; without a remedy, the check's own stands."""
    rule = due.rule
    way = "" if due.hop == needs.target else f", on the way to {needs.target},"
    verb = "needs" if rule.effect == "fail" else "asks for"
    message = f"{observed}, but {due.hop}{way} {verb} {rule.text}"
    return breach(rule, message, observed=observed, remediation=remediation, **needs.evidence)


def satisfied(due: ApplicableRule, observed: str, needs: Requirements) -> Outcome:
    """The outcome for a requirement that `observed` meets."""
    return passed(f"{observed}{noted(due.rule)}", expected=due.rule.text, observed=observed, **needs.evidence)


def unseen(due: ApplicableRule, what: str, needs: Requirements, remediation: Remediation | None = None) -> Outcome:
    """The outcome for a requirement of which nothing was seen: as grave as its breach, for it may be one.

    The remedy is what lets the missing fact be read; without one, the message itself says what to clear.
    """
    verb = "needs" if due.rule.effect == "fail" else "asks for"
    message = f"{what}; {due.hop} {verb} {due.rule.text}{noted(due.rule)}"
    return not_seen(due.rule, message, remediation=remediation, **needs.evidence)


def _against(due: ApplicableRule, version: Version, observed: str, needs: Requirements) -> Outcome:
    try:
        wanted = SpecifierSet(due.rule.requires)
    except InvalidSpecifier:
        return undetermined(
            f"rule {due.rule.id}: requires = {due.rule.requires!r} is no version specifier such as '>=11.0'",
            observed=observed,
            **needs.evidence,
        )
    if wanted.contains(version, prereleases=True):
        return satisfied(due, observed, needs)
    return violation(due, observed, needs)


def breach(
    rule: Rule,
    message: str,
    /,
    *,
    observed: str,
    remediation: Remediation | None = None,
    told_basis: bool = False,
    **evidence: Any,
) -> Outcome:
    """What was observed is not as the rule asks for. `told_basis`: the message says how sure it is."""
    end = failed if rule.effect == "fail" else warned
    text = f"{message}{noted(rule) if told_basis else reserved(rule)}"
    return end(text, expected=rule.text, observed=observed, remediation=remediation, **evidence)


def not_seen(rule: Rule, message: str, /, *, remediation: Remediation | None = None, **evidence: Any) -> Outcome:
    """Nothing was seen of what the rule asks for: as grave as its breach, for it may be one.

    The remedy is what lets it be seen; without one, the message itself says what to clear.
    """
    if rule.effect == "fail":
        end, remedy = undetermined, remediation
    else:
        end, remedy = warned, remediation or UNSEEN
    return end(message, expected=rule.text, observed="not known", remediation=remedy, **evidence)


def cited(rule: Rule) -> dict[str, Any]:
    """The rule, as evidence."""
    return {"rule": rule.id, "source": rule.source}


def noted(rule: Rule) -> str:
    """What a message ends with for a rule that the inventory changed."""
    return f" ({rule.note})" if rule.note else ""


def reserved(rule: Rule) -> str:
    """The same, after how sure a rule is that is not documented."""
    return noted(rule) if rule.confidence == "documented" else f" ({rule.confidence}: {rule.source}){noted(rule)}"
