"""Logging in: what is offered, in which order, and what is said when nothing was accepted."""

from __future__ import annotations

from collections.abc import Sequence

import paramiko

from scanner.errors import AuthenticationError, shortened
from scanner.secrets.secret import Secret
from scanner.transports.deadline import Deadline
from scanner.transports.ssh.algorithms import signature_algorithms
from scanner.transports.ssh.client import Client
from scanner.transports.ssh.hop import SshHop
from scanner.transports.ssh.keys.agent import Agent, AgentError
from scanner.transports.ssh.keys.certificates import type_of
from scanner.transports.ssh.keys.offers import Offer, Offers
from scanner.transports.ssh.server_age import why_key_refused
from scanner.transports.ssh.userauth import (
    Accepted,
    KeyTaken,
    PasswordExpired,
    Questions,
    Refused,
    Reply,
    UserAuth,
)

_CERTIFICATE = "-cert-v01@openssh.com"
_PASSWORD = "the password"  # noqa: S105  what it is called in messages
_TRIES = 5
"""Keys that may be refused where a password is to come: sshd hangs up after six tries (MaxAuthTries)."""


def log_in(transport: Client, hop: SshHop, deadline: Deadline, at: str = "") -> None:
    """Log in to a verified server; `at` names it in messages, where it is not the node itself.

    A key that the inventory names is offered alone (an agent's other keys could use up the server's patience); else
    those that ~/.ssh/config names come first, then the agent's, then the default key files; then the password. An
    agent is asked for a signature only once the server has said that it would take the key.
    Raises AuthenticationError, and what paramiko raises when the connection fails.
    """
    agent = Agent(hop.agent, min(hop.connect_timeout_s, max(0.05, deadline.remaining_s))) if hop.agent else None
    try:
        _Login(transport, hop, agent, at).run()
    finally:
        if agent:
            agent.close()


class _Login:
    def __init__(self, transport: Client, hop: SshHop, agent: Agent | None, at: str) -> None:
        self._transport, self._hop = transport, hop
        self._who = f"{hop.user}@{at}" if at else hop.user
        self._offers = Offers(hop, agent)
        self._notes = self._offers.notes
        self._refused: list[str] = []
        self._types: list[str] = []
        """The types of the keys that were refused, or not even shown."""
        self._good: set[bytes | str] = set()
        """What was accepted and not enough."""
        self._trying = ""
        """The key that is being judged."""
        self._methods: Sequence[str] = ()
        """What the server still accepts, where it has said so."""
        self._door = UserAuth(transport)

    def run(self) -> None:
        self._transport.auth_handler = self._door
        self._door.start()
        try:
            while True:
                good = len(self._good)
                if self._offer_keys() or (self._hop.password and self._offer_password(self._hop.password)):
                    return
                if len(self._good) == good:
                    break
                # One was good, and the server now wants what it may not even have looked at before.
                self._refused.clear()
        except (EOFError, OSError, paramiko.SSHException) as error:
            if "authentication failures" not in self._transport.farewell.lower():
                raise
            raise self._thrown_out() from error
        raise self._failure()

    def _offer_keys(self) -> bool:
        later: list[tuple[Offer, str]] = []
        for offer in self._offers:
            if self._methods and "publickey" not in self._methods:
                break
            if self._hop.password and len(self._refused) >= _TRIES:
                self._notes.append(f"after {_TRIES} keys, no more were tried, so that the password had its turn")
                break
            if offer.blob not in self._good and self._offer_key(offer, later):
                return True
        # A server need not take all that it says that it takes (OpenSSH before 9.6), nor say it; but each try counts.
        for offer, algorithm in later[: max(0, _TRIES - len(self._refused))]:
            if offer.blob not in self._good and "publickey" in self._methods and self._taken(offer, algorithm):
                return True
        return False

    def _offer_key(self, offer: Offer, later: list[tuple[Offer, str]]) -> bool:
        """Show a key, in the likeliest way; `later` gets the others."""
        transport = self._transport
        algorithms, unusable = signature_algorithms(
            type_of(offer.blob),
            transport.remote_version,
            transport.signatures_taken,
            self._hop.wishes.signatures,
            legacy=transport.legacy,
            host_key_algorithm=transport.host_key_type or "",
        )
        if algorithms and (taken := self._taken(offer, algorithms[0])) is not None:
            return taken
        later += [(offer, algorithm) for algorithm in algorithms[1:]]
        self._types.append(offer.type)
        if unusable:
            self._notes.append(f"{offer.name} was not shown: {unusable}")
        else:
            self._refused.append(offer.name)
        return False

    def _taken(self, offer: Offer, algorithm: str) -> bool | None:
        """Whether that was the last of the login; None where the server does not take the key."""
        user, door = self._hop.user, self._door
        self._trying = offer.name
        signature = algorithm.removesuffix(_CERTIFICATE) if offer.type == "ssh-rsa" else offer.type
        # A key of our own signs for nothing, and spares the first a round trip; after a refusal it is asked first, too:
        # some servers (Dropbear) count no key that they are only asked about.
        if offer.of_agent or self._refused:
            reply = door.query_key(user, algorithm, offer.blob)
            if not isinstance(reply, KeyTaken):
                self._heed(reply, offer.blob)
                return None
        try:
            reply = door.offer_key(user, algorithm, offer.blob, lambda data: offer.sign(data, signature))
        except AgentError as error:
            self._notes.append(f"the server would take {offer.name}, but the agent {error}")
            return False
        if isinstance(reply, Accepted):
            return True
        return False if self._heed(reply, offer.blob) else None

    def _heed(self, reply: Reply, what: bytes | str) -> bool:
        """Remember what may come next; whether what was offered was good, and just not enough."""
        if isinstance(reply, Refused):
            self._methods = reply.methods
            if reply.partial:
                self._good.add(what)
                note = "one was accepted, and the server wants another method besides"
                self._notes.extend([note] if note not in self._notes else [])
                return True
        return False

    def _offer_password(self, password: Secret) -> bool:
        if _PASSWORD in self._good:
            return False
        wrong = False
        if not self._methods or "password" in self._methods:
            reply = self._door.offer_password(self._hop.user, password.reveal())
            if isinstance(reply, Accepted):
                return True
            if isinstance(reply, PasswordExpired):
                self._notes.append("the password has expired, and the server wants a new one")
            elif self._heed(reply, _PASSWORD):
                return False
            wrong = "password" in self._methods or isinstance(reply, PasswordExpired)
        if not wrong and "keyboard-interactive" in self._methods:
            reply = self._answer(password)
            if isinstance(reply, Accepted):
                return True
            if self._heed(reply, _PASSWORD):
                return False
            wrong = True
        self._refused.append("the password" if wrong else "a password (the server takes none)")
        return False

    def _answer(self, password: Secret) -> Reply:
        """Give the password to the one question that may be for it, and to no other."""
        reply = self._door.ask_for_questions(self._hop.user)
        given = False
        while isinstance(reply, Questions):
            answers: list[str] = []
            if reply.prompts:
                question, echoes = reply.prompts[0]
                if given or echoes or len(reply.prompts) > 1:
                    asked = next((text for text, _ in reply.prompts[1:]), question)
                    raise AuthenticationError(
                        f"login as {self._who}: the server asks for more than a password: {shortened(asked, 80)!r}",
                        hint="nobody is there to give a second factor; use a key, or an account that needs none",
                    )
                answers, given = [password.reveal()], True
            reply = self._door.answer(answers)
        return reply

    def _thrown_out(self) -> AuthenticationError:
        """The server has hung up after what it was offered."""
        said = shortened(" ".join(self._transport.farewell.split()), 200)
        offered = list(dict.fromkeys((*self._refused, self._trying)))
        count = len(offered)
        return AuthenticationError(
            f"login as {self._who} refused: the server hung up after {count} key{'s' * (count != 1)}"
            f"{f' ({said})' if said else ''}: offered {', '.join(offered)}{self._told_notes()}",
            hint="name the right key with `key_file`, or with IdentityFile and `IdentitiesOnly yes` in ~/.ssh/config; "
            "or set `agent = false`",
        )

    def _told_notes(self) -> str:
        return f" ({'; '.join(self._notes)})" if self._notes else ""

    def _failure(self) -> AuthenticationError:
        door = self._transport
        age, hint = why_key_refused(door.remote_version, self._types, legacy=door.legacy)
        accepts = f"; the server accepts {', '.join(self._methods)}" if self._methods else ""
        if self._refused:
            cause = f"login as {self._who} refused: offered {', '.join(self._refused)}{self._told_notes()}{accepts}"
            hint = hint or _HINT
        else:
            nothing = "; ".join(self._notes) or "there is no key and no password to offer"
            cause = f"cannot log in as {self._who}: {nothing}{accepts}"
            hint = hint or "set `key_file` or `password_env`, or start an ssh-agent on the machine that asks"
        return AuthenticationError(f"{cause}; {age}" if age else cause, hint=hint)


_HINT = (
    "check `user`, the key in its authorized_keys on the node (its modes, from=, expiry-time=), AllowUsers in its "
    "sshd_config, and whether the account is locked, expired or without a shell that exists; sshd's log there says it"
)
