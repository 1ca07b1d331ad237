"""Several servers behind one WinRM address: how they give themselves away, and their own names.

A login is a conversation with one server. A balancer that gives each request to whichever server is next makes every
login fail in the way a wrong password does, and need not say that it is there (`Via`).

Importing this loads pyspnego, so it is imported late.
"""

from __future__ import annotations

import base64
from contextlib import suppress
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime

import spnego

from scanner.transports.winrm.authentication.login import Post, challenge_of, computer_name
from scanner.transports.winrm.error_text import printable
from scanner.transports.winrm.exchange.answer import Headers

_BACKWARDS = timedelta(seconds=2)
"""`Date` has whole seconds, and HTTP.sys keeps one for a while."""
_TIMES = 2
"""How often a name is asked for: two servers that take turns answer two messages with two names."""


class Clues:
    """What the heads of one conversation's answers show of more than one server."""

    def __init__(self) -> None:
        self._server = ""
        self._date = ""
        self._at: datetime | None = None
        self.told = ""
        """The first that was seen; empty: nothing contradicts one server."""

    def note(self, headers: Headers) -> None:
        """Look at one more answer."""
        date = headers.get("Date", "")
        if date != self._date:
            self._note_date(date)
        server = printable(headers.get("Server", "")[:40])
        if server and self._server and server != self._server:
            self.told = self.told or f"its answers come from {self._server} and from {server}"
        self._server = server or self._server

    def _note_date(self, date: str) -> None:
        self._date = date
        with suppress(ValueError):
            at = parsedate_to_datetime(date)
            at = at if at.tzinfo else at.astimezone()
            if self._at is not None and self._at - at > _BACKWARDS:
                seconds = round((self._at - at).total_seconds())
                self.told = self.told or f"the clock in its answers went back by {seconds} s"
            self._at = at


def names_told(post: Post, scheme: str, host: str) -> tuple[str, ...]:
    """The computer names in the challenges of an address that is asked again, each once.

    Only NTLM's first message is sent, in which there is neither a user nor a proof: it counts as no attempt at a login.
    """
    options = spnego.NegotiateOptions
    first = spnego.client("-", "-", hostname=host, service="http", protocol="ntlm", options=options.use_ntlm).step()
    names = []
    for _ in range(_TIMES):
        answer = post(f"{scheme} {base64.b64encode(first or b'').decode()}")
        names.append(computer_name(challenge_of(answer, scheme) or b""))
    return tuple(dict.fromkeys(filter(None, names)))
