"""How large a scan's HTML is and how long a browser takes over it.

    python benchmarks/report_pages.py [--nodes 402 10000] [--keep FOLDER]

Scans are made up in memory, with the checks that are built in: nine of ten clusters may go. A page is loaded by a
headless Chromium from a file, and times itself: from the start of navigation to the end of its own script, and one
pass of the filter. More than 1,000 nodes are written as a folder, a page for each cluster; its index is loaded.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from checks.check import NodeCheck
from checks.outcome import Remediation, Result, Status
from checks.registry import BUILTIN
from checks.scan import ClusterRecord, NodeRecord, Scan
from reports.scan.html import render
from reports.scan.page.folder import pages

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FOLDER_FROM = 1_000
PROBE = """<script>addEventListener("load", () => setTimeout(() => {
  const loaded = performance.timing.loadEventEnd - performance.timing.navigationStart;
  const search = document.getElementById("search");
  let took = 0;
  if (search) {
    const begun = performance.now();
    search.value = "node-3 fail"; search.dispatchEvent(new Event("input"));
    document.body.offsetHeight;
    took = performance.now() - begun;
  }
  const top = search ? search.getBoundingClientRect().bottom : 0;
  document.title = "load " + loaded + " filter " + took.toFixed(1) + " search at " + Math.round(top);
}, 0));</script>"""


def fleet(nodes: int, size: int = 5) -> Scan:
    """A scan of so many nodes in clusters of `size`; every ninth cluster has what clusters have."""
    records, clusters, results = [], [], []
    for number in range(-(-nodes // size)):
        chef = number % 3 == 2
        product = "chef-backend" if chef else "secret-server"
        name = f"{'chef' if chef else 'vault'}-region{number % 7}-{number:04d}"
        members = [f"node-{number}-{place}" for place in range(min(size, nodes - number * size))]
        clusters.append(
            ClusterRecord(
                name=name,
                product=product,
                title="Chef Backend" if chef else "Secret Server",
                installed="2.2.5" if chef else "10.9.000064",
                target="2.3.16" if chef else "11.7.000049",
                target_from="inventory",
                nodes=len(members),
                asked=len(members),
                reached=len(members),
                owner=f"team {number % 12}",
                contact=f"team{number % 12}@corp.example",
            )
        )
        records += [
            NodeRecord(
                cluster=name,
                node=node,
                host=f"{node}.corp.example",
                transport="winrm",
                reachable=True,
                connections=1,
                commands=1,
                requests=7,
                seconds=1.25,
            )
            for node in members
        ]
        results += _results(number, name, product, members)
    started = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
    return Scan(
        tool_version="0.1.0",
        started=started,
        finished=started + timedelta(seconds=95),
        inventory="/etc/preflight/inventory.toml",
        nodes=tuple(records),
        results=tuple(results),
        clusters=tuple(clusters),
        why={check.id: "A paragraph that says why this matters to whoever has to decide. " * 3 for check in BUILTIN},
    )


def _results(number: int, cluster: str, product: str, members: list[str]) -> Iterator[Result]:
    for place, check in enumerate(check for check in BUILTIN if not check.products or product in check.products):
        bad = number % 9 == 4 and place % 7 == number % 7
        status = Status.FAIL if bad else Status.WARN if (number + place) % 61 == 0 else Status.PASS
        for node in members if isinstance(check, NodeCheck) else [None]:
            yield Result(
                check=check.id,
                title=check.title,
                severity=check.severity,
                cluster=cluster,
                node=node,
                status=status,
                message=f"{check.title}: what was found is told in one sentence, {place} of {place + 3}",
                expected="what the vendor's document asks for",
                observed=f"what was found on the machine ({number % 5}.{place})",
                remediation=Remediation("Do what the vendor's document says.", url="https://docs.delinea.com/")
                if bad
                else check.remediation,
                evidence={
                    "found": {"value": place, "read from": r"HKLM:\SOFTWARE\Microsoft\NET Framework Setup\NDP\v4\Full"}
                },
            )


def load(browser: str, file: Path, width: int = 1440) -> str:
    """What the page says of itself once it is loaded: its last title."""
    text = file.read_text(encoding="utf-8")
    timed = file.with_name("timed.html")
    policy = text.index('<meta http-equiv="Content-Security-Policy"')
    open_page = text[:policy] + text[text.index(">", policy) + 1 :]
    timed.write_text(open_page.replace("</body>", f"{PROBE}</body>"), encoding="utf-8")
    done = subprocess.run(
        [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            f"--window-size={width},900",
            "--virtual-time-budget=20000",
            "--dump-dom",
            timed.as_uri(),
        ],
        capture_output=True,
        check=True,
        timeout=120,
    )
    timed.unlink()
    dom = done.stdout.decode("utf-8", "replace")
    return dom[dom.index("<title>") + 7 : dom.index("</title>")]


def main() -> None:
    """Print one line per size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--nodes", type=int, nargs="+", default=[402, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for nodes in asked.nodes:
            scan = fleet(nodes)
            begun = time.process_time()
            if nodes > FOLDER_FROM:
                made = pages(scan)
                for name, text in made.items():
                    (folder / name).write_text(text, encoding="utf-8")
                first = folder / "index.html"
                what = f"{len(made)} pages of {sum(map(len, made.values())) / 1e6:.1f} MB, index"
            else:
                first = folder / f"{nodes}.html"
                first.write_text(render(scan), encoding="utf-8")
                what = "one page"
            took = time.process_time() - begun
            size = first.stat().st_size
            print(f"{nodes} nodes, {len(scan.results)} results: {what} {size / 1e6:.2f} MB, made in {took:.1f} s CPU")
            if browser:
                told = [load(browser, first) for _ in range(asked.rounds)]
                loads = [int(text.split()[1]) for text in told]
                print(f"    load {statistics.median(loads)} ms (of {loads}); {told[-1]}")


if __name__ == "__main__":
    main()
