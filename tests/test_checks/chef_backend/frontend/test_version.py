"""Version and migration-level of the frontends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from checks.check import ClusterView
from checks.chef_backend.facts.machine import FrontendPackage
from checks.chef_backend.frontend.version import CHECK, judge
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.engine.upgrade_path import FRONTEND_LEVELS
from checks.outcome import Outcome, Status
from checks.versions import VersionError
from scanner.rule_data import load_rules

Chefs = Callable[..., ClusterView]
LEVEL = '{"major":1,"minor":30}'


def level_of(version: str) -> str:
    """The level that the version ends with, which makes a healthy frontend of it; any other where none is known."""
    try:
        rules = load_rules("chef-backend").of(FRONTEND_LEVELS)
        minor = next((rule.requires.split(".")[1] for rule in rules if rule.applies_to(version)), "30")
    except VersionError:
        minor = "30"
    return f'{{"major":1,"minor":{minor}}}'


def judged(chefs: Chefs, *versions: str, levels: tuple[str, ...] = (), **changes: object) -> Outcome:
    facts = [
        [
            FrontendPackage(
                version=f"{version}-1.el7" if version else "",
                migration_level=levels[at] if levels else level_of(version),
            )
        ]
        for at, version in enumerate(versions)
    ]
    return judge(chefs(*facts, roles=("frontend",) * len(facts), **changes))


def test_one_version_and_level_pass(chefs: Chefs) -> None:
    outcome = judged(chefs, "15.0.9", "15.0.9")
    assert (outcome.status, outcome.message) == (Status.PASS, "15.0.9 on all frontends")


def test_an_outlier_fails_and_in_the_window_warns(chefs: Chefs) -> None:
    outcome = judged(chefs, "15.0.9", "15.0.9", "14.16.19")
    assert outcome.status is Status.FAIL
    assert "frontend-3 differs" in outcome.message
    assert judged(chefs, "15.0.9", "14.16.19", phase="window").status is Status.WARN


def test_another_migration_level_fails(chefs: Chefs) -> None:
    outcome = judged(chefs, "15.0.9", "15.0.9", levels=(level_of("15.0.9"), LEVEL))
    assert outcome.status is Status.FAIL
    assert "the migration-level of the frontends differs" in outcome.message
    assert judged(chefs, "15.0.9", "15.0.9", levels=(level_of("15.0.9"), LEVEL), phase="window").status is Status.WARN


def packages(chefs: Chefs, *changes: dict[str, str], phase: str = "before") -> Outcome:
    healthy = FrontendPackage(version="15.0.9-1.el7", migration_level=level_of("15.0.9"))
    facts: list[list[object]] = [[replace(healthy, **dict[str, Any](change))] for change in changes]
    return judge(chefs(*facts, roles=("frontend",) * len(facts), phase=phase))


MISSING = {"migration_level": "", "level_state": "missing"}


@pytest.mark.parametrize("phase", ["before", "window", "after"])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_level_that_is_missing_on_any_frontend_fails_by_name_with_the_remedy(
    chefs: Chefs, phase: str, at: int
) -> None:
    changes = [dict[str, str]() for _ in range(3)]
    changes[at] = MISSING
    outcome = packages(chefs, *changes, phase=phase)
    assert outcome.status is Status.FAIL
    assert outcome.message == f"/var/opt/opscode/upgrades/migration-level is not there on frontend-{at + 1}"
    assert outcome.remediation is not None
    assert f"from frontend-{2 if at == 0 else 1} to frontend-{at + 1}" in outcome.remediation.summary


def test_where_no_frontend_has_a_level_it_is_worked_out_anew(chefs: Chefs) -> None:
    outcome = packages(chefs, MISSING, MISSING)
    assert outcome.status is Status.FAIL
    assert "is not there on frontend-1 and frontend-2" in outcome.message
    assert outcome.remediation is not None
    assert outcome.remediation.command == "sudo chef-server-ctl rebuild-migration-state"


def test_an_empty_level_is_as_good_as_none_and_an_unread_one_is_undetermined(chefs: Chefs) -> None:
    outcome = packages(chefs, {}, {"migration_level": "", "level_state": "empty"})
    assert (outcome.status, "is empty on frontend-2" in outcome.message) == (Status.FAIL, True)
    unread = {"migration_level": "", "level_state": "unread", "level_problem": "sudo wants a password"}
    outcome = packages(chefs, {}, unread)
    assert (outcome.status, outcome.message) == (Status.ERROR, "frontend-2: sudo wants a password")
    assert packages(chefs, {}, {"migration_level": '{"level":3}'}).status is not Status.PASS


def test_a_package_that_is_not_wholly_installed_fails(chefs: Chefs) -> None:
    outcome = packages(chefs, {}, {"state": "half-configured"})
    assert outcome.status is Status.FAIL
    assert "frontend-2: dpkg says the package is half-configured" in outcome.message


@pytest.mark.parametrize(
    ("version", "level"),
    [
        ("12.0.0", 19),
        ("12.2.0", 26),
        ("12.6.0", 30),
        ("12.13.0", 30),
        ("12.14.0", 32),
        ("12.15.8", 33),
        ("12.16.9", 33),
        ("12.16.14", 34),
        ("12.17.15", 34),
        ("13.2.0", 34),
        ("14.0.58", 35),
        ("14.8.7", 36),
        ("14.16.19", 36),
        ("15.0.9", 37),
        ("15.10.33", 37),
    ],
)
def test_an_old_level_on_all_says_that_the_upgrade_was_not_run(chefs: Chefs, version: str, level: int) -> None:
    """By the files of the vendor's tags: each release with the last of its migrations."""
    right, old, new = (f'{{"major":1,"minor":{level + step}}}' for step in (0, -1, 1))
    for phase, status in (("before", Status.WARN), ("window", Status.WARN), ("after", Status.FAIL)):
        outcome = judged(chefs, version, version, levels=(old, old), phase=phase, target="1.4.6")
        if phase != "after" and version < "12.6":
            continue  # too old for any Chef Backend, which fails by itself
        assert outcome.status is status
        assert f"frontend-1 and frontend-2 is 1.{level - 1}, while {version} ends with 1.{level}" in outcome.message
    assert "migration-level" not in judged(chefs, version, version, levels=(right, right), target="1.4.6").message
    ahead = judged(chefs, version, version, levels=(new, new), target="1.4.6")
    assert ahead.status is Status.FAIL
    assert "the data are newer than the package" in ahead.message


@pytest.mark.parametrize("version", ["13.2.20", "15.10.96", "15.10.114", "16.0.0"])
def test_where_no_level_is_known_any_will_do(chefs: Chefs, version: str) -> None:
    for minor in (3, 33, 93):
        level = f'{{"major":1,"minor":{minor}}}'
        assert judged(chefs, version, version, levels=(level, level)).status is Status.PASS


@pytest.mark.parametrize(
    ("version", "target", "status"),
    [
        ("12.5.0", "1.4.6", Status.FAIL),
        ("12.15.8", "1.4.6", Status.PASS),
        ("12.15.8", "2.3.16", Status.WARN),
        ("12.19.31", "2.3.16", Status.PASS),
        ("12.19.31", "3.1.1", Status.WARN),
        ("15.0.4", "2.3.16", Status.WARN),
    ],
)
def test_minimums_go_by_the_target(chefs: Chefs, version: str, target: str, status: Status) -> None:
    assert judged(chefs, version, target=target).status is status


def test_a_minimum_that_is_inferred_says_so(chefs: Chefs) -> None:
    assert "inferred" in judged(chefs, "12.15.8").message


def test_no_package_a_garbled_version_and_no_target_are_unknown(chefs: Chefs) -> None:
    assert judged(chefs, "15.0.9", "").status is Status.ERROR
    assert judged(chefs, "latest").status is Status.ERROR
    assert judged(chefs, "15.0.9", target=None).status is Status.ERROR


def test_a_frontend_that_is_down_or_garbled_is_a_gap_and_none_at_all_is_no_result(chefs: Chefs) -> None:
    for other in (None, [(FrontendPackage, "not understood")]):
        view = chefs(
            [FrontendPackage(version="15.0.9", migration_level=level_of("15.0.9"))],
            other,
            roles=("frontend", "frontend"),
        )
        names = frozenset(node.name for node in view.nodes)
        (result,) = evaluate([CHECK], [GatheredCluster(view.cluster, view.nodes, names)])
        assert result.status is Status.ERROR
    view = chefs([FrontendPackage(version="15.0.9", migration_level=LEVEL)])
    assert evaluate([CHECK], [GatheredCluster(view.cluster, view.nodes, frozenset({"backend-1"}))]) == ()


def test_minimums_hold_at_each_stop_and_name_it(chefs: Chefs) -> None:
    only_there = {"frontend-12.6.0": {"target": ">=2.0,<3.0", "requires": ">=15.1", "reason": "a test"}}
    view = chefs(
        *[[FrontendPackage(version="15.0.9-1.el7", migration_level=level_of("15.0.9"))]] * 2,
        roles=("frontend",) * 2,
        target="3.1.1",
    )
    rules = view.cluster.rules.with_overrides(only_there)
    via = replace(view, cluster=replace(view.cluster, rules=rules, current="2.0.30"))
    assert judge(via).status is Status.FAIL
    assert "too old for 2.3.16, on the way to 3.1.1, which needs" in judge(via).message
    straight = replace(via, cluster=replace(via.cluster, current="2.1.0"))
    assert judge(straight).status is Status.PASS


def test_a_frontend_whose_package_is_no_version_is_told_by_name_alone(chefs: Chefs) -> None:
    outcome = judged(chefs, "newest", "newest", levels=(LEVEL, LEVEL), target=None)
    assert outcome.status is Status.ERROR
    assert "no frontend's version is known" not in outcome.message
    assert "frontend-1: 'newest' is no version" in outcome.message


def test_where_no_frontend_tells_anything_that_is_said(chefs: Chefs) -> None:
    assert judge(chefs(None, None, roles=("frontend", "frontend"))).message == "no frontend's version is known"


@pytest.mark.parametrize(("version", "low"), [("12.17.15", True), ("12.17.15rc1", True), ("15.0.9rc1", False)])
def test_a_release_candidate_is_held_to_the_rules_too(chefs: Chefs, version: str, low: bool) -> None:
    """The target asks for more than 12.17.15 and for less than a release candidate of 15.0.9."""
    outcome = judged(chefs, version, target="3.1.1")
    assert ("too old for" in outcome.message) is low
