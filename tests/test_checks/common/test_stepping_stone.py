from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.chef_backend.backend.search_index import SearchIndex
from checks.chef_backend.facts.cluster import ChefBackendVersion
from checks.common.stepping_stone import judge
from checks.engine.rules import RuleSet
from checks.facts import Unknown
from checks.outcome import TOLD, Status
from checks.secret_server.facts.node import AppFiles, FileVersion

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]
Webs = Callable[..., ClusterView]

UNKNOWN = (AppFiles, "access is denied")


def app(version: str) -> AppFiles:
    return AppFiles(r"C:\SecretServer", (FileVersion("Thycotic.ihawu.Business.dll", version),))


def test_one_step_passes(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(), app("10.9.64.0"), app("10.9.64.0")))
    assert outcome.status is Status.PASS
    assert outcome.message == "10.9.000064 to 11.7.000049 in one step"


@pytest.mark.parametrize(
    ("current", "target", "path"),
    [
        ("8.3.0.0", "8.4.000004", ["8.4.000004"]),
        ("8.3.0.0", "8.5.000000", ["8.4.000004", "8.5.000000"]),
        ("9.1.0.0", "10.0.000000", ["9.1.000001", "10.0.000000"]),
        ("9.1.1.0", "10.0.000000", ["10.0.000000"]),
        ("10.8.4.0", "10.9.000005", ["10.9.000005"]),
        ("10.8.4.0", "10.9.000033", ["10.9.000005", "10.9.000033"]),
        ("8.3.0.0", "11.7.000049", ["8.4.000004", "9.1.000001", "10.9.000005", "11.7.000049"]),
    ],
)
def test_the_way_is_laid_out(cluster: Clusters, webs: Webs, current: str, target: str, path: list[str]) -> None:
    outcome = judge(webs(cluster(target), app(current)))
    assert outcome.evidence["path"] == path
    assert outcome.status is (Status.PASS if len(path) == 1 else Status.FAIL)


def test_the_next_version_is_named_first(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(), app("9.0.1.0")))
    assert outcome.message == (
        "9.0.000001 to 11.7.000049 needs a stop: install 9.1.000001 first, then 10.9.000005, then 11.7.000049"
    )
    assert outcome.remediation is not None
    assert "9.1.000001" in outcome.remediation.summary
    assert outcome.remediation.url.startswith("https://")


def test_an_older_target_is_an_error_in_the_plan(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster("10.9.000005"), app("10.9.64.0"), app("10.9.5.0"), UNKNOWN))
    assert outcome.status is Status.FAIL
    assert "the target 10.9.000005 is older than what is installed, 10.9.000064, on web1" in outcome.message
    assert "web3: access is denied" in outcome.message


def test_an_equal_target_is_nothing_to_do(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster("10.9.000064"), app("10.9.64.0")))
    assert outcome.status is Status.SKIP
    assert outcome.message == "nothing to do: 10.9.000064 is installed"


def test_the_oldest_node_decides_and_is_named(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(), app("10.9.64.0"), app("10.8.4.0")))
    assert outcome.status is Status.FAIL
    assert "10.8.000004 (the oldest, on web2) to 11.7.000049 needs a stop" in outcome.message


def test_unknown_versions_are_told(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(), UNKNOWN, UNKNOWN))
    assert outcome.status is Status.ERROR
    assert outcome.message == "installed version unknown: web1 and web2: access is denied"


@pytest.mark.parametrize("target", ["11.7.000049", "10.9.000064"])
def test_an_unknown_node_might_be_older(cluster: Clusters, webs: Webs, target: str) -> None:
    outcome = judge(webs(cluster(target), app("10.9.64.0"), UNKNOWN))
    assert outcome.status is Status.ERROR
    assert "web2: access is denied" in outcome.message


def test_a_stop_that_is_needed_stays_needed_whatever_the_unknown_node_runs(cluster: Clusters, webs: Webs) -> None:
    assert judge(webs(cluster(), app("10.8.4.0"), UNKNOWN)).status is Status.FAIL


def test_the_declared_version_stands_in(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(current="10.8.000004"), UNKNOWN))
    assert outcome.status is Status.FAIL
    assert "web1 10.8.000004 (declared)" in outcome.observed


def test_a_garbled_version_is_not_guessed_at(cluster: Clusters, webs: Webs) -> None:
    assert judge(webs(cluster(), app("ten point nine"))).status is Status.ERROR
    assert judge(webs(cluster(current="10.9000005"), UNKNOWN)).status is Status.ERROR


@pytest.mark.parametrize("target", [None, "", "11.7", "latest"])
def test_without_a_usable_target_nothing_can_be_said(cluster: Clusters, webs: Webs, target: str | None) -> None:
    outcome = judge(webs(cluster(target), app("10.9.64.0")))
    assert outcome.status is Status.ERROR
    assert "target version" in outcome.message


def test_below_the_floor_the_vendor_has_to_be_asked(cluster: Clusters, webs: Webs) -> None:
    assert judge(webs(cluster("8.4.000004"), app("7.1.15.0"))).status is Status.PASS
    outcome = judge(webs(cluster("8.4.000004"), app("7.1.14.0")))
    assert outcome.status is Status.FAIL
    assert "no documented self-service upgrade" in outcome.message


def test_a_stone_switched_off_is_no_stop(cluster: Clusters, webs: Webs) -> None:
    rules = {"stone-10.9.000005": {"off": True, "reason": "support case 4711"}}
    assert judge(webs(cluster(overrides=rules), app("10.8.4.0"))).status is Status.PASS


def test_a_stone_that_was_changed_shows(cluster: Clusters, webs: Webs) -> None:
    rules = {"stone-10.9.000005": {"effect": "warn", "reason": "support case 4711"}}
    outcome = judge(webs(cluster(overrides=rules), app("10.8.4.0")))
    assert outcome.status is Status.WARN
    assert "overridden in the inventory: support case 4711" in outcome.message


def test_a_rule_that_makes_no_sense_is_an_error(cluster: Clusters, webs: Webs) -> None:
    info = cluster()
    rules = info.rules.of("stepping-stone")
    odd = tuple(replace(rule, requires="whatever") if rule.id == "self-service-floor" else rule for rule in rules)
    outcome = judge(webs(replace(info, rules=RuleSet(odd)), app("10.9.64.0")))
    assert outcome.status is Status.ERROR
    assert "rule self-service-floor: requires = 'whatever'" in outcome.message


@pytest.fixture
def chef(cluster: Clusters, node: Nodes) -> Callable[..., ClusterView]:
    def make(target: str, *versions: str) -> ClusterView:
        info = cluster(target, product="chef-backend")
        nodes = (
            node(info, ChefBackendVersion(version), name=f"backend-{at}", roles=("backend",))
            for at, version in enumerate(versions, 1)
        )
        return ClusterView(info, tuple(nodes))

    return make


Chef = Callable[..., ClusterView]


def test_chef_within_a_major_version_is_one_step(chef: Chef) -> None:
    outcome = judge(chef("2.3.16", "2.1.0", "2.1.0", "2.1.0"))
    assert outcome.status is Status.PASS
    assert outcome.message == "2.1.0 to 2.3.16 in one step"


@pytest.mark.parametrize(
    ("source", "target", "index", "status"),
    [
        ("2.0.30", "2.3.16", "5.4.1", Status.PASS),
        ("2.0.30", "2.3.16", "2.3.1", Status.WARN),
        ("2.0.30", "2.3.16", None, Status.WARN),
        ("2.3.16", "3.1.1", "5.6.16", Status.PASS),
        ("2.3.16", "3.1.1", "5.4.1", Status.WARN),
        ("2.3.16", "3.1.1", None, Status.WARN),
    ],
)
def test_the_age_of_the_search_index_decides(
    chef: Chef, source: str, target: str, index: str | None, status: Status
) -> None:
    view = chef(target, source)
    fact = SearchIndex(index) if index else Unknown("Elasticsearch does not answer")
    nodes = tuple(replace(node, facts={**node.facts, SearchIndex: fact}) for node in view.nodes)
    outcome = judge(replace(view, nodes=nodes))
    assert outcome.status is status
    assert ("search index" in outcome.message) == (status is Status.WARN)


def test_chef_from_2_0_to_3_needs_a_stop(chef: Chef) -> None:
    outcome = judge(chef("3.1.1", "2.0.30"))
    assert outcome.status is Status.FAIL
    assert "install 2.3.16 first, then 3.1.1" in outcome.message


def test_chef_from_1_to_3_fails_and_names_the_stop(chef: Chef) -> None:
    outcome = judge(chef("3.1.1", "1.4.6"))
    assert outcome.status is Status.FAIL
    assert "install 2.3.16 first, then 3.1.1" in outcome.message
    assert outcome.remediation is not None
    assert "2.3.16" in outcome.remediation.summary
    assert "requires 2.1 or later" in outcome.remediation.summary


def test_chef_from_1_to_2_tells_of_the_downtime_which_is_no_fault(chef: Chef) -> None:
    outcome = judge(chef("2.3.16", "1.4.6"))
    assert outcome.status is Status.PASS
    assert outcome.message.startswith("1.4.6 to 2.3.16 in one step")
    assert outcome.evidence[TOLD] == "1.4.6 to 2.3.16: no rolling upgrade, the full cluster goes down"
    assert str(outcome.evidence[TOLD]) in outcome.message


def test_a_step_that_no_document_covers_fails(chef: Chef) -> None:
    outcome = judge(chef("4.0.0", "3.1.1"))
    assert outcome.status is Status.FAIL
    assert "no document of the vendor's covers 3.1.1 to 4.0.0" in outcome.message


def test_chef_within_1_needs_no_downtime(chef: Chef) -> None:
    assert judge(chef("1.5.0", "1.4.6")).status is Status.PASS


def test_chef_after_3_0_0_says_that_nodes_cannot_join(chef: Chef) -> None:
    assert "new nodes cannot join" in judge(chef("3.1.1", "3.0.0")).message


def test_chef_downgrade_fails_and_equal_is_nothing_to_do(chef: Chef) -> None:
    assert judge(chef("2.2.0", "2.3.16")).status is Status.FAIL
    assert judge(chef("2.3.16", "2.3.16")).status is Status.SKIP


def test_a_build_stamp_does_not_make_a_version_newer(chef: Chef) -> None:
    assert judge(chef("2.0.30", "2.0.30+20180629083321")).status is Status.SKIP


@pytest.mark.parametrize("text", ["2.3.16-1", "2.3.16-1.el7"])
def test_a_package_s_own_number_does_not_make_a_version_newer(chef: Chef, text: str) -> None:
    assert judge(chef("2.3.16", text)).status is Status.SKIP


def test_a_backend_that_contradicts_its_current_warns(cluster: Clusters, node: Nodes) -> None:
    info = cluster("2.3.16", product="chef-backend", current="2.2.5")
    pair = [
        node(info, ChefBackendVersion(text), name=f"backend-{at}", roles=("backend",))
        for at, text in enumerate(("2.2.5", "2.1.0"), 1)
    ]
    outcome = judge(ClusterView(info, tuple(pair)))
    assert outcome.status is Status.WARN
    assert outcome.message == "backend-2: the inventory declares 2.2.5, the node says 2.1.0"


def test_one_build_below_a_stone_still_needs_it(cluster: Clusters, webs: Webs) -> None:
    info = cluster("10.0.000000")
    assert judge(webs(info, app("9.1.0.0"))).status is Status.FAIL
    assert judge(webs(info, app("9.1.1.0"))).status is Status.PASS
    assert judge(webs(cluster("10.9.000005"), app("9.1.1.0"))).status is Status.PASS
    assert judge(webs(cluster("10.9.000006"), app("10.9.4.0"))).status is Status.FAIL


def test_a_library_s_version_that_is_none_of_the_product_s_is_no_defect(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(), app("2021.4.1.0")))
    assert outcome.status is Status.ERROR
    assert "Thycotic.ihawu.Business.dll: '2021.4.000001' is no Secret Server version" in outcome.message


@pytest.mark.parametrize("turned", [False, True])
def test_a_node_at_the_target_does_not_hide_one_that_is_behind(cluster: Clusters, webs: Webs, turned: bool) -> None:
    """Half an upgrade is no upgrade: the way is that of the node that has it still to go."""
    pair = (app("11.7.49.0"), app("10.8.4.0"))
    outcome = judge(webs(cluster(), *(reversed(pair) if turned else pair)))
    assert outcome.status is Status.FAIL
    assert f"10.8.000004 (the oldest, on web{1 if turned else 2}) to 11.7.000049 needs a stop" in outcome.message
    pair = (app("11.7.49.0"), app("10.9.64.0"))
    outcome = judge(webs(cluster(), *(reversed(pair) if turned else pair)))
    assert outcome.status is Status.PASS
    assert outcome.message.endswith("to 11.7.000049 in one step")
