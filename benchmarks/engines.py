"""What it costs to let workers of a dask scheduler ask, where the asking itself costs next to nothing.

    python benchmarks/engines.py [--nodes 1 1000 10000] [--workers 4] [--profile FILE]

Every node is answered by a stand-in for its transport, at once and with what a healthy Chef backend of the lab has
said; all else is as installed: the calls, their way to a scheduler and its workers over TLS, the readers of what
comes back. The same nodes are asked by threads of one process. CPU time is that of all processes, from before the
first node is asked to when the last one is home. What scheduler and workers take at rest is taken away (real nodes take
their time, in which they rest), and what the threads take: what is left is the engine's. Linux.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from workers import Workers, started

from scanner.cli.app import _NEW_BEFORE_A_LOOK
from scanner.inventory.select import select
from scanner.lab.lab import Lab
from scanner.loading.inventory import load_inventory
from scanner.run import node
from scanner.run.collect import collect
from scanner.run.engines.engine import DASK, EngineChoice
from scanner.run.prepare import build_request
from scanner.transports.protocol import ConnectionCost, TransferTimes

TEMPLATE = "PREFLIGHT_BENCHMARK_ANSWER"
NONCE = b"@NONCE@"
AT_REST_S = 10.0


def nonce_of(script: str) -> bytes:
    """What the node is told to mark its answer with."""
    found = re.search(r"pf_nonce=(\S+)", script)
    assert found
    return shlex.split(found[1])[0].encode()


class Instant:
    """A node's transport that has the answer already."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.usage = ConnectionCost(connections=1, commands=1)
        self.moments = TransferTimes()

    def run(self, script: str, _: Mapping[str, str]) -> bytes:
        return self.answer.replace(NONCE, nonce_of(script))

    def close(self) -> None:
        pass


def answer_at_once() -> None:
    """Let this process ask nobody."""
    answer = Path(os.environ[TEMPLATE]).read_bytes()
    node._open_transport = lambda *_: Instant(answer)  # noqa: SLF001  what it opens is what is stood in for


def dask_setup(_: Any) -> None:
    """dask's own name for what a preloaded file does to a worker."""
    answer_at_once()


def record_answer(path: Path) -> None:
    """What a backend of the lab says to a whole scan."""
    opened = node._open_transport  # noqa: SLF001

    class Recorder:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def run(self, script: str, variables: Mapping[str, str]) -> bytes:
            output: bytes = self.inner.run(script, variables)
            path.write_bytes(output.replace(nonce_of(script), NONCE))
            return output

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

    with Lab("chef-healthy") as lab, tempfile.TemporaryDirectory() as folder:
        job = build_request(select(load_inventory(lab.write(Path(folder)))))
        node._open_transport = lambda *given: Recorder(opened(*given))  # type: ignore[assignment]  # noqa: SLF001
        said = node.query_node(job.calls()[0])
        node._open_transport = opened  # noqa: SLF001
    assert said.failure is None, said.failure


def write_inventory(path: Path, nodes: int) -> None:
    lines = ['[defaults.ssh]\nuser = "preflight"\nagent = true\n']
    for number in range(nodes):
        cluster, place = divmod(number, 3)
        if place == 0:
            lines.append(f'[clusters.c{cluster}]\nproduct = "chef-backend"\ntarget = "2.3.16"\n')
        lines.append(
            f'[clusters.c{cluster}.nodes.b{place}]\nhost = "10.{number >> 16}.{number >> 8 & 255}.{number & 255}"\n'
        )
        lines.append('roles = ["backend"]\n')
    path.write_text("".join(lines), encoding="utf-8")


def ask(inventory: Path, scheduler: str, tls: Path, profile: str) -> dict[str, float]:
    """The client's part, in this process: only the asking counts."""
    job = build_request(select(load_inventory(inventory)))
    if scheduler:
        import distributed  # noqa: F401, PLC0415  what it takes to load is no node's, and threads need none of it

        files = {f"{name}_file": str(tls / f"{name}.pem") for name in ("ca", "cert")} | {
            "key_file": str(tls / "key.pem")
        }
        job = replace(job, engine=EngineChoice(name=DASK, scheduler=scheduler, **files))
    else:
        answer_at_once()
    gc.collect()
    gc.set_threshold(_NEW_BEFORE_A_LOOK)  # as the command line does
    print("ready", flush=True)
    sys.stdin.readline()
    profiler = cProfile.Profile() if profile else None
    began, cpu = time.perf_counter(), time.process_time()
    if profiler:
        profiler.enable()
    collected = collect(job)
    if profiler:
        profiler.disable()
        profiler.dump_stats(profile)
    failed = [said.failure for said in collected.said.values() if said.failure]
    assert not failed, failed[:3]
    assert not collected.notices, collected.notices
    return {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - began, "nodes": len(collected.said)}


@dataclass(frozen=True, slots=True)
class Beside:
    """The processes beside the client, and what they take at rest."""

    running: Workers
    at_rest: tuple[float, float] = (0.0, 0.0)
    """Shares of a CPU, of the scheduler and of all workers."""

    @classmethod
    def resting(cls, running: Workers, seconds: float) -> Beside:
        before = running.cpu_s()
        time.sleep(seconds)
        at_scheduler, at_workers = ((now - then) / seconds for now, then in zip(running.cpu_s(), before, strict=True))
        return cls(running, (at_scheduler, at_workers))


def tls_options(folder: Path) -> list[str]:
    """One certificate for scheduler, workers and client, in `folder`, and the options that name it."""
    folder.mkdir()
    openssl = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=preflight"
    subprocess.run(
        [*openssl.split(), "-keyout", folder / "key.pem", "-out", folder / "ca.pem"], check=True, capture_output=True
    )
    (folder / "cert.pem").write_bytes((folder / "ca.pem").read_bytes())
    files = [f"--tls-ca-file={folder / 'ca.pem'}", f"--tls-cert={folder / 'cert.pem'}"]
    return ["--protocol", "tls", *files, f"--tls-key={folder / 'key.pem'}"]


def asked(
    folder: Path, scheduler: str, beside: Beside | None, profile: str = ""
) -> tuple[dict[str, float], float, float]:
    """What a client of its own process says of itself, and the CPU that scheduler and workers took beyond rest."""
    words = ["--ask", str(folder / "estate.toml"), scheduler, str(folder / "tls"), "--profile", profile]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, __file__, *words], **pipes) as client:
        assert client.stdout
        assert client.stdout.readline() == "ready\n"
        before = beside.running.cpu_s() if beside else (0.0, 0.0)
        said, _ = client.communicate("\n")
        after = beside.running.cpu_s() if beside else (0.0, 0.0)
    found = json.loads(said)
    at_rest = beside.at_rest if beside else (0.0, 0.0)
    at_scheduler, at_workers = (
        now - then - found["wall_s"] * rest for now, then, rest in zip(after, before, at_rest, strict=True)
    )
    return found, at_scheduler, at_workers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, nargs="+", default=[1, 1000, 10000])
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--at-rest", type=float, default=AT_REST_S, help="seconds for which they are left at rest")
    parser.add_argument("--profile", default="", help="write a profile of the client's process there")
    parser.add_argument("--ask", nargs=3, metavar=("INVENTORY", "SCHEDULER", "TLS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        inventory, scheduler, tls = options.ask
        print(json.dumps(ask(Path(inventory), scheduler, Path(tls), options.profile)))
        return
    with tempfile.TemporaryDirectory(prefix="preflight-engines-") as name:
        folder = Path(name)
        record_answer(folder / "answer")
        os.environ[TEMPLATE] = str(folder / "answer")
        # A worker is given a copy of this file, beside which there is nothing that it needs.
        beside_this = os.pathsep.join(
            [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parent.parent)]
        )
        environment = {**os.environ, "DASK_TEMPORARY_DIRECTORY": str(folder / "scratch"), "PYTHONPATH": beside_this}
        tls, stood_in = tls_options(folder / "tls"), ["--preload", __file__]
        with started(folder, options.workers, environment, options=tls, of_workers=stood_in) as running:
            write_inventory(folder / "estate.toml", 32 * options.workers)
            asked(folder, running.address, None)  # each worker has loaded what it asks with
            beside = Beside.resting(running, options.at_rest)
            resting = [f"{share:.1%}" for share in beside.at_rest]
            print(f"at rest: scheduler {resting[0]}, {options.workers} workers {resting[1]} of a CPU")
            print("ms of CPU a node, and seconds of wall clock")
            heads = ("nodes", "threads", "client", "scheduler", "workers", "engine", "threads s", "dask s")
            print("".join(f"{head:>11}" for head in heads))
            for nodes in options.nodes:
                write_inventory(folder / "estate.toml", nodes)
                here, _, _ = asked(folder, "", None)
                there, *elsewhere = asked(folder, running.address, beside, options.profile)
                engine = there["cpu_s"] + sum(elsewhere) - here["cpu_s"]
                each = [1000 * cpu / nodes for cpu in (here["cpu_s"], there["cpu_s"], *elsewhere, engine)]
                row = [str(nodes), *(f"{cpu:.2f}" for cpu in each), f"{here['wall_s']:.1f}", f"{there['wall_s']:.1f}"]
                print("".join(f"{cell:>11}" for cell in row), flush=True)


if __name__ == "__main__":
    main()
