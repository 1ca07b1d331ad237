"""What came of a call, however it ended: the asking of one node costs no other one its result."""

from __future__ import annotations

import concurrent.futures

from scanner.errors import cause_of
from scanner.run.node import NodeRequest, redacted
from scanner.secrets.redaction import Redactor
from scanner.transports.answers import NodeResponse
from scanner.transports.own_trouble import own_trouble


def settled(future: concurrent.futures.Future[NodeResponse], call: NodeRequest, hide: Redactor) -> NodeResponse:
    """What the node said; where the asking itself failed, that is this node's error and nobody else's."""
    try:
        return redacted(future.result(), hide)
    except Exception as defect:  # noqa: BLE001  a defect of ours: the others stand
        hide.cleanse(defect)
        if trouble := own_trouble(defect):
            return unasked(call, str(trouble), trouble.hint)
        return unasked(
            call, hide.message(f"unexpected {cause_of(defect)}"), "this is a defect of preflight; please report it"
        )


def unasked(call: NodeRequest, cause: str, hint: str) -> NodeResponse:
    """A node of which nothing is known, and why."""
    node = call.node
    return NodeResponse(
        cluster=node.cluster, node=node.name, host=node.host, transport=node.transport, failure=cause, hint=hint
    )
