"""An ssh-agent of our own: it counts what it is asked to sign, and refuses, waits or hangs up where a test wants that.

It speaks draft-ietf-sshm-ssh-agent, and holds what no real agent does without the hardware: a FIDO key (OpenSSH's
PROTOCOL.u2f), whose every signature would be a touch.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

FAILURE = b"\x05"
_SK = b"sk-ssh-ed25519@openssh.com"
_HASHES = {2: (b"rsa-sha2-256", hashes.SHA256()), 4: (b"rsa-sha2-512", hashes.SHA512())}


def string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


class StandInAgent:
    """Listens at `address` until it is stopped."""

    def __init__(self, address: Path) -> None:
        self.address = address
        self.keys: list[tuple[bytes, str, Callable[[bytes, int], bytes]]] = []
        self.signed: list[str] = []
        """The comments of the keys that a signature was asked of, in turn."""
        self.refuses: set[str] = set()
        """Comments of keys whose signatures are refused, as with `ssh-add -c` and a No."""
        self.waits: set[str] = set()
        """Comments of keys that wait for a touch that never comes."""
        self.locked = False
        self.silent = False
        self._stop = threading.Event()
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(address))
        self._door.listen(8)
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def add(self, path: Path, *, certificate: Path | None = None) -> None:
        """Hold a private key, and a certificate for it."""
        key = serialization.load_ssh_private_key(path.read_bytes(), None)
        assert isinstance(key, (ed25519.Ed25519PrivateKey, rsa.RSAPrivateKey))

        def sign(data: bytes, flags: int) -> bytes:
            if isinstance(key, ed25519.Ed25519PrivateKey):
                return string(b"ssh-ed25519") + string(key.sign(data))
            name, algorithm = _HASHES.get(flags, (b"ssh-rsa", hashes.SHA1()))  # noqa: S303  what agents of old do
            return string(name) + string(key.sign(data, padding.PKCS1v15(), algorithm))

        self.keys.append((blob_of(Path(f"{path}.pub")), path.name, sign))
        if certificate:
            self.keys.append((blob_of(certificate), f"{path.name}-cert", sign))

    def add_fido(self, comment: str = "token") -> str:
        """Hold a FIDO key; its line of authorized_keys."""
        key = ed25519.Ed25519PrivateKey.generate()
        public = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        blob = string(_SK) + string(public) + string(b"ssh:")

        def sign(data: bytes, _flags: int) -> bytes:
            counted = b"\x01" + struct.pack(">I", len(self.signed))  # the user was present
            message = hashlib.sha256(b"ssh:").digest() + counted + hashlib.sha256(data).digest()
            return string(_SK) + string(key.sign(message)) + counted

        self.keys.append((blob, comment, sign))
        return f"{_SK.decode()} {base64.b64encode(blob).decode()} {comment}\n"

    def stop(self) -> None:
        self._stop.set()
        self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while True:
            try:
                wire, _ = self._door.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(wire,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, wire: socket.socket) -> None:
        with wire:
            wire.settimeout(0.05)
            while not self._stop.is_set():
                try:
                    size = wire.recv(4)
                    if not size:
                        return
                    request = wire.recv(struct.unpack(">I", size)[0])
                except TimeoutError:
                    continue
                except OSError:
                    return
                if self.silent:
                    continue
                answer = self._answer(request)
                if answer is not None:
                    wire.sendall(string(answer))

    def _answer(self, request: bytes) -> bytes | None:
        if request[0] == 11:
            if self.locked:
                return FAILURE
            listed = b"".join(string(blob) + string(comment.encode()) for blob, comment, _ in self.keys)
            return b"\x0c" + struct.pack(">I", len(self.keys)) + listed
        if request[0] != 13:
            return FAILURE
        blob, rest = _cut(request[1:])
        data, rest = _cut(rest)
        for held, comment, sign in self.keys:
            if held == blob:
                self.signed.append(comment)
                if comment in self.waits:
                    return None
                if comment in self.refuses:
                    return FAILURE
                return b"\x0e" + string(sign(data, struct.unpack(">I", rest)[0]))
        return FAILURE


def _cut(data: bytes) -> tuple[bytes, bytes]:
    size = struct.unpack(">I", data[:4])[0]
    return data[4 : 4 + size], data[4 + size :]


def blob_of(public: Path) -> bytes:
    return base64.b64decode(public.read_text().split()[1])


@contextmanager
def stand_in_agent(address: Path) -> Iterator[StandInAgent]:
    agent = StandInAgent(address)
    try:
        yield agent
    finally:
        agent.stop()
