"""One command of a remote shell: its process, what it reads, and its output in envelope-sized answers."""

from __future__ import annotations

import base64
import threading
import traceback
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from scanner.lab.wsman_faults import timed_out_fault
from scanner.lab.wsman_messages import SHELL, FaultError
from scanner.lab.wsman_process import Execute, ProcessOutput, ProcessRequest, WaitsForInputError

_WRITE_BYTES = 16 * 1024
"""A larger write comes back as several streams."""
_STREAM_MARGIN_BYTES = 128
"""Markup around one stream."""


class Command:
    """One command line in a shell: its process, its input and the output not yet received."""

    def __init__(self, key: str, template: ProcessRequest, execute: Execute) -> None:
        self.key = key
        self._template = template
        self._execute = execute
        self._changed = threading.Condition()
        self._stdin = bytearray()
        self._stdin_closed = False
        self._output: deque[tuple[str, bytes]] = deque()
        self._exit_code: int | None = None
        self._reported = False
        self._stopped = False
        self._worker: threading.Thread | None = None

    @property
    def finished(self) -> bool:
        """Its end has been told, or it was stopped."""
        return self._reported or self._stopped

    def start(self) -> None:
        """Run the process, once.

        Windows does so at once; before the first Receive or the end of stdin nobody can tell.
        """
        with self._changed:
            if self._worker is None and not self._stopped:
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
        """End it, whatever it does."""
        with self._changed:
            self._stopped = True
            if self._exit_code is None:
                self._exit_code = 1
                self._output.clear()
            self._changed.notify_all()

    def join(self, timeout_s: float) -> None:
        """Wait for the process's thread."""
        if self._worker is not None:
            self._worker.join(timeout_s)

    def _run(self) -> None:
        seen = -1
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda seen=seen: self._stopped or self._stdin_closed or len(self._stdin) > seen  # type: ignore[misc]
                )
                if self._stopped:
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
        writes: deque[tuple[str, bytes]] = deque()
        for name, data in (("stdout", output.stdout), ("stderr", output.stderr)):
            whole = memoryview(data)
            writes.extend((name, bytes(whole[at : at + _WRITE_BYTES])) for at in range(0, len(whole), _WRITE_BYTES))
        with self._changed:
            if not self._stopped:
                self._output = writes
                self._exit_code = output.exit_code
            self._changed.notify_all()

    def receive(self, wanted: frozenset[str], timeout_s: float, room_bytes: int) -> str:
        """The body of a ReceiveResponse. Raises FaultError when there is nothing within `timeout_s`."""
        self.start()
        with self._changed:
            if not self._changed.wait_for(lambda: self._exit_code is not None, timeout_s):
                raise timed_out_fault()
            streams = "".join(self._take(wanted, room_bytes))
            state = f"{SHELL}/CommandState"
            if any(name in wanted for name, _ in self._output):
                return (
                    f"<rsp:ReceiveResponse>{streams}"
                    f'<rsp:CommandState CommandId="{self.key}" State="{state}/Running"></rsp:CommandState>'
                    "</rsp:ReceiveResponse>"
                )
            self._reported = True
            ends = "".join(
                f'<rsp:Stream Name="{name}" CommandId="{self.key}" End="true"></rsp:Stream>'
                for name in sorted(wanted)[::-1]
            )
            return (
                f"<rsp:ReceiveResponse>{streams}{ends}"
                f'<rsp:CommandState CommandId="{self.key}" State="{state}/Done">'
                f"<rsp:ExitCode>{self._exit_code}</rsp:ExitCode></rsp:CommandState></rsp:ReceiveResponse>"
            )

    def _take(self, wanted: frozenset[str], room_bytes: int) -> Iterator[str]:
        while self._output:
            name, data = self._output[0]
            if name in wanted:
                fits = max(0, room_bytes - _STREAM_MARGIN_BYTES) // 4 * 3
                if not fits:
                    return
                if len(data) > fits:
                    self._output[0] = (name, data[fits:])
                    data = data[:fits]
                else:
                    self._output.popleft()
                text = base64.b64encode(data).decode()
                room_bytes -= len(text) + _STREAM_MARGIN_BYTES
                yield f'<rsp:Stream Name="{name}" CommandId="{self.key}">{text}</rsp:Stream>'
            else:
                self._output.popleft()
