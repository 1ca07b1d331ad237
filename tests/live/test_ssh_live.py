"""SSH against a real OpenSSH server: logins, and everything that goes wrong underway."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from checks.common.clock_facts import ClockSample
from scanner.errors import (
    AnswerTooLargeError,
    AuthenticationError,
    ConnectionLostError,
    DeadlineError,
    NodeError,
    RefusedError,
)
from scanner.inventory.model import Node
from scanner.probes.batch.sh import compose, parse
from scanner.probes.probe import Answer, Probe
from scanner.run.node import NodeRequest, query_node
from scanner.secrets.secret import Secret
from scanner.transports.protocol import Limits
from tests.live.openssh import OpenSshServer
from tests.live.ssh_doors import StartSshd, agent, fails, home, transport
from tests.threads import no_threads_left

pytestmark = pytest.mark.live
__all__ = ["agent", "home", "no_threads_left"]


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
