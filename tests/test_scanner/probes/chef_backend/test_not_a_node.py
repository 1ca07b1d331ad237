"""A machine that is none of the product's is told once, as that, and nothing is advised for it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from checks.check import ClusterInfo, NodeView
from checks.chef_backend.traces import ChefTraces, stranger
from checks.engine.identity import Identity, without_strangers
from checks.facts import Contact, Unknown
from scanner.lab.lab import Lab
from scanner.lab.scenario import load_scenario
from scanner.probes.chef_backend.traces import PROBE, read_chef_traces
from scanner.probes.probe import Answer, UnreadableError
from tests.test_scanner.conftest import Preflight

NOTHING = ChefTraces("db7", (), ())
CONTACT = Contact(host="10.0.0.9", transport="ssh", failure=None, asked=12, answered=12)


def view(traces: ChefTraces | Unknown, *roles: str) -> NodeView:
    info = ClusterInfo("chef", "chef-backend")
    facts: Mapping[type, object] = {ChefTraces: traces, Contact: CONTACT}
    return NodeView(cluster=info, name="backend-3", host="10.0.0.9", roles=frozenset(roles), facts=facts)


def test_nothing_of_the_product_is_another_machine() -> None:
    assert stranger(view(NOTHING, "backend")).startswith("is no Chef Backend node (it calls itself db7): no package")
    assert stranger(view(NOTHING, "frontend")).startswith("is no Chef Infra Server node")
    swapped = ChefTraces("fe1", (), ("package",))
    assert stranger(view(swapped, "backend")).endswith("and there is Chef Infra Server: were two addresses mixed up?")


@pytest.mark.parametrize(
    ("traces", "role"),
    [
        # A package whose files are gone, files whose package is gone: that is a node, and a broken one.
        (ChefTraces("b3", ("package",), ()), "backend"),
        (ChefTraces("b3", ("/etc/chef-backend",), ()), "backend"),
        (ChefTraces("f1", (), ("/var/opt/opscode",)), "frontend"),
        # Nobody saw what is in there.
        (ChefTraces("b3", (), (), ("/opt",)), "backend"),
        (Unknown("timed out on the node after 30 s", unanswered=True), "backend"),
        (Unknown("not in the evidence: collected without probe chef-traces (collect again)"), "backend"),
    ],
)
def test_anything_of_it_or_too_little_known_is_none(traces: ChefTraces | Unknown, role: str) -> None:
    assert stranger(view(traces, role)) == ""


def test_a_machine_of_one_of_its_roles_is_a_node() -> None:
    assert stranger(view(ChefTraces("both", (), ("package",)), "backend", "frontend")) == ""


def test_another_product_brings_its_own_words() -> None:
    other = Identity((ChefTraces,), lambda node: f"is no {node.name}")
    node = view(NOTHING, "backend")
    assert without_strangers(node, None) is node
    mine = NodeView(
        cluster=ClusterInfo("c", "my-product"), name="n1", host="10.0.0.9", roles=frozenset({"web"}), facts=node.facts
    )
    told = without_strangers(mine, other)
    contact = told.require(Contact)
    assert contact.failure == "another machine answers: it is no n1"
    assert "10.0.0.9" in contact.hint
    assert isinstance(told.get(ChefTraces), Unknown)


@pytest.mark.skipif(os.name == "nt", reason="the nodes that are asked so run POSIX systems")
def test_the_real_script_finds_what_there_is(tmp_path: Path) -> None:
    def ask(*there: str, package: str = "none") -> ChefTraces:
        root = tmp_path / "-".join(["root", *(name.strip("/").replace("/", "_") for name in there), package])
        for name in ("/opt", "/etc", "/var/opt", "/usr/bin", "/programs", *there):
            (root / name.lstrip("/")).mkdir(parents=True, exist_ok=True)
        (root / "programs" / "dpkg-query").write_text(
            f"#!/bin/sh\nfor each; do [ $each != {package} ] || printf '|%s|' $each; done\n"
        )
        (root / "programs" / "dpkg-query").chmod(0o755)
        script = PROBE.script
        for above in ("/opt", "/etc", "/var", "/usr/bin"):
            script = script.replace(f" {above}", f" {root}{above}").replace(f'"{above}/', f'"{root}{above}/')
        environment = {"PATH": f"{root}/programs:/usr/bin:/bin"}
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env=environment)
        return read_chef_traces(Answer(done.stdout.replace(str(root), ""), 0, error_output=done.stderr))

    assert (ask().backend, ask().frontend, ask().hostname) == ((), (), os.uname().nodename)
    assert ask("/opt/chef-backend", "/var/opt/opscode").backend == ("/opt/chef-backend",)
    assert ask("/opt/chef-backend", "/var/opt/opscode").frontend == ("/var/opt/opscode",)
    assert ask(package="chef-backend").backend == ("package",)
    assert ask(package="chef-server-core").frontend == ("package",)


@pytest.mark.parametrize("text", ["", "name x\n", "backend /opt/chef-backend\n", "name x\nhello\nasked\n"])
def test_half_an_answer_proves_nothing(text: str) -> None:
    with pytest.raises(UnreadableError, match="looking for Chef: not understood"):
        read_chef_traces(Answer(text, 0))


@pytest.mark.parametrize("only", [(), ("--check", "chef-secrets-match"), ("--check", "chef-resources")])
def test_it_is_one_cause_whatever_is_selected(tmp_path: Path, preflight: Preflight, only: tuple[str, ...]) -> None:
    report = tmp_path / "report.json"
    with Lab(load_scenario("chef-not-a-node")) as lab:
        ended = preflight("scan", lab.write(tmp_path), "--json", report, *only)
    assert ended.code == 3
    rows = json.loads(report.read_text(encoding="utf-8"))["results"]
    own = {row["check"]: row for row in rows if row["node"] == "backend-3"}
    assert {check: row["status"] for check, row in own.items()} == {
        check: "error" if check == "connectivity" else "skip" for check in own
    }
    assert "correct `host` of backend-3" in own["connectivity"]["remediation"]["summary"]
    assert all("see connectivity" in row["message"] for check, row in own.items() if check != "connectivity")
    compared = [row for row in rows if row["node"] is None and row["status"] not in ("skip", "pass")]
    assert all(row["status"] == "error" and "another machine answers" in row["message"] for row in compared)
    assert compared or "chef-resources" in only
    assert "copy" not in " ".join(row["remediation"]["summary"].lower() for row in rows)
