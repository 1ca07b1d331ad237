"""Where a reader is sent on to: today's page first, and the one that was read beside it, with its day."""

from __future__ import annotations

import pytest

from checks.common import pages
from checks.common.pages import Link, Page, current, links_of

OLD, NEW, MOVED, LOST, PLAIN = (f"https://vendor.example/{word}" for word in ("old", "new", "moved", "lost", "plain"))
KNOWN = {
    OLD: Page("Upgrading", as_of="as of 2021", now=NEW),
    NEW: Page("Upgrade"),
    MOVED: Page("Moving", now=NEW),
    LOST: Page("Losing", as_of="as of 2021"),
    PLAIN: Page("Staying"),
}


@pytest.mark.parametrize(
    ("url", "title", "links"),
    [
        ("", "", ()),
        ("", "A title alone leads nowhere", ()),
        (PLAIN, "", (Link("Staying", PLAIN),)),
        # The vendor's title counts, not what somebody called the page.
        (PLAIN, "Another", (Link("Staying", PLAIN),)),
        ("https://elsewhere.example", "", (Link("https://elsewhere.example", "https://elsewhere.example"),)),
        ("https://elsewhere.example", "Own words", (Link("Own words", "https://elsewhere.example"),)),
        # A page that only moved is read where it is now; one that says other things today is told beside it.
        (MOVED, "", (Link("Upgrade", NEW),)),
        (OLD, "", (Link("Upgrade", NEW), Link("Upgrading (as of 2021)", OLD))),
        (LOST, "", (Link("Losing (as of 2021; no page of today was found)", LOST),)),
    ],
)
def test_a_reader_is_sent_to_todays_page_first(
    url: str, title: str, links: tuple[Link, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "PAGES", KNOWN)
    assert links_of(url, title) == links
    assert current(url) == (links[0].url if links else "")
