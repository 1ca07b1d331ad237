"""What can be wrong with a simulated node, by the transport it is reached over. Scenarios name these as `fault`."""

from __future__ import annotations

from scanner.lab.servers.wsman.fault_hooks import WsmanFault

SSH: dict[str, str] = {
    "refuse": "the port refuses connections",
    "silent": "accepts connections and never says anything",
    "endless-banner": "lines of text without end before the SSH banner",
    "not-ssh": "another protocol answers",
    "wrong-host-key": "known_hosts holds another key for the node",
    "unknown-host-key": "known_hosts does not know the node",
    "wrong-key": "the node does not know our public key",
    "wrong-password": "the inventory's password is not the node's",
    "hang": "takes the script and never answers",
    "cut": "the connection ends in the middle of the answer",
    "garbage": "bytes instead of an answer",
    "empty": "ends without any output",
    "truncated": "half of the answer, and an end as if it were all",
    "non-utf8": "answers with bytes that are no UTF-8 among them",
    "babble": "50 MB of output",
    "sudo-denied": "sudo wants a password",
    "sudo-missing": "there is no sudo",
    "command-missing": "chef-backend-ctl is not installed",
    "no-shell": "the account may not run commands",
}

WINRM: dict[str, str] = {
    **{fault.value: "see scanner.lab.servers.wsman.fault_hooks.WsmanFault" for fault in WsmanFault},
    "wrong-password": "the inventory's password is not the node's",
    "untrusted-certificate": "the certificate was issued by somebody else",
    "wrong-certificate-name": "the certificate is another host's",
    "expired-certificate": "the certificate ended yesterday",
    "not-yet-valid-certificate": "the certificate begins tomorrow",
    "weak-certificate": "the certificate has an RSA key of 1,024 bits",
    "wrong-purpose-certificate": "the certificate is for clients, not for servers",
    "non-utf8": "bytes that are no UTF-8 before the answer",
}

OF_LINUX = ("sudo-denied", "sudo-missing", "command-missing")
"""Those of SSH that no Windows node can have."""

BY_TRANSPORT: dict[str, dict[str, str]] = {"ssh": SSH, "winrm": WINRM, "tds": {}}
"""Fault to what it means, by transport."""
