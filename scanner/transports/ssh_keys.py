"""Private keys: each file is parsed once and shared by all nodes; and the keys of an ssh-agent.

Parsing is dear: about 100 ms for an RSA key, up to 300 ms for an encrypted one.
"""

from __future__ import annotations

import base64
import binascii
import io
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import paramiko
import paramiko.agent
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from paramiko.message import Message

from scanner.errors import AuthenticationError
from scanner.secrets import Secret

_MAGIC = b"openssh-key-v1\0"


class LockedKeyError(AuthenticationError):
    """The key is encrypted, and there is no passphrase for it."""


_loaded: dict[tuple[object, ...], tuple[paramiko.PKey, ...] | AuthenticationError] = {}
_loading = threading.Lock()


def load(path: Path, passphrase: Secret | None) -> tuple[paramiko.PKey, ...]:
    """The private key of a file, preceded by itself with its certificate where `<file>-cert.pub` lies beside it.

    Raises AuthenticationError that says what is wrong with the file, LockedKeyError for a missing passphrase.
    """
    try:
        status = path.stat()
    except OSError as error:
        raise AuthenticationError(f"key file {path}: {error.strerror}", hint="check `key_file`") from error
    known_as = (path, status.st_mtime_ns, status.st_size, passphrase)
    with _loading:
        if known_as not in _loaded:
            try:
                _loaded[known_as] = _with_certificate(path, _parse(path, passphrase))
            except AuthenticationError as error:
                _loaded[known_as] = type(error)(str(error), hint=error.hint)  # without the frames of the parser
        found = _loaded[known_as]
    if isinstance(found, AuthenticationError):
        raise type(found)(str(found), hint=found.hint)
    return found


def _parse(path: Path, passphrase: Secret | None) -> tuple[paramiko.PKey, ...]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AuthenticationError(f"key file {path}: {error.strerror}", hint="check `key_file`") from error
    if data.startswith((b"ssh-", b"ecdsa-")):
        raise AuthenticationError(f"key file {path} is a public key", hint="name the private key, without .pub")
    if data.startswith(b"PuTTY-User-Key-File"):
        hint = f"convert it: puttygen {path} -O private-openssh -o NEWFILE"
        raise AuthenticationError(f"key file {path} is in PuTTY's format", hint=hint)
    password = passphrase.reveal().encode() if passphrase else None
    old = b"BEGIN OPENSSH PRIVATE KEY" not in data
    parse = serialization.load_pem_private_key if old else serialization.load_ssh_private_key
    try:
        try:
            key = parse(data, password)
        except TypeError:
            # A passphrase is there, the key is not encrypted: OpenSSH does not mind either.
            if password is None:
                raise
            key = parse(data, None)
    except (TypeError, ValueError) as error:
        # Which of the two says that a passphrase is missing depends on the version of cryptography.
        if password is None and (isinstance(error, TypeError) or _is_encrypted(data)):
            hint = "set `passphrase_env`, `passphrase_file` or `passphrase_command`, or add the key to an ssh-agent"
            raise LockedKeyError(f"key file {path} is encrypted, and there is no passphrase", hint=hint) from error
        if _is_encrypted(data):
            raise AuthenticationError(f"the passphrase does not open key file {path}") from error
        raise AuthenticationError(f"key file {path} holds no private key that can be read") from error
    except UnsupportedAlgorithm as error:
        raise AuthenticationError(f"key file {path}: its type or cipher is not supported: {error}") from error
    if isinstance(key, rsa.RSAPrivateKey):
        return paramiko.RSAKey(key=key), paramiko.RSAKey(key=key)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        pair = (key, key.public_key())
        return paramiko.ECDSAKey(vals=pair), paramiko.ECDSAKey(vals=pair)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        ).decode()
        return paramiko.Ed25519Key(file_obj=io.StringIO(plain)), paramiko.Ed25519Key(file_obj=io.StringIO(plain))
    raise AuthenticationError(f"key file {path}: keys of its type are not supported", hint="use Ed25519, ECDSA or RSA")


def _is_encrypted(data: bytes) -> bool:
    if b"ENCRYPTED" in data:
        return True
    return (header := _openssh_header(data)) is not None and header[0] != "none"


def _with_certificate(path: Path, twins: tuple[paramiko.PKey, ...]) -> tuple[paramiko.PKey, ...]:
    certificate = path.with_name(path.name + "-cert.pub")
    if certificate.exists():
        with suppress(Exception):  # a stale or foreign certificate must not keep the key itself from being tried
            twins[0].load_certificate(str(certificate))
            return twins
    return twins[1:]


def _openssh_header(data: bytes) -> tuple[str, bytes] | None:
    """Cipher and public key of a private key in OpenSSH's format, which keeps both in the clear."""
    lines = [line.strip() for line in data.splitlines()]
    try:
        start, end = (
            lines.index(b"-----BEGIN OPENSSH PRIVATE KEY-----"),
            lines.index(b"-----END OPENSSH PRIVATE KEY-----"),
        )
        raw = base64.b64decode(b"".join(lines[start + 1 : end]))
        if not raw.startswith(_MAGIC):
            return None
        message = Message(raw[len(_MAGIC) :])
        cipher, _, _, _ = message.get_text(), message.get_binary(), message.get_binary(), message.get_int()
        return cipher, message.get_binary()
    except (ValueError, binascii.Error, paramiko.SSHException):
        return None


def public_blob(path: Path) -> bytes | None:
    """The public half of a private key file that we cannot open, to find it in an agent."""
    with suppress(OSError):
        if header := _openssh_header(path.read_bytes()):
            return header[1]
    with suppress(OSError, IndexError, binascii.Error):
        return base64.b64decode(path.with_name(path.name + ".pub").read_bytes().split()[1])
    return None


@contextmanager
def agent_keys(address: str, timeout_s: float) -> Iterator[tuple[paramiko.AgentKey, ...]]:
    """The keys of the agent that listens at a Unix socket, usable inside the block; none where nobody answers."""
    agent = paramiko.agent.AgentSSH()
    wire: socket.socket | None = None
    try:
        with suppress(OSError, paramiko.SSHException):
            if hasattr(socket, "AF_UNIX"):
                wire = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                # An agent may ask its user for a confirmation; it must not outlive the node's time.
                wire.settimeout(max(0.1, timeout_s))
                wire.connect(address)
                connection: object = wire
            else:  # Windows: Pageant, or OpenSSH's agent on its named pipe
                connection = paramiko.agent.get_agent_connection()
            if connection is not None:
                agent._connect(connection)  # type: ignore[attr-defined]  # noqa: SLF001  Agent() only knows SSH_AUTH_SOCK
        yield agent.get_keys()
    finally:
        if wire is not None:
            wire.close()
