"""`preflight baseline` and `preflight drift` over the lab: silent where nothing changed, exact where something did."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from checks.baseline.snapshot import CheckKey, CheckState, FactKey, Snapshot
from scanner.files.baseline.reader import read_baseline
from scanner.files.baseline.schema import schema
from scanner.files.baseline.writer import write_baseline
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario

Preflight = Callable[..., Any]
BY = ("--by", "Ada")


@pytest.fixture(scope="module")
def chef(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("chef")
    with Lab(load_scenario("chef-healthy")) as lab:
        yield lab.write(folder)


@pytest.fixture
def healthy(preflight: Preflight, chef: Path, tmp_path: Path) -> Path:
    """The approved baseline of three healthy backends."""
    path = tmp_path / "b.json"
    assert preflight("baseline", chef, "-o", path, *BY, "-q").code == 0
    return path


@pytest.mark.parametrize(
    "name",
    ["chef-healthy", "chef-frontends", "secret-server-healthy", "dr-healthy", "target-missing", "sql-tds-login"],
)
def test_a_healthy_cluster_has_a_baseline_and_no_drift(name: str, preflight: Preflight, tmp_path: Path) -> None:
    with Lab(load_scenario(name)) as lab:
        inventory = lab.write(tmp_path)
        written = preflight("baseline", inventory, *BY, "-q")
        assert (written.code, written.out, written.err) == (0, "", "")
        quiet = preflight("drift", inventory, "-q")
        assert (quiet.code, quiet.out, quiet.err) == (0, "", "")
        told = preflight("drift", inventory)
        assert told.out.startswith("NO DRIFT  Everything is as approved: ")
        again = preflight("baseline", inventory, "-o", tmp_path / "again.json", *BY, "-q")
        assert again.code == 0
    first = (tmp_path / "inventory.baseline.json").read_text(encoding="utf-8")
    second = (tmp_path / "again.json").read_text(encoding="utf-8")
    differing = [line for line in second.splitlines() if line not in first.splitlines()]
    assert all('"at": ' in line for line in differing), "something that changes by itself is in the baseline"
    jsonschema.validate(json.loads(first), schema())


def drift_from(
    preflight: Preflight, baseline: Path, scenario: str, folder: Path, *options: object
) -> tuple[Any, dict[str, Any]]:
    with Lab(load_scenario(scenario)) as lab:
        inventory = lab.write(folder)
        out = folder / "drift.json"
        ended = preflight("drift", inventory, "--baseline", baseline, "--json", out, "-q", *options)
    return ended, json.loads(out.read_text(encoding="utf-8"))


def test_a_failover_is_told_by_the_role_alone(preflight: Preflight, healthy: Path, tmp_path: Path) -> None:
    ended, found = drift_from(preflight, healthy, "chef-deposed-leader", tmp_path)
    assert ended.code == found["exit_code"] == 1
    assert {(row["fact"], row["old"], row["new"]) for row in found["facts"]} == {
        ("cluster-status.members[backend-1].role", "leader", "deposed_leader"),
        ("cluster-status.members[backend-2].role", "follower", "leader"),
    }
    assert ended.out.startswith("DRIFT  6 facts changed")
    assert "on chef: backend-1, backend-2, backend-3" in ended.out


def test_a_node_that_is_down_is_unknown_and_nothing_is_gone(
    preflight: Preflight, healthy: Path, tmp_path: Path
) -> None:
    junit = tmp_path / "junit.xml"
    ended, found = drift_from(preflight, healthy, "ssh-down", tmp_path, "--junit", junit)
    assert ended.code == found["exit_code"] == 3
    assert ended.out.startswith("UNKNOWN  1 node could not be compared; ")
    assert {row["difference"] for row in found["facts"]} == {"not-compared"}
    assert [(row["node"], row["fact"]) for row in found["unread"]] == [("backend-2", None)]
    root = ET.parse(junit).getroot()  # noqa: S314  our own document
    failing = [suite.get("name") for suite in root if suite.get("failures") != "0"]
    assert not failing
    assert [suite.get("name") for suite in root if suite.get("errors") != "0"] == ["chef.cluster", "chef.backend-2"]


def test_new_nodes_are_told_once_each(preflight: Preflight, healthy: Path, tmp_path: Path) -> None:
    ended, found = drift_from(preflight, healthy, "chef-frontends", tmp_path)
    assert ended.code == 1
    assert [(row["node"], row["difference"]) for row in found["nodes"]] == [
        ("frontend-1", "appeared"),
        ("frontend-2", "appeared"),
    ]
    assert not [row for row in found["facts"] if row["node"].startswith("frontend")]


def test_a_node_that_left_is_told_and_can_be_taken_out(preflight: Preflight, chef: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "b.json"
    with Lab(load_scenario("chef-frontends")) as lab:
        assert preflight("baseline", lab.write(tmp_path), "-o", baseline, *BY, "-q").code == 0
    before = preflight("drift", chef, "--baseline", baseline)
    assert before.code == 1
    assert "chef/frontend-1 was approved, and is not in the inventory any more" in before.out
    taken = preflight(
        "baseline", chef, "-o", baseline, "--node", "frontend-1", "--node", "chef.frontend-2", *BY, "--reason", "gone"
    )
    assert taken.code == 0
    assert "frontend-1" not in " ".join(str(place) for place in read_baseline(baseline).snapshot.facts)
    assert "frontend-1" not in preflight("drift", chef, "--baseline", baseline, "-q").out


class TestApproval:
    def test_a_part_is_replaced_and_the_rest_stays_byte_for_byte(
        self, preflight: Preflight, healthy: Path, tmp_path: Path
    ) -> None:
        before = healthy.read_text(encoding="utf-8").splitlines()
        with Lab(load_scenario("chef-deposed-leader")) as lab:
            inventory = lab.write(tmp_path)
            done = preflight(
                "baseline",
                inventory,
                "-o",
                healthy,
                "--update",
                "cluster-status",
                *BY,
                "--reason",
                "failover, no. 12",
            )
            assert done.code == 0, done.err
            assert "cluster-status.members[backend-1].role  changed" in done.out
            after = healthy.read_text(encoding="utf-8").splitlines()
            new = [line for line in after if line not in before]
            assert all(".role" in line or '"at": ' in line for line in new)
            assert len(new) == 6 + 1 + 1
            left = preflight("drift", inventory, "--baseline", healthy)
        assert "DIFFERENCES" not in left.out
        assert "chef-cluster-status  pass -> warn" in left.out, "a fact's approval is no check's"
        approvals = read_baseline(healthy).approvals
        assert [(row.by, row.scope, row.reason) for row in approvals] == [
            ("Ada", "everything", "first baseline"),
            ("Ada", "cluster-status", "failover, no. 12"),
        ]

    def test_a_check_is_approved_with_its_facts(self, preflight: Preflight, healthy: Path, tmp_path: Path) -> None:
        with Lab(load_scenario("chef-deposed-leader")) as lab:
            inventory = lab.write(tmp_path)
            done = preflight(
                "baseline", inventory, "-o", healthy, "--update", "chef-cluster-status", *BY, "--reason", "as it is"
            )
            assert done.code == 0, done.err
            assert "approved although they do not pass:\n  chef / chef-cluster-status  warn\n" in done.out
            assert preflight("drift", inventory, "--baseline", healthy, "-q").code == 0

    def test_another_version_of_the_tool_is_no_change_of_a_node(
        self, preflight: Preflight, chef: Path, healthy: Path, tmp_path: Path
    ) -> None:
        """What the version then did not ask for, and what the one of now does not ask for any more."""
        new, old = "installed-package", "bygone-fact"
        baseline = read_baseline(healthy)
        then = baseline.snapshot
        facts = {place: value for place, value in then.facts.items() if not place.path.startswith(new)}
        nodes = {key: kinds - {new} | {old} for key, kinds in then.nodes.items()}
        facts |= {FactKey(*key, f"{old}.size"): 1 for key in nodes}
        checks = {**then.checks, CheckKey("chef", "", "bygone-check"): CheckState("pass")}
        approval = replace(baseline.approvals[0], tool="0.0.1")
        write_baseline(healthy, replace(baseline, approvals=(approval,), snapshot=Snapshot(nodes, facts, {}, checks)))
        told = preflight("drift", chef, "--baseline", healthy, "--json", tmp_path / "d.json")
        found = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))
        assert told.code == 3
        assert {row["fact"].split(".")[0] for row in found["facts"]} == {new, old}
        assert {row["difference"] for row in found["facts"]} == {"not-compared"}
        assert "approved with preflight 0.0.1, and this is" in " ".join(told.out.split())
        part = ["--update", new, "--update", old, "--update", "bygone-check"]
        assert preflight("baseline", chef, "-o", healthy, *BY, "--reason", "update", *part).code == 0
        assert preflight("drift", chef, "--baseline", healthy).code == 0

    @pytest.mark.parametrize(
        "part",
        [
            ["--update", "windows-version"],
            ["--update", "linux-disks.drives[/nowhere].kind"],
        ],
    )
    def test_a_part_that_nothing_belongs_to_is_no_approval(
        self, part: list[str], preflight: Preflight, chef: Path, healthy: Path
    ) -> None:
        before = healthy.read_bytes()
        ended = preflight("baseline", chef, "-o", healthy, *BY, "--reason", "x", *part)
        assert ended.code == 2
        assert "nothing to approve" in ended.err
        assert healthy.read_bytes() == before

    def test_only_results_that_are_approved_now_are_told(self, preflight: Preflight, tmp_path: Path) -> None:
        path = tmp_path / "b.json"
        with Lab(load_scenario("chef-deposed-leader")) as lab:
            inventory = lab.write(tmp_path)
            whole = preflight("baseline", inventory, "-o", path, *BY)
            part = preflight(
                "baseline", inventory, "-o", path, *BY, "--reason", "x", "--update", "disk-space", "--node", "backend-1"
            )
        assert "approved although they do not pass:\n  chef / chef-cluster-status  warn\n" in whole.out
        assert (part.code, part.out.count("\n")) == (0, 1)

    def test_what_could_not_be_read_is_never_approved_by_accident(self, preflight: Preflight, tmp_path: Path) -> None:
        path = tmp_path / "b.json"
        with Lab(load_scenario("ssh-down")) as lab:
            inventory = lab.write(tmp_path)
            refused = preflight("baseline", inventory, "-o", path, *BY)
            assert refused.code == 3
            assert not path.exists()
            assert "no baseline was written" in refused.err
            assert "chef / backend-2: node unreachable" in refused.err
            told = preflight("baseline", inventory, "-o", path, *BY, "--allow-incomplete")
            assert told.code == 0
            assert "has holes; nobody approved these" in told.err
        assert '"chef / backend-2": "node unreachable' in path.read_text(encoding="utf-8")
        with Lab(load_scenario("chef-healthy")) as lab:
            inventory = lab.write(tmp_path)
            nightly = preflight("drift", inventory, "--baseline", path, "-q")
            assert nightly.code == 3
            assert "not read when the baseline was approved" in nightly.out
            assert "`preflight baseline --node`" in " ".join(nightly.out.split())
            filled = preflight("baseline", inventory, "-o", path, "--node", "backend-2", *BY, "--reason", "it is back")
            assert filled.code == 0, filled.err
            left = preflight("drift", inventory, "--baseline", path, "-q")
        assert "DIFFERENCES" not in left.out
        assert "not read when" not in left.out

    def test_who_and_why(
        self, preflight: Preflight, chef: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "b.json"
        config = tmp_path / "gitconfig"
        config.write_text("[user]\n\tname = Grace\n\temail = grace@corp.example\n", encoding="utf-8")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
        monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        assert preflight("baseline", chef, "-o", path, "-q").code == 0
        assert read_baseline(path).approvals[0].by == "Grace <grace@corp.example>"
        again = preflight("baseline", chef, "-o", path)
        assert again.code == 2
        assert "say with --reason why" in again.err
        config.write_text("", encoding="utf-8")
        nobody = preflight("baseline", chef, "-o", tmp_path / "c.json")
        assert nobody.code == 2
        assert "--by NAME" in nobody.err

    def test_nothing_changed_is_said_by_an_unchanged_file(
        self, preflight: Preflight, chef: Path, healthy: Path
    ) -> None:
        before = read_baseline(healthy)
        done = preflight("baseline", chef, "-o", healthy, *BY, "--reason", "yearly review")
        assert done.code == 0
        assert "DIFFERENCES" not in done.out
        assert read_baseline(healthy).snapshot == before.snapshot


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--update", "cluster-states"], "did you mean 'cluster-status"),
        (["--update", "leader-answer"], "never compared"),
        (["--update", "chef / backend-1 / disks"], "and the node with --node"),
        (["--node", "backend-9"], "no such node"),
        (["-o", "-"], "name one"),
        (["-o", "/nowhere/b.json"], "does not exist"),
        (["--from", "none.gz", "--timeout", "5"], "--from contacts nobody"),
    ],
)
def test_a_baseline_that_cannot_be_meant_is_refused(
    options: list[str], said: str, preflight: Preflight, chef: Path, healthy: Path
) -> None:
    before = healthy.read_bytes()
    to = [] if "-o" in options else ["-o", healthy]
    ended = preflight("baseline", chef, *to, *BY, "--reason", "x", *options)
    assert ended.code == 2
    assert said in ended.err
    assert "asking" not in ended.err
    assert healthy.read_bytes() == before


def test_drift_without_a_baseline_or_with_a_broken_one_is_refused_before_any_contact(
    preflight: Preflight, chef: Path, tmp_path: Path
) -> None:
    missing = preflight("drift", chef, "--baseline", tmp_path / "none.json")
    assert missing.code == 2
    assert "`preflight baseline INVENTORY` writes one" in missing.err
    broken = tmp_path / "b.json"
    broken.write_text('{\n"schema": "preflight.baseline/1",\n"facts": {,}\n}\n', encoding="utf-8")
    refused = preflight("drift", chef, "--baseline", broken)
    assert refused.code == 2
    assert "line 3: no JSON" in refused.err
    assert "asking" not in refused.err
    same = preflight("drift", chef, "--baseline", broken, "--json", broken)
    assert same.code == 2


def test_a_selection_compares_only_what_was_asked_for(preflight: Preflight, chef: Path, healthy: Path) -> None:
    for options in (["--node", "backend-1"], ["--check", "disk-space"], ["--skip-check", "disk-space"]):
        ended = preflight("drift", chef, "--baseline", healthy, *options)
        assert ended.code == 0, ended.out
        assert ended.out.startswith("NO DRIFT")
        assert "left out by the selection" in ended.out or "only a part of the inventory" in ended.out


def test_the_inventory_can_ignore_a_fact_and_the_report_says_so(
    preflight: Preflight, healthy: Path, tmp_path: Path
) -> None:
    with Lab(load_scenario("chef-deposed-leader")) as lab:
        inventory = lab.write(tmp_path)
        with inventory.open("a", encoding="utf-8") as file:
            file.write(
                '\n[drift.rules."cluster-status.members[].role"]\ncompare = "ignore"\nreason = "failovers mail us"\n'
            )
        ended = preflight("drift", inventory, "--baseline", healthy)
    assert "DIFFERENCES" not in ended.out
    assert "failovers mail us" in " ".join(ended.out.split())


def test_evidence_is_compared_like_the_live_nodes(preflight: Preflight, chef: Path, tmp_path: Path) -> None:
    evidence, baseline = tmp_path / "e.json.gz", tmp_path / "b.json"
    assert preflight("collect", chef, "-o", evidence).code == 0
    assert preflight("baseline", chef, "-o", baseline, "--from", evidence, *BY, "-q").code == 0
    assert preflight("drift", chef, "--baseline", baseline, "--from", evidence, "-q").code == 0
    assert preflight("drift", chef, "--baseline", baseline, "-q").code == 0


def test_markdown_goes_to_standard_output_in_place_of_the_summary(
    preflight: Preflight, chef: Path, healthy: Path
) -> None:
    ended = preflight("drift", chef, "--baseline", healthy, "--markdown", "-")
    assert ended.out.startswith("## ✅ preflight drift: NO DRIFT\n")
    assert "NO DRIFT  " not in ended.out


def test_a_read_only_folder_is_a_clear_error_and_no_half_file(
    preflight: Preflight, chef: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "b.json"
    path.write_bytes(b"old")
    path.unlink()
    monkeypatch.setattr("os.fsync", full)
    ended = preflight("baseline", chef, "-o", path, *BY, "-q")
    assert ended.code == 2
    assert "No space left" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_git_sees_one_line_for_one_fact(preflight: Preflight, healthy: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_bytes(healthy.read_bytes())
    with Lab(load_scenario("chef-deposed-leader")) as lab:
        preflight(
            "baseline",
            lab.write(tmp_path),
            "-o",
            healthy,
            "--update",
            "cluster-status",
            "--node",
            "backend-3",
            *BY,
            "--reason",
            "x",
        )
    command = ["git", "diff", "--no-index", "--numstat", str(old), str(healthy)]
    told = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    assert told[:2] == ["4", "3"], "two facts changed, an approval was added after another one's comma"
