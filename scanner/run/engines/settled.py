"""How a call begins, and what came of it, however it ended: the asking of one node costs no other one its result."""

from __future__ import annotations

import concurrent.futures
import time
from collections.abc import Callable, Collection

from checks.common.dataclass import dataclass
from scanner.errors import cause_of
from scanner.files.packed.answers import packed
from scanner.run.node import UNANSWERED, NodeRequest, redacted
from scanner.secrets.redaction import Redactor
from scanner.transports.answers import NodeResponse
from scanner.transports.deadline import end_all
from scanner.transports.own_trouble import own_trouble

_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Cleared:
    """What a node said, packed and without secrets before anybody had come to take it: there it waits."""

    said: NodeResponse


Asking = concurrent.futures.Future[NodeResponse | Cleared]
"""A call under way, or what came of it."""


def cleared(said: NodeResponse, hide: Redactor) -> Cleared:
    """What was said, for whoever takes it. Of this process alone: another one knows `hide` only in part."""
    return Cleared(packed(redacted(said, hide)))


def submitted(
    pool: concurrent.futures.Executor, work: Callable[[NodeRequest], NodeResponse | Cleared], call: NodeRequest
) -> Asking:
    """The call under way; where this machine has no room for a single thread, as one that has failed for that."""
    try:
        return pool.submit(work, call)
    except Exception as error:
        if not own_trouble(error):
            raise
        failed: Asking = concurrent.futures.Future()
        failed.set_exception(error)
        return failed


def settled(future: Asking, call: NodeRequest, hide: Redactor) -> NodeResponse:
    """What the node said; where the asking itself failed, that is this node's error and nobody else's."""
    try:
        found = future.result()
        return found.said if isinstance(found, Cleared) else redacted(found, hide)
    except Exception as defect:  # noqa: BLE001  a defect of ours: the others stand
        hide.cleanse(defect)
        if trouble := own_trouble(defect):
            return unasked(call, str(trouble), trouble.hint)
        return unasked(
            call, hide.message(f"unexpected {cause_of(defect)}"), "this is a defect of preflight; please report it"
        )


def unasked(call: NodeRequest, cause: str, hint: str) -> NodeResponse:
    """A node of which nothing is known, and why: as one that did not answer any of what it was to be asked."""
    node = call.node
    language = "tds" if node.transport == "tds" else node.language
    return NodeResponse(
        cluster=node.cluster,
        node=node.name,
        host=node.host,
        transport=node.transport,
        answers={probe.id: UNANSWERED for probe in call.probes if probe.language == language},
        failure=cause,
        hint=hint,
    )


def end_calls(asked: Collection[Asking], within_s: float, owner: object = None) -> None:
    """End the conversations under way, so that no shell stays open on a node; within that time, or not at all.

    Of those of one `owner` alone, where several work side by side.
    """
    ends = time.monotonic() + within_s
    # Again and again: a node whose connection is only being made has no deadline yet that could be ended.
    while time.monotonic() < ends and not all(future.done() for future in asked):
        end_all(owner)
        concurrent.futures.wait(asked, _POLL_S)
