"""NTLM is given the hash of the password, and logs in as with the password itself."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
import spnego

from scanner.lab.servers.wsman.server import WsmanServer
from scanner.transports.winrm.authentication import nt_hash
from scanner.transports.winrm.transport import WinrmTransport

VECTORS = {
    # RFC 1320, A.5
    "": "31d6cfe0d16ae931b73c59d7e0c089c0",
    "a": "bde52cb31de33e46245e05fbdbd6fb24",
    "abc": "a448017aaf21d8525fc10ae87aa6729d",
    "message digest": "d9130a8164549fe818874806e1c7014b",
    "abcdefghijklmnopqrstuvwxyz": "d79e1c308aa5bbcdeea8ed63df412da9",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789": "043f8582f241db351ce627e153e7f0e4",
    "1234567890" * 8: "e33b4ddc9c38f2199c3e7b164fcc0536",
}


@pytest.mark.parametrize(("text", "digest"), VECTORS.items())
def test_md4(text: str, digest: str) -> None:
    assert nt_hash.md4(text.encode()).hex() == digest


@pytest.mark.skipif("md4" not in hashlib.algorithms_available, reason="this OpenSSL has no MD4")
def test_md4_of_every_length() -> None:
    for size in range(130):
        assert nt_hash.md4(bytes(range(size))) == hashlib.new("md4", bytes(range(size))).digest()  # noqa: S324


def test_the_protocol_s_own_example() -> None:
    """[MS-NLMP] 4.2.2.1.2: the hash of `Password`, from which answers of NTLM are made."""
    assert nt_hash.md4("Password".encode("utf-16-le")).hex() == "a4f49c406510bdcab6824ee7c30fd852"
    found = nt_hash.credential("User", "Password")
    assert isinstance(found, spnego.NTLMHash)
    assert found.nt_hash == "a4f49c406510bdcab6824ee7c30fd852"


@pytest.mark.parametrize("password", ["S3cret pass!", "Über€😀", "x" * 127, "0123456789abcdef" * 4, "half \ud83d"])
def test_a_login_with_it_is_one_with_the_password(
    password: str, serve: Callable[..., WsmanServer], door: Callable[..., WinrmTransport]
) -> None:
    """Two answers to one challenge: what depends on the password in them is the same key."""
    found = nt_hash.credential("CORP\\svc", password)
    assert isinstance(found, spnego.NTLMHash)
    assert password not in repr(found)
    if password.isprintable():
        server = serve(users={"CORP\\svc-preflight": password})
        assert door(server, password=password).run("'hello'") == b"'hello'"


@pytest.mark.parametrize("password", ["0123456789abcdef" * 2 + ":" + "fedcba9876543210" * 2])
def test_a_password_that_is_its_hashes_stays_one(password: str) -> None:
    assert nt_hash.credential("u", password) == spnego.Password("u", password)


def test_answers_of_an_older_age_need_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LM_COMPAT_LEVEL", "1")
    assert nt_hash.credential("u", "p") == spnego.Password("u", "p")


def test_a_wrong_password_is_refused(serve: Callable[..., WsmanServer], door: Callable[..., WinrmTransport]) -> None:
    from scanner.errors import AuthenticationError

    with pytest.raises(AuthenticationError, match="rejects the ntlm login"):
        door(serve(), password="S3cret pass").run("'hello'")
