"""The guide "Two sites, one scheduler", typed: real certificates, scheduler and workers, and each of them killed.

What a page says of a worker that dies is held against what a report says.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario, parse_scenario

psutil = pytest.importorskip("psutil")
pytest.importorskip("distributed")

PAGE = (Path(__file__).parents[2] / "docs" / "guides" / "sites.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
PATIENCE_S = 120.0
HANGING = """
title = "One backend hangs for as long as it is let"
extends = "chef-healthy"
[clusters.chef.nodes.backend-1]
fault = "hang"
"""

_OWN = ("started", "finished", "inventory_digest")
"""What a report has of its own moment, and of its own inventory."""

pytestmark = [pytest.mark.live, pytest.mark.slow]


def block(name: str) -> list[str]:
    found = re.search(rf"<!-- {name}:begin -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found, name
    return [line.removeprefix("$ ") for line in found[1].splitlines()]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(what: Callable[[], Any], why: str) -> Any:
    ends = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < ends, why
        time.sleep(0.1)
    return found


@dataclass(slots=True)
class Estate:
    """The machines of the page, all of them this one."""

    folder: Path
    port: int = field(default_factory=free_port)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, who: str) -> None:
        number = ("scheduler", "emea", "apac").index(who)
        sign = "Scheduler at:" if who == "scheduler" else "Registered to:"
        count = self.log(who).count(sign)
        words = shlex.split(block("programs")[number].replace("8786", str(self.port)))
        environment = {**os.environ, "DASK_TEMPORARY_DIRECTORY": str(self.folder / f"{who}.scratch")}
        with (self.folder / f"{who}.log").open("ab") as log:
            self.running[who] = subprocess.Popen(
                [BIN / words[0], *words[1:]],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )
        until(lambda: self.log(who).count(sign) > count, f"{who} did not start")

    def log(self, who: str) -> str:
        path = self.folder / f"{who}.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def kill(self, who: str) -> None:
        process = self.running.pop(who)
        for child in psutil.Process(process.pid).children(recursive=True):
            child.kill()
        process.kill()
        process.wait()

    def end(self) -> None:
        for who in list(self.running):
            self.kill(who)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    for line in block("certificates"):
        subprocess.run(["sh", "-ec", line], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def estate(certificates: Path, tmp_path: Path) -> Iterator[Estate]:
    folder = tmp_path / "estate"
    folder.mkdir()
    for file in certificates.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
        (folder / file.name).chmod(0o600)
    made = Estate(folder)
    try:
        made.start("scheduler")
        made.start("emea")
        yield made
    finally:
        made.end()


def inventory_of(lab: Lab, estate: Estate, *, site: str = "", secrets: str = "home", timeout: int = 60) -> Path:
    path = lab.write(estate.folder)
    text = path.read_text("utf-8")
    run = re.search(r"```toml\n(\[run\].*?)\n\n", PAGE, re.DOTALL)
    assert run
    said = run[1].replace("8786", str(estate.port)).replace('secrets = "worker"', f'secrets = "{secrets}"')
    if site:
        text = re.sub(r"(\[clusters\.[^.\]]+\]\n)", rf'\1site = "{site}"\n', text)
    path.write_text(f"{text}\n{said}\ntimeout = {timeout}\n", "utf-8")
    return path


def started(path: Path, *more: str) -> subprocess.Popen[str]:
    words = [str(BIN / "preflight"), "scan", str(path), "-q", "--json", str(path.parent / "out.json"), *more]
    return subprocess.Popen(words, cwd=path.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def scanned(path: Path, *more: str) -> dict[str, Any]:
    done = started(path, *more)
    out, errors = done.communicate(timeout=PATIENCE_S * 3)
    assert done.returncode in (0, 1, 3, 130), out + errors
    return report(path)


def report(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((path.parent / "out.json").read_text("utf-8"))
    return found


def without_times(found: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in found.items() if name not in _OWN}
    kept["nodes"] = [{name: value for name, value in node.items() if name != "seconds"} for node in found["nodes"]]
    # What two clocks differ by is measured anew each time.
    kept["results"] = [row for row in found["results"] if row["check"] != "clock-skew"]
    return kept


def reached(found: dict[str, Any]) -> dict[str, bool]:
    return {node["node"]: node["reachable"] for node in found["nodes"]}


def causes(found: dict[str, Any]) -> set[str]:
    return {row["message"] for row in found["results"] if row["check"] == "connectivity" and row["status"] == "error"}


def is_asking(estate: Estate, who: str, lab: Lab) -> bool:
    """Whether the worker has a connection to a node."""
    ports = {node.inventory.get("port") for node in lab.nodes}
    process = psutil.Process(estate.running[who].pid)
    for each in [process, *process.children(recursive=True)]:
        try:
            found = each.net_connections()
        except psutil.Error:
            continue
        if any(one.raddr and one.raddr.port in ports and one.status == "ESTABLISHED" for one in found):
            return True
    return False


def test_the_page_is_typed_and_the_report_is_that_of_a_scan_from_here(estate: Estate) -> None:
    with Lab(load_scenario("chef-healthy")) as lab:
        path = inventory_of(lab, estate, site="emea", secrets="worker")
        there = scanned(path)
        here = scanned(path, "--engine", "threads")
        sent = scanned(inventory_of(lab, estate, site="emea"))
        assert without_times(there) == without_times(here) == without_times(sent)
        assert all(reached(there).values())
        written = [
            file
            for file in estate.folder.rglob("*")
            if file.is_file() and file.name not in ("password", "wrong-password", "id_ed25519")
        ]
        for secret in lab.secrets:
            assert not [file.name for file in written if secret.encode() in file.read_bytes()]


@pytest.mark.parametrize("scenario", ["chef-healthy", "secret-server-healthy"])
def test_processes_of_this_machine_say_what_threads_say(scenario: str, tmp_path: Path) -> None:
    with Lab(load_scenario(scenario)) as lab:
        path = lab.write(tmp_path)
        there = scanned(path, "--engine", "dask")
        here = scanned(path, "--engine", "threads")
        assert without_times(there) == without_times(here)
        assert all(reached(there).values())


def test_other_commands_ask_through_the_scheduler_too(estate: Estate) -> None:
    def typed(*words: str) -> subprocess.Popen[str]:
        command = [str(BIN / "preflight"), *words]
        return subprocess.Popen(
            command, cwd=estate.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
        )

    with Lab(load_scenario("chef-healthy")) as lab:
        path = str(inventory_of(lab, estate, site="emea", secrets="worker"))
        commands = (
            ["collect", path, "-o", "evidence.json"],
            ["baseline", path, "--reason", "again"],
            ["drift", path],
            ["plan", path],
        )
        for words in commands:
            running = typed(*words)
            said, _ = running.communicate(timeout=PATIENCE_S)
            assert running.returncode in (0, 1), (words, said)
        estate.kill("scheduler")
        for running in [typed(*words) for words in commands]:
            said, _ = running.communicate(timeout=PATIENCE_S)
            assert f"tls://127.0.0.1:{estate.port} cannot be reached" in " ".join(said.split()), (running.args, said)


@pytest.mark.parametrize("who", ["emea", "scheduler"])
def test_killed_before(estate: Estate, who: str) -> None:
    estate.kill(who)
    with Lab(load_scenario("chef-healthy")) as lab:
        path = inventory_of(lab, estate, site="emea")
        found = scanned(path)
    (cause,) = causes(found)
    assert cause.startswith("no worker for site emea" if who == "emea" else f"tls://127.0.0.1:{estate.port} cannot be")
    assert not any(reached(found).values())


def test_a_worker_killed_during_is_stood_in_for(estate: Estate) -> None:
    with Lab(parse_scenario(HANGING, "hanging")) as lab:
        path = inventory_of(lab, estate, timeout=25)
        scan = started(path)
        until(lambda: is_asking(estate, "emea", lab), "nobody asked")
        estate.start("apac")
        estate.kill("emea")
        scan.communicate(timeout=PATIENCE_S * 3)
        found = report(path)
    assert [node for node, is_there in reached(found).items() if not is_there] == ["backend-1"]
    assert any("asked once more elsewhere" in notice for notice in found["notices"]), found["notices"]


def test_a_scheduler_killed_during_is_one_cause(estate: Estate) -> None:
    with Lab(parse_scenario(HANGING, "hanging")) as lab:
        path = inventory_of(lab, estate, timeout=25)
        scan = started(path)
        until(lambda: is_asking(estate, "emea", lab), "nobody asked")
        estate.kill("scheduler")
        scan.communicate(timeout=PATIENCE_S * 3)
        found = report(path)
        until(lambda: "emea" not in estate.running or not is_asking(estate, "emea", lab), "a shell was left open")
    assert any("was lost, and it was not back within 30 s" in cause for cause in causes(found)), causes(found)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_client_ended_during_leaves_no_conversation(estate: Estate, how: signal.Signals) -> None:
    with Lab(parse_scenario(HANGING, "hanging")) as lab:
        path = inventory_of(lab, estate, timeout=600)
        scan = started(path)
        until(lambda: is_asking(estate, "emea", lab), "nobody asked")
        scan.send_signal(how)
        scan.communicate(timeout=PATIENCE_S)
        until(lambda: not is_asking(estate, "emea", lab), "a shell was left open, for what would be ten minutes")
        if how == signal.SIGINT:
            assert scan.returncode == 130
            assert report(path)["partial"]
        assert all(
            reached(scanned(inventory_of(lab, estate, timeout=5))).get(name) for name in ("backend-2", "backend-3")
        )
