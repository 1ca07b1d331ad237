from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, NodeView
from checks.common.disk_facts import Disks, Drive
from checks.secret_server.facts.node import WebRoot
from checks.secret_server.host.disks import relevant

DRIVES = (Drive("C:", 60, 40), Drive("E:", 60, 40))
DENIED = (WebRoot, "denied")


@pytest.mark.parametrize(
    ("role", "root", "sql", "folders"),
    [
        ("web", WebRoot("D:\\Vault", (), ()), (), ["C:", "D:\\Vault"]),
        ("web", WebRoot("C:", (), ()), (), ["C:"]),
        ("web", WebRoot("D:\\Vault", (), ()), ("E:\\Data",), ["C:", "D:\\Vault"]),
        ("web", DENIED, ("E:\\Data",), ["C:"]),
        ("database", DENIED, ("E:\\Data", "F:\\Log"), ["E:\\Data", "F:\\Log"]),
        ("database", WebRoot("D:\\Vault", (), ()), (), ["C:", "E:"]),
    ],
)
def test_room_is_needed_where_the_role_keeps_its_files(
    cluster: Callable[..., ClusterInfo],
    node: Callable[..., NodeView],
    role: str,
    root: object,
    sql: tuple[str, ...],
    folders: list[str],
) -> None:
    assert relevant(Disks(DRIVES, "C:", sql), role, node(cluster(), root, roles=(role,))) == folders
