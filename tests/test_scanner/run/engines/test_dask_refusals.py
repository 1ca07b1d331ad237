"""Whoever is at the scheduler's address and is none, or not one that trusts us, is told as what it is."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from scanner.lab.servers.certificates import FLAWS, CertificateAuthority, TlsFiles
from scanner.run.engines.dask import link
from scanner.run.engines.engine import DASK, EngineChoice

pytest.importorskip("distributed")

Peer = Callable[[socket.socket], None]
TOP = Path(__file__).parents[4]


@contextmanager
def listening(peer: Peer) -> Iterator[int]:
    """Each connection is `peer`'s, until it returns."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                with suppress(OSError):
                    wire, _ = listener.accept()
                    with wire:
                        wire.settimeout(5)
                        peer(wire)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield port
        finally:
            over.set()
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
            thread.join(10)


def says(text: bytes) -> Peer:
    def peer(wire: socket.socket) -> None:
        wire.recv(1)
        wire.sendall(text)

    return peer


def ends(_: socket.socket) -> None:
    """Take the connection, and let it go."""


def with_tls(files: TlsFiles) -> Peer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    context.load_verify_locations(files.client_ca)
    context.verify_mode = ssl.CERT_REQUIRED

    def peer(wire: socket.socket) -> None:
        with context.wrap_socket(wire, server_side=True) as secured:
            secured.recv(1)

    return peer


def refused(peer: Peer, authority: CertificateAuthority, *, scheme: str = "tls") -> tuple[str, str]:
    """Cause and cure."""
    mine = authority.client("scanner")
    with listening(peer) as port:
        choice = EngineChoice(
            name=DASK,
            scheduler=f"{scheme}://127.0.0.1:{port}",
            ca_file=str(authority.certificate),
            cert_file=str(mine.certificate),
            key_file=str(mine.key),
        )
        with pytest.raises(link.EngineError) as told:
            link.Link(choice, processes=1)
    cause = str(told.value)
    assert not re.search(r"Error|_ssl\.c|\[", cause), cause
    return cause.replace(choice.scheduler, "ADDRESS"), told.value.hint


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path / "ours")


@pytest.mark.parametrize(
    "text", [b"HTTP/1.0 400 Bad request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2p1\r\n", b"220 mail ESMTP\r\n"]
)
def test_what_speaks_no_tls_is_not_told_as_a_matter_of_trust(authority: CertificateAuthority, text: bytes) -> None:
    cause, cure = refused(says(text), authority)
    assert cause == "ADDRESS does not speak TLS"
    assert "is that the scheduler's port?" in cure


def test_a_scheduler_that_another_authority_signed_is_told_with_the_file(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    cause, cure = refused(with_tls(CertificateAuthority(tmp_path / "other").server()), authority)
    assert cause == (
        "ADDRESS and this machine do not trust each other: the scheduler's certificate comes from nobody that is "
        "trusted here"
    )
    assert (
        cure == f"run.ca_file ({authority.certificate}) must hold the authority that signed the scheduler's certificate"
    )


@pytest.mark.parametrize(
    ("flaw", "told"),
    [("expired-certificate", "has expired"), ("not-yet-valid-certificate", "is not valid yet")],
)
def test_a_scheduler_s_certificate_out_of_its_time_is_told_as_that(
    authority: CertificateAuthority, flaw: str, told: str
) -> None:
    cause, cure = refused(with_tls(authority.server(flaw=FLAWS[flaw])), authority)
    assert cause.endswith(f": the scheduler's certificate or that of its authority {told}")
    assert "clock" in cure


def test_who_does_not_take_this_machine_s_certificate_is_told_with_the_file(
    authority: CertificateAuthority, tmp_path: Path
) -> None:
    server = authority.server()
    other = CertificateAuthority(tmp_path / "other")
    cause, cure = refused(with_tls(TlsFiles(server.certificate, server.key, other.certificate)), authority)
    assert cause.startswith("ADDRESS and this machine do not trust each other: ")
    assert "this machine's certificate" in cause
    assert cure.startswith("run.cert_file (")


def test_who_ends_every_connection_was_not_waited_for(authority: CertificateAuthority) -> None:
    """A scheduler that wants TLS does so with those that come without."""
    cause, cure = refused(ends, authority, scheme="tcp")
    assert cause == "ADDRESS takes connections, and ends them before anything is said"
    assert "written tls://" in cure


def test_a_configuration_of_dask_that_cannot_be_read_is_no_defect_of_preflight(tmp_path: Path) -> None:
    (tmp_path / "dask.yaml").write_text("distributed: [unclosed\n")
    (tmp_path / "inventory.toml").write_text(
        '[clusters.chef]\nproduct = "chef-backend"\nnodes.b1 = {host = "127.0.0.1", roles = ["backend"], port = 9}\n'
    )
    command = [sys.executable, "-m", "scanner", "scan", str(tmp_path / "inventory.toml"), "--engine", "dask"]
    environment = {**os.environ, "DASK_CONFIG": str(tmp_path / "dask.yaml")}
    done = subprocess.run(command, cwd=TOP, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert 'engine "dask" cannot be loaded here' in done.stderr
    assert "look at dask's own configuration" in done.stderr


def test_a_value_that_dask_is_configured_with_is_no_defect_of_preflight() -> None:
    import dask.config

    with listening(ends) as port, dask.config.set({"distributed.comm.timeouts.tcp": "soon"}):
        choice = EngineChoice(name=DASK, scheduler=f"tcp://127.0.0.1:{port}")
        with pytest.raises(link.EngineError, match="Invalid time unit: soon") as told:
            link.Link(choice, processes=1)
    assert told.value.hint.startswith("look at dask's own configuration")
