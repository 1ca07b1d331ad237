"""Keys of what people accept for a while, vouch for, leave out, or want judged or compared otherwise."""

from __future__ import annotations

from datetime import date

from checks.baseline.drift_rules import TOLERANCE, Compare
from scanner.inventory.settings.setting import TEXT, Setting

_SENTENCE = r"[^\u0000]*\S[^\u0000]*"
_CHECK = "The id of the check"
_CLUSTER = "The cluster"
_NODE = "The node, as NAME or CLUSTER.NAME"


def _sentence(name: str, doc: str, *, expects: str = "a reason", example: str | None = None) -> Setting:
    return Setting(name=name, doc=doc, required=True, pattern=_SENTENCE, expects=expects, example=example)


_EXPIRES = Setting(
    name="expires",
    kind="date",
    doc="The last day on which it holds, in UTC, without quotes.",
    required=True,
    example=date(2026, 12, 31),
)

WAIVER: tuple[Setting, ...] = (
    Setting(name="check", doc=f"{_CHECK} whose finding is accepted.", required=True, example="pending-reboot"),
    Setting(
        name="cluster",
        doc=f"{_CLUSTER} that it is for; alone, all its findings of that check.",
        otherwise="the node's",
        pattern=TEXT,
        example="vault-prod",
    ),
    Setting(name="node", doc=f"{_NODE}.", otherwise="the whole cluster", pattern=TEXT, example="web1"),
    Setting(
        name="value",
        doc="The waiver holds only while exactly this is observed: a result's `observed`, blanks and lines aside.",
        otherwise="whatever is observed",
        pattern=TEXT,
        example="PendingFileRenameOperations",
    ),
    _sentence(
        "reason", "Why the finding is accepted.", example="the host is restarted first thing in the window, change 4711"
    ),
    Setting(name="owner", doc="Who answers for it.", required=True, pattern=TEXT, example="Ada Admin"),
    _EXPIRES,
)
"""Keys of a [[waivers]]: findings that somebody accepts for a while."""

ATTESTATION: tuple[Setting, ...] = (
    _sentence(
        "statement",
        "What no probe can see, and somebody vouches for.",
        expects="a statement",
        example="the database was restored from last night's backup, on a test host",
    ),
    Setting(name="by", doc="Who vouches for it.", required=True, pattern=TEXT, example="Ada Admin"),
    Setting(
        name="date",
        kind="date",
        doc="The day on which it was said, without quotes.",
        required=True,
        example=date(2026, 12, 1),
    ),
    _EXPIRES,
    Setting(
        name="check",
        doc=f"{_CHECK} that it belongs beside.",
        otherwise="none",
        pattern=TEXT,
        example="sql-server-version",
    ),
    Setting(
        name="cluster",
        doc=f"{_CLUSTER} that it is about.",
        otherwise="the inventory as a whole",
        pattern=TEXT,
        example="vault-prod",
    ),
    Setting(name="node", doc=f"{_NODE}.", otherwise="no node in particular", pattern=TEXT, example="sql1"),
)
"""Keys of an [[attestations]]: what people vouch for; no result rests on it."""

DRIFT_RULE: tuple[Setting, ...] = (
    _sentence("reason", "Why it is compared like that here."),
    Setting(
        name="compare",
        doc="How it is compared with the baseline.",
        required=True,
        choices=tuple(Compare),
        example="number",
    ),
    Setting(
        name="tolerance",
        doc="With number: how far a value may move, as a number or as a share of the larger one.",
        pattern=TOLERANCE,
        expects="a number such as '100', or a share such as '5%'",
        example="20%",
    ),
)
"""Keys of [drift.rules."FACT"]: how a value is compared with the baseline instead of as shipped."""

REASON = _sentence(
    "CHECK", "Why the check of that id is left out.", example="its administrators look at it themselves, ticket 4711"
)
"""What stands behind the id of a check."""

RULE: tuple[Setting, ...] = (
    _sentence("reason", "Why the vendor's rule is overridden."),
    Setting(name="requires", doc="What is required instead.", example=">=4.7.2", may_be_empty=True),
    Setting(
        name="target",
        doc="The targets that the rule is for; empty: any.",
        example=">=10.9.000005",
        may_be_empty=True,
    ),
    Setting(name="effect", doc="What a breach amounts to.", choices=("fail", "warn"), example="warn"),
    Setting(name="off", kind="boolean", doc="Switch the rule off.", default=False),
)
"""Keys of [clusters.NAME.rules.ID], an override of one of the vendor's rules."""
