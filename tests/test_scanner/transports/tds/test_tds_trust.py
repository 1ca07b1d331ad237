"""Each thing that can be wrong with SQL Server's certificate has a cause and a remedy of its own; real TLS says it."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from scanner.errors import UnreachableError, UntrustedPeerError
from scanner.inventory.model import TdsSettings
from scanner.lab.machines.windows.table import read_windows
from scanner.lab.servers.certificates import TlsFiles
from scanner.lab.servers.tds.server import TdsAccounts, TdsServer
from scanner.secrets.secret import Secret
from scanner.transports.protocol import ConnectionCost, Limits
from scanner.transports.tds import connecting
from scanner.transports.tds.connecting import open_connection
from scanner.transports.tds.session import Target, open_session

DAY = dt.timedelta(days=1)
NOW = dt.datetime.now(tz=dt.UTC)


@dataclass(slots=True)
class Authority:
    folder: Path
    key: Any
    certificate: x509.Certificate
    issuer: Authority | None = None

    @property
    def file(self) -> Path:
        path = self.folder / f"{self.certificate.serial_number}.pem"
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return path


def issued(
    folder: Path,
    name: str,
    by: Authority | None = None,
    *,
    bits: int = 2048,
    begins: dt.datetime = NOW - DAY,
    ends: dt.datetime = NOW + DAY,
    usage: x509.ObjectIdentifier | None = ExtendedKeyUsageOID.SERVER_AUTH,
    host: str = "127.0.0.1",
) -> Authority:
    """A certificate with its key; without `by` an authority that signs itself, without `usage` one that may issue."""
    key = rsa.generate_private_key(65537, bits)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.BasicConstraints(ca=usage is None, path_length=None), critical=True)
    )
    if usage is not None:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))])
        builder = builder.add_extension(names, critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return Authority(folder, key, builder.sign(by.key if by else key, hashes.SHA256()), by)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return issued(tmp_path_factory.mktemp("root"), "a company's root", usage=None)


@pytest.fixture
def log_in(tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Logs in to a SQL Server that shows the certificate."""
    servers: list[TdsServer] = []

    def run(shown: Authority, ca_file: Path | str, **changes: Any) -> None:
        key = tmp_path / "server.key"
        key.write_bytes(
            shown.key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        machine = read_windows({"sql": [{"version": "15.0.4345.5"}]})
        accounts = TdsAccounts({"preflight_sql": "right"})
        servers.append(TdsServer(machine.sql[0], accounts, TlsFiles(shown.file, key)))
        tls = TdsSettings(ca_file=str(ca_file), connect_timeout_s=5, **changes)
        target = Target(
            host="127.0.0.1", port=servers[-1].port, user="preflight_sql", password=Secret("right"), settings=tls
        )
        open_session(target, Limits(), ConnectionCost(), time.monotonic() + 8).close()

    yield run
    for server in servers:
        server.stop()


@pytest.mark.parametrize(
    ("how", "cause", "remedy"),
    [
        ({"ends": NOW - DAY / 2}, "has expired", "renew"),
        ({"begins": NOW + DAY / 2}, "is not valid yet", "clock"),
        ({"host": "127.0.0.9"}, "is for another name", "`certificate_name`"),
        ({"usage": ExtendedKeyUsageOID.CLIENT_AUTH}, "is not made for servers", "Server Authentication"),
    ],
)
def test_each_cause_has_its_remedy(
    root: Authority, log_in: Callable[..., None], tmp_path: Path, how: dict[str, Any], cause: str, remedy: str
) -> None:
    with pytest.raises(UntrustedPeerError, match=cause) as caught:
        log_in(issued(tmp_path, "sql1", root, **how), root.file)
    assert remedy in caught.value.hint


def test_a_weak_key_is_told_and_taken_only_where_nothing_is_verified(
    root: Authority, log_in: Callable[..., None], tmp_path: Path
) -> None:
    """As that of the certificate which SQL Server up to 2016 makes for itself: RSA with 1024 bits."""
    weak = issued(tmp_path, "sql1", root, bits=1024)
    with pytest.raises(UntrustedPeerError, match="has a key or a signature that is too weak"):
        log_in(weak, root.file)
    log_in(weak, "", verify=False)


def test_root_issuing_authority_and_the_certificate_itself_will_do(
    root: Authority, log_in: Callable[..., None], tmp_path: Path
) -> None:
    issuing = issued(tmp_path, "an issuing authority", root, usage=None)
    server = issued(tmp_path, "sql1", issuing)
    log_in(server, issuing.file)
    log_in(server, server.file)
    own = issued(tmp_path, "SSL_Self_Signed_Fallback")
    log_in(own, own.file)
    # Where the server sends its own certificate alone, the root does not lead to it.
    with pytest.raises(UntrustedPeerError, match="comes from nobody that is trusted here"):
        log_in(server, root.file)


def test_what_sql_server_makes_for_itself_takes_an_explicit_key(log_in: Callable[..., None], tmp_path: Path) -> None:
    fallback = issued(tmp_path, "SSL_Self_Signed_Fallback", host="127.0.0.9")
    with pytest.raises(UntrustedPeerError):
        log_in(fallback, "")
    log_in(fallback, "", verify=False)


def test_a_dead_address_costs_the_living_one_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A listener in two subnets: one address answers, the other lets the connection hang."""
    with socket.socket() as alive, socket.socket() as dead:
        for one in (alive, dead):
            one.bind(("127.0.0.1", 0))
        alive.listen()
        dead.listen(0)
        with socket.create_connection(dead.getsockname()), socket.socket() as waiting:
            waiting.setblocking(False)  # noqa: FBT003  the socket's own signature
            waiting.connect_ex(dead.getsockname())
            told = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", one.getsockname()) for one in (dead, alive)]
            monkeypatch.setattr(connecting, "resolve", lambda *_: told)
            begun = time.monotonic()
            with open_connection("listener", 1433, 8) as connection:
                assert connection.getpeername() == alive.getsockname()
            assert time.monotonic() - begun < 4


def test_a_resolver_that_hangs_costs_the_time_that_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def hang(*_: object, flags: int = 0, **__: object) -> list[object]:
        # Whether it is an address nobody has to be asked.
        if not flags & socket.AI_NUMERICHOST:
            over.wait(20)
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    begun = time.monotonic()
    with pytest.raises(UnreachableError, match=r"is not resolved within 0\.2 s"):
        open_connection("sql1.corp.example", 1433, 0.2)
    assert time.monotonic() - begun < 5
    over.set()


def test_no_older_tls_than_1_2_is_offered() -> None:
    from scanner.transports.tds.session import tls_context

    for encrypt, newest in (("mandatory", ssl.TLSVersion.TLSv1_2), ("strict", ssl.TLSVersion.MAXIMUM_SUPPORTED)):
        context = tls_context(TdsSettings(encrypt=encrypt))
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.maximum_version is newest
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
