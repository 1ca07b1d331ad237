"""What the inventory leaves out holds for every command alike, and for nothing but what it names."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path

import pytest

from checks.outcome import Result
from checks.registry import BUILTIN, PRODUCTS, plan_facts
from checks.runbook.model import Command, Runbook, RunbookSet, Step, numbered_steps
from checks.scan import CONNECTIVITY, Scan
from scanner.clock import utc_now
from scanner.files.evidence.file import read_evidence
from scanner.files.evidence.model import EvidenceFile
from scanner.inventory.select import select
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from scanner.loading.inventory import load_inventory
from scanner.run.judge import build_scan
from scanner.run.offline import saved_answers
from scanner.run.plans import build_runbooks
from scanner.run.prepare import build_request
from tests.test_scanner.conftest import Preflight
from tests.test_scanner.test_plan import PLANS

WHY = "somebody else looks at it, ticket 4711"
SITES = {"vault-mirrored": "vault", "chef-rolling": "chef"}
"""Reviewed plans with something for nearly every check, and their clusters."""
PAIRS = [
    (site, check.id)
    for site, product in (("vault-mirrored", "secret-server"), ("chef-rolling", "chef-backend"))
    for check in BUILTIN
    if check.id != CONNECTIVITY and (not check.products or product in check.products)
]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder for each site, with its inventory and all that its nodes say."""
    from scanner.cli.answers import collect_or_load
    from scanner.files.evidence.file import write_evidence
    from scanner.run.offline import evidence_of

    folders = {}
    for site in SITES:
        folders[site] = tmp_path_factory.mktemp(site)
        with Lab(load_scenario(PLANS / f"{site}.toml")) as lab:
            selection = select(load_inventory(lab.write(folders[site])), (), (), {})
            job = replace(build_request(selection), also=plan_facts(PRODUCTS))
            write_evidence(folders[site] / "e.json", evidence_of(job, collect_or_load(job, selection, quiet=True)))
    return folders


def seen(folder: Path, cluster: str, *left_out: str) -> tuple[Scan, RunbookSet]:
    """The scan and the plan over what was kept, with an inventory that leaves out some checks."""
    text = (folder / "inventory.toml").read_text(encoding="utf-8")
    lines = "".join(f'{check} = "{WHY}"\n' for check in left_out)
    changed = folder / "changed.toml"
    changed.write_text(f"{text}\n[clusters.{cluster}.skip]\n{lines}", encoding="utf-8")
    selection = select(load_inventory(changed), (), (), {})
    job = replace(build_request(selection), also=plan_facts(PRODUCTS))
    collected = saved_answers(job, [evidence(folder)], utc_now(), narrowed=False)
    return build_scan(job, collected, date(2026, 11, 20)), build_runbooks(job, collected, date(2026, 11, 20))


@cache
def evidence(folder: Path) -> EvidenceFile:
    return read_evidence(folder / "e.json")


@pytest.mark.parametrize(("site", "check"), PAIRS)
def test_leaving_one_check_out_changes_nothing_else(kept: dict[str, Path], site: str, check: str) -> None:
    before, planned = seen(kept[site], SITES[site])
    after, planned_anew = seen(kept[site], SITES[site], check)
    assert [_told(row) for row in after.results if row.check != check] == [
        _told(row) for row in before.results if row.check != check
    ]
    assert {row.left_out for row in after.results if row.check == check} <= {WHY}
    assert after.coverage.left_out == sum(row.check == check for row in before.results)
    (old,), (new,) = planned.plans, planned_anew.plans
    assert isinstance(old, Runbook)
    assert isinstance(new, Runbook)
    assert [step.title for _, _, step in numbered_steps(new)] == [step.title for _, _, step in numbered_steps(old)]
    assert (new.unknown, new.way_back, new.path) == (old.unknown, old.way_back, old.path)
    gone = [line for line in typed(old) if line not in typed(new)]
    assert all(f"--check {check} " in line and line.count("--check") == 1 for line in gone)
    assert not [line for line in typed(new) if f"--check {check} " in line]


def _told(row: Result) -> object:
    """All of a result; of connectivity, that the node answered: how many questions it was asked may differ."""
    return (row.node, row.status) if row.check == CONNECTIVITY else row


def typed(plan: Runbook) -> list[str]:
    """Every command of the plan but those of its own gate, which say the inventory's name."""
    steps = [command for _, _, step in numbered_steps(plan) for command in all_of(step)]
    return [command.text for command in (*steps, *(look for trouble in plan.troubles for look in trouble.look))]


def all_of(step: Step) -> Iterator[Command]:
    yield from step.commands
    if step.proof:
        yield from step.proof.commands


def test_a_step_whose_scan_is_left_out_says_what_to_do_instead(kept: dict[str, Path]) -> None:
    _, book = seen(kept["vault-mirrored"], "vault", "database-mirroring")
    (plan,) = book.plans
    assert isinstance(plan, Runbook)
    (step,) = [step for _, _, step in numbered_steps(plan) if step.id == "point-to-primary-database"]
    assert step.proof
    assert [command.language for command in step.proof.commands] == ["sql"]
    assert step.notes[-1] == (
        f"database-mirroring is left out of this cluster ({WHY}): see for yourself that it would pass. "
        "`preflight explain database-mirroring` says what it would look at."
    )


DATABASE = ("database-version-match", "database-compatibility", "database-mirroring")


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A running site whose SQL Server refuses the scanner's account, which nobody will ever change."""
    with Lab(load_scenario("database-login-refused")) as lab:
        yield lab.write(tmp_path)


def leave_out(inventory: Path, *checks: str) -> None:
    lines = "".join(f'{check} = "{WHY}"\n' for check in checks)
    with inventory.open("a", encoding="utf-8") as file:
        file.write(f"\n[clusters.vault.skip]\n{lines}")


def test_scan_and_plan_come_from_unknown_to_go_and_agree(closed: Path, tmp_path: Path, preflight: Preflight) -> None:
    assert (preflight("scan", closed, "-q").code, preflight("plan", closed, "-q").code) == (3, 3)
    leave_out(closed, *DATABASE)
    scanned = preflight("scan", closed, "--json", tmp_path / "r.json")
    assert scanned.code == 0, scanned.out
    # What the two that were not left out warn of: nobody has seen the sessions, nor whether there is a replication.
    assert scanned.out.startswith("GO  2 warnings; 3 checks left out.")
    assert f"left out: {WHY}" in scanned.out
    assert f"vault: check database-mirroring is left out in the inventory: {WHY}" in " ".join(scanned.out.split())
    found = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert {row["check"] for row in found["results"] if "left_out" in row} == set(DATABASE)
    planned = preflight("plan", closed, "-q")
    assert planned.code == 0
    assert "GO: nothing stands in the way of the first step; 2 warnings to read; 3 checks left out." in planned.out
    assert "### Left out (3)" in planned.out
    assert f"left out: {WHY}" in planned.out


def test_every_scan_that_the_plan_prints_obeys(closed: Path, tmp_path: Path, preflight: Preflight) -> None:
    """None of them may end UNKNOWN because what it asks for is left out, nor judge what is."""
    leave_out(closed, *DATABASE, "backup-recent")
    text = preflight("plan", closed, "-q").out
    commands = [line.strip() for line in text.splitlines() if re.match(r" *preflight scan ", line)]
    assert len(commands) >= 3
    for number, line in enumerate(commands):
        out = tmp_path / f"{number}.json"
        ended = preflight(*shlex.split(line)[1:], "-q", "--json", out)
        rows = json.loads(out.read_text(encoding="utf-8"))["results"]
        assert not [row for row in rows if row["check"] in DATABASE and row["status"] != "skip"]
        assert ended.code != 3, line


def test_nobody_asks_what_only_a_left_out_check_would_read(closed: Path, preflight: Preflight) -> None:
    assert "PendingFileRenameOperations" in preflight("probes", closed).out
    leave_out(closed, "pending-reboot")
    assert "PendingFileRenameOperations" not in preflight("probes", closed).out


def test_drift_and_baseline_are_whole_without_it(tmp_path: Path, preflight: Preflight) -> None:
    by = ("--by", "Ada", "-q")
    with Lab(load_scenario("dotnet-denied")) as lab:
        inventory = lab.write(tmp_path)
        assert preflight("baseline", inventory, *by).code == 3
        assert preflight("baseline", inventory, *by, "--allow-incomplete").code == 0
        assert preflight("drift", inventory, "-q").code == 3
        leave_out(inventory, "dotnet-framework", "app-files-match")
        told = preflight("drift", inventory)
        assert (told.code, told.out[:8]) == (0, "NO DRIFT"), told.out
        assert f"check dotnet-framework is left out in the inventory: {WHY}" in " ".join(told.out.split())
        assert preflight("baseline", inventory, *by, "--reason", "decided").code == 0
        text = (tmp_path / "inventory.baseline.json").read_text(encoding="utf-8")
        assert '"vault / app-files-match": "left-out"' in text
        assert preflight("drift", inventory, "-q").code == 0
        (tmp_path / "inventory.toml").write_text(
            (tmp_path / "inventory.toml").read_text(encoding="utf-8").partition("[clusters.vault.skip]")[0],
            encoding="utf-8",
        )
        assert preflight("drift", inventory, "-q").code == 3


def test_a_finding_that_is_left_out_is_told_once_as_not_looked_at(
    closed: Path, tmp_path: Path, preflight: Preflight
) -> None:
    history = ("--history", tmp_path / "h.db", "--json", tmp_path / "r.json")
    preflight("scan", closed, *history, "-q")
    leave_out(closed, *DATABASE)
    preflight("scan", closed, *history, "-q")
    found = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["history"]
    assert {row["check"] for row in found["not_looked_at"]} == set(DATABASE)
    assert found["resolved"] == []


def test_a_check_that_is_asked_for_by_name_and_left_out_gives_no_answer(closed: Path, preflight: Preflight) -> None:
    leave_out(closed, "database-mirroring")
    ended = preflight("scan", closed, "--check", "database-mirroring")
    assert ended.code == 3
    assert "1 check left out" in ended.out
