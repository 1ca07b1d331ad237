"""A program that takes powershell.exe's place where there is no Windows: the lab's Windows behind a real process.

It gets what powershell.exe would get, arguments and standard input, and refuses what powershell.exe would refuse.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).parents[1]

_PROGRAM = """\
#!{python}
import json, os, sys
sys.path.insert(0, {top!r})
from pathlib import Path
from scanner.lab.machines.windows import powershell_process
from scanner.lab.machines.windows.script import run_script
from scanner.lab.machines.windows.table import read_windows
from scanner.lab.servers.wsman.process import ProcessRequest
from scanner.loading.registry import load_registry

line = " ".join(["powershell.exe", *sys.argv[1:]])
stdin = sys.stdin.buffer.read()
seen = {{"line": line, "stdin": stdin.decode("latin-1"), "environment": dict(os.environ), "pid": os.getpid()}}
with Path({folder!r}, "seen").open("a") as log:
    log.write(json.dumps(seen) + "\\n")
machine = read_windows(json.loads(Path({folder!r}, "machine").read_text()))
request = ProcessRequest(command_line=line, environment={{}}, stdin=stdin, stdin_closed=True, console_mode_stdin=False)
probes = load_registry()[1]
done = powershell_process.run(
    request,
    lambda script: run_script(
        script + "\\n", machine, probes, environment=powershell_process.environment_of(request)
    ),
    constrained_language=machine.language_mode != "FullLanguage",
)
sys.stdout.buffer.write(done.stdout)
sys.stdout.flush()
sys.stderr.buffer.write(done.stderr)
sys.exit(done.exit_code)
"""


@dataclass(frozen=True)
class WindowsStandIn:
    """Where the program is, and what it was started with."""

    folder: Path

    @property
    def program(self) -> Path:
        return self.folder / "powershell.exe"

    @property
    def seen(self) -> list[dict[str, str]]:
        """Each start's command line ("line"), standard input and environment."""
        log = self.folder / "seen"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def install(folder: Path, **machine: object) -> WindowsStandIn:
    """Put powershell.exe into `folder`, on a machine as scenarios write them (`windows = "2012 R2"`)."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "machine").write_text(json.dumps(machine))
    stand_in = WindowsStandIn(folder)
    stand_in.program.write_text(_PROGRAM.format(python=sys.executable, top=str(TOP), folder=str(folder)))
    stand_in.program.chmod(0o755)
    return stand_in
