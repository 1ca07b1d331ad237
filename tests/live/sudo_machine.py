"""A root directory with a real sudo and an account that is not root's: what a scan sends runs there as on a node."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from checks.facts import Unknown
from scanner.probes.batch.sh import compose, parse
from scanner.probes.probe import Answer, Probe

USER, UID = "preflight", 4711
NEEDED = ("sudo", "visudo", "unshare", "chroot", "setpriv")

# Where Ubuntu up to 18.04 and RHEL 6 have them.
_IN_BIN = ("sh", "ls", "cat", "grep", "sed", "date", "true", "sleep", "mktemp", "uname", "hostname")
_IN_USR_BIN = (
    *("stat", "sha256sum", "find", "awk", "head", "tail", "cut", "id", "timeout", "env", "sort", "tr", "wc", "printf"),
    *("sudo", "expr", "dirname", "basename", "test", "getconf", "nproc"),
)
# The account is put in place by hand: no login program is part of what is tested.
_ENTER = """\
set -e
for folder in dev proc usr/lib usr/lib64 usr/libexec; do
    if [ -d "/$folder" ]; then mount --rbind "/$folder" "$1/$folder"; fi
done
if [ ! -L "$1/lib" ]; then mount --rbind /usr/lib "$1/lib"; mount --rbind /usr/lib64 "$1/lib64"; fi
exec chroot "$1" /usr/bin/setpriv --reuid=$2 --regid=$2 --clear-groups /bin/sh -s
"""


def missing_programs() -> list[str]:
    """What of the needed programs this machine lacks; "root" where nobody may make a root directory."""
    path = f"{os.defpath}:/usr/sbin:/sbin"
    lacks = [name for name in NEEDED if not shutil.which(name, path=path)]
    return lacks or ([] if os.getuid() == 0 else ["root"])


@dataclass
class SudoMachine:
    """A root directory under `folder`; `split` says that /bin is a folder of its own there."""

    folder: Path
    split: bool
    path: str = "/usr/local/bin:/usr/bin:/bin"
    """PATH of the account's login."""
    programs: dict[str, str] = field(default_factory=dict)

    def build(self) -> SudoMachine:
        for name in ("usr/bin", "usr/lib", "usr/lib64", "usr/libexec", "dev", "proc", "root", "home", "tmp", "var/tmp"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "root").chmod(0o700)
        for name in ("bin", "lib", "lib64"):
            if self.split:
                (self.folder / name).mkdir()
            else:
                (self.folder / name).symlink_to(f"usr/{name}")
        for name in (*_IN_BIN, *_IN_USR_BIN, "setpriv"):
            if found := shutil.which(name, path=os.defpath):
                place = self.folder / ("bin" if name in _IN_BIN else "usr/bin") / name
                shutil.copy2(os.path.realpath(found), place)
        # Copying takes the bit that makes sudo what it is.
        (self.folder / "usr/bin/sudo").chmod(0o4755)
        for name in ("pam.d", "security", "nsswitch.conf", "ld.so.cache", "login.defs"):
            source = Path("/etc", name)
            if source.is_dir():
                shutil.copytree(source, self.folder / "etc" / name, symlinks=True)
            elif source.exists():
                self.put(f"/etc/{name}", source.read_bytes())
        self.put(
            "/etc/passwd", f"root:x:0:0::/root:/bin/sh\n{USER}:x:{UID}:{UID}::/home:/bin/sh\nkim:x:4712:4712::/:\n"
        )
        self.put("/etc/group", f"root:x:0:\n{USER}:x:{UID}:\nchef_pgsql:x:4713:\nkim:x:4712:\n")
        self.put("/etc/shadow", f"root:*:19000::::::\n{USER}:*:19000::::::\n", mode=0o600)
        self.put("/etc/hosts", f"127.0.0.1 localhost {os.uname().nodename}\n")
        return self

    def put(self, path: str, text: str | bytes, *, mode: int = 0o644, owner: str = "root", group: str = "root") -> None:
        """A file, with its folders."""
        place = self.folder / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text.encode() if isinstance(text, str) else text)
        ids = {"root": 0, USER: UID, "kim": 4712, "chef_pgsql": 4713}
        os.chown(place, ids[owner], ids[group])
        place.chmod(mode)

    def install(self, path: str, script: str) -> None:
        """A command of our own."""
        self.put(path, f"#!/bin/sh\n{script}\n", mode=0o755)

    def allow(self, *lines: str) -> None:
        """What stands in sudoers, beside sudo's own default. Held to `visudo -c`."""
        text = "".join(f"{line}\n" for line in ("Defaults env_reset", *lines))
        self.put("/etc/sudoers", text, mode=0o440)
        done = subprocess.run(
            ["/usr/sbin/visudo", "-c", "-f", str(self.folder / "etc/sudoers")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout

    def run(self, script: str) -> subprocess.CompletedProcess[bytes]:
        """`script`, by the account's shell."""
        enter = ["unshare", "-m", "sh", "-c", _ENTER, "enter", str(self.folder), str(UID)]
        environment = {"PATH": f"{self.path}:/usr/sbin:/sbin", "HOME": "/home", "LANG": "de_DE.UTF-8"}
        return subprocess.run(
            enter, input=script.encode(), capture_output=True, check=False, timeout=60, env=environment
        )

    def ask(self, probes: Sequence[Probe], options: Mapping[str, object] | None = None) -> dict[str, Answer | Unknown]:
        """What the probes answer in one script, through sudo."""
        script = compose(probes, nonce="N0", budget_s=40, options=options or {}, sudo=True, probe_bytes=100_000)
        done = self.run(f"PATH={self.path}; export PATH\n{script}")
        assert done.returncode == 0, done.stderr
        return parse(done.stdout, nonce="N0", probe_ids=[probe.id for probe in probes])
