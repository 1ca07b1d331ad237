from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from checks.check import ClusterInfo, NodeView
from checks.facts import Unknown, UnknownFactError
from checks.outcome import Status
from checks.secret_server.facts.folder import ConfigState, WebConfig
from checks.secret_server.facts.node import WebRoot
from checks.secret_server.iis.places import AuthenticationPlace, IisAuthentication
from checks.secret_server.iis.web_config import judge

Clusters = Callable[..., ClusterInfo]
Nodes = Callable[..., NodeView]

PATH = "C:\\App\\web.config"


def config(state: str, *named: ConfigState, rooted: bool = True, detail: str = "") -> WebConfig:
    return WebConfig(ConfigState(PATH, state, detail), rooted, named)


def test_a_file_that_is_well_formed_passes(cluster: Clusters, node: Nodes) -> None:
    assert judge(node(cluster(), config("wellformed"))).status is Status.PASS


@pytest.mark.parametrize(
    ("state", "told"), [("missing", "is missing"), ("empty", "is empty"), ("malformed", "is no well-formed XML")]
)
def test_what_iis_cannot_read_fails(cluster: Clusters, node: Nodes, state: str, told: str) -> None:
    outcome = judge(node(cluster(), config(state)))
    assert outcome.status is Status.FAIL
    assert f"{PATH} {told}: IIS answers 500.19 there" in outcome.message
    named = judge(node(cluster(), config("wellformed", ConfigState("C:\\App\\web-auth.config", state))))
    assert named.status is Status.FAIL
    assert f"web-auth.config {told}" in named.message


def test_another_document_is_no_configuration(cluster: Clusters, node: Nodes) -> None:
    outcome = judge(node(cluster(), config("wellformed", rooted=False)))
    assert outcome.status is Status.FAIL


@pytest.mark.parametrize("state", ["denied", "locked", "unreadable"])
def test_what_cannot_be_looked_at_is_undetermined(cluster: Clusters, node: Nodes, state: str) -> None:
    assert judge(node(cluster(), config(state, detail="access is denied"))).status is Status.ERROR


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("", Status.PASS),
        (f"unreadable: {PATH}: not well-formed XML", Status.FAIL),
        (f"missing: {PATH}: gone", Status.FAIL),
        (f"denied: {PATH}: Access is denied.", Status.ERROR),
    ],
)
def test_evidence_of_earlier_versions_tells_it_with_the_authentication(
    cluster: Clusters, node: Nodes, error: str, status: Status
) -> None:
    place = AuthenticationPlace(path="c:\\app", enabled=(), error=error)
    facts = (WebRoot("C:\\App", (), ()), IisAuthentication((), (place,)))
    view = node(cluster(), *facts)
    old = replace(view, facts={**view.facts, WebConfig: Unknown("not in the evidence", unasked=True)})
    assert judge(old).status is status


def test_what_its_own_question_could_not_tell_another_answer_does_not_make_up_for(
    cluster: Clusters, node: Nodes
) -> None:
    place = AuthenticationPlace(path="c:\\app", enabled=())
    view = node(cluster(), WebRoot("C:\\App", (), ()), IisAuthentication((), (place,)))
    for lost in (Unknown("the answer is no JSON"), Unknown("the answer is no JSON: cut off", unanswered=True)):
        with pytest.raises(UnknownFactError, match="the answer is no JSON"):
            judge(replace(view, facts={**view.facts, WebConfig: lost}))


def test_what_nobody_knows_is_unknown(cluster: Clusters, node: Nodes) -> None:
    with pytest.raises(UnknownFactError, match="garbled"):
        judge(node(cluster(), (WebConfig, "garbled")))
    elsewhere = IisAuthentication((), (AuthenticationPlace(path="D:\\b", enabled=()),))
    with pytest.raises(UnknownFactError, match="garbled"):
        judge(node(cluster(), (WebConfig, "garbled"), WebRoot("C:\\App", (), ()), elsewhere))


@pytest.mark.parametrize("lost", [WebRoot, IisAuthentication])
def test_earlier_evidence_tells_it_where_all_of_it_is_there(cluster: Clusters, node: Nodes, lost: type) -> None:
    place = AuthenticationPlace(path="c:\\app", enabled=())
    view = node(cluster(), WebRoot("C:\\App", (), ()), IisAuthentication((), (place,)))
    unasked = Unknown("not in the evidence", unasked=True)
    with pytest.raises(UnknownFactError, match="not in the evidence"):
        judge(replace(view, facts={**view.facts, WebConfig: unasked, lost: Unknown("denied")}))
