"""A night that follows preflight's own plan, step by step: what each step shows is asked for as the plan says.

The site is the lab's. What a person would do at a step is done to its scenario, and every scan that the plan prints is
made through the command line, over real connections. A step that is left out has to be noticed by a later one.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from checks.registry import PRODUCTS, plan_facts
from checks.runbook.model import Command, Runbook, Step, numbered_steps
from scanner.cli.answers import collect_or_load
from scanner.cli.options import resolve_options
from scanner.inventory.select import select
from scanner.inventory.writing.toml_text import dumps
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario, scenario_text
from scanner.loading.inventory import load_inventory
from scanner.run.plans import build_runbooks
from scanner.run.prepare import build_request
from tests.test_scanner.conftest import Preflight
from tests.test_scanner.test_plan import NAMES, PLANS, book

Table = dict[str, Any]
Act = Callable[[Table, Step], None]
"""What a step does to the scenario."""

STOPPED, RUNNING = 3, 1
POOL = "SecretServerAppPool"


def vault() -> Table:
    """Two nodes under DPAPI at 9.1.000001, all in place that 11.7 needs, over a stop; backups are declared."""
    node = {"windows": "2019", "dotnet": "4.8", "app_version": "9.1.000001", "pool_states": {POOL: RUNNING}}
    sql = {"version": "15.0.2000.5", "databases": [{"version": "9.1.000001"}]}
    return {
        "title": "A night at the vault",
        "clusters": {
            "vault": {
                "product": "secret-server",
                "inventory": {"target": "11.7.000049", "dpapi": "on", **BACKUPS["inventory"]},
                "nodes": {
                    "web1": {"roles": ["web"], "windows": {**node, "encryption_config": "key of web1"}},
                    "web2": {"roles": ["web"], "windows": {**node, "encryption_config": "key of web2"}},
                    "sql1": {"roles": ["database"], "windows": {"windows": "2019", "sql": [sql]}},
                },
            }
        },
    }


def chef() -> Table:
    """Three backends at 2.1.0 and two frontends, upgraded one after the other."""
    backend: Table = {
        "roles": ["backend"],
        "chef": {"version": "2.1.0"},
        "inventory": {"package": "/srv/chef-backend-2.3.16-1.el7.x86_64.rpm"},
    }
    nodes: Table = {f"backend-{number}": {**backend, "chef": dict(backend["chef"])} for number in (1, 2, 3)}
    nodes |= {f"frontend-{number}": {"roles": ["frontend"]} for number in (1, 2)}
    return {
        "title": "A night at the kitchen",
        "clusters": {"chef": {"product": "chef-backend", "inventory": {"target": "2.3.16"}, "nodes": nodes}},
    }


BACKUPS = tomllib.loads(scenario_text("backups"))["clusters"]["vault"]
"""What good backups look like, and how they are declared: those of the lab's own scenario."""


def windows(table: Table, name: str) -> Table:
    found: Table = table["clusters"]["vault"]["nodes"][name]["windows"]
    return found


def version_in(title: str) -> str:
    found = re.search(r"to (\d+\.\d+\.\d+)", title)
    assert found, title
    return found[1]


def other_in(title: str) -> str:
    found = re.search(r"web2", title)
    assert found, title
    return found[0]


def turn_dpapi_off(table: Table, _: Step) -> None:
    for name in ("web1", "web2"):
        windows(table, name)["encryption_config"] = "the one plain key"


def turn_dpapi_on(table: Table, _: Step) -> None:
    for name in ("web1", "web2"):
        windows(table, name)["encryption_config"] = f"the key, protected on {name}"


def back_up(name: str) -> Act:
    def act(table: Table, _: Step) -> None:
        windows(table, name)["files"] = BACKUPS["nodes"][name]["windows"]["files"]

    return act


def set_authentication(table: Table, _: Step) -> None:
    table["clusters"]["vault"]["inventory"]["integrated_windows_auth"] = True
    for name in ("web1", "web2"):
        windows(table, name)["iis"] = {"authentication": {"windows": "true", "anonymous": "false"}}


def stop_others(table: Table, _: Step) -> None:
    windows(table, "web2")["pool_states"] = {POOL: STOPPED}


def upgrade_first(table: Table, step: Step) -> None:
    version = version_in(step.title)
    windows(table, "web1")["app_version"] = version
    windows(table, "sql1")["sql"][0]["databases"][0]["version"] = version


def copy_application(table: Table, step: Step) -> None:
    windows(table, other_in(step.title))["app_version"] = windows(table, "web1")["app_version"]


def start_other(table: Table, step: Step) -> None:
    windows(table, other_in(step.title))["pool_states"] = {POOL: RUNNING}


def failover(state: str) -> Act:
    def act(table: Table, _: Step) -> None:
        table["clusters"]["chef"]["inventory"]["failover"] = state

    return act


def upgrade_backend(table: Table, step: Step) -> None:
    name = next(name for name in ("backend-1", "backend-2", "backend-3") if f"Upgrade {name}" in step.title)
    nodes = table["clusters"]["chef"]["nodes"]
    nodes[name]["chef"]["version"] = "2.3.16"
    if "hands the lead over" in step.title:
        heir = "backend-2" if name != "backend-2" else "backend-1"
        nodes[name]["chef"]["role"], nodes[heir]["chef"]["role"] = "follower", "leader"


ACTS: dict[str, Act] = {
    "turn-dpapi-off": turn_dpapi_off,
    "turn-dpapi-on": turn_dpapi_on,
    "back-up-application": back_up("web1"),
    "back-up-database": back_up("sql1"),
    "set-iis-authentication": set_authentication,
    "stop-others": stop_others,
    "upgrade-first": upgrade_first,
    "copy-application": copy_application,
    "start-other": start_other,
    "failover-off": failover("off"),
    "failover-on": failover("on"),
    "upgrade-backend": upgrade_backend,
    "upgrade-leader": upgrade_backend,
}
"""What is done at the steps that change what a scan sees; at the others nothing, or nothing that it looks at."""


@dataclass(slots=True, kw_only=True)
class Night:
    """One night: the scenario as it is by now, and what the plan's scans came to."""

    folder: Path
    table: Table
    preflight: Preflight
    shown: list[tuple[str, str, int]] = field(default_factory=list)
    """Step, scan and exit code of each scan that the plan printed."""
    labs: int = 0

    def lab(self) -> Iterator[Path]:
        """The inventory of the running site, in a folder of its own: each lab has certificates of its own."""
        self.labs += 1
        folder = self.folder / str(self.labs)
        folder.mkdir()
        file = folder / "scenario.toml"
        file.write_text(dumps(self.table), encoding="utf-8")
        with Lab(load_scenario(file)) as lab:
            yield lab.write(folder)

    def plan(self) -> Runbook:
        """The plan that is followed, made before anything is done."""
        for inventory in self.lab():
            selection = select(load_inventory(inventory), (), (), {})
            job = replace(build_request(selection), inventory_name="inventory.toml", also=plan_facts(PRODUCTS))
            (found,) = build_runbooks(job, collect_or_load(job, selection, quiet=True), date(2026, 11, 20)).plans
        assert isinstance(found, Runbook), found
        return found

    def follow(self, plan: Runbook, slip: int | None = None) -> None:
        """Go through all steps in order; without the act at the position `slip`, until somebody notices."""
        for place, (_, _, step) in enumerate(numbered_steps(plan)):
            if step.id in ACTS and place != slip:
                ACTS[step.id](self.table, step)
            scans = [command for command in asked_by(step) if command.text.startswith("preflight scan ")]
            for command in scans:
                for inventory in self.lab():
                    words = [str(inventory) if word == "inventory.toml" else word for word in shlex.split(command.text)]
                    ended = self.preflight(*words[1:], "-q")
                    self.shown.append((step.id, command.text, ended.code))
                if slip is not None and ended.code:
                    return


def asked_by(step: Step) -> Iterator[Command]:
    yield from step.commands
    if step.proof:
        yield from step.proof.commands


SITES = {"vault": vault, "chef": chef}


@pytest.mark.parametrize("site", SITES)
def test_each_scan_of_the_plan_shows_what_it_says(site: str, tmp_path: Path, preflight: Preflight) -> None:
    night = Night(folder=tmp_path, table=SITES[site](), preflight=preflight)
    plan = night.plan()
    done = {step.id for _, _, step in numbered_steps(plan)} & ACTS.keys()
    night.follow(plan)
    assert {step for step, _, _ in night.shown} >= {"pass-the-gate", "verify-hop", "scan-after"}
    assert len(done) >= 4
    assert not [row for row in night.shown if row[2] != 0]


@pytest.mark.parametrize(
    ("site", "step", "noticed"),
    [
        ("vault", "back-up-application", "keep-plain-key"),
        ("vault", "back-up-database", "keep-plain-key"),
        ("vault", "set-iis-authentication", "set-iis-authentication"),
        ("vault", "upgrade-first", "verify-hop"),
        ("vault", "copy-application", "verify-hop"),
        ("vault", "start-other", "verify-hop"),
        ("chef", "upgrade-backend", "verify-hop"),
        ("chef", "upgrade-leader", "verify-hop"),
        ("chef", "failover-off", "failover-off"),
        ("chef", "failover-on", "failover-on"),
    ],
)
def test_a_step_that_was_left_out_is_noticed_by_the_next_proof(
    site: str, step: str, noticed: str, tmp_path: Path, preflight: Preflight
) -> None:
    night = Night(folder=tmp_path, table=SITES[site](), preflight=preflight)
    plan = night.plan()
    slip = next(place for place, (_, _, box) in enumerate(numbered_steps(plan)) if box.id == step)
    night.follow(plan, slip=slip)
    red = [row for row in night.shown if row[2] != 0]
    assert red, "nobody noticed"
    assert red[0][0] == noticed


@pytest.mark.parametrize("name", [name for name in NAMES if name != "chef-drbd"])
def test_no_scan_of_a_plan_is_refused(name: str, tmp_path: Path) -> None:
    """Refused: a usage error, because what is asked for concerns nobody in this very inventory."""
    (plan,) = book(name).plans
    assert isinstance(plan, Runbook)
    every = [*(step for _, _, step in numbered_steps(plan)), *plan.steps_back]
    commands = [command for step in every for command in asked_by(step)]
    commands += [command for trouble in plan.troubles for command in (*trouble.look, *trouble.cure)]
    with Lab(load_scenario(PLANS / f"{name}.toml")) as lab:
        inventory = lab.write(tmp_path)
    asked = {command.text for command in commands if command.text.startswith("preflight scan ")}
    assert asked
    for text in asked:
        words = shlex.split(text)
        said: dict[str, list[str]] = {}
        for option, value in zip(words[3::2], words[4::2], strict=True):
            said.setdefault(option, []).append(value)
        resolve_options(
            inventory,
            cluster=said["--cluster"],
            check=said.get("--check"),
            skip_check=said.get("--skip-check"),
            target=said.get("--target"),
            phase=said["--phase"][0],
        )
