"""Peers that are not OpenSSH's sshd, and clients that are not ours: Dropbear, TinySSH, asyncssh, ssh, dbclient."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from scanner.errors import AuthenticationError, ProtocolError
from scanner.lab.servers.ssh.server import Login, SshServer
from scanner.probes.batch.sh import compose, parse
from scanner.probes.probe import Answer, Probe
from scanner.transports.ssh.algorithms import CIPHERS, KEX, MACS
from tests.live.asyncssh_server import asyncssh_server, key_line
from tests.live.openssh import OpenSshServer, make_key
from tests.live.other_servers import Dropbear, dropbear, program, tinysshd
from tests.live.ssh_doors import fails, home, transport
from tests.live.stand_in_agent import stand_in_agent
from tests.test_scanner.lab.test_lab_ssh_server import shell
from tests.threads import no_threads_left

pytestmark = pytest.mark.live
__all__ = ["home", "no_threads_left"]
StartSshd = Callable[..., OpenSshServer]


def door_to(server: Dropbear, key: Path, **changes: Any) -> Any:
    reached = OpenSshServer(folder=server.folder, key_file=key, host_keys=[], port=server.port, user="root")
    return transport(reached, **changes)


# Dropbear.


@pytest.mark.parametrize("host_key", ["ed25519", "rsa", "ecdsa"])
@pytest.mark.parametrize("key", ["user_ed25519", "user_rsa", "user_ecdsa"])
def test_dropbear_with_each_type_of_key(tmp_path: Path, ssh_keys: Path, host_key: str, key: str) -> None:
    probes = [Probe(id="it", language="sh", purpose="", script="echo answer", readers=())]
    script = compose(probes, nonce="abc", budget_s=15, options={}, sudo=False, probe_bytes=1000)
    with dropbear(tmp_path, host_key=host_key) as server:
        server.authorize(ssh_keys / key)
        door = door_to(server, ssh_keys / key)
        assert parse(door.run(script), nonce="abc", probe_ids=["it"]) == {"it": Answer("answer\n", 0)}
        assert (door.usage.connections, door.usage.commands) == (1, 1)


def test_dropbear_asks_an_agent_for_one_signature(
    tmp_path: Path, ssh_keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with dropbear(tmp_path) as server, stand_in_agent(tmp_path / "agent") as agent:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent.address))
        for name in ("stranger", "user_rsa", "user_ed25519"):
            agent.add(ssh_keys / name)
        server.authorize(ssh_keys / "user_ed25519")
        assert door_to(server, ssh_keys / "x", key_file="").run("echo in") == b"in\n"
        assert agent.signed == ["user_ed25519"]


def test_dropbear_counts_no_key_that_it_is_only_asked_about(tmp_path: Path, ssh_keys: Path, home: Path) -> None:
    keys = ("stranger", "user_rsa", "user_ecdsa", "host_ed25519", "user_ed25519")
    (home / ".ssh/config").write_text("".join(f"IdentityFile {ssh_keys}/{name}\n" for name in keys))
    with dropbear(tmp_path, "-T", "2") as server:
        server.authorize(ssh_keys / "user_ed25519")
        assert door_to(server, ssh_keys / "x", key_file="").run("echo in") == b"in\n"
        server.authorize(ssh_keys / "host_rsa")
        error = fails(AuthenticationError, door_to(server, ssh_keys / "x", key_file=""), match="refused: offered ")
        assert all(name in str(error) for name in keys)


def test_dropbear_as_a_jump_host(tmp_path: Path, ssh_keys: Path, start_sshd: StartSshd) -> None:
    node = start_sshd()
    with dropbear(tmp_path) as server:
        server.authorize(ssh_keys / "user_ed25519")
        with node.known_hosts.open("a") as known:
            known.write(server.known_hosts.read_text())
        door = transport(node, jump=f"root@127.0.0.1:{server.port}")
        assert door.run("echo in") == b"in\n"
        assert door.usage.connections == 2


# TinySSH has one cipher, which the library cannot do.


def test_tinyssh_is_told_with_its_version_and_a_way_that_works(tmp_path: Path, ssh_keys: Path) -> None:
    with tinysshd(tmp_path) as (port, known):
        server = OpenSshServer(folder=tmp_path, key_file=ssh_keys / "user_ed25519", host_keys=[], port=port)
        server.known_hosts.write_text(known)
        error = fails(ProtocolError, transport(server), match="have no algorithm in common: tinyssh")
        assert "has no cipher but chacha20-poly1305@openssh.com" in str(error)
        assert 'transport = "local"' in error.hint
        assert "preflight collect" in error.hint


# asyncssh, with what OpenSSH does not do.


@pytest.fixture
def serve(ssh_keys: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., OpenSshServer]]:
    running: list[Any] = []

    def start(key: str = "user_ed25519", **options: Any) -> OpenSshServer:
        authorized = tmp_path / "authorized"
        authorized.write_text(key_line(ssh_keys / key))
        server = asyncssh_server(
            monkeypatch,
            server_host_keys=[str(ssh_keys / "host_ed25519"), str(ssh_keys / "host_rsa")],
            authorized_client_keys=str(authorized),
            **options,
        )
        running.append(server)
        port = server.__enter__()
        told = OpenSshServer(folder=tmp_path, key_file=ssh_keys / key, host_keys=[], port=port)
        told.known_hosts.write_text(f"[127.0.0.1]:{port} {key_line(ssh_keys / 'host_ed25519')}")
        return told

    yield start
    for server in running:
        server.__exit__(None, None, None)


@pytest.mark.parametrize("takes", [b"rsa-sha2-256", b"rsa-sha2-512"])
def test_a_server_that_does_not_say_what_it_takes_is_tried_both_ways(
    serve: Callable[..., OpenSshServer], takes: bytes
) -> None:
    """No server-sig-algs (RFC 8308), and one of the two kinds of signatures only."""
    server = serve("user_rsa", takes=(takes,))
    assert transport(server).run("echo in") == b"in\n"


@pytest.mark.parametrize("kex", ["mlkem768x25519-sha256", "ecdh-sha2-nistp521", "curve25519-sha256"])
def test_asyncssh_with_one_key_exchange(serve: Callable[..., OpenSshServer], kex: str) -> None:
    assert transport(serve(kex_algs=[kex])).run("echo in") == b"in\n"


@pytest.mark.parametrize("kex", [name for name in KEX if not name.startswith("mlkem")])
def test_openssh_with_one_key_exchange(start_sshd: StartSshd, kex: str) -> None:
    assert transport(start_sshd(f"KexAlgorithms {kex}\n")).run("echo in") == b"in\n"


@pytest.mark.parametrize("cipher", CIPHERS)
def test_openssh_with_one_cipher(start_sshd: StartSshd, cipher: str) -> None:
    assert transport(start_sshd(f"Ciphers {cipher}\n")).run("echo in") == b"in\n"


@pytest.mark.parametrize("mac", MACS)
def test_openssh_with_one_mac(start_sshd: StartSshd, mac: str) -> None:
    assert transport(start_sshd(f"Ciphers aes256-ctr\nMACs {mac}\n")).run("echo in") == b"in\n"


# What ~/.ssh/config asks for, against OpenSSH's sshd.


@pytest.mark.parametrize(
    ("server_has", "file_says"),
    [
        ("KexAlgorithms diffie-hellman-group1-sha1", "KexAlgorithms +diffie-hellman-group1-sha1"),
        ("KexAlgorithms diffie-hellman-group-exchange-sha1", "KexAlgorithms +diffie-hellman-group-exchange-sha1"),
        ("Ciphers aes256-cbc", "Ciphers +aes256-cbc"),
        ("Ciphers 3des-cbc", "Ciphers ^3des-cbc"),
        ("Ciphers aes128-ctr\nMACs hmac-md5", "MACs +hmac-md5"),
        ("Ciphers aes128-ctr\nMACs hmac-sha1-96", "MACs hmac-sha1-96"),
    ],
)
def test_what_is_broken_takes_the_file_and_the_inventory(
    start_sshd: StartSshd, home: Path, server_has: str, file_says: str
) -> None:
    server = start_sshd(f"{server_has}\n")
    option, name = file_says.split(" ", maxsplit=1)[0], server_has.rsplit(" ", maxsplit=1)[-1]
    error = fails(ProtocolError, transport(server, legacy_algorithms=True), match=f"but {name}")
    assert f"`{option} +{name}` for this host" in error.hint
    (home / ".ssh/config").write_text(f"Host 127.0.0.1\n    {file_says}\n")
    error = fails(ProtocolError, transport(server), match=f"but {name}")
    assert "legacy_algorithms = true" in error.hint
    assert transport(server, legacy_algorithms=True).run("echo in") == b"in\n"


@pytest.mark.parametrize(
    ("file_says", "chosen"),
    [
        ("Ciphers aes256-ctr", "cipher: aes256-ctr"),
        ("Ciphers aes128-ctr\n    MACs hmac-sha2-512", "MAC: hmac-sha2-512"),
        ("KexAlgorithms ecdh-sha2-nistp384", "kex: algorithm: ecdh-sha2-nistp384"),
        ("KexAlgorithms -curve25519*", "kex: algorithm: ecdh-sha2-nistp256"),
        ("HostKeyAlgorithms rsa-sha2-256", "kex: host key algorithm: rsa-sha2-256"),
        ("HostKeyAlgorithms ^rsa-sha2-512", "kex: host key algorithm: rsa-sha2-512"),
        # None of it can be done here: what can be done is offered instead.
        ("Ciphers chacha20-poly1305@openssh.com", "cipher: aes128-gcm@openssh.com"),
    ],
)
def test_the_file_chooses_among_what_can_be_done(
    start_sshd: StartSshd, home: Path, file_says: str, chosen: str
) -> None:
    server = start_sshd("LogLevel DEBUG1\n")
    (home / ".ssh/config").write_text(f"Host *\n    {file_says}\n")
    assert b"in\n" in transport(server).run("echo in")
    assert server.tells(chosen)


def test_an_algorithm_that_the_file_leaves_out_is_named(start_sshd: StartSshd, home: Path) -> None:
    server = start_sshd("Ciphers aes256-gcm@openssh.com\n")
    (home / ".ssh/config").write_text("Host *\n    Ciphers aes128-ctr\n")
    error = fails(ProtocolError, transport(server), match="no cipher but aes256-gcm@openssh.com")
    assert "Ciphers of your SSH configuration leaves out aes256-gcm@openssh.com" in error.hint


def test_a_known_key_comes_before_what_the_file_prefers(start_sshd: StartSshd, home: Path) -> None:
    server = start_sshd()
    lines = server.known_hosts.read_text().splitlines(keepends=True)
    server.known_hosts.write_text("".join(line for line in lines if "ssh-ed25519" in line))
    (home / ".ssh/config").write_text("Host *\n    HostKeyAlgorithms rsa-sha2-512,ssh-ed25519\n")
    assert transport(server).run("echo in") == b"in\n"


# Foreign clients against the lab's server: what it says is SSH to others, too.


@pytest.fixture
def lab(ssh_keys: Path) -> Iterator[SshServer]:
    public = " ".join(key_line(ssh_keys / "user_ed25519").split()[:2])
    with SshServer(Login("ops", "good password", (public,)), shell()) as server:
        yield server


def known_to(lab: SshServer, folder: Path) -> Path:
    known = folder / "lab_known_hosts"
    known.write_text(f"[127.0.0.1]:{lab.port} {lab.host_key}\n")
    return known


def test_openssh_talks_to_the_lab(lab: SshServer, ssh_keys: Path, home: Path) -> None:
    command = [program("ssh"), "-F", "none", "-o", "BatchMode=yes", "-o", f"UserKnownHostsFile={known_to(lab, home)}"]
    command += ["-o", "IdentitiesOnly=yes", "-p", str(lab.port)]
    for key, status in ((ssh_keys / "user_ed25519", 127), (ssh_keys / "stranger", 255)):
        done = subprocess.run(
            [*command, "-i", str(key), "ops@127.0.0.1", "id"], capture_output=True, text=True, check=False, timeout=20
        )
        assert done.returncode == status, done.stderr
        assert ("not found" in done.stdout) is (status == 127)


def test_dropbears_client_talks_to_the_lab(lab: SshServer, tmp_path: Path, home: Path, ssh_keys: Path) -> None:
    key = tmp_path / "client"
    subprocess.run(
        [program("dropbearconvert"), "openssh", "dropbear", str(ssh_keys / "user_ed25519"), str(key)],
        check=True,
        capture_output=True,
    )
    done = subprocess.run(
        [program("dbclient"), "-y", "-y", "-T", "-i", str(key), "-p", str(lab.port), "ops@127.0.0.1", "id"],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == 127, done.stderr
    assert "not found" in done.stdout


def test_asyncssh_talks_to_the_lab(lab: SshServer, tmp_path: Path, ssh_keys: Path) -> None:
    async def ask(**login: Any) -> tuple[int | None, str]:
        async with asyncssh.connect(
            "127.0.0.1",
            lab.port,
            username="ops",
            known_hosts=str(known_to(lab, tmp_path)),
            config=None,
            agent_path=None,
            **login,
        ) as connection:
            done = await connection.run("id")
            return done.exit_status, str(done.stdout)

    for login in (
        {"client_keys": [str(ssh_keys / "user_ed25519")]},
        {"password": "good password", "client_keys": None},
    ):
        status, said = asyncio.run(ask(**login))
        assert status == 127
        assert "not found" in said
    with pytest.raises(asyncssh.PermissionDenied):
        asyncio.run(ask(client_keys=[str(make_key(tmp_path / "unknown"))]))
