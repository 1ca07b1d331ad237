"""CONTRIBUTING's recipe for a product is the example's, and what it says to type works."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.example_product import EXAMPLE, TOP, install, preflight

CONTRIBUTING = (TOP / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXITS = {"scan": 1, "baseline": 0, "drift": 0, "plan": 1, "explain": 0}
"""One server of the scenario is not synchronized: no window opens over that."""


def blocks(kind: str) -> list[tuple[str, str]]:
    return re.findall(rf"<!-- {kind}: (\S+) -->\n```\w+\n(.*?)```", CONTRIBUTING, re.DOTALL)


def test_each_piece_that_is_shown_is_the_example_s() -> None:
    shown = blocks("of")
    assert len(shown) >= 5
    for name, text in shown:
        assert text in (EXAMPLE / name).read_text(encoding="utf-8"), name


def test_the_recipe_tells_of_every_file_of_the_example() -> None:
    section = CONTRIBUTING.partition("## Add a product in a day")[2].partition("\n## ")[0]
    files = {path.relative_to(EXAMPLE).as_posix() for path in EXAMPLE.rglob("*.*") if path.is_file()}
    named = {
        name for name in files if re.search(rf"\b{re.escape(name.rpartition('/')[2].partition('.')[0])}\b", section)
    }
    ours = {name for name in files if "__pycache__" not in name and "/supported" not in name and "build" not in name}
    assert ours - named - {"pyproject.toml", "preflight_chrony/scenarios/chrony-healthy.toml"} == set()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is installed."""
    return install(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def lab(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which the recipe's lab runs."""
    folder = tmp_path_factory.mktemp("product")
    ((_, command),) = [block for block in blocks("product") if block[0] == "lab"]
    running = subprocess.Popen(
        [sys.executable, "-u", "-m", "scanner", *command.split()[1:]],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(TOP)]), "NO_COLOR": "1"},
    )
    assert running.stdout
    said = ""
    while "Ctrl-C" not in said:
        line = running.stdout.readline()
        assert line, f"the lab ended: {said}"
        said += line
    yield folder
    running.send_signal(signal.SIGINT)
    rest, _ = running.communicate(timeout=30)
    assert rest.strip() == "the lab is closed"


def test_the_commands_of_the_recipe_work(site: Path, lab: Path) -> None:
    ((_, commands),) = [block for block in blocks("product") if block[0] == "commands"]
    told = {}
    for line in commands.splitlines():
        words = line.split()[1:]
        done = preflight(site, lab, *words)
        assert done.returncode == EXITS[words[0]], f"{line}\n{done.stdout}{done.stderr}"
        told[" ".join((words[0], *words[2:]))] = done.stdout
    assert "not synchronized: Leap status: Not synchronised, stratum 0" in told["scan"]
    assert told["scan"].count("FAIL") == 1
    followed = told["plan --check all"]
    assert "time-1 runs 4.3" in followed
    plan = json.loads((lab / "lab" / "inventory.plan.json").read_text(encoding="utf-8"))
    step = plan["clusters"][0]["parts"][1]["steps"][0]
    assert step["sources"] == [
        {
            "step": "CHRONYC waitsync",
            "says": "wait until the clock is synchronized, before anything relies on it",
            "document": "chronyc(1)",
            "url": "https://chrony-project.org/doc/4.5/chronyc.html",
        }
    ]
    assert step["verification"]["signs"] == [
        {"kind": "chrony-version", "nodes": ["time-1"], "want": {"version": "4.5"}, "told": "time-1: chronyd 4.5"}
    ]


def test_its_scenarios_have_names_like_the_built_in_ones(site: Path, tmp_path: Path) -> None:
    listed = preflight(site, tmp_path, "lab", "--list")
    assert "chrony-healthy                    Two time servers in good health" in listed.stdout
    assert "chrony-unsynchronized             One time server has lost its sources" in listed.stdout
    copied = preflight(site, tmp_path, "lab", "--copy", "mine.toml", "chrony-healthy")
    assert copied.returncode == 0, copied.stderr
    assert 'product = "chrony"' in (tmp_path / "mine.toml").read_text(encoding="utf-8")
