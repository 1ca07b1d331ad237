"""IP addresses in the place of names, which are compared, certified and known to Kerberos otherwise."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

_LONGEST = 100
"""Longer ones are no host's name, and not remembered."""


def is_address(host: str) -> bool:
    """Whether `host` is an IP address, and no name."""
    return _is_address(host) if len(host) <= _LONGEST else _is_address.__wrapped__(host)


@lru_cache(maxsize=4096)
def _is_address(host: str) -> bool:
    """The same few words are looked at again and again, each with each."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
