"""What the documentation tells to type is typed, on the lab, and gives what it shows."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from scanner.run.engines.dask import link
from scanner.run.engines.dask.patience import PATIENCE
from tests.test_scanner.stages import STAGES, bare
from tests.test_scanner.terminal import TOP, TYPED, Step, Terminal, blocks, steps
from tests.user_pages import PAGES

DOCS = TOP / "docs"
POSIX = pytest.mark.skipif(os.name == "nt", reason="the guides speak to a POSIX shell")
ROOT = "a_shell_can_read_what_root_is_told_to_type"
ELSEWHERE = {("docs/guides/cron.md", name): ROOT for name in ("host", "files", "keys")}
"""Blocks that are not typed as they stand, and the test that looks after each instead."""
SLOW = ("docs/tutorial.md", *(f"docs/guides/{name}.md" for name in ("air-gapped", "nightly", "plan", "scan")))
"""Some thirty runs of the program each: `make guides` types these."""
PLACES = {path.relative_to(TOP).as_posix(): path for path in (*PAGES, *sorted(TOP.glob("[A-Z]*.md")))}
RECIPES = {"CONTRIBUTING.md": {"command": "test_recipe", "tests": "test_recipe", "product": "test_product_recipe"}}
"""Pages for whom tests of their own follow what they say, by the word before each block; in tests/contract."""
TO_TYPE = [place for place, path in PLACES.items() if place not in RECIPES and blocks(path.read_text("utf-8"))]


def typed(page: str, terminal: Terminal, place: str = "") -> int:
    """How many commands of a page were typed."""
    found = [step for block in blocks(page) if (place, block.name) not in ELSEWHERE for step in steps(block)]
    for step in found:
        terminal.type(step)
    return len(found)


@POSIX
@pytest.mark.parametrize(
    "place", [pytest.param(place, marks=pytest.mark.slow) if place in SLOW else place for place in TO_TYPE]
)
def test_a_page_does_what_it_shows(place: str, tmp_path: Path) -> None:
    assert place in STAGES, f"{place} tells what to type: say in stages.py on which machines it is typed"
    with STAGES[place](tmp_path) as terminal:
        assert typed(PLACES[place].read_text("utf-8"), terminal, place)


def test_no_stage_is_left_without_a_page() -> None:
    assert set(STAGES) == set(TO_TYPE)
    there = {(place, block.name) for place in TO_TYPE for block in blocks(PLACES[place].read_text("utf-8"))}
    assert set(ELSEWHERE) <= there
    assert all(f"test_{name}" in globals() for name in ELSEWHERE.values())


@pytest.mark.parametrize("place", RECIPES)
def test_a_recipe_tells_nothing_to_type_that_no_test_follows(place: str) -> None:
    page = PLACES[place].read_text("utf-8")
    languages = "|".join(TYPED)
    followed = re.findall(rf"^<!-- (\w+)(?:: \S+)? -->\n(?=```(?:{languages})\n)", page, re.MULTILINE)
    assert len(followed) == len(blocks(page))
    for word in followed:
        test = TOP / "tests" / "contract" / f"{RECIPES[place][word]}.py"
        assert f'"{word}"' in test.read_text("utf-8")


@POSIX
@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("```console\n$ preflight checks\nno-such-check\n```\n", "no-such-check"),
        ("```console\n$ preflight explain no-such-check\n```\n", "no-such-check"),
        ("```console\n$ preflight checks\n$ echo $?\n3\n```\n", "connectivity"),
        ("```sh\npreflight lab --copy own.toml encryption-config-outlier\n```\n", "no scenario"),
        ("```console\n$ pip install preflight-scaner\n```\n", "preflight-scaner"),
        ("```cron\n30 2 * * *  preflight drift -q /etc/preflight/none.toml\n```\n", "none.toml"),
        ("```cron\n30 2 * *  preflight checks\n```\n", "30 2"),
        ('```bat\nschtasks /Create /TN x ^\n  /TR "cmd /c C:\\preflight\\Scripts\\preflight.exe drif"\n```\n', "drif"),
    ],
)
def test_a_guide_that_is_wrong_is_found_out(page: str, complaint: str, tmp_path: Path) -> None:
    with bare(tmp_path) as terminal, pytest.raises(AssertionError, match=complaint):
        typed(page, terminal)


@POSIX
@pytest.mark.parametrize("option", ["--install-completion", "--show-completion"])
def test_a_shell_without_completion_is_told_and_is_no_defect(option: str, tmp_path: Path) -> None:
    with bare(tmp_path) as terminal:
        code, output = terminal.ended(f"preflight {option}; exit $?")
    assert (code, "bash, zsh, fish or PowerShell" in output, "defect" in output) == (2, True, False), output


def shown(guide: str, name: str) -> str:
    text = (DOCS / "guides" / f"{guide}.md").read_text("utf-8")
    found = re.search(rf"<!-- {name}:begin -->\n```\w+\n(.*?)```", text, re.DOTALL)
    assert found, name
    return found[1]


def lines_of_ci(name: str) -> list[str]:
    """What a CI system's file gives to a shell."""
    import yaml

    if name == "jenkins":
        return re.findall(r"\bsh '([^']*)'", shown("ci", name))
    read = yaml.safe_load(shown("ci", name))
    if name == "gitlab":
        assert read["preflight"]["artifacts"]["reports"]["junit"] == "preflight-junit.xml"
        return [str(line) for line in read["preflight"]["script"]]
    return [str(step["run"]) for step in read["jobs"]["preflight"]["steps"] if "run" in step]


@POSIX
@pytest.mark.parametrize(
    "name", ["github", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gitlab", "jenkins"))]
)
@pytest.mark.parametrize(("scenario", "code"), [("chef-healthy", 0), ("ssh-down", 3)])
def test_the_shell_of_a_ci_job_stops_what_is_no_go(name: str, scenario: str, code: int, tmp_path: Path) -> None:
    scans = [line for line in lines_of_ci(name) if "pip install" not in line]
    with Lab(load_scenario(scenario)) as lab, bare(tmp_path) as terminal:
        terminal.environment["GITHUB_STEP_SUMMARY"] = str(tmp_path / "step.md")
        lab.write(tmp_path)
        for line in scans:
            terminal.type(Step(line, code=code if line.startswith("preflight") else 0))
    xml = (tmp_path / "preflight-junit.xml").read_text("utf-8")
    assert ("<error" in xml) is bool(code)
    if name == "github":
        assert "**" in (tmp_path / "step.md").read_text("utf-8")


def assert_systemd_takes(folder: Path, program: str, units: dict[str, str]) -> None:
    """The units by their names, with a program that is there and a user that there is in place of the page's."""
    if not shutil.which("systemd-analyze"):
        assert os.environ.get("REQUIRE_LIVE") != "1", "systemd-analyze is not there"
        pytest.skip("systemd-analyze is not there")
    there = folder / Path(program).name
    there.write_text("#!/bin/sh\n", encoding="utf-8")
    there.chmod(0o755)
    for name, text in units.items():
        known = text.replace(program, str(there)).replace("User=preflight", "User=root")
        (folder / name).write_text(known, encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", *(str(folder / name) for name in units)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = [line for line in (done.stdout + done.stderr).splitlines() if "preflight" in line]
    assert (done.returncode, told) == (0, [])


@pytest.mark.live
def test_systemd_takes_the_hardened_units(tmp_path: Path) -> None:
    units = {f"preflight.{kind}": shown("cron", f"hardened-{kind}") for kind in ("service", "timer")}
    assert_systemd_takes(tmp_path, "/opt/preflight/bin/preflight", units)


@pytest.mark.live
def test_systemd_takes_the_units_of_scheduler_and_workers(tmp_path: Path) -> None:
    units = {f"preflight-{who}.service": shown("sites", f"{who}-service") for who in ("scheduler", "worker")}
    assert_systemd_takes(tmp_path, "/opt/preflight/bin/dask", units)


@pytest.mark.parametrize("who", ["scheduler", "worker"])
def test_what_a_unit_starts_is_what_was_tried(who: str) -> None:
    given = shlex.split(str(re.findall(r"^ExecStart=(.*)", shown("sites", f"{who}-service"), re.MULTILINE)[0]))
    words = next(line for line in shown("sites", "programs").splitlines() if line.startswith(f"dask {who} "))
    options = {word for word in given if word.startswith("--")} - {"--local-directory"}
    assert options | {"--host"} == {word for word in shlex.split(words) if word.startswith("--")}


def test_what_the_tables_of_faults_say_of_seconds_is_so() -> None:
    """The tests that play them are less patient."""
    text = (DOCS / "guides" / "sites.md").read_text("utf-8")
    told = {seconds for line in text.splitlines() if line.startswith("|") for seconds in re.findall(r"(\d+) s\b", line)}
    assert told == {"30", "10"}
    assert {PATIENCE.worker, PATIENCE.silence, PATIENCE.scheduler} == {30.0}
    assert link._CONNECT_S == 10.0


@POSIX
@pytest.mark.parametrize("name", ["host", "files", "keys"])
def test_a_shell_can_read_what_root_is_told_to_type(name: str, tmp_path: Path) -> None:
    """Accounts of this machine are not made for a test; the keys' lines are run, with a stand-in for `runuser`."""
    subprocess.run(["/bin/sh", "-n", "-c", shown("cron", name)], check=True)
    programs = set(re.findall(r"^(\S+)", shown("cron", name), re.MULTILINE))
    assert programs <= {"useradd", "install", "python3", "/opt/preflight/bin/pip", "runuser", "ssh-keygen"}
    if name == "keys" and shutil.which("ssh-keygen"):
        lines = shown("cron", name).replace("runuser -u preflight -- ", "").replace("/var/lib/preflight", str(tmp_path))
        (tmp_path / ".ssh").mkdir()
        subprocess.run(["/bin/sh", "-c", lines.splitlines()[0]], check=True)
        assert (tmp_path / ".ssh" / "id_ed25519.pub").is_file()
