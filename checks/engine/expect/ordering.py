"""Which of two versions of a package is the newer one, as dpkg and rpm see it, and what an expectation wants of them.

Both ways are written down by those who made them: Debian Policy 5.6.12 (`dpkg --compare-versions`), and rpm's
`rpmvercmp`. They differ from Python's: 1.0~rc1 is older than 1.0, and letters count.
"""

from __future__ import annotations

import re
from typing import TypeVar

from checks.common.dataclass import dataclass

_C = TypeVar("_C", int, str, tuple[int, str])

_WISH = re.compile(r"(?P<operator>>=|<=|==|!=|>|<|=)?\s*(?P<version>[0-9A-Za-z][0-9A-Za-z.+~^_:-]*)")
_HOLDS = {
    ">=": lambda order: order >= 0,
    "<=": lambda order: order <= 0,
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
    ">": lambda order: order > 0,
    "<": lambda order: order < 0,
}
_BEFORE_RELEASE = re.compile(
    r"(?<=[0-9])[-._]?(?=(?:alpha|beta|rc|pre|preview|dev|snapshot|milestone)(?![a-z]))", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class VersionWish:
    """One of the conditions of `version = ">=1.2, <2"`."""

    operator: str
    version: str


class VersionWishError(ValueError):
    """A condition that cannot be read."""


def version_wishes(text: str) -> tuple[VersionWish, ...]:
    """The conditions in `text`, with commas between; a version alone means exactly that. Raises VersionWishError."""
    wishes = []
    for part in text.split(","):
        found = _WISH.fullmatch(part.strip())
        if not found:
            raise VersionWishError(f"{part.strip()!r} is no condition such as >=1.2.3")
        operator = found["operator"] or "=="
        wishes.append(VersionWish("==" if operator == "=" else operator, found["version"]))
    return tuple(wishes)


def fits(installed: str, text: str, *, manager: str = "") -> bool:
    """Whether the version satisfies all conditions in `text`. `manager` is dpkg, rpm or nothing: a plain version.

    What a condition does not name (an epoch, a package's own revision) does not count. Raises VersionWishError.
    """
    return all(_HOLDS[wish.operator](_order(installed, wish.version, manager)) for wish in version_wishes(text))


def _order(installed: str, wanted: str, manager: str) -> int:
    if manager not in ("dpkg", "rpm"):
        return rpm_order(_BEFORE_RELEASE.sub("~", installed), _BEFORE_RELEASE.sub("~", wanted))
    epoch, upstream, revision = _parts(installed)
    wanted_epoch, wanted_upstream, wanted_revision = _parts(wanted)
    compare = dpkg_order if manager == "dpkg" else rpm_order
    if wanted_epoch is not None and (order := _sign(int(epoch or 0), int(wanted_epoch))) != 0:
        return order
    order = compare(upstream, wanted_upstream)
    if order == 0 and wanted_revision is not None:
        return compare(revision or "", wanted_revision)
    return order


def _parts(version: str) -> tuple[str | None, str, str | None]:
    epoch, colon, rest = version.partition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,9}", epoch):
        epoch, rest = "", version
    upstream, dash, revision = rest.rpartition("-")
    return epoch or None, upstream if dash else rest, revision if dash else None


def dpkg_order(one: str, two: str) -> int:
    """-1, 0 or 1: how a version's part (without epoch and revision) stands to another one's, as dpkg has it."""
    while one or two:
        text, other = (re.match(r"[^0-9]*", part) for part in (one, two))
        letters, others = (text[0] if text else ""), (other[0] if other else "")
        for at in range(max(len(letters), len(others))):
            if (order := _sign(_weight(letters[at : at + 1]), _weight(others[at : at + 1]))) != 0:
                return order
        one, two = one[len(letters) :], two[len(others) :]
        number, against_number = (re.match(r"[0-9]*", part) for part in (one, two))
        digits, other_digits = (number[0] if number else ""), (against_number[0] if against_number else "")
        if (order := _by_digits(digits, other_digits)) != 0:
            return order
        one, two = one[len(digits) :], two[len(other_digits) :]
    return 0


def _weight(character: str) -> int:
    if not character:
        return 0
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 256


def _by_digits(one: str, two: str) -> int:
    """By length first: int() of thousands of digits is refused."""
    left, right = one.lstrip("0"), two.lstrip("0")
    return _sign((len(left), left), (len(right), right))


def _sign(one: _C, two: _C) -> int:
    return (one > two) - (one < two)


def rpm_order(one: str, two: str) -> int:
    """-1, 0 or 1, as rpm has it: segments of digits and of letters, `~` before everything, `^` after the end."""
    pieces, others = (re.findall(r"[0-9]+|[A-Za-z]+|~|\^", part) for part in (one, two))
    for at in range(max(len(pieces), len(others))):
        piece, other = pieces[at] if at < len(pieces) else "", others[at] if at < len(others) else ""
        if piece == other:
            continue
        for mark, empty_wins in (("~", True), ("^", False)):
            if mark in (piece, other):
                return _by_mark(piece, other, mark, empty_wins=empty_wins)
        if piece.isdigit() != other.isdigit():
            return 1 if piece.isdigit() else -1
        order = _by_digits(piece, other) if piece.isdigit() else _sign(piece, other)
        if order:
            return order
    return 0


def _by_mark(piece: str, other: str, mark: str, *, empty_wins: bool) -> int:
    """`~` sorts before even the end; `^` after the end, and before anything else."""
    if empty_wins:
        return -1 if piece == mark else 1
    if piece == mark:
        return 1 if not other else -1
    return -1 if not piece else 1
