"""Attestations are people's words: shown, told when they end, and no result rests on them."""

from __future__ import annotations

from datetime import date

from checks.engine.acceptance.attestations import hear
from checks.engine.acceptance.model import Attestation, Expiry
from checks.outcome import Result, Severity, Status
from checks.scan import Verdict, verdict_of

TODAY = date(2026, 11, 21)


def word(expires: date, cluster: str = "", node: str | None = None, statement: str = "it was restored") -> Attestation:
    return Attestation(
        statement=statement,
        by="Ada",
        date=date(2026, 11, 1),
        expires=expires,
        cluster=cluster,
        node=node,
        place="attestations[1]",
    )


def test_one_that_holds_is_kept_and_nothing_else() -> None:
    heard = hear([word(date(2027, 1, 1))], TODAY)
    assert [item.standing for item in heard.attested] == [Expiry.HOLDS]
    assert (heard.results, heard.reminders) == ((), ())


def test_one_that_ends_soon_is_told_and_counts_for_nothing() -> None:
    heard = hear([word(date(2026, 12, 5), "prod", "web1")], TODAY)
    assert heard.results == ()
    assert heard.reminders == (
        'attestations[1] (prod.web1), "it was restored" by Ada, ends on 2026-12-05; ask for it again',
    )


def test_one_that_has_expired_is_a_warning_where_it_was_about() -> None:
    past = date(2026, 11, 20)
    heard = hear([word(past, "prod", "web1"), word(past, "prod", "web1", "tape is off-site"), word(past)], TODAY)
    assert [(row.cluster, row.node, row.status) for row in heard.results] == [
        ("prod", "web1", Status.WARN),
        ("", None, Status.WARN),
    ]
    assert '"it was restored", attested by Ada on 2026-11-01, expired on 2026-11-20' in heard.results[0].message
    assert "tape is off-site" in heard.results[0].message
    assert len(heard.reminders) == 3


def test_none_makes_a_go_nor_an_expired_one_a_no_go_unless_strict() -> None:
    lapsed = hear([word(date(2026, 1, 1))], TODAY).results
    passed = Result(
        check="size", title="T", severity=Severity.LOW, cluster="prod", node="web1", status=Status.PASS, message="fine"
    )
    skipped = Result(
        check="size", title="T", severity=Severity.LOW, cluster="prod", node="web1", status=Status.SKIP, message="moot"
    )
    assert verdict_of([passed, *lapsed]) is Verdict.GO
    assert verdict_of([passed, *lapsed], strict=True) is Verdict.NO_GO
    for others in ([], [skipped]):
        assert verdict_of([*others, *lapsed]) is Verdict.UNKNOWN
