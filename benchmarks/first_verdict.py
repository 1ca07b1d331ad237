"""Commands, CPU and seconds to the first useful verdict, by hand and by the short ways; writes the page's table anew.

    python benchmarks/first_verdict.py [--rounds 3] [--write]

The Windows nodes are the lab's, in this process; the Linux ones are real sshd, sudo and dpkg in namespaces, which takes
root on Linux. Every command is a process of its own, as a shell starts it. CPU is those processes' alone; wall is the
fastest round, and depends on what else the machine does: its load is told.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.first_verdict import SITES, WINDOWS, Cost, Site, sshd, take
from tests.live import estate as chef
from tests.live.machine import why_not
from tests.test_scanner.stages import two_sites
from tests.test_scanner.terminal import TOP, Terminal

PAGE = TOP / "docs" / "explanation" / "first-verdict.md"
HEAD = """\
| where | way | commands | lines to write | characters to type | CPU, s | wall, s | minutes |
|---|---|---|---|---|---|---|---|
"""


@contextmanager
def terminal_of(site: Site, folder: Path) -> Iterator[Terminal]:
    home = folder / "home"
    home.mkdir(parents=True)
    if site is WINDOWS:
        with two_sites(home) as terminal:
            yield terminal
        return
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    with chef.running(folder, key) as estate:
        estate.upgrade("2.3.16")
        with sshd(estate, home) as terminal:
            yield terminal


def row(site: Site, name: str, costs: list[Cost]) -> str:
    best = min(costs, key=lambda cost: cost.wall_s)
    cpu_s = min(cost.cpu_s for cost in costs)
    return (
        f"| {site.name} | {name} | {best.commands} | {best.lines} | {best.characters} | {cpu_s:.1f} | "
        f"{best.wall_s:.1f} | {best.minutes:.1f} |"
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--write", action="store_true", help="put the table into docs/explanation/first-verdict.md")
    chosen = arguments.parse_args()
    if reason := why_not():
        sys.exit(f"no real sshd: {reason}")
    before, rows = os.getloadavg()[0], []
    for site in SITES:
        with tempfile.TemporaryDirectory() as folder, terminal_of(site, Path(folder)) as terminal:
            costs: dict[str, list[Cost]] = {way.name: [] for way in site.ways}
            for _ in range(chosen.rounds):
                for way in site.ways:
                    costs[way.name].append(take(way, terminal))
                    for written in terminal.home.glob("*.toml"):
                        written.unlink()
            rows += [row(site, name, each) for name, each in costs.items()]
    said = (
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {before:.0f} before and "
        f"{os.getloadavg()[0]:.0f} after; the fastest of {chosen.rounds} rounds."
    )
    text = HEAD + "\n".join(rows) + f"\n\n{said}\n"
    print(text)
    if chosen.write:
        page = PAGE.read_text(encoding="utf-8")
        parts = re.split(r"(?<=<!-- measured:begin -->\n).*(?=<!-- measured:end -->)", page, flags=re.DOTALL)
        assert len(parts) == 2, PAGE
        PAGE.write_text(parts[0] + text + parts[1], encoding="utf-8")


if __name__ == "__main__":
    main()
