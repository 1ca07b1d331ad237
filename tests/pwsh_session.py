"""A real PowerShell behind a remoting session: `pwsh -s` reads PSRP's fragments from its standard input.

That is how PowerShell remoting over SSH works; the lines around the fragments are its out-of-process transport's.
With the lab's WS-Man listener in front it is a PSRP server that nobody here has written.
"""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
import threading
from contextlib import suppress

from scanner.lab.servers.psrp.peer import Outbox

PWSH = shutil.which("pwsh")
_ELEMENT = re.compile(rb"<(\w+)(?: Stream='\w+')? PSGuid='([0-9a-fA-F-]{36})'\s*(?:/>|>([^<]*)</\w+>)")
_POOL = "00000000-0000-0000-0000-000000000000"
_ANSWER_S = 60.0


class PwshSession:
    """A `scanner.lab.servers.psrp.peer.Peer`."""

    def __init__(
        self, user: str, configuration: str, creation: bytes, outbox: Outbox, *, arguments: tuple[str, ...] = ()
    ) -> None:
        assert PWSH is not None
        self._outbox = outbox
        self._acknowledged: set[tuple[str, str]] = set()
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            [PWSH, "-NoLogo", "-NoProfile", *arguments, "-s"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._data(_POOL, creation)

    def begin(self, pipeline: str, fragments: bytes) -> None:
        self._write(f"<Command PSGuid='{pipeline.lower()}' />")
        with self._changed:
            assert self._changed.wait_for(lambda: ("CommandAck", pipeline) in self._acknowledged, _ANSWER_S)
        self._data(pipeline, fragments)

    def send(self, pipeline: str, fragments: bytes) -> None:
        self._data(pipeline or _POOL, fragments)

    def stop(self, pipeline: str) -> None:
        self._write(f"<Signal PSGuid='{pipeline.lower()}' />")

    def close(self) -> None:
        with suppress(OSError):
            self._write(f"<Close PSGuid='{_POOL}' />")
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(2)
        self.process.kill()
        self.process.wait()
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _data(self, of: str, fragments: bytes) -> None:
        self._write(f"<Data Stream='Default' PSGuid='{of.lower()}'>{base64.b64encode(fragments).decode()}</Data>")

    def _write(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            for found in _ELEMENT.finditer(line):
                self._take(found[1].decode(), found[2].decode().upper(), found[3])
        self._outbox.close()

    def _take(self, kind: str, of: str, data: bytes) -> None:
        pipeline = "" if of == _POOL else of
        if kind != "Data":
            with self._changed:
                self._acknowledged.add((kind, pipeline))
                self._changed.notify_all()
            return
        fragments = base64.b64decode(data)
        self._outbox.put(pipeline, fragments)
        if pipeline and ends(fragments):
            self._outbox.end(pipeline)


def ends(fragments: bytes) -> bool:
    """Whether the last of them is a pipeline's state: completed, failed or stopped."""
    tail = fragments[-65536:]
    return b"\x06\x10\x04\x00" in tail and re.search(rb'N="PipelineState">[345]<', tail) is not None
