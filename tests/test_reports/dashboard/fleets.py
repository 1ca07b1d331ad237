"""Fleets that are made up for tests: each cluster a line with a letter for each night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from checks.history.kept import SCAN, Kept, Latest, PastScan, Said, Word
from checks.history.model import FindingKey
from checks.history.scan_comparison import Entry, PastRun, compare_with_history
from checks.outcome import Status
from checks.scan import Verdict, gravest

FIRST = datetime(2026, 3, 2, 2, 15, tzinfo=UTC)
"""A Monday."""
VERDICTS = {"G": Verdict.GO, "N": Verdict.NO_GO, "U": Verdict.UNKNOWN}


def entries(cluster: str, letter: str) -> dict[FindingKey, Entry]:
    disk, node = FindingKey("disk-space", cluster, "n1"), FindingKey("connectivity", cluster, "n1")
    if letter == "U":
        return {
            node: Entry(Status.ERROR, judged=False, message="no answer within 10 s"),
            disk: Entry(Status.SKIP, judged=False, message="not evaluated: node unreachable"),
        }
    full = Entry(Status.FAIL, judged=True, message="C: 3 GiB free, 10 GiB wanted")
    good = Entry(Status.PASS, judged=True, message="enough room")
    return {node: Entry(Status.PASS, judged=True, message="answers"), disk: full if letter == "N" else good}


def past(night: float, clusters: Mapping[str, str], *, about: str = "", owner: str = "", **more: Any) -> PastScan:
    """The scan of one night; `clusters` says a letter for each."""
    said = {
        name: Said(
            verdict=VERDICTS[letter],
            counts={
                Status.PASS: 1 + (letter == "G"),
                Status.FAIL: int(letter == "N"),
                Status.ERROR: int(letter == "U"),
            },
            not_evaluated=int(letter == "U"),
            reached=letter != "U",
            about=about,
            owner=owner,
        )
        for name, letter in clusters.items()
    }
    verdict = str(gravest(one.verdict for one in said.values()))
    run = PastScan(
        command=SCAN,
        phase="before",
        targets=(),
        scope="",
        partial=False,
        strict=False,
        started=FIRST + timedelta(days=night),
        verdict=verdict,
    )
    return replace(run, clusters=said, **more)


def kept(
    lines: Mapping[str, str],
    *,
    further: Sequence[PastScan] = (),
    source: str = "preflight.db",
    inventory: str = "inventory.toml",
    words: Sequence[Word] = (),
    about: str = "",
    owner: str = "",
) -> Kept:
    """A history; a dot in a line is a night in which the cluster was not looked at."""
    runs = list(further)
    for night in range(max(map(len, lines.values()), default=0)):
        tonight = {name: line[night] for name, line in lines.items() if night < len(line) and line[night] != "."}
        if tonight:
            runs.append(past(night, tonight, about=about, owner=owner))
    runs.sort(key=lambda run: run.started)
    pasts = [_past_run(run) for run in runs]
    latest: dict[tuple[object, ...], int] = {}
    for number, run in enumerate(runs):
        if run.command == SCAN and run.whole:
            latest |= {(name, *run.series): number for name in run.clusters}
    found = [
        Latest(
            runs[number],
            compare_with_history(
                pasts[number],
                [one for one, run in zip(reversed(pasts[:number]), reversed(runs[:number]), strict=True) if run.whole],
            ),
            {subject: entry.message for subject, entry in pasts[number].entries.items()},
        )
        for number in sorted(set(latest.values()))
    ]
    return Kept(source=source, inventory=inventory, runs=tuple(runs), latest=tuple(found), words=tuple(words))


def _past_run(run: PastScan) -> PastRun:
    letters = {verdict: letter for letter, verdict in VERDICTS.items()}
    said: dict[FindingKey, Entry] = {}
    for name, one in run.clusters.items():
        said |= entries(name, letters[one.verdict])
    return PastRun(
        started=run.started,
        verdict=run.verdict,
        scope=run.scope,
        narrowed=bool(run.scope),
        partial=run.partial,
        entries=said,
    )
