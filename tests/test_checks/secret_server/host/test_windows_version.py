from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, NodeView
from checks.facts import UnknownFactError
from checks.outcome import Status
from checks.secret_server.facts.node import AppFiles, FileVersion, WindowsVersion
from checks.secret_server.host.windows_version import judge

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]


def windows(number: str, kind: int = 3, name: str = "") -> WindowsVersion:
    major, minor, build = (int(part) for part in number.split("."))
    return WindowsVersion(name=name, major=major, minor=minor, build=build, product_type=kind)


@pytest.mark.parametrize(
    ("number", "target", "status"),
    [
        ("5.2.3790", "8.9.000000", "fail"),
        ("6.0.6002", "8.9.000000", "fail"),
        ("6.1.7600", "8.9.000000", "pass"),
        ("6.0.6002", "8.8.000010", "skip"),
        ("6.1.7601", "10.7.000000", "pass"),
        ("6.1.7601", "10.8.000000", "warn"),
        ("6.2.9200", "10.8.000000", "pass"),
        ("6.0.6002", "11.7.000049", "fail"),
        ("10.0.14393", "11.8.000001", "pass"),
        ("10.0.14393", "11.9.000001", "warn"),
        ("10.0.17763", "11.9.000001", "pass"),
        ("10.0.26100", "12.3.000024", "pass"),
    ],
)
def test_the_version_is_held_to_the_target(
    cluster: Clusters, node: Nodes, number: str, target: str, status: str
) -> None:
    assert judge(node(cluster(target), windows(number))).status == status


def test_a_failure_names_what_was_found_and_what_is_needed(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster("10.0.000000"), windows("6.0.6002")))
    assert outcome.message == (
        "Windows Server 2008 (6.0.6002), but 10.0.000000 needs Windows Server 2008 R2 (6.1) or later"
    )


def test_documents_that_disagree_are_both_told(cluster: Clusters, node: Nodes) -> None:
    message = judge(node(cluster("10.8.000000"), windows("6.1.7601"))).message
    assert "asks for Windows Server 2012" in message
    assert "the upgrade page asks for 2008 R2" in message
    assert "contradictory" in message


@pytest.mark.parametrize(("kind", "text"), [(1, "a client Windows"), (2, "a domain controller")])
def test_the_wrong_kind_of_windows_is_a_warning_of_its_own(
    cluster: Clusters, node: Nodes, kind: int, text: str
) -> None:
    outcome = judge(node(cluster(), windows("10.0.20348", kind, "Windows")))
    assert outcome.status is Status.WARN
    assert outcome.message == f"this is {text}, which is not supported"


def test_the_wrong_kind_does_not_soften_a_failure(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), windows("6.0.6002", 2)))
    assert outcome.status is Status.FAIL
    assert "a domain controller" in outcome.message


def test_the_wrong_kind_is_told_even_without_a_target(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(None), windows("10.0.20348", 2)))
    assert outcome.status is Status.ERROR
    assert "no target version" in outcome.message
    assert "a domain controller" in outcome.message


def test_a_node_past_a_stop_is_not_held_to_it(cluster: Clusters, node: Nodes) -> None:
    files = AppFiles("C:\\s", (FileVersion("Thycotic.ihawu.Business.dll", "10.9.5.0"),))
    outcome = judge(node(cluster(), windows("6.0.6002"), files))
    assert "but 11.7.000049 needs" in outcome.message


@pytest.mark.parametrize("current", ["11.7.000049", "12.3.000024"])
def test_a_node_at_the_target_is_held_to_it_all_the_same(cluster: Clusters, node: Nodes, current: str) -> None:
    assert judge(node(cluster(current=current), windows("6.0.6002"))).status is Status.FAIL


def test_an_unknown_version_is_not_judged(cluster: Clusters, node: Nodes) -> None:
    with pytest.raises(UnknownFactError, match="registry is locked"):
        judge(node(cluster(), (WindowsVersion, "registry is locked")))


def test_a_garbled_target_is_an_error(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster("eleven"), windows("10.0.20348"))).status is Status.ERROR
