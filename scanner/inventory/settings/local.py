"""How the machine that preflight runs on is asked: in [defaults.local], in a cluster, in a node."""

from __future__ import annotations

from checks.common.dataclass import dataclass
from scanner.inventory.settings.common import sudo_setting


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """How to ask the machine that preflight itself runs on."""

    sudo: bool = sudo_setting()
