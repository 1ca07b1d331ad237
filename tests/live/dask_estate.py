"""The machines of the guide "Two sites, one scheduler", all of them this one: real certificates and programs."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scanner.lab.lab import Lab
from scanner.lab.scenario import parse_scenario
from scanner.lab.servers.ssh.server import SshServer

PAGE = (Path(__file__).parents[2] / "docs" / "guides" / "sites.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
IMPATIENT = Path(__file__).with_name("impatient.py")
PATIENCE_S = 120.0
SITES = ("emea", "apac")
HELD = """
title = "One backend answers when the test wants it to"
extends = "chef-healthy"
[clusters.chef.nodes.backend-1]
slow = {start = 600.0}
"""


def block(name: str) -> list[str]:
    """The lines that the page shows under that name."""
    found = re.search(rf"<!-- {name}:begin -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found, name
    return [line.removeprefix("$ ") for line in found[1].splitlines()]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def until(what: Callable[[], Any], why: str, within_s: float = PATIENCE_S) -> Any:
    ends = time.monotonic() + within_s
    while not (found := what()):
        assert time.monotonic() < ends, why
        time.sleep(0.1)
    return found


def psutil() -> Any:
    """Comes with dask, and without types."""
    return importlib.import_module("psutil")


def family(pid: int) -> list[Any]:
    """The process and all that it started."""
    with suppress(psutil().NoSuchProcess):
        process = psutil().Process(pid)
        return [process, *process.children(recursive=True)]
    return []


@dataclass(slots=True)
class Estate:
    """A scheduler, and a worker at each site; what a test has killed is started again for the next one."""

    folder: Path
    port: int = field(default_factory=free_port)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def begin(
        self,
        *names: str,
        options: Sequence[str] = (),
        port: int | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        """Start those that do not run, side by side; with `options` beside the page's, with the scheduler at `port`."""
        missing = [name for name in names if not self.is_running(name)]
        counts = {name: self._greetings(name) for name in missing}

        def has_greeted(name: str) -> bool:
            assert self.is_running(name), self.log(name)[-2000:]
            return self._greetings(name) > counts[name]

        for name in missing:
            self._start(name, options, port or self.port, environment or {})
        for name in missing:
            until(partial(has_greeted, name), f"{name} did not start")

    def is_running(self, name: str) -> bool:
        return name in self.running and self.running[name].poll() is None

    def _greetings(self, name: str) -> int:
        return self.log(name).count("Scheduler at:" if name == "scheduler" else "Registered to:")

    def _start(self, name: str, options: Sequence[str], port: int, environment: dict[str, str]) -> None:
        number = ("scheduler", *SITES).index(name)
        line = block("programs")[number].replace("8786", str(port))
        words = shlex.split(line.replace("--host 127.0.0.1", "") if "--listen-address" in options else line)
        environment = {**os.environ, "DASK_TEMPORARY_DIRECTORY": str(self.scratch(name)), **environment}
        with (self.folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [BIN / words[0], *words[1:], *options],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    def scratch(self, name: str) -> Path:
        return self.folder / f"{name}.scratch"

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def send(self, name: str, number: signal.Signals) -> None:
        """To the program and to all that it has started."""
        for process in family(self.running[name].pid):
            process.send_signal(number)

    def kill(self, name: str) -> None:
        process = self.running.pop(name)
        for each in reversed(family(process.pid)):
            with suppress(Exception):
                each.kill()
        process.wait()

    def end(self) -> None:
        for name in list(self.running):
            self.kill(name)

    @contextmanager
    def client(self) -> Iterator[Any]:
        """Somebody else who speaks to the scheduler."""
        import distributed

        security = distributed.Security(
            tls_ca_file=str(self.folder / "dask-ca.pem"),
            tls_client_cert=str(self.folder / "scanner.pem"),
            tls_client_key=str(self.folder / "scanner.key"),
            require_encryption=True,
        )
        address = f"tls://127.0.0.1:{self.port}"
        with distributed.Client(address, security=security, set_as_default=False, timeout=20) as client:
            yield client

    def tasks(self) -> list[str]:
        """What scheduler and workers have to do, or keep for somebody."""
        at = "[str(key) for each in __import__('distributed').{}._instances for key in each{}.tasks]"
        with self.client() as client:
            found = list(client.run_on_scheduler(eval, at.format("Scheduler", "")))
            for each in client.run(eval, at.format("Worker", ".state")).values():
                found += each
        return found

    def is_asking(self, name: str, lab: Lab) -> bool:
        """Whether it has a connection to a node."""
        return bool(asked_by(self.running[name].pid, lab))


def is_open(one: Any) -> bool:
    return bool(one.raddr and one.status == "ESTABLISHED")


def ports_of(lab: Lab) -> set[Any]:
    return {node.inventory.get("port") for node in lab.nodes}


def asked_by(pid: int, lab: Lab) -> list[int]:
    """The ports of the nodes that the process, or what it has started, has connections to."""
    ports, found = ports_of(lab), []
    for each in family(pid):
        with suppress(psutil().NoSuchProcess):  # it has ended meanwhile, and has none
            found += [one.raddr.port for one in each.net_connections() if is_open(one)]
    return sorted(port for port in found if port in ports)


def conversations(lab: Lab) -> int:
    """Connections that anybody has to a node, seen from the nodes, which are this process."""
    ports = ports_of(lab)
    return sum(is_open(one) and one.laddr.port in ports for one in psutil().Process().net_connections())


def asking(estate: Estate, lab: Lab, *names: str) -> None:
    """Wait until one of them is asking the held node, and nobody any other."""
    until(lambda: any(estate.is_asking(name, lab) for name in names) and conversations(lab) == 1, "nobody asked")


def assert_nothing_is_left(estate: Estate, lab: Lab) -> None:
    until(lambda: not conversations(lab), "a shell was left open", 30)
    estate.begin("scheduler", "emea")
    until(lambda: not estate.tasks(), "a task was left behind", 30)


def make_certificates(folder: Path) -> None:
    for line in block("certificates"):
        subprocess.run(["sh", "-ec", line], cwd=folder, check=True, capture_output=True)


def write_inventory(
    lab: Lab,
    estate: Estate,
    *,
    sites: dict[str, str] | str = "",
    secrets: str = "home",
    timeout: int = 60,
    port: int | None = None,
) -> Path:
    """The lab's inventory with the page's engine; `sites` is one for all clusters, or each cluster's."""
    path = lab.write(estate.folder)
    text = path.read_text("utf-8")
    run = re.search(r"```toml\n(\[run\].*?)\n\n", PAGE, re.DOTALL)
    assert run
    said = run[1].replace("8786", str(port or estate.port)).replace('secrets = "worker"', f'secrets = "{secrets}"')

    def placed(found: re.Match[str]) -> str:
        site = sites if isinstance(sites, str) else sites.get(found[1], "")
        return f'{found[0]}site = "{site}"\n' if site else found[0]

    text = re.sub(r"\[clusters\.([^.\]]+)\]\n", placed, text)
    path.write_text(f"{text}\n{said}\ntimeout = {timeout}\n", "utf-8")
    return path


REPORTS = {"--json": "out.json", "--junit": "out.xml", "--html": "out.html", "--markdown": "out.md", "--csv": "out.csv"}


@dataclass(slots=True)
class Scan:
    """One `preflight scan` of its own process."""

    inventory: Path
    process: subprocess.Popen[str]

    def ended(self) -> tuple[int, str]:
        out, errors = self.process.communicate(timeout=PATIENCE_S * 3)
        return self.process.returncode, out + errors

    def report(self) -> dict[str, Any]:
        """What its JSON says, once it has come to its end."""
        code, said = self.ended()
        assert code in (0, 1, 3, 130), said
        return read_report(self.inventory)


def moment(estate: Estate, name: str) -> Path:
    path = estate.folder / f"moment-{name}"
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.go").unlink(missing_ok=True)
    return path


def go(path: Path) -> None:
    path.with_name(f"{path.name}.go").touch()


_scans: list[Scan] = []


def end_scans() -> None:
    """None outlives its test."""
    while _scans:
        process = _scans.pop().process
        for each in family(process.pid):
            with suppress(Exception):
                each.kill()
        process.communicate()


def read_report(inventory: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((inventory.parent / REPORTS["--json"]).read_text("utf-8"))
    return found


def clear_reports(inventory: Path) -> None:
    for name in REPORTS.values():
        (inventory.parent / name).unlink(missing_ok=True)


def start_scan(inventory: Path, *more: str, how: dict[str, Any] | None = None) -> Scan:
    """Reports of every kind go beside the inventory. `how` goes to `impatient`."""
    clear_reports(inventory)
    program = [sys.executable, str(IMPATIENT), json.dumps(how or {})]
    words = [word for option, name in REPORTS.items() for word in (option, str(inventory.parent / name))]
    if not (how or {}).get("still"):
        words += ["--skip-check", "clock-skew"]  # on a busy machine it cannot tell
    command = [*program, "scan", str(inventory), "-q", *words, *more]
    process = subprocess.Popen(
        command, cwd=inventory.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8"
    )
    _scans.append(scan := Scan(inventory, process))
    return scan


def reached(report: dict[str, Any]) -> dict[str, bool]:
    return {node["node"]: node["reachable"] for node in report["nodes"]}


def causes(report: dict[str, Any]) -> set[str]:
    return {row["message"] for row in report["results"] if row["check"] == "connectivity" and row["status"] == "error"}


class Gate(threading.Event):
    """Keeps the answers of a lab's slow nodes back until it is set."""

    @contextmanager
    def before(self, scenario: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
        with monkeypatch.context() as patch, Lab(parse_scenario(scenario, "held")) as lab:
            patch.setattr(SshServer, "_wait", lambda _, seconds: self.wait(seconds))
            try:
                yield lab
            finally:
                self.set()
