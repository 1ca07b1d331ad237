"""What authors of checks test with: views, answers, and a scan over the lab's own servers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from checks.check import ClusterCheck, ClusterView, NodeCheck, NodeView
from checks.facts import Unknown
from checks.outcome import Outcome, Remediation, Severity, Status, failed, passed
from scanner.probes.probe import Answer, Probe, UnreadableError
from scanner.testing import cluster_view, node_view, parse_scenario, read, scan_lab


@dataclass(frozen=True, slots=True)
class Zone:
    """The zone that a node is set to."""

    offset: str


@dataclass(frozen=True, slots=True)
class Tools:
    """Whether the tools are there."""

    installed: bool


def read_zone(answer: Answer) -> Zone:
    if not answer.output.startswith("+"):
        raise UnreadableError(f"date gave {answer.output!r}")
    return Zone(answer.output.strip())


def read_tools(answer: Answer) -> Tools:
    return Tools(json.loads(answer.output)["installed"])


def judge_zones(view: ClusterView) -> Outcome:
    offsets = {zone.offset for _, zone in view.with_fact(Zone)}
    return passed("one zone") if len(offsets) == 1 else failed(f"zones differ: {sorted(offsets)}")


def judge_tools(view: NodeView) -> Outcome:
    return passed("tools are there") if view.require(Tools).installed else failed("no tools")


ZONES = Probe(
    id="time-zone",
    language="sh",
    purpose="the offset from UTC",
    script="date +%z",
    readers=((Zone, read_zone),),
    sample="+0000\n",
)
TOOLS = Probe(
    id="tools",
    language="powershell",
    purpose="the tools",
    script="@{ installed = $true }",
    readers=((Tools, read_tools),),
    sample='{"installed": true}',
)
ZONE_MATCH = ClusterCheck(
    id="zone-match",
    title="One zone",
    severity=Severity.LOW,
    doc="",
    remediation=Remediation("Set it."),
    products=("chef-backend",),
    roles=("backend",),
    facts=(Zone,),
    judge=judge_zones,
)
HAS_TOOLS = NodeCheck(
    id="has-tools",
    title="Tools",
    severity=Severity.LOW,
    doc="",
    remediation=Remediation("Install them."),
    products=("secret-server",),
    roles=("web",),
    facts=(Tools,),
    judge=judge_tools,
)


def test_views_hold_what_they_are_given() -> None:
    view = cluster_view("chef-backend", {"a": Zone("+0000"), "b": Unknown("down"), "c": [Zone("+0200")]})
    assert [(node.name, zone.offset) for node, zone in view.with_fact(Zone)] == [("a", "+0000"), ("c", "+0200")]
    assert view.without_fact(Zone) == [(view.nodes[1], "down")]
    assert ZONE_MATCH.judge(view).status is Status.FAIL
    assert HAS_TOOLS.judge(node_view("secret-server", Tools(installed=False))).status is Status.FAIL
    unread = node_view("secret-server", unknown={Tools: "garbled"}).get(Tools)
    assert isinstance(unread, Unknown)
    assert (unread.reason, unread.unanswered) == ("garbled", False)


def test_an_answer_is_read_as_a_scan_reads_it() -> None:
    assert read(ZONES) == {Zone: Zone("+0000")}
    assert read(ZONES, Answer("CEST", 0)) == {Zone: Unknown("date gave 'CEST'")}
    assert read(TOOLS) == {Tools: Tools(installed=True)}


def ended(scenario: str, text: str = "") -> Mapping[tuple[str, str | None], tuple[str, str]]:
    """Node and check with the status and the message, of both checks over a scenario of the lab."""
    played = parse_scenario(f'title = "x"\nextends = "{scenario}"\n{text}')
    results = scan_lab(played, checks=(ZONE_MATCH, HAS_TOOLS), probes=(ZONES, TOOLS))
    return {(row.check, row.node): (row.status.value, row.message) for row in results}


def test_a_node_of_the_lab_answers_a_new_probe_with_its_sample() -> None:
    told = ended("chef-healthy")
    assert told["zone-match", None] == ("pass", "one zone")
    assert {status for (check, _), (status, _) in told.items() if check == "connectivity"} == {"pass"}


def test_and_so_does_a_windows_node() -> None:
    told = ended("secret-server-healthy")
    assert {key: status for key, (status, _) in told.items() if key[0] == "has-tools"} == {
        ("has-tools", name): "pass" for name in ("web1", "web2", "web3")
    }


@pytest.mark.parametrize(
    ("said", "status", "message"),
    [
        ('answers = {time-zone = {output = "+0200"}}', "fail", "zones differ: ['+0000', '+0200']"),
        (
            'answers = {time-zone = {output = "", exit = 127}}',
            "error",
            "backend-2: date gave ''",
        ),
        ('fault = "refuse"', "error", "backend-2: not answered (see connectivity)"),
    ],
)
def test_a_scenario_says_what_else_a_node_answers(said: str, status: str, message: str) -> None:
    told = ended("chef-healthy", f"[clusters.chef.nodes.backend-2]\n{said}\n")
    found, why = told["zone-match", None]
    assert found == status
    assert message in why
