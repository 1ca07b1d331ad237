"""Who accepts a finding, until when and why, and what people vouch for: in every format, as text and nothing else."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import jsonschema
import pytest

from checks.engine.acceptance.model import Attestation, Attested, Expiry, Waiver
from checks.outcome import Result
from checks.scan import Scan
from reports.render import console, markdown
from reports.scan import html, junit
from reports.scan import json as json_report

MakeResult = Callable[..., Result]
MakeScan = Callable[..., Scan]

LONG = "the application pool runs in Classic mode, " * 20
FORMATS: dict[str, Callable[[Scan], str]] = {
    "console": lambda scan: console.render(scan, color=False, width=4000),
    "verbose": lambda scan: console.render(scan, color=False, width=4000, verbose=True),
    "html": html.render,
    "json": json_report.render,
    "junit": junit.render,
    "markdown": markdown.render,
}


def waiver(owner: str, reason: str = "rebuilt in the window", **more: str) -> Waiver:
    made = Waiver(check="size", cluster="prod", node=None, reason=reason, owner=owner, expires=date(2026, 12, 31))
    return replace(made, **more)  # type: ignore[arg-type]


def word(standing: Expiry, statement: str = "it was restored") -> Attested:
    said = Attestation(
        statement=statement,
        by="Kim Keeper",
        date=date(2026, 11, 1),
        expires=date(2026, 12, 30),
        cluster="prod",
        node="db1",
    )
    return Attested(said, standing)


@pytest.fixture
def scan(make_result: MakeResult, make_scan: MakeScan) -> Scan:
    rows = [make_result("size", "waived", LONG, node=name, waiver=waiver(name.title())) for name in ("ada", "bob")]
    rows.append(make_result("size", "waived", LONG, node="cyd", waiver=waiver("Ada")))
    rows.append(make_result("other", "pass", "fine", node="ada"))
    return make_scan(tuple(rows), attestations=tuple(word(standing) for standing in Expiry))


@pytest.mark.parametrize("name", FORMATS)
def test_each_says_who_until_when_and_why(scan: Scan, name: str) -> None:
    text = FORMATS[name](scan)
    for told in ("Ada", "Bob", "rebuilt in the window", "2026-12-31", "it was restored", "Kim Keeper", "2026-12-30"):
        assert told in text
    assert re.search(r"(?i)expired", text)


def test_one_waiver_is_one_entry_with_all_its_nodes(scan: Scan) -> None:
    text = console.render(scan, color=False, width=4000)
    (ada,) = re.findall(r"waived by Ada until .*\n +(.*)", text)
    (bob,) = re.findall(r"waived by Bob until .*\n +(.*)", text)
    assert ada.startswith("vault-prod: ada, cyd")
    assert bob.startswith("vault-prod: bob")
    assert html.render(scan).count('<article class="card s-waived"') == 2


def test_a_waiver_is_a_skip_for_ci_with_the_reason_in_message_and_text(scan: Scan) -> None:
    root = ET.fromstring(junit.render(scan).encode())  # noqa: S314  our own document
    skips = [case[0] for case in root.iter("testcase") if "size" in case.get("name", "")]
    assert len(skips) == 3
    for skip in skips:
        assert skip.tag == "skipped"
        for text in (skip.get("message"), skip.text):
            assert re.match(
                r"waived by (Ada|Bob) until 2026-12-31 \(rebuilt in the window\): the application", text or ""
            )


def test_the_value_that_it_holds_for_is_told(make_result: MakeResult, make_scan: MakeScan) -> None:
    row = make_result("size", "waived", "too big", waiver=waiver("Ada", value="12 GB"))
    for name, render in FORMATS.items():
        assert "12 GB" in render(make_scan((row,))), name


@pytest.mark.parametrize("name", FORMATS)
def test_what_people_write_formats_nothing(name: str, make_result: MakeResult, make_scan: MakeScan) -> None:
    nasty = "<script>alert(1)</script> [x](http://evil.example) \u202e @all `"
    row = make_result("size", "waived", "too big", waiver=waiver(nasty, nasty, value=nasty))
    text = FORMATS[name](make_scan((row,), attestations=(word(Expiry.HOLDS, nasty),)))
    assert "\u202e" not in text
    if name in ("html", "junit", "markdown"):
        assert "<script>alert" not in text
    if name == "markdown":
        assert "[x](" not in text
        assert "@all" not in text.replace("@\u200b", "")


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("waiver", "owner", None),
        ("waiver", "expires", "soon"),
        ("attestation", "standing", "maybe"),
    ],
)
def test_the_schema_takes_both_and_nothing_that_is_wrong(scan: Scan, part: str, key: str, value: str | None) -> None:
    found = json.loads(json_report.render(scan))
    jsonschema.validate(found, json_report.schema())
    assert "waiver" not in found["results"][3]
    spoilt = found["results"][0]["waiver"] if part == "waiver" else found["attestations"][0]
    spoilt[key] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, json_report.schema())


def test_a_quiet_console_says_the_reminders_alone(scan: Scan) -> None:
    reminded = replace(scan, notices=("a waiver ends", "something else"), reminders=("a waiver ends",))
    text = console.render(reminded, color=False, width=100, quiet=True)
    assert "a waiver ends" in text
    assert "something else" not in text
    assert "WAIVED" not in text
