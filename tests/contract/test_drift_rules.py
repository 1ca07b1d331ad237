"""Every field of every fact is decided: how it is compared with the baseline, and why so."""

from __future__ import annotations

from collections import Counter

from checks.baseline.drift_rules import Compare, undecided
from checks.baseline.fact_paths import field_patterns, kind_name
from checks.facts import Contact
from checks.registry import BUILTIN as CHECKS
from scanner.probes.registry import BUILTIN as PROBES
from scanner.rule_data import load_drift_rules


def kinds() -> set[type]:
    given = {kind for probe in PROBES for kind in probe.facts}
    read = {kind for check in CHECKS for kind in check.facts + check.optional_facts}
    return (given | read) - {Contact}


def test_every_field_is_decided_in_checks_drift_toml() -> None:
    assert undecided(load_drift_rules(), kinds()) == []


def test_a_forgotten_field_and_a_forgotten_fact_are_named() -> None:
    from dataclasses import dataclass, replace

    @dataclass(frozen=True)
    class Forgotten:
        colour: str

    assert "forgotten.colour: how is it compared?" in undecided(load_drift_rules(), [*kinds(), Forgotten])
    without = load_drift_rules()
    fields = {name: rule for name, rule in without.fields.items() if name != "windows-version.build"}
    flaws = undecided(replace(without, fields=fields), kinds())
    assert flaws == ["windows-version.build: how is it compared?"]


def test_kinds_of_facts_have_names_of_their_own() -> None:
    assert [name for name, number in Counter(kind_name(kind) for kind in kinds()).items() if number > 1] == []


def test_what_moves_by_itself_is_ignored() -> None:
    """Times, clocks, process ids and free space would be told every night."""
    moving = ("-s", "pid", "free-bytes", "free-mb", "-at")
    rules = load_drift_rules()
    for kind in kinds():
        for pattern in field_patterns(kind):
            if pattern.rsplit(".", 1)[-1].endswith(moving) and pattern in rules.fields:
                assert rules.fields[pattern].compare in (Compare.IGNORE, Compare.NUMBER), pattern
