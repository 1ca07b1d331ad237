"""The client's side of SSH's login protocol (RFC 4252 and 4256), one request and one answer at a time.

The library's own signs before it is known whether the server would take the key, which wakes whoever guards an agent,
and forgets what the server says beside its yes or no. This stands in its place, `Transport.auth_handler`; what it uses
of the library is `_handler_table`, `is_authenticated`, `get_username` and `banner` on this side,
`_send_message`, `_auth_trigger`, `session_id` and `server_extensions` on the other. A test holds the library to these.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import paramiko
from paramiko import common
from paramiko.message import Message

from checks.common.dataclass import dataclass
from scanner.transports.ssh.client import Client

_METHOD_SPECIFIC = 60
"""SSH_MSG_USERAUTH_PK_OK, _PASSWD_CHANGEREQ and _INFO_REQUEST alike: which one it is, is a matter of what was asked."""
_INFO_RESPONSE = 61
_MOST_BANNER_BYTES = 16 * 1024
_MOST_METHODS = 32
_MOST_QUESTIONS = 64


@dataclass(frozen=True, slots=True)
class Accepted:
    """Logged in."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Not with this; `methods` may go on."""

    methods: tuple[str, ...]
    partial: bool = False
    """True where it was good, and another method is wanted besides."""


@dataclass(frozen=True, slots=True)
class KeyTaken:
    """The server would take the key: a signature is worth its while."""


@dataclass(frozen=True, slots=True)
class PasswordExpired:
    """The password is right and must be changed first."""

    prompt: str


@dataclass(frozen=True, slots=True)
class Questions:
    """What a server asks in a keyboard-interactive login."""

    title: str
    instructions: str
    prompts: tuple[tuple[str, bool], ...]
    """Each with whether the answer may be seen while it is typed."""


Reply = Accepted | Refused | KeyTaken | PasswordExpired | Questions


class UserAuth:
    """Logs one connection in, which reads while this waits for an answer (`Client.take`)."""

    def __init__(self, transport: Client) -> None:
        self._transport: Any = weakref.proxy(transport)  # which holds this
        self._answers: list[Reply] = []
        self._method = ""
        """Of the request that waits for its answer; empty where none does."""
        self._asked: tuple[str, bytes] = ("", b"")
        self._user = ""
        self._authenticated = False
        self.banner: bytes | None = None
        """What the server has said to its users (SSH_MSG_USERAUTH_BANNER)."""
        self._handler_table: dict[int, Callable[[Message], None]] = {
            common.MSG_SERVICE_ACCEPT: self._on_service,
            common.MSG_USERAUTH_SUCCESS: self._on_success,
            common.MSG_USERAUTH_FAILURE: self._on_failure,
            common.MSG_USERAUTH_BANNER: self._on_banner,
            _METHOD_SPECIFIC: self._on_more,
        }

    def start(self) -> None:
        """Ask for the service. Raises what ended the connection."""
        message = Message()
        message.add_byte(common.cMSG_SERVICE_REQUEST)
        message.add_string("ssh-userauth")
        if not isinstance(self._exchange("service", message), Accepted):
            raise paramiko.SSHException("the server offers no login")

    def query_key(self, user: str, algorithm: str, blob: bytes) -> Reply:
        """Whether the server would take a signature by this key: KeyTaken or Refused."""
        message = self._request(user, "publickey")
        message.add_boolean(False)  # noqa: FBT003  the library's signature
        message.add_string(algorithm)
        message.add_string(blob)
        self._asked = (algorithm, blob)
        return self._exchange("query", message)

    def offer_key(self, user: str, algorithm: str, blob: bytes, sign: Callable[[bytes], bytes]) -> Reply:
        """Log in with a key. What `sign` raises comes through, and nothing has been sent then."""
        message = self._request(user, "publickey")
        message.add_boolean(True)  # noqa: FBT003  the same
        message.add_string(algorithm)
        message.add_string(blob)
        signed = Message()
        signed.add_string(self._transport.session_id)
        message.add_string(sign(signed.asbytes() + message.asbytes()))
        return self._exchange("publickey", message)

    def offer_password(self, user: str, password: str) -> Reply:
        """Log in with a password."""
        message = self._request(user, "password")
        message.add_boolean(False)  # noqa: FBT003  the library's signature
        message.add_string(password)
        return self._exchange("password", message)

    def ask_for_questions(self, user: str) -> Reply:
        """Begin a keyboard-interactive login: Questions, as a rule."""
        message = self._request(user, "keyboard-interactive")
        message.add_string("")
        message.add_string("")
        return self._exchange("keyboard-interactive", message)

    def answer(self, answers: Sequence[str]) -> Reply:
        """Answer the questions; there may be more."""
        message = Message()
        message.add_byte(bytes([_INFO_RESPONSE]))
        message.add_int(len(answers))
        for text in answers:
            message.add_string(text)
        return self._exchange("keyboard-interactive", message)

    # What the library asks of it.

    def is_authenticated(self) -> bool:
        """Whether the login has come to its end."""
        return self._authenticated

    def get_username(self) -> str:
        """Whom the last request was for."""
        return self._user

    def _request(self, user: str, method: str) -> Message:
        self._user = user
        message = Message()
        message.add_byte(common.cMSG_USERAUTH_REQUEST)
        message.add_string(user)
        message.add_string("ssh-connection")
        message.add_string(method)
        return message

    def _exchange(self, method: str, message: Message) -> Reply:
        self._method = method
        self._transport._send_message(message)  # noqa: SLF001  the library's own handlers send with it
        self._answers.clear()
        while not self._answers and self._transport.take():
            pass
        if not self._answers:
            raise self._transport.get_exception() or EOFError
        return self._answers.pop()

    def _reply(self, reply: Reply) -> None:
        if not self._method:
            raise paramiko.SSHException("an answer to a login that nobody asked for")
        self._method = ""
        self._answers.append(reply)

    def _on_service(self, message: Message) -> None:
        if self._method != "service" or message.get_text() != "ssh-userauth":
            raise paramiko.SSHException("another service than the login")
        self._reply(Accepted())

    def _on_success(self, _message: Message) -> None:
        if self._method in ("", "service", "query"):
            raise paramiko.SSHException("an answer to a login that nobody asked for")
        self._authenticated = True
        self._transport._auth_trigger()  # noqa: SLF001  the same
        self._reply(Accepted())

    def _on_failure(self, message: Message) -> None:
        methods = message.get_binary().decode("utf-8", "backslashreplace").split(",")
        self._reply(Refused(tuple(filter(None, methods))[:_MOST_METHODS], message.get_boolean()))

    def _on_banner(self, message: Message) -> None:
        self.banner = ((self.banner or b"") + message.get_binary())[:_MOST_BANNER_BYTES]

    def _on_more(self, message: Message) -> None:
        if self._method == "query":
            told = (message.get_binary().decode("utf-8", "backslashreplace"), message.get_binary())
            if told != self._asked:
                raise paramiko.SSHException("an answer about another key than the one that was shown")
            self._reply(KeyTaken())
        elif self._method == "password":
            self._reply(PasswordExpired(_text(message)))
        elif self._method == "keyboard-interactive":
            title, instructions = _text(message), _text(message)
            message.get_binary()  # the language
            count = message.get_int()
            if count > _MOST_QUESTIONS:
                raise paramiko.SSHException(f"{count} questions at once")
            prompts = tuple((_text(message), message.get_boolean()) for _ in range(count))
            self._reply(Questions(title, instructions, prompts))
        else:
            raise paramiko.SSHException("an answer to a login that nobody asked for")


def _text(message: Message) -> str:
    text: str = message.get_binary().decode("utf-8", "backslashreplace")
    return text
