from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, NodeView
from checks.facts import UnknownFactError
from checks.outcome import Outcome, Status
from checks.secret_server.facts.folder import DatabaseConfig, EncryptionConfig
from checks.secret_server.files.efs_encryption import judge

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]


def key(state: str = "hashed", size: int | None = 812, *, efs: bool = False) -> EncryptionConfig:
    return EncryptionConfig(path="encryption.config", state=state, sha256="", efs=efs, size_bytes=size)


def base(state: str = "hashed", size: int | None = 644, *, efs: bool = False) -> DatabaseConfig:
    return DatabaseConfig(path="database.config", state=state, sha256="", efs=efs, size_bytes=size)


def judged(cluster: Clusters, node: Nodes, *facts: object, phase: str = "before") -> Outcome:
    return judge(node(replace(cluster(), phase=phase), *facts))


def test_no_attribute_passes(cluster: Clusters, node: Nodes) -> None:
    outcome = judged(cluster, node, key(), base())
    assert outcome.status is Status.PASS
    assert outcome.message == "EFS is not set on encryption.config and database.config"


@pytest.mark.parametrize("phase", ["before", "window"])
def test_the_attribute_warns_and_both_documents_are_said(cluster: Clusters, node: Nodes, phase: str) -> None:
    outcome = judged(cluster, node, key("denied", efs=True), base(efs=True), phase=phase)
    assert outcome.status is Status.WARN
    assert outcome.message.startswith("encryption.config and database.config are encrypted with EFS")
    assert "documents disagree" in outcome.message


def test_after_the_upgrade_it_may_be_set(cluster: Clusters, node: Nodes) -> None:
    assert judged(cluster, node, key(efs=True), base(), phase="after").status is Status.PASS


def test_closed_attributes_are_unknown(cluster: Clusters, node: Nodes) -> None:
    outcome = judged(cluster, node, key("denied", None), base())
    assert outcome.status is Status.ERROR
    assert outcome.message == "cannot tell whether EFS is set: encryption.config: denied"


def test_a_proven_attribute_warns_beside_a_closed_file(cluster: Clusters, node: Nodes) -> None:
    outcome = judged(cluster, node, key("denied", None), base(efs=True))
    assert outcome.status is Status.WARN
    assert outcome.observed == "encryption.config: unknown; database.config: EFS"


def test_without_files_it_does_not_apply(cluster: Clusters, node: Nodes) -> None:
    assert judged(cluster, node, key("missing", None), base("missing", None)).status is Status.SKIP


def test_an_unknown_fact_is_no_pass(cluster: Clusters, node: Nodes) -> None:
    with pytest.raises(UnknownFactError, match="garbled"):
        judged(cluster, node, (EncryptionConfig, "garbled"), base())


@pytest.mark.parametrize(
    ("declared", "phase", "status"),
    [
        ("on", "before", Status.WARN),
        ("on", "window", Status.WARN),
        ("on", "after", Status.PASS),
        ("off", "before", Status.PASS),
        ("off", "after", Status.PASS),
        ("unknown", "before", Status.ERROR),
        ("unknown", "after", Status.ERROR),
    ],
)
def test_what_is_declared_counts_where_attributes_are_closed(
    cluster: Clusters, node: Nodes, declared: str, phase: str, status: Status
) -> None:
    info = replace(cluster(efs=declared), phase=phase)
    outcome = judge(node(info, key("denied", None), base()))
    assert (outcome.status, "encryption.config" in outcome.message) == (status, True)
    assert outcome.evidence["efs"] == {"database.config": False}
