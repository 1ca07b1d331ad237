"""A plan as JSON, and its times: the shape holds for each reviewed plan; a window is held against what is known."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import timedelta
from pathlib import Path

import jsonschema
import pytest

from checks.runbook.following import followed
from checks.runbook.model import Refusal, Runbook, numbered_steps, steps_back
from checks.scan import Verdict
from reports.render import html, markdown
from reports.runbook import json as plan_json
from scanner.errors import UsageError
from scanner.files.plan import read_plan
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from scanner.run.plans import timed
from tests.schemas import closed
from tests.test_scanner.conftest import Preflight
from tests.test_scanner.test_plan import NAMES, PLANS, book, runbook


@pytest.mark.parametrize("name", NAMES)
def test_the_document_has_its_shape_and_all_that_the_text_says(name: str) -> None:
    made = timed(book(name), timedelta(hours=2), {})
    jsonschema.Draft202012Validator.check_schema(plan_json.schema())
    text = plan_json.render(made)
    document = json.loads(text)
    jsonschema.validate(document, closed(plan_json.schema()))
    for plan, told in zip(made.plans, document["clusters"], strict=True):
        if isinstance(plan, Refusal):
            assert told["refused"]["reason"] == plan.reason
            continue
        rows = [step for part in told["parts"] for step in part["steps"]] + told["way_back"]["steps"]
        own = [*((number, step) for number, _, step in numbered_steps(plan)), *steps_back(plan)]
        assert [row["id"] for row in rows] == [f"{plan.cluster}.{number}" for number, _ in own]
        for row, (_, step) in zip(rows, own, strict=True):
            assert [each["text"] for each in row["commands"]] == [each.text for each in step.commands]
            assert row["point_of_no_return"] == step.no_return
            assert row["verification"]["signs"] or row["verification"]["unseen"]
        hops = [part["hop"] for part in told["parts"] if part["hop"]]
        assert [hop["to"] for hop in hops] == [*told["stops"], told["target"]]


def test_a_command_names_the_node_that_it_is_typed_on() -> None:
    (told,) = plan_json.document(book("vault-mirrored"))["clusters"]
    commands = [each for part in told["parts"] for step in part["steps"] for each in step["commands"]]
    assert {each["node"] for each in commands if each["shell"] == "cmd"} >= {"web1", "web2", "web3"}
    assert {each["node"] for each in commands if each["text"].startswith("preflight ")} == {None}
    assert not [each for each in commands if each["node"] and each["node"] not in each["where"]]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "chef-drbd"])
def test_a_kept_plan_is_the_same_plan(name: str, tmp_path: Path) -> None:
    file = tmp_path / "inventory.plan.json"
    file.write_text(plan_json.render(book(name)), encoding="utf-8")
    kept = read_plan(file)
    assert kept.steps == followed(runbook(name))
    assert "of 2026-11-20 22:00 UTC" in kept.source


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda text: text[: len(text) // 2], "no JSON"),
        (lambda _: "[]", "is no preflight.plan/1"),
        (lambda text: text.replace("preflight.plan/1", "preflight.plan/9", 1), "'preflight.plan/9'"),
        (lambda text: text.replace('"kind": "pool-state"', '"kind": "moon-phase"', 1), "no sign 'moon-phase'"),
        (lambda text: re.sub(r'"pools": \[[^]]*\]', '"pools": 7', text, count=1), "`pools` is of another type"),
        (lambda text: text.replace('"phase": "window"', '"phase": "dawn"', 1), "as `phase` of a scan"),
        (lambda text: text.replace('"signs": [', '"sings": [', 1), "].verification.signs is missing"),
        (
            lambda text: text.replace('"number": "1.1"', '"number": 11', 1),
            "clusters[0].parts[0].steps[0].number is no text",
        ),
        (lambda text: text.replace('"nodes": [', '"nodes": [7, ', 1), "].nodes is no list of texts"),
        (lambda text: text.replace('"parts": [', '"arts": [', 1), "clusters[0].refused is no object"),
        (lambda _: "[" * 100_000, "no plan"),
        (lambda _: "\udcff", "no JSON"),
    ],
)
def test_a_kept_plan_that_cannot_be_used_is_refused_with_the_reason(edit: object, said: str, tmp_path: Path) -> None:
    assert callable(edit)
    file = tmp_path / "inventory.plan.json"
    text = edit(plan_json.render(book("vault-mirrored")))
    file.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError, match=re.escape(said)):
        read_plan(file)


def scheduled(name: str, window: timedelta | None, **own: timedelta) -> Runbook:
    made = timed(book(name), window, {step.replace("_", "-"): length for step, length in own.items()})
    (plan,) = made.plans
    assert isinstance(plan, Runbook)
    return plan


HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def test_what_is_not_known_is_never_taken_for_fitting() -> None:
    plan = scheduled("vault-single", 100 * HOUR)
    assert plan.schedule
    assert plan.schedule.fits is None
    text = markdown.render(dataclasses.replace(book("vault-single"), plans=(plan,)))
    assert re.search(r"Whether it fits into 100h cannot be told: \w+ are known, for \d+ of \d+ steps", text)
    assert "not known: time it in a rehearsal" in text
    for report in (text, html.render(dataclasses.replace(book("vault-single"), plans=(plan,)))):
        assert "The way back" in report


def test_what_is_known_to_be_too_long_does_not_fit_and_is_a_failure_only_with_strict() -> None:
    plan = scheduled("vault-single", HOUR, upgrade_first=2 * HOUR)
    assert plan.schedule
    assert plan.schedule.fits is False
    assert plan.verdict is Verdict.GO
    made = timed(book("vault-single"), HOUR, {"upgrade-first": 2 * HOUR}, strict=True)
    assert made.verdict is Verdict.NO_GO
    assert made.exit_code == 1
    assert "NO-GO: it does not fit the window" in markdown.render(made)


def test_with_every_figure_it_is_told_whether_it_fits_and_until_when_one_can_turn_back() -> None:
    whole = runbook("chef-within-3")
    names = {step.id for _, _, step in numbered_steps(whole)} | {step.id for _, step in steps_back(whole)}
    own = dict.fromkeys(names, MINUTE) | {"R2": 30 * MINUTE}
    steps = sum(number.partition(".")[0] != "1" for number, _, _ in numbered_steps(whole))
    back = len(list(steps_back(whole))) - 1 + 30
    (plan,) = timed(book("chef-within-3"), 2 * HOUR, own).plans
    assert isinstance(plan, Runbook)
    assert plan.schedule
    assert plan.schedule.fits is True
    assert plan.schedule.known_s == steps * 60
    assert plan.schedule.turn_back_s == 7200 - back * 60
    first = next(at for at, (_, part, step) in enumerate(numbered_steps(whole)) if step.no_return)
    before = sum(not number.startswith("1.") for number, _, _ in list(numbered_steps(whole))[:first])
    assert plan.schedule.no_return_s == before * 60
    (late,) = timed(book("chef-within-3"), 20 * MINUTE, own).plans
    assert isinstance(late, Runbook)
    assert late.schedule
    assert late.schedule.fits is False


def test_an_estimate_says_where_it_comes_from() -> None:
    steps = {step.id: step.takes for _, _, step in numbered_steps(runbook("vault-two-step"))}
    assert steps["enter-maintenance-mode"].seconds == 300
    assert steps["enter-maintenance-mode"].origin == "vendor"
    assert steps["back-up-database"].origin == "measured"
    assert "at 100 MB/s, which is assumed" in steps["back-up-database"].basis
    assert steps["upgrade-first"].seconds is None
    assert all(one.seconds is None or one.origin != "unknown" for one in steps.values())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--window", "2"], "a unit is missing"),
        (["--window", "soon"], "expected a length of time"),
        (["--window", "2h", "--takes", "upgrade-first"], "expected STEP=TIME"),
        (["--takes", "upgrade-frist=2m"], 'no such step|no plan has such a step; did you mean "upgrade-first"'),
        (["--json", "-", "-o", "-"], "the same place"),
        (["--check", "2.1", "-o", "plan.md"], "--check follows a plan, and -o would make one"),
        (["--plan", "plan.json"], "say which STEP"),
        (["--check", "2.1", "--plan", "none.json"], "there is no such file"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    options: list[str], said: str, tmp_path: Path, preflight: Preflight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with Lab(load_scenario(PLANS / "vault-single.toml")) as lab:
        ended = preflight("plan", lab.write(tmp_path), "-q", *options)
    assert ended.code == 2
    assert re.search(said, ended.err)
    assert not list(tmp_path.glob("plan*"))


def test_the_command_writes_what_it_is_asked_for_and_says_the_window_on_the_console(
    tmp_path: Path, preflight: Preflight
) -> None:
    with Lab(load_scenario(PLANS / "vault-single.toml")) as lab:
        inventory = lab.write(tmp_path)
        file = tmp_path / "inventory.plan.json"
        ended = preflight("plan", inventory, "--json", file, "--window", "1m", "--takes", "upgrade-first=2h30m")
        assert ended.code == 0
        assert "warning: It does not fit into 1m" in ended.out
        strict = preflight(
            "plan", inventory, "--json", "-", "--window", "1m", "--takes", "upgrade-first=2h", "--strict"
        )
        assert strict.code == 1
        assert json.loads(strict.out)["verdict"] == "NO-GO"
        assert preflight("plan", inventory, "-q", "--json", file, "-o", tmp_path / "plan.md").code == 0
    jsonschema.validate(json.loads(file.read_text(encoding="utf-8")), closed(plan_json.schema()))
    assert (tmp_path / "plan.md").read_text(encoding="utf-8").startswith("# Upgrade plan")
