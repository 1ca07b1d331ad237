"""What is known of a node's clock, by two readings of it between two readings of the scanner's."""

from __future__ import annotations

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSample:
    """Four moments in the order in which they were: sent, begun, ended, received. All are seconds since 1970 UTC."""

    sent_s: float
    """By the scanner's clock: just before the node could begin."""
    begun_s: float
    """By the node's clock: when the script began there."""
    ended_s: float
    """By the node's clock: when the script ended there."""
    received_s: float
    """By the scanner's clock: just after the last of the answer had come."""
    resolution_s: float = 0.0
    """How much later than it says each reading of the node's clock may have been made: 1.0 for whole seconds."""

    @property
    def ahead_s(self) -> tuple[float, float]:
        """By how much the node's clock is ahead of the scanner's: no less than the first, no more than the second.

        The way there and the starting of a shell count against the second, the way back against the first, and what
        the script itself took counts nowhere. The first is greater than the second where a clock was set meanwhile.
        """
        return self.ended_s - self.received_s, self.begun_s + self.resolution_s - self.sent_s
