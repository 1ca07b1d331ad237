"""Which SSH algorithms are offered, and what is said to a server that has none of them.

What ~/.ssh/config asks for (KexAlgorithms, HostKeyAlgorithms, Ciphers, MACs, PubkeyAcceptedAlgorithms) is followed as
far as the library can do it. What is broken or about to be needs `legacy_algorithms` of the inventory besides, which
every report shows. By itself that key adds what OpenSSH 5.3 of RHEL 6 cannot do without: RSA signatures and a key
exchange that rest on SHA-1 (openssh.com/legacy.html). The library dropped both in its version 4; they are put back for
that one connection.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, ClassVar

import paramiko
from cryptography.hazmat.primitives import hashes
from paramiko.kex_gex import KexGexSHA256
from paramiko.kex_group14 import KexGroup14SHA256

from scanner.errors import shortened
from scanner.transports.ssh.hop import Wishes
from scanner.transports.ssh.keys.known_hosts import HostKey

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
_OLD_KEX = ("diffie-hellman-group-exchange-sha1", "diffie-hellman-group1-sha1")
_OLD_CIPHERS = ("aes256-cbc", "aes192-cbc", "aes128-cbc", "3des-cbc")
_OLD_MACS = ("hmac-sha1-96", "hmac-md5", "hmac-md5-96")
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
_LEGACY_HINT = "or set `legacy_algorithms = true` for this node, which every report then shows"
_ELSEWHERE_HINT = (
    'run preflight there: `preflight collect` with `transport = "local"`, and `scan --from` its evidence here'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Software:
    """An SSH server, and since when it knows what."""

    name: str
    pattern: str
    """Of its version, in two groups."""
    sha2_rsa: tuple[int, int]
    """RSA signatures with SHA-2."""
    ed25519: tuple[int, int]
    ecdsa: tuple[int, int]


_SOFTWARE = (
    # The release notes of each version, openssh.com/releasenotes.html.
    _Software(name="OpenSSH", pattern=r"OpenSSH_(\d{1,3})\.(\d{1,3})", sha2_rsa=(7, 2), ed25519=(6, 5), ecdsa=(5, 7)),
    # Its CHANGES: 2020.79, and 2013.62 after a test release.
    _Software(
        name="Dropbear",
        pattern=r"dropbear_(\d{4})\.(\d{1,3})",
        sha2_rsa=(2020, 79),
        ed25519=(2020, 79),
        ecdsa=(2013, 62),
    ),
)
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
    old = (_OLD_KEX, _OLD_CIPHERS, _OLD_MACS) if legacy else ((), (), ())
    kex = (*KEX, _SHA1_KEX) if legacy else KEX
    return Suite(
        chosen(wishes.kex, kex, old[0]), chosen(wishes.ciphers, CIPHERS, old[1]), chosen(wishes.macs, MACS, old[2])
    )


def chosen(wish: str, base: Sequence[str], more: Sequence[str] = ()) -> tuple[str, ...]:
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
    return named or tuple(base)


def host_key_algorithms(expected: Sequence[HostKey], *, legacy: bool, wish: str = "") -> tuple[str, ...]:
    """Host key algorithms to ask for: those of `expected` keys first, so that the server shows a key that is known."""
    types = [key.type for key in expected]
    able = {kind: (*names, *([SHA1_RSA] if legacy and kind == SHA1_RSA else [])) for kind, names in HOST_KEYS.items()}
    wished = chosen(wish, [name for names in able.values() for name in names])
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
    version = _version(banner, _SOFTWARE[0])
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

    name = _SHA1_KEX
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


def _version(banner: str, software: _Software) -> tuple[int, int] | None:
    found = re.search(software.pattern, banner)
    return (int(found[1]), int(found[2])) if found else None


def _software(banner: str) -> tuple[_Software, tuple[int, int]] | None:
    """What a server's greeting, "SSH-2.0-OpenSSH_5.3p1 ...", says that it is; None where it is no known one."""
    return next(((one, version) for one in _SOFTWARE if (version := _version(banner, one))), None)


def knows_rsa_with_sha1_alone(banner: str) -> bool:
    """Whether the server is older than RSA signatures with SHA-2."""
    known = _software(banner)
    return known is not None and known[1] < known[0].sha2_rsa


def why_key_refused(banner: str, key_types: Sequence[str], *, legacy: bool) -> tuple[str, str]:
    """What in the server's age explains that keys of these types were refused, and what to do; empty where nothing."""
    known = _software(banner)
    if known is None or known[1] >= known[0].sha2_rsa:
        return "", ""
    software, version = known
    server = f"{software.name} {version[0]}.{version[1]}"
    if any(kind.startswith("ssh-rsa") for kind in key_types):
        if legacy:
            return "", ""
        other = "an Ed25519" if version >= software.ed25519 else "an ECDSA" if version >= software.ecdsa else ""
        hint = f"log in with {other} key, {_LEGACY_HINT}" if other else _LEGACY_HINT.removeprefix("or ")
        return f"{server} takes RSA keys with SHA-1 signatures only, which are not made unasked", hint
    rsa = "an RSA key" if legacy else "an RSA key and `legacy_algorithms = true`"
    if any("ed25519" in kind for kind in key_types) and version < software.ed25519:
        other = f"an ECDSA key, or with {rsa}" if version >= software.ecdsa else rsa
        return f"{server} does not know Ed25519 keys", f"log in with {other}"
    if any(kind.startswith("ecdsa") for kind in key_types) and version < software.ecdsa:
        return f"{server} does not know ECDSA keys", f"log in with {rsa}"
    return "", ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One list of the server's against ours."""

    what: str
    offered: str
    """paramiko's name for the server's list."""
    ours: Sequence[str]
    usual: Sequence[str]
    """What is ours where the configuration says nothing."""
    with_key: Sequence[str]
    """What `legacy_algorithms` adds."""
    with_both: Sequence[str]
    """What it adds where the configuration names it."""
    option: str


def why_incompatible(
    banner: str, offered: Mapping[str, Sequence[str]], asked: Sequence[str], ours: Suite | None = None
) -> tuple[str, str]:
    """What a server that `offered` these has not in common with us, and what to do.

    `offered` are the lists of its SSH_MSG_KEXINIT by paramiko's names, `asked` the host key algorithms that it was
    asked for. Empty texts where nothing is known of what it offers.
    """
    ours = ours or suite(Wishes(), legacy=SHA1_RSA in asked)
    host_keys = [name for names in HOST_KEYS.values() for name in names]
    rows = (
        _Row(
            what="key exchange",
            offered="kex_algo_list",
            ours=ours.kex,
            usual=KEX,
            with_key=[_SHA1_KEX],
            with_both=_OLD_KEX,
            option="KexAlgorithms",
        ),
        _Row(
            what="host key algorithm",
            offered="server_key_algo_list",
            ours=asked,
            usual=host_keys,
            with_key=[SHA1_RSA],
            with_both=(),
            option="HostKeyAlgorithms",
        ),
        _Row(
            what="cipher",
            offered="server_encrypt_algo_list",
            ours=ours.ciphers,
            usual=CIPHERS,
            with_key=(),
            with_both=_OLD_CIPHERS,
            option="Ciphers",
        ),
        _Row(
            what="MAC",
            offered="server_mac_algo_list",
            ours=ours.macs,
            usual=MACS,
            with_key=(),
            with_both=_OLD_MACS,
            option="MACs",
        ),
    )
    missing: list[str] = []
    ways: list[str] = []
    key_will_do = True
    for row in rows:
        theirs = [each for each in offered.get(row.offered, ()) if each and not each.startswith(_NO_ALGORITHMS)]
        if not theirs or set(theirs) & set(row.ours) or (row.option == "MACs" and _needs_no_mac(offered, ours)):
            continue
        missing.append(f"no {row.what} but {shortened(', '.join(theirs), 160)}")
        left_out = [name for name in theirs if name in row.usual]
        weak = [name for name in theirs if name in row.with_both]
        if left_out:
            ways.append(f"{row.option} of your SSH configuration leaves out {left_out[0]}: allow it for this host")
        elif set(theirs) & set(row.with_key):
            ways.append("")
        elif weak:
            ways.append(f"`{row.option} +{weak[0]}` for this host in the file that `ssh_config` names")
        else:
            key_will_do = False
    if not missing:
        return "", ""
    software = banner.partition("-")[2].partition("-")[2].split(" ")[0]
    software = shortened(software, 60)
    cause = f"{software or 'its server'} has {' and '.join(missing)}"
    said = [way for way in ways if way]
    if not key_will_do:
        return cause, (
            "allow curve25519-sha256, an Ed25519 or ECDSA host key, and aes256-gcm@openssh.com in its sshd_config; "
            f"or {_ELSEWHERE_HINT}"
        )
    if any("leaves out" in way for way in said):
        return cause, "; ".join(said)
    hint = f"update its SSH server (as old as that of RHEL 6), {_LEGACY_HINT}"
    return cause, f"{hint}, and set {' and '.join(said)}" if said else hint


_NO_ALGORITHMS = ("ext-info-", "kex-strict-")


def _needs_no_mac(offered: Mapping[str, Sequence[str]], ours: Suite) -> bool:
    ciphers = [name for name in ours.ciphers if name in offered.get("server_encrypt_algo_list", ())]
    return bool(ciphers) and "gcm" in ciphers[0]
