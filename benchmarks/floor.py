"""What preflight costs, in one table: whole scans over SSH beside what else asks many machines, and judging in growth.

    python benchmarks/floor.py [--nodes 255] [--rounds 3] [--parallel 64] [--only NAME...] [--tools FOLDER]
                               [--growth 600 2400 10000] [--engine 1000 10000]

Real sshd processes on loopback addresses, a Chef backend's whole script on each of them. Every way is a fresh process
that is given the same script, and they take turns (A B C A B C ...), because a machine that others use, too, is fast in
one minute and slow in the next: what counts is the ratio to asyncssh in the same round, and its median. CPU is that of
the client with all its children, start-up included, and of scheduler and workers where there are any, with what they
take at rest; sshd's and the script's own is in the wall time alone. The first turn of each, which compiles and caches,
does not count.

threads       `preflight scan --json`: inventory, checks, report and all
dask          the same through a scheduler and four workers
asyncssh      the floor: tuned, one process, keys and known_hosts read once, answers thrown away
ansible raw   `ansible all -m raw` with the script as its argument; from FOLDER/bin where it is not on the PATH
pyinfra       `pyinfra ... exec` with the same

What is not installed is passed over by name: `python -m venv FOLDER && FOLDER/bin/pip install ansible-core pyinfra`.
Below it the judging of estates of 600 to 10,000 nodes, from evidence (see `estates.py`), and what it costs to spread
calls over workers (`engines.py`). `--growth` and `--engine` without a number leave them out.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import estates
import workers
from spent import spent
from ssh_nodes import NONCE, Farm, start_farm

from scanner.inventory.model import Node, SshSettings
from scanner.loading.registry import load_registry
from scanner.probes.batch.sh import compose
from scanner.probes.registry import select_probes

TOP = Path(__file__).resolve().parent.parent
NODES_A_CLUSTER = 3
FLOOR = "asyncssh"
THREADS, DASK = "threads", "dask"
WORKERS = 4
CONFIG = "fqdn 'b1.corp.example'\npublish_address '10.0.0.11'\nvip '10.0.0.10'\nvip_interface 'eth0'\n"
CLUSTER_STATUS = """\
Name  IP         GUID                              Role      PG        ES
b0    127.0.1.1  7d9c3e0a51b84f6f9a20c4d17be86530  leader    leader    not_master
b1    127.0.1.2  19e4b7720c6d4a8db1f35a90c2e8d647  follower  follower  not_master
b2    127.0.1.3  c05fa8d3962e4b17870d6b42f19ea3c8  follower  follower  master
"""
STATUS = """\
Service        Local Status         Time in State    Distributed Node Status
leaderl        running (pid 2207)   41d 6h 20m 11s   leader: 1; waiting: 0; follower: 2; total: 3
epmd           running (pid 2219)   41d 6h 20m 10s   status: local-only
etcd           running (pid 2231)   41d 6h 20m 10s   health: green; healthy nodes: 3/3
postgresql     running (pid 30114)  2d 3h 40m 9s     leader: 1; offline: 0; syncing: 0; synced: 2
elasticsearch  running (pid 5120)   9d 17h 2m 54s    state: green; nodes online: 3/3

System  Local Status                                          Distributed Node Status
disks   /var/log/chef-backend: OK; /var/opt/chef-backend: OK  health: green; healthy nodes: 3/3
"""
ASYNCSSH = """
import asyncio, sys
import asyncssh
hosts_file, port, user, key_file, known_file, script_file, parallel = sys.argv[1:]
hosts = open(hosts_file).read().split()
script = open(script_file, "rb").read()
known, key = asyncssh.read_known_hosts(known_file), asyncssh.read_private_key(key_file)
options = asyncssh.SSHClientConnectionOptions(
    username=user, client_keys=[key], known_hosts=known, config=None, agent_path=None, preferred_auth=["publickey"],
    kex_algs=["curve25519-sha256"], encryption_algs=["aes128-gcm@openssh.com"], compression_algs=["none"],
)
async def ask(host, turn):
    async with turn, await asyncssh.connect(host, int(port), options=options) as connection:
        done = await connection.run("sh -s", input=script, encoding=None)
        return done.stdout.rstrip().endswith(b"done")
async def main():
    turn = asyncio.Semaphore(int(parallel))
    answered = await asyncio.gather(*(ask(host, turn) for host in hosts), return_exceptions=True)
    print(sum(each is not True for each in answered))
asyncio.run(main())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one run took."""

    wall_s: float
    cpu_s: float
    elsewhere_s: float
    """CPU of scheduler and workers."""
    peak_mb: float
    failed: int


@dataclass(frozen=True, slots=True)
class Way:
    """One program that asks all nodes, and how many of them its output and its files say were not asked well."""

    name: str
    command: Sequence[str]
    failed: Callable[[str], int]


def environment(folder: Path) -> dict[str, str]:
    """As installed: compiled once, whatever whoever runs this has set."""
    ours = {"PYTHONPATH": str(TOP), "PYTHONPYCACHEPREFIX": str(folder / "compiled"), "HOME": str(folder)}
    theirs = {"ANSIBLE_HOST_KEY_CHECKING": "True", "DASK_TEMPORARY_DIRECTORY": str(folder / "scratch")}
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | ours | theirs


def run(way: Way, folder: Path, others: workers.Workers) -> Cost:
    """One fresh process, with all that it starts and waits for."""
    with (folder / "output").open("w+b") as output:
        before_s = sum(others.cpu_s())
        took = spent(way.command, cwd=folder, env=environment(folder), output=output, errors=output)
        elsewhere_s = sum(others.cpu_s()) - before_s if way.name == DASK else 0.0
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    return Cost(
        wall_s=took.wall_s,
        cpu_s=took.cpu_s,
        elsewhere_s=elsewhere_s,
        peak_mb=took.peak_mib,
        failed=way.failed(text),
    )


def backend_script() -> str:
    """What a scan with all checks sends to a Chef backend."""
    checks, probes, _ = load_registry()
    node = Node(
        cluster="c0",
        name="b0",
        host="b0",
        product="chef-backend",
        roles=("backend",),
        transport="ssh",
        ssh=SshSettings(),
    )
    chosen = select_probes(node, checks, probes)
    return compose(chosen, nonce=NONCE, budget_s=51, options={}, sudo=False, probe_bytes=512 * 1024)


def write_inventory(farm: Farm, path: Path) -> None:
    """All hosts as Chef Backend clusters of three."""
    lines = ["[defaults.ssh]", f'user = "{farm.user}"', f'key_file = "{farm.key_file}"']
    lines += [f'known_hosts = "{farm.known_hosts}"', f"port = {farm.port}", 'ssh_config = ""', "agent = false"]
    for number, host in enumerate(farm.hosts):
        cluster, place = divmod(number, NODES_A_CLUSTER)
        if place == 0:
            lines += [f"[clusters.c{cluster}]", 'product = "chef-backend"', 'target = "2.3.16"']
        lines += [f"[clusters.c{cluster}.nodes.b{place}]", f'host = "{host}"', 'roles = ["backend"]']
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def ways(farm: Farm, folder: Path, parallel: int, tools: Path | None, scheduler: str) -> list[Way]:
    """Ours, and those that are installed; says which are not."""
    write_inventory(farm, folder / "inventory.toml")
    (folder / "hosts").write_text("\n".join(farm.hosts) + "\n")
    (folder / "script").write_text(backend_script())
    report = folder / "report.json"

    def unreached(said: str) -> int:
        if not report.exists():
            raise SystemExit(said)
        nodes = json.loads(report.read_text())["nodes"]
        report.unlink()
        return sum(not each["reachable"] for each in nodes)

    scan = [sys.executable, "-m", "scanner", "scan", "inventory.toml", "-q", "--json", str(report)]
    scan += ["--parallel", str(parallel)]
    found = [
        Way(THREADS, scan, unreached),
        Way(DASK, [*scan, "--engine", "dask", "--scheduler", scheduler], unreached),
    ]
    if importlib.util.find_spec("asyncssh"):
        rest = ["hosts", str(farm.port), farm.user, str(farm.key_file), str(farm.known_hosts), "script", str(parallel)]
        found.append(Way(FLOOR, [sys.executable, "-c", ASYNCSSH, *rest], lambda text: int(text.split()[-1])))
    else:
        print(f"{FLOOR}: not installed", file=sys.stderr)
    path = os.pathsep.join([*([str(tools / "bin")] if tools else []), os.environ.get("PATH", "")])
    script = (folder / "script").read_text()
    if ansible := shutil.which("ansible", path=path):
        options = f"-o UserKnownHostsFile={farm.known_hosts} -o ControlMaster=no"
        (folder / "ansible.ini").write_text("".join(f"{host} ansible_port={farm.port}\n" for host in farm.hosts))
        command = [ansible, "all", "-i", "ansible.ini", "-m", "raw", "-f", str(parallel), "-u", farm.user]
        command += ["--private-key", str(farm.key_file), f"--ssh-common-args={options}"]
        # As JSON, or it would be split into words, and with a mark, or it would be taken for a template.
        command += ["-a", json.dumps({"_raw_params": f"{{% raw %}}{script}{{% endraw %}}"})]
        found.append(Way("ansible raw", command, lambda text: len(farm.hosts) - text.count(f"{NONCE} done")))
    else:
        print("ansible: not installed", file=sys.stderr)
    if pyinfra := shutil.which("pyinfra", path=path):
        keys = {"ssh_port": farm.port, "ssh_user": farm.user, "ssh_key": str(farm.key_file)}
        keys |= {"ssh_known_hosts_file": str(farm.known_hosts), "ssh_strict_host_key_checking": "yes"}
        (folder / "pyinfra_hosts.py").write_text(f"nodes = {[(host, keys) for host in farm.hosts]!r}\n")
        command = [pyinfra, "-y", "-v", "--parallel", str(parallel), "pyinfra_hosts.py", "exec", "--", script]
        found.append(Way("pyinfra", command, lambda text: len(farm.hosts) - text.count(f"{NONCE} done")))
    else:
        print("pyinfra: not installed", file=sys.stderr)
    return found


def main() -> int:
    """Print the table. Ends with 1 where one of our own nodes did not answer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, default=255)
    parser.add_argument("--parallel", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=[])
    parser.add_argument("--tools", type=Path)
    parser.add_argument("--growth", type=int, nargs="*", default=[600, 2_400, 10_000])
    parser.add_argument("--engine", type=int, nargs="*", default=[1_000, 10_000])
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # whoever ends it leaves no server behind
    with tempfile.TemporaryDirectory(prefix="floor-") as name:
        folder = Path(name)
        farm = start_farm(folder, chosen.nodes)
        for server in farm.servers:
            server.answer("cluster-status", CLUSTER_STATUS)
            server.answer("status", STATUS)
        try:
            with workers.started(folder, WORKERS, environment(folder)) as others:
                tried = [
                    each
                    for each in ways(farm, folder, chosen.parallel, chosen.tools, others.address)
                    if each.name in chosen.only or not chosen.only
                ]
                for way in tried:
                    run(way, folder, others)
                rounds = [{way.name: run(way, folder, others) for way in tried} for _ in range(chosen.rounds)]
        finally:
            for server in farm.servers:
                server.stop()
    print(f"{chosen.nodes} backends, {chosen.parallel} at a time, median of {chosen.rounds} rounds in turn")
    print(f"{'':<12}{'wall s':>8}{'x floor':>9}{'client CPU ms/node':>20}{'elsewhere':>11}{'peak MB':>9}{'failed':>8}")
    for way in tried:
        print(row(way.name, rounds, chosen.nodes))
    if chosen.growth:
        print("\njudging, from evidence, with JSON, JUnit and pages")
        estates.main(["--nodes", *map(str, chosen.growth)])
    if chosen.engine:
        print("\nan engine's calls, with nodes that answer at once", flush=True)
        engines = [sys.executable, str(TOP / "benchmarks" / "engines.py"), "--nodes", *map(str, chosen.engine)]
        subprocess.run(engines, check=True)
    ours = [each[name].failed for each in rounds for name in (THREADS, DASK) if name in each]
    return 1 if any(ours) else 0


def row(name: str, rounds: Sequence[dict[str, Cost]], nodes: int) -> str:
    """A line of the table: medians of all rounds, and whatever failed in any."""
    costs = [each[name] for each in rounds]
    columns = zip(*((c.wall_s, c.cpu_s, c.elsewhere_s, c.peak_mb) for c in costs), strict=True)
    wall, cpu, elsewhere, peak = (statistics.median(column) for column in columns)
    ratios = [each[name].wall_s / each[FLOOR].wall_s for each in rounds if FLOOR in each]
    ratio = f"{statistics.median(ratios):>9.2f}" if ratios else f"{'':>9}"
    apart = f"{1000 * elsewhere / nodes:>11.1f}" if elsewhere else f"{'':>11}"
    failed = max(each.failed for each in costs)
    return f"{name:<12}{wall:>8.2f}{ratio}{1000 * cpu / nodes:>20.1f}{apart}{peak:>9.0f}{failed:>8}"


if __name__ == "__main__":
    raise SystemExit(main())
