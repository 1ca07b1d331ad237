"""What people answer for, and until when: a finding that they accept, a fact that no probe can see.

A date is the last day on which such a word holds, in UTC.
"""

from __future__ import annotations

import datetime as dt
import enum

from checks.common.dataclass import dataclass

WARNING_DAYS = 14
"""So long before its last day a word is said to end soon: two weeks are what a renewal takes where changes are
approved once a week."""


class Expiry(enum.StrEnum):
    """Whether somebody's word holds on a given day."""

    HOLDS = "holds"
    ENDS_SOON = "ends-soon"
    """It holds, for `WARNING_DAYS` at most."""
    EXPIRED = "expired"


def standing(expires: dt.date, today: dt.date) -> Expiry:
    """How a word whose last day is `expires` stands `today`."""
    if today > expires:
        return Expiry.EXPIRED
    return Expiry.ENDS_SOON if expires - today <= dt.timedelta(days=WARNING_DAYS) else Expiry.HOLDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A finding that its owner accepts for a while."""

    check: str
    cluster: str
    node: str | None = None
    """None: all the check's findings in the cluster, on every node and on the cluster as a whole."""
    value: str = ""
    """Holds only while this is what is observed; empty: whatever is observed."""
    reason: str
    owner: str
    expires: dt.date
    place: str = ""
    """Where it stands: "waivers[2]"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """What somebody vouches for because no probe can see it. It is no check's business and changes no result."""

    statement: str
    by: str
    date: dt.date
    """When it was said."""
    expires: dt.date
    check: str = ""
    """The check that it belongs beside; empty: none."""
    cluster: str = ""
    """Empty: the inventory as a whole."""
    node: str | None = None
    place: str = ""
    """Where it stands: "attestations[2]"."""


@dataclass(frozen=True, slots=True)
class Attested:
    """An attestation, and how it stood on the day of the scan."""

    attestation: Attestation
    standing: Expiry


def scope(what: Waiver | Attestation) -> str:
    """What somebody's word is about, in words: `dotnet-framework on vault-prod.web1`; empty: the inventory."""
    where = f"{what.cluster}.{what.node}" if what.node is not None else what.cluster
    return f"{what.check} on {where}" if what.check and where else what.check or where
