"""What waivers and attestations ask of whoever keeps them, told without a scan."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from checks.engine.acceptance.model import Attestation, Expiry, Waiver, scope, standing
from checks.engine.acceptance.waivers import Use, covered, named, use_of
from checks.outcome import Result


def review(
    waivers: Sequence[Waiver],
    attestations: Sequence[Attestation],
    today: date,
    results: Sequence[Result] | None = None,
) -> tuple[str, ...]:
    """What to look at as of `today`, in UTC, one line each; with `results`, also what is good for nothing in them."""
    rows = covered(waivers, results) if results is not None else [None] * len(waivers)
    return (
        *(
            f"{named(waiver)}: {said}"
            for waiver, own in zip(waivers, rows, strict=True)
            for said in _of_waiver(waiver, today, own)
        ),
        *(f"{_named(word)}: {said}" for word in attestations for said in _of_attestation(word, today, results)),
    )


def _of_waiver(waiver: Waiver, today: date, results: Sequence[Result] | None) -> Iterable[str]:
    yield from _of_its_end(waiver.expires, today, "what it covers counts again")
    if results is not None:
        use = use_of(waiver, results)
        if use is Use.MOOT:
            yield "unused: all that it could cover in these results is fine without it"
        elif use is Use.ABSENT:
            yield "unused: these results have nothing that it could cover"
        elif use is Use.VOID:
            yield f'void: it holds only while "{waiver.value}" is observed, and these results have something else'


def _of_attestation(word: Attestation, today: date, results: Sequence[Result] | None) -> Iterable[str]:
    yield from _of_its_end(word.expires, today, "nobody vouches for it now")
    if word.date > today:
        yield f"is dated {word.date}, which is yet to come"
    if results is not None and word.check and not any(_is_beside(word, row) for row in results):
        yield f"unused: these results have no {scope(word)}"


def _of_its_end(expires: date, today: date, since: str) -> Iterable[str]:
    """`since` says what is so once it has ended."""
    stands = standing(expires, today)
    if stands is Expiry.EXPIRED:
        yield f"expired on {expires}; {since}"
    elif stands is Expiry.ENDS_SOON:
        yield f"ends on {expires}"


def _is_beside(word: Attestation, row: Result) -> bool:
    return word.check == row.check and word.cluster in ("", row.cluster) and word.node in (None, row.node)


def _named(word: Attestation) -> str:
    return f'{word.place or "an attestation"} ("{word.statement}", {word.by})'
