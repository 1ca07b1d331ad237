"""Where the backups lie, from the inventory to the nodes that look for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner.errors import InventoryError
from scanner.inventory.model import Cluster
from scanner.loading.inventory import parse_inventory

INVENTORY = r"""
[defaults.winrm]
user = "x"
password_env = "X"
[clusters.vault]
product = "secret-server"
[clusters.vault.nodes.web1]
roles = ["web"]
[clusters.vault.nodes.web2]
roles = ["web"]
[clusters.vault.nodes.sql1]
roles = ["database"]
[clusters.vault.nodes.sql2]
roles = ["database"]
transport = "tds"
[clusters.vault.nodes.far]
roles = ["dr"]
[clusters.vault.backup]
"""
CHEF = """
[clusters.chef]
product = "chef-backend"
[clusters.chef.nodes.b1]
roles = ["backend"]
[clusters.chef.backup]
max_age_hours = 3
"""


def read(backup: str, inventory: str = INVENTORY) -> Cluster:
    return parse_inventory(inventory + backup, Path("inventory.toml")).clusters[0]


def looking(cluster: Cluster, kind: str) -> list[str]:
    return [node.name for node in cluster.nodes if f"backup_{kind}_path" in node.options]


def refusal(backup: str, inventory: str = INVENTORY) -> str:
    with pytest.raises(InventoryError) as caught:
        read(backup, inventory)
    return str(caught.value)


def test_the_nodes_of_the_role_look_where_none_is_named() -> None:
    cluster = read("app_path = 'D:\\a.zip'\ndatabase_path = '\\\\fs\\share\\x.bak'\nmax_age_hours = 6")
    assert looking(cluster, "app") == ["web1", "web2"]
    assert looking(cluster, "database") == ["sql1"]
    assert cluster.nodes[0].options["backup_app_path"] == "D:\\a.zip"
    assert cluster.options["backup_max_age_hours"] == 6
    assert cluster.options["backup"] is True


def test_a_named_node_looks_alone() -> None:
    cluster = read("app_path = 'D:\\a.zip'\napp_node = 'sql1'\ndatabase_path = 'D:\\x'\ndatabase_node = 'web2'")
    assert (looking(cluster, "app"), looking(cluster, "database")) == (["sql1"], ["web2"])


def test_an_empty_table_declares_nothing() -> None:
    assert "backup" not in read("").options


@pytest.mark.parametrize(
    ("backup", "why"),
    [
        ("app_path = 'a.zip'", "backup.app_path: expected an absolute path such as 'D:"),
        ("app_path = 'D:\\'", "backup.app_path: expected an absolute path"),
        ("app_path = 'D:\\a'\napp_node = 'web3'", 'backup.app_node: "web3" is no node of this cluster; did you mean'),
        ("app_path = 'D:\\a'\napp_node = 'sql2'", '"sql2" is only asked for its SQL Server port'),
        ("app_path = 'D:\\a'\napp_node = 'far'", '"far" has neither of the roles web and database'),
        ("max_age_hours = 0", "backup.max_age_hours: 0 is out of range"),
        ("max_age_hours = '24h'", "backup.max_age_hours: expected a whole number"),
        ("max_age = 24", 'backup.max_age: unknown key; did you mean "max_age_hours"?'),
    ],
)
def test_what_cannot_be_used_is_told_with_its_place(backup: str, why: str) -> None:
    assert why in refusal(backup)


def test_a_database_that_nobody_can_look_for_is_told() -> None:
    inventory = INVENTORY.replace('[clusters.vault.nodes.sql1]\nroles = ["database"]\n', "")
    assert "name another in database_node" in refusal("database_path = 'D:\\x'", inventory)


def test_it_is_a_table_of_secret_server_only() -> None:
    assert "clusters.chef.backup: is a table of secret-server only" in refusal("", "[defaults.ssh]\nuser = 'x'" + CHEF)
    assert "backup: expected a table" in refusal(
        "", INVENTORY.replace("[clusters.vault.backup]", "[[clusters.vault.backup]]")
    )
