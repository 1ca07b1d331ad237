"""Names into addresses, within a time: a resolver that nobody answers takes minutes, and nothing else can end it."""

from __future__ import annotations

# `getaddrinfo` needs it for every name and address. Where no descriptor is left to load it, Python says for ever after
# that there is no such encoding, when there is room again as well.
import encodings.idna
import encodings.punycode  # noqa: F401
import socket
from contextlib import suppress
from functools import partial
from typing import Any

from scanner.transports.bounded import TookTooLongError, within


class NameTimeoutError(TimeoutError):
    """No name server has answered in time."""


def resolve(host: str, port: int, timeout_s: float, kind: int = socket.SOCK_STREAM) -> list[Any]:
    """What `getaddrinfo` gives. Raises NameTimeoutError where it takes longer than `timeout_s`, and OSError.

    The thread that waits for a resolver goes on for as long as that takes; it keeps nobody from leaving.
    """
    with suppress(OSError, UnicodeError):  # an address needs nobody to look it up
        return list(socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST))
    try:
        return within(timeout_s, partial(socket.getaddrinfo, host, port, type=kind), "resolve")
    except TookTooLongError:
        raise NameTimeoutError(f"the name {host} is not resolved within {timeout_s:g} s") from None
    except UnicodeError as error:
        raise socket.gaierror(socket.EAI_NONAME, "not a host name") from error
