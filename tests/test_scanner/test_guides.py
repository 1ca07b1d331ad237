"""What the tutorial and the guides tell to type is typed, on the lab, and gives what they show."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario

DOCS = Path(__file__).parents[2] / "docs"
POSIX = pytest.mark.skipif(os.name == "nt", reason="the guides speak to a POSIX shell")


def steps(page: str) -> Iterator[tuple[str, list[str], int]]:
    """Each command of a page's consoles with the lines that it shows, and the exit code that `echo $?` shows then."""
    for block in re.findall(r"^```console\n(.*?)^```", page, re.DOTALL | re.MULTILINE):
        told: list[tuple[str, list[str]]] = []
        for line in block.splitlines():
            if line.startswith("$ "):
                told.append((line.removeprefix("$ "), []))
            else:
                told[-1][1].append(line)
        for (command, lines), after in zip(told, [*told[1:], ("", [])], strict=True):
            if command != "echo $?":
                yield command, lines, int(after[1][0]) if after[0] == "echo $?" else 0


def misses(lines: list[str], output: str) -> str:
    """The first line that is shown and was not printed, in that order; dots stand for anything."""
    at, flat = 0, " ".join(output.split())
    for line in lines:
        wanted = r".*?".join(re.escape(" ".join(part.split())) for part in line.split("..."))
        found = re.compile(wanted).search(flat, at)
        if found is None:
            return line
        at = found.end()
    return ""


class Terminal:
    """A shell that keeps its folder, and one job in the background."""

    def __init__(self, home: Path) -> None:
        self.folder = self.home = home
        programs = home / "bin"
        programs.mkdir()
        program = programs / "preflight"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m scanner "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        root = str(Path(__file__).parents[2])
        self.environment = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(home), "PYTHONPATH": root}
        self.job: subprocess.Popen[str] | None = None

    def type(self, command: str, lines: list[str], code: int) -> None:
        how: dict[str, Any] = {"cwd": self.folder, "env": self.environment, "stdin": subprocess.DEVNULL, "text": True}
        if command == "kill %1":
            self.end()
        elif command.startswith("cd "):
            self.folder /= command.removeprefix("cd ")
        elif command.endswith(" &"):
            self.start(command.removesuffix(" &"), lines, how)
        else:
            done = subprocess.run(
                ["/bin/sh", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, **how
            )
            assert (done.returncode, misses(lines, done.stdout)) == (code, ""), f"{command}\n{done.stdout}"

    def start(self, command: str, lines: list[str], how: dict[str, Any]) -> None:
        log = self.home / "job.log"
        with log.open("w", encoding="utf-8") as written:
            self.job = subprocess.Popen(["/bin/sh", "-c", f"exec {command}"], stdout=written, stderr=written, **how)
        deadline = time.monotonic() + 60
        while misses(lines, log.read_text("utf-8")):
            assert self.job.poll() is None, log.read_text("utf-8")
            assert time.monotonic() < deadline, log.read_text("utf-8")
            time.sleep(0.02)

    def end(self) -> None:
        if self.job is not None:
            self.job.terminate()
            self.job.wait(30)
            self.job = None


def typed(page: str, home: Path) -> int:
    terminal, count = Terminal(home), 0
    try:
        for count, step in enumerate(steps(page), start=1):  # noqa: B007  the last number is what is wanted
            terminal.type(*step)
    finally:
        terminal.end()
    return count


@POSIX
@pytest.mark.slow
def test_the_tutorial_leads_to_a_go(tmp_path: Path) -> None:
    assert typed((DOCS / "tutorial.md").read_text("utf-8"), tmp_path) >= 14


@POSIX
@pytest.mark.parametrize(
    ("name", "least"), [pytest.param("air-gapped", 9, marks=pytest.mark.slow), ("cron", 2), ("ci", 1)]
)
def test_a_guide_does_what_it_shows(name: str, least: int, tmp_path: Path) -> None:
    with Lab(load_scenario("chef-healthy")) as lab:
        lab.write(tmp_path)
        assert typed((DOCS / "guides" / f"{name}.md").read_text("utf-8"), tmp_path) >= least


@POSIX
@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ("```console\n$ preflight checks\nno-such-check\n```\n", "no-such-check"),
        ("```console\n$ preflight explain no-such-check\n```\n", "no-such-check"),
        ("```console\n$ preflight checks\n$ echo $?\n3\n```\n", "connectivity"),
    ],
)
def test_a_guide_that_is_wrong_is_found_out(page: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=complaint):
        typed(page, tmp_path)


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
    terminal = Terminal(tmp_path)
    terminal.environment["GITHUB_STEP_SUMMARY"] = str(tmp_path / "step.md")
    with Lab(load_scenario(scenario)) as lab:
        lab.write(tmp_path)
        for line in scans:
            terminal.type(line, [], code if line.startswith("preflight") else 0)
    xml = (tmp_path / "preflight-junit.xml").read_text("utf-8")
    assert ("<error" in xml) is bool(code)
    if name == "github":
        assert "**" in (tmp_path / "step.md").read_text("utf-8")


@pytest.mark.live
def test_systemd_takes_the_hardened_units(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        assert os.environ.get("REQUIRE_LIVE") != "1", "systemd-analyze is not there"
        pytest.skip("systemd-analyze is not there")
    program = tmp_path / "preflight"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    for kind in ("service", "timer"):
        text = shown("cron", f"hardened-{kind}").replace("/opt/preflight/bin/preflight", str(program))
        (tmp_path / f"preflight.{kind}").write_text(text.replace("User=preflight", "User=root"), encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "preflight.timer")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = [line for line in (done.stdout + done.stderr).splitlines() if "preflight" in line]
    assert (done.returncode, told) == (0, [])


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
