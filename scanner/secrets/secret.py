"""Secrets and where they come from. A `Secret` does not show its value in any text."""

from __future__ import annotations

from checks.common.dataclass import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A password or passphrase. Only `reveal` gives it out; repr, str and format do not."""

    _value: str

    def reveal(self) -> str:
        """The value, for the library call that needs it and nothing else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)
