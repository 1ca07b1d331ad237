"""What is offered to a server, given ~/.ssh/config, the inventory and what the server says of itself."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from paramiko.message import Message

from scanner.errors import AuthenticationError
from scanner.transports.ssh.algorithms import CIPHERS, KEX, chosen, host_key_algorithms, signature_algorithms, suite
from scanner.transports.ssh.hop import Wishes
from scanner.transports.ssh.incompatible import why_incompatible
from scanner.transports.ssh.keys.files import LockedKeyError, load
from scanner.transports.ssh.keys.known_hosts import HostKey
from scanner.transports.ssh.server_age import knows_rsa_with_sha1_alone, why_key_refused

BASE = ("a-gcm", "a-ctr", "b-ctr")
MODERN = "SSH-2.0-OpenSSH_9.6"
CERT = "-cert-v01@openssh.com"


@pytest.mark.parametrize(
    ("wish", "more", "expected"),
    [
        ("", (), BASE),
        ("b-ctr,a-gcm", (), ("b-ctr", "a-gcm")),
        ("x,b-ctr", (), ("b-ctr",)),
        ("x,y", (), BASE),  # nothing of it can be done here
        ("*-ctr", (), ("a-ctr", "b-ctr")),
        ("+old", (), BASE),
        ("+old", ("old",), (*BASE, "old")),
        ("+a-ctr", ("old",), BASE),
        ("-a-*", (), ("b-ctr",)),
        ("-*", (), BASE),
        ("^b-ctr", (), ("b-ctr", "a-gcm", "a-ctr")),
        ("^old,b-ctr", ("old",), ("old", "b-ctr", "a-gcm", "a-ctr")),
        ("a-ctr, old", ("old",), ("a-ctr", "old")),
    ],
)
def test_a_list_is_read_as_openssh_reads_it(wish: str, more: tuple[str, ...], expected: tuple[str, ...]) -> None:
    assert chosen(wish, BASE, more) == expected


def test_what_is_broken_takes_both_to_allow_it() -> None:
    wishes = Wishes(kex="+diffie-hellman-group1-sha1", ciphers="+3des-cbc", macs="+hmac-md5")
    assert suite(wishes, legacy=False) == suite(Wishes(), legacy=False)
    assert not {"diffie-hellman-group1-sha1", "3des-cbc"} & {
        *suite(Wishes(), legacy=True).kex,
        *suite(Wishes(), legacy=True).ciphers,
    }
    both = suite(wishes, legacy=True)
    assert (both.kex[-1], both.ciphers[-1], both.macs[-1]) == ("diffie-hellman-group1-sha1", "3des-cbc", "hmac-md5")
    assert both.kex[0] == "curve25519-sha256"
    assert (suite(Wishes(), legacy=False).kex, suite(Wishes(), legacy=False).ciphers) == (KEX, CIPHERS)


def test_known_host_keys_come_first_within_what_the_file_allows() -> None:
    rsa = HostKey("ssh-rsa", b"")
    assert host_key_algorithms([rsa], legacy=False)[:3] == ("rsa-sha2-512", "rsa-sha2-256", "ssh-ed25519")
    assert host_key_algorithms([rsa], legacy=False, wish="ssh-ed25519,rsa-sha2-256") == ("rsa-sha2-256", "ssh-ed25519")
    assert "ssh-rsa" not in host_key_algorithms([rsa], legacy=False, wish="+ssh-rsa")
    assert host_key_algorithms([], legacy=True, wish="ssh-rsa,ssh-ed25519") == ("ssh-rsa", "ssh-ed25519")
    assert host_key_algorithms([], legacy=False, wish=f"ssh-ed25519{CERT}") == host_key_algorithms([], legacy=False)


SHA2 = ("rsa-sha2-512", "rsa-sha2-256")


@pytest.mark.parametrize(
    ("shown", "banner", "taken", "wish", "legacy", "expected"),
    [
        ("ssh-rsa", MODERN, (), "", False, SHA2),
        ("ssh-rsa", MODERN, ("rsa-sha2-256",), "", False, ("rsa-sha2-256",)),
        ("ssh-rsa", MODERN, ("ssh-rsa", "rsa-sha2-512"), "", True, ("rsa-sha2-512", "ssh-rsa")),
        ("ssh-rsa", MODERN, (), "rsa-sha2-256", False, ("rsa-sha2-256",)),
        ("ssh-rsa", MODERN, (), "-rsa-sha2-512", False, ("rsa-sha2-256",)),
        ("ssh-rsa", MODERN, (), "+ssh-rsa", False, SHA2),
        ("ssh-rsa", "SSH-2.0-OpenSSH_5.3", (), "", True, ("ssh-rsa", *SHA2)),
        ("ssh-rsa", "SSH-2.0-dropbear_2018.76", (), "", True, ("ssh-rsa", *SHA2)),
        (f"ssh-rsa{CERT}", MODERN, SHA2, "", False, tuple(f"{name}{CERT}" for name in SHA2)),
        (f"ssh-rsa{CERT}", "SSH-2.0-OpenSSH_7.4", SHA2, "", True, ()),
        (f"ssh-rsa{CERT}", "SSH-2.0-OpenSSH_7.4", (), "", True, (f"ssh-rsa{CERT}",)),
        ("ssh-ed25519", MODERN, ("rsa-sha2-512",), "", False, ("ssh-ed25519",)),  # 7.4 tells RSA alone
        (f"ssh-ed25519{CERT}", MODERN, (), "ssh-*", False, (f"ssh-ed25519{CERT}",)),
        ("sk-ssh-ed25519@openssh.com", MODERN, (), "^ssh-ed25519", False, ("sk-ssh-ed25519@openssh.com",)),
    ],
)
def test_signatures_that_a_key_is_offered_with(
    shown: str, banner: str, taken: tuple[str, ...], wish: str, legacy: bool, expected: tuple[str, ...]
) -> None:
    found, why = signature_algorithms(shown, banner, taken, wish, legacy=legacy)
    assert found == expected
    assert bool(why) is not bool(found)


@pytest.mark.parametrize(
    ("shown", "banner", "taken", "wish", "why"),
    [
        ("ssh-rsa", MODERN, ("ssh-ed25519",), "", "the server takes RSA keys not at all"),
        ("ssh-rsa", MODERN, ("ssh-rsa",), "", "takes RSA keys with SHA-1 signatures only"),
        (f"ssh-rsa{CERT}", "SSH-2.0-OpenSSH_7.4p1", (), "", "OpenSSH 7.4 takes RSA certificates with SHA-1"),
        ("ssh-rsa", MODERN, (), "ssh-ed25519", "PubkeyAcceptedAlgorithms of the SSH configuration lacks RSA"),
        ("ssh-ed25519", MODERN, (), "-ssh-*", "PubkeyAcceptedAlgorithms of the SSH configuration lacks ssh-ed25519"),
    ],
)
def test_a_key_that_is_not_offered_has_a_reason(
    shown: str, banner: str, taken: tuple[str, ...], wish: str, why: str
) -> None:
    found, told = signature_algorithms(shown, banner, taken, wish, legacy=False)
    assert found == ()
    assert why in told


def test_the_age_of_dropbear_is_known_as_well() -> None:
    assert knows_rsa_with_sha1_alone("SSH-2.0-dropbear_2019.78")
    assert not knows_rsa_with_sha1_alone("SSH-2.0-dropbear_2020.79")
    assert not knows_rsa_with_sha1_alone("SSH-2.0-dropbear")
    told, hint = why_key_refused("SSH-2.0-dropbear_2019.78", ["ssh-ed25519"], legacy=False)
    assert told == "Dropbear 2019.78 does not know Ed25519 keys"
    assert "an ECDSA key" in hint
    told, hint = why_key_refused("SSH-2.0-dropbear_2012.55", ["ssh-rsa"], legacy=False)
    assert told.startswith("Dropbear 2012.55 takes RSA keys with SHA-1 signatures only")
    assert hint.startswith("set `legacy_algorithms = true`")


def test_each_thing_that_is_not_common_has_its_cure() -> None:
    def told(legacy: bool = False, wishes: Wishes | None = None, **lists: str) -> tuple[str, str]:
        offered = {
            "kex_algo_list": "curve25519-sha256",
            "server_key_algo_list": "ssh-ed25519",
            "server_encrypt_algo_list": "aes256-ctr",
            "server_mac_algo_list": "hmac-sha2-256",
        } | lists
        asked = host_key_algorithms([], legacy=legacy, wish=(wishes or Wishes()).host_keys)
        return why_incompatible(
            "SSH-2.0-Cisco-1.25",
            {name: [*text.split(","), "kex-strict-s-v00@openssh.com"] for name, text in offered.items()},
            asked,
            suite(wishes or Wishes(), legacy=legacy),
        )

    assert told() == ("", "")
    cause, hint = told(kex_algo_list="diffie-hellman-group14-sha1")
    assert cause == "Cisco-1.25 has no key exchange but diffie-hellman-group14-sha1"
    assert "legacy_algorithms = true" in hint
    cause, hint = told(kex_algo_list="diffie-hellman-group1-sha1", server_encrypt_algo_list="aes128-cbc,3des-cbc")
    assert cause.startswith(
        "Cisco-1.25 has no key exchange but diffie-hellman-group1-sha1 and no cipher but aes128-cbc"
    )
    assert "legacy_algorithms = true" in hint
    assert "`KexAlgorithms +diffie-hellman-group1-sha1` for this host" in hint
    assert "`Ciphers +aes128-cbc` for this host" in hint
    _, hint = told(server_mac_algo_list="umac-64@openssh.com", kex_algo_list="diffie-hellman-group14-sha1")
    assert "legacy_algorithms" not in hint  # it alone would not do
    assert 'transport = "local"' in hint
    _, hint = told(wishes=Wishes(kex="ecdh-sha2-nistp256"))
    assert hint == "KexAlgorithms of your SSH configuration leaves out curve25519-sha256: allow it for this host"


def key_file(path: Path, public: bytes) -> Path:
    """A private key in OpenSSH's format, of which only the public half is looked at."""
    data = Message()
    for part in ("none", "none", ""):
        data.add_string(part)
    data.add_int(1)
    data.add_string(public)
    data.add_string(b"\0" * 64)
    text = base64.b64encode(b"openssh-key-v1\0" + data.asbytes()).decode()
    path.write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text}\n-----END OPENSSH PRIVATE KEY-----\n")
    return path


def test_a_key_file_of_a_fido_token_is_told_as_that(tmp_path: Path) -> None:
    public = Message()
    for part in ("sk-ssh-ed25519@openssh.com", b"x" * 32, "ssh:"):
        public.add_string(part)
    with pytest.raises(LockedKeyError, match="in a FIDO token, and the agent does not have it") as caught:
        load(key_file(tmp_path / "id_ed25519_sk", public.asbytes()), None)
    assert "ssh-agent" in caught.value.hint
    public = Message()
    public.add_string("ssh-ed25519")
    with pytest.raises(AuthenticationError, match="holds no private key that can be read"):
        load(key_file(tmp_path / "id_ed25519", public.asbytes()), None)
