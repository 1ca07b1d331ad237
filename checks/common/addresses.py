"""IP addresses in the place of names, which are compared, certified and known to Kerberos otherwise."""

from __future__ import annotations

from ipaddress import ip_address


def is_address(host: str) -> bool:
    """Whether `host` is an IP address, and no name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
