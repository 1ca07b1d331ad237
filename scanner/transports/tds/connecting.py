"""A TCP connection to a SQL Server: whichever of the host's addresses answers first, within a time that holds for all.

An availability group's listener has one address in every subnet, of which one is alive: asked one after the other, the
dead ones would cost the time for the living.
"""

from __future__ import annotations

import selectors
import socket
import time
from contextlib import ExitStack, suppress
from typing import Any

from scanner.errors import NodeError, UnreachableError
from scanner.transports.network.resolver import NameTimeoutError, resolve

_PORT_HINT = "check `sql_port`: it must be the TCP port of a SQL Server instance"


def open_connection(host: str, port: int, timeout_s: float) -> socket.socket:
    """A connected, blocking socket to `host`:`port`. Raises UnreachableError."""
    ends = time.monotonic() + timeout_s
    where = f"{host}:{port}"
    try:
        addresses = resolve(host, port, timeout_s)
    except NameTimeoutError:
        raise UnreachableError(
            f"the name in {where} is not resolved within {timeout_s:g} s", hint="check the scanner's DNS"
        ) from None
    except (OSError, UnicodeError, OverflowError) as error:
        raise _unreachable(where, error) from None
    try:
        return _first_to_answer(addresses, ends)
    except TimeoutError:
        raise UnreachableError(f"no answer from {where} within {timeout_s:g} s", hint=_PORT_HINT) from None
    except OSError as error:
        raise _unreachable(where, error) from None


def _first_to_answer(addresses: list[Any], ends: float) -> socket.socket:
    """The first address that takes the connection. Raises TimeoutError, or the last refusal's OSError."""
    reason: OSError = OSError("the name has no address")
    with ExitStack() as losers, selectors.DefaultSelector() as waiting:
        for family, kind, protocol, _, address in addresses:
            try:
                candidate = losers.enter_context(socket.socket(family, kind, protocol))
                candidate.settimeout(0)
                with suppress(BlockingIOError):
                    candidate.connect(address)
            except OSError as error:  # an address family that this machine does not speak, no route
                reason = error
                continue
            waiting.register(candidate, selectors.EVENT_WRITE)
        while waiting.get_map():
            ready = waiting.select(max(0.0, ends - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                candidate = key.fileobj  # type: ignore[assignment]  # what was registered above
                waiting.unregister(candidate)
                code = candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code == 0:
                    winner = candidate.dup()  # the stack closes every candidate
                    winner.settimeout(None)
                    winner.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    return winner
                reason = OSError(code, "")
    raise reason


def _unreachable(where: str, error: Exception) -> NodeError:
    import os

    if isinstance(error, socket.gaierror | UnicodeError):
        return UnreachableError(f"the name in {where} cannot be resolved", hint="check `host` and the scanner's DNS")
    if isinstance(error, ConnectionRefusedError):
        return UnreachableError(f"connection refused by {where}: nothing listens there", hint=_PORT_HINT)
    number = error.errno if isinstance(error, OSError) else None
    reason = os.strerror(number).lower() if number else (str(error) or type(error).__name__)
    return UnreachableError(f"no connection to {where}: {reason}", hint=_PORT_HINT)
