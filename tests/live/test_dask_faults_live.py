"""What dies beside a scan, and when: real scheduler, workers and scanner, held to the guide's table of it."""

from __future__ import annotations

import html
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from tests.live.dask_estate import (
    PAGE,
    REPORTS,
    Estate,
    Gate,
    Scan,
    Wire,
    causes,
    conversations,
    free_port,
    go,
    moment,
    reached,
    read_report,
    start_scan,
    until,
    write_inventory,
)

pytest.importorskip("psutil")
pytest.importorskip("distributed")
pytestmark = [pytest.mark.live, pytest.mark.slow]

BEFORE, DURING, AFTER = "before the scan", "while nodes are asked", "when all have answered"
HELD = """
title = "One backend answers when the test wants it to"
extends = "chef-healthy"
[clusters.chef.nodes.backend-1]
slow = {start = 600.0}
"""

_played: set[tuple[str, str]] = set()


def table() -> dict[tuple[str, str], str]:
    """The page's tables: what a report says, by what happens and when."""
    told: dict[tuple[str, str], str] = {}
    for found in re.findall(r"<!-- faults:begin -->\n(.*?)\n<!-- faults:end -->", PAGE, re.DOTALL):
        head, _, *rows = ([cell.strip() for cell in line.strip("| ").split(" | ")] for line in found.splitlines())
        told |= {(row[0], column): text for row in rows for column, text in zip(head[1:], row[1:], strict=True)}
    return told


def phrases(row: str, column: str) -> list[str]:
    """What the page says that a report says, as patterns."""
    quoted = re.findall(r"`([^`]+)`", table()[row, column])
    patterns = []
    for text in quoted:
        pattern = re.sub(r"(?<=\\ )\d+\\ nodes", r"\\d+\\ nodes?", re.escape(text)).replace(
            r"\ were\ ", r"\ (?:were|was)\ "
        )
        patterns.append(re.sub(r"\d+\\ s\b", r"[\\d.]+\\ s", pattern).replace(r"\.\.\.", ".*?"))
    return patterns


def text_of(inventory: Path, option: str) -> str:
    text = (inventory.parent / REPORTS[option]).read_text("utf-8")
    if option == "--html":
        text = re.sub(r"<[^>]*>", "", text)
    if option == "--markdown":
        text = re.sub(r"\\(?=[^\w\s])", "", text).replace("\u200b", "")
    return " ".join(html.unescape(text).split())


def assert_as_told(inventory: Path, row: str, column: str) -> None:
    """What the page says of the case stands in every report; a table of rows alone has no notices."""
    for pattern in phrases(row, column):
        for option in REPORTS:
            if option == "--csv" and any(sign in pattern for sign in ("once\\ more", "even\\ so")):
                continue
            said = text_of(inventory, option)
            assert re.search(pattern, said), (option, pattern, said[:5000])


def plays(row: str, column: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Says which cell of the page's table a test is of."""
    _played.add((row, column))
    return lambda test: test


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def held(gate: Gate, monkeypatch: pytest.MonkeyPatch, estate: Estate) -> Iterator[Lab]:
    """Three backends, of which the first one answers when the gate is opened."""
    if "apac" in estate.running:  # of a test that failed
        estate.kill("apac")
    estate.begin("scheduler", "emea")
    with gate.before(HELD, monkeypatch) as lab:
        yield lab


def asking(estate: Estate, lab: Lab, *names: str) -> None:
    """Wait until one of them is asking the held node, and nobody any other."""
    until(lambda: any(estate.is_asking(name, lab) for name in names) and conversations(lab) == 1, "nobody asked")


def assert_nothing_is_left(estate: Estate, lab: Lab) -> None:
    until(lambda: not conversations(lab), "a shell was left open", 30)
    estate.begin("scheduler", "emea")
    until(lambda: not estate.tasks(), "a task was left behind", 30)


def test_the_page_s_table_is_played_whole() -> None:
    assert set(table()) == _played


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


SECOND = "what the report says"
PRELOAD = Path(__file__).with_name("worker_preload.py")


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
