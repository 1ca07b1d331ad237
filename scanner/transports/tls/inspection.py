"""A second look at a peer that TLS did not come to terms with: what it shows, trusted or not, so that it can be named.

Nothing but a handshake is said there: no request, no login.
"""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from contextlib import suppress

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from checks.common.dataclass import dataclass
from scanner.transports.deadline import Deadline

_MOST_NAMES = 4
_NAME_CHARS = 60
_PURPOSES = {
    ExtendedKeyUsageOID.CLIENT_AUTH: "client authentication",
    ExtendedKeyUsageOID.CODE_SIGNING: "code signing",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "e-mail",
    ExtendedKeyUsageOID.SERVER_AUTH: "server authentication",
}
_VERSIONS = {"SSLv3": "SSL 3.0", "TLSv1": "TLS 1.0", "TLSv1.1": "TLS 1.1", "TLSv1.2": "TLS 1.2", "TLSv1.3": "TLS 1.3"}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a peer shows to anybody."""

    version: str
    """The best TLS that it speaks: "TLS 1.0"."""
    certificate: x509.Certificate | None = None

    @property
    def names(self) -> str:
        """Whom the certificate is made out to, shortened; "" where it names nobody."""
        certificate = self.certificate
        if certificate is None:
            return ""
        found: list[str] = []
        with suppress(x509.ExtensionNotFound, ValueError):
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            found += names.get_values_for_type(x509.DNSName)
            found += [str(address) for address in names.get_values_for_type(x509.IPAddress)]
        if not found:
            found = [_common_name(certificate.subject)]
        more = len(found) - _MOST_NAMES
        told = [_printable(name) for name in found[:_MOST_NAMES] if name]
        return ", ".join(told) + (f" and {more} more" if more > 0 else "")

    @property
    def issuer(self) -> str:
        """Who issued the certificate."""
        return _printable(_common_name(self.certificate.issuer)) if self.certificate else ""

    @property
    def self_signed(self) -> bool:
        """Whether it names itself as its issuer."""
        return self.certificate is not None and self.certificate.issuer == self.certificate.subject

    @property
    def ends(self) -> dt.datetime | None:
        """When it expires."""
        return self.certificate.not_valid_after_utc if self.certificate else None

    @property
    def begins(self) -> dt.datetime | None:
        """From when on it is valid."""
        return self.certificate.not_valid_before_utc if self.certificate else None

    @property
    def strength(self) -> str:
        """Its key and its signature: "RSA 1024, SHA1"."""
        certificate = self.certificate
        if certificate is None:
            return ""
        parts: list[str] = []
        with suppress(ValueError, TypeError):
            key = certificate.public_key()
            if isinstance(key, rsa.RSAPublicKey):
                parts.append(f"RSA {key.key_size}")
        with suppress(ValueError, TypeError, LookupError):
            algorithm = certificate.signature_hash_algorithm
            if algorithm is not None:
                parts.append(algorithm.name.upper())
        return ", ".join(parts)

    @property
    def purposes(self) -> str:
        """What it may be used for, where that is restricted."""
        if self.certificate is None:
            return ""
        with suppress(x509.ExtensionNotFound, ValueError):
            usage = self.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
            return ", ".join(_PURPOSES.get(oid, oid.dotted_string) for oid in list(usage)[:_MOST_NAMES])
        return ""


def look(wire: socket.socket, name: str, seconds: float) -> Seen | None:
    """What the peer behind `wire` shows; None where it lets nobody look. Closes `wire`; never longer than `seconds`."""

    def cut() -> None:
        with suppress(OSError):
            wire.shutdown(socket.SHUT_RDWR)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # TLS 1.0 of Windows Server 2008 R2, and keys of 1024 bits: to be named, never to be used.
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with wire:
        try:
            context.set_ciphers("ALL:@SECLEVEL=0")
            wire.settimeout(seconds)
            with Deadline(seconds, cut), context.wrap_socket(wire, server_hostname=name) as secured:
                shown = secured.getpeercert(binary_form=True)
                version = secured.version() or ""
            certificate = x509.load_der_x509_certificate(shown) if shown else None
        except (OSError, ValueError):
            return None
    return Seen(_VERSIONS.get(version, version), certificate)


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _printable(text: str) -> str:
    line = "".join(each if each.isprintable() else "?" for each in text)
    return line if len(line) <= _NAME_CHARS else line[: _NAME_CHARS - 1] + "…"
