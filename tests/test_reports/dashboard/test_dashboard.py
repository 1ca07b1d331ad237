"""The fleet's pages: what decides comes first, every picture has its words, and nothing of others gets in."""

from __future__ import annotations

import re
from datetime import date, timedelta
from urllib.parse import unquote

import pytest
from lxml import html as lxml_html

from checks.history.fleet import Night, fleet
from checks.history.kept import Kept, Word, WordKind
from reports.dashboard.nights import night_strip, spans
from reports.dashboard.pages import pages, summary
from reports.scan.page.folder import INDEX
from tests.test_reports.dashboard.fleets import FIRST, kept, past

HOSTILE = "<script>alert(1)</script>\u202e&\"'"


def made(*histories: Kept, night: float = 9, nights: int = 30, notices: tuple[str, ...] = ()) -> dict[str, str]:
    return dict(pages(fleet(histories, FIRST + timedelta(days=night, hours=10), nights), notices, "1.2.3"))


def parsed(text: str) -> lxml_html.HtmlElement:
    return lxml_html.document_fromstring(text)


def words(text: str) -> str:
    root = parsed(text)
    for script in root.xpath("//script | //style"):
        script.drop_tree()
    return " ".join(" ".join(root.itertext()).split())


def test_the_worst_clusters_come_first_and_each_has_its_page() -> None:
    lines = {"good": "G" * 10, "down": "G" * 9 + "U", "bad": "G" * 7 + "NNN", "old": "G" * 10}
    found = made(kept(lines, about="Chef Backend 2.2 → 2.3", owner="Ada"))
    assert list(found)[-1] == INDEX
    root = parsed(found[INDEX])
    links = root.xpath("//tbody[@id='clusters']//th/a")
    assert [link.text for link in links] == ["bad", "down", "good", "old"]
    assert [b.text for b in root.xpath("//tbody[@id='clusters']//td[1]/b")] == ["NO-GO", "UNKNOWN", "GO", "GO"]
    assert root.xpath("//h1/text()") == ["2 of 4 GO"]
    for link in links:
        page = parsed(found[unquote(link.get("href"))])
        assert page.xpath(f"//a[@href='{INDEX}']")
        assert link.text in page.xpath("string(//title)")
    assert "C: 3 GiB free, 10 GiB wanted" in words(found["inventory.bad.html"])
    assert "C: 3 GiB free" not in words(found["inventory.good.html"])
    assert "Chef Backend 2.2 → 2.3" in words(found["inventory.good.html"])


def test_a_go_that_is_too_old_is_not_shown_as_one() -> None:
    found = made(kept({"vault": "G" * 10}), night=14)
    text = words(found[INDEX])
    assert "0 of 1 GO" in text
    assert "5 days no run since; 5 were due" in text
    page = parsed(found["inventory.vault.html"])
    assert page.xpath("//h1/text()") == ["OLD GO"]
    assert not page.xpath("//header[contains(@class, 'v-go')]")


def test_what_is_new_names_the_places_once() -> None:
    names = {f"site-{number:02}": "G" * 8 + "NN" for number in range(20)}
    root = parsed(made(kept(names | {"other": "N" * 10}))[INDEX])
    (line,) = root.xpath("//section[@aria-labelledby='h-new']//li")
    text = " ".join(" ".join(line.itertext()).split())
    assert text.startswith("fail disk-space: C: 3 GiB free, 10 GiB wanted since 2026-03-10 site-00/n1 site-01/n1")
    assert text.endswith("site-11/n1 and 8 more")
    assert "other" not in text, "it may have been there for ever"


def test_flapping_ends_and_runs_that_did_not_happen_are_told() -> None:
    ends = [
        Word(
            kind=WordKind.WAIVER,
            check="disk-space",
            cluster="vault",
            node="web1",
            by="Ada",
            said="new disk",
            expires=date(2026, 3, 20),
        ),
        Word(
            kind=WordKind.ATTESTATION,
            check="",
            cluster="",
            node=None,
            by="Bob",
            said="backed up",
            expires=date(2026, 3, 9),
        ),
    ]
    found = made(kept({"vault": "GNGN.GNGNG"}, words=ends))
    text = words(found[INDEX])
    assert "disk-space: 8 changes in 9 runs vault/n1" in text
    assert "2026-03-09 ended 2 days ago attestation the inventory Bob backed up" in text
    assert "2026-03-20 in 9 days waiver disk-space on vault/web1 Ada new disk" in text
    assert "scan every day, about 02:15 UTC 2026-03-11 02:15 UTC" in text
    assert "1 2026-03-06" in text
    page = words(found["inventory.vault.html"])
    assert "2026-03-06 a run was due and did not happen" in page
    assert page.index("2026-03-07 02:15") < page.index("2026-03-06 a run") < page.index("2026-03-05 02:15")


def test_every_picture_has_its_words() -> None:
    found = made(kept({"vault": "GGGNN.GUGG"}), nights=12)
    for text in found.values():
        for svg in parsed(text).xpath("//svg[not(@aria-hidden)]"):
            assert svg.get("role") == "img"
            assert svg.get("aria-label")
    (told,) = parsed(found[INDEX]).xpath("//svg[@class='nights']/@aria-label")
    assert told == (
        "12 nights: 2 NO-GO (2026-03-05 to 2026-03-06); 1 UNKNOWN (2026-03-09); "
        "1 a run that did not happen (2026-03-07); 6 GO"
    )


def test_marks_differ_in_shape_too() -> None:
    strip = night_strip([Night(date(2026, 3, 1), mark) for mark in ("go", "no-go", "unknown", "missed", "")])
    shapes = [re.sub(r"M\d+ ", "M ", path) for _, path in strip.paths]
    assert len(set(shapes)) == len(shapes) == 4


def test_many_stretches_of_days_are_cut_with_a_count() -> None:
    days = [date(2026, 3, 1) + timedelta(days=2 * number) for number in range(10)]
    assert spans(days).startswith("4 times before, 2026-03-09, ")
    assert spans(days[:7]).count(",") == 6


def test_histories_and_inventories_of_one_name_are_told_apart() -> None:
    found = made(
        kept({"vault": "GGGG"}, source="oslo.db"),
        kept({"vault": "NNNN"}, source="paris.db"),
        kept({"vault": "UUUU"}, source="paris.db", inventory="test/inventory.toml"),
        night=3,
    )
    assert set(found) == {INDEX, "inventory.vault.html", "inventory.vault-2.html", "inventory.vault-3.html"}
    text = words(found[INDEX])
    for place in ("inventory.toml in oslo.db", "inventory.toml in paris.db", "test/inventory.toml in paris.db"):
        assert place in text
    assert "in paris.db" not in words(made(kept({"vault": "GGGG"}, source="paris.db"), night=3)[INDEX])


def test_nothing_that_a_history_says_becomes_markup() -> None:
    run = past(4, {HOSTILE: "N"}, scope=f"--skip-check {HOSTILE}", about=HOSTILE, owner=HOSTILE)
    word = Word(
        kind=WordKind.WAIVER,
        check=HOSTILE,
        cluster=HOSTILE,
        node=HOSTILE,
        by=HOSTILE,
        said=HOSTILE,
        expires=date(2026, 3, 9),
    )
    found = made(
        kept({}, further=[run], source=HOSTILE, inventory=HOSTILE, words=[word]),
        kept({HOSTILE: "GNGNGN"}, source="other"),
        night=5,
        notices=(HOSTILE,),
    )
    for name, text in found.items():
        assert re.fullmatch(r"[A-Za-z0-9_.-]+\.html", name)
        assert len(parsed(text).xpath("//script")) == 1
        assert "alert(1)" not in "".join(parsed(text).xpath("//script/text()"))
        assert "\u202e" not in text


def test_an_empty_history_makes_a_page_that_is_no_go() -> None:
    found = made()
    assert list(found) == [INDEX]
    assert "0 of 0 GO" in words(found[INDEX])
    assert not parsed(found[INDEX]).xpath("//header[contains(@class, 'v-go')]")


def test_ninety_clusters_in_sixty_nights_are_a_small_page_made_alike_each_time() -> None:
    lines = {
        f"cluster-{number:02}": ("GGNGGUGGG." * 6)[6:][number % 7 :] + "G" * (6 + number % 7) for number in range(90)
    }
    history = kept(lines, about="Secret Server 11.6.000003 → 11.7.000049", owner="Vault team, vault@corp.example")
    one = made(history, night=59, nights=60)
    assert len(one) == 91
    assert len(one[INDEX].encode()) <= 300_000
    assert one == made(history, night=59, nights=60)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ({"a": "GGGG"}, "1 of 1 cluster GO"),
        ({"a": "GGGG", "b": "GGGN", "c": "GGGU"}, "1 of 3 clusters GO, 1 NO-GO, 1 UNKNOWN"),
    ],
)
def test_the_summary_is_one_line(lines: dict[str, str], told: str) -> None:
    assert summary(fleet([kept(lines)], FIRST + timedelta(days=3), 30)) == told
