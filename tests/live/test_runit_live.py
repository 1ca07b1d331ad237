"""What a real runit says of services in each state, which `chef-server-ctl status` shows as it is."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.probes.chef_backend.frontend_readers import read_frontend_services
from scanner.probes.probe import Answer

SLEEPS = "exec sleep 1000"
SERVICES = {
    "bookshelf": "exit 1",
    "haproxy": SLEEPS,
    "nginx": SLEEPS,
    "oc_bifrost": "exit 1",
    "oc_id": SLEEPS,
    "opscode-erchef": SLEEPS,
    "postgresql": 'trap "" TERM; while :; do sleep 0.1; done',
    "redis_lb": SLEEPS,
}
STATES = {
    "bookshelf": r"finish: ",
    "haproxy": r"run: .*, paused$",
    "nginx": r"down: .*, normally up$",
    "oc_bifrost": r"down: .*, normally up, want up$",
    "oc_id": r"down: oc_id: \d+s$",
    "opscode-erchef": r"run: .*; run: log: ",
    "postgresql": r"run: .*, want down, got TERM$",
    "redis_lb": r"run: .*, normally down$",
}


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Path]:
    """A folder of services that a runsvdir looks after; oc_id and redis_lb have a file `down`."""
    if not shutil.which("runsvdir"):
        (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)("no runit on this machine")
    folder = tmp_path / "service"
    for name, script in SERVICES.items():
        _put(folder / name / "run", script)
    _put(folder / "bookshelf" / "finish", "exec sleep 1000")
    _put(folder / "opscode-erchef" / "log" / "run", SLEEPS)
    for name in ("oc_id", "redis_lb"):
        (folder / name / "down").touch()
    # Without -P all of them stay in one group of processes, which ends with the test.
    running = subprocess.Popen(["runsvdir", str(folder)], start_new_session=True, stderr=subprocess.DEVNULL)
    yield folder
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()


def _put(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def sv(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["sv", *words], env={**os.environ, "SVDIR": str(folder)}, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def reach(folder: Path, name: str, pattern: str, *command: str) -> str:
    """The status of a service once it is as wanted, for which `command` is given again and again."""
    end = time.monotonic() + 20
    while not re.search(pattern, said := sv(folder, "status", name)):
        assert time.monotonic() < end, said
        if command:
            sv(folder, "-w", "0", *command, name)
        time.sleep(0.05)
    return said


def test_each_state_is_read_as_what_it_is(services: Path) -> None:
    for name in SERVICES:
        reach(services, name, "run: |finish: |down: ")
    orders = {"haproxy": "pause", "nginx": "down", "postgresql": "down", "redis_lb": "up"}
    lines = [reach(services, name, STATES[name], *([orders[name]] if name in orders else [])) for name in SERVICES]
    found = read_frontend_services(Answer("".join(f"{line}\n" for line in lines), 6))
    assert found.running == ("opscode-erchef", "redis_lb")
    assert [line.split(": ")[1] for line in found.down] == ["nginx", "oc_bifrost"]
    assert found.kept_down == ("oc_id",)
    assert [line.split(": ")[1] for line in found.ailing] == ["bookshelf", "haproxy", "postgresql"]


def test_what_nobody_supervises_is_down(services: Path, tmp_path: Path) -> None:
    _put(tmp_path / "alone" / "rabbitmq" / "run", SLEEPS)
    lines = [sv(tmp_path / "alone", "status", "rabbitmq"), sv(services, "status", "none-such")]
    assert [line.partition(":")[0] for line in lines] == ["warning", "fail"]
    assert read_frontend_services(Answer("".join(f"{line}\n" for line in lines), 8)).down == tuple(lines)
