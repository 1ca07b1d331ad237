"""How values are compared, and the inventory's word over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import pytest

from checks.baseline.drift_rules import Compare, DriftRuleError, fits, parse_drift_rules, undecided
from scanner.rule_data import load_drift_rules

RULES = load_drift_rules()


def test_the_shipped_decision_and_the_default() -> None:
    assert RULES.of("disks.drives[C:].free-bytes").compare is Compare.IGNORE
    assert RULES.of("linux-disks.drives[/].total-bytes").tolerance == "1%"
    assert RULES.of("plugin-fact.colour").compare is Compare.EXACT


@pytest.mark.parametrize(
    ("pattern", "fit"),
    [
        ("disks", True),
        ("disks.drives[C:].free-bytes", True),
        ("disks.drives[D:].free-bytes", False),
        ("disks.drives[].free-bytes", True),
        ("disks.drives[*].free-*", True),
        ("*.free-bytes", True),
        ("disk", False),
        ("disks.drives", True),
    ],
)
def test_what_a_pattern_means(pattern: str, fit: bool) -> None:
    assert fits(pattern, "disks.drives[C:].free-bytes") is fit


def test_the_inventory_has_the_last_word() -> None:
    rules = RULES.with_overrides(
        {
            "cluster-status": {"compare": "ignore", "reason": "be1 is being rebuilt"},
            "disks.drives[D:].free-bytes": {"compare": "number", "tolerance": "20%", "reason": "the data volume"},
        }
    )
    assert rules.ignores("cluster-status")
    assert rules.ignores("cluster-status.members[be1].role")
    assert rules.of("disks.drives[D:].free-bytes").compare is Compare.NUMBER
    assert rules.ignores("disks.drives[C:].free-bytes")


def test_what_is_worked_out_once_for_a_path_holds_for_these_rules_alone() -> None:
    path = "disks.drives[C:].total-bytes"
    known = RULES.ruling(path)
    assert (known.rule, known.ignored, known.hidden) == (RULES.of(path), False, "disks.drives[C:]")
    ruled = RULES.with_overrides({"disks": {"compare": "ignore", "reason": "being rebuilt"}})
    assert ruled.ruling(path).ignored
    assert not RULES.ruling(path).ignored
    assert ruled.with_kinds([OwnFact]).ruling("own-fact.note").ignored
    assert not ruled.ruling("own-fact.note").ignored


def test_what_a_value_hides_is_its_own_row_unless_another_is_named() -> None:
    rules = parse_drift_rules(
        """
        [disks]
        "drives[name].state" = { compare = "exact", unread = ["lost"], hides = "other", reason = "x" }
        "drives[].kind" = { compare = "exact", unread = "any", reason = "x" }
        "other" = { compare = "exact", reason = "x" }
        """
    )
    hidden = {path: rules.ruling(f"disks.{path}").hidden for path in ("drives[C:].state", "drives[C:].kind", "other")}
    assert hidden == {"drives[C:].state": "disks.other", "drives[C:].kind": "disks.drives[C:]", "other": "disks"}
    assert [rules.says_unread("disks.drives[C:].state", value) for value in ("lost", "found")] == [True, False]


def test_a_node_that_names_ever_new_things_does_not_fill_the_memory() -> None:
    rules = parse_drift_rules('[disks]\n"drives[].kind" = { compare = "exact", reason = "x" }\n')
    assert not any(rules.ruling(f"disks.drives[{number}].kind").ignored for number in range(20_000))
    assert len(rules._rulings) <= 8_192


def test_a_part_of_a_path_is_ignored_where_all_that_can_lie_below_it_is() -> None:
    rules = parse_drift_rules(
        """
        [disks]
        "drives[].free-bytes" = { compare = "ignore", reason = "moves" }
        "drives[].name" = { compare = "exact", reason = "x" }
        [clock]
        "offset-s" = { compare = "ignore", reason = "moves" }
        "taken-at" = { compare = "ignore", reason = "moves" }
        """
    )
    ignored = {
        path: rules.ignores(path) for path in ("disks.drives[C:].free-bytes", "disks.drives[C:]", "disks", "clock")
    }
    assert ignored == {"disks.drives[C:].free-bytes": True, "disks.drives[C:]": False, "disks": False, "clock": True}
    assert not rules.ignores("nobody-decided.it")


@pytest.mark.parametrize(
    ("pattern", "change", "said"),
    [
        ("windows-versoin.build", {"compare": "ignore", "reason": "x"}, "fits no fact"),
        ("windows-version.built", {"compare": "ignore", "reason": "x"}, "windows-version.build"),
        ("windows-version", {"compare": "ignore"}, "reason is missing"),
        ("windows-version", {"compare": "ignore", "reason": " "}, "reason is missing"),
        ("windows-version", {"compare": "roughly", "reason": "x"}, "none of exact, version"),
        ("windows-version", {"compare": "number", "reason": "x"}, "needs one"),
        ("windows-version", {"compare": "exact", "tolerance": "5%", "reason": "x"}, "goes with compare = 'number'"),
        ("windows-version", {"compare": "number", "tolerance": "five", "reason": "x"}, "neither a number nor"),
    ],
)
def test_an_override_that_cannot_be_meant_is_refused(pattern: str, change: dict[str, object], said: str) -> None:
    with pytest.raises(DriftRuleError, match=said):
        RULES.with_overrides({pattern: change})


@pytest.mark.parametrize(
    "text",
    [
        '[a]\n"b" = {compare = "exact", hides = "b", reason = "x"}',
        '[a]\n"b" = {compare = "exact", unread = "any", hides = "c", reason = "x"}',
        "x = ",
        '[a]\n"b" = {compare = "exact"}',
        '[a]\n"b" = {compare = "exact", reason = "x", why = "y"}',
    ],
)
def test_data_that_cannot_be_used_is_refused(text: str) -> None:
    with pytest.raises(DriftRuleError):
        parse_drift_rules(text)


@dataclass(frozen=True, slots=True)
class Part:
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class OwnFact:
    """A fact of the tests, as a plugin has one."""

    colour: str
    note: str
    parts: tuple[Part, ...] = ()

    NOT_COMPARED: ClassVar[frozenset[str]] = frozenset({"note"})


def test_a_plugin_s_facts_are_compared_exactly_but_what_is_there_to_be_shown() -> None:
    rules = RULES.with_kinds([OwnFact])
    assert rules.of("own-fact.colour").compare is Compare.EXACT
    assert rules.ignores("own-fact.note")
    assert not rules.ignores("own-fact.colour")
    assert not rules.ignores("own-fact")
    assert rules.knows("own-fact.colour")
    assert not RULES.knows("own-fact.colour")
    # What is decided on stays so, and a kind of which nothing is new is no other set of rules.
    decided = parse_drift_rules('[own-fact]\n"colour" = { compare = "ignore", reason = "x" }\n')
    assert decided.with_kinds([OwnFact]) is decided
    assert RULES.with_kinds([]) is RULES


DECIDED = """
[own-fact]
"colour" = { compare = "exact", reason = "x" }
"note" = { compare = "ignore", reason = "x" }
"parts[name].size" = { compare = "exact", reason = "x" }
"""


@pytest.mark.parametrize(
    ("text", "flaws"),
    [
        (DECIDED, []),
        (
            DECIDED.replace('"colour"', '"color"'),
            ["own-fact.colour: how is it compared?", "own-fact.color: there is no"],
        ),
        (
            DECIDED.replace("[name]", "[id]"),
            ["own-fact.parts: its rows have no field id", "own-fact.parts[].name: how"],
        ),
        (DECIDED.replace("[name]", "[]"), ["own-fact.parts: what do its rows go by? Write"]),
        (DECIDED.replace('"colour"', '"colour[]"'), ["own-fact.colour: how is it", "own-fact.colour[]: there is no"]),
        (DECIDED + "[other]\n" + DECIDED.splitlines()[2], ["other: there is no such fact"]),
    ],
)
def test_what_is_not_decided_on_is_told(text: str, flaws: list[str]) -> None:
    found = undecided(parse_drift_rules(text), [OwnFact])
    assert bool(found) is bool(flaws)
    assert all(any(flaw in each for each in found) for flaw in flaws), found


@dataclass(frozen=True, slots=True)
class Flags:
    """A fact that holds a list of pairs."""

    flags: Mapping[str, str]


def test_a_list_of_pairs_is_decided_on_as_one_set_or_pair_by_pair() -> None:
    def flaws(*names: str) -> list[str]:
        rows = "".join(f'"{name}" = {{ compare = "exact", reason = "x" }}\n' for name in names)
        return undecided(parse_drift_rules(f"[flags]\n{rows}"), [Flags])

    assert flaws("flags") == flaws("flags[]") == []
    assert flaws("flags", "flags[]") == ["flags.flags: there is no such field"]
    assert flaws("other") == ["flags.flags[]: how is it compared?", "flags.other: there is no such field"]


def test_an_override_may_name_a_node_s_own_row() -> None:
    assert RULES.knows("disks.drives[D:].free-bytes")
    assert RULES.knows("disks.drives[*].free-bytes")
    assert RULES.knows("disks.drives[].free-bytes")
    assert RULES.knows("disks.drives[*]")
    assert not RULES.knows("disks.drives[D:].nothing")
    with pytest.raises(DriftRuleError, match=r"the kinds of facts are: .*windows-version"):
        RULES.with_overrides({"*nothing*": {"compare": "ignore", "reason": "x"}})
