"""dask itself: a scheduler and a worker in one process beside this one, spoken to over TLS."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from checks.scan import Scan, Verdict
from scanner.inventory.credentials import resolve
from scanner.inventory.select import select
from scanner.lab.lab import Lab
from scanner.lab.scenario import parse_scenario
from scanner.lab.servers.certificates import CertificateAuthority
from scanner.loading.inventory import load_inventory
from scanner.run.collect import Progress, scan
from scanner.run.engines.dask import engine as engine_module
from scanner.run.engines.dask import link
from scanner.run.engines.dask.patience import Patience
from scanner.run.engines.engine import DASK, EngineChoice
from scanner.run.job import ScanRequest
from scanner.run.prepare import build_request

pytest.importorskip("distributed")

TOP = Path(__file__).parents[4]
PROGRAM = """
import os, pathlib, sys
import distributed
from scanner.run.engines import worker
worker._LINGER_S = 0.1
os.chdir(sys.argv[1])
tls = distributed.Security.temporary()
for name, text in (("ca", tls.tls_ca_file), ("cert", tls.tls_client_cert), ("key", tls.tls_client_key)):
    pathlib.Path(name + ".pem").write_text(text)
with distributed.LocalCluster(
    n_workers=1, threads_per_worker=1, processes=False, host="127.0.0.1", protocol="tls://", security=tls,
    dashboard_address=None, resources={"emea": 1}, local_directory="scratch",
) as cluster:
    print(cluster.scheduler_address, flush=True)
    for line in sys.stdin:
        print(*(str(key) for key in cluster.scheduler.tasks), flush=True)
"""
MIXED = """
title = "One backend is down, one refuses the login"
extends = "chef-healthy"
[clusters.chef.nodes.backend-1]
fault = "refuse"
[clusters.chef.nodes.backend-2]
fault = "wrong-password"
"""
SLOW = """
title = "One backend takes its time"
extends = "chef-healthy"
[clusters.chef.nodes.backend-1]
slow = {start = 1.0}
"""


@dataclass(frozen=True, slots=True)
class Scheduler:
    choice: EngineChoice
    process: subprocess.Popen[str]

    def tasks(self) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("?\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    folder = tmp_path_factory.mktemp("scheduler")
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)],
        env={**os.environ, "PYTHONPATH": str(TOP)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout
        address = process.stdout.readline().strip()
        assert address.startswith("tls://"), "dask did not start"
        files = {f"{name}_file": str(folder / f"{name}.pem") for name in ("ca", "cert", "key")}
        try:
            yield Scheduler(EngineChoice(name=DASK, scheduler=address, **files), process)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(parse_scenario(MIXED, "mixed")) as running:
        yield running


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "PATIENCE", Patience(look=0.1, worker=0.3))


def job(lab: Lab, folder: Path, choice: EngineChoice, *, site: str = "") -> ScanRequest:
    ready = resolve(load_inventory(lab.write(folder)))
    made = build_request(select(ready))
    clusters = tuple((replace(cluster, site=site), info) for cluster, info in made.clusters)
    return replace(made, clusters=clusters, engine=choice)


def results(done: Scan) -> list[Any]:
    # What two clocks differ by is measured anew each time.
    return [row for row in done.results if row.check != "clock-skew"]


def test_a_site_s_worker_says_what_threads_say(lab: Lab, scheduler: Scheduler, tmp_path: Path) -> None:
    here = scan(job(lab, tmp_path, EngineChoice(), site="emea"))
    there = scan(job(lab, tmp_path, scheduler.choice, site="emea"))
    assert results(there) == results(here)
    assert [node.reachable for node in there.nodes] == [False, False, True]
    assert [(node.connections, node.commands) for node in there.nodes] == [
        (node.connections, node.commands) for node in here.nodes
    ]
    assert (there.verdict, there.notices) == (Verdict.UNKNOWN, here.notices)
    assert scheduler.tasks() == ""


def test_a_batch_with_a_slow_node_comes_home_in_parts(scheduler: Scheduler, tmp_path: Path) -> None:
    finished: list[str] = []

    def far(now: Progress) -> None:
        if now.finished:
            finished.append(now.finished.node)

    with Lab(parse_scenario(SLOW, "slow")) as lab:
        done = scan(job(lab, tmp_path, scheduler.choice), far)
    assert [node.reachable for node in done.nodes] == [True] * 3
    assert finished[-1] == "backend-1", "the others waited for it"
    assert scheduler.tasks() == ""


def test_a_site_without_a_worker_is_one_cause(lab: Lab, scheduler: Scheduler, tmp_path: Path) -> None:
    done = scan(job(lab, tmp_path, scheduler.choice, site="apac"))
    assert {row.message for row in done.results if row.check == "connectivity"} == {"no worker for site apac"}


def test_a_stranger_s_scheduler_is_not_spoken_to(lab: Lab, scheduler: Scheduler, tmp_path: Path) -> None:
    strange = CertificateAuthority(tmp_path / "strange")
    choice = replace(scheduler.choice, ca_file=str(strange.certificate))
    done = scan(job(lab, tmp_path, choice))
    (cause,) = {row.message for row in done.results if row.check == "connectivity"}
    assert "do not trust each other" in cause


@pytest.mark.parametrize(
    ("listens", "why"), [(False, "Connection refused"), (True, "it takes connections, and does not answer")]
)
def test_who_is_no_scheduler_is_told_in_the_system_s_own_words(
    listens: bool, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And with no class of anybody's: the library says no more than that its time is up."""
    monkeypatch.setattr(link, "_CONNECT_S", 0.5)
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        if listens:
            there.listen(64)
        address = f"tcp://127.0.0.1:{there.getsockname()[1]}"
        with pytest.raises(link.EngineError) as refused:
            link.Link(EngineChoice(name=DASK, scheduler=address), processes=1)
    assert str(refused.value) == f"{address} cannot be reached within 0.5 s: {why}"


def test_a_connection_that_came_back_by_itself_is_not_the_one_that_there_was() -> None:
    """What was given to the scheduler over the first one is forgotten there, whoever looks, and when."""
    client = SimpleNamespace(status="running", scheduler_comm=object())
    made = link.Link.__new__(link.Link)
    made._client, made._wire = client, client.scheduler_comm
    seen = [made.connected]
    for client.status, client.scheduler_comm in (("connecting", None), ("running", object())):
        seen.append(made.connected)
    assert seen == [True, False, False]
