"""Real servers for the live tests. Without the program a test skips, or fails under REQUIRE_LIVE=1."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scanner.lab.lab import Lab
from tests.live.dask_estate import HELD, Estate, Gate, end_scans, make_certificates
from tests.live.openssh import SSHD, OpenSshServer, make_key


@pytest.fixture(scope="session")
def ssh_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of key pairs: host_ed25519, host_rsa, user_ed25519, user_rsa, user_locked (passphrase "open sesame")."""
    if not SSHD:
        (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)("no sshd on this machine")
    folder = tmp_path_factory.mktemp("ssh-keys")
    for name, kind, passphrase, bits in (
        ("host_ed25519", "ed25519", "", None),
        ("host_rsa", "rsa", "", 2048),
        ("user_ed25519", "ed25519", "", None),
        ("user_rsa", "rsa", "", 2048),
        ("user_ecdsa", "ecdsa", "", 256),
        ("user_locked", "ed25519", "open sesame", None),
        ("stranger", "ed25519", "", None),
    ):
        make_key(folder / name, kind, passphrase, bits=bits)
    return folder


@pytest.fixture
def start_sshd(ssh_keys: Path, tmp_path: Path) -> Iterator[Callable[..., OpenSshServer]]:
    """Starts sshd processes that end with the test: `start_sshd(extra="...")` for lines of sshd_config."""
    servers: list[OpenSshServer] = []

    def start(extra: str = "", host_keys: tuple[str, ...] = ("host_ed25519", "host_rsa")) -> OpenSshServer:
        folder = tmp_path / f"sshd{len(servers)}"
        keys = [ssh_keys / name for name in host_keys]
        server = OpenSshServer(folder=folder, key_file=ssh_keys / "user_ed25519", host_keys=keys, extra=extra)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def sshd(start_sshd: Callable[..., OpenSshServer]) -> OpenSshServer:
    """One running sshd that knows `chef-backend-ctl`; see `OpenSshServer.answer`."""
    return start_sshd()


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """Those of the guide "Two sites, one scheduler", which all tests share."""
    made = Estate(tmp_path_factory.mktemp("estate"))
    make_certificates(made.folder)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def estate(machines: Estate) -> Iterator[Estate]:
    """Those machines. Nothing runs there before it is begun, and what a test leaves running is there for the next."""
    yield machines
    end_scans()
    if not machines.is_running("scheduler"):  # its workers are about to end, too
        machines.end()


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
