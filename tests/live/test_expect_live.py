"""Expectations over a real OpenSSH server: kept, broken, and not to be told."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.openssh import OpenSshServer

pytestmark = pytest.mark.live
TOP = Path(__file__).parents[2]
EXPECT = """
[[clusters.chef.expect]]
id = "file-kept"
title = "t"
file = "{file}"
mode = "0640"
sha256 = "{sha256}"
contains = ["it's $(true) `true` \\\\ \\"quoted\\""]

[[clusters.chef.expect]]
id = "file-broken"
title = "t"
file = "{file}"
max_mode = "0600"

[[clusters.chef.expect]]
id = "untold"
title = "t"
file = "{folder}"
lacks = "x"

[[clusters.chef.expect]]
id = "port"
title = "t"
port = {port}

[[clusters.chef.expect]]
id = "silent-port"
title = "t"
port = 1
listening = false

[[clusters.chef.expect]]
id = "command"
title = "t"
command = "echo 'release 3.4.5'; exit 7"
exit = 7
version = ">=3.4, <4"

[[clusters.chef.expect]]
id = "hanging"
title = "t"
command = "sleep 60"
timeout = 1
"""


def test_they_are_asked_in_one_round_trip_and_judged(
    tmp_path: Path, start_sshd: Callable[..., OpenSshServer], ssh_keys: Path
) -> None:
    server = start_sshd()
    server.answer("--version", "Chef Backend 2.3.10\n")
    file = tmp_path / "a file"
    file.write_text('it\'s $(true) `true` \\ "quoted"\n')
    file.chmod(0o640)
    lines = [
        '[clusters.chef]\nproduct = "chef-backend"',
        f'user = "{server.user}"\nkey_file = "{ssh_keys / "user_ed25519"}"\nknown_hosts = "{server.known_hosts}"',
        'ssh_config = ""\nagent = false',
        f'[clusters.chef.nodes.be1]\nhost = "{server.host}"\nport = {server.port}\nroles = ["backend"]',
        EXPECT.format(
            file=file, sha256=hashlib.sha256(file.read_bytes()).hexdigest(), folder=tmp_path, port=server.port
        ),
    ]
    inventory = tmp_path / "inventory.toml"
    inventory.write_text("\n".join(lines))
    names = ("file-kept", "file-broken", "untold", "port", "silent-port", "command", "hanging")
    command = [sys.executable, "-m", "scanner", "scan", str(inventory), "--json", str(tmp_path / "out.json")]
    done = subprocess.run(
        [*command, *(part for name in names for part in ("--check", name))],
        capture_output=True,
        text=True,
        check=False,
        cwd=TOP,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    told = json.loads((tmp_path / "out.json").read_text())
    rows = {row["check"]: row for row in told["results"]}
    assert {name: rows[name]["status"] for name in names} == {
        "file-kept": "pass",
        "file-broken": "fail",
        "untold": "error",
        "port": "pass",
        "silent-port": "pass",
        "command": "pass",
        "hanging": "skip",
    }
    assert "mode is 0640, expected at most 0600" in rows["file-broken"]["message"]
    assert "irectory" in rows["untold"]["message"]
    assert "timed out" in json.dumps(rows["hanging"]) or "no answer to expect.hanging" in json.dumps(rows["hanging"])
    (node,) = told["nodes"]
    assert (node["connections"], node["commands"]) == (1, 1)
