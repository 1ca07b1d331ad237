"""Logging in: what is offered, in which order, and what is said when nothing was accepted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Any

import paramiko

from scanner.errors import AuthenticationError
from scanner.secrets import Secret
from scanner.transports.deadline import Deadline
from scanner.transports.ssh_algorithms import (
    SHA1_RSA,
    knows_rsa_with_sha1_alone,
    why_key_refused,
    with_sha1,
)
from scanner.transports.ssh_client import Client
from scanner.transports.ssh_config import Hop
from scanner.transports.ssh_keys import LockedKeyError, agent_keys, load, public_blob


def log_in(transport: Client, hop: Hop, deadline: Deadline, at: str = "") -> None:
    """Log in to a verified server; `at` names it in messages, where it is not the node itself.

    A named key is offered alone (an agent's other keys could use up the server's patience); where none is named, the
    agent's keys come first, then the default key files; then the password. Raises AuthenticationError, and what
    paramiko raises when the connection fails.
    """
    with ExitStack() as stack:
        _Login(transport, hop, deadline, stack, at).run()


class _Login:
    def __init__(self, transport: Client, hop: Hop, deadline: Deadline, stack: ExitStack, at: str) -> None:
        self._transport, self._hop, self._deadline, self._stack = transport, hop, deadline, stack
        self._who = f"{hop.user}@{at}" if at else hop.user
        self._refused: list[str] = []
        self._refused_types: list[str] = []
        self._notes: list[str] = []
        self._methods: Sequence[str] = ()
        """What the server still accepts, where it has said so."""

    def run(self) -> None:
        self._choose_signatures()
        for name, key in self._keys():
            if self._methods and "publickey" not in self._methods:
                break
            if self._offer_key(name, key):
                return
        if self._hop.password and self._offer_password(self._hop.password):
            return
        raise self._failure()

    def _choose_signatures(self) -> None:
        """Sign with SHA-1 only where that is allowed; first, where the server knows nothing else."""
        door: Any = self._transport
        better = [name for name in door._preferred_pubkeys if name != SHA1_RSA]  # noqa: SLF001  the library has no other way
        alone = door.host_key_type == SHA1_RSA or knows_rsa_with_sha1_alone(door.remote_version)
        sha1 = [SHA1_RSA] if door.legacy else []
        door._preferred_pubkeys = (*sha1, *better) if alone else (*better, *sha1)  # noqa: SLF001

    def _agent(self) -> tuple[paramiko.AgentKey, ...]:
        if not self._hop.agent:
            return ()
        return self._stack.enter_context(agent_keys(self._hop.agent, self._deadline.remaining_s))

    def _keys(self) -> Iterator[tuple[str, paramiko.PKey]]:
        if not self._hop.named_keys:
            for key in self._agent():
                yield f"the agent's key {key.comment or key.get_name()}", key
            for path in self._hop.default_keys:
                if path.exists():
                    # A default key is offered where it can be; nobody has asked for it.
                    with suppress(AuthenticationError):
                        yield from ((str(path), key) for key in load(path, self._hop.passphrase))
            return
        several = len(self._hop.named_keys) > 1
        for path in self._hop.named_keys:
            if several and not path.exists():
                continue
            try:
                yield from ((str(path), key) for key in load(path, self._hop.passphrase))
            except LockedKeyError as error:
                blob = public_blob(path)
                twins = [key for key in self._agent() if key.blob == blob]
                if not twins and not self._hop.password and not several:
                    raise
                yield from ((f"{path} (from the agent)", key) for key in twins)
                if not twins:
                    self._notes.append(str(error))
            except AuthenticationError as error:
                if not several:
                    raise
                self._notes.append(str(error))

    def _offer_key(self, name: str, key: paramiko.PKey) -> bool:
        key = with_sha1(key) if self._transport.legacy else key
        try:
            if self._is_in(self._transport.auth_publickey(self._hop.user, key)):
                return True
        except paramiko.BadAuthenticationType as error:
            self._methods = error.allowed_types
        except paramiko.AuthenticationException:
            if not self._transport.is_active():
                raise
        self._refused.append(name)
        self._refused_types.append(key.get_name())
        return False

    def _offer_password(self, password: Secret) -> bool:
        user = self._hop.user
        try:
            try:
                if self._is_in(self._transport.auth_password(user, password.reveal(), fallback=False)):
                    return True
            except paramiko.BadAuthenticationType as error:
                self._methods = error.allowed_types
                if "keyboard-interactive" not in error.allowed_types:
                    self._refused.append("a password (the server takes none)")
                    return False
                if self._is_in(self._transport.auth_interactive(user, _Answers(password))):
                    return True
        except paramiko.AuthenticationException:
            if not self._transport.is_active():
                raise
        self._refused.append("the password")
        return False

    def _is_in(self, further: Sequence[str]) -> bool:
        """True when logged in; False when the server wants yet another method besides."""
        self._methods = further
        if further:
            self._notes.append("one was accepted, and the server wants another method besides")
        return not further

    def _failure(self) -> AuthenticationError:
        who = self._who
        if not self._refused:
            cause = "; ".join(self._notes) or "there is no key and no password to offer"
            return AuthenticationError(
                f"cannot log in as {who}: {cause}", hint="set `key_file` or `password_env`, or start an ssh-agent"
            )
        cause = f"login as {who} refused: offered {', '.join(self._refused)}"
        if self._notes:
            cause += f" ({'; '.join(self._notes)})"
        if self._methods:
            cause += f"; the server accepts {', '.join(self._methods)}"
        door = self._transport
        age, hint = why_key_refused(door.remote_version, self._refused_types, legacy=door.legacy)
        return AuthenticationError(f"{cause}; {age}" if age else cause, hint=hint or _HINT)


_HINT = (
    "check `user`, the key in its authorized_keys on the node (its modes, from=, expiry-time=), AllowUsers in its "
    "sshd_config, and whether the account is locked, expired or without a shell that exists; sshd's log there says it"
)


class _Answers:
    """Gives the password to the one question that may be for it, and to no other."""

    def __init__(self, password: Secret) -> None:
        self._password = password
        self._given = False

    def __call__(self, _title: str, _instructions: str, prompts: list[tuple[str, bool]]) -> list[str]:
        if not prompts:
            return []
        question, echoes = prompts[0]
        if self._given or echoes or len(prompts) > 1:
            raise paramiko.SSHException(f"the server asks for more than a password: {question[:80]!r}")
        self._given = True
        return [self._password.reveal()]
