"""Whom TLS believes, and the words for whom it does not: one place for every transport that speaks TLS."""

from __future__ import annotations

import functools
import os
import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from checks.common.dataclass import dataclass
from scanner.inventory.reading.looking import is_folder

_PEM = b"-----BEGIN "
_ONE_AT_A_TIME = threading.Lock()
_POLICIES = 16


def shared(make: Callable[..., ssl.SSLContext]) -> Callable[..., ssl.SSLContext]:
    """`make` for all peers with the same settings together, as long as the files that these name stay as they are.

    Reading the system's store takes 20 ms. A process that asks for one run after the other, as workers do, must not
    trust tomorrow what was taken out today: the texts among the settings are taken for such files or folders.
    """

    @functools.lru_cache(maxsize=_POLICIES)
    def made(_: object, *settings: object) -> ssl.SSLContext:
        return make(*settings)

    @functools.wraps(make)
    def one(*settings: object) -> ssl.SSLContext:
        files = (*_system(), *settings)
        as_they_are = tuple(_state(file) for file in files if file and isinstance(file, str))
        with _ONE_AT_A_TIME:  # else many that start together would each read them
            return made(as_they_are, *settings)

    return one


@functools.cache
def _system() -> tuple[str | None, ...]:
    store = ssl.get_default_verify_paths()
    return store.cafile, store.capath


def _state(file: str) -> tuple[int, int, int] | None:
    """Another one when the file or the folder is another one; None where there is none."""
    try:
        found = os.stat(file)  # noqa: PTH116  for each node: a Path takes five times as long
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def trusting(verify: bool, ca_file: str) -> ssl.SSLContext:
    """A client's context that trusts `ca_file` (PEM, DER, or a folder of them hashed), or the system's own store.

    The same on every Python. What is named in `ca_file` is trusted as it stands, be it a root, an issuing authority or
    the server's own certificate: partial chains are accepted, as Python does from 3.13 on. Python 3.13's strictness is
    off: authorities of companies leave out what RFC 5280 wants, and Windows issues and accepts that. Which key, name,
    purpose, time and signature a certificate must have is not touched by either.

    Raises OSError or ssl.SSLError for a file that cannot be used.
    """
    file, folder, data = ca_file or None, None, None
    if ca_file and is_folder(ca_file):
        file, folder = None, ca_file
    elif ca_file and _PEM not in (held := Path(ca_file).read_bytes()):
        # The certificate as Windows exports it unless told otherwise.
        file, data = None, held
    context = ssl.create_default_context(cafile=file, capath=folder, cadata=data)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@dataclass(frozen=True, slots=True)
class Distrust:
    """One reason not to believe a certificate."""

    fault: str
    codes: frozenset[int]
    """X509_V_ERR_..., which OpenSSL gives beside its English words (x509_vfy.h)."""
    said: str
    """Of the certificate."""
    hint: str


NAME = Distrust("certificate-name", frozenset((62, 63, 64)), "is for another name", "write a name that stands in it")
UNKNOWN_ISSUER = Distrust(
    "certificate-issuer",
    frozenset((2, 18, 19, 20, 21, 24, 25, 27, 33, 79)),
    "comes from nobody that is trusted here",
    "set `ca_file` to the certificate of the authority that issued it (root or issuing), or to the certificate itself",
)
EXPIRED = Distrust(
    "certificate-expired", frozenset((10,)), "has expired", "renew the server's certificate; check this machine's clock"
)
NOT_YET_VALID = Distrust(
    "certificate-not-yet-valid",
    frozenset((9,)),
    "is not valid yet",
    "check this machine's clock first, then the certificate",
)
WEAK = Distrust(
    "certificate-weak",
    frozenset((66, 67, 68)),
    "has a key or a signature that is too weak",
    "issue it anew, with RSA 2048 and SHA-256",
)
PURPOSE = Distrust(
    "certificate-purpose",
    frozenset((26,)),
    "is not made for servers",
    "issue it with the extended key usage Server Authentication",
)
REVOKED = Distrust("certificate-revoked", frozenset((23,)), "was revoked", "renew the server's certificate")
BROKEN = Distrust(
    "certificate-broken",
    frozenset((4, 6, 7, 13, 14, 34, 47, 48, 49, 50, 51, 52)),
    "is broken, or used where its authority does not allow it",
    "look at it with `certutil -verify` on the node, and issue it anew",
)
DISTRUST = (NAME, UNKNOWN_ISSUER, EXPIRED, NOT_YET_VALID, WEAK, PURPOSE, REVOKED, BROKEN)


def distrust_of(error: ssl.SSLError) -> Distrust | None:
    """Why the certificate is not believed; None where that is not what TLS failed by, or the reason is a rare one."""
    if isinstance(error, ssl.SSLCertVerificationError):
        code = getattr(error, "verify_code", None)
        return next((one for one in DISTRUST if code in one.codes), None)
    # OpenSSL refuses a weak certificate before it verifies any where it is already too weak to be used.
    if getattr(error, "reason", None) in ("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK", "DH_KEY_TOO_SMALL"):
        return WEAK
    return None
