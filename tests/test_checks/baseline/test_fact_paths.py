"""Facts as named values: stable names, whatever the order, and nothing that a node can say gets out of hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from checks.baseline.fact_paths import (
    Value,
    field_patterns,
    flatten,
    is_within,
    kind_name,
    kind_of,
    pattern_of,
    record_of,
    shown,
)
from checks.chef_backend.facts.cluster import ClusterStatus, Member
from checks.chef_backend.facts.machine import ConfigDigest
from checks.common.disk_facts import Drive, LinuxDisks
from checks.secret_server.facts.folder import AppTree, FolderDigest
from checks.secret_server.facts.node import IisApplication, IisConfiguration, WindowsVersion
from scanner.rule_data import load_drift_rules

RULES = load_drift_rules()


def values(fact: object) -> dict[str, object]:
    return dict(flatten(fact, RULES.keys, RULES.listed))


def test_a_plain_fact() -> None:
    found = values(WindowsVersion(name="Windows Server 2019", major=10, minor=0, build=17763, product_type=3))
    assert found["windows-version.build"] == 17763
    assert found["windows-version.service-pack"] == ""
    assert set(found) == set(field_patterns(WindowsVersion))


def test_rows_go_by_their_key_and_not_by_their_place() -> None:
    one, two = (
        Member(name="be1", ip="10.0.0.1", guid="a" * 32, role="leader", postgresql="leader", elasticsearch="master"),
        None,
    )
    two = Member(
        name="be2", ip="10.0.0.2", guid="b" * 32, role="follower", postgresql="follower", elasticsearch="not_master"
    )
    found = values(ClusterStatus((one, two)))
    assert found["cluster-status.members[be2].role"] == "follower"
    assert found == values(ClusterStatus((two, one)))
    assert "cluster-status.members[be1].name" not in found


def test_a_key_of_two_fields() -> None:
    app = IisApplication(
        site="Default Web Site", path="/SecretServer", physical_path="C:\\inetpub", pool="SecretServer"
    )
    found = values(IisConfiguration(path="x", shared=False, pools=(), applications=(app,)))
    assert found["iis-configuration.applications[Default Web Site / /SecretServer].pool"] == "SecretServer"


def test_pairs_are_values_by_name_or_one_set_of_lines() -> None:
    assert values(ConfigDigest(state="read", named=(("vip", "0a"), ("-", "1b"), ("-", "0c"))))[
        "config-digest.named[-]"
    ] == (
        "0c",
        "1b",
    )
    folder = FolderDigest(path="\\bin", digest="0" * 64, count=2, partial=False, files=(("b.dll", "2"), ("a.dll", "1")))
    found = values(AppTree(root="C:\\", folders=(folder,), left_out=(), stopped="", files=2, bytes=10))
    assert found["app-tree.folders[\\bin].files"] == ("a.dll 1", "b.dll 2")


def test_what_is_not_there_is_none() -> None:
    found = values(LinuxDisks((Drive("/", 10, 5, "xfs"),), (("/opt", Drive("/", 10, 5, "xfs")), ("/srv", None))))
    assert found["linux-disks.folders[/opt].name"] == "/"
    assert found["linux-disks.folders[/srv].name"] is None


@pytest.mark.parametrize("key", ["a]b", 'a"b', "a[b", "a\nb", "\x1b[2J", "\\", "]", "x" * 5000, "\ud800"])
def test_no_key_can_break_a_path(key: str) -> None:
    paths = list(values(ConfigDigest(state="read", named=((key, "1"), ("after", "2")))))
    found = next(path for path in paths if path.startswith("config-digest.named[") and "after" not in path)
    assert pattern_of(found) == "config-digest.named[]"
    assert record_of(found) == found
    assert kind_of(found) == "config-digest"
    assert found.isprintable()
    assert len(found) < 400


def test_a_huge_text_is_kept_by_its_hash() -> None:
    found = [
        values(WindowsVersion(name="x" * 10**6 + tail, major=1, minor=1, build=1, product_type=3))[
            "windows-version.name"
        ]
        for tail in ("a", "b")
    ]
    assert found[0] != found[1]
    assert all(len(str(text)) < 300 for text in found)


@dataclass(frozen=True)
class HTTPThing2Go:
    ratio: float
    big: int


def test_odd_numbers_can_be_written() -> None:
    assert kind_name(HTTPThing2Go) == "httpthing2-go"
    found = values(HTTPThing2Go(float("nan"), 10**5000))
    assert found["httpthing2-go.ratio"] == "nan"
    assert isinstance(found["httpthing2-go.big"], str)


def test_parts_of_paths() -> None:
    assert record_of("disks.drives[C:].total-bytes") == "disks.drives[C:]"
    assert record_of("disks.system") == "disks"
    assert is_within("disks.drives[C:].kind", "disks.drives[C:]")
    assert not is_within("disks2.kind", "disks")
    assert is_within("anything", "")


def test_values_in_words() -> None:
    assert [shown(value) for value in (None, True, False, 3, ("a", "b"))] == ["none", "yes", "no", "3", "a; b"]


@dataclass(frozen=True, slots=True)
class Named:
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class Nameless:
    colour: str
    size: int


@dataclass(frozen=True, slots=True)
class OfAPlugin:
    """What nobody decided on."""

    named: tuple[Named, ...]
    nameless: tuple[Nameless, ...]
    counts: Mapping[str, int]
    ratio: float
    number: int
    lines: tuple[str, ...] | None
    flags: Mapping[str, bool | None]


def test_what_nobody_decided_on_goes_by_a_usual_name_else_by_its_first_field() -> None:
    fact = OfAPlugin(
        named=(Named(3, "x"),),
        nameless=(Nameless("red", 4),),
        counts={"a": 1},
        ratio=float("inf"),
        number=2**63,
        lines=None,
        flags={"on": True, "off": False, "gone": None},
    )
    assert dict(flatten(fact, {})) == {
        "of-aplugin.named[x].size": 3,
        "of-aplugin.nameless[red].size": 4,
        "of-aplugin.counts[a]": 1,
        "of-aplugin.ratio": "inf",
        "of-aplugin.number": hex(2**63),
        "of-aplugin.lines": None,
        "of-aplugin.flags[on]": True,
        "of-aplugin.flags[off]": False,
        "of-aplugin.flags[gone]": None,
    }
    small = flatten(replace(fact, number=2**63 - 1, ratio=0.5, lines=("b", "a")), {})
    assert small["of-aplugin.number"] == 2**63 - 1
    assert small["of-aplugin.ratio"] == 0.5
    assert small["of-aplugin.lines"] == ("a", "b")
    as_lines = flatten(fact, {}, {"of-aplugin.flags", "of-aplugin.counts"})
    assert as_lines["of-aplugin.flags"] == ("gone none", "off no", "on yes")
    assert as_lines["of-aplugin.counts"] == ("a 1",)


def test_a_text_is_kept_up_to_its_bound_and_told_by_its_digest_beyond() -> None:
    def texts(length: int) -> dict[str, Value]:
        text = "x" * length
        fact = OfAPlugin((Named(1, text),), (), {}, 1.0, 1, None, {})
        return flatten(replace(fact, number=text), {})  # type: ignore[arg-type]

    assert texts(300)[f"of-aplugin.named[{'x' * 300}].size"] == 1
    assert next(iter(texts(301))).endswith(")].size")
    assert texts(2_000)["of-aplugin.number"] == "x" * 2_000
    assert str(texts(2_001)["of-aplugin.number"]).startswith(f"{'x' * 100}... (2001 characters, SHA-256 ")
    assert flatten(OfAPlugin((), (), {}, 1.0, 1, ("y" * 2_000,), {}), {})["of-aplugin.lines"] == ("y" * 2_000,)
