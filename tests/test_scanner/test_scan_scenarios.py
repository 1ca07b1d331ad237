"""Every scenario of the lab is scanned over real connections and ends exactly as its author designed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from scanner.lab.lab import Lab
from scanner.lab.scenario import Expectation, load_scenario, scenario_names
from tests.test_scanner.gaps import assert_no_gap_is_hidden, follows_from, spoilt_in
from tests.test_scanner.remedies import assert_can_be_pasted
from tests.test_scanner.ways_out import assert_a_way_out, assert_no_breach_is_repaired_unseen

VERDICTS = {0: "GO", 1: "NO-GO", 3: "UNKNOWN"}


KINDS = ("json", "junit", "html", "markdown")


def scanned(preflight: Callable[..., Any], name: str, folder: Path, *options: object) -> tuple[Any, dict[str, Any]]:
    with Lab(load_scenario(name)) as lab:
        inventory = lab.write(folder)
        ended = preflight("scan", inventory, *options, *reports(folder, "out"))
    results = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    return ended, results


def reports(folder: Path, name: str) -> list[object]:
    return [part for kind in KINDS for part in (f"--{kind}", folder / f"{name}.{kind}")]


def assert_kept_evidence_says_the_same(
    preflight: Callable[..., Any], live: Any, folder: Path, *options: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Byte for byte, in every format, but for the one notice that tells where the facts are from."""
    monkeypatch.setattr("scanner.run.offline._origin", lambda *_: ())
    kept = preflight("scan", folder / "inventory.toml", *options, *reports(folder, "kept"))
    assert (kept.code, kept.out) == (live.code, live.out)
    for kind in KINDS:
        assert (folder / f"kept.{kind}").read_bytes() == (folder / f"out.{kind}").read_bytes()


def assert_as_expected(results: list[dict[str, Any]], expected: Expectation, spoilt: Sequence[str] = ()) -> None:
    left = [result for result in results if result["status"] in ("fail", "error", "warn", "waived")]
    for wanted in expected.results:
        pool = left if wanted.status != "skip" else results
        found = [
            result
            for result in pool
            if (result["check"], result["node"], result["status"]) == (wanted.check, wanted.node, wanted.status)
            and wanted.message in result["message"]
            and wanted.cluster in (None, result["cluster"])
        ]
        assert found, f"nothing like {wanted} in {told(left)}"
        if wanted.status != "skip":
            left.remove(found[0])
    left = [result for result in left if not follows_from(result, expected.gaps, spoilt)]
    assert not left, f"and nothing else, but: {told(left)}"


def told(results: list[dict[str, Any]]) -> str:
    return "\n".join(f"{r['check']} {r['node']} {r['status']}: {r['message']}" for r in results)


@pytest.mark.parametrize("name", scenario_names())
def test_a_scenario_ends_as_designed_and_every_format_says_the_same(
    name: str, tmp_path: Path, preflight: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    scenario = load_scenario(name)
    expected = scenario.expect
    assert expected is not None
    evidence = tmp_path / "evidence.json.gz"
    phase = ("--phase", expected.phase)
    ended, results = scanned(preflight, name, tmp_path, *phase, "--evidence", evidence)
    assert_as_expected(results["results"], expected, spoilt_in(scenario))
    assert_no_gap_is_hidden(results["results"], scenario)
    assert_can_be_pasted(results["results"])
    assert_no_breach_is_repaired_unseen(results["results"])
    assert ended.code == results["exit_code"] == expected.exit_code
    verdict = VERDICTS[expected.exit_code]
    assert results["verdict"] == verdict
    assert ended.out.lstrip().startswith(verdict)
    assert verdict in (tmp_path / "out.markdown").read_text(encoding="utf-8").splitlines()[0]
    assert verdict in (tmp_path / "out.html").read_text(encoding="utf-8")
    suites = ET.parse(tmp_path / "out.junit").getroot()  # noqa: S314  written by ourselves a moment ago
    red = [
        case for case in suites.iter("testcase") if case.find("failure") is not None or case.find("error") is not None
    ]
    assert bool(red) == (verdict != "GO")
    assert_kept_evidence_says_the_same(preflight, ended, tmp_path, *phase, "--from", evidence, monkeypatch=monkeypatch)
    if verdict == "UNKNOWN":
        assert_a_way_out(preflight, tmp_path, results["results"], *phase, "--from", evidence)


def test_one_check_costs_a_node_as_much_as_all(tmp_path: Path, preflight: Callable[..., Any]) -> None:
    folders = [tmp_path / "all", tmp_path / "one"]
    for folder in folders:
        folder.mkdir()
    _, everything = scanned(preflight, "secret-server-healthy", folders[0])
    _, one = scanned(preflight, "secret-server-healthy", folders[1], "--check", "windows-version")
    costs = [
        {node["node"]: (node["connections"], node["commands"], node["requests"]) for node in results["nodes"]}
        for results in (everything, one)
    ]
    assert costs[0] == costs[1]
    assert all((connections, commands) == (1, 1) for connections, commands, _ in costs[0].values())


@pytest.mark.parametrize("name", ["chef-healthy", "chef-frontends", "windows-over-ssh", "database-sql-login-over-ssh"])
def test_ssh_takes_one_connection_and_one_command(name: str, tmp_path: Path, preflight: Callable[..., Any]) -> None:
    _, results = scanned(preflight, name, tmp_path)
    assert {(n["connections"], n["commands"], n["requests"]) for n in results["nodes"]} == {(1, 1, 0)}


@pytest.mark.parametrize("name", ["database-sql-login", "database-mirrored", "backups", "outbound-open", "dr-healthy"])
def test_winrm_takes_as_much_whatever_is_asked(name: str, tmp_path: Path, preflight: Callable[..., Any]) -> None:
    _, results = scanned(preflight, name, tmp_path)
    assert {(n["connections"], n["commands"], n["requests"]) for n in results["nodes"]} == {(1, 1, 7)}


def test_two_scans_of_the_same_differ_in_times_only(tmp_path: Path, preflight: Callable[..., Any]) -> None:
    seen = []
    with Lab(load_scenario("demo")) as lab:
        inventory = lab.write(tmp_path)
        for run in ("1", "2"):
            preflight("scan", inventory, "--json", tmp_path / run)
            results = json.loads((tmp_path / run).read_text(encoding="utf-8"))
            for record in [results, *results["nodes"]]:
                for key in ("started", "finished", "seconds"):
                    record.pop(key, None)
            for result in results["results"]:
                result["evidence"].pop("ahead_of_the_scanner", None)
            seen.append(results)
    assert seen[0] == seen[1]


def test_strict_counts_a_warning_as_a_failure(tmp_path: Path, preflight: Callable[..., Any]) -> None:
    name = next(
        name
        for name in scenario_names()
        if (wanted := load_scenario(name).expect)
        and wanted.exit_code == 0
        and any(result.status == "warn" for result in wanted.results)
    )
    ended, results = scanned(preflight, name, tmp_path, "--strict")
    assert (ended.code, results["verdict"]) == (1, "NO-GO")
    suites = ET.parse(tmp_path / "out.junit").getroot()  # noqa: S314  written by ourselves a moment ago
    assert any(case.find("failure") is not None for case in suites.iter("testcase"))


def test_quiet_says_nothing_for_a_go(tmp_path: Path, preflight: Callable[..., Any]) -> None:
    with Lab(load_scenario("chef-healthy")) as lab:
        ended = preflight("scan", lab.write(tmp_path), "-q")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_a_target_given_on_the_command_line_stands_in(tmp_path: Path, preflight: Callable[..., Any]) -> None:
    scenario = load_scenario("secret-server-healthy")
    with Lab(scenario) as lab:
        ended = preflight("scan", lab.write(tmp_path), "--target", f"{scenario.clusters[0].name}=8.4.000004")
    assert ended.code == 1
    assert "stepping-stone" in ended.out


def test_no_secret_is_in_anything_written(tmp_path: Path, preflight: Callable[..., Any]) -> None:
    with Lab(load_scenario("demo")) as lab:
        inventory = lab.write(tmp_path)
        reports = [tmp_path / name for name in ("r.json", "r.junit", "r.html", "r.md")]
        flags = ("--json", "--junit", "--html", "--markdown")
        pairs = zip(flags, reports, strict=True)
        ended = preflight("scan", inventory, "-v", *(part for pair in pairs for part in pair))
        secrets = lab.secrets
    assert secrets
    written = "".join(path.read_text(encoding="utf-8") for path in [*reports, inventory])
    for secret in secrets:
        assert secret not in written + ended.out + ended.err
