"""Whatever a scheduler and its workers show, log or put on a disk, none of it is what a node is reached with."""

from __future__ import annotations

import pickle
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from scanner.run.engines.parcel import Batch, Parcel
from tests.live.dask_estate import (
    Estate,
    Gate,
    conversations,
    free_port,
    go,
    moment,
    start_scan,
    until,
    write_inventory,
)
from tests.test_scanner.run.engines.test_dask_engine import job

pytest.importorskip("psutil")
pytest.importorskip("distributed")
pytestmark = [pytest.mark.live, pytest.mark.slow]

PASSWORDS = """
title = "Backends that are let in by a password, and answer when the test wants it to"
extends = "chef-healthy"
[clusters.chef.nodes]
backend-1 = {login = "password", slow = {start = 600.0}}
backend-2 = {login = "password"}
backend-3 = {login = "password"}
"""
AT_ONCE_TO_DISK = {
    "DASK_DISTRIBUTED__WORKER__MEMORY__TARGET": "0.000000001",
    "DASK_DISTRIBUTED__WORKER__MEMORY__SPILL": "0.000000002",
    "DASK_DISTRIBUTED__WORKER__MEMORY__PAUSE": "false",
    "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "false",
}
VERBOSE = {"DASK_LOGGING__DISTRIBUTED": "debug"}
SHOWN = (
    *("info/main/workers.html", "info/main/events.html", "info/main/exceptions.html", "info/main/logs.html"),
    *("info/logs.html", "info/call-stack/{key}.html", "info/task/{key}.html", "info/worker/{worker}.html"),
    *("info/worker-logs/{worker}.html", "info/worker-call-stack/{worker}.html"),
    *("json/counts.json", "json/identity.json", "json/index.html", "api/v1/get_workers", "metrics", "health"),
)
ANSWER = b"postgresql"
"""Stands in what a backend says."""


def layers(data: bytes) -> Iterator[bytes]:
    """The bytes, and whatever of it is packed, unpacked."""
    yield data
    at = data.find(b"\x78")
    while at >= 0:
        if data[at + 1 : at + 2] in (b"\x01", b"\x5e", b"\x9c", b"\xda"):
            with suppress(zlib.error):
                yield from layers(zlib.decompressobj().decompress(data[at:]))
        at = data.find(b"\x78", at + 1)


def stands_in(data: bytes, words: list[bytes]) -> bool:
    return any(word in layer for layer in layers(data) for word in words)


def pages(ports: list[int], key: str, worker: str) -> dict[str, bytes]:
    """What is shown by HTTP to whoever asks."""
    found = {}
    for port in ports:
        for place in SHOWN:
            path = place.format(key=key, worker=quote(worker, safe=""))
            with (
                suppress(urllib.error.HTTPError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=20) as page,
            ):
                found[f"{port}/{place}"] = page.read()
    return found


def state(estate: Estate) -> bytes:
    """All that scheduler and workers tell of themselves to somebody who debugs them."""
    with estate.client() as client:
        of = (
            "[repr(task) + str(task) + repr(task.run_spec) + str(task.annotations) "
            "for each in __import__('distributed').{}._instances for task in each{}.tasks.values()]"
        )
        found = [
            client.run_on_scheduler(eval, of.format("Scheduler", "")),
            client.run(eval, of.format("Worker", ".state")),
            client.scheduler_info(),
            client.get_worker_logs(),
            client.get_scheduler_logs(),
            client.call_stack(),
            client.profile(),
            client.get_events(),
        ]
    return repr(found).encode()


@pytest.fixture
def shown(machines: Estate, tmp_path: Path) -> Iterator[tuple[Estate, list[int]]]:
    """Machines that show all they have, and keep answers on their disks."""
    folder = tmp_path / "estate"
    folder.mkdir()
    for file in machines.folder.glob("*.pem"):
        (folder / file.name).write_bytes(file.read_bytes())
    for file in machines.folder.glob("*.key"):
        (folder / file.name).write_bytes(file.read_bytes())
        (folder / file.name).chmod(0o600)
    made = Estate(folder)
    ports = [free_port(), free_port()]
    try:
        for name, port, settings in zip(
            ("scheduler", "emea"), ports, (VERBOSE, VERBOSE | AT_ONCE_TO_DISK), strict=True
        ):
            made.begin(name, options=["--dashboard", "--dashboard-address", f"127.0.0.1:{port}"], environment=settings)
        yield made, ports
    finally:
        made.end()


@pytest.mark.parametrize("secrets", ["home", "worker"])
def test_no_secret_is_shown_logged_or_spilt(
    shown: tuple[Estate, list[int]], monkeypatch: pytest.MonkeyPatch, estate: Estate, gate: Gate, secrets: str
) -> None:
    del estate  # ends the scans
    there, ports = shown
    with gate.before(PASSWORDS, monkeypatch) as lab:
        words = [secret.encode() for secret in lab.secrets]
        path = write_inventory(lab, there, sites="emea", secrets=secrets)
        arriving = moment(there, "arriving")
        scan = start_scan(path, how={"hold": {"arriving": str(arriving)}})
        until(lambda: conversations(lab) == 1, "nobody was asked")
        seen = look(there, ports)
        gate.set()
        until(arriving.exists, "the worker did not answer")
        seen |= {f"{place} afterwards": data for place, data in look(there, ports).items()}
        spilt = {str(file): file.read_bytes() for file in there.scratch("emea").rglob("*") if file.is_file()}
        assert any(stands_in(data, [ANSWER]) for data in spilt.values()), "nothing was put on the disk"
        go(arriving)
        assert scan.report()["verdict"] == "GO"
        seen |= spilt | {name: there.log(name).encode() for name in ("scheduler", "emea")}
        seen |= {str(file): file.read_bytes() for file in there.scratch("scheduler").rglob("*") if file.is_file()}
        assert [place for place, data in seen.items() if stands_in(data, words)] == []
        assert len(seen) > len(SHOWN), sorted(seen)


def look(estate: Estate, ports: list[int]) -> dict[str, bytes]:
    with estate.client() as client:
        (worker,) = client.scheduler_info()["workers"]
    (key,) = set(estate.tasks())
    assert key.startswith("preflight-")
    found = pages(ports, key, worker)
    assert key.encode() in b"".join(found.values()), "the pages do not show the task at all"
    return found | {"state": state(estate), "key": key.encode()}


def test_a_secret_on_a_disk_is_found_out() -> None:
    calls = tuple(job("b1", password="the Canary").calls())
    assert stands_in(b"log: " + pickle.dumps(Parcel.of(Batch(run="r", calls=calls, parallel=1))), [b"Canary"])
    packed = zlib.compress(b"a" + zlib.compress(b"the Canary sings", 1), 1)
    assert stands_in(b"x\x78\x9cx" + packed + b"more", [b"Canary"])
    assert not stands_in(packed, [b"Cuckoo"])
