from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.outcome import Outcome, Severity, Status
from checks.secret_server.files.dpapi_encryption import CHECK, judge

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]


def judged(cluster: Clusters, node: Nodes, phase: str = "before", **options: object) -> Outcome:
    info = replace(cluster(**options), phase=phase)
    return judge(ClusterView(info, (node(info),)))


def test_off_passes_as_declared(cluster: Clusters, node: Nodes) -> None:
    outcome = judged(cluster, node, dpapi="off")
    assert outcome.status is Status.PASS
    assert "as the inventory declares" in outcome.message


@pytest.mark.parametrize(("phase", "said"), [("before", "turn it off on each node"), ("window", "do not copy")])
def test_on_warns_and_says_that_documents_disagree(cluster: Clusters, node: Nodes, phase: str, said: str) -> None:
    outcome = judged(cluster, node, phase, dpapi="on")
    assert outcome.status is Status.WARN
    assert said in outcome.message
    assert "an older document of the vendor" in outcome.message


def test_on_passes_after_the_upgrade(cluster: Clusters, node: Nodes) -> None:
    assert judged(cluster, node, "after", dpapi="on").status is Status.PASS


def test_not_declared_does_not_apply(cluster: Clusters, node: Nodes) -> None:
    for options in ({}, {"dpapi": "unknown"}):
        outcome = judged(cluster, node, **options)
        assert outcome.status is Status.SKIP
        assert 'declare dpapi = "on" or "off"' in outcome.message


def test_it_never_fails_and_speaks_of_hsm(cluster: Clusters, node: Nodes) -> None:
    assert judged(cluster, node, dpapi="garbled").status is Status.SKIP
    assert "HSM" in CHECK.doc
    assert CHECK.severity is Severity.MEDIUM
