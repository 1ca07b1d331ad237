"""The transports, each with the keys that say how a node is reached over it."""

from __future__ import annotations

from scanner.inventory.settings.local import LocalSettings
from scanner.inventory.settings.setting import Setting, settings_of
from scanner.inventory.settings.ssh import SshSettings
from scanner.inventory.settings.tds import TdsSettings
from scanner.inventory.settings.winrm import WinrmSettings

MODELS: dict[str, type[WinrmSettings | SshSettings | LocalSettings | TdsSettings]] = {
    "winrm": WinrmSettings,
    "ssh": SshSettings,
    "local": LocalSettings,
    "tds": TdsSettings,
}
"""What the keys of each transport end up in."""

TRANSPORTS: dict[str, tuple[Setting, ...]] = {name: settings_of(model) for name, model in MODELS.items()}
"""The keys of each transport."""


def keys_of(transport: str, platform: str) -> tuple[Setting, ...]:
    """The keys that `transport` has for machines of `platform`; "" where that is not known."""
    keys = TRANSPORTS.get(transport, ())
    return tuple(key for key in keys if not key.platforms or not platform or platform in key.platforms)
