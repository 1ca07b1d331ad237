"""What spreadsheets, Prometheus and Nagios are given, read by the programs' own rules."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from checks.outcome import Result, Status
from checks.scan import ClusterRecord, Scan
from reports.scan import csv as csv_report
from reports.scan import nagios, prometheus
from tests.test_reports.conftest import build_node

MakeResult = Callable[..., Result]
MakeScan = Callable[..., Scan]
# https://nagios-plugins.org/doc/guidelines.html#AEN200: 'label'=value[UOM];[warn];[crit];[min];[max]
PERFORMANCE = re.compile(r"[^ ='|]+=-?[0-9.]+(?:s|%|B|c)?(?:;[0-9.:~@]*){0,4}")


@pytest.fixture
def scan(make_result: MakeResult, make_scan: MakeScan) -> Scan:
    rows = (
        make_result("windows-version", "pass", "fine", node="web1"),
        make_result("dotnet-framework", "fail", 'too old, "4.7.2"', node="web2"),
        make_result("disk-space", "warn", "little left", node="b1", cluster="chef-prod"),
    )
    nodes = (
        replace(build_node("web1"), host="web1.corp", seconds=1.5),
        replace(build_node("web2"), host="web2.corp", seconds=2.25, owner="Grace", contact="#web"),
        replace(build_node("b1", "chef-prod"), reachable=False),
    )
    about = (
        ClusterRecord(name="vault-prod", product="secret-server", owner="Vault team", contact="vault@corp.example"),
        ClusterRecord(name="chef-prod", product="chef-backend", owner="Ada"),
    )
    return replace(make_scan(rows, nodes), clusters=about)


def rows_of(scan: Scan) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_report.render(scan), newline=""), strict=True))


def samples(scan: Scan) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(value for name, value in sorted(sample.labels.items()) if name != "inventory")): sample.value
        for family in text_string_to_metric_families(prometheus.render(scan))
        for sample in family.samples
    }


def test_a_spreadsheet_gets_a_row_per_finding_with_whoever_answers_for_it(scan: Scan) -> None:
    fail, warn = rows_of(scan)
    assert (fail["check"], fail["node"], fail["status"], fail["message"]) == (
        "dotnet-framework",
        "web2",
        "fail",
        'too old, "4.7.2"',
    )
    assert (fail["owner"], fail["contact"], fail["product"]) == ("Grace", "#web", "secret-server")
    assert (warn["owner"], warn["contact"], warn["cluster"]) == ("Ada", "", "chef-prod")


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)"])
def test_a_spreadsheet_takes_nothing_that_a_node_says_for_a_formula(
    make_result: MakeResult, make_scan: MakeScan, text: str
) -> None:
    made = make_scan((make_result("disk-space", "fail", text, observed=f"{text}\n=2", node=text),))
    (row,) = rows_of(made)
    assert {cell[:1] for cell in row.values() if cell} & set("=+-@\t\r") == set()
    assert row["message"] == f"'{text}"


def test_prometheus_reads_verdicts_counts_and_times(scan: Scan) -> None:
    found = samples(scan)
    assert found["preflight_verdict", "NO-GO"] == 1
    assert found["preflight_verdict", "GO"] == 0
    assert found["preflight_cluster_verdict", "chef-prod", "Ada", "chef-backend", "GO"] == 1
    assert found["preflight_cluster_verdict", "vault-prod", "Vault team", "secret-server", "NO-GO"] == 1
    assert found["preflight_results", "vault-prod", "Vault team", "secret-server", "fail"] == 1
    assert found["preflight_node_reachable", "chef-prod", "b1"] == 0
    assert found["preflight_node_duration_seconds", "vault-prod", "web2"] == 2.25
    assert found["preflight_last_run_timestamp_seconds",] == pytest.approx(scan.finished.timestamp(), abs=0.001)


def test_prometheus_reads_any_name(make_result: MakeResult, make_scan: MakeScan) -> None:
    name = 'a"b\\c\n} 1\nevil 7 \u202e'
    made = make_scan((make_result("disk-space", "pass", "fine", node="n", cluster=name),))
    assert not any(key[0] == "evil" for key in samples(made))
    labels = [
        sample.labels["cluster"]
        for family in text_string_to_metric_families(prometheus.render(made))
        for sample in family.samples
        if sample.name == "preflight_cluster_verdict"
    ]
    assert labels[0].startswith('a"b\\c } 1 evil 7')


@pytest.mark.parametrize(
    ("status", "partial", "code"),
    [
        (Status.PASS, False, 0),
        (Status.WARN, False, 1),
        (Status.FAIL, False, 2),
        (Status.ERROR, False, 3),
        (Status.SKIP, False, 3),
        (Status.FAIL, True, 3),
    ],
)
def test_a_monitoring_system_gets_one_line_and_a_code(
    make_result: MakeResult, make_scan: MakeScan, status: Status, partial: bool, code: int
) -> None:
    made = make_scan((make_result("disk-space", status, "a | b", node="n"),), partial=partial)
    line = nagios.render(made)
    assert line.count("\n") == 1
    text, bar, performance = line.rstrip("\n").partition(" | ")
    assert bar
    assert "|" not in text
    assert all(PERFORMANCE.fullmatch(item) for item in performance.split())
    assert (nagios.code(made), text.split()[:3]) == (code, ["PREFLIGHT", nagios.PluginCode(code).name, "-"])
