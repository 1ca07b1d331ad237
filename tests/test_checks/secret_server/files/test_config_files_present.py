from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import PHASES, ClusterInfo, NodeView
from checks.facts import UnknownFactError
from checks.outcome import Outcome, Status
from checks.secret_server.facts.folder import DatabaseConfig, EncryptionConfig
from checks.secret_server.files.config_files_present import judge

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]
ROOT = r"C:\inetpub\wwwroot\SecretServer"


def key(state: str = "hashed", size: int | None = 812) -> EncryptionConfig:
    return EncryptionConfig(
        path=rf"{ROOT}\encryption.config",
        state=state,
        sha256="a" * 64 * (state == "hashed"),
        efs=False,
        size_bytes=size,
    )


def base(state: str = "hashed", size: int | None = 644, detail: str = "") -> DatabaseConfig:
    digest = "b" * 64 * (state == "hashed")
    return DatabaseConfig(
        path=rf"{ROOT}\database.config", state=state, sha256=digest, efs=False, size_bytes=size, detail=detail
    )


def judged(cluster: Clusters, node: Nodes, *facts: object, phase: str = "before") -> Outcome:
    return judge(node(replace(cluster(), phase=phase), *facts))


@pytest.mark.parametrize("phase", PHASES)
def test_both_there_pass_in_every_phase(cluster: Clusters, node: Nodes, phase: str) -> None:
    outcome = judged(cluster, node, key(), base(), phase=phase)
    assert outcome.status is Status.PASS
    assert outcome.message == "encryption.config is there; database.config is there"


def test_the_hash_of_database_config_is_evidence_only(cluster: Clusters, node: Nodes) -> None:
    assert judged(cluster, node, key(), base()).evidence["database.config"] == {
        "path": rf"{ROOT}\database.config",
        "state": "hashed",
        "size_bytes": 644,
        "sha256": "b" * 64,
    }


@pytest.mark.parametrize("phase", PHASES)
def test_a_missing_database_config_fails(cluster: Clusters, node: Nodes, phase: str) -> None:
    outcome = judged(cluster, node, key(), base("missing", None), phase=phase)
    assert outcome.status is Status.FAIL
    assert outcome.message == "database.config is missing: the site opens the web installer"


def test_a_missing_encryption_config_fails(cluster: Clusters, node: Nodes) -> None:
    outcome = judged(cluster, node, key("missing", None), base())
    assert outcome.message == "encryption.config is missing: the node cannot read secrets"


def test_an_empty_file_fails(cluster: Clusters, node: Nodes) -> None:
    assert judged(cluster, node, key(size=0), base()).message.startswith("encryption.config is empty")
    assert judged(cluster, node, key(), base(size=0)).status is Status.FAIL


def test_both_missing_is_a_wrong_root(cluster: Clusters, node: Nodes) -> None:
    outcome = judged(cluster, node, key("missing", None), base("missing", None))
    assert outcome.status is Status.ERROR
    assert outcome.message.endswith(f"is in {ROOT}: is `web_root` right?")


def test_a_locked_file_is_there_and_a_hidden_one_unknown(cluster: Clusters, node: Nodes) -> None:
    assert judged(cluster, node, key("locked"), base()).status is Status.PASS
    outcome = judged(cluster, node, key(), base("denied", None, "Access is denied."))
    assert outcome.status is Status.ERROR
    assert "database.config cannot be looked at: Access is denied." in outcome.message


def test_an_unknown_fact_is_no_pass(cluster: Clusters, node: Nodes) -> None:
    with pytest.raises(UnknownFactError, match="garbled"):
        judged(cluster, node, key(), (DatabaseConfig, "garbled"))
