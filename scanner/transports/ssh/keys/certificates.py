"""Public keys and OpenSSH's user certificates as bytes: their types, and which key a certificate is for.

After OpenSSH's PROTOCOL.certkeys and PROTOCOL.u2f.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from pathlib import Path

from paramiko.message import Message

from checks.common.dataclass import dataclass

_CERTIFICATE = "-cert-v01@openssh.com"
_FIELDS = {
    "ssh-ed25519": 1,
    "ssh-rsa": 2,
    "ecdsa-sha2-nistp256": 2,
    "ecdsa-sha2-nistp384": 2,
    "ecdsa-sha2-nistp521": 2,
    "sk-ssh-ed25519@openssh.com": 2,
    "sk-ecdsa-sha2-nistp256@openssh.com": 3,
}
"""Types of keys, and how many strings a public key of each is."""
_LEAST_TYPE_BYTES, _MOST_TYPE_BYTES = 3, 64
_FOR_EVER = 2**64 - 1
_PUBLIC = ("ssh-", "ecdsa-", "sk-")


def type_of(blob: bytes) -> str:
    """The type that a public key, a certificate or a signature begins with; empty where it is none."""
    size = int.from_bytes(blob[:4], "big")
    name = blob[4 : 4 + size]
    if len(blob) < 4 or len(name) != size or not _LEAST_TYPE_BYTES <= size <= _MOST_TYPE_BYTES:
        return ""
    return name.decode("ascii") if name.isascii() and name.decode("ascii").isprintable() else ""


def is_certificate(blob: bytes) -> bool:
    """Whether it is a certificate and no plain key."""
    return type_of(blob).endswith(_CERTIFICATE)


def is_fido(blob: bytes) -> bool:
    """Whether the key lies in a FIDO token, which as a rule wants to be touched for every signature."""
    return type_of(blob).startswith("sk-")


def plain_type(name: str) -> str:
    """The type of the key that a certificate of type `name` is for; a plain type is its own."""
    if not name.endswith(_CERTIFICATE):
        return name
    plain = name.removesuffix(_CERTIFICATE)
    return f"{plain}@openssh.com" if plain.startswith("sk-") else plain


@dataclass(frozen=True, slots=True)
class Certificate:
    """A user certificate, as far as a client looks into it."""

    blob: bytes
    key: bytes
    """The plain public key that it is for."""
    valid_from: datetime | None
    valid_to: datetime | None
    """None: for ever."""

    def trouble(self, now: datetime) -> str:
        """Why no server is likely to take it at `now`; empty where nothing is known against it."""
        if self.valid_from and now < self.valid_from:
            return f"is not valid before {self.valid_from:%Y-%m-%d %H:%M} UTC"
        if self.valid_to and now >= self.valid_to:
            return f"has expired on {self.valid_to:%Y-%m-%d %H:%M} UTC"
        return ""


def read_certificate(blob: bytes) -> Certificate | None:
    """The certificate in these bytes; None where that is none."""
    kind = plain_type(type_of(blob))
    if not is_certificate(blob) or kind not in _FIELDS:
        return None
    message = Message(blob)
    message.get_binary(), message.get_binary()  # its type and its nonce
    key = Message()
    key.add_string(kind)
    for _ in range(_FIELDS[kind]):
        key.add_string(message.get_binary())
    message.get_int64(), message.get_int(), message.get_binary(), message.get_binary()  # serial, kind, id, principals
    begins, ends = message.get_int64(), message.get_int64()
    return Certificate(blob, key.asbytes(), _moment(begins), _moment(ends))


def _moment(seconds: int) -> datetime | None:
    if not 0 < seconds < _FOR_EVER:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def read_public(data: bytes) -> bytes | None:
    """The key or certificate of a one-line file such as id_ed25519.pub; None where the file holds none."""
    for line in data.splitlines():
        fields = line.split(None, 2)
        if len(fields) < 2 or not fields[0].startswith(tuple(prefix.encode() for prefix in _PUBLIC)):
            continue
        try:
            blob = base64.b64decode(fields[1], validate=True)
        except (binascii.Error, ValueError):
            return None
        return blob if type_of(blob).encode() == fields[0] else None
    return None


def is_public(data: bytes) -> bool:
    """Whether a key file holds the public half only."""
    return data.startswith(tuple(prefix.encode() for prefix in _PUBLIC))


def certificate_of(path: Path) -> Certificate | None:
    """The certificate of a file; None where there is none that can be read."""
    try:
        blob = read_public(path.read_bytes())
    except OSError:
        return None
    return read_certificate(blob) if blob else None
