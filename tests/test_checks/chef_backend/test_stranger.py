"""A machine without anything of its role is another machine; one with half of it, or with closed folders, is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, NodeView
from checks.chef_backend.traces import ChefTraces, stranger

NOTHING = ChefTraces(hostname="db7", backend=(), frontend=())
BACKEND, FRONTEND = replace(NOTHING, backend=("package",)), replace(NOTHING, frontend=("/opt/opscode",))
Judged = Callable[..., str]


@pytest.fixture
def judged(cluster: Callable[..., ClusterInfo], node: Callable[..., NodeView]) -> Judged:
    return lambda found, *roles: stranger(node(cluster("2.3.16", product="chef-backend"), found, roles=roles))


@pytest.mark.parametrize(
    ("found", "roles"),
    [
        (BACKEND, ("backend",)),
        (FRONTEND, ("frontend",)),
        (BACKEND, ("backend", "frontend")),
        (FRONTEND, ("backend", "frontend")),
        (replace(NOTHING, unseen=("/opt",)), ("backend",)),
        ((ChefTraces, "denied"), ("backend",)),
        (NOTHING, ("other",)),
        (NOTHING, ()),
    ],
)
def test_what_may_be_a_node_is_none(judged: Judged, found: object, roles: tuple[str, ...]) -> None:
    assert judged(found, *roles) == ""


@pytest.mark.parametrize(
    ("found", "role", "begin", "end"),
    [
        (NOTHING, "backend", "is no Chef Backend node (it calls itself db7): no package chef-backend", "/var/opt"),
        (NOTHING, "frontend", "is no Chef Infra Server node (it calls itself db7): no package chef-server", "/var/opt"),
        (replace(NOTHING, hostname=""), "backend", "is no Chef Backend node: no package chef-backend", "/var/opt"),
        (
            FRONTEND,
            "backend",
            "is no Chef Backend node (it calls itself db7): ",
            ", and there is Chef Infra Server: were two addresses mixed up?",
        ),
        (
            BACKEND,
            "frontend",
            "is no Chef Infra Server node (it calls itself db7): ",
            ", and there is Chef Backend: were two addresses mixed up?",
        ),
    ],
)
def test_another_machine_is_told_with_what_it_lacks(
    judged: Judged, found: ChefTraces, role: str, begin: str, end: str
) -> None:
    told = judged(found, role)
    assert told.startswith(begin)
    assert told.endswith(end)


def test_one_that_is_to_be_both_lacks_both(judged: Judged) -> None:
    told = judged(NOTHING, "frontend", "backend")
    assert told.startswith("is no Chef Backend or Chef Infra Server node (it calls itself db7): ")
    assert "no chef-backend-ctl" in told
    assert "no chef-server-ctl" in told
