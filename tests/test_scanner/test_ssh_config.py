"""An inventory's settings and ~/.ssh/config as one route, with OpenSSH's own reader and with paramiko's."""

from __future__ import annotations

import getpass
import shutil
from pathlib import Path

import pytest

from scanner.errors import UnreachableError
from scanner.inventory.model import SshSettings
from scanner.secrets import Secret
from scanner.transports.ssh_config import route


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):  # ssh looks at the account only
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    (tmp_path / ".ssh").mkdir()
    return tmp_path


@pytest.fixture(params=["ssh -G", "paramiko"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    name = str(request.param)
    if name == "paramiko":
        monkeypatch.setattr("scanner.transports.ssh_config.shutil.which", lambda program: None)
    elif not shutil.which("ssh"):
        pytest.skip("no ssh on this machine")
    return name


def write(home: Path, text: str) -> None:
    (home / ".ssh/config").write_text(text)


def test_without_a_file_the_inventory_and_the_usual_places_count(home: Path) -> None:
    (hop,) = route("web1", SshSettings())
    assert (hop.host, hop.port, hop.user, hop.agent, hop.place) == (
        "web1",
        22,
        getpass.getuser(),
        "/run/agent",
        "web1:22",
    )
    assert hop.known_hosts[0] == home / ".ssh/known_hosts"
    assert Path("/etc/ssh/ssh_known_hosts") in hop.known_hosts
    assert hop.named_keys == ()
    assert home / ".ssh/id_ed25519" in hop.default_keys


@pytest.mark.usefixtures("reader")
def test_the_file_fills_in_what_the_inventory_leaves_out(home: Path) -> None:
    write(
        home,
        "Host web1\n HostName 10.0.0.1\n Port 2200\n User bob\n IdentityFile ~/.ssh/work\n UserKnownHostsFile /k1 /k2\n"
        " HostKeyAlias vault\n IdentityAgent none\n",
    )
    (hop,) = route("web1", SshSettings())
    assert (hop.host, hop.port, hop.user, hop.known_as, hop.agent) == ("10.0.0.1", 2200, "bob", "vault", "")
    assert hop.named_keys == (home / ".ssh/work",)
    assert hop.known_hosts[:2] == (Path("/k1"), Path("/k2"))
    (hop,) = route("web1", SshSettings(user="amy", port=22, key_file="~/mine", known_hosts="~/kh"))
    assert (hop.user, hop.port, hop.named_keys, hop.known_hosts) == ("amy", 22, (home / "mine",), (home / "kh",))
    (hop,) = route("web2", SshSettings())
    assert (hop.host, hop.port, hop.user, hop.named_keys) == ("web2", 22, getpass.getuser(), ())


@pytest.mark.usefixtures("reader")
def test_sha1_is_for_the_node_alone(home: Path) -> None:
    hops = route("old1", SshSettings(legacy_algorithms=True, jump="bastion"))
    assert [hop.legacy_algorithms for hop in hops] == [False, True]
    assert not route("new1", SshSettings())[0].legacy_algorithms


def test_strictness_is_not_loosened_by_the_file(home: Path) -> None:
    write(home, "Host *\n StrictHostKeyChecking no\n")
    assert route("web1", SshSettings())[0].host_key_policy == "strict"
    assert route("web1", SshSettings(host_key_policy="accept-new"))[0].host_key_policy == "accept-new"


@pytest.mark.usefixtures("reader")
def test_secrets_go_to_jump_hosts_of_the_inventory_only(home: Path) -> None:
    secret = Secret("s")
    write(home, "Host web1\n ProxyJump ops@bastion:2201,b2\nHost b2\n User carl\n")
    first, second, node = route("web1", SshSettings(user="amy", password=secret, host_key="SHA256:x"))
    assert (first.user, first.place, second.user, second.place) == ("ops", "bastion:2201", "carl", "b2:22")
    assert (first.password, second.password, node.password) == (None, None, secret)
    assert (first.host_key, second.host_key, node.host_key) == ("", "", "SHA256:x")
    jump, node = route("web1", SshSettings(user="amy", password=secret, jump="[fe80::1]:2222"))
    assert (jump.user, jump.host, jump.port, jump.password) == ("amy", "fe80::1", 2222, secret)
    assert jump.place == "[fe80::1]:2222"
    assert len(route("web1", SshSettings(jump="none"))) == 1


@pytest.mark.usefixtures("reader")
def test_a_proxy_command_is_an_error_unless_the_inventory_has_another_way(home: Path) -> None:
    write(home, "Host web1\n ProxyCommand nc %h %p\n")
    with pytest.raises(UnreachableError, match="ProxyCommand") as caught:
        route("web1", SshSettings())
    assert "jump" in caught.value.hint
    assert len(route("web1", SshSettings(jump="bastion"))) == 2
    assert len(route("web1", SshSettings(ssh_config=""))) == 1


def test_tokens_in_file_names_are_filled_in(home: Path) -> None:
    if not shutil.which("ssh"):
        pytest.skip("no ssh on this machine")
    write(home, "Host web1\n HostName 10.0.0.1\n IdentityFile %d/keys/%r@%h:%p%%x\n")
    (hop,) = route("web1", SshSettings(user="amy", port=2200))
    assert hop.named_keys == (home / "keys/amy@10.0.0.1:2200%x",)


@pytest.mark.usefixtures("reader")
def test_files_that_cannot_be_used_are_told(home: Path) -> None:
    with pytest.raises(UnreachableError, match="does not exist"):
        route("web1", SshSettings(ssh_config="~/nowhere"))
    write(home, "Host web1\n Port abc\n")
    with pytest.raises(UnreachableError, match=r"not usable|no number"):
        route("web1", SshSettings())


@pytest.mark.parametrize("jump", ["user@", "bastion:x", "@:", "bastion:²"])
def test_a_jump_host_that_is_none(jump: str) -> None:
    with pytest.raises(UnreachableError, match="is not"):
        route("web1", SshSettings(jump=jump))


def test_a_host_that_looks_like_an_option_is_none(home: Path) -> None:
    write(home, "Host *\n User bob\n")
    with pytest.raises(UnreachableError, match=r"not usable"):
        route("-oProxyCommand=touch /tmp/x", SshSettings())
