"""A part of a baseline is approved anew: that part as it is now, and nothing beside it."""

from __future__ import annotations

import pytest

from checks.baseline.approval import Part, StaleGapError, means_nothing, renewed, unread_in
from checks.baseline.snapshot import CheckKey, CheckState, FactKey, Snapshot

WEB1, WEB2, SQL1 = ("vault", "web1"), ("vault", "web2"), ("vault", "sql1")
KINDS = frozenset({"disks", "windows"})


def place(node: tuple[str, str], path: str) -> FactKey:
    return FactKey(*node, path)


def state(
    value: int, *nodes: tuple[str, str], status: str = "pass", unread: dict[FactKey, str] | None = None
) -> Snapshot:
    gaps = unread or {}
    return Snapshot(
        dict.fromkeys(nodes, KINDS),
        {place(node, f"{kind}.size"): value for node in nodes for kind in sorted(KINDS)},
        gaps,
        {
            **{CheckKey(*node, check): CheckState(status) for node in nodes for check in ("size", "age")},
            CheckKey("vault", "", "match"): CheckState(status),
        },
    )


THEN, NOW = state(1, WEB1, WEB2), state(2, WEB1, WEB2, status="fail")


def news(found: Snapshot) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Node and path of each value, and node and check of each result, that is as it is now."""
    values = {(key.node, key.path) for key, value in found.facts.items() if value == 2}
    return values, {(key.node, key.check) for key, ended in found.checks.items() if ended.status == "fail"}


DISKS, WINDOWS = "disks.size", "windows.size"
OF_WEB1 = {("web1", DISKS), ("web1", WINDOWS)}
CHECKS_OF_WEB1 = {("web1", "size"), ("web1", "age")}


@pytest.mark.parametrize(
    ("part", "values", "checks"),
    [
        (Part(frozenset({WEB1})), OF_WEB1, CHECKS_OF_WEB1),
        (Part(frozenset({WEB1}), facts=()), set(), CHECKS_OF_WEB1),
        (Part(frozenset({WEB1}), facts=("disks",), checks=frozenset()), {("web1", DISKS)}, set()),
        (Part(frozenset({WEB1}), facts=("*.size",), checks=frozenset()), OF_WEB1, set()),
        (
            Part(frozenset({WEB1, WEB2}), facts=("disks",), checks=frozenset({"size"})),
            {("web1", DISKS), ("web2", DISKS)},
            {("web1", "size"), ("web2", "size")},
        ),
        (Part(frozenset({WEB1}), facts=(), checks=frozenset({"match"})), set(), set()),
        (
            Part(frozenset({WEB1}), facts=(), checks=frozenset({"match"}), clusters=frozenset({"vault"})),
            set(),
            {("", "match")},
        ),
        (
            Part(frozenset({WEB1}), facts=(), checks=frozenset({"size"}), clusters=frozenset({"chef"})),
            set(),
            {("web1", "size")},
        ),
        # What all nodes make together is approved by name alone.
        (
            Part(frozenset({WEB1, WEB2}), clusters=frozenset({"vault"})),
            OF_WEB1 | {("web2", DISKS), ("web2", WINDOWS)},
            CHECKS_OF_WEB1 | {("web2", "size"), ("web2", "age")},
        ),
    ],
)
def test_only_what_is_named_is_as_it_is_now(
    part: Part, values: set[tuple[str, str]], checks: set[tuple[str, str]]
) -> None:
    found = renewed(THEN, NOW, part)
    assert news(found) == (values, checks)
    assert found.facts.keys() == THEN.facts.keys()
    assert found.checks.keys() == THEN.checks.keys()
    assert found.nodes == THEN.nodes


def test_a_value_that_is_not_there_any_more_is_not_kept() -> None:
    fewer = Snapshot(NOW.nodes, {key: value for key, value in NOW.facts.items() if key.path != DISKS}, {}, NOW.checks)
    assert place(WEB1, DISKS) not in renewed(THEN, fewer, Part(frozenset({WEB1}))).facts
    assert place(WEB2, DISKS) in renewed(THEN, fewer, Part(frozenset({WEB1}))).facts


def test_a_node_that_left_is_taken_out_as_a_whole_and_never_by_a_fact_of_it() -> None:
    left = state(2, WEB1)
    assert set(renewed(THEN, left, Part(frozenset({WEB2}))).nodes) == {WEB1}
    assert set(renewed(THEN, left, Part(frozenset({WEB2}), facts=("disks",))).nodes) == {WEB1, WEB2}
    assert set(renewed(THEN, left, Part(frozenset({SQL1}))).nodes) == {WEB1, WEB2}


def test_a_node_that_came_is_taken_in_as_a_whole_and_never_by_a_fact_of_it() -> None:
    came = state(2, WEB1, WEB2, SQL1)
    assert renewed(THEN, came, Part(frozenset({SQL1}))).nodes[SQL1] == KINDS
    assert SQL1 not in renewed(THEN, came, Part(frozenset({SQL1}), facts=("disks",))).nodes


def test_a_kind_that_was_not_asked_for_then_is_from_now_on() -> None:
    then = Snapshot({WEB1: frozenset({"windows"})}, {place(WEB1, WINDOWS): 1})
    assert renewed(then, NOW, Part(frozenset({WEB1}), facts=("disks",))).nodes == {WEB1: KINDS}
    assert renewed(then, NOW, Part(frozenset({WEB1}), facts=("windows",))).nodes == {WEB1: frozenset({"windows"})}
    fewer = Snapshot({WEB1: frozenset({"disks"})}, {place(WEB1, DISKS): 2})
    assert renewed(THEN, fewer, Part(frozenset({WEB1}))).nodes[WEB1] == {"disks"}


GAPS = {
    place(WEB1, ""): "unreachable",
    place(WEB1, "disks"): "denied",
    place(WEB1, "windows"): "denied",
    place(WEB2, "disks"): "denied",
}


@pytest.mark.parametrize(
    ("part", "kept_back"),
    [
        (Part(frozenset({WEB1})), {("web1", ""), ("web1", "disks"), ("web1", "windows")}),
        (Part(frozenset({WEB1}), facts=("disks",)), {("web1", ""), ("web1", "disks")}),
        (Part(frozenset({WEB1}), facts=("disks.size",)), {("web1", ""), ("web1", "disks")}),
        (Part(frozenset({WEB1}), facts=("*.size",)), {("web1", ""), ("web1", "disks"), ("web1", "windows")}),
        (Part(frozenset({WEB1}), facts=("clock",)), set()),
        (Part(frozenset({WEB2}), facts=("disks",)), {("web2", "disks")}),
        (Part(frozenset({SQL1})), set()),
    ],
)
def test_what_could_not_be_read_now_is_a_hole_of_what_it_belongs_to(
    part: Part, kept_back: set[tuple[str, str]]
) -> None:
    now = Snapshot(NOW.nodes, {}, GAPS)
    assert {(gap.node, gap.path) for gap in unread_in(now, part)} == kept_back
    assert {(gap.node, gap.path) for gap in renewed(THEN, now, part).unread} == kept_back


def test_a_hole_of_then_goes_with_what_is_approved_anew_and_stays_with_the_rest() -> None:
    then = Snapshot(THEN.nodes, {}, {place(WEB1, "disks"): "denied", place(WEB2, "disks"): "denied"})
    assert set(renewed(then, NOW, Part(frozenset({WEB1}))).unread) == {place(WEB2, "disks")}
    assert set(renewed(then, NOW, Part(frozenset({WEB1}), facts=("windows",))).unread) == set(then.unread)


def test_a_value_cannot_be_approved_in_the_middle_of_a_hole() -> None:
    then = Snapshot(THEN.nodes, {}, {place(WEB1, "disks"): "denied"})
    with pytest.raises(StaleGapError) as refused:
        renewed(then, NOW, Part(frozenset({WEB1}), facts=("disks.size",)))
    assert refused.value.gap == place(WEB1, "disks")
    assert renewed(then, NOW, Part(frozenset({WEB2}), facts=("disks.size",))).unread == then.unread


@pytest.mark.parametrize(
    ("part", "nothing"),
    [
        (Part(frozenset({WEB1})), False),
        (Part(frozenset({SQL1})), True),
        (Part(frozenset({WEB1}), facts=("disks",), checks=frozenset()), False),
        (Part(frozenset({WEB1}), facts=("clock",), checks=frozenset()), True),
        (Part(frozenset({WEB1}), facts=(), checks=frozenset({"size"})), False),
        (Part(frozenset({WEB1}), facts=(), checks=frozenset({"weight"})), True),
        (Part(frozenset(), facts=(), checks=frozenset({"match"}), clusters=frozenset({"vault"})), False),
    ],
)
def test_a_part_that_means_nothing_is_told_as_that(part: Part, nothing: bool) -> None:
    assert means_nothing([THEN], part) is nothing
    assert means_nothing([Snapshot(), THEN], part) is nothing
    assert means_nothing([Snapshot()], part)


def test_a_node_of_which_nothing_is_known_but_itself_means_something_as_a_whole() -> None:
    bare = Snapshot({WEB1: frozenset()})
    assert not means_nothing([bare], Part(frozenset({WEB1})))
    assert means_nothing([bare], Part(frozenset({WEB1}), facts=("disks",)))
    unread = Snapshot({WEB1: KINDS}, {}, {place(WEB1, "disks"): "denied"})
    assert not means_nothing([unread], Part(frozenset({WEB1}), facts=("disks",)))
