"""Whole scans of 1 to 256 simulated Windows nodes over real WinRM connections: wall and client CPU per node.

The nodes run in a process of their own, so the client's CPU is the scanner's alone; on a small machine they compete for
the same cores, so wall time says less than CPU. Every size is scanned with all checks and with a single one, in one
run,
so that the two rows can be compared.

    python benchmarks/winrm_nodes.py [SIZES...] [--scheme http|https] [--parallel N]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SIZES = (1, 8, 64, 256)
LAB = """
import sys, time
from pathlib import Path
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
with Lab(load_scenario(sys.argv[1])) as lab:
    print(lab.write(Path(sys.argv[2])), flush=True)
    time.sleep(900)
"""


@contextlib.contextmanager
def nodes(count: int, scheme: str) -> Iterator[Path]:
    """An inventory of `count` simulated web nodes in a running lab."""
    lines = ['title = "benchmark"', "[clusters.vault]", 'product = "secret-server"']
    lines.append('inventory = {target = "11.7.000049", dpapi = "off"}')
    for number in range(count):
        lines.append(f"[clusters.vault.nodes.web{number}]")
        lines.append(f'roles = ["web"]\nscheme = "{scheme}"')
        lines.append('windows = {windows = "2019", app_version = "10.9.5.0", encryption_config = "key"}')
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder, "scenario.toml")
        scenario.write_text("\n".join(lines), encoding="utf-8")
        command = [sys.executable, "-c", LAB, str(scenario), folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as lab:
            try:
                assert lab.stdout is not None
                yield Path(lab.stdout.readline().strip())
            finally:
                lab.send_signal(signal.SIGKILL)


def measure(inventory: Path, parallel: int, *options: str) -> tuple[float, float, float, int, float]:
    """Wall and CPU seconds, peak MB, nodes that failed, and HTTP requests per node of one scan in a fresh process."""
    report = inventory.with_suffix(".json")
    command = [sys.executable, "-m", "scanner", "scan", str(inventory), "-q", "--json", str(report)]
    started = time.monotonic()
    process = subprocess.Popen([*command, "--parallel", str(parallel), *options], stdout=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    records = json.loads(report.read_text(encoding="utf-8"))["nodes"]
    down = sum(not record["reachable"] for record in records)
    requests = sum(record["requests"] for record in records) / len(records)
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, down, requests


def main() -> None:
    """Print one row per size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("sizes", nargs="*", type=int, default=SIZES)
    parser.add_argument("--scheme", choices=("http", "https"), default="https")
    parser.add_argument("--parallel", type=int, default=64)
    chosen = parser.parse_args()
    idle = min(cpu_of_start() for _ in range(3))
    print(f"start-up alone: {idle:.2f} s CPU, taken off the CPU column; {chosen.scheme}, {chosen.parallel} at once")
    print(f"{'nodes':>6} {'checks':>7} {'wall s':>8} {'CPU ms/node':>12} {'peak MB':>8} {'requests':>9} {'failed':>7}")
    for size in chosen.sizes:
        with nodes(size, chosen.scheme) as inventory:
            for label, options in (("all", ()), ("one", ("--check", "windows-version"))):
                wall, cpu, peak, failed, requests = measure(inventory, chosen.parallel, *options)
                per_node = (cpu - idle) / size * 1000
                print(f"{size:>6} {label:>7} {wall:>8.2f} {per_node:>12.1f} {peak:>8.0f} {requests:>9.1f} {failed:>7}")


def cpu_of_start() -> float:
    """CPU seconds of a scanner process that imports what a WinRM scan needs and does nothing."""
    code = "import winrm, requests, scanner.run.prepare, scanner.cli, reports.render.console, reports.scan.json"
    process = subprocess.Popen([sys.executable, "-c", code])
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
