"""Answers kept small until somebody judges them: of ten thousand nodes, all texts at once would fill the memory."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, Mapping, ValuesView
from dataclasses import replace

from checks.facts import Unknown
from scanner.files.packed.packing import pack, unpack
from scanner.probes.probe import Answer
from scanner.transports.answers import NodeResponse


class PackedAnswers(Mapping[str, Answer | Unknown]):
    """A node's answers as bytes; each look unpacks all of them, so whoever needs several takes `opened` first."""

    __slots__ = ("_bytes", "_names")

    def __init__(self, answers: Mapping[str, Answer | Unknown]) -> None:
        self._names = tuple(answers)
        values = [
            found.reason
            if isinstance(found, Unknown)
            else (found.output, found.exit_code, found.truncated, found.error_output)
            for found in answers.values()
        ]
        self._bytes = pack(values)

    def opened(self) -> dict[str, Answer | Unknown]:
        """All of them as they were."""
        values = unpack(self._bytes)
        return {
            name: Unknown(value) if isinstance(value, str) else Answer(*value)
            for name, value in zip(self._names, values, strict=True)
        }

    def __getitem__(self, name: str) -> Answer | Unknown:
        if name not in self._names:
            raise KeyError(name)
        return self.opened()[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def items(self) -> ItemsView[str, Answer | Unknown]:
        """All of them, unpacked once."""
        return self.opened().items()

    def values(self) -> ValuesView[Answer | Unknown]:
        """Likewise."""
        return self.opened().values()

    def __repr__(self) -> str:
        return f"PackedAnswers({', '.join(self._names)})"


def packed(said: NodeResponse) -> NodeResponse:
    """The same, with its answers packed."""
    return said if isinstance(said.answers, PackedAnswers) else replace(said, answers=PackedAnswers(said.answers))


def opened(said: NodeResponse) -> NodeResponse:
    """The same, with its answers at hand."""
    return replace(said, answers=said.answers.opened()) if isinstance(said.answers, PackedAnswers) else said
