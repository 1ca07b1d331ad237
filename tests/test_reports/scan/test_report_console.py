from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.outcome import Result
from checks.scan import Scan
from reports.render.console import render

MakeResult = Callable[..., Result]
MakeScan = Callable[..., Scan]

COPIED = ("command   ", "link      ")


def sections(text: str) -> list[str]:
    return [line for line in text.splitlines() if re.match(r"[A-Z][A-Z: a-z]+( \(\d+\))?$", line) and "GO" not in line]


def test_the_verdict_comes_first_and_then_what_stands_in_the_way(rich_scan: Scan) -> None:
    text = render(rich_scan, color=False, width=100)
    assert text.startswith("NO-GO  2 blockers on 3 nodes; 2 results could not be determined")
    assert sections(text) == [
        "BLOCKERS (2)",
        "COULD NOT BE DETERMINED (2)",
        "WARNINGS (1)",
        "WAIVED (1)",
        "SKIPPED",
        "NOTICES",
    ]
    assert "15 of 22 planned results evaluated" in text
    assert "6 of 7 nodes reached" in text
    assert text.isascii()
    assert "3 not evaluated (1 reason), 1 not applicable (1 reason); -v names them" in text
    whole = sections(render(rich_scan, color=False, width=100, verbose=True))
    assert {"SKIPPED: not evaluated (3)", "SKIPPED: not applicable (1)"} <= set(whole)


def test_one_cause_is_told_once_with_all_it_hit_and_what_to_do(rich_scan: Scan) -> None:
    text = render(rich_scan, color=False, width=100)
    assert text.count("the application pool SecretServer runs in Classic mode") == 1
    assert "on        vault-prod: web1, web2" in text
    assert "observed  Classic  (vault-prod: web1)" in text
    assert "fix       Switch the pool" in text
    assert "link      https://docs.example/secret-server/iis" in text


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("verbose", [False, True])
def test_lines_keep_to_the_width_but_for_what_is_copied(rich_scan: Scan, width: int, verbose: bool) -> None:
    for line in render(rich_scan, color=False, width=width, verbose=verbose).splitlines():
        assert len(line) <= width or line.strip().startswith(COPIED)
        assert line == line.rstrip()


def test_quiet_says_the_verdict_the_blockers_and_what_is_not_known(rich_scan: Scan) -> None:
    text = render(rich_scan, color=False, width=100, quiet=True)
    assert text.startswith("NO-GO")
    assert sections(text) == ["BLOCKERS (2)", "COULD NOT BE DETERMINED (2)"]
    assert "coverage" not in text


def test_quiet_says_why_it_is_unknown(make_result: MakeResult, make_scan: MakeScan) -> None:
    scan = make_scan((make_result("connectivity", "error", "connection refused"),))
    text = render(scan, color=False, width=100, quiet=True)
    assert text.startswith("UNKNOWN")
    assert "connection refused" in text


def test_a_node_that_is_down_comes_before_what_follows_from_it(make_result: MakeResult, make_scan: MakeScan) -> None:
    scan = make_scan(
        (
            make_result("encryption-config-match", "error", "not compared: web2"),
            make_result("connectivity", "error", "connection refused", node="web2"),
        )
    )
    for quiet in (False, True):
        text = render(scan, color=False, width=100, quiet=quiet)
        assert text.index("connection refused") < text.index("not compared: web2")


def test_a_go_with_notices_points_to_them(make_result: MakeResult, make_scan: MakeScan) -> None:
    scan = make_scan((make_result("windows-version", "pass", "new enough"),))
    limited = replace(scan, notices=("only a part of the inventory was looked at: vault.web1",))
    assert "Nothing stands in the way." in render(replace(scan, notices=()), color=False, width=100)
    assert "Nothing stands in the way; read the notices." in render(limited, color=False, width=100)


def test_verbose_adds_what_passed_and_what_each_node_cost(rich_scan: Scan) -> None:
    text = render(rich_scan, color=False, width=120, verbose=True)
    assert "PASS   chef-cluster-status  one leader, two followers" in text
    assert "vault-prod/web1      winrm, 1 connection, 1 command, 7 HTTP requests, 1.2s" in text
    assert "vault-prod/web3      winrm, 0 connections, 0 commands, 0.0s, not reached" in text


def test_many_skipped_nodes_are_counted_unless_verbose(make_result: MakeResult, make_scan: MakeScan) -> None:
    rows = [make_result("windows-version", "skip", "down", node=f"w{n}", not_evaluated=True) for n in range(256)]
    scan = make_scan(tuple(rows))
    assert "256 not evaluated (1 reason)" in render(scan, color=False, width=120)
    assert "w255" in render(scan, color=False, width=120, verbose=True)


def test_strict_and_partial_are_said(rich_scan: Scan) -> None:
    text = render(replace(rich_scan, strict=True, partial=True), color=False, width=200)
    assert "strict: warnings count as failures" in text
    assert "the run was interrupted" in text
    assert "BLOCKERS (3)" in text
    assert "WARNINGS" not in text


@pytest.mark.parametrize("color", [False, True])
def test_no_node_sends_anything_to_the_terminal(hostile_scan: Scan, color: bool) -> None:
    text = render(hostile_scan, color=color, width=80, verbose=True)
    bare = re.sub(r"\x1b\[[0-9;]+m", "", text) if color else text
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", bare) is None
    assert "\\x1b[2J" in bare
    assert len(bare) < 200_000
    # A target's own sequence, spelled out, is not one of ours.
    assert "\x1b[2J" not in text


def test_color_changes_nothing_but_color(rich_scan: Scan) -> None:
    plain = render(rich_scan, color=False, width=100)
    painted = re.sub(r"\x1b\[[0-9;]+m", "", render(rich_scan, color=True, width=100))
    words = [word for line in plain.splitlines() if set(line) != {"-"} for word in line.split()]
    assert painted.split() == words
