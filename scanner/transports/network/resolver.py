"""Names into addresses, within a time: a resolver that nobody answers takes minutes, and nothing else can end it."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

from scanner.transports.network.green.waiting import Signal


class NameTimeoutError(TimeoutError):
    """No name server has answered in time."""


def resolve(host: str, port: int, timeout_s: float, kind: int = socket.SOCK_STREAM) -> list[Any]:
    """What `getaddrinfo` gives. Raises NameTimeoutError where it takes longer than `timeout_s`, and OSError.

    The thread that waits for a resolver goes on for as long as that takes; it keeps nobody from leaving.
    """
    with suppress(OSError, UnicodeError):  # an address needs nobody to look it up
        return list(socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST))
    found: list[Any] = []
    done = Signal()

    def look_up() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=kind))
        except (OSError, UnicodeError, OverflowError) as error:
            found.append(error)
        finally:
            done.set()

    threading.Thread(target=look_up, name="resolve", daemon=True).start()
    done.wait(timeout_s)
    if not found:
        raise NameTimeoutError(f"the name {host} is not resolved within {timeout_s:g} s")
    if isinstance(found[0], UnicodeError):
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from found[0]
    if isinstance(found[0], Exception):
        raise found[0]
    addresses: list[Any] = found[0]
    return addresses
