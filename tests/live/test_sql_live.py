"""The lab's SQL Server before foreign drivers, and the scanner before a real server that is none.

FreeTDS' tsql and library, and Microsoft's ODBC driver, came of other heads than the lab and python-tds: what they all
accept is no agreement of ours with ourselves.
"""

from __future__ import annotations

import importlib
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scanner.errors import ProtocolError
from scanner.lab.machines.windows.table import read_windows
from scanner.lab.servers.certificates import CertificateAuthority
from scanner.lab.servers.tds.server import TdsAccounts, TdsServer
from scanner.lab.servers.wsman.accounts import Accounts
from scanner.probes.secret_server.database.sql_questions import questions
from scanner.transports.protocol import ConnectionCost
from scanner.transports.tds.prelogin import prelogin
from tests.live.openssh import free_port

pytestmark = pytest.mark.live

PASSWORD = "lab-Pa55word"
USER = "preflight_sql"
MACHINE = read_windows({"sql": [{"version": "15.0.4345.5"}], "app_version": "11.6.000003"})
DATABASES = [tuple(row.values()) for row in MACHINE.sql[0].answers["databases"]]
"""What the question after databases is answered with, in the order of its columns."""


def missing(what: str) -> None:
    (pytest.fail if os.environ.get("REQUIRE_LIVE") else pytest.skip)(f"no {what} on this machine")


def module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        missing(name)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def start(authority: CertificateAuthority) -> Iterator[Callable[..., TdsServer]]:
    servers: list[TdsServer] = []

    def run(*, strict: bool = False) -> TdsServer:
        accounts = TdsAccounts({USER: PASSWORD}, Accounts({"preflight": PASSWORD}, "LAB"))
        servers.append(TdsServer(MACHINE.sql[0], accounts, authority.server(), strict=strict))
        return servers[-1]

    yield run
    for server in servers:
        server.stop()


@pytest.fixture
def tsql(tmp_path: Path, authority: CertificateAuthority) -> Callable[..., subprocess.CompletedProcess[str]]:
    """FreeTDS' shell, which verifies the certificate against the lab's authority."""
    program = shutil.which("tsql")
    if not program:
        missing("tsql (freetds-bin)")

    def run(server: TdsServer, user: str, password: str, text: str) -> subprocess.CompletedProcess[str]:
        settings = tmp_path / "freetds.conf"
        settings.write_text(
            f"[lab]\nhost = localhost\nport = {server.port}\ntds version = 7.4\nencryption = require\n"
            f"ca file = {authority.certificate}\n"
        )
        return subprocess.run(
            [str(program), "-S", "lab", "-U", user, "-P", password],
            input=text,
            text=True,
            capture_output=True,
            check=False,
            timeout=30,
            env={**os.environ, "FREETDSCONF": str(settings), "LC_ALL": "C.UTF-8"},
        )

    return run


def test_tsql_logs_in_and_reads_the_rows(
    start: Callable[..., TdsServer], tsql: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    server = start()
    said = tsql(
        server,
        USER,
        PASSWORD,
        f"{questions()['databases']}\ngo\nUSE [SecretServer]\ngo\n{questions()['versions']}\ngo\n",
    )
    lines = said.stdout.splitlines()
    assert "\t".join("NULL" if value is None else str(value) for value in DATABASES[0]) in lines
    assert "11.6.000003" in lines
    (login,) = server.logins
    assert login.user == USER


def test_tsql_is_refused_by_number(
    start: Callable[..., TdsServer], tsql: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    said = tsql(start(), USER, "wrong", "")
    assert said.returncode != 0
    assert "Msg 18456" in said.stdout + said.stderr


def test_tsql_logs_in_as_a_windows_account(
    start: Callable[..., TdsServer], tsql: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    server = start()
    said = tsql(server, "LAB\\preflight", PASSWORD, f"{questions()['versions']}\ngo\nDROP TABLE dbo.tbSecret\ngo\n")
    assert server.logins[0].integrated
    assert "Msg 208" in said.stdout + said.stderr, "master has no such table"
    assert "Msg 229" in said.stdout + said.stderr, "what is no question is refused"


def test_pymssql_logs_in_and_reads_the_rows(start: Callable[..., TdsServer]) -> None:
    pymssql = module("pymssql")
    port = str(start().port)
    with pymssql.connect("localhost", USER, PASSWORD, "SecretServer", port=port, encryption="require") as connection:
        cursor = connection.cursor()
        cursor.execute(questions()["databases"])
        assert cursor.fetchall() == DATABASES
        cursor.execute(questions()["versions"])
        assert cursor.fetchall() == [("11.6.000003",)]
    with pytest.raises(pymssql.OperationalError) as caught:
        pymssql.connect("localhost", USER, "wrong", port=port, encryption="require")
    assert caught.value.args[0][0] == 18456


@pytest.mark.parametrize("encrypt", ["mandatory", "strict"])
def test_microsofts_driver_logs_in_and_reads_the_rows(
    start: Callable[..., TdsServer], authority: CertificateAuthority, encrypt: str
) -> None:
    mssql_python = module("mssql_python")
    server = start(strict=encrypt == "strict")
    trust = (
        f"ServerCertificate={authority.certificate.parent / 'server.pem'}"
        if encrypt == "strict"
        else "TrustServerCertificate=yes"
    )
    where = f"Server=localhost,{server.port};Database=SecretServer;Encrypt={encrypt};{trust};UID={USER}"
    connection = mssql_python.connect(f"{where};PWD={PASSWORD}", timeout=10)
    try:
        cursor = connection.cursor()
        cursor.execute(questions()["databases"])
        assert [tuple(row) for row in cursor.fetchall()] == DATABASES
    finally:
        connection.close()
    with pytest.raises(mssql_python.Error):
        mssql_python.connect(f"{where};PWD=wrong", timeout=10)


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a real PostgreSQL."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        missing("PostgreSQL (postgresql)")
    folder = tmp_path_factory.mktemp("postgresql")
    account: dict[str, Any] = {}
    if os.getuid() == 0:  # it refuses to run as root
        nobody = pwd.getpwnam("nobody")
        account = {"user": nobody.pw_uid, "group": nobody.pw_gid}
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        for parent in folder.parents:
            if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001 and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o011)
    data = folder / "data"
    subprocess.run(
        [programs[-1], "-D", data, "-A", "trust", "-U", "postgres", "--no-sync"],
        check=True,
        capture_output=True,
        cwd="/",
        **account,
    )
    port = free_port()
    server = subprocess.Popen(
        [programs[-1].with_name("postgres"), "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-F"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        **account,
    )
    try:
        _wait_for(port)
        yield port
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(port: int) -> None:
    ends = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)
        else:
            return


def test_a_real_postgresql_is_named(postgresql: int) -> None:
    usage = ConnectionCost()
    with pytest.raises(ProtocolError, match="is PostgreSQL, no SQL Server") as caught:
        prelogin("127.0.0.1", postgresql, 5, usage)
    assert "`sql_port`" in caught.value.hint
    assert usage.connections == 2
