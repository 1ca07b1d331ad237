"""What to do about a node's failure where whoever noticed it knows nothing better: by its kind and transport."""

from __future__ import annotations

from scanner.errors import (
    AnswerTooLargeError,
    AuthenticationError,
    ConnectionLostError,
    DeadlineError,
    NodeError,
    ProtocolError,
    RefusedError,
    UnreachableError,
    UntrustedPeerError,
)

_SERVERS = {"ssh": "sshd", "winrm": "WinRM", "tds": "SQL Server", "local": "the shell"}
_LOGS = {
    "ssh": "sshd's log there (journalctl -u ssh, /var/log/secure)",
    "winrm": "the log Microsoft-Windows-WinRM/Operational there",
    "tds": "SQL Server's error log there",
    "local": "this machine's system log",
}
_PORTS = {"ssh": "`port`", "winrm": "`port` and `path`", "tds": "`sql_port`", "local": "`host`"}
_BY_HAND = "run what it is asked by hand there (`preflight probes INVENTORY`)"
_CURES: tuple[tuple[type[NodeError], str], ...] = (
    (UnreachableError, "check `host` and {port}, and the network and firewalls between this machine and the node"),
    (UntrustedPeerError, "compare what it shows with what the node itself has, before anything is trusted"),
    (AuthenticationError, "check the account and what it logs in with, once: repeated attempts may lock it; see {log}"),
    (RefusedError, f"see {{log}}, and {_BY_HAND} with the same account"),
    (
        ConnectionLostError,
        (
            "see {log}, look at what restarts {server} and at what ends connections on the way (a firewall, a load "
            "balancer); then scan again"
        ),
    ),
    (DeadlineError, f"{_BY_HAND} to see what takes so long, and look at the node's load; `timeout` gives it more time"),
    (AnswerTooLargeError, f"{_BY_HAND}, and look at what prints so much"),
    (ProtocolError, "is it {server} that answers there? Check `host` and {port}; if it is, see {log}"),
)


def cure_of(error: NodeError, transport: str) -> str:
    """What to do next, one line: the error's own words, or those for its kind."""
    if error.hint:
        return error.hint
    text = next((text for kind, text in _CURES if isinstance(error, kind)), "")
    return text.format(server=_SERVERS[transport], log=_LOGS[transport], port=_PORTS[transport])
