"""Plans of whole clusters, made from what the lab's nodes say, against the reviewed ones beside them.

So is what facts show of each step once it is done, in `looks/`: what is missing there is taken for done unseen.
`python -m tests.test_scanner.test_plan` writes them anew; what has changed is then reviewed in the diff.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import shlex
import tempfile
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from checks.registry import PRODUCTS, plan_facts
from checks.runbook.following import followed, told
from checks.runbook.model import Refusal, Runbook, RunbookSet, numbered_steps, steps_back
from reports.render import html, markdown
from scanner.cli.answers import collect_or_load
from scanner.inventory.select import select
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from scanner.loading.inventory import load_inventory
from scanner.run.plans import build_runbooks
from scanner.run.prepare import build_request
from tests.test_scanner.conftest import Ended, Preflight

PLANS = Path(__file__).with_name("plans")
NAMES = sorted(path.stem for path in PLANS.glob("*.toml"))
PORTS = re.compile(r"port \d{4,5}")


@functools.lru_cache(maxsize=64)
def book(name: str) -> RunbookSet:
    """The plans of a scenario, with the times and paths of no day and no machine."""
    with tempfile.TemporaryDirectory() as folder, Lab(load_scenario(PLANS / f"{name}.toml")) as lab:
        selection = select(load_inventory(lab.write(Path(folder))), (), (), {})
        job = dataclasses.replace(build_request(selection), inventory_name="inventory.toml", also=plan_facts(PRODUCTS))
        made = build_runbooks(job, collect_or_load(job, selection, quiet=True), date(2026, 11, 20))
    return dataclasses.replace(made, asked=datetime(2026, 11, 20, 22, 0, tzinfo=UTC), tool_version="1.0", notices=())


def text(name: str) -> str:
    return PORTS.sub("port 5986", markdown.render(book(name)))


def looks(name: str) -> str:
    """What `plan --check` looks for, step by step, and what it says that no fact shows."""
    lines = []
    for step in (step for plan in book(name).plans if isinstance(plan, Runbook) for step in followed(plan)):
        lines += [f"{step.number} {step.kind}", *(f"  {told(sign)}" for sign in step.signs)]
        lines += [f"  unseen: {step.unseen}"] if step.unseen else []
    return "\n".join([*lines, ""])


def runbook(name: str) -> Runbook:
    (plan,) = book(name).plans
    assert isinstance(plan, Runbook)
    return plan


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_is_the_reviewed_one(name: str) -> None:
    assert text(name) == (PLANS / f"{name}.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_what_shows_that_a_step_is_done_is_the_reviewed(name: str) -> None:
    assert looks(name) == (PLANS / "looks" / f"{name}.txt").read_text(encoding="utf-8")


def test_every_documented_step_is_in_one_of_the_plans() -> None:
    plans = [plan for name in NAMES for plan in book(name).plans]
    books = [plan for plan in plans if isinstance(plan, Runbook)]
    found = {each for plan in books for _, _, step in numbered_steps(plan) for each in step.documented}
    found |= {each for plan in books for trouble in plan.troubles for each in trouble.documented}
    found |= {each for plan in books for step in plan.steps_back for each in step.documented}
    refused = {"chef-ha drbd"} if any(isinstance(plan, Refusal) and "DRBD" in plan.reason for plan in plans) else set()
    assert {step for one in PRODUCTS for step in one.documented_steps} - found - refused == set()


@pytest.mark.parametrize("name", NAMES)
def test_the_same_step_is_the_same_wherever_it_stands(name: str) -> None:
    for plan in book(name).plans:
        if isinstance(plan, Runbook):
            numbers = [number for number, _, _ in numbered_steps(plan)]
            assert len(numbers) == len(set(numbers))
            assert all(step.title and step.proof for _, _, step in numbered_steps(plan) if step.id != "point-back")


def test_the_two_files_are_never_copied_from_node_to_node() -> None:
    copies = [
        command.text
        for name in NAMES
        for plan in book(name).plans
        if isinstance(plan, Runbook)
        for _, _, step in numbered_steps(plan)
        for command in step.commands
        if "robocopy" in command.text
        and "\\\\" in command.text
        and "TMS" not in command.text
        and "PM" not in command.text
    ]
    assert copies
    assert all(text.endswith("/XF database.config encryption.config") for text in copies)


def test_the_others_are_stopped_before_the_first_is_upgraded_and_started_after_the_copy() -> None:
    hops = [part for part in runbook("vault-mirrored").parts if part.title.startswith("Hop")]
    every = [step.id for part in hops for step in part.steps]
    for once in ("point-to-primary-database", "close-outside-access", "point-back"):
        assert every.count(once) == 1
    assert every.index("point-to-primary-database") < every.index("stop-others")
    assert every.index("point-back") > max(at for at, each in enumerate(every) if each == "wait-for-mirror")
    for part in hops:
        ids = [step.id for step in part.steps]
        if "upgrade-first" in ids:
            first = ids.index("upgrade-first")
            assert ids.index("stop-others") < first
            assert first < ids.index("copy-application") < ids.index("start-other")
            assert len([each for each in ids if each == "start-other"]) == 2
            assert ids.index("wait-for-mirror") > max(at for at, each in enumerate(ids) if each == "start-other")


def test_followers_come_one_at_a_time_and_the_leader_last() -> None:
    (hop,) = [part for part in runbook("chef-rolling").parts if part.title.startswith("Hop")]
    steps = [(step.id, step.commands[0].where) for step in hop.steps if step.commands]
    order = [where for each, where in steps if each in ("upgrade-backend", "upgrade-leader")]
    assert order == ["backend-1", "backend-3", "backend-2"]
    ids = [each for each, _ in steps]
    assert (
        ids.index("failover-off")
        < ids.index("upgrade-backend")
        < ids.index("upgrade-leader")
        < ids.index("failover-on")
    )


def hop_ids(name: str, number: int) -> list[str]:
    return [step.id for step in runbook(name).parts[number].steps]


def test_downtime_takes_the_leader_down_first_and_upgrades_it_last() -> None:
    ids = hop_ids("chef-downtime", 1)
    down = ["install-everywhere", "take-leader-down", "take-followers-down"]
    up = ["upgrade-down-follower", "upgrade-down-follower", "upgrade-down-leader", "reconfigure-frontends"]
    assert ids == ["identify-leader", *down, *up, "verify-hop"]


def test_an_old_index_is_deleted_with_everything_stopped_and_failover_comes_back_after_its_definition() -> None:
    ids = hop_ids("chef-old-index", 2)
    order = ["stop-frontends", "failover-off", "upgrade-leader", "stop-elasticsearch", "delete-index"]
    order += ["start-elasticsearch", "define-index", "failover-on", "rebuild-index", "start-frontends", "verify-hop"]
    assert [each for each in ids if each in order] == order


def test_plain_keys_come_before_the_backups_and_pool_settings_after_the_stop() -> None:
    gate = [step.id for step in runbook("vault-mirrored").parts[0].steps]
    assert gate.index("turn-dpapi-off") < gate.index("back-up-application") < gate.index("keep-plain-key")
    assert gate[-1] == "pass-the-gate"
    ids = hop_ids("vault-mirrored", 2)
    assert ids.index("install-dotnet-48") < ids.index("stop-others") < ids.index("set-pool-pipeline")
    assert ids.index("set-pool-pipeline") < ids.index("upgrade-first")


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("chef-") and name != "chef-drbd"])
def test_the_way_back_of_a_chef_cluster_has_a_command_and_a_proof_for_each_step(name: str) -> None:
    plan = runbook(name)
    ids = [step.id for step in plan.steps_back]
    order = ["back-stop-frontends", "back-install-old", "back-restore", "back-join", "back-configure-frontend"]
    assert [each for each in dict.fromkeys(ids) if each in order] == order
    assert ids[-2:] == ["back-reindex", "back-verify"]
    assert all(step.commands and step.proof for step in plan.steps_back)
    # A package that refuses an older version is no way back.
    assert not [c.text for step in plan.steps_back for c in step.commands if "-iEG" in c.text]
    upgraded = {machine for part in plan.parts for step in part.steps for c in step.commands if (machine := c.where)}
    backends = {c.where for step in plan.steps_back for c in step.commands if "chef-backend" in c.text}
    assert not backends & upgraded, "the new cluster is built on machines of its own"


@pytest.mark.parametrize("name", NAMES)
def test_a_step_of_no_return_says_so_before_its_command(name: str) -> None:
    for plan in book(name).plans:
        for number, _, step in numbered_steps(plan) if isinstance(plan, Runbook) else ():
            if step.no_return:
                rest = text(name).partition(f"**{number}** ")[2]
                assert -1 < rest.index("Point of no return") < rest.index(step.commands[0].text)
                page = html.render(book(name)).partition(f'<span class="number">{number}</span>')[2]
                assert -1 < page.index("Point of no return") < page.index("<code>")


def test_a_single_node_stops_nobody_and_copies_nothing() -> None:
    ids = {step.id for _, _, step in numbered_steps(runbook("vault-single"))}
    assert not ids & {"stop-others", "copy-application", "start-other", "point-to-primary-database", "carry-backup"}
    assert "upgrade-first" in ids


@pytest.mark.parametrize(
    ("nodes", "reason", "exit_code"),
    [
        ('[clusters.chef.nodes.backend-2]\nchef = {version = "2.2.5"}', "do not run the same version", 1),
        ('[clusters.chef.nodes.backend-2]\nfault = "refuse"', "installed version is unknown: backend-2", 3),
        (
            "".join(f'[clusters.chef.nodes.backend-{n}]\nchef = {{role = "waiting_for_leader"}}\n' for n in (1, 2, 3)),
            "shows 0 leaders instead of one",
            1,
        ),
        ('[clusters.chef.nodes.backend-3]\nchef = {sees = ["backend-3"]}', "do not see the same cluster", 1),
    ],
    ids=["versions", "unreachable", "no-leader", "partition"],
)
def test_a_cluster_that_cannot_be_planned_gets_the_reason(
    tmp_path: Path, preflight: Preflight, nodes: str, reason: str, exit_code: int
) -> None:
    ended = _planned(tmp_path, preflight, f'extends = "{PLANS / "chef-rolling.toml"}"\ntitle = "Broken"\n{nodes}\n')
    assert ended.code == exit_code
    assert "no plan" in ended.out
    assert reason in ended.out
    assert "What to do instead" in ended.out
    assert "- [ ] **1.1**" not in ended.out


def _planned(folder: Path, preflight: Preflight, scenario: str, *more: str) -> Ended:
    file = folder / "scenario.toml"
    file.write_text(scenario, encoding="utf-8")
    with Lab(load_scenario(file)) as lab:
        return preflight("plan", lab.write(folder), "-q", *more)


def test_from_1_to_3_the_plan_goes_by_2_3_16_and_its_gate_can_be_passed(tmp_path: Path, preflight: Preflight) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(f'extends = "{PLANS / "chef-downtime.toml"}"\ntitle = "Far"\n', encoding="utf-8")
    with Lab(load_scenario(file)) as lab:
        inventory = lab.write(tmp_path)
        ended = preflight("plan", inventory, "-q", "--target", "3.1.1")
        (gate,) = re.findall(r"preflight (scan .* --target chef=2.3.16 --phase before)", ended.out)
        gated = preflight(*shlex.split(gate))
    assert "### 2. Hop 1 of 2: 1.4.6 to 2.3.16, with the whole cluster down" in ended.out
    assert "### 3. Hop 2 of 2: 2.3.16 to 3.1.1, with the frontends stopped and the search index made anew" in ended.out
    assert gated.code == 0
    assert "1.4.6 to 2.3.16: no rolling upgrade, the full cluster goes down" in gated.out


@pytest.mark.parametrize(("staged", "code"), [("3.0.0-1.el7", 0), ("3.1.1-1.el7", 1)])
def test_a_target_that_is_installed_is_said_with_the_exit_code_of_a_scan(
    tmp_path: Path, preflight: Preflight, staged: str, code: int
) -> None:
    file = tmp_path / "scenario.toml"
    more = f'[clusters.chef.defaults]\nlinux = {{staged_version = "{staged}"}}\n'
    file.write_text(f'extends = "{PLANS / "chef-within-3.toml"}"\ntitle = "There"\n{more}', encoding="utf-8")
    with Lab(load_scenario(file)) as lab:
        inventory = lab.write(tmp_path)
        scanned = preflight("scan", inventory, "--target", "3.0.0")
        planned = preflight("plan", inventory, "-q", "--target", "3.0.0")
    assert (scanned.code, planned.code) == (code, code)
    assert "othing to do: 3.0.0 is installed" in planned.out
    assert "nothing to do: 3.0.0 is installed" in scanned.out


def test_the_plan_goes_where_it_is_asked_to_and_says_the_rest_on_the_console(
    tmp_path: Path, preflight: Preflight
) -> None:
    with Lab(load_scenario(PLANS / "chef-within-3.toml")) as lab:
        inventory = lab.write(tmp_path)
        for name, head in (("plan.md", "# Upgrade plan"), ("plan.html", "<!DOCTYPE html>")):
            ended = preflight("plan", inventory, "-o", tmp_path / name)
            assert ended.code == 0
            assert "chef: Chef Backend 3.0.0 to 3.1.1" in ended.out
            assert (tmp_path / name).read_text(encoding="utf-8").startswith(head)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["-o", "plan.pdf"], "has to end in .md or .html"), (["--cluster", "nope"], "nope"), (["-o", "no/plan.md"], "no")],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(
    tmp_path: Path, preflight: Preflight, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with Lab(load_scenario(PLANS / "chef-within-3.toml")) as lab:
        ended = preflight("plan", lab.write(tmp_path), *arguments)
    assert ended.code == 2
    assert said in ended.err
    assert not list(tmp_path.glob("plan*"))


def test_evidence_gives_the_same_plan_without_contact(tmp_path: Path, preflight: Preflight) -> None:
    with Lab(load_scenario(PLANS / "chef-within-3.toml")) as lab:
        inventory = lab.write(tmp_path)
        live = preflight("plan", inventory, "-q")
        assert preflight("collect", inventory, "-o", tmp_path / "e.json.gz", "-q").code == 0
    kept = preflight("plan", inventory, "--from", tmp_path / "e.json.gz", "-q")
    assert kept.code == live.code
    start = "## chef"
    assert kept.out[kept.out.index(start) :] == live.out[live.out.index(start) :]


@pytest.mark.parametrize("name", NAMES)
def test_the_page_says_what_the_text_says(name: str) -> None:
    page = html.render(book(name))
    for plan in book(name).plans:
        if isinstance(plan, Runbook):
            for number in (
                *(number for number, _, _ in numbered_steps(plan)),
                *(number for number, _ in steps_back(plan)),
            ):
                assert f'<span class="number">{number}</span>' in page
    # A step that is no step of the vendor's claims no document.
    assert not re.search(r"<small>(As in)?\s*</small>", page)
    assert "http://" not in re.sub(r'href="[^"]*"|>[^<]*<', "", page)


HOSTILE = '"><script>alert(1)</script>`rm -rf /` & del'


def test_a_hostile_name_gets_into_no_command() -> None:
    from checks.runbook.names import CommandQuoter

    names = CommandQuoter()
    for word in (names.cmd, names.path):
        said = word(HOSTILE, "the pool of web1")
        assert "script" not in said
        assert "<the pool of web1>" in said
    assert names.cmd("pool%PATH%", "a pool") == '"<a pool>"'
    assert names.cmd("/MIR", "a folder") == '"<a folder>"'
    assert names.cmd("C:\\folder\\", "a folder") == '"<a folder>"'
    assert names.cmd("Secret Server (x86)", "a pool") == '"Secret Server (x86)"'
    assert names.posix("a'b; rm -rf /", "a path") == "'a'\"'\"'b; rm -rf /'"
    assert len(names.unknown) == 3


if __name__ == "__main__":
    for each in NAMES:
        (PLANS / f"{each}.md").write_text(text(each), encoding="utf-8")
        (PLANS / "looks" / f"{each}.txt").write_text(looks(each), encoding="utf-8")
