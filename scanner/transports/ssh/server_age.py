"""How old a server is by its greeting, and what that means for the keys that one logs in with."""

from __future__ import annotations

import re
from collections.abc import Sequence

from checks.common.dataclass import dataclass

LEGACY_HINT = "or set `legacy_algorithms = true` for this node, which every report then shows"


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


def _version(banner: str, software: _Software) -> tuple[int, int] | None:
    found = re.search(software.pattern, banner)
    return (int(found[1]), int(found[2])) if found else None


def openssh_version(banner: str) -> tuple[int, int] | None:
    """The version of OpenSSH that a greeting names; None where it is another server's."""
    return _version(banner, _SOFTWARE[0])


def _software_of(banner: str) -> tuple[_Software, tuple[int, int]] | None:
    """What a server's greeting, "SSH-2.0-OpenSSH_5.3p1 ...", says that it is; None where it is no known one."""
    return next(((one, version) for one in _SOFTWARE if (version := _version(banner, one))), None)


def knows_rsa_with_sha1_alone(banner: str) -> bool:
    """Whether the server is older than RSA signatures with SHA-2."""
    known = _software_of(banner)
    return known is not None and known[1] < known[0].sha2_rsa


def why_key_refused(banner: str, key_types: Sequence[str], *, legacy: bool) -> tuple[str, str]:
    """What in the server's age explains that keys of these types were refused, and what to do; empty where nothing."""
    known = _software_of(banner)
    if known is None or known[1] >= known[0].sha2_rsa:
        return "", ""
    software, version = known
    server = f"{software.name} {version[0]}.{version[1]}"
    if any(kind.startswith("ssh-rsa") for kind in key_types):
        if legacy:
            return "", ""
        other = "an Ed25519" if version >= software.ed25519 else "an ECDSA" if version >= software.ecdsa else ""
        hint = f"log in with {other} key, {LEGACY_HINT}" if other else LEGACY_HINT.removeprefix("or ")
        return f"{server} takes RSA keys with SHA-1 signatures only, which are not made unasked", hint
    rsa = "an RSA key" if legacy else "an RSA key and `legacy_algorithms = true`"
    if any("ed25519" in kind for kind in key_types) and version < software.ed25519:
        other = f"an ECDSA key, or with {rsa}" if version >= software.ecdsa else rsa
        return f"{server} does not know Ed25519 keys", f"log in with {other}"
    if any(kind.startswith("ecdsa") for kind in key_types) and version < software.ecdsa:
        return f"{server} does not know ECDSA keys", f"log in with {rsa}"
    return "", ""
