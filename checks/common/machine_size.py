"""A machine's processors and memory against a rule of its role, `ROLE cores N` or `ROLE memory-gb N`."""

from __future__ import annotations

from collections.abc import Sequence

from checks.engine.requirements import breach, cited
from checks.engine.rules import Rule
from checks.engine.ways_out import UNSEEN
from checks.outcome import Outcome, passed, undetermined, warned

GB = 10**9
_SLACK = 0.9
"""Share of the memory that is installed which an operating system counts at least."""


def unseen(rules: Sequence[Rule], what: str) -> Outcome:
    """The outcome for a machine of which nothing is known: as grave as breaking a rule, for it may be one that does."""
    end = undetermined if any(rule.effect == "fail" for rule in rules) else warned
    expected = " and ".join(rule.text for rule in rules)
    remedy = UNSEEN if end is warned else None
    return end(f"{what}; {expected} are asked for", expected=expected, observed="not known", remediation=remedy)


def judged(rule: Rule, *, processors: int, processor: str, memory_bytes: int) -> Outcome:
    """Hold a machine to one rule; `processor` is what its operating system counts: core, or processor."""
    _, measure, number = [*rule.requires.split(" "), "", ""][:3]
    if measure not in ("cores", "memory-gb") or not (number.isascii() and number.isdecimal()):
        ways = "'ROLE cores N' or 'ROLE memory-gb N'"
        return undetermined(f"rule {rule.id}: requires = {rule.requires!r} is neither {ways}")
    if measure == "cores":
        observed = f"{processors} {processor}{'s' * (processors != 1)}"
        enough = processors >= int(number)
    else:
        observed = f"{memory_bytes / GB:.1f} GB of memory"
        enough = memory_bytes >= int(number) * GB * _SLACK
    if enough:
        return passed(observed, expected=rule.text, observed=observed)
    return breach(rule, f"{observed}, and {rule.text} is asked for", observed=observed, **cited(rule))
