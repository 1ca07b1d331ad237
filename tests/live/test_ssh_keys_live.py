"""Which keys are shown to a real sshd, which are signed with, and what an agent is asked for."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scanner.errors import AuthenticationError
from tests.live.asyncssh_server import key_line
from tests.live.openssh import OpenSshServer, make_key
from tests.live.ssh_doors import agent, fails, home, transport
from tests.live.stand_in_agent import StandInAgent, stand_in_agent
from tests.threads import no_threads_left

pytestmark = pytest.mark.live
StartSshd = Callable[..., OpenSshServer]
__all__ = ["agent", "home", "no_threads_left"]


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_threads_left: None) -> Iterator[StandInAgent]:
    with stand_in_agent(tmp_path / "stand-in") as held:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(held.address))
        yield held


def configure(home: Path, text: str) -> None:
    (home / ".ssh/config").write_text("Host *\n" + "".join(f"    {line}\n" for line in text.splitlines()))


# An agent signs only what the server would take.


def test_an_agent_is_asked_for_the_one_signature_that_opens_the_door(
    start_sshd: StartSshd, ssh_keys: Path, stand_in: StandInAgent
) -> None:
    server = start_sshd("LogLevel DEBUG2\n")
    for name in ("stranger", "user_rsa", "user_ed25519"):
        stand_in.add(ssh_keys / name)
    assert b"in\n" in transport(server, key_file="").run("echo in")  # beside what sshd logs
    assert stand_in.signed == ["user_ed25519"]


def test_a_key_that_the_agent_refuses_to_sign_with_is_noted_and_the_next_is_tried(
    sshd: OpenSshServer, ssh_keys: Path, stand_in: StandInAgent
) -> None:
    sshd.authorize(ssh_keys / "user_rsa", ssh_keys / "user_ed25519")
    stand_in.add(ssh_keys / "user_rsa")
    stand_in.refuses.add("user_rsa")
    error = fails(AuthenticationError, transport(sshd, key_file=""), match="would take the agent's key user_rsa")
    assert "but the agent refuses to sign" in str(error)
    stand_in.add(ssh_keys / "user_ed25519")
    assert transport(sshd, key_file="").run("echo in") == b"in\n"
    assert stand_in.signed == ["user_rsa", "user_rsa", "user_ed25519"]


def test_an_agent_that_waits_for_a_confirmation_costs_its_key_alone(
    sshd: OpenSshServer, ssh_keys: Path, stand_in: StandInAgent
) -> None:
    sshd.authorize(ssh_keys / "user_rsa", ssh_keys / "user_ed25519")
    stand_in.add(ssh_keys / "user_rsa")
    stand_in.add(ssh_keys / "user_ed25519")
    stand_in.waits.add("user_rsa")
    started = time.monotonic()
    assert transport(sshd, key_file="", connect_timeout_s=0.4).run("echo in") == b"in\n"
    assert 0.4 <= time.monotonic() - started < 5
    stand_in.waits.add("user_ed25519")
    error = fails(AuthenticationError, transport(sshd, key_file="", connect_timeout_s=0.2), match="cannot log in")
    assert "the agent did not sign within 0.2 s; it may wait for a confirmation" in str(error)


@pytest.mark.parametrize(
    ("trouble", "match"),
    [
        ("locked", "the agent does not tell its keys"),
        ("silent", "the agent does not answer within 0.3 s"),
        ("gone", "the agent cannot be reached: No such file"),
    ],
)
def test_an_agent_of_no_use_is_named(
    sshd: OpenSshServer, stand_in: StandInAgent, monkeypatch: pytest.MonkeyPatch, trouble: str, match: str
) -> None:
    stand_in.locked, stand_in.silent = trouble == "locked", trouble == "silent"
    if trouble == "gone":
        monkeypatch.setenv("SSH_AUTH_SOCK", "/nowhere/agent")
    fails(AuthenticationError, transport(sshd, key_file="", connect_timeout_s=0.3), match=match)


def test_an_agent_of_no_use_costs_no_default_key(
    sshd: OpenSshServer, ssh_keys: Path, stand_in: StandInAgent, home: Path
) -> None:
    stand_in.locked = True
    shutil.copy(ssh_keys / "user_ed25519", home / ".ssh/id_ed25519")
    assert transport(sshd, key_file="").run("echo in") == b"in\n"


# FIDO keys.


def test_a_fido_key_in_front_wants_no_touch_for_nothing(
    sshd: OpenSshServer, ssh_keys: Path, stand_in: StandInAgent, home: Path
) -> None:
    line = stand_in.add_fido()
    stand_in.add(ssh_keys / "user_ed25519")
    (sshd.folder / "authorized_keys").write_text(line + key_line(ssh_keys / "user_ed25519"))
    assert transport(sshd, key_file="").run("echo in") == b"in\n"
    assert stand_in.signed == ["user_ed25519"]  # although the server would take the token's, too
    stand_in.keys.pop()
    shutil.copy(ssh_keys / "user_ed25519", home / ".ssh/id_ed25519")
    assert transport(sshd, key_file="").run("echo in") == b"in\n"
    assert stand_in.signed == ["user_ed25519"]


def test_a_fido_key_signs_where_it_is_the_only_one(sshd: OpenSshServer, stand_in: StandInAgent, tmp_path: Path) -> None:
    line = stand_in.add_fido()
    fails(AuthenticationError, transport(sshd, key_file=""), match="refused: offered the agent's key token")
    assert stand_in.signed == []  # the server does not take it: no touch
    (sshd.folder / "authorized_keys").write_text(line)
    assert transport(sshd, key_file="").run("echo in") == b"in\n"
    named = tmp_path / "id_ed25519_sk.pub"
    named.write_text(line)
    assert transport(sshd, key_file=str(named)).run("echo in") == b"in\n"
    assert stand_in.signed == ["token", "token"]
    stand_in.waits.add("token")
    error = fails(AuthenticationError, transport(sshd, key_file="", connect_timeout_s=0.2))
    assert "the agent did not sign within 0.2 s; it may wait for a touch of the FIDO key" in str(error)


# Named keys.


def test_a_public_key_names_the_agents_private_one(
    sshd: OpenSshServer, ssh_keys: Path, stand_in: StandInAgent, home: Path
) -> None:
    for name in ("stranger", "user_rsa", "user_ed25519"):
        stand_in.add(ssh_keys / name)
    assert transport(sshd, key_file=f"{ssh_keys}/user_ed25519.pub").run("echo in") == b"in\n"
    configure(home, f"IdentityFile {ssh_keys}/user_ed25519.pub\nIdentitiesOnly yes")
    assert transport(sshd, key_file="").run("echo in") == b"in\n"
    assert stand_in.signed == ["user_ed25519"] * 2
    assert "Failed publickey" not in sshd.log  # the others were not even shown
    stand_in.keys.clear()
    error = fails(AuthenticationError, transport(sshd, key_file=f"{ssh_keys}/user_ed25519.pub"), match="a public key")
    assert "ssh-add" in error.hint


def test_a_private_key_that_is_in_the_agent_alone(
    sshd: OpenSshServer, ssh_keys: Path, stand_in: StandInAgent, home: Path
) -> None:
    """Only id.pub lies on the disk, as where keys come from a password manager's agent."""
    shutil.copy(ssh_keys / "user_ed25519.pub", home / ".ssh/work.pub")
    stand_in.add(ssh_keys / "stranger")
    stand_in.add(ssh_keys / "user_ed25519")
    configure(home, "IdentityFile ~/.ssh/work\nIdentitiesOnly yes")
    assert transport(sshd, key_file="").run("echo in") == b"in\n"
    assert stand_in.signed == ["user_ed25519"]


def test_keys_of_the_file_come_first_and_the_agents_others_after_them(
    start_sshd: StartSshd, ssh_keys: Path, stand_in: StandInAgent, home: Path
) -> None:
    server = start_sshd("MaxAuthTries 2\n")
    for name in ("stranger", "user_rsa", "host_ed25519"):
        stand_in.add(ssh_keys / name)
    configure(home, f"IdentityFile {ssh_keys}/user_ed25519")
    assert transport(server, key_file="").run("echo in") == b"in\n"
    assert stand_in.signed == []
    server.authorize(ssh_keys / "stranger")
    assert transport(server, key_file="").run("echo in") == b"in\n"
    configure(home, f"IdentityFile {ssh_keys}/user_ed25519\nIdentitiesOnly yes")
    error = fails(AuthenticationError, transport(server, key_file=""), match="refused: offered ")
    assert "stranger" not in str(error)


def test_too_many_keys_are_told_with_their_number_and_the_cure(
    start_sshd: StartSshd, ssh_keys: Path, stand_in: StandInAgent
) -> None:
    server = start_sshd("MaxAuthTries 2\n")
    for name in ("stranger", "user_rsa", "host_ed25519", "user_ed25519"):
        stand_in.add(ssh_keys / name)
    error = fails(AuthenticationError, transport(server, key_file=""), match="hung up after 2 keys")
    assert "Too many authentication failures" in str(error)
    assert "the agent's key stranger, the agent's key user_rsa" in str(error)
    assert "IdentitiesOnly yes" in error.hint
    assert stand_in.signed == []


# Certificates.


@pytest.fixture
def authority(ssh_keys: Path, tmp_path: Path) -> Path:
    return make_key(tmp_path / "user_ca")


def certify(authority: Path, key: Path, *options: str, principals: str = "root,deploy") -> Path:
    command = ["ssh-keygen", "-q", "-s", str(authority), "-I", "someone", "-n", principals, *options, f"{key}.pub"]
    subprocess.run(command, check=True, capture_output=True)
    return key.with_name(f"{key.name}-cert.pub")


def trusting(start_sshd: StartSshd, authority: Path) -> OpenSshServer:
    server = start_sshd(f"TrustedUserCAKeys {authority}.pub\n")
    (server.folder / "authorized_keys").write_text("")
    return server


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
@pytest.mark.parametrize("ca", ["ed25519", "rsa"])
def test_a_certificate_beside_the_key(start_sshd: StartSshd, tmp_path: Path, kind: str, ca: str) -> None:
    authority = make_key(tmp_path / "ca", ca, bits=2048 if ca == "rsa" else None)
    server = trusting(start_sshd, authority)
    key = make_key(tmp_path / "key", kind, bits=2048 if kind == "rsa" else None)
    fails(AuthenticationError, transport(server, key_file=str(key)), match="refused")
    certify(authority, key, principals=server.user)
    assert transport(server, key_file=str(key)).run("echo in") == b"in\n"
    assert "Accepted certificate ID" in server.log


def test_a_certificate_that_the_file_names(
    start_sshd: StartSshd, authority: Path, tmp_path: Path, home: Path, stand_in: StandInAgent
) -> None:
    server = trusting(start_sshd, authority)
    key = make_key(tmp_path / "key")
    certificate = certify(authority, key, principals=server.user).rename(tmp_path / "elsewhere.pub")
    configure(home, f"IdentityFile {key}\nCertificateFile {tmp_path}/none.pub\nCertificateFile {certificate}")
    assert transport(server, key_file="").run("echo in") == b"in\n"
    # The same where the agent alone has the private key: any of its keys may be the one that is certified.
    stand_in.add(make_key(tmp_path / "another"))
    stand_in.add(key)
    configure(home, f"CertificateFile {certificate}")
    assert transport(server, key_file="").run("echo in") == b"in\n"
    assert stand_in.signed == ["key"]


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_certificate_in_an_agent(
    start_sshd: StartSshd, authority: Path, tmp_path: Path, agent: Callable[..., None], kind: str
) -> None:
    server = trusting(start_sshd, authority)
    key = make_key(tmp_path / "key", kind, bits=2048 if kind == "rsa" else None)
    certify(authority, key, principals=server.user)
    agent(key)  # ssh-add takes the certificate beside it along
    assert transport(server, key_file="").run("echo in") == b"in\n"
    assert "Accepted certificate ID" in server.log
    if kind == "rsa":
        assert "RSA-CERT" in server.log


def test_an_expired_certificate_is_named(start_sshd: StartSshd, authority: Path, tmp_path: Path) -> None:
    server = trusting(start_sshd, authority)
    key = make_key(tmp_path / "key")
    certify(authority, key, "-V", "20200101:20200102", principals=server.user)
    error = fails(AuthenticationError, transport(server, key_file=str(key)), match="refused: offered")
    assert "has expired on 2020-01-02" in str(error)
    certify(authority, key, "-V", "20900101:20910102", principals=server.user)
    fails(AuthenticationError, transport(server, key_file=str(key)), match="is not valid before 2090-01-01")


def test_a_certificate_for_another_user_costs_the_plain_key_nothing(
    start_sshd: StartSshd, authority: Path, tmp_path: Path
) -> None:
    server = trusting(start_sshd, authority)
    key = make_key(tmp_path / "key")
    certify(authority, key, principals="somebody-else")
    server.authorize(key)
    assert transport(server, key_file=str(key)).run("echo in") == b"in\n"


def test_a_certificate_that_is_none_costs_nothing(sshd: OpenSshServer, tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    sshd.authorize(key)
    for text in (
        b"",
        b"\xff\xfe",
        b"ssh-ed25519-cert-v01@openssh.com AAAA\n",
        b"ssh-ed25519-cert-v01@openssh.com !!\n",
    ):
        (tmp_path / "key-cert.pub").write_bytes(text)
        assert transport(sshd, key_file=str(key)).run("echo in") == b"in\n"


# RSA signatures.


@pytest.mark.parametrize("algorithm", ["rsa-sha2-256", "rsa-sha2-512"])
def test_an_rsa_key_signs_as_the_server_says(start_sshd: StartSshd, ssh_keys: Path, algorithm: str) -> None:
    server = start_sshd(f"PubkeyAcceptedAlgorithms {algorithm}\nLogLevel DEBUG1\n")
    server.authorize(ssh_keys / "user_rsa")
    assert b"in\n" in transport(server, key_file=str(ssh_keys / "user_rsa")).run("echo in")
    assert server.log.count("not in PubkeyAcceptedAlgorithms") == (algorithm == "rsa-sha2-256")


def test_an_rsa_key_that_the_server_does_not_take_is_not_shown(start_sshd: StartSshd, ssh_keys: Path) -> None:
    server = start_sshd("PubkeyAcceptedAlgorithms ssh-ed25519\n")
    server.authorize(ssh_keys / "user_rsa")
    error = fails(AuthenticationError, transport(server, key_file=str(ssh_keys / "user_rsa")), match="user_rsa")
    # From 9.6 on its server-sig-algs says so; before that it is a refusal like any other.
    assert "takes RSA keys not at all" in str(error) or "refused: offered" in str(error)


def test_an_rsa_key_of_a_server_that_takes_sha1_alone_is_not_shown(start_sshd: StartSshd, ssh_keys: Path) -> None:
    server = start_sshd("PubkeyAcceptedAlgorithms ssh-rsa\n")
    server.authorize(ssh_keys / "user_rsa")
    key = str(ssh_keys / "user_rsa")
    error = fails(AuthenticationError, transport(server, key_file=key), match="user_rsa")
    assert "takes RSA keys with SHA-1 signatures only" in str(error) or "refused: offered" in str(error)
    assert transport(server, key_file=key, legacy_algorithms=True).run("echo in") == b"in\n"


def test_an_rsa_certificate_signs_with_sha2(start_sshd: StartSshd, authority: Path, tmp_path: Path) -> None:
    server = start_sshd(f"TrustedUserCAKeys {authority}.pub\nLogLevel DEBUG1\n")
    key = make_key(tmp_path / "key", "rsa", bits=2048)
    certify(authority, key, principals=server.user)
    (server.folder / "authorized_keys").write_text("")
    assert b"in\n" in transport(server, key_file=str(key)).run("echo in")
    assert "Accepted certificate ID" in server.log


def test_what_the_file_accepts_of_ones_own_keys(start_sshd: StartSshd, ssh_keys: Path, home: Path) -> None:
    server = start_sshd("PubkeyAcceptedAlgorithms rsa-sha2-256\n")
    server.authorize(ssh_keys / "user_rsa", ssh_keys / "user_ed25519")
    configure(home, "PubkeyAcceptedAlgorithms rsa-sha2-256")
    assert transport(server, key_file=str(ssh_keys / "user_rsa")).run("echo in") == b"in\n"
    assert "not in PubkeyAcceptedAlgorithms" not in server.log  # not even tried
    error = fails(AuthenticationError, transport(server), match="was not shown: PubkeyAcceptedAlgorithms")
    assert "lacks ssh-ed25519" in str(error)


# More than one method.


def test_a_server_that_wants_two_keys(start_sshd: StartSshd, ssh_keys: Path, stand_in: StandInAgent) -> None:
    server = start_sshd("AuthenticationMethods publickey,publickey\n")
    server.authorize(ssh_keys / "user_rsa", ssh_keys / "user_ed25519")
    stand_in.add(ssh_keys / "user_rsa")
    error = fails(AuthenticationError, transport(server, key_file=""), match="wants another method besides")
    assert "the server accepts publickey" in str(error)
    stand_in.add(ssh_keys / "user_ed25519")
    assert transport(server, key_file="").run("echo in") == b"in\n"
