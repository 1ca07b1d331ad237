"""How far a conversation over WinRM had come when its time was up, and what that says of the cause."""

from __future__ import annotations

from checks.common.dataclass import dataclass
from checks.engine.wording import count
from scanner.errors import DeadlineError
from scanner.inventory.model import WinrmSettings

_BY_HAND = "run what it is asked by hand there (`preflight probes INVENTORY`), and look at the load of the node"
_MORE = "`timeout` gives it more time"
_NOBODY = (
    "is it WinRM that listens there (check `port`), and does it hang (Restart-Service WinRM)? A firewall on the way? "
    "`timeout` gives it more time"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What had happened."""

    secured: bool
    """TLS was agreed on."""
    answers: int
    """HTTP answers that had begun to arrive."""
    in_login: bool
    """A login of several messages was under way."""
    shell_open: bool
    running: bool
    """The script had been sent."""
    printed_bytes: int


def too_late(progress: Progress, settings: WinrmSettings, within: str, output: bytes) -> DeadlineError:
    """The error for it; the step at which nothing more came is the cause that is known."""
    port = settings.port
    shell = "a session of PowerShell" if settings.protocol == "psrp" else "a shell"
    if settings.scheme == "https" and not progress.secured:
        step = f"port {port} took the connection, and did not get through the TLS handshake"
        hint = _NOBODY
    elif not progress.answers:
        step = f"port {port} took the connection{' and the TLS handshake' * progress.secured}, and answered no message"
        hint = _NOBODY
    elif progress.in_login:
        step = f"the node was in the middle of the {settings.auth} login, and answered no more"
        hint = f"does it reach its domain controllers? Look at its load; {_MORE}"
    elif not progress.shell_open:
        step = f"the login was through, and the node opened no {shell.partition(' ')[2]}"
        hint = f"look at the node's load and memory, and at WinRM there (Restart-Service WinRM); {_MORE}"
    elif not progress.running:
        step = f"the node opened {shell}, and did not start the script in it"
        hint = f"look at the node's load, memory and endpoint protection; {_MORE}"
    elif not progress.printed_bytes:
        step = "the script was started, and no part of its answer came whole"
        hint = f"{_BY_HAND} (endpoint protection may hold powershell.exe, too); {_MORE}"
    else:
        step = f"the answer had begun ({count(progress.printed_bytes, 'byte')}), and did not end"
        hint = f"{_BY_HAND}; {_MORE}"
    return DeadlineError(f"no full answer within {within}: {step}", hint=hint, partial=output)
