"""What a history keeps of a scan beside its results: what each cluster's verdict is for, and who vouches until when."""

from __future__ import annotations

import sqlite3

from checks.history.kept import Word, WordKind
from checks.scan import Scan
from reports.text import one_line

_CHARS = 300


def note(store: sqlite3.Connection, run: int, scan: Scan) -> None:
    """Record it under the run's number."""
    for judged in scan.cluster_verdicts:
        about = judged.record
        store.execute(
            "INSERT INTO cluster (run, name, verdict, product, installed, target, owner, contact) "
            "VALUES (?,?,?,?,?,?,?,?)",
            (
                run,
                about.name,
                str(judged.verdict),
                *(one_line(text, _CHARS) for text in (about.title or about.product, about.installed, about.target)),
                *(one_line(text, _CHARS) for text in (about.owner, about.contact)),
            ),
        )
    for number, word in enumerate(words_of(scan)):
        store.execute(
            "INSERT INTO word (run, number, kind, check_id, cluster, node, said_by, said, expires) "
            "VALUES (?,?,?,?,?,?,?,?,?)",
            (
                run,
                number,
                str(word.kind),
                word.check,
                word.cluster,
                word.node or "",
                one_line(word.by, _CHARS),
                one_line(word.said, _CHARS),
                word.expires.isoformat(),
            ),
        )


def words_of(scan: Scan) -> tuple[Word, ...]:
    """The waivers that cover something in the scan, each once, and all attestations."""
    waivers = dict.fromkeys(row.waiver for row in scan.results if row.waiver)
    return (
        *(
            Word(
                kind=WordKind.WAIVER,
                check=w.check,
                cluster=w.cluster,
                node=w.node,
                by=w.owner,
                said=w.reason,
                expires=w.expires,
            )
            for w in waivers
        ),
        *(
            Word(
                kind=WordKind.ATTESTATION,
                check=a.check,
                cluster=a.cluster,
                node=a.node,
                by=a.by,
                said=a.statement,
                expires=a.expires,
            )
            for a in (heard.attestation for heard in scan.attestations)
        ),
    )
