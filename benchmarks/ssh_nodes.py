"""What an SSH node costs: our tuned transport against stock paramiko, on real sshd processes on loopback.

    python benchmarks/ssh_nodes.py [--nodes 1 8 64 256] [--parallel 64] [--rounds 3]

Every node is an address of 127.0.0.0/8; sshd binds at most 16 addresses a process, so 256 nodes are 16 processes.
Client and servers share the machine: the wall time is mostly sshd's own. Client CPU is this process alone. Linux only.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import paramiko

from checks.facts import Unknown
from scanner.inventory.model import Node, SshSettings
from scanner.probes.batch.sh import compose, parse
from scanner.probes.chef_backend.cluster import PROBES
from scanner.transports.protocol import Limits
from scanner.transports.ssh.transport import SshTransport
from tests.live.openssh import OpenSshServer, free_port, make_key

ADDRESSES_PER_SSHD = 16
NONCE = "0123456789abcdef"
IDS = [probe.id for probe in PROBES]
Ask = Callable[[str], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Farm:
    """Running sshd processes, and who answers where."""

    servers: tuple[OpenSshServer, ...]
    hosts: tuple[str, ...]
    port: int
    known_hosts: Path
    key_file: Path
    user: str


def start_farm(folder: Path, nodes: int) -> Farm:
    key, host_key = make_key(folder / "user"), make_key(folder / "host")
    hosts = tuple(f"127.0.{1 + number // 250}.{1 + number % 250}" for number in range(nodes))
    port = free_port()
    servers = []
    for number, start in enumerate(range(0, nodes, ADDRESSES_PER_SSHD)):
        part = hosts[start : start + ADDRESSES_PER_SSHD]
        server = OpenSshServer(
            folder=folder / f"sshd{number}", key_file=key, host_keys=[host_key], hosts=part, port=port
        )
        servers.append(server)
        server.start()
        server.answer("cluster-status", "Name IP GUID Role PG ES\n")
        server.answer("status", "Service Local Status\n")
        server.answer("--version", "2.3.16\n")
    known = folder / "known_hosts"
    known.write_text("".join(server.known_hosts.read_text() for server in servers))
    return Farm(servers=tuple(servers), hosts=hosts, port=port, known_hosts=known, key_file=key, user=servers[0].user)


def tuned(farm: Farm, script: str) -> Ask:
    def ask(host: str) -> bytes:
        settings = SshSettings(
            user=farm.user, port=farm.port, key_file=str(farm.key_file), known_hosts=str(farm.known_hosts)
        )
        node = Node(
            cluster="c", name=host, host=host, product="chef-backend", roles=("backend",), transport="ssh", ssh=settings
        )
        return SshTransport(node, Limits()).run(script)

    return ask


def stock(farm: Farm, script: str) -> Ask:
    """As in paramiko's tutorial: a client, a known_hosts file and a key file per connection."""

    def ask(host: str) -> bytes:
        with paramiko.SSHClient() as client:
            client.load_host_keys(str(farm.known_hosts))
            client.connect(host, farm.port, farm.user, key_filename=str(farm.key_file), allow_agent=False)
            stdin, stdout, _ = client.exec_command("sh -s")
            stdin.write(script)
            stdin.channel.shutdown_write()
            return stdout.read()

    return ask


def measure(ask: Ask, hosts: Sequence[str], parallel: int) -> tuple[float, float, int]:
    """Wall seconds, client CPU seconds, and how many nodes did not answer everything."""

    def whole(host: str) -> bool:
        try:
            said = parse(ask(host), nonce=NONCE, probe_ids=IDS)
        except Exception as error:  # noqa: BLE001  a node that fails is counted, and shown
            print(f"  {host}: {type(error).__name__}: {error}", file=sys.stderr)
            return False
        return not any(isinstance(answer, Unknown) for answer in said.values())

    gc.collect()
    with ThreadPoolExecutor(min(parallel, len(hosts))) as pool:
        wall, cpu = time.perf_counter(), time.process_time()
        failed = sum(not good for good in pool.map(whole, hosts))
        return time.perf_counter() - wall, time.process_time() - cpu, failed


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 8, 64, 256])
    parser.add_argument("--parallel", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory(prefix="ssh-nodes-") as folder:
        farm = start_farm(Path(folder), max(options.nodes))
        try:
            script = compose(PROBES, nonce=NONCE, budget_s=50, options={}, sudo=False, probe_bytes=512 * 1024)
            ways = {"tuned": tuned(farm, script), "stock paramiko": stock(farm, script)}
            for ask in ways.values():
                measure(ask, farm.hosts[:2], 2)  # imports and first-time caches
            print(f"{len(PROBES)} probes a node, {options.parallel} at a time, median of {options.rounds} rounds")
            print(f"{'nodes':>5}  {'client':<16}{'wall s':>8}{'CPU s':>8}{'CPU ms/node':>13}{'failed':>8}")
            for nodes in options.nodes:
                for name, ask in ways.items():
                    rounds = [measure(ask, farm.hosts[:nodes], options.parallel) for _ in range(options.rounds)]
                    wall, cpu = (statistics.median(column) for column in list(zip(*rounds, strict=True))[:2])
                    failed = sum(one[2] for one in rounds)
                    failures += failed if name == "tuned" else 0
                    print(f"{nodes:>5}  {name:<16}{wall:>8.2f}{cpu:>8.2f}{1000 * cpu / nodes:>13.1f}{failed:>8}")
        finally:
            for server in farm.servers:
                server.stop()
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
