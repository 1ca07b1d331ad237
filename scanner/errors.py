"""Everything that can go wrong and that a user should read as one clear line.

    PreflightError
      UsageError               wrong call or inventory: exit code 2, before anything is contacted
        InventoryError         every problem of an inventory, each with its place
      NodeError                one node misbehaves: an `error` result for it; the others are scanned all the same
        UnreachableError       name not found, refused, no route, no answer to the connect
        UntrustedPeerError     host key or certificate is not the one we may trust
        AuthenticationError    the node does not accept our credentials
        RefusedError           logged in, and yet the node will not run what we send (quota, policy, language mode)
        ConnectionLostError    cut off in mid-conversation
        DeadlineError          the node's time is up
        AnswerTooLargeError    more output than the cap
        ProtocolError          the peer does not speak the protocol, or what came back makes no sense
        OwnTroubleError        nothing of the node's: this machine has no descriptors, threads or memory left

Foreign exceptions (paramiko, pyspnego, http.client, sockets) are translated at one door per transport into these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

from checks.common.dataclass import dataclass
from checks.engine.wording import count


class PreflightError(Exception):
    """Base of all errors that are told to users without a traceback."""


class UsageError(PreflightError):
    """The call cannot be carried out as asked. The message says what, where and what to do."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an inventory."""

    place: str
    """Dotted path of the key: clusters.vault-prod.nodes.web1.port."""
    message: str
    line: int | None = field(default=None, compare=False)
    """Where it stands in the file, from 1; of a key that is missing, its table. None where that is not known."""
    column: int | None = field(default=None, compare=False)

    def __str__(self) -> str:
        """All of it on one line."""
        where = "" if self.line is None else f" (line {self.line}, column {self.column})"
        return f"{self.place}: {self.message}{where}" if self.place else f"{self.message}{where}"


class InventoryError(UsageError):
    """An inventory that cannot be used, with everything that is wrong with it."""

    def __init__(self, path: str, problems: Sequence[Problem]) -> None:
        self.path = path
        self.problems = tuple(problems)
        lines = [str(problem) for problem in problems]
        super().__init__("\n".join([f"{path}: {count(len(lines), 'problem')}", *lines]))


class NodeError(PreflightError):
    """One node could not be asked, or did not answer fully. `str()` is the one-line cause."""

    def __init__(self, cause: str, *, hint: str = "", partial: bytes = b"") -> None:
        super().__init__(" ".join(cause.split()))
        self.hint = hint
        """What to do next, one line: "set `password_env`, or …"."""
        self.partial = partial
        """Output that had arrived before the failure; complete frames in it still count."""


class UnreachableError(NodeError):
    """No connection: unknown name, refused, no route, no answer."""


class UntrustedPeerError(NodeError):
    """The host key or the certificate is not one that we may trust."""


class AuthenticationError(NodeError):
    """The node does not accept our credentials."""


class RefusedError(NodeError):
    """Logged in, and the node will not run what we send."""


class ConnectionLostError(NodeError):
    """The connection ended in mid-conversation."""


class DeadlineError(NodeError):
    """The node's own time is up."""


class AnswerTooLargeError(NodeError):
    """The node sent more than the cap."""


class ProtocolError(NodeError):
    """The peer does not speak the protocol, or its answer makes no sense."""


class OwnTroubleError(NodeError):
    """The machine that preflight runs on has no room left to ask the node."""


def shortened(text: str, size: int) -> str:
    """At most `size` characters of `text`. What is missing shows: half a secret is known by the mark behind it."""
    return text if len(text) <= size else text[: size - 1] + "…"


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and everything wrapped in it: arguments, reasons and causes, outermost first."""
    seen: set[int] = set()
    queue = [error]
    while queue:
        current = queue.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        # Both ways back: an exception that is raised anew from itself has its origin in its context alone.
        inner = [*current.args, getattr(current, "reason", None), current.__cause__, current.__context__]
        queue.extend(each for each in inner if isinstance(each, BaseException))


def cause_of(error: BaseException) -> str:
    """What an exception that nobody expected says, on one line, without what Python advises its programmers to do."""
    if type(error).__name__ == "ForeignCodeError":
        return str(error)
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001  a foreign class may fail even at that
        text = ""
    if "set_int_max_str_digits" in text:
        text = "a number with thousands of digits"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
