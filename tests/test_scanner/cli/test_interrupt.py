"""Ctrl-C: what is finished is reported, marked partial, at once, and nothing is left open on the nodes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scanner.files.evidence.file import read_evidence
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario

TOP = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="a console's Ctrl-C cannot be sent to one process there")


def interrupted(arguments: list[object], *signals: signal.Signals) -> tuple[subprocess.Popen[str], str, str, float]:
    running = subprocess.Popen(
        [sys.executable, "-m", "scanner", *map(str, arguments), "--timeout", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=TOP,
    )
    assert running.stderr is not None
    answered = 0
    for line in running.stderr:
        answered += " answered" in line
        if answered == 2:
            break
    for number in signals:
        running.send_signal(number)
        time.sleep(0.02)
    sent = time.monotonic()
    out, err = running.communicate(timeout=30)
    return running, out, err, time.monotonic() - sent


@pytest.mark.parametrize(
    ("scenario", "hanging", "signals"),
    [
        ("ssh-hang", "backend-2", [signal.SIGINT]),
        ("winrm-hang", "web2", [signal.SIGINT]),
        ("winrm-psrp-hang", "web2", [signal.SIGINT]),
        # Whoever is impatient presses Ctrl-C more than once.
        ("winrm-hang", "web2", [signal.SIGINT, signal.SIGINT, signal.SIGINT]),
        # `timeout 300 preflight scan`, and a CI job that is cancelled.
        ("ssh-hang", "backend-2", [signal.SIGTERM]),
        # The terminal was closed, or the connection that it ran over was lost.
        ("winrm-hang", "web2", [signal.SIGHUP]),
    ],
)
def test_ctrl_c_reports_what_is_finished(
    tmp_path: Path, scenario: str, hanging: str, signals: list[signal.Signals]
) -> None:
    with Lab(load_scenario(scenario)) as lab:
        reports = ["--json", tmp_path / "r.json", "--junit", tmp_path / "r.xml", "--evidence", tmp_path / "e.json"]
        running, out, err, seconds = interrupted(["scan", lab.write(tmp_path), *reports], *signals)
        left_open = [shell for node in lab.nodes for shell in getattr(node.server, "open_shells", ())]
    assert running.returncode == 130
    assert seconds < 10
    assert "Traceback" not in out + err
    results = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert (results["partial"], results["exit_code"], results["verdict"]) == (True, 130, "UNKNOWN")
    ends = {row["node"]: row for row in results["results"] if row["check"] == "connectivity"}
    assert sum(row["status"] == "pass" for row in ends.values()) >= 2
    assert (ends[hanging]["status"], "interrupted" in ends[hanging]["message"]) == ("error", True)
    assert {row["status"] for row in results["results"] if row["node"] == hanging} == {"error", "skip"}
    assert len(results["nodes"]) == results["clusters"][0]["nodes"]["inventory"]
    assert any("interrupted" in notice and hanging in notice for notice in results["notices"])
    assert "partial" in (tmp_path / "r.xml").read_text(encoding="utf-8").lower()
    assert "partial" in out.lower() or "interrupted" in out.lower()
    assert left_open == []
    assert_partial(tmp_path / "e.json", hanging)


def test_ctrl_c_keeps_the_evidence_that_there_is(tmp_path: Path) -> None:
    with Lab("ssh-hang") as lab:
        evidence = tmp_path / "e.json.gz"
        running, out, err, seconds = interrupted(["collect", lab.write(tmp_path), "-o", evidence], signal.SIGINT)
    assert running.returncode == 130
    assert seconds < 10
    assert "Traceback" not in out + err
    assert "partial evidence (interrupted)" in out
    assert "backend-2: not asked to the end: interrupted" in out
    assert_partial(evidence, "backend-2")


def assert_partial(path: Path, hanging: str) -> None:
    held = read_evidence(path).evidence
    assert not held.complete
    assert hanging in {node for _, node in held.unanswered}
    assert hanging not in {each.said.node for each in held.nodes}
    assert len(held.nodes) >= 2


_AT = """
import atexit, os, signal, sys
name, number = sys.argv[1], getattr(signal, sys.argv[2])
done = []
def strike(*_):
    if not done:
        done.append(1)
        os.kill(os.getpid(), number)
def hook(event, arguments):
    if event == "import" and arguments[0] == name:
        strike()
sys.addaudithook(hook)
if name == "atexit":
    atexit.register(strike)
sys.argv[:3] = ["preflight"]
from scanner.cli import main
main()
"""


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
@pytest.mark.parametrize(
    "moment",
    ["scanner.cli.app", "typer", "scanner.cli.run_options", "scanner.run.judge", "reports.render.console", "atexit"],
)
def test_an_interrupt_at_any_moment_leaves_no_traceback(tmp_path: Path, moment: str, number: str) -> None:
    """In the middle of any import, the first and the last, and when all is said and done."""
    recorded = TOP / "tests" / "recordings" / "chef-healthy"
    arguments = [
        "scan",
        f"{recorded}.inventory.toml",
        "--from",
        f"{recorded}.evidence.json",
        "--html",
        tmp_path / "r.html",
    ]
    ended = subprocess.run(
        [sys.executable, "-c", _AT, moment, number, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=TOP,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert ended.returncode == 130


def test_an_interrupt_that_nobody_waits_for_any_more_ends_with_its_code(tmp_path: Path) -> None:
    """Between a command's last line and the handler that takes over, nothing above catches it."""
    script = tmp_path / "late.py"
    script.write_text(
        "import sys\nfrom scanner.cli import app\n"
        "def late(*_, **__):\n    raise KeyboardInterrupt\n"
        "app.command_line = lambda _: late\nsys.argv = ['preflight', '--version']\napp.main()\n",
        encoding="utf-8",
    )
    ended = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    assert (ended.returncode, ended.stderr) == (130, "")
