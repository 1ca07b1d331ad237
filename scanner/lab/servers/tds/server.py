"""A SQL Server that foreign drivers log in to: it answers the fixed questions from a recorded machine, no others."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Mapping
from dataclasses import field, replace

from checks.common.dataclass import dataclass
from scanner.lab.machines.windows.sql import SqlError, SqlService
from scanner.lab.servers.certificates import TlsFiles
from scanner.lab.servers.listener import Listener, Stoppable
from scanner.lab.servers.tds import tokens
from scanner.lab.servers.tds.responder import parse_sql_version
from scanner.lab.servers.tds.wire import HungUpError, TdsWire
from scanner.lab.servers.wsman.accounts import USER_FILE, Accounts
from scanner.probes.secret_server.database.sql_questions import questions
from scanner.transports.tds.packets import (
    ATTENTION_PACKET,
    BATCH_PACKET,
    ENCRYPT_NOT_SUP,
    ENCRYPT_ON,
    LOGIN_PACKET,
    PRELOGIN_PACKET,
    RESPONSE_PACKET,
    RPC_PACKET,
    SSPI_PACKET,
    TOKEN_ENCRYPTION,
    TOKEN_INSTANCE,
    TOKEN_MARS,
    TOKEN_THREAD,
    TOKEN_VERSION,
    TRANSACTION_PACKET,
    VERSION,
    message,
)

FAULTS = (
    "hang",
    "hang-question",
    "closes-login",
    "garbage-login",
    "closes-question",
    "no-encryption",
    "untrusted-certificate",
    "wrong-certificate-name",
    "wrong-password",
)
"""hang: never answers the login · hang-question: nor the question after backups · closes-login, closes-question: hangs
up in the middle of it · garbage-login: an answer to the login that is none · no-encryption: has no TLS · the rest: of
its certificate, and a password that the inventory has wrong."""

_AZURE_DATABASE = 5
_NAMES = re.compile(r"(?:\bAS\s+|\.)(\w+)\s*$", re.IGNORECASE)
_USE = re.compile(r"\s*USE\s+\[((?:[^\]]|\]\])+)\]\s*;?\s*", re.IGNORECASE)
_SESSION_SETTING = re.compile(r"(\s*SET\s+\w+(\s+\w+)*\s+(ON|OFF|-?\d+|\w+)\s*;?)+\s*", re.IGNORECASE)
"""What drivers say of their own accord once they are in."""
_TRANSACTION = re.compile(
    r"\s*(BEGIN\s+TRAN(SACTION)?|(IF\s+@@TRANCOUNT\s*>\s*0\s+)?(COMMIT|ROLLBACK)(\s+TRAN(SACTION)?)?)\s*;?\s*",
    re.IGNORECASE,
)
_BEGIN, _COMMIT, _ROLLBACK = 5, 7, 8
_SYSTEM_DATABASES = ("", "master", "msdb", "tempdb", "model")
_TEXTS = {
    911: "Database '{0}' does not exist. Make sure that the name is entered correctly.",
    916: 'The server principal "{1}" is not able to access the database "{0}" under the current security context.',
    927: "Database '{0}' cannot be opened. It is in the middle of a restore.",
    978: "The target database ('{0}') is in an availability group and is currently accessible for connections when the "
    "application intent is set to read only.",
    4060: 'Cannot open database "{0}" requested by the login. The login failed.',
    18456: "Login failed for user '{1}'.",
    40508: "USE statement is not supported to switch between databases. Use a new connection to connect to a different "
    "database.",
    40515: "Reference to database and/or server name in '{0}' is not supported in this version of SQL Server.",
}


@dataclass(slots=True)
class _Session:
    wire: TdsWire
    user: str = ""
    database: str = "master"
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class TdsAccounts:
    """Who is let in."""

    logins: Mapping[str, str] = field(default_factory=dict)
    """SQL logins with their passwords."""
    windows: Accounts = field(default_factory=lambda: Accounts({}, "LAB"))
    """Windows accounts, by NTLM."""
    needs_binding: bool = False
    """Extended Protection is required: an NTLM login has to be bound to its TLS connection."""


class TdsServer(Stoppable):
    """`service` on a free loopback port (`port`), over TLS with `tls`'s certificate. A context manager.

    `strict` speaks TDS 8 alone. `routes_to` sends each login there. Raises ValueError for an unknown fault.
    """

    def __init__(
        self,
        service: SqlService,
        accounts: TdsAccounts,
        tls: TlsFiles,
        *,
        fault: str = "",
        strict: bool = False,
        routes_to: tuple[str, int] | None = None,
    ) -> None:
        if fault and fault not in FAULTS:
            raise ValueError(f"no fault {fault!r} of a SQL Server; there are: {', '.join(FAULTS)}")
        self._service = service
        self._accounts = accounts
        self._tls = tls
        self._fault = fault
        self._strict = strict
        self._route = routes_to
        told = str(service.answers["server"][0]["version"])
        self._version = parse_sql_version(told)
        self.batches: list[str] = []
        """Every text that was sent as a batch, whatever became of it."""
        self.logins: list[tokens.Login7] = []
        """Every login that was tried, without its password."""
        self._listener = Listener(self._serve, name="lab-sql")
        self.port = self._listener.port
        USER_FILE.acquire()
        self._runs = True

    @property
    def connections(self) -> int:
        """Connections taken so far."""
        return self._listener.accepted

    def stop(self) -> None:
        """Close the port and every connection. May be called twice."""
        self._listener.stop()
        if self._runs:
            self._runs = False
            USER_FILE.release()

    def _serve(self, connection: socket.socket) -> None:
        wire = TdsWire(connection)
        if self._strict:
            wire.cover(self._tls, strict=True)
        kind, _ = wire.read()
        if kind != PRELOGIN_PACKET:
            return
        encrypts = not self._strict and self._fault != "no-encryption"
        wire.send(
            message(
                RESPONSE_PACKET,
                {
                    TOKEN_VERSION: VERSION.pack(*self._version),
                    TOKEN_ENCRYPTION: bytes([ENCRYPT_ON if encrypts else ENCRYPT_NOT_SUP]),
                    TOKEN_INSTANCE: b"\0",
                    TOKEN_THREAD: b"",
                    TOKEN_MARS: b"\0",
                },
            )
        )
        if encrypts:
            wire.cover(self._tls, strict=False)
        kind, body = wire.read()
        if kind != LOGIN_PACKET:
            return
        session = _Session(wire)
        try:
            if self._log_in(session, tokens.read_login(body)):
                self._talk(session)
        except (struct.error, ValueError):
            return

    def _log_in(self, session: _Session, login: tokens.Login7) -> bool:
        wire, service = session.wire, self._service
        self.logins.append(replace(login, password=""))
        if self._fault == "hang":
            self._listener.stopping.wait()
            return False
        if self._fault == "closes-login":
            return False
        if self._fault == "garbage-login":
            wire.answer(b"\xaa\xff\xff" + b"\x01" * 40)
            return False
        session.user = self._windows_user(wire, login) if login.integrated else self._sql_user(login)
        session.read_only = login.read_only
        if not session.user:
            return self._end_login(wire, [18456], login.database, login.user)
        if service.refuses.get("server"):
            return self._end_login(wire, [service.refuses["server"]], login.database, session.user)
        closed = self._closed(session, login.database)
        if closed:
            return self._end_login(wire, [closed, 18456], login.database, session.user)
        session.database = login.database or "master"
        out = tokens.changed(1, session.database, "master") + self._info(5701, session.database)
        out += tokens.collation_changed() + tokens.changed(2, "us_english") + self._info(5703, "us_english")
        out += tokens.login_acknowledged(login.tds_version, self._version) + tokens.changed(4, "4096", "4096")
        if self._route:
            out += tokens.routed(*self._route)
        wire.answer(out + tokens.done())
        return self._route is None

    def _sql_user(self, login: tokens.Login7) -> str:
        known = self._accounts.logins.get(login.user)
        return login.user if known and known == login.password else ""

    def _windows_user(self, wire: TdsWire, login: tokens.Login7) -> str:
        import spnego
        from spnego.channel_bindings import GssChannelBindings
        from spnego.exceptions import SpnegoError

        accounts, unique = self._accounts, wire.unique_binding
        lines = "".join(f"{domain}:{user}:{word}\n" for domain, user, word in accounts.windows.spellings())
        bindings = None
        if accounts.needs_binding and unique:
            bindings = GssChannelBindings(application_data=b"tls-unique:" + unique)
        context = spnego.server(protocol="ntlm")
        token = login.sspi
        try:
            while True:
                with USER_FILE.holding(lines):
                    out = context.step(token, channel_bindings=bindings)
                if context.complete:
                    break
                wire.answer(tokens.sspi(out or b""))
                kind, token = wire.read()
                if kind != SSPI_PACKET:
                    raise HungUpError("no SSPI message")
        except SpnegoError:
            return ""
        return str(context.client_principal or "")

    def _end_login(self, wire: TdsWire, numbers: list[int], database: str, user: str) -> bool:
        out = b"".join(self._error(number, database, user) for number in numbers)
        wire.answer(out + tokens.done(error=True))
        return False

    def _closed(self, session: _Session, database: str) -> int:
        """The number of the error that going to `database` ends in; 0 where it is open."""
        if database.lower() in _SYSTEM_DATABASES:
            return 0
        row = next((one for one in self._databases if str(one["name"]).lower() == database.lower()), None)
        if row is None:
            return 4060
        if row["state"] != "ONLINE":
            return 4060
        readable = self._service.refuses.get("versions", 0)
        if readable == 978:
            return 0 if session.read_only else 978
        return 0 if row["open_to_us"] else 4060

    @property
    def _databases(self) -> list[dict[str, object]]:
        return self._service.answers["databases"]

    def _talk(self, session: _Session) -> None:
        while True:
            kind, body = session.wire.read()
            if kind == BATCH_PACKET:
                answer = self._batch(session, tokens.read_batch(body))
            elif kind == RPC_PACKET:
                answer = self._batch(session, tokens.read_executesql(body))
            elif kind == TRANSACTION_PACKET:
                answer = _transaction(body)
            elif kind == ATTENTION_PACKET:
                answer = tokens.done(attention=True)
            else:
                return
            session.wire.answer(answer)

    def _batch(self, session: _Session, text: str) -> bytes:
        self.batches.append(text)
        wanted = text.replace("\r\n", "\n").strip().rstrip(";").strip()
        name = next((name for name, query in questions().items() if query == wanted), None)
        if name is not None:
            return self._question(session, name)
        if found := _USE.fullmatch(text):
            return self._use(session, found[1].replace("]]", "]"))
        if _SESSION_SETTING.fullmatch(text) or not text.strip():
            return tokens.done()
        if found := _TRANSACTION.fullmatch(text):
            kind = 8 if found[2] or "begin" in text.lower() else 9
            return tokens.transaction_changed(kind) + tokens.done()
        return self._failed(229, text)

    def _question(self, session: _Session, name: str) -> bytes:
        if self._fault == "hang-question" and name == "backups":
            self._listener.stopping.wait()
        if self._fault == "closes-question" and name == "backups":
            raise HungUpError("closed")
        service = self._service
        if self._is_azure_database and name == "backups":
            return self._failed(40515, "msdb.dbo.backupset")
        if self._is_azure_database and name == "mirroring":
            return self._failed(208, "sys.database_mirroring")
        try:
            number = service.refuses.get(name, 0)
            if name == "versions" and number == 978 and session.read_only:
                rows = service.versions[session.database]
            else:
                rows = service.ask("", self._spelled(session.database), name)
        except SqlError as error:
            return self._failed(error.number, name)
        return tokens.table(_columns(questions()[name]), rows)

    def _use(self, session: _Session, database: str) -> bytes:
        if self._is_azure_database and database.lower() != session.database.lower():
            return self._failed(40508, database)
        closed = self._closed(session, database)
        if closed:
            known = any(str(row["name"]).lower() == database.lower() for row in self._databases)
            return self._failed(closed if closed == 978 else 916 if known else 911, database, session.user)
        before, session.database = session.database, self._spelled(database)
        return tokens.changed(1, session.database, before) + self._info(5701, session.database) + tokens.done()

    def _spelled(self, database: str) -> str:
        names = (str(row["name"]) for row in self._databases)
        return next((name for name in names if name.lower() == database.lower()), database)

    @property
    def _is_azure_database(self) -> bool:
        return bool(self._service.answers["server"][0]["engine_edition"] == _AZURE_DATABASE)

    @property
    def _name(self) -> str:
        return str(self._service.answers["server"][0]["server_name"])

    def _info(self, number: int, what: str) -> bytes:
        return tokens.told(number, f"Changed context to '{what}'.", self._name, severity=0, error=False)

    def _error(self, number: int, what: str, user: str = "") -> bytes:
        text = _TEXTS.get(number, "The lab refuses this: {0}").format(what, user)
        return tokens.told(number, text, self._name, severity=14, error=True)

    def _failed(self, number: int, what: str, user: str = "") -> bytes:
        return self._error(number, what, user) + tokens.done(error=True)


def _transaction(body: bytes) -> bytes:
    """A transaction manager request, which some drivers begin and end their work with."""
    (headers,) = struct.unpack_from("<I", body)
    (kind,) = struct.unpack_from("<H", body, headers)
    change = {_BEGIN: 8, _COMMIT: 9, _ROLLBACK: 10}.get(kind)
    return (tokens.transaction_changed(change) if change else b"") + tokens.done()


def _columns(query: str) -> list[str]:
    """The names of a SELECT's columns: each one's alias, or the last part of its own name."""
    listed, depth, start = [], 0, 0
    for found in re.finditer(r"[()]|,|\bFROM\b|\bCASE\b|\bEND\b", query):
        mark = found[0].upper()
        if mark in ("(", "CASE"):
            depth += 1
        elif mark in (")", "END"):
            depth -= 1
        elif depth == 0:
            listed.append(query[start : found.start()])
            start = found.end()
            if mark == "FROM":
                break
    else:
        listed.append(query[start:])
    names = [_NAMES.search(one.strip()) for one in listed]
    return [name[1] for name in names if name]
