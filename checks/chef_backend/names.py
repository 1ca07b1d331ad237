"""What machines are called: the cluster's own table, chef-server.rb and the inventory may each have another word."""

from __future__ import annotations

from ipaddress import ip_address


def is_same_machine(one: str, other: str) -> bool:
    """Whether two words name one machine: they are equal, or one is the other's first label."""
    one, other = one.lower().rstrip("."), other.lower().rstrip(".")
    if one == other or is_address(one) or is_address(other):
        return one == other
    return ("." in one) != ("." in other) and one.partition(".")[0] == other.partition(".")[0]


def is_address(word: str) -> bool:
    """Whether `word` is an IP address."""
    try:
        ip_address(word)
    except ValueError:
        return False
    return True
