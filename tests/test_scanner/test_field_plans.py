"""Plans for real sites: the vendor's order, a gate that can be passed, and a listener that is confirmed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from tests.test_scanner.test_field_sites import FOLDER


def planned(preflight: Callable[..., Any], lab: Lab, folder: Path) -> str:
    ended = preflight("plan", lab.write(folder), "-o", folder / "plan.md")
    assert ended.code == 0
    return (folder / "plan.md").read_text(encoding="utf-8")


def steps(plan: str) -> list[str]:
    """The titles of its steps, in order."""
    return re.findall(r"^- \[ \] \*\*[\d.]+\*\* (.*)$", plan, re.MULTILINE)


def place(titles: list[str], *words: str) -> int:
    """Where the only step stands whose title has all of `words`."""
    (found,) = [number for number, title in enumerate(titles) if all(word in title.lower() for word in words)]
    return found


def test_what_counts_is_backed_up_when_nobody_writes(preflight: Callable[..., Any], tmp_path: Path) -> None:
    with Lab(load_scenario(str(FOLDER / "p1-two-node.toml"))) as lab:
        titles = steps(planned(preflight, lab, tmp_path))
    hop = titles[place(titles, "outside access", "down") :]
    order = [
        place(hop, "outside access", "down"),
        place(hop, "stop the application pools"),
        place(hop, "enter maintenance mode"),
        place(hop, "back up", "folder"),
        place(hop, "back up", "database"),
        place(hop, "upgrade web1 to"),
    ]
    assert order == sorted(order)


def test_the_gate_of_a_plan_with_stops_can_be_passed(preflight: Callable[..., Any], tmp_path: Path) -> None:
    with Lab(load_scenario(str(FOLDER / "f05-gate-of-a-plan-with-stops.toml"))) as lab:
        plan = planned(preflight, lab, tmp_path)
        first_hop = r"^ *preflight (scan \S+ --cluster vault --target .* --phase before)$"
        (gate,) = set(re.findall(first_hop, plan, re.MULTILINE))
        words = shlex.split(gate)
        assert words[words.index("--target") + 1] == "vault=10.9.000005"
        words[1] = str(tmp_path / "inventory.toml")
        ended = preflight(*words)
    assert ended.code == 0, ended.out


def test_an_availability_groups_listener_is_confirmed_and_nobody_is_pointed_elsewhere(
    preflight: Callable[..., Any], tmp_path: Path
) -> None:
    with Lab(load_scenario(str(FOLDER / "p3-dpapi-group.toml"))) as lab:
        titles = steps(planned(preflight, lab, tmp_path))
    assert any("availability group's listener" in title for title in titles)
    assert not [title for title in titles if re.search(r"\bpoint\b|re-point|point.* back", title, re.IGNORECASE)]
