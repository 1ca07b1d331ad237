"""What never answers, in a network of its own: names, addresses, and servers that say nothing, or a byte now and then.

Each node's seconds are measured: `connect_timeout` bounds the name and the connection, `timeout` all that comes after.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scanner.errors import AuthenticationError
from scanner.transports.protocol import Limits
from tests.live.openssh import OpenSshServer
from tests.live.ssh_doors import fails, transport
from tests.live.stand_in_agent import stand_in_agent

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
taken = []
def proxy(wire):
    taken.append(wire.recv(100))
    time.sleep(60)
serve(2205, proxy)
for port, talk in ((2201, silence), (2202, drip), (2203, stalled)):
    serve(port, talk)
sys.argv = ["preflight", *arguments]
from scanner.cli import main
try:
    main()
finally:
    print("the proxy was asked:", taken, file=sys.stderr)
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
refused = {{ host = "127.0.0.1", port = 2299, roles = ["backend"] }}
name = {{ host = "be1.corp.example", roles = ["backend"] }}
address = {{ host = "127.0.0.1", port = 2204, roles = ["backend"] }}
silent = {{ host = "127.0.0.1", port = 2201, roles = ["backend"] }}
dripping = {{ host = "127.0.0.1", port = 2202, roles = ["backend"] }}
stalled = {{ host = "127.0.0.1", port = 2203, roles = ["backend"] }}
jump = {{ host = "10.99.0.3", jump = "be9.corp.example", roles = ["backend"] }}
proxy-command = {{ host = "10.99.0.4", ssh_config = "CONFIG", roles = ["backend"] }}

[clusters.vault]
product = "secret-server"
[clusters.vault.nodes]
winrm-refused = {{ host = "127.0.0.1", port = 2299, roles = ["web"] }}
winrm-name = {{ host = "web1.corp.example", roles = ["web"] }}
winrm-address = {{ host = "127.0.0.1", port = 2204, roles = ["web"] }}
winrm-silent = {{ host = "127.0.0.1", port = 2201, roles = ["web"] }}
tds-name = {{ host = "sql1.corp.example", roles = ["database"], TDS, sql_port = 1433 }}
tds-address = {{ host = "127.0.0.1", roles = ["database"], TDS, sql_port = 2204 }}
tds-silent = {{ host = "127.0.0.1", roles = ["database"], TDS, sql_port = 2201 }}
"""
_PROXY = "http://127.0.0.1:2205"
_TDS = f'transport = "tds", connect_timeout = {CONNECT_S}'
# Node: at most so many seconds, and what is said.
TOLD = {
    "refused": (0, "nobody listens at port 2299"),
    "winrm-refused": (0, "port 2299 refuses connections"),
    "name": (CONNECT_S, "the name be1.corp.example is not resolved within 1 s"),
    "address": (CONNECT_S, "no answer from port 2204"),
    "silent": (TIMEOUT_S, "the SSH handshake within 3 s: it took the connection, and said nothing"),
    "dripping": (TIMEOUT_S, "the SSH handshake within 3 s: it calls itself 'SSH-"),
    "stalled": (TIMEOUT_S, "the SSH handshake within 3 s: it calls itself 'SSH-2.0-OpenSSH_9.2', and came no"),
    "jump": (CONNECT_S, "the name be9.corp.example is not resolved within 1 s"),
    "winrm-name": (CONNECT_S, "the name web1.corp.example is not resolved within 1 s"),
    "winrm-address": (CONNECT_S, "no answer from port 2204 within 1 s"),
    "proxy-command": (CONNECT_S, "the ProxyCommand for 10.99.0.4:22 gives no answer within 1 s"),
    "winrm-silent": (TIMEOUT_S, "port 2201 took the connection, and did not get through the TLS handshake"),
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
    (tmp_path / "config").write_text("Host *\n  ProxyCommand sleep 60\n")
    given = {"KNOWN": str(tmp_path / "known_hosts"), "TDS": _TDS, "CONFIG": str(tmp_path / "config")}
    text = _INVENTORY
    for mark, value in given.items():
        text = text.replace(mark, value)
    inventory.write_text(text)
    # A proxy that takes connections and says nothing: nobody may wait for it, for nobody asks it.
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "https_proxy", "http_proxy"), _PROXY)
    words = ["scan", inventory, "--json", tmp_path / "r.json", "--timeout", TIMEOUT_S, "-q"]
    ended = subprocess.run(
        ["unshare", "-m", "-n", sys.executable, "-c", _INSIDE, tmp_path / "resolv.conf", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=TOP,
        env={**os.environ, **proxies, "NOBODYS": "secret-canary", "HOME": str(tmp_path)},
        timeout=60,
    )
    assert ended.returncode == 3, ended.stdout + ended.stderr
    document = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    seconds = {node["node"]: node["seconds"] for node in document["nodes"]}
    said = {row["node"]: row["message"] for row in document["results"] if row["check"] == "connectivity"}
    assert said.keys() == TOLD.keys()
    # What it takes to be refused is the machine's, which may be busy: loading libraries, and waiting for a processor.
    slack_s = SLACK_S + max(seconds["refused"], seconds["winrm-refused"])
    late = {name: (seconds[name], bound) for name, (bound, _) in TOLD.items() if seconds[name] > bound + slack_s}
    assert not late, said
    odd = {name: said[name] for name, (_, words) in TOLD.items() if words not in said[name]}
    assert not odd
    assert "secret-canary" not in json.dumps(document)
    assert "the proxy was asked: []" in ended.stderr


def test_a_password_command_that_hangs_costs_as_long_as_a_connection(tmp_path: Path) -> None:
    """It is run before anybody is asked, and without its password nobody is: the whole run ends."""
    inventory = tmp_path / "inventory.toml"
    inventory.write_text(
        """
[defaults.ssh]
user = "preflight"
password_command = "sleep 60"
connect_timeout = 1
host_key_policy = "accept-new"
[clusters.chef]
product = "chef-backend"
[clusters.chef.nodes]
be1 = { host = "127.0.0.1", roles = ["backend"] }
be2 = { host = "127.0.0.2", roles = ["backend"] }
"""
    )
    command = [sys.executable, "-m", "scanner", "scan", str(inventory), "-q"]
    environment = {**os.environ, "HOME": str(tmp_path)}
    begun = time.monotonic()
    subprocess.run([*command, "--node", "nobody"], capture_output=True, check=False, cwd=TOP, env=environment)
    start_up_s = time.monotonic() - begun
    begun = time.monotonic()
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TOP, env=environment, timeout=60)
    took_s = time.monotonic() - begun - start_up_s
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert "the command sleep did not end within 1 s" in ended.stderr
    assert "`connect_timeout` gives it more time" in ended.stderr
    assert took_s < CONNECT_S + SLACK_S, took_s


def test_an_agent_that_never_answers_costs_as_long_as_a_connection(
    sshd: OpenSshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stand_in_agent(tmp_path / "agent") as agent:
        agent.silent = True
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent.address))
        begun = time.monotonic()
        error = fails(
            AuthenticationError,
            transport(sshd, Limits(timeout_s=20), connect_timeout_s=float(CONNECT_S), key_file=""),
            match="agent does not answer within 1 s",
        )
        assert time.monotonic() - begun < CONNECT_S + SLACK_S, error
