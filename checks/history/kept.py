"""What a history holds of one inventory: its runs, what each said of every cluster, and the words of people."""

from __future__ import annotations

import datetime as dt
import enum
import re
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from checks.common.dataclass import dataclass
from checks.history.model import FindingKey, ScanHistory
from checks.outcome import Status
from checks.scan import Verdict

SCAN = "scan"
_OPTION = re.compile(r"(?:^| )(--(?:skip-check|cluster|node|check)) ")


class WordKind(enum.StrEnum):
    """What somebody's word is."""

    WAIVER = "waiver"
    ATTESTATION = "attestation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Something that people answer for until a day, as a run met it."""

    kind: WordKind
    check: str
    """Empty for an attestation that belongs beside none."""
    cluster: str
    """Empty: the inventory as a whole."""
    node: str | None
    by: str
    said: str
    """A waiver's reason, an attestation's statement."""
    expires: dt.date
    """The last day on which it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What one run said of one cluster."""

    verdict: Verdict
    counts: Mapping[Status, int]
    not_evaluated: int
    reached: bool
    """Whether all of the nodes that were asked answered."""
    about: str = ""
    """Product and versions; empty where that was not recorded."""
    owner: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastScan:
    """One run of a history, with its clusters; of a comparison with a baseline, without."""

    command: str
    phase: str
    targets: tuple[str, ...]
    scope: str
    partial: bool
    strict: bool
    started: datetime
    """Aware, UTC."""
    verdict: str
    clusters: Mapping[str, Said] = field(default_factory=dict)

    @property
    def series(self) -> tuple[str, tuple[str, ...], str, bool]:
        """What is asked of a cluster: only verdicts on the same question make a row."""
        skipped = " ".join(f"{option} {value}" for option, value in self._options if option == "--skip-check")
        return self.phase, self.targets, skipped, self.strict

    @property
    def whole(self) -> bool:
        """Whether each cluster that it names was looked at with all its nodes and checks, some skipped ones apart."""
        return not any(option in ("--node", "--check") for option, _ in self._options)

    @property
    def asked(self) -> str:
        """The options that make it another question than the plain one; empty for that."""
        phase = f"--phase {self.phase}" if self.phase != "before" else ""
        strict = "--strict" if self.strict else ""
        return " ".join(filter(None, (phase, *(f"--target {t}" for t in self.targets), strict, self.scope)))

    @property
    def every_cluster(self) -> bool:
        """Whether no option left clusters out."""
        return not any(option == "--cluster" for option, _ in self._options)

    @property
    def _options(self) -> list[tuple[str, str]]:
        parts = _OPTION.split(self.scope)[1:]
        return list(zip(parts[::2], parts[1::2], strict=True))


@dataclass(frozen=True, slots=True)
class Latest:
    """A run that is the last of its question, and what the earlier ones say of it."""

    run: PastScan
    history: ScanHistory
    messages: Mapping[FindingKey, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """All that a history holds of one inventory."""

    source: str
    """What the history is called on the page."""
    inventory: str
    runs: tuple[PastScan, ...]
    """Oldest first."""
    latest: tuple[Latest, ...]
    words: tuple[Word, ...] = ()
    """Those of the latest scans; of versions that did not record them, none."""
    words_known: bool = True
    """False where a version recorded them that did not keep such words."""
