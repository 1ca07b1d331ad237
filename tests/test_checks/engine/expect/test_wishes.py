"""What an expectation asks of a node, and how the check that it becomes tells what it wants."""

from __future__ import annotations

from typing import Any

import pytest

from checks.check import ClusterCheck, NodeCheck
from checks.engine.expect.judging import check_of
from checks.engine.expect.model import Expectation, Kind, told
from checks.engine.expect.observation import observation_kind
from checks.outcome import Status
from scanner.testing import node_view


def expectation(kind: Kind, *, same: bool = False, **wants: Any) -> Expectation:
    return Expectation(id="own", title="It is so", kind=kind, subject="it", wants=wants, same=same)


@pytest.mark.parametrize(
    ("wanted", "items"),
    [
        (expectation("file"), ("exists",)),
        (expectation("file", same=True), ("exists", "sha256")),
        (expectation("file", same=True, owner="root"), ("exists", "owner")),
        (expectation("file", same=True, contains=("x",)), ("exists", "contains-1")),
        (expectation("file", max_mode="0640", least="1"), ("exists", "mode", "size")),
        (expectation("file", lacks=("x", "y"), matches_not=("z",)), ("exists", "lacks-1", "lacks-2", "matches-not-1")),
        (expectation("registry"), ("exists",)),
        (expectation("registry", name="N"), ("exists", "value")),
        (expectation("registry", name="N", exists=False), ("exists",)),
        (expectation("registry", exists=True), ("exists",)),
        (expectation("service"), ("exists", "state", "running")),
        (expectation("service", enabled=True), ("exists", "state", "running", "enabled")),
        (expectation("service", same=True), ("exists", "state", "running", "enabled")),
        (expectation("package"), ("installed", "version", "manager")),
        (expectation("port"), ("listening", "addresses")),
        (expectation("command"), ("exit",)),
        (expectation("command", same=True), ("exit", "value")),
        (expectation("command", value="x"), ("exit", "value")),
        (expectation("command", least="1"), ("exit", "value")),
        (expectation("command", most="1"), ("exit", "value")),
        (expectation("command", version=">1", contains=("x",)), ("exit", "version", "contains-1")),
        (expectation("sql"), ("rows",)),
        (expectation("sql", rows=0), ("rows",)),
        (expectation("sql", same=True), ("rows", "value")),
        (expectation("sql", value="0"), ("rows", "value")),
        (expectation("sql", matches=("x",)), ("rows", "value", "matches-1")),
    ],
)
def test_a_node_is_asked_for_what_the_judgement_needs(wanted: Expectation, items: tuple[str, ...]) -> None:
    assert wanted.items() == items


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (expectation("file"), "file it: exists"),
        (expectation("file", exists=False), "file it: does not exist"),
        (expectation("file", type="folder", max_mode="0640"), "file it: exists; is a folder; mode at most 0640"),
        (expectation("file", least="5", most="9"), "file it: exists; at least 5 bytes; at most 9 bytes"),
        (expectation("file", same=True), "file it: exists; the same on all nodes"),
        (expectation("registry", name="N", least="5"), "registry it, value N: exists; at least 5"),
        (expectation("registry"), "registry it: exists"),
        (expectation("service"), "service it: runs"),
        (expectation("service", exists=False), "service it: does not exist"),
        (expectation("service", running=False), "service it: does not run"),
        (expectation("service", enabled=True), "service it: starts by itself"),
        (expectation("service", enabled=False), "service it: does not start by itself"),
        (expectation("service", running=True, enabled=False), "service it: runs; does not start by itself"),
        (expectation("package", version=">=2"), "package it: is installed; version >=2"),
        (expectation("package", installed=False), "package it: is not installed"),
        (expectation("port", address="::1"), "port it: something listens; on ::1 alone"),
        (expectation("port", listening=False), "port it: nothing listens"),
        (expectation("command"), "command it: ends with 0"),
        (expectation("command", exit=3, name="N"), "command it: ends with 3"),
        (
            expectation("command", contains=("a",), lacks=("b",), matches=("c",), matches_not=("d",)),
            "command it: ends with 0; has 'a' in it; does not have 'b' in it; a line matches 'c'; no line matches 'd'",
        ),
        (expectation("sql", rows=0), "sql it: 0 rows"),
    ],
)
def test_what_is_expected_is_told_in_words(wanted: Expectation, text: str) -> None:
    assert told(wanted) == text
    check = check_of(wanted)
    assert f"## What it checks\n{text}" in check.doc
    assert isinstance(check, ClusterCheck if wanted.same else NodeCheck)


def test_why_and_how_to_mend_it_are_the_sites_own_words() -> None:
    plain = Expectation(id="own", title="It is so", kind="file", subject="/x")
    check = check_of(plain)
    assert isinstance(check, NodeCheck)
    assert check.remediation.summary == "See that it is as expected, or correct what the inventory expects."
    assert "Whoever wrote the inventory expects it." in check.doc
    own = Expectation(
        id="own", title="It is so", kind="file", subject="/x", why="It was lost.", fix="Restore it.", url="https://a"
    )
    check = check_of(own)
    assert (check.remediation.summary, check.remediation.url) == ("Restore it.", "https://a")
    assert check.references == ("https://a",)
    assert "It was lost." in check.doc
    assert check.doc.endswith("Restore it.")


def test_what_is_not_said_is_asked_of_each_node_by_itself_and_fails() -> None:
    plain = Expectation(id="own", title="It is so", kind="file", subject="/x")
    check = check_of(plain)
    assert isinstance(check, NodeCheck)
    kind = observation_kind("own")
    view = node_view("chef-backend", kind({"exists": "no"}))
    assert check.judge(view).status is Status.FAIL
    assert (plain.sudo, plain.timeout_s) == (False, 30)
