"""What `plan` refuses, `scan` fails, for the same reason; and the one gives a way wherever the other asks for stops."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, NodeView
from checks.chef_backend.backend.search_index import SearchIndex
from checks.chef_backend.facts.cluster import ChefBackendVersion, ClusterStatus, Member
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.facts import Unknown
from checks.outcome import Result, Status
from checks.registry import named
from checks.runbook.build import plan_of
from checks.runbook.model import Plan, Refusal, Runbook
from checks.scan import Verdict
from checks.secret_server.facts.node import AppFiles, FileVersion
from checks.versions import VersionError, parse_secret_server, parse_version, secret_server_text

CHECK = named("stepping-stone")

Clusters = Callable[..., ClusterInfo]

CHEF = (
    *("0.8.0", "1.0.9", "1.1.2", "1.2.5", "1.3.2", "1.4.6", "1.4.40", "2.0.1", "2.0.30", "2.0.45", "2.1.0", "2.2.0"),
    *("2.3.16", "3.0.0", "3.1.1", "4.0.0"),
)
"""Every version that the vendor's release notes and upgrade page name, and one that there is not yet."""
VAULT = (
    *("7.1.000014", "7.1.000015", "8.0.000004", "8.4.000004", "8.5.000000", "8.8.000013", "8.9.300000", "8.9.300008"),
    *("9.0.000000", "9.1.000000", "9.1.000001", "10.0.000000", "10.1.000001", "10.6.000027", "10.8.000004"),
    *("10.9.000000", "10.9.000005", "10.9.000064", "11.0.000006", "11.7.000049"),
)
PAIRS = [
    *(("chef-backend", one, two) for one, two in itertools.product(CHEF, CHEF)),
    *(("secret-server", one, two) for one, two in itertools.product(VAULT, VAULT)),
]
_ROWS = tuple(
    Member(
        name=f"node{at}",
        ip=f"10.0.0.{at}",
        guid=str(at) * 32,
        role=role,
        postgresql=role,
        elasticsearch="master" if at == 2 else "not_master",
    )
    for at, role in ((1, "leader"), (2, "follower"), (3, "follower"))
)


def _node(info: ClusterInfo, at: int, version: str | Unknown) -> NodeView:
    if info.product == "chef-backend":
        fact = version if isinstance(version, Unknown) else ChefBackendVersion(version)
        facts: dict[type, object] = {ChefBackendVersion: fact, ClusterStatus: ClusterStatus(_ROWS)}
        return NodeView(
            cluster=info,
            name=f"node{at}",
            host=f"10.0.0.{at}",
            roles=frozenset({"backend"}),
            facts=facts,
            current=info.current,
        )
    # As a file version has it: without the padding.
    files = version if isinstance(version, Unknown) else AppFiles(r"C:\SecretServer", (_library(version),))
    return NodeView(
        cluster=info,
        name=f"node{at}",
        host=f"node{at}",
        roles=frozenset({"web"}),
        facts={AppFiles: files},
        current=info.current,
    )


def _library(version: str) -> FileVersion:
    return FileVersion("Thycotic.ihawu.Business.dll", ".".join(str(int(part)) for part in version.split(".")) + ".0")


def both(info: ClusterInfo, *versions: str | Unknown) -> tuple[Result, Plan]:
    """What a scan's stepping-stone and a plan say of a cluster whose nodes run `versions`."""
    gathered = GatheredCluster(
        info,
        tuple(_node(info, at, version) for at, version in enumerate(versions, 1)),
        frozenset(f"node{at}" for at in range(1, len(versions) + 1)),
    )
    results = evaluate((CHECK,), (gathered,))
    (row,) = results
    return row, plan_of(gathered, results, "inventory.toml")


@pytest.mark.parametrize(("product", "current", "target"), PAIRS)
def test_scan_and_plan_agree_on_every_pair(cluster: Clusters, product: str, current: str, target: str) -> None:
    row, plan = both(cluster(target, product=product), current, current, current)
    if isinstance(plan, Refusal):
        told = plan.reason
        if current == target:
            assert row.status is Status.SKIP
            assert plan.verdict is not Verdict.NO_GO
        else:
            assert row.status is Status.FAIL
            assert plan.verdict is Verdict.NO_GO
        assert told in row.message
        return
    stops = [hop.version for hop in plan.path.hops if hop.stone]
    assert row.evidence["path"] == [*stops, target]
    if stops:
        assert row.status is Status.FAIL
        assert f"install {stops[0]} first" in row.message
    else:
        assert row.status in (Status.PASS, Status.WARN)
    # The plan is what answers the finding, so that it is no blocker of the plan's own.
    assert not plan.blockers


@pytest.mark.parametrize("product", ["chef-backend", "secret-server"])
def test_each_kind_of_ending_is_among_the_pairs(cluster: Clusters, product: str) -> None:
    """The other test cannot go green by never getting there."""
    pairs = [both(cluster(two, product=name), one, one, one) for name, one, two in PAIRS if name == product]
    kinds = {(type(plan), row.status, bool(row.evidence.get("rules"))) for row, plan in pairs}
    assert kinds >= {
        (Refusal, Status.SKIP, False),
        (Refusal, Status.FAIL, False),
        (Runbook, Status.PASS, False),
        (Runbook, Status.FAIL, True),
    }


@pytest.mark.parametrize("current", ["1.0.9", "1.4.6", "1.4.40"])
@pytest.mark.parametrize("target", ["3.0.0", "3.1.1"])
def test_from_1_to_3_scan_fails_and_plan_goes_by_2_3_16(cluster: Clusters, current: str, target: str) -> None:
    row, plan = both(cluster(target, product="chef-backend"), current, current, current)
    assert row.status is Status.FAIL
    assert f"install 2.3.16 first, then {target}" in row.message
    assert isinstance(plan, Runbook)
    assert [hop.version for hop in plan.path.hops] == ["2.3.16", target]


@pytest.mark.parametrize(("product", "target"), [("chef-backend", "2.3.16"), ("secret-server", "11.7.000049")])
@pytest.mark.parametrize("how", ["unknown", "one-unknown", "garbled"])
def test_where_the_version_is_not_known_neither_says_yes(
    cluster: Clusters, product: str, target: str, how: str
) -> None:
    known = "2.2.0" if product == "chef-backend" else "10.9.000064"
    unread: str | Unknown = Unknown("access is denied")
    versions = {"unknown": (unread,) * 3, "one-unknown": (known, known, unread), "garbled": (known, known, "9999.9.9")}
    if how == "garbled":
        row, plan = _garbled(cluster(target, product=product), known)
    else:
        row, plan = both(cluster(target, product=product), *versions[how])
    assert row.status is Status.ERROR
    assert isinstance(plan, Refusal)
    assert plan.verdict is Verdict.UNKNOWN
    for word in ("access is denied",) if how != "garbled" else ("is no",):
        assert word in plan.reason
        assert word in row.message


def _garbled(info: ClusterInfo, known: str) -> tuple[Result, Plan]:
    odd: dict[type, object] = (
        {ChefBackendVersion: ChefBackendVersion("two point three"), ClusterStatus: ClusterStatus(_ROWS)}
        if info.product == "chef-backend"
        else {AppFiles: AppFiles(r"C:\SecretServer", (FileVersion("Thycotic.ihawu.Business.dll", "9999.1.2.3"),))}
    )
    first = _node(info, 1, known)
    second = NodeView(cluster=info, name="node2", host="10.0.0.2", roles=first.roles, facts=odd)
    nodes = (first, second, _node(info, 3, known)) if info.product == "chef-backend" else (first, second)
    gathered = GatheredCluster(info, nodes, frozenset(node.name for node in nodes))
    results = evaluate((CHECK,), (gathered,))
    return results[0], plan_of(gathered, results, "inventory.toml")


@pytest.mark.parametrize(("product", "known"), [("chef-backend", "2.2.0"), ("secret-server", "10.9.000064")])
@pytest.mark.parametrize("target", [None, "", "latest", "11.7.49.0.x"])
def test_a_target_that_cannot_be_used_is_told_by_both(
    cluster: Clusters, product: str, known: str, target: str | None
) -> None:
    row, plan = both(cluster(target, product=product), known, known, known)
    assert row.status is Status.ERROR
    assert isinstance(plan, Refusal)
    assert plan.verdict is Verdict.UNKNOWN
    assert plan.reason in row.message


@pytest.mark.parametrize(
    ("rule", "current", "target"),
    [("downtime-1-to-2", "1.4.6", "2.3.16"), ("rolling-2", "2.2.0", "2.3.16"), ("join-after-3.0.0", "3.0.0", "3.1.1")],
)
def test_a_way_that_the_inventory_forbids_is_forbidden_to_both(
    cluster: Clusters, rule: str, current: str, target: str
) -> None:
    change = {rule: {"effect": "fail", "reason": "no downtime this quarter"}}
    row, plan = both(cluster(target, product="chef-backend", overrides=change), current, current, current)
    refused = rule != "rolling-2"  # that a step is taken node by node goes without saying, and so cannot be forbidden
    assert row.status is (Status.FAIL if refused else Status.PASS)
    assert isinstance(plan, Refusal) == refused
    if isinstance(plan, Refusal):
        assert plan.reason in row.message
        assert "no downtime this quarter" in row.message


@pytest.mark.parametrize(("index", "refused"), [("5.6.16", False), ("5.4.1", True), ("", True)])
def test_a_downtime_that_is_forbidden_is_so_only_where_the_index_asks_for_it(
    cluster: Clusters, index: str, refused: bool
) -> None:
    change = {"reindex-2-to-3": {"effect": "fail", "reason": "no downtime this quarter"}}
    info = cluster("3.1.1", product="chef-backend", overrides=change)
    nodes = []
    for at in (1, 2, 3):
        node = _node(info, at, "2.3.16")
        known: dict[type, object] = {**node.facts, **({SearchIndex: SearchIndex(index)} if index else {})}
        nodes.append(replace(node, facts=known))
    gathered = GatheredCluster(info, tuple(nodes), frozenset(node.name for node in nodes))
    (row,) = results = evaluate((CHECK,), (gathered,))
    plan = plan_of(gathered, results, "inventory.toml")
    assert row.status is (Status.FAIL if refused else Status.PASS)
    assert isinstance(plan, Refusal) == refused


def test_the_lists_hold_versions() -> None:
    for text in CHEF:
        parse_version(text)
    for text in VAULT:
        assert secret_server_text(parse_secret_server(text)) == text
    with pytest.raises(VersionError):
        parse_secret_server("8.9")
