"""What never answers, in a network of its own: names, addresses, and servers that say nothing, or a byte now and then.

Each node's seconds are measured: `connect_timeout` bounds the name and the connection, `timeout` all that comes after.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

TOP = Path(__file__).parents[2]
CONNECT_S, TIMEOUT_S, SLACK_S = 1, 3, 1.5

_INSIDE = """
import socket, subprocess, sys, threading, time
resolv, arguments = sys.argv[1], sys.argv[2:]
def run(*words):
    subprocess.run(words, check=True)
run("mount", "--make-rprivate", "/")
run("mount", "--bind", resolv, "/etc/resolv.conf")
run("ip", "link", "set", "lo", "up")
# Nobody takes what waits there, and nobody refuses what comes: a SYN is dropped, as by a firewall.
hole = socket.socket()
hole.bind(("127.0.0.1", 2204))
hole.listen(0)
waiting = [socket.socket() for _ in range(4)]
for each in waiting:
    each.setblocking(False)
    each.connect_ex(("127.0.0.1", 2204))
names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
names.bind(("127.0.0.1", 53))
def serve(port, talk):
    listener = socket.create_server(("127.0.0.1", port))
    def accept():
        while True:
            wire = listener.accept()[0]
            threading.Thread(target=talk, args=(wire,), daemon=True).start()
    threading.Thread(target=accept, daemon=True).start()
def silence(wire):
    time.sleep(60)
def drip(wire):
    try:
        for byte in b"SSH-2.0-OpenSSH_9.2 it goes on and on and on and on":
            wire.sendall(bytes([byte]))
            time.sleep(0.5)
    except OSError:
        pass
def stalled(wire):
    try:
        wire.sendall(b"SSH-2.0-OpenSSH_9.2\\r\\n")
        time.sleep(60)
    except OSError:
        pass
for port, talk in ((2201, silence), (2202, drip), (2203, stalled)):
    serve(port, talk)
sys.argv = ["preflight", *arguments]
from scanner.cli import main
main()
"""
_INVENTORY = f"""
[defaults.ssh]
user = "preflight"
password_env = "NOBODYS"
ssh_config = ""
agent = false
connect_timeout = {CONNECT_S}
host_key_policy = "accept-new"
known_hosts = "KNOWN"

[defaults.winrm]
user = "preflight"
password_env = "NOBODYS"
connect_timeout = {CONNECT_S}

[clusters.chef]
product = "chef-backend"
[clusters.chef.nodes]
name = {{ host = "be1.corp.example", roles = ["backend"] }}
address = {{ host = "127.0.0.1", port = 2204, roles = ["backend"] }}
silent = {{ host = "127.0.0.1", port = 2201, roles = ["backend"] }}
dripping = {{ host = "127.0.0.1", port = 2202, roles = ["backend"] }}
stalled = {{ host = "127.0.0.1", port = 2203, roles = ["backend"] }}
jump = {{ host = "10.99.0.3", jump = "be9.corp.example", roles = ["backend"] }}

[clusters.vault]
product = "secret-server"
[clusters.vault.nodes]
winrm-name = {{ host = "web1.corp.example", roles = ["web"] }}
winrm-address = {{ host = "127.0.0.1", port = 2204, roles = ["web"] }}
winrm-silent = {{ host = "127.0.0.1", port = 2201, roles = ["web"] }}
tds-name = {{ host = "sql1.corp.example", roles = ["database"], TDS, sql_port = 1433 }}
tds-address = {{ host = "127.0.0.1", roles = ["database"], TDS, sql_port = 2204 }}
tds-silent = {{ host = "127.0.0.1", roles = ["database"], TDS, sql_port = 2201 }}
"""
_TDS = f'transport = "tds", connect_timeout = {CONNECT_S}'
# Node: at most so many seconds, and what is said.
TOLD = {
    "name": (CONNECT_S, "the name be1.corp.example is not resolved within 1 s"),
    "address": (CONNECT_S, "no answer from port 2204"),
    "silent": (TIMEOUT_S, "the SSH handshake within 3 s"),
    "dripping": (TIMEOUT_S, "the SSH handshake within 3 s"),
    "stalled": (TIMEOUT_S, "the SSH handshake within 3 s"),
    "jump": (CONNECT_S, "the name be9.corp.example is not resolved within 1 s"),
    "winrm-name": (CONNECT_S, "the name web1.corp.example is not resolved within 1 s"),
    "winrm-address": (CONNECT_S, "no answer from port 2204 within 1 s"),
    "winrm-silent": (TIMEOUT_S, ""),
    "tds-name": (CONNECT_S, "the name in sql1.corp.example:1433 is not resolved within"),
    "tds-address": (CONNECT_S, "no answer from 127.0.0.1:2204 within"),
    "tds-silent": (CONNECT_S, ""),
}


def test_each_of_them_costs_its_own_bound_and_is_told_as_what_it_is(tmp_path: Path) -> None:
    lacking = [name for name in ("unshare", "ip", "mount") if not shutil.which(name)]
    tried = not lacking and subprocess.run(["unshare", "-m", "-n", "true"], check=False, capture_output=True)
    if sys.platform != "linux" or lacking or not tried or tried.returncode:
        (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)("no network of one's own here")
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    inventory = tmp_path / "inventory.toml"
    inventory.write_text(_INVENTORY.replace("KNOWN", str(tmp_path / "known_hosts")).replace("TDS", _TDS))
    words = ["scan", inventory, "--json", tmp_path / "r.json", "--timeout", TIMEOUT_S, "-q"]
    ended = subprocess.run(
        ["unshare", "-m", "-n", sys.executable, "-c", _INSIDE, tmp_path / "resolv.conf", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=TOP,
        env={**os.environ, "NOBODYS": "secret-canary", "HOME": str(tmp_path)},
        timeout=60,
    )
    assert ended.returncode == 3, ended.stdout + ended.stderr
    document = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    seconds = {node["node"]: node["seconds"] for node in document["nodes"]}
    said = {row["node"]: row["message"] for row in document["results"] if row["check"] == "connectivity"}
    assert said.keys() == TOLD.keys()
    late = {name: (seconds[name], bound) for name, (bound, _) in TOLD.items() if seconds[name] > bound + SLACK_S}
    assert not late, said
    odd = {name: said[name] for name, (_, words) in TOLD.items() if words not in said[name]}
    assert not odd
    assert "secret-canary" not in json.dumps(document)
