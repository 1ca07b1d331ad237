"""How one node is reached: its keys over its cluster's over the defaults, and whether they go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from checks.common.addresses import is_address
from checks.common.dataclass import dataclass
from scanner.inventory.model import LocalSettings, SecretSource, SshSettings, TdsSettings, WinrmSettings
from scanner.inventory.reading.values import KeyPath
from scanner.inventory.settings.setting import Setting, by_name
from scanner.inventory.settings.transports import MODELS, keys_of
from scanner.inventory.settings.written_path import expanded

HTTP_PORT = 5985
_PASSWORD_ADVICE = "password_env, password_file or password_command"  # noqa: S105  names of keys


@dataclass(frozen=True, slots=True)
class Layer:
    """Values that were written at one place, already found to fit their keys."""

    place: KeyPath
    values: Mapping[str, object]
    whole: bool = True
    """False where something there was refused: what then seems to be missing may be just that."""


def layer_of(
    place: KeyPath, table: Mapping[str, object], values: Mapping[str, object], others: AbstractSet[str]
) -> Layer:
    """The layer of `table`, whose usable `values` were read; `others` are its keys that are none of a connection."""
    refused = set(table) - set(values) - others
    return Layer(place, {name: value for name, value in values.items() if name not in others}, whole=not refused)


@dataclass(frozen=True, slots=True)
class KeyConflict:
    """Keys of one node that do not go together."""

    key: str
    message: str
    """Does not name the node, so that what a whole cluster lacks is told once."""
    place: KeyPath | None = None
    """Where the key stands; None where it is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What came of a node's layers."""

    winrm: WinrmSettings | None = None
    ssh: SshSettings | None = None
    local: LocalSettings | None = None
    tds: TdsSettings | None = None
    troubles: tuple[KeyConflict, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Merged:
    keys: Mapping[str, Setting]
    values: dict[str, object] = field(default_factory=dict)
    places: dict[str, KeyPath] = field(default_factory=dict)
    troubles: list[KeyConflict] = field(default_factory=list)
    whole: bool = True

    def add(self, layer: Layer) -> None:
        self.whole = self.whole and layer.whole
        known = {name: value for name, value in layer.values.items() if name in self.keys}
        # A nearer password_file stands in for a farther password_env; the two never add up.
        replaced = {self.keys[name].secret for name in known} - {""}
        for name in [name for name in self.values if self.keys[name].secret in replaced]:
            del self.values[name], self.places[name]
        self.values.update(known)
        self.places.update({name: (*layer.place, name) for name in known})

    def trouble(self, key: str, message: str) -> None:
        self.troubles.append(KeyConflict(key, message, self.places.get(key)))


def connect(transport: str, platform: str, host: str, layers: Sequence[Layer], folder: Path) -> Connection:
    """The settings of a node over `transport`, from its layers, the farthest first.

    What only another `platform` has a use for is left out: defaults for SSH hold for Windows and Linux alike.
    `folder` is what relative paths are relative to. No settings where `transport` is empty (not known).
    """
    merged = _Merged(keys=by_name(keys_of(transport, platform)))
    for layer in layers:
        merged.add(layer)
    if transport not in MODELS:
        return Connection()
    settings = MODELS[transport](**_fields(merged, folder))
    if isinstance(settings, WinrmSettings):
        if settings.scheme == "http" and "port" not in merged.values:
            settings = replace(settings, port=HTTP_PORT)
        if merged.whole:
            _check_winrm(settings, host, merged)
    found: dict[str, Any] = {transport: settings}
    return Connection(**found, troubles=tuple(merged.troubles))


def _fields(merged: _Merged, folder: Path) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for key in merged.keys.values():
        # Only what was written, so that others can still tell a default from a wish.
        value = merged.values.get(key.name)
        if value is None or (value == "" and key.secret):
            continue
        if key.kind == "path":
            value = expanded(str(value), folder)
        if key.secret:
            value = SecretSource(**{key.name.removeprefix(f"{key.secret}_"): value if isinstance(value, str) else ""})
        settings[key.model_field] = value
    return settings


def _check_winrm(settings: WinrmSettings, host: str, merged: _Merged) -> None:
    auth = settings.auth
    if auth in ("ntlm", "credssp", "basic"):
        if not settings.user:
            merged.trouble("user", f"missing; auth {auth} needs it, as 'DOMAIN\\user' in single quotes")
        if settings.password is None:
            merged.trouble("password_env", f"no password; auth {auth} needs {_PASSWORD_ADVICE}")
    elif auth == "kerberos":
        if "\\" in settings.user:
            merged.trouble(
                "user",
                "auth kerberos knows accounts as name@REALM (svc-preflight@CORP.EXAMPLE, the realm in capitals), not "
                "as DOMAIN\\name",
            )
        if settings.password is not None and not settings.user:
            merged.trouble("user", "missing; a password needs its user (without both, your Kerberos ticket is used)")
        if not settings.kerberos_hostname and is_address(host):
            merged.trouble(
                "kerberos_hostname",
                "missing; Kerberos knows machines by name, and the host is an IP address: "
                "write the name in `host`, or set kerberos_hostname",
            )
    elif auth == "certificate":
        if settings.scheme != "https":
            merged.trouble("scheme", "auth certificate works over https only")
        for name in ("cert_file", "key_file"):
            if not getattr(settings, name):
                merged.trouble(name, "missing; auth certificate needs cert_file and key_file")
    if auth == "credssp" and settings.scheme == "https" and not settings.verify:
        merged.trouble(
            "verify",
            "auth credssp hands the password itself to the node, so it must be known whose node that is; "
            "set ca_file and leave verify at true, or use auth ntlm or kerberos",
        )
    if settings.configuration and settings.protocol != "psrp":
        merged.trouble(
            "configuration", 'means nothing to a Windows Remote Shell; set protocol = "psrp" or leave it out'
        )
    if auth == "basic" and settings.scheme == "http" and not settings.insecure:
        merged.trouble(
            "scheme",
            "auth basic over http sends the password readable for anybody on the way; "
            'use scheme = "https", or set insecure = true knowingly',
        )
