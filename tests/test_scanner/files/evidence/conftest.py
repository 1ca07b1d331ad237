"""Evidence to try things on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checks.common.clock_facts import ClockSample
from checks.facts import Unknown
from scanner.files.evidence.model import Evidence, NodeEvidence
from scanner.probes.probe import Answer
from scanner.transports.answers import NodeResponse
from scanner.transports.protocol import ConnectionCost

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, UTC)


def node_evidence(name: str = "b1", *, cluster: str = "chef", minute: int = 0, **said: Any) -> NodeEvidence:
    answers: dict[str, Answer | Unknown] = {
        "shell": Answer("Linux\n", 0),
        "chef-version": Answer("2.3.16 \u00fc\U0001f424\ud800 \x1b[31m", -1, truncated=True),
        "chef-status": Unknown("no answer"),
    }
    whole = NodeResponse(
        cluster=cluster,
        node=name,
        host="10.0.0.1",
        transport="ssh",
        answers=answers,
        usage=ConnectionCost(1, 2, 3),
        seconds=0.125,
        clock=ClockSample(sent_s=1.5, begun_s=2.25, ended_s=3.0, received_s=4.0, resolution_s=1.0),
        asked_at=NOON + timedelta(minutes=minute),
    )
    probes = dict.fromkeys(answers, "0" * 64)
    return NodeEvidence(
        said=replace(whole, **said),
        product="chef-backend",
        roles=("backend",),
        options={"package": "x", "sudo": True},
        probes=probes,
    )


@pytest.fixture
def evidence() -> Callable[..., Evidence]:
    def make(*nodes: NodeEvidence, minute: int = 0, **other: Any) -> Evidence:
        started = NOON + timedelta(minutes=minute)
        whole = Evidence(
            tool_version="0.1.0",
            host="bastion",
            inventory="inventory.toml",
            started=started,
            finished=started + timedelta(seconds=9),
            complete=True,
            nodes=nodes,
        )
        return replace(whole, **other)

    return make
