"""One Linux machine of a real estate: a root file system, network and name of its own, and real OpenSSH, sudo, dpkg.

It is made of this machine: an overlay over its file system, in a mount, network and UTS namespace. Whatever is written
there stays there. Needs root; `why_not` says what else is lacking.

Inside, `holder.py` keeps the namespaces and answers HTTP on the machine's own addresses, as the services that are not
there would; each SSH connection is a real `sshd -i`, with the client's socket for its standard input and output.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

HOLDER = Path(__file__).with_name("holder.py")
USER = "preflight"
_PROGRAMS = ("unshare", "nsenter", "sudo", "visudo", "dpkg", "dpkg-deb", "sshd", "useradd", "groupadd", "ip", "mount")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Not the container's: two cores less would be a warning of its own.
_CPUINFO = "".join(f"processor\t: {core}\nmodel name\t: a processor\n\n" for core in range(4))
_MEMINFO = "MemTotal:       16396288 kB\nMemFree:         9120340 kB\n"


@functools.cache
def why_not() -> str:
    """Why there can be no such machine here, in a line; empty where there can."""
    if sys.platform != "linux" or os.getuid() != 0:
        return "needs root on Linux"
    missing = [name for name in _PROGRAMS if not shutil.which(name, path=_PATH)]
    if missing:
        return f"not on this machine: {', '.join(missing)}"
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(
            ["unshare", "-m", "-n", "-u", "sh", "-c", _TRY, "sh", folder], capture_output=True, text=True, check=False
        )
    return "" if tried.returncode == 0 else f"no namespaces or overlays here: {tried.stderr.strip()[:200]}"


_TRY = """
set -e
mount --make-rprivate /
mount -t tmpfs none "$1"
mkdir "$1/u" "$1/w" "$1/m"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/u,workdir=$1/w" "$1/m"
chroot "$1/m" true
"""


@dataclass(kw_only=True)
class Machine:
    """One machine; a context manager. Paths that its methods take are its own."""

    name: str
    address: str
    user_key: Path
    """The private key of the account that preflight logs in with; its .pub is beside it."""
    port: int = 0
    """On this machine's 127.0.0.1, where its sshd is reached."""
    host_key: str = ""
    _process: subprocess.Popen[str] | None = None
    _listener: socket.socket | None = None
    _folder: tempfile.TemporaryDirectory[str] | None = None
    _children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            ["unshare", "-m", "-n", "-u", sys.executable, str(HOLDER), self._folder.name, self.name, self.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._expect("ready")
        self._equip()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, name=f"machine-{self.name}", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._listener:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        for child in self._children:
            child.kill()
            child.wait()
        if self._process and self._process.stdin and self._process.stdout:
            self._process.stdin.close()  # it ends with its input, and the namespaces with it
            self._process.wait(10)
            self._process.stdout.close()
        if self._folder:
            self._folder.cleanup()

    def run(self, *command: str, user: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command there, as root or as `user`."""
        words = (*self._enter(), *(("setpriv", "--reuid", user, "--clear-groups") if user else ()), *command)
        environment = {"PATH": _PATH, "LC_ALL": "C", "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(words, capture_output=True, text=True, check=False, env=environment)
        if check and done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(command)}: {done.stdout}{done.stderr}")
        return done

    @contextmanager
    def in_its_network(self, *command: str) -> Iterator[subprocess.Popen[bytes]]:
        """A program of this machine that runs meanwhile, as root, with that one's network."""
        words = ("nsenter", "-t", str(self._process.pid if self._process else ""), "-n", *command)
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            try:
                yield process
            finally:
                process.kill()

    def path(self, path: str) -> Path:
        """Where a file of its own is seen from here. Links are followed here, so not for what is one."""
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return Path(f"/proc/{self._process.pid}/root{path}")

    def write(self, path: str, content: str | bytes, mode: int = 0o644, group: str = "root") -> None:
        """A file with what it holds."""
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        file.chmod(mode)
        if group != "root":
            self.run("chgrp", group, path)

    def shrink(self, size: str) -> None:
        """Give the machine's disk another size, such as "100m"; what lies on it stays."""
        pid = str(self._process.pid) if self._process else ""
        folder = self._folder.name if self._folder else ""
        words = ["nsenter", "-t", pid, "-m", "mount", "-o", f"remount,size={size}", folder]
        subprocess.run(words, check=True, capture_output=True)

    def remove(self, *paths: str) -> None:
        """Take files or folders away."""
        self.run("rm", "-rf", "--", *paths)

    def serve(self, *services: dict[str, Any]) -> None:
        """What listens there from now on: `{"port", "address", "tls", "answers": {path: [code, body]}}` each."""
        self._tell({"serve": list(services)})

    def _tell(self, message: dict[str, Any]) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        self._expect("done")

    def _expect(self, word: str) -> None:
        said = self._process.stdout.readline().strip() if self._process and self._process.stdout else ""
        if said != word:
            raise RuntimeError(f"{self.name}: {said or 'ended'}")

    def _enter(self) -> tuple[str, ...]:
        pid = str(self._process.pid) if self._process else ""
        return ("nsenter", "-t", pid, "-m", "-n", "-u", "-r", "-w")

    def _equip(self) -> None:
        """An account that may do nothing but log in, and an sshd for it."""
        self.run("sh", "-c", f"id {USER} >/dev/null 2>&1 || useradd -m -s /bin/bash {USER}")
        self.run("usermod", "-p", "*", USER)  # no password, and not locked either
        home = self.path(f"/home/{USER}")
        (home / ".ssh").mkdir(mode=0o700, parents=True, exist_ok=True)
        self.write(
            f"/home/{USER}/.ssh/authorized_keys", self.user_key.with_name(f"{self.user_key.name}.pub").read_bytes()
        )
        self.run("chown", "-R", f"{USER}:{USER}", f"/home/{USER}")
        self.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/etc/ssh/estate_key")
        self.host_key = " ".join(self.path("/etc/ssh/estate_key.pub").read_text().split()[:2])
        self.write(
            "/etc/ssh/estate_config",
            "HostKey /etc/ssh/estate_key\nPasswordAuthentication no\nUsePAM no\nPidFile none\nLogLevel VERBOSE\n",
        )
        # In memory, so that `df` does not take the mounts below for disks.
        self.run("mount", "-t", "tmpfs", "-o", "mode=755", "none", "/mnt")
        self.write("/mnt/cpuinfo", _CPUINFO)
        self.write("/mnt/meminfo", _MEMINFO)
        for name in ("cpuinfo", "meminfo"):
            self.run("mount", "--bind", f"/mnt/{name}", f"/proc/{name}")

    def _serve(self) -> None:
        sshd = shutil.which("sshd", path=_PATH) or ""
        command = (*self._enter(), sshd, "-i", "-f", "/etc/ssh/estate_config", "-E", "/var/log/estate-sshd.log")
        while self._listener:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                door = connection.fileno()
                self._children.append(subprocess.Popen(command, stdin=door, stdout=door))
            self._children = [child for child in self._children if child.poll() is None]
