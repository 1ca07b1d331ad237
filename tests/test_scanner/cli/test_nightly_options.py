"""Cron, CI and monitoring: silence when nothing changes, and an exit code that follows what it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from checks.history.model import FindingAge, FindingKey, ScanHistory
from checks.history.news import is_news, reminder_is_due
from checks.outcome import Status
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario

Preflight = Callable[..., Any]
NIGHT = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster in which nothing is wrong but the .NET Framework of web2."""
    with Lab(load_scenario("dotnet-4.7.2")) as lab:
        yield lab.write(tmp_path_factory.mktemp("lab"))


def test_the_second_night_of_the_same_is_silent(preflight: Preflight, inventory: Path, tmp_path: Path) -> None:
    asked = ("scan", inventory, "--history", tmp_path / "h.db", "--only-changes", "--json", tmp_path / "r.json")
    first = preflight(*asked)
    assert first.code == 1
    assert "dotnet-framework" in first.out
    (tmp_path / "r.json").unlink()
    second = preflight(*asked)
    assert (second.code, second.out, second.err) == (1, "", "")
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["verdict"] == "NO-GO"


def test_what_is_resolved_is_news(preflight: Preflight, inventory: Path, tmp_path: Path) -> None:
    asked = ("scan", inventory, "--history", tmp_path / "h.db", "--only-changes")
    preflight(*asked)
    waived = tmp_path / "waivers.toml"
    waived.write_text(
        '[[waivers]]\ncheck = "dotnet-framework"\nnode = "web2"\nreason = "later"\nowner = "Ada"\n'
        f"expires = {datetime.now(UTC).date() + timedelta(days=90)}\n",
        encoding="utf-8",
    )
    accepted = preflight(*asked, "--waivers", waived)
    assert (accepted.code, accepted.out.startswith("GO")) == (0, True), "a failure that is accepted now is a change"
    assert preflight(*asked, "--waivers", waived).out == ""


@pytest.mark.parametrize("command", ["scan", "drift"])
def test_silence_needs_a_history(preflight: Preflight, inventory: Path, command: str) -> None:
    if command == "drift":
        assert preflight("baseline", inventory).code in (0, 1)
    ended = preflight(command, inventory, "--only-changes")
    assert (ended.code, "--history FILE" in ended.err) == (2, True)


def test_drift_is_silent_too(preflight: Preflight, inventory: Path, tmp_path: Path) -> None:
    base, other = tmp_path / "b.json", tmp_path / "other.json"
    assert preflight("baseline", inventory, "-o", base).code == 0
    asked = ("drift", inventory, "--baseline", other, "--history", tmp_path / "h.db", "--only-changes")
    text = base.read_text(encoding="utf-8")
    assert "461808" in text
    other.write_text(text.replace("461808", "461814"), encoding="utf-8")
    first, second = preflight(*asked), preflight(*asked)
    assert (first.code, bool(first.out)) == (1, True)
    assert (second.code, second.out, second.err) == (1, "", "")


def standing(since: datetime, status: Status = Status.FAIL, **more: Any) -> FindingAge:
    keys: dict[str, Any] = {"open_start": False, "runs": 3, "new": False, "before": status, **more}
    return FindingAge(subject=FindingKey("disk-space", "c", "n"), status=status, since=since, **keys)


def test_a_reminder_comes_once_a_week_whenever_the_nights_are() -> None:
    last, told = NIGHT, []
    for day in range(1, 31):
        now = NIGHT + timedelta(days=day, minutes=(day * 37) % 50)
        if reminder_is_due(ScanHistory(last=last, standings=(standing(NIGHT),)), now, timedelta(days=7)):
            told.append(day)
        last = now
    assert told == [7, 14, 21, 28]


def test_a_good_night_is_no_reason_to_remind() -> None:
    for status in (Status.WARN, Status.WAIVED):
        history = ScanHistory(last=NIGHT, standings=(standing(NIGHT, status),))
        assert not reminder_is_due(history, NIGHT + timedelta(days=70), timedelta(days=7))


@pytest.mark.parametrize(
    ("history", "news"),
    [
        (None, True),
        (ScanHistory(last=None), True),
        (ScanHistory(last=NIGHT), False),
        (ScanHistory(last=NIGHT, standings=(standing(NIGHT),)), False),
        (ScanHistory(last=NIGHT, standings=(standing(NIGHT, new=True),)), True),
        (ScanHistory(last=NIGHT, standings=(standing(NIGHT, before=Status.WARN),)), True),
        (ScanHistory(last=NIGHT, standings=(standing(NIGHT, before=Status.WAIVED),)), True),
        (ScanHistory(last=NIGHT, standings=(standing(NIGHT, Status.ERROR, before=Status.PASS),)), False),
    ],
)
def test_news_is_what_changed(history: ScanHistory | None, news: bool) -> None:
    assert is_news(history) is news


def test_the_exit_code_may_follow_what_is_new_alone(preflight: Preflight, inventory: Path, tmp_path: Path) -> None:
    asked = ("scan", inventory, "--history", tmp_path / "h.db", "--fail-on", "new", "--json", tmp_path / "r.json")
    assert preflight(*asked).code == 1, "in the first run all is new"
    again = preflight(*asked)
    found = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))
    assert (again.code, found["exit_code"], found["verdict"], found["fail_on"]) == (0, 0, "NO-GO", "new")
    assert "exit code 0" in again.out
    assert preflight("scan", inventory, "--fail-on", "new").code == 2


def test_the_exit_code_may_follow_the_best_cluster(preflight: Preflight, tmp_path: Path) -> None:
    with Lab(load_scenario("demo")) as lab:
        inventory = lab.write(tmp_path)
        assert preflight("scan", inventory).code == 1
        assert preflight("scan", inventory, "--fail-on", "all").code == 0, "chef-prod may go"
        assert preflight("scan", inventory, "--fail-on", "all", "--cluster", "vault-prod").code == 1


def test_a_folder_gets_a_page_for_each_cluster(preflight: Preflight, tmp_path: Path) -> None:
    with Lab(load_scenario("demo")) as lab:
        inventory = lab.write(tmp_path)
        made = preflight("scan", inventory, "--html", f"{tmp_path / 'site'}/")
        assert (made.code, sorted(path.name for path in (tmp_path / "site").iterdir())) == (
            1,
            ["chef-prod.html", "index.html", "vault-prod.html"],
        )
        assert f"wrote {tmp_path / 'site' / 'index.html'}" in made.err
        assert preflight("scan", inventory, "--html", tmp_path / "site", "--cluster", "chef-prod").code == 0
        lost = preflight("scan", inventory, "--html", f"{tmp_path / 'no' / 'such'}/")
        assert (lost.code, "the html report" in lost.err) == (2, True)


def test_a_plugin_says_one_line_whatever_happens(preflight: Preflight, inventory: Path, tmp_path: Path) -> None:
    ended = preflight("scan", inventory, "--nagios", "--csv", tmp_path / "f.csv")
    assert (ended.code, ended.err, ended.out.count("\n")) == (2, "", 1)
    assert ended.out.startswith("PREFLIGHT CRITICAL - NO-GO: ")
    assert "dotnet-framework" in (tmp_path / "f.csv").read_text(encoding="utf-8")
    absent = preflight("scan", tmp_path / "none.toml", "--nagios")
    assert (absent.code, absent.out.startswith("PREFLIGHT UNKNOWN - ")) == (3, True)
    assert preflight("scan", inventory, "--nagios", "--no-such").code == 3
    assert preflight("scan", inventory, "--nagios", "-q").code == 3
