"""How a Ruby configuration is read by the awks that nodes have."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable

import pytest

from checks.check import ClusterInfo, ClusterView, NodeView
from checks.chef_backend.backend.config_match import judge
from checks.chef_backend.backend.config_settings import canonical
from checks.chef_backend.facts.machine import ConfigDigest
from checks.outcome import Status
from checks.registry import PRODUCTS
from scanner.probes.chef_backend import node
from scanner.probes.chef_backend.node_readers import read_config_digest
from scanner.probes.linux.ruby_settings import settings_of_stdin
from tests.field.samples import FOLDER, answer_of, samples

AWKS = {
    name: [path, "awk"] if name == "busybox" else [path]
    for name in ("mawk", "gawk", "busybox")
    if (path := shutil.which(name, path=os.defpath))
}
Read = Callable[[str | bytes], list[tuple[str, str, str]]]


@pytest.fixture(params=sorted(AWKS))
def read(request: pytest.FixtureRequest) -> Read:
    """The settings of a text, by each awk that is there."""
    _, awk, *arguments = shlex.split(settings_of_stdin())
    assert awk == "awk"

    def ask(text: str | bytes) -> list[tuple[str, str, str]]:
        done = subprocess.run(
            [*AWKS[request.param], *arguments],
            input=text.encode() if isinstance(text, str) else text,
            capture_output=True,
            check=True,
            env={"LC_ALL": "C"},
        )
        assert not done.stderr
        lines = done.stdout.decode("utf-8", errors="backslashreplace").split("\n")[:-1]
        return [(kind, name, value) for kind, name, value in (line.split(" ", 2) for line in lines)]

    return ask


LIST = canonical(("samehost", "samenet", "10.20.30.0/24"))


@pytest.mark.parametrize(
    ("name", "value", "texts"),
    [
        (
            "postgresql.max_connections",
            "350",
            [
                "postgresql.max_connections 350",
                "postgresql.max_connections = 350",
                "postgresql.max_connections=350;",
                "\tpostgresql.max_connections\t=\t350\t# more",
                "postgresql['max_connections'] = 350",
                'postgresql["max_connections"]=350',
                "postgresql[:max_connections] = 350 ; # more",
                "postgresql.max_connections(350)",
                "postgresql.max_connections( 350 ) # more",
                "postgresql.max_connections '350'",
                "postgresql.max_connections =\n  350",
                "postgresql.max_connections = 350\r\n",
                "\ufeffpostgresql.max_connections = 350\n",
                "=begin\npostgresql.max_connections 1\n=end\npostgresql.max_connections 350\n__END__\nanything",
            ],
        ),
        (
            "leaderl.etcd_pool.http_timeout_ms",
            "17179869184",
            [
                "leaderl.etcd_pool.http_timeout_ms 17_179_869_184",
                "leaderl['etcd_pool']['http_timeout_ms']= 17179869184",
            ],
        ),
        ("ssl.certificate", "nil", ["ssl.certificate = nil", "ssl.certificate nil"]),
        ("leaderl.a", "true", ["leaderl.a true", "leaderl.a = true # not false", "leaderl.a :true"]),
        ("etcd.a", "0.5", ["etcd.a 0.5", "etcd.a = 0.50"]),
        ("etcd.a", "-1", ["etcd.a -1", "etcd.a = -1"]),
        ("etcd.a", "", ["etcd.a ''", 'etcd.a = ""', "etcd.a %q{}"]),
        ("etcd.a", "x # y", ["etcd.a 'x # y'", 'etcd.a = "x # y" # z', "etcd.a 'x # y'.freeze"]),
        ("etcd.a", 'it\'s "so"', ["etcd.a 'it\\'s \"so\"'", 'etcd.a "it\'s \\"so\\""', 'etcd.a %q(it\'s "so")']),
        ("etcd.a", "sql", ["etcd.a :sql", "etcd.a 'sql'", 'etcd.a :"sql"']),
        (
            "postgresql.b",
            LIST,
            [
                "postgresql.b = %w{samehost samenet 10.20.30.0/24}",
                "postgresql.b %w[ samehost  samenet\t10.20.30.0/24 ]",
                "postgresql.b(%w(samehost samenet 10.20.30.0/24))",
                "postgresql.b %W|samehost samenet 10.20.30.0/24|",
                'postgresql.b = ["samehost","samenet","10.20.30.0/24"]',
                "postgresql.b = [ 'samehost' , 'samenet', '10.20.30.0/24', ] # all",
                "postgresql.b [\n  :samehost, # here\n  :samenet,\n  '10.20.30.0/24'\n]",
                'postgresql.b = \'["samehost", "samenet", "10.20.30.0/24"]\'',
                'postgresql.b "samehost", "samenet",\n  "10.20.30.0/24"',
                "postgresql.b = %w{\n  samehost\n  samenet\n  10.20.30.0/24\n}",
            ],
        ),
        ("etcd.a", canonical(()), ["etcd.a []", "etcd.a = %w{}", "etcd.a [\n]"]),
        (
            "postgresql.environment",
            "\2{1:A1:b1:C1:2}",
            ["postgresql.environment({ 'C' => 2, 'A' => 'b' })", 'postgresql.environment = { A: "b",\n  :C => 2 }'],
        ),
    ],
)
def test_a_setting_is_the_same_however_it_is_written(read: Read, name: str, value: str, texts: list[str]) -> None:
    for text in texts:
        assert read(text) == [("set", name, value)], text


def test_the_order_of_networks_means_nothing_and_that_of_ciphers_does(read: Read) -> None:
    assert read("postgresql.md5_auth_cidr_addresses %w{a b}") == read("postgresql.md5_auth_cidr_addresses ['b', 'a']")
    assert read("ssl.ciphers %w{a b}") != read("ssl.ciphers %w{b a}")


def test_other_values_are_other_values(read: Read) -> None:
    texts = [
        "1",
        "2",
        "'a'",
        "'A'",
        "'a '",
        "['a']",
        "['a', 'b']",
        "['ab']",
        "['a b']",
        "%w{a}, 'b'",
        "[]",
        "''",
        "1.0",
    ]
    values = [read(f"etcd.a {text}") for text in texts]
    assert all(kind == "set" for ((kind, _, _),) in values)
    assert len({value for ((_, _, value),) in values}) == len(texts)
    assert read("etcd.a 'a\\nb'") != read('etcd.a "a\\nb"')


@pytest.mark.parametrize(
    "text",
    [
        *("etcd.a 4 * 1024", "etcd.a node['x']", "etcd.a 1 if x", "etcd.a = x ? 1 : 2", 'etcd.a "#{x}"', "etcd.a `x`"),
        *(
            "etcd.a += 1",
            "etcd.a << 'x'",
            "etcd.a 'x'.upcase",
            "etcd.a 'x' 'y'",
            "etcd.a 007",
            "etcd.a 0x10",
            "etcd.a on",
        ),
        *("etcd.a ['x'].freeze.map(&:y)", "etcd.a", "etcd.a 'never closed", "etcd.a ['never', 'closed'"),
        *(
            "etcd.a <<-END\nx\nEND",
            "etcd.a = <<~'END'\n  x\n  END",
            'etcd.a "\\x41"',
            "etcd.a File.read('/x')",
            "etcd.a [x]",
        ),
    ],
)
def test_what_takes_ruby_to_know_is_told_by_its_name(read: Read, text: str) -> None:
    found = read(f"{text}\netcd.after 1\n")
    assert found[0][:2] == ("raw", "etcd.a")
    assert found[-1][1:] == ("etcd.after", "1")


@pytest.mark.parametrize(
    "text",
    [
        "if x\n  etcd.a 1\nend",
        "unless x then\n  etcd.a 1\nelse\n  etcd.a 2\nend",
        "etcd do |c|\n  etcd.a 1\nend",
        "hosts.each { |host|\n  etcd.a 1\n}",
        "case x\nwhen /end/\n  etcd.a 1\nend",
        "ENV['X'] = 'etcd.a 1'",
        "x = 5",
        "require 'json'",
        "heap = if x\n  1\nelse\n  2\nend",
        "def end_of(x)\n  etcd.a 1\nend",
    ],
)
def test_logic_sets_nothing_and_what_follows_it_does(read: Read, text: str) -> None:
    found = read(f"etcd.before 1\n{text}\netcd.after 1\n")
    assert [line for line in found if line[0] == "set"] == [("set", "etcd.before", "1"), ("set", "etcd.after", "1")]
    assert len(found) > 2
    if "  etcd.a 1" in text:
        assert ("raw", "etcd.a") in [line[:2] for line in found]


def test_several_statements_in_a_line_and_none_in_comments(read: Read) -> None:
    assert read("etcd.a 1; etcd.b '2;#3'; # etcd.c 4\n  # etcd.d 5\n\n;\n") == [
        ("set", "etcd.a", "1"),
        ("set", "etcd.b", "2;#3"),
    ]


def test_bytes_that_are_no_utf8_are_bytes(read: Read) -> None:
    assert read(b"etcd.a 'caf\xe9'\netcd.b 1\n")[1] == ("set", "etcd.b", "1")


@pytest.mark.parametrize("pair", [("generated-be1", "generated-be2"), ("joined", "by-hand")])
def test_the_fields_own_files_are_alike(pair: tuple[str, str]) -> None:
    known = {sample.path.name: sample for sample in samples()}
    facts = [read_config_digest(answer_of(known[f"backend-{name}.rb"], node.CONFIG)) for name in pair]
    info = ClusterInfo("chef", "chef-backend", definition=PRODUCTS[1])
    nodes = [
        NodeView(cluster=info, name=name, host=name, roles=frozenset({"backend"}), facts={ConfigDigest: fact})
        for name, fact in zip(pair, facts, strict=True)
    ]
    assert judge(ClusterView(info, tuple(nodes))).status is Status.PASS
    assert len(facts[0].named) == len((FOLDER / "chef" / f"backend-{pair[0]}.rb").read_text().splitlines())
