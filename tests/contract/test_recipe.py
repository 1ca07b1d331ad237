"""CONTRIBUTING's recipe for a new check is followed to the letter, in a copy of the tree."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.field.samples import samples

TOP = Path(__file__).parents[2]


def blocks(kind: str) -> list[tuple[str, str]]:
    text = (TOP / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return re.findall(rf"<!-- {kind}: (\S+) -->\n```\w+\n(.*?)```", text, re.DOTALL)


def follow(tree: Path) -> None:
    for room in ("checks", "reports", "scanner"):
        shutil.copytree(TOP / room, tree / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name, body in blocks("file"):
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body, encoding="utf-8")
    for name, body in blocks("append"):
        path = tree / name
        path.write_text(f"{path.read_text(encoding='utf-8')}\n{body}", encoding="utf-8")
    for name, diff in blocks("edit"):
        path = tree / name
        text = path.read_text(encoding="utf-8")
        old = [line[1:] for line in diff.splitlines() if line.startswith("-")]
        new = [line[1:] for line in diff.splitlines() if line.startswith("+")]
        assert text.count("\n".join(old)) == 1, f"{name} has no such line: {old}"
        text = text.replace("\n".join(old), "\n".join(new))
        module = re.search(r"(\w+)\.(CHECK|PROBES)", new[-1])
        assert module
        package = "checks.chef_backend.backend" if module[2] == "CHECK" else "scanner.probes.chef_backend"
        future = "from __future__ import annotations\n"
        path.write_text(text.replace(future, f"{future}from {package} import {module[1]}\n", 1), encoding="utf-8")


def run(tree: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=tree,
        env={"PYTHONPATH": str(tree), "PATH": "", "SYSTEMROOT": "", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_recipe_gives_a_working_check(tmp_path: Path) -> None:
    follow(tmp_path)
    tests = run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests")
    assert "8 passed" in tests
    assert "time-zone-match" in run(tmp_path, "-m", "scanner", "checks")
    decided = "from scanner.rule_data import load_drift_rules\nprint(load_drift_rules().of('time-zone.offset').reason)"
    assert "another zone" in run(tmp_path, "-c", decided)
    told = run(tmp_path, "-m", "scanner", "explain", "time-zone-match")
    (sample,) = samples(tmp_path / "tests" / "field")
    assert (sample.path.read_text(encoding="utf-8"), sample.readers) == ("+0545\n", ("read_time_zone",))
    assert "Logs of one incident" in told
    assert "time-zone (sh): the offset from UTC" in told
