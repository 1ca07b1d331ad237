"""The baseline's file: the same bytes for the same facts, one a line, and an editor's mistakes told by their line."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from checks.baseline.approval import Baseline, Part, StaleGapError, renewed, unread_in
from checks.baseline.drift import Approval
from checks.baseline.fact_paths import Value
from checks.baseline.snapshot import CheckKey, CheckState, FactKey, Grouped, Snapshot
from scanner.errors import PreflightError, UsageError
from scanner.files.baseline.document import default_path
from scanner.files.baseline.reader import parse_baseline, read_baseline
from scanner.files.baseline.schema import schema
from scanner.files.baseline.writer import render_baseline, write_baseline
from scanner.files.packed.facts import ShelvedFacts
from tests.test_scanner.faults import kill_each_step

relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
APPROVAL = Approval(
    at="2026-11-21T02:15:00Z", by="Ada <ada@corp.example>", reason="first baseline", scope="everything", tool="0.1.0"
)
KINDS = frozenset({"windows-version", "disks"})
SNAPSHOT = Snapshot(
    {("vault", "web1"): KINDS, ("vault", "web2"): KINDS},
    {
        FactKey("vault", "web1", "windows-version.build"): 17763,
        FactKey("vault", "web1", "windows-version.name"): "Windows Server 2019",
        FactKey("vault", "web1", "disks.drives[C: / x].kind"): "",
        FactKey("vault", "web1", "disks.sql-folders"): ("a", "b"),
        FactKey("vault", "web1", "disks.system"): None,
        FactKey("vault", "web2", "windows-version.build"): 20348,
    },
    {FactKey("vault", "web2", "disks"): "access denied"},
    {
        CheckKey("vault", "web1", "windows-version"): CheckState("pass"),
        CheckKey("vault", "", "app-version-match"): CheckState("fail"),
    },
)
BASELINE = Baseline("inventory.toml", (APPROVAL,), SNAPSHOT)
TEXT = render_baseline(BASELINE)


def test_what_is_written_is_read_back() -> None:
    assert parse_baseline(TEXT, "b.json") == BASELINE
    assert render_baseline(parse_baseline(TEXT, "b.json")) == TEXT


def test_one_fact_a_line_and_valid_against_the_schema() -> None:
    lines = TEXT.splitlines()
    for place in SNAPSHOT.facts:
        assert sum(f'"{place}":' in line for line in lines) == 1
    assert '    "vault / web1 / windows-version.build": 17763,' in lines
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(json.loads(TEXT), schema())


def test_the_order_of_nothing_matters() -> None:
    def mixed(table: dict[object, object]) -> dict[object, object]:
        items = list(table.items())
        random.Random(7).shuffle(items)
        return dict(items)

    other = Snapshot(*(mixed(dict(getattr(SNAPSHOT, name))) for name in ("nodes", "facts", "unread", "checks")))  # type: ignore[arg-type]
    assert render_baseline(Baseline("inventory.toml", (APPROVAL,), other)) == TEXT


def test_the_file_beside_the_inventory(tmp_path: Path) -> None:
    path = default_path(tmp_path / "prod.toml")
    assert path == tmp_path / "prod.baseline.json"
    write_baseline(path, BASELINE)
    assert read_baseline(path) == BASELINE
    assert path.read_bytes() == TEXT.encode()


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is for others")
def test_kill_9_leaves_the_old_baseline_or_the_new_one(tmp_path: Path) -> None:
    folders = kill_each_step(
        tmp_path,
        imports=(
            "from dataclasses import replace; from scanner.files.baseline.writer import write_baseline\n"
            "from tests.test_scanner.files.baseline.test_baseline import BASELINE"
        ),
        prepare="write_baseline(folder / 'b.json', BASELINE)",
        act="write_baseline(folder / 'b.json', replace(BASELINE, inventory='new.toml'))",
    )
    held = [read_baseline(folder / "b.json").inventory for folder in folders]
    assert len(held) > 6
    assert held == sorted(held)
    assert (held[0], held[-1]) == ("inventory.toml", "new.toml")


def edited(old: str, new: str) -> str:
    assert old in TEXT
    return TEXT.replace(old, new, 1)


def line_with(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


@pytest.mark.parametrize(
    ("text", "said", "on"),
    [
        (edited("17763,", "17763"), "no JSON: a comma is missing", "17763"),
        (edited("20348", "20348,"), "no JSON: a comma after the last entry", "20348,"),
        (edited('  "facts"', '<<<<<<< HEAD\n  "facts"'), "an unresolved merge conflict", "<<<<<<<"),
        (edited("17763", "017763"), "no JSON", "017763"),
        (edited("17763", "NaN"), "NaN is no value", "NaN"),
        (edited("17763", "1e999"), "expected a text, a number", "1e999"),
        (edited("17763", '{"a": 1}'), "expected a text, a number", '{"a": 1}'),
        (edited("17763", "1" * 5000), "no JSON", ""),
        (edited("web1 / windows-version.name", "web1 / windows-version.build"), "stands there twice", "Windows Server"),
        (edited("web2 / windows-version.build", "web9 / windows-version.build"), "begins with no CLUSTER", "web9"),
        (edited("web2 / windows-version.build", "web2 / clocks.now"), "was asked for clocks", "clocks.now"),
        (edited("vault / web2 / windows-version.build", "build"), "begins with no CLUSTER", '"build"'),
        (edited('"pass"', '"passed"'), "expected one of error, fail", '"passed"'),
        (edited('"schema"', '"note": 1,\n  "schema"'), 'unknown: "note"', '"note"'),
        (edited("preflight.baseline/1", "preflight.baseline/2"), "update preflight", ""),
        (edited("preflight.baseline/1", "preflight.result/1"), "is no baseline", "preflight.result/1"),
        (edited('"schema"', '"scheme"'), "is no baseline", ""),
        (edited('"facts"', '"fact"'), 'has no "facts"', ""),
        (edited('"by": ', '"bye": '), "expected objects with the texts", "approvals"),
        ("", "no JSON", ""),
        ("[" * 100_000, "nested too deeply", ""),
        ("[]", "is no baseline", ""),
    ],
)
def test_a_mistake_of_an_editor_is_told_with_its_line(text: str, said: str, on: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_baseline(text, "b.json")
    assert said in str(refused.value)
    assert str(refused.value).startswith("b.json: ")
    if on:
        assert f"line {line_with(text, on)}: " in str(refused.value)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="`preflight baseline INVENTORY` writes one"):
        read_baseline(tmp_path / "none.json")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text("ab/ \ud800\x00", max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab/ .[]", max_size=12), inner, max_size=3),
    max_leaves=8,
)
SECTIONS = ["schema", "inventory", "approvals", "nodes", "not_read", "checks", "facts"]


@relaxed
@given(st.sampled_from([*SECTIONS, "other"]), JSON)
@example("facts", {"vault / web1 / ": 1})
@example("nodes", {"vault / web1": [["x"]]})
@example("checks", {"vault / web1 / windows-version": ["pass"]})
def test_whatever_stands_in_a_section_is_read_or_refused(section: str, value: object) -> None:
    table = json.loads(TEXT)
    table[section] = value
    try:
        found = parse_baseline(json.dumps(table), "b.json")
    except PreflightError:
        return
    assert parse_baseline(render_baseline(found), "b.json") == found


@relaxed
@given(st.data())
def test_a_damaged_file_is_read_or_refused(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(TEXT)))
    end = data.draw(st.integers(start, min(len(TEXT), start + 40)))
    planted = data.draw(st.text('{}[]",:0123 \\ue\ud800\x00', max_size=6))
    try:
        parse_baseline(TEXT[:start] + planted + TEXT[end:], "b.json")
    except PreflightError:
        return


@relaxed
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "b.json"
        path.write_bytes(content)
        with pytest.raises(PreflightError):
            read_baseline(path)


CLUSTERS = ("vault", "vault-2", "vault-3")


def estate(one: Snapshot) -> Snapshot:
    """Several clusters that are alike."""

    def again(table: Mapping[Any, Any]) -> dict[Any, Any]:
        return {
            type(key)(*(name, *key[1:])) if hasattr(key, "_fields") else (name, *key[1:]): value
            for name in CLUSTERS
            for key, value in table.items()
        }

    return Snapshot(again(one.nodes), again(one.facts), again(one.unread), again(one.checks))


class Logged(Grouped[FactKey, Value]):
    """Says which cluster is looked at."""

    def __init__(self, table: Mapping[FactKey, Value], log: list[str]) -> None:
        super().__init__(table)
        self._log = log

    def of_cluster(self, name: str) -> Mapping[FactKey, Value]:
        self._log.append(name)
        return super().of_cluster(name)


class TestAPartApprovedAnew:
    now = Snapshot(
        SNAPSHOT.nodes,
        {
            FactKey("vault", "web1", "windows-version.build"): 1,
            FactKey("vault", "web1", "windows-version.name"): "Windows Server 1",
            FactKey("vault", "web2", "windows-version.build"): 2,
            FactKey("vault", "web2", "disks.system"): "C:",
        },
        {},
        {
            CheckKey("vault", "web1", "windows-version"): CheckState("fail"),
            CheckKey("vault", "", "app-version-match"): CheckState("pass"),
        },
    )
    both = frozenset({("vault", "web1"), ("vault", "web2")})

    def changed(self, part: Part) -> list[str]:
        """The lines that are not as before."""
        text = render_baseline(Baseline("inventory.toml", (APPROVAL,), renewed(SNAPSHOT, self.now, part)))
        before, after = TEXT.splitlines(), text.splitlines()
        return [f"-{line.strip()}" for line in before if line not in after] + [
            f"+{line.strip()}" for line in after if line not in before
        ]

    def test_one_fact_and_the_rest_stays_as_it_is(self) -> None:
        assert self.changed(Part(self.both, ("windows-version.build",), frozenset())) == [
            '-"vault / web1 / windows-version.build": 17763,',
            '-"vault / web2 / windows-version.build": 20348',
            '+"vault / web1 / windows-version.build": 1,',
            '+"vault / web2 / windows-version.build": 2',
        ]

    def test_one_check_with_its_facts(self) -> None:
        part = Part(frozenset({("vault", "web1")}), ("windows-version",), frozenset({"windows-version"}))
        assert [line for line in self.changed(part) if line.startswith("+")] == [
            '+"vault / web1 / windows-version": "fail"',
            '+"vault / web1 / windows-version.build": 1,',
            '+"vault / web1 / windows-version.name": "Windows Server 1",',
        ]

    def test_a_check_of_a_whole_cluster(self) -> None:
        part = Part(self.both, (), frozenset({"app-version-match"}), frozenset({"vault"}))
        assert [line for line in self.changed(part) if line.startswith("+")] == [
            '+"vault / app-version-match": "pass",'
        ]

    def test_one_node_with_all_that_was_not_read_of_it(self) -> None:
        after = renewed(SNAPSHOT, self.now, Part(frozenset({("vault", "web2")})))
        assert after.unread == {}
        assert after.facts[FactKey("vault", "web2", "disks.system")] == "C:"
        assert after.facts[FactKey("vault", "web1", "windows-version.build")] == 17763

    def test_a_node_that_left_is_taken_out(self) -> None:
        after = renewed(SNAPSHOT, Snapshot(), Part(frozenset({("vault", "web2")})))
        assert set(after.nodes) == {("vault", "web1")}
        assert not [place for place in (*after.facts, *after.unread) if place.node == "web2"]

    def test_a_part_of_many_clusters_is_approved_one_cluster_after_the_other(self) -> None:
        then, now = (estate(SNAPSHOT), estate(self.now))
        part = Part(frozenset(now.nodes) | frozenset(then.nodes), ("windows-version",), frozenset())
        log: list[str] = []

        def keep(parts: Iterable[Mapping[FactKey, Value]]) -> Mapping[FactKey, Value]:
            def kept() -> Iterator[Mapping[FactKey, Value]]:
                for values in parts:
                    log.append(f"{next(iter(values)).cluster} is kept")
                    yield values

            return ShelvedFacts.of(kept())

        logged = replace(now, facts=Logged(now.facts, log)), replace(then, facts=Logged(then.facts, log))
        found, plain = renewed(logged[1], logged[0], part, keep), renewed(then, now, part)
        expected = [line for name in CLUSTERS for line in (name, name, f"{name} is kept")]
        assert log == expected, "no cluster is looked at before the one before it is put away"
        assert render_baseline(Baseline("i.toml", (APPROVAL,), found)) == (
            render_baseline(Baseline("i.toml", (APPROVAL,), plain))
        )
        assert len(found.facts) == len(plain.facts) > len(SNAPSHOT.facts)

    def test_a_value_of_what_was_not_read_as_a_whole_cannot_be_approved_alone(self) -> None:
        with pytest.raises(StaleGapError, match="vault / web2 / disks"):
            renewed(SNAPSHOT, self.now, Part(self.both, ("disks.system",), frozenset()))

    def test_a_node_out_of_reach_keeps_back_only_what_it_is_asked_for(self) -> None:
        now = Snapshot(
            {("vault", "web1"): frozenset({"windows-version"}), ("vault", "dr1"): frozenset({"app-files"})},
            {},
            {FactKey("vault", "dr1", ""): "node unreachable"},
            {},
        )
        nodes = frozenset(now.nodes)
        assert unread_in(now, Part(nodes, ("windows-version.build",), frozenset())) == {}
        assert unread_in(now, Part(nodes, ("app-files",), frozenset())) == now.unread
        assert unread_in(now, Part(nodes)) == now.unread
