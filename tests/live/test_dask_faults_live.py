"""What hangs, runs full, is too old or cut off beside a scan: real programs, held to the guide's table of it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from scanner.lab.lab import Lab
from tests.live.dask_estate import (
    Estate,
    Gate,
    asking,
    assert_nothing_is_left,
    causes,
    conversations,
    free_port,
    moment,
    reached,
    start_scan,
    until,
    write_inventory,
)
from tests.live.dask_faults_page import SECOND, assert_as_told, assert_played_whole, plays
from tests.live.wire import Wire

pytest.importorskip("psutil")
pytest.importorskip("distributed")
pytestmark = [pytest.mark.live, pytest.mark.slow]

PRELOAD = Path(__file__).with_name("worker_preload.py")


def test_the_page_s_table_is_played_whole() -> None:
    assert_played_whole(SECOND)


@plays("a node takes down both workers that ask it", SECOND)
def test_a_node_takes_two_workers_down(estate: Estate, held: Lab) -> None:
    path = write_inventory(held, estate)
    scan = start_scan(path)
    asking(estate, held, "emea")
    estate.begin("apac")
    estate.kill("emea")
    until(lambda: estate.is_asking("apac", held), "nobody stood in")
    estate.begin("emea")
    until(lambda: conversations(held) == 1, "the others did not answer the second time")
    estate.kill("apac")
    report = scan.report()
    assert_as_told(path, "a node takes down both workers that ask it", SECOND)
    assert reached(report) == {"backend-1": False, "backend-2": True, "backend-3": True}
    assert report["verdict"] == "UNKNOWN"
    assert_nothing_is_left(estate, held)


@pytest.mark.parametrize("who", ["emea", "scheduler"])
@plays("a worker hangs", SECOND)
@plays("the scheduler hangs", SECOND)
def test_something_hangs(estate: Estate, held: Lab, gate: Gate, who: str) -> None:
    path = write_inventory(held, estate)
    scan = start_scan(path)
    asking(estate, held, "emea")
    if who == "emea":
        estate.begin("apac")
    estate.send(who, signal.SIGSTOP)
    try:
        if who == "emea":
            until(lambda: estate.is_asking("apac", held), "nobody stood in")
            gate.set()
        report = scan.report()
    finally:
        estate.send(who, signal.SIGCONT)
    assert_as_told(path, f"{'a worker' if who == 'emea' else 'the scheduler'} hangs", SECOND)
    assert report["verdict"] == ("GO" if who == "emea" else "UNKNOWN")
    assert_nothing_is_left(estate, held)
    if who == "emea":
        estate.kill("apac")


@plays("a worker runs out of memory", SECOND)
def test_a_worker_runs_out_of_memory(estate: Estate, held: Lab, gate: Gate) -> None:
    estate.kill("emea")
    eats = moment(estate, "eats")
    estate.begin(
        "emea", options=["--memory-limit", "400MB", "--preload", str(PRELOAD)], environment={"WORKER_EATS": str(eats)}
    )
    path = write_inventory(held, estate, sites="emea")
    scan = start_scan(path)
    asking(estate, held, "emea")
    eats.touch()
    until(lambda: not conversations(held), "it was not ended for its memory")
    eats.unlink()
    gate.set()
    report = scan.report()
    assert "95" in estate.log("emea")
    assert_as_told(path, "a worker runs out of memory", SECOND)
    assert report["verdict"] == "GO", "the nanny starts it again, and it is asked for the second time"
    assert_nothing_is_left(estate, held)
    estate.kill("emea")


@plays("a worker's memory is nearly full, and stays so", SECOND)
def test_a_worker_begins_nothing_more(estate: Estate, held: Lab, gate: Gate) -> None:
    estate.kill("emea")
    eats, full = moment(estate, "eats"), "DASK_DISTRIBUTED__WORKER__MEMORY__"
    environment = {"WORKER_EATS": str(eats), f"{full}PAUSE": "0.3", f"{full}TERMINATE": "false"}
    estate.begin("emea", options=["--memory-limit", "1GB", "--preload", str(PRELOAD)], environment=environment)
    path = write_inventory(held, estate)
    scan = start_scan(path)
    asking(estate, held, "emea")
    before = estate.log("emea").count("Pausing")
    eats.touch()
    until(lambda: estate.log("emea").count("Pausing") > before, "it was not paused")
    eats.unlink()
    estate.begin("apac")
    until(lambda: estate.is_asking("apac", held), "nobody stood in")
    gate.set()
    report = scan.report()
    assert_as_told(path, "a worker's memory is nearly full, and stays so", SECOND)
    assert report["verdict"] == "GO"
    assert_nothing_is_left(estate, held)
    estate.kill("emea")
    estate.kill("apac")


@pytest.mark.parametrize("what", ["preflight", "distributed"])
@plays("a worker runs another version of preflight", SECOND)
@plays("a worker runs another version of distributed", SECOND)
def test_a_worker_is_of_another_version(estate: Estate, held: Lab, gate: Gate, what: str) -> None:
    gate.set()
    estate.kill("emea")
    pretended = {f"WORKER_IS_{what.upper()}": "0.0.1"}
    estate.begin("emea", options=["--preload", str(PRELOAD)], environment=pretended)
    path = write_inventory(held, estate, sites="emea")
    report = start_scan(path, how={"patience": {"worker": 15.0}}).report()
    assert_as_told(path, f"a worker runs another version of {what}", SECOND)
    assert f"runs {what} 0.0.1 (here " in str(causes(report))
    assert report["verdict"] == "UNKNOWN"
    estate.begin("apac")
    assert start_scan(write_inventory(held, estate)).report()["verdict"] == "GO", "the other one is as good as ever"
    estate.kill("emea")
    estate.kill("apac")


@plays("the scheduler is killed and started again", SECOND)
def test_the_scheduler_is_started_again(estate: Estate, held: Lab, gate: Gate) -> None:
    path = write_inventory(held, estate)
    scan = start_scan(path, how={"patience": {"scheduler": 60.0, "worker": 60.0}})
    asking(estate, held, "emea")
    estate.kill("scheduler")
    estate.begin("scheduler")
    until(lambda: not conversations(held), "the worker went on for nobody", 30)
    gate.set()
    # It ends with its scheduler; a service's manager starts it again.
    until(lambda: not estate.is_running("emea"), "the worker did not end")
    estate.begin("emea")
    report = scan.report()
    assert_as_told(path, "the scheduler is killed and started again", SECOND)
    assert report["verdict"] == "GO"
    assert_nothing_is_left(estate, held)


@pytest.mark.parametrize("comes_back", [True, False])
@plays("the network between scanner and scheduler breaks", SECOND)
@plays("the same, and it comes back", SECOND)
def test_the_scanner_s_network_breaks(estate: Estate, held: Lab, gate: Gate, comes_back: bool) -> None:
    with Wire(estate.port) as wire:
        path = write_inventory(held, estate, port=wire.port)
        scan = start_scan(path, how={"patience": {"scheduler": 60.0 if comes_back else 8.0}})
        asking(estate, held, "emea")
        wire.cut()
        until(lambda: not conversations(held), "the worker went on for nobody", 30)
        if comes_back:
            gate.set()
            wire.mend()
        report = scan.report()
        row = "the same, and it comes back" if comes_back else "the network between scanner and scheduler breaks"
        assert_as_told(path, row, SECOND)
        assert report["verdict"] == ("GO" if comes_back else "UNKNOWN")
        assert_nothing_is_left(estate, held)


@plays("the network between scanner and scheduler falls silent", SECOND)
def test_the_scanner_s_network_falls_silent(estate: Estate, held: Lab) -> None:
    with Wire(estate.port) as wire:
        path = write_inventory(held, estate, port=wire.port, timeout=30)
        scan = start_scan(path)
        asking(estate, held, "emea")
        wire.fall_silent()
        report = scan.report()
    assert_as_told(path, "the network between scanner and scheduler falls silent", SECOND)
    assert report["verdict"] == "UNKNOWN"
    assert_nothing_is_left(estate, held)


@pytest.mark.parametrize("how", ["breaks", "falls silent"])
@plays("the network between scheduler and worker breaks", SECOND)
@plays("the network between scheduler and worker falls silent", SECOND)
def test_a_worker_s_network_is_gone(estate: Estate, held: Lab, gate: Gate, how: str) -> None:
    estate.kill("emea")
    port = free_port()
    with Wire(estate.port) as up, Wire(port) as down:
        there = ["--listen-address", f"tls://127.0.0.1:{port}", "--contact-address", f"tls://127.0.0.1:{down.port}"]
        estate.begin("emea", options=there, port=up.port)
        path = write_inventory(held, estate)
        scan = start_scan(path)
        asking(estate, held, "emea")
        estate.begin("apac")
        for wire in (up, down):
            if how == "breaks":
                wire.cut()
            else:
                wire.fall_silent()
        until(lambda: estate.is_asking("apac", held), "nobody stood in")
        gate.set()
        report = scan.report()
        assert_as_told(path, f"the network between scheduler and worker {how}", SECOND)
        assert report["verdict"] == "GO"
        until(lambda: not conversations(held), "a shell was left open", 30)
        estate.kill("emea")
        estate.kill("apac")
    assert_nothing_is_left(estate, held)
