"""CONTRIBUTING's recipe for a new check is followed to the letter, in a copy of the whole tree."""

from __future__ import annotations

import filecmp
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.new_check import RefusedError, wanted

TOP = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", ".*_cache", ".hypothesis", "build", "dist", "site", "*.egg-info", "preflight-*.*"
)
MADE_BY_TOOLS = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"}
COMMAND = "command"
GENERATED = {"README.md", "CONTRIBUTING.md", "docs"}
"""What `make readme` writes anew, which is nobody's work."""


def blocks(kind: str) -> list[tuple[str, str]]:
    """The recipe's blocks of a kind: the path that each is for, and its text."""
    text = (TOP / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return re.findall(rf"<!-- {kind}:? ?(\S*) -->\n```\w+\n(.*?)```", text, re.DOTALL)


def make_new_check(tree: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    here = ("READY=", f"BIN={Path(sys.executable).parent}")
    return subprocess.run(
        ["make", "--no-print-directory", "new-check", *settings, *here],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )


def follow(tree: Path) -> None:
    shutil.copytree(TOP, tree, ignore=LEFT_OUT, dirs_exist_ok=True)
    for _, command in blocks(COMMAND):
        done = make_new_check(tree, *command.split()[2:])
        assert done.returncode == 0, done.stderr
    for name, body in blocks("file"):
        assert (tree / name).is_file(), f"{name}: make new-check does not write it"
        (tree / name).write_text(body, encoding="utf-8")
    for name, diff in blocks("edit"):
        path = tree / name
        text = path.read_text(encoding="utf-8")
        old = "\n".join(line[1:] for line in diff.splitlines() if line.startswith("-"))
        new = "\n".join(line[1:] for line in diff.splitlines() if line.startswith("+"))
        assert text.count(old) == 1, f"{name} has no such line: {old}"
        path.write_text(text.replace(old, new), encoding="utf-8")


def run(tree: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tree, capture_output=True, text=True, check=False, env=environment(tree)
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout


def pass_tests(tree: Path, *arguments: str) -> None:
    """Run the tests; what fails beside so many others, on a busy machine, has to pass by itself."""
    begin = [sys.executable, *arguments, "-o", f"cache_dir={tree.parent / 'cache'}"]
    for again in ((), ("--last-failed", "-n", "0")):
        done = subprocess.run(
            [*begin, *again], cwd=tree, capture_output=True, text=True, check=False, env=environment(tree)
        )
        if done.returncode == 0:
            return
    raise AssertionError(done.stdout[-5000:] + done.stderr[-5000:])


def environment(tree: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", "PYTEST_ADDOPTS": ""}


def touched(tree: Path) -> list[str]:
    """The files that are other ones than here, or new."""
    found = []
    for path in sorted(tree.rglob("*")):
        name = path.relative_to(tree)
        if path.is_file() and not MADE_BY_TOOLS & set(name.parts):
            here = TOP / name
            if not here.is_file() or not filecmp.cmp(path, here, shallow=False):
                found.append(name.as_posix())
    return found


def pytest_in(tree: Path, *paths: str) -> str:
    return run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow", *paths)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recipe")
    follow(folder)
    return folder


def test_a_new_check_costs_five_files_and_works(tree: Path) -> None:
    """Shown with `pytest -rP`: the files."""
    files = [name for name in touched(tree) if name.split("/")[0] not in GENERATED]
    print(len(files), *files, sep="\n")  # noqa: T201  what the test is read for
    assert files == [
        "checks/chef_backend/backend/time_zone_match.py",
        "checks/chef_backend/drift.toml",
        "scanner/lab/scenarios/chef_backend/backends/time-zone-match.toml",
        "scanner/probes/chef_backend/time_zone.py",
        "tests/test_checks/chef_backend/backend/test_time_zone_match.py",
    ]
    written = [name for name, _ in (*blocks("file"), *blocks("edit"))]
    assert sorted(written) == files, "each of the five is shown"
    own = pytest_in(tree, "tests/test_checks/chef_backend/backend/test_time_zone_match.py")
    assert "8 passed" in own
    explained = run(tree, "-m", "scanner", "explain", "time-zone-match")
    assert "Logs of one incident" in explained
    assert "time-zone (sh): the offset from UTC" in explained
    decided = "from scanner.rule_data import load_drift_rules\nprint(load_drift_rules().of('time-zone.offset').reason)"
    assert "another zone" in run(tree, "-c", decided)
    run(tree, "-m", "ruff", "check", "--no-cache", *(name for name in files if name.endswith(".py")))
    run(tree, "-m", "ruff", "format", "--no-cache", "--check", *(name for name in files if name.endswith(".py")))


@pytest.mark.slow
def test_the_whole_house_takes_the_new_check_in(tree: Path) -> None:
    """What CONTRIBUTING says to run before the change goes out. This file runs itself nowhere."""
    files = [name for name in touched(tree) if name.endswith(".py")]
    run(tree, "-m", "mypy", *files)
    made = subprocess.run(
        ["make", "--no-print-directory", "readme", "READY=", f"BIN={Path(sys.executable).parent}"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
        env=environment(tree),
    )
    assert made.returncode == 0, made.stdout + made.stderr
    ((_, command),) = blocks("tests")
    words = shlex.split(command.replace("\\\n", ""))
    pass_tests(tree, *words[1:], "-q", "--ignore=tests/contract/test_recipe.py")
    changed = {name.split("/")[0] for name in touched(tree)} - {"checks", "scanner", "tests"}
    assert changed <= GENERATED


SKELETONS = (
    ("secret-server", "node", "windows-zone"),
    ("secret-server", "cluster", "windows-zone-match"),
    ("chef-backend", "node", "linux-zone"),
)


@pytest.mark.slow
def test_every_skeleton_runs_and_cannot_land(tree: Path, tmp_path: Path) -> None:
    shutil.copytree(tree, tmp_path, dirs_exist_ok=True)
    for product, scope, name in SKELETONS:
        done = make_new_check(tmp_path, f"ID={name}", f"PRODUCT={product}", f"SCOPE={scope}")
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("\n") == 6
    own = [str(path) for path in tmp_path.rglob("test_*zone*.py")]
    assert len(own) == len(SKELETONS) + 1
    assert "passed" in pytest_in(tmp_path, *own)
    new = [name for name in touched(tmp_path) if name.endswith(".py")]
    assert len(new) == 3 * (len(SKELETONS) + 1)
    run(tmp_path, "-m", "ruff", "check", "--no-cache", *new)
    run(tmp_path, "-m", "ruff", "format", "--no-cache", "--check", *new)
    run(tmp_path, "-m", "mypy", *new)
    with pytest.raises(AssertionError, match="WRITE ME"):
        pytest_in(tmp_path, "tests/contract/test_house.py", "-k", "left_to_write")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"check_id": "", "product": "chef-backend"}, "ID is missing"),
        ({"check_id": "Zone", "product": "chef-backend"}, "ID='Zone': an id is of small letters"),
        ({"check_id": "disk-space", "product": "chef-backend"}, "ID=disk-space: there is such a check"),
        ({"check_id": "chef-version", "product": "chef-backend"}, "FACT=chef-version: there is such a probe"),
        ({"check_id": "zone", "product": ""}, "PRODUCT is missing: there are secret-server and chef-backend"),
        ({"check_id": "zone", "product": "chef"}, "'chef' is no product: there are secret-server and chef-backend"),
        ({"check_id": "zone", "product": "chef-backend", "scope": "all"}, "SCOPE='all': there are node"),
        ({"check_id": "zone", "product": "chef-backend", "folder": "web"}, "FOLDER='web': there are backend, frontend"),
        *(
            ({"check_id": word, "product": "chef-backend"}, f"ID={word}: Python has that word for itself")
            for word in ("class", "none", "true", "lambda")
        ),
        (
            {"check_id": "new-one", "product": "chef-backend", "fact": "async"},
            "FACT=async: Python has that word for itself",
        ),
        *(
            ({"check_id": word, "product": "chef-backend"}, f"FACT={word}: the skeleton imports another")
            for word in ("answer", "probe", "status", "unknown", "node-view", "remediation")
        ),
        (
            {"check_id": "new-one", "product": "secret-server", "fact": "web-root"},
            "FACT=web-root: there is a fact WebRoot; name yours with FACT=...",
        ),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_would_be_right(asked: dict[str, str], told: str) -> None:
    with pytest.raises(RefusedError, match=f"^{re.escape(told)}"):
        wanted(**asked)


def test_a_refusal_is_one_line_and_writes_nothing(tree: Path) -> None:
    before = touched(tree)
    done = make_new_check(tree, "ID=time-zone-match", "PRODUCT=chef-backend")
    assert done.returncode == 2
    assert done.stderr.startswith("new-check: ID=time-zone-match: there is such a check; an id is for ever\n")
    quoted = make_new_check(tree, "ID=it's", "PRODUCT=chef-backend")
    assert quoted.returncode == 2
    assert quoted.stderr.startswith('new-check: ID="it\'s": an id is of small letters'), quoted.stderr
    assert touched(tree) == before
