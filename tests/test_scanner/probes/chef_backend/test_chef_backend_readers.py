from __future__ import annotations

import pickle
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from checks.chef_backend.facts.cluster import ChefBackendVersion, LeaderFlags, Member
from scanner.probes.chef_backend.cluster import PROBES
from scanner.probes.chef_backend.cluster_readers import (
    read_cluster_status,
    read_leader_flags,
    read_service_status,
    read_version,
)
from scanner.probes.probe import Answer, UnreadableError
from tests.field.samples import FOLDER as FIELD

RECORDINGS = Path(__file__).parents[3] / "recordings" / "chef_backend"
DAY_S = 86_400


def recorded(name: str, exit_code: int = 0, *, truncated: bool = False) -> Answer:
    return Answer((RECORDINGS / f"{name}.txt").read_text(encoding="utf-8"), exit_code, truncated)


HEALTHY = [
    Member(
        name="backend-1",
        ip="192.168.33.215",
        guid="dc0c6ea77a751f94037cd950e8451fa3",
        role="leader",
        postgresql="leader",
        elasticsearch="not_master",
    ),
    Member(
        name="backend-2",
        ip="192.168.33.216",
        guid="008782c59d3628b6bb7f43556ac0c66c",
        role="follower",
        postgresql="follower",
        elasticsearch="not_master",
    ),
    Member(
        name="backend-3",
        ip="192.168.33.217",
        guid="1af654172b1830927a571d9a5ba7965b",
        role="follower",
        postgresql="follower",
        elasticsearch="master",
    ),
]


@pytest.mark.parametrize("look", ["healthy", "mangled", "colours"])
def test_the_members_are_read_whatever_the_table_looks_like(look: str) -> None:
    assert list(read_cluster_status(recorded(f"cluster-status-{look}")).members) == HEALTHY


def test_further_columns_are_kept_by_their_names() -> None:
    members = read_cluster_status(recorded("cluster-status-extra-columns")).members
    assert [replace(member, columns=()) for member in members] == HEALTHY
    assert {member.columns for member in members} == {(("Blocked", "not_blocked"), ("Last Seen", "3s ago"))}


def test_tabs_and_windows_line_ends_do_not_matter() -> None:
    text = recorded("cluster-status-mangled").output.replace(" ", "\t").replace("\n", "\r\n")
    assert list(read_cluster_status(Answer(text, 0)).members) == HEALTHY


def test_what_sudo_mutters_about_the_hosts_name_is_no_part_of_the_table() -> None:
    assert list(read_cluster_status(recorded("sudo-unknown-host")).members) == HEALTHY


@pytest.mark.parametrize("place", ["end", "middle"])
def test_an_empty_cell_of_a_column_of_a_later_version_moves_no_other(place: str) -> None:
    columns = ["Name", "IP", "GUID", "Role", "PG", "ES"]
    rows = [[m.name, m.ip, m.guid, m.role, m.postgresql, m.elasticsearch] for m in HEALTHY]
    at = len(columns) if place == "end" else 3
    table = [
        [*row[:at], new, *row[at:]] for row, new in zip([columns, *rows], ("Last Seen", "", "3s ago", ""), strict=True)
    ]
    widths = [max(len(row[i]) for row in table) for i in range(7)]
    text = "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() + "\n" for row in table
    )
    members = read_cluster_status(Answer(text, 0)).members
    assert [replace(member, columns=()) for member in members] == HEALTHY
    assert [[cell for _, cell in member.columns] for member in members] == [[""], ["3s ago"], [""]]


def test_an_empty_cell_that_counts_is_shown() -> None:
    text = recorded("cluster-status-healthy").output.replace("leader    leader  ", "leader            ", 1)
    with pytest.raises(UnreadableError, match="not understood: 'backend-1"):
        read_cluster_status(Answer(text, 0))


def test_columns_go_by_their_names() -> None:
    text = "ES  Name  PG  IP  Role  GUID\nmaster  b1  leader  10.0.0.1  leader  " + "a" * 32 + "\n"
    with pytest.raises(UnreadableError):
        read_cluster_status(Answer(text.replace("ES  Name", "Nome"), 0))
    moved = "Name  ES  PG  IP  Role  GUID\nb1  master  leader  10.0.0.1  follower  " + "a" * 32 + "\n"
    assert read_cluster_status(Answer(moved, 0)).members == (
        Member(name="b1", ip="10.0.0.1", guid="a" * 32, role="follower", postgresql="leader", elasticsearch="master"),
    )


def test_other_roles_are_kept_as_printed() -> None:
    roles = [member.role for member in read_cluster_status(recorded("cluster-status-deposed")).members]
    assert roles == ["deposed_leader", "leader", "follower"]


def test_old_versions_fail_without_a_leader_and_the_table_still_counts() -> None:
    status = read_cluster_status(recorded("cluster-status-waiting", 1))
    assert {member.role for member in status.members} == {"waiting_for_leader"}


def test_a_failure_with_a_leader_in_the_table_is_not_trusted() -> None:
    with pytest.raises(UnreadableError, match="exit code 1 although it printed a table"):
        read_cluster_status(recorded("cluster-status-healthy", 1))


def test_a_garbled_row_is_shown() -> None:
    with pytest.raises(UnreadableError, match="not understood: 'backend-2"):
        read_cluster_status(recorded("cluster-status-garbled"))


@pytest.mark.parametrize("cells", ["backend-4", "backend-4 10.0.0.4", "a b c d e f g"])
def test_a_row_with_too_few_or_too_many_cells_is_shown(cells: str) -> None:
    answer = Answer(recorded("cluster-status-healthy").output + cells + "\n", 0)
    with pytest.raises(UnreadableError, match=cells):
        read_cluster_status(answer)


def test_lines_before_the_table_are_shown() -> None:
    answer = Answer("WARN: etcd answered slowly\n" + recorded("cluster-status-healthy").output, 0)
    with pytest.raises(UnreadableError, match="etcd answered slowly"):
        read_cluster_status(answer)


def test_a_node_outside_of_a_cluster_says_so() -> None:
    with pytest.raises(UnreadableError, match="exit code 1: ERROR: This node is not a member of a cluster"):
        read_cluster_status(recorded("cluster-status-not-in-cluster", 1))


@pytest.mark.parametrize("text", ["", "\n \n", "<html>502 Bad Gateway</html>", "Name IP GUID Role PG ES\n"])
def test_an_answer_without_members_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError, match="cluster-status"):
        read_cluster_status(Answer(text, 0))


def test_half_an_answer_is_unreadable() -> None:
    with pytest.raises(UnreadableError, match="cut at the size cap"):
        read_cluster_status(recorded("cluster-status-healthy", truncated=True))


@pytest.mark.parametrize("look", ["healthy", "mangled"])
def test_services_and_systems_are_read(look: str) -> None:
    status = read_service_status(recorded(f"status-{look}"))
    assert [(s.name, s.running, s.pid, s.uptime_s, s.distributed) for s in status.services] == [
        ("leaderl", True, 1191, 53 * DAY_S + 54_672, "leader: 1; waiting: 0; follower: 2; total: 3"),
        ("epmd", True, 1195, 53 * DAY_S + 54_672, "status: local-only"),
        ("etcd", True, 1189, 53 * DAY_S + 54_672, "health: green; healthy nodes: 3/3"),
        ("postgresql", True, 40686, 756, "leader: 1; offline: 0; syncing: 0; synced: 2"),
        ("elasticsearch", True, 47423, 738, "state: green; nodes online: 3/3"),
    ]
    assert [(s.name, s.local, s.distributed) for s in status.systems] == [
        ("disks", "/var/log/chef-backend: OK; /var/opt/chef-backend: OK", "health: green; healthy nodes: 3/3")
    ]


def test_before_1_4_there_is_no_second_table() -> None:
    status = read_service_status(recorded("status-1.2"))
    assert [service.name for service in status.services] == ["leaderl", "etcd", "postgresql", "elasticsearch"]
    assert status.systems == ()


def test_a_service_that_is_down_is_read_with_its_error() -> None:
    services = {s.name: s for s in read_service_status(recorded("status-dead-but-green", 1)).services}
    postgresql = services["postgresql"]
    assert not postgresql.running
    assert postgresql.pid is None
    assert postgresql.distributed == "error: could not reach pgsql leader for replication stats"
    assert postgresql.line.startswith("postgresql")


def test_a_service_that_is_down_is_read_from_mangled_blanks_too() -> None:
    text = recorded("status-mangled").output.replace("running (pid 40686) 0d 0h 12m 36s", "down 3s")
    services = {s.name: s for s in read_service_status(Answer(text, 0)).services}
    assert (services["postgresql"].running, services["postgresql"].uptime_s) == (False, 3)


def test_a_full_disk_is_read_as_printed() -> None:
    system = read_service_status(recorded("status-disk-full")).systems[0]
    assert system.local == "/var/log/chef-backend: 98 MB free; /var/opt/chef-backend: OK"
    assert system.distributed == "health: red; healthy nodes: 2/3"


@pytest.mark.parametrize("line", ["some  odd  words", "caf\\xe9 \\xff\\xfe", "disks   OK", "disks"])
def test_garbage_is_no_system_that_is_not_ok(line: str) -> None:
    with pytest.raises(UnreadableError, match="not understood"):
        read_service_status(Answer(recorded("status-healthy").output + line.replace("disks", "disk2") + "\n", 0))


def test_the_line_of_a_garbled_service_is_shown() -> None:
    with pytest.raises(UnreadableError, match=r"not understood: 'postgresql"):
        read_service_status(recorded("status-garbled"))


def test_lines_before_the_services_are_shown() -> None:
    with pytest.raises(UnreadableError, match="cannot reach etcd"):
        read_service_status(Answer("WARN: cannot reach etcd\n" + recorded("status-healthy").output, 0))


def test_a_table_without_services_is_unreadable() -> None:
    with pytest.raises(UnreadableError, match="without a row"):
        read_service_status(Answer(recorded("status-healthy").output.splitlines()[0], 0))


def test_a_service_listed_twice_is_unreadable() -> None:
    text = recorded("status-1.2").output
    with pytest.raises(UnreadableError, match="lists etcd twice"):
        read_service_status(Answer(text + next(line for line in text.splitlines() if line.startswith("etcd")), 0))


def test_an_extra_column_of_a_later_version_is_tolerated() -> None:
    text = "Service  Local Status  Memory  Time in State  Distributed Node Status\netcd  down  0 MB  3s  health: red\n"
    assert read_service_status(Answer(text, 0)).services[0].distributed == "health: red"


@pytest.mark.parametrize("cell", ["not_blocked", "true"])
def test_a_row_that_does_not_tell_who_may_lead_is_shown(cell: str) -> None:
    told = (FIELD / "chef" / "cluster-status-blocked-eligible.txt").read_text(encoding="utf-8")
    assert len(read_cluster_status(Answer(told, 0)).members) == 3
    first, second, rest = told.partition("follower")
    with pytest.raises(UnreadableError, match="be-north2"):
        read_cluster_status(Answer(first + second + rest.replace(cell, " " * len(cell), 1), 0))


def test_flags_are_read_from_the_listing() -> None:
    assert read_leader_flags(recorded("flags-none")) == LeaderFlags(unsynced=False, no_start_pgsql=False)
    assert read_leader_flags(recorded("flags-unsynced")) == LeaderFlags(unsynced=True, no_start_pgsql=False)


@pytest.mark.parametrize(
    ("name", "text"), [("flags-denied", "it needs root .set `sudo = true`"), ("flags-missing", "No such file")]
)
def test_a_directory_that_cannot_be_listed_is_not_an_absent_flag(name: str, text: str) -> None:
    with pytest.raises(UnreadableError, match=text):
        read_leader_flags(recorded(name, 2))


@pytest.mark.parametrize("name", ["flags-none", "flags-unsynced"])
def test_a_listing_without_its_end_is_cut_off(name: str) -> None:
    listed = recorded(name)
    whole = f"form 2\n{listed.output}end\n"
    assert read_leader_flags(replace(listed, output=whole)) == read_leader_flags(listed)
    lines = whole.splitlines(keepends=True)
    for length in range(1, len(lines)):
        with pytest.raises(UnreadableError, match="has no end, and may be cut off"):
            read_leader_flags(replace(listed, output="".join(lines[:length])))


def test_an_empty_listing_is_not_an_absent_flag() -> None:
    with pytest.raises(UnreadableError, match="no output"):
        read_leader_flags(Answer("", 0))


@pytest.mark.parametrize(
    ("name", "version"), [("version-2.3.16", "2.3.16"), ("version-build", "2.0.30+20180629083321")]
)
def test_the_version_is_read(name: str, version: str) -> None:
    assert read_version(recorded(name)) == ChefBackendVersion(version)


def test_a_host_without_chef_backend_is_told_as_such() -> None:
    with pytest.raises(UnreadableError, match="is this a Chef Backend node"):
        read_version(recorded("version-missing", 1))


@pytest.mark.parametrize("text", ["3", "3.0", "3.0.", "3.0.O", "3.0.37O", "3..37", "3.0.37 or so", "chef-backend 2.3"])
def test_half_a_version_is_none(text: str) -> None:
    with pytest.raises(UnreadableError, match="printed no version"):
        read_version(Answer(f"{text}\n", 0))


@pytest.mark.parametrize("text", ["3.0.37", "2.3.16-1", "2.3.16-1.el7", "2.3.16~rc.1", "2.0.30+20180629083321.git.1a"])
def test_a_version_may_have_a_stamp(text: str) -> None:
    assert read_version(Answer(f"chef-backend {text}\n", 0)) == ChefBackendVersion(text)


def test_a_version_that_is_none_is_shown() -> None:
    with pytest.raises(UnreadableError, match="printed no version: hello"):
        read_version(Answer("hello\n", 0))


REFUSALS = [
    ("sudo-password", "sudo wants a password for `.*` .allow it with NOPASSWD"),
    ("sudo-terminal", "sudo wants a password"),
    ("sudo-tty", "`requiretty` is set: put `Defaults:USER !requiretty` into sudoers"),
    ("sudo-sudoers", "sudo does not allow"),
    ("sudo-not-allowed", "sudo does not allow"),
    ("command-missing", "chef-backend-ctl is not there: is this a Chef Backend node"),
    ("command-missing-sh", "chef-backend-ctl is not there"),
    ("sudo-missing", "sudo is not there"),
]


@pytest.mark.parametrize("reader", [read_cluster_status, read_service_status, read_leader_flags])
@pytest.mark.parametrize(("name", "message"), REFUSALS)
def test_refusals_are_one_clear_line(reader: type, name: str, message: str) -> None:
    """Wherever they stand: earlier versions collected both outputs as one."""
    exit_code = 127 if "missing" in name else 1
    for answer in (recorded(name, exit_code), Answer("", exit_code, error_output=recorded(name).output)):
        with pytest.raises(UnreadableError, match=message) as caught:
            reader(answer)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "_"), REFUSALS)
def test_a_refusal_beside_a_good_answer_decides_nothing(name: str, _: str) -> None:
    """Not even that: the table is there, so it was printed."""
    answer = replace(recorded("cluster-status-healthy"), error_output=recorded(name).output)
    assert list(read_cluster_status(answer).members) == HEALTHY


def test_standard_error_says_why_there_is_no_table() -> None:
    said = "ERROR: connection refused by etcd\n"
    with pytest.raises(UnreadableError, match="exit code 1: ERROR: connection refused by etcd"):
        read_cluster_status(Answer("", 1, error_output=said))
    with pytest.raises(UnreadableError, match="printed no table: ERROR: connection refused by etcd"):
        read_service_status(Answer("\n", 0, error_output=said))
    # What looks like a table there is none.
    with pytest.raises(UnreadableError, match="printed no table"):
        read_cluster_status(Answer("", 0, error_output=recorded("cluster-status-healthy").output))


def test_a_flood_on_one_line_is_shortened() -> None:
    with pytest.raises(UnreadableError) as caught:
        read_cluster_status(Answer("x" * 500_000, 1))
    assert len(str(caught.value)) < 1_000


@pytest.mark.parametrize("unit", ["sudo: ", "sudo-rs: terminal ", "a", ": sudo: command "])
@pytest.mark.parametrize("length", [500_000, 60_000])
def test_patterns_do_not_take_long_over_what_a_node_makes_up(unit: str, length: int) -> None:
    line = (unit * 1000)[:990] + "\n"
    started = time.process_time()
    with pytest.raises(UnreadableError):
        read_cluster_status(Answer(line * (length // len(line)), 1))
    assert time.process_time() - started < 1


def test_nothing_that_prints_secrets_or_changes_anything_is_asked() -> None:
    for probe in PROBES:
        assert not re.search(r"gen-server-config|show-config|set-|upgrade|>[^&/ ]|>>", probe.script), probe.id
        assert pickle.loads(pickle.dumps(probe)) == probe


RUBY = "/opt/chef-backend/embedded/lib/ruby/2.5.0/x.rb:12: warning: constant ::Fixnum is deprecated"


@pytest.mark.parametrize("line", ["sudo: setrlimit(RLIMIT_CORE): Operation not permitted", RUBY])
@pytest.mark.parametrize("before", [True, False])
def test_what_sudo_and_ruby_mutter_beside_a_good_table_is_ignored(line: str, *, before: bool) -> None:
    text = recorded("cluster-status-healthy").output
    answer = Answer(f"{line}\n{text}" if before else f"{text}{line}\n", 0)
    assert list(read_cluster_status(answer).members) == HEALTHY


def test_what_sudo_mutters_is_shown_where_the_command_failed() -> None:
    with pytest.raises(UnreadableError, match="exit code 1: sudo: setrlimit"):
        read_cluster_status(Answer("sudo: setrlimit(RLIMIT_CORE): Operation not permitted\n", 1))


def test_the_exit_code_of_the_status_is_kept() -> None:
    assert read_service_status(recorded("status-healthy", 1)).exit_code == 1
