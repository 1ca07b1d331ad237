"""The nightly run as the guide writes it: what can be tried of it here is tried."""

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
from tests.user_pages import user_pages

PAGES = user_pages()


def shown(name: str) -> str:
    found = re.search(rf"<!-- {name}:begin -->\n```\w+\n(.*?)```", PAGES, re.DOTALL)
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


BARE = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])}
"""Little more than what cron leaves of an environment."""


def crontab(name: str, folder: Path) -> list[str]:
    """The commands of a crontab of the guide, with the program, the inventory and the history in `folder`."""
    program = folder / "preflight"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m scanner "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    commands = []
    for line in shown(name).strip().splitlines():
        found = re.fullmatch(r"(?:(?:\d+|\*) +){5}(.*)", line)
        assert found, line
        assert "%" not in found[1], "cron makes a newline of it"
        commands.append(
            found[1]
            .replace("/opt/preflight/bin/preflight", str(program))
            .replace("/etc/preflight/inventory.toml", str(folder / "inventory.toml"))
            .replace("/var/lib/preflight", str(folder))
        )
    return commands


def mailed(command: str, folder: Path, scenario: str) -> tuple[int, str]:
    """How the command ends where cron runs it against the lab, and what cron would mail."""
    with Lab(load_scenario(scenario)) as lab:
        lab.write(folder)
        environment = {**BARE, "HOME": str(folder)}
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            check=False,
        )
    return done.returncode, done.stdout


@pytest.mark.live
@pytest.mark.skipif(os.name == "nt", reason="cron is for others")
def test_the_crontab_line_mails_only_when_there_is_something_to_say(tmp_path: Path) -> None:
    needed("timeout")
    (line,) = crontab("crontab", tmp_path)
    baseline = f"{tmp_path}/preflight baseline {tmp_path}/inventory.toml --by Ada -q"
    assert mailed(baseline, tmp_path, "chef-healthy") == (0, "")
    assert mailed(line, tmp_path, "chef-healthy") == (0, "")
    code, mail = mailed(line, tmp_path, "chef-deposed-leader")
    assert (code, mail[:7]) == (1, "DRIFT  ")
    code, mail = mailed(line, tmp_path, "ssh-down")
    assert (code, mail[:9]) == (3, "UNKNOWN  ")


@pytest.mark.live
@pytest.mark.skipif(os.name == "nt", reason="cron is for others")
def test_the_crontab_with_a_history_notices_that_nothing_runs(tmp_path: Path) -> None:
    needed("timeout")
    scan, prune, status = crontab("crontab-history", tmp_path)
    code, mail = mailed(status, tmp_path, "chef-healthy")
    assert code == 3
    assert "nothing was ever recorded" in mail
    code, mail = mailed(scan, tmp_path, "ssh-down")
    assert (code, mail[:9]) == (3, "UNKNOWN  ")
    code, mail = mailed(status, tmp_path, "ssh-down")
    assert (code, mail.count("\n")) == (3, 1)
    assert "no good run" in mail
    for command in (scan, prune, status):
        assert mailed(command, tmp_path, "chef-healthy") == (0, ""), command
    code, mail = mailed(scan, tmp_path, "chef-leaderless")
    assert (code, mail[:7]) == (1, "NO-GO  ")
    assert mailed(status, tmp_path, "chef-healthy") == (0, ""), "a NO-GO has looked at everything"
