from __future__ import annotations

import pytest

from checks.check import ClusterInfo
from checks.rules import RuleSet
from checks.upgrade_path import PlanError, path_to, target_of
from checks.versions import VersionError
from scanner.rule_data import load_rules

VAULT = load_rules("secret-server")
CHEF = load_rules("chef-backend")


def hops(product: str, rules: RuleSet, current: str | None, target: str) -> list[str]:
    return [hop.version for hop in path_to(product, rules, current, target).hops]


@pytest.mark.parametrize(
    ("current", "target", "expected"),
    [
        ("8.3.000000", "11.7.000049", ["8.4.000004", "9.1.000001", "10.9.000005", "11.7.000049"]),
        ("8.4.000004", "11.7.000049", ["9.1.000001", "10.9.000005", "11.7.000049"]),
        ("9.1.000000", "10.0.000000", ["9.1.000001", "10.0.000000"]),
        ("9.1.000001", "10.9.000005", ["10.9.000005"]),
        ("10.9.000005", "10.9.000006", ["10.9.000006"]),
        ("8.3.000000", "8.4.000005", ["8.4.000005"]),
        ("10.9.000004", "10.9.000006", ["10.9.000005", "10.9.000006"]),
        ("11.7.000049", "11.7.000049", []),
        ("12.3.000024", "11.7.000049", []),
    ],
)
def test_secret_server_stops_at_each_stone_that_is_ahead(current: str, target: str, expected: list[str]) -> None:
    assert hops("secret-server", VAULT, current, target) == expected


def test_an_unknown_source_may_need_every_stone() -> None:
    expected = ["8.4.000004", "9.1.000001", "10.9.000005", "11.7.000049"]
    assert hops("secret-server", VAULT, None, "11.7.000049") == expected
    assert hops("secret-server", VAULT, None, "9.1.000001") == ["8.4.000004", "9.1.000001"]


@pytest.mark.parametrize(
    ("current", "target", "expected"),
    [
        ("2.0.30", "2.3.16", ["2.3.16"]),
        ("2.0.30", "3.1.1", ["2.3.16", "3.1.1"]),
        ("2.1.0", "3.1.1", ["3.1.1"]),
        ("1.4.6", "3.1.1", ["2.3.16", "3.1.1"]),
        ("1.4.6", "2.3.16", ["2.3.16"]),
    ],
)
def test_chef_backend_stops_at_2_3_16(current: str, target: str, expected: list[str]) -> None:
    assert hops("chef-backend", CHEF, current, target) == expected


def test_each_stop_knows_the_rule_that_asks_for_it() -> None:
    path = path_to("secret-server", VAULT, "10.8.000004", "11.7.000049")
    assert [hop.stone.id if hop.stone else None for hop in path.hops] == ["stone-10.9.000005", None]


def test_the_order_of_the_data_does_not_matter() -> None:
    turned = RuleSet(tuple(reversed(VAULT.rules)))
    assert hops("secret-server", turned, "8.3.000000", "11.7.000049")[:2] == ["8.4.000004", "9.1.000001"]


def test_a_stone_beyond_the_target_is_no_stop() -> None:
    rules = VAULT.with_overrides({"stone-10.9.000005": {"target": "", "reason": "rehearsal"}})
    assert hops("secret-server", rules, "10.0.000001", "10.5.000000") == ["10.5.000000"]


def test_malformed_versions_are_refused() -> None:
    with pytest.raises(VersionError):
        path_to("secret-server", VAULT, "8.9", "11.7.000049")


@pytest.mark.parametrize(
    ("target", "text"),
    [(None, "no target version: set `target` in the inventory, or --target prod=VERSION"), ("11.7", "six digits")],
)
def test_a_target_that_cannot_be_used_says_why(target: str | None, text: str) -> None:
    with pytest.raises(PlanError, match=text):
        target_of(ClusterInfo("prod", "secret-server", target))
