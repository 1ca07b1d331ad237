"""A dask scheduler and its workers on this machine, for benchmarks that let them ask."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_HERTZ = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Workers:
    """Where the scheduler listens, and the sessions that it and its workers run in."""

    address: str
    sessions: tuple[int, ...]

    def cpu_s(self) -> float:
        """What all of them have taken so far."""
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has ended meanwhile
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[3]) in self.sessions:
                    ticks += int(fields[11]) + int(fields[12])
        return ticks / _HERTZ


@contextmanager
def started(folder: Path, count: int, environment: Mapping[str, str]) -> Iterator[Workers]:
    """On loopback, which needs no TLS; one thread each, as the guide has it."""
    log = folder / "dask.log"
    running: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> None:
        command = [sys.executable, "-m", "dask", *words, "--no-dashboard", "--host", "127.0.0.1"]
        with log.open("ab") as out:
            running.append(
                subprocess.Popen(
                    command, cwd=folder, env=dict(environment), stdout=out, stderr=out, start_new_session=True
                )
            )

    def said(sign: str, times: int) -> str:
        while (text := log.read_text(errors="replace")).count(sign) < times:
            if any(each.poll() is not None for each in running):
                raise SystemExit(f"dask has ended:\n{text}")
            time.sleep(0.1)
        return text

    try:
        start("scheduler", "--port", "0")
        found = re.search(r"Scheduler at:\s+(tcp://\S+)", said("Scheduler at:", 1))
        assert found, "no address"
        for number in range(count):
            start("worker", found[1], "--name", f"w{number}", "--nthreads", "1")
        said("Registered to:", count)
        yield Workers(found[1], tuple(each.pid for each in running))
    finally:
        for each in running:
            with suppress(ProcessLookupError):
                os.killpg(each.pid, 15)
        for each in running:
            each.wait()
