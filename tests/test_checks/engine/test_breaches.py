"""What breaking a rule amounts to, and not knowing whether it is broken."""

from __future__ import annotations

import pytest

from checks.engine.requirements import breach, cited, not_seen, reserved
from checks.engine.rules import Rule
from checks.engine.ways_out import UNSEEN
from checks.outcome import Remediation, Status

RULE = Rule(id="room", check="disk-space", target="", requires="web free-gb 5", text="5 GB", source="the upgrade page")
GUESS = Rule(
    id="guess",
    check="disk-space",
    target="",
    requires="web free-gb 9",
    text="9 GB",
    source="a forum",
    effect="warn",
    confidence="inferred",
    override="our disks",
)
NOTE = "(rule guess overridden in the inventory: our disks)"


@pytest.mark.parametrize(
    ("rule", "status", "message"),
    [(RULE, Status.FAIL, "3 GB"), (GUESS, Status.WARN, f"3 GB (inferred: a forum) {NOTE}")],
)
def test_a_breach_is_as_grave_as_its_rule_and_says_how_sure_that_is(rule: Rule, status: Status, message: str) -> None:
    outcome = breach(rule, "3 GB", observed="3 GB free", **cited(rule))
    assert (outcome.status, outcome.message, outcome.expected) == (status, message, rule.text)
    assert outcome.observed == "3 GB free"
    assert outcome.evidence == {"rule": rule.id, "source": rule.source}


def test_how_sure_a_rule_is_is_not_told_twice() -> None:
    assert breach(GUESS, "3 GB", observed="", told_basis=True).message == f"3 GB {NOTE}"
    assert reserved(RULE) == ""


def test_what_was_not_seen_may_be_a_breach_and_is_as_grave() -> None:
    remedy = Remediation("Let it be read.")
    assert not_seen(RULE, "not seen").status is Status.ERROR
    assert not_seen(RULE, "not seen").remediation is None
    assert not_seen(RULE, "not seen", remediation=remedy).remediation == remedy
    assert (not_seen(GUESS, "not seen").status, not_seen(GUESS, "not seen").remediation) == (Status.WARN, UNSEEN)
    assert not_seen(GUESS, "not seen", remediation=remedy).remediation == remedy
    assert not_seen(GUESS, "not seen").observed == "not known"
