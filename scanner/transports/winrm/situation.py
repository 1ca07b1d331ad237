"""What is known about a conversation over WinRM when it fails."""

from __future__ import annotations

from collections.abc import Callable

from checks.common.dataclass import dataclass
from scanner.inventory.model import WinrmSettings
from scanner.transports.tls.inspection import Seen
from scanner.transports.winrm.authentication.login import Stage

SEALED = ("ntlm", "kerberos", "credssp")
"""The logins that take several messages, and seal what follows."""
ONE_CONNECTION = (
    "a login holds for one connection to one node: look for a load balancer, a proxy or TLS inspection on the way, and "
    "scan each node by a name of its own"
)
"""What to do where the messages of one conversation reach several servers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What is known about a conversation when it fails; for the words and the hints."""

    host: str
    settings: WinrmSettings
    requests: int = 0
    """How many had been sent."""
    offered: str = ""
    """The node's WWW-Authenticate."""
    stage: Stage = Stage.UNASKED
    """How far a login that takes several messages had come."""
    node: str = ""
    """What the node calls itself in the login."""
    between: str = ""
    """What answers said of somebody in between."""
    several: str = ""
    """What answers showed of more than one server behind the address."""
    shell_open: bool = False
    names: Callable[[], tuple[str, ...]] = tuple
    """The computer names that the address gives itself when it is asked again; takes a connection of its own."""
    seen: Callable[[], Seen | None] = lambda: None
    """What the node shows to TLS; takes a connection of its own."""
