"""A TCP connection to a node, whatever is spoken over it."""

from __future__ import annotations

import socket
import time

from scanner.errors import UnreachableError
from scanner.transports.network.green.wire import open_socket
from scanner.transports.network.resolver import NameTimeoutError, resolve


def dial(host: str, port: int, timeout_s: float) -> socket.socket:
    """A connected TCP socket, whichever of the host's addresses answers first in turn, all within `timeout_s`.

    Raises UnreachableError for name servers that do not answer, and OSError (gaierror, TimeoutError,
    ConnectionRefusedError, ...) with the last address's reason.
    """
    ends = time.monotonic() + timeout_s
    reason: OSError = OSError(0, "the name has no address")
    try:
        found = resolve(host, port, timeout_s)
    except NameTimeoutError as error:
        raise UnreachableError(str(error), hint="check the name servers of this machine (/etc/resolv.conf)") from error
    for number, (family, kind, protocol, _, address) in enumerate(found):
        left = (ends - time.monotonic()) / (len(found) - number)  # one dead address leaves time for the next
        if left <= 0:
            break
        try:
            wire = open_socket(family, kind, protocol)
        except OSError as error:  # an address family that this machine does not speak
            reason = error
            continue
        try:
            wire.settimeout(left)
            wire.connect(address)
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            wire.close()
            reason = error
        else:
            return wire
    raise reason
