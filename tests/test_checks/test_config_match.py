"""The settings of all backends, by name and hash."""

from __future__ import annotations

from collections.abc import Callable

from checks.check import ClusterView
from checks.chef_backend.config_match import CHECK, judge
from checks.chef_backend.node_facts import ConfigDigest
from checks.evaluation import GatheredCluster, evaluate
from checks.outcome import Status

Chefs = Callable[..., ClusterView]


def config(address: str, *, cut: bool = False, **settings: str) -> list[object]:
    pairs = {"publish_address": address, "etcd.x": "aaaa", **{key.replace("_", "."): v for key, v in settings.items()}}
    return [ConfigDigest("read", tuple(pairs.items()), cut)]


def test_the_same_settings_pass_whatever_the_address(chefs: Chefs) -> None:
    outcome = judge(chefs(config("1"), config("2"), config("3")))
    assert (outcome.status, outcome.message) == (Status.PASS, "1 settings are the same on all backends")


def test_order_does_not_matter(chefs: Chefs) -> None:
    one, two = (("a.b", "1"), ("c.d", "2")), (("c.d", "2"), ("a.b", "1"))
    assert judge(chefs([ConfigDigest("read", one)], [ConfigDigest("read", two)])).status is Status.PASS


def test_a_setting_that_differs_is_named_with_the_outlier(chefs: Chefs) -> None:
    outcome = judge(chefs(config("1"), config("2"), config("3", etcd_x="bbbb")))
    assert outcome.status is Status.FAIL
    assert "backend-3 differs from backend-1 and backend-2 in etcd.x" in outcome.message


def test_a_setting_that_only_one_has_is_named(chefs: Chefs) -> None:
    outcome = judge(chefs(config("1"), config("2", leaderl_timeout="cccc"), config("3")))
    assert outcome.status is Status.FAIL
    assert "in leaderl.timeout" in outcome.message


def test_lines_without_a_name_are_compared_too(chefs: Chefs) -> None:
    other = [ConfigDigest("read", (("etcd.x", "aaaa"), ("-", "dddd")))]
    assert "lines that set nothing by name" in judge(chefs(config("1"), config("2"), other)).message


def test_a_missing_file_fails_and_one_missing_everywhere_is_unknown(chefs: Chefs) -> None:
    missing: list[object] = [ConfigDigest("missing")]
    assert judge(chefs(config("1"), missing)).status is Status.FAIL
    assert judge(chefs(missing, missing)).status is Status.ERROR


def test_a_file_that_is_too_long_is_no_pass(chefs: Chefs) -> None:
    assert judge(chefs(config("1", cut=True), config("2"))).status is Status.ERROR


def test_one_backend_has_nothing_to_differ_from(chefs: Chefs) -> None:
    assert judge(chefs(config("1"))).status is Status.SKIP


def test_garbled_or_down_is_no_pass(chefs: Chefs) -> None:
    for other in ([(ConfigDigest, "not understood")], None):
        view = chefs(config("1"), other)
        names = frozenset(node.name for node in view.nodes)
        (result,) = evaluate([CHECK], [GatheredCluster(view.cluster, view.nodes, names)])
        assert result.status is Status.ERROR
