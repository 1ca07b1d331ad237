"""What a healthy frontend says, with one thing missing: no check may pass on what it did not see."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.chef_backend.facts.machine import FrontendApi, FrontendPackage, FrontendServices
from checks.chef_backend.frontend import status
from checks.chef_backend.frontend import version as frontend_version
from checks.facts import Unknown
from checks.outcome import Status
from checks.registry import PRODUCTS
from scanner.lab.machines.chef_backend import frontend as chef_frontend
from scanner.lab.machines.chef_backend.host import Host, LinuxNode
from scanner.probes.chef_backend.frontend_readers import (
    read_frontend_api,
    read_frontend_package,
    read_frontend_services,
)
from scanner.probes.probe import Answer, UnreadableError
from scanner.rule_data import load_rules

VERSIONS = ("12.17.33-1.el7", "13.2.0-1.el7", "14.16.19-1.el7", "15.0.9-1.el7")
READERS = {
    "services": (FrontendServices, read_frontend_services),
    "api": (FrontendApi, read_frontend_api),
    "package": (FrontendPackage, read_frontend_package),
}
MEANINGLESS = ("-------------------", "Internal Services", "manager rpm", "opscode-expander", "where default", "asked ")
"""What may be missing: rulers and a heading; what a plan alone reads; a service that is no more from 14 on; where it
was asked that answered."""
UNJUDGED = ("keygen", "indexing", "chef_index")
"""Of /_status: what says nothing of health, and an upstream that is no more from 14 on."""


def healthy(version: str) -> dict[str, str]:
    """What the probes print on a healthy frontend of the version."""
    linux = LinuxNode(package=version)
    frontend = Host(name="frontend-1", linux=linux, roles=("frontend",), backend=None, package="")
    return {
        "services": chef_frontend.services(frontend).output,
        "api": chef_frontend.api(frontend).output,
        "package": chef_frontend.package(frontend).output,
    }


def judged(said: dict[str, str]) -> set[Status]:
    """What the two checks come to."""
    facts: dict[type, object] = {}
    for name, (kind, read) in READERS.items():
        try:
            facts[kind] = read(Answer(said[name], 0))
        except UnreadableError as error:
            facts[kind] = Unknown(str(error))
    info = ClusterInfo(
        "chef", "chef-backend", target="2.3.16", rules=load_rules("chef-backend"), definition=PRODUCTS[1]
    )
    node = NodeView(cluster=info, name="front-1", host="front-1", roles=frozenset({"frontend"}), facts=facts)
    version = frontend_version.judge(ClusterView(info, (node,))).status
    # The engine makes a gap of a fact that a check cannot do without.
    gap = isinstance(facts[FrontendPackage], Unknown)
    return {status.judge(node).status, Status.ERROR if gap else version}


def lines_missing(version: str) -> Iterator[tuple[str, dict[str, str]]]:
    said = healthy(version)
    for name, text in said.items():
        lines = text.splitlines(keepends=True)
        for at, line in enumerate(lines):
            if line.strip() and not any(word in line for word in MEANINGLESS):
                yield f"{name}: {line.strip()[:60]}", {**said, name: "".join(lines[:at] + lines[at + 1 :])}


def fields_missing(version: str) -> Iterator[tuple[str, dict[str, str]]]:
    said = healthy(version)
    where, asked, body, code = said["api"].splitlines()
    head = f"{where}\n{asked}\n"
    whole = json.loads(body)
    for key in whole:
        if key not in UNJUDGED:
            left = {name: value for name, value in whole.items() if name != key}
            yield f"api: {key}", {**said, "api": f"{head}{json.dumps(left)}\n{code}"}
    for key in whole["upstreams"]:
        if key not in UNJUDGED:
            left = {name: value for name, value in whole["upstreams"].items() if name != key}
            yield f"api: {key}", {**said, "api": f"{head}{json.dumps({**whole, 'upstreams': left})}\n{code}"}
    for at in range(1, len(body)):
        yield f"api: cut at {at}", {**said, "api": f"{head}{body[:at]}\n{code}"}


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_passes_on_what_it_did_not_see(version: str) -> None:
    assert judged(healthy(version)) <= {Status.PASS, Status.WARN}
    whole = judged(healthy(version))
    mutations = [*lines_missing(version), *fields_missing(version)]
    assert len(mutations) > 150
    blind = [what for what, said in mutations if judged(said) == whole]
    assert blind == []


@pytest.mark.parametrize("version", VERSIONS[2:])
def test_a_healthy_frontend_that_is_new_enough_passes(version: str) -> None:
    assert judged(healthy(version)) == {Status.PASS}
