"""The installed command: the command line in a process of its own, under a parent that knows whether it came to an end.

A plugin may end the process that it runs in, with `os._exit(0)` or by a crash in C, and nobody in it could tell. So the
process that was started starts another one, which says its exit code through a pipe as the last thing it does. Where it
ends without, the parent says so, and that nothing can be told is the exit code. It is there before anything is
imported, holds nothing but that pipe, and passes on what is sent to it; a terminal sends to both by itself.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import NoReturn

# Here, not below: a stranger in its place is told before there is a child, which could only die of it.
from scanner.cli import run_to_the_end

EXIT_UNTOLD = 3
_INTERRUPTED = 130
_SENT = {getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)}
"""What ends a program because somebody wants it."""
_PASSED_ON = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)


def main() -> None:
    """Run the command line, and leave the process with its exit code, or with 3 where it did not come to one."""
    if hasattr(signal, "sigwaitinfo") and sys.platform == "linux":
        _watch()
    run_to_the_end()


def _watch() -> None:
    """Return in the child; the parent waits for it, and leaves with what it said."""
    ignored = {number for number in _PASSED_ON if signal.getsignal(number) is signal.SIG_IGN}
    awaited = {*_PASSED_ON, signal.SIGCHLD} - ignored
    before = signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    # Started with SIGCHLD ignored, as some daemons do, the child would be gone before it could be asked.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    opened: list[int] = []
    try:
        opened += _pipe()
        opened += _pipe()
        child = os.fork()
    except OSError:  # no room for another process, or for its pipes: better unwatched than not at all
        for descriptor in opened:
            os.close(descriptor)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return
    said, saying, alive, living = opened
    if child:
        os.close(saying)
        os.close(alive)
        _wait(child, said, awaited)
    os.close(said)
    os.close(living)
    _end_with_parent(alive)
    from scanner.cli.process import farewell

    farewell.tell_to(saying)
    farewell.leave_unswept()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pipe() -> tuple[int, int]:
    """Both ends of a pipe, none of them a standard stream's number, where one of those is closed."""
    import fcntl

    ends = os.pipe()
    found: list[int] = []
    try:
        for end in ends:
            found.append(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3))  # noqa: PERF401  what was opened is closed below
    except OSError:
        for end in found:
            os.close(end)
        raise
    finally:
        for end in ends:
            os.close(end)
    return found[0], found[1]


def _end_with_parent(alive: int) -> None:
    """Let the kernel end this process when the parent is killed: its end of the pipe closes, and SIGIO ends us."""
    import fcntl

    with contextlib.suppress(OSError):
        fcntl.fcntl(alive, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(alive, fcntl.F_SETFL, fcntl.fcntl(alive, fcntl.F_GETFL) | os.O_ASYNC)
        os.set_blocking(alive, False)
        if os.read(alive, 1) == b"":  # it is gone already
            os._exit(_INTERRUPTED)


def _wait(child: int, said: int, awaited: set[signal.Signals]) -> NoReturn:
    """The parent's whole life."""
    while True:
        got = signal.sigwaitinfo(awaited)
        if got.si_signo != signal.SIGCHLD:
            # What the terminal sends (a Ctrl-C), it sends to both; that it is gone, to its session's leader alone.
            if got.si_code <= 0 or (got.si_signo == signal.SIGHUP and os.getsid(0) == os.getpid()):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, got.si_signo)
            continue
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
    code = os.waitstatus_to_exitcode(status)
    told = os.read(said, 1)
    if told:
        os._exit(told[0])
    if -code in _SENT:
        # As without us: who asked for it sees in our end what became of it.
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.Signals(-code)})
    _complain(code)
    os._exit(EXIT_UNTOLD)


def _complain(code: int) -> None:
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        how = f"was killed ({name})" if -code == signal.SIGKILL else f"crashed ({name})"
    else:
        how = f"was ended from within (exit code {code})"
    text = f"preflight: this run {how} before it had come to a result: nothing can be told.{_suspects(code)}\n"
    with contextlib.suppress(OSError):
        os.write(2, text.encode("utf-8", "replace"))


def _suspects(code: int) -> str:
    """The installed plugins: nothing of ours ends a process like that."""
    if -code == signal.SIGKILL:
        return " Look at the memory of this machine, and who ends programs on it."
    try:
        from importlib.metadata import entry_points

        names = sorted(
            {entry.dist.name if entry.dist else entry.name for entry in entry_points(group="preflight.checks")}
        )
    except Exception:  # noqa: BLE001  whatever is wrong with an installed package, the line is said
        names = []
    if not names:
        return " No plugin is installed, so this is a defect of preflight or of a library: please report it."
    return f" Installed plugins run in it: {', '.join(names)}. Uninstall or repair them, and run it again."
