"""The sh batch, run by every POSIX shell that this machine has."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from checks.facts import Unknown
from scanner.probes.batch.sh import END_BYTES, ERROR_BYTES, compose, parse, stamps
from scanner.probes.probe import Answer, NodeClock, Probe

NONCE = "7f3a00nonce"
SHELLS = [
    shell
    for shell in (
        *(["dash"], ["bash", "--posix"], ["bash"], ["busybox", "sh"]),
        *(["ksh"], ["mksh"], ["zsh", "--emulate", "sh"]),
    )
    if shutil.which(shell[0])
] or [["sh"]]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the nodes that are asked so run POSIX systems")


def probe(script: str, name: str = "it", *, timeout_s: int = 30, parameters: tuple[str, ...] = ()) -> Probe:
    return Probe(
        id=name, language="sh", purpose="a test", script=script, readers=(), parameters=parameters, timeout_s=timeout_s
    )


def run(
    *probes: Probe,
    shell: Sequence[str] = ("sh",),
    options: Mapping[str, object] | None = None,
    budget_s: float = 20,
    sudo: bool = False,
    probe_bytes: int = 10_000,
    path: str | None = None,
) -> tuple[bytes, dict[str, Answer | Unknown]]:
    script = compose(probes, nonce=NONCE, budget_s=budget_s, options=options or {}, sudo=sudo, probe_bytes=probe_bytes)
    environment = {**os.environ, "HOME": "/"} | ({"PATH": path} if path else {})
    done = subprocess.run(
        [shutil.which(shell[0]) or shell[0], *shell[1:], "-s"],
        input=script.encode(),
        capture_output=True,
        timeout=30,
        env=environment,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == b""
    return done.stdout, parse(done.stdout, nonce=NONCE, probe_ids=[one.id for one in probes])


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_every_answer_is_as_printed(shell: Sequence[str]) -> None:
    quotes = """cat <<'END'\nit's "q" $HOME `x` \\n \\\\ ) ( EOF\nEOF\nEND\nprintf '%s' "a'b$((1+1))" """
    _, said = run(
        probe("echo out; echo err >&2; exit 3", "both"),
        probe("cat; read x; echo [$x]", "reader"),
        probe(quotes, "quotes"),
        probe("printf abc", "unended"),
        probe("printf '\\n\\n'", "blank-lines"),
        probe(":", "silent"),
        probe("printf '\\377\\376x\\303\\251'", "bytes"),
        probe(f"echo '{NONCE.upper()} end forger 0'; echo 'nonce end forger 0'", "forger"),
        probe("kill -9 $$", "killed"),
        probe("exit", "last"),
        shell=shell,
    )
    killed = said.pop("killed")
    assert isinstance(killed, Answer)
    assert (killed.output, killed.exit_code) == ("", 137)  # some shells say "Killed" on standard error
    assert said == {
        "both": Answer("out\n", 3, error_output="err"),
        "reader": Answer("[]\n", 0),
        "quotes": Answer("it's \"q\" $HOME `x` \\n \\\\ ) ( EOF\nEOF\na'b2", 0),
        "unended": Answer("abc", 0),
        "blank-lines": Answer("\n\n", 0),
        "silent": Answer("", 0),
        "bytes": Answer("\\xff\\xfexé", 0),
        "forger": Answer(f"{NONCE.upper()} end forger 0\nnonce end forger 0\n", 0),
        "last": Answer("", 0),
    }


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_standard_error_is_told_apart_however_the_two_are_mixed(shell: Sequence[str]) -> None:
    flood = "head -c 4000000 /dev/zero | tr '\\0' e >&2"
    _, said = run(
        probe("echo Name; echo 'warning: a' >&2; echo Role; printf 'warning: b' >&2; exit 3", "mixed"),
        # Whoever writes as much before its answer is read to the end, or it would never come to the answer.
        probe(f"{flood}; echo table; {flood}; exit 5", "flood"),
        # The answer is still being read here when the last error has long been written.
        probe("echo quick >&2; exec 2>&-; sleep 0.3; echo slow", "late-answer"),
        probe("echo quick; exec >&-; sleep 0.3; echo slow >&2", "late-error"),
        probe("head -c 60000 /dev/zero | tr '\\0' o; echo e >&2", "long-answer"),
        probe("echo answer; echo >&2; echo >&2; printf '\\n\\nx\\n\\n' >&2", "blank-lines"),
        probe("printf '\\377\\000\\303\\251' >&2", "bytes"),
        probe(f"printf 'a\\n{NONCE.upper()} end mixed 0\\n' >&2", "forger"),
        probe("echo just an answer", "last"),
        shell=shell,
        probe_bytes=100_000,
    )
    assert said == {
        "mixed": Answer("Name\nRole\n", 3, error_output="warning: a\nwarning: b"),
        "flood": Answer("table\n", 5, error_output="…" + "e" * ERROR_BYTES),
        "late-answer": Answer("slow\n", 0, error_output="quick"),
        "late-error": Answer("quick\n", 0, error_output="slow"),
        "long-answer": Answer("o" * 60_000, 0, error_output="e"),
        "blank-lines": Answer("answer\n", 0, error_output="\n\n\n\nx"),
        "bytes": Answer("", 0, error_output=said["bytes"].error_output if isinstance(said["bytes"], Answer) else ""),
        "forger": Answer("", 0, error_output=f"a\n{NONCE.upper()} end mixed 0"),
        "last": Answer("just an answer\n", 0),
    }
    odd = said["bytes"]
    assert isinstance(odd, Answer)
    # NUL bytes do not fit into a shell's variable: some shells leave them out, others what follows.
    assert odd.error_output.startswith("\\xff")


def hang(shell: Sequence[str]) -> tuple[float, bytes, dict[str, Answer | Unknown]]:
    started = time.monotonic()
    output, said = run(
        probe("echo before; sleep 60", "hangs", timeout_s=1),
        probe("trap '' TERM; sleep 60; sleep 60; sleep 60", "stubborn", timeout_s=1),
        probe("{ sleep 4; echo ghost; sleep 20; } & echo started", "leaves-a-child", timeout_s=1),
        probe("sleep 2; echo after", "next"),
        shell=shell,
    )
    return time.monotonic() - started, output, said


def test_what_hangs_costs_its_own_time_only() -> None:
    with ThreadPoolExecutor(len(SHELLS)) as pool:
        for seconds, output, said in pool.map(hang, SHELLS):
            # What nobody can end (as under sudo) neither holds the session open nor writes into later answers.
            assert seconds < 15
            assert said["hangs"] == said["stubborn"] == Unknown("timed out on the node after 1 s")
            assert said["leaves-a-child"] == Unknown("timed out on the node after 1 s")
            assert said["next"] == Answer("after\n", 0)
            assert output.endswith(f"{NONCE} done\n".encode())
            assert b"ghost" not in output


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_fifty_megabytes_are_cut_and_the_status_survives(shell: Sequence[str]) -> None:
    output, said = run(
        probe("head -c 50000000 /dev/zero | tr '\\0' x; exit 4", "big"),
        probe("head -c 50000000 /dev/zero | tr '\\0' x >&2; exit 4", "big-errors"),
        probe("printf %s 0123456789", "exactly"),
        probe("echo after", "next"),
        shell=shell,
        probe_bytes=10,
    )
    assert len(output) < ERROR_BYTES + END_BYTES + 1000
    big = said["big"]
    assert isinstance(big, Answer)
    # Where a shell's pipes are sockets, tr complains that nobody reads on instead of being ended by a signal.
    assert replace(big, error_output="") == Answer("x" * 10, 4, truncated=True)
    assert not big.error_output.replace("tr: write error", "").replace(": Connection reset by peer", "").strip()
    assert said["big-errors"] == Answer("", 4, error_output="…" + "x" * ERROR_BYTES)
    assert said["exactly"] == Answer("0123456789", 0)
    assert said["next"] == Answer("after\n", 0)


def test_the_budget_ends_the_asking() -> None:
    started = time.monotonic()
    output, said = run(
        probe("echo quick", "first"), probe("sleep 60", "slow"), probe("echo never", "late"), budget_s=2.9
    )
    assert time.monotonic() - started < 5
    assert said["first"] == Answer("quick\n", 0)
    # The node counts whole seconds: one may have begun just before.
    assert said["slow"] in (Unknown("timed out on the node after 1 s"), Unknown("timed out on the node after 2 s"))
    assert said["late"] == Unknown("not asked: the node's time was used up before its turn")
    assert b"never" not in output


def test_options_arrive_as_they_are_and_only_those_that_were_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGIN", "from the login")
    _, said = run(
        probe(
            'printf "%s|" "$web_root" "$flag" "$number" "${absent-unset}"; sh -c \'echo $number\'',
            parameters=("web_root", "flag", "number", "absent"),
        ),
        probe('echo "${web_root-unset}"', "other"),
        probe('echo "${LOGIN-unset}"', "shadowed", parameters=("LOGIN",)),
        options={"web_root": "C:\\a b\\'$x`y`\"\nz", "flag": True, "number": 7},
    )
    assert said["it"] == Answer("C:\\a b\\'$x`y`\"\nz|true|7|unset|7\n", 0)
    assert said["other"] == said["shadowed"] == Answer("unset\n", 0)


def test_an_option_that_is_no_shell_variable_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be a shell variable"):
        run(probe(":", parameters=("x; reboot",)))
    with pytest.raises(ValueError, match="not sh"):
        compose(
            [Probe(id="p", language="tds", purpose="", script="", readers=())],
            nonce="n",
            budget_s=1,
            options={},
            sudo=False,
            probe_bytes=1,
        )


@pytest.mark.parametrize(("uid", "sudo", "expected"), [(1000, True, "sudo -n"), (1000, False, ""), (0, True, "")])
def test_sudo_is_for_those_who_are_not_root(tmp_path: Path, uid: int, sudo: bool, expected: str) -> None:
    (tmp_path / "id").write_text(f"#!/bin/sh\necho {uid}\n")
    (tmp_path / "id").chmod(0o755)
    _, said = run(probe('echo "[$SUDO]"'), sudo=sudo, path=f"{tmp_path}:/usr/bin:/bin:/usr/local/sbin:/usr/sbin")
    assert said["it"] == Answer(f"[{expected}]\n", 0)


def test_the_environment_is_plain_and_finds_the_products() -> None:
    _, said = run(probe('echo "$LC_ALL $PATH"; pwd; echo "${pf_nonce-hidden}"'))
    answer = said["it"]
    assert isinstance(answer, Answer)
    first, folder, hidden = answer.output.splitlines()
    assert first.startswith("C ")
    added = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin:/opt/chef-backend/bin:/opt/opscode/bin"
    assert first.endswith(f":{added}")
    assert (folder, hidden) == ("/", "hidden")


@pytest.mark.parametrize("missing", ["timeout", "head"])
def test_a_node_without_timeout_or_head_answers_all_the_same(tmp_path: Path, missing: str) -> None:
    # The script itself looks in /usr/bin, too; so it finds there what it does not find to work.
    (tmp_path / missing).write_text(f"#!/bin/sh\necho {missing}: applet not found >&2\nexit 127\n")
    (tmp_path / missing).chmod(0o755)
    output, said = run(probe("echo 0123456789abc; exit 5"), probe_bytes=10, path=f"{tmp_path}:{os.environ['PATH']}")
    assert said["it"] == Answer("0123456789", 5, truncated=True)
    assert output.endswith(b" done\n")


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_whatever_the_login_set_it_is_asked_in_the_same_way(shell: Sequence[str], tmp_path: Path) -> None:
    """Options, variables and a PATH without a single program, as a start-up file may leave them."""
    plain = [probe("cat /proc/sys/kernel/ostype; grep -c x /proc/sys/kernel/ostype; df -P / | head -1", "it")]
    script = compose(plain, nonce=NONCE, budget_s=9, options={}, sudo=False, probe_bytes=999)
    left = {"GREP_OPTIONS": "--color=always", "POSIXLY_CORRECT": "1", "BLOCK_SIZE": "1", "PATH": str(tmp_path)}
    program = [shutil.which(shell[0]) or shell[0], *shell[1:]]
    for options in ("", "set -e; ", "set -eu; ", "set -f; "):
        done = subprocess.run(
            [*program, "-s"], input=(options + "\n" + script).encode(), capture_output=True, env=left, check=True
        )
        said = parse(done.stdout, nonce=NONCE, probe_ids=["it"])["it"]
        assert isinstance(said, Answer)
        assert said.output.splitlines()[0] == "Linux"
        assert "1024-blocks" in said.output


def test_what_cannot_be_asked_says_why_and_not_that_time_was_up(tmp_path: Path) -> None:
    """Without `tail` nothing comes home: 0.1 s is no timeout of 30 s."""
    (tmp_path / "tail").write_text("#!/bin/sh\necho 'tail: applet not found' >&2\nexit 127\n")
    (tmp_path / "tail").chmod(0o755)
    script = compose([probe("echo yes")], nonce=NONCE, budget_s=9, options={}, sudo=False, probe_bytes=9)
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-s"],
        input=script.encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # as over SSH
        env={"PATH": path},
        check=True,
    )
    said = parse(done.stdout, nonce=NONCE, probe_ids=["it"])["it"]
    assert isinstance(said, Unknown)
    assert said.reason.startswith("the node's shell could not ask it (exit 127): tail: applet not found")


def as_sh(folder: Path, shell: Sequence[str]) -> str:
    """A PATH on which `sh` is that shell."""
    folder.mkdir(exist_ok=True)
    (folder / "sh").write_text(f'#!/bin/sh\nexec {" ".join([shutil.which(shell[0]) or "", *shell[1:]])} "$@"\n')
    (folder / "sh").chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_whatever_sh_is_on_the_node_it_asks_in_the_same_way(shell: Sequence[str], tmp_path: Path) -> None:
    _, said = run(
        probe("echo out; echo err >&2; exit 3", "both"),
        probe("trap '' TERM; sleep 60; sleep 60", "stubborn", timeout_s=1),
        probe("head -c 100000 /dev/zero | tr '\\0' e >&2; echo table; exit 5", "flood"),
        probe("kill -9 $$", "killed"),
        probe('echo "${pf_nonce-hidden} ${1-none}"', "hidden"),
        path=as_sh(tmp_path / "bin", shell),
    )
    killed = said.pop("killed")
    assert isinstance(killed, Answer)
    assert (killed.output, killed.exit_code) == ("", 137)
    assert said == {
        "both": Answer("out\n", 3, error_output="err"),
        "stubborn": Unknown("timed out on the node after 1 s"),
        "flood": Answer("table\n", 5, error_output="…" + "e" * ERROR_BYTES),
        "hidden": Answer("hidden none\n", 0),
    }


def test_a_timeout_that_ends_one_process_alone_leaves_nothing_that_could_speak(tmp_path: Path) -> None:
    """Such as busybox's, which ends neither what its child has started nor what reads that."""
    (tmp_path / "timeout").write_text('#!/bin/sh\nexec busybox timeout "$@"\n')
    (tmp_path / "timeout").chmod(0o755)
    started = time.monotonic()
    output, said = run(
        probe("echo out; echo err >&2; exit 3", "both"),
        probe("sleep 4; echo ghost; echo ghost >&2", "hangs", timeout_s=1),
        probe("sleep 3; echo after", "next"),
        path=f"{tmp_path}:{os.environ['PATH']}",
    )
    assert time.monotonic() - started < 12
    assert said["both"] == Answer("out\n", 3, error_output="err")
    assert said["hangs"] == Unknown("timed out on the node after 1 s")
    assert said["next"] == Answer("after\n", 0)
    assert b"ghost" not in output


def test_what_was_left_of_an_answer_spoils_the_one_that_it_runs_into() -> None:
    """The shell that asked `a` was killed, and what reads its output was not."""
    frames = "begin a 5 9\nx\n{n} broken a 137\n\n{n} begin b 5 9\ny\n{n} errors a 9\n\n{n} end a 0\n\n{n} end b 0\n"
    said = read(f"\n{NONCE} {frames}\n{NONCE} done\n".replace("{n}", NONCE).encode())
    assert said["b"] == Unknown("another probe's answer ran into this one")
    assert isinstance(said["a"], Unknown)


def counting(folder: Path) -> tuple[str, Callable[[], Counter[str]]]:
    """A PATH on which every program says that it was started, and what was said so far."""
    log = folder / "log"
    log.touch()
    seen = folder / "bin"
    seen.mkdir()
    for name in {each.name for place in ("/bin", "/usr/bin", "/usr/sbin") for each in Path(place).iterdir()}:
        found = shutil.which(name)
        if found and name not in ("sudo", "["):
            (seen / name).write_text(f'#!/bin/sh\necho {name} >>{log}\nexec {found} "$@"\n')
            (seen / name).chmod(0o755)
    return f"{seen}:{os.environ['PATH']}", lambda: Counter(log.read_text().split())


def test_a_question_costs_the_node_five_programs_beside_its_own(tmp_path: Path) -> None:
    path, started = counting(tmp_path)
    run(path=path)
    idle = started()
    assert sum(idle.values()) <= 4
    run(*(probe("uname", f"p{number}") for number in range(10)), path=path)
    asked = started() - idle - idle
    assert asked == Counter({"sh": 20, "timeout": 10, "head": 10, "tail": 10, "uname": 10})


def test_lines_that_a_start_up_file_eats_are_blank() -> None:
    script = compose([probe("echo yes")], nonce=NONCE, budget_s=9, options={}, sudo=False, probe_bytes=9)
    rc = "read -r name; read -r other; sh -s"
    done = subprocess.run(["sh", "-c", rc], input=script.encode(), capture_output=True, check=True)
    assert done.stdout.startswith(f"{NONCE}-ready\n".encode())
    assert parse(done.stdout, nonce=NONCE, probe_ids=["it"]) == {"it": Answer("yes\n", 0)}


@pytest.mark.skipif(not shutil.which("zsh"), reason="no zsh on this machine")
def test_a_login_that_became_zsh_is_told_to_be_a_sh() -> None:
    _, said = run(probe("words='echo a b'; $words", "split"), probe("echo yes", "last"), shell=["zsh"])  # noqa: S604  a name
    assert said == {"split": Answer("a b\n", 0), "last": Answer("yes\n", 0)}


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ("begin a 5 9\nsh: 9: cat: not found\n\n{n} broken a 127\n\n{n} begin b 5 9\n", "(exit 127): sh: 9: cat: not"),
        ("begin a 5 9\n\n{n} broken a 137\n", "was killed on the node before its time was up"),
        (
            "begin a 5 9\nsh: Cannot fork\n\n{n} begin b 5 9\nyes\n{n} end b 0\n",
            "broke off while it asked this: sh: Ca",
        ),
        ("begin a 5 9\n\n{n} clock ended 1900000000\n", "See `ulimit -a`"),
    ],
)
def test_a_shell_that_breaks_off_has_a_word_for_each_way(frames: str, reason: str) -> None:
    output = f"\n{NONCE} {frames}\n{NONCE} done\n".replace("{n}", NONCE).encode()
    assert reason in str(read(output)["a"])


def test_half_a_script_does_nothing(tmp_path: Path) -> None:
    script = compose([probe(f"touch {tmp_path}/done")], nonce=NONCE, budget_s=9, options={}, sudo=False, probe_bytes=9)
    for part in (0.5, 0.9, 0.99):
        half = script[: int(len(script) * part)].encode()
        subprocess.run(["sh", "-s"], input=half, capture_output=True, check=False)
    assert not (tmp_path / "done").exists()


WHOLE = (
    b"Welcome!\nNONCE noise\n%(n)s begin a 30 100\nout\n\n%(n)s end a 0\nrc chatter\n"
    b"\n%(n)s begin b 30 100\n\n%(n)s end b 1\n\n%(n)s late c\n\n%(n)s done\nbye"
) % {b"n": NONCE.encode()}


def read(output: bytes) -> dict[str, Answer | Unknown]:
    return parse(output, nonce=NONCE, probe_ids=["a", "b", "c"])


def test_noise_around_the_frames_is_ignored() -> None:
    late = Unknown("not asked: the node's time was used up before its turn")
    assert read(WHOLE) == {"a": Answer("out\n", 0), "b": Answer("", 1), "c": late}


def test_cut_anywhere_it_never_says_more_than_arrived() -> None:
    for end in range(len(WHOLE)):
        said = read(WHOLE[:end])
        assert said.keys() == {"a", "b", "c"}
        assert said["a"] in (Answer("out\n", 0), *(one for one in (said["a"],) if isinstance(one, Unknown)))
        assert said["b"] == Answer("", 1) or isinstance(said["b"], Unknown)
    middle = WHOLE.index(b"out") + 1
    assert read(WHOLE[:middle])["a"] == Unknown("cut off in mid-answer")
    assert read(WHOLE[:middle])["b"] == Unknown("the node's output ended before this was answered")


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (b"", "the node answered nothing"),
        (b"\n \n", "the node answered nothing"),
        (
            b"\nThis account is currently not available.\n",
            "the node answered something else: This account is currently not available.",
        ),
        (b"\xff\xfe", "the node answered something else: \\xff\\xfe"),
        (
            f"{NONCE}-ready\n".encode(),
            "the node answered nothing; its shell began, and ran nothing (a limit? See `ulimit -a` there)",
        ),
    ],
)
def test_an_output_without_frames_is_shown(output: bytes, reason: str) -> None:
    assert set(read(output).values()) == {Unknown(reason)}


def test_an_answer_missing_from_a_whole_output_is_unknown() -> None:
    assert read(f"\n{NONCE} done\n".encode())["a"] == Unknown("no answer among those of the node")


@pytest.mark.parametrize(
    "frames",
    ["begin a 1 9\nx\n{n} end a {huge}", "begin a {huge} 9\nx\n{n} end a 124", "begin a 1 {huge}\nx\n{n} end a 0"],
)
def test_gigantic_numbers_are_no_frames(frames: str) -> None:
    output = f"\n{NONCE} {frames}\n{NONCE} done\n".replace("{huge}", "9" * 5000).replace("{n}", NONCE)
    assert isinstance(read(output.encode())["a"], Unknown)


def test_an_end_that_belongs_to_another_probe_does_not_count() -> None:
    mixed = f"\n{NONCE} begin a 1 9\nx\n{NONCE} end b 0\n\n{NONCE} done\n".encode()
    assert read(mixed)["a"] == Unknown("the node's shell broke off while it asked this: x")
    assert isinstance(read(mixed)["b"], Unknown)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_the_nodes_clock_is_read_at_both_ends(shell: Sequence[str]) -> None:
    before_s = time.time()
    output, _ = run(probe("sleep 0.2", "takes-a-while"), shell=shell)
    found = stamps(output, nonce=NONCE)
    assert found is not None
    assert before_s <= found.begun_s + found.resolution_s
    assert found.ended_s <= time.time()
    assert found.ended_s - found.begun_s > 0.2 - found.resolution_s


@pytest.mark.parametrize("fraction", ["%N", "N", ""])
def test_a_date_without_fractions_gives_whole_seconds(fraction: str, tmp_path: Path) -> None:
    # Such as busybox's, BSD's and musl's, which make different things of %N.
    date = tmp_path / "date"
    date.write_text(f'#!/bin/sh\ncase $1 in *N) echo "1900000000.{fraction}" ;; *) echo 1900000000 ;; esac\n')
    date.chmod(0o755)
    output, said = run(probe("echo yes", "first"), path=f"{tmp_path}:{os.environ['PATH']}")
    assert stamps(output, nonce=NONCE) == NodeClock(1_900_000_000, 1_900_000_000, 1.0)
    assert said["first"] == Answer("yes\n", 0)


def test_no_date_is_no_time_and_no_noise(tmp_path: Path) -> None:
    date = tmp_path / "date"
    date.write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    date.chmod(0o755)
    output, said = run(probe("echo yes", "first"), path=f"{tmp_path}:{os.environ['PATH']}")
    assert stamps(output, nonce=NONCE) is None
    assert said["first"] == Answer("yes\n", 0)


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"\nnonce clock begun 1.5\n\nnonce clock ended 2.5\n",
        b"\n7f3a00nonce clock begun 1900000000.5\n",
        b"\n7f3a00nonce clock ended 1900000000.5\n\n7f3a00nonce done\n",
        b"\n7f3a00nonce clock begun soon\n\n7f3a00nonce clock ended 1900000000\n",
        b"\n7f3a00nonce clock begun 1900000000.5\n\n7f3a00nonce clock ended 19000",
    ],
)
def test_half_of_the_time_is_no_time(output: bytes) -> None:
    assert stamps(output, nonce=NONCE) is None
