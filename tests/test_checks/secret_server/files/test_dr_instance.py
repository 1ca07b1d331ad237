from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from checks.check import NOT_SELECTED, ClusterInfo, ClusterView, NodeView
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.facts import Contact
from checks.outcome import Outcome, Status
from checks.secret_server.facts.folder import EncryptionConfig
from checks.secret_server.facts.node import AppFiles, FileVersion, WebRoot
from checks.secret_server.files.dr_instance import CHECK, judge

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]


def app(version: str = "11.6.3.0") -> AppFiles:
    return AppFiles("C:\\App", (FileVersion("Thycotic.ihawu.Business.dll", version),))


def key(letter: str = "a", state: str = "hashed", *, efs: bool = False) -> EncryptionConfig:
    return EncryptionConfig(
        path="C:\\App\\encryption.config",
        state=state,
        sha256=letter * 64 * (state == "hashed"),
        efs=efs,
        size_bytes=812,
    )


SAME = (app(), key())


def judged(
    cluster: Clusters,
    node: Nodes,
    spare: tuple[object, ...] | None,
    *,
    web: tuple[object, ...] = SAME,
    roles: tuple[str, ...] = ("dr",),
    dpapi: str = "off",
    phase: str = "before",
    absence: str = "",
) -> Outcome:
    info = replace(cluster(dpapi=dpapi), phase=phase)
    nodes = [node(info, *web, name="web1"), node(info, *SAME, name="web2")]
    if spare is not None:
        nodes.append(node(info, *spare, name="dr1", roles=roles, absence=absence))
    return judge(ClusterView(info, tuple(nodes)))


@pytest.mark.parametrize("phase", ["before", "after"])
def test_the_same_passes(cluster: Clusters, node: Nodes, phase: str) -> None:
    outcome = judged(cluster, node, SAME, phase=phase)
    assert outcome.status is Status.PASS
    assert outcome.message == "dr1 has the primary site's 11.6.000003; dr1 has the primary site's encryption.config"


def test_a_primary_site_that_nobody_asked_is_all_that_is_in_the_way(cluster: Clusters, node: Nodes) -> None:
    """That no web node is left to compare with is no trouble of the instance that answered."""
    info = cluster(dpapi="off")
    nodes = (node(info, name="web1", absence=NOT_SELECTED), node(info, *SAME, name="dr1", roles=("dr",)))
    (row,) = evaluate([CHECK], [GatheredCluster(info, nodes, frozenset({"dr1"}))])
    assert (row.status, row.follows) == (Status.ERROR, ("selection:web1",))


def test_an_older_version_warns_before_the_window_and_fails_after_it(cluster: Clusters, node: Nodes) -> None:
    before = judged(cluster, node, (app("11.5.2.0"), key()), phase="before")
    assert before.status is Status.WARN
    assert "dr1 has 11.5.000002, the primary site 11.6.000003: it is brought along" in before.message
    after = judged(cluster, node, (app("11.5.2.0"), key()), phase="after")
    assert after.status is Status.FAIL
    assert after.message == "dr1 has 11.5.000002, the primary site 11.6.000003"


def test_a_newer_version_fails_before_the_window_too(cluster: Clusters, node: Nodes) -> None:
    outcome = judged(cluster, node, (app("11.6.4.0"), key()), phase="before")
    assert outcome.status is Status.FAIL


def test_another_key_fails_where_dpapi_is_off(cluster: Clusters, node: Nodes) -> None:
    outcome = judged(cluster, node, (app(), key("b")))
    assert outcome.status is Status.FAIL
    assert outcome.message == "encryption.config of dr1 differs from that of web1 and web2"


def test_another_key_cannot_be_told_from_dpapi(cluster: Clusters, node: Nodes) -> None:
    outcome = judged(cluster, node, (app(), key("b")), dpapi="unknown")
    assert outcome.status is Status.ERROR
    assert outcome.remediation is not None


def test_under_dpapi_keys_differ_by_design_and_copies_warn(cluster: Clusters, node: Nodes) -> None:
    assert judged(cluster, node, (app(), key("b")), dpapi="on").status is Status.PASS
    assert "although DPAPI is on" in judged(cluster, node, SAME, dpapi="on").message
    assert judged(cluster, node, SAME, dpapi="on").status is Status.WARN


def test_a_missing_key_fails(cluster: Clusters, node: Nodes) -> None:
    assert judged(cluster, node, (app(), key(state="missing"))).message == "encryption.config is missing on dr1"


def test_efs_is_no_drift(cluster: Clusters, node: Nodes) -> None:
    outcome = judged(cluster, node, (app(), key(state="denied", efs=True)))
    assert outcome.status is Status.ERROR
    assert "EFS set, hash not readable" in outcome.message


def test_it_does_not_apply_without_an_instance_or_in_the_window(cluster: Clusters, node: Nodes) -> None:
    listener = Contact(host="dr1", transport="tds", failure=None, asked=1, answered=1)
    assert judged(cluster, node, None).status is Status.SKIP
    assert judged(cluster, node, (listener,)).status is Status.SKIP
    assert judged(cluster, node, (), roles=("dr", "database")).status is Status.SKIP
    assert judged(cluster, node, (app("11.5.2.0"), key()), phase="window").status is Status.SKIP


def test_an_instance_that_is_not_found_warns_and_a_silent_one_is_unknown(cluster: Clusters, node: Nodes) -> None:
    reason = "found no folder that holds the application: iis: applicationHost.config does not exist; set `web_root`"
    unfound = tuple((kind, reason) for kind in (AppFiles, EncryptionConfig, WebRoot))
    outcome = judged(cluster, node, unfound)
    assert outcome.status is Status.WARN
    assert "the version of dr1 cannot be read: found no folder" in outcome.message
    assert judged(cluster, node, (), absence="unreachable").status is Status.ERROR


@pytest.mark.parametrize(
    "root",
    [
        WebRoot("C:\\App", ("registry",), ()),
        (
            WebRoot,
            "found no folder that holds the application: registry: access to HKLM is denied: give ... read access",
        ),
        (WebRoot, "several folders may hold the application"),
    ],
)
def test_an_instance_that_answers_and_cannot_be_read_is_not_absent(
    cluster: Clusters, node: Nodes, root: object
) -> None:
    outcome = judged(cluster, node, ((AppFiles, "Thycotic.Core.dll carries no version"), key(), root))
    assert outcome.status is Status.ERROR


def test_a_primary_that_is_not_known_leaves_it_open(cluster: Clusters, node: Nodes) -> None:
    garbled = ((AppFiles, "garbled"), (EncryptionConfig, "garbled"))
    outcome = judged(cluster, node, SAME, web=garbled)
    assert outcome.status is Status.ERROR
    assert "the version of the primary site is unknown (web1: garbled)" in outcome.message
    assert "encryption.config is not known (web1: garbled)" in outcome.message


def test_web_nodes_that_disagree_leave_it_open(cluster: Clusters, node: Nodes) -> None:
    assert judged(cluster, node, SAME, web=(app("11.5.2.0"), key())).status is Status.ERROR


def test_a_site_without_web_nodes_leaves_nothing_to_compare_with(cluster: Clusters, node: Nodes) -> None:
    info = cluster(dpapi="off")
    outcome = judge(ClusterView(info, (node(info, *SAME, name="dr1", roles=("dr",)),)))
    assert (outcome.status, "names no web node" in outcome.message) == (Status.ERROR, True)


@pytest.mark.parametrize(("version", "status"), [("11.5.1.0", Status.WARN), ("11.7.49.0", Status.FAIL)])
def test_an_instance_may_lag_behind_and_is_never_ahead(
    cluster: Clusters, node: Nodes, version: str, status: Status
) -> None:
    assert judged(cluster, node, (app(version), key())).status is status


def test_a_key_that_cannot_be_read_says_why_and_proves_nothing(cluster: Clusters, node: Nodes) -> None:
    denied = replace(key(state="denied"), detail="access to the path is denied")
    for web, spare in ((SAME, (app(), denied)), ((app(), denied), SAME)):
        outcome = judged(cluster, node, spare, web=web)
        assert outcome.status is Status.ERROR
        assert "access to the path is denied" in outcome.message
    marked = key(state="denied", efs=True)
    for web, spare in ((SAME, (app(), marked)), ((app(), marked), SAME)):
        outcome = judged(cluster, node, spare, web=web)
        assert (outcome.status, "EFS set, hash not readable" in outcome.message) == (Status.ERROR, True)
    plain = judged(cluster, node, SAME, web=(app(), key(state="locked")))
    assert (plain.status, "web1: locked" in plain.message) == (Status.ERROR, True)


def test_what_was_seen_is_evidence(cluster: Clusters, node: Nodes) -> None:
    rows: Any = judged(cluster, node, (app(), key(state="denied"))).evidence["nodes"]
    assert rows["web1"] == {"version": "11.6.000003", "encryption.config": "a" * 12}
    assert rows["dr1"] == {"version": "11.6.000003", "encryption.config": "denied"}


def test_a_version_that_is_only_declared_is_no_proof_of_the_copy(cluster: Clusters, node: Nodes) -> None:
    info = cluster(dpapi="off", current="11.6.000003")
    nodes = [node(info, *SAME, name="web1"), node(info, (AppFiles, "denied"), key(), name="dr1", roles=("dr",))]
    outcome = judge(ClusterView(info, tuple(nodes)))
    assert outcome.status is not Status.PASS
    assert "the version of dr1 cannot be read: denied" in outcome.message
