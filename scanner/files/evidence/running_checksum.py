"""The checksum of a document whose nodes come one by one: SHA-256 over its canonical text, which nobody ever holds."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

NODES = "nodes"


_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def canonical(value: object) -> str:
    """JSON with sorted keys, without blanks, in ASCII."""
    return _encoder.encode(value)


class RunningChecksum:
    """Over everything but the checksum itself, in the order of the keys: `nodes` has its place among them."""

    def __init__(self, head: Mapping[str, object]) -> None:
        """`head` is what the document holds beside its nodes, as far as it is known when they begin.

        No key that sorts before them may be missing.
        """
        self._head = dict(head)
        self._digest = hashlib.sha256(b"{")
        self._nodes = 0
        self._some = False
        self._members(key for key in self._head if key < NODES)
        self._member(f'"{NODES}":[')

    def node(self, node: object) -> None:
        """The next of the nodes."""
        self._digest.update(f"{',' if self._nodes else ''}{canonical(node)}".encode("ascii"))
        self._nodes += 1

    def ended(self, rest: Mapping[str, object]) -> str:
        """The checksum, with what stood behind the nodes."""
        self._digest.update(b"]")
        self._head |= rest
        self._members(key for key in self._head if key > NODES)
        self._digest.update(b"}")
        return f"sha256:{self._digest.hexdigest()}"

    def _members(self, keys: object) -> None:
        for key in sorted(keys):  # type: ignore[call-overload]
            self._member(f"{canonical(key)}:{canonical(self._head[key])}")

    def _member(self, text: str) -> None:
        self._digest.update(f"{',' if self._some else ''}{text}".encode("ascii"))
        self._some = True
