"""One command of a remote shell: its process, what it reads, and its output in envelope-sized answers."""

from __future__ import annotations

import base64
import threading
import traceback
from collections.abc import Iterator
from dataclasses import replace

from checks.common.dataclass import dataclass
from scanner.lab.servers.wsman.messages import SHELL, FaultError
from scanner.lab.servers.wsman.process import Execute, ProcessOutput, ProcessRequest, WaitsForInputError
from scanner.lab.servers.wsman.soap_faults import aborted_fault, timed_out_fault

_WRITE_BYTES = 16 * 1024
"""A larger write comes back as several streams."""
_STREAM_MARGIN_BYTES = 128
"""Markup around one stream."""
_CONTROL_C_EXIT = -1073741510
"""STATUS_CONTROL_C_EXIT, what a process ends with after ctrl_c."""


@dataclass(slots=True)
class _Stream:
    """Output of one name and how much of it has been received."""

    name: str
    data: bytes
    position: int = 0

    def take(self, limit: int) -> bytes:
        piece = self.data[self.position : self.position + limit]
        self.position += len(piece)
        return piece

    @property
    def left(self) -> bool:
        return self.position < len(self.data)


class Command:
    """One command line in a shell: its process, its input and the output not yet received."""

    def __init__(self, key: str, template: ProcessRequest, execute: Execute, *, late_end: bool = False) -> None:
        """`late_end`: the end comes in an answer of its own, as when a process lingers after its last output."""
        self.key = key
        self._late_end = late_end
        self._template = template
        self._execute = execute
        self._changed = threading.Condition()
        self._stdin = bytearray()
        self._stdin_closed = False
        self._output: tuple[_Stream, ...] = ()
        self._exit_code: int | None = None
        self._reported = False
        self._stopped = False
        self._worker: threading.Thread | None = None

    @property
    def finished(self) -> bool:
        """Its end has been told, or it was stopped."""
        return self._reported or self._stopped

    @property
    def _over(self) -> bool:
        return self._stopped or self._exit_code is not None

    def start(self) -> None:
        """Run the process, once.

        Windows does so at once; before the first Receive or the end of stdin nobody can tell.
        """
        with self._changed:
            if self._worker is None and not self._over:
                self._worker = threading.Thread(target=self._run, name=f"wsman-command-{self.key}", daemon=True)
                self._worker.start()

    def send(self, data: bytes, end: bool) -> None:
        """Add to stdin. Raises FaultError after its end."""
        with self._changed:
            if self._stdin_closed:
                raise FaultError(109, "The pipe has been ended.", subcode="w:InternalError", receiver=True)
            self._stdin += data
            self._stdin_closed = end
            self._changed.notify_all()
        if end:
            self.start()

    def stop(self) -> None:
        """End it, whatever it does; a Receive that waits for it is aborted."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def interrupt(self) -> None:
        """End the process as ctrl_c does; its end can still be received."""
        with self._changed:
            if self._exit_code is None:
                self._exit_code = _CONTROL_C_EXIT
            self._changed.notify_all()

    def join(self, timeout_s: float) -> None:
        """Wait for the process's thread."""
        if self._worker is not None:
            self._worker.join(timeout_s)

    def _run(self) -> None:
        seen = -1
        while True:
            with self._changed:
                while not (self._over or self._stdin_closed or len(self._stdin) > seen):
                    self._changed.wait()
                if self._over:
                    return
                seen = len(self._stdin)
                request = self._with_input()
            try:
                output = self._execute(request)
            except WaitsForInputError:
                if request.stdin_closed:
                    output = ProcessOutput(b"", b"the process reads on after the end of its input\r\n", 255)
                else:
                    continue
            except Exception:  # noqa: BLE001 - a failing stand-in is a failing process, and says why
                output = ProcessOutput(b"", traceback.format_exc().encode(), 255)
            self._finish(output)
            return

    def _with_input(self) -> ProcessRequest:
        return replace(self._template, stdin=bytes(self._stdin), stdin_closed=self._stdin_closed)

    def _finish(self, output: ProcessOutput) -> None:
        with self._changed:
            if not self._over:
                self._output = (_Stream("stdout", output.stdout), _Stream("stderr", output.stderr))
                self._exit_code = output.exit_code
            self._changed.notify_all()

    def receive(self, wanted: frozenset[str], timeout_s: float, room_bytes: int) -> str:
        """The body of a ReceiveResponse. Raises FaultError when there is nothing within `timeout_s`."""
        self.start()
        with self._changed:
            if not self._changed.wait_for(lambda: self._over, timeout_s):
                raise timed_out_fault()
            if self._stopped:
                raise aborted_fault()
            pieces = [*self._take(wanted, room_bytes)]
            more = any(stream.left for stream in self._output if stream.name in wanted)
            self._reported = not more and not (self._late_end and pieces)
            if self._reported:
                pieces += [self._stream(name, b"", ' End="true"') for name in ("stdout", "stderr") if name in wanted]
                state = f'Done"><rsp:ExitCode>{self._exit_code}</rsp:ExitCode>'
            else:
                state = 'Running">'
        return (
            f'<rsp:ReceiveResponse>{"".join(pieces)}<rsp:CommandState CommandId="{self.key}" '
            f'State="{SHELL}/CommandState/{state}</rsp:CommandState></rsp:ReceiveResponse>'
        )

    def _take(self, wanted: frozenset[str], room_bytes: int) -> Iterator[str]:
        for stream in self._output:
            while stream.name in wanted and stream.left:
                fits = max(0, room_bytes - _STREAM_MARGIN_BYTES) // 4 * 3
                if not fits:
                    return
                element = self._stream(stream.name, stream.take(min(fits, _WRITE_BYTES)))
                room_bytes -= len(element)
                yield element

    def _stream(self, name: str, data: bytes, end: str = "") -> str:
        text = base64.b64encode(data).decode()
        return f'<rsp:Stream Name="{name}" CommandId="{self.key}"{end}>{text}</rsp:Stream>'
