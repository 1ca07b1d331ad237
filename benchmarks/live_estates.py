"""What a live run over a large estate costs, beside what its nodes take: memory above all, as it grows.

    python benchmarks/live_estates.py [--nodes 600 2400 10000] [--seconds 1.0] [--kib 0] [--commands scan ...]

Every node is answered by a stand-in for its whole conversation, after so many seconds and with what a recorded one has
said (see estates.py, whose estate it is); all else is as installed: threads, the readers of what comes back, checks,
reports, evidence. Every run is a process of its own, see spent.py. Linux and macOS.

In November 2026, with 10,000 nodes that take 0.2 s, on two cores that others used, too, a scan with JSON, JUnit and a
folder of pages took 3.7 ms of CPU a node and 146 MiB at most, an approval of the baseline 3.6 ms and 195 MiB, and a
comparison with it 3.4 ms and 218 MiB. A comparison needs a baseline: name both commands, in this order.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from estates import UPDATED, estate, laid_out, name_of, renamed, run

from scanner.cli import main as preflight
from scanner.files.evidence.document import node_from
from scanner.files.packed.answers import opened
from scanner.inventory.model import NodeKey
from scanner.probes.probe import Answer
from scanner.run import collect
from scanner.run.node import NodeRequest
from scanner.transports.answers import NodeResponse
from scanner.transports.network.green.waiting import pause

RUN = "--run"
NODES, SECONDS, KIB = "PREFLIGHT_BENCHMARK_NODES", "PREFLIGHT_BENCHMARK_SECONDS", "PREFLIGHT_BENCHMARK_KIB"
COMMANDS = {
    "scan": ("scan", "estate.toml", "-q", "--json", "scan.json", "--junit", "scan.xml", "--html", "pages/"),
    "scan-kept": ("scan", "estate.toml", "-q", "--json", "scan.json", "--evidence", "kept.json.gz"),
    "collect": ("collect", "estate.toml", "-q", "-o", "collected.json.gz"),
    "baseline": ("baseline", "estate.toml", "-q", "--by", "bench", "--reason", "bench", "--allow-incomplete"),
    "update": (
        *("baseline", "estate.toml", "-q", "--by", "bench", "--reason", "bench", "--allow-incomplete"),
        *("--update", UPDATED),
    ),
    "drift": ("drift", "estate.toml", "-q", "--json", "drift.json"),
}


def stand_in() -> None:
    """Preflight's command line, in a process that asks nobody."""
    # Each answer is made when it is asked for: all of them at once would be the memory that is measured.
    every: dict[NodeKey, partial[dict[str, Any]]] = {
        (cluster, name_of(node, place)): partial(renamed, node, cluster, place)
        for cluster, _, members in laid_out(int(os.environ[NODES]))
        for place, node in enumerate(members)
    }
    seconds = float(os.environ[SECONDS])
    more = int(os.environ[KIB]) * 1024

    def answer(call: NodeRequest, **_: object) -> NodeResponse:
        pause(seconds)  # and hold up nobody else: many conversations share a thread
        said = opened(node_from(every[call.node.cluster, call.node.name]()).said)
        # Text that packs as badly as logs do, and that nobody reads.
        padding = {"padding": Answer(os.urandom(more // 2).hex(), 0)} if more else {}
        return replace(said, answers={**said.answers, **padding})

    collect.query_node = answer  # type: ignore[assignment,attr-defined]
    preflight()


def measure(asked: argparse.Namespace) -> None:
    """Print a line for each size and command."""
    print(f"{'nodes':>6}  {'command':<9} {'CPU s':>7} {'ms/node':>8} {'wall s':>7} {'peak MiB':>9}  exit")
    os.environ |= {SECONDS: str(asked.seconds), KIB: str(asked.kib), "NONE": "a-password-of-nobody-at-all"}
    for nodes in asked.nodes:
        os.environ[NODES] = str(nodes)
        with tempfile.TemporaryDirectory() as temporary:
            folder = asked.keep / str(nodes) if asked.keep else Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            estate(folder, nodes)
            (folder / "pages").mkdir(exist_ok=True)
            for name in asked.commands:
                cost = run(folder, *COMMANDS[name], program=(str(Path(__file__).resolve()), RUN))
                print(
                    f"{nodes:>6}  {name:<9} {cost.cpu_s:>7.2f} {cost.cpu_s / nodes * 1000:>8.2f} "
                    f"{cost.wall_s:>7.1f} {cost.peak_mib:>9.0f}  {cost.exit_code}",
                    flush=True,
                )


def main(arguments: Sequence[str]) -> None:
    """The measurement, or one of its runs."""
    if arguments[:1] == [RUN]:
        sys.argv = ["preflight", *arguments[1:]]
        stand_in()
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--nodes", type=int, nargs="+", default=[600, 2_400, 10_000])
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each node takes")
    parser.add_argument("--kib", type=int, default=0, help="how much each says beside what recorded ones have said")
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    parser.add_argument("--keep", type=Path, help="leave what is made in this folder")
    measure(parser.parse_args(arguments))


if __name__ == "__main__":
    main(sys.argv[1:])
