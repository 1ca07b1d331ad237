"""Drift in every format: old and new, each cause once, nothing a node says gets out of hand."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest
from lxml import etree

from checks.baseline.drift import Approval, CheckRow, Difference, Drift, FactRow, GapRow, NodeRow
from checks.baseline.snapshot import CheckKey as Judged
from checks.baseline.snapshot import FactKey
from checks.history.drift_comparison import NODE
from checks.history.model import ClosedFinding, FindingAge, FindingKey, Flapping, ScanHistory
from checks.outcome import Status
from reports.drift import json as json_report
from reports.drift import junit
from reports.render import console, html, markdown
from tests.schemas import closed
from tests.test_reports.conftest import HOSTILE
from tests.test_reports.scan.test_report_junit import assert_strict
from tests.test_reports.scan.test_report_markdown import tokens

STARTED = datetime(2026, 11, 21, 2, 15, tzinfo=UTC)


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text.encode())  # noqa: S314  our own document


FORMATS = {
    "console": lambda drift: console.render(drift, color=False, width=100),
    "html": html.render,
    "junit": junit.render,
    "json": json_report.render,
    "markdown": markdown.render,
}


def fact(
    path: str, difference: str, old: Any = None, new: Any = None, *, node: str = "web1", note: str = ""
) -> FactRow:
    return FactRow(place=FactKey("vault", node, path), difference=Difference(difference), old=old, new=new, note=note)


def check(name: str, difference: str, old: str, new: str, message: str = "because", node: str = "") -> CheckRow:
    return CheckRow(
        subject=Judged("vault", node, name), difference=Difference(difference), old=old, new=new, message=message
    )


def drift(*facts: FactRow, **more: Any) -> Drift:
    approvals = (
        Approval(at="2026-10-01T08:00:00Z", by="Ada", reason="first baseline", scope="everything", tool="0.1.0"),
    )
    plain = Drift(
        tool_version="0.1.0",
        started=STARTED,
        finished=STARTED + timedelta(seconds=3),
        inventory="i.toml",
        baseline="i.baseline.json",
        approvals=approvals,
        facts=facts,
        checks=(),
    )
    return replace(plain, **more)


@pytest.fixture
def rich() -> Drift:
    facts = [fact("windows-version.build", "changed", 17763, 20348, node=node) for node in ("web1", "web2")]
    facts += [
        fact("app-files.files[a.dll].version", "changed", "11.6", "11.7", note="newer"),
        fact("linux-disks.drives[/new].kind", "appeared", None, "xfs"),
        fact("linux-disks.drives[/old].kind", "disappeared", "ext4", None),
        fact("app-tree.folders[\\bin].files", "changed", ("a 1", "b 1"), ("a 1", "b 2")),
        fact("web-root.path", "same", "C:\\SecretServer", "C:\\SecretServer"),
        fact("encryption-config.sha256", "not-compared", "0a", None, node="web3", note="access denied"),
        fact("encryption-config.efs", "not-compared", "no", None, node="web3", note="access denied"),
    ]
    return drift(
        *facts,
        gaps=(GapRow(FactKey("vault", "web3", "encryption-config"), "access denied"),),
        checks=(
            check("app-version-match", "changed", "pass", "fail", "web2 differs"),
            check("windows-version", "better", "fail", "pass", node="web1"),
            check("encryption-config-match", "not-compared", "pass", "error", "access denied"),
            check("disk-space", "same", "pass", "pass", node="web1"),
        ),
        nodes=(
            NodeRow("vault", "web9", Difference.DISAPPEARED),
            NodeRow("vault", "web4", Difference.APPEARED),
        ),
        notices=("only a part was looked at",),
    )


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_every_format_tells_old_and_new_and_the_verdict(kind: str, rich: Drift) -> None:
    text = FORMATS[kind](rich)
    for part in (
        "DRIFT",
        "windows-version.build",
        "17763",
        "20348",
        "web9",
        "web4",
        "app-version-match",
        "access denied",
    ):
        assert part in text, part
    assert "only a part was looked at" in text


def dated(rich: Drift) -> Drift:
    """The same with a history: one fact is as it was three nights ago on one node, and new on the other."""
    old, before = STARTED - timedelta(days=3), STARTED - timedelta(days=1)

    def stands(name: str, node: str | None, since: datetime, runs: int, status: Status = Status.FAIL) -> FindingAge:
        return FindingAge(
            subject=FindingKey(name, "vault", node),
            status=status,
            since=since,
            open_start=False,
            runs=runs,
            new=runs == 1,
            before=None,
        )

    return replace(
        rich,
        history=ScanHistory(
            last=before,
            standings=(
                stands("windows-version.build", "web1", old, 3),
                stands("windows-version.build", "web2", STARTED, 1),
                stands("app-version-match", None, old, 3),
                stands("encryption-config.*", "web3", old, 3, Status.ERROR),
                stands(NODE, "web4", before, 2),
            ),
            resolved=(
                ClosedFinding(
                    subject=FindingKey("linux-disks.drives[/tmp].kind", "vault", "web1"),
                    was=Status.FAIL,
                    message="appeared",
                    since=old,
                    open_start=True,
                    runs=2,
                    now=Status.PASS,
                ),
            ),
            flapping=(Flapping(FindingKey("windows-version.build", "vault", "web1"), 4, 10),),
        ),
    )


def test_every_format_but_junit_tells_since_when(rich: Drift) -> None:
    told = dated(rich)
    for kind in ("console", "html", "markdown"):
        text = " ".join(FORMATS[kind](told).split())
        assert "since the run of 2026-11-20 02:15 UTC: 1 new, 1 resolved, 4 as before, 1 flapping" in text
        assert "since 2026-11-18 (3 runs), flapping: 4 changes in 10 runs (vault: web1)" in text
        assert "new (vault: web2)" in text
        assert "since 2026-11-20 (2 runs)" in text
        assert (
            "linux-disks.drives[/tmp].kind on vault/web1: was appeared since 2026-11-18 or before (2 runs)"
            in text.replace("\\", "")
        )
    said = FORMATS["console"](told)
    assert "    history  since 2026-11-18 (3 runs)\n" in said, "of the check"
    assert "    history  since 2026-11-18 (3 runs) (vault: web3)\n" in said, "of what was not compared there"
    assert FORMATS["junit"](told) == FORMATS["junit"](rich), "names and texts of cases stay as they are"
    document = json.loads(FORMATS["json"](told))
    jsonschema.validate(document, closed(json_report.schema()))
    assert document["history"]["findings"][3] == {
        "cluster": "vault",
        "node": "web3",
        "name": "encryption-config.*",
        "compared": False,
        "since": "2026-11-18T02:15:00.000Z",
        "since_or_before": False,
        "runs": 3,
        "new": False,
    }
    assert "history" not in json.loads(FORMATS["json"](rich))


def test_the_first_run_of_a_history_says_so(rich: Drift) -> None:
    first = replace(rich, history=ScanHistory(last=None))
    for kind in ("console", "html", "markdown"):
        assert "the first run in this history" in FORMATS[kind](first)
    jsonschema.validate(json.loads(FORMATS["json"](first)), closed(json_report.schema()))


def test_the_console_joins_nodes_and_shows_only_the_lines_that_differ(rich: Drift) -> None:
    text = FORMATS["console"](rich)
    assert "windows-version.build  changed\n    - 17763\n    + 20348\n    on vault: web1, web2\n" in text
    assert "app-files.files[a.dll].version  changed, newer" in text
    assert "    - b 1\n    + b 2\n" in text
    assert "a 1" not in text
    assert "web-root.path" not in text
    assert "encryption-config - check" not in text
    assert text.count("access denied") == 1
    assert "C:\\SecretServer" in console.render(rich, color=False, width=100, verbose=True)
    quiet = console.render(rich, color=False, width=100, quiet=True)
    assert "CHECKS THAT PASS NOW" not in quiet
    assert "17763" in quiet


def test_a_node_that_is_down_is_one_entry() -> None:
    down = drift(
        *(fact(f"disks.drives[{letter}:].kind", "not-compared", "", None, note="node unreachable") for letter in "CDE"),
        gaps=(GapRow(FactKey("vault", "web1", ""), "node unreachable: refused"),),
        checks=(
            check(
                "disk-space",
                "not-compared",
                "pass",
                "not-evaluated",
                "not evaluated: node unreachable: refused",
                "web1",
            ),
        ),
    )
    assert "node unreachable: refused\n    vault: web1\n" in FORMATS["console"](down)
    root = parsed(FORMATS["junit"](down))
    assert sum(int(suite.get("errors", "")) for suite in root) == 1
    assert sum(int(suite.get("failures", "")) for suite in root) == 0
    assert FORMATS["console"](down).startswith("UNKNOWN")


def test_junit_has_a_case_per_fact_with_a_name_that_stays(rich: Drift) -> None:
    root = parsed(FORMATS["junit"](rich))
    names = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert len(names) == len(set(names))
    assert ("vault.web1", "web-root.path [web1]") in names
    same = replace(rich, facts=tuple(replace(row, difference=Difference.SAME, note="") for row in rich.facts))
    after = [(case.get("classname"), case.get("name")) for case in parsed(FORMATS["junit"](same)).iter("testcase")]
    assert names == after
    assert sum(int(suite.get("failures", "")) for suite in root) == 6 + 1 + 2


def test_junit_names_that_look_alike_stay_apart_and_stay() -> None:
    """Whatever could be read of which node."""
    nodes = ["a_b", "a.b", "cluster"]
    rows = [
        replace(fact("disks.system", "same", "C:", "C:"), place=FactKey("v", node, "disks.system")) for node in nodes
    ]

    def names(done: Drift) -> dict[str | None, str | None]:
        cases = parsed(FORMATS["junit"](done)).iter("testcase")
        return {case.get("name"): case.get("classname") for case in cases if "compared" in str(case.get("name"))}

    whole = names(drift(*rows, checks=(check("clock-skew", "same", "pass", "pass", "", ""),)))
    assert len(set(whole.values())) == 4
    lost = drift(*rows[1:], gaps=(GapRow(FactKey("v", "a_b", ""), "down"),))
    assert names(replace(lost, checks=(check("clock-skew", "same", "pass", "pass", "", ""),))) == whole


def test_json_is_valid_against_its_schema(rich: Drift) -> None:
    jsonschema.Draft202012Validator.check_schema(json_report.schema())
    found = json.loads(FORMATS["json"](rich))
    jsonschema.validate(found, closed(json_report.schema()))
    assert found["counts"] == {"same": 1, "changed": 4, "appeared": 1, "disappeared": 1, "not-compared": 2}
    assert found["exit_code"] == 1
    assert found["unread"] == [
        {"cluster": "vault", "node": "web3", "fact": "encryption-config", "reason": "access denied"}
    ]


def test_the_page_has_old_and_new_side_by_side(rich: Drift) -> None:
    page = FORMATS["html"](rich)
    row = re.search(r"<code>windows-version.build</code>.*?</tr>", page, re.DOTALL)
    assert row
    assert re.search(r"side-old.*17763.*side-new.*20348", row[0], re.DOTALL)
    assert "http" not in re.sub(r"http-equiv", "", page)
    assert "style=" not in page
    assert ">2 not compared<" in page
    assert ">5 not as approved, 1 as approved<" in page
    assert "0 as approved" not in page
    assert "`" not in page.split("What next")[1].split("</section>")[0]


def test_no_drift_says_how_much_was_compared() -> None:
    text = FORMATS["console"](drift(fact("disks.system", "same", "C:", "C:")))
    assert text.startswith("NO DRIFT  Everything is as approved: 1 fact on 1 node.")
    assert "CHECKS" not in text
    assert "What next" not in FORMATS["html"](drift(fact("disks.system", "same", "C:", "C:")))


def test_nothing_compared_is_an_error_in_junit() -> None:
    root = parsed(FORMATS["junit"](drift()))
    assert [suite.get("errors") for suite in root] == ["1"]
    assert FORMATS["console"](drift()).startswith("UNKNOWN  Nothing was compared.")


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_thousands_of_differences_stay_readable(kind: str) -> None:
    facts = [fact(f"app-files.files[{n}.dll].version", "changed", "1", str(n), note="newer") for n in range(3_000)]
    text = FORMATS[kind](drift(*facts))
    if kind in ("console", "markdown"):
        assert text.count("\n") < 400
        assert "more" in text
    if kind == "markdown":
        assert len(text) < 60_000


@pytest.mark.parametrize("difference", ["changed", "not-compared"])
@pytest.mark.parametrize("kind", ["console", "markdown"])
def test_what_hundreds_of_clusters_have_in_common_names_some_of_them(kind: str, difference: str) -> None:
    facts = [
        FactRow(place=FactKey(f"c{n}", "web1", "a.b"), difference=Difference(difference), old="1", new="2", note="why")
        for n in range(400)
    ]
    text = FORMATS[kind](drift(*facts))
    assert "c11: web1; 388 more clusters" in text
    assert "c12" not in text


CHECKED = (Difference.CHANGED, Difference.BETTER, Difference.NOT_COMPARED, Difference.SAME)


def hostile() -> Drift:
    rows: list[FactRow] = []
    checks, gaps, nodes = [], [], []
    for number, text in enumerate([*HOSTILE, "x" * 100_000, "<" * 100_000]):
        place = FactKey(f"c{text[:50]}", f"n{number}{text[:300]}", f"kind.rows[{text}].value")
        rows += [
            FactRow(
                place=place._replace(path=f"{place.path}.{kind}"), difference=kind, old=text, new=(text, "b"), note=text
            )
            for kind in Difference
            if kind is not Difference.BETTER
        ]
        rows.append(FactRow(place=place, difference=Difference.CHANGED, old=(text,), new=(text, "c"), note=""))
        checks += [
            CheckRow(
                subject=Judged(place.cluster, place.node, text), difference=kind, old="pass", new="fail", message=text
            )
            for kind in CHECKED
        ]
        gaps.append(GapRow(place, text))
        nodes.append(NodeRow(place.cluster, text, Difference.APPEARED))
    approvals = (Approval(at=HOSTILE[0], by=HOSTILE[1], reason=HOSTILE[6], scope=HOSTILE[11], tool=HOSTILE[2]),)
    about = [FindingKey(row.place.path, row.place.cluster, row.place.node) for row in rows]
    about += [FindingKey(NODE, row.cluster, row.node) for row in nodes]
    about += [FindingKey(f"{gap.place.path}.*", gap.place.cluster, gap.place.node) for gap in gaps]
    stands = (
        FindingAge(subject=subject, status=Status.FAIL, since=STARTED, open_start=True, runs=2, new=False, before=None)
        for subject in about
    )
    over = (
        ClosedFinding(
            subject=subject, was=Status.FAIL, message=subject.check, since=STARTED, open_start=True, runs=2, now=None
        )
        for subject in about
    )
    return drift(
        *rows,
        history=ScanHistory(
            last=STARTED,
            standings=tuple(stands),
            resolved=tuple(over),
            flapping=tuple(Flapping(one, 3, 4) for one in about),
        ),
        checks=tuple(checks),
        gaps=tuple(gaps),
        nodes=tuple(nodes),
        notices=HOSTILE,
        inventory=HOSTILE[0],
        baseline=HOSTILE[6],
        approvals=approvals,
        tool_version=HOSTILE[1],
    )


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_hostile_values_stay_text(kind: str) -> None:
    text = FORMATS[kind](hostile())
    text.encode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\ufeff\ufffe\uffff]", text)
    if kind == "html":
        assert "<script>document" not in text
        assert "<img src" not in text
        assert text.count("<script>") == 1
        assert len(text) < 5_000_000
    if kind == "junit":
        assert_strict(parsed(text))
        names = [(case.get("classname"), case.get("name")) for case in parsed(text).iter("testcase")]
        assert len(names) == len(set(names))
    if kind == "json":
        jsonschema.validate(json.loads(text), closed(json_report.schema()))
    if kind == "markdown":
        kinds = {token.type for token in tokens(text)}
        assert not kinds & {"html_block", "link_open", "image"}
        assert {token.content for token in tokens(text) if token.type == "html_inline"} <= {"<sub>", "</sub>"}
        said = [token.content for token in tokens(text) if token.type == "text"]
        assert not [line for line in said if "@everyone" in line]


def test_a_page_of_hostile_values_parses_as_it_was_meant() -> None:
    tree = etree.HTML(FORMATS["html"](hostile()).encode())
    assert tree is not None
    assert len(tree.findall(".//script")) == 1
    assert not [node for node in tree.iter() if any(str(name).startswith("on") for name in node.attrib)]


def test_a_terminal_counts_what_does_not_fit_and_verbose_and_files_name_more() -> None:
    many = drift(*(fact(f"app-files.files[{number}.dll].version", "changed", "1", "2") for number in range(70)))
    plain = console.render(many, color=False, width=100)
    assert "[59.dll]" in plain
    assert "[60.dll]" not in plain
    assert "... and 10 more; -v and the reports in files name them all" in plain
    assert "[69.dll]" in console.render(many, color=False, width=100, verbose=True)
    short = markdown.render(many)
    assert "[39.dll]" in short
    assert "[40.dll]" not in short
    assert "- and 30 more\n" in short
    assert "[69.dll]" in html.render(many)
