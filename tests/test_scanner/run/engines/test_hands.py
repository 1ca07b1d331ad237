"""What asks which node: all that is asked over SSH or WinRM alone in one thread, each other node in one of its own."""

from __future__ import annotations

import base64
import errno
import gzip
import json
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from scanner.inventory.model import WinrmSettings
from scanner.probes.batch import powershell, sh
from scanner.probes.probe import Probe
from scanner.run.collect import collect
from scanner.run.engines import worker
from scanner.run.engines.hands import Hands
from scanner.run.engines.parcel import Batch
from scanner.run.node import query_node
from scanner.transports.network.green.loop import Loop
from scanner.transports.network.green.waiting import pause
from scanner.transports.protocol import ConnectionCost, TransferTimes
from tests.test_scanner.run.test_collect import job

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere each node has its thread")
NODES = [f"b{number}" for number in range(12)]


class Listening:
    """A conversation that says where it is held."""

    held: list[tuple[int, bool]]

    def __init__(self, *_: object, gate: Any, **__: object) -> None:
        self.gate = gate
        self.usage, self.moments = ConnectionCost(), TransferTimes()

    def run(self, *_: object) -> bytes:
        with self.gate:
            pause(0.001)
            self.held.append((threading.get_ident(), Loop.current() is not None))
        return b""

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """The thread of each conversation, and whether it is a green one."""
    Listening.held = []
    monkeypatch.setattr("scanner.transports.ssh.transport.SshTransport", Listening)
    monkeypatch.setattr("scanner.transports.winrm.transport.WinrmTransport", Listening)
    return Listening.held


def test_a_scan_asks_all_nodes_over_ssh_in_one_thread(held: list[tuple[int, bool]]) -> None:
    collect(job(*NODES))
    assert len(held) == len(NODES)
    assert len({thread for thread, _ in held}) == 1
    assert all(green for _, green in held)
    assert held[0][0] != threading.get_ident()


def test_a_worker_asks_its_batch_in_one_thread(held: list[tuple[int, bool]]) -> None:
    calls = tuple(job(*NODES).calls())
    said = worker.asked(Batch(run="r", calls=calls, parallel=4)).said
    assert len(said) == len(held) == len(NODES)
    assert len({thread for thread, _ in held}) == 1
    assert all(green for _, green in held)


def test_where_there_is_no_loop_each_node_has_a_thread_of_its_own(
    held: list[tuple[int, bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a sandbox that forbids the calls which a loop rests on."""

    def forbidden(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("scanner.transports.network.green.loop.os.eventfd", forbidden)
    collect(job(*NODES))
    assert len(held) == len(NODES)
    assert not any(green for _, green in held)


@pytest.mark.parametrize(("transport", "green"), [("ssh", True), ("local", False), ("tds", False)])
def test_what_waits_otherwise_has_a_thread_of_its_own(transport: str, *, green: bool) -> None:
    call = job("b1").calls()[0]
    call = replace(call, node=replace(call.node, transport=transport))
    with Hands(2) as hands:
        assert hands.submit(lambda _: Loop.current() is not None, call).result(10) is green


@pytest.mark.parametrize(
    ("auth", "green"),
    [("ntlm", True), ("basic", True), ("certificate", True), ("kerberos", False), ("credssp", False)],
)
def test_a_login_that_may_ask_a_domain_controller_is_waited_for_in_a_thread(auth: str, *, green: bool) -> None:
    call = job("b1").calls()[0]
    call = replace(call, node=replace(call.node, transport="winrm", winrm=WinrmSettings(auth=auth)))
    with Hands(2) as hands:
        assert hands.submit(lambda _: Loop.current() is not None, call).result(10) is green


def bomb(nonce: str) -> bytes:
    """Some 3 kB, and two megabytes unpacked."""
    told = json.dumps({"budget_ms": 1, "probes": {"x": {"value": "x" * 2_000_000}}}).encode()
    return f"{nonce}:gzip:{base64.b64encode(gzip.compress(told)).decode()}:{nonce}".encode()


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize(
    ("language", "said", "in_loop"),
    [
        ("sh", lambda _: b"little", True),
        ("sh", lambda _: b"much " * 100_000, False),
        ("powershell", lambda _: b"little", True),
        ("powershell", lambda _: b"much " * 100_000, False),
        ("powershell", bomb, False),
    ],
    ids=["little", "much", "little from Windows", "much from Windows", "packed"],
)
def test_much_is_looked_through_where_it_keeps_no_other_node_waiting(
    language: str,
    said: Callable[[str], bytes],
    *,
    in_loop: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[bool] = []
    monkeypatch.setattr("scanner.run.node.secrets.token_hex", lambda _: "5" * 32)
    monkeypatch.setattr(Listening, "run", lambda *_: said("5" * 32))
    for batch in (sh, powershell):
        parse = batch.parse_with_stamps

        def watched(*given: Any, parse: Callable[..., Any] = parse, **more: Any) -> Any:
            found.append(Loop.current() is not None)
            return parse(*given, **more)

        monkeypatch.setattr(batch, "parse_with_stamps", watched)
    call = job("b1").calls()[0]
    if language == "powershell":
        node = replace(call.node, transport="winrm", winrm=WinrmSettings())
        probe = Probe(id="x", language="powershell", purpose="what it says", script="1", readers=())
        call = replace(call, node=node, probes=(probe,))
    with Hands(2) as hands:
        hands.submit(query_node, call).result(20)
    assert found == [in_loop]


def test_a_sql_server_that_is_asked_beside_its_host_is_waited_for_in_a_thread() -> None:
    call = job("b1").calls()[0]
    listener = Probe(id="sql", language="tds", purpose="what it says", script="select 1", readers=())
    with Hands(2) as hands:
        asked = hands.submit(lambda _: Loop.current() is not None, replace(call, probes=(*call.probes, listener)))
        assert asked.result(10) is False
