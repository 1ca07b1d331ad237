"""Every node is reached, lets us in, answers what it is asked, and is a node of the product.

## What it checks
The scanner opened one connection to the node, logged in, and got an answer to every question that the selected checks
need answered. It is part of every scan, for every node, whatever checks are selected. A machine that answers and shows
no trace of the product (no package, none of its folders and commands) is told as another machine: one wrong address,
one error. Half a product is not: its own checks say what is missing.

## Why it matters
A node that cannot be asked can hide anything. Its other checks are then not evaluated, and the verdict cannot be GO.

## How to fix it
The message names the cause: a name that does not resolve, a closed port, a host key or certificate that is not
trusted, credentials that are not accepted, a time limit, a wrong address. Clear it and scan again; `preflight probes
INVENTORY` prints what is sent to the node.
"""

from __future__ import annotations

from typing import Any

from checks.check import NodeCheck, NodeView
from checks.engine.consistency import group
from checks.engine.wording import count
from checks.facts import Contact
from checks.outcome import Outcome, Remediation, Severity, passed, undetermined
from checks.scan import CONNECTIVITY

EXPECTED = "reached, logged in, every question answered"


def judge(view: NodeView) -> Outcome:
    """Judge how the conversation with the node went."""
    contact = view.require(Contact)
    counts = f"{contact.answered} of {count(contact.asked, 'question')} answered"
    hint = Remediation(contact.hint or cure_of_silence(*contact.reasons))
    evidence: dict[str, Any] = {
        "transport": contact.transport,
        "asked": contact.asked,
        "answered": contact.answered,
        "unanswered": list(contact.unanswered),
    }
    if contact.failure:
        return undetermined(contact.failure, expected=EXPECTED, observed=counts, remediation=hint, **evidence)
    if contact.unanswered or contact.answered < contact.asked:
        why = "; ".join(
            f"{', '.join(probes)} ({reason})" if reason else ", ".join(probes)
            for reason, probes in group(zip(contact.unanswered, _reasons(contact), strict=True)).members
        )
        missing = why or f"{contact.asked - contact.answered} of {contact.asked}"
        return undetermined(
            f"no answer to: {missing}", expected=EXPECTED, observed=counts, remediation=hint, **evidence
        )
    way = "asked on this machine itself" if contact.transport == "local" else f"reached over {contact.transport}"
    message = f"{way}; {counts}"
    return passed(message, expected=EXPECTED, observed=counts, **evidence)


def _reasons(contact: Contact) -> tuple[str, ...]:
    """One for each question without an answer, whether it is known or not."""
    return (*contact.reasons, *[""] * len(contact.unanswered))[: len(contact.unanswered)]


_BY_HAND = "`preflight probes INVENTORY` prints what is asked"
_CURES = (
    (
        ("cut off", "ends in the middle", "output ended before", "is damaged", "ends before this probe's came"),
        (
            "something ended the script on the node before its end: look for memory that ran out (the kernel's or the "
            "System log), a limit of the account's session, endpoint protection; then scan again"
        ),
    ),
    (
        ("time was used up", "time budget"),
        f"the questions before it took all the time: raise `timeout`, and see what is slow there ({_BY_HAND})",
    ),
    (
        ("does not answer",),
        (
            "look at what the message says does not answer; the other questions were answered, and `timeout` helps "
            "only what is merely slow"
        ),
    ),
    (("timed out",), f"ask it by hand on the node to see what hangs ({_BY_HAND}); `timeout` helps what is merely slow"),
    (
        ("answered something else", "they begin:"),
        (
            "what the message quotes was printed in place of the answer: look for a profile or a start-up file that "
            f"prints or starts a program of its own, for a forced command, and log in by hand ({_BY_HAND})"
        ),
    ),
    (
        ("answered nothing", "printed nothing"),
        (
            "log in there by hand with the same account and start the shell; look at its limits (`ulimit -a`), its "
            f"start-up files, and endpoint protection ({_BY_HAND})"
        ),
    ),
    (
        ("could not ask it", "broke off while", "was killed on the node"),
        (
            "look at the account's limits there (`ulimit -a`, TasksMax of its slice) and at the kernel's log: memory, "
            "processes"
        ),
    ),
)
"""What helps where questions were not answered, by the words of the reason."""


def cure_of_silence(*reasons: str) -> str:
    """What to do about questions without an answer; the general remedy where no reason is known."""
    found = [cure for words, cure in _CURES if any(word in reason for reason in reasons for word in words)]
    return found[0] if found else CHECK.remediation.summary


CHECK = NodeCheck(
    id=CONNECTIVITY,
    title="Node answers",
    severity=Severity.HIGH,
    doc=__doc__,
    remediation=Remediation(
        "Look at what the message names on the node itself (`preflight probes INVENTORY` prints what is sent there); "
        "where it needs more time, raise `timeout`. Then scan again."
    ),
    facts=(Contact,),
    judge=judge,
)
