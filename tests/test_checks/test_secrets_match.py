"""The files of secrets of each role."""

from __future__ import annotations

from collections.abc import Callable

from checks.check import ClusterView
from checks.chef_backend.node_facts import SecretsFile, SecretsFiles
from checks.chef_backend.secrets_match import CHECK, judge
from checks.evaluation import GatheredCluster, evaluate
from checks.outcome import Status

Chefs = Callable[..., ClusterView]
ROLES = ("backend", "backend", "backend", "frontend", "frontend")


def secrets(backend: str = "", frontend: str = "", mode: str = "640") -> list[object]:
    def file(content: str) -> SecretsFile:
        if content in ("missing", "denied", ""):
            return SecretsFile("/etc/secrets.json", content or "missing")
        return SecretsFile("/etc/secrets.json", "hashed", content * 64, mode)

    return [SecretsFiles(file(backend), file(frontend))]


def healthy() -> list[list[object]]:
    return [*(secrets("a") for _ in range(3)), *(secrets("", "b") for _ in range(2))]


def test_equal_files_in_each_role_pass(chefs: Chefs) -> None:
    outcome = judge(chefs(*healthy(), roles=ROLES))
    assert (outcome.status, outcome.message) == (Status.PASS, "the same secrets on 3 backends and 2 frontends")
    assert judge(chefs(secrets("a"), secrets("a"))).status is Status.PASS


def test_an_outlier_is_named(chefs: Chefs) -> None:
    outcome = judge(chefs(secrets("a"), secrets("b"), secrets("a")))
    assert outcome.status is Status.FAIL
    assert "backend-2 differs from backend-1 and backend-3" in outcome.message


def test_frontends_are_compared_among_themselves(chefs: Chefs) -> None:
    outcome = judge(chefs(*healthy()[:4], secrets("", "c"), roles=ROLES))
    assert outcome.status is Status.FAIL
    assert "frontend-4 against frontend-5" in outcome.message


def test_a_missing_file_fails(chefs: Chefs) -> None:
    outcome = judge(chefs(secrets("a"), secrets("missing"), secrets("a")))
    assert outcome.status is Status.FAIL
    assert "missing on backend-2" in outcome.message


def test_a_denied_file_is_unknown_and_says_what_is_needed(chefs: Chefs) -> None:
    outcome = judge(chefs(secrets("a"), secrets("denied"), secrets("a")))
    assert outcome.status is Status.ERROR
    assert "needs root" in outcome.message


def test_another_mode_warns_on_backends_only(chefs: Chefs) -> None:
    assert judge(chefs(secrets("a"), secrets("a", mode="644"))).status is Status.WARN
    assert judge(chefs(secrets("a", mode="0640"), secrets("a", mode=""))).status is Status.WARN
    assert judge(chefs(secrets("", "b", mode="600"), roles=("frontend",))).status is Status.PASS


def test_a_garbled_answer_or_a_node_that_is_down_is_no_pass(chefs: Chefs) -> None:
    for other in ([(SecretsFiles, "not understood")], None):
        view = chefs(secrets("a"), other)
        names = frozenset(node.name for node in view.nodes)
        (result,) = evaluate([CHECK], [GatheredCluster(view.cluster, view.nodes, names)])
        assert result.status is Status.ERROR


def test_no_hash_is_shown_whole_in_the_message(chefs: Chefs) -> None:
    assert "a" * 64 not in judge(chefs(secrets("a"), secrets("b"))).message
