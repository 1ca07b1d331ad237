from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, NodeView
from checks.facts import Contact, UnknownFactError
from checks.outcome import Status
from checks.secret_server.facts.host import PendingReboot
from checks.secret_server.host.pending_reboot import judge

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]

QUIET = PendingReboot(servicing=False, windows_update=False, file_renames=0, rename_to="")


def test_nothing_pending_passes(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster(), QUIET)).status is Status.PASS


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (PendingReboot(True, False, 0, ""), "installed roles, features or updates"),  # noqa: FBT003
        (PendingReboot(False, True, 0, ""), "Windows Update"),  # noqa: FBT003
        (PendingReboot(False, False, 1, ""), "1 file to be renamed or deleted"),  # noqa: FBT003
        (PendingReboot(False, False, 0, "WEB9"), "the computer's new name WEB9"),  # noqa: FBT003
    ],
)
def test_each_reason_warns_and_is_named(cluster: Clusters, node: Nodes, found: PendingReboot, told: str) -> None:
    outcome = judge(node(cluster(), found))
    assert outcome.status is Status.WARN
    assert outcome.message == f"Windows waits for a restart: {told}"


def test_all_reasons_are_told(cluster: Clusters, node: Nodes) -> None:
    message = judge(node(cluster(), PendingReboot(True, True, 7, "X"))).message  # noqa: FBT003
    assert message.count(";") == 3
    assert "7 files" in message


def test_a_port_has_no_windows(cluster: Clusters, node: Nodes) -> None:
    contact = Contact(host="sql1", transport="tds", failure=None, asked=1, answered=1)
    assert judge(node(cluster(), contact, roles=("database",))).status is Status.SKIP


def test_what_is_unknown_is_not_judged(cluster: Clusters, node: Nodes) -> None:
    contact = Contact(host="sql1", transport="winrm", failure=None, asked=1, answered=1)
    with pytest.raises(UnknownFactError, match="denied"):
        judge(node(cluster(), contact, (PendingReboot, "denied")))
