"""When two values of one fact are the same, and which rows say so: what only moves is silent, what changed never is."""

from __future__ import annotations

import pytest

from checks.baseline.comparison import Scope, compare, differing_of, natural
from checks.baseline.drift import Difference
from checks.baseline.drift_rules import DriftRules, parse_drift_rules
from checks.baseline.fact_paths import Value
from checks.baseline.snapshot import CheckKey, CheckState, FactKey, Snapshot

HERE = ("vault", "web1")
PLACE = FactKey(*HERE, "it.value")


def known(value: Value, unread: dict[str, str] | None = None) -> Snapshot:
    gaps = {FactKey(*HERE, path): reason for path, reason in (unread or {}).items()}
    return Snapshot({HERE: frozenset({"it"})}, {} if unread else {PLACE: value}, gaps)


def ruled(how: str, tolerance: str = "") -> DriftRules:
    more = f', tolerance = "{tolerance}"' if tolerance else ""
    return parse_drift_rules(f'[it]\n"value" = {{ compare = "{how}"{more}, reason = "so" }}\n')


def difference(how: str, old: Value, new: Value, tolerance: str = "") -> str:
    (row,) = compare(known(old), known(new), ruled(how, tolerance)).facts
    assert (row.place, row.old, row.new) == (PLACE, old, new)
    return row.note or row.difference.value


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("a", "a", "same"),
        ("a", "A", "changed"),
        ("1", "1.0", "changed"),
        (1, 1.0, "same"),
        (1, 2, "changed"),
        (1, "1", "changed"),
        (1, True, "changed"),
        (True, 1, "changed"),
        (0, False, "changed"),
        (0, None, "changed"),
        (None, None, "same"),
        (("a", "b"), ("a", "b"), "same"),
        (("a", "b"), ("b", "a"), "changed"),
    ],
)
def test_exactly(old: Value, new: Value, found: str) -> None:
    assert difference("exact", old, new) == found


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("2.3.16", "2.3.16.0", "same"),
        ("2.3.16", "2.3.9", "older"),
        ("2.3.9", "2.3.16", "newer"),
        ("2.3.9", "2.3.9rc1", "older"),
        ("2.3.9", "unknown", "changed"),
        ("unknown", "2.3.9", "changed"),
        (2, "2.3.9", "changed"),
        ("2.3.9", None, "changed"),
    ],
)
def test_by_version(old: Value, new: Value, found: str) -> None:
    assert difference("version", old, new) == found


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("a\nb", "b\na", "same"),
        ("a\nb", "a\nb\n", "same"),
        ("a\nb", "a", "changed"),
        (("a", "b"), ("b", "a"), "same"),
        (("a", "b"), "b\na", "same"),
        (("a",), ("a", "b"), "changed"),
        (3, "3", "changed"),
        ("", (), "same"),
    ],
)
def test_by_lines(old: Value, new: Value, found: str) -> None:
    assert difference("lines", old, new) == found


@pytest.mark.parametrize(
    ("old", "new", "tolerance", "found"),
    [
        (100, 110, "10", "same"),
        (110, 100, "10", "same"),
        (100, 111, "10", "changed"),
        (90, 100, "10%", "same"),
        (100, 90, "10%", "same"),
        (89, 100, "10%", "changed"),
        (100, 100.5, "0.5", "same"),
        (100, 101, "0", "changed"),
        (100, True, "200", "changed"),
        (False, 100, "200", "changed"),
        ("100", 100, "200", "changed"),
        (100, None, "200", "changed"),
        (10**400, 1.5, "10%", "changed"),
    ],
)
def test_by_number(old: Value, new: Value, tolerance: str, found: str) -> None:
    assert difference("number", old, new, tolerance) == found


def test_what_is_to_be_ignored_has_no_row() -> None:
    assert compare(known("a"), known("b"), ruled("ignore")).facts == ()


def test_only_what_may_differ_can_be_kept() -> None:
    then = Snapshot({HERE: frozenset({"it"})}, {PLACE: 1, FactKey(*HERE, "it.other"): 1, FactKey(*HERE, "it.third"): 1})
    now = Snapshot(then.nodes, {PLACE: 1, FactKey(*HERE, "it.other"): 2}, {FactKey(*HERE, "it.third"): "denied"})
    found = compare(then, now, ruled("exact"), keep=differing_of)
    assert [(row.place.path, row.difference) for row in found.facts] == [
        ("it.other", Difference.CHANGED),
        ("it.third", Difference.NOT_COMPARED),
    ]


@pytest.mark.parametrize(
    ("path", "then", "advice"),
    [
        ("it", True, "not read when the baseline was approved (denied); "),
        ("", True, "not read when the baseline was approved (unreachable); "),
        ("it", False, "denied"),
        ("", False, "unreachable"),
    ],
)
def test_what_was_not_read_says_when_and_what_to_do(path: str, then: bool, advice: str) -> None:
    reason = "denied" if path else "unreachable"
    sides = (known(1), known(1, {path: reason}))
    before, after = reversed(sides) if then else sides
    found = compare(before, after, ruled("exact"))
    (row,) = found.facts
    (gap,) = found.gaps
    assert row.difference is Difference.NOT_COMPARED
    assert row.note == gap.reason
    assert row.note.startswith(advice)
    assert ("--node" in row.note) is (then and not path)


def scope(*clusters: str) -> Scope:
    return Scope(nodes=frozenset({HERE}), inventory=frozenset({HERE}), clusters=frozenset(clusters))


@pytest.mark.parametrize(("looked_at", "missed"), [(("vault",), ["web2"]), (("chef",), ["be1"]), ((), [])])
def test_a_node_is_missed_from_a_cluster_that_was_wholly_looked_at(
    looked_at: tuple[str, ...], missed: list[str]
) -> None:
    then = Snapshot(dict.fromkeys((HERE, ("vault", "web2"), ("chef", "be1")), frozenset[str]()))
    now = Snapshot({HERE: frozenset()})
    found = compare(then, now, ruled("exact"), scope(*looked_at))
    assert [row.node for row in found.nodes if row.difference is Difference.DISAPPEARED] == missed


@pytest.mark.parametrize(("looked_at", "judged"), [(("vault",), ["", "web1"]), ((), ["web1"])])
def test_a_check_of_all_nodes_is_compared_where_all_were_asked(looked_at: tuple[str, ...], judged: list[str]) -> None:
    def checked(status: str) -> Snapshot:
        subjects = (CheckKey("vault", "", "match"), CheckKey("vault", "web1", "size"), CheckKey("chef", "", "match"))
        return Snapshot({HERE: frozenset()}, {}, {}, {subject: CheckState(status) for subject in subjects})

    found = compare(checked("pass"), checked("fail"), ruled("exact"), scope(*looked_at))
    assert [row.subject.node for row in found.checks] == judged


def test_names_with_long_numbers_sort_too() -> None:
    long, longer = f"web{10**17}", f"web{10**18}"
    assert sorted(["web", longer, "web10", long, "web2a", "web2"], key=natural) == [
        "web2",
        "web2a",
        "web10",
        long,
        "web",
        longer,
    ]
    assert natural("web01")[0] == natural("web1")[0]
