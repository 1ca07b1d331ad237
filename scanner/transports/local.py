"""The machine that preflight runs on: one shell here, with the whole script on its standard input.

Bounded as conversations with other machines are, and as if logged in afresh: the shell gets no more of preflight's own
environment than a login would give it, so no password in it.
"""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress

from scanner.clock import now_s
from scanner.errors import (
    AnswerTooLargeError,
    ConnectionLostError,
    DeadlineError,
    NodeError,
    RefusedError,
    UntrustedPeerError,
)
from scanner.inventory.model import Node
from scanner.inventory.reading.nodes import HERE
from scanner.probes.probe import Language
from scanner.secrets import children
from scanner.secrets.redaction import NOTHING_SECRET, Redactor
from scanner.transports.deadline import Deadline
from scanner.transports.launch import READY_S, Launch, launch_for
from scanner.transports.network.resolver import resolve
from scanner.transports.powershell.script_delivery import NO_VARIABLES
from scanner.transports.protocol import ConnectionCost, Limits, TransferTimes

_CHUNK = 256 * 1024
_GRACE_S = 2.0
"""How long an ended shell's last words are waited for. What runs as root may hold them back: it cannot be ended."""
_RESOLVE_S = 5.0
_ROOT = os.path.abspath(os.sep)  # noqa: PTH100  a text for Popen; Path adds nothing
_NAMES = {"sh": "a POSIX shell", "powershell": "Windows PowerShell"}

# All of it is harmless, and a login would set it, too. PSModulePath is left out: PowerShell 7's breaks Windows' own.
_ENVIRONMENT = frozenset(
    (
        *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ"),
        *("SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "OS", "COMPUTERNAME"),
        *("PROGRAMFILES", "PROGRAMFILES(X86)", "PROGRAMW6432", "PROGRAMDATA", "ALLUSERSPROFILE", "PUBLIC"),
        *("COMMONPROGRAMFILES", "COMMONPROGRAMFILES(X86)", "COMMONPROGRAMW6432"),
        *("USERNAME", "USERDOMAIN", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "HOMEDRIVE", "HOMEPATH"),
        *("PROCESSOR_ARCHITECTURE", "PROCESSOR_ARCHITEW6432", "NUMBER_OF_PROCESSORS"),
    )
)
"""The variables that a shell here is given, in capitals: Windows does not mind the case."""


def programs_here() -> dict[Language, str]:
    """The shells of this machine that scripts may be sent to, each with its full path."""
    if os.name == "nt":
        windows = os.environ.get("SYSTEMROOT", r"C:\Windows")
        return {"powershell": rf"{windows}\System32\WindowsPowerShell\v1.0\powershell.exe"}
    return {"sh": "/bin/sh"}


class LocalTransport:
    """The machine that preflight runs on, as a node. See `scanner.transports.protocol.Transport`.

    `programs` are the shells that there are, `programs_here` unless a test brings its own.
    """

    def __init__(
        self,
        node: Node,
        limits: Limits,
        *,
        gate: AbstractContextManager[object] | None = None,
        hide: Redactor = NOTHING_SECRET,
        programs: Mapping[Language, str] | None = None,
    ) -> None:
        self.usage = ConnectionCost()
        self.moments = TransferTimes()
        self._node = node
        self._limits = limits
        self._gate = gate or nullcontext()
        self._hide = hide
        self._programs = programs_here() if programs is None else programs
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = False
        """True once the shell was told to end; one that starts later is ended at once."""
        self._settled = threading.Event()
        """Nothing more needs to be waited for: all output is there, or the shell was ended."""
        self._output: list[bytes] = []
        self._arrived = threading.Condition()
        """Held while something arrives, or nothing more will."""
        self._too_large = False

    def run(self, script: str, variables: Mapping[str, str] = NO_VARIABLES) -> bytes:
        """Run `script` in this machine's `sh` or PowerShell and give what it printed, standard error included.

        Raises NodeError with what had arrived.
        """
        start = launch_for(self._node.language, script, "this machine", variables, by_login=False)
        program = self._program()
        self._check_host()
        try:
            with self._gate, Deadline(self._limits.timeout_s, self._end) as deadline:
                status = self._converse(program, start)
                late = deadline.fired
        except Exception as error:
            self._hide.cleanse(error)
            told = translate(error, program)
            if told is None:
                raise
            raise told from error
        finally:
            self.close()
        output = b"".join(self._output)
        if late:
            raise DeadlineError(
                f"no full answer within {self._limits.timeout_s:g} s; what was started has been ended",
                hint="raise `--timeout`, or look at what keeps this machine busy",
                partial=output,
            )
        if self._too_large:
            mib = self._limits.answer_bytes / 2**20
            hint = "run what it is asked by hand (`preflight probes INVENTORY`), and look at what prints so much"
            raise AnswerTooLargeError(f"this machine's answer is larger than {mib:.2g} MiB", hint=hint, partial=output)
        if status is None or status < 0:
            by = f" (signal {-status})" if status else ""
            hint = "the kernel's log may tell: memory that ran out, a limit of CPU time (`ulimit -t`)"
            raise ConnectionLostError(f"the shell was killed before it was done{by}", hint=hint, partial=output)
        failure = start.judge(output, status)
        if failure:
            failure = start.judge(self._hide.raw(output, cut=True), status) or failure
            failure.partial = output
            raise failure
        return output

    def close(self) -> None:
        """End the shell and all that it started. Never raises, may be called twice."""
        with suppress(Exception):
            self._end()
        process = self._process
        if process:
            with suppress(Exception):
                process.wait(_GRACE_S)

    def _program(self) -> str:
        language = self._node.language
        program = self._programs.get(language)
        if program is None:
            ways = '"ssh"' if language == "sh" else '"winrm" or "ssh"'
            raise RefusedError(
                f"this machine runs {platform.system() or os.name}, and {self._node.product} nodes are asked in "
                f"{_NAMES[language]}",
                hint=f"run preflight on the node itself, or set `host` and transport = {ways} to reach it from here",
            )
        return program

    def _check_host(self) -> None:
        """Refuse to answer for another machine, where the inventory says which one it means."""
        host = self._node.host
        if host != HERE and not is_here(host):
            raise UntrustedPeerError(
                f"{host} is not the machine that preflight runs on ({socket.gethostname()})",
                hint="run preflight there; or leave `host` out, where this machine is the node in spite of its name",
            )

    def _converse(self, program: str, start: Launch) -> int | None:
        """Run it; its exit status, None where it was ended. What it prints gathers in `_output`."""
        process = self._begin(program, start)
        reader = threading.Thread(target=self._read, args=(process,), name="local-reader", daemon=True)
        reader.start()
        with suppress(OSError), process.stdin or nullcontext():  # a shell that ended early has said why
            _write(process, start.stdin[:-1])
            self._await_ready(start.ready)
            self.moments.sent_s = now_s()  # no shell runs a script before all of it is there
            _write(process, start.stdin[-1:])
        self._settled.wait()
        self.moments.received_s = now_s()
        if self._too_large:
            self._end()
        # Nobody can make a blocked read return: one that root's programs hold is left to its own.
        reader.join(_GRACE_S)
        try:
            return process.wait(_GRACE_S if self._ended else None)
        except subprocess.TimeoutExpired:
            return None

    def _await_ready(self, ready: bytes) -> None:
        """Wait until the shell reads, so that its start counts as no uncertainty of the clock."""
        if ready:
            with self._arrived:
                self._arrived.wait_for(lambda: self._settled.is_set() or ready in b"".join(self._output), READY_S)

    def _begin(self, program: str, start: Launch) -> subprocess.Popen[bytes]:
        with self._lock:
            self._process = children.start(
                (program, *start.words[1:]),
                folder=_ROOT,
                environment=children.environment(only=_ENVIRONMENT),
                merged=True,
            )
            self.usage.commands += 1
            process, late = self._process, self._ended
        if late:
            self._end()
        return process

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        size = 0
        try:
            if process.stdout:
                with process.stdout as pipe, suppress(OSError):
                    while not self._too_large and (chunk := pipe.read(_CHUNK)):
                        size += len(chunk)
                        self._too_large = size > self._limits.answer_bytes
                        if not self._too_large:
                            with self._arrived:
                                self._output.append(chunk)
                                self._arrived.notify_all()
        finally:
            self._settle()

    def _settle(self) -> None:
        with self._arrived:
            self._settled.set()
            self._arrived.notify_all()

    def _end(self) -> None:
        """End the shell with all that it started, from any thread. What has ended by itself stays as it is."""
        with self._lock:
            self._ended = True
            process = self._process
        if process and process.returncode is None:
            with suppress(OSError):
                children.end(process)
        self._settle()


def _write(process: subprocess.Popen[bytes], data: bytes) -> None:
    rest = memoryview(data)
    while process.stdin and rest:
        rest = rest[process.stdin.write(rest) or 0 :]


def is_here(host: str) -> bool:
    """Whether `host` is a name or an address of this machine: whether something could listen there."""
    try:
        found = resolve(host, 0, _RESOLVE_S)
    except (OSError, UnicodeError):
        return host.rstrip(".").lower() == socket.gethostname().rstrip(".").lower()
    for family, kind, protocol, _, address in found:
        with suppress(OSError), socket.socket(family, kind, protocol) as door:
            door.bind(address)
            return True
    return False


_MISHAPS: tuple[tuple[type[BaseException], str, str], ...] = (
    (FileNotFoundError, "there is no {program} on this machine", "install it; without it nothing can be asked here"),
    (PermissionError, "{program} may not be started here: {reason}", "look at the rights of your account"),
    (BlockingIOError, "this machine has no room for another process: {reason}", "look at its load and its limits"),
    (MemoryError, "this machine has no memory left to start {program}", "look at what uses its memory"),
    (subprocess.SubprocessError, "{program} could not be started: {reason}", "run it by hand to see why"),
    (OSError, "{program} could not be started: {reason}", "run it by hand to see why"),
    (ValueError, "{program} could not be started: {reason}", "run it by hand to see why"),
)
"""Each exception that starting a program here can raise, and what it means. The first one that fits counts."""


def translate(error: BaseException, program: str) -> NodeError | None:
    """The error as the user should read it; None for one that starting a program does not raise: a defect."""
    if isinstance(error, NodeError):
        return error
    for kind, cause, hint in _MISHAPS:
        if isinstance(error, kind):
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            return RefusedError(cause.format(program=program, reason=reason), hint=hint)
    return None
