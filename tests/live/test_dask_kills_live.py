"""What is killed or interrupted beside a scan, and when: real programs, held to the guide's table of it."""

from __future__ import annotations

import signal
import time

import pytest

from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from tests.live.dask_estate import (
    REPORTS,
    Estate,
    Gate,
    Scan,
    asking,
    assert_nothing_is_left,
    causes,
    conversations,
    go,
    moment,
    reached,
    read_report,
    start_scan,
    until,
    write_inventory,
)
from tests.live.dask_faults_page import AFTER, BEFORE, DURING, assert_as_told, assert_played_whole, plays

pytest.importorskip("psutil")
pytest.importorskip("distributed")
pytestmark = [pytest.mark.live, pytest.mark.slow]


def test_the_page_s_table_is_played_whole() -> None:
    assert_played_whole(BEFORE, DURING, AFTER)


@pytest.mark.parametrize("who", ["emea", "scheduler"])
@plays("a worker is killed", BEFORE)
@plays("the scheduler is killed", BEFORE)
def test_killed_before(estate: Estate, who: str) -> None:
    estate.begin("scheduler", "emea")
    estate.kill(who)
    with Lab(load_scenario("chef-healthy")) as lab:
        path = write_inventory(lab, estate, sites="emea")
        report = start_scan(path, how={"patience": {"worker": 4.0}}).report()
        assert_as_told(path, "a worker is killed" if who == "emea" else "the scheduler is killed", BEFORE)
    assert len(causes(report)) == 1
    assert not any(reached(report).values())
    assert report["verdict"] == "UNKNOWN"
    assert report["exit_code"] == 3


@plays("a worker is killed", DURING)
def test_a_worker_is_killed_during(estate: Estate, held: Lab, gate: Gate) -> None:
    path = write_inventory(held, estate)
    scan = start_scan(path)
    asking(estate, held, "emea")
    estate.begin("apac")
    estate.kill("emea")
    until(lambda: estate.is_asking("apac", held), "nobody stood in")
    gate.set()
    report = scan.report()
    assert_as_told(path, "a worker is killed", DURING)
    assert (report["verdict"], set(reached(report).values())) == ("GO", {True})
    estate.kill("apac")
    assert_nothing_is_left(estate, held)


def test_a_worker_is_killed_while_its_answers_are_on_their_way(estate: Estate) -> None:
    estate.begin("scheduler", "emea")
    with Lab(load_scenario("chef-healthy")) as lab:
        path = write_inventory(lab, estate)
        arriving = moment(estate, "arriving")
        scan = start_scan(path, how={"hold": {"arriving": str(arriving)}, "patience": {"silence": 60.0}})
        until(arriving.exists, "nothing was answered")
        estate.begin("apac")
        estate.kill("emea")
        go(arriving)
        began = time.monotonic()
        report = scan.report()
        assert time.monotonic() - began < 50, "it was waited for, although it is gone"
        assert_as_told(path, "a worker is killed", DURING)
        assert report["verdict"] == "GO"
        estate.kill("apac")
        assert_nothing_is_left(estate, lab)


@plays("the scheduler is killed", DURING)
def test_the_scheduler_is_killed_during(estate: Estate, held: Lab, gate: Gate) -> None:
    estate.begin("apac")
    path = write_inventory(held, estate)
    answered = moment(estate, "answered")
    # Both workers are heard before anything is placed: else all nodes are one batch, and come home at once.
    scan = start_scan(path, how={"answered": str(answered), "patience": {"look": 3.0}})
    asking(estate, held, "emea", "apac")
    until(answered.exists, "the other worker's node did not answer")
    estate.kill("scheduler")
    report = scan.report()
    assert_as_told(path, "the scheduler is killed", DURING)
    assert report["verdict"] == "UNKNOWN"
    assert sorted(reached(report).values()) in ([False, False, True], [False, True, True])
    assert not reached(report)["backend-1"]
    until(lambda: not conversations(held), "a shell was left open", 30)
    estate.end()


@pytest.mark.parametrize("who", ["emea", "scheduler"])
@plays("a worker is killed", AFTER)
@plays("the scheduler is killed", AFTER)
def test_killed_after(estate: Estate, who: str) -> None:
    estate.begin("scheduler", "emea")
    with Lab(load_scenario("chef-healthy")) as lab:
        path = write_inventory(lab, estate)
        here = start_scan(path, "--engine", "threads", how={"still": True})
        here.report()
        kept = {option: (path.parent / name).read_bytes() for option, name in REPORTS.items()}
        home = moment(estate, "home")
        scan = start_scan(path, how={"still": True, "hold": {"home": str(home)}})
        until(home.exists, "the answers did not come home")
        estate.kill(who)
        go(home)
        scan.report()
        assert {option: (path.parent / name).read_bytes() for option, name in REPORTS.items()} == kept


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@plays("Ctrl-C", BEFORE)
@plays("the scanner is killed", BEFORE)
def test_the_scanner_is_ended_before(estate: Estate, held: Lab, how: signal.Signals) -> None:
    connecting = moment(estate, "connecting")
    path = write_inventory(held, estate)
    scan = start_scan(path, how={"hold": {"connecting": str(connecting)}})
    until(connecting.exists, "it did not start")
    scan.process.send_signal(how)
    go(connecting)
    assert_ended(scan, how, BEFORE)
    assert_nothing_is_left(estate, held)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@plays("Ctrl-C", DURING)
@plays("the scanner is killed", DURING)
def test_the_scanner_is_ended_during(estate: Estate, held: Lab, gate: Gate, how: signal.Signals) -> None:
    path = write_inventory(held, estate, timeout=600)
    scan = start_scan(path)
    asking(estate, held, "emea")
    scan.process.send_signal(how)
    assert_ended(scan, how, DURING)
    assert_nothing_is_left(estate, held)
    if how == signal.SIGINT:
        assert reached(read_report(path)) == {"backend-1": False, "backend-2": True, "backend-3": True}
    gate.set()
    assert start_scan(path).report()["verdict"] == "GO", "the next scan finds everything as it was"


@pytest.mark.parametrize("when", ["home", "judging"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
@plays("Ctrl-C", AFTER)
@plays("the scanner is killed", AFTER)
def test_the_scanner_is_ended_after(estate: Estate, gate: Gate, held: Lab, how: signal.Signals, when: str) -> None:
    gate.set()
    path = write_inventory(held, estate)
    reached_it = moment(estate, when)
    scan = start_scan(path, how={"hold": {when: str(reached_it)}})
    until(reached_it.exists, "it did not come so far")
    scan.process.send_signal(how)
    go(reached_it)
    if (how, when) == (signal.SIGINT, "judging"):
        code, _ = scan.ended()
        assert code == 130
        assert not any((path.parent / name).exists() for name in REPORTS.values())
    else:
        assert_ended(scan, how, AFTER)
    if (how, when) == (signal.SIGINT, "home"):
        assert set(reached(read_report(path)).values()) == {True}
    assert_nothing_is_left(estate, held)


def assert_ended(scan: Scan, how: signal.Signals, column: str) -> None:
    code, said = scan.ended()
    if how == signal.SIGKILL:
        assert code == -signal.SIGKILL
        assert not any((scan.inventory.parent / name).exists() for name in REPORTS.values())
        return
    assert code == 130, said
    report = read_report(scan.inventory)
    assert report["partial"]
    assert report["verdict"] != "GO"
    assert_as_told(scan.inventory, "Ctrl-C", column)
