"""The page in a real browser: nothing that a target said runs, and the console stays empty."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import pytest

from checks.history.model import ScanHistory, TrendPoint
from checks.scan import Scan
from reports.render.html import render as render_drift
from reports.scan.html import render
from reports.scan.page.folder import INDEX, pages
from tests.test_reports.drift.test_drift_reports import hostile

pytestmark = pytest.mark.live

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--enable-logging=stderr",
    "--v=0",
    "--virtual-time-budget=2000",
)
RAW = "<script>document.title='pwned'</script>"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A page after its scripts ran."""

    dom: str
    console: list[str]

    @property
    def title(self) -> str:
        found = re.search(r"<title>(.*?)</title>", self.dom, re.DOTALL)
        return found.group(1) if found else ""


@pytest.fixture
def load(tmp_path: Path) -> object:
    return Browser(tmp_path)


class Browser:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        name = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if name is None:
            if os.environ.get("REQUIRE_LIVE") == "1":
                pytest.fail("no Chromium on the PATH")
            pytest.skip("no Chromium on the PATH")
        self._program = name

    def __call__(self, text: str, *more: str, fragment: str = "") -> Loaded:
        file = self._folder / "page.html"
        file.write_text(text, encoding="utf-8")
        done = subprocess.run(
            [
                self._program,
                *FLAGS,
                f"--user-data-dir={self._folder / 'profile'}",
                *more,
                "--dump-dom",
                file.as_uri() + fragment,
            ],
            capture_output=True,
            timeout=60,
            check=True,
        )
        lines = done.stderr.decode("utf-8", "replace").splitlines()
        return Loaded(done.stdout.decode("utf-8"), [line for line in lines if "CONSOLE" in line])


def test_nothing_that_a_target_says_runs(load: Browser, hostile_scan: Scan) -> None:
    found = load(render(hostile_scan))
    assert found.console == []
    assert found.title.startswith("NO-GO")
    assert len(re.findall(r"<script", found.dom)) == 1


def test_its_own_script_runs(load: Browser, rich_scan: Scan) -> None:
    found = load(render(rich_scan))
    assert found.console == []
    assert re.search(r'<form class="filters" id="filters">', found.dom)
    assert not re.search(r'class="copy" hidden', found.dom)


def test_the_policy_stops_what_escaping_would_let_through(load: Browser, rich_scan: Scan) -> None:
    found = load(render(rich_scan).replace("<footer", f"{RAW}<footer"))
    assert found.title.startswith("NO-GO")
    assert any("Content Security Policy" in line for line in found.console)


def test_these_tests_would_notice(load: Browser, rich_scan: Scan) -> None:
    """Without policy and escaping the planted script does run, and a broken page does show in the console."""
    open_page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", render(rich_scan))
    assert load(open_page.replace("<footer", f"{RAW}<footer")).title == "pwned"
    assert load(open_page.replace("<footer", "<script>missing()</script><footer")).console != []


def test_nothing_that_a_target_says_runs_on_the_page_of_drift(load: Browser) -> None:
    found = load(render_drift(hostile()))
    assert found.console == []
    assert found.title.startswith("DRIFT")
    assert len(re.findall(r"<script", found.dom)) == 1
    assert re.search(r'<form class="filters" id="filters">', found.dom)


SCRIPT = """<script>addEventListener("load", () => setTimeout(() => {
  const shown = (what) => [...document.querySelectorAll(what)]
    .filter((one) => !one.hidden && one.getClientRects().length);
  const tell = (...said) => { document.title += " | " + said.join(" "); };
  %s
}, 0));</script>"""


def driven(load: Browser, text: str, script: str, fragment: str = "") -> list[str]:
    """What `tell` was told by a script that runs on the loaded page."""
    open_page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    found = load(open_page.replace("</body>", SCRIPT % script + "</body>"), fragment=fragment)
    assert found.console == []
    return found.title.split(" | ")[1:]


def test_the_search_acts_on_cards_matrix_and_rows(load: Browser, rich_scan: Scan) -> None:
    said = driven(
        load,
        render(rich_scan),
        """
  const search = document.getElementById("search");
  tell(shown(".card").length, shown(".matrix tbody tr").length, shown(".row").length);
  search.value = "sql1 fail"; search.dispatchEvent(new Event("input"));
  tell(shown(".card").length, shown(".matrix tbody tr").map((row) => row.cells[0].textContent), shown(".row").length);
  tell(location.hash);
  search.value = ""; search.dispatchEvent(new Event("input"));
  tell(shown(".card").length, shown(".matrix tbody tr").length, shown(".row").length);
""",
    )
    assert said[0] == said[3]
    cards, nodes, rows = said[1].split()
    assert (cards, nodes, rows) == ("1", "sql1", "1")
    assert said[2] == "#?q=sql1+fail"


def test_the_address_brings_the_state_back(load: Browser, rich_scan: Scan) -> None:
    tell = 'tell(shown(".row").length, document.getElementById("search").value, shown(".board").length);'
    said = driven(load, render(rich_scan), tell, "#?q=connectivity&hide=pass%2Cskip&cluster=vault-prod")
    assert said == ["1 connectivity 1"]


def test_an_address_of_a_result_opens_it(load: Browser, rich_scan: Scan) -> None:
    tell = 'tell([...document.querySelectorAll(".row[open]")].map((row) => row.id));'
    assert driven(load, render(rich_scan), tell, "#vault-prod.web3.connectivity") == ["vault-prod.web3.connectivity"]


def test_a_ticket_has_what_a_colleague_needs(load: Browser, rich_scan: Scan) -> None:
    said = driven(
        load,
        render(rich_scan),
        """
  let text = ""; document.execCommand = () => { text = document.querySelector("body > textarea").value; return true; };
  navigator.clipboard.writeText = () => Promise.reject();
  document.querySelector(".card .ticket").click();
  setTimeout(() => tell(text.replace(/\\n/g, " / ")), 50);
""",
    )
    assert said[0].startswith("### ")
    assert "- check: `" in said[0]
    assert "- fix: " in said[0]
    assert "page.html#finding." in said[0]


def violations(load: Browser, text: str, *more: str) -> list[str]:
    """What axe-core finds on the page, with everything on it opened."""
    axe = (resources.files("axe_core_python") / "axe.min.js").read_text(encoding="utf-8")
    script = """<script>%s</script><script>addEventListener("load", async () => {
      document.querySelectorAll("details").forEach((one) => { one.open = true; });
      const found = await axe.run();
      document.title = "axe | " + found.passes.length + " | " +
        found.violations.map((one) => one.id + " at " + one.nodes.map((node) => node.target).join(" ")).join(" | ");
    });</script>"""
    open_page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    loaded = load(open_page.replace("</body>", script % axe + "</body>"), "--virtual-time-budget=60000", *more)
    name, passed, *found = loaded.title.split(" | ")
    assert (name, int(passed) > 10) == ("axe", True)
    return [line for line in found if line]


DARK = "--blink-settings=preferredColorScheme=0"


@pytest.mark.parametrize(
    "more",
    [
        pytest.param((), id="light"),
        pytest.param((DARK,), id="dark", marks=pytest.mark.slow),
        pytest.param(("--window-size=390,844",), id="narrow", marks=pytest.mark.slow),
    ],
)
def test_nobody_is_kept_from_reading(load: Browser, rich_scan: Scan, more: tuple[str, ...]) -> None:
    points = tuple(
        TrendPoint(
            started=rich_scan.started, verdict="NO-GO", fail=n, error=1, warn=2, waived=0, passed=9, not_evaluated=0
        )
        for n in range(3)
    )
    clusters = dict.fromkeys(("vault-prod", "chef-prod"), points)
    scan = replace(rich_scan, history=ScanHistory(last=rich_scan.started, trend=points, by_cluster=clusters))
    for text in (render(scan), pages(scan)[INDEX], render_drift(hostile())):
        assert violations(load, text, *more) == []


def test_axe_would_notice(load: Browser, rich_scan: Scan) -> None:
    page = render(rich_scan).replace("<main", '<img src="data:,"><button></button><main', 1)
    found = violations(load, page)
    assert {line.partition(" at ")[0] for line in found} >= {"image-alt", "button-name"}


def test_the_trend_keeps_to_the_policy(load: Browser, rich_scan: Scan) -> None:
    points = tuple(
        TrendPoint(
            started=rich_scan.started, verdict="NO-GO", fail=n, error=1, warn=2, waived=0, passed=9, not_evaluated=0
        )
        for n in range(3)
    )
    found = load(render(replace(rich_scan, history=ScanHistory(last=rich_scan.started, trend=points))))
    assert found.console == []
    assert found.dom.count('<rect class="t-fail"') == 2
