"""What an address is called, by the name service of the machine that preflight runs on."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import suppress

from scanner.inventory.settings.setting import HOST

PATIENCE_S = 3.0
"""What the name service may take; nobody waits longer for a name that would only be nicer."""


def name_of(address: str) -> str:
    """The name of an address, where that name leads back to the very address; else empty."""
    found: list[str] = []

    def look() -> None:
        with suppress(OSError, UnicodeError):
            name = socket.gethostbyaddr(address)[0].rstrip(".")
            if address in {str(row[4][0]) for row in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)}:
                found.append(name)

    thread = threading.Thread(target=look, name="preflight-name", daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    name = found[0] if found else ""
    return name if re.fullmatch(HOST, name) and name != "localhost" else ""
