"""A month of nightly runs in the lab: nothing that was planted is missed, and nothing is invented.

`month.toml` is the month. Each night a lab is started with that night's nodes, they are asked over real sockets as cron
would ask them, and the reports are held to what was planted. The clock alone is not real.
"""

from __future__ import annotations

import contextlib
import html
import io
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Any, Self
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from checks.check import ClusterCheck
from checks.engine.evaluation import applies_to
from checks.outcome import Status
from checks.registry import BUILTIN
from checks.scan import CONNECTIVITY
from reports.drift.json import schema as drift_schema
from reports.scan.json import schema as scan_schema
from scanner.lab.lab import Lab
from scanner.lab.scenario_tables import deep_merge, read_scenario
from tests.schemas import closed

Table = dict[str, Any]
PLAN: Table = tomllib.loads((Path(__file__).parent / "month.toml").read_text(encoding="utf-8"))
NIGHTS: list[Table] = PLAN["night"]
APPROVED: date = PLAN["approved"]
AWAKE = [number for number, night in enumerate(NIGHTS, 1) if night.get("runs", True)]
FORMATS = ("json", "markdown", "junit", "html")


class Clock(datetime):
    """The machine's clock, in the one place where the product asks it."""

    moment = datetime.combine(APPROVED, time(12), UTC)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Self:
        return cls.fromtimestamp(cls.moment.timestamp(), tz)


def day(number: int) -> date:
    return APPROVED + timedelta(days=number)


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str
    err: str


def preflight(moment: datetime, *arguments: object) -> Ended:
    """The command line in this process, at that time."""
    from scanner.cli import main

    said = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2)]
    code: object = 0
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as streams:
        patch.setattr(sys, "argv", ["preflight", *map(str, arguments)])
        patch.setattr("scanner.clock.datetime", Clock)
        patch.setattr(Clock, "moment", moment)
        patch.setenv("COLUMNS", "100")
        streams.enter_context(contextlib.redirect_stdout(said[0]))
        streams.enter_context(contextlib.redirect_stderr(said[1]))
        try:
            main()
        except SystemExit as leaving:
            code = leaving.code
    out, err = (stream.detach().getvalue().decode() for stream in said)
    assert isinstance(code, int)
    return Ended(code, out, err)


@dataclass(frozen=True, slots=True)
class Report:
    """What one command of one night left behind."""

    ended: Ended
    document: Table
    text: Mapping[str, str]


@dataclass(slots=True, repr=False, kw_only=True)
class Night:
    """One night as it was."""

    drift: Report | None = None
    scan: Report | None = None
    status: Ended = field(default_factory=lambda: Ended(-1, "", ""))
    approvals: list[Ended] = field(default_factory=list)
    forgotten: Ended | None = None
    approved: dict[str, object] = field(default_factory=dict)
    """The facts of the baseline."""


@dataclass(slots=True, repr=False)
class Month:
    """The administrator, the cron job, and what has changed for good."""

    folder: Path
    table: Table = field(default_factory=lambda: dict(PLAN["scenario"]))
    further: str = ""

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory.toml"

    @property
    def history(self) -> Path:
        return self.folder / "preflight.db"

    def play(self) -> list[Night]:
        """The baseline, and all nights."""
        with self._lab(0, {}):
            self._approved(0, "--reason", "as delivered")
        return [self._night(number, plan) for number, plan in enumerate(NIGHTS, 1)]

    def _night(self, number: int, plan: Table) -> Night:
        night = Night()
        if plan.get("runs", True):
            with self._lab(number, plan):
                night.approvals = [self._approved(number - 1, *options) for options in plan.get("before", [])]
                baseline = (self.folder / "inventory.baseline.json").read_text(encoding="utf-8")
                night.approved = json.loads(baseline)["facts"]
                night.scan = self._run("scan", datetime.combine(day(number), time(2, 15), UTC))
                night.drift = self._run("drift", datetime.combine(day(number), time(2, 30), UTC))
        nine = datetime.combine(day(number), time(9), UTC)
        night.status = preflight(nine, "status", "-q", "--max-age", "26h", "--history", self.history)
        if "keep" in plan:
            night.forgotten = preflight(nine, "history", self.history, "--keep", plan["keep"][0])
        return night

    @contextlib.contextmanager
    def _lab(self, number: int, plan: Table) -> Iterator[None]:
        """The nodes of one night: what lasts, what moves by itself, and what is planted."""
        self.table = deep_merge(self.table, {"clusters": plan.get("lasting", {})})
        if not plan.get("waivers", True):
            del self.table["waivers"]
        tonight = deep_merge(deep_merge(self.table, moving(number, self.table)), {"clusters": plan.get("plant", {})})
        self.further += plan.get("inventory", "")
        with Lab(read_scenario(f"night {number}", tonight)) as lab:
            lab.write(self.folder)
            # An authority is read once in a process, and here a process lives through a month of them.
            authority = self.folder / "ca.pem"
            own = authority.rename(self.folder / f"ca-{number}.pem")
            text = self.inventory.read_text(encoding="utf-8").replace(str(authority), str(own))
            self.inventory.write_text(text + self.further, encoding="utf-8")
            yield

    def _approved(self, number: int, *options: str) -> Ended:
        evening = datetime.combine(day(number), time(18), UTC)
        return preflight(evening, "baseline", self.inventory, "--by", "Ada", "-q", *options)

    def _run(self, command: str, moment: datetime) -> Report:
        files = {name: self.folder / f"{command}.{name}" for name in FORMATS}
        options = [option for name, path in files.items() for option in (f"--{name}", path)]
        ended = preflight(moment, command, "-q", self.inventory, "--history", self.history, *options)
        text = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
        return Report(ended, json.loads(text["json"]), text)


def moving(number: int, table: Table) -> Table:
    """What is another value each night on healthy machines."""
    disk = {"C": [120, 80 - number]}
    backups = [
        {"kind": "full", "hours_ago": 1 + number % 7, "device": rf"D:\Backup\{number}.bak"},
        {"kind": "log", "hours_ago": 0.1 * (number % 5)},
    ]
    sql = [{"version": "15.0.2000.5", "databases": [{"version": "11.6.000003", "backups": backups}]}]
    zipped = {
        "age_hours": 2 + number % 5,
        "zip": {"web.config": 900 + number, "encryption.config": 1322, "bin/a.dll": 9},
    }
    vault: Table = {}
    for node in table["clusters"]["vault"]["nodes"]:
        vault[node] = {"windows": {"drives": disk, "ahead_s": 0.1 * (number % 3)}}
    vault["sql1"]["windows"]["sql"] = sql
    vault["web1"]["windows"]["files"] = {rf"D:\Backup\{number}.zip": zipped}
    chef: Table = {}
    for node in table["clusters"]["chef"]["nodes"]:
        elected = "master" if node == f"backend-{1 + number % 3}" else "not_master"
        chef[node] = {
            "linux": {"free_mb": 60_000 - 700 * number, "ahead_s": -0.1 * (number % 3)},
            "chef": {"uptime": f"{27 + number}d 9h {number}m 38s", "es": elected},
        }
    return {"clusters": {"vault": {"nodes": vault}, "chef": {"nodes": chef}}}


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> tuple[Month, list[Night]]:
    played = Month(tmp_path_factory.mktemp("month"))
    return played, played.play()


def place(row: Mapping[str, Any]) -> str:
    return "/".join(filter(None, (row["cluster"], row["node"])))


def shown(value: object) -> str:
    return str(value) if not isinstance(value, bool) else "yes" if value else "no"


def drift_lines(document: Table) -> list[str]:
    """A drift report in the words of the plan."""
    gaps = [(place(row), row["fact"] or "") for row in document["unread"]]
    lines = [f"unread {where} {fact}".rstrip() for where, fact in gaps]
    for row in document["facts"]:
        values = [shown(row[side]) for side in ("old", "new") if row[side] is not None]
        if row["difference"] != "not-compared" or not is_in(row, gaps):
            lines.append(f"{row['difference']} {place(row)} {row['fact']}: {' -> '.join(values)}")
    words = {"changed": "worse", "better": "better", "not-compared": "undecided"}
    lines += [
        f"{words[row['difference']]} {place(row)} {row['check']}: {row['old']} -> {row['new']}"
        for row in document["checks"]
        # The checks of a node that could not be asked go with it.
        if not (row["difference"] == "not-compared" and row["node"] and (place(row), "") in gaps)
    ]
    lines += [f"node {row['difference']} {place(row)}" for row in document["nodes"]]
    return sorted(lines)


def drift_past(document: Table) -> list[str]:
    """What earlier runs say of a drift report, in the words of the plan."""
    history = document["history"]
    lines = [f"{place(item)} {item['name']}, {'new' if item['new'] else past(item)}" for item in history["findings"]]
    lines += [f"resolved {place(item)} {item['name']}, was {item['was']} {past(item)}" for item in history["resolved"]]
    lines += [f"gone {place(item)} {item['name']}" for item in history["not_looked_at"]]
    for item in history["flapping"]:
        lines.append(f"flapping {place(item)} {item['name']}, {item['changes']} changes in {item['runs']} runs")
    return sorted(lines)


def is_in(row: Table, gaps: list[tuple[str, str]]) -> bool:
    return any(place(row) == where and f"{row['fact']}.".startswith(f"{fact}." if fact else "") for where, fact in gaps)


def scan_lines(document: Table) -> list[str]:
    """A scan's report in the words of the plan."""
    history = document["history"]
    known = {(place(item), item["check"]): item for item in history["findings"]}
    lines = []
    for row in document["results"]:
        if row["status"] in ("pass", "skip"):
            continue
        line = f"{row['status']} {place(row)} {row['check']}"
        if history["last_run"]:
            item = known.pop((place(row), row["check"]))
            assert item["status"] == row["status"]
            line += f", {'new' if item['new'] else past(item)}"
        lines.append(line)
    assert not known, "the history knows of findings that the scan does not have"
    lines += [f"resolved {place(item)} {item['check']}, was {item['was']} {past(item)}" for item in history["resolved"]]
    lines += [f"gone {place(item)} {item['check']}" for item in history["not_looked_at"]]
    for item in history["flapping"]:
        lines.append(f"flapping {place(item)} {item['check']}, {item['changes']} changes in {item['runs']} runs")
    return sorted(lines)


def once(number: int) -> str:
    """The past of what was there on one night alone."""
    return f"since {day(number):%m-%d}, 1 run"


def past(item: Table) -> str:
    since = datetime.fromisoformat(item["since"]).strftime("%m-%d")
    before = " or before" if item["since_or_before"] else ""
    return f"since {since}{before}, {item['runs']} run{'s' * (item['runs'] != 1)}"


Lines = set[str]


def open_at(nights: list[Night], number: int) -> tuple[Lines, int]:
    """What a night's silent nodes leave open, by one rule and no list of the plan, so that a new check touches none.

    The checks over their clusters that passed on the night before, where they concern such a node and read facts of it;
    and how many results of the silent nodes themselves are not evaluated.
    """
    if number not in AWAKE[1:]:
        return set(), 0
    night, before = nights[number - 1].scan, nights[number - 2].scan
    if not night or not before:
        return set(), 0
    passed = {(row["cluster"], row["check"]) for row in before.document["results"] if row["status"] == "pass"}
    found: Lines = set()
    silent = [
        row for row in night.document["results"] if row["check"] == CONNECTIVITY and row["status"] == Status.ERROR
    ]
    for row in silent:
        cluster = PLAN["scenario"]["clusters"][row["cluster"]]
        roles = cluster["nodes"][row["node"]]["roles"]
        found |= {
            f"{row['cluster']} {check.id}"
            for check in BUILTIN
            if isinstance(check, ClusterCheck) and (row["cluster"], check.id) in passed
            if applies_to(check, cluster["product"], tuple(roles), row["cluster"])
            if check.facts or check.optional_facts
        }
    names = {(row["cluster"], row["node"]) for row in silent}
    return found, sum((row["cluster"], row["node"]) in names for row in before.document["results"])


def notices(of: str, number: int) -> list[Table]:
    return [notice for notice in PLAN["notice"] if notice["of"] == of and number in notice["nights"]]


@pytest.mark.parametrize("number", AWAKE)
def test_drift_tells_what_was_planted_and_nothing_else(month: tuple[Month, list[Night]], number: int) -> None:
    plan, night = NIGHTS[number - 1], month[1][number - 1]
    assert night.drift
    ended, document = night.drift.ended, night.drift.document
    followed, _ = open_at(month[1], number)
    over, _ = open_at(month[1], number - 1)
    undecided = {f"undecided {line}: pass -> error" for line in followed}
    assert drift_lines(document) == sorted({*plan.get("drift", []), *undecided})
    new = {f"{line}, new" for line in followed}
    resolved = {f"resolved {line}, was not-compared {once(number - 1)}" for line in over}
    assert drift_past(document) == sorted({*plan.get("past", []), *new, *resolved})
    assert document["notices"] == [notice["text"] for notice in notices("drift", number)]
    code = plan.get("exits", [0])[0]
    assert (ended.code, document["exit_code"]) == (code, code)
    assert document["verdict"] == {0: "NO DRIFT", 1: "DRIFT", 3: "UNKNOWN"}[code]
    assert ended.err == ""
    assert ended.out.startswith(f"{document['verdict']}  ") if code else ended.out == ""
    # Each fact that was approved is as it was, or told: none is lost from sight, least of all where nothing was read.
    gone = {place(row) for row in document["nodes"] if row["difference"] == "disappeared"}
    approved = {fact for fact in night.approved if "/".join(fact.split(" / ")[:2]) not in gone}
    told = [f"{row['cluster']} / {row['node']} / {row['fact']}" for row in document["facts"]]
    gaps = [(place(row), row["fact"] or "") for row in document["unread"]]
    assert {row["difference"] for row in document["facts"] if is_in(row, gaps)} <= {"not-compared"}
    assert document["counts"]["same"] == len(approved - set(told)) > 200
    missed = [
        fact
        for fact in approved
        if is_in(dict(zip(("cluster", "node", "fact"), fact.split(" / ", 2), strict=True)), gaps)
    ]
    assert document["counts"]["not-compared"] == len(missed)


@pytest.mark.parametrize("number", AWAKE)
def test_the_scan_tells_what_was_planted_and_nothing_else(month: tuple[Month, list[Night]], number: int) -> None:
    plan, night = NIGHTS[number - 1], month[1][number - 1]
    assert night.scan
    ended, document = night.scan.ended, night.scan.document
    followed, lost = open_at(month[1], number)
    over, _ = open_at(month[1], number - 1)
    new = {f"error {line}, new" for line in followed}
    resolved = {f"resolved {line}, was error {once(number - 1)}" for line in over}
    assert scan_lines(document) == sorted({*plan.get("scan", []), *new, *resolved})
    told = notices("scan", number)
    assert document["notices"] == [notice["text"] for notice in told]
    code = plan.get("exits", [0, 0])[1]
    assert (ended.code, document["exit_code"]) == (code, code)
    assert document["verdict"] == {0: "GO", 1: "NO-GO", 3: "UNKNOWN"}[code]
    assert document["coverage"]["not_evaluated"] == plan.get("missed", 0) + len(followed) + lost
    if "says" in plan:
        assert any(row["message"].endswith(plan["says"]) for row in document["results"])
    assert ended.err == ""
    loud = [notice["text"] for notice in told if notice.get("loud")]
    assert bool(ended.out) == bool(code or loud)
    for text in loud:
        assert text in " ".join(ended.out.split())


@pytest.mark.parametrize("number", AWAKE)
def test_all_formats_of_the_night_say_the_same(month: tuple[Month, list[Night]], number: int) -> None:
    night = month[1][number - 1]
    assert night.drift
    assert night.scan
    drifted, scanned = night.drift.document, night.scan.document
    jsonschema.validate(drifted, closed(drift_schema()))
    jsonschema.validate(scanned, scan_schema())
    differing = [row for row in drifted["facts"] if row["difference"] != "not-compared"]
    worse = [row for row in drifted["checks"] if row["difference"] == "changed"]
    undecided = [row for row in drifted["checks"] if row["difference"] == "not-compared"]
    words = [drifted["verdict"], *(row["reason"].partition(";")[0] for row in drifted["unread"])]
    words += [shown(row[side]) for row in differing for side in ("fact", "old", "new") if row[side] is not None]
    words += [row["check"] for row in worse] + [row["node"] for row in drifted["nodes"]]
    words += [f"since {item['since'][:10]}" for item in drifted["history"]["findings"] if not item["new"]]
    before = [f"since {item['since'][:10]}" for item in drifted["history"]["resolved"]]
    before += ["flapping" for _ in drifted["history"]["flapping"]]
    for text in readable(night.drift)[:2]:
        assert [word for word in before if plain(word).lower() not in text.lower()] == []
    for text in readable(night.drift):
        assert [word for word in words if plain(word) not in text] == []
    kinds = cases(night.drift)
    assert len(kinds["failure"]) == len(differing) + len(worse) + len(drifted["nodes"])
    blind = {place(row) for row in (*drifted["unread"], *undecided)}
    assert len(kinds["error"]) == len(blind)

    found = [row for row in scanned["results"] if row["status"] not in ("pass", "skip")]
    words = [scanned["verdict"], *(row["check"] for row in found), *scanned["notices"]]
    words += [
        f"since {item['since'][:10]}"
        for item in scanned["history"]["findings"]
        if not item["new"] and item["status"] != "waived"  # which a short message tells by its reason alone
    ]
    words += [f"since {item['since'][:10]}" for item in scanned["history"]["resolved"]]
    words += ["flapping" for _ in scanned["history"]["flapping"]]
    for text in readable(night.scan)[:2]:
        assert [word for word in words if plain(word).lower() not in text.lower()] == []
    kinds = cases(night.scan)
    # Beside the findings there is one case per cluster, and it is as red as the cluster's verdict.
    verdicts = {one["name"]: one["verdict"] for one in scanned["clusters"]}
    for kind, verdict in (("failure", "NO-GO"), ("error", "UNKNOWN")):
        red = [f"verdict [{name}]" for name, word in verdicts.items() if word == verdict]
        assert sorted(name for name in kinds[kind] if name.startswith("verdict [")) == sorted(red)
        kinds[kind] = [name for name in kinds[kind] if not name.startswith("verdict [")]
    assert kinds["failure"] == sorted(
        f"{row['check']} [{row['node'] or row['cluster']}]" for row in found if row["status"] == "fail"
    )
    assert kinds["error"] == sorted(
        f"{row['check']} [{row['node'] or row['cluster']}]"
        for row in found
        if row["status"] == "error" and "follows" not in row  # whose cause is red already
    )


def plain(text: str) -> str:
    """Text without its layout, and without what Markdown escapes and quotes with."""
    return " ".join(re.sub(r"[\\`]", "", text).split())


def readable(report: Report) -> list[str]:
    """What is read by people: the page, the message for a chat, and the mail where there is one."""
    texts = (html.unescape(report.text["html"]), html.unescape(report.text["markdown"]), report.ended.out)
    return [plain(text) for text in texts if text]


def cases(report: Report) -> dict[str, list[str]]:
    root = ET.fromstring(report.text["junit"])  # noqa: S314  our own document
    return {
        kind: sorted(str(case.get("name")) for case in root.iter("testcase") if case.find(kind) is not None)
        for kind in ("failure", "error")
    }


@pytest.mark.parametrize("number", range(1, len(NIGHTS) + 1))
def test_a_dead_cron_job_is_noticed_in_the_morning(month: tuple[Month, list[Night]], number: int) -> None:
    plan, night = NIGHTS[number - 1], month[1][number - 1]
    code = plan.get("exits", [0, 0, 0])[2]
    assert night.status.code == code, night.status
    assert ("longer than 26h" in night.status.out) == bool(night.status.out) == bool(code)


def test_what_was_approved_was_approved(month: tuple[Month, list[Night]]) -> None:
    asked = [len(plan.get("before", [])) for plan in NIGHTS]
    assert [[ended.code for ended in night.approvals] for night in month[1]] == [[0] * number for number in asked]
    approvals = json.loads((month[0].folder / "inventory.baseline.json").read_text(encoding="utf-8"))["approvals"]
    assert [row["at"][:10] for row in approvals] == [
        "2026-02-28",
        *(str(day(number)) for number, times in enumerate(asked) if times),
    ]


def test_the_pruned_history_forgets_what_it_was_told_to_and_nothing_newer(month: tuple[Month, list[Night]]) -> None:
    played, nights = month
    pruned = [(number, plan["keep"]) for number, plan in enumerate(NIGHTS, 1) if "keep" in plan]
    ((number, (age, forgotten)),) = pruned
    ended = nights[number - 1].forgotten
    assert ended
    assert ended.out.endswith(f": forgot {forgotten} runs older than {age}\n")
    listed = preflight(Clock.moment, "history", played.history, "--limit", "1000", "--json", "-")
    runs = [(run["command"], run["started"][:10], run["verdict"]) for run in json.loads(listed.out)["runs"]]
    kept = [
        (command, str(day(awake)), report.document["verdict"])
        for awake in AWAKE
        for command, report in (("scan", nights[awake - 1].scan), ("drift", nights[awake - 1].drift))
        if report and day(awake) > day(number) - timedelta(days=int(age.removesuffix("d")))
    ]
    assert sorted(runs) == sorted(kept)
    assert len(runs) == 2 * len(AWAKE) - forgotten


def test_it_is_a_month() -> None:
    assert len(NIGHTS) == 30


def test_the_fleet_page_of_the_month_shows_each_night_and_those_that_were_missed(
    month: tuple[Month, list[Night]],
) -> None:
    played, nights = month
    folder = played.folder / "fleet"
    last = str(day(len(NIGHTS)))
    ended = preflight(Clock.moment, "dashboard", played.history, "-o", folder, "--today", last, "--nights", "400")
    assert (ended.code, ended.err) == (0, "")
    kept = {run["started"][:10] for run in json.loads(_listed(played))["runs"] if run["command"] == "scan"}
    dead = [str(day(n)) for n in range(1, len(NIGHTS) + 1) if n not in AWAKE and str(day(n)) > min(kept)]
    assert dead, "the month has nights without a run"
    for cluster in ("vault", "chef"):
        text = plain(html.unescape(re.sub(r"<[^>]+>", " ", (folder / f"inventory.{cluster}.html").read_text("utf-8"))))
        for number in AWAKE:
            scan = nights[number - 1].scan
            if scan is None or str(day(number)) not in kept:
                continue
            verdicts = {one["name"]: one["verdict"] for one in scan.document["clusters"]}
            assert f"{day(number)} 02:15 UTC {verdicts[cluster]} " in text
        missed = re.findall(r"(\d{4}-\d\d-\d\d) a run was due and did not happen", text)
        assert sorted(missed) == dead


def _listed(played: Month) -> str:
    return preflight(Clock.moment, "history", played.history, "--limit", "1000", "--json", "-").out
