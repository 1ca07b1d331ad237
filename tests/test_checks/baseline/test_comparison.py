"""Two snapshots held against each other: nothing missed, nothing invented, and what was not read is not compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.baseline.comparison import Compared, Scope, compare, natural
from checks.baseline.drift import Difference, Drift, DriftVerdict, FactRow, FactRows, by_node
from checks.baseline.snapshot import (
    LEFT_OUT,
    NOT_EVALUATED,
    ByCluster,
    CheckKey,
    CheckState,
    FactKey,
    Snapshot,
    by_cluster,
    take_snapshot,
)
from checks.check import ClusterInfo, NodeView
from checks.chef_backend.facts.machine import InstalledPackage, StraySecrets
from checks.common.disk_facts import Drive, LinuxDisks
from checks.engine.evaluation import GatheredCluster
from checks.facts import Contact, Unknown
from checks.outcome import Result, Severity, Status
from checks.secret_server.facts.folder import AppTree, EncryptionConfig, FolderDigest
from checks.secret_server.facts.node import SqlPrelogin, WindowsVersion
from checks.secret_server.facts.sql import Mirroring, Replica, SecretServerDatabase, SqlServer
from checks.secret_server.host.pending_reboot import CHECK as PENDING_REBOOT
from scanner.rule_data import load_drift_rules

RULES = load_drift_rules()
WINDOWS = WindowsVersion(name="Windows Server 2019", major=10, minor=0, build=17763, product_type=3)
KEY = EncryptionConfig(path="C:\\ec", state="hashed", sha256="a" * 64, efs=False, size_bytes=9)
HERE = ("vault", "web1")


def snapshot(*facts: object, node: str = "web1", absence: str = "", checks: dict[str, str] | None = None) -> Snapshot:
    known = {
        fact[0] if isinstance(fact, tuple) else type(fact): fact[1] if isinstance(fact, tuple) else fact
        for fact in (*facts, Contact(host=node, transport="winrm", failure=None, asked=1, answered=1))
    }
    info = ClusterInfo("vault", "secret-server")
    view = NodeView(cluster=info, name=node, host=node, roles=frozenset({"web"}), facts=known, absence=absence)
    asking = replace(PENDING_REBOOT, facts=tuple(known), products=(), roles=())
    rows = [
        Result(
            check=check,
            title=check,
            severity=Severity.LOW,
            cluster="vault",
            node=node,
            status=Status(status),
            message=f"{check} says {status}",
        )
        for check, status in (checks or {}).items()
    ]
    gathered = GatheredCluster(info, (view,), frozenset({node}))
    return take_snapshot([gathered], {("vault", node)}, [asking], rows, RULES)


def told(found: Compared) -> dict[str, tuple[str, object, object]]:
    return {
        row.place.path: (row.difference.value, row.old, row.new)
        for row in found.facts
        if row.difference is not Difference.SAME
    }


def drift_of(**found: Any) -> Drift:
    now = datetime(2026, 11, 21, tzinfo=UTC)
    whole: dict[str, Any] = {"facts": (), "checks": (), **found}
    return Drift(
        tool_version="1",
        started=now,
        finished=now,
        inventory="i",
        baseline="b",
        approvals=(),
        **whole,
    )


def verdict(found: Compared, **more: Any) -> DriftVerdict:
    drift = drift_of(facts=found.facts, checks=found.checks, nodes=found.nodes, gaps=found.gaps)
    return replace(drift, **more).verdict


def test_nothing_changed() -> None:
    found = compare(snapshot(WINDOWS, KEY), snapshot(WINDOWS, KEY), RULES)
    assert told(found) == {}
    assert verdict(found) is DriftVerdict.NO_DRIFT


def test_a_changed_value_is_told_with_old_and_new() -> None:
    found = compare(snapshot(WINDOWS), snapshot(replace(WINDOWS, build=20348)), RULES)
    assert told(found) == {"windows-version.build": ("changed", 17763, 20348)}
    assert verdict(found) is DriftVerdict.DRIFT


def test_rows_that_came_and_went() -> None:
    def disks(*names: str) -> LinuxDisks:
        return LinuxDisks(tuple(Drive(name, 10**9, 5, "xfs") for name in names), ())

    found = told(compare(snapshot(disks("/", "/old")), snapshot(disks("/new", "/")), RULES))
    assert found["linux-disks.drives[/old].kind"] == ("disappeared", "xfs", None)
    assert found["linux-disks.drives[/new].kind"] == ("appeared", None, "xfs")
    assert all(path.startswith(("linux-disks.drives[/old]", "linux-disks.drives[/new]")) for path in found)


def test_what_moves_by_itself_is_silent() -> None:
    def disks(total: int, free: int) -> LinuxDisks:
        return LinuxDisks((Drive("/", total, free, "xfs"),), ())

    package = InstalledPackage(
        manager="rpm", version="2.3.16-1.el7", state="installed", installed_s=1, now_s=2, manifest="2.3.16"
    )
    then = snapshot(disks(10**12, 10**11), package)
    now = snapshot(disks(10**12 + 5 * 10**9, 1), replace(package, now_s=99, installed_s=98, manifest="2.3.16.0"))
    assert told(compare(then, now, RULES)) == {}
    assert not any("free-bytes" in place.path or "now-s" in place.path for place in then.facts)
    grown = compare(then, snapshot(disks(2 * 10**12, 10**11), package), RULES)
    assert list(told(grown)) == ["linux-disks.drives[/].total-bytes"]


def test_a_newer_version_is_said_to_be_one() -> None:
    package = InstalledPackage(manager="rpm", version="1", state="installed", installed_s=1, now_s=2, manifest="2.3.16")
    found = compare(snapshot(package), snapshot(replace(package, manifest="3.0.0")), RULES)
    (row,) = [row for row in found.facts if row.difference is Difference.CHANGED]
    assert row.note == "newer"


class TestWhatCouldNotBeRead:
    def test_a_fact_is_not_compared_and_never_gone(self) -> None:
        found = compare(snapshot(WINDOWS, KEY), snapshot(WINDOWS, (EncryptionConfig, Unknown("access denied"))), RULES)
        assert {difference for difference, _, _ in told(found).values()} == {"not-compared"}
        assert [(row.place.path, row.reason) for row in found.gaps] == [("encryption-config", "access denied")]
        assert verdict(found) is DriftVerdict.UNKNOWN

    def test_a_node_that_is_down_is_one_gap(self) -> None:
        down = [(kind, Unknown("not answered", unanswered=True)) for kind in (WindowsVersion, EncryptionConfig)]
        found = compare(snapshot(WINDOWS, KEY), snapshot(*down, absence="node unreachable: refused"), RULES)
        assert [(row.place, row.reason) for row in found.gaps] == [
            (FactKey("vault", "web1", ""), "node unreachable: refused")
        ]
        assert {row.difference for row in found.facts} == {Difference.NOT_COMPARED}
        assert verdict(found) is DriftVerdict.UNKNOWN

    def test_a_file_that_is_locked_is_not_a_file_that_changed(self) -> None:
        locked = replace(KEY, state="locked", sha256="", size_bytes=None)
        found = compare(snapshot(WINDOWS, KEY), snapshot(WINDOWS, locked), RULES)
        assert [row.reason for row in found.gaps] == ["encryption-config.state is locked"]
        assert verdict(found) is DriftVerdict.UNKNOWN

    def test_a_folder_that_was_not_hashed_whole_hides_no_other(self) -> None:
        def tree(mark: str, *, partial: bool) -> AppTree:
            bin_ = FolderDigest(path="\\bin", digest=mark * 64, count=1, partial=partial, files=None)
            return AppTree(
                root="C:\\",
                folders=(bin_, FolderDigest(path="", digest=mark * 64, count=1, partial=False, files=None)),
                left_out=(),
                stopped="",
                files=2,
                bytes=2,
            )

        found = compare(snapshot(tree("a", partial=False)), snapshot(tree("b", partial=True)), RULES)
        assert told(found)['app-tree.folders[""].digest'] == ("changed", "a" * 64, "b" * 64)
        assert told(found)["app-tree.folders[\\bin].digest"][0] == "not-compared"

    def test_a_folder_that_may_not_be_looked_into_has_not_disappeared(self) -> None:
        top, bin_ = (
            FolderDigest(path=path, digest="a" * 64, count=1, partial=False, files=None) for path in ("", "\\bin")
        )
        whole = AppTree(root="C:\\", folders=(top, bin_), left_out=(), stopped="", files=2, bytes=2)
        denied = replace(whole, folders=(top,), left_out=(("\\bin\\", "denied"),), unlisted=("\\bin\\",))
        found = compare(snapshot(whole), snapshot(denied), RULES)
        assert {row.difference for row in found.facts} == {Difference.NOT_COMPARED}
        assert verdict(found) is DriftVerdict.UNKNOWN

    def test_a_locked_file_of_the_application_is_not_compared_with_its_folder(self) -> None:
        bin_ = FolderDigest(path="\\bin", digest="a" * 64, count=1, partial=False, files=None)
        whole = AppTree(root="C:\\", folders=(bin_,), left_out=(), stopped="", files=1, bytes=1)
        partial = replace(bin_, digest="b" * 64, partial=True)
        locked = replace(whole, folders=(partial,), left_out=(("\\bin\\x.dll", "locked"),))
        found = compare(snapshot(whole), snapshot(locked), RULES)
        assert {row.difference for row in found.facts} == {Difference.NOT_COMPARED}
        assert verdict(found) is DriftVerdict.UNKNOWN

    def test_what_a_database_does_not_tell_of_itself_hides_only_that(self) -> None:
        """A right that was taken away dissolves no availability group, and a mirror's copy is compared all the same."""
        group = (Replica(server="SQL1", group="Vault", own=True, role=1, state=2, suspended=False, synchronous=True),)
        server = SqlServer(instance="MSSQLSERVER", name="SQL1", version="15.0", collation="Latin1", edition="Standard")
        seen = SecretServerDatabase(
            server=server,
            name="SecretServer",
            state="ONLINE",
            level=150,
            collation="Latin1",
            recovery="FULL",
            version="11.6",
            mirroring=Mirroring(4, 1, "SQL2"),
            replicas=group,
        )
        denied = replace(
            seen,
            mirroring=None,
            mirroring_problem="denied",
            replicas=(),
            replicas_problem="denied",
            version="",
            collation="",
        )
        found = compare(snapshot(seen), snapshot(denied), RULES)
        assert {row.place.path for row in found.gaps} == {
            f"secret-server-database.{name}" for name in ("mirroring", "replicas", "version", "collation")
        }
        assert {difference for difference, *_ in told(found).values()} == {"not-compared"}
        assert verdict(found) is DriftVerdict.UNKNOWN
        assert verdict(compare(snapshot(denied), snapshot(denied), RULES)) is DriftVerdict.NO_DRIFT
        found = compare(snapshot(denied), snapshot(replace(denied, level=140)), RULES)
        assert told(found) == {"secret-server-database.level": ("changed", 150, 140)}

    def test_a_search_that_could_not_look_everywhere(self) -> None:
        found = compare(
            snapshot(StraySecrets(paths=("/x",))), snapshot(StraySecrets(paths=(), unseen=("/root: denied",))), RULES
        )
        assert told(found)["stray-secrets.paths"][0] == "not-compared"

    def test_a_hole_in_the_baseline_stays_a_hole(self) -> None:
        found = compare(snapshot(WINDOWS, (EncryptionConfig, Unknown("denied"))), snapshot(WINDOWS, KEY), RULES)
        assert {row.difference for row in found.facts if "encryption" in row.place.path} == {Difference.NOT_COMPARED}
        assert "not read when the baseline was approved (denied)" in found.gaps[0].reason
        assert verdict(found) is DriftVerdict.UNKNOWN

    def test_what_not_every_account_may_read_is_a_hole_only_once_it_was_read(self) -> None:
        unread = snapshot(WINDOWS, (SecretServerDatabase, Unknown("login failed")))
        assert verdict(compare(unread, unread, RULES)) is DriftVerdict.NO_DRIFT
        assert verdict(compare(snapshot(WINDOWS), unread, RULES)) is DriftVerdict.UNKNOWN
        unasked = replace(unread, unread={})
        assert verdict(compare(unasked, unread, RULES)) is DriftVerdict.UNKNOWN

    def test_a_change_is_drift_although_something_else_was_not_read(self) -> None:
        now = snapshot(replace(WINDOWS, build=1), (EncryptionConfig, Unknown("denied")))
        assert verdict(compare(snapshot(WINDOWS, KEY), now, RULES)) is DriftVerdict.DRIFT

    def test_what_the_inventory_ignores_may_stay_unread(self) -> None:
        rules = RULES.with_overrides({"encryption-config": {"compare": "ignore", "reason": "no rights, agreed"}})
        now = snapshot(WINDOWS, (EncryptionConfig, Unknown("denied")))
        assert verdict(compare(snapshot(WINDOWS, KEY), now, rules)) is DriftVerdict.NO_DRIFT


class TestWhatTheBaselineDoesNotKnow:
    def test_a_kind_of_fact_that_nobody_approved(self) -> None:
        found = compare(snapshot(WINDOWS), snapshot(WINDOWS, KEY), RULES)
        (row, *_) = [row for row in found.facts if row.difference is Difference.NOT_COMPARED]
        assert "preflight baseline --update" in row.note
        assert verdict(found) is DriftVerdict.UNKNOWN

    def test_a_field_that_an_older_version_did_not_read(self) -> None:
        then = snapshot(WINDOWS)
        older = replace(
            then, facts={place: value for place, value in then.facts.items() if not place.path.endswith("build")}
        )
        assert told(compare(older, then, RULES))["windows-version.build"][0] == "not-compared"

    def test_a_fact_that_nobody_asked_for_today(self) -> None:
        assert verdict(compare(snapshot(WINDOWS, KEY), snapshot(WINDOWS), RULES)) is DriftVerdict.UNKNOWN
        narrowed = Scope(nodes=frozenset({HERE}), inventory=frozenset({HERE}), narrowed=True)
        assert verdict(compare(snapshot(WINDOWS, KEY), snapshot(WINDOWS), RULES, narrowed)) is DriftVerdict.NO_DRIFT

    def test_a_fallback_says_nothing_by_its_absence(self) -> None:
        with_port, without = snapshot(WINDOWS, SqlPrelogin(port=1433, major=15, minor=0, build=2000)), snapshot(WINDOWS)
        assert verdict(compare(with_port, without, RULES)) is DriftVerdict.NO_DRIFT
        assert verdict(compare(without, with_port, RULES)) is DriftVerdict.NO_DRIFT

    def test_nothing_compared_is_no_all_clear(self) -> None:
        assert verdict(compare(Snapshot(), Snapshot(), RULES)) is DriftVerdict.UNKNOWN


class TestNodes:
    def test_that_came_and_went(self) -> None:
        found = compare(snapshot(WINDOWS), snapshot(WINDOWS, node="web2"), RULES)
        assert [(row.node, row.difference) for row in found.nodes] == [
            ("web1", Difference.DISAPPEARED),
            ("web2", Difference.APPEARED),
        ]
        assert found.facts == ()
        assert verdict(found) is DriftVerdict.DRIFT

    def test_that_came_or_went_bring_no_news_of_their_checks(self) -> None:
        then, now = snapshot(WINDOWS, checks={"c": "pass"}), snapshot(WINDOWS, node="web2", checks={"c": "fail"})
        assert compare(then, now, RULES).checks == ()

    def test_that_answered_in_part_have_gaps_for_the_rest_alone(self) -> None:
        cut = (EncryptionConfig, Unknown("cut short", unanswered=True))
        parts = [snapshot(WINDOWS, cut, absence="cut short"), snapshot(WINDOWS, cut)]
        # Who says no to all that is asked has answered.
        parts.append(snapshot((EncryptionConfig, Unknown("denied")), absence="denied"))
        assert [{gap.path for gap in part.unread} for part in parts] == [{"encryption-config"}] * 3
        assert {gap.path for gap in snapshot(cut, absence="refused").unread} == {""}

    def test_that_were_not_selected_are_not_missed(self) -> None:
        then = snapshot(WINDOWS)
        both = Snapshot({**then.nodes, ("vault", "web2"): frozenset()}, then.facts)
        scope = Scope(nodes=frozenset({HERE}), inventory=frozenset({HERE, ("vault", "web2")}), clusters=frozenset())
        assert verdict(compare(both, then, RULES, scope)) is DriftVerdict.NO_DRIFT


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("pass", "pass", DriftVerdict.NO_DRIFT),
        ("fail", "fail", DriftVerdict.NO_DRIFT),
        ("fail", "pass", DriftVerdict.NO_DRIFT),
        ("pass", "fail", DriftVerdict.DRIFT),
        ("pass", "warn", DriftVerdict.DRIFT),
        ("pass", "skip", DriftVerdict.DRIFT),
        ("pass", "waived", DriftVerdict.NO_DRIFT),
        ("warn", "fail", DriftVerdict.DRIFT),
        ("pass", "error", DriftVerdict.UNKNOWN),
        ("fail", "error", DriftVerdict.UNKNOWN),
        ("error", "error", DriftVerdict.NO_DRIFT),
        ("error", "fail", DriftVerdict.UNKNOWN),
        ("error", "pass", DriftVerdict.NO_DRIFT),
        # What was known to be no better is no news, nor what says nothing where nothing was said.
        ("fail", "warn", DriftVerdict.NO_DRIFT),
        ("waived", "warn", DriftVerdict.NO_DRIFT),
        ("skip", "warn", DriftVerdict.NO_DRIFT),
        ("error", "skip", DriftVerdict.NO_DRIFT),
        ("skip", "fail", DriftVerdict.DRIFT),
        ("error", "warn", DriftVerdict.UNKNOWN),
    ],
)
def test_checks_that_passed_and_do_not_now(old: str, new: str, expected: DriftVerdict) -> None:
    found = compare(snapshot(WINDOWS, checks={"c": old}), snapshot(WINDOWS, checks={"c": new}), RULES)
    assert verdict(found) is expected


@pytest.mark.parametrize(
    ("before", "now", "difference", "said"),
    [
        ("error", "fail", Difference.NOT_COMPARED, "fail now, and could not be judged when the baseline"),
        (NOT_EVALUATED, "warn", Difference.NOT_COMPARED, "warn now, and could not be judged when the baseline"),
        (LEFT_OUT, "fail", Difference.NOT_COMPARED, "fail now, and was left out when the baseline"),
        ("", "fail", Difference.NOT_COMPARED, "fail now, and was not judged when the baseline"),
        ("", "pass", Difference.BETTER, "now"),
        ("pass", LEFT_OUT, Difference.SAME, "now"),
        ("fail", NOT_EVALUATED, Difference.NOT_COMPARED, "now"),
        ("pass", "", Difference.NOT_COMPARED, "not judged today, and judged when the baseline was approved"),
        ("fail", "", Difference.SAME, "not judged today, and judged when the baseline was approved"),
    ],
)
def test_a_check_says_what_it_was_and_what_it_is(before: str, now: str, difference: Difference, said: str) -> None:
    subject = CheckKey("vault", "web1", "c")
    then, today = (
        Snapshot({HERE: frozenset()}, {}, {}, {subject: CheckState(status, word)} if status else {})
        for status, word in ((before, "then"), (now, "now"))
    )
    (row,) = compare(then, today, RULES).checks
    assert row.difference is difference
    assert said in row.message
    narrowed = Scope(nodes=frozenset({HERE}), inventory=frozenset({HERE}), narrowed=True)
    # Where only some checks were wanted, one that was not judged was not wanted.
    assert bool(compare(then, today, RULES, narrowed).checks) == bool(now)


def test_a_check_that_is_gone_or_new() -> None:
    with_check, without = snapshot(WINDOWS, checks={"c": "pass"}), snapshot(WINDOWS)
    assert verdict(compare(with_check, without, RULES)) is DriftVerdict.UNKNOWN
    assert verdict(compare(without, with_check, RULES)) is DriftVerdict.NO_DRIFT
    assert verdict(compare(without, snapshot(WINDOWS, checks={"c": "fail"}), RULES)) is DriftVerdict.UNKNOWN


def test_an_interrupted_run_is_never_an_all_clear() -> None:
    found = compare(snapshot(WINDOWS), snapshot(WINDOWS), RULES)
    assert verdict(found, partial=True) is DriftVerdict.UNKNOWN


def test_rows_are_sorted_as_people_count() -> None:
    assert sorted(["web10", "web2", "web1"], key=natural) == ["web1", "web2", "web10"]


def test_the_rows_of_all_nodes_come_in_that_order() -> None:
    keys = [
        ("c1", "web01"),
        ("c1", "web1"),
        ("c01", "web1"),
        ("c1", "web10"),
        ("c1", "web2"),
        ("c10", "a"),
        ("c2", "b"),
    ]
    facts = {FactKey(*key, f"disks.drives[D{number}].kind"): "x" for key in keys for number in (10, 9, 1)}
    one = Snapshot(dict.fromkeys(keys, frozenset({"disks"})), facts)
    places = [row.place for row in compare(one, one, RULES).facts]
    assert places == sorted(facts, key=lambda place: natural(*place))


PATHS = st.sampled_from(
    [
        "windows-version.build",
        "windows-version.name",
        "sql-instances.instances[A].version",
        "sql-instances.instances[B].version",
        "linux-disks.drives[/].total-bytes",
        "stray-secrets.paths",
        "plugin.value",
    ]
)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab1.\n", max_size=5)
    | st.sampled_from(["1.0", "1", "2.0", "1.0.0"])
    | st.lists(st.text("ab", max_size=2), unique=True, max_size=3).map(lambda texts: tuple(sorted(texts)))
)
NODES = st.sampled_from([("vault", "web1"), ("vault", "web2"), ("chef", "be1")])
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Other work on the machine fails no test."""
STATUSES = st.sampled_from([*map(str, Status), "not-evaluated"])


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    nodes = draw(st.lists(NODES, unique=True))
    facts, unread, checks = {}, {}, {}
    for node in nodes:
        for path, value in draw(st.dictionaries(PATHS, VALUES)).items():
            facts[FactKey(*node, path)] = value
        for path in draw(st.lists(st.sampled_from(["", "windows-version", "sql-instances.instances[A]"]), max_size=1)):
            unread[FactKey(*node, path)] = "why"
            facts = {place: value for place, value in facts.items() if not place.path.startswith(path)}
        for name in draw(st.lists(st.sampled_from("abc"), unique=True)):
            checks[CheckKey(*node, name)] = CheckState(draw(STATUSES))
    kinds = frozenset({"windows-version", "sql-instances", "linux-disks", "stray-secrets", "plugin"})
    return Snapshot(dict.fromkeys(nodes, kinds), facts, unread, checks)


@relaxed
@given(snapshots())
def test_nothing_differs_from_itself(one: Snapshot) -> None:
    found = compare(one, one, RULES)
    assert {row.difference for row in found.facts} <= {Difference.SAME, Difference.NOT_COMPARED}
    assert found.nodes == ()
    assert {row.difference for row in found.checks} <= {Difference.SAME, Difference.NOT_COMPARED}
    if not one.unread:
        assert verdict(found) is (DriftVerdict.NO_DRIFT if one.facts else DriftVerdict.UNKNOWN)


@relaxed
@given(snapshots(), snapshots())
def test_reversed_swaps_old_and_new(one: Snapshot, two: Snapshot) -> None:
    mirror = {
        Difference.APPEARED: Difference.DISAPPEARED,
        Difference.DISAPPEARED: Difference.APPEARED,
    }
    there, back = compare(one, two, RULES), compare(two, one, RULES)
    assert [(row.place, mirror.get(row.difference, row.difference), row.new, row.old) for row in there.facts] == [
        (row.place, row.difference, row.old, row.new) for row in back.facts
    ]
    assert [(row.cluster, row.node, mirror[row.difference]) for row in there.nodes] == [
        (row.cluster, row.node, row.difference) for row in back.nodes
    ]
    assert [row.place for row in there.gaps] == [row.place for row in back.gaps]


@relaxed
@given(snapshots(), snapshots(), st.randoms(use_true_random=False))
def test_the_order_of_nothing_matters(one: Snapshot, two: Snapshot, random: Any) -> None:
    def shuffled(side: Snapshot) -> Snapshot:
        def mixed(table: Any) -> Any:
            items = list(table.items())
            random.shuffle(items)
            return dict(items)

        return Snapshot(mixed(side.nodes), mixed(side.facts), mixed(side.unread), mixed(side.checks))

    assert compare(shuffled(one), shuffled(two), RULES) == compare(one, two, RULES)


def test_checks_of_a_node_that_could_not_be_asked_say_why() -> None:
    lost = Snapshot({HERE: frozenset()}, {}, {FactKey(*HERE, ""): "interrupted"}, {})
    found = compare(snapshot(WINDOWS, checks={"c": "pass", "d": "fail"}), lost, RULES)
    assert [(row.difference, row.message) for row in found.checks] == [(Difference.NOT_COMPARED, "interrupted")] * 2


@pytest.mark.parametrize(
    ("differences", "partial", "expected", "code"),
    [
        ((), False, DriftVerdict.UNKNOWN, 3),
        ((Difference.SAME,), False, DriftVerdict.NO_DRIFT, 0),
        ((Difference.SAME,), True, DriftVerdict.UNKNOWN, 130),
        ((Difference.SAME, Difference.NOT_COMPARED), False, DriftVerdict.UNKNOWN, 3),
        ((Difference.NOT_COMPARED, Difference.CHANGED), False, DriftVerdict.DRIFT, 1),
        ((Difference.SAME, Difference.APPEARED), False, DriftVerdict.DRIFT, 1),
        ((Difference.SAME, Difference.DISAPPEARED), True, DriftVerdict.DRIFT, 130),
    ],
)
def test_what_a_comparison_ends_with(
    differences: tuple[Difference, ...], partial: bool, expected: DriftVerdict, code: int
) -> None:
    rows = tuple(FactRow(place=FactKey(*HERE, f"it.v{at}"), difference=each) for at, each in enumerate(differences))
    drift = drift_of(facts=rows, partial=partial)
    assert (drift.verdict, drift.exit_code) == (expected, code)
    assert sum(drift.counts.values()) == len(rows)
    assert drift.counts[Difference.SAME] == differences.count(Difference.SAME)
    assert by_node(rows) == ({HERE: list(rows)} if rows else {})


class _Elsewhere(FactRows):
    """Rows that are not at hand, as those of an estate on the disk."""

    def __init__(self, rows: dict[tuple[str, str], list[FactRow]]) -> None:
        self._rows = rows

    def nodes(self) -> Sequence[tuple[str, str]]:
        return list(self._rows)

    def of_node(self, key: tuple[str, str]) -> Sequence[FactRow]:
        return self._rows.get(key, [])

    def __len__(self) -> int:
        return sum(map(len, self._rows.values()))

    def __getitem__(self, at: Any) -> Any:
        return [row for rows in self._rows.values() for row in rows][at]


def test_rows_by_node_are_the_same_wherever_they_lie() -> None:
    rows = [
        FactRow(place=FactKey("vault", node, path), difference=Difference.SAME)
        for node, path in (("web1", "a.b"), ("web2", "a.b"), ("web1", "a.c"))
    ]
    there = by_node(_Elsewhere({("vault", "web1"): [rows[0], rows[2]], ("vault", "web2"): [rows[1]]}))
    assert dict(there) == dict(by_node(rows))
    assert (len(there), list(there)) == (2, [("vault", "web1"), ("vault", "web2")])
    assert ("vault", "web9") not in there


def test_what_is_kept_by_cluster_is_one_table_all_the_same() -> None:
    table = {FactKey("vault", "web1", "a.b"): 1, FactKey("chef", "b-1", "a.b"): 2, FactKey("vault", "web2", "a.b"): 3}
    found: ByCluster[FactKey, int] = by_cluster(table)
    assert (dict(found), len(found), list(found)) == (table, 3, list(table))
    assert (found.clusters(), len(found.of_cluster("vault")), found.of_cluster("none")) == (("vault", "chef"), 2, {})
    assert found[FactKey("chef", "b-1", "a.b")] == 2
