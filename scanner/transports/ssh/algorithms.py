"""Which SSH algorithms are offered, and what a connection is given that needs those of old.

What ~/.ssh/config asks for (KexAlgorithms, HostKeyAlgorithms, Ciphers, MACs, PubkeyAcceptedAlgorithms) is followed as
far as the library can do it. What is broken or about to be needs `legacy_algorithms` of the inventory besides, which
every report shows. By itself that key adds what OpenSSH 5.3 of RHEL 6 cannot do without: RSA signatures and a key
exchange that rest on SHA-1 (openssh.com/legacy.html). The library dropped both in its version 4; they are put back for
that one connection.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, ClassVar

import paramiko
from cryptography.hazmat.primitives import hashes
from paramiko.kex_gex import KexGexSHA256
from paramiko.kex_group14 import KexGroup14SHA256

from checks.common.dataclass import dataclass
from scanner.transports.ssh.hop import Wishes
from scanner.transports.ssh.keys.known_hosts import HostKey
from scanner.transports.ssh.server_age import knows_rsa_with_sha1_alone, openssh_version

SHA1_RSA = "ssh-rsa"
"""As an algorithm, and not as a type of key: RSA signatures over SHA-1."""
CURVE25519 = "curve25519-sha256@libssh.org"
SHA1_KEX = "diffie-hellman-group14-sha1"

KEX = (
    "curve25519-sha256",
    CURVE25519,
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group14-sha256",
    "diffie-hellman-group16-sha512",
    "mlkem768x25519-sha256",
    # Dear, so last: for servers that were restricted to it, and for those of old.
    "diffie-hellman-group-exchange-sha256",
)
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
    "hmac-sha1",
)
OLD_KEX = ("diffie-hellman-group-exchange-sha1", "diffie-hellman-group1-sha1")
OLD_CIPHERS = ("aes256-cbc", "aes192-cbc", "aes128-cbc", "3des-cbc")
OLD_MACS = ("hmac-sha1-96", "hmac-md5", "hmac-md5-96")
"""What is offered only where both say so, the inventory by `legacy_algorithms` and ~/.ssh/config by name."""
HOST_KEYS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}
"""Type of a host key to the signature algorithms that prove it, best first. SHA-1 is accepted where asked for only."""

_CERTIFICATE = "-cert-v01@openssh.com"


_SHA2_RSA_CERTIFICATES = (7, 8)
"""Since this version OpenSSH knows RSA certificates with SHA-2 by names of their own."""


@dataclass(frozen=True, slots=True)
class Suite:
    """What one connection offers, host keys apart, best first."""

    kex: tuple[str, ...]
    ciphers: tuple[str, ...]
    macs: tuple[str, ...]


def suite(wishes: Wishes, *, legacy: bool) -> Suite:
    """What is offered to a server of which ~/.ssh/config wishes this."""
    old = (OLD_KEX, OLD_CIPHERS, OLD_MACS) if legacy else ((), (), ())
    kex = (*KEX, SHA1_KEX) if legacy else KEX
    return Suite(
        chosen(wishes.kex, kex, old[0]), chosen(wishes.ciphers, CIPHERS, old[1]), chosen(wishes.macs, MACS, old[2])
    )


@lru_cache(maxsize=256)
def chosen(wish: str, base: tuple[str, ...], more: tuple[str, ...] = ()) -> tuple[str, ...]:
    """What is left of `base`, and of what is offered on request only (`more`), as ssh_config(5) reads `wish`.

    A list replaces, `+` adds, `-` takes away, `^` goes first; each name may have wildcards. A list that leaves nothing
    that we can do is passed over.
    """
    sign, names = (wish[:1], wish[1:]) if wish[:1] in ("+", "-", "^") else ("", wish)
    able = (*base, *(name for name in more if name not in base))
    patterns = [pattern.strip() for pattern in names.split(",") if pattern.strip()]
    named = tuple(dict.fromkeys(name for pattern in patterns for name in able if fnmatchcase(name, pattern)))
    if sign == "-":
        named = tuple(name for name in base if name not in named)
    elif sign == "+":
        named = (*base, *(name for name in named if name not in base))
    elif sign == "^":
        named = (*named, *(name for name in base if name not in named))
    return named or base


def host_key_algorithms(expected: Sequence[HostKey], *, legacy: bool, wish: str = "") -> tuple[str, ...]:
    """Host key algorithms to ask for: those of `expected` keys first, so that the server shows a key that is known."""
    types = [key.type for key in expected]
    able = {kind: (*names, *([SHA1_RSA] if legacy and kind == SHA1_RSA else [])) for kind, names in HOST_KEYS.items()}
    wished = chosen(wish, tuple(name for names in able.values() for name in names))
    kind_of = {name: kind for kind, names in able.items() for name in names}
    return (
        *(name for name in wished if kind_of[name] in types),
        *(name for name in wished if kind_of[name] not in types),
    )


def signature_algorithms(
    shown: str,
    banner: str,
    taken: Sequence[str],
    wish: str,
    *,
    legacy: bool,
    host_key_algorithm: str = "",
) -> tuple[tuple[str, ...], str]:
    """The algorithms to offer a key of the type `shown` with, likeliest first; or none, and why.

    `taken` is what the server says that it takes (RFC 8308), which counts for RSA alone: OpenSSH 7.4 forgets the rest.
    """
    if not shown.startswith("ssh-rsa"):
        names: tuple[str, ...] = (shown,)
        return (
            (names, "")
            if _wished(wish, names)
            else ((), f"PubkeyAcceptedAlgorithms of the SSH configuration lacks {shown}")
        )
    certificate = shown.endswith(_CERTIFICATE)
    version = openssh_version(banner)
    sha2: tuple[str, ...] = ("rsa-sha2-512", "rsa-sha2-256")
    if certificate and version and version < _SHA2_RSA_CERTIFICATES:
        sha2 = ()
    sha1 = (SHA1_RSA,) if legacy else ()
    alone = host_key_algorithm == SHA1_RSA or knows_rsa_with_sha1_alone(banner)
    names = (*sha1, *sha2) if alone else (*sha2, *sha1)
    if not names:
        return (
            (),
            f"OpenSSH {version[0]}.{version[1]} takes RSA certificates with SHA-1 signatures only" if version else "",
        )
    if taken:
        names = tuple(name for name in names if name in taken)
        if not names:
            kinds = "with SHA-1 signatures only" if SHA1_RSA in taken else "not at all"
            return (), f"the server takes RSA keys {kinds}"
    full = tuple(f"{name}{_CERTIFICATE}" if certificate else name for name in names)
    full = _wished(wish, full)
    if not full:
        return (), "PubkeyAcceptedAlgorithms of the SSH configuration lacks RSA signatures with SHA-2"
    return full, ""


def _wished(wish: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of `names` that the configuration leaves, in its order."""
    if not wish or wish[0] in "+^":
        return names if wish[:1] != "^" else chosen(wish, names)
    patterns = [pattern.strip() for pattern in wish.removeprefix("-").split(",")]
    fits = [name for pattern in patterns for name in names if fnmatchcase(name, pattern)]
    return tuple(name for name in names if name not in fits) if wish[0] == "-" else tuple(dict.fromkeys(fits))


class Sha1RsaKey(paramiko.RSAKey):
    """An RSA key that also signs, and proves itself, with SHA-1."""

    HASHES: ClassVar[dict[str, Any]] = {  # type: ignore[misc]  # the stubs call it final
        **paramiko.RSAKey.HASHES,
        SHA1_RSA: hashes.SHA1,
        f"{SHA1_RSA}-cert-v01@openssh.com": hashes.SHA1,
    }


class _KexGroup14Sha1(KexGroup14SHA256):
    """RFC 4253, 8.2."""

    name = SHA1_KEX
    hash_algo = hashlib.sha1


class _KexGroup1Sha1(KexGroup14SHA256):
    """RFC 4253, 8.1, with the second Oakley group of RFC 2409, 6.2."""

    name = "diffie-hellman-group1-sha1"
    hash_algo = hashlib.sha1
    P = int(
        "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
        "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
        "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF",
        16,
    )


class _KexGexSha1(KexGexSHA256):
    """RFC 4419, 4.1."""

    name = "diffie-hellman-group-exchange-sha1"
    hash_algo = hashlib.sha1


def allow_legacy(transport: paramiko.Transport) -> None:
    """Let one connection use what rests on SHA-1, where nothing better is common."""
    door: Any = transport
    door._key_info = {**door._key_info, SHA1_RSA: Sha1RsaKey}  # noqa: SLF001  the library has no other way
    ours = {kex.name: kex for kex in (_KexGroup14Sha1, _KexGroup1Sha1, _KexGexSha1)}
    door._kex_info = {**door._kex_info, **ours}  # noqa: SLF001


def with_sha1(key: paramiko.PKey) -> paramiko.PKey:
    """The same key, able to sign with SHA-1 if it is an RSA key of ours; an agent signs with what it is asked for."""
    if not isinstance(key, paramiko.RSAKey):
        return key
    twin = Sha1RsaKey(key=key.key)
    twin.public_blob = key.public_blob
    return twin
