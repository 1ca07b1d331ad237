"""Which host key a real sshd shows, and whether it is the one that is known, pinned or to be remembered."""

from __future__ import annotations

import re
import subprocess
import threading
from pathlib import Path

import pytest

from scanner.errors import UntrustedPeerError
from tests.live.openssh import OpenSshServer
from tests.live.ssh_doors import StartSshd, fails, home, transport
from tests.threads import no_threads_left

pytestmark = pytest.mark.live
__all__ = ["home", "no_threads_left"]


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
