"""`secrets = "worker"`: whoever asks a node finds its secrets, keys and paths on its own machine."""

from __future__ import annotations

import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from scanner.inventory import credentials
from scanner.inventory.credentials import unread
from scanner.inventory.model import Inventory
from scanner.inventory.select import select
from scanner.loading.inventory import load_inventory
from scanner.probes.probe import Answer
from scanner.run.engines import worker as work
from scanner.run.engines.parcel import Batch
from scanner.run.engines.shared import taking_part
from scanner.run.node import NodeRequest
from scanner.run.prepare import build_request
from scanner.secrets.secret import Secret
from scanner.transports.answers import NodeResponse

TEXT = """
[run]
engine = "dask"
scheduler = "tcp://127.0.0.1:8786"
secrets = "worker"

[clusters.chef]
product = "chef-backend"
user = "preflight"
{login}

[clusters.chef.nodes]
b1 = {{ host = "10.0.0.1", roles = ["backend"] }}
b2 = {{ host = "10.0.0.2", roles = ["backend"], {of_b2} }}
"""


WAIT_S = 20


def program(path: Path, *lines: str) -> None:
    path.write_text("\n".join(("#!/bin/sh", *lines)))
    path.chmod(0o755)


@pytest.fixture
def there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The worker's machine: another home, and its own working directory."""
    folder = tmp_path / "there"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(folder))
    return folder


def inventory(home: Path, login: str, of_b2: str = 'password_env = "PREFLIGHT_OF_B2"') -> Inventory:
    path = home / "inventory.toml"
    path.write_text(TEXT.format(login=login, of_b2=of_b2))
    return load_inventory(path)


def calls(loaded: Inventory) -> tuple[NodeRequest, ...]:
    # What a process elsewhere gets is what comes out of a pickle.
    return tuple(pickle.loads(pickle.dumps(build_request(select(loaded)).calls())))


def asked(
    requests: tuple[NodeRequest, ...], monkeypatch: pytest.MonkeyPatch, wanted: Callable[[], bool] = lambda: True
) -> tuple[dict[str, Any], dict[str, str]]:
    seen: dict[str, Any] = {}

    def note(call: NodeRequest, gate: Any) -> NodeResponse:
        seen[call.node.name] = call.node.ssh
        return NodeResponse(cluster="chef", node=call.node.name, host="", transport="ssh")

    monkeypatch.setattr(work, "query_node", note)
    answered = work.asked(Batch(run="r", calls=requests, parallel=2), wanted)
    failures = {said.node: said.failure or "" for said in answered.said if said}
    return seen, failures


def test_the_worker_s_own_variable_file_and_home_are_read(
    tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = inventory(tmp_path, 'password_file = "secret.txt"\nkey_file = "~/key"\nknown_hosts = "hosts"')
    requests = calls(loaded)
    assert b"Canary" not in pickle.dumps(requests)
    for name, text in (("secret.txt", "Canary-of-the-site\n"), ("key", "a key"), ("hosts", "")):
        (there / name).write_text(text)
        (there / name).chmod(0o600)
    monkeypatch.setenv("PREFLIGHT_OF_B2", "Canary-of-b2")
    seen, failures = asked(requests, monkeypatch)
    assert failures == {"b1": "", "b2": ""}
    assert seen["b1"].password == Secret("Canary-of-the-site")
    assert seen["b2"].password == Secret("Canary-of-b2")
    assert seen["b1"].key_file == str(there / "key")
    assert seen["b1"].known_hosts == str(there / "hosts")


def test_what_a_worker_lacks_is_told_of_the_nodes_that_need_it(
    tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = inventory(tmp_path, 'password_env = "PREFLIGHT_OF_ALL"')
    monkeypatch.setenv("PREFLIGHT_OF_ALL", "Canary-of-all")
    seen, failures = asked(calls(loaded), monkeypatch)
    assert list(seen) == ["b1"]
    assert failures["b2"] == (
        "password_env: the environment variable PREFLIGHT_OF_B2 is not set; set it, and export it to this program"
    )


def test_what_one_node_cannot_be_given_costs_the_others_nothing(
    tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that could not ask its whole batch would be given nothing more, and neither would the next one."""
    loaded = inventory(tmp_path, 'password_env = "PREFLIGHT_OF_ALL"', 'user = "odd"')
    monkeypatch.setenv("PREFLIGHT_OF_ALL", "Canary-of-all")
    find = credentials._Reader._ssh

    def odd(reader: Any, settings: Any, place: Any) -> Any:
        if settings.user == "odd":
            raise KeyError("Canary-of-all")
        return find(reader, settings, place)

    monkeypatch.setattr(credentials._Reader, "_ssh", odd)
    seen, failures = asked(calls(loaded), monkeypatch)
    assert list(seen) == ["b1"]
    assert failures["b2"].endswith("finding what it needs ended in KeyError: a defect of preflight; please report it")


def test_a_worker_whose_working_directory_is_gone_asks_on(
    tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written as a whole path, and what comes from the environment, is there all the same."""
    loaded = inventory(tmp_path, 'password_env = "PREFLIGHT_OF_ALL"')
    for name in ("PREFLIGHT_OF_ALL", "PREFLIGHT_OF_B2"):
        monkeypatch.setenv(name, "Canary")
    there.rmdir()
    _, failures = asked(calls(loaded), monkeypatch)
    assert failures == {"b1": "", "b2": ""}


def test_a_command_runs_once_for_all_that_need_it(tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(there / "vault", "echo run >> log", "echo Canary-of-the-vault")
    loaded = inventory(tmp_path, 'password_command = "./vault"')
    monkeypatch.setenv("PREFLIGHT_OF_B2", "Canary-of-b2")
    seen, failures = asked(calls(loaded), monkeypatch)
    assert failures == {"b1": "", "b2": ""}
    assert seen["b1"].password == Secret("Canary-of-the-vault")
    assert (there / "log").read_text() == "run\n"


def test_a_command_that_fails_runs_once_for_all_batches(
    tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each would wait for it anew, and what it is refused by may count the attempts."""
    program(there / "vault", "echo run >> log", "exit 1")
    first, _ = calls(inventory(tmp_path, 'password_command = "./vault"'))
    with taking_part(Batch(run="r", calls=(), parallel=2)):
        for _ in range(2):
            _, failures = asked((first,), monkeypatch)
            assert "the command ./vault failed with exit code 1" in failures["b1"]
    assert (there / "log").read_text() == "run\n"


def test_commands_run_beside_each_other(tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that hangs costs the batch its own time, and not as much for each that does."""
    for mine, other in (("one", "two"), ("two", "one")):
        program(there / mine, f"touch {mine}.begun", f"until [ -e {other}.begun ]; do sleep 0.05; done", "echo Canary")
    loaded = inventory(tmp_path, 'password_command = "./one"', 'password_command = "./two"')
    _, failures = asked(calls(loaded), monkeypatch)
    assert failures == {"b1": "", "b2": ""}


def test_a_command_ends_with_the_batch_that_nobody_wants_any_more(
    tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(there / "vault", "trap 'exit 0' HUP TERM", "echo $$ > begun.part", "mv begun.part begun", "exec sleep 600")
    loaded = inventory(tmp_path, 'password_command = "./vault"\nconnect_timeout = 600')
    monkeypatch.setenv("PREFLIGHT_OF_B2", "Canary-of-b2")
    began = time.monotonic()
    seen, failures = asked(calls(loaded), monkeypatch, lambda: not (there / "begun").exists())
    assert (seen, failures) == ({}, {}), "somebody was asked for nobody"
    process = Path("/proc", (there / "begun").read_text().strip())
    while process.exists() and time.monotonic() - began < WAIT_S:
        time.sleep(0.05)
    assert time.monotonic() - began < WAIT_S, "the command goes on"


def test_at_home_no_secret_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scanner.cli.answers import with_credentials

    loaded = inventory(tmp_path, 'password_env = "PREFLIGHT_OF_NOBODY"\nkey_file = "~/no-such-key"')
    selection = select(loaded)
    ready = with_credentials(build_request(selection), selection)
    nodes = [node for cluster, _ in ready.clusters for node in cluster.nodes]
    assert not any(isinstance(node.ssh and node.ssh.password, Secret) for node in nodes)


def test_what_was_found_for_a_run_is_forgotten_at_its_end(
    tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks on, such as a profile of all threads, keeps what a function has at hand for longer."""
    loaded = inventory(tmp_path, 'password_env = "PREFLIGHT_OF_ALL"')
    monkeypatch.setenv("PREFLIGHT_OF_ALL", "Canary-of-all")
    monkeypatch.setenv("PREFLIGHT_OF_B2", "Canary-of-b2")
    kept: list[FrameType | None] = []

    def look_on() -> bool:
        kept.append(sys._getframe(1))
        return True

    seen, _ = asked(calls(loaded), monkeypatch, look_on)
    assert kept
    assert seen["b2"].password == Secret("Canary-of-b2")
    monkeypatch.delenv("PREFLIGHT_OF_B2")
    seen, failures = asked(calls(loaded), monkeypatch)
    assert list(seen) == ["b1"]
    assert "PREFLIGHT_OF_B2 is not set" in failures["b2"]


def test_what_another_batch_s_node_is_reached_with_is_taken_out_at_the_site(
    tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else could: the machine that the scan was started on does not know it."""
    loaded = inventory(tmp_path, 'password_file = "secret.txt"')
    (there / "secret.txt").write_text("Canary-of-the-site\n")
    (there / "secret.txt").chmod(0o600)
    monkeypatch.setenv("PREFLIGHT_OF_B2", "Canary-of-b2")
    requests = calls(loaded)
    sources = frozenset(source for request in requests for source in unread(request.node))

    def talks(call: NodeRequest, gate: Any) -> NodeResponse:
        del gate
        said = {"log": Answer("b1 has Canary-of-the-site, b2 Canary-of-b2", 0)}
        return NodeResponse(cluster="chef", node=call.node.name, host="", transport="ssh", answers=said)

    monkeypatch.setattr(work, "query_node", talks)
    for request in requests:
        batch = pickle.loads(pickle.dumps(Batch(run="r", calls=(request,), parallel=1, unread=sources)))
        told = repr(work.asked(batch))
        assert "Canary" not in told
        assert "b1 has ***, b2 ***" in told


def test_no_command_is_run_for_a_node_of_another_batch(
    tmp_path: Path, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(there / "vault", "echo run >> log", "echo Canary-of-the-vault")
    loaded = inventory(tmp_path, 'password_command = "./vault"')
    monkeypatch.setenv("PREFLIGHT_OF_B2", "Canary-of-b2")
    first, second = calls(loaded)
    sources = frozenset(unread(first.node))
    monkeypatch.setattr(
        work, "query_node", lambda call, gate: NodeResponse(cluster="c", node=call.node.name, host="", transport="ssh")
    )
    work.asked(Batch(run="r", calls=(second,), parallel=1, unread=sources))
    assert not (there / "log").exists()
