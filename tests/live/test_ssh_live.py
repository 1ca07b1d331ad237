"""SSH against a real OpenSSH server: logins, host keys, jump hosts, and everything that goes wrong."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from checks.common.clock_facts import ClockSample
from scanner.errors import (
    AnswerTooLargeError,
    AuthenticationError,
    ConnectionLostError,
    DeadlineError,
    NodeError,
    RefusedError,
    UnreachableError,
    UntrustedPeerError,
)
from scanner.inventory.model import Node, SshSettings
from scanner.probes.batch.sh import compose, parse
from scanner.probes.probe import Answer, Probe
from scanner.run.node import NodeRequest, query_node
from scanner.secrets.secret import Secret
from scanner.transports.protocol import Limits
from scanner.transports.ssh.login import log_in
from scanner.transports.ssh.transport import SshTransport
from tests.live.openssh import OpenSshServer, free_port

pytestmark = pytest.mark.live
StartSshd = Callable[..., OpenSshServer]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of our own: no agent, no keys, no configuration of whoever runs the tests."""
    folder = tmp_path / "home"
    (folder / ".ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return folder


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    ends = time.monotonic() + 2  # the test servers' own threads may need a moment
    while left := [thread for thread in threading.enumerate() if thread not in before]:
        assert time.monotonic() < ends, left
        time.sleep(0.01)


def transport(server: OpenSshServer, limits: Limits | None = None, /, **changes: object) -> SshTransport:
    settings: dict[str, object] = {
        "user": server.user,
        "port": server.port,
        "key_file": str(server.key_file),
        "known_hosts": str(server.known_hosts),
    }
    host = str(changes.pop("host", server.host))
    ssh = SshSettings(**{**settings, **changes})  # type: ignore[arg-type]
    node = Node(
        cluster="chef",
        name="backend-1",
        host=host,
        product="chef-backend",
        roles=("backend",),
        transport="ssh",
        ssh=ssh,
    )
    return SshTransport(node, limits or Limits(timeout_s=20))


def fails(kind: type[NodeError], door: SshTransport, script: str = "echo in", match: str = "") -> NodeError:
    with pytest.raises(NodeError, match=match or None) as caught:
        door.run(script)
    assert isinstance(caught.value, kind), repr(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


# One connection, one command, whatever is asked.


def test_all_probes_cost_one_connection_and_one_command(sshd: OpenSshServer) -> None:
    sshd.answer("status", "running (pid 1)\n")
    sshd.answer("cluster-status", "not in a cluster\n", exit_code=1)
    probes = [
        Probe(id=name, language="sh", purpose="", script=f"$SUDO chef-backend-ctl {name}", readers=())
        for name in ("status", "cluster-status", "unheard-of")
    ]
    script = compose(probes, nonce="abc", budget_s=15, options={}, sudo=False, probe_bytes=1000)
    door = transport(sshd)
    said = parse(door.run(script), nonce="abc", probe_ids=[probe.id for probe in probes])
    assert said == {
        "status": Answer("running (pid 1)\n", 0),
        "cluster-status": Answer("not in a cluster\n", 1),
        "unheard-of": Answer("", 1, error_output="chef-backend-ctl: unknown subcommand unheard-of"),
    }
    assert (door.usage.connections, door.usage.commands, door.usage.requests) == (1, 1, 0)
    assert sshd.log.count("Accepted publickey") == 1
    assert sshd.log.count("Connection from") == 1
    door.close()


def test_sudo_that_wants_a_password_is_an_answer_of_its_own(sshd: OpenSshServer) -> None:
    sshd.install("id", "echo 1000")
    sshd.install("sudo", 'echo "sudo: a password is required" >&2; exit 1')
    sshd.answer("status", "fine\n")
    probes = [
        Probe(id="root", language="sh", purpose="", script="$SUDO chef-backend-ctl status", readers=()),
        Probe(id="user", language="sh", purpose="", script="echo $SUDO", readers=()),
    ]
    script = compose(probes, nonce="abc", budget_s=15, options={}, sudo=True, probe_bytes=1000)
    said = parse(transport(sshd).run(script), nonce="abc", probe_ids=["root", "user"])
    assert said == {"root": Answer("", 1, error_output="sudo: a password is required"), "user": Answer("sudo -n\n", 0)}


# Logging in.


@pytest.mark.parametrize("name", ["user_ed25519", "user_rsa", "user_ecdsa"])
def test_login_with_a_key_of_each_type(sshd: OpenSshServer, ssh_keys: Path, name: str) -> None:
    sshd.authorize(ssh_keys / name)
    assert transport(sshd, key_file=str(ssh_keys / name)).run("echo in") == b"in\n"


def test_an_encrypted_key_opens_with_its_passphrase_only(sshd: OpenSshServer, ssh_keys: Path) -> None:
    sshd.authorize(ssh_keys / "user_locked")
    locked = {"key_file": str(ssh_keys / "user_locked")}
    assert transport(sshd, **locked, passphrase=Secret("open sesame")).run("echo in") == b"in\n"
    error = fails(AuthenticationError, transport(sshd, **locked), match="is encrypted, and there is no passphrase")
    assert "passphrase_env" in error.hint
    error = fails(
        AuthenticationError, transport(sshd, **locked, passphrase=Secret("wrong-canary")), match="does not open"
    )
    assert "wrong-canary" not in repr(error) + error.hint


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """A running ssh-agent; call it with key files to add."""
    if not shutil.which("ssh-agent"):
        pytest.skip("no ssh-agent on this machine")
    address = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(address)], stdout=subprocess.DEVNULL)
    for _ in range(100):
        if address.exists():
            break
        time.sleep(0.02)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(address))

    def add(*keys: Path, passphrase: str = "") -> None:
        answer = tmp_path / "askpass"
        answer.write_text(f"#!/bin/sh\necho '{passphrase}'\n")
        answer.chmod(0o700)
        environment = {**os.environ, "SSH_ASKPASS": str(answer), "SSH_ASKPASS_REQUIRE": "force"}
        for key in keys:
            subprocess.run(["ssh-add", "-q", str(key)], env=environment, check=True, stdin=subprocess.DEVNULL)

    yield add
    process.terminate()
    process.wait(5)


def test_login_with_the_agent(sshd: OpenSshServer, ssh_keys: Path, agent: Callable[..., None]) -> None:
    agent(ssh_keys / "stranger", ssh_keys / "user_ed25519")
    assert transport(sshd, key_file="").run("echo in") == b"in\n"
    error = fails(AuthenticationError, transport(sshd, key_file="", agent=False), match="no key and no password")
    assert "ssh-agent" in error.hint


def test_a_named_key_is_offered_alone(sshd: OpenSshServer, ssh_keys: Path, agent: Callable[..., None]) -> None:
    agent(*(ssh_keys / name for name in ("stranger", "user_rsa", "user_ecdsa")))
    assert transport(sshd).run("echo in") == b"in\n"
    assert "Failed publickey" not in sshd.log


def test_an_encrypted_key_may_lie_open_in_the_agent(
    sshd: OpenSshServer, ssh_keys: Path, agent: Callable[..., None]
) -> None:
    agent(ssh_keys / "stranger", ssh_keys / "user_locked", passphrase="open sesame")
    sshd.authorize(ssh_keys / "user_locked")
    assert transport(sshd, key_file=str(ssh_keys / "user_locked")).run("echo in") == b"in\n"
    assert "Failed publickey" not in sshd.log


def test_an_agent_with_too_many_keys_is_told_so(
    start_sshd: StartSshd, ssh_keys: Path, agent: Callable[..., None]
) -> None:
    server = start_sshd("MaxAuthTries 2\n")
    agent(*(ssh_keys / name for name in ("stranger", "user_rsa", "user_ecdsa", "host_rsa", "host_ed25519")))
    error = fails(AuthenticationError, transport(server, key_file=""), match="Too many authentication failures")
    assert "key_file" in error.hint


def test_default_keys_are_found_in_the_home(sshd: OpenSshServer, ssh_keys: Path, home: Path) -> None:
    shutil.copy(ssh_keys / "user_ed25519", home / ".ssh/id_ed25519")
    assert transport(sshd, key_file="").run("echo in") == b"in\n"


def test_a_key_that_the_node_does_not_know(sshd: OpenSshServer, ssh_keys: Path) -> None:
    key = ssh_keys / "stranger"
    error = fails(AuthenticationError, transport(sshd, key_file=str(key)), match=f"refused: offered {key}")
    assert "authorized_keys" in error.hint
    fails(AuthenticationError, transport(sshd, user="nobody-at-all"), match="login as nobody-at-all refused")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, "No such file"),
        (b"", "holds no private key"),
        (b"\xff\xfe\x00garbage", "holds no private key"),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", "holds no private key"),
        (b"ssh-ed25519 AAAAC3 me\n", "is a public key"),
        (b"PuTTY-User-Key-File-3: ssh-ed25519\n", "PuTTY"),
    ],
)
def test_a_key_file_that_is_none(sshd: OpenSshServer, tmp_path: Path, content: bytes | None, match: str) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    fails(AuthenticationError, transport(sshd, key_file=str(path)), match=match)


# Host keys.


def test_a_host_that_nobody_knows(sshd: OpenSshServer, tmp_path: Path) -> None:
    empty = tmp_path / "none"
    error = fails(
        UntrustedPeerError, transport(sshd, known_hosts=str(empty)), match="is not known: ssh-ed25519 SHA256:"
    )
    assert f"ssh-keyscan -t ed25519 -p {sshd.port} 127.0.0.1 >> {empty}" in error.hint
    assert not empty.exists()
    assert "Accepted" not in sshd.log


def test_a_host_whose_key_has_changed(sshd: OpenSshServer, ssh_keys: Path) -> None:
    other = (ssh_keys / "stranger.pub").read_text()
    sshd.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {other}")
    for policy in ("strict", "accept-new"):
        error = fails(UntrustedPeerError, transport(sshd, host_key_policy=policy), match="has changed")
        assert "ssh-keygen -R" in error.hint
    assert sshd.known_hosts.read_text().count("\n") == 1


def test_a_hashed_known_hosts_file(sshd: OpenSshServer) -> None:
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(sshd.known_hosts)], check=True, capture_output=True)
    assert "127.0.0.1" not in sshd.known_hosts.read_text()
    assert transport(sshd).run("echo in") == b"in\n"


def test_the_server_is_asked_for_the_type_that_is_known(sshd: OpenSshServer) -> None:
    lines = sshd.known_hosts.read_text().splitlines(keepends=True)
    sshd.known_hosts.write_text("".join(line for line in lines if "ssh-rsa" in line))
    assert transport(sshd).run("echo in") == b"in\n"


def test_a_key_of_another_type_is_not_the_known_one(start_sshd: StartSshd, ssh_keys: Path) -> None:
    server = start_sshd(host_keys=("host_ed25519",))
    server.known_hosts.write_text(f"[127.0.0.1]:{server.port} {(ssh_keys / 'host_rsa.pub').read_text()}")
    for policy in ("strict", "accept-new"):
        fails(UntrustedPeerError, transport(server, host_key_policy=policy), match=r"not known.*\(known: ssh-rsa\)")


def fingerprint(key: Path) -> str:
    done = subprocess.run(["ssh-keygen", "-lf", f"{key}.pub"], check=True, capture_output=True, text=True)
    return done.stdout.split()[1]


@pytest.mark.parametrize("name", ["host_ed25519", "host_rsa"])
def test_a_pinned_key_needs_no_file(sshd: OpenSshServer, ssh_keys: Path, tmp_path: Path, name: str) -> None:
    pinned = (ssh_keys / f"{name}.pub").read_text()
    assert transport(sshd, host_key=pinned, known_hosts=str(tmp_path / "none")).run("echo in") == b"in\n"


def test_a_pinned_fingerprint(sshd: OpenSshServer, ssh_keys: Path) -> None:
    assert transport(sshd, host_key=fingerprint(ssh_keys / "host_ed25519")).run("echo in") == b"in\n"
    wrong = fingerprint(ssh_keys / "stranger")
    error = fails(UntrustedPeerError, transport(sshd, host_key=wrong), match=f"pinned is {re.escape(wrong)}")
    assert fingerprint(ssh_keys / "host_ed25519") in error.hint
    fails(UntrustedPeerError, transport(sshd, host_key="ssh-ed25519 AAAA"), match="is no key")


def test_accept_new_remembers_and_stays_strict(sshd: OpenSshServer, tmp_path: Path, ssh_keys: Path) -> None:
    book = tmp_path / "new" / "known_hosts"
    accepting = {"known_hosts": str(book), "host_key_policy": "accept-new"}
    doors = [transport(sshd, **accepting) for _ in range(8)]
    threads = [threading.Thread(target=door.run, args=("true",)) for door in doors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert book.read_text().startswith(f"[127.0.0.1]:{sshd.port} ssh-ed25519 ")
    assert book.read_text().count("\n") == 1
    assert transport(sshd, known_hosts=str(book)).run("echo in") == b"in\n"
    sshd.stop()
    sshd.host_keys = [ssh_keys / "stranger"]
    sshd.start()
    fails(UntrustedPeerError, transport(sshd, **accepting), match="has changed")


def test_accept_new_needs_a_file_that_remembers(sshd: OpenSshServer) -> None:
    door = transport(sshd, known_hosts="/dev/null", host_key_policy="accept-new")
    fails(UntrustedPeerError, door, match="cannot remember")


# ~/.ssh/config and jump hosts.


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
    fails(UnreachableError, transport(sshd, ssh_config="/nowhere/config"), match="does not exist")


def both_known(*servers: OpenSshServer) -> str:
    text = "".join(server.known_hosts.read_text() for server in servers)
    servers[-1].known_hosts.write_text(text)
    return str(servers[-1].known_hosts)


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


def test_many_nodes_behind_one_jump_host(start_sshd: StartSshd, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow_log_in(*arguments: Any) -> None:
        time.sleep(0.1)
        log_in(*arguments)

    monkeypatch.setattr("scanner.transports.ssh.transport.log_in", slow_log_in)
    jump, node = start_sshd("MaxStartups 10\n"), start_sshd()
    known = both_known(jump, node)
    doors = [transport(node, known_hosts=known, jump=f"127.0.0.1:{jump.port}") for _ in range(24)]
    said: list[bytes] = []
    threads = [threading.Thread(target=lambda door=door: said.append(door.run("echo in"))) for door in doors]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == [b"in\n"] * 24
    # Hardly any login had to knock twice: no more than a few are under way at a time.
    assert sum(door.usage.connections for door in doors) <= 2 * 24 + 2


# What goes wrong underway.

CUT = """
echo before
p=$PPID
while [ "$(cat /proc/$p/comm)" != sshd ]; do p=$(awk '{print $4}' /proc/$p/stat); done
sleep 0.2
kill -9 $p
sleep 5
"""


def test_a_connection_cut_in_mid_answer(sshd: OpenSshServer) -> None:
    error = fails(ConnectionLostError, transport(sshd), CUT, match="closed the connection during running the script")
    assert error.partial == b"before\n"


def test_a_hang_ends_at_the_deadline_with_what_was_said(sshd: OpenSshServer) -> None:
    started = time.monotonic()
    error = fails(DeadlineError, transport(sshd, Limits(timeout_s=1.5)), "echo before; sleep 60")
    assert time.monotonic() - started < 3
    assert "within 1.5 s; what was started may still run there" in str(error)
    assert error.partial == b"before\n"


def test_babbling_ends_at_the_cap(sshd: OpenSshServer) -> None:
    door = transport(sshd, Limits(timeout_s=20, answer_bytes=2 * 2**20))
    started = time.monotonic()
    error = fails(AnswerTooLargeError, door, "echo before; yes", match="more than 2 MiB")
    assert time.monotonic() - started < 10
    assert error.partial.startswith(b"before\ny\n")
    assert len(error.partial) < 4 * 2**20


def test_fifty_megabytes_on_both_outputs_arrive(sshd: OpenSshServer) -> None:
    door = transport(sshd, Limits(timeout_s=60, answer_bytes=200 * 2**20))
    output = door.run("head -c 10000000 /dev/zero >&2; head -c 40000000 /dev/zero; echo end")
    assert len(output) == 50_000_004


def test_a_shell_that_fails_says_how(sshd: OpenSshServer) -> None:
    error = fails(RefusedError, transport(sshd), "echo some; echo why >&2; exit 3", match="exit 3: why")
    assert error.partial == b"some\nwhy\n"
    fails(RefusedError, transport(sshd), "if then", match="exit 2: sh: ")
    fails(ConnectionLostError, transport(sshd), "kill -9 $$", match="the shell was killed|closed the connection")


def test_a_node_without_sh(sshd: OpenSshServer) -> None:
    sshd.install("sh", "")
    (sshd.folder / "bin/sh").write_text("#!/nowhere/sh\n")
    error = fails(RefusedError, transport(sshd), match="cannot run `sh`")
    assert "login shell" in error.hint


def test_an_account_that_may_not_run_commands(start_sshd: StartSshd) -> None:
    server = start_sshd('ForceCommand echo "This account is currently not available."; exit 1\n')
    fails(RefusedError, transport(server), match="nologin: This account is currently not available")


def test_rc_file_chatter_is_part_of_the_output(start_sshd: StartSshd) -> None:
    server = start_sshd("ForceCommand printf 'Welcome!'; sh -s\n")
    probes = [Probe(id="it", language="sh", purpose="", script="echo answer", readers=())]
    script = compose(probes, nonce="abc", budget_s=15, options={}, sudo=False, probe_bytes=1000)
    said = parse(transport(server).run(script), nonce="abc", probe_ids=["it"])
    assert said == {"it": Answer("answer\n", 0)}


def clock_of(server: OpenSshServer) -> ClockSample:
    node = Node(
        cluster="chef",
        name="backend-1",
        host=server.host,
        product="chef-backend",
        roles=("backend",),
        transport="ssh",
        ssh=transport(server)._settings,
    )
    said = query_node(
        NodeRequest(
            node, (Probe(id="it", language="sh", purpose="", script="echo answer", readers=()),), Limits(timeout_s=20)
        )
    )
    assert said.answers == {"it": Answer("answer\n", 0)}
    assert (said.usage.connections, said.usage.commands) == (1, 1)
    assert isinstance(said.clock, ClockSample)
    return said.clock


@pytest.mark.parametrize("rc", ["sleep 1.2", "printf 'no line end'; sleep 1.2", "set -v; sleep 1.2"])
def test_what_a_login_shell_takes_to_start_is_no_uncertainty_of_the_clock(sshd: OpenSshServer, rc: str) -> None:
    """bash reads ~/.bashrc where sshd starts it, although no terminal is there."""
    (sshd.folder / ".bashrc").write_text(f"{rc}\necho marker >{sshd.folder}/was-read\n")
    started = time.time()
    low_s, high_s = clock_of(sshd).ahead_s
    assert (sshd.folder / "was-read").is_file()
    assert time.time() - started > 1.2
    assert low_s <= 0 <= high_s  # it is the scanner's own clock
    assert high_s - low_s < 0.6


def test_a_wrapper_that_reads_all_before_it_starts_a_shell_is_answered_all_the_same(
    start_sshd: StartSshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanner.transports.ssh.transport.READY_S", 0.3)
    server = start_sshd("ForceCommand reads-all\n")
    server.install("reads-all", """script=$(cat); sleep 0.5; printf '%s\\n' "$script" | sh -s""")
    low_s, high_s = clock_of(server).ahead_s
    assert low_s <= 0 <= high_s
    assert high_s - low_s > 0.4  # its start cannot be told apart there


def test_a_dropped_start_is_worth_one_more_knock(sshd: OpenSshServer) -> None:
    """A door keeper that turns the first connection away, as sshd does under MaxStartups."""
    with socket.create_server(("127.0.0.1", 0)) as keeper:

        def keep() -> None:
            first, _ = keeper.accept()
            first.sendall(b"Exceeded MaxStartups\r\n")
            first.close()
            second, _ = keeper.accept()
            with second, socket.create_connection((sshd.host, sshd.port)) as inside:
                relay = threading.Thread(target=pump, args=(second, inside))
                relay.start()
                pump(inside, second)
                relay.join()

        thread = threading.Thread(target=keep)
        thread.start()
        port = keeper.getsockname()[1]
        sshd.known_hosts.write_text(sshd.known_hosts.read_text().replace(str(sshd.port), str(port)))
        door = transport(sshd, port=port)
        assert door.run("echo in") == b"in\n"
        assert (door.usage.connections, door.usage.commands) == (2, 1)
        thread.join(10)


def pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_an_old_server_without_common_algorithms(start_sshd: StartSshd) -> None:
    server = start_sshd("KexAlgorithms sntrup761x25519-sha512@openssh.com\n")
    with pytest.raises(NodeError, match="no algorithm in common") as caught:
        transport(server).run("true")
    assert "curve25519" in caught.value.hint


def test_closing_twice_and_before_running_hurts_nobody(sshd: OpenSshServer) -> None:
    door = transport(sshd)
    door.close()
    assert door.run("echo in") == b"in\n"
    door.close()
    door.close()
