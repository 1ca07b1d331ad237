"""Certificates for the lab: an authority of its own, a server's for loopback, a client's for its account."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from checks.common.dataclass import dataclass

UPN_OID = ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")
"""User principal name in a subject alternative name; what Windows maps a client certificate by."""

_LIFETIME = dt.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """What a TLS listener needs, as PEM files."""

    certificate: Path
    key: Path
    client_ca: Path | None = None
    """Authority whose client certificates are asked for and trusted."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a server's certificate."""

    begins: dt.timedelta = dt.timedelta(hours=-1)
    """From now."""
    ends: dt.timedelta = _LIFETIME
    rsa_bits: int = 0
    """0: an elliptic curve's key."""
    usage: ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH


_SOUND = Flaw()
_FOR_CLIENTS = Flaw(usage=ExtendedKeyUsageOID.CLIENT_AUTH)
_DAY = dt.timedelta(days=1)
FLAWS = {
    "expired-certificate": Flaw(begins=-9 * _DAY, ends=-_DAY),
    "not-yet-valid-certificate": Flaw(begins=_DAY),
    "weak-certificate": Flaw(rsa_bits=1024),
    "wrong-purpose-certificate": Flaw(usage=ExtendedKeyUsageOID.CLIENT_AUTH),
}
"""The flaws that a scenario can give a node, by the name of the fault."""


@dataclass(frozen=True, slots=True)
class CertificatePair:
    """A certificate and its private key, as PEM files."""

    certificate: Path
    key: Path


class CertificateAuthority:
    """A certificate authority that lives as long as the process and writes PEM files where it is told."""

    def __init__(
        self, folder: Path, name: str = "preflight lab authority", issuer: CertificateAuthority | None = None
    ) -> None:
        """Make the authority's own key and write its certificate to `folder`/ca.pem.

        With an `issuer` it is an issuing authority below that one, which alone is a root.
        """
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        key_usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        certificate = (
            _builder(self._name, issuer.name if issuer else self._name, self._key.public_key(), Flaw())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0 if issuer else 1), critical=True)
            .add_extension(key_usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(issuer.key if issuer else self._key, hashes.SHA256())
        )
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = folder / "ca.pem"
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    @property
    def name(self) -> x509.Name:
        """Whom its certificates name as their issuer."""
        return self._name

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        """What it signs with."""
        return self._key

    def server(
        self,
        name: str = "server",
        *,
        hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "::1"),
        flaw: Flaw = _SOUND,
    ) -> TlsFiles:
        """A certificate for `hosts` (names and addresses), and this authority for clients' certificates."""
        alternatives: list[x509.GeneralName] = []
        for host in hosts:
            try:
                alternatives.append(x509.IPAddress(ipaddress.ip_address(host)))
            except ValueError:
                alternatives.append(x509.DNSName(host))
        pair = self._issue(name, hosts[0], alternatives, flaw)
        return TlsFiles(pair.certificate, pair.key, self.certificate)

    def client(self, user: str) -> CertificatePair:
        """A client certificate that the lab maps to the local account `user`, by the UPN user@localhost."""
        upn = f"{user}@localhost".encode()
        # A DER UTF8String; a UPN of the lab is shorter than 128 bytes.
        value = bytes([0x0C, len(upn)]) + upn
        return self._issue(f"client-{user}", user, [x509.OtherName(UPN_OID, value)], _FOR_CLIENTS)

    def _issue(self, name: str, common_name: str, alternatives: list[x509.GeneralName], flaw: Flaw) -> CertificatePair:
        key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = (
            rsa.generate_private_key(65537, flaw.rsa_bits) if flaw.rsa_bits else ec.generate_private_key(ec.SECP256R1())
        )
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            _builder(subject, self._name, key.public_key(), flaw)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.ExtendedKeyUsage([flaw.usage]), critical=False)
            .add_extension(authority_key, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pair = CertificatePair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        pair.key.touch(mode=0o600)
        pair.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return pair


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey, flaw: Flaw
) -> x509.CertificateBuilder:
    now = dt.datetime.now(tz=dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + flaw.begins)
        .not_valid_after(now + flaw.ends)
    )


def upns(certificate_der: bytes) -> frozenset[str]:
    """The user principal names in a certificate."""
    certificate = x509.load_der_x509_certificate(certificate_der)
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return frozenset()
    others = names.get_values_for_type(x509.OtherName)
    return frozenset(other.value[2:].decode() for other in others if other.type_id == UPN_OID)


def endpoint_hash(certificate: Path) -> bytes:
    """tls-server-end-point of [RFC 5929] for a PEM file: the certificate's hash by its own signature's algorithm."""
    loaded = x509.load_pem_x509_certificate(certificate.read_bytes())
    algorithm = loaded.signature_hash_algorithm
    if algorithm is None or algorithm.name in {"md5", "sha1"}:
        algorithm = hashes.SHA256()
    return loaded.fingerprint(algorithm)
