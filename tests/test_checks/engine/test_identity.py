"""A machine at a wrong address answers, too: it is told once, and nothing that it says is held against anybody."""

from __future__ import annotations

from dataclasses import replace

import pytest

from checks.check import Check, NodeView
from checks.engine.identity import Identity, without_strangers
from checks.facts import Contact, Unknown
from checks.outcome import Status, passed
from tests.test_checks.engine.sizes import Size, Spare, cluster_check, judged, node_check, view

CONTACT = Contact(host="web2", transport="winrm", failure=None, asked=2, answered=2)
STRANGER = Identity((Spare,), lambda _: "is no web node: it has no folder of the product")
OURS = Identity((Spare,), lambda _: "")


def answering(contact: Contact | None = CONTACT) -> NodeView:
    seen = view("web2")
    facts: dict[type, object] = {Size: Size(5), Spare: Spare(7), **({Contact: contact} if contact else {})}
    return replace(seen, facts=facts, error_output={Size: {"disks": "hm"}})


def test_a_stranger_is_no_node_that_was_asked() -> None:
    found = without_strangers(answering(), STRANGER)
    contact = found.require(Contact)
    assert contact.failure == "another machine answers: it is no web node: it has no folder of the product"
    assert "correct `host` of web2 in the inventory (web2 now)" in contact.hint
    assert found.error_output == {}
    gone = Unknown("another machine answers there (see connectivity)", unanswered=True)
    assert (found.get(Size), found.get(Spare), found.absence) == (gone, gone, gone.reason)
    checks: list[Check] = [node_check(lambda _: passed("fine")), cluster_check(lambda _: passed("same"))]
    _, own, whole = judged(checks, view("web1"), found)
    assert (own.status, own.not_evaluated, own.follows) == (Status.SKIP, True, ("connectivity:web2",))
    assert (whole.status, whole.follows) == (Status.ERROR, ("connectivity:web2",))


@pytest.mark.parametrize(
    ("seen", "identity"),
    [
        (answering(), OURS),
        (answering(), None),
        (answering(replace(CONTACT, failure="connection refused")), STRANGER),
        (answering(None), STRANGER),
        (answering(Unknown("interrupted", unanswered=True)), STRANGER),  # type: ignore[arg-type]
    ],
    ids=["ours", "nobody can tell", "down", "not asked", "interrupted"],
)
def test_every_other_node_stays_as_it_is(seen: NodeView, identity: Identity | None) -> None:
    assert without_strangers(seen, identity) is seen
