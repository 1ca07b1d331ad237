"""A conversation with an ssh-agent (draft-ietf-sshm-ssh-agent), bounded in size and time.

The library's own client neither tells a refusal from a failure nor gives up on an agent that waits for its user.
"""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from typing import Any

import paramiko.agent
from paramiko.message import Message

from checks.common.dataclass import dataclass
from checks.engine.wording import count
from scanner.transports.network.green.wire import open_socket
from scanner.transports.ssh.keys.certificates import is_fido, type_of

_REQUEST_IDENTITIES, _IDENTITIES_ANSWER = 11, 12
_SIGN_REQUEST, _SIGN_RESPONSE = 13, 14
_MOST_BYTES = 256 * 1024
"""OpenSSH's own bound on a message."""
_MOST_KEYS = 2048
"""The same, on the keys of one agent."""
_FLAGS = {"rsa-sha2-256": 2, "rsa-sha2-512": 4}


class AgentError(Exception):
    """The agent did not do as it was asked: why, to go on after "the agent"."""


@dataclass(frozen=True, slots=True)
class AgentKey:
    """A key that an agent holds; a certificate is a key of its own there."""

    blob: bytes
    comment: str

    @property
    def name(self) -> str:
        """The key in messages."""
        return f"the agent's key {self.comment or type_of(self.blob)}"


class Agent:
    """The agent behind a socket. `timeout_s` bounds each answer: one that waits for a finger or a click may never come.

    Not thread safe. Nothing is connected before it is needed.
    """

    def __init__(self, address: str, timeout_s: float) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._wire: Any = None
        self._keys: tuple[AgentKey, ...] | None = None

    def keys(self) -> tuple[AgentKey, ...]:
        """All its keys, in its order. Raises AgentError."""
        if self._keys is None:
            kind, answer = self._ask(bytes([_REQUEST_IDENTITIES]))
            if kind != _IDENTITIES_ANSWER:
                raise AgentError("does not tell its keys (it may be locked)")
            count = min(answer.get_int(), _MOST_KEYS)
            keys = [AgentKey(answer.get_binary(), _text(answer.get_binary())) for _ in range(count)]
            self._keys = tuple(key for key in keys if type_of(key.blob))
        return self._keys

    def sign(self, blob: bytes, data: bytes, algorithm: str) -> bytes:
        """The signature of `data` with the key `blob`, in SSH's format. Raises AgentError.

        `algorithm` is that of the signature: rsa-sha2-512, not its certificate's name.
        """
        request = Message()
        request.add_byte(bytes([_SIGN_REQUEST]))
        request.add_string(blob)
        request.add_string(data)
        request.add_int(_FLAGS.get(algorithm, 0))
        try:
            kind, answer = self._ask(request.asbytes())
        except TimeoutError:
            self.close()  # its late answer must not be taken for that to the next question
            waits = "a touch of the FIDO key" if is_fido(blob) else "a confirmation"
            raise AgentError(f"did not sign within {self._timeout_s:g} s; it may wait for {waits}") from None
        if kind != _SIGN_RESPONSE:
            raise AgentError("refuses to sign")
        signature = answer.get_binary()
        used = type_of(signature)
        if used != algorithm:
            raise AgentError(f"signs with {used or 'nothing known'} where {algorithm} was asked for")
        return signature

    def close(self) -> None:
        """Let go of the socket. Never raises."""
        wire, self._wire = self._wire, None
        if wire is not None:
            with suppress(Exception):
                wire.close()

    def _ask(self, request: bytes) -> tuple[int, Message]:
        """Raises AgentError, and TimeoutError to a request to sign."""
        ends = time.monotonic() + self._timeout_s
        try:
            wire = self._connected()
            self._bound(ends)
            sendall = getattr(wire, "sendall", wire.send)
            sendall(len(request).to_bytes(4, "big") + request)
            size = int.from_bytes(self._read(4, ends), "big")
            if not 0 < size <= _MOST_BYTES:
                raise AgentError(f"answers with {count(size, 'byte')}")
            answer = self._read(size, ends)
        except TimeoutError:
            self.close()
            if request[0] == _SIGN_REQUEST:
                raise
            raise AgentError(f"does not answer within {self._timeout_s:g} s") from None
        except OSError as error:
            self.close()
            raise AgentError(f"cannot be reached: {error.strerror or error}") from error
        return answer[0], Message(answer[1:])

    def _connected(self) -> Any:
        if self._wire is None:
            if hasattr(socket, "AF_UNIX"):
                self._wire = open_socket(socket.AF_UNIX, socket.SOCK_STREAM)
                self._wire.settimeout(max(0.05, self._timeout_s))
                self._wire.connect(self._address)
            else:  # Windows: Pageant, or OpenSSH's agent on its named pipe; neither can be bounded in time
                self._wire = paramiko.agent.get_agent_connection()
            if self._wire is None:
                raise AgentError("is not running")
        return self._wire

    def _bound(self, ends: float) -> None:
        left_s = ends - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        if isinstance(self._wire, socket.socket):
            self._wire.settimeout(left_s)

    def _read(self, size: int, ends: float) -> bytes:
        data = b""
        while len(data) < size:
            self._bound(ends)
            chunk = self._wire.recv(size - len(data))
            if not chunk:
                self.close()
                raise AgentError("hung up")
            data += chunk
        return data


def _text(data: bytes) -> str:
    return " ".join(data.decode("utf-8", "backslashreplace").split())
