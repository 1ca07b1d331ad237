"""A ProxyCommand as a wire: OpenSSH's way through whatever is no SSH server (a SOCKS proxy, a cloud's tunnel, nc).

It is the user's own command, from the user's own configuration. It gets a session of its own, so that all of it can be
ended, and no terminal, so that it cannot ask.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterable
from contextlib import suppress

from scanner.errors import UnreachableError, shortened
from scanner.secrets import children
from scanner.secrets.secret import Secret

_TOLD_BYTES = 4096
"""Of what it says on standard error: the last of it counts."""
_GRACE_S = 0.5
"""For a command that has closed its side to say how it ended."""


class Proxy:
    """A running ProxyCommand, with its standard input and output as a socket. See `wire.socket.RawSocket`.

    `place` is what it leads to, for messages. Raises UnreachableError where it cannot be started.
    """

    def __init__(self, command: str, place: str, secrets: Iterable[Secret | None] = ()) -> None:
        self._place = place
        self._mark = children.new_mark()
        self._ours, theirs = socket.socketpair()
        self._said = b""
        self._hung_up = self._cut_short = self._ended = False
        self._ending = threading.Lock()
        try:
            # As OpenSSH does: no shell stays behind to be ended on its own.
            self._process = children.start(
                ["/bin/sh", "-c", f"exec {command}"],
                environment={**_environment(secrets), **children.marked(self._mark)},
                wire=theirs.fileno(),
            )
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            self._ours.close()
            raise UnreachableError(f"the ProxyCommand for {place} cannot be started: {error}") from error
        finally:
            theirs.close()
        self._listener = threading.Thread(target=self._listen, name="proxy-command", daemon=True)
        self._listener.start()

    def send(self, data: bytes, /) -> int:
        """Write some of it; how much was written."""
        try:
            return self._ours.send(data)
        except ConnectionError:
            self._hung_up = True
            raise

    def recv(self, size: int, /) -> bytes:
        """Read at most so much; nothing at the end."""
        try:
            data = self._ours.recv(size)
        except ConnectionError:  # it went without a look at what it was sent
            self._hung_up = True
            raise
        self._hung_up = self._hung_up or not data
        return data

    def settimeout(self, seconds: float | None, /) -> None:
        """Bound each read and write."""
        self._ours.settimeout(seconds)

    def cut(self) -> None:
        """End it, and with it every blocked read and write, from any thread."""
        with suppress(OSError):
            self._ours.shutdown(socket.SHUT_RDWR)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_S if self._hung_up else 0)
        self._cut_short = self._cut_short or self._process.returncode is None
        self._kill()

    def close(self) -> None:
        """Leave nothing of it behind."""
        self.cut()
        self._ours.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_S)
        self._listener.join(_GRACE_S)

    def failure(self) -> UnreachableError | None:
        """Why it has led nowhere, where it has ended by itself."""
        if self._cut_short:
            return None
        try:
            status = self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            return None
        self._kill()  # what it has started may go on without it, and hold its standard error open
        self._listener.join(_GRACE_S)
        lines = [line.strip() for line in self._said.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
        how = f"exit {status}" if status >= 0 else f"signal {-status}"
        return UnreachableError(
            f"the ProxyCommand for {self._place} ended with {how}{': ' + shortened(lines[-1], 200) if lines else ''}",
            hint="run it by hand, or connect with `ssh`, to see why; `jump` in the inventory is a way without it",
        )

    def _listen(self) -> None:
        pipe = self._process.stderr
        if pipe:
            with pipe, suppress(OSError, ValueError):
                while chunk := os.read(pipe.fileno(), _TOLD_BYTES):
                    self._said = (self._said + chunk)[-_TOLD_BYTES:]

    def _kill(self) -> None:
        """End its whole group, once: the number of a group that is gone may be given to another."""
        with self._ending:
            if not self._ended:
                self._ended = True
                with suppress(OSError):
                    children.end(self._process, self._mark)


def _environment(secrets: Iterable[Secret | None]) -> dict[str, str]:
    """What `ssh` would hand on, without the passwords that the inventory takes from the environment."""
    values = {secret.reveal() for secret in secrets if secret}
    return {
        name: value
        for name, value in children.environment().items()
        if value not in values and not name.upper().startswith("PREFLIGHT_")
    }
