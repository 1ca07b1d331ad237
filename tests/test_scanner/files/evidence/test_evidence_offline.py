"""What evidence counts, and what is told of it: several files, gaps, age, and inventories that have changed since."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.outcome import Result, Status
from checks.scan import Scan, Verdict
from reports.render import console, markdown
from reports.scan import html, junit
from reports.scan import json as json_report
from scanner.cli.options import resolve_options
from scanner.files.evidence.document import from_document, to_document
from scanner.files.evidence.file import checksum
from scanner.files.evidence.model import Evidence, EvidenceFile
from scanner.inventory.select import Selection
from scanner.lab.lab import Lab
from scanner.run.collect import collect
from scanner.run.job import ScanRequest
from scanner.run.judge import build_scan
from scanner.run.offline import evidence_of, saved_answers

HOUR = timedelta(hours=1)


class Site:
    """A healthy cluster that was collected once, and what evidence of it is judged to be."""

    def __init__(self, folder: Path, scenario: str) -> None:
        from scanner.cli.answers import with_credentials

        with Lab(scenario) as lab:
            self.inventory = lab.write(folder)
            self.selection, self.job = resolve_options(self.inventory)
            evidence = evidence_of(self.job, collect(with_credentials(self.job, self.selection)))
        self.whole = replace(evidence, nodes=tuple(evidence.nodes))
        self.now = self.whole.finished + HOUR

    def settled(self, change: Callable[[str], str] = str, **options: Any) -> tuple[Selection, ScanRequest]:
        """The job over a changed inventory."""
        path = self.inventory.with_name("changed") / self.inventory.name
        path.parent.mkdir(exist_ok=True)
        path.write_text(change(self.inventory.read_text(encoding="utf-8")), encoding="utf-8")
        return resolve_options(path, **options)

    def judged(self, *evidence: Evidence, job: ScanRequest | None = None, narrowed: bool = False) -> Scan:
        return self.judged_files(
            *(kept(each, f"{place}.json") for place, each in enumerate(evidence, 1)), job=job, narrowed=narrowed
        )

    def judged_files(self, *files: EvidenceFile, job: ScanRequest | None = None, narrowed: bool = False) -> Scan:
        job = job or self.job
        return build_scan(job, saved_answers(job, files, self.now, narrowed=narrowed), self.now.date())


def kept(evidence: Evidence, name: str = "e.json") -> EvidenceFile:
    return EvidenceFile(Path(name), checksum(to_document(evidence)), evidence)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"), "chef-healthy")


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("vault"), "secret-server-healthy")


def renamed(evidence: Evidence, name: str, **said: Any) -> Evidence:
    """The evidence with another last node."""
    first, last = evidence.nodes[:-1], evidence.nodes[-1]
    return replace(evidence, nodes=(*first, replace(last, said=replace(last.said, node=name, **said))))


def later(evidence: Evidence, hours: int, **other: Any) -> Evidence:
    """The same, collected later."""
    span = hours * HOUR
    nodes = tuple(
        replace(each, said=replace(each.said, asked_at=each.said.asked_at and each.said.asked_at + span))
        for each in evidence.nodes
    )
    moved = replace(evidence, started=evidence.started + span, finished=evidence.finished + span, nodes=nodes)
    return replace(moved, **other)


def only(evidence: Evidence, *names: str) -> Evidence:
    return replace(evidence, nodes=tuple(each for each in evidence.nodes if each.said.node in names))


def of(scan: Scan, check: str, node: str | None) -> Result:
    return next(result for result in scan.results if (result.check, result.node) == (check, node))


def told(scan: Scan, *words: str) -> bool:
    return any(all(word in notice for word in words) for notice in scan.notices)


def test_fresh_and_fitting_evidence_is_told_in_one_line(site: Site) -> None:
    done = site.judged(site.whole)
    assert done.verdict is Verdict.GO
    (notice,) = done.notices
    assert notice.startswith(f"judged from evidence of {site.whole.started:%Y-%m-%d %H:%M:%S} UTC to ")
    assert notice.endswith(f"collected by {site.whole.host} with preflight {site.whole.tool_version}: 1.json")
    assert (done.started, done.finished) == (site.whole.started, site.whole.finished)


def test_a_node_that_no_file_holds_is_an_error_and_never_green(site: Site) -> None:
    done = site.judged(only(site.whole, "backend-1", "backend-3"))
    assert done.verdict is Verdict.UNKNOWN
    missing = of(done, "connectivity", "backend-2")
    assert (missing.status, missing.message) == (Status.ERROR, "no evidence of this node")
    assert missing.remediation.summary.endswith("preflight collect INVENTORY --node NODE -o FILE")
    others = [result for result in done.results if result.node == "backend-2" and result is not missing]
    assert others
    assert {(each.status, each.message) for each in others} == {
        (Status.SKIP, "not evaluated: no evidence of this node")
    }
    assert of(done, "chef-cluster-status", None).status is Status.ERROR
    record = next(node for node in done.nodes if node.node == "backend-2")
    assert (record.reachable, record.connections) == (False, 0)


def test_no_fitting_evidence_at_all_is_unknown(site: Site, vault: Site) -> None:
    done = site.judged(vault.whole)
    assert done.verdict is Verdict.UNKNOWN
    assert not [result for result in done.results if result.status in (Status.PASS, Status.WARN)]
    assert told(done, "holds nodes that the inventory does not name")


def test_partial_evidence_names_who_had_not_answered(site: Site) -> None:
    cut = replace(
        only(site.whole, "backend-1"), complete=False, unanswered=(("chef", "backend-2"), ("chef", "backend-3"))
    )
    done = site.judged(cut)
    assert done.verdict is Verdict.UNKNOWN
    assert told(done, "1.json is partial: interrupted before", "chef.backend-2, chef.backend-3")
    assert of(done, "connectivity", "backend-2").message == "no evidence of this node: its collecting was interrupted"
    # What the interrupt left out may be in another file: then nothing is missing.
    assert site.judged(cut, later(site.whole, 1)).verdict is Verdict.GO


def test_nodes_that_the_inventory_does_not_name_are_told(site: Site) -> None:
    more = replace(site.whole, nodes=(*site.whole.nodes, renamed(site.whole, "backend-9").nodes[-1]))
    done = site.judged(more)
    assert done.verdict is Verdict.GO
    assert told(done, "1.json holds nodes that the inventory does not name, which are not judged: chef.backend-9")


def test_nodes_that_the_selection_leaves_out_are_no_strangers(tmp_path: Path) -> None:
    site = Site(tmp_path, "demo")
    selection, job = resolve_options(site.inventory, cluster=["chef-prod"])
    done = site.judged(site.whole, job=job, narrowed=selection.narrowed)
    assert not told(done, "does not name")
    assert {result.cluster for result in done.results} == {"chef-prod"}


@pytest.mark.parametrize(
    ("old", "new", "notice"),
    [
        (
            'host = "127.0.0.1"',
            'host = "backend.corp.example"',
            "host in the evidence and in the inventory differ: chef.",
        ),
        ('roles = ["backend"]', 'roles = ["backend", "frontend"]', "roles in the evidence and in the inventory differ"),
    ],
)
def test_a_node_that_has_changed_in_the_inventory_is_told(site: Site, old: str, new: str, notice: str) -> None:
    selection, job = site.settled(lambda text: text.replace(old, new))
    assert told(site.judged(site.whole, job=job, narrowed=selection.narrowed), notice, "then,", "now)")


def test_another_transport_leaves_nothing_to_go_by(site: Site) -> None:
    asked = replace(
        site.whole,
        nodes=tuple(
            replace(each, said=replace(each.said, transport="winrm"), probes={"powershell": "0" * 64})
            for each in site.whole.nodes
        ),
    )
    done = site.judged(asked)
    assert of(done, "connectivity", "backend-1").message == (
        "no usable evidence of this node: it was asked over winrm, and is now reached over ssh"
    )
    assert done.verdict is Verdict.UNKNOWN
    assert not [result for result in done.results if result.status in (Status.PASS, Status.WARN)]


def test_a_question_that_was_not_asked_is_an_error_where_it_matters(site: Site) -> None:
    _, narrow = site.settled(check=["chef-version-match"])
    asked = {probe.id for call in narrow.calls() for probe in call.probes}
    nodes = tuple(
        replace(
            each,
            probes={name: digest for name, digest in each.probes.items() if name in asked},
            said=replace(each.said, answers={name: a for name, a in each.said.answers.items() if name in asked}),
        )
        for each in site.whole.nodes
    )
    done = site.judged(replace(site.whole, nodes=nodes))
    assert done.verdict is Verdict.UNKNOWN
    assert of(done, "connectivity", "backend-1").status is Status.PASS
    assert of(done, "chef-version-match", None).status is Status.PASS
    status = of(done, "chef-cluster-status", None)
    assert status.status is Status.ERROR
    assert "not in the evidence: collected without probe chef-cluster-status (collect again)" in status.message
    for result in done.results:
        needs = next(check for check in site.job.checks if check.id == result.check)
        if result.status is Status.PASS and result.check not in ("connectivity", "clock-skew"):
            kinds = {kind for probe in narrow.probes if probe.id in asked for kind in probe.facts}
            assert set(needs.facts) <= kinds


def test_an_answer_about_another_folder_is_none(vault: Site) -> None:
    """The probe was asked with the old `web_root`: what it said is about something else."""
    first = next(each for each in vault.whole.nodes if "web" in each.roles)
    name = first.said.node
    elsewhere = replace(first, options={**first.options, "web_root": "D:\\old"})
    done = vault.judged(
        replace(vault.whole, nodes=tuple(elsewhere if each is first else each for each in vault.whole.nodes))
    )
    found = of(done, "config-files-present", name)
    assert found.status is Status.ERROR
    assert "was asked with web_root = 'D:\\\\old', the inventory says nothing (collect again)" in found.message
    assert of(done, "windows-version", name).status is Status.PASS


def test_old_evidence_is_told_to_be_old(site: Site) -> None:
    assert not told(site.judged(later(site.whole, -20)), "old")
    assert told(site.judged(later(site.whole, -25)), "1.json is 26h old: what has changed on its nodes since")
    assert told(site.judged(later(site.whole, -24 * 30)), "1.json is 30d 1h old")


def test_evidence_from_the_future_is_told(site: Site) -> None:
    assert told(site.judged(later(site.whole, 5)), "1.json is dated 3h 59m in the future: one of two machines' clocks")


def test_another_inventory_is_told_wherever_it_lay(site: Site) -> None:
    assert not told(site.judged(replace(site.whole, inventory="C:\\site\\inventory.toml")), "another inventory")
    assert told(site.judged(replace(site.whole, inventory="/srv/other.toml")), "another inventory, /srv/other.toml")


def test_what_was_loosened_when_it_was_collected_stays_told(site: Site) -> None:
    loosened = replace(site.whole, notices=("the TLS certificate is not verified (verify = false): chef.backend-1",))
    assert told(site.judged(loosened), "1.json: the TLS certificate is not verified")


def test_another_version_of_a_probe_is_told(site: Site) -> None:
    """Once, also where it was asked in several ways: nodes of other products, or of files put together."""
    nodes = tuple(
        replace(each, probes={**each.probes, "shell": digit * 64, "mood": digit * 64})
        for digit, each in zip("fed", site.whole.nodes, strict=False)
    )
    done = site.judged(replace(site.whole, nodes=nodes, tool_version="0.0.9"))
    assert told(done, "preflight 0.0.9 asked otherwise than this version does", "as they are: shell; where one cannot")
    assert told(done, "1.json answers what no check here asks: mood; another version")


def test_files_of_several_sites_are_put_together_in_any_order(site: Site) -> None:
    files = [kept(only(site.whole, f"backend-{number}"), f"{number}.json.gz") for number in (1, 2, 3)]
    done = [site.judged_files(*order) for order in permutations(files)]
    assert len(set(map(json_report.render, done))) == 1
    assert all(of(done[0], "connectivity", f"backend-{number}").status is Status.PASS for number in (1, 2, 3))
    assert sum(notice.startswith("judged from evidence of") for notice in done[0].notices) == 3


def test_the_latest_answer_of_a_node_counts_and_that_is_told(site: Site) -> None:
    down = later(renamed(only(site.whole, "backend-3"), "backend-3", failure="connection refused", answers={}), 1)
    for order in permutations([kept(site.whole, "old.json"), kept(down, "new.json")]):
        done = site.judged_files(*order)
        assert of(done, "connectivity", "backend-3").message == "connection refused"
        assert of(done, "connectivity", "backend-1").status is Status.PASS
        notice = "new.json and old.json hold the same nodes: its answers, the latest, count for chef.backend-3"
        assert notice in done.notices
    back = later(only(site.whole, "backend-3"), 2)
    assert of(site.judged(site.whole, down, back), "connectivity", "backend-3").status is Status.PASS


def test_the_same_evidence_twice_counts_once(site: Site) -> None:
    done = site.judged_files(kept(site.whole, "b.json"), kept(site.whole, "a.json.gz"), kept(site.whole, "a.json.gz"))
    assert told(done, "the same evidence is given 3 times and counts once: a.json.gz, a.json.gz, b.json")
    assert not told(done, "hold the same nodes")
    assert done.verdict is Verdict.GO


def test_clocks_that_different_machines_looked_at_are_not_compared(site: Site) -> None:
    """Each run's machine has a clock of its own, which only cancels out between the nodes that it asked itself."""
    done = site.judged(only(site.whole, "backend-1", "backend-2"), later(only(site.whole, "backend-3"), 1))
    clocks = of(done, "clock-skew", None)
    assert clocks.status is Status.ERROR
    assert "backend-3: not comparable: collected in another run" in clocks.message
    assert of(site.judged(site.whole), "clock-skew", None).status is Status.PASS


RENDERERS: tuple[Callable[[Scan], str], ...] = (
    partial(console.render, color=True, width=80, verbose=True),
    html.render,
    json_report.render,
    junit.render,
    markdown.render,
)
TEXT = st.text(max_size=30) | st.sampled_from(["\ud800", "\x00\x1b[31m", "<b>&amp;]]>", "a\nb", "x" * 5000, "-1"])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_sound_evidence_says_ends_in_a_report(site: Site, data: st.DataObject) -> None:
    document = to_document(site.whole)
    for node in document["nodes"]:
        for key in data.draw(
            st.sets(st.sampled_from(["cluster", "node", "host", "transport", "product", "failure", "hint"]), max_size=3)
        ):
            node[key] = data.draw(TEXT)
        node["options"] = data.draw(st.dictionaries(TEXT, TEXT | st.integers(-5, 5) | st.booleans(), max_size=2))
        for name in data.draw(st.sets(st.sampled_from(sorted(node["answers"])), max_size=3)):
            unknown = data.draw(st.booleans())
            answer = {"unknown": data.draw(TEXT)} if unknown else {**node["answers"][name], "output": data.draw(TEXT)}
            node["answers"][name] = answer if "output" not in answer or "exit_code" in answer else {"unknown": "x"}
    document["host"] = data.draw(TEXT)
    document["notices"] = data.draw(st.lists(TEXT, max_size=2))
    names = [(node["cluster"], node["node"]) for node in document["nodes"]]
    if len(set(names)) < len(names):
        return
    done = site.judged(from_document(json.loads(json.dumps(document))))
    assert all(render(done) for render in RENDERERS)
    assert all("\n" not in notice for notice in done.notices)
