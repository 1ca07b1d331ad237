"""What the machines of a Chef Backend cluster say of themselves, read from recordings and from a real shell."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import re
from dataclasses import replace
from pathlib import Path

import pytest

from checks.chef_backend.backend.config_settings import digest
from checks.chef_backend.facts.machine import (
    ConfigDigest,
    DrbdTraces,
    InstalledPackage,
    SecretsFile,
    StagedPackage,
    StraySecrets,
)
from scanner.probes.chef_backend import node
from scanner.probes.chef_backend.node_readers import (
    BACKEND_SECRETS,
    FRONTEND_SECRETS,
    STAGED_BYTES,
    read_config_digest,
    read_drbd_traces,
    read_installed_package,
    read_leader_answer,
    read_secrets_files,
    read_staged_package,
    read_stray_secrets,
)
from scanner.probes.linux.ruby_settings import CONFIG_LINES
from scanner.probes.probe import Answer, UnreadableError
from tests.test_scanner.conftest import Play, put

NO_PACKAGE = "exit 1"


def test_an_rpm_is_read_from_a_real_shell(play: Play, tmp_path: Path) -> None:
    put(tmp_path, "/opt/chef-backend/version-manifest.json", '{"manifest_format":2,"build_version":"2.2.5","x":{}}')
    answer = play(node.PACKAGE, rpm="printf '2.2.5-1.el7 1700000000|'", dpkg_query=NO_PACKAGE, date="echo 1800000000")
    assert read_installed_package(answer) == InstalledPackage(
        manager="rpm",
        version="2.2.5-1.el7",
        state="installed",
        installed_s=1_700_000_000,
        now_s=1_800_000_000,
        manifest="2.2.5",
    )


def test_a_deb_is_read_from_a_real_shell(play: Play, tmp_path: Path) -> None:
    os.utime(put(tmp_path, "/var/lib/dpkg/info/chef-backend.list", ""), (1, 1_700_000_000))
    commands = {"rpm": NO_PACKAGE, "dpkg_query": "printf 'install ok installed 2.2.5-1'", "date": "echo 1800000000"}
    found = read_installed_package(play(node.PACKAGE, **commands))
    assert found == InstalledPackage(
        manager="deb", version="2.2.5-1", state="installed", installed_s=1_700_000_000, now_s=1_800_000_000, manifest=""
    )
    (tmp_path / "var/lib/dpkg/info/chef-backend.list").unlink()
    assert read_installed_package(play(node.PACKAGE, **commands)).installed_s is None


def test_no_package_and_a_removed_one_are_none(play: Play) -> None:
    gone = {"rpm": NO_PACKAGE, "dpkg_query": NO_PACKAGE}
    assert read_installed_package(play(node.PACKAGE, **gone)).manager == ""
    gone["dpkg_query"] = "printf 'deinstall ok config-files 2.2.5-1'"
    assert read_installed_package(play(node.PACKAGE, **gone)).manager == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "rpm 2.2.5-1 170|2.2.4-1 160|\nnow 1800000000\nmanifest grep: x: No such file or directory\n",
        "rpm 2.2.5-1 170|\nnow ?\nmanifest grep: x: No such file or directory\n",
        "rpm 2.2.5-1 170|\nnow 1800000000\nmanifest \n",
        "rpm 2.2.5-1 170|\nnow 1800000000\nmanifest grep: x: Permission denied\n",
        "deb install ok unpacked\nnow 1800000000\nmanifest grep: x: No such file or directory\n",
        "rpm 2.2.5-1 170|\nnow 1800000000\nmanifest grep: x: No such file or directory\nand more\n",
        *(
            f"rpm {version} 170|\nnow 1800000000\nmanifest grep: x: No such file or directory\n"
            for version in (
                "2.2-1",
                "2.2.S-1",
                "2..5-1",
                "2.2.5-l",
                "2.2.5-1\N{REPLACEMENT CHARACTER}",
                "Qzxvw",
                "\N{ARABIC-INDIC DIGIT TWO}.2.5-1",
            )
        ),
        "deb install ok instal1ed 2.2.5-1 1700000000\nnow 1800000000\nmanifest grep: x: No such file or directory\n",
    ],
)
def test_a_garbled_package_is_shown(text: str) -> None:
    with pytest.raises(UnreadableError, match="the installed package of chef-backend"):
        read_installed_package(Answer(text, 0))


def staged(play: Play, path: object, **commands: str) -> StagedPackage:
    options = {} if path is None else {"package": str(path)}
    return read_staged_package(play(node.STAGED, options=options, **commands))


def test_a_staged_package_is_hashed_and_named_on_the_node(play: Play, tmp_path: Path) -> None:
    file = put(tmp_path, "/it's a folder/chef-backend-2.3.16-1.el7.x86_64.rpm", "package")
    sha256 = hashlib.sha256(b"package").hexdigest()
    found = staged(play, file, rpm="echo chef-backend 2.3.16-1.el7")
    assert found == StagedPackage(
        path="declared", state="hashed", size_bytes=7, sha256=sha256, name="chef-backend", version="2.3.16-1.el7"
    )
    assert staged(play, file, rpm="exit 1").version == ""
    deb = put(tmp_path, "/chef-backend_2.3.16-1_amd64.deb", "package")
    assert staged(play, deb, dpkg_deb="echo chef-backend 2.3.16-1").version == "2.3.16-1"


def test_a_staged_package_that_is_not_there_or_none(play: Play, tmp_path: Path) -> None:
    assert staged(play, None).state == "undeclared"
    assert staged(play, tmp_path / "none.rpm").state == "missing"
    assert staged(play, tmp_path).state == "no-file"
    assert staged(play, put(tmp_path, "empty.rpm", "")).state == "empty"
    huge = tmp_path / "huge.rpm"
    with huge.open("wb") as file:
        file.truncate(STAGED_BYTES + 1)
    assert staged(play, huge) == StagedPackage(path="declared", state="too-large", size_bytes=STAGED_BYTES + 1)
    denied = "echo 'sha256sum: x: Permission denied'; exit 1"
    assert staged(play, put(tmp_path, "x.rpm", "x"), sha256sum=denied).state == "denied"


@pytest.mark.parametrize(
    "text", ["", "size 7 regular file\n", "size 7 regular file\nsha256 ?\n", "hello\n", "size x\n"]
)
def test_a_garbled_staged_package_is_shown(text: str) -> None:
    with pytest.raises(UnreadableError, match="the staged package"):
        read_staged_package(Answer(text, 0))


def test_secrets_are_hashed_on_the_node_and_stay_there(play: Play, tmp_path: Path) -> None:
    put(tmp_path, BACKEND_SECRETS, "hush").chmod(0o640)
    answer = play(node.SECRETS)
    assert "hush" not in answer.output
    found = read_secrets_files(answer)
    owner, group = pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name
    sha256 = hashlib.sha256(b"hush").hexdigest()
    assert found.backend == SecretsFile(
        path=BACKEND_SECRETS, state="hashed", sha256=sha256, mode="640", owner=owner, group=group
    )
    assert found.frontend == SecretsFile(path=FRONTEND_SECRETS, state="missing")


def test_the_rights_are_those_of_the_file_and_not_of_a_link_to_it(play: Play, tmp_path: Path) -> None:
    put(tmp_path, "/etc/real.json", "hush").chmod(0o640)
    (tmp_path / "etc/chef-backend").mkdir()
    (tmp_path / BACKEND_SECRETS.lstrip("/")).symlink_to(tmp_path / "etc/real.json")
    assert read_secrets_files(play(node.SECRETS)).backend.mode == "640"


def test_an_answer_to_an_earlier_preflight_tells_the_mode_alone() -> None:
    missing = f"sha256sum: {FRONTEND_SECRETS}: No such file or directory"
    found = read_secrets_files(Answer(f"{'a' * 64}  {BACKEND_SECRETS}\n640{BACKEND_SECRETS}\n{missing}\n", 0))
    assert found.backend == SecretsFile(path=BACKEND_SECRETS, state="hashed", sha256="a" * 64, mode="640")


def test_secrets_that_may_not_be_read_are_denied_and_garbage_is_shown() -> None:
    lines = [
        f"sha256sum: {BACKEND_SECRETS}: Permission denied",
        f"stat: cannot stat '{BACKEND_SECRETS}': Permission denied",
    ]
    lines += [f"sha256sum: {FRONTEND_SECRETS}: No such file or directory"]
    assert read_secrets_files(Answer("\n".join(lines), 0)).backend.state == "denied"
    for text in ("", f"beef  {BACKEND_SECRETS}\n", "sudo: a password is required\n"):
        with pytest.raises(UnreadableError):
            read_secrets_files(Answer(text, 0))


LISTED = """\
as root
-rw-r----- 1 0 992 470 Nov 24 03:30 /etc/chef-backend/chef-backend-secrets.json
-rw-r--r-- 1 0 0 470 Nov 24  2024 /root/chef-backend-cleanse-1/chef-backend-secrets.json
-rw------- 1 0 0 470 Nov 24 03:30 /tmp/chef-backend-secrets.json
-rw-------. 1 1000 1000 470 Nov 24 03:30 /home/kim/chef-backend-secrets.json
-rw-------+ 1 0 0 470 Nov 24 03:30 /home/ann/chef-backend-secrets.json
-rw-r----- 1 0 0 470 Nov 24 03:30 /home/bob/with a blank/chef-backend-secrets.json
-rw-rw-rw- 1 0 0 470 Nov 24 03:30 /home/eve/chef-backend-secrets.json
lrwxrwxrwx 1 0 0 470 Nov 24 03:30 /home/sue/chef-backend-secrets.json -> /mnt/x
drwxr-xr-x 3 0 0 4096 Nov 24 03:30 /home
drwxr-x--- 3 0 27 4096 Nov 24 03:30 /home/eve
dr-xr-x---. 3 0 0 4096 Nov 24 03:30 /root
drwxrwxrwt 3 0 0 4096 Nov 24 03:30 /tmp
"""


def test_who_may_get_at_a_copy_is_told_by_its_rights_and_those_of_the_folders() -> None:
    found = read_stray_secrets(Answer(LISTED, 0))
    assert len(found.paths) == 7
    assert found.closed == (
        "/root/chef-backend-cleanse-1/chef-backend-secrets.json",
        "/tmp/chef-backend-secrets.json",
        "/home/bob/with a blank/chef-backend-secrets.json",
    )
    assert found.links == ("/home/sue/chef-backend-secrets.json -> /mnt/x",)


def test_strays_are_found_by_name_with_the_rights_that_they_have(play: Play, tmp_path: Path) -> None:
    for name in (BACKEND_SECRETS, "/home/kim/chef-backend-secrets.json", "/home/kim/a/b/c/chef-backend-secrets.json"):
        put(tmp_path, name, "{}")
    put(tmp_path, "/root/chef-backend-cleanse-1/chef-backend-secrets.json", "{}").chmod(0o644)
    (tmp_path / "root").chmod(0o700)
    (tmp_path / "home/kim/x").mkdir()
    (tmp_path / "home/kim/x/chef-backend-secrets.json").symlink_to("/etc/chef-backend/chef-backend-secrets.json")
    (tmp_path / "tmp").mkdir()
    (tmp_path / "var/tmp").mkdir(parents=True)
    answer = play(node.STRAYS)
    # Above the node's own folders lie those of this test.
    own = [line for line in answer.output.splitlines() if re.search(r" /(etc|home|root)|as root|form|end", line)]
    answer = replace(answer, output="\n".join(own))
    found = read_stray_secrets(answer)
    assert sorted(found.paths) == [
        BACKEND_SECRETS,
        "/home/kim/chef-backend-secrets.json",
        "/root/chef-backend-cleanse-1/chef-backend-secrets.json",
    ]
    assert found.unseen == found.homes == ()
    assert found.links == (f"/home/kim/x/chef-backend-secrets.json -> {BACKEND_SECRETS}",)
    for folder in ("/home", "/home/kim", "/root/chef-backend-cleanse-1", "/etc/chef-backend"):
        assert re.search(rf"^d.* {folder}$", answer.output, re.MULTILINE), folder


def test_an_answer_to_an_earlier_preflight_tells_no_rights() -> None:
    left = "/root/chef-backend-cleanse-1/chef-backend-secrets.json"
    copies = (BACKEND_SECRETS, left, "/tmp/chef-backend-secrets.json")
    found = read_stray_secrets(Answer("".join(f"{path}\n" for path in copies), 0))
    assert found == StraySecrets(paths=copies, closed=(left,))
    home = "find: '/home/kim': Permission denied\n"
    assert read_stray_secrets(Answer(f"{BACKEND_SECRETS}\n{home}", 1)).homes == ("'/home/kim': Permission denied",)
    both = read_stray_secrets(Answer(f"find: '/root': Permission denied\n{home}", 1))
    assert (len(both.unseen), both.homes) == (2, ())


def test_a_search_without_its_end_is_cut_off() -> None:
    whole = f"form 2\nas root\n{LISTED}end\n"
    assert read_stray_secrets(Answer(whole, 0)) == read_stray_secrets(Answer(f"as root\n{LISTED}", 0))
    lines = whole.splitlines(keepends=True)
    for length in range(1, len(lines)):
        with pytest.raises(UnreadableError, match="has no end, and may be cut off"):
            read_stray_secrets(Answer("".join(lines[:length]), 0))


def test_a_home_that_root_may_not_enter_is_a_thing_of_its_own() -> None:
    said = (
        "find: '/home/kim': Permission denied\nfind: '/home/x/.gvfs': Permission denied\nfind: '/root/y': Stale file\n"
    )
    found = read_stray_secrets(Answer("as root\n", 1, error_output=said))
    assert found.homes == ("'/home/kim': Permission denied", "'/home/x/.gvfs': Permission denied")
    assert found.unseen == ("'/root/y': Stale file",)
    # Without root every home is closed, and that is nothing of the home's.
    assert len(read_stray_secrets(Answer("as another\n", 1, error_output=said)).unseen) == 3


@pytest.mark.parametrize(
    "date", ["Nov 26 03:25", "Nov 26  2024", "2026-11-26 03:25", "26. Nov 03:25", "2026-11-26 03:25:10.123 +0000"]
)
def test_a_column_that_is_missing_puts_no_other_in_its_place(date: str) -> None:
    line = f"-rw------- 1 4712    0  4 {date} /home/kim/chef-backend-secrets.json"
    whole = f"form 2\nas root\n{line}\ndrwx------ 2 0 0 4096 {date} /home/kim\nend\n"
    assert read_stray_secrets(Answer(whole, 0)).paths == ("/home/kim/chef-backend-secrets.json",)
    for spoilt in (
        line.replace(" 1 4712", " 4712"),
        line.replace(" 4712 ", " "),
        line.replace("4712    0", "47120"),
        line.replace("1 4712", "14712"),
        line.replace("chef-backend-secrets.json", "chef-b\N{REPLACEMENT CHARACTER}ckend-secrets.json"),
    ):
        with pytest.raises(UnreadableError, match="ended with exit code 0"):
            read_stray_secrets(Answer(whole.replace(line, spoilt), 0))


def test_where_find_could_not_look_is_told_and_garbage_is_shown() -> None:
    answer = Answer("find: '/root': Permission denied\nfind: '/home': No such file or directory\n", 1)
    assert read_stray_secrets(answer) == StraySecrets(paths=(), unseen=("'/root': Permission denied",))
    for text, code in (("hello", 0), ("", 1), ("", 3)):
        with pytest.raises(UnreadableError):
            read_stray_secrets(Answer(text, code))


CONFIG = """\
# max_connections was 300
publish_address '10.0.0.11'

  postgresql.max_connections  = 350   \n\
etcd.heartbeat_interval 500
postgresql.text <<-END
hunter2
END
postgresql['password'] = 'hunter2'
password = "hunter2"
if hunter2?
  hunter2.run "hunter2"
end
"""


def test_no_value_of_the_configuration_leaves_the_node(play: Play, tmp_path: Path) -> None:
    put(tmp_path, "/etc/chef-backend/chef-backend.rb", CONFIG.replace("hunter2.run", "run"))
    answer = play(node.CONFIG)
    found = read_config_digest(answer)
    names = ["publish_address", "postgresql.max_connections", "etcd.heartbeat_interval", "postgresql.password"]
    assert [key for key, _ in found.named] == names
    assert [key for key, _ in found.unclear] == ["postgresql.text", "-", "-", "-", "-"]
    assert ("postgresql.max_connections", digest(350)) in found.named
    assert not found.as_written
    for value in ("hunter2", "350", "10.0.0.11"):
        assert value not in re.sub(r" [0-9a-f]{16}$", "", answer.output, flags=re.MULTILINE)


def test_a_long_configuration_is_cut_and_a_missing_one_is_missing(play: Play, tmp_path: Path) -> None:
    assert read_config_digest(play(node.CONFIG)) == ConfigDigest(state="missing")
    put(tmp_path, "/etc/chef-backend/chef-backend.rb", "etcd.x 1\n" * (CONFIG_LINES + 1))
    found = read_config_digest(play(node.CONFIG))
    assert (len(found.named), found.cut) == (CONFIG_LINES, True)


def test_an_answer_to_an_earlier_preflight_is_read_as_one() -> None:
    answer = Answer(f"set publish_address {'a' * 16}\nset etcd.x {'b' * 16}\nset - {'c' * 16}\n", 0)
    named = (("publish_address", "a" * 16), ("etcd.x", "b" * 16))
    assert read_config_digest(answer) == ConfigDigest(
        state="read", named=named, unclear=(("-", "c" * 16),), as_written=True
    )


@pytest.mark.parametrize("text", ["cat: x: Permission denied\n", "set a.b value\n", "hello\n"])
def test_a_garbled_configuration_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError, match=r"chef-backend\.rb"):
        read_config_digest(Answer(text, 0))


@pytest.mark.parametrize("text", ["", "code 20\n", "code 200\ncode 200\n", "<html>\n"])
def test_a_garbled_leader_is_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError, match="leaderl is not understood"):
        read_leader_answer(Answer(text, 0))


def test_drbd_is_found_in_settings_packages_and_folders(play: Play, tmp_path: Path) -> None:
    none = {"rpm": NO_PACKAGE, "dpkg_query": NO_PACKAGE}
    assert read_drbd_traces(play(node.DRBD, **none)) == DrbdTraces()
    put(tmp_path, "/etc/opscode/chef-server.rb", '# topology "ha"\ntopology "ha"\nbackend_vip "10.0.0.9",\nother "x"\n')
    put(tmp_path, "/proc/drbd", "")
    found = read_drbd_traces(play(node.DRBD, rpm=r"printf 'bash\nkmod-drbd84\ndrbd84-utils\n'", dpkg_query="exit 1"))
    assert found == DrbdTraces(('topology "ha"', "backend_vip"), ("/proc/drbd",), ("kmod-drbd84", "drbd84-utils"))
    put(tmp_path, "/etc/opscode/chef-server.rb", 'topology "standalone"\n')
    assert read_drbd_traces(play(node.DRBD, **none)).settings == ()


@pytest.mark.parametrize("text", ["", "grep: x: Permission denied\nasked\n", 'topology "ha"\n', "hello\nasked\n"])
def test_garbled_traces_of_drbd_are_unreadable(text: str) -> None:
    with pytest.raises(UnreadableError, match="DRBD are not understood"):
        read_drbd_traces(Answer(text, 0))
