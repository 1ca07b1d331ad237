"""--cluster, --node and --target."""

from __future__ import annotations

from pathlib import Path

import pytest

from scanner.errors import UsageError
from scanner.inventory.select import parse_targets, select
from scanner.loading.inventory import parse_inventory

INVENTORY = parse_inventory(
    """
    [defaults.winrm]
    user = "u"
    password_env = "P"
    [clusters.vault-prod]
    product = "secret-server"
    target = "11.7.000049"
    [clusters.vault-prod.nodes.web1]
    roles = ["web"]
    [clusters.vault-prod.nodes.web2]
    roles = ["web"]
    [clusters.vault-test]
    product = "secret-server"
    [clusters.vault-test.nodes.web1]
    roles = ["web"]
    [clusters.chef]
    product = "chef-backend"
    [clusters.chef.nodes."b1.corp"]
    roles = ["backend"]
    """,
    Path("inventory.toml"),
)


def test_everything_unless_asked_otherwise() -> None:
    selection = select(INVENTORY)
    assert selection.inventory == INVENTORY
    assert len(selection.chosen) == 4
    assert not selection.narrowed


def test_a_cluster() -> None:
    selection = select(INVENTORY, ["vault-prod"])
    assert [cluster.name for cluster in selection.inventory.clusters] == ["vault-prod"]
    assert selection.chosen == {("vault-prod", "web1"), ("vault-prod", "web2")}
    assert selection.narrowed


def test_a_name_selects_the_node_in_every_cluster_that_has_it_and_clusters_keep_all_nodes() -> None:
    selection = select(INVENTORY, nodes=["web1"])
    assert selection.chosen == {("vault-prod", "web1"), ("vault-test", "web1")}
    assert [len(cluster.nodes) for cluster in selection.inventory.clusters] == [2, 1]
    assert selection.narrowed


@pytest.mark.parametrize("text", ["vault-test.web1", "vault-test/web1"])
def test_a_node_of_one_cluster(text: str) -> None:
    assert select(INVENTORY, nodes=[text]).chosen == {("vault-test", "web1")}


def test_names_with_dots() -> None:
    for text in ("b1.corp", "chef.b1.corp", "chef/b1.corp"):
        assert select(INVENTORY, nodes=[text]).chosen == {("chef", "b1.corp")}


def test_clusters_and_nodes_narrow_each_other() -> None:
    assert select(INVENTORY, ["vault-prod"], ["web1"]).chosen == {("vault-prod", "web1")}


def test_naming_all_of_them_is_no_narrowing() -> None:
    assert not select(INVENTORY, ["chef", "vault-test", "vault-prod"]).narrowed


@pytest.mark.parametrize(
    ("clusters", "nodes", "expected"),
    [
        (
            ["vault-prd"],
            [],
            '--cluster vault-prd: no such cluster; did you mean "vault-prod"?\nclusters of this inventory',
        ),
        ([], ["web9"], '--node web9: no such node; did you mean "web2"?\nnodes of this inventory: web1, web2, b1.corp'),
        ([], ["chef/web1"], "nodes of this inventory: vault-prod.web1, vault-prod.web2, vault-test.web1, chef.b1.corp"),
        (
            ["chef"],
            ["web2"],
            "--node web2: this node is in vault-prod, which --cluster leaves out; add --cluster vault-prod",
        ),
    ],
)
def test_names_that_are_not_there(clusters: list[str], nodes: list[str], expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(INVENTORY, clusters, nodes)
    assert expected in str(caught.value)


def test_targets() -> None:
    targets = parse_targets(["vault-test=11.7.000050", " chef = 3.2.0 "])
    assert [cluster.target for cluster in select(INVENTORY, targets=targets).inventory.clusters] == [
        "11.7.000049",
        "11.7.000050",
        "3.2.0",
    ]


def test_a_version_alone_goes_to_the_only_cluster_selected() -> None:
    selection = select(INVENTORY, ["chef"], targets=parse_targets(["3.2.0"]))
    assert selection.inventory.clusters[0].target == "3.2.0"


@pytest.mark.parametrize(
    ("clusters", "targets", "expected"),
    [
        ([], ["3.2.0"], "there are several clusters; say which, as in --target vault-prod=3.2.0"),
        ([], ["chf=3.2.0"], '--target chf: no such cluster; did you mean "chef"?'),
        (
            [],
            ["vault-prod=11.7.49"],
            "--target vault-prod=11.7.49: '11.7.49' is no Secret Server version; it has plain numbers",
        ),
        (["chef"], ["vault-prod=11.7.000050"], "vault-prod is left out of this run, so its target is unused"),
        ([], ["chef=3.2.0", "chef=3.2.1"], "--target: chef is given two versions, 3.2.0 and 3.2.1"),
        (["chef"], ["3.2.0", "chef=3.2.1"], "--target: chef is given two versions, 3.2.1 and 3.2.0"),
        ([], ["chef="], "expected CLUSTER=VERSION"),
        ([], ["=3.2.0"], "expected CLUSTER=VERSION"),
        ([], [""], "expected CLUSTER=VERSION"),
    ],
)
def test_targets_that_cannot_be(clusters: list[str], targets: list[str], expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        select(INVENTORY, clusters, targets=parse_targets(targets))
    assert expected in str(caught.value)
