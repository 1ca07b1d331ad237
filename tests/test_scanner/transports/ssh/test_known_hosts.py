"""known_hosts files as OpenSSH reads them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from pathlib import Path

import pytest

from scanner.transports.ssh.keys.known_hosts import HostKey, Known, KnownHosts, look_up, name_of, read_key


def blob(kind: str, body: bytes) -> bytes:
    return len(kind).to_bytes(4, "big") + kind.encode() + len(body).to_bytes(4, "big") + body


def key(name: str, kind: str = "ssh-ed25519") -> HostKey:
    return HostKey(kind, blob(kind, name.encode()))


def text(one: HostKey) -> str:
    return f"{one.type} {base64.b64encode(one.blob).decode()}"


def hashed(name: str, salt: bytes = b"0123456789abcdef0123") -> str:
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


A, B, C, R = key("a"), key("b"), key("c"), key("r", "ssh-rsa")


def known(tmp_path: Path, content: str | bytes, name: str) -> Known:
    path = tmp_path / "known_hosts"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return KnownHosts(path).find(name)


@pytest.mark.parametrize(
    ("names", "name", "is_known"),
    [
        ("web1", "web1", True),
        ("web1,10.0.0.1", "10.0.0.1", True),
        ("WEB1", "web1", True),
        ("web1", "web10", False),
        ("[web1]:2222", "[web1]:2222", True),
        ("[web1]:2222", "web1", False),
        ("web1", "[web1]:2222", False),
        ("*.corp.example", "web1.corp.example", True),
        ("*.corp.example", "corp.example", False),
        ("web?", "web1", True),
        ("web?", "web12", False),
        ("*,!web1", "web1", False),
        ("!web1,*", "web1", False),
        ("*,!web1", "web2", True),
        ("!web1", "web2", False),
        ("[*.corp.example]:2222", "[web1.corp.example]:2222", True),
        ("web[1]", "web1", False),
        (hashed("web1"), "web1", True),
        (hashed("web1"), "web2", False),
        (hashed("[web1]:2222"), "[web1]:2222", True),
    ],
)
def test_names(tmp_path: Path, names: str, name: str, is_known: bool) -> None:
    assert known(tmp_path, f"{names} {text(A)} a comment\n", name) == Known((A,) if is_known else ())


def test_several_keys_of_one_type_count_and_say_where_they_stand(tmp_path: Path) -> None:
    found = known(tmp_path, f"# mine\nweb1 {text(A)}\n\nweb1 {text(R)}\n{hashed('web1')} {text(B)}\n", "web1")
    assert set(found.keys) == {A, B, R}
    assert {one.place.rpartition(":")[2] for one in found.keys} == {"2", "4", "5"}


def test_revoked_keys_and_authorities_are_told_apart(tmp_path: Path) -> None:
    content = f"@revoked * {text(A)}\n@cert-authority *.example {text(B)}\n"
    content += f"web1.example {text(C)}\n@odd web1.example {text(R)}\n"
    assert known(tmp_path, content, "web1.example") == Known((C,), (A,), authorities=True)
    assert known(tmp_path, content, "other") == Known((), (A,))


@pytest.mark.parametrize(
    "line",
    [
        b"web1",
        b"web1 ssh-ed25519",
        b"web1 ssh-ed25519 !!!!",
        b"web1 ssh-ed25519 AAAA",
        b"web1 1024 35 1234567890",
        b"|1|no|base64! ssh-ed25519 AAAA",
        b"|1|x ssh-ed25519 AAAA",
        b"web1 ssh-rsa " + base64.b64encode(A.blob),
        b"\xff\xfe\x00 caf\xe9 \xe9",
        b"@revoked",
        b"@cert-authority web1",
    ],
)
def test_a_line_that_makes_no_sense_costs_only_itself(tmp_path: Path, line: bytes) -> None:
    content = line + b"\r\nweb1 " + text(A).encode() + b" caf\xe9\r\n"
    assert known(tmp_path, content, "web1").keys == (A,)


def test_a_missing_file_knows_nobody_and_a_new_one_is_noticed(tmp_path: Path) -> None:
    book = KnownHosts(tmp_path / "known_hosts")
    assert book.find("web1") == Known()
    book.path.write_text(f"web1 {text(A)}\n")
    assert book.find("web1").keys == (A,)
    book.path.write_text(f"web1 {text(A)}\nweb1 {text(B)}\n")
    assert set(book.find("web1").keys) == {A, B}
    book.path.unlink()
    assert book.find("web1") == Known()


def test_an_unreadable_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="Not a directory"):
        look_up([tmp_path / "file" / "known_hosts"], "web1")


def test_several_files_are_read_as_one(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text(f"web1 {text(A)}\n")
    (tmp_path / "global").write_text(f"@revoked web1 {text(B)}\nweb1 {text(R)}\n")
    found = look_up([tmp_path / "mine", tmp_path / "none", tmp_path / "global"], "web1")
    assert found == Known((A, R), (B,))


def test_accepting_appends_one_line_even_after_a_last_line_without_end(tmp_path: Path) -> None:
    book = KnownHosts(tmp_path / "deep" / "known_hosts")
    assert book.accept("web1", A).keys == (A,)
    book.path.write_text(book.path.read_text().rstrip("\n"))
    assert book.accept("[web2]:2222", B).keys == (B,)
    assert book.path.read_text() == f"web1 {text(A)}\n[web2]:2222 {text(B)}\n"
    assert book.path.stat().st_mode & 0o077 == 0


def test_accepting_never_replaces_a_key(tmp_path: Path) -> None:
    book = KnownHosts(tmp_path / "known_hosts")
    book.path.write_text(f"web1 {text(A)}\n@revoked web2 {text(B)}\n")
    before = book.path.read_text()
    assert book.accept("web1", B).keys == (A,)
    assert book.accept("web2", B).keys == ()
    assert book.path.read_text() == before


def test_of_many_threads_with_different_keys_one_wins(tmp_path: Path) -> None:
    book = KnownHosts(tmp_path / "known_hosts")
    offers = [key(f"offer {number}") for number in range(16)]
    seen: list[tuple[HostKey, ...]] = []
    threads = [threading.Thread(target=lambda one=one: seen.append(book.accept("web1", one).keys)) for one in offers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 1
    assert len(seen[0]) == 1
    assert book.path.read_text().count("\n") == 1


def test_a_large_hashed_file_is_quick(tmp_path: Path) -> None:
    lines = [f"{hashed(f'host{number}', number.to_bytes(20, 'big'))} {text(A)}\n" for number in range(4000)]
    book = KnownHosts(tmp_path / "known_hosts")
    book.path.write_text("".join(lines))
    started = time.process_time()
    assert book.find("host3999").keys == (A,)
    assert all(book.find("host3999").keys for _ in range(1000))
    assert time.process_time() - started < 1


def test_names_and_fingerprints_are_those_of_openssh() -> None:
    assert name_of("Web1", 22) == "web1"
    assert name_of("Web1", 2222) == "[web1]:2222"
    assert name_of("::1", 2222) == "[::1]:2222"
    github = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    published = read_key("ssh-ed25519", github)
    assert published
    assert published.fingerprint == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
