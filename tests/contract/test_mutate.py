"""`make mutation` tells what no test holds, and nothing that one does, wherever the change is."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parents[2]
PRODUCT = """
from collections.abc import Callable
from functools import cache, lru_cache

HELD = 3
FREE = 3


def least(number: int) -> bool:
    return number >= HELD


def free(number: int) -> bool:
    return number >= 50


def nobody_calls(number: int) -> bool:
    return number == 1


def over(limit: int) -> Callable[[int], bool]:
    def judge(number: int) -> bool:
        return number > limit

    return judge


over_five = over(5)


def steps(at: int) -> int:
    while True:
        at += 1
        if at == 3:
            return at


@cache
def kept() -> int:
    return 7


@lru_cache(maxsize=8)
def quick(number: int) -> bool:
    return number < 9


class Machine:
    @property
    def answers(self) -> bool:
        return (
            self is not None
        )
"""
TESTS = """
from checks.thing import Machine, free, kept, least, over_five, quick, steps


def test_least():
    assert least(3) and not least(2)


def test_free():
    assert free(60) and not free(40)


def test_closure():
    assert over_five(6) and not over_five(5)


def test_steps():
    assert steps(0) == 3


def test_kept_first():
    assert kept() == 7


def test_kept():
    assert kept() == 7
    assert quick(8)


def test_quick():
    assert quick(8) and not quick(9)


def test_method():
    assert Machine().answers
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("project")
    (top / "checks").mkdir()
    (top / "tests" / "test_checks").mkdir(parents=True)
    (top / "checks" / "__init__.py").touch()
    (top / "checks" / "thing.py").write_text(PRODUCT)
    (top / "tests" / "test_checks" / "test_thing.py").write_text(TESTS)
    (top / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\n"
        'pythonpath = ["."]\n'
        'addopts = ["--import-mode=importlib", "--strict-markers"]\n'
        'markers = ["slow: takes long"]\n'
    )
    return top


def mutate(top: Path, *arguments: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutate", "--top", str(top), "--results", str(top / "results"), *arguments],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_what_no_test_holds_is_told_and_nothing_else(project: Path) -> None:
    told = mutate(project)
    source = PRODUCT.splitlines()
    survivors = [source[int(line.split(":")[2]) - 1].strip() for line in told if line.startswith("not noticed")]
    assert survivors == [
        "FREE = 3",
        "return number >= 50",  # `>`
        "return number >= 50",  # 51
        "return number == 1",
        "return number == 1",
        "return number == 1",
    ]
    rows = [json.loads(line) for line in (project / "results").read_text().splitlines() if line]
    assert told[-1].startswith(f"| all | {len(rows)} | {len(rows) - 6} | 6 |")
    assert {row["by"] for row in rows if "at += 1" in source[int(row["mutant"].split(":")[1]) - 1]} == {
        "SIGVTALRM ended it"
    }


@pytest.mark.slow
def test_what_was_judged_is_not_judged_again(project: Path) -> None:
    before = mutate(project)
    results = project / "results"
    lines = results.read_text().splitlines(keepends=True)
    results.write_text("".join(lines[:-1]) + lines[-1][:20])
    (project / "tests" / "test_checks" / "test_free.py").write_text(
        "from checks.thing import free\n\n\ndef test_free():\n    assert free(50) and not free(49)\n"
    )
    assert mutate(project)[-1] == before[-1]
    assert mutate(project, "--again")[-1] != before[-1]


def test_tests_of_several_places_hold_what_those_of_each_do(project: Path) -> None:
    further = project / "tests" / "test_further.py"
    further.write_text("from checks.thing import free\n\n\ndef test_free():\n    assert free(50) and not free(49)\n")
    apart = ("--results", str(project / "further"), "--tests", str(further))
    alone = mutate(project, *apart)
    assert not [line for line in alone if line.startswith("not noticed") and "number >= 50" in line]
    both = mutate(project, "--again", *apart, "--tests", str(project / "tests" / "test_checks"))
    assert both[-1].split("|")[4].strip() == "4"


@pytest.mark.slow
def test_parts_share_it(project: Path) -> None:
    whole = mutate(project)[-1].split("|")[2].strip()
    parts = [mutate(project, "--parts", "2", "--part", part)[-1].split("|")[2].strip() for part in "12"]
    assert sum(map(int, parts)) == int(whole)


@pytest.mark.slow
def test_tests_that_fail_as_they_are_are_no_score(project: Path) -> None:
    (project / "tests" / "test_checks" / "test_broken.py").write_text("def test_it():\n    assert False\n")
    done = subprocess.run(
        [sys.executable, "-m", "tests.mutate", "--top", str(project)],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "test_broken.py::test_it" in done.stdout
