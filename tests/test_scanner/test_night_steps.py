"""Whole nights, followed with `plan --check` after every step: what is done shows, and a slip at any step shows, too.

Each step is looked at before it is done, done on the wrong node, and done; and its neighbour is done in its place.
What no look can notice is listed here with the reason: it may only shrink.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import pytest

from checks.registry import PRODUCTS, plan_facts
from checks.runbook.model import Runbook, Step, numbered_steps
from reports.runbook import json
from scanner.cli.answers import collect_or_load
from scanner.cli.options import resolve_options
from scanner.run.plans import build_runbooks
from tests.test_scanner.conftest import Ended, Preflight
from tests.test_scanner.night_lab import ACTS, Site, Table, table_of
from tests.test_scanner.test_plan import PLANS

DONE, NOT_DONE, CANNOT_TELL = 0, 1, 3
CODES = {DONE: "done", NOT_DONE: "not done", CANNOT_TELL: "cannot tell"}
SKIPPED, ELSEWHERE, TOO_EARLY = "skipped", "done on another node", "done before the step in front of it"


def planned(name: str, cluster: Table | None = None, **windows: object) -> Table:
    """The site of a reviewed plan; `windows` is what else its web nodes are, `cluster` what its inventory says."""
    table = table_of(PLANS / f"{name}.toml")
    (found,) = table["clusters"].values()
    found["inventory"] |= cluster or {}
    for node in found["nodes"].values():
        if "web" in node["roles"]:
            node["windows"] |= windows
    return table


def two_step() -> Table:
    """Two nodes, one with a file under EFS, over the mandatory two steps."""
    authentication = {"windows": "true", "anonymous": "false"}
    declared: Table = {"integrated_windows_auth": True}
    return planned("vault-two-step", declared, iis={"authentication": authentication})


def in_a_group() -> Table:
    """Two nodes with a database in an availability group."""
    table = two_step()
    replicas = [{"server": "SQL1", "own": True, "role": 1}, {"server": "SQL2", "role": 2}]
    nodes = table["clusters"]["vault"]["nodes"]
    nodes["sql1"]["windows"]["sql"][0]["databases"] = [{"version": "10.9.000003", "replicas": replicas}]
    nodes["web2"]["windows"].pop("encryption_config")
    return table


NIGHTS: Mapping[str, Callable[[], Table]] = {
    # Three nodes over two stops: mirrored, under DPAPI, with TMS, one file under EFS, and another site.
    "vault-mirrored": lambda: planned("vault-mirrored", dotnet="4.7.2", iis={"mode": "Classic"}),
    "vault-two-step": two_step,
    "vault-group": lambda: planned("vault-group"),
    "vault-two-in-a-group": in_a_group,
    "chef-rolling": lambda: planned("chef-rolling"),
    "chef-debian": lambda: planned("chef-debian"),
    "chef-downtime": lambda: planned("chef-downtime", {"failover": "on"}),
    # 1.x to 3.x: down as a whole, then an index made anew, then the frontends.
    "chef-1-to-3": lambda: planned("chef-1-to-3", {"failover": "on"}),
    "chef-old-index": lambda: planned("chef-old-index"),
}

QUICK = ("vault-two-step", "chef-downtime")

UNNOTICED: Mapping[tuple[str, str], str] = {
    ("start-frontends", SKIPPED): "that a frontend is in maintenance, nothing that a scan reads tells",
    ("back-up-database", TOO_EARLY): "in front of it is a stop or another backup; the upgrade after it asks for it",
    ("stop-others", TOO_EARLY): "who stops too early loses service, and nothing else",
    ("install-dotnet-48", TOO_EARLY): "any time before the installer will do",
    ("set-pool-pipeline", TOO_EARLY): "any time before the installer will do",
    ("set-iis-authentication", TOO_EARLY): "any time before the installer will do",
    ("upgrade-first", TOO_EARLY): "IIS's settings are judged by their own steps, and by the scan at the hop's end",
    ("copy-application", TOO_EARLY): "in front of it another node is started: one has nothing to do with the other",
    ("turn-dpapi-on", TOO_EARLY): "in front of it is the other site, which has a key of its own",
    ("stop-frontends", TOO_EARLY): "who stops too early loses service, and nothing else",
    ("failover-off", TOO_EARLY): "in front of it the frontends are stopped, which has nothing to do with it",
    ("install-package", TOO_EARLY): "a package alone upgrades nothing; the upgrade before it is looked at by itself",
    ("take-leader-down", TOO_EARLY): "a package can be installed later; the upgrade asks for it",
    ("upgrade-down-follower", TOO_EARLY): "of two followers either may be the first",
    ("start-elasticsearch", TOO_EARLY): "an index that was not deleted shows where it is defined anew",
    ("start-frontends", TOO_EARLY): "failover is asked for by its own step, and by the scan at the hop's end",
    ("install-first-frontend", TOO_EARLY): "the scan at the end of the last hop stands between them",
    ("install-other-frontend", TOO_EARLY): "a package alone migrates nothing; the level is looked at by itself",
}
"""Step and slip that the look at the step does not notice, each with the reason. It may only shrink."""

UNTOLD: Mapping[str, str] = {
    "back-up-application": "these sites do not declare where their backups lie",
    "keep-plain-key": "these sites do not declare where their backups lie",
}
"""Steps with signs that are untold though they are done, each with the reason."""


Numbered = Sequence[tuple[str, Step]]


@dataclass(slots=True, kw_only=True)
class Night:
    """A plan that is followed at a site, and what was seen of it."""

    site: Site
    preflight: Preflight
    slips: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """Step's id, its kind and the slip, to the exit code of the look at it."""
    seen: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Step's id to its kind and the exit code once it was done."""
    told: list[str] = field(default_factory=list)
    """What was said of steps that are done and do not show it."""

    @property
    def unnoticed(self) -> set[tuple[str, str]]:
        """Step and slip, where the look said that it was done."""
        return {(kind, slip) for (_, kind, slip), code in self.slips.items() if code == DONE}

    def plan(self) -> Runbook:
        """The plan of this moment, kept as `--json` keeps it."""
        inventory = self.site.write()
        selection, job = resolve_options(inventory)
        job = replace(job, inventory_name="inventory.toml", also=plan_facts(PRODUCTS))
        made = build_runbooks(job, collect_or_load(job, selection, quiet=True), date(2026, 11, 20))
        (plan,) = made.plans
        assert isinstance(plan, Runbook), plan
        inventory.with_name("inventory.plan.json").write_text(json.render(made), encoding="utf-8")
        return plan

    def look(self, number: str) -> Ended:
        ended = self.preflight("plan", self.site.write(), "--check", number, "-q")
        assert ended.code in (DONE, NOT_DONE, CANNOT_TELL), ended
        return ended

    def look_at(self, table: Table, number: str) -> int:
        """The look at a step, were the site as in `table`."""
        kept, self.site.table = self.site.table, table
        code = self.look(number).code
        self.site.table = kept
        return code

    def follow(self) -> None:
        """Take every step, after all that can go wrong with it; a new plan where the plan asks for one."""
        steps = [(number, step) for number, _, step in numbered_steps(self.plan())]
        for place, (number, step) in enumerate(steps):
            self.take(number, step, steps[place + 1 :])
            if step.id == "plan-again":
                self.follow()
                return

    def take(self, number: str, step: Step, later: Numbered) -> None:
        """Take one step, after all that can go wrong with it, and look at it."""
        if self._acts(step):
            self._slip(number, step, later)
            ACTS[step.id](self.site, step, {})
        ended = self.look(number)
        self.seen[f"{len(self.seen)} {number}"] = (step.id, ended.code)
        if ended.code == NOT_DONE or (ended.code == CANNOT_TELL and step.signs and step.id not in UNTOLD):
            self.told.append(f"{number} {step.id}: {ended.out}")

    def go_wrong(self) -> Runbook:
        """All steps until the last hop is to be proven, those of frontends too, with no look at any: the plan."""
        plan = self.plan()
        for _, part, step in numbered_steps(plan):
            if step.id == "plan-again":
                return self.go_wrong()
            if step.id == "verify-hop" and part is plan.parts[len(plan.path.hops)] and plan.product == "secret-server":
                break
            if self._acts(step):
                ACTS[step.id](self.site, step, {})
        return plan

    def _acts(self, step: Step) -> bool:
        """Whether it changes what a look can see: roles and stand-ins are no nodes of this site."""
        return step.id in ACTS and (
            not any(one.where for one in step.commands) or any(one.where in self.site.nodes for one in step.commands)
        )

    def _slip(self, number: str, step: Step, later: Numbered) -> None:
        act = ACTS[step.id]
        right = self.site.otherwise(act, step)
        if right == self.site.table:
            return  # all of it was there from the beginning
        self.slips[number, step.id, SKIPPED] = self.look(number).code
        for swapped in self._taken_for_another(step):
            wrong = self.site.otherwise(act, step, **swapped)
            if wrong != right:
                self.slips[number, step.id, ELSEWHERE] = self.look_at(wrong, number)
        following = next(((at, one) for at, one in later if self._acts(one)), None)
        if following is not None:
            at, one = following
            early = self.site.otherwise(ACTS[one.id], one)
            self.slips[at, one.id, TOO_EARLY] = self.look_at(early, at)

    def _taken_for_another(self, step: Step) -> Iterator[dict[str, str]]:
        """One node of the step's taken for one of the same role that is none of the step's."""
        commands = (*step.commands, *(step.proof.commands if step.proof else ()))
        nodes = dict.fromkeys(one.where for one in commands if one.where in self.site.nodes)
        for node in nodes:
            (role,) = self.site.nodes[node]["roles"]
            others = [name for name in self.site.of_role(role) if name not in nodes]
            if others:
                yield {node: others[0]}
                return


def followed(name: str, folder: Path, preflight: Preflight, monkeypatch: pytest.MonkeyPatch) -> Night:
    """A whole night; nothing that is done is taken for missing, and no slip but the listed ones for done."""
    night = Night(site=Site(folder, NIGHTS[name](), monkeypatch), preflight=preflight)
    night.follow()
    assert not night.told
    codes = {code for _, code in night.seen.values()}
    assert NOT_DONE not in codes
    kinds = {kind for kind, _ in night.seen.values()}
    assert kinds >= {"pass-the-gate", "verify-hop", "scan-after"}
    assert all(
        code == DONE for kind, code in night.seen.values() if kind in ("pass-the-gate", "verify-hop", "scan-after")
    )
    assert night.unnoticed <= UNNOTICED.keys()
    table = night.preflight("plan", night.site.write(), "--check", "all", "-q")
    assert not re.search(r"^\S+ +not done ", table.out, re.MULTILINE), f"in the morning: {table.out}"
    assert sum(code == NOT_DONE for code in night.slips.values()) > len(night.slips) / 2
    return night


def folder_of(parent: Path, name: str) -> Path:
    """A new folder for one night."""
    folder = parent / name
    folder.mkdir()
    return folder


def tallied(
    nights: Iterable[tuple[str, Night]], record_property: Callable[[str, object], None]
) -> set[tuple[str, str]]:
    """The slips that passed unnoticed in any of the nights; how each night's looks ended is recorded."""
    found: set[tuple[str, str]] = set()
    for name, night in nights:
        found |= night.unnoticed
        looks = Counter(f"{slip}: {CODES[code]}" for (_, _, slip), code in night.slips.items())
        record_property(name, f"{len(night.seen)} steps; {dict(looks)}")
    return found


@pytest.mark.parametrize("name", QUICK)
def test_each_step_shows_once_it_is_done_and_a_slip_at_any_shows_too(
    name: str, tmp_path: Path, preflight: Preflight, monkeypatch: pytest.MonkeyPatch
) -> None:
    night = followed(name, tmp_path, preflight, monkeypatch)
    assert not [kind for _, kind, slip in night.slips if slip == SKIPPED and (kind, slip) in night.unnoticed]


@pytest.mark.slow
def test_every_night_and_no_more_slips_pass_unnoticed_than_are_listed(
    tmp_path: Path,
    preflight: Preflight,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    nights = ((name, followed(name, folder_of(tmp_path, name), preflight, monkeypatch)) for name in NIGHTS)
    assert tallied(nights, record_property) == UNNOTICED.keys()
