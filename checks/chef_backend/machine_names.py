"""What machines are called: the cluster's own table, chef-server.rb and the inventory may each have another word."""

from __future__ import annotations

from checks.common.addresses import is_address


def is_same_machine(one: str, other: str) -> bool:
    """Whether two words name one machine: they are equal, or one is how the other begins, label by label."""
    one, other = one.lower().rstrip("."), other.lower().rstrip(".")
    if one == other or is_address(one) or is_address(other):
        return one == other
    return bool(one and other) and (one.startswith(f"{other}.") or other.startswith(f"{one}."))
