"""Exactly one backend answers as the leader, and it is the one that the cluster's status names.

## What it checks
`GET /leader`, asked on each backend itself, where its `chef-backend.rb` says that leaderl listens
(`leaderl.http_address`, `leaderl.http_port`; the vendor's 7331 otherwise): 200 on exactly one of them, 503 on the
others. It is a second witness beside `cluster-status`: where that table's leader is one of the inventory's nodes, it
must be the one that answers 200. A node where nothing answers fails, but not where `chef-backend.rb` could not be read
and the place was a guess; one with neither curl nor wget cannot be asked.

## Why it matters
The frontends find PostgreSQL through this answer. Without a 200 they have no database; with two, they write into two.

## How to fix it
`chef-backend-ctl status` on the node that is named says what its leaderl is waiting for. Do not begin an upgrade before
one leader answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product, starmap
from typing import Any

from checks.check import ClusterCheck, ClusterView
from checks.chef_backend.facts.cluster import ClusterStatus
from checks.chef_backend.facts.machine import LeaderAnswer
from checks.chef_backend.machine_names import is_same_machine
from checks.chef_backend.urls import INSTALL_URL
from checks.engine.wording import enumerate_names
from checks.outcome import Outcome, Remediation, Severity, conclude, failed, passed, undetermined

LEADS, FOLLOWS = 200, 503
_READ = Remediation(
    "Let preflight read /etc/chef-backend/chef-backend.rb (`sudo = true`), and write leaderl.http_port and "
    "leaderl.http_address there as plain values."
)
EXPECTED = "200 on exactly one backend, which cluster-status calls the leader; 503 on the others"


def judge(view: ClusterView) -> Outcome:
    """Judge the answers, then hold them against the cluster's own table."""
    answers = {node.name: found for node, found in view.with_fact(LeaderAnswer)}
    codes = {name: found.code for name, found in answers.items()}
    observed = ", ".join(f"{name} {'unknown' if code is None else code}" for name, code in codes.items())
    evidence: dict[str, Any] = {
        "answers": codes,
        "asked": {name: list(found.asked) for name, found in answers.items()},
    }
    leaders = [name for name, code in codes.items() if code == LEADS]
    silent = [name for name, code in codes.items() if code == 0 and not answers[name].is_guess]
    unheard = [name for name, code in codes.items() if code == 0 and answers[name].is_guess]
    unasked = [name for name, code in codes.items() if code is None]
    odd = [f"{name} {code}" for name, code in codes.items() if code not in (LEADS, FOLLOWS, 0, None)]
    outcomes = []
    if silent:
        asked = _asked(answers[name] for name in silent)
        outcomes.append(failed(f"leaderl does not answer on {enumerate_names(silent)}{asked}"))
    if unheard:
        text = f"where leaderl listens on {enumerate_names(unheard)} was a guess, and nothing answers there"
        outcomes.append(undetermined(text + _asked(answers[name] for name in unheard), remediation=_READ))
    if len(leaders) > 1:
        outcomes.append(failed(f"{enumerate_names(leaders)} all answer as the leader"))
    if odd:
        outcomes.append(undetermined(f"leaderl gives an answer that is not understood: {', '.join(odd)}"))
    if unasked:
        remedy = Remediation("Install curl or wget on the node, then scan again.")
        text = f"neither curl nor wget is there to ask leaderl with on {enumerate_names(unasked)}"
        outcomes.append(undetermined(text, remediation=remedy))
    if not leaders and not odd and not unasked and not unheard and len(codes) == len(view.nodes):
        outcomes.append(failed("no backend answers as the leader"))
    elif not leaders:
        outcomes.append(undetermined("no backend that was asked answers as the leader"))
    if len(leaders) == 1:
        outcomes += [failed(text) for text in dict.fromkeys(_contradictions(view, leaders[0]))]
    outcomes = outcomes or [passed(f"{leaders[0]} answers as the leader, the others do not")]
    return conclude(outcomes, expected=EXPECTED, observed=observed, evidence=evidence)


def _asked(answers: Iterable[LeaderAnswer]) -> str:
    asked = list(dict.fromkeys(url for found in answers for url in found.asked))
    return f" (asked {', '.join(asked)})" if asked else ""


def _contradictions(view: ClusterView, leader: str) -> list[str]:
    """What the tables of the backends say against `leader`. A member that is no node of the inventory says nothing."""
    found = []
    for _, table in view.with_fact(ClusterStatus):
        for row in table.members:
            pairs = {node.name: product((node.name, node.host), (row.name, row.ip)) for node in view.nodes}
            named = [name for name, words in pairs.items() if any(starmap(is_same_machine, words))]
            if row.role == "leader" and named and leader not in named:
                found.append(f"{leader} answers as the leader, but cluster-status names {named[0]}")
    return found


CHECK = ClusterCheck(
    id="chef-leaderl",
    title="Exactly one backend answers as the leader",
    severity=Severity.CRITICAL,
    doc=__doc__,
    remediation=Remediation(
        "Find out on the node that is named what leaderl is waiting for.", "sudo chef-backend-ctl status", language="sh"
    ),
    products=("chef-backend",),
    roles=("backend",),
    facts=(LeaderAnswer,),
    optional_facts=(ClusterStatus,),
    references=(INSTALL_URL,),
    judge=judge,
)
