"""The settings of all backends, by name and hash."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from checks.check import ClusterView
from checks.chef_backend.backend.config_match import CHECK, judge
from checks.chef_backend.backend.config_settings import digest
from checks.chef_backend.facts.machine import ConfigDigest
from checks.engine.evaluation import GatheredCluster, evaluate
from checks.outcome import Status

Chefs = Callable[..., ClusterView]
SAME = digest(("samehost", "samenet"))


def config(address: str, *unclear: str, cut: bool = False, **settings: str) -> list[object]:
    return [digests({key.replace("__", "."): value for key, value in settings.items()}, address, *unclear, cut=cut)]


def digests(settings: dict[str, str], address: str, *unclear: str, cut: bool = False) -> ConfigDigest:
    pairs = {"publish_address": address, "etcd.x": "aaaa", **settings}
    return ConfigDigest(
        state="read", named=tuple(pairs.items()), unclear=tuple((name, "f" * 16) for name in unclear), cut=cut
    )


def test_the_same_settings_pass_whatever_the_address(chefs: Chefs) -> None:
    outcome = judge(chefs(config("1"), config("2"), config("3")))
    assert (outcome.status, outcome.message) == (Status.PASS, "1 setting is the same on all backends")


@pytest.mark.parametrize(
    "name",
    [
        *("fqdn", "vip", "vip_interface", "peers", "leaderl.http_address", "elasticsearch.publish_address"),
        *("etcd.listen_interface", "ssl.certificate", "ssl.certificate_key"),
    ],
)
def test_a_nodes_own_settings_may_differ_or_be_left_out(chefs: Chefs, name: str) -> None:
    one, two = [digests({name: "aaaa"}, "1")], [digests({name: "bbbb"}, "2")]
    assert judge(chefs(one, two, config("3"))).status is Status.PASS
    assert judge(chefs(config("1", name), two)).status is Status.PASS


@pytest.mark.parametrize("name", ["postgresql.md5_auth_cidr_addresses", "ip_version", "leaderl.http_port"])
def test_what_only_sounds_like_an_address_is_compared(chefs: Chefs, name: str) -> None:
    assert judge(chefs([digests({name: "aaaa"}, "1")], [digests({name: "bbbb"}, "2")])).status is Status.FAIL


def test_order_does_not_matter_and_of_two_the_last_holds(chefs: Chefs) -> None:
    one, two = (("a.b", "1"), ("c.d", "2")), (("c.d", "3"), ("c.d", "2"), ("a.b", "1"))
    assert (
        judge(chefs([ConfigDigest(state="read", named=one)], [ConfigDigest(state="read", named=two)])).status
        is Status.PASS
    )
    assert (
        judge(chefs([ConfigDigest(state="read", named=one)], [ConfigDigest(state="read", named=two[1::-1])])).status
        is Status.FAIL
    )


def test_a_setting_that_differs_is_named_with_the_outlier(chefs: Chefs) -> None:
    outcome = judge(chefs(config("1"), config("2"), config("3", etcd__x="bbbb")))
    assert outcome.status is Status.FAIL
    assert "backend-3 differs from backend-1 and backend-2 in etcd.x" in outcome.message


def test_a_setting_that_only_one_has_is_named(chefs: Chefs) -> None:
    outcome = judge(chefs(config("1"), config("2", leaderl__timeout="cccc"), config("3")))
    assert outcome.status is Status.FAIL
    assert "in leaderl.timeout" in outcome.message


def test_the_vendors_default_is_the_same_written_down_or_left_out(chefs: Chefs) -> None:
    written = config("1", etcd__client_port=digest(2379), postgresql__md5_auth_cidr_addresses=SAME)
    assert judge(chefs(written, config("2"), config("3"))).status is Status.PASS
    assert judge(chefs(config("1", etcd__client_port=digest(2380)), config("2"))).status is Status.FAIL


def test_what_the_vendor_calculates_from_the_memory_is_a_warning(chefs: Chefs) -> None:
    outcome = judge(chefs(config("1", elasticsearch__heap_size="aaaa"), config("2", elasticsearch__heap_size="bbbb")))
    assert outcome.status is Status.WARN
    assert "elasticsearch.heap_size, which the vendor calculates from the memory" in outcome.message


def test_what_only_changes_the_output_of_reconfigure_is_a_warning(chefs: Chefs) -> None:
    outcome = judge(chefs(config("1", hide_sensitive="aaaa", elasticsearch__heap_size="aaaa"), config("2")))
    assert outcome.status is Status.WARN
    assert "in hide_sensitive, which changes no more than what reconfigure prints" in outcome.message
    assert "in elasticsearch.heap_size, which the vendor calculates" in outcome.message


def test_what_takes_ruby_to_know_warns_and_names_the_nodes(chefs: Chefs) -> None:
    one, two = config("1", "-", "-"), config("2", "etcd.x", "leaderl.y")
    outcome = judge(chefs(one, two, config("3", leaderl__y="cccc")))
    assert outcome.status is Status.WARN
    assert "on backend-1: lines that set nothing by name takes Ruby to know" in outcome.message
    assert "on backend-2: etcd.x and leaderl.y takes Ruby to know" in outcome.message
    assert "differs" not in outcome.message


def test_a_setting_that_may_stand_among_ruby_is_not_missing(chefs: Chefs) -> None:
    """backend-2 has it or has it not: nobody read its Ruby."""
    outcome = judge(chefs(config("1", leaderl__y="cccc"), config("2", "-")))
    assert outcome.status is Status.WARN


def test_a_difference_beside_ruby_is_still_a_failure(chefs: Chefs) -> None:
    outcome = judge(chefs(config("1"), config("2", "-", etcd__x="bbbb")))
    assert outcome.status is Status.FAIL


def test_answers_to_an_earlier_preflight_differ_perhaps_in_notation_only(chefs: Chefs) -> None:
    """They hash what stands there, quotes and all."""
    one = [ConfigDigest(state="read", named=(("etcd.x", "aaaa"),), as_written=True)]
    assert judge(chefs(one, one)).status is Status.PASS
    outcome = judge(chefs(one, config("2", etcd__x="bbbb")))
    assert outcome.status is Status.ERROR
    assert "in how etcd.x is written" in outcome.message


def test_a_missing_file_fails_and_one_missing_everywhere_is_unknown(chefs: Chefs) -> None:
    missing: list[object] = [ConfigDigest(state="missing")]
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
