"""Which SSH algorithms are offered, and what is said to a server that has none of them.

`legacy_algorithms` of the inventory adds what OpenSSH 5.3 of RHEL 6 cannot do without: RSA signatures and a key
exchange that rest on SHA-1 (openssh.com/legacy.html). The library dropped both in its version 4; they are put back for
that one connection.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import paramiko
from cryptography.hazmat.primitives import hashes
from paramiko.kex_group14 import KexGroup14SHA256

from scanner.transports.known_hosts import HostKey

SHA1_RSA = "ssh-rsa"
"""As an algorithm, and not as a type of key: RSA signatures over SHA-1."""
CURVE25519 = "curve25519-sha256@libssh.org"
_SHA1_KEX = "diffie-hellman-group14-sha1"

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
HOST_KEYS = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256"),
}
"""Type of a host key to the signature algorithms that prove it, best first. SHA-1 is accepted where asked for only."""

_SHA2_RSA = (7, 2)
"""Since this version OpenSSH takes RSA signatures with SHA-2 (its release notes)."""
_ED25519 = (6, 5)
_ECDSA = (5, 7)
_LEGACY_HINT = "or set `legacy_algorithms = true` for this node, which every report then shows"


def host_key_algorithms(expected: Sequence[HostKey], *, legacy: bool) -> tuple[str, ...]:
    """Host key algorithms to ask for: those of `expected` keys first, so that the server shows a key that is known."""
    types = [key.type for key in expected]
    first = [kind for kind in HOST_KEYS if kind in types]
    rest = [kind for kind in HOST_KEYS if kind not in types]
    names: list[str] = []
    for kind in first + rest:
        names += HOST_KEYS[kind]
        if legacy and kind == SHA1_RSA:
            names.append(SHA1_RSA)
    return tuple(names)


class Sha1RsaKey(paramiko.RSAKey):
    """An RSA key that also signs, and proves itself, with SHA-1."""

    HASHES: ClassVar[dict[str, Any]] = {  # type: ignore[misc]  # the stubs call it final
        **paramiko.RSAKey.HASHES,
        SHA1_RSA: hashes.SHA1,
        f"{SHA1_RSA}-cert-v01@openssh.com": hashes.SHA1,
    }


class _KexGroup14Sha1(KexGroup14SHA256):
    """RFC 4253, 8.2."""

    name = _SHA1_KEX
    hash_algo = hashlib.sha1


def allow_legacy(transport: paramiko.Transport) -> None:
    """Let one connection use what rests on SHA-1, where nothing better is common."""
    door: Any = transport
    door._key_info = {**door._key_info, SHA1_RSA: Sha1RsaKey}  # noqa: SLF001  the library has no other way
    door._kex_info = {**door._kex_info, _SHA1_KEX: _KexGroup14Sha1}  # noqa: SLF001


def key_exchanges(known: Mapping[str, object], *, legacy: bool) -> tuple[str, ...]:
    """The key exchanges to offer, of those that the library has (`known`); builds under FIPS lack some."""
    return tuple(name for name in (*KEX, *([_SHA1_KEX] if legacy else [])) if name in known)


def with_sha1(key: paramiko.PKey) -> paramiko.PKey:
    """The same key, able to sign with SHA-1 if it is an RSA key of ours; an agent signs with what it is asked for."""
    if not isinstance(key, paramiko.RSAKey):
        return key
    twin = Sha1RsaKey(key=key.key)
    twin.public_blob = key.public_blob
    return twin


def openssh_version(banner: str) -> tuple[int, int] | None:
    """The version in a server's greeting, "SSH-2.0-OpenSSH_5.3p1 ..."; None where it is not OpenSSH."""
    found = re.search(r"OpenSSH_(\d{1,3})\.(\d{1,3})", banner)
    return (int(found[1]), int(found[2])) if found else None


def knows_rsa_with_sha1_alone(banner: str) -> bool:
    """Whether the server's OpenSSH is older than RSA signatures with SHA-2."""
    version = openssh_version(banner)
    return version is not None and version < _SHA2_RSA


def why_key_refused(banner: str, key_types: Sequence[str], *, legacy: bool) -> tuple[str, str]:
    """What in the server's age explains that keys of these types were refused, and what to do; empty where nothing."""
    version = openssh_version(banner)
    if version is None or version >= _SHA2_RSA:
        return "", ""
    server = f"OpenSSH {version[0]}.{version[1]}"
    if any(kind.startswith("ssh-rsa") for kind in key_types):
        if legacy:
            return "", ""
        other = "an Ed25519" if version >= _ED25519 else "an ECDSA" if version >= _ECDSA else ""
        hint = f"log in with {other} key, {_LEGACY_HINT}" if other else _LEGACY_HINT.removeprefix("or ")
        return f"{server} takes RSA keys with SHA-1 signatures only, which are not made unasked", hint
    rsa = "an RSA key" if legacy else "an RSA key and `legacy_algorithms = true`"
    if any("ed25519" in kind for kind in key_types) and version < _ED25519:
        other = f"an ECDSA key, or with {rsa}" if version >= _ECDSA else rsa
        return f"{server} does not know Ed25519 keys", f"log in with {other}"
    if any(kind.startswith("ecdsa") for kind in key_types) and version < _ECDSA:
        return f"{server} does not know ECDSA keys", f"log in with {rsa}"
    return "", ""


def why_incompatible(banner: str, offered: Mapping[str, Sequence[str]], asked: Sequence[str]) -> tuple[str, str]:
    """What a server that `offered` these has not in common with us, and what to do.

    `offered` are the lists of its SSH_MSG_KEXINIT by paramiko's names, `asked` the host key algorithms that it was
    asked for. Empty texts where nothing is known of what it offers.
    """
    rows = (
        ("key exchange", "kex_algo_list", (*KEX, _SHA1_KEX) if SHA1_RSA in asked else KEX, _SHA1_KEX),
        ("host key algorithm", "server_key_algo_list", asked, SHA1_RSA),
        ("cipher", "server_encrypt_algo_list", CIPHERS, ""),
        ("MAC", "server_mac_algo_list", MACS, ""),
    )
    missing: list[str] = []
    would_do = True
    for what, name, ours, old in rows:
        theirs = [each for each in offered.get(name, ()) if each and not each.startswith(("ext-info-", "kex-strict-"))]
        if not theirs or set(theirs) & set(ours) or (name == "server_mac_algo_list" and _needs_no_mac(offered)):
            continue
        would_do = would_do and old in theirs
        missing.append(f"no {what} but {', '.join(theirs)[:160]}")
    if not missing:
        return "", ""
    software = banner.partition("-")[2].partition("-")[2].split(" ")[0][:60]
    cause = f"{software or 'its server'} has {' and '.join(missing)}"
    if would_do:
        return cause, f"update its SSH server (as old as that of RHEL 6), {_LEGACY_HINT}"
    return cause, (
        "allow curve25519-sha256, an Ed25519 or ECDSA host key, and aes256-gcm@openssh.com in its sshd_config; "
        'or run preflight there with `transport = "local"`'
    )


def _needs_no_mac(offered: Mapping[str, Sequence[str]]) -> bool:
    ciphers = [name for name in CIPHERS if name in offered.get("server_encrypt_algo_list", ())]
    return bool(ciphers) and "gcm" in ciphers[0]
