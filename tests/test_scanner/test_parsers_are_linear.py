"""What takes a conversation, a banner or a file apart reads, or refuses, the worst half megabyte within a second.

Readers of probes' answers are held to the same in test_readers_are_linear.py.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import itertools
import json
import random
import re
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from checks.baseline.approval import Baseline
from checks.baseline.drift import Approval
from checks.baseline.fact_paths import Value
from checks.baseline.snapshot import FactKey, Snapshot
from scanner.files.baseline.reader import parse_baseline
from scanner.files.baseline.writer import render_baseline
from scanner.files.evidence.file import parse_evidence
from scanner.files.plan import read_plan
from scanner.files.results import read_results
from scanner.loading.inventory import parse_inventory
from scanner.probes.batch import powershell, sh
from scanner.transports.powershell import output
from scanner.transports.ssh import config, errors, hop, login_shells, server_age
from scanner.transports.ssh.keys.known_hosts import KnownHosts
from scanner.transports.ssh.keys.known_hosts import _pattern as known_hosts_pattern
from scanner.transports.ssh.server_age import why_key_refused
from scanner.transports.tds import browser, door, packets, prelogin, strangers
from scanner.transports.winrm import foreign_pages
from scanner.transports.winrm.exchange.answer import Headers, HttpAnswer
from tests.test_scanner.probes.test_readers_are_linear import near_misses

SIZE = 512 * 1024
ALLOWED_S = 1.0
NONCE = "0123456789abcdef" * 2
RECORDED = Path(__file__).parents[1] / "recordings"
SOME = 8
"""So many of the inputs for each parser where not all are tried."""
UNITS = (
    *(b"a", b" ", b"0", b"\n", b"\0", b"\xff", b"\t", b"[", b"{", b"(", b'"', b"<", b"=", b";", b":", b"a;", b"%"),
    *(b"a b\n", b"1.", b"\x1b[", b"\r\n", b"* ", b"a*", b"<html ", b"<title ", b"<?xml ", b"_x0041_", b"SSH-2.0-"),
    *(b"[[waivers]]\n", b"a = 1\n", b'{"a":', b"[[", b"a.", b"# <<", b"Host *\n", b"Match all\n", b"%h", b"\\", b"'"),
)


def texts(*parts: bytes) -> bytes:
    return b"".join(parts)


def sh_answer() -> bytes:
    """A whole conversation: noise, a frame, its errors, one that is late."""
    lines = [
        "Welcome",
        f"{NONCE}-ready",
        f"{NONCE} clock begun 1700000000.123456789",
        f"{NONCE} begin uname 5 4096",
        "Linux",
        f"{NONCE} errors uname 4096",
        "warning: x",
        f"{NONCE} end uname 0",
        f"{NONCE} late disks",
        f"{NONCE} broken boot 2",
        f"{NONCE} clock ended 1700000001.5",
        f"{NONCE} done",
    ]
    return ("\n".join(lines) + "\n").encode()


def powershell_answer() -> bytes:
    plain = base64.b64encode(json.dumps({"probes": {"uname": {"value": 1}}}).encode())
    packed = base64.b64encode(gzip.compress(json.dumps({"probes": {}, "done": True}).encode()))
    mark = NONCE.encode()
    return b"\r\n".join([b"noise", mark + b":plain:" + plain + b":" + mark, mark + b":gzip:" + packed + b":" + mark])


def clixml() -> bytes:
    return b'#< CLIXML\r\n<Objs Version="1.1.0.1"><S S="Error">At line:1 char:1_x000D__x000A_</S></Objs>'


def tds_tokens() -> bytes:
    text = "Login failed.".encode("utf-16-le")
    error = struct.pack("<iBBH", 18456, 1, 14, 13) + text + b"\0\0" + b"\0" * 4
    route = struct.pack("<BHBHH", 20, 11, 0, 1433, 3) + "sql".encode("utf-16-le")
    changed = b"\x04\x044096\x044096"
    tokens = [bytes([kind]) + struct.pack("<H", len(body)) + body for kind, body in ((0xAA, error), (0xE3, route))]
    return texts(*tokens, b"\xe3" + struct.pack("<H", len(changed)) + changed, b"\xfd" + b"\0" * 12)


def known_hosts() -> bytes:
    key = base64.b64encode(struct.pack(">I", 11) + b"ssh-ed25519" + struct.pack(">I", 32) + b"k" * 32)
    hashed = b"|1|" + base64.b64encode(b"s" * 20) + b"|" + base64.b64encode(b"h" * 20)
    names = [b"node,[node]:2222", b"*.corp.example,!web?.corp.example", hashed, b"@revoked *", b"@cert-authority a*"]
    return b"".join(name + b" ssh-ed25519 " + key + b" a comment\n" for name in names)


WAIVERS = b"""
[defaults.ssh]
user = "preflight"
agent = true
[clusters.chef]
product = "chef-backend"
target = "2.3.16"
[clusters.chef.nodes.b1]
host = "10.0.0.1"
roles = ["backend"]
[[waivers]]
check = "disk-space"
node = "chef.b1"
reason = "the disk comes on Friday"
owner = "Ada"
expires = 2030-01-01
"""


def web_page(data: bytes) -> object:
    answer = HttpAnswer(503, Headers([("Server", data[:8000].decode("latin-1"))]), data)
    return foreign_pages.page_of(answer), foreign_pages.intermediary(answer)


@dataclass(frozen=True, slots=True)
class Parser:
    """Something that takes bytes of a stranger's apart."""

    name: str
    reads: Callable[[bytes, Path], object]
    sample: bytes = b""
    most: int = SIZE
    """What can come at all, where that is less."""


def in_file(read: Callable[[Path], object], name: str) -> Callable[[bytes, Path], object]:
    def reads(data: bytes, folder: Path) -> object:
        path = folder / name
        path.write_bytes(data)
        return read(path)

    return reads


def as_text(read: Callable[[str], object]) -> Callable[[bytes, Path], object]:
    return lambda data, _: read(data.decode("utf-8", "replace"))


def recording(name: str) -> bytes:
    return (RECORDED / name).read_bytes()


def baseline() -> bytes:
    approved = Approval(at="2026-11-21T02:15:00Z", by="Ada", reason="first", scope="everything", tool="0.1.0")
    nodes = {("chef", "b1"): frozenset({"chef-version"})}
    facts: dict[FactKey, Value] = {FactKey("chef", "b1", "chef-version.version"): "2.2.0"}
    return render_baseline(Baseline("inventory.toml", (approved,), Snapshot(nodes, facts))).encode()


def farewell(text: str) -> object:
    return errors._said_goodbye(text, errors.Phase.LOGIN, "n")


def openssh_configuration(path: Path) -> object:
    return config._read_with_paramiko(path, "node")


GREETING = b"\0\0\x06\0\x06\xff\x10\0\x03\xe8\0\0"
BROWSER = b"\x05\0\0ServerName;A;InstanceName;SQL;tcp;1433;;"
IDS = ("uname", "disks", "boot")
PARSERS = (
    Parser("sh", lambda data, _: sh.parse(data, nonce=NONCE, probe_ids=IDS), sh_answer()),
    Parser("sh-stamps", lambda data, _: sh.stamps(data, nonce=NONCE), sh_answer()),
    Parser(
        "sh-instead", lambda data, _: login_shells.stands_instead("n", data, 1, data[:99]), b"bash: no job control\n"
    ),
    Parser("sh-waits", lambda data, _: login_shells.waits_instead("n", data, "60 s"), b"Password: "),
    Parser("sh-began", lambda data, _: login_shells.began(data, f"{NONCE}-ready\n".encode()), sh_answer()),
    Parser("powershell", lambda data, _: powershell.parse(data, nonce=NONCE, probe_ids=IDS), powershell_answer()),
    Parser("powershell-stamps", lambda data, _: powershell.stamps(data, nonce=NONCE), powershell_answer()),
    Parser("powershell-stderr", lambda data, _: output.check_exit(b"", data, 1), clixml()),
    Parser("powershell-merged", lambda data, _: output.settle_merged(data, 1), clixml()),
    Parser("web-page", lambda data, _: web_page(data), b"<?xml version='1.0'?> <html><title class=x>Squid</title>"),
    Parser("ssh-version", as_text(server_age.knows_rsa_with_sha1_alone), b"SSH-2.0-OpenSSH_5.3p1 Debian-3ubuntu7"),
    Parser("ssh-key", as_text(lambda text: why_key_refused(text, ("ssh-rsa",), legacy=False)), b"SSH-2.0-OpenSSH_6.6"),
    Parser(
        "ssh-greeting",
        lambda data, _: errors._no_ssh(data, "node port 22", ended=True),
        b"HTTP/1.1 400 Bad Request",
    ),
    Parser("ssh-farewell", as_text(farewell), b"Too many authentication failures"),
    Parser("known-hosts", in_file(lambda path: KnownHosts(path).find("node-a.corp.example"), "known"), known_hosts()),
    Parser("ssh-config", in_file(openssh_configuration, "config"), b"Host a* !b\n  User x\n", 64 * 1024),
    Parser("jump", as_text(hop.read_jump), b"ssh://ada@[fe80::1]:22/"),
    Parser("tds-tokens", lambda data, _: door.read_reply(data), tds_tokens()),
    Parser("tds-packets", lambda data, _: door.sets_huge_packets(data), tds_tokens()),
    Parser("tds-prelogin", lambda data, _: packets.options_of(data), b"\0\0\x06\0\x06\xff\x10\0\x03\xe8\0\0", 65535),
    Parser(
        "tds-version", lambda data, _: prelogin.version_of(data, "n"), b"\0\0\x06\0\x06\xff\x10\0\x03\xe8\0\0", 65535
    ),
    Parser("tds-browser", lambda data, _: browser.read_port(data, "SQL", "n"), BROWSER),
    Parser("tds-stranger", lambda data, _: strangers.recognise(data), b"\x4a\0\0\0\x0a8.0.33\0"),
    Parser("evidence", lambda data, _: parse_evidence(data, Path("e.json")), recording("chef-healthy.evidence.json")),
    Parser("evidence-packed", lambda data, _: parse_evidence(gzip.compress(data), Path("e.gz")), b'{"schema": "x"}'),
    Parser("baseline", as_text(lambda text: parse_baseline(text, "b.json")), baseline()),
    Parser("results", in_file(read_results, "r.json"), b'{"schema": "preflight.result/1", "results": []}'),
    Parser("plan", in_file(read_plan, "p.json"), b'{"schema": "preflight.plan/1", "plans": []}'),
    Parser("inventory", as_text(lambda text: parse_inventory(text, Path("inventory.toml"))), WAIVERS),
)


def inputs(parser: Parser) -> Iterator[bytes]:
    yield from (unit * (parser.most // len(unit)) for unit in UNITS)
    sample = parser.sample
    if sample:
        yield (sample + b"\n") * (parser.most // (len(sample) + 1))
        yield sample * (parser.most // len(sample))
        step = max(1, len(sample) // 12)
        for end in range(step, len(sample), step):
            piece = sample[max(0, end - 24) : end]
            yield sample[:end] + piece * ((parser.most - len(sample)) // len(piece)) + sample[end:]
        for text in near_misses(sample[:3000].decode("latin-1")):
            yield text.encode("latin-1", "replace")[: parser.most]


def refuse_slow(parser: Parser, data: bytes, folder: Path) -> None:
    began = time.process_time()
    with contextlib.suppress(Exception):  # refusing is as good as reading
        parser.reads(data, folder)
    took = time.process_time() - began
    assert took < ALLOWED_S, f"{parser.name}: {took:.1f} s for {data[:80]!r}..."


@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_some_of_the_worst(parser: Parser, tmp_path: Path) -> None:
    for data in random.Random(parser.name).sample(list(inputs(parser)), SOME):
        refuse_slow(parser, data, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("parser", PARSERS, ids=lambda parser: parser.name)
def test_all_of_the_worst(parser: Parser, tmp_path: Path) -> None:
    for data in inputs(parser):
        refuse_slow(parser, data, tmp_path)


@pytest.mark.parametrize("parser", [each for each in PARSERS if each.sample], ids=lambda parser: parser.name)
def test_the_sample_is_one_that_is_read(parser: Parser, tmp_path: Path) -> None:
    """Else all that is drawn out of it would be refused at the first byte, and nothing tried."""
    told = {"powershell-stderr", "tds-browser", "evidence-packed", "results", "plan"}
    with contextlib.suppress(Exception) if parser.name in told else contextlib.nullcontext():
        parser.reads(parser.sample, tmp_path)


@pytest.mark.parametrize("name", ["a" * 60, "node-a.corp.example"])
def test_wildcards_of_known_hosts(tmp_path: Path, name: str) -> None:
    """`*a*a*a...b`: each star doubles what a pattern that goes back tries."""
    key = known_hosts().split(b" ")[2]
    line = b"*a" * 30 + b"*b ssh-ed25519 " + key + b"\n"
    (tmp_path / "known").write_bytes(line * (SIZE // len(line)))
    began = time.process_time()
    KnownHosts(tmp_path / "known").find(name)
    assert time.process_time() - began < ALLOWED_S


def test_wildcards_of_known_hosts_mean_what_they_meant() -> None:
    """Every short pattern against every short name, beside the plain translation, which goes back."""
    letters = ("a", "b", "*", "?")
    patterns = ["".join(each) for size in range(5) for each in itertools.product(letters, repeat=size)]
    names = ["".join(each).encode() for size in range(6) for each in itertools.product("ab", repeat=size)]
    for pattern in patterns:
        plain = re.compile(pattern.replace("*", ".*").replace("?", ".").encode())
        ours = known_hosts_pattern(pattern.encode())
        assert [bool(ours.fullmatch(name)) for name in names] == [bool(plain.fullmatch(name)) for name in names], (
            pattern
        )
