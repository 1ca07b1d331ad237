"""Servers of RHEL 6's age: reached where the inventory allows SHA-1, refused with that advice otherwise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scanner.errors import AuthenticationError, ProtocolError, UntrustedPeerError
from tests.live.asyncssh_server import asyncssh_server, key_line
from tests.live.openssh import OpenSshServer
from tests.live.ssh_doors import agent, fails, home, transport
from tests.threads import no_threads_left

pytestmark = pytest.mark.live
TOP = Path(__file__).parents[2]
StartSshd = Callable[..., OpenSshServer]
__all__ = ["agent", "home", "no_threads_left"]

# What OpenSSH 5.3 has of what today's OpenSSH still knows (its ssh_config(5) and sshd_config(5), 2009).
OF_5_3 = """\
HostKeyAlgorithms ssh-rsa
PubkeyAcceptedAlgorithms ssh-rsa
Ciphers aes128-ctr,aes192-ctr,aes256-ctr
MACs hmac-sha1
LogLevel DEBUG1
"""
SHA1_KEX = "KexAlgorithms diffie-hellman-group14-sha1,diffie-hellman-group1-sha1\n"
GROUP_EXCHANGE = "KexAlgorithms diffie-hellman-group-exchange-sha256,diffie-hellman-group14-sha1\n"


@pytest.fixture(params=[SHA1_KEX, GROUP_EXCHANGE], ids=["group14-sha1", "group-exchange"])
def old(start_sshd: StartSshd, request: pytest.FixtureRequest, ssh_keys: Path) -> OpenSshServer:
    server = start_sshd(OF_5_3 + request.param, ("host_rsa",))
    server.authorize(ssh_keys / "user_rsa")
    server.key_file = ssh_keys / "user_rsa"
    return server


def test_it_is_reached_where_the_inventory_allows_sha1(old: OpenSshServer) -> None:
    assert b"in\n" in transport(old, legacy_algorithms=True).run("echo in")
    assert old.tells("kex: host key algorithm: ssh-rsa")


def test_it_is_reached_with_a_key_of_the_agents(old: OpenSshServer, agent: Callable[..., None]) -> None:
    agent(old.key_file)
    assert b"in\n" in transport(old, legacy_algorithms=True, key_file="").run("echo in")


def test_it_is_refused_with_that_advice_otherwise(old: OpenSshServer) -> None:
    error = fails(ProtocolError, transport(old), match="have no algorithm in common: OpenSSH_.* no host key algorithm")
    assert "but ssh-rsa" in str(error)
    assert "set `legacy_algorithms = true` for this node" in error.hint
    assert "every report" in error.hint


def test_its_host_key_is_verified_all_the_same(old: OpenSshServer, ssh_keys: Path) -> None:
    stranger = (ssh_keys / "user_rsa.pub").read_text().split()
    door = transport(old, legacy_algorithms=True, host_key=f"{stranger[0]} {stranger[1]}")
    fails(UntrustedPeerError, door, match="pinned is")


def test_sha1_is_the_last_resort(start_sshd: StartSshd, ssh_keys: Path) -> None:
    server = start_sshd("LogLevel DEBUG1\n", ("host_rsa",))
    server.authorize(ssh_keys / "user_rsa")
    door = transport(server, legacy_algorithms=True, key_file=str(ssh_keys / "user_rsa"))
    assert b"in\n" in door.run("echo in")  # beside what sshd logs
    assert server.tells("kex: algorithm: curve25519-sha256")
    assert server.tells("kex: host key algorithm: rsa-sha2-512")
    assert "ssh-rsa" not in [line.split("pkalg ")[1].split()[0] for line in server.log.splitlines() if "pkalg " in line]


def test_it_may_be_known_by_its_rsa_key_alone(start_sshd: StartSshd, ssh_keys: Path) -> None:
    server = start_sshd(OF_5_3.replace("ssh-rsa\nPub", "ssh-ed25519,ssh-rsa\nPub"), ("host_ed25519", "host_rsa"))
    server.authorize(ssh_keys / "user_rsa")
    name, kind, key = next(line for line in server.known_hosts.read_text().splitlines() if "ssh-rsa" in line).split()[
        :3
    ]
    server.known_hosts.write_text(f"{name} {kind} {key}\n")
    door = transport(server, legacy_algorithms=True, key_file=str(ssh_keys / "user_rsa"))
    assert b"in\n" in door.run("echo in")  # beside what sshd logs


def test_a_server_that_has_nothing_we_know_is_told_what_is_missing(start_sshd: StartSshd) -> None:
    server = start_sshd("Ciphers chacha20-poly1305@openssh.com\n")
    for legacy in (False, True):
        error = fails(
            ProtocolError, transport(server, legacy_algorithms=legacy), match="no cipher but chacha20-poly1305"
        )
        assert "legacy_algorithms" not in error.hint  # it would not help
        assert "aes256-gcm@openssh.com" in error.hint


# Another server than OpenSSH, which says a version of old and nothing of the signatures that it takes.


@pytest.fixture
def serve(ssh_keys: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., OpenSshServer]]:
    running: list[object] = []

    def start(version: str, host_key: str, user_key: str, takes: tuple[bytes, ...]) -> OpenSshServer:
        authorized = tmp_path / "authorized"
        authorized.write_text(key_line(ssh_keys / user_key))
        server = asyncssh_server(
            monkeypatch,
            server_version=version,
            server_host_keys=[str(ssh_keys / host_key)],
            authorized_client_keys=str(authorized),
            signature_algs=["ssh-rsa"] if host_key == "host_rsa" else ["ssh-ed25519", "ssh-rsa"],
            kex_algs=["ecdh-sha2-nistp256"],  # OpenSSH's own way of old is tried above
            takes=takes,
        )
        port = server.__enter__()
        running.append(server)
        told = OpenSshServer(folder=tmp_path, key_file=ssh_keys / user_key, host_keys=[ssh_keys / host_key], port=port)
        told.known_hosts.write_text(f"[127.0.0.1]:{port} {key_line(ssh_keys / host_key)}")
        return told

    yield start
    for server in running:
        server.__exit__(None, None, None)  # type: ignore[attr-defined]


RSA_WITH_SHA1 = (b"ssh-rsa",)


def test_a_key_that_it_takes_with_sha1_alone_is_explained(serve: Callable[..., OpenSshServer]) -> None:
    server = serve("OpenSSH_6.6.1p1", "host_ed25519", "user_rsa", RSA_WITH_SHA1)
    error = fails(AuthenticationError, transport(server), match="OpenSSH 6.6 takes RSA keys with SHA-1 signatures only")
    assert "an Ed25519 key, or set `legacy_algorithms = true`" in error.hint
    assert transport(server, legacy_algorithms=True).run("echo in") == b"in\n"


def test_a_server_of_5_3_is_reached(serve: Callable[..., OpenSshServer]) -> None:
    server = serve("OpenSSH_5.3", "host_rsa", "user_rsa", RSA_WITH_SHA1)
    assert transport(server, legacy_algorithms=True).run("echo in") == b"in\n"


def test_a_key_of_a_type_that_it_does_not_know_is_explained(serve: Callable[..., OpenSshServer]) -> None:
    server = serve("OpenSSH_5.3", "host_rsa", "user_ed25519", RSA_WITH_SHA1)
    door = transport(server, legacy_algorithms=True)
    error = fails(AuthenticationError, door, match="OpenSSH 5.3 does not know Ed25519 keys")
    assert error.hint == "log in with an RSA key"
    error = fails(AuthenticationError, transport(server), match="OpenSSH 5.3 does not know Ed25519 keys")
    assert error.hint == "log in with an RSA key and `legacy_algorithms = true`"


def test_a_scan_says_that_sha1_was_accepted(old: OpenSshServer, tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.toml"
    inventory.write_text(
        f'[clusters.chef]\nproduct = "chef-backend"\nuser = "{old.user}"\nkey_file = "{old.key_file}"\n'
        f'known_hosts = "{old.known_hosts}"\nssh_config = ""\n'
        f'[clusters.chef.nodes.old1]\nhost = "{old.host}"\nport = {old.port}\nroles = ["backend"]\nLEGACY\n'
    )
    text = inventory.read_text()
    said = []
    for key in ("", "legacy_algorithms = true"):
        inventory.write_text(text.replace("LEGACY", key))
        command = [sys.executable, "-m", "scanner", "scan", str(inventory), "--check", "connectivity"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TOP)
        said.append(f"{done.returncode} {' '.join((done.stdout + done.stderr).split())}")
    assert said[0].startswith("3 ")
    assert "set `legacy_algorithms = true` for this node" in said[0]
    assert "SSH algorithms with SHA-1 are accepted (legacy_algorithms = true): chef.old1" in said[1]
    assert "no algorithm in common" not in said[1]
