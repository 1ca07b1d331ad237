"""The keys that a login has to offer, in order: files, an agent's, and certificates for either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko

from checks.common.dataclass import dataclass
from scanner.clock import utc_now
from scanner.errors import AuthenticationError
from scanner.transports.own_trouble import own_trouble
from scanner.transports.ssh.algorithms import SHA1_RSA, with_sha1
from scanner.transports.ssh.hop import SshHop
from scanner.transports.ssh.keys.agent import Agent, AgentError, AgentKey
from scanner.transports.ssh.keys.certificates import (
    Certificate,
    certificate_of,
    is_certificate,
    is_fido,
    plain_type,
    read_certificate,
    type_of,
)
from scanner.transports.ssh.keys.files import LockedKeyError, load, public_blob

SignData = Callable[[bytes, str], bytes]


@dataclass(frozen=True, slots=True)
class Offer:
    """One key, or one certificate for it, that a server may be shown."""

    name: str
    """In messages."""
    blob: bytes
    """What is shown: the public key, or the certificate."""
    sign: SignData
    """Signs data with the named signature algorithm. Raises AgentError."""
    of_agent: bool
    """Whether an agent signs, so that somebody may be asked for each signature."""

    @property
    def type(self) -> str:
        """The type of the key: ssh-ed25519, ssh-rsa, ... whether or not a certificate is shown for it."""
        return plain_type(type_of(self.blob))

    @property
    def is_certificate(self) -> bool:
        """Whether a certificate is shown."""
        return is_certificate(self.blob)

    @property
    def is_fido(self) -> bool:
        """Whether a token may have to be touched."""
        return is_fido(self.blob)


class Offers:
    """What a hop's login has to offer. `notes` fills with what could not be used, and why, as it is met."""

    def __init__(self, hop: SshHop, agent: Agent | None) -> None:
        self._hop = hop
        self._agent = agent
        self._agent_failed = False
        self._files: list[tuple[Path, Certificate]] = []
        self.notes: list[str] = []
        for path in hop.certificates:
            certificate = certificate_of(path)
            if certificate:
                self._files.append((path, certificate))
            else:
                self.notes.append(f"{path} holds no certificate that can be read")

    def __iter__(self) -> Iterator[Offer]:
        """Named keys first, then the agent's others, then the usual files; what may want a touch comes last of all.

        Raises AuthenticationError where the one key that was named cannot be used and nothing else could be offered.
        """
        touchy: list[Offer] = []
        met: set[bytes] = set()
        for offer in self._all():
            if offer.blob in met:
                continue
            met.add(offer.blob)
            if offer.is_fido:
                touchy.append(offer)
            else:
                yield offer
        yield from touchy

    def _all(self) -> Iterator[Offer]:
        hop = self._hop
        only = hop.named_keys[0] if len(hop.named_keys) == 1 and hop.identities_only and not hop.password else None
        for path in hop.named_keys:
            try:
                yield from self._of_file(path)
            except AuthenticationError as error:
                if path == only or own_trouble(error):
                    raise
                self._note(str(error))
        if not hop.identities_only:
            for key in self._held():
                yield from self._of_agent(key, key.name)
        if not hop.named_keys:
            yield from self._of_usual_files()

    def _of_usual_files(self) -> Iterator[Offer]:
        for path in self._hop.default_keys:
            try:
                yield from self._of_file(path)
            except AuthenticationError:
                continue  # offered where it can be; nobody has asked for it

    def _of_file(self, path: Path) -> Iterator[Offer]:
        try:
            key = load(path, self._hop.passphrase)
        except LockedKeyError:
            blob = public_blob(path)
            certificate = read_certificate(blob) if blob else None
            plain = certificate.key if certificate else blob
            held = [one for one in self._held() if one.blob in {blob, plain}]
            if not held or plain is None:
                raise
            sign = self._signs_with(held[-1].blob)
            if certificate:
                self._note_trouble(certificate, path)
                yield Offer(f"{path} (from the agent)", certificate.blob, sign, of_agent=True)
                return
            yield from self._certified(str(path), plain, path, sign, of_agent=True)
            yield Offer(f"{path} (from the agent)", plain, sign, of_agent=True)
            return
        yield from self._certified(str(path), key.asbytes(), path, _signing(key), of_agent=False)
        yield Offer(str(path), key.asbytes(), _signing(key), of_agent=False)

    def _of_agent(self, key: AgentKey, name: str) -> Iterator[Offer]:
        certificate = read_certificate(key.blob)
        if certificate:
            # The plain key signs, where the agent has it: some agents sign for a certificate with SHA-1 alone.
            held = {one.blob for one in self._held()}
            self._note_trouble(certificate, name)
            sign = self._signs_with(certificate.key if certificate.key in held else key.blob)
            yield Offer(f"{name} (a certificate)", key.blob, sign, of_agent=True)
            return
        yield from self._certified(name, key.blob, None, self._signs_with(key.blob), of_agent=True)
        yield Offer(name, key.blob, self._signs_with(key.blob), of_agent=True)

    def _certified(
        self, name: str, plain: bytes, path: Path | None, sign: SignData, *, of_agent: bool
    ) -> Iterator[Offer]:
        """The certificates for a key: those that were named, and the one that lies beside its file."""
        found = list(self._files)
        if path is not None:
            beside = path.with_name(path.name.removesuffix(".pub") + "-cert.pub")
            if (certificate := certificate_of(beside)) is not None:
                found.append((beside, certificate))
        for file, certificate in found:
            if certificate.key == plain:
                self._note_trouble(certificate, file)
                yield Offer(f"{name} with certificate {file}", certificate.blob, sign, of_agent=of_agent)

    def _note_trouble(self, certificate: Certificate, where: object) -> None:
        trouble = certificate.trouble(utc_now())
        if trouble:
            self._note(f"the certificate of {where} {trouble}")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _held(self) -> tuple[AgentKey, ...]:
        if self._agent is None or self._agent_failed:
            return ()
        try:
            return self._agent.keys()
        except AgentError as error:
            self._agent_failed = True
            self.notes.append(f"the agent {error}")
            return ()

    def _signs_with(self, blob: bytes) -> SignData:
        agent = self._agent
        assert agent is not None  # noqa: S101  nobody else has told of the key
        return lambda data, algorithm: agent.sign(blob, data, algorithm)


def _signing(key: paramiko.PKey) -> SignData:
    def sign(data: bytes, algorithm: str) -> bytes:
        signer = with_sha1(key) if algorithm == SHA1_RSA else key
        signature = signer.sign_ssh_data(data, algorithm)
        return signature if isinstance(signature, bytes) else signature.asbytes()

    return sign
