"""One login to a SQL Server, and the questions it is asked.

python-tds speaks the protocol behind `Door`: pure Python and MIT, with logins by SQL and NTLM, timeouts that are ours
and errors that keep their numbers. What else was looked at stands in CONTRIBUTING.
"""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import replace
from typing import Any, Self

from checks.common.dataclass import dataclass
from checks.engine.wording import count
from scanner.errors import (
    AuthenticationError,
    ConnectionLostError,
    DeadlineError,
    NodeError,
    ProtocolError,
    RefusedError,
    UnreachableError,
)
from scanner.inventory.model import TdsSettings
from scanner.probes.secret_server.database.sql_errors import DATABASE_CLOSED, READ_INTENT_ONLY
from scanner.secrets.secret import Secret
from scanner.transports.deadline import Deadline
from scanner.transports.protocol import ConnectionCost, Limits
from scanner.transports.tds.channel import ALPN, HANDSHAKE, LOGIN, QUESTION, Channel
from scanner.transports.tds.connecting import open_connection
from scanner.transports.tds.door import Door, LoginEndedError
from scanner.transports.tds.packets import APPLICATION, ENCRYPT_NOT_SUP, ENCRYPT_OFF, ENCRYPT_ON
from scanner.transports.tds.prelogin import greet, named, spared_s
from scanner.transports.tds.refusals import numbers_of, refused, untrusted
from scanner.transports.tls.trust import shared, trusting

MOST_ROWS = 5000
_QUESTION_S = 10.0
"""What one question may take, so that a lock on one table does not cost the rest."""
_MOST_ROUTES = 2
_MOST_CHARS = 128
_MOST_COLUMNS = 64
"""More than any question asks for: a row of empty columns is a few bytes on the wire, and many here."""
_GRACE_S = 5.0
_ROUTE_HINT = (
    "let this machine reach it: Azure SQL sends on to the ports 11000 to 11999, unless its connection policy is Proxy; "
    "a listener to a replica's own address"
)
_STRANGE = (
    "is it a SQL Server that listens there, and no gateway or firewall in its place? Try sqlcmd from this machine; if "
    "it answers, this is a defect of preflight"
)
_SEALED = "that server's TLS may be older than 1.2, or its certificate out of SQL Server's reach: see its error log"

Row = dict[str, object]


class SqlError(Exception):
    """The server, or the library, could not carry out a question; the session goes on."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(" ".join("".join(c if c.isprintable() else " " for c in text).split()))
        self.number = number


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to log in, and as whom."""

    host: str
    port: int
    user: str
    password: Secret
    settings: TdsSettings
    database: str = ""
    """The database to be in from the start; empty: the login's own."""
    read_only: bool = False
    """Declares ApplicationIntent=ReadOnly. Through a listener that would lead to a secondary, which knows less."""

    @property
    def where(self) -> str:
        """For messages."""
        return f"{self.host}:{self.port}"


class SqlSession:
    """A session that is logged in. A context manager; `open_session` makes it."""

    def __init__(
        self, target: Target, connection: Any, channel: Channel, ends: float, watch: AbstractContextManager[object]
    ) -> None:
        self.target = target
        self.version: tuple[int, int, int, int] = (0, 0, 0, 0)
        """What the listener told before the login."""
        self._connection = connection
        self._channel = channel
        self._ends = ends
        self._watch = watch

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up. Never raises."""
        with suppress(Exception):
            self._connection.close()
        self._channel.close()
        self._watch.__exit__(None, None, None)

    def rows(self, query: str) -> list[Row]:
        """What one SELECT gives. Raises SqlError; NodeError where the session is over with it."""
        import pytds

        self._channel.doing, self._channel.given_s = QUESTION, _QUESTION_S
        self._channel.ends = min(self._ends, time.monotonic() + _QUESTION_S)
        try:
            cursor = self._connection.cursor()
            cursor.execute(query)
            if cursor.description is None:
                return []
            names = self._columns(cursor.description)
            found = cursor.fetchmany(MOST_ROWS + 1)
        except NodeError:
            raise
        except pytds.ClosedConnectionError:
            raise ProtocolError(
                f"{self.target.where} sends packets that are larger than agreed", hint=_STRANGE
            ) from None
        except pytds.DatabaseError as error:
            raise SqlError(error.number, error.text or str(error)) from None
        except Exception as error:  # noqa: BLE001  the library may raise anything over a garbled answer
            raise ProtocolError(
                f"{self.target.where} answers a question with something that is no TDS: {_said(error)}", hint=_STRANGE
            ) from None
        if len(found) > MOST_ROWS:
            raise SqlError(0, f"more than {MOST_ROWS} rows")
        return [_row(names, values) for values in found]

    def _columns(self, described: Sequence[Sequence[object]]) -> list[str]:
        if len(described) > _MOST_COLUMNS:
            raise ProtocolError(f"{self.target.where} answers with {count(len(described), 'column')}")
        return [str(column[0]) for column in described]

    def use(self, database: str) -> None:
        """Go to a database. Raises SqlError, NodeError."""
        self.rows(use_statement(database))


def use_statement(database: str) -> str:
    """What is sent to go to a database."""
    return f"USE [{database.replace(']', ']]')}]"


def open_session(target: Target, limits: Limits, usage: ConnectionCost, ends: float) -> SqlSession:
    """Log in, in the database that is declared, or beside it where it is closed; each connection is counted.

    Raises NodeError.
    """
    _check_password(target)
    try:
        return _follow(target, limits, usage, ends)
    except LoginEndedError as first:
        numbers = numbers_of(first.reply)
        if READ_INTENT_ONLY in numbers:
            other = replace(target, read_only=True)
        elif numbers & DATABASE_CLOSED and target.database != "master":
            # It can be a mirror's copy, or a secondary: the server tells what it is.
            other = replace(target, database="master")
        else:
            raise refused(first.reply, target.where) from None
        try:
            return _follow(other, limits, usage, ends)
        except LoginEndedError:
            raise refused(first.reply, target.where) from None


def _check_password(target: Target) -> None:
    """Refuse what cannot be sent: SQL Server takes 128 characters, and the library one unit of UTF-16 for each."""
    password = target.password.reveal()
    if target.settings.auth == "sql" and (len(password) > _MOST_CHARS or any(ord(one) > 0xFFFF for one in password)):
        raise AuthenticationError(
            "the SQL login's password cannot be sent: it is longer than 128 characters, or has some beyond U+FFFF",
            hint="give the login another password",
        )


def _follow(target: Target, limits: Limits, usage: ConnectionCost, ends: float) -> SqlSession:
    """Log in where the server sends us: Azure SQL to the node behind its gateway, a listener to a replica."""
    for hop in range(_MOST_ROUTES):
        try:
            return _log_in(target, limits, usage, ends)
        except UnreachableError as error:
            if not hop:
                raise
            raise UnreachableError(f"the login was sent on, but {error}", hint=_ROUTE_HINT) from None
        except LoginEndedError as ended:
            if not ended.reply.route:
                raise
            host, port = ended.reply.route
            target = replace(target, host=host, port=port, settings=replace(target.settings, certificate_name=""))
    raise ProtocolError(f"{target.where} sends the login on once more; it was sent on {_MOST_ROUTES} times already")


def _log_in(target: Target, limits: Limits, usage: ConnectionCost, ends: float) -> SqlSession:
    patience_s = min(target.settings.connect_timeout_s, ends - time.monotonic())
    if patience_s <= 0:
        raise DeadlineError(f"there was no time left to log in to {target.where}")
    usage.connections += 1
    connection = open_connection(target.host, target.port, patience_s)
    greeted_by = time.monotonic() + patience_s - spared_s(patience_s)
    channel = Channel(connection, target.where, greeted_by, limits.answer_bytes)
    channel.given_s = patience_s - spared_s(patience_s)
    # Whoever interrupts the scan ends this, too. The channel's own end comes first, and says what was under way.
    watch = ExitStack()
    watch.enter_context(Deadline(max(0.0, ends - time.monotonic()) + _GRACE_S, channel.cut))
    try:
        version = _covered(target, channel, usage)
        # A login may wait: a serverless database wakes up first.
        channel.ends, channel.doing, channel.given_s = ends, LOGIN, limits.timeout_s
        door = Door(channel, version)
        session = SqlSession(target, _acknowledged(target, door, channel), channel, ends, watch)
        door.logging_in = False
        session.version = version
    except BaseException:
        channel.close()
        watch.close()
        raise
    return session


def _covered(target: Target, channel: Channel, usage: ConnectionCost) -> tuple[int, int, int, int]:
    """Exchange PRELOGIN and cover the connection with TLS, in the order that `encrypt` asks for."""
    settings = target.settings
    strict = settings.encrypt == "strict"
    name = settings.certificate_name or target.host
    try:
        if strict:
            channel.doing = HANDSHAKE
            channel.secure(tls_context(settings), name, framed=False)
        try:
            greeting = greet(channel, ENCRYPT_NOT_SUP if strict else ENCRYPT_ON)
        except NodeError as error:
            raise named(error, target.host, target.port, settings.connect_timeout_s, usage) from None
        if strict:
            return greeting.version
        if greeting.encryption in (ENCRYPT_OFF, ENCRYPT_NOT_SUP):
            raise RefusedError(
                f"{target.where} does not encrypt, so the password is not sent",
                hint="give SQL Server a certificate, or ask on the host over WinRM",
            )
        channel.doing = HANDSHAKE
        channel.secure(tls_context(settings), name, framed=True)
    except ssl.SSLError as error:
        raise untrusted(error, target.where, name) from None
    except ConnectionLostError as error:
        # Schannel says no by hanging up.
        in_handshake = channel.doing == HANDSHAKE
        raise ConnectionLostError(str(error), hint=_SEALED if in_handshake else error.hint) from None
    return greeting.version


def tls_context(settings: TdsSettings) -> ssl.SSLContext:
    """TLS as the inventory asks for it: verified, by the system's store or by `ca_file`, from TLS 1.2 on."""
    return _tls_context(settings.verify, settings.ca_file, settings.encrypt == "strict")


@shared
def _tls_context(verify: bool, ca_file: str, strict: bool) -> ssl.SSLContext:
    context = trusting(verify, ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if strict:
        context.set_alpn_protocols([ALPN])
    else:
        # What TLS 1.3 says after the handshake has no place inside PRELOGIN packets.
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def _acknowledged(target: Target, door: Door, channel: Channel) -> Any:
    """The library's connection, logged in. Raises LoginEndedError, NodeError."""
    import pytds

    # It would tell of each attempt on standard error.
    logging.getLogger("pytds").setLevel(logging.CRITICAL)
    sql = target.settings.auth == "sql"
    try:
        return pytds.connect(
            dsn=target.host,
            port=target.port,
            database=target.database or None,
            user=target.user if sql else None,
            password=target.password.reveal() if sql else None,
            auth=None if sql else _ntlm(target, channel),
            appname=APPLICATION,
            readonly=target.read_only,
            autocommit=True,
            sock=door,
            # The library would try again on a connection that is closed; the channel's own end is what bounds it.
            login_timeout=0.001,
            disable_connect_retry=True,
        )
    except NodeError:
        raise
    except Exception as error:  # noqa: BLE001  the same
        cause = error.__cause__ if isinstance(error, TimeoutError) and error.__cause__ else error
        if isinstance(cause, pytds.DatabaseError) and cause.number:
            raise RefusedError(f"{target.where}: SQL Server ends the login ({cause.number}: {cause.text})") from None
        if type(cause).__module__.partition(".")[0] == "spnego":
            raise AuthenticationError(
                f"{target.where}: the NTLM login fails ({type(cause).__name__})",
                hint="write `sql_user` as 'DOMAIN\\user', and check its password",
            ) from None
        raise ProtocolError(
            f"{target.where} answers the login with something that is no TDS: {_said(cause)}",
            hint=f"user and password were not judged; {_STRANGE}",
        ) from None


def _ntlm(target: Target, channel: Channel) -> Any:
    """A Windows login, bound to the TLS connection and to the service, as Extended Protection asks for it."""
    import pytds.login
    from spnego.channel_bindings import GssChannelBindings

    unique = (
        channel.tls.get_channel_binding("tls-unique") if channel.tls and channel.tls.version() != "TLSv1.3" else None
    )
    return pytds.login.SpnegoAuth(
        target.user,
        target.password.reveal(),
        hostname=f"{target.host}:{target.port}",
        service="MSSQLSvc",
        protocol="ntlm",
        channel_bindings=GssChannelBindings(application_data=b"tls-unique:" + unique) if unique else None,
    )


def _said(error: BaseException) -> str:
    """Why the library cannot read an answer, in words: the names of its classes mean nothing to whoever reads them."""
    import pytds

    if isinstance(error, pytds.ClosedConnectionError):
        return "packets that are cut off, or longer than they say"
    if isinstance(error, UnicodeError):
        return "text that is no text"
    return "tokens that do not belong there, or end too early"


def _row(names: Sequence[str], values: Sequence[object]) -> Row:
    return dict(zip(names, map(_plain, values), strict=True))


def _plain(value: object) -> object:
    """What JSON can hold; the SELECTs give nothing else."""
    return value if value is None or isinstance(value, str | int) else str(value)
