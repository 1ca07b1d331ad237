"""Private key files: each is parsed once and shared by all nodes.

Parsing is dear: about 100 ms for an RSA key, up to 300 ms for an encrypted one.
"""

from __future__ import annotations

import base64
import binascii
import io
import threading
from contextlib import suppress
from pathlib import Path

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from paramiko.message import Message

from scanner.errors import AuthenticationError
from scanner.secrets.secret import Secret
from scanner.transports.own_trouble import own_trouble
from scanner.transports.ssh.keys.certificates import is_fido, is_public, read_public

_MAGIC = b"openssh-key-v1\0"


class LockedKeyError(AuthenticationError):
    """The file does not give the private key away, and an agent may hold it: encrypted, public, in a FIDO token."""


_loaded: dict[tuple[object, ...], paramiko.PKey | AuthenticationError] = {}
_loading = threading.Lock()


def load(path: Path, passphrase: Secret | None) -> paramiko.PKey:
    """The private key of a file.

    Raises AuthenticationError that says what is wrong with the file, LockedKeyError where an agent could help.
    """
    try:
        status = path.stat()
    except OSError as error:
        kind = LockedKeyError if public_blob(path) else AuthenticationError
        raise kind(f"key file {path}: {error.strerror}", hint="check `key_file`") from error
    known_as = (path, status.st_mtime_ns, status.st_size, passphrase)
    with _loading:
        if known_as not in _loaded:
            try:
                _loaded[known_as] = _parse(path, passphrase)
            except AuthenticationError as error:
                if own_trouble(error):  # the next one who asks may find room
                    raise
                _loaded[known_as] = type(error)(str(error), hint=error.hint)  # without the frames of the parser
        found = _loaded[known_as]
    if isinstance(found, AuthenticationError):
        raise type(found)(str(found), hint=found.hint)
    return found


def _parse(path: Path, passphrase: Secret | None) -> paramiko.PKey:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AuthenticationError(f"key file {path}: {error.strerror}", hint="check `key_file`") from error
    if is_public(data):
        hint = "add the private key to the agent (ssh-add), or name its file, without .pub"
        raise LockedKeyError(f"key file {path} is a public key, and the agent has no private one for it", hint=hint)
    if data.startswith(b"PuTTY-User-Key-File"):
        hint = f"convert it: puttygen {path} -O private-openssh -o NEWFILE"
        raise AuthenticationError(f"key file {path} is in PuTTY's format", hint=hint)
    if is_fido((_openssh_header(data) or ("", b""))[1]):
        hint = "add it to an ssh-agent, and touch it for each node; a key without a token suits unattended runs better"
        raise LockedKeyError(f"the private key of {path} is in a FIDO token, and the agent does not have it", hint=hint)
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
        return paramiko.RSAKey(key=key)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return paramiko.ECDSAKey(vals=(key, key.public_key()))
    if isinstance(key, ed25519.Ed25519PrivateKey):
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        ).decode()
        return paramiko.Ed25519Key(file_obj=io.StringIO(plain))
    raise AuthenticationError(f"key file {path}: keys of its type are not supported", hint="use Ed25519, ECDSA or RSA")


def _is_encrypted(data: bytes) -> bool:
    if b"ENCRYPTED" in data:
        return True
    return (header := _openssh_header(data)) is not None and header[0] != "none"


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
    """The public half of a key file that does not give its private one away, to find that in an agent."""
    with suppress(OSError):
        data = path.read_bytes()
        if is_public(data):
            return read_public(data)
        if header := _openssh_header(data):
            return header[1]
    with suppress(OSError):
        return read_public(path.with_name(path.name + ".pub").read_bytes())
    return None
