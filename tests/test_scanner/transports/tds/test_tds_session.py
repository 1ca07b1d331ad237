"""The scanner's own login to SQL Server, against the lab's: what is asked, what it costs, and each way it can end."""

from __future__ import annotations

import json
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytds
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.facts import Unknown
from checks.secret_server.database import access
from checks.secret_server.facts.sql import DatabaseBackups, SecretServerDatabase
from scanner.errors import (
    AnswerTooLargeError,
    AuthenticationError,
    ConnectionLostError,
    DeadlineError,
    NodeError,
    ProtocolError,
    RefusedError,
    UnreachableError,
    UntrustedPeerError,
)
from scanner.inventory.model import Node, TdsSettings
from scanner.lab.machines.windows.table import read_windows
from scanner.lab.servers.certificates import CertificateAuthority
from scanner.lab.servers.listener import Listener
from scanner.lab.servers.tds import tokens
from scanner.lab.servers.tds.server import FAULTS, TdsAccounts, TdsServer
from scanner.lab.servers.wsman.accounts import Accounts
from scanner.probes.probe import Answer
from scanner.probes.secret_server.database.sql_errors import explain_sql
from scanner.probes.secret_server.database.sql_questions import questions
from scanner.run.facts import read_facts
from scanner.run.node import NodeRequest, query_node
from scanner.secrets.secret import Secret
from scanner.transports.deadline import end_all
from scanner.transports.protocol import ConnectionCost, Limits
from scanner.transports.tds import refusals
from scanner.transports.tds import session as session_module
from scanner.transports.tds.conversation import converse
from scanner.transports.tds.door import LoginEndedError, Reply, ServerError, read_reply
from scanner.transports.tds.prelogin import prelogin
from scanner.transports.tds.refusals import refused
from scanner.transports.tds.session import SqlError, SqlSession, Target, open_session, use_statement
from tests.secret_server_probes import PROBES

PASSWORD = "Sql-Canary-ü-2d71"
WINDOWS_PASSWORD = "Win-Canary-93aa"
ACCOUNTS = TdsAccounts({"preflight_sql": PASSWORD}, Accounts({"preflight": WINDOWS_PASSWORD}, "LAB"))
NOWHERE = Target(host="127.0.0.1", port=1, user="preflight_sql", password=Secret(PASSWORD), settings=TdsSettings())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


Start = Callable[..., TdsServer]


@pytest.fixture
def start(authority: CertificateAuthority) -> Iterator[Start]:
    servers: list[TdsServer] = []

    def run(sql: dict[str, Any] | None = None, accounts: TdsAccounts = ACCOUNTS, **how: Any) -> TdsServer:
        row = {"version": "15.0.4345.5", **(sql or {})}
        machine = read_windows({"sql": [row], "app_version": "11.6.000003"})
        tls = how.pop("tls", None) or authority.server()
        servers.append(TdsServer(machine.sql[0], accounts, tls, **how))
        return servers[-1]

    yield run
    for server in servers:
        server.stop()


@pytest.fixture
def target(authority: CertificateAuthority) -> Callable[..., Target]:
    def make(server: TdsServer, **changes: Any) -> Target:
        how = {
            name: changes.pop(name)
            for name in ("encrypt", "verify", "ca_file", "certificate_name", "auth")
            if name in changes
        }
        tls = replace(TdsSettings(ca_file=str(authority.certificate), connect_timeout_s=4), **how)
        return replace(NOWHERE, port=server.port, settings=tls, **changes)

    return make


def opened(at: Target, usage: ConnectionCost | None = None, timeout_s: float = 8) -> SqlSession:
    return open_session(at, Limits(timeout_s=timeout_s), usage or ConnectionCost(), time.monotonic() + timeout_s)


def node(server: TdsServer, authority: CertificateAuthority, **options: Any) -> Node:
    return Node(
        cluster="vault",
        name="sql1",
        host="127.0.0.1",
        product="secret-server",
        roles=("database",),
        transport="tds",
        platform="windows",
        tds=TdsSettings(ca_file=str(authority.certificate), connect_timeout_s=4),
        options={"sql_port": server.port, "sql_user": "preflight_sql", **options},
        sql_password=Secret(PASSWORD),
    )


def asked(server: TdsServer, authority: CertificateAuthority, timeout_s: float = 8, **options: Any) -> Any:
    tds = tuple(probe for probe in PROBES if probe.language == "tds")
    return query_node(NodeRequest(node(server, authority, **options), tds, Limits(timeout_s)))


def facts_of(said: Any) -> dict[type, Any]:
    return read_facts(said, [probe for probe in PROBES if probe.language == "tds"])


def test_everything_comes_of_one_connection_and_the_fixed_questions(
    start: Start, authority: CertificateAuthority
) -> None:
    server = start({"databases": [{"sessions": ["WEB1"]}]})
    said = asked(server, authority)
    facts = facts_of(said)
    assert said.failure is None
    assert (said.usage.connections, server.connections) == (1, 1)
    assert facts[SecretServerDatabase].version == "11.6.000003"
    assert facts[DatabaseBackups].backups
    allowed = {*questions().values(), use_statement("SecretServer")}
    assert set(server.batches) <= allowed
    assert len(server.batches) == len(set(server.batches))
    (login,) = server.logins
    assert (login.user, login.application, login.read_only) == ("preflight_sql", "preflight", False)


def test_the_answer_is_the_one_that_the_script_gives(start: Start, authority: CertificateAuthority) -> None:
    """Whoever asks, the same readers read the same facts."""
    rows = {"databases": [{"mirroring": 4, "sessions": ["WEB1", "WEB2"]}, {"name": "Other", "version": ""}]}
    from tests.test_scanner.probes.secret_server.test_sql_database import answered

    by_script = answered([{"version": "15.0.4345.5", **rows}])
    server = start(rows)
    said = asked(server, authority)
    by_tds = json.loads(said.answers["sql-database-tds"].output)
    for told in (by_script, by_tds):
        del told["computer"], told["login"]
        for one in told["instances"]:
            del one["endpoint"], one["cluster"], one["service"]
            # The lab's database here has the application's version, which the script's has by default.
            one["versions"] = [row["database_id"] for row in one["versions"]]
    assert by_tds == by_script


@pytest.mark.parametrize("encrypt", ["mandatory", "strict"])
@pytest.mark.parametrize("auth", ["sql", "ntlm"])
def test_both_logins_in_both_ways_to_encrypt(
    start: Start, target: Callable[..., Target], encrypt: str, auth: str
) -> None:
    server = start(strict=encrypt == "strict")
    user, password = ("preflight_sql", PASSWORD) if auth == "sql" else ("LAB\\preflight", WINDOWS_PASSWORD)
    with opened(target(server, encrypt=encrypt, auth=auth, user=user, password=Secret(password))) as session:
        assert session.version == (15, 0, 4345, 5)
        assert session.rows(questions()["server"])[0]["server_name"] == "SQL1"
    assert server.logins[0].integrated == (auth == "ntlm")


def test_a_windows_login_is_bound_to_its_connection(start: Start, target: Callable[..., Target]) -> None:
    """SQL Server with Extended Protection set to Required takes no other."""
    server = start(accounts=replace(ACCOUNTS, needs_binding=True))
    at = target(server, auth="ntlm", user="LAB\\preflight", password=Secret(WINDOWS_PASSWORD))
    with opened(at) as session:
        assert session.rows(questions()["server"])


def test_a_windows_login_with_a_wrong_password_is_refused(start: Start, target: Callable[..., Target]) -> None:
    server = start()
    with pytest.raises(AuthenticationError, match="18456"):
        opened(target(server, auth="ntlm", user="LAB\\preflight", password=Secret("Wrong-Canary")))


@pytest.mark.parametrize(
    ("number", "kind", "words"),
    [
        (18456, AuthenticationError, "SQL Server refuses the login (18456"),
        (18452, AuthenticationError, "refuses the login: it takes none of this kind (18452"),
        (18470, AuthenticationError, "refuses the login: it is disabled (18470"),
        (18486, AuthenticationError, "refuses the login: it is locked out (18486"),
        (18487, AuthenticationError, "password has expired (18487"),
        (18488, AuthenticationError, "password has expired (18488"),
        (40532, AuthenticationError, "Azure SQL knows no such server (40532"),
        (17892, RefusedError, "a logon trigger ends the login (17892"),
        (17809, RefusedError, "takes no more connections now (17809"),
        (40615, RefusedError, "firewall keeps this machine out (40615"),
        (40613, RefusedError, "not available just now (40613"),
        (18401, RefusedError, "starting, upgrading or shutting down (18401"),
        (31337, RefusedError, "SQL Server ends the login (31337"),
    ],
)
def test_why_a_login_ends_is_told_by_number(
    start: Start, target: Callable[..., Target], number: int, kind: type[NodeError], words: str
) -> None:
    """Within the blink of an eye: the library would try again on a connection that is closed."""
    server = start({"refuses": {"server": number}})
    begun = time.monotonic()
    with pytest.raises(kind) as caught:
        opened(target(server))
    assert words in str(caught.value)
    assert time.monotonic() - begun < 3
    assert server.connections == 1


@pytest.mark.parametrize("order", [(4060, 18456), (18456, 4060)])
def test_the_cause_is_not_the_consequence_in_whatever_order_they_come(order: tuple[int, int]) -> None:
    reply = Reply(errors=tuple(ServerError(number, 1, f"text of {number}") for number in order))
    assert "the database is not open to the login (4060: text of 4060)" in str(refused(reply, "sql1:1433"))


@pytest.mark.parametrize(
    "number", sorted({number for known, *_ in (*refusals._LOGINS, *refusals._REFUSALS) for number in known})
)
def test_what_ends_a_login_here_is_known_where_the_script_asks_too(number: int) -> None:
    assert not explain_sql(f"sql {number}: .: some words", ".").startswith("SQL Server answers the question")


def test_the_words_of_an_error_do_not_matter() -> None:
    texts = ("Anmeldung fehlgeschlagen für Benutzer 'x'.", "用户 'x' 登录失败。", "")
    told = {str(refused(Reply(errors=(ServerError(18456, 1, text),)), "sql1:1433")).partition("(")[0] for text in texts}
    assert told == {"sql1:1433: SQL Server refuses the login "}


def test_a_declared_database_that_is_closed_is_told_from_beside_it(
    start: Start, authority: CertificateAuthority
) -> None:
    server = start({"databases": [{"open": False}]})
    said = asked(server, authority, sql_database="SecretServer")
    assert said.failure is None
    assert said.usage.connections == 2
    assert [login.database for login in server.logins] == ["SecretServer", "master"]
    assert facts_of(said)[SecretServerDatabase].version_problem.startswith("the login may not open the database (916")


def test_a_mirror_s_copy_tells_its_state(start: Start, authority: CertificateAuthority) -> None:
    server = start({"databases": [{"state": "RESTORING", "mirroring": 4, "role": 2}]})
    found = facts_of(asked(server, authority, sql_database="SecretServer"))[SecretServerDatabase]
    assert (found.state, found.mirroring.role) == ("RESTORING", 2)


def test_a_secondary_for_readers_only_is_asked_with_read_intent(start: Start, authority: CertificateAuthority) -> None:
    server = start({"refuses": {"versions": 978}})
    said = asked(server, authority, sql_database="SecretServer")
    assert [login.read_only for login in server.logins] == [False, True]
    assert facts_of(said)[SecretServerDatabase].version == "11.6.000003"


def test_azure_sql_database_is_asked_in_the_one_database_that_it_shows(
    start: Start, authority: CertificateAuthority
) -> None:
    server = start({"version": "12.0.2000.8", "engine_edition": 5, "databases": [{"level": 150}]})
    said = asked(server, authority, sql_database="secretserver")
    found = facts_of(said)[SecretServerDatabase]
    assert (found.version, found.mirroring, found.server.engine_edition) == ("11.6.000003", None, 5)
    assert not any(batch.startswith("USE") for batch in server.batches)
    backups = facts_of(said)[DatabaseBackups]
    assert isinstance(backups, Unknown)
    assert "this service has nothing of the kind (40515" in backups.reason


def test_a_redirection_is_followed_over_tls(start: Start, target: Callable[..., Target]) -> None:
    behind = start()
    gateway = start(routes_to=("localhost", behind.port))
    usage = ConnectionCost()
    with opened(target(gateway), usage) as session:
        assert session.target.where == f"localhost:{behind.port}"
        assert session.rows(questions()["server"])
    assert (usage.connections, len(behind.logins)) == (2, 1)


def test_a_redirection_to_whom_the_certificate_does_not_name_gets_no_password(
    start: Start, target: Callable[..., Target], authority: CertificateAuthority
) -> None:
    behind = start(tls=authority.server("other", hosts=("other.example",)))
    gateway = start(routes_to=("localhost", behind.port))
    with pytest.raises(UntrustedPeerError, match="is for another name"):
        opened(target(gateway))
    assert behind.logins == []


def test_a_redirection_without_end_is_left(start: Start, target: Callable[..., Target]) -> None:
    last = start()
    last._route = ("127.0.0.1", last.port)
    with pytest.raises(ProtocolError, match="sends the login on once more"):
        opened(target(last))


def test_a_redirection_to_where_nobody_listens_says_what_to_open(start: Start, target: Callable[..., Target]) -> None:
    with Listener(lambda _: None, refuse=True) as nobody:
        gateway = start(routes_to=("localhost", nobody.port))
        with pytest.raises(UnreachableError, match="the login was sent on, but connection refused") as caught:
            opened(target(gateway))
    assert "11000 to 11999" in caught.value.hint


def test_a_port_that_leads_to_another_instance_than_the_declared_is_told(
    start: Start, authority: CertificateAuthority
) -> None:
    server = start({"name": "OTHER"})
    found = facts_of(asked(server, authority, sql_instance="VAULT"))[SecretServerDatabase]
    assert isinstance(found, Unknown)
    assert "leads to the instance OTHER, not to VAULT (`sql_instance`): correct `sql_port`" in found.reason
    right = facts_of(asked(server, authority, sql_instance="other"))[SecretServerDatabase]
    assert right.server.instance == "OTHER"


@pytest.mark.parametrize("password", ["x" * 129, "key \U0001f511"])
def test_a_password_that_cannot_be_sent_is_no_wrong_password(
    start: Start, target: Callable[..., Target], password: str
) -> None:
    server = start()
    with pytest.raises(AuthenticationError, match="cannot be sent") as caught:
        opened(target(server, password=Secret(password)))
    assert password not in str(caught.value)
    assert server.connections == 0


def test_an_interrupt_ends_a_session_that_waits(start: Start, target: Callable[..., Target]) -> None:
    server = start(fault="hang")
    timer = threading.Timer(0.3, end_all)
    timer.start()
    begun = time.monotonic()
    with pytest.raises(ConnectionLostError):
        opened(target(server), timeout_s=30)
    assert time.monotonic() - begun < 10
    timer.join()


def test_every_fault_of_the_lab_has_its_end(
    start: Start, target: Callable[..., Target], authority: CertificateAuthority, tmp_path: Path
) -> None:
    ends: dict[str, tuple[type[NodeError], str]] = {
        "hang": (DeadlineError, r"did not get through the login within 0\.6 s"),
        "closes-login": (ConnectionLostError, "hung up during the login"),
        "garbage-login": (ProtocolError, "answers the login with something that is no TDS: packets that are cut off"),
        "no-encryption": (RefusedError, "does not encrypt, so the password is not sent"),
    }
    beside = {"hang-question", "closes-question", "untrusted-certificate", "wrong-certificate-name", "wrong-password"}
    assert {*ends, *beside} == set(FAULTS)
    for fault, (kind, text) in ends.items():
        server = start(fault=fault)
        with pytest.raises(kind, match=text):
            opened(target(server), timeout_s=0.6)
        if fault == "no-encryption":
            assert server.logins == []


def test_a_certificate_is_verified_by_issuer_and_by_name(
    start: Start, target: Callable[..., Target], authority: CertificateAuthority, tmp_path: Path
) -> None:
    stranger = CertificateAuthority(tmp_path / "stranger", "a stranger")
    unknown = start(tls=stranger.server())
    with pytest.raises(UntrustedPeerError, match="comes from nobody that is trusted here") as caught:
        opened(target(unknown))
    assert "`ca_file`" in caught.value.hint
    assert unknown.logins == []
    with opened(target(unknown, ca_file=str(stranger.server("again").certificate.parent / "server.pem"))) as session:
        assert session.rows(questions()["server"]), "the certificate itself is trusted as it stands"
    with opened(target(unknown, verify=False)) as session:
        assert session.rows(questions()["server"])
    other = start(tls=authority.server("other", hosts=("SQL1.corp.example",)))
    with pytest.raises(UntrustedPeerError, match="is for another name"):
        opened(target(other))
    with opened(target(other, certificate_name="sql1.corp.example")) as session:
        assert session.rows(questions()["server"]), "names are compared without their case"


def test_a_question_that_hangs_costs_itself_and_what_comes_after(
    start: Start, authority: CertificateAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "_QUESTION_S", 0.3)
    said = asked(start(fault="hang-question"), authority)
    facts = facts_of(said)
    assert said.failure is None
    assert facts[SecretServerDatabase].version == "11.6.000003"
    assert "SQL Server did not answer in time (-2" in facts[DatabaseBackups].reason


def test_a_session_that_breaks_keeps_what_was_said(start: Start, authority: CertificateAuthority) -> None:
    said = asked(start(fault="closes-question"), authority)
    assert said.failure is None
    assert facts_of(said)[SecretServerDatabase].version == "11.6.000003"
    assert "hung up during a question" in facts_of(said)[DatabaseBackups].reason


def test_msdb_denied_costs_the_backups_alone(start: Start, authority: CertificateAuthority) -> None:
    facts = facts_of(asked(start({"refuses": {"backups": 229}}), authority))
    assert facts[SecretServerDatabase].version == "11.6.000003"
    assert "the login lacks a permission (229" in facts[DatabaseBackups].reason


def test_more_than_may_be_taken_is_left(start: Start, target: Callable[..., Target]) -> None:
    server = start()
    with pytest.raises(AnswerTooLargeError):
        open_session(target(server), Limits(answer_bytes=900), ConnectionCost(), time.monotonic() + 5)


def test_nothing_but_the_fixed_questions_is_answered(start: Start, target: Callable[..., Target]) -> None:
    with opened(target(start())) as session:
        for query in ("DROP TABLE dbo.tbVersion", "SELECT * FROM dbo.tbSecret", "EXEC sp_who", "SELECT 1; SELECT 2"):
            with pytest.raises(SqlError) as caught:
                session.rows(query)
            assert caught.value.number == 229
        assert session.rows(questions()["server"]), "an error of one question leaves the next alone"


def test_no_secret_is_in_what_is_raised_or_logged(
    start: Start, target: Callable[..., Target], caplog: pytest.LogCaptureFixture, authority: CertificateAuthority
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("pytds").setLevel(logging.DEBUG)
    texts = []
    for fault in FAULTS:
        server = start(fault=fault) if "certificate" not in fault and fault != "wrong-password" else start()
        at = (
            target(server) if fault != "wrong-password" else replace(target(server), password=Secret(f"not {PASSWORD}"))
        )
        try:
            with opened(at, timeout_s=0.6) as session:
                texts.append(repr(session) + repr(vars(session)) + json.dumps(converse(session, {})))
        except NodeError as error:
            texts += ["".join(traceback.format_exception(error)), repr(vars(error)), error.hint]
        texts.append(repr(server.logins))
    assert not any(PASSWORD in text for text in [*texts, caplog.text])


def test_a_server_that_sends_the_password_back_is_not_repeated(start: Start, authority: CertificateAuthority) -> None:
    server = start({"databases": [{"sessions": [PASSWORD]}], "machine": PASSWORD})
    said = asked(server, authority)
    assert said.failure is None
    told = json.dumps(json.loads(said.answers["sql-database-tds"].output), ensure_ascii=False)
    assert "***" in told
    assert PASSWORD not in told


ERRORS = [kind for kind in vars(pytds).values() if isinstance(kind, type) and issubclass(kind, Exception)]


@pytest.mark.parametrize("kind", [*ERRORS, OSError, ValueError, IndexError, KeyError, RuntimeError, AssertionError])
def test_whatever_the_library_raises_becomes_one_of_ours(
    start: Start, target: Callable[..., Target], kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ERRORS
    server = start()
    with opened(target(server)) as session:
        monkeypatch.setattr(session._connection, "cursor", _raising(kind))
        with pytest.raises((NodeError, SqlError)):
            session.rows(questions()["server"])
    monkeypatch.setattr(pytds, "connect", _raising(kind))
    with pytest.raises(NodeError):
        opened(target(server))


def _raising(kind: type[Exception]) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> None:
        raise kind("made up")

    return refuse


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(min_size=0, max_size=200), framed=st.booleans())
def test_a_hostile_answer_to_the_login_is_an_error_of_ours(
    start: Start, target: Callable[..., Target], junk: bytes, framed: bool
) -> None:
    from scanner.lab.servers.tds import server as tds_server

    server = start()

    def answer(session: Any, login: Any) -> bool:
        (session.wire.answer if framed else session.wire.send)(junk)
        return False

    server._log_in = answer  # type: ignore[method-assign]
    assert tds_server
    with pytest.raises((NodeError, LoginEndedError)):
        opened(target(server), timeout_s=1.0)
    server.stop()


def _answers_questions_with(server: TdsServer, answer: bytes) -> None:
    server._question = lambda *_: answer  # type: ignore[method-assign]


@pytest.mark.parametrize("size", ["2000000000", "\uff19" * 10, "32768"])
@pytest.mark.parametrize("before", [b"", b"x" * 4079])
def test_a_server_that_asks_for_gigabytes_gets_none(
    start: Start, target: Callable[..., Target], size: str, before: bytes
) -> None:
    """Across two packets, too."""
    server = start()
    padding = tokens.told(5701, "x" * (len(before) // 2), "s", severity=0, error=False) if before else b""
    _answers_questions_with(server, padding + tokens.changed(4, size) + tokens.done())
    with opened(target(server)) as session, pytest.raises(ProtocolError, match="larger than any"):
        session.rows(questions()["server"])


def test_a_row_of_hundreds_of_columns_is_not_read(start: Start, target: Callable[..., Target]) -> None:
    server = start()
    _answers_questions_with(server, tokens.table([f"c{number}" for number in range(500)], [{}]))
    with opened(target(server)) as session, pytest.raises(ProtocolError, match="500 columns"):
        session.rows(questions()["server"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(min_size=1, max_size=300), kind=st.sampled_from([0x81, 0xD1, 0xE3, 0xAA, 0xFD, 0x79]))
def test_a_hostile_answer_to_a_question_is_an_error_of_ours(
    start: Start, target: Callable[..., Target], junk: bytes, kind: int
) -> None:
    server = start()
    _answers_questions_with(server, bytes([kind]) + junk)
    with opened(target(server), timeout_s=4) as session:
        try:
            assert isinstance(session.rows(questions()["server"]), list)
        except (NodeError, SqlError) as error:
            assert str(error)  # noqa: PT017  either of the two is right
    server.stop()


@given(st.binary(max_size=300))
def test_tokens_are_read_to_their_end_whatever_they_are(junk: bytes) -> None:
    assert isinstance(read_reply(junk), Reply)


def test_the_sql_server_that_is_logged_in_to_also_answers_those_who_only_greet(start: Start) -> None:
    server = start({"version": "10.50.6000.34"})
    found = prelogin("127.0.0.1", server.port, 5)
    assert (found.major, found.minor, found.build) == (10, 50, 6000)


@pytest.mark.parametrize(
    ("fault", "reason", "hint"),
    [
        ("closes-login", access.CANNOT_CONNECT, ""),
        ("no-encryption", access.CANNOT_CONNECT, "give SQL Server a certificate"),
        ("", access.REFUSES_LOGIN, "check `sql_user` and its password"),
    ],
)
def test_a_listener_that_is_out_of_reach_is_not_answered_with_create_login(
    start: Start, authority: CertificateAuthority, fault: str, reason: str, hint: str
) -> None:
    server = start(fault=fault, accounts=ACCOUNTS if fault else TdsAccounts())
    said = asked(server, authority)
    found = facts_of(said)[SecretServerDatabase]
    assert reason in found.reason
    assert hint in said.hint
    remedy = access.remedy(found)
    granted = remedy is not None and "CREATE LOGIN" in remedy.command
    assert granted == (reason == access.REFUSES_LOGIN)


def test_a_probe_of_a_node_without_a_login_is_not_asked(start: Start, authority: CertificateAuthority) -> None:
    server = start()
    bare = replace(node(server, authority), options={"sql_port": server.port}, sql_password=None)
    tds = tuple(probe for probe in PROBES if probe.language == "tds" and not probe.instead_of)
    said = query_node(NodeRequest(bare, tds, Limits(5)))
    assert isinstance(said.answers["sql-prelogin"], Answer)
    assert server.logins == []
