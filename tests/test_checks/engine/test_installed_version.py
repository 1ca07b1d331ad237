"""The version that a node runs: as its product reads it, else as the inventory declares it, and what doubts it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from checks.check import ClusterInfo, NodeView, ProductView
from checks.engine.installed_version import declaring, installed, installed_text
from checks.versions import Installed


@dataclass(frozen=True, slots=True)
class Read:
    """What the node says of itself; nothing of a node that has none."""

    version: str


ASKED: list[str] = []


def _read(view: NodeView) -> Installed:
    ASKED.append(view.name)
    found = view.get(Read)
    if isinstance(found, Read):
        return Installed(
            version=found.version, read=True, doubts=("the file is old",), as_read=(("read", f"v{found.version}"),)
        )
    return Installed(version=None, read=False, problem="access denied", as_read=(("read", "?"),))


PRODUCT = ProductView(name="it", carrier="web", read_installed=_read)


def node(
    version: str | None, current: str | None = None, name: str = "web1", absence: str = "", role: str = "web"
) -> NodeView:
    facts: dict[type, object] = {} if version is None else {Read: Read(version)}
    return NodeView(
        cluster=ClusterInfo("prod", "it", definition=PRODUCT),
        name=name,
        host=name,
        roles=frozenset({role}),
        facts=facts,
        current=current,
        absence=absence,
    )


OLD = ("the file is old",)


@pytest.mark.parametrize(
    ("read", "declared", "found"),
    [
        ("1.2", None, Installed(version="1.2", read=True, doubts=OLD, as_read=(("read", "v1.2"),))),
        ("1.2", "1.2.0", Installed(version="1.2", read=True, doubts=OLD, as_read=(("read", "v1.2"),))),
        (
            "1.2",
            " 1.3 ",
            Installed(
                version="1.2",
                read=True,
                doubts=(*OLD, "the inventory declares 1.3, the node says 1.2"),
                as_read=(("read", "v1.2"),),
            ),
        ),
        (None, None, Installed(version=None, read=False, problem="access denied", as_read=(("read", "?"),))),
        (None, " 1.3 ", Installed(version="1.3", read=False, problem="access denied", as_read=(("read", "?"),))),
    ],
)
def test_what_is_read_goes_before_what_is_declared(read: str | None, declared: str | None, found: Installed) -> None:
    assert installed(node(read, declared)) == found


@pytest.mark.parametrize("read", ["1.2", None])
def test_a_declared_version_that_is_none_is_a_doubt_and_replaces_nothing(read: str | None) -> None:
    found = installed(node(read, "newest"))
    assert (found.version, found.read, found.problem) == (read, read is not None, "" if read else "access denied")
    assert found.doubts[-1].startswith("`current` in the inventory cannot be used: ")


def test_a_node_is_asked_once() -> None:
    view = node("1.2")
    ASKED.clear()
    assert installed(view) is installed(view)
    assert ASKED == ["web1"]


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ((), ""),
        ((node(None),), ""),
        ((node("1.2", role="database"),), ""),
        ((node("1.2"), node("9.9", name="sql1", role="database")), "1.2"),
        ((node("1.2"), node("1.2", name="web2")), "1.2"),
        ((node("1.2"), node(None, name="web2"), node(None, name="sql1", role="database")), "1.2 (not known of web2)"),
        (
            (node("1.2"), node("1.3", name="web2"), node("1.2", name="web3"), node(None, name="web4")),
            "1.2 (web1, web3), 1.3 (web2) (not known of web4)",
        ),
    ],
)
def test_a_cluster_tells_the_versions_of_its_carriers(nodes: tuple[NodeView, ...], text: str) -> None:
    assert installed_text(nodes) == text


@pytest.mark.parametrize(
    ("nodes", "names"),
    [
        ((node("1.2"),), None),
        ((node(None, absence="node unreachable"),), None),
        ((node(None, "1.3"),), None),
        ((node("1.2"), node(None, name="web2"), node(None, name="web3", absence="node unreachable")), "web2"),
        ((node(None), node(None, name="web2")), "web1 and web2"),
    ],
)
def test_a_version_that_a_node_did_not_tell_can_be_declared(nodes: tuple[NodeView, ...], names: str | None) -> None:
    remedy: Callable[[tuple[NodeView, ...]], object] = declaring
    found = remedy(nodes)
    if names is None:
        assert found is None
    else:
        assert f"the version of {names} from being read, or declare it as `current`" in str(found)
