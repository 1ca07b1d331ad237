"""A raise at any function that a scan calls, with secrets in all that it holds: none shows, no verdict is made up.

The functions are found by reflection, and tried in processes of their own: see tests/seams. A sample is tried each
time, all of them in the slow run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario

TOP = Path(__file__).parents[2]
ENDS = {0: "GO", 2: "a problem that is told", 3: "UNKNOWN", 70: "a defect"}
"""1, NO-GO, is none of them: nothing is wrong with the nodes. Neither is what the interpreter ends with."""
LEAKY = [
    "checks.history.scan_comparison:_point",  # told among the notices, after all else was clean
    "scanner.probes.batch.powershell:_gunzip",  # what it says was cut before secrets were taken out of it
    "scanner.secrets.secret:Secret.reveal",  # while a secret is fetched it is not known yet
    "scanner.transports.deadline:_Watchdog._watch",  # a thread of its own, whose end Python tells in its own way
]
"""Seams that once showed a secret."""
WARNS = "secret-server-resources "
"""The check that warns, and says so, where a machine does not tell its hardware: too little of it would be no more."""
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="scans are forked")


def struck(folder: Path, conversing: int, judging: int, seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The scan without a raise, and those with one each."""
    with Lab(load_scenario(TOP / "tests" / "seams" / "site.toml")) as lab:
        order = {
            "inventory": str(lab.write(folder)),
            "secrets": [lab.secrets[0], lab.secrets[2]],
            "conversing": conversing,
            "judging": judging,
            "seed": seed,
            "always": LEAKY,
        }
        done = subprocess.run(
            [sys.executable, "-m", "tests.seams.zygote"],
            input=json.dumps(order),
            stdout=subprocess.PIPE,
            text=True,
            cwd=TOP,
            check=True,
        )
    reference, counts, *rest = map(json.loads, done.stdout.splitlines())
    assert (reference["code"], reference["leaks"]) == (0, {}), reference
    # Fewer would mean that they are not found any more.
    assert counts["conversing"] > 250
    assert counts["judging"] > 350
    return reference, rest


def faults(reference: dict[str, Any], results: list[dict[str, Any]]) -> list[str]:
    """What went wrong, with the name of the seam."""
    found = []
    for result in results:
        name, code = result["name"], result["code"]
        if result["leaks"]:
            found.append(f"{name} shows a secret in {sorted(result['leaks'])}: {result['shown'][-500:]}")
        if result["hung"] or code not in ENDS:
            found.append(f"{name}: ended with {code}, hung {result['hung']}: {result['stderr'][-300:]}")
        statuses = (result["statuses"] or {}).items()
        now = {key: status for key, status in statuses if not (key.startswith(WARNS) and status == "warn")}
        if code == 0 and any(reference["statuses"].get(key) != status for key, status in now.items()):
            found.append(f"{name}: GO although something was not judged")
        if result["conversing"] and code == 3 and (result.get("reached") or 0) < reference["reached"] - 1:
            found.append(f"{name}: cost more nodes than its own, {result.get('reached')} answered")
        if code == 2 and "preflight: " not in result["stderr"]:
            found.append(f"{name}: said nothing")
    return found


def test_a_sample_of_all_seams(tmp_path: Path) -> None:
    reference, results = struck(tmp_path, 3, 7, seed=7)
    tried = {result["name"] for result in results}
    assert len(tried) >= 10
    assert tried.issuperset(LEAKY)
    assert sum(bool(result["told"]) for result in results) >= len(results) - 1
    assert faults(reference, results) == []


@pytest.mark.slow
def test_all_seams(tmp_path: Path) -> None:
    reference, results = struck(tmp_path, -1, -1, seed=1)
    assert sum(bool(result["told"]) for result in results) > len(results) * 0.95
    assert faults(reference, results) == []
