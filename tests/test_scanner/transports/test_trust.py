"""Whom TLS believes is read once for all peers with the same settings, and again where it was changed."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scanner.inventory.model import TdsSettings, WinrmSettings
from scanner.lab.servers.certificates import CertificateAuthority
from scanner.transports.tds import session
from scanner.transports.winrm.exchange import http


def by_winrm(ca_file: str) -> ssl.SSLContext:
    return http.tls_context(WinrmSettings().verify, ca_file, "", "")


def by_tds(ca_file: str) -> ssl.SSLContext:
    return session.tls_context(TdsSettings(ca_file=ca_file))


DOORS = pytest.mark.parametrize(("door", "where"), [(by_winrm, http), (by_tds, session)], ids=["winrm", "tds"])


@DOORS
def test_what_is_trusted_is_read_once_for_all_nodes(
    door: Callable[[str], ssl.SSLContext], where: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    trusting = where.trusting

    def reading(verify: bool, ca_file: str) -> ssl.SSLContext:
        read.append(ca_file)
        made: ssl.SSLContext = trusting(verify, ca_file)
        return made

    monkeypatch.setattr(where, "trusting", reading)
    file = tmp_path / "ca.pem"
    file.write_bytes(CertificateAuthority(tmp_path / "one", "one").certificate.read_bytes())
    assert len({id(door(str(file))) for _ in range(3)}) == 1
    assert read == [str(file)]


@DOORS
def test_an_authority_that_is_replaced_is_trusted_no_more(
    door: Callable[[str], ssl.SSLContext], where: Any, tmp_path: Path
) -> None:
    """In a process that lives on, as a worker's does."""
    file = tmp_path / "ca.pem"
    for name in ("one", "another"):
        CertificateAuthority(tmp_path / name, name).certificate.replace(file)
        (held,) = door(str(file)).get_ca_certs()
        assert (("commonName", name),) in held["subject"]
