"""Answers in a nameless file until the evidence can be written, which begins with what is known at the end alone.

Nobody else can open it, and it is gone when the process is, however that ends.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from scanner.files.packed.answers import packed
from scanner.files.packed.packing import dump, load
from scanner.inventory.model import NodeKey
from scanner.transports.answers import NodeResponse


class SpooledResponses(Mapping[NodeKey, NodeResponse]):
    """What nodes said, on the disk: whoever goes from cluster to cluster reads each of them once."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        weakref.finalize(self, file.close)  # also where the run ended before anything was said
        self._places: dict[str, tuple[int, int, tuple[NodeKey, ...]]] = {}
        self._end = 0
        self._open: tuple[str, dict[NodeKey, NodeResponse]] = ("", {})

    @classmethod
    def beside(cls, path: Path) -> SpooledResponses:
        """In the folder in which `path` is to be. Raises OSError and ValueError where there can be none."""
        return cls(tempfile.TemporaryFile(dir=Path(os.path.realpath(path)).parent, buffering=0))

    def put(self, cluster: str, said: Mapping[NodeKey, NodeResponse]) -> None:
        """Keep what the nodes of a cluster said, in the place of what is there of it. Raises OSError."""
        content = dump({key: packed(each) for key, each in said.items()})
        # Whatever an interrupt has left behind the end is written over.
        self._file.seek(self._end)
        left = memoryview(content)
        while left:
            left = left[self._file.write(left) :]
        self._places[cluster] = (self._end, len(content), tuple(said))
        self._end += len(content)

    def close(self) -> None:
        """Let it go."""
        self._places.clear()
        self._open = ("", {})
        self._file.close()

    def _cluster(self, name: str) -> Mapping[NodeKey, NodeResponse]:
        if self._open[0] != name:
            start, size, _ = self._places[name]
            self._file.seek(start)
            content = b""
            while len(content) < size and (piece := self._file.read(size - len(content))):
                content += piece
            self._open = (name, load(content))
        return self._open[1]

    def __getitem__(self, key: NodeKey) -> NodeResponse:
        if key not in self:
            raise KeyError(key)
        return self._cluster(key[0])[key]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, tuple) and key in self._places.get(key[0], (0, 0, ()))[2]

    def __iter__(self) -> Iterator[NodeKey]:
        return (key for _, _, keys in self._places.values() for key in keys)

    def __len__(self) -> int:
        return sum(len(keys) for _, _, keys in self._places.values())
