"""A name server that does not answer costs `connect_timeout`, whoever asks for the name."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from scanner.errors import UnreachableError
from scanner.inventory.model import Node, SshSettings, WinrmSettings
from scanner.probes.probe import Probe
from scanner.run.node import NodeRequest, query_node
from scanner.transports.network.dialling import dial
from scanner.transports.network.resolver import NameTimeoutError, resolve
from scanner.transports.protocol import Limits
from scanner.transports.tds.connecting import open_connection

NAME = "db1.corp.example"


@pytest.fixture
def black_hole(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """No name is answered for until the test is over."""
    over = threading.Event()
    really = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if options.get("flags"):
            return really(host, *arguments, **options)
        over.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield over
    over.set()
    for thread in threading.enumerate():
        if thread.name == "resolve":
            thread.join(5)


@pytest.mark.usefixtures("black_hole")
@pytest.mark.parametrize("door", [dial, open_connection])
def test_a_connection_gives_up_on_the_name_in_time(door: Any) -> None:
    started = time.monotonic()
    with pytest.raises(UnreachableError, match=rf"{NAME}.* is not resolved within 0.2 s") as caught:
        door(NAME, 22, 0.2)
    assert time.monotonic() - started < 2
    assert "DNS" in caught.value.hint or "name servers" in caught.value.hint


@pytest.mark.usefixtures("black_hole")
@pytest.mark.parametrize("transport", ["ssh", "winrm", "local"])
def test_a_node_gives_up_on_its_name_in_time(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanner.transports.local._RESOLVE_S", 0.3)
    ssh = SshSettings(user="preflight", ssh_config="", connect_timeout_s=0.3)
    winrm = WinrmSettings(user="x", connect_timeout_s=0.3)
    keys: dict[str, dict[str, Any]] = {"ssh": {"ssh": ssh}, "winrm": {"winrm": winrm}, "local": {}}
    product = "secret-server" if transport == "winrm" else "chef-backend"
    node = Node(
        cluster="c", name="db1", host=NAME, product=product, roles=("backend",), transport=transport, **keys[transport]
    )
    language = node.language
    started = time.monotonic()
    said = query_node(
        NodeRequest(
            node, (Probe(id="one", language=language, purpose="", script="exit 0", readers=()),), Limits(timeout_s=20)
        )
    )
    assert time.monotonic() - started < 5
    assert said.failure
    words = "is not the machine" if transport == "local" else f"the name {NAME} is not resolved within 0.3 s"
    assert words in said.failure


@pytest.mark.usefixtures("black_hole")
def test_an_address_needs_nobody_to_look_it_up() -> None:
    before = threading.active_count()
    assert resolve("127.0.0.1", 22, 0.0)[0][4] == ("127.0.0.1", 22)
    assert resolve("::1", 22, 0.0)[0][4][0] == "::1"
    assert threading.active_count() == before
    with pytest.raises(NameTimeoutError):
        resolve("localhost", 22, 0.05)


def test_names_are_resolved_and_refused_as_before() -> None:
    assert any(found[4][0] == "127.0.0.1" for found in resolve("localhost", 22, 5))
    with pytest.raises(socket.gaierror):
        resolve("nowhere.invalid", 22, 20)
    with pytest.raises(socket.gaierror, match="not a host name"):
        resolve("a" * 70 + ".example", 22, 5)
