from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.outcome import Outcome, Status
from checks.secret_server.facts.node import AppFiles, FileVersion
from checks.secret_server.files.app_version_match import judge

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]
Webs = Callable[..., ClusterView]

DOWN = (AppFiles, "node unreachable: connection refused")
MAIN = "Thycotic.ihawu.Business.dll"


def files(*versions: str, main: str | None = None) -> AppFiles:
    found = [FileVersion(f"Thycotic.Part{at}.dll", version) for at, version in enumerate(versions)]
    return AppFiles(r"C:\SecretServer", tuple([*found, FileVersion(MAIN, main)] if main else found))


OLD, NEW = files("10.9.5.0", "10.9.5.0"), files("10.9.64.0")


def test_the_same_version_everywhere_passes(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(), OLD, OLD))
    assert outcome.status is Status.PASS
    assert outcome.message == "10.9.000005 on all 2 web nodes"


def test_the_text_as_read_is_kept(cluster: Clusters, webs: Webs) -> None:
    assert "10.9.5.0" in str(judge(webs(cluster(), OLD, OLD)).evidence)


def test_the_outlier_is_named(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(), NEW, OLD, NEW))
    assert outcome.status is Status.FAIL
    assert outcome.message.startswith("web2 differs from web1 and web3: web1 10.9.000064; web2 10.9.000005")


def test_two_against_two_names_both_groups(cluster: Clusters, webs: Webs) -> None:
    assert "web1 and web2 against web3 and web4" in judge(webs(cluster(), NEW, NEW, OLD, OLD)).message


def test_a_proven_difference_fails_without_the_third_node(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(), NEW, OLD, DOWN))
    assert outcome.status is Status.FAIL
    assert "web3: node unreachable" in outcome.message


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (DOWN, "connection refused"),
        (files(), r"no Thycotic*.dll in C:\SecretServer\bin"),
        (files(""), "Thycotic.Part0.dll carries no version"),
        (files("ten.nine"), "'ten.nine' is no file version"),
    ],
)
def test_a_version_that_cannot_be_read_is_unknown(cluster: Clusters, webs: Webs, found: object, why: str) -> None:
    outcome = judge(webs(cluster(), OLD, found))
    assert outcome.status is Status.ERROR
    assert why in outcome.message


def test_the_inventory_stands_in(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(current="10.9.000005"), OLD, files()))
    assert outcome.status is Status.PASS
    assert "web2: as the inventory declares" in outcome.message


def test_a_declared_version_alone_proves_no_difference(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(current="10.9.000064"), OLD, files()))
    assert outcome.status is Status.ERROR
    assert "not every version was read from its node" in outcome.message


def test_a_declaration_that_is_wrong_is_a_warning(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(current="10.9.000033"), OLD, OLD))
    assert outcome.status is Status.WARN
    assert "web1: the inventory declares 10.9.000033, the node says 10.9.000005" in outcome.message
    assert outcome.remediation is not None
    assert "Correct `current`" in outcome.remediation.summary


def test_a_malformed_declaration_is_told(cluster: Clusters, webs: Webs) -> None:
    assert "'10.9' is no Secret Server version" in judge(webs(cluster(current="10.9"), OLD, OLD)).message
    assert judge(webs(cluster(current="10.9"), files(), files())).status is Status.ERROR


@pytest.mark.parametrize(
    ("found", "status", "version"),
    [
        (files("10.9.5.0", "10.9.5.0", "10.9.64.0"), "warn", "10.9.000005"),
        (files("10.9.5.0", "10.9.5.0", main="10.9.64.0"), "warn", "10.9.000064"),
        (files("10.9.5.0", "10.9.64.0"), "error", "libraries disagree"),
    ],
)
def test_libraries_that_disagree_are_told(
    cluster: Clusters, webs: Webs, found: AppFiles, status: str, version: str
) -> None:
    outcome = judge(webs(cluster(), found, found))
    assert outcome.status == status
    assert version in outcome.message.split(";")[0] or status == "error"
    assert "10.9.000005 (" in outcome.message


def test_one_garbled_library_does_not_hide_the_others(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(), files("10.9.5.0", "?"), OLD))
    assert outcome.status is Status.WARN
    assert "web1: Thycotic.Part1.dll: '?' is no file version" in outcome.message
    assert "10.9.000005 on all" in outcome.message


def test_one_web_node_has_nothing_to_be_compared_with(cluster: Clusters, webs: Webs) -> None:
    assert judge(webs(cluster(), OLD)).status is Status.SKIP
    assert judge(webs(cluster(current="10.9.000064"), OLD)).status is Status.WARN


def test_a_node_may_declare_a_version_of_its_own(cluster: Clusters, node: Nodes) -> None:
    info = cluster(current="10.9.000064")
    nodes = (node(info, OLD, name="web1", current="10.9.000005"), node(info, NEW, name="web2"))
    outcome: Outcome = judge(ClusterView(info, nodes))
    assert outcome.status is Status.FAIL
    assert "declares" not in outcome.message


def test_a_main_library_without_a_version_is_a_doubt(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(), NEW, files("10.9.64.0", main="odd")))
    assert outcome.status is Status.WARN
    assert "web2: thycotic.ihawu.business.dll: it tells no version" in outcome.message


HELD = "Thycotic.ihawu.Business.dll is locked by another process (0x80070020)"


def with_held(whole: AppFiles, *held: str) -> AppFiles:
    """`whole` with further libraries that could not be looked into."""
    return replace(whole, files=(*whole.files, *(FileVersion(name, "", HELD) for name in held)))


def test_a_main_library_that_is_held_is_told_as_that_and_calls_for_no_copy(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(), OLD, with_held(OLD, MAIN)))
    assert outcome.status is Status.WARN
    assert "is locked by another process" in outcome.message
    assert outcome.remediation is not None
    assert "holds the file" in outcome.remediation.summary
    assert "copy" not in outcome.remediation.summary.lower()


def test_libraries_that_are_all_held_are_no_libraries_without_a_version(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(), OLD, with_held(replace(OLD, files=()), MAIN, "Thycotic.AppCore.dll")))
    assert outcome.status is Status.ERROR
    assert "is locked by another process" in outcome.message
    assert "carries no version" not in outcome.message


def test_a_version_too_large_for_the_product_stands_for_nothing(cluster: Clusters, webs: Webs) -> None:
    outcome = judge(webs(cluster(), NEW, files("65535.1.0.0")))
    assert outcome.status is Status.ERROR
    assert "web2: Thycotic.Part0.dll: '65535.1.000000' is no Secret Server version" in outcome.message


STONE, OTHER = files("9.1.1.0"), files("10.9.6.0")


@pytest.mark.parametrize(
    ("phase", "found", "status", "told"),
    [
        ("window", (NEW, OLD, OLD), Status.WARN, "the upgrade is under way: web1 differs from web2 and web3"),
        ("window", (OLD, OLD), Status.PASS, "10.9.000005 on all 2"),
        ("window", (STONE, files("8.4.4.0")), Status.WARN, "the upgrade is under way"),
        ("window", (OTHER, OLD), Status.FAIL, "web1 against web2"),
        ("window", (NEW, OLD, STONE), Status.FAIL, "web1 against web2 against web3"),
        ("window", (NEW, OLD, DOWN), Status.ERROR, "web3: node unreachable"),
        ("window", (OTHER, OLD, DOWN), Status.FAIL, "web3: node unreachable"),
        ("after", (NEW, NEW), Status.PASS, "10.9.000064 on all web nodes"),
        ("after", (NEW,), Status.PASS, "10.9.000064 on all web nodes"),
        ("after", (OLD, OLD), Status.FAIL, "web1 and web2 not at the target 10.9.000064"),
        ("after", (OLD,), Status.FAIL, "web1 not at the target"),
        ("after", (NEW, OLD), Status.FAIL, "web2 not at the target"),
        ("after", (NEW, DOWN), Status.ERROR, "the version of web2 was not read"),
        ("after", (NEW, files("10.9.64.0", "10.9.5.0", main="10.9.64.0")), Status.WARN, "libraries disagree"),
    ],
)
def test_in_the_window_nodes_differ_and_afterwards_all_are_at_the_target(
    cluster: Clusters, webs: Webs, phase: str, found: tuple[object, ...], status: Status, told: str
) -> None:
    outcome = judge(webs(replace(cluster("10.9.000064"), phase=phase), *found))
    assert (outcome.status, told in outcome.message) == (status, True), outcome.message


def test_a_declared_version_proves_nothing_afterwards(cluster: Clusters, webs: Webs) -> None:
    info = replace(cluster("10.9.000064", current="10.9.000064"), phase="after")
    assert judge(webs(info, NEW, files())).status is Status.ERROR


@pytest.mark.parametrize(("phase", "status"), [("window", Status.FAIL), ("after", Status.ERROR)])
def test_without_a_target_nothing_is_under_way(cluster: Clusters, webs: Webs, phase: str, status: Status) -> None:
    assert judge(webs(replace(cluster(None), phase=phase), OLD, NEW)).status is status
