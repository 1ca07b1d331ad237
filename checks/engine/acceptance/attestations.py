"""What people vouch for, beside the results: nothing that was judged changes by it, in either direction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from checks.common.dataclass import dataclass
from checks.engine.acceptance.model import Attestation, Attested, Expiry, scope, standing
from checks.outcome import Remediation, Result, Severity, Status
from checks.scan import ATTESTATIONS


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of the attestations."""

    attested: tuple[Attested, ...]
    results: tuple[Result, ...]
    """A warning for each cluster and node of which an attestation has expired."""
    reminders: tuple[str, ...]
    """Attestations that end soon or have expired: to be told by a quiet run, too."""


def hear(attestations: Sequence[Attestation], today: date) -> Heard:
    """How `attestations` stand `today`, in UTC."""
    attested = tuple(Attested(word, standing(word.expires, today)) for word in attestations)
    lapsed: dict[tuple[str, str | None], list[Attestation]] = {}
    reminders = []
    for heard in attested:
        word = heard.attestation
        about = f" ({scope(word)})" if scope(word) else ""
        told = f'{word.place or "an attestation"}{about}, "{word.statement}" by {word.by},'
        if heard.standing is Expiry.EXPIRED:
            lapsed.setdefault((word.cluster, word.node), []).append(word)
            reminders.append(f"{told} expired on {word.expires}: nobody vouches for it now")
        elif heard.standing is Expiry.ENDS_SOON:
            reminders.append(f"{told} ends on {word.expires}; ask for it again")
    results = tuple(_warning(cluster, node, words) for (cluster, node), words in lapsed.items())
    return Heard(attested, results, tuple(reminders))


def _warning(cluster: str, node: str | None, words: Sequence[Attestation]) -> Result:
    told = [f'"{word.statement}", attested by {word.by} on {word.date}, expired on {word.expires}' for word in words]
    return Result(
        check=ATTESTATIONS,
        title="Attestations hold",
        severity=Severity.MEDIUM,
        cluster=cluster,
        node=node,
        status=Status.WARN,
        message=f"nobody vouches for it now: {'; '.join(told)}",
        expected="attested, and not expired",
        observed="expired",
        remediation=Remediation("Ask for it again and set its date, or take the attestation out of the inventory."),
        evidence={"attestations": [word.place for word in words]},
    )
