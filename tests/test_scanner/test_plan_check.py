"""`preflight plan --check`: one step's own verification, with a scan's questions and none beside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.runbook.following import followed
from checks.runbook.model import Runbook
from checks.runbook.signs import list_of
from scanner.cli.options import resolve_options
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from scanner.run.follow import prepare_following
from tests.test_scanner.conftest import Preflight
from tests.test_scanner.test_plan import NAMES, PLANS, book


@pytest.fixture
def vault(tmp_path: Path) -> Iterator[Path]:
    with Lab(load_scenario(PLANS / "vault-mirrored.toml")) as lab:
        yield lab.write(tmp_path)


@pytest.mark.parametrize(
    ("step", "code", "said"),
    [
        ("2.4", 1, "not done: web2: SecretServerAppPool is started; web3: SecretServerAppPool is started"),
        ("vault.2.4", 1, "looked for: web3: SecretServerAppPool is stopped"),
        ("pass-the-gate", 0, "done: the scan says GO"),
        ("1.1", 3, "cannot tell: whether somebody's credentials work is theirs to try"),
        ("confirm-spare", 1, "dr-instance"),
    ],
)
def test_a_step_is_told_done_or_not_or_untold(
    vault: Path, preflight: Preflight, step: str, code: int, said: str
) -> None:
    ended = preflight("plan", vault, "--check", step, "-q")
    assert (ended.code, said in ended.out) == (code, True), ended.out


def test_an_unknown_step_is_refused_with_what_was_meant_and_what_there_is(vault: Path, preflight: Preflight) -> None:
    ended = preflight("plan", vault, "--check", "upgrade-frist", "-q")
    assert ended.code == 2
    assert "did you mean upgrade-first?" in ended.err
    assert "vault.2.4  Stop the application pools of web2 and web3" in ended.err
    several = preflight("plan", vault, "--check", "stop-others", "-q")
    assert several.code == 2
    assert "vault.2.4, vault.3.5" in several.err


def test_the_kept_plan_counts_though_a_new_one_would_be_another(tmp_path: Path, preflight: Preflight) -> None:
    before = PLANS / "vault-two-step.toml"
    with Lab(load_scenario(before)) as lab:
        inventory = lab.write(tmp_path)
        assert preflight("plan", inventory, "--json", tmp_path / "inventory.plan.json", "-q").code == 1
    scenario = tmp_path / "midway.toml"
    scenario.write_text(
        f'extends = "{before}"\ntitle = "Midway"\n'
        '[clusters.vault.nodes.web1]\nwindows = {app_version = "10.9.000005"}\n'
        "[clusters.vault.nodes.web2]\nwindows = {pool_states = {SecretServerAppPool = 3}}\n"
        '[clusters.vault.nodes.sql1]\nwindows = {sql = [{version = "15.0.2000.5", databases = '
        '[{version = "10.9.000005", backups = [{hours_ago = 0.5, '
        "device = 'D:\\Backup\\SecretServer-10.9.000003.bak'}]}]}]}\n",
        encoding="utf-8",
    )
    plan = (tmp_path / "inventory.plan.json").read_text(encoding="utf-8")
    folder = tmp_path / "midway"
    folder.mkdir()
    with Lab(load_scenario(scenario)) as lab:
        inventory = lab.write(folder)
        refused = preflight("plan", inventory, "--check", "2.1", "-q")
        assert refused.code == 3
        assert "there is no plan to follow" in refused.err
        assert "--plan FILE" in refused.err
        kept = folder / "kept.json"
        kept.write_text(plan, encoding="utf-8")
        table = preflight("plan", inventory, "--plan", kept, "--check", "all", "-q")
        assert table.code == 1
        rows = dict(re.findall(r"^(vault\S+) +(done|not done|cannot tell|over)", table.out, re.MULTILINE))
        steps = {step.kind: step.id for step in reversed(followed(_runbook("vault-two-step")))}
        assert rows[steps["stop-others"]] == "done"
        assert rows[steps["upgrade-first"]] == "done"
        assert rows[steps["copy-application"]] == "not done"
        upcoming = preflight("plan", inventory, "--plan", kept, "--check", "next", "-q")
        assert upcoming.code == 1
        one = preflight("plan", inventory, "--plan", kept, "--check", steps["copy-application"], "-q")
        assert one.code == 1
        assert "web2: its files are those of 10.9.000003" in one.out


def test_evidence_answers_without_contact(tmp_path: Path, preflight: Preflight) -> None:
    with Lab(load_scenario(PLANS / "vault-mirrored.toml")) as lab:
        inventory = lab.write(tmp_path)
        assert preflight("collect", inventory, "-o", tmp_path / "e.json.gz", "-q").code == 0
        assert preflight("plan", inventory, "--json", tmp_path / "inventory.plan.json", "-q").code == 0
    for step, code in (("2.4", 1), ("pass-the-gate", 0), ("1.2", 3)):
        ended = preflight("plan", inventory, "--check", step, "--from", tmp_path / "e.json.gz", "-q")
        assert ended.code == code, ended.out + ended.err


def test_a_node_that_is_down_leaves_it_untold(tmp_path: Path, preflight: Preflight) -> None:
    with Lab(load_scenario(PLANS / "vault-mirrored.toml")) as lab:
        inventory = lab.write(tmp_path)
        assert preflight("plan", inventory, "--json", tmp_path / "inventory.plan.json", "-q").code == 0
    ended = preflight("plan", inventory, "--check", "2.4", "-q", "--timeout", "5")
    assert ended.code == 3
    assert "cannot tell: web2: node unreachable" in ended.out


def _runbook(name: str) -> Runbook:
    (plan,) = book(name).plans
    assert isinstance(plan, Runbook)
    return plan


WITHOUT = (
    ("vault-mirrored", "app-pool-state"),
    ("vault-two-step", "app-version-match"),
    ("chef-rolling", "chef-version-match"),
)


@pytest.mark.parametrize(("name", "left_out"), [*((name, "") for name in NAMES if name != "chef-drbd"), *WITHOUT])
def test_no_step_asks_a_node_anything_that_a_scan_would_not(
    name: str, left_out: str, tmp_path: Path, preflight: Preflight
) -> None:
    scenario = tmp_path / "scenario.toml"
    skip = f'[clusters.{name.partition("-")[0]}]\ninventory = {{skip = {{{left_out} = "for a test"}}}}\n'
    scenario.write_text(
        f'extends = "{PLANS / name}.toml"\ntitle = "Asked"\n{skip if left_out else ""}', encoding="utf-8"
    )
    with Lab(load_scenario(scenario)) as lab:
        inventory = lab.write(tmp_path)
    reviewed = preflight("probes", inventory)
    assert reviewed.code == 0
    selection, whole = resolve_options(inventory)
    scanned = {(call.node.name, probe.id) for call in whole.calls() for probe in call.probes}
    seen = 0
    for step in followed(_runbook(name)):
        if left_out and any(left_out in list_of(sign.want.get("checks")) for sign in step.signs):
            continue  # a plan of this inventory has no such scan
        following = prepare_following(selection, step.cluster, [step])
        calls = following.job.calls()
        asked = {(call.node.name, probe.id) for call in calls for probe in call.probes}
        seen += len(asked)
        assert asked <= scanned, step
        sent = [probe for call in calls for probe in call.probes if probe.language == call.node.language]
        assert all(f"#   {probe.id}: {probe.purpose}" in reviewed.out for probe in sent)
    assert seen


def test_a_step_asks_the_nodes_that_it_is_about_and_for_no_more_than_it_needs(vault: Path) -> None:
    selection, _ = resolve_options(vault)
    step = next(step for step in followed(_runbook("vault-mirrored")) if step.number == "2.4")
    following = prepare_following(selection, "vault", [step])
    asked = {call.node.name: {probe.id for probe in call.probes} for call in following.job.calls()}
    assert set(asked) == {"web2", "web3"}
    assert "app-pool-state" in asked["web2"]
    assert "app-files" not in asked["web2"]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "chef-drbd"])
def test_a_step_that_no_fact_shows_says_why_in_words_of_its_own(name: str) -> None:
    for step in followed(_runbook(name)):
        assert step.signs or step.unseen
        assert step.signs or step.unseen != "nothing that a scan reads tells of it", step.kind
