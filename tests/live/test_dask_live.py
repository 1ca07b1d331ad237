"""The guide "Two sites, one scheduler", typed: real certificates, scheduler and workers, and what reports say then."""

from __future__ import annotations

import re
import signal
import subprocess
from pathlib import Path

import pytest

from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario, parse_scenario
from tests.live.dask_estate import (
    BIN,
    HELD,
    PATIENCE_S,
    REPORTS,
    SITES,
    Estate,
    Gate,
    asked_by,
    causes,
    conversations,
    family,
    reached,
    start_scan,
    until,
    write_inventory,
)
from tests.test_scanner.run.engines.test_dask_real import MIXED

pytest.importorskip("psutil")
pytest.importorskip("distributed")

VAULT = """
title = "One web node refuses the login, one answers with garbage"
extends = "secret-server-healthy"
[clusters.vault.nodes.web1]
fault = "wrong-password"
[clusters.vault.nodes.web2]
fault = "garbage"
"""
SITE = """
[clusters.chef-SITE]
product = "chef-backend"
inventory = {target = "2.3.16"}
defaults = {chef = {version = "2.2.5"}}
nodes.SITE-1 = {roles = ["backend"], slow = {start = 600.0}}
nodes.SITE-2 = {roles = ["backend"], slow = {start = 600.0}}
nodes.SITE-3 = {roles = ["backend"], slow = {start = 600.0}}
"""
TWO_SITES = 'title = "A cluster at each of two sites"' + "".join(SITE.replace("SITE", site) for site in SITES)

pytestmark = [pytest.mark.live, pytest.mark.slow]


def written(folder: Path) -> dict[str, bytes]:
    """Every file of every report, and the evidence."""
    files = [folder / name for name in (*REPORTS.values(), "evidence.json")]
    files += (folder / "pages").rglob("*")
    return {str(file.relative_to(folder)): file.read_bytes() for file in files if file.is_file()}


def reported(path: Path, *more: str) -> dict[str, bytes]:
    """What two scans write between them: a page and a folder of pages are one option."""
    found: dict[str, bytes] = {}
    for kind in (["--evidence", "evidence.json"], ["--html", "pages/"]):
        start_scan(path, *kind, *more, how={"still": True}).report()
        found |= written(path.parent)
    return found


@pytest.mark.parametrize(("scenario", "secrets"), [(MIXED, "worker"), (VAULT, "home")])
def test_every_report_is_that_of_a_scan_from_here_byte_for_byte(estate: Estate, scenario: str, secrets: str) -> None:
    """Whatever is a time is the same one; nodes that cannot be asked are among them."""
    estate.begin("scheduler", "emea")
    with Lab(parse_scenario(scenario, "mixed")) as lab:
        path = write_inventory(lab, estate, sites="emea", secrets=secrets)
        there = reported(path)
        here = reported(path, "--engine", "threads")
        assert there.keys() == here.keys()
        assert len(there) > len(REPORTS) + 2
        assert [name for name in there if there[name] != here[name]] == []
        assert {len(set(reached(start_scan(path).report()).values()))} == {2}
        kept = [file for file in estate.folder.rglob("*") if file.is_file()]
        own = ("password", "wrong-password", "sql-password", "id_ed25519")
        for secret in lab.secrets:
            assert not [file for file in kept if file.name not in own and secret.encode() in file.read_bytes()]


@pytest.mark.parametrize("scenario", ["chef-healthy", "secret-server-healthy"])
def test_processes_of_this_machine_say_what_threads_say(scenario: str, tmp_path: Path) -> None:
    with Lab(load_scenario(scenario)) as lab:
        path = lab.write(tmp_path)
        assert all(reached(start_scan(path, "--engine", "dask", how={"still": True}).report()).values())
        there = written(path.parent)
        start_scan(path, how={"still": True}).report()
        assert written(path.parent) == there


def test_an_interrupt_leaves_nothing_of_this_machine_s_processes(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    with gate.before(HELD, monkeypatch) as lab:
        scan = start_scan(lab.write(tmp_path), "--engine", "dask")
        until(lambda: conversations(lab) == 1, "nobody asked")
        started = family(scan.process.pid)
        assert len(started) > 1
        assert any(scratch.iterdir())
        scan.process.send_signal(signal.SIGINT)
        code, said = scan.ended()
        assert code == 130, said
        assert "leaked" not in said
        assert not any(scratch.iterdir()), "the workers' folder was left behind"
        until(lambda: not any(each.is_running() for each in started), "a process was left behind", 10)


def test_other_commands_ask_through_the_scheduler_too(estate: Estate) -> None:
    def typed(*words: str) -> subprocess.Popen[str]:
        command = [str(BIN / "preflight"), *words]
        return subprocess.Popen(
            command, cwd=estate.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
        )

    estate.begin("scheduler", "emea")
    with Lab(load_scenario("chef-healthy")) as lab:
        path = str(write_inventory(lab, estate, sites="emea", secrets="worker"))
        commands = (
            ["collect", path, "-o", "evidence.json"],
            ["baseline", path, "--reason", "again"],
            ["drift", path],
            ["plan", path],
            ["validate", path, "--connect"],
        )
        for words in commands:
            running = typed(*words)
            said, _ = running.communicate(timeout=PATIENCE_S)
            assert running.returncode in (0, 1), (words, said)
        estate.kill("scheduler")
        for running in [typed(*words) for words in commands]:
            said, _ = running.communicate(timeout=PATIENCE_S)
            assert f"tls://127.0.0.1:{estate.port} cannot be reached" in " ".join(said.split()), (running.args, said)


def test_each_site_s_worker_asks_its_own_nodes(estate: Estate, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    estate.begin("scheduler", *SITES)
    with gate.before(TWO_SITES, monkeypatch) as lab:
        path = write_inventory(lab, estate, sites={f"chef-{site}": site for site in SITES})
        scan = start_scan(path)
        until(lambda: conversations(lab) == 6, "not all were asked")
        for site in SITES:
            mine = [node.inventory["port"] for node in lab.nodes if node.scenario.cluster == f"chef-{site}"]
            assert asked_by(estate.running[site].pid, lab) == sorted(mine), site
        assert not asked_by(scan.process.pid, lab), "the scanner's own machine asked a node of a site"
        gate.set()
        assert scan.report()["verdict"] == "GO"
        estate.kill("apac")
        report = start_scan(path).report()
        assert {re.sub(r": .*", "", cause) for cause in causes(report)} == {"no worker for site apac"}
        assert all(there == ("emea" in node) for node, there in reached(report).items())
        verdicts = {each["name"]: each["verdict"] for each in report["clusters"]}
        assert verdicts == {"chef-emea": "GO", "chef-apac": "UNKNOWN"}
