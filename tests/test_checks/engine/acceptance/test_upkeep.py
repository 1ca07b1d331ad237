"""What waivers and attestations ask of their keepers: when they end, and which are good for nothing."""

from __future__ import annotations

from datetime import date

import pytest

from checks.engine.acceptance.model import Attestation
from checks.engine.acceptance.upkeep import review
from checks.outcome import Result
from tests.test_checks.engine.acceptance.made import LATER, row, waiver

TODAY = date(2026, 11, 21)
PAST, SOON, LATE = date(2026, 11, 20), date(2026, 12, 5), date(2026, 12, 6)
WAIVER = "waivers[1] (size on prod.web1, Ada)"
WORD = 'attestations[1] ("it was restored", Ada)'


def word(
    expires: date = LATER,
    check: str = "",
    cluster: str = "",
    node: str | None = None,
    said: date = TODAY,
    place: str = "attestations[1]",
) -> Attestation:
    return Attestation(
        statement="it was restored",
        by="Ada",
        date=said,
        expires=expires,
        check=check,
        cluster=cluster,
        node=node,
        place=place,
    )


@pytest.mark.parametrize(
    ("expires", "told"),
    [
        (PAST, "expired on 2026-11-20; what it covers counts again"),
        (TODAY, "ends on 2026-11-21"),
        (SOON, "ends on 2026-12-05"),
        (LATE, None),
    ],
)
def test_when_a_waiver_ends(expires: date, told: str | None) -> None:
    expected = () if told is None else (f"{WAIVER}: {told}",)
    assert review([waiver(expires=expires)], [], TODAY) == expected
    # With results that need it nothing is said besides.
    assert review([waiver(expires=expires)], [], TODAY, [row("fail")]) == expected


@pytest.mark.parametrize(
    ("expires", "told"),
    [
        (PAST, "expired on 2026-11-20; nobody vouches for it now"),
        (TODAY, "ends on 2026-11-21"),
        (SOON, "ends on 2026-12-05"),
        (LATE, None),
    ],
)
def test_when_an_attestation_ends(expires: date, told: str | None) -> None:
    expected = () if told is None else (f"{WORD}: {told}",)
    assert review([], [word(expires)], TODAY) == expected
    assert review([], [word(expires)], TODAY, []) == expected


@pytest.mark.parametrize(
    ("results", "value", "told"),
    [
        ([row("pass"), row("skip")], "", "unused: all that it could cover in these results is fine without it"),
        ([row("fail", "web2"), row("fail", check="other")], "", "unused: these results have nothing that it could"),
        ([row("fail")], "small", 'void: it holds only while "small" is observed, and these results have something'),
        ([row("warn")], "too big", None),
        ([row("error")], "", None),
        ([], "", "unused: these results have nothing that it could"),
    ],
)
def test_what_a_waiver_is_good_for_in_these_results(results: list[Result], value: str, told: str | None) -> None:
    found = review([waiver(value=value)], [], TODAY, results)
    assert len(found) == (told is not None)
    assert all(line.startswith(f"{WAIVER}: {told}") for line in found)
    assert review([waiver(value=value)], [], TODAY) == ()


def test_each_waiver_is_held_to_the_results_that_are_its_own() -> None:
    waivers = [waiver(), waiver(node="web2"), waiver(node=None)]
    (told,) = review(waivers, [], TODAY, [row("fail")])
    assert told == "waivers[1] (size on prod.web2, Ada): unused: these results have nothing that it could cover"
    first, second = review([waiver(expires=PAST), waiver(expires=PAST)], [], TODAY, [row("pass")])[:2]
    assert "expired" in first
    assert "unused" in second


@pytest.mark.parametrize(
    ("about", "results", "used"),
    [
        (word(check="size"), [row("pass")], True),
        (word(check="size", cluster="prod"), [row("pass")], True),
        (word(check="size", cluster="prod", node="web1"), [row("error")], True),
        (word(check="size", cluster="prod", node="web1"), [row("pass", "web2"), row("pass", None)], False),
        (word(check="size", cluster="test"), [row("pass")], False),
        (word(check="other", cluster="prod", node="web1"), [row("pass")], False),
        (word(check="size"), [], False),
        (word(cluster="prod"), [], True),
    ],
)
def test_an_attestation_stands_beside_a_result(about: Attestation, results: list[Result], used: bool) -> None:
    found = review([], [about], TODAY, results)
    where = {"": "size", "test": "size on test"}.get(about.cluster, f"{about.check} on prod.web1")
    assert found == (() if used else (f"{WORD}: unused: these results have no {where.replace('size', about.check)}",))
    assert review([], [about], TODAY) == ()


def test_nobody_has_said_it_before_its_day() -> None:
    assert review([], [word(said=TODAY)], TODAY) == ()
    (told,) = review([], [word(said=date(2026, 11, 22), place="")], TODAY)
    assert told == 'an attestation ("it was restored", Ada): is dated 2026-11-22, which is yet to come'
