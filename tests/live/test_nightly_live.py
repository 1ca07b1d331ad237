"""The nightly run as the README writes it: what can be tried of it here is tried."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def shown(name: str) -> str:
    found = re.search(rf"<!-- {name}:begin -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found
    return found[1]


def needed(program: str) -> None:
    if not shutil.which(program):
        if os.environ.get("REQUIRE_LIVE") == "1":
            pytest.fail(f"{program} is not there")
        pytest.skip(f"{program} is not there")


@pytest.mark.live
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    needed("systemd-analyze")
    program = tmp_path / "preflight"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    for kind in ("service", "timer"):
        text = shown(kind).replace("/opt/preflight/bin/preflight", str(program)).replace("User=preflight", "User=root")
        (tmp_path / f"preflight-drift.{kind}").write_text(text, encoding="utf-8")
    command = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "preflight-drift.timer")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = [line for line in (done.stdout + done.stderr).splitlines() if "preflight-drift" in line]
    assert (done.returncode, told) == (0, [])
    calendar = re.search(r"OnCalendar=(.*)", shown("timer"))
    assert calendar
    subprocess.run(["systemd-analyze", "calendar", calendar[1]], capture_output=True, check=True)


@pytest.mark.live
@pytest.mark.skipif(os.name == "nt", reason="cron is for others")
def test_the_crontab_line_mails_only_when_there_is_something_to_say(tmp_path: Path) -> None:
    needed("timeout")
    (fields, command) = shown("crontab").strip().split("  ", 1)
    assert re.fullmatch(r"(\d+|\*)( (\d+|\*)){4}", fields)
    assert "%" not in command, "cron makes a newline of it"
    program = tmp_path / "preflight"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m scanner "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    inventory = tmp_path / "inventory.toml"
    line = command.replace("/opt/preflight/bin/preflight", str(program)).replace(
        "/etc/preflight/inventory.toml", str(inventory)
    )
    bare = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])}

    def run(shell_line: str, scenario: str) -> subprocess.CompletedProcess[str]:
        with Lab(load_scenario(scenario)) as lab:
            lab.write(tmp_path)
            return subprocess.run(["/bin/sh", "-c", shell_line], env=bare, capture_output=True, text=True, check=False)

    assert run(f"{program} baseline {inventory} --by Ada -q", "chef-healthy").returncode == 0
    silent = run(line, "chef-healthy")
    assert (silent.returncode, silent.stdout, silent.stderr) == (0, "", "")
    loud = run(line, "chef-deposed-leader")
    assert loud.returncode == 1
    assert loud.stdout.startswith("DRIFT  ")
    lost = run(line, "ssh-down")
    assert lost.returncode == 3
    assert lost.stdout.startswith("UNKNOWN  ")
