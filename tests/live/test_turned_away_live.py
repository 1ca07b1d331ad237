"""A real sshd that lets nobody speak, by MaxStartups or by tcp wrappers: told as what it is."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from scanner.errors import ConnectionLostError
from tests.live import openssh
from tests.live.openssh import OpenSshServer
from tests.live.ssh_doors import fails, home, transport
from tests.threads import no_threads_left

pytestmark = pytest.mark.live
__all__ = ["home", "no_threads_left"]
StartSshd = Callable[..., OpenSshServer]


def test_max_startups_is_named_with_what_to_do(start_sshd: StartSshd) -> None:
    server = start_sshd("MaxStartups 2:100:2")
    with ExitStack() as crowd:
        for _ in range(2):
            waiting = crowd.enter_context(socket.create_connection((server.host, server.port), 5))
            assert waiting.recv(64).startswith(b"SSH-2.0-OpenSSH"), "one that is let in, and does not log in"
        error = fails(
            ConnectionLostError, transport(server), match=r"turned the connection away|before saying anything"
        )
        assert "MaxStartups" in str(error) + error.hint
        assert "`parallel`" in error.hint or "sshd's log" in error.hint
    assert "MaxStartups" in server.log


def test_what_tcp_wrappers_turn_away_is_told_with_where_to_look(
    start_sshd: StartSshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built_with = subprocess.run(["ldd", str(openssh.SSHD)], capture_output=True, text=True, check=False).stdout
    tried = shutil.which("unshare") and subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True)
    if "libwrap" not in built_with or not Path("/etc/hosts.deny").exists() or not tried or tried.returncode:
        (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)("no sshd with tcp wrappers, or no mounts here")
    (tmp_path / "hosts.deny").write_text("sshd: ALL\n")
    denying = tmp_path / "sshd"
    # In a mount namespace of its own: everybody else's sshd goes on as before.
    denying.write_text(
        f"#!/bin/sh\nexec unshare -m sh -c 'mount --make-rprivate / && mount --bind {tmp_path}/hosts.deny "
        f'/etc/hosts.deny && exec {openssh.SSHD} "$@"\' sshd "$@"\n'
    )
    denying.chmod(0o755)
    monkeypatch.setattr(openssh, "SSHD", str(denying))
    server = start_sshd()
    begun = time.monotonic()
    error = fails(ConnectionLostError, transport(server), match=r"closed the connection before saying anything")
    assert "/etc/hosts.deny" in error.hint
    assert time.monotonic() - begun < 15
    # The file is what kept us out.
    (tmp_path / "hosts.deny").write_text("")
    assert transport(server).run("echo in") == b"in\n"
