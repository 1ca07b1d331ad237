"""One secret from where it is: a variable, a file, a command, whoever sits at the terminal."""

from __future__ import annotations

import getpass
import os
import re
import shlex
import shutil
import stat
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from scanner.errors import shortened
from scanner.secrets import children
from scanner.secrets.discretion import NOT_SHOWN, may_be_secret, may_be_secret_file, may_be_secret_variable
from scanner.secrets.redaction import Redactor
from scanner.secrets.source import SecretSource

_MOST_BYTES = 64 * 1024
_LINE = 200
_PROGRAM_AND_MORE = 2


class UnusableError(Exception):
    """A secret that could not be read: why and what to do, never what."""


def read_secret(source: SecretSource, folder: Path, patience_s: float, over: threading.Event | None = None) -> str:
    """The secret, from where `source` says. Raises UnusableError. A command is ended once it is `over`."""
    if source.env:
        return _from_environment(source.env, os.environ)
    if source.file:
        return _from_file(folder / source.file, folder)
    if source.prompt:
        return _from_terminal(source.prompt)
    return _from_command(source.command, folder, patience_s, over)


def look_for(source: SecretSource, folder: Path, _patience_s: float) -> str:
    """What can be said of `source` without it: raises like `read_secret`, and gives nothing."""
    if source.env and source.env not in os.environ:
        _from_environment(source.env, {})
    if source.file:
        _from_file(folder / source.file, folder, most_bytes=0)
    if source.command:
        words, _ = _arguments(source.command)
        if words and not shutil.which(folder / words[0] if os.sep in words[0] else words[0]):
            raise _no_program(source.command, words)
    return ""


def _from_environment(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name)
    if value is None and may_be_secret_variable(name):
        raise UnusableError(
            "there is no environment variable of the name that is written there (not shown: it may be the secret "
            "itself); expected the NAME of a variable, which is set and exported to this program"
        )
    if value is None:
        raise UnusableError(f"the environment variable {name} is not set; set it, and export it to this program")
    what = f"the environment variable {name}"
    if not value:
        raise UnusableError(f"{what} is empty; set it to the secret")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise UnusableError(f"{what} is not UTF-8; set it under a UTF-8 locale") from None
    return _one_line(value, what)


def _from_file(path: Path, folder: Path, most_bytes: int = _MOST_BYTES) -> str:
    """What the file at `path` holds; with no bytes to read, nothing, once it is found to be usable."""
    what = str(path)
    # What was written stands there as a whole path, in the inventory's folder where it was a bare word.
    if may_be_secret_file(path.name if path.parent == folder else what) and not os.access(path, os.F_OK):
        raise UnusableError(f"there is no such file: {NOT_SHOWN}; expected the name of a file that holds the secret")
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            exposed = stat.S_IMODE(found.st_mode) & 0o077
            # The rule that ssh has for its keys: whoever owns the file answers for it. Mounted secrets of others pass.
            if os.name == "posix" and stat.S_ISREG(found.st_mode) and found.st_uid == os.getuid() and exposed:
                raise UnusableError(
                    f"{what} is open to others (mode {stat.S_IMODE(found.st_mode):04o}); run: "
                    f"chmod 600 {shlex.quote(what)}"
                )
            if not most_bytes:
                return ""
            data = file.read(most_bytes + 1)
    except FileNotFoundError:
        advice = no_home(what) or "; create it with the secret on its first line"
        raise UnusableError(f"{what}: there is no such file{advice}") from None
    except IsADirectoryError:
        raise UnusableError(f"{what} is a folder; name the file in it") from None
    except PermissionError:
        raise UnusableError(f"{what}: you may not read this file; check its owner and mode") from None
    except (OSError, ValueError) as error:
        raise UnusableError(f"{what}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > most_bytes:
        raise UnusableError(f"{what} is larger than 64 KiB; expected the secret on one line")
    return _decoded(data, what)


def has_terminal() -> bool:
    """Whether somebody can be asked for a password, without it being seen."""
    if os.name != "posix":
        return sys.stdin is not None and sys.stdin.isatty()
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def no_home(path: str) -> str:
    """What to do about `~name/...` that is nobody's home, and so was taken for a file beside the inventory."""
    found = re.search(r"(?:^|[/\\])~([^/\\]+)[/\\]", path)
    if not found:
        return ""
    return f"; ~{found[1]} is the home of a user {found[1]}, whom this machine does not know: write ~/ for yours"


def _from_terminal(prompt: str) -> str:
    if not has_terminal():
        raise UnusableError("there is no terminal to ask for the password on; take it from password_env instead")
    try:
        typed = getpass.getpass(prompt)
    except EOFError:
        typed = ""
    if not typed:
        raise UnusableError("no password was typed")
    return _one_line(typed, "what was typed")


def _from_command(command: str, folder: Path, patience_s: float, over: threading.Event | None) -> str:
    words, arguments = _arguments(command)
    what = f"the command {words[0]}" if words else "the command"
    # A command that speaks of a variable is given what is in it; what else preflight was given is not its business.
    granted = [name for name in children.withheld() if re.search(rf"\$\{{?{name}\b|%{name}%", command)]
    try:
        done = children.run(
            arguments, timeout_s=patience_s, most_bytes=_MOST_BYTES, folder=folder, granted=granted, over=over
        )
    except children.TimeUpError:
        raise UnusableError(
            f"{what} did not end within {patience_s:g} s; does it ask for something? Run it by hand to see; "
            "`connect_timeout` gives it more time"
        ) from None
    except children.TooMuchError:
        raise UnusableError(f"{what} printed more than 64 KiB; expected the secret on one line") from None
    except FileNotFoundError:
        raise _no_program(command, words) from None
    except (OSError, ValueError) as error:
        raise UnusableError(f"{what} cannot be started: {getattr(error, 'strerror', None) or error}") from None
    if done.code != 0:
        raise UnusableError(f"{what} failed with {_ending(done.code)}{_first_line(done, words[1:])}")
    return _decoded(done.output, f"the output of {what}")


def _no_program(command: str, words: Sequence[str]) -> UnusableError:
    if len(words) < _PROGRAM_AND_MORE and (may_be_secret(command) or not re.search(r"[/\\]", command)):
        return UnusableError(
            "it names no program on the PATH, and is not shown here for it may be the secret itself; "
            "expected a command that prints the secret, such as: pass show preflight/password"
        )
    what = f"the command {words[0]}" if words else "the command"
    return UnusableError(f"{what}: there is no such program on the PATH (no shell is used: pipes need sh -c)")


def _arguments(command: str) -> tuple[list[str], str | list[str]]:
    """The words of the command, of which the first may be shown (arguments may be sensitive), and what to start."""
    if os.name == "nt":
        # CreateProcess has rules of its own, and shlex would eat every backslash of a path.
        return [], command
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise UnusableError(f"the command cannot be split into words: {str(error).lower()}; check its quotes") from None
    if not arguments or not arguments[0]:
        raise UnusableError("the command names no program")
    return arguments, arguments


def _ending(code: int) -> str:
    return f"exit code {code}" if code > 0 else f"signal {-code}"


def _first_line(done: children.Done, arguments: Sequence[str]) -> str:
    """What it says on standard error, without what it printed, what it was called with, and what it was not given."""
    said = [*done.output.decode("utf-8", "replace").splitlines(), *arguments, *children.withheld().values()]
    words = {word for text in said for word in (text.strip(), text.partition("=")[2].strip())}
    words = {word for word in words if word and not word.startswith("-")}
    hide = Redactor(frozenset((word, "") for word in words))
    errors = hide.raw(done.errors, cut=True).decode("utf-8", "replace").strip().splitlines()
    # `sh -x` shows every command with its arguments.
    line = next((hide.message(each) for each in errors if not each.startswith("+")), "")
    clean = shortened("".join(c if c.isprintable() else "?" for c in line), _LINE)
    return f": {clean}" if clean else ", and said nothing; run it by hand to see"


def _decoded(data: bytes, what: str) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UnusableError(f"{what} is not UTF-8; save it as UTF-8") from None
    for ending in ("\r\n", "\n"):
        if text.endswith(ending):
            text = text.removesuffix(ending)
            break
    if not text:
        raise UnusableError(f"{what} is empty; expected the secret on one line")
    return _one_line(text, what)


def _one_line(text: str, what: str) -> str:
    if any(c in text for c in "\r\n\0"):
        raise UnusableError(f"{what} holds a line break; expected the secret alone, on one line")
    return text
