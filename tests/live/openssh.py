"""Real OpenSSH servers on loopback, each in a folder of its own, with stand-ins for a node's commands."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

SSHD = shutil.which("sshd", path=os.defpath + ":/usr/sbin:/sbin:/usr/local/sbin")
STAND_INS = Path(__file__).parent / "stand_ins"

_CONFIG = """\
AddressFamily inet
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin yes
LogLevel VERBOSE
MaxStartups 300
MaxAuthTries 4
"""


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "", *, bits: int | None = None) -> Path:
    """A new key pair at `path` and `path`.pub."""
    command = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)]
    subprocess.run(command + (["-b", str(bits)] if bits else []), check=True, stdin=subprocess.DEVNULL)
    return path


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(kw_only=True)
class OpenSshServer:
    """One sshd: where it is, who may log in, and what its stand-ins say."""

    folder: Path
    key_file: Path
    """A private key that is let in."""
    host_keys: Sequence[Path]
    hosts: Sequence[str] = ("127.0.0.1",)
    """Loopback addresses to listen on, at most 16."""
    extra: str = ""
    """More lines for sshd_config."""
    port: int = 0
    user: str = field(default_factory=getpass.getuser)
    process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        return self.hosts[0]

    @property
    def known_hosts(self) -> Path:
        """A file that knows this server by all its keys."""
        return self.folder / "known_hosts"

    @property
    def log(self) -> str:
        """What sshd has said so far."""
        return (self.folder / "log").read_text(errors="replace")

    def tells(self, text: str) -> bool:
        """Whether it comes to stand in the log: what one process of sshd says, another one writes."""
        ends = time.monotonic() + 5
        while text not in self.log and time.monotonic() < ends:
            time.sleep(0.01)
        return text in self.log

    def start(self) -> OpenSshServer:
        assert SSHD, "there is no sshd on this machine"
        for name in ("bin", "answers"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.authorize(self.key_file)
        self.port = self.port or free_port(self.host)
        path = f"{self.folder}/bin:{STAND_INS}:/usr/local/bin:/usr/bin:/bin"
        lines = [
            *(f"ListenAddress {host}:{self.port}" for host in self.hosts),
            *(f"HostKey {key}" for key in self.host_keys),
            f"AuthorizedKeysFile {self.folder}/authorized_keys",
            # A home of its own: the rc files of whoever runs this have no say.
            f"SetEnv HOME={self.folder} PATH={path} STAND_IN_ANSWERS={self.folder}/answers",
        ]
        config = self.folder / "sshd_config"
        ours = [line for line in _CONFIG.splitlines() if f"{line.split()[0]} " not in self.extra]
        config.write_text("\n".join([self.extra, *ours, *lines]) + "\n")
        known = [
            f"[{host}]:{self.port} {Path(f'{key}.pub').read_text()}" for host in self.hosts for key in self.host_keys
        ]
        self.known_hosts.write_text("".join(known))
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        for _ in range(200):
            if self.process.poll() is not None:
                raise RuntimeError(f"sshd did not start: {self.log}")
            if "Server listening" in self.log:
                return self
            time.sleep(0.02)
        raise RuntimeError(f"sshd says nothing: {self.log}")

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(10)
            self.process = None

    def authorize(self, *keys: Path) -> None:
        """Let exactly these keys in."""
        text = "".join(Path(f"{key}.pub").read_text() for key in keys)
        (self.folder / "authorized_keys").write_text(text)

    def answer(self, subcommand: str, text: str | bytes, exit_code: int = 0, sleep_s: float = 0) -> None:
        """What `chef-backend-ctl SUBCOMMAND` prints from now on, and how it ends."""
        answers = self.folder / "answers"
        (answers / subcommand).write_bytes(text.encode() if isinstance(text, str) else text)
        (answers / f"{subcommand}.exit").write_text(str(exit_code))
        (answers / f"{subcommand}.sleep").write_text(str(sleep_s))

    def install(self, command: str, script: str) -> None:
        """A command of our own, found before every other."""
        path = self.folder / "bin" / command
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
