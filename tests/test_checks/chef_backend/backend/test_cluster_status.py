from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.chef_backend.backend import health
from checks.chef_backend.backend.cluster_status import judge
from checks.chef_backend.facts.cluster import ChefBackendVersion, ClusterStatus, ServiceStatus
from checks.outcome import Outcome, Status
from scanner.probes.chef_backend.cluster_readers import read_cluster_status, read_service_status
from scanner.probes.probe import Answer

RECORDINGS = Path(__file__).parents[3] / "recordings" / "chef_backend"
DOWN = "node unreachable: connection refused"


def table(name: str) -> ClusterStatus:
    return read_cluster_status(Answer((RECORDINGS / f"cluster-status-{name}.txt").read_text(encoding="utf-8"), 0))


def services(name: str) -> ServiceStatus:
    return read_service_status(Answer((RECORDINGS / f"status-{name}.txt").read_text(encoding="utf-8"), 0))


HEALTHY = (table("healthy"), services("healthy"), ChefBackendVersion("2.3.16"))

Backends = Callable[..., ClusterView]


@pytest.fixture
def backends(cluster: Callable[..., ClusterInfo], node: Callable[..., NodeView]) -> Backends:
    """`backends(changes_of_1, changes_of_2, ...)`: facts that stand in for the healthy ones; None for a node down."""

    def make(*changes: tuple[object, ...] | None) -> ClusterView:
        info = cluster(None, product="chef-backend")
        nodes = []
        for at, changed in enumerate(changes, 1):
            facts = () if changed is None else (*HEALTHY, *changed)
            absence = DOWN if changed is None else ""
            nodes.append(node(info, *facts, name=f"backend-{at}", roles=("backend",), absence=absence))
        return ClusterView(info, tuple(nodes))

    return make


def everywhere(backends: Backends, *facts: object) -> Outcome:
    return judge(backends(facts, facts, facts))


def member(at: int, **changes: Any) -> ClusterStatus:
    rows = list(HEALTHY[0].members)
    rows[at - 1] = replace(rows[at - 1], **changes)
    return ClusterStatus(tuple(rows))


def service(name: str, distributed: str) -> ServiceStatus:
    changed = [
        replace(s, distributed=distributed, line=f"{name}  {distributed}") if s.name == name else s
        for s in HEALTHY[1].services
    ]
    return ServiceStatus(tuple(changed), HEALTHY[1].systems)


def disks(local: str) -> ServiceStatus:
    row = HEALTHY[1].systems[0]
    line = f"disks  {local}  {row.distributed}"
    return replace(HEALTHY[1], systems=(replace(row, local=local, line=line),))


def test_a_healthy_cluster_passes(backends: Backends) -> None:
    outcome = everywhere(backends)
    assert outcome.status is Status.PASS
    assert outcome.message == "healthy, and all backends agree"


def test_before_1_4_no_second_table_is_healthy_too(backends: Backends) -> None:
    assert everywhere(backends, services("1.2"), ChefBackendVersion("1.3.2")).status is Status.PASS


@pytest.mark.parametrize(
    "local",
    [
        "/data/chef: OK",
        "/srv/log: OK; /srv/data: OK; /srv/index: OK",
        "/srv/chef backend: OK; /mnt/c:1: OK",
        "/srv/log: OK ;/srv/data: ok",
    ],
)
def test_any_paths_are_healthy_that_are_ok(backends: Backends, local: str) -> None:
    assert everywhere(backends, disks(local)).status is Status.PASS


def test_a_path_that_one_backend_does_not_tell_of_is_missed(backends: Backends) -> None:
    outcome = judge(backends((), (), (disks("/var/log/chef-backend: OK"),)))
    assert outcome.status is Status.ERROR
    assert "the disks' lines do not tell of the same paths: backend-3 differs" in outcome.message


@pytest.mark.parametrize(
    ("version", "why"),
    [
        (ChefBackendVersion("2.3.16"), "which backends print since 1.4"),
        (ChefBackendVersion("1.4.6"), "which backends print since 1.4"),
        (ChefBackendVersion("1.4"), "which backends print since 1.4"),
        ((ChefBackendVersion, "denied"), "whether this one is older is not known: denied"),
        (ChefBackendVersion("unknown"), "whether this one is older is not known: 'unknown' is no version"),
    ],
)
def test_what_came_with_1_4_is_missed_unless_the_version_is_known_to_be_older(
    backends: Backends, version: object, why: str
) -> None:
    outcome = everywhere(backends, services("1.2"), version)
    assert outcome.status is Status.ERROR
    assert f"no line for epmd and the disks, which backends print since 1.4{why.partition('1.4')[2]}" in outcome.message
    assert why in outcome.message
    assert ("whether this one is older" in outcome.message) is ("older" in why)


@pytest.mark.parametrize("missing", ["epmd", "disks"])
def test_each_of_both_is_missed(backends: Backends, missing: str) -> None:
    status = HEALTHY[1]
    status = replace(
        status,
        services=tuple(row for row in status.services if row.name != missing),
        systems=tuple(row for row in status.systems if row.name != missing),
    )
    outcome = everywhere(backends, status)
    assert outcome.status is Status.ERROR
    assert f"no line for {'the disks' if missing == 'disks' else missing}, which" in outcome.message


def test_green_lights_do_not_hide_a_dead_cluster(backends: Backends) -> None:
    outcome = everywhere(backends, table("waiting"), services("dead-but-green"))
    assert outcome.status is Status.FAIL
    assert "leaderl: leader: 0; waiting: 3; follower: 0; total: 3" in outcome.message
    assert "postgresql is down on backend-2" in outcome.message
    assert "0 leaders instead of one" in outcome.message
    assert "backend-1 is waiting_for_leader" in outcome.message
    assert "elasticsearch" not in outcome.message


def test_a_dead_cluster_is_seen_from_the_services_alone(backends: Backends) -> None:
    assert everywhere(backends, services("dead-but-green")).status is Status.FAIL


def test_a_deposed_leader_warns(backends: Backends) -> None:
    outcome = everywhere(backends, table("deposed"), services("deposed"))
    assert outcome.status is Status.WARN
    assert "backend-1 is a deposed_leader" in outcome.message
    assert outcome.remediation is not None
    assert "Wait" in outcome.remediation.summary


def test_a_deposed_leader_excuses_nothing_else(backends: Backends) -> None:
    outcome = everywhere(backends, table("deposed"), services("dead-but-green"))
    assert outcome.status is Status.FAIL
    assert outcome.remediation is None


@pytest.mark.parametrize(
    ("name", "said", "excused"),
    [
        ("leaderl", "leader: 1; waiting: 0; follower: 1; total: 3", True),
        ("leaderl", "leader: 1; waiting: 0; follower: 0; total: 3", False),
        ("leaderl", "leader: 2; waiting: 0; follower: 1; total: 3", False),
        ("leaderl", "leader: 1; waiting: 1; follower: 1; total: 3", False),
        ("postgresql", "leader: 1; offline: 0; syncing: 1; synced: 1", True),
        ("postgresql", "leader: 1; offline: 0; syncing: 2; synced: 0", False),
        ("postgresql", "leader: 2; offline: 0; syncing: 0; synced: 1", False),
        ("etcd", "health: green; healthy nodes: 2/3", False),
        ("elasticsearch", "state: green; nodes online: 2/3", False),
    ],
)
def test_one_deposed_leader_excuses_one_follower_less(name: str, said: str, excused: bool) -> None:
    assert (health.services("backend-1", service(name, said), deposed=1) == []) is excused
    assert health.services("backend-1", service(name, said)) != []


def test_disk_paths_are_told_by_a_line_that_is_understood_alone() -> None:
    both = frozenset({"/var/log/chef-backend", "/var/opt/chef-backend"})
    assert health.disk_paths(disks("/var/log/chef-backend: OK; /var/opt/chef-backend: OK")) == both
    assert health.disk_paths(disks("/var/log/chef-backend: OK; /var/opt/ch")) is None
    assert health.disk_paths(ServiceStatus(services=(), systems=(), exit_code=0)) is None


def test_counts_that_only_a_deposed_leader_explains_fail_without_one(backends: Backends) -> None:
    assert everywhere(backends, services("deposed")).status is Status.FAIL


def test_one_backend_that_still_calls_the_leader_deposed_is_no_partition(backends: Backends) -> None:
    calm = member(1, role="follower", postgresql="follower")
    rows = list(calm.members)
    rows[1] = replace(rows[1], role="leader", postgresql="leader")
    calm = ClusterStatus(tuple(rows))
    outcome = judge(backends((table("deposed"),), (calm,), (calm,)))
    assert outcome.status is Status.WARN


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (table("two"), "2 members listed instead of 3 (backend-1, backend-2)"),
        (member(2, role="leader", postgresql="leader"), "2 leaders instead of one (backend-1, backend-2)"),
        (member(1, postgresql="follower"), "backend-1 is the leader, but its PostgreSQL is follower"),
        (member(2, postgresql="leader"), "backend-2 is a follower, but its PostgreSQL is leader"),
        (member(2, elasticsearch="master"), "2 Elasticsearch masters instead of one"),
        (member(3, elasticsearch="not_master"), "0 Elasticsearch masters instead of one"),
        (member(3, guid=HEALTHY[0].members[0].guid), "two members have the same GUID"),
        (service("leaderl", "leader: 1; waiting: 1; follower: 1; total: 3"), "leaderl: leader: 1; waiting: 1"),
        (service("leaderl", "leader: 1; waiting: 0; follower: 1; total: 2"), "leaderl: leader: 1"),
        (service("leaderl", "leader: 1; waiting: 0; follower: 2; total: 4"), "total: 4"),
        (service("postgresql", "leader: 1; offline: 1; syncing: 0; synced: 1"), "postgresql: leader: 1; offline: 1"),
        (service("postgresql", "leader: 1; offline: 0; syncing: 1; synced: 1"), "syncing: 1"),
        (service("postgresql", "error: no pg_hba.conf entry"), "postgresql says: error: no pg_hba.conf entry"),
        (service("etcd", "health: green; healthy nodes: 2/3"), "etcd: health: green; healthy nodes: 2/3"),
        (service("etcd", "health: red; healthy nodes: 3/3"), "etcd: health: red"),
        (service("elasticsearch", "state: yellow; nodes online: 3/3"), "elasticsearch: state: yellow"),
        (services("disk-full"), "disks on backend-1: /var/log/chef-backend: 98 MB free (of /var/log"),
        (disks("/var/log/chef-backend: OK; /var/opt/chef-backend: CRITICAL"), "/var/opt/chef-backend: CRITICAL (of"),
        (disks("/var/log/chef-backend: not OK; /var/opt/chef-backend: OK"), "/var/log/chef-backend: not OK"),
        (disks("/data/chef backend: stat failed"), "disks on backend-1: /data/chef backend: stat failed"),
        (disks("FAIL /var/log/chef-backend 98%"), "disks on backend-1: FAIL /var/log/chef-backend 98%"),
    ],
)
def test_every_fault_fails(backends: Backends, broken: object, text: str) -> None:
    outcome = everywhere(backends, broken)
    assert outcome.status is Status.FAIL
    assert text in outcome.message


@pytest.mark.parametrize(
    ("odd", "text"),
    [
        (member(2, role="wandering"), "role 'wandering' of backend-2 is not understood: backend-2  192.168.33.216"),
        (member(2, postgresql="half"), "PG of backend-2 is 'half', which is not understood: backend-2"),
        (member(3, elasticsearch="perhaps"), "ES of backend-3 is 'perhaps', which is not understood: backend-3"),
        (service("etcd", "health: purple; healthy nodes: 3/3"), "not understood: etcd  health: purple"),
        (service("leaderl", "leader: one; waiting: 0; follower: 2; total: 3"), "not understood: leaderl  leader: one"),
        (service("epmd", "status: federated"), "not understood: epmd  status: federated"),
        (service("elasticsearch", ""), "a line of the status is not understood"),
        (services("cut"), "no line for postgresql"),
        (disks("OK"), "disks on backend-1: OK is not understood"),
        (disks(""), "disks on backend-1: an empty part is not understood"),
        (disks("/var/log/chef-backend: OK;"), "an empty part is not understood"),
        (disks("/var/log/chef-backend: OK; ; /var/opt/chef-backend: OK"), "an empty part is not understood"),
        (disks("/var/log/chef-backend: OK; /var/opt/chef-ba"), "/var/opt/chef-ba is not understood"),
        (disks("/var/log/chef-backend: OK; /var/opt/chef-backend:"), "/var/opt/chef-backend: is not understood"),
        (disks("/var/log/chef-backend: OK; /var/opt/chef-backend: O"), "/var/opt/chef-backend: O is not understood"),
        (disks("/var/log/chef-backend /var/opt/chef-backend: OK: OK"), "chef-backend: OK: OK is not understood"),
        (disks("/var/log: 98 MB free /var/opt: OK"), "/var/log: 98 MB free /var/opt: OK is not understood"),
    ],
)
def test_what_is_not_understood_is_an_error_that_shows_it(backends: Backends, odd: object, text: str) -> None:
    outcome = everywhere(backends, odd)
    assert outcome.status is Status.ERROR
    assert text in outcome.message


def test_a_service_that_nobody_knows_is_an_error(backends: Backends) -> None:
    new = replace(HEALTHY[1].services[0], name="opensearch", line="opensearch  running (pid 7)")
    status = ServiceStatus((*HEALTHY[1].services, new), HEALTHY[1].systems)
    outcome = everywhere(backends, status)
    assert outcome.status is Status.ERROR
    assert "opensearch  running (pid 7)" in outcome.message


def test_backends_that_disagree_fail_and_the_odd_one_is_named(backends: Backends) -> None:
    own = member(1, role="follower", postgresql="follower")
    rows = list(own.members)
    rows[2] = replace(rows[2], role="leader", postgresql="leader")
    outcome = judge(backends((), (), (ClusterStatus(tuple(rows)),)))
    assert outcome.status is Status.FAIL
    assert "hints at a partition: backend-3 differs from backend-1 and backend-2" in outcome.message


def test_the_order_of_rows_is_no_disagreement(backends: Backends) -> None:
    turned = ClusterStatus(tuple(reversed(HEALTHY[0].members)))
    assert judge(backends((), (turned,), ())).status is Status.PASS


def test_a_fault_that_one_backend_sees_names_the_witness(backends: Backends) -> None:
    outcome = judge(backends((), (service("etcd", "health: red; healthy nodes: 1/3"),), ()))
    assert outcome.message == "etcd: health: red; healthy nodes: 1/3 (from backend-2)"


def test_two_healthy_views_are_not_enough(backends: Backends) -> None:
    outcome = judge(backends((), (), None))
    assert outcome.status is Status.ERROR
    assert outcome.message == f"backend-3: {DOWN}"


def test_two_views_can_prove_a_failure(backends: Backends) -> None:
    broken = (service("etcd", "health: green; healthy nodes: 2/3"),)
    assert judge(backends(broken, broken, None)).status is Status.FAIL


def test_an_unreadable_table_is_told_with_its_line(backends: Backends) -> None:
    outcome = judge(backends((), ((ClusterStatus, "a line that is not understood: 'x'"),), ()))
    assert outcome.status is Status.ERROR
    assert "backend-2: a line that is not understood: 'x'" in outcome.message


def test_a_backend_that_the_inventory_forgot_is_missed(backends: Backends) -> None:
    outcome = judge(backends((), ()))
    assert outcome.status is Status.ERROR
    assert "the inventory lists 2 backends, the cluster 3" in outcome.message
    assert "the inventory lists 1 backend, the cluster 3" in judge(backends(())).message


def test_nobody_answered(backends: Backends) -> None:
    assert judge(backends(None, None, None)).status is Status.ERROR


def test_an_exit_code_that_nothing_explains_is_an_error(backends: Backends) -> None:
    outcome = judge(backends((), (), (replace(HEALTHY[1], exit_code=1),)))
    assert outcome.status is Status.ERROR
    assert outcome.message == (
        "`chef-backend-ctl status` on backend-3 ended with exit code 1, and its tables show no fault"
    )


def test_an_exit_code_that_the_tables_explain_is_not_told_twice(backends: Backends) -> None:
    broken = replace(service("etcd", "health: red; healthy nodes: 1/3"), exit_code=1)
    assert "exit code" not in everywhere(backends, broken).message


def test_one_name_for_two_members_fails(backends: Backends) -> None:
    outcome = everywhere(backends, member(2, name="backend-1"))
    assert outcome.status is Status.FAIL
    assert "two members have the same name" in outcome.message


def test_a_number_that_is_told_twice_is_not_understood(backends: Backends) -> None:
    outcome = everywhere(backends, service("leaderl", "leader: 0; leader: 1; waiting: 0; follower: 2; total: 3"))
    assert outcome.status is Status.ERROR
    assert "a line of the status is not understood" in outcome.message


def with_columns(*columns: dict[str, str]) -> ClusterStatus:
    rows = zip(HEALTHY[0].members, columns, strict=True)
    return ClusterStatus(tuple(replace(row, columns=tuple(more.items())) for row, more in rows))


YES, NO = {"Blocked": "no", "Eligible": "yes"}, {"Blocked": "no", "Eligible": "no"}


def test_further_columns_are_shown_and_may_differ_between_views(backends: Backends) -> None:
    other = with_columns(*({"Seen": f"{at}s ago"} for at in range(3)))
    outcome = judge(backends((with_columns(YES, YES, YES),), (), (other,)))
    assert outcome.status is Status.PASS
    assert outcome.evidence["columns"] == {
        "backend-1": dict.fromkeys(("backend-1", "backend-2", "backend-3"), YES),
        "backend-3": {f"backend-{at + 1}": {"Seen": f"{at}s ago"} for at in range(3)},
    }


@pytest.mark.parametrize(
    ("columns", "status"),
    [
        ((YES, YES, NO), Status.PASS),
        ((YES, NO, NO), Status.WARN),
        ((NO, NO, NO), Status.WARN),
        (({"leader eligibility": "False"},) * 3, Status.WARN),
        (({"ELIGIBLE": "not_eligible"},) * 3, Status.WARN),
        (({"Eligible": "ineligible"},) * 3, Status.WARN),
        (({"Eligible": "n"}, {"Eligible": "perhaps"}, {"Eligible": "n"}), Status.PASS),
        (({"Eligible": ""},) * 3, Status.PASS),
    ],
)
def test_that_nobody_could_take_over_warns(
    backends: Backends, columns: tuple[dict[str, str], ...], status: Status
) -> None:
    outcome = everywhere(backends, with_columns(*columns))
    assert outcome.status is status
    assert ("nobody could take over" in outcome.message) is (status is Status.WARN)
    assert (outcome.remediation is not None) is (status is Status.WARN)


@pytest.mark.parametrize("column", ["Following", "follows", "Followed Node"])
def test_a_follower_of_somebody_who_does_not_lead_fails(backends: Backends, column: str) -> None:
    for right in ("backend-1", "192.168.33.215", "dc0c6ea77a751f94037cd950e8451fa3", "backend-1.corp.example"):
        table = with_columns({column: "-"}, {column: right}, {column: ""})
        assert everywhere(backends, table).status is Status.PASS
    outcome = everywhere(backends, with_columns({column: ""}, {column: "backend-1"}, {column: "backend-2"}))
    assert outcome.status is Status.FAIL
    assert "backend-3 follows backend-2, and backend-1 leads" in outcome.message


@pytest.mark.parametrize(
    ("cell", "status"),
    [
        ("follower (backend-1)", Status.PASS),
        ("follower: 192.168.33.215", Status.PASS),
        ("follower (backend-2)", Status.FAIL),
        ("follower (down)", Status.ERROR),
        ("followers", Status.ERROR),
    ],
)
def test_who_is_followed_may_stand_beside_the_word(backends: Backends, cell: str, status: Status) -> None:
    assert everywhere(backends, member(3, postgresql=cell)).status is status


def test_a_column_of_the_followed_node_excuses_no_state_of_postgresql(backends: Backends) -> None:
    table = member(3, postgresql="half", columns=(("Follows", "backend-1"),))
    assert everywhere(backends, table).status is Status.ERROR


def test_a_deposed_leader_that_only_it_sees_is_no_partition(backends: Backends) -> None:
    before, after = table("deposed"), table("deposed")
    rows = [replace(row, role="follower", postgresql="follower") for row in after.members if row.role != "leader"]
    after = ClusterStatus((*rows, *(row for row in after.members if row.role == "leader")))
    assert judge(backends((before,), (after,), (after,))).status is Status.WARN


def test_counts_are_excused_by_a_deposed_leader_that_was_seen_alone(backends: Backends) -> None:
    """Where a backend's table of members cannot be read, nothing says that one of them is between two roles."""
    short = service("leaderl", "leader: 1; waiting: 0; follower: 1; total: 3")
    outcome = judge(backends((), (), ((ClusterStatus, "denied"), short)))
    assert outcome.status is Status.FAIL
    assert "leaderl: leader: 1; waiting: 0; follower: 1; total: 3" in outcome.message


def test_what_all_of_them_are_stands_beside_the_judgement(backends: Backends) -> None:
    outcome = everywhere(backends)
    for name in ("backend-1", "backend-2", "backend-3"):
        role = "leader" if name == "backend-1" else "follower"
        assert f"{name} {role}" in outcome.observed
        assert name in str(outcome.evidence)
    assert "192.168.33.215" in str(outcome.evidence)


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        (disks("/data/chef: stat failed"), "disks on backend-2: /data/chef: stat failed"),
        (disks("/data/chef: OK; /data/es: full"), "disks on backend-2: /data/es: full (of /data/chef: OK; /data/es"),
        (disks("/data/chef"), "disks on backend-2: /data/chef is not understood"),
        (services("dead-but-green"), "postgresql is down on backend-2"),
    ],
)
def test_what_a_backend_says_of_itself_names_no_witness(backends: Backends, broken: ServiceStatus, text: str) -> None:
    outcome = judge(backends((), (broken,), ()))
    assert text in outcome.message
    assert f"{text} (from" not in outcome.message
    assert "disks" not in text or "(from" not in outcome.message


@pytest.mark.parametrize("roles", [(), ("backend-2", "backend-3")])
def test_who_is_followed_is_told_where_one_leads_alone(backends: Backends, roles: tuple[str, ...]) -> None:
    """With no leader, or with two, nothing is firm: the leaders are what is told."""
    rows = [
        replace(
            row,
            role="leader" if row.name in roles else "follower",
            postgresql="leader" if row.name in roles else "follower",
            columns=(("Follows", "backend-1"),),
        )
        for row in HEALTHY[0].members
    ]
    outcome = everywhere(backends, ClusterStatus(tuple(rows)))
    assert outcome.status is Status.FAIL
    assert f"{len(roles)} leaders instead of one" in outcome.message
    assert " follows " not in outcome.message


def test_who_is_followed_while_a_leader_is_deposed_is_not_firm(backends: Backends) -> None:
    rows = [replace(row, columns=(("Follows", "backend-1"),)) for row in table("deposed").members]
    outcome = everywhere(backends, ClusterStatus(tuple(rows)), services("deposed"))
    assert outcome.status is Status.WARN
    assert " follows " not in outcome.message
