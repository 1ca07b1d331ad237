"""What one program takes, as the system says of it once it has ended.

It is started by a small process and not by the one that measures: on Linux, the greatest resident memory of a program
is never less than that of whoever started it, and who builds an estate for it, or reads its reports, is large.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

_STARTER = """
import os, sys
child = os.fork()
if not child:
    os.execvp(sys.argv[2], sys.argv[2:])
_, status, used = os.wait4(child, 0)
took = os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss
os.write(int(sys.argv[1]), " ".join(map(str, took)).encode())
"""
_UNIT = 1024 if sys.platform != "darwin" else 1024 * 1024


@dataclass(frozen=True, slots=True)
class Spent:
    """What it took, with all that it started and waited for."""

    exit_code: int
    wall_s: float
    cpu_s: float
    peak_mib: float


def spent(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    output: IO[bytes] | None = None,
    errors: IO[bytes] | None = None,
) -> Spent:
    """Run it to its end. `output` and `errors`: files for what it prints, where that is of interest."""
    ours, theirs = os.pipe()
    with os.fdopen(ours, "rb") as told:
        began = time.perf_counter()
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _STARTER, str(theirs), *command],
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output or subprocess.DEVNULL,
                stderr=errors,
                pass_fds=(theirs,),
            )
        finally:
            os.close(theirs)
        process.wait()
        wall_s = time.perf_counter() - began
        code, cpu_s, peak = told.read().split()
    return Spent(int(code), wall_s, float(cpu_s), int(peak) / _UNIT)
