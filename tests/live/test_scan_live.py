"""The whole scan against real OpenSSH servers: three backends healthy, dead but green, and one of them down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.openssh import OpenSshServer, free_port, make_key

pytestmark = pytest.mark.live

TOP = Path(__file__).parents[2]
RECORDINGS = TOP / "tests" / "recordings" / "chef_backend"
NAMES = ("backend-1", "backend-2", "backend-3")

SECRETS = "/etc/chef-backend/chef-backend-secrets.json"
ABSENT = "sha256sum: /etc/opscode/private-chef-secrets.json: No such file or directory"
HASHED = f"echo '{'a' * 64}  {SECRETS}'; echo '{ABSENT}'"


def recording(name: str) -> str:
    return (RECORDINGS / f"{name}.txt").read_text(encoding="utf-8")


@pytest.fixture
def backends(start_sshd: Callable[..., OpenSshServer]) -> list[OpenSshServer]:
    servers = [start_sshd() for _ in NAMES]
    for server in servers:
        server.answer("cluster-status", recording("cluster-status-healthy"))
        server.answer("status", recording("status-healthy"))
        server.answer("--version", recording("version-2.3.16"))
        server.install("ls", 'case $1 in -a) printf ".\\n..\\n" ;; *) exec /bin/ls "$@" ;; esac')
        server.install("rpm", "printf '2.3.10-1.el7 1000000000|'")
        server.install("sha256sum", f"if [ $# = 0 ]; then exec /usr/bin/sha256sum; fi; {HASHED}")
        server.install("stat", f"echo 640/root/chef_pgsql{SECRETS}")
        server.install("cat", 'case $1 in /etc/*) echo "etcd.x 1" ;; *) exec /bin/cat "$@" ;; esac')
        server.install("curl", f"printf {200 if server is servers[0] else 503}")
        server.install("find", f"echo '-rw-r----- 1 0 992 470 Nov 24 03:30 {SECRETS}'")
        server.install("grep", """echo '"build_version": "2.3.10"'""")
    return servers


def scan(
    folder: Path, backends: list[OpenSshServer], ssh_keys: Path, **changes: str
) -> tuple[int, dict[str, Any], str]:
    known_hosts = folder / "known_hosts"
    known_hosts.write_text("".join(server.known_hosts.read_text() for server in backends))
    lines = ['[clusters.chef]\nproduct = "chef-backend"\ntarget = "2.3.16"\ncurrent = "2.3.10"']
    lines += [
        f'user = "{backends[0].user}"',
        f'key_file = "{ssh_keys / "user_ed25519"}"',
        f'known_hosts = "{known_hosts}"',
    ]
    lines += ['ssh_config = ""', "agent = false", *(f"{key} = {value}" for key, value in changes.items())]
    for name, server in zip(NAMES, backends, strict=True):
        lines += [f"[clusters.chef.nodes.{name}]", f'host = "{server.host}"\nport = {server.port}\nroles = ["backend"]']
    inventory = folder / "inventory.toml"
    inventory.write_text("\n".join(lines))
    command = [sys.executable, "-m", "scanner", "scan", str(inventory), "--timeout", "10", "--json", str(folder / "r")]
    # The product's folders are real ones to the shell, and no stand-in can make them; the hardware is what it is.
    command += ["--skip-check", "disk-space", "--skip-check", "chef-resources"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=TOP)
    assert "Traceback" not in done.stdout + done.stderr
    results = json.loads((folder / "r").read_text()) if (folder / "r").exists() else {}
    return done.returncode, results, done.stdout + done.stderr


def told(results: dict[str, Any], check: str) -> list[tuple[str | None, str, str]]:
    return [(r["node"], r["status"], r["message"]) for r in results["results"] if r["check"] == check]


def test_a_healthy_cluster_is_a_go(tmp_path: Path, backends: list[OpenSshServer], ssh_keys: Path) -> None:
    for server in backends:
        server.answer("--version", "2.3.10\n")
    code, results, said = scan(tmp_path, backends, ssh_keys)
    assert (code, results["verdict"]) == (0, "GO"), said
    assert {(n["connections"], n["commands"], n["requests"]) for n in results["nodes"]} == {(1, 1, 0)}


def test_the_dead_cluster_that_looks_green_is_a_no_go(
    tmp_path: Path, backends: list[OpenSshServer], ssh_keys: Path
) -> None:
    for server in backends:
        server.answer("status", recording("status-dead-but-green"))
        server.answer("cluster-status", recording("cluster-status-waiting"))
    code, results, _ = scan(tmp_path, backends, ssh_keys)
    assert code == 1
    ((node, status, message),) = told(results, "chef-cluster-status")
    assert (node, status) == (None, "fail")
    assert "leader" in message


def test_one_of_three_down_is_unknown_and_the_others_stand(
    tmp_path: Path, backends: list[OpenSshServer], ssh_keys: Path
) -> None:
    backends[1].stop()
    code, results, _ = scan(tmp_path, backends, ssh_keys)
    assert code == 3
    contacts = {node: status for node, status, _ in told(results, "connectivity")}
    assert contacts == {"backend-1": "pass", "backend-2": "error", "backend-3": "pass"}
    ((_, status, message),) = told(results, "chef-cluster-status")
    assert status == "error"
    assert "backend-2" in message


def test_a_line_nobody_understands_is_shown(tmp_path: Path, backends: list[OpenSshServer], ssh_keys: Path) -> None:
    backends[2].answer("status", recording("status-healthy") + "\nvoldemort  risen\n")
    code, results, _ = scan(tmp_path, backends, ssh_keys)
    assert code == 3
    assert "voldemort" in told(results, "chef-cluster-status")[0][2]


def test_sudo_that_wants_a_password_is_said(tmp_path: Path, backends: list[OpenSshServer], ssh_keys: Path) -> None:
    for server in backends:
        server.install("id", "echo 1000")
        server.install("sudo", "echo 'sudo: a password is required' >&2; exit 1")
    code, results, _ = scan(tmp_path, backends, ssh_keys, sudo="true")
    assert code == 3
    assert "sudo wants a password" in told(results, "chef-cluster-status")[0][2]


def test_a_command_that_hangs_costs_its_own_facts_only(
    tmp_path: Path, backends: list[OpenSshServer], ssh_keys: Path
) -> None:
    for server in backends:
        server.answer("status", recording("status-healthy"), sleep_s=60)
        server.answer("--version", "2.3.10\n")
    code, results, _ = scan(tmp_path, backends, ssh_keys)
    assert code == 3
    assert [status for _, status, _ in told(results, "connectivity")] == ["error"] * 3
    assert all("chef-service-status" in message for _, _, message in told(results, "connectivity"))
    assert all(node["seconds"] < 12 for node in results["nodes"])


@pytest.fixture
def farm() -> Iterator[tuple[Path, list[OpenSshServer]]]:
    """256 loopback addresses behind 16 real sshd processes."""
    with tempfile.TemporaryDirectory(prefix="farm-") as name:
        folder = Path(name)
        key, host_key = make_key(folder / "user"), make_key(folder / "host")
        port = free_port()
        servers = []
        for start in range(0, 256, 16):
            hosts = [f"127.0.2.{start + number}" for number in range(16)]
            server = OpenSshServer(
                folder=folder / f"sshd{start}", key_file=key, host_keys=[host_key], hosts=hosts, port=port
            )
            servers.append(server.start())
            server.answer("--version", "2.3.10\n")
        yield folder, servers
        for server in servers:
            server.stop()


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux answers on all of 127.0.0.0/8")
def test_256_nodes_are_scanned_without_errors_in_one_run(farm: tuple[Path, list[OpenSshServer]]) -> None:
    folder, servers = farm
    known_hosts = folder / "known_hosts"
    known_hosts.write_text("".join(server.known_hosts.read_text() for server in servers))
    lines = ['[clusters.chef]\nproduct = "chef-backend"\ntarget = "2.3.16"\nagent = false\nssh_config = ""']
    lines += [f'user = "{servers[0].user}"', f'key_file = "{folder / "user"}"', f'known_hosts = "{known_hosts}"']
    for server in servers:
        for host in server.hosts:
            lines.append(f'[clusters.chef.nodes."{host}"]\nport = {server.port}\nroles = ["backend"]')
    inventory = folder / "inventory.toml"
    inventory.write_text("\n".join(lines))
    command = [sys.executable, "-m", "scanner", "scan", str(inventory), "--parallel", "64", "-q"]
    command += ["--check", "stepping-stone", "--json", str(folder / "r")]
    process = subprocess.Popen(command, cwd=TOP, stdout=subprocess.DEVNULL)
    _, ended, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(ended)
    results = json.loads((folder / "r").read_text())
    assert results["verdict"] == "GO"
    assert len(results["nodes"]) == 256
    assert all(node["reachable"] and node["commands"] == 1 for node in results["nodes"])
    assert usage.ru_maxrss / 1024 < 300
