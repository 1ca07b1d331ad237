"""The benchmarks that need a scheduler run, on next to nothing: what they measure is for whoever types them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("psutil")
pytest.importorskip("distributed")
pytestmark = [pytest.mark.live, pytest.mark.slow]

TOP = Path(__file__).parents[2]


def test_engines_are_measured() -> None:
    """By workers that load the benchmark itself, from where dask puts it."""
    words = ["benchmarks/engines.py", "--nodes", "3", "--workers", "1", "--at-rest", "0.1"]
    done = subprocess.run(
        [sys.executable, *words], cwd=TOP, capture_output=True, text=True, encoding="utf-8", timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    row = done.stdout.splitlines()[-1].split()
    assert row[0] == "3", done.stdout
    assert len(row) == 8


def test_nodes_of_a_live_estate_answer_beside_each_other() -> None:
    """One after the other, as where a stand-in holds up the thread that all conversations share, they take minutes."""
    words = ["benchmarks/live_estates.py", "--nodes", "60", "--seconds", "4", "--commands", "scan"]
    done = subprocess.run(
        [sys.executable, *words], cwd=TOP, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1].split()[:2] == ["60", "scan"]
