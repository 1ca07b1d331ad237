"""The clocks of all nodes agree.

## What it checks
Each node says what time it is when the script begins there and when it ends; the scanner notes its own time before it
sends and after it has received. The node's clock is then ahead of the scanner's by no less than *ended minus received*
and no more than *begun minus sent*: the way there and back widens the interval, what the script took does not. Over SSH
*sent* is taken when the shell has said that it reads, so that the seconds which a login takes do not count either. The
intervals are compared **between nodes**, so that the scanner's own clock, right or wrong, cancels out. Only intervals
that prove too large a difference are a finding; where they prove neither that nor the contrary, the check says that it
cannot tell.

Chef's documents ask for less than 1.5 s across backends. Over SSH an interval is about as wide as a round trip; a
`date` that knows whole seconds only widens it by up to a second either way. Secret Server's documents name no limit:
beyond five minutes, what Kerberos tolerates unless told otherwise, is a warning. Over WinRM the interval holds the
start of PowerShell as well, one to several seconds, which is nothing against minutes.

A database host that is reached by its SQL Server port alone has no clock that could be read, and is left out.

## Why it matters
Leader election and replication time their leases and timeouts by these clocks; logs of one incident are read side by
side. Beyond five minutes Windows logins and the database connections of the pool's account fail, on one node only.

## How to fix it
Set up time synchronization on the node that is named, from the same source as the others (`chronyc tracking`,
`w32tm /query /status`), and let it settle before the window: a clock that is set by a jump disturbs a running cluster.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from statistics import median
from typing import Any

from checks.check import ClusterCheck, ClusterView
from checks.common.clock_facts import ClockSample
from checks.common.dataclass import dataclass
from checks.common.sql_port_alone import is_sql_port_alone
from checks.engine.requirements import breach, cited
from checks.engine.rules import Rule
from checks.engine.wording import enumerate_names, group_by_reason
from checks.outcome import Outcome, Remediation, Severity, combine, not_applicable, passed, undetermined

ID = "clock-skew"
KERBEROS_URL = (
    "https://learn.microsoft.com/en-us/previous-versions/windows/it-pro/windows-10/security/threat-protection/"
    "security-policy-settings/maximum-tolerance-for-computer-clock-synchronization"
)
_STEP_S = 0.05
"""By how much an interval may be turned inside out before it means that a clock was set."""
_MINUTES_FROM_S = 120


@dataclass(frozen=True, slots=True)
class _Clock:
    """A node's clock: by how much it is ahead of the scanner's, at least and at most."""

    name: str
    low_s: float
    high_s: float

    @property
    def middle_s(self) -> float:
        return (self.low_s + self.high_s) / 2


def judge(view: ClusterView) -> Outcome:
    """Compare every two clocks."""
    nodes = tuple(node for node in view.nodes if not is_sql_port_alone(node))
    if len(nodes) < len(("one", "another")):
        return not_applicable("there is no other node whose clock could be compared")
    rules = view.cluster.rules.of(ID)
    if not rules:
        return not_applicable("no limit is known, or it is switched off in the inventory")
    asked = ClusterView(view.cluster, nodes)
    samples = asked.with_fact(ClockSample)
    clocks = [_Clock(node.name, *sample.ahead_s) for node, sample in samples]
    jumped = [clock.name for clock in clocks if clock.low_s > clock.high_s + _STEP_S]
    sound = [clock for clock in clocks if clock.name not in jumped]
    outcomes = [_against(rule, sound) for rule in rules]
    if jumped:
        text = f"the clock of {enumerate_names(jumped)} was set while the node answered: scan again"
        outcomes.append(undetermined(text))
    # Those that did not answer at all are the engine's to tell of.
    silent = [(node.name, reason) for node, reason in asked.without_fact(ClockSample) if not node.absence]
    outcomes += [undetermined(text) for text in group_by_reason(silent)]
    return combine(outcomes)


def _against(rule: Rule, clocks: list[_Clock]) -> Outcome:
    try:
        limit_s = float(rule.requires)
    except ValueError:
        return undetermined(f"rule {rule.id}: requires = {rule.requires!r} is no number of seconds")
    centre_s = median(clock.middle_s for clock in clocks) if clocks else 0.0
    observed = ", ".join(f"{clock.name} {clock.middle_s - centre_s:+.1f} s" for clock in clocks)
    evidence: dict[str, Any] = {
        "ahead_of_the_scanner": {
            clock.name: {
                "offset_s": round(clock.middle_s, 3),
                "within_s": round(max(0.0, clock.high_s - clock.low_s) / 2, 3),
            }
            for clock in clocks
        },
        "limit_s": limit_s,
        **cited(rule),
    }
    pairs = list(combinations(clocks, 2))
    apart = [(one, other) for one, other in pairs if _least_s(one, other) >= limit_s]
    if apart:
        return breach(rule, f"{_who(clocks, apart)}, and {rule.text} is asked for", observed=observed, **evidence)
    open_ = [(one, other) for one, other in pairs if _most_s(one, other) >= limit_s]
    if open_:
        one, other = max(open_, key=lambda pair: _most_s(*pair))
        spread = f"somewhere from {_told(max(0.0, _least_s(one, other)))} to {_told(_most_s(one, other))}"
        vague = max((one, other), key=lambda clock: clock.high_s - clock.low_s)
        message = (
            f"cannot tell whether {rule.text} holds: the clocks of {one.name} and {other.name} are {spread} apart;"
            f" {vague.name} answered slowly, or without fractions of a second"
        )
        remedy = Remediation("Scan again when nodes and network are less busy, or compare the clocks by hand.")
        return undetermined(message, expected=rule.text, observed=observed, remediation=remedy, **evidence)
    return passed(f"no two clocks are {_told(limit_s)} apart", expected=rule.text, **evidence)


def _least_s(one: _Clock, other: _Clock) -> float:
    """How far two clocks are apart at least; negative where they may agree."""
    return max(one.low_s - other.high_s, other.low_s - one.high_s)


def _most_s(one: _Clock, other: _Clock) -> float:
    return max(one.high_s - other.low_s, other.high_s - one.low_s)


def _who(clocks: list[_Clock], apart: list[tuple[_Clock, _Clock]]) -> str:
    """The outliers, each with how far it is off; where no minority stands out, the two that are furthest apart."""
    count = {clock: sum(clock in pair for pair in apart) for clock in clocks}
    outliers = [clock for clock in clocks if count[clock] > len(clocks) / 2]
    if not outliers or len(outliers) * 2 >= len(clocks):
        one, other = max(apart, key=lambda pair: _least_s(*pair))
        gap = _told(abs(one.middle_s - other.middle_s))
        return f"the clocks of {one.name} and {other.name} are {gap} apart"
    centre_s = median(clock.middle_s for clock in clocks if clock not in outliers)
    return " and ".join(
        f"the clock of {clock.name} is {_told(abs(clock.middle_s - centre_s))} "
        f"{'ahead of' if clock.middle_s > centre_s else 'behind'} the others"
        for clock in outliers
    )


def _told(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < _MINUTES_FROM_S else f"{round(seconds / 60, 1):g} min"


def of(product: str, roles: tuple[str, ...], references: tuple[str, ...]) -> ClusterCheck:
    """The check as a product has it: between the nodes with `roles`."""
    return replace(_CHECK, products=(product,), roles=roles, references=references)


_CHECK = ClusterCheck(
    id=ID,
    title="The clocks of all nodes agree",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "Synchronize the clock of the node that is named with the same source as the others, and let it settle:"
        " `chronyc tracking` on Linux, `w32tm /query /status` on Windows."
    ),
    optional_facts=(ClockSample,),
    judge=judge,
)
