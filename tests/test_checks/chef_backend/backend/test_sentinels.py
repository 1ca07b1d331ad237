"""Files that keep a backend from serving are told with the backend they lie on and what they mean."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterView
from checks.chef_backend.backend.sentinels import CHECK
from checks.chef_backend.facts.cluster import LeaderFlags
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.outcome import Result, Status
from scanner.probes.chef_backend.cluster_readers import read_leader_flags
from scanner.probes.probe import Answer, UnreadableError

Chefs = Callable[..., ClusterView]
NEITHER = LeaderFlags(unsynced=False, no_start_pgsql=False)


def judged(view: ClusterView) -> list[Result]:
    names = frozenset(node.name for node in view.nodes)
    return list(evaluate((CHECK,), (GatheredCluster(view.cluster, view.nodes, names),)))


def test_neither_passes(chefs: Chefs) -> None:
    (result,) = judged(chefs([NEITHER]))
    assert (result.status, result.message) == (Status.PASS, "leaderl keeps nothing from serving")


@pytest.mark.parametrize(
    ("flags", "file", "meaning"),
    [
        (LeaderFlags(unsynced=True, no_start_pgsql=False), "unsynced", "may not lead"),
        (LeaderFlags(unsynced=False, no_start_pgsql=True), "no-start-pgsql", "kept from starting"),
    ],
)
def test_the_file_and_its_meaning_are_told_on_its_node_alone(
    chefs: Chefs, flags: LeaderFlags, file: str, meaning: str
) -> None:
    first, second, third = judged(chefs([NEITHER], [flags], [NEITHER]))
    assert {first.status, third.status} == {Status.PASS}
    assert (second.node, second.status) == ("backend-2", Status.FAIL)
    assert second.message.startswith(f"/var/opt/chef-backend/leaderl/data/{file} exists: ")
    assert meaning in second.message


def test_both_are_told(chefs: Chefs) -> None:
    (result,) = judged(chefs([LeaderFlags(unsynced=True, no_start_pgsql=True)]))
    assert result.observed == "unsynced and no-start-pgsql"


def test_a_folder_that_may_not_be_listed_is_an_error(chefs: Chefs) -> None:
    with pytest.raises(UnreadableError, match="needs root") as denied:
        read_leader_flags(Answer("ls: cannot open directory '/var/opt': Permission denied\n", 2))
    (result,) = judged(chefs([(LeaderFlags, str(denied.value))]))
    assert result.status is Status.ERROR
    assert "needs root" in result.message


def test_a_backend_that_is_down_is_not_evaluated_and_a_frontend_is_none(chefs: Chefs) -> None:
    (result,) = judged(chefs(None, [NEITHER], roles=("backend", "frontend")))
    assert (result.node, result.status, result.not_evaluated) == ("backend-1", Status.SKIP, True)
