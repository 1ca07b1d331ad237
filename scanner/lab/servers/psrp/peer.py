"""What stands behind a WinRM session of PowerShell remoting: fragments in, fragments out, whoever understands them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol


class Outbox:
    """What a peer has to say, by the pipeline's id in capitals ("" for the pool). Thread safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._batches: dict[str, list[bytearray]] = {}
        self._ended: set[str] = set()
        self._closed = False

    def put(self, pipeline: str, data: bytes, *, apart: bool = False) -> None:
        """Say `data`; `apart`: in an answer of its own, not with what waits already."""
        with self._changed:
            batches = self._batches.setdefault(pipeline, [])
            if apart or not batches:
                batches.append(bytearray())
            batches[-1] += data
            self._changed.notify_all()

    def end(self, pipeline: str) -> None:
        """Nothing more will come of this pipeline."""
        with self._changed:
            self._ended.add(pipeline)
            self._changed.notify_all()

    def close(self) -> None:
        """Wake up whoever waits: nothing more will come at all."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self, pipeline: str, timeout_s: float, room_bytes: int) -> tuple[bytes, bool] | None:
        """The next of it, and whether that was the last; None where nothing came within `timeout_s`.

        Raises EOFError where the session was closed meanwhile.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or self._batches.get(pipeline) or pipeline in self._ended, timeout_s
            )
            if self._closed:
                raise EOFError
            batches = self._batches.get(pipeline, [])
            if not batches and pipeline not in self._ended:
                return None
            data = b""
            if batches:
                data = bytes(batches[0][:room_bytes])
                del batches[0][:room_bytes]
                if not batches[0]:
                    del batches[0]
            return data, pipeline in self._ended and not batches


class Peer(Protocol):
    """One PowerShell behind one session."""

    def begin(self, pipeline: str, fragments: bytes) -> None:
        """A pipeline, with its first fragments."""
        ...

    def send(self, pipeline: str, fragments: bytes) -> None:
        """More fragments, for a pipeline or the pool."""
        ...

    def stop(self, pipeline: str) -> None:
        """End a pipeline."""
        ...

    def close(self) -> None:
        """End the session, whatever it does."""
        ...


OpenPeer = Callable[[str, str, bytes, Outbox], Peer]
"""Opens a session: account, configuration, the fragments of the creation, and where to say what."""
