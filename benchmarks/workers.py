"""A dask scheduler and its workers on this machine, for benchmarks that let them ask."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_HERTZ = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Workers:
    """Where the scheduler listens, and the sessions that it and its workers run in."""

    address: str
    scheduler: int
    workers: tuple[int, ...]

    def cpu_s(self) -> tuple[float, float]:
        """What the scheduler, and what all workers have taken so far."""
        at_scheduler = at_workers = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # it has ended meanwhile
                fields = stat.read_text().rpartition(")")[2].split()
                ticks = int(fields[11]) + int(fields[12])
                at_scheduler += ticks * (int(fields[3]) == self.scheduler)
                at_workers += ticks * (int(fields[3]) in self.workers)
        return at_scheduler / _HERTZ, at_workers / _HERTZ


@contextmanager
def started(
    folder: Path,
    count: int,
    environment: Mapping[str, str],
    *,
    options: Sequence[str] = (),
    of_workers: Sequence[str] = (),
) -> Iterator[Workers]:
    """On loopback, one thread each, as the guide has it; with `options` for all programs, and those of the workers."""
    log = folder / "dask.log"
    running: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> None:
        command = [sys.executable, "-m", "dask", *words, "--no-dashboard", "--host", "127.0.0.1", *options]
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
        found = re.search(r"Scheduler at:\s+(\w+://\S+)", said("Scheduler at:", 1))
        assert found, "no address"
        for number in range(count):
            start("worker", found[1], "--name", f"w{number}", "--nthreads", "1", *of_workers)
        said("Registered to:", count)
        scheduler, *others = (each.pid for each in running)
        yield Workers(found[1], scheduler, tuple(others))
    finally:
        for each in running:
            with suppress(ProcessLookupError):
                os.killpg(each.pid, 15)
        for each in running:
            each.wait()
