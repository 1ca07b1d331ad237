"""The fleet's pages in a real browser: they run, filter and warn by themselves, and nothing that a history says."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from checks.history.fleet import fleet
from checks.history.kept import Word, WordKind
from reports.dashboard.pages import pages
from reports.scan.page.folder import INDEX
from tests.test_reports.dashboard.fleets import FIRST, kept
from tests.test_reports.scan.test_report_browser import RAW, Browser, driven, load

pytestmark = pytest.mark.live
__all__ = ["load"]

WIDTHS = (390, 1024, 1440)


def made(extra: str = "") -> dict[str, str]:
    tails = ("NNNNUUNNGNNN", "GGGGGGGGUUUU", "GGGG" * 3)
    lines = {f"vault-{extra}{number:02}": "G" * 40 + tails[number % 3] for number in range(9)}
    words = [
        Word(
            kind=WordKind.WAIVER,
            check=f"disk{extra}",
            cluster="vault-00",
            node=None,
            by=f"Ada{extra}",
            said=f"why{extra}",
            expires=date(2026, 4, 25),
        )
    ]
    several = [kept(lines, words=words, about="Secret Server 11.6.000003 → 11.7.000049", owner=f"Vault team{extra}")]
    several.append(kept({"chef": "G" * 45}, source="oslo.db", inventory="chef.toml", owner="Platform"))
    return dict(pages(fleet(several, FIRST + timedelta(days=52, hours=7), 60), (f"bad.db{extra}: damaged",), "1"))


def test_nothing_that_a_history_says_runs(load: Browser) -> None:
    for text in list(made(RAW).values())[-3:]:
        found = load(text)
        assert found.console == []
        assert found.title.endswith(" · preflight")


def test_the_filters_act_on_the_clusters_and_stand_in_the_address(load: Browser) -> None:
    said = driven(
        load,
        made()[INDEX],
        """
  const rows = () => shown("#clusters tr").length, search = document.getElementById("search");
  tell(rows());
  search.value = "chef"; search.dispatchEvent(new Event("input")); tell(rows(), location.hash);
  search.value = ""; search.dispatchEvent(new Event("input"));
  const box = document.querySelector("input[value='OLD GO']");
  box.checked = false; box.dispatchEvent(new Event("input")); tell(rows(), location.hash);
""",
    )
    everything, one, rest = (line.split() for line in said)
    assert everything == ["10"]
    assert one == ["1", "#?q=chef"]
    assert int(rest[0]) < 10
    assert rest[1] == "#?hide=OLD+GO"


def test_a_page_that_nobody_made_anew_says_so(load: Browser) -> None:
    script = """const told = document.getElementById("aged"); tell(told.hidden, told.textContent);"""
    (said,) = driven(load, made()[INDEX], script)
    assert said.startswith("false This page is ")
    assert said.endswith("days old: what it tells was so then.")


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_the_screen(load: Browser, width: int) -> None:
    """What is too wide scrolls inside its own frame, which the keyboard reaches."""
    for text in (made()[INDEX], made()["inventory.vault-01.html"]):
        # A window of headless Chromium is 500 pixels wide at least, so a frame is what is measured.
        page = text.replace("<body>", f'<body id="b"><style>body {{ width: {width}px !important; }}</style>', 1)
        (said,) = driven(
            load,
            page,
            """
  const edge = document.body.getBoundingClientRect().right;
  const over = [...document.querySelectorAll("body *")].filter((one) => !one.closest(".scroll") &&
    one.getClientRects().length && getComputedStyle(one).position === "static" &&
    one.getBoundingClientRect().right > edge + 1);
  const frames = [...document.querySelectorAll(".scroll")].every((one) => one.tabIndex === 0);
  tell(over.length, frames, over.slice(0, 3).map((one) => one.outerHTML.slice(0, 80)));
""",
        )
        assert said.split()[:2] == ["0", "true"], said


def test_it_works_from_a_folder_on_disk(load: Browser, tmp_path: Path) -> None:
    found = made()
    for name, text in found.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (said,) = driven(load, found[INDEX], """tell([...document.querySelectorAll("#clusters a")].map((a) => a.href));""")
    for address in said.split(","):
        assert (tmp_path / address.rsplit("/", 1)[1]).is_file()
