"""From an inventory with waivers to the exit code, every report, and what a quiet night says."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import validate

from reports.scan.json import schema
from scanner.errors import UsageError
from scanner.files.results import read_results
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario

Preflight = Callable[..., Any]
FORMATS = ("html", "junit", "json", "markdown")


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster in which nothing is wrong but the .NET Framework of web2."""
    with Lab(load_scenario("dotnet-4.7.2")) as lab:
        yield lab.write(tmp_path_factory.mktemp("lab"))


def in_days(number: int) -> date:
    return datetime.now(UTC).date() + timedelta(days=number)


def waiver(expires: date, scope: str = 'node = "web2"', check: str = "dotnet-framework", owner: str = "Ada") -> str:
    return f'[[waivers]]\ncheck = "{check}"\n{scope}\nreason = "change 4711"\nowner = "{owner}"\nexpires = {expires}\n'


@pytest.fixture
def scan(preflight: Preflight, inventory: Path, tmp_path: Path) -> Callable[..., tuple[Any, dict[str, Any]]]:
    """`scan(waivers, options...)`: how the scan ended, and its results as JSON."""

    def run(waivers: str, *options: str) -> tuple[Any, dict[str, Any]]:
        file = tmp_path / "waivers.toml"
        file.write_text(waivers, encoding="utf-8")
        reports = [part for kind in FORMATS for part in (f"--{kind}", tmp_path / f"report.{kind}")]
        ended = preflight("scan", inventory, "--waivers", file, *reports, *options)
        results: dict[str, Any] = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
        validate(results, schema())
        return ended, results

    return run


def finding(results: dict[str, Any]) -> dict[str, Any]:
    (row,) = (row for row in results["results"] if (row["check"], row["node"]) == ("dotnet-framework", "web2"))
    return dict(row)


def test_a_no_go_becomes_a_go_and_every_format_says_who_until_when_and_why(scan: Any, tmp_path: Path) -> None:
    ended, results = scan("")
    assert (ended.code, results["verdict"]) == (1, "NO-GO")
    before = finding(results)

    until = in_days(60)
    ended, results = scan(waiver(until) + f'value = "{before["observed"]}"\n')
    assert (ended.code, results["verdict"]) == (0, "GO")
    row = finding(results)
    assert row["status"] == "waived"
    assert row["waiver"] == {
        "owner": "Ada",
        "reason": "change 4711",
        "expires": str(until),
        "value": before["observed"],
    }
    assert all(row[key] == before[key] for key in ("message", "expected", "observed", "remediation", "evidence"))
    assert results["coverage"]["waived"] == 1

    console = " ".join(ended.out.split())
    assert console.startswith("GO Nothing stands in the way; 1 finding waived.")
    markdown = (tmp_path / "report.markdown").read_text(encoding="utf-8")
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    case = next(
        case
        for case in ET.parse(tmp_path / "report.junit").getroot().iter("testcase")  # noqa: S314  written just now
        if case.get("name") == "dotnet-framework [web2]"
    )
    (skipped,) = case
    assert skipped.tag == "skipped"
    for told in (console, markdown, html, skipped.get("message"), skipped.text):
        assert told
        assert f"by Ada until {until}" in told
        assert "change 4711" in told
        assert ".NET Framework 4.7.2" in told
    assert re.search(r'<a class="s-waived" href="#vault\.web2\.dotnet-framework">waived</a>', html)

    ended, _ = scan(waiver(until), "-v")
    assert re.search(r"WAIVED +dotnet-framework", ended.out)
    assert "observed" in ended.out


def test_the_day_after_its_last_it_counts_again(scan: Any) -> None:
    # The last day and the day after may be told apart by a clock that strikes midnight in between: two days it is.
    assert scan(waiver(in_days(1)))[0].code == 0
    ended, results = scan(waiver(in_days(-1)))
    assert (ended.code, finding(results)["status"]) == (1, "fail")
    assert f"a waiver by Ada expired on {in_days(-1)}" in finding(results)["message"]
    ended, _ = scan(waiver(in_days(-1)), "-q")
    assert "a waiver by Ada expired on" in " ".join(ended.out.split())


def test_a_quiet_night_says_that_one_ends_soon_and_nothing_else(scan: Any, inventory: Path) -> None:
    # A strict night does not go without a critical check that nobody has said enough for.
    assert scan(waiver(in_days(60)), "-q", "--strict")[0].code == 1
    with inventory.open("a", encoding="utf-8") as file:
        file.write('\n[clusters.vault.skip]\nbackup-recent = "another team looks after it"\n')
    ended, _ = scan(waiver(in_days(60)), "-q", "--strict")
    assert (ended.code, ended.out, ended.err) == (0, "", "")
    ended, results = scan(waiver(in_days(7)), "-q", "--strict")
    assert ended.code == 0, "it is advice, and no warning"
    assert f"waivers[1] (dotnet-framework on vault.web2, Ada) ends on {in_days(7)}" in " ".join(ended.out.split())
    assert f"the waiver by Ada ends on {in_days(7)}" in finding(results)["message"]
    assert any("ends on" in notice for notice in results["notices"])


def test_a_quiet_night_says_what_lapsed_of_a_warning(scan: Any) -> None:
    lapsed = f'[[attestations]]\nstatement = "restored"\nby = "Kim"\ndate = 2020-01-01\nexpires = {in_days(-2)}\n'
    ended, results = scan(waiver(in_days(60)) + lapsed, "-q")
    assert ended.code == 0
    assert "nobody vouches for it now" in " ".join(ended.out.split())
    assert [row["status"] for row in results["results"] if row["check"] == "attestations"] == ["warn"]
    assert scan(waiver(in_days(60)) + lapsed, "--strict")[0].code == 1


def test_an_attestation_is_in_every_report_and_changes_nothing(scan: Any, tmp_path: Path) -> None:
    said = (
        '[[attestations]]\nstatement = "the restore <b>works</b>"\nby = "Kim"\ndate = 2020-01-01\n'
        f'expires = {in_days(90)}\ncheck = "dotnet-framework"\nnode = "web2"\n'
    )
    ended, results = scan(said)
    assert (ended.code, finding(results)["status"]) == (1, "fail")
    assert results["attestations"] == [
        {
            "statement": "the restore <b>works</b>",
            "by": "Kim",
            "date": "2020-01-01",
            "expires": str(in_days(90)),
            "standing": "holds",
            "check": "dotnet-framework",
            "cluster": "vault",
            "node": "web2",
        }
    ]
    told = [ended.out] + [(tmp_path / f"report.{kind}").read_text(encoding="utf-8") for kind in FORMATS]
    for text in (told[0], *told[1:3], told[4]):
        assert re.search(rf"works.* - Kim on 2020-01-01, holds until {in_days(90)}", " ".join(text.split()))
    assert "<b>works" not in told[1]


def test_an_unused_one_is_told_by_a_whole_scan_alone(scan: Any) -> None:
    unused = waiver(in_days(60), 'node = "web1"') + waiver(in_days(60))
    said = "waivers.toml: waivers[1] (dotnet-framework on vault.web1, Ada) waives nothing here"
    whole = scan(unused)[1]["notices"]
    assert [notice for notice in whole if "waives" in notice] == [f"{said}; take it out"]
    for options in (
        ("--check", "windows-version"),
        ("--node", "web2"),
        ("--skip-check", "disk-space"),
        ("--target", "vault=11.7.000049"),
        ("--phase", "after"),
    ):
        assert not [notice for notice in scan(unused, *options)[1]["notices"] if "waives" in notice]


def test_evidence_is_judged_with_the_waivers_of_the_day(
    preflight: Preflight, scan: Any, inventory: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "evidence.json.gz"
    assert preflight("collect", inventory, "-o", kept).code == 0
    for days, code in ((60, 0), (-1, 1)):
        ended, results = scan(waiver(in_days(days)), "--from", kept)
        assert ended.code == code
        assert finding(results) == finding(scan(waiver(in_days(days)))[1])


def test_all_findings_waived_is_no_go_by_itself(scan: Any) -> None:
    ended, results = scan(waiver(in_days(60)), "--check", "dotnet-framework", "--node", "web2")
    assert (ended.code, results["verdict"]) == (3, "UNKNOWN")
    assert "All that was evaluated is waived" in ended.out


def test_validate_tells_what_to_look_at(preflight: Preflight, scan: Any, inventory: Path, tmp_path: Path) -> None:
    file, results = tmp_path / "waivers.toml", tmp_path / "report.json"
    good = waiver(in_days(60))
    scan(good)
    assert "no problems found" in preflight("validate", inventory, "--waivers", file, "--results", results).out

    other = 'value = "something else"\n'
    scan(
        good
        + waiver(in_days(-1), 'node = "web1"')
        + waiver(in_days(3), 'node = "web3"', "windows-version")
        + waiver(in_days(60))
        + other
    )
    ended = preflight("validate", inventory, "--waivers", file)
    assert ended.code == 0, "they make no inventory wrong"
    assert "can be used, and 2 things to look at" in ended.out
    assert f"(dotnet-framework on vault.web1, Ada): expired on {in_days(-1)}" in ended.out
    assert f"(windows-version on vault.web3, Ada): ends on {in_days(3)}" in ended.out
    lines = preflight("validate", inventory, "--waivers", file, "--results", results).out.splitlines()
    assert [re.sub(r".*waivers\[(\d)\].* Ada\): (\w+).*", r"\1 \2", line) for line in lines if "waivers[" in line] == [
        "2 expired",
        "2 unused",
        "3 ends",
        "3 unused",
        "4 void",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no JSON"),
        ("[]", "are no results in the format preflight.result/1"),
        ('{"schema": "preflight.result/2"}', "are no results in the format preflight.result/1"),
        ('{"schema": "preflight.result/1", "results": 3}', "results is no list"),
        ('{"schema": "preflight.result/1", "results": [3]}', "results[0] is no object"),
        ('{"schema": "preflight.result/1", "results": [{"node": null}]}', "results[0].status is missing"),
        (
            '{"schema": "preflight.result/1", "results": [{"node": null, "status": "ok"}]}',
            "results[0].status is no status",
        ),
        ("[" * 100_000, "nested too deeply"),
        ("\udcff", "no JSON"),
    ],
)
def test_results_that_are_none(content: str, said: str, preflight: Preflight, inventory: Path, tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    file.write_bytes(content.encode("utf-8", "surrogateescape"))
    ended = preflight("validate", inventory, "--results", file)
    assert ended.code == 2
    assert said in " ".join(ended.err.split())
    assert "wrote" in ended.err
    missing = preflight("validate", inventory, "--results", tmp_path / "none")
    assert (missing.code, "there is no such file" in missing.err) == (2, True)


ROW = {"check": "a", "title": "A", "severity": "low", "cluster": "c", "node": None, "status": "skip", "message": "m"}
FULL = ROW | {"expected": "", "observed": "o"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(FULL)), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(change=st.dictionaries(st.sampled_from(sorted(FULL)), JSON, max_size=2), raw=st.binary(max_size=20), whole=JSON)
def test_no_file_ends_in_anything_but_results_or_a_clear_error(change: Any, raw: bytes, whole: Any) -> None:
    document = {"schema": "preflight.result/1", "results": [FULL, FULL | change]}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "results.json"
        for content in (json.dumps(document).encode(), raw, json.dumps(whole).encode()):
            file.write_bytes(content)
            with contextlib.suppress(UsageError):
                assert read_results(file)[0].check == "a"
