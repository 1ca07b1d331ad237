from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, NodeView
from checks.chef_backend.facts.cluster import ChefBackendVersion
from checks.common.disk_facts import Disks, Drive, LinuxDisks
from checks.facts import Contact, UnknownFactError
from checks.outcome import Outcome, Status
from checks.registry import named
from checks.secret_server.facts.node import WebRoot

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]
Judged = Callable[..., Outcome]

judge: Judged = named("disk-space").judge

GB = 10**9
ROOT = WebRoot("D:\\Vault", ("registry",), ())


def windows(*sizes: tuple[str, float, float], sql: tuple[str, ...] = ()) -> Disks:
    return Disks(tuple(Drive(name, int(total * GB), int(free * GB)) for name, total, free in sizes), "C:", sql)


def linux(total_gb: float = 100, free_mb: int = 50_000, kind: str = "xfs", *, there: bool = True) -> LinuxDisks:
    drive = Drive("/", int(total_gb * GB), free_mb * 10**6, kind)
    folders = ("/var/log/chef-backend", "/var/opt/chef-backend")
    return LinuxDisks((drive,), tuple((folder, drive if there else None) for folder in folders))


@pytest.fixture
def judged(cluster: Clusters, node: Nodes) -> Judged:
    def make(role: str, *facts: object, **overrides: dict[str, object]) -> Outcome:
        product = "secret-server" if role in ("web", "database") else "chef-backend"
        return judge(node(cluster(None, product=product, overrides=overrides), *facts, roles=(role,)))

    return make


def test_enough_passes_without_a_target(judged: Judged) -> None:
    outcome = judged("web", ROOT, windows(("C:", 60, 20), ("D:", 40, 30)))
    assert outcome.status is Status.PASS
    assert "100.0 GB of local disk in all (C: 60.0 GB, D: 40.0 GB)" in outcome.message
    assert "30.0 GB free on D:" in outcome.message


@pytest.mark.parametrize(("role", "total"), [("web", 20), ("database", 40)])
def test_less_than_the_minimum_in_all_fails(judged: Judged, role: str, total: int) -> None:
    outcome = judged(role, ROOT, windows(("C:", total, 15)))
    assert outcome.status is Status.FAIL
    assert f"{total}.0 GB of local disk in all (C: {total}.0 GB), and" in outcome.message


@pytest.mark.parametrize(("role", "total"), [("web", 24), ("database", 47)])
def test_a_little_less_warns_as_the_disk_may_be_larger(judged: Judged, role: str, total: int) -> None:
    outcome = judged(role, ROOT, windows(("C:", total, 15), sql=("C:\\Data",)))
    assert outcome.status is Status.WARN
    assert "the disk itself may be larger" in outcome.message


@pytest.mark.parametrize(
    ("role", "disks", "drive"),
    [
        ("web", windows(("C:", 60, 4), ("D:", 60, 50)), "C:"),
        ("web", windows(("C:", 60, 40), ("D:", 60, 0.5)), "D:"),
        ("database", windows(("C:", 60, 40), ("E:", 60, 9), sql=("E:\\Data", "E:\\Log")), "E:"),
        ("database", windows(("C:", 60, 9)), "C:"),
    ],
)
def test_little_free_space_warns_as_it_is_inferred(judged: Judged, role: str, disks: Disks, drive: str) -> None:
    outcome = judged(role, ROOT, disks)
    assert outcome.status is Status.WARN
    assert f"free on {drive}, and" in outcome.message
    assert "(inferred: " in outcome.message


def test_a_drive_that_does_not_matter_may_be_full(judged: Judged) -> None:
    assert judged("web", ROOT, windows(("C:", 60, 40), ("D:", 60, 40), ("F:", 9, 0))).status is Status.PASS
    assert judged("database", windows(("C:", 60, 1), ("E:", 60, 40), sql=("E:\\D",))).status is Status.PASS


def test_a_folder_on_no_drive_that_was_seen_warns(judged: Judged) -> None:
    outcome = judged("database", windows(("C:", 60, 40), sql=("\\\\nas\\sql",)))
    assert outcome.status is Status.WARN
    assert "\\\\nas\\sql lies on none of the drives" in outcome.message


def test_chef_machines(judged: Judged) -> None:
    assert judged("backend", linux()).status is Status.PASS
    assert judged("backend", linux(40)).status is Status.FAIL
    assert judged("frontend", linux(21, there=False)).status is Status.PASS
    assert judged("frontend", linux(10, there=False)).status is Status.FAIL


def test_a_backend_s_folders_need_space(judged: Judged) -> None:
    outcome = judged("backend", linux(free_mb=249))
    assert outcome.status is Status.FAIL
    assert "249 MB free on /var/log/chef-backend, and 250 MB free in each of" in outcome.message
    outcome = judged("backend", linux(free_mb=250))
    assert "250 MB free in each of" not in outcome.message


def used(percent: float, *, path: str = "/data/es", kind: str = "xfs") -> LinuxDisks:
    """An ample machine whose index lies on a file system of its own, which is so full."""
    own = Drive("/data", 200 * GB, int(200 * GB * (100 - percent) / 100), kind)
    return replace(linux(), index_folder=path, index=own)


@pytest.mark.parametrize(
    ("percent", "target", "status", "text"),
    [
        (84.9, "3.1.1", Status.PASS, "84.9 % used of /data, on which /data/es lies"),
        (85, "2.3.16", Status.WARN, "85.0 % used of /data, on which /data/es lies, and less than 85 % used"),
        (85, "3.1.1", Status.WARN, "it allocates no more shards"),
        (91, "3.1.1", Status.WARN, "it moves its shards away"),
        (94.9, "3.1.1", Status.WARN, "less than 90 %"),
        (95, "3.1.1", Status.FAIL, "the one of Chef Backend 3 makes its indexes read-only"),
        (100, "3.0.0", Status.FAIL, "100.0 % used"),
        (96, "2.3.16", Status.WARN, "less than 90 %"),
        (96, None, Status.WARN, "less than 90 %"),
        (96, "no version", Status.WARN, "less than 90 %"),
    ],
)
def test_elasticsearch_s_watermarks(
    percent: float, target: str | None, status: Status, text: str, cluster: Clusters, node: Nodes
) -> None:
    info = cluster(target, product="chef-backend")
    outcome = judge(node(info, used(percent), ChefBackendVersion("2.2.5"), roles=("backend",)))
    assert outcome.status is status
    assert text in outcome.message
    assert outcome.message.count("% used of") == 1
    assert "documented" not in outcome.message, "how sure a rule is, is told of those alone that are not"


def test_on_the_way_by_2_x_to_3_x_the_last_hop_counts(cluster: Clusters, node: Nodes) -> None:
    info = cluster("3.1.1", product="chef-backend")
    for version in ("1.4.6", "2.0.1", "3.0.0"):
        view = node(info, used(97), ChefBackendVersion(version), roles=("backend",))
        assert judge(view).status is Status.FAIL, version
    assert judge(node(info, used(97), (ChefBackendVersion, "denied"), roles=("backend",))).status is Status.FAIL


def test_what_root_keeps_for_itself_is_used_for_elasticsearch(judged: Judged) -> None:
    # 1 % of it is kept for root: df shows 84 %.
    volume = Drive("/data", 1000 * GB, 149 * GB, "ext4")
    assert judged("backend", replace(linux(), index_folder="/d", index=volume)).status is Status.WARN


def test_where_the_index_lies_was_not_asked_the_product_s_data_stand_in(judged: Judged) -> None:
    outcome = judged("backend", linux(100, 14_000))
    assert outcome.status is Status.WARN
    assert "86.0 % used of /, on which /var/opt/chef-backend lies" in outcome.message


def test_an_index_that_lies_nowhere_is_an_error(judged: Judged) -> None:
    outcome = judged("backend", replace(linux(), index_folder="/data/es", index=None))
    assert outcome.status is Status.ERROR
    assert "where /data/es lies is not known" in outcome.message


def test_a_watermark_can_be_overridden(judged: Judged) -> None:
    assert judged("backend", used(86), **{"disk-index-low": {"off": True, "reason": "agreed"}}).status is Status.PASS


def test_a_frontend_has_no_index(judged: Judged) -> None:
    assert judged("frontend", used(99)).status is Status.PASS


@pytest.mark.parametrize("kind", ["nfs4", "NFS", "cifs", "fuse.glusterfs"])
def test_a_backend_never_lies_on_a_network_file_system(judged: Judged, kind: str) -> None:
    outcome = judged("backend", linux(kind=kind))
    assert outcome.status is Status.FAIL
    assert f"/var/opt/chef-backend lies on {kind}" in outcome.message


def test_a_backend_without_its_folders_is_an_error(judged: Judged) -> None:
    assert judged("backend", linux(there=False)).status is Status.ERROR


def test_a_rule_can_be_overridden(judged: Judged) -> None:
    small = windows(("C:", 20, 15))
    change: dict[str, object] = {"effect": "warn", "reason": "agreed"}
    assert judged("web", ROOT, small).status is Status.FAIL
    assert judged("web", ROOT, small, **{"disk-web": change}).status is Status.WARN


def test_a_port_has_no_disks(judged: Judged) -> None:
    assert (
        judged("database", Contact(host="sql1", transport="tds", failure=None, asked=1, answered=1)).status
        is Status.SKIP
    )


def test_unknown_disks_are_not_judged(judged: Judged) -> None:
    with pytest.raises(UnknownFactError, match="denied"):
        judged("web", (Disks, "denied"))
    with pytest.raises(UnknownFactError, match="denied"):
        judged("backend", (LinuxDisks, "denied"))


@pytest.mark.parametrize(
    ("total", "status"),
    [(25.0, Status.PASS), (24.999, Status.WARN), (22.5, Status.WARN), (22.499, Status.FAIL)],
)
def test_a_tenth_less_than_the_minimum_may_be_a_partition(judged: Judged, total: float, status: Status) -> None:
    assert judged("web", ROOT, windows(("C:", total, 15), ("D:", 0, 0))).status is not Status.PASS
    assert judged("web", WebRoot("C:\\V", ("registry",), ()), windows(("C:", total, 15))).status is status


def test_a_quota_hides_how_large_a_drive_is(judged: Judged) -> None:
    """Windows tells the account's share as the size, and the drive's own free space."""
    outcome = judged("web", WebRoot("C:\\V", ("registry",), ()), windows(("C:", 10, 40), ("D:", 5, 5)))
    assert outcome.status is Status.ERROR
    assert "a disk quota of the scanner's account hides how large C: is" in outcome.message
    outcome = judged("web", ROOT, windows(("C:", 10, 40), ("D:", 9, 40)))
    assert "hides how large C: and D: is" in outcome.message
    # What is there is enough, whatever the quota hides.
    outcome = judged("web", ROOT, windows(("C:", 60, 70), ("D:", 40, 30)))
    assert outcome.status is Status.PASS
    assert "70.0 GB free on C: (a disk quota gives the scanner's account 60.0 GB of it)" in outcome.message


@pytest.mark.parametrize("requires", ["web total-gb many", "web size 25", "web total-gb", "web free-gb -5"])
def test_a_rule_that_is_not_understood_is_an_error(cluster: Clusters, node: Nodes, requires: str) -> None:
    info = cluster(None)
    rules = tuple(replace(rule, requires=requires) for rule in info.rules.of("disk-space") if rule.id == "disk-web")
    assert rules
    view = node(replace(info, rules=replace(info.rules, rules=rules)), ROOT, windows(("C:", 60, 40), ("D:", 60, 40)))
    outcome = judge(view)
    assert outcome.status is Status.ERROR
    assert f"rule disk-web: requires = {requires!r} is none of" in outcome.message


def test_sizes_are_told_in_the_unit_that_fits(judged: Judged) -> None:
    message = judged("web", ROOT, windows(("C:", 60, 1), ("D:", 60, 0.999))).message
    assert "1.0 GB free on C:" in message
    assert "999 MB free on D:" in message
