"""Whole scans of many simulated Windows nodes over real WinRM connections: what does a node cost the client?

    python benchmarks/winrm_nodes.py [--nodes 256] [--scheme http|https] [--parallel 64] [--rounds 3] [--beside FOLDER]

The nodes run in a process of their own, so that the client's CPU is the client's alone; on a small machine they compete
for the same cores, so wall time says less than CPU. Every way is a fresh process, and they take turns, because a
machine that others use, too, is fast in one minute and slow in the next: what counts is the ratio to the floor in the
same round, and its median. The first turn of each, which compiles and caches, does not count.

preflight     `preflight scan --json`: inventory, checks, report and all
one check     the same with a single check: what asking takes
before        the first of them, by the checkout in `--beside`
floor         the same logins and messages from bare sockets: pyspnego seals them, a regular expression reads the names
              in the answers, and what the nodes say is thrown away
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from spent import spent

from scanner.inventory.credentials import resolve
from scanner.inventory.select import select
from scanner.loading.inventory import load_inventory
from scanner.run.node import compose
from scanner.run.prepare import build_request
from scanner.secrets.secret import Secret
from scanner.transports.powershell.script_delivery import deliver
from scanner.transports.winrm import envelopes
from scanner.transports.winrm.authentication.nt_hash import md4

TOP = Path(__file__).resolve().parent.parent
LAB = """
import sys, time
from pathlib import Path
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
with Lab(load_scenario(sys.argv[1])) as lab:
    print(lab.write(Path(sys.argv[2])), flush=True)
    time.sleep(900)
"""
SCANNER_START = """
import scanner.run.prepare, scanner.cli, scanner.cli.commands.scan
try:
    import scanner.transports.winrm.exchange.channel
except ImportError:  # a checkout from before
    import winrm, requests
"""
FLOOR = r"""
import base64, re, socket, ssl, struct, sys, json
from concurrent.futures import ThreadPoolExecutor
import spnego
work = json.load(open(sys.argv[1]))
tls = ssl.create_default_context(cafile=work["ca_file"]) if work["scheme"] == "https" else None
MARK = b"--Encrypted Boundary"
SEALED = b'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="Encrypted Boundary"'
def post(wire, body, *headers):
    head = b"".join(line + b"\r\n" for line in headers)
    wire.sendall(b"POST /wsman HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), head, body))
    come = wire.recv(65536)
    while b"\r\n\r\n" not in come:
        come += wire.recv(65536)
    head, _, body = come.partition(b"\r\n\r\n")
    size = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    while len(body) < size:
        body += wire.recv(65536)
    return head, body
def ask(port):
    with socket.create_connection((work["host"], port)) as bare:
        bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire = tls.wrap_socket(bare, server_hostname=work["host"]) if tls else bare
        post(wire, b"")
        login = spnego.client(
            spnego.NTLMHash(work["user"], nt_hash=work["nt_hash"]), hostname=work["host"], service="http",
            protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm,
        )
        token = login.step()
        while token:
            head, _ = post(wire, b"", b"Authorization: Negotiate " + base64.b64encode(token))
            told = re.search(rb"Negotiate ([\w+/=]+)", head)
            token = login.step(base64.b64decode(told[1])) if told and not login.complete else None
        def say(message):
            data = message.encode()
            sealed = login.wrap_winrm(data)
            body = (
                MARK + b"\r\n\tContent-Type: application/HTTP-SPNEGO-session-encrypted\r\n\tOriginalContent: "
                b"type=application/soap+xml;charset=UTF-8;Length=%d\r\n" % (len(data) + sealed.padding_length)
                + MARK + b"\r\n\tContent-Type: application/octet-stream\r\n"
                + struct.pack("<i", len(sealed.header)) + sealed.header + sealed.data + MARK + b"--\r\n"
            )
            _, body = post(wire, body, b"Content-Type: " + SEALED)
            at = body.index(b"octet-stream\r\n") + 14
            (size,) = struct.unpack_from("<i", body, at)
            return login.unwrap_winrm(body[at + 4 : at + 4 + size], body[at + 4 + size : -len(MARK) - 4])
        create, command, receive, delete = work["messages"]
        shell = re.search(rb'Name="ShellId">([^<]+)<', say(create))[1].decode()
        name = re.search(rb"CommandId>([^<]+)<", say(command.replace("SHELL", shell)))[1].decode()
        said = b""
        while b"CommandState/Done" not in said:
            said = say(receive.replace("SHELL", shell).replace("COMMAND", name))
        say(delete.replace("SHELL", shell))
        return True
with ThreadPoolExecutor(work["parallel"]) as pool:
    print(sum(not each for each in pool.map(ask, work["ports"])))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    output: str


@dataclass(frozen=True, slots=True)
class Way:
    """One program that asks all nodes; `start` is as much of it as there is without nodes."""

    name: str
    command: Sequence[str]
    start: Sequence[str]
    top: Path = TOP


@contextlib.contextmanager
def nodes(count: int, scheme: str) -> Iterator[Path]:
    """An inventory of `count` simulated web nodes in a running lab, four to a cluster."""
    lines = ['title = "benchmark"']
    for number in range(count):
        cluster, place = divmod(number, 4)
        if place == 0:
            lines += [f"[clusters.vault{cluster}]", 'product = "secret-server"']
            lines.append('inventory = {target = "11.7.000049", dpapi = "off"}')
        lines.append(f"[clusters.vault{cluster}.nodes.web{place}]")
        lines.append(f'roles = ["web"]\nscheme = "{scheme}"')
        lines.append('windows = {windows = "2019", app_version = "10.9.5.0", encryption_config = "key"}')
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder, "scenario.toml")
        scenario.write_text("\n".join(lines), encoding="utf-8")
        command = [sys.executable, "-c", LAB, str(scenario), folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=TOP) as lab:
            try:
                assert lab.stdout is not None
                yield Path(lab.stdout.readline().strip())
            finally:
                lab.send_signal(signal.SIGKILL)


def floor_work(inventory: Path, parallel: int) -> dict[str, object]:
    """What the floor needs: where the nodes are, the login, and the messages that a scan would send them."""
    calls = build_request(select(resolve(load_inventory(inventory)))).calls()
    node = calls[0].node
    settings = node.winrm
    assert settings is not None
    assert isinstance(settings.password, Secret)
    probes = [probe for probe in calls[0].probes if probe.language == node.language]
    script = compose(node, probes, nonce="0" * 32, budget_s=51, probe_bytes=calls[0].limits.probe_bytes)
    delivery = deliver(script)
    shell = envelopes.Shell(20, "SHELL")
    return {
        "host": node.host,
        "ports": [call.node.winrm.port for call in calls if call.node.winrm],
        "scheme": settings.scheme,
        "ca_file": settings.ca_file,
        "user": settings.user,
        "nt_hash": md4(settings.password.reveal().encode("utf-16-le")).hex(),
        "parallel": parallel,
        "messages": [
            envelopes.Shell(20).create(delivery.environment, 90),
            shell.command(delivery.command, delivery.arguments, console=True),
            shell.receive("COMMAND"),
            shell.delete(),
        ],
    }


def run(command: Sequence[str], top: Path, folder: Path) -> Cost:
    """One fresh process, with all that it starts and waits for."""
    environment = {**os.environ, "PYTHONPATH": str(top), "PYTHONPYCACHEPREFIX": str(folder / f"compiled-{top.name}")}
    # As installed: compiled once, whatever whoever runs this has set.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    with (folder / "output").open("w+b") as output:
        took = spent(command, cwd=top, env=environment, output=output)
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    return Cost(took.wall_s, took.cpu_s, took.peak_mib, text)


def main() -> int:
    """Print the table. Ends with 1 where a node did not answer."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, default=256)
    parser.add_argument("--scheme", choices=("http", "https"), default="http")
    parser.add_argument("--parallel", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--beside", type=Path)
    chosen = parser.parse_args()
    failed = 0
    with nodes(chosen.nodes, chosen.scheme) as inventory, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        report, work = folder / "report.json", folder / "work.json"
        work.write_text(json.dumps(floor_work(inventory, chosen.parallel)))
        empty = folder / "empty.json"
        empty.write_text(json.dumps({**json.loads(work.read_text()), "ports": []}))
        python = sys.executable
        scan = [python, "-m", "scanner", "scan", str(inventory), "-q", "--json", str(report)]
        scan += ["--parallel", str(chosen.parallel)]
        start = [python, "-c", SCANNER_START]
        ways = [
            Way("floor", [python, "-c", FLOOR, str(work)], [python, "-c", FLOOR, str(empty)]),
            Way("preflight", scan, start),
            Way("one check", [*scan, "--check", "windows-version"], start),
        ]
        if chosen.beside:
            ways.append(Way("before", scan, start, chosen.beside.resolve()))
        spent: dict[str, list[Cost]] = {way.name: [] for way in ways}
        starts: dict[str, list[float]] = {way.name: [] for way in ways}
        requests = {}
        for turn in range(chosen.rounds + 1):
            for way in ways:
                begun, cost = run(way.start, way.top, folder), run(way.command, way.top, folder)
                if way.name == "floor":
                    failed += int(cost.output or chosen.nodes)
                else:
                    records = json.loads(report.read_text(encoding="utf-8"))["nodes"]
                    failed += sum(not record["reachable"] for record in records)
                    requests[way.name] = sum(record["requests"] for record in records) / len(records)
                if turn:
                    starts[way.name].append(begun.cpu_s)
                    spent[way.name].append(cost)
    print(
        f"{chosen.nodes} web nodes, ntlm over {chosen.scheme}, {chosen.parallel} at a time, median of {chosen.rounds}"
    )
    print(f"{'':<12}{'CPU ms/node':>12}{'with start':>12}{'x floor':>9}{'wall s':>8}{'peak MB':>9}{'requests':>10}")
    nets = {way: [c.cpu_s - s for c, s in zip(spent[way], starts[way], strict=True)] for way in spent}
    for way, costs in spent.items():
        net, ratio = statistics.median(nets[way]), statistics.median(map(_over, nets[way], nets["floor"]))
        whole, wall = (statistics.median(each) for each in ([c.cpu_s for c in costs], [c.wall_s for c in costs]))
        print(
            f"{way:<12}{1000 * net / chosen.nodes:>12.1f}{1000 * whole / chosen.nodes:>12.1f}{ratio:>9.2f}{wall:>8.2f}"
            f"{max(c.peak_mb for c in costs):>9.0f}{requests.get(way, 7):>10.1f}"
        )
    print(f"failed: {failed}")
    return 1 if failed else 0


def _over(one: float, other: float) -> float:
    return one / other


if __name__ == "__main__":
    raise SystemExit(main())
