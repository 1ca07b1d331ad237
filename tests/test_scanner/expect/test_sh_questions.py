"""What is asked of Linux nodes, in every shell that this machine has, with values that mean harm."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from checks.engine.expect.model import Expectation, Kind
from checks.engine.expect.observation import Observation
from scanner.probes.batch.sh import compose, parse
from scanner.probes.expect.probes import probes_of
from scanner.probes.expect.readers import read_sh
from scanner.probes.probe import Answer, UnreadableError
from scanner.probes.sudoers import sudoers_lines

NONCE = "7f3a00nonce"
SHELLS = [
    shell
    for shell in (["dash"], ["bash", "--posix"], ["busybox", "sh"], ["ksh"], ["mksh"], ["zsh", "--emulate", "sh"])
    if shutil.which(shell[0])
] or [["sh"]]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the nodes that are asked so run POSIX systems")
HOSTILE = [
    "'; touch pwned; '",
    "$(touch pwned)",
    "`touch pwned`",
    '"; touch pwned; "',
    "\\'; touch pwned #",
    "${IFS}touch${IFS}pwned",
    "a|touch pwned",
    "a&touch pwned&",
    "-e",
    "--help",
    "*",
    "%s%n\\n",
    "!x ~ {a,b} é\u2028\u202e",
    "answer-ends",
    "exists no",
]


def wanted(kind: Kind, subject: str, name: str = "own", **wants: Any) -> Expectation:
    return Expectation(id=name, title="t", kind=kind, subject=subject, wants=wants)


def asked(
    *expectations: Expectation, via: list[str], cwd: Path | None = None, path: str | None = None
) -> dict[str, Observation | str]:
    """What each expectation's question came to, or why it came to nothing."""
    probes = [probe for one in expectations for probe in probes_of(one) if probe.language == "sh"]
    script = compose(probes, nonce=NONCE, budget_s=300, options={}, sudo=False, probe_bytes=50_000)
    done = subprocess.run(
        [shutil.which(via[0]) or via[0], *via[1:], "-s"],
        input=script.encode(),
        capture_output=True,
        timeout=300,
        cwd=cwd,
        env={**os.environ, **({"PATH": path} if path else {})},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    answers = parse(done.stdout, nonce=NONCE, probe_ids=[probe.id for probe in probes])
    found: dict[str, Observation | str] = {}
    for one, probe in zip(expectations, probes, strict=True):
        answer = answers[probe.id]
        assert isinstance(answer, Answer), (one, answer)
        try:
            found[one.id] = read_sh(one, answer)
        except UnreadableError as error:
            found[one.id] = str(error)
    return found


def of(found: dict[str, Observation | str], name: str) -> Observation:
    seen = found[name]
    assert isinstance(seen, Observation), seen
    return seen


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_each_shell_says_what_is_there(shell: list[str], tmp_path: Path) -> None:
    file = tmp_path / "a file"
    file.write_text("PermitRootLogin no\n# caf\u00e9 'quoted'\n")
    file.chmod(0o640)
    (tmp_path / "broken").symlink_to("nowhere")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        found = asked(
            wanted(
                "file",
                str(file),
                "file",
                mode="0640",
                size="40",
                type="file",
                owner="x",
                sha256="0" * 64,
                contains=("caf\u00e9 'quoted'", "absent", "P.rmit"),
                matches=("^P.*no$", "^no"),
            ),
            wanted("file", str(tmp_path), "folder", type="folder"),
            wanted("file", str(tmp_path / "broken"), "broken"),
            wanted("file", str(file / "below"), "below"),
            wanted("file", str(file), "bad-expression", matches_not=("[",)),
            wanted("file", str(tmp_path), "no-content", lacks=("x",)),
            wanted("port", port, "port", address="127.0.0.1"),
            wanted("port", "1", "nobody"),
            wanted("command", "echo 'OpenSSH_9.2p1, OpenSSL 3.0.11'; exit 3", "command", version=">1", value="x"),
            wanted("command", "echo 'unfinished", "unfinished"),
            wanted("command", "kill -9 $$", "killed"),
            wanted("command", "nosuchcommand-at-all", "absent"),
            wanted("command", "printf 'exit 0\\nanswer-ends\\n'; exit 5", "imitation"),
            via=shell,
        )
    stat = file.stat()
    assert of(found, "file").found == {
        "exists": "yes",
        "mode": "0640",
        "size": str(stat.st_size),
        "type": "file",
        "owner": file.owner(),
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        "contains-1": "yes",
        "contains-2": "no",
        "contains-3": "no",
        "matches-1": "yes",
        "matches-2": "no",
    }
    assert of(found, "folder").found == {"exists": "yes", "type": "folder"}
    assert of(found, "broken").found == of(found, "below").found == {"exists": "no"}
    assert "matches-not-1" in of(found, "bad-expression").gaps
    assert "irectory" in of(found, "no-content").gaps["lacks-1"]
    assert of(found, "port").found == {"listening": "yes", "addresses": "127.0.0.1"}
    assert of(found, "nobody").found == {"listening": "no"}
    assert of(found, "command").found == {
        "exit": "3",
        "version": "9.2p1",
        "value": "OpenSSH_9.2p1, OpenSSL 3.0.11",
    }
    assert of(found, "unfinished").found["exit"] == "2"
    assert of(found, "killed").found["exit"] == "137"
    assert of(found, "absent").found["exit"] == "127"
    assert of(found, "imitation").found["exit"] == "5"


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_no_value_is_run_whatever_it_is(shell: list[str], tmp_path: Path) -> None:
    haystack = tmp_path / "haystack"
    haystack.write_text("\n".join(HOSTILE) + "\n", encoding="utf-8")
    every = []
    for number, text in enumerate(HOSTILE):
        named = tmp_path / f"{number} {text.replace('/', '')}"
        named.write_text("x")
        every.append(wanted("file", str(haystack), f"in-{number}", contains=(text,), lacks=(text,)))
        every.append(wanted("file", str(named), f"named-{number}", type="file", sha256="x"))
        every.append(wanted("file", f"/nowhere/{text}", f"nowhere-{number}"))
    found = asked(*every, via=shell, cwd=tmp_path)
    for number in range(len(HOSTILE)):
        assert of(found, f"in-{number}").found["contains-1"] == "yes"
        assert of(found, f"in-{number}").found["lacks-1"] == "yes"
        assert of(found, f"named-{number}").found["type"] == "file"
        assert of(found, f"nowhere-{number}").found == {"exists": "no"}
    assert not list(tmp_path.rglob("pwned"))
    assert not Path("/pwned").exists()


def test_not_even_names_that_no_inventory_lets_through(tmp_path: Path) -> None:
    every = [wanted("service", text, f"service-{at}", enabled=True) for at, text in enumerate(HOSTILE)]
    every += [wanted("package", text, f"package-{at}") for at, text in enumerate(HOSTILE)]
    assert len(asked(*every, via=["sh"], cwd=tmp_path)) == len(every)
    assert not list(tmp_path.rglob("pwned"))


STAND_INS = {
    "systemctl": "#!/bin/sh\nprintf '%s\\n' \"$SHOW\"\nexit ${CODE:-0}\n",
    "sv": "#!/bin/sh\nprintf '%s\\n' \"$SHOW\"\n",
    "dpkg-query": "#!/bin/sh\nprintf '%s\\n' \"$DPKG\" >&${FD:-1}\nexit ${DPKG_CODE:-0}\n",
    "rpm": "#!/bin/sh\nprintf '%s\\n' \"$RPM\"\nexit ${RPM_CODE:-0}\n",
}


def answered(kind: Kind, *lines: str, ends: bool = True, exit_code: int = 0, **wants: Any) -> Observation:
    text = "\n".join([*lines, *(["answer-ends"] if ends else [])])
    return read_sh(wanted(kind, "it", **wants), Answer(text + "\n", exit_code))


def systemd(load: str, active: str, sub: str, unit_file: str, **wants: Any) -> Observation:
    lines = [f"LoadState {load}", f"ActiveState {active}", f"SubState {sub}", f"UnitFileState {unit_file}"]
    return answered("service", "manager systemd", *lines, **wants)


class TestServices:
    def test_systemd(self) -> None:
        found = systemd("loaded", "active", "running", "enabled", enabled=True).found
        assert found == {"exists": "yes", "state": "active (running)", "running": "yes", "enabled": "yes"}
        assert systemd("not-found", "inactive", "dead", "").found == {"exists": "no"}
        assert systemd("masked", "inactive", "dead", "masked", enabled=True).found["enabled"] == "no"

    def test_one_that_has_exited_does_not_run(self) -> None:
        assert systemd("loaded", "active", "exited", "enabled").found["running"] == "no"

    @pytest.mark.parametrize("unit_file", ["static", "indirect", "generated", "linked", ""])
    def test_of_whom_others_decide_whether_it_starts_cannot_be_told(self, unit_file: str) -> None:
        assert "enabled" in systemd("loaded", "active", "running", unit_file, enabled=True).gaps

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("run: nginx: (pid 811) 6s; run: log: (pid 810) 6s", ("yes", "yes")),
            ("run: /opt/x/nginx: (pid 811) 6s, normally down", ("yes", "no")),
            ("down: nginx: 3s, normally up; run: log: (pid 810) 6s", ("no", "yes")),
            ("down: nginx: 3s", ("no", "no")),
            ("finish: nginx: (pid 3) 0s, want up", ("no", "no")),
        ],
    )
    def test_runit(self, text: str, found: tuple[str, str]) -> None:
        seen = answered("service", "manager runit", f"status {text}", enabled=True).found
        assert (seen["running"], seen["enabled"]) == found

    def test_runit_s_refusal_is_no_answer(self) -> None:
        denied = "warning: nginx: unable to open supervise/ok: access denied"
        assert denied in answered("service", "manager runit", f"status {denied}").gaps["exists"]
        absent = "fail: nginx: unable to change to service directory: file does not exist"
        assert answered("service", "manager runit", f"status {absent}").found == {"exists": "no"}


class TestPackages:
    def test_dpkg_and_rpm(self) -> None:
        dpkg = answered("package", "dpkg install ok installed 1:9.2p1-2", "asked yes").found
        assert dpkg == {"installed": "yes", "version": "1:9.2p1-2", "manager": "dpkg"}
        rpm = answered("package", "rpm (none):7.4p1-23.el7", "rpm 1:7.4p1-24.el7", "asked yes").found
        assert rpm["version"] == "7.4p1-23.el7, 1:7.4p1-24.el7"

    def test_one_that_was_removed_is_not_installed(self) -> None:
        assert answered("package", "dpkg deinstall ok config-files 1.0", "asked yes").found == {"installed": "no"}

    def test_one_that_is_half_there_cannot_be_told(self) -> None:
        assert (
            "half-configured"
            in answered("package", "dpkg install ok half-configured 1.0", "asked yes").gaps["installed"]
        )

    def test_a_broken_database_beside_another_that_has_it(self) -> None:
        said = ("gap installed error: cannot open Packages database", "dpkg install ok installed 1.0", "asked yes")
        assert answered("package", *said).found["installed"] == "yes"
        assert answered("package", said[0], "asked yes").gaps

    @pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
    def test_the_programs_own_words_in_each_shell(
        self, shell: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, text in STAND_INS.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        path = f"{tmp_path}:{os.environ['PATH']}"
        monkeypatch.setenv("DPKG", "dpkg-query: no packages found matching it")
        monkeypatch.setenv("DPKG_CODE", "1")
        monkeypatch.setenv("RPM", "package it is not installed")
        monkeypatch.setenv("RPM_CODE", "1")
        assert of(asked(wanted("package", "it"), via=shell, path=path), "own").found == {"installed": "no"}
        monkeypatch.setenv("RPM", "error: rpmdb: BDB0113 Thread/process failed")
        monkeypatch.setenv("DPKG", "dpkg-query: error: failed to open package info file")
        seen = of(asked(wanted("package", "it"), via=shell, path=path), "own")
        assert "failed to open" in seen.gaps["installed"]


@pytest.mark.parametrize(
    ("kind", "lines", "said"),
    [
        ("file", ("exists yes",), "does not say mode"),
        ("file", ("exists perhaps", "stat 81a4/1/root/root"), "neither yes nor no"),
        ("file", ("exists yes", "stat rubbish"), "stat gave"),
        ("file", ("exists yes", "exists no"), "twice"),
        ("file", ("exists yes", "stat 81a4/1/root/root", "more x"), "was not asked"),
        ("service", ("manager systemd", "LoadState loaded"), "systemctl does not say ActiveState"),
        ("package", ("dpkg what is this",), "dpkg-query gave"),
        ("package", ("rpm x",), "rpm gave"),
        ("package", (), "nobody says whether it is installed"),
        ("port", (), "nobody says whether anybody listens"),
        ("port", ("address 0100007G", "asked yes"), "is no address"),
    ],
)
def test_what_is_not_understood_is_refused(kind: Kind, lines: tuple[str, ...], said: str) -> None:
    wants: dict[str, Any] = {"mode": "0600"} if kind == "file" else {}
    with pytest.raises(UnreadableError, match=said):
        answered(kind, *lines, **wants)


@pytest.mark.parametrize("kind", ["file", "service", "package", "port", "command"])
def test_an_answer_that_is_cut_off_is_none(kind: Kind) -> None:
    whole = {
        "file": "exists no\nanswer-ends\n",
        "service": "manager systemd\nLoadState not-found\nActiveState inactive\nSubState dead\nanswer-ends\n",
        "package": "asked yes\nanswer-ends\n",
        "port": "asked yes\nanswer-ends\n",
        "command": "x\nexit 0\nanswer-ends\n",
    }[kind]
    assert read_sh(wanted(kind, "it"), Answer(whole, 0))
    for size in range(len(whole) - 1):
        with pytest.raises(UnreadableError):
            read_sh(wanted(kind, "it"), Answer(whole[:size], 0))
    for spoilt in (Answer(whole, 1), Answer(whole, 0, truncated=True)):
        with pytest.raises(UnreadableError):
            read_sh(wanted(kind, "it"), spoilt)


def test_what_is_read_as_root_stands_in_lines_of_sudoers() -> None:
    one = Expectation(
        id="own", title="t", kind="file", subject="/etc/shadow", wants={"sha256": "x", "contains": ("a b",)}, sudo=True
    )
    (probe, _) = probes_of(one)
    assert {line.partition("NOPASSWD: ")[2] for line in sudoers_lines("p", [probe])} == {
        f"{folder}/{command}"
        for folder in ("/usr/bin", "/bin")
        for command in ("stat -L -c %f/%s/%U/%G -- /etc/shadow", "sha256sum -- /etc/shadow", "cat -- /etc/shadow")
    }
    with pytest.raises(ValueError, match="cannot be read as root"):
        probes_of(Expectation(id="own", title="t", kind="file", subject="/a;b", sudo=True))


def test_content_never_leaves_the_node(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2 is the password\n")
    probes = probes_of(wanted("file", str(secret), contains=("hunter",), matches_not=("^x",), sha256="x"))
    script = compose(probes[:1], nonce=NONCE, budget_s=30, options={}, sudo=False, probe_bytes=50_000)
    done = subprocess.run(["sh", "-s"], input=script.encode(), capture_output=True, timeout=30, check=True)
    assert b"contains-1 yes" in done.stdout
    assert b"hunter2" not in done.stdout + done.stderr
