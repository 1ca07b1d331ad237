"""SSH servers that are not OpenSSH: Dropbear, and TinySSH behind a listener of our own."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_SBIN = os.defpath + ":/usr/sbin:/sbin:/usr/bin"


def program(name: str) -> str:
    """Where a program is; without it the test skips by its name, or fails under REQUIRE_LIVE=1."""
    found = shutil.which(name, path=_SBIN)
    if not found:
        (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)(f"no {name} on this machine")
    return found


@functools.cache
def _why_no_home() -> str:
    if os.getuid() != 0:
        return "a home of one's own needs root"
    done = subprocess.run(["unshare", "-m", "true"], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


class Dropbear:
    """A running dropbear, whose user's home is a folder of its own."""

    def __init__(self, folder: Path, port: int, log: Path) -> None:
        self.folder, self.port = folder, port
        self._log = log
        self.known_hosts = folder / "known_hosts"

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def authorize(self, *keys: Path) -> None:
        text = "".join(Path(f"{key}.pub").read_text() for key in keys)
        (self.folder / "dropbear/.ssh/authorized_keys").write_text(text)


@contextmanager
def dropbear(folder: Path, *options: str, host_key: str = "ed25519") -> Iterator[Dropbear]:
    """Dropbear on 127.0.0.1; `options` are its own."""
    server, makes = program("dropbear"), program("dropbearkey")
    if why := _why_no_home():
        (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)(why)
    for name in ("dropbear", "dropbear/.ssh"):
        (folder / name).mkdir(mode=0o700)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = subprocess.run(
        [makes, "-t", host_key, "-f", str(folder / "host")], capture_output=True, text=True, check=True
    )
    public = next(line for line in made.stdout.splitlines() if line.startswith(("ssh-", "ecdsa-")))
    log = folder / "log"
    command = [server, "-F", "-E", "-s", "-p", f"127.0.0.1:{port}", "-r", str(folder / "host"), "-P", "", *options]
    with log.open("wb") as said:
        process = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", 'mount --bind "$0" ~root && exec "$@"', str(folder / "dropbear"), *command],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    found = Dropbear(folder, port, log)
    found.known_hosts.write_text(f"[127.0.0.1]:{port} {public}\n")
    try:
        ends = time.monotonic() + 10
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None, found.log
            assert time.monotonic() < ends, found.log
            time.sleep(0.02)
        yield found
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def tinysshd(folder: Path) -> Iterator[tuple[int, str]]:
    """The port of a TinySSH, and its line of known_hosts: one process for each connection, as under inetd."""
    server, makes = program("tinysshd"), program("tinysshd-makekey")
    keys = folder / "keys"
    subprocess.run([makes, str(keys)], check=True, capture_output=True)
    printed = subprocess.run([program("tinysshd-printkey"), str(keys)], check=True, capture_output=True, text=True)
    public = next(line for line in printed.stdout.splitlines() if line.startswith("ssh-ed25519"))
    door = socket.create_server(("127.0.0.1", 0))
    port = door.getsockname()[1]
    running: list[subprocess.Popen[bytes]] = []

    def serve() -> None:
        while True:
            try:
                wire, _ = door.accept()
            except OSError:
                return
            with wire:
                running.append(
                    subprocess.Popen(
                        [server, str(keys)], stdin=wire.fileno(), stdout=wire.fileno(), stderr=subprocess.DEVNULL
                    )
                )

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield port, f"[127.0.0.1]:{port} {public}\n"
    finally:
        door.shutdown(socket.SHUT_RDWR)
        door.close()
        thread.join(10)
        for one in running:
            one.kill()
            one.wait(10)
