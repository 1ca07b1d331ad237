"""What stands between a login and `sh`, on a real machine with real accounts: each is told as what it is, at once."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scanner.errors import AuthenticationError
from scanner.inventory.model import Node, SshSettings
from scanner.probes.probe import Answer, Probe
from scanner.run.node import NodeRequest, query_node
from scanner.transports.answers import NodeResponse
from scanner.transports.protocol import Limits
from scanner.transports.ssh.transport import SshTransport
from tests.live.machine import USER, Machine, why_not

pytestmark = pytest.mark.live

HOME = f"/home/{USER}"
KEYS = f"{HOME}/.ssh/authorized_keys"
CONFIG = "HostKey /etc/ssh/estate_key\nPasswordAuthentication no\nPidFile none\nLogLevel VERBOSE\n"
PROBES = (
    Probe(id="date", language="sh", purpose="", script="date +%s", readers=()),
    Probe(id="text", language="sh", purpose="", script="echo 'a b' | cat", readers=()),
)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    if reason := why_not():
        (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)(f"no real machine: {reason}")
    key = tmp_path_factory.mktemp("logins") / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    with Machine(name="be-login", address="10.20.30.60", user_key=key) as machine:
        yield machine


@pytest.fixture
def machine(started: Machine) -> Machine:
    """As an administrator sets it up, whatever the test before did."""
    configure(started)
    started.run("usermod", "-s", "/bin/bash", "-p", "*", USER)
    started.run("chage", "-E", "-1", "-d", "19000", "-M", "99999", USER)
    started.run("chmod", "700", f"{HOME}/.ssh")
    started.remove("/etc/nologin", f"{HOME}/.bashrc")
    started.write(KEYS, public_key(started))
    return started


@pytest.fixture(autouse=True)
def no_threads_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    ends = time.monotonic() + 2
    while left := [
        thread for thread in threading.enumerate() if thread not in before and "machine-" not in thread.name
    ]:
        assert time.monotonic() < ends, left
        time.sleep(0.01)


def public_key(machine: Machine) -> str:
    return machine.user_key.with_name(f"{machine.user_key.name}.pub").read_text()


def configure(machine: Machine, extra: str = "", *, pam: bool = False) -> None:
    machine.write("/etc/ssh/estate_config", f"{extra}\n{CONFIG}UsePAM {'yes' if pam else 'no'}\n")


def start_up(machine: Machine, text: str) -> None:
    """What ~/.bashrc says; bash reads it where sshd starts it, although no terminal is there."""
    machine.write(f"{HOME}/.bashrc", f"{text}\n")


def node_of(machine: Machine, folder: Path) -> Node:
    known = folder / "known_hosts"
    known.write_text(f"[127.0.0.1]:{machine.port} {machine.host_key}\n")
    ssh = SshSettings(
        user=USER,
        port=machine.port,
        key_file=str(machine.user_key),
        known_hosts=str(known),
        ssh_config="",
        agent=False,
    )
    return Node(
        cluster="chef",
        name="backend-1",
        host="127.0.0.1",
        product="chef-backend",
        roles=("backend",),
        transport="ssh",
        ssh=ssh,
    )


def asked(machine: Machine, folder: Path, timeout_s: float = 20) -> NodeResponse:
    started = time.monotonic()
    said = query_node(NodeRequest(node_of(machine, folder), PROBES, Limits(timeout_s=timeout_s)))
    assert time.monotonic() - started < timeout_s + 1.5
    return said


def told(machine: Machine, folder: Path, timeout_s: float = 20) -> tuple[str, str]:
    """The cause and its cure. What does not wait is told at once, and never as a timeout."""
    started = time.monotonic()
    said = asked(machine, folder, timeout_s)
    assert said.failure, said.answers
    assert "\n" not in said.failure
    assert said.failure.isprintable()
    assert said.hint
    if time.monotonic() - started < timeout_s - 1:
        assert "timed out" not in said.failure
        assert "within" not in said.failure
    return said.failure, said.hint


def is_answered(said: NodeResponse) -> bool:
    date, text = said.answers["date"], said.answers["text"]
    assert said.failure is None, said.failure
    assert isinstance(date, Answer)
    assert date.output.strip().isdigit()
    assert text == Answer("a b\n", 0)
    return True


# What sshd and PAM say before they hang up.


@pytest.mark.parametrize(
    ("command", "pam", "cause", "cure"),
    [
        (("chage", "-E", "2", USER), True, "account has expired; please contact your system administrator", "chage -E"),
        (("chage", "-E", "2", USER), False, f"login as {USER} refused", "locked, expired"),
        (("usermod", "-p", "!x", USER), False, f"login as {USER} refused", "locked, expired"),
        (("chage", "-d", "0", USER), True, "password has expired, and without a terminal it cannot", "passwd USER"),
        (("usermod", "-s", "/nowhere/sh", USER), False, f"login as {USER} refused", "without a shell that exists"),
        (("chmod", "777", f"{HOME}/.ssh"), False, f"login as {USER} refused", "its modes"),
        (("sh", "-c", "echo 'back at 04:00' >/etc/nologin"), True, "and says: back at 04:00", "/etc/nologin"),
        (("sh", "-c", "echo 'back at 04:00' >/etc/nologin"), False, "closed to logins (/etc/nologin): back at", "wait"),
    ],
)
def test_an_account_that_is_not_let_in(
    machine: Machine, tmp_path: Path, command: tuple[str, ...], pam: bool, cause: str, cure: str
) -> None:
    configure(machine, pam=pam)
    machine.run(*command)
    found = told(machine, tmp_path)
    assert (cause in found[0], cure in found[1]) == (True, True), found


def test_a_banner_stands_beside_a_refusal_short_and_harmless(machine: Machine, tmp_path: Path) -> None:
    machine.write(
        "/etc/issue.estate", "\x1b[31mSystem under \u202emaintenance.\nCome back on Monday.\n" + "Legal. " * 99
    )
    configure(machine, "Banner /etc/issue.estate")
    assert is_answered(asked(machine, tmp_path))
    machine.remove(KEYS)
    cause, _ = told(machine, tmp_path)
    assert r"refused" in cause
    assert r"; the server says: \x1b[31mSystem under \u202emaintenance. Come back on Monday." in cause
    assert len(cause) < 400


@pytest.mark.parametrize("option", ['from="10.9.9.9"', 'expiry-time="20200101"'])
def test_a_key_that_authorized_keys_narrows_is_told_where_to_look(
    machine: Machine, tmp_path: Path, option: str
) -> None:
    machine.write(KEYS, f"{option} {public_key(machine)}")
    _, cure = told(machine, tmp_path)
    assert option.partition("=")[0] + "=" in cure


# What runs in place of `sh`.


@pytest.mark.parametrize(
    ("shell", "cause", "cure"),
    [
        ("/usr/sbin/nologin", "the account's login shell is nologin: This account is currently not", "usermod -s"),
        ("/bin/false", "answered nothing; its login ended with exit 1 before `sh` ran", "/bin/false"),
        ("/usr/bin/git-shell", "the account's shell is a restricted one", "usermod -s"),
    ],
)
def test_a_login_shell_that_is_none(machine: Machine, tmp_path: Path, shell: str, cause: str, cure: str) -> None:
    if not Path(shell).exists():
        pytest.skip(f"no {shell} on this machine")
    machine.run("usermod", "-s", shell, USER)
    found = told(machine, tmp_path)
    assert (cause in found[0], cure in found[1]) == (True, True), found


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("ForceCommand internal-sftp", "may use SFTP only: This service allows sftp connections only"),
        ("ForceCommand echo backup done", "something else; its login ended with exit 0 before `sh` ran: backup done"),
        ("ForceCommand true", "answered nothing; its login ended with exit 0 before `sh` ran"),
        ("ForceCommand cat", "gives back what it is sent"),
        ("ForceCommand /nowhere/at-all", "cannot run `sh` (exit 127): "),
        ("ChrootDirectory /srv", "cannot start the account's login shell (is there a ChrootDirectory"),
        ("MaxSessions 0", "opens no session"),
    ],
)
def test_what_sshd_forces_in_its_place(machine: Machine, tmp_path: Path, line: str, cause: str) -> None:
    configure(machine, line)
    assert cause in told(machine, tmp_path)[0]


def test_a_key_with_a_command_of_its_own_is_told_by_its_line(machine: Machine, tmp_path: Path) -> None:
    machine.write(KEYS, f'# a comment\nrestrict,command="echo backup done" {public_key(machine)}')
    cause, cure = told(machine, tmp_path)
    assert cause.endswith("backup done")
    assert f"{KEYS}:2 there has `command=`" in cure


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("exit", "answered nothing; its login ended with exit 0 before `sh` ran"),
        ("exit 3", "answered nothing; its login ended with exit 3 before `sh` ran"),
        ("echo bye; exit 3", "something else; its login ended with exit 3 before `sh` ran: bye"),
        ("exec </dev/null", "answered nothing; its login ended with exit 0"),
        ("exec stty raw", "start-up file of the login wants a terminal: stty: "),
        ("export PATH=/nowhere", "cannot run `sh` (exit 127): bash: line 1: sh: command not found"),
        ("ulimit -u 1", "has no room for another process: "),
        ("ulimit -n 3", "may not open as many files as a shell needs: "),
        ("kill -9 $$", "the shell was killed before it was done"),
        ("cat", "gives back what it is sent"),
    ],
)
def test_a_start_up_file_that_is_in_the_way(machine: Machine, tmp_path: Path, text: str, cause: str) -> None:
    start_up(machine, text)
    assert cause in told(machine, tmp_path)[0]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            'until [ "$a" = y ]; do printf "Which site? "; read -r a || sleep 0.1; done',
            "run `sh` within 1 s: Which site?",
        ),
        ("sleep 30", "did not come to run `sh` within 1 s"),
        ("exec >/dev/null", "did not come to run `sh` within 1 s"),
    ],
)
def test_a_start_up_file_that_waits_is_no_slow_node(machine: Machine, tmp_path: Path, text: str, cause: str) -> None:
    start_up(machine, text)
    found = told(machine, tmp_path, timeout_s=1)
    assert cause in found[0]
    assert "~/.bashrc" in found[1]


@pytest.mark.parametrize("shell", ["csh", "fish"])
def test_a_start_up_file_that_puts_another_shell_in_its_place(
    machine: Machine, tmp_path: Path, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if machine.run("sh", "-c", f"command -v {shell}", check=False).returncode:
        (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)(f"no {shell} on this machine")
    monkeypatch.setattr("scanner.transports.ssh.transport.READY_S", 0.5)  # fish reads all before it says anything
    start_up(machine, f"exec {shell}")
    cause, cure = told(machine, tmp_path)
    assert "another shell than `sh` reads the script" in cause
    assert "exec" in cure


# What a login does that is no reason not to be asked.


@pytest.mark.parametrize(
    "text",
    [
        "echo Welcome; echo 'to be'>&2; printf 'no line end'",
        "read -r name",
        "printf 'Which site? '; read -r site; printf 'Sure? '; read -r sure",
        "set -e; export SHELLOPTS",
        "set -eu; export SHELLOPTS",
        "exec zsh",
        "exec ksh",
        "exec mksh",
        "exec bash",
        "mkdir -p /tmp/few; ln -sf /bin/sh /tmp/few; PATH=/tmp/few",
        "export GREP_OPTIONS=--color=always POSIXLY_CORRECT=1 BLOCK_SIZE=1 ENV=/nowhere CDPATH=/",
        "trap 'sleep 30' EXIT",
        "umask 777; ulimit -f 0; cd /nowhere",
        "cat() { echo wrong; }; date() { echo wrong; }; export -f cat",
    ],
)
def test_a_login_of_its_own_kind_is_asked_all_the_same(machine: Machine, tmp_path: Path, text: str) -> None:
    program = text.removeprefix("exec ") if text.startswith("exec ") else "sh"
    if machine.run("sh", "-c", f"command -v {program}", check=False).returncode:
        (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)(f"no {program} on this machine")
    start_up(machine, text)
    assert is_answered(asked(machine, tmp_path))


@pytest.mark.parametrize("options", ["ro", "size=4k", "noexec"])
def test_no_temporary_file_is_needed(machine: Machine, tmp_path: Path, options: str) -> None:
    machine.run("mount", "-t", "tmpfs", "-o", options, "none", "/tmp")
    try:
        if options == "size=4k":
            machine.run("sh", "-c", "head -c 9999 /dev/zero >/tmp/full", check=False)
        assert is_answered(asked(machine, tmp_path))
    finally:
        machine.run("umount", "/tmp")


def test_a_machine_without_sh(machine: Machine, tmp_path: Path) -> None:
    sh = machine.run("readlink", "-f", "/bin/sh").stdout.strip()
    machine.run("mv", sh, f"{sh}.away")
    try:
        assert "cannot run `sh` (exit 127)" in told(machine, tmp_path)[0]
    finally:
        machine.run("/bin/mv", f"{sh}.away", sh)


def test_a_machine_that_may_not_start_what_relays_answers(machine: Machine, tmp_path: Path) -> None:
    machine.run("chmod", "0", "/usr/bin/tail")
    try:
        cause = asked(machine, tmp_path).failure or ""
    finally:
        machine.run("chmod", "755", "/usr/bin/tail")
    assert "could not ask it" in cause
    assert "tail" in cause


def test_a_refused_login_stays_a_matter_of_credentials(machine: Machine, tmp_path: Path) -> None:
    """What PAM says of an account is no lost connection: nobody is advised to try again."""
    configure(machine, pam=True)
    machine.run("chage", "-E", "2", USER)
    door = SshTransport(node_of(machine, tmp_path), Limits(timeout_s=20))
    with pytest.raises(AuthenticationError):
        door.run("echo in")
