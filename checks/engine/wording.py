"""Numbers, names and reasons in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def count(number: int, singular: str, plural: str = "") -> str:
    """`1 node`, `2 nodes`."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"


def enumerate_names(names: Sequence[str]) -> str:
    """Names in a sentence: "web1", "web1 and web2", "web1, web2 and web3"."""
    return " and ".join([*([", ".join(names[:-1])] if names[:-1] else []), *names[-1:]])


def group_by_reason(reasons: Iterable[tuple[str, str]]) -> list[str]:
    """`(node, reason)` pairs with each reason once: "web1 and web2: not answered"."""
    names: dict[str, list[str]] = {}
    for name, reason in reasons:
        names.setdefault(reason, []).append(name)
    return [f"{enumerate_names(those)}: {reason}" for reason, those in names.items()]
