"""Ways to a node through real sshd processes and real ProxyCommands, as ~/.ssh/config and the inventory have them."""

from __future__ import annotations

import shutil
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from scanner.errors import AuthenticationError, DeadlineError, UnreachableError, UntrustedPeerError
from scanner.transports.network.green.executor import GreenExecutor
from scanner.transports.protocol import Limits
from scanner.transports.ssh.login import log_in
from tests.live.openssh import OpenSshServer, free_port
from tests.live.ssh_doors import StartSshd, both_known, fails, home, transport
from tests.threads import no_threads_left

pytestmark = pytest.mark.live
__all__ = ["home", "no_threads_left"]


def test_an_alias_of_ssh_config(sshd: OpenSshServer, home: Path, ssh_keys: Path) -> None:
    (home / ".ssh/config").write_text(f"""
Host node
    HostName 127.0.0.1
    Port {sshd.port}
    User {sshd.user}
    IdentityFile {ssh_keys}/user_%d_is_not_there
    IdentityFile {ssh_keys}/user_ed25519
    UserKnownHostsFile {sshd.known_hosts}
""")
    door = transport(sshd, host="node", user="", port=None, key_file="", known_hosts="")
    assert door.run("echo in") == b"in\n"
    fails(UnreachableError, transport(sshd, host="node", port=free_port()), match="connection refused")
    fails(UnreachableError, transport(sshd, host="node.invalid", ssh_config=""), match="is not found")


def test_ssh_config_does_not_loosen_strictness(sshd: OpenSshServer, home: Path) -> None:
    (home / ".ssh/config").write_text("Host *\n    StrictHostKeyChecking no\n    UserKnownHostsFile /dev/null\n")
    fails(UntrustedPeerError, transport(sshd, known_hosts=""), match="is not known")
    assert not (home / ".ssh/known_hosts").exists()


def test_a_broken_ssh_config_is_told(sshd: OpenSshServer, home: Path) -> None:
    (home / ".ssh/config").write_text("Nonsense yes\n")
    fails(UnreachableError, transport(sshd), match="Bad configuration option: nonsense")
    fails(UnreachableError, transport(sshd, ssh_config="/nowhere/config"), match="there is no such file")


def test_through_a_jump_host(start_sshd: StartSshd, home: Path) -> None:
    jump, second, node = start_sshd(), start_sshd(), start_sshd()
    known = both_known(jump, second, node)
    door = transport(node, known_hosts=known, jump=f"{jump.user}@127.0.0.1:{jump.port}")
    assert door.run("echo in") == b"in\n"
    assert (door.usage.connections, door.usage.commands) == (2, 1)
    assert jump.log.count("Accepted publickey") == node.log.count("Accepted publickey") == 1
    way = f"127.0.0.1:{jump.port},ssh://127.0.0.1:{second.port}"
    assert transport(node, known_hosts=known, jump=way).run("echo in") == b"in\n"
    assert "Accepted publickey" in second.log
    (home / ".ssh/config").write_text(f"Host 127.0.0.1\n    ProxyJump {jump.user}@localhost:{jump.port}\n")
    known_hosts = Path(known)
    known_hosts.write_text(known_hosts.read_text() + jump.known_hosts.read_text().replace("127.0.0.1", "localhost"))
    assert transport(node, known_hosts=known).run("echo in") == b"in\n"
    assert jump.log.count("Accepted publickey") == 3


def test_a_jump_host_is_verified_as_strictly(start_sshd: StartSshd) -> None:
    jump, node = start_sshd(), start_sshd()
    door = transport(node, jump=f"127.0.0.1:{jump.port}")
    fails(UntrustedPeerError, door, match=rf"host key of \[127.0.0.1\]:{jump.port} is not known")
    assert "Accepted" not in jump.log


def test_a_node_behind_the_jump_host_is_verified_too_and_may_be_down(start_sshd: StartSshd) -> None:
    jump, node = start_sshd(), start_sshd()
    way = {"jump": f"127.0.0.1:{jump.port}", "known_hosts": str(jump.known_hosts)}
    fails(UntrustedPeerError, transport(node, **way), match=rf"host key of \[127.0.0.1\]:{node.port} is not known")
    port = free_port()
    fails(
        UnreachableError,
        transport(node, **way, port=port),
        match=f"the jump host cannot connect to 127.0.0.1:{port}: Connect failed"
        rf" \(from 127.0.0.1:{jump.port}\)",
    )


@pytest.mark.parametrize("executor", [ThreadPoolExecutor, GreenExecutor])
def test_many_nodes_behind_one_jump_host(
    start_sshd: StartSshd, monkeypatch: pytest.MonkeyPatch, executor: type[ThreadPoolExecutor | GreenExecutor]
) -> None:
    def slow_log_in(*arguments: Any) -> None:
        time.sleep(0.1)
        log_in(*arguments)

    monkeypatch.setattr("scanner.transports.ssh.transport.log_in", slow_log_in)
    jump, node = start_sshd("MaxStartups 10\n"), start_sshd()
    known = both_known(jump, node)
    doors = [transport(node, known_hosts=known, jump=f"127.0.0.1:{jump.port}") for _ in range(24)]
    with executor(24) as hands:
        said = [hands.submit(door.run, "echo in") for door in doors]
        assert [each.result(60) for each in said] == [b"in\n"] * 24
    # Hardly any login had to knock twice: no more than a few are under way at a time.
    assert sum(door.usage.connections for door in doors) <= 2 * 24 + 2


@pytest.fixture
def chain(start_sshd: StartSshd) -> tuple[OpenSshServer, OpenSshServer, OpenSshServer]:
    """Outer, inner and node, each with a log of its own."""
    return start_sshd(), start_sshd(), start_sshd()


def connect_to(home: Path) -> str:
    """A program that connects its input and output to HOST PORT, as nc does."""
    program = home / "connect"
    program.write_text(
        f"#!{sys.executable}\n"
        "import os, socket, sys, threading\n"
        "wire = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while data := os.read(0, 65536): wire.sendall(data)\n"
        "    wire.shutdown(socket.SHUT_WR)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while data := wire.recv(65536): os.write(1, data)\n"
    )
    program.chmod(0o755)
    return str(program)


def test_each_jump_host_is_reached_through_its_own(
    chain: tuple[OpenSshServer, OpenSshServer, OpenSshServer], home: Path, ssh_keys: Path
) -> None:
    """The node names inner, inner names outer, outer has a ProxyCommand: three programs, each with its own account."""
    outer, inner, node = chain
    inner.authorize(ssh_keys / "user_rsa")
    outer.authorize(ssh_keys / "user_ecdsa")
    (home / ".ssh/config").write_text(f"""
Host node
    HostName 127.0.0.1
    ProxyJump inner
Host inner
    HostName 127.0.0.1
    Port {inner.port}
    ProxyJump {outer.user}@outer:{outer.port}
    IdentityFile {ssh_keys}/user_rsa
    HostKeyAlias inner-gate
Host outer
    ProxyCommand {connect_to(home)} 127.0.0.1 %p
    IdentityFile {ssh_keys}/user_ecdsa
""")
    known = Path(both_known(*chain))
    lines = known.read_text()
    known.write_text(
        lines.replace(f"[127.0.0.1]:{inner.port}", "inner-gate").replace(
            f"[127.0.0.1]:{outer.port}", f"[outer]:{outer.port}"
        )
    )
    door = transport(node, host="node", known_hosts=str(known))
    assert door.run("echo in") == b"in\n"
    assert (door.usage.connections, door.usage.commands) == (3, 1)
    assert [server.log.count("Accepted publickey") for server in chain] == [1, 1, 1]
    assert "RSA SHA256" in inner.log
    assert "ECDSA SHA256" in outer.log
    # Each by the name that it is known under, and no other will do.
    known.write_text(known.read_text().replace("inner-gate", "another-name"))
    fails(UntrustedPeerError, transport(node, host="node", known_hosts=str(known)), match="host key of inner-gate is")


def test_a_chain_of_the_inventory(chain: tuple[OpenSshServer, OpenSshServer, OpenSshServer], home: Path) -> None:
    outer, inner, node = chain
    (home / ".ssh/config").write_text(f"Host gate\n    HostName 127.0.0.1\n    Port {outer.port}\n")
    known = both_known(*chain)
    door = transport(node, known_hosts=known, jump=f"gate, ssh://{inner.user}@127.0.0.1:{inner.port}")
    assert door.run("echo in") == b"in\n"
    assert (door.usage.connections, door.usage.commands) == (3, 1)
    assert [server.log.count("Accepted publickey") for server in chain] == [1, 1, 1]


def test_an_error_names_the_hop(chain: tuple[OpenSshServer, OpenSshServer, OpenSshServer], ssh_keys: Path) -> None:
    outer, inner, node = chain
    known = both_known(*chain)
    way = {"known_hosts": known, "jump": f"127.0.0.1:{outer.port},127.0.0.1:{inner.port}"}
    inner.authorize(ssh_keys / "stranger")
    fails(AuthenticationError, transport(node, **way), match=f"as {inner.user}@127.0.0.1:{inner.port} refused")
    inner.stop()
    error = fails(UnreachableError, transport(node, **way), match="the jump host cannot connect to")
    assert f"127.0.0.1:{inner.port}: Connect failed (from 127.0.0.1:{outer.port})" in str(error)
    assert "AllowTcpForwarding" in error.hint
    outer.stop()
    fails(UnreachableError, transport(node, **way), match=f"nobody listens at 127.0.0.1:{outer.port}")


def test_a_jump_host_that_forwards_nothing(start_sshd: StartSshd) -> None:
    outer, node = start_sshd("AllowTcpForwarding no\n"), start_sshd()
    way = {"known_hosts": both_known(outer, node), "jump": f"127.0.0.1:{outer.port}"}
    error = fails(UnreachableError, transport(node, **way), match="prohibited")
    assert f"(from 127.0.0.1:{outer.port})" in str(error)


def test_a_node_that_answers_no_jump_host(start_sshd: StartSshd) -> None:
    """Its packets are dropped: the jump host's own patience would be two minutes."""
    outer = start_sshd()
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(8)]
        for filler in fillers:
            filler.settimeout(0)
            filler.connect_ex(("127.0.0.1", port))
        started = time.monotonic()
        door = transport(
            outer, known_hosts=str(outer.known_hosts), port=port, jump=f"127.0.0.1:{outer.port}", connect_timeout_s=0.5
        )
        fails(UnreachableError, door, match=f"gets no answer from 127.0.0.1:{port} within 0.5 s")
        assert time.monotonic() - started < 5
        for filler in fillers:
            filler.close()


@pytest.mark.skipif(not shutil.which("ssh"), reason="no ssh on this machine")
def test_openssh_itself_as_a_proxy_command(start_sshd: StartSshd, home: Path, ssh_keys: Path) -> None:
    outer, node = start_sshd(), start_sshd()
    (home / ".ssh/config").write_text(
        f"Host 127.0.0.1\n    ProxyCommand ssh -F none -o BatchMode=yes -o UserKnownHostsFile={outer.known_hosts} "
        f"-i {ssh_keys}/user_ed25519 -p {outer.port} -W %h:%p {outer.user}@127.0.0.1\n"
    )
    door = transport(node)
    assert door.run("head -c 3000000 /dev/zero; echo in")[-3:] == b"in\n"
    assert (door.usage.connections, door.usage.commands) == (1, 1)
    assert outer.log.count("Accepted publickey") == node.log.count("Accepted publickey") == 1


@pytest.fixture
def marks(tmp_path: Path) -> Iterator[Path]:
    """A folder in which commands leave their process ids; none of them may be alive at the end."""
    folder = tmp_path / "marks"
    folder.mkdir()
    yield folder
    ends = time.monotonic() + 5
    for mark in folder.iterdir():
        while Path(f"/proc/{mark.name}").exists() and "Z" not in Path(f"/proc/{mark.name}/stat").read_text():
            assert time.monotonic() < ends, f"process {mark.name} lives on"
            time.sleep(0.02)


def test_a_proxy_command_that_hangs_is_ended_with_its_children(sshd: OpenSshServer, home: Path, marks: Path) -> None:
    command = f"sh -c 'touch {marks}/$$; sh -c \"touch {marks}/\\$\\$; sleep 77\" & sleep 77'"
    (home / ".ssh/config").write_text(f"Host *\n    ProxyCommand {command}\n")
    started = time.monotonic()
    door = transport(sshd, connect_timeout_s=0.7)
    error = fails(UnreachableError, door, match=r"ProxyCommand for 127.0.0.1:\d+ gives no answer within 0.7 s")
    assert "connect_timeout" in error.hint
    assert time.monotonic() - started < 5
    assert len(list(marks.iterdir())) == 2


def test_a_proxy_command_ends_at_the_deadline(sshd: OpenSshServer, home: Path, marks: Path) -> None:
    (home / ".ssh/config").write_text(
        f"Host *\n    ProxyCommand sh -c 'touch {marks}/$$; exec {connect_to(home)} %h %p'\n"
    )
    fails(DeadlineError, transport(sshd, Limits(timeout_s=1.5)), "sleep 60")
    assert len(list(marks.iterdir())) == 1


@pytest.mark.parametrize(
    ("command", "match"),
    [
        ("sh -c 'echo one >&2; echo proxy says no >&2; exit 3'", "ended with exit 3: proxy says no"),
        ("/nowhere/at-all", r"ended with exit 127: .*(not found|No such file)"),
        ("sh -c 'kill -9 $$'", "ended with signal 9"),
        ("true", "ended with exit 0"),
        ("sh -c 'head -c 3000000 /dev/zero >&2; echo >&2; echo last >&2; exit 1'", "ended with exit 1: last"),
    ],
)
def test_a_proxy_command_that_fails_says_how(sshd: OpenSshServer, home: Path, command: str, match: str) -> None:
    (home / ".ssh/config").write_text(f"Host *\n    ProxyCommand {command}\n")
    door = transport(sshd)
    error = fails(UnreachableError, door, match=match)
    assert f"the ProxyCommand for 127.0.0.1:{sshd.port}" in str(error)
    assert door.usage.connections == 1  # no second knock: it is no server under load


def test_a_proxy_command_has_no_terminal_and_none_of_the_passwords(
    sshd: OpenSshServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scanner.secrets.secret import Secret

    monkeypatch.setenv("PREFLIGHT_SSH_PASSWORD", "canary-one")
    monkeypatch.setenv("MY_OWN_NAME", "canary-two")
    monkeypatch.setenv("AWS_PROFILE", "prod")
    (home / ".ssh/config").write_text(
        f"Host *\n    ProxyCommand sh -c 'env >{home}/env; (: </dev/tty) 2>{home}/tty; exec {connect_to(home)} %h %p'\n"
    )
    assert transport(sshd, password=Secret("canary-two")).run("echo in") == b"in\n"
    told = (home / "env").read_text()
    assert "canary" not in told
    assert "AWS_PROFILE=prod" in told
    assert (home / "tty").read_text()


def test_many_proxy_commands_leave_nothing_behind(sshd: OpenSshServer, home: Path) -> None:
    (home / ".ssh/config").write_text(f"Host *\n    ProxyCommand {connect_to(home)} %h %p\n")
    before = len(list(Path("/proc/self/fd").iterdir()))
    doors = [transport(sshd) for _ in range(8)]
    said: list[bytes] = []
    threads = [threading.Thread(target=lambda door=door: said.append(door.run("echo in"))) for door in doors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == [b"in\n"] * 8
    fails(UnreachableError, transport(sshd, port=free_port()), match="ended with exit 1")
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
