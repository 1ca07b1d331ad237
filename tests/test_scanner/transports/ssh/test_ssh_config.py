"""An inventory's settings and ~/.ssh/config as one route, with OpenSSH's own reader and with paramiko's."""

from __future__ import annotations

import getpass
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scanner.errors import UnreachableError
from scanner.inventory.model import SshSettings
from scanner.secrets import children
from scanner.secrets.secret import Secret
from scanner.transports.network.green.executor import POSSIBLE, GreenExecutor
from scanner.transports.ssh.config import route
from scanner.transports.ssh.hop import SshHop, Wishes


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
        monkeypatch.setattr("scanner.transports.ssh.config.shutil.which", lambda program: None)
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
def test_a_proxy_command_leads_there_unless_the_inventory_has_another_way(home: Path) -> None:
    write(home, "Host web1\n HostName 10.0.0.1\n Port 2200\n User amy\n ProxyCommand nc -x proxy %h %p %r\n")
    (hop,) = route("web1", SshSettings())
    assert (hop.command, hop.place) == ("nc -x proxy 10.0.0.1 2200 amy", "10.0.0.1:2200")
    assert [one.command for one in route("web1", SshSettings(jump="bastion"))] == ["", ""]
    assert route("web1", SshSettings(jump="none"))[0].command == ""
    assert route("web1", SshSettings(ssh_config=""))[0].command == ""
    write(home, "Host web1\n ProxyCommand none\nHost *\n ProxyCommand nc %h %p\n")
    assert route("web1", SshSettings())[0].command == ""


def test_tokens_of_a_proxy_command(home: Path) -> None:
    if not shutil.which("ssh"):
        pytest.skip("no ssh on this machine")
    write(home, "Host web1\n HostName 10.0.0.1\n HostKeyAlias vault\n ProxyCommand c %n %k 100%% %%h %x\n")
    assert route("web1", SshSettings())[0].command == "c web1 vault 100% %h %x"


def places(hops: Sequence[SshHop]) -> list[str]:
    return [f"{hop.user}@{hop.place}" if hop.user != getpass.getuser() else hop.place for hop in hops]


@pytest.mark.usefixtures("reader")
def test_each_jump_host_is_reached_in_its_own_way(home: Path) -> None:
    write(
        home,
        "Host inner\n ProxyJump middle\nHost middle\n HostName 10.0.1.1\n User ops\n ProxyJump amy@outer:2201\n"
        "Host outer\n ProxyCommand nc %h %p\n",
    )
    hops = route("inner", SshSettings())
    assert places(hops) == ["amy@outer:2201", "ops@10.0.1.1:22", "inner:22"]
    assert [hop.command for hop in hops] == ["nc outer 2201", "", ""]
    assert places(route("db", SshSettings(jump="middle"))) == ["amy@outer:2201", "ops@10.0.1.1:22", "db:22"]
    # As with ssh -J: only the first of a chain is reached in its own way, the next ones through the one before.
    assert places(route("db", SshSettings(jump="x,middle"))) == ["x:22", "ops@10.0.1.1:22", "db:22"]
    assert places(route("db", SshSettings(jump="middle, x"))) == [
        "amy@outer:2201",
        "ops@10.0.1.1:22",
        "x:22",
        "db:22",
    ]
    assert places(route("inner", SshSettings(jump="none"))) == ["inner:22"]


@pytest.mark.usefixtures("reader")
def test_jump_hosts_are_named_in_every_way_that_openssh_has(home: Path) -> None:
    write(home, "Host v6\n ProxyJump amy@[2001:db8::1]:2222\nHost uri\n ProxyJump ssh://bob@b:2022\n")
    assert places(route("v6", SshSettings()))[0] == "amy@[2001:db8::1]:2222"
    assert places(route("uri", SshSettings()))[0] == "bob@b:2022"
    said = "SSH://amy@[fe80::1%eth0]:22/,svc@corp.example@b,[::1],c:2200"
    assert places(route("n", SshSettings(jump=said))) == [
        "amy@[fe80::1%eth0]:22",
        "svc@corp.example@b:22",
        "[::1]:22",
        "c:2200",
        "n:22",
    ]


def test_tokens_of_a_jump_host(home: Path) -> None:
    if not shutil.which("ssh"):
        pytest.skip("no ssh on this machine")
    write(home, "Host web*.lan\n HostName 10.0.0.1\n ProxyJump %r@jump-%n:22\n")
    assert places(route("web1.lan", SshSettings(user="amy")))[0] == "amy@jump-web1.lan:22"


@pytest.mark.parametrize(
    ("text", "circle"),
    [
        ("Host *\n ProxyJump bastion\n", "web1 -> bastion -> bastion"),
        ("Host web1\n ProxyJump a\nHost a\n ProxyJump b\nHost b\n ProxyJump a\n", "web1 -> a -> b -> a"),
        ("Host web1\n ProxyJump a\nHost a\n ProxyJump web1\n", "web1 -> a -> web1"),
    ],
)
def test_a_circle_of_jump_hosts_is_named(home: Path, monkeypatch: pytest.MonkeyPatch, text: str, circle: str) -> None:
    write(home, text)
    with pytest.raises(UnreachableError, match="jumphost loop via bastion" if "bastion" in text else circle) as caught:
        route("web1", SshSettings())
    assert "ProxyJump none" in caught.value.hint
    monkeypatch.setattr("shutil.which", lambda program: None)
    with pytest.raises(UnreachableError, match=f"the jump hosts of web1 lead in a circle: {circle}") as caught:
        route("web1", SshSettings())
    assert "ProxyJump none" in caught.value.hint


def test_a_machine_may_be_the_way_to_another_port_of_itself() -> None:
    assert places(route("web1", SshSettings(port=2222, jump="web1"))) == ["web1:22", "web1:2222"]


@pytest.mark.usefixtures("reader")
def test_an_endless_way_ends(home: Path) -> None:
    write(home, "Host *\n ProxyJump x%h\n")
    with pytest.raises(UnreachableError, match="more than 8 jump hosts lead to web1"):
        route("web1", SshSettings())
    with pytest.raises(UnreachableError, match="more than 8 jump hosts lead to web1"):
        route("web1", SshSettings(ssh_config="", jump=",".join(f"j{number}" for number in range(9))))


@pytest.mark.usefixtures("reader")
def test_each_hop_has_its_own_user_keys_and_agent(home: Path) -> None:
    secret = Secret("s")
    write(
        home,
        "Host bastion\n User ops\n IdentityFile ~/.ssh/ops\n CertificateFile ~/.ssh/ops-cert.pub\n"
        " IdentityAgent /ops/agent\n HostKeyAlias gate\nHost web1\n IdentityFile ~/.ssh/web\n",
    )
    settings = SshSettings(user="preflight", key_file="~/pf", jump="bastion,other", password=secret)
    bastion, other, node = route("web1", settings)
    assert (bastion.user, other.user, node.user) == ("ops", "preflight", "preflight")
    assert bastion.named_keys == (home / ".ssh/ops", home / "pf")
    assert (other.named_keys, node.named_keys) == ((home / "pf",), (home / "pf",))
    assert bastion.certificates == (home / ".ssh/ops-cert.pub",)
    assert (bastion.agent, node.agent, bastion.known_as, node.known_as) == ("/ops/agent", "/run/agent", "gate", "")
    # The inventory's password is its own user's.
    assert (bastion.password, other.password, node.password) == (None, secret, secret)


@pytest.mark.usefixtures("reader")
def test_what_the_file_names_of_the_usual_keys_is_named(home: Path) -> None:
    write(home, "Host web1\n IdentityFile ~/.ssh/id_rsa\n IdentitiesOnly yes\nHost web2\n IdentityFile none\n")
    (hop,) = route("web1", SshSettings())
    assert (hop.named_keys, hop.identities_only) == ((home / ".ssh/id_rsa",), True)
    (hop,) = route("web2", SshSettings())
    assert (hop.named_keys, hop.identities_only) == ((), False)
    assert route("web3", SshSettings(key_file="~/k"))[0].identities_only


def test_algorithms_of_the_file(home: Path, reader: str) -> None:
    write(
        home,
        "Host old\n KexAlgorithms +diffie-hellman-group14-sha1\n Ciphers aes256-ctr\n MACs -hmac-sha1*\n"
        " HostKeyAlgorithms ^rsa-sha2-256\n PubkeyAcceptedKeyTypes rsa-sha2-512\n",
    )
    wishes = route("old", SshSettings())[0].wishes
    if reader == "paramiko":
        assert (wishes.kex, wishes.macs) == ("+diffie-hellman-group14-sha1", "-hmac-sha1*")
    else:
        assert wishes.kex.endswith(",diffie-hellman-group14-sha1")
        assert "hmac-sha2-256" in wishes.macs
        assert "hmac-sha1" not in wishes.macs
        assert wishes.host_keys.startswith("rsa-sha2-256,")
    assert (wishes.ciphers, wishes.signatures) == ("aes256-ctr", "rsa-sha2-512")
    assert route("new", SshSettings())[0].wishes == Wishes()


def test_a_full_disk_keeps_nobody_from_reading_the_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    write(home, "Host web1\n User bob\n Port 2200\n")
    monkeypatch.setattr("tempfile.TemporaryDirectory", full)
    (hop,) = route("web1", SshSettings())
    assert (hop.user, hop.port, hop.named_keys) == ("bob", 2200, ())


def test_a_file_whose_name_ssh_would_take_apart(tmp_path: Path) -> None:
    odd = tmp_path / "my *config"
    odd.write_text("Host web1\n User bob\n")
    hop = route("web1", SshSettings(ssh_config=str(odd)))[0]
    assert (hop.user, hop.named_keys) == ("bob", ())


def test_tokens_in_file_names_are_filled_in(home: Path) -> None:
    if not shutil.which("ssh"):
        pytest.skip("no ssh on this machine")
    write(home, "Host web1\n HostName 10.0.0.1\n IdentityFile %d/keys/%r@%h:%p%%x\n")
    (hop,) = route("web1", SshSettings(user="amy", port=2200))
    assert hop.named_keys == (home / "keys/amy@10.0.0.1:2200%x",)


@pytest.mark.usefixtures("reader")
def test_files_that_cannot_be_used_are_told(home: Path) -> None:
    with pytest.raises(UnreachableError, match="there is no such file"):
        route("web1", SshSettings(ssh_config="~/nowhere"))
    write(home, "Host web1\n Port abc\n")
    with pytest.raises(UnreachableError, match=r"not usable|no number"):
        route("web1", SshSettings())


@pytest.mark.parametrize(
    "jump",
    ["user@", "bastion:x", "@:", "bastion:²", "bastion:", "[::1", "[::1]x", "b:0", "b:70000", "a,-oX", "-l@b"],
)
def test_a_jump_host_that_is_none(jump: str) -> None:
    with pytest.raises(UnreachableError, match=r"is not|no port"):
        route("web1", SshSettings(jump=jump))


def test_a_host_that_looks_like_an_option_is_none(home: Path) -> None:
    write(home, "Host *\n User bob\n")
    with pytest.raises(UnreachableError, match=r"not usable"):
        route("-oProxyCommand=touch /tmp/x", SshSettings())


@pytest.mark.skipif(not POSSIBLE, reason="elsewhere each node has its thread")
def test_openssh_s_reader_keeps_no_other_conversation_waiting(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A `Match exec` may take seconds, and all nodes are asked in one thread."""
    others_have_ended = threading.Event()

    def reads(*_: Any, **__: Any) -> children.Done:
        assert others_have_ended.wait(20), "the others wait for it"
        return children.Done(0, b"user somebody\n", b"")

    write(home, "Host *\n")
    monkeypatch.setattr(children, "run", reads)
    monkeypatch.setattr("scanner.transports.ssh.config.shutil.which", lambda _: "/of/this/test/ssh")
    with GreenExecutor(2) as conversations:
        found = conversations.submit(route, "node", SshSettings())
        assert conversations.submit(lambda: 7).result(20) == 7
        others_have_ended.set()
        (hop,) = found.result(20)
    assert hop.user == "somebody"
