"""A baseline of thousands of nodes is written, read and compared a cluster at a time, and comes to the same."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from checks.baseline.approval import Baseline
from checks.baseline.comparison import Compared, Scope, compare, natural
from checks.baseline.drift import Approval, Difference, Drift, FactRow
from checks.baseline.drift_rules import DriftRules
from checks.baseline.snapshot import SEPARATOR, CheckKey, CheckState, FactKey, Snapshot
from reports.drift import json as json_report
from reports.drift import junit
from scanner.clock import utc_now
from scanner.errors import UsageError
from scanner.files.baseline import reader
from scanner.files.baseline.reader import parse_baseline, read_baseline
from scanner.files.baseline.writer import render_baseline, write_baseline
from scanner.files.packed import rows as packed_rows
from scanner.files.packed.facts import ShelvedFacts
from scanner.files.packed.rows import ShelvedRows
from scanner.rule_data import load_drift_rules
from tests.living import alive, older_objects_aside

__all__ = ["older_objects_aside"]

# Names of which some sort alike, and some begin with another.
CLUSTERS = ("c1", "c01", "c", "c-1", "c 1", "C2", "c10", "c2", "ü", 'd"\\')
NODES = ("web2", "web10", "web02", "sql1")
APPROVAL = Approval(at="2026-11-26T12:00:00Z", by="Ada", reason="why", scope="everything", tool="1.0")


def snapshot(version: str = "10.0.1") -> Snapshot:
    keys = [(cluster, node) for cluster in CLUSTERS for node in NODES]
    facts = {
        FactKey(*key, path): value
        for key in keys
        for path, value in (
            ("windows-version.build", version if key[1] == "web10" else "10.0.1"),
            ("app-files.files[b.dll].version", "1.0"),
            ("app-files.files[a10.dll].version", "2.0\u202e"),
            ("app-files.files[a9.dll].version", None),
        )
    }
    unread = {FactKey(cluster, "sql1", "web-config"): "denied" for cluster in CLUSTERS[::2]}
    checks = {CheckKey(*key, "windows-version"): CheckState("pass") for key in keys}
    checks |= {CheckKey(cluster, "", "app-version-match"): CheckState("fail") for cluster in CLUSTERS}
    kinds = frozenset({"windows-version", "app-files", "web-config"})
    return Snapshot(dict.fromkeys(keys, kinds), facts, unread, checks)


def shelved(known: Snapshot) -> Snapshot:
    facts = ShelvedFacts()
    for cluster in reversed(CLUSTERS):
        assert facts.add({place: value for place, value in known.facts.items() if place.cluster == cluster})
    return Snapshot(known.nodes, facts, known.unread, known.checks)


def rules() -> DriftRules:
    return load_drift_rules()


def test_it_is_written_alike_whatever_is_packed_away() -> None:
    text = render_baseline(Baseline("i.toml", (APPROVAL,), snapshot()))
    assert render_baseline(Baseline("i.toml", (APPROVAL,), shelved(snapshot()))) == text
    table = json.loads(text)
    for section, known in (("facts", snapshot().facts), ("checks", snapshot().checks), ("not_read", snapshot().unread)):
        assert list(table[section]) == sorted(map(str, known), key=natural)
    assert list(table["nodes"]) == sorted(map(SEPARATOR.join, snapshot().nodes), key=natural)


def test_it_is_read_a_cluster_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "b.json"
    given = Baseline("i.toml", (APPROVAL, APPROVAL), snapshot())
    write_baseline(path, given)
    most = 0
    place = reader._Reader._place

    def counting(self: object, name: str, nodes: object) -> FactKey:
        nonlocal most
        if name.endswith("windows-version.build"):
            most = max(most, len(alive(FactKey)) - before)
        return place(self, name, nodes)  # type: ignore[arg-type]

    before = len(alive(FactKey))
    monkeypatch.setattr(reader._Reader, "_place", counting)
    found = read_baseline(path)
    assert isinstance(found.snapshot.facts, ShelvedFacts)
    # Two clusters sort alike at most; the gaps stay.
    assert 0 < most <= 2 * len(NODES) * 4 + len(CLUSTERS)
    assert found == given == parse_baseline(path.read_text(encoding="utf-8"), "b.json")
    assert len(found.snapshot.facts) == len(given.snapshot.facts)
    assert FactKey("c1", "web2", "nothing") not in found.snapshot.facts


def test_whatever_else_is_in_the_file_is_read_whole_or_refused_in_full(tmp_path: Path) -> None:
    text = render_baseline(Baseline("i.toml", (APPROVAL,), snapshot()))
    lines = text.splitlines(keepends=True)
    facts = next(number for number, line in enumerate(lines) if line.startswith('  "facts"'))
    variants = [
        text,
        text.replace("\n", "\r\n"),
        text.replace("\n    ", "\n      "),
        text.replace("    ", " "),
        "\ufeff" + text,
        text + "\n",
        text + "x",
        text[: len(text) // 2],
        "",
        text.replace("baseline/1", "baseline/2"),
        text.replace('  "inventory"', '  "more": 1,\n  "inventory"'),
        text.replace('"pass"', "NaN", 1),
        text.replace('"pass"', '"odd"', 1),
    ]
    for at in (facts + 1, facts + 5, len(lines) - 3):
        there = lines[at].rstrip("\n")
        variants += [
            "".join(lines[:at] + lines[at + 1 :]),
            "".join([*lines[:at], lines[at], *lines[at:]]),  # twice
            "".join([*lines[: facts + 1], lines[at], *lines[facts + 1 :]]),  # twice, elsewhere
            "".join([*lines[:at], there.rstrip(",") + "\n", *lines[at + 1 :]]),  # a comma too few
            "".join([*lines[:at], there.rstrip(",") + ",\n", *lines[at + 1 :]]),  # perhaps one too many
            "".join([*lines[:at], f"{there} ", *lines[at + 1 :]]),
            "".join([*lines[:at], there.replace(": ", ":\n", 1) + "\n", *lines[at + 1 :]]),
        ]
    variants.append("".join([*lines[: facts + 1], *sorted(lines[facts + 1 : -2], key=hash), *lines[-2:]]))
    path = tmp_path / "b.json"
    streamed = refused = 0
    for variant in variants:
        path.write_bytes(variant.encode())
        found = reader._streamed(path)
        try:
            told = parse_baseline(variant.removeprefix("\ufeff"), str(path))
        except UsageError as error:
            assert found is None, variant[:200]
            with pytest.raises(UsageError, match=re.escape(str(error))):
                read_baseline(path)
            refused += 1
        else:
            assert read_baseline(path) == told
            assert found in (None, told)
            streamed += found is not None
    assert streamed >= 3
    assert refused >= 10


def drift(found: Compared) -> Drift:
    return Drift(
        tool_version="1",
        started=utc_now().replace(microsecond=0),
        finished=utc_now().replace(microsecond=0),
        inventory="i.toml",
        baseline="b.json",
        approvals=(APPROVAL,),
        facts=found.facts,
        checks=found.checks,
        nodes=found.nodes,
        gaps=found.gaps,
    )


@pytest.mark.parametrize("at_hand", [0, 5, 20_000])
def test_a_comparison_of_packed_facts_reports_the_same(at_hand: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where so much differs that this is packed as well."""
    monkeypatch.setattr(packed_rows, "_AT_HAND", at_hand)
    then, now = snapshot(), snapshot("10.0.2")
    plain = compare(then, now, rules())
    packed = compare(shelved(then), shelved(now), rules(), keep=ShelvedRows)
    assert isinstance(packed.facts, ShelvedRows)
    assert packed == plain
    assert len(packed.facts) == len(plain.facts) == len(CLUSTERS) * len(NODES) * 4
    assert {row.difference for row in plain.facts} == {Difference.SAME, Difference.CHANGED}
    assert packed.facts[3] == plain.facts[3]
    assert packed.facts.of_node(("nobody", "here")) == ()
    one, other = drift(plain), drift(packed)
    assert (one.counts, one.verdict) == (other.counts, other.verdict)
    assert list(one.differing) == list(other.differing)
    assert one.differing
    other = drift(packed)
    assert json_report.render(one) == json_report.render(other)
    assert junit.render(one) == junit.render(other)


def test_a_node_that_nobody_asked_is_not_compared() -> None:
    then = shelved(snapshot())
    asked = frozenset({("c1", "web2")})
    found = compare(then, shelved(snapshot("2")), rules(), Scope(nodes=asked, inventory=frozenset(then.nodes)))
    assert {row.place[:2] for row in found.facts} == asked


@pytest.mark.parametrize("difference", [Difference.SAME, Difference.CHANGED])
def test_no_more_than_one_clusters_rows_are_there(difference: Difference, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_rows, "_AT_HAND", 10)
    rows = ShelvedRows(
        [FactRow(place=FactKey(cluster, "n", f"k.{number}"), difference=difference) for number in range(50)]
        for cluster in CLUSTERS
    )
    most = 0
    for cluster in CLUSTERS:
        assert [row.place.path for row in rows.of_node((cluster, "n"))] == [f"k.{number}" for number in range(50)]
        most = max(most, len(alive(FactRow)))
    assert 50 <= most <= 100
