"""What may not be called a change, and why it is not compared: each cause with its own words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from checks.baseline.comparison import Scope, compare
from checks.baseline.drift import Difference, FactRow, differing
from checks.baseline.fact_paths import Value
from checks.baseline.snapshot import FactKey, Snapshot, take_snapshot
from checks.check import ClusterInfo, NodeView
from checks.chef_backend.facts.machine import InstalledPackage
from checks.chef_backend.product import CHEF_BACKEND
from checks.engine.evaluation import GatheredCluster
from checks.product import version_facts
from scanner.rule_data import load_drift_rules
from tests.test_checks.baseline.test_comparison import _Elsewhere

RULES = load_drift_rules()
HERE = ("vault", "web1")
KINDS = frozenset({"windows-version", "disks"})
SIZE, LETTER_KIND = "disks.drives[C:].total-bytes", "disks.drives[C:].kind"


def snapshot(facts: dict[str, Value], unread: dict[str, str] | None = None, kinds: frozenset[str] = KINDS) -> Snapshot:
    return Snapshot(
        {HERE: kinds},
        {FactKey(*HERE, path): value for path, value in facts.items()},
        {FactKey(*HERE, path): reason for path, reason in (unread or {}).items()},
    )


def rows(then: Snapshot, now: Snapshot, **scope: Any) -> dict[str, tuple[Difference, str]]:
    what = Scope(nodes=frozenset({HERE}), inventory=frozenset({HERE}), **scope)
    return {row.place.path: (row.difference, row.note) for row in compare(then, now, RULES, what).facts}


@pytest.mark.parametrize("part", ["", "disks", "disks.drives[C:]", SIZE])
@pytest.mark.parametrize("when", ["then", "now"])
def test_a_value_within_what_could_not_be_read_says_nothing(when: str, part: str) -> None:
    """As only a file that somebody has edited says: both at once."""
    sound = snapshot({SIZE: 1, "windows-version.build": 17763})
    odd = replace(sound, unread={FactKey(*HERE, part): "access denied"})
    found = rows(odd, sound) if when == "then" else rows(sound, odd)
    difference, note = found[SIZE]
    assert difference is Difference.NOT_COMPARED
    assert "access denied" in note
    assert ("approved" in note) is (when == "then")
    assert found["windows-version.build"][0] is (Difference.SAME if part else Difference.NOT_COMPARED)


@pytest.mark.parametrize(
    ("then", "now", "path", "said"),
    [
        pytest.param({LETTER_KIND: "NTFS"}, {LETTER_KIND: "NTFS", SIZE: 1}, SIZE, "does not have this value", id="row"),
        pytest.param({LETTER_KIND: "NTFS", SIZE: 1}, {LETTER_KIND: "NTFS"}, SIZE, "not read any more", id="row gone"),
        pytest.param({}, {"windows-version.build": 1}, "windows-version.build", "does not have this value", id="kind"),
        pytest.param({"windows-version.build": 1}, {}, "windows-version.build", "not read any more", id="kind gone"),
    ],
)
def test_a_lone_value_is_another_version_s_and_no_change(
    then: dict[str, Value], now: dict[str, Value], path: str, said: str
) -> None:
    difference, note = rows(snapshot(then), snapshot(now))[path]
    assert difference is Difference.NOT_COMPARED
    assert said in note


def test_a_row_that_was_not_there_has_appeared_with_all_that_it_has() -> None:
    found = rows(snapshot({}), snapshot({LETTER_KIND: "NTFS", SIZE: 1}))
    assert {path: difference for path, (difference, _) in found.items()} == dict.fromkeys(
        (LETTER_KIND, SIZE), Difference.APPEARED
    )


def test_what_was_asked_for_on_one_side_alone_says_on_which() -> None:
    asked, not_asked = snapshot({SIZE: 1}), snapshot({}, kinds=frozenset({"windows-version"}))
    assert rows(asked, not_asked)[SIZE][1].startswith("not asked for today")
    assert rows(not_asked, asked)[SIZE][1].startswith("not asked for when the baseline was approved")
    down = replace(not_asked, unread={FactKey(*HERE, ""): "node unreachable"})
    assert rows(asked, down)[SIZE] == (Difference.NOT_COMPARED, "node unreachable"), "the cause, not what follows of it"
    assert rows(asked, not_asked, narrowed=True) == {}


def test_a_gap_that_nobody_looked_into_today_is_no_news() -> None:
    holed = snapshot({"windows-version.build": 1}, {"disks": "access denied"})
    today = snapshot({"windows-version.build": 1}, kinds=frozenset({"windows-version"}))
    narrowed = Scope(nodes=frozenset({HERE}), inventory=frozenset({HERE}), narrowed=True)
    assert [gap.place.path for gap in compare(holed, today, RULES).gaps] == ["disks"]
    assert compare(holed, today, RULES, narrowed).gaps == ()
    # What could not be read now is told, whoever was asked for it.
    found = replace(today, unread={FactKey(*HERE, "disks"): "access denied"})
    assert [gap.place.path for gap in compare(today, found, RULES, narrowed).gaps] == ["disks"]


def test_what_differs_is_the_same_wherever_the_rows_lie() -> None:
    same, changed = (
        FactRow(place=FactKey(*HERE, f"a.{each}"), difference=Difference(each)) for each in ("same", "changed")
    )
    assert list(differing([same, changed])) == list(differing(_Elsewhere({HERE: [same, changed]}))) == [changed]


def test_the_facts_that_tell_a_version_are_those_of_the_nodes_that_carry_it() -> None:
    """Also where no check reads them: a drift tells that a node was upgraded."""
    product = replace(CHEF_BACKEND, checks=())
    assert InstalledPackage in version_facts(product, [])
    info = ClusterInfo("chef", "chef-backend", definition=product)
    package = InstalledPackage(
        manager="deb", version="3.0.1-1", state="installed", installed_s=1, now_s=2, manifest="3.0.1"
    )
    views = tuple(
        NodeView(cluster=info, name=role, host=role, roles=frozenset({role}), facts={InstalledPackage: package})
        for role in ("backend", "frontend")
    )
    gathered = GatheredCluster(info, views, frozenset({"backend", "frontend"}))
    found = take_snapshot([gathered], {("chef", "backend"), ("chef", "frontend")}, [], [], RULES)
    assert found.nodes == {
        ("chef", "backend"): frozenset({"installed-package"}),
        ("chef", "frontend"): frozenset(),
    }
    assert {place[:2] for place in found.facts} == {("chef", "backend")}
